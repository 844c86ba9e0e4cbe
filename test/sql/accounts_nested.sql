--
-- Triggers of the application go on with a message in the statement that changes it: before the row is written they change
-- what Email it is, its Thread, mailbox or account; after it they move it, delete it, or make it anew. Against the model of
-- accounts_model: prints what is wrong, which is nothing.
--
\getenv test PG_ABS_SRCDIR
\set model :test /include/accounts_model.sql
\i :model

SET accounts_model.more = on;
CREATE SCHEMA nested;
SET search_path = nested, accounts_model;
CREATE TABLE mailbox (id int PRIMARY KEY, owner text NOT NULL, name text);
CREATE TABLE message (
	n int PRIMARY KEY, id int NOT NULL, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE,
	thread int, seen boolean NOT NULL DEFAULT false, gone boolean NOT NULL DEFAULT false, doing text);
SELECT modseq.attach('message', 'mailbox', message_flags => '{seen}', message_expunged => 'gone', account => '{owner}',
	email => 'id', thread => 'thread');
SELECT see('b.owner', 'm.id', 'm.thread', 'b.mailbox_id', 'NOT m.gone', 'm.seen', '(SELECT *, id AS mailbox_id FROM message_mailbox)',
	'(SELECT *, id AS mailbox_id FROM mailbox)', 's.name');
CREATE FUNCTION go_on() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	command text;
BEGIN
	FOREACH command IN ARRAY string_to_array(NEW.doing, '; ') LOOP
		EXECUTE command USING NEW;
	END LOOP;
	RETURN NEW;
END $$;
-- Before and after ours
CREATE TRIGGER a AFTER INSERT OR UPDATE ON message FOR EACH ROW
	WHEN (NEW.doing IS NOT NULL AND NEW.n % 2 = 0 AND pg_trigger_depth() = 0) EXECUTE FUNCTION go_on();
CREATE TRIGGER zz_z AFTER INSERT OR UPDATE ON message FOR EACH ROW
	WHEN (NEW.doing IS NOT NULL AND NEW.n % 2 = 1 AND pg_trigger_depth() = 0) EXECUTE FUNCTION go_on();
CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.id := NEW.id + 1000;
	NEW.thread := NEW.thread + 1000;
	NEW.mailbox_id := NEW.mailbox_id % 6 + 1;
	RETURN NEW;
END $$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE ON message FOR EACH ROW WHEN (NEW.thread % 7 = 6) EXECUTE FUNCTION before();
CREATE TABLE doing (k int, x text);
INSERT INTO doing SELECT row_number() OVER (), x FROM unnest(ARRAY[
	'UPDATE message SET mailbox_id = 5 WHERE n = $1.n',
	'UPDATE message SET mailbox_id = 2, id = id + 2000 WHERE n = $1.n',
	'UPDATE message SET gone = true WHERE n = $1.n',
	'UPDATE message SET gone = true WHERE n = $1.n; UPDATE message SET gone = false WHERE n = $1.n',
	'DELETE FROM message WHERE n = $1.n',
	'UPDATE message SET thread = NULL WHERE n = $1.n; UPDATE message SET thread = 9 WHERE n = $1.n; DELETE FROM message WHERE n = $1.n',
	'UPDATE message SET thread = 99, mailbox_id = 3 WHERE n = $1.n; UPDATE message SET mailbox_id = 4 WHERE n = $1.n',
	'DELETE FROM message WHERE n = $1.n; INSERT INTO message SELECT $1.n, $1.id, $1.mailbox_id, $1.thread + 50']) AS x;
SELECT load($$
INSERT INTO mailbox SELECT i, CASE WHEN i <= 4 THEN 'a' ELSE 'b' END, 'box' FROM generate_series(1, 6) i;
INSERT INTO message SELECT i, i, i % 6 + 1, i / 3 FROM generate_series(1, 72) i;
INSERT INTO message SELECT 100 + i, i, (i + 1) % 6 + 1, i / 3 FROM generate_series(1, 24) i;
UPDATE message SET thread = thread + 14 WHERE n IN (2, 3, 4, 5);
$$ || (SELECT string_agg(format($f$INSERT INTO message (n, id, mailbox_id, thread, doing) VALUES (%1$s, %1$s, 1, 1, %2$L), (%1$s + 1, %1$s + 1, 2, 1, %2$L), (500 + %3$s, 500, 3, 1, NULL);
UPDATE message SET doing = %2$L, seen = NOT seen WHERE n IN (10 + 2 * %3$s, 11 + 2 * %3$s);
UPDATE message SET doing = %2$L, thread = 200 + n WHERE n IN (30 + 2 * %3$s, 31 + 2 * %3$s);
WITH other AS (UPDATE message SET seen = NOT seen WHERE n = 501)
	UPDATE message SET doing = %2$L, mailbox_id = mailbox_id %% 4 + 1 WHERE n IN (50 + 2 * %3$s, 51 + 2 * %3$s);
WITH other AS (UPDATE message SET seen = NOT seen WHERE n = 501)
	UPDATE message SET doing = %2$L, mailbox_id = mailbox_id %% 4 + 1 WHERE n IN (106 + 2 * %3$s, 107 + 2 * %3$s);
$f$, 300 + 2 * k, x, k), '' ORDER BY k) FROM doing) || $$
INSERT INTO message SELECT n, 600, 1, 600 FROM generate_series(602, 605) n;
UPDATE message SET thread = 601, doing = 'UPDATE message SET mailbox_id = 2 WHERE n = $1.n' WHERE n = 602;
UPDATE message SET thread = 602, doing = 'UPDATE message SET mailbox_id = 2 WHERE n = $1.n' WHERE n = 603;
DELETE FROM message WHERE n < 40;
DELETE FROM message;
DELETE FROM mailbox;
$$);
\set what nested
\i :play
SET search_path = accounts_model;
DROP SCHEMA nested CASCADE;
DROP SCHEMA accounts_model CASCADE;
