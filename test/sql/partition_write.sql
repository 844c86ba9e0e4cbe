--
-- A partitioned message table: what is written to it or to one of its partitions has the same outcome as with a
-- plain table
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition;
CREATE SCHEMA t_partition_plain;
SET search_path = t_partition;
\set VERBOSITY terse

-- The same store three times: plain; by hash of the mailbox, a unique index on mailbox and UID; and by a list and
-- then a range that have nothing to do with the mailbox, where there can be none. Columns stand in other orders.
CREATE TABLE t_partition_plain.box (id int PRIMARY KEY);
CREATE TABLE t_partition_plain.mail (id int, box_id int NOT NULL, day int, kind text, seen boolean, created_modseq bigint);
CREATE TABLE hash_box (LIKE t_partition_plain.box INCLUDING ALL);
CREATE TABLE hash_mail (LIKE t_partition_plain.mail) PARTITION BY HASH (box_id);
CREATE TABLE hash_mail_0 PARTITION OF hash_mail FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE list_box (LIKE t_partition_plain.box INCLUDING ALL);
CREATE TABLE list_mail (LIKE t_partition_plain.mail) PARTITION BY LIST (kind);
CREATE TABLE list_mail_a PARTITION OF list_mail FOR VALUES IN ('a') PARTITION BY RANGE (day);
CREATE TABLE list_mail_a_old (seen boolean, kind text, gone int, box_id int NOT NULL, created_modseq bigint, day int, id int);
ALTER TABLE list_mail_a_old DROP COLUMN gone;
ALTER TABLE list_mail_a ATTACH PARTITION list_mail_a_old FOR VALUES FROM (0) TO (10);
SELECT modseq.attach('t_partition_plain.mail', 't_partition_plain.box', counters => 'mailbox');
SELECT modseq.attach('hash_mail', 'hash_box');
SELECT modseq.attach('list_mail', 'list_box');

-- Partitions that come later are like those that were there
CREATE TABLE hash_mail_1 PARTITION OF hash_mail FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE list_mail_a_new PARTITION OF list_mail_a FOR VALUES FROM (10) TO (20);
CREATE TABLE list_mail_b (kind text, created_modseq bigint, modseq bigint NOT NULL, day int, id int, seen boolean, uid bigint NOT NULL, box_id int NOT NULL);
ALTER TABLE list_mail ATTACH PARTITION list_mail_b DEFAULT;
SELECT tgrelid::regclass, string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger
	WHERE tgrelid::regclass::text ~ '^(hash|list)_mail' GROUP BY tgrelid ORDER BY tgrelid::regclass::text;
SELECT message, flag FROM modseq.stores WHERE message::text ~ '^(hash|list)_mail' ORDER BY message::text;
SELECT indrelid::regclass, indisunique, pg_get_indexdef(indexrelid) ~ 'uid' AS uid FROM pg_index
	WHERE indrelid IN ('hash_mail'::regclass, 'list_mail'::regclass) ORDER BY 1, 3;

-- For each mailbox its counters, its messages as id:uid:modseq, and what vanished; and what is unsound
CREATE FUNCTION state(mail regclass, box regclass) RETURNS TABLE (box_id int, uidnext bigint, highest bigint, mails text, vanished text)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('
		SELECT b.id, uidnext, highestmodseq,
			(SELECT string_agg(concat_ws('':'', id, uid, modseq, created_modseq), '' '' ORDER BY uid, id) FROM %1$s WHERE box_id = b.id),
			(SELECT string_agg(modseq || '': '' || uids::text, '' | '' ORDER BY modseq) FROM %1$s_vanished v WHERE v.id = b.id)
		FROM %2$s b
		UNION ALL
		SELECT NULL, NULL, NULL, concat_ws('' '', mailbox, uid), problem FROM modseq.check(%1$L)
		ORDER BY 1, 5', mail, box);
END
$$;

-- Runs a statement on each of the stores. In it, mail, mail@0 and mail@1 are the tables of messages: mail@0 is a
-- partition with mailbox 3 or the "new" messages, mail@1 one with mailbox 1 or the old. Shows the plain store, then
-- where others differ.
CREATE FUNCTION run(sql text) RETURNS TABLE (store text, box_id int, uidnext bigint, highest bigint, "id:uid:modseq:created" text, vanished text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(regexp_replace(sql, 'mail(@\w+)?', 't_partition_plain.mail', 'g'), '$box', 't_partition_plain.box');
	EXECUTE replace(replace(replace(regexp_replace(sql, '\ymail\y', 'hash_mail', 'g'), '@0', '_0'), '@1', '_1'), '$box', 'hash_box');
	EXECUTE replace(replace(replace(regexp_replace(sql, '\ymail\y', 'list_mail', 'g'), '@0', '_a_new'), '@1', '_a_old'), '$box', 'list_box');
	RETURN QUERY SELECT 'plain', * FROM state('t_partition_plain.mail', 't_partition_plain.box');
	RETURN QUERY SELECT 'hash', * FROM (TABLE hash EXCEPT TABLE plain) AS other;
	RETURN QUERY SELECT 'list', * FROM (TABLE list EXCEPT TABLE plain) AS other;
END
$$;
CREATE VIEW plain AS SELECT * FROM state('t_partition_plain.mail', 't_partition_plain.box');
CREATE VIEW hash AS SELECT * FROM state('hash_mail', 'hash_mail_mailbox');
CREATE VIEW list AS SELECT * FROM state('list_mail', 'list_mail_mailbox');

SELECT store FROM run('INSERT INTO $box VALUES (1), (3)');

-- On the partitioned table
SELECT * FROM run($$INSERT INTO mail (id, box_id, day, kind) SELECT i, 1 + 2 * (i / 10), 10 * (i / 10), 'a' FROM generate_series(1, 16) AS i$$);
SELECT * FROM run('UPDATE mail SET seen = true WHERE id % 5 = 1');
SELECT * FROM run('DELETE FROM mail WHERE id IN (5, 15)');
-- On partitions
SELECT * FROM run($$INSERT INTO mail@1 (id, box_id, day, kind) VALUES (7, 1, 7, 'a'), (8, 1, 7, 'a')$$);
SELECT * FROM run($$INSERT INTO mail@0 (id, box_id, day, kind) VALUES (17, 3, 17, 'a') RETURNING uid$$);
SELECT * FROM run('UPDATE mail@1 SET seen = NOT coalesce(seen, false) WHERE id < 4');
SELECT * FROM run('UPDATE mail@0 SET day = day');
SELECT * FROM run('DELETE FROM mail@0 WHERE id IN (10, 17)');
-- Under the lock, and then as one transaction of several statements on several partitions
CREATE FUNCTION lock_all() RETURNS void LANGUAGE sql AS $$
	SELECT FROM unnest('{t_partition_plain.mail,hash_mail,list_mail}'::regclass[]) AS store, modseq.lock(store, '{1,3}'::bigint[])
$$;
BEGIN;
SELECT lock_all();
SELECT * FROM run('UPDATE mail@0 SET seen = true WHERE id = 12');
SELECT * FROM run('UPDATE mail@1 SET seen = true WHERE id = 4');
SELECT * FROM run('UPDATE mail SET seen = false');
SELECT * FROM run($$INSERT INTO mail (id, box_id, day, kind) VALUES (9, 1, 8, 'a'), (18, 3, 18, 'a')$$);
COMMIT;
-- A savepoint that is rolled back
BEGIN;
UPDATE list_mail_a_old SET seen = true;
SAVEPOINT a;
DELETE FROM list_mail_a_old;
DELETE FROM hash_mail_1;
ROLLBACK TO a;
UPDATE list_mail_a_old SET seen = false WHERE id < 5;
ROLLBACK;
SELECT * FROM run('UPDATE mail SET day = day');
-- A CTE that writes several of them, MERGE and COPY
SELECT * FROM run($$
	WITH a AS (UPDATE mail@0 SET seen = true WHERE id = 11 RETURNING id),
		b AS (DELETE FROM mail@1 WHERE id = 9 RETURNING id),
		c AS (INSERT INTO mail SELECT id + 20, 1, 3, 'a' FROM a RETURNING id)
	SELECT FROM a, b, c$$);
SELECT * FROM run($$
	MERGE INTO mail@1 m USING (VALUES (1, true), (2, NULL), (3, true), (32, false)) AS v (id, seen) ON v.id = m.id
	WHEN MATCHED AND v.seen IS NULL THEN DELETE
	WHEN MATCHED THEN UPDATE SET seen = v.seen
	WHEN NOT MATCHED THEN INSERT (id, box_id, day, kind, seen) VALUES (v.id, 1, 1, 'a', v.seen)$$);
COPY t_partition_plain.mail (id, box_id, day, kind) FROM stdin;
33	1	1	a
34	1	1	a
\.
COPY hash_mail_1 (id, box_id, day, kind) FROM stdin;
33	1	1	a
34	1	1	a
\.
COPY list_mail_a_old (id, box_id, day, kind) FROM stdin;
33	1	1	a
34	1	1	a
\.
SELECT * FROM run('UPDATE mail@1 SET seen = true WHERE id = 34');

-- A given UID must not be one that was used, nor twice the same; where no index would find that, they must ascend
\set VERBOSITY default
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, 5, 5, 'a');
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, 50, 5, 'a'), (0, 1, 50, 15, 'a');
INSERT INTO hash_mail (id, box_id, uid) VALUES (0, 1, 50), (0, 1, 50);
\set VERBOSITY terse
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, 50, 15, 'a'), (0, 1, 49, 5, 'a');
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, NULL, 15, 'a'), (0, 1, 17, 5, 'a');
-- Nor one of those that the transaction has reserved
BEGIN;
UPDATE list_mail_mailbox SET uidnext = 30 WHERE id = 1;
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, 20, 5, 'a'), (0, 1, 30, 5, 'a'), (0, 1, NULL, 5, 'a') RETURNING uid;
SAVEPOINT a;
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, 20, 15, 'a');
ROLLBACK TO a;
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, 40, 15, 'a'), (0, 1, 40, 5, 'a');
ROLLBACK TO a;
UPDATE list_mail_mailbox SET uidnext = 50 WHERE id = 1;
INSERT INTO list_mail (id, box_id, uid, day, kind) VALUES (0, 1, 40, 15, 'a'), (0, 1, 40, 5, 'a');
ROLLBACK;
SELECT * FROM run($$INSERT INTO mail (id, box_id, uid, day, kind) VALUES (35, 1, 50, 5, 'a'), (36, 1, NULL, 15, 'a'), (37, 1, 52, 5, 'b')$$);
-- A row may still be refused by its partition
INSERT INTO list_mail_a_old (id, box_id, day, kind) VALUES (0, 1, 15, 'a');
INSERT INTO hash_mail_1 (id, box_id) VALUES (0, 3);
UPDATE list_mail_a_old SET day = 15;

--
-- TRUNCATE: one value for each mailbox, whatever has been truncated
--
BEGIN;
SELECT * FROM run('TRUNCATE mail');
ROLLBACK;
BEGIN;
SELECT lock_all();
SELECT * FROM run('TRUNCATE mail');
SELECT * FROM run($$INSERT INTO mail (id, box_id, day, kind) VALUES (1, 1, 5, 'a'), (2, 3, 15, 'a')$$);
ROLLBACK;
-- Of partitions: what was in them
BEGIN;
TRUNCATE hash_mail_0;
TABLE hash;
TRUNCATE list_mail_a_new, list_mail_b;
TABLE list;
TRUNCATE list_mail_a;
TABLE list;
ROLLBACK;
-- With the mailboxes, in either order, locked or not
BEGIN;
TRUNCATE list_mail, list_box;
SELECT count(*) FROM list_mail_vanished;
ROLLBACK;
BEGIN;
SELECT lock_all();
TRUNCATE list_mail, list_box;
SELECT count(*) FROM list_mail_vanished;
TRUNCATE hash_mail, hash_box;
SELECT count(*) FROM hash_mail_vanished;
TRUNCATE t_partition_plain.box, t_partition_plain.mail;
SELECT count(*) FROM t_partition_plain.mail_vanished;
INSERT INTO hash_box VALUES (1), (3);
INSERT INTO hash_mail (id, box_id) VALUES (1, 1), (2, 3);
TABLE hash;
ROLLBACK;
-- In a stricter isolation level
BEGIN ISOLATION LEVEL REPEATABLE READ;
TRUNCATE list_mail_b;
TABLE list;
ROLLBACK;
SELECT * FROM run('UPDATE mail SET day = day');

-- Without its trigger a partition is seen to by the partitioned table, and check() says so
BEGIN;
ALTER TABLE list_mail_a_old DISABLE TRIGGER modseq_truncate;
DROP TRIGGER modseq_truncate ON list_mail_b;
TRUNCATE list_mail;
TABLE list;
ROLLBACK;

-- A unit of several frames: a trigger of the application that writes to another partition
CREATE FUNCTION copy_to_b() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO t_partition.list_mail_b (id, box_id, day, kind) VALUES (new.id + 100, new.box_id, 0, 'b');
	RETURN NULL;
END
$$;
CREATE TRIGGER copy_to_b AFTER INSERT ON list_mail_a_old FOR EACH ROW EXECUTE FUNCTION copy_to_b();
INSERT INTO list_mail_a_old (id, box_id, day, kind) VALUES (41, 1, 1, 'a'), (42, 3, 1, 'a');
TABLE list;

SET client_min_messages = warning;
DROP SCHEMA t_partition, t_partition_plain CASCADE;
