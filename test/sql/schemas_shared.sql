--
-- A message in several mailboxes. The membership table is the store's message table; flags that belong to the message
-- itself are in a table keyed by the message, or in the table of the messages, and one change stamps all memberships.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_shared;
SET search_path = t_shared;
\set VERBOSITY terse
RESET client_min_messages;

\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

--
-- Geary: flags are words in a column of the shared message. The foreign key from membership to message says so.
--
CREATE TABLE "FolderTable" (id serial PRIMARY KEY, name text NOT NULL, uid_validity int, uid_next int, attributes text);
CREATE TABLE "MessageTable" (id serial PRIMARY KEY, subject text, flags text);
CREATE TABLE "MessageLocationTable" (
	id serial PRIMARY KEY, message_id int REFERENCES "MessageTable" ON DELETE CASCADE,
	folder_id int REFERENCES "FolderTable" ON DELETE CASCADE, ordering int, remove_marker int DEFAULT 0);
SELECT modseq.attach('"MessageLocationTable"', '"FolderTable"', '"MessageTable"', message_uid => 'ordering', flag_columns => '{flags}');
SELECT message_key, flag_message FROM modseq.stores WHERE message = '"MessageLocationTable"'::regclass;
INSERT INTO "FolderTable" (name) VALUES ('INBOX'), ('All mail'), ('Trash');
INSERT INTO "MessageTable" (subject) VALUES ('a'), ('b'), ('c');
INSERT INTO "MessageLocationTable" (message_id, folder_id, ordering) VALUES (1, 1, 7), (2, 1, 8), (1, 2, 100), (2, 2, 101), (3, 3, NULL);
SELECT * FROM told('"MessageLocationTable"');
-- One change, two mailboxes; another column, none
UPDATE "MessageTable" SET flags = '\Seen \Flagged' WHERE id = 1;
UPDATE "MessageTable" SET subject = 'x';
SELECT * FROM told('"MessageLocationTable"', 2);
-- Out of one mailbox, and into another; a message of nowhere
DELETE FROM "MessageLocationTable" WHERE message_id = 1 AND folder_id = 1;
UPDATE "MessageLocationTable" SET folder_id = 3, ordering = NULL WHERE message_id = 2 AND folder_id = 1;
INSERT INTO "MessageTable" (subject, flags) VALUES ('d', '\Draft');
UPDATE "MessageTable" SET flags = '\Seen' WHERE id = 4;
UPDATE "MessageTable" SET flags = '\Seen';
SELECT * FROM told('"MessageLocationTable"', 3);
-- The message itself goes, from all
DELETE FROM "MessageTable" WHERE id = 2;
SELECT * FROM told('"MessageLocationTable"', 4);
-- Flags and memberships in one statement; both are locked in the order of mailbox and UID
BEGIN;
SELECT mailbox, highestmodseq FROM modseq.lock('"MessageLocationTable"', ARRAY[3, 2, 1]);
WITH new AS (INSERT INTO "MessageLocationTable" (message_id, folder_id) VALUES (1, 1), (3, 2))
UPDATE "MessageTable" SET flags = NULL WHERE id IN (1, 3);
COMMIT;
SELECT * FROM told('"MessageLocationTable"', 4);

--
-- Whoever arrives looks for its flags by an index
--
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (message int, box_id int NOT NULL);
CREATE TABLE flag (message int, flag text, PRIMARY KEY (message, flag));
SELECT modseq.attach('mail', 'box', 'flag', message_key => '{message}', flag_message => '{message}') \g /dev/null
INSERT INTO box VALUES (1), (2);
INSERT INTO flag VALUES (1, 'a'), (2, 'a');
BEGIN;
SELECT pg_stat_get_xact_numscans('flag'::regclass) AS whole, pg_stat_get_xact_numscans('flag_pkey'::regclass) AS by_key \gset
INSERT INTO mail VALUES (1, 1), (2, 1), (1, 2);
SELECT pg_stat_get_xact_numscans('flag'::regclass) - :whole AS whole, pg_stat_get_xact_numscans('flag_pkey'::regclass) > :by_key AS by_key;
COMMIT;
DROP TABLE flag, mail, mail_vanished, mail_mailbox, box;

--
-- Gluon (Proton Mail Bridge): flags of the shared message in a table of their own; \Deleted belongs to the membership.
-- Membership and flags refer to a third table; that it has a column message_id of the same type as our key id is no
-- reference.
--
CREATE TABLE mailboxes (id varchar PRIMARY KEY, name varchar UNIQUE, uid_validity bigint, subscribed bool);
CREATE TABLE messages (id varchar PRIMARY KEY, deleted bool NOT NULL DEFAULT false);
CREATE TABLE message_flags (id serial PRIMARY KEY, value varchar NOT NULL, message_id varchar NOT NULL REFERENCES messages ON DELETE CASCADE);
CREATE TABLE uids (
	id varchar PRIMARY KEY DEFAULT md5(random()::text), uid bigint NOT NULL, deleted bool NOT NULL DEFAULT false, recent bool NOT NULL DEFAULT true,
	mailbox_ui_ds varchar REFERENCES mailboxes ON DELETE CASCADE, message_id varchar REFERENCES messages ON DELETE CASCADE);
SELECT modseq.attach('uids', 'mailboxes', 'message_flags');
SELECT message_key, flag_message FROM modseq.stores WHERE message = 'uids'::regclass;
INSERT INTO mailboxes (id, name) VALUES ('0', 'INBOX'), ('5', 'All Mail');
INSERT INTO messages VALUES ('m1'), ('m2');
INSERT INTO uids (uid, mailbox_ui_ds, message_id) VALUES (1, '0', 'm1'), (1, '5', 'm1'), (2, '5', 'm2');
INSERT INTO message_flags (value, message_id) VALUES ('\Seen', 'm1'), ('\Flagged', 'm1');
UPDATE uids SET deleted = true WHERE mailbox_ui_ds = '5' AND message_id = 'm1';
SELECT * FROM told('uids', 2);
DELETE FROM message_flags WHERE value = '\Flagged';
UPDATE message_flags SET message_id = 'm2';
SELECT * FROM told('uids', 3);
DELETE FROM messages WHERE id = 'm1';
SELECT * FROM told('uids', 4);
TRUNCATE message_flags;
SELECT * FROM told('uids', 6);

--
-- JMAP proxy: no foreign key at all; the shared message's key has the same name in both tables
--
CREATE TABLE jmailboxes (jmailboxid text PRIMARY KEY, name text, jmodseq int, active boolean);
CREATE TABLE jmessages (msgid text PRIMARY KEY, thrid text, "isDraft" boolean, "isUnread" boolean, keywords text, jmodseq int, active boolean);
CREATE TABLE jmessagemap (jmailboxid text, msgid text, jmodseq int, active boolean, PRIMARY KEY (jmailboxid, msgid));
SELECT modseq.attach('jmessagemap', 'jmailboxes', 'jmessages', flag_columns => '{isDraft,isUnread,keywords}');
SELECT message_mailbox, message_key, flag_message FROM modseq.stores WHERE message = 'jmessagemap'::regclass;
INSERT INTO jmailboxes VALUES ('b1', 'Inbox'), ('b2', 'Archive');
INSERT INTO jmessages VALUES ('m1', 't1', false, true, '[]'), ('m2', 't1', false, true, '[]');
INSERT INTO jmessagemap VALUES ('b1', 'm1'), ('b1', 'm2'), ('b2', 'm1');
UPDATE jmessages SET "isUnread" = false, jmodseq = 4 WHERE msgid = 'm1';
UPDATE jmessages SET jmodseq = 5, thrid = 't2';
SELECT * FROM told('jmessagemap', 2);

--
-- Delta Chat: mailboxes of two columns, and messages by Message-ID, which many rows may have. Nextcloud Mail keeps its
-- tags in the same way.
--
CREATE TABLE imap_sync (transport_id int, folder text, uidvalidity int NOT NULL DEFAULT 0, uid_next int NOT NULL DEFAULT 0, modseq int NOT NULL DEFAULT 0, UNIQUE (transport_id, folder));
CREATE TABLE msgs (id serial PRIMARY KEY, rfc724_mid text, state int, starred int NOT NULL DEFAULT 0);
CREATE TABLE imap (
	id serial PRIMARY KEY, transport_id int NOT NULL, rfc724_mid text NOT NULL, folder text NOT NULL, uid int NOT NULL, uidvalidity int NOT NULL,
	UNIQUE (transport_id, folder, uid, uidvalidity));
SELECT modseq.attach('imap', 'imap_sync', 'msgs', mailbox_key => '{transport_id,folder}', message_key => '{rfc724_mid}', flag_message => '{rfc724_mid}');
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT modseq.attach('imap', 'imap_sync', 'msgs', mailbox_key => '{transport_id,folder}', message_key => '{rfc724_mid}', flag_message => '{rfc724_mid}', mailbox_uidvalidity => 'no');
\set VERBOSITY terse
SELECT modseq.attach('imap', 'imap_sync', 'msgs', mailbox_key => '{transport_id,folder}', message_key => '{rfc724_mid}', flag_message => '{rfc724_mid}', mailbox_highestmodseq => 'highestmodseq');
INSERT INTO imap_sync VALUES (1, 'INBOX', 71), (1, 'DeltaChat', 72), (2, 'INBOX', 73);
INSERT INTO imap (transport_id, rfc724_mid, folder, uid, uidvalidity) VALUES (1, 'a@b', 'INBOX', 5, 71), (1, 'a@b', 'DeltaChat', 2, 72), (2, 'c@d', 'INBOX', 1, 73);
INSERT INTO msgs (rfc724_mid, state) VALUES ('a@b', 10), ('c@d', 10);
SELECT * FROM told('imap', 2);
UPDATE msgs SET state = 16 WHERE rfc724_mid = 'a@b';
SELECT * FROM told('imap', 3);

--
-- Akonadi: an item is in one collection, and virtual collections have it too; each kind of membership is a store
--
CREATE TABLE collectiontable (id bigserial PRIMARY KEY, name text);
CREATE TABLE virtualcollection (id bigint PRIMARY KEY);
CREATE TABLE flagtable (id bigserial PRIMARY KEY, name text UNIQUE);
CREATE TABLE pimitemtable (id bigserial PRIMARY KEY, rev int NOT NULL DEFAULT 0, collectionid bigint REFERENCES collectiontable ON DELETE CASCADE, dirty boolean);
CREATE TABLE pimitemflagrelation (
	pimitem_id bigint NOT NULL REFERENCES pimitemtable ON DELETE CASCADE, flag_id bigint NOT NULL REFERENCES flagtable ON DELETE CASCADE,
	PRIMARY KEY (pimitem_id, flag_id));
CREATE TABLE collectionpimitemrelation (collection_id bigint REFERENCES virtualcollection, pimitem_id bigint REFERENCES pimitemtable ON DELETE CASCADE, PRIMARY KEY (collection_id, pimitem_id));
SELECT modseq.attach('pimitemtable', 'collectiontable', 'pimitemflagrelation');
-- A flag table can be in one store only
SELECT modseq.attach('collectionpimitemrelation', 'virtualcollection', 'pimitemflagrelation', message_key => '{pimitem_id}', flag_message => '{pimitem_id}');
INSERT INTO collectiontable (name) VALUES ('inbox');
INSERT INTO flagtable (name) VALUES ('\SEEN');
INSERT INTO pimitemtable (collectionid) VALUES (1), (1);
INSERT INTO pimitemflagrelation VALUES (2, 1);
DELETE FROM flagtable;
SELECT * FROM told('pimitemtable', 2);

SET client_min_messages = warning;
DROP SCHEMA t_shared CASCADE;
