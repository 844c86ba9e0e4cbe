/*-------------------------------------------------------------------------
 *
 * db.h
 *	  A connection to PostgreSQL.
 *
 * Statements are queued, and then run in one round trip, transactions and
 * all.  Each front end has a sql.h of its own, with a name for each of its
 * statements, SQL_BEGIN and the like among them, and a sql.c with their text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DB_H
#define DB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "sql.h"

typedef struct SqlText
{
	const char *text;
	bool		binary;			/* are results wanted in binary? */
} SqlText;

extern const SqlText sql_texts[SQL_COUNT];

/* How many statements a round trip can take, and a statement parameters */
#define DB_QUEUE	16
#define DB_PARAMETERS	16

typedef struct Parameter
{
	const char *value;			/* NULL for NULL */
	char	   *owned;			/* the same, if the queue frees it */
	int			length;
	bool		binary;
} Parameter;

typedef struct Queued
{
	Sql			sql;
	bool		preparing;
	int			nparameters;
	Parameter	parameters[DB_PARAMETERS];
} Queued;

typedef struct Db
{
	PGconn	   *conn;			/* NULL before LOGIN */
	bool		prepared[SQL_COUNT];
	int			nqueued;
	Queued		queued[DB_QUEUE];
	bool		answered;		/* has what is queued been run? */
	PGresult   *results[DB_QUEUE];	/* of the last db_run(), until the next db_queue() */
	char		sqlstate[6];	/* why db_run() has failed */
} Db;

/*
 * db_queue's format has a letter for each parameter: i an int64_t, s a
 * string or NULL, b bytes (a const char * and a size_t), which must stay
 * where they are until db_run() has returned.
 */
extern bool db_connect(Db *db, const char *conninfo);
extern void db_disconnect(Db *db);
extern void db_queue(Db *db, Sql sql, const char *format,...);
extern bool db_run(Db *db);
extern bool db_retry(Db *db, int *attempt);
extern PGresult *db_take(Db *db, int i);
extern bool db_is_lost(const Db *db);
extern const char *db_text(const PGresult *result, int row, int column);
extern int64_t db_int(const PGresult *result, int row, int column);

#endif							/* DB_H */
