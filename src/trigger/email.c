/*-------------------------------------------------------------------------
 *
 * email.c
 *	  Messages as their accounts know them: what Email a row is of.
 *
 * Locks: none.  Memory: the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/htup_details.h"

/* Do the two versions have another value in that column, which may be none? */
static bool
differs(const RowChange *change, AttrNumber attnum)
{
	return attnum != InvalidAttrNumber &&
		row_column_differs(change->old, change->new, change->desc, attnum);
}

/* Is the message of another Email, or in another Thread, now? */
static bool
is_another(const RowChange *change)
{
	return change->store->has_accounts &&
		(differs(change, change->shape->email) ||
		 differs(change, change->shape->thread));
}

/*
 * Is the mailbox surely there, so that its messages are in its account?
 *
 * Where messages can outlive it, only its lock says so.
 */
static bool
is_there(const Store *store, Mailbox *mailbox)
{
	const Counters *counters = mailbox_counters(mailbox);

	return !store_keeps_messages(store) ||
		(counters->locked && !counters->gone && !counters->remembered);
}

/*
 * Had the message left its account before the statement in progress, though its
 * row, as it was, is there?
 */
static bool
had_departed(const RowChange *change, Mailbox *mailbox)
{
	Store	   *store = change->store;
	Datum		key[MODSEQ_MAX_KEYS];

	return store->has_accounts && store_keeps_messages(store) &&
		row_get_key(change->shape, change->old, change->desc, key) &&
		departed_already(store, mailbox, key);
}

/*
 * email_begins: does a message that stays where it is begin to be an Email of
 * its account?
 *
 * One that follows its mailbox long after that was renamed had left it.
 */
bool
email_begins(const RowChange *change, const Datum *key, bool follows)
{
	return is_another(change) ||
		(follows && had_departed(change, mailbox_get(change->store, key)));
}

/* Has the message become what it was by the statement, under a guess? */
static bool
is_unheard(const RowChange *change, Mailbox *mailbox, int64 created)
{
	Datum		key[MODSEQ_MAX_KEYS];

	return !counter_has_issued(mailbox, created) &&
		row_get_key(change->shape, change->old, change->desc, key) &&
		departed_was_guessed(change->store, mailbox, key,
							 trigger_uid(change, change->old), created);
}

/* Is the message in the mailbox only by the statement in progress? */
static bool
has_just_come(const RowChange *change, Mailbox *mailbox)
{
	Membership	membership;

	if (!departures_read(change->shape, change->old, change->desc,
						 &membership) || membership.created == 0)
		return false;
	for (const MailboxLevel *level = mailbox->level; level != NULL;
		 level = level->outer)
		if (level->work.value == membership.created)
			return true;
	return is_unheard(change, mailbox, membership.created);
}

/*
 * email_stays: does the message only go to another mailbox of its account?
 *
 * Then the Email is there before and after, whatever other mailboxes it is in.
 * If that is not sure, a query tells when the statement completes.  Nor is it
 * of one that goes on from where it has just come.
 */
bool
email_stays(const RowChange *change, Mailbox *from, Mailbox *to)
{
	return change->store->has_accounts && !is_another(change) &&
		is_there(change->store, from) && !had_departed(change, from) &&
		!statement_will_renumber(from, trigger_uid(change, change->old)) &&
		!has_just_come(change, from) &&
		account_of(change->store, from) == account_of(change->store, to);
}

/* email_arrives: a message is in the mailbox under that UID, and was not */
void
email_arrives(const RowChange *change, Mailbox *mailbox, int64 uid, bool stays)
{
	Work	   *work;

	if (!change->store->has_accounts)
		return;
	work = mailbox_work(mailbox);
	work->changed |= STATE_CHANGED(STATE_EMAIL);
	if (!stays && change->store->thread.name != NULL &&
		!heap_attisnull(change->new, change->shape->thread, change->desc))
		uidset_builder_add(&work->appeared, (uint32) uid, (uint32) uid);
}

/*
 * email_departs: the message is not in the mailbox any more, as it was
 *
 * One that was undeleted just now, and whose new UID is still to be given, has
 * not arrived yet: what it was has departed when it was expunged.
 */
void
email_departs(const RowChange *change, Mailbox *mailbox, bool stays)
{
	Membership	membership;

	if (!change->store->has_accounts ||
		had_departed(change, mailbox) ||
		statement_will_renumber(mailbox, trigger_uid(change, change->old)) ||
		!departures_read(change->shape, change->old, change->desc,
						 &membership) ||
		is_unheard(change, mailbox, membership.created))
		return;
	membership.stays = stays;
	statement_depart(change->store, mailbox, &membership);
}

/*
 * email_becomes: a message that stays where it is, under that UID, is of
 * another Email now, or in another Thread: one departs, and one arrives.  Has
 * it the statement's value already, or is that still to be known?
 */
void
email_becomes(const RowChange *change, Mailbox *mailbox, int64 uid,
			  bool is_numbered)
{
	Work	   *work = mailbox_work(mailbox);

	email_departs(change, mailbox, false);
	email_arrives(change, mailbox, uid, false);
	if (!is_numbered)
		uidset_builder_add(&work->begun, (uint32) uid, (uint32) uid);
}
