/*-------------------------------------------------------------------------
 *
 * seek.c
 *	  Rows of tables of ours that are found, and locked, without SQL.
 *
 * A statement that changes one message needs the account of its mailbox, the
 * account's lock, and the mailbox's.  By SQL these are a third of its cost.
 * The table of accounts is ours, and so mostly is that of the counters: each
 * has a primary key, and nothing of others comes between.  So we look into its
 * index.
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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* The conditions on the columns of an index that make it a row's key */
static bool
make_scan_keys(Relation index, const KeyAttribute *attributes,
			   const KeyColumn *columns, int n, const Datum *values,
			   ScanKeyData *keys)
{
	if (index->rd_rel->relam != BTREE_AM_OID ||
		index->rd_index->indnkeyatts != n)
		return false;
	for (int i = 0; i < n; i++)
	{
		Oid			operator;
		int			j = 0;

		while (j < n && attributes[j].attnum !=
			   index->rd_index->indkey.values[i])
			j++;
		if (j == n || attributes[j].convert)
			return false;
		operator = get_opfamily_member(index->rd_opfamily[i],
									   index->rd_opcintype[i],
									   index->rd_opcintype[i],
									   BTEqualStrategyNumber);
		if (!OidIsValid(operator) ||
			columns[j].collation != index->rd_indcollation[i])
			return false;
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber,
							   InvalidOid, index->rd_indcollation[i],
							   get_opcode(operator), values[j]);
	}
	return true;
}

/* Puts the row with that key, as the snapshot has it, into the slot */
static bool
seek(Relation rel, const KeyAttribute *attributes, const KeyColumn *columns,
	 int n, const Datum *values, Snapshot snapshot, TupleTableSlot *slot)
{
	Oid			indexid = primary_key_index_compat(rel);
	ScanKeyData keys[INDEX_MAX_KEYS];
	IndexScanDesc scan;
	Relation	index;
	Oid			user;
	int			security;
	bool		found = false;

	if (!OidIsValid(indexid) || rel->rd_rel->relkind != RELKIND_RELATION)
		return false;
	index = index_open(indexid, AccessShareLock);
	if (probe_index_serves(index) &&
		make_scan_keys(index, attributes, columns, n, values, keys))
	{
		/* As the owner, whose code an operator class may be */
		GetUserIdAndSecContext(&user, &security);
		SetUserIdAndSecContext(rel->rd_rel->relowner,
							   security | SECURITY_LOCAL_USERID_CHANGE);
		scan = index_beginscan_compat(rel, index, snapshot, n);
		index_rescan(scan, keys, n, NULL, 0);
		found = index_getnext_slot(scan, ForwardScanDirection, slot);
		index_endscan(scan);
		SetUserIdAndSecContext(user, security);
	}
	index_close(index, NoLock);
	return found;
}

/* The same for the row of the one account that the store has */
static bool
seek_only(Relation rel, Snapshot snapshot, TupleTableSlot *slot)
{
	KeyAttribute attribute = {0};
	KeyColumn	column = {0};
	Datum		value = BoolGetDatum(true);

	attribute.attnum = get_attnum(RelationGetRelid(rel), "one");
	return seek(rel, &attribute, &column, 1, &value, snapshot, slot);
}

/* What a query of ours would see now, of what we have written, too */
static Snapshot
latest_snapshot(void)
{
	CommandCounterIncrement();
	return RegisterSnapshot(IsolationUsesXactSnapshot() ?
							GetTransactionSnapshot() : GetLatestSnapshot());
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
	Relation	rel;
	const RowShape *shape;
	TupleTableSlot *slot;
	Snapshot	snapshot;
	bool		found;

	if (store->counters == NULL)
		return false;
	rel = table_open(store->table[TABLE_MAILBOX].relid, AccessShareLock);
	shape = shape_get(rel, TABLE_MAILBOX, NULL);
	slot = table_slot_create(rel, NULL);
	snapshot = latest_snapshot();
	found = shape->store == store &&
		seek(rel, shape->key, store->key, store->nkeys, key, snapshot, slot);
	if (found)
	{
		bool		copied;
		HeapTuple	row = ExecFetchSlotHeapTuple(slot, false, &copied);

		found = row_get_account(shape, row, RelationGetDescr(rel), account);
		if (found)
			copy_account(store, account, account);
		place->relid = RelationGetRelid(rel);
		place->file = rel->rd_rel->relfilenode;
		place->tid = slot->tts_tid;
	}
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
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
	Snapshot	snapshot = latest_snapshot();
	bool		found;

	slot->tts_tid = place->tid;
	found = shape->store == store && !XactReadOnly &&
		rel->rd_rel->relfilenode == place->file &&
		lock_row(rel, snapshot, slot);
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
	Relation	rel;
	const RowShape *shape;
	TupleTableSlot *slot;
	Snapshot	snapshot;
	Datum		found_key[MODSEQ_MAX_KEYS];
	bool		found;

	if (lock && XactReadOnly)
		return false;
	rel = table_open(store->table[TABLE_ACCOUNT].relid,
					 lock ? RowShareLock : AccessShareLock);
	shape = shape_get(rel, TABLE_ACCOUNT, NULL);
	slot = table_slot_create(rel, NULL);
	snapshot = latest_snapshot();
	found = shape->store == store &&
		(store->naccounts > 0 ?
		 seek(rel, shape->account, store->account_key, store->naccounts,
			  account, snapshot, slot) :
		 seek_only(rel, snapshot, slot)) &&
		(!lock || lock_row(rel, snapshot, slot));
	if (found)
	{
		bool		copied;
		HeapTuple	row = ExecFetchSlotHeapTuple(slot, false, &copied);

		found = row_get_account(shape, row, RelationGetDescr(rel),
								found_key) &&
			account_compare(store, found_key, account) == 0;
		read_numbers(shape, row, RelationGetDescr(rel), result);
		result->place.relid = RelationGetRelid(rel);
		result->place.file = rel->rd_rel->relfilenode;
		result->place.tid = slot->tts_tid;
	}
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return found;
}
