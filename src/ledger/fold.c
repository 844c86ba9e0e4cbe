/*-------------------------------------------------------------------------
 *
 * fold.c
 *	  Old rows of the table of vanished UIDs become one.
 *
 * A statement that removes messages appends a row, and nobody calls anything to
 * be rid of it.  So who appends also folds: rows that are older than the store
 * keeps them become one, with the last one's mod-sequence and the UIDs of all,
 * as compact() does (rule "nothing is forgotten").
 *
 * One in FOLD_EVERY that append looks at the oldest rows of its mailbox, at no
 * more than FOLD_MOST, which is more than have come since.  So there are at
 * most some FOLD_MOST rows that should have been folded, and the work of a
 * statement does not grow with the mailbox.
 *
 * Nor does it grow with what was folded before.  A row is written again only
 * with others that are as large together, or while it is small; so what was
 * folded are rows each larger than the next, and a UID is written again as
 * often as their number has binary digits, at most.
 *
 * While somebody has an old snapshot, rows that were folded stay in the table,
 * and in its index before those that are left.  Then nothing would be won, and
 * each look would go through more of them: so it ends after FOLD_ENTRIES.
 *
 * What the transaction itself has written is left alone: a message may yet come
 * back (returned.c).  So is everything where others' triggers or rules change
 * what we write.
 *
 * Locks: the mailbox lock is held, so nobody else appends, recalls or folds,
 * but compact(), who waits for nobody, and what somebody does by hand.  Rows
 * that are locked are left out, so that nobody who holds a mailbox lock waits.
 * In REPEATABLE READ a row that somebody has changed meanwhile is an error to
 * PostgreSQL; so a subtransaction folds, and that is all that is lost.  In
 * SERIALIZABLE to have read can fail the transaction later: nothing is folded.
 *
 * Memory: none is kept, so there is nothing to forget when a subtransaction
 * aborts.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define FOLD_EVERY		64
#define FOLD_MOST		128
#define FOLD_ENTRIES	1024

/* After so many that are not old none is, unless the clock was set back */
#define FOLD_YOUNG		16

/* So many bytes are written again without a thought */
#define FOLD_SMALL		2048

/* A row that can be folded */
typedef struct OldRow
{
	int64		modseq;
	Size		size;			/* of its UIDs */
} OldRow;

/* Where the table has what we read; 0: it has no such column of that type */
typedef struct OldColumns
{
	AttrNumber	modseq;
	AttrNumber	uids;
	AttrNumber	vanished_at;
	AttrNumber	lost;
} OldColumns;

/*
 * Is this the one in so many?
 *
 * By the number, for sessions come and go; and not each 64th number, which
 * might always be that of another kind of statement: multiples of the golden
 * ratio are spread evenly whatever the step.
 */
static bool
is_due(int64 value)
{
	return (uint64) value * UINT64CONST(0x9E3779B97F4A7C15) <=
		PG_UINT64_MAX / FOLD_EVERY;
}

static AttrNumber
find_column(TupleDesc desc, const char *name, Oid type)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (!column->attisdropped &&
			strcmp(NameStr(column->attname), name) == 0 &&
			(column->atttypid == type ||
			 getBaseType(column->atttypid) == type))
			return column->attnum;
	}
	return InvalidAttrNumber;
}

/* Are they there, and has the index the rows of a mailbox in their order? */
static bool
find_columns(const Probe *probe, OldColumns *columns)
{
	TupleDesc	desc = RelationGetDescr(probe->rel);
	const FormData_pg_index *index = probe->index->rd_index;

	columns->modseq = find_column(desc, "modseq", INT8OID);
	columns->uids = find_column(desc, "uids", uidset_oid());
	columns->vanished_at = find_column(desc, "vanished_at", TIMESTAMPTZOID);
	columns->lost = find_column(desc, "lost", INT8OID);
	return columns->modseq != 0 && columns->uids != 0 &&
		columns->vanished_at != 0 && columns->lost != 0 &&
		index->indnkeyatts > probe->nkeys &&
		index->indkey.values[probe->nkeys] == columns->modseq &&
		probe->index->rd_indoption[probe->nkeys] == 0;
}

/* A column of the row in the slot; false if it is NULL */
static bool
get_column(TupleTableSlot *slot, AttrNumber column, Datum *value)
{
	bool		isnull;

	*value = slot_getattr(slot, column, &isnull);
	return !isnull;
}

/*
 * The oldest rows that have vanished UIDs, up to the last of them that vanished
 * before that; returns how many
 *
 * What was lost with another incarnation must be told for ever, and a row can
 * tell of one.
 */
static int
read_old_rows(Probe *probe, const OldColumns *columns, const Datum *key,
			  int64 below, TimestampTz before, OldRow *rows)
{
	int			entries = FOLD_ENTRIES;
	int			seen = 0;
	int			old = 0;

	probe_rows(probe, key);
	while (seen < FOLD_MOST && probe_next_row(probe, &entries))
	{
		TupleTableSlot *slot = probe->slot;
		Datum		modseq;
		Datum		uids;
		Datum		vanished_at;
		Datum		lost;

		if (!get_column(slot, columns->modseq, &modseq) ||
			DatumGetInt64(modseq) >= below)
			break;
		if (!get_column(slot, columns->uids, &uids) ||
			!get_column(slot, columns->vanished_at, &vanished_at) ||
			get_column(slot, columns->lost, &lost))
			continue;
		rows[seen].modseq = DatumGetInt64(modseq);
		rows[seen].size = toast_raw_datum_size(uids) - VARHDRSZ;
		if (rows[seen].size == 0)
			continue;
		seen++;
		if (DatumGetTimestampTz(vanished_at) < before)
			old = seen;
		else if (seen - old >= FOLD_YOUNG)
			break;
	}
	return entries > 0 ? old : 0;
}

/*
 * Which of n rows become one: the newest that go together, from *first on to
 * before *end; false if there are none
 */
static bool
choose_rows(const OldRow *rows, int n, int *first, int *end)
{
	for (*end = n; *end > 1; (*end)--)
	{
		Size		size = rows[*end - 1].size;

		*first = *end - 1;
		while (*first > 0 && rows[*first - 1].size <= Max(size, FOLD_SMALL))
			size += rows[--*first].size;
		if (*end - *first > 1)
			return true;
	}
	return false;
}

/* Looks for rows to be folded, from one mod-sequence to another */
static bool
find_rows(Store *store, Mailbox *mailbox, int64 *first, int64 *last)
{
	OldRow		rows[FOLD_MOST];
	OldColumns	columns;
	Probe		probe;
	int			begin;
	int			end;
	bool		found = false;

	/* By mod-sequence, for a row of the log may be older than its UIDs */
	int64		below = mailbox_counters(mailbox)->unseen - 1;
	TimestampTz before = GetCurrentTimestamp() - store->vanished_keep;

	PushActiveSnapshot(GetLatestSnapshot());
	if (probe_begin(&probe, store, TABLE_VANISHED, false))
	{
		if (find_columns(&probe, &columns) &&
			choose_rows(rows,
						read_old_rows(&probe, &columns, mailbox_key(mailbox),
									  below, before, rows),
						&begin, &end))
		{
			*first = rows[begin].modseq;
			*last = rows[end - 1].modseq;
			found = true;
		}
		probe_end(&probe);
	}
	PopActiveSnapshot();
	return found;
}

static void
fold_rows(Store *store, Mailbox *mailbox, int64 first, int64 last)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(first);
	params[store->nkeys + 1] = Int64GetDatum(last);
	SPI_connect();
	plan_execute(store, PLAN_FOLD_VANISHED, params, PLAN_LATEST);
	SPI_finish();
}

/* The same; or nothing, if somebody has changed one of the rows meanwhile */
static void
try_fold_rows(Store *store, Mailbox *mailbox, int64 first, int64 last)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		fold_rows(store, mailbox, first, last);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE)
			PG_RE_THROW();
		FlushErrorState();
		FreeErrorData(error);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/*
 * fold_if_due: a statement has appended a row under that mod-sequence; fold old
 * ones, if it is its turn
 *
 * The mailbox lock is held.
 */
void
fold_if_due(Store *store, Mailbox *mailbox, int64 value)
{
	int64		first;
	int64		last;

	if (!is_due(value) || store->table[TABLE_VANISHED].altered ||
		IsolationIsSerializable() ||
		!find_rows(store, mailbox, &first, &last))
		return;
	if (IsolationUsesXactSnapshot())
		try_fold_rows(store, mailbox, first, last);
	else
		fold_rows(store, mailbox, first, last);
}
