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
 * AFTER triggers, which find it by its old place and by its UID.  If the INSERT
 * is cancelled by another trigger, the message is gone after all: what left and
 * did not arrive when the statement is completed has vanished.
 *
 * Only one row is noted.  If another trigger writes to the store's partitions
 * while a row is between them, the row is not recognized, and its UID is refused
 * like any other that was used.
 *
 * Locks: AccessShareLock on the source partition, which the statement that
 * fires the triggers has locked already.
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
#include "executor/tuptable.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"

/* A message that keeps its UID */
typedef struct StayKey
{
	Mailbox    *mailbox;
	int64		uid;
} StayKey;

typedef struct Stay
{
	StayKey		key;			/* under the old key of its mailbox, and the
								 * new one, if it was renamed */
	Mailbox    *from;
	Mailbox    *to;
	RowPlace	source;
	bool		departed;		/* AFTER DELETE was there */
} Stay;

static StayKey
stay_key(Mailbox *mailbox, int64 uid)
{
	StayKey		key;

	memset(&key, 0, sizeof(key));	/* padding is hashed, too */
	key.mailbox = mailbox;
	key.uid = uid;
	return key;
}

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

		if (HeapTupleHeaderIndicatesMovedPartitions(stored->t_data) &&
			TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(stored->t_data)))
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

static bool
same_place(const RowPlace *place, Relation rel, HeapTuple row)
{
	ItemPointerData tid = place->tid;

	return place->relid == RelationGetRelid(rel) &&
		ItemPointerEquals(&tid, &row->t_self);
}

static void
set_place(RowPlace *place, Relation rel, HeapTuple row)
{
	place->relid = RelationGetRelid(rel);
	place->tid = row->t_self;
}

/* --- messages ----------------------------------------------------------------- */

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

	set_place(&crossings->source, rel, old);
	crossings->to = to;
	crossings->uid = uid;
	crossings->arrived = arrived;
}

/* Both AFTER triggers will meet that message, under those keys of its mailbox */
static void
expect(Crossings *crossings, Mailbox *mailbox, Mailbox *from)
{
	StayKey		key = stay_key(mailbox, crossings->uid);
	Stay	   *stay;

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
	stay->from = from;
	stay->to = crossings->to;
	stay->source = crossings->source;
	stay->departed = false;
}

/*
 * crossing_continues: BEFORE INSERT of a message in a partition
 *
 * If this is how a message goes on that left another partition, its old row in
 * the layout of rel; else NULL.  *arrived as crossing_note() was told.
 */
HeapTuple
crossing_continues(const RowShape *shape, Relation rel, Mailbox *to, int64 uid,
				   bool *arrived)
{
	Crossings  *crossings = statement_crossings();
	Datum		key[MODSEQ_MAX_KEYS];
	HeapTuple	old;

	if (!OidIsValid(crossings->source.relid) || crossings->to != to ||
		crossings->uid != uid)
		return NULL;
	old = departed_row(&crossings->source, rel);
	if (old == NULL)
		return NULL;
	*arrived = crossings->arrived;
	if (!crossings->arrived &&
		row_get_key(shape, old, RelationGetDescr(rel), key))
	{
		Mailbox    *from = known_mailbox(shape->store, key);

		expect(crossings, from, from);
		if (from != to)
			expect(crossings, to, from);
	}
	crossings->source.relid = InvalidOid;
	return old;
}

static Stay *
find_stay(Mailbox *mailbox, int64 uid)
{
	Crossings  *crossings = statement_crossings();
	StayKey		key = stay_key(mailbox, uid);

	if (crossings->stays == NULL)
		return NULL;
	return hash_search(crossings->stays, &key, HASH_FIND, NULL);
}

/* crossing_departs: AFTER DELETE; is that a message that will go on? */
bool
crossing_departs(Relation rel, HeapTuple old, Mailbox *from, int64 uid)
{
	Stay	   *stay = find_stay(from, uid);

	if (stay == NULL || stay->from != from ||
		!same_place(&stay->source, rel, old))
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
	Stay	   *stay = find_stay(to, uid);
	HeapTuple	old;
	StayKey		from;
	StayKey		under = stay_key(to, uid);

	if (stay == NULL || stay->to != to)
		return NULL;
	old = departed_row(&stay->source, rel);
	from = stay_key(stay->from, uid);
	hash_search(statement_crossings()->stays, &under, HASH_REMOVE, NULL);
	hash_search(statement_crossings()->stays, &from, HASH_REMOVE, NULL);
	return old;
}

/* --- mailboxes ------------------------------------------------------------------- */

/* crossing_is_departure: AFTER DELETE; did an UPDATE take that row elsewhere? */
bool
crossing_is_departure(HeapTuple old)
{
	return HeapTupleHeaderIndicatesMovedPartitions(old->t_data);
}

/* --- completion ------------------------------------------------------------------ */

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
			statement_vanish(store_get(stay->from->message_relid),
							 stay->from->key, stay->key.uid);
	hash_destroy(crossings->stays);
	crossings->stays = NULL;
}


/* --- partitions that come ---------------------------------------------------------- */

/* The table whose messages are about to arrive, or InvalidOid */
static Oid	arriving = InvalidOid;

/* crossing_set_arriving: from now on, they arrive with that table */
void
crossing_set_arriving(Oid relid)
{
	arriving = relid;
}

/* crossing_is_arriving: do messages arrive with that table right now? */
bool
crossing_is_arriving(Relation rel)
{
	return OidIsValid(arriving) &&
		(arriving == RelationGetRelid(rel) ||
		 list_member_oid(get_partition_ancestors(RelationGetRelid(rel)),
						 arriving));
}
