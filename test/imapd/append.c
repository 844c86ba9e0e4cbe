/*-------------------------------------------------------------------------
 *
 * append.c
 *	  APPEND.
 *
 * The message is here whole before the transaction begins.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "imapd.h"

void
cmd_append(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	Db		   *db = &session->db;
	GPtrArray  *flags = parse_array(parser);
	char	   *name;
	char	   *date = NULL;
	char	   *array;
	const char *data;
	size_t		length;
	int64_t		box;
	bool		done;
	char		code[64];
	ThreadKey	key;

	if (!parse_space(parser) || (name = parse_mailbox(parser)) == NULL || !parse_space(parser))
		return;
	if (parse_at(parser, '(') &&
		((flags = parse_flags(parser, true)) == NULL || !parse_space(parser)))
		return;
	if (parse_at(parser, '"') &&
		((date = parse_date_time(parser)) == NULL || !parse_space(parser)))
		return;
	if (!parse_literal(parser, &data, &length) || !parse_end(parser))
		return;
	if (length == 0 || memchr(data, '\0', length) != NULL)
	{
		reply(session, "NO [CANNOT] A message is not empty and has no NUL");
		return;
	}
	if (!mailbox_find(session, name, &box))
		return;
	if (box == 0)
	{
		reply(session, "NO [TRYCREATE] No such mailbox");
		return;
	}
	if (!flags_spell(session, flags, true))
		return;
	array = text_array(flags);
	key = thread_key(data, length);
	db_queue(db, SQL_BEGIN, "");
	db_queue(db, SQL_LOCK, "i", box);
	db_queue(db, SQL_APPEND, "issbss", box, array, date, data, length, key.ids, key.subject);
	db_queue(db, SQL_COMMIT, "");
	done = db_run(db);
	g_free(array);
	thread_key_free(&key);
	if (!done)
	{
		if (failed_as_gone(session))
			reply(session, "NO [TRYCREATE] The mailbox has just been deleted");
		else
			reply_failure(session);
		return;
	}
	snprintf(code, sizeof(code), "APPENDUID %" PRId64 " %s", db_int(db->results[1], 0, 0),
			 db_text(db->results[2], 0, 0));
	sync_done(session, code, "APPEND completed");
}
