--
-- Bad input: a clear error with its SQLSTATE and a hint, and nothing changed. Rule "whole errors"
-- (What attach() refuses is a test of its own; so is the text of uidsets.)
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_errors;
SET search_path = t_errors;
\pset format unaligned
\pset tuples_only on
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint, uidnext int);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint, uid bigint, seen boolean);
CREATE TABLE mail_flag (mail_id int, flag text);
SELECT modseq.attach('mail', 'mailbox', 'mail_flag');
INSERT INTO mailbox (id, uidvalidity) VALUES (1, 71), (2, 72);
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 5) AS i;
INSERT INTO mail_flag SELECT i, '\Seen' FROM generate_series(1, 5) AS i;
DELETE FROM mail WHERE id = 3;
INSERT INTO mailbox (id, uidvalidity, highestmodseq) VALUES (3, 73, 9223372036854775807);
INSERT INTO mailbox (id, uidvalidity, uidnext) VALUES (4, 74, 2147483647);
CREATE TABLE plain (id int);
CREATE VIEW a_view AS SELECT 1 AS id;
CREATE SEQUENCE a_sequence;

-- All that there is, with the places where it is stored: whatever writes changes it
CREATE FUNCTION everything() RETURNS TABLE (t text, place tid, by xid, r text) LANGUAGE plpgsql AS $$
BEGIN
	FOREACH t IN ARRAY '{mailbox,mail,mail_flag,mail_vanished}'::text[] LOOP
		RETURN QUERY EXECUTE format('SELECT %L, ctid, xmin, x::text FROM %I x', t, t);
	END LOOP;
END $$;
CREATE TABLE before AS SELECT * FROM everything();

-- No store
SELECT failure($$SELECT modseq.status('nowhere', 1)$$);
SELECT failure($$SELECT modseq.status(4711::regclass, 1)$$);
SELECT failure($$SELECT modseq.status('plain', 1)$$);
SELECT failure($$SELECT modseq.status('mailbox', 1)$$);
SELECT failure($$SELECT modseq.status('mail_flag', 1)$$);
SELECT failure($$SELECT modseq.status('mail_vanished', 1)$$);
SELECT failure($$SELECT modseq.status('a_view', 1)$$);
SELECT failure($$SELECT modseq.status('a_sequence', 1)$$);
SELECT failure($$SELECT modseq.status('mail_pkey', 1)$$);
SELECT failure($$SELECT modseq.lock('plain', 1)$$);
SELECT failure($$SELECT modseq.touch('plain', 1)$$);
SELECT failure($$SELECT modseq.changed_since('plain', 1, 1)$$);
SELECT failure($$SELECT modseq.vanished_since('plain', 1, 1)$$);
SELECT failure($$SELECT modseq.unchanged_since('plain', 1, '1', 1)$$);
SELECT failure($$SELECT modseq.resync('plain', 1, 71, 1)$$);
SELECT failure($$SELECT modseq.check('plain')$$);
SELECT failure($$SELECT modseq.detach('plain')$$);
SELECT failure($$SELECT modseq.reset_uidvalidity('plain', 1)$$);
SELECT failure($$SELECT modseq.compact('mailbox', '0')$$);
SELECT failure($$SELECT modseq.compact('mail_vanished', '0')$$);
SELECT failure($$SELECT modseq.detach('mail_flag')$$);

-- NULL for what cannot be null
SELECT failure($$SELECT modseq.status(NULL, 1)$$);
SELECT failure($$SELECT modseq.status('mail', NULL::bigint)$$);
SELECT failure($$SELECT modseq.status('mail', NULL::bigint[])$$);
SELECT failure($$SELECT modseq.status('mail', ARRAY[1, NULL])$$);
SELECT failure($$SELECT modseq.lock('mail', NULL::text)$$);
SELECT failure($$SELECT modseq.touch('mail', NULL::text[])$$);
SELECT failure($$SELECT modseq.changed_since('mail', 1, NULL)$$);
SELECT failure($$SELECT modseq.vanished_since('mail', 1, NULL)$$);
SELECT failure($$SELECT modseq.unchanged_since('mail', 1, NULL, 1)$$);
SELECT failure($$SELECT modseq.unchanged_since('mail', 1, '1', NULL)$$);
SELECT failure($$SELECT modseq.resync('mail', 1, 71, NULL)$$);
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', NULL::bigint)$$);
SELECT failure($$SELECT modseq.check(NULL)$$);

-- No such mailbox
SELECT failure($$SELECT modseq.status('mail', 99)$$);
SELECT failure($$SELECT modseq.lock('mail', ARRAY[1, 99])$$);
SELECT failure($$SELECT modseq.touch('mail', 99)$$);
SELECT failure($$SELECT modseq.changed_since('mail', 99, 1)$$);
SELECT failure($$SELECT modseq.vanished_since('mail', 99, 1)$$);
SELECT failure($$SELECT modseq.unchanged_since('mail', 99, '1', 1)$$);
SELECT failure($$SELECT modseq.resync('mail', 99, 71, 1)$$);
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 99)$$);
-- Or no key
SELECT failure($$SELECT modseq.status('mail', 'INBOX')$$);
SELECT failure($$SELECT modseq.status('mail', gen_random_uuid())$$) ~ '^22P02 invalid input syntax for type bigint';
SELECT failure($$SELECT modseq.status('mail', '9223372036854775808')$$);
SELECT failure($$SELECT modseq.status('mail', '{1,2}')$$);
SELECT failure($$SELECT modseq.lock('mail', '{}')$$);
SELECT failure($$SELECT modseq.touch('mail', ARRAY['1', '2'])$$);
SELECT failure($$SELECT modseq.touch('mail', '{}'::text[])$$);

-- A mod-sequence that is none
SELECT failure($$SELECT modseq.changed_since('mail', 1, -1)$$);
SELECT failure($$SELECT modseq.vanished_since('mail', 1, -1)$$);
SELECT failure($$SELECT modseq.unchanged_since('mail', 1, '1', -1)$$);
SELECT failure($$SELECT modseq.resync('mail', 1, 71, -1)$$);
SELECT split_part(failure($$SELECT modseq.changed_since('mail', 1, 9223372036854775808)$$), E'\n', 1);	-- PostgreSQL's hint varies
SELECT failure($$SELECT modseq.changed_since('mail', 1, '9223372036854775808')$$);
SELECT failure($$SELECT modseq.resync('mail', 1, 71, '18446744073709551615')$$);
SELECT failure($$SELECT modseq.changed_since('mail', 1, 'x')$$);

-- UIDs that are none
SELECT failure($$SELECT modseq.changed_since('mail', 1, 1, '1:*')$$);
SELECT failure($$SELECT modseq.vanished_since('mail', 1, 1, '0')$$);
SELECT failure($$SELECT modseq.unchanged_since('mail', 1, '1,,2', 1)$$);
SELECT failure($$SELECT modseq.resync('mail', 1, 71, 1, '4294967296')$$);
SELECT failure($$SELECT modseq.unchanged_since('mail', 1, '1:2000000', 1)$$);
SELECT failure($$SELECT modseq.resync('mail', 1, 71, 1, NULL, '1:2', '1')$$);
SELECT failure($$SELECT modseq.resync('mail', 1, 71, 1, NULL, '1:2', NULL)$$);

-- Messages
SELECT failure($$INSERT INTO mail (id, mailbox_id) VALUES (9, NULL)$$);
SELECT failure($$INSERT INTO mail (id, mailbox_id) VALUES (9, 99)$$);
SELECT failure($$INSERT INTO mail (id, mailbox_id, uid) VALUES (9, 1, 5)$$);
SELECT failure($$INSERT INTO mail (id, mailbox_id, uid) VALUES (9, 1, 0)$$);
SELECT failure($$INSERT INTO mail (id, mailbox_id, uid) VALUES (9, 1, 4294967296)$$);
SELECT failure($$INSERT INTO mail (id, mailbox_id) VALUES (9, 1), (9, 1)$$);
SELECT failure($$UPDATE mail SET mailbox_id = NULL WHERE id = 1$$);
SELECT failure($$UPDATE mail SET mailbox_id = 99 WHERE id = 1$$);
SELECT failure($$UPDATE mail SET mailbox_id = 2, uid = 0 WHERE id = 1$$);
SELECT failure($$UPDATE mail SET uid = 1 WHERE id = 2$$);
-- The mod-sequence at its top
SELECT failure($$INSERT INTO mail (id, mailbox_id) VALUES (9, 3)$$);
SELECT failure($$UPDATE mail SET mailbox_id = 3$$);
SELECT failure($$SELECT modseq.touch('mail', 3)$$);
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 3)$$);
-- A UIDNEXT that its column cannot hold
SELECT failure($$INSERT INTO mail (id, mailbox_id) VALUES (9, 4)$$);

-- Counters that go back
SELECT failure($$UPDATE mailbox SET highestmodseq = 2 WHERE id = 1$$);
SELECT failure($$UPDATE mailbox SET uidnext = 2 WHERE id = 1$$);
SELECT failure($$UPDATE mailbox SET uidvalidity = 2 WHERE id = 1$$);
-- UIDVALIDITY at its top
SELECT failure($$DO 'BEGIN UPDATE mailbox SET uidvalidity = 4294967295 WHERE id = 1;
	PERFORM modseq.reset_uidvalidity(''mail'', 1); END'$$);

-- Trigger functions that are no triggers, and triggers that are put elsewhere
SELECT failure($$SELECT modseq.trigger_assign()$$);
SELECT failure($$SELECT modseq.trigger_open()$$);
SELECT failure($$DO 'BEGIN CREATE TRIGGER t BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION modseq.trigger_assign();
	INSERT INTO plain VALUES (1); END'$$);
SELECT failure($$DO 'BEGIN CREATE TRIGGER t AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect();
	INSERT INTO plain VALUES (1); END'$$);
SELECT failure($$DO 'BEGIN CREATE TRIGGER t AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION modseq.trigger_collect_flag();
	INSERT INTO plain VALUES (1); END'$$);
SELECT failure($$DO 'BEGIN CREATE TRIGGER t AFTER INSERT ON plain FOR EACH STATEMENT EXECUTE FUNCTION modseq.trigger_collect();
	INSERT INTO plain VALUES (1); END'$$);

-- A configuration that does not fit any more says to attach again: a column, a table, a trigger
SELECT failure($$DO 'BEGIN ALTER TABLE mail RENAME uid TO imap_uid; INSERT INTO mail (id, mailbox_id) VALUES (9, 1); END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mail RENAME mailbox_id TO box; PERFORM modseq.status(''mail'', 1); END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mail DROP seen; UPDATE mail SET id = id; END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mailbox RENAME highestmodseq TO hms; DELETE FROM mail; END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mailbox RENAME TO folder; PERFORM modseq.status(''mail'', 1); END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mail RENAME TO message; PERFORM modseq.status(''message'', 1); END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mail RENAME TO message; INSERT INTO mail_flag VALUES (1, ''x''); END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mail RENAME TO message; UPDATE mailbox SET uidnext = uidnext + 1 WHERE id = 1; END'$$);
SELECT failure($$DO 'BEGIN ALTER TABLE mail_flag RENAME mail_id TO m; INSERT INTO mail_flag VALUES (1, ''x''); END'$$);
SELECT failure($$DO 'BEGIN DROP TABLE mail_flag; INSERT INTO mail (id, mailbox_id) VALUES (9, 1); END'$$);
SELECT failure($$DO 'BEGIN DROP TABLE mail_vanished; DELETE FROM mail; END'$$);
SELECT failure($$DO 'BEGIN DROP TABLE mailbox; CREATE TABLE mailbox (id bigint); DELETE FROM mail; END'$$);
SELECT failure($$DO 'BEGIN DROP TRIGGER zz_modseq_assign ON mail; DELETE FROM mail; END'$$);
SELECT failure($$DO 'BEGIN DROP TRIGGER "AA_modseq_mailbox" ON mailbox; DELETE FROM mail; END'$$);
-- One that still fits goes on
SELECT failure($$DO 'BEGIN ALTER TABLE mail ADD x int; ALTER TABLE mail DROP x; DELETE FROM mail WHERE id = 1;
	RAISE ''deleted: %'', (SELECT max(modseq) FROM mail_vanished); END'$$);

-- A rule or trigger that keeps our hand off the counters
SELECT failure($$DO 'BEGIN CREATE RULE r AS ON UPDATE TO mailbox DO INSTEAD NOTHING; DELETE FROM mail; END'$$);
SELECT failure($$DO 'BEGIN CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'';
	CREATE TRIGGER t BEFORE UPDATE ON mailbox FOR EACH ROW EXECUTE FUNCTION no(); DELETE FROM mail; END'$$);

-- Nothing of all this left a trace
(SELECT 'new', * FROM everything() EXCEPT SELECT 'new', * FROM before)
UNION ALL (SELECT 'gone', * FROM before EXCEPT SELECT 'gone', * FROM everything());
SELECT count(*) FROM before;
SELECT * FROM modseq.check('mail');
-- And the store is fit for use
INSERT INTO mail (id, mailbox_id) VALUES (9, 1) RETURNING uid, modseq;

-- Who may not write takes no lock, of a mailbox or its account, and reads on
CREATE TABLE box (id int PRIMARY KEY, owner text);
CREATE TABLE letter (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box);
SELECT modseq.attach('letter', 'box', account => '{owner}', message_flags => '{}');
INSERT INTO box VALUES (1, 'ann'), (2, 'ann');
INSERT INTO letter VALUES (1, 1);
SELECT failure(format('SET LOCAL transaction_read_only = on; SELECT %s', call))
FROM unnest('{"modseq.lock(''mail'', 1)","modseq.lock(''letter'', 1)","modseq.account_lock(''letter'', ''ann'')","modseq.touch(''letter'', 1)",
	"modseq.unchanged_since(''letter'', 1, ''1'', 1)","modseq.reset_uidvalidity(''letter'', 1)"}'::text[]) AS c (call);
BEGIN;
SELECT uidnext FROM modseq.lock('letter', 1);
SET TRANSACTION READ ONLY;
SELECT uidnext FROM modseq.status('letter', 2);
\set VERBOSITY terse
SELECT uidnext FROM modseq.lock('letter', 2);
ROLLBACK;

DROP SCHEMA t_errors CASCADE;
