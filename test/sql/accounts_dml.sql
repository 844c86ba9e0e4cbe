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
DROP SCHEMA accounts_dml CASCADE;
