--
-- A mailbox is used, under the key that a statement gives it, by a function that this statement calls, so before we hear of
-- that key; and in a statement that is in progress already. Whatever was counted under either key holds.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_mailbox_rename_nested;
SET search_path = t_mailbox_rename_nested;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE box (id text PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box', counters => 'mailbox', message_mailbox => '{box}');
INSERT INTO box (id) VALUES ('a'), ('b');
INSERT INTO mail SELECT i, 'a' FROM generate_series(1, 5) AS i;
DELETE FROM mail WHERE id = 2;
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\');'
:state

-- It is locked under the new key, and has higher counters by the same UPDATE: they do not fall
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 'a');
UPDATE box SET id = 'c', uidnext = 20, highestmodseq = 50 WHERE id = 'a'
	RETURNING (SELECT highestmodseq FROM modseq.lock('mail', id));
DELETE FROM mail WHERE id = 5;
INSERT INTO mail VALUES (6, 'c') RETURNING uid, modseq;
:state
ROLLBACK;

-- Messages arrive there, and one goes again
CREATE FUNCTION deliver(box text, first int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail VALUES (first, box), (first + 1, box), (first + 2, box);
	DELETE FROM mail WHERE id = first + 1;
	RETURN first;
END $$;
BEGIN;
UPDATE box SET id = 'c' WHERE id = 'a' RETURNING deliver(id, 10);
INSERT INTO mail VALUES (13, 'c') RETURNING uid, modseq;
:state
ROLLBACK;
-- The same within a statement that other messages arrive by: it is completed at the end
CREATE FUNCTION rename_plainly() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	unused int;
BEGIN
	UPDATE box SET id = 'c' WHERE id = 'a' RETURNING deliver(id, 10) INTO unused;
	RETURN NULL;
END $$;
CREATE TRIGGER rename_plainly AFTER INSERT ON mail FOR EACH ROW WHEN (new.id = 30) EXECUTE FUNCTION rename_plainly();
BEGIN;
INSERT INTO mail VALUES (30, 'b');
:state
INSERT INTO mail VALUES (31, 'c') RETURNING uid, modseq;
DELETE FROM mail WHERE id = 10;
:state
ROLLBACK;
-- And where messages went and were flagged in it before, under the old key
BEGIN;
WITH d AS (DELETE FROM mail WHERE id = 1), f AS (UPDATE mail SET seen = true WHERE id = 3)
	INSERT INTO mail VALUES (30, 'b');
:state
INSERT INTO mail VALUES (31, 'c') RETURNING uid, modseq;
:state
ROLLBACK;
DROP TRIGGER rename_plainly ON mail;

-- A trigger of the mailbox table that delivers, too, when we have heard of the key, but the statement is not over
CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail VALUES (50, new.id);
	RETURN NULL;
END $$;
CREATE TRIGGER welcome AFTER UPDATE OF id ON box FOR EACH ROW EXECUTE FUNCTION welcome();
BEGIN;
WITH r AS (UPDATE box SET id = 'c' WHERE id = 'a' RETURNING id) INSERT INTO mail SELECT 5 + i, id FROM r, generate_series(1, 2) AS i;
INSERT INTO mail VALUES (51, 'c') RETURNING uid, modseq;
:state
COMMIT;

-- It has yet another key by the time that we hear of the first one; messages follow by hand
CREATE TABLE box2 (id text PRIMARY KEY);
CREATE TABLE mail2 (id int PRIMARY KEY, box text NOT NULL, seen boolean);
SELECT modseq.attach('mail2', 'box2', counters => 'mailbox', message_mailbox => '{box}');
INSERT INTO box2 (id) VALUES ('a');
INSERT INTO mail2 SELECT i, 'a' FROM generate_series(1, 5) AS i;
CREATE FUNCTION deliver_and_rename(box text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail2 VALUES (10, box), (11, box), (12, box);
	DELETE FROM mail2 WHERE id = 11;
	UPDATE box2 AS b SET id = 'd' WHERE b.id = box;
	RETURN 'renamed';
END $$;
BEGIN;
UPDATE box2 SET id = 'c' WHERE id = 'a' RETURNING deliver_and_rename(id);
INSERT INTO mail2 VALUES (13, 'd') RETURNING uid, modseq;
UPDATE mail2 SET box = 'd' WHERE box <> 'd';
UPDATE mail2 SET seen = true WHERE id IN (3, 12);
DELETE FROM mail2 WHERE id = 4;
COMMIT;
SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state('mail2', 'id', 'uid', 'modseq');

-- A key that the mailbox had for a moment is none that a message can follow to
BEGIN;
UPDATE box2 SET id = 'e' WHERE id = 'd';
UPDATE box2 SET id = 'f' WHERE id = 'e';
SAVEPOINT s;
UPDATE mail2 SET box = 'e' WHERE id = 1;
ROLLBACK TO s;
UPDATE mail2 SET box = 'f' WHERE box = 'd';
SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state('mail2', 'id', 'uid', 'modseq');
ROLLBACK;

-- Renamed twice, and what concerns messages comes while they are still under the first key, or under the second
CREATE TABLE box3 (id text PRIMARY KEY);
CREATE TABLE mail3 (id int PRIMARY KEY, box text NOT NULL, seen boolean, gone int, is_gone boolean GENERATED ALWAYS AS (gone = 1) STORED);
CREATE TABLE flag3 (mail int, name text);
SELECT modseq.attach('mail3', 'box3', 'flag3', message_mailbox => '{box}', message_flags => '{seen}', message_expunged => 'is_gone', flag_message => '{mail}', message_key => '{id}');
\set state3 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail3\', \'id\', \'uid\', \'modseq\');'
INSERT INTO box3 (id) VALUES ('a');
INSERT INTO mail3 SELECT i, 'a' FROM generate_series(1, 7) AS i;
UPDATE mail3 SET gone = 1 WHERE id IN (5, 6);
INSERT INTO flag3 VALUES (4, 'x');
BEGIN;
UPDATE box3 SET id = 'c';
UPDATE mail3 SET box = 'c' WHERE id <> 7;
UPDATE box3 SET id = 'd';
INSERT INTO flag3 VALUES (1, 'x'), (7, 'x');
UPDATE mail3 SET seen = true WHERE id = 2;
UPDATE mail3 SET gone = 0 WHERE id = 5;
DELETE FROM mail3 WHERE id = 3;
UPDATE mail3 SET box = 'd' WHERE id <> 7;
UPDATE mail3 SET box = 'd' WHERE id = 7;
:state3
ROLLBACK;
BEGIN;
UPDATE box3 SET id = 'c';
TRUNCATE flag3;
UPDATE mail3 SET gone = 0 WHERE id = 6;
UPDATE mail3 SET box = 'c';
:state3
COMMIT;

DROP SCHEMA t_mailbox_rename_nested CASCADE;
