--
-- resync() and the messages that have changed, in one statement: as docs/imap.md has it
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_messages;
SET search_path = t_messages, modseq;
CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox, flags text[] NOT NULL DEFAULT '{}');
SELECT FROM attach('mail', 'mailbox');
RESET client_min_messages;
INSERT INTO mailbox VALUES (1), (2);
INSERT INTO mail (mailbox_id) SELECT 1 + i % 2 FROM generate_series(1, 40000) i;
SELECT uidvalidity, highestmodseq AS cursor FROM status('mail', 1) \gset
UPDATE mail SET flags = '{new}' WHERE mailbox_id = 1 AND uid % 4 = 0;
DELETE FROM mail WHERE mailbox_id = 1 AND uid % 4 = 2;
VACUUM ANALYZE mail;

PREPARE sync(bigint, bigint, bigint) AS
	WITH r AS MATERIALIZED (SELECT * FROM resync('mail', $1, $2, $3))
	SELECT verdict, uidnext, highestmodseq, first_vanished, vanished, NULL AS uid, NULL AS modseq, NULL AS flags FROM r
	UNION ALL
	SELECT NULL, NULL, NULL, NULL, NULL, m.uid, m.modseq, m.flags
		FROM r JOIN mail m ON m.mailbox_id = $1 AND m.uid <@ r.changed
	ORDER BY uid NULLS FIRST;

-- 5,000 have changed and 5,000 have vanished, none beside another. What vanished does not go through the sort
-- with each that has changed: nothing is written to disk, and few pages are read for each
CREATE FUNCTION pg_temp.cost_of_sync(mailbox bigint, uidvalidity bigint, since bigint)
RETURNS TABLE (rows bigint, temporary bigint, in_bounds boolean) LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) EXECUTE sync(%s, %s, %s)', mailbox, uidvalidity, since) INTO plan;
	plan := plan -> 0 -> 'Plan';
	RETURN QUERY SELECT (plan ->> 'Actual Rows')::numeric::bigint, (plan ->> 'Temp Written Blocks')::bigint,
		(plan ->> 'Shared Hit Blocks')::bigint + (plan ->> 'Shared Read Blocks')::bigint < 30000;
END $$;
SET plan_cache_mode = force_custom_plan;
SELECT * FROM pg_temp.cost_of_sync(1, :uidvalidity, :cursor);
SET plan_cache_mode = force_generic_plan;
SELECT * FROM pg_temp.cost_of_sync(1, :uidvalidity, :cursor);

-- What it says: little; nothing; and to whom it says that the mailbox is another
SELECT highestmodseq AS cursor FROM status('mail', 1) \gset
UPDATE mail SET flags = '{newer}' WHERE mailbox_id = 1 AND uid IN (4, 400);
DELETE FROM mail WHERE mailbox_id = 1 AND uid IN (5, 500);
EXECUTE sync(1, :uidvalidity, :cursor);
EXECUTE sync(1, :uidvalidity, :cursor + 2);
SELECT verdict, vanished IS NULL AS void FROM resync('mail', 1, :uidvalidity + 1, :cursor);


SET client_min_messages = warning;
DROP SCHEMA t_messages CASCADE;
