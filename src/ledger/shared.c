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
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
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
	int			nkeys;
	ScanKeyData key[MODSEQ_MAX_KEYS];	/* in the order of the index */
	int			column[MODSEQ_MAX_KEYS];	/* of the message's key, for each */
	Oid			operator[MODSEQ_MAX_KEYS];	/* of each column of that */
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

/*
 * Do the first columns of an index, which are those of the key, compare them as
 * the conditions do?  Then these are put into the order that they have there.
 */
static bool
follow_index(Look *look, Relation index)
{
	Look		ordered = *look;

	for (int i = 0; i < look->nkeys; i++)
	{
		int			n = 0;

		while (look->key[n].sk_attno != index->rd_index->indkey.values[i])
			n++;
		if (get_op_opfamily_strategy(look->operator[n],
									 index->rd_opfamily[i]) !=
			BTEqualStrategyNumber ||
			!same_equality(index->rd_indcollation[i],
						   look->key[n].sk_collation))
			return false;
		ordered.key[i] = look->key[n];
		ordered.key[i].sk_attno = i + 1;
		ordered.key[i].sk_collation = index->rd_indcollation[i];
		ordered.column[i] = n;
	}
	*look = ordered;
	return true;
}

/* An index of the table that finds all rows by these conditions, if any */
static void
open_index(Look *look, List *columns)
{
	List	   *indexes = RelationGetIndexList(look->rel);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Oid			indexid = lfirst_oid(lc);

		if (!index_finds(RelationGetRelid(look->rel), indexid, columns))
			continue;
		look->index = index_open(indexid, AccessShareLock);
		if (follow_index(look, look->index))
			return;
		index_close(look->index, AccessShareLock);
		look->index = NULL;
	}
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

/* The condition that column n of the key has a value like the other table's */
static void
look_by(Look *look, Store *store, int n, const Column *column,
		const Column *other)
{
	Oid			relid = RelationGetRelid(look->rel);
	AttrNumber	attnum = get_attnum(relid, column->name);
	Oid			left;
	Oid			right;

	if (attnum == InvalidAttrNumber ||
		getBaseType(get_atttype(relid, attnum)) != column->type)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."),
						  column->name);
	look->column[n] = n;
	look->operator[n] = key_operator(column, other);
	op_input_types(look->operator[n], &left, &right);
	ScanKeyEntryInitialize(&look->key[n], 0, attnum, BTEqualStrategyNumber,
						   right, store->message_key.column[n].collation,
						   get_opcode(look->operator[n]), (Datum) 0);
}

static Look *
look_open(Store *store, Oid relid, const Columns *columns,
		  const Columns *others)
{
	Look	   *look = palloc0(sizeof(Look));

	look->rel = table_open(relid, NoLock);
	look->nkeys = columns->n;
	for (int i = 0; i < look->nkeys; i++)
		look_by(look, store, i, &columns->column[i], &others->column[i]);
	open_index(look, column_names(columns));
	look->row = table_slot_create(look->rel, NULL);
	look->locked = table_slot_create(look->rel, NULL);
	return look;
}

/*
 * A table of the store, and its partitions: what may come to it later comes
 * with a lock that waits for ours (bulk.c)
 */
static List *
looks_open(Store *store, TableRole role)
{
	const Columns *columns = &store->message_key;
	const Columns *others = &store->flag_message;
	Oid			relid = store->table[role].relid;
	List	   *result = NIL;
	List	   *tables;
	ListCell   *lc;

	LockRelationOid(relid, RowShareLock);
	tables = find_all_inheritors(relid, RowShareLock, NULL);
	if (role == TABLE_FLAG)
	{
		columns = &store->flag_message;
		others = &store->message_key;
	}
	foreach(lc, tables)
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_RELATION)
			result = lappend(result, look_open(store, lfirst_oid(lc), columns,
											   others));
	}
	return result;
}

static void
scan_begin(Look *look, Snapshot snapshot)
{
	if (look->index != NULL)
		look->index_scan = index_beginscan_compat(look->rel, look->index,
												  snapshot, look->nkeys);
	else
		look->table_scan = table_beginscan_compat(look->rel, snapshot,
												  look->nkeys, look->key);
}

/* Starts with another key, or anew, and lets go of all buffers */
static void
scan_key(Look *look, const Datum *key)
{
	ExecClearTuple(look->row);
	for (int i = 0; i < look->nkeys; i++)
		look->key[i].sk_argument = key[look->column[i]];
	if (look->index != NULL)
		index_rescan(look->index_scan, look->key, look->nkeys, NULL, 0);
	else
		table_rescan(look->table_scan, look->key);
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
wait_for_writers(Look *look, const SnapshotData *dirty, const Datum *key,
				 bool going)
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
lock_rows(Look *look, Snapshot snapshot, const Datum *key)
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

static void
wait_for_all_writers(List *looks, const MessageKeys *keys, bool going)
{
	ListCell   *lc;

	foreach(lc, looks)
	{
		SnapshotData dirty;

		InitDirtySnapshot(dirty);
		scan_begin(lfirst(lc), &dirty);
		for (int i = 0; i < message_keys_count(keys); i++)
		{
			Datum		key[MODSEQ_MAX_KEYS];

			message_keys_get(keys, i, key);
			wait_for_writers(lfirst(lc), &dirty, key, going);
		}
		scan_end(lfirst(lc));
	}
}

/*
 * The snapshot is taken now: a row that moves in its table while it is read
 * might be missed by a scan that sees what is not committed.
 */
static void
lock_all_rows(List *looks, const MessageKeys *keys)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ListCell   *lc;

	foreach(lc, looks)
	{
		scan_begin(lfirst(lc), snapshot);
		for (int i = 0; i < message_keys_count(keys); i++)
		{
			Datum		key[MODSEQ_MAX_KEYS];

			message_keys_get(keys, i, key);
			lock_rows(lfirst(lc), snapshot, key);
		}
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
	Oid			types[MODSEQ_MAX_KEYS];
	List	   *looks;

	column_types(&store->message_key, types);
	if (!message_keys_have_types(arrived, store->message_key.n, types))
		statement_store_changed(store);
	if (store->sharing == FLAGS_OWN)
		return;
	looks = looks_open(store, TABLE_FLAG);
	if (store->sharing == FLAGS_SHARED)
		wait_for_all_writers(looks, arrived, true);
	lock_all_rows(looks, arrived);
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
		MemoryContextDelete(arrived->context);
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
shared_arrive(Store *store, const Datum *message_key)
{
	MessageKeys *arrived = statement_arrived(store, message_key);

	if (message_keys_count(arrived) >= MAX_ARRIVED)
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
	wait_for_all_writers(looks, flagged, false);
	looks_close(looks);
}
