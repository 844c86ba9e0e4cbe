/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  What one SQL statement changed.
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
 * Locks: none are taken here; see complete.c.
 *
 * Memory: a Statement belongs to the nest level that opened it and lives in
 * its own context below TopTransactionContext; it is dropped, with all that
 * was collected, when that subtransaction aborts.  A subtransaction inside a
 * statement (an EXCEPTION block of a trigger) opens Statements of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
#include "utils/array.h"
#include "utils/memutils.h"

static Statement *current = NULL;

/* The statement of the current nest level; a new one if there is none */
Statement *
statement_current(void)
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

void
statement_drop(void)
{
	Statement  *statement = current;

	current = statement->outer;
	MemoryContextDelete(statement->context);
}

void
statement_open(void)
{
	statement_current()->open++;
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
	return &statement_current()->crossings;
}

/* --- collecting -------------------------------------------------------------- */

/* statement_list: the mailbox has something to write when all is done */
void
statement_list(Mailbox *mailbox)
{
	Statement  *statement = statement_current();
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

/* statement_vanish_set: the same for all UIDs of a set */
void
statement_vanish_set(Store *store, const Datum *key, const UidSet *set)
{
	Mailbox    *mailbox = known_mailbox(store, key);

	statement_list(mailbox);
	uidset_builder_add_ranges(&mailbox->state->vanished, uidset_ranges(set),
							  uidset_nranges(set));
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

/* statement_stamp_set: the same for all UIDs of a set */
void
statement_stamp_set(Store *store, const Datum *key, const UidSet *set)
{
	Mailbox    *mailbox = known_mailbox(store, key);

	statement_list(mailbox);
	uidset_builder_add_ranges(&mailbox->state->stamped, uidset_ranges(set),
							  uidset_nranges(set));
	mailbox->state->restamp = true;
}

/* statement_stamp_flagged: the same, from a flag table that names UIDs */
void
statement_stamp_flagged(Store *store, const Datum *key, int64 uid)
{
	statement_stamp(store, key, uid);
	known_mailbox(store, key)->state->lock_stamped = true;
}

/*
 * The message with that key has other flags now.
 *
 * Returns the list, which is NIL at first, with it, in CurrentMemoryContext.
 */
static List *
flagged_add(List *list, Store *store, Datum message_key)
{
	FlaggedKeys *flagged = NULL;
	ListCell   *lc;

	foreach(lc, list)
	{
		flagged = lfirst(lc);
		if (flagged->message_relid == store->message_relid)
			break;
		flagged = NULL;
	}
	if (flagged == NULL)
	{
		flagged = palloc(sizeof(FlaggedKeys));
		flagged->message_relid = store->message_relid;
		flagged->keys = initArrayResult(store->flag_key_type,
										CurrentMemoryContext, false);
		list = lappend(list, flagged);
	}
	accumArrayResult(flagged->keys, message_key, false, store->flag_key_type,
					 CurrentMemoryContext);
	return list;
}

/* statement_stamp_by_key: the same, for the messages with that key */
void
statement_stamp_by_key(Store *store, Datum message_key)
{
	Statement  *statement = statement_current();
	MemoryContext old = MemoryContextSwitchTo(statement->context);

	statement->flagged = flagged_add(statement->flagged, store, message_key);
	MemoryContextSwitchTo(old);
}

/* Forgets the messages that need the statement's mod-sequence, or had it */
void
statement_forget_stamped(MailboxState *state)
{
	uidset_builder_free(&state->stamped);
	state->lock_stamped = false;
	state->restamp = false;
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

/* statement_forget: another mailbox has the key of one that was not found */
void
statement_forget(Mailbox *mailbox)
{
	MailboxState *state = mailbox->state;

	if (!state->orphaned)
		return;
	state->orphaned = false;
	statement_forget_stamped(state);
	uidset_builder_free(&state->vanished);
	uidset_builder_free(&state->undeleted);
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
		statement_drop();
}

/* The contexts are gone with TopTransactionContext */
void
statement_transaction_end(void)
{
	current = NULL;
}
