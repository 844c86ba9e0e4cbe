/*-------------------------------------------------------------------------
 *
 * sync.c
 *	  Tells the client what has changed in the open mailbox.
 *
 * All of it comes from modseq.resync(), asked from the session's cursor on:
 * at the end of most commands, in the transaction of those that write.
 *
 * While expunges are withheld, the cursor stays below the first of them, so
 * that the next answer brings them again; flags and arrivals that were told
 * already (box.told) are not repeated.  RFC 7162 section 3.2 wants a client
 * that keeps mod-sequences to know: HIGHESTMODSEQ says the cursor then.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "imapd.h"

void
sync_queue(Session *session)
{
	Selected   *box = &session->box;

	db_queue(&session->db, SQL_RESYNC, "iii", box->id, box->uidvalidity, box->cursor);
}

/* A FETCH that nobody asked for, or that answers a STORE.  flags NULL: only MODSEQ */
void
sync_put_fetch(Session *session, int64_t number, const char *uid,
			   const char *flags, const char *modseq)
{
	const char *space = "";

	if (flags)
	{
		flags_announce(session, flags);
		flags_told(session, numbers_uid(&session->box.numbers, number), strtoll(modseq, NULL, 10), flags);
	}
	put(session, "* %" PRId64 " FETCH (", number);
	if (uid)
	{
		put(session, "UID %s", uid);
		space = " ";
	}
	if (flags)
	{
		char	   *safe = flags_safe(flags);

		put(session, "%sFLAGS (%s)", space, safe);
		space = " ";
		g_free(safe);
	}
	if (session->condstore)
		put(session, "%sMODSEQ (%s)", space, modseq);
	put(session, ")\r\n");
}

/* Tells of messages that are gone, all announced, and forgets them. */
static void
tell_expunges(Session *session, const Uids *gone)
{
	Numbers    *numbers = &session->box.numbers;

	if (session->qresync)
	{
		char	   *text = uids_print(gone);

		put(session, "* VANISHED %s\r\n", text);
		g_free(text);
	}
	else
	{
		Uids		set = numbers_from_uids(numbers, gone);

		/* From the highest on, so that none changes the number of the next */
		for (int i = set.n - 1; i >= 0; i--)
			for (int64_t number = set.ranges[i].hi; number >= set.ranges[i].lo; number--)
				put(session, "* %" PRId64 " EXPUNGE\r\n", number);
		uidset_builder_free(&set);
	}
	numbers_remove(numbers, gone);
}

/* The command's own answer tells of this change: it needs not be told again. */
void
sync_answered(Session *session, int64_t uid, int64_t modseq)
{
	g_hash_table_insert(session->answered, GSIZE_TO_POINTER(uid), GSIZE_TO_POINTER(modseq));
}

static bool
is_answered(Session *session, int64_t uid, int64_t modseq)
{
	return modseq == (int64_t) GPOINTER_TO_SIZE(g_hash_table_lookup(session->answered, GSIZE_TO_POINTER(uid)));
}

static bool
is_renewed(const PGresult *resync)
{
	return strcmp(db_text(resync, 0, SYNC_VERDICT), "uidvalidity_changed") == 0;
}

/* The server is a standby, and has not got to what we know. */
static bool
is_behind(const PGresult *resync)
{
	return strcmp(db_text(resync, 0, SYNC_VERDICT), "behind") == 0;
}

/* Waits until the standby has what the client knows; false if it does not in time. */
bool
sync_wait(Session *session, int64_t box, int64_t since)
{
	Db		   *db = &session->db;
	char		timeout[32];

	snprintf(timeout, sizeof(timeout), "%d s", options.wait);
	db_queue(db, SQL_WAIT_FOR, "iis", box, since, timeout);
	return db_run(db) && *db_text(db->results[0], 0, 0) == 't';
}

/*
 * Can it be told what has changed since a mod-sequence that the client names?
 * From a standby that does not have that yet, the answer would be that nothing
 * has.  If false, the command has got its tagged response.
 */
bool
sync_reached(Session *session, uint64_t since)
{
	Selected   *box = &session->box;

	if (!box->standby || since <= (uint64_t) box->told || sync_wait(session, box->id, since))
		return true;
	if (db_is_lost(&session->db))
		hang_up(session, DATABASE_LOST);
	reply(session, NOT_YET);
	return false;
}

/* Hangs up if the UIDs that the client knows name other messages now. */
void
sync_same(Session *session, const PGresult *resync)
{
	if (is_renewed(resync))
		hang_up(session, BOX_RENEWED);
}

/*
 * Tells what SQL_RESYNC says.  Messages in except (NULL for none) are left
 * out: a STORE tells of them itself.
 */
void
sync_tell(Session *session, PGresult *resync, const Uids *except, Expunges expunges)
{
	Selected   *box = &session->box;
	int64_t		highest = db_int(resync, 0, SYNC_HIGHESTMODSEQ);
	int64_t		told = box->told;
	int64_t		uidnext = box->uidnext;
	int			rows = PQntuples(resync);
	bool		wants_flags = notify_wants_flags(session);
	int64_t		untold = INT64_MAX;
	bool		arrived = false;
	Uids		gone;

	sync_same(session, resync);
	if (!uids_parse(&gone, db_text(resync, 0, SYNC_VANISHED), UIDSET_NO_STAR))
		abort();
	uids_intersect(&gone, &box->numbers.uids);
	box->told = box->cursor = highest;
	box->uidnext = db_int(resync, 0, SYNC_UIDNEXT);
	if (gone.n > 0 && expunges == EXPUNGES_TOLD)
		tell_expunges(session, &gone);
	else if (gone.n > 0)
		box->cursor = MIN(highest, db_int(resync, 0, SYNC_FIRST_VANISHED) - 1);
	uidset_builder_free(&gone);

	for (int row = 1; row < rows; row++)
		if (db_int(resync, row, SYNC_UID) >= uidnext)
		{
			numbers_add(&box->numbers, db_int(resync, row, SYNC_UID));
			notify_arrived(session, db_int(resync, row, SYNC_UID));
			arrived = true;
		}
	if (arrived)
		put(session, "* %" PRId64 " EXISTS\r\n* 0 RECENT\r\n", numbers_count(&box->numbers));
	for (int row = 1; row < rows; row++)
	{
		int64_t		uid = db_int(resync, row, SYNC_UID);
		int64_t		number = uid < uidnext ? numbers_number(&box->numbers, uid) : 0;

		if (number > 0 && db_int(resync, row, SYNC_MODSEQ) > told &&
			!is_answered(session, uid, db_int(resync, row, SYNC_MODSEQ)) &&
			(except == NULL || !uids_contain(except, uid)))
		{
			if (wants_flags)
				sync_put_fetch(session, number, session->condstore ? db_text(resync, row, SYNC_UID) : NULL,
							   db_text(resync, row, SYNC_FLAGS), db_text(resync, row, SYNC_MODSEQ));
			else
				untold = MIN(untold, db_int(resync, row, SYNC_MODSEQ));
		}
	}
	/* As with expunges: the next answer brings them again, until they are wanted. */
	box->withheld = untold <= highest;
	box->told = MIN(box->told, untold - 1);
	box->cursor = MIN(box->cursor, untold - 1);
}

/* Asks and tells.  Of anything but SYNC_TOLD the client hears nothing yet. */
Sync
sync_now(Session *session, Expunges expunges)
{
	Db		   *db = &session->db;

	if (!notify_wants_messages(session))
		return SYNC_UNWANTED;
	sync_queue(session);
	if (!db_run(db))
		return db_is_lost(db) ? SYNC_LOST : failed_as_gone(session) ? SYNC_DELETED : SYNC_LATER;
	if (is_renewed(db->results[0]))
		return SYNC_RENEWED;
	if (is_behind(db->results[0]))
		return SYNC_LATER;
	sync_tell(session, db->results[0], NULL, expunges);
	return notify_fetch(session) ? sync_now(session, expunges) : SYNC_TOLD;
}

/* The end of the session that cannot go on; nothing if it can */
void
sync_hang_up(Session *session, Sync sync)
{
	if (sync == SYNC_DELETED)
		hang_up(session, BOX_DELETED);
	if (sync == SYNC_RENEWED)
		hang_up(session, BOX_RENEWED);
	if (sync == SYNC_LOST)
		hang_up(session, DATABASE_LOST);
}

static void
finish(Session *session, Expunges expunges, bool done, const char *status,
	   const char *code, const char *text)
{
	char		highest[48];
	Sync		sync = SYNC_TOLD;

	if (session->state == STATE_SELECTED)
	{
		sync = sync_now(session, expunges);
		if (sync == SYNC_RENEWED && !done)
			sync_hang_up(session, sync);
		if (session->condstore && (sync != SYNC_TOLD || session->box.withheld || session->box.cursor < session->box.told))
		{
			snprintf(highest, sizeof(highest), "HIGHESTMODSEQ %" PRId64, session->box.cursor);
			if (code == NULL)
				code = highest;
			else
				put(session, "* OK [%s] Up to here you know all\r\n", highest);
		}
	}
	if (code)
		reply(session, "%s [%s] %s", status, code, text);
	else
		reply(session, "%s %s", status, text);
	sync_hang_up(session, sync);
}

/*
 * The end of a command that has read the open mailbox, or did nothing: asks,
 * tells, and sends the tagged response, of which code is the response code, or
 * NULL.  If UIDs name other messages now, then so may what has been read, and
 * the client gets no response to rely on.
 */
void
sync_finish(Session *session, Expunges expunges, const char *status,
			const char *code, const char *text)
{
	finish(session, expunges, false, status, code, text);
}

/*
 * The end of a command that has committed, or told of another mailbox.  That
 * is so whatever has become of the open one, and a client that does not hear
 * it would do it again: OK comes first.
 */
void
sync_done(Session *session, const char *code, const char *text)
{
	finish(session, EXPUNGES_TOLD, true, "OK", code, text);
}
