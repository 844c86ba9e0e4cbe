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
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

/* Is it the row of the mailbox, or account, with the counters we know of? */
static bool
is_row_of(Store *store, const RowShape *shape, const Mailbox *mailbox,
		  const Counters *counters, HeapTuple row, TupleDesc desc)
{
	Datum		key[MODSEQ_MAX_KEYS];
	int64		uidnext;
	int64		highestmodseq = 0;

	if (mailbox->account_key != NULL)
	{
		row_get_int64(row, desc, shape->highestmodseq, INT8OID,
					  &highestmodseq);
		return row_get_account(shape, row, desc, key) &&
			account_compare(store, key, mailbox->account_key) == 0 &&
			highestmodseq == counters->highestmodseq;
	}
	if (!row_get_key(shape, row, desc, key) ||
		!key_equal(store, key, counters->name->key))
		return false;
	row_get_counters(shape, row, desc, &uidnext, &highestmodseq);
	return uidnext == counters->uidnext &&
		highestmodseq == counters->highestmodseq;
}

/*
 * The version at that place, if a snapshot sees it: it is in the slot, as a
 * tuple; else NULL
 *
 * A table that was made or truncated in this very transaction is truncated in
 * place: what we know may be beyond its end.
 */
static HeapTuple
fetch_place(Relation rel, const RowPlace *known, Snapshot snapshot,
			TupleTableSlot *slot)
{
	ItemPointerData place = known->tid;
	bool		owned;

	if (rel->rd_rel->relfilenode != known->file ||
		((rel->rd_createSubid != InvalidSubTransactionId ||
		  rel->rd_firstRelfilelocatorSubid != InvalidSubTransactionId) &&
		 ItemPointerGetBlockNumber(&place) >= RelationGetNumberOfBlocks(rel)) ||
		!table_tuple_fetch_row_version(rel, &place, snapshot, slot))
		return NULL;
	return ExecFetchSlotHeapTuple(slot, false, &owned);
}

/* Is the current version of the mailbox's row at the place that we know? */
static HeapTuple
fetch_row(Store *store, Relation rel, const RowShape *shape, Mailbox *mailbox,
		  TupleTableSlot *slot)
{
	const Counters *counters = mailbox_counters(mailbox);
	HeapTuple	row = fetch_place(rel, &counters->place, SnapshotSelf, slot);

	return row != NULL && is_row_of(store, shape, mailbox, counters, row,
									RelationGetDescr(rel)) ? row : NULL;
}

/*
 * A version went to a page where no entry of an index leads, or an index has a
 * counter: make an entry in each
 *
 * If the key is that of the version before, then nothing can be there twice.
 * As the owner, whose code an operator class may be.
 */
static void
add_index_entries(Relation rel, TupleTableSlot *slot, bool same_key)
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
						 same_key || !info->ii_Unique ?
						 UNIQUE_CHECK_NO : UNIQUE_CHECK_YES, same_key, info);
		}
		index_close(index, NoLock);
		pfree(info);
	}
	SetUserIdAndSecContext(user, security);
	list_free(indexes);
}

/* What a count becomes, or an error if there is no room for that */
static Datum
new_count(const RowShape *shape, HeapTuple row, TupleDesc desc, int i,
		  int64 added)
{
	int64		count = 0;

	row_get_int64(row, desc, shape->count[i], shape->count_type[i], &count);
	count += added;
	if (shape->count_type[i] == INT4OID && count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("count " INT64_FORMAT
						" is out of range for column %s of table %s",
						count, shape->store->count[i].quoted,
						shape->store->table[TABLE_MAILBOX].name),
				 errhint("Change the type of the column to bigint.")));
	return row_make_int64(count, shape->count_type[i]);
}

/* Replaces the counters of the row by those */
static HeapTuple
new_version(const RowShape *shape, HeapTuple row, TupleDesc desc,
			const CounterValues *new, bool is_account)
{
	int			columns[4 + COUNTS];
	Datum		values[4 + COUNTS];
	bool		nulls[4 + COUNTS] = {false};
	int			n = 0;

	columns[n] = shape->highestmodseq;
	values[n++] = Int64GetDatum(new->highestmodseq);
	if (is_account)
	{
		columns[n] = shape->email_modseq;
		values[n++] = Int64GetDatum(new->state[STATE_EMAIL]);
		columns[n] = shape->thread_modseq;
		values[n++] = Int64GetDatum(new->state[STATE_THREAD]);
		columns[n] = shape->mailbox_modseq;
		values[n++] = Int64GetDatum(new->state[STATE_MAILBOX]);
	}
	else
	{
		columns[n] = shape->uidnext;
		values[n++] = row_make_int64(new->uidnext, shape->uidnext_type);
		for (int i = 0; i < COUNTS; i++)
		{
			if (new->counts.n[i] == 0)
				continue;
			columns[n] = shape->count[i];
			values[n++] = new_count(shape, row, desc, i, new->counts.n[i]);
		}
	}
	if (new->created_modseq != 0)
	{
		columns[n] = shape->created_modseq;
		values[n++] = Int64GetDatum(new->created_modseq);
	}
	if (new->properties_modseq != 0)
	{
		columns[n] = shape->properties_modseq;
		values[n++] = Int64GetDatum(new->properties_modseq);
	}
	return heap_modify_tuple_by_cols(row, desc, n, columns, values, nulls);
}

/*
 * direct_write: the row of a mailbox, or of an account, gets these counters, if
 * we know where it is
 *
 * False, and nothing has happened, if SQL must do it.  Does what our trigger on
 * the table would do, but for telling it.
 */
bool
direct_write(Store *store, Mailbox *mailbox, const CounterValues *values)
{
	Counters   *counters = mailbox_counters(mailbox);
	bool		is_account = mailbox->account_key != NULL;
	TableRole	role = is_account ? TABLE_ACCOUNT : TABLE_MAILBOX;
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
		counters->place.relid != store->table[role].relid ||
		XactReadOnly)
		return false;
	rel = table_open(counters->place.relid, RowExclusiveLock);
	shape = shape_get(rel, role, NULL);
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
		row = new_version(shape, row, RelationGetDescr(rel), values,
						  is_account);
		ExecForceStoreHeapTuple(row, slot, true);
		result = table_tuple_update_compat(rel, &place, slot,
										   GetCurrentCommandId(true),
										   SnapshotSelf, InvalidSnapshot, true,
										   &failure, &mode, &indexes);
	}
	if (result == TM_Ok)
	{
		if (indexes != TU_None)
			add_index_entries(rel, slot, true);
		counters->place.tid = slot->tts_tid;
		CommandCounterIncrement();
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return result == TM_Ok;
}

/* --- renaming ---------------------------------------------------------- */

/*
 * Can a key be written there without SQL?  Nobody else has a say in it: the
 * columns are of the keys' very types, and the one index is ours.
 */
static bool
has_plain_key(const Store *store, Relation rel, const RowShape *shape)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		result = shape->plain && list_length(indexes) == 1 &&
		linitial_oid(indexes) == store->table[TABLE_MAILBOX].key_index;

	for (int i = 0; i < store->nkeys; i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel),
												 shape->key[i].attnum - 1);

		result = result && column->atttypid == store->key[i].type &&
			column->atttypmod == store->key[i].typmod &&
			column->attidentity == '\0';
	}
	list_free(indexes);
	return result;
}

/* Gives the row in the slot that key; *new is what it says then */
static bool
write_key(const Store *store, Relation rel, const RowShape *shape,
		  TupleTableSlot *slot, const Datum *key, HeapTuple *new)
{
	TupleTableSlot *written = table_slot_create(rel, NULL);
	HeapTuple	row = ExecCopySlotHeapTuple(slot);
	int			columns[MODSEQ_MAX_KEYS];
	bool		nulls[MODSEQ_MAX_KEYS] = {false};
	TM_Result	result;
	TM_FailureData failure;
	LockTupleMode mode;
	TU_UpdateIndexes indexes;

	for (int i = 0; i < store->nkeys; i++)
		columns[i] = shape->key[i].attnum;
	row = heap_modify_tuple_by_cols(row, RelationGetDescr(rel), store->nkeys,
									columns, unconstify(Datum *, key), nulls);
	ExecForceStoreHeapTuple(row, written, true);
	result = table_tuple_update_compat(rel, &slot->tts_tid, written,
									   GetCurrentCommandId(true),
									   GetActiveSnapshot(), InvalidSnapshot,
									   true, &failure, &mode, &indexes);
	if (result == TM_Ok)
	{
		add_index_entries(rel, written, false);
		*new = ExecCopySlotHeapTuple(written);
	}
	ExecDropSingleTupleTableSlot(written);
	return result == TM_Ok;
}

/*
 * direct_rename: the row in our table of counters gets another key, if there is
 * nothing under that
 *
 * False, and nothing has happened, if SQL must do it, as where another
 * transaction has changed the row meanwhile.  The versions of the row are for
 * the caller, who must do what our trigger on the table would.
 */
bool
direct_rename(Store *store, const Datum *from, const Datum *to,
			  HeapTuple *old, HeapTuple *new)
{
	Relation	rel;
	const RowShape *shape;
	Probe		probe;
	Blocked		blocked;
	bool		done = false;

	if (store->counters == NULL || XactReadOnly ||
		SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return false;
	rel = table_open(store->table[TABLE_MAILBOX].relid, RowExclusiveLock);
	shape = shape_get(rel, TABLE_MAILBOX, NULL);
	if (shape->store != store || !has_plain_key(store, rel, shape))
	{
		table_close(rel, NoLock);
		return false;
	}
	CheckCmdReplicaIdentity(rel, CMD_UPDATE);

	/* As a query would see it: in REPEATABLE READ, what is newer is an error */
	PushActiveSnapshot(GetTransactionSnapshot());
	CommandCounterIncrement();
	UpdateActiveSnapshotCommandId();
	blocked_begin(&blocked, store, BLOCKED_MAILBOX, from);
	if (probe_begin(&probe, store, TABLE_MAILBOX, false))
	{
		if (!probe_meets(&probe, to) && probe_find(&probe, from) &&
			write_key(store, rel, shape, probe.slot, to, new))
		{
			/* The buffer has in it by now that the version was replaced */
			*old = ExecCopySlotHeapTuple(probe.slot);
			CommandCounterIncrement();
			done = true;
		}
		probe_end(&probe);
	}
	blocked_end(&blocked);
	PopActiveSnapshot();
	table_close(rel, NoLock);
	return done;
}

/* --- reading ----------------------------------------------------------- */

/*
 * direct_read: the row of the mailbox with that key, as the active snapshot has
 * it, in the probe's slot
 *
 * If that sees the version at the place that we know, then it sees no other.
 * False if there is none.
 */
bool
direct_read(Probe *probe, const Datum *key)
{
	Store	   *store = probe->store;
	const Mailbox *mailbox = mailbox_find(store, key);
	const RowPlace *place;
	HeapTuple	row;
	Datum		found[MODSEQ_MAX_KEYS];

	if (mailbox != NULL && mailbox->level != NULL)
	{
		place = &mailbox->level->counters.place;
		row = place->relid != RelationGetRelid(probe->rel) ? NULL :
			fetch_place(probe->rel, place, GetActiveSnapshot(),
						probe_slot(probe));

		/* It may have another key by now */
		if (row != NULL &&
			row_get_key(shape_get(probe->rel, TABLE_MAILBOX, NULL), row,
						RelationGetDescr(probe->rel), found) &&
			key_equal(store, found, key))
			return true;
	}
	return probe_find(probe, key);
}
