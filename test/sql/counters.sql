--
-- The counters of a mailbox: the next UID or the last; integer or bigint; NULL, 0 or 1 at first; on the mailbox
-- table, or on a side table, which the application keeps or modseq does
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_counters;
SET search_path = t_counters;
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset null '(null)'

-- A mailbox from its first message on. side: none, kept (by the application), followed (by modseq)
CREATE FUNCTION play(side text, counter text, type text, first_uid text, first_modseq text)
RETURNS TABLE (at_first text, uids text, at_last text, stored text, broken bigint)
LANGUAGE plpgsql AS $$
DECLARE
	counters CONSTANT text := format('uidvalidity bigint DEFAULT 7, %I %s DEFAULT %s, highestmodseq bigint DEFAULT %s',
									 counter, type, first_uid, first_modseq);
BEGIN
	EXECUTE format('CREATE TABLE mailbox (id int PRIMARY KEY%s)', CASE side WHEN 'none' THEN ', ' || counters ELSE '' END);
	IF side <> 'none' THEN
		EXECUTE format('CREATE TABLE mailbox_state (mailbox int PRIMARY KEY REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE, %s)', counters);
	END IF;
	CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE, seen boolean);
	IF side = 'none' THEN
		PERFORM modseq.attach('mail', 'mailbox');
		INSERT INTO mailbox (id) VALUES (1), (2);
	ELSE
		IF side = 'kept' THEN
			PERFORM modseq.attach('mail', 'mailbox_state');
			INSERT INTO mailbox VALUES (1), (2);
			INSERT INTO mailbox_state VALUES (1), (2);
		ELSE
			PERFORM modseq.attach('mail', 'mailbox_state', mailbox_source => 'mailbox');
			INSERT INTO mailbox VALUES (1), (2);
		END IF;
	END IF;
	SELECT s::text INTO at_first FROM modseq.status('mail', 1) s;
	INSERT INTO mail SELECT i, 1 FROM generate_series(1, 5) AS i;
	UPDATE mail SET seen = true WHERE id = 2;
	DELETE FROM mail WHERE id = 5;
	UPDATE mail SET mailbox_id = 2 WHERE id = 4;
	UPDATE mailbox SET id = 3 WHERE id = 1;
	INSERT INTO mail VALUES (6, 3);
	SELECT string_agg(concat_ws(':', m.uid, modseq), ' ' ORDER BY m.uid) INTO uids FROM mail m WHERE mailbox_id = 3;
	SELECT string_agg(concat_ws(' ', s, modseq.vanished_since('mail', mailbox, 0)), ' | ' ORDER BY mailbox) INTO at_last
		FROM modseq.status('mail', ARRAY[1, 2, 3]) s;
	EXECUTE format('SELECT string_agg(concat_ws('' '', %I, highestmodseq), '' | '' ORDER BY 1) FROM %s', counter,
		CASE side WHEN 'none' THEN 'mailbox' ELSE 'mailbox_state' END) INTO stored;
	SELECT count(*) INTO broken FROM modseq.check('mail');
	DELETE FROM mailbox WHERE id = 3;
	broken := broken + (SELECT count(*) FROM modseq.check('mail'));
	RETURN NEXT;
	DROP TABLE mail, mail_vanished;
	DROP TABLE IF EXISTS mailbox_state;
	DROP TABLE mailbox;
END $$;
SELECT side, counter, type, first_uid, first_modseq, p.*
FROM unnest(ARRAY['none', 'kept', 'followed']) AS side,
	unnest(ARRAY['uidnext', 'last_uid']) AS counter,
	unnest(ARRAY['int', 'bigint']) AS type,
	(VALUES ('NULL', 'NULL'), ('0', '0'), ('0', '1'), ('1', '1')) AS first (first_uid, first_modseq),
	play(side, counter, type, first_uid, first_modseq) AS p
WHERE (counter, first_uid, first_modseq) NOT IN (('last_uid', '1', '1'), ('uidnext', '0', '1'))
ORDER BY side <> 'none', side <> 'kept', counter DESC, type DESC, first_uid DESC, first_modseq DESC;

-- The key of a mailbox that changes in the table that both the messages and the side table refer to: what modseq keeps is
-- renamed first, and no message moves. What the application keeps is not: above they followed, as the mailbox had been
-- locked before; here they cannot, since their foreign key is the older one
CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE);
CREATE TABLE mailbox_state (mailbox int PRIMARY KEY REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO mailbox VALUES (1);
INSERT INTO mail VALUES (1, 1);
INSERT INTO mailbox_state VALUES (1);
SELECT modseq.attach('mail', 'mailbox_state', counters => 'mailbox');
UPDATE mailbox SET id = 2;
SELECT modseq.attach('mail', 'mailbox_state', mailbox_source => 'mailbox');
UPDATE mailbox SET id = 2;
SELECT m.*, highestmodseq FROM mail m JOIN mailbox_state ON mailbox = mailbox_id;
DROP TABLE mail, mail_vanished, mailbox_state, mailbox;

-- The end of an integer
CREATE TABLE mailbox (id int PRIMARY KEY, uidvalidity int, uidnext int, modseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox VALUES (1, 7, 2147483646, NULL);
INSERT INTO mail VALUES (1, 1);
INSERT INTO mail VALUES (2, 1);
SELECT uidnext, modseq FROM mailbox;
ALTER TABLE mailbox ALTER uidnext TYPE bigint;
INSERT INTO mail VALUES (2, 1), (3, 1) RETURNING uid;
DROP TABLE mail, mail_vanished, mailbox;

DROP SCHEMA t_counters CASCADE;
