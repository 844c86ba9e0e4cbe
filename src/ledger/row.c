/*-------------------------------------------------------------------------
 *
 * row.c
 *	  What the triggers of the mailbox table tell: what became of its rows.
 *
 * Every change of a row is told, ours and the application's, and refreshes what
 * we know.  But it is told when the AFTER triggers fire, and those of a nested
 * statement fire before those of the one that contains it.  So we may have
 * found and written a row already under the key that it got, or hear of one
 * version after the next.  The place of a version says whose it is.
 *
 * Locks: the row that a trigger is fired for is locked, by the statement that
 * changed it; so the mailbox lock is ours.
 *
 * Memory: what is known of a mailbox is in mailbox.c.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/table.h"

/* Was that version of a row found before we heard of it? */
static bool
was_found(const Mailbox *mailbox, const RowPlace *place)
{
	const Counters *counters = &mailbox->level->counters;

	return counters->locked &&
		(row_place_equal(&counters->first, place) ||
		 row_place_equal(&counters->place, place));
}

/*
 * The mailbox of a row that had the key, at that place, and has it no more;
 * NULL if we know of none.  If we know of one that should be it, by the key,
 * and is not, then we have missed something: that is to be locked and read
 * again.
 */
static Mailbox *
mailbox_that_left(Store *store, const Datum *key, const RowPlace *place)
{
	Mailbox    *mailbox = mailbox_of_row(store, key, place);
	Mailbox    *other = mailbox_find(store, key);

	if (mailbox != NULL)
		return mailbox;
	if (other == NULL)
		return mailbox_get(store, key);
	if (mailbox_has_key(store, other, key))
	{
		mailbox_counters(other)->locked = false;
		mailbox_counters(other)->place.relid = InvalidOid;
	}
	return NULL;
}

/*
 * mailbox_row_added: the row was inserted, with that UIDNEXT
 *
 * If it comes with a history, as out of a dump, then the UIDs below are no more
 * free than those of a mailbox that was there before.  Another mailbox that had
 * the key has nothing to do with it.  Else nothing needs to be known yet, so
 * that millions can be inserted, and NULL is returned in place of the mailbox.
 */
Mailbox *
mailbox_row_added(Store *store, const Datum *key, const RowPlace *place,
				  int64 uidnext)
{
	Mailbox    *mailbox = mailbox_find(store, key);

	if (mailbox == NULL && uidnext == 1)
		return NULL;
	if (mailbox == NULL || !was_found(mailbox, place))
	{
		Counters   *counters;

		counter_check_vacant(store, key, false, PG_INT64_MAX);
		mailbox = mailbox_take(store, key, NULL);
		counters = mailbox_counters(mailbox);
		counters->first = counters->place = *place;
	}
	mailbox_counters(mailbox)->reserved = uidnext;
	mailbox_counters(mailbox)->has_committed = true;
	mailbox_counters(mailbox)->committed_modseq = 0;
	return mailbox;
}

/*
 * mailbox_row_resumed: the same of a mailbox that has messages already, or had
 * them before
 *
 * It counts on above all that is and was there, which vanished_recollect() has
 * told, whatever numbers the row comes with.  What is not live has vanished;
 * in an account, what is live begins with it.  It is locked, and has the
 * statement's mod-sequence now.
 */
void
mailbox_row_resumed(Store *store, Mailbox *mailbox, const Datum *key,
					int64 uidnext, int64 highestmodseq)
{
	Counters   *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);

	counters->highestmodseq = Max(counters->highestmodseq, highestmodseq);
	counters->next_uid = Max(counters->next_uid, uidnext);
	counters->reserved = uidnext;
	work->landed = Max(work->landed, uidnext);
	counter_used(mailbox, counter_modseq(store, mailbox));
	vanished_drop(store, key);
	unused_add(mailbox, 1, uidnext);
	if (store->has_accounts)
		statement_begin_below(store, key, uidnext);
}

/* mailbox_row_gone: the row was deleted, and its lock is worth nothing */
void
mailbox_row_gone(Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);

	counters->gone = true;
	counters->locked = false;
	counters->place.relid = InvalidOid;
	counters->unseen = 0;
	counters->next_uid = 0;
	counters->given = 0;
	counters->reserved = 0;
	counters->left_from = 0;
	counters->left_out = 0;
	counters->arrived = 0;
	counters->met = 0;
	counters->has_committed = false;
}

/*
 * mailbox_row_deleted: the same for the row that had that key and that place
 *
 * False if another row is known to have the key by now.
 */
bool
mailbox_row_deleted(Store *store, const Datum *key, const RowPlace *place)
{
	Mailbox    *mailbox = mailbox_that_left(store, key, place);

	if (mailbox != NULL)
		mailbox_row_gone(mailbox);
	return mailbox != NULL;
}

/*
 * What we know of the same mailbox under its new key, which the statement in
 * progress has used before we heard of it: an INSERT of messages that takes the
 * key from what the UPDATE returns.  The numbers handed out under either are
 * taken, so the higher of each holds.
 */
static void
absorb(Mailbox *found, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);
	Counters   *newer = mailbox_counters(found);

	counters->first = newer->first;
	counters->place = newer->place;
	counters->uidnext = Max(counters->uidnext, newer->uidnext);
	counters->highestmodseq = Max(counters->highestmodseq,
								  newer->highestmodseq);
	counters->unseen = Min(counters->unseen, newer->unseen);
	counters->next_uid = Max(counters->next_uid, newer->next_uid);
	counters->given = Max(counters->given, newer->given);
	counters->arrived = Max(counters->arrived, newer->arrived);
	counters->locked = true;
	mailbox_merge_work(mailbox_work(found), mailbox_work(mailbox));
	mailbox_row_gone(found);
	statement_list(mailbox);
}

/*
 * The row has another key now; returns its mailbox
 *
 * No UID below UIDNEXT is accepted in it any more: what it was before this
 * transaction could only be asked by the old key.
 */
static Mailbox *
rename_mailbox(Store *store, const Datum *from, const Datum *to,
			   const RowPlace *old, const RowPlace *new)
{
	Mailbox    *mailbox = mailbox_that_left(store, from, old);
	Mailbox    *found = mailbox_find(store, to);
	bool		notified = mailbox != NULL && mailbox->notified != NULL;

	if (found != NULL && found != mailbox && was_found(found, new))
	{
		const Datum *key = mailbox_key(found);	/* perhaps yet another */

		/* What it has had since it was found is its own */
		if (mailbox_counters(found)->met != 0)
			counter_check_vacant(store, to, true, mailbox_counters(found)->met);
		notified = notified || found->notified != NULL;
		if (mailbox == NULL)
		{
			mailbox_counters(found)->leaving = NULL;
			return found;
		}
		absorb(found, mailbox);
		mailbox_take(store, to, mailbox);
		mailbox_take(store, key, mailbox);
	}
	else
	{
		/* Of a key that it had before, the messages are its own */
		if (found == NULL || found != mailbox)
			counter_check_vacant(store, to, true, PG_INT64_MAX);
		mailbox = mailbox_take(store, to, mailbox);
	}
	mailbox_counters(mailbox)->reserved = PG_INT64_MAX;
	if (notified)
		notify_note(store, mailbox);
	return mailbox;
}

/*
 * Has this transaction given another key to the row that had that one, to the
 * query in progress?  If so, then which, and where the versions are.  The new
 * key is in the caller's context.
 */
static bool
find_renamed(Store *store, const Datum *key, RowPlace *old, Datum *to,
			 RowPlace *new)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		found = false;

	SPI_connect();
	if (plan_execute(store, PLAN_FIND_MAILBOX, unconstify(Datum *, key),
					 PLAN_READ_AS_OWNER) > 0)
	{
		HeapTuple	place = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		tid = SPI_getbinval(place, desc, 2, &isnull);
		Relation	rel;
		HeapTuple	row;

		old->relid = DatumGetObjectId(SPI_getbinval(place, desc, 1, &isnull));
		old->file = relation_file(old->relid);
		old->tid = *(ItemPointer) DatumGetPointer(tid);
		rel = table_open(old->relid, NoLock);
		MemoryContextSwitchTo(caller);
		row = row_newest(rel, old);
		found = row != NULL && row_is_ours(row) &&
			row_get_key(shape_get(rel, TABLE_MAILBOX, NULL), row,
						RelationGetDescr(rel), to) &&
			!key_equal(store, key, to);
		if (found)
			*new = row_place(rel, row);
		table_close(rel, NoLock);
	}
	SPI_finish();
	return found;
}

/*
 * mailbox_row_updated: somebody updated the row, which may have another key now
 *
 * Returns its mailbox.  What we hear late, when we have found and perhaps
 * written the new version already, is no news; nor is what a nested statement
 * has replaced, since we have heard of that: NULL if it has deleted the row.
 */
Mailbox *
mailbox_row_updated(Store *store, const Datum *from, const Datum *to,
					const RowPlace *old, const RowPlace *new, bool replaced,
					int64 uidnext, int64 highestmodseq)
{
	Mailbox    *mailbox;
	Counters   *counters;

	if (!key_equal(store, from, to))
		mailbox = rename_mailbox(store, from, to, old, new);
	else if (replaced)
		return mailbox_of_replaced(store, to, new);
	else
	{
		mailbox = mailbox_of_row(store, to, old);
		if (mailbox == NULL)
		{
			mailbox = mailbox_with_key(store, to);
			mailbox_claim_name(mailbox);
		}
	}
	counters = mailbox_counters(mailbox);
	if (was_found(mailbox, new))
		return mailbox;
	if (!row_place_is_known(&counters->place, old))
		counters->first = counters->place = *old;
	counter_know(counters, new, uidnext, highestmodseq);
	counters->locked = mailbox_has_name(mailbox);
	return mailbox;
}

/*
 * The mailbox that the query in progress has renamed, which had that key when
 * it began; NULL if there is none.
 *
 * For messages that arrive under a key that no row has.  We hear of the rename
 * when they have, but the old version of the row says where the new one is.  As
 * soon as we have heard of it, there is no such mailbox any more.
 */
static Mailbox *
find_leaving(Store *store, const Datum *key)
{
	Mailbox    *mailbox = mailbox_find(store, key);
	Datum		to[MODSEQ_MAX_KEYS];
	RowPlace	old;
	RowPlace	new;

	if (mailbox != NULL && !mailbox_has_key(store, mailbox, key))
		return NULL;
	if (!find_renamed(store, key, &old, to, &new))
		return NULL;
	mailbox = rename_mailbox(store, key, to, &old, &new);
	if (!counter_lock_existing(store, mailbox))
		return NULL;
	mailbox_leaves(store, mailbox, key);
	return mailbox;
}

/*
 * A mailbox was found under a key that we had not heard of.  If the query in
 * progress has given it that, and its lock has been ours under the old key,
 * then that mailbox is returned: there is one to hand out its numbers.
 */
static Mailbox *
rejoin(Store *store, const Datum *key, Mailbox *found)
{
	Mailbox    *result = found;
	RowPlace	place = mailbox_counters(found)->place;
	List	   *locked;
	ListCell   *lc;

	if (OidIsValid(store->table[TABLE_SOURCE].relid) || !statement_updates() ||
		!row_place_is_ours(&place, true))
		return found;
	locked = mailbox_locked(store, false);
	foreach(lc, locked)
	{
		Mailbox    *mailbox = lfirst(lc);
		RowPlace	old = mailbox_counters(mailbox)->place;
		RowPlace	newest = row_place_newest(&old, &place);
		const Datum *from = mailbox_key(mailbox);

		if (mailbox == found || !row_place_equal(&newest, &place))
			continue;
		result = rename_mailbox(store, from, key, &old, &place);
		mailbox_leaves(store, result, from);
		break;
	}
	list_free(locked);
	return result;
}

/*
 * mailbox_lock: the mailbox with that key, its lock taken; NULL: there is none
 *
 * It is there also under a key that the query in progress has given it, or
 * taken from it, before we hear of that.
 */
Mailbox *
mailbox_lock(Store *store, const Datum *key)
{
	Mailbox    *mailbox = mailbox_with_key(store, key);
	bool		known = counter_is_locked(mailbox);

	if (!counter_lock_existing(store, mailbox))
		return find_leaving(store, key);
	return known ? mailbox : rejoin(store, key, mailbox);
}

/*
 * mailbox_rows_gone: rows of the store's mailbox table were truncated
 *
 * The mailboxes whose lock is ours are looked up again; others were not known.
 */
void
mailbox_rows_gone(Store *store)
{
	List	   *locked = mailbox_locked(store, false);
	ListCell   *lc;

	foreach(lc, locked)
	{
		Mailbox    *mailbox = lfirst(lc);
		Counters	before = *mailbox_counters(mailbox);

		mailbox_row_gone(mailbox);
		if (counter_lock(store, mailbox))
		{
			uid_skip(mailbox, before.next_uid - 1);
			mailbox_counters(mailbox)->reserved = before.reserved;
			mailbox_counters(mailbox)->left_from = before.left_from;
			mailbox_counters(mailbox)->left_out = before.left_out;
			mailbox_counters(mailbox)->arrived = before.arrived;
			mailbox_counters(mailbox)->given = before.given;
			mailbox_counters(mailbox)->unseen = before.unseen;
		}
	}
	list_free(locked);
}
