--
-- PREPARE TRANSACTION. A transaction that is prepared is as complete as one that commits; from then on its mailboxes are
-- locked by it, and no longer by the session, which knows nothing of them any more. (The server needs
-- max_prepared_transactions; test/run sets it.)
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_prepared;
SET search_path = t_prepared;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set mail :test /include/mail.sql
\i :mail
INSERT INTO mail (mailbox_id) VALUES (1), (1), (2);
-- What should not be there does not stay
\set left_over 'SELECT format(\'ROLLBACK PREPARED %L\', gid) FROM pg_prepared_xacts WHERE database = current_database() \\gexec'

-- A statement that could not be completed is not prepared either
ALTER TABLE mail DISABLE TRIGGER modseq_flush;
BEGIN;
DELETE FROM mail WHERE id = 1;
PREPARE TRANSACTION 'modseq incomplete';
:left_over
ALTER TABLE mail ENABLE TRIGGER modseq_flush;
ALTER TABLE mail_flag DISABLE TRIGGER modseq_flush;
BEGIN;
INSERT INTO mail_flag VALUES (1, '\Seen');
PREPARE TRANSACTION 'modseq incomplete';
:left_over
ALTER TABLE mail_flag ENABLE TRIGGER modseq_flush;
:mailboxes

-- The next statements of the session: the mailbox is locked by another, as if another session had done it
SET lock_timeout = '10ms';
BEGIN;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
UPDATE mail SET seen = true WHERE id = 1;
PREPARE TRANSACTION 'modseq 1';
INSERT INTO mail (mailbox_id) VALUES (1);
SELECT * FROM modseq.lock('mail', 1);
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
DELETE FROM mail WHERE id = 2;
ROLLBACK PREPARED 'modseq 1';
-- What was rolled back is handed out again
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
:mailboxes

-- Savepoints, a flag table, names of mailboxes, a new UIDVALIDITY: all of it is the prepared transaction's
BEGIN;
SAVEPOINT a;
INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE mailbox_id = 1;
RELEASE a;
SAVEPOINT b;
DELETE FROM mail WHERE mailbox_id = 1 AND uid = 2;
INSERT INTO mailbox (id) VALUES (3);
SELECT modseq.reset_uidvalidity('mail', 2) > 0 AS reset;
PREPARE TRANSACTION 'modseq 2';
INSERT INTO mail_flag SELECT id, '$Later' FROM mail WHERE mailbox_id = 1 AND uid = 1;
INSERT INTO mail (mailbox_id) VALUES (3);
UPDATE mail SET seen = true WHERE mailbox_id = 2;
COMMIT PREPARED 'modseq 2';
:mailboxes
INSERT INTO mail_flag SELECT id, '$Later' FROM mail WHERE mailbox_id = 1 AND uid = 1;
INSERT INTO mail (mailbox_id) VALUES (3), (1) RETURNING mailbox_id, uid, modseq;
UPDATE mail SET seen = true WHERE mailbox_id = 2;
:mailboxes
SELECT * FROM modseq.check('mail');

-- One that notifies: the session's next commit sends nothing that the prepared one has changed
SELECT modseq.attach('mail', notify => true);
LISTEN modseq;
BEGIN;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
PREPARE TRANSACTION 'modseq 3';
INSERT INTO mailbox (id) VALUES (4);
SELECT count(*) FROM modseq.lock('mail', 2);
ROLLBACK PREPARED 'modseq 3';
UNLISTEN modseq;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_prepared CASCADE;
