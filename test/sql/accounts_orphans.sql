--
-- Accounts where no foreign key takes messages along with their mailbox: it is renamed, or goes, or comes back, and they
-- stay, or follow, or go at the same time. Against the model of accounts_model: prints what is wrong, which is nothing.
--
\getenv test PG_ABS_SRCDIR
\set model :test /include/accounts_model.sql
\i :model

SELECT load($$
INSERT INTO mailbox (id, owner) SELECT i, CASE WHEN i < 30 THEN 'a' ELSE 'b' END FROM generate_series(10, 50, 10) i;
INSERT INTO message SELECT b + i, b, (b + i) / 3 FROM generate_series(10, 50, 10) b, generate_series(1, 6) i;
DELETE FROM mailbox WHERE id = 10;
WITH d AS (DELETE FROM message WHERE id = 11) INSERT INTO mailbox (id, owner) VALUES (10, 'a');
DELETE FROM mailbox WHERE id = 10;
WITH d AS (DELETE FROM message WHERE id = 12 RETURNING *) INSERT INTO mailbox (id, owner) SELECT mailbox_id, 'a' FROM d;
DELETE FROM mailbox WHERE id = 10;
WITH d AS (DELETE FROM message WHERE mailbox_id = 10) INSERT INTO mailbox (id, owner) VALUES (10, 'a');
DELETE FROM mailbox WHERE id = 20;
WITH d AS (UPDATE message SET mailbox_id = 10 WHERE id = 21) INSERT INTO mailbox (id, owner) VALUES (20, 'a');
DELETE FROM mailbox WHERE id = 20;
WITH d AS (UPDATE message SET mailbox_id = 10 WHERE id = 22 RETURNING *)
	INSERT INTO mailbox (id, owner) SELECT 20, 'a' FROM d;
DELETE FROM mailbox WHERE id = 20;
WITH d AS (UPDATE message SET thread = 99 WHERE id = 23 RETURNING *)
	INSERT INTO mailbox (id, owner) SELECT 20, 'a' FROM d;
DELETE FROM mailbox WHERE id = 20;
WITH d AS (UPDATE message SET seen = true WHERE id = 24) INSERT INTO mailbox (id, owner) VALUES (20, 'a');
DELETE FROM mailbox WHERE id = 20;
INSERT INTO mailbox (id, owner) VALUES (20, 'a');
UPDATE message SET seen = true WHERE mailbox_id = 20;
UPDATE mailbox SET id = 35 WHERE id = 30;
DELETE FROM message WHERE id = 31;
UPDATE message SET mailbox_id = 35 WHERE id IN (32, 33);
UPDATE message SET mailbox_id = 40 WHERE id = 34;
DELETE FROM message WHERE mailbox_id = 30;
DO 'BEGIN
	UPDATE mailbox SET id = 45 WHERE id = 40;
	UPDATE message SET mailbox_id = 45 WHERE id = 41;
	UPDATE message SET mailbox_id = 45, thread = 97 WHERE id = 42;
	UPDATE message SET mailbox_id = 50 WHERE id = 43;
	UPDATE message SET seen = true WHERE id = 44;
	DELETE FROM message WHERE id = 45;
	END';
UPDATE message SET mailbox_id = 45 WHERE mailbox_id = 40;
DO 'BEGIN
	UPDATE mailbox SET id = 55 WHERE id = 50;
	UPDATE message SET mailbox_id = 55, thread = thread + 100 WHERE mailbox_id = 50;
	UPDATE mailbox SET id = 56 WHERE id = 55;
	UPDATE message SET mailbox_id = 56 WHERE mailbox_id = 55;
	END';
DO 'BEGIN
	WITH r AS (UPDATE mailbox SET id = 57 WHERE id = 56) DELETE FROM message WHERE mailbox_id = 56 AND id < 52;
	UPDATE message SET mailbox_id = 57 WHERE mailbox_id = 56;
	UPDATE mailbox SET id = 50 WHERE id = 57;
	UPDATE message SET mailbox_id = 50 WHERE mailbox_id = 57;
	END';
DO 'BEGIN
	BEGIN
		UPDATE mailbox SET id = 21 WHERE id = 20;
		DELETE FROM message WHERE id = 25;
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
	END;
	UPDATE mailbox SET id = 22 WHERE id = 20;
	UPDATE mailbox SET id = 23 WHERE id = 22;
	UPDATE message SET mailbox_id = 23, thread = 96 WHERE mailbox_id = 20;
	END';
DELETE FROM mailbox;
DELETE FROM message;
$$);

-- 1. The counters are beside the mailbox table
CREATE SCHEMA orphans_beside;
SET search_path = orphans_beside, accounts_model;
CREATE TABLE mailbox (id int PRIMARY KEY, owner text NOT NULL, name text);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, thread int, seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('message', 'mailbox', message_flags => '{seen}', account => '{owner}', thread => 'thread');
SELECT see('b.owner', 'm.id', 'm.thread', 'b.mailbox_id', 'true', 'm.seen', '(SELECT *, id AS mailbox_id FROM message_mailbox)',
	'(SELECT *, id AS mailbox_id FROM mailbox)', 's.name');
\set what beside
\i :play
SET search_path = accounts_model;
DROP SCHEMA orphans_beside CASCADE;

-- 2. The counters are in the mailbox table
CREATE SCHEMA orphans_there;
SET search_path = orphans_there, accounts_model;
CREATE TABLE mailbox (id int PRIMARY KEY, owner text NOT NULL, name text);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, thread int, seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('message', 'mailbox', message_flags => '{seen}', account => '{owner}', thread => 'thread',
	counters => 'mailbox');
SELECT see('b.owner', 'm.id', 'm.thread', 'b.mailbox_id', 'true', 'm.seen', '(SELECT *, id AS mailbox_id FROM mailbox)',
	'(SELECT *, id AS mailbox_id FROM mailbox)', 's.name');
\set what there
\i :play
SET search_path = accounts_model;
DROP SCHEMA orphans_there CASCADE;

-- 3. A trigger takes the messages along, in the statement that renames the mailbox
CREATE SCHEMA orphans_follow;
SET search_path = orphans_follow, accounts_model;
CREATE TABLE mailbox (id int PRIMARY KEY, owner text NOT NULL, name text);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, thread int, seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('message', 'mailbox', message_flags => '{seen}', account => '{owner}', thread => 'thread');
SELECT see('b.owner', 'm.id', 'm.thread', 'b.mailbox_id', 'true', 'm.seen', '(SELECT *, id AS mailbox_id FROM message_mailbox)',
	'(SELECT *, id AS mailbox_id FROM mailbox)', 's.name');
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE message SET mailbox_id = NEW.id WHERE mailbox_id = OLD.id AND id % 5 > 0;
	RETURN NULL;
END
$$;
CREATE TRIGGER follow AFTER UPDATE OF id ON mailbox FOR EACH ROW EXECUTE FUNCTION follow();
\set what follow
\i :play
SET search_path = accounts_model;
DROP SCHEMA orphans_follow CASCADE;
DROP SCHEMA accounts_model CASCADE;
