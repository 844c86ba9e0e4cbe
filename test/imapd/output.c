/*-------------------------------------------------------------------------
 *
 * output.c
 *	  What goes to the client.
 *
 * Nothing is sent while a transaction is open, so that a client that does not
 * read keeps nobody else waiting.  One that does not read for write_timeout
 * seconds is given up.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imapd.h"

/* So much is collected before it is sent. */
#define FLUSH_AT	65536

/* So long, in seconds, does one who hangs up listen to what still comes. */
#define LINGER		2

void
put_bytes(Session *session, const char *data, size_t length)
{
	g_string_append_len(session->output, data, length);
	if (session->output->len >= FLUSH_AT)
		output_flush(session);
}

void
put(Session *session, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	g_string_append_vprintf(session->output, format, args);
	va_end(args);
	if (session->output->len >= FLUSH_AT)
		output_flush(session);
}

/* A number behind a blank: there may be as many as messages. */
void
put_number(Session *session, uint32_t number)
{
	char		text[12];
	char	   *at = text + sizeof(text);

	do
		*--at = '0' + number % 10;
	while ((number /= 10) > 0);
	*--at = ' ';
	put_bytes(session, at, text + sizeof(text) - at);
}

void
put_literal(Session *session, const char *data, size_t length)
{
	put(session, "{%zu}\r\n", length);
	put_bytes(session, data, length);
}

/* In quotes, where that is possible */
void
string_append_quoted(GString *out, const char *string)
{
	size_t		length = strlen(string);
	bool		plain = length < 1024;

	for (const char *c = string; plain && *c; c++)
		plain = *c >= ' ' && *c < 127;
	if (!plain)
	{
		g_string_append_printf(out, "{%zu}\r\n%s", length, string);
		return;
	}
	g_string_append_c(out, '"');
	for (const char *c = string; *c; c++)
	{
		if (*c == '"' || *c == '\\')
			g_string_append_c(out, '\\');
		g_string_append_c(out, *c);
	}
	g_string_append_c(out, '"');
}

/* An nstring */
void
put_string(Session *session, const char *string)
{
	if (string == NULL)
		g_string_append(session->output, "NIL");
	else
		string_append_quoted(session->output, string);
}

/* An atom where that is possible, since some clients like INBOX better so */
void
put_mailbox(Session *session, const char *name)
{
	bool		atom = *name != '\0';

	for (const char *c = name; *c; c++)
		if (!g_ascii_isalnum(*c) && strchr("-_./&+,=", *c) == NULL)
			atom = false;
	if (g_ascii_strcasecmp(name, "NIL") == 0)
		atom = false;
	if (atom)
		put(session, "%s", name);
	else
		put_string(session, name);
}

/* The tagged response */
void
reply(Session *session, const char *format,...)
{
	va_list		args;

	put(session, "%s ", session->tag);
	va_start(args, format);
	g_string_append_vprintf(session->output, format, args);
	va_end(args);
	g_string_append(session->output, "\r\n");
}

void
output_flush(Session *session)
{
	const char *at = session->output->str;
	size_t		left = session->output->len;

	if (options.verbose)
		fprintf(stderr, "%.*s", (int) left, at);
	while (left > 0)
	{
		ssize_t		sent = send(session->fd, at, left, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0)
		{
			at += sent;
			left -= sent;
		}
		else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		{
			struct pollfd ready = {session->fd, POLLOUT, 0};

			if (poll(&ready, 1, options.write_timeout * 1000) == 0)
				exit(0);
		}
		else if (sent < 0 && errno != EINTR)
			exit(0);
	}
	g_string_truncate(session->output, 0);
}

/*
 * The end of the process.  What the client is still sending is read and
 * dropped for a while: to close on it would be a reset, which can take away
 * the answers that the client has not read yet.
 */
void
hang_up(Session *session, const char *bye)
{
	gint64		until = g_get_monotonic_time() + LINGER * G_USEC_PER_SEC;
	struct pollfd ready = {session->fd, POLLIN, 0};
	char		dropped[65536];

	put(session, "* BYE %s\r\n", bye);
	output_flush(session);
	shutdown(session->fd, SHUT_WR);
	for (;;)
	{
		gint64		left = until - g_get_monotonic_time();

		if (left <= 0 || poll(&ready, 1, left / 1000 + 1) <= 0 ||
			recv(session->fd, dropped, sizeof(dropped), MSG_DONTWAIT) <= 0)
			exit(0);
	}
}
