--
-- Flags as columns of the message: what counts as a change of a flag (rule "flags"), and what it costs (rule "one value a
-- statement"); RFC 7162 section 3.1
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_flags_columns;
SET search_path = t_flags_columns;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (
	id bigint PRIMARY KEY,
	mailbox_id bigint NOT NULL REFERENCES mailbox,
	subject text,
	recent boolean,
	seen boolean,
	keywords text[],
	flagbits integer,
	labels jsonb,
	color text);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen,keywords,flagbits,labels,color}');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id) VALUES (11, 1), (12, 1), (21, 2);
\set modseqs 'SELECT mailbox[1]::bigint AS box, highest, messages FROM state(\'mail\', \'id\', \'modseq\') WHERE messages <> \'\';'
:modseqs

-- What is not tracked is no flag: \Recent, the subject
UPDATE mail SET recent = true, subject = 'hello';
:modseqs
-- NULL says that no flag is set, and so do false, 0, {}, [] and the empty text
UPDATE mail SET seen = false, keywords = '{}', flagbits = 0, labels = '[]', color = '';
:modseqs
UPDATE mail SET labels = '{}';
UPDATE mail SET labels = 'null';
UPDATE mail SET seen = NULL, keywords = NULL, flagbits = NULL, labels = NULL, color = NULL;
:modseqs
-- One statement, one value for each mailbox, for the messages that it changes
UPDATE mail SET seen = true WHERE id <> 12;
:modseqs
-- An update to what is there, of every row and of none
UPDATE mail SET seen = true WHERE id <> 12;
UPDATE mail SET seen = seen, keywords = keywords, flagbits = flagbits, labels = labels, color = color;
UPDATE mail SET seen = false WHERE false;
:modseqs
UPDATE mail SET seen = true;
:modseqs

-- Arrays are sets: order, duplicates and nulls in them do not count
UPDATE mail SET keywords = '{a,b,c}' WHERE id = 11;
:modseqs
UPDATE mail SET keywords = '{c,a,b}' WHERE id = 11;
UPDATE mail SET keywords = '{b,b,a,c,a}' WHERE id = 11;
UPDATE mail SET keywords = '{b,NULL,a,c}' WHERE id = 11;
UPDATE mail SET keywords = '[5:7]={c,b,a}' WHERE id = 11;
UPDATE mail SET keywords = '{{a,b},{c,c}}' WHERE id = 11;
:modseqs
UPDATE mail SET keywords = '{a,b}' WHERE id = 11;
UPDATE mail SET keywords = '{a,c}' WHERE id = 11;
UPDATE mail SET keywords = '{a,b,c,d}' WHERE id = 11;
UPDATE mail SET keywords = NULL WHERE id = 11;
:modseqs
UPDATE mail SET keywords = '{NULL}' WHERE id = 11;
:modseqs

-- So are arrays in JSON; an object is its keys
UPDATE mail SET labels = '["x", "y", 1]' WHERE id = 11;
:modseqs
UPDATE mail SET labels = '[1, "y", "x", "x"]' WHERE id = 11;
:modseqs
UPDATE mail SET labels = '[1, "y"]' WHERE id = 11;
UPDATE mail SET labels = '{"x": true, "y": [1, 2]}' WHERE id = 11;
:modseqs
UPDATE mail SET labels = '{"y": [1, 2],   "x": true}' WHERE id = 11;
:modseqs
UPDATE mail SET labels = '{"y": [1, 2]}' WHERE id = 11;
:modseqs

-- A bit mask, and text
UPDATE mail SET flagbits = 6 WHERE id = 11;
UPDATE mail SET flagbits = flagbits | 2 WHERE id = 11;
:modseqs
UPDATE mail SET flagbits = flagbits & ~2 WHERE id = 11;
UPDATE mail SET color = 'red' WHERE id = 11;
UPDATE mail SET color = 'red' WHERE id = 11;
:modseqs

-- Values that are stored out of line or compressed compare by what they say
UPDATE mail SET keywords = ARRAY(SELECT 'keyword-number-' || i FROM generate_series(1, 2000) AS i) WHERE id = 12;
:modseqs
UPDATE mail SET keywords = ARRAY(SELECT 'keyword-number-' || i FROM generate_series(1, 2000) AS i ORDER BY i DESC) WHERE id = 12;
UPDATE mail SET subject = 'toasted' WHERE id = 12;
:modseqs

--
-- In one transaction: a value for each statement. Under the mailbox lock each row is written once; without
-- it the rows are written again when the statement ends, since their lock must not come before the mailbox's.
--
\set updated 'SELECT pg_stat_get_xact_tuples_updated(\'mail\'::regclass)'
BEGIN;
:updated AS before \gset
UPDATE mail SET seen = false WHERE mailbox_id = 1;
:updated - :before AS messages_updated;
UPDATE mail SET seen = true WHERE mailbox_id = 1;
:updated - :before AS messages_updated;
UPDATE mail SET seen = false WHERE id = 12;
COMMIT;
:modseqs
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 1);
:updated AS before \gset
UPDATE mail SET seen = NOT seen WHERE mailbox_id = 1;
:updated - :before AS messages_updated;
COMMIT;
:modseqs
-- RETURNING tells the new mod-sequence under the lock; a front end that does without it has to read again
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 1);
UPDATE mail SET seen = true WHERE id = 11 RETURNING modseq;
COMMIT;
UPDATE mail SET seen = false WHERE id = 11 RETURNING modseq;
SELECT modseq FROM mail WHERE id = 11;

-- Mailboxes that are locked and ones that are not, in one statement
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 2);
UPDATE mail SET color = 'blue';
COMMIT;
:modseqs

--
-- Other triggers: what counts is what became of the row, not what the statement named
--
-- One that fires before ours and sets a flag that the statement does not name
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.seen := true; RETURN new; END $$;
CREATE TRIGGER a_see BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION see();
UPDATE mail SET subject = 'read' WHERE id = 12;
:modseqs
UPDATE mail SET subject = 'read again' WHERE id = 12;
:modseqs
DROP TRIGGER a_see ON mail;
-- One that fires after ours: the same
UPDATE mail SET seen = false WHERE id = 12;
CREATE TRIGGER zzz_see BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION see();
UPDATE mail SET subject = 'read' WHERE id = 12;
:modseqs
DROP TRIGGER zzz_see ON mail;
-- One that undoes the change after ours: the message has its number by then, as it has under the lock
CREATE FUNCTION keep_seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.seen := old.seen; RETURN new; END $$;
CREATE TRIGGER zzz_keep BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION keep_seen();
UPDATE mail SET seen = false WHERE id = 12;
:modseqs
DROP TRIGGER zzz_keep ON mail;
-- One that cancels the update of a row: that row is not stamped
CREATE FUNCTION only_11() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN old.id = 11 THEN new END; END $$;
CREATE TRIGGER zzz_cancel BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION only_11();
UPDATE mail SET color = 'green' WHERE id = 12;
:modseqs
BEGIN;
SELECT uidnext, highestmodseq FROM modseq.lock('mail', 1);
UPDATE mail SET color = 'green' WHERE id = 12;
COMMIT;
:modseqs
DROP TRIGGER zzz_cancel ON mail;
-- One that writes a mod-sequence of its own after ours: an error, as for a message that arrives
CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.modseq := 4711; RETURN new; END $$;
CREATE TRIGGER zzz_forge BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION forge();
INSERT INTO mail (id, mailbox_id) VALUES (13, 1);
UPDATE mail SET color = 'green' WHERE id = 12;
UPDATE mail SET subject = 'forged' WHERE id = 12;
:modseqs
CREATE OR REPLACE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.modseq := 0; RETURN new; END $$;
UPDATE mail SET color = 'green' WHERE id = 12;
:modseqs
DROP TRIGGER zzz_forge ON mail;

--
-- A statement writes the number that it will get if nobody takes it first. What its own trigger changes, in a
-- subtransaction, is part of it and gets the same
--
CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET color = 'nested ' || new.color WHERE id = 12;
	IF new.color = 'fails' THEN
		RAISE division_by_zero;
	END IF;
	RETURN new;
EXCEPTION WHEN division_by_zero THEN
	RETURN new;
END $$;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET color = 'once more' WHERE id = new.id;
	RETURN NULL;
END $$;
CREATE TRIGGER zzz_nest BEFORE UPDATE ON mail FOR EACH ROW WHEN (old.id = 11) EXECUTE FUNCTION nest();
UPDATE mail SET color = 'works' WHERE id = 11 RETURNING modseq;
:modseqs
-- If that is rolled back, the number is the outer statement's still
UPDATE mail SET color = 'fails' WHERE id = 11 RETURNING modseq;
:modseqs
DROP TRIGGER zzz_nest ON mail;
-- What changes the messages once more, in their own statement's triggers, finds the number there already; it is taken
CREATE TRIGGER a_again AFTER UPDATE ON mail FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again();
UPDATE mail SET color = 'twice';
:modseqs
SELECT * FROM modseq.check('mail');
DROP TRIGGER a_again ON mail;
-- So does what changes them in a subtransaction
CREATE FUNCTION again_in_block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mail SET color = 'in a block';
	RETURN NULL;
EXCEPTION WHEN division_by_zero THEN
	RETURN NULL;
END $$;
CREATE TRIGGER a_again AFTER UPDATE ON mail FOR EACH ROW WHEN (pg_trigger_depth() = 0 AND new.id = 12)
	EXECUTE FUNCTION again_in_block();
UPDATE mail SET color = 'thrice';
:modseqs
SELECT * FROM modseq.check('mail');
DROP TRIGGER a_again ON mail;
-- And what names them by UID, in a table of flags
CREATE TABLE label (mailbox_id bigint, uid bigint, name text);
SELECT modseq.attach('mail', 'mailbox', 'label', flag_mailbox => '{mailbox_id}', flag_uid => 'uid');
CREATE FUNCTION label() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO label VALUES (new.mailbox_id, new.uid, 'urgent');
	RETURN NULL;
END $$;
CREATE TRIGGER a_label AFTER UPDATE OF color ON mail FOR EACH ROW EXECUTE FUNCTION label();
UPDATE mail SET color = 'labelled';
:modseqs
SELECT * FROM modseq.check('mail');
DROP TRIGGER a_label ON mail;
-- One message's flag column and another's label in one statement: the other has not got the number yet
WITH colored AS (UPDATE mail SET color = 'alone' WHERE id = 11)
INSERT INTO label SELECT mailbox_id, uid, 'alone' FROM mail WHERE id = 12;
:modseqs
-- A label of a message that is not there changes nothing
INSERT INTO label VALUES (1, 4711, 'lost'), (2, 4711, 'lost');
:modseqs
-- A message that comes into the mailbox takes it under the lock: it is the same statement, and the same number
UPDATE mail SET color = 'both', mailbox_id = 1 WHERE id IN (11, 21);
:modseqs

SELECT * FROM modseq.check('mail');
DROP SCHEMA t_flags_columns CASCADE;
