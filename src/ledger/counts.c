/*-------------------------------------------------------------------------
 *
 * counts.c
 * 	  How many messages a mailbox has: what is owed to its counts.
 *
 * Where a store counts, the row of the counters also says how many messages
 * are live there, their octets, and how many are not seen, or are deleted.
 * Each row of messages that comes, goes or changes adds to that, or takes from
 * it, and the sum is added to what the row has when the counters are written:
 * a change is owed by its statement, and what the row has is read under the
 * lock.  So nothing needs to be remembered from one statement to the next, and
 * a subtransaction that aborts takes along what it has added.
 *
 * No row trigger tells of messages that a mailbox gets, or loses, with its key:
 * where no foreign key takes them along, they may be there before it, or be
 * left when it is renamed.  Then all of its messages are counted, when the
 * statement is completed.  So of messages under a key that a mailbox had, and
 * has no more, or that none has, nothing needs to be counted, or to wait.
 *
 * Locks: none are taken here.  What is counted anew is read in a snapshot that
 * is taken under the mailbox's lock: whoever has changed messages there without
 * it has committed, and is seen; or adds what he changed when he gets it.
 *
 * Memory: Work's.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

static bool
are_none(const Counts *counts)
{
	for (int i = 0; i < COUNTS; i++)
		if (counts->n[i] != 0)
			return false;
	return true;
}

/* counts_are_owed: is there something to be written? */
bool
counts_are_owed(const Changes *changes)
{
	return changes->recount || !are_none(&changes->counts);
}

/* counts_add: messages with that key have come, or changed by so much */
void
counts_add(Store *store, const Datum *key, const Counts *counts)
{
	Mailbox    *mailbox;
	Work	   *work;

	if (are_none(counts))
		return;
	mailbox = mailbox_get(store, key);
	if (store_keeps_messages(store) && !mailbox_has_key(store, mailbox, key))
		return;
	work = mailbox_work(mailbox);
	for (int i = 0; i < COUNTS; i++)
		work->owed.counts.n[i] += counts->n[i];
	statement_list(mailbox);
}

/* counts_subtract: messages with that key have gone */
void
counts_subtract(Store *store, const Datum *key, const Counts *counts)
{
	Counts		less;

	for (int i = 0; i < COUNTS; i++)
		less.n[i] = -counts->n[i];
	counts_add(store, key, &less);
}

/* counts_renew: all messages of the mailbox are to be counted */
void
counts_renew(Store *store, Mailbox *mailbox)
{
	if (!store->has_counts)
		return;
	mailbox_work(mailbox)->owed.recount = true;
	statement_list(mailbox);
}

/* The counts that a query returns, of the row or rows that have the key */
static void
read_counts(Store *store, Mailbox *mailbox, PlanId id, Counts *counts)
{
	memset(counts, 0, sizeof(Counts));
	SPI_connect();
	if (plan_execute(store, id, unconstify(Datum *, mailbox_key(mailbox)),
					 PLAN_LATEST) > 0)
		for (int i = 0; i < COUNTS; i++)
			counts->n[i] = plan_get_number(0, i + 1);
	SPI_finish();
}

/*
 * counts_count: does that; what is owed to the counts is what they lack then
 *
 * The lock is held, and no row of messages is written of which no trigger has
 * told.
 */
void
counts_count(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	Counts		counted;
	Counts		written;

	read_counts(store, mailbox, PLAN_COUNT_MESSAGES, &counted);
	read_counts(store, mailbox, PLAN_READ_COUNTS, &written);
	for (int i = 0; i < COUNTS; i++)
		work->owed.counts.n[i] = counted.n[i] - written.n[i];
}

/* counts_take: what is owed, which whoever asks will write */
Counts
counts_take(Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	Counts		result = work->owed.counts;

	mailbox_drop_counts(&work->owed);
	return result;
}

/* counts_not_written: others have changed what we wrote, or kept it from us */
void
counts_not_written(Store *store, Mailbox *mailbox)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("counters of mailbox %s could not be written",
					key_text(store, mailbox_key(mailbox))),
			 errdetail_not_kept(store, TABLE_MAILBOX),
			 errhint("Let it leave the columns of modseq as they are.")));
}

/*
 * counts_begin: a query of ours is about to add these to the counts; they are
 * parameters of it, after those that it has besides
 */
void
counts_begin(const Store *store, Mailbox *mailbox, const Counts *counts,
			 Datum *params)
{
	Work	   *work = mailbox_work(mailbox);
	int			n = 0;

	work->is_adding = true;
	work->adding = *counts;
	work->told = 0;
	for (int i = 0; i < COUNTS; i++)
		if (store->count[i].name != NULL)
			params[n++] = Int64GetDatum(counts->n[i]);
}

/*
 * counts_end: it has, and row triggers have told of it
 *
 * If they told of one change, that was ours, and should be all that we add.  If
 * of several, then triggers of others have updated the row as well, and may
 * have been told of first: what they have put into the counts is owed the other
 * way round.
 */
void
counts_end(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);

	work->is_adding = false;
	if (work->told == 0 || are_none(&work->adding) ||
		mailbox_counters(mailbox)->gone)
		return;
	if (work->told == 1)
		counts_not_written(store, mailbox);
	for (int i = 0; i < COUNTS; i++)
		work->owed.counts.n[i] += work->adding.n[i];
	statement_list(mailbox);
}

/*
 * counts_row_changed: a row of the mailbox table was updated
 *
 * What others than we have put into its counts, as a program that writes back
 * all that it has read, is owed the other way round.
 */
void
counts_row_changed(Mailbox *mailbox, const RowShape *shape, HeapTuple old,
				   HeapTuple new, TupleDesc desc)
{
	Work	   *work = mailbox_work(mailbox);
	Counts	   *due = work->is_adding ? &work->adding : &work->owed.counts;
	Counts		before;
	Counts		after;

	count_row(shape, old, desc, &before);
	count_row(shape, new, desc, &after);
	for (int i = 0; i < COUNTS; i++)
		due->n[i] -= after.n[i] - before.n[i];
	if (work->is_adding)
		work->told++;
	else if (!are_none(due))
		statement_list(mailbox);
}
