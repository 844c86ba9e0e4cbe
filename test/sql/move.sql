--
-- Moves: an UPDATE of the mailbox key, or of the UID (RFC 6851 section 4.4). Rule "moves"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_move;
SET search_path = t_move;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id bigint PRIMARY KEY, name text);
CREATE TABLE mail (
	id bigint PRIMARY KEY,
	mailbox_id bigint NOT NULL REFERENCES mailbox,
	seen boolean,
	created_modseq bigint);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox (id, name) VALUES (1, 'INBOX'), (2, 'Archive'), (3, 'Trash');
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 9) AS i;
INSERT INTO mail (id, mailbox_id) SELECT i, 2 FROM generate_series(20, 22) AS i;

-- For each mailbox: its counters, the messages as id:uid:modseq, and what vanished as modseq: uids
\set mailboxes 'SELECT mailbox[1]::bigint AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM state(\'mail\', \'id\', \'uid\', \'modseq\');'
:mailboxes

-- The target gives a new UID and mod-sequence, the source remembers the old UID, each under its own value
UPDATE mail SET mailbox_id = 2 WHERE id = 2 RETURNING uid, modseq, created_modseq;
:mailboxes
-- Several, from several mailboxes to several: one value for each mailbox, be it source, target or both
UPDATE mail SET mailbox_id = CASE WHEN id < 20 THEN 3 ELSE 1 END WHERE id IN (3, 4, 20);
:mailboxes
-- There and back: the UID that it had is not used again
UPDATE mail SET mailbox_id = 2 WHERE id = 5;
UPDATE mail SET mailbox_id = 1 WHERE id = 5;
:mailboxes
-- Swapped in one statement
UPDATE mail SET mailbox_id = 3 - mailbox_id WHERE id IN (1, 21);
:mailboxes
-- To where it is: nothing; with a flag, that is what changed
UPDATE mail SET mailbox_id = mailbox_id;
:mailboxes
UPDATE mail SET mailbox_id = 1, seen = true WHERE id = 6;
:mailboxes
-- Moved and flagged: one new value in the target
UPDATE mail SET mailbox_id = 3, seen = true WHERE id = 7;
:mailboxes
-- A mailbox to move to that does not exist: nothing happens
UPDATE mail SET mailbox_id = 99 WHERE id = 6;
UPDATE mail SET mailbox_id = NULL WHERE id = 6;
:mailboxes

-- With a UID of the application's choice: from UIDNEXT on
UPDATE mail SET mailbox_id = 3, uid = 50 WHERE id = 8;
UPDATE mail SET mailbox_id = 3, uid = 1 WHERE id = 9;
:mailboxes
-- The source's UID means nothing in the target
UPDATE mail SET mailbox_id = 3, uid = uid WHERE id = 9;
:mailboxes

-- In the same mailbox, a new UID is a move as well: NULL asks for the next
UPDATE mail SET uid = NULL WHERE id = 6 RETURNING uid, modseq;
UPDATE mail SET uid = 60 WHERE mailbox_id = 3 AND uid = 50;
:mailboxes
UPDATE mail SET uid = 1 WHERE mailbox_id = 3 AND uid = 60;
UPDATE mail SET uid = 60 WHERE mailbox_id = 3 AND uid < 3;
:mailboxes

-- MERGE, and DELETE with INSERT (MOVE as some servers do it): one statement, so both sides are there or neither
MERGE INTO mail USING (VALUES (1)) AS v (id) ON mail.id = v.id WHEN MATCHED THEN UPDATE SET mailbox_id = 3;
:mailboxes
WITH gone AS (DELETE FROM mail WHERE mailbox_id = 1 RETURNING *)
INSERT INTO mail (id, mailbox_id, seen) SELECT 100 + id, 2, seen FROM gone ORDER BY uid;
:mailboxes

-- Moved by a trigger that comes before ours; one that comes after it is refused
CREATE FUNCTION reroute() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.mailbox_id := 1; RETURN new; END $$;
CREATE TRIGGER a_reroute BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION reroute();
INSERT INTO mail (id, mailbox_id) VALUES (200, 2) RETURNING mailbox_id, uid, modseq;
UPDATE mail SET seen = true WHERE id = 22;
:mailboxes
ALTER TRIGGER a_reroute ON mail RENAME TO zzz_reroute;
INSERT INTO mail (id, mailbox_id) VALUES (201, 2);
UPDATE mail SET seen = true WHERE mailbox_id = 2;
:mailboxes
DROP TRIGGER zzz_reroute ON mail;

-- In one transaction, through several mailboxes
BEGIN;
UPDATE mail SET mailbox_id = 2 WHERE id = 200;
UPDATE mail SET mailbox_id = 3 WHERE id = 200;
UPDATE mail SET mailbox_id = 1 WHERE id = 200;
COMMIT;
:mailboxes
-- Rolled back, nothing is remembered
BEGIN;
UPDATE mail SET mailbox_id = 2 WHERE mailbox_id = 1;
ROLLBACK;
:mailboxes
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_move CASCADE;
