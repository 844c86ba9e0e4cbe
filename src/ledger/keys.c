/*-------------------------------------------------------------------------
 *
 * keys.c
 *	  Keys of messages, as a statement collects them.
 *
 * A key may have several columns, each of which is collected by itself: as an
 * array that a query takes as a parameter.
 *
 * Locks: none.
 *
 * Memory: a context of their own below the statement's, which goes with the
 * subtransaction if that aborts.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "utils/array.h"
#include "utils/datum.h"
#include "utils/memutils.h"

/*
 * message_keys_in: the keys of messages of that table, whose columns have these
 * types, in a list; empty ones if there are none
 */
MessageKeys *
message_keys_in(MemoryContext list_context, List **list, Oid message_relid,
				int ncolumns, const Oid *types)
{
	MemoryContext context;
	MemoryContext old;
	MessageKeys *keys;
	ListCell   *lc;

	foreach(lc, *list)
	{
		keys = lfirst(lc);
		if (keys->message_relid == message_relid &&
			message_keys_have_types(keys, ncolumns, types))
			return keys;
	}
	context = AllocSetContextCreate(list_context, "modseq message keys",
									ALLOCSET_SMALL_SIZES);
	keys = MemoryContextAllocZero(context, sizeof(MessageKeys));
	keys->context = context;
	keys->message_relid = message_relid;
	keys->ncolumns = ncolumns;
	for (int i = 0; i < ncolumns; i++)
		keys->column[i] = initArrayResult(types[i], context, false);
	old = MemoryContextSwitchTo(list_context);
	*list = lappend(*list, keys);
	MemoryContextSwitchTo(old);
	return keys;
}

/* message_keys_have_types: are the columns of these types? */
bool
message_keys_have_types(const MessageKeys *keys, int ncolumns,
						const Oid *types)
{
	if (keys->ncolumns != ncolumns)
		return false;
	for (int i = 0; i < ncolumns; i++)
		if (keys->column[i]->element_type != types[i])
			return false;
	return true;
}

/* message_keys_count: how many there are */
int
message_keys_count(const MessageKeys *keys)
{
	return keys->column[0]->nelems;
}

/* message_keys_get: one of them, from 0 */
void
message_keys_get(const MessageKeys *keys, int i, Datum *key)
{
	for (int k = 0; k < keys->ncolumns; k++)
		key[k] = keys->column[k]->dvalues[i];
}

/* Is that key the last of them? */
static bool
is_last(const MessageKeys *keys, const Datum *key)
{
	int			last = message_keys_count(keys) - 1;

	for (int i = 0; i < keys->ncolumns && last >= 0; i++)
	{
		const ArrayBuildState *column = keys->column[i];

		if (!datumIsEqual(column->dvalues[last], key[i], column->typbyval,
						  column->typlen))
			return false;
	}
	return last >= 0;
}

/*
 * message_keys_add: adds a key, without NULLs, unless it comes once more: a
 * message may have several flags
 */
void
message_keys_add(MessageKeys *keys, const Datum *key)
{
	if (is_last(keys, key))
		return;
	for (int i = 0; i < keys->ncolumns; i++)
		accumArrayResult(keys->column[i], key[i], false,
						 keys->column[i]->element_type, CurrentMemoryContext);
}

/* message_keys_hand: adds those of an inner statement to those of an outer */
void
message_keys_hand(List *from, MemoryContext list_context, List **to)
{
	ListCell   *lc;

	foreach(lc, from)
	{
		const MessageKeys *inner = lfirst(lc);
		Oid			types[MODSEQ_MAX_KEYS];
		Datum		key[MODSEQ_MAX_KEYS];
		MessageKeys *outer;

		for (int i = 0; i < inner->ncolumns; i++)
			types[i] = inner->column[i]->element_type;
		outer = message_keys_in(list_context, to, inner->message_relid,
								inner->ncolumns, types);
		for (int i = 0; i < message_keys_count(inner); i++)
		{
			message_keys_get(inner, i, key);
			message_keys_add(outer, key);
		}
		outer->came = outer->came || inner->came;
	}
}

/* message_keys_arrays: all of them as parameters of a query, by columns */
void
message_keys_arrays(const MessageKeys *keys, Datum *params)
{
	for (int i = 0; i < keys->ncolumns; i++)
		params[i] = makeArrayResult(keys->column[i], CurrentMemoryContext);
}
