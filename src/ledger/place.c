/*-------------------------------------------------------------------------
 *
 * place.c
 *	  Where the versions of a mailbox's row are.
 *
 * Triggers tell of versions, one after the other, but those of a nested
 * statement are told before those of the one that contains it.  Versions that
 * a transaction writes lead to each other, as PostgreSQL has it for UPDATE, and
 * none of them can be removed before its end.
 *
 * Locks: AccessShareLock on the mailbox table, which this transaction has
 * written.
 *
 * Memory: none is kept.
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
