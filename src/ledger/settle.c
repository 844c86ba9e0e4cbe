/*-------------------------------------------------------------------------
 *
 * settle.c
 *	  A statement is over: its numbers are written into the mailbox's row.
 *
 * Where we know the row to be, direct.c writes it; else SQL does, and what
 * others have made of that is read again.
 *
 * Locks: the mailbox row, FOR NO KEY UPDATE, which is held already if there is
 * anything to write (see counter.c).
 *
 * Memory: what is known of a mailbox is in mailbox.c.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "catalog/pg_type.h"

/*
 * Does the row have what was written?  A trigger before it may have put the old
 * numbers back; those after it may have written more.  If the mailbox is gone,
 * then they have deleted it.
 */
static bool
is_written(Store *store, Mailbox *mailbox, int64 uidnext, int64 highestmodseq)
{
	int64		row_uidnext = 0;
	int64		row_highest = 0;

	if (!counter_is_altered(store, mailbox) ||
		!mailbox_counters(mailbox)->locked)
		return true;
	if (plan_execute(store, PLAN_READ_MAILBOX,
					 unconstify(Datum *, mailbox_key(mailbox)),
					 PLAN_AS_OWNER) > 0)
		counter_read_row(store, SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 &row_uidnext, &row_highest);
	return row_uidnext >= uidnext && row_highest >= highestmodseq;
}

/* Writes the counters of the row that has the mailbox's key, by SQL */
static void
write_by_key(Store *store, Mailbox *mailbox, const CounterValues *values)
{
	Work	   *work = mailbox_work(mailbox);
	int64		uidnext = values->uidnext + store->has_last_uid;
	Datum		params[MODSEQ_MAX_PARAMS];

	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(values->uidnext);
	params[store->nkeys + 1] = Int64GetDatum(values->highestmodseq);
	params[store->nkeys + 2] = Int64GetDatum(values->created_modseq);
	params[store->nkeys + 3] = Int64GetDatum(values->properties_modseq);
	counts_begin(store, mailbox, &values->counts,
				 params + store->nkeys + (store->has_accounts ? 4 : 2));
	work->settling = uidnext;
	SPI_connect();

	/* Of a rename we have heard by now, unless the trigger is disabled */
	if (mailbox_counters(mailbox)->leaving != NULL ||
		plan_execute(store, store->has_accounts ? PLAN_WRITE_COUNTED :
					 PLAN_WRITE_MAILBOX, params, PLAN_AS_OWNER) != 1 ||
		!is_written(store, mailbox, uidnext, values->highestmodseq))
		counts_not_written(store, mailbox);
	SPI_finish();
	work->settling = 0;
	counts_end(store, mailbox);
}

/*
 * counter_settle: the statement is over; write what it took into the row
 *
 * The lock is held if there is anything to write.
 */
void
counter_settle(Store *store, Mailbox *mailbox)
{
	Counters   *counters = mailbox_counters(mailbox);
	Work	   *work = mailbox_work(mailbox);
	CounterValues values = {0};
	int64		uidnext;
	int64		highestmodseq;

	/* One whose key is another's is written when we hear of its new key */
	if (!mailbox_has_name(mailbox))
		return;
	if (work->used || work->landed != 0)
		counter_lock(store, mailbox);
	uidnext = Max(counters->uidnext, work->landed);
	highestmodseq = counters->highestmodseq;
	if (work->used)
		highestmodseq = Max(highestmodseq, work->value);
	if (store->has_accounts)
		account_tell(store, mailbox, &values);
	work->value = 0;
	work->used = false;
	work->landed = 0;
	work->entered = 0;
	work->accounted = 0;
	uidset_builder_free(&work->arrivals);
	if (!counters->locked)
		return;
	counters->next_uid = uidnext;
	for (const MailboxLevel *outer = mailbox->level->outer; outer != NULL;
		 outer = outer->outer)
		counters->next_uid = Max(counters->next_uid, outer->counters.next_uid);
	if (uidnext == counters->uidnext &&
		highestmodseq == counters->highestmodseq &&
		!counts_are_owed(&work->owed))
		return;
	if (work->owed.recount)
		counts_count(store, mailbox);
	values.counts = counts_take(mailbox);

	if (store->uidnext.type == INT4OID &&
		uidnext - store->has_last_uid > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("UIDNEXT " INT64_FORMAT
						" of mailbox %s is out of range for column %s",
						uidnext, key_text(store, mailbox_key(mailbox)),
						store->uidnext.quoted),
				 errhint("Change the type of the column to bigint.")));
	values.uidnext = uidnext - store->has_last_uid;
	values.highestmodseq = highestmodseq;
	if (counters->leaving == NULL && direct_write(store, mailbox, &values))
	{
		if (highestmodseq > counters->highestmodseq)
			notify_note(store, mailbox);
	}
	else
		write_by_key(store, mailbox, &values);

	/* Triggers of the mailbox table may have written more, and settled that */
	counters->uidnext = Max(counters->uidnext, uidnext);
	counters->highestmodseq = Max(counters->highestmodseq, highestmodseq);
}
