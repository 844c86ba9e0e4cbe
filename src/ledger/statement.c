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
 * triggers once more without those before.  So each kind is counted by itself:
 * such a DELETE does not close an INSERT whose trigger led to it.  PostgreSQL
 * does see to it that after every AFTER ROW trigger there is an AFTER STATEMENT
 * trigger to come (but for a row limit, see trigger/limit.c), so what is
 * collected is completed.  Should it not be (statement triggers were disabled,
 * or a partition was written to that lacks them), then the commit fails: see
 * statement_check_complete().
 *
 * Locks: none are taken here; see complete.c.
 *
 * Memory: a Statement belongs to the nest level that opened it and lives in
 * its own context below TopTransactionContext; it is dropped, with all that
 * was collected, when that subtransaction aborts.  A subtransaction inside a
 * statement (an EXCEPTION block of a trigger) opens Statements of its own.
 * When it commits, what they have collected is the outer statement's: the rows
 * that the outer one is about to write must not be written before.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
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
statement_open(StatementKind kind)
{
	statement_current()->open[kind]++;
}

/* statement_is_open: are triggers still to fire that close it? */
bool
statement_is_open(const Statement *statement)
{
	for (StatementKind kind = 0; kind < STATEMENT_KINDS; kind++)
		if (statement->open[kind] > 0)
			return true;
	return false;
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

/*
 * statement_store_changed: the store is not the one that the statement in
 * progress began with; keys may be of other types now, and triggers others
 */
void
statement_store_changed(const Store *store)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("store %s was changed while a statement was in progress",
					store->table[TABLE_MESSAGE].name),
			 errdetail("What the statement has changed cannot be written any more."),
			 errhint("Change the tables or triggers of a store in a statement of its own.")));
}

/* --- collecting -------------------------------------------------------- */

/* statement_list: the mailbox has something to write when all is done */
void
statement_list(Mailbox *mailbox)
{
	Statement  *statement = statement_current();
	Work	   *work = mailbox_work(mailbox);
	MemoryContext old;

	if (work->listed)
		return;
	work->listed = true;
	old = MemoryContextSwitchTo(statement->context);
	statement->mailboxes = lappend(statement->mailboxes, mailbox);
	MemoryContextSwitchTo(old);
}

static void
add_uid(UidBuilder *set, int64 uid)
{
	uidset_builder_add(set, (uint32) uid, (uint32) uid);
}

static bool
contains_uid(UidBuilder *set, int64 uid)
{
	if (uidset_builder_is_empty(set))
		return false;
	uidset_builder_finish(set);
	return uidset_contains(set->ranges, set->n, (uint32) uid);
}

/* statement_vanish: that UID has left that mailbox */
void
statement_vanish(Mailbox *mailbox, int64 uid)
{
	if (!is_uid(uid))
		return;
	add_uid(&mailbox_work(mailbox)->owed.vanished, uid);
	statement_list(mailbox);
}

/* statement_depart: a message has left its account, as far as it was there */
void
statement_depart(const Store *store, Mailbox *mailbox,
				 const Membership *membership)
{
	departures_add(store, level_memory(), &mailbox_work(mailbox)->departed,
				   membership);
	statement_list(mailbox);
}

/* statement_vanish_set: all UIDs of a set have left the mailbox */
void
statement_vanish_set(Mailbox *mailbox, const UidSet *set)
{
	uidset_builder_add_ranges(&mailbox_work(mailbox)->owed.vanished,
							  uidset_ranges(set), uidset_nranges(set));
	statement_list(mailbox);
}

/*
 * What is to be done to a message.  If its mailbox has another key already,
 * then the message may be still to follow, and would not be found under that
 * key: so it is done again when it does.  It may have followed before, to a key
 * that the mailbox has no more.
 */
static Work *
add_message(Store *store, const Datum *key, int64 uid, bool undeleted)
{
	Mailbox    *mailbox = mailbox_get(store, key);
	Work	   *work = mailbox_work(mailbox);

	if (!is_uid(uid))
		return work;
	add_uid(undeleted ? &work->owed.undeleted : &work->owed.stamped, uid);
	if (!mailbox_has_key(store, mailbox, key))
		add_uid(undeleted ? &work->waiting.undeleted : &work->waiting.stamped,
				uid);
	statement_list(mailbox);
	return work;
}

/*
 * statement_renumber: that message was undeleted, and its UID has vanished; it
 * needs another one
 */
void
statement_renumber(Store *store, const Datum *key, int64 uid)
{
	add_message(store, key, uid, true);
}

/* statement_will_renumber: is that still to be done to the message? */
bool
statement_will_renumber(const Mailbox *mailbox, int64 uid)
{
	for (MailboxLevel *level = mailbox->level; level != NULL;
		 level = level->outer)
	{
		UidBuilder *undeleted = &level->work.owed.undeleted;

		if (uidset_builder_is_empty(undeleted) || !is_uid(uid))
			continue;
		uidset_builder_finish(undeleted);
		if (uidset_contains(undeleted->ranges, undeleted->n, (uint32) uid))
			return true;
	}
	return false;
}

/* statement_stamped: that message has the mod-sequence counter_guess() gave */
void
statement_stamped(Store *store, const Datum *key, int64 uid)
{
	add_message(store, key, uid, false);
}

/* statement_stamp: that message needs the statement's mod-sequence */
void
statement_stamp(Store *store, const Datum *key, int64 uid)
{
	add_message(store, key, uid, false)->restamp = true;
}

/*
 * statement_stamp_set: the same for a set of UIDs, as a flag table has them:
 * some may not be there
 */
void
statement_stamp_set(Store *store, const Datum *key, const UidSet *set)
{
	Mailbox    *mailbox = mailbox_get(store, key);
	Work	   *work = mailbox_work(mailbox);

	uidset_builder_add_ranges(&work->owed.stamped, uidset_ranges(set),
							  uidset_nranges(set));
	if (!mailbox_has_key(store, mailbox, key))
		uidset_builder_add_ranges(&work->waiting.stamped, uidset_ranges(set),
								  uidset_nranges(set));
	work->restamp = true;
	work->lock_stamped = true;
	statement_list(mailbox);
}

/* statement_stamp_below: the same for all UIDs below that, if they are there */
void
statement_stamp_below(Store *store, const Datum *key, int64 uidnext)
{
	Work	   *work = mailbox_work(mailbox_get(store, key));

	if (uidnext == 1)
		return;
	uidset_builder_add(&work->owed.stamped, 1, (uint32) (uidnext - 1));
	work->restamp = true;
	work->lock_stamped = true;
}

/*
 * statement_begin_below: the same, and they begin to be in the mailbox's
 * account
 */
void
statement_begin_below(Store *store, const Datum *key, int64 uidnext)
{
	Mailbox    *mailbox = mailbox_get(store, key);

	if (uidnext == 1)
		return;
	statement_stamp_below(store, key, uidnext);
	uidset_builder_add(&mailbox_work(mailbox)->begun, 1,
					   (uint32) (uidnext - 1));
	statement_list(mailbox);
}

/*
 * statement_stamp_flagged: the same as statement_stamp(), from a flag table
 * that names UIDs
 */
void
statement_stamp_flagged(Store *store, const Datum *key, int64 uid)
{
	Work	   *work = add_message(store, key, uid, false);

	work->restamp = true;
	work->lock_stamped = true;
}

/*
 * statement_stamp_by_key: the same, for the messages with that key.  Did a row
 * of the flag table come to it, or was one there already?
 */
void
statement_stamp_by_key(Store *store, const Datum *message_key, bool came)
{
	Statement  *statement = statement_current();
	MessageKeys *flagged = message_keys_in(statement->context,
										   &statement->flagged,
										   store->message_relid,
										   store->message_key.n,
										   store->flag_key_type);

	message_keys_add(flagged, message_key);
	flagged->came = flagged->came || came;
}

/*
 * statement_arrived: a message with that key, whose flags are shared, has
 * arrived in some mailbox
 *
 * Returns all that have since this was last settled (shared.c).
 */
MessageKeys *
statement_arrived(Store *store, const Datum *message_key)
{
	Statement  *statement = statement_current();
	Oid			types[MODSEQ_MAX_KEYS];
	MessageKeys *arrived;

	column_types(&store->message_key, types);
	arrived = message_keys_in(statement->context, &statement->arrived,
							  store->message_relid, store->message_key.n,
							  types);
	message_keys_add(arrived, message_key);
	return arrived;
}

/*
 * statement_changed: these have the statement's mod-sequence, or may have: in
 * a store that logs changes, clients are to look at them
 */
void
statement_changed(const Store *store, Mailbox *mailbox,
				  const UidRange *ranges, int n)
{
	if (!store->logs)
		return;
	uidset_builder_add_ranges(&mailbox_work(mailbox)->logged, ranges, n);
	statement_list(mailbox);
}

/*
 * statement_all_changed: the same of all that are there, since the vanished
 * rows are gone, and what was logged with them
 */
void
statement_all_changed(const Store *store, Mailbox *mailbox)
{
	static const UidRange all = {UIDSET_MIN_UID, UIDSET_MAX_UID};

	statement_changed(store, mailbox, &all, 1);
}

/* Forgets the messages that need the statement's mod-sequence, or had it */
void
statement_forget_stamped(Work *work)
{
	uidset_builder_free(&work->owed.stamped);
	uidset_builder_free(&work->begun);
	work->lock_stamped = false;
	work->restamp = false;
}

/* --- renamed mailboxes ------------------------------------------------- */

/* statement_wait: there is no such mailbox, unless we hear of its new key */
void
statement_wait(Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);

	mailbox_move_changes(&work->owed, &work->waiting);
	statement_forget_stamped(work);
}

/*
 * statement_follow: a message follows its mailbox to another key
 *
 * What was said of it before it was written must hold after that, though the
 * old key may be taken in between, and other statements completed: no message
 * that arrives later gets its UID.  What waits for it can be done now.
 */
void
statement_follow(Store *store, const Datum *to, int64 uid)
{
	Mailbox    *mailbox = mailbox_get(store, to);

	add_uid(&mailbox_work(mailbox)->followed, uid);
	for (MailboxLevel *level = mailbox->level; level; level = level->outer)
	{
		if (contains_uid(&level->work.waiting.stamped, uid))
			statement_stamp(store, to, uid);
		if (contains_uid(&level->work.waiting.undeleted, uid))
			statement_renumber(store, to, uid);
		if (contains_uid(&level->work.missing, uid))
		{
			add_uid(&mailbox_work(mailbox)->arrivals, uid);
			statement_list(mailbox);
		}
	}
}

bool
statement_has_followed(Mailbox *mailbox, int64 uid)
{
	for (MailboxLevel *level = mailbox->level; level; level = level->outer)
		if (contains_uid(&level->work.followed, uid))
			return true;
	return false;
}

/* --- statements within statements -------------------------------------- */

/*
 * statement_is_nested: is a statement of an outer nest level in progress?
 *
 * Then it contains what is done here, and completes it: see complete.c.
 */
bool
statement_is_nested(const Statement *statement)
{
	for (const Statement *outer = statement->outer; outer != NULL;
		 outer = outer->outer)
		if (statement_is_open(outer) || outer->completing)
			return true;
	return false;
}

/* statement_is_contained: can the one in progress be part of another? */
bool
statement_is_contained(void)
{
	const Statement *statement = statement_current();
	int			open = 0;

	for (StatementKind kind = 0; kind < STATEMENT_KINDS; kind++)
		open += statement->open[kind];
	return open > 1 || statement_is_nested(statement);
}

/* statement_updates: is an UPDATE in progress, at any level? */
bool
statement_updates(void)
{
	const Statement *statement = current;

	while (statement != NULL && statement->open[STATEMENT_UPDATE] == 0)
		statement = statement->outer;
	return statement != NULL;
}

/* Is the mailbox in the list of the statement of the level outside of that? */
static bool
is_listed_outside(const Mailbox *mailbox, int level)
{
	const MailboxLevel *inner = mailbox->level;
	const MailboxLevel *outer = inner->level == level ? inner->outer : inner;

	return outer != NULL && outer->level == level - 1 && outer->work.listed;
}

/*
 * The nest level of the current statement commits: what the statement has
 * changed is the next outer level's, as its mailboxes' Work is (mailbox.c).
 */
static void
hand_outward(void)
{
	Statement  *inner = current;
	Statement  *outer = inner->outer;
	MemoryContext old;
	ListCell   *lc;

	if (outer->level < inner->level - 1)
	{
		inner->level--;
		return;
	}
	old = MemoryContextSwitchTo(outer->context);
	foreach(lc, inner->mailboxes)
	{
		if (!is_listed_outside(lfirst(lc), inner->level))
			outer->mailboxes = lappend(outer->mailboxes, lfirst(lc));
	}
	MemoryContextSwitchTo(old);
	message_keys_hand(inner->flagged, outer->context, &outer->flagged);
	message_keys_hand(inner->arrived, outer->context, &outer->arrived);
	statement_drop();
}

/* --- ends of transactions ---------------------------------------------- */

/*
 * statement_check_complete: the (sub)transaction of that nest level wants to
 * commit; is everything written, or to be written by an outer level?
 */
void
statement_check_complete(int level)
{
	if (current == NULL || current->level < level ||
		(!statement_is_open(current) && statement_is_nested(current)))
		return;
	if (current->mailboxes != NIL || current->flagged != NIL ||
		current->arrived != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("modseq could not complete a statement"),
				 errdetail("Rows of a store changed, but the AFTER STATEMENT trigger that completes the change did not fire."),
				 errhint("Call modseq.attach() again, which creates the triggers that a table or partition lacks; ENABLE those that are disabled.")));
}

void
statement_subtransaction_end(int level, bool commit)
{
	if (current == NULL || current->level < level)
		return;

	/* A committing one that is complete may have left an empty Statement */
	if (commit && (current->mailboxes != NIL || current->flagged != NIL ||
				   current->arrived != NIL))
		hand_outward();
	else
		statement_drop();
}

/* The contexts are gone with TopTransactionContext */
void
statement_transaction_end(void)
{
	current = NULL;
}
