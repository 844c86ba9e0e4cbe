--
-- Row-level security: what one may not see is not there. The counters go on all the same, also where the policies hold for
-- the owner.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_owner, regress_modseq_app, regress_modseq_reader, regress_modseq_other;
CREATE ROLE regress_modseq_owner;
CREATE ROLE regress_modseq_app;
CREATE ROLE regress_modseq_reader;
CREATE ROLE regress_modseq_other;
CREATE SCHEMA t_rights AUTHORIZATION regress_modseq_owner;
GRANT USAGE ON SCHEMA t_rights TO regress_modseq_app, regress_modseq_reader;
SET search_path = t_rights;
\set VERBOSITY terse
\pset null '(null)'

SET ROLE regress_modseq_owner;
CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint, account name);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox ON DELETE CASCADE, subject text, seen boolean);
CREATE TABLE mail_flag (mail_id int REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag');
INSERT INTO mailbox (id, uidvalidity, account) VALUES
	(1, 71, 'regress_modseq_app'), (2, 72, 'regress_modseq_app'), (3, 73, 'regress_modseq_other');
INSERT INTO mail (id, mailbox_id) VALUES (1, 3), (2, 3);
DELETE FROM mail WHERE id = 2;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON mail, mail_flag TO regress_modseq_app;
SET ROLE regress_modseq_app;
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(11, 19) AS i;
INSERT INTO mail_flag VALUES (11, '\Seen'), (12, '\Seen');
UPDATE mail SET seen = true WHERE id = 13;
UPDATE mail SET mailbox_id = 2 WHERE id = 14;
DELETE FROM mail WHERE id IN (15, 16);
DELETE FROM mail_flag WHERE mail_id = 12;
UPDATE mail SET id = 17 WHERE id = 17;
INSERT INTO mail_flag VALUES (17, '$Reader');

SET ROLE regress_modseq_owner;
ALTER TABLE mailbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON mailbox USING (account = current_user);
ALTER TABLE mail ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON mail USING (subject IS DISTINCT FROM 'secret' AND current_user = 'regress_modseq_app');
ALTER TABLE mail_vanished ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT ON mailbox TO regress_modseq_app;
SET ROLE regress_modseq_app;
INSERT INTO mail (id, mailbox_id) VALUES (21, 1);
UPDATE mail SET seen = true WHERE id = 21;
INSERT INTO mail_flag VALUES (21, '\Seen');
DELETE FROM mail WHERE id = 21;
UPDATE mail SET mailbox_id = 2 WHERE id = 19;
SELECT * FROM modseq.resync('mail', 1, 71, 7);
SELECT * FROM modseq.status('mail', ARRAY[1, 3, 2]);
SELECT * FROM modseq.status('mail', 3);
SELECT * FROM modseq.lock('mail', 3);
SELECT * FROM modseq.touch('mail', 3);
SELECT * FROM modseq.changed_since('mail', 3, 0);
SELECT modseq.vanished_since('mail', 3, 0);
SELECT * FROM modseq.resync('mail', 3, 73, 0);
SELECT * FROM modseq.unchanged_since('mail', 3, '1', 1);
RESET ROLE;
UPDATE mail SET subject = 'secret' WHERE id = 11;
SET ROLE regress_modseq_app;
SELECT * FROM modseq.changed_since('mail', 1, 2);
SELECT * FROM modseq.unchanged_since('mail', 1, '1:2', 1);
RESET ROLE;
SELECT id, uidnext, highestmodseq FROM mailbox ORDER BY id;
SELECT * FROM modseq.check('mail');
ALTER TABLE mailbox DISABLE ROW LEVEL SECURITY;
ALTER TABLE mail DISABLE ROW LEVEL SECURITY;
ALTER TABLE mail_vanished DISABLE ROW LEVEL SECURITY;

SET client_min_messages = warning;
DROP SCHEMA t_rights CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_app, regress_modseq_reader, regress_modseq_other;
