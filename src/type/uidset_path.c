/*-------------------------------------------------------------------------
 *
 * uidset_path.c
 *	  Where the planner may go from range to range of a set, for "uid <@ set".
 *
 * The planner's own way is a scan of the index from min(set) to max(set)
 * (uidset_plan.c).  Wherever it has that for a table, we offer a scan that goes
 * through the same index by the ranges of the set (uidset_scan.c).  That works
 * for every set, known or not: a constant, a parameter, what a join brings.
 *
 * It never reads more than the planner's own scan of that index, so it takes
 * that one's place and is not dearer; all other ways compete with it.  A sample
 * of a table is no scan of an index: there the planner has nothing for us.
 *
 * The planner has thrown away paths that looked dear when our hook is called.
 * So we let it make them again, for one index at a time.
 *
 * The library is loaded by then, also in a session that has not used it: the
 * planner asks the support function of each call first of all.
 *
 * Locks: none.  Memory: the planner's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "type/uidset_scan.h"

/* What an index path has of "uid <@ set" */
typedef struct RangeClause
{
	Node	   *set;
	List	   *bounds;			/* uid >= min(set), uid <= max(set) */
	int			position;		/* of the first of them among all conditions */
	int			column;			/* of the index */
	bool		ordered;		/* have all columns before it one value each? */
} RangeClause;

static set_rel_pathlist_hook_type next_pathlist;

static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path,
					   List *tlist, List *clauses, List *custom_plans);

static const CustomPathMethods path_methods = {
	.CustomName = "modseq_ranges",
	.PlanCustomPath = make_plan
};


/* --- what a path has --------------------------------------------------- */

/* Is it column = value, or column = ANY (values)? */
static bool
is_equality(const IndexPath *path, const IndexClause *clause, bool *one_value)
{
	Oid			opfamily = path->indexinfo->opfamily[clause->indexcol];
	Node	   *qual = (Node *) ((RestrictInfo *)
								 linitial(clause->indexquals))->clause;
	Oid			operator;

	*one_value = true;
	if (IsA(qual, NullTest))
		return ((NullTest *) qual)->nulltesttype == IS_NULL;
	if (IsA(qual, ScalarArrayOpExpr))
	{
		*one_value = false;
		operator = ((ScalarArrayOpExpr *) qual)->opno;
	}
	else if (IsA(qual, OpExpr))
		operator = ((OpExpr *) qual)->opno;
	else
		return false;
	return get_op_opfamily_strategy(operator, opfamily) ==
		BTEqualStrategyNumber;
}

/*
 * Finds the clause in a path; false if there is none that we can go by.  All
 * columns before its own must be known: else each range would be a scan of all
 * of the index.
 */
static bool
find_range_clause(const IndexPath *path, RangeClause *found)
{
	bool		known[INDEX_MAX_KEYS] = {false};
	bool		one_value[INDEX_MAX_KEYS] = {false};
	int			position = 0;
	ListCell   *lc;

	found->set = NULL;
	foreach(lc, path->indexclauses)
	{
		IndexClause *clause = lfirst_node(IndexClause, lc);
		Node	   *set = NULL;
		bool		one;

		if (clause->lossy && list_length(clause->indexquals) == 2)
			set = uidset_plan_operand((Node *) clause->rinfo->clause, NULL);
		if (set != NULL && found->set == NULL)
		{
			found->set = set;
			found->bounds = clause->indexquals;
			found->position = position;
			found->column = clause->indexcol;
		}
		else if (is_equality(path, clause, &one))
		{
			known[clause->indexcol] = true;
			one_value[clause->indexcol] |= one;
		}
		position += list_length(clause->indexquals);
	}

	/* Where the UID itself is known there are no ranges to go by */
	if (found->set == NULL || known[found->column])
		return false;
	found->ordered = true;
	for (int i = 0; i < found->column; i++)
	{
		if (!known[i])
			return false;
		found->ordered &= one_value[i];
	}
	return true;
}

/* Does any of them say "uid <@ set"? */
static bool
has_range_clause(const List *conditions)
{
	ListCell   *lc;

	foreach(lc, conditions)
	{
		Expr	   *clause = lfirst_node(RestrictInfo, lc)->clause;

		if (uidset_plan_operand((Node *) clause, NULL) != NULL)
			return true;
	}
	return false;
}

/* --- a path of ours ---------------------------------------------------- */

/*
 * What is read of a set is its share of the scan from min(set) to max(set); and
 * each range is a search of the index, and a page of the table.  Of a set that
 * cannot be known we suppose what the estimator of <@ does, which the planner
 * does of min and max only if they are no columns.
 */
static Cost
cost_of_ranges(PlannerInfo *root, const IndexPath *path,
			   const RangeClause *clause)
{
	Cost		all = path->path.total_cost - path->path.startup_cost;
	Node	   *set = estimate_expression_value(root, clause->set);
	const UidRange *ranges;
	double		width;
	int			n;

	if (!IsA(set, Const))
		return path->path.startup_cost + all *
			Min(1.0, DEFAULT_RANGE_INEQ_SEL /
				clauselist_selectivity(root, clause->bounds,
									   path->path.parent->relid, JOIN_INNER,
									   NULL));
	if (((Const *) set)->constisnull)
		return path->path.startup_cost;
	ranges = uidset_ranges(DatumGetUidSetP(((Const *) set)->constvalue));
	n = uidset_nranges(DatumGetUidSetP(((Const *) set)->constvalue));
	if (n == 0)
		return path->path.startup_cost;
	width = (double) ranges[n - 1].hi - ranges[0].lo + 1;
	return path->path.startup_cost +
		all * uidset_cardinality(ranges, n) / width +
		n * (random_page_cost + 50 * cpu_operator_cost);
}

/* A constant set of one range: the planner's own scan reads just that */
static bool
is_one_range(Node *set)
{
	if (!IsA(set, Const))
		return false;
	return ((Const *) set)->constisnull ||
		uidset_nranges(DatumGetUidSetP(((Const *) set)->constvalue)) < 2;
}

/* NULL where we cannot do better than the path itself */
static CustomPath *
make_path(PlannerInfo *root, IndexPath *scan)
{
	CustomPath *path;
	RangeClause clause;
	bool		descending;

	if (!find_range_clause(scan, &clause) || is_one_range(clause.set))
		return NULL;
	path = makeNode(CustomPath);
	path->path = scan->path;
	path->path.type = T_CustomPath;
	path->path.pathtype = T_CustomScan;
	path->path.total_cost = Min(scan->path.total_cost,
								cost_of_ranges(root, scan, &clause));
	if (!clause.ordered)
		path->path.pathkeys = NIL;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_paths = list_make1(scan);
	descending = scan->indexinfo->reverse_sort[clause.column] !=
		ScanDirectionIsBackward(scan->indexscandir);
	path->custom_private = list_make2_int(clause.position, descending);
	path->methods = &path_methods;
	return path;
}

/*
 * What the index scan returns, for our own expressions to be made of.  The
 * planner takes out of there whatever it finds in them, as a whole or in part.
 * But the set is computed before there is a row: what has nothing of a row in
 * it, as UNION ALL can have the set itself returned, must not be found.
 */
static List *
columns_of(const Plan *scan)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, scan->targetlist)
	{
		TargetEntry *entry = flatCopyTargetEntry(lfirst_node(TargetEntry, lc));
		Node	   *value = (Node *) entry->expr;

		if (!contain_var_clause(value))
			entry->expr = (Expr *) makeNullConst(exprType(value),
												 exprTypmod(value),
												 exprCollation(value));
		result = lappend(result, entry);
	}
	return result;
}

/*
 * The plan of a path.  The index scan checks all conditions, so there are none
 * left for us.  The set is taken out of the path only now, since the planner
 * may have rewritten that for another partition.
 */
static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist,
		  List *clauses, List *custom_plans)
{
	IndexPath  *scan = linitial_node(IndexPath, path->custom_paths);
	CustomScan *plan = makeNode(CustomScan);
	Plan	   *child = linitial(custom_plans);
	RangeClause clause;

	/* What is once true or false is asked above us */
	while (IsA(child, Result) && outerPlan(child) != NULL)
		child = outerPlan(child);
	if (!find_range_clause(scan, &clause))
		elog(ERROR, "index path has lost its set of UIDs");

	plan->scan.plan.targetlist = tlist;
	plan->scan.scanrelid = rel->relid;
	plan->flags = path->flags;
	plan->custom_plans = list_make1(child);
	plan->custom_exprs = list_make1(clause.set);
	plan->custom_private = path->custom_private;
	plan->custom_scan_tlist = columns_of(child);
	plan->methods = &uidset_scan_methods;
	return (Plan *) plan;
}

/* --- the hook ---------------------------------------------------------- */

/* Is it on the UID of a "uid <@ set" among these conditions? */
static bool
index_has_uid(IndexOptInfo *index, const List *conditions)
{
	ListCell   *lc;

	foreach(lc, conditions)
	{
		Node	   *clause = (Node *) lfirst_node(RestrictInfo, lc)->clause;
		Node	   *uid;

		if (uidset_plan_operand(clause, &uid) == NULL)
			continue;
		for (int i = 0; i < index->nkeycolumns; i++)
			if (match_index_to_operand(uid, i, index))
				return true;
	}
	return false;
}

/*
 * The ways that the planner has kept, if no others of that index can be of use:
 * for one table, whose rows may come in any order
 */
static List *
kept_paths(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index)
{
	List	   *result = NIL;
	ListCell   *lc;

	if (root->query_pathkeys != NIL ||
		bms_membership(root->all_baserels) != BMS_SINGLETON)
		return NIL;
	foreach(lc, rel->pathlist)
	{
		RangeClause clause;

		if (IsA(lfirst(lc), IndexPath) &&
			((IndexPath *) lfirst(lc))->indexinfo == index &&
			find_range_clause(lfirst(lc), &clause))
			result = lappend(result, lfirst(lc));
	}
	return result;
}

/*
 * All ways of the planner's to scan one index of a table.  Switched off
 * meanwhile is what would not be a plain scan.
 */
static List *
index_paths(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *index)
{
	List	   *indexes = rel->indexlist;
	List	   *paths = rel->pathlist;
	bool		bitmap = index->amhasgetbitmap;
	bool		parallel = index->amcanparallel;
	List	   *result;

	index->amhasgetbitmap = false;
	index->amcanparallel = false;
	rel->indexlist = list_make1(index);
	rel->pathlist = NIL;
	create_index_paths(root, rel);
	result = rel->pathlist;
	rel->pathlist = paths;
	rel->indexlist = indexes;
	index->amhasgetbitmap = bitmap;
	index->amcanparallel = parallel;
	return result;
}

/* The scan of that index, by the planner, that ours is to take the place of */
static bool
is_replaced(Path *other, const CustomPath *path)
{
	const IndexPath *scan = linitial(path->custom_paths);
	Path	   *inner = other;
	RangeClause clause;

	if (IsA(other, BitmapHeapPath))
		inner = ((BitmapHeapPath *) other)->bitmapqual;
	return IsA(inner, IndexPath) &&
		((IndexPath *) inner)->indexinfo == scan->indexinfo &&
		other->param_info == path->path.param_info &&
		find_range_clause((IndexPath *) inner, &clause);
}

/*
 * Offers a path.  A scan of the index from end to end, which it saves, was good
 * enough so far: so ours costs no more than that.
 */
static void
offer_path(RelOptInfo *rel, CustomPath *path)
{
	ListCell   *lc;

	foreach(lc, rel->pathlist)
	{
		Path	   *other = lfirst(lc);

		if (!is_replaced(other, path))
			continue;
		path->path.total_cost = Min(path->path.total_cost, other->total_cost);
		if (path->path.pathkeys != NIL || other->pathkeys == NIL)
			rel->pathlist = foreach_delete_current(rel->pathlist, lc);
	}
	path->path.startup_cost = Min(path->path.startup_cost,
								  path->path.total_cost);
	add_path(rel, (Path *) path);
}

static void
offer_ranges(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	List	   *offered = NIL;
	ListCell   *lc;

	if (next_pathlist)
		next_pathlist(root, rel, rti, rte);
	if (rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != NULL ||
		IS_DUMMY_REL(rel) || !enable_indexscan ||
		(!has_range_clause(rel->baserestrictinfo) &&
		 !has_range_clause(rel->joininfo)))
		return;
	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst(lc);
		List	   *paths;
		ListCell   *path;

		if (index->relam != BTREE_AM_OID ||
			(!index_has_uid(index, rel->baserestrictinfo) &&
			 !index_has_uid(index, rel->joininfo)))
			continue;
		paths = kept_paths(root, rel, index);
		if (paths == NIL)
			paths = index_paths(root, rel, index);
		foreach(path, paths)
		{
			CustomPath *ours = make_path(root, lfirst_node(IndexPath, path));

			if (ours != NULL)
				offered = lappend(offered, ours);
		}
	}
	foreach(lc, offered)
		offer_path(rel, lfirst(lc));
}

void
uidset_path_init(void)
{
	RegisterCustomScanMethods(&uidset_scan_methods);
	next_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = offer_ranges;
}
