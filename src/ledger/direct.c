/*-------------------------------------------------------------------------
 *
 * direct.c
 *	  The counters where we know their row to be: writing and reading them.
 *
 * Each statement writes a version of the row, so a long transaction leaves many
 * that are dead to itself only.  Nobody can remove them yet; whoever looks for
 * the row by its key walks all of them, and so does the check of a unique index
 * when a version goes to another page.  But we know the place of the version
 * that is current: triggers and our own writing tell it.  So we go there.
 *
 * A place is a hint.  The row there must be current, have the mailbox's key,
 * and the counters that we know of; else this is declined, and the row is found
 * by its key.  It is so declined too where others have a say in what is written
 * (see shape.c): there SQL writes, and fires their triggers.
 *
 * Locks: the row lock of the mailbox is held already; RowExclusiveLock on the
 * table and, where an index needs an entry, on the index, to the end of the
 * transaction.
 *
 * Memory: the caller's context.  A place is in Counters, and goes with its nest
 * level, as the version that is there does.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

/*
 * Is the current version of the mailbox's row at that place?  Then it is in the
 * slot, as a tuple; else NULL.
 *
 * A table that was made or truncated in this very transaction is truncated in
 * place: what we know may be beyond its end.
 */
static HeapTuple
fetch_row(Store *store, Relation rel, const RowShape *shape, Mailbox *mailbox,
		  TupleTableSlot *slot)
{
	const Counters *counters = mailbox_counters(mailbox);
	ItemPointerData place = counters->place.tid;
	TupleDesc	desc = RelationGetDescr(rel);
	Datum		key[MODSEQ_MAX_KEYS];
	HeapTuple	row;
	int64		uidnext;
	int64		highestmodseq;
	bool		owned;

	if (rel->rd_rel->relfilenode != counters->place.file ||
		((rel->rd_createSubid != InvalidSubTransactionId ||
		  rel->rd_firstRelfilelocatorSubid != InvalidSubTransactionId) &&
		 ItemPointerGetBlockNumber(&place) >= RelationGetNumberOfBlocks(rel)))
		return NULL;
	if (!table_tuple_fetch_row_version(rel, &place, SnapshotSelf, slot))
		return NULL;
	row = ExecFetchSlotHeapTuple(slot, false, &owned);
	if (!row_get_key(shape, row, desc, key) ||
		!key_equal(store, key, mailbox_key(mailbox)))
		return NULL;
	row_get_counters(shape, row, desc, &uidnext, &highestmodseq);
	if (uidnext != counters->uidnext ||
		highestmodseq != counters->highestmodseq)
		return NULL;
	return row;
}

/*
 * A version went to a page where no entry of an index leads: make one in each
 *
 * The key is that of the version before, so nothing can be there twice.  As the
 * owner, whose code an operator class may be.
 */
static void
add_index_entries(Relation rel, TupleTableSlot *slot)
{
	List	   *indexes = RelationGetIndexList(rel);
	Oid			user;
	int			security;
	ListCell   *lc;

	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   security | SECURITY_LOCAL_USERID_CHANGE);
	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), RowExclusiveLock);
		IndexInfo  *info = BuildIndexInfo(index);
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];

		if (info->ii_ReadyForInserts)
		{
			FormIndexDatum(info, slot, NULL, values, isnull);
			index_insert(index, values, isnull, &slot->tts_tid, rel,
						 UNIQUE_CHECK_NO, true, info);
		}
		index_close(index, NoLock);
		pfree(info);
	}
	SetUserIdAndSecContext(user, security);
	list_free(indexes);
}

/* Replaces the counters of the row by those */
static HeapTuple
new_version(const RowShape *shape, HeapTuple row, TupleDesc desc,
			int64 uidnext, int64 highestmodseq)
{
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};

	columns[0] = shape->uidnext;
	values[0] = row_make_int64(uidnext, shape->uidnext_type);
	columns[1] = shape->highestmodseq;
	values[1] = Int64GetDatum(highestmodseq);
	return heap_modify_tuple_by_cols(row, desc, 2, columns, values, nulls);
}

/*
 * direct_write: the row gets these counters, if we know where it is
 *
 * uidnext is as it is stored.  False, and nothing has happened, if SQL must do
 * it.  Does what our trigger on the table would do, but for telling it.
 */
bool
direct_write(Store *store, Mailbox *mailbox, int64 uidnext,
			 int64 highestmodseq)
{
	Counters   *counters = mailbox_counters(mailbox);
	ItemPointerData place = counters->place.tid;
	Relation	rel;
	const RowShape *shape;
	TupleTableSlot *slot;
	HeapTuple	row;
	TM_Result	result = TM_Invisible;
	TM_FailureData failure;
	LockTupleMode mode;
	TU_UpdateIndexes indexes;

	if (!counters->locked ||
		counters->place.relid != store->table[TABLE_MAILBOX].relid ||
		XactReadOnly)
		return false;
	rel = table_open(counters->place.relid, RowExclusiveLock);
	shape = shape_get(rel, TABLE_MAILBOX, NULL);
	if (!shape->plain || shape->store != store)
	{
		table_close(rel, NoLock);
		return false;
	}
	CheckCmdReplicaIdentity(rel, CMD_UPDATE);

	/* What the command before has written, somebody's trigger say, is done */
	CommandCounterIncrement();
	slot = table_slot_create(rel, NULL);
	row = fetch_row(store, rel, shape, mailbox, slot);
	if (row != NULL)
	{
		row = new_version(shape, row, RelationGetDescr(rel), uidnext,
						  highestmodseq);
		ExecForceStoreHeapTuple(row, slot, true);
		result = table_tuple_update_compat(rel, &place, slot,
										   GetCurrentCommandId(true),
										   SnapshotSelf, InvalidSnapshot, true,
										   &failure, &mode, &indexes);
	}
	if (result == TM_Ok)
	{
		if (indexes != TU_None)
			add_index_entries(rel, slot);
		counters->place.tid = slot->tts_tid;
		CommandCounterIncrement();
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return result == TM_Ok;
}

/*
 * direct_read: the row of the mailbox with that key, into SPI_tuptable
 *
 * As PLAN_READ_MAILBOX, and in what snapshot ever: if that sees the version at
 * the place that we know, then it sees no other.
 */
bool
direct_read(Store *store, const Datum *key, PlanMode mode)
{
	const Mailbox *mailbox = mailbox_find(store, key);
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, key, sizeof(Datum) * store->nkeys);

	/* A caller may have the right to read the counters, and none for ctid */
	if (mode != PLAN_AS_CALLER && mode != PLAN_READ_AS_CALLER &&
		mailbox != NULL && mailbox->level != NULL &&
		OidIsValid(mailbox->level->counters.place.relid))
	{
		ItemPointerData place = mailbox->level->counters.place.tid;

		params[store->nkeys] = PointerGetDatum(&place);
		if (plan_execute(store, PLAN_READ_PLACE, params, mode) > 0)
			return true;
	}
	return plan_execute(store, PLAN_READ_MAILBOX, params, mode) > 0;
}
