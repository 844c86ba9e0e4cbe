--
-- Configurations that cannot be: the arguments of zz_modseq_assign are text that the owner of a table can write by hand.
-- Each is an error that says what is wrong, of that store alone, and check() and the view of stores bear with it.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_broken_options;
SET search_path = t_broken_options;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
\pset format unaligned
\pset tuples_only on

CREATE TABLE box (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE mail (id int PRIMARY KEY, box_a int, box_b text, seen boolean);
CREATE TABLE flag (mail_id int, flag text, box_a int, box_b text, uid bigint);
SELECT modseq.attach('mail', 'box', 'flag', message_mailbox => '{box_a,box_b}', message_key => '{id}', flag_message => '{mail_id}');
INSERT INTO box VALUES (1, 'x');
INSERT INTO mail VALUES (1, 1, 'x');
CREATE TABLE options AS
	SELECT split_part(o, '=', 1) AS option, substr(o, strpos(o, '=') + 1) AS value
	FROM pg_trigger t, unnest(modseq_internal.trigger_options(t.oid)) AS o
	WHERE tgrelid = 'mail'::regclass AND tgname = 'zz_modseq_assign';

-- What a message's INSERT says with these options in place of the attached ones; a name alone leaves one out
CREATE FUNCTION with_options(VARIADIC changed text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER zz_modseq_assign BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign(%s)',
		(SELECT string_agg(quote_literal(option || '=' || value), ', ')
			FROM (SELECT * FROM options WHERE option <> ALL (ARRAY(SELECT split_part(c, '=', 1) FROM unnest(changed) AS c))
				UNION ALL SELECT split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) FROM unnest(changed) AS c WHERE c LIKE '%=%') AS o));
	result := failure('INSERT INTO mail SELECT max(id) + 1, 1, ''x'' FROM mail');
	PERFORM count(*) FROM modseq.stores;
	RETURN concat_ws(E'\n    ', result, (SELECT string_agg('check: ' || problem, E'\n    ' ORDER BY problem COLLATE "C") FROM modseq.check('mail') WHERE problem ~ '^(option|table|column)'));
EXCEPTION WHEN others THEN
	RETURN concat_ws(E'\n    ', result, 'check: ' || SQLERRM);
END $$;

SELECT with_options('nothing');
-- One is missing
SELECT option, with_options(option) FROM options ORDER BY option COLLATE "C";
-- Arrays that are none, or have names in them that cannot be
SELECT a, with_options('mailbox_key=' || a, 'message_flags={seen}')
FROM unnest(ARRAY['', 'a,b', '{', '{a', '{a,', '{a,}', '{,a}', '{a}b', '{"a', '{"a\', '{a\', '{"a"b,c}', '{a,NULL}', '{a,"null"}', '{{a,b}}', '[0:1]={a,b}',
	'{a,b}', '{"a","b"}', '{"\a",\b}', '{}']) WITH ORDINALITY AS u (a, no)
ORDER BY no;
SELECT a, with_options('message_flags=' || a) FROM unnest(ARRAY['{', '{}', '{seen,}', '{seen,seen}', '{other}']) AS a;
-- Keys that are too wide, too narrow, or differ
SELECT o, with_options(VARIADIC o::text[])
FROM unnest(ARRAY['{"message_mailbox={box_a}"}', '{"message_mailbox={box_a,box_b,id}"}', '{"message_mailbox={}"}', '{"flag_mailbox={box_a}"}',
	'{"mailbox_key={a,a,a,a,a,a,a,a,a}","message_mailbox={id,id,id,id,id,id,id,id,id}"}',
	'{flag_message}', '{message_key}', '{flag_message,"flag_uid=uid"}', '{flag_message,message_key,"flag_uid=uid","flag_mailbox={box_a,box_b}"}',
	'{message_key=id}', '{"message_key={}","flag_message={}"}', '{"message_key={id,box_a}"}', '{"message_key={id,id}","flag_message={mail_id,mail_id}"}',
	'{"message_key={id,id,id,id,id,id,id,id,id}","flag_message={mail_id,mail_id,mail_id,mail_id,mail_id,mail_id,mail_id,mail_id,mail_id}"}',
	'{"mailbox_source=t_broken_options.flag"}',
	'{counters,"mailbox_source_key={a}"}', '{counters,"mailbox_source=t_broken_options.flag"}', '{counters,"mailbox_source=t_broken_options.flag","mailbox_source_key={box_a}"}']) WITH ORDINALITY AS u (o, no)
ORDER BY no;
-- Tables that are none
SELECT o, with_options(o)
FROM unnest(ARRAY['mailbox=box', 'mailbox=', 'mailbox=t_broken_options."box', 'mailbox=no_schema.box', 'mailbox=t_broken_options.nothing', 'mailbox=a.b.c',
	'vanished=t_broken_options.box', 'vanished=t_broken_options.options', 'flag=t_broken_options.options']) WITH ORDINALITY AS u (o, no)
ORDER BY no;
-- Another relation of that name
BEGIN;
ALTER TABLE mail_vanished RENAME TO was_vanished;
CREATE VIEW mail_vanished AS SELECT * FROM was_vanished;
SELECT with_options('nothing');
SELECT problem FROM modseq.check('mail');
ROLLBACK;
SELECT with_options('nothing');
SELECT * FROM modseq.check('mail');

-- How long what vanished is kept: seconds
SELECT o, with_options('vanished_keep=' || o)
FROM unnest(ARRAY['', '0', '1.5', '.5', '1.', '1e3', '-1', ' 1', '30 days', '99999999999', '100000000000', 'Infinity', 'nan']) AS o;
SELECT with_options('vanished_keep');

-- Counts of what no column says, or one of another type; and flags that it cannot have
ALTER TABLE mail_mailbox ADD n bigint;
ALTER TABLE mail ADD i int, ADD t text, ADD a text[], ADD j jsonb;
SELECT o, with_options(VARIADIC o::text[])
FROM unnest(ARRAY['{"mailbox_size=n"}', '{"mailbox_unseen=n"}', '{"mailbox_deleted=n"}', '{"mailbox_unseen=n","message_deleted=seen"}',
	'{"mailbox_messages=gone_at"}', '{"mailbox_messages=nothing"}', '{"mailbox_size=n","message_size=t"}', '{"mailbox_size=n","message_size=nothing"}',
	'{"mailbox_unseen=n","message_seen=t"}', '{"mailbox_deleted=n","message_deleted=t"}',
	'{"mailbox_unseen=n","message_seen=seen","message_seen_flag=yes"}',
	'{"mailbox_unseen=n","message_seen=a"}', '{"mailbox_unseen=n","message_seen=j"}',
	'{"mailbox_unseen=n","message_seen=i","message_seen_flag="}', '{"mailbox_unseen=n","message_seen=i","message_seen_flag=x"}',
	'{"mailbox_unseen=n","message_seen=i","message_seen_flag=4x"}', '{"mailbox_unseen=n","message_seen=i","message_seen_flag=0"}',
	'{"mailbox_unseen=n","message_seen=i","message_seen_flag=9223372036854775808"}',
	'{"mailbox_unseen=n","message_seen=i","message_seen_flag=4"}', '{"mailbox_deleted=n","message_deleted=a","message_deleted_flag=x"}']) WITH ORDINALITY AS u (o, no)
ORDER BY no;

-- Triggers of the vanished table that keep what has vanished from being remembered
CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER cancel BEFORE INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION cancel();
SELECT failure('DELETE FROM mail');
DROP FUNCTION cancel CASCADE;

-- A flag that cannot be compared any more
SELECT failure('ALTER TABLE mail ALTER seen TYPE json USING to_json(seen)');
SET session_replication_role = replica;
ALTER TABLE mail ALTER seen TYPE json USING to_json(seen);
RESET session_replication_role;
SELECT failure('UPDATE mail SET id = id');
SELECT failure('SELECT modseq.attach(''mail'')');
ALTER TABLE mail ALTER seen TYPE boolean USING seen::text::boolean;
SELECT failure('UPDATE mail SET id = id');

DROP SCHEMA t_broken_options CASCADE;
