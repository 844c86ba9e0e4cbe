/*-------------------------------------------------------------------------
 *
 * content.c
 *	  Reads the octets of messages, as many at a time as fit into memory.
 *
 * Messages never change, so this needs no snapshot: one that is gone since
 * its row was read is NULL.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "imapd.h"
#include "message.h"

#define BATCH_MESSAGES	256
#define BATCH_OCTETS	(4 * 1024 * 1024)

/* The header of most messages is in this much of them. */
#define HEADER_OCTETS	16384

static uint32_t
binary_uid(const char *value)
{
	uint32_t	low;

	memcpy(&low, value + 4, 4);
	return ntohl(low);
}

static bool
query(Session *session, const Uids *set, bool header)
{
	Db		   *db = &session->db;
	char	   *text = uids_print(set);

	if (header)
		db_queue(db, SQL_HEADER, "isi", session->box.id, text, (int64_t) HEADER_OCTETS);
	else
		db_queue(db, SQL_RAW, "is", session->box.id, text);
	g_free(text);
	return db_run(db);
}

/* A message of which HEADER_OCTETS were not enough */
static bool
whole(Session *session, PGresult *rows, int row, ContentFunction function, void *arg)
{
	Uids		one = UIDS_INIT;
	PGresult   *found;
	bool		done;

	uids_add(&one, db_int(rows, row, 0));
	done = query(session, &one, false);
	uidset_builder_free(&one);
	if (!done)
		return false;
	found = db_take(&session->db, 0);
	if (PQntuples(found) == 1)
		function(session, rows, row, PQgetvalue(found, 0, 1), PQgetlength(found, 0, 1), arg);
	else
		function(session, rows, row, NULL, 0, arg);
	PQclear(found);
	return true;
}

/*
 * Calls the function for each of the rows (numbers in which, ascending; UID
 * and size in columns 0 and 3) with the message, or at least its header.
 * False if the database has failed.
 */
bool
content_each(Session *session, PGresult *rows, const GArray *which, bool header,
			 ContentFunction function, void *arg)
{
	for (guint begin = 0, end; begin < which->len; begin = end)
	{
		Uids		set = UIDS_INIT;
		int64_t		octets = 0;
		PGresult   *found;
		int			next = 0;
		bool		done;

		for (end = begin; end < which->len && end - begin < BATCH_MESSAGES; end++)
		{
			int			row = g_array_index(which, int, end);
			int64_t		size = db_int(rows, row, 3);

			octets += header ? MIN(size, HEADER_OCTETS) : size;
			if (end > begin && octets > BATCH_OCTETS)
				break;
			uids_add(&set, db_int(rows, row, 0));
		}
		done = query(session, &set, header);
		uidset_builder_free(&set);
		if (!done)
			return false;
		found = db_take(&session->db, 0);
		for (guint i = begin; done && i < end; i++)
		{
			int			row = g_array_index(which, int, i);
			bool		there = next < PQntuples(found) &&
				binary_uid(PQgetvalue(found, next, 0)) == db_int(rows, row, 0);
			const char *raw = there ? PQgetvalue(found, next, 1) : NULL;
			size_t		length = there ? PQgetlength(found, next, 1) : 0;

			if (there)
				next++;
			if (there && header && (int64_t) length < db_int(rows, row, 3) &&
				!message_has_header(raw, length))
				done = whole(session, rows, row, function, arg);
			else
				function(session, rows, row, raw, length, arg);
		}
		PQclear(found);
		if (!done)
			return false;
	}
	return true;
}
