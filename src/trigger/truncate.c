/*-------------------------------------------------------------------------
 *
 * truncate.c
 * 	  TRUNCATE of any of a store's tables.
 *
 * No row trigger fires for these rows, so they are read before they go: see
 * bulk.c.
 *
 * Locks: PostgreSQL holds ACCESS EXCLUSIVE on the table; and see gate.c.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "catalog/pg_inherits.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_trigger_truncate);
PG_FUNCTION_INFO_V1(modseq_trigger_truncate_flag);
PG_FUNCTION_INFO_V1(modseq_trigger_truncate_mailbox);
PG_FUNCTION_INFO_V1(modseq_trigger_truncate_source);

/*
 * What a TRUNCATE takes from a table.  TRUNCATE of a partitioned table fires
 * its triggers and those of each partition; the rows are the partitions'.  One
 * that lacks the trigger is looked after by the table that the statement named.
 */
static void
collect_truncated(TriggerData *data, TableRole role, const char *function)
{
	Relation	rel = data->tg_relation;
	Store	   *store = shape_get(rel, role, data->tg_trigger)->store;
	List	   *partitions;
	ListCell   *lc;

	gate_close_truncate(store);
	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		bulk_leave(store, role, RelationGetRelid(rel));
		return;
	}
	partitions = find_all_inheritors(RelationGetRelid(rel), NoLock, NULL);
	foreach(lc, partitions)
	{
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_PARTITIONED_TABLE &&
			!relation_has_trigger(lfirst_oid(lc), function))
			bulk_leave(store, role, lfirst_oid(lc));
	}
}

/*
 * modseq.trigger_truncate(): BEFORE TRUNCATE of a message table
 *
 * Every message vanishes, when trigger_flush() completes the statement after
 * the TRUNCATE.
 */
Datum
modseq_trigger_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, TRIGGER_TRUNCATES);

	statement_open(STATEMENT_OTHER);
	collect_truncated(data, TABLE_MESSAGE, "trigger_truncate");
	return PointerGetDatum(NULL);
}

/*
 * modseq.trigger_truncate_flag(message): BEFORE TRUNCATE of a flag table
 *
 * Every message that has a flag changes, when trigger_flush() completes the
 * statement after the TRUNCATE.
 */
Datum
modseq_trigger_truncate_flag(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, TRIGGER_TRUNCATES);

	statement_open(STATEMENT_OTHER);
	collect_truncated(data, TABLE_FLAG, "trigger_truncate_flag");
	return PointerGetDatum(NULL);
}

/*
 * modseq.trigger_truncate_mailbox(message): AFTER TRUNCATE of a mailbox table,
 * or of a partition of it
 *
 * What vanished from mailboxes that are gone is forgotten.  trigger_open() came
 * BEFORE: messages truncated with them are to find out that they are gone.
 */
Datum
modseq_trigger_truncate_mailbox(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, TRIGGER_TRUNCATED);
	Store	   *store = shape_get(data->tg_relation, TABLE_MAILBOX,
								  data->tg_trigger)->store;

	source_check_gone(store, NULL);
	mailbox_rows_gone(store);
	notify_gone(store, NULL);
	vanished_clear(store);
	statement_close(STATEMENT_OTHER);
	return PointerGetDatum(NULL);
}

/*
 * modseq.trigger_truncate_source(message): AFTER TRUNCATE of the source, or of
 * a partition of it; rows of mailboxes that are gone go too
 */
Datum
modseq_trigger_truncate_source(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, TRIGGER_TRUNCATED);

	source_clear(shape_get(data->tg_relation, TABLE_SOURCE,
						   data->tg_trigger)->store);
	return PointerGetDatum(NULL);
}
