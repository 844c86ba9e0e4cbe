--
-- Mailboxes that are renamed in savepoints: what is rolled back is forgotten, and what is released is the outer level's
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_mailbox_rename_savepoints;
SET search_path = t_mailbox_rename_savepoints;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

-- Messages follow by hand, so that some statements come before they do
CREATE TABLE box (id text PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box text NOT NULL, seen boolean NOT NULL DEFAULT false);
CREATE TABLE flag (mail int NOT NULL REFERENCES mail ON DELETE CASCADE, name text NOT NULL);
SELECT modseq.attach('mail', 'box', 'flag', counters => 'mailbox', message_flags => '{seen}', message_mailbox => '{box}');
INSERT INTO box VALUES ('a'), ('b');
INSERT INTO mail SELECT i, 'a' FROM generate_series(1, 4) AS i;
INSERT INTO mail SELECT i, 'b' FROM generate_series(11, 12) AS i;
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\') ORDER BY mailbox COLLATE "C", vanished COLLATE "C";'
:state

-- Rolled back: a message that goes to that key moves
BEGIN;
SAVEPOINT s;
UPDATE box SET id = 'c' WHERE id = 'a';
UPDATE mail SET box = 'c' WHERE box = 'a';
:state
ROLLBACK TO s;
INSERT INTO box VALUES ('c');
UPDATE mail SET box = 'c' WHERE id = 1;
:state
ROLLBACK;

-- Released, once and twice: messages follow in any level
BEGIN;
SAVEPOINT s;
SAVEPOINT t;
UPDATE box SET id = 'c' WHERE id = 'a';
UPDATE mail SET box = 'c' WHERE id = 1;
RELEASE t;
UPDATE mail SET box = 'c' WHERE id = 2;
RELEASE s;
UPDATE mail SET box = 'c' WHERE id = 3;
SAVEPOINT u;
UPDATE mail SET box = 'c' WHERE id = 4;
INSERT INTO mail VALUES (5, 'c') RETURNING uid, modseq;
:state
-- What was released into one that is rolled back is rolled back
ROLLBACK TO u;
SAVEPOINT v;
SAVEPOINT w;
UPDATE box SET id = 'd' WHERE id = 'c';
RELEASE w;
ROLLBACK TO v;
INSERT INTO mail VALUES (5, 'd');
ROLLBACK TO v;
INSERT INTO mail VALUES (5, 'c') RETURNING uid, modseq;
UPDATE mail SET box = 'c' WHERE id = 4;
:state
ROLLBACK;

-- The old key is taken in a savepoint: not while messages still have it, for they follow
BEGIN;
UPDATE box SET id = 'c' WHERE id = 'a';
SAVEPOINT s;
INSERT INTO box VALUES ('a');
ROLLBACK TO s;
UPDATE mail SET box = 'c' WHERE id = 1;
SAVEPOINT t;
UPDATE box SET id = 'a' WHERE id = 'b';
ROLLBACK TO t;
UPDATE mail SET box = 'c' WHERE box = 'a';
UPDATE box SET id = 'a' WHERE id = 'b';
INSERT INTO mail VALUES (90, 'a') RETURNING uid, modseq;
UPDATE mail SET box = 'c' WHERE id = 90 RETURNING uid, modseq;
ROLLBACK TO t;
UPDATE mail SET box = 'c' WHERE box = 'a';
:state
COMMIT;

-- Numbers that were handed out before the rename are not handed out again after it, nor by the other mailbox
BEGIN;
INSERT INTO mail VALUES (6, 'c') RETURNING uid, modseq;
SAVEPOINT s;
UPDATE box SET id = 'a' WHERE id = 'c';
UPDATE mail SET box = 'a' WHERE box = 'c';
INSERT INTO box VALUES ('c');
INSERT INTO mail VALUES (7, 'a'), (8, 'c') RETURNING box, uid, modseq;
ROLLBACK TO s;
INSERT INTO mail VALUES (7, 'c') RETURNING uid, modseq;
SAVEPOINT t;
UPDATE box SET id = 'a' WHERE id = 'c';
RELEASE t;
UPDATE mail SET box = 'a' WHERE box = 'c';
INSERT INTO mail VALUES (8, 'a') RETURNING uid, modseq;
COMMIT;
:state

-- Flagged by the query that renames, so before we hear of it, and in a savepoint that is released: it is still known that
-- the messages are to be stamped when they follow
BEGIN;
SAVEPOINT s;
WITH r AS (UPDATE box SET id = 'c' WHERE id = 'a'), f AS (INSERT INTO flag VALUES (2, 'x'))
	UPDATE mail SET seen = true WHERE id = 1;
RELEASE s;
SAVEPOINT t;
UPDATE mail SET box = 'c' WHERE box = 'a';
RELEASE t;
COMMIT;
:state
-- A flag that changes when the mailbox was renamed, but the message has not followed
BEGIN;
UPDATE box SET id = 'a' WHERE id = 'c';
SAVEPOINT s;
INSERT INTO flag VALUES (3, 'x');
RELEASE s;
UPDATE mail SET seen = true WHERE id = 4;
UPDATE mail SET box = 'a' WHERE box = 'c';
COMMIT;
:state

-- Renamed in the statement in progress, in a subtransaction of a trigger, that aborts or does not: what that statement has
-- counted so far is its own
CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		UPDATE box SET id = id || 'x' WHERE id = new.box;
		UPDATE mail SET box = box || 'x' WHERE box = new.box;
		INSERT INTO mail VALUES (new.id + 10, new.box || 'x');
		IF new.id % 2 = 0 THEN RAISE 'back'; END IF;
	EXCEPTION WHEN raise_exception THEN NULL;
	END;
	RETURN NULL;
END $$;
CREATE TRIGGER zzzz_rename AFTER INSERT ON mail FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION rename();
INSERT INTO mail VALUES (20, 'b');
:state
INSERT INTO mail VALUES (21, 'b'), (22, 'a');
:state
DROP TRIGGER zzzz_rename ON mail;

-- A mailbox that the same query makes and uses has the old key only while it is there
INSERT INTO box VALUES ('e');
INSERT INTO mail VALUES (50, 'e'), (51, 'e');
BEGIN;
UPDATE box SET id = 'g' WHERE id = 'e';
SAVEPOINT s;
WITH b AS (INSERT INTO box VALUES ('e') RETURNING id) INSERT INTO mail (id, box, uid) SELECT 39, id, 20 FROM b RETURNING uid, modseq;
ROLLBACK TO s;
UPDATE mail SET box = 'g' WHERE box = 'e';
WITH b AS (INSERT INTO box VALUES ('e') RETURNING id) INSERT INTO mail (id, box, uid) SELECT 39, id, 20 FROM b RETURNING uid, modseq;
ROLLBACK TO s;
UPDATE mail SET box = 'g' WHERE box = 'e';
INSERT INTO mail VALUES (52, 'g') RETURNING uid, modseq;
COMMIT;
:state

-- The key is taken in a nested statement, of which we hear before we hear that the row has another: an error. The key is
-- free later, another mailbox takes it, and a message that goes from there moves
INSERT INTO box VALUES ('p'), ('q'), ('go');
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET id = 'p' WHERE id = 'q';
	RETURN new;
END $$;
CREATE TRIGGER take BEFORE UPDATE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION take();
BEGIN;
SELECT count(*) FROM modseq.lock('mail', ARRAY['p', 'q']);
SAVEPOINT s;
UPDATE box SET id = CASE id WHEN 'p' THEN 'r' ELSE id END WHERE id IN ('p', 'go');
ROLLBACK TO s;
UPDATE box SET id = 'r' WHERE id = 'p';
INSERT INTO box VALUES ('p');
INSERT INTO mail VALUES (60, 'r'), (61, 'p');
UPDATE mail SET box = 'r' WHERE id = 61;
COMMIT;
:state
DROP TRIGGER take ON box;

-- A mailbox goes in a savepoint that is released, and the next query makes one of that name and uses it: it begins anew
BEGIN;
INSERT INTO mail VALUES (70, 'g') RETURNING uid, modseq;
SAVEPOINT s;
DELETE FROM mail WHERE box = 'g';
DELETE FROM box WHERE id = 'g';
RELEASE s;
WITH b AS (INSERT INTO box VALUES ('g') RETURNING id) INSERT INTO mail SELECT 71, id FROM b RETURNING uid, modseq;
INSERT INTO mail VALUES (72, 'g') RETURNING uid, modseq;
COMMIT;
:state

DROP SCHEMA t_mailbox_rename_savepoints CASCADE;
