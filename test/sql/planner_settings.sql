--
-- Our queries are planned with settings of ours. Nothing else is, not even a query that is planned while ours is; and
-- they are gone when ours fails.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_planner_settings;
SET search_path = t_planner_settings;
\set VERBOSITY terse

CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox, tenant bigint);
CREATE TABLE flag (mail_id bigint REFERENCES mail, name text);
SELECT modseq.attach('mail', 'mailbox', 'flag');
INSERT INTO mailbox (id) VALUES (1);
INSERT INTO mail SELECT i, 1, 1 FROM generate_series(1, 20) AS i;
-- A thousand members of tenant 1: reading all of them is cheaper without the index
CREATE TABLE member (tenant bigint, name text) WITH (autovacuum_enabled = off);
INSERT INTO member SELECT 1, i FROM generate_series(1, 1000) AS i;
CREATE INDEX member_tenant ON member (tenant);
ANALYZE mailbox, mail, member;

-- A policy whose function has a query. PostgreSQL calls it while it plans a query with that policy, too.
CREATE FUNCTION tenant() RETURNS bigint STABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('t.fail', true) = 'yes' THEN
		RAISE EXCEPTION 'no tenant';
	END IF;
	RETURN (SELECT count(name) / 1000 FROM member WHERE tenant > 0);
END $$;
ALTER TABLE mail ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON mail USING (tenant = tenant());
CREATE ROLE regress_modseq_planned;
GRANT USAGE ON SCHEMA t_planner_settings TO regress_modseq_planned;
GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA t_planner_settings TO regress_modseq_planned;
CREATE VIEW scans AS
	SELECT pg_stat_get_xact_numscans('member'::regclass) AS whole, pg_stat_get_xact_numscans('member_tenant'::regclass) AS by_index;
GRANT SELECT ON scans TO regress_modseq_planned;
CREATE VIEW changed_settings AS SELECT name, setting FROM pg_settings WHERE name LIKE 'enable%' AND setting <> reset_val;
GRANT SELECT ON changed_settings TO regress_modseq_planned;

-- The session's first call of the function is while our query is planned; its plan is kept
\c -
SET client_min_messages = warning;
SET search_path = t_planner_settings;
SET ROLE regress_modseq_planned;
BEGIN;
SELECT count(*) FROM modseq.changed_since('mail', 1, 0);
SELECT whole > 0 AS whole, by_index FROM scans;
SELECT whole AS before FROM scans \gset
SELECT tenant();
SELECT whole - :before AS whole, by_index FROM scans;
COMMIT;
SELECT * FROM changed_settings;

-- The same where ours goes by ranges of UIDs
\c -
SET client_min_messages = warning;
SET search_path = t_planner_settings;
SET ROLE regress_modseq_planned;
BEGIN;
SELECT count(*) FROM modseq.unchanged_since('mail', 1, '1:20', 2);
SELECT whole > 0 AS whole, by_index FROM scans;
SELECT tenant();
SELECT by_index FROM scans;
COMMIT;

-- An error while ours is planned
\c -
SET client_min_messages = warning;
SET search_path = t_planner_settings;
SET ROLE regress_modseq_planned;
CREATE TEMP TABLE failed (message text);
SET t.fail = 'yes';
DO $$
BEGIN
	PERFORM modseq.changed_since('mail', 1, 0);
EXCEPTION WHEN raise_exception THEN
	INSERT INTO failed VALUES (sqlerrm);
	INSERT INTO failed SELECT name || ' is ' || setting FROM changed_settings;
END $$;
TABLE failed;
RESET t.fail;
SELECT * FROM changed_settings;
SELECT count(*) FROM modseq.changed_since('mail', 1, 0);
SELECT tenant();
SELECT by_index FROM scans;
RESET ROLE;

-- An error while our stamp runs, in a trigger on it that has messages stamped too, and the same once more
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.id = 1 THEN
		INSERT INTO flag VALUES (2, 'beside 1');
	ELSIF current_setting('t.fail', true) = 'yes' THEN
		RAISE EXCEPTION 'message % is not to be touched', new.id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER refuse AFTER UPDATE ON mail FOR EACH ROW WHEN (old.modseq <> new.modseq) EXECUTE FUNCTION refuse();
TRUNCATE failed;
SET t.fail = 'yes';
DO $$
BEGIN
	INSERT INTO flag VALUES (1, 'seen');
EXCEPTION WHEN raise_exception THEN
	INSERT INTO failed VALUES (sqlerrm);
	INSERT INTO failed SELECT name || ' is ' || setting FROM changed_settings;
	PERFORM set_config('t.fail', 'no', false);
	INSERT INTO flag VALUES (1, 'seen');
END $$;
TABLE failed;
SELECT * FROM changed_settings;
SELECT * FROM flag ORDER BY mail_id;
-- An UPDATE of the application's is none of ours: our triggers see it
UPDATE mail SET mailbox_id = mailbox_id, uid = NULL WHERE id = 3;
SELECT id, uid, modseq FROM mail WHERE id <= 4 ORDER BY id;
SELECT * FROM modseq.check('mail');

DROP TABLE failed;

-- What nobody plans in between sees the application's settings too, after our query and after an error in it; and what is
-- set then is what holds
\c -
SET client_min_messages = warning;
SET search_path = t_planner_settings;
\set settings 'SHOW enable_bitmapscan \\; SHOW enable_hashjoin \\; SHOW enable_material \\; SHOW enable_mergejoin \\; SHOW enable_seqscan \\; SHOW enable_sort'
\pset format unaligned
\pset tuples_only on
SELECT count(*) FROM modseq.changed_since('mail', 1, 0);
:settings;
INSERT INTO flag VALUES (4, 'seen'), (5, 'seen');
:settings;
SET enable_seqscan = off;
SELECT 1;
SHOW enable_seqscan;
RESET enable_seqscan;
SET ROLE regress_modseq_planned;
SET t.fail = 'yes';
SELECT count(*) FROM modseq.unchanged_since('mail', 1, '1:20', 2);
:settings;
SET enable_hashjoin = off;
SELECT 1;
SHOW enable_hashjoin;
RESET enable_hashjoin;
RESET t.fail;
RESET ROLE;
\pset format aligned
\pset tuples_only off

DROP SCHEMA t_planner_settings CASCADE;
DROP ROLE regress_modseq_planned;
