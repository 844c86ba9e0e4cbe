/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  FETCH and UID FETCH, also CHANGEDSINCE and VANISHED.
 *
 * The rows of some thousand messages at a time are read, each time in a
 * snapshot of its own; what has changed meanwhile is told by the sync that ends the
 * command, so that no change hides below a mod-sequence that was sent.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "fetch.h"

/* Rows that are in memory at a time */
#define WINDOW	5000

/* Rows of SQL_MESSAGES, and what this command has changed of them */
typedef struct Rows
{
	const FetchCommand *fetch;
	PGresult   *rows;
	PGresult   *seen;			/* rows that got \Seen: uid, modseq, flags; or NULL */
	int			next_seen;
	bool		some_gone;		/* was one gone before its octets were read? */
} Rows;

static void
put_item_label(Session *session, const char **space, const char *label)
{
	put(session, "%s%s ", *space, label);
	*space = " ";
}

static void
put_section(Session *session, const Item *item, Message *message)
{
	const char *data = NULL;
	size_t		length = 0;
	GString    *fields = NULL;
	bool		found;

	if (item->section.kind == SECTION_FIELDS || item->section.kind == SECTION_FIELDS_NOT)
	{
		fields = g_string_new(NULL);
		found = message_section(message, &item->section, fields);
		data = fields->str;
		length = fields->len;
	}
	else
		found = message_range(message, &item->section, &data, &length);
	if (!found)
		put(session, "NIL");
	else if (!item->partial)
		put_literal(session, data, length);
	else if (item->from >= length)
		put(session, "\"\"");
	else
		put_literal(session, data + item->from, MIN(item->count, length - item->from));
	if (fields)
		g_string_free(fields, true);
}

static void
put_item(Session *session, const Item *item, PGresult *rows, int row,
		 const char *flags, Message *message, const char **space)
{
	GString    *text = g_string_new(NULL);

	switch (item->kind)
	{
		case ITEM_FLAGS:
			{
				char	   *safe = flags_safe(flags);

				put_item_label(session, space, "FLAGS");
				g_string_printf(text, "(%s)", safe);
				g_free(safe);
				break;
			}
		case ITEM_INTERNALDATE:
			put_item_label(session, space, "INTERNALDATE");
			g_string_printf(text, "\"%s +0000\"", db_text(rows, row, 4));
			break;
		case ITEM_SIZE:
			put_item_label(session, space, "RFC822.SIZE");
			g_string_assign(text, db_text(rows, row, 3));
			break;
		case ITEM_ENVELOPE:
			put_item_label(session, space, "ENVELOPE");
			structure_envelope(message->gmime, text);
			break;
		case ITEM_BODY:
		case ITEM_BODYSTRUCTURE:
			put_item_label(session, space, item->kind == ITEM_BODY ? "BODY" : "BODYSTRUCTURE");
			structure_body(message, message->root, item->kind == ITEM_BODYSTRUCTURE, text);
			break;
		case ITEM_SECTION:
			put_item_label(session, space, item->label);
			put_section(session, item, message);
			break;
	}
	put_bytes(session, text->str, text->len);
	g_string_free(text, true);
}

/* The row of this message among those that got \Seen, which come in order; -1 if it did not */
static int
find_seen(Rows *state, int64_t uid)
{
	while (state->seen && state->next_seen < PQntuples(state->seen) &&
		   db_int(state->seen, state->next_seen, 0) < uid)
		state->next_seen++;
	return state->seen && state->next_seen < PQntuples(state->seen) &&
		db_int(state->seen, state->next_seen, 0) == uid ? state->next_seen : -1;
}

/* A ContentFunction; raw is NULL if the message is gone, and also if no item needs it */
static void
put_message(Session *session, PGresult *rows, int row, const char *raw, size_t length, void *arg)
{
	Rows	   *state = arg;
	const FetchCommand *fetch = state->fetch;
	int64_t		uid = db_int(rows, row, 0);
	int64_t		number = numbers_number(&session->box.numbers, uid);
	int			seen = find_seen(state, uid);
	const char *modseq = seen < 0 ? db_text(rows, row, 1) : db_text(state->seen, seen, 1);
	const char *flags = seen < 0 ? db_text(rows, row, 2) : db_text(state->seen, seen, 2);
	bool		flags_put = false;
	const char *space = "";
	Message    *message = NULL;

	if (raw == NULL && (fetch->raw || fetch->header))
	{
		state->some_gone = true;
		return;
	}
	if (raw)
		message = message_parse(raw, length);
	for (guint i = 0; i < fetch->items->len; i++)
		flags_put |= g_array_index(fetch->items, Item, i).kind == ITEM_FLAGS;
	if (flags_put || seen >= 0)
	{
		flags_announce(session, flags);
		flags_told(session, uid, strtoll(modseq, NULL, 10), flags);
	}
	put(session, "* %" PRId64 " FETCH (", number);
	if (fetch->uid || (seen >= 0 && session->condstore))
	{
		put(session, "UID %" PRId64, uid);
		space = " ";
	}
	for (guint i = 0; i < fetch->items->len; i++)
	{
		const Item *item = &g_array_index(fetch->items, Item, i);

		put_item(session, item, rows, row, flags, message, &space);
	}
	/* \Seen that came by this command */
	if (seen >= 0)
	{
		Item		item = {.kind = ITEM_FLAGS};

		if (!flags_put)
			put_item(session, &item, rows, row, flags, message, &space);
		sync_answered(session, uid, db_int(state->seen, seen, 1));
	}
	if (fetch->modseq || (seen >= 0 && session->condstore))
		put(session, "%sMODSEQ (%s)", space, modseq);
	put(session, ")\r\n");
	if (message)
		message_free(message);
}

/* Sets \Seen where it is not.  state->seen is NULL if it is everywhere. */
static bool
set_seen(Session *session, Rows *state)
{
	Db		   *db = &session->db;
	Uids		set = UIDS_INIT;
	char	   *text;
	bool		done;

	for (int row = 0; row < PQntuples(state->rows); row++)
		if (!flags_have(db_text(state->rows, row, 2), "\\Seen"))
			uids_add(&set, db_int(state->rows, row, 0));
	if (set.n == 0)
		return true;
	text = uids_print(&set);
	uidset_builder_free(&set);
	db_queue(db, SQL_BEGIN, "");
	db_queue(db, SQL_LOCK, "i", session->box.id);
	db_queue(db, SQL_SEEN, "iis", session->box.id, session->box.uidvalidity, text);
	db_queue(db, SQL_COMMIT, "");
	g_free(text);
	done = db_run(db);
	if (done)
		state->seen = db_take(db, 2);
	return done;
}

/* Reads and puts the messages of a set.  False if the database has failed. */
static bool
fetch_window(Session *session, const FetchCommand *fetch, const Uids *set, int64_t *found, bool *some_gone)
{
	Db		   *db = &session->db;
	char	   *text = uids_print(set);
	Rows		state = {.fetch = fetch};
	bool		done;

	if (fetch->changed_only)
		db_queue(db, SQL_CHANGED, "isi", session->box.id, text, (int64_t) fetch->since);
	else
		db_queue(db, SQL_MESSAGES, "is", session->box.id, text);
	g_free(text);
	if (!db_run(db))
		return false;
	state.rows = db_take(db, 0);
	*found += PQntuples(state.rows);
	done = !fetch->seen || session->box.read_only || set_seen(session, &state);
	if (done && (fetch->raw || fetch->header))
	{
		GArray	   *which = g_array_new(false, false, sizeof(int));

		for (int row = 0; row < PQntuples(state.rows); row++)
			g_array_append_val(which, row);
		done = content_each(session, state.rows, which, !fetch->raw, put_message, &state);
		g_array_unref(which);
	}
	else if (done)
		for (int row = 0; row < PQntuples(state.rows); row++)
			put_message(session, state.rows, row, NULL, 0, &state);
	*some_gone |= state.some_gone;
	PQclear(state.rows);
	PQclear(state.seen);
	return done;
}

/*
 * The FETCH that NOTIFY has asked for, of new messages.  It sets no \Seen, as
 * nobody has read them.  False if the database has failed.
 */
bool
fetch_arrived(Session *session, FetchCommand *fetch, const Uids *uids)
{
	int64_t		found = 0;
	bool		some_gone = false;

	fetch->seen = false;
	fetch->uid |= session->condstore;
	fetch->modseq |= session->condstore;
	return uids->n == 0 || fetch_window(session, fetch, uids, &found, &some_gone);
}

/*
 * VANISHED (EARLIER), of the set where '*' is UIDNEXT - 1.  What the client
 * still counts as there is told at the end of the command, without EARLIER,
 * since that changes message numbers (RFC 7162 section 3.2.10).
 */
static bool
put_vanished(Session *session, const char *text, uint64_t since)
{
	Selected   *box = &session->box;
	Uids		set;
	Uids		vanished;
	char	   *uids;
	bool		done;

	if (strcmp(text, "*") == 0)
		return true;			/* the last message there is */
	if (!uids_parse(&set, text, box->uidnext - 1))
		abort();
	uids = uids_print(&set);
	uidset_builder_free(&set);
	db_queue(&session->db, SQL_VANISHED, "iis", box->id, (int64_t) since, uids);
	g_free(uids);
	done = db_run(&session->db);
	if (!done)
		return false;
	if (!uids_parse(&vanished, db_text(session->db.results[0], 0, 0), UIDSET_NO_STAR))
		abort();
	uids_subtract(&vanished, &box->numbers.uids);
	if (vanished.n > 0)
	{
		uids = uids_print(&vanished);
		put(session, "* VANISHED (EARLIER) %s\r\n", uids);
		g_free(uids);
	}
	uidset_builder_free(&vanished);
	return true;
}

/* Mod-sequences may have been told that are above changes that have not. */
static void
fetch_failure(Session *session)
{
	if (session->condstore)
		put(session, "* OK [HIGHESTMODSEQ %" PRId64 "] Up to here you know all\r\n",
			session->box.cursor);
	box_failure(session);
}

static void
run_fetch(Session *session, bool uid, const FetchCommand *fetch, const char *text, const Uids *set)
{
	int64_t		count = uids_count(set);

	/* Of a large set few messages have changed */
	int64_t		step = fetch->changed_only ? count : WINDOW;
	int64_t		found = 0;
	bool		some_gone = false;
	Expunges	expunges = uid ? EXPUNGES_TOLD : EXPUNGES_WITHHELD;

	if (fetch->modseq)
		session_condstore(session);
	if (fetch->changed_only && !sync_reached(session, fetch->since))
		return;
	if (fetch->vanished && !put_vanished(session, text, fetch->since))
	{
		box_failure(session);
		return;
	}
	for (int64_t at = 0; at < count; at += step)
	{
		Uids		window = uids_first(set, at, step);
		bool		done = fetch_window(session, fetch, &window, &found, &some_gone);

		uidset_builder_free(&window);
		if (!done)
		{
			fetch_failure(session);
			return;
		}
	}
	if (some_gone || (!uid && !fetch->changed_only && found < count))
		sync_finish(session, expunges, "NO", "EXPUNGEISSUED", "Some of the messages are gone");
	else
		sync_finish(session, expunges, "OK", NULL, "FETCH completed");
}

void
cmd_fetch(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	FetchCommand fetch;
	char	   *text;
	Uids		set;

	if (!parse_space(parser) || (text = parse_set(parser, true)) == NULL || !parse_space(parser))
		return;
	if (fetch_parse(session, uid, &fetch) && command_set(session, text, uid, &set))
	{
		run_fetch(session, uid, &fetch, text, &set);
		uidset_builder_free(&set);
	}
	fetch_free(&fetch);
}
