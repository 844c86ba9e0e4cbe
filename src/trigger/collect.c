/*-------------------------------------------------------------------------
 *
 * collect.c
 *	  Triggers of message tables: after the row was written.
 *
 * What became of it: see message.c, whose numbers it should have.
 *
 * Locks: none.  What is noted here is done under the lock of the mailbox, when
 * the statement is completed.
 *
 * Memory: Datums and tuples in the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

PG_FUNCTION_INFO_V1(modseq_trigger_collect);

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
	int64		created = trigger_created(change, change->new);

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
	int64		modseq = trigger_modseq(change, change->new);
	bool		returns;

	/*
	 * The message that had the UID was there: see arrive() in message.c.  It
	 * was expunged, and somebody has removed it meanwhile, for which no lock
	 * of the mailbox is needed.
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
	if (trigger_is_expunged(change) && uid < mailbox_counters(mailbox)->uidnext)
	{
		/* Not live, and below UIDNEXT: it has vanished before */
		counter_used(mailbox, modseq);
		return;
	}
	counter_landed(change->store, mailbox, uid, modseq);
	if (trigger_is_expunged(change))
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

	if (trigger_was_expunged(change) || is_renumbering(mailbox, uid))
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
	int64		old = trigger_modseq(change, change->old);
	int64		new = trigger_modseq(change, change->new);
	int64		created = trigger_created(change, change->old);
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
	if (trigger_is_expunged(change))
	{
		if (!trigger_was_expunged(change))
		{
			statement_vanish(mailbox_get(change->store, key), uid);
			email_departs(change, mailbox_get(change->store, key), false);
		}
	}
	else if (trigger_was_expunged(change))
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
			trigger_no_mailbox(&change);
		to = keys[1];
	}
	if (change.store->has_counts)
	{
		if (change.old != NULL &&
			row_get_key(change.shape, change.old, change.desc, keys[0]))
			from = keys[0];
		count_collect(&change, from, to);
		from = NULL;
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
		collect_arrival(&change, to, stays && !trigger_was_expunged(&change) &&
						!is_renumbering(mailbox_get(change.store, from),
										trigger_uid(&change, change.old)));
	if (from != NULL)
		collect_departure(&change, from,
						  stays && !trigger_is_expunged(&change));
	return PointerGetDatum(NULL);
}
