--
-- attach(): its locks. Writers wait, readers only where a table must change
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'

CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint, seen boolean);
CREATE TABLE flag (id int PRIMARY KEY, mail_id int, what text, uid bigint);
SELECT modseq.attach('mail', 'mailbox', 'flag', counters => 'mailbox');
SELECT modseq.detach('mail');
-- Of which detach() has let go
ALTER TABLE mailbox ALTER uidvalidity SET NOT NULL;

CREATE FUNCTION locks() RETURNS TABLE (relation regclass, mode text) LANGUAGE sql AS $$
	SELECT relation::regclass, mode FROM pg_locks
	WHERE pid = pg_backend_pid() AND relation IN ('mail'::regclass, 'mailbox'::regclass, 'flag'::regclass)
		AND mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock')
	ORDER BY 1, 2 $$;
BEGIN;
SELECT modseq.attach('mail', 'mailbox', 'flag', counters => 'mailbox');
SELECT * FROM locks();
COMMIT;
BEGIN;
SELECT modseq.attach('mail', 'mailbox', 'flag', counters => 'mailbox');
SELECT * FROM locks();
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
