--
-- A table of a store cannot be a partition of another table, nor come with one: its statement triggers would
-- not fire, and a store's messages that arrive in another are numbered anew. Whatever DDL leads there is refused, with a
-- hint that helps; and where event triggers were disabled, the store says so.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_stranger;
CREATE ROLE regress_modseq_stranger;
CREATE SCHEMA t_partition_stores;
SET search_path = t_partition_stores;
\set SHOW_CONTEXT never
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

-- Two stores of all kinds of tables, one of them partitioned, and a table that is none
CREATE TABLE folder (id bigint PRIMARY KEY);
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint, box_id bigint NOT NULL, seen boolean);
CREATE TABLE flag (mail_id bigint NOT NULL, flag text);
SELECT modseq.attach('mail', 'box', 'flag', mailbox_source => 'folder', message_key => '{id}', flag_message => '{mail_id}');
INSERT INTO folder VALUES (1), (2);
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 1), (4, 2);
DELETE FROM mail WHERE id = 2;
CREATE TABLE parts_box (id bigint PRIMARY KEY);
CREATE TABLE parts (id bigint, box_id bigint NOT NULL, seen boolean) PARTITION BY LIST (box_id);
SELECT modseq.attach('parts', 'parts_box');
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
INSERT INTO parts_box VALUES (1), (2);
INSERT INTO parts (id, box_id) VALUES (1, 1);
CREATE VIEW stores AS
	SELECT * FROM checked_state('mail', 'id', 'uid', 'modseq') UNION ALL SELECT * FROM checked_state('parts', 'id', 'uid', 'modseq');
TABLE stores;

--
-- As a partition of what is no store
--
CREATE TABLE all_mail (LIKE mail) PARTITION BY LIST (box_id);
CREATE TABLE all_box (LIKE box) PARTITION BY LIST (id);
CREATE TABLE all_folder (LIKE folder) PARTITION BY LIST (id);
CREATE TABLE all_flag (LIKE flag) PARTITION BY LIST (mail_id);
CREATE TABLE all_parts (LIKE parts) PARTITION BY LIST (box_id);
ALTER TABLE all_mail ATTACH PARTITION mail FOR VALUES IN (1, 2);
ALTER TABLE all_flag ATTACH PARTITION flag DEFAULT;
\set VERBOSITY terse
ALTER TABLE all_box ATTACH PARTITION box DEFAULT;
ALTER TABLE all_folder ATTACH PARTITION folder DEFAULT;
ALTER TABLE all_parts ATTACH PARTITION parts DEFAULT;
-- Of a partitioned table that comes along
CREATE TABLE years (LIKE mail) PARTITION BY LIST (seen);
CREATE TABLE years_all PARTITION OF years DEFAULT PARTITION BY LIST (box_id);
ALTER TABLE years_all ATTACH PARTITION mail DEFAULT;
BEGIN;
SET LOCAL session_replication_role = replica;
ALTER TABLE years DETACH PARTITION years_all;
ALTER TABLE years_all ATTACH PARTITION mail DEFAULT;
SET LOCAL session_replication_role = origin;
ALTER TABLE years ATTACH PARTITION years_all DEFAULT;
ROLLBACK;

--
-- As a partition of another store's table, or of the same store's
--
\set VERBOSITY default
ALTER TABLE parts ATTACH PARTITION mail FOR VALUES IN (2);
\set VERBOSITY terse
CREATE TABLE parts2 (LIKE parts) PARTITION BY LIST (box_id);
CREATE TABLE parts2_box (id bigint PRIMARY KEY);
SELECT modseq.attach('parts2', 'parts2_box');
ALTER TABLE parts2 ATTACH PARTITION parts DEFAULT;
ALTER TABLE parts ATTACH PARTITION parts2 DEFAULT;
-- The mailbox, flag, source and vanished tables, with columns that fit
CREATE TABLE wide (id bigint, uidvalidity bigint, uidnext bigint, highestmodseq bigint, mail_id bigint, flag text, uids modseq.uidset,
	vanished_at timestamptz, uid bigint, modseq bigint) PARTITION BY LIST (id);
CREATE TABLE wide_box (id bigint PRIMARY KEY);
SELECT modseq.attach('wide', 'wide_box', message_mailbox => '{id}', message_flags => '{}');
INSERT INTO wide_box VALUES (1), (2);
BEGIN;
ALTER TABLE box ADD mail_id bigint, ADD flag text, ADD uids modseq.uidset, ADD vanished_at timestamptz, ADD uid bigint, ADD modseq bigint;
ALTER TABLE flag ADD id bigint, ADD uidvalidity bigint, ADD uidnext bigint, ADD highestmodseq bigint, ADD uids modseq.uidset,
	ADD vanished_at timestamptz, ADD uid bigint, ADD modseq bigint;
ALTER TABLE mail_vanished ADD uidvalidity bigint, ADD uidnext bigint, ADD highestmodseq bigint, ADD mail_id bigint, ADD flag text,
	ADD uid bigint NOT NULL DEFAULT 7;
SAVEPOINT a;
ALTER TABLE wide ATTACH PARTITION box DEFAULT;
ROLLBACK TO a;
ALTER TABLE wide ATTACH PARTITION flag DEFAULT;
ROLLBACK TO a;
ALTER TABLE wide ATTACH PARTITION mail_vanished FOR VALUES IN (1);
ROLLBACK;
TABLE stores;

--
-- The hint, followed
--
SELECT modseq.detach('t_partition_stores.mail');
ALTER TABLE mail ALTER uid SET NOT NULL;
ALTER TABLE all_mail ATTACH PARTITION mail FOR VALUES IN (1, 2);
SELECT modseq.detach('t_partition_stores.parts2');
SELECT modseq.attach('all_mail', 'box', 'flag', mailbox_source => 'folder', message_key => '{id}', flag_message => '{mail_id}');
SELECT * FROM checked_state('all_mail', 'id', 'uid', 'modseq');
-- A partition of it is no store of its own, until it is detached
\set VERBOSITY default
SELECT modseq.attach('mail', 'box');
SELECT modseq.detach('mail');
SELECT modseq.status('mail', 1);
SELECT * FROM modseq.check('mail');
\set VERBOSITY terse
ALTER TABLE all_mail DETACH PARTITION mail;
SELECT modseq.detach('all_mail');
SELECT modseq.attach('mail', 'box', 'flag', mailbox_source => 'folder', message_key => '{id}', flag_message => '{mail_id}');
TABLE stores;

--
-- Commands that do nothing, of whoever they are, have no effect on the tables that they name
--
GRANT USAGE ON SCHEMA t_partition_stores TO regress_modseq_stranger;
SET ROLE regress_modseq_stranger;
ALTER TABLE IF EXISTS nothing ATTACH PARTITION parts_1 FOR VALUES IN (1);
ALTER TABLE IF EXISTS nothing DETACH PARTITION parts_1;
ALTER TABLE IF EXISTS nothing DETACH PARTITION mail;
RESET ROLE;
ALTER TABLE IF EXISTS nothing ATTACH PARTITION parts_1 FOR VALUES IN (1);
ALTER TABLE IF EXISTS nothing ATTACH PARTITION mail FOR VALUES IN (1);
CREATE TABLE IF NOT EXISTS parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE IF NOT EXISTS mail PARTITION OF parts DEFAULT;
CREATE TABLE IF NOT EXISTS mail () INHERITS (flag);
TABLE stores;
ALTER TABLE mail DISABLE TRIGGER USER;
SET ROLE regress_modseq_stranger;
ALTER TABLE IF EXISTS nothing DETACH PARTITION mail;
RESET ROLE;
ALTER TABLE mail ENABLE TRIGGER USER;
TABLE stores;

--
-- Where event triggers were off, the store is out of order until it is put right
--
CREATE FUNCTION becomes(VARIADIC ddl text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	command text;
	use record;
	said text[] := '{}';
	detail text;
BEGIN
	BEGIN
		ALTER EVENT TRIGGER modseq_before DISABLE;
		ALTER EVENT TRIGGER modseq_after DISABLE;
		FOREACH command IN ARRAY ddl LOOP
			EXECUTE command;
		END LOOP;
		ALTER EVENT TRIGGER modseq_before ENABLE;
		ALTER EVENT TRIGGER modseq_after ENABLE;
		FOR use IN SELECT * FROM (VALUES
			('insert', 'INSERT INTO mail VALUES (9, 1)'),
			('update', 'UPDATE mail SET seen = true'),
			('delete', 'DELETE FROM mail'),
			('status', 'SELECT modseq.status(''mail'', 1)'),
			('compact', 'SELECT modseq.compact(''mail'', ''0'')'),
			('attach', 'SELECT modseq.attach(''mail'')')) AS u (name, command) LOOP
			BEGIN
				EXECUTE use.command;
				said := said || ARRAY[ARRAY[use.name, 'no error']];
			EXCEPTION WHEN others THEN
				GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
				said := said || ARRAY[ARRAY[use.name, concat_ws(E'\n    ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''))]];
			END;
		END LOOP;
		said := said || (SELECT array_agg(ARRAY['check', problem]) FROM modseq.check('mail') WHERE problem ~ '^table');
		RAISE SQLSTATE 'MS001';
	EXCEPTION WHEN SQLSTATE 'MS001' THEN NULL;
	END;
	RETURN QUERY SELECT string_agg(said[i][1], ', ' ORDER BY i) || ': ' || said[i][2]
		FROM generate_subscripts(said, 1) AS i GROUP BY said[i][2] ORDER BY min(i);
END $$;
\pset format unaligned
\t on
SELECT becomes('ALTER TABLE all_mail ATTACH PARTITION mail FOR VALUES IN (1, 2)');
SELECT becomes('ALTER TABLE all_box ATTACH PARTITION box DEFAULT');
SELECT becomes('CREATE TABLE all_vanished (LIKE mail_vanished) PARTITION BY LIST (id)', 'ALTER TABLE all_vanished ATTACH PARTITION mail_vanished DEFAULT');
SELECT becomes('CREATE TABLE archived () INHERITS (mail)');
SELECT becomes('CREATE TABLE old (id bigint)', 'ALTER TABLE mail INHERIT old');
SELECT becomes('CREATE TABLE v () INHERITS (mail_vanished)');
SELECT becomes('ALTER TABLE flag SET UNLOGGED');
SELECT becomes('ALTER TABLE mail SET UNLOGGED');
SELECT becomes('ALTER TABLE mail_vanished SET UNLOGGED');
\t off
\pset format aligned
-- It can be taken out again, or dropped
ALTER EVENT TRIGGER modseq_before DISABLE;
ALTER EVENT TRIGGER modseq_after DISABLE;
ALTER TABLE all_mail ATTACH PARTITION mail FOR VALUES IN (1, 2);
ALTER EVENT TRIGGER modseq_before ENABLE;
ALTER EVENT TRIGGER modseq_after ENABLE;
CREATE TABLE all_box2 (id bigint PRIMARY KEY);
\set VERBOSITY default
SELECT modseq.attach('all_mail', 'all_box2');
\set VERBOSITY terse
BEGIN;
DROP TABLE mail CASCADE;
ROLLBACK;
ALTER TABLE all_mail DETACH PARTITION mail;
TABLE stores;
INSERT INTO mail VALUES (5, 1);
TABLE stores;
-- And what has become unlogged, also a partition, be logged
ALTER EVENT TRIGGER modseq_after DISABLE;
ALTER TABLE parts_1 SET UNLOGGED;
ALTER EVENT TRIGGER modseq_after ENABLE;
\set VERBOSITY default
INSERT INTO parts (id, box_id) VALUES (2, 1);
\set VERBOSITY terse
ALTER TABLE parts_1 SET LOGGED;
INSERT INTO parts (id, box_id) VALUES (2, 1);
TABLE stores;

DROP SCHEMA t_partition_stores CASCADE;
DROP ROLE regress_modseq_stranger;
