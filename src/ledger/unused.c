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
 * that it had vanished.
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
 * Mostly those that arrived follow on UIDNEXT, without a gap.  Of a mailbox
 * that is gone nobody asks; one whose new key we are still to hear of is told
 * then.
 */
bool
unused_is_due(Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder *arrivals = &work->arrivals;

	if (mailbox_counters(mailbox)->gone || !mailbox_has_name(mailbox))
		return false;
	if (!uidset_builder_is_empty(&work->unused))
		return true;
	if (uidset_builder_is_empty(arrivals))
		return false;
	uidset_builder_finish(arrivals);
	return arrivals->n > 1 ||
		arrivals->ranges[0].lo != accounted_uid(mailbox->level);
}

/*
 * The UIDs that are in question: those that may be neither live nor vanished,
 * in *open, and those that may be both, in *late.  From now on none is.
 */
static void
take_questions(Mailbox *mailbox, UidBuilder *open, UidBuilder *late)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder *arrivals = &work->arrivals;
	UidBuilder *unused = &work->unused;
	int64		accounted = accounted_uid(mailbox->level);

	uidset_builder_finish(arrivals);
	uidset_builder_finish(unused);
	if (accounted > 1)
	{
		UidRange	below = {1, (uint32) (accounted - 1)};

		uidset_intersection(arrivals->ranges, arrivals->n, &below, 1, late);
	}
	uidset_builder_add_ranges(open, unused->ranges, unused->n);
	if (accounted < work->landed)
	{
		UidRange	above = {(uint32) accounted, (uint32) (work->landed - 1)};

		uidset_difference(&above, 1, arrivals->ranges, arrivals->n, open);
	}
	work->accounted = Max(accounted, work->landed);
	uidset_builder_free(arrivals);
	uidset_builder_free(unused);
	uidset_builder_finish(open);
	uidset_builder_finish(late);
}

/*
 * unused_settle: each UID below what UIDNEXT will be is live, or vanishes
 *
 * What was handed out and has not arrived, or was passed over, or reserved,
 * vanishes now.  What had vanished so, and has arrived after all, is recalled.
 * Whether a message is live is asked of the table: one that came in replica
 * mode may have any UID, and one that arrived may be gone again.
 *
 * The lock is held.  What is to vanish is owed from now on.
 */
void
unused_settle(Store *store, Mailbox *mailbox)
{
	UidBuilder	open;
	UidBuilder	late;
	UidBuilder	asked;
	UidBuilder	live;
	UidBuilder	recalled;

	uidset_builder_init(&open);
	uidset_builder_init(&late);
	uidset_builder_init(&asked);
	uidset_builder_init(&live);
	uidset_builder_init(&recalled);
	take_questions(mailbox, &open, &late);
	uidset_union(open.ranges, open.n, late.ranges, late.n, &asked);
	uid_find_live(store, mailbox_key(mailbox), &asked, &live);
	uidset_intersection(late.ranges, late.n, live.ranges, live.n, &recalled);
	if (!uidset_builder_is_empty(&recalled))
		vanished_recall(store, mailbox, &recalled);
	uidset_difference(open.ranges, open.n, live.ranges, live.n,
					  &mailbox_work(mailbox)->owed.vanished);

	/* Of a mailbox that was renamed messages may be still to follow */
	if (mailbox_counters(mailbox)->reserved == PG_INT64_MAX)
		uidset_difference(open.ranges, open.n, live.ranges, live.n,
						  &mailbox_work(mailbox)->missing);
	uidset_builder_free(&open);
	uidset_builder_free(&late);
	uidset_builder_free(&asked);
	uidset_builder_free(&live);
	uidset_builder_free(&recalled);
}
