--
-- A nested statement changes the row of a mailbox again, and its triggers tell us before those of the statement that
-- contains it: what is known of a mailbox goes by the newest version of its row
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_heard_late;
SET search_path = t_heard_late;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE box (id text PRIMARY KEY, note text);
CREATE TABLE mail (id int PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box', counters => 'mailbox', message_mailbox => '{box}', message_flags => '{seen}');
INSERT INTO box (id) VALUES ('a'), ('b'), ('c');
INSERT INTO mail SELECT i, chr(97 + i % 3) FROM generate_series(0, 8) AS i;
\set state 'SELECT mailbox[1] AS box, uidnext, highest, messages AS "id:uid:modseq", vanished FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\');'
:state

-- Renames b, gives its key to c, and more, before we hear of what fires it
CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET id = 'x' WHERE id = 'b';
	UPDATE box SET id = 'b' WHERE id = 'c';
	RETURN NULL;
END $$;
CREATE TRIGGER "0_rename" AFTER UPDATE OF note ON box FOR EACH ROW WHEN (new.note = 'rename') EXECUTE FUNCTION rename();
-- ... its lock is ours, and a message has gone
BEGIN;
SELECT FROM modseq.lock('mail', '{b,c}'::text[]);
WITH u AS (UPDATE box SET note = 'rename' WHERE id = 'b') DELETE FROM mail WHERE id = 1;
UPDATE mail SET seen = true WHERE id IN (2, 4);
INSERT INTO mail VALUES (10, 'b'), (11, 'x');
:state
ROLLBACK;
-- ... or it is not
BEGIN;
WITH u AS (UPDATE box SET note = 'rename' WHERE id = 'b') DELETE FROM mail WHERE id = 1;
INSERT INTO mail VALUES (10, 'b'), (11, 'x');
:state
ROLLBACK;
-- ... messages have arrived, and UIDs are passed over by the statement itself
BEGIN;
INSERT INTO mail VALUES (10, 'b');
WITH u AS (UPDATE box SET note = 'rename', uidnext = 20 WHERE id = 'b') INSERT INTO mail VALUES (11, 'b'), (12, 'a');
INSERT INTO mail VALUES (13, 'x'), (14, 'b');
:state
ROLLBACK;
-- ... and in a subtransaction, which is released or rolled back
CREATE OR REPLACE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		UPDATE box SET id = 'x' WHERE id = 'b';
		UPDATE box SET id = 'b' WHERE id = 'c';
		IF new.uidnext < 20 THEN
			RAISE EXCEPTION 'undone';
		END IF;
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	RETURN NULL;
END $$;
BEGIN;
SELECT FROM modseq.lock('mail', '{b,c}'::text[]);
WITH u AS (UPDATE box SET note = 'rename' WHERE id = 'b') DELETE FROM mail WHERE id = 1;
INSERT INTO mail VALUES (10, 'b');
:state
SAVEPOINT s;
WITH u AS (UPDATE box SET note = 'rename', uidnext = 20 WHERE id = 'b') DELETE FROM mail WHERE id = 4;
INSERT INTO mail VALUES (11, 'b'), (12, 'x');
:state
ROLLBACK TO s;
INSERT INTO mail VALUES (11, 'b');
:state
ROLLBACK;
DROP TRIGGER "0_rename" ON box;

-- One row's trigger renames the mailbox of the next, which the same statement has changed
CREATE FUNCTION rename_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET id = 'y' WHERE id = 'c';
	RETURN NULL;
END $$;
CREATE TRIGGER z_rename AFTER UPDATE OF note ON box FOR EACH ROW WHEN (new.id = 'b') EXECUTE FUNCTION rename_next();
BEGIN;
SELECT FROM modseq.lock('mail', 'c'::text);
WITH u AS (UPDATE box SET note = 'n') DELETE FROM mail WHERE id IN (1, 2);
UPDATE mail SET seen = true WHERE id = 5;
INSERT INTO mail VALUES (10, 'y');
:state
ROLLBACK;
DROP TRIGGER z_rename ON box;

-- Messages arrive under the key that the mailbox gets, by a function that the statement calls, and nothing goes
CREATE FUNCTION arrive(box text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail VALUES (20, box), (21, box);
	RETURN 'arrived';
END $$;
BEGIN;
UPDATE box SET id = 'w' WHERE id = 'b' RETURNING arrive(id);
:state
INSERT INTO mail VALUES (22, 'w');
:state
ROLLBACK;
BEGIN;
SELECT FROM modseq.lock('mail', 'b'::text);
WITH f AS (UPDATE mail SET seen = true WHERE id = 4) UPDATE box SET id = 'w' WHERE id = 'b' RETURNING arrive(id);
INSERT INTO mail VALUES (22, 'w');
:state
ROLLBACK;

-- It only changes it, once more; and later statements rename it
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET note = note || '!' WHERE id = new.id;
	RETURN NULL;
END $$;
CREATE TRIGGER "0_change" AFTER UPDATE OF note ON box FOR EACH ROW WHEN (new.note NOT LIKE '%!!') EXECUTE FUNCTION change();
BEGIN;
SELECT FROM modseq.lock('mail', 'b'::text);
WITH u AS (UPDATE box SET note = 'n' WHERE id = 'b') DELETE FROM mail WHERE id = 1;
UPDATE box SET id = 'z' WHERE id = 'b';
DELETE FROM mail WHERE id = 4;
INSERT INTO mail VALUES (10, 'z');
SELECT id, note FROM box ORDER BY id;
:state
ROLLBACK;
DROP TRIGGER "0_change" ON box;

-- It deletes the mailbox, and perhaps makes it anew; messages stay, and there is no foreign key
ALTER TABLE mail DROP CONSTRAINT mail_box_fkey;
CREATE FUNCTION replace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM box WHERE id = new.id;
	IF new.note = 'replace' THEN
		INSERT INTO box (id, note) VALUES (new.id, 'new');
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER "0_replace" AFTER UPDATE OF note ON box FOR EACH ROW EXECUTE FUNCTION replace();
BEGIN;
SELECT FROM modseq.lock('mail', 'b'::text);
UPDATE box SET note = 'delete' WHERE id = 'b';
INSERT INTO mail VALUES (10, 'b');
ROLLBACK;
BEGIN;
SELECT FROM modseq.lock('mail', 'b'::text);
DELETE FROM mail WHERE id = 1;
UPDATE box SET note = 'replace' WHERE id = 'b';
INSERT INTO mail VALUES (10, 'b');
SELECT id, note FROM box ORDER BY id;
:state
COMMIT;

DROP SCHEMA t_heard_late CASCADE;
