/*-------------------------------------------------------------------------
 *
 * uidset.h
 *	  A set of IMAP UIDs, packed as sorted ranges.
 *
 * A set is an array of inclusive ranges in canonical form: ascending, and
 * coalesced, so that no two of them overlap or touch (next.lo > hi + 1).
 * Equal sets are therefore equal byte for byte.  The functions that take
 * "const UidRange *a, int na" expect canonical form.
 *
 * A UidBuilder makes canonical sets out of ranges in any order.  Functions
 * that produce a set add it to a builder, so that results can be collected:
 *
 *		UidBuilder	builder;
 *
 *		uidset_builder_init(&builder);
 *		uidset_builder_add(&builder, 4, 6);
 *		uidset_union(a, na, b, nb, &builder);
 *		uidset_builder_finish(&builder);
 *		... builder.ranges and builder.n are canonical now ...
 *		uidset_builder_free(&builder);
 *
 * From the ground up:
 *
 *	uidset.c		the set, and its texts; without SQL
 *	uidset_type.c	the SQL type
 *	uidset_func.c	its functions, operators and aggregates
 *	uidset_scan.c	the scan that goes from range to range of a set
 *	uidset_plan.c	what the planner wants to know of them
 *	uidset_path.c	where it may use that scan
 *	modseq_type.c	the check behind the domain modseq.modseq
 *
 * Everything up to the part marked as the server's also compiles outside the
 * server, with UIDSET_STANDALONE defined; test/fuzz lives on that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UIDSET_H
#define UIDSET_H

#ifdef UIDSET_STANDALONE
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t int64;
typedef uint32_t uint32;
typedef uint64_t uint64;

#define Assert(condition) assert(condition)
#define Min(x, y) ((x) < (y) ? (x) : (y))
#define Max(x, y) ((x) > (y) ? (x) : (y))
#else
#include "postgres.h"
#endif

/* RFC 9051 section 9: UIDs are nz-number, 1 to 2^32 - 1 */
#define UIDSET_MIN_UID	((uint32) 1)
#define UIDSET_MAX_UID	((uint32) 0xFFFFFFFF)

/* What fits into the gigabyte of a varlena datum, header included */
#define UIDSET_MAX_RANGES	((int) (0x3FFFFFFF - 4) / (int) sizeof(UidRange))

typedef struct UidRange
{
	uint32		lo;				/* first UID */
	uint32		hi;				/* last UID, >= lo */
} UidRange;

/*
 * All fields are for reading only.  Between adds the array need be neither
 * sorted nor coalesced; uidset_builder_finish() makes it so.
 *
 * A set of more than UIDSET_MAX_RANGES ranges sets too_large; what is added
 * from then on is lost.  uidset_from_builder() reports that as an error.
 */
typedef struct UidBuilder
{
	UidRange   *ranges;			/* NULL until the first add */
	int			n;				/* how many are in use */
	int			capacity;		/* how many there is room for */
	bool		canonical;		/* sorted and coalesced as it stands? */
	bool		too_large;
	void	   *context;		/* the MemoryContext of all allocations */
} UidBuilder;

/* Why uidset_parse() rejected a text */
typedef enum UidParseErrorCode
{
	UIDSET_PARSE_EMPTY_ITEM,	/* no UID where one must be */
	UIDSET_PARSE_ZERO,			/* 0, or a number with leading zeros */
	UIDSET_PARSE_STAR,			/* '*' with last_uid = UIDSET_NO_STAR */
	UIDSET_PARSE_OVERFLOW,		/* a number above UIDSET_MAX_UID */
	UIDSET_PARSE_GARBAGE		/* any other byte that does not belong here */
} UidParseErrorCode;

typedef struct UidParseError
{
	UidParseErrorCode code;
	size_t		position;		/* of the offending byte or number, from 0;
								 * all bytes before it are ASCII */
} UidParseError;

/* As last_uid: the text may not contain '*' */
#define UIDSET_NO_STAR	((int64) -1)

/*
 * Building.  init remembers CurrentMemoryContext and allocates nothing yet;
 * adds are safe from any context.  reset empties the builder but keeps its
 * memory for the next round; free gives the memory back and leaves the
 * builder empty and usable.
 */
extern void uidset_builder_init(UidBuilder *builder);
extern void uidset_builder_add(UidBuilder *builder, uint32 lo, uint32 hi);
extern void uidset_builder_add_ranges(UidBuilder *builder,
									  const UidRange *a, int na);
extern void uidset_builder_finish(UidBuilder *builder);
extern void uidset_builder_reset(UidBuilder *builder);
extern void uidset_builder_free(UidBuilder *builder);

static inline bool
uidset_builder_is_empty(const UidBuilder *builder)
{
	return builder->n == 0;
}

/* Algebra.  The result is added to *out, which must not own a or b. */
extern void uidset_union(const UidRange *a, int na,
						 const UidRange *b, int nb, UidBuilder *out);
extern void uidset_difference(const UidRange *a, int na,
							  const UidRange *b, int nb, UidBuilder *out);
extern void uidset_intersection(const UidRange *a, int na,
								const UidRange *b, int nb, UidBuilder *out);

/* Questions.  subset: is all of a in b?  compare: the order is in uidset.c */
extern bool uidset_contains(const UidRange *a, int na, uint32 uid);
extern bool uidset_subset(const UidRange *a, int na,
						  const UidRange *b, int nb);
extern bool uidset_overlaps(const UidRange *a, int na,
							const UidRange *b, int nb);
extern int	uidset_compare(const UidRange *a, int na,
						   const UidRange *b, int nb);
extern int64 uidset_cardinality(const UidRange *a, int na);

/*
 * Text.  parse adds to *out (which it leaves unfinished) what the IMAP
 * sequence-set says; last_uid stands for '*', 0 meaning an empty mailbox.
 * On a syntax error it returns false, with *error filled in.
 * print writes print_size bytes, the final NUL included.
 */
extern bool uidset_parse(const char *input, int64 last_uid, UidBuilder *out,
						 UidParseError *error);
extern size_t uidset_print_size(const UidRange *a, int na);
extern void uidset_print(const UidRange *a, int na, char *buffer);

#ifndef UIDSET_STANDALONE

/*
 * The server's part: the datum.  Use these only on detoasted values, as
 * PG_GETARG_UIDSET_P() and DatumGetUidSetP() return them.
 */
#include "compat.h"
#include "fmgr.h"

typedef struct UidSet
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	UidRange	ranges[FLEXIBLE_ARRAY_MEMBER];
} UidSet;

static inline const UidRange *
uidset_ranges(const UidSet *set)
{
	return set->ranges;
}

static inline int
uidset_nranges(const UidSet *set)
{
	return (VARSIZE(set) - VARHDRSZ) / sizeof(UidRange);
}

#define DatumGetUidSetP(datum)	((UidSet *) PG_DETOAST_DATUM(datum))
#define PG_GETARG_UIDSET_P(n)	DatumGetUidSetP(PG_GETARG_DATUM(n))
#define PG_RETURN_UIDSET_P(set)	PG_RETURN_POINTER(set)

/*
 * Finishes the builder and copies it into a datum in CurrentMemoryContext;
 * the builder remains as it is.  Error 54000 if the set is too large.
 */
extern UidSet *uidset_from_builder(UidBuilder *builder);

/* The UID in a bigint; error 22003 if it is none */
extern uint32 uidset_checked_uid(int64 uid);

#endif							/* !UIDSET_STANDALONE */

#endif							/* UIDSET_H */
