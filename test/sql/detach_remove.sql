--
-- An application goes on without modseq: after detach(), after detach() with remove, after DROP EXTENSION
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_removal, regress_modseq_victim;
CREATE SCHEMA removal;
RESET client_min_messages;
SET search_path = removal;
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
-- What there is in the schema: columns with what they may be, indexes, triggers, comments
CREATE VIEW things AS
	SELECT c.relname::text || '.' || a.attname || ' ' || format_type(atttypid, atttypmod)
		|| CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END || coalesce(' ' || pg_get_expr(adbin, adrelid), '')
		|| coalesce(' -- ' || col_description(attrelid, attnum), '') AS thing
	FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
	WHERE relnamespace = 'removal'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
	UNION ALL
	SELECT pg_get_indexdef(indexrelid) || coalesce(' -- ' || obj_description(indexrelid, 'pg_class'), '')
	FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'removal'::regnamespace
	UNION ALL
	SELECT pg_get_triggerdef(t.oid)
	FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'removal'::regnamespace AND NOT tgisinternal;
-- What an application does that knows nothing of modseq
CREATE FUNCTION application(i int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO box (id) VALUES (i);
	INSERT INTO mail (id, box_id) VALUES (i, i), (-i, i);
	UPDATE mail SET seen = true WHERE id = i;
	DELETE FROM mail WHERE id = -i;
	RETURN 'works';
END $$;

-- All added, with a partition that came later
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int, box_id int NOT NULL REFERENCES box, seen boolean) PARTITION BY LIST (box_id);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TEMP TABLE before AS SELECT * FROM things;
SELECT modseq.attach('mail', 'box', message_created_modseq => 'arrived');
CREATE TABLE mail_2 PARTITION OF mail DEFAULT;
SELECT application(1);
SELECT thing FROM things WHERE thing ~ ' -- ' ORDER BY 1;
-- Detached: it can write, and messages without a UID get one when it is attached again
SELECT modseq.detach('mail');
SELECT application(2);
SELECT id, uid FROM mail ORDER BY id;
SELECT modseq.attach('mail', 'box') \g /dev/null
SELECT id, uid FROM mail ORDER BY id;
SELECT attrelid::regclass, attname, attnotnull FROM pg_attribute WHERE attname IN ('uid', 'uidvalidity') AND attrelid IN ('mail'::regclass, 'box'::regclass) ORDER BY attname;
SELECT * FROM modseq.check('mail');
-- Renamed columns are still known
ALTER TABLE mail RENAME uid TO number;
ALTER TABLE box RENAME TO folder;
SELECT modseq.attach('mail', message_uid => 'number') \g /dev/null
ALTER TABLE folder RENAME TO box;
SELECT modseq.attach('mail', 'box') \g /dev/null
SELECT modseq.detach('mail', remove => true);
SELECT application(3);
DROP TABLE mail_2;
TABLE before EXCEPT SELECT * FROM things;
SELECT * FROM things EXCEPT TABLE before;
DROP TABLE mail, box, before;

-- What is the application's stays: its columns, its indexes, its comments, its defaults
CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint, highestmodseq bigint, last_uid bigint NOT NULL DEFAULT 0);
COMMENT ON COLUMN box.uidvalidity IS 'As in RFC 9051.';
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, uid int, seen boolean, UNIQUE (box_id, uid));
CREATE TABLE mail_flag (mail_id int REFERENCES mail, flag text, PRIMARY KEY (mail_id, flag));
CREATE TEMP TABLE before AS SELECT * FROM things;
SELECT modseq.attach('mail', 'box', 'mail_flag');
SELECT application(1);
SELECT thing FROM things WHERE thing ~ ' -- ' ORDER BY 1;
SELECT modseq.detach('mail', remove => true);
SELECT application(2);
TABLE before EXCEPT SELECT * FROM things;
SELECT * FROM things EXCEPT TABLE before;
DROP TABLE mail_flag, mail, box, before;

-- A default that has been changed since, a comment that has been changed since; what attach() has made anew of another
-- default is told, and what needs a value then
CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint NOT NULL);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, uid bigserial, seen boolean);
SELECT modseq.attach('mail', 'box');
ALTER TABLE box ALTER uidvalidity SET DEFAULT 7;
COMMENT ON COLUMN mail.modseq IS 'Ours now';
SELECT modseq.detach('mail', remove => true);
SELECT thing FROM things WHERE thing ~ 'uidvalidity|\.modseq|uid' ORDER BY 1;
SELECT failure('SELECT application(1)');
ALTER TABLE mail ALTER uid SET DEFAULT nextval('mail_uid_seq');
SELECT application(1);
DROP TABLE mail, box;

-- A view in the way, of the columns or of the vanished table: nothing is done, and nothing is said to be done
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
SELECT modseq.attach('mail', 'box') \g /dev/null
CREATE VIEW numbers AS SELECT * FROM mail;
SELECT failure($$SELECT modseq.detach('mail', remove => true)$$);
\set SHOW_CONTEXT never
SELECT modseq.detach('mail', remove => true);
SELECT * FROM modseq.check('mail');
DROP VIEW numbers;
CREATE VIEW numbers AS SELECT uids FROM mail_vanished;
SELECT modseq.detach('mail', remove => true);
DROP VIEW numbers;
-- The message table is gone
DROP TABLE mail;
SELECT modseq.detach('box', remove => true);
SELECT thing FROM things WHERE thing ~ '^box' ORDER BY 1;
DROP TABLE box, mail_vanished, mail_mailbox;

-- A store that names a stranger's tables takes nothing of theirs, by a superuser's hand neither
CREATE ROLE regress_modseq_removal;
CREATE ROLE regress_modseq_victim;
GRANT ALL ON SCHEMA removal TO regress_modseq_removal, regress_modseq_victim;
SET ROLE regress_modseq_victim;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
SELECT modseq.attach('mail', 'box') \g /dev/null
SELECT modseq.detach('mail') \g /dev/null
SET ROLE regress_modseq_removal;
CREATE TABLE mine (id int);
SELECT set_config('removal.options', 'mailbox=removal.box vanished=removal.mail_vanished counters=removal.mail_mailbox mailbox_key={id} message_uid=id', false) \g /dev/null
DO $$ BEGIN
	EXECUTE format('CREATE TRIGGER zz_modseq_assign BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign(%s)',
		(SELECT string_agg(quote_literal(o), ', ') FROM unnest(string_to_array(current_setting('removal.options'), ' ')) AS o));
END $$;
RESET ROLE;
CREATE TEMP TABLE before AS SELECT * FROM things WHERE thing ~ 'box|mail';
SELECT modseq.detach('mine', remove => true);
TABLE before EXCEPT SELECT * FROM things;
SELECT to_regclass('mail_vanished'), to_regclass('mail_mailbox');
DROP TABLE mail, box, mine, mail_vanished, mail_mailbox;

-- The extension goes
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
SELECT modseq.attach('mail', 'box') \g /dev/null
SELECT modseq.detach('mail', remove => true) \g /dev/null
CREATE TABLE box2 (id int PRIMARY KEY);
CREATE TABLE mail2 (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box2, seen boolean);
SELECT modseq.attach('mail2', 'box2') \g /dev/null
INSERT INTO box2 VALUES (1);
SELECT modseq.detach('mail2') \g /dev/null
BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE mail2_vanished;
DROP EXTENSION modseq CASCADE;
RESET client_min_messages;
SELECT application(1);
INSERT INTO box2 VALUES (2);
INSERT INTO mail2 VALUES (1, 1), (2, 2);
-- and comes again
SET LOCAL client_min_messages = warning;
CREATE EXTENSION modseq;
RESET client_min_messages;
SELECT modseq.attach('mail2', 'box2');
SELECT * FROM modseq.check('mail2');
SELECT id, uid FROM mail2 ORDER BY id;
ROLLBACK;

-- The extension goes while there are stores: the application can write as before
CREATE TABLE parted (id int, box_id int NOT NULL, seen boolean) PARTITION BY LIST (box_id);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
CREATE TABLE parted_box (id int PRIMARY KEY);
SELECT modseq.attach('mail', 'box') \g /dev/null
SELECT modseq.attach('parted', 'parted_box', message_mailbox => '{box_id}') \g /dev/null
\set VERBOSITY terse
SELECT failure('DROP EXTENSION modseq') ~ 'other objects depend on it';
SET ROLE regress_modseq_victim;
SELECT failure('DROP EXTENSION modseq CASCADE');
RESET ROLE;
SELECT count(*) FROM modseq.stores WHERE message::text IN ('mail', 'parted');
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION IF EXISTS modseq CASCADE;
SELECT application(70);
INSERT INTO parted_box VALUES (1);
INSERT INTO parted VALUES (1, 1);
SELECT thing FROM things WHERE thing ~ 'NOT NULL' ORDER BY 1;
ROLLBACK;
-- One that is broken does not hinder it
BEGIN;
ALTER TABLE mail RENAME uid TO other_uid;
DROP TABLE parted_box;
SET LOCAL client_min_messages = warning;
DROP EXTENSION modseq CASCADE;
INSERT INTO parted VALUES (1, 1);
ROLLBACK;
SELECT modseq.detach('mail', remove => true), modseq.detach('parted', remove => true);

SET client_min_messages = warning;
DROP SCHEMA removal CASCADE;
DROP ROLE regress_modseq_removal, regress_modseq_victim;
