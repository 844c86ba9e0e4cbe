--
-- TRUNCATE in the middle of a statement: a partition of the mailbox table goes while messages arrive in a mailbox of
-- another one. The numbers that were handed out there are handed out.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_truncate_midway;
SET search_path = t_truncate_midway;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE box (id text PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint) PARTITION BY LIST (id);
CREATE TABLE box_1 PARTITION OF box FOR VALUES IN ('a', 'c');
CREATE TABLE box_2 PARTITION OF box FOR VALUES IN ('b');
CREATE TABLE mail (id int PRIMARY KEY, box text NOT NULL, seen boolean);
SELECT modseq.attach('mail', 'box', message_mailbox => '{box}');
INSERT INTO box (id) VALUES ('a'), ('b');
INSERT INTO mail SELECT i, 'a' FROM generate_series(1, 5) AS i;
INSERT INTO mail VALUES (11, 'b');
DELETE FROM mail WHERE id IN (2, 11);
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\');'
:state

-- Before the second row is numbered, and after the rows went in, also together with other statements
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE box_2;
	RETURN new;
END $$;
CREATE TRIGGER forget BEFORE INSERT ON mail FOR EACH ROW WHEN (new.id % 2 = 1) EXECUTE FUNCTION forget();
BEGIN;
INSERT INTO mail VALUES (20, 'a'), (21, 'a'), (22, 'a') RETURNING id, uid, modseq;
:state
ROLLBACK;
DROP TRIGGER forget ON mail;
CREATE TRIGGER forget AFTER INSERT ON mail FOR EACH ROW WHEN (new.id % 2 = 1) EXECUTE FUNCTION forget();
BEGIN;
INSERT INTO mail VALUES (20, 'a'), (21, 'a'), (22, 'a') RETURNING id, uid, modseq;
INSERT INTO mail VALUES (24, 'a') RETURNING uid, modseq;
:state
ROLLBACK;
CREATE TRIGGER forget_flag BEFORE UPDATE ON mail FOR EACH ROW WHEN (new.id = 3) EXECUTE FUNCTION forget();
BEGIN;
SELECT count(*) FROM modseq.lock('mail', ARRAY['a', 'b']);
UPDATE mail SET seen = true;
DELETE FROM mail WHERE id = 4;
:state
ROLLBACK;

-- UIDs that the transaction has reserved, and those of them that it has used
BEGIN;
UPDATE box SET uidnext = 20 WHERE id = 'a';
INSERT INTO mail (id, box, uid) VALUES (30, 'a', 12);
DELETE FROM mail WHERE id = 30;
TRUNCATE box_2;
SAVEPOINT s;
INSERT INTO mail (id, box, uid) VALUES (31, 'a', 12);
ROLLBACK TO s;
INSERT INTO mail (id, box, uid) VALUES (32, 'a', 2);
ROLLBACK TO s;
INSERT INTO mail (id, box, uid) VALUES (34, 'a', 13);
:state
ROLLBACK;
-- In a mailbox that was renamed, nothing below UIDNEXT is free
BEGIN;
UPDATE box SET id = 'c' WHERE id = 'a';
UPDATE mail SET box = 'c' WHERE box = 'a';
TRUNCATE box_2;
SAVEPOINT s;
INSERT INTO mail (id, box, uid) VALUES (40, 'c', 2);
ROLLBACK TO s;
INSERT INTO mail (id, box) VALUES (42, 'c') RETURNING uid, modseq;
:state
COMMIT;

-- A partition that is detached takes its mailboxes along, also one that is locked
BEGIN;
SELECT count(*) FROM modseq.lock('mail', 'c');
INSERT INTO mail VALUES (60, 'c') RETURNING uid, modseq;
ALTER TABLE box DETACH PARTITION box_1;
INSERT INTO mail VALUES (61, 'c');
ROLLBACK;

DROP SCHEMA t_truncate_midway CASCADE;
