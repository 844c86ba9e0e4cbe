--
-- Policies that are forced on the owner hold for what the owner asks, and not for the bookkeeping, in whichever order the
-- two come in a session
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_owner;
CREATE ROLE regress_modseq_owner;
CREATE SCHEMA forced AUTHORIZATION regress_modseq_owner;
SET ROLE regress_modseq_owner;
SET search_path = forced;
\pset null '(null)'
CREATE TABLE box (id bigint PRIMARY KEY, tenant int);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box, seen boolean);
SELECT modseq.attach('mail', 'box', counters => 'mailbox');
INSERT INTO box (id, tenant) VALUES (1, 1), (2, 2);
INSERT INTO mail VALUES (1, 1), (2, 1), (3, 2), (4, 2);
DELETE FROM mail WHERE id = 3;
ALTER TABLE box ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON box USING (tenant = current_setting('app.tenant')::int);

-- Bookkeeping first: the other tenant's mailbox still does not exist
\c -
SET search_path = forced;
\set VERBOSITY terse
\pset null '(null)'
SET client_min_messages = warning;
SET ROLE regress_modseq_owner;
SET app.tenant = 1;
INSERT INTO mail VALUES (5, 1);
UPDATE mail SET seen = true WHERE id = 1;
SELECT uidnext FROM modseq.status('mail', 1);
SELECT * FROM modseq.status('mail', 2);
SELECT mailbox FROM modseq.status('mail', ARRAY[1, 2]);
SELECT modseq.vanished_since('mail', 2, 0);
SELECT * FROM modseq.lock('mail', 2);

-- Answers first: the other tenant's counters still count
\c -
SET search_path = forced;
\set VERBOSITY terse
SET client_min_messages = warning;
SET ROLE regress_modseq_owner;
SET app.tenant = 1;
SELECT * FROM modseq.status('mail', 2);
SELECT * FROM modseq.lock('mail', 2);
SELECT mailbox FROM modseq.status('mail', ARRAY[1, 2]);
INSERT INTO mail (id, box_id, uid) VALUES (9, 2, 1) RETURNING uid;
INSERT INTO mail (id, box_id) VALUES (9, 2) RETURNING uid;

-- A trigger that is fired by the bookkeeping asks as the owner
CREATE FUNCTION peep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'mailboxes: %', (SELECT array_agg(mailbox) FROM modseq.status('forced.mail', ARRAY[1, 2]));
	RETURN NEW;
END $$;
CREATE TRIGGER peep BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION peep();
\c -
SET search_path = forced;
SET client_min_messages = warning;
SET ROLE regress_modseq_owner;
SET app.tenant = 1;
INSERT INTO mail VALUES (10, 1);
SELECT mailbox FROM modseq.status('mail', ARRAY[1, 2]);
RESET ROLE;
SELECT uid, problem FROM modseq.check('mail');

DROP SCHEMA forced CASCADE;
DROP ROLE regress_modseq_owner;
