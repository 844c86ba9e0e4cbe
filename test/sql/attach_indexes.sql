--
-- attach(): indexes that exist are used
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'

-- Indexes that exist are used, in any order of the key; those that are partial, invalid or of another kind are not
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

-- A unique index on the UID and a part of the mailbox key: a warning, unless that part is a key itself
CREATE TABLE folder (tenant int, id int, PRIMARY KEY (tenant, id));
CREATE TABLE post (tenant int, id int, folder_id int, seen boolean, PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, folder_id) REFERENCES folder);
SELECT modseq.attach('post', 'folder', message_uid => 'id');
SELECT modseq.attach('post', 'folder', message_uid => 'uid');
CREATE UNIQUE INDEX post_part ON post (folder_id, uid);
SELECT modseq.attach('post', 'folder');
CREATE UNIQUE INDEX ON folder (id);
SELECT modseq.attach('post', 'folder');
DROP TABLE post, post_vanished, post_mailbox, folder;

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
