/*-------------------------------------------------------------------------
 *
 * store.c
 *	  STORE and UID STORE, also UNCHANGEDSINCE (RFC 7162 section 3.1.3).
 *
 * One transaction, under the mailbox lock: judge, change, read what became of
 * it.  Without UNCHANGEDSINCE that is one round trip.
 *
 * Of many messages it costs much to ask afterwards what has become of each.  So
 * it is asked first, under the lock, whether the client knows all: then nothing
 * has changed but what this command has, all of it under one mod-sequence.
 *
 * A message has one mod-sequence for all its flags.  So that +FLAGS and -FLAGS
 * are not refused for flags that they do not name, these are compared with what
 * the client has been told of them (RFC 7162 section 3.1.12).
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "imapd.h"

typedef struct StoreCommand
{
	bool		conditional;
	uint64_t	since;
	Sql			sql;
	bool		silent;
	GPtrArray  *flags;
} StoreCommand;

/* What the transaction has found.  Sets that were not asked for are empty. */
typedef struct StoreResult
{
	Uids		modified;		/* changed since: not touched */
	Uids		foreign;		/* changed by others since the client was told */
	PGresult   *messages;		/* as they are now; NULL if they need not be told */
	PGresult   *resync;
	PGresult   *stored;			/* SQL_STORED, if resync is from before the change; or NULL */
} StoreResult;

/* Messages for which one more round trip is worth while */
#define MANY	1000

/* Of so many whose flags are not told the session does not remember them. */
#define MAX_REMEMBERED	5000

static bool
parse_store(Session *session, StoreCommand *store)
{
	Parser	   *parser = &session->parser;

	memset(store, 0, sizeof(*store));
	if (parse_char(parser, '('))
	{
		if (!parse_skip_word(parser, "UNCHANGEDSINCE") || !parse_space(parser) ||
			!parse_number(parser, INT64_MAX, &store->since) || !parse_char(parser, ')') ||
			!parse_space(parser))
			return parse_fail(parser, "Malformed modifiers of STORE");
		store->conditional = true;
	}
	store->sql = parse_char(parser, '+') ? SQL_STORE_ADD :
		parse_char(parser, '-') ? SQL_STORE_REMOVE : SQL_STORE_REPLACE;
	if (parse_skip_word(parser, "FLAGS.SILENT"))
		store->silent = true;
	else if (!parse_skip_word(parser, "FLAGS"))
		return parse_fail(parser, "FLAGS is missing");
	return parse_space(parser) && (store->flags = parse_flags(parser, false)) != NULL &&
		parse_end(parser);
}

static Uids
take_set(PGresult *result, int column)
{
	const char *text = db_text(result, 0, column);
	Uids		set;

	if (!uids_parse(&set, text ? text : "", UIDSET_NO_STAR))
		abort();
	return set;
}

/*
 * Which of the modified messages have only got, or lost, flags that this +FLAGS
 * or -FLAGS does not name?  To the command they are unchanged.
 *
 * That is known of those whose flags the session has told, up to UNCHANGEDSINCE
 * and not since.  The mailbox is locked.  False if the database has failed.
 */
static bool
spare_others_flags(Session *session, const StoreCommand *store, Uids *unchanged, Uids *modified)
{
	Db		   *db = &session->db;
	Uids		known = UIDS_INIT;
	Uids		spared = UIDS_INIT;
	bool		done = true;

	if (store->sql == SQL_STORE_REPLACE || store->since > (uint64_t) session->box.told)
		return true;
	for (int i = 0; i < modified->n; i++)
		for (int64_t uid = modified->ranges[i].lo; uid <= modified->ranges[i].hi; uid++)
			if (flags_are_known(session, uid, store->since))
				uids_add(&known, uid);
	if (known.n > 0)
	{
		char	   *text = uids_print(&known);

		db_queue(db, SQL_MESSAGES, "is", session->box.id, text);
		g_free(text);
		done = db_run(db);
	}
	for (int row = 0; done && known.n > 0 && row < PQntuples(db->results[0]); row++)
	{
		int64_t		uid = db_int(db->results[0], row, 0);

		if (flags_are_as_told(session, uid, db_text(db->results[0], row, 2), store->flags))
		{
			uids_add(&spared, uid);
			uids_add(unchanged, uid);
		}
	}
	uids_subtract(modified, &spared);
	uidset_builder_free(&known);
	uidset_builder_free(&spared);
	return done;
}

/* What a conditional STORE may change: *chosen, to be g_free()d.  False if the database has failed. */
static bool
choose(Session *session, const StoreCommand *store, const char *all, StoreResult *result, char **chosen)
{
	Db		   *db = &session->db;
	Uids		unchanged;
	bool		done;

	db_queue(db, SQL_UNCHANGED_SINCE, "isi", session->box.id, all, (int64_t) store->since);
	if (!db_run(db))
		return false;
	unchanged = take_set(db->results[db->nqueued - 1], 0);
	result->modified = take_set(db->results[db->nqueued - 1], 1);
	done = spare_others_flags(session, store, &unchanged, &result->modified);
	*chosen = uids_print(&unchanged);
	uidset_builder_free(&unchanged);
	return done;
}

/*
 * Does the client know all of the mailbox, which is locked?  Then it is told
 * nothing of others, and result->resync says so.  False if the database has
 * failed.
 */
static bool
find_alone(Session *session, StoreResult *result, bool *alone)
{
	Db		   *db = &session->db;
	const PGresult *resync;

	sync_queue(session);
	if (!db_run(db))
		return false;
	resync = db->results[db->nqueued - 1];
	*alone = PQntuples(resync) == 1 && strcmp(db_text(resync, 0, SYNC_VERDICT), "ok") == 0 &&
		*db_text(resync, 0, SYNC_VANISHED) == '\0';
	if (*alone)
		result->resync = db_take(db, db->nqueued - 1);
	return true;
}

/* Changes many messages of which nobody else has changed any. */
static bool
store_alone(Session *session, const StoreCommand *store, const Uids *set, const char *all,
			const char *array, StoreResult *result)
{
	Db		   *db = &session->db;
	Selected   *box = &session->box;
	bool		flags = !store->silent || uids_count(set) < MAX_REMEMBERED;

	db_queue(db, store->sql, "iiss", box->id, box->uidvalidity, all, array);
	db_queue(db, SQL_STORED, "iisi", box->id, box->told, all, (int64_t) (session->condstore && !flags));
	if (flags)
		db_queue(db, SQL_FLAGS, "is", box->id, all);
	db_queue(db, SQL_COMMIT, "");
	if (!db_run(db))
		return false;
	result->stored = db_take(db, 1);
	if (flags)
		result->messages = db_take(db, 2);
	return true;
}

/* Changes messages, and finds what others have. */
static bool
store_among_others(Session *session, const StoreCommand *store, const char *all, const char *chosen,
				   const char *array, StoreResult *result)
{
	Db		   *db = &session->db;
	Selected   *box = &session->box;
	int			first = db->answered ? 0 : db->nqueued;

	db_queue(db, SQL_FOREIGN, "iis", box->id, box->told, all);
	db_queue(db, store->sql, "iiss", box->id, box->uidvalidity, chosen, array);
	db_queue(db, SQL_FLAGS, "is", box->id, all);
	db_queue(db, SQL_RESYNC_OTHERS, "iiis", box->id, box->uidvalidity, box->cursor, all);
	db_queue(db, SQL_COMMIT, "");
	if (!db_run(db))
		return false;
	result->foreign = take_set(db->results[first], 0);
	result->messages = db_take(db, first + 2);
	result->resync = db_take(db, first + 3);
	return true;
}

/* One attempt */
static bool
try_store(Session *session, const StoreCommand *store, const Uids *set, StoreResult *result)
{
	Db		   *db = &session->db;
	Selected   *box = &session->box;
	char	   *all = uids_print(set);
	char	   *chosen = NULL;
	char	   *array = text_array(store->flags);
	bool		alone = false;
	bool		done = true;

	db_queue(db, SQL_BEGIN, "");
	if (store->conditional)
		done = choose(session, store, all, result, &chosen);
	else
	{
		db_queue(db, SQL_LOCK, "i", box->id);
		if (uids_count(set) >= MANY && box->cursor == box->told)
			done = find_alone(session, result, &alone);
	}
	if (done && alone)
		done = store_alone(session, store, set, all, array, result);
	else if (done)
		done = store_among_others(session, store, all, chosen ? chosen : all, array, result);
	g_free(all);
	g_free(chosen);
	g_free(array);
	return done;
}

static void
free_result(StoreResult *result)
{
	uidset_builder_free(&result->modified);
	uidset_builder_free(&result->foreign);
	PQclear(result->messages);
	PQclear(result->resync);
	PQclear(result->stored);
	*result = (StoreResult) {UIDS_INIT, UIDS_INIT};
}

/*
 * A FETCH for each message of the command.  Without .SILENT it has the flags.
 * With .SILENT these are known to the client, unless others have changed them
 * too; but once CONDSTORE is enabled it needs the mod-sequence.
 */
static void
put_messages(Session *session, bool uid, const StoreCommand *store, const StoreResult *result)
{
	for (int row = 0; row < PQntuples(result->messages); row++)
	{
		const char *modseq = db_text(result->messages, row, 1);
		uint32_t	id = db_int(result->messages, row, 0);
		bool		flags = !store->silent || uids_contain(&result->foreign, id) ||
			uids_contain(&result->modified, id);
		bool		changed = db_int(result->messages, row, 1) > session->box.told;

		if (flags || (session->condstore && (store->conditional || changed)))
			sync_put_fetch(session, numbers_number(&session->box.numbers, id),
						   uid || session->condstore ? db_text(result->messages, row, 0) : NULL,
						   flags ? db_text(result->messages, row, 2) : NULL, modseq);
		if (!flags)
			flags_told(session, id, db_int(result->messages, row, 1), db_text(result->messages, row, 2));
	}
}

/* The same of messages that were not read again: all that have changed have this mod-sequence now. */
static void
put_modseqs(Session *session, const Uids *set, const StoreResult *result)
{
	const char *modseq = db_text(result->stored, 0, 0);
	Uids		changed = take_set(result->stored, 1);

	flags_forget_some(session, set);
	for (int i = 0; i < changed.n; i++)
		for (int64_t id = changed.ranges[i].lo; id <= changed.ranges[i].hi; id++)
		{
			char		text[24];

			snprintf(text, sizeof(text), "%" PRId64, id);
			sync_put_fetch(session, numbers_number(&session->box.numbers, id), text, NULL, modseq);
		}
	uidset_builder_free(&changed);
}

/* Tells what the command has found.  Are some of its messages gone? */
static bool
put_result(Session *session, bool uid, const StoreCommand *store, const Uids *set, const StoreResult *result)
{
	Selected   *box = &session->box;
	bool		some_gone = result->messages && PQntuples(result->messages) < uids_count(set);

	sync_same(session, result->resync);
	if (result->messages)
		put_messages(session, uid, store, result);
	else
		put_modseqs(session, set, result);
	sync_tell(session, result->resync, set, uid ? EXPUNGES_TOLD : EXPUNGES_WITHHELD);
	if (result->stored)
		box->told = box->cursor = db_int(result->stored, 0, 0);
	return some_gone;
}

/* The tagged response; some is set if messages of the command are gone. */
static void
finish_store(Session *session, bool uid, const StoreResult *result, bool some)
{
	bool		withheld = session->condstore && session->box.cursor < session->box.told;
	bool		failed = some && !uid;
	Uids		set = UIDS_INIT;

	/* Only one response code fits into the tagged response. */
	if (withheld && (result->modified.n > 0 || failed))
		put(session, "* OK [HIGHESTMODSEQ %" PRId64 "] Expunges are withheld\r\n",
			session->box.cursor);
	if (result->modified.n > 0)
	{
		char	   *text;

		if (uid)
			text = uids_print(&result->modified);
		else
		{
			set = numbers_from_uids(&session->box.numbers, &result->modified);
			text = uids_print(&set);
			uidset_builder_free(&set);
		}
		reply(session, "%s [MODIFIED %s] Some were changed by others", failed ? "NO" : "OK", text);
		g_free(text);
	}
	else if (failed)
		reply(session, "NO [EXPUNGEISSUED] Some of the messages are gone");
	else if (withheld)
		reply(session, "OK [HIGHESTMODSEQ %" PRId64 "] STORE completed", session->box.cursor);
	else
		reply(session, "OK STORE completed");
}

void
cmd_store(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	Db		   *db = &session->db;
	StoreCommand store;
	StoreResult result = {UIDS_INIT, UIDS_INIT};
	char	   *text;
	Uids		set;
	int			attempt = 0;
	bool		some_gone;

	if (!parse_space(parser) || (text = parse_set(parser, true)) == NULL ||
		!parse_space(parser) || !parse_store(session, &store) ||
		!command_set(session, text, uid, &set))
		return;
	if (session->box.read_only)
	{
		reply(session, "NO [READ-ONLY] The mailbox is open for reading");
		uidset_builder_free(&set);
		return;
	}
	if (store.conditional)
		session_condstore(session);
	if (!flags_spell(session, store.flags, store.sql != SQL_STORE_REMOVE))
	{
		uidset_builder_free(&set);
		return;
	}
	while (!try_store(session, &store, &set, &result))
	{
		free_result(&result);
		if (!db_retry(db, &attempt))
		{
			box_failure(session);
			uidset_builder_free(&set);
			return;
		}
	}
	some_gone = put_result(session, uid, &store, &set, &result);
	finish_store(session, uid, &result, some_gone);
	uidset_builder_free(&set);
	free_result(&result);
}
