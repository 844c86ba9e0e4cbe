--
-- Keys of mailboxes that are nearly the same, and such that are the same in another form
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_key_equality;
SET search_path = t_key_equality;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

-- Two keys with one hash value, by turns in one statement; and one that an integer cannot hold
CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean);
SELECT modseq.attach('mail', 'mailbox', message_mailbox => '{mailbox_id}');
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\');'
SELECT count(DISTINCT hashint8(id)) AS hashes FROM unnest(ARRAY[1, 4294967296]) AS id;
INSERT INTO mailbox VALUES (1, 71), (4294967296, 72), (3000000000, 73);
INSERT INTO mail VALUES (1, 1), (2, 4294967296), (3, 1), (4, 4294967296), (5, 4294967296), (6, 3000000000), (7, 1);
:state
BEGIN;
SELECT count(*) FROM modseq.lock('mail', ARRAY[4294967296, 1]);
UPDATE mail SET seen = true WHERE id IN (1, 2);
UPDATE mail SET mailbox_id = 4294967297 - mailbox_id WHERE id IN (3, 4);
INSERT INTO mail VALUES (8, 1), (9, 4294967296) RETURNING mailbox_id, uid, modseq;
DELETE FROM mail WHERE id = 5;
COMMIT;
:state
-- Renamed onto each other
BEGIN;
UPDATE mailbox SET id = 2 WHERE id = 1;
UPDATE mail SET mailbox_id = 2 WHERE mailbox_id = 1;
UPDATE mailbox SET id = 1 WHERE id = 4294967296;
UPDATE mail SET mailbox_id = 1 WHERE mailbox_id = 4294967296;
INSERT INTO mail VALUES (10, 1), (11, 2) RETURNING mailbox_id, uid, modseq;
COMMIT;
:state

-- Where messages, and flags, name mailboxes by an integer
DROP TABLE mail, mail_vanished;
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL, seen boolean);
CREATE TABLE flag (mailbox_id smallint, uid bigint, flag text);
SELECT modseq.attach('mail', 'mailbox', 'flag', message_mailbox => '{mailbox_id}', flag_mailbox => '{mailbox_id}', flag_uid => 'uid');
INSERT INTO mailbox VALUES (-1294967296, 74), (1 - 65536, 75);
INSERT INTO mail VALUES (1, -1294967296), (2, -1294967296), (3, 1);
INSERT INTO mail VALUES (4, 3000000000);
UPDATE mail SET mailbox_id = 3000000000 WHERE id = 1;
INSERT INTO flag VALUES (1, 1, '\Seen'), (1, 2, '\Seen'), (NULL, 1, '\Seen'), (1, NULL, '\Seen');
DELETE FROM mail WHERE id = 2;
-- Nothing is in the mailbox whose key they cannot hold, whatever is asked and done
SELECT * FROM modseq.changed_since('mail', 3000000000, 0);
SELECT modseq.vanished_since('mail', 3000000000, 0);
SELECT verdict, changed, vanished FROM modseq.resync('mail', 3000000000, 73, 1, NULL, '1', '1');
SELECT * FROM modseq.unchanged_since('mail', 3000000000, '1:2', 9);
SELECT modseq.touch('mail', 3000000000) > 1 AS touched;
UPDATE mailbox SET id = 3000000001 WHERE id = 3000000000;
DELETE FROM mailbox WHERE id = 3000000001;
:state
-- Of these flag rows none belongs to a message
TRUNCATE flag;
:state
TRUNCATE mail;
:state

-- 'INBOX' and 'inbox' in one statement, of which a nondeterministic collation says that they are one; with one mailbox that
-- it says is another
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE box (path text COLLATE folded PRIMARY KEY, uidvalidity bigint);
CREATE TABLE post (id int PRIMARY KEY, path text COLLATE folded NOT NULL, seen boolean);
SELECT modseq.attach('post', 'box', message_mailbox => '{path}');
INSERT INTO box VALUES ('INBOX', 71), ('Inbox/a', 72);
INSERT INTO post VALUES (1, 'INBOX'), (2, 'inbox'), (3, 'inbox/A'), (4, 'Inbox') RETURNING uid, modseq;
UPDATE post SET seen = true, path = upper(path) WHERE id IN (2, 3);
BEGIN;
SELECT count(*) FROM modseq.lock('post', ARRAY['InBoX', 'INBOX/A']);
DELETE FROM post WHERE id = 1;
INSERT INTO post VALUES (5, 'inbox'), (6, 'INBOX') RETURNING uid, modseq;
UPDATE box SET path = lower(path);
INSERT INTO post VALUES (7, 'INBOX') RETURNING uid, modseq;
COMMIT;
SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state('post', 'id', 'uid', 'modseq') ORDER BY mailbox;

-- A key that is long enough to be stored out of line, in a table that is about to lose all that it has there
CREATE TABLE wide (path text PRIMARY KEY, uidvalidity bigint);
CREATE TABLE letter (id int, path text NOT NULL, seen boolean) PARTITION BY RANGE (id);
ALTER TABLE letter ALTER path SET STORAGE EXTERNAL;
CREATE TABLE letter_1 PARTITION OF letter FOR VALUES FROM (0) TO (10);
CREATE TABLE letter_2 PARTITION OF letter FOR VALUES FROM (10) TO (20);
CREATE TABLE letter_3 PARTITION OF letter FOR VALUES FROM (20) TO (30);
SELECT modseq.attach('letter', 'wide', message_mailbox => '{path}');
INSERT INTO wide SELECT 'a' || string_agg(md5(i::text), '') FROM generate_series(1, 70) AS i;
INSERT INTO wide SELECT 'b' || string_agg(md5(i::text), '') FROM generate_series(1, 70) AS i;
INSERT INTO letter SELECT i, path FROM generate_series(1, 25, 2) AS i, wide;
SELECT pg_relation_size(reltoastrelid) > 0 AS out_of_line FROM pg_class WHERE oid = 'letter_1'::regclass;
\set state 'SELECT left(mailbox[1], 1) AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'letter\', \'id\', \'uid\', \'modseq\') ORDER BY 1;'
UPDATE letter SET seen = true WHERE id = 1;
DELETE FROM letter WHERE id = 3;
UPDATE letter SET path = 'b' || substr(path, 2) WHERE id = 5 AND path ~ '^a';
:state
TRUNCATE letter_1;
DROP TABLE letter_2;
:state
ALTER TABLE letter DETACH PARTITION letter_3;
:state
ALTER TABLE letter ATTACH PARTITION letter_3 FOR VALUES FROM (20) TO (30);
BEGIN;
SELECT count(*) FROM modseq.lock('letter', (SELECT array_agg(path) FROM wide));
TRUNCATE letter;
INSERT INTO letter SELECT 29, path FROM wide ORDER BY path RETURNING left(path, 1), uid, modseq;
COMMIT;
:state

DROP SCHEMA t_key_equality CASCADE;
