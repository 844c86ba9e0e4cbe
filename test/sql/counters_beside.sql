--
-- Counters beside the mailbox table, in a table of ours: what the application does with its mailboxes has nothing to do with
-- them, and what becomes of a mailbox becomes of its counters
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_beside;
CREATE SCHEMA t_beside;
SET search_path = t_beside;
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set failure :test /include/failure.sql
\i :failure
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\') ORDER BY mailbox COLLATE "C", vanished COLLATE "C";'

--
-- The application's triggers on the mailbox table
--
CREATE TABLE box (id serial PRIMARY KEY, name text UNIQUE, archived boolean, edits int NOT NULL DEFAULT 0);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box ON DELETE CASCADE ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box');
-- lastval() is the application's
INSERT INTO box (name) VALUES ('a'), ('b'), ('log');
SELECT lastval() = (SELECT max(id) FROM box) AS lastval;
INSERT INTO mail SELECT i, 1 FROM generate_series(1, 4) AS i;
SELECT lastval() = (SELECT max(id) FROM box) AS lastval;
-- One that keeps each row as it is, or suppresses the UPDATE, undoes nothing of ours; whole rows are written back, too
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN old; END';
CREATE TRIGGER keep BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION keep();
UPDATE mail SET seen = true WHERE id = 1;
DELETE FROM mail WHERE id = 2;
CREATE TEMP TABLE whole AS SELECT * FROM box;
UPDATE box SET (id, name, archived, edits) = (SELECT w.id, w.name, w.archived, w.edits FROM whole w WHERE w.id = box.id);
INSERT INTO mail VALUES (5, 1) RETURNING uid, modseq;
DROP TRIGGER keep ON box;
-- One that stores flags of a mailbox that is just being written
CREATE FUNCTION all_read() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET seen = true WHERE box_id = new.id;
	RETURN new;
END $$;
CREATE TRIGGER all_read BEFORE UPDATE OF archived ON box FOR EACH ROW WHEN (new.archived) EXECUTE FUNCTION all_read();
UPDATE box SET archived = true WHERE id = 1;
DROP TRIGGER all_read ON box;
-- One that reports each mailbox, also that which the reports go to; a query that writes all there is
CREATE FUNCTION report() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail SELECT max(id) + 1, 3 FROM mail;
	RETURN NULL;
END $$;
CREATE TRIGGER report AFTER UPDATE OF name ON box FOR EACH ROW EXECUTE FUNCTION report();
UPDATE box SET name = upper(name);
WITH m AS (UPDATE mail SET seen = NOT seen WHERE box_id = 1 RETURNING 1), i AS (INSERT INTO mail SELECT 100 + id, id FROM box RETURNING 1),
	d AS (DELETE FROM mail WHERE id = 4 RETURNING 1)
UPDATE box SET name = name || '!', edits = edits + 1;
:state
DROP TRIGGER report ON box;
-- The mailbox is there only after all, or not at all
WITH made AS (INSERT INTO box VALUES (10, 'new') RETURNING id) INSERT INTO mail SELECT 200, id FROM made RETURNING uid, modseq;
INSERT INTO mail VALUES (201, 11);
INSERT INTO box VALUES (10, 'again') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
BEGIN;
INSERT INTO box VALUES (11, 'gone');
INSERT INTO mail VALUES (201, 11) RETURNING uid, modseq;
ROLLBACK;
INSERT INTO mail VALUES (201, 11);
-- UIDs are reserved where UIDNEXT is now; it and the others cannot be lowered
BEGIN;
UPDATE mail_mailbox SET uidnext = uidnext + 2 WHERE id = 10 RETURNING uidnext - 2 AS first;
INSERT INTO mail (id, box_id, uid) VALUES (201, 10, 3), (202, 10, 2) RETURNING uid, modseq;
COMMIT;
UPDATE mail_mailbox SET uidnext = 1 WHERE id = 10;
UPDATE mail_mailbox SET highestmodseq = 1 WHERE id = 10;
SELECT failure('UPDATE mail_mailbox SET uidvalidity = 1 WHERE id = 10') ~ 'cannot be lowered' AS refused;
SELECT modseq.reset_uidvalidity('mail', 10) AS uidvalidity \gset
SELECT uidvalidity = :uidvalidity AS same FROM modseq.status('mail', 10);
SELECT modseq.touch('mail', 10);
:state

--
-- Renamed
--
BEGIN;
UPDATE box SET id = 12 WHERE id = 10;
INSERT INTO mail VALUES (203, 12) RETURNING uid, modseq;
INSERT INTO box VALUES (10, 'ten');
INSERT INTO mail VALUES (204, 10) RETURNING uid, modseq;
SAVEPOINT s;
UPDATE box SET id = 13 WHERE id = 12;
INSERT INTO mail VALUES (205, 13) RETURNING uid, modseq;
ROLLBACK TO s;
UPDATE mail SET box_id = 10 WHERE id = 203 RETURNING uid, modseq;
COMMIT;
:state
-- In a row, down by one; swapped, through a third key
UPDATE box SET id = id - 1 WHERE id > 9;
BEGIN;
UPDATE box SET id = 99 WHERE id = 1;
UPDATE box SET id = 1 WHERE id = 2;
UPDATE box SET id = 2 WHERE id = 99;
COMMIT;
:state
-- What cannot be told: a query that uses the new key before the trigger has fired; a nested statement that takes a key which
-- another mailbox is about to leave
WITH r AS (UPDATE box SET id = 50 WHERE id = 2 RETURNING id) INSERT INTO mail SELECT 300, id FROM r;
CREATE TABLE box2 (id text PRIMARY KEY, note text);
CREATE TABLE mail2 (id int PRIMARY KEY, box text NOT NULL REFERENCES box2 ON UPDATE CASCADE);
SELECT modseq.attach('mail2', 'box2', message_mailbox => '{box}', message_flags => '{}');
INSERT INTO box2 VALUES ('d'), ('b'), ('go');
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box2 SET id = 'd' WHERE id = 'b';
	RETURN new;
END $$;
CREATE TRIGGER take BEFORE UPDATE ON box2 FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION take();
SELECT failure($$UPDATE box2 SET id = CASE id WHEN 'd' THEN 'f' ELSE id END, note = NULL WHERE id IN ('d', 'go')$$);
DROP TABLE mail2, mail2_vanished, mail2_mailbox, box2;
-- Under the old key it works, in either order
WITH r AS (UPDATE box SET id = 50 WHERE id = 2) UPDATE mail SET seen = NOT seen WHERE box_id = 2;
WITH r AS (UPDATE box SET id = 2 WHERE id = 50), d AS (DELETE FROM mail WHERE id = 3) UPDATE mail SET seen = NOT seen WHERE id IN (1, 5);
SELECT * FROM modseq.check('mail');

--
-- Gone, and come back. With a foreign key nothing is left, and it begins anew
--
SELECT uidvalidity FROM modseq.status('mail', 9) \gset
DELETE FROM box WHERE id = 9;
SELECT count(*) FROM mail_mailbox WHERE id = 9;
INSERT INTO box VALUES (9, 'nine');
INSERT INTO mail VALUES (300, 9) RETURNING uid, modseq;
SELECT uidvalidity > :uidvalidity AS higher FROM modseq.status('mail', 9);
-- In one transaction; in one statement; by a trigger within the DELETE
BEGIN;
DELETE FROM box WHERE id = 9;
INSERT INTO box VALUES (9, 'nine');
INSERT INTO mail VALUES (301, 9) RETURNING uid, modseq;
COMMIT;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO box VALUES (old.id, 'made again');
	RETURN NULL;
END $$;
CREATE TRIGGER "A" AFTER DELETE ON box FOR EACH ROW EXECUTE FUNCTION again();
DELETE FROM box WHERE id = 9;
DROP TRIGGER "A" ON box;
SELECT count(*) FROM mail_mailbox WHERE id = 9;
INSERT INTO mail VALUES (302, 9) RETURNING uid >= 1 AS arrives;
SELECT * FROM modseq.check('mail');
BEGIN;
TRUNCATE box CASCADE;
SELECT count(*) FROM mail_mailbox;
SELECT count(*) FROM mail_vanished;
ROLLBACK;
DROP TABLE mail, mail_vanished, mail_mailbox, box;

--
-- Without a foreign key, messages can stay: then the mailbox is remembered, and counts on
--
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, seen boolean);
CREATE TABLE flag (mail_id int, name text);
SELECT modseq.attach('mail', 'box', 'flag');
INSERT INTO box VALUES (1, 'INBOX'), (2, 'empty');
INSERT INTO mail SELECT i, 1 FROM generate_series(1, 4) AS i;
DELETE FROM mail WHERE id = 2;
SELECT uidvalidity FROM modseq.status('mail', 1) \gset
DELETE FROM box;
SELECT id, uidnext, highestmodseq, gone_at <= clock_timestamp() AS gone FROM mail_mailbox;
-- To nobody is it there
SELECT * FROM modseq.status('mail', 1);
SELECT * FROM modseq.status('mail', ARRAY[1, 2]);
SELECT * FROM modseq.lock('mail', 1);
SELECT modseq.touch('mail', 1);
SELECT modseq.reset_uidvalidity('mail', 1);
INSERT INTO mail VALUES (5, 1);
BEGIN;
DELETE FROM mail WHERE id = 1;
UPDATE mail SET box_id = 1 WHERE id = 3 RETURNING uid;
INSERT INTO mail VALUES (5, 1);
ROLLBACK;
SELECT * FROM modseq.check('mail') ORDER BY uid;
-- But what changes there is counted
UPDATE mail SET seen = true WHERE id = 1;
INSERT INTO flag VALUES (3, 'x');
DELETE FROM mail WHERE id = 4;
INSERT INTO box VALUES (1, 'Inbox');
SELECT verdict, vanished, changed FROM modseq.resync('mail', 1, :uidvalidity, 3);
INSERT INTO mail VALUES (5, 1) RETURNING uid, modseq;
:state
-- Replaced in one transaction, with messages before and after, and one savepoint more; or by TRUNCATE and COPY
BEGIN;
UPDATE mail SET seen = false WHERE id = 1;
DELETE FROM box WHERE id = 1;
SAVEPOINT s;
INSERT INTO box VALUES (1, 'INBOX');
INSERT INTO mail VALUES (6, 1) RETURNING uid, modseq;
ROLLBACK TO s;
INSERT INTO mail VALUES (6, 1);
ROLLBACK TO s;
INSERT INTO box VALUES (1, 'INBOX');
INSERT INTO mail VALUES (6, 1) RETURNING uid, modseq;
COMMIT;
BEGIN;
TRUNCATE box;
SELECT id, gone_at IS NOT NULL AS gone FROM mail_mailbox;
COPY box FROM stdin;
1	INBOX
2	new
\.
COMMIT;
INSERT INTO mail VALUES (7, 1), (8, 2) RETURNING box_id, uid, modseq;
SELECT uidvalidity = :uidvalidity AS same FROM modseq.status('mail', 1);
:state
-- By an upsert, and by a statement that deletes and inserts
INSERT INTO box VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'y';
WITH d AS (DELETE FROM box WHERE id = 1 RETURNING id) INSERT INTO mail SELECT 9, 2 FROM d RETURNING uid;
INSERT INTO box VALUES (1, 'INBOX');
SELECT uidvalidity = :uidvalidity AS same FROM modseq.status('mail', 1);
-- Another mailbox that gets the key has these messages now: it counts on above both, under a new UIDVALIDITY
DELETE FROM box WHERE id = 1;
UPDATE box SET id = 1 WHERE id = 2;
SELECT uidvalidity > :uidvalidity AS higher, uidnext, highestmodseq FROM modseq.status('mail', 1);
SELECT id, uids FROM mail_vanished;
INSERT INTO mail VALUES (10, 1) RETURNING uid, modseq > 10 AS above;
-- When its messages have gone, compact() clears it away; before, or where it is back, not
DELETE FROM box WHERE id = 1;
SELECT modseq.compact('mail', '0') IS NULL;
SELECT count(*) FROM mail_mailbox;
DELETE FROM mail WHERE box_id = 1;
SELECT modseq.compact('mail', '1 day') IS NULL;
SELECT count(*) FROM mail_mailbox;
SELECT modseq.compact('mail', '0') IS NULL;
SELECT count(*) FROM mail_mailbox;
SELECT count(*) FROM mail_vanished WHERE id = 1;
-- Messages that go first, or by a trigger before, leave nothing
CREATE FUNCTION purge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM mail WHERE box_id = old.id;
	RETURN old;
END $$;
CREATE TRIGGER purge BEFORE DELETE ON box FOR EACH ROW EXECUTE FUNCTION purge();
DELETE FROM mail;
INSERT INTO box VALUES (1, 'one');
INSERT INTO mail VALUES (1, 1), (2, 1);
DELETE FROM box WHERE id = 1;
SELECT (SELECT count(*) FROM box) AS boxes, (SELECT count(*) FROM mail) AS mails, (SELECT count(*) FROM mail_mailbox) AS counters;
DROP TRIGGER purge ON box;
-- A foreign key that comes later decides from then on; one that is deferred lets messages stay
INSERT INTO box VALUES (1, 'one');
INSERT INTO mail VALUES (1, 1), (2, 1);
ALTER TABLE mail ADD CONSTRAINT k FOREIGN KEY (box_id) REFERENCES box DEFERRABLE INITIALLY DEFERRED;
BEGIN;
DELETE FROM box WHERE id = 1;
INSERT INTO box VALUES (1, 'one');
INSERT INTO mail VALUES (3, 1) RETURNING uid;
COMMIT;
ALTER TABLE mail DROP CONSTRAINT k, ADD FOREIGN KEY (box_id) REFERENCES box ON DELETE CASCADE;
DELETE FROM box WHERE id = 1;
SELECT count(*) FROM mail_mailbox;
-- While triggers are off nothing is heard of; the next attach() puts it right
SET session_replication_role = replica;
INSERT INTO box VALUES (1, 'one'), (2, 'two');
RESET session_replication_role;
SELECT * FROM modseq.check('mail');
INSERT INTO mail VALUES (4, 1) RETURNING uid, modseq;
SET session_replication_role = replica;
DELETE FROM box WHERE id = 2;
RESET session_replication_role;
SELECT modseq.attach('mail');
SELECT * FROM modseq.check('mail');
SELECT id FROM mail_mailbox;
DROP TABLE flag, mail, mail_vanished, mail_mailbox, box;

--
-- Mailboxes in partitions, by a key of two columns
--
CREATE TABLE box (tenant int, name text, PRIMARY KEY (tenant, name)) PARTITION BY LIST (tenant);
CREATE TABLE box_1 PARTITION OF box FOR VALUES IN (1);
CREATE TABLE box_2 PARTITION OF box FOR VALUES IN (2);
CREATE TABLE mail (id int, box text NOT NULL, tenant int NOT NULL, seen boolean, deleted_at timestamptz);
SELECT modseq.attach('mail', 'box', message_mailbox => '{tenant,box}', message_expunged => 'deleted_at');
INSERT INTO box VALUES (1, 'a'), (2, 'a'), (2, 'b');
INSERT INTO mail SELECT i, 'a', 1 + i % 2 FROM generate_series(1, 6) AS i;
UPDATE mail SET deleted_at = now() WHERE id = 1;
UPDATE mail SET deleted_at = NULL WHERE id = 1 RETURNING uid;
UPDATE box SET name = 'c' WHERE tenant = 2 AND name = 'b';
UPDATE box SET tenant = 1 WHERE name = 'c';
CREATE TABLE box_3 PARTITION OF box FOR VALUES IN (3);
INSERT INTO box_3 VALUES (3, 'x');
CREATE TABLE box_4 (LIKE box);
INSERT INTO box_4 VALUES (4, 'y'), (4, 'z');
ALTER TABLE box ATTACH PARTITION box_4 FOR VALUES IN (4);
INSERT INTO mail VALUES (7, 'y', 4), (8, 'x', 3) RETURNING uid, modseq;
SELECT tenant, name, gone_at IS NOT NULL AS gone FROM mail_mailbox ORDER BY 1, 2;
ALTER TABLE box DETACH PARTITION box_4;
DROP TABLE box_3;
TRUNCATE box_2;
SELECT tenant, name, gone_at IS NOT NULL AS gone FROM mail_mailbox ORDER BY 1, 2;
ALTER TABLE box ATTACH PARTITION box_4 FOR VALUES IN (4);
INSERT INTO mail VALUES (9, 'y', 4) RETURNING uid, modseq;
SELECT mailbox, problem FROM modseq.check('mail') GROUP BY 1, 2 ORDER BY 1;
DROP TABLE mail, mail_vanished, mail_mailbox, box;

--
-- Rights: nobody needs one on our table; policies of the mailbox table hold
--
CREATE ROLE regress_modseq_beside;
GRANT USAGE ON SCHEMA t_beside TO regress_modseq_beside;
CREATE TABLE box (id int PRIMARY KEY, owner name);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
SELECT modseq.attach('mail', 'box');
GRANT SELECT (id), INSERT, DELETE ON box TO regress_modseq_beside;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail TO regress_modseq_beside;
SET ROLE regress_modseq_beside;
INSERT INTO box VALUES (1, 'regress_modseq_beside'), (2, 'somebody');
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 2);
DELETE FROM mail WHERE id = 1;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 1);
SELECT mailbox, uidnext, highestmodseq FROM modseq.status('mail', ARRAY[2, 1]);
SELECT verdict, vanished, changed FROM modseq.resync('mail', 1, (SELECT uidvalidity FROM modseq.status('mail', 1)), 1);
SELECT failure('SELECT uidnext FROM mail_mailbox');
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 1)$$);
RESET ROLE;
ALTER TABLE box ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON box USING (owner = current_user);
SET ROLE regress_modseq_beside;
SELECT mailbox, uidnext FROM modseq.status('mail', ARRAY[2, 1]);
SELECT failure($$SELECT modseq.status('mail', 2)$$);
SELECT failure($$SELECT modseq.lock('mail', 2)$$);
SELECT failure($$SELECT modseq.vanished_since('mail', 2, 0)$$);
RESET ROLE;
REVOKE SELECT (id) ON box FROM regress_modseq_beside;
SET ROLE regress_modseq_beside;
SELECT failure($$SELECT modseq.status('mail', 1)$$);
RESET ROLE;
-- And ours has none of its own that hinder the bookkeeping
ALTER TABLE mail_mailbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE regress_modseq_beside;
INSERT INTO mail VALUES (4, 1) RETURNING uid, modseq;
RESET ROLE;
SELECT uidnext FROM modseq.status('mail', 1);
-- compact() goes without what it may not see
CREATE ROLE regress_modseq_beside_owner;
GRANT ALL ON SCHEMA t_beside TO regress_modseq_beside_owner;
ALTER TABLE mail OWNER TO regress_modseq_beside_owner;
ALTER TABLE box OWNER TO regress_modseq_beside_owner;
SELECT modseq.attach('mail') \g /dev/null
ALTER TABLE mail_mailbox NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
DELETE FROM mail;
DELETE FROM box WHERE id = 1;
SELECT modseq.compact('mail', '0') >= 0;
ALTER TABLE mail NO FORCE ROW LEVEL SECURITY;
SELECT modseq.compact('mail', '0') >= 0;

-- A rename looks for the new key and for the old one, and no more: ten mailboxes, twenty looks
CREATE TABLE folder (name text PRIMARY KEY);
CREATE TABLE letter (id int PRIMARY KEY, folder text NOT NULL REFERENCES folder ON UPDATE CASCADE);
SELECT modseq.attach('letter', 'folder', message_mailbox => '{folder}') \g /dev/null
INSERT INTO folder SELECT 'a' || i FROM generate_series(1, 10) AS i;
BEGIN;
SELECT pg_stat_get_xact_numscans('letter_mailbox_pkey'::regclass) AS before \gset
UPDATE folder SET name = 'b' || name;
SELECT pg_stat_get_xact_numscans('letter_mailbox_pkey'::regclass) - :before AS looks;
COMMIT;
SELECT count(*), min(name), max(name) FROM letter_mailbox;
-- What check() says of the table of counters: of a mailbox that is there and counts as gone, of a column, of the table
CREATE TABLE checked_box (id int PRIMARY KEY);
CREATE TABLE checked (id int, box_id int);
SELECT modseq.attach('checked', 'checked_box', message_mailbox => '{box_id}');
INSERT INTO checked_box VALUES (1), (2);
SET session_replication_role = replica;
UPDATE checked_mailbox SET gone_at = '2001-02-03' WHERE id = 1;
RESET session_replication_role;
SELECT * FROM modseq.check('checked');
ALTER TABLE checked_mailbox DROP gone_at;
SELECT * FROM modseq.check('checked');
DROP TABLE checked_mailbox;
SELECT * FROM modseq.check('checked');

-- Rows of counters are not deleted under a mailbox that is there; with it they go
DELETE FROM letter_mailbox WHERE name = 'ba1';
TRUNCATE letter_mailbox;
TRUNCATE folder, letter, letter_mailbox;
SELECT count(*) FROM letter_mailbox;
INSERT INTO folder VALUES ('c');
INSERT INTO letter VALUES (1, 'c');
WITH gone AS (DELETE FROM letter), folders AS (DELETE FROM folder) DELETE FROM letter_mailbox;
SELECT count(*) FROM letter_mailbox;

-- A mailbox is renamed and leaves its messages; another one gets its key, and counts on above them
CREATE TABLE tray (name text PRIMARY KEY);
CREATE TABLE memo (id int PRIMARY KEY, tray text NOT NULL, seen boolean);
SELECT modseq.attach('memo', 'tray') \g /dev/null
INSERT INTO tray VALUES ('a');
INSERT INTO memo SELECT i, 'a' FROM generate_series(1, 3) AS i;
UPDATE tray SET name = 'b';
INSERT INTO tray VALUES ('a');
INSERT INTO memo VALUES (4, 'a') RETURNING uid, modseq;
SELECT mailbox, uidnext, highestmodseq FROM modseq.status('memo', ARRAY['a', 'b']);
SELECT uid, modseq FROM modseq.changed_since('memo', 'a', 2);
SELECT * FROM modseq.check('memo') WHERE mailbox = '{a}';

DROP SCHEMA t_beside CASCADE;
DROP ROLE regress_modseq_beside_owner;
DROP ROLE regress_modseq_beside;
