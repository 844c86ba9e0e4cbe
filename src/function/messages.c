/*-------------------------------------------------------------------------
 *
 * messages.c
 * 	  Reading messages of a mailbox.
 *
 * Locks: none.  Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "utils/memutils.h"

static int
compare_uids(const void *a, const void *b)
{
	int64		left = ((const MessageRow *) a)->uid;
	int64		right = ((const MessageRow *) b)->uid;

	return (left > right) - (left < right);
}

static bool
in_set(const UidSet *set, int64 uid)
{
	return is_uid(uid) &&
		(set == NULL ||
		 uidset_contains(uidset_ranges(set), uidset_nranges(set),
						 (uint32) uid));
}

/*
 * Runs a query for the (uid, modseq) of messages of a mailbox; returns those
 * in the set, by UID.  The query's last parameter comes after the key.
 */
MessageRow *
messages_read(Store *store, PlanId id, const Datum *key, Datum param,
			  const UidSet *set, PlanMode mode, int64 *n)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		params[MODSEQ_MAX_PARAMS];
	MessageRow *messages;
	uint64		rows;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = param;
	*n = 0;
	SPI_connect();
	rows = plan_execute(store, id, params, mode);
	messages = MemoryContextAllocHuge(context,
									  sizeof(MessageRow) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		uid = SPI_getbinval(tuple, desc, 1, &isnull);

		if (isnull || !in_set(set, DatumGetInt64(uid)))
			continue;
		messages[*n].uid = DatumGetInt64(uid);
		uid = SPI_getbinval(tuple, desc, 2, &isnull);
		messages[*n].modseq = isnull ? 0 : DatumGetInt64(uid);
		(*n)++;
	}
	SPI_finish();
	qsort(messages, *n, sizeof(MessageRow), compare_uids);
	return messages;
}
