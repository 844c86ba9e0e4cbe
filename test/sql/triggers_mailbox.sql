--
-- Triggers of a mailbox table that has the counters, which write messages while we write the counters. They fire on
-- our own UPDATE, so in the middle of what they take part in: no number is handed out twice, none is lost, none falls.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_triggers_mailbox;
SET search_path = t_triggers_mailbox;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint, note text);
CREATE TABLE mail (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox, subject text, seen boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (mailbox_id) SELECT 1 FROM generate_series(1, 9);
\set mailboxes 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "uid:modseq", vanished FROM checked_state(\'mail\', \'uid\', \'modseq\');'
:mailboxes

-- One that logs the first rise of a counter as a message there, while its value is being taken; then no more, lest that go
-- on for ever
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('t.log', true) = 'yes' THEN
		PERFORM set_config('t.log', 'no', false);
		INSERT INTO mail (mailbox_id, subject) VALUES (new.id, 'log');
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER log AFTER UPDATE ON mailbox FOR EACH ROW EXECUTE FUNCTION log();
SET t.log = 'yes';
DELETE FROM mail WHERE uid = 2;
:mailboxes
SET t.log = 'yes';
UPDATE mail SET seen = true WHERE uid = 1;
:mailboxes
SET t.log = 'yes';
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
:mailboxes
-- And more statements of the same transaction
BEGIN;
SET t.log = 'yes';
DELETE FROM mail WHERE uid = 3;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
SET t.log = 'yes';
UPDATE mail SET seen = true WHERE uid = 4;
SET t.log = 'yes';
UPDATE mailbox SET note = 'x';
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
COMMIT;
:mailboxes
DROP TRIGGER log ON mailbox;

-- The same in an EXCEPTION block: its statements are complete before ours is
CREATE FUNCTION log_apart() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('t.log', true) = 'yes' THEN
		PERFORM set_config('t.log', 'no', false);
		BEGIN
			INSERT INTO mail (mailbox_id, subject) VALUES (new.id, 'log');
			UPDATE mail SET seen = NOT seen WHERE mailbox_id = new.id AND uid = 1;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
		BEGIN
			DELETE FROM mail WHERE mailbox_id = new.id AND uid = 5;
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER log_apart AFTER UPDATE ON mailbox FOR EACH ROW EXECUTE FUNCTION log_apart();
BEGIN;
SET t.log = 'yes';
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
UPDATE mail SET seen = true WHERE uid = 6;
:mailboxes
SET t.log = 'yes';
UPDATE mail SET seen = false WHERE uid = 6;
DELETE FROM mail WHERE uid = 6;
:mailboxes
COMMIT;
BEGIN;
SET t.log = 'yes';
DELETE FROM mail WHERE uid = 7;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
COMMIT;
:mailboxes
DROP TRIGGER log_apart ON mailbox;

-- One that fires before ours does: then we hear of the counters that it has raised before we hear of those that it found
CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail (mailbox_id, subject) VALUES (new.id, new.note);
	RETURN NULL;
END $$;
CREATE TRIGGER "A_welcome" AFTER UPDATE OF note ON mailbox FOR EACH ROW EXECUTE FUNCTION welcome();
BEGIN;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
UPDATE mailbox SET note = 'welcome' WHERE id = 2;
UPDATE mailbox SET note = 'again' WHERE id = 2;
UPDATE mail SET seen = true WHERE mailbox_id = 2 AND uid = 1;
DELETE FROM mail WHERE mailbox_id = 2 AND uid = 2;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
COMMIT;
SELECT uid, modseq, subject FROM mail WHERE mailbox_id = 2 ORDER BY uid;
:mailboxes
DROP TRIGGER "A_welcome" ON mailbox;

-- One that writes mod-sequences by hand, while we complete a statement: they are ours
CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET modseq = 1000 WHERE mailbox_id = new.id AND uid = 9;
	RETURN NULL;
END $$;
CREATE TRIGGER forge AFTER UPDATE ON mailbox FOR EACH ROW EXECUTE FUNCTION forge();
DELETE FROM mail WHERE mailbox_id = 1 AND uid = 8;
SELECT uid, modseq FROM mail WHERE mailbox_id = 1 AND uid = 9;
DROP TRIGGER forge ON mailbox;

-- A rule that would have an UPDATE return nothing
CREATE RULE never AS ON UPDATE TO mailbox WHERE new.id < 0 DO INSTEAD NOTHING;
DELETE FROM mail WHERE mailbox_id = 1 AND uid = 10;
UPDATE mail SET seen = true WHERE mailbox_id = 1 AND uid = 9;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
DROP RULE never ON mailbox;
:mailboxes

-- A UIDVALIDITY that comes late ends nothing
INSERT INTO mailbox (id, uidvalidity) VALUES (7, NULL);
INSERT INTO mail (mailbox_id) VALUES (7), (7);
DELETE FROM mail WHERE mailbox_id = 7 AND uid = 1;
UPDATE mailbox SET uidvalidity = 71 WHERE id = 7;
SELECT verdict, uidnext, highestmodseq, vanished FROM modseq.resync('mail', 7, 71, 2);

-- One deletes the mailbox when it is written, in the middle of what another mailbox's message has led to
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE post (id int PRIMARY KEY, box_id int NOT NULL);
CREATE TABLE flag (post_id int, name text);
SELECT modseq.attach('post', 'box', 'flag', counters => 'mailbox', message_mailbox => '{box_id}', flag_message => '{post_id}', message_key => '{id}');
INSERT INTO box VALUES (1), (2);
INSERT INTO post VALUES (1, 1), (2, 1), (10, 2);
CREATE FUNCTION delete_post() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM post WHERE id = 2; RETURN NULL; END';
CREATE FUNCTION delete_box() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM box WHERE id = new.id; RETURN NULL; END';
CREATE TRIGGER delete_post AFTER UPDATE OF modseq ON post FOR EACH ROW EXECUTE FUNCTION delete_post();
CREATE TRIGGER delete_box AFTER UPDATE ON box FOR EACH ROW WHEN (new.id = 1) EXECUTE FUNCTION delete_box();
WITH d AS (DELETE FROM post WHERE id = 1) INSERT INTO flag VALUES (10, 'x');
SELECT id, uidnext, highestmodseq FROM box;
SELECT id, modseq, uids, vanished_at = 'infinity' AS remembered FROM post_vanished;
SELECT * FROM modseq.check('post');

DROP SCHEMA t_triggers_mailbox CASCADE;
