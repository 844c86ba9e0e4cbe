--
-- Messages that an UPDATE or MERGE takes to another partition: those that stay in their mailbox keep their UID, and
-- all that is told of them is what a plain table would tell. Rules "moves" and "flags"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition_move;
SET search_path = t_partition_move;
\set VERBOSITY terse

-- Partitioned by a flag and, below that, by a date; the plain table beside it gets the same statements
CREATE TABLE plain_box (name text PRIMARY KEY);
CREATE TABLE plain_mail (id int, box text NOT NULL REFERENCES plain_box ON UPDATE CASCADE, day int, flags text[], created_modseq bigint);
CREATE TABLE box (LIKE plain_box INCLUDING ALL);
CREATE TABLE mail (LIKE plain_mail, FOREIGN KEY (box) REFERENCES box ON UPDATE CASCADE) PARTITION BY LIST ((coalesce('\Junk' = ANY (flags), false)));
CREATE TABLE mail_junk (flags text[], created_modseq bigint, day int, box text NOT NULL, id int);
ALTER TABLE mail ATTACH PARTITION mail_junk FOR VALUES IN (true);
CREATE TABLE mail_ham PARTITION OF mail FOR VALUES IN (false) PARTITION BY RANGE (day);
CREATE TABLE mail_ham_1 PARTITION OF mail_ham FOR VALUES FROM (0) TO (10);
CREATE TABLE mail_ham_2 PARTITION OF mail_ham DEFAULT;
SELECT modseq.attach('plain_mail', 'plain_box', counters => 'mailbox');
SELECT modseq.attach('mail', 'box');

CREATE FUNCTION state(mail_table regclass, box_table regclass) RETURNS TABLE (box text, uidnext bigint, highest bigint, mails text, vanished text)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('
		SELECT name, uidnext, highestmodseq,
			(SELECT string_agg(concat_ws('':'', id, uid, modseq, created_modseq), '' '' ORDER BY uid, id) FROM %1$s WHERE box = name),
			(SELECT string_agg(modseq || '': '' || uids::text, '' | '' ORDER BY modseq) FROM %1$s_vanished v WHERE v.name = b.name)
		FROM %2$s b
		UNION ALL
		SELECT NULL, NULL, NULL, concat_ws('' '', mailbox, uid), problem FROM modseq.check(%1$L)
		ORDER BY 1, 5', mail_table, box_table);
END
$$;
-- Runs a statement on both; shows the plain table, and where the other differs
CREATE FUNCTION run(sql text) RETURNS TABLE (store text, box text, uidnext bigint, highest bigint, "id:uid:modseq:created" text, vanished text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(replace(sql, '$mail', 'plain_mail'), '$box', 'plain_box');
	EXECUTE replace(replace(sql, '$mail', 'mail'), '$box', 'box');
	RETURN QUERY SELECT 'plain', * FROM state('plain_mail', 'plain_box');
	RETURN QUERY SELECT 'other', * FROM (SELECT * FROM state('mail', 'mail_mailbox') EXCEPT SELECT * FROM state('plain_mail', 'plain_box')) AS other;
END
$$;
CREATE FUNCTION lock_all() RETURNS void LANGUAGE sql AS $$
	SELECT FROM modseq.lock('plain_mail', ARRAY(SELECT name FROM plain_box));
	SELECT FROM modseq.lock('mail', ARRAY(SELECT name FROM box));
$$;
SELECT store FROM run($$INSERT INTO $box VALUES ('INBOX'), ('Trash')$$);
SELECT * FROM run($$INSERT INTO $mail (id, box, day) SELECT i, 'INBOX', i FROM generate_series(1, 12) AS i$$);
SELECT tableoid::regclass, array_agg(id ORDER BY id) FROM mail GROUP BY 1 ORDER BY 1;

-- Nothing that a client knows of has changed: no value is taken
SELECT * FROM run('UPDATE $mail SET day = day + 10 WHERE id IN (2, 3)');
SELECT * FROM run('UPDATE $mail SET day = day - 10 WHERE day = 12');
-- What the application writes to our column is nothing
SELECT * FROM run('UPDATE $mail SET day = day + 10, modseq = 4711, created_modseq = 12 WHERE id = 4');
-- A flag has changed, be it the partition key or not
SELECT * FROM run($$UPDATE $mail SET flags = '{\\Junk}' WHERE id IN (1, 2, 11)$$);
SELECT * FROM run($$UPDATE $mail SET flags = '{\\Junk,\\Seen}' WHERE id IN (1, 5)$$);
SELECT * FROM run($$UPDATE $mail SET flags = array_remove(flags, '\Junk'), day = day + 10$$);
SELECT * FROM run($$UPDATE $mail SET flags = array_append(flags, '\Seen'), day = day - 10 WHERE id < 7$$);
-- Under the lock it is stamped at once, and each row written once
BEGIN;
SELECT lock_all();
SELECT * FROM run($$UPDATE $mail SET day = 0 WHERE id IN (7, 8)$$);
SELECT * FROM run($$UPDATE $mail SET day = 99, flags = '{\\Seen,x}' WHERE id IN (6, 7)$$);
SELECT * FROM run($$UPDATE $mail SET day = 5, flags = '{x,\\Seen}' WHERE id IN (6, 7)$$);
SELECT * FROM run($$UPDATE $mail SET flags = '{\\Junk,x}' WHERE id IN (6, 7)$$);
COMMIT;
-- MERGE, with rows that come and go
SELECT * FROM run($$
	MERGE INTO $mail m USING (VALUES (1, 50), (2, NULL), (6, 50), (20, 50)) AS v (id, day) ON v.id = m.id
	WHEN MATCHED AND v.day IS NULL THEN DELETE
	WHEN MATCHED THEN UPDATE SET day = v.day, flags = array_remove(flags, '\Junk')
	WHEN NOT MATCHED THEN INSERT (id, box, day) VALUES (v.id, 'Trash', v.day)$$);
-- Moves to another mailbox, within a partition and across
SELECT * FROM run($$UPDATE $mail SET box = 'Trash' WHERE id IN (3, 4)$$);
SELECT * FROM run($$UPDATE $mail SET box = 'Trash', day = 100 - day WHERE id IN (5, 6, 8)$$);
SELECT * FROM run($$UPDATE $mail SET box = CASE box WHEN 'Trash' THEN 'INBOX' ELSE 'Trash' END, day = day % 10, flags = '{\\Junk}' WHERE id IN (3, 9, 10)$$);
-- To a UID that it has already, by chance; and to one that is given
SELECT * FROM run($$UPDATE $mail SET box = 'Trash', day = 100 - day, uid = uidnext FROM modseq.status('$mail', 'Trash') WHERE id = 7$$);
SELECT * FROM run($$INSERT INTO $mail (id, box, uid, day) VALUES (30, 'INBOX', 30, 1), (31, 'Trash', 29, 1)$$);
SELECT * FROM run($$UPDATE $mail SET box = 'Trash', day = 50 WHERE id = 30$$);
-- Another UID in its mailbox
SELECT * FROM run($$UPDATE $mail SET uid = NULL, day = 1 WHERE id = 30$$);
-- The mailbox is renamed, and a trigger takes its messages elsewhere at that
CREATE FUNCTION back_and_forth() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.day := 100 - new.day; RETURN new; END $$;
CREATE TRIGGER back_and_forth BEFORE UPDATE OF box ON plain_mail FOR EACH ROW EXECUTE FUNCTION back_and_forth();
CREATE TRIGGER back_and_forth BEFORE UPDATE OF box ON mail FOR EACH ROW EXECUTE FUNCTION back_and_forth();
SELECT * FROM run($$UPDATE $box SET name = 'Bin' WHERE name = 'Trash'$$);
SELECT * FROM run($$UPDATE $mail SET flags = '{y}' WHERE box = 'Bin'$$);
DROP TRIGGER back_and_forth ON plain_mail;
DROP TRIGGER back_and_forth ON mail;

--
-- Others' triggers on partitions, and rows that PostgreSQL lets cross no further
--
-- What makes it cross is a trigger: the day of the last change
CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.day := (old.day + 10) % 20; RETURN new; END $$;
CREATE TRIGGER changed BEFORE UPDATE ON plain_mail FOR EACH ROW EXECUTE FUNCTION changed();
CREATE TRIGGER changed BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION changed();
SELECT * FROM run($$UPDATE $mail SET flags = '{z}' WHERE id IN (1, 12, 30)$$);
BEGIN;
SELECT lock_all();
SELECT * FROM run($$UPDATE $mail SET flags = '{zz}' WHERE id IN (1, 12, 30)$$);
COMMIT;
DROP TRIGGER changed ON plain_mail;
DROP TRIGGER changed ON mail;

-- In between, a trigger writes to other partitions
CREATE TABLE log (id int, op text, place regclass);
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO t_partition_move.log VALUES (old.id, tg_op, tg_relid);
	UPDATE t_partition_move.mail SET flags = '{meddled}', day = day + 1 WHERE id = 31;
	INSERT INTO t_partition_move.mail (id, box, day) VALUES (old.id + 100, old.box, 1);
	RETURN old;
END
$$;
CREATE TRIGGER meddle BEFORE DELETE ON mail_ham_2 FOR EACH ROW EXECUTE FUNCTION meddle();
CREATE TRIGGER a_meddle AFTER DELETE ON mail_junk FOR EACH ROW EXECUTE FUNCTION meddle();
\set state 'SELECT * FROM state(\'mail\', \'mail_mailbox\');'
SELECT id, box, uid, tableoid::regclass FROM mail WHERE id IN (3, 11) ORDER BY id;
BEGIN;
UPDATE mail SET flags = '{}' WHERE id = 3;
TABLE log;
:state
-- (Here what was remembered of 11 is overwritten: it is a message that was taken out and put back)
UPDATE mail SET day = 3 WHERE id = 11;
:state
SELECT * FROM modseq.check('mail');
ROLLBACK;
DROP TRIGGER meddle ON mail_ham_2;
DROP TRIGGER a_meddle ON mail_junk;

-- A trigger cancels the DELETE: the message stays where it was
CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER cancel BEFORE DELETE ON mail_ham_2 FOR EACH ROW EXECUTE FUNCTION cancel();
BEGIN;
UPDATE mail SET day = 3, flags = '{}' WHERE id = 11;
:state
-- And what is inserted then under its UID is not that message
INSERT INTO mail (id, box, day, uid) SELECT 99, box, 3, uid FROM mail WHERE id = 11;
ROLLBACK;
DROP TRIGGER cancel ON mail_ham_2;
-- It deletes the mailbox that the message is on its way to
CREATE FUNCTION remove_box() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM t_partition_move.box WHERE name = 'Drafts';
	RETURN old;
END $$;
INSERT INTO box VALUES ('Drafts');
CREATE TRIGGER remove_box BEFORE DELETE ON mail_ham_2 FOR EACH ROW EXECUTE FUNCTION remove_box();
UPDATE mail SET box = 'Drafts', day = 3 WHERE id = 11;
DROP TRIGGER remove_box ON mail_ham_2;
DELETE FROM box WHERE name = 'Drafts';
:state
-- It cancels the INSERT, before ours or after: the message is gone, whatever PostgreSQL calls it
CREATE TRIGGER cancel BEFORE INSERT ON mail_ham_1 FOR EACH ROW EXECUTE FUNCTION cancel();
BEGIN;
UPDATE mail SET day = 3 WHERE id = 11;
:state
INSERT INTO mail (id, box, day, uid) VALUES (99, 'INBOX', 50, 11);
ROLLBACK;
DROP TRIGGER cancel ON mail_ham_1;
CREATE TRIGGER zzz_cancel BEFORE INSERT ON mail_ham_1 FOR EACH ROW EXECUTE FUNCTION cancel();
BEGIN;
UPDATE mail SET day = 3 WHERE id = 11;
:state
INSERT INTO mail (id, box, day, uid) VALUES (99, 'INBOX', 50, 11);
ROLLBACK;
-- So it is when the mailbox has been renamed in this transaction
BEGIN;
UPDATE box SET name = 'in' WHERE name = 'INBOX';
UPDATE mail SET day = 3 WHERE id = 11;
:state
ROLLBACK;
DROP TRIGGER zzz_cancel ON mail_ham_1;
-- One that fires after ours changes a flag, or the mailbox
CREATE FUNCTION flag() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.flags := '{late}'; RETURN new; END $$;
CREATE TRIGGER zzz_flag BEFORE INSERT ON mail_ham_1 FOR EACH ROW EXECUTE FUNCTION flag();
BEGIN;
UPDATE mail SET day = 3 WHERE id = 11;
:state
ROLLBACK;
DROP TRIGGER zzz_flag ON mail_ham_1;
CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.box := 'Bin'; RETURN new; END $$;
CREATE TRIGGER zzz_elsewhere BEFORE INSERT ON mail_ham_1 FOR EACH ROW EXECUTE FUNCTION elsewhere();
UPDATE mail SET day = 3 WHERE id = 11;
DROP TRIGGER zzz_elsewhere ON mail_ham_1;

-- A message that crosses has its UID once: nothing else can come in under it afterwards, nor in its place
BEGIN;
UPDATE mail SET day = 3 WHERE id = 11;
SAVEPOINT a;
INSERT INTO mail (id, box, day, uid) VALUES (99, 'INBOX', 50, 11);
ROLLBACK TO a;
UPDATE mail SET day = 50 WHERE id = 11;
ROLLBACK TO a;
INSERT INTO mail (id, box, day, uid) VALUES (99, 'INBOX', 3, 11);
ROLLBACK;
-- Not even in the same statement, whether it crosses or stays
WITH u AS (UPDATE mail SET day = 3 WHERE id = 11 RETURNING uid) INSERT INTO mail (id, box, day, uid) SELECT 99, 'INBOX', 50, uid FROM u;
WITH u AS (UPDATE mail SET day = 50 WHERE id = 11 RETURNING uid) INSERT INTO mail (id, box, day, uid) SELECT 99, 'INBOX', 3, uid FROM u;
-- It crosses, is expunged, and moves, in the triggers of one statement
CREATE FUNCTION then_what() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.id = 11 THEN
		DELETE FROM t_partition_move.mail WHERE id = 11;
	ELSE
		UPDATE t_partition_move.mail SET box = 'Bin', day = 60 WHERE id = new.id;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER zzz_then_what AFTER INSERT ON mail_ham_1 FOR EACH ROW EXECUTE FUNCTION then_what();
BEGIN;
UPDATE mail SET day = 3 WHERE id IN (11, 12);
:state
ROLLBACK;
DROP TRIGGER zzz_then_what ON mail_ham_1;
CREATE TRIGGER a_then_what AFTER INSERT ON mail_ham_1 FOR EACH ROW EXECUTE FUNCTION then_what();
BEGIN;
UPDATE mail SET day = 3 WHERE id IN (11, 12);
:state
ROLLBACK;
DROP TRIGGER a_then_what ON mail_ham_1;
-- An UPDATE of a partition alone cannot
UPDATE mail_ham_2 SET day = 3 WHERE id = 11;
-- In an exception block that is rolled back, and in one that is not
CREATE FUNCTION cross_over(fail boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET day = 3, flags = '{crossed}' WHERE id = 11;
	IF fail THEN
		RAISE division_by_zero;
	END IF;
EXCEPTION WHEN division_by_zero THEN
	UPDATE mail SET day = 4, flags = '{caught}' WHERE id = 12;
END
$$;
BEGIN;
SELECT cross_over(true);
:state
SELECT cross_over(false);
:state
ROLLBACK;

-- In replica mode rows are left alone
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE mail SET day = 3, modseq = 1 WHERE id = 11;
SELECT id, uid, modseq, tableoid::regclass FROM mail WHERE id = 11;
ROLLBACK;

-- While a message is on its way, a trigger brings another one into its mailbox, under a UID of its own
CREATE TABLE post_box (id int PRIMARY KEY);
CREATE TABLE post (id int, box_id int NOT NULL, part int, uid bigint, seen boolean) PARTITION BY LIST (part);
CREATE TABLE post_0 PARTITION OF post FOR VALUES IN (0);
CREATE TABLE post_1 PARTITION OF post FOR VALUES IN (1);
SELECT modseq.attach('post', 'post_box', message_mailbox => '{box_id}', message_flags => '{seen}') \g /dev/null
INSERT INTO post_box VALUES (1), (2);
INSERT INTO post (id, box_id, part) VALUES (1, 1, 0), (2, 1, 0), (3, 1, 0);
CREATE FUNCTION bring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO post_1 SELECT 100 + new.id, new.box_id, 1, s.uidnext + 10 FROM modseq.status('post', new.box_id::bigint) AS s;
	RETURN new;
END $$;
CREATE TRIGGER a_bring BEFORE INSERT ON post_1 FOR EACH ROW WHEN (new.id < 100) EXECUTE FUNCTION bring();
UPDATE post SET part = 1, seen = true WHERE id = 1;
UPDATE post SET part = 1, box_id = 2 WHERE id = 2;
SELECT id, box_id, uid, modseq, seen FROM post ORDER BY id;
SELECT modseq.vanished_since('post', id::bigint, 2) AS vanished FROM post_box ORDER BY id;
SELECT * FROM modseq.check('post');

SET client_min_messages = warning;
DROP SCHEMA t_partition_move CASCADE;
