/*-------------------------------------------------------------------------
 *
 * flagged.c
 *	  From rows of a flag table to the messages that they belong to.
 *
 * A flag table names its messages by their own key, or by mailbox and UID.  The
 * former are looked up when the statement is completed, all at once.
 *
 * Locks: messages are locked before their mailboxes are, in the order of
 * mailbox and UID, unless the mailboxes are locked already: see statement.c.
 *
 * Memory: the keys are in a context below the Statement's (keys.c).
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "utils/memutils.h"

/* Are all messages in SPI_tuptable in mailboxes that we have locked? */
static bool
all_locked(Store *store, uint64 rows)
{
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		key[MODSEQ_MAX_KEYS];
		int64		uid;
		bool		live;

		if (plan_get_message(store, i, key, &uid, &live) &&
			!counter_is_locked(mailbox_get(store, key)))
			return false;
	}
	return true;
}

/* The live messages in SPI_tuptable are to be stamped */
static void
stamp_found(Store *store, uint64 rows)
{
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		key[MODSEQ_MAX_KEYS];
		int64		uid;
		bool		live;

		if (plan_get_message(store, i, key, &uid, &live) && live)
			statement_stamp(store, key, uid);
	}
}

/*
 * Finds messages by their keys, locks them if told to, and notes them as to be
 * stamped.  Without locking it does so, and returns true, only if all of them
 * are in mailboxes that are locked.
 */
static bool
find_messages(Store *store, const MessageKeys *keys, bool lock)
{
	PlanId		id;
	Datum		params[MODSEQ_MAX_KEYS];
	uint64		rows;
	bool		found;

	SPI_connect();
	if (message_keys_count(keys) == 1)
	{
		id = lock ? PLAN_LOCK_MESSAGE : PLAN_FIND_MESSAGE;
		message_keys_get(keys, 0, params);
	}
	else
	{
		id = lock ? PLAN_LOCK_MESSAGES : PLAN_FIND_MESSAGES;
		message_keys_arrays(keys, params);
	}
	rows = plan_execute(store, id, params, PLAN_LATEST);
	found = lock || all_locked(store, rows);
	if (found)
		stamp_found(store, rows);
	SPI_finish();
	return found;
}

/*
 * flagged_find: turns keys of messages into (mailbox, UID), to be stamped
 *
 * Messages that are gone, by the delete that cascaded to their flags, are not
 * found and need nothing.  If this transaction holds the locks of all their
 * mailboxes, then the messages cannot change under us.  Otherwise they are
 * locked first; and a locked message cannot change its mailbox either.
 */
void
flagged_find(List *list)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		MessageKeys *flagged = lfirst(lc);
		Store	   *store = store_get(flagged->message_relid);

		if (!message_keys_have_types(flagged, store->message_key.n,
									 store->flag_key_type))
			statement_store_changed(store);
		if (flagged->came)
			shared_wait_for_arrivals(store, flagged);
		if (mailbox_locked(store, true) == NIL ||
			!find_messages(store, flagged, false))
			find_messages(store, flagged, true);
		MemoryContextDelete(flagged->context);
	}
}

/* flagged_lock: the same order of locks for messages that are named by UID */
void
flagged_lock(List *mailboxes)
{
	ListCell   *lc;

	foreach(lc, mailboxes)
	{
		Mailbox    *mailbox = lfirst(lc);
		Work	   *work = mailbox_work(mailbox);
		Store	   *store = store_get(mailbox->message_relid);
		Datum		params[MODSEQ_MAX_PARAMS];

		if (!work->lock_stamped || counter_is_locked(mailbox))
			continue;
		memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
		params[store->nkeys] =
			PointerGetDatum(uidset_from_builder(&work->owed.stamped));
		SPI_connect();
		plan_execute(store, PLAN_LOCK_LIVE_MESSAGES, params, PLAN_AS_OWNER);
		SPI_finish();
		pfree(DatumGetPointer(params[store->nkeys]));
	}
}
