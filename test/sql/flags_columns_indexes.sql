--
-- An UPDATE of flag columns changes mod-sequences that it does not name. The executor is told, so that it does not look
-- for copies in their index; nothing else must come of it.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_flags_columns_indexes;
SET search_path = t_flags_columns_indexes;
\set VERBOSITY terse

\getenv build PG_ABS_BUILDDIR
\getenv suffix PG_DLSUFFIX
\set module :build /test/module/in_c :suffix

CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int, box_id int NOT NULL REFERENCES box, seen boolean, note int, gone boolean, PRIMARY KEY (id, box_id)) PARTITION BY LIST (box_id);
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 (gone boolean, note int, seen boolean, id int NOT NULL, box_id int NOT NULL);
ALTER TABLE mail ATTACH PARTITION mail_2 FOR VALUES IN (2);
SELECT modseq.attach('mail', 'box', message_flags => '{seen}', message_expunged => 'gone');
INSERT INTO box VALUES (1), (2);
INSERT INTO mail SELECT i, b, false FROM generate_series(1, 4) AS i, generate_series(1, 2) AS b;

-- The columns that are updated, as the executor has it
CREATE FUNCTION updated_columns() RETURNS trigger LANGUAGE C AS :'module';
CREATE TRIGGER updated_columns AFTER UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION updated_columns();
UPDATE mail SET seen = NOT seen WHERE id = 1;
UPDATE mail SET gone = true WHERE id = 4;
UPDATE mail SET note = 1 WHERE id = 1;
UPDATE mail_1 SET note = 2, seen = NOT seen WHERE id = 1;
WITH u AS (UPDATE mail SET seen = NOT seen WHERE id = 1 AND box_id = 2 RETURNING uid) SELECT uid FROM u;
-- Of a partition that an INSERT finds as it runs, it is not told
INSERT INTO mail (id, box_id) VALUES (1, 1), (5, 1) ON CONFLICT (id, box_id) DO UPDATE SET seen = NOT mail.seen;
INSERT INTO mail_1 (id, box_id) VALUES (1, 1) ON CONFLICT (id, box_id) DO UPDATE SET seen = NOT mail_1.seen;
SET session_replication_role = replica;
ALTER TABLE mail ENABLE ALWAYS TRIGGER updated_columns;
UPDATE mail SET seen = NOT seen WHERE id = 3;
RESET session_replication_role;
DROP TRIGGER updated_columns ON mail;
SELECT * FROM modseq.check('mail');

-- A plan that is kept is not changed by it, for it may be run by one who is no store's
PREPARE store AS UPDATE mail_1 SET seen = NOT seen WHERE id <= 2 RETURNING id, seen, modseq;
SET plan_cache_mode = force_generic_plan;
EXECUTE store;
EXECUTE store;
SET session_replication_role = replica;
EXECUTE store;
RESET session_replication_role;
EXECUTE store;

-- Triggers FOR UPDATE OF the mod-sequence are for those who name it
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE WARNING '% % fired', TG_NAME, TG_WHEN;
	RETURN NEW;
END $$;
CREATE TRIGGER of_modseq BEFORE UPDATE OF modseq ON mail_1 FOR EACH ROW EXECUTE FUNCTION fired();
CREATE TRIGGER of_modseq_after AFTER UPDATE OF modseq ON mail_1 FOR EACH ROW EXECUTE FUNCTION fired();
CREATE TRIGGER of_seen BEFORE UPDATE OF seen ON mail_1 FOR EACH ROW EXECUTE FUNCTION fired();
UPDATE mail SET seen = NOT seen WHERE id = 3 AND box_id = 1 RETURNING modseq;
UPDATE mail SET seen = NOT seen, modseq = modseq WHERE id = 3 AND box_id = 1 RETURNING modseq;
UPDATE mail SET note = 1 WHERE id = 3 AND box_id = 1 RETURNING modseq;
SELECT * FROM modseq.check('mail');

-- One who may not write the mod-sequence stores flags
CREATE ROLE regress_modseq_flags;
GRANT USAGE ON SCHEMA t_flags_columns_indexes TO regress_modseq_flags;
GRANT SELECT (id, box_id, seen), UPDATE (seen) ON mail TO regress_modseq_flags;
SET ROLE regress_modseq_flags;
UPDATE mail SET seen = NOT seen WHERE id = 4 AND box_id = 2;
UPDATE mail SET modseq = 1 WHERE id = 4 AND box_id = 2;
RESET ROLE;
DROP OWNED BY regress_modseq_flags;
DROP ROLE regress_modseq_flags;
SELECT modseq, seen FROM mail WHERE id = 4 AND box_id = 2;
