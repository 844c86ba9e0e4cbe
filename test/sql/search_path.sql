--
-- A search_path with traps in it: operators, functions and tables that would come before ours
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
GRANT SELECT ON mailbox TO regress_modseq_app;
SET ROLE regress_modseq_app;
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(11, 19) AS i;
DELETE FROM mail_flag WHERE mail_id = 12;
RESET ROLE;

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
DROP SCHEMA t_rights CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_app, regress_modseq_reader, regress_modseq_other;
