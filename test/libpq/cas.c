/*-------------------------------------------------------------------------
 *
 * cas.c
 *	  Compare and swap through unchanged_since: no increment may be lost.
 *
 * The counter is kept in the flags of one message, as the RFC's section 1
 * suggests for "a message queue": in the bit mask, or in a flag's name.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long increments_left;
static atomic_long refusals;
static atomic_long confirmed;

/* The message's mod-sequence and its counter, of that message alone */
static PGresult *
read_counter(Client *client, int mailbox)
{
	if (options.shared_columns)
		return query(client, "SELECT m.modseq, s.bits FROM mw_mail AS m JOIN mw_msg AS s ON (s.id%s) = (m.msg%s)"
					 " WHERE m.mailbox_id = %d AND m.uid = 1", TENANT(", s.owner"), TENANT(", m.tenant"), mailbox);
	if (options.flag_columns)
		return query(client, "SELECT modseq, bits FROM mw_mail WHERE mailbox_id = %d AND uid = 1", mailbox);
	return query(client, "SELECT m.modseq, substr(f.flag, 2) FROM mw_mail AS m"
				 " JOIN mw_mail_flag AS f ON (f.mail_id%s) = (m.%s%s) WHERE m.mailbox_id = %d AND m.uid = 1",
				 TENANT(", f.tenant"), FLAG_KEY, TENANT(", m.tenant"), mailbox);
}

/* -1: error; 0: somebody else was first; 1: written, in an open transaction */
static int
compare_and_swap(Client *client, int mailbox, const char *modseq, long value)
{
	PGresult   *result;
	bool		unchanged;

	if (!run(client, "BEGIN"))
		return -1;
	result = query(client, "SELECT verdict FROM modseq.unchanged_since('mw_mail', %d::bigint, '1', %s)",
				   mailbox, modseq);
	if (result == NULL)
		return -1;
	unchanged = strcmp(PQgetvalue(result, 0, 0), "unchanged") == 0;
	PQclear(result);
	if (!unchanged)
		return 0;
	if (options.shared_columns)
		return run(client, "UPDATE mw_msg SET bits = %ld WHERE (id%s) ="
				   " (SELECT msg%s FROM mw_mail WHERE mailbox_id = %d AND uid = 1)",
				   value, TENANT(", owner"), TENANT(", tenant"), mailbox) ? 1 : -1;
	if (options.flag_columns)
		return run(client, "UPDATE mw_mail SET bits = %ld WHERE mailbox_id = %d AND uid = 1",
				   value, mailbox) ? 1 : -1;
	return run(client, "UPDATE mw_mail_flag SET flag = 'n%ld' WHERE (mail_id%s) ="
			   " (SELECT %s%s FROM mw_mail WHERE mailbox_id = %d AND uid = 1)",
			   value, TENANT(", tenant"), FLAG_KEY, TENANT(", tenant"), mailbox) ? 1 : -1;
}

static bool
increment(Client *client, int mailbox)
{
	PGresult   *result = read_counter(client, mailbox);
	char		modseq[24];
	long		value;
	int			outcome;

	if (result == NULL || PQntuples(result) != 1)
	{
		PQclear(result);
		return false;
	}
	snprintf(modseq, sizeof(modseq), "%s", PQgetvalue(result, 0, 0));
	value = atol(PQgetvalue(result, 0, 1));
	PQclear(result);
	outcome = compare_and_swap(client, mailbox, modseq, value + 1);
	if (outcome == 1)
		return run(client, "COMMIT");
	refusals += outcome == 0;
	run(client, "ROLLBACK");
	return false;
}

static void *
cas_main(void *arg)
{
	Client		client;

	client_init(&client, "cas", (int) (intptr_t) arg);
	while (increments_left-- > 0 && !stopping)
	{
		while (!increment(&client, options.mailboxes + 1) && !stopping)
			;
		confirmed++;
	}
	client_close(&client);
	return NULL;
}

/* Runs in a mailbox that no writer uses */
bool
cas_test(int connections, int increments)
{
	int			mailbox = options.mailboxes + 1;
	pthread_t	threads[64];
	Client		client;
	PGresult   *result;
	long		value = -1;

	client_init(&client, "cas", 0);
	run(&client, "INSERT INTO mw_mail (mailbox_id, subject) VALUES (%d, 'counter')", mailbox);
	if (options.shared_columns)
		run(&client, "UPDATE mw_msg SET bits = 0 WHERE (id%s) IN"
			" (SELECT msg%s FROM mw_mail WHERE mailbox_id = %d)", TENANT(", owner"),
			TENANT(", tenant"), mailbox);
	else if (options.flag_columns)
		run(&client, "UPDATE mw_mail SET bits = 0 WHERE mailbox_id = %d", mailbox);
	else
		run(&client, "INSERT INTO mw_mail_flag SELECT %s, 'n0'%s FROM mw_mail WHERE mailbox_id = %d",
			FLAG_KEY, TENANT(", tenant"), mailbox);
	increments_left = increments;
	refusals = confirmed = 0;
	for (int i = 0; i < connections; i++)
		pthread_create(&threads[i], NULL, cas_main, (void *) (intptr_t) (i + 1));
	for (int i = 0; i < connections; i++)
		pthread_join(threads[i], NULL);
	result = read_counter(&client, mailbox);
	if (result && PQntuples(result) == 1)
		value = atol(PQgetvalue(result, 0, 1));
	PQclear(result);
	run(&client, "DELETE FROM mw_mail WHERE mailbox_id = %d", mailbox);
	client_close(&client);
	printf("# cas: %ld increments by %d connections gave %ld, %ld attempts refused\n",
		   (long) confirmed, connections, value, (long) refusals);
	return value == increments && confirmed == increments;
}
