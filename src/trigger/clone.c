/*-------------------------------------------------------------------------
 *
 * clone.c
 * 	  The statement triggers of partitions.
 *
 * PostgreSQL clones the row triggers of a partitioned table to its partitions,
 * but not the others.
 *
 * Locks: AccessShareLock on the tables that are looked at.
 *
 * Rights: triggers are created and dropped as the partition's owner.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

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
					 relation_name(relid),
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
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgfoid == wanted->tgfoid &&
			strcmp(triggers->triggers[i].tgname, wanted->tgname) == 0)
			return true;
	return false;
}

static void
run_as_owner(List *commands, Oid relid)
{
	Oid			owner = relation_owner(relid);
	Restriction before;
	ListCell   *lc;

	if (commands == NIL)
		return;
	restrict_begin(&before, owner, owner != GetUserId());
	SPI_connect();
	foreach(lc, commands)
	{
		int			result = SPI_execute(lfirst(lc), false, 0);

		if (result < 0)
			elog(ERROR, "SPI_execute returned %s for %s",
				 SPI_result_code_string(result), (char *) lfirst(lc));
	}
	SPI_finish();
	restrict_end(&before);
}

/*
 * Gives a partition the statement triggers of the store's table that it lacks.
 * Any look into the catalog may rebuild the cache entries that triggers are in.
 */
void
clone_give_triggers(Oid relid)
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
void
clone_take_triggers(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);
	List	   *commands = NIL;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (is_ours(trigger))
			commands = lappend(commands,
							   psprintf("DROP TRIGGER %s ON %s",
										quote_identifier(trigger->tgname),
										relation_name(relid)));
	}
	table_close(rel, AccessShareLock);
	run_as_owner(commands, relid);
}

/* A table is a partition of a store's table now, with all that is below it */
void
clone_complete_partition(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, AccessShareLock, NULL))
	{
		refuse_unserved(lfirst_oid(lc));
		clone_give_triggers(lfirst_oid(lc));
	}
}
