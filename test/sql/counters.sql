--
-- Where the counters are and how they are kept: the next UID or the last; integer or bigint; NULL, 0 or 1 at first; on
-- the mailbox table, or on a side table, which the application keeps or modseq does. Issue 4
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_counters;
SET search_path = t_counters;
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset null '(null)'

-- A mailbox from its first message on. side: none, kept (by the application), followed (by modseq)
CREATE FUNCTION play(side text, counter text, type text, first_uid text, first_modseq text)
RETURNS TABLE (at_first text, uids text, at_last text, stored text, broken bigint)
LANGUAGE plpgsql AS $$
DECLARE
	counters CONSTANT text := format('uidvalidity bigint DEFAULT 7, %I %s DEFAULT %s, highestmodseq bigint DEFAULT %s',
									 counter, type, first_uid, first_modseq);
BEGIN
	EXECUTE format('CREATE TABLE mailbox (id int PRIMARY KEY%s)', CASE side WHEN 'none' THEN ', ' || counters ELSE '' END);
	IF side <> 'none' THEN
		EXECUTE format('CREATE TABLE mailbox_state (mailbox int PRIMARY KEY REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE, %s)', counters);
	END IF;
	CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE, seen boolean);
	IF side = 'none' THEN
		PERFORM modseq.attach('mail', 'mailbox');
		INSERT INTO mailbox (id) VALUES (1), (2);
	ELSE
		IF side = 'kept' THEN
			PERFORM modseq.attach('mail', 'mailbox_state');
			INSERT INTO mailbox VALUES (1), (2);
			INSERT INTO mailbox_state VALUES (1), (2);
		ELSE
			PERFORM modseq.attach('mail', 'mailbox_state', mailbox_source => 'mailbox');
			INSERT INTO mailbox VALUES (1), (2);
		END IF;
	END IF;
	SELECT s::text INTO at_first FROM modseq.status('mail', 1) s;
	INSERT INTO mail SELECT i, 1 FROM generate_series(1, 5) AS i;
	UPDATE mail SET seen = true WHERE id = 2;
	DELETE FROM mail WHERE id = 5;
	UPDATE mail SET mailbox_id = 2 WHERE id = 4;
	UPDATE mailbox SET id = 3 WHERE id = 1;
	INSERT INTO mail VALUES (6, 3);
	SELECT string_agg(concat_ws(':', m.uid, modseq), ' ' ORDER BY m.uid) INTO uids FROM mail m WHERE mailbox_id = 3;
	SELECT string_agg(concat_ws(' ', s, modseq.vanished_since('mail', mailbox, 0)), ' | ' ORDER BY mailbox) INTO at_last
		FROM modseq.status('mail', ARRAY[1, 2, 3]) s;
	EXECUTE format('SELECT string_agg(concat_ws('' '', %I, highestmodseq), '' | '' ORDER BY 1) FROM %s', counter,
		CASE side WHEN 'none' THEN 'mailbox' ELSE 'mailbox_state' END) INTO stored;
	SELECT count(*) INTO broken FROM modseq.check('mail');
	DELETE FROM mailbox WHERE id = 3;
	broken := broken + (SELECT count(*) FROM modseq.check('mail'));
	RETURN NEXT;
	DROP TABLE mail, mail_vanished;
	DROP TABLE IF EXISTS mailbox_state;
	DROP TABLE mailbox;
END $$;
SELECT side, counter, type, first_uid, first_modseq, p.*
FROM unnest(ARRAY['none', 'kept', 'followed']) AS side,
	unnest(ARRAY['uidnext', 'last_uid']) AS counter,
	unnest(ARRAY['int', 'bigint']) AS type,
	(VALUES ('NULL', 'NULL'), ('0', '0'), ('0', '1'), ('1', '1')) AS first (first_uid, first_modseq),
	play(side, counter, type, first_uid, first_modseq) AS p
WHERE (counter, first_uid, first_modseq) NOT IN (('last_uid', '1', '1'), ('uidnext', '0', '1'))
ORDER BY side <> 'none', side <> 'kept', counter DESC, type DESC, first_uid DESC, first_modseq DESC;

-- The key of a mailbox that changes in the table that both the messages and the side table refer to: what modseq keeps is
-- renamed first, and no message moves. What the application keeps is not: above they moved, and here they cannot, since
-- their foreign key is the older one
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE);
CREATE TABLE mailbox_state (mailbox int PRIMARY KEY REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO mailbox VALUES (1);
INSERT INTO mail VALUES (1, 1);
INSERT INTO mailbox_state VALUES (1);
SELECT modseq.attach('mail', 'mailbox_state');
UPDATE mailbox SET id = 2;
SELECT modseq.attach('mail', 'mailbox_state', mailbox_source => 'mailbox');
UPDATE mailbox SET id = 2;
SELECT m.*, highestmodseq FROM mail m JOIN mailbox_state ON mailbox = mailbox_id;
DROP TABLE mail, mail_vanished, mailbox_state, mailbox;

-- The end of an integer
CREATE TABLE mailbox (id int PRIMARY KEY, uidvalidity int, uidnext int, modseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox VALUES (1, 7, 2147483646, NULL);
INSERT INTO mail VALUES (1, 1);
INSERT INTO mail VALUES (2, 1);
SELECT uidnext, modseq FROM mailbox;
ALTER TABLE mailbox ALTER uidnext TYPE bigint;
INSERT INTO mail VALUES (2, 1), (3, 1) RETURNING uid;
DROP TABLE mail, mail_vanished, mailbox;

--
-- A side table whose rows modseq keeps, for an application that knows nothing of it
--
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
\set counters 'SELECT owner, folder, uidnext, highestmodseq AS highest, (SELECT string_agg(concat_ws(\':\', id, uid, modseq), \' \' ORDER BY uid) FROM mail WHERE account = owner AND box = folder) AS "id:uid:modseq", modseq.vanished_since(\'mail\', ARRAY[owner, folder], 0) AS vanished FROM mailbox_counters ORDER BY 1, 2;'
:counters
SELECT count(DISTINCT uidvalidity) FROM mailbox_counters;
SELECT tgname, tgrelid::regclass, modseq.trigger_options(oid) FROM pg_trigger WHERE tgname ~ 'modseq' AND tgrelid = 'mailbox'::regclass ORDER BY 1;

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
SELECT * FROM modseq.check('mail');
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
