--
-- Soft delete: a message whose message_expunged column is set is expunged. DESIGN sections 2 and 3, rule 6; issue 4
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_soft;
SET search_path = t_soft;
\set VERBOSITY terse

CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (
	id bigint PRIMARY KEY,
	mailbox_id bigint NOT NULL REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE,
	seen boolean,
	deleted boolean,
	deleted_at timestamptz,
	created_modseq bigint);
CREATE TABLE mail_flag (mail_id bigint REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', message_expunged => 'deleted_at');
-- A column merely called deleted is \Deleted
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'mail'::regclass;
INSERT INTO mailbox (id) VALUES (1), (2), (3);
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 9) AS i;

-- For each mailbox: its counters, the live messages as id:uid:modseq, the expunged ones, and what vanished
CREATE VIEW mailboxes AS
	SELECT b.id AS box, uidnext, highestmodseq AS highest,
		(SELECT string_agg(concat_ws(':', id, uid, modseq), ' ' ORDER BY uid) FROM mail
			WHERE mailbox_id = b.id AND deleted_at IS NULL) AS live,
		(SELECT string_agg(concat_ws(':', id, uid, modseq), ' ' ORDER BY uid) FROM mail
			WHERE mailbox_id = b.id AND deleted_at IS NOT NULL) AS expunged,
		(SELECT string_agg(modseq || ': ' || uids::text, ' | ' ORDER BY modseq) FROM mail_vanished v
			WHERE v.id = b.id) AS vanished
	FROM mailbox b;
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
	FROM mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2) AS r WHERE b.id = 1;
-- Message numbers count live messages: 2, 5, 7, 8, 9 are 1 to 5. Pair (3, 7) is right, so 1, 3, 4 and 6 are known
SELECT vanished FROM mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2, NULL, '3', '7') WHERE b.id = 1;
SELECT vanished FROM mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2, NULL, '7', '7') WHERE b.id = 1;
SELECT vanished FROM mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 2, NULL, '1', '3') WHERE b.id = 1;
SELECT * FROM modseq.check('mail');

-- Undelete: it arrives, under a new UID
UPDATE mail SET deleted_at = NULL WHERE id = 3 RETURNING uid, modseq, created_modseq;
:mailboxes
SELECT changed, vanished FROM mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 6) WHERE b.id = 1;
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
UPDATE mail SET deleted_at = NULL WHERE id = 7 RETURNING uid;
:mailboxes
SELECT * FROM modseq.check('mail');
ROLLBACK;

-- What is rolled back has not been
BEGIN;
SAVEPOINT s;
UPDATE mail SET deleted_at = now() WHERE id IN (1, 2);
UPDATE mail SET deleted_at = NULL WHERE id = 7 RETURNING uid, modseq;
ROLLBACK TO s;
UPDATE mail SET deleted_at = NULL WHERE id = 7 RETURNING uid, modseq;
SAVEPOINT s;
UPDATE mail SET deleted_at = now() WHERE id = 7;
RELEASE s;
COMMIT;
:mailboxes

-- Upsert, and MERGE
INSERT INTO mail (id, mailbox_id) VALUES (7, 1) ON CONFLICT (id) DO UPDATE SET deleted_at = NULL RETURNING uid, modseq;
INSERT INTO mail (id, mailbox_id) VALUES (7, 1) ON CONFLICT (id) DO UPDATE SET deleted_at = now() RETURNING uid, modseq;
:mailboxes
INSERT INTO mail (id, mailbox_id, uid) SELECT 99, 1, uid FROM mail WHERE id = 7
	ON CONFLICT (mailbox_id, uid) DO UPDATE SET deleted_at = NULL RETURNING id, uid, modseq;
UPDATE mail SET deleted_at = now() WHERE id = 7;
:mailboxes
MERGE INTO mail USING (VALUES (1), (2), (7), (12)) AS v (id) ON mail.id = v.id
	WHEN MATCHED AND deleted_at IS NOT NULL THEN UPDATE SET deleted_at = NULL
	WHEN MATCHED AND v.id = 1 THEN DELETE
	WHEN MATCHED THEN UPDATE SET deleted_at = now()
	WHEN NOT MATCHED THEN INSERT (id, mailbox_id) VALUES (v.id, 3);
:mailboxes
SELECT * FROM modseq.check('mail');

-- A conditional store
BEGIN;
SELECT * FROM modseq.unchanged_since('mail', 1, '25:40', 28);
ROLLBACK;

-- Other triggers. One that keeps the row as it is, before and after ours:
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN old.id <> 5 THEN new END; END $$;
CREATE TRIGGER a_keep BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION keep();
UPDATE mail SET deleted_at = now() WHERE id IN (5, 6);
ALTER TRIGGER a_keep ON mail RENAME TO zzz_keep;
UPDATE mail SET deleted_at = now() WHERE id = 5;
:mailboxes
UPDATE mail SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id IN (5, 6, 9);
:mailboxes
DROP TRIGGER zzz_keep ON mail;
-- One that turns DELETE into a soft delete
CREATE FUNCTION soften() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET deleted_at = now() WHERE id = old.id;
	RETURN NULL;
END $$;
CREATE TRIGGER soften BEFORE DELETE ON mail FOR EACH ROW WHEN (old.deleted_at IS NULL) EXECUTE FUNCTION soften();
DELETE FROM mail WHERE id IN (5, 9);
:mailboxes
DROP TRIGGER soften ON mail;
-- One that has other ideas on the column, before and after ours; the row as it is written decides
CREATE FUNCTION decide() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	new.deleted_at := CASE WHEN new.seen THEN now() END;
	RETURN new;
END $$;
CREATE TRIGGER a_decide BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION decide();
UPDATE mail SET seen = true WHERE id IN (3, 6);
UPDATE mail SET seen = false WHERE id IN (3, 6) RETURNING id, uid, modseq;
:mailboxes
ALTER TRIGGER a_decide ON mail RENAME TO zzz_decide;
UPDATE mail SET seen = true WHERE id = 3;
:mailboxes
-- This undelete is noticed late: RETURNING has the old UID
UPDATE mail SET seen = false WHERE id = 3 RETURNING uid, modseq;
UPDATE mail SET deleted_at = now() WHERE id = 3 RETURNING uid, modseq;
UPDATE mail SET seen = true WHERE id = 3;
UPDATE mail SET deleted_at = NULL WHERE id = 3;
:mailboxes
SELECT * FROM modseq.check('mail');
DROP TRIGGER zzz_decide ON mail;
-- One that undeletes what the statement deletes, and one that deletes what it undeletes
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET deleted_at = old.deleted_at WHERE id = old.id;
	RETURN NULL;
END $$;
CREATE TRIGGER undo AFTER UPDATE ON mail FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION undo();
UPDATE mail SET deleted_at = now() WHERE id = 6;
UPDATE mail SET deleted_at = NULL WHERE id = 3;
:mailboxes
SELECT * FROM modseq.check('mail');
DROP TRIGGER undo ON mail;

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
SELECT changed, vanished FROM mailbox b, modseq.resync('mail', b.id, b.uidvalidity, 1, NULL, '1', '3002') WHERE b.id = 5;
UPDATE mail SET seen = true WHERE id IN (5001, 5002);
INSERT INTO mail_flag VALUES (5001, 'x');
SELECT scans('tempting') = :before AS not_used;
ROLLBACK;

--
-- All types of the column: null, false and 0 are live
--
CREATE DOMAIN gone AS smallint;
CREATE DOMAIN dead AS boolean;
CREATE FUNCTION type(type text, live text[], expunged text[]) RETURNS TABLE (what text, vanished text, changed text, broken bigint)
LANGUAGE plpgsql AS $$
DECLARE
	value text;
BEGIN
	EXECUTE format('CREATE TABLE box (id int PRIMARY KEY);
		CREATE TABLE msg (id int PRIMARY KEY, box_id int, expunged %s, seen boolean)', type);
	PERFORM modseq.attach('msg', 'box', message_expunged => 'expunged');
	INSERT INTO box VALUES (1);
	what := 'live';
	EXECUTE format('INSERT INTO msg SELECT i, 1, v::%s FROM unnest($1) WITH ORDINALITY AS v (v, i)', type) USING live;
	UPDATE msg SET seen = true;
	SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
		FROM modseq.changed_since('msg', 1, 2) c;
	SELECT count(*) INTO broken FROM modseq.check('msg');
	RETURN NEXT;
	FOREACH value IN ARRAY expunged LOOP
		what := 'expunged by ' || value;
		EXECUTE format('UPDATE msg SET expunged = $1::%s', type) USING value;
		UPDATE msg SET seen = NOT seen;
		SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
			FROM modseq.changed_since('msg', 1, 2) c;
		SELECT count(*) INTO broken FROM modseq.check('msg');
		RETURN NEXT;
	END LOOP;
	what := 'live again';
	EXECUTE format('UPDATE msg SET expunged = $1::%s', type) USING live[1];
	SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
		FROM modseq.changed_since('msg', 1, 2) c;
	SELECT count(*) INTO broken FROM modseq.check('msg');
	RETURN NEXT;
	-- Attached over what there is: what is expunged is not live
	what := 'attached';
	PERFORM modseq.detach('msg');
	DROP TABLE msg_vanished;
	EXECUTE format('UPDATE msg SET expunged = $1::%s WHERE id = 1', type) USING expunged[1];
	PERFORM modseq.attach('msg', 'box', message_expunged => 'expunged');
	SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
		FROM modseq.changed_since('msg', 1, 0) c;
	SELECT count(*) INTO broken FROM modseq.check('msg');
	RETURN NEXT;
	DROP TABLE msg, msg_vanished, box;
END $$;
SELECT * FROM type('boolean', '{NULL,f}', '{t}');
SELECT * FROM type('smallint', '{NULL,0}', '{1,-1}');
SELECT * FROM type('integer', '{0,NULL}', '{4}');
SELECT * FROM type('bigint', '{0,NULL}', '{1798761600000}');
SELECT * FROM type('date', '{NULL}', '{2026-01-01}');
SELECT * FROM type('timestamp', '{NULL}', '{2026-01-01,-infinity}');
SELECT * FROM type('timestamptz', '{NULL}', '{infinity,2026-01-01}');
SELECT * FROM type('gone', '{0,NULL}', '{2}');
SELECT * FROM type('dead', '{f,NULL}', '{t}');

--
-- attach
--
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE msg (id int PRIMARY KEY, box_id int, deleted boolean, status text, hidden smallint, created_modseq bigint);
CREATE TABLE msg_flag (msg_id int, flag text, deleted boolean);
INSERT INTO box VALUES (1);
INSERT INTO msg SELECT i, 1, i % 2 = 0, 'x', i / 5 FROM generate_series(1, 6) AS i;
SELECT modseq.attach('msg', 'box', message_expunged => 'status');
SELECT modseq.attach('msg', 'box', message_expunged => 'nothing');
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted', message_flags => '{deleted}');
SELECT modseq.attach('msg', 'box', message_expunged => 'hidden', message_uid => 'hidden');
\set VERBOSITY terse
-- Messages without a UID get one, also if they are expunged; mod-sequences are new, so nothing has vanished
SELECT modseq.attach('msg', 'box');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
CREATE VIEW seen AS SELECT uidnext, highestmodseq, modseq.vanished_since('msg', 1, 0) AS vanished,
	(SELECT string_agg(format('%s %s:%s', uid, modseq, created_modseq), ', ' ORDER BY uid) FROM msg) AS messages,
	(SELECT modseq.uidset_agg(uid) FROM modseq.changed_since('msg', 1, 0)) AS live,
	(SELECT count(*) FROM modseq.check('msg')) AS broken
	FROM box;
TABLE seen;
-- A flag becomes the soft-delete column: what it says is expunged has gone
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
TABLE seen;
-- The same again, and after a repair: nothing happens
SELECT modseq.attach('msg', 'box');
TABLE seen;
-- Another column: what was expunged and is live now needs a UID of its own
SELECT modseq.attach('msg', 'box', message_expunged => 'hidden');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
TABLE seen;
-- A flag again, and no soft delete: the same. What came and went meanwhile is noticed
SELECT modseq.attach('msg', 'box', message_flags => '{hidden}');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
TABLE seen;
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted');
TABLE seen;
SELECT modseq.detach('msg');
UPDATE msg SET deleted = NOT deleted WHERE uid < 8;
INSERT INTO msg (id, box_id, deleted, uid, modseq) VALUES (7, 1, true, 50, 1), (8, 1, false, 51, 1);
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted');
TABLE seen;
DROP VIEW seen;

-- A store that others kept, with mod-sequences that clients know
CREATE TABLE box2 (id int PRIMARY KEY, uidvalidity int, last_uid int, modseq bigint);
CREATE TABLE msg2 (id int PRIMARY KEY, box2_id int, uid int, modseq bigint, seen boolean, is_deleted smallint);
INSERT INTO box2 VALUES (1, 7, 6, 30);
INSERT INTO msg2 VALUES (1, 1, 1, 10, true, 0), (2, 1, 3, 11, true, 1), (3, 1, 4, 30, false, NULL), (4, 1, NULL, NULL, false, 1);
SELECT modseq.attach('msg2', 'box2', message_expunged => 'is_deleted');
SELECT id, uid, modseq FROM msg2 ORDER BY id;
SELECT last_uid, b.modseq, v.modseq, uids FROM box2 b JOIN msg2_vanished v USING (id);
SELECT * FROM modseq.check('msg2');
UPDATE msg2 SET is_deleted = 0 RETURNING id, uid, modseq;
SELECT * FROM modseq.check('msg2');
-- check() looks at the live only
SET session_replication_role = replica;
UPDATE msg2 SET uid = 3 WHERE id = 2;
SELECT * FROM modseq.check('msg2');
UPDATE msg2 SET is_deleted = 1 WHERE id = 2;
SELECT * FROM modseq.check('msg2');
RESET session_replication_role;
-- A column of another type, and one that is gone
ALTER TABLE msg2 ALTER is_deleted TYPE text;
UPDATE msg2 SET seen = NOT seen;
ALTER TABLE msg2 DROP is_deleted;
UPDATE msg2 SET seen = NOT seen;
SELECT * FROM modseq.check('msg2');
-- Without the column there is no soft delete
SELECT modseq.attach('msg2', 'box2');
SELECT id, uid, modseq FROM msg2 ORDER BY id;
SELECT * FROM modseq.check('msg2');
DROP SCHEMA t_soft CASCADE;
