/*-------------------------------------------------------------------------
 *
 * shared.c
 *	  A message arrives while flags change that it shares: who waits for whom.
 *
 * Flags that a table keeps by the key of a message belong to each row of the
 * message table with that key.  Who changes them does not see a row that is not
 * committed, so could not stamp it; who inserts that row does not see the new
 * flags.  If the row were committed first, then a client that has seen it would
 * never hear of the change.  So one of the two must wait for the other.
 *
 * Both write first, and look afterwards, at the end of the statement:
 *
 * - An arrival looks for rows of the flag table with its key that others have
 *   written and not committed, and waits for these transactions.  It locks
 *   those that are committed, FOR SHARE, so that whoever changes them waits.
 * - A change that brings a row to a key looks for rows of the message table
 *   with that key that others have written and not committed, and waits for
 *   these.  One of a row that was there need not: the row's own lock will do.
 * - Then the change looks up the messages, in a snapshot of that moment.
 *
 * Whichever writes later sees the other when it looks, or the other's lock.
 * Two that write and look at the same time, each for the other, deadlock.
 *
 * Where a foreign key leads from messages to rows of the flag table, a row
 * comes to a key before any message can have it, and only the locks are needed.
 * Where one leads from flags to messages, nothing is: a message is committed
 * before it can have flags, and after that it does not arrive, but moves, which
 * the change waits for when it locks the message.  See build_sharing().
 *
 * A move, an undelete, or another change of a row that was there and keeps its
 * key is no arrival here: the change finds and locks its row.
 *
 * Locks: as said, on rows of the flag table, in the order of arrival, while the
 * mailbox is locked; RowShareLock on both tables, to the end of the
 * transaction, which keeps TRUNCATE out.
 *
 * Memory: the caller's context, for a look; keys are in the Statement, at most
 * so many that memory does not grow with rows.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* After so many messages have arrived, it is looked for their flags */
#define MAX_ARRIVED 1000

/* A table, or a partition of it, whose rows are looked for by key */
typedef struct Look
{
	Relation	rel;
	Relation	index;			/* NULL: none will do */
	ScanKeyData key;
	IndexScanDesc index_scan;
	TableScanDesc table_scan;
	TupleTableSlot *row;
	TupleTableSlot *locked;
} Look;

/* --- scans ------------------------------------------------------------- */

/* Do both collations take the same texts for equal? */
static bool
same_equality(Oid a, Oid b)
{
	return a == b || (OidIsValid(a) && OidIsValid(b) &&
					  get_collation_isdeterministic(a) &&
					  get_collation_isdeterministic(b));
}

/* An index of that table that finds all rows by the column and operator */
static Relation
open_index(Relation rel, AttrNumber column, Oid operator, Oid collation)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index->rd_rel->relam == BTREE_AM_OID &&
			index->rd_index->indisvalid &&
			index->rd_index->indkey.values[0] == column &&
			RelationGetIndexPredicate(index) == NIL &&
			get_op_opfamily_strategy(operator, index->rd_opfamily[0]) ==
			BTEqualStrategyNumber &&
			same_equality(index->rd_indcollation[0], collation))
			return index;
		index_close(index, AccessShareLock);
	}
	return NULL;
}

/* The operator that compares a column with values like another's */
static Oid
key_operator(const Column *column, const Column *other)
{
	Oid			unused;
	Oid			result = equality_operator(column->type, other->type, &unused);

	if (!OidIsValid(result))
		result = get_commutator(equality_operator(other->type, column->type,
												  &unused));
	if (!OidIsValid(result))
		elog(ERROR, "no operator compares keys of messages");
	return result;
}

/* Keeps the lock on the table */
static void
look_close(Look *look)
{
	ExecDropSingleTupleTableSlot(look->row);
	ExecDropSingleTupleTableSlot(look->locked);
	if (look->index != NULL)
		index_close(look->index, AccessShareLock);
	table_close(look->rel, NoLock);
}

static Look *
look_open(Store *store, Oid relid, const Column *column, const Column *other)
{
	Look	   *look = palloc0(sizeof(Look));
	AttrNumber	attnum = get_attnum(relid, column->name);
	Oid			operator = key_operator(column, other);
	Oid			left;
	Oid			right;

	look->rel = table_open(relid, NoLock);
	if (attnum == InvalidAttrNumber ||
		getBaseType(get_atttype(relid, attnum)) != column->type)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."),
						  column->name);
	look->index = open_index(look->rel, attnum, operator,
							 store->message_key.collation);
	look->row = table_slot_create(look->rel, NULL);
	look->locked = table_slot_create(look->rel, NULL);
	op_input_types(operator, &left, &right);
	ScanKeyEntryInitialize(&look->key, 0, look->index ? 1 : attnum,
						   BTEqualStrategyNumber, right,
						   look->index ? look->index->rd_indcollation[0] :
						   store->message_key.collation,
						   get_opcode(operator), (Datum) 0);
	return look;
}

/*
 * A table of the store, and its partitions: what may come to it later comes
 * with a lock that waits for ours (bulk.c)
 */
static List *
looks_open(Store *store, TableRole role)
{
	const Column *column = &store->message_key;
	const Column *other = &store->flag_message;
	Oid			relid = store->table[role].relid;
	List	   *result = NIL;
	List	   *tables;
	ListCell   *lc;

	LockRelationOid(relid, RowShareLock);
	tables = find_all_inheritors(relid, RowShareLock, NULL);
	if (role == TABLE_FLAG)
	{
		column = &store->flag_message;
		other = &store->message_key;
	}
	foreach(lc, tables)
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			result = lappend(result, look_open(store, lfirst_oid(lc), column,
											   other));
	}
	return result;
}

static void
scan_begin(Look *look, Snapshot snapshot)
{
	if (look->index != NULL)
		look->index_scan = index_beginscan_compat(look->rel, look->index,
												  snapshot, 1);
	else
		look->table_scan = table_beginscan_compat(look->rel, snapshot, 1,
												  &look->key);
}

/* Starts with another key, or anew, and lets go of all buffers */
static void
scan_key(Look *look, Datum key)
{
	ExecClearTuple(look->row);
	look->key.sk_argument = key;
	if (look->index != NULL)
		index_rescan(look->index_scan, &look->key, 1, NULL, 0);
	else
		table_rescan(look->table_scan, &look->key);
}

static bool
scan_next(Look *look)
{
	if (look->index != NULL)
		return index_getnext_slot(look->index_scan, ForwardScanDirection,
								  look->row);
	return table_scan_getnextslot(look->table_scan, ForwardScanDirection,
								  look->row);
}

static void
scan_end(Look *look)
{
	ExecClearTuple(look->row);
	if (look->index != NULL)
		index_endscan(look->index_scan);
	else
		table_endscan(look->table_scan);
}

/* --- looking ----------------------------------------------------------- */

/*
 * Waits until no row of that key is left that another transaction has written
 * and not committed; or, unless going is true, has inserted.
 */
static void
wait_for_writers(Look *look, const SnapshotData *dirty, Datum key, bool going)
{
	TransactionId writer;

	do
	{
		ItemPointerData place;

		writer = InvalidTransactionId;
		scan_key(look, key);
		while (!TransactionIdIsValid(writer) && scan_next(look))
		{
			writer = dirty->xmin;
			if (!TransactionIdIsValid(writer) && going)
				writer = dirty->xmax;
			place = look->row->tts_tid;
		}
		if (TransactionIdIsValid(writer))
		{
			scan_key(look, key);
			XactLockTableWait(writer, look->rel, &place, XLTW_Lock);
		}
	} while (TransactionIdIsValid(writer));
}

/* Did this transaction write the row?  Then nobody else changes it */
static bool
is_ours(TupleTableSlot *row)
{
	bool		isnull;
	Datum		xmin = slot_getsysattr(row, MinTransactionIdAttributeNumber,
									   &isnull);

	return TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

/*
 * Locks the rows of that key, FOR SHARE, whatever becomes of them while we
 * wait: what we read of them does not matter.
 */
static void
lock_rows(Look *look, Snapshot snapshot, Datum key)
{
	scan_key(look, key);
	while (scan_next(look))
	{
		ItemPointerData place = look->row->tts_tid;
		TM_FailureData unused;

		if (is_ours(look->row))
			continue;
		table_tuple_lock(look->rel, &place, snapshot, look->locked,
						 GetCurrentCommandId(true), LockTupleShare,
						 LockWaitBlock,
						 TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS |
						 TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &unused);
		ExecClearTuple(look->locked);
	}
}

/* Is it the key before it again?  A message may have several flags. */
static bool
is_repeated(const ArrayBuildState *keys, int i)
{
	return i > 0 && datumIsEqual(keys->dvalues[i - 1], keys->dvalues[i],
								 keys->typbyval, keys->typlen);
}

static void
wait_for_all_writers(List *looks, const ArrayBuildState *keys, bool going)
{
	ListCell   *lc;

	foreach(lc, looks)
	{
		SnapshotData dirty;

		InitDirtySnapshot(dirty);
		scan_begin(lfirst(lc), &dirty);
		for (int i = 0; i < keys->nelems; i++)
			if (!is_repeated(keys, i))
				wait_for_writers(lfirst(lc), &dirty, keys->dvalues[i], going);
		scan_end(lfirst(lc));
	}
}

/*
 * The snapshot is taken now: a row that moves in its table while it is read
 * might be missed by a scan that sees what is not committed.
 */
static void
lock_all_rows(List *looks, const ArrayBuildState *keys)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ListCell   *lc;

	foreach(lc, looks)
	{
		scan_begin(lfirst(lc), snapshot);
		for (int i = 0; i < keys->nelems; i++)
			if (!is_repeated(keys, i))
				lock_rows(lfirst(lc), snapshot, keys->dvalues[i]);
		scan_end(lfirst(lc));
	}
	UnregisterSnapshot(snapshot);
}

static void
looks_close(List *looks)
{
	ListCell   *lc;

	foreach(lc, looks)
		look_close(lfirst(lc));
}

/* --- arrivals ---------------------------------------------------------- */

/* The flags of these messages shall not change without our knowledge */
static void
look_for_flags(Store *store, const MessageKeys *arrived)
{
	List	   *looks;

	if (arrived->keys->element_type != store->message_key.type)
		statement_store_changed(store);
	if (store->sharing == FLAGS_OWN)
		return;
	looks = looks_open(store, TABLE_FLAG);
	if (store->sharing == FLAGS_SHARED)
		wait_for_all_writers(looks, arrived->keys, true);
	lock_all_rows(looks, arrived->keys);
	looks_close(looks);
}

/*
 * shared_settle: the statement is over; what has arrived waits for those who
 * change its flags
 *
 * Also whatever arrives by triggers meanwhile.
 */
void
shared_settle(Statement *statement)
{
	List	   *list = statement->arrived;
	ListCell   *lc;

	statement->arrived = NIL;
	foreach(lc, list)
	{
		MessageKeys *arrived = lfirst(lc);

		look_for_flags(store_get(arrived->message_relid), arrived);
		MemoryContextDelete(arrived->keys->mcontext);
		pfree(arrived);
	}
	list_free(list);
}

/*
 * shared_arrive: a message with that key has arrived, or a row of the message
 * table has that key now; called after each row
 *
 * Waits, now and then or when the statement is over, for transactions that are
 * changing its flags, and locks its rows in the flag table.
 */
void
shared_arrive(Store *store, Datum message_key)
{
	if (statement_arrived(store, message_key)->keys->nelems >= MAX_ARRIVED)
		shared_settle(statement_current());
}

/* --- changes ----------------------------------------------------------- */

/*
 * shared_wait_for_arrivals: a row of the flag table has come to one of these
 * messages; waits for transactions in which these are arriving
 */
void
shared_wait_for_arrivals(Store *store, const MessageKeys *flagged)
{
	List	   *looks;

	if (store->sharing != FLAGS_SHARED)
		return;
	looks = looks_open(store, TABLE_MESSAGE);
	wait_for_all_writers(looks, flagged->keys, false);
	looks_close(looks);
}
