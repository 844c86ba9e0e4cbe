--
-- attach(): who may, in whose name, and whose tables it does not trust
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached

CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint, seen boolean);
INSERT INTO mailbox VALUES (1), (2);
INSERT INTO mail VALUES (1, 1, 5), (2, 2, 5), (3, 1, 5);

-- Policies that would hide rows
ALTER TABLE mail ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON mail USING (mailbox_id = 1);
CREATE ROLE regress_modseq_owner;
GRANT ALL ON SCHEMA attach TO regress_modseq_owner;
ALTER TABLE mail OWNER TO regress_modseq_owner;
ALTER TABLE mailbox OWNER TO regress_modseq_owner;
SET ROLE regress_modseq_owner;
SELECT refusal($$'mail', 'mailbox'$$);
RESET ROLE;
DROP POLICY mine ON mail;
ALTER TABLE mail DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
UPDATE mail SET uid = 6 WHERE id = 3;

--
-- Rights
--
CREATE ROLE regress_modseq_other;
GRANT USAGE ON SCHEMA attach TO regress_modseq_other;
GRANT ALL ON mail, mailbox TO regress_modseq_other;
SET ROLE regress_modseq_other;
SELECT refusal($$'mail', 'mailbox'$$);
-- An owner needs no more than to create a table in the schema
SET ROLE regress_modseq_owner;
SELECT modseq.attach('mail', 'mailbox');
SELECT * FROM modseq.check('mail');
SELECT modseq.detach('mail');
RESET ROLE;
-- A superuser attaches in the owner's name; nobody else may use the vanished table
DROP TABLE mail_vanished;
SELECT modseq.attach('mail', 'mailbox');
SELECT relowner::regrole, relacl FROM pg_class WHERE oid = 'mail_vanished'::regclass;
SET ROLE regress_modseq_other;
SELECT failure($$SELECT modseq.detach('mail')$$);
SELECT message, mailbox FROM modseq.stores WHERE message = 'mail'::regclass;
RESET ROLE;
-- Who may not use the schema can still read the view
REVOKE USAGE ON SCHEMA attach FROM regress_modseq_other;
SELECT 'mail'::regclass::oid AS mail \gset
SET ROLE regress_modseq_other;
SELECT message, mailbox FROM modseq.stores WHERE message = :mail;
RESET ROLE;
SELECT modseq.detach('mail');
-- A vanished table that somebody else has laid out is not used
ALTER TABLE mail_vanished OWNER TO regress_modseq_other;
SELECT refusal($$'mail', 'mailbox'$$);
ALTER TABLE mail_vanished OWNER TO regress_modseq_owner;
ALTER TABLE mail_vanished ADD COLUMN x int;
SELECT refusal($$'mail', 'mailbox'$$);
DROP TABLE mail_vanished;
CREATE VIEW mail_vanished AS SELECT 1;
SELECT refusal($$'mail', 'mailbox'$$);
DROP VIEW mail_vanished;

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_other;
