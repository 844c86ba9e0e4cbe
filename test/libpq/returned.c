/*-------------------------------------------------------------------------
 *
 * returned.c
 *	  Messages that are taken out and put back under their UIDs, as tools do
 *	  that rearrange a table: in one query, or by way of another table, with
 *	  other statements in between, and savepoints.
 *
 * The other table is mw_aside.  Each writer has its own rows there, and leaves
 * none behind.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdio.h>
#include <string.h>

/* Made when mw_mail has all its columns */
const char *
returned_schema(void)
{
	return "CREATE TABLE mw_aside AS SELECT ''::text AS owner, m.* FROM mw_mail AS m WITH NO DATA";
}

/*
 * To insert rows of r into the table of messages as they were, or into another
 * partition, or with other flags.
 */
static void
put_back(Client *client, char *sql, size_t size)
{
	int			part = random_number(client, 4);
	bool		crosses = options.partitioned && chance(client, 60);
	char		table[40] = "mw_mail";
	char		columns[200] = "id, mailbox_id, subject, uid";
	char		values[400] = "r.id, r.mailbox_id, r.subject, r.uid";

	if (options.shared)
	{
		strcat(columns, ", msg");
		strcat(values, ", r.msg");
	}
	if (options.flag_columns)
	{
		static const char *const flags[] = {
			", r.seen, r.bits, r.kw", ", r.seen IS NOT TRUE, r.bits, r.kw",
			", r.seen, coalesce(r.bits, 0) # 32, r.kw", ", r.seen, r.bits, r.kw || r.kw"
		};

		strcat(columns, ", seen, bits, kw");
		strcat(values, flags[chance(client, 60) ? 0 : random_number(client, lengthof(flags))]);
	}
	if (options.soft_delete)
	{
		const char *column = options.soft_delete == SOFT_COLUMN ? "gone" : "status";

		sprintf(columns + strlen(columns), ", %s", column);
		sprintf(values + strlen(values), ", r.%s", column);
	}
	if (options.partitioned)
	{
		strcat(columns, ", part");
		if (crosses)
			sprintf(values + strlen(values), ", %d", part);
		else
			strcat(values, ", r.part");
		if (crosses && chance(client, 50))
			sprintf(table, "mw_mail_%d", part);
	}
	snprintf(sql, size, "INSERT INTO %s (%s) SELECT %s FROM r", table, columns, values);
}

/*
 * In one query, now and then; false if not.  By itself the rows go and come one
 * by one, so that the mailbox is locked after the first; if they are sorted,
 * all messages are locked before, as by other single statements.  These lock
 * flag rows before messages, and a cascade would do the opposite.
 */
bool
returned_statement(Client *client, const Target *target, char *sql, Law *law)
{
	char		insert[700];

	if ((target->single && options.flag_table && flags_cascade()) ||
		!chance(client, 20))
		return false;
	put_back(client, insert, sizeof(insert));
	law->known = law->if_rows = !options.soft_delete;
	snprintf(sql, SQL_SIZE, "WITH r AS (DELETE FROM mw_mail AS m USING pg_catalog.unnest('{%s}'::bigint[]) AS u"
			 " WHERE m.mailbox_id = %d AND m.uid = u.u RETURNING m.*) %s%s",
			 target->uids, target->mailbox, insert,
			 target->single || chance(client, 50) ? " ORDER BY r.uid DESC" : "");
	return true;
}

static bool
take_out(Client *client, int mailbox, const char *uids)
{
	return run(client, "WITH r AS (DELETE FROM mw_mail AS m USING pg_catalog.unnest('{%s}'::bigint[]) AS u"
			   " WHERE m.mailbox_id = %d AND m.uid = u.u RETURNING m.*)"
			   " INSERT INTO mw_aside SELECT '%s', r.* FROM r", uids, mailbox, client->name);
}

/* Those of the writer that are aside, or two thirds of them */
static bool
bring_back(Client *client, bool all)
{
	char		insert[700];

	put_back(client, insert, sizeof(insert));
	return run(client, "WITH r AS (DELETE FROM mw_aside WHERE owner = '%s' AND %s RETURNING *)"
			   " %s ORDER BY r.uid %% 5, r.uid", client->name,
			   all ? "true" : "uid % 3 <> 0", insert);
}

/* A savepoint around what was done since, which is rolled back or not */
static bool
end_savepoint(Client *client, int mailbox)
{
	if (chance(client, 65))
		return run(client, "RELEASE returned");
	history_add(mailbox, client, "| ROLLBACK TO returned");
	return run(client, "ROLLBACK TO returned");
}

/*
 * In a transaction.  What does not come back has gone.
 */
bool
returned_step(Client *client, int mailbox, const char *uids,
			  bool (*meanwhile) (void *arg), void *arg)
{
	int			rounds = 1 + random_number(client, 2);

	if (!run(client, "SAVEPOINT returned") || !take_out(client, mailbox, uids))
		return false;
	history_add(mailbox, client, "| taken out: %s", uids);
	if (!end_savepoint(client, mailbox))
		return false;
	for (int i = 0; i < rounds; i++)
	{
		if (chance(client, 40) && !meanwhile(arg))
			return false;
		if (!run(client, "SAVEPOINT returned") || !bring_back(client, chance(client, 60)))
			return false;
		history_add(mailbox, client, "| put back");
		if (!end_savepoint(client, mailbox))
			return false;
	}
	if (chance(client, 50) && !bring_back(client, true))
		return false;
	totals.operations += 2;
	return run(client, "DELETE FROM mw_aside WHERE owner = '%s'", client->name);
}
