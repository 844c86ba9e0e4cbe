--
-- Soft delete: a message whose message_expunged column is set is expunged
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_soft;
SET search_path = t_soft;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set soft_delete :test /include/soft_delete.sql
\i :soft_delete
-- A column merely called deleted is \Deleted
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'mail'::regclass;
\set mailboxes 'TABLE mailboxes ORDER BY box;'
:mailboxes

-- \Deleted is a flag
UPDATE mail SET deleted = true WHERE id = 1;
:mailboxes
-- Expunged: one value and one row for the statement; the messages keep their mod-sequences, whatever else changes
UPDATE mail SET deleted_at = '2026-01-01', seen = true, modseq = 77 WHERE id IN (1, 3, 4) RETURNING uid, modseq;
:mailboxes
BEGIN;
SELECT highestmodseq FROM modseq.lock('mail', 1);
UPDATE mail SET deleted_at = '2026-01-01', seen = true WHERE id = 6;
COMMIT;
:mailboxes
-- Of what is expunged nobody hears: flags, another time of deletion, the same again, mod-sequences
UPDATE mail SET seen = false WHERE id = 1;
UPDATE mail SET deleted_at = '2026-02-02', deleted = false, modseq = 99, created_modseq = 99 WHERE id IN (1, 3);
BEGIN;
SELECT highestmodseq FROM modseq.lock('mail', 1);
UPDATE mail SET seen = NOT seen WHERE deleted_at IS NOT NULL;
INSERT INTO mail_flag VALUES (1, '\Seen'), (3, '\Seen');
COMMIT;
INSERT INTO mail_flag VALUES (1, 'x'), (3, 'x');
UPDATE mail_flag SET flag = 'y' WHERE mail_id = 1 AND flag = 'x';
DELETE FROM mail_flag WHERE mail_id = 3;
:mailboxes
-- A statement on both kinds tells of those that are live; and a flag table that is emptied, too
UPDATE mail SET seen = true;
INSERT INTO mail_flag SELECT id, 'z' FROM mail WHERE id < 5;
:mailboxes
TRUNCATE mail_flag;
:mailboxes

-- What clients are told
SELECT * FROM modseq.changed_since('mail', 1, 0);
SELECT modseq.vanished_since('mail', 1, 0);
SELECT * FROM modseq.unchanged_since('mail', 1, '1:6', 2);
SELECT verdict, r.uidnext, r.highestmodseq, vanished, changed
	FROM mail_mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2) AS r WHERE b.id = 1;
-- Message numbers count live messages: 2, 5, 7, 8, 9 are 1 to 5. Pair (3, 7) is right, so 1, 3, 4 and 6 are known
SELECT vanished FROM mail_mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2, NULL, '3', '7') WHERE b.id = 1;
SELECT vanished FROM mail_mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2, NULL, '7', '7') WHERE b.id = 1;
SELECT vanished FROM mail_mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2, NULL, '1', '3') WHERE b.id = 1;
SELECT * FROM modseq.check('mail');

-- An expunged message that arrives is gone at once, so that there is no gap
INSERT INTO mail (id, mailbox_id, deleted_at) VALUES (10, 1, now()), (11, 1, NULL) RETURNING id, uid, modseq;
:mailboxes
-- Moves: the source hears nothing of an expunged one; a live one may go and be expunged, or come and be undeleted
UPDATE mail SET mailbox_id = 2 WHERE id = 10 RETURNING uid;
:mailboxes
UPDATE mail SET mailbox_id = 2, deleted_at = now() WHERE id = 11;
:mailboxes
UPDATE mail SET mailbox_id = 1, deleted_at = NULL WHERE id = 11 RETURNING uid;
:mailboxes
-- A mailbox that is renamed keeps them
UPDATE mailbox SET id = 4 WHERE id = 2;
:mailboxes
SELECT modseq.vanished_since('mail', 4, 0);
UPDATE mailbox SET id = 2 WHERE id = 4;
-- One more UID for what is expunged: only that vanishes
UPDATE mail SET uid = NULL WHERE id = 10 RETURNING uid;
:mailboxes

-- Hard DELETE: of the expunged silent
DELETE FROM mail WHERE id = 8;
DELETE FROM mail WHERE id IN (8, 10, 4);
:mailboxes
SELECT * FROM modseq.check('mail');
-- TRUNCATE, and a new UIDVALIDITY
BEGIN;
TRUNCATE mail CASCADE;
:mailboxes
ROLLBACK;
BEGIN;
SELECT modseq.reset_uidvalidity('mail', 1) > 0;
UPDATE mail SET seen = seen IS NOT TRUE;
UPDATE mail SET deleted_at = NULL WHERE id = 3 RETURNING uid;
:mailboxes
SELECT * FROM modseq.check('mail');
ROLLBACK;

-- A conditional store
BEGIN;
SELECT * FROM modseq.unchanged_since('mail', 1, '1:14', 9);
ROLLBACK;

-- A mailbox that goes
DELETE FROM mailbox WHERE id = 2;
DELETE FROM mailbox WHERE id = 3;
:mailboxes
SELECT * FROM modseq.check('mail');
SELECT modseq.compact('mail', '0');
:mailboxes
SELECT * FROM modseq.check('mail');

-- Among many that are expunged, the index that finds the live is ours and not the application's, whatever the
-- statistics say
INSERT INTO mailbox (id) VALUES (5);
INSERT INTO mail (id, mailbox_id, deleted_at) SELECT i, 5, now() FROM generate_series(1000, 4000) AS i;
INSERT INTO mail (id, mailbox_id) VALUES (5001, 5), (5002, 5);
CREATE INDEX tempting ON mail (mailbox_id, deleted_at);
ANALYZE mail;
CREATE FUNCTION scans(index text) RETURNS bigint LANGUAGE sql AS $$
	SELECT pg_stat_get_xact_numscans(index::regclass)
$$;
BEGIN;
SELECT scans('tempting') AS before \gset
SELECT count(*) FROM modseq.changed_since('mail', 5, 2);
SELECT count(*) FROM modseq.unchanged_since('mail', 5, '3002:3003', 9);
SELECT changed, vanished FROM mail_mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 1, NULL, '1', '3002') WHERE b.id = 5;
UPDATE mail SET seen = true WHERE id IN (5001, 5002);
INSERT INTO mail_flag VALUES (5001, 'x');
SELECT scans('tempting') = :before AS not_used;
ROLLBACK;

DROP SCHEMA t_soft CASCADE;
