--
-- lastval() is the application's: no trigger or default of modseq moves it
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA lastval;
SET search_path = lastval;

CREATE TABLE box (id serial PRIMARY KEY, name text UNIQUE);
CREATE TABLE mail (id serial PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
SELECT modseq.attach('mail', 'box') \g /dev/null
SELECT setval('box_id_seq', 100) \g /dev/null
INSERT INTO box (name) VALUES ('INBOX');
SELECT lastval();
INSERT INTO mail (box_id) VALUES (101), (101);
SELECT lastval();
-- Counters beside the mailbox table; the row is added by a trigger
CREATE TABLE folder (id serial PRIMARY KEY, name text);
CREATE TABLE letter (id serial PRIMARY KEY, folder_id int NOT NULL REFERENCES folder, seen boolean);
CREATE TABLE counters (folder_id int PRIMARY KEY);
SELECT modseq.attach('letter', 'counters', mailbox_source => 'folder') \g /dev/null
SELECT setval('folder_id_seq', 200) \g /dev/null
INSERT INTO folder (name) VALUES ('x');
SELECT lastval();
SELECT modseq.reset_uidvalidity('mail', 101) > 0;
SELECT lastval();

-- Values rise, and are not below the clock, whatever the sequence says; and end
SELECT modseq.next_uidvalidity() < modseq.next_uidvalidity();
SELECT modseq.next_uidvalidity() >= extract(epoch FROM now())::bigint;
BEGIN;
SAVEPOINT before;
SELECT last_value AS last FROM modseq.uidvalidity_seq \gset
SELECT setval('modseq.uidvalidity_seq', 1, false);
SELECT modseq.next_uidvalidity() >= extract(epoch FROM now())::bigint - 1;
SELECT setval('modseq.uidvalidity_seq', 4294967294);
SELECT modseq.next_uidvalidity();
SELECT modseq.next_uidvalidity();
\echo :SQLSTATE
-- Whoever calls it in a loop gets half a year ahead of the clock, also where that was put back, and no further; what was
-- set further ahead is followed
ROLLBACK TO before;
CREATE FUNCTION next(ahead bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setval('modseq.uidvalidity_seq', extract(epoch FROM clock_timestamp())::bigint + ahead);
	RETURN modseq.next_uidvalidity() - extract(epoch FROM clock_timestamp())::bigint BETWEEN ahead - 9 AND ahead + 9;
EXCEPTION WHEN program_limit_exceeded THEN
	RETURN SQLERRM;
END $$;
SELECT ahead, next(ahead) FROM unnest(ARRAY[16777116, 16777316, 20000000, 33554332, 33554532]) AS ahead;
ROLLBACK TO before;
SELECT setval('modseq.uidvalidity_seq', :last) > 0;
COMMIT;

DROP SCHEMA lastval CASCADE;
