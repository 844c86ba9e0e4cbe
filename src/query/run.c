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
 * table's triggers (omit.c).
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
 * Memory: plans are kept in the Store and live as long as it does.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

bool		plan_altered;

static ExecutorStart_hook_type next_start;

static bool
fires_for_updated_row(const Trigger *trigger, int timing)
{
	return TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, timing,
								TRIGGER_TYPE_UPDATE);
}

/* Has somebody else a trigger before each row, be it of one partition alone? */
static bool
others_fire_before(const Store *store, const ModifyTableState *node)
{
	for (int i = 0; i < node->mt_nrels; i++)
	{
		const TriggerDesc *desc = node->resultRelInfo[i].ri_TrigDesc;

		for (int j = 0; desc != NULL && j < desc->numtriggers; j++)
			if (fires_for_updated_row(&desc->triggers[j],
									  TRIGGER_TYPE_BEFORE) &&
				desc->triggers[j].tgfoid != store->assign_function)
				return true;
	}
	return false;
}

/* A stamp has started: it goes without our row triggers, where it can */
static void
start_stamp(PlanRun *run, QueryDesc *query)
{
	const Store *store = run->store;
	ModifyTableState *node = (ModifyTableState *) query->planstate;
	ResultRelInfo *target;
	Relation	rel;

	if (!IsA(node, ModifyTableState) || node->operation != CMD_UPDATE)
		return;
	rel = node->rootResultRelInfo->ri_RelationDesc;
	if (RelationGetRelid(rel) != store->message_relid ||
		others_fire_before(store, node))
		return;
	run->altered = rel->rd_rules != NULL;
	if (node->mt_nrels != 1)
		return;
	target = node->resultRelInfo;
	if (target->ri_RelationDesc->rd_rel->relkind == RELKIND_RELATION &&
		!target->ri_RelationDesc->rd_rel->relispartition &&
		target->ri_TrigDesc != NULL &&
		ExecUpdateLockMode(query->estate, target) == LockTupleNoKeyExclusive)
		omit_row_triggers(store, target->ri_TrigDesc);
}

/*
 * An UPDATE of ours of counters has started: it goes without our triggers for
 * each statement.  They are for what triggers of others change while somebody
 * else writes mailboxes; here a statement is in progress anyway.
 */
static void
start_count(const PlanRun *run, QueryDesc *query)
{
	ModifyTableState *node = (ModifyTableState *) query->planstate;
	TriggerDesc *desc;

	if (!IsA(node, ModifyTableState))
		return;
	desc = node->rootResultRelInfo->ri_TrigDesc;
	if (desc != NULL)
		omit_statement_triggers(run->store, desc);
}

/*
 * As ExecutorStart(); of all queries only some of ours concern us, and those of
 * foreign keys, which leave their triggers to the query that they are part of
 */
static void
start_query(QueryDesc *query, int eflags)
{
	if (next_start)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if ((eflags & EXEC_FLAG_SKIP_TRIGGERS) != 0)
		omit_start_cascade(query);
	if (!plan_is_running(query->sourceText))
	{
		if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
			touch_start(query);
		return;
	}
	if (plan_running->id == PLAN_STAMP_MESSAGE ||
		plan_running->id == PLAN_STAMP_MESSAGES ||
		plan_running->id == PLAN_BEGIN_MESSAGES)
		start_stamp(plan_running, query);
	else if (plan_running->id == PLAN_WRITE_MAILBOX ||
			 plan_running->id == PLAN_RAISE_MAILBOX ||
			 plan_running->id == PLAN_WRITE_COUNTED)
		start_count(plan_running, query);
}

void
run_init(void)
{
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start_query;
}

/*
 * restrict_begin: from here on, code of others must not get at who called us
 *
 * Triggers, casts, checks and policies of a store are code of its owner.  They
 * may run when somebody else, a superuser say, drops a partition or has us
 * check the store.  They run as the owner then, but could leave something
 * behind: a deferred trigger, which runs with the rights of whoever commits, a
 * setting, a temporary table.  PostgreSQL refuses all that in a restricted
 * operation, but for settings, which are put back at its end.
 *
 * If nothing is restricted, this does nothing.  After an error the end of the
 * (sub)transaction restores all.
 */
void
restrict_begin(Restriction *before, Oid user, bool restricted)
{
	GetUserIdAndSecContext(&before->user, &before->security);
	before->nestlevel = 0;
	if (!restricted)
		return;
	SetUserIdAndSecContext(user, before->security |
						   SECURITY_RESTRICTED_OPERATION);
	before->nestlevel = NewGUCNestLevel();
}

void
restrict_end(const Restriction *before)
{
	if (before->nestlevel == 0)
		return;
	AtEOXact_GUC(false, before->nestlevel);
	SetUserIdAndSecContext(before->user, before->security);
}

/* Has SPI prepare a query of ours, for a table other than its own perhaps */
static SPIPlanPtr
prepare_plan(Store *store, PlanId id, const char *table, int *nparams,
			 Oid *types)
{
	char	   *text;
	SPIPlanPtr	plan;

	*nparams = plan_text(store, id, table, &text, types);
	plan = SPI_prepare_cursor(text, *nparams, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor returned %s for %s",
			 SPI_result_code_string(SPI_result), text);
	return plan;
}

/* What makes the planner and the executor know a query of ours: its text */
static const char *
text_of(SPIPlanPtr plan)
{
	return ((CachedPlanSource *)
			linitial(SPI_plan_get_plan_sources(plan)))->query_string;
}

/* Is it that type, or a domain over it? */
static bool
has_type(Form_pg_attribute column, Oid type)
{
	return column->atttypid == type || getBaseType(column->atttypid) == type;
}

/* The type of a column of a result, by its letter: see text.c */
static Oid
letter_type(const Store *store, char letter, int i)
{
	switch (letter)
	{
		case 'k':
			return store->key[i].type;
		case 'a':
			return store->naccounts == 0 ? BOOLOID : store->account_key[i].type;
		case 'i':
			return INT8OID;
		case 'b':
			return BOOLOID;
		case 'o':
			return OIDOID;
		case 't':
			return TIDOID;
		case 'h':
			return UUIDOID;
		case 'w':
			return TIMESTAMPTZOID;
		case 's':
			return TEXTOID;
		case 'E':
			return get_array_type(store->email.type);
		case 'T':
			return get_array_type(store->thread.type);
		case 'I':
			return INT8ARRAYOID;
		case 'S':
			return TEXTARRAYOID;
		default:
			return uidset_oid();
	}
}

/*
 * Are the columns of SPI_tuptable those that whoever asked will take Datums of?
 *
 * Their types were looked at when the store was built, but a trigger can have
 * altered a table since, in between two queries of one of our functions; and
 * a rule decides what a query returns.
 */
static bool
result_is_sound(const Store *store, const char *result)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	int			n = 0;

	for (const char *c = result; *c != '\0'; c++)
	{
		int			columns = *c == 'k' ? store->nkeys :
			*c == 'a' ? Max(store->naccounts, 1) : 1;

		for (int i = 0; i < columns; i++, n++)
			if (n >= desc->natts ||
				!has_type(TupleDescAttr(desc, n), letter_type(store, *c, i)))
				return false;
	}
	return n == desc->natts;
}

/* The same, or an error, if there are rows that will be read */
static void
check_result(const Store *store, PlanId id, uint64 rows)
{
	const char *result = plan_result(id);

	if (rows == 0 || result[0] == '\0')
		return;
	if (SPI_tuptable == NULL || SPI_tuptable->numvals < rows ||
		!result_is_sound(store, result))
		store_out_of_date(store->message_relid,
						  _("A column of table %s has another type now, or a rule changes what a query returns."),
						  store->table[plan_table(id)].name);
}

/* In that snapshot, or where it is NULL in the one that SPI would take */
static void
run_in_snapshot(const StorePlan *plan, Datum *params, Snapshot snapshot,
				bool read_only, bool fire_triggers)
{
	int			result;

	if (plan->spi == NULL)
	{
		kept_plan_run(plan, params, snapshot, read_only, fire_triggers);
		return;
	}
	if (snapshot == NULL)
		result = SPI_execute_plan(plan->spi, params, NULL, read_only, 0);
	else
		result = SPI_execute_snapshot(plan->spi, params, NULL, snapshot,
									  InvalidSnapshot, read_only,
									  fire_triggers, 0);
	if (result < 0)
		elog(ERROR, "SPI returned %s for %s", SPI_result_code_string(result),
			 text_of(plan->spi));
}

/* Runs a plan of ours, and tells our hooks which it is */
static uint64
run_plan(const Store *store, PlanId id, const StorePlan *plan, Datum *params,
		 PlanMode mode)
{
	PlanRun    *outer = plan_running;
	PlanRun		run = {store, id,
	plan->spi != NULL ? text_of(plan->spi) : plan->text, true};

	plan_running = &run;
	PG_TRY();
	{
		if (id > PLAN_COUNT || mode == PLAN_LATEST) /* or of plan_scan() */
			run_in_snapshot(plan, params, GetLatestSnapshot(), false, true);
		else if (mode == PLAN_READ_COMMITTED)
		{
			/* To a snapshot before the first command nothing is done yet */
			Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

			snapshot->curcid = FirstCommandId;
			run_in_snapshot(plan, params, snapshot, true, false);
			UnregisterSnapshot(snapshot);
		}
		else
			run_in_snapshot(plan, params, NULL, mode == PLAN_READ_AS_CALLER ||
							mode == PLAN_READ_AS_OWNER, true);
	}
	PG_FINALLY();
	{
		plan_running = outer;
	}
	PG_END_TRY();
	plan_altered = run.altered;
	check_result(store, id, SPI_processed);
	return SPI_processed;
}

/* Keeps a plan that SPI has prepared, if that alone will do */
static bool
plan_and_keep(Store *store, PlanId id, StorePlan *plan, SPIPlanPtr spi,
			  int nparams, const Oid *types, uint64 events)
{
	PlanRun    *outer = plan_running;
	PlanRun		run = {store, id, text_of(spi), true};
	bool		kept;

	plan_running = &run;
	PG_TRY();
	{
		kept = keep_plan(store, plan, spi, nparams, types, events);
	}
	PG_FINALLY();
	{
		plan_running = outer;
	}
	PG_END_TRY();
	return kept;
}

/* The plan of a query for one of the two that it can run as */
static StorePlan *
get_plan(Store *store, PlanId id, bool as_owner)
{
	int			number = as_owner ? PLAN_COUNT + id : id;
	Oid			types[MODSEQ_MAX_PARAMS];
	uint64		events = watch_events;
	int			nparams;
	SPIPlanPtr	spi;
	StorePlan  *plan;

	for (plan = store->plans; plan != NULL; plan = plan->next)
		if (plan->id == number)
			return plan;
	spi = prepare_plan(store, id, NULL, &nparams, types);
	plan = MemoryContextAllocZero(store->context, sizeof(StorePlan));
	plan->id = number;
	if (!plan_and_keep(store, id, plan, spi, nparams, types, events))
	{
		/* Another, for SPI must know it before it is planned */
		plan->spi = prepare_plan(store, id, NULL, &nparams, types);
		SPI_keepplan(plan->spi);
	}
	SPI_freeplan(spi);
	plan->next = store->plans;
	store->plans = plan;
	return plan;
}

/*
 * plan_execute: run a query of ours, whose result is then in SPI_tuptable
 *
 * The caller is connected to SPI.  params are never NULL.  Returns the number
 * of rows.  If the query fails, transaction abort restores user and settings.
 *
 * A plan has the policies in it that hold for whom it was made.  PostgreSQL
 * plans again for another role, but does not notice that policies which are
 * forced on the owner do not hold for the bookkeeping.  So each query has two
 * plans: the owner's and the callers'.
 */
uint64
plan_execute(Store *store, PlanId id, Datum *params, PlanMode mode)
{
	const StoreTable *owned = &store->table[plan_table(id)];
	bool		as_owner = mode != PLAN_AS_CALLER &&
		mode != PLAN_READ_AS_CALLER;
	Oid			user;
	int			security;
	StorePlan  *plan;
	StorePlan	use;
	Blocked		blocked;
	Oid			types[MODSEQ_MAX_PARAMS];
	uint64		rows;

	GetUserIdAndSecContext(&user, &security);
	if (as_owner)
		SetUserIdAndSecContext(relation_owner(owned->relid),
							   security | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_NOFORCE_RLS);
	else						/* perhaps a trigger, within our bookkeeping */
		SetUserIdAndSecContext(user, security & ~SECURITY_NOFORCE_RLS);
	plan = get_plan(store, id, as_owner);
	use = *plan;
	if (kept_plan_holds(store, plan))
		use.spi = NULL;
	else if (use.spi == NULL)
	{
		/* For a Store that has become stale, which somebody still uses */
		use.spi = prepare_plan(store, id, NULL, &use.nparams, types);
		SPI_keepplan(use.spi);
		plan->spi = use.spi;
	}
	blocked_begin(&blocked, store, blocked_by(id), params);
	rows = run_plan(store, id, &use, params, mode);
	blocked_end(&blocked);
	SetUserIdAndSecContext(user, security);
	return rows;
}

/*
 * plan_run: the same as the owner, of a query of which only the number of rows
 * matters
 */
uint64
plan_run(Store *store, PlanId id, const Datum *params)
{
	uint64		rows;

	SPI_connect();
	rows = plan_execute(store, id, unconstify(Datum *, params), PLAN_AS_OWNER);
	SPI_finish();
	return rows;
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
	StorePlan	plan = {0};
	Oid			types[MODSEQ_MAX_PARAMS];
	Oid			user;
	int			security;
	uint64		rows;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(relation_owner(relid),
						   security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	plan.spi = prepare_plan(store, id, relation_name(relid), &plan.nparams,
							types);
	rows = run_plan(store, id, &plan, NULL, PLAN_AS_OWNER);
	SetUserIdAndSecContext(user, security);
	SPI_freeplan(plan.spi);
	return rows;
}

/*
 * plan_get_number: a bigint in a row of SPI_tuptable, 0 where it is NULL
 */
int64
plan_get_number(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/*
 * plan_get_key: the mailbox key that a row of SPI_tuptable begins with
 *
 * False if a part is NULL: it is no mailbox.
 */
bool
plan_get_key(const Store *store, uint64 row, Datum *key)
{
	bool		isnull;

	for (int i = 0; i < store->nkeys; i++)
	{
		key[i] = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
							   i + 1, &isnull);
		if (isnull)
			return false;
	}
	return true;
}

/* plan_get_account: the account that a row of SPI_tuptable has from there on */
bool
plan_get_account(const Store *store, uint64 row, int column, Datum *account)
{
	bool		isnull;

	for (int i = 0; i < store->naccounts; i++)
	{
		account[i] = SPI_getbinval(SPI_tuptable->vals[row],
								   SPI_tuptable->tupdesc, column + i, &isnull);
		if (isnull)
			return false;
	}
	return true;
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

	if (!plan_get_key(store, row, key))
		return false;
	value = SPI_getbinval(tuple, desc, store->nkeys + 1, &isnull);
	if (isnull)
		return false;
	*uid = DatumGetInt64(value);
	Assert(desc->natts == store->nkeys + 2);
	*live = DatumGetBool(SPI_getbinval(tuple, desc, store->nkeys + 2, &isnull));
	return true;
}
