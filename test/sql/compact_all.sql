--
-- compact_all(): all stores of the caller, each by itself
--
\set ON_ERROR_STOP 0
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA compact_all;
SET search_path = compact_all;
CREATE ROLE regress_modseq_all_1;
CREATE ROLE regress_modseq_all_2;
GRANT ALL ON SCHEMA compact_all TO regress_modseq_all_1, regress_modseq_all_2;

-- A store with four rows in the table of what vanished: 2 days old, 2 days, 1 hour, and new
CREATE PROCEDURE make(name text, options text DEFAULT '') LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('
		CREATE TABLE %1$s_box (id int PRIMARY KEY);
		CREATE TABLE %1$s (id int PRIMARY KEY, box_id int NOT NULL REFERENCES %1$s_box);
		SELECT modseq.attach(%1$L, %2$L, message_flags => ''{}''%3$s);
		INSERT INTO %1$s_box VALUES (1);
		INSERT INTO %1$s SELECT i, 1 FROM generate_series(1, 6) i', name, name || '_box', options);
	FOR i IN 1 .. 4 LOOP
		EXECUTE format('DELETE FROM %s WHERE id = %s', name, i);
	END LOOP;
	EXECUTE format('
		UPDATE %s_vanished
		SET vanished_at = vanished_at - CASE WHEN modseq < 5 THEN interval ''2 days'' WHEN modseq = 5 THEN ''1 hour'' ELSE ''0'' END',
		name);
END
$$;
SET ROLE regress_modseq_all_1;
CALL make('a');
CALL make('b', ', vanished_keep => ''1 day''');
RESET ROLE;
SET ROLE regress_modseq_all_2;
CALL make('c');
RESET ROLE;
CREATE VIEW rows AS
	SELECT 'a' AS store, modseq, uids FROM a_vanished
	UNION ALL SELECT 'b', modseq, uids FROM b_vanished
	UNION ALL SELECT 'c', modseq, uids FROM c_vanished;

-- As old as each store keeps what vanished; and whatever the caller's search_path
SET ROLE regress_modseq_all_1;
SET search_path = '';
CALL modseq.compact_all();
SET search_path = compact_all;
RESET ROLE;
SELECT * FROM rows ORDER BY 1, 2;

-- Whose are none is told so
CREATE ROLE regress_modseq_all_3;
GRANT USAGE ON SCHEMA compact_all TO regress_modseq_all_3;
SET ROLE regress_modseq_all_3;
CALL modseq.compact_all();
RESET ROLE;

-- As old as is said, and only what is one's own
SET ROLE regress_modseq_all_1;
CALL modseq.compact_all('1 day');
RESET ROLE;
SELECT * FROM rows ORDER BY 1, 2;

-- A store that fails does not keep the others from it: triggers, rules, tables that are gone. The code of an owner runs as
-- the owner
SET ROLE regress_modseq_all_1;
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'no, %', current_user USING ERRCODE = 'P0042';
END
$$;
CREATE TRIGGER t BEFORE UPDATE ON a_vanished FOR EACH ROW EXECUTE FUNCTION spoil();
RESET ROLE;
\set SHOW_CONTEXT never
CALL modseq.compact_all('0');
SELECT * FROM rows ORDER BY 1, 2;
DROP TRIGGER t ON a_vanished;
CREATE RULE r AS ON UPDATE TO a_vanished DO INSTEAD NOTHING;
CALL modseq.compact_all('0');
DROP RULE r ON a_vanished;
ALTER TABLE a_vanished RENAME TO a_vanished_no_more;
CALL modseq.compact_all('0');
ALTER TABLE a_vanished_no_more RENAME TO a_vanished;
CALL modseq.compact_all('0');
SELECT * FROM rows ORDER BY 1, 2;
SELECT s.message, c.* FROM modseq.stores s, modseq.check(s.message) AS c WHERE s.message::text ~ '^[abc]$';

-- Errors
\set VERBOSITY terse
CALL modseq.compact_all('-1 day');
\echo :SQLSTATE
CALL modseq.compact_all(changes_older_than => NULL);
\echo :SQLSTATE
BEGIN;
CALL modseq.compact_all();
\echo :SQLSTATE
ROLLBACK;

DROP SCHEMA compact_all CASCADE;
DROP ROLE regress_modseq_all_1;
DROP ROLE regress_modseq_all_2;
DROP ROLE regress_modseq_all_3;
