/*-------------------------------------------------------------------------
 *
 * changes.c
 *	  Email/changes, Thread/changes and Mailbox/changes (RFC 8620 section 5.2).
 *
 * modseq does all of it.  What its verdict means is said once, also for the
 * /queryChanges methods.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "methods.h"

static const Arg args[] = {
	{"sinceState", ARG_STRING, ARG_REQUIRED},
	{"maxChanges", ARG_UINT, ARG_NULL},
};

/*
 * What to do with the answer of a function that tells of changes.  It is not
 * to be used any more unless they were told; the transaction must be over.
 *
 * A standby may not have the state yet.  Then nothing is lost, and the client
 * must not throw away what it has (cannotCalculateChanges): we wait, once in a
 * call, and it tries again later if that does not help.
 */
Verdict
changes_verdict(Call *call, const char *since, const PGresult *changes)
{
	const char *verdict = PQntuples(changes) == 1 ? db_text(changes, 0, 0) : "unknown";
	char		timeout[ID_MAX];

	if (strcmp(verdict, "ok") == 0)
		return CHANGES_TOLD;
	if (strcmp(verdict, "behind") != 0)
	{
		call_fail(call, "cannotCalculateChanges", NULL);
		return CHANGES_FAILED;
	}
	if (!call->waited)
	{
		call->waited = true;
		g_snprintf(timeout, sizeof(timeout), "%d s", options.wait);
		db_queue(call->db, SQL_ACCOUNT_WAIT_FOR, "iss", call->user->id, since, timeout);
		if (!db_run(call->db))
		{
			call_fail_database(call);
			return CHANGES_FAILED;
		}
		if (*db_text(call->db->results[0], 0, 0) == 't')
			return CHANGES_AGAIN;
	}
	call_fail(call, "serverUnavailable", "This server does not have that state yet");
	return CHANGES_FAILED;
}

/* What the call has answered; NULL after call_fail() */
static json_t *
changes(Call *call, Sql sql, char kind)
{
	const char *max = NULL;
	char		number[ID_MAX];
	const char *since;
	PGresult   *row;
	Verdict		verdict;
	json_t	   *created;
	json_t	   *updated;
	json_t	   *destroyed;
	json_t	   *response;

	if (!call_args(call, args, G_N_ELEMENTS(args)))
		return NULL;
	since = arg_string(call, "sinceState");
	if (arg_get(call, "maxChanges"))
	{
		json_int_t	n = arg_int(call, "maxChanges", 0);

		if (n == 0)
			return call_fail(call, "invalidArguments", "maxChanges must be greater than 0");
		g_snprintf(number, sizeof(number), "%d", (int) MIN(n, G_MAXINT32));
		max = number;
	}
	do
	{
		db_queue(call->db, sql, "iss", call->user->id, since, max);
		if (!db_run(call->db))
			return call_fail_database(call);
		row = call->db->results[0];
		verdict = changes_verdict(call, since, row);
	} while (verdict == CHANGES_AGAIN);
	if (verdict != CHANGES_TOLD)
		return NULL;
	created = ids_json(kind, db_text(row, 0, 4));
	updated = ids_json(kind, db_text(row, 0, 5));
	destroyed = ids_json(kind, db_text(row, 0, 6));
	response = json_pack("{ss, ss, ss, sb, so, so, so}", "accountId", call->user->account,
						 "oldState", since, "newState", db_text(row, 0, 2),
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
