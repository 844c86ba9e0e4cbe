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
 * in the set, by UID
 */
static MessageRow *
read_messages(Store *store, PlanId id, Datum *params, const UidSet *set,
			  PlanMode mode, int64 *n)
{
	MemoryContext context = CurrentMemoryContext;
	MessageRow *messages;
	uint64		rows;

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

/*
 * messages_read: runs a query for the (uid, modseq) of messages of a mailbox;
 * returns those in the set, by UID.  The query's last parameter comes after
 * the key.
 */
MessageRow *
messages_read(Store *store, PlanId id, const Datum *key, Datum param,
			  const UidSet *set, PlanMode mode, int64 *n)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = param;
	return read_messages(store, id, params, set, mode, n);
}

/*
 * messages_changed: those with a mod-sequence above that, of those in the set
 * if it is not NULL; by UID, as the caller and in the caller's snapshot
 *
 * They are found by an index on mod-sequences, or the log says where they can
 * be.
 */
MessageRow *
messages_changed(Store *store, const Datum *key, int64 since,
				 const UidSet *uids, int64 *n)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	UidBuilder	among;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(since);
	if (!store->logs)
		return read_messages(store, PLAN_CHANGED_MESSAGES, params, uids,
							 PLAN_READ_AS_CALLER, n);
	changes_read(store, key, since, uids, &among);
	params[store->nkeys + 1] = PointerGetDatum(uidset_from_builder(&among));
	return read_messages(store, PLAN_CHANGED_AMONG, params, NULL,
						 PLAN_READ_AS_CALLER, n);
}
