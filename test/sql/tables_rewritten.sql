--
-- Tables that are written anew in the middle of a transaction, by CLUSTER or ALTER TABLE: their rows are elsewhere
-- then, and others are where they were
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_rewritten;
SET search_path = t_rewritten;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (
	id int PRIMARY KEY,
	name text,
	uidvalidity bigint NOT NULL DEFAULT modseq.next_uidvalidity(),
	uidnext bigint NOT NULL DEFAULT 1,
	highestmodseq bigint NOT NULL DEFAULT 1);
CREATE INDEX by_name ON mailbox (name);
CREATE TABLE mail (
	id int PRIMARY KEY,
	mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	seen boolean NOT NULL DEFAULT false);
CREATE TABLE flag (mail_id int NOT NULL REFERENCES mail ON DELETE CASCADE, name text, PRIMARY KEY (mail_id, name));
SELECT modseq.attach('mail', 'mailbox', 'flag', message_flags => '{seen}');
INSERT INTO mailbox (id, name) VALUES (1, 'c'), (2, 'b'), (3, 'a');
INSERT INTO mail (id, mailbox_id) SELECT i, 1 + i % 3 FROM generate_series(1, 9) AS i;
\set state 'SELECT mailbox[1]::int AS box, uidnext, highest, modseq.vanished_since(\'mail\', mailbox, 0) AS vanished, messages FROM state(\'mail\', \'uid\', \'modseq\', \'seen\'); SELECT * FROM modseq.check(\'mail\');'
:state

-- The row of mailbox 3 comes to be where that of mailbox 1 was, and gets another key: it is mailbox 3 that was renamed,
-- and its messages are where they are
CLUSTER mailbox USING mailbox_pkey;
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', ARRAY[1, 2, 3]);
CLUSTER mailbox USING by_name;
UPDATE mailbox SET id = 13 WHERE id = 3;
INSERT INTO mail (id, mailbox_id) VALUES (11, 1), (12, 2), (13, 13);
DELETE FROM mail WHERE uid = 1;
COMMIT;
:state

-- The same by ALTER TABLE, which drops the versions that are dead; the second one is renamed by the query that uses it
BEGIN;
UPDATE mail SET seen = true WHERE uid = 2;
ALTER TABLE mailbox ADD COLUMN random float DEFAULT random();
UPDATE mailbox SET id = 3 WHERE id = 13;
WITH renamed AS (UPDATE mailbox SET id = 12 WHERE id = 2 RETURNING id)
INSERT INTO mail (id, mailbox_id) SELECT 22, id FROM renamed;
DELETE FROM mail WHERE uid = 2;
COMMIT;
:state

-- Taken back: the rows are where they were before
BEGIN;
UPDATE mail SET seen = true WHERE uid = 3;
SAVEPOINT a;
CLUSTER mailbox USING mailbox_pkey;
UPDATE mailbox SET id = 21 WHERE id = 1;
UPDATE mail SET seen = false WHERE uid = 3;
ROLLBACK TO a;
UPDATE mailbox SET id = 2 WHERE id = 12;
UPDATE mailbox SET id = 31 WHERE id = 1;
DELETE FROM mail WHERE uid = 3;
COMMIT;
:state

-- A mailbox that goes and one that takes its key, on both sides of a rewrite
BEGIN;
UPDATE mail SET seen = true;
UPDATE mailbox SET id = 40 WHERE id = 31;
CLUSTER mailbox USING by_name;
UPDATE mailbox SET id = 31 WHERE id = 2;
DELETE FROM mailbox WHERE id = 3;
UPDATE mailbox SET id = 3 WHERE id = 40;
INSERT INTO mail (id, mailbox_id) VALUES (51, 3), (52, 31);
COMMIT;
:state

-- Messages, their flags and what has vanished
BEGIN;
INSERT INTO flag SELECT id, 'x' FROM mail;
DELETE FROM mail WHERE id = 51;
CLUSTER mail USING mail_pkey;
CLUSTER flag USING flag_pkey;
CLUSTER mail_vanished USING mail_vanished_pkey;
ALTER TABLE mail ADD COLUMN random float DEFAULT random();
UPDATE flag SET name = 'y';
UPDATE mail SET mailbox_id = 31 WHERE id = (SELECT min(id) FROM mail WHERE mailbox_id = 3);
DELETE FROM mail WHERE id = 52;
COMMIT;
:state
VACUUM FULL mailbox;
VACUUM FULL mail;
VACUUM FULL mail_vanished;
UPDATE mail SET seen = NOT seen;
:state
