--
-- Messages that come with a partition, and triggers of the application's that change them meanwhile: each message arrives
-- once, and what is done to it then is done to a message like any other. Rules "arrivals" and "departures"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition_arrival;
SET search_path = t_partition_arrival;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told

CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint DEFAULT 7);
CREATE TABLE mail (id int, box_id int, part int, seen boolean) PARTITION BY LIST (part);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 PARTITION OF mail FOR VALUES IN (2);
SELECT modseq.attach('mail', 'box');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail SELECT i, 1, 2 FROM generate_series(1, 6) AS i;
\set show 'SELECT mailbox[1]::int AS box, uidnext, highest, messages AS "id:uid:modseq:seen", vanished, problems(\'mail\') AS problems FROM state(\'mail\', \'id\', \'uid\', \'modseq\', \'seen\');'
\set again 'ALTER TABLE mail DETACH PARTITION mail_2; ALTER TABLE mail ATTACH PARTITION mail_2 FOR VALUES IN (2);'

CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 THEN
		CASE new.id
			WHEN 1 THEN UPDATE mail SET seen = true WHERE id = 1;
			WHEN 2 THEN DELETE FROM mail WHERE id = 2;
			WHEN 3 THEN UPDATE mail SET box_id = 2 WHERE id = 3;
			WHEN 4 THEN UPDATE mail SET part = 1 WHERE id = 4;
			WHEN 5 THEN
				BEGIN
					UPDATE mail SET seen = true WHERE id = 5;
					INSERT INTO mail VALUES (7, 1, 2);
					UPDATE mail SET uid = NULL WHERE id = 5;
				EXCEPTION WHEN raise_exception THEN
					NULL;
				END;
			ELSE
				NULL;
		END CASE;
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER change AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION change();
:again
:show
DROP TRIGGER change ON mail;

-- The same before the row is written, with other messages
CREATE FUNCTION change_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF pg_trigger_depth() = 1 AND new.id = 1 THEN
		INSERT INTO mail VALUES (8, 1, 2);
		DELETE FROM mail WHERE id = 8;
		INSERT INTO mail VALUES (8, 1, 2);
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER change_other BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION change_other();
:again
:show
DROP TRIGGER change_other ON mail;

-- All in one transaction: a table that is made, filled, and then comes
BEGIN;
CREATE TABLE mail_3 (LIKE mail);
INSERT INTO mail_3 VALUES (9, 2, 3, false, 1, 1), (10, 2, 3, false, 77, 1);
CREATE TRIGGER change AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION change();
ALTER TABLE mail ATTACH PARTITION mail_3 FOR VALUES IN (3);
:show
COMMIT;
DROP SCHEMA t_partition_arrival CASCADE;
