/*-------------------------------------------------------------------------
 *
 * query.c
 *	  The functions that a front end calls.
 *
 * Locks: status, changed_since, vanished_since and resync take none; all that
 * one call answers is from the snapshot of the statement that calls it, so
 * that HIGHESTMODSEQ goes with the changes beside it (requirement P2).  lock,
 * unchanged_since and touch take mailbox locks, ascending by key, and judge
 * by a snapshot that is newer than the lock.
 *
 * Rights: answers are read with the caller's, row-level security included;
 * what has vanished is told to whoever may read the UIDs of the messages.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "catalog/pg_type.h"
#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(modseq_status);
PG_FUNCTION_INFO_V1(modseq_lock);
PG_FUNCTION_INFO_V1(modseq_touch);
PG_FUNCTION_INFO_V1(modseq_changed_since);
PG_FUNCTION_INFO_V1(modseq_vanished_since);
PG_FUNCTION_INFO_V1(modseq_unchanged_since);
PG_FUNCTION_INFO_V1(modseq_resync);

/* UIDs that unchanged_since answers for though they were never assigned */
#define MAX_UNASSIGNED		INT64CONST(1000000)

/* A message in an answer */
typedef struct MessageRow
{
	int64		uid;
	int64		modseq;
} MessageRow;

/* What a mailbox row says */
typedef struct Status
{
	bool		has_uidvalidity;
	int64		uidvalidity;
	int64		uidnext;
	int64		highestmodseq;
} Status;

/* --- mailboxes ------------------------------------------------------------------- */

static void
no_such_mailbox(const Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("mailbox %s does not exist", key_text(store, key)),
			 errdetail("Table %s has no such row that you may see.",
					   store->mailbox),
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

/* Reads the row, as the mode says.  False if there is none, or none to be seen. */
static bool
read_status(Store *store, const Datum *key, PlanMode mode, Status *status)
{
	bool		found;

	SPI_connect();
	found = plan_execute(store, PLAN_READ_MAILBOX,
						 unconstify(Datum *, key), mode) > 0;
	if (found)
		get_status(store, 0, status);
	SPI_finish();
	return found;
}

static void
lock_mailbox(Store *store, const Datum *key)
{
	if (!counter_lock(store, known_mailbox(store, key)))
		no_such_mailbox(store, key);
}

/* For qsort_arg(): mailbox keys in the order of locking */
static int
compare_keys(const void *a, const void *b, void *store)
{
	return key_compare(store, a, b);
}

/* One result row of status() and lock() */
static void
put_status(ReturnSetInfo *rsinfo, const Mailboxes *mailboxes, int i,
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

/* The rows of those that can be seen, in the order of the argument */
static void
put_statuses(ReturnSetInfo *rsinfo, Store *store, const Mailboxes *mailboxes)
{
	Datum		params[MODSEQ_MAX_KEYS];
	uint64		rows;

	make_key_arrays(store, mailboxes, params);
	SPI_connect();
	rows = plan_execute(store, PLAN_READ_MAILBOXES, params,
						PLAN_READ_AS_CALLER);
	for (uint64 i = 0; i < rows; i++)
	{
		Status		status;
		bool		isnull;
		Datum		n = SPI_getbinval(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 4, &isnull);

		get_status(store, i, &status);
		put_status(rsinfo, mailboxes, DatumGetInt64(n) - 1, &status);
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
	else if (read_status(store, mailboxes.keys[0], PLAN_READ_AS_CALLER, &status))
		put_status(rsinfo, &mailboxes, 0, &status);
	else
		no_such_mailbox(store, mailboxes.keys[0]);
	return (Datum) 0;
}

/*
 * modseq.lock(store, mailbox), modseq.lock(store, mailboxes[]) -> as status()
 *
 * Takes the row locks of the mailboxes, FOR NO KEY UPDATE, in ascending order
 * of key, and keeps them until the transaction ends.  The rows are as of after
 * the locks were taken, in the order of the argument.  Errors: 42501 without a
 * right to write messages, 42704 for an unknown mailbox, 40001 in REPEATABLE
 * READ or SERIALIZABLE if the mailbox has changed, 55P03 by lock_timeout.
 */
Datum
modseq_lock(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Mailboxes	mailboxes = argument_mailboxes(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	  (*sorted)[MODSEQ_MAX_KEYS];

	argument_check_may_write(store);
	InitMaterializedSRF(fcinfo, 0);
	sorted = palloc(sizeof(*sorted) * Max(mailboxes.n, 1));
	memcpy(sorted, mailboxes.keys, sizeof(*sorted) * mailboxes.n);
	qsort_arg(sorted, mailboxes.n, sizeof(*sorted), compare_keys, store);
	for (int i = 0; i < mailboxes.n; i++)
		lock_mailbox(store, sorted[i]);

	for (int i = 0; i < mailboxes.n; i++)
	{
		Status		status;

		if (!read_status(store, mailboxes.keys[i], PLAN_AS_CALLER, &status))
			no_such_mailbox(store, mailboxes.keys[i]);
		put_status(rsinfo, &mailboxes, i, &status);
	}
	return (Datum) 0;
}

/*
 * modseq.touch(store, mailbox) -> the new HIGHESTMODSEQ
 *
 * For a change of the mailbox that has no message row (RFC 7162 section 3.2:
 * SETMETADATA).  Takes the mailbox lock.  Errors as for lock().
 */
Datum
modseq_touch(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	Status		status;
	Mailbox    *mailbox;
	int64		value;

	argument_check_may_write(store);
	lock_mailbox(store, key);
	if (!read_status(store, key, PLAN_AS_CALLER, &status))
		no_such_mailbox(store, key);
	statement_open();
	mailbox = known_mailbox(store, key);
	value = counter_modseq(store, mailbox);
	counter_used(mailbox, value);
	statement_close();
	PG_RETURN_INT64(value);
}

/* --- messages ---------------------------------------------------------------------- */

static int
compare_uids(const void *a, const void *b)
{
	int64		left = ((const MessageRow *) a)->uid;
	int64		right = ((const MessageRow *) b)->uid;

	return (left > right) - (left < right);
}

static bool
in_set(const UidSet *set, int64 uid)
{
	return is_uid(uid) &&
		(set == NULL ||
		 uidset_contains(uidset_ranges(set), uidset_nranges(set),
						 (uint32) uid));
}

/*
 * Runs a query for the (uid, modseq) of messages of a mailbox; returns those
 * in the set, by UID.  The query's last parameter comes after the key.
 */
static MessageRow *
read_messages(Store *store, PlanId id, const Datum *key, Datum param,
			  const UidSet *set, PlanMode mode, int64 *n)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		params[MODSEQ_MAX_PARAMS];
	MessageRow *messages;
	uint64		rows;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = param;
	*n = 0;
	SPI_connect();
	rows = plan_execute(store, id, params, mode);
	messages = MemoryContextAllocHuge(context,
									  sizeof(MessageRow) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		uid = SPI_getbinval(tuple, desc, 1, &isnull);

		if (isnull || !in_set(set, DatumGetInt64(uid)))
			continue;
		messages[*n].uid = DatumGetInt64(uid);
		uid = SPI_getbinval(tuple, desc, 2, &isnull);
		messages[*n].modseq = isnull ? 0 : DatumGetInt64(uid);
		(*n)++;
	}
	SPI_finish();
	qsort(messages, *n, sizeof(MessageRow), compare_uids);
	return messages;
}

/*
 * modseq.changed_since(store, mailbox, since, uids) -> (uid, modseq), by UID
 *
 * FETCH (CHANGEDSINCE since): messages whose mod-sequence is above since (RFC
 * 7162 section 3.1.4.1), of those in the set if one is given; 0 gives all.
 * Reads the caller's snapshot, with the caller's rights; takes no lock.
 * Errors: 42501, 42704 for an unknown mailbox.
 */
Datum
modseq_changed_since(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 2);
	UidSet	   *uids = argument_uids(fcinfo, 3);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Status		status;
	MessageRow *messages;
	int64		n;

	if (!read_status(store, key, PLAN_READ_AS_CALLER, &status))
		no_such_mailbox(store, key);
	InitMaterializedSRF(fcinfo, 0);
	messages = read_messages(store, PLAN_CHANGED_MESSAGES, key,
							 Int64GetDatum(since), uids, PLAN_READ_AS_CALLER,
							 &n);
	for (int64 i = 0; i < n; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = Int64GetDatum(messages[i].uid);
		values[1] = Int64GetDatum(messages[i].modseq);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * modseq.vanished_since(store, mailbox, since, uids) -> uidset
 *
 * VANISHED (EARLIER): UIDs expunged under a mod-sequence above since (RFC 7162
 * section 3.2.6), of those in the set if one is given.  May hold UIDs that
 * were expunged before since, where history was compacted; never one that is
 * live, nor one that was never assigned.  Snapshot and errors as above.
 */
Datum
modseq_vanished_since(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 2);
	UidBuilder	vanished;
	Status		status;
	int64		first;

	argument_check_may_read(store);
	if (!read_status(store, key, PLAN_READ_AS_CALLER, &status))
		no_such_mailbox(store, key);
	vanished_read(store, key, since, argument_uids(fcinfo, 3), &vanished,
				  &first);
	PG_RETURN_UIDSET_P(uidset_from_builder(&vanished));
}

/*
 * modseq.unchanged_since(store, mailbox, uids, since)
 *		-> (uid, modseq, verdict), by UID, one row for each UID of the set
 *
 * STORE (UNCHANGEDSINCE since): 'unchanged' messages, whose mod-sequence is at
 * most since, may be stored to in this transaction; 'modified' ones go into
 * the MODIFIED response code (RFC 7162 section 3.1.3); 'expunged' are those
 * that are not there.  Takes the mailbox lock and judges after that, so that
 * nobody can change the verdict before this transaction ends.  Errors as for
 * lock(), and 54000 for a set that names millions of UIDs above UIDNEXT.
 */
Datum
modseq_unchanged_since(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 3);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const UidRange *ranges;
	UidSet	   *uids;
	Status		status;
	MessageRow *messages;
	int64		n;
	int64		next = 0;

	argument_not_null(fcinfo, 2, "uids");
	uids = PG_GETARG_UIDSET_P(2);
	ranges = uidset_ranges(uids);
	argument_check_may_write(store);
	lock_mailbox(store, key);
	if (!read_status(store, key, PLAN_AS_CALLER, &status))
		no_such_mailbox(store, key);
	if (uidset_cardinality(ranges, uidset_nranges(uids)) >=
		status.uidnext + MAX_UNASSIGNED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("set of UIDs names too many that were never assigned"),
				 errdetail("UIDNEXT of mailbox %s is " INT64_FORMAT ".",
						   key_text(store, key), status.uidnext),
				 errhint("Intersect the set with those below UIDNEXT.")));

	InitMaterializedSRF(fcinfo, 0);
	messages = read_messages(store, PLAN_LIVE_MESSAGES, key,
							 PointerGetDatum(uids), NULL, PLAN_AS_CALLER, &n);
	for (int r = 0; r < uidset_nranges(uids); r++)
		for (int64 uid = ranges[r].lo; uid <= ranges[r].hi; uid++)
		{
			bool		live = next < n && messages[next].uid == uid;
			Datum		values[3];
			bool		nulls[3] = {false, !live, false};
			const char *verdict = "expunged";

			CHECK_FOR_INTERRUPTS();
			values[0] = Int64GetDatum(uid);
			values[1] = 0;
			if (live)
			{
				values[1] = Int64GetDatum(messages[next].modseq);
				verdict = messages[next].modseq <= since ? "unchanged" : "modified";
				next++;
			}
			values[2] = CStringGetTextDatum(verdict);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
								 nulls);
			pfree(DatumGetPointer(values[2]));
		}
	return (Datum) 0;
}

/* --- resync ------------------------------------------------------------------------- */

/*
 * Seq-match data (RFC 7162 section 3.2.5.2): pairs of a message number and a
 * UID that the client holds together.  Both sides removing messages only, a
 * pair that is right for the server too means that they agree on everything
 * up to that UID.  Returns the highest such UID, 0 if there is none.  The sets
 * are of equal size and not empty.
 */
static int64
highest_match(Store *store, const Datum *key, const UidSet *seqs,
			  const UidSet *uids)
{
	const UidRange *seq = uidset_ranges(seqs);
	const UidRange *uid = uidset_ranges(uids);
	int			nuids = uidset_nranges(uids);
	int64		next_seq = seq->lo;
	int64		next_uid = uid->lo;
	int64		match = 0;
	int64		n;
	MessageRow *messages;

	messages = read_messages(store, PLAN_MESSAGE_NUMBERS, key,
							 Int64GetDatum(uid[nuids - 1].hi), NULL,
							 PLAN_READ_AS_CALLER, &n);
	for (int64 i = 0; i < n; i++)
	{
		/* Pairs whose UID is gone cannot match: step over them, in strides */
		while (next_uid < messages[i].uid)
		{
			int64		step = Min(messages[i].uid - next_uid,
								   Min(uid->hi - next_uid, seq->hi - next_seq));

			next_uid += step;
			next_seq += step;
			if (step > 0)
				continue;
			next_seq = next_seq < seq->hi ? next_seq + 1 : (++seq)->lo;
			next_uid = next_uid < uid->hi ? next_uid + 1 : (++uid)->lo;
		}
		if (next_uid == messages[i].uid && next_seq == i + 1)
			match = next_uid;
	}
	return match;
}

/* Takes what the client must know already out of the vanished UIDs */
static void
apply_match(FunctionCallInfo fcinfo, Store *store, const Datum *key,
			UidBuilder *vanished)
{
	UidSet	   *seqs = argument_uids(fcinfo, 5);
	UidSet	   *uids = argument_uids(fcinfo, 6);
	UidRange	known = {UIDSET_MIN_UID, 0};
	UidBuilder	rest;

	if ((seqs == NULL) != (uids == NULL) ||
		(seqs != NULL &&
		 uidset_cardinality(uidset_ranges(seqs), uidset_nranges(seqs)) !=
		 uidset_cardinality(uidset_ranges(uids), uidset_nranges(uids))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"match_seqs\" and \"match_uids\" must have the same number of elements"),
				 errdetail("They are pairs of a message number and its UID (RFC 7162 section 3.2.5.2)."),
				 errhint("Pass both, or neither.")));
	if (seqs == NULL || uidset_nranges(uids) == 0 ||
		uidset_builder_is_empty(vanished) ||
		vanished->ranges[0].lo > uidset_ranges(uids)[uidset_nranges(uids) - 1].hi)
		return;
	known.hi = highest_match(store, key, seqs, uids);
	if (known.hi == 0)
		return;
	uidset_builder_init(&rest);
	uidset_difference(vanished->ranges, vanished->n, &known, 1, &rest);
	uidset_builder_finish(&rest);
	uidset_builder_free(vanished);
	*vanished = rest;
}

/*
 * modseq.resync(store, mailbox, uidvalidity, since, known_uids, match_seqs,
 *				 match_uids)
 *		-> (verdict, uidvalidity, uidnext, highestmodseq, vanished,
 *			first_vanished, changed)
 *
 * All that SELECT (QRESYNC ...), NOOP or IDLE need (RFC 7162 section 3.2.5),
 * from one snapshot, with the caller's rights, without a lock.
 *
 * verdict 'uidvalidity_changed': the client's cache is void, and the sets are
 * NULL.  'unknown_modseq': since is above HIGHESTMODSEQ, so the server has
 * lost changes that the client saw (a restored backup); the sets are as for
 * since = 0.  Otherwise 'ok'.  first_vanished is the lowest mod-sequence of a
 * vanished UID above since: a front end that withholds VANISHED announces a
 * HIGHESTMODSEQ below it (section 3.2).  Errors: 42501, 42704, 22023.
 */
Datum
modseq_resync(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 3);
	UidSet	   *known = argument_uids(fcinfo, 4);
	const char *verdict = "ok";
	TupleDesc	desc;
	Datum		values[7] = {0};
	bool		nulls[7] = {false};
	Status		status;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	argument_check_may_read(store);
	if (!read_status(store, key, PLAN_READ_AS_CALLER, &status))
		no_such_mailbox(store, key);
	if (PG_ARGISNULL(2) || !status.has_uidvalidity ||
		PG_GETARG_INT64(2) != status.uidvalidity)
	{
		verdict = "uidvalidity_changed";
		nulls[4] = nulls[5] = nulls[6] = true;
	}
	else
	{
		UidBuilder	vanished;
		UidBuilder	changed;
		MessageRow *messages;
		int64		first;
		int64		n;

		if (since > status.highestmodseq)
		{
			verdict = "unknown_modseq";
			since = 0;
		}
		vanished_read(store, key, since, known, &vanished, &first);
		apply_match(fcinfo, store, key, &vanished);
		messages = read_messages(store, PLAN_CHANGED_MESSAGES, key,
								 Int64GetDatum(since), known,
								 PLAN_READ_AS_CALLER, &n);
		uidset_builder_init(&changed);
		for (int64 i = 0; i < n; i++)
			uidset_builder_add(&changed, messages[i].uid, messages[i].uid);
		values[4] = PointerGetDatum(uidset_from_builder(&vanished));
		nulls[5] = uidset_builder_is_empty(&vanished);
		values[5] = Int64GetDatum(first);
		values[6] = PointerGetDatum(uidset_from_builder(&changed));
	}
	values[0] = CStringGetTextDatum(verdict);
	nulls[1] = !status.has_uidvalidity;
	values[1] = Int64GetDatum(status.uidvalidity);
	values[2] = Int64GetDatum(status.uidnext);
	values[3] = Int64GetDatum(status.highestmodseq);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
