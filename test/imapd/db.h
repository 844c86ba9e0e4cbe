/*-------------------------------------------------------------------------
 *
 * db.h
 *	  The session's connection to PostgreSQL, and every statement there is.
 *
 * Statements are queued, and then run in one round trip, transactions and
 * all.  sql.c has their text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DB_H
#define DB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum Sql
{
	SQL_BEGIN,
	SQL_BEGIN_READING,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SETTINGS,
	SQL_LISTEN,
	SQL_UNLISTEN,
	SQL_LOGIN,
	SQL_CREATE_USER,
	SQL_FIND_USER,
	SQL_KEYWORDS,
	SQL_ADD_KEYWORDS,
	SQL_FIND_MAILBOX,
	SQL_LIST,
	SQL_STATUS,
	SQL_CREATE,
	SQL_DELETE,
	SQL_RENAME,
	SQL_MOVE_ALL,
	SQL_SUBSCRIBE,
	SQL_UNSUBSCRIBE,
	SQL_SELECT,
	SQL_RESYNC,
	SQL_QRESYNC,
	SQL_LOCK,
	SQL_LOCK_TWO,
	SQL_WHICH,
	SQL_UNCHANGED_SINCE,
	SQL_FOREIGN,
	SQL_MESSAGES,
	SQL_CHANGED,
	SQL_VANISHED,
	SQL_RAW,
	SQL_HEADER,
	SQL_FIND,
	SQL_FIND_CHANGED,
	SQL_SEARCH,
	SQL_SEEN,
	SQL_STORE_ADD,
	SQL_STORE_REMOVE,
	SQL_STORE_REPLACE,
	SQL_EXPUNGE,
	SQL_UID_EXPUNGE,
	SQL_APPEND,
	SQL_COPY,
	SQL_MOVE,
	SQL_MOVE_WITHIN,
	SQL_COUNT
} Sql;

typedef struct SqlText
{
	const char *text;
	bool		binary;			/* are results wanted in binary? */
} SqlText;

extern const SqlText sql_texts[SQL_COUNT];

/* How many statements a round trip can take, and a statement parameters */
#define DB_QUEUE	10
#define DB_PARAMETERS	8

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
