--
-- What an unqualified name means in a trigger of the owner's, which the bookkeeping fires: the function's search_path decides,
-- or else the writer's
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
DROP ROLE IF EXISTS regress_modseq_owner, regress_modseq_app;
CREATE ROLE regress_modseq_owner;
CREATE ROLE regress_modseq_app;
CREATE SCHEMA app AUTHORIZATION regress_modseq_owner;
CREATE SCHEMA trap AUTHORIZATION regress_modseq_app;
GRANT USAGE ON SCHEMA app TO regress_modseq_app;
GRANT USAGE ON SCHEMA trap TO regress_modseq_owner;
\set SHOW_CONTEXT never
SET search_path = app;
SET ROLE regress_modseq_owner;
CREATE TABLE box (id bigint PRIMARY KEY, touched text);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box);
SELECT modseq.attach('mail', 'box', counters => 'mailbox') \g /dev/null
INSERT INTO box VALUES (1);
GRANT INSERT ON mail TO regress_modseq_app;
CREATE FUNCTION stamp() RETURNS text LANGUAGE sql AS $$ SELECT 'by the owner'::text $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.touched := stamp();
	RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION touch();
SET ROLE regress_modseq_app;
CREATE FUNCTION trap.stamp() RETURNS text LANGUAGE sql AS $$ SELECT 'by a trap, as ' || current_user $$;

-- docs/security.md warns of this, and says what protects
SET search_path = trap, app;
INSERT INTO mail VALUES (1, 1);
RESET ROLE;
SELECT touched FROM box;
ALTER FUNCTION app.touch() SET search_path = app, pg_temp;
SET ROLE regress_modseq_app;
INSERT INTO mail VALUES (2, 1);
RESET ROLE;
SELECT touched FROM box;

DROP SCHEMA app, trap CASCADE;
DROP ROLE regress_modseq_owner, regress_modseq_app;
