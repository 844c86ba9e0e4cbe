/*-------------------------------------------------------------------------
 *
 * uids.c
 *	  Sets of numbers, on modseq's own uidset.c, and the announced messages.
 *
 * Sets here are always finished (canonical).  Out of memory ends the process.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"

bool
uids_parse(Uids *set, const char *text, int64_t last)
{
	UidParseError error;

	uidset_builder_init(set);
	if (!uidset_parse(text, last, set, &error))
	{
		uidset_builder_free(set);
		return false;
	}
	uidset_builder_finish(set);
	return true;
}

/* The caller g_free()s it. */
char *
uids_print(const Uids *set)
{
	char	   *text = g_malloc(uidset_print_size(set->ranges, set->n));

	uidset_print(set->ranges, set->n, text);
	return text;
}

int64_t
uids_count(const Uids *set)
{
	return uidset_cardinality(set->ranges, set->n);
}

bool
uids_contain(const Uids *set, uint32_t uid)
{
	return uidset_contains(set->ranges, set->n, uid);
}

/* The highest; 0 of none */
uint32_t
uids_last(const Uids *set)
{
	return set->n == 0 ? 0 : set->ranges[set->n - 1].hi;
}

void
uids_add(Uids *set, uint32_t uid)
{
	uidset_builder_add(set, uid, uid);
	uidset_builder_finish(set);
}

static void
replace(Uids *set, Uids *with)
{
	uidset_builder_finish(with);
	uidset_builder_free(set);
	*set = *with;
}

void
uids_intersect(Uids *set, const Uids *other)
{
	Uids		both = UIDS_INIT;

	uidset_intersection(set->ranges, set->n, other->ranges, other->n, &both);
	replace(set, &both);
}

void
uids_subtract(Uids *set, const Uids *other)
{
	Uids		rest = UIDS_INIT;

	uidset_difference(set->ranges, set->n, other->ranges, other->n, &rest);
	replace(set, &rest);
}

/* As many of the set, from the one after skip others.  The caller owns the result. */
Uids
uids_first(const Uids *set, int64_t skip, int64_t count)
{
	Uids		part = UIDS_INIT;

	for (int i = 0; i < set->n && count > 0; i++)
	{
		int64_t		size = (int64_t) set->ranges[i].hi - set->ranges[i].lo + 1;
		int64_t		take;

		if (skip >= size)
		{
			skip -= size;
			continue;
		}
		take = MIN(size - skip, count);
		uidset_builder_add(&part, set->ranges[i].lo + skip, set->ranges[i].lo + skip + take - 1);
		count -= take;
		skip = 0;
	}
	uidset_builder_finish(&part);
	return part;
}

/* --- message numbers ------------------------------------------------------------ */

static void
count_again(Numbers *numbers)
{
	int64_t		count = 0;

	numbers->before = g_renew(int64_t, numbers->before, numbers->uids.n + 1);
	for (int i = 0; i < numbers->uids.n; i++)
	{
		numbers->before[i] = count;
		count += (int64_t) numbers->uids.ranges[i].hi - numbers->uids.ranges[i].lo + 1;
	}
	numbers->before[numbers->uids.n] = count;
}

/* Takes the set over. */
void
numbers_set(Numbers *numbers, Uids *uids)
{
	uidset_builder_free(&numbers->uids);
	numbers->uids = *uids;
	*uids = (Uids) UIDS_INIT;
	count_again(numbers);
}

void
numbers_free(Numbers *numbers)
{
	uidset_builder_free(&numbers->uids);
	g_clear_pointer(&numbers->before, g_free);
}

int64_t
numbers_count(const Numbers *numbers)
{
	return numbers->before[numbers->uids.n];
}

/* The UID of a message number, 1 to numbers_count() */
uint32_t
numbers_uid(const Numbers *numbers, int64_t number)
{
	int			lo = 0;
	int			hi = numbers->uids.n - 1;

	while (lo < hi)
	{
		int			middle = (lo + hi + 1) / 2;

		if (numbers->before[middle] < number)
			lo = middle;
		else
			hi = middle - 1;
	}
	return numbers->uids.ranges[lo].lo + (number - numbers->before[lo] - 1);
}

/* The number of the message with that UID; 0 if the client knows none */
int64_t
numbers_number(const Numbers *numbers, uint32_t uid)
{
	int			lo = 0;
	int			hi = numbers->uids.n - 1;

	while (lo <= hi)
	{
		int			middle = (lo + hi) / 2;
		const UidRange *range = &numbers->uids.ranges[middle];

		if (uid < range->lo)
			hi = middle - 1;
		else if (uid > range->hi)
			lo = middle + 1;
		else
			return numbers->before[middle] + (uid - range->lo) + 1;
	}
	return 0;
}

void
numbers_add(Numbers *numbers, uint32_t uid)
{
	int64_t		count = numbers_count(numbers);
	int			n = numbers->uids.n;

	uids_add(&numbers->uids, uid);
	/* At the end, where new messages come, there is nothing to count again. */
	if (numbers->uids.n == n && uids_last(&numbers->uids) == uid)
		numbers->before[n] = count + 1;
	else
		count_again(numbers);
}

void
numbers_remove(Numbers *numbers, const Uids *uids)
{
	uids_subtract(&numbers->uids, uids);
	count_again(numbers);
}

/* The UIDs of a set of message numbers, none above numbers_count().  The caller owns it. */
Uids
numbers_to_uids(const Numbers *numbers, const Uids *set)
{
	Uids		uids = UIDS_INIT;

	for (int i = 0; i < set->n; i++)
	{
		Uids		part = uids_first(&numbers->uids, set->ranges[i].lo - 1,
									  (int64_t) set->ranges[i].hi - set->ranges[i].lo + 1);

		uidset_builder_add_ranges(&uids, part.ranges, part.n);
		uidset_builder_free(&part);
	}
	uidset_builder_finish(&uids);
	return uids;
}

/* The message numbers of a set of UIDs, all announced.  The caller owns it. */
Uids
numbers_from_uids(const Numbers *numbers, const Uids *uids)
{
	Uids		set = UIDS_INIT;

	for (int i = 0; i < uids->n; i++)
	{
		/* What lies between two announced UIDs of one range is announced as well. */
		int64_t		lo = numbers_number(numbers, uids->ranges[i].lo);
		int64_t		hi = numbers_number(numbers, uids->ranges[i].hi);

		if (lo > 0 && hi >= lo)
			uidset_builder_add(&set, lo, hi);
	}
	uidset_builder_finish(&set);
	return set;
}
