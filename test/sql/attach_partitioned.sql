--
-- attach() onto a partitioned table of messages: one row in the view of stores, and partitions have the row
-- triggers
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'

CREATE TABLE mailbox2 (id int PRIMARY KEY);
CREATE TABLE pmail (id int, mailbox_id int NOT NULL, seen boolean) PARTITION BY HASH (mailbox_id);
CREATE TABLE pmail_0 PARTITION OF pmail FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE pmail_1 PARTITION OF pmail FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO mailbox2 SELECT generate_series(1, 4);
INSERT INTO pmail SELECT n, 1 + n % 4 FROM generate_series(1, 12) AS n;
SELECT modseq.attach('pmail', 'mailbox2');
SELECT message, vanished FROM modseq.stores WHERE mailbox = 'mailbox2'::regclass;
SELECT mailbox_id, min(uid), max(uid), count(*) FROM pmail GROUP BY mailbox_id ORDER BY mailbox_id;
SELECT * FROM modseq.check('pmail');
SELECT modseq.detach('pmail');
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('pmail_0'::regclass, 'pmail_1'::regclass);

-- Prepared with indexes that are built while writers go on, as docs/attach.md tells; attach() adds none
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE big (id int, box_id int NOT NULL, uid bigint NOT NULL, modseq bigint NOT NULL DEFAULT 1, seen boolean)
	PARTITION BY HASH (box_id);
CREATE TABLE big_0 PARTITION OF big FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE big_1 PARTITION OF big FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO box SELECT generate_series(1, 4);
INSERT INTO big SELECT n, 1 + n % 4, 1 + n / 4 FROM generate_series(0, 11) AS n;
CREATE UNIQUE INDEX big_uid ON ONLY big (box_id, uid);
CREATE UNIQUE INDEX CONCURRENTLY big_0_uid ON big_0 (box_id, uid);
ALTER INDEX big_uid ATTACH PARTITION big_0_uid;
CREATE UNIQUE INDEX CONCURRENTLY big_1_uid ON big_1 (box_id, uid);
ALTER INDEX big_uid ATTACH PARTITION big_1_uid;
CREATE INDEX big_modseq ON ONLY big (box_id, modseq);
CREATE INDEX CONCURRENTLY big_0_modseq ON big_0 (box_id, modseq);
ALTER INDEX big_modseq ATTACH PARTITION big_0_modseq;
CREATE INDEX CONCURRENTLY big_1_modseq ON big_1 (box_id, modseq);
ALTER INDEX big_modseq ATTACH PARTITION big_1_modseq;
SELECT modseq.attach('big', 'box');
SELECT indrelid::regclass, indexrelid::regclass FROM pg_index WHERE indrelid IN ('big'::regclass, 'big_0'::regclass, 'big_1'::regclass) ORDER BY 1, 2;
SELECT * FROM modseq.check('big');

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
