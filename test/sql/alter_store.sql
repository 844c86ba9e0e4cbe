--
-- Stores that are altered after attach(), unusual types, and rows that came while triggers were off: the store goes
-- on, or says to attach again; never a wrong answer, and never a crash.
--
\set ON_ERROR_STOP 0
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA altered;
SET search_path = altered;

-- A column of ours gets another type
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1);
ALTER TABLE mail ALTER uid TYPE text;
INSERT INTO mail VALUES (2, 1);
\echo :SQLSTATE
ALTER TABLE mail ALTER uid TYPE int USING uid::int;
ALTER TABLE mail ALTER modseq TYPE int;
INSERT INTO mail VALUES (2, 1);
\echo :SQLSTATE
ALTER TABLE mail ALTER modseq TYPE bigint;
ALTER TABLE mail_mailbox ALTER highestmodseq TYPE numeric;
UPDATE mail SET seen = true;
\echo :SQLSTATE
ALTER TABLE mail_mailbox ALTER highestmodseq TYPE bigint;
INSERT INTO mail VALUES (2, 1);
SELECT id, uid, modseq FROM mail ORDER BY id;
SELECT * FROM modseq.check('mail');

-- The mailbox key gets a wider type: check() says that the vanished table has not, and attach() gives it that
CREATE TABLE narrow_box (owner text, id int, PRIMARY KEY (owner, id));
CREATE TABLE narrow (id int PRIMARY KEY, owner text, box_id int, seen boolean,
	FOREIGN KEY (owner, box_id) REFERENCES narrow_box ON UPDATE CASCADE ON DELETE CASCADE);
SELECT modseq.attach('narrow', 'narrow_box');
INSERT INTO narrow_box VALUES ('a', 1);
INSERT INTO narrow VALUES (1, 'a', 1), (2, 'a', 1), (3, 'a', 1);
DELETE FROM narrow WHERE id = 1;
ALTER TABLE narrow_box ALTER id TYPE bigint;
ALTER TABLE narrow ALTER box_id TYPE bigint;
SELECT problem FROM modseq.check('narrow');
SELECT modseq.attach('narrow', 'narrow_box');
SELECT problem FROM modseq.check('narrow');
UPDATE narrow_box SET id = 5000000000;
DELETE FROM narrow WHERE id = 2;
SELECT owner, id, modseq, uids FROM narrow_vanished ORDER BY modseq;
-- and is renamed: one column at a time, lest two be taken for each other
ALTER TABLE narrow_box RENAME id TO number;
SELECT modseq.attach('narrow', 'narrow_box');
SELECT owner, number, modseq, uids FROM narrow_vanished ORDER BY modseq;
SELECT modseq.vanished_since('narrow', '{a,5000000000}', 1);
SELECT problem FROM modseq.check('narrow');
ALTER TABLE narrow_box RENAME number TO id;
ALTER TABLE narrow_box RENAME owner TO account;
SELECT modseq.attach('narrow', 'narrow_box');
\echo :SQLSTATE
DROP TABLE narrow, narrow_box, narrow_vanished, narrow_mailbox;

-- One of the flag columns that were named goes, another gets a usual name: the rest is not forgotten
CREATE TABLE odd_box (id int PRIMARY KEY);
CREATE TABLE odd (id int PRIMARY KEY, box_id int REFERENCES odd_box, state int, todo boolean, opened boolean);
SELECT modseq.attach('odd', 'odd_box', message_flags => '{state,todo,opened}');
SET session_replication_role = replica;		-- a flag column that goes is refused
ALTER TABLE odd DROP todo;
RESET session_replication_role;
ALTER TABLE odd RENAME opened TO seen;
SELECT modseq.attach('odd', 'odd_box');
SELECT message_flags FROM modseq.stores WHERE message = 'odd'::regclass;
SELECT modseq.attach('odd', 'odd_box', message_flags => '{}');
SELECT modseq.attach('odd', 'odd_box');
SELECT message_flags FROM modseq.stores WHERE message = 'odd'::regclass;
DROP TABLE odd, odd_box, odd_vanished, odd_mailbox;

-- A part of a store is not detached alone, unless its message table was dropped
CREATE TABLE lone_box (id int PRIMARY KEY);
CREATE TABLE lone (id int PRIMARY KEY, box_id int REFERENCES lone_box);
SELECT modseq.attach('lone', 'lone_box');
SELECT modseq.detach('lone_box');
\echo :SQLSTATE
DROP TABLE lone;
INSERT INTO lone_box VALUES (1);
\echo :SQLSTATE
SELECT modseq.detach('lone_box');
INSERT INTO lone_box VALUES (1);
SELECT id FROM lone_box;
DROP TABLE lone_box, lone_vanished, lone_mailbox;

-- The mod-sequence is renamed to what attach() does not know: all messages have changed, and no change is missed
CREATE TABLE lost_box (id int PRIMARY KEY);
CREATE TABLE lost (id int PRIMARY KEY, box_id int REFERENCES lost_box);
SELECT modseq.attach('lost', 'lost_box');
INSERT INTO lost_box VALUES (1);
INSERT INTO lost VALUES (1, 1);
INSERT INTO lost VALUES (2, 1);
ALTER TABLE lost RENAME modseq TO ms;
SELECT modseq.attach('lost', 'lost_box');
SELECT * FROM modseq.changed_since('lost', 1, 2);
SELECT * FROM modseq.check('lost');
DROP TABLE lost, lost_box, lost_vanished, lost_mailbox;

-- Columns dropped before and added: attribute numbers shift
SET session_replication_role = replica;
ALTER TABLE mail DROP COLUMN seen;
RESET session_replication_role;
INSERT INTO mail VALUES (3, 1);
\echo :SQLSTATE
ALTER TABLE mail ADD COLUMN seen boolean;
INSERT INTO mail VALUES (3, 1);
UPDATE mail SET seen = true WHERE id = 3;
SELECT id, uid, modseq FROM mail ORDER BY id;

-- UIDs that cannot be, from a session without triggers: no answer names them, and the next change of such a message
-- gives it one
SET session_replication_role = replica;
INSERT INTO mail (id, box_id, uid, modseq) VALUES (4, 1, 0, 2), (5, 1, -7, 2);
RESET session_replication_role;
SELECT r.changed, r.vanished FROM mail_mailbox, modseq.resync('mail', 1, uidvalidity, 0) AS r;
SELECT * FROM modseq.changed_since('mail', 1, 0);
UPDATE mail SET seen = true WHERE id > 3;
SELECT id, uid, modseq FROM mail ORDER BY id;

-- Keys that shift in one statement: messages follow their mailboxes, nothing is bumped
INSERT INTO box VALUES (3), (2);
DELETE FROM box WHERE id = 3;
INSERT INTO mail (id, box_id) VALUES (6, 2);
SELECT box_id, uid, modseq FROM mail ORDER BY id;
UPDATE box SET id = id + 1 WHERE id = 2;
UPDATE box SET id = id + 1 WHERE id = 1;
BEGIN;
UPDATE box SET id = 4 WHERE id = 3;
UPDATE box SET id = 3 WHERE id = 2;
COMMIT;
SELECT box_id, uid, modseq FROM mail ORDER BY id;
CREATE TABLE box2 (id bigint PRIMARY KEY);
CREATE TABLE mail2 (id bigint PRIMARY KEY, box2_id bigint NOT NULL REFERENCES box2 ON UPDATE CASCADE);
SELECT modseq.attach('mail2', 'box2', message_flags => '{}');
INSERT INTO box2 VALUES (1), (2);
DELETE FROM box2 WHERE id = 1;
INSERT INTO box2 VALUES (1);		-- so that id + 1 violates no unique index on the way
INSERT INTO mail2 VALUES (2, 2), (1, 1);
UPDATE box2 SET id = id + 1;
SELECT * FROM mail2 ORDER BY id;
SELECT * FROM mail2_vanished;
SELECT * FROM modseq.check('mail2');

-- detach() and attach() between the statements of a transaction
BEGIN;
INSERT INTO mail2 VALUES (3, 2);
SELECT modseq.detach('mail2');
INSERT INTO mail2 (id, box2_id, uid) VALUES (4, 2, 50);
SELECT modseq.attach('mail2', 'box2');
INSERT INTO mail2 VALUES (5, 2);
COMMIT;
SELECT * FROM mail2 ORDER BY id;
SELECT * FROM modseq.check('mail2');

-- An application's trigger on the mailbox table that writes messages, in a subtransaction, when we write the counters
CREATE FUNCTION expire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() < 3 THEN
		BEGIN
			DELETE FROM altered.mail2 WHERE box2_id = NEW.id AND id > 100;
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER expire AFTER UPDATE ON mail2_mailbox FOR EACH ROW EXECUTE FUNCTION expire();
BEGIN;
INSERT INTO mail2 VALUES (6, 3), (101, 3);
INSERT INTO mail2 VALUES (7, 3), (102, 3);
COMMIT;
SELECT id, uid, modseq FROM mail2 WHERE box2_id = 3 ORDER BY id;
SELECT modseq, uids FROM mail2_vanished WHERE id = 3 ORDER BY 1;
SELECT * FROM modseq.check('mail2');
DROP TABLE mail, mail_vanished, mail_mailbox, box, mail2, mail2_vanished, mail2_mailbox, box2;

-- Keys of other types: what names a mailbox or a message is neither cut nor mistaken
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE FUNCTION try(box_type text, mail_type text, box text, mail text) RETURNS TABLE (uid bigint, modseq bigint, vanished text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE box (id %s PRIMARY KEY)', box_type);
	EXECUTE format('CREATE TABLE mail (id %s PRIMARY KEY, box_id %s NOT NULL REFERENCES box)', mail_type, box_type);
	EXECUTE format('CREATE TABLE flag (mail_id %s REFERENCES mail ON DELETE CASCADE, flag text)', mail_type);
	PERFORM modseq.attach('mail', 'box', 'flag');
	EXECUTE format('INSERT INTO box VALUES (%L)', box);
	EXECUTE format('INSERT INTO mail VALUES (%L, %L)', mail, box);
	EXECUTE format('INSERT INTO flag VALUES (%L, ''x'')', mail);
	RETURN QUERY SELECT m.uid, m.modseq, NULL FROM mail m;
	EXECUTE 'TRUNCATE mail CASCADE';
	RETURN QUERY SELECT NULL::bigint, v.modseq, v.uids::text FROM mail_vanished v;
	DROP TABLE flag, mail, mail_vanished, mail_mailbox, box;
END
$$;
SELECT * FROM try('bigint', 'varchar', '1', 'message');
SELECT * FROM try('char(10)', 'char(8)', 'inbox', 'message');
SELECT * FROM try('mood', 'mood', 'a', 'b');
SELECT * FROM try('varchar(20)', 'numeric', 'inbox', '1.5');
SELECT * FROM try('uuid', 'smallint', '00000000-0000-0000-0000-000000000001', '7');
SELECT * FROM try('date', 'text', '2026-11-21', 'm');

-- Flags of a type that has no order
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box, x xid[]);
SELECT modseq.attach('mail', 'box', message_flags => '{x}');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1, '{1,2}');
UPDATE mail SET x = '{2,1,3}';
UPDATE mail SET x = '{2,1,3}';
SELECT uid, modseq FROM mail;
DROP TABLE mail, mail_vanished, mail_mailbox, box;

-- A flag row that goes to another message, though its key is not among the columns that count
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box);
CREATE TABLE flag (id int PRIMARY KEY, mail_id bigint REFERENCES mail, flag text);
SELECT modseq.attach('mail', 'box', 'flag', flag_columns => '{flag}');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1), (2, 1);
INSERT INTO flag VALUES (1, 1, '\Seen');
UPDATE flag SET id = 2;
SELECT id, modseq FROM mail ORDER BY id;
UPDATE flag SET mail_id = 2;
SELECT id, modseq FROM mail ORDER BY id;
DROP TABLE flag, mail, mail_vanished, mail_mailbox, box;

-- A mailbox that is renamed, where flags go by mailbox and UID: no flag changed
CREATE TABLE box (name text PRIMARY KEY);
CREATE TABLE mail (box text NOT NULL REFERENCES box ON UPDATE CASCADE, uid bigint, PRIMARY KEY (box, uid));
CREATE TABLE flag (box text, uid bigint, flag text, FOREIGN KEY (box, uid) REFERENCES mail ON UPDATE CASCADE);
SELECT modseq.attach('mail', 'box', 'flag', message_mailbox => '{box}');
INSERT INTO box VALUES ('a');
INSERT INTO mail VALUES ('a');
INSERT INTO flag VALUES ('a', 1, '\Seen');
UPDATE box SET name = 'b';
SELECT * FROM mail, flag;
DROP TABLE flag, mail, mail_vanished, mail_mailbox, box;

-- One statement that changes messages and the key of their mailbox: what was collected goes along
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 1);
WITH read AS (UPDATE mail SET seen = true WHERE id = 1), gone AS (DELETE FROM mail WHERE id = 2)
UPDATE box SET id = 2;
SELECT * FROM mail ORDER BY id;
SELECT id, modseq, uids FROM mail_vanished;
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mail_vanished, mail_mailbox, box;

-- Schemas that change their names in a live session
CREATE SCHEMA altered_new;
CREATE FUNCTION make(schema text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE %I.box (id bigint PRIMARY KEY)', schema);
	EXECUTE format('CREATE TABLE %I.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL, seen boolean)', schema);
	PERFORM modseq.attach(format('%I.mail', schema)::regclass, format('%I.box', schema)::regclass);
	EXECUTE format('INSERT INTO %I.box VALUES (1)', schema);
	EXECUTE format('INSERT INTO %I.mail VALUES (1, 1)', schema);
END
$$;
SELECT make('altered');
SELECT make('altered_new');
-- Both are known to the session
UPDATE altered.mail SET seen = false;
UPDATE altered_new.mail SET seen = false;
ALTER SCHEMA altered RENAME TO altered_old;
\set VERBOSITY default
INSERT INTO altered_old.mail VALUES (2, 1);
\set VERBOSITY terse
ALTER SCHEMA altered_new RENAME TO altered;
UPDATE altered_old.mail SET seen = true;
\echo :SQLSTATE
SELECT * FROM altered_old.mail;
-- Each has its own tables again, though the name that one knows them by leads to the other's
SELECT modseq.attach('altered_old.mail');
SELECT modseq.attach('altered.mail');
SELECT message, mailbox, counters, vanished FROM modseq.stores WHERE message IN ('altered_old.mail', 'altered.mail') ORDER BY 1;
INSERT INTO altered_old.mail VALUES (2, 1);
SELECT * FROM altered_old.mail ORDER BY id;
SELECT * FROM altered.mail;
SELECT * FROM modseq.check('altered_old.mail');
SELECT * FROM modseq.check('altered.mail');

-- Nothing need be named, whatever the store has
CREATE TABLE altered.flag (mail_id bigint REFERENCES altered.mail, name text);
SELECT modseq.attach('altered.mail', 'altered.box', 'altered.flag');
DELETE FROM altered.mail WHERE id = 1;
ALTER SCHEMA altered RENAME TO "altered, too";
SELECT modseq.attach('"altered, too".mail');
SELECT message, mailbox, flag, counters, vanished FROM modseq.stores WHERE message::text ~ '^"altered' ORDER BY 1;
SELECT modseq.vanished_since('"altered, too".mail', 1, 1);
SELECT * FROM modseq.check('"altered, too".mail');

DROP SCHEMA "altered, too", altered_old CASCADE;
