/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  Connections to the database that no request uses just now.
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

static GAsyncQueue *idle;

static void
make_queue(void)
{
	static gsize made;

	if (g_once_init_enter(&made))
	{
		idle = g_async_queue_new();
		g_once_init_leave(&made, 1);
	}
}

/* A connection, to be given back; NULL if there is none to be had */
Db *
pool_take(void)
{
	Db		   *db;

	make_queue();
	db = g_async_queue_try_pop(idle);
	if (db)
		return db;
	db = g_new0(Db, 1);
	if (db_connect(db, options.conninfo))
		return db;
	g_free(db);
	return NULL;
}

void
pool_give(Db *db)
{
	if (!db_is_lost(db) && PQtransactionStatus(db->conn) == PQTRANS_IDLE &&
		g_async_queue_length(idle) < MAX_CONCURRENT_REQUESTS)
	{
		g_async_queue_push(idle, db);
		return;
	}
	db_disconnect(db);
	g_free(db);
}
