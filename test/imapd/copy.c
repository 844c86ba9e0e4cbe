/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  COPY, MOVE (RFC 6851), EXPUNGE and UID EXPUNGE.
 *
 * Each is one transaction that begins with the lock of all its mailboxes.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "imapd.h"

/* A message's old and new UID */
typedef struct Pair
{
	uint32_t	from;
	uint32_t	to;
} Pair;

static int
compare_pairs(const void *a, const void *b)
{
	const Pair *left = a;
	const Pair *right = b;

	return left->from < right->from ? -1 : left->from > right->from;
}

/* One side of COPYUID, in the order of the pairs: a range only where UIDs follow each other */
static void
append_side(GString *text, const Pair *pairs, int n, bool to)
{
	for (int i = 0; i < n;)
	{
		uint32_t	first = to ? pairs[i].to : pairs[i].from;
		int			run = 1;

		while (i + run < n && (to ? pairs[i + run].to : pairs[i + run].from) == first + run)
			run++;
		g_string_append_printf(text, i == 0 ? "%u" : ",%u", first);
		if (run > 1)
			g_string_append_printf(text, ":%u", first + run - 1);
		i += run;
	}
}

/* COPYUID of RFC 4315; the caller g_free()s it */
static char *
copyuid(int64_t uidvalidity, Pair *pairs, int n)
{
	GString    *text = g_string_new(NULL);

	qsort(pairs, n, sizeof(Pair), compare_pairs);
	g_string_printf(text, "COPYUID %" PRId64 " ", uidvalidity);
	append_side(text, pairs, n, false);
	g_string_append_c(text, ' ');
	append_side(text, pairs, n, true);
	return g_string_free(text, false);
}

/* The copies are the session's own. */
static void
note_copies(Session *session, int64_t target, const Pair *pairs, int n)
{
	for (int i = 0; i < n; i++)
		notify_appended(session, target, pairs[i].to);
}

/* The target's UIDVALIDITY, out of SQL_LOCK_TWO */
static int64_t
target_uidvalidity(const PGresult *locked)
{
	return db_int(locked, PQntuples(locked) - 1, 1);
}

/*
 * Copies the set, of the UIDs in it that are there.  Unless partly, only if
 * that is all of them: false with nothing copied, and no pairs, otherwise.
 */
static bool
copy_set(Session *session, int64_t target, const Uids *set, bool partly,
		 GArray *pairs, int64_t *uidvalidity)
{
	Db		   *db = &session->db;
	const Selected *box = &session->box;
	char	   *text = uids_print(set);
	int			attempt = 0;
	bool		done;

	do
	{
		db_queue(db, SQL_BEGIN, "");
		db_queue(db, SQL_LOCK_TWO, "ii", box->id, target);
		db_queue(db, SQL_MESSAGES, "is", box->id, text);
		db_queue(db, SQL_COPY, "iisi", box->id, box->uidvalidity, text, target);
		done = db_run(db);
		if (done)
		{
			PGresult   *from = db->results[2];
			PGresult   *to = db->results[3];

			*uidvalidity = target_uidvalidity(db->results[1]);
			g_array_set_size(pairs, 0);
			if (partly || PQntuples(to) == uids_count(set))
				for (int i = 0; i < PQntuples(to); i++)
				{
					Pair		pair = {db_int(from, i, 0), db_int(to, i, 0)};

					g_array_append_val(pairs, pair);
				}
			db_queue(db, pairs->len > 0 ? SQL_COMMIT : SQL_ROLLBACK, "");
			done = db_run(db);
		}
	} while (!done && db_retry(db, &attempt));
	g_free(text);
	return done;
}

/*
 * The database has failed a command on the open mailbox and another one.
 * Which of them is gone, if one is, the error does not say.
 */
static void
target_failure(Session *session, int64_t target)
{
	Db		   *db = &session->db;
	bool		box_there = false;
	bool		target_there = false;

	if (!failed_as_gone(session))
	{
		box_failure(session);
		return;
	}
	db_queue(db, SQL_WHICH, "ii", session->box.id, target);
	if (!db_run(db))
	{
		box_failure(session);
		return;
	}
	for (int row = 0; row < PQntuples(db->results[0]); row++)
	{
		box_there |= db_int(db->results[0], row, 0) == session->box.id;
		target_there |= db_int(db->results[0], row, 0) == target;
	}
	if (!box_there)
		hang_up(session, BOX_DELETED);
	if (!target_there)
		reply(session, "NO [TRYCREATE] The mailbox has just been deleted");
	else
		reply(session, "NO [INUSE] The mailbox is busy, try again");
}

/* Parses "set mailbox", and finds both.  False after replying why not. */
static bool
parse_target(Session *session, bool uid, Uids *set, int64_t *target)
{
	Parser	   *parser = &session->parser;
	char	   *text;
	char	   *name;

	if (!parse_space(parser) || (text = parse_set(parser, true)) == NULL ||
		!parse_space(parser) || (name = parse_mailbox(parser)) == NULL || !parse_end(parser) ||
		!command_set(session, text, uid, set))
		return false;
	if (!mailbox_find(session, name, target))
	{
		uidset_builder_free(set);
		return false;
	}
	if (*target == 0)
	{
		reply(session, "NO [TRYCREATE] No such mailbox");
		uidset_builder_free(set);
		return false;
	}
	return true;
}

void
cmd_copy(Session *session, bool uid)
{
	Uids		set;
	int64_t		target;
	int64_t		uidvalidity;
	GArray	   *pairs;

	if (!parse_target(session, uid, &set, &target))
		return;
	pairs = g_array_new(false, false, sizeof(Pair));
	if (!copy_set(session, target, &set, uid, pairs, &uidvalidity))
		target_failure(session, target);
	else if (pairs->len > 0)
	{
		char	   *code = copyuid(uidvalidity, (Pair *) pairs->data, pairs->len);

		note_copies(session, target, (Pair *) pairs->data, pairs->len);
		sync_done(session, code, "COPY completed");
		g_free(code);
	}
	else if (uid || set.n == 0)
		sync_finish(session, EXPUNGES_TOLD, "OK", NULL, "No messages to copy");
	else
		sync_finish(session, EXPUNGES_TOLD, "NO", "EXPUNGEISSUED", "Some of the messages are gone");
	g_array_unref(pairs);
	uidset_builder_free(&set);
}

/* The transaction of a MOVE; its last result but one is resync's. */
static bool
move_set(Session *session, int64_t target, const Uids *set)
{
	Db		   *db = &session->db;
	const Selected *box = &session->box;
	char	   *text = uids_print(set);

	db_queue(db, SQL_BEGIN, "");
	db_queue(db, SQL_LOCK_TWO, "ii", box->id, target);
	if (box->id == target)
		db_queue(db, SQL_MOVE_WITHIN, "iis", box->id, box->uidvalidity, text);
	else
		db_queue(db, SQL_MOVE, "iisi", box->id, box->uidvalidity, text, target);
	sync_queue(session);
	db_queue(db, SQL_COMMIT, "");
	g_free(text);
	return db_run(db);
}

void
cmd_move(Session *session, bool uid)
{
	Db		   *db = &session->db;
	Uids		set;
	int64_t		target;

	if (!parse_target(session, uid, &set, &target))
		return;
	if (session->box.read_only)
		reply(session, "NO [READ-ONLY] The mailbox is open for reading");
	else if (!move_set(session, target, &set))
		target_failure(session, target);
	else
	{
		PGresult   *moved = db->results[2];
		int			n = PQntuples(moved);

		if (n > 0)
		{
			Pair	   *pairs = g_new(Pair, n);
			char	   *code;

			for (int i = 0; i < n; i++)
				pairs[i] = (Pair) {db_int(moved, i, 0), db_int(moved, i, 1)};
			code = copyuid(target_uidvalidity(db->results[1]), pairs, n);
			note_copies(session, target, pairs, n);
			put(session, "* OK [%s] Moved\r\n", code);
			g_free(code);
			g_free(pairs);
		}
		sync_tell(session, db->results[3], NULL, EXPUNGES_TOLD);
		if (n > 0)
			reply(session, "OK [HIGHESTMODSEQ %" PRId64 "] MOVE completed", session->box.cursor);
		else if (uid || set.n == 0)
			reply(session, "OK No messages to move");
		else
			reply(session, "NO [EXPUNGEISSUED] The messages are gone");
	}
	uidset_builder_free(&set);
}

/* EXPUNGE, and UID EXPUNGE of RFC 4315 */
void
cmd_expunge(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	Db		   *db = &session->db;
	const Selected *box = &session->box;
	char	   *text = NULL;
	Uids		set = UIDS_INIT;

	if (uid && (!parse_space(parser) || (text = parse_set(parser, true)) == NULL))
		return;
	if (!parse_end(parser) || (uid && !command_set(session, text, true, &set)))
		return;
	if (session->box.read_only)
	{
		reply(session, "NO [READ-ONLY] The mailbox is open for reading");
		uidset_builder_free(&set);
		return;
	}
	text = uids_print(&set);
	db_queue(db, SQL_BEGIN, "");
	db_queue(db, SQL_LOCK, "i", box->id);
	if (uid)
		db_queue(db, SQL_UID_EXPUNGE, "iis", box->id, box->uidvalidity, text);
	else
		db_queue(db, SQL_EXPUNGE, "ii", box->id, box->uidvalidity);
	sync_queue(session);
	db_queue(db, SQL_COMMIT, "");
	g_free(text);
	uidset_builder_free(&set);
	if (!db_run(db))
	{
		box_failure(session);
		return;
	}
	sync_tell(session, db->results[3], NULL, EXPUNGES_TOLD);
	if (session->condstore && strcmp(PQcmdTuples(db->results[2]), "0") != 0)
		reply(session, "OK [HIGHESTMODSEQ %" PRId64 "] EXPUNGE completed", session->box.cursor);
	else
		reply(session, "OK EXPUNGE completed");
}
