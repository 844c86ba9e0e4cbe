/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  Waiting until a server has what a client knows: read your writes.
 *
 * On a standby that lags, or on the primary for what is yet to be committed.
 * The table is looked into by a new snapshot, and only if a transaction has
 * ended since the last look: PostgreSQL counts these, also those that a
 * standby replays.  In between we sleep, for an eighth of the time that we have
 * waited: so nobody waits much longer than he must, and who waits for long
 * seldom wakes up.
 *
 * Locks: none while it waits, nor a snapshot, if the statement is nothing but
 * the call; else the standby could not replay what removes row versions that
 * the snapshot sees, nor DDL, and we would wait for what waits for us.  So each
 * look is a subtransaction that is rolled back, which releases its locks.
 *
 * Memory: that of a look goes with its subtransaction.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/transam.h"
#include "access/xact.h"
#include "executor/execdesc.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/plannodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

CALLED_AT_SHARD(wait_for, CALL_OF_MAILBOX);
CALLED_AT_SHARD(account_wait_for, CALL_OF_ACCOUNT);

#define LONGEST_SLEEP	100		/* ms */

/* --- a look ------------------------------------------------------------ */

/* Has the mailbox reached the mod-sequence?  What is not there may come. */
static bool
mailbox_is_there(FunctionCallInfo fcinfo)
{
	Store	   *store = argument_store(fcinfo);
	Mailboxes	mailbox = {false, 1, palloc(sizeof(*mailbox.keys)), NULL};
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	Status		status;

	memcpy(mailbox.keys[0], key, sizeof(Datum) * store->nkeys);
	status_read(store, &mailbox, PLAN_READ_AS_CALLER, &status);
	if (!status.found && !status_may_lag())
		status_no_mailbox(store, key);
	return status.found && status.highestmodseq >= PG_GETARG_INT64(2);
}

/* What a state says, of whatever kind it is */
static ObjectKind
parse_state(const char *state, Token *token)
{
	for (ObjectKind kind = 0; kind < KINDS; kind++)
		if (token_parse(kind, state, token))
			return kind;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is no state of an account", state),
			 errhint("States come from modseq.account_state() and from what tells of changes.")));
}

/* The same of an account and its state, or the end of the walk that it is of */
static bool
account_is_there(FunctionCallInfo fcinfo)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_account(fcinfo, store);
	Account		account;
	Token		token;
	ObjectKind	kind = parse_state(text_to_cstring(PG_GETARG_TEXT_PP(2)),
								   &token);

	if (!state_find(store, key, &account))
	{
		if (!status_may_lag())
			state_no_account(store, key);
		return false;
	}
	return token.epoch == account.epoch &&
		account.state[kind] >= Max(token.from, token.to);
}

/*
 * Is it there now?  Keeps neither a snapshot nor a lock.  After an error the
 * subtransaction is ended, too: who catches it would else end that in place of
 * his own.
 */
static bool
look(FunctionCallInfo fcinfo, bool (*is_there) (FunctionCallInfo))
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool result = false;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		PushActiveSnapshot(GetLatestSnapshot());
		result = is_there(fcinfo);
		PopActiveSnapshot();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error != NULL)
		ReThrowError(error);
	return result;
}

/* --- the snapshot of the statement ------------------------------------- */

/*
 * The query that we are called by, if it is SELECT modseq.wait_for(...) and
 * reads nothing: then nobody needs its snapshot.  NULL if it is any other.
 *
 * We must be called by it and not by a function in it, which might catch an
 * error of ours and go on.
 */
static QueryDesc *
bare_query(FunctionCallInfo fcinfo)
{
	QueryDesc  *query = ActivePortal == NULL ? NULL : ActivePortal->queryDesc;
	Plan	   *plan;
	ListCell   *lc;

	if (query == NULL || query->estate == NULL ||
		query->estate->es_snapshot != query->snapshot ||
		!ActiveSnapshotSet() || GetActiveSnapshot() != query->snapshot)
		return NULL;
	plan = query->plannedstmt->planTree;
	if (!IsA(plan, Result) || plan->lefttree != NULL ||
		query->plannedstmt->subplans != NIL)
		return NULL;
	foreach(lc, plan->targetlist)
	{
		TargetEntry *target = lfirst_node(TargetEntry, lc);

		if ((Node *) target->expr == fcinfo->flinfo->fn_expr)
			return query;
	}
	return NULL;
}

/* After an error in between, nobody ends the query or uses its snapshot */
static void
release_snapshot(QueryDesc *query)
{
	if (query == NULL)
		return;
	PopActiveSnapshot();
	UnregisterSnapshot(query->estate->es_snapshot);
	query->estate->es_snapshot = InvalidSnapshot;
	UnregisterSnapshot(query->snapshot);
	query->snapshot = InvalidSnapshot;
}

static void
renew_snapshot(QueryDesc *query)
{
	if (query == NULL)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	query->snapshot = RegisterSnapshot(GetActiveSnapshot());
	query->estate->es_snapshot = RegisterSnapshot(query->snapshot);
}

/* --- waiting ----------------------------------------------------------- */

/* How many transactions have ended that a snapshot can tell apart */
static uint64
count_completed(void)
{
	return *(volatile uint64 *) &TransamVariables->xactCompletionCount;
}

/*
 * Sleeps until a transaction has ended since so many had; false when time is
 * over
 */
static bool
sleep_for_change(uint64 completed, TimestampTz start, TimestampTz end)
{
	while (count_completed() == completed)
	{
		TimestampTz now = GetCurrentTimestamp();
		long		waited = TimestampDifferenceMilliseconds(start, now);
		long		left = TimestampDifferenceMilliseconds(now, end);

		if (now >= end)
			return false;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, Max(Min(waited / 8, LONGEST_SLEEP), 1)),
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}

static TimestampTz
end_of_timeout(FunctionCallInfo fcinfo, TimestampTz start)
{
	TimestampTz end =
		DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												TimestampTzGetDatum(start),
												PG_GETARG_DATUM(3)));

	if (end < start)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"timeout\" must not be negative"),
				 errhint("With 0 it says whether it is there, and does not wait.")));
	return end;
}

static bool
wait_until(FunctionCallInfo fcinfo, const char *name,
		   bool (*is_there) (FunctionCallInfo))
{
	TimestampTz start = GetCurrentTimestamp();
	TimestampTz end;
	uint64		completed;
	QueryDesc  *query;
	bool		result;

	argument_not_null(fcinfo, 0, "store");
	argument_not_null(fcinfo, 2, name);
	argument_not_null(fcinfo, 3, "timeout");
	end = end_of_timeout(fcinfo, start);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot wait for changes in a REPEATABLE READ or SERIALIZABLE transaction"),
				 errdetail("Its snapshot sees none that comes after it."),
				 errhint("Wait in READ COMMITTED, and begin the transaction then.")));
	completed = count_completed();
	if (look(fcinfo, is_there))
		return true;

	query = bare_query(fcinfo);
	release_snapshot(query);
	do
	{
		InvalidateCatalogSnapshot();
		if (!sleep_for_change(completed, start, end))
		{
			result = false;
			break;
		}
		completed = count_completed();
		result = look(fcinfo, is_there);
	} while (!result);
	renew_snapshot(query);
	return result;
}

/*
 * modseq.wait_for(store, mailbox, modseq, timeout) -> boolean
 *
 * Waits until HIGHESTMODSEQ of the mailbox is at least that; false if it is not
 * by the end of the timeout, an interval.  Reads what is committed, with the
 * caller's rights, whatever the snapshot of the statement; keeps no lock.  A
 * mailbox that a server in recovery does not have may come; a timeout of 0 is
 * one look.
 *
 * Errors: 42501, 42704 for an unknown mailbox on a server that is not in
 * recovery, 22004 for a NULL, 22023 for a negative timeout, 25000 in REPEATABLE
 * READ or SERIALIZABLE, 57014 if it is cancelled.
 */
static Datum
wait_for_here(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(wait_until(fcinfo, "modseq", mailbox_is_there));
}

/*
 * modseq.account_wait_for(store, account, state, timeout) -> boolean
 *
 * The same until the account has a state, of its Emails, mailboxes or Threads.
 * Errors: also 22023 for what is no state.
 */
static Datum
account_wait_for_here(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(wait_until(fcinfo, "state", account_is_there));
}
