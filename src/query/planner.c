/*-------------------------------------------------------------------------
 *
 * planner.c
 *	  Plans that stay on the indexes that attach() made for them.
 *
 * What one of our queries costs must follow what it finds, not how large the
 * mailbox is, whatever the statistics say; and rows are locked in the order in
 * which the index has them.
 *
 * PostgreSQL plans a query again whenever it sees fit, so this is done in hooks
 * of the planner.  They know our query by the address of its text, which is set
 * while it runs.  To all other queries they do nothing, so they can stay: a
 * hook that is taken away could take along another that was put on top of it.
 *
 * Locks: none.  Memory: plans belong to the Store, or to who calls plan_scan().
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "jit/jit.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/plancat.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"

static planner_hook_type next_planner;

static set_rel_pathlist_hook_type next_pathlist;

static relation_hook_type next_relation;

/* The query of ours that runs, the innermost; NULL: none does */
PlanRun    *plan_running = NULL;

/*
 * What the planner may use besides index scans and nested loops.  Settings by
 * name would take longer to change than a short query takes to plan.
 */
static bool *const settings[] = {
	&enable_bitmapscan, &enable_hashjoin, &enable_material,
	&enable_mergejoin, &enable_seqscan, &enable_sort
};

/* Are they off now, for a query of ours? */
static bool restricted = false;

/* Then what they are for all others */
static bool saved_settings[lengthof(settings)];

/* plan_is_running: is this the text of the query of ours that runs? */
bool
plan_is_running(const char *text)
{
	return plan_running != NULL && plan_running->text == text;
}

/* Turns the settings off, or back to what they are for others */
static void
restrict_planner(bool on)
{
	if (on == restricted)
		return;
	for (size_t i = 0; i < lengthof(settings); i++)
	{
		if (on)
			saved_settings[i] = *settings[i];
		*settings[i] = on ? false : saved_settings[i];
	}
	restricted = on;
}

/*
 * Each range is to be looked up in the index on (mailbox, UID).  Where the
 * planner takes mailboxes for small, it would rather read the whole mailbox
 * and compare each message with each range, which is quadratic if it is wrong.
 * So make all paths to the messages dear but those that a range leads to; or a
 * key, of several columns, where these are in rows.
 */
static void
look_up_ranges(PlannerInfo *root, RelOptInfo *rel, Index rti,
			   RangeTblEntry *rte)
{
	ListCell   *lc;

	if (next_pathlist)
		next_pathlist(root, rel, rti, rte);
	if (!restricted || plan_access(plan_running->id) == ACCESS_INDEX ||
		rte->rtekind != RTE_RELATION)
		return;
	foreach(lc, rel->pathlist)
	{
		Path	   *path = lfirst(lc);

		if (path->param_info == NULL)
			path->total_cost += 1.0e10; /* as a disabled one has */
	}
}

/*
 * A message is to be looked up by all columns of its key.  An index on some of
 * them looks as good to the planner where its statistics say that these tell
 * messages apart; but it reads, and in some isolation levels locks, many if
 * they do not.  So the planner sees only those indexes that have them all.
 */
static void
look_up_keys(Oid relid, RelOptInfo *rel)
{
	List	   *names = column_names(&plan_running->store->message_key);
	List	   *indexes = NIL;
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst(lc);

		if (index_finds(relid, index->indexoid, names))
			indexes = lappend(indexes, index);
	}
	if (indexes != NIL)
		rel->indexlist = indexes;
}

static void
see_relation(RELATION_HOOK_PARAMS)
{
	if (next_relation)
		next_relation(RELATION_HOOK_ARGS);
	if (restricted && plan_access(plan_running->id) == ACCESS_KEY &&
		RELATION_HOOK_IS_TABLE)
		look_up_keys(RELATION_HOOK_RELID, rel);
}

/*
 * Must a query of ours have a plan of its own?  Without an index on messages'
 * keys, which somebody dropped, PostgreSQL finds the best.
 */
static bool
is_restricted(const PlanRun *run)
{
	PlanAccess	access = plan_access(run->id);

	return access == ACCESS_KEY ? run->store->message_key_indexed :
		access != ACCESS_ANY;
}

static PlannedStmt *
plan_next(Query *parse, const char *text, int options,
		  ParamListInfo params PLANNER_PARAMS_COMPAT)
{
	if (next_planner)
		return next_planner(parse, text, options, params PLANNER_ARGS_COMPAT);
	return standard_planner(parse, text, options, params PLANNER_ARGS_COMPAT);
}

/*
 * As planner().  Our query gets a plan from index scans and nested loops only.
 *
 * While it is planned, policies, and functions in indexes and checks, may have
 * queries of their own planned: these get the settings of the application.
 */
static PlannedStmt *
plan_query(Query *parse, const char *text, int options,
		   ParamListInfo params PLANNER_PARAMS_COMPAT)
{
	bool		ours = plan_is_running(text) && is_restricted(plan_running);
	bool		before = restricted;
	PlannedStmt *volatile result = NULL;

	if (!ours && !restricted)
		return plan_next(parse, text, options, params PLANNER_ARGS_COMPAT);
	restrict_planner(ours);
	PG_TRY();
	{
		result = plan_next(parse, text, options, params PLANNER_ARGS_COMPAT);
	}
	PG_FINALLY();
	{
		restrict_planner(before);
	}
	PG_END_TRY();

	/* One that looks dear, for a step of it is off, would pay for JIT */
	if (ours)
		result->jitFlags = PGJIT_NONE;
	return result;
}

void
planner_init(void)
{
	next_planner = planner_hook;
	planner_hook = plan_query;
	next_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = look_up_ranges;
	next_relation = relation_hook;
	relation_hook = see_relation;
}
