--
-- A partitioned table of flags
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition_tables;
SET search_path = t_partition_tables;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

--
-- Flags, by the message's key; the row has more than the flag, and is in one partition or another for that
--
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id bigint NOT NULL);
CREATE TABLE flag (mail_id int NOT NULL REFERENCES mail ON DELETE CASCADE, name text NOT NULL, since int) PARTITION BY RANGE (since);
CREATE TABLE flag_1 PARTITION OF flag FOR VALUES FROM (0) TO (10);
CREATE TABLE flag_2 (since int, name text NOT NULL, mail_id int NOT NULL);
SELECT modseq.attach('mail', 'box', 'flag', flag_columns => '{name}');
ALTER TABLE flag ATTACH PARTITION flag_2 FOR VALUES FROM (10) TO (20);
SELECT tgrelid::regclass, string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger
	WHERE tgrelid::regclass::text ~ '^flag' AND NOT tgisinternal GROUP BY tgrelid ORDER BY tgrelid::regclass::text;
INSERT INTO box VALUES (1), (2);
INSERT INTO mail SELECT i, 1 + i / 6 FROM generate_series(1, 9) AS i;

-- For each mailbox its HIGHESTMODSEQ, and its messages as uid:modseq; and what is unsound
\set state 'SELECT mailbox[1]::bigint AS box, highest, messages AS "uid:modseq" FROM checked_state(\'mail\', \'uid\', \'modseq\') ORDER BY 1, 3;'
INSERT INTO flag VALUES (1, 'a', 1), (2, 'a', 11), (6, 'a', 11);
:state
-- On a partition
INSERT INTO flag_1 VALUES (3, 'a', 1), (7, 'a', 1);
:state
INSERT INTO flag_2 (mail_id, name, since) VALUES (3, 'b', 11), (3, 'c', 11);
UPDATE flag_2 SET name = 'd' WHERE name = 'c';
:state
UPDATE flag_2 SET since = 12, mail_id = mail_id;
DELETE FROM flag_1 WHERE mail_id = 4;
:state
-- From one to another: a row that goes and comes, so its message is reported, be the flag another or not
UPDATE flag SET since = since + 10 WHERE mail_id = 1;
:state
UPDATE flag SET since = since - 10, name = 'x' WHERE mail_id = 1;
:state
UPDATE flag SET since = since + 10, mail_id = 4 WHERE mail_id = 1;
:state
MERGE INTO flag USING (VALUES (4, 'y', 1), (3, NULL, 11), (9, 'z', 1)) AS v (mail_id, name, since) ON v.mail_id = flag.mail_id
	WHEN MATCHED AND v.name IS NULL THEN DELETE
	WHEN MATCHED THEN UPDATE SET name = v.name, since = v.since
	WHEN NOT MATCHED THEN INSERT VALUES (v.mail_id, v.name, v.since);
:state
-- A trigger keeps the row from where it goes: the flag is gone; one sets another flag at that
CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER cancel BEFORE INSERT ON flag_2 FOR EACH ROW EXECUTE FUNCTION cancel();
BEGIN;
UPDATE flag SET since = since + 10 WHERE mail_id IN (4, 9);
:state
ROLLBACK;
DROP TRIGGER cancel ON flag_2;
CREATE FUNCTION another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO t_partition_tables.flag_1 VALUES (5, 'late', 0); RETURN NULL; END $$;
CREATE TRIGGER z AFTER DELETE ON flag_1 FOR EACH ROW EXECUTE FUNCTION another();
BEGIN;
UPDATE flag SET since = since + 10, name = 'aa' WHERE mail_id = 9;
:state
ROLLBACK;
DROP TRIGGER z ON flag_1;
-- The messages themselves go: nothing is left to stamp
BEGIN;
DELETE FROM mail WHERE id IN (2, 9);
:state
ROLLBACK;
-- TRUNCATE, of all and of one; each message once
BEGIN;
TRUNCATE flag;
:state
ROLLBACK;
BEGIN;
TRUNCATE flag_2;
:state
TRUNCATE flag, mail;
SELECT id, highestmodseq, modseq.vanished_since('mail', id, 0) FROM mail_mailbox ORDER BY id;
ROLLBACK;
-- Partitions that go and come with flags
SELECT 'flag_1' AS part, array_agg(mail_id ORDER BY mail_id) FROM flag_1 UNION ALL SELECT 'flag_2', array_agg(mail_id ORDER BY mail_id) FROM flag_2;
ALTER TABLE flag DETACH PARTITION flag_2;
:state
INSERT INTO flag_2 (mail_id, name, since) VALUES (8, 'x', 19);
ALTER TABLE flag ATTACH PARTITION flag_2 FOR VALUES FROM (10) TO (20);
:state
DROP TABLE flag_1;
:state
BEGIN;
DROP TABLE flag_2, flag;
SELECT highestmodseq FROM mail_mailbox ORDER BY id;
ROLLBACK;
ALTER TABLE flag DETACH PARTITION flag_2 CONCURRENTLY;
SELECT modseq.detach('mail');
DROP TABLE flag, mail, mail_vanished, box;

SET client_min_messages = warning;
DROP SCHEMA t_partition_tables CASCADE;
