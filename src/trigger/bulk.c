/*-------------------------------------------------------------------------
 *
 * bulk.c
 *	  Whole tables that come or go: by TRUNCATE, or as partitions.
 *
 * No row trigger fires for these rows, so they are read: before they go, or
 * when they have come.  PostgreSQL reads them, and gives us a row a mailbox,
 * with the set of its UIDs.  Of a table that Citus distributes there are none
 * here: it does the same with each shard, where that is.
 *
 * Locks: the table is locked against writers by then, so that what is read is
 * all there is.  Reading takes a new snapshot, also in REPEATABLE READ, where
 * the transaction's own may be older than that lock; if a mailbox is newer than
 * the transaction's snapshot, that is a serialization failure.  Where rows are
 * flags, or messages that share flags, SHARE ROW EXCLUSIVE on the other table,
 * too (see ledger/shared.c); where DDL changes flags, on both.  Mailbox locks
 * are taken after that, when the statement is completed, ascending; of messages
 * that come, before the first is numbered, ascending.
 *
 * Memory: SPI's, of a size with the mailboxes and the ranges of their UIDs, and
 * what statement.c collects.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Does a cast that somebody has made convert this table's mailbox keys? */
static bool
has_made_cast(const Store *store, TableRole role)
{
	for (int i = 0; i < store->table[role].nkeys; i++)
	{
		Oid			funcid = InvalidOid;

		find_coercion_pathway(store->key[i].type,
							  store->table[role].key[i].type,
							  COERCION_EXPLICIT, &funcid);
		if (funcid >= FirstNormalObjectId)
			return true;
	}
	return false;
}

/*
 * A partition may have another owner than the whole table.  It is read, and
 * changed, as that one; so what the whole table's owner may have made, such as
 * its triggers, would run with the rights of another.
 */
static void
refuse_other_owner(const Store *store, TableRole role, Oid relid)
{
	Oid			whole = store->table[role].relid;
	Oid			owner = relation_owner(whole);

	if (relation_owner(relid) == owner)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("table %s has another owner than table %s",
					relation_name(relid), relation_name(whole)),
			 errdetail("Triggers and casts of the one would run with the rights of the other."),
			 errhint("Use ALTER TABLE %s OWNER TO %s before.",
					 relation_name(relid),
					 quote_identifier(GetUserNameFromId(owner, false)))));
}

/*
 * Does something to each mailbox that a table is of.  The query's rows have its
 * key, and up to four values.
 */
static void
for_each_mailbox(Store *store, PlanId id, Oid relid,
				 void (*do_it) (Store *store, Datum *key,
								const Datum *values))
{
	uint64		rows;

	SPI_connect();
	rows = plan_scan(store, id, relid);
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		key[MODSEQ_MAX_PARAMS];
		Datum		values[COUNTS] = {0};
		int			n = SPI_tuptable->tupdesc->natts - store->nkeys;
		bool		isnull;

		if (!plan_get_key(store, i, key))
			continue;
		for (int j = 0; j < n; j++)
			values[j] = SPI_getbinval(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc,
									  store->nkeys + 1 + j, &isnull);
		do_it(store, key, values);
	}
	SPI_finish();
}

/* All messages that rows of that table belong to have other flags */
static void
stamp(Store *store, Datum *key, const Datum *uids)
{
	statement_stamp_set(store, key, DatumGetUidSetP(uids[0]));
}

/* Has the table, or a partition of it, room for rows? */
static bool
may_have_rows(Oid relid)
{
	bool		result = false;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION &&
			RelationGetNumberOfBlocks(rel) > 0)
			result = true;
		table_close(rel, NoLock);
	}
	return result;
}

/*
 * Flags of messages come or go, or messages that share flags.  Of those that
 * come or move meanwhile, and are committed before us, clients would know the
 * flags as they were: so first wait for the writers of the other table, and let
 * nobody else begin.  A partition that is created has no rows.
 */
static void
wait_for_writers(Store *store, TableRole role, Oid relid)
{
	Oid			other = store->table[role].relid;

	if (!may_have_rows(relid))
		return;
	LockRelationOid(other, ShareRowExclusiveLock);
	find_all_inheritors(other, ShareRowExclusiveLock, NULL);
}

static void
flags_change(Store *store, Oid relid)
{
	wait_for_writers(store, TABLE_MESSAGE, relid);
	for_each_mailbox(store, store->flag_message.n > 0 ?
					 PLAN_ALL_FLAGGED : PLAN_ALL_FLAGGED_UIDS, relid, stamp);
}

/* Of messages, whatever is counted may be another number, too */
static void
change(Store *store, Datum *key, const Datum *uids)
{
	stamp(store, key, uids);
	counts_renew(store, mailbox_get(store, key));
}

/* --- rows that go ------------------------------------------------------ */

static void
vanish(Store *store, Datum *key, const Datum *uids)
{
	statement_vanish_set(mailbox_get(store, key), DatumGetUidSetP(uids[0]));
}

/*
 * The same for its account, which is asked for while the mailbox is there
 *
 * A partition that goes is still there when the statement is completed: so it
 * is not asked whether the Emails are.
 */
static void
depart(Store *store, Datum *key, const Datum *arrays)
{
	Mailbox    *mailbox = mailbox_get(store, key);

	if (departed_already(store, mailbox, key))
		return;
	account_of(store, mailbox);
	departed_add_arrays(store, mailbox, arrays);
	mailbox_work(mailbox)->changed |= STATE_CHANGED(STATE_THREAD);
}

/* They count no more */
static void
uncount(Store *store, Datum *key, const Datum *counted)
{
	Counts		counts;

	for (int i = 0; i < COUNTS; i++)
		counts.n[i] = DatumGetInt64(counted[i]);
	counts_subtract(store, key, &counts);
}

static void
messages_leave(Store *store, Oid relid)
{
	for_each_mailbox(store, PLAN_ALL_MESSAGES, relid, vanish);
	if (store->has_counts)
		for_each_mailbox(store, PLAN_ALL_COUNTS, relid, uncount);
	if (store->has_accounts)
		for_each_mailbox(store, store->thread.name != NULL ?
						 PLAN_ALL_MEMBERSHIPS_THREADS : PLAN_ALL_MEMBERSHIPS,
						 relid, depart);
}

/* Its account hears of a mailbox that goes, while that can be asked for it */
static void
end_mailbox(Store *store, Datum *key, const Datum *created)
{
	Mailbox    *mailbox = mailbox_get(store, key);

	if (account_of(store, mailbox) == NULL)
		return;
	mailbox_work(mailbox)->went = true;
	departed_add_mailbox(store, mailbox, key, DatumGetInt64(created[0]));
	statement_list(mailbox);
}

/* The history of a mailbox goes with it, unless it is remembered */
static void
forget_mailbox(Store *store, Datum *key, const Datum *unused)
{
	if (!store->outlives)
		vanished_drop(store, key);
	notify_gone(store, key);
	mailbox_row_gone(mailbox_get(store, key));
}

/* And so does the row that a side table has for it */
static void
remove_from_side_table(Store *store, Datum *key, const Datum *unused)
{
	source_remove(store, key);
}

/* bulk_leave: the rows of that table, which has that role, are about to go */
void
bulk_leave(Store *store, TableRole role, Oid relid)
{
	if (store->distributed)
		return;
	if (has_made_cast(store, role))
		refuse_other_owner(store, role, relid);
	switch (role)
	{
		case TABLE_MESSAGE:
			messages_leave(store, relid);
			break;
		case TABLE_MAILBOX:
			if (store->has_accounts)
				for_each_mailbox(store, PLAN_ALL_COUNTED, relid, end_mailbox);
			if (store->outlives)
				vanished_remember_table(store, relid);
			for_each_mailbox(store, PLAN_ALL_MAILBOXES, relid, forget_mailbox);
			break;
		case TABLE_SOURCE:
			for_each_mailbox(store, PLAN_ALL_SOURCES, relid,
							 remove_from_side_table);
			break;
		default:
			flags_change(store, relid);
			break;
	}
}

/*
 * bulk_open_truncate: BEFORE TRUNCATE of a mailbox table, or a partition
 *
 * Where messages can stay, the mailboxes are remembered (vanished.c).  A
 * partitioned table has no rows of its own.
 */
void
bulk_open_truncate(Relation rel)
{
	Trigger    *trigger = relation_find_trigger(rel, "trigger_mailbox");
	Store	   *store;

	if (trigger == NULL)
		return;
	store = shape_get(rel, TABLE_MAILBOX, trigger)->store;
	if (store->has_accounts && rel->rd_rel->relkind == RELKIND_RELATION)
		for_each_mailbox(store, PLAN_ALL_COUNTED, RelationGetRelid(rel),
						 end_mailbox);
	if (store->outlives)
		vanished_remember_table(store, RelationGetRelid(rel));
}

/* --- rows that come ---------------------------------------------------- */

/*
 * New UIDs start above those that the messages of a mailbox come with: the
 * highest is given, and how many messages there are.
 */
static void
skip_uids(Store *store, Datum *key, const Datum *values)
{
	Mailbox    *mailbox = mailbox_with_key(store, key);
	int64		last = DatumGetInt64(values[0]);
	int64		messages = DatumGetInt64(values[1]);

	if (!counter_lock_existing(store, mailbox))
		counter_no_mailbox(store, key);
	if (last > UIDSET_MAX_UID - messages)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("mailbox %s has too few UIDs left above "
						INT64_FORMAT, key_text(store, key), last),
				 errdetail("Messages that come with a partition get UIDs above those that they have, and at most %u.",
						   UIDSET_MAX_UID),
				 errhint("Give them lower UIDs before, such as 1, 2, 3.")));
	uid_skip(mailbox, last);
}

/* How many rows there are, for all of them were to be changed */
static uint64
count_rows(Store *store, Oid relid)
{
	bool		isnull;

	plan_scan(store, PLAN_COUNT_ROWS, relid);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

static void
not_renumbered(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("rows of table %s could not be given new numbers",
					relation_name(relid)),
			 errdetail("A trigger or rule of that table changed or suppressed what modseq wrote."),
			 errhint("Let it leave the columns of modseq as they are.")));
}

/*
 * The messages of a table that is a partition now arrive.
 *
 * Whatever UIDs and mod-sequences they have may have been used, so each gets
 * new ones, in the order of mailbox and old UID.  New UIDs start above the old
 * ones, too, since an index that holds both for a moment may be unique.  Each
 * is updated, and the triggers see that it arrives.  What another trigger, or a
 * rule, has kept from that would be live under a UID that was used.
 */
static void
messages_arrive(Store *store, Oid relid)
{
	if (store->sharing == FLAGS_SHARED)
		wait_for_writers(store, TABLE_FLAG, relid);
	for_each_mailbox(store, PLAN_LAST_UIDS, relid, skip_uids);
	crossing_set_arriving(relid);
	PG_TRY();
	{
		SPI_connect();
		plan_scan(store, PLAN_TOUCH_MESSAGES, relid);
		SPI_finish();
		if (!crossing_all_arrived(relid))
			not_renumbered(relid);
	}
	PG_FINALLY();
	{
		crossing_set_arriving(InvalidOid);
	}
	PG_END_TRY();
}

/* A mailbox that comes has the highest UIDVALIDITY that its column can have */
static void
no_uidvalidity_left(Store *store, Datum *key, const Datum *uidvalidity)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("UIDVALIDITY of mailbox %s cannot rise any more",
					key_text(store, key)),
			 errdetail("A mailbox that comes with a partition gets a higher one than it has, which is "
					   INT64_FORMAT ".", DatumGetInt64(uidvalidity[0])),
			 errhint("Delete its row before, and move its messages to a new mailbox.")));
}

/* A mailbox counts on, whose messages may be there already */
static void
resume_mailbox(Store *store, Datum *key, const Datum *unused)
{
	Mailbox    *mailbox = mailbox_with_key(store, key);
	int64		uidnext;
	int64		highestmodseq;

	if (!counter_lock(store, mailbox))
		return;
	counts_renew(store, mailbox);
	if (store->has_accounts)
	{
		mailbox_work(mailbox)->made = true;
		account_cover(store, mailbox, mailbox_counters(mailbox)->highestmodseq);
		statement_list(mailbox);
	}
	if (store->outlives &&
		vanished_recollect(store, key, &uidnext, &highestmodseq))
	{
		uidnext = Max(uidnext, mailbox_counters(mailbox)->uidnext);
		mailbox_row_resumed(store, mailbox, key, uidnext, highestmodseq);
		statement_all_changed(store, mailbox);
	}
	else
		unused_add(mailbox, 1, mailbox_counters(mailbox)->uidnext);
}

/* Clients that knew of these mailboxes before start over */
static void
mailboxes_arrive(Store *store, Oid relid)
{
	uint64		rows;

	for_each_mailbox(store, PLAN_LAST_MAILBOXES, relid, no_uidvalidity_left);
	for_each_mailbox(store, PLAN_ALL_MAILBOXES, relid, resume_mailbox);
	SPI_connect();
	rows = plan_scan(store, PLAN_RESET_MAILBOXES, relid);
	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;

		if (!DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1, &isnull)))
			not_renumbered(relid);
	}
	if (rows != count_rows(store, relid))
		not_renumbered(relid);
	SPI_finish();
}

/* A side table has a row for each, too */
static void
add_to_side_table(Store *store, Datum *key, const Datum *unused)
{
	source_add(store, key);
}

/* bulk_arrive: the rows of that table, which has that role, have come */
void
bulk_arrive(Store *store, TableRole role, Oid relid)
{
	if (store->distributed)
		return;
	refuse_other_owner(store, role, relid);
	switch (role)
	{
		case TABLE_MESSAGE:
			messages_arrive(store, relid);
			break;
		case TABLE_MAILBOX:
			mailboxes_arrive(store, relid);
			break;
		case TABLE_SOURCE:
			for_each_mailbox(store, PLAN_ALL_SOURCES, relid,
							 add_to_side_table);
			break;
		default:
			flags_change(store, relid);
			break;
	}
}

/* Its account hears of what it is now */
static void
alter_mailbox(Store *store, Datum *key, const Datum *unused)
{
	Mailbox    *mailbox = mailbox_get(store, key);

	mailbox_work(mailbox)->altered = true;
	statement_list(mailbox);
}

/* bulk_flags_change: all rows of that table may say something else */
void
bulk_flags_change(Store *store, TableRole role, Oid relid)
{
	if (store->distributed)
		return;
	refuse_other_owner(store, role, relid);
	LockRelationOid(relid, ShareRowExclusiveLock);
	find_all_inheritors(relid, ShareRowExclusiveLock, NULL);
	if (role == TABLE_MESSAGE)
		for_each_mailbox(store, PLAN_ALL_MESSAGES, relid, change);
	else if (role == TABLE_MAILBOX)
		for_each_mailbox(store, PLAN_ALL_MAILBOXES, relid, alter_mailbox);
	else if (role == TABLE_SOURCE)
		for_each_mailbox(store, PLAN_ALL_SOURCES, relid, alter_mailbox);
	else
		flags_change(store, relid);
}
