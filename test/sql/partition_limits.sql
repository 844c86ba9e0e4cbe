--
-- Partitions that come, where what must be written cannot be: a trigger or rule keeps rows as they are, or numbers have
-- come to their end. Either it is right, or an error says so and nothing is done. Rules "arrivals" and "whole errors"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition_limits;
SET search_path = t_partition_limits;
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set failure :test /include/failure.sql
\i :failure
\pset format unaligned
\pset tuples_only on

-- What becomes of an ATTACH PARTITION, which is undone: how the messages are then, or the error
CREATE FUNCTION outcome(store regclass, command text) RETURNS text
LANGUAGE sql AS $$
	SELECT failure(format('DO %L', format(
		'BEGIN %s; RAISE ''%%'', shown(%L) USING ERRCODE = ''MS001''; END', command, store)))
$$;
CREATE FUNCTION shown(store regclass) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(s::text, E'\n') FROM checked_state(store, 'id', 'uid', 'modseq') AS s
$$;

--
-- Messages that are kept from getting new numbers
--
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int, box_id int, part int, seen boolean) PARTITION BY LIST (part);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES IN (2, 3) PARTITION BY LIST (part);
CREATE TABLE mail_22 PARTITION OF mail_2 FOR VALUES IN (2);
CREATE TABLE mail_23 PARTITION OF mail_2 FOR VALUES IN (3);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail SELECT i, 1, 2 + i % 2 FROM generate_series(1, 4) AS i;
ALTER TABLE mail DETACH PARTITION mail_2;
\set again 'SELECT outcome(\'mail\', \'ALTER TABLE mail ATTACH PARTITION mail_2 FOR VALUES IN (2, 3)\');'
:again

-- By a trigger of the partition, of a partition of it, and of the whole table
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN new.id <> 3 THEN new END; END $$;
CREATE TRIGGER skip BEFORE UPDATE ON mail_2 FOR EACH ROW EXECUTE FUNCTION skip();
:again
DROP TRIGGER skip ON mail_2;
CREATE TRIGGER zz_skip BEFORE UPDATE ON mail_23 FOR EACH ROW EXECUTE FUNCTION skip();
:again
DROP TRIGGER zz_skip ON mail_23;
CREATE TRIGGER skip BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION skip();
:again
DROP TRIGGER skip ON mail;
-- By one that puts all back: before ours, which sets them then, and after it
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN new.id = 3 THEN old ELSE new END; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON mail_2 FOR EACH ROW EXECUTE FUNCTION keep();
:again
ALTER TRIGGER keep ON mail_2 RENAME TO zzz_keep;
:again
DROP TRIGGER zzz_keep ON mail_2;
-- By a rule
CREATE RULE keep AS ON UPDATE TO mail_2 DO INSTEAD NOTHING;
:again
DROP RULE keep ON mail_2;
CREATE TABLE log (id int, uid bigint);
INSERT INTO log SELECT i FROM generate_series(1, 4) AS i;
CREATE RULE keep AS ON UPDATE TO mail_2 DO INSTEAD UPDATE log SET uid = old.uid WHERE id = old.id;
:again
DROP RULE keep ON mail_2;
-- It is none that the trigger has removed, or has written itself
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() > 1 THEN
		RETURN new;
	ELSIF new.id = 2 THEN
		DELETE FROM mail_2 WHERE id = 2;
		RETURN NULL;
	ELSIF new.id = 3 THEN
		UPDATE mail_2 SET seen = true WHERE id = 3;
		RETURN NULL;
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER instead BEFORE UPDATE ON mail_2 FOR EACH ROW EXECUTE FUNCTION instead();
:again
DROP TRIGGER instead ON mail_2;

--
-- Messages, at the end of UIDs and mod-sequences
--
UPDATE mail_2 SET uid = uid + 4294967291;
:again
UPDATE mail_2 SET uid = uid - 1;
:again
UPDATE mail_2 SET uid = uid - 3;
:again
UPDATE mail_2 SET uid = 9223372036854775807 WHERE id = 4;
:again
UPDATE mail_2 SET uid = id, box_id = 2;
UPDATE mail_mailbox SET uidnext = 4294967293 WHERE id = 2;
:again
UPDATE mail_mailbox SET uidnext = 4294967294 WHERE id = 2;
:again
UPDATE mail_2 SET box_id = 1 WHERE id > 2;
:again
UPDATE mail_2 SET box_id = 1;
UPDATE mail_mailbox SET highestmodseq = 9223372036854775806 WHERE id = 1;
:again
UPDATE mail_mailbox SET highestmodseq = 9223372036854775807 WHERE id = 1;
:again
-- A mailbox of messages that come may have the last UIDVALIDITY
INSERT INTO box VALUES (4);
UPDATE mail_mailbox SET uidvalidity = 4294967295 WHERE id = 4;
UPDATE mail_2 SET box_id = 4, uid = id;
:again
SELECT uidvalidity FROM mail_mailbox WHERE id = 4;

-- A UID in a column that is too small
CREATE TABLE tray (id int PRIMARY KEY);
CREATE TABLE small (id int, tray_id int, part int, uid int) PARTITION BY LIST (part);
CREATE TABLE small_1 PARTITION OF small FOR VALUES IN (1);
SELECT modseq.attach('small', 'tray', message_flags => '{}');
INSERT INTO tray VALUES (1);
CREATE TABLE small_2 (LIKE small INCLUDING CONSTRAINTS);
INSERT INTO small_2 VALUES (1, 1, 2, 2147483647, 1);
SELECT outcome('small', 'ALTER TABLE small ATTACH PARTITION small_2 FOR VALUES IN (2)');

--
-- Mailboxes, each of which gets a new UIDVALIDITY
--
CREATE TABLE folder (id int, uidvalidity bigint, uidnext bigint, highestmodseq bigint, PRIMARY KEY (id)) PARTITION BY LIST (id);
CREATE TABLE folder_1 PARTITION OF folder FOR VALUES IN (1);
CREATE TABLE folder_2 (LIKE folder INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE msg (id int, folder_id int, uid bigint, created_modseq bigint);
SELECT modseq.attach('msg', 'folder', message_flags => '{}');
ALTER TABLE folder_2 ALTER uidvalidity SET NOT NULL;
\set again 'SELECT outcome(\'msg\', \'ALTER TABLE folder ATTACH PARTITION folder_2 FOR VALUES IN (2, 3)\');'
INSERT INTO folder_2 VALUES (2, 7, 3, 1), (3, 4294967294, 1, 1);
:again
UPDATE folder_2 SET uidvalidity = 4294967295 WHERE id = 3;
:again
UPDATE folder_2 SET uidvalidity = 5000000000 WHERE id = 3;
:again
UPDATE folder_2 SET uidvalidity = 0, uidnext = 4294967296, highestmodseq = 9223372036854775806;
:again
UPDATE folder_2 SET highestmodseq = 9223372036854775807 WHERE id = 3;
:again
CREATE TABLE dir (id int, uidvalidity int, uidnext int, highestmodseq bigint, PRIMARY KEY (id)) PARTITION BY LIST (id);
CREATE TABLE dir_1 PARTITION OF dir FOR VALUES IN (1);
CREATE TABLE doc (id int, dir_id int, uid bigint);
SELECT modseq.attach('doc', 'dir', message_flags => '{}');
CREATE TABLE dir_2 (LIKE dir INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO dir_2 VALUES (2, 2147483647, 1, 1);
SELECT outcome('doc', 'ALTER TABLE dir ATTACH PARTITION dir_2 FOR VALUES IN (2)');

--
-- Mailboxes that come to messages which are there: they count on above them, and above what had vanished
--
DROP TABLE folder_2;
CREATE TABLE folder_2 PARTITION OF folder FOR VALUES IN (2, 3);
INSERT INTO folder (id) VALUES (2), (3);
INSERT INTO msg (id, folder_id) SELECT i, 2 + i % 2 FROM generate_series(1, 6) AS i;
DELETE FROM msg WHERE id = 6;
SELECT shown('msg');
-- As they were
SELECT outcome('msg', 'ALTER TABLE folder DETACH PARTITION folder_2; ALTER TABLE folder ATTACH PARTITION folder_2 FOR VALUES IN (2, 3)');
ALTER TABLE folder DETACH PARTITION folder_2;
DELETE FROM msg WHERE id = 5;
:again
-- With lower numbers, or none
UPDATE folder_2 SET uidnext = 1, highestmodseq = 1;
:again
UPDATE folder_2 SET uidvalidity = 0, uidnext = NULL, highestmodseq = NULL;
:again
-- With higher ones, and no UIDVALIDITY
UPDATE folder_2 SET uidnext = 10, highestmodseq = 20;
:again
ALTER TABLE folder ATTACH PARTITION folder_2 FOR VALUES IN (2, 3);
INSERT INTO msg (id, folder_id) VALUES (7, 2), (8, 3);
SELECT shown('msg');
DROP SCHEMA t_partition_limits CASCADE;
