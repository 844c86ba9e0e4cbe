--
-- digest(): two copies of a mailbox have the same values, and what a client can know makes them differ
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA digest;
SET search_path = digest;
\set SHOW_CONTEXT never
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

-- Which values of mailbox 1 differ after some commands, of which nothing remains; with triggers off, so that only what
-- the commands say is written
CREATE FUNCTION differs(store regclass, VARIADIC commands text[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	before record;
	after record;
	command text;
BEGIN
	SELECT * INTO before FROM modseq.digest(store, '1');
	BEGIN
		PERFORM set_config('session_replication_role', 'replica', true);
		FOREACH command IN ARRAY commands LOOP
			EXECUTE command;
		END LOOP;
		SELECT * INTO after FROM modseq.digest(store, '1');
		RAISE 'undo' USING ERRCODE = 'MS001';
	EXCEPTION WHEN SQLSTATE 'MS001' THEN
		RETURN coalesce(nullif(concat_ws(', ', CASE WHEN before.messages <> after.messages THEN 'messages' END,
			CASE WHEN before.vanished <> after.vanished THEN 'vanished' END), ''), 'nothing');
	END;
END $$;

-- Flags in columns of each kind, soft delete
CREATE TYPE color AS ENUM ('red', 'blue');
CREATE DOMAIN word AS text;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int REFERENCES box, seen boolean, keywords text[], labels jsonb,
	bits int, hue color, pinned timestamptz, words word[], grade char(4), deleted_at timestamptz, subject text);
SELECT modseq.attach('mail', 'box', message_expunged => 'deleted_at',
	message_flags => '{seen,keywords,labels,bits,hue,pinned,words,grade}') IS NOT NULL AS attached;
INSERT INTO box VALUES (1), (2), (3);
INSERT INTO mail (id, box_id, seen, keywords, labels, bits, hue, pinned, words, grade, subject)
VALUES (1, 1, true, '{a,b}', '["x", "y"]', 3, 'red', '2026-01-02 03:04:05+00', '{u,v}', 'ab', 'one'),
	(2, 1, false, '{}', '[]', 0, NULL, NULL, NULL, NULL, 'two'),
	(3, 1, true, NULL, '{"$seen": true}', NULL, 'blue', NULL, '{u}', 'z', 'three'),
	(4, 2, true, '{a}', NULL, NULL, NULL, NULL, NULL, NULL, 'four');
DELETE FROM mail WHERE id = 3;
INSERT INTO mail (id, box_id, seen) VALUES (5, 1, true), (6, 1, NULL);
UPDATE mail SET deleted_at = now() WHERE id = 6;

-- The same for ever, on all machines and versions. Nothing vanished: it is the hash of nothing, which its authors give.
SELECT * FROM modseq.digest('mail', 1);
SELECT * FROM modseq.digest('mail', 3);

-- Numbers, and who is there
SELECT differs('mail', 'UPDATE mail SET uid = 99 WHERE id = 2');
SELECT differs('mail', 'UPDATE mail SET modseq = modseq + 1 WHERE id = 2');
SELECT differs('mail', 'DROP INDEX mail_box_id_uid_idx', 'UPDATE mail SET uid = 3 - uid WHERE id IN (1, 2)');
SELECT differs('mail', 'DELETE FROM mail WHERE id = 1');
SELECT differs('mail', 'UPDATE mail SET deleted_at = now() WHERE id = 1');
SELECT differs('mail', 'UPDATE mail SET deleted_at = NULL WHERE id = 6');
SELECT differs('mail', 'ALTER TABLE mail ALTER uid DROP NOT NULL', 'UPDATE mail SET uid = NULL WHERE id = 1');
SELECT differs('mail', 'UPDATE mail SET box_id = 1, uid = 40 WHERE id = 4');
-- What arrived twice does not cancel
SELECT differs('mail', 'DROP INDEX mail_box_id_uid_idx', 'INSERT INTO mail (id, box_id, uid, modseq) SELECT n, 1, 50, 7 FROM generate_series(21, 22) AS n');

-- Flags
SELECT flag, differs('mail', format('UPDATE mail SET %s WHERE id = 1', flag))
FROM (VALUES ('seen = false'), ('seen = NULL'), ('keywords = ''{a}'''), ('keywords = ''{a,b,c}'''), ('keywords = ''{ab}'''),
	('labels = ''["x"]'''), ('labels = ''{"x": true, "y": true}'''), ('bits = 4'), ('hue = ''blue'''),
	('pinned = pinned + ''1us'''), ('words = ''{u}'''), ('grade = ''cd'''), ('keywords = ''{x,y}'', labels = ''["a", "b"]''')) AS v (flag);
-- What says the same, or is no flag
SELECT flag, differs('mail', format('UPDATE mail SET %s', flag))
FROM (VALUES ('seen = CASE WHEN seen THEN true END'), ('keywords = CASE id WHEN 1 THEN ''{b,a,b,NULL}''::text[] ELSE ''{NULL}'' END'),
	('labels = CASE id WHEN 1 THEN ''["y", "x", "x"]''::jsonb END'),
	('bits = nullif(bits, 0)'), ('words = CASE id WHEN 1 THEN ''{v,u}''::word[] ELSE ''{}'' END'),
	('grade = grade || '' '''), ('subject = ''other'''), ('id = id + 100')) AS v (flag);
-- Neither settings nor the table count: another order of rows and of columns, and more of these
SELECT differs('mail', 'SET LOCAL TimeZone = ''Asia/Tokyo''', 'SET LOCAL DateStyle = german', 'SET LOCAL enable_indexscan = off');
SELECT differs('mail', 'CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM mail', 'TRUNCATE mail',
	'INSERT INTO mail SELECT * FROM copy ORDER BY uid DESC');
CREATE TABLE mail2 (more int, grade char(4), words word[], bits bigint, hue color, pinned timestamptz, labels jsonb,
	deleted_at timestamptz, keywords varchar(10)[], uid bigint, modseq bigint, box_id int, seen boolean, id int PRIMARY KEY)
	PARTITION BY RANGE (id);
CREATE TABLE mail2_1 PARTITION OF mail2 FOR VALUES FROM (0) TO (2);
CREATE TABLE mail2_2 PARTITION OF mail2 DEFAULT;
CREATE TABLE box2 (id int PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
SELECT modseq.attach('mail2', 'box2', message_mailbox => '{box_id}', counters => 'mailbox', message_expunged => 'deleted_at',
	message_flags => '{grade,words,bits,hue,seen,pinned,labels,keywords}') IS NOT NULL AS attached;
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO box2 SELECT 1, uidvalidity, uidnext, highestmodseq FROM modseq.status('mail', 1);
INSERT INTO mail2 (id, box_id, uid, modseq, seen, keywords, labels, bits, hue, pinned, words, grade, deleted_at)
SELECT 100 - id, box_id, uid, modseq, seen, keywords, labels, bits, hue, pinned, words, grade, deleted_at FROM mail WHERE box_id = 1;
INSERT INTO mail2_vanished (id, modseq, uids) SELECT 1, max(modseq), modseq.uidset_agg(uids) FROM mail_vanished WHERE id = 1;
COMMIT;
SELECT modseq.digest('mail', 1) = modseq.digest('mail2', 1) AS same;

-- What vanished counts as a set
SELECT uids FROM mail_vanished WHERE id = 1 ORDER BY modseq;
SELECT differs('mail', 'DELETE FROM mail_vanished WHERE uids OPERATOR(modseq.=) ''3''');
SELECT differs('mail', 'UPDATE mail_vanished SET uids = ''4'' WHERE uids OPERATOR(modseq.=) ''3''');
SELECT differs('mail', 'UPDATE mail_vanished SET uids = uids OPERATOR(modseq.+) ''3''');
UPDATE mail_vanished SET vanished_at = '2000-01-01';
CREATE TEMP TABLE before AS SELECT d.* FROM modseq.digest('mail', 1) d;
SELECT * FROM modseq.compact('mail', '0');
SELECT count(*) FROM mail_vanished WHERE id = 1;
SELECT d = b AS same FROM modseq.digest('mail', 1) d, before b;

-- One snapshot, in one function call and in one transaction
BEGIN ISOLATION LEVEL REPEATABLE READ;
CREATE TEMP TABLE snapshot ON COMMIT DROP AS SELECT d.* FROM modseq.digest('mail', 1) d;
SELECT d = s AS same FROM modseq.digest('mail', 1) d, snapshot s;
COMMIT;

-- A flag table, by the message's key; beside flag columns; what else it has is a flag, too
CREATE TABLE note_box (id int PRIMARY KEY);
INSERT INTO note_box VALUES (1), (2);
CREATE TABLE note (id int PRIMARY KEY, box_id int REFERENCES note_box, seen boolean);
CREATE TABLE note_flag (id serial, note_id int REFERENCES note ON DELETE CASCADE, flag text, value int);
CREATE INDEX ON note_flag (note_id);
SELECT modseq.attach('note', 'note_box', 'note_flag', flag_columns => '{flag,value}', message_flags => '{seen}') IS NOT NULL AS attached;
INSERT INTO note SELECT n, 1 + n / 3 FROM generate_series(1, 3) AS n;
INSERT INTO note_flag (note_id, flag) VALUES (1, 'a'), (1, 'b'), (2, 'a'), (3, 'a');
SELECT * FROM modseq.digest('note', 1);
SELECT command, differs('note', command)
FROM (VALUES ('UPDATE note_flag SET flag = ''c'' WHERE note_id = 1 AND flag = ''a'''), ('UPDATE note SET seen = true'),
	('DELETE FROM note_flag WHERE note_id = 1 AND flag = ''a'''), ('UPDATE note_flag SET note_id = 2 WHERE flag = ''b'''),
	('UPDATE note_flag SET value = 1 WHERE flag = ''b'''), ('INSERT INTO note_flag (note_id, flag) VALUES (2, ''a'')'),
	('INSERT INTO note_flag (note_id, flag) VALUES (2, NULL)'),
	('UPDATE note_flag SET id = -id'), ('UPDATE note_flag SET value = 0'), ('UPDATE note_flag SET flag = ''z'' WHERE note_id = 3')) AS v (command);

-- By UID
CREATE TABLE letter_box (id int PRIMARY KEY);
INSERT INTO letter_box VALUES (1), (2);
CREATE TABLE letter (id int PRIMARY KEY, box_id int REFERENCES letter_box);
CREATE TABLE letter_flag (box_id int, uid bigint, flag text);
SELECT modseq.attach('letter', 'letter_box', 'letter_flag', flag_mailbox => '{box_id}', flag_uid => 'uid') IS NOT NULL AS attached;
INSERT INTO letter SELECT n, 1 + n / 3 FROM generate_series(1, 3) AS n;
INSERT INTO letter_flag VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'a');
SELECT command, differs('letter', command)
FROM (VALUES ('UPDATE letter_flag SET flag = ''c'' WHERE flag = ''b'''), ('UPDATE letter_flag SET uid = 1'),
	('DELETE FROM letter_flag WHERE box_id = 1'), ('DELETE FROM letter_flag WHERE box_id = 2'),
	('INSERT INTO letter_flag VALUES (1, 77, ''a'')')) AS v (command);

-- Keys of several columns, and of other types
CREATE TABLE folder (owner text, name text, PRIMARY KEY (owner, name));
CREATE TABLE item (id int PRIMARY KEY, owner text, name text, seen boolean, FOREIGN KEY (owner, name) REFERENCES folder);
SELECT modseq.attach('item', 'folder') IS NOT NULL AS attached;
INSERT INTO folder VALUES ('a', '1'), ('a', '2');
INSERT INTO item VALUES (1, 'a', '1', true), (2, 'a', '2', true), (3, 'a', '2', false);
SELECT modseq.digest('item', '{a,1}'), modseq.digest('item', ARRAY['a', '2']);

-- Rights: the caller's; what policies hide is not in it
CREATE ROLE digest_reader;
GRANT SELECT ON before TO digest_reader;
GRANT USAGE ON SCHEMA digest TO digest_reader;
GRANT SELECT ON box TO digest_reader;
SET ROLE digest_reader;
SELECT failure($$SELECT modseq.digest('mail', 1)$$);
RESET ROLE;
GRANT SELECT (uid, modseq, box_id, deleted_at) ON mail TO digest_reader;
SET ROLE digest_reader;
SELECT failure($$SELECT modseq.digest('mail', 1)$$);
RESET ROLE;
GRANT SELECT ON mail TO digest_reader;
SET ROLE digest_reader;
SELECT d = b AS same FROM modseq.digest('mail', 1) d, before b;
RESET ROLE;
CREATE POLICY shown ON mail USING (id <> 1);
ALTER TABLE mail ENABLE ROW LEVEL SECURITY;
SET ROLE digest_reader;
SELECT d.messages = b.messages AS messages, d.vanished = b.vanished AS vanished FROM modseq.digest('mail', 1) d, before b;
RESET ROLE;
SELECT d = b AS same FROM modseq.digest('mail', 1) d, before b;

SELECT failure($$SELECT modseq.digest('mail', 9)$$);
SELECT failure($$SELECT modseq.digest('mail', NULL::int)$$);
SELECT failure($$SELECT modseq.digest('box', 1)$$);

-- A column that comes or goes
ALTER TABLE mail ADD COLUMN answered boolean;
SELECT modseq.attach('mail', message_flags => '{seen,keywords,labels,bits,hue,pinned,words,grade,answered}') IS NOT NULL AS attached;
SELECT d = b AS same FROM modseq.digest('mail', 1) d, before b;
SELECT differs('mail', 'UPDATE mail SET answered = true WHERE id = 1');

-- Anybody may call the aggregate, also with rows of several types, whose columns are not what the first one's are
SELECT modseq_internal.digest_agg(1, 1, '{a}', r) FROM (VALUES (ROW('\x0102'::bytea)), (ROW(7::bigint))) AS v (r);
SELECT modseq_internal.digest_agg(1, 1, '{a,b}', r) FROM (VALUES (ROW(1))) AS v (r);
SELECT modseq_internal.digest_agg(1, 1, '{NULL}', ROW(1));
SELECT modseq_internal.digest_agg(1, 1, NULL, NULL);

DROP OWNED BY digest_reader;
DROP ROLE digest_reader;
DROP SCHEMA digest CASCADE;
