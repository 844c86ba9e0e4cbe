/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between PostgreSQL 15 and 19, and nowhere else.
 *
 * Where an interface changed, the newer one is spelled here for the older
 * servers, so that the code reads as for the newest.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_COMPAT_H
#define MODSEQ_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"	/* soft errors */
#include "varatt.h"				/* was part of postgres.h */
#else
/* No soft errors before 16: all errors are thrown */
#define ereturn(context, dummy_value, ...) \
	do { \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#endif

/* 18 has more headers for EXPLAIN */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#else
#include "commands/explain.h"
#endif

/* 16 gave this a context for soft errors, which we never use */
#if PG_VERSION_NUM >= 160000
#define range_serialize_compat(typcache, lower, upper, empty) \
	range_serialize(typcache, lower, upper, empty, NULL)
#else
#define range_serialize_compat(typcache, lower, upper, empty) \
	range_serialize(typcache, lower, upper, empty)
#endif

/* 15 has a function for what was a variable before; it is not for standbys */
#define current_timeline() GetWALInsertionTimeLine()

/* New in 18: a foreign key that is not checked */
#if PG_VERSION_NUM >= 180000
#define foreign_key_is_enforced(reference) ((reference)->conenforced)
#else
#define foreign_key_is_enforced(reference) true
#endif

/* 18 counts what a scan of an index reads; 19 lets scans have flags */
#if PG_VERSION_NUM >= 190000
#define index_beginscan_compat(rel, index, snapshot, nkeys) \
	index_beginscan(rel, index, snapshot, NULL, nkeys, 0, 0)
#define table_beginscan_compat(rel, snapshot, nkeys, key) \
	table_beginscan(rel, snapshot, nkeys, key, 0)
#else
#if PG_VERSION_NUM >= 180000
#define index_beginscan_compat(rel, index, snapshot, nkeys) \
	index_beginscan(rel, index, snapshot, NULL, nkeys, 0)
#else
#define index_beginscan_compat(rel, index, snapshot, nkeys) \
	index_beginscan(rel, index, snapshot, nkeys, 0)
#endif
#define table_beginscan_compat(rel, snapshot, nkeys, key) \
	table_beginscan(rel, snapshot, nkeys, key)
#endif

/* 18 puts it before the declaration, as C11 does */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* New in 18: no column of an older server is of that kind */
#if PG_VERSION_NUM < 180000
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/* 16 has one function for objects of all kinds; we ask it about schemas */
#if PG_VERSION_NUM < 160000
#define object_ownercheck(classid, objectid, roleid) \
	pg_namespace_ownercheck(objectid, roleid)
#define object_aclcheck(classid, objectid, roleid, mode) \
	pg_namespace_aclcheck(objectid, roleid, mode)
#endif

/* 16 has another name for where a table's rows are */
#if PG_VERSION_NUM < 160000
#define rd_firstRelfilelocatorSubid rd_firstRelfilenodeSubid
#endif

/* 16 tells of summarizing indexes which need an entry; 19 adds options */
#if PG_VERSION_NUM < 160000
#define TU_UpdateIndexes bool
#define TU_None false
#endif
#if PG_VERSION_NUM >= 190000
#define table_tuple_update_compat(rel, tid, slot, cid, ...) \
	table_tuple_update(rel, tid, slot, cid, 0, __VA_ARGS__)
#else
#define table_tuple_update_compat(rel, tid, slot, cid, ...) \
	table_tuple_update(rel, tid, slot, cid, __VA_ARGS__)
#endif

/* 19 tells the planner for which EXPLAIN it works */
#if PG_VERSION_NUM >= 190000
#define PLANNER_PARAMS_COMPAT , struct ExplainState *es
#define PLANNER_ARGS_COMPAT , es
#else
#define PLANNER_PARAMS_COMPAT
#define PLANNER_ARGS_COMPAT
#endif

/* 19 has another hook for what the planner knows of a table's indexes */
#if PG_VERSION_NUM >= 190000
#define relation_hook build_simple_rel_hook
#define relation_hook_type build_simple_rel_hook_type
#define RELATION_HOOK_PARAMS \
	PlannerInfo *root, RelOptInfo *rel, RangeTblEntry *rte
#define RELATION_HOOK_ARGS root, rel, rte
#define RELATION_HOOK_IS_TABLE (rte->rtekind == RTE_RELATION)
#define RELATION_HOOK_RELID (rte->relid)
#else
#define relation_hook get_relation_info_hook
#define relation_hook_type get_relation_info_hook_type
#define RELATION_HOOK_PARAMS \
	PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel
#define RELATION_HOOK_ARGS root, relid, inhparent, rel
#define RELATION_HOOK_IS_TABLE true
#define RELATION_HOOK_RELID relid
#endif

/* 17 has another name for a search_path that was in force */
#if PG_VERSION_NUM < 170000
#define SearchPathMatcher				OverrideSearchPath
#define CopySearchPathMatcher			CopyOverrideSearchPath
#define SearchPathMatchesCurrentEnvironment OverrideSearchPathMatchesCurrent
#endif

/*
 * The executor is to think that a column of a target is updated.  16 keeps
 * what is besides those that the plan names; in 15 it gets a copy of that, and
 * errors show these columns.
 */
#if PG_VERSION_NUM >= 160000
#define UPDATED_COLUMNS_ARE_SHOWN false
#define result_also_updates(target, estate, column) \
	do { \
		MemoryContext before = \
			MemoryContextSwitchTo((estate)->es_query_cxt); \
		(void) ExecGetExtraUpdatedCols(target, estate); \
		(target)->ri_extraUpdatedCols = \
			bms_add_member((target)->ri_extraUpdatedCols, column); \
		MemoryContextSwitchTo(before); \
	} while (0)
#else
#define UPDATED_COLUMNS_ARE_SHOWN true
#define result_also_updates(target, estate, column) \
	do { \
		MemoryContext before = \
			MemoryContextSwitchTo((estate)->es_query_cxt); \
		RangeTblEntry *entry = makeNode(RangeTblEntry); \
		*entry = *exec_rt_fetch((target)->ri_RangeTableIndex, estate); \
		entry->updatedCols = \
			bms_add_member(bms_copy(entry->updatedCols), column); \
		(estate)->es_range_table = list_copy((estate)->es_range_table); \
		lfirst(list_nth_cell((estate)->es_range_table, \
							 (target)->ri_RangeTableIndex - 1)) = entry; \
		MemoryContextSwitchTo(before); \
	} while (0)
#endif

/* 18 runs a query whole or in parts without being told before */
#if PG_VERSION_NUM >= 180000
#define ExecutorRun_compat(query, direction, count) \
	ExecutorRun(query, direction, count)
#else
#define ExecutorRun_compat(query, direction, count) \
	ExecutorRun(query, direction, count, true)
#endif

/* 17 renamed what is shared about transactions */
#if PG_VERSION_NUM < 170000
#define TransamVariables ShmemVariableCache
#endif

#endif							/* MODSEQ_COMPAT_H */
