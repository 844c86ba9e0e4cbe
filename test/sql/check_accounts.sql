--
-- check(): what must hold of accounts, and of what has left them; and what their owner may write there by hand
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_accounts, regress_modseq_reader;
CREATE SCHEMA check_accounts;
SET search_path = check_accounts;
\set SHOW_CONTEXT never
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
CREATE TABLE box (id int PRIMARY KEY, owner text NOT NULL, realm int NOT NULL DEFAULT 1, name text);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, thread int, seen boolean, gone boolean);
INSERT INTO box VALUES (1, 'ann'), (2, 'ann'), (3, 'bob');
INSERT INTO mail SELECT i, 1 + i % 3, i FROM generate_series(1, 6) AS i;
SELECT modseq.attach('mail', 'box', account => '{owner,realm}', thread => 'thread', message_expunged => 'gone');
SELECT * FROM modseq.check('mail');

-- What check() says when that is written, behind the triggers' back
CREATE FUNCTION checked(command text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	problems text[];
BEGIN
	BEGIN
		SET LOCAL session_replication_role = replica;
		EXECUTE command;
		RESET session_replication_role;
		problems := ARRAY(SELECT concat_ws(' ', mailbox, uid, problem) FROM modseq.check('mail') ORDER BY 1);
		RAISE 'undo' USING ERRCODE = 'MS001';
	EXCEPTION WHEN SQLSTATE 'MS001' THEN
		RETURN QUERY SELECT p FROM unnest(problems) AS p;
	END;
END $$;
SELECT command, checked(command) FROM unnest(ARRAY[
	$$DELETE FROM mail_account WHERE owner = 'ann'$$,
	$$DELETE FROM mail_account WHERE owner = 'bob'$$,
	$$UPDATE mail_account SET highestmodseq = 9 WHERE owner = 'ann'$$,
	$$UPDATE mail_mailbox SET highestmodseq = 9 WHERE id = 1$$,
	$$UPDATE mail_mailbox SET highestmodseq = 9 WHERE id = 1; UPDATE mail_account SET highestmodseq = 9$$,
	$$UPDATE mail_mailbox SET created_modseq = 9, properties_modseq = 8 WHERE id = 1$$,
	$$UPDATE mail_mailbox SET owner = NULL WHERE id = 1$$,
	$$UPDATE mail_mailbox SET owner = 'bob' WHERE id = 1$$,
	$$UPDATE box SET realm = 2 WHERE id = 1$$,
	$$UPDATE mail_account SET email_modseq = 9, thread_modseq = 0 WHERE owner = 'ann'$$,
	$$UPDATE mail_account SET mailbox_modseq = 9, floor = 9 WHERE owner = 'bob'$$,
	$$UPDATE mail_account SET highestmodseq = 0, epoch = 0 WHERE owner = 'bob'$$,
	$$UPDATE mail SET modseq = 9 WHERE id = 1; UPDATE mail_mailbox SET highestmodseq = 9; UPDATE mail_account SET highestmodseq = 9, mailbox_modseq = 9$$,
	$$UPDATE mail SET modseq = 9, gone = true WHERE id = 1; UPDATE mail_mailbox SET highestmodseq = 9; UPDATE mail_account SET highestmodseq = 9, mailbox_modseq = 9$$,
	$$UPDATE mail SET thread = NULL WHERE id = 1$$,
	$$UPDATE mail SET created_modseq = 9 WHERE id = 1$$,
	$$INSERT INTO mail_departed VALUES ('ann', 1, 1, '{7}', '{7}', '{1}')$$,
	$$INSERT INTO mail_departed VALUES ('ann', 1, 2, '{7}', '{7}', '{1}')$$,
	$$INSERT INTO mail_departed VALUES ('cid', 1, 1, '{7}', '{7}', '{1}')$$,
	$$INSERT INTO mail_departed VALUES ('ann', 1, 0, '{7}', '{7}', '{0}')$$,
	$$INSERT INTO mail_departed VALUES ('ann', 1, 1, '{7,8}', '{7,8}', '{1}'), ('ann', 1, 1, '{7}', '{7,8}', '{1}')$$,
	$$INSERT INTO mail_departed VALUES ('ann', 1, 1, '{NULL}', '{7}', '{1}')$$,
	$$INSERT INTO mail_departed (owner, realm, modseq, mailboxes) VALUES ('ann', 1, 1, '{7}')$$,
	$$INSERT INTO mail_departed VALUES ('ann', 1, 1, '{7}', '{7}', '{2}', '{4}', '{2}')$$]) AS command;

-- By hand, numbers only rise, and no account goes that has mailboxes
SELECT command, failure(command) FROM unnest(ARRAY[
	$$UPDATE mail_account SET epoch = epoch + 1$$,
	$$UPDATE mail_account SET highestmodseq = 0$$,
	$$UPDATE mail_account SET email_modseq = 2$$,
	$$UPDATE mail_account SET thread_modseq = 2$$,
	$$UPDATE mail_account SET mailbox_modseq = 2$$,
	$$UPDATE mail_account SET floor = 2$$,
	$$UPDATE mail_account SET floor = 0$$,
	$$UPDATE mail_account SET owner = 'cid' WHERE owner = 'ann'$$,
	$$DELETE FROM mail_account$$,
	$$TRUNCATE mail_account$$,
	$$ALTER TABLE mail_account SET UNLOGGED$$,
	$$ALTER TABLE mail_departed SET UNLOGGED$$,
	$$CREATE TABLE heir () INHERITS (mail_account)$$,
	$$CREATE TABLE heir () INHERITS (mail_departed)$$,
	$$CREATE TABLE whole (LIKE mail_departed) PARTITION BY LIST (owner); ALTER TABLE whole ATTACH PARTITION mail_departed DEFAULT$$,
	$$CREATE TABLE whole (LIKE mail_account) PARTITION BY LIST (owner); ALTER TABLE whole ATTACH PARTITION mail_account DEFAULT$$,
	$$ALTER TABLE box ALTER owner TYPE text USING upper(owner)$$,
	$$ALTER TABLE mail ALTER thread TYPE int USING thread + 1$$,
	$$ALTER TABLE mail ALTER id TYPE int USING id + 1$$,
	$$SELECT modseq.attach('mail_departed', 'box')$$,
	$$SELECT modseq.detach('mail_departed')$$,
	$$SELECT modseq.detach('mail_account')$$,
	$$SELECT modseq.attach('mail_account', 'box')$$]) AS command;
-- To have everybody start over
UPDATE mail_account SET highestmodseq = highestmodseq + 1, email_modseq = highestmodseq + 1, thread_modseq = highestmodseq + 1,
	mailbox_modseq = highestmodseq + 1, floor = highestmodseq + 1;
SELECT * FROM modseq.check('mail');
-- An account without mailboxes may go, and what has left it goes too
INSERT INTO mail_account (owner, realm) VALUES ('cid', 1);
INSERT INTO mail_departed VALUES ('cid', 1, 1, '{7}', '{7}', '{1}'), ('cid', 2, 1, '{7}', '{7}', '{1}');
DELETE FROM mail_account WHERE owner = 'cid';
SELECT owner, realm FROM mail_departed;
BEGIN;
SELECT failure('TRUNCATE mail, box, mail_mailbox, mail_vanished, mail_account');
TRUNCATE mail, box, mail_mailbox, mail_vanished;
TRUNCATE mail_account;
SELECT count(*) FROM mail_departed;
SELECT * FROM modseq.check('mail');
ROLLBACK;
DELETE FROM mail_departed;

-- Another owner of the message table: ours follow; and what is another's is not believed
CREATE ROLE regress_modseq_accounts;
CREATE ROLE regress_modseq_reader;
GRANT CREATE, USAGE ON SCHEMA check_accounts TO regress_modseq_accounts;
GRANT USAGE ON SCHEMA check_accounts TO regress_modseq_reader;
ALTER TABLE mail OWNER TO regress_modseq_accounts;
ALTER TABLE box OWNER TO regress_modseq_accounts;
SELECT failure('INSERT INTO mail VALUES (100, 1, 1)');
SELECT problem FROM modseq.check('mail') ORDER BY 1;
RESET client_min_messages;
SELECT modseq.attach('mail');
SET client_min_messages = warning;
SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace = 'check_accounts'::regnamespace AND relkind = 'r' ORDER BY 1;
SELECT * FROM modseq.check('mail');
ALTER TABLE mail_account OWNER TO regress_modseq_reader;
SELECT failure('INSERT INTO mail VALUES (100, 1, 1)');
SELECT problem FROM modseq.check('mail') ORDER BY 1;
SET ROLE regress_modseq_accounts;
SELECT failure($$SELECT modseq.attach('mail')$$);
RESET ROLE;
ALTER TABLE mail_account OWNER TO regress_modseq_accounts;
SELECT * FROM modseq.check('mail');
-- Who may read the store may check it, and needs our tables for that
GRANT SELECT ON mail, box, mail_mailbox, mail_vanished, mail_account TO regress_modseq_reader;
SET ROLE regress_modseq_reader;
SELECT failure($$SELECT * FROM modseq.check('mail')$$);
RESET ROLE;
GRANT SELECT ON mail_departed TO regress_modseq_reader;
SET ROLE regress_modseq_reader;
SELECT * FROM modseq.check('mail');
RESET ROLE;

-- One account for the store, and counters in the mailbox table
SELECT modseq.attach('mail', account => '{}', counters => 'mailbox');
SELECT command, checked(command) FROM unnest(ARRAY[
	$$DELETE FROM mail_account$$,
	$$UPDATE mail_account SET highestmodseq = 0$$,
	$$UPDATE box SET highestmodseq = 20 WHERE id = 1$$,
	$$INSERT INTO mail_departed (modseq, emails, threads, created) VALUES (20, '{7}', '{7}', '{1}')$$]) AS command;
SELECT failure('DELETE FROM mail_account');
SELECT problem FROM modseq.check('mail');

-- A mailbox that has never had a message, and whose mod-sequence is remembered
INSERT INTO box (id, owner) VALUES (9, 'dan');
DELETE FROM box WHERE id = 9;
SELECT id, modseq > 1 AS modseq, uids, vanished_at FROM mail_vanished WHERE id = 9;
SELECT * FROM modseq.check('mail');
INSERT INTO box (id, owner) VALUES (9, 'dan');
SELECT b.highestmodseq = a.highestmodseq AS counts_on FROM box b, mail_account a WHERE b.id = 9;
SELECT * FROM modseq.check('mail');

DROP SCHEMA check_accounts CASCADE;
DROP ROLE regress_modseq_accounts, regress_modseq_reader;
