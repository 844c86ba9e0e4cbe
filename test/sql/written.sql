--
-- What a row says is what we wrote: a trigger or rule of others that puts old values back, or writes others, is an
-- error, for changes would be lost, or a UID used twice
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_written;
SET search_path = t_written;
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set failure :test /include/failure.sql
\i :failure
\pset format unaligned
\pset tuples_only on

-- A store that expunges by a column, or by DELETE; and one whose counters are in a table of their own
CREATE TABLE box (id bigint PRIMARY KEY, name text, locked boolean NOT NULL DEFAULT true, version int NOT NULL DEFAULT 0);
CREATE TABLE mail (
	id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean, deleted boolean,
	created_modseq bigint);
CREATE TABLE mail_flag (mail_id bigint REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'box', 'mail_flag', counters => 'mailbox', message_expunged => 'deleted');
INSERT INTO box (id, name) VALUES (1, 'INBOX'), (2, 'Archive');
INSERT INTO mail SELECT i, 1 FROM generate_series(1, 6) AS i;
UPDATE mail SET deleted = true WHERE id = 6;
DELETE FROM mail WHERE id = 5;

-- What is in the tables
CREATE FUNCTION everything() RETURNS text
LANGUAGE sql AS $$
	SELECT concat_ws(' ', (SELECT string_agg(m::text, ' ' ORDER BY m.id) FROM mail m),
		(SELECT string_agg(b::text, ' ' ORDER BY b.id) FROM box b),
		(SELECT string_agg(concat(v.id, v.modseq, v.uids), ' ' ORDER BY v.id, v.modseq) FROM mail_vanished v))
$$;

-- Does the mailbox know of all its messages, and of what vanished?
CREATE FUNCTION is_sound() RETURNS boolean
LANGUAGE sql AS $$
	SELECT bool_and((uid < uidnext AND modseq <= highestmodseq) IS TRUE)
	FROM (
		SELECT box_id AS id, uid, modseq FROM mail
		UNION ALL SELECT id, modseq.max(uids), modseq FROM mail_vanished
		UNION ALL SELECT id, 0, 0 FROM box) AS n LEFT JOIN box USING (id)
$$;

-- What becomes of each change by itself, which is undone; those with the same result in one row
CREATE FUNCTION each_change() RETURNS TABLE (changes text, result text)
LANGUAGE plpgsql AS $each$
DECLARE
	before CONSTANT text := everything();
BEGIN
	RETURN QUERY SELECT string_agg(c.change, ', ' ORDER BY c.nr), c.outcome
	FROM (
		SELECT nr, change, split_part(failure(format('DO %L', format($$
			BEGIN
				%s;
				RAISE '%%', CASE WHEN is_sound() THEN 'works' ELSE 'is lost' END USING ERRCODE = 'MS001';
			END$$, statement))), E'\n', 1) AS outcome
		FROM (VALUES
			(1, 'insert', 'INSERT INTO mail VALUES (8, 1)'),
			(2, 'upsert', 'INSERT INTO mail VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seen = mail.seen IS NOT TRUE'),
			(3, 'merge', 'MERGE INTO mail USING (VALUES (1), (8)) AS v (id) ON mail.id = v.id
				WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, box_id) VALUES (v.id, 1)'),
			(4, 'store', 'UPDATE mail SET seen = seen IS NOT TRUE WHERE id <= 2'),
			(5, 'flag rows', 'INSERT INTO mail_flag SELECT id, ''$A'' FROM mail WHERE id <= 2'),
			(6, 'soft delete', 'UPDATE mail SET deleted = true WHERE id = 1'),
			(7, 'undelete', 'UPDATE mail SET deleted = false WHERE id = 6'),
			(8, 'move', 'UPDATE mail SET box_id = 2 WHERE id = 1'),
			(9, 'delete', 'DELETE FROM mail WHERE id = 2'),
			(10, 'truncate', 'TRUNCATE mail CASCADE'),
			(11, 'touch', 'PERFORM modseq.touch(''mail'', 1)'),
			(12, 'reset', 'PERFORM modseq.reset_uidvalidity(''mail'', 1)'),
			(13, 'compact', 'PERFORM modseq.compact(''mail'', ''0'')'),
			(14, 'rename', 'UPDATE box SET id = 3 WHERE id = 1'),
			(15, 'remove', 'DELETE FROM mail; DELETE FROM box WHERE id = 1')) AS v (nr, change, statement)) AS c
	GROUP BY c.outcome ORDER BY min(c.nr);
	IF everything() <> before THEN
		RAISE 'something is left';
	END IF;
END $each$;
SELECT * FROM each_change();

--
-- Counters
--
-- A locked mailbox is not to be edited: its row is kept as it is
CREATE FUNCTION keep_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN old; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON box FOR EACH ROW WHEN (old.locked) EXECUTE FUNCTION keep_row();
SELECT * FROM each_change();
DROP TRIGGER keep ON box;
-- Only columns that are known may change
CREATE FUNCTION keep_counters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	new.uidvalidity := old.uidvalidity;
	new.uidnext := old.uidnext;
	new.highestmodseq := old.highestmodseq;
	RETURN new;
END $$;
CREATE TRIGGER zzz_keep BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION keep_counters();
SELECT * FROM each_change();
DROP TRIGGER zzz_keep ON box;
-- A rule that writes something else
CREATE RULE keep AS ON UPDATE TO box WHERE old.locked DO INSTEAD NOTHING;
SELECT * FROM each_change();
DROP RULE keep ON box;
-- A policy that hides the row from its owner does not hold for the bookkeeping
ALTER TABLE box ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON box USING (false);
SELECT * FROM each_change();
DROP POLICY nobody ON box;
ALTER TABLE box DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
-- What writes columns of its own, or our numbers higher, does no harm
CREATE FUNCTION count_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	new.version := old.version + 1;
	new.highestmodseq := new.highestmodseq + 10;
	RETURN new;
END $$;
CREATE TRIGGER versions BEFORE UPDATE ON box FOR EACH ROW EXECUTE FUNCTION count_versions();
SELECT * FROM each_change();
INSERT INTO mail VALUES (7, 1);
UPDATE mail SET seen = true WHERE id = 1;
SELECT id, version FROM box ORDER BY id;
SELECT mailbox, uidnext, highest, messages, vanished FROM checked_state('mail', 'id', 'uid', 'modseq');
DROP TRIGGER versions ON box;

--
-- Messages
--
-- Stamps
CREATE FUNCTION keep_modseq() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.modseq := old.modseq; RETURN new; END $$;
CREATE TRIGGER a_keep BEFORE UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION keep_modseq();
SELECT * FROM each_change();
ALTER TRIGGER a_keep ON mail RENAME TO zzz_keep;
SELECT * FROM each_change();
DROP TRIGGER zzz_keep ON mail;
-- (Not when it follows its mailbox: then it would break the foreign key.)
CREATE TRIGGER zzz_keep BEFORE UPDATE ON mail FOR EACH ROW WHEN (old.box_id = new.box_id) EXECUTE FUNCTION keep_row();
SELECT * FROM each_change();
DROP TRIGGER zzz_keep ON mail;
-- Numbers of its own
CREATE FUNCTION own_modseq() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.modseq := 1000; RETURN new; END $$;
CREATE TRIGGER zzz_own BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION own_modseq();
SELECT * FROM each_change();
DROP TRIGGER zzz_own ON mail;
CREATE FUNCTION own_uid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	new.uid := coalesce(tg_argv[0]::bigint, old.uid);
	RETURN new;
END $$;
-- One that is live, one that has vanished, one that is to come, and its old one
CREATE TRIGGER zzz_own BEFORE INSERT OR UPDATE ON mail FOR EACH ROW WHEN (new.id <> 3) EXECUTE FUNCTION own_uid(3);
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER zzz_own BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION own_uid(5);
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER zzz_own BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION own_uid(100);
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER zzz_own BEFORE UPDATE ON mail FOR EACH ROW WHEN (old.box_id = new.box_id) EXECUTE FUNCTION own_uid();
SELECT * FROM each_change();
DROP TRIGGER zzz_own ON mail;
CREATE FUNCTION own_created() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.created_modseq := 1; RETURN new; END $$;
CREATE TRIGGER zzz_own BEFORE INSERT OR UPDATE ON mail FOR EACH ROW EXECUTE FUNCTION own_created();
SELECT * FROM each_change();
DROP TRIGGER zzz_own ON mail;

--
-- Vanished UIDs
--
CREATE FUNCTION other_vanished() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE tg_argv[0]
		WHEN 'uids' THEN new.uids := '1000';
		WHEN 'modseq' THEN new.modseq := 1;
		WHEN 'id' THEN new.id := 2;
		WHEN 'nothing' THEN RETURN NULL;
		WHEN 'old' THEN RETURN old;
		WHEN 'after' THEN DELETE FROM t_written.mail_vanished WHERE id = new.id AND modseq = new.modseq;
	END CASE;
	RETURN new;
END $$;
CREATE TRIGGER other BEFORE INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('uids');
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER other BEFORE INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('modseq');
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER other BEFORE INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('id');
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER other AFTER INSERT ON mail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('after');
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE OR DELETE ON mail_vanished
	FOR EACH ROW EXECUTE FUNCTION other_vanished('nothing');
SELECT * FROM each_change();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON mail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('old');
SELECT * FROM each_change();
DROP TRIGGER other ON mail_vanished;
SELECT * FROM modseq.check('mail');

--
-- A partition, which has triggers of its own; and partitions that come
--
CREATE TABLE pbox (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
CREATE TABLE pbox1 PARTITION OF pbox FOR VALUES FROM (0) TO (10);
CREATE TABLE pmail (id bigint, box_id bigint NOT NULL REFERENCES pbox, seen boolean) PARTITION BY RANGE (id);
CREATE TABLE pmail1 PARTITION OF pmail FOR VALUES FROM (0) TO (10);
SELECT modseq.attach('pmail', 'pbox', counters => 'mailbox');
INSERT INTO pbox (id) VALUES (1);
INSERT INTO pmail VALUES (1, 1), (2, 1);
CREATE TRIGGER zzz_keep BEFORE UPDATE ON pbox1 FOR EACH ROW EXECUTE FUNCTION keep_counters();
SELECT failure('INSERT INTO pmail VALUES (3, 1)');
SELECT failure('UPDATE pmail SET seen = true WHERE id = 1');
SELECT failure('DELETE FROM pmail WHERE id = 1');
DROP TRIGGER zzz_keep ON pbox1;
CREATE TRIGGER zzz_keep BEFORE UPDATE ON pmail1 FOR EACH ROW EXECUTE FUNCTION keep_modseq();
SELECT failure('UPDATE pmail SET seen = true WHERE id = 1');
DROP TRIGGER zzz_keep ON pmail1;
SELECT * FROM state('pmail', 'id', 'uid', 'modseq');
CREATE TABLE pmail2 (LIKE pmail);
INSERT INTO pmail2 (id, box_id, uid, modseq) VALUES (11, 1, 1, 3), (12, 1, 2, 3);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER zzz_keep BEFORE UPDATE ON pmail2 FOR EACH ROW EXECUTE FUNCTION keep_row();
SELECT failure('ALTER TABLE pmail ATTACH PARTITION pmail2 FOR VALUES FROM (10) TO (20)');
CREATE TABLE pbox2 (LIKE pbox INCLUDING ALL);
INSERT INTO pbox2 (id) VALUES (11), (12);
CREATE TRIGGER zzz_keep BEFORE UPDATE ON pbox2 FOR EACH ROW EXECUTE FUNCTION keep_row();
SELECT failure('ALTER TABLE pbox ATTACH PARTITION pbox2 FOR VALUES FROM (10) TO (20)');
CREATE OR REPLACE TRIGGER zzz_keep BEFORE UPDATE ON pbox2 FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT failure('ALTER TABLE pbox ATTACH PARTITION pbox2 FOR VALUES FROM (10) TO (20)');
DROP TRIGGER zzz_keep ON pbox2;
SELECT failure('ALTER TABLE pbox ATTACH PARTITION pbox2 FOR VALUES FROM (10) TO (20)');
SELECT * FROM modseq.check('pmail');

--
-- Counters in a table of their own: its rows come, go and change with the mailboxes
--
CREATE TABLE folder (id bigint PRIMARY KEY);
CREATE TABLE counters (id bigint PRIMARY KEY);
CREATE TABLE letter (id bigint PRIMARY KEY, folder_id bigint NOT NULL, seen boolean);
INSERT INTO folder VALUES (1), (2);
SELECT modseq.attach('letter', 'counters', mailbox_source => 'folder', message_mailbox => '{folder_id}');
INSERT INTO letter VALUES (1, 1), (2, 1), (3, 2);
CREATE TRIGGER zzz_keep BEFORE UPDATE ON counters FOR EACH ROW EXECUTE FUNCTION keep_row();
SELECT failure('INSERT INTO letter VALUES (4, 1)');
SELECT failure('UPDATE letter SET seen = true WHERE id = 1');
SELECT failure('DELETE FROM letter WHERE id = 1');
SELECT failure('UPDATE folder SET id = 3 WHERE id = 1');
CREATE OR REPLACE TRIGGER zzz_keep BEFORE INSERT OR UPDATE OR DELETE ON counters FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT failure('INSERT INTO folder VALUES (3)');
SELECT failure('WITH f AS (INSERT INTO folder VALUES (3) RETURNING id) INSERT INTO letter SELECT 4, id FROM f');
SELECT failure('UPDATE folder SET id = 3 WHERE id = 1');
SELECT failure('DELETE FROM folder WHERE id = 2');
DROP TRIGGER zzz_keep ON counters;
SELECT * FROM state('letter', 'id', 'uid', 'modseq');
SELECT * FROM modseq.check('letter');

--
-- Counters in a table of ours: what is remembered of mailboxes that are gone, and brought back
--
CREATE TABLE crate (id bigint PRIMARY KEY);
CREATE TABLE item (id bigint PRIMARY KEY, crate_id bigint NOT NULL, seen boolean);
INSERT INTO crate VALUES (1), (2), (3), (4);
SELECT modseq.attach('item', 'crate', message_mailbox => '{crate_id}');
INSERT INTO item VALUES (1, 1), (2, 1), (3, 2), (4, 4);
DELETE FROM item WHERE id = 2;
DELETE FROM crate WHERE id = 4;
CREATE FUNCTION each_crate() RETURNS TABLE (command text, result text)
LANGUAGE sql AS $$
	SELECT c, split_part(failure(format('DO %L', format('BEGIN %s; RAISE ''works'' USING ERRCODE = ''MS001''; END', c))), E'\n', 1)
	FROM unnest(ARRAY['DELETE FROM crate WHERE id = 1', 'DELETE FROM crate WHERE id = 3', 'TRUNCATE crate',
		'INSERT INTO crate VALUES (4)', 'UPDATE crate SET id = 4 WHERE id = 2', 'UPDATE crate SET id = 5 WHERE id = 1']) AS c
$$;
SELECT * FROM each_crate();
-- The row is kept as it is; the change is suppressed; the row is not deleted
CREATE TRIGGER other BEFORE UPDATE ON item_mailbox FOR EACH ROW EXECUTE FUNCTION keep_row();
SELECT * FROM each_crate();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_mailbox FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT * FROM each_crate();
CREATE OR REPLACE TRIGGER other BEFORE DELETE ON item_mailbox FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT * FROM each_crate();
-- A single column is: when it goes or comes back, the numbers, UIDVALIDITY, and the key
CREATE FUNCTION keep_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE tg_argv[0]
		WHEN 'gone_at' THEN new.gone_at := old.gone_at;
		WHEN 'uidnext' THEN new.uidnext := old.uidnext;
		WHEN 'highestmodseq' THEN new.highestmodseq := old.highestmodseq;
		WHEN 'uidvalidity' THEN new.uidvalidity := old.uidvalidity;
		WHEN 'id' THEN new.id := new.id + 100;
	END CASE;
	RETURN new;
END $$;
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_mailbox FOR EACH ROW EXECUTE FUNCTION keep_column('gone_at');
SELECT * FROM each_crate();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_mailbox FOR EACH ROW EXECUTE FUNCTION keep_column('uidvalidity');
SELECT * FROM each_crate();
INSERT INTO crate VALUES (6);
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_mailbox FOR EACH ROW EXECUTE FUNCTION keep_column('uidnext');
SELECT failure('UPDATE crate SET id = 4 WHERE id = 6');
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_mailbox FOR EACH ROW EXECUTE FUNCTION keep_column('highestmodseq');
SELECT failure('UPDATE crate SET id = 4 WHERE id = 6');
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_mailbox FOR EACH ROW WHEN (new.id <> old.id) EXECUTE FUNCTION keep_column('id');
SELECT * FROM each_crate();
DROP TRIGGER other ON item_mailbox;

-- Vanished UIDs that go along, or are recalled: others, none, or more of them
CREATE FUNCTION each_vanished() RETURNS TABLE (command text, result text)
LANGUAGE sql AS $$
	SELECT c, split_part(failure(format('DO %L', format('BEGIN %s; RAISE ''works'' USING ERRCODE = ''MS001''; END', c))), E'\n', 1)
	FROM unnest(ARRAY['UPDATE crate SET id = 5 WHERE id = 1',
		'UPDATE item_mailbox SET uidnext = uidnext + 2 WHERE id = 1; INSERT INTO item (id, crate_id, uid) VALUES (10, 1, 3)',
		'UPDATE item_mailbox SET uidnext = uidnext + 1 WHERE id = 1; INSERT INTO item (id, crate_id, uid) VALUES (10, 1, 3)']) AS c
$$;
SELECT * FROM each_vanished();
CREATE TRIGGER other BEFORE UPDATE ON item_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('uids');
SELECT * FROM each_vanished();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('modseq');
SELECT * FROM each_vanished();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE OR DELETE ON item_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('nothing');
SELECT * FROM each_vanished();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE ON item_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('old');
SELECT * FROM each_vanished();
CREATE FUNCTION drop_vanished() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM t_written.item_vanished; RETURN NULL; END';
CREATE OR REPLACE TRIGGER other AFTER UPDATE ON item_vanished FOR EACH ROW EXECUTE FUNCTION drop_vanished();
SELECT * FROM each_vanished();
DROP TRIGGER other ON item_vanished;
SELECT * FROM state('item', 'id', 'uid', 'modseq');
SELECT * FROM modseq.check('item');

-- Mailboxes that all go, or with a partition: what vanished is forgotten, or remembered where messages can stay
CREATE TABLE rbox (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE rbox1 PARTITION OF rbox FOR VALUES FROM (0) TO (10);
CREATE TABLE rmail (id bigint PRIMARY KEY, box_id bigint NOT NULL, seen boolean);
SELECT modseq.attach('rmail', 'rbox', counters => 'mailbox', message_mailbox => '{box_id}');
INSERT INTO rbox (id) VALUES (1), (2);
INSERT INTO rmail VALUES (1, 1), (2, 1), (3, 2);
DELETE FROM rmail WHERE id = 2;
CREATE FUNCTION each_table() RETURNS TABLE (command text, result text)
LANGUAGE sql AS $$
	SELECT c, split_part(failure(c || '; DO $x$BEGIN RAISE ''works'' USING ERRCODE = ''MS001''; END$x$'), E'\n', 1)
	FROM unnest(ARRAY['TRUNCATE rbox CASCADE', 'ALTER TABLE rbox DETACH PARTITION rbox1', 'DELETE FROM rbox']) AS c
$$;
SELECT * FROM each_table();
CREATE TRIGGER other BEFORE INSERT ON rmail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('uids');
SELECT * FROM each_table();
CREATE OR REPLACE TRIGGER other BEFORE INSERT ON rmail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('nothing');
SELECT * FROM each_table();
CREATE OR REPLACE TRIGGER other BEFORE UPDATE OR DELETE ON rmail_vanished FOR EACH ROW EXECUTE FUNCTION other_vanished('nothing');
SELECT * FROM each_table();
DELETE FROM rmail;
ALTER TABLE rmail ADD FOREIGN KEY (box_id) REFERENCES rbox ON DELETE CASCADE;
SELECT * FROM each_table();
DROP TRIGGER other ON rmail_vanished;
SELECT * FROM each_table();

DROP SCHEMA t_written CASCADE;
