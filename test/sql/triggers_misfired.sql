--
-- Anybody may create triggers by hand that call our functions, also on a store of theirs: at other times, for other
-- events and at another level than attach() does. Each is an error that says so, and the server stays up.
--
\set ON_ERROR_STOP 0
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE ROLE regress_modseq_stranger;
CREATE SCHEMA t_misfired AUTHORIZATION regress_modseq_stranger;
SET ROLE regress_modseq_stranger;
SET search_path = t_misfired;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

CREATE TABLE plain (id bigint, box_id bigint);
INSERT INTO plain VALUES (1, 1);
CREATE VIEW seen AS SELECT * FROM plain;
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL);
CREATE TABLE flag (mail_id bigint, flag text);
SELECT modseq.attach('mail', 'box', 'flag', message_key => '{id}', flag_message => '{mail_id}');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail VALUES (1, 1), (2, 1);
INSERT INTO flag VALUES (1, 'x');

-- Fires a trigger on a table, and takes all of it back
CREATE FUNCTION misfire(relation text, function text, timing text, event text, level text) RETURNS text
LANGUAGE sql AS $$
	SELECT failure(format('CREATE %s TRIGGER zzz %s %s ON %s %s FOR EACH %s EXECUTE FUNCTION modseq.%I(%s); %s; DO %L',
		CASE timing WHEN 'DEFERRED' THEN 'CONSTRAINT' END,
		CASE timing WHEN 'DEFERRED' THEN 'AFTER' ELSE timing END, event, relation,
		CASE timing WHEN 'DEFERRED' THEN 'DEFERRABLE INITIALLY DEFERRED' END, level, function,
		CASE WHEN function NOT IN ('trigger_open', 'trigger_flush') THEN quote_literal('t_misfired.mail') END,
		CASE event
			WHEN 'INSERT' THEN format('INSERT INTO %s VALUES (100, 2)', relation)
			WHEN 'UPDATE' THEN format('UPDATE %s SET id = id', relation)
			WHEN 'DELETE' THEN format('DELETE FROM %s', relation)
			ELSE format('TRUNCATE %s', relation) END,
		'BEGIN SET CONSTRAINTS ALL IMMEDIATE; RAISE ''fired'' USING ERRCODE = ''MS001''; END'))
$$;

CREATE TABLE outcomes AS
	SELECT relation, proname AS function, timing, event, level, misfire(relation, proname, timing, event, level) AS outcome
	FROM pg_proc, (VALUES ('plain', 'BEFORE'), ('plain', 'AFTER'), ('plain', 'DEFERRED'),
			('mail', 'BEFORE'), ('mail', 'AFTER'), ('mail', 'DEFERRED'), ('seen', 'INSTEAD OF')) AS t (relation, timing),
		unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS event, unnest('{ROW,STATEMENT}'::text[]) AS level
	WHERE pronamespace = 'modseq'::regnamespace AND prorettype = 'trigger'::regtype;

-- What is fired as it should be: of a table that is not the store's it is an error all the same
SELECT function, timing, level, string_agg(event, ', ' ORDER BY event) AS events, relation, left(outcome, 5) AS outcome
FROM outcomes
WHERE outcome !~ '^(42601|42809|0A000)' AND outcome !~ '^39P01'
GROUP BY function, timing, level, relation, left(outcome, 5)
ORDER BY function, timing, level, relation, left(outcome, 5);
-- All others, but for those that PostgreSQL does not let one create
SELECT function, relation, count(*) FROM outcomes WHERE outcome ~ '^39P01' GROUP BY function, relation ORDER BY 1, 2;
SELECT DISTINCT regexp_replace(outcome, 'table \S+', 'table') FROM outcomes WHERE outcome ~ '^39P01' ORDER BY 1;

-- Nothing has happened to the store
SELECT uid, modseq FROM mail ORDER BY uid;
SELECT uidnext, highestmodseq FROM mail_mailbox ORDER BY id;
SELECT * FROM modseq.check('mail');

RESET ROLE;
DROP SCHEMA t_misfired CASCADE;
DROP ROLE regress_modseq_stranger;
