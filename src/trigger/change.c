/*-------------------------------------------------------------------------
 *
 * change.c
 * 	  What a row trigger was fired for.
 *
 * Locks: none.  Memory: the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "catalog/pg_type.h"

/* trigger_data: the trigger's data; an error if this is no call as a trigger */
TriggerData *
trigger_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("modseq's trigger functions can only be called as triggers"),
				 errhint("modseq.attach() creates the triggers.")));
	return (TriggerData *) fcinfo->context;
}

/* trigger_row_data: the same for a row trigger; fills in what changed */
TriggerData *
trigger_row_data(FunctionCallInfo fcinfo, RowChange *change)
{
	TriggerData *data = trigger_data(fcinfo);

	if (!TRIGGER_FIRED_FOR_ROW(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" must be fired for each row",
						data->tg_trigger->tgname)));
	change->rel = data->tg_relation;
	change->desc = RelationGetDescr(data->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		change->new = data->tg_trigtuple;
	else
	{
		change->old = data->tg_trigtuple;
		if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		{
			change->new = data->tg_newtuple;
			change->may_cross = change->rel->rd_rel->relispartition;
		}
	}
	return data;
}

/* trigger_uid: the UID in a row; 0 stands for NULL, which is no UID */
int64
trigger_uid(const RowChange *change, HeapTuple tuple)
{
	int64		uid = 0;

	row_get_int64(tuple, change->desc, change->shape->uid,
				  change->shape->uid_type, &uid);
	return uid;
}
