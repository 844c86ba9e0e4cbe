/*-------------------------------------------------------------------------
 *
 * status.c
 *	  STATUS, and what LIST RETURN (STATUS ...) needs of it (RFC 5819).
 *
 * Of any number of mailboxes in one query, and so in one snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"

typedef enum Item
{
	MESSAGES = 1, RECENT = 2, UIDNEXT = 4, UIDVALIDITY = 8, UNSEEN = 16,
	DELETED = 32, SIZE = 64, HIGHESTMODSEQ = 128
} Item;

/* In the order that they are told in, each with its column of SQL_STATUS */
static const struct
{
	const char *name;
	Item		item;
	int			column;			/* 0: always 0 */
}			items[] = {
	{"MESSAGES", MESSAGES, 4},
	{"RECENT", RECENT, 0},
	{"UIDNEXT", UIDNEXT, 2},
	{"UIDVALIDITY", UIDVALIDITY, 1},
	{"UNSEEN", UNSEEN, 6},
	{"DELETED", DELETED, 7},
	{"SIZE", SIZE, 5},
	{"HIGHESTMODSEQ", HIGHESTMODSEQ, 3},
};

/* (item ...) */
bool
status_parse(Session *session, unsigned *wanted)
{
	Parser	   *parser = &session->parser;

	*wanted = 0;
	if (!parse_char(parser, '('))
		return parse_fail(parser, "A list of status items is missing");
	do
	{
		size_t		i = 0;

		while (i < G_N_ELEMENTS(items) && !parse_skip_word(parser, items[i].name))
			i++;
		if (i == G_N_ELEMENTS(items))
			return parse_fail(parser, "Unknown status item");
		*wanted |= items[i].item;
	} while (parse_char(parser, ' '));
	return parse_char(parser, ')') || parse_fail(parser, "A list of status items does not end");
}

/* A STATUS for each of the mailboxes that there is: how many; -1 if the database has failed. */
int
status_put(Session *session, GPtrArray *names, unsigned wanted)
{
	Db		   *db = &session->db;
	char	   *array = text_array(names);
	PGresult   *result;

	/* STATUS (HIGHESTMODSEQ) is a CONDSTORE enabling command. */
	if (wanted & HIGHESTMODSEQ)
		session_condstore(session);
	db_queue(db, SQL_STATUS, "is", session->user_id, array);
	g_free(array);
	if (!db_run(db))
		return -1;
	result = db->results[0];
	for (int row = 0; row < PQntuples(result); row++)
	{
		const char *space = "";

		put(session, "* STATUS ");
		put_mailbox(session, db_text(result, row, 0));
		put(session, " (");
		for (size_t i = 0; i < G_N_ELEMENTS(items); i++)
			if (wanted & items[i].item)
			{
				put(session, "%s%s %s", space, items[i].name,
					items[i].column == 0 ? "0" : db_text(result, row, items[i].column));
				space = " ";
			}
		put(session, ")\r\n");
	}
	return PQntuples(result);
}

void
cmd_status(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	GPtrArray  *names = parse_array(parser);
	unsigned	wanted;
	int			found;
	char	   *name;

	if (!parse_space(parser) || (name = parse_mailbox(parser)) == NULL ||
		!parse_space(parser) || !status_parse(session, &wanted) || !parse_end(parser))
		return;
	g_ptr_array_add(names, name);
	found = mailbox_can_be(name) ? status_put(session, names, wanted) : 0;
	if (found < 0)
		reply_failure(session);
	else if (found == 0)
		reply(session, "NO [NONEXISTENT] No such mailbox");
	else
		sync_done(session, NULL, "STATUS completed");
}
