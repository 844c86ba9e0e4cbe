--
-- uid <@ set reads what is in the set, and not what lies between its ranges
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_scan;
RESET client_min_messages;
SET search_path = t_scan, modseq;
\set SHOW_CONTEXT never
CREATE TABLE message (mailbox bigint NOT NULL, uid bigint NOT NULL, small integer NOT NULL, flags text[], size integer);
INSERT INTO message SELECT m, u, u, '{}', m * u FROM generate_series(1, 3) m, generate_series(1, 5000) u;
CREATE UNIQUE INDEX message_uid ON message (mailbox, uid);
CREATE INDEX message_down ON message (mailbox, small DESC);
VACUUM ANALYZE message;
CREATE TABLE sets (id integer PRIMARY KEY, mailbox bigint, uids uidset);
INSERT INTO sets VALUES (1, 1, '7:9,100,4990'), (2, 2, '1,5000'), (3, 3, ''), (4, 1, NULL), (5, 9, '1,3');
INSERT INTO sets SELECT 6, 2, uidset_agg(7 * i) FROM generate_series(1, 700) i;
ANALYZE sets;

-- How many entries of the index, or rows of the table where it is read from end to end, a statement reads
CREATE FUNCTION pg_temp.entries(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	total CONSTANT text := $query$SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class
		WHERE relnamespace = 't_scan'::regnamespace AND relname ~ '^(message|part)' AND relkind IN ('i', 'r')$query$;
	before bigint;
	after bigint;
BEGIN
	EXECUTE total INTO before;
	EXECUTE query;
	EXECUTE total INTO after;
	RETURN after - before;
END $$;

-- Five UIDs: five are read, as a constant and as a parameter
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uid <@ '7:9,100,4990';
SELECT pg_temp.entries('SELECT size FROM message WHERE mailbox = 1 AND uid <@ ''7:9,100,4990''') AS entries;
SELECT pg_temp.entries('SELECT size FROM message WHERE mailbox = 1 AND ''7:9,100,4990'' @> uid') AS entries;
SELECT array_agg(size) FROM message WHERE mailbox = 1 AND uid <@ '7:9,100,4990';
SET plan_cache_mode = force_generic_plan;
PREPARE fetch_uids(bigint, uidset) AS SELECT uid, size FROM message WHERE mailbox = $1 AND uid <@ $2;
EXPLAIN (COSTS OFF) EXECUTE fetch_uids(1, '');
SELECT pg_temp.entries('EXECUTE fetch_uids(1, ''7:9,100,4990'')') AS entries,
	   pg_temp.entries('EXECUTE fetch_uids(1, ''7:9'')') AS one_range,
	   pg_temp.entries('EXECUTE fetch_uids(1, ''4990:4294967295'')') AS until_the_last,
	   pg_temp.entries('EXECUTE fetch_uids(1, '''')') AS none,
	   pg_temp.entries('EXECUTE fetch_uids(1, NULL)') AS of_null;
EXECUTE fetch_uids(1, '7:9,100,4990');
EXECUTE fetch_uids(2, '1,5000:4294967295');
EXECUTE fetch_uids(2, '');
EXECUTE fetch_uids(2, NULL);

-- In PL/pgSQL, in each kind of statement; under a join, in a subquery, beside other conditions
CREATE PROCEDURE pg_temp.all_kinds(uids uidset) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM size FROM message WHERE mailbox = 1 AND uid <@ uids;
	PERFORM FROM message WHERE mailbox = 1 AND uid <@ uids FOR UPDATE;
	DELETE FROM message WHERE mailbox = 1 AND uid <@ uids AND flags @> '{none}';
END $$;
SELECT pg_temp.entries('CALL pg_temp.all_kinds(''7:9,100,4990'')') AS three_times;
RESET plan_cache_mode;
SELECT pg_temp.entries('SELECT count(*) FROM message WHERE mailbox = 1 AND uid <@ ''7:9,100,4990''') AS index_only,
	   pg_temp.entries('SELECT FROM message WHERE mailbox = 1 AND uid <@ ''7:9,100,4990'' AND size > 0 AND NOT flags @> ''{b}''') AS conditions,
	   pg_temp.entries('SELECT FROM message WHERE mailbox = 1 AND uid <@ ''7:9,100,4990'' AND uid > 8') AS from_9,
	   pg_temp.entries('SELECT FROM message WHERE mailbox = 1 AND uid <@ ''7:9,100,4990'' AND uid <@ ''8:100,4000''') AS of_two_sets,
	   pg_temp.entries('SELECT FROM message WHERE mailbox IN (1, 3) AND uid <@ ''7:9,100,4990''') AS two_mailboxes;
SELECT array_agg(uid) FROM message WHERE mailbox = 1 AND uid <@ '7:9,100,4990' AND uid > 8;
SELECT array_agg(uid) FROM message WHERE mailbox = 1 AND uid <@ '7:9,100,4990' AND uid <@ '8:100,4000';
SELECT mailbox, array_agg(uid ORDER BY uid) FROM message WHERE mailbox IN (1, 3) AND uid <@ '7:9,100,4990' GROUP BY 1 ORDER BY 1;
SELECT pg_temp.entries('SELECT m.size FROM sets s JOIN message m ON m.mailbox = s.mailbox AND m.uid <@ s.uids') AS joined;
SELECT s.id, count(m), min(m.uid), max(m.uid) FROM sets s LEFT JOIN message m ON m.mailbox = s.mailbox AND m.uid <@ s.uids GROUP BY 1 ORDER BY 1;
SELECT pg_temp.entries('SELECT size FROM message WHERE mailbox = 1 AND uid <@ (SELECT uids FROM sets WHERE id = 1)') AS subquery,
	   pg_temp.entries('UPDATE message m SET size = 0 FROM sets s WHERE m.mailbox = s.mailbox AND m.uid <@ s.uids AND s.id = 1') AS update_from,
	   pg_temp.entries('DELETE FROM message m USING sets s WHERE m.mailbox = s.mailbox AND m.uid <@ s.uids AND s.id = 2') AS delete_using;
SELECT mailbox, count(*), count(*) FILTER (WHERE size = 0) AS set_to_0 FROM message GROUP BY 1 ORDER BY 1;

-- In the order of the index, forwards and backwards: no sort, and no more than is asked for
EXPLAIN (COSTS OFF) SELECT uid, size FROM message WHERE mailbox = 2 AND uid <@ '5,50,500:502,4000' ORDER BY uid DESC LIMIT 3;
SELECT uid, size FROM message WHERE mailbox = 2 AND uid <@ '5,50,500:502,4000' ORDER BY uid DESC LIMIT 3;
SELECT uid, size FROM message WHERE mailbox = 2 AND uid <@ '5,50,500:502,4000' ORDER BY uid LIMIT 3;
EXPLAIN (COSTS OFF) SELECT small, size FROM message WHERE mailbox = 2 AND small <@ '5,50,500:502,4000' ORDER BY small LIMIT 3;
SELECT small, size FROM message WHERE mailbox = 2 AND small <@ '5,50,500:502,4000' ORDER BY small LIMIT 3;
SELECT small, size FROM message WHERE mailbox = 2 AND small <@ '5,50,500:502,4000' ORDER BY small DESC LIMIT 3;
SELECT mailbox, uid FROM message WHERE mailbox IN (3, 1) AND uid <@ '2,4000' ORDER BY mailbox, uid;

-- A scan within a loop starts anew with another mailbox, and with another set
SET enable_memoize = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT s.n, m.sizes FROM generate_series(1, 3) s(n), LATERAL (SELECT array_agg(size ORDER BY uid) AS sizes
	FROM message WHERE mailbox = s.n AND uid <@ '2,4,4000'::uidset + s.n::bigint) m ORDER BY 1;
SELECT s.n, (SELECT uid FROM message WHERE mailbox = 3 AND uid <@ (uidset(s.n) + 9::bigint + 4000::bigint) ORDER BY uid LIMIT 1) AS first
	FROM generate_series(8, 11) s(n) ORDER BY 1;
RESET enable_memoize;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- Cursors
BEGIN;
DECLARE forwards CURSOR FOR SELECT * FROM message WHERE mailbox = 3 AND uid <@ '2,4,4000';
MOVE 2 FROM forwards;
UPDATE message SET size = -1 WHERE CURRENT OF forwards RETURNING uid;
DECLARE locked CURSOR FOR SELECT uid FROM message WHERE mailbox = 3 AND uid <@ '3,5,4001' FOR UPDATE;
MOVE 2 FROM locked;
DELETE FROM message WHERE CURRENT OF locked RETURNING uid;
DECLARE of_index CURSOR FOR SELECT uid FROM message WHERE mailbox = 3 AND uid <@ '7,9,4002';
EXPLAIN (COSTS OFF) SELECT uid FROM message WHERE mailbox = 3 AND uid <@ '7,9,4002';
MOVE 2 FROM of_index;
DELETE FROM message WHERE CURRENT OF of_index RETURNING mailbox, uid;
DECLARE there_and_back SCROLL CURSOR FOR SELECT uid FROM message WHERE mailbox = 3 AND uid <@ '2,4,4000';
FETCH 2 FROM there_and_back;
FETCH BACKWARD 1 FROM there_and_back;
FETCH LAST FROM there_and_back;
ROLLBACK;

-- A sample is a sample: none of the rows, whatever the index has
SELECT count(*) FROM message TABLESAMPLE BERNOULLI (0) WHERE mailbox = 3 AND uid <@ '2,4,4000';

-- System columns, whole rows, expressions, none at all; compiled too
SELECT tableoid::regclass, ctid IS NOT NULL AS ctid, xmin::text::bigint > 0 AS xmin, m FROM message m WHERE mailbox = 3 AND uid <@ '2,4';
SELECT s.id, coalesce(m.double, 0) AS double, m.message IS NULL AS none FROM sets s LEFT JOIN
	(SELECT mailbox, uid, 2 * size AS double, message FROM message) m ON m.mailbox = s.mailbox AND m.uid <@ s.uids AND m.uid > 4000 AND s.id <> 6 ORDER BY 1, 2;
SELECT 'here' AS there FROM message WHERE mailbox = 3 AND uid <@ '2,4,6000';
SELECT s.id FROM sets s WHERE EXISTS (SELECT FROM message m WHERE m.mailbox = s.mailbox AND m.uid <@ s.uids) ORDER BY 1;
SET jit_above_cost = 0;
SELECT mailbox * uid + 1 AS sum, flags FROM message WHERE mailbox = 3 AND uid <@ '2,4,6000' AND size > 6;
RESET jit_above_cost;
BEGIN;
WITH gone AS (DELETE FROM message WHERE mailbox = 3 AND uid <@ '2,4' RETURNING *) INSERT INTO message SELECT 4, uid, small, flags, size FROM gone RETURNING *;
MERGE INTO message m USING sets s ON m.mailbox = s.mailbox AND m.uid <@ s.uids AND s.id = 1 WHEN MATCHED AND m.uid > 8 THEN UPDATE SET size = -5;
SELECT uid FROM message WHERE size = -5 ORDER BY 1;
ROLLBACK;

-- Where the mailbox is not known, or the UID is, a scan for each range would not help
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox = 1 AND uid = 100 AND uid <@ '7:9,100,4990';
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT size FROM message WHERE mailbox > 1 AND uid <@ '7:9,100,4990';
RESET enable_bitmapscan;
RESET enable_seqscan;
SELECT count(*) FROM message WHERE mailbox > 1 AND uid <@ '7:9,100,4990';
SELECT count(*) FROM message WHERE mailbox = 1 AND (uid <@ '7:9,4990' OR uid <@ '9:10,4000');

-- The set itself is returned beside the rows, too
SET plan_cache_mode = force_generic_plan;
PREPARE with_set(bigint, uidset) AS SELECT uid, which FROM (SELECT mailbox, uid, $2 AS which FROM message
	UNION ALL SELECT mailbox, uid + 1, $2 + 1::bigint FROM message) AS m WHERE mailbox = $1 AND uid <@ $2;
EXPLAIN (COSTS OFF) EXECUTE with_set(3, '2,4');
EXECUTE with_set(3, '7,9');
RESET plan_cache_mode;
SELECT s.id, m.uid, m.which FROM sets s, LATERAL (SELECT uid, s.uids AS which FROM message WHERE mailbox = s.mailbox
	UNION ALL SELECT uid, s.uids FROM message WHERE mailbox = s.mailbox + 1) AS m WHERE m.uid <@ s.uids AND s.id < 3 ORDER BY 1, 2;

-- Partitions, and inheritance: each by its own index, and in order
CREATE TABLE part (mailbox bigint NOT NULL, uid bigint NOT NULL, size integer) PARTITION BY LIST (mailbox);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 (size integer, uid bigint NOT NULL, mailbox bigint NOT NULL);
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2, 3);
CREATE UNIQUE INDEX part_uid ON part (mailbox, uid);
INSERT INTO part SELECT mailbox, uid, size FROM message;
VACUUM ANALYZE part;
SELECT pg_temp.entries('SELECT size FROM part WHERE mailbox = 2 AND uid <@ ''7:9,100,4990''') AS one_partition,
	   pg_temp.entries('SELECT size FROM part WHERE mailbox IN (1, 2) AND uid <@ ''7:9,100,4990''') AS two,
	   pg_temp.entries('UPDATE part SET size = 1 WHERE mailbox IN (1, 2) AND uid <@ ''7:9,100,4990''') AS updated,
	   pg_temp.entries('UPDATE part SET mailbox = 2, uid = uid + 10000 WHERE mailbox = 1 AND uid <@ ''7:9,100,4990''') AS moved;
SELECT tableoid::regclass, mailbox, array_agg(uid ORDER BY uid) FROM part WHERE mailbox IN (1, 2) AND uid <@ '7:9,100:101,4990,10000:4294967295' GROUP BY 1, 2 ORDER BY 2;
SET plan_cache_mode = force_generic_plan;
PREPARE fetch_parts(bigint, uidset) AS SELECT size FROM part WHERE mailbox = $1 AND uid <@ $2;
SELECT pg_temp.entries('EXECUTE fetch_parts(3, ''7:9,100,4990'')') AS generic;
RESET plan_cache_mode;
SET enable_partitionwise_join = on;
SELECT count(*) FROM part a JOIN part b ON a.mailbox = b.mailbox AND b.uid <@ uidset(a.uid) WHERE a.mailbox IN (1, 2) AND a.uid < 50;
RESET enable_partitionwise_join;

-- In a parallel worker
CREATE FUNCTION pg_temp.plan_of(query text, options text DEFAULT 'COSTS OFF') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('EXPLAIN (%s) %s', options, query);
END $$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT string_agg(plan, E'\n') ~ 'Gather.*Nested Loop.*Parallel Seq Scan.*modseq_ranges' AS in_worker
	FROM pg_temp.plan_of('SELECT sum(m.size) FROM sets s JOIN message m ON m.mailbox = s.mailbox AND m.uid <@ s.uids') plan;
SELECT sum(m.uid) FROM sets s JOIN message m ON m.mailbox = s.mailbox AND m.uid <@ s.uids;
-- What workers have read counts, too
SET parallel_leader_participation = off;
SELECT substring(string_agg(plan, E'\n') FROM 'Ranges Read: (\d+)')::bigint AS ranges_read,
		(SELECT count(*) FROM sets, ranges(uids)) AS ranges
	FROM pg_temp.plan_of('SELECT sum(m.size) FROM sets s JOIN message m ON m.mailbox = s.mailbox AND m.uid <@ s.uids',
		'ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF') plan;
RESET parallel_leader_participation;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET min_parallel_table_scan_size;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;

-- The same rows as without an index, whatever the set; and as many entries as rows
CREATE FUNCTION pg_temp.differences(rounds int) RETURNS SETOF uidset LANGUAGE plpgsql AS $$
DECLARE
	uids uidset;
	scanned uidset;
	looked_up uidset;
BEGIN
	FOR i IN 1..rounds LOOP
		uids := (SELECT coalesce(uidset_agg(format('%s:%s', lo, lo + (random() ^ 4 * 300)::bigint)::uidset), '')
			FROM (SELECT 1 + (random() * 5200)::bigint AS lo FROM generate_series(1, (random() * 60)::int)) s);
		scanned := (SELECT uidset_agg(uid) FROM message WHERE mailbox + 0 = 2 AND uid + 0 <@ uids);
		looked_up := (SELECT uidset_agg(uid) FROM (SELECT uid FROM message WHERE mailbox = 2 AND uid <@ uids OFFSET 0) m);
		IF scanned IS DISTINCT FROM looked_up THEN
			RETURN NEXT uids;
		END IF;
	END LOOP;
END $$;
SELECT pg_temp.differences(200);

-- A session that has not used the library before the planner sees a parameter
\c
SET search_path = t_scan, modseq;
SET plan_cache_mode = force_generic_plan;
PREPARE fetch_uids(uidset) AS SELECT size FROM message WHERE mailbox = 1 AND uid <@ $1;
EXPLAIN (COSTS OFF) EXECUTE fetch_uids(NULL);

SET client_min_messages = warning;
DROP SCHEMA t_scan CASCADE;
