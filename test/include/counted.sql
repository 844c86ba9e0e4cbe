\set ECHO none
--
-- :counted shows the counts of all mailboxes of table "box" as modseq.counts() tells them, and is wrong where the messages
-- of table "mail" say something else, or modseq.check() does
--
CREATE FUNCTION counted_state() RETURNS TABLE (box text, messages bigint, size bigint, unseen bigint, deleted bigint, wrong text)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY
	SELECT b.id::text, c.messages, c.size, c.unseen, c.deleted, CASE WHEN ROW (c.*) IS DISTINCT FROM ROW (m.*) THEN m::text END
	FROM box b CROSS JOIN LATERAL modseq.counts('mail', b.id) c
	CROSS JOIN LATERAL (
		SELECT count(*), coalesce(sum(octets), 0)::bigint, count(*) FILTER (WHERE seen IS NOT TRUE),
			count(*) FILTER (WHERE '\Deleted' = ANY (flags))
		FROM mail WHERE box_id = b.id AND gone IS NOT TRUE) m
	ORDER BY 1;
	RETURN QUERY
	SELECT p.mailbox, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, p.problem
	FROM modseq.check('mail') p WHERE p.problem LIKE 'count %' OR p.uid IS NULL;
END
$$;
\set counted 'SELECT * FROM counted_state();'
\set counts 'mailbox_messages => \'messages\', mailbox_size => \'size\', message_size => \'octets\', mailbox_unseen => \'unseen\', message_seen => \'seen\', mailbox_deleted => \'deleted\', message_deleted => \'flags\', message_deleted_flag => \'\\Deleted\', message_expunged => \'gone\''
\set ECHO all
