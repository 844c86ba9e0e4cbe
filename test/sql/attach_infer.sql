--
-- attach(): what it infers where no option says it, by foreign keys, by usual names, by types
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached

-- Foreign keys, usual names and an index
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
SELECT attached($$'app_message', 'app_folder', 'app_flag', flag_message => '{id}', flag_columns => '{flag}'$$);
DROP TABLE app_message, app_folder, app_flag;

-- Keys of several columns
CREATE TABLE box (tenant int, name text, PRIMARY KEY (tenant, name));
CREATE TABLE msg (tenant int, box_name varchar, uid bigint);
CREATE TABLE label (tenant int, box_name text, uid bigint, label text);
SELECT attached($$'msg', 'box', 'label'$$);
DROP TABLE label, msg, box;

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

-- Soft delete is never inferred, but what looks like it is told, by name and by type; a flag may be one, too
CREATE TABLE soft_box (id int PRIMARY KEY);
CREATE TABLE soft_mail (box_id int REFERENCES soft_box, seen boolean, deleted boolean, deleted_at timestamptz,
	is_deleted boolean, trashed_on date, "wasRemoved" smallint, expunged text, undeleted boolean, deleted_by bigint);
SELECT modseq.attach('soft_mail', 'soft_box') \g /dev/null
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'soft_mail'::regclass;
SELECT modseq.attach('soft_mail', message_expunged => 'deleted_at') \g /dev/null
DROP TABLE soft_mail, soft_box;

-- Nor is a flag table, and what looks like one is told: a partitioned one once, and none that refers to other tables
CREATE TABLE flag_box (id int PRIMARY KEY);
CREATE TABLE flag_mail (id int PRIMARY KEY, box_id int REFERENCES flag_box, labels text[]);
CREATE TABLE flag_mail_flag (mail_id int REFERENCES flag_mail, flag text) PARTITION BY HASH (mail_id);
CREATE TABLE part_of_flag PARTITION OF flag_mail_flag FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE "mailTags" (mail_id int REFERENCES flag_mail, answers int REFERENCES flag_mail, tag text);
CREATE TABLE flag_history (mail_id int REFERENCES flag_mail);
CREATE TABLE box_flag (box_id int REFERENCES flag_box);
CREATE TABLE keyword (mail_id int);
SELECT modseq.attach('flag_mail', 'flag_box') \g /dev/null
SELECT modseq.attach('flag_mail', flag => 'flag_mail_flag') \g /dev/null
DROP TABLE keyword, box_flag, flag_history, "mailTags", flag_mail_flag;
SELECT modseq.attach('flag_mail', reset => '{flag}') \g /dev/null
DROP TABLE flag_mail, flag_box;

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
