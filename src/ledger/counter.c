/*-------------------------------------------------------------------------
 *
 * counter.c
 *	  The mailbox lock; handing out mod-sequences.
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
 * counter_modseq() and uid_assign() (uid.c) count on from there, and
 * counter_settle() (settle.c) writes the row, once, with what really went in.
 * A statement that changes nothing writes nothing.  Where it is known already
 * that the statement changes something, and the lock is still to be taken,
 * counter_raise() does all of it at once.
 *
 * Memory: what is known of a mailbox is in mailbox.c.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/inval.h"

/* --- the lock ---------------------------------------------------------- */

/*
 * counter_know: the row at that place is locked, and has that much or more
 *
 * Whoever has committed another incarnation before we had the lock, we hear of
 * it here: PostgreSQL looks only when it takes a lock on a table.
 */
void
counter_know(Counters *counters, const RowPlace *place, int64 uidnext,
			 int64 highestmodseq)
{
	if (!counters->locked)
		AcceptInvalidationMessages();
	if (!row_place_is_known(&counters->place, place))
		counters->first = *place;
	counters->place = *place;
	counters->gone = false;
	if (counters->unseen == 0)
		counters->unseen = highestmodseq + 1;
	counters->uidnext = counters->locked ?
		Max(counters->uidnext, uidnext) : uidnext;
	counters->highestmodseq = counters->locked ?
		Max(counters->highestmodseq, highestmodseq) : highestmodseq;
	counters->next_uid = Max(counters->next_uid, uidnext);
	counters->locked = true;
}

/*
 * The same for the row that a query of ours has locked.  If that query wrote
 * it, then its triggers have told us where it is, and those of the application
 * may have written it again since.
 */
static void
know_locked(Counters *counters, const CounterRow *row)
{
	RowPlace	place = row->place;

	counters->remembered = row->gone;
	if (!OidIsValid(counters->place.relid))
		counters->met = row->uidnext;
	else if (counters->locked)
		place = counters->place;
	counter_know(counters, &place, row->uidnext, row->highestmodseq);
}

/*
 * counter_check_vacant: a mailbox gets a key; messages that are there already,
 * with UIDs below that, are not its own
 *
 * Where no foreign key takes them along, they are those of the mailbox that had
 * the key before, and still to follow that one to its new key: they would be
 * taken for this one's.  If it was deleted, then that is seen to elsewhere (see
 * source.c, and resume() for one that is made anew), but for another that is
 * renamed onto the key of one whose counters went with it.
 */
void
counter_check_vacant(Store *store, const Datum *key, bool renamed,
					 int64 uidnext)
{
	Mailbox    *former = mailbox_find(store, key);

	if ((former == NULL || mailbox_counters(former)->gone ||
		 mailbox_has_key(store, former, key)) &&
		(!renamed || !store->outlives))
		return;
	if (source_has_messages(store, key, uidnext))
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("mailbox %s gets a key that messages of another one still have",
						key_text(store, key)),
				 errdetail("No foreign key of table %s takes them along.",
						   store->table[TABLE_MESSAGE].name),
				 errhint("Give these messages the new key of their mailbox first, or delete them if that is gone.")));
}

/* Locks the row that has its key, and the account's before it, if any */
static bool
lock_row(Store *store, Mailbox *mailbox, CounterRow *row)
{
	if (store->has_accounts)
		return account_lock_mailbox(store, mailbox, row);
	if (plan_execute(store, PLAN_LOCK_MAILBOX,
					 unconstify(Datum *, mailbox_key(mailbox)),
					 PLAN_AS_OWNER) == 0)
		return false;
	counter_read_locked(store, row);
	return true;
}

/* Its row was found under its key */
static void
claim_name(Store *store, Mailbox *mailbox)
{
	const Datum *key = mailbox_key(mailbox);

	if (mailbox_find(store, key) != mailbox)
		counter_check_vacant(store, key, false, PG_INT64_MAX);
	mailbox_claim_name(mailbox);
}

/*
 * counter_lock: take the mailbox's row lock, if it is not ours already
 *
 * Waits for the transaction that holds it.  In READ COMMITTED what the row
 * says is then the latest; in a stricter level PostgreSQL raises 40001 if the
 * row has changed since the snapshot.  False if there is no such mailbox.  If
 * the row that we waited for was deleted, then another may have come in its
 * place, under messages that stay: so it is looked for again.
 */
bool
counter_lock(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);
	CounterRow	row;

	if (counters->locked)
		return true;
	if (!mailbox_has_name(mailbox))
		return false;
	SPI_connect();
	if (lock_row(store, mailbox, &row) ||
		((source_supply(store, mailbox) || store->outlives) &&
		 lock_row(store, mailbox, &row)))
	{
		claim_name(store, mailbox);
		know_locked(counters, &row);
	}
	SPI_finish();
	return counters->locked;
}

/* counter_is_altered: may others change what we write to its row? */
bool
counter_is_altered(const Store *store, Mailbox *mailbox)
{
	const StoreTable *table = &store->table[TABLE_MAILBOX];
	Oid			relid = mailbox_counters(mailbox)->place.relid;

	/* A partition may have triggers by itself */
	return table->altered || (OidIsValid(relid) && relid != table->relid &&
							  relation_alters_rows(relid, false));
}

/*
 * counter_lock_existing: the same, and false too where there are only the
 * counters of a mailbox that is gone
 *
 * For what may not be done without a mailbox: messages do not arrive there.
 */
bool
counter_lock_existing(Store *store, Mailbox *mailbox)
{
	return counter_lock(store, mailbox) &&
		!mailbox_counters(mailbox)->remembered;
}

/*
 * counter_raise: take the lock, if it is not ours already, and with it a
 * mod-sequence that is sure to be used
 *
 * One UPDATE does both, and there is nothing left to settle.  Triggers of the
 * mailbox table fire now, not at the end.  False if there is no such mailbox.
 * Where there are accounts, the value is the account's.
 */
bool
counter_raise(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	Changes		owed = {.counts = work->owed.counts};
	Datum		params[MODSEQ_MAX_PARAMS];
	bool		raised;

	if (mailbox_counters(mailbox)->locked)
		return true;
	if (!mailbox_has_name(mailbox))
		return false;
	if (store->has_accounts)
		return counter_lock(store, mailbox);
	SPI_connect();
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(incarnation_current()->modseq);
	mailbox_drop_counts(&work->owed);
	counts_begin(store, mailbox, &owed.counts, params + store->nkeys + 1);
	raised = plan_execute(store, PLAN_RAISE_MAILBOX, params,
						  PLAN_AS_OWNER) == 1;
	counts_end(store, mailbox);
	if (!raised)
		mailbox_move_counts(&owed, &work->owed);
	else
	{
		CounterRow	row;

		/* The triggers may have written more, and taken the value themselves */
		counter_read_locked(store, &row);
		claim_name(store, mailbox);
		know_locked(mailbox_counters(mailbox), &row);

		/* Another incarnation has begun before we had the lock */
		if (row.highestmodseq <= incarnation_current()->modseq)
			counter_enter_raised(store, mailbox, row.highestmodseq - 1);

		/* A partition's own may have put the old number back: take another */
		else if (work->value == 0 && !counter_is_altered(store, mailbox))
		{
			work->issued = row.highestmodseq;
			counter_used(mailbox, row.highestmodseq);
		}
	}
	SPI_finish();

	/* If not, then the lock tells why */
	return counter_lock(store, mailbox);
}

bool
counter_is_locked(Mailbox *mailbox)
{
	return mailbox_counters(mailbox)->locked;
}

/*
 * counter_check_snapshot: there is no such mailbox; or is it only newer than
 * the transaction's snapshot?
 *
 * Messages are looked up in a newer one (flagged.c, bulk.c), since nobody else
 * would tell clients of what changes there.  Error 40001.
 */
void
counter_check_snapshot(Store *store, Mailbox *mailbox)
{
	uint64		rows;

	if (!IsolationUsesXactSnapshot() || !mailbox_has_name(mailbox))
		return;
	SPI_connect();
	rows = plan_execute(store, PLAN_READ_MAILBOX,
						unconstify(Datum *, mailbox_key(mailbox)),
						PLAN_LATEST);
	SPI_finish();
	if (rows > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access to mailbox %s",
						key_text(store, mailbox_key(mailbox))),
				 errdetail("It is newer than the transaction's snapshot."),
				 errhint("The transaction might succeed if retried.")));
}

void
counter_no_mailbox(Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("mailbox %s does not exist", key_text(store, key)),
			 errdetail("Table %s has no such row.",
					   store_mailbox_table(store)->name),
			 errhint("Create the mailbox first.")));
}

/* --- handing out ------------------------------------------------------- */

/* The value that the mailbox's account gives, above that one */
static int64
modseq_of_account(Store *store, Mailbox *mailbox, int64 least)
{
	Mailbox    *account = account_of(store, mailbox);

	if (account == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("mailbox %s is in no account",
						key_text(store, mailbox_key(mailbox))),
				 errhint("Give its row an account.")));
	return account_modseq(store, account, least);
}

/*
 * The mailbox takes its first value of this incarnation.  Those from the last
 * one on, and UIDs from UIDNEXT on, may have been given by a server that is
 * lost: the values are told with what vanishes, and of the UIDs some are left
 * out, which vanish (rule "incarnations").  The statement will write that.  One
 * that is made anew under its messages has landed past them already.  In one
 * that this transaction has made, whoever imports messages may give them those
 * UIDs: they are as reserved.
 */
static void
enter_incarnation(Store *store, Mailbox *mailbox, int64 uid_gap)
{
	Counters   *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);
	int64		uidnext = Max(counters->uidnext, work->landed);
	int64		committed = uidnext;
	int64		unused;
	int64		most = store->uid.type == INT4OID ||
		store->uidnext.type == INT4OID ? PG_INT32_MAX : UIDSET_MAX_UID;

	/* However often that happens, it must not use them up */
	uid_gap = Min(uid_gap, Max(most - uidnext, 0) / 64);
	work->owed.lost = counters->highestmodseq;
	work->entered = uidnext + uid_gap;
	work->owed.lost_from = uidnext;
	work->owed.lost_to = work->entered;
	work->landed = Max(work->landed, work->entered);
	counters->next_uid = Max(counters->next_uid, work->entered);

	if (uid_gap > 0)
		uidset_builder_add(&work->unused, (uint32) uidnext,
						   (uint32) (work->entered - 1));
	if (!counter_read_committed(store, mailbox, &committed, &unused) &&
		uidnext == 1 && counters->highestmodseq <= MODSEQ_UNUSED)
		return;

	/* What the application has reserved may have been given, too */
	counters->reserved = Max(counters->reserved, work->entered);
	if (counters->left_out == 0)
		counters->left_from = Max(Min(committed, uidnext), counters->arrived);
	counters->left_out = work->entered;
}

/*
 * counter_modseq: the mod-sequence of the statement in progress
 *
 * Taken at the first call for this mailbox; the lock must be held.
 */
int64
counter_modseq(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);
	int64		highest = counters->highestmodseq;
	int64		value = work->value;
	const Incarnation *incarnation;

	Assert(counters->locked);
	if (value != 0)
		return value;

	/* A statement that contains this one may have taken it */
	for (const MailboxLevel *outer = mailbox->level->outer; outer != NULL;
		 outer = outer->outer)
		value = Max(value, outer->work.value);
	incarnation = incarnation_current();
	if (value == 0 && highest <= incarnation->modseq)
	{
		enter_incarnation(store, mailbox, incarnation->uid_gap);
		highest = incarnation->modseq;
	}
	if (value == 0 && store->has_accounts)
		value = modseq_of_account(store, mailbox, highest);
	if (value == 0 && highest >= MODSEQ_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("mailbox %s has no mod-sequence left",
						key_text(store, mailbox_key(mailbox))),
				 errdetail("Its HIGHESTMODSEQ is " INT64_FORMAT
						   ", the highest that RFC 7162 allows.",
						   highest),
				 errhint("Copy its messages into a new mailbox.")));
	work->value = work->issued = value != 0 ? value : highest + 1;
	statement_list(mailbox);
	return work->value;
}

/*
 * counter_enter: whatever is handed out in the mailbox is of this incarnation
 *
 * Before a UID is handed out, or judged.  The lock must be held.
 */
void
counter_enter(Store *store, Mailbox *mailbox)
{
	if (mailbox_counters(mailbox)->highestmodseq <=
		incarnation_current()->modseq)
		counter_modseq(store, mailbox);
}

/*
 * counter_enter_raised: the same, as somebody else has raised HIGHESTMODSEQ
 *
 * Numbers above the one before may be those of a server that is lost, too.  If
 * it is above the incarnation's number now, then the next value is above that.
 */
void
counter_enter_raised(Store *store, Mailbox *mailbox, int64 before)
{
	Work	   *work = mailbox_work(mailbox);

	counter_enter(store, mailbox);
	if (work->entered == 0)
	{
		enter_incarnation(store, mailbox, incarnation_current()->uid_gap);
		counter_modseq(store, mailbox);
	}
	work->owed.lost = Min(work->owed.lost, before);
}

/*
 * counter_read_committed: the counters as of before this transaction, whatever
 * it did to the row
 *
 * False, and they are left alone, if there was no such mailbox.
 */
bool
counter_read_committed(Store *store, Mailbox *mailbox, int64 *uidnext,
					   int64 *highestmodseq)
{
	bool		found;

	SPI_connect();
	found = plan_execute(store, PLAN_READ_MAILBOX,
						 unconstify(Datum *, mailbox_key(mailbox)),
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
 * which no mod-sequence is, if there is nothing to guess from.  There is one
 * guess, which statements in savepoints share, so that rows that carry it are
 * known by it.
 */
int64
counter_guess(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	int64		uidnext;
	int64		highestmodseq;

	if (work->guess != 0)
		return Max(work->guess, 0);
	work->guess = mailbox_guess(mailbox);
	if (work->guess > 0)
		return work->guess;
	work->guess = -1;
	if (store->has_accounts)
		work->guess = account_guess(store, mailbox);
	else if (counter_read_committed(store, mailbox, &uidnext, &highestmodseq) &&
			 highestmodseq < MODSEQ_MAX)
		work->guess = Max(highestmodseq, incarnation_current()->modseq) + 1;
	return Max(work->guess, 0);
}

/*
 * counter_committed_modseq: HIGHESTMODSEQ before this transaction
 *
 * What is above was written by it.  0 if it has made the mailbox.
 */
int64
counter_committed_modseq(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);
	int64		uidnext;

	if (!counters->has_committed)
	{
		counters->committed_modseq = 0;
		counter_read_committed(store, mailbox, &uidnext,
							   &counters->committed_modseq);
		counters->has_committed = true;
	}
	return counters->committed_modseq;
}

/*
 * counter_has_issued: is that a mod-sequence that a row can carry which we have
 * numbered, and that went in just now?
 *
 * It is the last one taken.  One that this transaction took before does no
 * harm, for under the lock nobody else has seen it: another statement can have
 * taken the next, between a trigger before the row and the one after it.  One
 * that another mailbox of the account has had was somebody else's, and then it
 * is only a guess of ours, which was wrong.
 */
bool
counter_has_issued(Mailbox *mailbox, int64 modseq)
{
	const Counters *counters = mailbox_counters(mailbox);
	int64		issued = mailbox_work(mailbox)->issued;

	if (!counters->locked || modseq >= issued)
		return counters->locked && modseq == issued;
	return modseq >= counters->unseen &&
		(counters->account == NULL ||
		 modseq >= mailbox_counters(counters->account)->unseen);
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
	Work	   *work = mailbox_work(mailbox);

	/* An older one: the row has it already, or will have more */
	if (modseq < work->issued &&
		(work->value != 0 ||
		 modseq <= mailbox_counters(mailbox)->highestmodseq))
		modseq = work->value;
	work->value = modseq;
	work->used = work->used || modseq != 0;
	statement_list(mailbox);
}

/* counter_landed: the same for a row that arrived in the mailbox */
void
counter_landed(const Store *store, Mailbox *mailbox, int64 uid, int64 modseq)
{
	Counters   *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);
	UidRange	range = {(uint32) uid, (uint32) uid};

	counter_used(mailbox, modseq);
	statement_changed(store, mailbox, &range, 1);
	work->landed = Max(work->landed, uid + 1);
	uidset_builder_add(&work->arrivals, (uint32) uid, (uint32) uid);
	counters->arrived = Max(counters->arrived, uid + 1);
}
