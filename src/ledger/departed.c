/*-------------------------------------------------------------------------
 *
 * departed.c
 *	  The table of what has left an account.
 *
 * A membership is a message in a mailbox, of an Email: it exists from its
 * created_modseq up to the value under which it departed.  A live one is a row
 * of the message table; of one that is gone, and of mailboxes that are, a row
 * here tells.  It outlives its mailbox, and it never changes.
 *
 * Locks: the account's lock is held.
 *
 * Memory: SPI's, of a size with what left.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* Messages in a row: what is to be read of one is read as a whole */
#define MAX_CHUNK	10000

static void
array_values(Datum array, Oid type, Datum **values, bool **nulls, int *n)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	deconstruct_array(DatumGetArrayTypeP(array), type, typlen, typbyval,
					  typalign, values, nulls, n);
}

/* Did a statement that is not complete yet make the mailbox, or rename it? */
static bool
is_being_made(const Mailbox *mailbox)
{
	const MailboxLevel *level = mailbox->level;

	while (level != NULL && !level->work.made)
		level = level->outer;
	return level != NULL;
}

/*
 * departed_add_mailbox: that mailbox is gone, or has another key
 *
 * Nobody has heard of one that the same statement has made, under that key.
 */
void
departed_add_mailbox(Store *store, Mailbox *mailbox, const Datum *key,
					 int64 created)
{
	Work	   *work = mailbox_work(mailbox);
	bool		isnull;

	if (is_being_made(mailbox))
		return;
	SPI_connect();
	if (plan_execute(store, PLAN_NAME_MAILBOX, unconstify(Datum *, key),
					 PLAN_AS_OWNER) > 0)
		departures_add_mailbox(store, level_memory(), &work->departed,
							   SPI_getbinval(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1, &isnull),
							   created);
	SPI_finish();
}

/*
 * departed_add_arrays: messages left the mailbox, by arrays of their Emails,
 * created_modseqs and, if the store has them, Threads
 */
void
departed_add_arrays(Store *store, Mailbox *mailbox, const Datum *arrays)
{
	Work	   *work = mailbox_work(mailbox);
	bool		has_threads = store->thread.name != NULL;
	Datum	   *emails;
	Datum	   *created;
	Datum	   *threads = NULL;
	bool	   *nulls = NULL;
	int			n;

	array_values(arrays[0], store->email.type, &emails, NULL, &n);
	array_values(arrays[1], INT8OID, &created, NULL, &n);
	if (has_threads)
		array_values(arrays[2], store->thread.type, &threads, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		Membership	membership = {0};

		membership.email = emails[i];
		membership.created = DatumGetInt64(created[i]);
		membership.has_thread = has_threads && !nulls[i];
		membership.thread = membership.has_thread ? threads[i] : (Datum) 0;
		departures_add(store, level_memory(), &work->departed, &membership);
	}
	statement_list(mailbox);
}

/*
 * departed_add_left: the mailbox does not have that key any more; messages may
 * still be there
 *
 * But nobody has heard of what began to be there by the statement in progress,
 * under a guess.
 */
void
departed_add_left(Store *store, Mailbox *mailbox, const Datum *key)
{
	UidBuilder *begun = &mailbox_work(mailbox)->begun;
	Datum		params[MODSEQ_MAX_PARAMS];
	Datum		arrays[3];
	bool		isnull;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = PointerGetDatum(uidset_from_builder(begun));
	params[store->nkeys + 1] = Int64GetDatum(mailbox_guess(mailbox));
	SPI_connect();
	plan_execute(store, store->thread.name != NULL ? PLAN_LEFT_THREADS :
				 PLAN_LEFT_MESSAGES, params, PLAN_AS_OWNER);
	for (int i = 0; i < SPI_tuptable->tupdesc->natts; i++)
		arrays[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
								  i + 1, &isnull);
	if (!isnull)
		departed_add_arrays(store, mailbox, arrays);
	SPI_finish();
}

/* --- mailboxes that are renamed, where messages need not follow --------- */

/*
 * departed_already: has a message that was there under that key, when the
 * statement in progress began, departed before?
 *
 * The mailbox was not there; or it had another key, to which the message has
 * not followed.
 */
bool
departed_already(Store *store, Mailbox *mailbox, const Datum *key)
{
	if (!store_keeps_messages(store))
		return false;
	for (MailboxLevel *level = mailbox->level; level != NULL;
		 level = level->outer)
		if (level->work.revived)
			return true;
	return mailbox_counters(mailbox)->deserted &&
		!mailbox_has_key(store, mailbox, key) && !is_being_made(mailbox);
}

/*
 * departed_was_guessed: has the message become of another Email by the
 * statement in progress, which could only guess its value, that number?
 *
 * What it was in between nobody has heard of, and the guess may be wrong.  But
 * another transaction may have taken the value, and one that it brought is met
 * by a nested statement: that was there under the same number.
 */
bool
departed_was_guessed(Store *store, Mailbox *mailbox, const Datum *key,
					 int64 uid, int64 created)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;

	if (created == 0 || created != mailbox_guess(mailbox))
		return false;
	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(uid);
	params[store->nkeys + 1] = Int64GetDatum(created);
	SPI_connect();
	rows = plan_execute(store, PLAN_SEE_CREATED, params, PLAN_READ_COMMITTED);
	SPI_finish();
	return rows == 0;
}

/*
 * departed_spare_followed: messages that come along with a mailbox to another
 * key, by the statement that renames it, have not left the account
 */
void
departed_spare_followed(Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidBuilder	rest;

	if (!is_being_made(mailbox))
		return;
	for (MailboxLevel *level = mailbox->level; level != NULL;
		 level = level->outer)
	{
		UidBuilder *followed = &level->work.followed;

		if (uidset_builder_is_empty(followed))
			continue;
		uidset_builder_finish(followed);
		uidset_builder_finish(&work->begun);
		uidset_builder_init(&rest);
		uidset_difference(work->begun.ranges, work->begun.n, followed->ranges,
						  followed->n, &rest);
		uidset_builder_finish(&rest);
		uidset_builder_free(&work->begun);
		mailbox_move_uids(&rest, &work->begun);
	}
}

static void
not_stored(Store *store, Mailbox *account)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("what left account %s could not be stored",
					account_text(store, account->account_key)),
			 errdetail_not_kept(store, TABLE_DEPARTED),
			 errhint("Drop it; the table belongs to modseq.")));
}

/*
 * departed_write: what left the account left it under that value
 *
 * One row, or some if much did.
 */
void
departed_write(Store *store, Mailbox *account, int64 value)
{
	Work	   *work = mailbox_work(account);
	Departures *list = work->departed;
	int			messages = departures_count(list);
	int			mailboxes = list->mailboxes == NULL ? 0 :
		list->mailboxes->nelems;
	bool		has_threads = list->threads != NULL;

	work->departed = NULL;
	SPI_connect();
	for (int first = 0; first == 0 || first < messages; first += MAX_CHUNK)
	{
		Datum		params[MODSEQ_MAX_PARAMS];
		int			n = store->naccounts;
		int			chunk = Min(messages - first, MAX_CHUNK);

		memcpy(params, account->account_key, sizeof(Datum) * n);
		params[n++] = Int64GetDatum(value);
		params[n++] = departures_array(list->emails, store->email.type, first,
									   chunk);
		if (has_threads)
			params[n++] = departures_array(list->threads, store->thread.type,
										   first, chunk);
		params[n++] = departures_array(list->created, INT8OID, first, chunk);
		params[n++] = departures_array(list->mailboxes, TEXTOID, 0,
									   first == 0 ? mailboxes : 0);
		params[n++] = departures_array(list->mailboxes_created, INT8OID, 0,
									   first == 0 ? mailboxes : 0);
		if (plan_execute(store, has_threads ? PLAN_APPEND_DEPARTED_THREADS :
						 PLAN_APPEND_DEPARTED, params, PLAN_AS_OWNER) != 1)
			not_stored(store, account);
	}
	SPI_finish();
	departures_drop(&list);
}

/* --- Threads ----------------------------------------------------------- */

/* Had any a Thread, of those of which the Email may not stay? */
static bool
has_lost_thread(const Departures *list)
{
	for (int i = 0; i < list->threads->nelems; i++)
		if (!list->threads->dnulls[i] && !list->stays[i])
			return true;
	return false;
}

/*
 * departed_changes_threads: has any Email left the account, or its Thread,
 * that is in no mailbox of it any more?
 *
 * A query that ends with the first.  Those that only moved are not asked for.
 * Of an Email that has one row, and did not come back in this statement, it
 * needs none.
 */
bool
departed_changes_threads(Store *store, Mailbox *account)
{
	const Departures *list = mailbox_work(account)->departed;
	int64		value = mailbox_work(account)->value;
	Datum		params[MODSEQ_MAX_PARAMS];

	if (list == NULL || list->nlost == 0 || store->thread.name == NULL ||
		!has_lost_thread(list))
		return false;
	if (store->email_is_unique && !mailbox_work(account)->made)
		return true;
	memcpy(params, account->account_key, sizeof(Datum) * store->naccounts);
	params[store->naccounts] = departures_lost(list, list->emails,
											   store->email.type, value);
	params[store->naccounts + 1] = departures_lost(list, list->threads,
												   store->thread.type, value);
	return plan_run(store, PLAN_SEE_LOST_EMAIL, params) > 0;
}

/*
 * departed_has_new_email: of the messages in Work.appeared, which arrived under
 * that value, is any of an Email that was in no mailbox of the account before,
 * or in another Thread?  Of one that has one row, and did not leave in this
 * statement, that is sure.
 */
bool
departed_has_new_email(Store *store, Mailbox *mailbox, Mailbox *account,
					   int64 value)
{
	UidBuilder *appeared = &mailbox_work(mailbox)->appeared;
	const Departures *list = mailbox_work(account)->departed;
	Datum		params[MODSEQ_MAX_PARAMS];
	int			n = store->nkeys;

	mailbox_work(account)->made = true;
	if (store->email_is_unique && (list == NULL || list->nlost == 0))
		return true;
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * n);
	params[n++] = Int64GetDatum(value);
	params[n++] = PointerGetDatum(uidset_from_builder(appeared));
	memcpy(params + n, account->account_key, sizeof(Datum) * store->naccounts);
	n += store->naccounts;
	params[n++] = departures_lost(list, list ? list->emails : NULL,
								  store->email.type, value);
	params[n++] = departures_lost(list, list ? list->threads : NULL,
								  store->thread.type, value);
	return plan_run(store, PLAN_SEE_NEW_EMAIL, params) > 0;
}
