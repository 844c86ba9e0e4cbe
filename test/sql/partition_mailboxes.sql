--
-- Partitioned tables of mailboxes, beside messages and flags that are partitioned by mailbox
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition_tables;
SET search_path = t_partition_tables;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

--
-- Mailboxes, messages and flags by mailbox, whose key is its name; a flag names its message by mailbox and UID
--
CREATE TABLE box (account int, name text, note int, PRIMARY KEY (account, name)) PARTITION BY LIST (account);
CREATE TABLE box_1 PARTITION OF box FOR VALUES IN (1);
CREATE TABLE mail (account int, box text, day int, FOREIGN KEY (account, box) REFERENCES box ON UPDATE CASCADE ON DELETE CASCADE) PARTITION BY LIST (box);
CREATE TABLE mail_a PARTITION OF mail FOR VALUES IN ('a', 'b');
CREATE TABLE mail_other PARTITION OF mail DEFAULT;
CREATE TABLE flag (name text, account int, box text, uid bigint, since int) PARTITION BY LIST (box);
CREATE TABLE flag_a PARTITION OF flag FOR VALUES IN ('a', 'b');
CREATE TABLE flag_other PARTITION OF flag DEFAULT;
SELECT modseq.attach('mail', 'box', 'flag', counters => 'mailbox', flag_mailbox => '{account,box}', flag_uid => 'uid', flag_columns => '{name}');
CREATE TABLE box_2 PARTITION OF box FOR VALUES IN (2);
ALTER TABLE flag ADD FOREIGN KEY (account, box) REFERENCES box ON UPDATE CASCADE;
SELECT tgrelid::regclass, string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger
	WHERE tgrelid::regclass::text ~ '^box' AND NOT tgisinternal GROUP BY tgrelid ORDER BY tgrelid::regclass::text;

\set state 'SELECT mailbox[1]::int AS account, mailbox[2] AS name, uidnext, highest, messages AS "uid:modseq", vanished FROM checked_state(\'mail\', \'uid\', \'modseq\') ORDER BY 1, 2, 6;'
INSERT INTO box (account, name) VALUES (1, 'a'), (1, 'b'), (2, 'a'), (2, 'x');
INSERT INTO mail SELECT a, b, i FROM generate_series(1, 4) AS i, (SELECT account, name FROM box) AS b (a, b);
INSERT INTO flag SELECT 'f', account, box, uid FROM mail WHERE uid < 3;
DELETE FROM mail WHERE uid = 4;
:state
-- Renamed, with messages and flags that go to other partitions for that: a message has changed if it has a flag
UPDATE box SET name = 'c' WHERE account = 1 AND name = 'a';
UPDATE box_2 SET name = 'b' WHERE name = 'x';
:state
SELECT tableoid::regclass, account, box, count(*) FROM mail GROUP BY 1, 2, 3 UNION ALL SELECT tableoid::regclass, account, box, count(*) FROM flag GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
DELETE FROM mail WHERE account = 1 AND box = 'c' AND uid = 3;
UPDATE flag SET name = 'g' WHERE account = 2 AND box = 'b';
:state
-- Swapped by a chain, in one transaction, with other changes in between
BEGIN;
UPDATE box SET name = 'tmp' WHERE account = 2 AND name = 'a';
UPDATE box SET name = 'a' WHERE account = 2 AND name = 'b';
INSERT INTO mail VALUES (2, 'a', 5);
UPDATE box SET name = 'b' WHERE account = 2 AND name = 'tmp';
DELETE FROM flag WHERE uid = 1 AND account = 2;
:state
COMMIT;
-- A move across everything
UPDATE mail SET account = 1, box = 'b' WHERE account = 2 AND box = 'a' AND uid < 3;
:state
-- A mailbox that would go to another partition, where its history would not follow, is refused
\set VERBOSITY default
UPDATE box SET account = 2 WHERE account = 1 AND name = 'c';
\set VERBOSITY terse
-- Counters cannot be lowered on a partition either; a new UIDVALIDITY makes clients start over
UPDATE box_1 SET uidnext = 1;
SELECT modseq.reset_uidvalidity('mail', ARRAY['1', 'b']) > 0;
:state
-- TRUNCATE of a partition; what vanished from its mailboxes is forgotten, from others not
BEGIN;
DELETE FROM flag;
DELETE FROM mail WHERE uid = 1;
SELECT count(*) FROM modseq.lock('mail', ARRAY['2', 'b']);
SELECT account, name, modseq FROM mail_vanished ORDER BY 1, 2, 3;
ALTER TABLE mail DROP CONSTRAINT mail_account_box_fkey;
ALTER TABLE flag DROP CONSTRAINT flag_account_box_fkey;
DELETE FROM mail WHERE account = 2;
TRUNCATE box_2;
SELECT account, name, modseq FROM mail_vanished ORDER BY 1, 2, 3;
:state
INSERT INTO box (account, name) VALUES (2, 'b');
INSERT INTO mail VALUES (2, 'b', 1);
:state
SAVEPOINT a;
TRUNCATE mail, box, flag;
SELECT count(*) FROM mail_vanished;
ROLLBACK TO a;
-- A partition that goes with its mailboxes, and comes back: clients start over
DELETE FROM mail;
SELECT uidvalidity AS before FROM box WHERE account = 2 \gset
ALTER TABLE box DETACH PARTITION box_2;
:state
ALTER TABLE box ATTACH PARTITION box_2 FOR VALUES IN (2);
SELECT account, name, uidnext, highestmodseq, uidvalidity > :before AS higher FROM box WHERE account = 2;
INSERT INTO mail VALUES (2, 'b', 1);
:state
DELETE FROM mail;
-- Also where those of the partition are of the future, as of a clock that was wrong
ALTER TABLE box DETACH PARTITION box_2;
UPDATE box_2 SET uidvalidity = 4000000000;
ALTER TABLE box ATTACH PARTITION box_2 FOR VALUES IN (2);
SELECT account, name, uidvalidity > 4000000000 AS higher FROM box WHERE account = 2;
DROP TABLE box_2;
:state
ROLLBACK;

DROP TABLE flag, mail, mail_vanished, box;

--
-- A table of mailboxes that is partitioned, with the counters in a side table
--
CREATE TABLE folder (id int, account int, note text, PRIMARY KEY (id, account)) PARTITION BY LIST (account);
CREATE TABLE folder_1 PARTITION OF folder FOR VALUES IN (1);
CREATE TABLE box (id int, account int, PRIMARY KEY (id, account));
CREATE TABLE mail (id int, folder int, account int) PARTITION BY LIST (account);
CREATE TABLE mail_1 PARTITION OF mail DEFAULT;
SELECT modseq.attach('mail', 'box', counters => 'mailbox', mailbox_source => 'folder', message_mailbox => '{folder,account}');
CREATE TABLE folder_2 (note text, account int NOT NULL, id int NOT NULL);
INSERT INTO folder_2 VALUES ('there', 2, 22);
ALTER TABLE folder ATTACH PARTITION folder_2 FOR VALUES IN (2);
INSERT INTO folder_1 VALUES (11, 1), (12, 1);
INSERT INTO folder VALUES (21, 2);
INSERT INTO mail SELECT i, id, account FROM folder, generate_series(1, 2) AS i;
DELETE FROM mail_1 WHERE id = 1;
\set state 'SELECT mailbox[2]::int AS account, mailbox[1]::int AS id, uidnext, highest, messages AS "uid:modseq", vanished FROM checked_state(\'mail\', \'uid\', \'modseq\') ORDER BY 1, 2, 6;'
:state
UPDATE folder SET account = 1 WHERE id = 22;
BEGIN;
UPDATE folder SET id = 13 WHERE id = 11;
UPDATE mail SET folder = 13 WHERE folder = 11;
COMMIT;
:state
DELETE FROM mail WHERE account = 2;
ALTER TABLE folder DETACH PARTITION folder_2;
:state
ALTER TABLE folder ATTACH PARTITION folder_2 FOR VALUES IN (2);
:state
BEGIN;
TRUNCATE folder_2;
:state
ROLLBACK;
DROP TABLE folder_2;
:state
TRUNCATE folder, mail;
:state

SET client_min_messages = warning;
DROP SCHEMA t_partition_tables CASCADE;
