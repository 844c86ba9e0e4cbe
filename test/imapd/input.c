/*-------------------------------------------------------------------------
 *
 * input.c
 *	  What comes from the client: whole commands, with their literals.
 *
 * A command is kept as it came, each literal in its place behind the line
 * that announces it; parse.c finds it there.  How long it may be depends on
 * whether the client has logged in, and on the command: the messages of an
 * APPEND may be large, together no larger than one message may be.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "imapd.h"

/* Lines and literals of a command together, but for the messages of an APPEND */
#define MAX_COMMAND			(1024 * 1024)
#define MAX_EARLY_COMMAND	65536	/* before login; an ID may have 30 values of 1024 octets */

static time_t
deadline(Session *session)
{
	return time(NULL) + (session->state == STATE_NOT_AUTHENTICATED ?
						 options.login_timeout : options.idle_timeout);
}

/* Reads what is there, waiting for it no longer than until. */
static void
fill(Session *session, time_t until)
{
	Input	   *input = &session->input;

	input->next = input->end = 0;
	while (input->end == 0)
	{
		struct pollfd ready = {session->fd, POLLIN, 0};
		int			left = MAX(until - time(NULL), 0);
		ssize_t		got;

		if (poll(&ready, 1, left * 1000) == 0)
			hang_up(session, "[UNAVAILABLE] You said nothing for too long");
		got = read(session->fd, input->buffer, sizeof(input->buffer));
		if (got > 0)
			input->end = got;
		else if (got == 0 || (errno != EINTR && errno != EAGAIN))
			exit(0);
	}
}

/* Has the client sent something that was not used yet? */
bool
input_pending(Session *session)
{
	return session->input.next < session->input.end;
}

/* Reads what the caller knows to be there. */
void
input_fill(Session *session)
{
	fill(session, time(NULL) + 1);
}

/*
 * Appends a line to the command, without its end.  If the command gets longer
 * than limit, the rest is skipped and false returned.
 */
static bool
read_line(Session *session, size_t limit, time_t until)
{
	Input	   *input = &session->input;
	bool		fits = true;

	for (;;)
	{
		char	   *from;
		char	   *newline;
		size_t		length;

		if (!input_pending(session))
			fill(session, until);
		from = input->buffer + input->next;
		length = input->end - input->next;
		newline = memchr(from, '\n', length);
		if (newline)
			length = newline - from;
		if (input->command->len + length > limit)
			fits = false;
		g_byte_array_append(input->command, (const guint8 *) from,
							fits ? length : MIN(length, limit - MIN(limit, input->command->len)));
		input->next += length + (newline ? 1 : 0);
		if (newline)
			break;
	}
	if (fits && input->command->len > 0 &&
		input->command->data[input->command->len - 1] == '\r')
		g_byte_array_set_size(input->command, input->command->len - 1);
	return fits;
}

/* A line that is no command: the answer to a continuation.  The caller g_free()s it; NULL if it is too long. */
char *
input_line(Session *session, size_t limit)
{
	GByteArray *command = session->input.command;
	char	   *line = NULL;

	session->input.command = g_byte_array_new();
	if (read_line(session, limit, deadline(session)) &&
		memchr(session->input.command->data, '\0', session->input.command->len) == NULL)
		line = g_strndup((const char *) session->input.command->data, session->input.command->len);
	g_byte_array_unref(session->input.command);
	session->input.command = command;
	return line;
}

/* Does the line, from where it begins, end with a literal's {size}? */
static bool
announces_literal(const GByteArray *command, size_t begin, uint64_t *size, bool *waits)
{
	const char *line = (const char *) command->data + begin;
	size_t		length = command->len - begin;
	size_t		at;
	uint64_t	number = 0;

	if (length < 3 || line[length - 1] != '}')
		return false;
	at = length - 1;
	*waits = true;
	if (line[at - 1] == '+')
	{
		*waits = false;
		at--;
	}
	for (length = at; at > 0 && g_ascii_isdigit(line[at - 1]); at--)
		;
	if (at == 0 || line[at - 1] != '{' || length == at || length - at > 18)
		return false;
	for (; at < length; at++)
		number = number * 10 + (line[at] - '0');
	*size = number;
	return true;
}

/* Is this an APPEND?  By its second word */
static bool
is_append(const GByteArray *command)
{
	const char *space = memchr(command->data, ' ', command->len);

	return space != NULL &&
		command->len - (space + 1 - (const char *) command->data) > 7 &&
		g_ascii_strncasecmp(space + 1, "APPEND ", 7) == 0;
}

/* Answers a command that cannot be read to its end, by its tag if that can be made out */
static void
refuse(Session *session, const char *what)
{
	const GByteArray *command = session->input.command;
	size_t		length = 0;

	while (length < command->len && length < 100 && g_ascii_isgraph(command->data[length]) &&
		   strchr("(){%*\"\\+", command->data[length]) == NULL)
		length++;
	if (length > 0 && length < command->len && command->data[length] == ' ')
		put(session, "%.*s %s\r\n", (int) length, command->data, what);
	else
		put(session, "* %s\r\n", what);
	output_flush(session);
}

InputResult
input_command(Session *session)
{
	Input	   *input = &session->input;
	bool		early = session->state == STATE_NOT_AUTHENTICATED;
	size_t		limit = early ? MAX_EARLY_COMMAND : MAX_COMMAND;
	time_t		until = deadline(session);
	size_t		messages = 0;	/* octets of an APPEND's literals */

	g_byte_array_set_size(input->command, 0);
	for (;;)
	{
		size_t		begin = input->command->len;
		uint64_t	size;
		bool		waits;

		if (!read_line(session, limit, until))
		{
			refuse(session, "BAD [TOOBIG] That line is too long");
			return INPUT_REFUSED;
		}
		if (!announces_literal(input->command, begin, &size, &waits))
			return INPUT_COMMAND;
		if (!early && size <= options.max_message - messages && is_append(input->command))
		{
			messages += size;	/* these do not count */
			limit += size;
		}
		if (input->command->len + size > limit)
		{
			refuse(session, "BAD [TOOBIG] That literal is too large");
			if (waits)
				return INPUT_REFUSED;
			hang_up(session, "[TOOBIG] That literal is too large");
		}
		if (waits)
		{
			put(session, "+ OK\r\n");
			output_flush(session);
		}
		g_byte_array_append(input->command, (const guint8 *) "\r\n", 2);
		while (size > 0)
		{
			size_t		part;

			if (!input_pending(session))
			{
				until = deadline(session);	/* it is not idle, only slow */
				fill(session, until);
			}
			part = MIN(input->end - input->next, size);
			g_byte_array_append(input->command, (guint8 *) input->buffer + input->next, part);
			input->next += part;
			size -= part;
		}
	}
}
