--
-- Between a statement's rows and its completion: mailboxes that are renamed or go meanwhile, by the same query or by
-- triggers, and foreign keys that cascade from our own UPDATE
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_rename_midway;
SET search_path = t_rename_midway;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (
	id int PRIMARY KEY,
	mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	seen boolean NOT NULL DEFAULT false);
CREATE TABLE flag (mail_id int NOT NULL REFERENCES mail ON DELETE CASCADE, name text, PRIMARY KEY (mail_id, name));
SELECT modseq.attach('mail', 'mailbox', 'flag', counters => 'mailbox', message_flags => '{seen}');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 6) AS i;
\set state 'SELECT mailbox[1]::int AS box, uidnext, highest, modseq.vanished_since(\'mail\', mailbox, 0) AS vanished, messages FROM state(\'mail\', \'uid\', \'modseq\', \'seen\'); SELECT * FROM modseq.check(\'mail\');'

-- One query that flags, or deletes, messages and renames their mailbox: the rename is done, but not told to us yet, when
-- the flags are completed
WITH r AS (UPDATE mailbox SET id = 11 WHERE id = 1) UPDATE mail SET seen = true WHERE id = 1;
:state
WITH r AS (UPDATE mailbox SET id = 12 WHERE id = 11) DELETE FROM mail WHERE id = 6;
:state
WITH r AS (UPDATE mailbox SET id = 13 WHERE id = 12), d AS (DELETE FROM mail WHERE id = 5)
UPDATE mail SET seen = NOT seen WHERE id IN (1, 2);
:state
-- The other way round
WITH u AS (UPDATE mail SET seen = NOT seen WHERE id = 2 RETURNING mailbox_id)
UPDATE mailbox SET id = 14 WHERE id IN (SELECT mailbox_id FROM u);
:state

-- A trigger that renames the mailbox of a message that has just arrived: its numbers are not in the mailbox's row yet
CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mailbox SET id = id + 100 WHERE id = new.mailbox_id AND id < 100;
	RETURN NULL;
END $$;
CREATE TRIGGER zzzz_rename AFTER INSERT ON mail FOR EACH ROW EXECUTE FUNCTION rename();
INSERT INTO mail (id, mailbox_id) VALUES (7, 14);
:state
INSERT INTO mail (id, mailbox_id) VALUES (8, 114), (9, 2);
:state
DROP TRIGGER zzzz_rename ON mail;

-- One that renames another mailbox, which is written next, while we stamp
CREATE FUNCTION rename_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mailbox SET id = 201 WHERE id = 114;
	RETURN NULL;
END $$;
CREATE TRIGGER rename_other AFTER UPDATE OF modseq ON mail FOR EACH ROW WHEN (new.mailbox_id = 102) EXECUTE FUNCTION rename_other();
INSERT INTO flag VALUES (9, 'x'), (1, 'x');
:state
DROP TRIGGER rename_other ON mail;

-- One that deletes the mailbox while we stamp: nothing is to be remembered of it
CREATE FUNCTION remove() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM mailbox WHERE id = new.mailbox_id;
	RETURN NULL;
END $$;
CREATE TRIGGER remove AFTER UPDATE OF modseq ON mail FOR EACH ROW EXECUTE FUNCTION remove();
WITH d AS (DELETE FROM mail WHERE id = 8) INSERT INTO flag VALUES (1, 'y');
:state
SELECT id AS vanished FROM mail_vanished;
DROP TRIGGER remove ON mail;

-- A foreign key on the mod-sequence itself: its cascade is part of our own UPDATE, and changes a flag elsewhere
CREATE TABLE thread (
	id int PRIMARY KEY,
	mailbox_id int NOT NULL REFERENCES mailbox,
	modseq bigint NOT NULL,
	parent int,
	parent_modseq bigint,
	UNIQUE (id, modseq),
	FOREIGN KEY (parent, parent_modseq) REFERENCES thread (id, modseq) ON UPDATE CASCADE);
CREATE TABLE thread_flag (thread_id int NOT NULL REFERENCES thread, name text);
SELECT modseq.detach('mail');
SELECT modseq.attach('thread', 'mailbox', 'thread_flag', counters => 'mailbox', message_flags => '{parent_modseq}');
INSERT INTO mailbox (id) VALUES (3);
INSERT INTO thread (id, mailbox_id) VALUES (1, 102), (2, 3);
UPDATE thread SET parent = 1, parent_modseq = (SELECT modseq FROM thread WHERE id = 1) WHERE id = 2;
INSERT INTO thread_flag VALUES (1, 'x');
SELECT t.id, t.modseq = b.highestmodseq AS highest, t.parent_modseq = (SELECT modseq FROM thread WHERE id = 1) AS cascaded
FROM thread t JOIN mailbox b ON b.id = t.mailbox_id ORDER BY t.id;
SELECT * FROM modseq.check('thread');

DROP SCHEMA t_rename_midway CASCADE;
