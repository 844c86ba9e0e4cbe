--
-- A store for each tenant, and many of them: what concerns one costs what it does where there are few
--
-- In a database of their own, which takes less time to drop
-- In a storm of invalidations, as the suite has one, nothing is kept for long: there is nothing to count then
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'ALTER PUBLICATION storm%') AS storm \gset
\if :storm
\quit
\endif
SELECT current_database() AS database \gset
CREATE DATABASE regress_many_stores;
\c regress_many_stores
SET client_min_messages = warning;
CREATE EXTENSION modseq;
CREATE SCHEMA t_many_stores;
SET search_path = t_many_stores;
\set VERBOSITY terse

-- One by attach(), the others as it is
CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox, seen boolean);
SELECT modseq.attach('mail', 'mailbox');
CREATE PROCEDURE copy_store(first int, last int) LANGUAGE plpgsql AS $$
DECLARE
	tenant text;
	r record;
BEGIN
	FOR i IN first .. last LOOP
		tenant := 't_many_stores_' || i;
		EXECUTE format('CREATE SCHEMA %I', tenant);
		FOR r IN SELECT relname AS name FROM pg_class WHERE relnamespace = 't_many_stores'::regnamespace AND relname ~ '^mail' AND relkind = 'r' LOOP
			EXECUTE format('CREATE TABLE %I.%I (LIKE t_many_stores.%2$I INCLUDING ALL)', tenant, r.name);
		END LOOP;
		EXECUTE format('ALTER TABLE %I.mail ADD FOREIGN KEY (mailbox_id) REFERENCES %1$I.mailbox', tenant);
		FOR r IN
			SELECT replace(pg_get_triggerdef(t.oid), 't_many_stores.', tenant || '.') AS definition
			FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
			WHERE c.relnamespace = 't_many_stores'::regnamespace AND NOT tgisinternal
			ORDER BY t.oid
		LOOP
			EXECUTE r.definition;
		END LOOP;
		COMMIT;
	END LOOP;
END $$;
CALL copy_store(1, 2);
-- They are sound stores
SELECT s.*, ARRAY(SELECT problem FROM modseq.check(s.message)) AS problems FROM modseq.stores AS s WHERE s.message = 't_many_stores_2.mail'::regclass \gx

-- How many rows of the system catalogs each of these reads. The second time, for the first fills the caches.
CREATE TABLE plain (id int);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TYPE kind AS ENUM ('a');
CREATE TABLE cost (command text, pass int, few boolean, rows bigint);
CREATE FUNCTION catalog_rows(catalogs regclass[]) RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_tuples_returned(c)) FROM unnest(catalogs) AS c
$$;
CREATE PROCEDURE measure(few boolean) LANGUAGE plpgsql AS $$
DECLARE
	catalogs CONSTANT regclass[] := ARRAY(SELECT oid FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'i'));
	before bigint;
	command text;
BEGIN
	FOR pass IN 1 .. 2 LOOP
		FOREACH command IN ARRAY ARRAY[
			'SELECT FROM modseq.stores WHERE message = ''t_many_stores_1.mail''::regclass',
			'SELECT FROM modseq.check(''t_many_stores_1.mail'')',
			'SELECT modseq.compact(''t_many_stores_1.mail'', ''1 day'')',
			'SELECT modseq.attach(''t_many_stores_1.mail'')',
			'SELECT modseq.detach(''t_many_stores_1.mail'')',
			'SELECT modseq.attach(''t_many_stores_1.mail'', ''t_many_stores_1.mailbox'') /* again */',
			'SELECT modseq.detach(''t_many_stores_1.mail'', remove => true)',
			'SELECT modseq.attach(''t_many_stores_1.mail'', ''t_many_stores_1.mailbox'')',
			'CREATE TABLE heir () INHERITS (plain)',
			'DROP TABLE heir',
			'CREATE TABLE part PARTITION OF parted DEFAULT',
			'ALTER TABLE parted ADD COLUMN more int',
			'ALTER TABLE parted DROP COLUMN more',
			'ALTER TABLE parted DETACH PARTITION part',
			'ALTER TABLE parted ATTACH PARTITION part DEFAULT',
			'DROP TABLE part',
			'ALTER TABLE plain SET UNLOGGED',
			'ALTER TABLE plain SET LOGGED',
			'ALTER TYPE kind RENAME VALUE ''a'' TO ''b''',
			'ALTER TYPE kind RENAME VALUE ''b'' TO ''a'''
		] LOOP
			before := catalog_rows(catalogs);
			EXECUTE command;
			INSERT INTO cost VALUES (command, pass, few, catalog_rows(catalogs) - before);
			COMMIT;
		END LOOP;
	END LOOP;
END $$;
\c -
SET client_min_messages = error;
SET search_path = t_many_stores;
ANALYZE pg_attribute, pg_class, pg_constraint, pg_depend, pg_index, pg_namespace, pg_proc, pg_trigger, pg_type;
CALL measure(few => true);
CALL copy_store(3, 300);
\c -
SET client_min_messages = error;
SET search_path = t_many_stores;
SELECT count(*) AS stores, count(vanished) AS whole FROM modseq.stores;
ANALYZE pg_attribute, pg_class, pg_constraint, pg_depend, pg_index, pg_namespace, pg_proc, pg_trigger, pg_type;
CALL measure(few => false);
-- All that depend on how many there are. Who names a vanished table without being a store yet, or any more, is looked for
-- among all triggers, once.
SELECT command, f.rows AS few, m.rows AS many
FROM cost f JOIN cost m USING (command, pass)
WHERE pass = 2 AND f.few AND NOT m.few AND m.rows > 1.2 * f.rows + 20 + CASE
	WHEN command ~ 'attach\(.*(mail''\)|again)|remove' THEN (SELECT count(*) FROM pg_trigger) ELSE 0 END;

-- A session that uses all of them
CREATE PROCEDURE use_stores() LANGUAGE plpgsql AS $$
DECLARE
	tenant text;
BEGIN
	FOR i IN 1 .. 300 LOOP
		tenant := 't_many_stores_' || i;
		EXECUTE format('INSERT INTO %I.mailbox VALUES (1), (2)', tenant);
		EXECUTE format('INSERT INTO %I.mail SELECT i, 1, false FROM generate_series(1, 4) AS i', tenant);
		EXECUTE format('UPDATE %I.mail SET seen = true WHERE id < 3', tenant);
		EXECUTE format('UPDATE %I.mail SET mailbox_id = 2 WHERE id = 3', tenant);
		EXECUTE format('DELETE FROM %I.mail WHERE id = 1', tenant);
		EXECUTE format('SELECT modseq.lock(%L, 1::bigint)', tenant || '.mail');
		EXECUTE format('SELECT modseq.changed_since(%L, 1::bigint, 1)', tenant || '.mail');
		EXECUTE format('SELECT modseq.vanished_since(%L, 1::bigint, 1)', tenant || '.mail');
		COMMIT;
	END LOOP;
END $$;
CREATE PROCEDURE look_at_stores() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 300 LOOP
		PERFORM modseq.status(format('t_many_stores_%s.mail', i), 1::bigint);
	END LOOP;
END $$;
CREATE FUNCTION cached() RETURNS TABLE (store text, bytes bigint) LANGUAGE sql AS $$
	SELECT ident, used_bytes FROM pg_backend_memory_contexts WHERE name = 'modseq store'
$$;
\c -
SET client_min_messages = warning;
SET search_path = t_many_stores;
CALL use_stores();
CALL look_at_stores();
-- All that is ours, and the plans of the foreign keys' checks with it, but not what PostgreSQL knows of the tables. One that
-- checks itself takes more.
SELECT count(*) FILTER (WHERE name = 'modseq store') AS stores, sum(total_bytes) / 300 < wanted AS enough,
	CASE WHEN sum(total_bytes) / 300 >= wanted THEN sum(total_bytes) / 300 END AS bytes
FROM pg_backend_memory_contexts, (SELECT CASE WHEN current_setting('debug_assertions')::boolean THEN 80000 ELSE 60000 END AS wanted) AS w
WHERE name ~ '^modseq' OR name ~ '^CachedPlan' OR name = 'SPI Plan'
GROUP BY wanted;

-- What changes elsewhere makes none anew, what changes in one only that one: it has no plans then but those of
-- what was asked since
CREATE TABLE before AS SELECT * FROM cached();
CREATE SCHEMA t_many_stores_other;
CREATE TABLE t_many_stores_other.mail (id int, kind kind);
CREATE FUNCTION t_many_stores_other.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
ALTER SCHEMA t_many_stores_other RENAME TO t_many_stores_another;
ANALYZE plain;
CALL look_at_stores();
SELECT store FROM before FULL JOIN cached() AS now USING (store) WHERE now.bytes IS DISTINCT FROM before.bytes;
ALTER TABLE t_many_stores_7.mail ADD COLUMN size int;
CREATE INDEX ON t_many_stores_9.mail_vanished (vanished_at);
ALTER TABLE t_many_stores_11.mail_mailbox SET (fillfactor = 40);
CALL look_at_stores();
SELECT store FROM before FULL JOIN cached() AS now USING (store) WHERE now.bytes IS DISTINCT FROM before.bytes ORDER BY 1;
-- A name that leads elsewhere, or nowhere
ALTER SCHEMA t_many_stores_5 RENAME TO t_many_stores_five;
UPDATE t_many_stores_five.mail SET seen = NOT seen;
CREATE SCHEMA t_many_stores_5;
CREATE TABLE t_many_stores_5.mailbox (id bigint PRIMARY KEY);
UPDATE t_many_stores_five.mail SET seen = NOT seen;
DROP SCHEMA t_many_stores_5 CASCADE;
ALTER SCHEMA t_many_stores_five RENAME TO t_many_stores_5;
UPDATE t_many_stores_5.mail SET seen = NOT seen;
SELECT uidnext, highestmodseq FROM modseq.status('t_many_stores_5.mail', 1::bigint);
-- Those that are gone are not kept
DROP SCHEMA t_many_stores_3 CASCADE;
SELECT modseq.detach('t_many_stores_4.mail');
SELECT count(*) FROM cached();
\c :database
DROP DATABASE regress_many_stores;
