/*-------------------------------------------------------------------------
 *
 * failover.c
 *	  Servers that are lost, with commits that clients know of, and others that
 *	  go on from less: what they have of each other, and who does it to them.
 *
 * A server is a number, from 1 on, in the order in which they begin to serve;
 * the script servers makes them, and a client finds the primary and its standby
 * by links.  A standby is cut off while the primary goes on, so it lacks what
 * is committed then.
 *
 * Replicas also read on a standby whose primary is never lost.  Then replay
 * pauses now and then.
 *
 *-------------------------------------------------------------------------
 */
#include "replica.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_SERVERS	10000
#define FIRST_STANDBY	2
#define WORK			50		/* operations, and syncs, between two steps, at least */

typedef struct Life
{
	int			base;			/* whose commits it has, as far as they survived */
	bool		begun;			/* it was promoted, and this is what it began with: */
	int64_t    *mailboxes;		/* HIGHESTMODSEQ by mailbox */
	int64_t   (*accounts)[3];	/* states by account and kind */
} Life;

static Life lives[MOST_SERVERS + 1];
static int	newest = 1;
static int	primary = 1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;	/* of all this */
static atomic_int promoting;	/* a server whose beginning is not known yet */

/* --- what survived -------------------------------------------------------------- */

bool
on_standby(const Client *client)
{
	const char *status = PQparameterStatus(client->conn, "in_hot_standby");

	return status && strcmp(status, "on") == 0;
}

/* The Life that limits what a server knows of what another one told, next */
static const Life *
next_loss(int from, int *server)
{
	const Life *result = NULL;

	while (*server > from && result == NULL)
	{
		const Life *life = &lives[*server];

		*server = life->base;
		if (life->begun)
			result = life;
	}
	return result;
}

/*
 * Does the server that the client is at have all up to that, which another one told? Of a mailbox, or of what an
 * account says of one kind.
 */
static bool
survived(const Client *client, int from, int number, int kind, int64_t modseq)
{
	int			server = client->server;
	const Life *life;
	bool		ok = true;

	if (!options.failover)
		return true;
	while (promoting == client->server)
		usleep(1000);
	pthread_mutex_lock(&mutex);
	while (ok && (life = next_loss(from, &server)) != NULL)
		ok = modseq <= (kind < 0 ? life->mailboxes[number] : life->accounts[number][kind]);
	pthread_mutex_unlock(&mutex);
	totals.lost += !ok;
	return ok;
}

bool
mailbox_survived(const Client *client, int from, int mailbox, int64_t modseq)
{
	return survived(client, from, mailbox, -1, modseq);
}

/* The mod-sequence that a state goes up to: see src/function/token.c */
static int64_t
state_number(const char *state)
{
	char	   *end;
	int64_t		number = strtoll(strchr(state, '.') + 1, &end, 16);

	return *end == '.' ? strtoll(end + 1, NULL, 16) : number;
}

bool
state_survived(const Client *client, int from, int account, int kind, const char *state)
{
	return !options.failover || survived(client, from, account, kind, state_number(state));
}

/* What a confirmed commit said must be true for ever, or until its server is lost */
void
acknowledge(const Client *client, int mailbox, int64_t modseq)
{
	pthread_mutex_lock(&mutex);
	if ((!options.failover || client->server == primary) && acknowledged[mailbox] < modseq)
		acknowledged[mailbox] = modseq;
	pthread_mutex_unlock(&mutex);
}

/* --- servers -------------------------------------------------------------------- */

static void
give_up(const char *what, const char *why)
{
	fprintf(stderr, "converge: %s: %s\n", what, why);
	exit(2);
}

/* Runs the script */
static void
servers(const char *format,...)
			__attribute__((format(printf, 1, 2)));
static void
servers(const char *format,...)
{
	char		arguments[200];
	char		command[2500];
	va_list		args;

	va_start(args, format);
	vsnprintf(arguments, sizeof(arguments), format, args);
	va_end(args);
	snprintf(command, sizeof(command), "'%s/servers' '%s' %s", options.directory, options.servers, arguments);
	if (system(command) != 0)
		give_up(command, "failed");
}

/* A statement on one server, whatever it is to clients */
static PGresult *
on_server(int server, const char *sql)
{
	char		host[1100];
	const char *keywords[] = {"host", NULL};
	const char *values[] = {host, NULL};
	PGconn	   *conn;
	PGresult   *result;

	snprintf(host, sizeof(host), "%s/%d", options.servers, server);
	conn = PQconnectdbParams(keywords, values, 0);
	result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		give_up(sql, PQerrorMessage(conn));
	PQfinish(conn);
	return result;
}

static void
run_on(int server, const char *sql)
{
	PQclear(on_server(server, sql));
}

static bool
is_true(int server, const char *sql)
{
	PGresult   *result = on_server(server, sql);
	bool		ok = *PQgetvalue(result, 0, 0) == 't';

	PQclear(result);
	return ok;
}

/* The standby of a primary that goes on has what that has now */
void
standby_catch_up(void)
{
	PGconn	   *conn = PQconnectdb("");
	PGresult   *result = PQexec(conn, "SELECT pg_current_wal_lsn()");
	char		sql[100];

	snprintf(sql, sizeof(sql), "SELECT pg_last_wal_replay_lsn() >= '%s'", PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(conn);
	while (!is_true(FIRST_STANDBY, sql))
		usleep(10000);
}

/*
 * Until others have changed and asked enough, while nobody is to be quiet; or
 * until the test is over
 */
static void
wait_for_work(void)
{
	long		operations = totals.operations + WORK;
	long		syncs = totals.syncs + WORK;

	while (!finished && !stopping &&
		   (round_over || totals.operations < operations || totals.syncs < syncs))
		usleep(5000);
}

/* Commits go on, and those who read on the standby do not see them */
static void
lag(int standby)
{
	run_on(standby, "SELECT pg_wal_replay_pause()");
	wait_for_work();
	run_on(standby, "SELECT pg_wal_replay_resume()");
}

/*
 * From now on nothing gets there.  Where replay pauses, nobody ends the receiver
 * for a setting's sake; SQL cannot either.
 */
static void
cut_off(int standby)
{
	PGresult   *result;
	bool		receives = true;

	run_on(standby, "ALTER SYSTEM SET primary_conninfo = ''");
	run_on(standby, "SELECT pg_reload_conf()");
	while (receives)
	{
		result = on_server(standby, "SELECT pid FROM pg_stat_wal_receiver");
		receives = PQntuples(result) > 0;
		if (receives)
			kill(atoi(PQgetvalue(result, 0, 0)), SIGTERM);
		PQclear(result);
		usleep(5000);
	}
}

/*
 * What was prepared, and is here, has an end that its client has decided on,
 * and may have been told: see commit_prepared()
 */
static void
end_prepared(int server)
{
	PGresult   *result = on_server(server, "SELECT concat(CASE WHEN gid LIKE '%-commit' THEN 'COMMIT' ELSE 'ROLLBACK' END,"
								   " ' PREPARED ', quote_literal(gid)) FROM pg_prepared_xacts");

	for (int i = 0; i < PQntuples(result); i++)
		run_on(server, PQgetvalue(result, i, 0));
	PQclear(result);
}

/* It is the primary from now on; what it has is what survived of its base */
static void
begin_life(int server)
{
	Life	   *life = &lives[server];
	PGresult   *result;

	end_prepared(server);
	life->mailboxes = calloc(options.mailboxes + 1, sizeof(*life->mailboxes));
	life->accounts = calloc(options.accounts + 1, sizeof(*life->accounts));
	result = on_server(server, "SELECT b.id, s.highestmodseq FROM mw_mailbox AS b,"
					   " modseq.status('mw_mail', b.id) AS s WHERE b.id < 100000");
	for (int i = 0; i < PQntuples(result); i++)
		if (atoi(PQgetvalue(result, i, 0)) <= options.mailboxes)
			life->mailboxes[atoi(PQgetvalue(result, i, 0))] = atoll(PQgetvalue(result, i, 1));
	PQclear(result);
	for (int account = 0; account < options.accounts; account++)
	{
		char		sql[100];

		snprintf(sql, sizeof(sql), "SELECT email, mailbox, thread FROM modseq.account_state('mw_mail', %d::bigint)", account);
		result = on_server(server, sql);
		for (int kind = 0; kind < 3; kind++)
			life->accounts[account][kind] = state_number(PQgetvalue(result, 0, kind));
		PQclear(result);
	}
	pthread_mutex_lock(&mutex);
	life->begun = true;
	primary = server;
	for (int i = 1; i <= options.mailboxes; i++)
		if (acknowledged[i] > life->mailboxes[i])
			acknowledged[i] = life->mailboxes[i];
	pthread_mutex_unlock(&mutex);
	promoting = 0;
	servers("primary %d", server);
	totals.failovers++;
}

static int
new_server(int base)
{
	if (newest == MOST_SERVERS)
		give_up("failover", "too many servers");
	pthread_mutex_lock(&mutex);
	lives[++newest].base = base;
	pthread_mutex_unlock(&mutex);
	return newest;
}

/* The primary is lost, and one of its standbys goes on */
static void
fail_over(int standby)
{
	wait_for_work();
	servers("lose %d", primary);
	promoting = standby;
	servers("promote %d", standby);
	begin_life(standby);
}

/*
 * The primary crashes and loses commits that were not written yet.  Its standby
 * has only what was, and goes on behind the server that this is then.
 */
static int
crash(int standby)
{
	int			server = new_server(primary);
	int			behind = new_server(server);
	int			walwriter;
	PGresult   *result;

	run_on(primary, "ALTER SYSTEM SET synchronous_commit = off");
	run_on(primary, "SELECT pg_reload_conf()");

	/* What is written outlives the crash, even if it was not flushed */
	result = on_server(primary, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
	walwriter = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	kill(walwriter, SIGSTOP);
	wait_for_work();
	while (!finished && !stopping && (round_over ||
									  !is_true(primary, "SELECT pg_current_wal_insert_lsn() - pg_current_wal_lsn() > 30000")))
		usleep(5000);
	servers("restart %d %d %d", primary, server, walwriter);
	run_on(server, "ALTER SYSTEM RESET ALL");
	run_on(server, "SELECT pg_reload_conf()");
	run_on(server, "SELECT modseq.recovered()");
	begin_life(server);
	servers("restart %d %d", standby, behind);
	wait_for_work();
	return behind;
}

/* A primary and its standbys, until one of these is all that there is */
static void
generation(int kind)
{
	int			standby = new_server(primary);
	int			other = kind == 1 ? new_server(primary) : 0;

	if (other)
		servers("standby %d %d", standby, other);
	else
		servers("standby %d", standby);
	wait_for_work();
	lag(standby);
	if (finished || stopping)
		return;
	if (kind == 2)
		standby = crash(standby);
	if (other)
	{
		cut_off(other);
		wait_for_work();
	}
	if (kind == 0)
		run_on(standby, "SELECT pg_wal_replay_pause()");
	cut_off(standby);
	fail_over(standby);
	if (other)
		fail_over(other);
	totals.generations++;
}

/* --- the thread ------------------------------------------------------------------ */

void *
failover_main(void *arg)
{
	for (int i = options.seed % 3; !finished && !stopping; i++)
	{
		if (!options.failover)
		{
			wait_for_work();
			lag(FIRST_STANDBY);
			continue;
		}
		wait_for_work();
		if (!finished && !stopping)
			generation(i % 3);
	}
	return NULL;
}
