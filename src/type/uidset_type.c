/*-------------------------------------------------------------------------
 *
 * uidset_type.c
 *	  uidset as an SQL type: input and output, casts, comparison, hashing.
 *	  What one does with sets is in uidset_func.c, and what the planner asks
 *	  about that in uidset_plan.c.
 *
 * The datum is a varlena holding the canonical ranges of uidset.h and nothing
 * else, so equal sets are equal bytes: hashing and B-tree deduplication rest
 * on that.
 *
 * Locks: none.  Memory: results are in the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/multirangetypes.h"

#include "compat.h"
#include "type/uidset.h"

#define TYPE_NAME "modseq.uidset"

static UidSet *parse_text(const char *input, int64 last_uid, Node *escontext);
static int	compare_args(FunctionCallInfo fcinfo);


/*
 * Helpers
 */

UidSet *
uidset_from_builder(UidBuilder *builder)
{
	UidSet	   *set;
	Size		size;

	uidset_builder_finish(builder);

	if (builder->too_large)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("set of UIDs is too large for type %s", TYPE_NAME),
				 errdetail("It has more than %d separate ranges.",
						   UIDSET_MAX_RANGES)));

	size = VARHDRSZ + builder->n * sizeof(UidRange);
	set = palloc(size);
	SET_VARSIZE(set, size);
	if (builder->n > 0)
		memcpy(set->ranges, builder->ranges, builder->n * sizeof(UidRange));

	return set;
}

uint32
uidset_checked_uid(int64 uid)
{
	if (uid < UIDSET_MIN_UID || uid > UIDSET_MAX_UID)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UID %lld is out of range", (long long) uid),
				 errhint("A UID is 1 to 4294967295 (RFC 9051, nz-number).")));

	return (uint32) uid;
}


/*
 * Input and output
 */

PG_FUNCTION_INFO_V1(modseq_uidset_in);
Datum
modseq_uidset_in(PG_FUNCTION_ARGS)
{
	UidSet	   *set = parse_text(PG_GETARG_CSTRING(0), UIDSET_NO_STAR,
								 fcinfo->context);

	/* NULL after a soft error, which the caller then sees */
	PG_RETURN_UIDSET_P(set);
}

/* uidset(text, last_uid): "*" is last_uid */
PG_FUNCTION_INFO_V1(modseq_uidset_from_text);
Datum
modseq_uidset_from_text(PG_FUNCTION_ARGS)
{
	char	   *input = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		last_uid = PG_GETARG_INT64(1);

	if (last_uid < 0 || last_uid > UIDSET_MAX_UID)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("last UID %lld is out of range", (long long) last_uid),
				 errhint("Pass UIDNEXT - 1: 0 for an empty mailbox, at most 4294967295.")));

	PG_RETURN_UIDSET_P(parse_text(input, last_uid, NULL));
}

static UidSet *
parse_text(const char *input, int64 last_uid, Node *escontext)
{
	const char *hint =
		"Separate UIDs and ranges by commas, without spaces, as in 1,4:6,10.";
	UidBuilder	builder;
	UidParseError error;
	char	   *detail = NULL;
	const char *found;
	int			position;

	uidset_builder_init(&builder);
	if (uidset_parse(input, last_uid, &builder, &error))
		return uidset_from_builder(&builder);

	/* All characters before the wrong one are of one byte */
	found = input + error.position;
	position = (int) error.position + 1;

	switch (error.code)
	{
		case UIDSET_PARSE_EMPTY_ITEM:
			detail = psprintf("A UID is missing at character %d.", position);
			break;
		case UIDSET_PARSE_ZERO:
			detail = psprintf("The number at character %d begins with 0.",
							  position);
			hint = "UIDs are 1 to 4294967295, without leading zeros.";
			break;
		case UIDSET_PARSE_STAR:
			detail = psprintf("\"*\" at character %d depends on a mailbox.",
							  position);
			hint =
				"Use modseq.uidset(text, last_uid), which takes last_uid for \"*\".";
			break;
		case UIDSET_PARSE_OVERFLOW:
			ereturn(escontext, NULL,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value \"%s\" is out of range for type %s",
							input, TYPE_NAME),
					 errdetail("The number at character %d is greater than 4294967295.",
							   position)));
		case UIDSET_PARSE_GARBAGE:
			detail = psprintf("Unexpected \"%.*s\" at character %d.",
							  pg_mblen(found), found, position);
			break;
	}

	ereturn(escontext, NULL,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					TYPE_NAME, input),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

PG_FUNCTION_INFO_V1(modseq_uidset_out);
Datum
modseq_uidset_out(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	const UidRange *ranges = uidset_ranges(set);
	int			n = uidset_nranges(set);
	size_t		size = uidset_print_size(ranges, n);
	char	   *output;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("value of type %s is too large to be written as text",
						TYPE_NAME),
				 errdetail("Its text would have %zu bytes.", size - 1)));

	output = palloc(size);
	uidset_print(ranges, n, output);
	PG_RETURN_CSTRING(output);
}

/*
 * The binary form: int32 count, then count pairs of uint32 lo, hi, all in
 * network order.  Any order and overlaps are taken, as in the text form, but
 * lo > hi is not: the text form has it for "*", which binary does not.
 */
PG_FUNCTION_INFO_V1(modseq_uidset_recv);
Datum
modseq_uidset_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int32		count = (int32) pq_getmsgint(message, sizeof(int32));
	int			left = message->len - message->cursor;
	UidBuilder	builder;

	if ((int64) count * (int64) sizeof(UidRange) != left)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", TYPE_NAME),
				 errdetail("Its count of ranges, 8 bytes each, is %d, but %d bytes follow.",
						   count, left)));

	uidset_builder_init(&builder);
	for (int i = 0; i < count; i++)
	{
		uint32		lo = pq_getmsgint(message, sizeof(uint32));
		uint32		hi = pq_getmsgint(message, sizeof(uint32));

		if (lo < UIDSET_MIN_UID || lo > hi)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid binary value for type %s", TYPE_NAME),
					 errdetail("Range %d is %u to %u.", i + 1, lo, hi)));

		uidset_builder_add(&builder, lo, hi);
	}

	PG_RETURN_UIDSET_P(uidset_from_builder(&builder));
}

PG_FUNCTION_INFO_V1(modseq_uidset_send);
Datum
modseq_uidset_send(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	const UidRange *ranges = uidset_ranges(set);
	int			n = uidset_nranges(set);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint32(&message, n);
	for (int i = 0; i < n; i++)
	{
		pq_sendint32(&message, ranges[i].lo);
		pq_sendint32(&message, ranges[i].hi);
	}

	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}


/*
 * Casts
 */

PG_FUNCTION_INFO_V1(modseq_uidset_from_uid);
Datum
modseq_uidset_from_uid(PG_FUNCTION_ARGS)
{
	uint32		uid = uidset_checked_uid(PG_GETARG_INT64(0));
	UidBuilder	builder;

	uidset_builder_init(&builder);
	uidset_builder_add(&builder, uid, uid);

	PG_RETURN_UIDSET_P(uidset_from_builder(&builder));
}

PG_FUNCTION_INFO_V1(modseq_uidset_from_multirange);
Datum
modseq_uidset_from_multirange(PG_FUNCTION_ARGS)
{
	MultirangeType *multirange = PG_GETARG_MULTIRANGE_P(0);
	TypeCacheEntry *typcache;
	UidBuilder	builder;

	typcache = multirange_get_typcache(fcinfo,
									   MultirangeTypeGetOid(multirange));
	uidset_builder_init(&builder);

	for (uint32 i = 0; i < multirange->rangeCount; i++)
	{
		RangeBound	lower;
		RangeBound	upper;

		multirange_get_bounds(typcache->rngtype, multirange, i,
							  &lower, &upper);
		if (lower.infinite || upper.infinite)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("unbounded range cannot be converted to type %s",
							TYPE_NAME),
					 errhint("A UID is 1 to 4294967295; intersect with {[1,4294967295]} first.")));

		/* int8range keeps its bounds as [lower, upper) */
		Assert(lower.inclusive && !upper.inclusive);
		uidset_builder_add(&builder,
						   uidset_checked_uid(DatumGetInt64(lower.val)),
						   uidset_checked_uid(DatumGetInt64(upper.val) - 1));
	}

	PG_RETURN_UIDSET_P(uidset_from_builder(&builder));
}

PG_FUNCTION_INFO_V1(modseq_uidset_to_multirange);
Datum
modseq_uidset_to_multirange(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	const UidRange *ranges = uidset_ranges(set);
	int			n = uidset_nranges(set);
	TypeCacheEntry *typcache =
		multirange_get_typcache(fcinfo, INT8MULTIRANGEOID);
	RangeType **int8ranges = palloc(n * sizeof(RangeType *));

	for (int i = 0; i < n; i++)
	{
		RangeBound	lower = {.lower = true,.inclusive = true};
		RangeBound	upper = {.lower = false,.inclusive = false};

		/* Already in int8range's canonical form, so no need for make_range() */
		lower.val = Int64GetDatum(ranges[i].lo);
		upper.val = Int64GetDatum((int64) ranges[i].hi + 1);
		int8ranges[i] = range_serialize_compat(typcache->rngtype,
											   &lower, &upper, false);
	}

	PG_RETURN_MULTIRANGE_P(make_multirange(INT8MULTIRANGEOID,
										   typcache->rngtype,
										   n, int8ranges));
}

PG_FUNCTION_INFO_V1(modseq_uidset_from_array);
Datum
modseq_uidset_from_array(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	UidBuilder	builder;
	Datum	   *uids;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &uids, &nulls, &n);
	uidset_builder_init(&builder);
	for (int i = 0; i < n; i++)
	{
		uint32		uid;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("array with nulls cannot be converted to type %s",
							TYPE_NAME),
					 errhint("Leave them out, as array_remove(array, NULL) does.")));
		uid = uidset_checked_uid(DatumGetInt64(uids[i]));
		uidset_builder_add(&builder, uid, uid);
	}

	PG_RETURN_UIDSET_P(uidset_from_builder(&builder));
}

PG_FUNCTION_INFO_V1(modseq_uidset_to_array);
Datum
modseq_uidset_to_array(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	const UidRange *ranges = uidset_ranges(set);
	int			nranges = uidset_nranges(set);
	int64		cardinality = uidset_cardinality(ranges, nranges);
	Datum	   *uids;
	int			n = 0;

	/* The array has a header, which is far less than a hundred elements */
	if (cardinality > (int64) (MaxAllocSize / sizeof(Datum)) - 100)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("set of %lld UIDs is too large for an array",
						(long long) cardinality),
				 errhint("modseq.ranges() returns its ranges, a row each.")));
	uids = palloc(Max(cardinality, 1) * sizeof(Datum));
	for (int i = 0; i < nranges; i++)
		for (int64 uid = ranges[i].lo; uid <= ranges[i].hi; uid++)
			uids[n++] = Int64GetDatum(uid);

	PG_RETURN_ARRAYTYPE_P(construct_array(uids, n, INT8OID, sizeof(int64),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}


/*
 * Comparison and hashing.  An index calls these without a short-lived
 * context, hence PG_FREE_IF_COPY.
 */

static int
compare_args(FunctionCallInfo fcinfo)
{
	UidSet	   *a = PG_GETARG_UIDSET_P(0);
	UidSet	   *b = PG_GETARG_UIDSET_P(1);
	int			result = uidset_compare(uidset_ranges(a), uidset_nranges(a),
										uidset_ranges(b), uidset_nranges(b));

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);

	return result;
}

PG_FUNCTION_INFO_V1(modseq_uidset_eq);
Datum
modseq_uidset_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(modseq_uidset_ne);
Datum
modseq_uidset_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(modseq_uidset_lt);
Datum
modseq_uidset_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(modseq_uidset_le);
Datum
modseq_uidset_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(modseq_uidset_gt);
Datum
modseq_uidset_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(modseq_uidset_ge);
Datum
modseq_uidset_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(modseq_uidset_cmp);
Datum
modseq_uidset_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_args(fcinfo));
}

PG_FUNCTION_INFO_V1(modseq_uidset_hash);
Datum
modseq_uidset_hash(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	Datum		hash = hash_any((const unsigned char *) uidset_ranges(set),
								uidset_nranges(set) * sizeof(UidRange));

	PG_FREE_IF_COPY(set, 0);
	return hash;
}

PG_FUNCTION_INFO_V1(modseq_uidset_hash_extended);
Datum
modseq_uidset_hash_extended(PG_FUNCTION_ARGS)
{
	UidSet	   *set = PG_GETARG_UIDSET_P(0);
	const UidRange *ranges = uidset_ranges(set);
	Datum		hash = hash_any_extended((const unsigned char *) ranges,
										 uidset_nranges(set) * sizeof(UidRange),
										 PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(set, 0);
	return hash;
}
