/*-------------------------------------------------------------------------
 *
 * changes.c
 *	  The log of changes, for a store that has no index on mod-sequences.
 *
 * With that index each change of a message's flags is one of its place in the
 * index, so that no UPDATE is HOT, however much room the pages have.  Without
 * it, somebody else must know which messages to look at.  So the rows of the
 * vanished table have one column more: which UIDs got a mod-sequence of the
 * statement.  Asked for are the messages whose own mod-sequence is above n, and
 * they are among the union of the rows above n (rule "changes").
 *
 * So a row may name more messages than it need, those that have changed again
 * since, or have gone; and two rows may become one, with the higher
 * mod-sequence.  That is done as they get old, by whoever changes the mailbox,
 * and thoroughly by compact().
 *
 * Locks: writers hold the mailbox lock; readers take none, their snapshot
 * decides.  Rows that compact() has locked are not folded, so that nobody who
 * holds a mailbox lock waits for it.
 *
 * Memory: what is collected is in Work, and goes with its nest level; so do the
 * rows that were written.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

/*
 * Folds what is old enough, now that a mailbox goes from one mod-sequence to
 * another
 *
 * Blocks come in blocks of 1 << BLOCK_BITS, these in blocks of as many, and so
 * on.  Of each size, the last but one becomes one row when its next is left:
 * then a client that lags behind by less than a block does not get all of it.
 * A row that has more UIDs than the block has mod-sequences waits for a larger
 * one: a client that lags behind by single changes must not be led through all
 * messages, as they were all changed not long before.  So of n changes, and of
 * rows with few UIDs, there are some 2 * 16 rows for each digit of n; and each
 * UID is written again as often as n has digits.
 */
static void
fold_changes(Store *store, Mailbox *mailbox, int64 from, int64 to)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	for (int bits = 2 * BLOCK_BITS; bits < 63 && from >> bits != to >> bits;
		 bits += BLOCK_BITS)
	{
		int64		next = (from >> bits) << bits;

		if (next == 0)
			break;
		params[store->nkeys] = Int64GetDatum(next - (INT64CONST(1) << bits));
		params[store->nkeys + 1] = Int64GetDatum(next - 1);
		params[store->nkeys + 2] = Int64GetDatum(INT64CONST(1) << bits);
		plan_execute(store, PLAN_FOLD_CHANGED, params, PLAN_LATEST);
	}
}

/*
 * Writes the UIDs in work->logged, under that mod-sequence, and empties it
 *
 * To add to the row of a block is cheaper than another one: it is mostly a HOT
 * UPDATE.  Many UIDs are not written again for what others change.
 */
static void
write_changes(Store *store, Mailbox *mailbox, int64 value)
{
	Work	   *work = mailbox_work(mailbox);
	UidSet	   *set = uidset_from_builder(&work->logged);
	bool		few = uidset_cardinality(uidset_ranges(set),
										 uidset_nranges(set)) <= BLOCK_SIZE;
	Datum		params[MODSEQ_MAX_PARAMS];

	uidset_builder_free(&work->logged);
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] =
		Int64GetDatum(few ? BLOCK_END(value) : value);
	params[store->nkeys + 1] = PointerGetDatum(set);
	if ((!few || plan_execute(store, PLAN_ADD_CHANGED, params,
							  PLAN_AS_OWNER) != 1) &&
		plan_execute(store, PLAN_APPEND_CHANGED, params, PLAN_AS_OWNER) != 1)
		vanished_not_stored(store, mailbox_key(mailbox));
	if (store->table[TABLE_VANISHED].altered &&
		plan_execute(store, PLAN_FIND_CHANGED, params, PLAN_AS_OWNER) != 1)
		vanished_not_stored(store, mailbox_key(mailbox));
	pfree(set);
}

/*
 * changes_log: the UIDs in work->logged have mod-sequences of this
 * transaction, up to the one that counter_settle() is about to write
 *
 * Does nothing where a store does not log changes.
 */
void
changes_log(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);
	int64		value;

	if (!store->logs || !mailbox_has_name(mailbox) ||
		(!work->used && uidset_builder_is_empty(&work->logged)))
		return;
	value = counters->highestmodseq;
	if (work->used)
		value = Max(value, work->value);
	SPI_connect();
	if (!uidset_builder_is_empty(&work->logged) &&
		counter_lock(store, mailbox))
		write_changes(store, mailbox, value);
	uidset_builder_free(&work->logged);

	/* counter_raise() may have written the value already */
	if (!store->table[TABLE_VANISHED].altered)
		fold_changes(store, mailbox, Min(counters->highestmodseq, value - 1),
					 value);
	SPI_finish();
}

/*
 * changes_read: UIDs among which are all messages with a mod-sequence above
 * that, of those in the set if it is not NULL
 *
 * In a store that logs changes.  As vanished_read() does.
 */
void
changes_read(Store *store, const Datum *key, int64 since,
			 const UidSet *uids, UidBuilder *result)
{
	static const UidRange all = {UIDSET_MIN_UID, UIDSET_MAX_UID};
	Datum		params[MODSEQ_MAX_PARAMS];
	const UidRange *ranges = &all;
	int			n = 1;

	uidset_builder_init(result);
	SPI_connect();
	if (since > 0)
	{
		bool		isnull;
		Datum		value;

		memcpy(params, key, sizeof(Datum) * store->nkeys);
		params[store->nkeys] = Int64GetDatum(since);
		plan_execute(store, PLAN_UNITE_CHANGED, params, PLAN_READ_AS_OWNER);
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							  &isnull);
		n = 0;
		if (!isnull)
		{
			UidSet	   *set = DatumGetUidSetP(value);

			ranges = uidset_ranges(set);
			n = uidset_nranges(set);
		}
	}
	if (uids == NULL)
		uidset_builder_add_ranges(result, ranges, n);
	else
		uidset_intersection(ranges, n, uidset_ranges(uids),
							uidset_nranges(uids), result);
	SPI_finish();
	uidset_builder_finish(result);
}
