/*-------------------------------------------------------------------------
 *
 * counts.c
 *	  Counts of messages: columns for them, statements that change nothing
 *	  else, and clients that compare them with the messages.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of the table of messages that are counted */
const char *
counts_columns(void)
{
	return options.counts ? ", octets integer DEFAULT pg_catalog.random() * 1000" : "";
}

/* To attach() the store with; a keyword stands for \Deleted */
const char *
counts_options(void)
{
	if (!options.counts)
		return "";
	if (!options.flag_columns)
		return ", mailbox_messages => 'messages', mailbox_size => 'size', message_size => 'octets'";
	return ", mailbox_messages => 'messages', mailbox_size => 'size', message_size => 'octets',"
		" mailbox_unseen => 'unseen', message_seen => 'seen',"
		" mailbox_deleted => 'deleted', message_deleted => 'kw', message_deleted_flag => 'x'";
}

/*
 * A statement that no client need hear of: sizes that change, or counts that an
 * application writes back as it has read them, or wrong ones.  False if not.
 */
bool
counts_statement(Client *client, const Target *target, char *sql)
{
	if (!options.counts || !chance(client, 50))
		return false;
	if (chance(client, 60))
		snprintf(sql, SQL_SIZE, "UPDATE mw_mail AS m SET octets = m.octets + %d, subject = m.subject"
				 " FROM (SELECT id, uid FROM mw_mail WHERE mailbox_id = %d AND uid = ANY ('{%s}')"
				 " ORDER BY uid FOR NO KEY UPDATE) AS o WHERE m.mailbox_id = %d AND m.uid = o.uid",
				 (int) random_number(client, 100), target->mailbox, target->uids, target->mailbox);
	else
		snprintf(sql, SQL_SIZE, "UPDATE %s SET messages = messages - %d, size = 0 WHERE id = %d",
				 options.in_mailbox ? "mw_mailbox" : "mw_mail_mailbox",
				 (int) random_number(client, 3), target->mailbox);
	return true;
}

/* What a client is told of, in a snapshot, must be what there is */
bool
counts_audit(Client *client, int mailbox)
{
	PGresult   *result;

	if (!options.counts)
		return true;
	result = query(client, "SELECT c::text, r::text FROM modseq.counts('mw_mail', %d::bigint) AS c,"
				   " (SELECT count(*), coalesce(sum(m.octets), 0), %s FROM mw_mail AS m"
				   " WHERE m.mailbox_id = %d AND %s) AS r",
				   mailbox, options.flag_columns ?
				   "count(*) FILTER (WHERE m.seen IS NOT TRUE), count(*) FILTER (WHERE 'x' = ANY (m.kw))" :
				   "NULL::bigint AS unseen, NULL::bigint AS deleted", mailbox, live_condition());
	if (result == NULL)
		return false;
	if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1)) != 0)
		diverged(client, mailbox, 0, "counts are %s, and the messages' %s",
				 PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1));
	PQclear(result);
	return true;
}
