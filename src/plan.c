/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  The SQL that modseq runs: cached plans, and as whom.
 *
 * Locks: those of the statements, see plan_text.c.
 *
 * Memory: plans are saved in the Store and live as long as it does.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static SPIPlanPtr
prepare(Store *store, PlanId id, const char *table)
{
	Oid			params[MODSEQ_MAX_PARAMS];
	char	   *text;
	int			nparams = plan_text(store, id, table, &text, params);
	SPIPlanPtr	plan;

	plan = SPI_prepare_cursor(text, nparams, params, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor returned %s for %s",
			 SPI_result_code_string(SPI_result), text);
	return plan;
}

/* relation_owner: the role that owns a table or sequence */
Oid
relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* The table whose owner a plan runs as */
static Oid
owners_table(const Store *store, PlanId id)
{
	switch (plan_table(id))
	{
		case TABLE_MAILBOX:
			return store->mailbox_relid;
		case TABLE_SOURCE:
			return store->source_relid;
		case TABLE_VANISHED:
			return store->vanished_relid;
		default:
			Assert(plan_table(id) == TABLE_MESSAGE);
			return store->message_relid;
	}
}

/*
 * plan_execute: run a query of ours, whose result is then in SPI_tuptable
 *
 * The caller is connected to SPI.  params are never NULL.  Returns the number
 * of rows.  If the query fails, transaction abort restores user and settings.
 */
uint64
plan_execute(Store *store, PlanId id, Datum *params, PlanMode mode)
{
	bool		as_owner = mode != PLAN_AS_CALLER && mode != PLAN_READ_AS_CALLER;
	bool		read_only = mode != PLAN_AS_OWNER && mode != PLAN_AS_CALLER;
	Oid			user;
	int			security;
	int			result;

	GetUserIdAndSecContext(&user, &security);
	if (as_owner)
		SetUserIdAndSecContext(relation_owner(owners_table(store, id)),
							   security | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_NOFORCE_RLS);
	if (store->plans[id] == NULL)
	{
		store->plans[id] = prepare(store, id, NULL);
		SPI_keepplan(store->plans[id]);
	}
	if (mode == PLAN_READ_COMMITTED)
	{
		/* To a snapshot before the first command nothing is done yet */
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

		snapshot->curcid = FirstCommandId;
		result = SPI_execute_snapshot(store->plans[id], params, NULL, snapshot,
									  InvalidSnapshot, true, false, 0);
		UnregisterSnapshot(snapshot);
	}
	else if (id == PLAN_STAMP_MESSAGE || id == PLAN_STAMP_MESSAGES)
		result = executor_stamp(store, store->plans[id], params);
	else
		result = SPI_execute_plan(store->plans[id], params, NULL, read_only, 0);
	if (as_owner)
		SetUserIdAndSecContext(user, security);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan returned %s",
			 SPI_result_code_string(result));
	return SPI_processed;
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
	SPIPlanPtr	plan;
	Oid			user;
	int			security;
	int			result;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(relation_owner(relid),
						   security | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	plan = prepare(store, id,
				   quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
											  get_rel_name(relid)));
	result = SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
								  InvalidSnapshot, false, true, 0);
	SetUserIdAndSecContext(user, security);
	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot returned %s",
			 SPI_result_code_string(result));
	SPI_freeplan(plan);
	return SPI_processed;
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

	for (int i = 0; i < store->nkeys; i++)
	{
		key[i] = SPI_getbinval(tuple, desc, i + 1, &isnull);
		if (isnull)
			return false;
	}
	value = SPI_getbinval(tuple, desc, store->nkeys + 1, &isnull);
	if (isnull)
		return false;
	*uid = DatumGetInt64(value);
	Assert(desc->natts == store->nkeys + 2);
	*live = DatumGetBool(SPI_getbinval(tuple, desc, store->nkeys + 2, &isnull));
	return true;
}
