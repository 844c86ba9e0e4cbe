--
-- A mailbox that is renamed is the same mailbox: its messages do not move, and nothing is bumped. Rule "moves"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_move;
SET search_path = t_move;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id text PRIMARY KEY, uidvalidity bigint);
CREATE TABLE mail (
	id bigint PRIMARY KEY,
	mailbox text NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	seen boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox VALUES ('INBOX', 7), ('Archive', 8);
INSERT INTO mail (id, mailbox) VALUES (1, 'INBOX'), (2, 'INBOX'), (3, 'INBOX'), (4, 'Archive'), (5, 'Archive');
DELETE FROM mail WHERE id IN (2, 5);
\set mailboxes 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM state(\'mail\', \'id\', \'uid\', \'modseq\') ORDER BY mailbox COLLATE "C";'
:mailboxes
UPDATE mailbox SET id = 'Old mail' WHERE id = 'Archive';
:mailboxes
SELECT * FROM modseq.resync('mail', 'Old mail', 8, 2);
-- Under its new name it goes on counting, in the same transaction too
BEGIN;
UPDATE mail SET seen = true WHERE id = 4;
UPDATE mailbox SET id = 'Older mail' WHERE id = 'Old mail';
UPDATE mail SET seen = false WHERE id = 4;
INSERT INTO mail (id, mailbox) VALUES (6, 'Older mail') RETURNING uid, modseq;
-- A mailbox that takes the old name is another one
INSERT INTO mailbox VALUES ('Old mail', 9);
INSERT INTO mail (id, mailbox) VALUES (7, 'Old mail') RETURNING uid, modseq;
COMMIT;
:mailboxes
-- Back and forth
BEGIN;
UPDATE mailbox SET id = 'x' WHERE id = 'INBOX';
UPDATE mailbox SET id = 'INBOX' WHERE id = 'x';
COMMIT;
:mailboxes
-- Swapped: through a third name
BEGIN;
UPDATE mailbox SET id = 'x' WHERE id = 'Old mail';
UPDATE mailbox SET id = 'Old mail' WHERE id = 'Older mail';
UPDATE mailbox SET id = 'Older mail' WHERE id = 'x';
COMMIT;
:mailboxes
-- A rename that is rolled back to a savepoint: a move to that name is a move again
BEGIN;
SAVEPOINT s;
UPDATE mailbox SET id = 'y' WHERE id = 'Old mail';
ROLLBACK TO s;
INSERT INTO mailbox VALUES ('y', 10);
UPDATE mail SET mailbox = 'y' WHERE id = 4;
COMMIT;
:mailboxes
-- A message that then moves from the new owner of an old name to the renamed mailbox does move
BEGIN;
UPDATE mailbox SET id = 'z' WHERE id = 'y';
INSERT INTO mailbox VALUES ('y', 11);
INSERT INTO mail (id, mailbox, uid) VALUES (8, 'y', 5);
UPDATE mail SET mailbox = 'z' WHERE id = 8;
COMMIT;
:mailboxes
-- Also where two mailboxes have swapped their names
BEGIN;
UPDATE mailbox SET id = 'x' WHERE id = 'INBOX';
UPDATE mailbox SET id = 'INBOX' WHERE id = 'Old mail';
UPDATE mailbox SET id = 'Old mail' WHERE id = 'x';
UPDATE mail SET mailbox = 'INBOX' WHERE id = 3;
COMMIT;
:mailboxes
SELECT * FROM modseq.check('mail');

-- A trigger of the application writes the mailbox's row again while we do: it is still known where the row is, and so
-- whose key changes
CREATE TABLE noted_box (id text PRIMARY KEY, changes int NOT NULL DEFAULT 0);
CREATE TABLE noted_mail (id int PRIMARY KEY, box text NOT NULL REFERENCES noted_box ON UPDATE CASCADE, seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('noted_mail', 'noted_box', counters => 'mailbox');
INSERT INTO noted_box VALUES ('a');
INSERT INTO noted_mail SELECT i, 'a' FROM generate_series(1, 3) AS i;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE noted_box SET changes = changes + 1 WHERE id = new.id;
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER UPDATE ON noted_box FOR EACH ROW WHEN (new.changes = old.changes) EXECUTE FUNCTION note();
BEGIN;
UPDATE noted_mail SET seen = true WHERE id = 1;
UPDATE noted_box SET id = 'b';
COMMIT;
SELECT id, changes, uidnext, highestmodseq FROM noted_box;
SELECT id, box, uid, modseq FROM noted_mail ORDER BY id;
SELECT count(*) FROM noted_mail_vanished;
SELECT * FROM modseq.check('noted_mail');

DROP SCHEMA t_move CASCADE;
