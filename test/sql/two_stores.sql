--
-- Two stores that one statement changes, by a query with several parts, a trigger or a cascade: each gets what is its own,
-- though the keys of their mailboxes and messages have different types
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_two_stores;
SET search_path = t_two_stores;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

-- A chat's room is named by a text, its posts by a UUID; a mailbox and its mails by numbers
CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean);
CREATE TABLE mail_flag (mail_id bigint REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
CREATE TABLE room (name text PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
CREATE TABLE post (id uuid PRIMARY KEY, room text NOT NULL, mail_id bigint REFERENCES mail ON DELETE CASCADE, seen boolean);
CREATE TABLE post_flag (post_id uuid REFERENCES post ON DELETE CASCADE, flag text, PRIMARY KEY (post_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', message_mailbox => '{mailbox_id}', message_flags => '{seen}');
SELECT modseq.attach('post', 'room', 'post_flag', message_mailbox => '{room}', message_flags => '{seen}');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO room (name) VALUES ('a'), ('b');
INSERT INTO mail (id, mailbox_id) SELECT i, 1 + i % 2 FROM generate_series(1, 10) AS i;
INSERT INTO post (id, room, mail_id) SELECT ('00000000-0000-0000-0000-0000000000' || to_char(i, 'FM00'))::uuid, (ARRAY['a', 'b'])[1 + i % 2], i FROM generate_series(1, 10) AS i;
CREATE FUNCTION post(i int) RETURNS uuid LANGUAGE sql AS $$ SELECT id FROM post WHERE mail_id = i $$;
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "uid:modseq", vanished FROM checked_state(\'mail\', \'uid\', \'modseq\') UNION ALL SELECT mailbox[1], uidnext, highest, messages, vanished FROM checked_state(\'post\', \'uid\', \'modseq\');'
:state

-- Flag rows of both
WITH f AS (INSERT INTO mail_flag VALUES (1, 'x'), (2, 'x')) INSERT INTO post_flag VALUES (post(3), 'x'), (post(4), 'x');
:state
WITH f AS (DELETE FROM post_flag) UPDATE mail_flag SET flag = 'y';
:state
-- Flags of one message each, where those of one are columns
WITH f AS (UPDATE post SET seen = true WHERE mail_id = 5) INSERT INTO mail_flag VALUES (5, 'x');
WITH f AS (UPDATE mail SET seen = true WHERE id = 6) INSERT INTO post_flag VALUES (post(6), 'x');
:state
-- Messages that come, move and go
WITH i AS (INSERT INTO mail VALUES (11, 1)), m AS (UPDATE post SET room = 'b' WHERE mail_id = 2), d AS (DELETE FROM mail WHERE id = 10)
	INSERT INTO post VALUES (gen_random_uuid(), 'a'), (gen_random_uuid(), 'b');
:state
-- A cascade, with the flags of what goes
DELETE FROM mail WHERE id IN (1, 4, 6);
:state

-- A trigger: what goes on in the one is noted in the other
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO post_flag SELECT id, 'of ' || TG_OP || coalesce(new.seen::text, '') FROM post WHERE mail_id = new.id;
	IF TG_OP = 'INSERT' THEN
		INSERT INTO post VALUES (gen_random_uuid(), 'a', new.id);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO mail VALUES (12, 1), (13, 2);
UPDATE mail SET seen = true WHERE id IN (2, 3);
:state
-- In savepoints
BEGIN;
SAVEPOINT a;
UPDATE mail SET seen = false WHERE id IN (2, 3);
ROLLBACK TO a;
INSERT INTO mail VALUES (14, 2);
SAVEPOINT b;
UPDATE mail SET mailbox_id = 1 WHERE id = 14;
RELEASE b;
COMMIT;
:state
-- Whole tables
DROP TRIGGER note ON mail;
TRUNCATE mail_flag, post_flag;
:state
TRUNCATE mail CASCADE;
:state

-- The mailboxes of one go; what is known of the other's stays
BEGIN;
UPDATE room SET uidnext = 50 WHERE name = 'a';
INSERT INTO post (id, room, uid) VALUES (gen_random_uuid(), 'a', 30);
DELETE FROM post WHERE room = 'a' AND uid = 30;
TRUNCATE mailbox, mail CASCADE;
INSERT INTO post (id, room, uid) VALUES (gen_random_uuid(), 'a', 30);
ROLLBACK;

DROP SCHEMA t_two_stores CASCADE;
