/*-------------------------------------------------------------------------
 *
 * source.c
 * 	  The rows of a side table, beside those of its source.
 *
 * The mailbox table is the one with the counters.  It may be a side table of
 * another one, the source, which the application knows.  It may be a table of
 * the application's, or one of ours.
 *
 * In a table of ours, a mailbox that goes is remembered as long as messages of
 * it are there, as where rows of mailboxes are replaced, or loaded anew, under
 * messages that stay.  If a mailbox gets its key again, then it counts on, and
 * nothing that vanished is forgotten (RFC 9051 section 2.3.1.1).  Meanwhile no
 * message arrives there, but changes are counted: whoever makes them and the
 * one who makes the mailbox anew wait for each other.  If no message is left,
 * or if a foreign key takes them along, nothing of it is kept: another mailbox
 * with its key gets a new UIDVALIDITY, from the column's default.
 *
 * Locks: the row locks of the mailboxes that are added, renamed or removed.
 *
 * Memory: SPI's.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

/* What there is under a key */
typedef enum RowState
{
	ROW_NONE,
	ROW_THERE,					/* of a mailbox that is there */
	ROW_REMEMBERED				/* of one that is gone */
} RowState;

static void
not_kept(Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("row of mailbox %s could not be kept with that of table %s",
					key_text(store, key), store->table[TABLE_SOURCE].name),
			 errdetail_not_kept(store, TABLE_MAILBOX),
			 errhint("Let it leave the rows and columns of modseq as they are.")));
}

/* Is there what should be, if something of others may have changed it? */
static void
check_row(Store *store, Datum *key, RowState wanted)
{
	RowState	state = ROW_NONE;
	bool		isnull;

	if (!store->table[TABLE_MAILBOX].altered)
		return;
	SPI_connect();
	if (plan_execute(store, PLAN_LOCK_MAILBOX, key, PLAN_AS_OWNER) > 0)
		state = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, 6,
										   &isnull)) ?
			ROW_REMEMBERED : ROW_THERE;
	SPI_finish();
	if (state != wanted)
		not_kept(store, key);
}

/*
 * A mailbox gets a key that there are counters for.  Either its row has been
 * used already, by the query that renames it; the numbers under its old key
 * were not known under the new one, and may have been given out again.  Or they
 * are another mailbox's, which is about to leave the key.
 */
static void
renamed_early(const Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("mailbox %s is renamed by a statement that is not over",
					key_text(store, key)),
			 errdetail("Its counters, in table %s, are still under its old key.",
					   store->table[TABLE_MAILBOX].name),
			 errhint("Rename the mailbox in a statement before this one.")));
}

/*
 * Adds a row for the mailbox with that key, by that query.  It has the account
 * of the source's row, which is not there any more if that is gone again.
 */
static void
add_row(Store *store, const Datum *key, PlanId id)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	bool		found = true;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	SPI_connect();
	if (store->has_accounts)
		found = plan_execute(store, PLAN_SOURCE_ACCOUNT, params,
							 PLAN_AS_OWNER) > 0 &&
			plan_get_account(store, 0, 1, params + store->nkeys);
	if (found)
		plan_execute(store, id, params, PLAN_AS_OWNER);
	SPI_finish();
}

/*
 * Adds the row of a side table that its source has and this has not: the
 * source's trigger fires after the statement, which may insert messages too.
 * False if the source has no such row either.
 */
bool
source_supply(Store *store, Mailbox *mailbox)
{
	Datum	   *key = unconstify(Datum *, mailbox_key(mailbox));

	if (!OidIsValid(store->table[TABLE_SOURCE].relid) ||
		plan_execute(store, PLAN_SEE_SOURCE, key, PLAN_AS_OWNER) == 0)
		return false;
	add_row(store, key, store->has_accounts ? PLAN_ADD_COUNTED :
			PLAN_ADD_MAILBOX);
	check_row(store, key, ROW_THERE);
	return true;
}

/* source_add: there is a mailbox with that key, be there a row for it or not */
void
source_add(Store *store, const Datum *key)
{
	if (store->has_accounts)
		add_row(store, key, store->counters != NULL ? PLAN_BRING_COUNTED :
				PLAN_ADD_COUNTED);
	else
		add_row(store, key, store->counters != NULL ? PLAN_BRING_MAILBOX :
				PLAN_ADD_MAILBOX);
	check_row(store, unconstify(Datum *, key), ROW_THERE);
}

/* source_has_messages: are there any under that key, with UIDs below that? */
bool
source_has_messages(Store *store, const Datum *key, int64 uidnext)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(uidnext);
	return plan_run(store, PLAN_SEE_MESSAGE, params) > 0;
}

/* source_remove: the mailbox with that key is gone */
void
source_remove(Store *store, Datum *key)
{
	if (store->remembers)
	{
		/* Whoever has inserted messages there is waited for, and then looked */
		plan_run(store, PLAN_LOCK_MAILBOX, key);
		if (plan_run(store, PLAN_REMEMBER_MAILBOX, key) > 0)
		{
			check_row(store, key, ROW_REMEMBERED);
			return;
		}
		if (store->table[TABLE_MAILBOX].altered &&
			source_has_messages(store, key, PG_INT64_MAX))
			not_kept(store, key);
	}
	plan_run(store, PLAN_REMOVE_MAILBOX, key);
	check_row(store, key, ROW_NONE);
}

/* source_look: the mailbox with that key is gone, if the source has no row */
void
source_look(Store *store, Datum *key)
{
	if (plan_run(store, PLAN_SEE_SOURCE, key) == 0)
		source_remove(store, key);
}

/*
 * Makes room for a mailbox that gets the key.  Returns whether there were the
 * counters of one that is gone, which params are to be raised over.
 */
static bool
replace_remembered(Store *store, Datum *key, Datum *params)
{
	bool		found;
	bool		isnull;

	SPI_connect();
	found = plan_execute(store, PLAN_REPLACE_MAILBOX, key, PLAN_AS_OWNER) > 0;
	for (int i = 0; found && i < 2; i++)
		params[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
								  i + 1, &isnull);
	SPI_finish();
	return found;
}

/* A number of the row with that key, by its place in the query; -1 for none */
static int64
read_number(Store *store, Datum *key, int number)
{
	bool		isnull = true;
	Datum		value = 0;

	SPI_connect();
	if (plan_execute(store, PLAN_READ_MAILBOX, key, PLAN_AS_OWNER) > 0)
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							  number, &isnull);
	SPI_finish();
	return isnull ? -1 : DatumGetInt64(value);
}

/*
 * The mailbox with the key that params begin with gets a new UIDVALIDITY, and
 * numbers that are at least those behind the key
 */
static void
renew(Store *store, Datum *params)
{
	const Datum *numbers = params + store->nkeys;
	bool		altered = store->table[TABLE_MAILBOX].altered;
	int64		uidvalidity = altered ? read_number(store, params, 1) : 0;

	if (plan_run(store, PLAN_RENEW_MAILBOX, params) == 0 &&
		(!altered || uidvalidity >= PG_UINT32_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UIDVALIDITY of mailbox %s cannot rise any more",
						key_text(store, params)),
				 errdetail("There are messages under its new key, so that it gets a higher one than it has."),
				 errhint("Delete these messages, or give the mailbox another key.")));
	if (!altered)
		return;
	if (read_number(store, params, 1) <= uidvalidity ||
		read_number(store, params, 2) < DatumGetInt64(numbers[0]) ||
		read_number(store, params, 3) < DatumGetInt64(numbers[1]))
		not_kept(store, params);
}

/*
 * source_is_remembered: our trigger has told of the row just now: are only its
 * counters there?
 */
bool
source_is_remembered(Store *store, const Datum *key)
{
	Mailbox    *mailbox = mailbox_find(store, key);

	return mailbox == NULL || mailbox_counters(mailbox)->gone ||
		mailbox_counters(mailbox)->remembered;
}

/*
 * source_meets_messages: a mailbox is to get the key that is behind its own;
 * are there messages, which a mailbox has left there when it was renamed?
 *
 * In this transaction it may have been the same: then they are its own.
 */
bool
source_meets_messages(Store *store, const Datum *keys)
{
	const Datum *to = keys + store->nkeys;
	Mailbox    *former;

	if (!store->remembers)
		return false;
	former = mailbox_find(store, to);
	return (former == NULL || former != mailbox_find(store, keys)) &&
		source_has_messages(store, to, PG_INT64_MAX);
}

/* The numbers that the messages under the key have, to be raised over */
static void
read_last_message(Store *store, Datum *key, Datum *params)
{
	SPI_connect();
	plan_execute(store, PLAN_LAST_MESSAGE, key, PLAN_AS_OWNER);
	for (int i = 0; i < 2; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, i + 1,
										  &isnull);
		int64		number = isnull ? 0 : DatumGetInt64(value);

		/* The first is a UID, above which UIDNEXT is */
		params[i] = Int64GetDatum(i > 0 ? Max(number, MODSEQ_UNUSED) :
								  Min(number, UIDSET_MAX_UID) + 1);
	}
	SPI_finish();
}

/*
 * source_rename: it has another key now, which is behind the old one
 *
 * If messages of a mailbox that is gone, or has left them, are under that key,
 * then they are in this one now, under UIDs that it may have used itself: so it
 * counts on above both, and gets a new UIDVALIDITY.  If this transaction has
 * made the row, or written it before, then there are counters, or they are
 * still under another key.  False if there is still to be a row under the new
 * key: it had none, or a remembered one.
 */
bool
source_rename(Store *store, Datum *keys, bool counted)
{
	Datum	   *to = keys + store->nkeys;
	Datum		params[MODSEQ_MAX_PARAMS];
	bool		renewed = false;
	bool		meets = false;
	uint64		rows;

	if (plan_run(store, PLAN_READ_MAILBOX, to) > 0)
	{
		renewed = store->counters != NULL &&
			replace_remembered(store, to, params + store->nkeys);
		check_row(store, to, renewed ? ROW_NONE : ROW_THERE);
		if (!renewed)
			renamed_early(store, to);
	}
	else
		meets = source_meets_messages(store, keys);
	rows = plan_run(store, PLAN_RENAME_MAILBOX, keys);
	check_row(store, keys, ROW_NONE);
	if (rows > 0)
		check_row(store, to, ROW_THERE);
	else if (counted)
		renamed_early(store, to);
	if (meets && rows > 0)
	{
		read_last_message(store, to, params + store->nkeys);
		renewed = true;
	}
	if (renewed)
	{
		memcpy(params, to, sizeof(Datum) * store->nkeys);
		renew(store, params);
	}
	return rows > 0 && !source_is_remembered(store, to);
}

/*
 * source_check_gone: rows of our table of counters are deleted, that with a key
 * or all; not by us, who do that when the mailbox is gone
 *
 * The mailbox would count from the beginning, below the messages that it has.
 */
void
source_check_gone(Store *store, const Datum *key)
{
	if (store->counters == NULL || plan_running != NULL ||
		plan_run(store, key != NULL ? PLAN_SEE_SOURCE : PLAN_SEE_ANY_SOURCE,
				 key) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("counters cannot be deleted while their mailbox exists"),
			 key != NULL ?
			 errdetail("UIDs and mod-sequences of mailbox %s would be given a second time.",
					   key_text(store, key)) :
			 errdetail("UIDs and mod-sequences would be given a second time."),
			 errhint("Delete the mailbox from table %s, and its counters go.",
					 store->table[TABLE_SOURCE].name)));
}

/* source_clear: the mailboxes that the source does not have are gone */
void
source_clear(Store *store)
{
	if (store->remembers)
		plan_run(store, PLAN_REMEMBER_MAILBOXES, NULL);
	plan_run(store, store->counters != NULL ? PLAN_FORGET_MAILBOXES :
			 PLAN_CLEAR_MAILBOXES, NULL);
	if (!store->table[TABLE_MAILBOX].altered)
		return;
	SPI_connect();
	if (plan_execute(store, PLAN_STRAY_MAILBOX, NULL, PLAN_AS_OWNER) > 0)
	{
		Datum		key[MODSEQ_MAX_KEYS];

		plan_get_key(store, 0, key);
		not_kept(store, key);
	}
	SPI_finish();
}
