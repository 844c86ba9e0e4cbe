--
-- Our queries stay on the indexes that attach() made for them, whatever the statistics say
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_plans;
SET search_path = t_plans;

CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean, gone boolean) WITH (autovacuum_enabled = off);
CREATE TABLE mail_flag (mailbox_id bigint, uid bigint, flag text) WITH (autovacuum_enabled = off);
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', flag_mailbox => '{mailbox_id}', flag_uid => 'uid', message_flags => '{seen}', message_expunged => 'gone');
INSERT INTO mailbox (id) SELECT generate_series(1, 1000);

-- How many index entries were read
CREATE VIEW reads AS
	SELECT pg_stat_get_xact_tuples_returned('mail_mailbox_id_uid_idx'::regclass) AS by_uid,
		pg_stat_get_xact_tuples_returned('mail_mailbox_id_modseq_idx'::regclass) AS by_modseq;

-- A thousand scattered messages in a mailbox of 4,000: by which index are they found, and are those all that is read,
-- but for dead versions? (Flag columns need neither, for the message has its number when it is written.)
CREATE FUNCTION measure(OUT what text, OUT by_uid boolean, OUT by_modseq boolean, OUT few boolean) RETURNS SETOF record
LANGUAGE plpgsql AS $$
DECLARE
	statement record;
	before reads;
	after reads;
BEGIN
	FOR statement IN
		SELECT * FROM (VALUES
			('flag columns', 'UPDATE mail SET seen = seen IS NOT TRUE WHERE id = ANY (SELECT generate_series(1002, 5000, 4))'),
			('flag table', 'INSERT INTO mail_flag SELECT 1, i, ''x'' FROM generate_series(2, 4000, 4) AS i'),
			('unchanged_since', 'SELECT modseq.unchanged_since(''mail'', 1, (SELECT modseq.uidset_agg(i) FROM generate_series(2, 4000, 4) AS i), 1)'),
			('changed_since', 'SELECT modseq.changed_since(''mail'', 1, (SELECT highestmodseq - 1 FROM mail_mailbox WHERE id = 1))'))
			AS s (name, command)
	LOOP
		SELECT * INTO before FROM reads;
		EXECUTE statement.command;
		SELECT * INTO after FROM reads;
		what := statement.name;
		by_uid := after.by_uid > before.by_uid;
		by_modseq := after.by_modseq > before.by_modseq;
		few := after.by_uid - before.by_uid + after.by_modseq - before.by_modseq < 4000;
		RETURN NEXT;
	END LOOP;
END $$;

-- The planner knows of a thousand mailboxes with a message each, in truth the first has 4,001
INSERT INTO mail SELECT i, i FROM generate_series(1, 1000) AS i;
ANALYZE mail;
INSERT INTO mail SELECT 1000 + i, 1 FROM generate_series(1, 4000) AS i;
SELECT * FROM measure();
-- It is sure that no two messages share a mailbox
ALTER TABLE mail ALTER mailbox_id SET (n_distinct = -1);
ANALYZE mail;
SELECT * FROM measure();
-- Of a thousand mailboxes, where it believes that they are seven, only those are read that are asked for
UPDATE pg_class SET relpages = 1, reltuples = 1 WHERE oid = 'mailbox'::regclass;
BEGIN;
SELECT pg_stat_get_xact_tuples_returned('mailbox'::regclass) AS before \gset
SELECT mailbox, highestmodseq > 1 AS changed FROM modseq.status('mail', ARRAY[1000, 1, 4711, 500, 1]);
SELECT pg_stat_get_xact_tuples_returned('mailbox'::regclass) - :before AS read;
COMMIT;
SELECT * FROM modseq.check('mail');
