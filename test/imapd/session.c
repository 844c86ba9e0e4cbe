/*-------------------------------------------------------------------------
 *
 * session.c
 *	  A connection: the loop of commands, and those that need no mailbox.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "imapd.h"

/* So many commands in a row may be wrong before we hang up. */
#define MAX_ERRORS	100

static void
cmd_capability(Session *session, bool uid)
{
	GString    *text;

	if (!parse_end(&session->parser))
		return;
	text = g_string_new(NULL);
	session_capabilities(session, text);
	put(session, "* CAPABILITY %s\r\n", text->str);
	g_string_free(text, true);
	reply(session, "OK CAPABILITY completed");
}

void
session_capabilities(Session *session, GString *out)
{
	/* All that there is, at once: not every client asks again when it has logged in. */
	g_string_append(out, "IMAP4rev1 LITERAL+ ID ENABLE CONDSTORE QRESYNC UIDPLUS MULTIAPPEND MOVE IDLE NAMESPACE UNSELECT"
					" CHILDREN SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH WITHIN METADATA NOTIFY");
	if (session->state == STATE_NOT_AUTHENTICATED)
		g_string_append(out, session->plaintext ? " SASL-IR AUTH=PLAIN" : " LOGINDISABLED");
}

static void
cmd_noop(Session *session, bool uid)
{
	if (parse_end(&session->parser))
		sync_finish(session, EXPUNGES_TOLD, "OK", NULL, "NOOP completed");
}

static void
cmd_check(Session *session, bool uid)
{
	if (parse_end(&session->parser))
		sync_finish(session, EXPUNGES_TOLD, "OK", NULL, "CHECK completed");
}

static void
cmd_logout(Session *session, bool uid)
{
	if (!parse_end(&session->parser))
		return;
	put(session, "* BYE Logging out\r\n");
	reply(session, "OK LOGOUT completed");
	session->logged_out = true;
}

/* RFC 2971: what the client says of itself is checked and forgotten. */
static void
cmd_id(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;

	if (!parse_space(parser))
		return;
	if (parse_char(parser, '('))
	{
		while (!parse_char(parser, ')'))
		{
			if (parse_string(parser) == NULL || !parse_space(parser))
				return;
			if (!parse_skip_word(parser, "NIL") && parse_string(parser) == NULL)
				return;
			parse_char(parser, ' ');
		}
	}
	else if (!parse_skip_word(parser, "NIL"))
	{
		parse_fail(parser, "A list or NIL is missing");
		return;
	}
	if (!parse_end(parser))
		return;
	put(session, "* ID (\"name\" \"modseq reference front end\")\r\n");
	reply(session, "OK ID completed");
}

/* RFC 5161, RFC 7162 section 3.2.3 */
static void
cmd_enable(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	bool		condstore = false;
	bool		qresync = false;

	if (!parse_space(parser))
		return;
	do
	{
		char	   *word = parse_atom(parser);

		if (word == NULL)
			return;
		if (g_ascii_strcasecmp(word, "CONDSTORE") == 0)
			condstore = true;
		else if (g_ascii_strcasecmp(word, "QRESYNC") == 0)
			qresync = true;
	} while (parse_char(parser, ' '));
	if (!parse_end(parser))
		return;
	put(session, "* ENABLED%s%s\r\n", condstore && !session->condstore ? " CONDSTORE" : "",
		qresync && !session->qresync ? " QRESYNC" : "");
	if (condstore || qresync)
		session_condstore(session);
	if (qresync)
		session->qresync = true;
	reply(session, "OK ENABLE completed");
}

static void
cmd_namespace(Session *session, bool uid)
{
	if (!parse_end(&session->parser))
		return;
	put(session, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	reply(session, "OK NAMESPACE completed");
}

/* The first CONDSTORE enabling command (RFC 7162 section 3.1) */
void
session_condstore(Session *session)
{
	if (session->condstore)
		return;
	session->condstore = true;
	if (session->state == STATE_SELECTED)
		put(session, "* OK [HIGHESTMODSEQ %" PRId64 "] Up to here you know all\r\n",
			session->box.cursor);
}

void
session_unselect(Session *session)
{
	numbers_free(&session->box.numbers);
	flags_forget(session);
	notify_unselected(session);
	session->state = STATE_AUTHENTICATED;
}

/* Has the database failed because a mailbox, or what belongs to it, is not there? */
bool
failed_as_gone(const Session *session)
{
	return strcmp(session->db.sqlstate, "42704") == 0 || strcmp(session->db.sqlstate, "23503") == 0;
}

/*
 * The tagged response to a command that the database has failed.  If the
 * connection is lost, nobody knows what became of the transaction: no answer
 * is right then, and we hang up.
 */
void
reply_failure(Session *session)
{
	const char *state = session->db.sqlstate;

	if (db_is_lost(&session->db))
		hang_up(session, DATABASE_LOST);
	if (failed_as_gone(session))
		reply(session, "NO [NONEXISTENT] There is no such mailbox any more");
	else if (strcmp(state, "23505") == 0)
		reply(session, "NO [ALREADYEXISTS] There is a mailbox of that name");
	else if (strcmp(state, "55P03") == 0 || strcmp(state, "57014") == 0 ||
			 strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
		reply(session, "NO [INUSE] The mailbox is busy, try again");
	else if (strcmp(state, "25006") == 0)
		reply(session, "NO [UNAVAILABLE] This server only reads");
	else
		reply(session, "NO [SERVERBUG] The database refuses (%s)", state);
}

/* The same of a command on the open mailbox, which has done nothing: does it still exist? */
void
box_failure(Session *session)
{
	if (failed_as_gone(session))
		hang_up(session, BOX_DELETED);
	reply_failure(session);
}

/* --- the loop -------------------------------------------------------------------- */

#define ANY			(STATE_NOT_AUTHENTICATED | STATE_AUTHENTICATED | STATE_SELECTED)
#define LOGGED_IN	(STATE_AUTHENTICATED | STATE_SELECTED)

typedef struct Command
{
	const char *name;
	unsigned	states;			/* that it is allowed in */
	bool		has_uid;		/* is there a UID form? */
	Handler		handler;
} Command;

static const Command commands[] = {
	{"CAPABILITY", ANY, false, cmd_capability},
	{"NOOP", ANY, false, cmd_noop},
	{"LOGOUT", ANY, false, cmd_logout},
	{"ID", ANY, false, cmd_id},
	{"LOGIN", STATE_NOT_AUTHENTICATED, false, cmd_login},
	{"AUTHENTICATE", STATE_NOT_AUTHENTICATED, false, cmd_authenticate},
	{"ENABLE", LOGGED_IN, false, cmd_enable},
	{"NAMESPACE", LOGGED_IN, false, cmd_namespace},
	{"SELECT", LOGGED_IN, false, cmd_select},
	{"EXAMINE", LOGGED_IN, false, cmd_examine},
	{"CREATE", LOGGED_IN, false, cmd_create},
	{"DELETE", LOGGED_IN, false, cmd_delete},
	{"RENAME", LOGGED_IN, false, cmd_rename},
	{"SUBSCRIBE", LOGGED_IN, false, cmd_subscribe},
	{"UNSUBSCRIBE", LOGGED_IN, false, cmd_unsubscribe},
	{"LIST", LOGGED_IN, false, cmd_list},
	{"LSUB", LOGGED_IN, false, cmd_lsub},
	{"STATUS", LOGGED_IN, false, cmd_status},
	{"APPEND", LOGGED_IN, false, cmd_append},
	{"GETMETADATA", LOGGED_IN, false, cmd_getmetadata},
	{"SETMETADATA", LOGGED_IN, false, cmd_setmetadata},
	{"IDLE", LOGGED_IN, false, cmd_idle},
	{"NOTIFY", LOGGED_IN, false, cmd_notify},
	{"CHECK", STATE_SELECTED, false, cmd_check},
	{"CLOSE", STATE_SELECTED, false, cmd_close},
	{"UNSELECT", STATE_SELECTED, false, cmd_unselect},
	{"EXPUNGE", STATE_SELECTED, true, cmd_expunge},
	{"SEARCH", STATE_SELECTED, true, cmd_search},
	{"FETCH", STATE_SELECTED, true, cmd_fetch},
	{"STORE", STATE_SELECTED, true, cmd_store},
	{"COPY", STATE_SELECTED, true, cmd_copy},
	{"MOVE", STATE_SELECTED, true, cmd_move},
};

static const Command *
find_command(Parser *parser, bool uid)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		if ((!uid || commands[i].has_uid) && parse_skip_word(parser, commands[i].name))
			return &commands[i];
	parse_fail(parser, "Unknown command");
	return NULL;
}

/* The tag: no "+" in it, which would look like a continuation */
static const char *
parse_tag(Parser *parser)
{
	char	   *tag = parse_at(parser, '"') || parse_at(parser, '{') ? NULL : parse_astring(parser);

	if (tag == NULL || strchr(tag, '+') != NULL || strlen(tag) > 1000)
	{
		parse_fail(parser, "A tag is missing");
		return NULL;
	}
	return tag;
}

/* Does one command.  False if it was wrong. */
static bool
run_command(Session *session)
{
	Parser	   *parser = &session->parser;
	const Command *command;
	bool		uid = false;

	parser->at = (const char *) session->input.command->data;
	parser->end = parser->at + session->input.command->len;
	parser->error = NULL;
	session->tag = "*";
	if (memchr(parser->at, '\0', session->input.command->len) != NULL &&
		memchr(parser->at, '\n', session->input.command->len) == NULL)
		parse_fail(parser, "A NUL");
	else if ((session->tag = parse_tag(parser)) == NULL)
		session->tag = "*";
	else if (parse_space(parser))
	{
		if (parse_skip_word(parser, "UID"))
			uid = parse_space(parser);
		command = parser->error ? NULL : find_command(parser, uid);
		if (command && !(command->states & session->state))
			parse_fail(parser, session->state == STATE_NOT_AUTHENTICATED ? "Log in first" :
					   command->states == STATE_SELECTED ? "Select a mailbox first" :
					   "You are logged in already");
		else if (command)
			command->handler(session, uid);
	}
	if (parser->error)
		reply(session, "BAD %s", parser->error);
	return parser->error == NULL;
}

static bool
is_loopback(int fd)
{
	struct sockaddr_storage address;
	socklen_t	length = sizeof(address);

	/* The client's end: whoever can be reached by loopback is on this machine. */
	if (getpeername(fd, (struct sockaddr *) &address, &length) != 0)
		return false;
	if (address.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *) &address)->sin_addr.s_addr) >> 24 == 127;
	return address.ss_family == AF_INET6 &&
		IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *) &address)->sin6_addr);
}

void
session_run(int fd)
{
	Session    *session = g_new0(Session, 1);
	GString    *capabilities = g_string_new(NULL);
	int			errors = 0;

	session->fd = fd;
	session->plaintext = is_loopback(fd);
	session->state = STATE_NOT_AUTHENTICATED;
	session->input.command = g_byte_array_new();
	session->output = g_string_new(NULL);
	session->parser.arena = g_ptr_array_new_with_free_func(g_free);
	session->parser.arrays = g_ptr_array_new_with_free_func((GDestroyNotify) g_ptr_array_unref);
	session->keywords = g_ptr_array_new_with_free_func(g_free);
	session->answered = g_hash_table_new(NULL, NULL);

	session_capabilities(session, capabilities);
	put(session, "* OK [CAPABILITY %s] modseq reference front end\r\n", capabilities->str);
	g_string_free(capabilities, true);
	while (!session->logged_out)
	{
		if (session->notify)
			notify_wait(session, false);
		output_flush(session);
		if (session->logged_in)
			warm_up(session);
		session->logged_in = false;
		if (input_command(session) == INPUT_REFUSED)
			errors++;
		else
		{
			if (options.verbose)
				fprintf(stderr, "%.*s\n", (int) session->input.command->len,
						(char *) session->input.command->data);
			errors = run_command(session) ? 0 : errors + 1;
		}
		g_hash_table_remove_all(session->answered);
		g_ptr_array_set_size(session->parser.arrays, 0);
		g_ptr_array_set_size(session->parser.arena, 0);
		if (errors >= MAX_ERRORS)
			hang_up(session, "Too many errors");
	}
	output_flush(session);
	if (session->state == STATE_SELECTED)
		session_unselect(session);
	if (session->db.conn)
		db_disconnect(&session->db);
	notify_free(session->notify);
	g_byte_array_unref(session->input.command);
	g_string_free(session->output, true);
	g_ptr_array_unref(session->parser.arrays);
	g_ptr_array_unref(session->parser.arena);
	g_ptr_array_unref(session->keywords);
	g_hash_table_unref(session->answered);
	g_free(session);
}
