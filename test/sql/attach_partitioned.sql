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

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
