--
-- A statement that could not be completed does not commit
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_transactions;
SET search_path = t_transactions;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set mail :test /include/mail.sql
\i :mail

INSERT INTO mail (mailbox_id) VALUES (1), (2), (2), (2);
ALTER TABLE mail DISABLE TRIGGER modseq_flush;
DELETE FROM mail WHERE mailbox_id = 2;
UPDATE mail SET seen = true WHERE mailbox_id = 2;
INSERT INTO mail (mailbox_id) VALUES (2);
BEGIN;
DELETE FROM mail WHERE mailbox_id = 2;
SAVEPOINT a;
DELETE FROM mail WHERE mailbox_id = 1;
RELEASE a;
ROLLBACK;
-- What changes nothing may go on
DELETE FROM mail WHERE false;
UPDATE mail SET subject = 'x';
ALTER TABLE mail ENABLE TRIGGER modseq_flush;
\set VERBOSITY default
ALTER TABLE mail_flag DISABLE TRIGGER modseq_flush;
INSERT INTO mail_flag SELECT id, 'x' FROM mail;
ALTER TABLE mail_flag ENABLE TRIGGER modseq_flush;
-- Without the one before the statement nothing is lost: rows are collected, and completed after it
ALTER TABLE mail DISABLE TRIGGER modseq_open;
DELETE FROM mail WHERE mailbox_id = 2 AND uid < 3;
ALTER TABLE mail ENABLE TRIGGER modseq_open;
:mailboxes
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_transactions CASCADE;
