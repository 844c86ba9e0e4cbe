--
-- compact(): folds vanished rows, and nothing is forgotten
--
-- RFC 7162 section 3.2.6 and 5.3: a client that has seen mod-sequence H of the folded row, or a later one, gets an
-- exact answer; one that has not gets every UID that vanished up to H.
--
\set ON_ERROR_STOP 0
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA compact;
SET search_path = compact;

CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{}');
INSERT INTO mailbox VALUES (1), (2), (3);
INSERT INTO mail (mailbox_id) SELECT b FROM generate_series(1, 3) b, generate_series(1, 12) ORDER BY b;	-- 2
DELETE FROM mail WHERE mailbox_id = 1 AND uid = 9;				-- 3
DELETE FROM mail WHERE mailbox_id IN (1, 2) AND uid = 2;		-- 4, and 3 in mailbox 2
DELETE FROM mail WHERE mailbox_id = 1 AND uid IN (3, 5);		-- 5

-- What a client gets that was away since each mod-sequence
CREATE VIEW answer AS
	SELECT since, modseq.vanished_since('mail', 1, since) AS vanished, r.vanished AS resync, r.first_vanished, r.highestmodseq
	FROM generate_series(0, 7) AS since,
		modseq.resync('mail', 1, (SELECT uidvalidity FROM modseq.status('mail', 1)), since) AS r
	ORDER BY since;
SELECT * FROM answer;

-- Nothing is that old yet
SELECT modseq.compact('mail', '1 hour');
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;

-- Rows are folded by their age: those of the last statement stay as they are
UPDATE mail_vanished SET vanished_at = vanished_at - interval '2 hours' WHERE modseq < 5;
SELECT modseq.compact('mail', '1 hour');
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;

-- Exact from 4 on, everything up to 4 before; HIGHESTMODSEQ is as it was
SELECT * FROM answer;
SELECT * FROM modseq.check('mail');

-- Once more: there is nothing to fold, and no row is written
SELECT modseq.compact('mail', '1 hour');
SELECT xmin::text::bigint < pg_current_xact_id()::text::bigint AS old FROM mail_vanished ORDER BY id, modseq;

-- A row whose clock was wrong is folded with those above it, for history has no holes
UPDATE mail_vanished SET vanished_at = vanished_at + interval '1 day' WHERE id = 1 AND modseq = 4;
UPDATE mail_vanished SET vanished_at = vanished_at - interval '1 day' WHERE id = 1 AND modseq = 5;
SELECT modseq.compact('mail', '1 hour');
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;

-- All of it, in a transaction that is rolled back, and then for good
DELETE FROM mail WHERE uid = 12;
BEGIN;
SELECT modseq.compact('mail', '0');
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;
ROLLBACK;
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;
SELECT modseq.compact('mail', '0');
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;

-- The next expunge comes after, and a mailbox keeps its folded row under a new key
DELETE FROM mail WHERE mailbox_id = 1 AND uid = 1;
UPDATE mailbox SET id = 10 WHERE id = 1;
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;
SELECT * FROM modseq.check('mail');

-- The worst case in small: a thousand messages expunged one by one in random order leave one range
INSERT INTO mail (mailbox_id) SELECT 3 FROM generate_series(1, 1000);
DO $$
DECLARE
	i int;
BEGIN
	FOR i IN SELECT id FROM mail WHERE mailbox_id = 3 ORDER BY md5(id::text) LOOP
		DELETE FROM mail WHERE id = i;
	END LOOP;
END $$;
SELECT count(*) FROM mail_vanished WHERE id = 3;
SELECT modseq.compact('mail', '0');
SELECT uids FROM mail_vanished WHERE id = 3;
SELECT * FROM modseq.check('mail');

-- Errors
\set VERBOSITY terse
SELECT modseq.compact('mail', NULL);
\echo :SQLSTATE
SELECT modseq.compact('mail', '-1 hour');
\echo :SQLSTATE
SELECT modseq.compact('mailbox', '0');
\echo :SQLSTATE
SELECT modseq.compact(NULL, '0');
\echo :SQLSTATE
CREATE ROLE regress_modseq_compact;
GRANT USAGE ON SCHEMA compact TO regress_modseq_compact;
GRANT SELECT, DELETE ON mail TO regress_modseq_compact;
SET ROLE regress_modseq_compact;
SELECT modseq.compact('mail', '0');
\echo :SQLSTATE
RESET ROLE;

DROP SCHEMA compact CASCADE;
DROP ROLE regress_modseq_compact;
