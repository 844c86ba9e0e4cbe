/*-------------------------------------------------------------------------
 *
 * look.c
 *	  What a client sees in one snapshot: a schedule's mailboxes, and what it
 *	  is told by resync() and email_changes() if it had one of the states that
 *	  were committed before.
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
	return schedule->number * BOXES + box;
}

/* Others that arrive have ids of a sequence, which begins above these */
int64_t
message_id(const Schedule *schedule, int box)
{
	return box_id(schedule, box);
}

static int64_t
account_id(const Schedule *schedule, int box)
{
	return schedule->number * BOXES + box % settings.accounts;
}

/* The query, as a client that may have had one of so many states */
void
look_sql(const Schedule *schedule, int states, char *sql)
{
	long long	a = box_id(schedule, 0);
	long long	b = box_id(schedule, 1);

	sql += sprintf(sql, "SELECT 's' AS kind, s.mailbox, s.uidvalidity, s.uidnext::text, s.highestmodseq::text,"
				   " NULL, NULL, NULL FROM %s.status('mw_mail', ARRAY[%lld, %lld]::bigint[]) AS s"
				   " UNION ALL SELECT 'm', mailbox_id, uid, modseq::text, id || ' ' || n, NULL, NULL, NULL"
				   " FROM mw_mail WHERE mailbox_id IN (%lld, %lld)", settings.schema, a, b, a, b);
	if (settings.accounts)
		sql += sprintf(sql, " UNION ALL SELECT 'a', b.id, a.highestmodseq, s.email, NULL, NULL, NULL, NULL"
					   " FROM mw_mailbox AS b JOIN mw_mail_account AS a USING (acct),"
					   " LATERAL modseq.account_state('mw_mail', a.acct) AS s WHERE b.id IN (%lld, %lld)", a, b);
	for (int i = 0; i < states; i++)
		for (int box = 0; box < BOXES; box++)
		{
			const State *state = &schedule->state[i];

			sql += sprintf(sql, " UNION ALL SELECT 'r', %lld, %d, verdict, vanished::text, changed::text, NULL, NULL"
						   " FROM %s.resync('mw_mail', %lld::bigint, %lld, %lld, NULL, NULL, NULL)",
						   (long long) box_id(schedule, box), i, settings.schema,
						   (long long) box_id(schedule, box), (long long) state->uidvalidity[box],
						   (long long) state->box[box].cursor);
			if (settings.accounts)
				sql += sprintf(sql, " UNION ALL SELECT 'e', %lld, %d, verdict, created::text, updated::text,"
							   " destroyed::text, NULL FROM modseq.email_changes('mw_mail', %lld::bigint, '%s')",
							   (long long) box_id(schedule, box), i, (long long) account_id(schedule, box),
							   state->emails[box]);
		}
}

static void
copy(char *to, size_t size, const PGresult *result, int row, int column)
{
	snprintf(to, size, "%s", PQgetvalue(result, row, column));
}

void
look_read(const Schedule *schedule, const PGresult *result, Look *look)
{
	memset(look, 0, sizeof(Look));
	for (int i = 0; i < PQntuples(result); i++)
	{
		int			box = atoll(PQgetvalue(result, i, 1)) - box_id(schedule, 0);
		int64_t		number = atoll(PQgetvalue(result, i, 2));
		State	   *now = &look->now;
		Message		message = {0};
		Told	   *told;

		switch (PQgetvalue(result, i, 0)[0])
		{
			case 's':
				now->uidvalidity[box] = number;
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
				break;
			case 'r':
				told = &look->told[number][box];
				copy(told->verdict, sizeof(told->verdict), result, i, 3);
				ranges_parse(&told->vanished, PQgetvalue(result, i, 4));
				ranges_parse(&told->changed, PQgetvalue(result, i, 5));
				break;
			case 'e':
				told = &look->told[number][box];
				copy(told->emails, sizeof(told->emails), result, i, 3);
				copy(told->created, sizeof(told->created), result, i, 4);
				copy(told->updated, sizeof(told->updated), result, i, 5);
				copy(told->destroyed, sizeof(told->destroyed), result, i, 6);
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
