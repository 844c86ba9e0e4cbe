--
-- Without the rights to it, attach(), check(), compact() and detach() say in one error what is missing, and where
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_told, regress_modseq_owner;
CREATE SCHEMA told;
CREATE ROLE regress_modseq_owner;
CREATE ROLE regress_modseq_told;
GRANT ALL ON SCHEMA told TO regress_modseq_owner;
SET search_path = told;
SET ROLE regress_modseq_owner;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int, box_id int NOT NULL, seen boolean) PARTITION BY LIST (box_id);
CREATE TABLE mail_1 PARTITION OF mail DEFAULT;
SELECT modseq.attach('mail', 'box') \g /dev/null
RESET client_min_messages;

-- What psql shows of an error, the context included, is a few lines
\set SHOW_CONTEXT never
CREATE FUNCTION lines(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	EXECUTE command;
EXCEPTION WHEN insufficient_privilege THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN SQLERRM || CASE WHEN cardinality(regexp_split_to_array(context, '\n')) < 10 THEN ', briefly' ELSE context END;
END $$;
SELECT 'mail'::regclass::oid AS mail \gset
SET ROLE regress_modseq_owner;
REVOKE ALL ON mail FROM regress_modseq_owner;
SELECT lines($$SELECT modseq.check('mail')$$);
GRANT ALL ON mail TO regress_modseq_owner;
RESET ROLE;
GRANT USAGE ON SCHEMA told TO regress_modseq_told;
SET ROLE regress_modseq_told;
SELECT lines($$SELECT modseq.check('mail')$$);
SELECT lines($$SELECT modseq.compact('mail', '0')$$);
SELECT lines($$SELECT modseq.detach('mail')$$);
SELECT lines($$SELECT modseq.attach('mail')$$);
RESET ROLE;
REVOKE USAGE ON SCHEMA told FROM regress_modseq_told;
SET ROLE regress_modseq_told;
SELECT modseq.check(:mail);
RESET ROLE;
GRANT USAGE ON SCHEMA told TO regress_modseq_told;
SET ROLE regress_modseq_told;
SELECT modseq.check('mail');
RESET ROLE;
GRANT SELECT (id) ON box TO regress_modseq_told;
GRANT SELECT (box_id, uid, modseq) ON mail TO regress_modseq_told;
SET ROLE regress_modseq_told;
SELECT modseq.check('mail');
RESET ROLE;
GRANT SELECT ON mail_vanished, mail_mailbox TO regress_modseq_told;
SET ROLE regress_modseq_told;
SELECT modseq.check('mail');
SELECT modseq.compact('mail', '0');
RESET ROLE;

-- Policies
ALTER TABLE box ENABLE ROW LEVEL SECURITY;
SET ROLE regress_modseq_told;
SELECT modseq.check('mail');
SET ROLE regress_modseq_owner;
SELECT modseq.check('mail');
ALTER TABLE box FORCE ROW LEVEL SECURITY;
SELECT modseq.check('mail');
SELECT modseq.attach('mail');
ALTER TABLE box DISABLE ROW LEVEL SECURITY;

-- A partition, or a mailbox table, of another owner
RESET ROLE;
ALTER TABLE mail_1 OWNER TO regress_modseq_told;
SET ROLE regress_modseq_owner;
SELECT modseq.attach('mail');
SELECT modseq.detach('mail');
RESET ROLE;
ALTER TABLE mail_1 OWNER TO regress_modseq_owner;
ALTER TABLE box OWNER TO regress_modseq_told;
SET ROLE regress_modseq_owner;
SELECT modseq.attach('mail');
SELECT modseq.detach('mail');
RESET ROLE;

-- A check that fails shows the columns that the UPDATE sets, but no mod-sequence to whom may not read it
SET client_min_messages = warning;
CREATE TABLE pile (id int PRIMARY KEY);
CREATE TABLE note (id int PRIMARY KEY, pile_id int NOT NULL, seen boolean DEFAULT false, CHECK (NOT seen));
SELECT modseq.attach('note', 'pile') \g /dev/null
INSERT INTO pile VALUES (1);
INSERT INTO note VALUES (1, 1);
GRANT UPDATE (seen) ON note TO regress_modseq_told;
SET ROLE regress_modseq_told;
UPDATE note SET seen = true;
RESET ROLE;

DROP SCHEMA told CASCADE;
DROP ROLE regress_modseq_told, regress_modseq_owner;
