--
-- Triggers that write to the same tables, also in an EXCEPTION block, which is a subtransaction: what they
-- take back leaves no trace
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_transactions;
SET search_path = t_transactions;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set mail :test /include/mail.sql
\i :mail

DO $$
BEGIN
	INSERT INTO mail (mailbox_id) VALUES (1);
	BEGIN
		INSERT INTO mail (mailbox_id) VALUES (1), (2);
		UPDATE mail SET seen = true;
		RAISE 'back';
	EXCEPTION WHEN raise_exception THEN
		INSERT INTO mail (mailbox_id) VALUES (2);
	END;
	BEGIN
		INSERT INTO mail (mailbox_id) VALUES (1);
	EXCEPTION WHEN others THEN
		RAISE 'unexpected';
	END;
	UPDATE mail SET seen = true WHERE uid = 1;
END $$;
:mailboxes
-- In a trigger, so in the middle of a statement: what the trigger takes back leaves no trace, and what it
-- leaves is part of that statement, and shares its value
CREATE FUNCTION nested() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO mail (mailbox_id, subject) VALUES (1, 'taken back');
		DELETE FROM mail WHERE mailbox_id = 1 AND uid = 1;
		RAISE 'back';
	EXCEPTION WHEN raise_exception THEN NULL;
	END;
	BEGIN
		INSERT INTO mail (mailbox_id, subject) VALUES (1, 'left');
	EXCEPTION WHEN raise_exception THEN NULL;
	END;
	RETURN new;
END $$;
CREATE TRIGGER nested AFTER INSERT ON mail FOR EACH ROW WHEN (new.subject = 'outer') EXECUTE FUNCTION nested();
INSERT INTO mail (mailbox_id, subject) VALUES (1, 'outer'), (1, 'outer');
:mailboxes
SELECT uid, modseq, subject FROM mail WHERE subject IS NOT NULL ORDER BY uid;
DROP TRIGGER nested ON mail;
-- The same before the row goes in: UIDs of the two do not meet
CREATE TRIGGER a_nested BEFORE INSERT ON mail FOR EACH ROW WHEN (new.subject = 'before') EXECUTE FUNCTION nested();
INSERT INTO mail (mailbox_id, subject) VALUES (1, 'before'), (2, 'other'), (1, 'before');
SELECT mailbox_id AS box, uid, modseq, subject FROM mail WHERE uid > 6 OR subject = 'other' ORDER BY mailbox_id, uid;
:mailboxes
ALTER TRIGGER a_nested ON mail RENAME TO zzz_nested;
INSERT INTO mail (mailbox_id, subject) VALUES (1, 'before'), (1, 'before');
SELECT mailbox_id AS box, uid, modseq, subject FROM mail WHERE uid > 10 ORDER BY mailbox_id, uid;
:mailboxes
DROP TRIGGER zzz_nested ON mail;
-- And while a statement is completed: fired by the update with which we stamp
CREATE TRIGGER nested AFTER UPDATE ON mail FOR EACH ROW WHEN (new.modseq <> old.modseq) EXECUTE FUNCTION nested();
INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE uid = 2;
SELECT mailbox_id AS box, uid, modseq, subject FROM mail WHERE uid > 14 OR uid = 2 ORDER BY mailbox_id, uid;
:mailboxes
DROP TRIGGER nested ON mail;
SELECT * FROM modseq.check('mail');

--
-- An EXCEPTION block of a BEFORE trigger that changes the very message which the statement is about to write
--
BEGIN;
CREATE FUNCTION mirror() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO mail_flag VALUES (new.id, '$Mirror');
		BEGIN
			INSERT INTO mail_flag VALUES (new.id, '$Deeper');
			DELETE FROM mail WHERE mailbox_id = 1 AND uid = 3;
			RAISE 'back';
		EXCEPTION WHEN raise_exception THEN
			DELETE FROM mail WHERE mailbox_id = 1 AND uid = 4;
			INSERT INTO mail (mailbox_id) VALUES (2);
		END;
	EXCEPTION WHEN unique_violation THEN NULL;
	END;
	RETURN new;
END $$;
CREATE TRIGGER mirror BEFORE UPDATE OF seen ON mail FOR EACH ROW EXECUTE FUNCTION mirror();
UPDATE mail SET seen = seen IS NOT TRUE WHERE mailbox_id = 1 AND uid IN (5, 6);
:mailboxes
SELECT uid, flag FROM mail JOIN mail_flag ON mail_id = id WHERE mailbox_id = 1 ORDER BY uid;
-- The same under the lock, by an upsert and a MERGE, and in an outer savepoint
SELECT FROM modseq.lock('mail', 1);
SAVEPOINT s;
INSERT INTO mail (id, mailbox_id) SELECT id, 1 FROM mail WHERE mailbox_id = 1 AND uid = 7
	ON CONFLICT (id) DO UPDATE SET seen = true;
RELEASE s;
:mailboxes
SAVEPOINT s;
MERGE INTO mail USING (VALUES (8), (9)) AS v (uid) ON mail.mailbox_id = 1 AND mail.uid = v.uid
	WHEN MATCHED THEN UPDATE SET seen = true;
ROLLBACK TO s;
UPDATE mail SET mailbox_id = 2, seen = true WHERE mailbox_id = 1 AND uid = 10;
:mailboxes
SELECT * FROM modseq.check('mail');
ROLLBACK;

--
-- Triggers that write to the same tables: part of the statement that fires them, and share its value
--
-- A filter that files copies, flags what arrives, and expunges the oldest
CREATE FUNCTION filter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail (mailbox_id, subject) VALUES (2, 'copy of ' || new.uid);
	INSERT INTO mail_flag VALUES (new.id, '$Filtered');
	UPDATE mail SET seen = true WHERE id = new.id;
	DELETE FROM mail WHERE mailbox_id = 1 AND uid = (SELECT min(uid) FROM mail WHERE mailbox_id = 1);
	RETURN NULL;
END $$;
CREATE TRIGGER filter AFTER INSERT ON mail FOR EACH ROW WHEN (new.subject = 'filter') EXECUTE FUNCTION filter();
INSERT INTO mail (mailbox_id, subject) VALUES (1, 'filter'), (1, 'filter');
:mailboxes
DROP TRIGGER filter ON mail;
-- One that fires on our own UPDATE, which stamps, and changes more
CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.modseq <> old.modseq AND new.uid < 20 THEN
		INSERT INTO mail_flag SELECT id, '$More' FROM mail WHERE mailbox_id = 2 AND uid = 1 ON CONFLICT DO NOTHING;
		DELETE FROM mail WHERE mailbox_id = 2 AND uid = 3;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER more AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION more();
INSERT INTO mail_flag SELECT id, '\Answered' FROM mail WHERE mailbox_id = 2 AND uid = 2;
:mailboxes
DROP TRIGGER more ON mail;
-- One that fires on our UPDATE in one mailbox and expunges from another whose vanished UIDs are written already:
-- a value that is written is closed, so these get the next
CREATE FUNCTION reap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM mail WHERE mailbox_id = 1 AND uid IN (4, 6);
	RETURN NULL;
END $$;
CREATE TRIGGER reap AFTER UPDATE ON mail FOR EACH ROW
	WHEN (new.mailbox_id = 2 AND new.modseq <> old.modseq) EXECUTE FUNCTION reap();
WITH flagged AS (INSERT INTO mail_flag SELECT id, '$Reap' FROM mail WHERE mailbox_id = 2 AND uid = 2)
DELETE FROM mail WHERE mailbox_id = 1 AND uid IN (3, 5);
:mailboxes
DROP TRIGGER reap ON mail;
-- One on the mailbox that fires when we write its counters: a quota, which expunges the oldest
CREATE FUNCTION quota() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM mail WHERE mailbox_id = new.id AND uid NOT IN (
		SELECT uid FROM mail WHERE mailbox_id = new.id ORDER BY uid DESC LIMIT 3);
	RETURN NULL;
END $$;
CREATE TRIGGER quota AFTER UPDATE ON mail_mailbox FOR EACH ROW EXECUTE FUNCTION quota();
INSERT INTO mail (mailbox_id) VALUES (1), (2);
:mailboxes
INSERT INTO mail (mailbox_id) VALUES (1);
:mailboxes
DROP TRIGGER quota ON mail_mailbox;
SELECT * FROM modseq.check('mail');
-- One that keeps the mailbox's counts of messages in its row
ALTER TABLE mailbox ADD messages int NOT NULL DEFAULT 0;
CREATE FUNCTION count_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP <> 'INSERT' THEN UPDATE mailbox SET messages = messages - 1 WHERE id = old.mailbox_id; END IF;
	IF TG_OP <> 'DELETE' THEN UPDATE mailbox SET messages = messages + 1 WHERE id = new.mailbox_id; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER count_messages AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH ROW EXECUTE FUNCTION count_messages();
INSERT INTO mail (mailbox_id) VALUES (1), (2), (1);
UPDATE mail SET mailbox_id = 2 WHERE mailbox_id = 1 AND modseq = (SELECT highestmodseq FROM mail_mailbox WHERE id = 1);
DELETE FROM mail WHERE mailbox_id = 2 AND modseq = (SELECT highestmodseq FROM mail_mailbox WHERE id = 2);
SELECT id, messages FROM mailbox ORDER BY id;
:mailboxes
DROP TRIGGER count_messages ON mail;
SELECT * FROM modseq.check('mail');

--
-- UIDs of a statement are its own from when it hands them out, though no row has them yet
--
-- A nested statement is completed, and another one comes, while the rows of the outer one are yet to be collected
CREATE FUNCTION nested_twice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		UPDATE mail SET seen = NOT coalesce(seen, false) WHERE mailbox_id = new.mailbox_id AND subject = 'first';
		INSERT INTO mail (mailbox_id, subject) VALUES (new.mailbox_id, 'nested');
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	RETURN new;
END $$;
INSERT INTO mailbox (id) VALUES (5);
INSERT INTO mail (mailbox_id, subject) VALUES (5, 'first');
CREATE TRIGGER nested_twice AFTER INSERT ON mail FOR EACH ROW WHEN (new.subject = 'outer') EXECUTE FUNCTION nested_twice();
INSERT INTO mail (mailbox_id, subject) VALUES (5, 'outer'), (5, 'outer');
SELECT uid, modseq, subject FROM mail WHERE mailbox_id = 5 ORDER BY uid;
DROP TRIGGER nested_twice ON mail;
CREATE TRIGGER zzz_nested_twice BEFORE INSERT ON mail FOR EACH ROW WHEN (new.subject = 'outer') EXECUTE FUNCTION nested_twice();
INSERT INTO mail (mailbox_id, subject) VALUES (5, 'outer'), (5, 'outer');
SELECT uid, modseq, subject FROM mail WHERE mailbox_id = 5 AND uid > 5 ORDER BY uid;
DROP TRIGGER zzz_nested_twice ON mail;
:mailboxes
SELECT * FROM modseq.check('mail');

-- Where no unique index can be, no nested statement can choose a UID that the outer one has handed out
CREATE TABLE daily (id int, mailbox_id bigint NOT NULL, day int, subject text) PARTITION BY RANGE (day);
CREATE TABLE daily_1 PARTITION OF daily FOR VALUES FROM (0) TO (10);
CREATE TABLE daily_2 PARTITION OF daily FOR VALUES FROM (10) TO (20);
CREATE TABLE daily_mailbox (id bigint PRIMARY KEY);
SELECT modseq.attach('daily', 'daily_mailbox', message_mailbox => '{mailbox_id}', message_flags => '{}');
INSERT INTO daily_mailbox VALUES (1);
INSERT INTO daily VALUES (1, 1, 1);
CREATE FUNCTION nested_given() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO daily (id, mailbox_id, day, uid) VALUES (100 + new.id, new.mailbox_id, 11, new.uid);
	EXCEPTION WHEN invalid_parameter_value THEN
		RAISE WARNING '%', sqlerrm;
	END;
	RETURN new;
END $$;
CREATE TRIGGER zzz_nested_given BEFORE INSERT ON daily_1 FOR EACH ROW EXECUTE FUNCTION nested_given();
INSERT INTO daily VALUES (2, 1, 1), (3, 1, 1);
DROP TRIGGER zzz_nested_given ON daily_1;
CREATE TRIGGER zzz_nested_given AFTER INSERT ON daily_1 FOR EACH ROW EXECUTE FUNCTION nested_given();
INSERT INTO daily VALUES (4, 1, 1), (5, 1, 1);
SELECT id, uid, modseq FROM daily ORDER BY uid, id;
SELECT * FROM modseq.check('daily');

--
-- Cascades that come back to the messages: PostgreSQL fires the triggers after the statement once more, without those
-- before it. The INSERT whose trigger causes that is not over by then
--
CREATE TABLE thread (id bigint PRIMARY KEY, first_id bigint);
CREATE TABLE box (id bigint PRIMARY KEY, name text);
CREATE TABLE post (
	id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box,
	thread_id bigint REFERENCES thread ON DELETE CASCADE, seen boolean);
ALTER TABLE thread ADD FOREIGN KEY (first_id) REFERENCES post ON DELETE CASCADE;
SELECT modseq.attach('post', 'box') \g /dev/null
INSERT INTO box (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE FUNCTION drop_thread() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM post WHERE id = (SELECT min(first_id) FROM thread);
	RETURN new;
END $$;
CREATE FUNCTION threads() RETURNS void LANGUAGE sql AS $$
	INSERT INTO thread SELECT i FROM generate_series(1, 3) AS i;
	INSERT INTO post SELECT 10 * i + j, 1, i FROM generate_series(1, 3) AS i, generate_series(0, 2) AS j;
	UPDATE thread SET first_id = id * 10;
$$;
SELECT FROM threads() \g /dev/null
\set posts 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'post\', \'id\', \'uid\', \'modseq\');'
:posts
CREATE TRIGGER a_drop BEFORE INSERT ON post FOR EACH ROW WHEN (new.id > 100 AND new.id % 2 = 0) EXECUTE FUNCTION drop_thread();
INSERT INTO post SELECT i, 1 + i % 2 FROM generate_series(101, 106) AS i;
:posts
DROP TRIGGER a_drop ON post;
SELECT FROM threads() \g /dev/null
CREATE TRIGGER a_drop BEFORE UPDATE ON post FOR EACH ROW WHEN (old.id > 100 AND old.id % 2 = 0) EXECUTE FUNCTION drop_thread();
UPDATE post SET seen = true, box_id = 3 WHERE id > 100;
:posts
UPDATE post SET seen = false WHERE id > 103;
:posts
DROP TRIGGER a_drop ON post;

--
-- A trigger that flags another message of the mailbox, in an EXCEPTION block: both have the statement's mod-sequence
--
CREATE TABLE note_box (id int PRIMARY KEY);
CREATE TABLE note (id int PRIMARY KEY, box_id int NOT NULL, seen boolean);
CREATE TABLE note_flag (box_id int, uid bigint, flag text);
SELECT modseq.attach('note', 'note_box', 'note_flag', message_mailbox => '{box_id}', message_flags => '{seen}', flag_mailbox => '{box_id}', flag_uid => 'uid') \g /dev/null
INSERT INTO note_box VALUES (1);
INSERT INTO note VALUES (1, 1), (2, 1), (3, 1);
CREATE FUNCTION flag_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO note_flag VALUES (new.box_id, new.uid + 1, 'x');
	EXCEPTION WHEN unique_violation THEN
		NULL;
	END;
	RETURN new;
END $$;
CREATE TRIGGER flag_other AFTER UPDATE OF seen ON note FOR EACH ROW EXECUTE FUNCTION flag_other();
UPDATE note SET seen = true WHERE id = 1;
SELECT * FROM told('note');
DROP TRIGGER flag_other ON note;
CREATE TRIGGER flag_other BEFORE UPDATE OF seen ON note FOR EACH ROW EXECUTE FUNCTION flag_other();
BEGIN;
UPDATE note SET seen = false WHERE id = 2;
UPDATE note SET seen = false WHERE id = 1;
COMMIT;
SELECT * FROM told('note');

DROP SCHEMA t_transactions CASCADE;
