/*-------------------------------------------------------------------------
 *
 * walk.c
 *	  What is created, updated and destroyed between two states, by pages.
 *
 * A membership is there over [created, departed), an interval of mod-sequences
 * of its account.  An object is there at a state if one of its memberships is:
 * an Email in a mailbox, an Email in a Thread, a mailbox in its account.  From
 * one state to another it is
 *
 *		created		if it was not there at the first, and is at the second;
 *		destroyed	if it was, and is not;
 *		updated		if it was and is, and in between something arrived, left
 *					or changed.  Of a Thread: an Email.
 *
 * So an id is one of them at most, and what comes and goes in between is none
 * (RFC 8620 section 5.2).
 *
 * A walk tells all that happened from one state to another, in pages.  Its
 * order is: what is created, by (created, id); then what is updated, by (the
 * last time up to the second state, id); then what is destroyed, by (departed,
 * id).  A page begins after the last change that the one before has told, so it
 * may end anywhere, also among changes of one statement.
 *
 * That holds while others write.  Neither created nor departed of a membership
 * ever changes, and what arrives or departs now does so after the second state.
 * So what is created and destroyed is always the same, in the same order.  What
 * changes again leaves what is updated, or comes earlier there, and so perhaps
 * before the place of the walk; then the next walk tells it.  Nothing gets from
 * before the place to after it.
 *
 * Of all that may have changed since the first state, it must be known what
 * happened to it since then.  What was there before, and still is, is looked up
 * only for what is next in order, in batches.
 *
 * Locks: none.  Memory: the context of walk_begin().
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "common/hashfn.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"

#define SH_PREFIX		things
#define SH_ELEMENT_TYPE	Thing
#define SH_KEY_TYPE		const char *
#define SH_KEY			id
#define SH_HASH_KEY(table, key) \
	hash_bytes((const unsigned char *) (key), (int) strlen(key))
#define SH_EQUAL(table, a, b)	(strcmp(a, b) == 0)
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* How many candidates are looked up at once, at least */
#define MIN_BATCH		16

/* --- what is known ----------------------------------------------------- */

/*
 * walk_begin: a page of at most that many changes
 *
 * members: each membership is of a member of the object, as Emails are of
 * Threads; what counts is whether a member is there, not how often.
 */
Walk *
walk_begin(const Token *token, bool members, int64 max)
{
	Walk	   *walk = palloc0(sizeof(Walk));

	walk->context = CurrentMemoryContext;
	walk->token = *token;
	walk->members = members;
	walk->max = max;
	walk->change = token->id != NULL ? token->change : CHANGE_CREATED;
	walk->things = things_create(walk->context, 64, NULL);
	walk->batch_size = (int) Max(MIN_BATCH, Min(max, 1024));
	return walk;
}

static void
add_span(Walk *walk, Thing *thing, const char *member, int64 created,
		 int64 departed, int64 changed)
{
	Span	   *span = MemoryContextAlloc(walk->context, sizeof(Span));

	span->next = thing->spans;
	span->member = member;
	span->created = created;
	span->departed = departed;
	span->changed = changed;
	thing->spans = span;
}

/*
 * walk_add: a membership that departed after the first state, or is there and
 * has changed since then
 *
 * All of them must be added before walk_next().  The texts must outlive the
 * walk; member is NULL for what has none.
 */
Thing *
walk_add(Walk *walk, const char *id, const char *member, int64 created,
		 int64 departed, int64 changed)
{
	bool		found;
	Thing	   *thing = things_insert(walk->things, id, &found);

	if (!found)
	{
		thing->spans = NULL;
		thing->renewed = false;
	}
	add_span(walk, thing, member, created, departed, changed);
	return thing;
}

/*
 * walk_add_past: a membership, of one in the batch, that was there at the first
 * state, and is still
 */
void
walk_add_past(Walk *walk, const char *id, const char *member)
{
	Thing	   *thing = things_lookup(walk->things, id);

	if (thing != NULL)
		add_span(walk, thing, member, 0, WALK_LIVE, 0);
}

/* --- what became of one ------------------------------------------------ */

static bool
is_between(const Walk *walk, int64 modseq)
{
	return modseq > walk->token.from && modseq <= walk->token.to;
}

static bool
is_there(const Thing *thing, int64 modseq)
{
	for (const Span *span = thing->spans; span != NULL; span = span->next)
		if (span->created <= modseq && span->departed > modseq)
			return true;
	return false;
}

/*
 * Where it stands in the order of that change, if it is that change; 0 if it
 * cannot be.
 *
 * This is decided without what is looked up.  So where members count, one that
 * moved within the object counts here, too.
 */
static int64
modseq_of_change(const Walk *walk, const Thing *thing, Change change)
{
	int64		to = walk->token.to;
	int64		first = 0;
	int64		left = 0;
	int64		last = 0;

	for (const Span *span = thing->spans; span != NULL; span = span->next)
	{
		if (is_between(walk, span->created) && span->departed > to &&
			(first == 0 || span->created < first))
			first = span->created;
		if (is_between(walk, span->departed))
			left = Max(left, span->departed);
		if (is_between(walk, span->created))
			last = Max(last, span->created);
		if (!walk->members && is_between(walk, span->changed))
			last = Max(last, span->changed);
	}
	switch (change)
	{
		case CHANGE_CREATED:
			return is_there(thing, walk->token.from) ? 0 : first;
		case CHANGE_UPDATED:
			return Max(last, left);
		default:
			return is_there(thing, to) ? 0 : left;
	}
}

/* For qsort(): by member, and when they came */
static int
compare_spans(const void *a, const void *b)
{
	const Span *left = *(Span *const *) a;
	const Span *right = *(Span *const *) b;
	int			order = strcmp(left->member, right->member);

	return order != 0 ? order :
		(left->created > right->created) - (left->created < right->created);
}

/* Did a member come or go in between, and not only move within the object? */
static bool
members_changed(const Walk *walk, const Thing *thing)
{
	Span	  **spans;
	int			n = 0;
	bool		result = false;

	for (const Span *span = thing->spans; span != NULL; span = span->next)
		n++;
	spans = palloc(sizeof(Span *) * n);
	n = 0;
	for (Span *span = thing->spans; span != NULL; span = span->next)
		spans[n++] = span;
	qsort(spans, n, sizeof(Span *), compare_spans);
	for (int i = 0; i < n && !result;)
	{
		const Span *first = spans[i];
		int64		end = first->departed;

		while (++i < n && strcmp(spans[i]->member, first->member) == 0 &&
			   spans[i]->created <= end)
			end = Max(end, spans[i]->departed);
		result = is_between(walk, first->created) || is_between(walk, end);
	}
	pfree(spans);
	return result;
}

/* What became of it, when all is known */
static Change
change_of(const Walk *walk, const Thing *thing)
{
	bool		was = is_there(thing, walk->token.from);
	bool		is = is_there(thing, walk->token.to);

	if (was != is)
		return is ? CHANGE_CREATED : CHANGE_DESTROYED;
	if (was && (walk->members ? members_changed(walk, thing) :
				modseq_of_change(walk, thing, CHANGE_UPDATED) != 0))
		return CHANGE_UPDATED;
	return CHANGES;
}

/* --- in order ---------------------------------------------------------- */

static int
compare_order(int64 modseq, const char *id, int64 other, const char *other_id)
{
	if (modseq != other)
		return modseq < other ? -1 : 1;
	return strcmp(id, other_id);
}

/* The first one is on top */
static int
compare_candidates(Datum a, Datum b, void *arg)
{
	const Candidate *left = (const Candidate *) DatumGetPointer(a);
	const Candidate *right = (const Candidate *) DatumGetPointer(b);

	return compare_order(right->modseq, right->thing->id,
						 left->modseq, left->thing->id);
}

/* All that may be such a change, and comes after the place */
static void
find_candidates(Walk *walk)
{
	const Token *place = &walk->token;
	bool		is_begun = place->id != NULL && place->change == walk->change;
	int			most = Max((int) walk->things->members, 1);
	things_iterator iterator;
	Thing	   *thing;
	int			n = 0;

	if (walk->candidates == NULL)
		walk->candidates = MemoryContextAllocHuge(walk->context,
												  sizeof(Candidate) * most);
	walk->heap = binaryheap_allocate(most, compare_candidates, NULL);
	things_start_iterate(walk->things, &iterator);
	while ((thing = things_iterate(walk->things, &iterator)) != NULL)
	{
		int64		modseq = modseq_of_change(walk, thing, walk->change);

		if (modseq == 0 ||
			(is_begun && compare_order(modseq, thing->id, place->modseq,
									   place->id) <= 0))
			continue;
		walk->candidates[n].modseq = modseq;
		walk->candidates[n].thing = thing;
		binaryheap_add_unordered(walk->heap,
								 PointerGetDatum(&walk->candidates[n++]));
	}
	binaryheap_build(walk->heap);
}

/*
 * walk_next: the next batch of candidates
 *
 * False: the page is complete.
 */
bool
walk_next(Walk *walk)
{
	MemoryContext old = MemoryContextSwitchTo(walk->context);

	if (walk->heap == NULL)
		find_candidates(walk);
	while (binaryheap_empty(walk->heap) && walk->change < CHANGE_DESTROYED)
	{
		binaryheap_free(walk->heap);
		walk->change++;
		find_candidates(walk);
	}
	if (walk->batch != NULL)
		pfree(walk->batch);
	walk->batch = palloc(sizeof(Candidate *) * walk->batch_size);
	walk->nbatch = 0;
	while (!walk->has_more && walk->nbatch < walk->batch_size &&
		   !binaryheap_empty(walk->heap))
		walk->batch[walk->nbatch++] = (Candidate *)
			DatumGetPointer(binaryheap_remove_first(walk->heap));
	walk->batch_size = Min(walk->batch_size * 2, 65536);
	MemoryContextSwitchTo(old);
	CHECK_FOR_INTERRUPTS();
	return walk->nbatch > 0;
}

static void
tell(Walk *walk, const Candidate *candidate)
{
	Thing	 ***told = &walk->told[walk->change];
	int64		n = walk->ntold[walk->change]++;

	if (*told == NULL)
		*told = MemoryContextAlloc(walk->context, sizeof(Thing *));
	else if ((n & (n - 1)) == 0)
		*told = repalloc_huge(*told, sizeof(Thing *) * n * 2);
	(*told)[n] = candidate->thing;
	walk->n++;
	walk->token.change = walk->change;
	walk->token.modseq = candidate->modseq;
	walk->token.id = candidate->thing->id;
}

/*
 * walk_judge: what is to be told of the batch, when its past has been added
 *
 * token is the place after the page, then.
 */
void
walk_judge(Walk *walk)
{
	for (int i = 0; i < walk->nbatch && !walk->has_more; i++)
	{
		const Candidate *candidate = walk->batch[i];

		if (change_of(walk, candidate->thing) != walk->change)
			continue;
		if (walk->n == walk->max)
			walk->has_more = true;
		else
			tell(walk, candidate);
	}
}
