--
-- Rights: bookkeeping runs with the owner's, answers come with the caller's. DESIGN section 3, rule 10
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
-- Row-level security: what one may not see is not there. The counters go on all the same, also where the
-- policies hold for the owner.
--
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

--
-- A search_path with traps in it: operators, functions and tables that would come before ours
--
CREATE SCHEMA t_rights_trap;
GRANT USAGE, CREATE ON SCHEMA t_rights_trap TO regress_modseq_app;
SET ROLE regress_modseq_app;
SET search_path = t_rights_trap;
CREATE FUNCTION trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'trapped %', current_user;
END $$;
CREATE OPERATOR = (FUNCTION = trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR <> (FUNCTION = trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR > (FUNCTION = trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR >= (FUNCTION = trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR < (FUNCTION = trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR <= (FUNCTION = trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION trap(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT t_rights_trap.trap(1::bigint, 1::bigint) $$;
CREATE OPERATOR = (FUNCTION = trap, LEFTARG = int, RIGHTARG = int);
CREATE FUNCTION ranges(modseq.uidset) RETURNS TABLE (lo bigint, hi bigint) LANGUAGE sql AS $$
	SELECT 1, 1 WHERE t_rights_trap.trap(1::bigint, 1::bigint)
$$;
CREATE DOMAIN int8 AS text;
CREATE TABLE mailbox (id bigint);
CREATE TABLE mail (id bigint);
CREATE TABLE mail_flag (mail_id bigint);
CREATE TABLE mail_vanished (id bigint);
-- A new session has no plans yet, and makes all of them here
\c -
SET ROLE regress_modseq_app;
SET search_path = t_rights_trap, pg_catalog, t_rights, modseq, pg_temp;
\set VERBOSITY terse
SELECT bigint '1' = bigint '1';
INSERT INTO t_rights.mail (id, mailbox_id) SELECT i, 1 FROM generate_series(31, 39) AS i;
INSERT INTO t_rights.mail_flag VALUES (31, '\Seen'), (32, '\Seen');
UPDATE t_rights.mail SET seen = true;
UPDATE t_rights.mail SET mailbox_id = 2 WHERE subject IS NULL;
SELECT uidnext FROM modseq.lock('t_rights.mail', ARRAY[1, 2]);
SELECT uid, verdict FROM modseq.unchanged_since('t_rights.mail', 2, '1:2', 1);
SELECT array_agg(uid) FROM modseq.changed_since('t_rights.mail', 2, 0);
SELECT modseq.vanished_since('t_rights.mail', 2, 0);
SELECT vanished, changed FROM modseq.resync('t_rights.mail', 2, 72, 0, '1:9', '1', '1');
SELECT modseq.touch('t_rights.mail', 2);
DELETE FROM t_rights.mail_flag;
DELETE FROM t_rights.mail;
BEGIN;
INSERT INTO t_rights.mail (id, mailbox_id) VALUES (41, 1);
TRUNCATE t_rights.mail_flag;
TRUNCATE t_rights.mail, t_rights.mail_flag;
COMMIT;
-- The owner's functions too
SET ROLE regress_modseq_owner;
SET client_min_messages = warning;
SELECT modseq.detach('t_rights.mail');
SELECT modseq.attach('t_rights.mail', 't_rights.mailbox', 't_rights.mail_flag');
SELECT modseq.reset_uidvalidity('t_rights.mail', 1) IS NULL;
SELECT * FROM modseq.check('t_rights.mail');
UPDATE t_rights.mailbox SET id = 4 WHERE account = 'regress_modseq_other';
DELETE FROM t_rights.mailbox WHERE account = 'regress_modseq_other';
RESET ROLE;
SET search_path = t_rights;
SELECT id, uidnext FROM mailbox ORDER BY id;
SELECT id, uids FROM mail_vanished ORDER BY id, modseq;
SELECT * FROM modseq.check('mail');
SET client_min_messages = warning;
DROP SCHEMA t_rights_trap CASCADE;

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
