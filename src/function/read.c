/*-------------------------------------------------------------------------
 *
 * read.c
 * 	  What has changed since a mod-sequence, and what has vanished.
 *
 * Locks: none.  All that one call answers is from the snapshot of the statement
 * that calls it, so that HIGHESTMODSEQ goes with the changes beside it.
 *
 * Rights: answers are read with the caller's, row-level security included;
 * what has vanished is told to whoever may read the UIDs of the messages.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

CALLED_AT_SHARD(changed_since, CALL_OF_MAILBOX);
CALLED_AT_SHARD(vanished_since, CALL_OF_MAILBOX);
CALLED_AT_SHARD(live_uids, CALL_OF_MAILBOX);
CALLED_AT_SHARD(resync, CALL_OF_MAILBOX);

/* The columns of what resync() returns, as sql/parts/function.sql has them */
enum
{
	RESYNC_VERDICT,
	RESYNC_UIDVALIDITY,
	RESYNC_UIDNEXT,
	RESYNC_HIGHESTMODSEQ,
	RESYNC_VANISHED,
	RESYNC_FIRST_VANISHED,
	RESYNC_CHANGED,
	RESYNC_COLUMNS
};

/*
 * modseq.changed_since(store, mailbox, since, uids) -> (uid, modseq), by UID
 *
 * FETCH (CHANGEDSINCE since): messages whose mod-sequence is above since (RFC
 * 7162 section 3.1.4.1), of those in the set if one is given; 0 gives all, and
 * so does a mod-sequence of a server that is lost (status_since()).
 * Reads the caller's snapshot, with the caller's rights; takes no lock.
 * Errors: 42501, 42704 for an unknown mailbox.
 */
static Datum
changed_since_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 2);
	UidSet	   *uids = argument_uids(fcinfo, 3);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MessageRow *messages;
	Status		status;
	int64		n;

	status = status_read_one(store, key, PLAN_READ_AS_CALLER);
	since = status_since(store, key, &status, since, PLAN_READ_AS_OWNER);
	InitMaterializedSRF(fcinfo, 0);
	messages = messages_changed(store, key, since, uids, &n);
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
 * were expunged before since, where history was compacted, and UIDs that no
 * message ever had, as they were handed out in vain; never one that is live.  A
 * mod-sequence of a server that is lost is taken for 0 (status_since()).
 * Snapshot and errors as above.
 */
static Datum
vanished_since_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 2);
	UidBuilder	vanished;
	Status		status;
	int64		first;

	argument_check_may_read(store);
	status = status_read_one(store, key, PLAN_READ_AS_CALLER);
	since = status_since(store, key, &status, since, PLAN_READ_AS_OWNER);
	vanished_read(store, key, since, argument_uids(fcinfo, 3), &vanished,
				  &first);
	PG_RETURN_UIDSET_P(uidset_from_builder(&vanished));
}

/*
 * modseq.live_uids(store, mailbox) -> uidset
 *
 * The UIDs of all messages of the mailbox, expunged ones left out: those below
 * UIDNEXT that have not vanished (rule "arrivals").  So no message is read; row
 * security of the message table does not count.  Snapshot and errors as above.
 */
static Datum
live_uids_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	UidBuilder	vanished;
	UidBuilder	live;
	Status		status;
	int64		first;
	UidRange	assigned;

	argument_check_may_read(store);
	status = status_read_one(store, key, PLAN_READ_AS_CALLER);
	vanished_read(store, key, 0, NULL, &vanished, &first);
	uidset_builder_init(&live);
	assigned.lo = UIDSET_MIN_UID;
	assigned.hi = (uint32) Min(status.uidnext - 1, (int64) UIDSET_MAX_UID);
	uidset_difference(&assigned, status.uidnext > 1 ? 1 : 0, vanished.ranges,
					  vanished.n, &live);
	PG_RETURN_UIDSET_P(uidset_from_builder(&live));
}

/* --- resync ------------------------------------------------------------ */

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

	messages = messages_read(store, PLAN_MESSAGE_NUMBERS, key,
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
		vanished->ranges[0].lo >
		uidset_ranges(uids)[uidset_nranges(uids) - 1].hi)
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
 * Is the client ahead of a mailbox that the primary may have more of?  A
 * UIDVALIDITY that is higher is a later one (RFC 9051 section 2.3.1.1).
 */
static bool
is_behind(const Status *status, int64 uidvalidity, int64 since)
{
	return status_may_lag() && status->has_uidvalidity &&
		(uidvalidity > status->uidvalidity ||
		 (uidvalidity == status->uidvalidity &&
		  since > status->highestmodseq));
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
 * NULL.  'behind': the server is in recovery, and has not got yet to what the
 * client knows; the sets are NULL, and the client keeps what it has.
 * 'unknown_modseq': since is above HIGHESTMODSEQ, or in a range that was lost
 * with another incarnation, so the server has lost changes that the client saw;
 * the sets are as for since = 0.  Otherwise 'ok'.  first_vanished is the lowest
 * mod-sequence of a vanished UID above since: a front end that withholds
 * VANISHED announces a HIGHESTMODSEQ below it (section 3.2).  Errors: 42501,
 * 42704, 22023.
 */
static Datum
resync_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 3);
	UidSet	   *known = argument_uids(fcinfo, 4);
	const char *verdict = "ok";
	TupleDesc	desc;
	Datum		values[RESYNC_COLUMNS] = {0};
	bool		nulls[RESYNC_COLUMNS] = {false};
	Status		status;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	argument_check_may_read(store);
	status = status_read_one(store, key, PLAN_READ_AS_CALLER);
	if (!PG_ARGISNULL(2) && is_behind(&status, PG_GETARG_INT64(2), since))
		verdict = "behind";
	else if (PG_ARGISNULL(2) || !status.has_uidvalidity ||
			 PG_GETARG_INT64(2) != status.uidvalidity)
		verdict = "uidvalidity_changed";
	if (strcmp(verdict, "ok") != 0)
	{
		nulls[RESYNC_VANISHED] = true;
		nulls[RESYNC_FIRST_VANISHED] = true;
		nulls[RESYNC_CHANGED] = true;
	}
	else
	{
		UidBuilder	vanished;
		UidBuilder	changed;
		MessageRow *messages;
		int64		first;
		int64		n;

		if (since > status.highestmodseq ||
			status_since(store, key, &status, since,
						 PLAN_READ_AS_OWNER) != since)
		{
			verdict = "unknown_modseq";
			since = 0;
		}
		vanished_read(store, key, since, known, &vanished, &first);
		apply_match(fcinfo, store, key, &vanished);
		messages = messages_changed(store, key, since, known, &n);
		uidset_builder_init(&changed);
		for (int64 i = 0; i < n; i++)
			uidset_builder_add(&changed, messages[i].uid, messages[i].uid);
		values[RESYNC_VANISHED] =
			PointerGetDatum(uidset_from_builder(&vanished));
		nulls[RESYNC_FIRST_VANISHED] = uidset_builder_is_empty(&vanished);
		values[RESYNC_FIRST_VANISHED] = Int64GetDatum(first);
		values[RESYNC_CHANGED] = PointerGetDatum(uidset_from_builder(&changed));
	}
	values[RESYNC_VERDICT] = CStringGetTextDatum(verdict);
	nulls[RESYNC_UIDVALIDITY] = !status.has_uidvalidity;
	values[RESYNC_UIDVALIDITY] = Int64GetDatum(status.uidvalidity);
	values[RESYNC_UIDNEXT] = Int64GetDatum(status.uidnext);
	values[RESYNC_HIGHESTMODSEQ] = Int64GetDatum(status.highestmodseq);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
