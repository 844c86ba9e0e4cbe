/*-------------------------------------------------------------------------
 *
 * append.c
 *	  APPEND, of one message or several (RFC 3502).
 *
 * All of them are here whole before the transaction begins, and go in by one
 * INSERT under the mailbox's lock: all or none, with UIDs in a row.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "imapd.h"

/* A message as the command has it */
typedef struct Appended
{
	GPtrArray  *flags;
	char	   *date;			/* or NULL */
	const char *data;
	size_t		length;
} Appended;

/* [flags SP] [date-time SP] literal */
static bool
parse_message(Parser *parser, Appended *message)
{
	message->flags = parse_array(parser);
	message->date = NULL;
	if (parse_at(parser, '(') &&
		((message->flags = parse_flags(parser, true)) == NULL || !parse_space(parser)))
		return false;
	if (parse_at(parser, '"') &&
		((message->date = parse_date_time(parser)) == NULL || !parse_space(parser)))
		return false;
	return parse_literal(parser, &message->data, &message->length);
}

/* False after replying why not.  An empty one is how a client thinks better of it (RFC 3502 section 6.3.11). */
static bool
check_messages(Session *session, const GArray *messages)
{
	for (guint i = 0; i < messages->len; i++)
	{
		const Appended *message = &g_array_index(messages, Appended, i);

		if (message->length == 0 || memchr(message->data, '\0', message->length) != NULL)
		{
			reply(session, "NO [CANNOT] A message is not empty and has no NUL");
			return false;
		}
	}
	return true;
}

/* False if the database has failed. */
static bool
insert(Session *session, int64_t box, const GArray *messages)
{
	Db		   *db = &session->db;
	Batch		batch;
	bool		done;

	batch_init(&batch);
	for (guint i = 0; i < messages->len; i++)
	{
		const Appended *message = &g_array_index(messages, Appended, i);
		char	   *flags = text_array(message->flags);

		batch_add(&batch, message->data, message->length, flags, message->date);
		g_free(flags);
	}
	db_queue(db, SQL_BEGIN, "");
	db_queue(db, SQL_LOCK, "i", box);
	batch_queue(&batch, db, box);
	db_queue(db, SQL_COMMIT, "");
	done = db_run(db);
	batch_free(&batch);
	return done;
}

/* APPENDUID, with as many UIDs as messages (RFC 4315 section 3) */
static void
finish(Session *session, int64_t box)
{
	PGresult   *result = session->db.results[2];
	int64_t		uidvalidity = db_int(session->db.results[1], 0, 0);
	Uids		uids = UIDS_INIT;
	char	   *text;
	char	   *code;

	for (int row = 0; row < PQntuples(result); row++)
	{
		uidset_builder_add(&uids, db_int(result, row, 0), db_int(result, row, 0));
		notify_appended(session, box, db_int(result, row, 0));
	}
	uidset_builder_finish(&uids);
	text = uids_print(&uids);
	code = g_strdup_printf("APPENDUID %" PRId64 " %s", uidvalidity, text);
	uidset_builder_free(&uids);
	sync_done(session, code, "APPEND completed");
	g_free(code);
	g_free(text);
}

static void
append(Session *session, const char *name, const GArray *messages)
{
	int64_t		box;

	if (!check_messages(session, messages) || !mailbox_find(session, name, &box))
		return;
	if (box == 0)
	{
		reply(session, "NO [TRYCREATE] No such mailbox");
		return;
	}
	for (guint i = 0; i < messages->len; i++)
		if (!flags_spell(session, g_array_index(messages, Appended, i).flags, true))
			return;
	if (insert(session, box, messages))
		finish(session, box);
	else if (failed_as_gone(session))
		reply(session, "NO [TRYCREATE] The mailbox has just been deleted");
	else
		reply_failure(session);
}

void
cmd_append(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	GArray	   *messages = g_array_new(false, false, sizeof(Appended));
	Appended	message;
	char	   *name;
	bool		parsed;

	parsed = parse_space(parser) && (name = parse_mailbox(parser)) != NULL && parse_space(parser);
	while (parsed)
	{
		parsed = parse_message(parser, &message);
		if (parsed)
			g_array_append_val(messages, message);
		if (!parse_char(parser, ' '))
			break;
	}
	if (parsed && parse_end(parser))
		append(session, name, messages);
	g_array_unref(messages);
}
