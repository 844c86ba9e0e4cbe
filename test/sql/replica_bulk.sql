--
-- What came in replica mode and no client can know: UIDs that are none, messages without a mailbox or UID, flag rows that
-- name nothing. Whatever becomes of such rows, nothing is said of others, and no statement fails.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_replica_bulk;
SET search_path = t_replica_bulk;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (id int, mailbox_id bigint, seen boolean, gone boolean) PARTITION BY RANGE (id);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES FROM (0) TO (100);
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES FROM (100) TO (200);
CREATE TABLE flag (mail_id int, flag text);
CREATE TABLE note (mailbox_id bigint, uid bigint, what text);
SELECT modseq.attach('mail', 'mailbox', 'flag', message_mailbox => '{mailbox_id}', message_flags => '{seen}', message_expunged => 'gone',
	message_key => '{id}', flag_message => '{mail_id}');
ALTER TABLE mail ALTER uid DROP NOT NULL;
INSERT INTO mailbox (id) VALUES (0), (1), (2);
INSERT INTO mail (id, mailbox_id) SELECT i, 0 FROM generate_series(51, 55) AS i;
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 4) AS i;
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(101, 104) AS i;
-- For each mailbox the counters, the messages that clients can know of, and what vanished
CREATE FUNCTION known() RETURNS TABLE (box bigint, uidnext bigint, highest bigint, "uid:modseq" text, vanished text)
LANGUAGE sql STABLE AS $$
	SELECT b.id, s.uidnext, s.highestmodseq,
		(SELECT string_agg(m.uid || ':' || m.modseq, ' ' ORDER BY m.uid) FROM mail m
			WHERE m.mailbox_id = b.id AND m.uid BETWEEN 1 AND 4294967295 AND m.gone IS NOT TRUE),
		(SELECT string_agg(v.modseq || ': ' || v.uids::text, ' | ' ORDER BY v.modseq) FROM mail_vanished v WHERE v.id = b.id)
	FROM mailbox b, modseq.status('mail', b.id) AS s
	ORDER BY b.id
$$;
SELECT * FROM known();

-- Cut down to 32 bits 4294967299 would be 3
SET session_replication_role = replica;
INSERT INTO mail (id, mailbox_id, uid, modseq) VALUES
	(11, 1, 4294967299, 2), (12, 1, 0, 2), (13, 1, -5, 2), (14, 1, NULL, 2), (15, NULL, 4, 2), (16, NULL, NULL, 2), (17, 9, 3, 2),
	(111, 1, 4294967299, 2), (112, 1, 0, 2), (113, 1, -5, 2), (114, 1, NULL, 2), (115, NULL, 4, 2), (116, NULL, NULL, 2), (117, 9, 3, 2);
INSERT INTO flag SELECT id, 'x' FROM mail WHERE id > 110;
INSERT INTO flag VALUES (NULL, 'x'), (999, 'x');
RESET session_replication_role;

-- Rows of the flag table
INSERT INTO flag SELECT id, 'y' FROM mail WHERE id BETWEEN 11 AND 17;
INSERT INTO flag VALUES (11, 'z'), (NULL, 'z'), (999, 'z');
DELETE FROM flag WHERE flag = 'z';
SELECT * FROM known();
INSERT INTO flag VALUES (1, 'y');
SELECT * FROM known();
-- One of them gets a message
INSERT INTO mail (id, mailbox_id) VALUES (0, 2);
UPDATE flag SET mail_id = 0 WHERE mail_id IS NULL;
SELECT uid, modseq FROM mail WHERE id = 0;
UPDATE flag SET mail_id = NULL WHERE mail_id = 0;
SELECT uid, modseq FROM mail WHERE id = 0;
DELETE FROM mail WHERE id = 0;
-- Deleted, flagged, soft-deleted, and undeleted, one by one
BEGIN;
UPDATE mail SET seen = true WHERE id = 11;
UPDATE mail SET gone = true WHERE id = 11;
DELETE FROM mail WHERE id IN (11, 12, 13, 14);
SELECT * FROM known();
ROLLBACK;
UPDATE mail SET seen = true WHERE id IN (15, 16);
DELETE FROM mail WHERE id IN (15, 16, 17);
SELECT * FROM known();
-- As a whole
TRUNCATE flag;
SELECT * FROM known();
BEGIN;
TRUNCATE mail_1;
SELECT * FROM known();
ROLLBACK;
BEGIN;
DROP TABLE mail_2;
SELECT * FROM known();
ROLLBACK;
BEGIN;
ALTER TABLE mail DETACH PARTITION mail_2;
SELECT * FROM known();
ROLLBACK;
TRUNCATE mail;
SELECT * FROM known();

-- The same where a flag row names its message by mailbox and UID
SELECT modseq.detach('mail');
DROP TABLE flag;
SELECT modseq.attach('mail', 'mailbox', 'note', message_mailbox => '{mailbox_id}', message_flags => '{seen}', message_expunged => 'gone',
	flag_mailbox => '{mailbox_id}', flag_uid => 'uid', reset => '{message_key,flag_message}');
INSERT INTO mail (id, mailbox_id) SELECT i, 2 FROM generate_series(1, 4) AS i;
SELECT * FROM known();
INSERT INTO note VALUES (2, 4294967299, 'x'), (2, 0, 'x'), (2, -1, 'x'), (2, NULL, 'x'), (NULL, 3, 'x'), (NULL, NULL, 'x'), (9, 3, 'x'), (2, 99, 'x');
UPDATE note SET what = 'y';
SELECT * FROM known();
DELETE FROM note WHERE uid < 0 OR uid > 4294967295;
INSERT INTO note VALUES (2, 4294967299, 'x'), (2, -1, 'x');
TRUNCATE note;
SELECT * FROM known();
INSERT INTO note VALUES (2, 3, 'x'), (2, 4294967299, 'x'), (2, 0, 'x');
TRUNCATE note;
SELECT * FROM known();

-- A row of the vanished table that says nothing
ALTER TABLE mail_vanished ALTER uids DROP NOT NULL;
INSERT INTO mail_vanished (id, modseq, uids) VALUES (1, 5, NULL);
SELECT modseq.vanished_since('mail', 1, 0), modseq.vanished_since('mail', 1, 4, '1:3');

DROP SCHEMA t_replica_bulk CASCADE;
