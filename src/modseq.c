/*-------------------------------------------------------------------------
 *
 * modseq.c
 *	  Module magic and transaction callbacks.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"
#include "type/uidset_scan.h"

#include "access/xact.h"
#include "fmgr.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static void
transaction_ends(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			statement_check_complete(1);
			notify_at_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			statement_check_complete(1);
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			statement_transaction_end();
			mailbox_transaction_end();
			account_transaction_end();
			place_transaction_end();
			notify_transaction_end();
			incarnation_transaction_end(event == XACT_EVENT_COMMIT);
			store_at_transaction_end();
			break;
		default:
			break;
	}
}

/* The bytes in use in a context of that kind, with what it needs itself */
static Size
used_bytes(MemoryContext context)
{
	MemoryContextCounters counters = {0};

	context->methods->stats(context, NULL, NULL, &counters, false);
	return counters.totalspace - counters.freespace;
}

/*
 * A subtransaction commits.  PostgreSQL keeps its context if anything was ever
 * allocated there: 8 kB for each savepoint in which a table with triggers for
 * each statement, as ours are, was written, until the transaction ends.  What
 * it has allocated it has freed; if nothing is left, then let the context go.
 */
static void
release_empty_context(void)
{
	static Size empty = 0;

	if (CurTransactionContext->isReset ||
		CurTransactionContext->firstchild != NULL)
		return;
	if (empty == 0)
	{
		MemoryContext context = AllocSetContextCreate(CurTransactionContext,
													  "modseq empty context",
													  ALLOCSET_DEFAULT_SIZES);

		empty = used_bytes(context);
		MemoryContextDelete(context);
	}
	if (used_bytes(CurTransactionContext) == empty)
		MemoryContextReset(CurTransactionContext);
}

static void
subtransaction_ends(SubXactEvent event, SubTransactionId subid,
					SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	switch (event)
	{
		case SUBXACT_EVENT_PRE_COMMIT_SUB:
			statement_check_complete(level);
			break;
		case SUBXACT_EVENT_COMMIT_SUB:
		case SUBXACT_EVENT_ABORT_SUB:
			statement_subtransaction_end(level,
										 event == SUBXACT_EVENT_COMMIT_SUB);
			mailbox_subtransaction_end(level,
									   event == SUBXACT_EVENT_COMMIT_SUB);
			notify_subtransaction_end(level,
									  event == SUBXACT_EVENT_COMMIT_SUB);
			incarnation_subtransaction_end(event == SUBXACT_EVENT_COMMIT_SUB);
			if (event == SUBXACT_EVENT_COMMIT_SUB)
				release_empty_context();
			break;
		default:
			break;
	}
}

/*
 * Of two copies of the library each would have hooks and caches of its own, and
 * see half of what a transaction does.  PostgreSQL knows one file by two names,
 * but not two files; so the first copy leaves its mark.
 */
static void
refuse_second_copy(void)
{
	void	  **first = find_rendezvous_variable("modseq");

	if (*first != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("modseq is loaded already, from another file"),
				 errhint("Install it once, and name it \"modseq\" in LOAD and in the settings that preload libraries.")));
	*first = (void *) _PG_init;
}

void
_PG_init(void)
{
	refuse_second_copy();
	uidset_path_init();
	planner_init();
	run_init();
	limit_init();
	store_init();
	incarnation_init();
	RegisterXactCallback(transaction_ends, NULL);
	RegisterSubXactCallback(subtransaction_ends, NULL);
}
