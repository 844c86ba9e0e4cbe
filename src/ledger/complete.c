/*-------------------------------------------------------------------------
 *
 * complete.c
 *	  The completion of a statement: all that it owes is written.
 *
 * Locks: completion takes mailbox locks, ascending by store and key.  Message
 * rows come after them, except for those that the statement itself has locked
 * by writing them before any mailbox was locked.  For a flag table this is
 * kept up on purpose (flagged.c): whoever works without modseq.lock() locks
 * message rows first and mailboxes last, and whoever calls it does the
 * opposite, so that neither kind deadlocks among its own for our sake.  (What
 * is left is in docs/concepts.md: cascades, upserts, moves, and scans in other
 * orders.)
 *
 * Memory: the statement's, see statement.c.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"

/* How often triggers may make us begin again, until we take it for endless */
#define MAX_ROUNDS	1000

static bool
is_account(const Mailbox *mailbox)
{
	return mailbox->account_key != NULL;
}

static bool
has_changes(Mailbox *mailbox)
{
	const Work *work = mailbox_work(mailbox);
	const Changes *owed = &work->owed;

	return work->departed != NULL || work->went || work->left != NIL ||
		owed->lost != 0 ||
		(counts_are_owed(owed) && !mailbox_counters(mailbox)->locked) ||
		((work->made || work->altered) && !work->used) ||
		!uidset_builder_is_empty(&owed->stamped) ||
		!uidset_builder_is_empty(&owed->vanished) ||
		!uidset_builder_is_empty(&owed->undeleted);
}

/* The store of a mailbox that something is to be written of */
static Store *
store_of(const Mailbox *mailbox)
{
	Store	   *store = store_get(mailbox->message_relid);

	if (store->epoch != mailbox->epoch)
		statement_store_changed(store);
	return store;
}

/* For list_sort(): the order of locking */
static int
compare_mailboxes(const ListCell *a, const ListCell *b)
{
	Mailbox    *left = lfirst(a);
	Mailbox    *right = lfirst(b);

	if (left->message_relid != right->message_relid)
		return left->message_relid < right->message_relid ? -1 : 1;
	return account_compare_mailboxes(store_get(left->message_relid), left,
									 right);
}

/* Mailboxes that have messages to stamp, or UIDs to remember, ascending */
static List *
changed_mailboxes(Statement *statement)
{
	List	   *flagged = statement->flagged;
	List	   *changed = NIL;
	ListCell   *lc;

	statement->flagged = NIL;
	flagged_find(flagged);
	foreach(lc, statement->mailboxes)
	{
		if (is_account(lfirst(lc)))
			continue;
		if (!has_changes(lfirst(lc)) && !unused_is_due(lfirst(lc)) &&
			uidset_builder_is_empty(&mailbox_work(lfirst(lc))->returning))
			continue;
		store_of(lfirst(lc));
		changed = lappend(changed, lfirst(lc));
	}
	list_sort(changed, compare_mailboxes);
	return changed;
}

/*
 * Fewer messages were stamped than should be, or something of others may have
 * changed what was written.  Those that are gone, or have the value already,
 * need nothing; that a trigger or rule kept us from one, or took the number
 * back, is an error, since clients would never hear of its change.
 */
static void
check_stamped(Store *store, Mailbox *mailbox, const UidSet *set, int64 value)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(value);
	params[store->nkeys + 1] = PointerGetDatum(set);
	if (plan_execute(store, PLAN_UNSTAMPED_MESSAGES, params, PLAN_AS_OWNER) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("messages of mailbox %s could not be stamped",
						key_text(store, mailbox_key(mailbox))),
				 errdetail_not_kept(store, TABLE_MESSAGE),
				 errhint("Let it leave the columns of modseq as they are.")));
}

/*
 * Gives another UID, and the statement's mod-sequence, to the messages in
 * work->owed.undeleted: without a UID, they arrive.  A message that was deleted
 * again needs none; one that a trigger or rule kept from us would be live
 * under a UID that has vanished.
 */
static void
renumber_messages(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidSet	   *set = uidset_from_builder(&work->owed.undeleted);
	Datum		params[MODSEQ_MAX_PARAMS];

	uidset_builder_free(&work->owed.undeleted);
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = PointerGetDatum(set);
	SPI_connect();
	work->renumbering = set;
	plan_execute(store, PLAN_RENUMBER_MESSAGES, params, PLAN_AS_OWNER);
	work->renumbering = NULL;
	if (plan_execute(store, PLAN_LIVE_MESSAGES, params, PLAN_AS_OWNER) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("messages of mailbox %s could not be renumbered",
						key_text(store, mailbox_key(mailbox))),
				 errdetail_not_kept(store, TABLE_MESSAGE),
				 errhint("Let it leave the columns of modseq as they are.")));
	SPI_finish();
	pfree(set);
}

/* Messages have the value; so has the account's state of Emails */
static void
stamped(Mailbox *mailbox, int64 value)
{
	counter_used(mailbox, value);
	mailbox_work(mailbox)->changed |= STATE_CHANGED(STATE_EMAIL);
}

/* Of the messages to be stamped, these begin to be in the account under it */
static void
begin_messages(Store *store, Mailbox *mailbox, int64 value)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder	begun;
	Datum		params[MODSEQ_MAX_PARAMS];

	departed_spare_followed(mailbox);
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(value);
	params[store->nkeys + 1] =
		PointerGetDatum(uidset_from_builder(&work->begun));
	uidset_builder_init(&begun);
	mailbox_move_uids(&work->begun, &begun);
	if (plan_run(store, PLAN_BEGIN_MESSAGES, params) > 0)
	{
		stamped(mailbox, value);
		if (store->thread.name != NULL)
			mailbox_move_uids(&begun, &work->appeared);
	}
	uidset_builder_free(&begun);
}

/*
 * Gives the statement's mod-sequence to the messages in work->owed.stamped
 *
 * It is used whether or not a row is written: what was guessed right is there
 * already, by this statement or by one that it is nested in.  Only of messages
 * that a flag table names by UID it is not known that they exist.
 */
static void
stamp_messages(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	int64		value = counter_modseq(store, mailbox);
	UidSet	   *set;
	int64		n;
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;

	if (!work->lock_stamped || value == work->guess)
		stamped(mailbox, value);
	statement_changed(store, mailbox, work->owed.stamped.ranges,
					  work->owed.stamped.n);
	if (value == work->guess && !work->restamp)
	{
		statement_forget_stamped(work);
		return;
	}
	if (!uidset_builder_is_empty(&work->begun))
		begin_messages(store, mailbox, value);
	set = uidset_from_builder(&work->owed.stamped);
	n = uidset_cardinality(uidset_ranges(set), uidset_nranges(set));

	/* Before the triggers of the update can add to it */
	statement_forget_stamped(work);
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(value);
	params[store->nkeys + 1] = n == 1 ?
		Int64GetDatum(uidset_ranges(set)->lo) : PointerGetDatum(set);
	SPI_connect();
	rows = plan_execute(store,
						n == 1 ? PLAN_STAMP_MESSAGE : PLAN_STAMP_MESSAGES,
						params, PLAN_AS_OWNER);
	if (rows > 0)
		stamped(mailbox, value);
	if ((int64) rows < n || plan_altered)
		check_stamped(store, mailbox, set, value);
	SPI_finish();
	pfree(set);
}

/*
 * What left the mailbox left its account.  If the mailbox went by this
 * statement, then what is left of it has departed, too; if it went before, then
 * all that it had has departed already, also if the statement made it anew.
 * Where it is not known to be there, that waits for us to hear of a rename: see
 * account_hand().
 */
static void
hand_departures(Store *store, Mailbox *mailbox)
{
	const Counters *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);
	bool		is_known = true;

	if (store_keeps_messages(store))
	{
		if (work->went)
			departed_add_left(store, mailbox, mailbox_key(mailbox));
		else if (counters->gone || counters->remembered)
			departures_drop(&work->departed);
		else
		{
			if (work->revived)
				departures_drop_messages(&work->departed);
			is_known = counters->locked;
		}
	}
	work->went = false;
	if (work->departed != NULL &&
		!(is_known && account_hand(store, mailbox)))
		departures_move(&work->departed, &work->late);
}

/* Renumbers and stamps the mailbox's messages, remembers its vanished UIDs */
static void
write_changes(Store *store, Mailbox *mailbox)
{
	const Counters *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);
	const Changes *owed = &work->owed;

	/* While it is known which of them are new there */
	if (work->left != NIL)
		deserted_settle(store, mailbox);
	if (counters->locked && !uidset_builder_is_empty(&owed->vanished))
		vanished_leave_out(mailbox);
	/* It is sure to take a value; what that leaves out is settled below */
	if (counters->locked && !uidset_builder_is_empty(&owed->vanished))
		counter_enter(store, mailbox);
	if (counters->locked && !uidset_builder_is_empty(&owed->undeleted))
		renumber_messages(store, mailbox);
	if (counters->locked && !uidset_builder_is_empty(&owed->stamped))
		stamp_messages(store, mailbox);
	if (!uidset_builder_is_empty(&work->returning))
		returned_settle(store, mailbox);
	if (counters->locked && !uidset_builder_is_empty(&work->arrivals) &&
		!uidset_builder_is_empty(&owed->vanished))
		returned_settle_arrivals(store, mailbox);
	if (counters->locked && unused_is_due(mailbox))
		unused_settle(store, mailbox);
	if (counters->locked &&
		(owed->lost != 0 || !uidset_builder_is_empty(&owed->vanished)))
		vanished_append(store, mailbox);
	if (counters->locked && (work->made || work->altered))
		counter_used(mailbox, counter_modseq(store, mailbox));
	if (work->departed != NULL || work->went)
		hand_departures(store, mailbox);

	/*
	 * The mailbox itself is gone, and nobody can ask for it any more;
	 * triggers of the above may have seen to that.  Or the query that we are
	 * in has renamed it, and the triggers that tell us so are yet to fire.
	 * Counts are moved, too, and forgotten: see counts.c.
	 */
	if (!counters->locked)
	{
		counter_check_snapshot(store, mailbox);
		statement_wait(mailbox);
		work->made = work->revived = work->altered = false;
	}
}

/*
 * Takes the locks of mailboxes, which are in order.
 *
 * If there is but one, its mod-sequence is taken along where it is sure to be
 * used: a UID has vanished, or a message that is there and locked has changed.
 * With several mailboxes, what triggers of the mailbox table lock in the first
 * could be locked by somebody who waits for the next.
 */
static void
lock_mailboxes(List *mailboxes)
{
	ListCell   *lc;

	foreach(lc, mailboxes)
	{
		Mailbox    *mailbox = lfirst(lc);
		const Work *work = mailbox_work(mailbox);
		Store	   *store = store_of(mailbox);

		if (list_length(mailboxes) == 1 &&
			!store->table[TABLE_MAILBOX].altered && !work->owed.recount &&
			(!uidset_builder_is_empty(&work->owed.vanished) ||
			 (!uidset_builder_is_empty(&work->owed.stamped) &&
			  !work->lock_stamped)))
			counter_raise(store, mailbox);
		else
			counter_lock(store, mailbox);
	}
}

/*
 * Writes the counters, those of accounts after those of all mailboxes
 *
 * Triggers of one's row can have brought more messages to another.
 */
static void
settle(List *mailboxes)
{
	bool		only_accounts = true;
	ListCell   *lc;

	foreach(lc, mailboxes)
		only_accounts = only_accounts && is_account(lfirst(lc));
	foreach(lc, mailboxes)
	{
		Mailbox    *mailbox = lfirst(lc);

		if (is_account(mailbox) && only_accounts)
			account_settle(store_of(mailbox), mailbox);
		else if (is_account(mailbox) || unused_is_due(mailbox))
			statement_list(mailbox);
		else
		{
			changes_log(store_of(mailbox), mailbox);
			counter_settle(store_of(mailbox), mailbox);
		}
	}
}

/*
 * Writes all that was collected.  Our own statements fire triggers, ours and
 * others', and these may collect more; so go on until nothing is left.
 */
static void
complete_statement(Statement *statement)
{
	statement->completing = true;
	for (int rounds = 0;; rounds++)
	{
		List	   *mailboxes;
		ListCell   *lc;

		if (rounds == MAX_ROUNDS)
			ereport(ERROR,
					(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
					 errmsg("triggers of a store change it again whenever modseq does"),
					 errdetail("What they changed was written %d times.",
							   rounds),
					 errhint("A trigger on a table of a store must come to an end, also if it fires for the changes of modseq.")));
		crossing_settle(&statement->crossings);
		shared_settle(statement);
		mailboxes = changed_mailboxes(statement);
		if (mailboxes != NIL)
		{
			flagged_lock(mailboxes);
			lock_mailboxes(mailboxes);
			foreach(lc, mailboxes)
				write_changes(store_of(lfirst(lc)), lfirst(lc));
			list_free(mailboxes);
			continue;
		}
		mailboxes = statement->mailboxes;
		if (mailboxes == NIL)
			break;
		statement->mailboxes = NIL;
		foreach(lc, mailboxes)
			mailbox_work(lfirst(lc))->listed = false;
		settle(mailboxes);
	}
}

/* statement_close: one of those that were opened is over */
void
statement_close(StatementKind kind)
{
	Statement  *statement = statement_current();

	if (statement->open[kind] > 0)
		statement->open[kind]--;
	if (statement_is_open(statement) || statement->completing)
		return;

	/*
	 * The row that the outer statement is about to write must not be written
	 * now: PostgreSQL would refuse to write it again.
	 */
	if (statement_is_nested(statement))
	{
		crossing_settle(&statement->crossings);
		return;
	}
	complete_statement(statement);
	statement_drop();
}

/*
 * statement_renamed: we have heard of the mailbox's new key; what waited for
 * that, but for the messages that are still to follow, can be written
 */
void
statement_renamed(Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder *vanished = &work->waiting.vanished;

	if (uidset_builder_is_empty(vanished) && work->waiting.lost == 0 &&
		!work->used && work->landed == 0 && work->left == NIL &&
		uidset_builder_is_empty(&work->unused) &&
		uidset_builder_is_empty(&work->logged))
		return;
	statement_open(STATEMENT_OTHER);
	uidset_builder_add_ranges(&work->owed.vanished, vanished->ranges,
							  vanished->n);
	uidset_builder_free(vanished);
	mailbox_move_lost(&work->waiting, &work->owed);
	departures_move(&work->late, &work->departed);
	statement_list(mailbox);
	statement_close(STATEMENT_OTHER);
}
