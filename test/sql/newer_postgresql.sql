--
-- What PostgreSQL has learned since 15. A statement runs where the server knows it; elsewhere what it should tell
-- stands for its result, and another one has the same effect, so that the output is the same everywhere.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_newer_postgresql;
SET search_path = t_newer_postgresql;
\pset format unaligned
\pset tuples_only on
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

-- The rows that a statement returns, or its error
CREATE FUNCTION since(version int, statement text, elsewhere text, result text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	row record;
	rows text[];
BEGIN
	IF current_setting('server_version_num')::int / 10000 < version THEN
		EXECUTE elsewhere;
		RETURN result;
	END IF;
	IF statement !~* 'returning' THEN
		EXECUTE statement;
	ELSE
		FOR row IN EXECUTE statement LOOP
			rows := rows || row::text;
		END LOOP;
	END IF;
	RETURN array_to_string(ARRAY(SELECT r COLLATE "C" FROM unnest(rows) AS r ORDER BY 1), ' ');
EXCEPTION WHEN others THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, seen boolean, deleted boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox VALUES (1), (2);
INSERT INTO mail SELECT i, 1 FROM generate_series(1, 5) AS i;

-- 17: MERGE returns what became of the rows, and can expunge what its source does not have
SELECT since(17,
	'MERGE INTO mail m USING (VALUES (1), (3), (4), (6)) AS s (id) ON m.id = s.id
	 WHEN MATCHED AND m.id = 3 THEN UPDATE SET mailbox_id = 2
	 WHEN MATCHED AND m.id = 4 THEN DELETE
	 WHEN MATCHED THEN UPDATE SET seen = true
	 WHEN NOT MATCHED THEN INSERT (id, mailbox_id) VALUES (s.id, 1)
	 RETURNING merge_action(), m.id, m.mailbox_id, m.uid',
	'MERGE INTO mail m USING (VALUES (1), (3), (4), (6)) AS s (id) ON m.id = s.id
	 WHEN MATCHED AND m.id = 3 THEN UPDATE SET mailbox_id = 2
	 WHEN MATCHED AND m.id = 4 THEN DELETE
	 WHEN MATCHED THEN UPDATE SET seen = true
	 WHEN NOT MATCHED THEN INSERT (id, mailbox_id) VALUES (s.id, 1)',
	'(DELETE,4,1,4) (INSERT,6,1,6) (UPDATE,1,1,1) (UPDATE,3,2,1)');
SELECT * FROM told('mail');
SELECT since(17,
	'MERGE INTO mail m USING (VALUES (1), (3), (6)) AS s (id) ON m.id = s.id
	 WHEN NOT MATCHED BY SOURCE AND m.mailbox_id = 1 THEN DELETE
	 WHEN MATCHED THEN UPDATE SET seen = true
	 RETURNING merge_action(), m.id, m.uid',
	'WITH gone AS (DELETE FROM mail WHERE id IN (2, 5)) UPDATE mail SET seen = true WHERE id IN (1, 3, 6)',
	'(DELETE,2,2) (DELETE,5,5) (UPDATE,1,1) (UPDATE,3,1) (UPDATE,6,6)');
SELECT * FROM told('mail');

-- 18: what a row was and what it became
SELECT since(18,
	'UPDATE mail SET mailbox_id = 2 WHERE id = 6
	 RETURNING old.mailbox_id, old.uid, old.modseq, new.mailbox_id, new.uid, new.modseq',
	'UPDATE mail SET mailbox_id = 2 WHERE id = 6',
	'(1,6,4,2,2,4)');
SELECT since(18,
	'INSERT INTO mail (id, mailbox_id) VALUES (6, 1), (7, 2) ON CONFLICT (id) DO UPDATE SET deleted = true
	 RETURNING id, old.uid, new.uid',
	'INSERT INTO mail (id, mailbox_id) VALUES (6, 1), (7, 2) ON CONFLICT (id) DO UPDATE SET deleted = true',
	'(6,2,2) (7,,3)');
SELECT since(18,
	'DELETE FROM mail WHERE id = 7 RETURNING old.uid, new.uid',
	'DELETE FROM mail WHERE id = 7',
	'(3,)');
SELECT * FROM told('mail');

-- 19: ON CONFLICT DO SELECT gives the row that is there: no change and no value
SELECT since(19,
	'INSERT INTO mail (id, mailbox_id) VALUES (1, 1), (8, 1), (6, 2) ON CONFLICT (id) DO SELECT FOR UPDATE
	 RETURNING id, mailbox_id, uid, modseq',
	'INSERT INTO mail (id, mailbox_id) VALUES (1, 1), (8, 1), (6, 2) ON CONFLICT (id) DO NOTHING',
	'(1,1,1,3) (6,2,2,5) (8,1,8,6)');
SELECT * FROM told('mail');
-- 19: REPACK rewrites a table; numbers stay
SELECT since(19, 'REPACK mail', 'SELECT 1', '');
SELECT * FROM told('mail');

DROP TABLE mail, mail_vanished, mail_mailbox, mailbox;

-- 18: a virtual generated column, GENERATED ALWAYS AS without STORED, has no value in the rows that triggers are
-- given. It may be beside what modseq goes by, with a type without equality too
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, status int NOT NULL DEFAULT 0, seen boolean);
CREATE TABLE mail_flag (mail_id int, name text, value int, PRIMARY KEY (mail_id, name));
SELECT since(18, format('ALTER TABLE %s ADD virtual point GENERATED ALWAYS AS (point(id, 1))', t), 'SELECT 1', '')
FROM unnest('{mailbox,mail}'::text[]) AS t;
SELECT since(18, 'ALTER TABLE mail_flag ADD virtual point GENERATED ALWAYS AS (point(value, 1))', 'SELECT 1', '');
SELECT modseq.attach('mail', 'mailbox', 'mail_flag');
INSERT INTO mailbox VALUES (1), (2);
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 5) AS i;
INSERT INTO mail_flag VALUES (1, 'a', 1), (2, 'b', 1);
UPDATE mail_flag SET value = 1;
UPDATE mail_flag SET value = 2 WHERE mail_id = 2;
UPDATE mail SET seen = true WHERE id = 3;
UPDATE mail SET mailbox_id = 2 WHERE id = 4;
DELETE FROM mail WHERE id = 5;
SELECT * FROM told('mail');
-- One that takes a flag column's place later is noticed: its changes could not be
BEGIN;
SET LOCAL session_replication_role = replica;		-- it would be refused
ALTER TABLE mail DROP COLUMN seen;
RESET session_replication_role;
SELECT since(18, 'ALTER TABLE mail ADD seen boolean GENERATED ALWAYS AS (status <> 0)', 'SELECT 1', '');
SELECT since(18, 'UPDATE mail SET status = 1', 'SELECT 1', '55000 modseq''s configuration of table t_newer_postgresql.mail is out of date');
SELECT since(18, $$SELECT modseq.attach('mail', 'mailbox', 'mail_flag')$$, 'SELECT 1', '0A000 column "seen" of table t_newer_postgresql.mail is a generated or identity column');
ROLLBACK;
DROP TABLE mail, mail_vanished, mail_mailbox, mail_flag, mailbox;

-- 17: a generated column gets another expression, and so all messages other flags
CREATE TABLE mailbox (id int PRIMARY KEY, uidvalidity bigint DEFAULT 7);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int REFERENCES mailbox, seen boolean, size int,
	big boolean GENERATED ALWAYS AS (size > 10) STORED);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen,big}');
INSERT INTO mailbox VALUES (1);
INSERT INTO mail VALUES (1, 1, false, 7), (2, 1, false, 1);
SELECT since(17, 'ALTER TABLE mail ALTER big SET EXPRESSION AS (size > 5)', 'UPDATE mail SET seen = true', '');
SELECT * FROM told('mail');
DROP TABLE mail, mail_vanished, mailbox;

-- 18: a foreign key that is not enforced still says which column is the mailbox, and a NOT NULL constraint that is
-- not valid does not hinder attach() from numbering messages
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, place int, uid int);
INSERT INTO mailbox VALUES (1), (2);
INSERT INTO mail VALUES (1, 1), (2, 1);
SELECT since(18,
	'ALTER TABLE mail ADD FOREIGN KEY (place) REFERENCES mailbox NOT ENFORCED',
	'ALTER TABLE mail ADD FOREIGN KEY (place) REFERENCES mailbox', '');
SELECT since(18, 'ALTER TABLE mail ADD NOT NULL uid NOT VALID', 'SELECT 1', '');
SELECT modseq.attach('mail', 'mailbox');
\set VERBOSITY terse
INSERT INTO mail VALUES (3, 3);
INSERT INTO mail VALUES (3, 2);
SELECT * FROM told('mail');
DROP TABLE mail, mail_vanished, mail_mailbox, mailbox;

-- 18: a key WITHOUT OVERLAPS is no key that a mailbox could be named by
CREATE TABLE mailbox (id int4range, during daterange);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int4range);
SELECT since(18, 'ALTER TABLE mailbox ADD PRIMARY KEY (id, during WITHOUT OVERLAPS)', 'SELECT 1', '');
SELECT modseq.attach('mail', 'mailbox');

DROP SCHEMA t_newer_postgresql CASCADE;
