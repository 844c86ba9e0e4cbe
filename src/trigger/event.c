/*-------------------------------------------------------------------------
 *
 * event.c
 *	  Event triggers: partitions of a store's tables that come or go.
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
 * and refuse what attach() refuses: see alter.c and refuse.c.
 *
 * All other DDL passes here too, of all tables in the database.  For it this
 * must be next to nothing: a look at the parse tree, and for a partition, a
 * partitioned table or a column that is added, dropped or converted at the
 * table's triggers.
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
 * stranger's table.  After a command its locks are still held.  Where it has
 * changed flags, SHARE ROW EXCLUSIVE on the tables of flags and messages.
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
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(modseq_event_before);
PG_FUNCTION_INFO_V1(modseq_event_after);

/* The parse tree of a call as an event trigger; an error if it is none */
static Node *
event_command(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("modseq's event trigger functions can only be called as event triggers"),
				 errhint("CREATE EXTENSION modseq creates the event triggers.")));
	return ((EventTriggerData *) fcinfo->context)->parsetree;
}

/* The store of a table, which is locked, that has that role */
static Store *
table_store(Oid relid, TableRole role)
{
	Relation	rel = table_open(relid, NoLock);
	Trigger    *trigger = relation_find_trigger(rel, role_triggers[role]);
	Store	   *store = shape_get(rel, role, trigger)->store;

	table_close(rel, NoLock);
	return store;
}

/* The role that owns a type */
static Oid
type_owner(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	owner = ((Form_pg_type) GETSTRUCT(tuple))->typowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Has the store, or that table of it, an owner other than the caller? */
static bool
is_strangers(const Store *store, Oid relid)
{
	if (relation_owner(relid) != GetUserId())
		return true;
	for (TableRole role = 0; role < TABLE_ROLES; role++)
		if (OidIsValid(store->table[role].relid) &&
			relation_owner(store->table[role].relid) != GetUserId())
			return true;
	return false;
}

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
 * The rows of such a partition, which is locked, go with it.
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

	if (!OidIsValid(relid) || (role = partition_role(relid)) == TABLE_NONE)
		return false;
	relids = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	store = table_store(relid, role);
	gate_close(store, lcons_oid(parent_of(relid), relids));
	restrict_begin(&before, GetUserId(), is_strangers(store, relid));
	statement_open(STATEMENT_OTHER);
	bulk_leave(store, role, relid);
	statement_close(STATEMENT_OTHER);
	restrict_end(&before);
	return is_strangers(store, relid);
}

static void
before_detach(AlterTableStmt *alter, PartitionCmd *detach)
{
	Oid			relid;

	relid = lock_detached(alter->relation, detach->name, detach->concurrent ?
						  ShareUpdateExclusiveLock : AccessExclusiveLock);
	if (!detach->concurrent)
		rows_leave(relid);
	else if (OidIsValid(relid) && partition_role(relid) != TABLE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("partition \"%s\" of a store cannot be detached concurrently",
						detach->name->relname),
				 errdetail("What leaves with it could not be told in the same transaction."),
				 errhint("Leave out CONCURRENTLY.")));
}

/*
 * PostgreSQL would refuse some of them as well, for the names of triggers.
 * Here it is only said in time; after_attach() sees what was attached.
 */
static void
before_attach(PartitionCmd *attach)
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

/* The partitions that a DROP TABLE names; in one go, as one statement */
static void
before_drop(DropStmt *drop)
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

/*
 * DROP EXTENSION modseq CASCADE takes our triggers.  It would leave columns
 * NOT NULL that only these give a value; so all stores are detached first.
 */
static void
before_drop_extension(DropStmt *drop)
{
	ListCell   *lc;
	bool		ours = false;

	foreach(lc, drop->objects)
	{
		if (strcmp(strVal(lfirst(lc)), "modseq") == 0)
			ours = true;
	}
	if (!ours || drop->behavior != DROP_CASCADE || !superuser())
		return;
	SPI_connect();
	if (SPI_execute("SELECT modseq_internal.detach_all()", false, 0) < 0)
		elog(ERROR, "SPI_execute returned %s",
			 SPI_result_code_string(SPI_result));
	SPI_finish();
}

/*
 * modseq.event_before(): ddl_command_start of ALTER TABLE, DROP TABLE and DROP
 * EXTENSION
 *
 * The messages of a partition that goes vanish; if it is one of the flag table,
 * their flags change.  Takes the locks of the command, and of the mailboxes.
 * Errors: 0A000 for DETACH CONCURRENTLY, for ATTACH PARTITION of a table of a
 * store, and for numbers and keys that are computed anew, 2BP01 for a flag
 * column that is dropped, 55000 if the store is out of date.
 */
Datum
modseq_event_before(PG_FUNCTION_ARGS)
{
	Node	   *command = event_command(fcinfo);
	ListCell   *lc;

	if (IsA(command, DropStmt) &&
		castNode(DropStmt, command)->removeType == OBJECT_TABLE)
		before_drop(castNode(DropStmt, command));
	if (IsA(command, DropStmt) &&
		castNode(DropStmt, command)->removeType == OBJECT_EXTENSION)
		before_drop_extension(castNode(DropStmt, command));
	if (IsA(command, AlterTableStmt))
	{
		alter_before(castNode(AlterTableStmt, command));
		foreach(lc, castNode(AlterTableStmt, command)->cmds)
		{
			AlterTableCmd *part = lfirst_node(AlterTableCmd, lc);

			if (part->subtype == AT_DetachPartition)
				before_detach(castNode(AlterTableStmt, command),
							  castNode(PartitionCmd, part->def));
			else if (part->subtype == AT_AttachPartition)
				before_attach(castNode(PartitionCmd, part->def));
		}
	}
	return PointerGetDatum(NULL);
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

static void
after_create(CreateStmt *create)
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

static void
after_attach(PartitionCmd *attach, Oid parent)
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
	store = table_store(relid, role);
	restrict_begin(&before, GetUserId(), is_strangers(store, relid));
	statement_open(STATEMENT_OTHER);
	bulk_arrive(store, role, relid);
	statement_close(STATEMENT_OTHER);
	restrict_end(&before);
}

static void
after_detach(PartitionCmd *detach, Oid parent)
{
	Oid			relid = partition_named(detach, parent);
	ListCell   *lc;

	if (!OidIsValid(relid) || get_rel_relispartition(relid) ||
		relation_own_role(relid) != TABLE_NONE)
		return;
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
		clone_take_triggers(lfirst_oid(lc));
}

/* Clients hear of all messages, or mailboxes, that may be others now */
static void
flags_changed(Oid relid, TableRole role)
{
	Store	   *store = table_store(relid, role);
	Restriction before;

	restrict_begin(&before, GetUserId(), is_strangers(store, relid));
	statement_open(STATEMENT_OTHER);
	bulk_flags_change(store, role, relid);
	statement_close(STATEMENT_OTHER);
	restrict_end(&before);
	ereport(NOTICE,
			(errmsg(role == TABLE_MESSAGE || role == TABLE_FLAG ?
					"messages of store %s have got new mod-sequences" :
					"mailboxes of store %s have got new mod-sequences",
					store->table[TABLE_MESSAGE].name),
			 errdetail("What table %s says of them may be something else now.",
					   relation_name(relid))));
}

/*
 * ALTER TYPE ... RENAME VALUE: flags of that type have another name in all
 * messages.  Who owns the type may not own the stores; other roles' are left
 * alone, lest what is wrong with them fail this command.
 */
static void
after_rename_value(AlterEnumStmt *alter)
{
	TypeName   *name = makeTypeNameFromNameList(alter->typeName);
	Oid			type = typenameTypeId(NULL, name);
	Oid			owner = type_owner(type);
	ListCell   *lc;

	foreach(lc, relations_of_type(type))
	{
		Oid			relid = lfirst_oid(lc);
		TableRole	role = relation_own_role(relid);
		Relation	rel;
		bool		strangers;
		bool		has_flag;

		if (role == TABLE_NONE || role == TABLE_ACCOUNT ||
			(rel = try_relation_open(relid, AccessShareLock)) == NULL)
			continue;
		strangers = rel->rd_rel->relowner != owner;
		has_flag = alter_has_flag_of(rel, role, type, strangers);
		if (has_flag && strangers)
			ereport(WARNING,
					(errcode(ERRCODE_WARNING),
					 errmsg("clients of table %s are not told what its values of type %s are now",
							relation_name(relid), format_type_be(type)),
					 errdetail("It belongs to another role than the type.")));
		else if (has_flag)
			flags_changed(relid, role);
		relation_close(rel, AccessShareLock);
	}
}

/* Other commands may make partitions too: later versions split and merge */
static void
after_alter(AlterTableStmt *alter)
{
	Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);
	TableRole	role;
	bool		partitioned;
	ListCell   *lc;

	if (!OidIsValid(relid))
		return;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *part = lfirst_node(AlterTableCmd, lc);

		if (part->subtype == AT_AttachPartition)
			after_attach(castNode(PartitionCmd, part->def), relid);
		else if (part->subtype == AT_DetachPartition ||
				 part->subtype == AT_DetachPartitionFinalize)
			after_detach(castNode(PartitionCmd, part->def), relid);
		else if (part->subtype == AT_AddInherit)
			refuse_inheritance(relid, list_make1(part->def));
		else if (part->subtype == AT_SetUnLogged)
			refuse_unlogged(relid);
	}
	partitioned = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
	if ((!partitioned && !alter_is_of_columns(alter)) ||
		(role = relation_role(relid)) == TABLE_NONE)
		return;
	if (alter_changes_flags(alter, relid, role))
		flags_changed(relid, role);
	if (!partitioned)
		return;
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		if (get_rel_relispartition(lfirst_oid(lc)))
			clone_give_triggers(lfirst_oid(lc));
	}
}

/*
 * modseq.event_after(): ddl_command_end of CREATE TABLE, CREATE FOREIGN TABLE,
 * CREATE SCHEMA, ALTER TABLE, ALTER FOREIGN TABLE and ALTER TYPE
 *
 * A partition of a store's table gets the triggers that it lacks, and what has
 * been detached loses them.  Messages that come with a partition get new UIDs
 * and mod-sequences; with one of the flag table, the flags of messages change;
 * mailboxes that come get a new UIDVALIDITY.  Messages whose flags ALTER TABLE
 * has written anew, or ALTER TYPE renamed, get new mod-sequences.  Takes the
 * locks of the mailboxes.  Errors: 0A000 for foreign and unlogged tables and
 * for inheritance, and those of trigger_assign().
 */
Datum
modseq_event_after(PG_FUNCTION_ARGS)
{
	Node	   *command = event_command(fcinfo);
	ListCell   *lc;

	if (IsA(command, CreateStmt))
		after_create(castNode(CreateStmt, command));
	else if (IsA(command, CreateForeignTableStmt))
		after_create(&castNode(CreateForeignTableStmt, command)->base);
	else if (IsA(command, AlterTableStmt))
		after_alter(castNode(AlterTableStmt, command));
	else if (IsA(command, AlterEnumStmt) &&
			 castNode(AlterEnumStmt, command)->oldVal != NULL)
		after_rename_value(castNode(AlterEnumStmt, command));
	else if (IsA(command, CreateSchemaStmt))
	{
		foreach(lc, castNode(CreateSchemaStmt, command)->schemaElts)
		{
			if (IsA(lfirst(lc), CreateStmt))
				after_create(lfirst_node(CreateStmt, lc));
		}
	}
	return PointerGetDatum(NULL);
}
