/*-------------------------------------------------------------------------
 *
 * idle.c
 *	  IDLE (RFC 2177).
 *
 * LISTEN, then ask, then wait: so nothing falls in between.  A notification
 * is a hint to ask again; without any, that is done every now and then.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "imapd.h"

/* A sign of life, so that the connection is kept, or found to be dead */
#define HEARTBEAT	120			/* seconds */

/* Takes all notifications that are there.  Is one about our mailbox? */
static bool
take_notifications(Session *session)
{
	PGconn	   *conn = session->db.conn;
	PGnotify   *notify;
	bool		ours = false;

	if (!PQconsumeInput(conn))
		hang_up(session, DATABASE_LOST);
	while ((notify = PQnotifies(conn)) != NULL)
	{
		/* A key too long for a notification is null: it may be ours.  Those of accounts are for JMAP. */
		const char *mailbox = strstr(notify->extra, "\"mailbox\": ");

		if (mailbox != NULL && (strncmp(mailbox + 11, "null", 4) == 0 ||
								strtoll(mailbox + 11, NULL, 10) == session->box.id))
			ours = true;
		PQfreemem(notify);
	}
	return ours;
}

/*
 * A client that idles waits for no tagged response before it has said DONE: a
 * session that cannot go on says BYE.  A question that had to wait too long is
 * asked again, in a while.
 */
static void
tell_idle(Session *session)
{
	if (session->state == STATE_SELECTED)
		sync_hang_up(session, sync_now(session, EXPUNGES_TOLD));
}

/* A WaitFunction */
static void
tell_if_ours(Session *session, bool all)
{
	if (take_notifications(session) || all)
		tell_idle(session);
}

/*
 * Until the client sends something, calls tell (which may be NULL) when the
 * database has a notification, and every now and then for all that there is.
 * alive: gives signs of life.
 */
void
wait_for_client(Session *session, WaitFunction tell, bool alive)
{
	int			quiet = 0;

	while (!input_pending(session))
	{
		struct pollfd ready[2] = {
			{session->fd, POLLIN, 0},
			{PQsocket(session->db.conn), POLLIN, 0},
		};
		int			n;

		output_flush(session);
		n = poll(ready, tell ? 2 : 1, HEARTBEAT * 1000);
		if (n == 0)
		{
			quiet += HEARTBEAT;
			if (quiet >= options.idle_timeout)
				hang_up(session, "[UNAVAILABLE] You said nothing for too long");
			if (alive)
				put(session, "* OK Still here\r\n");
		}
		if (ready[0].revents != 0)
		{
			input_fill(session);
			break;
		}
		if (tell && (n == 0 || ready[1].revents != 0))
			tell(session, n == 0);
	}
}

/* IDLE after NOTIFY: exactly what that has asked for (RFC 5465 section 4) */
static void
idle_as_notified(Session *session)
{
	put(session, "+ idling\r\n");
	notify_wait(session, true);
}

static void
idle(Session *session)
{
	Db		   *db = &session->db;

	/* IDLE knows no NO: without notifications it asks every now and then. */
	db_queue(db, SQL_LISTEN, "");
	if (!db_run(db) && db_is_lost(db))
		hang_up(session, DATABASE_LOST);
	put(session, "+ idling\r\n");
	tell_idle(session);
	wait_for_client(session, tell_if_ours, true);
	db_queue(db, SQL_UNLISTEN, "");
	if (!db_run(db) && db_is_lost(db))
		hang_up(session, DATABASE_LOST);
}

void
cmd_idle(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	char	   *line;

	if (!parse_end(parser))
		return;
	if (session->notify)
		idle_as_notified(session);
	else
		idle(session);
	output_flush(session);
	line = input_line(session, 1000);
	if (line == NULL || g_ascii_strcasecmp(line, "DONE") != 0)
		parse_fail(parser, "Expected DONE");
	else
		sync_finish(session, EXPUNGES_TOLD, "OK", NULL, "IDLE completed");
	g_free(line);
}
