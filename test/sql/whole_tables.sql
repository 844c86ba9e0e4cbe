--
-- Tables with many rows that go as a whole: TRUNCATE, DETACH and DROP of messages and of flags. What clients are told of
-- each mailbox, and that memory does not grow with the rows
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_whole_tables;
SET search_path = t_whole_tables;

CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id int, box_id bigint, part int NOT NULL, gone boolean) PARTITION BY LIST (part);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES IN (2);
INSERT INTO box SELECT generate_series(1, 4);
SELECT modseq.attach('mail', 'box', message_expunged => 'gone');
INSERT INTO mail SELECT i, 1 + i % 3, 1, i = 3 FROM generate_series(1, 120000) AS i;
INSERT INTO mail SELECT i, 1 + i % 3, 2 FROM generate_series(120001, 120030) AS i;

-- For each mailbox its HIGHESTMODSEQ, and what vanished and what changed since the given one
CREATE FUNCTION told_since(since bigint, OUT box bigint, OUT highest bigint, OUT vanished modseq.uidset, OUT changed modseq.uidset)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT b.id, b.highestmodseq, modseq.vanished_since('t_whole_tables.mail', b.id, since),
		(SELECT modseq.uidset_agg(m.uid) FROM t_whole_tables.mail m WHERE m.box_id = b.id AND m.modseq > since)
	FROM t_whole_tables.mail_mailbox b ORDER BY b.id
$$;

-- The most memory that this session ever had, in kB; 0 where the system does not tell
CREATE FUNCTION peak() RETURNS int LANGUAGE sql AS $$
	SELECT coalesce(substring(pg_read_file('/proc/self/status', 0, 10000, true) FROM 'VmHWM:\s+(\d+)')::int, 0)
$$;

--
-- Messages. These three no client can know of: they have an impossible UID, none, or no mailbox
--
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO mail (id, box_id, part, uid) VALUES (-1, 1, 1, 4294967296), (-2, 2, 1, 0), (-3, NULL, 1, 7);
COMMIT;
-- All that is shared is in the session's memory by now
SELECT count(*) FROM mail;
SELECT peak() AS before \gset
BEGIN;
TRUNCATE mail_1;
SELECT * FROM told_since(3);
ROLLBACK;
BEGIN;
TRUNCATE mail;
SELECT * FROM told_since(3);
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
ALTER TABLE mail DETACH PARTITION mail_1;
SELECT * FROM told_since(3);
ROLLBACK;
BEGIN;
DROP TABLE mail_1, mail_2;
SELECT * FROM told_since(3);
ROLLBACK;
SELECT peak() - :before < 10000 AS "few MB";
DELETE FROM mail WHERE id < 0;

--
-- Flags that name messages by their key: every other message has one
--
CREATE TABLE flag (mail_id int, name text, part int NOT NULL) PARTITION BY LIST (part);
CREATE TABLE flag_1 PARTITION OF flag FOR VALUES IN (1);
CREATE TABLE flag_2 PARTITION OF flag FOR VALUES IN (2);
INSERT INTO flag SELECT i, 'x', 1 FROM generate_series(1, 20000, 2) AS i;
INSERT INTO flag SELECT i, 'x', 2 FROM generate_series(1, 18, 2) AS i;
SELECT modseq.attach('mail', 'box', 'flag', message_key => '{id}', flag_message => '{mail_id}');
SELECT id, highestmodseq FROM mail_mailbox ORDER BY id;
BEGIN;
TRUNCATE flag_2;
SELECT * FROM told_since(4);
ROLLBACK;
BEGIN;
ALTER TABLE flag DETACH PARTITION flag_2;
SELECT * FROM told_since(4);
ROLLBACK;
BEGIN;
DROP TABLE flag_2, flag_1;
SELECT box, highest, vanished, modseq.cardinality(changed), modseq.min(changed), modseq.max(changed) FROM told_since(4);
ROLLBACK;
SELECT modseq.detach('mail');
DROP TABLE flag;

--
-- Flags that name them by mailbox and UID, some of which do not exist, or cannot
--
CREATE TABLE flag (box_id bigint, uid bigint, name text, part int NOT NULL) PARTITION BY LIST (part);
CREATE TABLE flag_1 PARTITION OF flag FOR VALUES IN (1);
CREATE TABLE flag_2 PARTITION OF flag FOR VALUES IN (2);
INSERT INTO flag SELECT 1 + i % 3, i, 'x', 1 FROM generate_series(1, 30000) AS i;
INSERT INTO flag VALUES (1, 2, 'x', 2), (2, 2, 'x', 2), (2, 3, 'x', 2), (2, 0, 'x', 2), (2, 200000, 'x', 2),
	(2, 4294967296, 'x', 2), (2, NULL, 'x', 2), (NULL, 2, 'x', 2), (4, 1, 'x', 2);
SELECT modseq.attach('mail', 'box', 'flag', flag_mailbox => '{box_id}', flag_uid => 'uid', message_expunged => 'gone');
BEGIN;
TRUNCATE flag_2;
SELECT * FROM told_since(4);
ROLLBACK;
BEGIN;
ALTER TABLE flag DETACH PARTITION flag_2;
SELECT * FROM told_since(4);
ROLLBACK;
BEGIN;
DROP TABLE flag_2, flag_1;
SELECT box, highest, vanished, modseq.cardinality(changed), modseq.min(changed), modseq.max(changed) FROM told_since(4);
ROLLBACK;
SELECT * FROM modseq.check('mail');
