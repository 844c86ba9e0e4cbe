--
-- attach() once more: nothing to do, something to repair, changes that it did not see, tables that
-- were renamed or replaced
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'

CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, name text);
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, subject text);
CREATE TABLE mw_mail_flag (mail_id bigint, flag text, PRIMARY KEY (mail_id, flag));

SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag', counters => 'mailbox');
INSERT INTO mw_mailbox VALUES (1, 'INBOX');
INSERT INTO mw_mail (id, mailbox_id) VALUES (1, 1), (2, 1);
INSERT INTO mw_mail_flag VALUES (1, '\Seen');

-- Once more: nothing to say, and nothing changes
CREATE TEMP TABLE before AS
	SELECT tgrelid, tgname, pg_get_triggerdef(oid) AS definition FROM pg_trigger
	WHERE tgrelid IN ('mw_mail'::regclass, 'mw_mailbox'::regclass, 'mw_mail_flag'::regclass);
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT count(*) = (SELECT count(*) FROM before) AS same
	FROM before JOIN pg_trigger t ON (t.tgrelid, t.tgname, pg_get_triggerdef(t.oid)) = (before.tgrelid, before.tgname, definition);
SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN ('mw_mail'::regclass, 'mw_mail_flag'::regclass) ORDER BY 1;
SELECT uidnext, highestmodseq FROM mw_mailbox;

-- Half attached: what is missing comes back
DROP TRIGGER modseq_collect ON mw_mail;
DROP TRIGGER "AA_modseq_mailbox" ON mw_mailbox;
DROP INDEX mw_mail_mailbox_id_modseq_idx;
SELECT problem FROM modseq.check('mw_mail') ORDER BY problem;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT problem FROM modseq.check('mw_mail');

-- What happened unseen meanwhile: an arrival, and a departure that clients must still hear of
SELECT modseq.detach('mw_mail');
INSERT INTO mw_mail (id, mailbox_id, uid) VALUES (3, 1, 9);
DELETE FROM mw_mail WHERE id = 2;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT id, uid, modseq FROM mw_mail ORDER BY id;
SELECT uidnext, highestmodseq FROM mw_mailbox;
SELECT id, modseq, uids FROM mw_mail_vanished ORDER BY id, modseq;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT uidnext, highestmodseq FROM mw_mailbox;
SELECT * FROM modseq.check('mw_mail');

-- Counters that are lost come back from the messages and from what vanished
DELETE FROM mw_mail WHERE id = 3;
SELECT uidnext, highestmodseq FROM mw_mailbox;
SELECT modseq.detach('mw_mail');
ALTER TABLE mw_mailbox DROP COLUMN uidnext, DROP COLUMN highestmodseq;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT uidnext, highestmodseq FROM mw_mailbox;

-- A mailbox that went meanwhile takes its vanished UIDs along
INSERT INTO mw_mailbox VALUES (2, 'Gone');
INSERT INTO mw_mail (id, mailbox_id) VALUES (4, 2);
DELETE FROM mw_mail WHERE id = 4;
SELECT modseq.detach('mw_mail');
DELETE FROM mw_mailbox WHERE id = 2;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT id, modseq, uids FROM mw_mail_vanished ORDER BY id, modseq;

-- Other tables: the old ones are let go; what shall go without another in its place is named
CREATE TABLE other_box (LIKE mw_mailbox INCLUDING ALL);
INSERT INTO other_box SELECT * FROM mw_mailbox;
SELECT modseq.attach('mw_mail', 'other_box', message_flags => '{}', reset => '{flag}');
SELECT tgrelid::regclass, tgname FROM pg_trigger
	WHERE tgrelid IN ('mw_mailbox'::regclass, 'other_box'::regclass, 'mw_mail_flag'::regclass) ORDER BY 1, 2;

-- Renamed: the view shows what is lost; attach() finds the vanished table under its old name
ALTER TABLE other_box RENAME TO third_box;
SELECT mailbox, vanished FROM modseq.stores WHERE message = 'mw_mail'::regclass;
SELECT problem FROM modseq.check('mw_mail') ORDER BY problem;
ALTER TABLE mw_mail RENAME TO mail;
SELECT modseq.attach('mail', 'third_box', message_flags => '{}');
SELECT message, mailbox, vanished FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mw_mail_vanished, mw_mail_flag, third_box;

-- A mailbox table whose message table was dropped can be attached again
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean);
SELECT modseq.attach('mw_mail', 'mw_mailbox');
DROP TABLE mw_mail, mw_mail_vanished;
CREATE TABLE mw_mail2 (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean);
SELECT modseq.attach('mw_mail2', 'mw_mailbox');
SELECT DISTINCT modseq_internal.trigger_options(oid) FROM pg_trigger WHERE tgrelid = 'mw_mailbox'::regclass;
DROP TABLE mw_mail2, mw_mail2_vanished, mw_mailbox;

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
