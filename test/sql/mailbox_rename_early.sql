--
-- Rows of mailboxes that are used under a key, or written, before the trigger tells that they have it: by the same query, or
-- by a nested statement
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_mailbox_rename_early;
SET search_path = t_mailbox_rename_early;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE box (id text PRIMARY KEY, note text);
CREATE TABLE mail (id int PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE ON DELETE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box', counters => 'mailbox', message_mailbox => '{box}');
INSERT INTO box VALUES ('a'), ('b'), ('d');
INSERT INTO mail SELECT i, 'a' FROM generate_series(1, 4) AS i;
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\') ORDER BY mailbox COLLATE "C", vanished COLLATE "C";'

-- Messages that arrive under the key that the same query gives, while others go, or are flagged, under the old one
BEGIN;
WITH r AS (UPDATE box SET id = 'c' WHERE id = 'a' RETURNING id), d AS (DELETE FROM mail WHERE id = 1),
		f AS (UPDATE mail SET seen = true WHERE id = 2)
	INSERT INTO mail SELECT 4 + i, id FROM r, generate_series(1, 2) AS i;
:state
INSERT INTO mail VALUES (7, 'c') RETURNING uid, modseq;
UPDATE mail SET seen = true WHERE id IN (3, 7);
COMMIT;
:state
-- In a mailbox that the same query makes, or makes anew
BEGIN;
WITH b AS (INSERT INTO box VALUES ('e') RETURNING id) INSERT INTO mail SELECT 7 + i, id FROM b, generate_series(1, 2) AS i;
INSERT INTO mail VALUES (10, 'e') RETURNING uid, modseq;
DELETE FROM box WHERE id = 'e';
WITH b AS (INSERT INTO box VALUES ('e') RETURNING id) INSERT INTO mail SELECT 7 + i, id FROM b, generate_series(1, 2) AS i;
INSERT INTO mail VALUES (10, 'e') RETURNING uid, modseq;
:state
ROLLBACK;

-- A trigger that reports each change as a message in a mailbox that the statement changes, too
CREATE FUNCTION report() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail SELECT max(id) + 1, 'd' FROM mail;
	RETURN NULL;
END $$;
CREATE TRIGGER report AFTER UPDATE OF note ON box FOR EACH ROW EXECUTE FUNCTION report();
UPDATE box SET note = 'x';
:state
DROP TRIGGER report ON box;

-- The key of a mailbox that the statement has renamed is taken by another one in a nested statement, of which we hear first:
-- see mailbox_rename_query
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF old.id = 'go' THEN UPDATE box SET id = 'd' WHERE id = 'b'; END IF;
	RETURN new;
END $$;
CREATE TRIGGER take BEFORE UPDATE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION take();
DELETE FROM mail WHERE box = 'd';
INSERT INTO box VALUES ('go');
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', ARRAY['b', 'd']);
SAVEPOINT s;
UPDATE box SET id = CASE id WHEN 'd' THEN 'f' ELSE id END, note = NULL WHERE id IN ('d', 'go');
ROLLBACK TO s;
INSERT INTO mail VALUES (20, 'd'), (21, 'b') RETURNING box, uid, modseq;
COMMIT;
:state

-- So it is by a trigger, between a message that arrived and the completion of its statement
CREATE TABLE box2 (id text PRIMARY KEY);
CREATE TABLE mail2 (id int PRIMARY KEY, box text NOT NULL, seen boolean);
SELECT modseq.attach('mail2', 'box2', counters => 'mailbox', message_mailbox => '{box}');
INSERT INTO box2 VALUES ('b'), ('d');
INSERT INTO mail2 SELECT i, 'd' FROM generate_series(1, 5) AS i;
CREATE FUNCTION take2() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box2 SET id = 'd' WHERE id = 'b';
	RETURN NULL;
END $$;
CREATE TRIGGER zzzz_take AFTER INSERT ON mail2 FOR EACH ROW EXECUTE FUNCTION take2();
WITH r AS (UPDATE box2 SET id = 'f' WHERE id = 'd') INSERT INTO mail2 VALUES (6, 'd');
DROP TRIGGER zzzz_take ON mail2;
INSERT INTO mail2 VALUES (7, 'd') RETURNING box, uid, modseq;
SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state('mail2', 'id', 'uid', 'modseq') ORDER BY mailbox COLLATE "C", vanished COLLATE "C";

-- A UID that was used before is not free for a message that arrives under the new key; nor is one that a mailbox comes with
CREATE TABLE box3 (id text PRIMARY KEY, uidnext bigint);
CREATE TABLE mail3 (id int PRIMARY KEY, box text NOT NULL, seen boolean);
SELECT modseq.attach('mail3', 'box3', message_mailbox => '{box}');
INSERT INTO box3 (id) VALUES ('a');
INSERT INTO mail3 SELECT i, 'a' FROM generate_series(1, 4) AS i;
DELETE FROM mail3;
WITH r AS (UPDATE box3 SET id = 'c' WHERE id = 'a' RETURNING id) INSERT INTO mail3 (id, box, uid) SELECT 5, id, 2 FROM r;
WITH b AS (INSERT INTO box3 (id, uidnext) VALUES ('e', 10) RETURNING id) INSERT INTO mail3 (id, box, uid) SELECT 5, id, 2 FROM b;
WITH r AS (UPDATE box3 SET id = 'c' WHERE id = 'a' RETURNING id) INSERT INTO mail3 (id, box, uid) SELECT 5, id, 7 FROM r;
WITH b AS (INSERT INTO box3 (id) VALUES ('e') RETURNING id) INSERT INTO mail3 (id, box, uid) SELECT 6, id, 2 FROM b;
-- One that this transaction reserves is, also in a mailbox that it has made
BEGIN;
INSERT INTO box3 (id) VALUES ('f');
INSERT INTO mail3 (id, box) VALUES (7, 'f') RETURNING uid;
UPDATE box3 SET uidnext = 10 WHERE id = 'f';
INSERT INTO mail3 (id, box, uid) VALUES (8, 'f', 5);
INSERT INTO mail3 (id, box, uid) VALUES (9, 'f', 1);
ROLLBACK;
BEGIN;
INSERT INTO box3 (id, uidnext) VALUES ('g', 10);
INSERT INTO mail3 (id, box, uid) VALUES (10, 'g', 5);
ROLLBACK;
-- What had arrived in one of that name, which is gone, is not in its way
BEGIN;
DELETE FROM mail3 WHERE box = 'c';
DELETE FROM box3 WHERE id = 'c';
WITH b AS (INSERT INTO box3 (id) VALUES ('c') RETURNING id) INSERT INTO mail3 SELECT 11, id FROM b;
UPDATE box3 SET uidnext = 20 WHERE id = 'c';
INSERT INTO mail3 (id, box, uid) VALUES (12, 'c', 3);
ROLLBACK;
SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state('mail3', 'id', 'uid', 'modseq') ORDER BY mailbox COLLATE "C", vanished COLLATE "C";

DROP SCHEMA t_mailbox_rename_early CASCADE;
