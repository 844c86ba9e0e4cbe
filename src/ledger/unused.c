/*-------------------------------------------------------------------------
 *
 * unused.c
 *	  UIDs below UIDNEXT that no message has had: they vanish (rule "arrivals").
 *
 * So the UIDs below UIDNEXT that have not vanished are those of the messages,
 * and nobody has to read these to know them.
 *
 * A UID is handed out before its row is written, and that may not be: ON
 * CONFLICT DO NOTHING, or a trigger that cancels it.  The application may pass
 * over some with one that it chose, and reserve some by raising UIDNEXT.  When
 * a statement is completed, those that arrived are known, and the others
 * vanish under its mod-sequence, whether or not more can follow in the same
 * transaction.  What does is recalled: until the commit nobody else has seen
 * that it had vanished.  It is the same with a statement in a subtransaction
 * of a trigger, which settles before the messages of the statement around it
 * have arrived.
 *
 * Locks: the mailbox lock is held when anything is written.
 *
 * Memory: what is collected is in Work, and goes with its nest level; so do the
 * rows that were written.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

/*
 * unused_add: UIDNEXT is past the UIDs from and up, below to, by no doing
 * of ours
 *
 * The application may have reserved them, and they can still arrive in this
 * transaction.  Until then they have vanished.
 */
void
unused_add(Mailbox *mailbox, int64 from, int64 to)
{
	to = Min(to, (int64) UIDSET_MAX_UID + 1);
	if (from >= to)
		return;
	uidset_builder_add(&mailbox_work(mailbox)->unused, (uint32) from,
					   (uint32) (to - 1));
	statement_list(mailbox);
}

/* All UIDs below that are live or have vanished, but for Work.unused */
static int64
accounted_uid(const MailboxLevel *level)
{
	return Max(level->counters.uidnext, level->work.accounted);
}

/*
 * unused_is_due: is there a UID that the rows of vanished UIDs must
 * be told of?
 *
 * Mostly those that arrived follow on UIDNEXT, without a gap.
 */
bool
unused_is_due(Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder *arrivals = &work->arrivals;

	if (!uidset_builder_is_empty(&work->unused))
		return true;
	if (uidset_builder_is_empty(arrivals))
		return false;
	uidset_builder_finish(arrivals);
	return arrivals->n > 1 ||
		arrivals->ranges[0].lo != accounted_uid(mailbox->level);
}

/* The messages with UIDs of the set are live, whatever was thought of them */
static void
recall(Store *store, Mailbox *mailbox, UidBuilder *set)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	int64		uidnext;
	int64		since = 0;

	/* Only this transaction can have written that they vanished */
	counter_read_committed(store, mailbox, &uidnext, &since);
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(since);
	params[store->nkeys + 1] = PointerGetDatum(uidset_from_builder(set));
	SPI_connect();
	plan_execute(store, PLAN_RECALL_ALL_VANISHED, params, PLAN_AS_OWNER);
	plan_execute(store, PLAN_RECALL_VANISHED, params, PLAN_AS_OWNER);
	SPI_finish();
}

/* Adds to the set what it has of UIDs that are not live */
static void
add_not_live(Store *store, Mailbox *mailbox, UidBuilder *candidates,
			 UidBuilder *result)
{
	UidSet	   *set = uidset_from_builder(candidates);
	Datum		params[MODSEQ_MAX_PARAMS];
	UidBuilder	live;
	uint64		rows;

	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = PointerGetDatum(set);
	SPI_connect();
	uidset_builder_init(&live);
	rows = plan_execute(store, PLAN_LIVE_MESSAGES, params, PLAN_AS_OWNER);
	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;
		Datum		uid = SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1, &isnull);

		uidset_builder_add(&live, (uint32) DatumGetInt64(uid),
						   (uint32) DatumGetInt64(uid));
	}
	uidset_builder_finish(&live);
	uidset_difference(uidset_ranges(set), uidset_nranges(set),
					  live.ranges, live.n, result);
	SPI_finish();
}

/*
 * unused_settle: each UID below what UIDNEXT will be is live, or vanishes
 *
 * What was handed out and has not arrived, because of ON CONFLICT or a trigger
 * that cancelled the row, was passed over by a UID that the application chose,
 * or was reserved, vanishes now (rule "arrivals").  One that had vanished so,
 * and arrives after all, was reserved, or handed out by a statement that
 * contained another: that is recalled.  Whether a message is live is asked of
 * the table, for one that came in replica mode may have any UID.
 *
 * The lock is held.  What is to vanish is owed from now on.
 */
void
unused_settle(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder *arrivals = &work->arrivals;
	UidBuilder *unused = &work->unused;
	int64		accounted = accounted_uid(mailbox->level);
	UidBuilder	known;			/* below accounted, but for unused */
	UidBuilder	late;
	UidBuilder	candidates;

	uidset_builder_init(&known);
	uidset_builder_init(&late);
	uidset_builder_init(&candidates);
	uidset_builder_finish(arrivals);
	uidset_builder_finish(unused);
	if (accounted > 1)
	{
		UidRange	below = {1, (uint32) (accounted - 1)};

		uidset_difference(&below, 1, unused->ranges, unused->n, &known);
	}
	uidset_builder_finish(&known);
	uidset_intersection(arrivals->ranges, arrivals->n, known.ranges, known.n,
						&late);
	uidset_builder_add_ranges(&candidates, unused->ranges, unused->n);
	if (accounted < work->landed)
	{
		UidRange	above = {(uint32) accounted, (uint32) (work->landed - 1)};

		uidset_difference(&above, 1, arrivals->ranges, arrivals->n,
						  &candidates);
	}
	work->accounted = Max(accounted, work->landed);
	uidset_builder_free(arrivals);
	uidset_builder_free(unused);
	if (!uidset_builder_is_empty(&late))
		recall(store, mailbox, &late);
	if (!uidset_builder_is_empty(&candidates))
		add_not_live(store, mailbox, &candidates, &work->owed.vanished);
	uidset_builder_free(&known);
	uidset_builder_free(&late);
	uidset_builder_free(&candidates);
}
