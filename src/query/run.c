/*-------------------------------------------------------------------------
 *
 * run.c
 * 	  The SQL that modseq runs: cached plans, and as whom.
 *
 * Stamping messages goes without our own row triggers.  A stamp is an UPDATE
 * of ours that changes nothing but mod-sequences, of a mailbox that is locked.
 * Our row triggers have nothing to add to it, but they are dear: if there is
 * any BEFORE UPDATE ROW trigger, PostgreSQL locks each row, and writes that to
 * WAL, before it updates it; and it queues, and fetches again, each row for a
 * trigger after that.  So they are taken out of the executor's own copy of the
 * table's triggers.  The application's fire as ever.
 *
 * If the application has a BEFORE ROW trigger of its own, ours remain: it may
 * keep the update from happening, or change flags, mailbox or number, and ours
 * see that.  They remain in partitions too, where an UPDATE can become a DELETE
 * and an INSERT.  And they remain if the mod-sequence is part of a key: a
 * foreign key's cascade may then change the same table, and what it queues
 * after its rows is matched with the triggers of the query that it is part of.
 *
 * Locks: those of the statements, see text.c.
 *
 * Memory: plans are saved in the Store and live as long as it does.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

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

/* SPI_execute_plan() for a plan that stamps messages */
static int
execute_stamp(const Store *store, SPIPlanPtr plan, Datum *params)
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
run_init(void)
{
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
}

static SPIPlanPtr
prepare(Store *store, PlanId id, const char *table)
{
	Oid			params[MODSEQ_MAX_PARAMS];
	char	   *text;
	int			nparams = plan_text(store, id, table, &text, params);
	SPIPlanPtr	plan;

	plan = SPI_prepare_cursor(text, nparams, params, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor returned %s for %s",
			 SPI_result_code_string(SPI_result), text);
	return plan;
}

/* The table whose owner a plan runs as */
static Oid
owners_table(const Store *store, PlanId id)
{
	switch (plan_table(id))
	{
		case TABLE_MAILBOX:
			return store->mailbox_relid;
		case TABLE_SOURCE:
			return store->source_relid;
		case TABLE_VANISHED:
			return store->vanished_relid;
		default:
			Assert(plan_table(id) == TABLE_MESSAGE);
			return store->message_relid;
	}
}

/*
 * plan_execute: run a query of ours, whose result is then in SPI_tuptable
 *
 * The caller is connected to SPI.  params are never NULL.  Returns the number
 * of rows.  If the query fails, transaction abort restores user and settings.
 */
uint64
plan_execute(Store *store, PlanId id, Datum *params, PlanMode mode)
{
	bool		as_owner = mode != PLAN_AS_CALLER && mode != PLAN_READ_AS_CALLER;
	bool		read_only = mode != PLAN_AS_OWNER && mode != PLAN_AS_CALLER;
	Oid			user;
	int			security;
	int			result;

	GetUserIdAndSecContext(&user, &security);
	if (as_owner)
		SetUserIdAndSecContext(relation_owner(owners_table(store, id)),
							   security | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_NOFORCE_RLS);
	if (store->plans == NULL)
	{
		store->plans = MemoryContextAllocZero(store->context,
											  sizeof(SPIPlanPtr) * PLAN_COUNT);
		store->nplans = PLAN_COUNT;
	}
	if (store->plans[id] == NULL)
	{
		store->plans[id] = prepare(store, id, NULL);
		SPI_keepplan(store->plans[id]);
	}
	if (mode == PLAN_READ_COMMITTED)
	{
		/* To a snapshot before the first command nothing is done yet */
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

		snapshot->curcid = FirstCommandId;
		result = SPI_execute_snapshot(store->plans[id], params, NULL, snapshot,
									  InvalidSnapshot, true, false, 0);
		UnregisterSnapshot(snapshot);
	}
	else if (id == PLAN_STAMP_MESSAGE || id == PLAN_STAMP_MESSAGES)
		result = execute_stamp(store, store->plans[id], params);
	else
		result = SPI_execute_plan(store->plans[id], params, NULL, read_only, 0);
	if (as_owner)
		SetUserIdAndSecContext(user, security);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan returned %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

/*
 * plan_scan: run a query of ours on a table that comes or goes as a whole
 *
 * As plan_execute(), but as the owner of that table, in the latest snapshot
 * also in REPEATABLE READ, and with a plan for this time only.
 */
uint64
plan_scan(Store *store, PlanId id, Oid relid)
{
	SPIPlanPtr	plan;
	Oid			user;
	int			security;
	int			result;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(relation_owner(relid),
						   security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	plan = prepare(store, id,
				   quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
											  get_rel_name(relid)));
	result = SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0);
	SetUserIdAndSecContext(user, security);
	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot returned %s",
			 SPI_result_code_string(result));
	SPI_freeplan(plan);
	return SPI_processed;
}

/*
 * plan_get_message: the mailbox key and UID in a row of SPI_tuptable, as the
 * queries for messages of any mailbox return them, and whether it is live
 *
 * False if a part is NULL: no client can know of such a message.
 */
bool
plan_get_message(const Store *store, uint64 row, Datum *key, int64 *uid,
				 bool *live)
{
	HeapTuple	tuple = SPI_tuptable->vals[row];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Datum		value;
	bool		isnull;

	for (int i = 0; i < store->nkeys; i++)
	{
		key[i] = SPI_getbinval(tuple, desc, i + 1, &isnull);
		if (isnull)
			return false;
	}
	value = SPI_getbinval(tuple, desc, store->nkeys + 1, &isnull);
	if (isnull)
		return false;
	*uid = DatumGetInt64(value);
	Assert(desc->natts == store->nkeys + 2);
	*live = DatumGetBool(SPI_getbinval(tuple, desc, store->nkeys + 2, &isnull));
	return true;
}
