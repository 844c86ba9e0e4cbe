--
-- ALTER TABLE ... OWNER TO of the message table: check() reports it, attach() follows
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_old, regress_modseq_new;
CREATE SCHEMA owner;
RESET client_min_messages;
SET search_path = owner;
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached
CREATE ROLE regress_modseq_old;
CREATE ROLE regress_modseq_new;
GRANT ALL ON SCHEMA owner TO regress_modseq_old, regress_modseq_new;

SET ROLE regress_modseq_old;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box, seen boolean);
SELECT modseq.attach('mail', 'box') \g /dev/null
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES (1, 1), (2, 1);
DELETE FROM mail WHERE id = 1;
RESET ROLE;

-- A superuser's attach() follows
ALTER TABLE mail OWNER TO regress_modseq_new;
SELECT failure($$INSERT INTO mail VALUES (3, 1)$$);
SELECT problem FROM modseq.check('mail') ORDER BY problem COLLATE "C";
-- if all tables are one owner's: each owner's code would run with the rights of the other
SELECT refusal($$'mail'$$);
ALTER TABLE box OWNER TO regress_modseq_new;
SELECT modseq.attach('mail');
SELECT relname, relowner::regrole FROM pg_class WHERE relname ~ '^(mail|mail_vanished|mail_mailbox|box)$' AND relnamespace = 'owner'::regnamespace ORDER BY 1;
INSERT INTO mail VALUES (3, 1);
DELETE FROM mail WHERE id = 3;
SELECT modseq.vanished_since('mail', 1, 0);
SELECT * FROM modseq.check('mail');

-- The new owner cannot take what is not hers, and is told what helps
ALTER TABLE mail OWNER TO regress_modseq_old;
ALTER TABLE box OWNER TO regress_modseq_old;
SET ROLE regress_modseq_old;
SELECT problem FROM modseq.check('mail') ORDER BY problem COLLATE "C";
SELECT refusal($$'mail'$$);
RESET ROLE;
ALTER TABLE mail_vanished OWNER TO regress_modseq_old;
ALTER TABLE mail_mailbox OWNER TO regress_modseq_old;
SET ROLE regress_modseq_old;
SELECT modseq.attach('mail');
INSERT INTO mail VALUES (4, 1);
-- A member of both can do it
RESET ROLE;
GRANT regress_modseq_new TO regress_modseq_old;
ALTER TABLE mail OWNER TO regress_modseq_new;
ALTER TABLE box OWNER TO regress_modseq_new;
SET ROLE regress_modseq_old;
SELECT modseq.attach('mail');
DELETE FROM mail WHERE id = 4;
SELECT modseq.vanished_since('mail', 1, 0);
SELECT * FROM modseq.check('mail');
RESET ROLE;

-- What another's store would take from its owner by a superuser's hand
SELECT modseq.detach('mail');
ALTER TABLE mail_vanished OWNER TO regress_modseq_new;
SET ROLE regress_modseq_old;
CREATE TABLE box2 (LIKE box INCLUDING ALL);
CREATE TABLE mail2 (LIKE mail INCLUDING ALL);
SELECT modseq.attach('mail2', 'box2') \g /dev/null
DROP TABLE mail2_vanished;
SELECT set_config('owner.options', (
	SELECT string_agg(quote_literal(replace(o, 'mail2_vanished', 'mail_vanished')), ', ')
	FROM pg_trigger, unnest(modseq_internal.trigger_options(oid)) AS o
	WHERE tgrelid = 'mail2'::regclass AND tgname = 'zz_modseq_assign'), false) \g /dev/null
DO $$ BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER zz_modseq_assign BEFORE INSERT OR UPDATE ON mail2 FOR EACH ROW
		EXECUTE FUNCTION modseq.trigger_assign(%s)', current_setting('owner.options'));
END $$;
RESET ROLE;
SELECT vanished FROM modseq.stores WHERE message = 'mail2'::regclass;
SELECT failure($$SELECT modseq.attach('mail2')$$);
SELECT relowner::regrole FROM pg_class WHERE oid = 'mail_vanished'::regclass;

SET client_min_messages = warning;
DROP SCHEMA owner CASCADE;
DROP ROLE regress_modseq_old, regress_modseq_new;
