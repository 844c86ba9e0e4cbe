/*-------------------------------------------------------------------------
 *
 * warm.c
 *	  What a client will ask first, asked before it does.
 *
 * A new backend reads catalogs, loads modseq and makes plans when it is asked
 * for the first time: some milliseconds, which a client that is answered
 * LOGIN and has not sent its next command need not wait for.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>

#include "imapd.h"

/* Has the client sent its next command already? */
static bool
is_waiting(const Session *session)
{
	struct pollfd ready = {session->fd, POLLIN, 0};

	return session->input.next < session->input.end || poll(&ready, 1, 0) != 0;
}

/* Of INBOX, for that is there.  What fails here will fail again when it matters. */
void
warm_up(Session *session)
{
	Db		   *db = &session->db;
	GPtrArray  *names = parse_array(&session->parser);
	char	   *array;
	int64_t		box;
	int64_t		uidvalidity;
	int64_t		highestmodseq;

	if (is_waiting(session))
		return;
	g_ptr_array_add(names, "INBOX");
	array = text_array(names);
	db_queue(db, SQL_SELECT, "is", session->user_id, "INBOX");
	db_queue(db, SQL_STATUS, "is", session->user_id, array);
	g_free(array);
	if (!db_run(db) || PQntuples(db->results[0]) == 0 || is_waiting(session))
		return;
	box = db_int(db->results[0], 0, 0);
	uidvalidity = db_int(db->results[0], 0, 1);
	highestmodseq = db_int(db->results[0], 0, 3);
	db_queue(db, SQL_LIVE, "ii", box, (int64_t) 0);
	db_queue(db, SQL_RESYNC, "iii", box, uidvalidity, highestmodseq);
	db_run(db);
}
