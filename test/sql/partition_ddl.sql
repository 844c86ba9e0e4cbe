--
-- Partitions of a message table that come and go: ATTACH, DETACH, CREATE and DROP, and who may
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition_ddl;
SET search_path = t_partition_ddl;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

-- By date, and the latest by mailbox too
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id int, box_id bigint NOT NULL REFERENCES box, day int NOT NULL, seen boolean) PARTITION BY RANGE (day);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES FROM (10) TO (20);
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES FROM (20) TO (30);
CREATE TABLE mail_3 PARTITION OF mail FOR VALUES FROM (30) TO (40) PARTITION BY HASH (box_id);
CREATE TABLE mail_3_0 PARTITION OF mail_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE mail_3_1 PARTITION OF mail_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1), (2), (3);
INSERT INTO mail SELECT 100 * day + i, 1 + i % 3, day, false FROM generate_series(1, 6) AS i, unnest('{15,25,35}'::int[]) AS day;

-- For each mailbox its counters, its messages as id:uid:modseq, and what vanished; and what is unsound
\set state 'SELECT mailbox[1]::bigint AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\') ORDER BY 1, 5;'
CREATE VIEW triggers AS
	SELECT tgrelid::regclass, string_agg(tgname, ' ' ORDER BY tgname) AS triggers
	FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text ~ '^h?mail(_[0-9]|$)'
	GROUP BY tgrelid ORDER BY tgrelid::regclass::text;
\set triggers 'TABLE triggers;'
:state

--
-- DETACH: the messages vanish, and the table is on its own
--
ALTER TABLE mail DETACH PARTITION mail_1;
:state
:triggers
INSERT INTO mail_1 VALUES (1, 1, 11, false, 4711, 1);
UPDATE mail_1 SET seen = true;
DELETE FROM mail_1 WHERE id = 1;
SELECT modseq.changed_since('mail', 1, 3);

-- ATTACH: they arrive, in the order of their UIDs, and nothing vanishes
UPDATE mail_1 SET uid = 7 WHERE id = 1505;
UPDATE mail_1 SET modseq = 4711, uid = 4 WHERE id = 1504;
ALTER TABLE mail ATTACH PARTITION mail_1 FOR VALUES FROM (10) TO (20);
:state
UPDATE mail_1 SET seen = false WHERE id = 1501;
:state
-- Of several levels at once
ALTER TABLE mail DETACH PARTITION mail_3;
:state
:triggers
TRUNCATE mail_3_0;
ALTER TABLE mail ATTACH PARTITION mail_3 FOR VALUES FROM (30) TO (40);
:state
:triggers
ALTER TABLE mail_3 DETACH PARTITION mail_3_1;
ALTER TABLE mail_3 ATTACH PARTITION mail_3_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
:state
-- As part of a transaction that goes on, or is rolled back
BEGIN;
UPDATE mail SET seen = true WHERE id = 2501;
SAVEPOINT a;
ALTER TABLE mail DETACH PARTITION mail_2;
SELECT modseq.vanished_since('mail', 1, 11);
ROLLBACK TO a;
ALTER TABLE mail DETACH PARTITION mail_1;
UPDATE mail SET seen = NOT seen WHERE id % 100 IN (1, 2);
:state
ROLLBACK;
:state
DO $$ BEGIN
	ALTER TABLE mail DETACH PARTITION mail_1;
	UPDATE mail SET seen = NOT seen WHERE id = 2502;
	ALTER TABLE mail ATTACH PARTITION mail_1 FOR VALUES FROM (10) TO (20);
END $$;
:state
-- It cannot be in two transactions
\set VERBOSITY default
ALTER TABLE mail DETACH PARTITION mail_1 CONCURRENTLY;
\set VERBOSITY terse
-- What is refused by PostgreSQL leaves nothing behind
ALTER TABLE mail DETACH PARTITION mail_3_0;
ALTER TABLE mail DETACH PARTITION nowhere;
ALTER TABLE IF EXISTS nothing DETACH PARTITION mail_1;
ALTER TABLE mail ATTACH PARTITION mail_1 FOR VALUES FROM (10) TO (20);
:state

--
-- Tables that come with messages
--
CREATE TABLE other (LIKE mail);
INSERT INTO other SELECT i, 1, 45, false, 3, 4711 FROM generate_series(1, 3) AS i;
INSERT INTO other VALUES (4, 9, 45, false, -1, 0);
ALTER TABLE other ALTER day DROP NOT NULL;
\set VERBOSITY sqlstate
ALTER TABLE mail ATTACH PARTITION other FOR VALUES FROM (40) TO (50);
\set VERBOSITY terse
ALTER TABLE other ALTER day SET NOT NULL;
ALTER TABLE mail ATTACH PARTITION other FOR VALUES FROM (40) TO (50);
UPDATE other SET box_id = 3 WHERE id = 4;
ALTER TABLE mail ATTACH PARTITION other FOR VALUES FROM (40) TO (50);
:state
-- Where there is a unique index on mailbox and UID, new UIDs keep clear of the old ones; and so does a trigger of
-- the application's that fires meanwhile
CREATE TABLE hbox (id bigint PRIMARY KEY);
CREATE TABLE hmail (id int, box_id bigint NOT NULL, mark text) PARTITION BY HASH (box_id);
CREATE TABLE hmail_0 PARTITION OF hmail FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT modseq.attach('hmail', 'hbox', message_created_modseq => 'created_modseq');
INSERT INTO hbox VALUES (1), (2);
ALTER TABLE hmail DETACH PARTITION hmail_0;
INSERT INTO hmail_0 SELECT i, 1 + i % 2, NULL, 9 - i, 0, 4711 FROM generate_series(1, 8) AS i;
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.mark := tg_op; new.uid := 1; RETURN new; END $$;
CREATE TRIGGER mark BEFORE UPDATE ON hmail_0 FOR EACH ROW EXECUTE FUNCTION mark();
ALTER TABLE hmail ATTACH PARTITION hmail_0 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
DROP TRIGGER mark ON hmail_0;
TABLE hmail ORDER BY box_id, uid;
SELECT mailbox, uidnext, highestmodseq, (SELECT string_agg(concat_ws(' ', v.id, v.modseq, v.uids), ', ' ORDER BY v.id, v.modseq) FROM hmail_vanished v) AS vanished FROM modseq.status('hmail', ARRAY[1, 2]);
SELECT * FROM modseq.check('hmail');

--
-- DROP
--
BEGIN;
DROP TABLE mail_1, other;
:state
DROP TABLE mail_3;
:state
ROLLBACK;
DROP TABLE IF EXISTS nowhere, t_partition_ddl.mail_3_0;
:state
-- By name in a schema, with what depends on it, and with the table that it is a partition of
CREATE VIEW viewed AS SELECT FROM mail_1;
DROP TABLE mail_1;
DROP TABLE t_partition_ddl.mail_1 CASCADE;
:state
BEGIN;
DROP TABLE mail_2, mail;
SELECT highestmodseq FROM mail_mailbox WHERE id = 1;
ROLLBACK;
-- What a schema takes with it is found out by the next attach()
CREATE SCHEMA t_partition_ddl_2 CREATE TABLE mail_1 PARTITION OF t_partition_ddl.mail FOR VALUES FROM (10) TO (20);
INSERT INTO t_partition_ddl_2.mail_1 (id, box_id, day) VALUES (1, 1, 15);
:state
DROP SCHEMA t_partition_ddl_2 CASCADE;
:state
SELECT modseq.attach('mail', 'box');
:state

--
-- With the event triggers off, a partition lacks triggers: what is written to it cannot be committed
--
ALTER EVENT TRIGGER modseq_after DISABLE;
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES FROM (10) TO (20);
INSERT INTO mail (id, box_id, day) VALUES (1, 1, 15);
\set VERBOSITY default
DELETE FROM mail_1 WHERE id = 1;
\set VERBOSITY terse
:state
SELECT modseq.attach('mail', 'box');
DELETE FROM mail_1 WHERE id = 1;
:state
ALTER TABLE mail DETACH PARTITION mail_1;
TRUNCATE mail_1;
SELECT modseq.detach('mail_1');
TRUNCATE mail_1;
ALTER EVENT TRIGGER modseq_after ENABLE;
ALTER TABLE mail ATTACH PARTITION mail_1 FOR VALUES FROM (10) TO (20);
-- Any ALTER TABLE of the partitioned table finds what is missing
DROP TRIGGER modseq_flush ON mail_2;
ALTER TABLE mail ALTER seen SET DEFAULT false;
:state
-- detach() removes them all
SELECT modseq.detach('mail');
:triggers
SELECT modseq.attach('mail', 'box');
SELECT message FROM modseq.stores WHERE message = 'mail'::regclass;
:state

--
-- What cannot be served
--
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE FOREIGN DATA WRAPPER t_partition_ddl;
CREATE SERVER t_partition_ddl FOREIGN DATA WRAPPER t_partition_ddl;
CREATE UNLOGGED TABLE fast PARTITION OF mail FOR VALUES FROM (60) TO (70);
CREATE UNLOGGED TABLE fast (LIKE mail);
ALTER TABLE mail ATTACH PARTITION fast FOR VALUES FROM (60) TO (70);
CREATE TABLE mail2 (LIKE mail) PARTITION BY RANGE (day);
CREATE TABLE box2 (id bigint PRIMARY KEY);
CREATE FOREIGN TABLE far PARTITION OF mail2 FOR VALUES FROM (60) TO (70) SERVER t_partition_ddl;
SELECT modseq.attach('mail2', 'box2');
DROP FOREIGN TABLE far;
ALTER TABLE mail2 ATTACH PARTITION fast FOR VALUES FROM (60) TO (70);
SELECT modseq.attach('mail2', 'box2');
ALTER TABLE fast SET LOGGED;
-- Two messages with one UID, in two partitions where no index could tell
CREATE TABLE slow PARTITION OF mail2 DEFAULT;
INSERT INTO box2 VALUES (1);
INSERT INTO mail2 SELECT day, 1, day, false, 5, 5 FROM unnest('{60,80}'::int[]) AS day;
SELECT modseq.attach('mail2', 'box2');
-- Numbers of ours that would decide on the partition
CREATE TABLE mail3 (LIKE mail) PARTITION BY RANGE ((uid / 1000));
SELECT modseq.attach('mail3', 'box2');
CREATE TABLE mail4 (LIKE mail) PARTITION BY LIST (seen);
CREATE TABLE mail4_seen PARTITION OF mail4 DEFAULT PARTITION BY RANGE (modseq);
SELECT modseq.attach('mail4', 'box2');
SELECT modseq.attach('mail_2', 'box2');
\set VERBOSITY terse

--
-- Rights
--
CREATE ROLE regress_modseq_owner;
CREATE ROLE regress_modseq_other;
GRANT CREATE, USAGE ON SCHEMA t_partition_ddl TO regress_modseq_owner, regress_modseq_other;
CREATE TABLE obox (id bigint PRIMARY KEY);
CREATE TABLE omail (id int, box_id bigint NOT NULL) PARTITION BY RANGE (id);
ALTER TABLE obox OWNER TO regress_modseq_owner;
ALTER TABLE omail OWNER TO regress_modseq_owner;
SET ROLE regress_modseq_owner;
SELECT modseq.attach('omail', 'obox');
INSERT INTO obox VALUES (1);
CREATE TABLE omail_1 PARTITION OF omail FOR VALUES FROM (10) TO (20);
GRANT INSERT, DELETE ON omail_1 TO regress_modseq_other;
RESET ROLE;
-- One that is a superuser's
CREATE TABLE omail_2 PARTITION OF omail FOR VALUES FROM (20) TO (30);
-- Writing to a partition takes a right on it and on nothing else
SET ROLE regress_modseq_other;
INSERT INTO omail_1 VALUES (11, 1), (12, 1);
DELETE FROM omail_1;
-- Who may not run a command locks nothing
BEGIN;
DROP TABLE omail_1;
ROLLBACK;
BEGIN;
SAVEPOINT a;
ALTER TABLE omail DETACH PARTITION omail_1;
ROLLBACK TO a;
SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('omail'::regclass, 'omail_1'::regclass) ORDER BY mode;
ROLLBACK;
-- DDL of those who know nothing of us
CREATE TABLE own (a int) PARTITION BY LIST (a);
CREATE TABLE own_1 PARTITION OF own FOR VALUES IN (1);
ALTER TABLE own DETACH PARTITION own_1;
ALTER TABLE own ATTACH PARTITION own_1 FOR VALUES IN (1);
ALTER TABLE own ADD b int;
DROP TABLE own_1;
DROP TABLE own;
-- A table that is nobody's store, with our triggers on it
CREATE TABLE own (a int) PARTITION BY LIST (a);
CREATE TABLE own_1 PARTITION OF own FOR VALUES IN (1);
CREATE TRIGGER t AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect_flag('t_partition_ddl.omail');
ALTER TABLE own DETACH PARTITION own_1;
DROP TABLE own_1;
DROP TRIGGER t ON own;
DROP TABLE own;
RESET ROLE;
SELECT tgrelid::regclass, count(*) FROM pg_trigger WHERE tgrelid::regclass::text ~ '^omail(_[0-9]|$)' GROUP BY 1 ORDER BY 1;
CREATE FOREIGN TABLE far PARTITION OF omail FOR VALUES FROM (60) TO (70) SERVER t_partition_ddl;
INSERT INTO omail VALUES (21, 1);
GRANT SELECT ON obox TO regress_modseq_other;
ALTER TABLE omail OWNER TO regress_modseq_other;
ALTER TABLE omail_vanished OWNER TO regress_modseq_other;
ALTER TABLE omail_mailbox OWNER TO regress_modseq_other;
SET ROLE regress_modseq_other;
ALTER TABLE omail DETACH PARTITION omail_2;
SELECT modseq.vanished_since('omail', 1, 3);
RESET ROLE;
SELECT modseq.event_after();
SELECT modseq.event_before();

SET client_min_messages = warning;
DROP SERVER t_partition_ddl CASCADE;
DROP FOREIGN DATA WRAPPER t_partition_ddl;
DROP SCHEMA t_partition_ddl CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_other;
