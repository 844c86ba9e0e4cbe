--
-- What an account knows, against a model: after each statement all Emails, Threads and mailboxes are noted. A state must
-- be another one exactly if something of its type changed; and what was there at each earlier state, and what has changed
-- since, must follow from the numbers in the tables alone. Prints what is wrong, which is nothing.
--
\getenv test PG_ABS_SRCDIR
\set model :test /include/accounts_model.sql
\i :model

-- 1. A message is in one mailbox; counters beside; the message's key is the Email
CREATE SCHEMA am1;
SET search_path = am1, accounts_model;
CREATE TABLE mailbox (id int PRIMARY KEY, owner text NOT NULL, name text);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	thread int, seen boolean NOT NULL DEFAULT false, other int);
SELECT modseq.attach('message', 'mailbox', message_flags => '{seen}', account => '{owner}', thread => 'thread');
SELECT see('b.owner', 'm.id', 'm.thread', 'b.mailbox_id', 'true', 'm.seen', '(SELECT *, id AS mailbox_id FROM message_mailbox)',
	'(SELECT *, id AS mailbox_id FROM mailbox)', 's.name');
SELECT load($$
INSERT INTO mailbox SELECT i, CASE WHEN i <= 4 THEN 'a' ELSE 'b' END, 'box' FROM generate_series(1, 6) i;
INSERT INTO message SELECT i, i % 6 + 1, i / 4 FROM generate_series(1, 40) i;
UPDATE message SET seen = true WHERE id % 3 = 0;
UPDATE message SET seen = true WHERE id % 3 = 0;
UPDATE message SET other = 1;
UPDATE message SET mailbox_id = mailbox_id % 4 + 1 WHERE mailbox_id <= 4 AND id % 5 = 0;
UPDATE message SET mailbox_id = 7 - mailbox_id WHERE id % 7 = 0;
DELETE FROM message WHERE id < 6;
UPDATE message SET thread = thread + 100 WHERE id BETWEEN 10 AND 13;
UPDATE message SET thread = NULL WHERE id = 14;
UPDATE message SET id = id + 1000 WHERE id = 15;
UPDATE message SET id = id + 1000, mailbox_id = 1, seen = NOT seen WHERE id = 16;
WITH d AS (DELETE FROM message WHERE id IN (20, 21) RETURNING id, thread) INSERT INTO message SELECT id, 2, thread FROM d;
WITH d AS (DELETE FROM message WHERE id IN (22, 23) RETURNING id, thread) INSERT INTO message SELECT id, 2, thread + 50 FROM d;
UPDATE mailbox SET name = 'other' WHERE id IN (1, 5);
UPDATE mailbox SET id = 10 WHERE id = 1;
UPDATE mailbox SET id = 1 WHERE id = 10;
DELETE FROM mailbox WHERE id = 3;
INSERT INTO mailbox VALUES (3, 'b', 'again');
INSERT INTO message VALUES (300, 3, 7);
INSERT INTO message VALUES (301, 3, 7) ON CONFLICT DO NOTHING;
INSERT INTO message VALUES (301, 3, 7) ON CONFLICT DO NOTHING;
INSERT INTO message VALUES (301, 3, 7) ON CONFLICT (id) DO UPDATE SET seen = true;
DO 'BEGIN DELETE FROM message WHERE id > 30; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END';
DO 'BEGIN
	UPDATE message SET seen = NOT seen WHERE id = 30;
	BEGIN
		UPDATE message SET mailbox_id = 4, thread = 9 WHERE id IN (30, 31);
		INSERT INTO mailbox VALUES (20, ''a'');
		DELETE FROM message WHERE id = 32;
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
	END;
	BEGIN
		DELETE FROM message WHERE id = 33;
		INSERT INTO mailbox VALUES (20, ''b'');
		UPDATE message SET mailbox_id = 20 WHERE id = 34;
	EXCEPTION WHEN division_by_zero THEN
	END;
	UPDATE message SET seen = NOT seen WHERE id = 34;
	END';
DELETE FROM mailbox WHERE owner = 'a';
TRUNCATE message;
INSERT INTO message SELECT i, 5, i / 4 FROM generate_series(1, 8) i;
TRUNCATE mailbox CASCADE;
$$);
\set what am1
\i :play
SET search_path = accounts_model;
DROP SCHEMA am1 CASCADE;

-- 2. An Email has a row for each mailbox that it is in; it is soft-deleted; flags, by Email, are shared
CREATE SCHEMA am2;
SET search_path = am2, accounts_model;
CREATE TABLE mailbox (id int PRIMARY KEY, owner uuid NOT NULL, org int NOT NULL, name text);
CREATE TABLE email (id text PRIMARY KEY);
CREATE TABLE message (id serial PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	email text NOT NULL REFERENCES email, thread text, deleted_at timestamptz);
CREATE TABLE flag (email text NOT NULL REFERENCES email ON DELETE CASCADE, name text, PRIMARY KEY (email, name));
SELECT modseq.attach('message', 'mailbox', 'flag', message_key => '{email}', flag_message => '{email}',
	message_expunged => 'deleted_at', account => '{owner, org}', email => 'email', thread => 'thread');
SELECT see('b.owner || ''/'' || b.org', 'm.email', 'm.thread', 'b.mailbox_id', 'm.deleted_at IS NULL',
	'(SELECT array_agg(f.name ORDER BY f.name) FROM flag f WHERE f.email = m.email)',
	'(SELECT *, id AS mailbox_id FROM message_mailbox)', '(SELECT *, id AS mailbox_id FROM mailbox)', 's.name');
SELECT load($$
INSERT INTO mailbox SELECT i, CASE WHEN i <= 3 THEN '11111111-1111-1111-1111-111111111111'::uuid
	ELSE '22222222-2222-2222-2222-222222222222' END, i % 2, 'box' FROM generate_series(1, 6) i;
INSERT INTO email SELECT 'e' || i FROM generate_series(1, 20) i;
INSERT INTO message (mailbox_id, email, thread) SELECT i % 6 + 1, 'e' || i, 't' || i / 3 FROM generate_series(1, 20) i;
INSERT INTO message (mailbox_id, email, thread) SELECT (i + 2) % 6 + 1, 'e' || i, 't' || i / 3 FROM generate_series(1, 12) i;
INSERT INTO flag SELECT 'e' || i, 'seen' FROM generate_series(1, 20, 2) i;
DELETE FROM flag WHERE email IN ('e1', 'e3');
UPDATE flag SET name = 'flagged' WHERE email = 'e5';
UPDATE message SET deleted_at = now() WHERE email IN ('e1', 'e2', 'e15');
UPDATE message SET deleted_at = NULL WHERE email IN ('e1', 'e15');
UPDATE message SET deleted_at = now() WHERE email = 'e6' AND mailbox_id <= 3;
UPDATE message SET deleted_at = now(), mailbox_id = 1 WHERE email = 'e7';
UPDATE message SET deleted_at = NULL, mailbox_id = 2 WHERE email = 'e7';
DELETE FROM message WHERE deleted_at IS NOT NULL;
DELETE FROM message WHERE email IN ('e8', 'e9') AND mailbox_id <= 3;
UPDATE message SET email = 'e10' WHERE email = 'e11';
UPDATE message SET email = 'e11', deleted_at = now() WHERE email = 'e10' AND mailbox_id <= 3;
UPDATE message SET email = 'e12', thread = 't4' WHERE email = 'e11';
UPDATE message SET deleted_at = NULL, email = 'e13', thread = 't4' WHERE email = 'e12';
INSERT INTO message (mailbox_id, email, thread) VALUES (4, 'e14', 't99');
UPDATE message SET email = 'e15', thread = 't5' WHERE thread = 't99';
DO 'BEGIN
	UPDATE message SET thread = ''t77'' WHERE email = ''e17'';
	UPDATE message SET mailbox_id = mailbox_id WHERE email = ''e17'';
	DELETE FROM flag WHERE email = ''e17'';
	END';
INSERT INTO flag VALUES ('e17', 'x'), ('e16', 'x');
INSERT INTO message (mailbox_id, email, thread, deleted_at) VALUES (1, 'e20', 't', now());
INSERT INTO message (mailbox_id, email, thread) VALUES (2, 'e20', 't6');
WITH d AS (DELETE FROM message WHERE email = 'e20' RETURNING *) INSERT INTO message (mailbox_id, email, thread)
	SELECT 1, email, thread FROM d WHERE deleted_at IS NULL;
DELETE FROM message WHERE email = 'e20';
UPDATE message SET thread = 'other' WHERE mailbox_id = 3;
DELETE FROM mailbox WHERE id = 2;
TRUNCATE flag;
TRUNCATE message;
TRUNCATE mailbox, email CASCADE;
$$);
\set what am2
\i :play
SET search_path = accounts_model;
DROP SCHEMA am2 CASCADE;

-- 3. Counters in the mailbox table; its key is of two columns, and one of them is the account; nothing takes messages along
CREATE SCHEMA am3;
SET search_path = am3, accounts_model;
CREATE TABLE mailbox (owner text, name text, subscribed boolean, PRIMARY KEY (owner, name));
CREATE TABLE message (id bigint PRIMARY KEY, owner text, name text, thread int, seen boolean);
SELECT modseq.attach('message', 'mailbox', counters => 'mailbox', message_mailbox => '{owner, name}',
	message_flags => '{seen}', account => '{owner}', thread => 'thread');
SELECT see('b.owner', 'm.id', 'm.thread', '(b.owner, b.name)', 'true', 'm.seen', 'mailbox', 'mailbox', 's.subscribed');
CREATE OR REPLACE VIEW boxes AS SELECT owner AS account, ARRAY[owner, name]::text AS box, subscribed::text AS props,
	highestmodseq AS highest, created_modseq AS created, properties_modseq AS properties FROM mailbox;
CREATE OR REPLACE VIEW live AS SELECT m.owner AS account, ARRAY[m.owner, m.name]::text AS box, m.id::text AS email, thread::text,
	seen::text AS flags, m.created_modseq AS created, m.modseq FROM message m JOIN mailbox USING (owner, name);
SELECT load($$
INSERT INTO mailbox SELECT o, n FROM unnest('{a, b}'::text[]) o, unnest('{x, y, z}'::text[]) n;
INSERT INTO message SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, (ARRAY['x', 'y', 'z'])[i % 3 + 1], i / 3
	FROM generate_series(1, 24) i;
UPDATE message SET seen = true WHERE id % 4 = 0;
UPDATE mailbox SET subscribed = true WHERE name = 'x';
UPDATE mailbox SET subscribed = true WHERE name = 'x';
UPDATE mailbox SET uidnext = uidnext + 10 WHERE name = 'y';
UPDATE mailbox SET highestmodseq = highestmodseq + 1000 WHERE owner = 'a' AND name = 'y';
INSERT INTO message VALUES (100, 'a', 'x', 1), (101, 'a', 'y', 1), (102, 'b', 'x', 1);
UPDATE message SET name = 'z' WHERE id IN (4, 5);
DELETE FROM message WHERE id = 6;
DELETE FROM mailbox WHERE owner = 'a' AND name = 'x';
DELETE FROM message WHERE owner = 'a' AND name = 'x' AND id < 15;
INSERT INTO mailbox VALUES ('a', 'x');
INSERT INTO message VALUES (103, 'a', 'x', 1);
WITH d AS (DELETE FROM message WHERE id = 103 RETURNING *) INSERT INTO message SELECT id, owner, 'z', thread FROM d;
DELETE FROM message WHERE name = 'z';
WITH d AS (DELETE FROM mailbox WHERE name = 'z' RETURNING *), m AS (DELETE FROM message WHERE name = 'z') SELECT;
UPDATE mailbox SET uidvalidity = uidvalidity + 1 WHERE name = 'y' AND owner = 'b';
INSERT INTO mailbox VALUES ('c', 'x'), ('c', 'y');
INSERT INTO mailbox (owner, name, uidnext, highestmodseq) VALUES ('c', 'z', 100, 500);
INSERT INTO message VALUES (200, 'c', 'x', 1);
TRUNCATE message;
TRUNCATE mailbox;
$$);
\set what am3
\i :play
UPDATE mailbox SET owner = 'd' WHERE name = 'x';
SET search_path = accounts_model;
DROP SCHEMA am3 CASCADE;

-- 4. One account for the store; messages are partitioned; nothing takes them along, and counters are remembered
CREATE SCHEMA am4;
SET search_path = am4, accounts_model;
CREATE TABLE mailbox (id int PRIMARY KEY, name text);
CREATE TABLE message (id int, mailbox_id int NOT NULL, part int NOT NULL, email uuid NOT NULL, thread int, seen boolean)
	PARTITION BY LIST (part);
CREATE TABLE message_1 PARTITION OF message FOR VALUES IN (1);
CREATE TABLE message_2 (seen boolean, email uuid NOT NULL, thread int, part int NOT NULL, mailbox_id int NOT NULL, id int);
ALTER TABLE message ATTACH PARTITION message_2 FOR VALUES IN (2);
SELECT modseq.attach('message', 'mailbox', message_flags => '{seen}', account => '{}', email => 'email', thread => 'thread');
SELECT see('''all''', 'm.email', 'm.thread', 'b.mailbox_id', 'true', 'm.seen', '(SELECT *, id AS mailbox_id FROM message_mailbox)',
	'(SELECT *, id AS mailbox_id FROM mailbox)', 's.name');
CREATE FUNCTION u(int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$SELECT md5($1::text)::uuid$$;
SELECT load($$
INSERT INTO mailbox SELECT i FROM generate_series(1, 4) i;
INSERT INTO message SELECT i, i % 4 + 1, i % 2 + 1, u(i), i / 3 FROM generate_series(1, 24) i;
UPDATE message SET part = 3 - part WHERE id % 3 = 0;
UPDATE message SET part = 3 - part, seen = true WHERE id % 3 = 0;
UPDATE message SET part = 3 - part, mailbox_id = 5 - mailbox_id WHERE id % 5 = 0;
UPDATE message SET part = 3 - part, email = u(1000) WHERE id = 7;
UPDATE message SET part = 3 - part, thread = 1000 WHERE id = 8;
DELETE FROM message_1 WHERE id < 5;
ALTER TABLE message DETACH PARTITION message_2;
UPDATE message_2 SET mailbox_id = 1 WHERE id = 9;
ALTER TABLE message ATTACH PARTITION message_2 FOR VALUES IN (2);
TRUNCATE message_1;
CREATE TABLE message_3 PARTITION OF message FOR VALUES IN (3);
INSERT INTO message SELECT i, i % 4 + 1, 3, u(i), i / 3 FROM generate_series(30, 44) i;
DELETE FROM mailbox WHERE id = 2;
DELETE FROM message WHERE mailbox_id = 2 AND id < 40;
UPDATE message SET seen = true;
UPDATE message SET thread = 77 WHERE mailbox_id = 2;
INSERT INTO mailbox VALUES (2, 'again');
DELETE FROM message WHERE mailbox_id = 2;
DELETE FROM mailbox WHERE id = 2;
INSERT INTO mailbox VALUES (2, 'and again');
INSERT INTO message SELECT i, 2, 3, u(i), i / 3 FROM generate_series(50, 54) i;
WITH d AS (DELETE FROM mailbox WHERE id = 2 RETURNING id), m AS (DELETE FROM message WHERE mailbox_id = 2 AND id < 52) SELECT;
INSERT INTO mailbox VALUES (2, 'once more');
DROP TABLE message_3;
TRUNCATE mailbox;
TRUNCATE message;
DELETE FROM message;
$$);
\set what am4
\i :play
SET search_path = accounts_model;
DROP SCHEMA am4 CASCADE;
DROP SCHEMA accounts_model CASCADE;
