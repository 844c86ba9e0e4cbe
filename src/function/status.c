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

#include "access/transam.h"
#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

CALLED_AT_SHARD(status, CALL_OF_MAILBOX);

/*
 * status_may_lag: is the snapshot of a server in recovery?  Then the primary
 * may have what is not there.
 */
bool
status_may_lag(void)
{
	return GetActiveSnapshot()->takenDuringRecovery;
}

void
status_no_mailbox(const Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("mailbox %s does not exist", key_text(store, key)),
			 errdetail("Table %s has no such row that you may see.",
					   store_mailbox_table(store)->name),
			 status_may_lag() ?
			 errhint("The server is in recovery: see modseq.wait_for().") :
			 errhint("A mailbox is given by the value of its key.")));
}

/*
 * status_mode: as whom the counters are read, wherever they are: whoever may
 * see a mailbox may see those in a table of ours, without a grant on that
 */
PlanMode
status_mode(const Store *store, PlanMode mode)
{
	if (store->counters == NULL)
		return mode;
	return mode == PLAN_READ_AS_CALLER ? PLAN_READ_AS_OWNER : PLAN_AS_OWNER;
}

/*
 * status_key_arrays: for each column of the key, an array of the mailboxes'
 * values
 */
void
status_key_arrays(const Store *store, const Mailboxes *mailboxes, Datum *arrays)
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
 * Which mailboxes the caller may see, where the counters do not tell: whoever
 * may see a mailbox may see those, without a grant on a table of ours.
 */
static void
see_mailboxes(Store *store, const Mailboxes *mailboxes, PlanMode mode,
			  Status *statuses)
{
	Datum		params[MODSEQ_MAX_KEYS];
	Probe		probe;
	uint64		rows;

	if (probe_begin(&probe, store, TABLE_SOURCE, true))
	{
		for (int i = 0; i < mailboxes->n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			statuses[i].found = probe_sees(&probe, mailboxes->keys[i]);
		}
		probe_end(&probe);
		return;
	}
	status_key_arrays(store, mailboxes, params);
	SPI_connect();
	rows = plan_execute(store, PLAN_SEE_SOURCES, params, mode);
	for (uint64 i = 0; i < rows; i++)
		statuses[mailbox_number(i, 1)].found = true;
	SPI_finish();
}

/* status_hide: those that the caller may not see are not among those seen */
void
status_hide(Store *store, const Mailboxes *mailboxes, bool *seen)
{
	Status	   *statuses = palloc0(sizeof(Status) * Max(mailboxes->n, 1));

	see_mailboxes(store, mailboxes, PLAN_READ_AS_CALLER, statuses);
	for (int i = 0; i < mailboxes->n; i++)
		seen[i] = seen[i] && statuses[i].found;
	pfree(statuses);
}

/* A number in a row that direct_read() has found; false for NULL */
static bool
get_number(const Probe *probe, AttrNumber attnum, const Column *column,
		   int64 *value)
{
	bool		isnull;
	Datum		datum = slot_getattr(probe->slot, attnum, &isnull);

	*value = isnull ? 0 : row_int64(datum, column->type);
	return !isnull;
}

/* Is the row that direct_read() has found that of a mailbox that is gone? */
static bool
is_gone(const Probe *probe, AttrNumber gone_at)
{
	return gone_at != InvalidAttrNumber &&
		!slot_attisnull(probe->slot, gone_at);
}

/*
 * Takes the counters of all that were found from their rows
 *
 * If there is a source, then none was looked for yet: those with counters are
 * there, and it is asked for the others.
 */
static bool
read_directly(Store *store, const Mailboxes *mailboxes, bool as_caller,
			  Probe *source, Status *statuses)
{
	Probe		probe;
	AttrNumber	uidvalidity;
	AttrNumber	uidnext;
	AttrNumber	highestmodseq;
	AttrNumber	gone_at;
	Oid			relid = store->table[TABLE_MAILBOX].relid;

	if (!probe_begin(&probe, store, TABLE_MAILBOX, as_caller))
		return false;
	uidvalidity = get_attnum(relid, store->uidvalidity.name);
	uidnext = get_attnum(relid, store->uidnext.name);
	highestmodseq = get_attnum(relid, store->highestmodseq.name);
	gone_at = store->counters == NULL ? InvalidAttrNumber :
		get_attnum(relid, "gone_at");
	for (int i = 0; i < mailboxes->n; i++)
	{
		Status	   *status = &statuses[i];
		const Datum *key = mailboxes->keys[i];
		bool		isnull;

		status->found = (status->found || source != NULL) &&
			direct_read(&probe, key);
		if (source != NULL && (!status->found || is_gone(&probe, gone_at)))
		{
			status->seen = probe_sees(source, key);
			status->found = status->found && status->seen;
		}
		if (!status->found)
			continue;
		status->has_uidvalidity = get_number(&probe, uidvalidity,
											 &store->uidvalidity,
											 &status->uidvalidity);
		isnull = !get_number(&probe, uidnext, &store->uidnext,
							 &status->uidnext);
		status->uidnext = effective_uidnext(store, isnull, status->uidnext);
		isnull = !get_number(&probe, highestmodseq,
							 &store->highestmodseq, &status->highestmodseq);
		status->highestmodseq =
			effective_highestmodseq(isnull, status->highestmodseq);
	}
	probe_end(&probe);
	return true;
}

/*
 * The same for counters beside the mailbox table, where that need not be asked:
 * the caller may see all of it, and in what others have committed each mailbox
 * has counters, and no counters are without one.  Only within a statement is it
 * otherwise, and this transaction has written nothing.
 */
static bool
read_committed(Store *store, const Mailboxes *mailboxes, Status *statuses)
{
	Probe		source;
	bool		done;

	if (TransactionIdIsValid(GetTopTransactionIdIfAny()) ||
		!probe_begin(&source, store, TABLE_SOURCE, true))
		return false;
	done = read_directly(store, mailboxes, false, &source, statuses);
	probe_end(&source);
	return done;
}

/* The same by a query */
static void
read_by_query(Store *store, const Mailboxes *mailboxes, PlanMode mode,
			  Status *statuses)
{
	Datum		params[MODSEQ_MAX_KEYS];
	bool	   *found = palloc0(sizeof(bool) * Max(mailboxes->n, 1));
	uint64		rows;

	status_key_arrays(store, mailboxes, params);
	SPI_connect();
	rows = plan_execute(store, PLAN_READ_MAILBOXES, params, mode);
	for (uint64 i = 0; i < rows; i++)
	{
		int64		n = mailbox_number(i, 4);

		found[n] = true;
		get_status(store, i, &statuses[n]);
	}
	SPI_finish();
	for (int i = 0; i < mailboxes->n; i++)
		statuses[i].found = statuses[i].found && found[i];
	pfree(found);
}

/*
 * A mailbox that the caller sees has no counters in that snapshot: have they
 * come to their table since, as by an attach() that moved them there?
 */
static void
check_moved(Store *store, const Datum *key)
{
	uint64		rows;

	SPI_connect();
	rows = plan_execute(store, PLAN_READ_MAILBOX, unconstify(Datum *, key),
						PLAN_LATEST);
	SPI_finish();
	if (rows > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access to mailbox %s",
						key_text(store, key)),
				 errdetail("Its counters have come to table %s since the snapshot.",
						   store->table[TABLE_MAILBOX].name),
				 errhint("The transaction might succeed if retried.")));
}

/*
 * status_read: the rows of these mailboxes, as the mode says, which is one of a
 * caller's; what is not found does not exist, or may not be seen
 */
void
status_read(Store *store, const Mailboxes *mailboxes, PlanMode mode,
			Status *statuses)
{
	bool		beside = store->counters != NULL;
	bool		push = mode == PLAN_AS_CALLER;

	for (int i = 0; i < mailboxes->n; i++)
	{
		statuses[i].found = !beside;
		statuses[i].seen = false;
	}
	if (push)
	{
		/* A new snapshot, as a query of that mode would have */
		PushActiveSnapshot(GetTransactionSnapshot());
		CommandCounterIncrement();
		UpdateActiveSnapshotCommandId();
	}
	if (!beside || !read_committed(store, mailboxes, statuses))
	{
		if (beside)
			see_mailboxes(store, mailboxes, mode, statuses);
		for (int i = 0; i < mailboxes->n; i++)
			statuses[i].seen = beside && statuses[i].found;
		if (!read_directly(store, mailboxes, !beside, NULL, statuses))
			read_by_query(store, mailboxes, status_mode(store, mode), statuses);
	}
	for (int i = 0; i < mailboxes->n; i++)
		if (statuses[i].seen && !statuses[i].found)
			check_moved(store, mailboxes->keys[i]);
	if (push)
		PopActiveSnapshot();
}

/* status_read_one: the same of one mailbox; an error if it is not found */
Status
status_read_one(Store *store, Datum *key, PlanMode mode)
{
	Datum		keys[1][MODSEQ_MAX_KEYS];
	Mailboxes	mailboxes = {false, 1, keys, NULL};
	Status		status;

	memcpy(keys[0], key, sizeof(Datum) * store->nkeys);
	status_read(store, &mailboxes, mode, &status);
	if (!status.found)
		status_no_mailbox(store, key);
	return status;
}

/*
 * status_since: the mod-sequence that a client says it has seen, or 0 if a
 * server that is lost may have given it
 *
 * It means nothing then, and of what it stood for the client must not conclude
 * anything (rule "incarnations").  Such are those in a range that was lost, and
 * all above HIGHESTMODSEQ, unless this is the first incarnation.  Above
 * HIGHESTMODSEQ of a standby the primary has given them.  Reads what was lost
 * as the mode says, as the owner; only where an incarnation has begun are
 * numbers so high.
 */
int64
status_since(Store *store, const Datum *key, const Status *status, int64 since,
			 PlanMode mode)
{
	bool		lost;

	if (since > status->highestmodseq)
		lost = !status_may_lag() && incarnation_is_not_first();
	else
		lost = status->highestmodseq > LEAST_JUMP &&
			vanished_is_lost(store, key, since, mode);
	return lost ? 0 : since;
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

/*
 * modseq.status(store, mailbox) -> (uidvalidity, uidnext, highestmodseq)
 * modseq.status(store, mailboxes[]) -> the same, after a column mailbox
 *
 * The numbers of SELECT, STATUS and LIST-STATUS (RFC 7162 section 3.1.7).  In
 * an array, mailboxes that do not exist or may not be seen have no row: one of
 * them must not hide the others (RFC 5819).  A single one is error 42704.
 */
static Datum
status_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Mailboxes	mailboxes = argument_mailboxes(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Status	   *statuses = palloc(sizeof(Status) * Max(mailboxes.n, 1));

	InitMaterializedSRF(fcinfo, 0);
	status_read(store, &mailboxes, PLAN_READ_AS_CALLER, statuses);
	for (int i = 0; i < mailboxes.n; i++)
	{
		if (statuses[i].found)
			status_put(rsinfo, &mailboxes, i, &statuses[i]);
		else if (!mailboxes.many)
			status_no_mailbox(store, mailboxes.keys[i]);
	}
	return (Datum) 0;
}
