/*-------------------------------------------------------------------------
 *
 * partition.c
 *	  Partitions of a store's tables that go, or come.
 *
 * PostgreSQL clones the row triggers of a partitioned table to its partitions,
 * but not the others; and no row trigger fires for the rows of a partition that
 * is attached, detached or dropped.  So we look at DDL:
 *
 *	before	ALTER TABLE ... DETACH PARTITION, DROP TABLE	rows leave
 *	after	CREATE TABLE ... PARTITION OF					triggers
 *	after	ALTER TABLE ... ATTACH PARTITION				triggers, rows come
 *	after	ALTER TABLE ... DETACH PARTITION				triggers go
 *
 * Commands name tables.  A name may lead to a table that the command has not
 * touched: IF EXISTS and IF NOT EXISTS let it do nothing.  So after a command
 * we look only at what this transaction has written in pg_class, as creating,
 * attaching and detaching a partition does: it is ours to change, and locked.
 *
 * Locks: before DROP TABLE and DETACH PARTITION those that the command itself
 * is about to take, in its order: ACCESS EXCLUSIVE on the parent, then on the
 * table; and on what is below it, if it is a partition of a store.  Whether it
 * is one is asked then: it may just be attached, or its parent be made a store.
 * Only for somebody who may run the command, so that nobody can lock a
 * stranger's table.  After a command its locks are still held.
 *
 * Rights: triggers are created and dropped as the partition's owner.  What is
 * done on tables that are not all the caller's own is a restricted operation.
 * Deferred triggers on them are refused then: they would run at COMMIT, with
 * the rights of the caller.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* --- rows that leave --------------------------------------------------- */

/*
 * Whoever may not DROP or DETACH is told so by PostgreSQL, and locks nothing.
 */
static bool
may_drop(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	return (relkind == RELKIND_RELATION ||
			relkind == RELKIND_PARTITIONED_TABLE) &&
		(has_privs_of_role(GetUserId(), relation_owner(relid)) ||
		 object_ownercheck(NamespaceRelationId, get_rel_namespace(relid),
						   GetUserId()));
}

static bool
may_detach_from(Oid parent)
{
	return get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE &&
		has_privs_of_role(GetUserId(), relation_owner(parent));
}

/* InvalidOid if it has none; get_partition_parent() would fail then */
static Oid
parent_of(Oid relid)
{
	List	   *ancestors = get_partition_ancestors(relid);

	return ancestors != NIL ? linitial_oid(ancestors) : InvalidOid;
}

/*
 * Locks what a DROP TABLE names as it will, the parent first.  If the name
 * leads elsewhere when we have the locks, or the table has become a partition
 * or is none any more, then once more.
 *
 * The partition that is to be dropped, or InvalidOid: it is none, or the
 * command will fail or do nothing.
 */
static Oid
lock_dropped(const RangeVar *name)
{
	Oid			relid;

	while (OidIsValid(relid = RangeVarGetRelid(name, NoLock, true)) &&
		   may_drop(relid))
	{
		Oid			parent = parent_of(relid);

		if (OidIsValid(parent))
			LockRelationOid(parent, AccessExclusiveLock);
		LockRelationOid(relid, AccessExclusiveLock);
		if (RangeVarGetRelid(name, NoLock, true) == relid &&
			parent_of(relid) == parent)
			return OidIsValid(parent) ? relid : InvalidOid;
		UnlockRelationOid(relid, AccessExclusiveLock);
		if (OidIsValid(parent))
			UnlockRelationOid(parent, AccessExclusiveLock);
	}
	return InvalidOid;
}

/*
 * The same for DETACH PARTITION.  Whether the table is a partition is asked
 * when the parent is locked.
 */
static Oid
lock_detached(const RangeVar *from, const RangeVar *name, LOCKMODE mode)
{
	Oid			parent;
	Oid			relid;

	for (;;)
	{
		parent = RangeVarGetRelid(from, NoLock, true);
		if (!OidIsValid(parent) || !may_detach_from(parent))
			return InvalidOid;
		LockRelationOid(parent, mode);
		if (RangeVarGetRelid(from, NoLock, true) == parent)
			break;
		UnlockRelationOid(parent, mode);
	}
	while (OidIsValid(relid = RangeVarGetRelid(name, NoLock, true)) &&
		   parent_of(relid) == parent)
	{
		LockRelationOid(relid, mode);
		if (RangeVarGetRelid(name, NoLock, true) == relid)
			return relid;
		UnlockRelationOid(relid, mode);
	}
	return InvalidOid;
}

/*
 * The rows of such a partition, which is locked, go with it.  One that Citus
 * distributes has none here; and what Citus takes away at this server is at
 * another one, or the store is half gone.
 *
 * True if the store is not the caller's own.
 */
static bool
rows_leave(Oid relid)
{
	TableRole	role;
	Store	   *store;
	Restriction before;
	List	   *relids;
	Distribution distribution;

	if (!OidIsValid(relid) || (role = partition_role(relid)) == TABLE_NONE)
		return false;
	if (table_distribution(relid, &distribution) ||
		citus_arranges(parent_of(relid)))
		return false;
	relids = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	store = store_of_table(relid, role);
	gate_close(store, lcons_oid(parent_of(relid), relids));
	restrict_begin(&before, GetUserId(), store_is_strangers(store, relid));
	statement_open(STATEMENT_OTHER);
	bulk_leave(store, role, relid);
	statement_close(STATEMENT_OTHER);
	restrict_end(&before);
	return store_is_strangers(store, relid);
}

/* partition_before_detach: what is about to be detached goes with its rows */
void
partition_before_detach(AlterTableStmt *alter, PartitionCmd *detach)
{
	Oid			relid;

	relid = lock_detached(alter->relation, detach->name, detach->concurrent ?
						  ShareUpdateExclusiveLock : AccessExclusiveLock);
	if (!detach->concurrent)
		rows_leave(relid);
	else if (OidIsValid(relid) && partition_role(relid) != TABLE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("partition %s of a store cannot be detached concurrently",
						relation_name(relid)),
				 errdetail("What leaves with it could not be told in the same transaction."),
				 errhint("Leave out CONCURRENTLY.")));
}

/*
 * partition_before_attach: a table of a store cannot become a partition
 *
 * PostgreSQL would refuse some of them as well, for the names of triggers.
 * Here it is only said in time; partition_after_attach() sees what was
 * attached.
 */
void
partition_before_attach(PartitionCmd *attach)
{
	Oid			relid = RangeVarGetRelid(attach->name, NoLock, true);

	if (OidIsValid(relid) &&
		has_privs_of_role(GetUserId(), relation_owner(relid)))
		refuse_store_as_partition(relid);
}

/* Is an ancestor among them, whose rows it has, or which is the whole table? */
static bool
goes_with_ancestor(Oid relid, List *relids)
{
	List	   *ancestors = get_partition_ancestors(relid);
	ListCell   *lc;

	foreach(lc, ancestors)
	{
		if (list_member_oid(relids, lfirst_oid(lc)))
			return true;
	}
	return false;
}

/*
 * partition_before_drop: the partitions that a DROP TABLE names; in one go, as
 * one statement
 */
void
partition_before_drop(DropStmt *drop)
{
	List	   *relids = NIL;
	ListCell   *lc;
	bool		strangers = false;
	Restriction before;

	foreach(lc, drop->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList(lfirst(lc));

		relids = lappend_oid(relids, RangeVarGetRelid(name, NoLock, true));
	}
	statement_open(STATEMENT_OTHER);
	foreach(lc, drop->objects)
	{
		Oid			relid = lock_dropped(makeRangeVarFromNameList(lfirst(lc)));

		if (OidIsValid(relid) && !goes_with_ancestor(relid, relids) &&
			rows_leave(relid))
			strangers = true;
	}
	restrict_begin(&before, GetUserId(), strangers);
	statement_close(STATEMENT_OTHER);
	restrict_end(&before);
}

/* --- rows that come ---------------------------------------------------- */

/* Has this transaction created that table, or changed what it is? */
static bool
is_written_here(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	TransactionId writer;

	if (!HeapTupleIsValid(tuple))
		return false;
	writer = HeapTupleHeaderGetXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	return TransactionIdIsCurrentTransactionId(writer);
}

/* partition_after_create: a partition gets the triggers that it lacks */
void
partition_after_create(CreateStmt *create)
{
	Oid			relid;

	if (create->inhRelations == NIL)
		return;
	relid = get_relname_relid(create->relation->relname,
							  RangeVarGetCreationNamespace(create->relation));
	if (!OidIsValid(relid) || !is_written_here(relid))
		return;
	if (create->partbound == NULL)
		refuse_inheritance(relid, create->inhRelations);
	else if (partition_role(relid) != TABLE_NONE)
		clone_complete_partition(relid);
}

/* The table that a command has attached to that one, or detached from it */
static Oid
partition_named(PartitionCmd *command, Oid parent)
{
	Oid			relid = RangeVarGetRelid(command->name, NoLock, true);

	if (!OidIsValid(relid) || !is_written_here(relid) ||
		get_rel_relkind(parent) != RELKIND_PARTITIONED_TABLE)
		return InvalidOid;
	return relid;
}

/* partition_after_attach: so does what was attached, and its rows come */
void
partition_after_attach(PartitionCmd *attach, Oid parent)
{
	Oid			relid = partition_named(attach, parent);
	TableRole	role;
	Store	   *store;
	Restriction before;

	if (!OidIsValid(relid) || !get_rel_relispartition(relid) ||
		get_partition_parent(relid, true) != parent)
		return;
	refuse_store_as_partition(relid);
	role = partition_role(relid);
	if (role == TABLE_NONE)
		return;
	clone_complete_partition(relid);
	if (citus_arranges(parent))
		return;					/* a shard comes with its numbers */
	store = store_of_table(relid, role);
	restrict_begin(&before, GetUserId(), store_is_strangers(store, relid));
	statement_open(STATEMENT_OTHER);
	bulk_arrive(store, role, relid);
	statement_close(STATEMENT_OTHER);
	restrict_end(&before);
}

/* partition_after_detach: what was detached loses them */
void
partition_after_detach(PartitionCmd *detach, Oid parent)
{
	Oid			relid = partition_named(detach, parent);
	ListCell   *lc;

	if (!OidIsValid(relid) || get_rel_relispartition(relid) ||
		relation_own_role(relid) != TABLE_NONE)
		return;
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
		clone_take_triggers(lfirst_oid(lc));
}
