--
-- Applications that hand out UIDs themselves: a transaction that raises UIDNEXT may use what it so reserved, since nobody
-- else has seen UIDNEXT above it. Rule "arrivals"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_reserve;
SET search_path = t_reserve;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint DEFAULT 7, uidnext int NOT NULL DEFAULT 1);
CREATE TABLE mail (id serial, box_id int REFERENCES box ON UPDATE CASCADE, uid int, seen boolean, PRIMARY KEY (box_id, uid));
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1), (2);
\set show 'SELECT mailbox[1]::int AS id, uidnext, highest AS highestmodseq, messages AS mail, modseq.vanished_since(\'mail\', mailbox, 0) AS vanished, problems(\'mail\') AS problem FROM state(\'mail\', \'uid\', \'modseq\');'

-- One by one, and several in one statement, in any order
BEGIN;
UPDATE box SET uidnext = uidnext + 1 WHERE id = 1;
INSERT INTO mail (box_id, uid) VALUES (1, 1);
COMMIT;
BEGIN;
UPDATE box SET uidnext = uidnext + 3 WHERE id = 1;
INSERT INTO mail (box_id, uid) VALUES (1, 4), (1, 2), (1, 3);
COMMIT;
:show
-- In one statement; and by a trigger of the application's own
WITH next AS (UPDATE box SET uidnext = uidnext + 1 WHERE id = 1 RETURNING id, uidnext - 1 AS uid)
INSERT INTO mail (box_id, uid) SELECT id, uid FROM next RETURNING uid, modseq;
CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET uidnext = uidnext + 1 WHERE id = new.box_id RETURNING uidnext - 1 INTO new.uid;
	RETURN new;
END $$;
CREATE TRIGGER number BEFORE INSERT ON mail FOR EACH ROW EXECUTE FUNCTION number();
INSERT INTO mail (box_id) VALUES (1), (2), (1) RETURNING box_id, uid, modseq;
DROP TRIGGER number ON mail;
-- A move brings its UID along
BEGIN;
UPDATE box SET uidnext = uidnext + 1 WHERE id = 2;
UPDATE mail SET box_id = 2, uid = 2 WHERE box_id = 1 AND uid = 7;
COMMIT;
-- Some of what was reserved is not used; NULL gets none of it
BEGIN;
UPDATE box SET uidnext = uidnext + 3 WHERE id = 2;
INSERT INTO mail (box_id, uid) VALUES (2, 4);
INSERT INTO mail (box_id) VALUES (2) RETURNING uid;
COMMIT;
-- Under lock(), and after another statement took UIDs
BEGIN;
SELECT uidnext FROM modseq.lock('mail', 2);
INSERT INTO mail (box_id) VALUES (2) RETURNING uid;
UPDATE box SET uidnext = uidnext + 1 WHERE id = 2 RETURNING uidnext - 1 AS uid;
INSERT INTO mail (box_id, uid) VALUES (2, 8);
COMMIT;
:show

-- What another statement of the transaction has used it can use again when that is gone, or what is below: nobody else
-- has seen it
BEGIN;
UPDATE box SET uidnext = uidnext + 3 WHERE id = 1;
INSERT INTO mail (box_id, uid) VALUES (1, 9);
DELETE FROM mail WHERE box_id = 1 AND uid = 9;
SAVEPOINT s;
INSERT INTO mail (box_id, uid) VALUES (1, 9);
ROLLBACK TO s;
INSERT INTO mail (box_id, uid) VALUES (1, 8);
ROLLBACK TO s;
INSERT INTO mail (box_id, uid) VALUES (1, 10);
COMMIT;
:show
-- A savepoint that is rolled back has used nothing, and reserved nothing
BEGIN;
UPDATE box SET uidnext = uidnext + 1 WHERE id = 1;
SAVEPOINT s;
INSERT INTO mail (box_id, uid) VALUES (1, 11);
ROLLBACK TO s;
INSERT INTO mail (box_id, uid) VALUES (1, 11);
SAVEPOINT s;
UPDATE box SET uidnext = uidnext + 5 WHERE id = 1;
ROLLBACK TO s;
SAVEPOINT t;
INSERT INTO mail (box_id) VALUES (1) RETURNING uid;
RELEASE t;
INSERT INTO mail (box_id, uid) VALUES (1, 11);
ROLLBACK TO s;
COMMIT;
:show
-- What was there before, or was reserved by an earlier transaction, others have seen
BEGIN;
UPDATE box SET uidnext = uidnext + 1 WHERE id = 1;
INSERT INTO mail (box_id, uid) VALUES (1, 11);
ROLLBACK;
UPDATE box SET uidnext = uidnext + 1 WHERE id = 1;
INSERT INTO mail (box_id, uid) VALUES (1, 12);
-- A mailbox that is new in this transaction; one that was renamed in it is not, even if it has the key of another
BEGIN;
INSERT INTO box VALUES (3);
UPDATE box SET uidnext = 3 WHERE id = 3;
INSERT INTO mail (box_id, uid) VALUES (3, 2);
UPDATE box SET id = 4 WHERE id = 3;
UPDATE box SET id = 3 WHERE id = 2;
INSERT INTO mail (box_id, uid) VALUES (3, 3);
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE box SET uidnext = uidnext + 1 WHERE id = 2;
INSERT INTO mail (box_id, uid) VALUES (2, 9);
COMMIT;
:show

-- In a mailbox of the transaction's own: what it raises UIDNEXT by, but not what the mailbox came with, out of a dump
BEGIN;
INSERT INTO box VALUES (5), (6);
UPDATE box SET uidnext = 3 WHERE id = 5;
INSERT INTO mail (box_id, uid) VALUES (5, 1), (5, 2) RETURNING box_id, uid;
UPDATE box SET uidnext = 7 WHERE id = 6;
SAVEPOINT s;
INSERT INTO box (id, uidnext) VALUES (7, 5);
UPDATE box SET uidnext = 7 WHERE id = 7;
INSERT INTO mail (box_id, uid) VALUES (7, 5), (7, 6) RETURNING box_id, uid;
INSERT INTO mail (box_id, uid) VALUES (7, 4);
ROLLBACK TO s;
INSERT INTO box (id, uidnext) VALUES (7, 1);
UPDATE box SET uidnext = 7 WHERE id = 7;
INSERT INTO mail (box_id, uid) VALUES (7, 4) RETURNING box_id, uid;
ROLLBACK;

-- As last UID, and by one who may not see the mailbox
ALTER TABLE box ADD COLUMN last_uid bigint;
UPDATE box SET last_uid = uidnext - 1;
SELECT modseq.attach('mail', 'box', mailbox_last_uid => 'last_uid');
CREATE ROLE regress_modseq_counts;
GRANT USAGE ON SCHEMA t_reserve TO regress_modseq_counts;
GRANT INSERT, SELECT ON mail TO regress_modseq_counts;
GRANT USAGE ON SEQUENCE mail_id_seq TO regress_modseq_counts;
BEGIN;
UPDATE box SET last_uid = last_uid + 1 WHERE id = 2;
SET LOCAL ROLE regress_modseq_counts;
INSERT INTO mail (box_id, uid) VALUES (2, 10) RETURNING uid;
RESET ROLE;
COMMIT;
SELECT last_uid FROM box WHERE id = 2;
SELECT * FROM modseq.check('mail');
DROP SCHEMA t_reserve CASCADE;
DROP ROLE regress_modseq_counts;
