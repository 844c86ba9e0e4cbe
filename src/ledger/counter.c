/*-------------------------------------------------------------------------
 *
 * counter.c
 *	  The mailbox lock; handing out UIDs and mod-sequences.
 *
 * Commit order is mod-sequence order: a value, and a UID, is only handed out
 * while we hold the row lock of the mailbox, and that lock is kept until the
 * transaction ends.  So a snapshot that sees a value sees every change up to
 * it (RFC 7162 section 3.1; RFC 9051 section 2.3.1.1 for UIDs).
 *
 * Locks: the mailbox row, FOR NO KEY UPDATE.  That strength does not conflict
 * with the FOR KEY SHARE of a foreign key check, so that inserting messages
 * of one mailbox does not deadlock on it.  Callers that need several mailboxes
 * lock them in ascending order of key.
 *
 * A statement's numbers exist in memory first: counter_lock() reads the row,
 * counter_modseq() and counter_assign_uid() count on from there, and
 * counter_settle() writes the row, once, with what really went in.  A
 * statement that changes nothing writes nothing.  Where it is known already
 * that the statement changes something, and the lock is still to be taken,
 * counter_raise() does all of it at once.
 *
 * Memory: what is known of a mailbox is in mailbox.c.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

/* --- the lock -------------------------------------------------------------- */

/* The counters as the row has them; NULL and 0 count as never used */
int64
counter_effective_uidnext(const Store *store, bool isnull, int64 value)
{
	if (isnull)
		value = 0;
	else if (store->has_last_uid)
		value++;
	return Max(value, 1);
}

int64
counter_effective_highestmodseq(bool isnull, int64 value)
{
	return isnull ? MODSEQ_UNUSED : Max(value, MODSEQ_UNUSED);
}

/*
 * counter_read_row: the counters of the row that a query of ours returned
 */
void
counter_read_row(const Store *store, HeapTuple tuple, TupleDesc desc,
				 int64 *uidnext, int64 *highestmodseq)
{
	bool		isnull;
	Datum		value;

	value = SPI_getbinval(tuple, desc, 2, &isnull);
	*uidnext = counter_effective_uidnext(store, isnull,
										 isnull ? 0 : DatumGetInt64(value));
	value = SPI_getbinval(tuple, desc, 3, &isnull);
	*highestmodseq = counter_effective_highestmodseq(isnull,
													 isnull ? 0 : DatumGetInt64(value));
}

static void
set_counters(MailboxState *state, int64 uidnext, int64 highestmodseq)
{
	state->locked = true;
	state->uidnext = uidnext;
	state->highestmodseq = highestmodseq;
	state->next_uid = Max(state->next_uid, uidnext);
}

/*
 * counter_lock: take the mailbox's row lock, if it is not ours already
 *
 * Waits for the transaction that holds it.  In READ COMMITTED what the row
 * says is then the latest; in a stricter level PostgreSQL raises 40001 if the
 * row has changed since the snapshot.  False if there is no such mailbox.
 */
bool
counter_lock(Store *store, Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);
	int64		uidnext;
	int64		highestmodseq;

	if (state->locked)
		return true;
	SPI_connect();
	if (plan_execute(store, PLAN_LOCK_MAILBOX, mailbox->key, PLAN_AS_OWNER) > 0 ||
		(source_supply(store, mailbox) &&
		 plan_execute(store, PLAN_LOCK_MAILBOX, mailbox->key, PLAN_AS_OWNER) > 0))
	{
		counter_read_row(store, SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 &uidnext, &highestmodseq);
		set_counters(state, uidnext, highestmodseq);
	}
	SPI_finish();
	return state->locked;
}

/*
 * counter_raise: take the lock, if it is not ours already, and with it a
 * mod-sequence that is sure to be used
 *
 * One UPDATE does both, and there is nothing left to settle.  Triggers of the
 * mailbox table fire now, not at the end.  False if there is no such mailbox.
 */
bool
counter_raise(Store *store, Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);
	int64		uidnext;
	int64		value;

	if (state->locked)
		return true;
	SPI_connect();
	if (plan_execute(store, PLAN_RAISE_MAILBOX, mailbox->key, PLAN_AS_OWNER) == 1)
	{
		/* The triggers may have written more, and taken the value themselves */
		counter_read_row(store, SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 &uidnext, &value);
		set_counters(state, Max(state->uidnext, uidnext),
					 Max(state->highestmodseq, value));
		if (state->value == 0)
		{
			state->issued = value;
			counter_used(mailbox, value);
		}
	}
	SPI_finish();

	/* If not, then the lock tells why */
	return counter_lock(store, mailbox);
}

bool
counter_is_locked(Mailbox *mailbox)
{
	return mailbox->state->locked;
}

void
counter_no_mailbox(Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("mailbox %s does not exist", key_text(store, key)),
			 errdetail("Table %s has no such row.", store->table[TABLE_MAILBOX].name),
			 errhint("Create the mailbox first.")));
}

/* --- handing out ----------------------------------------------------------- */

/*
 * counter_modseq: the mod-sequence of the statement in progress
 *
 * Taken at the first call for this mailbox; the lock must be held.
 */
int64
counter_modseq(Store *store, Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);
	int64		highest = state->highestmodseq;

	Assert(state->locked);
	if (state->value != 0)
		return state->value;

	/* Above what statements that contain this one have taken, too */
	for (MailboxState *outer = state->outer; outer; outer = outer->outer)
		highest = Max(highest, outer->value);
	if (highest >= MODSEQ_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("mailbox %s has no mod-sequence left",
						key_text(store, mailbox->key)),
				 errdetail("Its HIGHESTMODSEQ is " INT64_FORMAT ", the highest that RFC 7162 allows.",
						   highest),
				 errhint("Copy its messages into a new mailbox.")));
	state->value = state->issued = highest + 1;
	statement_list(mailbox);
	return state->value;
}

/*
 * The counters as of before this transaction, whatever it did to the row.
 * False, and they are left alone, if there was no such mailbox.
 */
static bool
read_committed(Store *store, Mailbox *mailbox, int64 *uidnext,
			   int64 *highestmodseq)
{
	bool		found;

	SPI_connect();
	found = plan_execute(store, PLAN_READ_MAILBOX, mailbox->key,
						 PLAN_READ_COMMITTED) > 0;
	if (found)
		counter_read_row(store, SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 uidnext, highestmodseq);
	SPI_finish();
	return found;
}

/*
 * counter_guess: the mod-sequence that the statement in progress will get, if
 * nobody else takes one of the mailbox before we have the lock
 *
 * For rows that are written before the lock may be taken.  Under the lock it
 * shows whether the guess was right; till then nobody else sees the rows.  0,
 * which no mod-sequence is, if there is nothing to guess from.
 */
int64
counter_guess(Store *store, Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);
	int64		uidnext;
	int64		highestmodseq;

	if (state->guess != 0)
		return Max(state->guess, 0);
	state->guess = -1;
	if (read_committed(store, mailbox, &uidnext, &highestmodseq) &&
		highestmodseq < MODSEQ_MAX)
		state->guess = highestmodseq + 1;
	return Max(state->guess, 0);
}

static void
check_uid(Store *store, Mailbox *mailbox, int64 uid, bool given)
{
	if (uid > UIDSET_MAX_UID)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UID " INT64_FORMAT " in mailbox %s is out of range",
						uid, key_text(store, mailbox->key)),
				 errdetail("UIDs are 1 to 4294967295 (RFC 9051)."),
				 given ? errhint("Leave the UID NULL to have the next one assigned.") :
				 errhint("Copy the messages into a new mailbox.")));
}

/* counter_assign_uid: the next UID; the lock must be held */
int64
counter_assign_uid(Store *store, Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);

	Assert(state->locked);
	check_uid(store, mailbox, state->next_uid, false);
	return state->next_uid++;
}

/* counter_skip_uids: hand out none up to that one; the lock must be held */
void
counter_skip_uids(Mailbox *mailbox, int64 uid)
{
	MailboxState *state = known_state(mailbox);

	Assert(state->locked);
	state->next_uid = Max(state->next_uid, uid + 1);
}

/* Does a message have that UID, be it expunged? */
static bool
is_taken(Store *store, Mailbox *mailbox, int64 uid)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;

	memcpy(params, mailbox->key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(uid);
	SPI_connect();
	rows = plan_execute(store, PLAN_ANY_MESSAGE, params, PLAN_AS_OWNER);
	SPI_finish();
	return rows > 0;
}

/*
 * The lowest UID that the application may have reserved by raising UIDNEXT in
 * this transaction: whatever the row says now, nobody else has seen more than
 * UIDNEXT as it was before.  It stays so, for the row lock is ours.  But what
 * arrived since is used, and the row may be that of another mailbox, renamed.
 */
static int64
reserved_uid(Store *store, Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);

	if (rename_reached(store, mailbox->key))
		return PG_INT64_MAX;
	if (state->reserved == 0)
	{
		int64		highestmodseq;

		state->reserved = 1;
		read_committed(store, mailbox, &state->reserved, &highestmodseq);
	}
	return Max(state->reserved, state->arrived);
}

/*
 * counter_accept_uid: a UID that the application chose
 *
 * It must not be below UIDNEXT as of the statement's begin, unless this very
 * transaction has reserved it: it was used, or clients were told that it never
 * will be (RFC 9051 section 2.3.1.1).  If it is, returns false without an
 * error where the message that has it is there, and so the row will not be
 * inserted: the unique index refuses it, or ON CONFLICT applies.  Where there
 * is no such index, UIDs must ascend, so that none is given twice.
 */
bool
counter_accept_uid(Store *store, Mailbox *mailbox, int64 uid, bool inserting)
{
	MailboxState *state = known_state(mailbox);
	int64		uidnext = state->uidnext;
	bool		used;

	Assert(state->locked);
	for (MailboxState *outer = state->outer; outer; outer = outer->outer)
		uidnext = Max(uidnext, outer->next_uid);
	check_uid(store, mailbox, uid, true);
	used = uid < uidnext && uid < reserved_uid(store, mailbox);
	if (!store->uid_is_unique)
	{
		used = used || uid < state->arrived ||
			(uid >= uidnext && uid < state->next_uid);
		uidnext = Max(uidnext, state->next_uid);
	}
	if (used)
	{
		if (inserting && store->uid_is_unique && is_taken(store, mailbox, uid))
			return false;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("UID " INT64_FORMAT " is below UIDNEXT " INT64_FORMAT " of mailbox %s",
						uid, uidnext, key_text(store, mailbox->key)),
				 errdetail("A UID is never used twice under the same UIDVALIDITY."),
				 errhint("Leave the UID NULL to have the next one assigned, or raise UIDNEXT in the same transaction. To restore a dump's data, disable triggers.")));
	}
	if (!store->uid_is_unique)
		state->arrived = Max(state->arrived, uid + 1);
	state->next_uid = Max(state->next_uid, uid + 1);
	return true;
}

/*
 * counter_used: a row that carries the value really went in
 *
 * The row triggers that fire before a row is written cannot know that it will
 * be (ON CONFLICT DO NOTHING, other triggers); this is from those after it.
 */
void
counter_used(Mailbox *mailbox, int64 modseq)
{
	MailboxState *state = known_state(mailbox);

	state->value = modseq;
	state->used = true;
	statement_list(mailbox);
}

/* counter_landed: the same for a row that arrived in the mailbox */
void
counter_landed(Mailbox *mailbox, int64 uid, int64 modseq)
{
	MailboxState *state = known_state(mailbox);

	counter_used(mailbox, modseq);
	state->landed = Max(state->landed, uid + 1);
	state->arrived = Max(state->arrived, uid + 1);
}

/* --- settling ---------------------------------------------------------------- */

/*
 * counter_settle: the statement is over; write what it took into the row
 *
 * The lock is held if there is anything to write.
 */
void
counter_settle(Store *store, Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);
	int64		uidnext = Max(state->uidnext, state->landed);
	int64		highestmodseq = state->highestmodseq;
	Datum		params[MODSEQ_MAX_PARAMS];

	if (!state->locked && (state->used || state->landed != 0))
	{
		Mailbox    *to = rename_target(store, mailbox);

		if (to != NULL && counter_lock(store, to))
			counter_renamed(mailbox, to);
	}
	if (state->used)
		highestmodseq = Max(highestmodseq, state->value);
	state->value = 0;
	state->used = false;
	state->landed = 0;
	if (!state->locked)
		return;
	state->next_uid = uidnext;
	for (MailboxState *outer = state->outer; outer; outer = outer->outer)
		state->next_uid = Max(state->next_uid, outer->next_uid);
	if (uidnext == state->uidnext && highestmodseq == state->highestmodseq)
		return;

	if (store->uidnext.type == INT4OID &&
		uidnext - store->has_last_uid > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UIDNEXT " INT64_FORMAT " of mailbox %s is out of range for column %s",
						uidnext, key_text(store, mailbox->key), store->uidnext.quoted),
				 errhint("Change the type of the column to bigint.")));
	memcpy(params, mailbox->key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(uidnext - store->has_last_uid);
	params[store->nkeys + 1] = Int64GetDatum(highestmodseq);
	SPI_connect();
	if (plan_execute(store, PLAN_WRITE_MAILBOX, params, PLAN_AS_OWNER) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("counters of mailbox %s could not be written",
						key_text(store, mailbox->key)),
				 errdetail("A trigger or rule of table %s suppressed the update.",
						   store->table[TABLE_MAILBOX].name),
				 errhint("A trigger must not keep modseq from its columns.")));
	SPI_finish();

	/* Triggers of the mailbox table may have written more, and settled that */
	set_counters(state, Max(state->uidnext, uidnext),
				 Max(state->highestmodseq, highestmodseq));
}

/* --- what others do to the row ------------------------------------------- */

/*
 * counter_row_changed: somebody in this transaction updated the row
 *
 * So the row lock is ours.  This sees our own writes as well; both kinds
 * refresh what we know.
 */
void
counter_row_changed(Mailbox *mailbox, int64 uidnext, int64 highestmodseq)
{
	set_counters(known_state(mailbox), uidnext, highestmodseq);
}

/* counter_row_added: the row was inserted, with that UIDNEXT */
void
counter_row_added(Mailbox *mailbox, int64 uidnext)
{
	known_state(mailbox)->reserved = uidnext;
}

/* counter_row_gone: the row was deleted, or has another key now */
void
counter_row_gone(Mailbox *mailbox)
{
	MailboxState *state = known_state(mailbox);

	state->locked = false;
	state->next_uid = 0;
	state->reserved = 0;
	state->arrived = 0;
}

/*
 * counter_renamed: the row has another key now
 *
 * What the statement in progress has taken, or one that contains it, is not in
 * the row yet; it is the new key's to settle.
 */
void
counter_renamed(Mailbox *from, Mailbox *to)
{
	MailboxState *source = known_state(from);
	MailboxState *target = known_state(to);

	for (MailboxState *state = source; state; state = state->outer)
		target->next_uid = Max(target->next_uid, state->next_uid);
	if (!source->used && source->landed == 0)
		return;
	target->value = Max(target->value, source->value);
	target->issued = Max(target->issued, source->value);
	target->used = target->used || source->used;
	target->landed = Max(target->landed, source->landed);
	target->appended = Max(target->appended, source->appended);
	source->value = 0;
	source->used = false;
	source->landed = 0;
	statement_list(to);
}

/*
 * counter_rows_gone: rows of the store's mailbox table were truncated
 *
 * The mailboxes whose lock is ours are looked up again; others were not known.
 */
void
counter_rows_gone(Store *store)
{
	List	   *locked = known_locked(store, false);
	ListCell   *lc;

	foreach(lc, locked)
	{
		Mailbox    *mailbox = lfirst(lc);
		MailboxState before = *mailbox->state;

		counter_row_gone(mailbox);
		if (counter_lock(store, mailbox))
		{
			counter_skip_uids(mailbox, before.next_uid - 1);
			mailbox->state->reserved = before.reserved;
			mailbox->state->arrived = before.arrived;
		}
	}
	list_free(locked);
}

/*
 * A message follows its mailbox.  What was said of it before it was written
 * must hold after that, though the old key may be taken in between, and other
 * statements completed.  No message that arrives later gets a UID that one of
 * these has; if another mailbox gets the key, counter_key_taken() is called.
 */
void
counter_follow(Mailbox *mailbox, int64 uid)
{
	uidset_builder_add(&known_state(mailbox)->followed, (uint32) uid,
					   (uint32) uid);
	statement_list(mailbox);
}

/* counter_key_taken: a mailbox gets that key, by INSERT or by another key */
void
counter_key_taken(Mailbox *mailbox)
{
	uidset_builder_free(&known_state(mailbox)->followed);
}

bool
counter_has_followed(Mailbox *mailbox, int64 uid)
{
	UidBuilder *followed = &known_state(mailbox)->followed;

	if (uidset_builder_is_empty(followed))
		return false;
	uidset_builder_finish(followed);
	return uidset_contains(followed->ranges, followed->n, (uint32) uid);
}
