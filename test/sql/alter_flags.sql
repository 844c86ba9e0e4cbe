--
-- DDL that changes what flags say: clients are told, or it is refused, or whoever runs it is warned. DDL that does not
-- change them tells nobody anything.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_types;
CREATE SCHEMA t_alter_flags;
SET search_path = t_alter_flags;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set failure :test /include/failure.sql
\i :failure

CREATE TYPE kind AS ENUM ('$Work', '$Home');
CREATE DOMAIN kinds AS kind[];
CREATE TABLE box (id bigint PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7, name text);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box, seen smallint DEFAULT 0, flags text[] DEFAULT '{}',
	kinds kinds DEFAULT '{$Work}', label varchar(10), deleted_at timestamp, size int, born bigint,
	big boolean GENERATED ALWAYS AS (size > 1000) STORED);
SELECT modseq.attach('mail', 'box', message_flags => '{seen,flags,kinds,label,big}', message_expunged => 'deleted_at', message_created_modseq => 'born') \g /dev/null
INSERT INTO box (id) VALUES (1), (2);
INSERT INTO mail (id, box_id) VALUES (1, 1), (2, 1), (3, 2), (4, 1);
UPDATE mail SET deleted_at = '2001-02-03' WHERE id = 4;
SELECT * FROM told('mail');

-- Who is told what by some DDL, which is taken back: mod-sequences of mailbox 1 and of its messages
CREATE FUNCTION after_ddl(ddl text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		EXECUTE ddl;
		SELECT string_agg(concat_ws(' ', changed, vanished, problem), ', ' ORDER BY mailbox) INTO result FROM told('mail');
		RAISE 'undo' USING ERRCODE = 'MS002';
	EXCEPTION WHEN SQLSTATE 'MS002' THEN
		RETURN result;
	END;
EXCEPTION WHEN others THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
\set VERBOSITY terse

-- Values are converted, and so may be others: all live messages have changed
SELECT after_ddl('ALTER TABLE mail ALTER seen DROP DEFAULT, ALTER seen TYPE boolean USING true');
SELECT after_ddl('ALTER TABLE mail ALTER seen TYPE int');
SELECT after_ddl('ALTER TABLE mail ALTER seen TYPE smallint USING 1 - seen');
SELECT after_ddl('ALTER TABLE mail ALTER flags DROP DEFAULT, ALTER flags TYPE text USING flags::text, ALTER label TYPE varchar(2)');
SELECT after_ddl('ALTER TABLE mail ALTER kinds DROP DEFAULT, ALTER kinds TYPE text[] USING ARRAY[''$Home'']');
SELECT after_ddl('ALTER TABLE mail DROP big, ADD big boolean');
-- No row is written anew, or no flag: nobody is told
SELECT after_ddl('ALTER TABLE mail ALTER label TYPE varchar(20), ALTER seen SET DEFAULT 1, ALTER label SET NOT NULL') ~ '23502';
SELECT after_ddl('ALTER TABLE mail ALTER label TYPE varchar(20), ALTER seen SET DEFAULT 1, ALTER label SET STORAGE external');
SELECT after_ddl('ALTER TABLE mail ALTER label TYPE text, ALTER label TYPE text USING label') ~ 'twice';
SELECT after_ddl('ALTER TABLE mail ALTER label TYPE text COLLATE "C"');
SELECT after_ddl('ALTER TABLE mail ADD stamp timestamptz DEFAULT clock_timestamp(), ADD more text DEFAULT ''x''');
-- What takes a flag column along: the next statement says so
SELECT after_ddl('ALTER TABLE mail DROP size CASCADE; UPDATE mail SET seen = 2');
SELECT after_ddl('ALTER TABLE box ALTER name TYPE int USING 1');
SELECT after_ddl('ALTER TABLE mail SET (fillfactor = 50); CLUSTER mail USING mail_pkey; ALTER TABLE mail REPLICA IDENTITY FULL');
-- Other columns of the store, by themselves or in a cast; keys and numbers are not computed
SELECT after_ddl('ALTER TABLE mail ALTER uid TYPE int, ALTER id TYPE int');
SELECT after_ddl('ALTER TABLE mail ALTER uid TYPE int USING uid::int, ALTER id TYPE int USING "id"::int');
SELECT after_ddl('ALTER TABLE mail ALTER uid TYPE int USING CAST(mail.uid AS int)');
SELECT after_ddl('ALTER TABLE mail ALTER box_id TYPE bigint USING (box_id COLLATE "C")');
SELECT failure(ddl)
FROM unnest(ARRAY['mail ALTER uid TYPE bigint USING uid + 100', 'mail ALTER modseq TYPE bigint USING 1', 'mail ALTER box_id TYPE bigint USING 2',
	'mail ALTER box_id TYPE bigint USING id::bigint', 'box ALTER id TYPE bigint USING id * 2', 'box ALTER uidvalidity TYPE bigint USING 8',
	'mail ALTER uid TYPE bigint USING mail.*', 'mail ALTER born TYPE bigint USING 1',
	'IF EXISTS box ALTER name TYPE text, ALTER uidnext SET DATA TYPE bigint USING (uidnext - 1)::bigint', 'ONLY box ALTER highestmodseq TYPE bigint USING 1']) WITH ORDINALITY AS u (part, no),
	format('ALTER TABLE %s', part) AS ddl
ORDER BY no;

-- The soft-delete column: whoever writes it anew is told to say so
BEGIN;
ALTER TABLE mail ALTER deleted_at TYPE timestamptz USING NULL;
SELECT * FROM modseq.check('mail');
SELECT modseq.attach('mail') \g /dev/null
SELECT * FROM told('mail');
ROLLBACK;
BEGIN;
ALTER TABLE mail ALTER deleted_at TYPE date USING coalesce(deleted_at, '2001-02-03');
SELECT modseq.attach('mail') \g /dev/null
SELECT * FROM told('mail');
ROLLBACK;

-- ... but not if it is left as it is, or dropped
BEGIN;
ALTER TABLE mail ALTER deleted_at TYPE timestamp, ALTER deleted_at SET DEFAULT NULL;
ALTER TABLE mail DROP deleted_at, ADD deleted timestamptz DEFAULT clock_timestamp();
ROLLBACK;

-- A flag column goes: only when it is tracked no more. Then messages that had it have changed, and so have those that
-- have what is tracked now; an empty value is none
UPDATE mail SET seen = 1, label = CASE id WHEN 1 THEN 'x' WHEN 2 THEN '' END WHERE id < 3;
SELECT failure('ALTER TABLE mail DROP label');
BEGIN;
SELECT modseq.attach('mail', message_flags => '{seen,flags,kinds,big}');
ALTER TABLE mail DROP label;
SELECT * FROM told('mail', 3);
ALTER TABLE mail ADD junk boolean DEFAULT true, ADD "{odd}" jsonb DEFAULT '{}';
UPDATE mail SET junk = id = 3;
SELECT modseq.attach('mail', message_flags => '{seen,flags,kinds,big,junk,"\{odd\}"}');
SELECT * FROM told('mail', 4);
SELECT modseq.attach('mail') \g /dev/null
SELECT * FROM told('mail', 4);
ROLLBACK;

-- A value of an enum gets another name: also in arrays and domains, and in a flag table
CREATE TABLE post (id int PRIMARY KEY, box_id int, seen boolean);
CREATE TABLE post_box (id int PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
CREATE TABLE post_kind (post_id int REFERENCES post, kind kind, note text);
CREATE TABLE unrelated (kind kind);
SELECT modseq.attach('post', 'post_box', 'post_kind', message_mailbox => '{box_id}') \g /dev/null
INSERT INTO post_box VALUES (1);
INSERT INTO post VALUES (1, 1), (2, 1);
INSERT INTO post_kind VALUES (2, '$Home');
BEGIN;
ALTER TYPE kind RENAME VALUE '$Work' TO '$Job';
SELECT * FROM told('mail', 4);
SELECT * FROM told('post');
ROLLBACK;
ALTER TYPE kind ADD VALUE '$Sport';
ALTER TYPE kind RENAME TO sort;
ALTER TYPE sort RENAME TO kind;
SELECT * FROM told('post');
-- A mailbox key is no flag
CREATE TYPE place AS ENUM ('home', 'work');
CREATE TABLE place_box (name place PRIMARY KEY);
CREATE TABLE place_mail (id int PRIMARY KEY, place place, seen boolean);
SELECT modseq.attach('place_mail', 'place_box', message_mailbox => '{place}') \g /dev/null
INSERT INTO place_box VALUES ('home');
INSERT INTO place_mail VALUES (1, 'home');
ALTER TYPE place RENAME VALUE 'home' TO 'house';
SELECT * FROM told('place_mail');
-- By who owns the type and not the tables, whose owner may have made them as he likes
CREATE ROLE regress_modseq_types;
GRANT ALL ON SCHEMA t_alter_flags TO regress_modseq_types;
-- Their store may be none: that is no error of his
CREATE TABLE forged (kind kind);
CREATE TRIGGER zz_modseq_assign BEFORE INSERT OR UPDATE ON forged FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign('mailbox_key={');
ALTER TYPE kind OWNER TO regress_modseq_types;
BEGIN;
SET LOCAL ROLE regress_modseq_types;
ALTER TYPE kind RENAME VALUE '$Work' TO '$Job';
RESET ROLE;
ALTER TYPE kind RENAME VALUE '$Job' TO '$Work';
SELECT * FROM told('post');
ROLLBACK;
DROP TABLE forged;
ALTER TYPE kind OWNER TO CURRENT_USER;

-- A flag table, all of whose columns count
BEGIN;
ALTER TABLE post_kind ALTER kind TYPE text;
SELECT * FROM told('post');
ALTER TABLE post_kind DROP note;
SELECT * FROM told('post');
ALTER TABLE post_kind ADD color text;
SELECT * FROM told('post');
ALTER TABLE post_kind ADD hue text DEFAULT 'red';
SELECT * FROM told('post');
-- ... by a sequence, as an identity, or by a domain
ALTER TABLE post_kind ADD number serial;
SELECT * FROM told('post');
ALTER TABLE post_kind ADD place int GENERATED ALWAYS AS IDENTITY;
SELECT * FROM told('post');
CREATE DOMAIN shade AS text DEFAULT 'dark';
ALTER TABLE post_kind ADD shade shade;
SELECT * FROM told('post');
ALTER TABLE post_kind DROP number, DROP place, DROP shade;
SELECT * FROM told('post');
ALTER TABLE post_kind ALTER hue TYPE varchar(10), ALTER color TYPE varchar;
SELECT * FROM told('post');
ALTER TABLE post_kind ALTER post_id TYPE bigint;
SELECT * FROM told('post');
SELECT failure('ALTER TABLE post_kind ALTER post_id TYPE bigint USING 1');
SELECT failure('ALTER TABLE post ALTER id TYPE bigint USING id + 1');
-- Only some count
SELECT modseq.attach('post', flag_columns => '{kind}');
SELECT * FROM told('post');
ALTER TABLE post_kind DROP hue, ADD shade text DEFAULT 'dark', ALTER color TYPE int USING 1;
SELECT * FROM told('post');
SELECT failure('ALTER TABLE post_kind DROP kind');
-- It is used no more, and then again
SELECT modseq.attach('post', reset => '{flag}');
SELECT * FROM told('post');
SELECT modseq.attach('post', flag => 'post_kind');
SELECT * FROM told('post');
ROLLBACK;

-- Flags that name messages by their UIDs
CREATE TABLE note_box (id int PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
CREATE TABLE note (id int PRIMARY KEY, box_id int);
CREATE TABLE note_flag (box_id int, uid bigint, flag text);
SELECT modseq.attach('note', 'note_box', 'note_flag', message_mailbox => '{box_id}', flag_mailbox => '{box_id}', flag_uid => 'uid') \g /dev/null
SELECT failure('ALTER TABLE note_flag ALTER uid TYPE bigint USING uid + 1'), failure('ALTER TABLE note_flag ALTER box_id TYPE int USING 1');
ALTER TABLE note_flag ALTER uid TYPE int, ALTER box_id TYPE int USING box_id;

-- Partitions: the whole table, and a soft-deleted message is not told of
CREATE TABLE parted (id int, box_id int NOT NULL, seen int, deleted boolean, PRIMARY KEY (id, box_id)) PARTITION BY LIST (box_id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
CREATE TABLE parted_box (id int PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
SELECT modseq.attach('parted', 'parted_box', message_mailbox => '{box_id}', message_flags => '{seen}', message_expunged => 'deleted') \g /dev/null
INSERT INTO parted_box VALUES (1), (2);
INSERT INTO parted VALUES (1, 1, 0, false), (2, 2, 0, false), (3, 2, 0, true);
ALTER TABLE parted ALTER seen TYPE boolean USING true;
SELECT * FROM told('parted');

-- Not in replica mode; in a transaction that knows the mailboxes, with other changes before and after
SET session_replication_role = replica;
ALTER TABLE parted ALTER seen TYPE int USING 0;
RESET session_replication_role;
SELECT * FROM told('parted');
BEGIN;
UPDATE parted SET seen = 1 WHERE id = 1;
ALTER TABLE parted ALTER seen TYPE boolean USING seen = 0;
UPDATE parted SET seen = NOT seen WHERE id = 2;
SELECT * FROM told('parted');
ROLLBACK;
SELECT * FROM told('parted');

-- A stranger is told what PostgreSQL tells him, and a table that is no store's is altered
SET ROLE regress_modseq_types;
SELECT failure('ALTER TABLE mail ALTER uid TYPE bigint USING 1'), failure('ALTER TABLE mail DROP seen');
RESET ROLE;
ALTER TABLE unrelated ADD uid int;
ALTER TABLE unrelated ALTER uid TYPE bigint USING 1, DROP kind;

SET client_min_messages = warning;
DROP SCHEMA t_alter_flags CASCADE;
DROP ROLE regress_modseq_types;
