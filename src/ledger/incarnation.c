/*-------------------------------------------------------------------------
 *
 * incarnation.c
 *	  Which life of the server this is, and above which mod-sequence its numbers
 *	  begin.
 *
 * After a failover to a standby that was behind, or a restore, a server would
 * hand out again what clients have seen.  So each life of it, an incarnation,
 * counts from a number on that none before it can have reached, by the clock.
 * It is known by the cluster's system identifier, the WAL timeline, the OID of
 * the database, and that of the table modseq.incarnation: the last two are
 * others if a database was copied, or a dump restored, in the same cluster.
 * The first who hands out a number writes a row for it there.
 *
 * Locks: ShareUpdateExclusiveLock on that table, which conflicts with itself,
 * while a row is added.  It is released at once, not at the transaction's end,
 * so that nobody waits for a transaction.  Who comes while the row of another
 * is not committed writes a copy of it: so both count from the same number,
 * whichever of them aborts.
 *
 * Memory: one static, which a backend keeps until the table changes, or the
 * (sub)transaction that has added a row aborts.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/heapam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* The columns of modseq.incarnation, as sql/parts/incarnation.sql has them */
enum
{
	INCARNATION_SYSTEM = 1,
	INCARNATION_TIMELINE,
	INCARNATION_DATABASE,
	INCARNATION_EXTENSION,
	INCARNATION_STARTED,
	INCARNATION_MODSEQ,
	INCARNATION_UID_GAP,
	INCARNATION_COLUMNS = INCARNATION_UID_GAP
};

/* By so much are two incarnations apart, where the clock is behind */
#define INCARNATION_STEP	(INT64CONST(1) << 32)

/* The first bits of a number are seconds since 2020, the last microseconds */
#define SECOND_BITS			20
#define DAYS_2000_TO_2020	7305

#define LEAST_UID_GAP		10000
#define MOST_UID_GAP		(INT64CONST(1) << 22)

static Incarnation current;
static bool known = false;

/* A row of the current one is of a transaction that is not over */
static bool added = false;
static Oid	table_oid = InvalidOid;

/* What the table says */
typedef struct Found
{
	bool		ours;			/* a row of this incarnation counts, */
	Incarnation found;			/* the one with the highest number */
	bool		pending;		/* somebody else is adding one: */
	Incarnation copy;
	int64		other;			/* the highest number of others, or -1 */
} Found;

static bool
get_column(HeapTuple row, TupleDesc desc, AttrNumber attnum, int64 *value)
{
	bool		isnull;
	Datum		datum = heap_getattr(row, attnum, desc, &isnull);

	if (isnull)
		return false;
	*value = attnum == INCARNATION_DATABASE || attnum == INCARNATION_EXTENSION ?
		(int64) DatumGetObjectId(datum) : DatumGetInt64(datum);
	return true;
}

/* Keeps the one with the higher number */
static void
keep_higher(Incarnation *kept, const int64 *number)
{
	if (number[INCARNATION_MODSEQ] < kept->modseq)
		return;
	kept->modseq = number[INCARNATION_MODSEQ];
	kept->uid_gap = number[INCARNATION_UID_GAP];
}

static void
see_row(Relation rel, HeapTuple row, bool is_pending, Found *found)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int64		number[INCARNATION_COLUMNS + 1] = {0};
	bool		ours;

	for (AttrNumber i = 1; i <= INCARNATION_COLUMNS; i++)
		if (i != INCARNATION_STARTED &&
			!get_column(row, desc, i, &number[i]))
			return;
	ours = number[INCARNATION_SYSTEM] == (int64) GetSystemIdentifier() &&
		number[INCARNATION_TIMELINE] == (int64) current_timeline() &&
		number[INCARNATION_DATABASE] == (int64) MyDatabaseId &&
		number[INCARNATION_EXTENSION] == (int64) RelationGetRelid(rel);
	if (ours && is_pending)
	{
		found->pending = true;
		keep_higher(&found->copy, number);
	}
	else if (ours)
	{
		found->ours = true;
		keep_higher(&found->found, number);
	}
	else
		found->other = Max(found->other, number[INCARNATION_MODSEQ]);
}

/*
 * Reads the table as of now, with what is not committed.  One incarnation
 * succeeds another, each with a higher number.  So if others have as high a one
 * as ours, then their rows came with a dump, and data of their server.
 */
static void
read_table(Relation rel, Found *found)
{
	SnapshotData snapshot;
	TableScanDesc scan;
	HeapTuple	row;

	memset(found, 0, sizeof(*found));
	found->other = -1;
	InitDirtySnapshot(snapshot);
	scan = table_beginscan_compat(rel, &snapshot, 0, NULL);
	while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
		see_row(rel, row, TransactionIdIsValid(snapshot.xmin), found);
	table_endscan(scan);
	found->ours = found->ours && found->found.modseq > found->other;
	found->pending = found->pending && found->copy.modseq > found->other;
}

static int64
random_number(int64 below)
{
	uint64		bits;

	if (!pg_strong_random(&bits, sizeof(bits)))
		elog(ERROR, "could not generate random values");
	return (int64) (bits % (uint64) below);
}

/* What the clock says, in a number: see SECOND_BITS */
static int64
clock_number(void)
{
	int64		now = Max(GetCurrentTimestamp() -
						  DAYS_2000_TO_2020 * USECS_PER_DAY, 0);

	return (now / USECS_PER_SEC << SECOND_BITS) + now % USECS_PER_SEC;
}

/* The least that one may have which follows that number, whatever the clock */
static int64
number_above(int64 highest)
{
	return Max(Min(highest, MODSEQ_MAX - 2 * INCARNATION_STEP) +
			   INCARNATION_STEP, LEAST_JUMP);
}

/*
 * A number that no mailbox can have reached: all that there is counts from the
 * clock of its day on, by ones.  So does what is not here: of two standbys that
 * are promoted one after the other, be it in the same second, neither of which
 * knows of the other, the second must count from above what the first has
 * given.  So also where the clock is behind, the number follows it.
 */
static Incarnation
new_incarnation(int64 highest)
{
	int64		clock = clock_number();
	Incarnation result;

	result.modseq = Max(clock, number_above(highest) +
						clock % INCARNATION_STEP);
	result.uid_gap = LEAST_UID_GAP +
		random_number(MOST_UID_GAP - LEAST_UID_GAP);
	return result;
}

static void
add_row(Relation rel, const Incarnation *incarnation)
{
	Datum		values[INCARNATION_COLUMNS];
	bool		nulls[INCARNATION_COLUMNS] = {false};
	HeapTuple	row;

	values[INCARNATION_SYSTEM - 1] =
		Int64GetDatum((int64) GetSystemIdentifier());
	values[INCARNATION_TIMELINE - 1] =
		Int64GetDatum((int64) current_timeline());
	values[INCARNATION_DATABASE - 1] = ObjectIdGetDatum(MyDatabaseId);
	values[INCARNATION_EXTENSION - 1] =
		ObjectIdGetDatum(RelationGetRelid(rel));
	values[INCARNATION_STARTED - 1] =
		TimestampTzGetDatum(GetCurrentTimestamp());
	values[INCARNATION_MODSEQ - 1] = Int64GetDatum(incarnation->modseq);
	values[INCARNATION_UID_GAP - 1] = Int64GetDatum(incarnation->uid_gap);
	row = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	simple_heap_insert(rel, row);
	heap_freetuple(row);

	/* It goes if this (sub)transaction aborts: see below */
	added = true;
}

static Relation
open_table(void)
{
	static const Oid types[INCARNATION_COLUMNS] = {
		INT8OID, INT8OID, OIDOID, OIDOID, TIMESTAMPTZOID, INT8OID, INT8OID
	};
	Oid			schema = get_namespace_oid("modseq", false);
	Oid			relid = get_relname_relid("incarnation", schema);
	Relation	rel;

	if (!OidIsValid(relid))
		elog(ERROR, "table modseq.incarnation does not exist");
	rel = table_open(relid, AccessShareLock);
	for (int i = 0; i < INCARNATION_COLUMNS; i++)
		if (RelationGetDescr(rel)->natts != INCARNATION_COLUMNS ||
			TupleDescAttr(RelationGetDescr(rel), i)->atttypid != types[i])
			elog(ERROR, "table modseq.incarnation is not as the extension has made it");
	table_oid = relid;
	return rel;
}

/*
 * Adds a row, unless there is one that counts, or one is wanted anyway, whose
 * number is above that one
 */
static void
add_incarnation(Relation rel, bool anyway, int64 above, Found *found)
{
	Oid			relid = RelationGetRelid(rel);

	/* Conflicts with itself; released at once: nobody waits for long */
	LockRelationOid(relid, ShareUpdateExclusiveLock);
	read_table(rel, found);
	if (anyway || !found->ours)
	{
		if (anyway || !found->pending)
			found->copy = new_incarnation(Max(Max(found->other, above),
											  Max(found->found.modseq,
												  found->copy.modseq)));
		found->found = found->copy;
		add_row(rel, &found->found);
	}
	UnlockRelationOid(relid, ShareUpdateExclusiveLock);
}

/* Reads which one it is, unless that is known; begins it if that is wanted */
static bool
learn(bool begin)
{
	Relation	rel;
	Found		found;

	if (known)
		return true;
	rel = open_table();
	read_table(rel, &found);
	if (!found.ours && begin)
		add_incarnation(rel, false, 0, &found);
	table_close(rel, AccessShareLock);
	known = found.ours || begin;
	if (known)
		current = found.found;
	return known;
}

/*
 * incarnation_current: the one whose numbers are handed out
 *
 * For who is about to hand out one: the first of an incarnation writes its row.
 * Never on a standby, therefore.  Valid until the next call.
 */
const Incarnation *
incarnation_current(void)
{
	learn(true);
	return &current;
}

/*
 * incarnation_is_not_first: are there servers before, or beside this one, that
 * may have given numbers above the HIGHESTMODSEQ of a mailbox?
 *
 * Also if it has changed since: who was promoted beside us, from the same
 * primary, may have a clock that is ahead.  Writes nothing: for who only reads,
 * but not on a standby.
 */
bool
incarnation_is_not_first(void)
{
	return !learn(false) || current.modseq > 0;
}

/*
 * incarnation_may_follow: has a mailbox with that HIGHESTMODSEQ not changed in
 * this incarnation yet, and is that not the first?  Writes nothing.
 */
bool
incarnation_may_follow(int64 highestmodseq)
{
	return !learn(false) || highestmodseq <= current.modseq;
}

/*
 * incarnation_next: the lowest number that one can have which would begin now,
 * where the highest one so far is that
 */
int64
incarnation_next(int64 highest)
{
	return Max(clock_number(), number_above(highest));
}

/* incarnation_begin: another one begins, above that; returns its number */
int64
incarnation_begin(int64 above)
{
	Relation	rel = open_table();
	Found		found;

	add_incarnation(rel, true, above, &found);

	/* What others know is out of date as soon as this is committed */
	CacheInvalidateRelcache(rel);
	table_close(rel, AccessShareLock);
	known = false;
	return found.found.modseq;
}

/* incarnation_first: that of CREATE EXTENSION, before which there was none */
void
incarnation_first(void)
{
	static const Incarnation first = {0, 0};
	Relation	rel = open_table();

	add_row(rel, &first);
	table_close(rel, AccessShareLock);
	known = false;
}

/* incarnation_changed: its rows are others now; all backends hear of it */
void
incarnation_changed(Oid relid)
{
	CacheInvalidateRelcacheByRelid(relid);
	known = false;
}

static void
forget(Datum arg, Oid relid)
{
	if (relid == table_oid || relid == InvalidOid)
		known = false;
}

/* A row that was added is gone, if it was by what aborts */
void
incarnation_subtransaction_end(bool commit)
{
	if (!commit && added)
		known = false;
}

void
incarnation_transaction_end(bool commit)
{
	if (!commit && added)
		known = false;
	added = false;
}

void
incarnation_init(void)
{
	CacheRegisterRelcacheCallback(forget, (Datum) 0);
}
