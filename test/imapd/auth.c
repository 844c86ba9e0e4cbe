/*-------------------------------------------------------------------------
 *
 * auth.c
 *	  LOGIN and AUTHENTICATE PLAIN.
 *
 * The connection to the database is made here: clients that have not logged
 * in hold none.  Passwords are taken over loopback only.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"

/* So often may a client be wrong. */
#define MAX_FAILURES	10

static void
log_in(Session *session, const char *name, const char *password)
{
	static int	failures;
	Db		   *db = &session->db;
	GString    *capabilities;

	if (!g_utf8_validate(name, -1, NULL) || !g_utf8_validate(password, -1, NULL))
	{
		reply(session, "NO [AUTHENTICATIONFAILED] Names and passwords are UTF-8");
		return;
	}
	if (!db_connect(db, options.conninfo))
	{
		reply(session, "NO [UNAVAILABLE] The database cannot be reached");
		return;
	}
	db_queue(db, SQL_LOGIN, "ss", name, password);
	if (!db_run(db) || PQntuples(db->results[0]) == 0)
	{
		if (db->sqlstate[0] != '\0')
			reply(session, "NO [UNAVAILABLE] The database refuses");
		else
			reply(session, "NO [AUTHENTICATIONFAILED] Wrong name or password");
		db_disconnect(db);
		if (++failures == MAX_FAILURES)
			hang_up(session, "Too many failures");
		return;
	}
	session->user_id = db_int(db->results[0], 0, 0);
	db_queue(db, SQL_KEYWORDS, "i", session->user_id);
	if (!db_run(db))
	{
		reply(session, "NO [UNAVAILABLE] The database refuses");
		db_disconnect(db);
		return;
	}
	session->state = STATE_AUTHENTICATED;
	session->logged_in = true;
	flags_read(session, db_text(db->results[0], 0, 0));
	capabilities = g_string_new(NULL);
	session_capabilities(session, capabilities);
	reply(session, "OK [CAPABILITY %s] Logged in", capabilities->str);
	g_string_free(capabilities, true);
}

void
cmd_login(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	char	   *name;
	char	   *password;

	if (!parse_space(parser) || (name = parse_astring(parser)) == NULL ||
		!parse_space(parser) || (password = parse_astring(parser)) == NULL || !parse_end(parser))
		return;
	if (!session->plaintext)
		reply(session, "NO [PRIVACYREQUIRED] No plaintext passwords but over loopback");
	else
		log_in(session, name, password);
}

/* GLib decodes anything; "=" alone is an empty initial response (RFC 4959). */
static bool
is_base64(const char *text)
{
	size_t		length = strlen(text);
	size_t		digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

	return strcmp(text, "=") == 0 ||
		(length % 4 == 0 && length - digits <= 2 && strspn(text + digits, "=") == length - digits);
}

/* RFC 4616: authorization identity NUL name NUL password, in base64 */
void
cmd_authenticate(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	char	   *mechanism;
	char	   *response;
	guchar	   *message;
	gsize		length;
	const char *name;
	const char *password;

	if (!parse_space(parser) || (mechanism = parse_atom(parser)) == NULL)
		return;
	response = parse_char(parser, ' ') ? parse_astring(parser) : NULL;
	if (!parse_end(parser))
		return;
	if (g_ascii_strcasecmp(mechanism, "PLAIN") != 0 || !session->plaintext)
	{
		reply(session, "NO [CANNOT] No such mechanism here");
		return;
	}
	if (response == NULL)
	{
		put(session, "+ \r\n");
		output_flush(session);
		response = input_line(session, 4096);
		if (response == NULL)
		{
			parse_fail(parser, "A malformed response");
			return;
		}
		parse_keep(parser, response);
	}
	if (strcmp(response, "*") == 0)
	{
		parse_fail(parser, "You have given up");
		return;
	}
	if (!is_base64(response))
	{
		parse_fail(parser, "The response is not base64");
		return;
	}
	message = g_base64_decode(response, &length);
	/* It must be NUL-terminated, and have the two NULs. */
	message = parse_keep(parser, g_realloc(message, length + 1));
	message[length] = '\0';
	name = memchr(message, '\0', length);
	password = name == NULL ? NULL :
		memchr(name + 1, '\0', length - (name + 1 - (char *) message));
	if (password == NULL || strlen(password + 1) != length - (password + 1 - (char *) message) ||
		(*message != '\0' && strcmp((char *) message, name + 1) != 0))
		reply(session, "NO [AUTHENTICATIONFAILED] A malformed response, or another identity");
	else
		log_in(session, name + 1, password + 1);
}
