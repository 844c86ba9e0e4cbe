/*-------------------------------------------------------------------------
 *
 * status.c
 * 	  UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of mailboxes.
 *
 * Locks: none.  All that one call answers is from the snapshot of the statement
 * that calls it, with the caller's rights, row-level security included.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "funcapi.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(modseq_status);

void
status_no_mailbox(const Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("mailbox %s does not exist", key_text(store, key)),
			 errdetail("Table %s has no such row that you may see.",
					   store_mailbox_table(store)->name),
			 errhint("A mailbox is given by the value of its key.")));
}

/* What a row of SPI_tuptable says of a mailbox */
static void
get_status(const Store *store, uint64 row, Status *status)
{
	HeapTuple	tuple = SPI_tuptable->vals[row];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, 1, &isnull);

	status->has_uidvalidity = !isnull;
	status->uidvalidity = isnull ? 0 : DatumGetInt64(value);
	counter_read_row(store, tuple, desc, &status->uidnext,
					 &status->highestmodseq);
}

/*
 * As whom counters in a table of ours are read: whoever may see a mailbox may
 * see those, without a grant on a table of ours.
 */
static PlanMode
beside(PlanMode mode)
{
	return mode == PLAN_READ_AS_CALLER ? PLAN_READ_AS_OWNER : PLAN_AS_OWNER;
}

/* status_read: the row, as the mode says.  False if none is to be seen. */
bool
status_read(Store *store, const Datum *key, PlanMode mode, Status *status)
{
	bool		found;
	Datum	   *params = unconstify(Datum *, key);

	SPI_connect();
	if (store->counters != NULL)
		found = plan_execute(store, PLAN_SEE_SOURCE, params, mode) > 0 &&
			direct_read(store, key, beside(mode));
	else
		found = direct_read(store, key, mode);
	if (found)
		get_status(store, 0, status);
	SPI_finish();
	return found;
}

/* One result row of status() and lock() */
void
status_put(ReturnSetInfo *rsinfo, const Mailboxes *mailboxes, int i,
		   const Status *status)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};
	int			n = 0;

	if (mailboxes->many)
		values[n++] = mailboxes->labels[i];
	nulls[n] = !status->has_uidvalidity;
	values[n++] = Int64GetDatum(status->uidvalidity);
	values[n++] = Int64GetDatum(status->uidnext);
	values[n++] = Int64GetDatum(status->highestmodseq);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* For each column of the key, an array of the mailboxes' values */
static void
make_key_arrays(const Store *store, const Mailboxes *mailboxes, Datum *arrays)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(mailboxes->n, 1));

	for (int k = 0; k < store->nkeys; k++)
	{
		int16		typlen;
		bool		typbyval;
		char		typalign;

		get_typlenbyvalalign(store->key[k].type, &typlen, &typbyval, &typalign);
		for (int i = 0; i < mailboxes->n; i++)
			values[i] = mailboxes->keys[i][k];
		arrays[k] = PointerGetDatum(construct_array(values, mailboxes->n,
													store->key[k].type, typlen,
													typbyval, typalign));
	}
}

/* Which mailbox a row of SPI_tuptable is of, by a number in that column */
static int64
mailbox_number(uint64 row, int column)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[row],
									   SPI_tuptable->tupdesc, column,
									   &isnull)) - 1;
}

/* Which mailboxes the caller may see, where the counters do not tell */
static bool *
visible_mailboxes(Store *store, const Mailboxes *mailboxes, Datum *params)
{
	bool	   *visible = palloc0(sizeof(bool) * Max(mailboxes->n, 1));
	uint64		rows = plan_execute(store, PLAN_SEE_SOURCES, params,
									PLAN_READ_AS_CALLER);

	for (uint64 i = 0; i < rows; i++)
		visible[mailbox_number(i, 1)] = true;
	return visible;
}

/* The rows of those that can be seen, in the order of the argument */
static void
put_statuses(ReturnSetInfo *rsinfo, Store *store, const Mailboxes *mailboxes)
{
	Datum		params[MODSEQ_MAX_KEYS];
	bool	   *visible = NULL;
	PlanMode	mode = PLAN_READ_AS_CALLER;
	uint64		rows;

	make_key_arrays(store, mailboxes, params);
	SPI_connect();
	if (store->counters != NULL)
	{
		visible = visible_mailboxes(store, mailboxes, params);
		mode = beside(mode);
	}
	rows = plan_execute(store, PLAN_READ_MAILBOXES, params, mode);
	for (uint64 i = 0; i < rows; i++)
	{
		int64		n = mailbox_number(i, 4);
		Status		status;

		if (visible != NULL && !visible[n])
			continue;
		get_status(store, i, &status);
		status_put(rsinfo, mailboxes, n, &status);
	}
	SPI_finish();
}

/*
 * modseq.status(store, mailbox) -> (uidvalidity, uidnext, highestmodseq)
 * modseq.status(store, mailboxes[]) -> the same, after a column mailbox
 *
 * The numbers of SELECT, STATUS and LIST-STATUS (RFC 7162 section 3.1.7).  In
 * an array, mailboxes that do not exist or may not be seen have no row: one of
 * them must not hide the others (RFC 5819).  A single one is error 42704.
 */
Datum
modseq_status(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Mailboxes	mailboxes = argument_mailboxes(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Status		status;

	InitMaterializedSRF(fcinfo, 0);
	if (mailboxes.many)
		put_statuses(rsinfo, store, &mailboxes);
	else if (status_read(store, mailboxes.keys[0], PLAN_READ_AS_CALLER,
						 &status))
		status_put(rsinfo, &mailboxes, 0, &status);
	else
		status_no_mailbox(store, mailboxes.keys[0]);
	return (Datum) 0;
}
