--
-- Functions, cursors, prepared statements, procedures that end transactions
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

CREATE FUNCTION deliver(box bigint) RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO mail (mailbox_id) VALUES (box) RETURNING modseq
$$;
-- Each call is statements of its own
SELECT i, deliver(1) FROM generate_series(1, 3) AS i;
-- Also in the middle of a statement that writes there itself, the numbers do not meet
INSERT INTO mail (mailbox_id, subject) SELECT 1, 'around ' || deliver(1) FROM generate_series(1, 2);
SELECT count(*), count(DISTINCT uid), min(modseq) > 4 AS after FROM mail WHERE uid > 3;
SELECT highestmodseq = (SELECT max(modseq) FROM mail) AS highest, uidnext FROM mail_mailbox WHERE id = 1;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM mail WHERE mailbox_id = 1 ORDER BY uid FOR UPDATE;
FETCH c \gset
UPDATE mail SET seen = true WHERE CURRENT OF c;
FETCH c \gset
DELETE FROM mail WHERE CURRENT OF c;
CLOSE c;
COMMIT;
:mailboxes
-- A cursor sees what it saw when it was opened
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM modseq.changed_since('mail', 1, 0) WHERE uid < 5;
DELETE FROM mail WHERE mailbox_id = 1;
FETCH ALL c;
CLOSE c;
ROLLBACK;
PREPARE p (bigint) AS INSERT INTO mail (mailbox_id) VALUES ($1) RETURNING uid, modseq;
EXECUTE p (2);
EXECUTE p (2);
DEALLOCATE p;
-- Transactions that end inside a block
DO $$
BEGIN
	INSERT INTO mail (mailbox_id) VALUES (2);
	ROLLBACK;
	INSERT INTO mail (mailbox_id) VALUES (2);
	COMMIT;
	INSERT INTO mail (mailbox_id) VALUES (2);
END $$;
:mailboxes
-- WITH HOLD, and a portal that is run in parts, write all or nothing in the end
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT deliver(2) FROM generate_series(1, 2);
COMMIT;
FETCH ALL h;
CLOSE h;
:mailboxes
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_transactions CASCADE;
