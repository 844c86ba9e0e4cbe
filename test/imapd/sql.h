/*-------------------------------------------------------------------------
 *
 * sql.h
 *	  The names of the front end's statements: sql.c has their text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SQL_H
#define SQL_H

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

#endif							/* SQL_H */
