--
-- session_replication_role = replica: rows stay exactly as they arrive. Rule "replica mode"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_replica;
SET search_path = t_replica;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean, created_modseq bigint);
CREATE TABLE mail_flag (mail_id int, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', message_flags => '{seen}');
INSERT INTO mailbox (id, uidvalidity) VALUES (1, 71);
INSERT INTO mail (id, mailbox_id) VALUES (1, 1), (2, 1);
\set all 'SELECT uidnext, highest, messages AS "uid:modseq:created", vanished FROM state(\'mail\', \'uid\', \'modseq\', \'created_modseq\');'
:all

-- As a subscriber that gets everything from elsewhere: all four tables
SET session_replication_role = replica;
INSERT INTO mail (id, mailbox_id, uid, modseq, created_modseq) VALUES (3, 1, 30, 40, 35), (4, 1, 31, 41, 41);
UPDATE mail SET modseq = 42, seen = true WHERE id = 1;
DELETE FROM mail WHERE id = 2;
INSERT INTO mail_vanished VALUES (1, 43, '2,5:9');
INSERT INTO mail_flag VALUES (3, '\Seen');
UPDATE mail_flag SET flag = '\Draft';
DELETE FROM mail_flag;
UPDATE mailbox SET uidnext = 32, highestmodseq = 43;
:all
-- Into no mailbox, out of it, and with a UID that was used: it is not for us to judge
BEGIN;
INSERT INTO mail (id, mailbox_id, uid, modseq, created_modseq) VALUES (5, 99, 1, 1, 1);
UPDATE mail SET mailbox_id = 1, uid = 2 WHERE id = 5;
UPDATE mailbox SET uidnext = 1, highestmodseq = 1, uidvalidity = 1;
UPDATE mailbox SET id = 5;
DELETE FROM mailbox;
TRUNCATE mail;
TRUNCATE mailbox, mail_flag;
SELECT id, modseq, uids FROM mail_vanished;
ROLLBACK;
-- The functions that take a value themselves still do
SELECT modseq.touch('mail', 1);
RESET session_replication_role;
-- As the origin again (promoted), it goes on from there
SELECT * FROM modseq.resync('mail', 1, 71, 41);
INSERT INTO mail (id, mailbox_id) VALUES (6, 1) RETURNING uid, modseq, created_modseq;
UPDATE mail SET seen = true WHERE id = 3;
DELETE FROM mail WHERE id = 4;
:all
SELECT * FROM modseq.check('mail');

-- Messages that were restored without their mailbox's counters: check tells, and attach puts it right
SET session_replication_role = replica;
INSERT INTO mail (id, mailbox_id, uid, modseq, created_modseq) VALUES (7, 1, 50, 60, 60);
RESET session_replication_role;
SELECT * FROM modseq.check('mail') ORDER BY problem DESC;
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', message_flags => '{seen}');
SELECT * FROM modseq.check('mail');
INSERT INTO mail (id, mailbox_id) VALUES (8, 1) RETURNING uid, modseq > 60 AS above;

-- Within a transaction, by statement
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM mail WHERE id = 8;
SET LOCAL session_replication_role = origin;
DELETE FROM mail WHERE id = 7;
COMMIT;
SELECT uids FROM mail_vanished ORDER BY modseq DESC LIMIT 1;

-- The mailbox is another row than we know of, with the same key; and then there is none
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE post (id int, box_id int NOT NULL);
SELECT modseq.attach('post', 'box', counters => 'mailbox', message_mailbox => '{box_id}');
INSERT INTO box VALUES (1);
BEGIN;
INSERT INTO post VALUES (1, 1);
SET LOCAL session_replication_role = replica;
DELETE FROM box;
INSERT INTO box VALUES (1);
SET LOCAL session_replication_role = origin;
DELETE FROM box;
INSERT INTO post VALUES (2, 1);
ROLLBACK;

-- A mailbox that is deleted leaves its counters beside it: status goes by them, check tells, and attach puts it right
CREATE TABLE folder (id int PRIMARY KEY);
CREATE TABLE letter (id int, folder_id int NOT NULL REFERENCES folder, seen boolean);
SELECT modseq.attach('letter', 'folder', message_flags => '{seen}');
INSERT INTO folder VALUES (1), (2);
SET session_replication_role = replica;
DELETE FROM folder WHERE id = 2;
RESET session_replication_role;
SELECT mailbox, uidnext FROM modseq.status('letter', ARRAY[1, 2]);
SELECT * FROM modseq.check('letter');
SELECT modseq.attach('letter', 'folder', message_flags => '{seen}');
SELECT mailbox, uidnext FROM modseq.status('letter', ARRAY[1, 2]);
SELECT * FROM modseq.check('letter');

DROP SCHEMA t_replica CASCADE;
