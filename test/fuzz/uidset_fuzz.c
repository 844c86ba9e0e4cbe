/*-------------------------------------------------------------------------
 *
 * uidset_fuzz.c
 *	  Random operations on UID sets, compared with the simplest thing that
 *	  could work: one byte per UID.
 *
 * Usage: uidset_fuzz [operations] [seed]
 *
 * The UIDs of the bitmaps are two windows, the first and the last WINDOW of
 * all there are, so that both ends of the range 1 .. 4294967295 take part.
 * The parser meets texts of random characters; a second parser, written in
 * another way, says what each of them means.  Last comes the promise on
 * memory.  The same seed gives the same run.
 *
 * Build, from the top directory:
 *	  gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
 *		  -DUIDSET_STANDALONE -Isrc test/fuzz/uidset_fuzz.c src/type/uidset.c \
 *		  -o uidset_fuzz
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "type/uidset.h"

#define WINDOW		96
#define UNIVERSE	(2 * WINDOW)
#define SETS		8
#define MAX_TEXT	64

/* A set under test and what must be in it, by index */
typedef struct Pair
{
	UidBuilder	set;
	unsigned char model[UNIVERSE];
} Pair;

static Pair pairs[SETS];
static uint64 random_state;
static long passed;
static long failed;


/* xorshift64*, so that a seed means the same everywhere */
static uint32
random_below(uint32 limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32) ((random_state * UINT64_C(2685821657736338717)) >> 32) % limit;
}

static void
check(bool ok, const char *what, const char *detail)
{
	if (ok)
		passed++;
	else
	{
		failed++;
		if (failed <= 20)
			printf("FAILED: %s: %s\n", what, detail);
	}
}

/* Index in the bitmap <-> UID; between the windows is a gap without UIDs */
static uint32
uid_of(int index)
{
	if (index < WINDOW)
		return (uint32) index + 1;
	return UIDSET_MAX_UID - (uint32) (UNIVERSE - 1 - index);
}

static char *
print_set(const UidBuilder *set)
{
	size_t		size = uidset_print_size(set->ranges, set->n);
	char	   *text = malloc(size);

	uidset_print(set->ranges, set->n, text);
	check(strlen(text) + 1 == size, "print_size", text);
	return text;
}

/* Sorted and coalesced, and the same UIDs as the model, no others */
static void
check_pair(Pair *pair, const char *what)
{
	const UidBuilder *set = &pair->set;
	char	   *text;
	bool		ok = !set->too_large;
	int64		count = 0;

	for (int i = 0; i < set->n; i++)
	{
		const UidRange *range = &set->ranges[i];

		if (range->lo < 1 || range->lo > range->hi)
			ok = false;
		if (i > 0 && range->lo <= (uint64) range[-1].hi + 1)
			ok = false;
	}

	for (int i = 0; i < UNIVERSE; i++)
	{
		count += pair->model[i];
		if (uidset_contains(set->ranges, set->n, uid_of(i)) != pair->model[i])
			ok = false;
	}
	if (uidset_cardinality(set->ranges, set->n) != count)
		ok = false;

	text = print_set(set);
	check(ok, what, text);
	free(text);
}

/* Dictionary order of the ascending lists of UIDs */
static int
compare_models(const unsigned char *a, const unsigned char *b)
{
	int			i = 0;
	int			j = 0;

	for (;; i++, j++)
	{
		while (i < UNIVERSE && !a[i])
			i++;
		while (j < UNIVERSE && !b[j])
			j++;
		if (i == UNIVERSE || j == UNIVERSE)
			return (i < UNIVERSE) - (j < UNIVERSE);
		if (i != j)
			return i < j ? -1 : 1;
	}
}

/* Adds random ranges, in no order, finishing now and then in between */
static void
random_adds(Pair *pair)
{
	int			adds = (int) random_below(random_below(8) == 0 ? 200 : 6);

	if (random_below(3) == 0)
	{
		if (random_below(2) == 0)
			uidset_builder_free(&pair->set);
		else
			uidset_builder_reset(&pair->set);
		memset(pair->model, 0, UNIVERSE);
		check(uidset_builder_is_empty(&pair->set), "is_empty", "after reset");
	}

	for (int i = 0; i < adds; i++)
	{
		int			window = (int) random_below(2) * WINDOW;
		int			lo = (int) random_below(WINDOW);
		int			hi = lo + (int) random_below(random_below(2) == 0 ? 1 : 12);

		hi = Min(hi, WINDOW - 1);
		uidset_builder_add(&pair->set, uid_of(window + lo), uid_of(window + hi));
		memset(pair->model + window + lo, 1, (size_t) (hi - lo + 1));
		if (random_below(16) == 0)
			uidset_builder_finish(&pair->set);
	}

	uidset_builder_finish(&pair->set);
	check_pair(pair, "add");
}

/* One of union, difference, intersection; the target may hold a set already */
static void
random_algebra(const Pair *a, const Pair *b, Pair *out)
{
	UidBuilder	result;
	unsigned char model[UNIVERSE];
	uint32		kind = random_below(3);
	bool		keep = random_below(4) == 0;

	uidset_builder_init(&result);
	if (keep)
		uidset_builder_add_ranges(&result, out->set.ranges, out->set.n);

	if (kind == 0)
		uidset_union(a->set.ranges, a->set.n, b->set.ranges, b->set.n, &result);
	else if (kind == 1)
		uidset_difference(a->set.ranges, a->set.n, b->set.ranges, b->set.n, &result);
	else
		uidset_intersection(a->set.ranges, a->set.n, b->set.ranges, b->set.n, &result);

	/* Into an empty builder they come in order, with nothing left to do */
	check(keep || result.canonical, "algebra", "result out of order");
	uidset_builder_finish(&result);

	for (int i = 0; i < UNIVERSE; i++)
	{
		if (kind == 0)
			model[i] = a->model[i] | b->model[i];
		else if (kind == 1)
			model[i] = a->model[i] & !b->model[i];
		else
			model[i] = a->model[i] & b->model[i];
		if (keep)
			model[i] |= out->model[i];
	}

	uidset_builder_free(&out->set);
	out->set = result;
	memcpy(out->model, model, UNIVERSE);
	check_pair(out, kind == 0 ? "union" : kind == 1 ? "difference" : "intersection");
}

static void
random_questions(const Pair *a, const Pair *b)
{
	bool		subset = true;
	bool		overlaps = false;
	int			compared = uidset_compare(a->set.ranges, a->set.n,
										  b->set.ranges, b->set.n);
	int			expected = compare_models(a->model, b->model);

	for (int i = 0; i < UNIVERSE; i++)
	{
		if (a->model[i] && !b->model[i])
			subset = false;
		if (a->model[i] && b->model[i])
			overlaps = true;
	}

	check(uidset_subset(a->set.ranges, a->set.n, b->set.ranges, b->set.n) == subset,
		  "subset", "");
	check(uidset_overlaps(a->set.ranges, a->set.n, b->set.ranges, b->set.n) == overlaps,
		  "overlaps", "");
	check((compared > 0) - (compared < 0) == expected, "compare", "");
}

/* What is printed is read again as the same set */
static void
round_trip(const Pair *pair)
{
	char	   *text = print_set(&pair->set);
	UidBuilder	copy;
	UidParseError error;

	uidset_builder_init(&copy);
	check(uidset_parse(text, UIDSET_NO_STAR, &copy, &error), "round trip", text);
	check(copy.canonical, "printed out of order", text);
	check(uidset_compare(copy.ranges, copy.n,
						 pair->set.ranges, pair->set.n) == 0,
		  "round trip", text);

	uidset_builder_free(&copy);
	free(text);
}

/*
 * The second parser, one item (between commas) at a time: the item's two ends,
 * or false with the error that uidset_parse() is to find at that place.
 */
static bool
model_number(const char *at, size_t length, bool last, int64 last_uid,
			 uint64 *value, size_t *wrong, UidParseErrorCode *code)
{
	size_t		digits = strspn(at, "0123456789");

	*wrong = 0;
	digits = Min(digits, length);
	if (length == 0 || (at[0] == ':' && !last))
		return *code = UIDSET_PARSE_EMPTY_ITEM, false;
	if (at[0] == '*')
	{
		if (last_uid < 0)
			return *code = UIDSET_PARSE_STAR, false;
		digits = 1;
		*value = (uint64) last_uid;
	}
	else if (at[0] == '0')
		return *code = UIDSET_PARSE_ZERO, false;
	else if (at[0] == ':')
		return *code = UIDSET_PARSE_EMPTY_ITEM, false;
	else if (digits == 0)
		return *code = UIDSET_PARSE_GARBAGE, false;
	else if (digits > 10 || (*value = strtoull(at, NULL, 10)) > UIDSET_MAX_UID)
		return *code = UIDSET_PARSE_OVERFLOW, false;

	*wrong = digits;
	*code = UIDSET_PARSE_GARBAGE;
	return digits == length;
}

static bool
model_parse(const char *text, int64 last_uid, UidBuilder *out,
			UidParseError *error)
{
	const char *item = text;

	while (*text != '\0')
	{
		size_t		length = strcspn(item, ",");
		const char *colon = memchr(item, ':', length);
		size_t		first_length = colon ? (size_t) (colon - item) : length;
		uint64		first = 0;
		uint64		second;

		error->position = (size_t) (item - text);
		if (!model_number(item, first_length, colon == NULL, last_uid, &first,
						  &length, &error->code))
		{
			error->position += length;
			return false;
		}
		second = first;
		length = strcspn(item, ",");
		if (colon != NULL)
		{
			size_t		wrong;

			error->position = (size_t) (colon + 1 - text);
			if (!model_number(colon + 1, length - first_length - 1, true,
							  last_uid, &second, &wrong, &error->code))
			{
				error->position += wrong;
				return false;
			}
		}
		if (first != 0 && second != 0)
			uidset_builder_add(out, (uint32) (first < second ? first : second),
							   (uint32) (first < second ? second : first));

		item += length;
		if (*item == '\0')
			break;
		item++;
	}

	return true;
}

static void
random_parse(void)
{
	static const char alphabet[] = "0123456789123456789123456789,,,,,,::::*x ";
	static const char *const pieces[] = {"4294967295", "4294967296", "1", "7:3", "*", ",", ":", "10"};
	char		text[MAX_TEXT + 1];
	size_t		length = random_below(MAX_TEXT / 2);
	size_t		at = 0;
	int64		last_uid = (int64) random_below(4) - 1;
	UidBuilder	set;
	UidBuilder	model;
	UidParseError error = {0};
	UidParseError model_error = {0};
	bool		ok;

	while (at < length)
	{
		if (random_below(3) == 0)
		{
			const char *piece = pieces[random_below(8)];

			memcpy(text + at, piece, strlen(piece));
			at += strlen(piece);
		}
		else
			text[at++] = random_below(200) == 0 ? (char) (1 + random_below(255)) :
				alphabet[random_below(sizeof(alphabet) - 1)];
	}
	text[at] = '\0';

	uidset_builder_init(&set);
	uidset_builder_init(&model);
	ok = uidset_parse(text, last_uid, &set, &error);
	check(ok == model_parse(text, last_uid, &model, &model_error), "parse", text);
	if (ok)
	{
		uidset_builder_finish(&set);
		uidset_builder_finish(&model);
		check(uidset_compare(set.ranges, set.n, model.ranges, model.n) == 0,
			  "parsed set", text);
	}
	else
		check(error.code == model_error.code &&
			  error.position == model_error.position, "parse error", text);

	uidset_builder_free(&set);
	uidset_builder_free(&model);
}

/*
 * A million scattered UIDs in random order need no more than 8 MB: their size
 * rounded up to a power of two.  Twice that if each comes twice, the worst
 * that repetition can do.
 */
static void
check_memory(int times, size_t limit)
{
	const uint32 count = 1000000;
	uint32	   *order = malloc(count * sizeof(uint32));
	UidBuilder	set;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		j = random_below(i + 1);

		order[i] = order[j];
		order[j] = 1 + i * 4000;
	}

	uidset_builder_init(&set);
	for (uint32 i = 0; i < count; i++)
	{
		uidset_builder_add(&set, order[i], order[i]);
		if (times > 1)
			uidset_builder_add(&set, order[i / 2], order[i / 2]);
	}
	check((size_t) set.capacity * sizeof(UidRange) <= limit,
		  "memory", "too much for a million UIDs");
	uidset_builder_finish(&set);
	check(set.n == (int) count &&
		  uidset_cardinality(set.ranges, set.n) == count, "memory", "lost UIDs");

	uidset_builder_free(&set);
	free(order);
}

/*
 * Two UIDs that come again and again, when the array is all but full: doubling
 * once is right.  Never would mean to sort at every other add, and more often
 * that memory follows the adds and not the set.
 */
static void
check_growth(void)
{
	UidBuilder	set;

	uidset_builder_init(&set);
	for (uint32 i = 1; i < 65536; i++)
		uidset_builder_add(&set, 2 * i, 2 * i);
	check(set.capacity == 65536, "growth", "not to the next power of two");

	for (uint32 i = 0; i < 300000; i++)
		uidset_builder_add(&set, 2 + i % 2 * 4, 2 + i % 2 * 4);
	check(set.capacity == 131072, "growth", "not to the double, once");

	uidset_builder_finish(&set);
	check(set.n == 65535, "growth", "lost or found UIDs");
	uidset_builder_free(&set);
}

int
main(int argc, char **argv)
{
	long		operations = argc > 1 ? atol(argv[1]) : 1000000;
	uint64		seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64) time(NULL);

	printf("seed %" PRIu64 "\n", seed);

	/* Mixed, since close seeds would else begin alike; and 0 stays 0 */
	random_state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;

	for (int i = 0; i < SETS; i++)
		uidset_builder_init(&pairs[i].set);

	for (long i = 0; i < operations; i++)
	{
		Pair	   *a = &pairs[random_below(SETS)];
		Pair	   *b = &pairs[random_below(SETS)];

		switch (random_below(5))
		{
			case 0:
				random_adds(a);
				break;
			case 1:
				random_algebra(a, b, &pairs[random_below(SETS)]);
				break;
			case 2:
				random_questions(a, b);
				break;
			case 3:
				round_trip(a);
				break;
			default:
				random_parse();
		}
	}

	check_growth();
	check_memory(1, 8 * 1024 * 1024);
	check_memory(2, 16 * 1024 * 1024);

	for (int i = 0; i < SETS; i++)
		uidset_builder_free(&pairs[i].set);

	printf("%ld passed, %ld failed\n", passed, failed);
	return failed > 0;
}
