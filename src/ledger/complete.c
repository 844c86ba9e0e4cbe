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
has_changes(Mailbox *mailbox)
{
	const Changes *owed = &mailbox_work(mailbox)->owed;

	return !uidset_builder_is_empty(&owed->stamped) ||
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
	return key_compare(store_get(left->message_relid), mailbox_key(left),
					   mailbox_key(right));
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
				 errdetail("A trigger or rule of table %s changed or suppressed what modseq wrote.",
						   store->table[TABLE_MESSAGE].name),
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
				 errdetail("A trigger or rule of table %s changed or suppressed what modseq wrote.",
						   store->table[TABLE_MESSAGE].name),
				 errhint("Let it leave the columns of modseq as they are.")));
	SPI_finish();
	pfree(set);
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
		counter_used(mailbox, value);
	if (value == work->guess && !work->restamp)
	{
		statement_forget_stamped(work);
		return;
	}
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
		counter_used(mailbox, value);
	if ((int64) rows < n || plan_altered)
		check_stamped(store, mailbox, set, value);
	SPI_finish();
	pfree(set);
}

/* Renumbers and stamps the mailbox's messages, remembers its vanished UIDs */
static void
write_changes(Store *store, Mailbox *mailbox)
{
	const Counters *counters = mailbox_counters(mailbox);
	const Changes *owed = &mailbox_work(mailbox)->owed;

	if (counters->locked && !uidset_builder_is_empty(&owed->undeleted))
		renumber_messages(store, mailbox);
	if (counters->locked && !uidset_builder_is_empty(&owed->stamped))
		stamp_messages(store, mailbox);
	if (!uidset_builder_is_empty(&mailbox_work(mailbox)->returning))
		returned_settle(store, mailbox);
	if (counters->locked && unused_is_due(mailbox))
		unused_settle(store, mailbox);
	if (counters->locked && !uidset_builder_is_empty(&owed->vanished))
		vanished_append(store, mailbox);

	/*
	 * The mailbox itself is gone, and nobody can ask for it any more;
	 * triggers of the above may have seen to that.  Or the query that we are
	 * in has renamed it, and the triggers that tell us so are yet to fire.
	 */
	if (!counters->locked)
	{
		counter_check_snapshot(store, mailbox);
		statement_wait(mailbox);
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
			!store->table[TABLE_MAILBOX].altered &&
			(!uidset_builder_is_empty(&work->owed.vanished) ||
			 (!uidset_builder_is_empty(&work->owed.stamped) &&
			  !work->lock_stamped)))
			counter_raise(store, mailbox);
		else
			counter_lock(store, mailbox);
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
		foreach(lc, mailboxes)
		{
			/* Triggers of another's row can have brought more messages */
			if (unused_is_due(lfirst(lc)))
				statement_list(lfirst(lc));
			else
				counter_settle(store_of(lfirst(lc)), lfirst(lc));
		}
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

	if (uidset_builder_is_empty(vanished) && !work->used &&
		work->landed == 0 && uidset_builder_is_empty(&work->unused))
		return;
	statement_open(STATEMENT_OTHER);
	uidset_builder_add_ranges(&work->owed.vanished, vanished->ranges,
							  vanished->n);
	uidset_builder_free(vanished);
	statement_list(mailbox);
	statement_close(STATEMENT_OTHER);
}
