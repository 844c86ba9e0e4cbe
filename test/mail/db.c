/*-------------------------------------------------------------------------
 *
 * db.c
 *	  Runs statements, several in a round trip, and again after a deadlock.
 *
 * The connection stays in libpq's pipeline mode.  A statement is prepared in
 * the round trip that first uses it.  If one of a round trip fails, the rest
 * is skipped, and db_run() has rolled the transaction back when it returns.
 *
 * A queue that is a whole transaction, or a statement by itself, is sent
 * again by db_run() if it deadlocks or cannot be serialized.  Of a transaction
 * that takes several round trips the caller begins anew: db_retry().
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db.h"

/* How often a transaction is tried that deadlocks or cannot be serialized */
#define MAX_ATTEMPTS	20

static void
clear_results(Db *db)
{
	for (int i = 0; i < db->nqueued; i++)
	{
		PQclear(db->results[i]);
		db->results[i] = NULL;
	}
}

static void
clear_queue(Db *db)
{
	clear_results(db);
	for (int i = 0; i < db->nqueued; i++)
		for (int n = 0; n < db->queued[i].nparameters; n++)
			free(db->queued[i].parameters[n].owned);
	db->nqueued = 0;
	db->answered = false;
}

static char *
copy(const char *text)
{
	char	   *copied = strdup(text);

	if (copied == NULL)
		abort();
	return copied;
}

static void
ignore_notice(void *arg, const PGresult *result)
{
}

bool
db_connect(Db *db, const char *conninfo)
{
	const char *const keywords[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
	const char *const values[] = {conninfo, program_invocation_short_name, "UTF8", NULL};

	memset(db, 0, sizeof(*db));
	db->conn = PQconnectdbParams(keywords, values, true);
	if (PQstatus(db->conn) == CONNECTION_OK && PQenterPipelineMode(db->conn))
	{
		PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
		db_queue(db, SQL_SETTINGS, "");
		if (db_run(db))
			return true;
	}
	fprintf(stderr, "%s: %s", program_invocation_short_name, PQerrorMessage(db->conn));
	db_disconnect(db);
	return false;
}

void
db_disconnect(Db *db)
{
	clear_queue(db);
	PQfinish(db->conn);
	db->conn = NULL;
}

void
db_queue(Db *db, Sql sql, const char *format,...)
{
	Queued	   *queued;
	va_list		args;

	if (db->answered)
		clear_queue(db);
	if (db->nqueued == DB_QUEUE)
		abort();
	queued = &db->queued[db->nqueued++];
	queued->sql = sql;
	queued->nparameters = strlen(format);
	if (queued->nparameters > DB_PARAMETERS)
		abort();
	va_start(args, format);
	for (int n = 0; format[n] != '\0'; n++)
	{
		Parameter  *parameter = &queued->parameters[n];
		char		number[24];
		const char *text;

		*parameter = (Parameter) {0};
		switch (format[n])
		{
			case 'i':
				snprintf(number, sizeof(number), "%" PRId64, va_arg(args, int64_t));
				parameter->value = parameter->owned = copy(number);
				break;
			case 's':
				text = va_arg(args, const char *);
				parameter->value = parameter->owned = text ? copy(text) : NULL;
				break;
			case 'b':
				parameter->value = va_arg(args, const char *);
				parameter->length = (int) va_arg(args, size_t);
				parameter->binary = true;
				break;
			default:
				abort();
		}
	}
	va_end(args);
}

/* Sends the statement, and its text first if the server does not have it yet. */
static void
send_queued(Db *db, Queued *queued)
{
	const char *values[DB_PARAMETERS];
	int			lengths[DB_PARAMETERS];
	int			formats[DB_PARAMETERS];
	char		name[16];

	for (int n = 0; n < queued->nparameters; n++)
	{
		values[n] = queued->parameters[n].value;
		lengths[n] = queued->parameters[n].length;
		formats[n] = queued->parameters[n].binary;
	}
	snprintf(name, sizeof(name), "s%d", (int) queued->sql);
	queued->preparing = !db->prepared[queued->sql];
	if (queued->preparing)
	{
		PQsendPrepare(db->conn, name, sql_texts[queued->sql].text, 0, NULL);
		db->prepared[queued->sql] = true;
	}
	PQsendQueryPrepared(db->conn, name, queued->nparameters, values, lengths, formats,
						sql_texts[queued->sql].binary);
}

/* The next result of what was sent, whose rest is discarded; NULL if the connection is lost */
static PGresult *
next_result(Db *db)
{
	PGresult   *result = PQgetResult(db->conn);
	PGresult   *rest;

	while (result != NULL && (rest = PQgetResult(db->conn)) != NULL)
		PQclear(rest);
	return result;
}

static void
note_failure(Db *db, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED || db->sqlstate[0] != '\0')
		return;
	snprintf(db->sqlstate, sizeof(db->sqlstate), "%s", state ? state : "08006");
	if (strcmp(db->sqlstate, "40001") != 0 && strcmp(db->sqlstate, "40P01") != 0)
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, PQresultErrorMessage(result));
}

/*
 * The end of a round trip.  A statement outside a transaction block commits
 * only here, after its result, so it may still fail.
 */
static void
finish_round_trip(Db *db)
{
	while (!db_is_lost(db))
	{
		PGresult   *result = PQgetResult(db->conn);
		ExecStatusType status = PQresultStatus(result);

		if (result != NULL && status != PGRES_PIPELINE_SYNC)
			note_failure(db, result);
		PQclear(result);
		if (status == PGRES_PIPELINE_SYNC)
			return;
	}
	snprintf(db->sqlstate, sizeof(db->sqlstate), "08006");
}

/* Has the last of the queue, a COMMIT, been confirmed? */
static bool
is_committed(const Db *db)
{
	int			last = db->nqueued - 1;

	return db->queued[last].sql == SQL_COMMIT &&
		PQresultStatus(db->results[last]) == PGRES_COMMAND_OK &&
		strcmp(PQcmdStatus(db->results[last]), "COMMIT") == 0;
}

static void
run_queue(Db *db)
{
	db->sqlstate[0] = '\0';
	for (int i = 0; i < db->nqueued; i++)
		send_queued(db, &db->queued[i]);
	PQpipelineSync(db->conn);
	for (int i = 0; i < db->nqueued && !db_is_lost(db); i++)
	{
		ExecStatusType status;

		if (db->queued[i].preparing)
		{
			PGresult   *prepared = next_result(db);

			if (PQresultStatus(prepared) != PGRES_COMMAND_OK)
			{
				note_failure(db, prepared);
				db->prepared[db->queued[i].sql] = false;
			}
			PQclear(prepared);
		}
		db->results[i] = next_result(db);
		status = PQresultStatus(db->results[i]);
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
			note_failure(db, db->results[i]);
	}
	finish_round_trip(db);
	/* Then nothing that comes after it can take that back. */
	if (db_is_lost(db) && is_committed(db))
		db->sqlstate[0] = '\0';
}

static void
roll_back(Db *db)
{
	if (PQtransactionStatus(db->conn) != PQTRANS_INERROR &&
		PQtransactionStatus(db->conn) != PQTRANS_INTRANS)
		return;
	PQsendQueryParams(db->conn, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0);
	PQpipelineSync(db->conn);
	PQclear(next_result(db));
	PQclear(PQgetResult(db->conn));
}

/*
 * Runs what is queued.  If it returns true, db->results has a result for each
 * statement, until something is queued again.  If it returns false, nothing of
 * it has been committed; or, if the connection is lost, nobody knows.
 */
bool
db_run(Db *db)
{
	bool		begins = db->queued[0].sql == SQL_BEGIN || db->queued[0].sql == SQL_BEGIN_READING;
	bool		ends = db->queued[db->nqueued - 1].sql == SQL_COMMIT;
	bool		whole = PQtransactionStatus(db->conn) == PQTRANS_IDLE && begins == ends;
	int			attempt = 0;

	for (;;)
	{
		run_queue(db);
		if (db->sqlstate[0] == '\0')
			break;
		clear_results(db);
		roll_back(db);
		if (!whole || !db_retry(db, &attempt))
			break;
	}
	db->answered = true;
	return db->sqlstate[0] == '\0';
}

/* After db_run() has failed in a transaction of several round trips: shall it be tried again, from BEGIN? */
bool
db_retry(Db *db, int *attempt)
{
	if (strcmp(db->sqlstate, "40001") != 0 && strcmp(db->sqlstate, "40P01") != 0)
		return false;
	if (++*attempt == MAX_ATTEMPTS)
		return false;
	usleep(1000 * (rand() % (10 * *attempt)));
	return true;
}

/* A result that outlives the next db_queue(): the caller PQclear()s it. */
PGresult *
db_take(Db *db, int i)
{
	PGresult   *result = db->results[i];

	db->results[i] = NULL;
	return result;
}

bool
db_is_lost(const Db *db)
{
	return PQstatus(db->conn) != CONNECTION_OK;
}

/* A field; NULL stands for NULL */
const char *
db_text(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

/* A field that is an integer; 0 for NULL */
int64_t
db_int(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}
