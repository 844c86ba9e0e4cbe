/*-------------------------------------------------------------------------
 *
 * planner.c
 *	  Plans that stay on the indexes that attach() made for them.
 *
 * What one of our queries costs must follow what it finds, not how large the
 * mailbox is, whatever the statistics say; and rows are locked in the order in
 * which the index has them.
 *
 * Locks: none.  Memory: plans belong to the Store, or to who calls plan_scan().
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "jit/jit.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

static set_rel_pathlist_hook_type next_hook;
static bool by_range = false;	/* is a plan made that goes by ranges? */

/*
 * Each range is to be looked up in the index on (mailbox, UID).  Where the
 * planner takes mailboxes for small, it would rather read the whole mailbox
 * and compare each message with each range, which is quadratic if it is wrong.
 * So make all paths to the messages dear but those that a range leads to.
 */
static void
look_up_ranges(PlannerInfo *root, RelOptInfo *rel, Index rti,
			   RangeTblEntry *rte)
{
	ListCell   *lc;

	if (next_hook)
		next_hook(root, rel, rti, rte);
	if (!by_range || rte->rtekind != RTE_RELATION)
		return;
	foreach(lc, rel->pathlist)
	{
		Path	   *path = lfirst(lc);

		if (path->param_info == NULL)
			path->total_cost += 1.0e10; /* as a disabled one has */
	}
}

/*
 * What the planner may use besides index scans and nested loops; and JIT, which
 * a plan that looks dear, as one with a step that is off does, would pay for
 * each time.  Settings by name would take longer to change than a short query
 * takes to run.
 */
static bool *const settings[] = {
	&enable_bitmapscan, &enable_hashjoin, &enable_material,
	&enable_mergejoin, &enable_seqscan, &enable_sort, &jit_enabled
};

/*
 * planner_prepare: has the plan made, if there is none that is valid, from
 * index scans and nested loops only, if it is one that needs it
 *
 * The settings are ours for that moment: the application's triggers, which
 * fire when it runs, plan with their own.
 */
void
planner_prepare(SPIPlanPtr plan, PlanId id)
{
	bool		saved[lengthof(settings)];
	bool		saved_by_range = by_range;
	CachedPlan *cached;

	if (plan_access(id) == ACCESS_ANY)
		return;
	for (size_t i = 0; i < lengthof(settings); i++)
	{
		saved[i] = *settings[i];
		*settings[i] = false;
	}
	by_range = plan_access(id) == ACCESS_RANGES;
	PG_TRY();
	{
		cached = SPI_plan_get_cached_plan(plan);
		if (cached != NULL)
			ReleaseCachedPlan(cached, id < PLAN_COUNT ? CurrentResourceOwner : NULL);
	}
	PG_FINALLY();
	{
		for (size_t i = 0; i < lengthof(settings); i++)
			*settings[i] = saved[i];
		by_range = saved_by_range;
	}
	PG_END_TRY();
}

void
planner_init(void)
{
	next_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = look_up_ranges;
}
