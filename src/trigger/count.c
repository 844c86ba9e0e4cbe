/*-------------------------------------------------------------------------
 *
 * count.c
 *	  What row triggers tell of the counts of mailboxes.
 *
 * Only where the store counts: see ledger/counts.c.
 *
 * Locks: none.  What is owed is written under the lock of the mailbox, when the
 * statement is completed.
 *
 * Memory: the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

/*
 * count_collect: what a row of messages adds to the counts of its mailbox
 *
 * A row that goes on in another partition is taken from them there, and added
 * here.  One that comes with a partition was not counted before.
 */
void
count_collect(const RowChange *change, const Datum *from, const Datum *to)
{
	HeapTuple	old = from == NULL ||
		crossing_is_arriving(change->rel, change->old) ? NULL : change->old;
	bool		stays = old != NULL && to != NULL &&
		key_equal(change->store, from, to);
	Counts		before = {0};
	Counts		after = {0};

	if (stays && !count_may_differ(change->shape, old, change->new,
								   change->desc))
		return;
	if (old != NULL)
		count_message(change->shape, old, change->desc, &before);
	if (to != NULL)
		count_message(change->shape, change->new, change->desc, &after);
	if (old != NULL && !stays)
		counts_subtract(change->store, from, &before);
	if (stays)
		for (int i = 0; i < COUNTS; i++)
			after.n[i] -= before.n[i];
	if (to != NULL)
		counts_add(change->store, to, &after);
}

/*
 * count_mailbox_added: the row of a mailbox is new, of which we may have heard
 *
 * What it says of counts is the application's.  Messages that are there
 * already may have been counted for another mailbox, or not at all; or they are
 * about to go with another, where a trigger makes it anew as soon as it is
 * deleted.  Most mailboxes have none, and nothing is kept of them.
 */
void
count_mailbox_added(const RowChange *change, const Datum *key, bool heard)
{
	Store	   *store = change->store;
	Counts		counts;
	bool		renew = heard;

	count_row(change->shape, change->new, change->desc, &counts);
	for (int i = 0; i < COUNTS; i++)
		renew = renew || counts.n[i] != 0;
	if (!renew && !source_has_messages(store, key, PG_INT64_MAX))
		return;
	statement_open(STATEMENT_OTHER);
	counts_renew(store, mailbox_get(store, key));
	statement_close(STATEMENT_OTHER);
}

/* count_mailbox_updated: somebody has updated the row of a mailbox */
void
count_mailbox_updated(const RowChange *change, Mailbox *mailbox)
{
	statement_open(STATEMENT_OTHER);
	counts_row_changed(mailbox, change->shape, change->old, change->new,
					   change->desc);
	statement_close(STATEMENT_OTHER);
}
