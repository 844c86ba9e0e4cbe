/*-------------------------------------------------------------------------
 *
 * db.c
 *	  Runs statements, several in a round trip, and tells what to try again.
 *
 * The connection stays in libpq's pipeline mode.  A statement is prepared in
 * the round trip that first uses it.  If one of a round trip fails, the rest
 * is skipped, and db_run() has rolled the transaction back when it returns.
 *
 *-------------------------------------------------------------------------
 */
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
	db->nqueued = 0;
	db->answered = false;
}

static void
ignore_notice(void *arg, const PGresult *result)
{
}

bool
db_connect(Db *db, const char *conninfo)
{
	const char *const keywords[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
	const char *const values[] = {conninfo, "imapd", "UTF8", NULL};

	memset(db, 0, sizeof(*db));
	db->conn = PQconnectdbParams(keywords, values, true);
	if (PQstatus(db->conn) == CONNECTION_OK && PQenterPipelineMode(db->conn))
	{
		PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
		db_queue(db, SQL_SETTINGS, "");
		if (db_run(db))
			return true;
	}
	fprintf(stderr, "imapd: %s", PQerrorMessage(db->conn));
	db_disconnect(db);
	return false;
}

void
db_disconnect(Db *db)
{
	clear_results(db);
	PQfinish(db->conn);
	db->conn = NULL;
}

/* Sends the statement, and its text first if the server does not have it yet. */
void
db_queue(Db *db, Sql sql, const char *format,...)
{
	const char *values[8];
	int			lengths[8];
	int			formats[8];
	char		numbers[8][24];
	char		name[16];
	int			n = 0;
	va_list		args;

	if (db->answered)
		clear_results(db);
	if (db->nqueued == DB_QUEUE)
		abort();
	va_start(args, format);
	for (; format[n] != '\0'; n++)
	{
		lengths[n] = 0;
		formats[n] = 0;
		switch (format[n])
		{
			case 'i':
				snprintf(numbers[n], sizeof(numbers[n]), "%" PRId64, va_arg(args, int64_t));
				values[n] = numbers[n];
				break;
			case 's':
				values[n] = va_arg(args, const char *);
				break;
			case 'b':
				values[n] = va_arg(args, const char *);
				lengths[n] = (int) va_arg(args, size_t);
				formats[n] = 1;
				break;
			default:
				abort();
		}
	}
	va_end(args);

	snprintf(name, sizeof(name), "s%d", (int) sql);
	db->preparing[db->nqueued] = !db->prepared[sql];
	if (!db->prepared[sql])
	{
		PQsendPrepare(db->conn, name, sql_texts[sql].text, 0, NULL);
		db->prepared[sql] = true;
	}
	PQsendQueryPrepared(db->conn, name, n, values, lengths, formats, sql_texts[sql].binary);
	db->queued[db->nqueued++] = sql;
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
note_failure(Db *db, PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED || db->sqlstate[0] != '\0')
		return;
	snprintf(db->sqlstate, sizeof(db->sqlstate), "%s", state ? state : "08006");
	if (strcmp(db->sqlstate, "40001") != 0 && strcmp(db->sqlstate, "40P01") != 0)
		fprintf(stderr, "imapd: %s\n", PQresultErrorMessage(result));
}

/*
 * Runs what is queued.  If it returns true, db->results has a result for each
 * statement, until something is queued again.
 */
bool
db_run(Db *db)
{
	int			nqueued = db->nqueued;
	PGresult   *sync;

	db->sqlstate[0] = '\0';
	if (!PQpipelineSync(db->conn))
		snprintf(db->sqlstate, sizeof(db->sqlstate), "08006");
	for (int i = 0; i < nqueued && !db_is_lost(db); i++)
	{
		ExecStatusType status;

		if (db->preparing[i])
		{
			PGresult   *prepared = next_result(db);

			if (PQresultStatus(prepared) != PGRES_COMMAND_OK)
			{
				note_failure(db, prepared);
				db->prepared[db->queued[i]] = false;
			}
			PQclear(prepared);
		}
		db->results[i] = next_result(db);
		status = PQresultStatus(db->results[i]);
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
			note_failure(db, db->results[i]);
	}
	if (db_is_lost(db))
		snprintf(db->sqlstate, sizeof(db->sqlstate), "08006");
	else
	{
		sync = PQgetResult(db->conn);
		PQclear(sync);
	}
	db->answered = true;
	if (db->sqlstate[0] == '\0')
		return true;

	clear_results(db);
	if (PQtransactionStatus(db->conn) == PQTRANS_INERROR ||
		PQtransactionStatus(db->conn) == PQTRANS_INTRANS)
	{
		char		sqlstate[6];

		memcpy(sqlstate, db->sqlstate, sizeof(sqlstate));
		db_queue(db, SQL_ROLLBACK, "");
		db_run(db);
		memcpy(db->sqlstate, sqlstate, sizeof(sqlstate));
	}
	return false;
}

/* After db_run() has failed: shall the transaction be tried again, from BEGIN? */
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
