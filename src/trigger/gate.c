/*-------------------------------------------------------------------------
 *
 * gate.c
 *	  Who goes with his rows, and who has locked mailboxes: which of them waits.
 *
 * DETACH and DROP lock a table against all, and what leaves with it needs the
 * locks of its mailboxes.  Who called modseq.lock() has such a lock, and may
 * need the table.  Each would wait for the other.
 *
 * The gate is the message table, the whole of it: all who lock mailboxes first
 * have ROW EXCLUSIVE on it before that, and so have the statements that name
 * it.  SHARE ROW EXCLUSIVE closes it: when we have that, they are through, and
 * nobody else gets in.
 *
 * But we come to the gate with the table locked, as PostgreSQL is about to lock
 * it, and who is through may want the table.  And who names a partition or a
 * flag table has that, and then wants through the gate.  So neither is waited
 * for while the other is held: what cannot be had at once is waited for with
 * the other one given up.
 *
 * Locks: on the tables that go, AccessExclusiveLock is given up, and taken
 * again; ShareUpdateExclusiveLock is kept in between, so that nothing but their
 * rows can change: no DDL, no VACUUM, no TRUNCATE by others.  A table that this
 * transaction had locked before the command is not given up: LockRelease() only
 * counts down then.  At the end ShareRowExclusiveLock on the message table, to
 * the end of the transaction.
 *
 * Memory: the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "storage/lmgr.h"

/* Then we wait like anybody else, and PostgreSQL ends it if it is a deadlock */
#define MAX_TRIES		20

static void
lock_all(const List *relids, LOCKMODE mode)
{
	const ListCell *lc;

	foreach(lc, relids)
		LockRelationOid(lfirst_oid(lc), mode);
}

static void
unlock_first(const List *relids, int n, LOCKMODE mode)
{
	for (int i = 0; i < n; i++)
		UnlockRelationOid(list_nth_oid(relids, i), mode);
}

/* All, or none */
static bool
lock_all_at_once(const List *relids, LOCKMODE mode)
{
	for (int i = 0; i < list_length(relids); i++)
		if (!ConditionalLockRelationOid(list_nth_oid(relids, i), mode))
		{
			unlock_first(relids, i, mode);
			return false;
		}
	return true;
}

/*
 * gate_close: before mailboxes are waited for by a command that goes with all
 * rows of these tables
 *
 * It has AccessExclusiveLock on each, taken once by this very command, and has
 * not read their rows.  All of that is so again at the end.
 */
void
gate_close(const Store *store, const List *relids)
{
	Oid			gate = store->message_relid;
	int			n = list_length(relids);

	if (ConditionalLockRelationOid(gate, ShareRowExclusiveLock))
		return;
	lock_all(relids, ShareUpdateExclusiveLock);
	for (int i = 0; i < MAX_TRIES; i++)
	{
		unlock_first(relids, n, AccessExclusiveLock);
		LockRelationOid(gate, ShareRowExclusiveLock);
		if (lock_all_at_once(relids, AccessExclusiveLock))
			return;
		UnlockRelationOid(gate, ShareRowExclusiveLock);
		lock_all(relids, AccessExclusiveLock);
		if (ConditionalLockRelationOid(gate, ShareRowExclusiveLock))
			return;
	}
	LockRelationOid(gate, ShareRowExclusiveLock);
}
