--
-- The type uidset: its text and binary form, how it is stored, its casts and what looks inside
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
\set failure :test /include/failure.sql
\i :failure
\set sets :test /include/sets.sql
\i :sets

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
			  failure(format('SELECT %L::modseq.uidset', input)))
FROM unnest(ARRAY['0', '01', '1,0', '1:0', '1,,2', ',1', '1,', ':', '1:', ':1',
				  '1:2:3', '*', '1:*', '1,$', '-1', '+1', ' 1', '1 ', '1, 2',
				  '1.5', 'x', '4294967296', '7,99999999999999999999',
				  '1,4294967296x', E'1\n', ' ', '{1}']) AS input;

-- The place is found in a long text too
SELECT substring(failure(format('SELECT %L::modseq.uidset', list || ',,3')) FROM 'A UID.*')
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
SELECT format(E'%s\n  %s', command, failure('SELECT modseq.' || command))
FROM unnest(ARRAY['uidset(''*'', -1)', 'uidset(''1'', 4294967296)',
				  'uidset(''1,**'', 5)', 'uidset(''0:*'', 5)',
				  'uidset(''4294967296:*'', 5)']) AS command;
\pset format aligned
\pset tuples_only off

--
-- Storage: plain, compressed, out of line
--
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
SELECT '{7,3,4,3}'::bigint[]::uidset, '{}'::bigint[]::uidset, '{{1,2},{4294967295,1}}'::bigint[]::uidset,
	   '1,4:6,4294967295'::uidset::bigint[], ''::uidset::bigint[];
CREATE TABLE assigned (uids uidset, multirange int8multirange, uid_list bigint[]);
INSERT INTO assigned VALUES ('{[1,3]}'::int8multirange, '1:3'::uidset, '1:3'::uidset) RETURNING *;
INSERT INTO assigned (uids) VALUES (ARRAY[3::bigint]) RETURNING uids;
INSERT INTO assigned (uids) VALUES (3::bigint);
DROP TABLE assigned;

\pset format unaligned
\pset tuples_only on
SELECT format(E'%s\n  %s', command, failure('SELECT ' || command))
FROM unnest(ARRAY['0::bigint::uidset', '''{1,0}''::bigint[]::uidset', '''{1,NULL}''::bigint[]::uidset',
				  '''1:134217629''::uidset::bigint[]',
				  '''{[0,3]}''::int8multirange::uidset',
				  '''{[1,4294967296]}''::int8multirange::uidset',
				  '''{[5,)}''::int8multirange::uidset',
				  '''{(,5]}''::int8multirange::uidset',
				  '''{(,)}''::int8multirange::uidset']) AS command;
\pset format aligned
\pset tuples_only off

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

SET client_min_messages = warning;
DROP SCHEMA t_uidset CASCADE;
