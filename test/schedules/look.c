/*-------------------------------------------------------------------------
 *
 * look.c
 *	  What a client sees in one snapshot: a schedule's mailboxes, and what it
 *	  is told by resync(), email_changes() and mailbox_changes() if it had one
 *	  of the states that were committed before.
 *
 *-------------------------------------------------------------------------
 */
#include "schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t
box_id(const Schedule *schedule, int box)
{
	return schedule->number * 2 * BOXES + box;
}

/* That of the mailbox when it is renamed */
int64_t
renamed_id(const Schedule *schedule, int box)
{
	return box_id(schedule, box) + BOXES;
}

/* Others that arrive have ids of a sequence, which begins above these */
int64_t
message_id(const Schedule *schedule, int box)
{
	return box_id(schedule, box);
}

int64_t
account_id(const Schedule *schedule, int account)
{
	return box_id(schedule, account);
}

/* A message's id, which is its Email's, and its flags */
static const char *
message_text(void)
{
	if (settings.shared)
		return "msg || ' ' || (SELECT n FROM mw_msg AS s WHERE s.id = msg)";
	if (settings.flag_table)
		return "id || ' ' || (SELECT concat(count(*), ' ', sum(flag)) FROM mw_mail_flag WHERE mail_id = id)";
	return "id || ' ' || n";
}

/* What has become of the objects of all accounts since a state */
static char *
changes_sql(const Schedule *schedule, const char *kind, int state, char *sql)
{
	for (int i = 0; i < settings.accounts; i++)
		sql += sprintf(sql, " UNION ALL SELECT '%c', %d, %d, verdict, created::text, updated::text,"
					   " destroyed::text, NULL FROM modseq.%s_changes('mw_mail', %lld::bigint, '%s')",
					   strcmp(kind, "email") == 0 ? 'e' : 'b', i, state, kind, (long long) account_id(schedule, i),
					   kind[0] == 'e' ? schedule->state[state].emails[i] : schedule->state[state].mailboxes[i]);
	return sql;
}

/* The query, as a client that may have had one of so many states */
void
look_sql(const Schedule *schedule, int states, char *sql)
{
	char		boxes[100];

	sprintf(boxes, "%lld AND %lld", (long long) box_id(schedule, 0), (long long) renamed_id(schedule, 1));
	sql += sprintf(sql, "SELECT 's' AS kind, b.id - %lld, s.uidvalidity, s.uidnext::text, s.highestmodseq::text,"
				   " NULL, NULL, NULL FROM mw_mailbox AS b, LATERAL %s.status('mw_mail', b.id) AS s WHERE b.id BETWEEN %s"
				   " UNION ALL SELECT 'm', mailbox_id - %lld, uid, modseq::text, %s, NULL, NULL, NULL"
				   " FROM mw_mail WHERE mailbox_id BETWEEN %s%s", (long long) box_id(schedule, 0), settings.schema, boxes,
				   (long long) box_id(schedule, 0), message_text(), boxes, settings.soft ? " AND gone IS NOT TRUE" : "");
	for (int i = 0; i < settings.accounts; i++)
		sql += sprintf(sql, " UNION ALL SELECT 'a', %d, a.highestmodseq, s.email, s.mailbox, NULL, NULL, NULL"
					   " FROM mw_mail_account AS a, LATERAL modseq.account_state('mw_mail', a.acct) AS s WHERE acct = %lld",
					   i, (long long) account_id(schedule, i));
	for (int i = 0; i < states; i++)
	{
		const State *state = &schedule->state[i];

		for (int box = 0; box < BOXES; box++)
			if (state->uidvalidity[box])
				sql += sprintf(sql, " UNION ALL SELECT 'r', b.id - %lld, %d, verdict, vanished::text, changed::text, NULL, NULL"
							   " FROM mw_mailbox AS b, LATERAL %s.resync('mw_mail', b.id, %lld, %lld, NULL, NULL, NULL)"
							   " WHERE b.id IN (%lld, %lld)", (long long) box_id(schedule, 0), i, settings.schema,
							   (long long) state->uidvalidity[box], (long long) state->box[box].cursor,
							   (long long) box_id(schedule, box), (long long) renamed_id(schedule, box));
		sql = changes_sql(schedule, "email", i, sql);
		sql = changes_sql(schedule, "mailbox", i, sql);
	}
}

static void
copy(char *to, size_t size, const PGresult *result, int row, int column)
{
	snprintf(to, size, "%s", PQgetvalue(result, row, column));
}

static void
read_changes(Changes *changes, const PGresult *result, int row)
{
	copy(changes->verdict, sizeof(changes->verdict), result, row, 3);
	copy(changes->created, sizeof(changes->created), result, row, 4);
	copy(changes->updated, sizeof(changes->updated), result, row, 5);
	copy(changes->destroyed, sizeof(changes->destroyed), result, row, 6);
}

void
look_read(const Schedule *schedule, const PGresult *result, Look *look)
{
	State	   *now = &look->now;

	memset(look, 0, sizeof(Look));
	for (int i = 0; i < PQntuples(result); i++)
	{
		int			which = atoi(PQgetvalue(result, i, 1));
		int			box = which % BOXES;	/* or account */
		int64_t		number = atoll(PQgetvalue(result, i, 2));
		Message		message = {0};
		Told	   *told;

		switch (PQgetvalue(result, i, 0)[0])
		{
			case 's':
				now->uidvalidity[box] = number;
				now->renamed[box] = which >= BOXES;
				now->box[box].uidnext = atoll(PQgetvalue(result, i, 3));
				now->box[box].cursor = atoll(PQgetvalue(result, i, 4));
				break;
			case 'm':
				message.uid = number;
				message.modseq = atoll(PQgetvalue(result, i, 3));
				copy(message.flags, FLAGS_SIZE, result, i, 4);
				model_set(&now->box[box], &message);
				break;
			case 'a':
				now->account[box] = number;
				copy(now->emails[box], sizeof(now->emails[box]), result, i, 3);
				copy(now->mailboxes[box], sizeof(now->mailboxes[box]), result, i, 4);
				break;
			case 'r':
				told = &look->told[number][box];
				copy(told->verdict, sizeof(told->verdict), result, i, 3);
				ranges_parse(&told->vanished, PQgetvalue(result, i, 4));
				ranges_parse(&told->changed, PQgetvalue(result, i, 5));
				break;
			case 'e':
				read_changes(&look->emails[number][which], result, i);
				break;
			case 'b':
				read_changes(&look->mailboxes[number][which], result, i);
				break;
		}
	}
}

void
state_free(State *state)
{
	for (int box = 0; box < BOXES; box++)
		free(state->box[box].messages);
	memset(state, 0, sizeof(State));
}

/* All but the state, which may have been kept */
void
look_free(Look *look)
{
	for (int i = 0; i < MAX_STATES; i++)
		for (int box = 0; box < BOXES; box++)
		{
			ranges_free(&look->told[i][box].vanished);
			ranges_free(&look->told[i][box].changed);
		}
}
