--
-- modseq.activity and modseq.locks: what goes on in each store, and who holds its locks. Each role sees what is its own to
-- see, and nobody can break them for others, or make them wait. Who waits for whom is in race_locks.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE ROLE regress_modseq_owner;
CREATE ROLE regress_modseq_other;
CREATE ROLE regress_modseq_monitor IN ROLE pg_monitor;
CREATE SCHEMA activity AUTHORIZATION regress_modseq_owner;
GRANT USAGE ON SCHEMA activity TO regress_modseq_monitor;
SET search_path = activity, public;
SET ROLE regress_modseq_owner;
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box ON DELETE CASCADE, seen boolean);
CREATE TABLE mail_flag (mail_id bigint, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'box', 'mail_flag', message_key => '{id}', flag_message => '{mail_id}');
-- Partitions, a key of two columns, and accounts
CREATE TABLE folder (login text, name text, PRIMARY KEY (login, name));
CREATE TABLE item (id bigint, login text, name text, email bigint, PRIMARY KEY (id, login)) PARTITION BY LIST (login);
CREATE TABLE item_alice PARTITION OF item FOR VALUES IN ('alice');
CREATE TABLE item_other PARTITION OF item DEFAULT;
SELECT modseq.attach('item', 'folder', message_mailbox => '{login,name}', account => '{login}', email => 'email');
RESET ROLE;

-- Each statement in a transaction of its own, counted at its end
INSERT INTO box SELECT generate_series(1, 3);
INSERT INTO mail SELECT i, 1 + i % 2 FROM generate_series(1, 10) AS i;
UPDATE mail SET seen = true WHERE id <= 4;
INSERT INTO mail_flag VALUES (1, 'seen'), (2, 'seen');
UPDATE mail_flag SET flag = 'answered' WHERE mail_id = 2;
DELETE FROM mail_flag;
DELETE FROM mail WHERE id = 5;
DELETE FROM mail WHERE id IN (6, 7);
SELECT count(*) FROM modseq.changed_since('mail', 1, 2);
SELECT modseq.vanished_since('mail', 1, 2);
INSERT INTO folder VALUES ('alice', 'INBOX'), ('bob', 'INBOX');
INSERT INTO item VALUES (1, 'alice', 'INBOX', 1), (2, 'bob', 'INBOX', 1), (3, 'bob', 'INBOX', 1);
DELETE FROM item WHERE id = 2;
SELECT pg_stat_force_next_flush();
\x on
SELECT message, mailboxes, messages, vanished_rows, departed_rows, message_inserts, message_updates, message_deletes, flag_inserts,
	flag_updates, flag_deletes, counter_updates, vanished_inserts, CASE message WHEN 'mail'::regclass THEN modseq_scans END AS modseq_scans, uid_scans > 0 AS uid_scans, vanished_scans > 0 AS vanished_scans
FROM modseq.activity WHERE message::text IN ('mail', 'item') ORDER BY message::text;
\x off

-- Sizes, and what compact() notes, whoever calls it
SELECT message, vanished_bytes = pg_relation_size('mail_vanished') + pg_relation_size('mail_vanished_pkey') + pg_relation_size(reltoastrelid)
	+ pg_indexes_size(reltoastrelid) AS vanished_bytes, departed_bytes, compacted, vanished_oldest
FROM modseq.activity, pg_class WHERE message = 'mail'::regclass AND oid = 'mail_vanished'::regclass;
ANALYZE mail_vanished;
SELECT vanished_oldest = (SELECT min(vanished_at) FROM mail_vanished) AS vanished_oldest FROM modseq.activity WHERE message = 'mail'::regclass;
SELECT now() AS before \gset
SELECT modseq.compact('mail', '0');
SELECT message, compacted > :'before' AS compacted FROM modseq.activity WHERE message::text IN ('mail', 'item') ORDER BY message::text;
SET ROLE regress_modseq_owner;
SELECT now() AS before \gset
SELECT modseq.compact('mail', '0'), modseq.compact('item', '0', '0');
SELECT message, compacted > :'before' AS compacted FROM modseq.activity WHERE message::text IN ('mail', 'item') ORDER BY message::text;
-- Who has no right to the table does not write there
SET ROLE regress_modseq_other;
\set ON_ERROR_STOP 0
SELECT modseq_internal.note_compaction(oid) FROM pg_class WHERE relname = 'mail_vanished' AND relnamespace = 'activity'::regnamespace;
INSERT INTO modseq_internal.compaction SELECT oid, now() FROM pg_class WHERE relname = 'item_vanished' AND relnamespace = 'activity'::regnamespace;
INSERT INTO modseq_internal.compaction VALUES (0, now());
DELETE FROM modseq_internal.compaction;
\set ON_ERROR_STOP 1
SELECT count(*) FROM modseq_internal.compaction JOIN pg_class ON oid = vanished AND relname IN ('mail_vanished', 'item_vanished') AND relnamespace = 'activity'::regnamespace;
RESET ROLE;

-- Locks of this session: rows only, and as they would be seen by others after writing, in a savepoint too
CREATE FUNCTION locks() RETURNS TABLE (message regclass, mailbox text, account text, relation regclass, lock text, granted boolean, mine boolean)
LANGUAGE sql AS $$
	SELECT message, mailbox, account, relation, lock, granted, pid = pg_backend_pid() AND since = transaction_timestamp()
		AND waiting = '{}' AND waiting_since IS NULL
	FROM modseq.locks ORDER BY message::text, lock, mailbox, account
$$;
GRANT USAGE ON SCHEMA activity TO PUBLIC;
SELECT * FROM locks();
BEGIN;
SELECT count(*) FROM mail;
SELECT * FROM locks();
SELECT uidnext > 0 FROM modseq.lock('mail', 1);
SELECT * FROM locks();
UPDATE mail SET seen = NULL WHERE id = 2;
SAVEPOINT a;
INSERT INTO mail VALUES (20, 2);
SAVEPOINT b;
DELETE FROM item WHERE login = 'bob';
SELECT * FROM locks();
RELEASE b;
SELECT * FROM locks();
ROLLBACK TO a;
SELECT * FROM locks();
ROLLBACK;
-- A foreign key's lock keeps nobody from the mailbox lock
BEGIN;
SELECT FROM mail_mailbox WHERE id = 1 FOR KEY SHARE;
SELECT FROM mail_mailbox WHERE id = 2 FOR SHARE;
SELECT * FROM locks();
ROLLBACK;
-- Of tables
BEGIN;
LOCK TABLE mail_flag IN SHARE MODE;
LOCK TABLE item_alice;
SELECT * FROM locks();
ROLLBACK;

-- What each role sees: of keys, what it may SELECT; that there are locks, who may scan tables for statistics
BEGIN;
SELECT uidnext > 0 FROM modseq.lock('mail', 1);
SELECT uidnext > 0 FROM modseq.lock('item', '{alice,INBOX}');
SET LOCAL ROLE regress_modseq_owner;
SELECT * FROM locks();
SET LOCAL ROLE regress_modseq_other;
SELECT * FROM locks();
SET LOCAL ROLE regress_modseq_monitor;
SELECT * FROM locks();
RESET ROLE;
GRANT SELECT (id) ON mail_mailbox TO regress_modseq_monitor;
SET LOCAL ROLE regress_modseq_monitor;
SELECT * FROM locks();
RESET ROLE;
-- A policy is not asked
ALTER TABLE mail_mailbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON mail_mailbox USING (1 / 0 = 1);
SET LOCAL ROLE regress_modseq_monitor;
SELECT * FROM locks();
SET LOCAL ROLE regress_modseq_other;
SELECT message, mailboxes, vanished_rows >= 0 AS vanished_rows, vanished_oldest, message_inserts >= 10 AS message_inserts FROM modseq.activity
JOIN pg_class ON oid = message AND relname = 'mail' AND relnamespace = 'activity'::regnamespace;
RESET ROLE;
ROLLBACK;

-- A prepared transaction holds its locks, and is nobody's
BEGIN;
SELECT uidnext > 0 FROM modseq.lock('mail', 2);
PREPARE TRANSACTION 'regress_activity';
SELECT l.message, l.mailbox, l.lock, l.pid, p.gid, l.since = p.prepared AS since
FROM modseq.locks l JOIN pg_prepared_xacts p USING (transaction);
ROLLBACK PREPARED 'regress_activity';

-- Stores that are broken, or forged, are rows with NULL, and no error
CREATE SCHEMA other AUTHORIZATION regress_modseq_other;
SET ROLE regress_modseq_other;
CREATE TABLE other.x (id bigint);
INSERT INTO other.x VALUES (1);
CREATE TRIGGER t BEFORE INSERT ON other.x FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign('mailbox=activity.box',
	'vanished=activity.mail_vanished', 'counters=activity.mail_mailbox', 'mailbox_key={id}', 'message_mailbox={id', 'account={x}');
CREATE TABLE other.y (id bigint, vanished_at text);
INSERT INTO other.y SELECT 1, 'never' FROM generate_series(1, 10);
-- Or what PostgreSQL has yet to count were added to what ANALYZE finds
SELECT pg_stat_force_next_flush();
ANALYZE other.y;
CREATE TRIGGER t BEFORE INSERT ON other.y FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign('mailbox=other.y', 'vanished=other.y',
	'mailbox_key={id,id,id,id,id,id,id,id,id,id,id,id,id,id,id,id,id,id}', 'message_mailbox={gone}', 'message_uid=gone');
RESET ROLE;
SELECT message, mailboxes, vanished_rows, vanished_oldest, compacted FROM modseq.activity WHERE message::text LIKE 'other.%' ORDER BY message::text;
BEGIN;
LOCK TABLE other.x, other.y IN ROW EXCLUSIVE MODE;
UPDATE other.x SET id = 2;
SELECT FROM other.y FOR UPDATE;
SELECT uidnext > 0 FROM modseq.lock('mail', 2);
SELECT * FROM locks();
ROLLBACK;
-- A column that was given another type, a table that is gone, and one with another name
ALTER TABLE mail_vanished ALTER COLUMN vanished_at DROP DEFAULT, ALTER COLUMN vanished_at TYPE text USING 'never';
ANALYZE mail_vanished;
SELECT vanished_rows >= 0 AS vanished_rows, vanished_oldest FROM modseq.activity WHERE message = 'mail'::regclass;
DROP TABLE mail_mailbox;
ALTER TABLE mail_vanished RENAME TO renamed;
SELECT mailboxes, vanished_rows, vanished_bytes, compacted, message_inserts >= 10 AS message_inserts FROM modseq.activity WHERE message = 'mail'::regclass;
-- Nor do the functions behind them take what is no table
SELECT count(*) FROM modseq_internal.locked_rows(0, '{}');
SELECT count(*) FROM modseq_internal.locked_rows('mail_pkey'::regclass, '{id}');
SELECT count(*) FROM modseq_internal.locked_rows('mail'::regclass, '{gone}');
SELECT modseq_internal.table_bytes(0), modseq_internal.table_bytes('modseq.stores'::regclass);

DROP SCHEMA activity, other CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_other, regress_modseq_monitor;
