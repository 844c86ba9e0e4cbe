--
-- The type uidset in the planner: uid <@ set through a B-tree, and estimates
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_uidset;
RESET client_min_messages;
SET search_path = t_uidset, modseq, modseq_internal;
\set SHOW_CONTEXT never
-- The empty set is written as nothing at all
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set sets :test /include/sets.sql
\i :sets

SET enable_bitmapscan = off;
CREATE FUNCTION pg_temp.index_cond(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN jsonb_path_query_first(plan::jsonb, '$.**."Index Cond"') #>> '{}';
END $$;
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uid <@ '100,7:9,150';
SELECT array_agg(uid ORDER BY uid) FROM message WHERE mailbox = 1 AND uid <@ '100,7:9,150';
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND '100,7:9,150'::uidset @> uid;

-- int4 columns, and UIDs that no int4 holds
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE small <@ '1998:4294967295';
SELECT count(*) FROM message WHERE small <@ '1998:4294967295';

-- The empty set: no rows, from an index and without
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uid <@ '';
SELECT count(*) FROM message WHERE mailbox = 1 AND uid <@ '';
SELECT count(*) FROM message WHERE size <@ '';

-- A set that only the execution knows
SET test.uids = '1999:*';
SET plan_cache_mode = force_generic_plan;
PREPARE fetch_uids(bigint, uidset) AS SELECT array_agg(uid ORDER BY uid) FROM message WHERE mailbox = $1 AND uid <@ $2;
EXPLAIN (COSTS OFF) EXECUTE fetch_uids(1, '100,7:9');
EXECUTE fetch_uids(1, '100,7:9');
EXECUTE fetch_uids(1, '');
EXECUTE fetch_uids(1, NULL);
RESET plan_cache_mode;
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uid <@ uidset(current_setting('test.uids'), 2000);
SELECT array_agg(uid) FROM message WHERE mailbox = 1 AND uid <@ uidset(current_setting('test.uids'), 2000);
SELECT count(*) FROM message WHERE mailbox = 1 AND uid <@ current_setting('test.unset', true)::uidset;
-- (the text of a plan with a subquery differs between server versions)
SELECT pg_temp.index_cond('SELECT size FROM message WHERE mailbox = 1 AND uid <@ (SELECT uids FROM sets WHERE id = 9)')
	   LIKE '%(uid >= min(%' AS indexed;
SELECT array_agg(uid) FROM message WHERE mailbox = 1 AND uid <@ (SELECT uids FROM sets WHERE id = 9);

-- A set from another table, once per row of it
EXPLAIN (COSTS OFF) SELECT s.id, m.uid FROM sets s JOIN message m ON m.mailbox = s.id AND m.uid <@ s.uids WHERE s.id IN (3, 4);
SELECT s.id, m.uid FROM sets s JOIN message m ON m.mailbox = s.id AND m.uid <@ s.uids WHERE s.id IN (3, 4) ORDER BY 1, 2;

-- The function behind the operator does as well
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uidset_contained(uid, '5:9');

-- No index condition from a set in the table itself, nor from a volatile one
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uid <@ size::bigint::uidset;
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uidset_contained(uid, size::bigint::uidset);
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE small <@ uidset(ceil(random())::bigint);

-- Nor in an operator family with another order
CREATE OPERATOR CLASS public.backwards FOR TYPE bigint USING btree AS
	OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint8cmp(bigint, bigint);
CREATE TABLE backwards (uid bigint);
CREATE INDEX ON backwards (uid public.backwards);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT FROM backwards WHERE uid <@ '1:3';
RESET enable_seqscan;
DROP TABLE backwards;
DROP OPERATOR FAMILY public.backwards USING btree;

-- Row security leaves it its index, as it does with uid = 5
CREATE ROLE regress_modseq_reader;
GRANT SELECT ON message TO regress_modseq_reader;
GRANT USAGE ON SCHEMA modseq, t_uidset TO regress_modseq_reader;
ALTER TABLE message ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON message USING (size < 1000);
SET ROLE regress_modseq_reader;
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uid <@ '5:9';
RESET ROLE;

-- A view may be read by one who may not use the schema
CREATE VIEW some_messages AS SELECT * FROM message WHERE mailbox = 1 AND uid <@ '1:2,4';
GRANT SELECT ON some_messages TO regress_modseq_reader;
REVOKE USAGE ON SCHEMA modseq FROM regress_modseq_reader;
SET ROLE regress_modseq_reader;
SELECT array_agg(uid ORDER BY uid) FROM some_messages;
RESET ROLE;
DROP VIEW some_messages;
DROP OWNED BY regress_modseq_reader;
DROP ROLE regress_modseq_reader;
ALTER TABLE message DISABLE ROW LEVEL SECURITY;

-- Estimates: rows that the planner expects
CREATE FUNCTION pg_temp.expected_rows(query text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;
SELECT pg_temp.expected_rows('SELECT * FROM unnest(''1:500''::uidset)') AS unnest,
	   pg_temp.expected_rows('SELECT * FROM ranges(''1:500,600,700''::uidset)') AS ranges;
SELECT pg_temp.expected_rows('SELECT FROM message WHERE uid <@ ''1:1000''') BETWEEN 4900 AND 5100 AS half,
	   pg_temp.expected_rows('SELECT FROM message WHERE ''501:1000,1501:1600,2000''::uidset @> uid') BETWEEN 2800 AND 3200 AS part,
	   pg_temp.expected_rows('SELECT FROM message WHERE uid <@ ''''') AS none;

SET client_min_messages = warning;
DROP SCHEMA t_uidset CASCADE;
