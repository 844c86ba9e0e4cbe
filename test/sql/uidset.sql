--
-- The types alone: uidset and modseq
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
RESET client_min_messages;
SET search_path = public, modseq;
\set SHOW_CONTEXT never
-- The empty set is written as nothing at all
\pset null '(null)'

-- What a command fails with: SQLSTATE, message, detail, hint
CREATE FUNCTION pg_temp.failure(command text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ' ' || message,
					 '    ' || nullif(detail, ''), '    ' || nullif(hint, ''));
END $$;

--
-- Text: any order, overlaps, reversed ranges, all of the UIDs
--
SELECT input, input::uidset AS output
FROM unnest(ARRAY['', '1', '1,4:6,10', '10,4:6,1', '7:3', '1:3,2:5', '1:3,4:5',
				  '1,1,1', '5:5', '1:1,3:3,2', '4294967295', '4294967295:1',
				  '4294967294,4294967295', '1,3,5,7,9,8,6,4,2']) AS input;

\pset format unaligned
\pset tuples_only on
SELECT format(E'%s\n  %s', quote_literal(input),
			  pg_temp.failure(format('SELECT %L::modseq.uidset', input)))
FROM unnest(ARRAY['0', '01', '1,0', '1:0', '1,,2', ',1', '1,', ':', '1:', ':1',
				  '1:2:3', '*', '1:*', '1,$', '-1', '+1', ' 1', '1 ', '1, 2',
				  '1.5', 'x', '4294967296', '7,99999999999999999999',
				  '1,4294967296x', E'1\n', ' ', '{1}']) AS input;

-- The place is found in a long text too
SELECT substring(pg_temp.failure(format('SELECT %L::modseq.uidset', list || ',,3')) FROM 'A UID.*')
FROM (SELECT string_agg((2 * i)::text, ',') FROM generate_series(1, 1000) i) AS v (list);

--
-- "*" is the last UID (RFC 9051 section 9, seq-number and seq-range)
--
\pset format aligned
\pset tuples_only off
SELECT input, last_uid, uidset(input, last_uid) AS output
FROM (VALUES ('*', 9), ('5:*', 9), ('*:5', 9), ('5:*', 3), ('*:*', 9), ('9:*', 9),
			 ('1,*', 9), ('1:3,7', 9), ('', 9), ('*', 1), ('*', 4294967295),
			 ('*', 0), ('5:*', 0), ('*:5', 0), ('*:*', 0), ('2,5:*,7', 0))
	 AS v (input, last_uid);

\pset format unaligned
\pset tuples_only on
SELECT format(E'%s\n  %s', command, pg_temp.failure('SELECT modseq.' || command))
FROM unnest(ARRAY['uidset(''*'', -1)', 'uidset(''1'', 4294967296)',
				  'uidset(''1,**'', 5)', 'uidset(''0:*'', 5)',
				  'uidset(''4294967296:*'', 5)']) AS command;
\pset format aligned
\pset tuples_only off

--
-- Storage: plain, compressed, out of line
--
CREATE TABLE sets (id integer PRIMARY KEY, uids uidset);
INSERT INTO sets VALUES
	(1, ''), (2, '1'), (3, '1:3'), (4, '1,5'), (5, '2'), (6, '1:3,5'),
	(7, '4294967295'), (8, NULL), (9, '4:6,10,20:30'), (10, '1:2,9');
INSERT INTO sets SELECT 11, uidset_agg(3 * i) FROM generate_series(1, 40) i;
INSERT INTO sets SELECT 12, uidset_agg(3 * i) FROM generate_series(1, 1000) i;
INSERT INTO sets SELECT 13, uidset_agg(i::bigint * i) FROM generate_series(1, 20000) i;
INSERT INTO sets SELECT 14, uidset_agg(i::bigint * i + 1) FROM generate_series(1, 20000) i;
SELECT id, cardinality(uids), min(uids), max(uids), uids::text::uidset = uids AS same,
	   pg_column_compression(uids) IS NOT NULL AS compressed
FROM sets ORDER BY id;

--
-- Binary: count, then pairs of first and last UID.  The bytes reach
-- uidset_recv() by way of a file: all at the client, so that it works with
-- any server.
--
SELECT uidset_send(''), uidset_send('1,4:6,4294967295');

\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/uidset.bin'
COPY sets TO STDOUT (FORMAT binary) \g :file
CREATE TABLE copied (LIKE sets);
\set receive '\\copy copied FROM ' :'file' ' (FORMAT binary)'
:receive
SELECT count(*) AS copied, count(*) FILTER (WHERE s.uids IS DISTINCT FROM c.uids) AS differ
FROM sets s JOIN copied c USING (id);

CREATE FUNCTION pg_temp.copy_file(value bytea) RETURNS oid
LANGUAGE sql AS $$
	SELECT lo_from_bytea(0, '\x5047434f50590aff0d0a00' || int8send(0)
						 || int2send(2::int2) || int4send(4) || int4send(99)
						 || int4send(length(value)) || value || '\xffff')
$$;

-- Any order and overlaps: 9, 2:4, 3:5
SELECT pg_temp.copy_file('\x00000003 00000009 00000009 00000002 00000004 00000003 00000005') AS lo \gset
\lo_export :lo :file
:receive
SELECT uids FROM copied WHERE id = 99;
-- A UID of 0
SELECT pg_temp.copy_file('\x00000002 00000001 00000001 00000000 00000004') AS lo \gset
\lo_export :lo :file
:receive
-- 7:3
SELECT pg_temp.copy_file('\x00000001 00000007 00000003') AS lo \gset
\lo_export :lo :file
:receive
-- More, fewer, and less than none
SELECT pg_temp.copy_file('\x00000001 00000001 00000001 00000003 00000003') AS lo \gset
\lo_export :lo :file
:receive
SELECT pg_temp.copy_file('\x20000001 00000001 00000001') AS lo \gset
\lo_export :lo :file
:receive
SELECT pg_temp.copy_file('\xffffffff') AS lo \gset
\lo_export :lo :file
:receive
SELECT pg_temp.copy_file('\x0000') AS lo \gset
\lo_export :lo :file
:receive
-- All of them but the last, which is pqformat.c's, are 22P03
SELECT pg_temp.copy_file('\xffffffff') AS lo \gset
\lo_export :lo :file
\set VERBOSITY sqlstate
:receive
\set VERBOSITY default
SELECT count(lo_unlink(oid)) AS unlinked FROM pg_largeobject_metadata;
DROP TABLE copied;

--
-- Casts
--
SELECT 7::bigint::uidset, uidset(7), '{[1,1],[4,7),(8,10)}'::int8multirange::uidset,
	   '{}'::int8multirange::uidset, '1,4:6,4294967295'::uidset::int8multirange,
	   ''::uidset::int8multirange;
CREATE TABLE assigned (uids uidset, multirange int8multirange);
INSERT INTO assigned VALUES ('{[1,3]}'::int8multirange, '1:3'::uidset) RETURNING *;
INSERT INTO assigned (uids) VALUES (3::bigint);
DROP TABLE assigned;

\pset format unaligned
\pset tuples_only on
SELECT format(E'%s\n  %s', command, pg_temp.failure('SELECT ' || command))
FROM unnest(ARRAY['0::bigint::uidset', '''{[0,3]}''::int8multirange::uidset',
				  '''{[1,4294967296]}''::int8multirange::uidset',
				  '''{[5,)}''::int8multirange::uidset',
				  '''{(,5]}''::int8multirange::uidset',
				  '''{(,)}''::int8multirange::uidset']) AS command;
\pset format aligned
\pset tuples_only off

--
-- Comparison: as the lists of UIDs compare
--
SELECT string_agg(quote_literal(uids), ' < ' ORDER BY uids) FROM sets WHERE id <= 10;
SELECT count(*) AS pairs,
	   count(*) FILTER (WHERE (a.uids < b.uids) <> (la < lb)) AS lt,
	   count(*) FILTER (WHERE (a.uids <= b.uids) <> (la <= lb)) AS le,
	   count(*) FILTER (WHERE (a.uids = b.uids) <> (la = lb)) AS eq,
	   count(*) FILTER (WHERE (a.uids <> b.uids) <> (la <> lb)) AS ne,
	   count(*) FILTER (WHERE (a.uids >= b.uids) <> (la >= lb)) AS ge,
	   count(*) FILTER (WHERE (a.uids > b.uids) <> (la > lb)) AS gt,
	   count(*) FILTER (WHERE uidset_cmp(a.uids, b.uids) <> btarraycmp(la, lb)) AS cmp
FROM sets a, sets b,
	 LATERAL (SELECT ARRAY(SELECT unnest(a.uids)), ARRAY(SELECT unnest(b.uids))) AS l (la, lb)
WHERE a.id <= 12 AND b.id <= 12;

-- The operator classes
SELECT count(*) AS rows, count(DISTINCT uids) AS sets FROM (SELECT uids FROM sets UNION ALL SELECT uids FROM sets) AS s;
CREATE INDEX sets_btree ON sets USING btree (uids) WHERE id <= 11;
CREATE INDEX sets_hash ON sets USING hash (uids);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM sets WHERE id <= 11 AND uids > '1:3' ORDER BY uids;
SELECT id FROM sets WHERE id <= 11 AND uids > '1:3' ORDER BY uids;
EXPLAIN (COSTS OFF) SELECT id FROM sets WHERE uids = '3,2,1';
SELECT id FROM sets WHERE uids = '3,2,1';
RESET enable_seqscan;
SELECT count(*) AS hashes_agree
FROM sets WHERE uidset_hash_extended(uids, 0) = uidset_hash_extended(uids::text::uidset, 0)
	AND uidset_hash(uids) = uidset_hash(uids::text::uidset)
	AND (uidset_hash_extended(uids, 0) & 4294967295) = (uidset_hash(uids) & 4294967295);
SET enable_hashjoin = on;
SET enable_nestloop = off;
SET enable_mergejoin = off;
SELECT count(*) AS hash_joined FROM sets a JOIN sets b USING (uids);
SET enable_hashjoin = off;
SET enable_mergejoin = on;
SELECT count(*) AS merge_joined FROM sets a JOIN sets b USING (uids);
RESET enable_hashjoin;
RESET enable_nestloop;
RESET enable_mergejoin;

--
-- Algebra
--
SELECT a, b, a + b AS "+", a - b AS "-", a * b AS "*",
	   a <@ b AS "<@", a @> b AS "@>", a && b AS "&&"
FROM (VALUES ('1:5', '3:8'), ('1:10', '3:4,6'), ('1:3', '4:6'), ('1,3,5', '2,4'), ('', '1:3'), ('1:3', ''),
			 ('', ''), ('3:4', '1:10'), ('1:2,9', '1:10'), ('1:3', '1:3'),
			 ('1:4294967295', '4294967295'), ('4294967295', '1:4294967295'),
			 ('1:4294967295', '2:4294967294')) AS v (x, y),
	 LATERAL (SELECT x::uidset, y::uidset) AS s (a, b);

-- The same by way of multiranges, for random sets of all densities
SELECT setseed(0.42);
CREATE TABLE random_sets AS
	SELECT i AS id, (SELECT uidset_agg(1 + floor(random() * 60)::bigint)
					 FROM generate_series(1, 1 + i % 50)) AS uids
	FROM generate_series(1, 200) i;
SELECT count(*) AS pairs,
	   count(*) FILTER (WHERE (a + b)::int8multirange <> am + bm) AS "+",
	   count(*) FILTER (WHERE (a - b)::int8multirange <> am - bm) AS "-",
	   count(*) FILTER (WHERE (a * b)::int8multirange <> am * bm) AS "*",
	   count(*) FILTER (WHERE (a <@ b) <> (am <@ bm)) AS "<@",
	   count(*) FILTER (WHERE (a @> b) <> (am @> bm)) AS "@>",
	   count(*) FILTER (WHERE (a && b) <> (am && bm)) AS "&&",
	   count(*) FILTER (WHERE (a @> uid) <> (am @> uid) OR (uid <@ a) <> (am @> uid)) AS "@> uid",
	   count(*) FILTER (WHERE (a + uid)::int8multirange <> am + int8multirange(int8range(uid, uid, '[]'))) AS "+ uid",
	   count(*) FILTER (WHERE (a - uid)::int8multirange <> am - int8multirange(int8range(uid, uid, '[]'))) AS "- uid"
FROM random_sets x, random_sets y,
	 LATERAL (SELECT x.uids, y.uids, x.uids::int8multirange, y.uids::int8multirange, 1::bigint + (x.id + y.id) % 61)
	 AS l (a, b, am, bm, uid);

-- One UID
SELECT '1:5'::uidset + 6 AS add, '1:5'::uidset + 3 AS again, '1:5'::uidset - 3 AS remove,
	   '1:5'::uidset - 9 AS remove_none, '1'::uidset - 1 AS remove_all, ''::uidset + 4294967295 AS last;
SELECT 3 <@ '1:5'::uidset AS int4, 3::bigint <@ '1:5'::uidset AS int8, '1:5'::uidset @> 6 AS int4_no,
	   '1:5'::uidset @> 6::bigint AS int8_no, 0 <@ '1:4294967295'::uidset AS zero,
	   -1 <@ '1:4294967295'::uidset AS negative, 4294967296 <@ '1:4294967295'::uidset AS large,
	   4294967297 <@ '1'::uidset AS wraps;

-- Sets that are stored in different ways, and take turns
SELECT id, count(*) FILTER (WHERE uid <@ uids) AS "<@", count(*) FILTER (WHERE uids @> uid::integer) AS "@>",
	   (SELECT count(*) FROM sets t, unnest(t.uids) u WHERE t.id = s.id AND u <= 3000) AS expected
FROM (SELECT * FROM sets, generate_series(1, 3000::bigint) uid ORDER BY uid, id) AS s
WHERE id > 8 GROUP BY id ORDER BY id;

SELECT ''::uidset + 0;
SELECT ''::uidset - 4294967296;

--
-- Looking inside
--
SELECT uids, cardinality(uids), min(uids), max(uids), ARRAY(SELECT unnest(uids)) AS unnest,
	   ARRAY(SELECT format('%s-%s', lo, hi) FROM ranges(uids)) AS ranges
FROM sets WHERE id <= 10 ORDER BY id;
SELECT * FROM ranges('7,1:3');
SELECT * FROM unnest('7,1:3'::uidset) WITH ORDINALITY;
SELECT cardinality('1:4294967295'::uidset);
-- One at a time: nothing waits for four thousand million rows
SELECT unnest('1:4294967295'::uidset) LIMIT 2;
SELECT unnest('4294967294:4294967295'::uidset);

--
-- Aggregates
--
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

CREATE TABLE message (mailbox bigint NOT NULL, uid bigint NOT NULL, small integer NOT NULL, size integer);
INSERT INTO message SELECT m, u, u, m * u FROM generate_series(1, 5) m, generate_series(1, 2000) u;
ALTER TABLE message ADD PRIMARY KEY (mailbox, uid);
CREATE INDEX message_small ON message (small);
ANALYZE message;

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

--
-- The planner: uid <@ set through a B-tree
--
SET enable_bitmapscan = off;
CREATE FUNCTION pg_temp.index_cond(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan #>> '{0,Plan,Index Cond}';
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
GRANT USAGE ON SCHEMA modseq TO regress_modseq_reader;
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

--
-- The domain
--
SELECT 0::modseq.modseq, 9223372036854775807::modseq.modseq, NULL::modseq.modseq;
SELECT (-1)::modseq.modseq;
\echo :SQLSTATE

-- None of this is without a comment
SELECT d.classid::regclass, pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend d
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'modseq')
	AND pg_describe_object(d.classid, d.objid, 0) ~ 'uidset|type modseq$|is_modseq'
	AND pg_describe_object(d.classid, d.objid, 0) !~ '\[\]$'
	AND obj_description(d.objid, d.classid::regclass::name) IS NULL;

DROP TABLE message, sets, random_sets;
