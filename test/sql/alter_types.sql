--
-- Who owns a table can alter it after attach(). What does not fit any more is an error that says so, from whatever uses
-- the store, and check() tells it; never a value that is read as one of another type.
--
\set ON_ERROR_STOP 0
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE ROLE regress_modseq_stranger;
CREATE SCHEMA t_altered AUTHORIZATION regress_modseq_stranger;
SET ROLE regress_modseq_stranger;
SET search_path = t_altered;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
\pset null '(null)'

CREATE DOMAIN number AS bigint;
CREATE DOMAIN uids AS modseq.uidset;
CREATE TABLE box (id bigint PRIMARY KEY, uidvalidity bigint DEFAULT 7);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL);
CREATE TABLE flag (mail_id bigint, flag text);
SELECT modseq.attach('mail', 'box', 'flag', message_key => '{id}', flag_message => '{mail_id}');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 1);
DELETE FROM mail WHERE id = 2;

-- What becomes of each kind of use after some DDL, which is taken back
CREATE FUNCTION after_ddl(ddl text) RETURNS TABLE (use text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
	what record;
	result text[] := '{}';
BEGIN
	BEGIN
		EXECUTE ddl;
		FOR what IN SELECT * FROM (VALUES
			('insert', 'INSERT INTO mail (id, box_id) SELECT 9, id FROM box LIMIT 1'),
			('delete', 'DELETE FROM mail'),
			('flag', 'INSERT INTO flag SELECT id, ''x'' FROM mail LIMIT 1'),
			('mailbox', 'UPDATE box SET uidvalidity = 8'),
			('status', 'SELECT modseq.status(''mail'', 1)'),
			('changed', 'SELECT modseq.changed_since(''mail'', 1, 0)'),
			('vanished', 'SELECT modseq.vanished_since(''mail'', 1, 0)'),
			('resync', 'SELECT modseq.resync(''mail'', 1, 7, 1)'),
			('touch', 'SELECT modseq.touch(''mail'', 1)')) AS w (use, command)
		LOOP
			result := result || ARRAY[ARRAY[what.use, failure(what.command)]];
		END LOOP;
		result := result || (SELECT array_agg(ARRAY['check', problem]) FROM modseq.check('mail') WHERE problem ~ '^(table|column)');
		RAISE 'undo' USING ERRCODE = 'MS002';
	EXCEPTION WHEN SQLSTATE 'MS002' THEN NULL;
	END;
	RETURN QUERY SELECT string_agg(result[i][1], ', ' ORDER BY i), result[i][2]
		FROM generate_subscripts(result, 1) AS i GROUP BY 2 ORDER BY min(i);
EXCEPTION WHEN others THEN
	RETURN QUERY SELECT 'DDL', SQLSTATE || ' ' || SQLERRM;
END $$;
\t on
\pset format unaligned
-- All is well
SELECT * FROM after_ddl('SELECT');
-- The vanished table
SELECT * FROM after_ddl('ALTER TABLE mail_vanished ALTER modseq TYPE numeric');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished ALTER modseq TYPE integer');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished ALTER uids TYPE bigint USING 12345');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished ALTER uids TYPE text');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished ALTER id TYPE text');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished RENAME uids TO set');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished DROP modseq');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished ALTER uids DROP NOT NULL; UPDATE mail_vanished SET uids = NULL');
SELECT * FROM after_ddl('ALTER TABLE mail_vanished ALTER uids TYPE uids, ALTER modseq TYPE number');
-- Keys
SELECT * FROM after_ddl('ALTER TABLE mail ALTER id TYPE text');
SELECT * FROM after_ddl('ALTER TABLE flag ALTER mail_id TYPE text');
SELECT * FROM after_ddl('ALTER TABLE flag ALTER mail_id TYPE integer');
SELECT * FROM after_ddl('ALTER TABLE flag DROP mail_id, ADD mail_id json');
SELECT * FROM after_ddl('ALTER TABLE mail ALTER box_id TYPE text');
SELECT * FROM after_ddl('ALTER TABLE mail ALTER box_id TYPE numeric');
SELECT * FROM after_ddl('ALTER TABLE mail ALTER box_id TYPE number, ALTER id TYPE number');
SELECT * FROM after_ddl('ALTER TABLE box ALTER id TYPE text');
SELECT * FROM after_ddl('ALTER TABLE box ALTER id TYPE integer');
SELECT * FROM after_ddl('ALTER TABLE box DROP id, ADD id json');
CREATE TYPE pair AS (account int, no int);
SELECT * FROM after_ddl('ALTER TABLE box DROP id, ADD id pair UNIQUE; ALTER TABLE mail DROP box_id, ADD box_id pair; ALTER TABLE mail_vanished DROP id, ADD id pair');
SELECT * FROM after_ddl('ALTER TABLE box DROP id, ADD id int4range UNIQUE; ALTER TABLE mail DROP box_id, ADD box_id int4range; ALTER TABLE mail_vanished DROP id, ADD id int4range');
SELECT * FROM after_ddl('ALTER TABLE box DROP id, ADD id int[] UNIQUE; ALTER TABLE mail DROP box_id, ADD box_id int[]; ALTER TABLE mail_vanished DROP id, ADD id int[]');
SELECT * FROM after_ddl('ALTER TABLE box DROP CONSTRAINT box_pkey');
-- Numbers
SELECT * FROM after_ddl('ALTER TABLE mail ALTER uid TYPE text');
SELECT * FROM after_ddl('ALTER TABLE mail ALTER modseq TYPE numeric');
SELECT * FROM after_ddl('ALTER TABLE mail ALTER modseq TYPE integer');
SELECT * FROM after_ddl('ALTER TABLE box ALTER uidvalidity TYPE smallint');
SELECT * FROM after_ddl('ALTER TABLE box ALTER uidnext TYPE float8');
SELECT * FROM after_ddl('ALTER TABLE box DROP highestmodseq, ADD highestmodseq uuid');
SELECT * FROM after_ddl('ALTER TABLE box ALTER uidvalidity TYPE number, ALTER highestmodseq TYPE number');
\t off
\pset format aligned

-- In the middle of a statement: a trigger of the owner's alters what the statement is still to write or to read
CREATE FUNCTION alter_midway() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE TG_ARGV[0];
	RETURN NULL;
END $$;
CREATE FUNCTION midway(relation text, ddl text, statement text) RETURNS text LANGUAGE sql AS $$
	SELECT failure(format('CREATE TRIGGER b_midway AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW
		EXECUTE FUNCTION alter_midway(%L); %s; DO ''BEGIN RAISE ''''no error'''' USING ERRCODE = ''''MS001''''; END''', relation, ddl, statement))
$$;
\t on
\pset format unaligned
SELECT midway('mail', 'ALTER TABLE mail_vanished ALTER uids TYPE text', 'DELETE FROM mail');
SELECT midway('mail', 'ALTER TABLE mail_vanished ALTER modseq TYPE numeric', 'DELETE FROM mail');
SELECT midway('mail', 'ALTER TABLE mail_vanished ALTER modseq TYPE numeric', 'UPDATE mail SET box_id = 2');
SELECT midway('mail', 'ALTER TABLE box ALTER id TYPE text', 'UPDATE mail SET box_id = 2');
SELECT midway('mail', 'ALTER TABLE box ALTER highestmodseq TYPE numeric', 'DELETE FROM mail');
SELECT midway('mail', 'DROP TABLE mail_vanished', 'DELETE FROM mail');
SELECT midway('flag', 'ALTER TABLE mail ALTER id TYPE text', 'INSERT INTO flag VALUES (1, ''x'')');
SELECT midway('flag', 'ALTER TABLE mail ALTER box_id TYPE text', 'INSERT INTO flag VALUES (1, ''x'')');
SELECT midway('box', 'ALTER TABLE mail_vanished ALTER id TYPE text', 'DELETE FROM mail');
SELECT midway('box', 'ALTER TABLE mail_vanished ALTER uids TYPE bigint USING 12345', 'DELETE FROM mail');
SELECT midway('box', 'ALTER TABLE mail ALTER id TYPE text', 'UPDATE flag SET flag = ''y''; INSERT INTO flag VALUES (1, ''x'')');
\t off
\pset format aligned

-- Nothing of it remains
SELECT uid, modseq FROM mail ORDER BY uid;
SELECT uids FROM mail_vanished;
SELECT * FROM modseq.check('mail');
RESET ROLE;
DROP SCHEMA t_altered CASCADE;
DROP ROLE regress_modseq_stranger;
