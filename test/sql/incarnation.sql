--
-- Incarnations: after a loss, no number is handed out that clients may have seen
--
-- A server that is promoted, or restored, counts from a number on that the one before it cannot have reached. Here
-- modseq.recovered() begins such a life; rows are planted to have numbers that a test can show.
--
\set ON_ERROR_STOP 0
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA incarnation;
SET search_path = incarnation;

-- Another one that begins: its mod-sequences are above that, and a mailbox leaves out so many UIDs
CREATE FUNCTION begins(modseq bigint, uid_gap bigint) RETURNS void LANGUAGE sql AS $$
	INSERT INTO modseq.incarnation
	SELECT c.system_identifier, w.timeline, d.oid, 'modseq.incarnation'::regclass, now(), modseq, uid_gap
	FROM pg_control_system() c, pg_database d, (SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint) w (timeline)
	WHERE d.datname = current_database()
$$;
\set J 3000000000000

-- That of CREATE EXTENSION has no limit
SELECT modseq, uid_gap, extension = 'modseq.incarnation'::regclass AS ours FROM modseq.incarnation;

CREATE TABLE mailbox (name text PRIMARY KEY);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mailbox text NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen}');
INSERT INTO mailbox VALUES ('a'), ('b'), ('c'), ('d'), ('e'), ('f'), ('g'), ('h');
INSERT INTO mail (mailbox) SELECT name FROM mailbox, generate_series(1, 3) ORDER BY name;
UPDATE mail SET seen = true WHERE uid = 1;
DELETE FROM mail WHERE uid = 2;

CREATE VIEW box AS
	SELECT b.name, s.uidnext, s.highestmodseq FROM mailbox b, modseq.status('mail', b.name) s ORDER BY name;
CREATE VIEW gone AS
	SELECT name, modseq, uids, lost FROM mail_vanished ORDER BY name, modseq;
CREATE FUNCTION answer(mailbox text, VARIADIC since bigint[]) RETURNS TABLE (since bigint, verdict text, vanished modseq.uidset, changed modseq.uidset)
LANGUAGE sql AS $$
	SELECT n, r.verdict, r.vanished, r.changed
	FROM unnest(answer.since) WITH ORDINALITY AS u (n, i),
		modseq.resync('mail', answer.mailbox, (SELECT uidvalidity FROM modseq.status('mail', answer.mailbox)), n) AS r
	ORDER BY i
$$;
SELECT * FROM box;
SELECT * FROM gone;

-- Another life begins: that changes nothing yet, and reading does not either
SELECT begins(:J, 10000);
SELECT * FROM box WHERE name = 'a';
SELECT * FROM answer('a', 4);

-- The first change of each kind: the numbers are past all that may have been given
INSERT INTO mail (mailbox) VALUES ('a');
UPDATE mail SET seen = NOT seen WHERE mailbox = 'b' AND uid = 1;
DELETE FROM mail WHERE mailbox = 'c' AND uid = 1;
UPDATE mail SET mailbox = 'e' WHERE mailbox = 'd' AND uid = 1;
SELECT modseq.touch('mail', 'f') = :J + 1 AS touched;
SELECT * FROM box;
SELECT * FROM gone WHERE modseq > :J;
SELECT mailbox, uid, modseq FROM mail ORDER BY mailbox, uid;

-- The next ones go on by ones
INSERT INTO mail (mailbox) VALUES ('a'), ('b'), ('c');
UPDATE mail SET seen = NOT seen WHERE uid = 3 AND mailbox < 'd';
SELECT * FROM box WHERE name < 'd';
SELECT * FROM gone WHERE modseq > :J + 1;

-- Who has seen no more than is there gets the changes; who has seen what is lost, all there is; up to and from where
SELECT * FROM answer('a', 3, 4, 5, :J, :J + 1, :J + 2, :J + 3, :J + 4);
SELECT * FROM answer('c', 4, 5, :J, :J + 1);

-- Who asks by a number that is lost gets all, and may store to nothing: also before the first change
CREATE FUNCTION known(mailbox text, VARIADIC numbers bigint[]) RETURNS TABLE (since bigint, changed modseq.uidset, vanished modseq.uidset, verdicts text)
LANGUAGE plpgsql AS $$
BEGIN
	FOREACH since IN ARRAY numbers LOOP
		changed := (SELECT modseq.uidset_agg(c.uid) FROM modseq.changed_since('mail', mailbox, since) c);
		vanished := modseq.vanished_since('mail', mailbox, since, '1:5000000');
		verdicts := (SELECT string_agg(u.uid || ' ' || u.verdict, ', ' ORDER BY u.uid) FROM modseq.unchanged_since('mail', mailbox, '1:4', since) u);
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM known('b', 3, 4, 5, :J, :J + 1, :J + 2, :J + 3, 9223372036854775807);
SELECT * FROM known('h', 3, 4, 5, :J, 9223372036854775807);
-- Nobody has written in that life: who reads does not
BEGIN;
UPDATE modseq.incarnation SET timeline = timeline + 1;
SELECT * FROM known('h', 4, 5);
SELECT max(modseq) = :J AS unwritten FROM modseq.incarnation;
ROLLBACK;

-- UIDs that the lost server may have given are not accepted, unless they are reserved anew
INSERT INTO mail (mailbox, uid) VALUES ('g', 4);
INSERT INTO mail (mailbox, uid) VALUES ('g', 10003);
INSERT INTO mail (mailbox, uid) VALUES ('g', 10004) RETURNING uid, modseq;
SELECT * FROM box WHERE name = 'g';
-- lock() says from where on
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 'h');
INSERT INTO mail (mailbox, uid) VALUES ('h', 10004) RETURNING uid, modseq;
COMMIT;
SELECT * FROM gone WHERE name = 'h';
SELECT * FROM modseq.check('mail');

-- Raising UIDNEXT reserves none that the lost server may have given: what raises it must know where they begin
SELECT begins(4500000000000, 10000);
BEGIN;
UPDATE mail_mailbox SET uidnext = uidnext + 2 WHERE name = 'h';
SAVEPOINT s;
INSERT INTO mail (mailbox, uid) VALUES ('h', 10005);
ROLLBACK TO s;
INSERT INTO mail (mailbox, uid) VALUES ('h', 10006);
ROLLBACK;
BEGIN;
SELECT uidnext FROM modseq.lock('mail', 'h');
UPDATE mail_mailbox SET uidnext = uidnext + 2 WHERE name = 'h' RETURNING uidnext - 2 AS first;
INSERT INTO mail (mailbox, uid) VALUES ('h', 20006);
COMMIT;
SELECT * FROM box WHERE name = 'h';
SELECT * FROM gone WHERE name = 'h';

-- Nor does a message return with one that was left out, reserved before or not: it was none that was taken out
SELECT begins(4700000000000, 10000);
BEGIN;
SELECT modseq.touch('mail', 'h') - 4700000000000 AS touched;
SAVEPOINT s;
INSERT INTO mail (mailbox, uid) VALUES ('h', 20008);
ROLLBACK TO s;
DELETE FROM mail WHERE mailbox = 'h' AND uid = 1;
INSERT INTO mail (mailbox, uid) VALUES ('h', 1) RETURNING uid;
INSERT INTO mail (mailbox, uid) VALUES ('h', 30006);
ROLLBACK;
BEGIN;
UPDATE mail_mailbox SET uidnext = uidnext + 2 WHERE name = 'h';
SELECT modseq.touch('mail', 'h') - 4700000000000 AS touched;
INSERT INTO mail (mailbox, uid) VALUES ('h', 20007);
ROLLBACK;

-- The application raises HIGHESTMODSEQ: by its own count, to a number that the lost server may have given, and once more
SELECT highestmodseq - 4500000000000 AS before FROM box WHERE name = 'h';
SELECT begins(4800000000000, 10000);
BEGIN;
UPDATE mail_mailbox SET highestmodseq = highestmodseq + 4 WHERE name = 'h';
SELECT * FROM box WHERE name = 'h';
SELECT * FROM gone WHERE name = 'h' AND modseq > 4800000000000;
UPDATE mail_mailbox SET highestmodseq = highestmodseq + 4, uidnext = uidnext + 1 WHERE name = 'h';
SELECT * FROM box WHERE name = 'h';
INSERT INTO mail (mailbox) VALUES ('h') RETURNING uid, modseq;
SELECT * FROM gone WHERE name = 'h' AND modseq > 4800000000000;
SELECT since - 4500000000000 AS since, verdict FROM answer('h', 4500000000002, 4500000000003, 4500000000006, 4500000000007, 4800000000000);
SELECT since - 4800000000000 AS since, verdict FROM answer('h', 4800000000001, 4800000000005);
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
UPDATE mail_mailbox SET highestmodseq = highestmodseq + 4, uidnext = uidnext + 2 WHERE name = 'h';
SELECT * FROM box WHERE name = 'h';
SELECT * FROM gone WHERE name = 'h' AND modseq > 4800000000000;
ROLLBACK;
-- To one that is above the incarnation's
BEGIN;
UPDATE mail_mailbox SET highestmodseq = 4800000000100 WHERE name = 'h';
SELECT * FROM box WHERE name = 'h';
INSERT INTO mail (mailbox) VALUES ('h') RETURNING uid, modseq;
SELECT * FROM gone WHERE name = 'h' AND modseq > 4800000000000;
SELECT since - 4800000000000 AS since, verdict FROM answer('h', 4500000000002, 4500000000003, 4800000000100, 4800000000101, 4800000000102);
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
SELECT modseq.touch('mail', 'h') - 4800000000000 AS touched;
UPDATE mail_mailbox SET highestmodseq = 4800000000100, uidnext = uidnext + 2 WHERE name = 'h';
SELECT modseq.touch('mail', 'h') - 4800000000000 AS touched;
SELECT * FROM gone WHERE name = 'h' AND modseq > 4800000000000;
ROLLBACK;
-- Beyond all that an incarnation counts: check() tells, and recovered() can go above that
BEGIN;
UPDATE mail_mailbox SET highestmodseq = 9007199254740992 WHERE name = 'h';
SET LOCAL client_min_messages = notice;
SELECT * FROM modseq.check('mail');
SELECT modseq.recovered(9007199254740992) > 9007199254740992 AS above;
SELECT modseq.touch('mail', 'h') > 9007199254740992 + (1::bigint << 32) AS above;
SELECT count(*) FROM modseq.lost('mail', 'h') WHERE last_modseq > 9007199254740992;
SELECT * FROM modseq.check('mail');
ROLLBACK;
SELECT modseq.recovered(NULL);

-- A new mailbox begins like that, too, and the hint helps there
INSERT INTO mailbox VALUES ('new');
INSERT INTO mail (mailbox, uid) VALUES ('new', 5);
BEGIN;
SELECT uidnext FROM modseq.lock('mail', 'new');
INSERT INTO mail (mailbox, uid) VALUES ('new', 10005) RETURNING uid;
INSERT INTO mail (mailbox) VALUES ('new') RETURNING uid;
ROLLBACK;
-- Who makes it may bring messages with their UIDs, in the same transaction; ours are past the gap, as ever
BEGIN;
INSERT INTO mailbox VALUES ('imported');
INSERT INTO mail (mailbox, uid) VALUES ('imported', 5), ('imported', 9) RETURNING uid, modseq - 4800000000000 AS modseq;
SAVEPOINT s;
INSERT INTO mail (mailbox, uid) VALUES ('imported', 5);
ROLLBACK TO s;
INSERT INTO mail (mailbox, uid) VALUES ('imported', 12), ('imported', 20000) RETURNING uid;
INSERT INTO mail (mailbox) VALUES ('imported') RETURNING uid;
SELECT modseq - 4800000000000 AS modseq, uids, lost FROM gone WHERE name = 'imported';
SELECT uids FROM modseq.lost('mail', 'imported');
SELECT * FROM modseq.check('mail');
COMMIT;
INSERT INTO mail (mailbox, uid) VALUES ('imported', 13);
-- Not into one that was there before, whatever it is called now, and whoever makes it anew; nor what was handed out
BEGIN;
UPDATE mailbox SET name = 'renamed' WHERE name = 'new';
INSERT INTO mail (mailbox, uid) VALUES ('renamed', 5);
ROLLBACK;
BEGIN;
DELETE FROM mailbox WHERE name = 'imported';
INSERT INTO mailbox VALUES ('imported');
INSERT INTO mail (mailbox, uid) VALUES ('imported', 5);
ROLLBACK;
BEGIN;
INSERT INTO mailbox VALUES ('made');
INSERT INTO mail (mailbox) VALUES ('made') RETURNING uid;
INSERT INTO mail (mailbox, uid) VALUES ('made', 5);
ROLLBACK;
DELETE FROM mailbox WHERE name IN ('new', 'imported');

-- What is rolled back has not begun; a savepoint neither
SELECT begins(2 * :J, 20000);
BEGIN;
SAVEPOINT s;
UPDATE mail SET seen = NOT seen WHERE mailbox = 'a' AND uid = 1;
SELECT * FROM box WHERE name = 'a';
ROLLBACK TO s;
SELECT * FROM box WHERE name = 'a';
SELECT * FROM gone WHERE name = 'a';
SAVEPOINT s;
INSERT INTO mail (mailbox) VALUES ('a');
RELEASE s;
UPDATE mail SET seen = NOT seen WHERE mailbox = 'a' AND uid = 1;
COMMIT;
SELECT * FROM box WHERE name = 'a';
SELECT * FROM gone WHERE name = 'a';
-- Two losses; compaction keeps both
SELECT * FROM answer('a', 4, 5, :J, :J + 1, :J + 4, :J + 5, 2 * :J, 2 * :J + 1, 2 * :J + 2);
DELETE FROM mail WHERE mailbox = 'a' AND uid = 3;
DELETE FROM mail WHERE mailbox = 'a' AND uid = 10004;
UPDATE mail_vanished SET vanished_at = vanished_at - interval '1 day';
SELECT modseq.compact('mail', '0');
SELECT * FROM gone WHERE name = 'a';
SELECT * FROM answer('a', 4, 5, :J, :J + 1, :J + 4, :J + 5, 2 * :J, 2 * :J + 1, 2 * :J + 2);

-- The record goes with a mailbox that is renamed, and with one that is deleted
UPDATE mailbox SET name = 'z' WHERE name = 'a';
SELECT verdict FROM answer('z', 5);
DELETE FROM mailbox WHERE name = 'z';
SELECT count(*) FROM gone WHERE name IN ('a', 'z');

-- A statement that changes several mailboxes, of which some have begun
UPDATE mail SET seen = NOT seen WHERE mailbox IN ('b', 'c', 'd');
UPDATE mail SET mailbox = 'b' WHERE mailbox = 'e';
SELECT * FROM box;
SELECT * FROM modseq.check('mail');

-- A trigger's change, in a savepoint of its own, which is taken back or not
SELECT begins(7500000000000, 10000);
CREATE FUNCTION nested() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO mail (mailbox) VALUES ('d');
		PERFORM 1 / (CASE WHEN NEW.mailbox = 'b' THEN 0 ELSE 1 END);
	EXCEPTION WHEN division_by_zero THEN
		UPDATE mail SET seen = NOT seen WHERE mailbox = 'd' AND uid = 3;
	END;
	RETURN NULL;
END
$$;
CREATE TRIGGER nested AFTER INSERT ON mail FOR EACH ROW WHEN (NEW.mailbox <> 'd') EXECUTE FUNCTION nested();
INSERT INTO mail (mailbox) VALUES ('c');
SELECT * FROM box WHERE name IN ('b', 'c', 'd');
SELECT begins(8000000000000, 10000);
INSERT INTO mail (mailbox) VALUES ('b');
SELECT * FROM box WHERE name IN ('b', 'c', 'd');
SELECT * FROM gone WHERE modseq > 7500000000000;
DROP TRIGGER nested ON mail;
SELECT * FROM modseq.check('mail');

-- A trigger deletes the mailbox in the statement of its first change, or renames it
SELECT begins(8200000000000, 10000);
CREATE FUNCTION drop_mailbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM mailbox WHERE name = NEW.mailbox AND name LIKE 'p%';
	UPDATE mailbox SET name = 'r' WHERE name = NEW.mailbox AND name LIKE 'q%';
	RETURN NULL;
END
$$;
INSERT INTO mailbox VALUES ('p1'), ('p2'), ('p3'), ('q');
INSERT INTO mail (mailbox) VALUES ('p1'), ('p2'), ('p3'), ('q');
CREATE TRIGGER zz AFTER INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION drop_mailbox();
SELECT begins(8400000000000, 10000);
INSERT INTO mail (mailbox) VALUES ('p1');
INSERT INTO mailbox VALUES ('p4');
INSERT INTO mail (mailbox, uid) VALUES ('p4', 30000);
UPDATE mail SET seen = true WHERE mailbox IN ('p2', 'q');
BEGIN;
UPDATE mail SET mailbox = 'p3' WHERE mailbox = 'c' AND uid = 3;
INSERT INTO mailbox VALUES ('p3');
SELECT modseq.touch('mail', 'p3') - 8400000000000 AS touched;
SELECT * FROM gone WHERE name = 'p3';
ROLLBACK;
SELECT * FROM box WHERE name > 'h';
SELECT * FROM gone WHERE name > 'h';
DROP TRIGGER zz ON mail;
-- A query that renames it changes it, too
SELECT begins(8600000000000, 10000);
WITH q AS (UPDATE mailbox SET name = 's' WHERE name = 'r') UPDATE mail SET seen = NOT seen WHERE mailbox = 'r';
SELECT * FROM box WHERE name > 'h';
SELECT * FROM gone WHERE name > 'h';
SELECT * FROM modseq.check('mail');
DELETE FROM mailbox WHERE name > 'h';

-- A mailbox with few UIDs left, or none
UPDATE mail_mailbox SET uidnext = 4294967296 - 6400 WHERE name = 'f';
UPDATE mail_mailbox SET uidnext = 4294967296 WHERE name = 'g';
SELECT begins(3 * :J, 20000);
SELECT modseq.touch('mail', 'f') - 3 * :J, modseq.touch('mail', 'g') - 3 * :J;
SELECT * FROM box WHERE name IN ('f', 'g');
SELECT * FROM gone WHERE name IN ('f', 'g') AND modseq > 3 * :J;
SELECT verdict FROM answer('g', 3 * :J);
SELECT * FROM modseq.check('mail');

-- The highest number counts. Rows of others do not, as long as theirs are lower: else they came with data of theirs. So
-- that of CREATE EXTENSION is not believed where there are any.
INSERT INTO modseq.incarnation VALUES (1, 1, 1, 1, now(), 2 * :J, 0);
SELECT begins(:J, 10000);
SELECT modseq.touch('mail', 'f') - 3 * :J;
BEGIN;
INSERT INTO modseq.incarnation VALUES (1, 2, 1, 1, now(), 3 * :J, 0);
SELECT modseq.touch('mail', 'f') > 3 * :J + (1::bigint << 32) AS above_all;
ROLLBACK;
SELECT modseq.touch('mail', 'f') - 3 * :J;
BEGIN;
DELETE FROM modseq.incarnation WHERE modseq > 0;
SELECT modseq.touch('mail', 'f') - 3 * :J;
INSERT INTO modseq.incarnation VALUES (1, 1, 1, 1, now(), 0, 0);
SELECT modseq.touch('mail', 'f') > 5 * :J AS above_all;
ROLLBACK;
-- All four columns say whose it is
CREATE FUNCTION begins_if(system_identifier int, timeline int, database int, extension int) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
	n CONSTANT bigint := (SELECT max(modseq) FROM modseq.incarnation) + 1000000;
BEGIN
	INSERT INTO modseq.incarnation
	SELECT i.system_identifier + $1, i.timeline + $2, i.database::bigint + $3, i.extension::bigint + $4, now(), n, 0
	FROM modseq.incarnation i WHERE modseq > 0 AND i.extension = 'modseq.incarnation'::regclass LIMIT 1;
	RETURN modseq.touch('mail', 'f') > n + 1;
END
$$;
SELECT begins_if(0, 0, 0, 0), begins_if(1, 0, 0, 0), begins_if(0, 1, 0, 0), begins_if(0, 0, 1, 0), begins_if(0, 0, 0, 1);
-- By the clock, if that is ahead; random, so that two servers do not begin alike
TRUNCATE modseq.incarnation;
SELECT abs((modseq.recovered() >> 20) - (extract(epoch FROM now())::bigint - 1577836800)) < 1000 AS by_clock;
-- Or above all that there is, if the clock is behind
INSERT INTO modseq.incarnation VALUES (1, 1, 1, 1, now(), 1::bigint << 60, 0);
SELECT modseq.recovered() >= (1::bigint << 60) + (1::bigint << 32) AS above_all;
TRUNCATE modseq.incarnation;
SELECT modseq.recovered() <> modseq.recovered() AS differ;
SELECT uid_gap BETWEEN 10000 AND 1 << 22 AS gap FROM modseq.incarnation;
SELECT count(DISTINCT modseq & 1048575) AS random, count(DISTINCT uid_gap) AS random FROM modseq.incarnation;

-- A row that is written with the first number goes with it
TRUNCATE modseq.incarnation;
BEGIN;
SELECT modseq.touch('mail', 'b') > :J AS begun;
SELECT count(*) FROM modseq.incarnation;
ROLLBACK;
SELECT count(*) FROM modseq.incarnation;
BEGIN;
SAVEPOINT s;
UPDATE mail SET seen = NOT seen WHERE mailbox = 'b';
ROLLBACK TO s;
SELECT count(*) FROM modseq.incarnation;
UPDATE mail SET seen = NOT seen WHERE mailbox = 'b';
SELECT count(*) FROM modseq.incarnation;
COMMIT;
SELECT count(*), min(modseq) < (SELECT highestmodseq FROM modseq.status('mail', 'b')) AS begun FROM modseq.incarnation;

-- Triggers were off, and attach() sees to what went unseen: its numbers are of this incarnation, too
TRUNCATE modseq.incarnation;
SELECT begins(0, 0);
CREATE TABLE room (id int PRIMARY KEY, uidvalidity bigint, last_uid int, highestmodseq bigint);
CREATE TABLE note (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, room_id int NOT NULL REFERENCES room, text text, deleted boolean NOT NULL DEFAULT false);
SELECT modseq.attach('note', 'room', message_expunged => 'deleted', counters => 'mailbox');
INSERT INTO room VALUES (1), (2), (3), (4);
INSERT INTO note (room_id) SELECT b FROM generate_series(1, 4) b, generate_series(1, 3);
SELECT begins(4 * :J, 20000);
SET session_replication_role = replica;
DELETE FROM note WHERE room_id = 1 AND uid = 2;
INSERT INTO note (room_id, uid, modseq) VALUES (2, 7, 3), (3, 0, 0);
SET session_replication_role = origin;
SELECT modseq.attach('note', 'room', message_expunged => 'deleted', counters => 'mailbox');
SELECT id, last_uid, highestmodseq - 4 * :J AS highestmodseq FROM room ORDER BY id;
SELECT id, modseq - 4 * :J AS modseq, uids, lost FROM note_vanished ORDER BY id, modseq;
SELECT room_id, uid, modseq - 4 * :J AS modseq FROM note WHERE modseq > 4 * :J ORDER BY room_id, uid;
SELECT modseq.attach('note', 'room', message_expunged => 'deleted', counters => 'mailbox');
SELECT id, last_uid, highestmodseq - 4 * :J AS highestmodseq FROM room ORDER BY id;
SELECT * FROM modseq.check('note');
-- Counters in the row, and soft delete
SELECT begins(5 * :J, 20000);
UPDATE note SET deleted = true WHERE room_id = 4 AND uid = 1;
UPDATE note SET deleted = false WHERE room_id = 4 AND uid = 1;
DELETE FROM note WHERE room_id = 3 AND uid < 3;
SELECT id, last_uid, highestmodseq - 5 * :J AS highestmodseq FROM room ORDER BY id;
SELECT id, modseq - 5 * :J AS modseq, uids, lost FROM note_vanished WHERE modseq > 5 * :J ORDER BY id, modseq;
SELECT room_id, uid, modseq - 5 * :J AS modseq FROM note WHERE modseq > 5 * :J ORDER BY room_id, uid;
-- A log of changes
SELECT modseq.attach('note', 'room', message_expunged => 'deleted', counters => 'mailbox', changes => 'log');
SELECT begins(6 * :J, 20000);
INSERT INTO note (room_id) SELECT 1 FROM generate_series(1, 5);
UPDATE note SET text = 'x' WHERE room_id = 1;
DELETE FROM note WHERE room_id = 1 AND uid IN (1, 3);
SELECT modseq - 6 * :J AS modseq, uids, lost, changed FROM note_vanished WHERE id = 1 AND modseq > 6 * :J ORDER BY modseq;
UPDATE note_vanished SET vanished_at = vanished_at - interval '1 day';
SELECT modseq.compact('note', '0') > 0 AS folded;
SELECT modseq - 6 * :J AS modseq, uids, lost, changed FROM note_vanished WHERE id = 1 AND modseq > 6 * :J ORDER BY modseq;
SELECT since - 6 * :J AS since, r.verdict, r.vanished, r.changed
FROM room b, unnest(ARRAY[6 * :J - 1, 6 * :J, 6 * :J + 1, 6 * :J + 2]) since, modseq.resync('note', 1, b.uidvalidity, since) r
WHERE b.id = 1;
-- A record that has no UIDs
SELECT begins(7 * :J, 0);
UPDATE note SET deleted = true WHERE room_id = 2 AND uid = 1;
SELECT modseq.touch('note', 4) - 7 * :J AS touched;
UPDATE note_vanished SET vanished_at = vanished_at - interval '1 day';
SELECT modseq.compact('note', '0') IS NOT NULL AS compacted;
SELECT id, modseq - 7 * :J AS modseq, uids, lost, changed FROM note_vanished WHERE modseq > 7 * :J ORDER BY id, modseq;
SELECT modseq.attach('note', 'room', message_expunged => 'deleted', counters => 'mailbox', changes => 'log');
SELECT modseq.attach('note', 'room', message_expunged => 'deleted', counters => 'mailbox', changes => 'index');
SELECT id, modseq, uids, lost FROM note_vanished ORDER BY id, modseq;
SELECT * FROM modseq.check('note');
-- check() sees what cannot be
INSERT INTO note_vanished (id, modseq, uids, lost) VALUES (2, 2 * :J, '', 2 * :J), (2, 3 * :J, '', 1);
SELECT mailbox, uid, problem FROM modseq.check('note') ORDER BY mailbox, uid, problem COLLATE "C";

-- A mailbox that is gone, in a schema without a foreign key, and made anew with its UIDVALIDITY: it goes on above what is
-- there, and from there on leaves UIDs out
CREATE TABLE hall (id int PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
CREATE TABLE memo (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, hall_id int NOT NULL);
SELECT modseq.attach('memo', 'hall', counters => 'mailbox');
INSERT INTO hall VALUES (1);
INSERT INTO memo (hall_id) SELECT 1 FROM generate_series(1, 20000);
SELECT uidnext, highestmodseq - 7 * :J AS highestmodseq FROM hall;
SELECT begins(8 * :J, 10000);
BEGIN;
CREATE TEMP TABLE had ON COMMIT DROP AS SELECT id, uidvalidity FROM hall;
DELETE FROM hall;
INSERT INTO hall (id, uidvalidity) TABLE had;
SELECT uidnext, highestmodseq - 8 * :J AS highestmodseq FROM hall;
INSERT INTO memo (hall_id) VALUES (1) RETURNING uid;
SELECT modseq - 8 * :J AS modseq, uids, lost - 7 * :J AS lost FROM memo_vanished;
SELECT * FROM modseq.check('memo');
ROLLBACK;
-- Nor are those that it leaves out open to who makes it anew
CREATE TEMP TABLE had AS SELECT id, uidvalidity FROM hall;
DELETE FROM hall;
BEGIN;
INSERT INTO hall (id, uidvalidity) TABLE had;
INSERT INTO memo (hall_id, uid) VALUES (1, 20005);
ROLLBACK;
DROP TABLE had;

-- What a mailbox has lost, exactly, whatever else vanishes in the same statement; by which incarnation
TRUNCATE modseq.incarnation;
SELECT begins(0, 0);
CREATE TABLE dir (owner text, path text, PRIMARY KEY (owner, path));
CREATE TABLE post (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL, path text NOT NULL, seen boolean NOT NULL DEFAULT false,
	FOREIGN KEY (owner, path) REFERENCES dir ON UPDATE CASCADE);
SELECT modseq.attach('post', 'dir', message_flags => '{seen}');
INSERT INTO dir VALUES ('ann', 'in'), ('ann', 'out'), ('bob', 'in'), ('bob', 'out');
INSERT INTO post (owner, path) SELECT owner, path FROM dir, generate_series(1, 3) ORDER BY owner, path;
CREATE VIEW lost AS
	SELECT d.owner, d.path, l.first_modseq, l.last_modseq, l.uids, l.incarnation,
		l.system_identifier = c.system_identifier AND l.timeline > 0 AND l.started <= now() AS known
	FROM pg_control_system() c, dir d, modseq.lost('post', ARRAY[d.owner, d.path]) l
	ORDER BY owner, path, first_modseq;
SELECT * FROM lost;
-- Until a mailbox changes, it is known from where on, and no more
SELECT begins(:J, 10000);
SELECT * FROM lost;
BEGIN READ ONLY;
SELECT count(*) FROM lost;
ROLLBACK;
-- The newest message goes; UIDs are passed over; a flag; the mailbox is renamed in the same query
DELETE FROM post WHERE owner = 'ann' AND path = 'in' AND uid = 3;
INSERT INTO post (owner, path, uid) VALUES ('ann', 'out', 30000);
UPDATE post SET seen = true WHERE owner = 'bob' AND path = 'in' AND uid = 1;
WITH r AS (UPDATE dir SET path = 'sent' WHERE owner = 'bob' AND path = 'out')
UPDATE post SET seen = true WHERE owner = 'bob' AND path = 'out';
SELECT * FROM lost;
SELECT owner, path, modseq - :J AS modseq, uids, lost, lost_uids FROM post_vanished ORDER BY owner, path, modseq;
-- Another one; in a savepoint that is taken back, and in a trigger's
SELECT begins(2 * :J, 20000);
BEGIN;
SAVEPOINT s;
DELETE FROM post WHERE owner = 'ann' AND path = 'in' AND uid = 2;
SELECT first_modseq, last_modseq, uids FROM lost WHERE owner = 'ann' AND path = 'in';
ROLLBACK TO s;
SELECT first_modseq, last_modseq, uids FROM lost WHERE owner = 'ann' AND path = 'in';
UPDATE post SET path = 'in' WHERE owner = 'ann' AND path = 'out' AND uid < 3;
COMMIT;
CREATE FUNCTION copy_to_bob() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO post (owner, path) VALUES ('bob', 'in');
	EXCEPTION WHEN others THEN
		RAISE;
	END;
	RETURN NULL;
END
$$;
CREATE TRIGGER copy AFTER INSERT ON post FOR EACH ROW WHEN (NEW.owner = 'ann') EXECUTE FUNCTION copy_to_bob();
INSERT INTO post (owner, path) VALUES ('ann', 'in');
SELECT * FROM lost;
UPDATE post_vanished SET vanished_at = vanished_at - interval '1 day';
SELECT modseq.compact('post', '0') IS NOT NULL AS compacted;
SELECT count(*) FROM lost;
-- What attach() finds unseen
SET session_replication_role = replica;
DELETE FROM post WHERE owner = 'bob' AND path = 'sent' AND uid > 1;
SET session_replication_role = origin;
SELECT modseq.attach('post', 'dir', message_flags => '{seen}');
SELECT * FROM lost WHERE path = 'sent';
-- A row of the table that is gone; by other keys; who may not; what is not there
DELETE FROM modseq.incarnation WHERE modseq = :J;
SELECT * FROM lost WHERE path = 'sent';
SELECT * FROM modseq.lost('post', '{ann,nowhere}');
SELECT * FROM modseq.lost('post', NULL::text);
SELECT * FROM modseq.lost('dir', '{ann,in}');
SELECT first_modseq - 6 * :J AS first_modseq, last_modseq - 6 * :J AS last_modseq, uids FROM modseq.lost('note', 1);
SELECT (SELECT count(*) FROM modseq.lost('note', '1')), (SELECT count(*) FROM modseq.lost('note', '{1}'::text[]));
CREATE ROLE regress_incarnation;
GRANT USAGE ON SCHEMA incarnation TO regress_incarnation;
GRANT SELECT ON dir TO regress_incarnation;
SET ROLE regress_incarnation;
SELECT modseq.lost('post', '{ann,in}');
RESET ROLE;
GRANT SELECT (uid) ON post TO regress_incarnation;
SET ROLE regress_incarnation;
SELECT count(*) FROM modseq.lost('post', '{ann,in}');
RESET ROLE;
DROP OWNED BY regress_incarnation;
DROP ROLE regress_incarnation;
-- check() says that there are such mailboxes, and sees what cannot be
SET client_min_messages = notice;
SELECT * FROM modseq.check('post');
SELECT * FROM modseq.check('post', '{ann,in}');
SET client_min_messages = warning;
BEGIN;
UPDATE post_vanished SET lost = NULL WHERE owner = 'bob' AND path = 'in';
SELECT * FROM modseq.check('post');
ROLLBACK;
-- A store from before there was the column
ALTER TABLE post_vanished DROP lost_uids;
SELECT * FROM modseq.check('post');
SELECT modseq.lost('post', '{ann,in}');
SELECT modseq.attach('post', 'dir', message_flags => '{seen}');
SELECT count(*), count(uids) AS uids FROM lost;
SELECT * FROM modseq.check('post');

-- Not for everybody
CREATE ROLE regress_incarnation;
SET ROLE regress_incarnation;
SELECT modseq.recovered();
INSERT INTO modseq.incarnation SELECT * FROM modseq.incarnation;
SELECT count(*) FROM modseq.incarnation;
RESET ROLE;
DROP ROLE regress_incarnation;
BEGIN READ ONLY;
SELECT modseq.recovered();
ROLLBACK;

-- Accounts: their states are forgotten, all of them
TRUNCATE modseq.incarnation;
SELECT begins(0, 0);
CREATE TABLE folder (id int PRIMARY KEY, owner text NOT NULL);
CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, folder_id int NOT NULL REFERENCES folder ON DELETE CASCADE,
	seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('item', 'folder', message_flags => '{seen}', account => '{owner}');
INSERT INTO folder VALUES (1, 'ann'), (2, 'ann'), (3, 'bob');
INSERT INTO item (folder_id) VALUES (1), (2), (3);
CREATE TEMP TABLE state AS SELECT owner, s.* FROM unnest('{ann,bob}'::text[]) owner, modseq.account_state('item', owner) s;
SELECT begins(:J, 10000);
UPDATE item SET seen = true WHERE folder_id = 1;
SELECT owner, (modseq.email_changes('item', owner, email)).verdict FROM state ORDER BY owner;
SELECT owner, highestmodseq, floor FROM item_account ORDER BY owner;
TRUNCATE state;
INSERT INTO state SELECT owner, s.* FROM unnest('{ann,bob}'::text[]) owner, modseq.account_state('item', owner) s;
UPDATE item SET folder_id = 2 WHERE folder_id = 1;
SELECT (modseq.email_changes('item', owner, email)).verdict FROM state WHERE owner = 'ann';
SELECT id, modseq, uids, lost FROM item_vanished ORDER BY id, modseq;
-- What is no message's changes an account, too
SELECT begins(2 * :J, 10000);
INSERT INTO folder VALUES (4, 'bob');
DELETE FROM folder WHERE id = 1;
SELECT owner, highestmodseq, floor FROM item_account ORDER BY owner;
SELECT * FROM modseq.check('item');
-- And what attach() finds, or forgets
SELECT begins(3 * :J, 10000);
SET session_replication_role = replica;
DELETE FROM item WHERE folder_id = 3;
SET session_replication_role = origin;
SELECT modseq.attach('item', 'folder', message_flags => '{seen}', account => '{owner}');
SELECT owner, highestmodseq, floor FROM item_account ORDER BY owner;
SELECT modseq.attach('item', 'folder', message_flags => '{seen}', account => '{owner}', thread => 'seen');
SELECT owner, highestmodseq, floor FROM item_account ORDER BY owner;
SELECT * FROM modseq.check('item');

-- As at first, for the tests that follow
TRUNCATE modseq.incarnation;
SELECT begins(0, 0);
DROP SCHEMA incarnation CASCADE;
