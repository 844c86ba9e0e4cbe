--
-- Generated columns, stored, as flags and for soft delete: BEFORE triggers do not see their new values
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_generated;
SET search_path = t_generated;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

--
-- As flags
--
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (
	id int PRIMARY KEY,
	mailbox_id int NOT NULL REFERENCES mailbox,
	status int,
	label text,
	answered boolean,
	seen boolean GENERATED ALWAYS AS (status & 1 <> 0) STORED,
	labels text[] GENERATED ALWAYS AS (string_to_array(label, ' ')) STORED);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen,labels,answered}');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id, status, label) SELECT i, 1, 1, 'a b' FROM generate_series(1, 6) AS i;
\set mails 'SELECT highest, messages AS "id:uid:modseq", modseq.vanished_since(\'mail\', mailbox, 0) AS vanished FROM state(\'mail\', \'id\', \'uid\', \'modseq\');'
UPDATE mail SET status = 0 WHERE id = 1;
UPDATE mail SET status = 3 WHERE id = 2;
UPDATE mail SET label = 'b a b' WHERE id = 3;
UPDATE mail SET label = 'b' WHERE id = 4;
:mails
-- Under the lock, where another flag is stamped at once
BEGIN;
SELECT highestmodseq FROM modseq.lock('mail', 1);
UPDATE mail SET status = status # 1, answered = (id = 1) WHERE id IN (1, 2, 5);
:mails
UPDATE mail SET label = label;
UPDATE mail SET status = status | 1;
:mails
UPDATE mail SET mailbox_id = 2, status = 0 WHERE id = 5;
:mails
COMMIT;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_vanished, mail_mailbox, mailbox;

--
-- For soft delete, as DBMail's status: from 2 on a message is deleted
--
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (
	id int PRIMARY KEY,
	mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE,
	status smallint NOT NULL DEFAULT 0,
	seen boolean,
	expunged boolean GENERATED ALWAYS AS (status >= 2) STORED,
	created_modseq bigint);
CREATE TABLE mail_flag (mail_id int REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', message_flags => '{seen}', message_expunged => 'expunged');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 9) AS i;
CREATE VIEW mailboxes AS
	SELECT b.id AS box, uidnext, highestmodseq AS highest,
		(SELECT string_agg(concat_ws(':', id, uid, modseq), ' ' ORDER BY uid) FROM mail
			WHERE mailbox_id = b.id AND NOT expunged) AS live,
		(SELECT string_agg(concat_ws(':', id, uid, modseq), ' ' ORDER BY uid) FROM mail
			WHERE mailbox_id = b.id AND expunged) AS expunged,
		(SELECT string_agg(modseq || ': ' || uids::text, ' | ' ORDER BY modseq) FROM mail_vanished v
			WHERE v.id = b.id) AS vanished,
		(SELECT count(*) FROM modseq.check('mail')) AS broken
	FROM mail_mailbox b;
\set mailboxes 'TABLE mailboxes ORDER BY box;'
-- Departures, with a flag too, raw and under the lock
UPDATE mail SET status = 2 WHERE id IN (2, 4);
UPDATE mail SET status = 3, seen = true WHERE id = 3;
BEGIN;
SELECT highestmodseq FROM modseq.lock('mail', 1);
UPDATE mail SET status = 2, seen = true WHERE id = 5;
UPDATE mail SET seen = NOT seen WHERE id = 5;
COMMIT;
:mailboxes
-- Silent
UPDATE mail SET status = 3, seen = NOT seen WHERE id IN (2, 3, 5);
INSERT INTO mail_flag VALUES (2, 'x');
:mailboxes
-- Undelete: RETURNING has the old UID, for the new one comes when the rows are written; a flag changes with it
UPDATE mail SET status = 1 WHERE id = 3 RETURNING uid;
:mailboxes
UPDATE mail SET status = CASE WHEN status < 2 THEN 2 ELSE 0 END, seen = true WHERE id IN (2, 5, 6, 7);
:mailboxes
SELECT id, uid, modseq, created_modseq FROM mail WHERE id IN (2, 3, 5) ORDER BY uid;
BEGIN;
SELECT highestmodseq FROM modseq.lock('mail', 1);
UPDATE mail SET status = 0 WHERE id = 4;
UPDATE mail SET status = 2 WHERE id = 4;
UPDATE mail SET status = 0 WHERE id = 4;
INSERT INTO mail_flag VALUES (4, 'x');
SAVEPOINT s;
UPDATE mail SET status = 0;
ROLLBACK TO s;
UPDATE mail SET status = 0 WHERE id = 6;
COMMIT;
:mailboxes
-- Moves, and arrivals of what is expunged
UPDATE mail SET mailbox_id = 2, status = 0 WHERE id = 7 RETURNING uid;
UPDATE mail SET mailbox_id = 2, status = 2 WHERE id = 8 RETURNING uid;
INSERT INTO mail (id, mailbox_id, status) VALUES (10, 2, 2) RETURNING uid;
:mailboxes
INSERT INTO mail (id, mailbox_id) VALUES (10, 2), (11, 2) ON CONFLICT (id) DO UPDATE SET status = 0;
UPDATE mail SET status = 0, uid = 20 WHERE id = 8;
:mailboxes
-- Renamed in the same statement
UPDATE mail SET status = 2 WHERE id = 10;
WITH undeleted AS (UPDATE mail SET status = 0 WHERE id = 10), deleted AS (UPDATE mail SET status = 2 WHERE id = 11 RETURNING id)
	UPDATE mailbox SET id = 3 WHERE id = 2 AND (SELECT count(*) FROM deleted) = 1;
:mailboxes
UPDATE mail SET status = 0 WHERE id = 11;
-- Hard
DELETE FROM mail WHERE id = 11;
UPDATE mail SET status = 2 WHERE id = 10;
DELETE FROM mail WHERE id = 10;
:mailboxes
-- Deleted and undeleted by turns while one statement lasts
CREATE FUNCTION turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..3 LOOP
		UPDATE mail SET status = 2 - status WHERE id = new.id;
	END LOOP;
	RETURN NULL;
END $$;
CREATE TRIGGER turn AFTER UPDATE ON mail FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND new.status IN (0, 2)) EXECUTE FUNCTION turn();
UPDATE mail SET status = 2 WHERE id = 1;
:mailboxes
UPDATE mail SET status = 2 WHERE id = 1;
:mailboxes
UPDATE mail SET status = 0 WHERE id = 1;
:mailboxes
DROP TRIGGER turn ON mail;
-- A trigger that keeps us from giving another UID
UPDATE mail SET status = 2 WHERE id = 1;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN pg_trigger_depth() = 1 THEN new END; END $$;
CREATE TRIGGER zzz_keep BEFORE UPDATE OF uid ON mail FOR EACH ROW EXECUTE FUNCTION keep();
\set VERBOSITY default
\set SHOW_CONTEXT never
UPDATE mail SET status = 0 WHERE id = 1;
\set VERBOSITY terse
DROP TRIGGER zzz_keep ON mail;
:mailboxes
TRUNCATE mail CASCADE;
:mailboxes
DROP TABLE mail, mail_flag, mail_vanished, mail_mailbox, mailbox CASCADE;

--
-- A flag table that follows the message's numbers
--
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (mailbox_id int REFERENCES mailbox, uid int, status int, expunged boolean GENERATED ALWAYS AS (status = 2) STORED,
	PRIMARY KEY (mailbox_id, uid));
CREATE TABLE mail_flag (mailbox_id int, uid int, flag text, FOREIGN KEY (mailbox_id, uid) REFERENCES mail ON UPDATE CASCADE ON DELETE CASCADE);
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', message_expunged => 'expunged');
INSERT INTO mailbox (id) VALUES (1);
INSERT INTO mail (mailbox_id) VALUES (1), (1), (1);
INSERT INTO mail_flag VALUES (1, 2, 'x'), (1, 3, 'y');
UPDATE mail SET status = 2 WHERE uid > 1;
INSERT INTO mail_flag VALUES (1, 2, 'y');
UPDATE mail SET status = 0 WHERE uid = 2;
SELECT m.uid, modseq, expunged, string_agg(flag, ' ' ORDER BY flag) AS flags FROM mail m LEFT JOIN mail_flag USING (mailbox_id, uid)
	GROUP BY m.uid, modseq, expunged ORDER BY m.uid;
SELECT highestmodseq, modseq.vanished_since('mail', 1, 0) FROM mail_mailbox;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_flag, mail_vanished, mail_mailbox, mailbox;

--
-- What triggers must set, or never see, is refused
--
CREATE TABLE mailbox (id int PRIMARY KEY, half int GENERATED ALWAYS AS (id / 2) STORED);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, box int GENERATED ALWAYS AS (mailbox_id) STORED, seen boolean);
\set VERBOSITY default
SELECT modseq.attach('mail', 'mailbox', message_mailbox => '{box}');
SELECT modseq.attach('mail', 'mailbox', message_uid => 'box');
SELECT modseq.attach('mail', 'mailbox', mailbox_uidnext => 'half');
-- Virtual ones, where there are any: from PostgreSQL 18 on
DO $$
DECLARE
	option text;
BEGIN
	IF current_setting('server_version_num')::int < 180000 THEN
		RETURN;
	END IF;
	EXECUTE 'ALTER TABLE mail ADD COLUMN virtual boolean GENERATED ALWAYS AS (NOT seen) VIRTUAL';
	FOREACH option IN ARRAY ARRAY['message_flags => ''{virtual}''', 'message_expunged => ''virtual'''] LOOP
		BEGIN
			EXECUTE format('SELECT modseq.attach(''mail'', ''mailbox'', %s)', option);
			RAISE 'not refused: %', option;
		EXCEPTION WHEN feature_not_supported THEN
			NULL;
		END;
	END LOOP;
END $$;
