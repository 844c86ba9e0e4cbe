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

/* Is there a row with that key, or is there none, as it should be? */
static void
check_row(Store *store, Datum *key, bool wanted)
{
	if (!store->table[TABLE_MAILBOX].altered)
		return;
	if ((plan_execute(store, PLAN_READ_MAILBOX, key, PLAN_AS_OWNER) > 0) !=
		wanted)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("row of mailbox %s could not be kept with that of table %s",
						key_text(store, key), store->table[TABLE_SOURCE].name),
				 errdetail("A trigger or rule of table %s changed or suppressed what modseq wrote.",
						   store->table[TABLE_MAILBOX].name),
				 errhint("Let it leave the rows and columns of modseq as they are.")));
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
		plan_execute(store, PLAN_FIND_SOURCE, key, PLAN_AS_OWNER) == 0)
		return false;
	plan_execute(store, PLAN_ADD_MAILBOX, key, PLAN_AS_OWNER);
	check_row(store, key, true);
	return true;
}

/* source_add: there is a mailbox with that key, be there a row for it or not */
void
source_add(Store *store, Datum *key)
{
	SPI_connect();
	plan_execute(store, PLAN_ADD_MAILBOX, key, PLAN_AS_OWNER);
	check_row(store, key, true);
	SPI_finish();
}

/* source_remove: the mailbox with that key is gone */
void
source_remove(Store *store, Datum *key)
{
	SPI_connect();
	plan_execute(store, PLAN_REMOVE_MAILBOX, key, PLAN_AS_OWNER);
	check_row(store, key, false);
	SPI_finish();
}

/* source_rename: it has another key now, which is behind the old one */
void
source_rename(Store *store, Datum *keys)
{
	SPI_connect();
	plan_execute(store, PLAN_RENAME_MAILBOX, keys, PLAN_AS_OWNER);
	check_row(store, keys, false);
	SPI_finish();
}

/* source_clear: the mailboxes that the source does not have are gone */
void
source_clear(Store *store)
{
	SPI_connect();
	plan_execute(store, PLAN_CLEAR_MAILBOXES, NULL, PLAN_AS_OWNER);
	SPI_finish();
}
