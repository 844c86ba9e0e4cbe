/*-------------------------------------------------------------------------
 *
 * touch.c
 *	  An UPDATE of flags will change mod-sequences, which it does not name.
 *
 * Our trigger does that.  But where SET names no column of an index, PostgreSQL
 * takes the index's new entries for copies of those that are there; so whenever
 * a page is full, it looks for some to remove.  With the mod-sequence that is
 * in vain, as they differ, and dear: a sixth of an UPDATE of 1,000 messages.
 * So the executor is told that the column will change, as it is told of
 * generated columns.
 *
 * That also decides which triggers FOR UPDATE OF columns fire, and how rows are
 * locked; and in 15, what errors show.  Where it would, nothing is told.
 *
 * Locks: none.  Memory: the query's.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "access/sysattr.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/acl.h"
#include "utils/relcache.h"

static bool
contains(const Bitmapset *columns, AttrNumber attnum)
{
	return bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, columns);
}

/* Spares tables of no store the look-ups, and rows that come as they are */
static bool
may_be_stamped(const TriggerDesc *desc)
{
	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
	{
		const Trigger *trigger = &desc->triggers[i];

		if (strcmp(trigger->tgname, "zz_modseq_assign") == 0)
			return trigger->tgenabled == TRIGGER_FIRES_ALWAYS ||
				(trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN &&
				 SessionReplicationRole != SESSION_REPLICATION_ROLE_REPLICA);
	}
	return false;
}

/* Is there a trigger that fires if that column is set? */
static bool
is_waited_for(const TriggerDesc *desc, AttrNumber attnum)
{
	for (int i = 0; i < desc->numtriggers; i++)
		for (int j = 0; j < desc->triggers[i].tgnattr; j++)
			if (desc->triggers[i].tgattr[j] == attnum)
				return true;
	return false;
}

/* A soft delete writes no mod-sequence into the message */
static bool
sets_flags(const RowShape *shape, const Bitmapset *columns)
{
	for (int i = 0; i < shape->nflags; i++)
		if (contains(columns, shape->flags[i].attnum))
			return true;
	return false;
}

/* Is the column part of a key, so that setting it takes a stronger lock? */
static bool
is_key(Relation rel, AttrNumber attnum)
{
	Bitmapset  *keys = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_KEY);
	bool		result = contains(keys, attnum);

	bms_free(keys);
	return result;
}

/*
 * Would an error show the caller a column that he may not read?  In 15 a failed
 * check shows those that the query sets, as it believes now; of a partition,
 * those of the whole table, of which nothing is told.
 */
static bool
would_be_shown(const ResultRelInfo *target, AttrNumber attnum)
{
	Oid			relid = RelationGetRelid(target->ri_RelationDesc);

	return UPDATED_COLUMNS_ARE_SHOWN && target->ri_RootResultRelInfo == NULL &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck(relid, attnum, GetUserId(),
							  ACL_SELECT) != ACLCHECK_OK;
}

static void
start_update(EState *estate, ResultRelInfo *target)
{
	Relation	rel = target->ri_RelationDesc;
	Bitmapset  *columns;
	const RowShape *shape;

	/* An INSERT finds partitions only as it runs: of these nothing is told */
	if (target->ri_RangeTableIndex == 0 ||
		rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		!may_be_stamped(target->ri_TrigDesc))
		return;
	shape = shape_find(rel, TABLE_MESSAGE);
	if (shape == NULL)
		return;
	columns = ExecGetAllUpdatedCols(target, estate);
	if (sets_flags(shape, columns) && !contains(columns, shape->modseq) &&
		!is_waited_for(target->ri_TrigDesc, shape->modseq) &&
		!is_key(rel, shape->modseq) &&
		!would_be_shown(target, shape->modseq))
		result_also_updates(target, estate, shape->modseq -
							FirstLowInvalidHeapAttributeNumber);
}

static void
start_node(EState *estate, PlanState *plan)
{
	ModifyTableState *node = (ModifyTableState *) plan;

	if (!IsA(plan, ModifyTableState) || node->operation == CMD_DELETE)
		return;
	for (int i = 0; i < node->mt_nrels; i++)
		start_update(estate, &node->resultRelInfo[i]);
}

/* touch_start: a query has started; it may have several such parts, in WITH */
void
touch_start(QueryDesc *query)
{
	ListCell   *lc;

	start_node(query->estate, query->planstate);
	foreach(lc, query->estate->es_auxmodifytables)
	{
		if (lfirst(lc) != query->planstate)
			start_node(query->estate, lfirst(lc));
	}
}
