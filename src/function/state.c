/*-------------------------------------------------------------------------
 *
 * state.c
 *	  Accounts: their states, and who may see them.
 *
 * Whoever may see mailboxes may see the states of their account, without a
 * grant on a table of ours.  Where policies hide mailboxes, only accounts with
 * one that the caller sees are there.
 *
 * Locks: account_lock() takes those of accounts, ascending by key; all else
 * takes none.  What one call answers is from one snapshot: that of the
 * statement that calls it, or one that is newer than the locks.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/rls.h"
#include "utils/tuplestore.h"

CALLED_AT_SHARD(account_state, CALL_OF_ACCOUNT);
CALLED_AT_SHARD(account_lock, CALL_OF_ACCOUNT | CALL_LOCKS);

/* --- mailboxes of an account ------------------------------------------- */

/* Do policies hide mailboxes whose counters are elsewhere? */
static bool
policies_hide(const Store *store)
{
	return store->counters != NULL &&
		check_enable_rls(store->table[TABLE_SOURCE].relid, InvalidOid,
						 true) == RLS_ENABLED;
}

/* Leaves those that the caller may see */
static void
leave_visible(Store *store, Mailboxes *mailboxes, MailboxRow *rows)
{
	bool	   *seen = palloc(Max(mailboxes->n, 1));
	int			n = 0;

	memset(seen, true, mailboxes->n);
	status_hide(store, mailboxes, seen);
	for (int i = 0; i < mailboxes->n; i++)
		if (seen[i])
		{
			memmove(mailboxes->keys[n], mailboxes->keys[i],
					sizeof(*mailboxes->keys));
			rows[n++] = rows[i];
		}
	mailboxes->n = n;
}

/*
 * state_mailboxes: those of an account that have changed since then, as far
 * as the caller sees them
 */
Mailboxes
state_mailboxes(Store *store, const Datum *key, int64 since,
				MailboxRow **rows)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		params[MODSEQ_MAX_PARAMS];
	Mailboxes	result = {0};
	int			n = store->nkeys;

	memcpy(params, key, sizeof(Datum) * store->naccounts);
	params[store->naccounts] = Int64GetDatum(since);
	SPI_connect();
	result.n = (int) plan_execute(store, PLAN_CHANGED_MAILBOXES, params,
								  status_mode(store, PLAN_READ_AS_CALLER));
	result.keys = MemoryContextAllocHuge(context, sizeof(*result.keys) *
										 Max(result.n, 1));
	*rows = MemoryContextAllocHuge(context, sizeof(MailboxRow) *
								   Max(result.n, 1));
	for (int i = 0; i < result.n; i++)
	{
		MailboxRow *row = &(*rows)[i];
		MemoryContext old = MemoryContextSwitchTo(context);

		if (!plan_get_key(store, i, result.keys[i]))
			elog(ERROR, "a mailbox has no key");
		memcpy(result.keys[i], key_copy(store, result.keys[i]),
			   sizeof(Datum) * n);
		row->name = pstrdup(SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, n + 1));
		MemoryContextSwitchTo(old);
		row->created = plan_get_number(i, n + 2);
		row->properties = plan_get_number(i, n + 3);
		row->changed = plan_get_number(i, n + 4);
	}
	SPI_finish();
	if (policies_hide(store))
		leave_visible(store, &result, *rows);
	return result;
}

/*
 * state_has: which of these mailboxes are the account's, and may be seen
 */
bool *
state_has(Store *store, const Datum *key, const Mailboxes *mailboxes)
{
	bool	   *seen = palloc0(Max(mailboxes->n, 1));
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;

	status_key_arrays(store, mailboxes, params);
	memcpy(params + store->nkeys, key, sizeof(Datum) * store->naccounts);
	SPI_connect();
	rows = plan_execute(store, PLAN_ACCOUNT_MAILBOXES, params,
						status_mode(store, PLAN_READ_AS_CALLER));
	for (uint64 i = 0; i < rows; i++)
		seen[plan_get_number(i, 1) - 1] = true;
	SPI_finish();
	if (policies_hide(store))
		status_hide(store, mailboxes, seen);
	return seen;
}

/* --- states ------------------------------------------------------------ */

void
state_no_account(const Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("account %s does not exist", account_text(store, key)),
			 errdetail("No mailbox that you may see is, or was, in it."),
			 status_may_lag() ?
			 errhint("The server is in recovery: see account_wait_for().") :
			 errhint("An account is given by the value of its key in table %s.",
					 store_mailbox_table(store)->name)));
}

/* May the caller see one of its mailboxes, where policies hide some? */
static bool
may_see(Store *store, const Datum *key)
{
	MailboxRow *rows;

	if (check_enable_rls(store_mailbox_table(store)->relid, InvalidOid,
						 true) != RLS_ENABLED)
		return true;
	return state_mailboxes(store, key, 0, &rows).n > 0;
}

/* The row, as the mode says.  False if there is none. */
static bool
read_row(Store *store, const Datum *key, PlanMode mode, Account *account)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	bool		found;

	memcpy(params, key, sizeof(Datum) * store->naccounts);
	SPI_connect();
	found = plan_execute(store, PLAN_READ_ACCOUNT, params, mode) > 0;
	if (found)
	{
		account->epoch = plan_get_number(0, 1);
		account->state[KIND_EMAIL] = plan_get_number(0, 2);
		account->state[KIND_MAILBOX] = plan_get_number(0, 3);
		account->state[KIND_THREAD] = plan_get_number(0, 4);
		account->floor = plan_get_number(0, 5);
	}
	SPI_finish();
	return found;
}

/*
 * state_find: the states of an account, in the caller's snapshot; false if it
 * does not exist, or the caller may not see it
 */
bool
state_find(Store *store, const Datum *key, Account *account)
{
	argument_check_may_see(store);
	return read_row(store, key, PLAN_READ_AS_OWNER, account) &&
		may_see(store, key);
}

/* state_read: the same, or 42704 */
void
state_read(Store *store, const Datum *key, Account *account)
{
	if (!state_find(store, key, account))
		state_no_account(store, key);
}

static void
put_states(ReturnSetInfo *rsinfo, const Store *store,
		   const Mailboxes *accounts, int i, const Account *account)
{
	static const ObjectKind order[] = {KIND_EMAIL, KIND_MAILBOX, KIND_THREAD};
	Datum		values[1 + KINDS];
	bool		nulls[1 + KINDS] = {false};
	int			n = 0;

	if (accounts->many)
	{
		nulls[n] = accounts->labels == NULL;
		values[n] = nulls[n] ? (Datum) 0 : accounts->labels[i];
		n++;
	}
	for (int k = 0; k < KINDS; k++)
	{
		Token		token = {0};

		token.epoch = account->epoch;
		token.from = account->state[order[k]];
		nulls[n] = order[k] == KIND_THREAD && store->thread.name == NULL;
		values[n++] = CStringGetTextDatum(token_text(order[k], &token));
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * modseq.account_state(store, account) -> (email, mailbox, thread)
 *
 * The states of an account's Emails, Mailboxes and Threads (RFC 8620 section
 * 5.1); thread is NULL if the store has none.  The caller's snapshot and
 * rights; no lock.  Errors: 42501, 42704 for an unknown account, 55000 for a
 * store without accounts.
 */
static Datum
account_state_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Mailboxes	accounts = argument_accounts(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *key = argument_one_account(fcinfo, store);
	Account		account;

	InitMaterializedSRF(fcinfo, 0);
	accounts.many = false;
	state_read(store, key, &account);
	put_states(rsinfo, store, &accounts, 0, &account);
	return (Datum) 0;
}

/* For qsort_arg(): accounts in the order of locking */
static int
compare_accounts(const void *a, const void *b, void *store)
{
	return account_compare(store, a, b);
}

/*
 * modseq.account_lock(store, account), modseq.account_lock(store, accounts[])
 *		-> as account_state()
 *
 * Takes the row locks of the accounts, FOR NO KEY UPDATE, in ascending order of
 * key, and keeps them until the transaction ends.  The states are as of after
 * the locks were taken, in the order of the argument; who compares them with
 * ifInState (RFC 8620 section 5.3) may then write.  Errors: 42501 without a
 * right to write messages, 42704 for an unknown account, 40001 in REPEATABLE
 * READ or SERIALIZABLE if the account has changed, 55P03 by lock_timeout.
 */
static Datum
account_lock_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store_to_write(fcinfo);
	Mailboxes	accounts = argument_accounts(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		(*sorted)[MODSEQ_MAX_KEYS];

	argument_check_may_see(store);
	InitMaterializedSRF(fcinfo, 0);
	sorted = palloc(sizeof(*sorted) * Max(accounts.n, 1));
	memcpy(sorted, accounts.keys, sizeof(*sorted) * accounts.n);
	qsort_arg(sorted, accounts.n, sizeof(*sorted), compare_accounts, store);
	for (int i = 0; i < accounts.n; i++)
	{
		Account		before;

		if (!read_row(store, sorted[i], PLAN_AS_OWNER, &before) ||
			!may_see(store, sorted[i]))
			state_no_account(store, sorted[i]);
		account_lock(store, account_get(store, sorted[i]));
	}

	for (int i = 0; i < accounts.n; i++)
	{
		Account		account;

		if (!read_row(store, accounts.keys[i], PLAN_AS_OWNER, &account))
			state_no_account(store, accounts.keys[i]);
		put_states(rsinfo, store, &accounts, i, &account);
	}
	return (Datum) 0;
}
