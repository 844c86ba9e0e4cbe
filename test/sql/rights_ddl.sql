--
-- When somebody drops or attaches partitions of another role's store, that role's code gets no right by it, and leaves
-- nothing behind. Rule "rights"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_stranger, regress_modseq_member;
CREATE ROLE regress_modseq_stranger;
CREATE ROLE regress_modseq_member IN ROLE regress_modseq_stranger;
CREATE SCHEMA trap AUTHORIZATION regress_modseq_stranger;
GRANT CREATE ON SCHEMA trap TO regress_modseq_member;
SET search_path = trap;
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET ROLE regress_modseq_stranger;
CREATE TABLE account (id bigint PRIMARY KEY);
CREATE TABLE box (id bigint PRIMARY KEY, account_id bigint REFERENCES account DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE mail (id bigint, box_id bigint NOT NULL REFERENCES box DEFERRABLE INITIALLY DEFERRED) PARTITION BY LIST (box_id);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES IN (2);
CREATE TABLE mail_3 PARTITION OF mail FOR VALUES IN (3);
SELECT modseq.attach('mail', 'box', counters => 'mailbox');
CREATE TABLE mail_4 (LIKE mail);
INSERT INTO account VALUES (1);
INSERT INTO box SELECT i, 1 FROM generate_series(1, 6) AS i;
INSERT INTO mail SELECT i, i FROM generate_series(1, 3) AS i;
INSERT INTO mail_4 VALUES (4, 4, 1, 1), (5, 4, 2, 1);

-- What the owner has prepared: as whom it runs, a setting, and a deferred trigger
CREATE TABLE trap (x int);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'deferred trigger runs as %', current_user;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fire AFTER INSERT ON trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fire();
CREATE FUNCTION bait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'trigger runs as %', current_user;
	PERFORM set_config('work_mem', '123kB', false), set_config('trap.set', 'yes', false);
	IF current_setting('trap.deferred', true) = 'yes' THEN
		INSERT INTO trap VALUES (1);
	END IF;
	IF current_setting('trap.temporary', true) = 'yes' THEN
		CREATE TEMPORARY TABLE pg_class_of_mine (x int);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER bait BEFORE INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION bait();
CREATE TRIGGER bait BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION bait();
RESET ROLE;
CREATE FUNCTION left_behind() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ', nullif(current_user, session_user), nullif(current_setting('work_mem'), '4MB'),
		nullif(current_setting('trap.set', true), ''))
$$;

-- A superuser
SELECT left_behind();
DROP TABLE mail_1;
SELECT left_behind();
ALTER TABLE mail DETACH PARTITION mail_2;
SELECT left_behind();
ALTER TABLE mail ATTACH PARTITION mail_4 FOR VALUES IN (4);
SELECT left_behind();
SELECT box_id, uid FROM mail ORDER BY 1, 2;
SELECT id, uids FROM mail_vanished ORDER BY 1, 2;
SET trap.deferred = 'yes';
DROP TABLE mail_3;
ALTER TABLE mail DETACH PARTITION mail_3;
ALTER TABLE mail ATTACH PARTITION mail_2 FOR VALUES IN (2);
RESET trap.deferred;
SET trap.temporary = 'yes';
DROP TABLE mail_3;
RESET trap.temporary;
-- Two at a time, of which one is his own
CREATE TABLE own_box (id bigint PRIMARY KEY);
CREATE TABLE own (id bigint, box_id bigint NOT NULL) PARTITION BY LIST (box_id);
CREATE TABLE own_1 PARTITION OF own FOR VALUES IN (1);
SELECT modseq.attach('own', 'own_box', counters => 'mailbox');
INSERT INTO own_box VALUES (1);
INSERT INTO own VALUES (1, 1);
SET trap.deferred = 'yes';
DROP TABLE own_1, mail_3;
DROP TABLE mail_3, own_1;
DROP TABLE own_1;
RESET trap.deferred;
-- A block that catches the error is as it was before
DO $$ BEGIN
	SET LOCAL trap.deferred = 'yes';
	DROP TABLE mail_3;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE WARNING '%, % %', SQLERRM, current_user = session_user, left_behind();
	CREATE TEMPORARY TABLE allowed (x int);
END $$;

-- A member of the owner's role is another role
SET ROLE regress_modseq_member;
SET trap.deferred = 'yes';
DROP TABLE mail_3;
RESET trap.deferred;
-- The owner is free to do as he likes
SET ROLE regress_modseq_stranger;
SET trap.deferred = 'yes';
ALTER TABLE mail DETACH PARTITION mail_3;
ALTER TABLE mail ATTACH PARTITION mail_3 FOR VALUES IN (3);
RESET trap.deferred;
SELECT left_behind();
RESET work_mem;
RESET trap.set;
-- Also with foreign keys that are deferred, on rows of this transaction
BEGIN;
INSERT INTO box VALUES (7, 2);
CREATE TABLE mail_7 (LIKE mail);
INSERT INTO mail_7 VALUES (7, 7, 1, 1);
ALTER TABLE mail ATTACH PARTITION mail_7 FOR VALUES IN (7);
INSERT INTO account VALUES (2);
COMMIT;
SELECT box_id, uid FROM mail ORDER BY 1, 2;
DROP TRIGGER bait ON box;
DROP TRIGGER bait ON mail_vanished;
-- A superuser drops what has deferred foreign keys
RESET ROLE;
DROP TABLE mail_7;
SELECT id, uids FROM mail_vanished WHERE id = 7 ORDER BY modseq;

-- A partition of another owner comes only when it has this one, and goes where no code of the owner's is in the way
CREATE TABLE mail_5 (LIKE mail);
INSERT INTO mail_5 VALUES (5, 5, 1, 1);
\set VERBOSITY default
ALTER TABLE mail ATTACH PARTITION mail_5 FOR VALUES IN (5);
\set VERBOSITY terse
ALTER TABLE mail_5 OWNER TO regress_modseq_stranger;
ALTER TABLE mail ATTACH PARTITION mail_5 FOR VALUES IN (5);
CREATE TABLE mail_6 PARTITION OF mail FOR VALUES IN (6);
INSERT INTO mail (id, box_id) VALUES (6, 6);
DROP TABLE mail_6;
SELECT id, uids FROM mail_vanished WHERE id = 6;
SELECT * FROM modseq.check('mail');

-- A cast of the owner's would be in the way
SET ROLE regress_modseq_stranger;
CREATE TYPE narrow AS ENUM ('a', 'b');
CREATE FUNCTION widen(narrow) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'cast runs as %', current_user;
	RETURN enumlabel FROM pg_enum WHERE enumtypid = 'narrow'::regtype LIMIT 1;
END $$;
CREATE TABLE cbox (id narrow PRIMARY KEY);
CREATE TABLE cmail (id bigint, cbox_id narrow NOT NULL) PARTITION BY LIST (cbox_id);
SELECT modseq.attach('cmail', 'cbox', counters => 'mailbox');
RESET ROLE;
CREATE TABLE cmail_a PARTITION OF cmail FOR VALUES IN ('a');
SET ROLE regress_modseq_stranger;
INSERT INTO cbox VALUES ('a');
INSERT INTO cmail VALUES (1, 'a');
ALTER TABLE cbox ALTER id TYPE text;
CREATE CAST (narrow AS text) WITH FUNCTION widen(narrow) AS ASSIGNMENT;
RESET ROLE;
DROP TABLE cmail_a;

DROP SCHEMA trap CASCADE;
DROP ROLE regress_modseq_member, regress_modseq_stranger;
