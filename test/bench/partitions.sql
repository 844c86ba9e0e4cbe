-- A store whose messages are in partitions, for what it takes to be rid of one: each command has one of :n messages,
-- and a small one to warm up with

-- == setup
CREATE SCHEMA store;
CREATE EXTENSION modseq;
SET search_path = store;
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint NOT NULL, box_id bigint NOT NULL REFERENCES box, seen boolean) PARTITION BY LIST (box_id);
SELECT format('CREATE TABLE mail_%1$s PARTITION OF mail FOR VALUES IN (%1$s)', i) FROM generate_series(1, 6) AS i \gexec
SELECT modseq.attach('mail', 'box');
INSERT INTO box SELECT generate_series(1, 6);
INSERT INTO mail SELECT i, box, false FROM generate_series(1, 3) AS box, generate_series(1, :n) AS i;
INSERT INTO mail SELECT i, box, false FROM generate_series(4, 6) AS box, generate_series(1, 10) AS i;
VACUUM ANALYZE;

-- == DROP
DROP TABLE :part;

-- == TRUNCATE
TRUNCATE :part;

-- == DETACH
ALTER TABLE mail DETACH PARTITION :part;
