/*-------------------------------------------------------------------------
 *
 * flag.c
 *	  The trigger of flag tables.
 *
 * A flag row that comes, goes or changes is a change of the message that it
 * belongs to.  One that an UPDATE takes to another partition goes and comes:
 * its message is reported, though perhaps no flag of it is another.  Those that
 * open and close the statement are in open.c.
 *
 * Locks: none here; see flagged.c.
 *
 * Memory: Datums and tuples in the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

PG_FUNCTION_INFO_V1(modseq_trigger_collect_flag);

/*
 * The message that a row of the flag table belongs to has changed; did the row
 * come to it?
 */
static void
collect_flag(const RowChange *change, HeapTuple tuple, bool came)
{
	Datum		key[MODSEQ_MAX_KEYS];

	if (change->shape->nmessage_keys > 0)
	{
		if (row_get_message_key(change->shape, tuple, change->desc, key))
			statement_stamp_by_key(change->store, key, came);
	}
	else if (row_get_key(change->shape, tuple, change->desc, key))
		statement_stamp_flagged(change->store, key, trigger_uid(change, tuple));
}

/* Do both versions of a flag row belong to the same message? */
static bool
same_message(const RowChange *change)
{
	Datum		from[MODSEQ_MAX_KEYS];
	Datum		to[MODSEQ_MAX_KEYS];

	if (change->shape->nmessage_keys > 0)
		return row_same_message_key(change->shape, change->old, change->new,
									change->desc);
	return trigger_uid(change, change->old) ==
		trigger_uid(change, change->new) &&
		row_get_key(change->shape, change->old, change->desc, from) &&
		row_get_key(change->shape, change->new, change->desc, to) &&
		(key_equal(change->store, from, to) ||
		 mailbox_follows(change->store, from, to));
}

/*
 * modseq.trigger_collect_flag(message): AFTER INSERT OR UPDATE OR DELETE ROW
 *
 * Notes the message whose flags changed.  Takes no lock.
 */
Datum
modseq_trigger_collect_flag(PG_FUNCTION_ARGS)
{
	RowChange	change = {0};
	TriggerData *data = trigger_row_data(fcinfo, TRIGGER_CHANGED, &change);
	bool		stays;

	change.shape = shape_get(data->tg_relation, TABLE_FLAG, data->tg_trigger);
	change.store = change.shape->store;
	stays = change.old != NULL && change.new != NULL && same_message(&change);
	if (stays &&
		!row_flags_differ(change.shape, change.old, change.new, change.desc,
						  false))
		return PointerGetDatum(NULL);
	if (change.old != NULL)
		collect_flag(&change, change.old, false);
	if (change.new != NULL)
		collect_flag(&change, change.new, !stays);
	return PointerGetDatum(NULL);
}
