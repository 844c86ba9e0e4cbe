--
-- attach(): where the counters go. Beside the mailbox table, in a table of ours, where that has no column for any of them;
-- the option says otherwise; and a store that is attached keeps them where they are
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_counters;
CREATE SCHEMA attach_counters;
SET search_path = attach_counters;
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached
CREATE FUNCTION store(message regclass) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', s.mailbox, 'counters', s.counters, mailbox_uidvalidity, coalesce(mailbox_uidnext, mailbox_last_uid), mailbox_highestmodseq)
	FROM modseq.stores s WHERE s.message = store.message $$;
CREATE FUNCTION columns(relation text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = to_regclass(relation) AND attnum > 0 AND NOT attisdropped $$;
CREATE FUNCTION triggers(relation regclass) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = relation AND NOT tgisinternal $$;

-- Nothing changes in the mailbox table, and no foreign key goes to ours or from it; half of its pages is for versions to come
CREATE TABLE box (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(20) COLLATE "C" UNIQUE);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box ON DELETE CASCADE ON UPDATE CASCADE, seen boolean);
INSERT INTO box (name) VALUES ('a'), ('b');
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 2);
RESET client_min_messages;
SELECT modseq.attach('mail', 'box');
SET client_min_messages = warning;
SELECT store('mail'), columns('box'), columns('mail_mailbox');
SELECT triggers('box') AS box, triggers('mail_mailbox') AS mail_mailbox;
SELECT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE contype = 'f' AND connamespace = 'attach_counters'::regnamespace;
SELECT reloptions, obj_description(oid) FROM pg_class WHERE oid = 'mail_mailbox'::regclass;
SELECT id, uidvalidity > 0 AS uidvalidity, uidnext, highestmodseq, gone_at FROM mail_mailbox ORDER BY id;
-- Once more: by the mailbox table, by nothing, by our table
SELECT modseq.attach('mail', 'box');
SELECT modseq.attach('mail');
SELECT modseq.attach('mail', 'mail_mailbox');
SELECT modseq.attach('mail', counters => 'beside');
SELECT store('mail');
-- Its own indexes and parameters stay
ALTER TABLE mail_mailbox SET (fillfactor = 30, autovacuum_vacuum_threshold = 10);
CREATE INDEX ON mail_mailbox (highestmodseq);
SELECT modseq.attach('mail');
SELECT reloptions, (SELECT count(*) FROM pg_index WHERE indrelid = pg_class.oid) AS indexes FROM pg_class WHERE oid = 'mail_mailbox'::regclass;
SELECT * FROM modseq.check('mail');

-- Renamed: the mailbox table, its key, the message table, ours; and a wider key
ALTER TABLE box RENAME TO folder;
SELECT modseq.attach('mail');
ALTER TABLE folder RENAME id TO folder_id;
SELECT modseq.attach('mail');
SELECT store('mail'), columns('mail_mailbox');
ALTER TABLE mail RENAME TO letter;
SELECT modseq.attach('letter', 'folder');
SELECT store('letter');
ALTER TABLE letter RENAME TO mail;
SELECT modseq.attach('mail', 'folder');
ALTER TABLE mail_mailbox RENAME TO numbers;
INSERT INTO mail VALUES (4, 1);
SELECT modseq.attach('mail');
SELECT store('mail');
ALTER TABLE numbers RENAME TO mail_mailbox;
SELECT modseq.attach('mail');
INSERT INTO mail VALUES (4, 1) RETURNING uid, modseq;
SELECT * FROM modseq.check('mail');
-- Lost: made anew, above all that the messages have
BEGIN;
DROP TABLE mail_mailbox;
SELECT problem FROM modseq.check('mail');
SELECT failure('INSERT INTO mail VALUES (5, 1)');
SELECT modseq.attach('mail');
SELECT folder_id, uidnext, highestmodseq FROM mail_mailbox ORDER BY 1;
SELECT * FROM modseq.check('mail');
ROLLBACK;
-- A column of ours that is gone, or is another
SELECT failure('ALTER TABLE mail_mailbox DROP gone_at; UPDATE mail SET seen = true');
SELECT failure('ALTER TABLE mail_mailbox ALTER uidnext TYPE text; UPDATE mail SET seen = true');
SELECT failure($$ALTER TABLE mail_mailbox DROP gone_at; SELECT modseq.attach('mail')$$);
ALTER TABLE mail_mailbox ALTER uidvalidity DROP DEFAULT;
SELECT modseq.attach('mail');
INSERT INTO folder (name) VALUES ('c');
SELECT uidvalidity > 0 FROM modseq.status('mail', 3);

-- Detached: nothing of it hinders the application, and the table is found again
SELECT modseq.detach('mail');
SELECT triggers('folder') AS folder, triggers('mail_mailbox') AS mail_mailbox;
INSERT INTO folder (name) VALUES ('d');
DELETE FROM folder WHERE name = 'b';
INSERT INTO mail VALUES (6, 4);
SELECT modseq.attach('mail', 'folder');
SELECT folder_id, uidnext FROM mail_mailbox ORDER BY 1;
SELECT * FROM modseq.check('mail');
SELECT modseq.detach('mail', remove => true);
SELECT columns('folder'), columns('mail_mailbox'), columns('mail');
INSERT INTO folder (name) VALUES ('e');
-- The message table is gone: ours is left, as the vanished table is
SELECT modseq.attach('mail', 'folder');
DROP TABLE mail;
SELECT failure($$INSERT INTO folder (name) VALUES ('f')$$);
SELECT modseq.detach('folder');
INSERT INTO folder (name) VALUES ('f');
DROP TABLE folder, mail_mailbox, mail_vanished;

-- The option. One column for a counter is enough for all to be in the mailbox table; so is one that is named
CREATE TABLE plain (id int PRIMARY KEY);
CREATE TABLE one (id int PRIMARY KEY, uid_validity bigint);
CREATE TABLE last (id int PRIMARY KEY, last_uid int);
CREATE TABLE all_three (id int PRIMARY KEY, uidvalidity bigint, last_uid int, modseq bigint);
CREATE TABLE post (id int PRIMARY KEY, box_id int NOT NULL, seen boolean);
CREATE FUNCTION placed(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT modseq.attach(%s)', arguments);
	result := store('post');
	RAISE 'undo' USING ERRCODE = 'MS001';
EXCEPTION WHEN SQLSTATE 'MS001' THEN
	RETURN result;
END $$;
SELECT arguments, placed(arguments) FROM unnest(ARRAY[
	$$'post', 'plain'$$,
	$$'post', 'plain', counters => 'beside'$$,
	$$'post', 'plain', counters => 'mailbox'$$,
	$$'post', 'plain', mailbox_uidnext => 'next'$$,
	$$'post', 'plain', mailbox_highestmodseq => 'highest', counters => 'mailbox'$$,
	$$'post', 'one'$$,
	$$'post', 'one', counters => 'beside'$$,
	$$'post', 'last'$$,
	$$'post', 'all_three'$$,
	$$'post', 'all_three', counters => 'beside'$$,
	$$'post', 'all_three', mailbox_source => 'plain'$$]) AS arguments;
SELECT refusal(arguments) FROM unnest(ARRAY[
	$$'post', 'plain', counters => 'elsewhere'$$,
	$$'post', 'plain', counters => 'beside', mailbox_last_uid => 'last_uid'$$,
	$$'post', 'all_three', counters => 'beside', mailbox_source => 'plain'$$,
	$$'post', 'plain', reset => '{counters}'$$]) AS arguments;
-- A store that is attached keeps them where they are, whatever has become of the mailbox table since
SELECT modseq.attach('post', 'plain');
ALTER TABLE plain ADD uidnext bigint;
SELECT modseq.attach('post', 'plain');
SELECT store('post');
SELECT refusal($$'post', mailbox_uidnext => 'uidnext'$$);
-- until it is told where they shall be. They go along, with what vanished; what attach() has added there goes
INSERT INTO plain (id) VALUES (1), (2);
INSERT INTO post VALUES (1, 1), (2, 1), (3, 2);
DELETE FROM post WHERE id = 1;
UPDATE post SET seen = true WHERE id = 2;
CREATE TEMP TABLE numbers AS SELECT id, s.* FROM plain, modseq.status('post', id) AS s;
SET client_min_messages = notice;
SELECT modseq.attach('post', counters => 'mailbox', mailbox_last_uid => 'last');
SET client_min_messages = warning;
SELECT store('post'), columns('plain'), columns('post_mailbox');
SELECT count(*) AS same FROM numbers n, modseq.status('post', id) AS s WHERE ROW (n.uidvalidity, n.uidnext, n.highestmodseq) = s;
SELECT modseq.vanished_since('post', 1, 0);
INSERT INTO post VALUES (4, 1) RETURNING uid, modseq;
SET client_min_messages = notice;
SELECT modseq.attach('post', counters => 'beside');
SET client_min_messages = warning;
SELECT store('post'), columns('plain');
SELECT id, uidnext, highestmodseq FROM post_mailbox ORDER BY id;
INSERT INTO post VALUES (5, 1) RETURNING uid, modseq;
SELECT * FROM modseq.check('post');
-- After detach() it is decided anew
SELECT modseq.detach('post', remove => true);
SELECT modseq.attach('post', 'plain');
SELECT store('post');
SELECT modseq.detach('post', remove => true);
DROP TABLE plain, one, last, all_three, post;
-- Mailboxes that have no UIDVALIDITY yet get one on the way; a row without a key is no mailbox
CREATE TABLE loose (id int UNIQUE, uidvalidity bigint);
CREATE TABLE post (id int PRIMARY KEY, loose_id int, seen boolean);
SELECT modseq.attach('post', 'loose', mailbox_key => '{id}');
SET session_replication_role = replica;
INSERT INTO loose VALUES (1, NULL), (2, 0), (3, 9), (NULL, 7);
RESET session_replication_role;
SELECT modseq.attach('post', counters => 'beside');
SELECT id, uidvalidity > 9 AS new, uidvalidity = 9 AS same, uidnext, highestmodseq FROM post_mailbox ORDER BY id;
SELECT * FROM modseq.check('post');
DROP TABLE loose, post, post_mailbox, post_vanished;

-- The name is taken: by the mailbox table itself, by another table, by a stranger's
CREATE TABLE post_mailbox (id int PRIMARY KEY);
CREATE TABLE post (id int PRIMARY KEY, mailbox_id int NOT NULL, seen boolean);
SELECT modseq.attach('post', 'post_mailbox');
SELECT store('post');
SELECT modseq.attach('post');
SELECT modseq.detach('post');
SELECT modseq.attach('post', 'post_mailbox');
SELECT store('post');
SELECT modseq.detach('post', remove => true);
ALTER TABLE post_mailbox RENAME TO plain;
CREATE ROLE regress_modseq_counters;
CREATE TABLE post_mailbox (id int PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint, gone_at timestamptz);
ALTER TABLE post_mailbox OWNER TO regress_modseq_counters;
SELECT failure($$SELECT modseq.attach('post', 'plain')$$) ~ '^42P07';
DROP TABLE post_mailbox;
-- Our table of one store is nobody else's mailbox table
SELECT modseq.attach('post', 'plain');
CREATE TABLE other (id int PRIMARY KEY, post_mailbox_id int NOT NULL, seen boolean);
SELECT refusal($$'other', 'post_mailbox'$$);
SELECT refusal($$'other', 'plain'$$);
-- One that a stranger gets is not written to; nor is one believed that another's store names
ALTER TABLE post_mailbox OWNER TO regress_modseq_counters;
SELECT problem FROM modseq.check('post');
SELECT failure('INSERT INTO post VALUES (1, 1)');
SELECT modseq.attach('post');
SELECT relowner = (SELECT relowner FROM pg_class WHERE oid = 'post'::regclass) AS follows FROM pg_class WHERE oid = 'post_mailbox'::regclass;
GRANT ALL ON SCHEMA attach_counters TO regress_modseq_counters;
SET ROLE regress_modseq_counters;
CREATE TABLE forged_box (id int PRIMARY KEY);
CREATE TABLE forged (id int PRIMARY KEY, forged_box_id int NOT NULL, seen boolean);
SET client_min_messages = error;
SELECT modseq.attach('forged', 'forged_box');
SET client_min_messages = warning;
SELECT set_config('modseq_test.options', (
	SELECT string_agg(quote_literal(replace(o, 'counters=attach_counters.forged_mailbox', 'counters=attach_counters.post_mailbox')), ', ')
	FROM pg_trigger, unnest(modseq_internal.trigger_options(oid)) AS o
	WHERE tgrelid = 'forged'::regclass AND tgname = 'zz_modseq_assign'), false) \g /dev/null
DO $$ BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER zz_modseq_assign BEFORE INSERT OR UPDATE ON forged FOR EACH ROW
		EXECUTE FUNCTION modseq.trigger_assign(%s)', current_setting('modseq_test.options'));
END $$;
SELECT failure('INSERT INTO forged_box VALUES (1)');
SELECT failure('INSERT INTO forged VALUES (1, 1)');
SELECT failure($$SELECT modseq.status('forged', 1)$$);
RESET ROLE;
SELECT counters FROM modseq.stores WHERE message = 'forged'::regclass;
SELECT failure($$SELECT modseq.attach('forged')$$);
SELECT count(*) FROM modseq.check('post');
SELECT modseq.detach('forged', remove => true);
SELECT to_regclass('post_mailbox') IS NOT NULL AS there;
DROP TABLE forged, forged_box;
SELECT modseq.detach('post', remove => true);
DROP TABLE post, plain, other;

-- The locks: of the mailbox table, readers notice nothing
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int, seen boolean);
CREATE FUNCTION locks() RETURNS TABLE (relation regclass, mode text) LANGUAGE sql AS $$
	SELECT relation::regclass, mode FROM pg_locks
	WHERE pid = pg_backend_pid() AND relation IN ('mail'::regclass, 'box'::regclass)
		AND mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock')
	ORDER BY 1, 2 $$;
BEGIN;
SELECT modseq.attach('mail', 'box');
SELECT * FROM locks();
COMMIT;
BEGIN;
SELECT modseq.attach('mail');
SELECT * FROM locks();
ROLLBACK;

DROP SCHEMA attach_counters CASCADE;
DROP ROLE regress_modseq_counters;
