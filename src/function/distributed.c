/*-------------------------------------------------------------------------
 *
 * distributed.c
 *	  Calls that name a store which Citus distributes.
 *
 * A mailbox and all that belongs to it are in one shard, on one server.  The
 * call is made there, with the shard's message table in the place of the
 * store, by a query that Citus sends to the shard's server, or runs here if
 * that is this one.  It is part of the caller's transaction, and of his rights.
 * If the shard is here, and nothing is locked, the query is left out; and so it
 * is in what Citus runs at a shard, where it could not be run.
 *
 * Locks: a function that locks a mailbox first takes the lock of Citus that
 * each write takes, on the shard's place, at the server where the transaction
 * runs, until that ends.  Who moves or splits a shard waits for it.  Else it
 * could go in between: what is locked, and judged, at its old place would not
 * be at its new one.
 *
 * Memory: SPI's; results are in the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

/* Where a call goes */
typedef struct Place
{
	int64		shard;			/* of the message table */
	const char *column;			/* by which it is distributed, or NULL */
	const KeyColumn *key;		/* that column in keys */
	Datum		value;			/* of it */
} Place;

/* Which column of keys the store is distributed by; -1 if by none of them */
static int
distributed_by(const Store *store, bool is_account, const char *column)
{
	const StoreTable *table = is_account ? &store->table[TABLE_MAILBOX] :
		store_mailbox_table(store);
	const Column *names = is_account ? table->account : table->key;
	int			n = is_account ? store->naccounts : store->nkeys;

	for (int i = 0; i < n; i++)
		if (names[i].name != NULL && strcmp(names[i].name, column) == 0)
			return i;
	return -1;
}

/* The shard that all of the keys are in; false if there are none */
static bool
find_place(const Store *store, const Mailboxes *keys, bool is_account,
		   Place *place)
{
	Oid			relid = store_mailbox_table(store)->relid;
	Distribution distribution;
	int			by = 0;

	memset(place, 0, sizeof(Place));
	if (table_distribution(relid, &distribution) &&
		distribution.column != InvalidAttrNumber)
	{
		place->column = get_attname(relid, distribution.column, false);
		by = distributed_by(store, is_account, place->column);
		if (by < 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("store %s is not distributed by its %s key",
							store->known_as,
							is_account ? "account" : "mailbox"),
					 errhint("Distribute its tables by a column of that key.")));
		place->key = is_account ? &store->account_key[by] : &store->key[by];
	}
	for (int i = 0; i < keys->n; i++)
	{
		int32		hash = place->key == NULL ? 0 :
			DatumGetInt32(FunctionCall1Coll((FmgrInfo *) &place->key->hash,
											place->key->collation,
											keys->keys[i][by]));
		int64		shard = shard_for_hash(store->message_relid, hash);

		if (i > 0 && shard != place->shard)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("argument \"%s\" names keys of several shards",
							is_account ? "accounts" : "mailboxes"),
					 errhint("Call the function once for each value of column \"%s\".",
							 place->column)));
		place->shard = shard;
		place->value = keys->keys[i][by];
	}
	return keys->n > 0;
}

/*
 * Keeps a shard where it is.  Citus lets the owner do so; who asked us may
 * write, and would take the same lock by that.
 */
static void
hold_shard(const Store *store, int64 shard)
{
	Oid			types[2] = {INT4OID, INT8ARRAYOID};
	Datum		id = Int64GetDatum(shard);
	ArrayType  *ids = construct_array(&id, 1, INT8OID, 8, FLOAT8PASSBYVAL,
									  TYPALIGN_DOUBLE);
	Oid			function;
	Restriction before;

	function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							   CStringGetDatum("lock_shard_metadata"),
							   PointerGetDatum(buildoidvector(types, 2)),
							   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));
	if (!OidIsValid(function))
		elog(ERROR, "function lock_shard_metadata() does not exist");
	restrict_begin(&before, relation_owner(store->message_relid), true);
	OidFunctionCall2(function, Int32GetDatum(ShareLock), PointerGetDatum(ids));
	restrict_end(&before);

	/* It may be elsewhere now, or be another one */
	AcceptInvalidationMessages();
}

static void
append_operator(StringInfo sql, const KeyColumn *key)
{
	Oid			operator = get_opfamily_member(key->opfamily, key->opcintype,
											   key->opcintype,
											   BTEqualStrategyNumber);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(sql, " OPERATOR(%s.%s) ",
					 quote_identifier(get_namespace_name(form->oprnamespace)),
					 NameStr(form->oprname));
	ReleaseSysCache(tuple);
}

/*
 * The query: one row of the shard's server, and the call.  The place of the
 * store is taken by a name that only that server can look up.
 */
static char *
query_at(FunctionCallInfo fcinfo, const Store *store, const Place *place)
{
	StringInfoData sql;
	char	   *message = shard_qualified_name(store->message_relid,
											   place->shard);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT r.* FROM (SELECT pg_catalog.count(*) FROM"
					 " (SELECT FROM %s", store_mailbox_table(store)->name);
	if (place->column != NULL)
	{
		appendStringInfo(&sql, " WHERE %s", quote_identifier(place->column));
		append_operator(&sql, place->key);
		appendStringInfoString(&sql, "$1");
	}
	appendStringInfo(&sql, " LIMIT 1) AS any_row) AS at_shard, LATERAL"
					 " modseq.%s(modseq_internal.table_named(%s)",
					 get_func_name(fcinfo->flinfo->fn_oid),
					 quote_literal_cstr(message));
	for (int i = 1; i < fcinfo->nargs; i++)
		appendStringInfo(&sql, ", $%d", i + 1);
	appendStringInfoString(&sql, ") AS r");
	return sql.data;
}

/* What the query has returned, as the call's result */
static Datum
take_result(FunctionCallInfo fcinfo, MemoryContext caller)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TupleDesc	desc = SPI_tuptable->tupdesc;
	Oid			type;
	TupleDesc	wanted;
	MemoryContext old;
	Datum		result;

	if (fcinfo->flinfo->fn_retset)
	{
		for (uint64 i = 0; i < SPI_processed; i++)
			tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[i]);
		return (Datum) 0;
	}
	if (SPI_processed != 1)
		elog(ERROR, "a call at a shard returned " UINT64_FORMAT " rows",
			 SPI_processed);
	old = MemoryContextSwitchTo(caller);
	if (get_call_result_type(fcinfo, &type, &wanted) == TYPEFUNC_COMPOSITE)
	{
		Datum	   *values = palloc(sizeof(Datum) * desc->natts);
		bool	   *nulls = palloc(sizeof(bool) * desc->natts);

		heap_deform_tuple(SPI_tuptable->vals[0], desc, values, nulls);
		result = HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(wanted),
												   values, nulls));
	}
	else
	{
		int16		typlen;
		bool		typbyval;

		result = SPI_getbinval(SPI_tuptable->vals[0], desc, 1,
							   &fcinfo->isnull);
		get_typlenbyval(type, &typlen, &typbyval);
		if (!fcinfo->isnull)
			result = datumCopy(result, typbyval, typlen);
	}
	MemoryContextSwitchTo(old);
	return result;
}

static bool
is_locked_by_me(Oid relid)
{
	Relation	rel = OidIsValid(relid) ? RelationIdGetRelation(relid) : NULL;
	bool		locked = rel != NULL &&
		CheckRelationLockedByMe(rel, AccessShareLock, true);

	if (rel != NULL)
		RelationClose(rel);
	return locked;
}

/*
 * The message table of what a shard has left here when it moved, if the
 * statement reads that; else InvalidOid
 *
 * Citus runs a statement where the shard was when it was planned.  What it
 * reads of these tables, and has locked, is as of then, and so must be what the
 * call answers: else a client would take old rows for what a later mod-sequence
 * says.  Nor would Citus let it ask elsewhere.
 */
static Oid
find_left_here(const Store *store, int64 shard)
{
	Oid			left = table_named(shard_qualified_name(store->message_relid,
														shard));

	if (!OidIsValid(left))
		return InvalidOid;
	for (TableRole role = 0; role < TABLE_ROLES; role++)
		if (store->table[role].name != NULL &&
			is_locked_by_me(table_beside(left, store->table[role].name)))
			return left;
	return InvalidOid;
}

/*
 * distributed_call: makes a call where its mailbox or account is, if the store
 * is distributed
 *
 * False if it is not; or if its shard is the store now, in the first argument.
 * Then the call is to be made here.  Errors: 0A000 if the keys are in
 * several shards, or do not tell in which; and those of the call.
 */
bool
distributed_call(FunctionCallInfo fcinfo, CallKind kind, Datum *result)
{
	Oid			funcid = fcinfo->flinfo->fn_oid;
	bool		is_account = (kind & CALL_OF_ACCOUNT) != 0;
	MemoryContext caller = CurrentMemoryContext;
	Store	   *store;
	Mailboxes	keys;
	Place		place;
	Oid		   *types;
	Datum	   *values;
	char	   *nulls;
	char	   *sql;
	int			nargs;

	if (PG_ARGISNULL(0))
		return false;
	store = store_get(PG_GETARG_OID(0));
	if (!store->distributed)
		return false;
	keys = is_account ? argument_accounts(fcinfo, store) :
		argument_mailboxes(fcinfo, store);
	if (!find_place(store, &keys, is_account, &place))
		return false;
	if (kind & CALL_LOCKS)
	{
		argument_check_may_write(store);
		hold_shard(store, place.shard);
		store = store_get(PG_GETARG_OID(0));
		find_place(store, &keys, is_account, &place);
	}

	/*
	 * What is locked here by a session of Citus is Citus's business.  Else it
	 * must know that the transaction has been at a shard here: or it would
	 * come by another session, which waits for ours.
	 */
	if ((kind & CALL_LOCKS) == 0 || session_of_citus())
	{
		Oid			here = shard_here(store->message_relid, place.shard);

		/* What is locked, or written, must be at its place */
		if (!OidIsValid(here) && (kind & CALL_LOCKS) == 0 && session_of_citus())
			here = find_left_here(store, place.shard);
		if (OidIsValid(here))
		{
			fcinfo->args[0].value = ObjectIdGetDatum(here);
			return false;
		}
	}

	get_func_signature(funcid, &types, &nargs);
	values = palloc(sizeof(Datum) * nargs);
	nulls = palloc(sizeof(char) * nargs);
	for (int i = 0; i < nargs; i++)
	{
		values[i] = fcinfo->args[i].value;
		nulls[i] = fcinfo->args[i].isnull ? 'n' : ' ';
	}

	/* In the place of the store */
	if (place.column != NULL)
	{
		types[0] = place.key->type;
		values[0] = place.value;
	}
	if (fcinfo->flinfo->fn_retset)
		InitMaterializedSRF(fcinfo, 0);
	sql = query_at(fcinfo, store, &place);
	SPI_connect();
	if (SPI_execute_with_args(sql, nargs, types, values, nulls,
							  func_volatile(funcid) != PROVOLATILE_VOLATILE,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "SPI could not run %s", sql);
	*result = take_result(fcinfo, caller);
	SPI_finish();
	return true;
}
