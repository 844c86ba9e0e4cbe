--
-- attach() again keeps the tables and options that are not given, wherever they are called now; what shall go is reset
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA keep;
RESET client_min_messages;
SET search_path = keep;
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached
CREATE FUNCTION store() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT key || '=' || value
	FROM modseq.stores s, jsonb_each_text(to_jsonb(s))
	WHERE s.message IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)
		AND value IS NOT NULL AND value <> 'false' AND key !~ '^message$|^vanished$|_(uid|modseq|uidvalidity|uidnext|highestmodseq)$'
	ORDER BY key $$;

CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (
	id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean, state int, deleted_at timestamptz, arrived bigint);
CREATE TABLE mail_flag (mail_id int REFERENCES mail, flag text, note text, PRIMARY KEY (mail_id, flag));

-- A new store needs its mailbox table
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', 'box', 'mail_flag', message_flags => '{state}', message_expunged => 'deleted_at',
	message_created_modseq => 'arrived', flag_columns => '{flag}', notify => true) \g /dev/null
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1), (2, 1);
SELECT store();

-- Nothing goes by itself
SELECT modseq.attach('mail') \g /dev/null
SELECT store();
SELECT modseq.attach('mail', 'box') \g /dev/null
INSERT INTO mail_flag VALUES (1, '\Seen');
UPDATE mail SET deleted_at = now() WHERE id = 2;
SELECT uid, modseq FROM modseq.changed_since('mail', 1, 2);
SELECT modseq.vanished_since('mail', 1, 2);
-- An option of the flag table that is kept; and one alone
SELECT modseq.attach('mail', flag_columns => '{note}', notify => false) \g /dev/null
SELECT store();

-- Renamed tables are found; also all at once, but for the message table
ALTER TABLE mail_flag RENAME TO marks;
ALTER TABLE box RENAME TO folder;
SELECT modseq.attach('mail') \g /dev/null
SELECT store();
ALTER TABLE mail RENAME TO letter;
SELECT modseq.attach('letter') \g /dev/null
ALTER TABLE letter RENAME TO mail;
ALTER TABLE folder RENAME TO box;
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', 'box') \g /dev/null
SELECT store();
-- Another table that has taken the name is not the store's
ALTER TABLE marks RENAME TO old_marks;
CREATE TABLE marks (LIKE old_marks);
SELECT modseq.attach('mail') \g /dev/null
SELECT store();
DROP TABLE marks;

-- What is gone must be said
DROP TABLE old_marks;
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', reset => '{flag}') \g /dev/null
SELECT store();
ALTER TABLE mail RENAME deleted_at TO gone_at;
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', message_expunged => 'gone_at') \g /dev/null
ALTER TABLE mail DROP arrived;
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', reset => '{message_created_modseq}') \g /dev/null
-- A UID that was renamed does not become another by mistake
ALTER TABLE mail RENAME uid TO number;
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', message_uid => 'number') \g /dev/null
SELECT id, number FROM mail ORDER BY id;
-- under a usual name it is found
ALTER TABLE mail RENAME number TO imap_uid;
SELECT modseq.attach('mail') \g /dev/null
SELECT id, imap_uid FROM mail ORDER BY id;
SELECT * FROM modseq.check('mail');
-- One that is gone is added again only when that is asked for
ALTER TABLE mail DROP imap_uid;
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', reset => '{message_uid}') \g /dev/null
SELECT id, uid FROM mail ORDER BY id;
SELECT * FROM modseq.check('mail');
ALTER TABLE mail RENAME state TO progress;
SELECT modseq.attach('mail') \g /dev/null
SELECT store();
SELECT modseq.attach('mail', message_flags => '{progress}') \g /dev/null

-- What is reset is found anew, or ends: here a soft-deleted message lives again, under another UID
SELECT modseq.attach('mail', notify => true) \g /dev/null
SELECT modseq.attach('mail', reset => '{message_expunged,message_flags,notify}') \g /dev/null
SELECT store();
SELECT id, uid FROM mail ORDER BY id;
SELECT * FROM modseq.check('mail');

-- What cannot be reset
SELECT refusal(a) FROM unnest(ARRAY[
	$$'mail', reset => '{mailbox}'$$,
	$$'mail', reset => '{flags}'$$,
	$$'mail', reset => '{NULL}'$$,
	$$'mail', notify => true, reset => '{notify}'$$]) AS a;
SELECT refusal($$'mail', NULL, NULL, flag_columns => '{note}'$$);
DROP TABLE mail, mail_vanished, mail_mailbox, box;

-- Counters beside the mailboxes: renamed, and given up
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE counters (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, seen boolean);
SELECT modseq.attach('mail', 'counters', mailbox_source => 'box') \g /dev/null
INSERT INTO box VALUES (1);
ALTER TABLE box RENAME TO folder;
SELECT modseq.attach('mail') \g /dev/null
SELECT store();
INSERT INTO folder VALUES (2);
SELECT id, uidnext FROM counters ORDER BY id;
SELECT modseq.attach('mail', reset => '{mailbox_source}') \g /dev/null
SELECT store();
INSERT INTO folder VALUES (3);
SELECT id, uidnext FROM counters ORDER BY id;

-- A stranger's table that says it is a part of the store is not found
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_modseq_keep;
RESET client_min_messages;
CREATE ROLE regress_modseq_keep;
CREATE TABLE foreign_counters (LIKE counters INCLUDING ALL);
ALTER TABLE foreign_counters OWNER TO regress_modseq_keep;
CREATE TRIGGER forged AFTER INSERT OR UPDATE OR DELETE ON foreign_counters
	FOR EACH ROW EXECUTE FUNCTION modseq.trigger_mailbox('keep.mail');
ALTER TABLE counters RENAME TO numbers;
SELECT modseq.attach('mail') \g /dev/null
SELECT store();
SELECT * FROM modseq.check('mail');

SET client_min_messages = warning;
DROP SCHEMA keep CASCADE;
DROP ROLE regress_modseq_keep;
