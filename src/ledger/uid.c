/*-------------------------------------------------------------------------
 *
 * uid.c
 *	  Handing out UIDs, and judging those that the application chose.
 *
 * RFC 9051 section 2.3.1.1: a UID is never used twice under the same
 * UIDVALIDITY, and is higher than all that were given before it.
 *
 * Locks: the mailbox lock is held (counter.c), so that what this transaction
 * hands out nobody else does, and what it has reserved nobody else has seen.
 *
 * Memory: what is handed out is in Counters, and goes with its nest level.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

static void
check_uid(Store *store, Mailbox *mailbox, int64 uid, bool given)
{
	if (!is_uid(uid))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UID " INT64_FORMAT " in mailbox %s is out of range",
						uid, key_text(store, mailbox_key(mailbox))),
				 errdetail("UIDs are 1 to 4294967295 (RFC 9051)."),
				 given ?
				 errhint("Leave the UID NULL to have the next one assigned.") :
				 errhint("Copy the messages into a new mailbox.")));
}

/* uid_assign: the next UID; the lock must be held */
int64
uid_assign(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);

	Assert(counters->locked);
	check_uid(store, mailbox, counters->next_uid, false);
	counters->given = Max(counters->given, counters->next_uid + 1);
	return counters->next_uid++;
}

/* uid_skip: hand out none up to that one; the lock must be held */
void
uid_skip(Mailbox *mailbox, int64 uid)
{
	Counters   *counters = mailbox_counters(mailbox);

	Assert(counters->locked);
	counters->next_uid = Max(counters->next_uid, uid + 1);
}

/* Does a message have that UID, be it expunged? */
static bool
is_taken(Store *store, Mailbox *mailbox, int64 uid)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(uid);
	return plan_run(store, PLAN_ANY_MESSAGE, params) > 0;
}

/*
 * The lowest UID that the application may have reserved by raising UIDNEXT in
 * this transaction: whatever the row says now, nobody else has seen more than
 * UIDNEXT as it was before.  It stays so, for the row lock is ours.  But what
 * arrived since is used, and so is all in a mailbox that was renamed: see
 * row.c; and, until we hear that it was, all below UIDNEXT as we met it under
 * a key that no mailbox had before.
 */
static int64
reserved_uid(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);

	if (counters->reserved == 0)
	{
		int64		highestmodseq;

		counters->reserved = Max(counters->met, 1);
		counter_read_committed(store, mailbox, &counters->reserved,
							   &highestmodseq);
	}
	return Max(counters->reserved, counters->arrived);
}

/* Is a message, in the statement in progress, known to have left? */
static bool
something_left(const Mailbox *mailbox)
{
	for (const MailboxLevel *level = mailbox->level; level != NULL;
		 level = level->outer)
		if (!uidset_builder_is_empty(&level->work.owed.vanished))
			return true;
	return false;
}

/*
 * Can a used UID be that of a message which this transaction has taken out of
 * the mailbox?  If so, then it has changed the mailbox before, or is about to,
 * in another part of the query; unless the message is expunged, for then it had
 * vanished, and nothing tells that it was taken out.  What had vanished before
 * is not known of a mailbox that this transaction has renamed or made.
 */
static bool
may_return(Store *store, Mailbox *mailbox, bool expunged)
{
	const Counters *counters = mailbox_counters(mailbox);
	const Statement *statement = statement_current();
	int64		committed = counter_committed_modseq(store, mailbox);

	return committed != 0 && counters->reserved != PG_INT64_MAX &&
		(expunged ||
		 statement->open[STATEMENT_DELETE] > 0 ||
		 statement->open[STATEMENT_UPDATE] > 0 ||
		 counters->highestmodseq > committed || something_left(mailbox));
}

/* UIDNEXT as of the statement's begin; what is below was used, or told */
static int64
begun_uidnext(Mailbox *mailbox)
{
	int64		uidnext = Max(mailbox_counters(mailbox)->uidnext,
							  mailbox_work(mailbox)->entered);

	for (const MailboxLevel *outer = mailbox->level->outer; outer != NULL;
		 outer = outer->outer)
		uidnext = Max(uidnext, outer->counters.next_uid);
	return uidnext;
}

/*
 * Was it left out in this transaction (see counter.c), be it that the
 * application had reserved it?  It is no message's that was taken out.
 */
static bool
is_left_out(Mailbox *mailbox, int64 uid)
{
	const Counters *counters = mailbox_counters(mailbox);

	return uid >= counters->left_from && uid < counters->left_out;
}

/* uid_is_used: the error for a UID that the application chose */
void
uid_is_used(Store *store, Mailbox *mailbox, int64 uid)
{
	int64		uidnext = begun_uidnext(mailbox);

	if (is_left_out(mailbox, uid))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("UID " INT64_FORMAT " is below UIDNEXT " INT64_FORMAT
						" of mailbox %s",
						uid, uidnext, key_text(store, mailbox_key(mailbox))),
				 errdetail("A server before this one, of which commits are lost, may have given it to another message."),
				 errhint("Leave the UID NULL to have the next one assigned, or choose one from UIDNEXT on, as modseq.lock() returns it in the same transaction.")));
	if (!store->uid_is_unique)
		uidnext = Max(uidnext, mailbox_counters(mailbox)->next_uid);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("UID " INT64_FORMAT " is below UIDNEXT " INT64_FORMAT
					" of mailbox %s",
					uid, uidnext, key_text(store, mailbox_key(mailbox))),
			 errdetail("A UID is never used twice under the same UIDVALIDITY."),
			 errhint("Leave the UID NULL to have the next one assigned, or raise UIDNEXT in the same transaction.")));
}

/*
 * uid_accept: a UID that the application chose
 *
 * It must not be below UIDNEXT as of the statement's begin, unless this very
 * transaction has reserved it: it was used, or clients were told that it never
 * will be (RFC 9051 section 2.3.1.1).  UID_TAKEN without an error where the
 * message that has it is there, and so the row will not be inserted: the unique
 * index refuses it, or ON CONFLICT applies.  Where there is no such index, UIDs
 * must ascend, so that none is given twice.  UID_RETURNS: it may be that of a
 * message which this transaction has taken out, as returned.c will find; of one
 * that is expunged, or may be, it need not be known.
 */
UidVerdict
uid_accept(Store *store, Mailbox *mailbox, int64 uid, bool inserting,
		   bool expunged)
{
	Counters   *counters = mailbox_counters(mailbox);
	int64		uidnext = begun_uidnext(mailbox);
	bool		used;

	Assert(counters->locked);
	check_uid(store, mailbox, uid, true);
	used = uid < uidnext && uid < reserved_uid(store, mailbox);
	if (!store->uid_is_unique)
		used = used || uid < counters->arrived ||
			(uid >= counters->uidnext && uid < counters->next_uid);
	if (used)
	{
		if (inserting && store->uid_is_unique && is_taken(store, mailbox, uid))
			return UID_TAKEN;
		if (!inserting || is_left_out(mailbox, uid) ||
			!may_return(store, mailbox, expunged))
			uid_is_used(store, mailbox, uid);
		uidset_builder_add(&mailbox_work(mailbox)->returning, (uint32) uid,
						   (uint32) uid);
		return UID_RETURNS;
	}
	if (!store->uid_is_unique)
		counters->arrived = Max(counters->arrived, uid + 1);
	counters->next_uid = Max(counters->next_uid, uid + 1);
	counters->given = Max(counters->given, uid + 1);
	return UID_ACCEPTED;
}

/*
 * uid_was_given: was that UID handed out, or accepted?
 *
 * Where UIDs may return, all those that do are looked at again (returned.c).
 */
bool
uid_was_given(Mailbox *mailbox, int64 uid)
{
	const Counters *counters = mailbox_counters(mailbox);
	UidBuilder *returning = &mailbox_work(mailbox)->returning;

	if (uid < counters->given &&
		(uid >= counters->uidnext ||
		 (counters->reserved != 0 && uid >= counters->reserved)))
		return true;
	if (!is_uid(uid) || uidset_builder_is_empty(returning))
		return false;
	uidset_builder_add(returning, (uint32) uid, (uint32) uid);
	return true;
}

/*
 * uid_find_live: which UIDs of a set are those of live messages under that key,
 * as the table has them now
 *
 * Adds them to *live, which it finishes.  Returns one that two messages have,
 * where no index forbids it, or 0.
 */
int64
uid_find_live(Store *store, const Datum *key, UidBuilder *set,
			  UidBuilder *live)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;
	int64		last = 0;
	int64		twice = 0;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = PointerGetDatum(uidset_from_builder(set));
	SPI_connect();
	rows = plan_execute(store, PLAN_LIVE_MESSAGES, params, PLAN_AS_OWNER);
	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i],
										  SPI_tuptable->tupdesc, 1, &isnull);
		int64		uid = DatumGetInt64(value);

		if (uid == last)
			twice = uid;
		uidset_builder_add(live, (uint32) uid, (uint32) uid);
		last = uid;
	}
	SPI_finish();
	uidset_builder_finish(live);
	return twice;
}
