--
-- The type uidset: comparison, algebra and membership, and the operator classes
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

SET client_min_messages = warning;
DROP SCHEMA t_uidset CASCADE;
