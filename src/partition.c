/*-------------------------------------------------------------------------
 *
 * partition.c
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
 * All other DDL passes here too, of all tables in the database.  For it this
 * must be next to nothing: a look at the parse tree, and for a partition or a
 * partitioned table at its triggers, without a lock on it.
 *
 * Locks: before rows leave, those that the command itself is about to take, in
 * its order: ACCESS EXCLUSIVE on the parent, then on the partition and what is
 * below it.  Only for somebody who may run the command, so that nobody can lock
 * a stranger's table.  After a command its locks are still held.
 *
 * Rights: triggers are created and dropped as the partition's owner.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_func.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_event_before);
PG_FUNCTION_INFO_V1(modseq_event_after);

/* What a table is to a store, by its row triggers */
typedef enum TableRole
{
	ROLE_NONE,
	ROLE_MESSAGE,
	ROLE_MAILBOX,
	ROLE_SOURCE,				/* of a mailbox table that is a side table */
	ROLE_FLAG
} TableRole;

static const char *const role_triggers[] = {
	[ROLE_MESSAGE] = "trigger_assign",
	[ROLE_MAILBOX] = "trigger_mailbox",
	[ROLE_SOURCE] = "trigger_source",
	[ROLE_FLAG] = "trigger_collect_flag"
};

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

/* --- what is there --------------------------------------------------------------- */

/* modseq.<function>(), if the extension is there */
static Oid
our_function(const char *function)
{
	return LookupFuncName(list_make2(makeString("modseq"),
									 makeString(pstrdup(function))),
						  0, NULL, true);
}

/*
 * partition_has_trigger: does a trigger of that table call modseq.<function>(),
 * and is it enabled?  Read from the catalog; takes no lock on the table.
 */
bool
partition_has_trigger(Oid relid, const char *function)
{
	Oid			funcid = our_function(function);
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	if (!OidIsValid(funcid))
		return false;
	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, 1,
							  &key);
	while (!found && (tuple = systable_getnext(scan)) != NULL)
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		found = trigger->tgfoid == funcid &&
			trigger->tgenabled != TRIGGER_DISABLED;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

static TableRole
table_role(Oid relid)
{
	for (TableRole role = ROLE_MESSAGE; role <= ROLE_FLAG; role++)
		if (partition_has_trigger(relid, role_triggers[role]))
			return role;
	return ROLE_NONE;
}

/* The store of a table, which is locked, that has that role */
static Store *
table_store(Oid relid, TableRole role)
{
	Relation	rel = table_open(relid, NoLock);
	Trigger    *trigger = store_find_trigger(rel, role_triggers[role]);
	Store	   *store;

	if (role == ROLE_MESSAGE)
		store = shape_of_messages(rel)->store;
	else if (role == ROLE_MAILBOX)
		store = shape_of_mailboxes(rel, trigger)->store;
	else if (role == ROLE_SOURCE)
		store = shape_of_sources(rel, trigger)->store;
	else
		store = shape_of_flags(rel, trigger)->store;
	table_close(rel, NoLock);
	return store;
}

static char *
table_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* --- triggers -------------------------------------------------------------------- */

static bool
is_ours(const Trigger *trigger)
{
	return !TRIGGER_FOR_ROW(trigger->tgtype) &&
		get_func_namespace(trigger->tgfoid) ==
		get_namespace_oid("modseq", true);
}

/* "CREATE TRIGGER ..." for another table */
static char *
create_trigger(const Trigger *trigger, Oid relid)
{
	StringInfoData text;
	const char *or = "";

	initStringInfo(&text);
	appendStringInfo(&text, "CREATE TRIGGER %s %s ",
					 quote_identifier(trigger->tgname),
					 TRIGGER_FOR_BEFORE(trigger->tgtype) ? "BEFORE" : "AFTER");
	if (TRIGGER_FOR_INSERT(trigger->tgtype))
	{
		appendStringInfoString(&text, "INSERT");
		or = " OR ";
	}
	if (TRIGGER_FOR_UPDATE(trigger->tgtype))
	{
		appendStringInfo(&text, "%sUPDATE", or);
		or = " OR ";
	}
	if (TRIGGER_FOR_DELETE(trigger->tgtype))
	{
		appendStringInfo(&text, "%sDELETE", or);
		or = " OR ";
	}
	if (TRIGGER_FOR_TRUNCATE(trigger->tgtype))
		appendStringInfo(&text, "%sTRUNCATE", or);
	appendStringInfo(&text,
					 " ON %s FOR EACH STATEMENT EXECUTE FUNCTION modseq.%s(",
					 table_name(relid),
					 quote_identifier(get_func_name(trigger->tgfoid)));
	for (int i = 0; i < trigger->tgnargs; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "",
						 quote_literal_cstr(trigger->tgargs[i]));
	appendStringInfoChar(&text, ')');
	return text.data;
}

static bool
has_same(Relation rel, const Trigger *wanted)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		if (rel->trigdesc->triggers[i].tgfoid == wanted->tgfoid &&
			strcmp(rel->trigdesc->triggers[i].tgname, wanted->tgname) == 0)
			return true;
	return false;
}

static void
run_as_owner(List *commands, Oid relid)
{
	Oid			user;
	int			security;
	ListCell   *lc;

	if (commands == NIL)
		return;
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(relation_owner(relid),
						   security | SECURITY_LOCAL_USERID_CHANGE);
	SPI_connect();
	foreach(lc, commands)
	{
		int			result = SPI_execute(lfirst(lc), false, 0);

		if (result < 0)
			elog(ERROR, "SPI_execute returned %s for %s",
				 SPI_result_code_string(result), (char *) lfirst(lc));
	}
	SPI_finish();
	SetUserIdAndSecContext(user, security);
}

/*
 * Gives a partition the statement triggers of the store's table that it lacks.
 * Any look into the catalog may rebuild the cache entries that triggers are in.
 */
static void
give_triggers(Oid relid)
{
	List	   *ancestors = get_partition_ancestors(relid);
	Relation	root = table_open(llast_oid(ancestors), AccessShareLock);
	Relation	rel = table_open(relid, AccessShareLock);
	TriggerDesc *triggers = CopyTriggerDesc(root->trigdesc);
	List	   *commands = NIL;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (is_ours(trigger) && !has_same(rel, trigger))
			commands = lappend(commands, create_trigger(trigger, relid));
	}
	table_close(rel, AccessShareLock);
	table_close(root, AccessShareLock);
	run_as_owner(commands, relid);
}

/* Takes the statement triggers from what is no partition any more */
static void
take_triggers(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);
	List	   *commands = NIL;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (is_ours(&triggers->triggers[i]))
			commands = lappend(commands,
							   psprintf("DROP TRIGGER %s ON %s",
										quote_identifier(triggers->triggers[i].tgname),
										table_name(relid)));
	table_close(rel, AccessShareLock);
	run_as_owner(commands, relid);
}

/* As modseq.attach() does, for partitions that come later */
static void
refuse_unserved(Oid relid)
{
	if (get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign table %s cannot be a partition of a store",
						table_name(relid)),
				 errdetail("What others change there would go unseen."),
				 errhint("Call modseq.detach() for the store first.")));
	if (get_rel_persistence(relid) != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table %s is unlogged or temporary", table_name(relid)),
				 errdetail("Its rows would be lost in a crash without a client ever being told."),
				 errhint("Use ALTER TABLE %s SET LOGGED for an unlogged table.",
						 table_name(relid))));
}

/* A table is a partition of a store's table now, with all that is below it */
static void
complete_partition(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		refuse_unserved(lfirst_oid(lc));
		give_triggers(lfirst_oid(lc));
	}
}

/* --- rows that leave --------------------------------------------------------------- */

/* Whoever may not DROP or DETACH is told so by PostgreSQL, and locks nothing */
static bool
may_drop(Oid relid)
{
	return has_privs_of_role(GetUserId(), relation_owner(relid)) ||
		object_ownercheck(NamespaceRelationId, get_rel_namespace(relid),
						  GetUserId());
}

static bool
may_detach(Oid relid, const RangeVar *from)
{
	Oid			parent = RangeVarGetRelid(from, NoLock, true);

	return OidIsValid(parent) && parent == get_partition_parent(relid, true) &&
		has_privs_of_role(GetUserId(), relation_owner(parent));
}

/*
 * The partition of a store's table that is to be detached from another table,
 * or if from is NULL dropped, with its role.  InvalidOid if it is none, or the
 * command will fail or do nothing.
 */
static Oid
find_partition(const RangeVar *name, const RangeVar *from, TableRole *role)
{
	Oid			relid = RangeVarGetRelid(name, NoLock, true);

	if (!OidIsValid(relid) || !get_rel_relispartition(relid))
		return InvalidOid;
	*role = table_role(relid);
	if (*role == ROLE_NONE)
		return InvalidOid;
	return (from != NULL ? may_detach(relid, from) : may_drop(relid)) ?
		relid : InvalidOid;
}

/*
 * The rows of such a partition go with it.  It is locked, and what is below it;
 * if the names lead elsewhere when we have the locks, then once more.
 */
static void
rows_leave(const RangeVar *name, const RangeVar *from)
{
	TableRole	role;
	Oid			relid;

	while (OidIsValid(relid = find_partition(name, from, &role)))
	{
		Oid			parent = get_partition_parent(relid, true);
		Store	   *store;

		LockRelationOid(parent, AccessExclusiveLock);
		LockRelationOid(relid, AccessExclusiveLock);
		if (find_partition(name, from, &role) != relid)
		{
			UnlockRelationOid(relid, AccessExclusiveLock);
			UnlockRelationOid(parent, AccessExclusiveLock);
			continue;
		}
		find_all_inheritors(relid, AccessExclusiveLock, NULL);
		store = table_store(relid, role);
		statement_open();
		if (role == ROLE_MESSAGE)
			bulk_messages_leave(store, relid);
		else if (role == ROLE_MAILBOX)
			bulk_mailboxes_leave(store, relid);
		else if (role == ROLE_SOURCE)
			bulk_sources_leave(store, relid);
		else
			bulk_flags_change(store, relid);
		statement_close();
		return;
	}
}

static void
before_detach(AlterTableStmt *alter, PartitionCmd *detach)
{
	TableRole	role;

	if (detach->concurrent &&
		OidIsValid(find_partition(detach->name, alter->relation, &role)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("partition \"%s\" of a store cannot be detached concurrently",
						detach->name->relname),
				 errdetail("What leaves with it could not be told in the same transaction."),
				 errhint("Leave out CONCURRENTLY.")));
	rows_leave(detach->name, alter->relation);
}

/* Is an ancestor among them, whose rows it has, or which is the whole table? */
static bool
goes_with_ancestor(Oid relid, List *relids)
{
	List	   *ancestors = get_partition_ancestors(relid);
	ListCell   *lc;

	foreach(lc, ancestors)
		if (list_member_oid(relids, lfirst_oid(lc)))
			return true;
	return false;
}

/* The partitions that a DROP TABLE names; in one go, as one statement */
static void
before_drop(DropStmt *drop)
{
	List	   *relids = NIL;
	ListCell   *lc;

	foreach(lc, drop->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList(lfirst(lc));

		relids = lappend_oid(relids, RangeVarGetRelid(name, NoLock, true));
	}
	statement_open();
	foreach(lc, drop->objects)
	{
		Oid			relid = list_nth_oid(relids, foreach_current_index(lc));

		if (OidIsValid(relid) && get_rel_relispartition(relid) &&
			!goes_with_ancestor(relid, relids))
			rows_leave(makeRangeVarFromNameList(lfirst(lc)), NULL);
	}
	statement_close();
}

/*
 * modseq.event_before(): ddl_command_start of ALTER TABLE and DROP TABLE
 *
 * The messages of a partition that goes vanish; if it is one of the flag table,
 * their flags change.  Takes the locks of the command, and of the mailboxes.
 * Errors: 0A000 for DETACH CONCURRENTLY, 55000 if the store is out of date.
 */
Datum
modseq_event_before(PG_FUNCTION_ARGS)
{
	Node	   *command = event_command(fcinfo);
	ListCell   *lc;

	if (IsA(command, DropStmt) &&
		castNode(DropStmt, command)->removeType == OBJECT_TABLE)
		before_drop(castNode(DropStmt, command));
	if (IsA(command, AlterTableStmt))
		foreach(lc, castNode(AlterTableStmt, command)->cmds)
		{
			AlterTableCmd *part = lfirst_node(AlterTableCmd, lc);

			if (part->subtype == AT_DetachPartition)
				before_detach(castNode(AlterTableStmt, command),
							  castNode(PartitionCmd, part->def));
		}
	return PointerGetDatum(NULL);
}

/* --- rows that come ---------------------------------------------------------------- */

static void
after_create(CreateStmt *create)
{
	Oid			relid;

	if (create->partbound == NULL)
		return;
	relid = get_relname_relid(create->relation->relname,
							  RangeVarGetCreationNamespace(create->relation));
	if (OidIsValid(relid) && get_rel_relispartition(relid) &&
		table_role(relid) != ROLE_NONE)
		complete_partition(relid);
}

static void
after_attach(PartitionCmd *attach)
{
	Oid			relid = RangeVarGetRelid(attach->name, NoLock, true);
	TableRole	role;
	Store	   *store;

	if (!OidIsValid(relid) || !get_rel_relispartition(relid) ||
		(role = table_role(relid)) == ROLE_NONE)
		return;
	complete_partition(relid);
	store = table_store(relid, role);
	statement_open();
	if (role == ROLE_MESSAGE)
		bulk_messages_arrive(store, relid);
	else if (role == ROLE_MAILBOX)
		bulk_mailboxes_arrive(store, relid);
	else if (role == ROLE_SOURCE)
		bulk_sources_arrive(store, relid);
	else
		bulk_flags_change(store, relid);
	statement_close();
}

static void
after_detach(PartitionCmd *detach)
{
	Oid			relid = RangeVarGetRelid(detach->name, NoLock, true);
	ListCell   *lc;

	if (!OidIsValid(relid) || get_rel_relispartition(relid) ||
		table_role(relid) != ROLE_NONE)
		return;
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
		take_triggers(lfirst_oid(lc));
}

/* Other commands may make partitions too: later versions split and merge them */
static void
after_alter(AlterTableStmt *alter)
{
	Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);
	ListCell   *lc;

	foreach(lc, alter->cmds)
	{
		AlterTableCmd *part = lfirst_node(AlterTableCmd, lc);

		if (part->subtype == AT_AttachPartition)
			after_attach(castNode(PartitionCmd, part->def));
		else if (part->subtype == AT_DetachPartition ||
				 part->subtype == AT_DetachPartitionFinalize)
			after_detach(castNode(PartitionCmd, part->def));
	}
	if (!OidIsValid(relid) ||
		get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE ||
		table_role(relid) == ROLE_NONE)
		return;
	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
		if (get_rel_relispartition(lfirst_oid(lc)))
			give_triggers(lfirst_oid(lc));
}

/*
 * modseq.event_after(): ddl_command_end of CREATE TABLE, CREATE FOREIGN TABLE,
 * CREATE SCHEMA and ALTER TABLE
 *
 * A partition of a store's table gets the triggers that it lacks, and what has
 * been detached loses them.  Messages that come with a partition get new UIDs
 * and mod-sequences; with one of the flag table, the flags of messages change;
 * mailboxes that come get a new UIDVALIDITY.  Takes the locks of the mailboxes.
 * Errors: 0A000 for foreign and unlogged tables, and those of trigger_assign().
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
	else if (IsA(command, CreateSchemaStmt))
	{
		foreach(lc, castNode(CreateSchemaStmt, command)->schemaElts)
			if (IsA(lfirst(lc), CreateStmt))
				after_create(lfirst_node(CreateStmt, lc));
	}
	return PointerGetDatum(NULL);
}
