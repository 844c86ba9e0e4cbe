--
-- Messages that a transaction takes out and puts back under their UIDs, as tools do that rearrange a table: clients hear
-- that they changed, at most, and nothing that has really vanished comes back
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_returned;
SET search_path = t_returned;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (
	id int NOT NULL,
	mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	day int NOT NULL,
	seen boolean NOT NULL DEFAULT false,
	deleted boolean NOT NULL DEFAULT false,
	created bigint) PARTITION BY RANGE (day);
CREATE TABLE mail_rest PARTITION OF mail DEFAULT;
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES FROM (10) TO (20);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen}', message_expunged => 'deleted', message_created_modseq => 'created');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id, day) SELECT i, 1 + i / 10, 20 + i FROM generate_series(1, 12) AS i;
DELETE FROM mail WHERE id = 1;
\set state 'SELECT mailbox[1]::int AS box, uidnext, highest, modseq.vanished_since(\'mail\', mailbox, 0) AS vanished, messages FROM state(\'mail\', \'uid\', \'modseq\', \'created\', \'seen\', \'deleted\'); SELECT * FROM modseq.check(\'mail\');'
:state

-- In one query, from partition to partition
BEGIN;
WITH gone AS (DELETE FROM mail_rest WHERE id IN (2, 3, 10) RETURNING *)
INSERT INTO mail_1 (id, mailbox_id, day, uid, modseq, created) SELECT id, mailbox_id, 10, uid, modseq, created FROM gone;
SELECT mailbox, changed, vanished FROM told('mail', 3);
COMMIT;
:state

-- In two, by way of another table, while the table that it goes to is made; the order is another
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE mail WITH NO DATA;
WITH gone AS (DELETE FROM mail_rest WHERE day >= 24 RETURNING *) INSERT INTO aside SELECT * FROM gone;
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES FROM (24) TO (40);
INSERT INTO mail SELECT * FROM aside ORDER BY id DESC;
COMMIT;
SELECT mailbox, changed, vanished FROM told('mail', 4);
:state

-- What a savepoint takes back was not done: neither the one ...
BEGIN;
DELETE FROM mail WHERE id = 4;
SAVEPOINT a;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (4, 1, 10, 4);
ROLLBACK TO a;
COMMIT;
SELECT mailbox, changed, vanished FROM told('mail', 6);
-- ... nor the other
BEGIN;
SAVEPOINT a;
DELETE FROM mail WHERE id = 5;
ROLLBACK TO a;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (5, 1, 10, 5);
ROLLBACK;
BEGIN;
SAVEPOINT a;
DELETE FROM mail WHERE id = 5;
RELEASE a;
SAVEPOINT b;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (5, 1, 10, 5);
RELEASE b;
COMMIT;
SELECT mailbox, changed, vanished FROM told('mail', 7);

-- Out, in and out again; and in again
BEGIN;
DELETE FROM mail WHERE id = 6;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (6, 1, 10, 6);
DELETE FROM mail WHERE id = 6;
SELECT mailbox, changed, vanished FROM told('mail', 9);
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (6, 1, 10, 6);
COMMIT;
SELECT mailbox, changed, vanished FROM told('mail', 9);
-- A message that arrives in the same transaction
BEGIN;
INSERT INTO mail (id, mailbox_id, day) VALUES (13, 1, 1);
WITH gone AS (DELETE FROM mail WHERE id = 13 RETURNING *) INSERT INTO mail SELECT * FROM gone;
COMMIT;
:state

-- Expunged messages, which stay so
UPDATE mail SET deleted = true WHERE id IN (7, 11);
WITH gone AS (DELETE FROM mail WHERE id IN (7, 8, 11) RETURNING *) INSERT INTO mail SELECT * FROM gone;
:state
-- ... and nothing but these, in two queries: that they were taken out changes nothing. As a whole table, too
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE mail WITH NO DATA;
WITH gone AS (DELETE FROM mail WHERE deleted RETURNING *) INSERT INTO aside SELECT * FROM gone;
INSERT INTO mail SELECT id, mailbox_id, 90, seen, deleted, created, uid FROM aside;
COMMIT;
BEGIN;
CREATE TABLE mail_3 PARTITION OF mail FOR VALUES FROM (40) TO (50);
UPDATE mail SET day = 40 WHERE deleted;
COMMIT;
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE mail_3;
TRUNCATE mail_3;
INSERT INTO mail SELECT * FROM aside;
COMMIT;
BEGIN;
ALTER TABLE mail DETACH PARTITION mail_3;
INSERT INTO mail SELECT * FROM mail_3;
DROP TABLE mail_3;
COMMIT;
:state
-- ... or another takes the UID of a message that is expunged, or renumbered, by the same query
BEGIN;
WITH gone AS (UPDATE mail SET deleted = true WHERE id = 3 RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT 300 + id, mailbox_id, day, uid FROM gone;
SELECT mailbox, changed, vanished FROM told('mail', 16);
ROLLBACK;
BEGIN;
WITH gone AS (UPDATE mail SET uid = NULL WHERE id = 3 RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT 300 + id, mailbox_id, day, 3 FROM gone;
SELECT mailbox, changed, vanished FROM told('mail', 16);
ROLLBACK;
-- ... and one that would be undeleted on the way: it has vanished, and so it would have to arrive
WITH gone AS (DELETE FROM mail WHERE id = 11 RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, day, uid FROM gone;
:state

-- Refused: what has vanished before, what is live, and what comes twice, be one of them expunged
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (1, 1, 10, 1);
BEGIN;
UPDATE mail SET seen = true WHERE id = 2;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (1, 1, 10, 1);
ROLLBACK;
WITH gone AS (DELETE FROM mail WHERE id = 2 RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, day, 1 FROM gone;
WITH gone AS (DELETE FROM mail WHERE id = 2 RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, 40 + day, 3 FROM gone;
WITH gone AS (DELETE FROM mail WHERE id = 2 RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, other, uid FROM gone, (VALUES (1), (50)) AS twice (other);
BEGIN;
DELETE FROM mail WHERE id = 2;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (2, 1, 10, 2);
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (2, 1, 50, 2);
ROLLBACK;
BEGIN;
UPDATE mail SET seen = true WHERE id = 2;
INSERT INTO mail (id, mailbox_id, day, uid, deleted) VALUES (1, 1, 10, 1, true), (1, 1, 50, 1, false);
ROLLBACK;
BEGIN;
UPDATE mail SET seen = true WHERE id = 2;
INSERT INTO mail (id, mailbox_id, day, uid, deleted) VALUES (3, 1, 50, 3, true);
ROLLBACK;
-- ... in another mailbox, and what vanished long ago, beside what this transaction has folded
WITH gone AS (DELETE FROM mail WHERE id = 9 RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, 2, day, 1 FROM gone;
BEGIN;
DELETE FROM mail WHERE id = 2;
SELECT modseq.compact('mail', '0') > 0 AS folded;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (2, 1, 10, 2);
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (1, 1, 10, 1);
ROLLBACK;
:state

-- Left out after all, by a trigger
CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER zzz BEFORE INSERT ON mail FOR EACH ROW WHEN (new.day = 12) EXECUTE FUNCTION leave_out();
WITH gone AS (DELETE FROM mail WHERE id IN (2, 3) RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, 9 + id, uid FROM gone ORDER BY id;
DROP TRIGGER zzz ON mail;
-- ... or deleted again by one
CREATE FUNCTION delete_again() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM mail WHERE id = new.id; RETURN NULL; END';
CREATE TRIGGER zzz AFTER INSERT ON mail FOR EACH ROW WHEN (new.day = 13) EXECUTE FUNCTION delete_again();
WITH gone AS (DELETE FROM mail WHERE id IN (2, 4, 5) RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, 8 + id, uid FROM gone ORDER BY id;
DROP TRIGGER zzz ON mail;
:state

-- ... or given another UID by one, which had vanished long ago, or which is free
CREATE FUNCTION change_uid() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.uid := new.uid - 3; RETURN new; END';
CREATE TRIGGER zzz BEFORE INSERT ON mail FOR EACH ROW WHEN (new.day = 14) EXECUTE FUNCTION change_uid();
WITH gone AS (DELETE FROM mail WHERE id IN (8, 9) RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, 6 + id, uid FROM gone ORDER BY id;
WITH gone AS (DELETE FROM mail WHERE id IN (6, 9) RETURNING *)
INSERT INTO mail (id, mailbox_id, day, uid) SELECT id, mailbox_id, 14, uid FROM gone WHERE id = 9;
SELECT mailbox, changed, vanished FROM told('mail', 22);
DROP TRIGGER zzz ON mail;
-- What was never a UID
BEGIN;
DELETE FROM mail WHERE id = 2;
SAVEPOINT a;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (3, 1, 10, -1);
ROLLBACK TO a;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (3, 1, 10, 0);
ROLLBACK;

-- A table as a whole: one partition, then all
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE mail_2;
TRUNCATE mail_2;
INSERT INTO mail SELECT * FROM aside;
COMMIT;
:state
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE mail;
TRUNCATE mail;
INSERT INTO mail SELECT * FROM aside WHERE id <> 8;
COMMIT;
:state

-- Of a mailbox that is renamed, or made, in the same transaction it is not known what had vanished before
BEGIN;
UPDATE mailbox SET id = 3 WHERE id = 2;
DELETE FROM mail WHERE id = 10;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (10, 3, 10, 1);
ROLLBACK;
-- ... be it to the key of another, whose HIGHESTMODSEQ was lower
INSERT INTO mailbox (id) VALUES (5);
BEGIN;
DELETE FROM mailbox WHERE id = 5;
UPDATE mailbox SET id = 5 WHERE id = 2;
DELETE FROM mail WHERE id = 10;
INSERT INTO mail (id, mailbox_id, day, uid) VALUES (10, 5, 10, 2);
ROLLBACK;
BEGIN;
INSERT INTO mailbox (id) VALUES (4);
INSERT INTO mail (id, mailbox_id, day) SELECT i, 4, 10 FROM generate_series(41, 43) AS i;
WITH gone AS (DELETE FROM mail WHERE mailbox_id = 4 RETURNING *) INSERT INTO mail SELECT * FROM gone;
COMMIT;
:state

-- Without partitions, with flags in a table that go by the foreign key and come back
CREATE TABLE plain (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox);
CREATE TABLE flag (mail_id int REFERENCES plain ON DELETE CASCADE, name text, PRIMARY KEY (mail_id, name));
CREATE TABLE box (id int PRIMARY KEY);
ALTER TABLE plain DROP CONSTRAINT plain_mailbox_id_fkey;
SELECT modseq.attach('plain', 'box', 'flag', message_mailbox => '{mailbox_id}');
INSERT INTO box (id) VALUES (1);
INSERT INTO plain SELECT i, 1 FROM generate_series(1, 5) AS i;
INSERT INTO flag SELECT i, 'x' FROM generate_series(1, 5) AS i;
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE plain;
CREATE TEMP TABLE flag_aside ON COMMIT DROP AS TABLE flag;
DELETE FROM plain WHERE id <> 3;
INSERT INTO plain SELECT * FROM aside WHERE id NOT IN (3, 5);
INSERT INTO flag SELECT * FROM flag_aside WHERE mail_id IN (1, 2);
COMMIT;
SELECT * FROM told('plain', 3);
-- Where the message is there, that is told as ever
INSERT INTO plain (id, mailbox_id, uid) VALUES (9, 1, 1);
WITH gone AS (DELETE FROM plain WHERE id IN (1, 2) RETURNING *)
INSERT INTO plain (id, mailbox_id, uid) SELECT id, mailbox_id, CASE uid WHEN 2 THEN 3 ELSE uid END FROM gone;
WITH gone AS (DELETE FROM plain WHERE id IN (1, 2) RETURNING *)
INSERT INTO plain (id, mailbox_id, uid) SELECT id, mailbox_id, CASE uid WHEN 2 THEN 3 ELSE uid END FROM gone
ON CONFLICT (mailbox_id, uid) DO NOTHING;
SELECT * FROM told('plain', 3);
-- Two that change their UIDs with each other do not return
BEGIN;
DELETE FROM plain WHERE id = 3;
UPDATE plain SET uid = 3 WHERE id = 1;
ROLLBACK;

-- The query that puts a message back deletes its mailbox, which is remembered: what had vanished does not come back
CREATE TABLE box3 (id int PRIMARY KEY);
CREATE TABLE mail3 (id int PRIMARY KEY, mailbox_id int NOT NULL, state int, expunged boolean GENERATED ALWAYS AS (state = 1) STORED);
SELECT modseq.attach('mail3', 'box3', counters => 'mailbox', message_mailbox => '{mailbox_id}', message_expunged => 'expunged');
INSERT INTO box3 (id) VALUES (1);
INSERT INTO mail3 (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 5) AS i;
DELETE FROM mail3 WHERE id = 1;
BEGIN;
DELETE FROM mail3 WHERE id = 2;
WITH m AS (DELETE FROM box3 WHERE id = 1) INSERT INTO mail3 (id, mailbox_id, uid) VALUES (9, 1, 1);
ROLLBACK;
-- Whether it is expunged is known when it is there: so it comes back, and a live one is refused then
UPDATE mail3 SET state = 1 WHERE id IN (2, 3);
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS TABLE mail3;
DELETE FROM mail3 WHERE id IN (2, 3);
INSERT INTO mail3 (id, mailbox_id, state, uid) SELECT id, mailbox_id, state, uid FROM aside WHERE id = 2;
SAVEPOINT a;
INSERT INTO mail3 (id, mailbox_id, state, uid) SELECT id, mailbox_id, 0, uid FROM aside WHERE id = 3;
ROLLBACK TO a;
COMMIT;
INSERT INTO mail3 (id, mailbox_id, uid) VALUES (8, 1, 1);
SELECT * FROM told('mail3', 4);

-- Many, in the order of nothing: as many steps as messages
INSERT INTO plain SELECT i, 1 FROM generate_series(101, 5000) AS i;
WITH gone AS (DELETE FROM plain WHERE id > 100 RETURNING *)
INSERT INTO plain SELECT gone.* FROM gone ORDER BY hashint4(id);
SELECT uidnext, highest, count(*), max(problem) FROM told('plain'), plain GROUP BY 1, 2;

-- Triggers take out what arrives in the statement that they fire for, and put it back
CREATE TABLE room (id int PRIMARY KEY);
CREATE TABLE note (id int GENERATED ALWAYS AS IDENTITY, room_id int NOT NULL REFERENCES room, what text NOT NULL DEFAULT '', seen boolean NOT NULL DEFAULT false,
	deleted boolean NOT NULL DEFAULT false);
SELECT modseq.attach('note', 'room', message_flags => '{seen}', message_expunged => 'deleted');
CREATE FUNCTION rearrange() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	room CONSTANT int := NEW.room_id;
	given CONSTANT bigint := NEW.uid;
BEGIN
	IF pg_trigger_depth() > 1 OR NEW.what = '' THEN
		RETURN NULL;
	END IF;
	IF NEW.what ~ 'query' THEN
		WITH d AS (DELETE FROM note WHERE room_id = room AND uid = given RETURNING *)
		INSERT INTO note (room_id, seen, uid) SELECT room_id, NOT seen, uid FROM d;
	END IF;
	IF NEW.what ~ 'statements' THEN
		DELETE FROM note WHERE room_id = room AND uid = given;
		INSERT INTO note (room_id, uid, what) VALUES (room, given, 'back');
	END IF;
	IF NEW.what ~ 'block' THEN
		BEGIN
			DELETE FROM note WHERE room_id = room AND uid = given;
			INSERT INTO note (room_id, uid) VALUES (room, given);
			IF NEW.what ~ 'fails' THEN
				RAISE division_by_zero;
			END IF;
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END IF;
	IF NEW.what ~ 'out' THEN
		DELETE FROM note WHERE room_id = room AND uid = given;
		BEGIN
			INSERT INTO note (room_id, uid) VALUES (room, given);
			IF NEW.what ~ 'fails' THEN
				RAISE division_by_zero;
			END IF;
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END IF;
	IF NEW.what ~ 'uid' THEN
		UPDATE note SET uid = given + 5 WHERE room_id = room AND uid = given;
		UPDATE note SET uid = given WHERE room_id = room AND uid = given + 5;
	END IF;
	IF NEW.what ~ 'soft' THEN
		UPDATE note SET deleted = true WHERE room_id = room AND uid = given;
		DELETE FROM note WHERE room_id = room AND uid = given;
		INSERT INTO note (room_id, uid) VALUES (room, given);
	END IF;
	IF NEW.what ~ 'expunged' THEN
		DELETE FROM note WHERE room_id = room AND uid = given;
		INSERT INTO note (room_id, uid, deleted) VALUES (room, given, true);
	END IF;
	IF NEW.what ~ 'again' THEN
		DELETE FROM note WHERE room_id = room AND uid = given;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER rearrange AFTER INSERT OR UPDATE ON note FOR EACH ROW EXECUTE FUNCTION rearrange();
CREATE PROCEDURE rearrange_all() LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO room VALUES (1), (2);
	INSERT INTO note (room_id) VALUES (1), (1), (2);
	COMMIT;
	UPDATE note SET room_id = 2, what = 'query' WHERE room_id = 1 AND uid = 1;
	COMMIT;
	INSERT INTO note (room_id, what) VALUES (1, 'query'), (2, 'statements'), (1, 'block'), (2, 'block, fails'), (1, 'out'), (2, 'out, fails');
	COMMIT;
	INSERT INTO note (room_id, what) VALUES (1, 'soft'), (2, 'expunged'), (1, 'statements, again'), (2, 'query, statements, block');
	COMMIT;
	-- With UIDs of their own
	INSERT INTO note (room_id, uid, what) VALUES (1, 50, 'query'), (2, 70, 'statements, again'), (1, 60, 'statements');
	COMMIT;
	-- What had arrived in a statement before
	INSERT INTO note (room_id) VALUES (1);
	INSERT INTO note (room_id, what) VALUES (1, 'block');
	UPDATE note SET what = 'query' WHERE room_id = 1 AND uid IN (61, 62);
	BEGIN
		UPDATE note SET what = 'out' WHERE room_id = 1 AND uid = 61;
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END;
	COMMIT;
END
$$;
\set look 'SELECT mailbox[1]::int AS room, uidnext, highest, live, vanished FROM state(\'note\'); SELECT * FROM modseq.check(\'note\');'
CALL rearrange_all();
:look
-- One that was there before, too
CREATE FUNCTION renew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN
		DELETE FROM note WHERE room_id = 1 AND uid = 2;
		INSERT INTO note (room_id, uid) VALUES (1, 2);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER renew AFTER INSERT ON note FOR EACH ROW WHEN (NEW.what = 'renew') EXECUTE FUNCTION renew();
INSERT INTO note (room_id, what) VALUES (1, 'renew');
DROP TRIGGER renew ON note;
-- To another UID and back
INSERT INTO note (room_id, what) VALUES (1, 'uid');
:look
-- Where no index tells UIDs apart: in partitions, between which it moves; with a log of changes
DROP TABLE note, note_vanished, note_mailbox, room;
CREATE TABLE room (id int PRIMARY KEY);
CREATE TABLE note (id int GENERATED ALWAYS AS IDENTITY, room_id int NOT NULL REFERENCES room, what text NOT NULL DEFAULT '', seen boolean NOT NULL DEFAULT false,
	deleted boolean NOT NULL DEFAULT false) PARTITION BY LIST (deleted);
CREATE TABLE note_live PARTITION OF note FOR VALUES IN (false);
CREATE TABLE note_gone PARTITION OF note FOR VALUES IN (true);
SELECT modseq.attach('note', 'room', message_flags => '{seen}', message_expunged => 'deleted', changes => 'log');
CREATE TRIGGER rearrange AFTER INSERT OR UPDATE ON note FOR EACH ROW EXECUTE FUNCTION rearrange();
CALL rearrange_all();
:look
CREATE TRIGGER renew AFTER INSERT ON note FOR EACH ROW WHEN (NEW.what = 'renew') EXECUTE FUNCTION renew();
INSERT INTO note (room_id, what) VALUES (1, 'renew');
:look
-- Nothing comes back that did not go
DROP TRIGGER renew ON note;
CREATE OR REPLACE FUNCTION renew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN
		DELETE FROM note WHERE room_id = 1 AND uid = 2;
		INSERT INTO note (room_id, uid) VALUES (1, 1);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER renew AFTER INSERT ON note FOR EACH ROW WHEN (NEW.what = 'renew') EXECUTE FUNCTION renew();
INSERT INTO note (room_id, what) VALUES (1, 'renew');
:look

-- The same of memberships, with accounts
CREATE TABLE label (id int PRIMARY KEY, owner text NOT NULL);
CREATE TABLE email (id int PRIMARY KEY, seen boolean NOT NULL DEFAULT false);
CREATE TABLE labelled (email_id int NOT NULL REFERENCES email, label_id int NOT NULL REFERENCES label, PRIMARY KEY (email_id, label_id));
SELECT modseq.attach('labelled', 'label', 'email', message_mailbox => '{label_id}', message_key => '{email_id}', flag_message => '{id}', flag_columns => '{seen}',
	account => '{owner}', email => 'email_id');
INSERT INTO label VALUES (1, 'ann'), (2, 'ann');
INSERT INTO email SELECT generate_series(1, 3);
INSERT INTO labelled VALUES (1, 1), (2, 1), (3, 2);
CREATE TEMP TABLE before AS SELECT * FROM modseq.account_state('labelled', 'ann');
CREATE FUNCTION replace_label() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN
		DELETE FROM labelled WHERE email_id = NEW.email_id AND label_id = NEW.label_id;
		INSERT INTO labelled (email_id, label_id, uid) VALUES (NEW.email_id, NEW.label_id, NEW.uid);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER replace AFTER INSERT OR UPDATE ON labelled FOR EACH ROW EXECUTE FUNCTION replace_label();
INSERT INTO labelled VALUES (3, 1);
UPDATE labelled SET label_id = 2 WHERE email_id = 1;
SELECT mailbox[1]::int AS label, uidnext, highest, live, vanished FROM state('labelled');
SELECT c.verdict, c.created, c.updated, c.destroyed FROM before, modseq.email_changes('labelled', 'ann', before.email) c;
SELECT * FROM modseq.check('labelled');
DROP TABLE before;

DROP SCHEMA t_returned CASCADE;
