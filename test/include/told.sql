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
		(SELECT string_agg(format('%I::text', k), ', ') FROM unnest(s.mailbox_key) AS k), s.mailbox_uidvalidity, coalesce(s.counters, s.mailbox))
		USING store, since;
END $$;

-- What stands in the tables, mailbox by mailbox: the counters; the UIDs of the messages; some columns of each message, by
-- UID; and what vanished, as modseq: UIDs
CREATE FUNCTION state(store regclass, VARIADIC columns name[] DEFAULT '{}')
RETURNS TABLE (mailbox text[], uidnext bigint, highest bigint, live modseq.uidset, messages text, vanished text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	s modseq.stores;
	of_message text;
	of_vanished text;
BEGIN
	SELECT * INTO s FROM modseq.stores WHERE message = store;
	SELECT string_agg(format('m.%I = b.%I', k.message, k.mailbox), ' AND '),
		string_agg(format('v.%1$I = b.%1$I', k.mailbox), ' AND ')
		INTO of_message, of_vanished
		FROM unnest(s.message_mailbox, s.mailbox_key) AS k (message, mailbox);
	RETURN QUERY EXECUTE format($q$
		SELECT ARRAY[%1$s], %2$s::bigint, b.%3$I::bigint,
			(SELECT modseq.uidset_agg(m.%4$I) FROM %5$s m WHERE %6$s),
			(SELECT string_agg(concat_ws(':', %7$s), ' ' ORDER BY m.%4$I) FROM %5$s m WHERE %6$s),
			(SELECT string_agg(v.modseq || ': ' || v.uids::text, ' | ' ORDER BY v.modseq) FROM %8$s v WHERE %9$s)
		FROM %10$s b
		ORDER BY %11$s$q$,
		(SELECT string_agg(format('b.%I::text', k), ', ') FROM unnest(s.mailbox_key) AS k),
		CASE WHEN s.mailbox_uidnext IS NULL THEN format('(b.%I + 1)', s.mailbox_last_uid)
			ELSE format('b.%I', s.mailbox_uidnext) END, s.mailbox_highestmodseq,
		s.message_uid, s.message, of_message,
		coalesce((SELECT string_agg(format('m.%I', c), ', ') FROM unnest(columns) AS c), 'NULL'),
		s.vanished, of_vanished,
		coalesce(s.counters, s.mailbox), (SELECT string_agg(format('b.%I', k), ', ') FROM unnest(s.mailbox_key) AS k));
END $$;

-- The same without the UIDs, and a row for whatever check() says of the store
CREATE FUNCTION checked_state(store regclass, VARIADIC columns name[])
RETURNS TABLE (mailbox text[], uidnext bigint, highest bigint, messages text, vanished text)
LANGUAGE sql STABLE AS $$
	SELECT s.mailbox, s.uidnext, s.highest, s.messages, s.vanished FROM state(store, VARIADIC columns) AS s
	UNION ALL
	SELECT NULL, NULL, NULL, concat_ws(' ', c.mailbox, c.uid), c.problem FROM modseq.check(store) AS c
$$;

-- What check() says, in one line
CREATE FUNCTION problems(store regclass) RETURNS text
LANGUAGE sql STABLE AS $$ SELECT string_agg(concat_ws(' ', c.mailbox, c.uid, c.problem), '; ') FROM modseq.check(store) AS c $$;
\set ECHO all
