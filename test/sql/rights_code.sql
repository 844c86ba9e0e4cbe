--
-- When somebody asks about another role's store, or has it checked, that role's code does not run with the rights of who
-- asks. Rule "rights"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_stranger, regress_modseq_reader;
CREATE ROLE regress_modseq_stranger;
CREATE ROLE regress_modseq_reader;
CREATE SCHEMA trap AUTHORIZATION regress_modseq_stranger;
GRANT USAGE ON SCHEMA trap TO regress_modseq_reader;
SET search_path = trap;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset null '(null)'

-- A domain's check
SET ROLE regress_modseq_stranger;
CREATE FUNCTION is_name(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'check runs as %', current_user;
	RETURN $1 <> '';
END $$;
CREATE DOMAIN folder AS varchar(5) CHECK (is_name(VALUE));
CREATE TABLE dbox (id folder PRIMARY KEY);
CREATE TABLE dmail (id bigint PRIMARY KEY, dbox_id folder NOT NULL REFERENCES dbox, seen boolean);
SELECT modseq.attach('dmail', 'dbox');
INSERT INTO dbox (id, uidvalidity) VALUES ('INBOX', 1);
INSERT INTO dmail VALUES (1, 'INBOX'), (2, 'INBOX');
DELETE FROM dmail WHERE id = 2;
GRANT SELECT ON dbox, dmail, dmail_vanished TO regress_modseq_reader;
RESET ROLE;
SELECT uidnext FROM modseq.status('dmail', 'INBOX');
SELECT uidnext FROM modseq.status('dmail', 'INBOX2');
SELECT uidnext FROM modseq.status('dmail', '');
SELECT mailbox, uidnext FROM modseq.status('dmail', ARRAY['INBOX', '']);
SELECT verdict, changed, vanished FROM modseq.resync('dmail', 'INBOX', 1, 1);
SELECT uid FROM modseq.changed_since('dmail', 'INBOX', 1);
SELECT modseq.vanished_since('dmail', 'INBOX', 1);
SELECT uidnext FROM modseq.lock('dmail', 'INBOX');
SET ROLE regress_modseq_reader;
SELECT uidnext FROM modseq.status('dmail', 'INBOX');
RESET ROLE;

DROP SCHEMA trap CASCADE;
DROP ROLE regress_modseq_stranger, regress_modseq_reader;
