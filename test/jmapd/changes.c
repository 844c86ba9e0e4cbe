/*-------------------------------------------------------------------------
 *
 * changes.c
 *	  Email/changes, Thread/changes and Mailbox/changes (RFC 8620 section 5.2).
 *
 * modseq does all of it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "methods.h"

static const Arg args[] = {
	{"sinceState", ARG_STRING, ARG_REQUIRED},
	{"maxChanges", ARG_UINT, ARG_NULL},
};

/* What the call has answered; NULL after call_fail() */
static json_t *
changes(Call *call, Sql sql, char kind)
{
	const char *max = NULL;
	char		number[ID_MAX];
	PGresult   *row;
	json_t	   *created;
	json_t	   *updated;
	json_t	   *destroyed;
	json_t	   *response;

	if (!call_args(call, args, G_N_ELEMENTS(args)))
		return NULL;
	if (arg_get(call, "maxChanges"))
	{
		json_int_t	n = arg_int(call, "maxChanges", 0);

		if (n == 0)
			return call_fail(call, "invalidArguments", "maxChanges must be greater than 0");
		g_snprintf(number, sizeof(number), "%d", (int) MIN(n, G_MAXINT32));
		max = number;
	}
	db_queue(call->db, sql, "iss", call->user->id, arg_string(call, "sinceState"), max);
	if (!db_run(call->db))
		return call_fail_database(call);
	row = call->db->results[0];
	if (PQntuples(row) != 1 || strcmp(db_text(row, 0, 0), "ok") != 0)
		return call_fail(call, "cannotCalculateChanges", NULL);
	created = ids_json(kind, db_text(row, 0, 4));
	updated = ids_json(kind, db_text(row, 0, 5));
	destroyed = ids_json(kind, db_text(row, 0, 6));
	response = json_pack("{ss, ss, ss, sb, so, so, so}", "accountId", call->user->account,
						 "oldState", arg_string(call, "sinceState"), "newState", db_text(row, 0, 2),
						 "hasMoreChanges", *db_text(row, 0, 3) == 't',
						 "created", created, "updated", updated, "destroyed", destroyed);
	if (sql == SQL_MAILBOX_CHANGES)
		json_object_set_new(response, "updatedProperties",
							db_text(row, 0, 7) && *db_text(row, 0, 7) == 't' ?
							json_pack("[ssss]", "totalEmails", "unreadEmails", "totalThreads", "unreadThreads") :
							json_null());
	return response;
}

json_t *
email_changes(Call *call)
{
	return changes(call, SQL_EMAIL_CHANGES, 'E');
}

json_t *
thread_changes(Call *call)
{
	return changes(call, SQL_THREAD_CHANGES, 'T');
}

json_t *
mailbox_changes(Call *call)
{
	return changes(call, SQL_MAILBOX_CHANGES, 'M');
}
