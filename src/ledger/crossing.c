/*-------------------------------------------------------------------------
 *
 * crossing.c
 *	  Rows that an UPDATE or MERGE takes from one partition to another.
 *
 * PostgreSQL makes a DELETE and an INSERT of such an UPDATE.  The triggers of
 * a message see BEFORE UPDATE in the source partition, BEFORE INSERT in the
 * target, and when all rows are written AFTER DELETE and AFTER INSERT.  A
 * message that stays in its mailbox must keep its UID over this, and one that
 * moves to another must keep the UID that BEFORE UPDATE gave it.
 *
 * So BEFORE UPDATE notes which row it saw and what became of its numbers.  If
 * a row comes in with these numbers and the noted row was taken to another
 * partition by this transaction, then they are one: PostgreSQL marks a row
 * version that left for another partition (HeapTupleHeaderSetMovedPartitions),
 * so there is no need to guess.  A message that stays is then expected by both
 * AFTER triggers, DELETE's by its old place and INSERT's by its UID.  If the
 * INSERT is cancelled by another trigger, the message is gone after all: what
 * left and did not arrive when the statement is completed has vanished.
 *
 * Only one row is noted.  If another trigger writes to the store's partitions
 * while a row is between them, the row is not recognized.  Then it is one that
 * was taken out and put back (returned.c).
 *
 * Locks: AccessShareLock on the source partition, which the statement that
 * fires the triggers has locked already.  A partition that comes is locked by
 * the command that attaches it.
 *
 * Memory: a Statement's context (see statement.c); dropped with all that the
 * statement collected when it is completed, or its subtransaction aborts.  Rows
 * are returned in the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"

/* A message that keeps its UID: by where it was, or by where it is to arrive */
typedef struct StayKey
{
	RowPlace	source;
	Mailbox    *mailbox;		/* NULL: by source */
	int64		uid;
} StayKey;

/* There are two of each, one for each of the AFTER triggers */
typedef struct Stay
{
	StayKey		key;			/* hash key */
	RowPlace	source;
	Mailbox    *mailbox;
	int64		uid;
	bool		departed;		/* AFTER DELETE was there */
} Stay;

/*
 * The row version that is, or was, at that place, in the layout of rel.  NULL
 * if it has not left for another partition.
 */
static HeapTuple
departed_row(const RowPlace *place, Relation rel)
{
	Relation	source = table_open(place->relid, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(source, NULL);
	HeapTuple	row = NULL;
	ItemPointerData tid = place->tid;

	if (table_tuple_fetch_row_version(source, &tid, SnapshotAny, slot))
	{
		bool		copied;
		HeapTuple	stored = ExecFetchSlotHeapTuple(slot, false, &copied);
		HeapTupleHeader header = stored->t_data;
		TransactionId updater = HeapTupleHeaderGetUpdateXid(header);

		if (HeapTupleHeaderIndicatesMovedPartitions(header) &&
			TransactionIdIsCurrentTransactionId(updater))
		{
			TupleConversionMap *map =
				convert_tuples_by_name(RelationGetDescr(source),
									   RelationGetDescr(rel));

			row = map != NULL ? execute_attr_map_tuple(stored, map) :
				heap_copytuple(stored);
			if (map != NULL)
				free_conversion_map(map);
		}
		if (copied)
			heap_freetuple(stored);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(source, AccessShareLock);
	return row;
}

/* --- messages ---------------------------------------------------------- */

/*
 * crossing_note: BEFORE UPDATE of a message in a partition
 *
 * It will be in mailbox to under that UID, as a new arrival or as one that
 * stays; if it leaves the partition, then to come back in another.
 */
void
crossing_note(Relation rel, HeapTuple old, Mailbox *to, int64 uid,
			  bool arrived)
{
	Crossings  *crossings = statement_crossings();

	crossings->source = row_place(rel, old);
	crossings->to = to;
	crossings->uid = uid;
	crossings->arrived = arrived;
}

/* The hash key of a Stay: by its old place, or if that is NULL by its UID */
static void
set_stay_key(StayKey *key, const RowPlace *source, Mailbox *mailbox, int64 uid)
{
	memset(key, 0, sizeof(StayKey));	/* padding is hashed, too */
	if (source != NULL)
	{
		key->source.relid = source->relid;
		key->source.tid = source->tid;
		return;
	}
	key->mailbox = mailbox;
	key->uid = uid;
}

/* One of the AFTER triggers will meet the noted message, and look for it so */
static void
expect(Crossings *crossings, const RowPlace *source)
{
	StayKey		key;
	Stay	   *stay;

	set_stay_key(&key, source, crossings->to, crossings->uid);
	if (crossings->stays == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.hcxt = crossings->context;
		ctl.keysize = sizeof(StayKey);
		ctl.entrysize = sizeof(Stay);
		crossings->stays = hash_create("modseq crossings", 32, &ctl,
									   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	stay = hash_search(crossings->stays, &key, HASH_ENTER, NULL);
	stay->source = crossings->source;
	stay->mailbox = crossings->to;
	stay->uid = crossings->uid;
	stay->departed = false;
}

/* Finds a Stay, or removes one */
static Stay *
stay_search(const RowPlace *source, Mailbox *mailbox, int64 uid,
			HASHACTION action)
{
	Crossings  *crossings = statement_crossings();
	StayKey		key;

	if (crossings->stays == NULL)
		return NULL;
	set_stay_key(&key, source, mailbox, uid);
	return hash_search(crossings->stays, &key, action, NULL);
}

/*
 * crossing_continues: BEFORE INSERT of a message in a partition
 *
 * If this is how a message goes on that left another partition, its old row in
 * the layout of rel; else NULL.  *arrived as crossing_note() was told.
 */
HeapTuple
crossing_continues(Relation rel, Mailbox *to, int64 uid, bool *arrived)
{
	Crossings  *crossings = statement_crossings();
	HeapTuple	old;

	if (!OidIsValid(crossings->source.relid) || crossings->to != to ||
		crossings->uid != uid)
		return NULL;
	old = departed_row(&crossings->source, rel);
	if (old == NULL)
		return NULL;
	*arrived = crossings->arrived;
	if (!crossings->arrived)
	{
		expect(crossings, &crossings->source);
		expect(crossings, NULL);
	}
	crossings->source.relid = InvalidOid;
	return old;
}

/* crossing_departs: AFTER DELETE; is that a message that will go on? */
bool
crossing_departs(Relation rel, HeapTuple old)
{
	RowPlace	source = row_place(rel, old);
	Stay	   *stay = stay_search(&source, NULL, 0, HASH_FIND);

	if (stay == NULL)
		return false;
	stay->departed = true;
	return true;
}

/*
 * crossing_lands: AFTER INSERT
 *
 * If this is a message that goes on, its old row in the layout of rel.
 */
HeapTuple
crossing_lands(Relation rel, Mailbox *to, int64 uid)
{
	Stay	   *stay = stay_search(NULL, to, uid, HASH_REMOVE);
	RowPlace	source;

	if (stay == NULL)
		return NULL;
	source = stay->source;
	stay_search(&source, NULL, 0, HASH_REMOVE);
	return departed_row(&source, rel);
}

/* --- mailboxes --------------------------------------------------------- */

/* crossing_is_departure: AFTER DELETE; did an UPDATE take it elsewhere? */
bool
crossing_is_departure(HeapTuple old)
{
	return HeapTupleHeaderIndicatesMovedPartitions(old->t_data);
}

/* --- completion -------------------------------------------------------- */

/* The message of a Stay is gone, for its INSERT was cancelled */
static void
stay_ends(const Stay *stay)
{
	Relation	rel = table_open(stay->source.relid, AccessShareLock);
	const RowShape *shape = shape_get(rel, TABLE_MESSAGE, NULL);
	Membership	membership;
	HeapTuple	row;

	statement_vanish(stay->mailbox, stay->uid);
	if (shape->store->has_accounts &&
		(row = departed_row(&stay->source, rel)) != NULL &&
		departures_read(shape, row, RelationGetDescr(rel), &membership))
		statement_depart(shape->store, stay->mailbox, &membership);
	table_close(rel, AccessShareLock);
}

/* crossing_settle: what left and has not arrived by now has gone */
void
crossing_settle(Crossings *crossings)
{
	HASH_SEQ_STATUS scan;
	Stay	   *stay;

	if (crossings->stays == NULL)
		return;
	hash_seq_init(&scan, crossings->stays);
	while ((stay = hash_seq_search(&scan)) != NULL)
		if (stay->departed)
			stay_ends(stay);
	hash_destroy(crossings->stays);
	crossings->stays = NULL;
}


/* --- partitions that come ---------------------------------------------- */

/* The table whose messages are about to arrive, or InvalidOid */
static Oid	arriving = InvalidOid;

/* The commands from then on are the one by which they do, and its triggers' */
static CommandId arriving_from;

/* crossing_set_arriving: from now on, they arrive with that table */
void
crossing_set_arriving(Oid relid)
{
	arriving = relid;
	arriving_from = GetCurrentCommandId(false);
}

/*
 * crossing_is_arriving: does a message that has been so far in that version
 * arrive with that table right now?
 *
 * It arrives once: of a version that was written since, which triggers of the
 * application can change, the numbers are good.
 */
bool
crossing_is_arriving(Relation rel, HeapTuple old)
{
	Oid			relid = RelationGetRelid(rel);
	HeapTupleHeader header;

	if (!OidIsValid(arriving) || old == NULL ||
		(arriving != relid &&
		 !list_member_oid(get_partition_ancestors(relid), arriving)))
		return false;
	header = old->t_data;
	return
		!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header)) ||
		HeapTupleHeaderGetCmin(header) < arriving_from;
}

/* Has each row of that table, which has no partitions, arrived? */
static bool
rows_have_arrived(Relation rel)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan_compat(rel, snapshot, 0, NULL);
	bool		result = true;

	while (result && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		copied;
		HeapTuple	row = ExecFetchSlotHeapTuple(slot, false, &copied);

		CHECK_FOR_INTERRUPTS();
		result = !crossing_is_arriving(rel, row);
		if (copied)
			heap_freetuple(row);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	return result;
}

/*
 * crossing_all_arrived: are all messages that came with that table, and are
 * still in it, written since?
 */
bool
crossing_all_arrived(Oid relid)
{
	bool		result = true;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION)
			result = result && rows_have_arrived(rel);
		table_close(rel, NoLock);
	}
	return result;
}
