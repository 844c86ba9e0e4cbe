/*-------------------------------------------------------------------------
 *
 * rename.c
 *	  Mailboxes whose key changes in this transaction.
 *
 * A message that goes along with its mailbox, by ON UPDATE CASCADE or by
 * hand, does not move (DESIGN rule 5), so its triggers must know of renames.
 *
 * Locks: none.  Memory: TopTransactionContext.  A rename ends when the
 * subtransaction that made it aborts, or when another mailbox takes the old
 * key; if the one that took it aborts, it goes on.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "access/xact.h"
#include "utils/memutils.h"

/* A mailbox whose key changed in this transaction */
typedef struct Rename
{
	int			level;
	int			ended;			/* the level at which it ended, or 0 */
	Oid			message_relid;
	Datum	   *from;
	Datum	   *to;
} Rename;

static List *renames = NIL;

/*
 * Mailbox keys that changed.  A message whose key changes the same way, by
 * ON UPDATE CASCADE or by hand, follows its mailbox and does not move.
 */
void
rename_note(Store *store, const Datum *from, const Datum *to)
{
	MemoryContext old;
	Rename	   *rename;

	old = MemoryContextSwitchTo(TopTransactionContext);
	rename = palloc(sizeof(Rename));
	rename->level = GetCurrentTransactionNestLevel();
	rename->ended = 0;
	rename->message_relid = store->message_relid;
	rename->from = key_copy(store, from);
	rename->to = key_copy(store, to);
	renames = lappend(renames, rename);
	MemoryContextSwitchTo(old);
}

bool
rename_is(Store *store, const Datum *from, const Datum *to)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->message_relid == store->message_relid &&
			rename->ended == 0 &&
			key_equal(store, rename->from, from) &&
			key_equal(store, rename->to, to))
			return true;
	}
	return false;
}

/* The mailbox under its new key, if it has one; else NULL */
Mailbox *
rename_target(Store *store, Mailbox *mailbox)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->message_relid == store->message_relid &&
			rename->ended == 0 &&
			key_equal(store, rename->from, mailbox->key))
			return known_mailbox(store, rename->to);
	}
	return NULL;
}

/* Did a mailbox get that key from another one, whatever became of it? */
bool
rename_reached(Store *store, const Datum *key)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->message_relid == store->message_relid &&
			key_equal(store, rename->to, key))
			return true;
	}
	return false;
}

/* Another mailbox has the key now; messages that leave it move from now on */
void
rename_key_taken(Store *store, const Datum *key)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->message_relid == store->message_relid &&
			rename->ended == 0 && key_equal(store, rename->from, key))
			rename->ended = GetCurrentTransactionNestLevel();
	}
}

/* A subtransaction of that nest level ends */
void
rename_subtransaction_end(int level, bool commit)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->ended >= level)
			rename->ended = commit ? level - 1 : 0;
		if (rename->level < level)
			continue;
		if (commit)
			rename->level = level - 1;
		else
			renames = foreach_delete_current(renames, lc);
	}
}

/* They were in TopTransactionContext, which is gone with the transaction */
void
rename_transaction_end(void)
{
	renames = NIL;
}
