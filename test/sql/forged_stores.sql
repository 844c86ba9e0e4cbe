--
-- A store is what the arguments of a trigger say, and anybody may create a trigger by hand on a table of theirs. That is
-- an error of that table alone: it disturbs no other store, nor what shows, attaches, checks or detaches them.
--
\set ON_ERROR_STOP 0
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE ROLE regress_modseq_victim;
CREATE ROLE regress_modseq_stranger;
CREATE SCHEMA victim AUTHORIZATION regress_modseq_victim;
CREATE SCHEMA stranger AUTHORIZATION regress_modseq_stranger;
SET ROLE regress_modseq_victim;
CREATE TABLE victim.box (id bigint PRIMARY KEY);
CREATE TABLE victim.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES victim.box);
CREATE TABLE victim.flag (mail_id bigint, flag text);
SELECT modseq.attach('victim.mail', 'victim.box', 'victim.flag', counters => 'mailbox', message_key => '{id}', flag_message => '{mail_id}');
INSERT INTO victim.box VALUES (1);
INSERT INTO victim.mail VALUES (1, 1), (2, 1);

SET ROLE regress_modseq_stranger;
CREATE TABLE stranger.x (id bigint, mail_id bigint);
RESET ROLE;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

-- The stranger's trigger, and then what others do
CREATE FUNCTION forge(function text, VARIADIC arguments text[]) RETURNS text LANGUAGE sql AS $$
	SELECT failure(format('SET LOCAL ROLE regress_modseq_stranger;
		CREATE TRIGGER t %s ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.%I(%s);
		SELECT count(*) FROM (SELECT * FROM modseq.stores OFFSET 0) AS s;
		SET LOCAL ROLE regress_modseq_victim;
		SELECT modseq.attach(''victim.mail'');
		DO ''DECLARE found text := string_agg(problem, '''', '''') FROM modseq.check(''''victim.mail'''');
			BEGIN IF found <> '''''''' THEN RAISE ''''%%'''', found; END IF; END'';
		SELECT modseq.detach(''victim.mail'', remove => true);
		RESET ROLE;
		DO ''BEGIN RAISE ''''undisturbed'''' USING ERRCODE = ''''MS001''''; END''',
		CASE function WHEN 'trigger_assign' THEN 'BEFORE INSERT' ELSE 'AFTER INSERT' END, function,
		(SELECT string_agg(quote_literal(a), ', ') FROM unnest(arguments) AS a)))
$$;
\t on
\pset format unaligned
-- What is not well-formed
SELECT a, forge('trigger_assign', a, 'mailbox_key=nonsense') FROM unnest(ARRAY['', '=', '=x', 'mailbox', 'mailbox=',
	'mailbox="a', 'mailbox=a.b.c.d', 'mailbox=a..b', 'mailbox=' || repeat('x', 100) || '.y', 'mailbox=pg_catalog.pg_class_oid_index',
	'vanished=.', 'flag=1', 'notify=perhaps', 'message_uid=' || repeat('y', 100)]) AS a;
SELECT a, forge('trigger_assign', 'mailbox=stranger.x', 'mailbox_key=' || a) FROM unnest(ARRAY['', '{', '{}', '{a', '{"a', '{"a"',
	'{"a\', '{a,', '{a,}', '{,}', '{a}b', '{NULL}', '{{a},{b}}', '[0:0]={a}', '[', '{' || repeat('z', 100) || '}', '{\', 'a', '{ü"}']) AS a;
-- What claims tables of the victim's
SELECT a, forge('trigger_assign', a, 'flag=victim.box', 'mailbox_source=victim.flag', 'mailbox_key={id}') FROM unnest(ARRAY['mailbox=victim.mail',
	'mailbox=victim.box', 'vanished=victim.mail_vanished', 'vanished=victim.mail', 'vanished=victim.box']) AS a;
SELECT a, forge('trigger_' || a, 'victim.mail') FROM unnest(ARRAY['mailbox', 'source', 'collect_flag']) AS a;
SELECT a, forge('trigger_mailbox', a) FROM unnest(ARRAY['', '"', 'mail', 'victim.box', 'a.b.c']) AS a;
\t off
\pset format aligned
SELECT message, mailbox, flag, vanished, mailbox_key FROM modseq.stores WHERE message = 'victim.mail'::regclass;

-- The stranger hears of it
SET ROLE regress_modseq_stranger;
SET search_path = stranger;
\i :failure
CREATE FUNCTION own(VARIADIC arguments text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON stranger.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign(%s)',
		(SELECT string_agg(quote_literal(a), ', ') FROM unnest(arguments) AS a));
	RETURN QUERY SELECT failure('INSERT INTO stranger.x VALUES (1)');
	RETURN QUERY SELECT problem FROM modseq.check('stranger.x') WHERE problem !~ '^(index|trigger)';
	EXECUTE 'DROP TRIGGER t ON stranger.x';
END $$;
\t on
\pset format unaligned
SELECT own('mailbox="a', 'mailbox_key=nonsense');
SELECT own('mailbox="a', 'vanished=b', 'mailbox_key={id}', 'message_mailbox={id}', 'message_flags={"');
SELECT own('mailbox="a', 'vanished=b', 'mailbox_key={id}', 'message_mailbox={id}', 'mailbox_uidvalidity=id', 'mailbox_uidnext=id',
	'mailbox_highestmodseq=id', 'message_uid=id', 'message_modseq=id');
SELECT own('mailbox=victim.box', 'vanished=victim.mail_vanished', 'mailbox_key={id}', 'message_mailbox={id}', 'mailbox_uidvalidity=id',
	'mailbox_uidnext=id', 'mailbox_highestmodseq=id', 'message_uid=id', 'message_modseq=id');
\t off
\pset format aligned

-- Tables of two owners are a store where each has its triggers
RESET ROLE;
RESET search_path;
ALTER TABLE victim.box OWNER TO regress_modseq_stranger;
SELECT message, mailbox, flag, vanished FROM modseq.stores WHERE message = 'victim.mail'::regclass;
SELECT * FROM modseq.check('victim.mail');
DROP TRIGGER "AA_modseq_mailbox" ON victim.box;
DROP TRIGGER "AA_modseq_truncate" ON victim.box;
SELECT message, mailbox, flag, vanished FROM modseq.stores WHERE message = 'victim.mail'::regclass;
DROP TRIGGER modseq_open ON victim.box;
DROP TRIGGER modseq_flush ON victim.box;
SELECT message, mailbox, flag, vanished FROM modseq.stores WHERE message = 'victim.mail'::regclass;
SELECT * FROM modseq.check('victim.mail');

DROP FUNCTION forge, failure;
DROP SCHEMA victim, stranger CASCADE;
DROP ROLE regress_modseq_victim, regress_modseq_stranger;
