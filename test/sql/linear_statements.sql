-- A long transaction of small statements: what each of them costs does not grow with how many there were before. Each
-- leaves a dead version of the counters' row, which nobody can remove yet. Counted are the blocks that are read.
\set ECHO errors
\getenv test PG_ABS_SRCDIR
\set linear :test /include/linear.sql
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

CREATE PROCEDURE loop(sql text, block boolean) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 2000 LOOP
		IF block THEN
			BEGIN
				EXECUTE sql USING i;
			EXCEPTION WHEN division_by_zero THEN
			END;
		ELSE
			EXECUTE sql USING i;
		END IF;
	END LOOP;
	ROLLBACK;
END
$$;
CREATE VIEW blocks AS
	SELECT sum(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read) AS n
	FROM pg_statio_user_tables
	WHERE relid IN ('mail_mailbox'::regclass, 'mail_vanished'::regclass);

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
\pset format unaligned
\pset tuples_only on
\set ECHO all

\set sql 'INSERT INTO mail (id, box_id) VALUES (10000 + $1, 1)'
\set limit 4
\i :linear
-- Several mailboxes in turn
\set sql 'INSERT INTO mail (id, box_id) VALUES (10000 + $1, 1 + $1 % 4)'
\set limit 4
\i :linear
\set sql 'UPDATE mail SET seen = true WHERE id = $1 + 1'
\set limit 4
\i :linear
\set sql 'INSERT INTO flag VALUES ($1 + 1, ''x'')'
\set limit 4
\i :linear
\set sql 'DELETE FROM mail WHERE id = $1 + 1'
\set limit 10
\i :linear
\set sql 'UPDATE mail SET gone = now() WHERE id = $1 + 1'
\set limit 10
\i :linear
\set sql 'UPDATE mail SET box_id = 2 WHERE id = $1 + 1'
\set limit 12
\i :linear
-- A UID that is handed out in vain vanishes
\set sql 'INSERT INTO mail (id, box_id) VALUES (1, 1), (10000 + $1, 1) ON CONFLICT DO NOTHING'
\set limit 10
\i :linear
-- Functions of ours
\set sql 'SELECT modseq.touch(''mail'', 1)'
\set limit 6
\i :linear
\set sql 'SELECT asked()'
\set limit 25
\i :linear
-- Messages that are taken out and put back, in one query or two
\set sql 'WITH d AS (DELETE FROM mail WHERE id = $1 + 1 RETURNING *) INSERT INTO mail SELECT d.* FROM d'
\set limit 13
\i :linear
\set sql 'SELECT put_back($1 + 1)'
\set limit 60
\i :linear

DROP SCHEMA linear_statements CASCADE;
