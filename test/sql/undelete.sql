--
-- Undelete: a message that was expunged by a column and is live again arrives, under a new UID
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_soft;
SET search_path = t_soft;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set soft_delete :test /include/soft_delete.sql
\i :soft_delete
\set mailboxes 'TABLE mailboxes ORDER BY box;'

-- Messages 1, 3, 4 and 6 are expunged, the others have been changed
UPDATE mail SET deleted = true WHERE id = 1;
UPDATE mail SET deleted_at = '2026-01-01', seen = true, modseq = 77 WHERE id IN (1, 3, 4);
UPDATE mail SET deleted_at = '2026-01-01', seen = true WHERE id = 6;
UPDATE mail SET seen = true;
INSERT INTO mail_flag SELECT id, 'z' FROM mail WHERE id < 5;
TRUNCATE mail_flag;
:mailboxes

-- Undelete: it arrives, under a new UID
UPDATE mail SET deleted_at = NULL WHERE id = 3 RETURNING uid, modseq, created_modseq;
:mailboxes
SELECT changed, vanished FROM mail_mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 6) WHERE b.id = 1;
-- Several, with a flag; and one that is live
UPDATE mail SET deleted_at = NULL, seen = NOT seen WHERE id IN (1, 2, 4) RETURNING id, uid, modseq;
:mailboxes
-- With a UID of the application's choice: from UIDNEXT on
UPDATE mail SET deleted_at = NULL, uid = 6 WHERE id = 6;
UPDATE mail SET deleted_at = NULL, uid = 5 WHERE id = 6;
UPDATE mail SET deleted_at = NULL, uid = 20 WHERE id = 6 RETURNING uid;
UPDATE mail SET deleted_at = now() WHERE id = 6;
UPDATE mail SET deleted_at = NULL, uid = NULL WHERE id = 6 RETURNING uid;
:mailboxes
-- Deleted and undeleted in one transaction
BEGIN;
UPDATE mail SET deleted_at = now() WHERE id = 9;
UPDATE mail SET deleted_at = NULL WHERE id = 9 RETURNING uid, modseq;
COMMIT;
:mailboxes
-- Some come, some go
UPDATE mail SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id IN (7, 8);
UPDATE mail SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id IN (1, 7);
:mailboxes
SELECT * FROM modseq.check('mail');

-- What is rolled back has not been
BEGIN;
SAVEPOINT s;
UPDATE mail SET deleted_at = now() WHERE id IN (1, 2);
UPDATE mail SET deleted_at = NULL WHERE id = 8 RETURNING uid, modseq;
ROLLBACK TO s;
UPDATE mail SET deleted_at = NULL WHERE id = 8 RETURNING uid, modseq;
SAVEPOINT s;
UPDATE mail SET deleted_at = now() WHERE id = 8;
RELEASE s;
COMMIT;
:mailboxes

-- Upsert, and MERGE
INSERT INTO mail (id, mailbox_id) VALUES (8, 1) ON CONFLICT (id) DO UPDATE SET deleted_at = NULL RETURNING uid, modseq;
INSERT INTO mail (id, mailbox_id) VALUES (8, 1) ON CONFLICT (id) DO UPDATE SET deleted_at = now() RETURNING uid, modseq;
:mailboxes
INSERT INTO mail (id, mailbox_id, uid) SELECT 99, 1, uid FROM mail WHERE id = 8
	ON CONFLICT (mailbox_id, uid) DO UPDATE SET deleted_at = NULL RETURNING id, uid, modseq;
UPDATE mail SET deleted_at = now() WHERE id = 8;
:mailboxes
MERGE INTO mail USING (VALUES (1), (2), (8), (12)) AS v (id) ON mail.id = v.id
	WHEN MATCHED AND deleted_at IS NOT NULL THEN UPDATE SET deleted_at = NULL
	WHEN MATCHED AND v.id = 1 THEN DELETE
	WHEN MATCHED THEN UPDATE SET deleted_at = now()
	WHEN NOT MATCHED THEN INSERT (id, mailbox_id) VALUES (v.id, 3);
:mailboxes
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_soft CASCADE;
