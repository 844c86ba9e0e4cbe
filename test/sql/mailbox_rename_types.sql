--
-- Mailboxes that were renamed, and then the type of their key is another: what was known of them must not be compared with
-- what is of another type
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_mailbox_rename_types;
SET search_path = t_mailbox_rename_types;
\set VERBOSITY terse

CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 2);

-- To text, in one transaction
BEGIN;
UPDATE box SET id = 5 WHERE id = 1;
UPDATE mail SET box_id = 5 WHERE box_id = 1;
ALTER TABLE box ALTER id TYPE text;
ALTER TABLE mail ALTER box_id TYPE text;
DROP TABLE mail_vanished, mail_mailbox;
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES ('7');
UPDATE box SET id = '8' WHERE id = '5';
UPDATE mail SET box_id = '8' WHERE box_id = '5';
INSERT INTO mail VALUES (4, '8'), (5, '7') RETURNING box_id, uid, modseq;
SELECT * FROM modseq.check('mail');
ROLLBACK;

-- The same in a savepoint: rolled back, the keys are bigint again, and what was known before it is
BEGIN;
UPDATE box SET id = 5 WHERE id = 1;
SAVEPOINT s;
UPDATE box SET id = 6 WHERE id = 2;
UPDATE mail SET box_id = box_id + 4;
ALTER TABLE box ALTER id TYPE text;
ALTER TABLE mail ALTER box_id TYPE text;
DROP TABLE mail_vanished, mail_mailbox;
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES ('a long key, which is no bigint at all');
UPDATE box SET id = '7' WHERE id = '6';
UPDATE mail SET box_id = '7' WHERE box_id = '6';
INSERT INTO mail VALUES (4, '7') RETURNING uid, modseq;
ROLLBACK TO s;
UPDATE mail SET box_id = 5 WHERE box_id = 1;
INSERT INTO mail VALUES (4, 5), (5, 2) RETURNING box_id, uid, modseq;
COMMIT;
SELECT * FROM mail ORDER BY id;
SELECT * FROM modseq.check('mail');

-- And released; then from text to bigint, with renames and messages of both transactions' types
BEGIN;
SAVEPOINT s;
UPDATE box SET id = 6 WHERE id = 2;
UPDATE mail SET box_id = 6 WHERE box_id = 2;
ALTER TABLE box ALTER id TYPE text;
ALTER TABLE mail ALTER box_id TYPE text;
DROP TABLE mail_vanished, mail_mailbox;
SELECT modseq.attach('mail', 'box');
UPDATE box SET id = '77777777777777777' || id;
RELEASE s;
UPDATE mail SET box_id = '77777777777777777' || box_id;
INSERT INTO mail VALUES (6, '777777777777777775') RETURNING uid, modseq;
COMMIT;
BEGIN;
UPDATE box SET id = right(id, 1);
DELETE FROM mail WHERE id = 1;
ALTER TABLE box ALTER id TYPE bigint USING id::bigint;
SET LOCAL session_replication_role = replica;		-- a key must not be computed anew
ALTER TABLE mail ALTER box_id TYPE bigint USING right(box_id, 1)::bigint;
SET LOCAL session_replication_role = origin;
DROP TABLE mail_vanished, mail_mailbox;
SELECT modseq.attach('mail', 'box');
UPDATE box SET id = id + 10;
UPDATE mail SET box_id = box_id + 10;
INSERT INTO box VALUES (5);
INSERT INTO mail VALUES (7, 15), (8, 5) RETURNING box_id, uid, modseq;
COMMIT;
SELECT * FROM mail ORDER BY id;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_vanished, mail_mailbox, box;

-- A trigger that changes the store while a statement is in progress that has changed messages of it
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL);
CREATE TABLE flag (box_id bigint NOT NULL, uid bigint NOT NULL, name text NOT NULL);
SELECT modseq.attach('mail', 'box', 'flag', flag_mailbox => '{box_id}', flag_uid => 'uid');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1);
CREATE FUNCTION replace_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	definition text;
BEGIN
	SELECT pg_get_triggerdef(oid) INTO definition FROM pg_trigger WHERE tgrelid = 'mail'::regclass AND tgfoid = 'modseq.trigger_assign'::regproc;
	EXECUTE 'DROP TRIGGER ' || split_part(definition, ' ', 3) || ' ON mail';
	EXECUTE definition;
	RETURN NULL;
END $$;
CREATE TRIGGER zzzz_replace AFTER INSERT ON flag FOR EACH ROW EXECUTE FUNCTION replace_trigger();
\set VERBOSITY default
INSERT INTO flag VALUES (1, 1, 'x');
\set VERBOSITY terse
DROP TRIGGER zzzz_replace ON flag;
INSERT INTO flag VALUES (1, 1, 'x');
SELECT * FROM mail;
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_mailbox_rename_types CASCADE;
