/*-------------------------------------------------------------------------
 *
 * departures.c
 *	  What leaves an account, as a statement collects it.
 *
 * Messages by their Email, Thread and created_modseq, and mailboxes by their
 * names.  Each is an array, as a query takes it for a parameter.
 *
 * Locks: none.
 *
 * Memory: a context of their own, below that which the caller gives: it goes
 * with the nest level that they belong to.  It grows with the messages that
 * leave, by some 30 bytes each.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* The list; a new one if there is none */
static Departures *
get_list(const Store *store, MemoryContext parent, Departures **list)
{
	MemoryContext context;

	if (*list != NULL)
		return *list;
	context = AllocSetContextCreate(parent, "modseq departures",
									ALLOCSET_SMALL_SIZES);
	*list = MemoryContextAllocZero(context, sizeof(Departures));
	(*list)->context = context;
	(*list)->emails = initArrayResult(store->email.type, context, false);
	if (store->thread.name != NULL)
		(*list)->threads = initArrayResult(store->thread.type, context, false);
	(*list)->created = initArrayResult(INT8OID, context, false);
	return *list;
}

/*
 * departures_read: the membership that a row of the message table is; false if
 * it is of no Email
 */
bool
departures_read(const RowShape *shape, HeapTuple row, TupleDesc desc,
				Membership *membership)
{
	bool		isnull;

	membership->email = heap_getattr(row, shape->email, desc, &isnull);
	if (isnull)
		return false;
	membership->thread = 0;
	membership->has_thread = false;
	if (shape->thread != InvalidAttrNumber)
	{
		membership->thread = heap_getattr(row, shape->thread, desc, &isnull);
		membership->has_thread = !isnull;
	}
	membership->created = 0;
	row_get_int64(row, desc, shape->created_modseq, INT8OID,
				  &membership->created);
	membership->stays = false;
	return true;
}

/* departures_count: how many messages left */
int
departures_count(const Departures *list)
{
	return list == NULL ? 0 : list->emails->nelems;
}

static void
add(ArrayBuildState *state, Datum value, bool isnull)
{
	accumArrayResult(state, value, isnull, state->element_type,
					 CurrentMemoryContext);
}

/* departures_add: a message left */
void
departures_add(const Store *store, MemoryContext parent, Departures **list,
			   const Membership *membership)
{
	Departures *departures = get_list(store, parent, list);
	int			n = departures->emails->nelems;

	if (n == departures->size)
	{
		departures->size = Max(2 * n, 16);
		departures->stays = n == 0 ?
			MemoryContextAlloc(departures->context, departures->size) :
			repalloc_huge(departures->stays, departures->size);
	}
	departures->stays[n] = membership->stays;
	departures->nlost += membership->stays ? 0 : 1;
	add(departures->emails, membership->email, false);
	if (departures->threads != NULL)
		add(departures->threads, membership->thread, !membership->has_thread);
	add(departures->created, Int64GetDatum(membership->created), false);
}

/* departures_add_mailbox: a mailbox went; the name is a text */
void
departures_add_mailbox(const Store *store, MemoryContext parent,
					   Departures **list, Datum name, int64 created)
{
	Departures *departures = get_list(store, parent, list);

	if (departures->mailboxes == NULL)
	{
		departures->mailboxes = initArrayResult(TEXTOID, departures->context,
												false);
		departures->mailboxes_created =
			initArrayResult(INT8OID, departures->context, false);
	}
	add(departures->mailboxes, name, false);
	add(departures->mailboxes_created, Int64GetDatum(created), false);
}

/* departures_move: all of them are in the other list now */
void
departures_move(Departures **from, Departures **to)
{
	Departures *list = *from;

	if (list == NULL)
		return;
	*from = NULL;
	if (*to == NULL)
	{
		*to = list;
		return;
	}
	for (int i = 0; i < list->emails->nelems; i++)
	{
		Membership	membership;

		membership.email = list->emails->dvalues[i];
		membership.has_thread = list->threads != NULL &&
			!list->threads->dnulls[i];
		membership.thread = membership.has_thread ?
			list->threads->dvalues[i] : (Datum) 0;
		membership.created = DatumGetInt64(list->created->dvalues[i]);
		membership.stays = list->stays[i];
		departures_add(NULL, NULL, to, &membership);
	}
	for (int i = 0; list->mailboxes != NULL && i < list->mailboxes->nelems; i++)
	{
		Datum		created = list->mailboxes_created->dvalues[i];

		departures_add_mailbox(NULL, NULL, to, list->mailboxes->dvalues[i],
							   DatumGetInt64(created));
	}
	MemoryContextDelete(list->context);
}

/* departures_drop_messages: mailboxes may have left, but no message has */
void
departures_drop_messages(Departures **list)
{
	Departures *departures = *list;

	if (departures == NULL || departures->mailboxes == NULL)
	{
		departures_drop(list);
		return;
	}
	departures->emails->nelems = 0;
	departures->created->nelems = 0;
	if (departures->threads != NULL)
		departures->threads->nelems = 0;
	departures->nlost = 0;
}

void
departures_drop(Departures **list)
{
	if (*list != NULL)
		MemoryContextDelete((*list)->context);
	*list = NULL;
}

/* departures_array: some values, as an array; of none if there is no state */
Datum
departures_array(ArrayBuildState *state, Oid type, int first, int n)
{
	int			lower = 1;

	if (state == NULL || n <= 0)
		return PointerGetDatum(construct_empty_array(type));
	return PointerGetDatum(construct_md_array(state->dvalues + first,
											  state->dnulls + first, 1, &n,
											  &lower, type, state->typlen,
											  state->typbyval,
											  state->typalign));
}

static bool
is_created_at(const Departures *list, int i, int64 modseq)
{
	return DatumGetInt64(list->created->dvalues[i]) == modseq;
}

/*
 * departures_lost: the values beside messages whose Email may not stay
 *
 * Those that arrived under that mod-sequence were not there before.  If one of
 * these left again, then it may be one that had only moved.
 */
Datum
departures_lost(const Departures *list, ArrayBuildState *state, Oid type,
				int64 modseq)
{
	Datum	   *values;
	bool	   *nulls;
	bool		any_again = false;
	int			lower = 1;
	int			n = 0;

	if (list == NULL || state == NULL || list->nlost == 0)
		return PointerGetDatum(construct_empty_array(type));
	values = palloc(sizeof(Datum) * state->nelems);
	nulls = palloc(sizeof(bool) * state->nelems);
	for (int i = 0; i < state->nelems; i++)
		any_again = any_again ||
			(!list->stays[i] && is_created_at(list, i, modseq));
	for (int i = 0; i < state->nelems; i++)
	{
		if ((list->stays[i] && !any_again) || is_created_at(list, i, modseq))
			continue;
		values[n] = state->dvalues[i];
		nulls[n++] = state->dnulls[i];
	}
	if (n == 0)
		return PointerGetDatum(construct_empty_array(type));
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower,
											  type, state->typlen,
											  state->typbyval,
											  state->typalign));
}
