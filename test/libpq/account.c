/*-------------------------------------------------------------------------
 *
 * account.c
 *	  What writers do to accounts: mailboxes come, go and are renamed; messages
 *	  go to mailboxes that do, come back from there, and change their Threads.
 *
 * Mailboxes that go have numbers above those that replicas of IMAP follow.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdio.h>

/* One of the mailboxes of that mailbox's account that come and go */
static int
passing_mailbox(Client *client, int mailbox)
{
	return 100000 + mailbox % options.accounts + options.accounts * (int) random_number(client, 3);
}

/*
 * A statement; false: none of these.  If it is single, it must not lock what
 * others lock in another order.
 */
bool
account_statement(Client *client, const Target *target, char *sql, Law *law)
{
	int			passing = passing_mailbox(client, target->mailbox);
	int			pick = random_number(client, 8);

	if ((target->single && (pick > 1 || options.in_mailbox)) ||
		(pick == 7 && !options.foreign_keys))	/* messages would stay */
		return false;
	law->known = false;
	switch (pick)
	{
		case 0:
			snprintf(sql, SQL_SIZE, "UPDATE mw_mailbox SET name = 'named %d' WHERE id = %d",
					 (int) random_number(client, 5), target->mailbox);
			break;
		case 1:
			/* Of shared messages it is always the same: see schema.c */
			snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET thread = %d FROM pg_catalog.unnest('{%s}'::bigint[]) AS u"
					 " WHERE m.mailbox_id = %d AND m.uid = u.u", (int) random_number(client, 30),
					 target->uids, target->mailbox);
			break;
		case 2:
		case 3:
			snprintf(sql, SQL_SIZE, "INSERT INTO mw_mailbox (id, name, acct) VALUES (%d, 'passing', %d)"
					 " ON CONFLICT (id) DO UPDATE SET name = mw_mailbox.name || '+'",
					 passing, target->mailbox % options.accounts);
			break;
		case 4:
		case 5:
			snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET mailbox_id = b.id FROM mw_mailbox AS b,"
					 " pg_catalog.unnest('{%s}'::bigint[]) AS u WHERE m.mailbox_id = %d AND m.uid = u.u AND b.id = %d",
					 target->uids, target->mailbox, passing);
			break;
		case 6:
			snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET mailbox_id = %d WHERE mailbox_id = %d AND uid %% 3 = %d",
					 target->mailbox, passing, (int) random_number(client, 3));
			break;
		default:
			snprintf(sql, SQL_SIZE, "DELETE FROM mw_mailbox WHERE id = %d", passing);
			break;
	}
	return true;
}
