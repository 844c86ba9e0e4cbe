/*-------------------------------------------------------------------------
 *
 * vanished.c
 *	  The table of vanished UIDs: append and read.
 *
 * A row says which UIDs left a mailbox under which mod-sequence (RFC 7162
 * section 3.2.7: "the server MUST remember the incremented mod-sequence and
 * corresponding UID").  A client that has seen everything up to n needs the
 * union of the rows above n.
 *
 * Rows that are old become one, which is done as others are appended: see
 * fold.c.
 *
 * Where a store logs changes, its rows also say which UIDs changed, and some
 * say nothing else: see changes.c.
 *
 * Locks: writers hold the lock of the mailbox whose rows they write (see
 * counter.c); readers take none, their snapshot decides.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

/* vanished_not_stored: something of others has changed what we wrote */
void
vanished_not_stored(Store *store, const Datum *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("vanished UIDs of mailbox %s could not be stored",
					key_text(store, key)),
			 errdetail_not_kept(store, TABLE_VANISHED),
			 errhint("Drop it; the table belongs to modseq.")));
}

/* Is that row there, or may nothing of others have changed it? */
static bool
is_written(Store *store, PlanId find, Datum *params)
{
	return !store->table[TABLE_VANISHED].altered ||
		plan_execute(store, find, params, PLAN_AS_OWNER) == 1;
}

/* Of a key that was dropped, or changed, there must be no row left */
static void
check_none_left(Store *store, const Datum *key)
{
	Datum		params[MODSEQ_MAX_PARAMS];

	if (!store->table[TABLE_VANISHED].altered)
		return;
	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(0);
	if (plan_execute(store, PLAN_READ_VANISHED, params, PLAN_AS_OWNER) > 0)
		vanished_not_stored(store, key);
}

/* The same of all mailboxes that a query looks for: there must be none */
static void
check_found_none(Store *store, PlanId id, Datum *params)
{
	Datum		key[MODSEQ_MAX_KEYS];

	if (!store->table[TABLE_VANISHED].altered ||
		plan_execute(store, id, params, PLAN_AS_OWNER) == 0)
		return;
	plan_get_key(store, 0, key);
	vanished_not_stored(store, key);
}

/* The rows of a key above a mod-sequence, where others may change them */
typedef struct VanishedRow
{
	int64		modseq;
	UidSet	   *uids;
	UidSet	   *changed;
} VanishedRow;

static VanishedRow *
read_rows(Store *store, const Datum *key, int64 since, uint64 *n)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	VanishedRow *result;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(since);
	*n = plan_execute(store, PLAN_READ_VANISHED, params, PLAN_AS_OWNER);
	result = palloc(sizeof(VanishedRow) * (*n + 1));
	for (uint64 i = 0; i < *n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		uids;

		result[i].modseq = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		uids = SPI_getbinval(row, desc, 2, &isnull);
		if (isnull)
			vanished_not_stored(store, key);
		result[i].uids = DatumGetUidSetP(uids);
		uids = SPI_getbinval(row, desc, 3, &isnull);
		result[i].changed = DatumGetUidSetP(uids);
	}
	return result;
}

/*
 * Of rows that we have changed, there are those, without these UIDs, and no
 * others; a row that has no other UIDs is gone
 */
static void
check_rows(Store *store, const Datum *key, int64 since,
		   const VanishedRow *rows, uint64 n, UidBuilder *without)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		left = 0;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	for (uint64 i = 0; i < n; i++)
	{
		UidBuilder	rest;

		uidset_builder_init(&rest);
		uidset_difference(uidset_ranges(rows[i].uids),
						  uidset_nranges(rows[i].uids),
						  without->ranges, without->n, &rest);
		uidset_builder_finish(&rest);
		if (uidset_builder_is_empty(&rest) && without->n > 0 &&
			uidset_nranges(rows[i].changed) == 0)
			continue;
		left++;
		params[store->nkeys] = Int64GetDatum(rows[i].modseq);
		params[store->nkeys + 1] = PointerGetDatum(uidset_from_builder(&rest));
		params[store->nkeys + 2] = PointerGetDatum(rows[i].changed);
		if (plan_execute(store, PLAN_FIND_LOGGED, params, PLAN_AS_OWNER) != 1)
			vanished_not_stored(store, key);
	}
	params[store->nkeys] = Int64GetDatum(since);
	if (plan_execute(store, PLAN_READ_VANISHED, params, PLAN_AS_OWNER) != left)
		vanished_not_stored(store, key);
}

/* The UIDs that a mailbox has left out as it began an incarnation */
static UidSet *
lost_uids(const Changes *owed)
{
	UidBuilder	result;

	uidset_builder_init(&result);
	if (owed->lost_to > owed->lost_from)
		uidset_builder_add(&result, (uint32) owed->lost_from,
						   (uint32) (owed->lost_to - 1));
	return uidset_from_builder(&result);
}

/*
 * vanished_leave_out: what a mailbox has never had cannot vanish from it
 *
 * A trigger has made it anew in place of another, whose messages go only now.
 * Of one that was there before the transaction, UIDNEXT is not trusted with
 * that: messages may have come with triggers off.
 */
void
vanished_leave_out(Mailbox *mailbox)
{
	const Counters *counters = mailbox_counters(mailbox);
	UidBuilder *vanished = &mailbox_work(mailbox)->owed.vanished;
	int64		uidnext = Max(counters->uidnext, counters->next_uid);
	UidRange	others;
	UidBuilder	own;

	uidset_builder_finish(vanished);
	if (vanished->n == 0 || vanished->ranges[vanished->n - 1].hi < uidnext ||
		!row_place_is_ours(&counters->first, false))
		return;
	others.lo = (uint32) uidnext;
	others.hi = UIDSET_MAX_UID;
	uidset_builder_init(&own);
	uidset_difference(vanished->ranges, vanished->n, &others, 1, &own);
	uidset_builder_reset(vanished);
	mailbox_move_uids(&own, vanished);
}

/*
 * vanished_append: remember the UIDs in owed.vanished under the statement's
 * value, and empty it
 */
void
vanished_append(Store *store, Mailbox *mailbox)
{
	Work	   *work = mailbox_work(mailbox);
	UidSet	   *set = uidset_from_builder(&work->owed.vanished);
	Datum		params[MODSEQ_MAX_PARAMS];
	PlanId		plan = PLAN_APPEND_VANISHED;
	int64		value;

	uidset_builder_free(&work->owed.vanished);

	/*
	 * A value has one row.  If there is one already, then triggers that fired
	 * while this statement was completed have removed more messages: their
	 * statements get a value of their own.
	 */
	if (work->value != 0 && work->value == work->appended &&
		work->owed.lost == 0)
		counter_settle(store, mailbox);
	if (!mailbox_counters(mailbox)->locked)
	{
		/* Triggers of the mailbox table have deleted it */
		pfree(set);
		return;
	}
	value = counter_modseq(store, mailbox);
	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(value);
	params[store->nkeys + 1] = PointerGetDatum(set);
	if (work->owed.lost != 0)
	{
		plan = PLAN_APPEND_LOST;
		params[store->nkeys + 2] = Int64GetDatum(work->owed.lost);
		params[store->nkeys + 3] = PointerGetDatum(lost_uids(&work->owed));
	}
	else if (store->logs && value == BLOCK_END(value))
		plan = PLAN_JOIN_VANISHED;
	work->owed.lost = 0;
	SPI_connect();
	if (plan_execute(store, plan, params, PLAN_AS_OWNER) != 1 ||
		!is_written(store, plan == PLAN_APPEND_LOST ? PLAN_FIND_LOST :
					PLAN_FIND_VANISHED, params))
		vanished_not_stored(store, mailbox_key(mailbox));
	SPI_finish();
	work->appended = value;
	counter_used(mailbox, value);
	fold_if_due(store, mailbox, value);
}

/* Adds the UIDs in the rows of SPI_tuptable; returns the last mod-sequence */
static int64
read_vanished(uint64 rows, UidBuilder *result)
{
	int64		modseq = 0;

	for (uint64 i = 0; i < rows; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		value = SPI_getbinval(tuple, desc, 2, &isnull);
		UidSet	   *set = DatumGetUidSetP(value);

		uidset_builder_add_ranges(result, uidset_ranges(set),
								  uidset_nranges(set));
		modseq = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
	}
	return modseq;
}

/*
 * vanished_find_written: which UIDs of a set this transaction has written into
 * the table of vanished ones
 *
 * Adds them to *written, with others that vanished with them.  Returns the
 * lowest mod-sequence under which they are there, or 0.  Looks from the newest
 * row on, for what a transaction takes back it has written just before, and
 * reads twice as many each time: so it need not read all that it has written.
 * Before it, another mailbox may have had the key.
 */
int64
vanished_find_written(Store *store, Mailbox *mailbox, UidBuilder *set,
					  UidBuilder *written)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	int64		lowest = 0;
	int64		last = MODSEQ_MAX;
	int64		limit = 1;
	uint64		rows;
	bool		done;

	memcpy(params, mailbox_key(mailbox), sizeof(Datum) * store->nkeys);
	params[store->nkeys] =
		Int64GetDatum(Min(counter_committed_modseq(store, mailbox),
						  mailbox_counters(mailbox)->unseen - 1));
	params[store->nkeys + 2] = PointerGetDatum(uidset_from_builder(set));
	do
	{
		UidBuilder	rest;

		params[store->nkeys + 1] = Int64GetDatum(last);
		params[store->nkeys + 3] = Int64GetDatum(limit);
		SPI_connect();
		rows = plan_execute(store, PLAN_NEWEST_VANISHED, params, PLAN_AS_OWNER);
		if (rows > 0)
		{
			lowest = read_vanished(rows, written);
			last = lowest - 1;
		}
		SPI_finish();
		uidset_builder_finish(written);
		uidset_builder_init(&rest);
		uidset_difference(set->ranges, set->n, written->ranges, written->n,
						  &rest);
		done = (int64) rows < limit || uidset_builder_is_empty(&rest);
		uidset_builder_free(&rest);
		limit *= 2;
	} while (!done);
	return lowest;
}

/*
 * vanished_recall: the UIDs of the set have not vanished, as this transaction
 * has written: only it can have
 */
void
vanished_recall(Store *store, Mailbox *mailbox, UidBuilder *set)
{
	bool		altered = store->table[TABLE_VANISHED].altered;
	const Datum *key = mailbox_key(mailbox);
	Datum		params[MODSEQ_MAX_PARAMS];
	VanishedRow *rows = NULL;
	uint64		n = 0;
	UidBuilder	written;
	int64		since;

	uidset_builder_init(&written);
	since = vanished_find_written(store, mailbox, set, &written) - 1;
	uidset_builder_free(&written);
	if (since < 0)
		return;
	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(since);
	params[store->nkeys + 1] = PointerGetDatum(uidset_from_builder(set));
	SPI_connect();
	if (altered)
		rows = read_rows(store, key, since, &n);
	plan_execute(store, PLAN_RECALL_ALL_VANISHED, params, PLAN_AS_OWNER);
	plan_execute(store, PLAN_RECALL_VANISHED, params, PLAN_AS_OWNER);
	if (altered)
		check_rows(store, key, since, rows, n, set);
	SPI_finish();
}

/*
 * vanished_read: the UIDs that vanished after the mod-sequence since
 *
 * Only those in the set if it is not NULL.  *first becomes the lowest of their
 * mod-sequences, 0 if there are none.  Reads in the caller's snapshot but as
 * the owner: whoever may read the messages may know which are gone, without a
 * grant on a table of ours.
 */
void
vanished_read(Store *store, const Datum *key, int64 since,
			  const UidSet *uids, UidBuilder *result, int64 *first)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	Datum		value;
	bool		isnull;

	uidset_builder_init(result);
	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(since);
	params[store->nkeys + 1] = PointerGetDatum(uids);
	SPI_connect();
	plan_execute(store, uids == NULL ? PLAN_UNITE_VANISHED :
				 PLAN_UNITE_VANISHED_IN, params, PLAN_READ_AS_OWNER);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2,
						  &isnull);
	if (!isnull)
	{
		UidSet	   *set = DatumGetUidSetP(value);

		if (uids == NULL)
			uidset_builder_add_ranges(result, uidset_ranges(set),
									  uidset_nranges(set));
		else
			uidset_intersection(uidset_ranges(set), uidset_nranges(set),
								uidset_ranges(uids), uidset_nranges(uids),
								result);
	}
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	*first = isnull ? 0 : DatumGetInt64(value);
	SPI_finish();
	uidset_builder_finish(result);
}

/*
 * vanished_is_lost: may that have been the mod-sequence of something else, on a
 * server that is lost?
 *
 * Reads as the mode says, as the owner.
 */
bool
vanished_is_lost(Store *store, const Datum *key, int64 since, PlanMode mode)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	bool		lost;

	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(since);
	SPI_connect();
	lost = plan_execute(store, PLAN_SEE_LOST, params, mode) > 0;
	SPI_finish();
	return lost;
}

/*
 * vanished_rename: the mailbox has another key now
 *
 * If there are rows under that, then they are another's, of which we are still
 * to hear that it has left; or somebody keeps them from being forgotten.  If it
 * is untaken, then there are none.
 */
void
vanished_rename(Store *store, const Datum *from, const Datum *to,
				bool untaken)
{
	bool		altered = store->table[TABLE_VANISHED].altered;
	Datum		params[MODSEQ_MAX_PARAMS];
	VanishedRow *rows = NULL;
	uint64		n = 0;
	UidBuilder	none;

	untaken = untaken || !statement_is_contained();
	if (!altered && !probe_key(store, TABLE_VANISHED, from) &&
		(untaken || !probe_key(store, TABLE_VANISHED, to)))
		return;
	memcpy(params, to, sizeof(Datum) * store->nkeys);
	params[store->nkeys] = Int64GetDatum(0);
	SPI_connect();
	if (!untaken &&
		plan_execute(store, PLAN_READ_VANISHED, params, PLAN_AS_OWNER) > 0)
		row_key_taken(store, to);
	if (altered)
	{
		check_none_left(store, to);
		rows = read_rows(store, from, 0, &n);
	}
	memcpy(params, from, sizeof(Datum) * store->nkeys);
	memcpy(params + store->nkeys, to, sizeof(Datum) * store->nkeys);
	plan_execute(store, PLAN_RENAME_VANISHED, params, PLAN_AS_OWNER);
	if (altered)
	{
		uidset_builder_init(&none);
		check_none_left(store, params);
		check_rows(store, to, 0, rows, n, &none);
	}
	SPI_finish();
}

/*
 * vanished_drop: the mailbox is gone, or has a new UIDVALIDITY; its history
 * means nothing any more (RFC 7162 section 5.3)
 */
void
vanished_drop(Store *store, const Datum *key)
{
	SPI_connect();
	plan_execute(store, PLAN_DROP_VANISHED, unconstify(Datum *, key),
				 PLAN_AS_OWNER);
	check_none_left(store, unconstify(Datum *, key));
	SPI_finish();
}

/*
 * vanished_remember: the mailbox is gone, but messages of it can be there
 *
 * If it comes back, it counts on from there (row.c).  One row says that all
 * UIDs below UIDNEXT have vanished, under a mod-sequence that it never had; its
 * vanished_at is infinity.
 */
void
vanished_remember(Store *store, const Datum *key, int64 uidnext,
				  int64 highestmodseq)
{
	Datum		params[MODSEQ_MAX_PARAMS];
	UidBuilder	builder;

	vanished_drop(store, key);
	if (uidnext == 1 && highestmodseq == MODSEQ_UNUSED)
		return;
	uidset_builder_init(&builder);
	if (uidnext > 1)
		uidset_builder_add(&builder, 1, (uint32) (uidnext - 1));
	memcpy(params, key, sizeof(Datum) * store->nkeys);
	params[store->nkeys] =
		Int64GetDatum(highestmodseq + (highestmodseq < MODSEQ_MAX));
	params[store->nkeys + 1] = PointerGetDatum(uidset_from_builder(&builder));
	SPI_connect();
	if (plan_execute(store, PLAN_REMEMBER_VANISHED, params,
					 PLAN_AS_OWNER) != 1 ||
		!is_written(store, PLAN_FIND_VANISHED, params))
		vanished_not_stored(store, key);
	SPI_finish();
}

/* vanished_remember_table: the same of all mailboxes of a table */
void
vanished_remember_table(Store *store, Oid relid)
{
	Datum		param = Int64GetDatum((int64) relid);

	SPI_connect();
	plan_execute(store, PLAN_DROP_TABLE, &param, PLAN_AS_OWNER);
	plan_execute(store, PLAN_REMEMBER_TABLE, &param, PLAN_AS_OWNER);

	/*
	 * What is left of the other rows does no harm: their UIDs are in those of
	 * now, too.
	 */
	check_found_none(store, PLAN_NOT_REMEMBERED, &param);
	SPI_finish();
}

/*
 * vanished_recollect: what there is, and was, under that key
 *
 * One above the highest UID, and the highest mod-sequence, of messages and of
 * vanished rows; false if there is nothing.
 */
bool
vanished_recollect(Store *store, const Datum *key, int64 *uidnext,
				   int64 *highestmodseq)
{
	static const PlanId plans[] = {PLAN_LAST_MESSAGE, PLAN_LAST_VANISHED};
	bool		found = false;

	*uidnext = 1;
	*highestmodseq = MODSEQ_UNUSED;
	SPI_connect();
	for (int i = 0; i < (int) lengthof(plans); i++)
	{
		bool		uid_isnull;
		bool		modseq_isnull;
		Datum		uid;
		Datum		modseq;

		plan_execute(store, plans[i], unconstify(Datum *, key), PLAN_AS_OWNER);
		uid = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							&uid_isnull);
		modseq = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2,
							   &modseq_isnull);
		found = found || !uid_isnull || !modseq_isnull;
		if (!uid_isnull)
			*uidnext = Max(*uidnext, Min(DatumGetInt64(uid),
										 UIDSET_MAX_UID) + 1);
		if (!modseq_isnull)
			*highestmodseq = Max(*highestmodseq, DatumGetInt64(modseq));
	}
	SPI_finish();
	return found;
}

/*
 * vanished_drop_remembered: another mailbox takes the key of one that went
 *
 * vanished_rename() sees whether it has gone.
 */
void
vanished_drop_remembered(Store *store, const Datum *key)
{
	plan_run(store, PLAN_DROP_REMEMBERED, key);
}

/*
 * vanished_clear: forget what vanished from mailboxes that are gone, or
 * remember it, if messages of them can be there
 */
void
vanished_clear(Store *store)
{
	SPI_connect();
	plan_execute(store,
				 store->outlives ? PLAN_KEEP_VANISHED : PLAN_CLEAR_VANISHED,
				 NULL, PLAN_AS_OWNER);
	check_found_none(store, PLAN_STRAY_VANISHED, NULL);
	SPI_finish();
}
