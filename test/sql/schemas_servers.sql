--
-- The tables of mail servers, with as few options as attach() needs for them, under the SQL that such a server
-- issues. Only the columns that matter; names and types are the server's own.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_servers;
SET search_path = t_servers;
\set VERBOSITY terse
RESET client_min_messages;

\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

--
-- Archiveopteryx: a message in several mailboxes, each of which numbers it; flags by mailbox and UID, as ids; it
-- counts UIDs and mod-sequences itself, in the transaction that uses them
--
CREATE TABLE mailboxes (
	id serial PRIMARY KEY, name text NOT NULL UNIQUE, uidnext int NOT NULL DEFAULT 1, nextmodseq bigint NOT NULL DEFAULT 1,
	first_recent int NOT NULL DEFAULT 1, uidvalidity int NOT NULL DEFAULT 1, deleted boolean NOT NULL DEFAULT false);
CREATE TABLE messages (id serial PRIMARY KEY, rfc822size int);
CREATE TABLE mailbox_messages (
	mailbox int NOT NULL REFERENCES mailboxes, uid int NOT NULL, message int NOT NULL REFERENCES messages, modseq bigint NOT NULL,
	seen boolean NOT NULL DEFAULT false, deleted boolean NOT NULL DEFAULT false, PRIMARY KEY (mailbox, uid));
CREATE TABLE flag_names (id serial PRIMARY KEY, name text);
CREATE UNIQUE INDEX ON flag_names (lower(name));
CREATE TABLE flags (
	mailbox int NOT NULL, uid int NOT NULL, flag int NOT NULL REFERENCES flag_names, PRIMARY KEY (mailbox, uid, flag),
	FOREIGN KEY (mailbox, uid) REFERENCES mailbox_messages ON DELETE CASCADE);
SELECT modseq.attach('mailbox_messages', 'mailboxes', 'flags');
SELECT flag_mailbox, flag_uid FROM modseq.stores WHERE message = 'mailbox_messages'::regclass;
INSERT INTO mailboxes (name) VALUES ('/users/a/INBOX'), ('/users/a/Trash');
INSERT INTO flag_names (name) VALUES ('\Answered'), ('$Forwarded');
INSERT INTO messages (rfc822size) SELECT 1000 FROM generate_series(1, 3);
-- Injection: reserve, then use
BEGIN;
SELECT id, uidnext, nextmodseq FROM mailboxes WHERE id = 1 FOR UPDATE;
UPDATE mailboxes SET uidnext = uidnext + 3, nextmodseq = nextmodseq + 1 WHERE id = 1;
INSERT INTO mailbox_messages (mailbox, uid, message, modseq) VALUES (1, 1, 1, 1), (1, 2, 2, 1), (1, 3, 3, 1);
INSERT INTO flags VALUES (1, 2, 2);
COMMIT;
SELECT * FROM told('mailbox_messages');
-- STORE
BEGIN;
SELECT nextmodseq FROM mailboxes WHERE id = 1 FOR UPDATE;
UPDATE mailbox_messages SET seen = true, modseq = 2 WHERE mailbox = 1 AND uid IN (1, 2) AND NOT seen;
INSERT INTO flags SELECT mailbox, uid, 1 FROM mailbox_messages WHERE mailbox = 1 AND uid = 1;
UPDATE mailboxes SET nextmodseq = 3 WHERE id = 1;
COMMIT;
SELECT * FROM told('mailbox_messages', 3);
-- MOVE: a copy, then the original goes
BEGIN;
SELECT id FROM mailboxes WHERE id IN (1, 2) ORDER BY id FOR UPDATE;
UPDATE mailboxes SET uidnext = uidnext + 1, nextmodseq = nextmodseq + 1 WHERE id = 2;
INSERT INTO mailbox_messages (mailbox, uid, message, modseq, seen) SELECT 2, 1, message, 1, seen FROM mailbox_messages WHERE mailbox = 1 AND uid = 1;
INSERT INTO flags SELECT 2, 1, flag FROM flags WHERE mailbox = 1 AND uid = 1;
DELETE FROM mailbox_messages WHERE mailbox = 1 AND uid = 1;
COMMIT;
SELECT * FROM told('mailbox_messages', 4);

--
-- DBMail: the message's number in the whole store is its key; UIDs are a column that attach() adds. Flags as
-- columns, keywords in a table.
--
CREATE TABLE dbmail_mailboxes (
	mailbox_idnr bigserial PRIMARY KEY, owner_idnr bigint, name varchar(255) NOT NULL, seq bigint NOT NULL DEFAULT 0);
CREATE TABLE dbmail_messages (
	message_idnr bigserial PRIMARY KEY, mailbox_idnr bigint REFERENCES dbmail_mailboxes ON DELETE CASCADE ON UPDATE CASCADE,
	seen_flag smallint NOT NULL DEFAULT 0, answered_flag smallint NOT NULL DEFAULT 0, deleted_flag smallint NOT NULL DEFAULT 0,
	flagged_flag smallint NOT NULL DEFAULT 0, recent_flag smallint NOT NULL DEFAULT 0, draft_flag smallint NOT NULL DEFAULT 0,
	unique_id varchar(70) NOT NULL, status smallint NOT NULL DEFAULT 0, seq bigint NOT NULL DEFAULT 0);
CREATE TABLE dbmail_keywords (
	message_idnr bigint NOT NULL REFERENCES dbmail_messages ON DELETE CASCADE ON UPDATE CASCADE,
	keyword varchar(64) NOT NULL, PRIMARY KEY (message_idnr, keyword));
INSERT INTO dbmail_mailboxes (owner_idnr, name) VALUES (1, 'INBOX'), (1, 'Archive');
INSERT INTO dbmail_messages (mailbox_idnr, unique_id) VALUES (1, 'a'), (2, 'b'), (1, 'c');
-- As UID it would be given out before the mailbox is locked, and be seen out of order
SELECT modseq.attach('dbmail_messages', 'dbmail_mailboxes', 'dbmail_keywords', message_uid => 'message_idnr');
SELECT modseq.attach('dbmail_messages', 'dbmail_mailboxes', 'dbmail_keywords');
INSERT INTO dbmail_messages (mailbox_idnr, unique_id, status) VALUES (1, 'd', 0) RETURNING message_idnr, uid;
UPDATE dbmail_messages SET seen_flag = 1, recent_flag = 0, status = 1, seq = 5 WHERE message_idnr = 1;
INSERT INTO dbmail_keywords VALUES (3, 'NonJunk');
UPDATE dbmail_messages SET recent_flag = 1 WHERE mailbox_idnr = 1;
UPDATE dbmail_messages SET mailbox_idnr = 2 WHERE message_idnr = 4;
DELETE FROM dbmail_messages WHERE message_idnr = 1 AND deleted_flag = 0;
SELECT * FROM told('dbmail_messages');

--
-- Apache James on PostgreSQL: the membership table has it all. It counts UIDs in a transaction before the one that
-- uses them, where others may see them in another order; so let UIDNEXT be a column of ours.
--
CREATE TABLE mailbox (
	mailbox_id uuid PRIMARY KEY, mailbox_name varchar(255) NOT NULL, mailbox_uid_validity bigint NOT NULL, user_name varchar(255),
	mailbox_namespace varchar(255) NOT NULL, mailbox_last_uid bigint, mailbox_highest_modseq bigint,
	UNIQUE (mailbox_name, user_name, mailbox_namespace));
CREATE TABLE message (message_id uuid PRIMARY KEY, size bigint NOT NULL);
CREATE TABLE message_mailbox (
	mailbox_id uuid NOT NULL, message_uid bigint NOT NULL, mod_seq bigint NOT NULL, message_id uuid NOT NULL REFERENCES message,
	is_deleted boolean NOT NULL DEFAULT false, is_answered boolean NOT NULL, is_draft boolean NOT NULL, is_flagged boolean NOT NULL,
	is_recent boolean NOT NULL, is_seen boolean NOT NULL, user_flags text[], PRIMARY KEY (mailbox_id, message_uid));
SELECT modseq.attach('message_mailbox', 'mailbox');
SELECT mailbox_uidvalidity, mailbox_last_uid, mailbox_highestmodseq, message_uid, message_modseq FROM modseq.stores WHERE mailbox = 'mailbox'::regclass;
SELECT modseq.attach('message_mailbox', 'mailbox', mailbox_uidnext => 'modseq_uidnext', mailbox_highestmodseq => 'modseq_highest');
\set box '\'00000000-0000-0000-0000-00000000000b\''
\set msg '\'00000000-0000-0000-0000-000000000001\''
INSERT INTO mailbox VALUES (:box, 'INBOX', 4711, 'bob', '#private');
INSERT INTO message VALUES (:msg, 1000);
UPDATE mailbox SET mailbox_last_uid = coalesce(mailbox_last_uid, 0) + 1 WHERE mailbox_id = :box RETURNING mailbox_last_uid;
UPDATE mailbox SET mailbox_highest_modseq = coalesce(mailbox_highest_modseq, 0) + 1 WHERE mailbox_id = :box RETURNING mailbox_highest_modseq;
INSERT INTO message_mailbox VALUES (:box, 1, 1, :msg, false, false, false, false, true, false, '{}');
UPDATE mailbox SET mailbox_last_uid = coalesce(mailbox_last_uid, 0) + 1 WHERE mailbox_id = :box RETURNING mailbox_last_uid;
INSERT INTO message_mailbox VALUES (:box, 2, 2, :msg, false, false, false, false, true, false, '{}');
SELECT * FROM told('message_mailbox');
UPDATE message_mailbox SET is_seen = true, is_recent = false, mod_seq = 7 WHERE mailbox_id = :box AND message_uid = 1;
UPDATE message_mailbox SET user_flags = array_cat(user_flags, '{$Phishing}'), mod_seq = 8 WHERE mailbox_id = :box AND message_uid = 2;
UPDATE message_mailbox SET is_recent = false WHERE mailbox_id = :box;
SELECT * FROM told('message_mailbox', 3);
DELETE FROM message_mailbox WHERE mailbox_id = :box AND message_uid = ANY ('{1}');
SELECT * FROM told('message_mailbox', 5);
-- A UID that comes after one that was counted later: clients that saw that one would never ask for it
INSERT INTO message_mailbox VALUES (:box, 4, 1, :msg, false, false, false, false, true, false, '{}');
INSERT INTO message_mailbox VALUES (:box, 3, 1, :msg, false, false, false, false, true, false, '{}');

--
-- Apache James with JPA: user flags in a table that is keyed by mailbox and UID
--
CREATE TABLE james_mailbox (
	mailbox_id bigint PRIMARY KEY, mailbox_highest_modseq bigint, mailbox_last_uid bigint, mailbox_name varchar(200) NOT NULL,
	mailbox_uid_validity bigint NOT NULL, user_name varchar(200));
CREATE TABLE james_mail (
	mailbox_id bigint NOT NULL REFERENCES james_mailbox, mail_uid bigint NOT NULL, mail_is_answered boolean NOT NULL,
	mail_is_deleted boolean NOT NULL, mail_is_recent boolean NOT NULL, mail_is_seen boolean NOT NULL, mail_modseq bigint,
	PRIMARY KEY (mailbox_id, mail_uid));
CREATE TABLE james_mail_userflag (
	userflag_id bigserial PRIMARY KEY, mailbox_id bigint, mail_uid bigint, userflag_name varchar(500) NOT NULL,
	FOREIGN KEY (mailbox_id, mail_uid) REFERENCES james_mail ON DELETE CASCADE);
SELECT modseq.attach('james_mail', 'james_mailbox', 'james_mail_userflag');
INSERT INTO james_mailbox VALUES (1, NULL, NULL, 'INBOX', 4711, 'bob');
-- Counters that are raised in the same transaction can be shared
BEGIN;
UPDATE james_mailbox SET mailbox_last_uid = coalesce(mailbox_last_uid, 0) + 1, mailbox_highest_modseq = coalesce(mailbox_highest_modseq, 0) + 1 WHERE mailbox_id = 1;
INSERT INTO james_mail VALUES (1, 1, false, false, true, false, 1);
COMMIT;
INSERT INTO james_mail_userflag (mailbox_id, mail_uid, userflag_name) VALUES (1, 1, 'Work');
UPDATE james_mail SET mail_is_seen = true WHERE mailbox_id = 1 AND mail_uid = 1;
SELECT * FROM told('james_mail');

--
-- maddy (go-imap-sql): UIDs are called msgId; flags by mailbox and UID, as text, and seen once more as a column
--
CREATE TABLE mboxes (
	id bigserial PRIMARY KEY, uid bigint NOT NULL, name varchar(255) NOT NULL, sub int NOT NULL DEFAULT 0, mark int NOT NULL DEFAULT 0,
	uidnext bigint NOT NULL DEFAULT 1, uidvalidity bigint NOT NULL, msgscount int NOT NULL DEFAULT 0, UNIQUE (uid, name));
CREATE TABLE msgs (
	mboxid bigint NOT NULL REFERENCES mboxes ON DELETE CASCADE, msgid bigint NOT NULL, mark int NOT NULL DEFAULT 0,
	seen smallint NOT NULL DEFAULT 0, recent smallint NOT NULL DEFAULT 1, PRIMARY KEY (mboxid, msgid));
CREATE TABLE msg_flags (
	mboxid bigint NOT NULL, msgid bigint NOT NULL, flag varchar(255) NOT NULL, UNIQUE (mboxid, msgid, flag),
	FOREIGN KEY (mboxid, msgid) REFERENCES msgs ON DELETE CASCADE);
SELECT modseq.attach('msgs', 'mboxes', 'msg_flags', message_uid => 'msgid');
INSERT INTO mboxes (uid, name, uidvalidity) VALUES (1, 'INBOX', 71), (1, 'Junk', 72);
BEGIN;
SELECT uidnext FROM mboxes WHERE id = 1;
UPDATE mboxes SET uidnext = uidnext + 2, msgscount = msgscount + 2 WHERE id = 1;
INSERT INTO msgs (mboxid, msgid) VALUES (1, 1);
INSERT INTO msgs (mboxid, msgid) VALUES (1, 2);
COMMIT;
INSERT INTO msg_flags VALUES (1, 1, '\Seen'), (1, 1, 'Work') ON CONFLICT DO NOTHING;
UPDATE msgs SET seen = 1 WHERE mboxid = 1 AND msgid = 1;
UPDATE msgs SET mark = 1 WHERE mboxid = 1;
SELECT * FROM told('msgs', 3);
-- Its MOVE copies what is marked, and deletes it; UIDs by row number over uidnext
BEGIN;
UPDATE mboxes SET uidnext = uidnext + 1 WHERE id = 2;
INSERT INTO msgs (mboxid, msgid, seen) SELECT 2, 1 + row_number() OVER (ORDER BY msgid) - 1, seen FROM msgs WHERE mboxid = 1 AND msgid = 1;
INSERT INTO msg_flags SELECT 2, 1, flag FROM msg_flags WHERE mboxid = 1 AND msgid = 1;
DELETE FROM msgs WHERE mboxid = 1 AND msgid = 1;
COMMIT;
SELECT * FROM told('msgs', 3);

--
-- hMailServer: every column has its table's name in front; flags are bits
--
CREATE TABLE hm_imapfolders (
	folderid bigserial PRIMARY KEY, folderaccountid int NOT NULL, folderparentid int NOT NULL, foldername varchar(255) NOT NULL,
	folderissubscribed smallint NOT NULL, foldercurrentuid bigint NOT NULL);
CREATE TABLE hm_messages (
	messageid bigserial PRIMARY KEY, messageaccountid int NOT NULL, messagefolderid int NOT NULL DEFAULT 0, messagetype smallint NOT NULL,
	messageflags smallint NOT NULL DEFAULT 0, messagelocked smallint NOT NULL DEFAULT 0, messageuid bigint NOT NULL);
SELECT modseq.attach('hm_messages', 'hm_imapfolders');
INSERT INTO hm_imapfolders (folderaccountid, folderparentid, foldername, folderissubscribed, foldercurrentuid) VALUES (1, -1, 'INBOX', 1, 0);
BEGIN;
UPDATE hm_imapfolders SET foldercurrentuid = foldercurrentuid + 1 WHERE folderid = 1;
INSERT INTO hm_messages (messageaccountid, messagefolderid, messagetype, messageuid)
	SELECT 1, folderid, 2, foldercurrentuid FROM hm_imapfolders WHERE folderid = 1;
COMMIT;
UPDATE hm_messages SET messageflags = messageflags | 1 WHERE messageid = 1;
UPDATE hm_messages SET messagelocked = 1 WHERE messageid = 1;
SELECT * FROM told('hm_messages');

--
-- WildDuck, whose documents have become rows: keys of 12 bytes, names in camel case, flags that say unseen
--
CREATE TABLE wd_mailboxes (
	_id bytea PRIMARY KEY, "user" bytea, path text, "uidValidity" bigint, "uidNext" bigint NOT NULL DEFAULT 1, "modifyIndex" bigint NOT NULL DEFAULT 0);
CREATE TABLE wd_messages (
	_id bytea PRIMARY KEY, mailbox bytea NOT NULL REFERENCES wd_mailboxes, uid int, modseq bigint, flags text[] NOT NULL DEFAULT '{}',
	unseen boolean NOT NULL DEFAULT true, undeleted boolean NOT NULL DEFAULT true, searchable boolean);
SELECT modseq.attach('wd_messages', 'wd_mailboxes');
INSERT INTO wd_mailboxes VALUES ('\x6001', '\x00', 'INBOX', 71), ('\x6002', '\x00', 'Trash', 72);
-- findOneAndUpdate({$inc: {uidNext: 1, modifyIndex: 1}}), and the message
WITH box AS (UPDATE wd_mailboxes SET "uidNext" = "uidNext" + 1, "modifyIndex" = "modifyIndex" + 1 WHERE _id = '\x6001'
	RETURNING _id, "uidNext" - 1 AS uid, "modifyIndex" AS modseq)
INSERT INTO wd_messages (_id, mailbox, uid, modseq) SELECT '\x7001', _id, uid, modseq FROM box;
WITH box AS (UPDATE wd_mailboxes SET "uidNext" = "uidNext" + 1, "modifyIndex" = "modifyIndex" + 1 WHERE _id = '\x6001'
	RETURNING _id, "uidNext" - 1 AS uid, "modifyIndex" AS modseq)
INSERT INTO wd_messages (_id, mailbox, uid, modseq) SELECT '\x7002', _id, uid, modseq FROM box;
UPDATE wd_messages SET flags = flags || '{\\Seen}'::text[], unseen = false WHERE _id = '\x7001';
UPDATE wd_messages SET undeleted = false, searchable = true WHERE _id = '\x7002';
UPDATE wd_messages SET mailbox = '\x6002' WHERE _id = '\x7002';
SELECT * FROM told('wd_messages');

--
-- mox, whose structs have become rows: expunged messages stay for a while, with Expunged set
--
CREATE TABLE mox_mailbox ("ID" bigint PRIMARY KEY, "Name" text UNIQUE, "UIDValidity" bigint, "UIDNext" bigint NOT NULL DEFAULT 1, "ModSeq" bigint);
CREATE TABLE mox_message (
	"ID" bigint PRIMARY KEY, "UID" bigint NOT NULL, "MailboxID" bigint NOT NULL REFERENCES mox_mailbox, "ModSeq" bigint, "CreateSeq" bigint,
	"Expunged" boolean NOT NULL DEFAULT false, "Seen" boolean, "Notjunk" boolean, "MDNSent" boolean, "Keywords" text[]);
SELECT modseq.attach('mox_message', 'mox_mailbox', message_expunged => 'Expunged');
INSERT INTO mox_mailbox VALUES (1, 'Inbox', 71), (2, 'Archive', 72);
BEGIN;
UPDATE mox_mailbox SET "UIDNext" = "UIDNext" + 2, "ModSeq" = 1 WHERE "ID" = 1;
INSERT INTO mox_message ("ID", "UID", "MailboxID", "ModSeq", "CreateSeq") VALUES (1, 1, 1, 1, 1), (2, 2, 1, 1, 1);
COMMIT;
UPDATE mox_message SET "Keywords" = '{work}' WHERE "ID" = 2;
-- Its MOVE: the message is another one there, and the old one is expunged
BEGIN;
UPDATE mox_mailbox SET "UIDNext" = "UIDNext" + 1 WHERE "ID" = 2;
INSERT INTO mox_message ("ID", "UID", "MailboxID", "Keywords") SELECT 3, 1, 2, "Keywords" FROM mox_message WHERE "ID" = 2;
UPDATE mox_message SET "Expunged" = true, "Keywords" = NULL WHERE "ID" = 2;
COMMIT;
SELECT * FROM told('mox_message');
DELETE FROM mox_message WHERE "Expunged";
SELECT * FROM told('mox_message', 3);
-- DBMail's status says the same from 2 on; a generated column tells
ALTER TABLE dbmail_messages ADD COLUMN expunged boolean GENERATED ALWAYS AS (status >= 2) STORED;
SELECT modseq.attach('dbmail_messages', 'dbmail_mailboxes', 'dbmail_keywords', message_expunged => 'expunged');
UPDATE dbmail_messages SET status = 2 WHERE message_idnr = 3;
UPDATE dbmail_messages SET status = 3 WHERE message_idnr = 3;
SELECT * FROM told('dbmail_messages', 4);

--
-- Zimbra: messages and folders are items of one table, which cannot be two tables of a store. A table of the folders
-- beside it serves; flags are bits, tags are text, unread is a number.
--
CREATE TABLE mail_item (
	mailbox_id bigint NOT NULL, id int NOT NULL, type smallint NOT NULL, folder_id int, imap_id int, unread int, flags int NOT NULL DEFAULT 0,
	tag_names text, mod_metadata int NOT NULL, mod_content int NOT NULL, PRIMARY KEY (mailbox_id, id));
CREATE TABLE imap_folder (mailbox_id bigint NOT NULL, id int NOT NULL, PRIMARY KEY (mailbox_id, id));
SELECT modseq.attach('mail_item', 'mail_item');
SELECT modseq.attach('mail_item', 'imap_folder', message_mailbox => '{mailbox_id,folder_id}', message_flags => '{unread,flags,tag_names}');
INSERT INTO imap_folder VALUES (7, 2), (7, 3);
INSERT INTO mail_item (mailbox_id, id, type, folder_id, imap_id, unread, mod_metadata, mod_content) VALUES (7, 257, 5, 2, 257, 1, 1, 1), (7, 258, 5, 2, 258, 1, 1, 1);
UPDATE mail_item SET unread = 0, mod_metadata = 3 WHERE mailbox_id = 7 AND id = 257;
UPDATE mail_item SET folder_id = 3, imap_id = 259 WHERE mailbox_id = 7 AND id = 258;
SELECT * FROM told('mail_item');

SET client_min_messages = warning;
DROP SCHEMA t_servers CASCADE;
