--
-- attach() numbers messages and raises counters unseen by the application's triggers and rules, and leaves them as they were
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA quiet;
RESET client_min_messages;
SET search_path = quiet;
\set SHOW_CONTEXT never

CREATE TABLE audit (relation text, command text, name text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO quiet.audit VALUES (TG_RELID::regclass, TG_OP, TG_NAME);
	RETURN CASE TG_LEVEL WHEN 'ROW' THEN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END END;
END $$;
CREATE VIEW triggers AS
	SELECT tgrelid::regclass::text AS relation, tgname, tgenabled FROM pg_trigger
	WHERE tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'quiet'::regnamespace)
		AND tgfoid = 'quiet.note'::regproc
	UNION ALL
	SELECT ev_class::regclass::text, rulename, ev_enabled FROM pg_rewrite
	WHERE ev_class IN (SELECT oid FROM pg_class WHERE relnamespace = 'quiet'::regnamespace) AND ev_type <> '1';

CREATE TABLE account (id int PRIMARY KEY);
INSERT INTO account VALUES (1);
CREATE TABLE box (id int PRIMARY KEY, account int NOT NULL REFERENCES account DEFERRABLE INITIALLY DEFERRED);
INSERT INTO box VALUES (1, 1), (2, 1);
CREATE TABLE mail (
	id int, box_id int NOT NULL REFERENCES box DEFERRABLE INITIALLY DEFERRED, seen boolean, PRIMARY KEY (id, box_id))
	PARTITION BY LIST (box_id);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 PARTITION OF mail DEFAULT PARTITION BY RANGE (id);
CREATE TABLE mail_2_1 PARTITION OF mail_2 DEFAULT;
INSERT INTO mail SELECT i, 1 + i % 2 FROM generate_series(1, 6) AS i;

-- Before and after, each row and each statement, a constraint trigger; some off, one always, one for replicas
CREATE TRIGGER "a row" BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER b AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER c AFTER UPDATE ON mail FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE CONSTRAINT TRIGGER d AFTER UPDATE ON mail DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER one BEFORE UPDATE ON mail_1 FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER box BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION note();
CREATE RULE also AS ON UPDATE TO mail DO ALSO INSERT INTO audit VALUES ('mail', 'rule');
CREATE RULE off AS ON UPDATE TO box DO INSTEAD NOTHING;
ALTER TABLE mail ENABLE ALWAYS TRIGGER b;
ALTER TABLE mail_1 DISABLE TRIGGER b;
ALTER TABLE mail ENABLE REPLICA TRIGGER c;
ALTER TABLE mail_2 DISABLE TRIGGER "a row";
ALTER TABLE mail_2_1 ENABLE ALWAYS TRIGGER "a row";
ALTER TABLE box ENABLE ALWAYS RULE off;
CREATE TEMP TABLE before AS SELECT * FROM triggers;

SELECT modseq.attach('mail', 'box');
SELECT * FROM audit;
SELECT * FROM triggers EXCEPT ALL TABLE before;
TABLE before EXCEPT ALL SELECT * FROM triggers;
SELECT box_id, array_agg(uid ORDER BY id) AS uids FROM mail GROUP BY box_id ORDER BY 1;
DROP RULE off ON box;
DROP RULE also ON mail;
SELECT * FROM modseq.check('mail');

-- Again, where there is something to do; also in the vanished table
DELETE FROM mail WHERE id = 1;
CREATE TRIGGER gone AFTER INSERT OR DELETE ON mail_vanished FOR EACH ROW EXECUTE FUNCTION note();
SELECT modseq.detach('mail');
DELETE FROM mail WHERE id = 2;
INSERT INTO mail VALUES (9, 1);
TRUNCATE audit;
SELECT modseq.attach('mail', 'box');
SELECT * FROM audit;
SELECT * FROM modseq.check('mail');
-- They fire for what comes later
UPDATE mail SET seen = true WHERE id = 9;
SELECT relation, command, name FROM audit ORDER BY name;

-- The whole is undone by an error
SELECT modseq.detach('mail');
INSERT INTO mail (id, box_id, uid) VALUES (10, 1, -1);
SELECT modseq.attach('mail', 'box');
SELECT count(*) FROM triggers WHERE tgenabled = 'D';

SET client_min_messages = warning;
DROP SCHEMA quiet CASCADE;
