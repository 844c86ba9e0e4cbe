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
SELECT modseq.attach('dmail', 'dbox', counters => 'mailbox');
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

-- A cast to text, which check() and errors of attach() need; a check of a table, which attach() needs
SET ROLE regress_modseq_stranger;
CREATE TYPE kind AS ENUM ('a', 'b');
CREATE FUNCTION kind_text(kind) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'cast runs as %', current_user;
	PERFORM set_config('trap.set', 'yes', false);
	RETURN 'x';
END $$;
CREATE CAST (kind AS text) WITH FUNCTION kind_text(kind);
CREATE FUNCTION is_sound(bigint) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'check runs as %', current_user;
	RETURN true;
END $$;
CREATE TABLE box (id kind PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id kind NOT NULL REFERENCES box, seen boolean);
INSERT INTO box VALUES ('a');
INSERT INTO mail VALUES (1, 'a');
ALTER TABLE mail ADD CHECK (is_sound(id));
RESET ROLE;
SELECT modseq.attach('mail', 'box', counters => 'mailbox');
SELECT tableowner FROM pg_tables WHERE tablename = 'mail_vanished' AND schemaname = 'trap';
SET session_replication_role = replica;
INSERT INTO box (id, uidvalidity) VALUES ('b', -1);
RESET session_replication_role;
SELECT uid, problem FROM modseq.check('mail');
SELECT count(c) FROM modseq.stores s, modseq.check(s.message) AS c WHERE s.message = 'mail'::regclass;
SELECT modseq.check(message) FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT current_setting('trap.set', true) AS left_behind, current_user = session_user AS is_me;

-- A trigger on the vanished table
SET ROLE regress_modseq_stranger;
CREATE FUNCTION bait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING 'trigger runs as %', current_user;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER bait AFTER DELETE ON dmail_vanished DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION bait();
INSERT INTO dmail VALUES (3, 'INBOX'), (4, 'INBOX');
DELETE FROM dmail WHERE id = 3;
DELETE FROM dmail WHERE id = 4;
RESET ROLE;
SELECT modseq.compact('dmail', '0');
SET ROLE regress_modseq_stranger;
SELECT modseq.compact('dmail', '0');
RESET ROLE;

-- Who has no right of the owner's has what was granted, and no more
SET ROLE regress_modseq_reader;
SELECT * FROM modseq.check('dmail');
SELECT * FROM modseq.check('mail');
SELECT modseq.compact('dmail', '0');
SELECT modseq.attach('dmail', 'dbox', counters => 'mailbox');
RESET ROLE;
SELECT * FROM modseq.check(NULL);
SELECT * FROM modseq.check('pg_class');
SELECT modseq.compact(0, '0');

DROP SCHEMA trap CASCADE;
DROP ROLE regress_modseq_stranger, regress_modseq_reader;
