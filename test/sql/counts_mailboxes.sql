--
-- Counts of mailboxes that are renamed, go, come back, or are truncated; and of messages and mailboxes in partitions
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set include :test /include/counted.sql
\set play :test /include/counts_mailboxes_play.sql

-- Messages follow their mailbox, and go with it
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box ON DELETE CASCADE ON UPDATE CASCADE, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts);
\i :play
DROP SCHEMA t_counts CASCADE;

CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box ON DELETE CASCADE ON UPDATE CASCADE, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts, counters => 'mailbox', account => '{}');
\i :play
DROP SCHEMA t_counts CASCADE;

-- They stay where they are: beside the mailbox table its counters stay, too
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts);
\i :play
DROP SCHEMA t_counts CASCADE;

CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts, counters => 'mailbox');
\i :play
-- Renamed by a query that changes messages, too
INSERT INTO box (id) VALUES (1);
INSERT INTO mail (id, box_id, octets) VALUES (50, 1, 50), (51, 1, 51);
WITH b AS (UPDATE box SET id = 2 WHERE id = 1 RETURNING id), m AS (DELETE FROM mail WHERE id = 50)
INSERT INTO mail (id, box_id, octets) SELECT 52, id, 52 FROM b;
:counted
WITH b AS (UPDATE box SET id = 3 WHERE id = 2 RETURNING id)
UPDATE mail SET box_id = b.id, seen = true FROM b WHERE box_id = 2;
:counted
-- Changed while there is no such mailbox, which comes back, or whose key another gets; each in one transaction
DELETE FROM box;
BEGIN;
DELETE FROM mail WHERE id = 51;
INSERT INTO box (id) VALUES (3), (4);
:counted
UPDATE mail SET seen = false, octets = 7 WHERE box_id = 3;
UPDATE box SET id = 5 WHERE id = 3;
UPDATE mail SET box_id = 5 WHERE box_id = 3;
:counted
ROLLBACK;
-- Renamed in a subtransaction of a trigger, which is undone or not; its messages stay, and follow
INSERT INTO box (id) VALUES (1), (3);
CREATE FUNCTION rename_box() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		UPDATE box SET id = id + 100 WHERE id = NEW.box_id;
		IF NEW.octets = 98 THEN RAISE 'undone'; END IF;
	EXCEPTION WHEN raise_exception THEN
	END;
	RETURN NULL;
END
$$;
CREATE TRIGGER z_rename AFTER INSERT OR UPDATE ON mail FOR EACH ROW WHEN (NEW.octets IN (98, 99) AND NEW.box_id < 100) EXECUTE FUNCTION rename_box();
INSERT INTO mail (id, box_id, octets) VALUES (70, 1, 98), (71, 1, 71);
:counted
UPDATE mail SET octets = 99 WHERE id = 70;
:counted
UPDATE mail SET box_id = 101 WHERE box_id = 1;
UPDATE mail SET octets = 99 WHERE box_id = 3;
:counted
DROP SCHEMA t_counts CASCADE;

-- Messages follow, and a trigger gives their mailbox's key to another before we hear of what fires it
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box ON UPDATE CASCADE ON DELETE CASCADE, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts, counters => 'mailbox');
INSERT INTO box (id) VALUES (1), (2), (3);
INSERT INTO mail (id, box_id, octets) SELECT g, 1 + g % 3, g FROM generate_series(1, 9) g;
CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET id = 20 WHERE id = 2;
	UPDATE box SET id = 2 WHERE id = 3;
	RETURN NULL;
END
$$;
CREATE TRIGGER "0_rename" AFTER UPDATE OF name ON box FOR EACH ROW WHEN (NEW.name = 'rename') EXECUTE FUNCTION rename();
BEGIN;
WITH u AS (UPDATE box SET name = 'rename' WHERE id = 2) DELETE FROM mail WHERE id IN (1, 2);
:counted
ROLLBACK;
BEGIN;
SELECT FROM modseq.lock('mail', '{2,3}'::int[]);
WITH u AS (UPDATE box SET name = 'rename' WHERE id = 2), m AS (UPDATE mail SET seen = true, octets = 1 WHERE box_id = 2)
DELETE FROM mail WHERE id = 2;
UPDATE mail SET octets = 5 WHERE box_id IN (2, 20);
:counted
SAVEPOINT a;
DELETE FROM box WHERE id = 20;
INSERT INTO box (id) VALUES (20);
UPDATE box SET id = 21 WHERE id = 20;
:counted
ROLLBACK TO a;
:counted
ROLLBACK;
-- One that a trigger makes anew when it is deleted, before its messages go
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO box (id) VALUES (OLD.id); RETURN NULL; END $$;
CREATE TRIGGER "0_again" AFTER DELETE ON box FOR EACH ROW EXECUTE FUNCTION again();
DELETE FROM box WHERE id = 1;
:counted
BEGIN;
DELETE FROM box WHERE id = 2;
INSERT INTO mail (id, box_id, octets) VALUES (20, 2, 20);
:counted
COMMIT;
DROP SCHEMA t_counts CASCADE;

-- A foreign key that is looked at when the transaction ends: till then messages are without their mailbox; and one that gives them another
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL DEFAULT 1 REFERENCES box DEFERRABLE INITIALLY DEFERRED, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts, counters => 'mailbox');
INSERT INTO box (id) VALUES (1), (2);
INSERT INTO mail (id, box_id, octets) SELECT g, 2, g FROM generate_series(1, 4) g;
BEGIN;
DELETE FROM box WHERE id = 2;
DELETE FROM mail WHERE id = 1;
UPDATE mail SET seen = true WHERE id = 2;
INSERT INTO box (id) VALUES (2);
INSERT INTO mail (id, box_id, octets) VALUES (5, 2, 5);
COMMIT;
:counted
BEGIN;
UPDATE box SET id = 9 WHERE id = 2;
INSERT INTO mail (id, box_id, octets) VALUES (6, 9, 6);
DELETE FROM mail WHERE id = 2;
UPDATE mail SET octets = 10 WHERE id = 3;
UPDATE mail SET box_id = 9 WHERE box_id = 2;
COMMIT;
:counted
ALTER TABLE mail DROP CONSTRAINT mail_box_id_fkey, ADD FOREIGN KEY (box_id) REFERENCES box ON DELETE SET DEFAULT;
DELETE FROM box WHERE id = 9;
:counted
DROP SCHEMA t_counts CASCADE;

-- Partitions of messages: rows go from one to the other, partitions go and come
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int, box_id int NOT NULL REFERENCES box, part int, octets int, seen boolean, flags text[], gone boolean) PARTITION BY LIST (part);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 (flags text[], x int, gone boolean, octets int, part int, id int, seen boolean, box_id int NOT NULL);
ALTER TABLE mail_2 DROP x;
ALTER TABLE mail ATTACH PARTITION mail_2 FOR VALUES IN (2);
\i :include
SELECT modseq.attach('mail', 'box', :counts);
INSERT INTO box VALUES (1), (2);
INSERT INTO mail (id, box_id, part, octets, seen, flags) SELECT g, 1 + g % 2, 1 + g % 3 % 2, g, g % 3 = 0, CASE WHEN g % 4 = 0 THEN '{\\Deleted}'::text[] END FROM generate_series(1, 12) g;
:counted
UPDATE mail SET part = 3 - part WHERE id <= 6;
UPDATE mail SET part = 3 - part, seen = seen IS NOT TRUE, octets = octets + 100, box_id = 3 - box_id WHERE id > 4;
UPDATE mail SET part = 3 - part, gone = true WHERE id = 1;
UPDATE mail SET part = 3 - part, gone = false WHERE id = 1;
:counted
INSERT INTO mail_2 (id, part, box_id, octets) VALUES (20, 2, 1, 20);
DELETE FROM mail_1 WHERE id = 5;
TRUNCATE mail_2;
:counted
-- One that comes, with messages that have UIDs, of which one is expunged
CREATE TABLE mail_3 (LIKE mail INCLUDING DEFAULTS);
INSERT INTO mail_3 (id, box_id, part, octets, seen, uid, modseq, gone) VALUES (30, 1, 3, 30, true, 1, 1, NULL), (31, 2, 3, 31, false, 2, 1, NULL), (32, 2, 3, 32, false, 3, 1, true);
ALTER TABLE mail ATTACH PARTITION mail_3 FOR VALUES IN (3);
:counted
BEGIN;
SAVEPOINT a;
ALTER TABLE mail DETACH PARTITION mail_3;
:counted
ROLLBACK TO a;
DELETE FROM mail WHERE id = 30;
DROP TABLE mail_3;
:counted
ROLLBACK;
ALTER TABLE mail DETACH PARTITION mail_1;
DROP TABLE mail_3;
:counted
DROP SCHEMA t_counts CASCADE;

-- Partitions of mailboxes
CREATE SCHEMA t_counts;
SET search_path = t_counts;
CREATE TABLE box (id int PRIMARY KEY, messages int) PARTITION BY RANGE (id);
CREATE TABLE box_1 PARTITION OF box FOR VALUES FROM (0) TO (10);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, octets int, seen boolean, flags text[], gone boolean);
\i :include
SELECT modseq.attach('mail', 'box', :counts, counters => 'mailbox');
INSERT INTO box (id) VALUES (1);
INSERT INTO mail (id, box_id, octets) VALUES (1, 1, 1), (2, 1, 2);
CREATE TABLE box_2 (LIKE box INCLUDING ALL);
INSERT INTO box_2 (id, messages) VALUES (11, 99);
ALTER TABLE box ATTACH PARTITION box_2 FOR VALUES FROM (10) TO (20);
INSERT INTO mail (id, box_id, octets) VALUES (3, 11, 3), (4, 11, 4);
:counted
ALTER TABLE box DETACH PARTITION box_1;
DELETE FROM mail WHERE id = 1;
UPDATE mail SET octets = 20 WHERE id = 2;
ALTER TABLE box ATTACH PARTITION box_1 FOR VALUES FROM (0) TO (10);
:counted
DROP SCHEMA t_counts CASCADE;
