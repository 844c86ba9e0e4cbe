/*-------------------------------------------------------------------------
 *
 * returned.c
 *	  Messages that a transaction takes out and puts back under their UIDs.
 *
 * Tools that rearrange a table do so: a row is deleted from one partition, and
 * inserted into another, in one statement or by way of another table.  To
 * everybody else it is the same message, for nobody sees it gone.  So it keeps
 * its UID (rule "arrivals"), and is stamped, since its flags may be others.
 *
 * When such a row is inserted we may not have heard of the DELETE yet: AFTER
 * triggers fire when the whole query is done.  So a used UID is let in if it
 * can be of such a message, and looked at when the statement is completed: it
 * must have vanished by this transaction, and there must be one message that
 * has it.
 *
 * Locks: the mailbox lock is held since the row arrived.
 *
 * Memory: what is collected is in Work, and goes with its nest level.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

/* Finishes a builder that has been made here, and is not yet */
static void
difference(UidBuilder *a, UidBuilder *b, UidBuilder *result)
{
	uidset_builder_init(result);
	uidset_builder_finish(a);
	uidset_builder_finish(b);
	uidset_difference(a->ranges, a->n, b->ranges, b->n, result);
	uidset_builder_finish(result);
}

/* These are live, and so have not vanished in this statement */
static void
spare_live(Work *work, UidBuilder *live)
{
	UidBuilder	vanished;

	difference(&work->owed.vanished, live, &vanished);
	uidset_builder_reset(&work->owed.vanished);
	mailbox_move_uids(&vanished, &work->owed.vanished);
	uidset_builder_free(live);
}

/*
 * returned_settle: the messages in work->returning are back, or it is an error
 *
 * They have not vanished in this statement.  What earlier ones have written
 * unused_settle() recalls, as of any message that arrives late.  If the lock is
 * not ours, then the same query has renamed the mailbox or deleted it.
 */
void
returned_settle(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	int64		twice;
	UidBuilder	live;
	UidBuilder	written;
	UidBuilder	rest;
	UidBuilder	unknown;

	uidset_builder_finish(&work->returning);
	if (!counter_is_locked(mailbox))
		uid_is_used(store, mailbox, work->returning.ranges[0].lo);

	/* The others were not inserted, were deleted again, or are expunged */
	uidset_builder_init(&live);
	twice = uid_find_live(store, mailbox_key(mailbox), &work->returning, &live);
	if (twice != 0)
		uid_is_used(store, mailbox, twice);
	uidset_builder_free(&work->returning);
	difference(&live, &work->owed.vanished, &rest);
	if (!uidset_builder_is_empty(&rest))
	{
		uidset_builder_init(&written);
		vanished_find_written(store, mailbox, &rest, &written);
		difference(&rest, &written, &unknown);
		if (!uidset_builder_is_empty(&unknown))
			uid_is_used(store, mailbox, unknown.ranges[0].lo);
		uidset_builder_free(&written);
	}
	uidset_builder_free(&rest);

	spare_live(work, &live);
}

/*
 * returned_settle_arrivals: a message that arrived in this statement, was taken
 * out and is back, under its UID, has not vanished
 *
 * Triggers can do so, in statements that this one contains.  Its UID was none
 * that is used, so that nobody has looked for it to return.  The lock is held.
 */
void
returned_settle_arrivals(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder	both;
	UidBuilder	live;

	uidset_builder_init(&both);
	uidset_builder_finish(&work->arrivals);
	uidset_builder_finish(&work->owed.vanished);
	uidset_intersection(work->arrivals.ranges, work->arrivals.n,
						work->owed.vanished.ranges, work->owed.vanished.n,
						&both);
	uidset_builder_finish(&both);
	if (!uidset_builder_is_empty(&both))
	{
		uidset_builder_init(&live);
		uid_find_live(store, mailbox_key(mailbox), &both, &live);
		spare_live(work, &live);
	}
	uidset_builder_free(&both);
}
