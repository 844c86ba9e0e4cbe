/*-------------------------------------------------------------------------
 *
 * write.c
 * 	  The mailbox lock, and what is judged under it.
 *
 * Locks: mailbox locks, ascending by key.  What is judged is judged by a
 * snapshot that is newer than the lock.
 *
 * Rights: answers are read with the caller's, row-level security included.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

CALLED_AT_SHARD(lock, CALL_OF_MAILBOX | CALL_LOCKS);
CALLED_AT_SHARD(touch, CALL_OF_MAILBOX | CALL_LOCKS);
CALLED_AT_SHARD(unchanged_since, CALL_OF_MAILBOX | CALL_LOCKS);

/* UIDs that unchanged_since answers for though they were never assigned */
#define MAX_UNASSIGNED		INT64CONST(1000000)

static Mailbox *
lock_mailbox(Store *store, const Datum *key)
{
	Mailbox    *mailbox = mailbox_lock(store, key);

	if (mailbox == NULL)
		status_no_mailbox(store, key);
	return mailbox;
}

/* For qsort_arg(): mailbox keys in the order of locking */
static int
compare_keys(const void *a, const void *b, void *store)
{
	Store	   *of = store;

	return of->has_accounts ?
		account_compare_mailboxes(of, mailbox_get(of, a), mailbox_get(of, b)) :
		key_compare(of, a, b);
}

/*
 * Who locks a mailbox may choose UIDs from UIDNEXT on: so it must be past those
 * that a lost server may have given (rule "incarnations")
 */
static void
enter_incarnation(Store *store, Mailbox **locked, int n)
{
	if (incarnation_current()->modseq == 0)
		return;
	statement_open(STATEMENT_OTHER);
	for (int i = 0; i < n; i++)
		counter_enter(store, locked[i]);
	statement_close(STATEMENT_OTHER);
}

/*
 * modseq.lock(store, mailbox), modseq.lock(store, mailboxes[]) -> as status()
 *
 * Takes the row locks of the mailboxes, FOR NO KEY UPDATE, in ascending order
 * of key, those of their accounts before them, and keeps them until the
 * transaction ends.  The rows are as of after
 * the locks were taken, in the order of the argument.  Errors: 42501 without a
 * right to write messages, 42704 for an unknown mailbox, 40001 in REPEATABLE
 * READ or SERIALIZABLE if the mailbox has changed, 55P03 by lock_timeout.
 */
static Datum
lock_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store_to_write(fcinfo);
	Mailboxes	mailboxes = argument_mailboxes(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		(*sorted)[MODSEQ_MAX_KEYS];
	Mailbox   **locked;
	Status	   *statuses;

	InitMaterializedSRF(fcinfo, 0);
	sorted = palloc(sizeof(*sorted) * Max(mailboxes.n, 1));
	memcpy(sorted, mailboxes.keys, sizeof(*sorted) * mailboxes.n);
	qsort_arg(sorted, mailboxes.n, sizeof(*sorted), compare_keys, store);
	locked = palloc(sizeof(*locked) * Max(mailboxes.n, 1));
	for (int i = 0; i < mailboxes.n; i++)
		locked[i] = lock_mailbox(store, sorted[i]);
	enter_incarnation(store, locked, mailboxes.n);

	statuses = palloc(sizeof(Status) * Max(mailboxes.n, 1));
	status_read(store, &mailboxes, PLAN_AS_CALLER, statuses);
	for (int i = 0; i < mailboxes.n; i++)
	{
		if (!statuses[i].found)
			status_no_mailbox(store, mailboxes.keys[i]);
		status_put(rsinfo, &mailboxes, i, &statuses[i]);
	}
	return (Datum) 0;
}

/*
 * modseq.touch(store, mailbox) -> the new HIGHESTMODSEQ
 *
 * For a change of the mailbox that has no message row (RFC 7162 section 3.2:
 * SETMETADATA).  Takes the mailbox lock.  Errors as for lock().
 */
static Datum
touch_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store_to_write(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	Mailbox    *mailbox;
	int64		value;

	mailbox = lock_mailbox(store, key);
	status_read_one(store, key, PLAN_AS_CALLER);
	statement_open(STATEMENT_OTHER);
	value = counter_modseq(store, mailbox);
	counter_used(mailbox, value);
	statement_close(STATEMENT_OTHER);
	PG_RETURN_INT64(value);
}

/*
 * modseq.unchanged_since(store, mailbox, uids, since)
 *		-> (uid, modseq, verdict), by UID, one row for each UID of the set
 *
 * STORE (UNCHANGEDSINCE since): 'unchanged' messages, whose mod-sequence is at
 * most since, may be stored to in this transaction; 'modified' ones go into
 * the MODIFIED response code (RFC 7162 section 3.1.3); 'expunged' are those
 * that are not there.  Who has since from a server that is lost cannot have
 * seen any message as it is: all are 'modified' (status_since()).  Takes the
 * mailbox lock and judges after that, so that nobody can change the verdict
 * before this transaction ends.  Errors as for lock(), and 54000 for a set that
 * names millions of UIDs above UIDNEXT.
 */
static Datum
unchanged_since_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store_to_write(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	int64		since = argument_since(fcinfo, 3);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const UidRange *ranges;
	UidSet	   *uids;
	Status		status;
	MessageRow *messages;
	Datum		unchanged = CStringGetTextDatum("unchanged");
	Datum		modified = CStringGetTextDatum("modified");
	Datum		expunged = CStringGetTextDatum("expunged");
	int64		n;
	int64		next = 0;

	argument_not_null(fcinfo, 2, "uids");
	uids = PG_GETARG_UIDSET_P(2);
	ranges = uidset_ranges(uids);
	lock_mailbox(store, key);
	status = status_read_one(store, key, PLAN_AS_CALLER);
	since = status_since(store, key, &status, since, PLAN_AS_OWNER);
	if (uidset_cardinality(ranges, uidset_nranges(uids)) >=
		status.uidnext + MAX_UNASSIGNED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("set of UIDs names too many that were never assigned"),
				 errdetail("UIDNEXT of mailbox %s is " INT64_FORMAT ".",
						   key_text(store, key), status.uidnext),
				 errhint("Intersect the set with those below UIDNEXT.")));

	InitMaterializedSRF(fcinfo, 0);
	messages = messages_read(store, PLAN_LIVE_MESSAGES, key,
							 PointerGetDatum(uids), NULL, PLAN_AS_CALLER, &n);
	for (int r = 0; r < uidset_nranges(uids); r++)
		for (int64 uid = ranges[r].lo; uid <= ranges[r].hi; uid++)
		{
			bool		live = next < n && messages[next].uid == uid;
			Datum		values[3];
			bool		nulls[3] = {false, !live, false};

			CHECK_FOR_INTERRUPTS();
			values[0] = Int64GetDatum(uid);
			values[1] = 0;
			values[2] = expunged;
			if (live)
			{
				values[1] = Int64GetDatum(messages[next].modseq);
				values[2] = messages[next].modseq <= since ?
					unchanged : modified;
				next++;
			}
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
								 nulls);
		}
	return (Datum) 0;
}
