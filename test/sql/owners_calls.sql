--
-- Anybody may call our functions, also those that are only for others of ours, with whatever SQL lets through. Each call
-- ends in an answer or an error that PostgreSQL or we foresaw; nobody's store is touched, and nothing is left behind.
--
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE ROLE regress_modseq_victim;
CREATE ROLE regress_modseq_stranger;
CREATE SCHEMA victim AUTHORIZATION regress_modseq_victim;
CREATE SCHEMA stranger AUTHORIZATION regress_modseq_stranger;
GRANT USAGE ON SCHEMA victim TO regress_modseq_stranger;
\set VERBOSITY terse
SET ROLE regress_modseq_victim;
CREATE TABLE victim.folder (id bigint PRIMARY KEY);
CREATE TABLE victim.box (id bigint PRIMARY KEY);
CREATE TABLE victim.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL, seen boolean);
CREATE TABLE victim.flag (mail_id bigint, flag text);
SELECT modseq.attach('victim.mail', 'victim.box', 'victim.flag', mailbox_source => 'victim.folder', message_key => '{id}', flag_message => '{mail_id}');
INSERT INTO victim.folder VALUES (1), (2);
INSERT INTO victim.mail VALUES (1, 1), (2, 1), (3, 2);
DELETE FROM victim.mail WHERE id = 1;

-- A store of the stranger's, and what is none
SET ROLE regress_modseq_stranger;
CREATE TABLE stranger.box (a text, b uuid, PRIMARY KEY (a, b));
CREATE TABLE stranger.mail (id bigint PRIMARY KEY, a text NOT NULL, b uuid NOT NULL, seen boolean);
SELECT modseq.attach('stranger.mail', 'stranger.box', message_mailbox => '{a,b}');
INSERT INTO stranger.box VALUES ('{', '00000000-0000-0000-0000-000000000000');
INSERT INTO stranger.mail SELECT 1, a, b FROM stranger.box;
CREATE TABLE stranger.plain (a int);
CREATE INDEX plain_index ON stranger.plain (a);
CREATE TABLE stranger.parts (a int) PARTITION BY LIST (a);
CREATE TABLE stranger.part PARTITION OF stranger.parts DEFAULT;
CREATE VIEW stranger.view AS SELECT * FROM stranger.plain;
CREATE SEQUENCE stranger.sequence;
CREATE TYPE stranger.type AS (a int);
CREATE TEMPORARY TABLE temporary (id bigint PRIMARY KEY, box_id bigint, uid bigint, modseq bigint);
CREATE TRIGGER forged BEFORE INSERT ON stranger.plain FOR EACH ROW EXECUTE FUNCTION
	modseq.trigger_assign('mailbox=victim.box', 'vanished=victim.mail_vanished', 'mailbox_key={id}', 'message_mailbox={a}');
RESET ROLE;

-- What each argument is tried with, by its type; and what any other type is tried with
CREATE TABLE values_of (type text, number serial, value text);
INSERT INTO values_of (type, value) VALUES
	('regclass', NULL), ('regclass', '0'), ('regclass', '4294967295'), ('regclass', 'pg_class'), ('regclass', 'victim.mail'),
	('regclass', 'victim.box'), ('regclass', 'victim.mail_vanished'), ('regclass', 'stranger.mail'), ('regclass', 'stranger.box'),
	('regclass', 'stranger.plain'), ('regclass', 'stranger.plain_index'), ('regclass', 'stranger.parts'), ('regclass', 'stranger.part'),
	('regclass', 'stranger.view'), ('regclass', 'stranger.sequence'), ('regclass', 'stranger.type'), ('regclass', 'temporary'),
	('regclass', 'information_schema.tables'), ('regclass', 'modseq.stores'),
	('regclass[]', NULL), ('regclass[]', '{}'), ('regclass[]', '{NULL}'), ('regclass[]', '{0,pg_class,victim.mail}'),
	('regclass[]', '{{stranger.mail,stranger.view},{stranger.parts,NULL}}'), ('regclass[]', '[5:5]={stranger.mail}'),
	('name', NULL), ('name', ''), ('name', 'id'), ('name', 'uid'), ('name', 'xmin'), ('name', repeat('x', 63)), ('name', '"{}%s'),
	('name[]', NULL), ('name[]', '{}'), ('name[]', '{NULL}'), ('name[]', '{id}'), ('name[]', '{a,b}'), ('name[]', '{{a},{b}}'),
	('name[]', '{a,b,c,d,e,f,g,h,i}'), ('name[]', '[-1:0]={a,b}'), ('name[]', '{"",tableoid}'),
	('text', NULL), ('text', ''), ('text', '{'), ('text', '{NULL}'), ('text', '{a,b}'), ('text', 'id'), ('text', '1'),
	('text', '{mailbox} {'), ('text', '{$1}'), ('text', '{b.key}{m=b}{m=$key}{flag}{s.key}'), ('text', '{{}'), ('text', '{m=}{=m}{=}{ }'),
	('text', repeat('{{}', 1000)), ('text', repeat('x', 100000)), ('text', 'pg_catalog.pg_class'), ('text', '"a.b"."c'), ('text', 'a.b.c.d.e'),
	('text[]', NULL), ('text[]', '{}'), ('text[]', '{NULL}'), ('text[]', '{a}'), ('text[]', '{"{",00000000-0000-0000-0000-000000000000}'),
	('text[]', '{{"{",00000000-0000-0000-0000-000000000000},{a,b}}'), ('text[]', '{{{a,b}}}'), ('text[]', '[0:1]={1,2}'),
	('text[]', '{a,b,c,d,e,f,g,h,i,j}'), ('text[]', '{mailbox=victim.box,=,{}'),
	('bigint', NULL), ('bigint', '0'), ('bigint', '-1'), ('bigint', '1'), ('bigint', '4294967296'), ('bigint', '9223372036854775807'),
	('bigint', '-9223372036854775808'),
	('bigint[]', NULL), ('bigint[]', '{}'), ('bigint[]', '{NULL}'), ('bigint[]', '{1,1,-1}'), ('bigint[]', '{{1,2},{3,4}}'),
	('uuid', NULL), ('uuid', '00000000-0000-0000-0000-000000000000'),
	('uuid[]', NULL), ('uuid[]', '{}'), ('uuid[]', '{NULL}'), ('uuid[]', '{00000000-0000-0000-0000-000000000000}'),
	('boolean', NULL), ('boolean', 'true'), ('boolean', 'false'),
	('jsonb', NULL), ('jsonb', 'null'), ('jsonb', '{}'), ('jsonb', '[]'), ('jsonb', '{"message": "victim.mail", "mailbox": "pg_class"}'),
	('jsonb', '[["victim.mail", "x", "trigger_assign"], [1], {}]'),
	('oid', NULL), ('oid', '0'), ('oid', '1'), ('oid', '4294967295'),
	('integer', NULL), ('integer', '0'), ('integer', '-2147483648'), ('integer', '2147483647'),
	('modseq.uidset', NULL), ('modseq.uidset', ''), ('modseq.uidset', '1:4294967295'), ('modseq.uidset', '1,3,5'),
	('modseq.modseq', NULL), ('modseq.modseq', '0'), ('modseq.modseq', '9223372036854775807'),
	('regtype', NULL), ('regtype', '0'), ('regtype', '4294967295'), ('regtype', 'pg_class'), ('regtype', 'stranger.type'), ('regtype', 'anyarray'),
	('regtype', 'bigint'), ('regtype', 'json'),
	('interval', NULL), ('interval', '0'), ('interval', '-178000000 years'),
	('timestamp with time zone', NULL), ('timestamp with time zone', '-infinity'), ('timestamp with time zone', 'infinity'),
	('int8multirange', NULL), ('int8multirange', '{}'), ('int8multirange', '{[1,5),[7,)}'), ('int8multirange', '{(,)}'),
	('bytea', NULL), ('bytea', ''), ('bytea', '\x01'), ('bytea', '\xffffffff'), ('cstring', NULL), ('cstring', '1'), ('internal', NULL),
	('record', NULL);
INSERT INTO values_of (type, value)
	SELECT 'modseq_internal.store', v FROM (VALUES (NULL), ('(,,,,,,,,,,,,,,,,,,,,,,)')) AS v (v)
	UNION ALL SELECT 'modseq_internal.store', jsonb_populate_record(NULL::modseq_internal.store, to_jsonb(s))::text FROM modseq.stores s
	-- With tables and names that do not fit each other
	UNION ALL SELECT 'modseq_internal.store', jsonb_populate_record(NULL::modseq_internal.store, to_jsonb(s) || o)::text
	FROM modseq.stores s, (VALUES
		('{"vanished": "stranger.view"}'::jsonb), ('{"vanished": "victim.box"}'), ('{"mailbox": 0}'), ('{"mailbox": "pg_class"}'),
		('{"message": "stranger.plain"}'), ('{"message": 4294967295}'), ('{"mailbox_key": []}'), ('{"mailbox_key": ["id", "id"]}'),
		('{"mailbox_key": ["a","b","c","d","e","f","g","h","i"], "message_mailbox": ["a","b","c","d","e","f","g","h","i"]}'),
		('{"message_mailbox": ["seen"]}'), ('{"message_uid": "seen"}'), ('{"message_uid": "ctid"}'), ('{"message_expunged": "xmin"}'),
		('{"message_modseq": null}'), ('{"message_flags": [null]}'), ('{"flag_uid": "flag"}'), ('{"flag_message": ["tableoid"]}'),
		('{"mailbox_last_uid": "id"}'), ('{"mailbox_source": "stranger.view"}'), ('{"mailbox_source_key": ["x"]}'), ('{"message_key": ["{"]}'),
		('{"message_created_modseq": "box_id"}')) AS v (o)
	WHERE s.message = 'victim.mail'::regclass;

-- Calls a function with each of the values of its arguments in turn, and the others shifted: as many calls as the longest
-- list has values. What nobody has foreseen: an internal error, and one that is no error of anybody's.
CREATE FUNCTION try(function oid, OUT calls bigint, OUT unforeseen text[]) LANGUAGE plpgsql AS $$
DECLARE
	types text[];
	lists text[];
	call text;
	n int;
BEGIN
	SELECT array_agg(format_type(t, NULL) ORDER BY place) INTO types
		FROM pg_proc p, unnest(p.proargtypes) WITH ORDINALITY AS a (t, place) WHERE p.oid = function;
	calls := 0;
	unforeseen := '{}';
	SELECT coalesce(max(c), 1) INTO n FROM (SELECT count(*) AS c FROM values_of WHERE type = ANY (types) GROUP BY type) AS counts;
	FOR i IN 0 .. n * 2 - 1 LOOP
		SELECT string_agg(format('%L::%s', (
				SELECT value FROM values_of WHERE type = t ORDER BY number
				OFFSET (i + (i / n) * (place - 1) * 2) % greatest((SELECT count(*) FROM values_of WHERE type = t), 1) LIMIT 1), t), ', ' ORDER BY place)
			INTO call
			FROM unnest(types) WITH ORDINALITY AS a (t, place);
		call := format('SELECT count(r) FROM (SELECT %s(%s) AS r LIMIT 3) AS q', function::regproc, call);
		calls := calls + 1;
		BEGIN
			BEGIN
				SET LOCAL ROLE regress_modseq_stranger;
				EXECUTE call;
				RAISE SQLSTATE 'MS001';
			EXCEPTION WHEN SQLSTATE 'MS001' THEN NULL;
			END;
		EXCEPTION
			WHEN internal_error OR assert_failure THEN
				-- The language of our queries has no other readers than us
				CONTINUE WHEN SQLERRM LIKE '% in a query of modseq''s';
				unforeseen := unforeseen || concat_ws(' ', SQLSTATE, SQLERRM, left(call, 200));
			WHEN others THEN NULL;
		END;
	END LOOP;
END $$;
CREATE TABLE outcomes AS
	SELECT p.oid::regprocedure::text AS function, t.*
	FROM pg_proc p, try(p.oid) AS t
	WHERE pronamespace IN ('modseq'::regnamespace, 'modseq_internal'::regnamespace) AND prokind = 'f'
		AND proname NOT IN ('next_uidvalidity');
SELECT count(*) > 100 AS functions, sum(calls) > 2000 AS calls FROM outcomes;
SELECT function, u FROM outcomes, unnest(unforeseen) AS u ORDER BY 1, 2;
-- Arguments of types that are tried with nothing
SELECT DISTINCT format_type(t, NULL) FROM pg_proc p, unnest(proargtypes) AS t
	WHERE pronamespace IN ('modseq'::regnamespace, 'modseq_internal'::regnamespace)
		AND NOT EXISTS (SELECT FROM values_of WHERE type = format_type(t, NULL)) ORDER BY 1;

SELECT current_user = session_user AS is_me, current_setting('search_path');
SET ROLE regress_modseq_victim;
SELECT * FROM modseq.check('victim.mail');
SELECT id, uid, modseq FROM victim.mail ORDER BY id;
SELECT uids FROM victim.mail_vanished;
RESET ROLE;

DROP FUNCTION try;
DROP TABLE values_of, outcomes, temporary;
DROP SCHEMA victim, stranger CASCADE;
DROP ROLE regress_modseq_victim, regress_modseq_stranger;
