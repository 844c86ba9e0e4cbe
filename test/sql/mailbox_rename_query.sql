--
-- A query that renames a mailbox and uses it, under its old key, its new one, or both; and keys that another mailbox takes
-- over before we hear that they are free: the numbers are right, or an error says what to do
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_rename_query;
SET search_path = t_rename_query;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set failure :test /include/failure.sql
\i :failure

--
-- Messages that arrive under a key that the same query changes. Counters in the mailbox's row
--
CREATE TABLE box (id text PRIMARY KEY, parent text REFERENCES box ON UPDATE CASCADE, n int DEFAULT 0);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box', counters => 'mailbox', message_mailbox => '{box}', message_flags => '{seen}');
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\') ORDER BY mailbox COLLATE "C", vanished COLLATE "C";'
INSERT INTO box VALUES ('a', NULL), ('b', 'a'), ('c', 'b');
INSERT INTO mail (box) SELECT id FROM box, generate_series(1, 3);
DELETE FROM mail WHERE uid = 1;
:state
-- All that a query can do, in all mailboxes, which cascade to each other
BEGIN;
WITH m AS (UPDATE mail SET seen = true RETURNING 1), i AS (INSERT INTO mail (box) SELECT id FROM box RETURNING 1),
	d AS (DELETE FROM mail WHERE uid = 2 RETURNING 1)
UPDATE box SET id = id || '2', n = n + 1;
:state
INSERT INTO mail (box) VALUES ('a2'), ('a2') RETURNING uid, modseq;
ROLLBACK;
-- Under both keys, in either order, and once more under each
BEGIN;
WITH r AS (UPDATE box SET id = 'z' WHERE id = 'c' RETURNING id), i AS (INSERT INTO mail (box) SELECT id FROM r RETURNING uid),
	j AS (INSERT INTO mail (box) VALUES ('c'), ('c') RETURNING uid), k AS (INSERT INTO mail (box) SELECT id FROM r RETURNING uid)
SELECT i.uid AS new, k.uid AS new, (SELECT array_agg(j.uid) FROM j) AS old FROM i, k;
:state
INSERT INTO mail (box) VALUES ('z') RETURNING uid, modseq;
ROLLBACK;
BEGIN;
WITH r AS (UPDATE box SET id = 'z' WHERE id = 'c' RETURNING id), j AS (INSERT INTO mail (box) SELECT 'c' FROM r RETURNING box, uid),
	i AS (INSERT INTO mail (box) SELECT r.id FROM r, j RETURNING uid)
SELECT j.uid AS old, i.uid AS new FROM i, j;
:state
ROLLBACK;
-- The mailbox was used before, in this transaction, and in a savepoint; moves arrive there, too
BEGIN;
INSERT INTO mail (box) VALUES ('c') RETURNING uid, modseq;
SAVEPOINT s;
WITH r AS (UPDATE box SET id = 'z' WHERE id = 'c' RETURNING id), j AS (INSERT INTO mail (box) SELECT 'c' FROM r RETURNING uid),
	m AS (UPDATE mail SET box = 'c' FROM r WHERE box = 'a' AND uid = 3 RETURNING uid)
SELECT j.uid AS old, m.uid AS moved FROM j, m;
:state
ROLLBACK TO s;
INSERT INTO mail (box) VALUES ('c') RETURNING uid, modseq;
RELEASE s;
SAVEPOINT s;
WITH r AS (UPDATE box SET id = 'z' WHERE id = 'c' RETURNING id) INSERT INTO mail (box) SELECT 'c' FROM r;
RELEASE s;
INSERT INTO mail (box) VALUES ('z') RETURNING uid, modseq;
:state
ROLLBACK;
-- In a function's EXCEPTION block, which is undone or not
CREATE FUNCTION rename_and_insert(undone boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WITH r AS (UPDATE box SET id = 'z' WHERE id = 'c' RETURNING id) INSERT INTO mail (box) SELECT unnest(ARRAY['c', id]) FROM r;
	IF undone THEN RAISE 'undone'; END IF;
EXCEPTION WHEN raise_exception THEN
END $$;
BEGIN;
SELECT rename_and_insert(true);
INSERT INTO mail (box) VALUES ('c') RETURNING uid, modseq;
SELECT rename_and_insert(false);
INSERT INTO mail (box) VALUES ('z') RETURNING uid, modseq;
:state
ROLLBACK;
-- A UID that was used is used; and when it has got another key, or is gone, then nothing arrives there
SELECT failure($$WITH r AS (UPDATE box SET id = 'z' WHERE id = 'c' RETURNING id) INSERT INTO mail (box, uid) SELECT 'c', 1 FROM r$$);
BEGIN;
WITH r AS (UPDATE box SET id = 'z' WHERE id = 'c' RETURNING id) INSERT INTO mail (box) SELECT 'c' FROM r;
SELECT failure($$INSERT INTO mail (box) VALUES ('c')$$);
SELECT failure($$WITH r AS (DELETE FROM box WHERE id = 'z' RETURNING id) INSERT INTO mail (box) SELECT id FROM r$$);
ROLLBACK;
DROP TABLE mail, mail_vanished, box;

-- A key of two columns, a partitioned table, and messages that follow by hand
CREATE TABLE box (account int, id text, PRIMARY KEY (account, id)) PARTITION BY LIST (account);
CREATE TABLE box1 PARTITION OF box FOR VALUES IN (1);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int NOT NULL, box text NOT NULL, seen boolean);
SELECT modseq.attach('mail', 'box', counters => 'mailbox', message_mailbox => '{account,box}', message_flags => '{seen}');
INSERT INTO box VALUES (1, 'a'), (1, 'b');
INSERT INTO mail (account, box) SELECT account, id FROM box, generate_series(1, 2);
BEGIN;
WITH r AS (UPDATE box SET id = 'z' WHERE id = 'a' RETURNING id), i AS (INSERT INTO mail (account, box) SELECT 1, id FROM r RETURNING uid),
	j AS (INSERT INTO mail (account, box) SELECT 1, 'a' FROM i RETURNING uid)
SELECT i.uid AS new, j.uid AS old FROM i, j;
UPDATE mail SET box = 'z' WHERE box = 'a';
INSERT INTO mail (account, box) VALUES (1, 'z') RETURNING uid, modseq;
SELECT mailbox, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state('mail', 'id', 'uid', 'modseq');
-- Rows that were renamed without their messages: another one does not get these
SELECT failure($$WITH r AS (UPDATE box SET id = 'y' WHERE id = 'z' RETURNING id) INSERT INTO box SELECT 1, 'z' FROM r$$);
ROLLBACK;
DROP TABLE mail, mail_vanished, box;

-- Counters beside: they keep the old key until the trigger fires, so that messages can arrive under that
CREATE TABLE box (id text PRIMARY KEY);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box', message_mailbox => '{box}', message_flags => '{seen}');
INSERT INTO box VALUES ('a');
INSERT INTO mail (box) SELECT id FROM box, generate_series(1, 3);
WITH r AS (UPDATE box SET id = 'b' RETURNING 1) INSERT INTO mail (box) SELECT 'a' FROM r RETURNING uid, modseq;
:state
SELECT failure($$WITH r AS (UPDATE box SET id = 'c' RETURNING id) INSERT INTO mail (box) SELECT id FROM r$$);
SELECT failure($$WITH r AS (UPDATE box SET id = 'c' RETURNING id) INSERT INTO mail (box) SELECT unnest(ARRAY[id, 'b']) FROM r$$);
DROP TABLE mail, mail_vanished, mail_mailbox, box;
-- A side table of the application's likewise
CREATE TABLE box (id text PRIMARY KEY);
CREATE TABLE side (id text PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'side', mailbox_source => 'box', message_mailbox => '{box}', message_flags => '{seen}');
INSERT INTO box VALUES ('a');
INSERT INTO mail (box) SELECT id FROM box, generate_series(1, 3);
WITH r AS (UPDATE box SET id = 'b' RETURNING 1) INSERT INTO mail (box) SELECT 'a' FROM r RETURNING uid, modseq;
SELECT failure($$WITH r AS (UPDATE box SET id = 'c' RETURNING id) INSERT INTO mail (box) SELECT id FROM r$$);
DROP TABLE mail, mail_vanished, side, box;

--
-- A key that is taken over while the statement that frees it is not over: by a trigger before or after a row, whatever its
-- name, or by a function; by another mailbox, or by one that is made. With counters in the row and beside it; with a foreign
-- key and without; with partitions
--
CREATE FUNCTION run(command text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN EXECUTE command; RETURN true; END';
CREATE FUNCTION run_undone(command text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RAISE 'undone';
EXCEPTION WHEN others THEN
	RETURN true;
END $$;
CREATE FUNCTION run_old() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE tg_argv[0];
	RETURN CASE WHEN tg_op = 'DELETE' THEN old ELSE new END;
END $$;

CREATE FUNCTION outcomes(counters text, foreign_key text, partitioned boolean)
RETURNS TABLE (test text, outcome text)
LANGUAGE plpgsql AS $outcomes$
BEGIN
	EXECUTE format($$
		CREATE TABLE box (account int, id text, note text, PRIMARY KEY (account, id)) %s;
		%s
		CREATE TABLE mail (id int PRIMARY KEY, account int NOT NULL, box text NOT NULL, seen boolean%s);$$,
		CASE WHEN partitioned THEN 'PARTITION BY LIST (account)' END,
		CASE WHEN partitioned THEN 'CREATE TABLE box1 PARTITION OF box FOR VALUES IN (1);' END,
		', FOREIGN KEY (account, box) REFERENCES box ' || foreign_key);
	PERFORM modseq.attach('mail', 'box', counters => counters, message_mailbox => '{account,box}', message_flags => '{seen}');
	INSERT INTO box VALUES (1, 'b'), (1, 'd'), (1, 'go');
	INSERT INTO mail SELECT i, 1, CASE WHEN i > 4 THEN 'd' ELSE 'b' END FROM generate_series(1, 8) AS i;
	DELETE FROM mail WHERE id IN (2, 5, 6, 7, 8);
	DELETE FROM mail WHERE id = 1;
	UPDATE box SET note = 'is the last to be updated' WHERE id = 'go';
	RETURN QUERY SELECT t.test, split_part(failure(format($$DO %L$$, format($$
		BEGIN
			%s;
			UPDATE mail SET box = 'd' WHERE box = 'b' AND NOT EXISTS (SELECT FROM box WHERE id = 'b');
			RAISE '%%', CASE WHEN EXISTS (SELECT FROM modseq.check('mail')) THEN 'unsound' ELSE 'works' END USING ERRCODE = 'MS001';
		END$$, replace(replace(t.command, ':free', 'UPDATE box SET id = CASE id WHEN ''d'' THEN ''f'' ELSE id END, note = ''x'' WHERE id IN (''d'', ''go'')'),
			':take', 'UPDATE box SET id = $q$d$q$ WHERE id = $q$b$q$')))), E'\n', 1)
	FROM (VALUES
		('in one statement after the other', $$:free; UPDATE box SET id = 'd' WHERE id = 'b'$$),
		('before a row', $$CREATE TRIGGER t BEFORE UPDATE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION run_old(':take'); :free$$),
		('after a row, before us', $$CREATE TRIGGER "A" AFTER UPDATE ON box FOR EACH ROW WHEN (old.id = 'd') EXECUTE FUNCTION run_old(':take'); :free$$),
		('after a row, after us', $$CREATE TRIGGER z AFTER UPDATE ON box FOR EACH ROW WHEN (old.id = 'd') EXECUTE FUNCTION run_old(':take'); :free$$),
		('after a row that comes later', $$CREATE TRIGGER "A" AFTER UPDATE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION run_old(':take'); :free$$),
		('by a function', $$PERFORM run('UPDATE box SET id = ''f'' WHERE id = ''d'' RETURNING run('':take'')')$$),
		('and this is undone', $$PERFORM run('UPDATE box SET id = ''f'' WHERE id = ''d'' RETURNING run_undone('':take'')')$$),
		('by a new one', $$CREATE TRIGGER t BEFORE UPDATE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION run_old('INSERT INTO box VALUES (1, ''d'')'); :free$$),
		('of one that was deleted', $$DELETE FROM mail WHERE box = 'd'; CREATE TRIGGER t BEFORE DELETE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION run_old(':take'); DELETE FROM box WHERE id IN ('d', 'go')$$),
		('which is made anew', $$DELETE FROM mail WHERE box = 'd'; CREATE TRIGGER t BEFORE DELETE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION run_old('INSERT INTO box VALUES (1, ''d''); INSERT INTO mail VALUES (10, 1, ''d''); DELETE FROM mail WHERE id = 10'); DELETE FROM box WHERE id IN ('d', 'go')$$),
		('the same mailbox again', $$CREATE TRIGGER t BEFORE UPDATE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION run_old('UPDATE box SET id = ''g'' WHERE id = ''f'''); :free$$),
		('and deleted', $$DELETE FROM mail WHERE box = 'd'; CREATE TRIGGER t BEFORE UPDATE ON box FOR EACH ROW WHEN (old.id = 'go') EXECUTE FUNCTION run_old('DELETE FROM box WHERE id = ''f'''); :free$$),
		('new, and renamed', $$PERFORM run('INSERT INTO box VALUES (1, ''n'') RETURNING run(''UPDATE box SET id = ''''m'''' WHERE id = ''''n'''''')')$$),
		('new, and deleted', $$PERFORM run('INSERT INTO box VALUES (1, ''n'') RETURNING run(''DELETE FROM box WHERE id = ''''n'''''')')$$),
		('deleted, taken in one query', $$DELETE FROM mail WHERE box = 'd'; WITH d AS (DELETE FROM box WHERE id = 'd' RETURNING id) UPDATE box SET id = d.id FROM d WHERE box.id = 'b'$$),
		('deleted, its messages are left', $$INSERT INTO mail VALUES (10, 1, 'd'); DELETE FROM box WHERE id = 'd'; UPDATE box SET id = 'd' WHERE id = 'b'; UPDATE mail SET box = 'd' WHERE box = 'b'$$),
		('renamed, its messages are left', $$INSERT INTO mail VALUES (10, 1, 'd'); UPDATE box SET id = 'f' WHERE id = 'd'; UPDATE box SET id = 'd' WHERE id = 'b'; UPDATE mail SET box = 'f' WHERE id = 10; UPDATE mail SET box = 'd' WHERE box = 'b'$$),
		('swapped', $$UPDATE box SET id = 'x' WHERE id = 'b'; UPDATE mail SET box = 'x' WHERE box = 'b'; UPDATE box SET id = 'b' WHERE id = 'd'; UPDATE mail SET box = 'b' WHERE box = 'd'; UPDATE box SET id = 'd' WHERE id = 'x'; UPDATE mail SET box = 'd' WHERE box = 'x'$$),
		('messages follow, new UIDVALIDITY', $$UPDATE box SET id = 'x' WHERE id = 'b'; PERFORM modseq.reset_uidvalidity('mail', ARRAY[1, 'x']::text[]); UPDATE mail SET box = 'x' WHERE box = 'b'$$)) AS t (test, command);
	DROP TABLE box, mail, mail_vanished;
	DROP TABLE IF EXISTS mail_mailbox;
END $outcomes$;
SELECT * FROM outcomes('mailbox', 'ON UPDATE CASCADE ON DELETE CASCADE', false);
SELECT * FROM outcomes('mailbox', NULL, true);
SELECT * FROM outcomes('beside', 'ON UPDATE CASCADE ON DELETE CASCADE', true);
SELECT * FROM outcomes('beside', NULL, false);

DROP SCHEMA t_rename_query CASCADE;
