--
-- The tables of programs that keep mail for a client or a sync engine, with as few options as attach() needs for them
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_clients;
SET search_path = t_clients;
\set VERBOSITY terse
RESET client_min_messages;

\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

--
-- Nylas sync engine: counters in a table beside the folders, which is the mailbox table here
--
CREATE TABLE folder (id bigserial PRIMARY KEY, account_id bigint NOT NULL, name varchar(191));
CREATE TABLE imapfolderinfo (
	id bigserial PRIMARY KEY, account_id bigint NOT NULL, folder_id bigint NOT NULL REFERENCES folder, uidvalidity bigint NOT NULL,
	highestmodseq bigint, uidnext int, UNIQUE (account_id, folder_id));
CREATE TABLE imapuid (
	id bigserial PRIMARY KEY, account_id bigint NOT NULL, message_id bigint, folder_id bigint NOT NULL REFERENCES folder, msg_uid bigint NOT NULL,
	is_draft boolean NOT NULL DEFAULT false, is_seen boolean NOT NULL DEFAULT false, is_flagged boolean NOT NULL DEFAULT false,
	is_recent boolean NOT NULL DEFAULT false, extra_flags text NOT NULL DEFAULT '', g_labels text, UNIQUE (folder_id, msg_uid, account_id));
-- folder_id is not the id of imapfolderinfo
SELECT modseq.attach('imapuid', 'imapfolderinfo');
SELECT modseq.attach('imapuid', 'imapfolderinfo', mailbox_key => '{account_id,folder_id}');
INSERT INTO folder (account_id, name) VALUES (7, 'INBOX'), (7, 'Sent');
INSERT INTO imapfolderinfo (account_id, folder_id, uidvalidity) VALUES (7, 1, 71), (7, 2, 72);
INSERT INTO imapuid (account_id, folder_id, msg_uid, is_recent) VALUES (7, 1, 100, true), (7, 1, 101, true), (7, 2, 5, false);
UPDATE imapuid SET is_seen = true, is_recent = false WHERE folder_id = 1 AND msg_uid = 100;
UPDATE imapuid SET extra_flags = '["$Forwarded"]' WHERE folder_id = 2;
UPDATE imapuid SET is_recent = false;
DELETE FROM imapuid WHERE msg_uid = 101;
SELECT * FROM told('imapuid');

--
-- Nextcloud Mail: ten flags, no foreign key; tags by Message-ID
--
CREATE TABLE oc_mail_mailboxes (id bigserial PRIMARY KEY, name varchar(255), account_id int, messages int, unseen int);
CREATE TABLE oc_mail_messages (
	id bigserial PRIMARY KEY, uid int NOT NULL, message_id varchar(1023), mailbox_id bigint NOT NULL, subject varchar(255), updated_at int,
	flag_answered boolean NOT NULL DEFAULT false, flag_deleted boolean NOT NULL DEFAULT false, flag_draft boolean NOT NULL DEFAULT false,
	flag_flagged boolean NOT NULL DEFAULT false, flag_seen boolean NOT NULL DEFAULT false, flag_forwarded boolean NOT NULL DEFAULT false,
	flag_junk boolean NOT NULL DEFAULT false, flag_notjunk boolean NOT NULL DEFAULT false, flag_important boolean NOT NULL DEFAULT false,
	flag_mdnsent boolean NOT NULL DEFAULT false, UNIQUE (uid, mailbox_id));
CREATE TABLE oc_mail_message_tags (id bigserial PRIMARY KEY, imap_message_id varchar(1023) NOT NULL, tag_id int NOT NULL);
SELECT modseq.attach('oc_mail_messages', 'oc_mail_mailboxes', 'oc_mail_message_tags');
SELECT modseq.attach('oc_mail_messages', 'oc_mail_mailboxes', 'oc_mail_message_tags', message_key => '{message_id}', flag_message => '{imap_message_id}');
INSERT INTO oc_mail_mailboxes (name) VALUES ('INBOX'), ('Archive');
INSERT INTO oc_mail_messages (uid, message_id, mailbox_id) VALUES (1, 'a@b', 1), (2, 'c@d', 1), (1, 'a@b', 2);
INSERT INTO oc_mail_message_tags (imap_message_id, tag_id) VALUES ('a@b', 1);
UPDATE oc_mail_messages SET flag_mdnsent = true WHERE uid = 2;
UPDATE oc_mail_messages SET updated_at = 4711;
SELECT * FROM told('oc_mail_messages');

--
-- K-9 Mail: its UIDs are text, so ours have another name; flags are numbers, a word of which one is reserved
--
CREATE TABLE folders (id serial PRIMARY KEY, name text, unread_count int);
CREATE TABLE messages (
	id serial PRIMARY KEY, folder_id int, uid text, subject text, flags text, read int DEFAULT 0, flagged int DEFAULT 0,
	answered int DEFAULT 0, forwarded int DEFAULT 0, deleted int DEFAULT 0);
SELECT modseq.attach('messages', 'folders');
SELECT modseq.attach('messages', 'folders', message_uid => 'imap_uid');
INSERT INTO folders (name) VALUES ('INBOX');
INSERT INTO messages (folder_id, uid) VALUES (1, 'K9LOCAL:1'), (1, '17');
UPDATE messages SET read = 1 WHERE uid = '17';
SELECT * FROM told('messages');

--
-- Mailspring: names in quotes and camel case, keys of 40 characters, unread and starred
--
CREATE TABLE "Folder" (id varchar(40) PRIMARY KEY, "accountId" varchar(8), path text);
CREATE TABLE "Message" (
	id varchar(40) PRIMARY KEY, "accountId" varchar(8), data jsonb, unread smallint, starred smallint, draft smallint,
	"remoteUID" int, "remoteXGMLabels" text, "remoteFolderId" varchar(40));
SELECT modseq.attach('"Message"', '"Folder"', message_mailbox => '{remoteFolderId}', message_uid => 'remoteUID',
	message_flags => '{unread,starred,draft,remoteXGMLabels}');
INSERT INTO "Folder" VALUES ('f1'), ('f2');
INSERT INTO "Message" (id, unread, "remoteFolderId", "remoteUID") VALUES ('m1', 1, 'f1', 10), ('m2', 1, 'f1', 11);
UPDATE "Message" SET unread = 0, data = '{}' WHERE id = 'm1';
UPDATE "Message" SET "remoteFolderId" = 'f2', "remoteUID" = 70 WHERE id = 'm2';
SELECT * FROM told('"Message"');

--
-- Roundcube's cache: no table of mailboxes but that of the cached indexes; three columns name a message
--
CREATE TABLE cache_index (user_id int NOT NULL, mailbox varchar(255) NOT NULL, valid smallint NOT NULL DEFAULT 0, data text NOT NULL, PRIMARY KEY (user_id, mailbox));
CREATE TABLE cache_messages (user_id int NOT NULL, mailbox varchar(255) NOT NULL, uid int NOT NULL, data text NOT NULL, flags int NOT NULL DEFAULT 0, PRIMARY KEY (user_id, mailbox, uid));
SELECT modseq.attach('cache_messages', 'cache_index');
INSERT INTO cache_index VALUES (1, 'INBOX', 0, ''), (2, 'INBOX', 0, '');
INSERT INTO cache_messages VALUES (1, 'INBOX', 5, ''), (1, 'INBOX', 6, ''), (2, 'INBOX', 5, '');
UPDATE cache_messages SET flags = flags | 2 WHERE user_id = 1 AND mailbox = 'INBOX' AND uid IN (5);
INSERT INTO cache_messages VALUES (1, 'INBOX', 6, 'x') ON CONFLICT (user_id, mailbox, uid) DO UPDATE SET data = excluded.data, flags = excluded.flags;
DELETE FROM cache_messages WHERE user_id = 2;
SELECT * FROM told('cache_messages');

--
-- Trojita: all keyed by the mailbox's name; the flags of a message are one value, in a table with its own table's name
--
CREATE TABLE mailbox_sync_state (mailbox text PRIMARY KEY, sync_state bytea);
CREATE TABLE msg_metadata (mailbox text NOT NULL, uid int NOT NULL, data bytea, PRIMARY KEY (mailbox, uid));
CREATE TABLE flags (mailbox text NOT NULL, uid int NOT NULL, flags bytea, PRIMARY KEY (mailbox, uid));
SELECT modseq.attach('msg_metadata', 'mailbox_sync_state', 'flags');
INSERT INTO mailbox_sync_state VALUES ('INBOX');
INSERT INTO msg_metadata VALUES ('INBOX', 1), ('INBOX', 2);
INSERT INTO flags VALUES ('INBOX', 1, '\x00'), ('INBOX', 3, '\x00');
UPDATE flags SET flags = '\x01' WHERE uid = 1;
UPDATE flags SET flags = '\x01' WHERE uid = 1;
DELETE FROM flags WHERE uid = 3;
SELECT * FROM told('msg_metadata');

--
-- Tine 2.0: a flag names message, folder and account
--
CREATE TABLE felamimail_folder (id varchar(40) PRIMARY KEY, account_id varchar(40), globalname varchar(255), imap_uidvalidity bigint, cache_uidvalidity bigint);
CREATE TABLE felamimail_cache_message (
	id varchar(40) PRIMARY KEY, messageuid bigint NOT NULL, folder_id varchar(40) NOT NULL REFERENCES felamimail_folder ON DELETE CASCADE,
	account_id varchar(40), UNIQUE (messageuid, folder_id));
CREATE TABLE felamimail_cache_msg_flag (
	message_id varchar(40) NOT NULL REFERENCES felamimail_cache_message ON DELETE CASCADE, flag varchar(64) NOT NULL, folder_id varchar(40) NOT NULL,
	account_id varchar(40), PRIMARY KEY (message_id, flag));
SELECT modseq.attach('felamimail_cache_message', 'felamimail_folder', 'felamimail_cache_msg_flag');
SELECT message_key, flag_message, flag_mailbox, flag_uid FROM modseq.stores WHERE message = 'felamimail_cache_message'::regclass;
INSERT INTO felamimail_folder (id) VALUES ('f1');
INSERT INTO felamimail_cache_message VALUES ('m1', 1, 'f1'), ('m2', 2, 'f1');
INSERT INTO felamimail_cache_msg_flag VALUES ('m2', '\Seen', 'f1');
DELETE FROM felamimail_cache_message WHERE id = 'm2';
SELECT * FROM told('felamimail_cache_message');

--
-- FairEmail: the folder's mod-sequence is called modseq, as a message's is elsewhere
--
CREATE TABLE ffolder (id serial PRIMARY KEY, name text, uidv bigint, modseq bigint);
CREATE TABLE fmessage (
	id serial PRIMARY KEY, folder int NOT NULL REFERENCES ffolder ON DELETE CASCADE, uid bigint, seen boolean NOT NULL, answered boolean NOT NULL,
	flagged boolean NOT NULL, deleted boolean NOT NULL, keywords text, ui_seen boolean, UNIQUE (folder, uid));
SELECT modseq.attach('fmessage', 'ffolder', mailbox_uidvalidity => 'uidv');
INSERT INTO ffolder (name) VALUES ('INBOX');
INSERT INTO fmessage (folder, seen, answered, flagged, deleted) VALUES (1, false, false, false, false);
UPDATE fmessage SET ui_seen = true;
UPDATE fmessage SET keywords = '$Work $Later', seen = true;
SELECT * FROM told('fmessage');

--
-- A rule of thumb must not take a column for what it is not: a user is no mailbox, and the message of another table is
-- not ours
--
CREATE TABLE users (id int PRIMARY KEY);
CREATE TABLE box (id int PRIMARY KEY, owner_id int REFERENCES users);
CREATE TABLE part (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int REFERENCES users, uid bigint, seen boolean);
CREATE TABLE mark (message_id int REFERENCES part, mark text);
SELECT modseq.attach('mail', 'box');
ALTER TABLE mail ADD COLUMN box_id int REFERENCES box;
SELECT modseq.attach('mail', 'box', 'mark');
-- A key that is unique and not primary, where that is what messages refer to
CREATE TABLE box2 (id serial PRIMARY KEY, path text UNIQUE);
CREATE TABLE mail2 (id int PRIMARY KEY, box_id int, path text REFERENCES box2 (path) ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail2', 'box2');
SELECT mailbox_key, message_mailbox FROM modseq.stores WHERE message = 'mail2'::regclass;

SET client_min_messages = warning;
DROP SCHEMA t_clients CASCADE;
