-- What an account knows after each kind of DML: its row, what has departed, created_modseq
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA accounts_dml;
SET search_path = accounts_dml;
CREATE TABLE mailbox (id int PRIMARY KEY, owner text NOT NULL, name text, note text);
CREATE TABLE message (
	id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	thread int, seen boolean NOT NULL DEFAULT false, comment text);
SELECT modseq.attach('message', 'mailbox', message_flags => '{seen}', account => '{owner}', thread => 'thread',
	mailbox_properties => '{name}');
CREATE VIEW state AS SELECT owner, highestmodseq AS highest, email_modseq AS email, thread_modseq AS thread,
	mailbox_modseq AS mailbox, floor FROM message_account ORDER BY owner;
CREATE VIEW box AS SELECT id, owner, uidnext, highestmodseq AS highest, created_modseq AS created,
	properties_modseq AS properties FROM message_mailbox ORDER BY id;
CREATE VIEW mail AS SELECT id, mailbox_id AS box, uid, modseq, created_modseq AS created, thread FROM message ORDER BY id;
CREATE VIEW gone AS SELECT owner, modseq, emails, threads, created, mailboxes, mailboxes_created FROM message_departed
	ORDER BY owner, modseq;

-- Mailboxes, of two accounts, in one statement: one value of each
INSERT INTO mailbox VALUES (1, 'alice', 'INBOX'), (2, 'alice', 'Sent'), (3, 'bob', 'INBOX');
TABLE state; TABLE box;
-- Messages arrive, in three mailboxes: one value an account
INSERT INTO message VALUES (10, 1, 100), (11, 1, 100), (12, 2, 101), (13, 3, 102);
TABLE state; TABLE box; TABLE mail;
-- Flags: no Thread changes
UPDATE message SET seen = true WHERE id IN (10, 12);
TABLE state; TABLE box; TABLE mail;
-- Nothing
UPDATE message SET seen = true, comment = 'x' WHERE id IN (10, 12);
TABLE state;
-- A move within the account: no Thread changes
UPDATE message SET mailbox_id = 2 WHERE id = 10;
TABLE state; TABLE box; TABLE mail; TABLE gone;
-- A move to another: both accounts
UPDATE message SET mailbox_id = 3 WHERE id = 11;
TABLE state; TABLE mail; TABLE gone;
DELETE FROM message WHERE id IN (10, 13);
TABLE state; TABLE mail; TABLE gone;
-- Of another Thread
UPDATE message SET thread = 105 WHERE id = 12;
TABLE state; TABLE mail; TABLE gone;
-- A mailbox is destroyed, with a message
DELETE FROM mailbox WHERE id = 2;
TABLE state; TABLE box; TABLE mail; TABLE gone;
UPDATE mailbox SET name = 'Inbox' WHERE id = 1;
TABLE state; TABLE box;
UPDATE mailbox SET note = 'x' WHERE id = 1;
TABLE state;
SELECT modseq.touch('message', 1);
TABLE state; TABLE box;
UPDATE mailbox SET id = 4 WHERE id = 3;
TABLE state; TABLE box; TABLE mail; TABLE gone;
UPDATE mailbox SET owner = 'bob' WHERE id = 1;

-- Much that leaves is in rows of some 10,000
TRUNCATE message_departed;
INSERT INTO message SELECT i, 1, i FROM generate_series(1001, 26000) i;
DELETE FROM message WHERE id > 1000;
SELECT owner, cardinality(emails), cardinality(threads), cardinality(created), emails[1] FROM message_departed ORDER BY emails[1];
-- A mailbox that a transaction makes and deletes: nobody has seen it
TRUNCATE message_departed;
BEGIN;
INSERT INTO mailbox VALUES (7, 'carol', 'x');
INSERT INTO message VALUES (70, 7, 1);
DELETE FROM mailbox WHERE id = 7;
COMMIT;
TABLE state; TABLE gone;
-- A message that comes back under its UID has left, and arrived; in one query in the same moment
INSERT INTO mailbox VALUES (8, 'carol', 'x');
INSERT INTO message VALUES (80, 8, 1);
BEGIN;
DELETE FROM message WHERE id = 80;
INSERT INTO message (id, mailbox_id, uid, thread) VALUES (80, 8, 1, 1);
COMMIT;
SELECT * FROM mail WHERE box = 8;
WITH d AS (DELETE FROM message WHERE id = 80 RETURNING id, mailbox_id, uid, thread)
	INSERT INTO message (id, mailbox_id, uid, thread) SELECT * FROM d;
SELECT * FROM mail WHERE box = 8;
TABLE gone;
-- UIDVALIDITY, and UIDs that are reserved, are of the mailbox alone
SELECT modseq.reset_uidvalidity('message', 8) > 0;
TABLE state;
UPDATE message_mailbox SET uidnext = uidnext + 5 WHERE id = 8;
TABLE state;
-- In no account
INSERT INTO mailbox (id, owner) VALUES (9, NULL);
DROP SCHEMA accounts_dml CASCADE;

-- A message that goes to another partition, and is kept from coming there, is gone
CREATE SCHEMA accounts_part;
SET search_path = accounts_part;
CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL);
CREATE TABLE message (id int NOT NULL, mailbox_id int NOT NULL, part int NOT NULL) PARTITION BY LIST (part);
CREATE TABLE message_1 PARTITION OF message FOR VALUES IN (1);
CREATE TABLE message_2 PARTITION OF message FOR VALUES IN (2);
SELECT modseq.attach('message', 'mailbox', account => '{owner}', email => 'id');
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER zzz BEFORE INSERT ON message_2 FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION keep();
INSERT INTO mailbox VALUES (1, 1);
INSERT INTO message VALUES (1, 1, 1), (2, 1, 1);
UPDATE message SET part = 2;
SELECT id, uid, modseq, created_modseq, part FROM message;
SELECT owner, modseq, emails, created FROM message_departed;
SELECT owner, highestmodseq, email_modseq FROM message_account;
DROP SCHEMA accounts_part CASCADE;

-- Tables of the application may have columns of any name
CREATE SCHEMA accounts_names;
SET search_path = accounts_names;
CREATE TABLE mailbox (id int PRIMARY KEY, n int NOT NULL, o int, a int, b int);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox);
SELECT modseq.attach('message', 'mailbox', account => '{n}', counters => 'mailbox', mailbox_properties => '{o,a,b}');
INSERT INTO mailbox (id, n) VALUES (1, 1);
INSERT INTO message VALUES (1, 1);
SELECT modseq.detach('message');
SELECT modseq.attach('message', 'mailbox', account => '{n}', mailbox_properties => '{o,a,b}');
SELECT n, highestmodseq, email_modseq, mailbox_modseq, thread_modseq, floor FROM message_account;
DROP SCHEMA accounts_names CASCADE;

-- A message that is undeleted is an Email that appears in its Thread, also if only the row shows that it is
CREATE SCHEMA accounts_generated;
SET search_path = accounts_generated;
CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, thread int NOT NULL, status int,
	deleted boolean GENERATED ALWAYS AS (status = 9) STORED);
SELECT modseq.attach('message', 'mailbox', account => '{owner}', thread => 'thread', message_flags => '{}',
	message_expunged => 'deleted');
INSERT INTO mailbox VALUES (1, 1), (2, 1);
INSERT INTO message VALUES (1, 1, 1, 0), (2, 1, 2, 0);
CREATE VIEW state AS SELECT highestmodseq, email_modseq, thread_modseq FROM message_account;
UPDATE message SET status = 9 WHERE id = 1;
TABLE state;
UPDATE message SET status = 0 WHERE id = 1;
TABLE state;
UPDATE message SET status = 9 WHERE id = 1;
UPDATE message SET status = 0, thread = 2 WHERE id = 1;
TABLE state;
UPDATE message SET status = 9 WHERE id = 1;
UPDATE message SET status = 0, mailbox_id = 2 WHERE id = 1;
TABLE state;
SELECT modseq, emails, threads, created FROM message_departed ORDER BY modseq;
SELECT * FROM modseq.check('message');
DROP SCHEMA accounts_generated CASCADE;

-- A mailbox that goes in the very statement that makes it is none that has gone; so of a name that one gets
CREATE SCHEMA accounts_brief;
SET search_path = accounts_brief;
CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL, brief boolean);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON DELETE CASCADE);
SELECT modseq.attach('message', 'mailbox', account => '{owner}', message_flags => '{}');
CREATE FUNCTION clean() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM mailbox WHERE brief;
	RETURN NULL;
END $$;
CREATE FUNCTION clean_in_block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO message VALUES (9, NEW.id);
	DELETE FROM mailbox WHERE brief;
	RETURN NULL;
EXCEPTION WHEN division_by_zero THEN
	RETURN NULL;
END $$;
INSERT INTO mailbox VALUES (1, 1), (2, 1);
SELECT mailbox AS since FROM modseq.account_state('message', 1) \gset
CREATE TRIGGER a AFTER INSERT OR UPDATE ON mailbox FOR EACH ROW WHEN (NEW.id % 2 = 1) EXECUTE FUNCTION clean();
CREATE TRIGGER zz_z AFTER INSERT OR UPDATE ON mailbox FOR EACH ROW WHEN (NEW.id % 2 = 0) EXECUTE FUNCTION clean_in_block();
INSERT INTO mailbox VALUES (3, 1, true);
INSERT INTO mailbox VALUES (4, 1, true);
SELECT created, updated, destroyed FROM modseq.mailbox_changes('message', 1, :'since');
UPDATE mailbox SET id = 5, brief = true WHERE id = 1;
UPDATE mailbox SET id = 6, brief = true WHERE id = 2;
SELECT created, updated, destroyed FROM modseq.mailbox_changes('message', 1, :'since');
SELECT * FROM modseq.check('message');
DROP SCHEMA accounts_brief CASCADE;

-- Messages of a mailbox that is gone are in no account, whatever changes in them
CREATE SCHEMA accounts_left;
SET search_path = accounts_left;
CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, seen boolean);
SELECT modseq.attach('message', 'mailbox', account => '{owner}');
INSERT INTO mailbox VALUES (1, 1), (2, 1);
INSERT INTO message VALUES (1, 1), (2, 1);
DELETE FROM mailbox WHERE id = 1;
UPDATE message SET seen = true;
DELETE FROM message WHERE id = 2;
SELECT email_modseq, mailbox_modseq FROM message_account;
SELECT * FROM modseq.check('message');
DROP SCHEMA accounts_left CASCADE;

-- What is left of a mailbox that is gone has departed with it; if it goes, that is nothing, and if it moves, an arrival
CREATE SCHEMA accounts_orphans;
SET search_path = accounts_orphans;
CREATE FUNCTION attack(account name[], counters text) RETURNS TABLE (what text, created text[], updated text[], destroyed text[])
LANGUAGE plpgsql AS $$
DECLARE
	one text := CASE account WHEN '{}' THEN 'NULL::text[]' ELSE '1' END;
	since record;
BEGIN
	CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL);
	CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, thread int NOT NULL);
	PERFORM modseq.attach('message', 'mailbox', account => account, counters => counters, thread => 'thread', message_flags => '{}');
	INSERT INTO mailbox VALUES (1, 1), (2, 1), (3, 1);
	INSERT INTO message VALUES (1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 1, 4), (5, 2, 5), (6, 2, 5), (7, 3, 7);
	DELETE FROM mailbox WHERE id = 1;
	EXECUTE 'SELECT * FROM modseq.account_state(''message'', ' || one || ')' INTO since;
	DELETE FROM message WHERE id = 1;
	UPDATE message SET thread = 5 WHERE id = 2;
	UPDATE message SET mailbox_id = 2 WHERE id = 3;
	UPDATE message SET mailbox_id = 3 WHERE id = 5;
	RETURN QUERY EXECUTE 'SELECT ''emails'', created, updated, destroyed FROM modseq.email_changes(''message'', ' || one || ', $1)'
		USING since.email;
	RETURN QUERY EXECUTE 'SELECT ''threads'', created, updated, destroyed FROM modseq.thread_changes(''message'', ' || one || ', $1)'
		USING since.thread;
	EXECUTE 'SELECT * FROM modseq.account_state(''message'', ' || one || ')' INTO since;
	UPDATE message SET mailbox_id = 2 WHERE id = 5;
	RETURN QUERY EXECUTE 'SELECT ''moved'', created, updated, destroyed FROM modseq.thread_changes(''message'', ' || one || ', $1)
		WHERE new_state <> old_state' USING since.thread;
	PERFORM modseq.detach('message', remove => true);
	DROP TABLE message, mailbox;
END $$;
SELECT attack.* FROM (VALUES ('{}'::name[], 'beside'), ('{}', 'mailbox'), ('{owner}', 'beside'), ('{owner}', 'mailbox'))
	AS o (account, counters), attack(account, counters);
DROP SCHEMA accounts_orphans CASCADE;

-- A message that is undeleted, and then goes by the same statement: its old membership has departed before
CREATE SCHEMA accounts_undeleted;
SET search_path = accounts_undeleted;
CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, status int,
	deleted boolean GENERATED ALWAYS AS (status = 9) STORED);
SELECT modseq.attach('message', 'mailbox', account => '{owner}', thread => 'id', message_flags => '{}', message_expunged => 'deleted');
INSERT INTO mailbox VALUES (1, 1), (2, 1);
INSERT INTO message SELECT i, 1 FROM generate_series(1, 4) AS i;
CREATE FUNCTION go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE NEW.status
		WHEN 1 THEN DELETE FROM message WHERE id = NEW.id;
		WHEN 2 THEN UPDATE message SET status = 9 WHERE id = NEW.id;
		WHEN 3 THEN UPDATE message SET mailbox_id = 2, status = 0 WHERE id = NEW.id;
		ELSE NULL;
	END CASE;
	RETURN NULL;
END $$;
CREATE TRIGGER zz_z AFTER UPDATE ON message FOR EACH ROW EXECUTE FUNCTION go_on();
UPDATE message SET status = 9;
SELECT email, thread FROM modseq.account_state('message', 1) \gset
UPDATE message SET status = id;
SELECT modseq, emails, threads, created FROM message_departed;
SELECT created, updated, destroyed FROM modseq.email_changes('message', 1, :'email');
SELECT created, updated, destroyed FROM modseq.thread_changes('message', 1, :'thread');
SELECT * FROM modseq.check('message');
DROP SCHEMA accounts_undeleted CASCADE;

-- A message that has followed its mailbox in the same transaction is in another Thread then, by a trigger after ours
CREATE SCHEMA accounts_followed;
SET search_path = accounts_followed;
CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE, topic int, thread int);
CREATE FUNCTION thread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.thread := NEW.topic / 10; RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON message FOR EACH ROW EXECUTE FUNCTION thread();
SELECT modseq.attach('message', 'mailbox', account => '{owner}', thread => 'thread', message_flags => '{}');
INSERT INTO mailbox VALUES (1, 1);
INSERT INTO message VALUES (1, 1, 10), (2, 1, 20);
BEGIN;
UPDATE mailbox SET id = 2;
UPDATE message SET topic = 30 WHERE id = 1;
COMMIT;
SELECT id, thread, modseq, created_modseq FROM message ORDER BY id;
SELECT modseq, emails, threads, created FROM message_departed ORDER BY modseq;
SELECT * FROM modseq.check('message');
DROP SCHEMA accounts_followed CASCADE;

-- A mailbox that gets another key has left none of what follows it, nor what another mailbox with its key has by then
CREATE SCHEMA accounts_back;
SET search_path = accounts_back;
CREATE TABLE mailbox (id int PRIMARY KEY, owner int NOT NULL, meanwhile text);
CREATE TABLE message (id int PRIMARY KEY, mailbox_id int NOT NULL, thread int);
SELECT modseq.attach('message', 'mailbox', account => '{owner}', thread => 'thread', message_flags => '{}');
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE message SET mailbox_id = NEW.id WHERE mailbox_id = OLD.id;
	IF NEW.meanwhile = 'back' THEN
		UPDATE mailbox SET id = OLD.id, meanwhile = NULL WHERE id = NEW.id;
	ELSIF NEW.meanwhile = 'anew' THEN
		INSERT INTO mailbox VALUES (OLD.id, 1);
		INSERT INTO message VALUES (OLD.id, OLD.id, 1);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER zz_follow AFTER UPDATE OF id ON mailbox FOR EACH ROW EXECUTE FUNCTION follow();
INSERT INTO mailbox VALUES (10, 1), (20, 1);
INSERT INTO message VALUES (1, 10, 1), (2, 20, 1);
UPDATE mailbox SET id = 11, meanwhile = 'back' WHERE id = 10;
UPDATE mailbox SET id = 21, meanwhile = 'anew' WHERE id = 20;
SELECT id, mailbox_id, uid, modseq, created_modseq FROM message ORDER BY id;
SELECT modseq, emails, created, mailboxes, mailboxes_created FROM message_departed ORDER BY modseq;
SELECT * FROM modseq.check('message');
DROP SCHEMA accounts_back CASCADE;

-- An Email that has come and gone by the very statement was not there before
CREATE SCHEMA accounts_twice;
SET search_path = accounts_twice;
create table box(id int primary key, acct int);
create table mail(id int primary key, box int not null references box, em int not null, t int not null);
insert into box values(1,1),(2,1);
select modseq.attach('mail','box',account=>'{acct}',email=>'em',thread=>'t',message_flags=>'{}');
create function tf() returns trigger language plpgsql as $$ begin delete from mail where id=new.id; return null; end $$;
create trigger zz_z after insert on mail for each row when (new.id=2) execute function tf();
select * from modseq.account_state('mail',1) \gset
insert into mail values(1,1,99,4),(2,1,99,4);
select created,updated,destroyed from modseq.thread_changes('mail',1,:'thread');
select * from modseq.account_state('mail',1) \gset
update mail set box=2; insert into mail values(3,1,99,4);
select created,updated,destroyed,new_state=:'thread' from modseq.thread_changes('mail',1,:'thread');
with d as (delete from mail returning *) insert into mail select id+10,box,em,t from d;
select created,updated,destroyed,new_state=:'thread' from modseq.thread_changes('mail',1,:'thread');
DROP SCHEMA accounts_twice CASCADE;

-- A HIGHESTMODSEQ that is raised by hand is not above its account's, and what comes next is above it
CREATE SCHEMA accounts_raised;
SET search_path = accounts_raised;
CREATE TABLE box (id int PRIMARY KEY, owner text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('mail', 'box', account => '{owner}', message_flags => '{seen}');
INSERT INTO box VALUES (1, 'ann'), (2, 'ann');
INSERT INTO mail VALUES (1, 1), (2, 2), (3, 1);
UPDATE mail_mailbox SET highestmodseq = 100 WHERE id = 1;
SELECT highestmodseq, email_modseq, mailbox_modseq FROM mail_account;
SELECT * FROM modseq.check('mail');
UPDATE mail SET seen = true WHERE id = 2;
SELECT id, modseq FROM mail ORDER BY id;
BEGIN;
UPDATE mail_mailbox SET highestmodseq = 200 WHERE id = 1;
UPDATE mail SET seen = true WHERE id = 2;
UPDATE mail SET seen = true WHERE id = 1;
COMMIT;
SELECT id, modseq FROM mail ORDER BY id;
SELECT highestmodseq, email_modseq, mailbox_modseq FROM mail_account;
SELECT * FROM modseq.check('mail');
DROP SCHEMA accounts_raised CASCADE;
