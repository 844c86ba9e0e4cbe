/*-------------------------------------------------------------------------
 *
 * place.c
 *	  Where the versions of a mailbox's row are, and which comes after which.
 *
 * Triggers tell of versions, one after the other, but those of a nested
 * statement are told before those of the one that contains it.  Versions that
 * a transaction writes lead to each other, as PostgreSQL has it for UPDATE, and
 * none of them can be removed before its end.
 *
 * Locks: AccessShareLock on the mailbox table, which this transaction has
 * written.
 *
 * Memory: tuples are in the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "utils/snapmgr.h"

/*
 * By which command a mailbox last got its key, and another than it had, as far
 * as we have heard; in mailbox tables, and in their sources
 */
static CommandId last_taker[TABLE_ROLES];
static CommandId last_renamed[TABLE_ROLES];

RowPlace
row_place(Relation rel, HeapTuple row)
{
	RowPlace	place;

	place.relid = RelationGetRelid(rel);
	place.file = rel->rd_rel->relfilenode;
	place.tid = row->t_self;
	return place;
}

bool
row_place_equal(const RowPlace *a, const RowPlace *b)
{
	ItemPointerData left = a->tid;
	ItemPointerData right = b->tid;

	return a->relid == b->relid && a->file == b->file &&
		ItemPointerEquals(&left, &right);
}

/*
 * row_place_is_known: does a place say anything, of a row that is now there?
 *
 * If this transaction has clustered the table since, or altered it, then the
 * rows are elsewhere.  Triggers had nothing more to tell at that time:
 * PostgreSQL writes no table anew before they have.
 */
bool
row_place_is_known(const RowPlace *place, const RowPlace *now)
{
	return OidIsValid(place->relid) &&
		(place->relid != now->relid || place->file == now->file);
}

/* row_is_ours: has this transaction written that version? */
bool
row_is_ours(HeapTuple row)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(row->t_data);

	return TransactionIdIsCurrentTransactionId(xmin);
}

/*
 * row_was_replaced: has this transaction updated or deleted that version of a
 * row since?
 */
bool
row_was_replaced(HeapTuple row)
{
	HeapTupleHeader header = row->t_data;
	TransactionId updater = HeapTupleHeaderGetUpdateXid(header);

	return (header->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		!HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
		TransactionIdIsCurrentTransactionId(updater);
}

/* The version that this transaction has put in the place of that one */
static bool
next_version(Relation rel, TupleTableSlot *slot, RowPlace *place)
{
	HeapTuple	row;
	bool		copied;
	bool		found;

	if (!table_tuple_fetch_row_version(rel, &place->tid, SnapshotAny, slot))
		return false;
	row = ExecFetchSlotHeapTuple(slot, false, &copied);
	found = row_was_replaced(row) &&
		!HeapTupleHeaderIndicatesMovedPartitions(row->t_data) &&
		!ItemPointerEquals(&row->t_data->t_ctid, &place->tid);
	if (found)
		place->tid = row->t_data->t_ctid;
	if (copied)
		heap_freetuple(row);
	ExecClearTuple(slot);
	return found;
}

/*
 * row_place_newest: the newest version of the row that is, or was, at that
 * place; or the one at the other place, if that comes before it
 */
RowPlace
row_place_newest(const RowPlace *place, const RowPlace *until)
{
	RowPlace	result = *place;
	Relation	rel = try_relation_open(place->relid, AccessShareLock);
	TupleTableSlot *slot;

	if (rel == NULL)
		return result;
	if (rel->rd_rel->relfilenode == place->file)
	{
		slot = table_slot_create(rel, NULL);
		while ((until == NULL || !row_place_equal(&result, until)) &&
			   next_version(rel, slot, &result))
			;
		ExecDropSingleTupleTableSlot(slot);
	}
	relation_close(rel, AccessShareLock);
	return result;
}

/* The version at that place, whoever can see it; NULL if there is none */
static HeapTuple
fetch_version(Relation rel, ItemPointer tid)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	HeapTuple	row = NULL;

	if (table_tuple_fetch_row_version(rel, tid, SnapshotAny, slot))
		row = ExecCopySlotHeapTuple(slot);
	ExecDropSingleTupleTableSlot(slot);
	return row;
}

/* row_newest: the same, with what it says; NULL if it has been deleted */
HeapTuple
row_newest(Relation rel, const RowPlace *place)
{
	RowPlace	newest = row_place_newest(place, NULL);
	HeapTuple	row = fetch_version(rel, &newest.tid);

	return row == NULL || row_was_replaced(row) ? NULL : row;
}

/*
 * row_place_is_ours: has this transaction written that version, by an UPDATE of
 * the row, or else by its INSERT?
 */
bool
row_place_is_ours(const RowPlace *place, bool updated)
{
	Relation	rel = table_open(place->relid, NoLock);
	ItemPointerData tid = place->tid;
	HeapTuple	row = fetch_version(rel, &tid);

	table_close(rel, NoLock);
	return row != NULL && row_is_ours(row) &&
		((row->t_data->t_infomask & HEAP_UPDATED) != 0) == updated;
}

/*
 * row_takes_key: we hear that a row has its key by that version, and whether
 * it had another before
 */
void
row_takes_key(TableRole role, HeapTuple row, bool renamed)
{
	CommandId	command;

	if (!row_is_ours(row))
		return;
	command = HeapTupleHeaderGetCmin(row->t_data);
	last_taker[role] = Max(last_taker[role], command);
	if (renamed)
		last_renamed[role] = Max(last_renamed[role], command);
}

/*
 * row_leaves_key: we hear that a row, of which that is the old version, has not
 * that key any more
 *
 * Error 27000 if another has got it in a nested statement, of which we heard
 * before, for then what was done under the key, in between, may be of either.
 * But one that was made anew, when this had been deleted, may have it: then the
 * result is true.  In a mailbox table that is looked for only if we have heard
 * of any such statement.
 */
bool
row_leaves_key(Store *store, TableRole role, const Datum *key, HeapTuple old,
			   bool renamed)
{
	PlanId		plan = role == TABLE_SOURCE ? PLAN_FIND_SOURCE :
		PLAN_FIND_MAILBOX;
	CommandId	command;
	bool		later = false;
	bool		anew = false;

	if (!row_was_replaced(old))
		return false;
	command = HeapTupleHeaderGetCmax(old->t_data);
	if (command >= (renamed ? last_taker[role] : last_renamed[role]) &&
		(renamed || role != TABLE_SOURCE))
		return false;
	SPI_connect();
	if (plan_execute(store, plan, unconstify(Datum *, key), PLAN_AS_OWNER) > 0)
	{
		HeapTuple	place = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		relid = SPI_getbinval(place, desc, 1, &isnull);
		Datum		tid = SPI_getbinval(place, desc, 2, &isnull);
		Relation	rel = table_open(DatumGetObjectId(relid), NoLock);
		HeapTuple	row = fetch_version(rel,
										(ItemPointer) DatumGetPointer(tid));
		CommandId	made = row != NULL && row_is_ours(row) ?
			HeapTupleHeaderGetCmin(row->t_data) : FirstCommandId;

		/* What the same query has renamed we are still to hear of */
		anew = made != command ||
			(row->t_data->t_infomask & HEAP_UPDATED) == 0;
		later = made > command;
		table_close(rel, NoLock);
	}
	SPI_finish();
	if (later && (renamed || command < last_renamed[role]))
		row_key_taken(store, key);
	return anew;
}

/* row_key_taken: the error of the above */
void
row_key_taken(Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("key of mailbox %s is taken over before the statement that frees it is over",
					key_text(store, key)),
			 errdetail("A trigger or function has given it to another mailbox meanwhile."),
			 errhint("Rename or delete the mailbox in a statement before the one that gives its key to another.")));
}

/* Commands are counted from the first in each transaction */
void
place_transaction_end(void)
{
	StaticAssertStmt(FirstCommandId == 0, "what is empty is before it");
	memset(last_taker, 0, sizeof(last_taker));
	memset(last_renamed, 0, sizeof(last_renamed));
}
