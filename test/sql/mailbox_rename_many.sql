--
-- 30,000 mailboxes renamed in one transaction: the cost grows with their number. Where it grew with the square of that,
-- these took most of a minute; now it is a second or two
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_mailbox_rename_many;
SET search_path = t_mailbox_rename_many;

CREATE TABLE box (name text PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE);
SELECT modseq.attach('mail', 'box', message_mailbox => '{box}', message_flags => '{}');
INSERT INTO box SELECT 'a/' || i FROM generate_series(1, 30000) AS i;
INSERT INTO mail SELECT i, 'a/' || i FROM generate_series(1, 30000) AS i;
SET statement_timeout = '45s';
UPDATE box SET name = 'b' || name;
-- Each in a subtransaction of its own
DO $$
DECLARE
	n text;
BEGIN
	FOR n IN SELECT name FROM box WHERE name LIKE '%000' LOOP
		BEGIN
			UPDATE box SET name = 'c' || name WHERE name = n;
			IF n LIKE '%0000' THEN RAISE 'back'; END IF;
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	END LOOP;
END $$;
RESET statement_timeout;
SELECT substr(name, 1, 2) AS name, count(*), sum(uidnext) AS uidnext, max(highestmodseq) AS highest FROM mail_mailbox GROUP BY 1 ORDER BY min(name) COLLATE "C";
SELECT substr(box, 1, 2) AS box, count(*), max(uid) AS uid, max(modseq) AS modseq FROM mail GROUP BY 1 ORDER BY min(box) COLLATE "C";
SELECT count(*) FROM mail_vanished;
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_mailbox_rename_many CASCADE;
