--
-- Who may not use the schema modseq may write messages all the same, and what is no store is not disturbed. The functions
-- that users call take that right.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_owner, regress_modseq_app;
CREATE ROLE regress_modseq_owner;
CREATE ROLE regress_modseq_app;
CREATE SCHEMA usage AUTHORIZATION regress_modseq_owner;
GRANT ALL ON SCHEMA usage TO regress_modseq_app;
SET search_path = usage;
SET ROLE regress_modseq_owner;
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint, box_id bigint NOT NULL, seen boolean) PARTITION BY LIST (box_id);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_flag (id bigint, flag text);
SELECT modseq.attach('mail', 'box', 'mail_flag', message_key => '{id}', flag_message => '{id}');
GRANT ALL ON mail, mail_flag, box TO regress_modseq_app;
RESET ROLE;
REVOKE USAGE ON SCHEMA modseq, modseq_internal FROM PUBLIC;
GRANT USAGE ON SCHEMA modseq, modseq_internal TO regress_modseq_owner;

\c -
SET search_path = usage;
SET client_min_messages = warning;
\set VERBOSITY terse
SET ROLE regress_modseq_app;
INSERT INTO box VALUES (1), (2);
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 1) RETURNING uid, modseq;
INSERT INTO mail_flag VALUES (1, '\Seen');
UPDATE mail SET seen = true WHERE id = 2;
DELETE FROM mail WHERE id = 3;
SELECT * FROM modseq.status('mail', 1);
-- Partitions of what is no store
CREATE TABLE log (id int) PARTITION BY LIST (id);
CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1);
CREATE TABLE log_2 (id int);
ALTER TABLE log ATTACH PARTITION log_2 FOR VALUES IN (2);
ALTER TABLE log DETACH PARTITION log_2;
DROP TABLE log_1;
-- And of a store
SET ROLE regress_modseq_owner;
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES IN (2);
DROP TABLE mail_2;
DROP TABLE mail_1;
SELECT uids FROM mail_vanished;
RESET ROLE;
SELECT * FROM modseq.check('mail');
GRANT USAGE ON SCHEMA modseq, modseq_internal TO PUBLIC;
-- Who may not use the schema of the mailboxes gets no answer, though he knows the table by its number
SELECT 'mail'::regclass::oid AS mail \gset
REVOKE ALL ON SCHEMA usage FROM regress_modseq_app;
SET ROLE regress_modseq_app;
SELECT * FROM modseq.status(:mail::regclass, 1);
SELECT * FROM modseq.status(:mail::regclass, '{1,2}'::bigint[]);
RESET ROLE;

DROP SCHEMA usage CASCADE;
REVOKE ALL ON SCHEMA modseq, modseq_internal FROM regress_modseq_owner;
DROP ROLE regress_modseq_owner, regress_modseq_app;
