--
-- Stamping: our own UPDATE of a message whose flags changed is one to the application's triggers, but our own row
-- triggers need not see it, unless the application has a trigger that can change what is written (src/query/run.c)
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_stamp;
SET search_path = t_stamp;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (
	id bigint PRIMARY KEY,
	mailbox_id bigint NOT NULL REFERENCES mailbox,
	touched integer NOT NULL DEFAULT 0,
	twice bigint GENERATED ALWAYS AS (touched * 2) STORED);
CREATE TABLE flag (mail_id bigint NOT NULL REFERENCES mail, name text, PRIMARY KEY (mail_id, name));
SELECT modseq.attach('mail', 'mailbox', 'flag');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id) VALUES (11, 1), (12, 1), (13, 1), (21, 2);
\set modseqs 'SELECT mailbox[1]::bigint AS box, highest, messages FROM state(\'mail\', \'id\', \'modseq\', \'touched\', \'twice\') WHERE messages <> \'\';'

-- How often were our row triggers of the message table called? (To be compared within a transaction)
SET track_functions = 'all';
CREATE VIEW calls AS
	SELECT coalesce(sum(calls), 0) AS calls FROM pg_stat_xact_user_functions
	WHERE schemaname = 'modseq' AND funcname IN ('trigger_assign', 'trigger_collect');

-- Without the lock and with it; one message and several
BEGIN;
SELECT calls AS before FROM calls \gset
INSERT INTO flag VALUES (11, '\Seen');
SELECT calls - :before AS calls FROM calls;
COMMIT;
BEGIN;
SELECT calls AS before FROM calls \gset
INSERT INTO flag SELECT id, '\Flagged' FROM mail;
SELECT calls - :before AS calls FROM calls;
DELETE FROM flag WHERE mail_id IN (11, 21);
SELECT calls - :before AS calls FROM calls;
-- An application's UPDATE is no stamp
UPDATE mail SET touched = 1 WHERE id = 11;
SELECT calls - :before AS calls FROM calls;
COMMIT;
:modseqs
SELECT * FROM modseq.check('mail');

-- The application's triggers after the row and the statement fire, whatever their names
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING '% % % %:% to %', tg_name, tg_when, tg_level, new.id, old.modseq, new.modseq;
	RETURN NULL;
END $$;
CREATE FUNCTION tell_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING '% % %: %', tg_name, tg_when, tg_level, (SELECT array_agg(id ORDER BY id) FROM stamped);
	RETURN NULL;
END $$;
CREATE FUNCTION tell_of() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING '% % %', tg_name, tg_when, tg_level;
	RETURN NULL;
END $$;
CREATE TRIGGER a_tell AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER zzzz_tell AFTER UPDATE ON mail FOR EACH ROW WHEN (old.modseq <> new.modseq) EXECUTE FUNCTION tell();
CREATE TRIGGER zzzz_never AFTER UPDATE ON mail FOR EACH ROW WHEN (new.modseq = 4711) EXECUTE FUNCTION tell();
CREATE TRIGGER zzzz_statement AFTER UPDATE ON mail REFERENCING NEW TABLE AS stamped
	FOR EACH STATEMENT EXECUTE FUNCTION tell_statement();
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON mail INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();
BEGIN;
SELECT calls AS before FROM calls \gset
INSERT INTO flag SELECT id, '\Draft' FROM mail WHERE id IN (11, 12);
SELECT calls - :before AS calls FROM calls;
COMMIT;
:modseqs
DROP TRIGGER zzzz_tell ON mail;
DROP TRIGGER zzzz_never ON mail;
DROP TRIGGER zzzz_statement ON mail;
DROP TRIGGER later ON mail;

-- Those that are not to see our stamps, as docs/attach.md tells: by the columns that a statement names, or by WHEN
CREATE TRIGGER of_column AFTER UPDATE OF touched ON mail FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER of_column_statement AFTER UPDATE OF touched ON mail FOR EACH STATEMENT EXECUTE FUNCTION tell_of();
CREATE TRIGGER same_modseq AFTER UPDATE ON mail FOR EACH ROW WHEN (old.modseq = new.modseq) EXECUTE FUNCTION tell();
DROP TRIGGER a_tell ON mail;
INSERT INTO flag SELECT id, '$Old' FROM mail WHERE id IN (11, 12);
UPDATE mail SET touched = touched WHERE id = 11;
DROP TRIGGER of_column ON mail;
DROP TRIGGER of_column_statement ON mail;
DROP TRIGGER same_modseq ON mail;

-- One that changes the message again, by a statement of its own
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET touched = touched + 1 WHERE id = new.id;
	INSERT INTO flag VALUES (13, 'touched ' || new.id);
	RETURN NULL;
END $$;
CREATE TRIGGER touch AFTER UPDATE OF modseq ON mail FOR EACH ROW WHEN (new.id <> 13) EXECUTE FUNCTION touch();
INSERT INTO flag VALUES (12, '$Junk'), (21, '$Junk');
:modseqs
DROP TRIGGER touch ON mail;

-- One before the row may write what it likes, and so ours see it
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	new.touched := 100;
	IF new.id = 12 THEN
		new.mailbox_id := 2;
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER a_move BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION move();
BEGIN;
SELECT calls AS before FROM calls \gset
INSERT INTO flag VALUES (11, '$MDNSent'), (12, '$MDNSent');
SELECT calls > :before AS called FROM calls;
COMMIT;
:modseqs
SELECT id, modseq, uids FROM mail_vanished;
DROP TRIGGER a_move ON mail;
BEGIN;
SELECT calls AS before FROM calls \gset
INSERT INTO flag VALUES (11, '$Forwarded');
SELECT calls - :before AS calls FROM calls;
COMMIT;
:modseqs

-- A rule that has something else done first
CREATE TABLE log (id bigint);
CREATE RULE log AS ON UPDATE TO mail DO ALSO INSERT INTO log VALUES (new.id);
BEGIN;
SELECT calls AS before FROM calls \gset
INSERT INTO flag VALUES (11, '$Logged');
SELECT calls - :before AS calls FROM calls;
COMMIT;
TABLE log;
DROP RULE log ON mail;

SELECT * FROM modseq.check('mail');
DROP SCHEMA t_stamp CASCADE;
