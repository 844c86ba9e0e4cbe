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

/* Runs a query that reads, adds, renames or removes rows */
static uint64
run_query(Store *store, PlanId id, Datum *params)
{
	uint64		rows;

	SPI_connect();
	rows = plan_execute(store, id, params, PLAN_AS_OWNER);
	SPI_finish();
	return rows;
}

/* Is there a row with that key, or is there none, as it should be? */
static void
check_row(Store *store, Datum *key, bool wanted)
{
	if (!store->table[TABLE_MAILBOX].altered)
		return;
	if ((run_query(store, PLAN_READ_MAILBOX, key) > 0) != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("row of mailbox %s could not be kept with that of table %s",
						key_text(store, key), store->table[TABLE_SOURCE].name),
				 errdetail("A trigger or rule of table %s changed or suppressed what modseq wrote.",
						   store->table[TABLE_MAILBOX].name),
				 errhint("Let it leave the rows and columns of modseq as they are.")));
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
	plan_execute(store, PLAN_ADD_MAILBOX, key, PLAN_AS_OWNER);
	check_row(store, key, true);
	return true;
}

/* source_add: there is a mailbox with that key, be there a row for it or not */
void
source_add(Store *store, Datum *key)
{
	run_query(store, store->counters != NULL ? PLAN_BRING_MAILBOX :
			  PLAN_ADD_MAILBOX, key);
	check_row(store, key, true);
}

/* source_remove: the mailbox with that key is gone */
void
source_remove(Store *store, Datum *key)
{
	if (store->remembers)
	{
		/* Whoever has inserted messages there is waited for, and then looked */
		run_query(store, PLAN_LOCK_MAILBOX, key);
		if (run_query(store, PLAN_REMEMBER_MAILBOX, key) > 0)
			return;
	}
	run_query(store, PLAN_REMOVE_MAILBOX, key);
	check_row(store, key, false);
}

/* source_look: the mailbox with that key is gone, if the source has no row */
void
source_look(Store *store, Datum *key)
{
	if (run_query(store, PLAN_SEE_SOURCE, key) == 0)
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

/*
 * source_rename: it has another key now, which is behind the old one
 *
 * If messages of a mailbox that is gone are under that key, then they are in
 * this one now, under UIDs that it may have used itself: so it counts on above
 * both, and gets a new UIDVALIDITY.  If this transaction has made the row, or
 * written it before, then there are counters, or they are still under another
 * key.
 */
void
source_rename(Store *store, Datum *keys, bool counted)
{
	Datum	   *to = keys + store->nkeys;
	Datum		params[MODSEQ_MAX_PARAMS];
	bool		renew = false;

	if (run_query(store, PLAN_READ_MAILBOX, to) > 0)
	{
		memcpy(params, to, sizeof(Datum) * store->nkeys);
		renew = store->counters != NULL &&
			replace_remembered(store, to, params + store->nkeys);
		if (!renew)
			renamed_early(store, to);
	}
	if (run_query(store, PLAN_RENAME_MAILBOX, keys) == 0 && counted)
		renamed_early(store, to);
	check_row(store, keys, false);
	if (renew && run_query(store, PLAN_RENEW_MAILBOX, params) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UIDVALIDITY of mailbox %s cannot rise any more",
						key_text(store, to)),
				 errdetail("There are messages under its new key, so that it gets a higher one than it has."),
				 errhint("Delete these messages, or give the mailbox another key.")));
}

/* source_clear: the mailboxes that the source does not have are gone */
void
source_clear(Store *store)
{
	if (store->remembers)
		run_query(store, PLAN_REMEMBER_MAILBOXES, NULL);
	run_query(store, store->counters != NULL ? PLAN_FORGET_MAILBOXES :
			  PLAN_CLEAR_MAILBOXES, NULL);
}
