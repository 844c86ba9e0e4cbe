--
-- Who owns the tables of a store can make of them what PostgreSQL lets him, and put our triggers on them by hand. Then
-- each use of the store is as ever, or an error that says what is wrong, or check() tells it; and nothing else happens.
--
\set ON_ERROR_STOP 0
\set VERBOSITY terse
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE ROLE regress_modseq_stranger;
CREATE SCHEMA owners AUTHORIZATION regress_modseq_stranger;
SET ROLE regress_modseq_stranger;
SET search_path = owners;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
\set told :test /include/told.sql
\i :told

CREATE DOMAIN number AS bigint;
CREATE TYPE pair AS (a bigint, b bigint);
CREATE TABLE box (id number PRIMARY KEY, name text);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id number NOT NULL, seen boolean);
CREATE TABLE flag (mail_id bigint, flag text);
SELECT modseq.attach('mail', 'box', 'flag', counters => 'mailbox', message_key => '{id}', flag_message => '{mail_id}');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail VALUES (1, 1, false), (2, 1, false), (3, 1, false), (4, 2, false);
DELETE FROM mail WHERE id = 2;
CREATE TABLE old_vanished AS TABLE mail_vanished;

CREATE FUNCTION all_of_it() RETURNS text LANGUAGE sql STABLE AS $$
	SELECT string_agg(s::text, ' ') FROM state('mail', 'id', 'uid', 'modseq', 'seen') AS s
$$;

-- What becomes of each use after some DDL, of which nothing remains. right: what there is after all of them
CREATE FUNCTION after(ddl text, "right" text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	use record;
	said text[] := '{}';
	found text;
BEGIN
	BEGIN
		EXECUTE ddl;
		FOR use IN SELECT * FROM (VALUES
			('insert', 'INSERT INTO mail (id, box_id) SELECT 9, id FROM box ORDER BY id LIMIT 1'),
			('store', 'UPDATE mail SET seen = true WHERE id = 1'),
			('flag', 'INSERT INTO flag SELECT id, ''x'' FROM mail WHERE id = 3'),
			('move', 'UPDATE mail SET box_id = (SELECT max(id) FROM box) WHERE id = 3'),
			('expunge', 'DELETE FROM mail WHERE id = 1'),
			('truncate', 'TRUNCATE flag'),
			('rename', 'UPDATE box SET id = 3 WHERE id = 2; UPDATE mail SET box_id = 3 WHERE box_id = 2'),
			('delete', 'DELETE FROM mail WHERE box_id = 3; DELETE FROM box WHERE id = 3'),
			('status', 'SELECT modseq.status(''mail'', 1)'),
			('changed', 'SELECT modseq.changed_since(''mail'', 1, 0)'),
			('resync', 'SELECT modseq.resync(''mail'', 1, 7, 1)'),
			('touch', 'SELECT modseq.touch(''mail'', 1)'),
			('compact', 'SELECT modseq.compact(''mail'', ''0'')')) AS w (name, command)
		LOOP
			said := said || ARRAY[ARRAY[use.name, failure(use.command)]];
		END LOOP;
		BEGIN
			said := said || (SELECT array_agg(DISTINCT ARRAY['check', problem]) FROM modseq.check('mail'));
		EXCEPTION WHEN others THEN
			said := said || ARRAY[ARRAY['check', SQLSTATE || ' ' || SQLERRM]];
		END;
		BEGIN
			found := all_of_it();
		EXCEPTION WHEN others THEN NULL;
		END;
		IF (SELECT bool_and(said[i][2] = 'no error') FROM generate_subscripts(said, 1) AS i) THEN
			said := ARRAY[ARRAY['all', CASE WHEN found = "right" OR "right" IS NULL THEN 'as ever' ELSE 'WRONG: ' || found END]];
		END IF;
		RAISE 'undo' USING ERRCODE = 'MS002';
	EXCEPTION WHEN SQLSTATE 'MS002' THEN NULL;
	END;
	IF "right" IS NULL THEN
		RETURN NEXT found;
	ELSE
		RETURN QUERY SELECT string_agg(said[i][1], ', ' ORDER BY i) || ': ' || regexp_replace(said[i][2], '\n.*', '')
			FROM generate_subscripts(said, 1) AS i
			WHERE said[i][2] <> 'no error'
			GROUP BY regexp_replace(said[i][2], '\n.*', '') ORDER BY min(i);
	END IF;
EXCEPTION WHEN others THEN
	RETURN NEXT 'DDL: ' || SQLSTATE || ' ' || SQLERRM;
END $$;
\t on
\pset format unaligned
SELECT "after" AS right FROM after('SELECT', NULL) \gset
\echo :right
SELECT after('SELECT', :'right');

--
-- Columns of ours that are generated, or come from an identity; with other limits, and other defaults
--
SELECT after('ALTER TABLE mail DROP uid, ADD uid bigint GENERATED ALWAYS AS (id) STORED', :'right');
SELECT after('ALTER TABLE mail DROP modseq, ADD modseq bigint GENERATED ALWAYS AS (id) STORED', :'right');
SELECT after('ALTER TABLE mail ALTER uid ADD GENERATED ALWAYS AS IDENTITY', :'right');
SELECT after('ALTER TABLE mail DROP seen, ADD seen boolean GENERATED ALWAYS AS (id > 2) STORED', :'right');
SELECT after('ALTER TABLE mail DROP box_id, ADD box_id bigint GENERATED ALWAYS AS (1) STORED', :'right');
SELECT after('ALTER TABLE box DROP highestmodseq, ADD highestmodseq bigint GENERATED ALWAYS AS (4) STORED', :'right');
SELECT after('ALTER TABLE box ALTER uidnext ADD GENERATED ALWAYS AS IDENTITY', :'right');
SELECT after('ALTER TABLE box ALTER uidnext DROP DEFAULT, ALTER uidnext ADD GENERATED ALWAYS AS IDENTITY', :'right');
SELECT after('ALTER TABLE box ALTER highestmodseq DROP NOT NULL, ALTER uidnext DROP NOT NULL; UPDATE box SET name = ''x''', :'right');
SELECT after('ALTER TABLE mail ALTER uid SET DEFAULT 2, ALTER modseq SET DEFAULT 77', :'right');
SELECT after('ALTER TABLE box ADD CHECK (highestmodseq < 5)', :'right');
SELECT after('ALTER TABLE mail ADD CHECK (modseq < 4) NOT VALID', :'right');
SELECT after('ALTER DOMAIN number ADD CHECK (VALUE <> 1) NOT VALID', :'right');
SELECT after('ALTER DOMAIN number SET NOT NULL', :'right');
SELECT after('DROP DOMAIN number CASCADE', :'right');
SELECT after('ALTER TABLE box ALTER id TYPE pair USING ROW(id, 0)::pair; ALTER TABLE mail ALTER box_id TYPE pair USING ROW(box_id, 0)::pair;
	ALTER TABLE mail_vanished ALTER id TYPE pair USING ROW(id, 0)::pair', :'right');

--
-- The vanished table is something else, or keeps what is written from being written
--
SELECT after('DROP TABLE mail_vanished; CREATE VIEW mail_vanished AS TABLE old_vanished', :'right');
SELECT after('DROP TABLE mail_vanished; CREATE MATERIALIZED VIEW mail_vanished AS TABLE old_vanished', :'right');
SELECT after('DROP TABLE mail_vanished; CREATE SEQUENCE mail_vanished', :'right');
SELECT after('DROP TABLE mail_vanished; CREATE TYPE mail_vanished AS (id bigint)', :'right');
SELECT after('DROP TABLE mail_vanished; CREATE INDEX mail_vanished ON mail (id)', :'right');
SELECT after('DROP TABLE mail_vanished; CREATE UNLOGGED TABLE mail_vanished AS TABLE old_vanished', :'right');
SELECT after('DROP TABLE mail_vanished; CREATE TABLE mail_vanished (LIKE old_vanished) PARTITION BY LIST (id)', :'right');
SELECT after('DROP TABLE mail_vanished; ALTER TABLE old_vanished RENAME TO mail_vanished; ALTER TABLE mail_vanished ALTER vanished_at SET DEFAULT clock_timestamp(); UPDATE mail_vanished SET vanished_at = clock_timestamp()', :'right');
-- (A table becomes a view no more since PostgreSQL 16, nor does one with indexes before)
SELECT left(after('DELETE FROM mail_vanished; CREATE RULE "_RETURN" AS ON SELECT TO mail_vanished DO INSTEAD SELECT * FROM old_vanished', :'right'), 3);
SELECT after('CREATE RULE r AS ON INSERT TO mail_vanished DO INSTEAD NOTHING', :'right');
SELECT after('CREATE RULE r AS ON INSERT TO mail_vanished DO ALSO NOTHING', :'right');
SELECT after('CREATE RULE r AS ON DELETE TO mail_vanished DO INSTEAD NOTHING', :'right');
SELECT after('CREATE RULE r AS ON UPDATE TO mail_vanished DO INSTEAD NOTHING', :'right');
SELECT after('ALTER TABLE mail_vanished ADD needed int NOT NULL DEFAULT 1; ALTER TABLE mail_vanished ALTER needed DROP DEFAULT', :'right');
SELECT after('ALTER TABLE mail_vanished DROP vanished_at', :'right');
SELECT after('ALTER TABLE mail_vanished ADD CHECK (modseq.cardinality(uids) > 1) NOT VALID', :'right');
SELECT after('ALTER TABLE mail_vanished ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', :'right');
SELECT after('ALTER TABLE mail_vanished DROP CONSTRAINT mail_vanished_pkey', :'right');
SELECT after('ALTER TABLE mail_vanished SET SCHEMA pg_temp', :'right');

--
-- The other tables
--
SELECT after('CREATE RULE r AS ON UPDATE TO box DO INSTEAD NOTHING', :'right');
SELECT after('CREATE RULE r AS ON UPDATE TO box DO INSTEAD SELECT 1', :'right');
SELECT after('CREATE RULE r AS ON UPDATE TO mail DO INSTEAD NOTHING', :'right');
SELECT after('ALTER TABLE box ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON box USING (id = 1)', :'right');
SELECT after('ALTER TABLE mail ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON mail USING (id > 1)', :'right');
SELECT after('REVOKE ALL ON mail, box, flag, mail_vanished FROM regress_modseq_stranger', :'right');
SELECT after('REVOKE ALL ON mail_vanished FROM regress_modseq_stranger', :'right');
SELECT after('ALTER TABLE flag DROP mail_id', :'right');
SELECT after('ALTER TABLE flag RENAME TO flag2', :'right');
SELECT after('DROP TABLE flag', :'right');
SELECT after('DROP TABLE box', :'right');
SELECT after('ALTER TABLE mail RENAME TO mail2; CREATE VIEW mail AS TABLE mail2', :'right');
SELECT after('ALTER TABLE mail DROP CONSTRAINT mail_pkey', :'right');
SELECT after('DROP INDEX mail_box_id_uid_idx, mail_box_id_modseq_idx', :'right');

--
-- Triggers of ours, by hand: once more, at other places, in another order, under conditions, with other arguments
--
SELECT after('CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON mail FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_open()', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_flush()', :'right');
SELECT after('CREATE TRIGGER z AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_flush()', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect(''x'')', :'right');
SELECT after('CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign()', :'right');
SELECT after('CREATE TRIGGER a BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign()', :'right');
SELECT after('CREATE TRIGGER a BEFORE INSERT OR UPDATE ON mail FOR EACH ROW WHEN (false) EXECUTE FUNCTION modseq.trigger_assign(''mailbox=x'')', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_mailbox(''owners.mail'')', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect_flag(''owners.mail'')', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON box FOR EACH ROW EXECUTE FUNCTION modseq.trigger_mailbox(''owners.mail'')', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON box FOR EACH ROW EXECUTE FUNCTION modseq.trigger_source(''owners.mail'')', :'right');
SELECT after('CREATE TRIGGER a AFTER UPDATE ON box FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()', :'right');
SELECT after('CREATE TRIGGER a AFTER UPDATE ON box FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_flush()', :'right');
SELECT after('CREATE TRIGGER a BEFORE UPDATE ON box FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_open()', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT ON mail_vanished FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_flush()', :'right');
SELECT after('CREATE TRIGGER a BEFORE INSERT ON mail_vanished FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_open()', :'right');
SELECT after('CREATE TRIGGER a BEFORE INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign(''mailbox=owners.box'')', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR DELETE ON flag FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect_flag(''owners.mail'')', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT OR DELETE ON flag FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()', :'right');
SELECT after('CREATE TRIGGER a AFTER UPDATE OF id, seen ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()', :'right');
SELECT after('CREATE TRIGGER a AFTER INSERT ON mail REFERENCING NEW TABLE AS t FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_flush()', :'right');
SELECT after('CREATE TRIGGER a AFTER DELETE ON mail REFERENCING OLD TABLE AS t FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect()', :'right');
SELECT after('CREATE TRIGGER a BEFORE TRUNCATE ON flag EXECUTE FUNCTION modseq.trigger_truncate_flag(''owners.mail'')', :'right');
SELECT after('CREATE TRIGGER a AFTER TRUNCATE ON flag EXECUTE FUNCTION modseq.trigger_truncate_mailbox(''owners.mail'')', :'right');

--
-- Each of attach()'s, disabled, enabled otherwise, renamed, or dropped
--
SELECT string_agg(format('%s %s of %s', t.what, tgname, tgrelid::regclass), ', ' ORDER BY tgrelid, tgname, n) || E'\n    ' || outcome
FROM pg_trigger, (VALUES (1, 'disabled', 'ALTER TABLE %s DISABLE TRIGGER %I'), (2, 'replica', 'ALTER TABLE %s ENABLE REPLICA TRIGGER %I'),
	(3, 'always', 'ALTER TABLE %s ENABLE ALWAYS TRIGGER %I'), (4, 'first', 'ALTER TRIGGER %2$I ON %1$s RENAME TO "AAA"'),
	(5, 'last', 'ALTER TRIGGER %2$I ON %1$s RENAME TO zzzz'), (6, 'no', 'DROP TRIGGER %2$I ON %1$s')) AS t (n, what, ddl),
	LATERAL (SELECT replace(string_agg(a, E'\n    '), format('"%s" on table owners.%s', tgname, tgrelid::regclass), '...') AS outcome
		FROM after(format(t.ddl, tgrelid::regclass, tgname), :'right') AS a) AS o
WHERE tgrelid IN ('mail'::regclass, 'box'::regclass, 'flag'::regclass) AND NOT tgisinternal
GROUP BY outcome
ORDER BY min(tgrelid), min(tgname), min(n), outcome;
\t off
\pset format aligned

-- Nothing remains
SELECT * FROM state('mail', 'id', 'uid', 'modseq', 'seen');
SELECT * FROM modseq.check('mail');
SELECT name, setting FROM pg_settings WHERE name ~ '^enable_|^row_security|^work_mem|^session_replication_role' AND setting <> reset_val;
RESET ROLE;
DROP SCHEMA owners CASCADE;
DROP ROLE regress_modseq_stranger;
