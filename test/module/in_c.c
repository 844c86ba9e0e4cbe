/*-------------------------------------------------------------------------
 *
 * in_c.c
 *	  For tests: what SQL and PL/pgSQL cannot do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(row_limit);
PG_FUNCTION_INFO_V1(updated_columns);

/*
 * row_limit(command text, n bigint): runs SQL by SPI with a row limit, as
 * procedural languages do; the first column of its last row, as text
 */
Datum
row_limit(PG_FUNCTION_ARGS)
{
	char	   *command = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *result = NULL;

	SPI_connect();
	if (SPI_execute(command, false, PG_GETARG_INT64(1)) < 0)
		elog(ERROR, "SPI_execute: %s", SPI_result_code_string(SPI_result));
	if (SPI_processed > 0 && SPI_tuptable != NULL)
		result = SPI_getvalue(SPI_tuptable->vals[SPI_processed - 1],
							  SPI_tuptable->tupdesc, 1);
	if (result != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		result = pstrdup(result);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(result));
}

/*
 * updated_columns(), a trigger FOR EACH ROW: tells by a warning which columns
 * the executor thinks that an UPDATE changes
 */
Datum
updated_columns(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TupleDesc	desc = RelationGetDescr(data->tg_relation);

	for (int i = 0; i < desc->natts; i++)
		if (bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber,
						  data->tg_updatedcols))
			ereport(WARNING,
					(errmsg("%s of %s",
							NameStr(TupleDescAttr(desc, i)->attname),
							RelationGetRelationName(data->tg_relation))));
	return PointerGetDatum(NULL);
}
