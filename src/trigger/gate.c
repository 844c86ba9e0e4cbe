/*-------------------------------------------------------------------------
 *
 * gate.c
 *	  Who goes with his rows, and who has locked mailboxes: which of them waits.
 *
 * DETACH, DROP and TRUNCATE lock a table against all, and what leaves with it
 * needs the locks of its mailboxes.  Who called modseq.lock() has such a lock,
 * and may need the table.  Each would wait for the other.
 *
 * The gate is the message table, the whole of it: all who lock mailboxes first
 * have ROW EXCLUSIVE on it before that, and so have the statements that name
 * it.  SHARE ROW EXCLUSIVE closes it: when we have that, they are through, and
 * nobody else gets in.
 *
 * But we come to the gate with the table locked, by PostgreSQL or as it is
 * about to lock it, and who is through may want the table.  And who names a
 * partition or a flag table has that, and then wants through the gate.  So
 * neither is waited for while the other is held: what cannot be had at once is
 * waited for with the other one given up.
 *
 * What a TRUNCATE has locked may be given up only if nobody has read it since:
 * a trigger of the application's that saves the rows would miss some.  And all
 * of it must be ours to give up.  Else it may come to a deadlock.
 *
 * Locks: on the tables that go, AccessExclusiveLock is given up, and taken
 * again; ShareUpdateExclusiveLock is kept in between, so that nothing but their
 * rows can change: no DDL, no VACUUM, no TRUNCATE by others.  A table that this
 * transaction had locked before the command is not given up: LockRelease() only
 * counts down then.  At the end ShareRowExclusiveLock on the message table, to
 * the end of the transaction.
 *
 * Memory: the caller's; GetLockStatusData() takes a row for each lock of the
 * server.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"

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

/* Has another transaction a lock that conflicts with that mode? */
static bool
has_holders(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;
	int			holders;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	GetLockConflicts(&tag, mode, &holders);
	return holders > 0;
}

/*
 * Whoever waits for it is no hindrance: as we keep ShareUpdateExclusiveLock, we
 * come before those who must wait for that.
 */
static bool
lock_at_once(Oid relid, LOCKMODE mode)
{
	if (ConditionalLockRelationOid(relid, mode))
		return true;
	if (has_holders(relid, mode))
		return false;
	LockRelationOid(relid, mode);
	return true;
}

/* All, or none */
static bool
lock_all_at_once(const List *relids, LOCKMODE mode)
{
	for (int i = 0; i < list_length(relids); i++)
		if (!lock_at_once(list_nth_oid(relids, i), mode))
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

/* --- TRUNCATE ---------------------------------------------------------- */

/* Is there a trigger of somebody else's that reads rows before they go? */
static bool
has_other_trigger(Relation rel)
{
	Oid			ours = our_function("trigger_truncate");
	Oid			ours_flag = our_function("trigger_truncate_flag");
	TriggerDesc *trigdesc = rel->trigdesc;	/* which these may rebuild */

	for (int i = 0; trigdesc != NULL && i < trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &trigdesc->triggers[i];

		if (TRIGGER_FOR_BEFORE(trigger->tgtype) &&
			TRIGGER_FOR_TRUNCATE(trigger->tgtype) &&
			trigger->tgenabled != TRIGGER_DISABLED &&
			trigger->tgfoid != ours && trigger->tgfoid != ours_flag)
			return true;
	}
	return false;
}

/* A table of the store whose rows go, or a sequence that is to restart */
static bool
may_be_given_up(const Store *store, Oid relid)
{
	TableRole	role = relation_role(relid);
	const char *function = role == TABLE_MESSAGE ? "trigger_truncate" :
		"trigger_truncate_flag";
	Relation	rel;
	Trigger    *trigger;
	bool		result;

	if (get_rel_relkind(relid) == RELKIND_SEQUENCE)
		return true;
	if (role != TABLE_MESSAGE && role != TABLE_FLAG)
		return false;
	rel = relation_open(relid, NoLock);
	trigger = relation_find_trigger(rel, function);
	result = trigger != NULL && !has_other_trigger(rel) &&
		shape_get(rel, role, trigger)->store->message_relid ==
		store->message_relid;
	relation_close(rel, NoLock);
	return result;
}

/*
 * What this transaction has locked against all, which is what the TRUNCATE goes
 * with; none if it is more than that
 */
static List *
locked_to_truncate(const Store *store)
{
	LockData   *locks = GetLockStatusData();
	List	   *relids = NIL;

	for (int i = 0; i < locks->nelements; i++)
	{
		LockInstanceData *lock = &locks->locks[i];
		Oid			relid = lock->locktag.locktag_field2;

		if (lock->pid != MyProcPid ||
			lock->locktag.locktag_type != LOCKTAG_RELATION ||
			!(lock->holdMask & LOCKBIT_ON(AccessExclusiveLock)))
			continue;
		if (lock->locktag.locktag_field1 != MyDatabaseId ||
			!may_be_given_up(store, relid))
			return NIL;
		relids = lappend_oid(relids, relid);
	}
	return relids;
}

/*
 * gate_close_truncate: the same before a TRUNCATE's mailboxes are waited for
 *
 * Its triggers fire when all of its tables are locked, and before any goes.  If
 * somebody else has closed the gate, then nobody is through, and he may want
 * these tables next.
 */
void
gate_close_truncate(const Store *store)
{
	Oid			gate = store->message_relid;
	List	   *relids;

	if (ConditionalLockRelationOid(gate, ShareRowExclusiveLock) ||
		has_holders(gate, RowExclusiveLock))
		return;
	relids = locked_to_truncate(store);
	if (relids != NIL)
		gate_close(store, relids);
}
