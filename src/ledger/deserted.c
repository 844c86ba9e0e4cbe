/*-------------------------------------------------------------------------
 *
 * deserted.c
 *	  Messages that a renamed mailbox has left behind.
 *
 * Where no foreign key takes them along, messages need not follow their mailbox
 * to its new key, and nobody can say that they will.  So what has not followed
 * when the statement is completed has vanished from it, like any UID below
 * UIDNEXT that is not live (unused.c), and has left its account.  What follows
 * later in the same transaction is recalled: see statement_follow().
 *
 * Locks: the mailbox lock is held since it was renamed, so that nobody else
 * adds messages under its old key.
 *
 * Memory: the keys are in Work, and go with its nest level.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

/*
 * deserted_leave_key: the mailbox has another key than that; whether messages
 * follow is seen when the statement is complete
 */
void
deserted_leave_key(Store *store, Mailbox *mailbox, const Datum *key)
{
	MemoryContext old = MemoryContextSwitchTo(level_memory());
	Work	   *work = mailbox_work(mailbox);

	work->left = lappend(work->left, key_copy(store, key));
	MemoryContextSwitchTo(old);
	statement_list(mailbox);
}

/* Those that are still there under that key have vanished */
static void
vanish_left(Store *store, Mailbox *mailbox, const Datum *key)
{
	const Counters *counters = mailbox_counters(mailbox);
	int64		uidnext = Max(counters->uidnext, counters->next_uid);
	UidBuilder	below;
	UidBuilder	live;

	if (uidnext <= 1)
		return;
	uidset_builder_init(&below);
	uidset_builder_init(&live);
	uidset_builder_add(&below, 1, (uint32) (uidnext - 1));
	uid_find_live(store, key, &below, &live);
	for (int i = 0; i < live.n; i++)
		unused_add(mailbox, live.ranges[i].lo, (int64) live.ranges[i].hi + 1);
	uidset_builder_free(&below);
	uidset_builder_free(&live);
}

/*
 * A mailbox that has a key back that it had before has the messages back that
 * it had left there.  Of all that have vanished so, it is asked again.
 */
static void
ask_for_missing(Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);

	for (MailboxLevel *level = mailbox->level; level != NULL;
		 level = level->outer)
		uidset_builder_add_ranges(&work->arrivals, level->work.missing.ranges,
								  level->work.missing.n);
}

/*
 * deserted_settle: those that have not followed are in no mailbox now
 *
 * Where another one has the key, it has them.
 */
void
deserted_settle(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	List	   *left = work->left;
	ListCell   *lc;

	work->left = NIL;
	ask_for_missing(mailbox);
	foreach(lc, left)
	{
		const Datum *key = lfirst(lc);

		if (mailbox_has_key(store, mailbox, key) ||
			mailbox_find(store, key) != mailbox)
			continue;
		vanish_left(store, mailbox, key);
		if (!store->has_accounts)
			continue;
		departed_add_left(store, mailbox, key);
		mailbox_counters(mailbox)->deserted = true;
	}
	list_free(left);
}
