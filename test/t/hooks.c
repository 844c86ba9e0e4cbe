/*-------------------------------------------------------------------------
 *
 * hooks.c
 *	  A library with the hooks that modseq has too, which count their calls.
 *
 * 007_neighbours.pl loads it before modseq, and after.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "utils/builtins.h"

#include "compat.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(hooks_calls);

void		_PG_init(void);

static planner_hook_type next_planner;
static set_rel_pathlist_hook_type next_pathlist;
static ExecutorStart_hook_type next_start;
static ExecutorFinish_hook_type next_finish;

static int	planned;
static int	paths;
static int	started;
static int	finished;

static PlannedStmt *
count_planned(Query *parse, const char *text, int options,
			  ParamListInfo params PLANNER_PARAMS_COMPAT)
{
	planned++;
	if (next_planner)
		return next_planner(parse, text, options, params PLANNER_ARGS_COMPAT);
	return standard_planner(parse, text, options, params PLANNER_ARGS_COMPAT);
}

static void
count_paths(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	paths++;
	if (next_pathlist)
		next_pathlist(root, rel, rti, rte);
}

static void
count_started(QueryDesc *query, int eflags)
{
	started++;
	if (next_start)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

static void
count_finished(QueryDesc *query)
{
	finished++;
	if (next_finish)
		next_finish(query);
	else
		standard_ExecutorFinish(query);
}

/* hooks_calls() -> text: how often each was called since it was asked last */
Datum
hooks_calls(PG_FUNCTION_ARGS)
{
	char	   *calls = psprintf("planner %d, paths %d, executor %d and %d",
								 planned, paths, started, finished);

	planned = paths = started = finished = 0;
	PG_RETURN_TEXT_P(cstring_to_text(calls));
}

void
_PG_init(void)
{
	next_planner = planner_hook;
	planner_hook = count_planned;
	next_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = count_paths;
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = count_started;
	next_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = count_finished;
}
