--
-- check(): a sound store has no problem, and each invariant is reported when it is broken. Rows are broken with
-- session_replication_role = replica, which lets them through as they are.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA "check";
SET search_path = "check";
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

-- What check() says of the store after some commands, of which nothing remains
CREATE FUNCTION broken(store regclass, VARIADIC commands text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql AS $$
DECLARE
	command text;
	problems jsonb;
BEGIN
	BEGIN
		PERFORM set_config('session_replication_role', 'replica', true);
		FOREACH command IN ARRAY commands LOOP
			EXECUTE command;
		END LOOP;
		SELECT jsonb_agg(c) INTO problems FROM modseq.check(store) c;
		RAISE 'undo' USING ERRCODE = 'MS001';
	EXCEPTION WHEN SQLSTATE 'MS001' THEN
		RETURN QUERY SELECT p.mailbox, p.uid, p.problem
			FROM jsonb_to_recordset(problems) AS p (mailbox text, uid bigint, problem text)
			ORDER BY p.mailbox COLLATE "C", p.uid, p.problem COLLATE "C";
	END;
END $$;

CREATE TABLE mailbox (id int PRIMARY KEY, uidvalidity bigint DEFAULT 7, uidnext bigint, modseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint, modseq bigint, created_modseq bigint);
CREATE TABLE mail_flag (mail_id int, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag');
INSERT INTO mailbox (id) VALUES (1), (2), (3);
INSERT INTO mail (id, mailbox_id) SELECT n, 1 + n % 2 FROM generate_series(1, 6) AS n;
DELETE FROM mail WHERE id <= 2;
INSERT INTO mail_flag VALUES (3, '\Seen');

-- Sound, never-used mailboxes included, and those that say so with 0 or null
SELECT * FROM modseq.check('mail');
SELECT * FROM broken('mail', 'UPDATE mailbox SET uidnext = 0, modseq = 0 WHERE id = 3');

-- Mailboxes
SELECT * FROM broken('mail', 'UPDATE mailbox SET uidvalidity = NULL WHERE id = 1');
SELECT * FROM broken('mail', 'UPDATE mailbox SET uidvalidity = 0 WHERE id = 1');
SELECT * FROM broken('mail', 'UPDATE mailbox SET uidvalidity = 4294967296 WHERE id = 1');
SELECT * FROM broken('mail', 'UPDATE mailbox SET uidnext = 4294967297 WHERE id = 1');

-- Messages
SELECT * FROM broken('mail', 'UPDATE mail SET uid = NULL WHERE id = 3');
SELECT * FROM broken('mail', 'UPDATE mail SET uid = 0 WHERE id = 3');
SELECT * FROM broken('mail', 'UPDATE mail SET uid = 4294967296 WHERE id = 3');
SELECT * FROM broken('mail', 'UPDATE mail SET uid = 4 WHERE id = 3');
SELECT * FROM broken('mail', 'UPDATE mailbox SET uidnext = NULL WHERE id = 2');
SELECT * FROM broken('mail', 'UPDATE mail SET modseq = NULL WHERE id = 3');
SELECT * FROM broken('mail', 'UPDATE mail SET modseq = 0, created_modseq = 0 WHERE id = 3');
SELECT * FROM broken('mail', 'UPDATE mail SET modseq = 99 WHERE id = 3');
SELECT * FROM broken('mail', 'UPDATE mailbox SET modseq = NULL WHERE id = 2');
SELECT * FROM broken('mail', 'UPDATE mail SET created_modseq = 4 WHERE id = 4');
SELECT * FROM broken('mail', 'UPDATE mail SET created_modseq = NULL WHERE id = 4');
SELECT * FROM broken('mail', 'UPDATE mail SET mailbox_id = 4 WHERE id = 4');
SELECT * FROM broken('mail', 'UPDATE mail SET mailbox_id = NULL WHERE id = 4');
SELECT * FROM broken('mail', 'DROP INDEX mail_mailbox_id_uid_idx', 'UPDATE mail SET uid = 3 WHERE id = 3');

-- Vanished UIDs
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;
SELECT * FROM broken('mail', 'UPDATE mail_vanished SET uids = ''1:2'' WHERE id = 2');
SELECT * FROM broken('mail', 'UPDATE mail_vanished SET uids = ''1,4:6'' WHERE id = 2');
SELECT * FROM broken('mail', 'UPDATE mail_vanished SET uids = '''' WHERE id = 2');
SELECT * FROM broken('mail', 'UPDATE mail_vanished SET modseq = 99 WHERE id = 2');
SELECT * FROM broken('mail', 'UPDATE mail_vanished SET modseq = 0 WHERE id = 2');
SELECT * FROM broken('mail', 'DELETE FROM mailbox WHERE id = 2');

-- Triggers
SELECT tgrelid::regclass AS "table", tgname AS trigger,
	(SELECT problem FROM broken('mail', format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname))) AS disabled,
	(SELECT problem FROM broken('mail', format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass))) AS dropped
FROM pg_trigger WHERE tgrelid IN ('mail'::regclass, 'mailbox'::regclass, 'mail_flag'::regclass) ORDER BY 1, 2;
SELECT * FROM broken('mail', 'ALTER TABLE mail ENABLE REPLICA TRIGGER modseq_open');
SELECT * FROM broken('mail', 'ALTER TABLE mail ENABLE ALWAYS TRIGGER modseq_open');
-- Another function, another time, another condition, another argument
SELECT * FROM broken('mail', 'DROP TRIGGER modseq_flush ON mail',
	'CREATE TRIGGER modseq_flush AFTER INSERT OR UPDATE OR DELETE ON mail EXECUTE FUNCTION modseq.trigger_open()');
SELECT * FROM broken('mail', 'DROP TRIGGER modseq_flush ON mail',
	'CREATE TRIGGER modseq_flush AFTER INSERT OR UPDATE ON mail EXECUTE FUNCTION modseq.trigger_flush()');
SELECT * FROM broken('mail', 'DROP TRIGGER modseq_collect ON mail',
	'CREATE TRIGGER modseq_collect AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH ROW WHEN (false) EXECUTE FUNCTION modseq.trigger_collect()');
SELECT * FROM broken('mail', 'DROP TRIGGER modseq_collect ON mail',
	'CREATE TRIGGER modseq_collect AFTER INSERT OR DELETE OR UPDATE OF uid ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()');
SELECT * FROM broken('mail', 'DROP TRIGGER modseq_flush ON mail_flag',
	'CREATE TRIGGER modseq_flush AFTER INSERT OR UPDATE OR DELETE ON mail_flag EXECUTE FUNCTION modseq.trigger_flush(''x'')');

-- Tables, columns, indexes
SELECT * FROM broken('mail', 'ALTER TABLE mail_vanished RENAME TO x');
SELECT * FROM broken('mail', 'ALTER TABLE mail_flag RENAME TO x');
SELECT * FROM broken('mail', 'ALTER TABLE mail RENAME uid TO x');
SELECT * FROM broken('mail', 'ALTER TABLE mail_flag RENAME mail_id TO x');
SELECT * FROM broken('mail', 'ALTER TABLE mail DROP modseq, ADD modseq bigint GENERATED ALWAYS AS (1) STORED');
SELECT * FROM broken('mail', 'ALTER TABLE mail DROP mailbox_id, ADD mailbox_id int GENERATED ALWAYS AS (1 + id % 2) STORED');
SELECT * FROM broken('mail', 'DROP INDEX mail_mailbox_id_modseq_idx');
SELECT * FROM broken('mail', 'DROP INDEX mail_mailbox_id_uid_idx', 'CREATE INDEX ON mail (mailbox_id, uid)');
SELECT * FROM broken('mail', 'UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''mail_mailbox_id_uid_idx''::regclass');

-- After all that it is still sound
SELECT * FROM modseq.check('mail');

-- A key of several columns shows as an array
CREATE TABLE box (owner text, name text, PRIMARY KEY (owner, name));
CREATE TABLE msg (owner text, name text, uid bigint);
SELECT modseq.attach('msg', 'box', message_flags => '{}');
INSERT INTO box VALUES ('a', 'b,c');
INSERT INTO msg VALUES ('a', 'b,c');
SELECT * FROM modseq.check('msg');
SELECT * FROM broken('msg', 'UPDATE msg SET uid = 0');

-- Counters beside the mailbox table, and flags by UID. Of a counter table that is not there only that is said
CREATE ROLE regress_modseq_check;
CREATE TABLE folder (id int PRIMARY KEY);
CREATE TABLE note (id int PRIMARY KEY, folder_id int);
CREATE TABLE note_flag (folder_id int, uid bigint, flag text);
SELECT modseq.attach('note', 'folder', 'note_flag', message_mailbox => '{folder_id}', flag_mailbox => '{folder_id}', flag_uid => 'uid');
SELECT * FROM broken('note', 'ALTER TABLE note_flag ALTER folder_id TYPE text');
SELECT * FROM broken('note', 'ALTER TABLE note_mailbox ALTER id TYPE text');
SELECT * FROM broken('note', 'DROP TABLE note_mailbox');
SELECT * FROM broken('note', 'ALTER TABLE note_mailbox RENAME TO x', 'CREATE TABLE note_mailbox (id int)', 'ALTER TABLE note_mailbox OWNER TO regress_modseq_check');
SELECT * FROM broken('note', 'DROP TABLE note_mailbox', 'DROP TRIGGER modseq_flush ON note_flag', 'DROP TABLE note_vanished');
-- A side table of the application's
CREATE TABLE place (id int PRIMARY KEY);
CREATE TABLE place_counters (id int PRIMARY KEY);
CREATE TABLE letter (id int PRIMARY KEY, place_id int);
SELECT modseq.attach('letter', 'place_counters', mailbox_source => 'place', message_mailbox => '{place_id}', message_flags => '{}');
SELECT * FROM broken('letter', 'ALTER TABLE place ALTER id TYPE text');
SELECT * FROM broken('letter', 'DROP TABLE place');
SELECT * FROM broken('letter', 'ALTER TABLE place RENAME TO x', 'CREATE TABLE place (id int)', 'ALTER TABLE place OWNER TO regress_modseq_check');

-- Not a store; and no right to read it
SELECT failure($$SELECT modseq.check('mailbox')$$);
SELECT failure($$SELECT modseq.check(NULL)$$);
GRANT USAGE ON SCHEMA "check" TO regress_modseq_check;
SET ROLE regress_modseq_check;
SELECT failure($$SELECT modseq.check('mail')$$);
RESET ROLE;
GRANT SELECT ON mail, mailbox, mail_vanished TO regress_modseq_check;
SET ROLE regress_modseq_check;
SELECT * FROM modseq.check('mail');
RESET ROLE;
-- who sees only some of the rows is told so
ALTER TABLE mail ENABLE ROW LEVEL SECURITY;
SET ROLE regress_modseq_check;
SELECT failure($$SELECT modseq.check('mail')$$);
RESET ROLE;
ALTER TABLE mail DISABLE ROW LEVEL SECURITY;
-- The same of counters and mailboxes in tables of their own
GRANT SELECT ON note, folder, note_vanished, letter, place_counters, letter_vanished TO regress_modseq_check;
SET ROLE regress_modseq_check;
SELECT failure($$SELECT modseq.check('note')$$), failure($$SELECT modseq.check('letter')$$);
RESET ROLE;
GRANT SELECT ON note_mailbox, place TO regress_modseq_check;
SET ROLE regress_modseq_check;
SELECT * FROM modseq.check('note') UNION ALL SELECT * FROM modseq.check('letter');
RESET ROLE;
ALTER TABLE note_mailbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE place ENABLE ROW LEVEL SECURITY;
SET ROLE regress_modseq_check;
SELECT failure($$SELECT modseq.check('note')$$), failure($$SELECT modseq.check('letter')$$);
RESET ROLE;

DROP SCHEMA "check" CASCADE;
DROP ROLE regress_modseq_check;
