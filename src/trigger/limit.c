/*-------------------------------------------------------------------------
 *
 * limit.c
 *	  Statements that a row limit ends.
 *
 * SPI takes a row limit, and so do the languages that are built on it:
 * spi_exec_query() of PL/Perl, plpy.execute() of PL/Python, spi_exec -count of
 * PL/Tcl.  With RETURNING, an INSERT, UPDATE, DELETE or MERGE then ends when so
 * many rows have come, and also if there are no more than these.  PostgreSQL
 * fires the AFTER ROW triggers of what was done, but not the AFTER STATEMENT
 * triggers.  One of these completes the statement for us (statement.c).
 *
 * So where the executor has not come to the end, it gets that one queued, as
 * PostgreSQL would have queued it, and no other: the application's triggers
 * fire where they do without us.
 *
 * Statements in WITH, cursors, and the row limit of a client's Execute need
 * nothing: there PostgreSQL runs to the end before it hands out a row.
 *
 * Locks: none.  Memory: the query's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "utils/lsyscache.h"

static ExecutorFinish_hook_type next_finish;

static bool
is_flush(const Trigger *trigger)
{
	const char *name;

	if (get_func_namespace(trigger->tgfoid) !=
		get_namespace_oid("modseq", true))
		return false;
	name = get_func_name(trigger->tgfoid);
	return name != NULL && strcmp(name, "trigger_flush") == 0;
}

/*
 * The table of a statement, as it is to the executor, but with no other trigger
 * enabled than ours.  The triggers stay where they are, since the executor has
 * more for each by its position.  False if it has none of ours.
 */
static bool
with_flush_only(ResultRelInfo *target)
{
	TriggerDesc *desc;
	bool		found = false;

	if (target->ri_TrigDesc == NULL)
		return false;
	desc = CopyTriggerDesc(target->ri_TrigDesc);
	for (int i = 0; i < desc->numtriggers; i++)
	{
		if (is_flush(&desc->triggers[i]))
			found = true;
		else
			desc->triggers[i].tgenabled = TRIGGER_DISABLED;
	}
	target->ri_TrigDesc = desc;
	return found;
}

/* As the executor does at the end of a statement */
static void
queue_flush(ModifyTableState *node)
{
	EState	   *estate = node->ps.state;
	const ModifyTable *plan = (ModifyTable *) node->ps.plan;
	ResultRelInfo target = *node->rootResultRelInfo;
	int			merge = node->mt_merge_subcommands;
	CmdType		operation = node->operation;

	if (!with_flush_only(&target))
		return;
	if (operation == CMD_INSERT || (merge & MERGE_INSERT) != 0)
		ExecASInsertTriggers(estate, &target, NULL);
	if (operation == CMD_UPDATE || (merge & MERGE_UPDATE) != 0 ||
		plan->onConflictAction == ONCONFLICT_UPDATE)
		ExecASUpdateTriggers(estate, &target, NULL);
	if (operation == CMD_DELETE || (merge & MERGE_DELETE) != 0)
		ExecASDeleteTriggers(estate, &target, NULL);
}

/* As ExecutorFinish() */
static void
finish_query(QueryDesc *query)
{
	ModifyTableState *node = (ModifyTableState *) query->planstate;

	/* Begun, and not come to the end */
	if (node != NULL && IsA(node, ModifyTableState) &&
		!node->fireBSTriggers && !node->mt_done)
	{
		MemoryContext old =
			MemoryContextSwitchTo(query->estate->es_query_cxt);

		queue_flush(node);
		MemoryContextSwitchTo(old);
	}
	if (next_finish)
		next_finish(query);
	else
		standard_ExecutorFinish(query);
}

void
limit_init(void)
{
	next_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish_query;
}
