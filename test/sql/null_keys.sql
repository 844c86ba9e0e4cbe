--
-- NULL in what names a mailbox or a message: a message must be in a mailbox, and the error names the column that says it
-- is in none; a flag of no message is nobody's; a mailbox row without a key is no mailbox.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_null_keys;
SET search_path = t_null_keys;
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set failure :test /include/failure.sql
\i :failure
\pset format unaligned
\pset tuples_only on

-- Keys of three columns, which stand in another order in each table
CREATE TABLE box (name text, account int, place int, UNIQUE (account, place, name), uidvalidity bigint DEFAULT 7);
CREATE TABLE mail (id int PRIMARY KEY, box text, account int, in_place int, seen boolean,
	FOREIGN KEY (account, in_place, box) REFERENCES box (account, place, name));
CREATE TABLE flag (at_place int, uid bigint, flag text, box text, account int);
SELECT modseq.attach('mail', 'box', 'flag', mailbox_key => '{account,place,name}', flag_mailbox => '{account,at_place,box}', flag_uid => 'uid');
INSERT INTO box VALUES ('INBOX', 1, 1);
INSERT INTO mail VALUES (1, 'INBOX', 1, 1), (2, 'INBOX', 1, 1);
SELECT columns, failure(format('INSERT INTO mail (id, account, in_place, box) VALUES (9, %s)', columns)), failure(format('UPDATE mail SET (account, in_place, box) = (%s)', columns))
FROM (VALUES ('NULL, 1, ''INBOX'''), ('1, NULL, ''INBOX'''), ('1, 1, NULL'), ('NULL, NULL, ''INBOX'''), ('1, NULL, NULL'), ('NULL, 1, NULL'),
	('NULL, NULL, NULL')) AS v (columns);
-- Also where a trigger after ours takes the mailbox away
CREATE FUNCTION take_away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.in_place := NULL; RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION take_away();
SELECT failure('INSERT INTO mail VALUES (9, ''INBOX'', 1, 1)'), failure('UPDATE mail SET seen = true');
DROP TRIGGER zzz ON mail;

-- Rows of the flag table that name no message, in each column
INSERT INTO flag (account, at_place, box, uid, flag) VALUES (NULL, 1, 'INBOX', 1, 'a'), (1, NULL, 'INBOX', 1, 'b'), (1, 1, NULL, 1, 'c'), (1, 1, 'INBOX', NULL, 'd'),
	(NULL, NULL, NULL, NULL, NULL);
SELECT * FROM told('mail', 1);
-- They come to name one, and name none again: its flags change each time
UPDATE flag SET account = 1 WHERE flag = 'a';
UPDATE flag SET uid = 2 WHERE flag = 'd';
SELECT * FROM told('mail', 1);
UPDATE flag SET box = NULL WHERE flag = 'a';
DELETE FROM flag WHERE flag = 'd';
SELECT * FROM told('mail', 1);
TRUNCATE flag;
SELECT * FROM told('mail', 1);

-- Rows of the mailbox table without a key, which no message can be in
INSERT INTO box VALUES (NULL, 1, 1), ('INBOX', NULL, 1), (NULL, NULL, NULL);
SELECT name, account, place, uidnext, highestmodseq FROM box ORDER BY 1, 2, 3;
SELECT failure('SELECT modseq.status(''mail'', ARRAY[''1'', ''1'', NULL])'), failure('SELECT modseq.lock(''mail'', ARRAY[NULL, ''1'', ''INBOX''])');
-- They get one, and lose it; a mailbox with messages cannot lose it, by its foreign key
UPDATE box SET name = 'Sent' WHERE account = 1 AND name IS NULL;
INSERT INTO mail VALUES (3, 'Sent', 1, 1);
DELETE FROM mail WHERE id = 3;
SELECT account, name, modseq, uids FROM mail_vanished;
UPDATE box SET account = NULL WHERE name = 'Sent';
SELECT * FROM mail_vanished;
SELECT failure('UPDATE box SET place = NULL WHERE account = 1');
DELETE FROM box WHERE account IS NULL;
SELECT * FROM modseq.check('mail');

-- A flag table that names messages by a key: no key, no message
CREATE TABLE box2 (id int PRIMARY KEY, uidvalidity bigint DEFAULT 7);
CREATE TABLE mail2 (id int UNIQUE, box2_id int REFERENCES box2, seen boolean);
CREATE TABLE flag2 (mail2_id int REFERENCES mail2 (id), flag text);
SELECT modseq.attach('mail2', 'box2', 'flag2', message_key => '{id}');
INSERT INTO box2 VALUES (1);
INSERT INTO mail2 VALUES (1, 1), (NULL, 1);
INSERT INTO flag2 VALUES (NULL, 'x');
SELECT * FROM told('mail2', 1);
UPDATE flag2 SET mail2_id = 1;
SELECT * FROM told('mail2', 1);
UPDATE flag2 SET mail2_id = NULL;
SELECT * FROM told('mail2', 1);
DELETE FROM flag2;
SELECT * FROM told('mail2', 1);

-- A table whose rows the mailbox table follows
CREATE TABLE folder (account int, name text, UNIQUE (account, name));
CREATE TABLE counters (account int, name text, UNIQUE (account, name));
CREATE TABLE mail3 (id int PRIMARY KEY, account int, name text);
SELECT modseq.attach('mail3', 'counters', mailbox_source => 'folder', mailbox_key => '{account,name}', mailbox_source_key => '{account,name}',
	message_mailbox => '{account,name}', message_flags => '{}');
INSERT INTO folder VALUES (1, 'INBOX'), (1, NULL), (NULL, 'INBOX');
SELECT account, name FROM counters ORDER BY 1, 2;
SELECT failure('INSERT INTO mail3 VALUES (1, 1, NULL)');
UPDATE folder SET name = 'Sent' WHERE name IS NULL;
INSERT INTO mail3 VALUES (1, 1, 'Sent');
SELECT account, name, uidnext FROM counters ORDER BY 1, 2;
DELETE FROM mail3;
UPDATE folder SET name = NULL WHERE account = 1 AND name = 'Sent';
SELECT account, name, uidnext FROM counters ORDER BY 1, 2;
SELECT * FROM modseq.check('mail3');
SELECT modseq.attach('mail3');
SELECT account, name, uidnext FROM counters ORDER BY 1, 2;

DROP SCHEMA t_null_keys CASCADE;
