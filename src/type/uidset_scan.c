/*-------------------------------------------------------------------------
 *
 * uidset_scan.c
 *	  The scan behind "uid <@ set": it goes from range to range of the set.
 *
 * A custom scan over an ordinary index scan that has, among its conditions,
 *		uid >= min(set) AND uid <= max(set)
 * For each range of the set in turn it puts that range's ends in place of min
 * and max, and lets the index scan run.  So what lies between the ranges is not
 * read, however far apart they are, and rows come in the order of the index.
 *
 * The index scan does the rest by itself: its other conditions, visibility,
 * index-only access, and the recheck of "uid <@ set".
 *
 * Locks: those of the index scan.  Memory: the executor's for the query; the
 * value of the set stays until the scan starts anew.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/nodeFuncs.h"
#include "utils/rel.h"

#include "compat.h"
#include "type/uidset_scan.h"

typedef struct RangeScanState
{
	CustomScanState css;
	ExprState  *set;
	ExprContext *context;		/* that the set is computed in */

	/* Of the index scan: its keys, and those of them that a range goes into */
	PlanState  *scan;
	ScanKey		keys;
	int			nkeys;
	ScanKey		bounds;			/* uid >= bounds[0] AND uid <= bounds[1] */
	IndexScanDesc *desc;		/* NULL there until it has begun */

	bool		descending;		/* from the last range to the first? */
	bool		started;		/* is the set computed? */
	bool		reading;		/* a range? */
	const UidRange *ranges;
	int			nranges;
	int			next;			/* how many were begun */
} RangeScanState;

static Node *create_state(CustomScan *plan);
static void begin_scan(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *next_row(CustomScanState *node);
static void end_scan(CustomScanState *node);
static void start_anew(CustomScanState *node);
static void explain_scan(CustomScanState *node, List *ancestors,
						 ExplainState *es);

const CustomScanMethods uidset_scan_methods = {
	.CustomName = "modseq_ranges",
	.CreateCustomScanState = create_state
};

static const CustomExecMethods execution = {
	.CustomName = "modseq_ranges",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = next_row,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = start_anew,
	.ExplainCustomScan = explain_scan
};


static Node *
create_state(CustomScan *plan)
{
	RangeScanState *state = palloc0(sizeof(RangeScanState));

	NodeSetTag(state, T_CustomScanState);
	state->css.methods = &execution;
	return (Node *) state;
}

/* Where the index scan has what we change */
static void
find_keys(RangeScanState *state, int first)
{
	if (IsA(state->scan, IndexOnlyScanState))
	{
		IndexOnlyScanState *scan = (IndexOnlyScanState *) state->scan;

		state->keys = scan->ioss_ScanKeys;
		state->nkeys = scan->ioss_NumScanKeys;
		state->desc = &scan->ioss_ScanDesc;
	}
	else
	{
		IndexScanState *scan = castNode(IndexScanState, state->scan);

		state->keys = scan->iss_ScanKeys;
		state->nkeys = scan->iss_NumScanKeys;
		state->desc = &scan->iss_ScanDesc;
	}

	/* EXPLAIN without ANALYZE has none */
	if (state->keys == NULL)
		return;
	if (first + 2 > state->nkeys ||
		state->keys[first].sk_strategy != BTGreaterEqualStrategyNumber ||
		state->keys[first + 1].sk_strategy != BTLessEqualStrategyNumber ||
		state->keys[first].sk_subtype != INT8OID ||
		state->keys[first + 1].sk_subtype != INT8OID)
		elog(ERROR, "index scan has no bounds of UIDs");
	state->bounds = state->keys + first;
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	RangeScanState *state = (RangeScanState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;

	/* We go forward only, and cannot return to a place */
	eflags &= ~(EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK);
	state->scan = ExecInitNode(linitial(plan->custom_plans), estate, eflags);
	node->custom_ps = list_make1(state->scan);
	state->set = ExecInitExpr(linitial(plan->custom_exprs), &node->ss.ps);
	state->context = CreateExprContext(estate);
	state->descending = lsecond_int(plan->custom_private);
	find_keys(state, linitial_int(plan->custom_private));

	/* What we return comes out of the scan's slot, of whatever kind that is */
	node->ss.ps.scanopsfixed = false;
	if (plan->custom_scan_tlist != NIL)
		ExecAssignScanProjectionInfoWithVarno(&node->ss, INDEX_VAR);
	else
		ExecAssignScanProjectionInfo(&node->ss);

	/* WHERE CURRENT OF looks for the row's place there */
	node->ss.ss_ScanTupleSlot = ((ScanState *) state->scan)->ss_ScanTupleSlot;
}

/* Computes the set.  NULL is in no comparison, so it is as the empty set. */
static void
compute_set(RangeScanState *state)
{
	MemoryContext before;
	bool		isnull;
	Datum		value;

	ResetExprContext(state->context);
	before = MemoryContextSwitchTo(state->context->ecxt_per_tuple_memory);
	value = ExecEvalExpr(state->set, state->context, &isnull);
	state->nranges = 0;
	if (!isnull)
	{
		UidSet	   *set = DatumGetUidSetP(value);

		state->ranges = uidset_ranges(set);
		state->nranges = uidset_nranges(set);
	}
	MemoryContextSwitchTo(before);
	state->started = true;
	state->next = 0;

	/* The keys that are computed at run time, mailbox = $1 for one, are now */
	if (state->nranges > 0)
		ExecReScan(state->scan);
}

/* Puts a range in place of the bounds; false if none is left */
static bool
begin_range(RangeScanState *state)
{
	const UidRange *range;

	if (state->next >= state->nranges)
		return false;
	range = state->descending ?
		&state->ranges[state->nranges - 1 - state->next] :
		&state->ranges[state->next];
	state->next++;
	InstrCountTuples2(&state->css.ss.ps, 1);
	state->bounds[0].sk_argument = Int64GetDatum(range->lo);
	state->bounds[1].sk_argument = Int64GetDatum(range->hi);
	state->bounds[0].sk_flags &= ~SK_ISNULL;
	state->bounds[1].sk_flags &= ~SK_ISNULL;

	/* If the scan has not begun, it begins with these keys */
	if (*state->desc != NULL)
		index_rescan(*state->desc, state->keys, state->nkeys, NULL, 0);
	return true;
}

/*
 * A row that is read out of the index alone does not say where it is.  WHERE
 * CURRENT OF asks the scan, but it does not look for that below us.
 */
static void
tell_place(RangeScanState *state)
{
	TupleTableSlot *slot = ((ScanState *) state->scan)->ss_ScanTupleSlot;

	if (!IsA(state->scan, IndexOnlyScanState))
		return;
	slot->tts_tid = (*state->desc)->xs_heaptid;
	slot->tts_tableOid = RelationGetRelid(state->css.ss.ss_currentRelation);
}

static TupleTableSlot *
scan_ranges(RangeScanState *state)
{
	/*
	 * Another version of one row is judged, by the scan's conditions: to go
	 * through all ranges for each such row would be right, but quadratic.
	 */
	if (state->css.ss.ps.state->es_epq_active != NULL)
		return ExecProcNode(state->scan);

	if (!state->started)
		compute_set(state);
	for (;;)
	{
		TupleTableSlot *slot;

		CHECK_FOR_INTERRUPTS();
		if (!state->reading && !begin_range(state))
			return NULL;
		state->reading = true;
		slot = ExecProcNode(state->scan);
		if (!TupIsNull(slot))
		{
			tell_place(state);
			return slot;
		}
		state->reading = false;
	}
}

static TupleTableSlot *
next_row(CustomScanState *node)
{
	TupleTableSlot *slot = scan_ranges((RangeScanState *) node);
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;

	if (TupIsNull(slot) || projection == NULL)
		return slot;
	ResetExprContext(node->ss.ps.ps_ExprContext);
	node->ss.ps.ps_ExprContext->ecxt_scantuple = slot;
	return ExecProject(projection);
}

static void
end_scan(CustomScanState *node)
{
	ExecEndNode(((RangeScanState *) node)->scan);
}

static void
start_anew(CustomScanState *node)
{
	RangeScanState *state = (RangeScanState *) node;

	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(state->scan, node->ss.ps.chgParam);
	state->started = false;
	state->reading = false;

	/* compute_set() does it, but for a row that is judged again */
	if (node->ss.ps.state->es_epq_active != NULL)
		ExecReScan(state->scan);
}

/*
 * How many ranges were begun, by all starts of the scan, in all processes.  It
 * is counted where PostgreSQL adds up what workers count, by a number that has
 * no other use in a scan like this one.
 */
static void
explain_scan(CustomScanState *node, List *ancestors, ExplainState *es)
{
	if (es->analyze && node->ss.ps.instrument != NULL)
		ExplainPropertyInteger("Ranges Read", NULL,
							   (int64) node->ss.ps.instrument->ntuples2, es);
}
