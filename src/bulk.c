/*-------------------------------------------------------------------------
 *
 * bulk.c
 *	  Whole tables that come or go: TRUNCATE, and partitions.
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
#include "modseq.h"

#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_trigger_truncate);
PG_FUNCTION_INFO_V1(modseq_trigger_truncate_flag);

/* The table whose messages are about to arrive, see bulk_messages_arrive() */
static Oid	arriving = InvalidOid;

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

/* bulk_messages_leave: all messages of that table, of whichever mailbox */
void
bulk_messages_leave(Store *store, Oid relid)
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

/* bulk_flags_change: those of all messages that rows of that table belong to */
void
bulk_flags_change(Store *store, Oid relid)
{
	SPI_connect();
	flagged_stamp(store, plan_scan(store, PLAN_ALL_FLAGGED, relid));
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

/* bulk_mailboxes_leave: their history goes with them */
void
bulk_mailboxes_leave(Store *store, Oid relid)
{
	for_each_mailbox(store, PLAN_ALL_MAILBOXES, relid, forget_mailbox);
}

/* bulk_sources_leave: and the rows that side tables have for them */
void
bulk_sources_leave(Store *store, Oid relid)
{
	for_each_mailbox(store, PLAN_ALL_SOURCES, relid, mailbox_remove);
}

/* --- messages that come -------------------------------------------------------- */

/* bulk_is_arriving: do messages arrive with that table right now? */
bool
bulk_is_arriving(Relation rel)
{
	return OidIsValid(arriving) &&
		(arriving == RelationGetRelid(rel) ||
		 list_member_oid(get_partition_ancestors(RelationGetRelid(rel)),
						 arriving));
}

/*
 * bulk_messages_arrive: the messages of a table that is a partition now
 *
 * Whatever UIDs and mod-sequences they have may have been used, so each gets
 * new ones, in the order of mailbox and old UID.  New UIDs start above the old
 * ones, too, since an index that holds both for a moment may be unique.
 */
void
bulk_messages_arrive(Store *store, Oid relid)
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
	{
		arriving = relid;
		PG_TRY();
		{
			plan_scan(store, PLAN_TOUCH_MESSAGES, relid);
		}
		PG_FINALLY();
		{
			arriving = InvalidOid;
		}
		PG_END_TRY();
	}
	SPI_finish();
}

/* bulk_mailboxes_arrive: clients that knew of them before start over */
void
bulk_mailboxes_arrive(Store *store, Oid relid)
{
	SPI_connect();
	plan_scan(store, PLAN_RESET_MAILBOXES, relid);
	SPI_finish();
}

/* bulk_sources_arrive: side tables have rows for them, too */
void
bulk_sources_arrive(Store *store, Oid relid)
{
	for_each_mailbox(store, PLAN_ALL_SOURCES, relid, mailbox_add);
}

/* --- TRUNCATE -------------------------------------------------------------------- */

/*
 * What a TRUNCATE takes from a table.  TRUNCATE of a partitioned table fires
 * its triggers and those of each partition; the rows are the partitions'.  One
 * that lacks the trigger is looked after by the table that the statement named.
 */
static void
collect_truncated(Store *store, Relation rel, const char *function,
				  void (*collect) (Store *store, Oid relid))
{
	List	   *partitions;
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
	{
		collect(store, RelationGetRelid(rel));
		return;
	}
	partitions = find_all_inheritors(RelationGetRelid(rel), NoLock, NULL);
	foreach(lc, partitions)
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_PARTITIONED_TABLE &&
			!partition_has_trigger(lfirst_oid(lc), function))
			collect(store, lfirst_oid(lc));
}

/*
 * modseq.trigger_truncate(): BEFORE TRUNCATE of a message table
 *
 * Every message vanishes, when trigger_flush() completes the statement after
 * the TRUNCATE.
 */
Datum
modseq_trigger_truncate(PG_FUNCTION_ARGS)
{
	Relation	rel = trigger_data(fcinfo)->tg_relation;

	statement_open();
	collect_truncated(shape_of_messages(rel)->store, rel, "trigger_truncate",
					  bulk_messages_leave);
	return PointerGetDatum(NULL);
}

/*
 * modseq.trigger_truncate_flag(message): BEFORE TRUNCATE of a flag table
 *
 * Every message that has a flag changes, when trigger_flush() completes the
 * statement after the TRUNCATE.
 */
Datum
modseq_trigger_truncate_flag(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo);
	RowShape   *shape = shape_of_flags(data->tg_relation, data->tg_trigger);

	statement_open();
	collect_truncated(shape->store, data->tg_relation, "trigger_truncate_flag",
					  bulk_flags_change);
	return PointerGetDatum(NULL);
}
