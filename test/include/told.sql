\set ECHO none
-- What a client is told that knows nothing yet (since 0), or that knew the mailboxes as they were after some
-- change; and whether the store is sound
CREATE FUNCTION told(store regclass, since bigint DEFAULT 0)
RETURNS TABLE (mailbox text[], uidnext bigint, highest bigint, changed text, vanished modseq.uidset, problem text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	s modseq.stores;
BEGIN
	SELECT * INTO s FROM modseq.stores WHERE message = store;
	RETURN QUERY EXECUTE format($q$
		SELECT b.key, r.uidnext, r.highestmodseq::bigint,
			(SELECT string_agg(c.uid || ':' || c.modseq, ' ' ORDER BY c.uid) FROM modseq.changed_since($1, b.key, $2) c),
			r.vanished, (SELECT string_agg(problem, '; ') FROM modseq.check($1))
		FROM (SELECT ARRAY[%s] AS key, %I::bigint AS uidvalidity FROM %s) b,
			modseq.resync($1, b.key, b.uidvalidity, $2) r
		ORDER BY 1$q$,
		(SELECT string_agg(format('%I::text', k), ', ') FROM unnest(s.mailbox_key) AS k), s.mailbox_uidvalidity, s.mailbox)
		USING store, since;
END $$;
\set ECHO all
