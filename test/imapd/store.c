/*-------------------------------------------------------------------------
 *
 * store.c
 *	  STORE and UID STORE, also UNCHANGEDSINCE (RFC 7162 section 3.1.3).
 *
 * One transaction, under the mailbox lock: judge, change, read what became of
 * it.  Without UNCHANGEDSINCE that is one round trip.
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
	PGresult   *messages;		/* as they are now */
	PGresult   *resync;
} StoreResult;

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

/* One attempt */
static bool
try_store(Session *session, const StoreCommand *store, const Uids *set, StoreResult *result)
{
	Db		   *db = &session->db;
	int64_t		box = session->box.id;
	int64_t		uidvalidity = session->box.uidvalidity;
	char	   *all = uids_print(set);
	char	   *chosen = NULL;
	char	   *array = text_array(store->flags);
	int			first = 2;
	bool		done;

	db_queue(db, SQL_BEGIN, "");
	if (!store->conditional)
		db_queue(db, SQL_LOCK, "i", box);
	else
	{
		db_queue(db, SQL_UNCHANGED_SINCE, "isi", box, all, (int64_t) store->since);
		done = db_run(db);
		if (done)
		{
			Uids		unchanged = take_set(db->results[1], 0);

			result->modified = take_set(db->results[1], 1);
			done = spare_others_flags(session, store, &unchanged, &result->modified);
			chosen = uids_print(&unchanged);
			uidset_builder_free(&unchanged);
			first = 0;
		}
		if (!done)
			goto out;
	}
	db_queue(db, SQL_FOREIGN, "iis", box, session->box.told, all);
	db_queue(db, store->sql, "iiss", box, uidvalidity, chosen ? chosen : all, array);
	db_queue(db, SQL_MESSAGES, "is", box, all);
	sync_queue(session);
	db_queue(db, SQL_COMMIT, "");
	done = db_run(db);
	if (done)
	{
		result->foreign = take_set(db->results[first], 0);
		result->messages = db_take(db, first + 2);
		result->resync = db_take(db, first + 3);
	}
out:
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
	StoreResult result = {UIDS_INIT, UIDS_INIT, NULL, NULL};
	char	   *text;
	Uids		set;
	int			attempt = 0;
	int64_t		found;

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
		result = (StoreResult) {UIDS_INIT, UIDS_INIT, NULL, NULL};
		if (!db_retry(db, &attempt))
		{
			box_failure(session);
			uidset_builder_free(&set);
			return;
		}
	}
	found = PQntuples(result.messages);
	sync_same(session, result.resync);
	put_messages(session, uid, &store, &result);
	sync_tell(session, result.resync, &set, uid ? EXPUNGES_TOLD : EXPUNGES_WITHHELD);
	finish_store(session, uid, &result, found < uids_count(&set));
	uidset_builder_free(&set);
	free_result(&result);
}
