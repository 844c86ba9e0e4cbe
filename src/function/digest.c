/*-------------------------------------------------------------------------
 *
 * digest.c
 * 	  What two copies of a mailbox are compared by.
 *
 * A digest of messages is a sum of hashes modulo 2^128, one for each message
 * and one for each of its rows in a flag table, so that no order counts and
 * equal ones do not cancel.  The hash is SipHash-2-4 of 128 bits: it reads
 * bytes, so it is the same on all machines, which those of PostgreSQL are not.
 * It tells copies apart that went different ways; it is no proof against
 * somebody who makes up messages, for its key is known.
 *
 * Locks: none.  All is from the snapshot of the statement that calls it, with
 * the caller's rights.
 *
 * Memory: sums live in the aggregate's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

CALLED_AT_SHARD(digest, CALL_OF_MAILBOX);
PG_FUNCTION_INFO_V1(modseq_digest_row);
PG_FUNCTION_INFO_V1(modseq_digest_final);

/* A number of 128 bits; its bytes go from the lowest to the highest */
typedef struct Sum
{
	uint64		low;
	uint64		high;
} Sum;

/* What digest_agg() keeps */
typedef struct DigestState
{
	Sum			sum;
	int			ncolumns;		/* of the rows of flags, -1: not known yet */
	TupleDesc	desc;
	char	  **names;
	FlagAttribute *flags;
} DigestState;

/* --- the hash ---------------------------------------------------------- */

static uint64
rotate(uint64 word, int n)
{
	return (word << n) | (word >> (64 - n));
}

static void
rounds(uint64 *v, int n)
{
	while (n-- > 0)
	{
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static uint64
word_of(const unsigned char *bytes, int n)
{
	uint64		word = 0;

	while (n-- > 0)
		word = word << 8 | bytes[n];
	return word;
}

/* As its authors publish it, with the key 00 01 ... 0f of their test vectors */
static Sum
hash(const char *data, int len)
{
	const unsigned char *bytes = (const unsigned char *) data;
	uint64		v[4] = {
		UINT64CONST(0x736f6d6570736575) ^ UINT64CONST(0x0706050403020100),
		UINT64CONST(0x646f72616e646f6d) ^ UINT64CONST(0x0f0e0d0c0b0a0908),
		UINT64CONST(0x6c7967656e657261) ^ UINT64CONST(0x0706050403020100),
		UINT64CONST(0x7465646279746573) ^ UINT64CONST(0x0f0e0d0c0b0a0908)
	};
	Sum			result;

	v[1] ^= 0xee;
	for (int at = 0; at <= len; at += 8)
	{
		int			n = Min(len - at, 8);
		uint64		word = word_of(bytes + at, n);

		if (n < 8)
			word |= (uint64) len << 56;
		v[3] ^= word;
		rounds(v, 2);
		v[0] ^= word;
	}
	v[2] ^= 0xee;
	rounds(v, 4);
	result.low = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	rounds(v, 4);
	result.high = v[0] ^ v[1] ^ v[2] ^ v[3];
	return result;
}

static void
add(Sum *sum, Sum other)
{
	sum->low += other.low;
	sum->high += other.high + (sum->low < other.low);
}

static Datum
sum_to_uuid(Sum sum)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	for (int i = 0; i < 8; i++)
	{
		uuid->data[i] = (unsigned char) (sum.low >> (8 * i));
		uuid->data[8 + i] = (unsigned char) (sum.high >> (8 * i));
	}
	return UUIDPGetDatum(uuid);
}

static Sum
sum_from_uuid(Datum datum)
{
	pg_uuid_t  *uuid = DatumGetUUIDP(datum);
	Sum			sum = {word_of(uuid->data, 8), word_of(uuid->data + 8, 8)};

	return sum;
}

/* --- the aggregate ----------------------------------------------------- */

/* What the rows of flags look like; all have the same columns */
static void
describe_rows(DigestState *state, HeapTupleHeader row, ArrayType *names)
{
	Datum	   *elems;
	int			n;

	state->desc =
		lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(row),
									HeapTupleHeaderGetTypMod(row));
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elems, NULL,
					  &n);
	if (n != state->desc->natts)
		elog(ERROR, "%d names for %d columns", n, state->desc->natts);
	state->names = palloc(sizeof(char *) * Max(n, 1));
	state->flags = palloc(sizeof(FlagAttribute) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		state->names[i] = TextDatumGetCString(elems[i]);
		flag_describe(&state->flags[i],
					  TupleDescAttr(state->desc, i)->atttypid);
	}
	state->ncolumns = n;
}

/* What is said of flags, behind what is hashed with them */
static void
append_flags(StringInfo buf, const DigestState *state, HeapTupleHeader row)
{
	HeapTupleData tuple = {0};
	Datum	   *values = palloc(sizeof(Datum) * Max(state->ncolumns, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(state->ncolumns, 1));

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	tuple.t_data = row;
	heap_deform_tuple(&tuple, state->desc, values, nulls);
	for (int i = 0; i < state->ncolumns; i++)
		flag_append(buf, &state->flags[i], state->names[i], values[i],
					nulls[i]);
}

/*
 * modseq_internal.digest_row(state, uid, modseq, names, flags) -> state
 *
 * Of a NULL there is 0: it is what arrived while triggers were off.
 */
Datum
modseq_digest_row(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	DigestState *state;
	HeapTupleHeader row;
	StringInfoData buf;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "modseq_digest_row called outside of an aggregate");
	if (PG_ARGISNULL(0))
	{
		state = MemoryContextAllocZero(context, sizeof(DigestState));
		state->ncolumns = -1;
	}
	else
		state = (DigestState *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(3) || PG_ARGISNULL(4))
		elog(ERROR, "no flags are given");
	row = PG_GETARG_HEAPTUPLEHEADER(4);
	if (state->ncolumns < 0)
	{
		MemoryContext before = MemoryContextSwitchTo(context);

		describe_rows(state, row, PG_GETARG_ARRAYTYPE_P(3));
		MemoryContextSwitchTo(before);
	}

	/* Anybody may call the aggregate, also with rows that differ */
	if (HeapTupleHeaderGetTypeId(row) != state->desc->tdtypeid ||
		HeapTupleHeaderGetTypMod(row) != state->desc->tdtypmod)
		elog(ERROR, "rows of flags are of several types");
	initStringInfo(&buf);
	pq_sendint64(&buf, PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1));
	pq_sendint64(&buf, PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2));
	append_flags(&buf, state, row);
	add(&state->sum, hash(buf.data, buf.len));
	PG_RETURN_POINTER(state);
}

/* modseq_internal.digest_final(state) -> uuid, 0 if there was no row */
Datum
modseq_digest_final(PG_FUNCTION_ARGS)
{
	Sum			none = {0, 0};

	if (PG_ARGISNULL(0))
		PG_RETURN_DATUM(sum_to_uuid(none));
	PG_RETURN_DATUM(sum_to_uuid(((DigestState *) PG_GETARG_POINTER(0))->sum));
}

/* --- the function ------------------------------------------------------ */

/* The sum that a query of ours returns */
static Sum
read_sum(Store *store, PlanId id, Datum *key)
{
	bool		isnull;
	Sum			sum;

	SPI_connect();
	if (plan_execute(store, id, key, PLAN_READ_AS_CALLER) != 1)
		elog(ERROR, "an aggregate without a row");
	sum = sum_from_uuid(SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return sum;
}

/*
 * modseq.digest(store, mailbox) -> (messages uuid, vanished uuid)
 *
 * messages: of the UID, mod-sequence and flags of each message that is not
 * expunged; what the caller may not see does not count.  vanished: the hash of
 * the ranges of the UIDs that have vanished, not of their mod-sequences,
 * which compact() changes.  Reads the caller's snapshot, with the caller's
 * rights; takes no lock.  Errors: 42501, 42704 for an unknown mailbox.
 */
static Datum
digest_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	UidBuilder	vanished;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	Sum			sum;
	StringInfoData buf;
	int64		first;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	argument_check_may_read(store);
	status_read_one(store, key, PLAN_READ_AS_CALLER);
	sum = read_sum(store, PLAN_DIGEST_MESSAGES, key);
	if (store->flag_uid.name != NULL)
		add(&sum, read_sum(store, PLAN_DIGEST_FLAGS_BY_UID, key));
	else if (OidIsValid(store->table[TABLE_FLAG].relid))
		add(&sum, read_sum(store, PLAN_DIGEST_FLAGS, key));
	values[0] = sum_to_uuid(sum);
	vanished_read(store, key, 0, NULL, &vanished, &first);
	uidset_builder_finish(&vanished);
	initStringInfo(&buf);
	for (int i = 0; i < vanished.n; i++)
	{
		pq_sendint32(&buf, vanished.ranges[i].lo);
		pq_sendint32(&buf, vanished.ranges[i].hi);
	}
	values[1] = sum_to_uuid(hash(buf.data, buf.len));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
