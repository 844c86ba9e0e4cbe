--
-- Flags in a table of their own. Rules "flags" and "one value a statement"; RFC 7162 section 3.1
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_flags_table;
SET search_path = t_flags_table;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, name text);
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mw_mailbox);
CREATE TABLE mw_mail_flag (
	mail_id bigint NOT NULL REFERENCES mw_mail ON DELETE CASCADE,
	flag text,
	PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
INSERT INTO mw_mailbox (id, name) VALUES (1, 'INBOX'), (2, 'Archive');
INSERT INTO mw_mail (id, mailbox_id) VALUES (11, 1), (12, 1), (13, 1), (21, 2), (22, 2);

-- The mod-sequence of every message, by mailbox, with the mailbox's counter in front
\set modseqs 'SELECT mailbox[1]::bigint AS box, highest, messages FROM state(\'mw_mail\', \'id\', \'modseq\') WHERE messages <> \'\';'
:modseqs

-- Setting a flag stamps its message, and only that one
INSERT INTO mw_mail_flag VALUES (11, '\Seen');
:modseqs
-- Several flags of one message, several messages, several mailboxes: one value for each mailbox
INSERT INTO mw_mail_flag VALUES (12, '\Seen'), (12, '\Flagged'), (21, '\Seen'), (13, '$Junk');
:modseqs
-- Setting a flag that is set changes nothing (RFC 7162 section 3.1)
INSERT INTO mw_mail_flag VALUES (11, '\Seen'), (21, '\Seen') ON CONFLICT DO NOTHING;
INSERT INTO mw_mail_flag VALUES (11, '\Seen') ON CONFLICT (mail_id, flag) DO UPDATE SET flag = excluded.flag;
:modseqs
-- Where some are set, only the others are stamped
INSERT INTO mw_mail_flag SELECT id, '\Seen' FROM mw_mail WHERE mailbox_id = 1 ON CONFLICT DO NOTHING;
:modseqs
-- Clearing one that is not set changes nothing
DELETE FROM mw_mail_flag WHERE mail_id = 22;
DELETE FROM mw_mail_flag WHERE flag = '\Draft';
:modseqs
-- Clearing one that is set does
DELETE FROM mw_mail_flag WHERE mail_id = 12 AND flag = '\Flagged';
:modseqs
DELETE FROM mw_mail_flag WHERE flag = '\Seen' AND mail_id <> 12;
:modseqs
-- An UPDATE that changes nothing, one that replaces a keyword, and one that gives it to another message
UPDATE mw_mail_flag SET flag = flag;
:modseqs
UPDATE mw_mail_flag SET flag = '$NotJunk' WHERE flag = '$Junk';
:modseqs
UPDATE mw_mail_flag SET mail_id = 22 WHERE mail_id = 13;
:modseqs
-- MERGE, and writable CTEs: STORE FLAGS replaces all flags of a message in one statement
MERGE INTO mw_mail_flag f USING (VALUES (12, '\Seen'), (12, '\Answered')) AS new (mail_id, flag)
	ON f.mail_id = new.mail_id AND f.flag = new.flag
	WHEN NOT MATCHED THEN INSERT VALUES (new.mail_id, new.flag);
:modseqs
WITH gone AS (DELETE FROM mw_mail_flag WHERE mail_id = 12 AND flag <> '\Seen')
INSERT INTO mw_mail_flag VALUES (12, '\Seen'), (12, '\Draft') ON CONFLICT DO NOTHING;
:modseqs
-- A new message with its flags in one statement: one value, and no second version of the message
BEGIN;
SELECT pg_stat_get_xact_tuples_updated('mw_mail'::regclass) AS before \gset
WITH new AS (INSERT INTO mw_mail (id, mailbox_id) VALUES (14, 1) RETURNING id)
INSERT INTO mw_mail_flag SELECT id, '\Draft' FROM new;
SELECT pg_stat_get_xact_tuples_updated('mw_mail'::regclass) - :before AS messages_updated;
COMMIT;
:modseqs
-- COPY
COPY mw_mail_flag FROM stdin;
14	$Forwarded
22	\\Seen
\.
:modseqs
-- Moving a message and flagging it in one statement: the flag is the moved message's, nobody else is stamped
WITH moved AS (UPDATE mw_mail SET mailbox_id = 2 WHERE id = 14 RETURNING id)
INSERT INTO mw_mail_flag SELECT id, '\Answered' FROM moved;
:modseqs
SELECT id, modseq, uids FROM mw_mail_vanished ORDER BY id, modseq;
-- Deleting a message takes its flags along; they stamp nobody
DELETE FROM mw_mail WHERE id = 14;
:modseqs
SELECT id, modseq, uids FROM mw_mail_vanished ORDER BY id, modseq;
-- Flagging and deleting the same message in one statement
WITH flagged AS (INSERT INTO mw_mail_flag VALUES (11, '\Deleted'), (13, '\Deleted'))
DELETE FROM mw_mail WHERE id = 13;
:modseqs
-- TRUNCATE clears all flags: of messages that have one
SELECT DISTINCT mail_id FROM mw_mail_flag ORDER BY 1;
TRUNCATE mw_mail_flag;
:modseqs
TRUNCATE mw_mail_flag;
:modseqs
-- A trigger or rule that keeps us from stamping: the change must not go unseen, so it is refused (27000)
\set VERBOSITY sqlstate
CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER a_cancel BEFORE UPDATE ON mw_mail FOR EACH ROW EXECUTE FUNCTION cancel();
INSERT INTO mw_mail_flag VALUES (11, '\Seen');
DROP TRIGGER a_cancel ON mw_mail;
CREATE RULE cancel AS ON UPDATE TO mw_mail DO INSTEAD NOTHING;
INSERT INTO mw_mail_flag VALUES (11, '\Seen');
DROP RULE cancel ON mw_mail;
\set VERBOSITY terse
SELECT * FROM mw_mail_flag;
:modseqs
SELECT * FROM modseq.check('mw_mail');
DROP TABLE mw_mailbox, mw_mail, mw_mail_flag, mw_mail_vanished, mw_mail_mailbox;

--
-- Without foreign keys; only the columns that the options name count
--
CREATE TABLE mw_mailbox (id bigint PRIMARY KEY);
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL);
CREATE TABLE mw_mail_flag (mail_id bigint, flag text, set_by text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag', flag_columns => '{mail_id,flag}');
INSERT INTO mw_mailbox (id) VALUES (1);
INSERT INTO mw_mail (id, mailbox_id) VALUES (11, 1), (12, 1);
INSERT INTO mw_mail_flag VALUES (11, '\Seen', 'alice');
:modseqs
UPDATE mw_mail_flag SET set_by = 'bob';
:modseqs
-- Flags of no message, and of one that is gone
INSERT INTO mw_mail_flag VALUES (99, '\Seen');
DELETE FROM mw_mail WHERE id = 11;
DELETE FROM mw_mail_flag WHERE mail_id = 11;
:modseqs
SELECT highestmodseq FROM mw_mail_mailbox;
SELECT * FROM modseq.check('mw_mail');
DROP TABLE mw_mailbox, mw_mail, mw_mail_flag, mw_mail_vanished, mw_mail_mailbox;

--
-- A flag table keyed by mailbox and UID
--
CREATE TABLE mw_mailbox (id bigint PRIMARY KEY);
CREATE TABLE mw_mail (mailbox_id bigint NOT NULL, uid bigint, id bigint, PRIMARY KEY (mailbox_id, uid));
CREATE TABLE mw_mail_flag (mailbox_id bigint, uid bigint, flag text,
	FOREIGN KEY (mailbox_id, uid) REFERENCES mw_mail ON UPDATE CASCADE ON DELETE CASCADE);
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag', message_mailbox => '{mailbox_id}');
SELECT flag_message, flag_mailbox, flag_uid FROM modseq.stores WHERE message = 'mw_mail'::regclass;
INSERT INTO mw_mailbox (id) VALUES (1), (2);
INSERT INTO mw_mail (id, mailbox_id) VALUES (11, 1), (12, 1), (21, 2);
INSERT INTO mw_mail_flag VALUES (1, 2, '\Seen'), (2, 1, '\Seen');
:modseqs
UPDATE mw_mail_flag SET uid = 1, flag = '\Draft' WHERE mailbox_id = 1;
:modseqs
-- The foreign key brings the flags along when a message moves: its new UID is stamped anyhow
UPDATE mw_mail SET mailbox_id = 2 WHERE id = 11;
SELECT mailbox_id, uid, flag FROM mw_mail_flag ORDER BY 1, 2;
:modseqs
SELECT id, modseq, uids FROM mw_mail_vanished ORDER BY id, modseq;
DELETE FROM mw_mail_flag;
:modseqs
SELECT * FROM modseq.check('mw_mail');

DROP SCHEMA t_flags_table CASCADE;
