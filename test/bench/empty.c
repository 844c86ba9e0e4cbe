/*-------------------------------------------------------------------------
 *
 * empty.c
 *	  A trigger that does nothing: what PostgreSQL itself asks for one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(empty);

/* For BEFORE UPDATE ROW and AFTER DELETE ROW */
Datum
empty(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	return PointerGetDatum(TRIGGER_FIRED_BEFORE(data->tg_event) ?
						   data->tg_newtuple : NULL);
}
