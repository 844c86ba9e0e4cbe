--
-- Counts: what says that a message is seen, or deleted; options that attach() refuses, keeps and forgets
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_counts_flags;
SET search_path = t_counts_flags;
\set SHOW_CONTEXT never
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached
CREATE TABLE box (id int PRIMARY KEY);
INSERT INTO box VALUES (1);

-- A store for each way to say it: how many are seen, by the count that is kept and by check(), as values come and go
CREATE FUNCTION play(type text, flag text, VARIADIC vals text[]) RETURNS TABLE (value text, seen bigint, wrong text) LANGUAGE plpgsql AS $$
DECLARE
	v text;
	generated boolean := type ~ 'GENERATED';
BEGIN
	EXECUTE format('CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, v text, s %s)', type);
	PERFORM modseq.attach('mail', 'box', mailbox_messages => 'm', mailbox_unseen => 'u', mailbox_deleted => 'd',
		message_seen => 's', message_seen_flag => flag, message_deleted => 's', message_deleted_flag => flag);
	INSERT INTO mail (id, box_id) VALUES (1, 1);
	FOREACH v IN ARRAY vals LOOP
		EXECUTE format('UPDATE mail SET %I = %L', CASE WHEN generated THEN 'v' ELSE 's' END, v);
		value := v;
		SELECT c.deleted, CASE WHEN c.messages <> 1 OR c.unseen <> 1 - c.deleted THEN c::text END INTO seen, wrong FROM modseq.counts('mail', 1) c;
		SELECT coalesce(wrong, string_agg(problem, ', ')) INTO wrong FROM modseq.check('mail');
		RETURN NEXT;
	END LOOP;
	PERFORM modseq.detach('mail', remove => true);
	DROP TABLE mail;
END
$$;
SELECT * FROM play('boolean', NULL, 't', 'f', NULL, 't');
SELECT * FROM play('boolean', 'true', 't', NULL);
SELECT * FROM play('boolean', 'false', 't', 'f', NULL);
SELECT * FROM play('boolean GENERATED ALWAYS AS (v IS NOT NULL) STORED', NULL, 'x', NULL, 'y');
SELECT * FROM play('smallint', NULL, '0', '3', '-1', NULL);
SELECT * FROM play('integer', '4', '3', '4', '7', '-1', '8', NULL);
SELECT * FROM play('bigint', '4611686018427387904', '4611686018427387904', '1', '4611686018427387905');
SELECT * FROM play('text[]', '\Seen', '{"\\Seen"}', '{}', '{a,NULL,"\\Seen"}', '{"\\seen"}', '{{a,b},{c,"\\Seen"}}', '{"\\Seen2",x}', NULL);
SELECT * FROM play('varchar(10)[]', 'ä{m}''', '{"ä{m}''"}', '{a}');
SELECT * FROM play('jsonb', '$seen', '["$seen"]', '[]', '["a", "$seen"]', '{"$seen": true}', '{"$seen": false}', '{"$seen": null}', '{"$seen": 1, "b": 2}', '"$seen"', '[["$seen"]]', '1', NULL);
-- A flag is what it is spelt, also where the column takes other spellings for the same
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT * FROM play('text[] COLLATE folded', '\Seen', '{"\\seen"}', '{"\\Seen"}', '{"\\SEEN"}');
-- What is kept compressed, or elsewhere, or begins with a NULL
SELECT left(value, 20) AS value, seen, wrong
FROM play('text[]', '\Seen', '{NULL,"\\Seen"}', format('{%s"\\Seen"}', repeat('x,', 3000)), format('{%s}', repeat('x,', 3000) || 'x'),
	format('{%s"\\Seen"}', (SELECT string_agg(md5(i::text) || ',', '') FROM generate_series(1, 300) i)), '{{NULL,NULL},{NULL,"\\Seen"}}');
SELECT left(value, 20) AS value, seen, wrong
FROM play('jsonb', '$seen', format('[%s"$seen"]', repeat('"x",', 3000)), format('{"a": %s, "$seen": true}', to_json(repeat('x', 9000))),
	format('{"$seen": {"a": %s}}', to_json(repeat('x', 9000))));
-- The column need not be among the flags that are found
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, opened boolean, octets int, mask int);
SELECT modseq.attach('mail', 'box', mailbox_unseen => 'unseen', message_seen => 'opened', message_flags => '{}');
SELECT message_flags, mailbox_unseen, message_seen, message_seen_flag FROM modseq.stores WHERE message = 'mail'::regclass;
INSERT INTO mail VALUES (1, 1, false);
UPDATE mail SET opened = true;
SELECT highestmodseq, c.* FROM modseq.status('mail', 1), modseq.counts('mail', 1) c;

-- Again: what is not named stays, and is counted; a column that is to be another is named
SET client_min_messages = notice;
SELECT modseq.attach('mail', mailbox_size => 'octets', message_size => 'octets', mailbox_deleted => 'deleted', message_deleted => 'mask', message_deleted_flag => '2');
RESET client_min_messages;
SET client_min_messages = warning;
UPDATE mail SET octets = 5, mask = 6;
SELECT * FROM modseq.counts('mail', 1);
SELECT modseq.attach('mail', message_seen => 'mask', message_seen_flag => '1', mailbox_unseen => 'new', message_deleted_flag => '8');
SELECT * FROM modseq.counts('mail', 1);
SELECT attname FROM pg_attribute WHERE attrelid = 'mail_mailbox'::regclass AND attnum > 5 AND NOT attisdropped ORDER BY attnum;
SELECT modseq.attach('mail', account => '{}');
SELECT * FROM modseq.counts('mail', 1);
INSERT INTO box VALUES (2);
SELECT id, created_modseq IS NOT NULL AS created FROM mail_mailbox ORDER BY 1;
SELECT modseq.attach('mail', reset => '{mailbox_unseen,mailbox_size,mailbox_deleted}', mailbox_messages => 'messages');
SELECT * FROM modseq.counts('mail', 1);
SELECT id, created_modseq IS NOT NULL AS created FROM mail_mailbox ORDER BY 1;
SELECT message_flags, mailbox_unseen, message_seen, message_size, message_deleted, message_deleted_flag FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT * FROM modseq.check('mail');
-- From beside the mailbox table into it, and back
SELECT modseq.attach('mail', counters => 'mailbox', mailbox_unseen => 'unseen', message_seen => 'opened');
SELECT id, messages, unseen FROM box ORDER BY 1;
INSERT INTO mail VALUES (2, 1, false);
SELECT modseq.attach('mail', counters => 'beside');
SELECT * FROM modseq.counts('mail', 1);
\d box
-- Columns that are written anew, or are gone
SELECT modseq.attach('mail', mailbox_size => 'size', message_size => 'octets');
ALTER TABLE mail ALTER octets TYPE bigint USING octets * 2, ALTER opened TYPE boolean USING NOT opened;
SELECT * FROM modseq.counts('mail', 1);
SELECT * FROM modseq.check('mail');
ALTER TABLE mail DROP opened;
BEGIN;
SELECT modseq.attach('mail', reset => '{message_seen}', message_flags => '{mask}');
ALTER TABLE mail DROP opened;
SELECT * FROM modseq.counts('mail', 1);
ROLLBACK;
ALTER TABLE mail DROP octets;
INSERT INTO mail VALUES (3, 1);
SELECT modseq.attach('mail');
SELECT modseq.attach('mail', reset => '{message_size}');
INSERT INTO mail VALUES (3, 1);
ALTER TABLE mail_mailbox DROP unseen;
SELECT modseq.check('mail');
INSERT INTO mail VALUES (4, 1);
SELECT modseq.attach('mail', reset => '{mailbox_unseen}');
SELECT * FROM modseq.counts('mail', 1);
SELECT modseq.attach('mail', reset => '{mailbox_messages}');
SELECT * FROM modseq.counts('mail', 1);
SELECT modseq.detach('mail', remove => true);

-- What is refused
DROP TABLE mail;
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean, name text, octets numeric, gone boolean, n int, f text[], v int);
CREATE TABLE flag (mail_id int NOT NULL REFERENCES mail, flag text);
\pset format unaligned
\pset tuples_only on
SELECT a, refusal(a) FROM unnest(ARRAY[
	$$'mail', 'box', mailbox_size => 'size'$$,
	$$'mail', 'box', mailbox_unseen => 'unseen'$$,
	$$'mail', 'box', 'flag', mailbox_unseen => 'unseen'$$,
	$$'mail', 'box', mailbox_deleted => 'deleted'$$,
	$$'mail', 'box', message_size => 'n'$$,
	$$'mail', 'box', message_seen => 'seen'$$,
	$$'mail', 'box', mailbox_deleted => 'd', message_deleted => 'n', message_seen_flag => 'x'$$,
	$$'mail', 'box', mailbox_size => 'size', message_size => 'octets'$$,
	$$'mail', 'box', mailbox_size => 'size', message_size => 'nobody'$$,
	$$'mail', 'box', mailbox_unseen => 'unseen', message_seen => 'name'$$,
	$$'mail', 'box', mailbox_unseen => 'unseen', message_seen => 'seen', message_seen_flag => '\Seen'$$,
	$$'mail', 'box', mailbox_unseen => 'unseen', message_seen => 'n', message_seen_flag => '0'$$,
	$$'mail', 'box', mailbox_unseen => 'unseen', message_seen => 'n', message_seen_flag => '9223372036854775808'$$,
	$$'mail', 'box', mailbox_unseen => 'unseen', message_seen => 'f'$$,
	$$'mail', 'box', mailbox_deleted => 'd', message_deleted => 'f', message_deleted_flag => ''$$,
	$$'mail', 'box', mailbox_deleted => 'd', message_deleted => 'gone', message_expunged => 'gone'$$,
	$$'mail', 'box', mailbox_messages => 'uidnext'$$,
	$$'mail', 'box', mailbox_messages => 'id'$$,
	$$'mail', 'box', mailbox_messages => 'n', mailbox_size => 'n', message_size => 'n'$$,
	$$'mail', 'box', counters => 'mailbox', mailbox_messages => 'id'$$]) AS a;
\pset tuples_only off
\pset format aligned
-- Anybody can write trigger arguments
CREATE TRIGGER forged BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign('mailbox=t_counts_flags.box', 'vanished=t_counts_flags.flag', 'mailbox_unseen=id', 'message_seen=name', 'mailbox_key={id}', 'message_mailbox={box_id}', 'mailbox_uidvalidity=id', 'mailbox_uidnext=id', 'mailbox_highestmodseq=id', 'message_uid=n', 'message_modseq=n');
INSERT INTO mail VALUES (1, 1);
DROP SCHEMA t_counts_flags CASCADE;
