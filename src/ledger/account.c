/*-------------------------------------------------------------------------
 *
 * account.c
 *	  The account lock; one value an account and statement; writing its row.
 *
 * The mailboxes of an account share one counter.  A statement takes one value
 * of each account that it changes, and each mailbox of the account that it
 * changes gets that as its HIGHESTMODSEQ: only order matters to IMAP, and it is
 * the order of the account's.  So what JMAP calls a state is one number, and
 * commit order is the order of states, for the account's lock is kept until the
 * transaction ends, as a mailbox's is.
 *
 * An account is a Mailbox without names (ledger.h): what is known of it is
 * known by nest level, what a statement owes it is handed outward and dropped
 * in the same way, and its row is written by its place (direct.c).
 *
 * Locks: accounts, ascending, before mailboxes: FOR NO KEY UPDATE.  One query
 * locks a mailbox and its account before it.  A mailbox that the application
 * has locked itself, by updating its row, is locked before its account.
 *
 * Memory: where mailboxes are (level.c), gone at the transaction's end.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct AccountHashKey
{
	uint64		epoch;			/* of the store */
	uint32		hash;			/* of the key */
} AccountHashKey;

/* The accounts whose keys have that hash */
typedef struct AccountEntry
{
	AccountHashKey hashkey;
	List	   *accounts;		/* Mailboxes */
} AccountEntry;

static HTAB *accounts = NULL;	/* NULL: none was heard of */

/* --- accounts ---------------------------------------------------------- */

/* account_get: the account with that key; nothing is known of it yet */
Mailbox *
account_get(Store *store, const Datum *key)
{
	AccountHashKey hashkey = {0};
	AccountEntry *entry;
	Mailbox    *account;
	MemoryContext old;
	ListCell   *lc;
	bool		found;

	if (accounts == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.hcxt = level_memory();
		ctl.keysize = sizeof(AccountHashKey);
		ctl.entrysize = sizeof(AccountEntry);
		accounts = hash_create("modseq accounts", 32, &ctl,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hashkey.epoch = store->epoch;
	hashkey.hash = account_hash(store, key);
	entry = hash_search(accounts, &hashkey, HASH_ENTER, &found);
	if (!found)
		entry->accounts = NIL;
	foreach(lc, entry->accounts)
	{
		account = lfirst(lc);
		if (account_compare(store, account->account_key, key) == 0)
			return account;
	}
	old = MemoryContextSwitchTo(level_memory());
	account = palloc0(sizeof(Mailbox));
	account->message_relid = store->message_relid;
	account->epoch = store->epoch;
	account->account_key = account_copy(store, key);
	entry->accounts = lappend(entry->accounts, account);
	MemoryContextSwitchTo(old);
	return account;
}

/*
 * account_of: whose mailbox it is; NULL if it has no row, and it is not known
 * from one that it had
 *
 * Takes no lock: the account of a mailbox never changes.
 */
Mailbox *
account_of(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);
	Datum		key[MODSEQ_MAX_KEYS];
	RowPlace	place;

	if (counters->account != NULL)
		return counters->account;
	if (store->naccounts == 0)
	{
		counters->account = account_get(store, key);
		return counters->account;
	}
	if (seek_account_of(store, mailbox_key(mailbox), key, &place))
	{
		counters->account = account_get(store, key);
		return counters->account;
	}
	SPI_connect();
	if (plan_execute(store, PLAN_FIND_ACCOUNT,
					 unconstify(Datum *, mailbox_key(mailbox)),
					 PLAN_AS_OWNER) > 0 &&
		plan_get_account(store, 0, 1, key))
		counters->account = account_get(store, key);
	SPI_finish();
	return counters->account;
}

/*
 * account_compare_mailboxes: the order in which mailboxes are locked: that of
 * their accounts, and then that of their keys
 */
int
account_compare_mailboxes(Store *store, Mailbox *a, Mailbox *b)
{
	int			result = 0;

	if (store->naccounts > 0)
	{
		const Mailbox *left = account_of(store, a);
		const Mailbox *right = account_of(store, b);

		if (left == NULL || right == NULL)
			result = (left != NULL) - (right != NULL);
		else if (left != right)
			result = account_compare(store, left->account_key,
									 right->account_key);
	}
	return result != 0 ? result :
		key_compare(store, mailbox_key(a), mailbox_key(b));
}

/* --- the lock ---------------------------------------------------------- */

/* That row is locked */
static void
know_row(Mailbox *account, const AccountRow *row)
{
	Counters   *counters = mailbox_counters(account);

	if (counters->locked)
		return;
	counters->place = row->place;
	counters->highestmodseq = row->number[0];
	if (counters->unseen == 0)
		counters->unseen = counters->highestmodseq + 1;
	memcpy(counters->state, row->number + 1, sizeof(counters->state));
	counters->locked = true;
}

/* The row in SPI_tuptable is, from that column on */
static void
know(Mailbox *account, int column)
{
	HeapTuple	tuple = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	AccountRow	row;
	bool		isnull;
	Datum		tid;

	row.place.relid = DatumGetObjectId(SPI_getbinval(tuple, desc, column,
													 &isnull));
	row.place.file = relation_file(row.place.relid);
	tid = SPI_getbinval(tuple, desc, column + 1, &isnull);
	row.place.tid = *(ItemPointer) DatumGetPointer(tid);
	for (int i = 0; i <= ACCOUNT_STATES; i++)
	{
		Datum		value = SPI_getbinval(tuple, desc, column + 2 + i, &isnull);

		row.number[i] = effective_highestmodseq(isnull, isnull ? 0 :
												DatumGetInt64(value));
	}
	know_row(account, &row);
}

/* Takes the lock of an account without SQL, if it can */
static bool
lock_directly(Store *store, Mailbox *account)
{
	AccountRow	row;

	if (mailbox_counters(account)->locked)
		return true;
	if (!seek_account(store, account->account_key, true, &row))
		return false;
	know_row(account, &row);
	return true;
}

/*
 * account_lock_mailbox: locks the row that has the mailbox's key, and its
 * account's before it
 *
 * False if there is none.  The caller is connected to SPI.  An account whose
 * lock is ours need not be looked for again, among all the versions of its row
 * that this transaction has written.  One that has no row gets one.
 *
 * While we wait for the account, another mailbox may get the key, of another
 * account: it has another row.
 */
bool
account_lock_mailbox(Store *store, Mailbox *mailbox, CounterRow *row)
{
	Datum	   *key = unconstify(Datum *, mailbox_key(mailbox));
	Mailbox    *account;
	Datum		account_key[MODSEQ_MAX_KEYS];
	RowPlace	place;
	uint64		rows;

	if (seek_account_of(store, key, account_key, &place))
	{
		account = account_get(store, account_key);
		if (lock_directly(store, account) &&
			seek_lock(store, key, &place, row))
		{
			mailbox_counters(mailbox)->account = account;
			return true;
		}
	}
	account = account_of(store, mailbox);
	if (account != NULL && mailbox_counters(account)->locked)
	{
		if (plan_execute(store, PLAN_LOCK_OF_ACCOUNT, key,
						 PLAN_AS_OWNER) == 0 ||
			!plan_get_account(store, 0, 7, account_key))
			return false;
		mailbox_counters(mailbox)->account = account_get(store, account_key);
		counter_read_locked(store, row);
		return true;
	}
	rows = plan_execute(store, PLAN_LOCK_COUNTED, key, PLAN_AS_OWNER);
	if (rows == 0)
	{
		plan_execute(store, PLAN_ADD_ACCOUNT, key, PLAN_AS_OWNER);
		rows = plan_execute(store, PLAN_LOCK_COUNTED, key, PLAN_AS_OWNER);
	}
	if (rows == 0)
		return false;
	if (!plan_get_account(store, 0, 13, account_key))
		elog(ERROR, "mailbox without an account was found by its account");
	account = account_get(store, account_key);
	mailbox_counters(mailbox)->account = account;
	know(account, 7);
	counter_read_locked(store, row);
	return true;
}

/* account_lock: the same for an account alone, which has a row */
void
account_lock(Store *store, Mailbox *account)
{
	if (lock_directly(store, account))
		return;
	SPI_connect();
	if (plan_execute(store, PLAN_LOCK_ACCOUNT,
					 unconstify(Datum *, account->account_key),
					 PLAN_AS_OWNER) > 0)
		know(account, 1);
	SPI_finish();
	if (!mailbox_counters(account)->locked)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("account %s has no row in table %s",
						account_text(store, account->account_key),
						store->table[TABLE_ACCOUNT].name),
				 errdetail("Its mailboxes have been counted there."),
				 errhint("Call modseq.attach() again, which creates the rows that are missing.")));
}

/* --- handing out ------------------------------------------------------- */

/*
 * account_guess: the value that the statement in progress will get, if nobody
 * else takes one of the account before we have its lock; -1: there is nothing
 * to guess from
 */
int64
account_guess(Store *store, Mailbox *mailbox)
{
	Mailbox    *account = account_of(store, mailbox);
	AccountRow	row;
	int64		guess = -1;

	if (account != NULL && mailbox_counters(account)->locked)
		return account_modseq(store, account, 0);
	if (account != NULL &&
		seek_account(store, account->account_key, false, &row))
		return row.number[0] < MODSEQ_MAX ?
			Max(row.number[0], incarnation_current()->modseq) + 1 : -1;
	SPI_connect();
	if (plan_execute(store, PLAN_READ_COUNTED,
					 unconstify(Datum *, mailbox_key(mailbox)),
					 PLAN_READ_COMMITTED) > 0)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull);
		int64		highest = effective_highestmodseq(isnull, isnull ? 0 :
													  DatumGetInt64(value));

		if (highest < MODSEQ_MAX)
			guess = Max(highest, incarnation_current()->modseq) + 1;
	}
	SPI_finish();
	return guess;
}

/*
 * account_modseq: the value of the statement in progress, taken at the first
 * call; above that of the mailbox, which is given
 *
 * One that the mailbox has already was written, before all of the statement is.
 */
int64
account_modseq(Store *store, Mailbox *account, int64 least)
{
	Counters   *counters = mailbox_counters(account);
	Work	   *work = mailbox_work(account);
	int64		value = work->value;

	account_lock(store, account);
	for (const MailboxLevel *outer = account->level->outer; outer != NULL;
		 outer = outer->outer)
		value = Max(value, outer->work.value);
	if (value > least)
	{
		work->value = value;
		return value;
	}
	least = Max(least, incarnation_current()->modseq);
	value = Max(Max(value, counters->highestmodseq), Max(work->least, least));
	if (value >= MODSEQ_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("account %s has no mod-sequence left",
						account_text(store, account->account_key)),
				 errdetail("The last value that it has given is " INT64_FORMAT
						   ", the highest that RFC 7162 allows.", value),
				 errhint("Copy its messages into mailboxes of a new account.")));
	work->value = value + 1;
	statement_list(account);
	return work->value;
}

/* account_used: a mailbox was written with that value; bits say what changed */
void
account_used(Mailbox *account, int64 value, int changed)
{
	Work	   *work = mailbox_work(account);

	work->value = Max(work->value, value);
	work->used = true;
	work->changed |= changed;
	statement_list(account);
}

/*
 * account_cover: the mailbox has that HIGHESTMODSEQ, and it is not from us; the
 * account's must not be lower
 */
void
account_cover(Store *store, Mailbox *mailbox, int64 highest)
{
	Mailbox    *account = account_of(store, mailbox);
	Work	   *work;

	if (account == NULL)
		return;
	account_lock(store, account);
	if (highest <= mailbox_counters(account)->highestmodseq)
		return;
	work = mailbox_work(account);
	work->least = Max(work->least, highest);
	work->changed |= STATE_CHANGED(STATE_MAILBOX);
	statement_list(account);
}

/*
 * account_hand: what left the mailbox left its account
 *
 * Though the mailbox is gone, if its row was heard of.  False if it was not:
 * then that waits for us to hear of a rename.
 */
bool
account_hand(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	Mailbox    *account = account_of(store, mailbox);
	Work	   *target;
	int64		value;

	if (account == NULL)
		return false;
	value = account_modseq(store, account, 0);
	target = mailbox_work(account);
	account_used(account, value, work->changed |
				 STATE_CHANGED(STATE_MAILBOX) |
				 (departures_count(work->departed) > 0 ?
				  STATE_CHANGED(STATE_EMAIL) : 0));
	departures_move(&work->departed, &target->departed);
	return true;
}

/* --- settling ---------------------------------------------------------- */

/*
 * account_tell: the mailbox is settled; its account hears of its value, and of
 * what has changed under it; what has become of the mailbox itself is to be in
 * its row
 *
 * Messages of one that is gone, of which only the counters are there, are in no
 * account.
 */
void
account_tell(Store *store, Mailbox *mailbox, CounterValues *values)
{
	Counters   *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);

	if (work->used && counters->locked)
	{
		Mailbox    *account = account_of(store, mailbox);
		int			changed = counters->remembered ? 0 :
			work->changed | STATE_CHANGED(STATE_MAILBOX);

		if (!counters->remembered &&
			!uidset_builder_is_empty(&work->appeared) &&
			(mailbox_work(account)->changed &
			 STATE_CHANGED(STATE_THREAD)) == 0 &&
			departed_has_new_email(store, mailbox, account, work->value))
			changed |= STATE_CHANGED(STATE_THREAD);
		account_used(account, work->value, changed);
		values->created_modseq = work->made ? work->value : 0;
		values->properties_modseq = work->made || work->altered ?
			work->value : 0;
	}
	work->changed = 0;
	work->made = work->revived = work->altered = false;
	uidset_builder_free(&work->appeared);
	uidset_builder_free(&work->begun);
}

/* States below the floor are forgotten; it is only raised */
static void
write_by_key(Store *store, Mailbox *account, const CounterValues *values,
			 int64 floor)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	int			n = store->naccounts;
	Counters   *counters = mailbox_counters(account);
	uint64		rows;

	memcpy(params, account->account_key, sizeof(Datum) * n);
	params[n++] = Int64GetDatum(values->highestmodseq);
	for (int i = 0; i < ACCOUNT_STATES; i++)
		params[n++] = Int64GetDatum(values->state[i]);
	params[n++] = Int64GetDatum(floor);
	SPI_connect();
	rows = plan_execute(store, PLAN_WRITE_ACCOUNT, params, PLAN_AS_OWNER);

	/* Where the row is now, and what it has, is asked again */
	counters->locked = false;
	if (rows == 1 &&
		plan_execute(store, PLAN_LOCK_ACCOUNT, params, PLAN_AS_OWNER) == 1)
		know(account, 1);
	SPI_finish();
	if (!counters->locked || counters->highestmodseq < values->highestmodseq ||
		memcmp(counters->state, values->state, sizeof(counters->state)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("counters of account %s could not be written",
						account_text(store, account->account_key)),
				 errdetail_not_kept(store, TABLE_ACCOUNT),
				 errhint("Let it leave the columns of modseq as they are.")));
}

/*
 * account_settle: all mailboxes that the statement has changed are written;
 * write what left the account, and its counters
 */
void
account_settle(Store *store, Mailbox *account)
{
	Counters   *counters = mailbox_counters(account);
	Work	   *work = mailbox_work(account);
	CounterValues values = {0};
	int64		value = work->value;
	int64		jump;

	if (work->used && (work->changed & STATE_CHANGED(STATE_THREAD)) == 0 &&
		departed_changes_threads(store, account))
		work->changed |= STATE_CHANGED(STATE_THREAD);
	if (work->departed != NULL)
		departed_write(store, account, value);
	values.highestmodseq = Max(counters->highestmodseq, work->least);
	if (work->used)
		values.highestmodseq = Max(values.highestmodseq, value);
	for (int i = 0; i < ACCOUNT_STATES; i++)
		values.state[i] = (work->changed & STATE_CHANGED(i)) != 0 ?
			values.highestmodseq : counters->state[i];
	work->value = 0;
	work->used = false;
	work->changed = 0;
	work->made = false;
	work->least = 0;
	if (values.highestmodseq == counters->highestmodseq)
		return;

	/* What a lost server may have told of the account is not known any more */
	jump = incarnation_current()->modseq;
	if (counters->highestmodseq <= jump && values.highestmodseq > jump)
		write_by_key(store, account, &values, values.highestmodseq);
	else if (!direct_write(store, account, &values))
		write_by_key(store, account, &values, 0);
	counters->highestmodseq = values.highestmodseq;
	memcpy(counters->state, values.state, sizeof(counters->state));
	notify_note_account(store, account);
}

/* Everything was in level.c's memory, which is gone with the transaction */
void
account_transaction_end(void)
{
	accounts = NULL;
}
