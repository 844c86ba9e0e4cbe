/*-------------------------------------------------------------------------
 *
 * blocked.c
 *	  What an error about a lock says: which mailbox was waited for.
 *
 * A wait for somebody else's lock ends with a timeout, a deadlock, a
 * serialization failure or a cancelled statement.  PostgreSQL then names the
 * row by its place in a table, or a transaction by its id.  We add, as CONTEXT,
 * what the statement was about: "while locking mailbox (5) of store
 * public.mail".  So says what log_lock_waits writes to the log, too.
 *
 * Other errors are left as they are: they are about something else.
 *
 * Locks: none.  Memory: the caller's context, for a key whose text cannot be
 * had while an error is reported.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "storage/proc.h"

/* Is the error in progress about a lock?  Of the log's, that we wait for one */
static bool
is_about_lock(void)
{
	switch (geterrcode())
	{
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_QUERY_CANCELED:
			return true;
		case ERRCODE_SUCCESSFUL_COMPLETION:
			return MyProc != NULL && MyProc->waitLock != NULL;
		default:
			return false;
	}
}

static char *
text_of_key(const Blocked *blocked)
{
	return blocked->what == BLOCKED_ACCOUNT ?
		account_text(blocked->store, blocked->key) :
		key_text(blocked->store, blocked->key);
}

static void
tell_blocked(void *arg)
{
	const Blocked *blocked = arg;
	const char *store = blocked->store->table[TABLE_MESSAGE].name;
	const char *key;

	if (!is_about_lock())
		return;
	key = blocked->name != NULL ? blocked->name : text_of_key(blocked);
	switch (blocked->what)
	{
		case BLOCKED_NOTHING:
			break;
		case BLOCKED_MAILBOX:
			errcontext("while locking mailbox %s of store %s", key, store);
			break;
		case BLOCKED_ACCOUNT:
			errcontext("while locking account %s of store %s", key, store);
			break;
		case BLOCKED_MESSAGES:
			errcontext("while changing messages of mailbox %s of store %s",
					   key, store);
			break;
		case BLOCKED_VANISHED:
			errcontext("while writing what vanished from mailbox %s of store %s",
					   key, store);
			break;
	}
}

/*
 * blocked_begin: from here on an error about a lock names that mailbox, or
 * account; until blocked_end(), or until an error goes further up
 *
 * The key must be there until then.  Nothing is made of it, unless there is an
 * error.
 */
void
blocked_begin(Blocked *blocked, const Store *store, BlockedBy what,
			  const Datum *key)
{
	blocked->what = what;
	if (what == BLOCKED_NOTHING)
		return;
	blocked->store = store;
	blocked->key = key;
	blocked->name = NULL;

	/* No catalog may be read while an error is reported */
	if (!(what == BLOCKED_ACCOUNT ? account_text_is_plain(store, key) :
		  key_text_is_plain(store, key)))
		blocked->name = text_of_key(blocked);
	blocked->callback.callback = tell_blocked;
	blocked->callback.arg = blocked;
	blocked->callback.previous = error_context_stack;
	error_context_stack = &blocked->callback;
}

void
blocked_end(const Blocked *blocked)
{
	if (blocked->what == BLOCKED_NOTHING)
		return;
	error_context_stack = blocked->callback.previous;
	if (blocked->name != NULL)
		pfree(unconstify(char *, blocked->name));
}

/*
 * blocked_by: for what a query of ours may have to wait
 *
 * The first parameters of these queries are the key of the mailbox or, to lock
 * an account alone, that of the account.
 */
BlockedBy
blocked_by(PlanId id)
{
	switch (id)
	{
		case PLAN_LOCK_MAILBOX:
		case PLAN_LOCK_COUNTED:
		case PLAN_LOCK_OF_ACCOUNT:
		case PLAN_RAISE_MAILBOX:
		case PLAN_ADD_MAILBOX:
		case PLAN_ADD_COUNTED:
		case PLAN_ADD_ACCOUNT:
		case PLAN_BRING_MAILBOX:
		case PLAN_BRING_COUNTED:
		case PLAN_RENAME_MAILBOX:
		case PLAN_REMOVE_MAILBOX:
		case PLAN_REMEMBER_MAILBOX:
		case PLAN_REPLACE_MAILBOX:
		case PLAN_RENEW_MAILBOX:
			return BLOCKED_MAILBOX;
		case PLAN_LOCK_ACCOUNT:
			return BLOCKED_ACCOUNT;
		case PLAN_STAMP_MESSAGES:
		case PLAN_STAMP_MESSAGE:
		case PLAN_BEGIN_MESSAGES:
		case PLAN_RENUMBER_MESSAGES:
		case PLAN_LOCK_LIVE_MESSAGES:
			return BLOCKED_MESSAGES;

			/* compact() locks rows, and not the mailbox */
		case PLAN_JOIN_VANISHED:
		case PLAN_RECALL_ALL_VANISHED:
		case PLAN_RECALL_VANISHED:
		case PLAN_ADD_CHANGED:
		case PLAN_APPEND_CHANGED:
		case PLAN_FOLD_CHANGED:
		case PLAN_RENAME_VANISHED:
		case PLAN_DROP_VANISHED:
			return BLOCKED_VANISHED;
		default:
			return BLOCKED_NOTHING;
	}
}
