/*-------------------------------------------------------------------------
 *
 * keep.c
 *	  Plans that a session keeps.
 *
 * A session may use a thousand stores, with ten plans each.  PostgreSQL keeps
 * with a plan all that it takes to make it anew: what was parsed, and what that
 * was analyzed to.  We can do without: our texts are made from the Store, which
 * is made anew when anything that a plan depends on has changed.  So we keep
 * the plan alone, a third of it, and run it ourselves as SPI would.
 *
 * Where more decides how long a plan holds (policies, roles, rules, an index
 * that is too young), SPI keeps it and knows.
 *
 * Locks: those that the plan's tables need, before it is run; held to the end
 * of the transaction.
 *
 * Memory: the Store's context; rows that a query returns are in the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* --- keeping ----------------------------------------------------------- */

/* Makes the Store stale when what the plan depends on changes */
static void
watch_plan(Store *store, List *relids, List *items)
{
	ListCell   *lc;

	foreach(lc, relids)
		watch_table(store->watch, lfirst_oid(lc));
	foreach(lc, items)
	{
		PlanInvalItem *item = lfirst_node(PlanInvalItem, lc);

		watch_object(store->watch, item->cacheId, item->hashValue);
	}
}

/* Does it call functions that PostgreSQL does not have by itself? */
static bool
has_functions(List *items)
{
	ListCell   *lc;

	foreach(lc, items)
	{
		if (lfirst_node(PlanInvalItem, lc)->cacheId == PROCOID)
			return true;
	}
	return false;
}

/*
 * The names of columns, which each table has in a plan, are not needed to run
 * it, and EXPLAIN looks them up.
 */
static void
leave_out_names(PlannedStmt *statement)
{
	ListCell   *lc;

	foreach(lc, statement->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION && rte->eref != NULL)
			rte->eref->colnames = NIL;
	}
}

/*
 * keep_plan: keeps the generic plan of an SPI plan, if that alone will do
 *
 * The SPI plan is not saved, and belongs to the caller still.  What it depends
 * on is only known, and watched, when it is planned.  So it is not kept if
 * anything has changed since events, which was counted before it was prepared.
 */
bool
keep_plan(Store *store, StorePlan *plan, SPIPlanPtr spi, int nparams,
		  const Oid *types, uint64 events)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(spi));
	CachedPlan *cached;
	PlannedStmt *statement;
	List	   *items;
	MemoryContext old;

	if (store->watch == NULL || store->changes != store->watch->changes ||
		source->dependsOnRLS)
		return false;
	cached = SPI_plan_get_cached_plan(spi);
	if (cached == NULL)
		return false;
	statement = list_length(cached->stmt_list) == 1 ?
		linitial(cached->stmt_list) : NULL;
	if (statement == NULL || cached->dependsOnRole ||
		statement->commandType == CMD_UTILITY || statement->transientPlan ||
		TransactionIdIsValid(cached->saved_xmin))
	{
		ReleaseCachedPlan(cached, NULL);
		return false;
	}
	items = list_concat_copy(source->invalItems, statement->invalItems);
	watch_plan(store, source->relationOids, NIL);
	watch_plan(store, statement->relationOids, items);
	if (watch_events != events)
	{
		ReleaseCachedPlan(cached, NULL);
		return false;
	}

	leave_out_names(statement);
	old = MemoryContextSwitchTo(store->context);
	plan->statement = copyObject(statement);
	plan->text = pstrdup(source->query_string);
	plan->nparams = nparams;
	plan->types = memcpy(palloc(sizeof(Oid) * Max(nparams, 1)), types,
						 sizeof(Oid) * nparams);
	/* A function in SQL may be part of it, and mean what search_path says */
	if (has_functions(items))
		plan->path = CopySearchPathMatcher(source->search_path);
	MemoryContextSwitchTo(old);
	ReleaseCachedPlan(cached, NULL);
	return true;
}

/*
 * kept_plan_holds: locks the tables of a plan that is kept, and looks whether
 * it is still what the query stands for
 */
bool
kept_plan_holds(const Store *store, const StorePlan *plan)
{
	ListCell   *lc;

	if (plan->statement == NULL ||
		(plan->path != NULL &&
		 !SearchPathMatchesCurrentEnvironment(plan->path)))
		return false;
	foreach(lc, plan->statement->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION)
			LockRelationOid(rte->relid, rte->rellockmode);
	}
	return store->changes == store->watch->changes;
}

/* --- running ----------------------------------------------------------- */

/* Rows go to where SPI puts them */
typedef struct RowReceiver
{
	DestReceiver pub;
	MemoryContext context;		/* the caller's: the query's own ends with it */
	SPITupleTable *table;
} RowReceiver;

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
	RowReceiver *receiver = (RowReceiver *) self;
	MemoryContext context = AllocSetContextCreate(receiver->context,
												  "modseq rows",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SPITupleTable *table = palloc0(sizeof(SPITupleTable));

	table->tuptabcxt = context;
	table->alloced = 16;
	table->vals = palloc(table->alloced * sizeof(HeapTuple));
	table->tupdesc = CreateTupleDescCopy(desc);
	receiver->table = table;
	MemoryContextSwitchTo(old);
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	SPITupleTable *table = ((RowReceiver *) self)->table;
	MemoryContext old = MemoryContextSwitchTo(table->tuptabcxt);

	if (table->numvals >= table->alloced)
	{
		table->alloced *= 2;
		table->vals = repalloc_huge(table->vals,
									table->alloced * sizeof(HeapTuple));
	}
	table->vals[table->numvals++] = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(old);
	return true;
}

static void
receive_nothing(DestReceiver *self)
{
}

/* What an error says of the query in which it occurred, as SPI says it */
static void
error_in_plan(void *arg)
{
	errcontext("SQL statement \"%s\"", (const char *) arg);
}

static ParamListInfo
bind(const StorePlan *plan, const Datum *params)
{
	ParamListInfo list;

	if (plan->nparams == 0)
		return NULL;
	list = makeParamList(plan->nparams);
	for (int i = 0; i < plan->nparams; i++)
	{
		ParamExternData *param = &list->params[i];

		param->value = params[i];
		param->isnull = false;
		param->pflags = PARAM_FLAG_CONST;
		param->ptype = plan->types[i];
	}
	return list;
}

/*
 * kept_plan_run: as SPI_execute_snapshot() of a plan that is kept and holds
 *
 * The caller is connected to SPI, and in its memory context.  snapshot is NULL
 * for the one that SPI_execute_plan() would take.
 */
void
kept_plan_run(const StorePlan *plan, const Datum *params, Snapshot snapshot,
			  bool read_only, bool fire_triggers)
{
	RowReceiver receiver = {
		{receive_row, receive_startup, receive_nothing, receive_nothing,
		DestNone}, CurrentMemoryContext, NULL
	};
	ErrorContextCallback context;
	bool		push = snapshot != NULL || !read_only;
	QueryDesc  *query;

	context.callback = error_in_plan;
	context.arg = unconstify(char *, plan->text);
	context.previous = error_context_stack;
	error_context_stack = &context;

	if (snapshot == NULL && push)
		PushActiveSnapshot(GetTransactionSnapshot());
	else if (push && !read_only)
		PushCopiedSnapshot(snapshot);
	else if (push)
		PushActiveSnapshot(snapshot);
	if (!read_only)
	{
		CommandCounterIncrement();
		UpdateActiveSnapshotCommandId();
	}
	query = CreateQueryDesc(plan->statement, plan->text, GetActiveSnapshot(),
							InvalidSnapshot, (DestReceiver *) &receiver,
							bind(plan, params), NULL, 0);
	ExecutorStart(query, fire_triggers ? 0 : EXEC_FLAG_SKIP_TRIGGERS);
	ExecutorRun_compat(query, ForwardScanDirection, 0);
	SPI_processed = query->estate->es_processed;
	ExecutorFinish(query);
	ExecutorEnd(query);
	FreeQueryDesc(query);
	SPI_tuptable = receiver.table;
	if (push)
		PopActiveSnapshot();
	error_context_stack = context.previous;
}
