--
-- Savepoints: what is rolled back is as if it had not been, in the rows and in what we remember
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

-- Mailboxes that have been used
INSERT INTO mail (mailbox_id) SELECT id FROM mailbox, generate_series(1, 19);
DELETE FROM mail;
UPDATE mail_mailbox SET highestmodseq = CASE id WHEN 1 THEN 17 ELSE 12 END;
:mailboxes

BEGIN;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
SAVEPOINT a;
INSERT INTO mail (mailbox_id) VALUES (1), (1) RETURNING uid, modseq;
ROLLBACK TO a;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
SAVEPOINT b;
UPDATE mail SET seen = true;
SAVEPOINT c;
DELETE FROM mail WHERE mailbox_id = 1;
ROLLBACK TO c;
INSERT INTO mail (mailbox_id) VALUES (1) RETURNING uid, modseq;
RELEASE b;
UPDATE mail SET seen = true WHERE seen IS NULL;
COMMIT;
:mailboxes
-- First used in a savepoint that is rolled back, so that the lock is lost with it
BEGIN;
SAVEPOINT a;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
ROLLBACK TO a;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
COMMIT;
:mailboxes
-- In one that is released
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
RELEASE b;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
RELEASE a;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
COMMIT;
-- In one that is released into one that is rolled back
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
DELETE FROM mail WHERE mailbox_id = 2 AND uid > 12;
RELEASE b;
UPDATE mail SET seen = true WHERE mailbox_id = 2;
ROLLBACK TO a;
INSERT INTO mail (mailbox_id) VALUES (2) RETURNING uid, modseq;
COMMIT;
:mailboxes
-- lock() outside and inside of savepoints
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 2);
SAVEPOINT a;
UPDATE mail SET seen = true WHERE mailbox_id = 2 AND uid = 21 RETURNING modseq;
ROLLBACK TO a;
UPDATE mail SET seen = true WHERE mailbox_id = 2 AND uid = 22 RETURNING modseq;
COMMIT;
:mailboxes
BEGIN;
SAVEPOINT a;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 2);
UPDATE mail SET seen = true WHERE mailbox_id = 2 AND uid = 21 RETURNING modseq;
ROLLBACK TO a;
-- The lock is gone: this one is stamped at its end
UPDATE mail SET seen = false WHERE mailbox_id = 2 AND uid = 22 RETURNING modseq;
SAVEPOINT b;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 2);
SELECT modseq.touch('mail', 2);
RELEASE b;
UPDATE mail SET seen = true WHERE mailbox_id = 2 AND uid = 23 RETURNING modseq;
COMMIT;
:mailboxes
-- unchanged_since() and what it judged, rolled back and tried again
BEGIN;
SAVEPOINT a;
SELECT * FROM modseq.unchanged_since('mail', 2, '22:25', 19);
UPDATE mail SET seen = false WHERE mailbox_id = 2 AND uid IN (23, 24);
SELECT * FROM modseq.unchanged_since('mail', 2, '22:25', 19);
ROLLBACK TO a;
SELECT * FROM modseq.unchanged_since('mail', 2, '22:25', 19);
COMMIT;
-- A mailbox that is made in a savepoint, or goes in one
BEGIN;
SAVEPOINT a;
INSERT INTO mailbox (id) VALUES (3);
INSERT INTO mail (mailbox_id) VALUES (3) RETURNING uid, modseq;
ROLLBACK TO a;
INSERT INTO mail (mailbox_id) VALUES (3);
ROLLBACK TO a;
INSERT INTO mailbox (id) VALUES (3);
INSERT INTO mail (mailbox_id) VALUES (3), (3) RETURNING uid, modseq;
SAVEPOINT b;
DELETE FROM mail WHERE mailbox_id = 3;
DELETE FROM mailbox WHERE id = 3;
ROLLBACK TO b;
INSERT INTO mail (mailbox_id) VALUES (3) RETURNING uid, modseq;
COMMIT;
:mailboxes
-- An error in the middle of a statement, and a new UIDVALIDITY that is taken back
BEGIN;
SAVEPOINT a;
INSERT INTO mail (mailbox_id) SELECT CASE WHEN i = 3 THEN 1 / (3 - i) ELSE 3 END FROM generate_series(1, 4) AS i;
ROLLBACK TO a;
INSERT INTO mail (mailbox_id) VALUES (3) RETURNING uid, modseq;
UPDATE mail_mailbox SET uidvalidity = uidvalidity + 1 WHERE id = 3;
ROLLBACK TO a;
INSERT INTO mail (mailbox_id) VALUES (3) RETURNING uid, modseq;
COMMIT;
:mailboxes
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_transactions CASCADE;
