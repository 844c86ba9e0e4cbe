--
-- Statements: each takes one value of a mailbox, and writes its counters at most once
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_transactions;
SET search_path = t_transactions;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set mail :test /include/mail.sql
\i :mail

--
-- Two statements never share a value, whatever they do (RFC 7162 section 3.1)
--
BEGIN;
INSERT INTO mail (mailbox_id) VALUES (1), (1), (2);
INSERT INTO mail (mailbox_id) VALUES (1), (1);
:mailboxes
UPDATE mail SET seen = true WHERE uid = 1;
INSERT INTO mail_flag SELECT id, '\Flagged' FROM mail WHERE uid = 2;
UPDATE mail SET seen = false WHERE uid = 1;
SELECT modseq.touch('mail', 1);
:mailboxes
DELETE FROM mail WHERE mailbox_id = 1 AND uid = 2;
UPDATE mail SET mailbox_id = 2 WHERE mailbox_id = 1 AND uid = 3;
SELECT modseq.touch('mail', 1);
COMMIT;
:mailboxes

--
-- The mailbox row: written at most once by a statement, and not at all by one that changes nothing
--
CREATE TABLE written (mailbox_id bigint);
CREATE FUNCTION count_writes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO t_transactions.written VALUES (old.id);
	RETURN NULL;
END $$;
CREATE TRIGGER count_writes AFTER UPDATE ON mail_mailbox FOR EACH ROW EXECUTE FUNCTION count_writes();
\set writes 'WITH w AS (DELETE FROM written RETURNING *) SELECT mailbox_id AS box, count(*) AS writes FROM w GROUP BY 1 ORDER BY 1;'
INSERT INTO mail (mailbox_id) SELECT 1 + i % 2 FROM generate_series(1, 20) AS i;
:writes
UPDATE mail SET seen = true;
:writes
UPDATE mail SET seen = true;
UPDATE mail SET subject = 'x';
DELETE FROM mail WHERE false;
INSERT INTO mail SELECT * FROM mail WHERE false;
INSERT INTO mail (id, mailbox_id) SELECT id, 2 FROM mail WHERE mailbox_id = 1 ON CONFLICT DO NOTHING;
SELECT count(*) FROM modseq.lock('mail', ARRAY[1, 2]);
:writes
INSERT INTO mail_flag SELECT id, f FROM mail, unnest('{\\Seen,\\Answered,\\Draft}'::text[]) AS f;
:writes
INSERT INTO mail_flag SELECT id, '\Seen' FROM mail ON CONFLICT DO NOTHING;
:writes
UPDATE mail SET mailbox_id = 3 - mailbox_id WHERE uid > 8;
:writes
DELETE FROM mail WHERE uid > 5;
:writes
-- Four kinds of change in one statement
WITH gone AS (DELETE FROM mail WHERE uid = 4),
	seen AS (UPDATE mail SET seen = false WHERE uid = 5),
	flagged AS (INSERT INTO mail_flag SELECT id, '$x' FROM mail WHERE uid = 1)
INSERT INTO mail (mailbox_id) VALUES (1), (2);
:writes
TRUNCATE mail CASCADE;
:writes
DROP TRIGGER count_writes ON mail_mailbox;

DROP SCHEMA t_transactions CASCADE;
