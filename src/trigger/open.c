/*-------------------------------------------------------------------------
 *
 * open.c
 *	  Triggers that open a statement, and close it.
 *
 * They stand on each table of a store whose rows tell of messages or mailboxes:
 * what they enclose is one statement (ledger/statement.c).
 *
 * Locks: see ledger/complete.c.  Memory: the statement's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

PG_FUNCTION_INFO_V1(modseq_trigger_open);
PG_FUNCTION_INFO_V1(modseq_trigger_flush);

static StatementKind
kind_of(TriggerEvent event)
{
	if (TRIGGER_FIRED_BY_INSERT(event))
		return STATEMENT_INSERT;
	if (TRIGGER_FIRED_BY_UPDATE(event))
		return STATEMENT_UPDATE;
	return TRIGGER_FIRED_BY_DELETE(event) ? STATEMENT_DELETE : STATEMENT_OTHER;
}

/* modseq.trigger_open(): BEFORE STATEMENT; takes no lock, raises no error */
Datum
modseq_trigger_open(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, TRIGGER_OPEN);

	statement_open(kind_of(data->tg_event));
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		bulk_open_truncate(data->tg_relation);
	return PointerGetDatum(NULL);
}

/*
 * modseq.trigger_flush(): AFTER STATEMENT
 *
 * When all that was opened is closed: takes the locks of the mailboxes that
 * changed, ascending, stamps messages, remembers vanished UIDs and writes the
 * counters.
 */
Datum
modseq_trigger_flush(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, TRIGGER_FLUSH);

	statement_close(kind_of(data->tg_event));
	return PointerGetDatum(NULL);
}
