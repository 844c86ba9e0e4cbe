--
-- Flags by type of column: which updates change them. Rule "flags"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_flags_types;
SET search_path = t_flags_types;
\pset format unaligned
\pset tuples_only on
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

CREATE TYPE flag AS ENUM ('seen', 'flagged', 'draft');
CREATE DOMAIN flags AS text[];
CREATE DOMAIN word AS text;
CREATE TYPE two AS (seen boolean, flagged boolean);

-- The mod-sequence of a message, which came with NULL under 2, after the column was set to each of the values
CREATE FUNCTION try_updates(type text, vals text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	result text;
	v text;
BEGIN
	EXECUTE format('CREATE TABLE box (id int PRIMARY KEY);
		CREATE TABLE mail (box_id int, f %s)', type);
	PERFORM modseq.attach('mail', 'box', message_flags => '{f}');
	INSERT INTO box VALUES (1);
	INSERT INTO mail VALUES (1, NULL);
	FOREACH v IN ARRAY vals LOOP
		EXECUTE format('UPDATE mail SET f = %L', v);
		result := concat_ws(' ', result, format('%s -> %s', coalesce(v, 'null'), (SELECT modseq FROM mail)));
	END LOOP;
	RAISE USING MESSAGE = result, ERRCODE = 'MS001';
END $$;
CREATE FUNCTION updates(type text, VARIADIC vals text[]) RETURNS text
LANGUAGE sql AS $$ SELECT type || ': ' || failure(format('SELECT try_updates(%L, %L)', type, vals)) $$;

-- A flag, or bits
SELECT updates('boolean', 'f', 't', 't', 'f', NULL);
SELECT updates('smallint', '0', '1', '1', '0', NULL);
SELECT updates('bigint', '0', '5', '5', '4', NULL);
SELECT updates('numeric', '1', '1.0', '0', NULL);
SELECT updates('bit(3)', '010', '010', '000', NULL);
SELECT updates('varbit', '01', '010', '10');
SELECT updates('bytea', '\x01', '\x01', '\x0001');
SELECT updates('char(1)', 'N', 'N', 'Y', NULL);
SELECT updates('"char"', 'N', 'N', 'Y', NULL);
SELECT updates('flag', 'seen', 'seen', 'draft', NULL);
SELECT updates('timestamptz', '2001-02-03 04:05:06+00', '2001-02-03 05:05:06+01', NULL);
SELECT updates('two', '(t,f)', '(t,f)', '(f,t)', NULL);
-- Words in one text: another order is another text
SELECT updates('text', '', '\Seen \Flagged', '\Seen \Flagged', '\Flagged \Seen', '', NULL);
SELECT updates('varchar(100)', '\Seen,\Flagged', '\Flagged', NULL);
-- Sets
SELECT updates('text[]', '{}', '{a,b}', '{b,a,b}', '{a}', NULL);
SELECT updates('varchar(10)[]', '{}', '{a,b}', '{b,a,b}', '{a}', NULL);
SELECT updates('char(5)[]', '{a,b}', '{b,a,b}', '{a}');
SELECT updates('flag[]', '{}', '{seen,draft}', '{draft,seen}', '{draft}', NULL);
SELECT updates('integer[]', '{}', '{1,2}', '{2,1}', '{2}', NULL);
SELECT updates('uuid[]', '{00000000-0000-0000-0000-00000000000a,00000000-0000-0000-0000-00000000000b}', '{00000000-0000-0000-0000-00000000000b,00000000-0000-0000-0000-00000000000a}');
SELECT updates('flags', '{}', '{a,b}', '{b,a,b}', '{a}', NULL);
SELECT updates('word[]', '{a,b}', '{b,a,b}', '{a}');
SELECT updates('bit(2)[]', '{01,10}', '{10,01}', '{01}');
SELECT updates('jsonb[]', '{1,"{\"a\": 2}"}', '{"{\"a\": 2}",1.0}', '{1}');
SELECT updates('jsonb', '[]', '["a", "b"]', '["b", "a", "b"]', '["a"]', '{}', 'null', NULL);
SELECT updates('jsonb', '{"a": 1}', '{"b": [1, 2], "a": 1}', '{"a": 1, "b": [1, 2]}', '{"a": 1, "b": [2, 1]}', NULL);
SELECT updates('jsonb', '"a"', '"a"', '1', '1.0', 'true', 'false');
-- What cannot be told
SELECT updates('json', '{}');
SELECT updates('json[]', '{}');
SELECT updates('xml', '<a/>');
SELECT updates('point', '(0,0)');

--
-- Flags in a table: text, an id, a value beside the name; one row for all; mixtures of both kinds
--
\set VERBOSITY terse
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int, flags int NOT NULL DEFAULT 0, keywords text[]);
CREATE TABLE property (id serial PRIMARY KEY, mail_id int, name text, value text, at timestamptz, UNIQUE (mail_id, name));
SELECT modseq.attach('mail', 'box', 'property', flag_columns => '{name,value}');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1), (2, 1);
\set modseqs 'SELECT string_agg(id || \':\' || modseq, \' \' ORDER BY id) FROM mail;'
INSERT INTO property (mail_id, name, value) VALUES (1, 'seen', '0'), (2, 'seen', '0');
:modseqs
UPDATE property SET value = '1' WHERE mail_id = 1;
:modseqs
UPDATE property SET at = now();
INSERT INTO property (mail_id, name, value) VALUES (1, 'seen', '1') ON CONFLICT (mail_id, name) DO UPDATE SET value = excluded.value, at = now();
:modseqs
-- Both kinds in one statement, and both in one transaction
WITH bits AS (UPDATE mail SET flags = flags | 4 WHERE id = 1)
INSERT INTO property (mail_id, name) VALUES (1, 'a'), (2, 'a');
:modseqs
BEGIN;
UPDATE mail SET keywords = '{x}' WHERE id = 2;
DELETE FROM property WHERE name = 'a';
COMMIT;
:modseqs
SELECT highestmodseq FROM mail_mailbox;
SELECT * FROM modseq.check('mail');
DROP SCHEMA t_flags_types CASCADE;
