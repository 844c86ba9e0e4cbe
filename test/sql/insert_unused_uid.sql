--
-- Every UID below UIDNEXT is live or has vanished, whatever an INSERT takes and does not use, passes over, or the
-- application reserves: so live_uids() needs to read no message. Rule "arrivals"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_unused;
SET search_path = t_unused;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint DEFAULT 7, uidnext bigint DEFAULT 1);
CREATE TABLE mail (id int PRIMARY KEY, box_id int, uid bigint, seen boolean NOT NULL DEFAULT false, gone boolean NOT NULL DEFAULT false);
SELECT modseq.attach('mail', 'box', message_expunged => 'gone');
INSERT INTO box VALUES (1), (2);
CREATE VIEW live AS SELECT box_id, modseq.uidset_agg(uid) AS uids FROM mail WHERE NOT gone GROUP BY box_id;
-- What vanished, as modseq: uids; what is said to be live, and whether it is; what check() has to say
\set show 'SELECT mailbox[1]::int AS box, uidnext, highest, vanished, modseq.live_uids(\'mail\', mailbox) AS live, modseq.live_uids(\'mail\', mailbox) OPERATOR(modseq.=) coalesce((SELECT uids FROM live WHERE box_id = mailbox[1]::int), \'\') AS right, problems(\'mail\') AS problems FROM state(\'mail\', \'uid\', \'modseq\');'
:show

--
-- Rows that BEFORE INSERT has numbered and that are not written
--
INSERT INTO mail (id, box_id) VALUES (1, 1), (2, 1), (3, 2);
-- The first is left out, and then one in the middle, and the last, whose number is free for the next
INSERT INTO mail (id, box_id) VALUES (1, 1), (4, 1), (2, 1), (5, 1), (1, 1) ON CONFLICT DO NOTHING;
:show
INSERT INTO mail (id, box_id) VALUES (1, 1), (6, 1) ON CONFLICT (id) DO UPDATE SET seen = true;
-- The message that is there moves: its old UID and the one that the INSERT took in vain
INSERT INTO mail (id, box_id) VALUES (6, 2), (7, 2) ON CONFLICT (id) DO UPDATE SET box_id = excluded.box_id;
:show
-- Triggers that come later
CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN new.id % 2 = 1 THEN new END; END $$;
CREATE TRIGGER zzz BEFORE INSERT ON mail FOR EACH ROW EXECUTE FUNCTION odd();
INSERT INTO mail (id, box_id) SELECT i, 2 FROM generate_series(10, 15) AS i;
COPY mail (id, box_id) FROM stdin;
20	1
21	1
22	2
\.
MERGE INTO mail USING (VALUES (1), (30), (31)) AS new (id) ON mail.id = new.id
	WHEN MATCHED THEN UPDATE SET seen = false
	WHEN NOT MATCHED THEN INSERT (id, box_id) VALUES (new.id, 1);
:show
-- Nothing arrives, nothing vanishes
INSERT INTO mail (id, box_id) VALUES (40, 1), (42, 1);
:show
DROP TRIGGER zzz ON mail;
-- A move that is cancelled
CREATE TRIGGER zzz BEFORE UPDATE ON mail FOR EACH ROW WHEN (old.id = 4) EXECUTE FUNCTION odd();
UPDATE mail SET box_id = 2 WHERE id IN (2, 4, 5) AND box_id = 1;
DROP TRIGGER zzz ON mail;
:show

--
-- UIDs that the application chose
--
-- Begin again: what is remembered of mailboxes that went is forgotten
TRUNCATE mail;
DELETE FROM box;
DELETE FROM mail_vanished;
INSERT INTO box VALUES (1), (2);
INSERT INTO mail (id, box_id, uid) VALUES (1, 1, 10);
INSERT INTO mail (id, box_id, uid) VALUES (2, 1, 20), (3, 1, 15), (4, 1, NULL), (5, 2, 4294967295);
:show
-- Reserved, and nothing arrives
UPDATE box SET uidnext = uidnext + 5 WHERE id = 1 RETURNING uidnext;
:show
-- Reserved, and used in one statement and in several
BEGIN;
UPDATE box SET uidnext = uidnext + 5 WHERE id = 1;
:show
INSERT INTO mail (id, box_id, uid) VALUES (6, 1, 28);
INSERT INTO mail (id, box_id, uid) VALUES (7, 1, 29), (8, 1, 31);
:show
COMMIT;
BEGIN;
UPDATE box SET uidnext = uidnext + 2 WHERE id = 1;
INSERT INTO mail (id, box_id, uid) VALUES (9, 1, 33), (10, 1, 32);
COMMIT;
WITH next AS (UPDATE box SET uidnext = uidnext + 3 WHERE id = 1 RETURNING uidnext)
INSERT INTO mail (id, box_id, uid) SELECT 11, 1, uidnext - 2 FROM next;
:show
-- A savepoint that is rolled back; what was reserved before it
BEGIN;
UPDATE box SET uidnext = uidnext + 2 WHERE id = 1;
SAVEPOINT s;
INSERT INTO mail (id, box_id, uid) VALUES (12, 1, 37);
UPDATE box SET uidnext = uidnext + 5 WHERE id = 1;
ROLLBACK TO s;
:show
INSERT INTO mail (id, box_id, uid) VALUES (12, 1, 38);
RELEASE s;
COMMIT;
:show
-- Reserved, used, and expunged at once; renamed in the same transaction
BEGIN;
UPDATE box SET uidnext = uidnext + 2 WHERE id = 1;
WITH new AS (INSERT INTO mail (id, box_id, uid, gone) VALUES (13, 1, 40, true) RETURNING uid) SELECT FROM new;
UPDATE box SET uidnext = uidnext + 2, id = 3 WHERE id = 1;
UPDATE mail SET box_id = 3 WHERE box_id = 1;
INSERT INTO mail (id, box_id) VALUES (14, 3) RETURNING uid;
COMMIT;
:show

--
-- Statements within statements
--
TRUNCATE mail;
DELETE FROM box;
DELETE FROM mail_vanished;
INSERT INTO box VALUES (1), (2);
-- The inner one settles, in a subtransaction, while the outer one's messages have not yet arrived: they had vanished,
-- and are recalled, but for the one that was left out
CREATE FUNCTION another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO mail (id, box_id) VALUES (new.id + 100, new.box_id);
		IF new.id = 3 THEN
			RAISE 'not this one';
		END IF;
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	RETURN new;
END $$;
INSERT INTO mail (id, box_id) VALUES (1, 1);
CREATE TRIGGER another AFTER INSERT ON mail FOR EACH ROW WHEN (new.id < 100) EXECUTE FUNCTION another();
INSERT INTO mail (id, box_id) VALUES (2, 1), (1, 1), (3, 1), (4, 1) ON CONFLICT DO NOTHING;
SELECT id, uid FROM mail ORDER BY uid;
:show
DROP TRIGGER another ON mail;
CREATE TRIGGER another BEFORE INSERT ON mail FOR EACH ROW WHEN (new.id < 100) EXECUTE FUNCTION another();
INSERT INTO mail (id, box_id) VALUES (5, 1), (1, 1), (6, 1) ON CONFLICT DO NOTHING;
SELECT id, uid FROM mail WHERE id > 4 AND id < 100 OR id > 104 ORDER BY uid;
:show
DROP TRIGGER another ON mail;
-- The inner one takes UIDs, and expunges a message of the outer one: that is not recalled
CREATE FUNCTION another_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		INSERT INTO mail (id, box_id) VALUES (new.id + 100, new.box_id);
		DELETE FROM mail WHERE id = new.id;
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	RETURN new;
END $$;
CREATE TRIGGER another_gone AFTER INSERT ON mail FOR EACH ROW WHEN (new.id = 18) EXECUTE FUNCTION another_gone();
INSERT INTO mail (id, box_id) VALUES (18, 1), (1, 1), (19, 1) ON CONFLICT DO NOTHING;
:show
DROP TRIGGER another_gone ON mail;
-- A trigger of the mailbox table that reserves more when we count, and one that does so without end; and one that puts
-- a message in another mailbox, whose numbers are written by then
CREATE FUNCTION reserve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET uidnext = uidnext + 1 WHERE id = new.id;
	RETURN new;
END $$;
CREATE TRIGGER reserve AFTER UPDATE ON box FOR EACH ROW WHEN (new.uidnext % 2 = 1) EXECUTE FUNCTION reserve();
INSERT INTO mail (id, box_id) VALUES (7, 1), (1, 1), (8, 1) ON CONFLICT DO NOTHING;
INSERT INTO mail (id, box_id) VALUES (14, 1);
:show
DROP TRIGGER reserve ON box;
CREATE TRIGGER reserve AFTER UPDATE ON box FOR EACH ROW WHEN (pg_trigger_depth() < 2) EXECUTE FUNCTION reserve();
INSERT INTO mail (id, box_id) VALUES (15, 1);
DROP TRIGGER reserve ON box;
CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail (id, box_id) VALUES (1, 1), (9, 1) ON CONFLICT DO NOTHING;
	RETURN new;
END $$;
CREATE TRIGGER elsewhere AFTER UPDATE ON box FOR EACH ROW WHEN (new.id = 2) EXECUTE FUNCTION elsewhere();
INSERT INTO mail (id, box_id) VALUES (10, 1), (1, 1), (11, 1), (12, 2), (1, 2), (13, 2) ON CONFLICT DO NOTHING;
:show
DELETE FROM mail WHERE id = 9;
INSERT INTO mail (id, box_id) VALUES (16, 2), (17, 1) ON CONFLICT DO NOTHING;
:show
DROP TRIGGER elsewhere ON box;

--
-- Mailboxes
--
-- With a history: none of its messages is here
INSERT INTO box VALUES (3, 7, 100);
:show
-- Without a foreign key, messages can stay when their mailbox goes; they are live when it comes back
DELETE FROM box WHERE id = 2;
INSERT INTO box VALUES (2, 7, 9, 3);
:show
-- A new UIDVALIDITY makes nothing live
SELECT modseq.reset_uidvalidity('mail', 1) > 7;
:show
-- UIDNEXT is raised over messages that came in replica mode
SET session_replication_role = replica;
INSERT INTO mail (id, box_id, uid, modseq) VALUES (50, 3, 103, 1), (51, 3, 105, 1);
RESET session_replication_role;
SELECT mailbox, uid, problem FROM modseq.check('mail') ORDER BY mailbox, uid;
UPDATE box SET uidnext = 107 WHERE id = 3;
INSERT INTO mail (id, box_id, uid) VALUES (52, 3, 110);
:show
SET session_replication_role = replica;
INSERT INTO mail (id, box_id, uid, modseq) VALUES (53, 3, 112, 1);
RESET session_replication_role;
INSERT INTO mail (id, box_id, uid) VALUES (54, 3, 114);
:show
-- Expunged ones, undeleted ones
INSERT INTO mail (id, box_id, gone) VALUES (55, 3, true), (56, 3, false), (57, 3, true);
UPDATE mail SET gone = NOT gone WHERE id IN (55, 56);
:show
-- compact() forgets none of them
SELECT modseq.compact('mail', '0') > 0;
:show
-- What check() says, and attach() puts right
DELETE FROM mail_vanished WHERE id = 3;
SELECT * FROM modseq.check('mail');
SELECT modseq.attach('mail');
:show


--
-- While a statement is completed
--
-- A trigger of one mailbox's message brings a message into another, of which all has been written: its UID had been passed
-- over, and was told to have vanished
CREATE TABLE flag (mail_id int REFERENCES mail ON DELETE CASCADE, name text, PRIMARY KEY (mail_id, name));
SELECT modseq.attach('mail', 'box', 'flag');
CREATE FUNCTION bring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail (id, box_id, uid) SELECT 1000 + new.id, 1, uidnext + 2 FROM modseq.status('mail', 1);
	RETURN NULL;
END $$;
CREATE TRIGGER bring AFTER UPDATE OF modseq ON mail FOR EACH ROW WHEN (new.box_id = 2) EXECUTE FUNCTION bring();
BEGIN;
WITH i AS (INSERT INTO mail (id, box_id, uid) SELECT 58, 1, uidnext + 5 FROM modseq.status('mail', 1))
INSERT INTO flag SELECT max(id), 'x' FROM mail WHERE box_id = 2;
SELECT s.uidnext - m.uid AS below FROM mail m, modseq.status('mail', 1) s WHERE m.box_id = 1 ORDER BY m.uid DESC LIMIT 2;
:show
ROLLBACK;
DROP TRIGGER bring ON mail;
-- One that was reserved arrives, and is gone again without our knowledge
CREATE FUNCTION remove() RETURNS trigger LANGUAGE plpgsql SET session_replication_role = replica AS $$
BEGIN
	DELETE FROM mail WHERE id = new.id;
	RETURN NULL;
END $$;
CREATE TRIGGER remove AFTER INSERT ON mail FOR EACH ROW WHEN (new.id = 59) EXECUTE FUNCTION remove();
BEGIN;
UPDATE box SET uidnext = uidnext + 5 WHERE id = 1;
INSERT INTO mail (id, box_id, uid) SELECT 58 + i, 1, uidnext - 4 + i FROM modseq.status('mail', 1), generate_series(0, 1) AS i;
:show
ROLLBACK;
DROP TRIGGER remove ON mail;
-- UIDNEXT is raised above all UIDs that there are
BEGIN;
UPDATE box SET uidnext = 4294967296 WHERE id = 1;
SELECT * FROM modseq.check('mail');
SELECT modseq.max(modseq.vanished_since('mail', 1, 0)), modseq.cardinality(modseq.live_uids('mail', 1)) < 100 AS few;
ROLLBACK;

--
-- live_uids() itself
--
SELECT modseq.live_uids('mail', 2), modseq.live_uids('mail', '2'::text), modseq.live_uids('mail', '{2}'::text[]);
SELECT modseq.live_uids('mail', 99);
SELECT modseq.live_uids('mail', NULL::bigint);
SELECT modseq.live_uids('box', 1);
CREATE ROLE modseq_unused;
GRANT USAGE ON SCHEMA t_unused TO modseq_unused;
SET ROLE modseq_unused;
SELECT modseq.live_uids('mail', 2);
RESET ROLE;
GRANT SELECT (uid) ON mail TO modseq_unused;
GRANT SELECT ON box TO modseq_unused;
SET ROLE modseq_unused;
SELECT modseq.live_uids('mail', 2);
RESET ROLE;
-- One snapshot for all that a statement asks
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT uidnext, modseq.live_uids('mail', 2) FROM modseq.status('mail', 2);
COMMIT;
DROP OWNED BY modseq_unused;
DROP ROLE modseq_unused;
DROP VIEW live;
DROP TABLE flag, mail, mail_vanished, box;

--
-- Another key, the last UID in place of UIDNEXT, counters in a side table, partitions, no unique index on UIDs
--
CREATE TABLE folder (account text, name text, PRIMARY KEY (account, name));
CREATE TABLE folder_counter (account text, name text, last_uid int, PRIMARY KEY (account, name));
CREATE TABLE mail (id int, account text, folder text, part int, uid int, UNIQUE (id, part)) PARTITION BY LIST (part);
CREATE TABLE mail_0 PARTITION OF mail FOR VALUES IN (0);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
SELECT modseq.attach('mail', 'folder_counter', mailbox_source => 'folder', mailbox_last_uid => 'last_uid', message_mailbox => '{account,folder}');
\set show 'SELECT mailbox, uidnext, highest, vanished, modseq.live_uids(\'mail\', mailbox) AS live, (SELECT modseq.uidset_agg(uid) FROM mail WHERE ARRAY[account, folder] = mailbox) AS right, problems(\'mail\') AS problems FROM state(\'mail\', \'uid\', \'modseq\');'
INSERT INTO folder VALUES ('a', 'in'), ('a', 'out');
INSERT INTO mail (id, account, folder, part) VALUES (1, 'a', 'in', 0), (2, 'a', 'in', 1);
INSERT INTO mail (id, account, folder, part) VALUES (1, 'a', 'in', 0), (3, 'a', 'in', 1), (2, 'a', 'in', 1), (4, 'a', 'in', 0) ON CONFLICT DO NOTHING;
-- From one partition to another, and to another mailbox, with a UID of its own
UPDATE mail SET part = 1 WHERE id = 1;
UPDATE mail SET part = 1, folder = 'out', uid = 5 WHERE id = 4;
UPDATE folder_counter SET last_uid = 9 WHERE name = 'in';
:show
-- A partition that comes and one that goes
CREATE TABLE mail_2 (LIKE mail);
INSERT INTO mail_2 VALUES (8, 'a', 'in', 2, 30, 1), (9, 'a', 'out', 2, 4, 1);
ALTER TABLE mail ATTACH PARTITION mail_2 FOR VALUES IN (2);
:show
ALTER TABLE mail DETACH PARTITION mail_1;
:show
DROP TABLE mail, mail_1, mail_vanished, folder, folder_counter;
DROP SCHEMA t_unused CASCADE;
