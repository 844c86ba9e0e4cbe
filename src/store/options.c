/*-------------------------------------------------------------------------
 *
 * options.c
 * 	  The configuration that attach() wrote.
 *
 * It is in the arguments of one trigger of the message table, the one that calls
 * modseq.trigger_assign(), as name=value.
 *
 * Locks: none.  Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_trigger_options);

/*
 * store_out_of_date: the configuration does not fit the tables any more
 *
 * detail has a place for name, which it is about.
 */
void
store_out_of_date(Oid message_relid, const char *detail, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("modseq's configuration of table \"%s\" is out of date",
					get_rel_name(message_relid)),
			 errdetail(detail, name),
			 errhint("Call modseq.attach() for this table again.")));
}

/* store_option: the value of "name=value" in the configuration, or NULL */
const char *
store_option(const Store *store, const char *name)
{
	size_t		len = strlen(name);
	ListCell   *lc;

	foreach(lc, store->options)
	{
		const char *option = lfirst(lc);

		if (strncmp(option, name, len) == 0 && option[len] == '=')
			return option + len + 1;
	}
	return NULL;
}

/* store_list_option: one that holds an array of names, as List of strings */
List *
store_list_option(const Store *store, const char *name)
{
	const char *value = store_option(store, name);
	List	   *result = NIL;
	Datum		array;
	Datum	   *elems;
	int			nelems;

	if (value == NULL)
		return NIL;
	array = OidInputFunctionCall(F_ARRAY_IN, unconstify(char *, value),
								 TEXTOID, -1);
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &elems, NULL, &nelems);
	for (int i = 0; i < nelems; i++)
		result = lappend(result, TextDatumGetCString(elems[i]));
	return result;
}

/*
 * modseq.trigger_options(trigger oid) -> text[]
 *
 * The arguments of a trigger, for the view modseq.stores: pg_trigger has them
 * as bytes with a NUL after each, which SQL cannot take apart.  NULL if there
 * is no such trigger.
 */
Datum
modseq_trigger_options(PG_FUNCTION_ARGS)
{
	Oid			trigger = PG_GETARG_OID(0);
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ArrayBuildState *options = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		int			n = ((Form_pg_trigger) GETSTRUCT(tuple))->tgnargs;
		bool		isnull;
		bytea	   *args = DatumGetByteaPP(heap_getattr(tuple,
														Anum_pg_trigger_tgargs,
														RelationGetDescr(rel),
														&isnull));
		const char *arg = VARDATA_ANY(args);

		options = initArrayResult(TEXTOID, CurrentMemoryContext, false);
		for (int i = 0; i < n; i++)
		{
			accumArrayResult(options, CStringGetTextDatum(arg), false, TEXTOID,
							 CurrentMemoryContext);
			arg += strlen(arg) + 1;
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (options == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(makeArrayResult(options, CurrentMemoryContext));
}
