--
-- Soft delete and undelete by the application's triggers, or against them: the row as it is written decides
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

DROP SCHEMA t_soft CASCADE;
