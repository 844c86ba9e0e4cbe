/*-------------------------------------------------------------------------
 *
 * flag.c
 *	  Random statements that change flags, in columns, in a table of flags, or
 *	  of messages that are shared.
 *
 *-------------------------------------------------------------------------
 */
#include "statement.h"

#include <stdio.h>

static const char *const keywords[] = {
	"'{}'", "'{x}'", "'{y,x}'", "'{x,y}'", "'{z,x,y}'", "'{x,x,y}'", "NULL"
};

/* random_keywords: a value for an array of flags, as SQL has it */
const char *
random_keywords(Client *client)
{
	return keywords[random_number(client, lengthof(keywords))];
}

static char
random_flag(Client *client)
{
	return 'a' + random_number(client, 8);
}

static void
flag_columns(Client *client, const Target *target, char *sql, Law *law)
{
	char		set[100];
	const char *across;
	Wanted		wanted;

	switch (random_number(client, 5))
	{
		case 0:
			snprintf(set, sizeof(set), "seen = m.seen IS NOT TRUE");
			law->known = law->if_rows = true;
			break;
		case 1:
			snprintf(set, sizeof(set), "bits = coalesce(m.bits, 0) # %d",
					 1 << random_number(client, 4));
			law->known = law->if_rows = true;
			break;
		case 2:
			snprintf(set, sizeof(set), "seen = %s",
					 chance(client, 50) ? "true" : "false");
			break;
		case 3:
			snprintf(set, sizeof(set), "kw = %s, bits = 0",
					 random_keywords(client));
			break;
		default:
			/* Another order of the same keywords is no change */
			snprintf(set, sizeof(set), "kw = m.kw || m.kw, seen = m.seen");
			law->known = true;
			break;
	}
	want(target, false, &wanted);
	across = crossing(client, 20);
	snprintf(sql, SQL_SIZE, "UPDATE %s AS m SET %s%s FROM %s WHERE %s",
			 across[0] ? "mw_mail" : mail(client), set, across, wanted.list,
			 wanted.where);
}

/*
 * The flags of these messages that compare so.  Single statements lock them in
 * order of the messages' UIDs first: a join might go by the messages' keys,
 * and others then meet them in another order.
 */
static void
delete_flags(const Wanted *wanted, const char *compare, char flag, char *sql)
{
	if (options.mode == MODE_RAW)
		snprintf(sql, SQL_SIZE, "DELETE FROM mw_mail_flag WHERE (mail_id, flag%s) IN ("
				 "SELECT f.mail_id, f.flag%s FROM mw_mail_flag AS f, mw_mail AS m, %s"
				 " WHERE f.mail_id = m.%s%s AND %s AND f.flag %s '%c'"
				 " ORDER BY m.uid, f.flag FOR UPDATE OF f)", TENANT(", tenant"),
				 TENANT(", f.tenant"), wanted->list, FLAG_KEY,
				 TENANT(" AND f.tenant = m.tenant"), wanted->where, compare, flag);
	else
		snprintf(sql, SQL_SIZE, "DELETE FROM mw_mail_flag AS f USING mw_mail AS m, %s"
				 " WHERE f.mail_id = m.%s%s AND %s AND f.flag %s '%c'",
				 wanted->list, FLAG_KEY, TENANT(" AND f.tenant = m.tenant"),
				 wanted->where, compare, flag);
}

static void
flag_table(Client *client, const Target *target, char *sql, Law *law)
{
	Wanted		wanted;
	char		flag = random_flag(client);

	want(target, false, &wanted);
	/* Renaming a flag waits for its new key too: deadlocks without our help */
	switch (random_number(client, options.mode == MODE_RAW ? 3 : 4))
	{
		case 0:
		case 1:
			snprintf(sql, SQL_SIZE, "INSERT INTO mw_mail_flag SELECT m.%s, '%c'%s FROM mw_mail AS m, %s"
					 " WHERE %s ORDER BY m.uid ON CONFLICT DO NOTHING", FLAG_KEY, flag,
					 TENANT(", m.tenant"), wanted.list, wanted.where);
			break;
		case 2:
			delete_flags(&wanted, "<=", flag, sql);
			break;
		default:
			snprintf(sql, SQL_SIZE, "UPDATE mw_mail_flag AS f SET flag = '%c' FROM mw_mail AS m, %s"
					 " WHERE f.mail_id = m.%s%s AND %s AND f.flag = '%c'"
					 " AND NOT EXISTS (SELECT FROM mw_mail_flag AS g"
					 " WHERE g.mail_id = m.%s%s AND g.flag = '%c')",
					 flag, wanted.list, FLAG_KEY, TENANT(" AND f.tenant = m.tenant"),
					 wanted.where, random_flag(client), FLAG_KEY,
					 TENANT(" AND g.tenant = m.tenant"), flag);
			break;
	}
}

/* Flags of the messages of which these are memberships */
static void
shared_columns(Client *client, const Target *target, bool all, char *sql, Law *law)
{
	static const char *const sets[] = {
		"bits = coalesce(s.bits, 0) # 1", "seen = s.seen IS NOT TRUE", "seen = true",
		"kw = '{x,y}', seen = s.seen", "kw = s.kw || s.kw"
	};
	size_t		pick = random_number(client, lengthof(sets));
	Wanted		wanted;

	want(target, all, &wanted);
	law->known = pick < 2 || pick == 4;
	law->if_rows = pick < 2;
	snprintf(sql, SQL_SIZE, "UPDATE mw_msg AS s SET %s FROM mw_mail AS m, %s"
			 " WHERE s.id = m.msg%s AND %s", sets[pick], wanted.list,
			 TENANT(" AND s.owner = m.tenant"), wanted.where);
}

/* flags: one of those, for the target's messages */
void
flags(Client *client, const Target *target, char *sql, Law *law)
{
	if (options.shared_columns)
		shared_columns(client, target, false, sql, law);
	else if (options.flag_columns && (!options.flag_table || chance(client, 50)))
		flag_columns(client, target, sql, law);
	else
		flag_table(client, target, sql, law);
}

/* bulk: the same for all messages of the mailbox */
void
bulk(Client *client, const Target *target, char *sql, Law *law)
{
	bool		columns = options.flag_columns &&
		(!options.flag_table || chance(client, 50));
	bool		toggle = chance(client, 50);
	Wanted		wanted;

	if (options.shared_columns)
	{
		shared_columns(client, target, true, sql, law);
		return;
	}
	want(target, true, &wanted);
	law->known = law->if_rows = columns && toggle;
	if (columns)
		snprintf(sql, SQL_SIZE, "UPDATE %s AS m SET %s FROM %s WHERE %s", mail(client),
				 toggle ? "bits = coalesce(m.bits, 0) # 8" : "seen = true",
				 wanted.list, wanted.where);
	else if (toggle)
		snprintf(sql, SQL_SIZE, "INSERT INTO mw_mail_flag SELECT m.%s, '%c'%s FROM mw_mail AS m, %s"
				 " WHERE %s ORDER BY m.uid ON CONFLICT DO NOTHING", FLAG_KEY,
				 random_flag(client), TENANT(", m.tenant"), wanted.list, wanted.where);
	else
		delete_flags(&wanted, "=", random_flag(client), sql);
}

/* sweep: one statement, several mailboxes, as a retention job would */
void
sweep(Client *client, const Target *target, char *sql, Law *law)
{
	int			rest = random_number(client, 7);
	const char *across = crossing(client, 30);

	if (chance(client, 30))
		snprintf(sql, SQL_SIZE, "DELETE FROM %s WHERE mailbox_id IN (%d, %d) AND uid %% 7 = %d",
				 mail(client), target->mailbox, target->other, rest);
	else if (options.flag_columns)
		snprintf(sql, SQL_SIZE, "UPDATE %s AS m SET seen = %s%s WHERE mailbox_id IN (%d, %d) AND uid %% 7 = %d",
				 across[0] ? "mw_mail" : mail(client), chance(client, 50) ? "true" : "NOT seen", across,
				 target->mailbox, target->other, rest);
	else if (options.shared_columns)
		snprintf(sql, SQL_SIZE, "UPDATE mw_msg AS s SET seen = %s FROM mw_mail AS m"
				 " WHERE s.id = m.msg%s AND m.mailbox_id IN (%d, %d) AND m.uid %% 7 = %d",
				 chance(client, 50) ? "true" : "s.seen IS NOT TRUE",
				 TENANT(" AND s.owner = m.tenant"), target->mailbox, target->other, rest);
	else
		snprintf(sql, SQL_SIZE, "INSERT INTO mw_mail_flag SELECT m.%s, '%c'%s FROM mw_mail AS m"
				 " WHERE m.mailbox_id IN (%d, %d) AND m.uid %% 7 = %d"
				 " ORDER BY m.mailbox_id, m.uid ON CONFLICT DO NOTHING", FLAG_KEY,
				 random_flag(client), TENANT(", m.tenant"), target->mailbox, target->other, rest);
}
