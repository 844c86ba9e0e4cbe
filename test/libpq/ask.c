/*-------------------------------------------------------------------------
 *
 * ask.c
 *	  The ways in which a replica asks what changed, and random arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
free_answer(Answer *answer)
{
	ranges_free(&answer->vanished);
	ranges_free(&answer->changed);
	free(answer->rows.messages);
	memset(answer, 0, sizeof(Answer));
}

void
free_request(Request *request)
{
	free(request->known);
	free(request->seqs);
	free(request->uids);
}

/* --- asking ------------------------------------------------------------------- */

/* Messages of a mailbox into a model, those that the condition wants */
bool
read_rows(Client *client, int mailbox, const char *condition, Model *rows)
{
	PGresult   *result;

	result = query(client, "SELECT m.uid, m.modseq, %s FROM mw_mail AS m"
				   " WHERE m.mailbox_id = %d AND %s AND %s ORDER BY m.uid",
				   flags_expression(), mailbox, live_condition(), condition);
	if (result == NULL)
		return false;
	model_read(rows, result, 0);
	PQclear(result);
	return true;
}

static bool
read_rows_in(Client *client, int mailbox, const char *uids, Model *rows)
{
	char	   *condition;
	bool		ok;

	if (asprintf(&condition, "m.uid OPERATOR(modseq.<@) '%s'::modseq.uidset", uids) < 0)
		abort();
	ok = read_rows(client, mailbox, condition, rows);
	free(condition);
	return ok;
}

static const char *
quoted(char *buffer, const char *value)
{
	if (value)
		sprintf(buffer, "'%s'", value);
	else
		strcpy(buffer, "NULL");
	return buffer;
}

/* SELECT ... FROM resync(...) AS r; the caller frees it */
static char *
resync_sql(const Model *model, const Request *request, const char *rows_too)
{
	size_t		size = 100 + (request->known ? strlen(request->known) : 0) +
		(request->seqs ? strlen(request->seqs) + strlen(request->uids) : 0);
	char	   *known = malloc(size);
	char	   *seqs = malloc(size);
	char	   *uids = malloc(size);
	char	   *sql;

	if (asprintf(&sql, "SELECT r.verdict, r.uidvalidity, r.uidnext, r.highestmodseq, r.vanished,"
				 " r.first_vanished, r.changed%s%s FROM %s.resync('mw_mail', %d::bigint, %lld, %lld,"
				 " %s, %s, %s) AS r%s", rows_too[0] ? ", m.uid, m.modseq, " : "",
				 rows_too[0] ? flags_expression() : "", options.schema, request->mailbox,
				 (long long) model->uidvalidity, (long long) request->since,
				 quoted(known, request->known), quoted(seqs, request->seqs),
				 quoted(uids, request->uids), rows_too) < 0)
		abort();
	free(known);
	free(seqs);
	free(uids);
	return sql;
}

static void
parse_answer(const PGresult *result, Answer *answer)
{
	snprintf(answer->verdict, sizeof(answer->verdict), "%s", PQgetvalue(result, 0, 0));
	answer->uidvalidity = atoll(PQgetvalue(result, 0, 1));
	answer->uidnext = atoll(PQgetvalue(result, 0, 2));
	answer->highestmodseq = atoll(PQgetvalue(result, 0, 3));
	ranges_parse(&answer->vanished, PQgetvalue(result, 0, 4));
	answer->first_vanished = PQgetisnull(result, 0, 5) ? 0 : atoll(PQgetvalue(result, 0, 5));
	ranges_parse(&answer->changed, PQgetvalue(result, 0, 6));
}

/* resync and the rows; together: in one statement */
bool
ask_resync(Client *client, const Model *model, const Request *request, bool together,
		   Answer *answer)
{
	char		rows_too[150] = "";
	char	   *sql;
	PGresult   *result;
	bool		ok;

	if (together)
		snprintf(rows_too, sizeof(rows_too), " LEFT JOIN mw_mail AS m ON m.mailbox_id = %d"
				 " AND m.uid OPERATOR(modseq.<@) r.changed", request->mailbox);
	sql = resync_sql(model, request, rows_too);
	result = query(client, "%s", sql);
	free(sql);
	if (result == NULL)
		return false;
	parse_answer(result, answer);
	if (chance(client, 10))
		pause_briefly(client, 30);
	if (together)
		model_read(&answer->rows, result, 7);
	else
	{
		char	   *changed = strdup(PQgetvalue(result, 0, 6));

		ok = changed[0] == '\0' ||
			read_rows_in(client, request->mailbox, changed, &answer->rows);
		free(changed);
		if (!ok)
		{
			PQclear(result);
			return false;
		}
	}
	PQclear(result);
	return true;
}

/* The same from the separate functions, HIGHESTMODSEQ first */
bool
ask_parts(Client *client, const Request *request, Answer *answer)
{
	bool		vanished_first = chance(client, 50);
	PGresult   *result;

	result = query(client, "SELECT 'ok', s.uidvalidity, s.uidnext, s.highestmodseq, '', NULL, ''"
				   " FROM %s.status('mw_mail', %d::bigint) AS s", options.schema,
				   request->mailbox);
	if (result == NULL)
		return false;
	parse_answer(result, answer);
	PQclear(result);
	for (int i = 0; i < 2; i++)
	{
		const char *function = (i == 0) == vanished_first ? "" :
			"SELECT modseq.uidset_agg(c.uid) FROM %s.changed_since('mw_mail', %d::bigint, %lld) AS c";
		Ranges	   *into = function[0] ? &answer->changed : &answer->vanished;

		if (function[0] == '\0')
			function = "SELECT %s.vanished_since('mw_mail', %d::bigint, %lld)";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		result = query(client, function, options.schema, request->mailbox,
					   (long long) request->since);
#pragma GCC diagnostic pop
		if (result == NULL)
			return false;
		ranges_parse(into, PQgetvalue(result, 0, 0));
		if (into == &answer->changed && into->count > 0 &&
			!read_rows_in(client, request->mailbox, PQgetvalue(result, 0, 0), &answer->rows))
		{
			PQclear(result);
			return false;
		}
		PQclear(result);
	}
	return true;
}

/* --- random arguments ------------------------------------------------------------ */

void
know_own(const Model *model, Request *request)
{
	Ranges		ranges = {0};

	for (int i = 0; i < model->count; i++)
		ranges_add(&ranges, model->messages[i].uid, model->messages[i].uid);
	request->known = ranges_text(&ranges);
	request->new_too = true;
	ranges_free(&ranges);
}

/* Any set: holds, gaps, UIDs that were never there */
void
know_random(Client *client, const Model *model, Request *request)
{
	Ranges		ranges = {0};
	int64_t		uid = 1 + random_number(client, 5);
	int64_t		end = model->uidnext + 10;

	while (uid < end && ranges.count < 100)
	{
		int64_t		hi = uid + random_number(client, 1 + (end - uid) / 4);

		ranges_add(&ranges, uid, hi);
		uid = hi + 2 + random_number(client, 1 + end / 10);
	}
	request->known = ranges_text(&ranges);
	ranges_free(&ranges);
}

/* Message numbers and their UIDs, as this replica has them */
void
match_own(Client *client, const Model *model, Request *request)
{
	Ranges		seqs = {0};
	Ranges		uids = {0};
	int			step = 1 + random_number(client, 20);

	for (int i = random_number(client, step); i < model->count;
		 i += 1 + random_number(client, step))
	{
		ranges_add(&seqs, i + 1, i + 1);
		ranges_add(&uids, model->messages[i].uid, model->messages[i].uid);
	}
	if (seqs.count > 0)
	{
		request->seqs = ranges_text(&seqs);
		request->uids = ranges_text(&uids);
	}
	ranges_free(&seqs);
	ranges_free(&uids);
}
