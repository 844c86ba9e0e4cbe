/*-------------------------------------------------------------------------
 *
 * uidset_plan.c
 *	  What the planner wants to know about uidsets: how to use a B-tree index
 *	  for "uid <@ set", how many rows that finds, and how many come out of
 *	  unnest() and ranges().
 *
 * The idea behind the first two is that "uid <@ set" implies
 *		uid >= min(set) AND uid <= max(set)
 * which a B-tree on (mailbox, uid) can answer whenever the set is known before
 * the scan starts.  min and max of the empty set are NULL, to which nothing
 * compares: the scan then ends before it begins, as it should.
 * What lies between the ranges is passed over by uidset_path.c.
 *
 * Locks: none.  Memory: the planner's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "compat.h"
#include "type/uidset_scan.h"

static List *bounding_clauses(PlannerInfo *root, Node *uid, Node *set);
static Expr *bounding_clause(PlannerInfo *root, Node *uid, int strategy,
							 const char *bound, Node *set);
static bool is_uid(Node *node);


/*
 * Planner support for <@ and @> between a UID and a set.
 */
PG_FUNCTION_INFO_V1(modseq_uidset_contains_support);
Datum
modseq_uidset_contains_support(PG_FUNCTION_ARGS)
{
	Node	   *rawreq = (Node *) PG_GETARG_POINTER(0);
	SupportRequestIndexCondition *req;
	List	   *args;
	Node	   *uid;
	Node	   *set;

	if (!IsA(rawreq, SupportRequestIndexCondition))
		PG_RETURN_POINTER(NULL);
	req = (SupportRequestIndexCondition *) rawreq;

	if (is_opclause(req->node))
		args = ((OpExpr *) req->node)->args;
	else if (is_funcclause(req->node))
		args = ((FuncExpr *) req->node)->args;
	else
		PG_RETURN_POINTER(NULL);

	Assert(list_length(args) == 2);
	uid = (Node *) list_nth(args, req->indexarg);
	set = (Node *) list_nth(args, 1 - req->indexarg);

	/*
	 * Insist on the usual order of integers: in another operator family the
	 * same operators may have other meanings.  The index may also be on the
	 * set.
	 */
	if (req->opfamily != INTEGER_BTREE_FAM_OID || !is_uid(uid) ||
		!is_pseudo_constant_for_index(req->root, set, req->index))
		PG_RETURN_POINTER(NULL);

	/* What is between the bounds but not in the set is sorted out later */
	req->lossy = true;
	PG_RETURN_POINTER(bounding_clauses(req->root, uid, set));
}

/*
 * uidset_plan_operand: of a clause with that support function, the set, and the
 * UID if that is wanted.  An operator is looked up by its function, which has
 * many names.
 */
Node *
uidset_plan_operand(Node *clause, Node **uid)
{
	Oid			function;
	List	   *args;
	Oid			support;
	FmgrInfo	finfo;
	bool		uid_first;

	if (is_opclause(clause))
	{
		set_opfuncid((OpExpr *) clause);
		function = ((OpExpr *) clause)->opfuncid;
		args = ((OpExpr *) clause)->args;
	}
	else if (is_funcclause(clause))
	{
		function = ((FuncExpr *) clause)->funcid;
		args = ((FuncExpr *) clause)->args;
	}
	else
		return NULL;

	if (list_length(args) != 2)
		return NULL;
	support = get_func_support(function);
	if (!OidIsValid(support))
		return NULL;
	fmgr_info(support, &finfo);
	if (finfo.fn_addr != modseq_uidset_contains_support)
		return NULL;
	uid_first = is_uid(linitial(args));
	if (uid != NULL)
		*uid = uid_first ? linitial(args) : lsecond(args);
	return uid_first ? lsecond(args) : linitial(args);
}

/*
 * Restriction estimator for the same operators: the rows between the bounds,
 * times the share of that interval which is in the set, if we know the set.
 * Else it is supposed to be small, also where it is another table's.
 */
PG_FUNCTION_INFO_V1(modseq_uidset_contains_sel);
Datum
modseq_uidset_contains_sel(PG_FUNCTION_ARGS)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	List	   *args = (List *) PG_GETARG_POINTER(2);
	int			varRelid = PG_GETARG_INT32(3);
	Node	   *uid = (Node *) linitial(args);
	Node	   *set = (Node *) lsecond(args);
	double		share = 1.0;
	Selectivity selectivity;

	if (!is_uid(uid))
	{
		uid = (Node *) lsecond(args);
		set = (Node *) linitial(args);
	}

	set = estimate_expression_value(root, set);
	if (IsA(set, Const))
	{
		UidSet	   *value;
		const UidRange *ranges;
		int			n;

		if (((Const *) set)->constisnull)
			PG_RETURN_FLOAT8(0.0);

		value = DatumGetUidSetP(((Const *) set)->constvalue);
		ranges = uidset_ranges(value);
		n = uidset_nranges(value);
		if (n == 0)
			PG_RETURN_FLOAT8(0.0);

		share = (double) uidset_cardinality(ranges, n) /
			((double) ranges[n - 1].hi - ranges[0].lo + 1);
	}
	else if (contain_var_clause(uid))
		PG_RETURN_FLOAT8(DEFAULT_RANGE_INEQ_SEL);

	selectivity = share *
		clauselist_selectivity(root,
							   bounding_clauses(root, uid, set),
							   varRelid, JOIN_INNER, NULL);

	CLAMP_PROBABILITY(selectivity);
	PG_RETURN_FLOAT8(selectivity);
}

/*
 * Planner support for unnest() and ranges(): the number of rows.
 */
PG_FUNCTION_INFO_V1(modseq_uidset_unnest_support);
PG_FUNCTION_INFO_V1(modseq_uidset_ranges_support);

/* The set if the planner can know it, else NULL */
static UidSet *
known_argument(SupportRequestRows *req)
{
	Node	   *set;

	if (!is_funcclause(req->node))
		return NULL;

	set = estimate_expression_value(req->root,
									linitial(((FuncExpr *) req->node)->args));
	if (!IsA(set, Const) || ((Const *) set)->constisnull)
		return NULL;

	return DatumGetUidSetP(((Const *) set)->constvalue);
}

Datum
modseq_uidset_unnest_support(PG_FUNCTION_ARGS)
{
	SupportRequestRows *req = (SupportRequestRows *) PG_GETARG_POINTER(0);
	UidSet	   *set;

	if (!IsA(req, SupportRequestRows) || (set = known_argument(req)) == NULL)
		PG_RETURN_POINTER(NULL);

	req->rows = uidset_cardinality(uidset_ranges(set), uidset_nranges(set));
	PG_RETURN_POINTER(req);
}

Datum
modseq_uidset_ranges_support(PG_FUNCTION_ARGS)
{
	SupportRequestRows *req = (SupportRequestRows *) PG_GETARG_POINTER(0);
	UidSet	   *set;

	if (!IsA(req, SupportRequestRows) || (set = known_argument(req)) == NULL)
		PG_RETURN_POINTER(NULL);

	req->rows = uidset_nranges(set);
	PG_RETURN_POINTER(req);
}

/* Of the two operands of <@ or @>, the UID is the one that is an integer */
static bool
is_uid(Node *node)
{
	Oid			type = exprType(node);

	return type == INT8OID || type == INT4OID;
}

/*
 * uid >= min(set), uid <= max(set); NIL if we cannot say it.
 */
static List *
bounding_clauses(PlannerInfo *root, Node *uid, Node *set)
{
	Expr	   *lower = bounding_clause(root, uid, BTGreaterEqualStrategyNumber,
										"min", set);
	Expr	   *upper = bounding_clause(root, uid, BTLessEqualStrategyNumber,
										"max", set);

	if (lower == NULL || upper == NULL)
		return NIL;

	return list_make2(lower, upper);
}

/* min or max of a set that is known */
static Node *
known_bound(const Const *set, int strategy)
{
	int64		bound = 0;
	int			n = 0;

	if (!set->constisnull)
	{
		UidSet	   *value = DatumGetUidSetP(set->constvalue);
		const UidRange *ranges = uidset_ranges(value);

		n = uidset_nranges(value);
		if (n > 0)
			bound = strategy == BTGreaterEqualStrategyNumber ?
				ranges[0].lo : ranges[n - 1].hi;
	}
	return (Node *) makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
							  Int64GetDatum(bound), n == 0, FLOAT8PASSBYVAL);
}

/*
 * One of them: bound is the name of our function that gives the other side.
 * Planning a query costs more than to read two UIDs, so a constant is computed
 * here and now, without the function.
 *
 * The function is looked up where the type is, and as such rather than as SQL
 * would do it, so that neither search_path nor rights on the schema matter.
 */
static Expr *
bounding_clause(PlannerInfo *root, Node *uid, int strategy, const char *bound,
				Node *set)
{
	Oid			settype = exprType(set);
	Oid			namespace;
	Oid			operator;
	Oid			function;
	Node	   *value;

	/* For int4 columns the operator that compares int4 with int8 */
	operator = get_opfamily_member(INTEGER_BTREE_FAM_OID,
								   exprType(uid), INT8OID, strategy);
	if (!OidIsValid(operator))
		return NULL;
	if (IsA(set, Const))
		value = known_bound((Const *) set, strategy);
	else
	{
		namespace = GetSysCacheOid1(TYPEOID, Anum_pg_type_typnamespace,
									ObjectIdGetDatum(settype));
		function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
								   CStringGetDatum(bound),
								   PointerGetDatum(buildoidvector(&settype, 1)),
								   ObjectIdGetDatum(namespace));
		if (!OidIsValid(function))
			return NULL;
		value = (Node *) makeFuncExpr(function, INT8OID, list_make1(set),
									  InvalidOid, InvalidOid,
									  COERCE_EXPLICIT_CALL);
		value = eval_const_expressions(root, value);
	}
	return make_opclause(operator, BOOLOID, false, (Expr *) uid,
						 (Expr *) value, InvalidOid, InvalidOid);
}
