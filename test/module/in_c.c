/*-------------------------------------------------------------------------
 *
 * row_limit.c
 *	  For tests: runs SQL by SPI with a row limit, as procedural languages do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(row_limit);

/* row_limit(command text, n bigint): the first column of its last row, as text */
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
