/*-------------------------------------------------------------------------
 *
 * source.c
 * 	  The rows of a side table, beside those of its source.
 *
 * The mailbox table is the one with the counters.  It may be a side table of
 * another one, the source, which the application knows.
 *
 * Locks: the row locks of the mailboxes that are added, renamed or removed.
 *
 * Memory: SPI's.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

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
		plan_execute(store, PLAN_FIND_SOURCE, key, PLAN_AS_OWNER) == 0)
		return false;
	plan_execute(store, PLAN_ADD_MAILBOX, key, PLAN_AS_OWNER);
	return true;
}

/* Runs a query that adds, renames or removes rows of the side table */
static void
change_mailboxes(Store *store, PlanId id, Datum *params)
{
	SPI_connect();
	plan_execute(store, id, params, PLAN_AS_OWNER);
	SPI_finish();
}

/* source_add: there is a mailbox with that key, be there a row for it or not */
void
source_add(Store *store, Datum *key)
{
	change_mailboxes(store, PLAN_ADD_MAILBOX, key);
}

/* source_remove: the mailbox with that key is gone */
void
source_remove(Store *store, Datum *key)
{
	change_mailboxes(store, PLAN_REMOVE_MAILBOX, key);
}

/* source_rename: it has another key now, which is behind the old one */
void
source_rename(Store *store, Datum *keys)
{
	change_mailboxes(store, PLAN_RENAME_MAILBOX, keys);
}

/* source_clear: the mailboxes that the source does not have are gone */
void
source_clear(Store *store)
{
	change_mailboxes(store, PLAN_CLEAR_MAILBOXES, NULL);
}
