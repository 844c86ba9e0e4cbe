--
-- Anybody may create triggers that call our functions, on tables of their own, and name any store in them. What the
-- functions do is done with the rights of the store's owner, so the store must know the table.
--
\set ON_ERROR_STOP 0
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE ROLE regress_modseq_victim;
CREATE ROLE regress_modseq_stranger;
CREATE SCHEMA victim AUTHORIZATION regress_modseq_victim;
CREATE SCHEMA stranger AUTHORIZATION regress_modseq_stranger;

SET ROLE regress_modseq_victim;
CREATE TABLE victim.box (id bigint PRIMARY KEY);
CREATE TABLE victim.mail (id uuid PRIMARY KEY, box_id bigint NOT NULL REFERENCES victim.box);
CREATE TABLE victim.flag (mail_id uuid REFERENCES victim.mail ON DELETE CASCADE, flag text);
SELECT modseq.attach('victim.mail', 'victim.box', 'victim.flag');
INSERT INTO victim.box VALUES (1);
INSERT INTO victim.mail SELECT md5(i::text)::uuid, 1 FROM generate_series(1, 3) i;
DELETE FROM victim.mail WHERE uid = 2;

SET ROLE regress_modseq_stranger;
SET search_path = stranger;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
CREATE FUNCTION stranger.attack(relation text, triggers text, statement text) RETURNS text LANGUAGE sql AS $$
	SELECT stranger.failure(concat_ws('; ', 'CREATE TABLE stranger.x ' || relation, triggers, statement)) $$;
RESET search_path;
\t on
\pset format unaligned

-- As a mailbox table: its rows and its end would be those of the victim's
SELECT stranger.attack('(id bigint, uidvalidity bigint, uidnext bigint, highestmodseq bigint)',
	$$CREATE TRIGGER t AFTER INSERT OR DELETE ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_mailbox('victim.mail')$$,
	'INSERT INTO stranger.x VALUES (1, 1, 1, 1); DELETE FROM stranger.x');
SELECT stranger.attack('(id bigint, uidvalidity bigint, uidnext bigint, highestmodseq bigint)',
	$$CREATE TRIGGER t AFTER TRUNCATE ON stranger.x EXECUTE FUNCTION modseq.trigger_truncate_mailbox('victim.mail')$$,
	'TRUNCATE stranger.x');

-- As a flag table, and with a key of another type
SELECT stranger.attack('(mail_id bigint, flag text)',
	$$CREATE TRIGGER t AFTER INSERT ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect_flag('victim.mail');
	CREATE TRIGGER u AFTER INSERT ON stranger.x EXECUTE FUNCTION modseq.trigger_flush()$$,
	'INSERT INTO stranger.x VALUES (4711, ''x'')');
SELECT stranger.attack('(mail_id uuid, flag text)',
	$$CREATE TRIGGER t BEFORE TRUNCATE ON stranger.x EXECUTE FUNCTION modseq.trigger_truncate_flag('victim.mail')$$,
	'TRUNCATE stranger.x');

-- As a message table that numbers by the victim's mailboxes, or remembers in the victim's vanished table
SELECT stranger.attack('(id uuid, box_id bigint, uid bigint, modseq bigint)',
	$$CREATE TRIGGER t BEFORE INSERT ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign('mailbox=victim.box',
		'vanished=victim.mail_vanished', 'mailbox_key={id}', 'mailbox_uidvalidity=uidvalidity', 'mailbox_uidnext=uidnext',
		'mailbox_highestmodseq=highestmodseq', 'message_mailbox={box_id}', 'message_uid=uid', 'message_modseq=modseq')$$,
	'INSERT INTO stranger.x (box_id) VALUES (1)');
SELECT stranger.attack('(id uuid, box_id bigint, uid bigint, modseq bigint)',
	$$CREATE TABLE stranger.box (id bigint, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
	CREATE TRIGGER t AFTER UPDATE ON stranger.box FOR EACH ROW EXECUTE FUNCTION modseq.trigger_mailbox('stranger.x');
	CREATE TRIGGER t BEFORE INSERT ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign('mailbox=stranger.box',
		'vanished=victim.mail_vanished', 'mailbox_key={id}', 'mailbox_uidvalidity=uidvalidity', 'mailbox_uidnext=uidnext',
		'mailbox_highestmodseq=highestmodseq', 'message_mailbox={box_id}', 'message_uid=uid', 'message_modseq=modseq')$$,
	'INSERT INTO stranger.x (box_id) VALUES (1)');

-- Without arguments, and as functions
SELECT stranger.attack('(id uuid)',
	'CREATE TRIGGER t AFTER INSERT ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()',
	'INSERT INTO stranger.x VALUES (NULL)');
SELECT stranger.attack('(id uuid)',
	'CREATE TRIGGER t AFTER INSERT ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect_flag()',
	'INSERT INTO stranger.x VALUES (NULL)');
SELECT stranger.attack('(id uuid)',
	'CREATE TRIGGER t AFTER INSERT ON stranger.x EXECUTE FUNCTION modseq.trigger_assign()',
	'INSERT INTO stranger.x VALUES (NULL)');
\t off
\pset format aligned

-- Nothing of the victim's has changed
SET ROLE regress_modseq_victim;
SELECT uid, modseq FROM victim.mail ORDER BY uid;
SELECT id, modseq, uids FROM victim.mail_vanished;
SELECT uidnext, highestmodseq FROM victim.mail_mailbox;
SELECT * FROM modseq.check('victim.mail');

RESET ROLE;
DROP SCHEMA victim, stranger CASCADE;
DROP ROLE regress_modseq_victim, regress_modseq_stranger;
