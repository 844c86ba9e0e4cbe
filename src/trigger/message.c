/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Triggers of message tables: before the row is written.
 *
 * On a message table, in the order of firing:
 *
 *	modseq_trigger_open		BEFORE STATEMENT	opens a statement
 *	modseq_trigger_assign	BEFORE ROW			assigns UID and mod-sequence
 *	modseq_trigger_collect	AFTER ROW			sees what became of the row
 *	modseq_trigger_flush	AFTER STATEMENT		completes the statement
 *
 * The first and last are in open.c; they stand on the flag table as well, with
 * the one of flag.c between them.  collect is in collect.c.  PostgreSQL gives
 * the row triggers of a partitioned table to its partitions; clone.c does so
 * with the others, for the table that a statement names is the one whose
 * triggers fire.  A row that an UPDATE takes to another partition is in
 * crossing.c, TRUNCATE in truncate.c.
 *
 * Locks: an arriving message (INSERT, or a move's target) needs its number
 * before it is written, so assign takes the mailbox lock then and there; an
 * inserted row is nobody else's yet.  A flag change must not do that: the
 * message row is locked already when BEFORE ROW triggers fire, and mailboxes
 * locked after messages, beside writers that lock them first, deadlock.  So
 * assign stamps a changed message with the statement's number only if the
 * mailbox lock is held already; else with the number that it will be unless
 * somebody else takes that first.  collect notes the message, and completion,
 * under the lock, stamps it if the guess was wrong.  Departures are noted in
 * collect only: until then another trigger can keep the row.
 *
 * A message whose soft-delete column says so is expunged.  Nothing that
 * becomes of it concerns a client, until it is undeleted: then it arrives, and
 * as its row is locked before the mailbox, so it is with any move.  Generated
 * columns have their new values in collect only; see assign_update.
 *
 * Memory: Datums and tuples in the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "catalog/pg_type.h"

PG_FUNCTION_INFO_V1(modseq_trigger_assign);

/*
 * Will it be expunged?  Asked before the row is written, when a generated
 * column is not yet.
 */
static bool
will_be_expunged(const RowChange *change)
{
	return change->shape->expunged_generated ? trigger_was_expunged(change) :
		trigger_is_expunged(change);
}

/*
 * Replaces the columns that are ours in the new row; a UID of 0 is left as it
 * is, and a created_modseq of 0 is NULL.
 */
static HeapTuple
set_numbers(const RowChange *change, int64 modseq, int64 uid,
			int64 created_modseq)
{
	const RowShape *shape = change->shape;
	int			columns[3];
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	int			n = 0;

	columns[n] = shape->modseq;
	values[n++] = Int64GetDatum(modseq);
	if (uid != 0)
	{
		columns[n] = shape->uid;
		values[n++] = row_make_int64(uid, shape->uid_type);
	}
	if (shape->created_modseq != InvalidAttrNumber)
	{
		columns[n] = shape->created_modseq;
		nulls[n] = created_modseq == 0;
		values[n++] = Int64GetDatum(created_modseq);
	}
	return row_replace(change->new, change->desc, n, columns, values, nulls);
}

/*
 * A message arrives in a mailbox: it gets the next UID, or keeps the one that
 * it came with if that is none that was used, and a new mod-sequence (RFC 7162
 * section 3.1: "higher than the highest modification sequence of all messages
 * in the mailbox").  One that comes back in the transaction that took it out
 * has not arrived anew.  Takes the mailbox lock.
 */
static HeapTuple
arrive(const RowChange *change, const Datum *key, bool uid_given,
	   int64 uid)
{
	Store	   *store = change->store;
	Mailbox    *mailbox = mailbox_lock(store, key);
	UidVerdict	verdict = UID_ACCEPTED;
	int64		modseq;
	int64		created = 0;

	if (mailbox == NULL)
		counter_no_mailbox(store, key);
	counter_enter(store, mailbox);
	if (uid_given)
		verdict = uid_accept(store, mailbox, uid, change->old == NULL,
							 change->shape->expunged_generated ||
							 trigger_is_expunged(change));
	else
		uid = uid_assign(store, mailbox);
	if (verdict == UID_TAKEN)
	{
		/* It is there; collect does not let another one with its UID in */
		return set_numbers(change, MODSEQ_UNUSED, 0, MODSEQ_UNUSED);
	}
	modseq = counter_modseq(store, mailbox);
	if (verdict == UID_RETURNS && !store->has_accounts)
		created = trigger_created(change, change->new);
	if (created < 1 || created > modseq)
		created = modseq;
	if (change->shape->uid_type == INT4OID && uid > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UID " INT64_FORMAT
						" is out of range for column %s of table %s",
						uid, store->uid.quoted,
						store->table[TABLE_MESSAGE].name),
				 errhint("Change the type of the column to bigint.")));
	if (change->may_cross)
		crossing_note(change->rel, change->old, mailbox, uid, true);
	return set_numbers(change, modseq, uid, created);
}

/*
 * A message that stays where it is.  Its mod-sequence is ours: it changes to
 * the statement's value, or to what we guess that it will be, if a flag
 * changed, or if it is we who stamp it, and to nothing else, whatever the
 * application wrote.  Of one that is expunged now no client hears.  To JMAP a
 * message that follows its mailbox to another key is in another mailbox.
 */
static HeapTuple
assign_stay(const RowChange *change, const Datum *key, bool follows)
{
	const RowShape *shape = change->shape;
	int64		old = trigger_modseq(change, change->old);
	int64		new = trigger_modseq(change, change->new);
	int64		created = trigger_created(change, change->old);
	int64		created_new = trigger_created(change, change->new);
	int64		modseq = old;
	bool		begins = email_begins(change, key, follows);
	bool		changes = begins || (follows && change->store->has_accounts);

	if (change->may_cross)
		crossing_note(change->rel, change->old,
					  mailbox_get(change->store, key),
					  trigger_uid(change, change->new), false);
	if (!will_be_expunged(change) &&
		(changes || row_flags_differ(shape, change->old, change->new,
									 change->desc, true)))
	{
		Mailbox    *mailbox = mailbox_get(change->store, key);

		if (counter_is_locked(mailbox))
			modseq = counter_modseq(change->store, mailbox);
		else
			modseq = Max(old, counter_guess(change->store, mailbox));
		if (begins)
			created = modseq;
	}
	else if ((new != old || created_new != created) &&
			 statement_is_completing())
	{
		Mailbox    *mailbox = mailbox_get(change->store, key);
		int64		value = mailbox_work(mailbox)->value;

		/* Our own statement */
		if (new == value)
			modseq = new;
		if (created_new == value && change->store->has_accounts)
			created = created_new;
	}
	if (modseq == new && created_new == created)
		return change->new;
	return set_numbers(change, modseq, 0, created);
}

/*
 * A message that is still in its mailbox, under its UID, stays; also if the
 * mailbox was renamed, and the message follows.  Any other arrives, and so does
 * one that is undeleted: its UID has vanished.  (Where only collect can see the
 * undelete, it stays, and completion gives it another UID.)  So do all that
 * come with a partition.
 */
static HeapTuple
assign_update(const RowChange *change)
{
	Datum		keys[2][MODSEQ_MAX_KEYS];
	Datum	   *from = keys[0];
	Datum	   *to = keys[1];
	int64		old_uid = trigger_uid(change, change->old);
	int64		new_uid = 0;
	bool		given = row_get_int64(change->new, change->desc,
									  change->shape->uid,
									  change->shape->uid_type, &new_uid);

	if (!row_get_key(change->shape, change->old, change->desc, from))
		from = NULL;
	if (!row_get_key(change->shape, change->new, change->desc, to))
		trigger_no_mailbox(change);
	if (crossing_is_arriving(change->rel, change->old))
		return arrive(change, to, false, 0);
	if (from != NULL && old_uid == new_uid && is_uid(new_uid) &&
		!(trigger_was_expunged(change) && !will_be_expunged(change)))
	{
		if (key_equal(change->store, from, to))
			return assign_stay(change, to, false);

		/* If the query has renamed the mailbox, then the lock finds that out */
		if (mailbox_follows(change->store, from, to) ||
			(mailbox_lock(change->store, to) != NULL &&
			 mailbox_follows(change->store, from, to)))
		{
			statement_follow(change->store, to, new_uid);
			return assign_stay(change, to, true);
		}
	}

	/* The UID that it has was the source's; the target gives another */
	return arrive(change, to, given && new_uid != old_uid, new_uid);
}

/*
 * A message that comes from outside arrives.  One that left another partition
 * by this UPDATE has its numbers already, and is what it was there.
 */
static HeapTuple
assign_insert(RowChange *change)
{
	Datum		key[MODSEQ_MAX_KEYS];
	int64		uid;
	bool		given;

	if (!row_get_key(change->shape, change->new, change->desc, key))
		trigger_no_mailbox(change);
	given = row_get_int64(change->new, change->desc, change->shape->uid,
						  change->shape->uid_type, &uid);
	if (given && change->rel->rd_rel->relispartition)
	{
		Mailbox    *mailbox = mailbox_get(change->store, key);
		bool		arrived;
		HeapTuple	old = crossing_continues(change->rel, mailbox, uid,
											 &arrived);

		if (old != NULL && arrived)
		{
			int64		modseq;

			/* Another trigger may have deleted the mailbox in between */
			if (!counter_lock_existing(change->store, mailbox))
				counter_no_mailbox(change->store, key);
			modseq = counter_modseq(change->store, mailbox);
			return set_numbers(change, modseq, uid, modseq);
		}
		if (old != NULL)
		{
			change->old = old;
			return assign_stay(change, key, false);
		}
	}
	return arrive(change, key, given, given ? uid : 0);
}

/*
 * modseq.trigger_assign(<configuration>): BEFORE INSERT OR UPDATE ROW
 *
 * Its arguments are the store's configuration, see build.c.  Takes the lock
 * of the mailbox that a message arrives in.  Errors: 23502 and 23503 for no or
 * an unknown mailbox, 22023 for a UID below UIDNEXT, 22003 for what is no UID,
 * or when UIDs or mod-sequences are used up, 55000 if the configuration is out
 * of date.
 */
Datum
modseq_trigger_assign(PG_FUNCTION_ARGS)
{
	RowChange	change = {0};
	TriggerData *data = trigger_row_data(fcinfo, TRIGGER_ASSIGN, &change);

	change.shape = shape_get(data->tg_relation, TABLE_MESSAGE,
							 data->tg_trigger);
	change.store = change.shape->store;
	if (change.old == NULL)
		return PointerGetDatum(assign_insert(&change));
	return PointerGetDatum(assign_update(&change));
}
