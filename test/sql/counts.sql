--
-- Counts of messages, their octets, and of those that are not seen, or are deleted: exact under each kind of statement
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set include :test /include/counted.sql
\set play :test /include/counts_play.sql

-- Beside the mailbox table, with a foreign key
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box ON DELETE CASCADE, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts);
SELECT * FROM modseq.counts('mail', 1);
\i :play

-- The function: mailboxes in the order given; those that do not exist are left out
SELECT * FROM modseq.counts('mail', ARRAY[2, 99, 1]);
SELECT * FROM modseq.counts_many('mail', '{3,1}');
SELECT * FROM modseq.counts('mail', '{1}');
SELECT * FROM modseq.counts('mail', 99);
SELECT * FROM modseq.counts('mail', NULL::int);
SELECT * FROM modseq.counts('box', 1);
-- With status(), from one snapshot
SELECT s.uidnext, c.* FROM modseq.status('mail', 1) s, modseq.counts('mail', 1) c;

-- As the rights on the mailbox table say
CREATE ROLE counts_reader;
GRANT USAGE ON SCHEMA t_counts TO counts_reader;
SET ROLE counts_reader;
SELECT * FROM modseq.counts('mail', 1);
RESET ROLE;
GRANT SELECT ON box TO counts_reader;
ALTER TABLE box ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON box USING (id <> 2);
SET ROLE counts_reader;
SELECT * FROM modseq.counts('mail', 1);
SELECT * FROM modseq.counts('mail', ARRAY[1, 2, 3]);
SELECT * FROM modseq.counts('mail', 2);
RESET ROLE;
DROP SCHEMA t_counts CASCADE;
DROP ROLE counts_reader;

-- In the mailbox table, without a foreign key; the columns are the application's, one of them an integer
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, messages int, size bigint, highestmodseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, octets bigint, seen boolean, flags varchar(20)[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts);
\i :play
SELECT id, messages, size, unseen, deleted FROM box ORDER BY 1;

-- What an application writes there is taken back: a program that writes all that it has read, and one that inserts it
INSERT INTO mail (id, box_id, octets) VALUES (1, 1, 10), (2, 1, 20);
UPDATE box SET messages = 77, size = NULL, unseen = unseen - 1 WHERE id = 1;
:counted
INSERT INTO box (id, messages, deleted) VALUES (4, 44, 4);
:counted
-- While it is written, too
CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.messages := OLD.messages; RETURN NEW; END $$;
CREATE TRIGGER put_back BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION put_back();
INSERT INTO mail (id, box_id) VALUES (3, 1);
DROP TRIGGER put_back ON box;
CREATE FUNCTION write_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET size = size + 5, name = 'more' WHERE id = NEW.id;
	INSERT INTO mail (id, box_id, octets) SELECT 100 + max(id), 2, 5 FROM mail;
	RETURN NULL;
END
$$;
ALTER TABLE box ADD name text;
CREATE TRIGGER write_more AFTER UPDATE ON box FOR EACH ROW WHEN (NEW.id = 1 AND NEW.messages <> OLD.messages) EXECUTE FUNCTION write_more();
INSERT INTO mail (id, box_id, octets) VALUES (3, 1, 30);
DELETE FROM mail WHERE id = 1;
DROP TRIGGER write_more ON box;
:counted
-- Also by a trigger of which we hear before our own: it leaves the counts alone, or writes them, renames the mailbox, deletes it, or undoes that
CREATE FUNCTION write_first() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		EXECUTE tg_argv[0];
		IF tg_nargs > 1 THEN RAISE 'undone'; END IF;
	EXCEPTION WHEN raise_exception THEN
	END;
	EXECUTE tg_argv[0];
	RETURN NULL;
END
$$;
CREATE FUNCTION first(VARIADIC commands text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER "0_first" AFTER UPDATE ON box FOR EACH ROW WHEN (new.id = 1 AND new.messages <> old.messages) EXECUTE FUNCTION write_first(%s)',
		(SELECT string_agg(quote_literal(c), ', ' ORDER BY o) FROM unnest(commands) WITH ORDINALITY AS c (c, o)));
END
$$;
SELECT first('UPDATE box SET name = name || ''!'' WHERE id = 1');
INSERT INTO mail (id, box_id, octets) VALUES (50, 1, 50);
DELETE FROM mail WHERE id = 2;
:counted
SELECT first('UPDATE box SET size = 0, deleted = 7 WHERE id = 1', 'undone');
INSERT INTO mail (id, box_id, octets) VALUES (51, 1, 51), (52, 2, 52);
DELETE FROM mail WHERE id = 50;
SELECT name FROM box WHERE id = 1;
:counted
SELECT first('UPDATE box SET unseen = unseen - 1 WHERE id > 0', 'undone');
UPDATE mail SET box_id = 3 - box_id;
:counted
BEGIN;
SELECT first('UPDATE box SET id = 9 WHERE id = 1');
DELETE FROM mail WHERE id = 52;
UPDATE mail SET box_id = 9 WHERE box_id = 1;
:counted
ROLLBACK;
BEGIN;
SELECT first('UPDATE box SET size = 1 WHERE id = 1', 'undone');
CREATE TRIGGER "1_gone" AFTER UPDATE ON box FOR EACH ROW WHEN (new.id = 1 AND new.messages <> old.messages) EXECUTE FUNCTION write_first('DELETE FROM box WHERE id = 1');
UPDATE mail SET box_id = 2 WHERE box_id = 1 AND id = 52;
:counted
INSERT INTO box (id, messages, size) VALUES (1, 5, 5);
:counted
ROLLBACK;
DROP TRIGGER "0_first" ON box;
-- The first change of an incarnation
BEGIN;
SELECT modseq.recovered() IS NOT NULL AS recovered;
DELETE FROM mail WHERE id = 52;
:counted
ROLLBACK;
-- No room
UPDATE mail SET octets = 1;
ALTER TABLE box ALTER size TYPE int;
INSERT INTO mail (id, box_id, octets) VALUES (5, 1, 2147483647);
CREATE TRIGGER put_back BEFORE UPDATE ON box FOR EACH ROW WHEN (false) EXECUTE FUNCTION put_back();
INSERT INTO mail (id, box_id, octets) VALUES (5, 1, 2147483647);
:counted
DROP SCHEMA t_counts CASCADE;
