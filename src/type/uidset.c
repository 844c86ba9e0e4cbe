/*-------------------------------------------------------------------------
 *
 * uidset.c
 *	  A set of IMAP UIDs, packed as sorted ranges: build, combine, ask,
 *	  parse, print.
 *
 * Nothing here knows of SQL or raises an error of its own, so that the file
 * also compiles outside the server (UIDSET_STANDALONE), where test/fuzz
 * takes it apart.
 *
 * Locks: none.  Memory: only builders allocate, in the context that was
 * current when they were initialised.  A builder has room, at 8 bytes a range,
 * for the next power of two of the ranges in it; for less than four times as
 * many as it has if they come more than once.
 *
 *-------------------------------------------------------------------------
 */
#ifdef UIDSET_STANDALONE
#include <stdlib.h>

#define CurrentMemoryContext NULL
#define UIDSET_ALLOC(context, size) malloc(size)
#define UIDSET_REALLOC(pointer, size) realloc(pointer, size)
#define UIDSET_FREE(pointer) free(pointer)
#else
#include "postgres.h"

#include "utils/memutils.h"

/* Huge: a builder may hold more than fits into one datum, see make_room() */
#define UIDSET_ALLOC(context, size) MemoryContextAllocHuge(context, size)
#define UIDSET_REALLOC(pointer, size) repalloc_huge(pointer, size)
#define UIDSET_FREE(pointer) pfree(pointer)
#endif

#include "type/uidset.h"

#define INITIAL_CAPACITY	16

static bool make_room(UidBuilder *builder);
static int	compare_lo(const void *a, const void *b);
static bool parse_uid(const char *input, const char **at, int64 last_uid,
					  int64 *uid, UidParseError *error);
static bool parse_failed(UidParseErrorCode code, const char *input,
						 const char *at, UidParseError *error);
static int	decimal_length(uint32 value);
static char *print_decimal(char *at, uint32 value);


/*
 * Building
 */

void
uidset_builder_init(UidBuilder *builder)
{
	builder->ranges = NULL;
	builder->n = 0;
	builder->capacity = 0;
	builder->canonical = true;
	builder->too_large = false;
	builder->context = CurrentMemoryContext;
}

void
uidset_builder_reset(UidBuilder *builder)
{
	builder->n = 0;
	builder->canonical = true;
	builder->too_large = false;
}

void
uidset_builder_free(UidBuilder *builder)
{
	if (builder->ranges != NULL)
		UIDSET_FREE(builder->ranges);
	builder->ranges = NULL;
	builder->capacity = 0;
	uidset_builder_reset(builder);
}

/*
 * Adds lo to hi, both included.  What continues or overlaps the last range,
 * as every ascending series does, costs no memory.
 *
 * Here and below, "touches" is written lo - 1 <= hi: lo is never 0, while
 * hi + 1 can overflow.
 */
void
uidset_builder_add(UidBuilder *builder, uint32 lo, uint32 hi)
{
	Assert(lo >= UIDSET_MIN_UID && lo <= hi);

	if (builder->n > 0)
	{
		UidRange   *last = &builder->ranges[builder->n - 1];

		if (lo >= last->lo && lo - 1 <= last->hi)
		{
			last->hi = Max(last->hi, hi);
			return;
		}
	}

	if (builder->n == builder->capacity && !make_room(builder))
		return;

	/* Only now, since making room may have sorted the array */
	if (builder->n > 0 && lo - 1 <= builder->ranges[builder->n - 1].hi)
		builder->canonical = false;

	builder->ranges[builder->n].lo = lo;
	builder->ranges[builder->n].hi = hi;
	builder->n++;
}

void
uidset_builder_add_ranges(UidBuilder *builder, const UidRange *a, int na)
{
	for (int i = 0; i < na; i++)
		uidset_builder_add(builder, a[i].lo, a[i].hi);
}

/*
 * Brings the ranges into canonical form.  Adding may go on afterwards.
 */
void
uidset_builder_finish(UidBuilder *builder)
{
	UidRange   *ranges = builder->ranges;

	if (!builder->canonical)
	{
		int			last = 0;

		qsort(ranges, builder->n, sizeof(UidRange), compare_lo);

		for (int i = 1; i < builder->n; i++)
		{
			if (ranges[i].lo - 1 <= ranges[last].hi)
				ranges[last].hi = Max(ranges[last].hi, ranges[i].hi);
			else
				ranges[++last] = ranges[i];
		}

		builder->n = last + 1;
		builder->canonical = true;
	}

	if (builder->n > UIDSET_MAX_RANGES)
		builder->too_large = true;
}

/*
 * Makes room for at least one more range in a full builder; false if the set
 * is too large.
 *
 * Coalescing alone is enough only if it frees half of the array: then the
 * next sort is as far away as the array is long, and adding n ranges costs
 * O(n log n) however often they repeat.  Twice the largest set is therefore
 * all the capacity that can be needed.
 */
static bool
make_room(UidBuilder *builder)
{
	int			capacity;

	uidset_builder_finish(builder);

	if (builder->too_large)
		return false;

	if (builder->capacity == 0)
	{
		capacity = INITIAL_CAPACITY;
		builder->ranges = UIDSET_ALLOC(builder->context,
									   capacity * sizeof(UidRange));
		builder->capacity = capacity;
	}
	else if (builder->n > builder->capacity / 2)
	{
		capacity = Min(builder->capacity, UIDSET_MAX_RANGES) * 2;
		builder->ranges = UIDSET_REALLOC(builder->ranges,
										 capacity * sizeof(UidRange));
		builder->capacity = capacity;
	}

	return true;
}

static int
compare_lo(const void *a, const void *b)
{
	uint32		a_lo = ((const UidRange *) a)->lo;
	uint32		b_lo = ((const UidRange *) b)->lo;

	return (a_lo > b_lo) - (a_lo < b_lo);
}


/*
 * Algebra: each walks both sets once, side by side.
 */

void
uidset_union(const UidRange *a, int na, const UidRange *b, int nb,
			 UidBuilder *out)
{
	const UidRange *a_end = a + na;
	const UidRange *b_end = b + nb;

	/* In order of lo; the builder joins what overlaps or touches */
	while (a < a_end || b < b_end)
	{
		const UidRange *next;

		if (b == b_end || (a < a_end && a->lo <= b->lo))
			next = a++;
		else
			next = b++;

		uidset_builder_add(out, next->lo, next->hi);
	}
}

void
uidset_difference(const UidRange *a, int na, const UidRange *b, int nb,
				  UidBuilder *out)
{
	const UidRange *a_end = a + na;
	const UidRange *b_end = b + nb;

	for (; a < a_end; a++)
	{
		/* The first UID of a not dealt with; 64 bits, as it may pass the end */
		uint64		lo = a->lo;

		for (; b < b_end && b->lo <= a->hi; b++)
		{
			if (b->lo > lo)
				uidset_builder_add(out, (uint32) lo, b->lo - 1);
			lo = Max(lo, (uint64) b->hi + 1);

			/* This b may take from the next a as well */
			if (b->hi > a->hi)
				break;
		}

		if (lo <= a->hi)
			uidset_builder_add(out, (uint32) lo, a->hi);
	}
}

/* The first range that does not end before uid; a + na if there is none */
static const UidRange *
first_not_before(const UidRange *a, int na, uint32 uid)
{
	while (na > 0)
	{
		int			half = na / 2;

		if (a[half].hi < uid)
		{
			a += half + 1;
			na -= half + 1;
		}
		else
			na = half;
	}
	return a;
}

void
uidset_intersection(const UidRange *a, int na, const UidRange *b, int nb,
					UidBuilder *out)
{
	const UidRange *a_end = a + na;
	const UidRange *b_end = b + nb;

	/* A short set against a long one must not cost the length of that */
	if (na > 0)
		b = first_not_before(b, nb, a->lo);
	if (b < b_end)
		a = first_not_before(a, na, b->lo);
	while (a < a_end && b < b_end)
	{
		uint32		lo = Max(a->lo, b->lo);
		uint32		hi = Min(a->hi, b->hi);

		if (lo <= hi)
			uidset_builder_add(out, lo, hi);

		if (a->hi < b->hi)
			a++;
		else
			b++;
	}
}


/*
 * Questions
 */

bool
uidset_contains(const UidRange *a, int na, uint32 uid)
{
	const UidRange *found = first_not_before(a, na, uid);

	return found < a + na && found->lo <= uid;
}

bool
uidset_subset(const UidRange *a, int na, const UidRange *b, int nb)
{
	const UidRange *a_end = a + na;
	const UidRange *b_end = b + nb;

	/* As b is coalesced, each range of a must lie within a single one of b */
	for (; a < a_end; a++)
	{
		while (b < b_end && b->hi < a->lo)
			b++;

		if (b == b_end || b->lo > a->lo || b->hi < a->hi)
			return false;
	}

	return true;
}

bool
uidset_overlaps(const UidRange *a, int na, const UidRange *b, int nb)
{
	const UidRange *a_end = a + na;
	const UidRange *b_end = b + nb;

	while (a < a_end && b < b_end)
	{
		if (Max(a->lo, b->lo) <= Min(a->hi, b->hi))
			return true;

		if (a->hi < b->hi)
			a++;
		else
			b++;
	}

	return false;
}

/*
 * Less than, equal to or greater than 0 as a sorts before, with or after b.
 *
 * The order is that of the sets written out as ascending lists of UIDs and
 * compared like words in a dictionary: '' < '1' < '1:3' < '1,5' < '2'.
 */
int
uidset_compare(const UidRange *a, int na, const UidRange *b, int nb)
{
	int			common = Min(na, nb);

	for (int i = 0; i < common; i++)
	{
		if (a[i].lo != b[i].lo)
			return a[i].lo < b[i].lo ? -1 : 1;

		/*
		 * Where the shorter range ends the other has its very next UID, which
		 * is less than any that could follow after a gap.  So the set with
		 * the shorter range is less only if nothing follows at all.
		 */
		if (a[i].hi < b[i].hi)
			return i + 1 < na ? 1 : -1;
		if (a[i].hi > b[i].hi)
			return i + 1 < nb ? -1 : 1;
	}

	return (na > nb) - (na < nb);
}

int64
uidset_cardinality(const UidRange *a, int na)
{
	int64		count = 0;

	for (int i = 0; i < na; i++)
		count += (int64) a[i].hi - a[i].lo + 1;

	return count;
}


/*
 * Text
 *
 * RFC 9051 section 9:
 *		sequence-set = (seq-number / seq-range) ["," sequence-set]
 *		seq-range    = seq-number ":" seq-number
 *		seq-number   = nz-number / "*"
 * to which we add the empty text, for the empty set.  Nothing else is taken,
 * not even white space.
 */
bool
uidset_parse(const char *input, int64 last_uid, UidBuilder *out,
			 UidParseError *error)
{
	const char *at = input;

	if (*at == '\0')
		return true;

	for (;;)
	{
		int64		first;
		int64		second;

		if (!parse_uid(input, &at, last_uid, &first, error))
			return false;

		second = first;
		if (*at == ':')
		{
			at++;
			if (!parse_uid(input, &at, last_uid, &second, error))
				return false;
		}

		/*
		 * "*" is 0 in an empty mailbox, where it stands for no message.
		 * Elsewhere RFC 9051 takes the ends in either order, and so "5:*"
		 * always includes the last message, even if that is below 5.
		 */
		if (first != 0 && second != 0)
			uidset_builder_add(out, (uint32) Min(first, second),
							   (uint32) Max(first, second));

		if (*at == '\0')
			return true;
		if (*at != ',')
			return parse_failed(UIDSET_PARSE_GARBAGE, input, at, error);
		at++;
	}
}

/*
 * Parses one nz-number or "*" at *at, and moves *at behind it.
 */
static bool
parse_uid(const char *input, const char **at, int64 last_uid,
		  int64 *uid, UidParseError *error)
{
	const char *start = *at;
	int64		value = 0;

	if (*start == '*')
	{
		if (last_uid == UIDSET_NO_STAR)
			return parse_failed(UIDSET_PARSE_STAR, input, start, error);
		*uid = last_uid;
		*at = start + 1;
		return true;
	}

	if (*start == '\0' || *start == ',' || *start == ':')
		return parse_failed(UIDSET_PARSE_EMPTY_ITEM, input, start, error);
	if (*start == '0')
		return parse_failed(UIDSET_PARSE_ZERO, input, start, error);
	if (*start < '0' || *start > '9')
		return parse_failed(UIDSET_PARSE_GARBAGE, input, start, error);

	for (*at = start; **at >= '0' && **at <= '9'; (*at)++)
	{
		value = value * 10 + (**at - '0');
		if (value > UIDSET_MAX_UID)
			return parse_failed(UIDSET_PARSE_OVERFLOW, input, start, error);
	}

	*uid = value;
	return true;
}

static bool
parse_failed(UidParseErrorCode code, const char *input, const char *at,
			 UidParseError *error)
{
	error->code = code;
	error->position = at - input;
	return false;
}

size_t
uidset_print_size(const UidRange *a, int na)
{
	size_t		size = 0;

	/* Each range is followed by a comma, or by the final NUL */
	for (int i = 0; i < na; i++)
	{
		size += decimal_length(a[i].lo) + 1;
		if (a[i].hi > a[i].lo)
			size += decimal_length(a[i].hi) + 1;
	}

	return Max(size, 1);
}

void
uidset_print(const UidRange *a, int na, char *buffer)
{
	char	   *at = buffer;

	for (int i = 0; i < na; i++)
	{
		if (i > 0)
			*at++ = ',';
		at = print_decimal(at, a[i].lo);
		if (a[i].hi > a[i].lo)
		{
			*at++ = ':';
			at = print_decimal(at, a[i].hi);
		}
	}

	*at = '\0';
}

static int
decimal_length(uint32 value)
{
	int			length = 1;

	while (value >= 10)
	{
		value /= 10;
		length++;
	}

	return length;
}

/* Returns where the text goes on */
static char *
print_decimal(char *at, uint32 value)
{
	char	   *end = at + decimal_length(value);
	char	   *digit = end;

	do
	{
		*--digit = (char) ('0' + value % 10);
		value /= 10;
	} while (value > 0);

	return end;
}
