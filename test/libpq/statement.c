/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  Random statements, as an application or an administrator might issue
 *	  them: each is one SQL statement without a parameter.
 *
 *-------------------------------------------------------------------------
 */
#include "statement.h"

#include <stdio.h>
#include <string.h>

/* want: the target's messages, or all of the mailbox: see Wanted */
void
want(const Target *target, bool all, Wanted *wanted)
{
	if (all)
		snprintf(wanted->list, sizeof(wanted->list),
				 "(SELECT uid AS u FROM mw_mail WHERE mailbox_id = %d ORDER BY uid OFFSET 0) AS u",
				 target->mailbox);
	else
		snprintf(wanted->list, sizeof(wanted->list),
				 "pg_catalog.unnest('{%s}'::bigint[]) AS u", target->uids);
	snprintf(wanted->where, sizeof(wanted->where),
			 "m.mailbox_id = %d AND m.uid = u.u", target->mailbox);
}

/* mail: the messages, or those of one partition */
const char *
mail(Client *client)
{
	static const char *const partitions[] = {
		"mw_mail_0", "mw_mail_1", "mw_mail_2", "mw_mail_3"
	};

	return options.partitioned && chance(client, 20) ?
		partitions[random_number(client, lengthof(partitions))] : "mw_mail";
}

/* crossing: to be added to a SET list, for the row to go to another partition */
const char *
crossing(Client *client, int percent)
{
	static const char *const sets[] = {
		", part = (m.part + 1) % 4", ", part = 3 - m.part", ", part = 2"
	};

	return options.partitioned && chance(client, percent) ?
		sets[random_number(client, lengthof(sets))] : "";
}

/* --- arrivals --------------------------------------------------------------- */

static void
append(Client *client, const Target *target, char *sql, Law *law)
{
	int			rows = chance(client, 70) ? 1 + random_number(client, 3) :
		1 + random_number(client, 50);

	*law = (Law)
	{
		.known = true,.if_rows = true,.uid_per_row = true
	};
	if (options.flag_columns && chance(client, 50))
		snprintf(sql, SQL_SIZE, "INSERT INTO %s (mailbox_id, subject, seen, bits, kw)"
				 " SELECT %d, 's' || g, g %% 2 = 0, g, %s FROM generate_series(1, %d) AS g",
				 mail(client), target->mailbox,
				 random_keywords(client), rows);
	else
		snprintf(sql, SQL_SIZE, "INSERT INTO %s (mailbox_id, subject)"
				 " SELECT %d, 's' || g FROM generate_series(1, %d) AS g",
				 mail(client), target->mailbox, rows);
}

static void
append_several(Client *client, const Target *target, char *sql, Law *law)
{
	snprintf(sql, SQL_SIZE, "INSERT INTO %s (mailbox_id, subject)"
			 " SELECT CASE g %% 2 WHEN 0 THEN %d ELSE %d END, 's' || g FROM generate_series(1, %d) AS g",
			 mail(client), target->mailbox, target->other, 2 + (int) random_number(client, 20));
}

static void
copy_messages(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;

	want(target, false, &wanted);
	snprintf(sql, SQL_SIZE, "INSERT INTO mw_mail (mailbox_id, subject%s)"
			 " SELECT %d, m.subject%s FROM mw_mail AS m, %s WHERE %s",
			 !options.shared ? "" : options.tenants ? ", msg, tenant" : ", msg",
			 target->other,
			 !options.shared ? "" : options.tenants ? ", m.msg, m.tenant" : ", m.msg",
			 wanted.list, wanted.where);
}

/* Shared messages of any mailbox, which the transaction need not have locked */
static void
copy_shared(Client *client, const Target *target, char *sql, Law *law)
{
	snprintf(sql, SQL_SIZE, "INSERT INTO mw_mail (mailbox_id, subject, msg%s)"
			 " SELECT %d, m.subject, m.msg%s FROM mw_mail AS m"
			 " WHERE m.mailbox_id = %d AND m.uid %% 16 = %d ORDER BY m.uid",
			 TENANT(", tenant"), target->other, TENANT(", m.tenant"), 1 + (int) random_number(client, options.mailboxes),
			 (int) random_number(client, 16));
}

/* A key that may be there or not: the BEFORE triggers fire in either case */
static void
upsert(Client *client, const Target *target, char *sql, Law *law)
{
	const char *action = "NOTHING";
	bool		own_tenant = options.tenants && !options.shared;

	if (chance(client, 50))
		action = options.flag_columns && chance(client, 70) ?
			"UPDATE SET bits = coalesce(mw_mail.bits, 0) # 2" :
			"UPDATE SET subject = 'upserted'";
	snprintf(sql, SQL_SIZE, "INSERT INTO mw_mail (id%s, mailbox_id, subject%s)"
			 " SELECT CASE WHEN m.uid %% 4 = 0 THEN pg_catalog.nextval('mw_mail_id')%s ELSE m.id END,"
			 "%s m.mailbox_id, 'new'%s FROM mw_mail AS m"
			 " WHERE m.mailbox_id = %d AND m.uid = ANY ('{%s}')"
			 " ORDER BY m.uid ON CONFLICT (id%s%s) DO %s",
			 own_tenant ? ", tenant" : "", options.partitioned ? ", part" : "",
			 own_tenant ? " / 4" : "", own_tenant ?
			 " CASE WHEN m.uid % 4 = 0 THEN pg_catalog.currval('mw_mail_id') % 4 ELSE m.tenant END," : "",
			 options.partitioned ? ", m.part" : "", target->mailbox, target->uids,
			 options.partitioned ? ", part" : "", own_tenant ? ", tenant" : "", action);
}

/* --- nothing ---------------------------------------------------------------- */

/* No change at all, or none that a client sees */
static void
nothing(Client *client, const Target *target, char *sql, Law *law)
{
	static const char *const sets[] = {
		"subject = 'changed'", "modseq = m.modseq + 100", "uid = m.uid",
		"mailbox_id = m.mailbox_id, subject = m.subject || ''"
	};
	Wanted		wanted;

	/*
	 * A key column in the SET list means FOR UPDATE, if there are BEFORE
	 * triggers; three raw statements, two of them on the flag table, can then
	 * deadlock by way of the foreign key's KEY SHARE.
	 */
	int			count = options.mode == MODE_RAW && options.flag_table ? 2 :
		lengthof(sets);

	law->known = true;
	if (counts_statement(client, target, sql))
		return;
	want(target, false, &wanted);
	snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET %s%s FROM %s WHERE %s",
			 sets[random_number(client, count)], crossing(client, 60),
			 wanted.list, wanted.where);
}

/* --- departures --------------------------------------------------------------- */

/* What a soft delete sets, what takes it back, and what does the one or the other */
static const struct
{
	const char *gone;
	const char *back;
	const char *toggled;
}			soft_deletes[] = {
	{NULL, NULL, NULL},
	{"gone = true", "gone = false", "gone = m.gone IS NOT TRUE"},
	{"status = 2", "status = 0", "status = 2 - coalesce(m.status, 0)"}
};

static void
expunge(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;

	want(target, false, &wanted);
	if (options.soft_delete)
	{
		law->known = law->if_rows = true;
		snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET %s%s%s FROM %s WHERE %s AND m.gone IS NOT TRUE",
				 soft_deletes[options.soft_delete].gone,
				 options.flag_columns && chance(client, 30) ? ", seen = m.seen IS NOT TRUE" : "",
				 crossing(client, 30), wanted.list, wanted.where);
		return;
	}
	if (has_mw_msg() && options.foreign_keys && chance(client, 10))
	{
		snprintf(sql, SQL_SIZE, "DELETE FROM mw_msg AS s USING mw_mail AS m, %s"
				 " WHERE s.id = m.msg%s AND %s", wanted.list,
				 TENANT(" AND s.owner = m.tenant"), wanted.where);
		return;
	}
	if (options.flag_table && !flags_cascade() &&
		(!options.shared || chance(client, 20)))
	{
		snprintf(sql, SQL_SIZE, "WITH d AS (DELETE FROM mw_mail AS m USING %s WHERE %s RETURNING m.%s%s)"
				 " DELETE FROM mw_mail_flag WHERE (mail_id%s) IN (SELECT * FROM d)",
				 wanted.list, wanted.where, FLAG_KEY, TENANT(", m.tenant"),
				 TENANT(", tenant"));
		return;
	}
	law->known = law->if_rows = true;
	snprintf(sql, SQL_SIZE, "DELETE FROM %s AS m USING %s WHERE %s", mail(client),
			 wanted.list, wanted.where);
}

static void
move(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;
	const char *extra = "";

	if (options.flag_columns && chance(client, 30))
		extra = ", seen = true";
	want(target, false, &wanted);
	snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET mailbox_id = %d%s%s FROM %s WHERE %s",
			 target->other, extra, crossing(client, 40), wanted.list, wanted.where);
}

static void
undelete(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;

	if (!options.soft_delete)
	{
		flags(client, target, sql, law);
		return;
	}
	want(target, false, &wanted);
	snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET %s%s%s FROM %s WHERE %s",
			 chance(client, 50) ? soft_deletes[options.soft_delete].back :
			 soft_deletes[options.soft_delete].toggled,
			 options.flag_columns && chance(client, 30) ? ", seen = m.seen IS NOT TRUE" : "",
			 crossing(client, 30), wanted.list, wanted.where);
}

static void
renumber(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;

	want(target, false, &wanted);
	snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET uid = NULL%s FROM %s WHERE %s",
			 crossing(client, 40), wanted.list, wanted.where);
}

/* A membership becomes one of another message, which has other flags */
static void
change_message(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;

	want(target, false, &wanted);
	snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET msg = o.msg%s FROM %s,"
			 " (SELECT * FROM mw_mail WHERE mailbox_id = %d ORDER BY uid DESC LIMIT 1) AS o"
			 " WHERE %s", TENANT(", tenant = o.tenant"), wanted.list, target->other,
			 wanted.where);
}

/* Several changes in one statement */
static void
replace(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;

	want(target, false, &wanted);
	snprintf(sql, SQL_SIZE, "WITH d AS (DELETE FROM mw_mail AS m USING %s WHERE %s RETURNING m.subject)"
			 " INSERT INTO mw_mail (mailbox_id, subject) SELECT %d, d.subject FROM d",
			 wanted.list, wanted.where, target->other);
}

static void
merge(Client *client, const Target *target, char *sql, Law *law)
{
	snprintf(sql, SQL_SIZE, "MERGE INTO mw_mail AS m"
			 " USING (SELECT u FROM pg_catalog.unnest('{%s,4294967295}'::bigint[]) AS u) AS s"
			 " ON m.mailbox_id = %d AND m.uid = s.u"
			 " WHEN MATCHED AND m.uid %% 3 = 0 THEN %s%s"
			 " WHEN MATCHED AND m.uid %% 3 = 1 THEN UPDATE SET mailbox_id = %d%s"
			 " WHEN MATCHED THEN UPDATE SET %s%s"
			 " WHEN NOT MATCHED THEN INSERT (mailbox_id, subject) VALUES (%d, 'merged')",
			 target->uids, target->mailbox,
			 options.soft_delete ? "UPDATE SET " : "DELETE",
			 options.soft_delete ? soft_deletes[options.soft_delete].toggled : "",
			 target->single ? target->mailbox : target->other, crossing(client, 40),
			 options.flag_columns ? "bits = coalesce(m.bits, 0) # 4" : "subject = 'merged'",
			 crossing(client, 40),
			 target->mailbox);
}

static void
touch(Client *client, const Target *target, char *sql, Law *law)
{
	snprintf(sql, SQL_SIZE, "SELECT %s.touch('mw_mail', %d::bigint)",
			 options.schema, target->mailbox);
}

/* A new UIDVALIDITY: all that clients know is void */
static void
reset(Client *client, const Target *target, char *sql, Law *law)
{
	if (options.broken || !chance(client, 10))
		flags(client, target, sql, law);
	else
		snprintf(sql, SQL_SIZE, "SELECT modseq.reset_uidvalidity('mw_mail', %d::bigint)",
				 target->mailbox);
}

/*
 * A partition goes with its messages and comes back with them, or comes for
 * some and goes with them.  That takes one transaction, since to a snapshot
 * that is older a table that is no partition any more has no messages at all.
 * PostgreSQL locks the mailbox table against all for DETACH and DROP, for its
 * foreign key: deadlocks, though the mailboxes are locked first.
 */
const char *
partition_random(Client *client)
{
#define LOCK_ALL "SELECT FROM modseq.lock('mw_mail', (SELECT pg_catalog.array_agg(id) FROM mw_mailbox WHERE id < 100000));" \
	" SET CONSTRAINTS ALL IMMEDIATE; "
	static const char *const statements[] = {
		LOCK_ALL "ALTER TABLE mw_mail DETACH PARTITION mw_mail_2;"
		" ALTER TABLE mw_mail ATTACH PARTITION mw_mail_2 FOR VALUES FROM (2) TO (3)",
		LOCK_ALL "CREATE TABLE mw_mail_4 PARTITION OF mw_mail FOR VALUES FROM (4) TO (5);"
		" UPDATE mw_mail SET part = 4 WHERE uid % 7 = 3; DROP TABLE mw_mail_4",
		LOCK_ALL "CREATE TABLE mw_mail_4 PARTITION OF mw_mail FOR VALUES FROM (4) TO (5);"
		" UPDATE mw_mail SET part = 4 WHERE uid % 7 = 5; UPDATE mw_mail_4 SET subject = 'there';"
		" UPDATE mw_mail SET part = 1 WHERE part = 4; DROP TABLE mw_mail_4"
	};

	return statements[random_number(client, lengthof(statements))];
}

/* --- choosing ------------------------------------------------------------------- */

/*
 * What locks_first stands for: these take the mailbox lock for the first row,
 * and message rows after that, even without modseq.lock().  Single flag
 * changes lock message rows first, and deadlock with them.
 */
static const struct
{
	int			weight;
	Builder		build;
	bool		two_mailboxes;
	bool		locks_first;
}			builders[] = {
	{20, append, false, false},
	{40, flags, false, false},
	{4, bulk, false, false},
	{5, nothing, false, false},
	{14, expunge, false, false},
	{2, renumber, false, true},
	{6, undelete, false, true},
	{3, upsert, false, true},
	{1, touch, false, false},
	{3, merge, false, true},
	{1, reset, false, false},
	{3, append_several, true, false},
	{3, sweep, true, false},
	{8, move, true, false},
	{4, copy_messages, true, false},
	{2, replace, true, true}
};

/* Single means: one statement is the transaction, and concerns one mailbox */
void
statement_random(Client *client, const Target *target, char *sql, Law *law)
{
	memset(law, 0, sizeof(Law));
	if (target->uids[0] == '\0')
	{
		append(client, target, sql, law);
		return;
	}
	if (options.shared && !target->single && chance(client, 15))
	{
		static const Builder shared[] = {
			copy_messages, copy_shared, copy_shared, change_message
		};

		shared[random_number(client, lengthof(shared))] (client, target, sql, law);
		return;
	}
	if (options.returned && returned_statement(client, target, sql, law))
		return;
	if (options.accounts && chance(client, 12) &&
		account_statement(client, target, sql, law))
		return;
	for (;;)
	{
		int			pick = random_number(client, 119);
		size_t		i = 0;

		while (pick >= builders[i].weight)
			pick -= builders[i++].weight;
		if (target->single &&
			(builders[i].two_mailboxes || builders[i].locks_first))
			continue;
		/* Flag row, then message; an expunge that cascades does the opposite */
		if (options.mode == MODE_RAW && options.flag_table &&
			!options.soft_delete && builders[i].build == expunge)
			continue;
		builders[i].build(client, target, sql, law);
		/* Of a message that is gone no change is told */
		if (options.soft_delete && law->if_rows && !law->uid_per_row &&
			builders[i].build != expunge)
			law->known = false;
		return;
	}
}
