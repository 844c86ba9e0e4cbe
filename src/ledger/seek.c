/*-------------------------------------------------------------------------
 *
 * seek.c
 *	  Rows of tables of ours that are found, and locked, without SQL.
 *
 * A statement that changes one message needs the account of its mailbox, the
 * account's lock, and the mailbox's.  By SQL these are a third of its cost.
 * The table of accounts is ours, and so mostly is that of the counters: each
 * has a primary key, and nothing of others comes between.  So we look into its
 * index (query/probe.c).
 *
 * It is declined where something is not as attach() makes it: SQL does it then,
 * with the queries that account.c names.
 *
 * Locks: rows, FOR NO KEY UPDATE, as these queries take them; RowShareLock on
 * their tables, AccessShareLock where they are only read, to the end of the
 * transaction.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

static Snapshot
latest_snapshot(void)
{
	return IsolationUsesXactSnapshot() ? GetTransactionSnapshot() :
		GetLatestSnapshot();
}

/*
 * Begins to look into a table by its key, as a query of ours would see it now:
 * what we have written, too.  False if it is declined.
 */
static bool
begin_seek(Probe *probe, Store *store, TableRole role)
{
	CommandCounterIncrement();
	PushActiveSnapshot(latest_snapshot());
	if (probe_begin(probe, store, role, false))
		return true;
	PopActiveSnapshot();
	return false;
}

static void
end_seek(Probe *probe)
{
	probe_end(probe);
	PopActiveSnapshot();
}

static void
copy_account(const Store *store, const Datum *from, Datum *to)
{
	Datum	   *copy = account_copy(store, from);

	memcpy(to, copy, sizeof(Datum) * store->naccounts);
}

/*
 * seek_account_of: the account of the mailbox with that key, and where the row
 * is that says so
 *
 * False if it was not found; then there may be one all the same.
 */
bool
seek_account_of(Store *store, const Datum *key, Datum *account,
				RowPlace *place)
{
	Probe		probe;
	const RowShape *shape;
	bool		found;

	if (store->counters == NULL || !begin_seek(&probe, store, TABLE_MAILBOX))
		return false;
	shape = shape_get(probe.rel, TABLE_MAILBOX, NULL);
	found = shape->store == store && probe_find(&probe, key);
	if (found)
	{
		bool		copied;
		HeapTuple	row = ExecFetchSlotHeapTuple(probe.slot, false, &copied);

		found = row_get_account(shape, row, RelationGetDescr(probe.rel),
								account);
		if (found)
			copy_account(store, account, account);
		*place = row_place(probe.rel, row);
	}
	end_seek(&probe);
	return found;
}

static void
read_numbers(const RowShape *shape, HeapTuple row, TupleDesc desc,
			 AccountRow *result)
{
	AttrNumber	columns[1 + ACCOUNT_STATES];

	columns[0] = shape->highestmodseq;
	columns[1 + STATE_EMAIL] = shape->email_modseq;
	columns[1 + STATE_THREAD] = shape->thread_modseq;
	columns[1 + STATE_MAILBOX] = shape->mailbox_modseq;
	for (int i = 0; i <= ACCOUNT_STATES; i++)
	{
		int64		value = 0;
		bool		isnull = !row_get_int64(row, desc, columns[i], INT8OID,
											&value);

		result->number[i] = effective_highestmodseq(isnull, value);
	}
}

/*
 * counter_read_row: the counters of the row that a query of ours returned
 */
void
counter_read_row(const Store *store, HeapTuple tuple, TupleDesc desc,
				 int64 *uidnext, int64 *highestmodseq)
{
	bool		isnull;
	Datum		value;
	int64		number;

	value = SPI_getbinval(tuple, desc, 2, &isnull);
	number = isnull ? 0 : DatumGetInt64(value);
	*uidnext = effective_uidnext(store, isnull, number);
	value = SPI_getbinval(tuple, desc, 3, &isnull);
	number = isnull ? 0 : DatumGetInt64(value);
	*highestmodseq = effective_highestmodseq(isnull, number);
}

/* counter_read_locked: the row in SPI_tuptable, which a query has locked */
void
counter_read_locked(const Store *store, CounterRow *result)
{
	HeapTuple	row = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		isnull;
	Datum		tid;

	counter_read_row(store, row, desc, &result->uidnext,
					 &result->highestmodseq);
	result->place.relid = DatumGetObjectId(SPI_getbinval(row, desc, 4,
														 &isnull));
	result->place.file = relation_file(result->place.relid);
	tid = SPI_getbinval(row, desc, 5, &isnull);
	result->place.tid = *(ItemPointer) DatumGetPointer(tid);
	result->gone = DatumGetBool(SPI_getbinval(row, desc, 6, &isnull));
}

/* Locks the row in the slot, and puts its last version there */
static bool
lock_row(Relation rel, Snapshot snapshot, TupleTableSlot *slot)
{
	ItemPointerData place = slot->tts_tid;
	TM_FailureData failure;
	bool		strict = IsolationUsesXactSnapshot();

	switch (table_tuple_lock(rel, &place, snapshot, slot,
							 GetCurrentCommandId(true),
							 LockTupleNoKeyExclusive, LockWaitBlock,
							 strict ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
							 &failure))
	{
		case TM_Ok:
			return true;
		case TM_Updated:
		case TM_Deleted:
			if (strict)
				ereport(ERROR,
						(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						 errmsg("could not serialize access due to concurrent update")));
			return false;
		default:
			return false;
	}
}

/*
 * seek_lock: the row of the mailbox's counters that is at that place, or was
 * and is elsewhere by now, is locked
 *
 * False if it is gone, or is not the mailbox's with that key; then there may be
 * one all the same.
 */
bool
seek_lock(Store *store, const Datum *key, const RowPlace *place,
		  CounterRow *result)
{
	Relation	rel = table_open(place->relid, RowShareLock);
	const RowShape *shape = shape_get(rel, TABLE_MAILBOX, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Snapshot	snapshot;
	Blocked		blocked;
	bool		found;

	CommandCounterIncrement();
	snapshot = RegisterSnapshot(latest_snapshot());
	slot->tts_tid = place->tid;
	blocked_begin(&blocked, store, BLOCKED_MAILBOX, key);
	found = shape->store == store && !XactReadOnly &&
		rel->rd_rel->relfilenode == place->file &&
		lock_row(rel, snapshot, slot);
	blocked_end(&blocked);
	if (found)
	{
		Datum		found_key[MODSEQ_MAX_KEYS];
		TupleDesc	desc = RelationGetDescr(rel);
		bool		copied;
		HeapTuple	row = ExecFetchSlotHeapTuple(slot, false, &copied);

		found = row_get_key(shape, row, desc, found_key) &&
			key_equal(store, found_key, key);
		result->place = *place;
		result->place.tid = slot->tts_tid;
		row_get_counters(shape, row, desc, &result->uidnext,
						 &result->highestmodseq);
		result->gone = shape->gone_at != InvalidAttrNumber &&
			!heap_attisnull(row, shape->gone_at, desc);
	}
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return found;
}

/*
 * seek_account: the row of an account, which is locked if it is told so
 *
 * False if it was not found; then there may be one all the same.
 */
bool
seek_account(Store *store, const Datum *account, bool lock, AccountRow *result)
{
	Probe		probe;
	const RowShape *shape;
	Datum		found_key[MODSEQ_MAX_KEYS];
	Blocked		blocked;
	bool		found;

	if (lock && XactReadOnly)
		return false;
	if (lock)
		LockRelationOid(store->table[TABLE_ACCOUNT].relid, RowShareLock);
	if (!begin_seek(&probe, store, TABLE_ACCOUNT))
		return false;
	shape = shape_get(probe.rel, TABLE_ACCOUNT, NULL);
	blocked_begin(&blocked, store, lock ? BLOCKED_ACCOUNT : BLOCKED_NOTHING,
				  account);
	found = shape->store == store && probe_find(&probe, account) &&
		(!lock || lock_row(probe.rel, GetActiveSnapshot(), probe.slot));
	blocked_end(&blocked);
	if (found)
	{
		bool		copied;
		HeapTuple	row = ExecFetchSlotHeapTuple(probe.slot, false, &copied);
		TupleDesc	desc = RelationGetDescr(probe.rel);

		found = row_get_account(shape, row, desc, found_key) &&
			account_compare(store, found_key, account) == 0;
		read_numbers(shape, row, desc, result);
		result->place = row_place(probe.rel, row);
	}
	end_seek(&probe);
	return found;
}
