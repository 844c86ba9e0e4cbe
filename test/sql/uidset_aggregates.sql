--
-- The type uidset: aggregates
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

SELECT uidset_agg(uid) FROM (VALUES (9), (3), (NULL), (1), (2), (3)) AS v (uid);
SELECT uidset_agg(uids) FROM (VALUES ('5:7'::uidset), (''), (NULL), ('1'), ('6:9')) AS v (uids);
SELECT uidset_agg(uid) AS no_rows, uidset_agg(uid) FILTER (WHERE uid > 1) AS none FROM (SELECT 1 WHERE false) AS v (uid);
SELECT uidset_agg(NULL::bigint) AS nulls, uidset_agg(NULL::uidset) AS null_sets, uidset_agg(''::uidset) = '' AS empty;
SELECT uidset_agg(uid ORDER BY uid DESC) FROM generate_series(1, 5) uid;
SELECT uid, uidset_agg(uid) OVER (ORDER BY uid DESC) FROM (VALUES (1), (2), (4)) AS v (uid) ORDER BY uid DESC;
SELECT uid % 3 AS remainder, uidset_agg(uid) FROM generate_series(1, 9) uid GROUP BY 1 ORDER BY 1;
SELECT uidset_agg(uid) FROM (VALUES (1), (0)) AS v (uid);
\echo :SQLSTATE
SELECT uidset_agg(uid) FROM (VALUES (4294967296)) AS v (uid);

-- A permutation of 1 .. 65536: the builder sorts often, and ends with one range
SELECT uidset_agg(1 + (i::bigint * 40503) % 65536) FROM generate_series(1, 65536) i;

SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET enable_indexonlyscan = off;
EXPLAIN (COSTS OFF) SELECT uidset_agg(uid), uidset_agg(uid::uidset) FROM message;
SELECT uidset_agg(uid), uidset_agg(uid::uidset), uidset_agg(uid) FILTER (WHERE uid < 0) AS none FROM message;
SELECT uidset_agg(uid) = uidset_agg(uid::uidset) AS same, cardinality(uidset_agg(uid)) FROM message WHERE uid % 7 = mailbox;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
RESET enable_indexonlyscan;

SET client_min_messages = warning;
DROP SCHEMA t_uidset CASCADE;
