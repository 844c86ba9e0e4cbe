--
-- Counters in a side table whose rows modseq keeps, for an application that knows nothing of it
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_counters;
SET search_path = t_counters;
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE account (name text PRIMARY KEY);
CREATE TABLE mailbox (
	account text REFERENCES account ON DELETE CASCADE ON UPDATE CASCADE,
	name varchar(40),
	special boolean,
	PRIMARY KEY (account, name));
CREATE TABLE mail (
	id int PRIMARY KEY,
	account text NOT NULL,
	box varchar(40) NOT NULL,
	seen boolean,
	FOREIGN KEY (account, box) REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO account VALUES ('ann'), ('bob');
INSERT INTO mailbox VALUES ('ann', 'INBOX'), ('ann', 'Sent'), ('bob', 'INBOX');
INSERT INTO mail VALUES (1, 'ann', 'INBOX'), (2, 'ann', 'INBOX'), (3, 'bob', 'INBOX');
-- All that the table needs is the key; attach() adds the counters, the rows that are missing, and finds the rest
CREATE TABLE mailbox_counters (owner text, folder text, PRIMARY KEY (owner, folder));
INSERT INTO mailbox_counters VALUES ('ann', 'Sent');
SELECT modseq.attach('mail', 'mailbox_counters', mailbox_source => 'mailbox');
SELECT mailbox, mailbox_key, mailbox_source, mailbox_source_key, message_mailbox FROM modseq.stores WHERE message = 'mail'::regclass;
\set counters 'SELECT mailbox[1] AS owner, mailbox[2] AS folder, uidnext, highest, messages AS "id:uid:modseq", modseq.vanished_since(\'mail\', mailbox, 0) AS vanished FROM state(\'mail\', \'id\', \'uid\', \'modseq\');'
:counters
SELECT count(DISTINCT uidvalidity) FROM mailbox_counters;
SELECT tgname, tgrelid::regclass, modseq_internal.trigger_options(oid) FROM pg_trigger WHERE tgname ~ 'modseq' AND tgrelid = 'mailbox'::regclass ORDER BY 1;

-- Mailboxes come, one by one, several, and in one statement with their messages
INSERT INTO mailbox VALUES ('bob', 'Drafts');
INSERT INTO mailbox SELECT 'bob', 'box ' || i FROM generate_series(1, 3) AS i ON CONFLICT DO NOTHING;
INSERT INTO mailbox VALUES ('bob', 'box 3'), ('bob', 'box 4') ON CONFLICT (account, name) DO UPDATE SET special = true;
WITH made AS (INSERT INTO mailbox VALUES ('ann', 'Trash') RETURNING account, name)
	INSERT INTO mail SELECT 10, account, name FROM made RETURNING uid, modseq;
INSERT INTO mail VALUES (11, 'bob', 'Drafts'), (12, 'bob', 'box 1'), (13, 'bob', 'box 2') RETURNING uid;
DELETE FROM mail WHERE id = 2;
UPDATE mail SET seen = true WHERE id = 10;
:counters
-- One that is made and rolled back, or not made after all
BEGIN;
INSERT INTO mailbox VALUES ('bob', 'gone');
ROLLBACK;
INSERT INTO mail VALUES (14, 'bob', 'gone');
WITH made AS (INSERT INTO mailbox VALUES ('ann', 'Trash') ON CONFLICT DO NOTHING RETURNING account, name)
	INSERT INTO mail SELECT 14, account, name FROM made;
-- Renamed: no message moves, and what vanished stays known
UPDATE mailbox SET name = 'Archive' WHERE name = 'INBOX' AND account = 'ann';
UPDATE mailbox SET special = NOT special;
:counters
UPDATE account SET name = 'carl' WHERE name = 'bob';
:counters
SELECT * FROM modseq.check('mail');
-- A move, and one to where there is no mailbox
UPDATE mail SET box = 'Sent' WHERE id = 1 RETURNING uid, modseq;
UPDATE mail SET box = 'nowhere' WHERE id = 1;
-- Removed, with all that was in it; and it begins anew
DELETE FROM mailbox WHERE name = 'box 1';
DELETE FROM account WHERE name = 'ann';
:counters
SELECT owner, folder FROM mail_vanished;
INSERT INTO mailbox VALUES ('carl', 'box 1');
INSERT INTO mail VALUES (14, 'carl', 'box 1') RETURNING uid, modseq;
-- Removed and made again in one transaction; renamed to where one has just gone
BEGIN;
DELETE FROM mailbox WHERE name = 'box 1';
INSERT INTO mailbox VALUES ('carl', 'box 1');
INSERT INTO mail VALUES (14, 'carl', 'box 1') RETURNING uid, modseq;
DELETE FROM mailbox WHERE name = 'box 2';
UPDATE mailbox SET name = 'box 2' WHERE name = 'box 1';
INSERT INTO mail VALUES (15, 'carl', 'box 2') RETURNING uid, modseq;
COMMIT;
:counters
SELECT * FROM modseq.check('mail');
BEGIN;
TRUNCATE mailbox CASCADE;
:counters
SELECT count(*) FROM mail_vanished;
ROLLBACK;
SELECT uidvalidity < modseq.reset_uidvalidity('mail', ARRAY['carl', 'Drafts']) AS higher FROM mailbox_counters WHERE folder = 'Drafts';

-- While triggers are off rows are missed; check() tells. A message helps its mailbox to a row, and attach() all
SET session_replication_role = replica;
INSERT INTO mailbox VALUES ('carl', 'late'), ('carl', 'later');
DELETE FROM mailbox WHERE name = 'box 4';
RESET session_replication_role;
SELECT * FROM modseq.check('mail') ORDER BY problem DESC, mailbox COLLATE "C";
SELECT * FROM modseq.status('mail', ARRAY['carl', 'late']);
INSERT INTO mail VALUES (20, 'carl', 'late') RETURNING uid, modseq;
UPDATE mailbox SET name = 'latest' WHERE name = 'later';
SELECT * FROM modseq.check('mail');
DELETE FROM mailbox_counters WHERE folder IN ('box 3', 'box 4');
SELECT * FROM modseq.check('mail');
SELECT modseq.attach('mail', 'mailbox_counters');
SELECT mailbox_source, mailbox_source_key FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT * FROM modseq.check('mail');
-- A trigger that is missing, and a table that has another name
DROP TRIGGER "AA_modseq_source" ON mailbox;
SELECT * FROM modseq.check('mail');
INSERT INTO mail VALUES (21, 'carl', 'late');
SELECT modseq.attach('mail', 'mailbox_counters');
ALTER TABLE mailbox RENAME TO folder;
INSERT INTO mail VALUES (21, 'carl', 'late');
INSERT INTO folder VALUES ('carl', 'x');
SELECT * FROM modseq.check('mail');
SELECT modseq.attach('mail', 'mailbox_counters');
SELECT mailbox_source, mailbox_source_key FROM modseq.stores WHERE message = 'mail'::regclass;
INSERT INTO folder VALUES ('carl', 'x');
INSERT INTO mail VALUES (21, 'carl', 'x') RETURNING uid;
SELECT * FROM modseq.check('mail');

-- Those who write need no right on the counters; those who read do
CREATE ROLE regress_modseq_writer;
GRANT USAGE ON SCHEMA t_counters TO regress_modseq_writer;
GRANT ALL ON folder, mail, account TO regress_modseq_writer;
SET ROLE regress_modseq_writer;
INSERT INTO folder VALUES ('carl', 'y');
INSERT INTO mail VALUES (22, 'carl', 'y') RETURNING uid;
UPDATE folder SET name = 'z' WHERE name = 'y';
DELETE FROM folder WHERE name = 'z';
SELECT * FROM modseq.status('mail', ARRAY['carl', 'x']);
-- Nor may anybody have his rows followed
CREATE TEMP TABLE mine (account text, name text);
CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION modseq.trigger_source('t_counters.mail');
INSERT INTO mine VALUES ('carl', 'stolen');
RESET ROLE;
DROP TABLE mine;
GRANT SELECT ON mailbox_counters TO regress_modseq_writer;
SET ROLE regress_modseq_writer;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', ARRAY[ARRAY['carl', 'x']]);
RESET ROLE;
DROP OWNED BY regress_modseq_writer;
DROP ROLE regress_modseq_writer;

-- A store ends, and the table is the application's own again
SELECT modseq.detach('mail');
SELECT count(*) FROM pg_trigger WHERE tgname ~ 'modseq' AND tgrelid IN ('mail'::regclass, 'folder'::regclass, 'mailbox_counters'::regclass);
DELETE FROM folder WHERE name = 'x';
SELECT modseq.attach('mail', 'mailbox_counters', mailbox_source => 'folder', message_mailbox => '{account,box}');
SELECT * FROM modseq.check('mail');

--
-- What is refused
--
\set VERBOSITY default
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE keyless (owner text, folder text);
CREATE TABLE counted (owner text, folder text GENERATED ALWAYS AS (owner || 'x') STORED, PRIMARY KEY (owner, folder));
CREATE TABLE other_mail (id int PRIMARY KEY, other_id int, seen boolean);
SELECT modseq.attach('other_mail', 'other', mailbox_source => 'other');
SELECT modseq.attach('other_mail', 'other', mailbox_source_key => '{id}');
SELECT modseq.attach('other_mail', 'other', mailbox_source => 'keyless');
SELECT modseq.attach('other_mail', 'other', mailbox_source => 'keyless', mailbox_source_key => '{owner}');
SELECT modseq.attach('other_mail', 'other', mailbox_source => 'account');
SELECT modseq.attach('other_mail', 'other', mailbox_source => 'folder');
SELECT modseq.attach('other_mail', 'other', mailbox_source => 'account', mailbox_source_key => '{nothing}');
SELECT modseq.detach('mail');
SELECT modseq.attach('mail', 'counted', mailbox_source => 'folder');
-- Mailboxes that are one in the source, and two in the side table
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE named (name text COLLATE nocase PRIMARY KEY);
CREATE TABLE named_counters (name text PRIMARY KEY);
CREATE TABLE named_mail (id int PRIMARY KEY, name text);
SELECT modseq.attach('named_mail', 'named_counters', mailbox_source => 'named', message_flags => '{}');
