/*-------------------------------------------------------------------------
 *
 * bulk.c
 *	  Whole tables that come or go: by TRUNCATE, or as partitions.
 *
 * No row trigger fires for these rows, so they are read: before they go, or
 * when they have come.
 *
 * Locks: the table is locked against writers by then, so that what is read is
 * all there is.  Reading takes a new snapshot, also in REPEATABLE READ, where
 * the transaction's own may be older than that lock; if a mailbox is newer than
 * the transaction's snapshot, that is a serialization failure.  Mailbox locks
 * are taken when the statement is completed, ascending, but for that check, and
 * for messages that come: theirs before the first is numbered, ascending.
 *
 * Memory: SPI's, and what statement.c collects.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/xact.h"
#include "utils/lsyscache.h"

static void
check_snapshot(Store *store, const Datum *key)
{
	if (!counter_lock(store, known_mailbox(store, key)))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access to mailbox %s",
						key_text(store, key)),
				 errdetail("It is newer than the transaction's snapshot."),
				 errhint("The transaction might succeed if retried.")));
}

/* All messages of that table vanish, of whichever mailbox */
static void
messages_leave(Store *store, Oid relid)
{
	uint64		rows;

	SPI_connect();
	rows = plan_scan(store, PLAN_ALL_MESSAGES, relid);
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		key[MODSEQ_MAX_KEYS];
		int64		uid;
		bool		live;

		if (!plan_get_message(store, i, key, &uid, &live) || !live)
			continue;
		if (IsolationUsesXactSnapshot())
			check_snapshot(store, key);
		statement_vanish(store, key, uid);
	}
	SPI_finish();
}

/* All messages that rows of that table belong to have other flags */
static void
flags_change(Store *store, Oid relid)
{
	SPI_connect();
	flagged_stamp(store, plan_scan(store,
								   store->flag_message.name != NULL ?
								   PLAN_ALL_FLAGGED : PLAN_ALL_FLAGGED_UIDS,
								   relid));
	SPI_finish();
}

/* What is done to each mailbox that a table names */
static void
for_each_mailbox(Store *store, PlanId id, Oid relid,
				 void (*do_it) (Store *store, Datum *key))
{
	uint64		rows;

	SPI_connect();
	rows = plan_scan(store, id, relid);
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		key[MODSEQ_MAX_PARAMS];
		int64		unused;
		bool		live;

		if (plan_get_message(store, i, key, &unused, &live))
			do_it(store, key);
	}
	SPI_finish();
}

static void
forget_mailbox(Store *store, Datum *key)
{
	vanished_drop(store, key);
	counter_row_gone(known_mailbox(store, key));
}

/* bulk_leave: the rows of that table, which has that role, are about to go */
void
bulk_leave(Store *store, TableRole role, Oid relid)
{
	switch (role)
	{
		case TABLE_MESSAGE:
			messages_leave(store, relid);
			break;
		case TABLE_MAILBOX:
			/* Their history goes with them */
			for_each_mailbox(store, PLAN_ALL_MAILBOXES, relid, forget_mailbox);
			break;
		case TABLE_SOURCE:
			/* And the rows that the side table has for them */
			for_each_mailbox(store, PLAN_ALL_SOURCES, relid, source_remove);
			break;
		default:
			flags_change(store, relid);
			break;
	}
}

/* --- rows that come ------------------------------------------------------------ */

/* Updates each message, and the triggers see that it arrives */
static void
touch_messages(Store *store, Oid relid)
{
	crossing_set_arriving(relid);
	PG_TRY();
	{
		plan_scan(store, PLAN_TOUCH_MESSAGES, relid);
	}
	PG_FINALLY();
	{
		crossing_set_arriving(InvalidOid);
	}
	PG_END_TRY();
}

/*
 * The messages of a table that is a partition now arrive
 *
 * Whatever UIDs and mod-sequences they have may have been used, so each gets
 * new ones, in the order of mailbox and old UID.  New UIDs start above the old
 * ones, too, since an index that holds both for a moment may be unique.
 */
static void
messages_arrive(Store *store, Oid relid)
{
	uint64		rows;

	SPI_connect();
	rows = plan_scan(store, PLAN_LAST_UIDS, relid);
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		key[MODSEQ_MAX_KEYS];
		int64		uid;
		bool		live;
		Mailbox    *mailbox;

		if (!plan_get_message(store, i, key, &uid, &live))
			continue;
		mailbox = known_mailbox(store, key);
		if (!counter_lock(store, mailbox))
			counter_no_mailbox(store, key);
		counter_skip_uids(mailbox, uid);
	}
	if (rows > 0)
		touch_messages(store, relid);
	SPI_finish();
}

/* Clients that knew of these mailboxes before start over */
static void
mailboxes_arrive(Store *store, Oid relid)
{
	SPI_connect();
	plan_scan(store, PLAN_RESET_MAILBOXES, relid);
	SPI_finish();
}

/* bulk_arrive: the rows of that table, which has that role, have come */
void
bulk_arrive(Store *store, TableRole role, Oid relid)
{
	switch (role)
	{
		case TABLE_MESSAGE:
			messages_arrive(store, relid);
			break;
		case TABLE_MAILBOX:
			mailboxes_arrive(store, relid);
			break;
		case TABLE_SOURCE:
			/* The side table has rows for them, too */
			for_each_mailbox(store, PLAN_ALL_SOURCES, relid, source_add);
			break;
		default:
			flags_change(store, relid);
			break;
	}
}
