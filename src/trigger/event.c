/*-------------------------------------------------------------------------
 *
 * event.c
 *	  Event triggers: DDL on the tables of stores.
 *
 * What comes and goes with a partition is in partition.c.  What attach()
 * refuses is refused here, too: see alter.c and refuse.c.  And DDL can change
 * the flags of all messages of a table.
 *
 * All other DDL passes here too, of all tables in the database.  For it this
 * must be next to nothing: a look at the parse tree, and for a partition, a
 * partitioned table or a column that is added, dropped or converted at the
 * table's triggers.
 *
 * Locks: the command's, see partition.c.  Where it has changed flags, SHARE ROW
 * EXCLUSIVE on the tables of flags and messages.
 *
 * Rights: what is done on tables that are not all the caller's own is a
 * restricted operation.  Deferred triggers on them are refused then: they would
 * run at COMMIT, with the rights of the caller.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
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

/* --- before a command -------------------------------------------------- */

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
		partition_before_drop(castNode(DropStmt, command));
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
				partition_before_detach(castNode(AlterTableStmt, command),
										castNode(PartitionCmd, part->def));
			else if (part->subtype == AT_AttachPartition)
				partition_before_attach(castNode(PartitionCmd, part->def));
		}
	}
	return PointerGetDatum(NULL);
}

/* --- after it ---------------------------------------------------------- */

/* Clients hear of all messages, or mailboxes, that may be others now */
static void
flags_changed(Oid relid, TableRole role)
{
	Store	   *store = store_of_table(relid, role);
	Restriction before;

	restrict_begin(&before, GetUserId(), store_is_strangers(store, relid));
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
			partition_after_attach(castNode(PartitionCmd, part->def), relid);
		else if (part->subtype == AT_DetachPartition ||
				 part->subtype == AT_DetachPartitionFinalize)
			partition_after_detach(castNode(PartitionCmd, part->def), relid);
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
		partition_after_create(castNode(CreateStmt, command));
	else if (IsA(command, CreateForeignTableStmt))
		partition_after_create(&castNode(CreateForeignTableStmt,
										 command)->base);
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
				partition_after_create(lfirst_node(CreateStmt, lc));
		}
	}
	return PointerGetDatum(NULL);
}
