--
-- attach, detach and the view of stores
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
SET client_encoding = 'UTF8';
\set SHOW_CONTEXT never
\pset null '(null)'

-- What a command fails with: SQLSTATE, message, detail, hint
CREATE FUNCTION failure(command text) RETURNS text
LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ' ' || message,
					 '    ' || nullif(detail, ''), '    ' || nullif(hint, ''));
END $$;

-- What attach() says to arguments, without lasting effect
CREATE FUNCTION refusal(arguments text) RETURNS text
LANGUAGE sql AS $$ SELECT attach.failure(format('SELECT modseq.attach(%s)', arguments)) $$;

-- What attach() makes of a pair of tables, or three, by the options that it writes down; without lasting effect
CREATE FUNCTION attached(arguments text) RETURNS SETOF text
LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
	options text[];
BEGIN
	BEGIN
		EXECUTE format('SELECT modseq.attach(%s)', arguments);
		SELECT modseq.trigger_options(t.oid) INTO options
		FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
		WHERE tgname = 'zz_modseq_assign' AND relnamespace = 'attach'::regnamespace;
		RAISE 'undo' USING ERRCODE = 'MS001';
	EXCEPTION WHEN SQLSTATE 'MS001' THEN
		RETURN QUERY SELECT o FROM unnest(options) AS o;
	END;
END $$;

--
-- The seeds' schema, without an option, and without foreign keys
--
CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, name text);
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, subject text);
CREATE TABLE mw_mail_flag (mail_id bigint, flag text, PRIMARY KEY (mail_id, flag));

SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
\d mw_mail
\d mw_mailbox
\d mw_mail_flag
\d mw_mail_vanished
SELECT obj_description('mw_mail_vanished'::regclass);
\x on
SELECT * FROM modseq.stores WHERE message = 'mw_mail'::regclass;
\x off

-- It works
INSERT INTO mw_mailbox VALUES (1, 'INBOX');
INSERT INTO mw_mail (id, mailbox_id) VALUES (1, 1), (2, 1);
INSERT INTO mw_mail_flag VALUES (1, '\Seen');
SELECT id, uid, modseq FROM mw_mail ORDER BY id;
SELECT uidvalidity > 0 AS uidvalidity, uidnext, highestmodseq FROM mw_mailbox;

-- Once more: nothing to say, and nothing changes
CREATE TEMP TABLE before AS
	SELECT tgrelid, tgname, pg_get_triggerdef(oid) AS definition FROM pg_trigger
	WHERE tgrelid IN ('mw_mail'::regclass, 'mw_mailbox'::regclass, 'mw_mail_flag'::regclass);
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT count(*) = (SELECT count(*) FROM before) AS same
	FROM before JOIN pg_trigger t ON (t.tgrelid, t.tgname, pg_get_triggerdef(t.oid)) = (before.tgrelid, before.tgname, definition);
SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN ('mw_mail'::regclass, 'mw_mail_flag'::regclass) ORDER BY 1;
SELECT uidnext, highestmodseq FROM mw_mailbox;

-- Half attached: what is missing comes back
DROP TRIGGER modseq_collect ON mw_mail;
DROP TRIGGER "AA_modseq_mailbox" ON mw_mailbox;
DROP INDEX mw_mail_mailbox_id_modseq_idx;
SELECT problem FROM modseq.check('mw_mail') ORDER BY problem;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT problem FROM modseq.check('mw_mail');

-- detach takes the triggers and leaves the rest
SELECT modseq.detach('mw_mail');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid IN ('mw_mail'::regclass, 'mw_mailbox'::regclass, 'mw_mail_flag'::regclass);
SELECT count(*) AS stores FROM modseq.stores WHERE message = 'mw_mail'::regclass;
SELECT failure($$SELECT modseq.detach('mw_mail')$$);
SELECT failure($$SELECT modseq.detach(NULL)$$);
SELECT attname FROM pg_attribute WHERE attrelid = 'mw_mail'::regclass AND attnum > 0 ORDER BY attnum;

-- What happened unseen meanwhile: an arrival, and a departure that clients must still hear of
INSERT INTO mw_mail (id, mailbox_id, uid) VALUES (3, 1, 9);
DELETE FROM mw_mail WHERE id = 2;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT id, uid, modseq FROM mw_mail ORDER BY id;
SELECT uidnext, highestmodseq FROM mw_mailbox;
SELECT id, modseq, uids FROM mw_mail_vanished ORDER BY id, modseq;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT uidnext, highestmodseq FROM mw_mailbox;
SELECT * FROM modseq.check('mw_mail');

-- Counters that are lost come back from the messages and from what vanished
DELETE FROM mw_mail WHERE id = 3;
SELECT uidnext, highestmodseq FROM mw_mailbox;
SELECT modseq.detach('mw_mail');
ALTER TABLE mw_mailbox DROP COLUMN uidnext, DROP COLUMN highestmodseq;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT uidnext, highestmodseq FROM mw_mailbox;

-- A mailbox that went meanwhile takes its vanished UIDs along
INSERT INTO mw_mailbox VALUES (2, 'Gone');
INSERT INTO mw_mail (id, mailbox_id) VALUES (4, 2);
DELETE FROM mw_mail WHERE id = 4;
SELECT modseq.detach('mw_mail');
DELETE FROM mw_mailbox WHERE id = 2;
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
SELECT id, modseq, uids FROM mw_mail_vanished ORDER BY id, modseq;

-- Other tables: the old ones are let go
CREATE TABLE other_box (LIKE mw_mailbox INCLUDING ALL);
INSERT INTO other_box SELECT * FROM mw_mailbox;
SELECT modseq.attach('mw_mail', 'other_box', message_flags => '{}');
SELECT tgrelid::regclass, tgname FROM pg_trigger
	WHERE tgrelid IN ('mw_mailbox'::regclass, 'other_box'::regclass, 'mw_mail_flag'::regclass) ORDER BY 1, 2;

-- Renamed: the view shows what is lost; attach() finds the vanished table under its old name
ALTER TABLE other_box RENAME TO third_box;
SELECT mailbox, vanished FROM modseq.stores WHERE message = 'mw_mail'::regclass;
SELECT problem FROM modseq.check('mw_mail') ORDER BY problem;
ALTER TABLE mw_mail RENAME TO mail;
SELECT modseq.attach('mail', 'third_box', message_flags => '{}');
SELECT message, mailbox, vanished FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT * FROM modseq.check('mail');
-- detach finds the triggers of a mailbox table that was renamed, and of one that is gone
ALTER TABLE third_box RENAME TO other_box;
SELECT modseq.detach('mail');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid IN ('mail'::regclass, 'other_box'::regclass);
SELECT modseq.attach('mail', 'other_box', message_flags => '{}');
DROP TABLE other_box;
SELECT modseq.detach('mail');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'mail'::regclass;
DROP TABLE mail, mail_vanished, mw_mail_vanished, mw_mail_flag;

-- A mailbox table whose message table was dropped can be attached again
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean);
SELECT modseq.attach('mw_mail', 'mw_mailbox');
DROP TABLE mw_mail, mw_mail_vanished;
CREATE TABLE mw_mail2 (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean);
SELECT modseq.attach('mw_mail2', 'mw_mailbox');
SELECT DISTINCT modseq.trigger_options(oid) FROM pg_trigger WHERE tgrelid = 'mw_mailbox'::regclass;
DROP TABLE mw_mail2, mw_mail2_vanished, mw_mailbox;

--
-- What is inferred
--

-- The seeds' schema with foreign keys
CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, highest_modseq bigint NOT NULL DEFAULT 0);
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mw_mailbox ON DELETE CASCADE,
	modseq bigint NOT NULL DEFAULT 0);
CREATE TABLE mw_mail_flag (mail_id bigint REFERENCES mw_mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
CREATE INDEX idx_mail_mailbox_id_modseq ON mw_mail (mailbox_id, modseq);
SELECT attached($$'mw_mail', 'mw_mailbox', 'mw_mail_flag'$$);
DROP TABLE mw_mail_flag, mw_mail, mw_mailbox;

-- Foreign keys decide, whatever the columns are called
CREATE TABLE box (no int PRIMARY KEY, uid_validity int NOT NULL DEFAULT 7, next_uid int NOT NULL DEFAULT 1, highest_mod_seq bigint);
CREATE TABLE msg (no uuid PRIMARY KEY, "in" int NOT NULL REFERENCES box, imap_uid int, mod_seq bigint, created_modseq bigint);
CREATE TABLE label (what uuid REFERENCES msg, label int);
SELECT attached($$'msg', 'box', 'label'$$);
-- of two there is neither
ALTER TABLE msg ADD COLUMN came_from int REFERENCES box;
SELECT refusal($$'msg', 'box'$$);
SELECT attached($$'msg', 'box', message_mailbox => '{in}'$$);
DROP TABLE label, msg, box;

-- A foreign key with more columns than the key, and one to mailbox and UID
CREATE TABLE box (account int, id int PRIMARY KEY, lastUid bigint, "highestModSeq" bigint, UNIQUE (account, id));
CREATE TABLE msg (account int, kept_in int, uid bigint, PRIMARY KEY (kept_in, uid),
	FOREIGN KEY (account, kept_in) REFERENCES box (account, id));
CREATE TABLE label (box int, msg bigint, label text, FOREIGN KEY (box, msg) REFERENCES msg);
SELECT attached($$'msg', 'box', 'label'$$);
DROP TABLE label, msg, box;

-- Usual names; what has the name but not the type does not count
CREATE TABLE app_folder (id uuid PRIMARY KEY);
CREATE TABLE app_message (id bigint PRIMARY KEY, mailbox_id int, folder_id uuid);
CREATE TABLE app_flag (msg_id int, flag text);
SELECT attached($$'app_message', 'app_folder', 'app_flag'$$);
ALTER TABLE app_message DROP COLUMN folder_id;
SELECT refusal($$'app_message', 'app_folder', 'app_flag'$$);
ALTER TABLE app_message ADD COLUMN "folderId" uuid;
ALTER TABLE app_flag RENAME COLUMN msg_id TO id;
SELECT refusal($$'app_message', 'app_folder', 'app_flag'$$);
ALTER TABLE app_flag ADD COLUMN folder_id uuid, ADD COLUMN uid bigint;
SELECT refusal($$'app_message', 'app_folder', 'app_flag'$$);
ALTER TABLE app_message ADD COLUMN uid bigint;
SELECT attached($$'app_message', 'app_folder', 'app_flag'$$);
SELECT attached($$'app_message', 'app_folder', 'app_flag', flag_message => 'id', flag_columns => '{flag}'$$);
DROP TABLE app_message, app_folder, app_flag;

-- Keys of several columns
CREATE TABLE box (tenant int, name text, PRIMARY KEY (tenant, name));
CREATE TABLE msg (tenant int, box_name varchar, uid bigint);
CREATE TABLE label (tenant int, box_name text, uid bigint, label text);
SELECT attached($$'msg', 'box', 'label'$$);
DROP TABLE label, msg, box;

-- All of it named, with quotes, capitals, commas and other alphabets; what is missing is added by its name
CREATE SCHEMA "Größe, ""x""";
SET search_path = "Größe, ""x""", attach;
CREATE TABLE "Mail'Box" ("Id, {1}" text NOT NULL UNIQUE);
CREATE TABLE "письмо" ("Ящик" text, "b{uid}" boolean);
CREATE TABLE "метка" ("Ящик" text, "№" bigint, "b" boolean);
INSERT INTO "Mail'Box" VALUES ('INBOX');
INSERT INTO "письмо" VALUES ('INBOX', true);
SELECT modseq.attach('"письмо"', '"Mail''Box"', '"метка"',
	mailbox_key => '{"Id, {1}"}', mailbox_uidvalidity => 'Validity''s', mailbox_uidnext => 'Next "UID"',
	mailbox_highestmodseq => 'Höchste',
	message_mailbox => '{Ящик}', message_uid => '№', message_modseq => 'mod seq', message_created_modseq => 'born',
	message_flags => '{"b{uid}"}', flag_mailbox => '{Ящик}', flag_uid => '№', flag_columns => '{b}');
\x on
SELECT * FROM modseq.stores WHERE message = '"письмо"'::regclass;
\x off
INSERT INTO "письмо" VALUES ('INBOX', false);
UPDATE "письмо" SET "b{uid}" = true WHERE "№" = 2;
DELETE FROM "письмо" WHERE "№" = 1;
SELECT * FROM "письмо";
SELECT "Id, {1}", modseq, uids FROM "письмо_vanished";
SELECT "Id, {1}", "Next ""UID""", "Höchste" FROM "Mail'Box";
SELECT * FROM modseq.check('"письмо"');
SELECT modseq.reset_uidvalidity('"письмо"', 'INBOX') > 0 AS reset;
SELECT modseq.detach('"письмо"');
SET client_min_messages = warning;
DROP SCHEMA "Größe, ""x""" CASCADE;
RESET client_min_messages;
SET search_path = attach;

-- Two long names that are cut at the same byte cannot share a vanished table
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE box2 (id int PRIMARY KEY);
CREATE TABLE "aписьма_письма_письма_письма_папк1" (mailbox_id int, seen boolean);
CREATE TABLE "aписьма_письма_письма_письма_папк2" (mailbox_id int, seen boolean);
SELECT modseq.attach('aписьма_письма_письма_письма_папк1', 'box');
SELECT refusal($$'aписьма_письма_письма_письма_папк2', 'box2'$$);
SELECT vanished, octet_length((parse_ident(vanished::text))[1])
	FROM modseq.stores WHERE mailbox = 'box'::regclass;
DROP TABLE "aписьма_письма_письма_письма_папк1", "aписьма_письма_письма_письма__vanished", "aписьма_письма_письма_письма_папк2", box, box2;

-- Flags that are columns
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL);
SELECT modseq.attach('mail', 'mailbox');
SELECT modseq.attach('mail', 'mailbox', message_flags => '{}');
SELECT message_flags FROM modseq.stores WHERE message = 'mail'::regclass;
ALTER TABLE mail ADD COLUMN seen boolean, ADD COLUMN is_answered smallint, ADD COLUMN "flagFlagged" boolean, ADD COLUMN deleted timestamptz,
	ADD COLUMN draft text, ADD COLUMN keywords text[], ADD COLUMN flags int, ADD COLUMN labels jsonb, ADD COLUMN imap_flags json,
	ADD COLUMN junk boolean GENERATED ALWAYS AS (seen) STORED;
-- What an earlier attach() was told holds, until it is told otherwise or the store is detached
SELECT modseq.attach('mail', 'mailbox');
SELECT message_flags FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT modseq.detach('mail');
SELECT modseq.attach('mail', 'mailbox');
SELECT modseq.attach('mail', 'mailbox', message_flags => '{deleted}');
SELECT modseq.attach('mail', 'mailbox');
SELECT message_flags FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT refusal($$'mail', 'mailbox', message_flags => '{imap_flags}'$$);
DROP TABLE mail, mail_vanished, mailbox;

-- Where the columns exist with defaults of their own
CREATE TABLE mailbox (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, uidvalidity bigint GENERATED BY DEFAULT AS IDENTITY,
	uidnext bigint, highest_modseq bigint DEFAULT 0);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL, uid bigserial, modseq bigint NOT NULL DEFAULT 0, flags int);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox DEFAULT VALUES;
INSERT INTO mail VALUES (1, 1), (2, 1);
SELECT uid, modseq FROM mail ORDER BY uid;
SELECT uidnext, highest_modseq FROM mailbox;
DROP TABLE mail, mail_vanished, mailbox;

--
-- Messages that exist already
--

-- Mod-sequences are new: messages are numbered in the order of their key, and nothing is stamped
CREATE TABLE mailbox (id int PRIMARY KEY, uidnext int NOT NULL DEFAULT 0);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL, uid int, seen boolean);
INSERT INTO mailbox VALUES (1, 0), (2, 4), (3, 0), (4, 9);
INSERT INTO mail VALUES (5, 1, NULL), (3, 1, 0), (4, 2, NULL), (8, 3, 7), (9, 3, 2), (7, 3, 0);
SELECT modseq.attach('mail', 'mailbox');
SELECT * FROM mail ORDER BY mailbox_id, uid;
SELECT id, uidvalidity > 0 AS uidvalidity, uidnext, highestmodseq FROM mailbox ORDER BY id;
SELECT id, modseq, uids FROM mail_vanished;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_vanished, mailbox;

-- Mod-sequences are kept already: who has none gets the mailbox's next one, counters that lag catch up, and
-- UIDs that are no longer there are held to have vanished
CREATE TABLE mailbox (id int PRIMARY KEY, uidvalidity bigint, last_uid int, modseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL, uid int, modseq bigint, seen boolean,
	written int NOT NULL DEFAULT 0);
CREATE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.written := OLD.written + 1; RETURN NEW; END';
CREATE TRIGGER count_writes BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION count_writes();
INSERT INTO mailbox VALUES (1, 77, 5, 10), (2, 0, NULL, NULL), (3, 78, 0, 0), (4, 79, 3, 1), (5, 80, 1, 5), (6, 0, 0, 1);
INSERT INTO mail VALUES
	(1, 1, 1, 3), (2, 1, 3, 10), (3, 1, 5, 4),			-- 1: nothing to do but to note 2 and 4
	(4, 2, 1, NULL), (5, 2, NULL, 7), (6, 2, 2, 0),		-- 2: two without mod-sequence, one without UID
	(7, 5, 1, 12), (8, 5, 2, -1);						-- 5: counters that lag
SELECT modseq.attach('mail', 'mailbox');
SELECT * FROM mail ORDER BY id;
SELECT id, CASE WHEN uidvalidity < 1000 THEN uidvalidity END AS uidvalidity, last_uid, modseq FROM mailbox ORDER BY id;
SELECT id, modseq, uids FROM mail_vanished ORDER BY id;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_vanished, mailbox;

-- created_modseq is put right
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (mailbox_id int NOT NULL, uid int, modseq bigint, created_modseq bigint, seen boolean);
INSERT INTO mailbox VALUES (1);
INSERT INTO mail VALUES (1, 1, 3, 2), (1, 2, 4, NULL), (1, 3, 5, 6);
SELECT modseq.attach('mail', 'mailbox');
SELECT * FROM mail ORDER BY uid;

-- Columns may be of domains
DROP TABLE mail, mail_vanished, mailbox;
CREATE DOMAIN box_id AS int;
CREATE DOMAIN uid AS bigint CHECK (VALUE BETWEEN 1 AND 4294967295);
CREATE TABLE mailbox (id box_id PRIMARY KEY, uidnext uid NOT NULL DEFAULT 1, highestmodseq modseq.modseq NOT NULL DEFAULT 0);
CREATE TABLE mail (mailbox_id box_id, uid uid, modseq modseq.modseq NOT NULL DEFAULT 0, seen boolean);
INSERT INTO mailbox VALUES (1);
INSERT INTO mail VALUES (1);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mail VALUES (1);
TABLE mail;
SELECT uidnext, highestmodseq FROM mailbox;
SELECT * FROM modseq.check('mail');

-- Indexes that exist are used, in any order of the key; those that are partial, invalid or of another kind are not
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'mail'::regclass ORDER BY 1;
DROP TABLE mail, mail_vanished, mailbox;
CREATE TABLE mailbox (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE mail (a int, b int, uid int, modseq bigint, seen boolean);
CREATE UNIQUE INDEX used_uid ON mail (b, a, uid) INCLUDE (seen);
CREATE INDEX used_modseq ON mail (b, a, modseq DESC, seen);
CREATE UNIQUE INDEX unused_partial ON mail (a, b, uid) WHERE seen;
CREATE INDEX unused_hash ON mail USING hash (uid);
CREATE TABLE flag (seen boolean, uid int, b int, a int, PRIMARY KEY (a, b, uid));
SELECT modseq.attach('mail', 'mailbox', 'flag');
SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN ('mail'::regclass, 'flag'::regclass) ORDER BY 1;
DROP INDEX used_uid, used_modseq;
CREATE INDEX unused_not_unique ON mail (a, b, uid);
CREATE INDEX unused_order ON mail (modseq, a, b);
CREATE INDEX unused_expression ON mail (a, b, (modseq + 1));
SELECT modseq.attach('mail', 'mailbox', 'flag');
SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN ('mail'::regclass, 'flag'::regclass) ORDER BY 1;
DROP TABLE flag, mail, mail_vanished, mailbox;

-- What cannot be put right
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint, seen boolean);
INSERT INTO mailbox VALUES (1), (2);
INSERT INTO mail VALUES (1, 1, 5), (2, 2, 5), (3, 1, 5);
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET mailbox_id = 3 WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET mailbox_id = NULL WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET mailbox_id = 1, uid = -6 WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
UPDATE mail SET uid = 4294967296 WHERE id = 3;
SELECT refusal($$'mail', 'mailbox'$$);
-- nothing is left of all that
\d mail
\d mailbox

-- Policies that would hide rows
ALTER TABLE mail ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON mail USING (mailbox_id = 1);
CREATE ROLE regress_modseq_owner;
GRANT ALL ON SCHEMA attach TO regress_modseq_owner;
ALTER TABLE mail OWNER TO regress_modseq_owner;
ALTER TABLE mailbox OWNER TO regress_modseq_owner;
SET ROLE regress_modseq_owner;
SELECT refusal($$'mail', 'mailbox'$$);
RESET ROLE;
DROP POLICY mine ON mail;
ALTER TABLE mail DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
UPDATE mail SET uid = 6 WHERE id = 3;

--
-- Rights
--
CREATE ROLE regress_modseq_other;
GRANT USAGE ON SCHEMA attach TO regress_modseq_other;
GRANT ALL ON mail, mailbox TO regress_modseq_other;
SET ROLE regress_modseq_other;
SELECT refusal($$'mail', 'mailbox'$$);
-- An owner needs no more than to create a table in the schema
SET ROLE regress_modseq_owner;
SELECT modseq.attach('mail', 'mailbox');
SELECT * FROM modseq.check('mail');
SELECT modseq.detach('mail');
RESET ROLE;
-- A superuser attaches in the owner's name; nobody else may use the vanished table
DROP TABLE mail_vanished;
SELECT modseq.attach('mail', 'mailbox');
SELECT relowner::regrole, relacl FROM pg_class WHERE oid = 'mail_vanished'::regclass;
SET ROLE regress_modseq_other;
SELECT failure($$SELECT modseq.detach('mail')$$);
SELECT message, mailbox FROM modseq.stores WHERE message = 'mail'::regclass;
RESET ROLE;
-- Who may not use the schema can still read the view
REVOKE USAGE ON SCHEMA attach FROM regress_modseq_other;
SELECT 'mail'::regclass::oid AS mail \gset
SET ROLE regress_modseq_other;
SELECT message, mailbox FROM modseq.stores WHERE message = :mail;
RESET ROLE;
SELECT modseq.detach('mail');
-- A vanished table that somebody else has laid out is not used
ALTER TABLE mail_vanished OWNER TO regress_modseq_other;
SELECT refusal($$'mail', 'mailbox'$$);
ALTER TABLE mail_vanished OWNER TO regress_modseq_owner;
ALTER TABLE mail_vanished ADD COLUMN x int;
SELECT refusal($$'mail', 'mailbox'$$);
DROP TABLE mail_vanished;
CREATE VIEW mail_vanished AS SELECT 1;
SELECT refusal($$'mail', 'mailbox'$$);
DROP VIEW mail_vanished;

--
-- Bad input
--
CREATE TABLE flag (id int PRIMARY KEY, mail_id int, what text, uid bigint);
CREATE VIEW view AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW matview AS SELECT 1 AS id;
CREATE TEMP TABLE temp (LIKE mail);
CREATE UNLOGGED TABLE unlogged (LIKE mail);
CREATE TABLE parent (LIKE mail);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE partitioned (LIKE mail) PARTITION BY HASH (mailbox_id);
CREATE TABLE partition PARTITION OF partitioned FOR VALUES WITH (MODULUS 1, REMAINDER 0);
\pset format unaligned
\pset tuples_only on
SELECT a, refusal(a) FROM unnest(ARRAY[
	$$NULL, NULL$$,
	$$'mail', NULL$$,
	$$NULL, 'mailbox'$$,
	$$'nobody', 'mailbox'$$,
	$$99999999, 'mailbox'$$,
	$$'mail', 'mail'$$,
	$$'mail', 'mailbox', 'mail'$$,
	$$'view', 'mailbox'$$,
	$$'matview', 'mailbox'$$,
	$$'unlogged', 'mailbox'$$,
	$$'mail', 'mailbox', 'unlogged'$$,
	$$'parent', 'mailbox'$$,
	$$'child', 'mailbox'$$,
	$$'partition', 'mailbox'$$,
	$$'pg_class', 'mailbox'$$,
	$$'mail_pkey', 'mailbox'$$,
	-- options that contradict each other
	$$'mail', 'mailbox', mailbox_uidnext => 'a', mailbox_last_uid => 'b'$$,
	$$'mail', 'mailbox', flag_message => 'mail_id'$$,
	$$'mail', 'mailbox', flag_columns => '{what}'$$,
	$$'mail', 'mailbox', message_key => 'id'$$,
	$$'mail', 'mailbox', 'flag', flag_message => 'mail_id', flag_mailbox => '{id}', flag_uid => 'uid'$$,
	$$'mail', 'mailbox', 'flag', message_key => 'id', flag_mailbox => '{id}', flag_uid => 'uid'$$,
	$$'mail', 'mailbox', 'flag', flag_mailbox => '{id}'$$,
	$$'mail', 'mailbox', 'flag', flag_uid => 'uid'$$,
	$$'mail', 'mailbox', mailbox_key => '{}'$$,
	$$'mail', 'mailbox', message_mailbox => '{NULL}'$$,
	$$'mail', 'mailbox', message_flags => '{seen,NULL}'$$,
	$$'mail', 'mailbox', 'flag', flag_columns => '{}'$$,
	$$'mail', 'mailbox', message_uid => 'id', message_modseq => 'id'$$,
	$$'mail', 'mailbox', message_flags => '{uid}'$$,
	$$'mail', 'mailbox', message_flags => '{seen,seen}'$$,
	-- columns that do not exist or do not fit
	$$'mail', 'mailbox', mailbox_key => '{nothing}'$$,
	$$'mail', 'mailbox', message_mailbox => '{nothing}'$$,
	$$'mail', 'mailbox', message_mailbox => '{mailbox_id,id}'$$,
	$$'mail', 'mailbox', message_mailbox => '{seen}'$$,
	$$'mail', 'mailbox', message_flags => '{nothing}'$$,
	$$'mail', 'mailbox', message_uid => 'seen'$$,
	$$'mail', 'mailbox', message_modseq => 'id'$$,
	$$'mail', 'mailbox', mailbox_highestmodseq => 'id'$$,
	$$'mail', 'mailbox', mailbox_uidnext => 'ctid'$$,
	$$'mail', 'mailbox', 'flag', flag_message => 'nothing'$$,
	$$'mail', 'mailbox', 'flag', flag_message => 'what'$$,
	$$'mail', 'mailbox', 'flag', message_key => 'nothing'$$,
	$$'mail', 'mailbox', 'flag', flag_mailbox => '{id}', flag_uid => 'what'$$,
	$$'mail', 'mailbox', 'flag', flag_mailbox => '{id,mail_id}', flag_uid => 'uid'$$,
	$$'mail', 'mailbox', 'flag', flag_columns => '{nothing}'$$
	]) AS a;
-- the name of a temporary table's schema is not always the same
SELECT regexp_replace(refusal($$'temp', 'mailbox'$$), 'pg_temp_\d+', 'pg_temp', 'g');
SELECT regexp_replace(refusal($$'mail', 'temp'$$), 'pg_temp_\d+', 'pg_temp', 'g');
\pset format aligned
\pset tuples_only off

-- The mailbox key must be one
CREATE TABLE no_key (id int, other int NOT NULL);
SELECT refusal($$'mail', 'no_key'$$);
SELECT refusal($$'mail', 'no_key', mailbox_key => '{id}'$$);
CREATE UNIQUE INDEX ON no_key (id) WHERE id > 0;
CREATE UNIQUE INDEX ON no_key (id, other);
ALTER TABLE no_key ADD UNIQUE (id) DEFERRABLE;
SELECT refusal($$'mail', 'no_key', mailbox_key => '{id}'$$);
CREATE TABLE wide (a int, b int, c int, d int, e int, f int, g int, h int, i int, PRIMARY KEY (a, b, c, d, e, f, g, h, i));
CREATE TABLE wide_mail (LIKE wide, seen boolean);
SELECT refusal($$'wide_mail', 'wide'$$);

-- Columns that triggers cannot set
ALTER TABLE mail ADD COLUMN a bigint GENERATED BY DEFAULT AS IDENTITY, ADD COLUMN b bigint GENERATED ALWAYS AS (uid + 1) STORED,
	ADD COLUMN c int GENERATED ALWAYS AS (id) STORED;
ALTER TABLE mailbox ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY;
SELECT refusal($$'mail', 'mailbox', message_uid => 'a'$$);
SELECT refusal($$'mail', 'mailbox', message_modseq => 'b'$$);
SELECT refusal($$'mail', 'mailbox', message_mailbox => '{c}'$$);
SELECT refusal($$'mail', 'mailbox', mailbox_uidvalidity => 'a'$$);
ALTER TABLE mail DROP COLUMN a, DROP COLUMN b, DROP COLUMN c;
ALTER TABLE mailbox DROP COLUMN a;

-- Unique indexes that UIDs or mod-sequences would violate
CREATE TABLE mail3 (id int PRIMARY KEY, mailbox_id int, uid int, modseq bigint, seen boolean);
CREATE UNIQUE INDEX wrong ON mail3 (uid);
SELECT refusal($$'mail3', 'mailbox'$$);
DROP INDEX wrong;
CREATE UNIQUE INDEX wrong ON mail3 (modseq);
SELECT refusal($$'mail3', 'mailbox'$$);
DROP INDEX wrong;
CREATE UNIQUE INDEX wrong ON mail3 (modseq, mailbox_id);
SELECT refusal($$'mail3', 'mailbox'$$);
DROP TABLE mail3;

-- Tables that serve another store, in whatever part
SELECT modseq.attach('mail', 'mailbox', 'flag');
CREATE TABLE mail2 (id int PRIMARY KEY, mailbox_id int, seen boolean);
CREATE TABLE mailbox2 (id int PRIMARY KEY);
SELECT refusal($$'mail2', 'mailbox'$$);
SELECT refusal($$'mail2', 'mailbox2', 'flag'$$);
SELECT refusal($$'mailbox', 'mailbox2'$$);
SELECT refusal($$'mail2', 'mail_vanished'$$);

--
-- Locks: writers wait, readers only where a table must change
--
SELECT modseq.detach('mail');
CREATE FUNCTION locks() RETURNS TABLE (relation regclass, mode text) LANGUAGE sql AS $$
	SELECT relation::regclass, mode FROM pg_locks
	WHERE pid = pg_backend_pid() AND relation IN ('mail'::regclass, 'mailbox'::regclass, 'flag'::regclass)
		AND mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock')
	ORDER BY 1, 2 $$;
BEGIN;
SELECT modseq.attach('mail', 'mailbox', 'flag');
SELECT * FROM locks();
COMMIT;
BEGIN;
SELECT modseq.attach('mail', 'mailbox', 'flag');
SELECT * FROM locks();
ROLLBACK;

-- A partitioned table of messages: one row in the view, and partitions have the row triggers
CREATE TABLE pmail (id int, mailbox_id int NOT NULL, seen boolean) PARTITION BY HASH (mailbox_id);
CREATE TABLE pmail_0 PARTITION OF pmail FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE pmail_1 PARTITION OF pmail FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO mailbox2 SELECT generate_series(1, 4);
INSERT INTO pmail SELECT n, 1 + n % 4 FROM generate_series(1, 12) AS n;
SELECT modseq.attach('pmail', 'mailbox2');
SELECT message, vanished FROM modseq.stores WHERE mailbox = 'mailbox2'::regclass;
SELECT mailbox_id, min(uid), max(uid), count(*) FROM pmail GROUP BY mailbox_id ORDER BY mailbox_id;
SELECT * FROM modseq.check('pmail');
SELECT modseq.detach('pmail');
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('pmail_0'::regclass, 'pmail_1'::regclass);

-- Nothing of a caller's search_path is used
CREATE FUNCTION attach.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
CREATE SCHEMA trap;
CREATE FUNCTION trap.mine(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''trapped''; END';
CREATE OPERATOR trap.= (FUNCTION = trap.mine, LEFTARG = bigint, RIGHTARG = bigint);
SET search_path = trap, attach, pg_catalog;
SELECT modseq.attach('pmail', 'mailbox2');
SELECT * FROM modseq.check('pmail');
SELECT modseq.detach('pmail');
SET search_path = attach;

SET client_min_messages = warning;
DROP SCHEMA trap, attach CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_other;
