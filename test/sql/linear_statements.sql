-- A long transaction of small statements: what each of them costs does not grow with how many there were before. Each
-- leaves a dead version of the counters' row, which nobody can remove yet. Counted are the blocks that are read.
\set ECHO errors
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA linear_statements;
SET search_path = linear_statements;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (
	id int PRIMARY KEY,
	box_id int NOT NULL REFERENCES box ON DELETE CASCADE,
	uid bigint,
	modseq bigint,
	seen boolean NOT NULL DEFAULT false,
	gone timestamptz
);
CREATE TABLE flag (mail_id int REFERENCES mail ON DELETE CASCADE, name text, PRIMARY KEY (mail_id, name));
SELECT modseq.attach('mail', 'box', 'flag', message_flags => '{seen}', message_expunged => 'gone');
INSERT INTO box SELECT generate_series(1, 5);
INSERT INTO mail (id, box_id) SELECT i, 1 FROM generate_series(1, 3000) AS i;

CREATE FUNCTION loop(sql text, n int, block boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		IF block THEN
			BEGIN
				EXECUTE sql USING i;
			EXCEPTION WHEN division_by_zero THEN
			END;
		ELSE
			EXECUTE sql USING i;
		END IF;
	END LOOP;
END
$$;
-- Once before, so that the catalogs are read and the plans made
CREATE FUNCTION blocks(sql text, n int, block boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE sql USING 0;
	EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT loop(%L, %s, %L)', sql, n, block) INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END
$$;
-- So often in one transaction, without and with an EXCEPTION block around each; $1 is its number
CREATE PROCEDURE linear(sql text, INOUT plain text DEFAULT NULL, INOUT blocks text DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
	block boolean;
	few bigint;
	many bigint;
	result text;
BEGIN
	FOREACH block IN ARRAY ARRAY[false, true] LOOP
		few := blocks(sql, 300, block);
		ROLLBACK;
		many := blocks(sql, 2400, block);
		ROLLBACK;
		result := CASE WHEN many / 2400.0 < 1.25 * few / 300.0 + 1 THEN 'linear' ELSE format('%s, %s', few, many) END;
		IF block THEN blocks := result; ELSE plain := result; END IF;
	END LOOP;
END
$$;

-- One function that counts, and then all that tell of it, each by a snapshot of its own
CREATE FUNCTION asked() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	value bigint := modseq.touch('mail', 1);
BEGIN
	PERFORM modseq.lock('mail', 1);
	PERFORM modseq.status('mail', 1);
	PERFORM modseq.resync('mail', 1, 1, value);
	PERFORM modseq.changed_since('mail', 1, value);
	PERFORM modseq.vanished_since('mail', 1, value);
	PERFORM modseq.unchanged_since('mail', 1, '1', value);
END
$$;
CREATE FUNCTION put_back(wanted int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	message mail;
BEGIN
	DELETE FROM mail WHERE id = wanted RETURNING * INTO message;
	INSERT INTO mail SELECT message.*;
END
$$;
\set ECHO all

CALL linear('INSERT INTO mail (id, box_id) VALUES (10000 + $1, 1)');
-- Several mailboxes in turn
CALL linear('INSERT INTO mail (id, box_id) VALUES (10000 + $1, 1 + $1 % 4)');
CALL linear('UPDATE mail SET seen = true WHERE id = $1 + 1');
CALL linear('INSERT INTO flag VALUES ($1 + 1, ''x'')');
CALL linear('DELETE FROM mail WHERE id = $1 + 1');
CALL linear('UPDATE mail SET gone = now() WHERE id = $1 + 1');
CALL linear('UPDATE mail SET box_id = 2 WHERE id = $1 + 1');
-- A UID that is handed out in vain vanishes
CALL linear('INSERT INTO mail (id, box_id) VALUES (1, 1), (10000 + $1, 1) ON CONFLICT DO NOTHING');
-- Functions of ours
CALL linear('SELECT modseq.touch(''mail'', 1)');
CALL linear('SELECT asked()');
-- Messages that are taken out and put back, in one query or two
CALL linear('WITH d AS (DELETE FROM mail WHERE id = $1 + 1 RETURNING *) INSERT INTO mail SELECT d.* FROM d');
CALL linear('SELECT put_back($1 + 1)');

DROP SCHEMA linear_statements CASCADE;
