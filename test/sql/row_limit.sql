--
-- Statements that end early. A row limit of SPI, as PL/Perl, PL/Python and PL/Tcl have it, stops an INSERT, UPDATE,
-- DELETE or MERGE as soon as so many rows have been returned: what was done by then is done, and is told to clients. The
-- other ways to take only some rows of a RETURNING let the statement come to its end.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_row_limit;
SET search_path = t_row_limit;
\set VERBOSITY terse
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\getenv build PG_ABS_BUILDDIR
\getenv suffix PG_DLSUFFIX
\set told :test /include/told.sql
\i :told
\set module :build /test/module/in_c :suffix
-- The first column of the last row
CREATE FUNCTION row_limit(command text, n bigint) RETURNS text LANGUAGE C AS :'module';

CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
CREATE TABLE mail_flag (mail_id int REFERENCES mail ON DELETE CASCADE, flag text);
SELECT modseq.attach('mail', 'box', 'mail_flag');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail SELECT i, 1 FROM generate_series(1, 5) AS i;
SELECT * FROM told('mail', 1);

-- One of several rows, each as a transaction of its own
SELECT row_limit('UPDATE mail SET seen = true RETURNING uid', 1);
SELECT * FROM told('mail', 1);
SELECT row_limit('INSERT INTO mail SELECT i, 1 + i % 2 FROM generate_series(11, 15) AS i RETURNING uid', 1);
SELECT * FROM told('mail', 1);
SELECT row_limit('DELETE FROM mail RETURNING uid', 2);
SELECT * FROM told('mail', 1);
-- As many as there are: PostgreSQL does not look for one more, and so does not know that there is none
SELECT row_limit('INSERT INTO mail VALUES (21, 2) RETURNING uid', 1);
SELECT * FROM told('mail', 1);
-- More than there are; no limit; rows that are not returned do not count
SELECT row_limit('UPDATE mail SET seen = NOT seen WHERE id = 21 RETURNING uid', 2);
SELECT row_limit('UPDATE mail SET seen = false WHERE id = 21 RETURNING uid', 0);
SELECT row_limit('UPDATE mail SET seen = true WHERE id > 11', 1);
SELECT * FROM told('mail', 1);
-- A move; an upsert, either way; a flag table; a cascade from the mailbox, whose messages all go
SELECT row_limit('UPDATE mail SET box_id = 3 - box_id WHERE id > 3 RETURNING id', 2);
SELECT * FROM told('mail', 1);
SELECT row_limit('INSERT INTO mail VALUES (21, 1), (22, 1), (23, 1) ON CONFLICT (id) DO UPDATE SET seen = mail.seen IS NOT TRUE RETURNING id', 1);
SELECT row_limit('INSERT INTO mail VALUES (31, 1), (21, 1), (33, 1) ON CONFLICT (id) DO UPDATE SET seen = mail.seen IS NOT TRUE RETURNING id', 2);
SELECT * FROM told('mail', 1);
SELECT row_limit('INSERT INTO mail_flag SELECT id, ''x'' FROM mail WHERE box_id = 2 ORDER BY id RETURNING mail_id', 1);
SELECT * FROM told('mail', 1);
SELECT row_limit('DELETE FROM mail WHERE id IN (SELECT mail_id FROM mail_flag) RETURNING uid', 1);
SELECT * FROM told('mail', 1);
ALTER TABLE mail DROP CONSTRAINT mail_box_id_fkey, ADD FOREIGN KEY (box_id) REFERENCES box ON DELETE CASCADE;
SELECT row_limit('DELETE FROM box WHERE id = 2 RETURNING id', 1);
SELECT * FROM told('mail', 1);
SELECT count(*) FROM mail WHERE box_id = 2;

-- In one transaction with others, before and after, in a subtransaction that is kept, and in one that is not
BEGIN;
UPDATE mail SET seen = NULL;
SELECT row_limit('UPDATE mail SET seen = true RETURNING id', 1);
UPDATE mail SET seen = NOT seen;
SAVEPOINT a;
SELECT row_limit('INSERT INTO mail VALUES (41, 1), (42, 1) RETURNING uid', 1);
RELEASE a;
SAVEPOINT b;
SELECT row_limit('DELETE FROM mail RETURNING id', 1);
ROLLBACK TO b;
SELECT * FROM told('mail', 1);
COMMIT;
SELECT * FROM told('mail', 1);
-- In an EXCEPTION block; in a trigger of another statement; beside a modification in WITH, which runs to the end
DO $$ BEGIN
	PERFORM row_limit('UPDATE mail SET seen = seen IS NOT TRUE RETURNING id', 1);
	PERFORM row_limit('DELETE FROM mail RETURNING 1 / 0', 1);
EXCEPTION WHEN division_by_zero THEN
	PERFORM row_limit('UPDATE mail SET seen = seen IS NOT TRUE RETURNING id', 1);
END $$;
SELECT * FROM told('mail', 1);
CREATE TABLE job (id int);
CREATE FUNCTION work() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM row_limit('UPDATE mail SET seen = seen IS NOT TRUE RETURNING id', 1);
	RETURN NULL;
END $$;
CREATE TRIGGER work AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION work();
INSERT INTO job VALUES (1);
CREATE TRIGGER work AFTER INSERT ON mail FOR EACH ROW EXECUTE FUNCTION work();
INSERT INTO mail VALUES (51, 1);
DROP TRIGGER work ON mail;
SELECT * FROM told('mail', 1);
SELECT row_limit('WITH w AS (DELETE FROM mail WHERE id > 40 RETURNING id) INSERT INTO mail SELECT id + 20, 1 FROM w ORDER BY 1 RETURNING uid', 1);
SELECT row_limit('WITH w AS (UPDATE mail SET seen = NULL RETURNING uid) SELECT * FROM w ORDER BY 1', 1);
SELECT * FROM told('mail', 1);

-- Statement triggers of the application fire where they do without modseq: not after such a statement
CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING '% % %', TG_WHEN, TG_LEVEL, TG_OP; RETURN NULL; END $$;
CREATE TRIGGER say BEFORE INSERT OR UPDATE OR DELETE ON mail EXECUTE FUNCTION say();
CREATE TRIGGER zzz_say AFTER INSERT OR UPDATE OR DELETE ON mail EXECUTE FUNCTION say();
CREATE TRIGGER say_row AFTER INSERT OR UPDATE OR DELETE ON mail FOR EACH ROW EXECUTE FUNCTION say();
CREATE TRIGGER aaa_when AFTER UPDATE ON mail FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION say();
SELECT row_limit('UPDATE mail SET seen = true RETURNING id', 1);
SELECT row_limit('UPDATE mail SET seen = false WHERE id = 1 RETURNING id', 0);
ALTER FUNCTION say RENAME TO trigger_flush;
CREATE TRIGGER say AFTER UPDATE ON job EXECUTE FUNCTION trigger_flush();
SELECT row_limit('UPDATE job SET id = id RETURNING id', 1);
DROP FUNCTION trigger_flush CASCADE;
SELECT * FROM told('mail', 1);

-- Triggers of ours that are off stay off; without modseq the statements are what they were
SET session_replication_role = replica;
SELECT row_limit('UPDATE mail SET seen = NULL RETURNING id', 1);
RESET session_replication_role;
ALTER TABLE mail DISABLE TRIGGER USER;
SELECT row_limit('UPDATE mail SET seen = NULL RETURNING id', 1);
ALTER TABLE mail ENABLE TRIGGER USER;
SELECT * FROM told('mail', 1);
SELECT row_limit('INSERT INTO job VALUES (2), (3) RETURNING id', 1);
SELECT * FROM job ORDER BY id;
CREATE TABLE no_triggers AS SELECT 1 AS id;
SELECT row_limit('DELETE FROM no_triggers RETURNING id', 1);

-- By a view, by the table that a partition belongs to, by the partition, across partitions
CREATE VIEW seen_mail AS SELECT * FROM mail WHERE seen;
CREATE TABLE post (id int, box_id int NOT NULL REFERENCES box, seen boolean, PRIMARY KEY (id, box_id)) PARTITION BY LIST (box_id);
CREATE TABLE post_1 PARTITION OF post FOR VALUES IN (1);
CREATE TABLE post_2 PARTITION OF post DEFAULT;
CREATE TABLE box2 (id int PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
ALTER TABLE post DROP CONSTRAINT post_box_id_fkey;
SELECT modseq.attach('post', 'box2', message_mailbox => '{box_id}');
INSERT INTO box2 VALUES (1), (2);
SELECT row_limit('UPDATE seen_mail SET seen = false RETURNING id', 1);
SELECT * FROM told('mail', 1);
SELECT row_limit('INSERT INTO post VALUES (1, 1), (2, 1) RETURNING uid', 1), row_limit('INSERT INTO post_1 VALUES (3, 1), (4, 1) RETURNING uid', 1),
	row_limit('INSERT INTO post VALUES (5, 2), (6, 1) RETURNING uid', 1);
SELECT row_limit('UPDATE post SET box_id = 2 RETURNING id', 1), row_limit('UPDATE post_1 SET seen = true RETURNING id', 1);
SELECT * FROM told('post', 1);
SELECT row_limit('DELETE FROM post RETURNING id', 1);
SELECT * FROM told('post', 1);

-- The other ways to take only some of the rows: all of these statements come to their end
CREATE FUNCTION first() RETURNS int LANGUAGE sql AS 'INSERT INTO post SELECT i, 1 FROM generate_series(21, 23) AS i RETURNING id';
CREATE FUNCTION strict_one() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n int;
BEGIN
	INSERT INTO post VALUES (31, 1) RETURNING uid INTO STRICT n;
	UPDATE post SET seen = true WHERE id = 31 RETURNING uid INTO n;
	EXECUTE 'UPDATE post SET seen = false WHERE id > 20 RETURNING uid' INTO n;
	FOR n IN DELETE FROM post WHERE id < 10 RETURNING id LOOP
		EXIT;
	END LOOP;
	PERFORM row_limit('DELETE FROM post WHERE id = 31 RETURNING uid', 1);
END $$;
SELECT first();
SELECT strict_one();
DO $$ DECLARE n int; BEGIN FOR n IN UPDATE post SET seen = true RETURNING id LOOP EXIT; END LOOP; END $$;
WITH w AS (UPDATE post SET seen = false WHERE id > 20 RETURNING id) SELECT count(*) FROM (SELECT FROM w LIMIT 1) AS one;
\set FETCH_COUNT 1
UPDATE post SET seen = true WHERE id > 21 RETURNING id > 21;
\unset FETCH_COUNT
SELECT * FROM told('post', 1);
SELECT count(*) FROM post;

DROP SCHEMA t_row_limit CASCADE;
