--
-- attach(), check() and detach(): nothing of a caller's search_path is used
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

CREATE FUNCTION attach.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
CREATE SCHEMA trap;
CREATE FUNCTION trap.mine(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
CREATE OPERATOR trap.= (FUNCTION = trap.mine, LEFTARG = bigint, RIGHTARG = bigint);
SET search_path = trap, attach, pg_catalog;
SELECT modseq.attach('pmail', 'mailbox2');
SELECT * FROM modseq.check('pmail');
SELECT modseq.detach('pmail');
SET search_path = attach;

SET client_min_messages = warning;
DROP SCHEMA trap, attach CASCADE;
