--
-- Rights: bookkeeping runs with the owner's, answers come with the caller's. Rule "rights"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_owner, regress_modseq_app, regress_modseq_reader, regress_modseq_other;
CREATE ROLE regress_modseq_owner;
CREATE ROLE regress_modseq_app;
CREATE ROLE regress_modseq_reader;
CREATE ROLE regress_modseq_other;
CREATE SCHEMA t_rights AUTHORIZATION regress_modseq_owner;
CREATE SCHEMA t_rights_private AUTHORIZATION regress_modseq_owner;
GRANT USAGE ON SCHEMA t_rights TO regress_modseq_app, regress_modseq_reader;
SET search_path = t_rights;
\set VERBOSITY terse
\pset null '(null)'

-- An owner who is no superuser sets up a store
SET ROLE regress_modseq_owner;
CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint, account name);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox ON DELETE CASCADE, subject text, seen boolean);
CREATE TABLE mail_flag (mail_id int REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag');
INSERT INTO mailbox (id, uidvalidity, account) VALUES
	(1, 71, 'regress_modseq_app'), (2, 72, 'regress_modseq_app'), (3, 73, 'regress_modseq_other');
INSERT INTO mail (id, mailbox_id) VALUES (1, 3), (2, 3);
DELETE FROM mail WHERE id = 2;
SELECT tableowner FROM pg_tables WHERE schemaname = 't_rights' AND tablename = 'mail_vanished';
-- Nobody else gets anything by it
SELECT relname, relacl FROM pg_class WHERE relnamespace = 't_rights'::regnamespace AND relkind = 'r' ORDER BY 1;

--
-- An application that may write messages and flags, and nothing else
--
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON mail, mail_flag TO regress_modseq_app;
SET ROLE regress_modseq_app;
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(11, 19) AS i;
INSERT INTO mail_flag VALUES (11, '\Seen'), (12, '\Seen');
UPDATE mail SET seen = true WHERE id = 13;
UPDATE mail SET mailbox_id = 2 WHERE id = 14;
DELETE FROM mail WHERE id IN (15, 16);
DELETE FROM mail_flag WHERE mail_id = 12;
UPDATE mail SET id = 17 WHERE id = 17;
BEGIN;
TRUNCATE mail_flag;
TRUNCATE mail CASCADE;
ROLLBACK;
SELECT modseq.touch('mail', 1);
SELECT id, modseq, uids FROM mail_vanished;
DELETE FROM mail_vanished;
UPDATE mailbox SET highestmodseq = highestmodseq + 1;
INSERT INTO mail_vanished VALUES (1, 99, '1');
RESET ROLE;
SELECT id, uidnext, highestmodseq FROM mailbox ORDER BY id;
SELECT id, modseq, uids FROM mail_vanished ORDER BY 1, 2;
-- Answers take the right to read: here of the mailbox
SET ROLE regress_modseq_app;
SELECT * FROM modseq.status('mail', 1);
SELECT * FROM modseq.status('mail', ARRAY[1, 2]);
SELECT * FROM modseq.lock('mail', 1);
SELECT * FROM modseq.unchanged_since('mail', 1, '1', 1);
SELECT * FROM modseq.changed_since('mail', 1, 6);
SELECT modseq.vanished_since('mail', 1, 0);
SELECT * FROM modseq.resync('mail', 1, 71, 0);
SELECT * FROM modseq.check('mail');
SELECT modseq.reset_uidvalidity('mail', 1);
-- The columns that are read are enough; what vanished is told without any right on the table where it stands
SET ROLE regress_modseq_owner;
GRANT SELECT (id, uidvalidity, uidnext, highestmodseq) ON mailbox TO regress_modseq_app, regress_modseq_reader;
SET ROLE regress_modseq_app;
SELECT * FROM modseq.status('mail', 1);
SELECT * FROM modseq.lock('mail', ARRAY[2, 1]);
SELECT * FROM modseq.unchanged_since('mail', 1, '1,5', 1);
SELECT * FROM modseq.changed_since('mail', 1, 3);
SELECT modseq.vanished_since('mail', 1, 0);
SELECT * FROM modseq.resync('mail', 1, 71, 0);

--
-- A reader who may see mailboxes, but no messages
--
SET ROLE regress_modseq_reader;
SELECT * FROM modseq.status('mail', 1);
SELECT * FROM modseq.changed_since('mail', 1, 0);
SELECT modseq.vanished_since('mail', 1, 0);
SELECT * FROM modseq.resync('mail', 1, 71, 0);
-- One that may see their numbers. It may not lock.
SET ROLE regress_modseq_owner;
GRANT SELECT (mailbox_id, uid, modseq) ON mail TO regress_modseq_reader;
SET ROLE regress_modseq_reader;
SELECT * FROM modseq.changed_since('mail', 1, 3);
SELECT modseq.vanished_since('mail', 1, 0);
SELECT verdict, vanished, changed FROM modseq.resync('mail', 1, 71, 4);
SELECT * FROM modseq.lock('mail', 1);
SELECT modseq.touch('mail', 1);
SELECT * FROM modseq.unchanged_since('mail', 1, '1', 1);
-- Columns that say nothing of UIDs do not open what vanished
SET ROLE regress_modseq_owner;
REVOKE SELECT (mailbox_id, uid, modseq) ON mail FROM regress_modseq_reader;
GRANT SELECT (subject) ON mail TO regress_modseq_reader;
SET ROLE regress_modseq_reader;
SELECT modseq.vanished_since('mail', 1, 0);
-- Who may set flags, by a column or by the flag table, may lock
SET ROLE regress_modseq_owner;
GRANT UPDATE (seen) ON mail TO regress_modseq_reader;
SET ROLE regress_modseq_reader;
SELECT uidnext FROM modseq.lock('mail', 1);
SET ROLE regress_modseq_owner;
REVOKE UPDATE (seen) ON mail FROM regress_modseq_reader;
GRANT INSERT ON mail_flag TO regress_modseq_reader;
SET ROLE regress_modseq_reader;
SELECT uidnext FROM modseq.lock('mail', 1);
INSERT INTO mail_flag VALUES (17, '$Reader');
RESET ROLE;
SELECT id, uidnext, highestmodseq FROM mailbox ORDER BY id;

--
-- Tables in a schema that the application may not use, as with foreign keys
--
SET ROLE regress_modseq_owner;
DROP TABLE mail, mail_flag, mailbox, mail_vanished;
CREATE TABLE t_rights_private.mailbox (id bigint PRIMARY KEY, uidvalidity bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES t_rights_private.mailbox, seen boolean);
SELECT modseq.attach('mail', 't_rights_private.mailbox');
INSERT INTO t_rights_private.mailbox (id, uidvalidity) VALUES (1, 71);
GRANT SELECT, INSERT, UPDATE, DELETE ON mail TO regress_modseq_app;
\c -
SET search_path = t_rights;
SET ROLE regress_modseq_app;
\set VERBOSITY terse
INSERT INTO mail (id, mailbox_id) VALUES (1, 1), (2, 1) RETURNING uid, modseq;
UPDATE mail SET seen = true WHERE id = 1;
DELETE FROM mail WHERE id = 2;
RESET ROLE;
SELECT id, uidnext, highestmodseq FROM t_rights_private.mailbox;
SELECT id, modseq, uids FROM mail_vanished;
SELECT * FROM modseq.check('mail');

SET client_min_messages = warning;
DROP SCHEMA t_rights, t_rights_private CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_app, regress_modseq_reader, regress_modseq_other;
