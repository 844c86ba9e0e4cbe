/*-------------------------------------------------------------------------
 *
 * client.c
 *	  Connections that survive a crash of the server, random numbers, and the
 *	  history that a divergence is reported with.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENTS			400		/* that are kept of a mailbox */
#define EVENT_SIZE		400
#define RECONNECT_SECONDS 90

typedef struct Event
{
	double		time;
	char		who[12];
	char		text[EVENT_SIZE];
} Event;

typedef struct History
{
	pthread_mutex_t mutex;
	long		count;
	Event		events[EVENTS];
} History;

static History *histories;
static int	history_count;
static pthread_mutex_t report_mutex = PTHREAD_MUTEX_INITIALIZER;

/* --- random numbers ----------------------------------------------------------- */

uint64_t
random_number(Client *client, uint64_t below)
{
	return below == 0 ? 0 : next_random(&client->random) % below;
}

bool
chance(Client *client, int percent)
{
	return random_number(client, 100) < (uint64_t) percent;
}

void
pause_briefly(Client *client, int max_ms)
{
	usleep(random_number(client, max_ms * 1000 + 1));
}

/* --- connections -------------------------------------------------------------- */

void
client_init(Client *client, const char *kind, int number)
{
	memset(client, 0, sizeof(Client));
	snprintf(client->name, sizeof(client->name), "%s%d", kind, number);
	client->random = options.seed;
	for (const char *c = client->name; *c; c++)
		client->random = client->random * 31 + (unsigned char) *c;
	next_random(&client->random);
	client_connect(client);
}

static void
ignore_notice(void *arg, const PGresult *result)
{
}

/*
 * Statements that lock the same rows in different orders deadlock in any
 * database, and plans decide the order: so single statements without
 * modseq.lock() find messages by merge joins, which are by UID.  A nested loop
 * might go by partition first, or by mod-sequence.  No JIT: it would compile
 * all plans that cost so much because they could not do without what is off.
 */
static const char *
session_settings(void)
{
#define SETTINGS "-c jit=off -c statement_timeout=120s -c deadlock_timeout=20ms"
	return options.mode == MODE_RAW ? SETTINGS
		" -c enable_seqscan=off -c enable_bitmapscan=off"
		" -c enable_hashjoin=off -c enable_nestloop=off" : SETTINGS;
}

/* Which server it is, and whether it is a standby, is known by what it says itself */
static bool
know_server(Client *client)
{
	PGresult   *result = PQexec(client->conn, "SHOW cluster_name");
	bool		ok = PQresultStatus(result) == PGRES_TUPLES_OK;

	if (ok)
		client->server = options.failover ? atoi(PQgetvalue(result, 0, 0)) : 1 + on_standby(client);
	PQclear(result);
	return ok;
}

/* To the primary; who roams, now and then to the standby */
static bool
connect_once(Client *client)
{
	char		standby[1100] = "";
	const char *keywords[] = {"host", "fallback_application_name", "options", NULL};
	const char *values[] = {standby, client->name, session_settings(), NULL};

	if (client->roams && chance(client, 50))
		snprintf(standby, sizeof(standby), "%s/standby", options.servers);
	client->conn = PQconnectdbParams(keywords, values, 0);
	client->connections++;
	PQsetNoticeReceiver(client->conn, ignore_notice, NULL);
	return PQstatus(client->conn) == CONNECTION_OK &&
		(options.servers == NULL || know_server(client));
}

/* Connects, waiting for a server that is being restarted */
void
client_connect(Client *client)
{
	double		deadline = now() + RECONNECT_SECONDS;

	client_close(client);
	for (;;)
	{
		if (connect_once(client))
			break;
		if (now() > deadline)
		{
			fprintf(stderr, "converge: %s", PQerrorMessage(client->conn));
			exit(2);
		}
		PQfinish(client->conn);
		usleep(100000);
	}
	client->lost = false;
}

void
client_close(Client *client)
{
	if (client->conn)
		PQfinish(client->conn);
	client->conn = NULL;
}

/* Notes an error; an unexpected one fails the test */
static void
note_error(Client *client, const PGresult *result, const char *sql)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	snprintf(client->message, sizeof(client->message), "%s",
			 PQerrorMessage(client->conn));
	snprintf(client->sqlstate, sizeof(client->sqlstate), "%s",
			 sqlstate ? sqlstate : "08006");
	/* Without a code, it is the connection's */
	if (PQstatus(client->conn) == CONNECTION_BAD || sqlstate == NULL ||
		strncmp(client->sqlstate, "57P", 3) == 0)
	{
		client->lost = true;
		if (options.crash || options.failover)
			return;
	}
	if (strcmp(client->sqlstate, "40001") == 0)
		totals.retries++;
	else if (strcmp(client->sqlstate, "40P01") == 0)
	{
		if (++totals.deadlocks <= 3 && options.mode != MODE_MIXED &&
			!options.shared)
			fprintf(stderr, "# %s: %s#   in: %.1000s\n", client->name,
					client->message, sql);
	}
	else if (is_expected_error(client))
		totals.refused++;
	else if (!client->silent)
		unexpected(client, sql);
}

/* Runs a statement; NULL if it failed, with sqlstate and message set */
static PGresult *
execute(Client *client, const char *sql)
{
	PGresult   *result;

	client->sqlstate[0] = '\0';
	if (client->lost)
	{
		strcpy(client->sqlstate, "08006");
		return NULL;
	}
	result = PQexec(client->conn, sql);
	switch (PQresultStatus(result))
	{
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
			return result;
		default:
			note_error(client, result, sql);
			PQclear(result);
			return NULL;
	}
}

static PGresult *
execute_format(Client *client, const char *format, va_list args)
{
	char	   *sql;
	PGresult   *result;

	if (vasprintf(&sql, format, args) < 0)
		abort();
	result = execute(client, sql);
	free(sql);
	return result;
}

PGresult *
query(Client *client, const char *format,...)
{
	va_list		args;
	PGresult   *result;

	va_start(args, format);
	result = execute_format(client, format, args);
	va_end(args);
	return result;
}

bool
run(Client *client, const char *format,...)
{
	va_list		args;
	PGresult   *result;

	va_start(args, format);
	result = execute_format(client, format, args);
	va_end(args);
	PQclear(result);
	return result != NULL;
}

/* COPY, which takes a path of its own in the server: the same row so often */
bool
copy_in(Client *client, const char *copy, const char *line, int rows)
{
	PGresult   *result = PQexec(client->conn, copy);
	bool		started = PQresultStatus(result) == PGRES_COPY_IN;
	bool		ok = started;

	PQclear(result);
	for (int i = 0; started && i < rows; i++)
		PQputCopyData(client->conn, line, strlen(line));
	if (started)
		PQputCopyEnd(client->conn, NULL);
	while (started && (result = PQgetResult(client->conn)) != NULL)
	{
		ok = ok && PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
	}
	return ok || (run(client, "SELECT 'COPY failed'") && false);	/* says why */
}

/* Errors that a random writer earns, without anything being wrong */
bool
is_expected_error(const Client *client)
{
	static const char *const expected[] = {
		"40001", "40P01",
		"P0001",				/* our own RAISE */
		"23503",				/* a flag for a message that has just gone */
		"23505",				/* the same flag twice */
		"21000",				/* MERGE or ON CONFLICT meets a row twice */
		"25P02"					/* transaction is aborted */
	};

	for (size_t i = 0; i < lengthof(expected); i++)
		if (strcmp(client->sqlstate, expected[i]) == 0)
			return true;
	return client->lost && (options.crash || options.failover);
}

/*
 * The server went away while COMMIT was under way.  After reconnecting: 1 if
 * the transaction did commit, 0 if not, or if another server cannot know.
 */
int
commit_in_doubt(Client *client, const char *xid)
{
	PGresult   *result;
	int			server = client->server;
	int			committed = 0;

	totals.in_doubt++;
	while (client->lost)
	{
		client_connect(client);
		totals.reconnects++;
		if (client->server != server)
			return 0;
		/* A crash may have lost the transaction with its number, which is then in the future */
		result = query(client, "SELECT CASE WHEN '%s'::xid8 < pg_snapshot_xmax(pg_current_snapshot())"
					   " THEN pg_xact_status('%s'::xid8) END", xid, xid);
		if (result == NULL)
			continue;
		committed = strcmp(PQgetvalue(result, 0, 0), "committed") == 0;
		PQclear(result);
	}
	totals.in_doubt_committed += committed;
	return committed;
}

/* --- history ------------------------------------------------------------------ */

void
history_init(int mailboxes)
{
	history_count = mailboxes;
	histories = calloc(mailboxes + 1, sizeof(History));
	for (int i = 0; i <= mailboxes; i++)
		pthread_mutex_init(&histories[i].mutex, NULL);
}

void
history_add(int mailbox, const Client *client, const char *format,...)
{
	History    *history = &histories[mailbox];
	Event	   *event;
	va_list		args;

	pthread_mutex_lock(&history->mutex);
	event = &history->events[history->count++ % EVENTS];
	event->time = now();
	strcpy(event->who, client->name);
	va_start(args, format);
	vsnprintf(event->text, EVENT_SIZE, format, args);
	va_end(args);
	pthread_mutex_unlock(&history->mutex);
}

/* Does the text name the UID in a list, or no list at all? */
static bool
concerns(const char *text, int64_t uid)
{
	const char *list = strchr(text, '{');
	const char *end = list ? strchr(list, '}') : NULL;

	if (list == NULL || end == NULL || uid == 0)
		return true;
	while (list && list < end)
	{
		if (strtoll(list + 1, NULL, 10) == uid)
			return true;
		list = strchr(list + 1, ',');
	}
	return false;
}

static void
history_print(int mailbox, int64_t uid)
{
	History    *history = &histories[mailbox];
	long		first = history->count > EVENTS ? history->count - EVENTS : 0;
	long		printed = 0;

	pthread_mutex_lock(&history->mutex);
	for (long i = first; i < history->count; i++)
	{
		Event	   *event = &history->events[i % EVENTS];

		if (!concerns(event->text, uid))
			continue;
		/* The last ones tell the story */
		if (history->count - i > 80 && printed > 40)
			continue;
		fprintf(stderr, "#   %10.4f %-5s %s\n", event->time, event->who,
				event->text);
		printed++;
	}
	pthread_mutex_unlock(&history->mutex);
}

/* What the server has of that UID now */
static void
print_server(Client *client, int mailbox, int64_t uid)
{
	PGresult   *result;

	result = query(client, "SELECT 'live, modseq ' || modseq || ', ' || %s"
				   " FROM mw_mail AS m WHERE mailbox_id = %d AND uid = %lld UNION ALL"
				   " SELECT 'vanished at ' || modseq || ': ' || left(uids::text, 200)"
				   " FROM mw_mail_vanished AS v"
				   " WHERE v.id = %d AND %lld OPERATOR(modseq.<@) uids",
				   flags_expression(), mailbox, (long long) uid, mailbox,
				   (long long) uid);
	if (result == NULL)
		return;
	fprintf(stderr, "#   server now, UID %lld:%s\n", (long long) uid,
			PQntuples(result) == 0 ? " unknown" : "");
	for (int i = 0; i < PQntuples(result); i++)
		fprintf(stderr, "#     %s\n", PQgetvalue(result, i, 0));
	PQclear(result);
}

/* A replica and the server disagree: tells about the first, counts all */
void
diverged(Client *client, int mailbox, int64_t uid, const char *format,...)
{
	va_list		args;

	pthread_mutex_lock(&report_mutex);
	if (++totals.divergences == 1)
	{
		fprintf(stderr, "# DIVERGENCE at %.4f: %s, mailbox %d, UID %lld: ",
				now(), client->name, mailbox, (long long) uid);
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
		fprintf(stderr, "\n#   history, oldest first:\n");
		history_print(mailbox, uid);
		print_server(client, mailbox, uid);
	}
	pthread_mutex_unlock(&report_mutex);
	stopping = true;
	round_over = true;
}

void
unexpected(Client *client, const char *statement)
{
	pthread_mutex_lock(&report_mutex);
	if (++totals.errors <= 5)
		fprintf(stderr, "# UNEXPECTED ERROR: %s: %s %s#   in: %.500s\n",
				client->name, client->sqlstate, client->message, statement);
	pthread_mutex_unlock(&report_mutex);
	stopping = true;
	round_over = true;
}
