/*-------------------------------------------------------------------------
 *
 * executor.c
 *	  Stamping messages without our own row triggers.
 *
 * A stamp is an UPDATE of ours that changes nothing but mod-sequences, of a
 * mailbox that is locked.  Our row triggers have nothing to add to it, but they
 * are dear: if there is any BEFORE UPDATE ROW trigger, PostgreSQL locks each
 * row, and writes that to WAL, before it updates it; and it queues, and fetches
 * again, each row for a trigger after that.  So they are taken out of the
 * executor's own copy of the table's triggers.  The application's fire as ever.
 *
 * If the application has a BEFORE ROW trigger of its own, ours remain: it may
 * keep the update from happening, or change flags, mailbox or number, and ours
 * see that.  They remain in partitions too, where an UPDATE can become a DELETE
 * and an INSERT.  And they remain if the mod-sequence is part of a key: a
 * foreign key's cascade may then change the same table, and what it queues
 * after its rows is matched with the triggers of the query that it is part of.
 *
 * Locks: none but the statement's.  Memory: what is changed is the query's.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "utils/plancache.h"

static ExecutorStart_hook_type next_start;

/* The stamp that is about to start, and its text; NULL: none is */
static const Store *stamp_store;
static const char *stamp_text;

static bool
is_ours(const Store *store, const Trigger *trigger)
{
	return trigger->tgoid == store->trigger_oid ||
		trigger->tgoid == store->collect_oid;
}

static bool
fires_for_updated_row(const Trigger *trigger, int timing)
{
	return TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, timing,
								TRIGGER_TYPE_UPDATE);
}

/*
 * Takes our row triggers out of the triggers of an UPDATE's table.  What else
 * the executor has for each trigger, by its position, is still empty.
 */
static void
drop_own_triggers(const Store *store, TriggerDesc *desc)
{
	int			n = 0;

	for (int i = 0; i < desc->numtriggers; i++)
		if (fires_for_updated_row(&desc->triggers[i], TRIGGER_TYPE_BEFORE) &&
			!is_ours(store, &desc->triggers[i]))
			return;
	desc->trig_update_before_row = false;
	desc->trig_update_after_row = false;
	for (int i = 0; i < desc->numtriggers; i++)
	{
		if (is_ours(store, &desc->triggers[i]))
			continue;
		desc->triggers[n] = desc->triggers[i];
		if (fires_for_updated_row(&desc->triggers[n], TRIGGER_TYPE_AFTER))
			desc->trig_update_after_row = true;
		n++;
	}
	desc->numtriggers = n;
}

/* As ExecutorStart(); of all queries only the stamp that is due concerns us */
static void
start(QueryDesc *query, int eflags)
{
	const Store *store = stamp_store;
	bool		is_stamp = store != NULL && query->sourceText == stamp_text;

	stamp_store = NULL;
	if (next_start)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (is_stamp && IsA(query->planstate, ModifyTableState))
	{
		ModifyTableState *node = (ModifyTableState *) query->planstate;
		ResultRelInfo *target = node->resultRelInfo;

		if (node->operation == CMD_UPDATE && node->mt_nrels == 1 &&
			RelationGetRelid(target->ri_RelationDesc) == store->message_relid &&
			target->ri_RelationDesc->rd_rel->relkind == RELKIND_RELATION &&
			!target->ri_RelationDesc->rd_rel->relispartition &&
			target->ri_TrigDesc != NULL &&
			ExecUpdateLockMode(query->estate, target) == LockTupleNoKeyExclusive)
			drop_own_triggers(store, target->ri_TrigDesc);
	}
}

/* executor_stamp: SPI_execute_plan() for a plan that stamps messages */
int
executor_stamp(const Store *store, SPIPlanPtr plan, Datum *params)
{
	int			result;

	stamp_store = store;
	stamp_text = ((CachedPlanSource *)
				  linitial(SPI_plan_get_plan_sources(plan)))->query_string;
	PG_TRY();
	{
		result = SPI_execute_plan(plan, params, NULL, false, 0);
	}
	PG_FINALLY();
	{
		/* If it failed before it started */
		stamp_store = NULL;
	}
	PG_END_TRY();
	return result;
}

void
executor_init(void)
{
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
}
