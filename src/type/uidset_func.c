/*-------------------------------------------------------------------------
 *
 * uidset_func.c
 *	  What SQL can do with uidsets: algebra, containment, looking inside, and
 *	  the aggregates.
 *
 * Locks: none.  Memory: results are in the caller's context; an aggregate's
 * builder is in the aggregate's; <@ keeps the last toasted set that it saw for
 * as long as the query runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"

#include "type/uidset.h"

typedef void (*UidSetOperation) (const UidRange *a, int na,
								 const UidRange *b, int nb, UidBuilder *out);

/* A set as it was passed, toasted, and what that is detoasted */
typedef struct UidSetCache
{
	struct varlena *toasted;
	UidSet	   *set;
} UidSetCache;

/* How far a set-returning function has come */
typedef struct UidSetCursor
{
	UidSet	   *set;
	int			range;			/* the range that is next */
	int64		uid;			/* unnest: the least UID that can be next */
} UidSetCursor;

static Datum combine_sets(FunctionCallInfo fcinfo, UidSetOperation operation);
static Datum combine_with_uid(FunctionCallInfo fcinfo,
							  UidSetOperation operation);
static bool contains_uid(FunctionCallInfo fcinfo, int set_argno, int64 uid);
static UidSet *cached_argument(FunctionCallInfo fcinfo, int argno);
static void open_cursor(FunctionCallInfo fcinfo);
static UidBuilder *agg_builder(FunctionCallInfo fcinfo);
static Datum agg_unchanged(FunctionCallInfo fcinfo);


/*
 * + - * with a set, + - with a UID
 */

static Datum
combine_sets(FunctionCallInfo fcinfo, UidSetOperation operation)
{
	UidSet	   *a = PG_GETARG_UIDSET_P(0);
	UidSet	   *b = PG_GETARG_UIDSET_P(1);
	UidBuilder	builder;

	uidset_builder_init(&builder);
	operation(uidset_ranges(a), uidset_nranges(a),
			  uidset_ranges(b), uidset_nranges(b), &builder);

	PG_RETURN_UIDSET_P(uidset_from_builder(&builder));
}

static Datum
combine_with_uid(FunctionCallInfo fcinfo, UidSetOperation operation)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	uint32		uid = uidset_checked_uid(PG_GETARG_INT64(1));
	UidRange	single = {uid, uid};
	UidBuilder	builder;

	uidset_builder_init(&builder);
	operation(uidset_ranges(set), uidset_nranges(set), &single, 1, &builder);

	PG_RETURN_UIDSET_P(uidset_from_builder(&builder));
}

PG_FUNCTION_INFO_V1(modseq_uidset_union);
Datum
modseq_uidset_union(PG_FUNCTION_ARGS)
{
	return combine_sets(fcinfo, uidset_union);
}

PG_FUNCTION_INFO_V1(modseq_uidset_difference);
Datum
modseq_uidset_difference(PG_FUNCTION_ARGS)
{
	return combine_sets(fcinfo, uidset_difference);
}

PG_FUNCTION_INFO_V1(modseq_uidset_intersection);
Datum
modseq_uidset_intersection(PG_FUNCTION_ARGS)
{
	return combine_sets(fcinfo, uidset_intersection);
}

PG_FUNCTION_INFO_V1(modseq_uidset_add_uid);
Datum
modseq_uidset_add_uid(PG_FUNCTION_ARGS)
{
	return combine_with_uid(fcinfo, uidset_union);
}

PG_FUNCTION_INFO_V1(modseq_uidset_remove_uid);
Datum
modseq_uidset_remove_uid(PG_FUNCTION_ARGS)
{
	return combine_with_uid(fcinfo, uidset_difference);
}


/*
 * <@ @> &&.  The integer forms are there for int4 columns: converting the
 * column to bigint would hide it from its index.
 */

/* A number that is no UID is in no set; that is not an error */
static bool
contains_uid(FunctionCallInfo fcinfo, int set_argno, int64 uid)
{
	UidSet	   *set;

	if (uid < UIDSET_MIN_UID || uid > UIDSET_MAX_UID)
		return false;

	set = cached_argument(fcinfo, set_argno);
	return uidset_contains(uidset_ranges(set), uidset_nranges(set),
						   (uint32) uid);
}

/*
 * PG_GETARG_UIDSET_P() for a function that is called for row after row with
 * the same set: detoasting it each time would take far longer than to search
 * it, a hundred times longer for some thousand ranges out of line.
 *
 * As long as a query can see it, a toast pointer stands for the same value.
 */
static UidSet *
cached_argument(FunctionCallInfo fcinfo, int argno)
{
	struct varlena *datum = (struct varlena *) PG_GETARG_POINTER(argno);
	UidSetCache *cache = (UidSetCache *) fcinfo->flinfo->fn_extra;
	struct varlena *toasted;
	UidSet	   *set;
	MemoryContext oldcontext;

	if (!VARATT_IS_EXTERNAL_ONDISK(datum) && !VARATT_IS_COMPRESSED(datum))
		return PG_GETARG_UIDSET_P(argno);

	if (cache != NULL && cache->set != NULL &&
		VARSIZE_ANY(cache->toasted) == VARSIZE_ANY(datum) &&
		memcmp(cache->toasted, datum, VARSIZE_ANY(datum)) == 0)
		return cache->set;

	/* All that can fail comes before the old entry goes */
	oldcontext = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (cache == NULL)
		cache = fcinfo->flinfo->fn_extra = palloc0(sizeof(UidSetCache));
	set = PG_GETARG_UIDSET_P(argno);
	toasted = palloc(VARSIZE_ANY(datum));
	memcpy(toasted, datum, VARSIZE_ANY(datum));
	MemoryContextSwitchTo(oldcontext);

	if (cache->set != NULL)
	{
		pfree(cache->toasted);
		pfree(cache->set);
	}
	cache->toasted = toasted;
	cache->set = set;

	return set;
}

PG_FUNCTION_INFO_V1(modseq_uidset_contains_int8);
Datum
modseq_uidset_contains_int8(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(contains_uid(fcinfo, 0, PG_GETARG_INT64(1)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_contains_int4);
Datum
modseq_uidset_contains_int4(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(contains_uid(fcinfo, 0, PG_GETARG_INT32(1)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_int8_contained);
Datum
modseq_uidset_int8_contained(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(contains_uid(fcinfo, 1, PG_GETARG_INT64(0)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_int4_contained);
Datum
modseq_uidset_int4_contained(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(contains_uid(fcinfo, 1, PG_GETARG_INT32(0)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_contained);
Datum
modseq_uidset_contained(PG_FUNCTION_ARGS)
{
	UidSet	   *a = PG_GETARG_UIDSET_P(0);
	UidSet	   *b = PG_GETARG_UIDSET_P(1);

	PG_RETURN_BOOL(uidset_subset(uidset_ranges(a), uidset_nranges(a),
								 uidset_ranges(b), uidset_nranges(b)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_contains);
Datum
modseq_uidset_contains(PG_FUNCTION_ARGS)
{
	UidSet	   *a = PG_GETARG_UIDSET_P(0);
	UidSet	   *b = PG_GETARG_UIDSET_P(1);

	PG_RETURN_BOOL(uidset_subset(uidset_ranges(b), uidset_nranges(b),
								 uidset_ranges(a), uidset_nranges(a)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_overlaps);
Datum
modseq_uidset_overlaps(PG_FUNCTION_ARGS)
{
	UidSet	   *a = PG_GETARG_UIDSET_P(0);
	UidSet	   *b = PG_GETARG_UIDSET_P(1);

	PG_RETURN_BOOL(uidset_overlaps(uidset_ranges(a), uidset_nranges(a),
								   uidset_ranges(b), uidset_nranges(b)));
}


/*
 * What is in a set
 */

PG_FUNCTION_INFO_V1(modseq_uidset_cardinality);
Datum
modseq_uidset_cardinality(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);

	PG_RETURN_INT64(uidset_cardinality(uidset_ranges(set),
									   uidset_nranges(set)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_min);
Datum
modseq_uidset_min(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);

	if (uidset_nranges(set) == 0)
		PG_RETURN_NULL();

	PG_RETURN_INT64(uidset_ranges(set)[0].lo);
}

PG_FUNCTION_INFO_V1(modseq_uidset_max);
Datum
modseq_uidset_max(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	int			n = uidset_nranges(set);

	if (n == 0)
		PG_RETURN_NULL();

	PG_RETURN_INT64(uidset_ranges(set)[n - 1].hi);
}

/*
 * The first call of a set-returning function: opens a cursor on its argument.
 */
static void
open_cursor(FunctionCallInfo fcinfo)
{
	FuncCallContext *funcctx = SRF_FIRSTCALL_INIT();
	UidSetCursor *cursor;
	TupleDesc	tupdesc;
	MemoryContext oldcontext;

	oldcontext = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
	cursor = palloc0(sizeof(UidSetCursor));

	/* Detoasted here, to last for all calls; if not toasted it does anyway */
	cursor->set = PG_GETARG_UIDSET_P(0);
	funcctx->user_fctx = cursor;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) == TYPEFUNC_COMPOSITE)
		funcctx->tuple_desc = BlessTupleDesc(tupdesc);

	MemoryContextSwitchTo(oldcontext);
}

PG_FUNCTION_INFO_V1(modseq_uidset_unnest);
Datum
modseq_uidset_unnest(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	UidSetCursor *cursor;
	const UidRange *range;
	int64		uid;

	if (SRF_IS_FIRSTCALL())
		open_cursor(fcinfo);

	funcctx = SRF_PERCALL_SETUP();
	cursor = (UidSetCursor *) funcctx->user_fctx;

	if (cursor->range == uidset_nranges(cursor->set))
		SRF_RETURN_DONE(funcctx);

	range = &uidset_ranges(cursor->set)[cursor->range];
	uid = Max(cursor->uid, (int64) range->lo);
	if (uid == range->hi)
		cursor->range++;
	cursor->uid = uid + 1;

	SRF_RETURN_NEXT(funcctx, Int64GetDatum(uid));
}

PG_FUNCTION_INFO_V1(modseq_uidset_ranges);
Datum
modseq_uidset_ranges(PG_FUNCTION_ARGS)
{
	FuncCallContext *funcctx;
	UidSetCursor *cursor;
	const UidRange *range;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (SRF_IS_FIRSTCALL())
		open_cursor(fcinfo);

	funcctx = SRF_PERCALL_SETUP();
	cursor = (UidSetCursor *) funcctx->user_fctx;

	if (cursor->range == uidset_nranges(cursor->set))
		SRF_RETURN_DONE(funcctx);

	range = &uidset_ranges(cursor->set)[cursor->range++];
	values[0] = Int64GetDatum(range->lo);
	values[1] = Int64GetDatum(range->hi);

	SRF_RETURN_NEXT(funcctx,
					HeapTupleGetDatum(heap_form_tuple(funcctx->tuple_desc,
													  values, nulls)));
}


/*
 * uidset_agg.  The state is a builder, NULL until the first value that is not
 * NULL; so like sum() the aggregate is NULL if there is no such value.
 */

/* The state in argument 0, made if there is none yet */
static UidBuilder *
agg_builder(FunctionCallInfo fcinfo)
{
	MemoryContext aggcontext;
	MemoryContext oldcontext;
	UidBuilder *builder;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		elog(ERROR, "aggregate function called in non-aggregate context");

	if (!PG_ARGISNULL(0))
		return (UidBuilder *) PG_GETARG_POINTER(0);

	oldcontext = MemoryContextSwitchTo(aggcontext);
	builder = palloc(sizeof(UidBuilder));
	uidset_builder_init(builder);
	MemoryContextSwitchTo(oldcontext);

	return builder;
}

/* The new state where there is nothing to add to the old one */
static Datum
agg_unchanged(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

PG_FUNCTION_INFO_V1(modseq_uidset_agg_uid);
Datum
modseq_uidset_agg_uid(PG_FUNCTION_ARGS)
{
	UidBuilder *builder;
	uint32		uid;

	if (PG_ARGISNULL(1))
		return agg_unchanged(fcinfo);

	uid = uidset_checked_uid(PG_GETARG_INT64(1));
	builder = agg_builder(fcinfo);
	uidset_builder_add(builder, uid, uid);

	PG_RETURN_POINTER(builder);
}

PG_FUNCTION_INFO_V1(modseq_uidset_agg_set);
Datum
modseq_uidset_agg_set(PG_FUNCTION_ARGS)
{
	UidBuilder *builder;
	struct varlena *packed;
	UidRange	range;

	if (PG_ARGISNULL(1))
		return agg_unchanged(fcinfo);

	builder = agg_builder(fcinfo);
	packed = PG_GETARG_VARLENA_PP(1);

	/* Of one range, as most sets of a table are: no copy to align it */
	if (VARSIZE_ANY_EXHDR(packed) == sizeof(UidRange))
	{
		memcpy(&range, VARDATA_ANY(packed), sizeof(UidRange));
		uidset_builder_add(builder, range.lo, range.hi);
	}
	else
	{
		UidSet	   *set = DatumGetUidSetP(PointerGetDatum(packed));

		uidset_builder_add_ranges(builder, uidset_ranges(set),
								  uidset_nranges(set));
	}

	PG_RETURN_POINTER(builder);
}

PG_FUNCTION_INFO_V1(modseq_uidset_agg_combine);
Datum
modseq_uidset_agg_combine(PG_FUNCTION_ARGS)
{
	UidBuilder *builder;
	UidBuilder *other;

	if (PG_ARGISNULL(1))
		return agg_unchanged(fcinfo);

	/* Not simply taken over if it is the first: its context is not ours */
	other = (UidBuilder *) PG_GETARG_POINTER(1);
	builder = agg_builder(fcinfo);
	uidset_builder_add_ranges(builder, other->ranges, other->n);

	PG_RETURN_POINTER(builder);
}

/* Between parallel workers the state travels as a uidset, which is a bytea */
PG_FUNCTION_INFO_V1(modseq_uidset_agg_serialize);
Datum
modseq_uidset_agg_serialize(PG_FUNCTION_ARGS)
{
	PG_RETURN_UIDSET_P(uidset_from_builder(agg_builder(fcinfo)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_agg_deserialize);
Datum
modseq_uidset_agg_deserialize(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	UidBuilder *builder = palloc(sizeof(UidBuilder));

	/* Short-lived: combine copies what it gets */
	uidset_builder_init(builder);
	uidset_builder_add_ranges(builder, uidset_ranges(set),
							  uidset_nranges(set));

	PG_RETURN_POINTER(builder);
}

/* May be called more than once, and the state be added to in between */
PG_FUNCTION_INFO_V1(modseq_uidset_agg_final);
Datum
modseq_uidset_agg_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	PG_RETURN_UIDSET_P(uidset_from_builder(agg_builder(fcinfo)));
}
