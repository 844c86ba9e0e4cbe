/*-------------------------------------------------------------------------
 *
 * count.c
 * 	  counts(): how many messages mailboxes have.
 *
 * Locks: none.  All that one call answers is from the snapshot of the statement
 * that calls it.  Whoever may see a mailbox may see its counts, as status() has
 * it for the other numbers.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "funcapi.h"
#include "utils/tuplestore.h"

CALLED_AT_SHARD(counts, CALL_OF_MAILBOX);

static void
check_counted(const Store *store)
{
	if (!store->has_counts)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("messages of store %s are not counted",
						store->table[TABLE_MESSAGE].name),
				 errhint("Call modseq.attach() with mailbox_messages, or another count that is to be kept.")));
}

/*
 * modseq.counts(store, mailbox) -> (messages, size, unseen, deleted)
 * modseq.counts(store, mailboxes[]) -> the same, after a column mailbox
 *
 * What is not counted is NULL.  In an array, mailboxes that do not exist or may
 * not be seen have no row; a single one is error 42704.
 */
static Datum
counts_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Mailboxes	mailboxes = argument_mailboxes(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Status	   *statuses = palloc(sizeof(Status) * Max(mailboxes.n, 1));
	Datum		params[MODSEQ_MAX_KEYS];
	uint64		rows;

	check_counted(store);
	InitMaterializedSRF(fcinfo, 0);
	status_read(store, &mailboxes, PLAN_READ_AS_CALLER, statuses);
	if (!mailboxes.many && !statuses[0].found)
		status_no_mailbox(store, mailboxes.keys[0]);
	status_key_arrays(store, &mailboxes, params);
	SPI_connect();
	rows = plan_execute(store, PLAN_READ_MANY_COUNTS, params,
						status_mode(store, PLAN_READ_AS_CALLER));
	for (uint64 row = 0; row < rows; row++)
	{
		int64		i = plan_get_number(row, COUNTS + 1) - 1;
		Datum		values[1 + COUNTS];
		bool		nulls[1 + COUNTS] = {false};
		int			n = 0;

		if (!statuses[i].found)
			continue;
		if (mailboxes.many)
			values[n++] = mailboxes.labels[i];
		for (int j = 0; j < COUNTS; j++, n++)
			values[n] = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, j + 1, &nulls[n]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
