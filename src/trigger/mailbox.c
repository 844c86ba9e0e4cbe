/*-------------------------------------------------------------------------
 *
 * mailbox.c
 *	  Triggers of mailbox tables.
 *
 * The mailbox table is the one with the counters: what becomes of its rows
 * becomes of the vanished rows too.  It may be a side table of another one,
 * the source, which the application knows: then what becomes of the source's
 * rows becomes of its rows, before a foreign key's cascade from the source
 * can reach the messages.
 *
 * Locks: the row that a trigger is fired for is locked already; of a mailbox
 * table it is the mailbox lock.  For a row of the source, that of the mailbox
 * table is locked second.  (Whoever inserts messages does it the other way
 * round, where these have a foreign key to the source; see docs/concepts.md.)
 *
 * Memory: Datums and tuples in the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/table.h"
#include "catalog/pg_type.h"

PG_FUNCTION_INFO_V1(modseq_trigger_mailbox);
PG_FUNCTION_INFO_V1(modseq_trigger_source);

/* --- the mailbox table ------------------------------------------------- */

static void
not_lowered(Store *store, const Datum *key, const char *what, int64 old,
			int64 new, const char *hint)
{
	if (new < old)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s of mailbox %s cannot be lowered from " INT64_FORMAT
						" to " INT64_FORMAT,
						what, key_text(store, key), old, new),
				 errdetail("Clients rely on it to rise only (RFC 7162, RFC 9051)."),
				 errhint("%s", _(hint))));
}

/* What a client could not be told, nor rise from there */
static void
check_range(Store *store, const Datum *key, const char *what, int64 value,
			int64 most, const char *hint)
{
	if (value < 0 || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s " INT64_FORMAT " of mailbox %s is out of range",
						what, value, key_text(store, key)),
				 errdetail("It is at most " INT64_FORMAT " (RFC 9051).", most),
				 errhint("%s", hint)));
}

/* UIDNEXT, HIGHESTMODSEQ and UIDVALIDITY of a row of the mailbox table */
typedef struct RowNumbers
{
	int64		uidnext;
	int64		highestmodseq;
	int64		uidvalidity;	/* 0 for NULL */
	bool		gone;			/* only remembered: see source.c */
} RowNumbers;

static RowNumbers
get_numbers(const RowChange *change, HeapTuple tuple)
{
	const RowShape *shape = change->shape;
	RowNumbers	numbers = {0};

	row_get_counters(shape, tuple, change->desc, &numbers.uidnext,
					 &numbers.highestmodseq);
	row_get_int64(tuple, change->desc, shape->uidvalidity,
				  shape->uidvalidity_type, &numbers.uidvalidity);
	numbers.gone = shape->gone_at != InvalidAttrNumber &&
		!heap_attisnull(tuple, shape->gone_at, change->desc);
	return numbers;
}

/* What was there before attach() has looked, or came in replica mode, stays */
static void
check_numbers(const RowChange *change, const Datum *key, RowNumbers old,
			  RowNumbers new)
{
	if (new.uidnext != old.uidnext)
		check_range(change->store, key, "UIDNEXT", new.uidnext,
					(int64) UIDSET_MAX_UID + 1,
					_("Leave it out, and modseq counts it."));
	if (new.uidvalidity != old.uidvalidity)
		check_range(change->store, key, "UIDVALIDITY", new.uidvalidity,
					PG_UINT32_MAX,
					_("modseq.next_uidvalidity() gives a new one."));
}

/*
 * A mailbox that an UPDATE takes to another partition appears as a DELETE and
 * an INSERT.  To carry its history over, we would have to tell this DELETE from
 * one whose INSERT another trigger cancels.
 */
static void
refuse_crossing(const RowChange *change, const Datum *key)
{
	if (change->new == NULL && crossing_is_departure(change->old))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("mailbox %s cannot move to another partition",
						key_text(change->store, key)),
				 errdetail("What vanished from it would be forgotten."),
				 errhint("Insert another mailbox, move the messages there, and delete this one.")));
}

/*
 * A mailbox whose messages are there already, or that has been there before
 *
 * It counts on, for it may have the UIDVALIDITY that it had.  What is live has
 * changed: while there was no mailbox, nobody could say under which
 * mod-sequence.  False if it is just a new one.
 */
static bool
resume(const RowChange *change, const Datum *key, Mailbox *mailbox,
	   int64 row_uidnext)
{
	Store	   *store = change->store;
	int64		uidnext;
	int64		highestmodseq;

	if (!vanished_recollect(store, key, &uidnext, &highestmodseq))
		return false;
	uidnext = Max(uidnext, row_uidnext);
	if (mailbox == NULL)
		mailbox = mailbox_with_key(store, key);
	if (!counter_lock(store, mailbox))
		return false;			/* a trigger before ours has deleted it */
	statement_open(STATEMENT_OTHER);
	mailbox_row_resumed(store, mailbox, key, uidnext, highestmodseq);
	if (!store->has_accounts)
		statement_stamp_below(store, key, uidnext);
	statement_close(STATEMENT_OTHER);
	return true;
}

/* --- what accounts know of mailboxes ------------------------------------ */

/* When the mailbox was created, as a row of counters has it */
static int64
get_created(const RowChange *change, HeapTuple tuple)
{
	int64		created = 0;

	row_get_int64(tuple, change->desc, change->shape->created_modseq, INT8OID,
				  &created);
	return created;
}

/* The account that a row says, which must say one */
static void
get_account(const RowChange *change, HeapTuple tuple, const Datum *key,
			Datum *account)
{
	if (!row_get_account(change->shape, tuple, change->desc, account))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("mailbox %s is in no account",
						key_text(change->store, key)),
				 errhint("Give its row an account.")));
}

/*
 * A mailbox with that key is there, and was not: it is created by the
 * statement in progress.  Its messages, if there are any, begin with it.
 */
static void
mailbox_begins(const RowChange *change, Mailbox *mailbox, const Datum *key,
			   const RowNumbers *numbers, bool renamed)
{
	Store	   *store = change->store;
	Datum		account[MODSEQ_MAX_KEYS];
	Work	   *work;

	get_account(change, change->new, key, account);
	if (mailbox == NULL)
		mailbox = mailbox_get(store, key);
	mailbox_counters(mailbox)->account = account_get(store, account);
	statement_open(STATEMENT_OTHER);
	work = mailbox_work(mailbox);
	work->made = true;
	work->revived = !renamed && !work->went && store_keeps_messages(store);
	work->went = false;
	statement_list(mailbox);
	if (store_keeps_messages(store))
		statement_begin_below(store, key, numbers->uidnext);
	if (numbers->highestmodseq > MODSEQ_UNUSED)
		account_cover(store, mailbox, numbers->highestmodseq);
	statement_close(STATEMENT_OTHER);
}

/* The mailbox that had that key is gone, or has another one */
static void
mailbox_ends(const RowChange *change, Mailbox *mailbox, const Datum *key,
			 bool went)
{
	Store	   *store = change->store;
	Datum		account[MODSEQ_MAX_KEYS];

	if (!row_get_account(change->shape, change->old, change->desc, account))
		return;
	mailbox_counters(mailbox)->account = account_get(store, account);
	statement_open(STATEMENT_OTHER);
	departed_add_mailbox(store, mailbox, key, get_created(change, change->old));
	mailbox_work(mailbox)->went = went;
	mailbox_work(mailbox)->made = false;
	mailbox_work(mailbox)->revived = false;
	statement_list(mailbox);
	statement_close(STATEMENT_OTHER);
}

/* Whose mailbox it is never changes: what it had would be in neither */
static void
refuse_other_account(const RowChange *change, const Datum *key)
{
	Datum		from[MODSEQ_MAX_KEYS];
	Datum		to[MODSEQ_MAX_KEYS];

	if (!row_get_account(change->shape, change->old, change->desc, from))
		return;
	get_account(change, change->new, key, to);
	if (account_compare(change->store, from, to) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("mailbox %s cannot change its account",
					key_text(change->store, key)),
			 errdetail("It is in account %s, and its messages are Emails of that.",
					   account_text(change->store, from)),
			 errhint("Create a mailbox in account %s, and move the messages there.",
					 account_text(change->store, to))));
}

/* Something that the account's clients are told of a mailbox is another now */
static void
mailbox_alters(const RowChange *change, const Datum *key)
{
	Mailbox    *mailbox;

	if (!row_properties_differ(change->shape, change->old, change->new,
							   change->desc))
		return;
	mailbox = mailbox_get(change->store, key);
	statement_open(STATEMENT_OTHER);
	mailbox_work(mailbox)->altered = true;
	statement_list(mailbox);
	statement_close(STATEMENT_OTHER);
}

/* A row of counters was updated: what does its account hear of it? */
static void
account_sees_update(const RowChange *change, Mailbox *mailbox,
					const Datum *from, const Datum *to, const RowNumbers *old,
					const RowNumbers *new)
{
	bool		renamed = !key_equal(change->store, from, to);

	if (!old->gone && (new->gone || renamed))
		mailbox_ends(change, mailbox, from, new->gone);
	if (!new->gone && (old->gone || renamed))
		mailbox_begins(change, mailbox, to, new, renamed && !old->gone);
	else if (!new->gone && change->shape->nproperties > 0)
		mailbox_alters(change, to);
	if (new->highestmodseq > old->highestmodseq)
		account_cover(change->store, mailbox, new->highestmodseq);
}

/* --- rows of the mailbox table ------------------------------------------ */

/*
 * The mailbox has that UIDVALIDITY, which no later one of its account is to
 * get.  Of a store that Citus distributes: its shard may be at another server
 * by then, and the mailbox gone.
 */
static void
note_uidvalidity(Store *store, const Datum *key, int64 uidvalidity)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	if (store->table[TABLE_UIDVALIDITY].name == NULL || uidvalidity == 0)
		return;
	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(uidvalidity);
	plan_run(store, PLAN_NOTE_UIDVALIDITY, params);
}

static void
mailbox_inserted(const RowChange *change, const Datum *key)
{
	RowNumbers	none = {0};
	RowNumbers	numbers = get_numbers(change, change->new);
	RowPlace	place = row_place(change->rel, change->new);
	Mailbox    *mailbox;
	bool		heard = change->store->has_counts &&
		mailbox_find(change->store, key) != NULL;

	row_takes_key(TABLE_MAILBOX, change->new, false);
	check_numbers(change, key, none, numbers);
	note_uidvalidity(change->store, key, numbers.uidvalidity);
	mailbox = mailbox_row_added(change->store, key, &place, numbers.uidnext);
	if (change->store->has_accounts)
		mailbox_begins(change, mailbox, key, &numbers, false);
	if (change->store->has_counts)
		count_mailbox_added(change, key, heard);

	/* One that is renamed may have left messages, and nothing is remembered */
	if ((change->store->outlives ||
		 (change->store->remembers &&
		  source_has_messages(change->store, key, PG_INT64_MAX))) &&
		resume(change, key, mailbox, numbers.uidnext))
		return;
	if (numbers.uidnext == 1)
		return;
	statement_open(STATEMENT_OTHER);
	unused_add(mailbox, 1, numbers.uidnext);
	statement_close(STATEMENT_OTHER);
}

static void
mailbox_deleted(const RowChange *change, const Datum *key)
{
	RowPlace	place = row_place(change->rel, change->old);
	RowNumbers	numbers = get_numbers(change, change->old);

	refuse_crossing(change, key);
	source_check_gone(change->store, key);
	row_leaves_key(change->store, TABLE_MAILBOX, key, change->old, false);
	if (!numbers.gone)
		notify_gone(change->store, key);

	/* A nested statement may have made it anew already */
	if (!mailbox_row_deleted(change->store, key, &place))
	{
		if (!change->store->outlives)
			row_key_taken(change->store, key);
		return;
	}
	if (change->store->outlives)
		vanished_remember(change->store, key, numbers.uidnext,
						  numbers.highestmodseq);
	else
		vanished_drop(change->store, key);
	if (change->store->has_accounts && !numbers.gone)
		mailbox_ends(change, mailbox_get(change->store, key), key, true);
}

/* Is it sure that no other mailbox has had the new key? */
static void
mailbox_updated(const RowChange *change, const Datum *from,
				const Datum *to, bool untaken)
{
	Store	   *store = change->store;
	RowNumbers	old = get_numbers(change, change->old);
	RowNumbers	new = get_numbers(change, change->new);
	RowPlace	old_place = row_place(change->rel, change->old);
	RowPlace	new_place = row_place(change->rel, change->new);
	const char *leave =
		gettext_noop("modseq counts it; leave the column out of the UPDATE.");
	Mailbox    *mailbox;
	int64		unused;			/* UIDs from there on were passed over */
	bool		raised;			/* HIGHESTMODSEQ, and not by us */

	if (store->has_accounts && !old.gone)
		refuse_other_account(change, from);
	if (!key_equal(store, from, to))
	{
		row_takes_key(TABLE_MAILBOX, change->new, true);
		row_leaves_key(store, TABLE_MAILBOX, from, change->old, true);
		if (row_was_replaced(change->new) &&
			row_newest(change->rel, &new_place) == NULL)
		{
			/* A nested statement has deleted it, under its new key */
			mailbox_row_deleted(store, from, &old_place);
			vanished_drop(store, from);
			notify_gone(store, from);
			return;
		}
	}
	not_lowered(store, from, "HIGHESTMODSEQ", old.highestmodseq,
				new.highestmodseq, leave);
	not_lowered(store, from, "UIDNEXT", old.uidnext, new.uidnext, leave);
	not_lowered(store, from, "UIDVALIDITY", old.uidvalidity, new.uidvalidity,
				gettext_noop("modseq.reset_uidvalidity() gives the mailbox a new one."));
	check_numbers(change, to, old, new);
	if (new.uidvalidity != old.uidvalidity)
		note_uidvalidity(store, to, new.uidvalidity);
	mailbox = mailbox_row_updated(store, from, to, &old_place, &new_place,
								  row_was_replaced(change->new), new.uidnext,
								  new.highestmodseq);
	if (mailbox == NULL)
		return;					/* a nested statement has deleted it */
	mailbox_counters(mailbox)->remembered = new.gone;
	if (store->has_counts)
		count_mailbox_updated(change, mailbox);
	if (!key_equal(store, from, to))
	{
		if (store->outlives)
			vanished_drop_remembered(store, to);
		vanished_rename(store, from, mailbox_key(mailbox), untaken);
		if (store_keeps_messages(store))
			counts_renew(store, mailbox);
		if (!old.gone && !new.gone && store_keeps_messages(store))
			deserted_leave_key(store, mailbox, from);
		statement_renamed(mailbox);
	}
	if (store->has_accounts)
		account_sees_update(change, mailbox, from, to, &old, &new);
	if (new.highestmodseq > old.highestmodseq)
		notify_note(store, mailbox);
	if (!old.gone && (new.gone || !key_equal(store, from, to)))
		notify_gone(store, from);
	unused = Max(old.uidnext, mailbox_work(mailbox)->settling);
	raised = new.highestmodseq > old.highestmodseq && !new.gone &&
		mailbox_work(mailbox)->settling == 0 && counter_is_locked(mailbox) &&
		old.highestmodseq <= incarnation_current()->modseq;
	if (old.uidvalidity != 0 && old.uidvalidity != new.uidvalidity)
	{
		/* A change that concerns no message, but that clients must notice */
		vanished_drop(store, to);
		statement_open(STATEMENT_OTHER);
		unused_add(mailbox, 1, new.uidnext);
		counter_used(mailbox, counter_modseq(store, mailbox));
		statement_all_changed(store, mailbox);
		statement_close(STATEMENT_OTHER);
	}
	else if (unused < new.uidnext || raised)
	{
		statement_open(STATEMENT_OTHER);
		unused_add(mailbox, unused, new.uidnext);
		if (raised)
			counter_enter_raised(store, mailbox, old.highestmodseq);
		statement_close(STATEMENT_OTHER);
	}
}

/*
 * modseq.trigger_mailbox(message): AFTER INSERT OR UPDATE OR DELETE ROW
 *
 * Keeps the vanished rows with their mailbox: a new key is theirs too, with
 * the mailbox they go, and a new UIDVALIDITY ends their use.  UIDs that are
 * left without a message by a raised UIDNEXT, or by that of a new row, vanish
 * (rule "arrivals").  Who raises HIGHESTMODSEQ has begun an incarnation in the
 * mailbox (rule "incarnations").  A new mailbox ends what was known of another
 * one that had its key.  Who waits for a mailbox whose key is gone is woken.
 * Error 22023 if a counter would be lowered, 0A000 if an UPDATE takes the
 * mailbox to another partition, 22003 if UIDNEXT or UIDVALIDITY would be out of
 * range.
 * The row lock of the mailbox is held already.
 */
Datum
modseq_trigger_mailbox(PG_FUNCTION_ARGS)
{
	RowChange	change = {0};
	TriggerData *data = trigger_row_data(fcinfo, TRIGGER_CHANGED, &change);
	Datum		from[MODSEQ_MAX_KEYS];
	Datum		to[MODSEQ_MAX_KEYS];
	bool		has_old;
	bool		has_new;

	change.shape = shape_get(data->tg_relation, TABLE_MAILBOX,
							 data->tg_trigger);
	change.store = change.shape->store;
	has_old = change.old != NULL &&
		row_get_key(change.shape, change.old, change.desc, from);
	has_new = change.new != NULL &&
		row_get_key(change.shape, change.new, change.desc, to);
	if (has_old && has_new)
		mailbox_updated(&change, from, to, false);
	else if (has_old)
		mailbox_deleted(&change, from);
	else if (has_new)
		mailbox_inserted(&change, to);
	return PointerGetDatum(NULL);
}

/* --- the source of a side table ---------------------------------------- */

/* The account's lock comes before that of the mailbox, which we will take */
static void
lock_account(Store *store, const Datum *key)
{
	Mailbox    *account;

	if (!store->has_accounts)
		return;
	account = account_of(store, mailbox_get(store, key));
	if (account != NULL)
		account_lock(store, account);
}

/*
 * Renames the row of our table of counters, and does what the triggers of that
 * table would.  False if SQL must do it, and they will.
 */
static bool
rename_directly(Store *store, const Datum *from, const Datum *to)
{
	RowChange	change = {0};

	if (!direct_rename(store, from, to, &change.old, &change.new))
		return false;
	change.store = store;
	change.rel = table_open(store->table[TABLE_MAILBOX].relid, NoLock);
	change.desc = RelationGetDescr(change.rel);
	change.shape = shape_get(change.rel, TABLE_MAILBOX, NULL);
	statement_open(STATEMENT_UPDATE);
	mailbox_updated(&change, from, to, true);
	statement_close(STATEMENT_UPDATE);
	table_close(change.rel, NoLock);
	return true;
}

/*
 * The counters get the new key, which is behind the old one.  False if there is
 * still to be a row with it.
 */
static bool
rename_counters(Store *store, Datum *keys, bool counted)
{
	const Datum *to = keys + store->nkeys;

	if (!source_meets_messages(store, keys) && rename_directly(store, keys, to))
		return !source_is_remembered(store, to);
	return source_rename(store, keys, counted);
}

/*
 * modseq.trigger_source(message): AFTER INSERT OR UPDATE OR DELETE ROW
 *
 * Keeps the rows of the mailbox table with those of its source: adds, renames
 * and removes them.  Takes the lock of the mailbox that is renamed or removed.
 */
Datum
modseq_trigger_source(PG_FUNCTION_ARGS)
{
	RowChange	change = {0};
	TriggerData *data = trigger_row_data(fcinfo, TRIGGER_CHANGED, &change);
	Datum		from[MODSEQ_MAX_PARAMS];
	Datum		to[MODSEQ_MAX_KEYS];
	bool		has_old;
	bool		has_new;
	bool		is_there = false;

	change.shape = shape_get(data->tg_relation, TABLE_SOURCE, data->tg_trigger);
	change.store = change.shape->store;
	has_old = change.old != NULL &&
		row_get_key(change.shape, change.old, change.desc, from);
	has_new = change.new != NULL &&
		row_get_key(change.shape, change.new, change.desc, to);
	if (has_old && has_new)
	{
		if (change.store->has_accounts)
			refuse_other_account(&change, from);
		if (key_equal(change.store, from, to))
		{
			if (change.shape->nproperties > 0)
				mailbox_alters(&change, to);
			return PointerGetDatum(NULL);
		}
		lock_account(change.store, from);
		row_leaves_key(change.store, TABLE_SOURCE, from, change.old, true);
		memcpy(from + change.store->nkeys, to,
			   sizeof(Datum) * change.store->nkeys);
		is_there = rename_counters(change.store, from,
								   row_is_ours(change.old));
	}
	else if (has_old)
	{
		refuse_crossing(&change, from);
		lock_account(change.store, from);
		if (!row_leaves_key(change.store, TABLE_SOURCE, from, change.old,
							false))
			source_remove(change.store, from);
	}

	/*
	 * One that is there already was renamed just now, or added by the
	 * application, or by counter_lock() for a message that came first.  If we
	 * have heard before that it is gone, then so it is.
	 */
	if (has_new)
	{
		row_takes_key(TABLE_SOURCE, change.new, has_old);
		if (!is_there)
			source_add(change.store, to);
		if (row_was_replaced(change.new))
			source_look(change.store, to);
	}
	return PointerGetDatum(NULL);
}
