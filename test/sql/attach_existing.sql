--
-- attach() onto messages that exist already: they are numbered, or their numbers are kept; what cannot be put
-- right
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached

-- Mod-sequences are new: messages are numbered in the order of their key, and nothing is stamped
CREATE TABLE mailbox (id int PRIMARY KEY, uidnext int NOT NULL DEFAULT 0);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL, uid int, seen boolean);
INSERT INTO mailbox VALUES (1, 0), (2, 4), (3, 0), (4, 9);
INSERT INTO mail VALUES (5, 1, NULL), (3, 1, 0), (4, 2, NULL), (8, 3, 7), (9, 3, 2), (7, 3, 0);
SELECT modseq.attach('mail', 'mailbox');
SELECT * FROM mail ORDER BY mailbox_id, uid;
SELECT id, uidvalidity > 0 AS uidvalidity, uidnext, highestmodseq FROM mailbox ORDER BY id;
SELECT id, modseq, uids FROM mail_vanished ORDER BY id;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_vanished, mailbox;

-- Mod-sequences are kept already: who has none gets the mailbox's next one, counters that lag catch up, and
-- UIDs that are no longer there are held to have vanished
CREATE TABLE mailbox (id int PRIMARY KEY, uidvalidity bigint, last_uid int, modseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL, uid int, modseq bigint, seen boolean);
INSERT INTO mailbox VALUES (1, 77, 5, 10), (2, 0, NULL, NULL), (3, 78, 0, 0), (4, 79, 3, 1), (5, 80, 1, 5), (6, 0, 0, 1);
INSERT INTO mail VALUES
	(1, 1, 1, 3), (2, 1, 3, 10), (3, 1, 5, 4),			-- 1: nothing to do but to note 2 and 4
	(4, 2, 1, NULL), (5, 2, NULL, 7), (6, 2, 2, 0),		-- 2: two without mod-sequence, one without UID
	(7, 5, 1, 12), (8, 5, 2, -1);						-- 5: counters that lag
CREATE TEMP TABLE before AS SELECT id, ctid AS version FROM mail;
SELECT modseq.attach('mail', 'mailbox');
SELECT mail.*, mail.ctid <> version AS written FROM mail JOIN before USING (id) ORDER BY id;
SELECT id, CASE WHEN uidvalidity < 1000 THEN uidvalidity END AS uidvalidity, last_uid, modseq FROM mailbox ORDER BY id;
SELECT id, modseq, uids FROM mail_vanished ORDER BY id;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_vanished, mailbox;

-- created_modseq is put right
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (mailbox_id int NOT NULL, uid int, modseq bigint, created_modseq bigint, seen boolean);
INSERT INTO mailbox VALUES (1);
INSERT INTO mail VALUES (1, 1, 3, 2), (1, 2, 4, NULL), (1, 3, 5, 6);
SELECT modseq.attach('mail', 'mailbox');
SELECT * FROM mail ORDER BY uid;

-- Columns may be of domains
DROP TABLE mail, mail_vanished, mail_mailbox, mailbox;
CREATE DOMAIN box_id AS int;
CREATE DOMAIN uid AS bigint CHECK (VALUE BETWEEN 1 AND 4294967295);
CREATE TABLE mailbox (id box_id PRIMARY KEY, uidnext uid NOT NULL DEFAULT 1, highestmodseq modseq.modseq NOT NULL DEFAULT 0);
CREATE TABLE mail (mailbox_id box_id, uid uid, modseq modseq.modseq NOT NULL DEFAULT 0, seen boolean);
INSERT INTO mailbox VALUES (1);
INSERT INTO mail VALUES (1);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mail VALUES (1);
SELECT * FROM mail ORDER BY uid;
SELECT uidnext, highestmodseq FROM mailbox;
SELECT * FROM modseq.check('mail');
-- The indexes that it makes
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'mail'::regclass ORDER BY 1;
DROP TABLE mail, mail_vanished, mailbox;

-- A key that does not ascend: numbered beforehand, by time of arrival, as docs/attach.md tells. The column is then the
-- application's: detach() leaves it
CREATE TABLE mailbox (id uuid PRIMARY KEY);
CREATE TABLE mail (id uuid PRIMARY KEY, mailbox_id uuid NOT NULL REFERENCES mailbox, received_at timestamptz, seen boolean);
INSERT INTO mailbox SELECT md5(i::text)::uuid FROM generate_series(1, 2) AS i;
INSERT INTO mail SELECT md5(i::text)::uuid, md5((1 + i % 2)::text)::uuid, timestamptz '2026-01-01' + i / 4 * interval '1 hour'
	FROM generate_series(1, 12) AS i;
ALTER TABLE mail ADD COLUMN uid bigint;
UPDATE mail SET uid = numbered.uid
	FROM (SELECT id, row_number() OVER (PARTITION BY mailbox_id ORDER BY received_at, id) AS uid FROM mail) AS numbered
	WHERE mail.id = numbered.id;
SELECT modseq.attach('mail', 'mailbox') \g /dev/null
SELECT uidnext, (SELECT modseq.uidset_agg(uid) FROM mail m WHERE m.mailbox_id = b.id) FROM mail_mailbox b ORDER BY id;
SELECT count(*) AS wrong FROM mail a JOIN mail b USING (mailbox_id) WHERE a.uid < b.uid AND a.received_at > b.received_at;
SELECT * FROM modseq.check('mail');
SELECT modseq.detach('mail', remove => true) \g /dev/null
DROP TABLE mail, mailbox;

-- What cannot be put right
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint, seen boolean);
INSERT INTO mailbox VALUES (1), (2);
INSERT INTO mail VALUES (1, 1, 5), (2, 2, 5), (3, 1, 5);
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET mailbox_id = 3 WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET mailbox_id = NULL WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET mailbox_id = 1, uid = -6 WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET uid = 4294967296 WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
-- nothing is left of all that
\d mail
\d mailbox

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
