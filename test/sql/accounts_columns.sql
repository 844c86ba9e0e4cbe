-- The application's columns may have the names that our queries have for theirs
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
\pset format unaligned
\set VERBOSITY terse
CREATE SCHEMA columns_n;
SET search_path = columns_n;
-- The account is part of the key; the others stand beside it in the same rows
CREATE TABLE mailbox (_n text, _uids int, _value int DEFAULT 1, sound text, _uidnext int, _lost int, _back int, _needs_uid int,
	u int, p int, PRIMARY KEY (_n, _uids, _value));
CREATE TABLE message (id int PRIMARY KEY, _n text NOT NULL, _uids int NOT NULL, _value int NOT NULL DEFAULT 1, seen boolean,
	sound text, _uidnext int, _lost int, _back int, _needs_uid int, u int, p int);
INSERT INTO mailbox VALUES ('a', 1), ('a', 2), ('b', 1);
INSERT INTO message (id, _n, _uids) VALUES (1, 'a', 1), (2, 'a', 2), (3, 'b', 1);
SELECT modseq.attach('message', 'mailbox', account => '{_n}', message_mailbox => '{_n,_uids,_value}', message_flags => '{seen}');
INSERT INTO mailbox VALUES ('c', 1);
INSERT INTO message (id, _n, _uids) VALUES (4, 'a', 1), (5, 'c', 1);
DELETE FROM message WHERE id = 2;
SELECT verdict, created, updated, destroyed FROM modseq.mailbox_changes('message', 'a', (SELECT mailbox FROM modseq.account_state('message', 'a')));
SELECT email IS NOT NULL FROM modseq.account_state('message', 'a');
SELECT mailbox, uidnext, highestmodseq FROM modseq.lock('message', ARRAY[['a', '1', '1'], ['a', '2', '1']]);
SELECT modseq.compact('message', '0', '0');
SELECT * FROM modseq.check('message');
SELECT modseq.detach('message');
SELECT modseq.attach('message', 'mailbox', counters => 'mailbox', account => '{_n}', message_mailbox => '{_n,_uids,_value}', message_flags => '{seen}');
INSERT INTO message (id, _n, _uids) VALUES (6, 'a', 1), (7, 'c', 1);
SELECT * FROM modseq.check('message');
SELECT modseq.detach('message');
DROP SCHEMA columns_n CASCADE;
-- One that logs its changes
CREATE SCHEMA columns_log;
SET search_path = columns_log;
CREATE TABLE mailbox (_ends int, _goes int, _gone int, sound int, u int, PRIMARY KEY (_ends, _goes, _gone, u));
CREATE TABLE message (id int PRIMARY KEY, _ends int NOT NULL, _goes int NOT NULL, _gone int NOT NULL, u int NOT NULL,
	sound int, seen boolean);
INSERT INTO mailbox VALUES (1, 1, 1, 1, 1);
INSERT INTO message VALUES (1, 1, 1, 1, 1), (2, 1, 1, 1, 1);
SELECT modseq.attach('message', 'mailbox', changes => 'log', message_mailbox => '{_ends,_goes,_gone,u}', message_flags => '{seen}');
UPDATE message SET seen = true;
UPDATE message SET seen = false WHERE id = 1;
DELETE FROM message WHERE id = 2;
SELECT modseq.compact('message', '0');
SELECT * FROM modseq.check('message');
DROP SCHEMA columns_log CASCADE;

-- A type whose name means one letter where no length is said
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA columns_short;
SET LOCAL search_path = columns_short, public;
CREATE TABLE short_box (id int PRIMARY KEY);
CREATE TABLE short_mail (email char(5) PRIMARY KEY, thread char(3) NOT NULL, box_id int NOT NULL REFERENCES short_box);
DO $$ BEGIN PERFORM modseq.attach('short_mail', 'short_box', account => '{}', email => 'email', thread => 'thread'); END $$;
INSERT INTO short_box VALUES (1);
INSERT INTO short_mail VALUES ('abc', 'x', 1), ('abcde', 'xyz', 1);
DELETE FROM short_mail;
SELECT emails, threads FROM short_mail_departed;
SELECT * FROM modseq.check('short_mail');
ROLLBACK;
