/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  What one SQL statement changed, and its completion.
 *
 * BEFORE STATEMENT triggers open a statement and AFTER STATEMENT triggers
 * close it; in between, row triggers collect what has to be written for all
 * rows at once: messages that need the mod-sequence, or another UID, and UIDs
 * that vanished.  When all that was opened is closed, the statement is
 * completed: mailboxes are locked in ascending order, messages renumbered and
 * stamped, UIDs remembered, and the counters written.
 *
 * Opening and closing are counted, not matched.  The AFTER triggers of a
 * foreign key's cascade are queued on the query that caused it, so they come
 * in any order; ON CONFLICT and MERGE open two or three kinds of statement at
 * once; and a cascade that comes back to a table fires its AFTER STATEMENT
 * triggers once more without those before.  PostgreSQL does see to it that
 * after every AFTER ROW trigger there is an AFTER STATEMENT trigger to come,
 * so what is collected is completed.  Should it not be (statement triggers
 * were disabled, or a partition was written to that lacks them), then the
 * commit fails: see statement_check_complete().
 *
 * Locks: completion takes mailbox locks, ascending by store and key.  Message
 * rows come after them, except for those that the statement itself has locked
 * by writing them before any mailbox was locked.  For a flag table this is
 * kept up on purpose (flagged.c): whoever works without modseq.lock() locks
 * message rows first and mailboxes last, and whoever calls it does the
 * opposite, so that neither kind deadlocks among its own for our sake.  (What
 * is left is in README.md: cascades, upserts, moves, and scans in other
 * orders.)
 *
 * Memory: a Statement belongs to the nest level that opened it and lives in
 * its own context below TopTransactionContext; it is dropped, with all that
 * was collected, when that subtransaction aborts.  A subtransaction inside a
 * statement (an EXCEPTION block of a trigger) opens Statements of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "access/xact.h"
#include "utils/memutils.h"

typedef struct Statement
{
	int			level;			/* the nest level that it belongs to */
	int			open;			/* how many are open */
	bool		completing;
	MemoryContext context;
	List	   *mailboxes;		/* Mailboxes with something to write */
	List	   *flagged;		/* messages whose flag rows changed: flagged.c */
	Crossings	crossings;
	struct Statement *outer;	/* of an outer nest level */
} Statement;

static Statement *current = NULL;

/* The statement of the current nest level; a new one if there is none */
static Statement *
current_statement(void)
{
	int			level = GetCurrentTransactionNestLevel();
	MemoryContext context;
	Statement  *statement;

	if (current != NULL && current->level == level)
		return current;
	Assert(current == NULL || current->level < level);
	context = AllocSetContextCreate(TopTransactionContext, "modseq statement",
									ALLOCSET_SMALL_SIZES);
	statement = MemoryContextAllocZero(context, sizeof(Statement));
	statement->level = level;
	statement->context = context;
	statement->crossings.context = context;
	statement->outer = current;
	current = statement;
	return statement;
}

static void
drop_statement(void)
{
	Statement  *statement = current;

	current = statement->outer;
	MemoryContextDelete(statement->context);
}

void
statement_open(void)
{
	current_statement()->open++;
}

/* Is it a statement of our own that fires the triggers now? */
bool
statement_is_completing(void)
{
	return current != NULL && current->completing;
}

/* statement_crossings: the rows that cross partitions in the current level */
Crossings *
statement_crossings(void)
{
	return &current_statement()->crossings;
}

/* --- collecting -------------------------------------------------------------- */

/* statement_list: the mailbox has something to write when all is done */
void
statement_list(Mailbox *mailbox)
{
	Statement  *statement = current_statement();
	MemoryContext old;

	mailbox->state->orphaned = false;
	if (mailbox->state->listed)
		return;
	mailbox->state->listed = true;
	old = MemoryContextSwitchTo(statement->context);
	statement->mailboxes = lappend(statement->mailboxes, mailbox);
	MemoryContextSwitchTo(old);
}

/* The mailbox of a message that something is noted of; NULL: it has no UID */
static MailboxState *
list_message(Store *store, const Datum *key, int64 uid)
{
	Mailbox    *mailbox;

	if (!is_uid(uid))
		return NULL;
	mailbox = known_mailbox(store, key);
	statement_list(mailbox);
	return mailbox->state;
}

/* statement_vanish: that UID has left that mailbox */
void
statement_vanish(Store *store, const Datum *key, int64 uid)
{
	MailboxState *state = list_message(store, key, uid);

	if (state != NULL)
		uidset_builder_add(&state->vanished, (uint32) uid, (uint32) uid);
}

/*
 * statement_renumber: that message was undeleted, and its UID has vanished; it
 * needs another one
 */
void
statement_renumber(Store *store, const Datum *key, int64 uid)
{
	MailboxState *state = list_message(store, key, uid);

	if (state != NULL)
		uidset_builder_add(&state->undeleted, (uint32) uid, (uint32) uid);
}

/* statement_stamped: that message has the mod-sequence counter_guess() gave */
void
statement_stamped(Store *store, const Datum *key, int64 uid)
{
	MailboxState *state = list_message(store, key, uid);

	if (state != NULL)
		uidset_builder_add(&state->stamped, (uint32) uid, (uint32) uid);
}

/* statement_stamp: that message needs the statement's mod-sequence */
void
statement_stamp(Store *store, const Datum *key, int64 uid)
{
	statement_stamped(store, key, uid);
	known_mailbox(store, key)->state->restamp = true;
}

/* statement_stamp_flagged: the same, from a flag table that names UIDs */
void
statement_stamp_flagged(Store *store, const Datum *key, int64 uid)
{
	statement_stamp(store, key, uid);
	known_mailbox(store, key)->state->lock_stamped = true;
}

/* statement_stamp_by_key: the same, for the messages with that key */
void
statement_stamp_by_key(Store *store, Datum message_key)
{
	Statement  *statement = current_statement();
	MemoryContext old = MemoryContextSwitchTo(statement->context);

	statement->flagged = flagged_add(statement->flagged, store, message_key);
	MemoryContextSwitchTo(old);
}

/* --- completion ---------------------------------------------------- */

/* Forgets the messages that need the statement's mod-sequence, or had it */
static void
forget_stamped(MailboxState *state)
{
	uidset_builder_free(&state->stamped);
	state->lock_stamped = false;
	state->restamp = false;
}

static bool
has_pending(const MailboxState *state)
{
	if (state->orphaned)
		return false;
	return !uidset_builder_is_empty(&state->stamped) ||
		!uidset_builder_is_empty(&state->vanished) ||
		!uidset_builder_is_empty(&state->undeleted);
}

/* For list_sort(): the order of locking */
static int
compare_mailboxes(const ListCell *a, const ListCell *b)
{
	const Mailbox *left = lfirst(a);
	const Mailbox *right = lfirst(b);

	if (left->message_relid != right->message_relid)
		return left->message_relid < right->message_relid ? -1 : 1;
	return key_compare(store_get(left->message_relid), left->key, right->key);
}

static void
hand_over(UidBuilder *from, UidBuilder *to)
{
	uidset_builder_add_ranges(to, from->ranges, from->n);
	uidset_builder_free(from);
}

/*
 * What was collected under the old key of a mailbox that this very statement
 * has renamed is the new key's.
 */
static void
follow_rename(Mailbox *from)
{
	Mailbox    *to;

	if (!has_pending(from->state))
		return;
	to = rename_target(store_get(from->message_relid), from);
	if (to == NULL)
		return;
	hand_over(&from->state->stamped, &to->state->stamped);
	hand_over(&from->state->vanished, &to->state->vanished);
	hand_over(&from->state->undeleted, &to->state->undeleted);
	to->state->restamp = true;
	statement_list(to);
}

/* Mailboxes that have messages to stamp or UIDs to remember, ascending */
static List *
pending_mailboxes(Statement *statement)
{
	List	   *flagged = statement->flagged;
	List	   *pending = NIL;
	ListCell   *lc;

	statement->flagged = NIL;
	flagged_find(flagged);
	foreach(lc, statement->mailboxes)
		follow_rename(lfirst(lc));
	foreach(lc, statement->mailboxes)
		if (has_pending(((Mailbox *) lfirst(lc))->state))
			pending = lappend(pending, lfirst(lc));
	list_sort(pending, compare_mailboxes);
	return pending;
}

/*
 * statement_follow: a message follows its mailbox to another key
 *
 * If its mailbox was not found when the message was to be written, it is now.
 */
void
statement_follow(Store *store, Mailbox *from, const Datum *to, int64 uid)
{
	MailboxState *state = from->state;

	if (!state->orphaned)
		return;
	uidset_builder_finish(&state->stamped);
	uidset_builder_finish(&state->undeleted);
	if (uidset_contains(state->stamped.ranges, state->stamped.n, (uint32) uid))
		statement_stamp(store, to, uid);
	if (uidset_contains(state->undeleted.ranges, state->undeleted.n,
						(uint32) uid))
		statement_renumber(store, to, uid);
}

/* statement_renamed: the same for what has vanished from that mailbox */
void
statement_renamed(Mailbox *from, Mailbox *to)
{
	UidBuilder *vanished = &from->state->vanished;

	if (!from->state->orphaned || uidset_builder_is_empty(vanished))
		return;
	statement_open();
	hand_over(vanished, &to->state->vanished);
	statement_list(to);
	statement_close();
}

/* statement_forget: another mailbox has the key of one that was not found */
void
statement_forget(Mailbox *mailbox)
{
	MailboxState *state = mailbox->state;

	if (!state->orphaned)
		return;
	state->orphaned = false;
	forget_stamped(state);
	uidset_builder_free(&state->vanished);
	uidset_builder_free(&state->undeleted);
}

/*
 * Fewer messages were stamped than should be.  Those that are gone, or have
 * the value already, need nothing; that a trigger or rule kept us from one is
 * an error, since clients would never hear of its change.
 */
static void
check_stamped(Store *store, Mailbox *mailbox, const UidSet *set, int64 value)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, mailbox->key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(value);
	params[store->nkeys + 1] = PointerGetDatum(set);
	if (plan_execute(store, PLAN_UNSTAMPED_MESSAGES, params, PLAN_AS_OWNER) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("messages of mailbox %s could not be stamped",
						key_text(store, mailbox->key)),
				 errdetail("A trigger or rule of table %s suppressed the update.",
						   store->message),
				 errhint("A trigger must not keep modseq from its columns.")));
}

/*
 * Gives another UID, and the statement's mod-sequence, to the messages in
 * state->undeleted: without a UID, they arrive.  A message that was deleted
 * again needs none; one that a trigger or rule kept from us would be live
 * under a UID that has vanished.
 */
static void
renumber_messages(Store *store, Mailbox *mailbox)
{
	UidSet	   *set = uidset_from_builder(&mailbox->state->undeleted);
	Datum		params[MODSEQ_MAX_PARAMS];

	uidset_builder_free(&mailbox->state->undeleted);
	memcpy(params, mailbox->key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = PointerGetDatum(set);
	SPI_connect();
	mailbox->state->renumbering = set;
	plan_execute(store, PLAN_RENUMBER_MESSAGES, params, PLAN_AS_OWNER);
	mailbox->state->renumbering = NULL;
	if (plan_execute(store, PLAN_LIVE_MESSAGES, params, PLAN_AS_OWNER) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("messages of mailbox %s could not be renumbered",
						key_text(store, mailbox->key)),
				 errdetail("A trigger or rule of table %s suppressed the update.",
						   store->message),
				 errhint("A trigger must not keep modseq from its columns.")));
	SPI_finish();
	pfree(set);
}

/*
 * Gives the statement's mod-sequence to the messages in state->stamped
 *
 * It is used whether or not a row is written: what was guessed right is there
 * already, by this statement or by one that it is nested in.  Only of messages
 * that a flag table names by UID it is not known that they exist.
 */
static void
stamp_messages(Store *store, Mailbox *mailbox)
{
	MailboxState *state = mailbox->state;
	int64		value = counter_modseq(store, mailbox);
	UidSet	   *set;
	int64		n;
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;

	if (!state->lock_stamped || value == state->guess)
		counter_used(mailbox, value);
	if (value == state->guess && !state->restamp)
	{
		forget_stamped(state);
		return;
	}
	set = uidset_from_builder(&state->stamped);
	n = uidset_cardinality(uidset_ranges(set), uidset_nranges(set));

	/* Before the triggers of the update can add to it */
	forget_stamped(state);
	memcpy(params, mailbox->key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(value);
	params[store->nkeys + 1] = n == 1 ?
		Int64GetDatum(uidset_ranges(set)->lo) : PointerGetDatum(set);
	SPI_connect();
	rows = plan_execute(store, n == 1 ? PLAN_STAMP_MESSAGE : PLAN_STAMP_MESSAGES,
						params, PLAN_AS_OWNER);
	if (rows > 0)
		counter_used(mailbox, value);
	if ((int64) rows < n)
		check_stamped(store, mailbox, set, value);
	SPI_finish();
	pfree(set);
}

/* Renumbers and stamps the mailbox's messages, remembers its vanished UIDs */
static void
write_pending(Store *store, Mailbox *mailbox)
{
	MailboxState *state = mailbox->state;

	if (state->locked && !uidset_builder_is_empty(&state->undeleted))
		renumber_messages(store, mailbox);
	if (state->locked && !uidset_builder_is_empty(&state->stamped))
		stamp_messages(store, mailbox);
	if (state->locked && !uidset_builder_is_empty(&state->vanished))
		vanished_append(store, mailbox);

	/*
	 * The mailbox itself is gone, and nobody can ask for it any more; triggers
	 * of the above may have seen to that.  Or the query that we are in has
	 * renamed it, and the triggers that tell us so are yet to fire.  If they
	 * have, then follow_rename() comes next.
	 */
	if (!state->locked && rename_target(store, mailbox) == NULL)
		state->orphaned = true;
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
		MailboxState *state = mailbox->state;
		Store	   *store = store_get(mailbox->message_relid);

		if (list_length(mailboxes) == 1 && !store->mailbox_has_rules &&
			(!uidset_builder_is_empty(&state->vanished) ||
			 (!uidset_builder_is_empty(&state->stamped) &&
			  !state->lock_stamped)))
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
complete(Statement *statement)
{
	statement->completing = true;
	for (;;)
	{
		List	   *mailboxes;
		ListCell   *lc;

		crossing_settle(&statement->crossings);
		mailboxes = pending_mailboxes(statement);
		if (mailboxes != NIL)
		{
			flagged_lock(mailboxes);
			lock_mailboxes(mailboxes);
			foreach(lc, mailboxes)
			{
				Mailbox    *mailbox = lfirst(lc);

				write_pending(store_get(mailbox->message_relid), mailbox);
			}
			list_free(mailboxes);
			continue;
		}
		mailboxes = statement->mailboxes;
		if (mailboxes == NIL)
			break;
		statement->mailboxes = NIL;
		foreach(lc, mailboxes)
			((Mailbox *) lfirst(lc))->state->listed = false;
		foreach(lc, mailboxes)
		{
			Mailbox    *mailbox = lfirst(lc);

			counter_settle(store_get(mailbox->message_relid), mailbox);
		}
	}
}

/* statement_close: one of those that were opened is over */
void
statement_close(void)
{
	Statement  *statement = current_statement();

	if (statement->open > 0)
		statement->open--;
	if (statement->open > 0 || statement->completing)
		return;
	complete(statement);
	drop_statement();
}

/* --- ends of transactions ------------------------------------------------------ */

/*
 * statement_check_complete: the (sub)transaction of that nest level wants to
 * commit; is everything written?
 */
void
statement_check_complete(int level)
{
	if (current == NULL || current->level < level)
		return;
	if (current->mailboxes != NIL || current->flagged != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("modseq could not complete a statement"),
				 errdetail("Rows of a store changed, but the AFTER STATEMENT trigger that completes the change did not fire."),
				 errhint("Call modseq.attach() again, which creates the triggers that a table or partition lacks; ENABLE those that are disabled.")));
}

void
statement_subtransaction_end(int level)
{
	/* A committing one is complete; it may have left an empty Statement */
	while (current != NULL && current->level >= level)
		drop_statement();
}

/* The contexts are gone with TopTransactionContext */
void
statement_transaction_end(void)
{
	current = NULL;
}
