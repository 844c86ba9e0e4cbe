/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Triggers of message tables.
 *
 * On a message table, in the order of firing:
 *
 *	modseq_trigger_open		BEFORE STATEMENT	opens a statement
 *	modseq_trigger_assign	BEFORE ROW			assigns UID and mod-sequence
 *	modseq_trigger_collect	AFTER ROW			sees what became of the row
 *	modseq_trigger_flush	AFTER STATEMENT		completes the statement
 *
 * The first and last are in open.c; they stand on the flag table as well, with
 * the one of flag.c between them.  PostgreSQL gives the row triggers
 * of a partitioned table to its partitions; clone.c does so with the
 * others, for the table that a statement names is the one whose triggers fire.
 * A row that an UPDATE takes to another partition is in crossing.c, TRUNCATE
 * in truncate.c.
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

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_trigger_assign);
PG_FUNCTION_INFO_V1(modseq_trigger_collect);

static void
no_mailbox_given(const RowChange *change)
{
	int			i = 0;

	while (i < change->store->nkeys - 1 &&
		   !heap_attisnull(change->new, change->shape->key[i].attnum,
						   change->desc))
		i++;
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("message in table %s has no mailbox",
					change->store->table[TABLE_MESSAGE].name),
			 errdetail("Column %s is null.",
					   change->store->table[TABLE_MESSAGE].key[i].quoted),
			 errhint("Every message of a store is in a mailbox.")));
}

/* A mod-sequence of a message; 0 stands for NULL, and for no such column */
static int64
get_modseq(HeapTuple tuple, TupleDesc desc, AttrNumber attnum)
{
	int64		value = 0;

	if (attnum != InvalidAttrNumber)
		row_get_int64(tuple, desc, attnum, INT8OID, &value);
	return value;
}

static bool
was_expunged(const RowChange *change)
{
	return row_is_expunged(change->shape, change->old, change->desc);
}

static bool
is_expunged(const RowChange *change)
{
	return row_is_expunged(change->shape, change->new, change->desc);
}

/* The same before the row is written, when a generated column is not yet */
static bool
will_be_expunged(const RowChange *change)
{
	return change->shape->expunged_generated ? was_expunged(change) :
		is_expunged(change);
}

/* --- messages: before the row is written ------------------------------- */

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
							 is_expunged(change));
	else
		uid = uid_assign(store, mailbox);
	if (verdict == UID_TAKEN)
	{
		/* It is there; collect does not let another one with its UID in */
		return set_numbers(change, MODSEQ_UNUSED, 0, MODSEQ_UNUSED);
	}
	modseq = counter_modseq(store, mailbox);
	if (verdict == UID_RETURNS && !store->has_accounts)
		created = get_modseq(change->new, change->desc,
							 change->shape->created_modseq);
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
	int64		old = get_modseq(change->old, change->desc, shape->modseq);
	int64		new = get_modseq(change->new, change->desc, shape->modseq);
	int64		created = get_modseq(change->old, change->desc,
									 shape->created_modseq);
	int64		created_new = get_modseq(change->new, change->desc,
										 shape->created_modseq);
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
		no_mailbox_given(change);
	if (crossing_is_arriving(change->rel, change->old))
		return arrive(change, to, false, 0);
	if (from != NULL && old_uid == new_uid && is_uid(new_uid) &&
		!(was_expunged(change) && !will_be_expunged(change)))
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
		no_mailbox_given(change);
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
 * an unknown mailbox, 22023 for a UID below UIDNEXT, 22003 when UIDs or
 * mod-sequences are used up, 55000 if the configuration is out of date.
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

/* --- messages: after the row was written ------------------------------- */

static void
changed_after_us(const RowChange *change)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("message in table %s was changed after modseq had numbered it",
					change->store->table[TABLE_MESSAGE].name),
			 errdetail("Another BEFORE trigger changed its mailbox, UID or mod-sequence."),
			 errhint("Triggers fire in the order of their names; give that trigger a name before \"zz_modseq_assign\".")));
}

/*
 * Nor may a later trigger change when a message was created, between these
 * two mod-sequences
 */
static void
check_created(const RowChange *change, int64 least, int64 most)
{
	int64		created = get_modseq(change->new, change->desc,
									 change->shape->created_modseq);

	if (change->shape->created_modseq != InvalidAttrNumber &&
		(created < least || created > most))
		changed_after_us(change);
}

/*
 * The row that went in must be the one that was numbered: a later trigger may
 * have sent it to another mailbox.
 */
static void
collect_arrival(const RowChange *change, const Datum *key, bool stays)
{
	Mailbox    *mailbox = mailbox_get(change->store, key);
	int64		uid = trigger_uid(change, change->new);
	int64		modseq = get_modseq(change->new, change->desc,
									change->shape->modseq);
	bool		returns;

	/*
	 * The message that had the UID was there: see arrive().  It was expunged,
	 * and somebody has removed it meanwhile, for which no lock of the mailbox
	 * is needed.
	 */
	if (counter_is_locked(mailbox) && modseq == MODSEQ_UNUSED &&
		uid < mailbox_counters(mailbox)->uidnext)
		uid_is_used(change->store, mailbox, uid);
	if (!counter_has_issued(mailbox, modseq) ||
		!uid_was_given(mailbox, uid))
		changed_after_us(change);

	/* One that returns brings it along */
	returns = !change->store->has_accounts &&
		!uidset_builder_is_empty(&mailbox_work(mailbox)->returning);
	check_created(change, returns ? 1 : modseq, modseq);
	if (is_expunged(change) && uid < mailbox_counters(mailbox)->uidnext)
	{
		/* Not live, and below UIDNEXT: it has vanished before */
		counter_used(mailbox, modseq);
		return;
	}
	counter_landed(change->store, mailbox, uid, modseq);
	if (is_expunged(change))
		statement_vanish(mailbox, uid);
	else
		email_arrives(change, mailbox, uid, stays);
}

/* Our own statement that renumbers a message replaces a vanished UID */
static bool
is_renumbering(Mailbox *mailbox, int64 uid)
{
	const UidSet *set;

	if (!statement_is_completing())
		return false;
	set = mailbox_work(mailbox)->renumbering;
	return set != NULL && is_uid(uid) &&
		uidset_contains(uidset_ranges(set), uidset_nranges(set), (uint32) uid);
}

/* The message left the mailbox, or has another UID there; or it was deleted */
static void
collect_departure(const RowChange *change, const Datum *key, bool stays)
{
	Mailbox    *mailbox = mailbox_get(change->store, key);
	int64		uid = trigger_uid(change, change->old);

	if (was_expunged(change) || is_renumbering(mailbox, uid))
		return;
	statement_vanish(mailbox, uid);
	email_departs(change, mailbox, stays);
}

/* The message has a new mod-sequence */
static void
log_uid(const RowChange *change, Mailbox *mailbox, int64 uid)
{
	UidRange	range = {(uint32) uid, (uint32) uid};

	if (is_uid(uid))
		statement_changed(change->store, mailbox, &range, 1);
}

static void
collect_stay(const RowChange *change, const Datum *key, bool follows)
{
	const RowShape *shape = change->shape;
	int64		old = get_modseq(change->old, change->desc, shape->modseq);
	int64		new = get_modseq(change->new, change->desc, shape->modseq);
	int64		created = get_modseq(change->old, change->desc,
									 shape->created_modseq);
	int64		uid = trigger_uid(change, change->new);
	bool		begins = email_begins(change, key, follows);
	bool		is_numbered = false;

	if (new != old)
	{
		Mailbox    *mailbox = mailbox_get(change->store, key);

		is_numbered = counter_has_issued(mailbox, new);
		if (is_numbered)
		{
			counter_used(mailbox, new);
			mailbox_work(mailbox)->changed |= STATE_CHANGED(STATE_EMAIL);
			log_uid(change, mailbox, uid);
		}
		else if (new == mailbox_work(mailbox)->guess)
			statement_stamped(change->store, key, uid);
		else
			changed_after_us(change);
	}
	check_created(change, begins ? 0 : created,
				  begins || (change->store->has_accounts &&
							 statement_is_completing()) ? new : created);
	if (is_expunged(change))
	{
		if (!was_expunged(change))
		{
			statement_vanish(mailbox_get(change->store, key), uid);
			email_departs(change, mailbox_get(change->store, key), false);
		}
	}
	else if (was_expunged(change))
		statement_renumber(change->store, key, uid);
	else if (begins)
	{
		email_becomes(change, mailbox_get(change->store, key), uid,
					  is_numbered);
		if (new == old)
			statement_stamp(change->store, key, uid);
	}
	else if (new == old &&
			 ((follows && change->store->has_accounts) ||
			  row_flags_differ(shape, change->old, change->new, change->desc,
							   false)))
		statement_stamp(change->store, key, uid);
}

/*
 * A message has arrived, or a row names another message now: the flags that it
 * shares with others may be changing (shared.c)
 */
static void
collect_shared(const RowChange *change)
{
	const RowShape *shape = change->shape;
	Datum		key[MODSEQ_MAX_KEYS];

	if (change->old != NULL &&
		row_same_message_key(shape, change->old, change->new, change->desc))
		return;
	if (row_get_message_key(shape, change->new, change->desc, key))
		shared_arrive(change->store, key);
}

/*
 * What is special in a partition: of a message that goes on in another the
 * DELETE is nothing, and the INSERT an UPDATE; and what comes with a partition
 * has no old version that clients know of.  False if that is all.
 */
static bool
see_partition(RowChange *change, const Datum *to)
{
	if (crossing_is_arriving(change->rel, change->old))
		change->old = NULL;
	else if (change->old == NULL)
		change->old = crossing_lands(change->rel,
									 mailbox_get(change->store, to),
									 trigger_uid(change, change->new));
	else if (change->new == NULL)
		return !crossing_departs(change->rel, change->old);
	return change->old != NULL || change->new != NULL;
}

/*
 * modseq.trigger_collect(): AFTER INSERT OR UPDATE OR DELETE ROW
 *
 * Notes what really became of the row.  Takes no lock.  Error 27000 if another
 * trigger changed what trigger_assign had set.
 */
Datum
modseq_trigger_collect(PG_FUNCTION_ARGS)
{
	RowChange	change = {0};
	TriggerData *data = trigger_row_data(fcinfo, TRIGGER_CHANGED, &change);
	Datum		keys[2][MODSEQ_MAX_KEYS];
	Datum	   *from = NULL;
	Datum	   *to = NULL;
	bool		stays = false;

	change.shape = shape_get(data->tg_relation, TABLE_MESSAGE,
							 data->tg_trigger);
	change.store = change.shape->store;
	if (change.new != NULL)
	{
		if (!row_get_key(change.shape, change.new, change.desc, keys[1]))
			no_mailbox_given(&change);
		to = keys[1];
	}
	if (data->tg_relation->rd_rel->relispartition &&
		!see_partition(&change, to))
		return PointerGetDatum(NULL);
	if (change.new != NULL)
		collect_shared(&change);
	if (change.old != NULL &&
		row_get_key(change.shape, change.old, change.desc, keys[0]))
		from = keys[0];

	if (from != NULL && to != NULL &&
		trigger_uid(&change, change.old) == trigger_uid(&change, change.new) &&
		(key_equal(change.store, from, to) ||
		 statement_has_followed(mailbox_get(change.store, to),
								trigger_uid(&change, change.new))))
	{
		collect_stay(&change, to, !key_equal(change.store, from, to));
		return PointerGetDatum(NULL);
	}
	if (from != NULL && to != NULL)
		stays = email_stays(&change, mailbox_get(change.store, from),
							mailbox_get(change.store, to));

	/* One that we renumber was expunged, before the statement */
	if (to != NULL)
		collect_arrival(&change, to, stays && !was_expunged(&change) &&
						!is_renumbering(mailbox_get(change.store, from),
										trigger_uid(&change, change.old)));
	if (from != NULL)
		collect_departure(&change, from, stays && !is_expunged(&change));
	return PointerGetDatum(NULL);
}
