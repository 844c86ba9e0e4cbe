/*-------------------------------------------------------------------------
 *
 * driver.c
 *	  Runs a schedule: one step at a time, and the next when every session is
 *	  either done with its step or waits for a lock that another one keeps.
 *
 * Which of the sessions goes on is the chooser's business.  An observer, with
 * a connection of its own, makes the schedule's mailboxes, looks after each
 * commit, and asks the server who waits for whom.
 *
 *-------------------------------------------------------------------------
 */
#include "schedules.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_SIZE		16384
#define PATIENCE		20.0	/* seconds for a step that nobody holds up */

typedef struct Session
{
	PGconn	   *conn;
	int			pid;
	int			step;			/* of its program: the next, or that in
								 * progress */
	bool		busy;
	bool		waits;			/* its step in progress was seen to */
	bool		aborted;		/* until it rolls back, to the savepoint or
								 * all */
	int			snapshot;		/* states committed before it; REPEATABLE
								 * READ: before its first; -1: there is none
								 * yet */
	bool		wrote;
	bool		exact;			/* all before its snapshot was seen */
	int			stored;			/* mailboxes, as bits, by conditional stores */
	int			in_state;		/* accounts, as bits, by ifInState */
	char		refused;		/* a conditional one: its letter */
	bool		savepoint;
	bool		wrote_before;	/* the savepoint */
	int			stored_before;
	int			in_state_before;
} Session;

long		deadlocks;

static PGconn *observer;
static Session sessions[MAX_SESSIONS];

/* --- the observer ----------------------------------------------------------------- */

static PGconn *
connect_session(void)
{
	PGconn	   *conn = connect_server();

	PQclear(run_sql(conn, "SET deadlock_timeout = '5ms'; SET synchronous_commit = off"));
	return conn;
}

void
driver_start(void)
{
	observer = connect_session();
	PQclear(run_sql(observer, "SET lock_timeout = '20ms'"));
	for (int i = 0; i < MAX_SESSIONS; i++)
	{
		sessions[i].conn = connect_session();
		sessions[i].pid = PQbackendPID(sessions[i].conn);
	}
}

/* What modseq itself finds in all that schedules have left */
void
driver_check(void)
{
	PGresult   *result = run_sql(observer, "SELECT k::text FROM modseq.check('mw_mail') AS k");

	for (int i = 0; i < PQntuples(result); i++)
		printf("# check: %s\n", PQgetvalue(result, i, 0));
	if (PQntuples(result) > 0)
		exit(1);
	PQclear(result);
}

/* False: a table is locked against readers */
static bool
observe_look(Schedule *schedule, int states, Look *look)
{
	char		sql[LOOK_SIZE];
	PGresult   *result;
	const char *state;

	look_sql(schedule, states, sql);
	result = PQexec(observer, sql);
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (state && strcmp(state, "55P03") == 0 && schedule_has(schedule, "WwHh"))
	{
		PQclear(result);
		return false;
	}
	if (state)
		failure(schedule, "the observer: %s# in: %s", PQerrorMessage(observer), sql);
	look_read(schedule, result, look);
	PQclear(result);
	return true;
}

/*
 * A transaction has committed.  If that cannot be seen now, it will be judged
 * together with the next.
 */
static void
observe_commit(Schedule *schedule)
{
	Look		look;

	schedule->unseen = true;
	if (!observe_look(schedule, schedule->states, &look))
		return;
	judge_commit(schedule, &look);
	look_free(&look);
}

/* New mailboxes with a message each; what was committed at the start */
static void
begin_schedule(Schedule *schedule)
{
	char		sql[1000];
	long long	first = box_id(schedule, 0);

	/* What reads whole tables is not to find much */
	if (schedule_has(schedule, "WwHhO"))
		PQclear(run_sql(observer, "DELETE FROM mw_mailbox"));
	snprintf(sql, sizeof(sql), "INSERT INTO mw_mailbox (id, acct) SELECT %lld + i, %lld + i %% %d"
			 " FROM generate_series(0, %d) AS i;"
			 "INSERT INTO mw_mail (%s, mailbox_id%s) SELECT %lld + i, %lld + i%s FROM generate_series(0, %d) AS i%s",
			 first, first, settings.accounts ? settings.accounts : 1, BOXES - 1,
			 settings.shared ? "msg" : "id", settings.partitioned ? ", part" : "", first, first,
			 settings.partitioned ? ", i" : "", BOXES - 1, settings.flag_table ?
			 "; INSERT INTO mw_mail_flag (mail_id) SELECT id FROM mw_mail AS m"
			 " WHERE NOT EXISTS (SELECT FROM mw_mail_flag WHERE mail_id = m.id)" : "");
	PQclear(run_sql(observer, sql));
	observe_commit(schedule);
}

/* --- steps ------------------------------------------------------------------------- */

static void
send_step(Schedule *schedule, int number)
{
	Session    *session = &sessions[number];
	char		letter = schedule->program[number][session->step];
	char		sql[LOOK_SIZE];

	schedule->order[schedule->steps++] = '0' + number;
	schedule->order[schedule->steps] = '\0';
	step_sql(schedule, number, session->step, sql);
	if (strchr("PQKA", letter) == NULL &&
		(session->snapshot < 0 || !program_repeatable(schedule->program[number])))
	{
		session->snapshot = schedule->states;
		session->exact = !schedule->unseen;
	}
	if (settings.verbose)
		printf("#   %c%c %s\n", '0' + number, letter, letter == 'R' ? "(looks)" : sql);
	if (!PQsendQuery(session->conn, sql))
	{
		fprintf(stderr, "schedules: %s", PQerrorMessage(session->conn));
		exit(2);
	}
	session->busy = true;
	session->waits = false;
}

static void
judge_error(Schedule *schedule, int number, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool		deadlock = state && strcmp(state, "40P01") == 0;

	deadlocks += deadlock;
	if (deadlock && may_deadlock(schedule))
		return;
	if (state && !deadlock && may_fail(schedule, number, state))
		return;
	failure(schedule, "session %d: %s", number, PQresultErrorMessage(result));
}

/*
 * What a client is told in the midst of a transaction, maybe of its own.  To an
 * older snapshot a table that was truncated since is empty, says PostgreSQL.
 */
static void
judge_read(Schedule *schedule, int number, const PGresult *result)
{
	const Session *session = &sessions[number];
	bool		goes = schedule_has(schedule, "WwHh");
	Look		look;

	if (goes && program_repeatable(schedule->program[number]))
		return;
	look_read(schedule, result, &look);
	judge_told(schedule, &look, session->snapshot);
	if (!session->wrote && session->exact && !(goes && session->waits))
		judge_same(schedule, &look, session->snapshot - 1, "a transaction");
	if (session->waits && !goes)
		failure(schedule, "a reader waited");
	look_free(&look);
	state_free(&look.now);
}

/* What was done under a condition is about to be committed: it must be so still */
static void
judge_stored(Schedule *schedule, const Session *session)
{
	for (int box = 0; box < BOXES; box++)
	{
		if (session->stored & 1 << box && !store_right(schedule, box))
			failure(schedule, "%c: stored unchanged since the start what was changed, or gone", 'A' + box);
		if (session->in_state & 1 << box && !in_state_right(schedule, settings.accounts == 1 ? 0 : box))
			failure(schedule, "%c: changed in a state that is no more", 'A' + box);
	}
}

/* And what was refused must not be */
static void
judge_refused(Schedule *schedule)
{
	for (int i = 0; i < schedule->sessions; i++)
	{
		char		letter = sessions[i].refused;
		int			box = letter && strchr("CJ", letter) ? 0 : 1;

		sessions[i].refused = '\0';
		if (letter == '\0' || schedule->unseen || program_repeatable(schedule->program[i]))
			continue;
		if (strchr("Cc", letter) ? store_right(schedule, box) && !schedule_has(schedule, "NnZz") :
			in_state_right(schedule, settings.accounts == 1 ? 0 : box))
			failure(schedule, "session %d: %c was refused, and nothing had changed", i, letter);
	}
}

/* A step has ended, with this as its last result */
static void
finish_step(Schedule *schedule, int number, PGresult *result)
{
	Session    *session = &sessions[number];
	char		letter = schedule->program[number][session->step];
	ExecStatusType status = PQresultStatus(result);

	session->busy = false;
	session->step++;
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		judge_error(schedule, number, result);
		session->aborted = true;
		return;
	}
	switch (letter)
	{
		case 'P':
			session->savepoint = true;
			session->wrote_before = session->wrote;
			session->stored_before = session->stored;
			session->in_state_before = session->in_state;
			break;
		case 'Q':
			session->aborted = session->savepoint = false;
			session->wrote = session->wrote_before;
			session->stored = session->stored_before;
			session->in_state = session->in_state_before;
			break;
		case 'R':
			judge_read(schedule, number, result);
			break;
		case 'C':
		case 'c':
		case 'J':
		case 'j':
			if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
				session->refused = session->wrote ? '\0' : letter;
			else
			{
				session->wrote = true;
				*(strchr("Cc", letter) ? &session->stored : &session->in_state) |= strchr("CJ", letter) ? 1 : 2;
			}
			break;
		case 'W':
		case 'w':
		case 'H':
		case 'h':
			session->wrote = true;
			break;
		case 'K':
			if (strcmp(PQcmdStatus(result), "COMMIT") == 0 && !schedule->unseen)
				judge_stored(schedule, session);
			break;
		default:
			if (atoi(PQcmdTuples(result)) > 0 && letter != 'L')
				session->wrote = true;
	}
}

/* Takes what the server has sent; true: the step has ended */
static bool
receive(Schedule *schedule, int number)
{
	PGconn	   *conn = sessions[number].conn;
	PGresult   *last = NULL;
	PGresult   *result;

	if (!PQconsumeInput(conn))
	{
		fprintf(stderr, "schedules: %s", PQerrorMessage(conn));
		failure(schedule, "session %d lost its connection", number);
		exit(1);
	}
	if (PQisBusy(conn))
		return false;
	while ((result = PQgetResult(conn)) != NULL)
	{
		PQclear(last);
		last = result;
	}
	finish_step(schedule, number, last);
	PQclear(last);
	return true;
}

/* --- who waits for whom --------------------------------------------------------------- */

/*
 * Does each session that is busy wait for one that is not, be it by way of
 * others?  If it waits in a circle, the server will end that soon.
 */
static bool
all_wait(const Schedule *schedule)
{
	char		sql[400] = "";
	int			blockers[MAX_SESSIONS] = {0};
	PGresult   *result;
	bool		all = true;

	for (int i = 0; i < schedule->sessions; i++)
		if (sessions[i].busy)
			sprintf(sql + strlen(sql), "%s SELECT %d, unnest(pg_blocking_pids(%d))",
					*sql ? " UNION ALL" : "", i, sessions[i].pid);
	result = run_sql(observer, sql);
	for (int row = 0; row < PQntuples(result); row++)
		for (int i = 0; i < schedule->sessions; i++)
			if (atoi(PQgetvalue(result, row, 1)) == sessions[i].pid)
				blockers[atoi(PQgetvalue(result, row, 0))] |= 1 << i;
	PQclear(result);
	for (int round = 0; round < schedule->sessions; round++)
		for (int i = 0; i < schedule->sessions; i++)
			for (int j = 0; j < schedule->sessions; j++)
				if (blockers[i] & 1 << j)
					blockers[i] |= blockers[j];
	for (int i = 0; i < schedule->sessions; i++)
	{
		if (!sessions[i].busy)
			continue;
		sessions[i].waits |= blockers[i] != 0;
		all &= blockers[i] != 0 && !(blockers[i] & 1 << i);
	}
	return all;
}

/* Until every session is done with its step, or waits */
static void
settle(Schedule *schedule)
{
	double		began = now();

	for (;;)
	{
		struct pollfd polled[MAX_SESSIONS];
		int			count = 0;
		bool		ended = false;

		for (int i = 0; i < schedule->sessions; i++)
			if (sessions[i].busy)
			{
				if (receive(schedule, i))
					ended = true;
				else
				{
					polled[count].fd = PQsocket(sessions[i].conn);
					polled[count++].events = POLLIN;
				}
			}
		if (count == 0)
			return;
		if (ended)
			continue;
		if (poll(polled, count, 1) > 0)
			continue;
		if (all_wait(schedule))
			return;
		if (now() - began > PATIENCE)
		{
			failure(schedule, "a step takes for ever");
			exit(1);
		}
	}
}

/* --- the whole -------------------------------------------------------------------------- */

/* What is left of the program where the transaction is aborted; true: a step */
static bool
next_step(const Schedule *schedule, int number)
{
	Session    *session = &sessions[number];
	const char *program = schedule->program[number];

	while (session->aborted && program[session->step] &&
		   !strchr(session->savepoint ? "QKA" : "KA", program[session->step]))
		session->step++;
	return program[session->step] != '\0';
}

static void
end_schedule(Schedule *schedule)
{
	Look		look;

	if (schedule->unseen)
		observe_commit(schedule);
	if (!observe_look(schedule, schedule->states, &look))
		failure(schedule, "a table stays locked");
	judge_told(schedule, &look, schedule->states);
	judge_same(schedule, &look, schedule->states - 1, "who looks at the end");
	look_free(&look);
	state_free(&look.now);
	for (int i = 0; i < schedule->states; i++)
		state_free(&schedule->state[i]);
}

void
schedule_run(Schedule *schedule, Chooser choose)
{
	schedule->steps = schedule->states = 0;
	schedule->order[0] = '\0';
	memset(schedule->owner, 0, sizeof(schedule->owner));
	begin_schedule(schedule);
	for (int i = 0; i < schedule->sessions; i++)
	{
		Session    *session = &sessions[i];

		session->step = program_repeatable(schedule->program[i]);
		session->snapshot = -1;
		session->busy = session->aborted = session->wrote = session->savepoint = false;
		session->stored = session->in_state = 0;
		session->refused = '\0';
	}
	for (;;)
	{
		bool		can[MAX_SESSIONS] = {false};
		bool		any = false;
		bool		commits;
		int			number;

		for (int i = 0; i < schedule->sessions; i++)
			any |= can[i] = !sessions[i].busy && next_step(schedule, i);
		if (!any)
			break;
		number = choose(schedule, can);
		commits = schedule->program[number][sessions[number].step] == 'K' && !sessions[number].aborted;
		send_step(schedule, number);
		settle(schedule);
		if (commits)
			observe_commit(schedule);
		judge_refused(schedule);
	}
	end_schedule(schedule);
}
