--
-- Vanished rows that are old fold as others are appended, and nothing is forgotten
--
\set ON_ERROR_STOP 0
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA fold;
SET search_path = fold, modseq;

CREATE TABLE mailbox (id int PRIMARY KEY);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mailbox_id int NOT NULL REFERENCES mailbox ON UPDATE CASCADE);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{}', vanished_keep => '0');
INSERT INTO mailbox SELECT generate_series(1, 12);

-- What has vanished, when, as no table of modseq says
CREATE TABLE told (mailbox_id int, modseq bigint, uid bigint);

-- n messages, each expunged by a statement of its own, in random order; in transactions of their own, or in one
CREATE PROCEDURE expunge(mailbox int, n int, apart boolean DEFAULT true) LANGUAGE plpgsql AS $$
DECLARE
	i int;
BEGIN
	FOR i IN SELECT id FROM mail WHERE mailbox_id = mailbox ORDER BY md5(id::text) LIMIT n LOOP
		WITH gone AS (
			DELETE FROM mail WHERE id = i RETURNING uid)
		INSERT INTO told SELECT mailbox, NULL, uid FROM gone;
		UPDATE told SET modseq = s.highestmodseq FROM modseq.status('mail', mailbox) AS s
		WHERE mailbox_id = mailbox AND told.modseq IS NULL;
		IF apart THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;

-- Of each mod-sequence the answer has all that has vanished since, and nothing that is live; from the last folded row on
-- it is exact
CREATE FUNCTION wrong(mailbox int) RETURNS TABLE (since bigint, missing modseq.uidset, live modseq.uidset, inexact boolean)
LANGUAGE sql AS $$
	WITH answer AS MATERIALIZED (
		SELECT since, modseq.vanished_since('mail', mailbox, since) AS uids
		FROM (SELECT modseq FROM told WHERE mailbox_id = mailbox AND modseq % 7 = 0 UNION SELECT 0) AS t (since)),
	due AS MATERIALIZED (
		SELECT a.since, coalesce(modseq.uidset_agg(t.uid), '') AS uids
		FROM answer a LEFT JOIN told t ON t.mailbox_id = mailbox AND t.modseq > a.since
		GROUP BY a.since)
	SELECT since, due.uids - a.uids, m.uids * a.uids,
		a.uids <> due.uids AND since >= (
			SELECT max(modseq) FROM mail_vanished WHERE id = mailbox AND modseq.cardinality(uids) > 1)
	FROM answer a JOIN due USING (since),
		(SELECT coalesce(modseq.uidset_agg(uid), '') FROM mail WHERE mailbox_id = mailbox) AS m (uids)
	WHERE due.uids - a.uids <> '' OR m.uids * a.uids <> '' OR a.uids <> due.uids AND since >= (
			SELECT max(modseq) FROM mail_vanished WHERE id = mailbox AND modseq.cardinality(uids) > 1)
	ORDER BY since
$$;

-- However many are expunged one by one, the rows stay few, and without any call
INSERT INTO mail (mailbox_id) SELECT 1 FROM generate_series(1, 1000);
CALL expunge(1, 700);
SELECT count(*) <= 200 AS few, sum(cardinality(uids)) FROM mail_vanished WHERE id = 1;
SELECT * FROM wrong(1);
SELECT * FROM modseq.check('mail');

-- What is kept is kept: of 30 days nothing folds, and of what is older, what is older
SELECT modseq.attach('mail', reset => '{vanished_keep}');
INSERT INTO mail (mailbox_id) SELECT 2 FROM generate_series(1, 500);
CALL expunge(2, 300);
SELECT count(*) FROM mail_vanished WHERE id = 2;
UPDATE mail_vanished SET vanished_at = vanished_at - CASE WHEN modseq <= 102 THEN interval '31 days' ELSE '29 days' END WHERE id = 2;
CALL expunge(2, 100);
SELECT modseq, cardinality(uids) FROM mail_vanished WHERE id = 2 ORDER BY modseq LIMIT 2;
SELECT count(*) FROM mail_vanished WHERE id = 2;
SELECT * FROM wrong(2);
-- A row whose clock was wrong is folded with those above it
UPDATE mail_vanished SET vanished_at = vanished_at + CASE WHEN modseq = 110 THEN interval '1 year' ELSE '-2 days' END
WHERE id = 2 AND modseq BETWEEN 103 AND 120;
CALL expunge(2, 100);
SELECT modseq, cardinality(uids) FROM mail_vanished WHERE id = 2 ORDER BY modseq LIMIT 2;
SELECT * FROM wrong(2);

-- Another retention is one from then on; a thousand years are for ever
SELECT modseq.attach('mail', vanished_keep => '1000 years');
SELECT vanished_keep FROM modseq.stores WHERE message = 'mail'::regclass;
UPDATE mail_vanished SET vanished_at = vanished_at - interval '999 years' WHERE id = 2;
INSERT INTO mail (mailbox_id) SELECT 2 FROM generate_series(1, 300);
CREATE TEMP TABLE before AS SELECT count(*) AS n FROM mail_vanished WHERE id = 2;
CALL expunge(2, 100);
SELECT count(*) - n AS appended FROM mail_vanished, before WHERE id = 2 GROUP BY n;
SELECT modseq.attach('mail', vanished_keep => '0');
CALL expunge(2, 100);
SELECT count(*) < n AS fewer FROM mail_vanished, before WHERE id = 2 GROUP BY n;
SELECT * FROM wrong(2);

-- Many that are there already are folded bit by bit, each time a bounded number
INSERT INTO mail (mailbox_id) SELECT 3 FROM generate_series(1, 3000);
CALL expunge(3, 500, apart => false);
SELECT count(*) FROM mail_vanished WHERE id = 3;
CALL expunge(3, 100);
SELECT count(*) BETWEEN 300 AND 500 AS some FROM mail_vanished WHERE id = 3;
CALL expunge(3, 900);
SELECT count(*) <= 200 AS few FROM mail_vanished WHERE id = 3;
SELECT * FROM wrong(3);

-- What is large is not written again for little: what was folded are several rows, the larger the older
SELECT bool_and(size >= next) AS descending, count(*) > 1 AS several
FROM (
	SELECT pg_column_size(uids) AS size, lead(pg_column_size(uids)) OVER (ORDER BY modseq) AS next
	FROM mail_vanished WHERE id = 3 AND cardinality(uids) > 1) AS r;

-- Not what the transaction itself has written, of which messages come back
INSERT INTO mail (mailbox_id) SELECT 4 FROM generate_series(1, 300);
BEGIN;
CREATE TEMP TABLE out ON COMMIT DROP AS SELECT id, mailbox_id, uid FROM mail WHERE mailbox_id = 4 AND uid <= 10;
CALL expunge(4, 300, apart => false);
SELECT count(*) FROM mail_vanished WHERE id = 4;
INSERT INTO mail (id, mailbox_id, uid) OVERRIDING SYSTEM VALUE SELECT * FROM out;
DELETE FROM told USING out WHERE told.mailbox_id = 4 AND told.uid = out.uid;
COMMIT;
SELECT count(*) FROM mail_vanished WHERE id = 4;
SELECT * FROM wrong(4);
SELECT * FROM modseq.check('mail', 4);

-- In a savepoint that is rolled back nothing was folded
INSERT INTO mail (mailbox_id) SELECT 5 FROM generate_series(1, 300);
CALL expunge(5, 40, apart => false);
BEGIN;
SAVEPOINT s;
CALL expunge(5, 100, apart => false);
SELECT count(*) FROM mail_vanished WHERE id = 5;
ROLLBACK TO s;
SELECT count(*) FROM mail_vanished WHERE id = 5;
CALL expunge(5, 100, apart => false);
COMMIT;
SELECT count(*) FROM mail_vanished WHERE id = 5;
SELECT * FROM wrong(5);

-- In REPEATABLE READ, too; in SERIALIZABLE not
INSERT INTO mail (mailbox_id) SELECT i FROM generate_series(6, 7) i, generate_series(1, 300);
CALL expunge(6, 40, apart => false);
CALL expunge(7, 40, apart => false);
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL expunge(6, 100, apart => false);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
CALL expunge(7, 100, apart => false);
COMMIT;
SELECT id, count(*) FROM mail_vanished WHERE id IN (6, 7) GROUP BY id ORDER BY id;
SELECT * FROM wrong(6);

-- There a row that somebody has changed since is an error to PostgreSQL; the statement does not fail, it does not fold
CREATE FUNCTION is_single(uids modseq.uidset) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF modseq.cardinality(uids) > 1 THEN
		RAISE 'somebody was here' USING ERRCODE = current_setting('fold.sqlstate');
	END IF;
	RETURN true;
END
$$;
ALTER TABLE mail_vanished ADD CONSTRAINT single CHECK (is_single(uids)) NOT VALID;
SET fold.sqlstate = '40001';
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL expunge(7, 100, apart => false);
COMMIT;
SELECT count(*) FROM mail_vanished WHERE id = 7;
SELECT * FROM wrong(7);
SELECT * FROM modseq.check('mail');
-- Another error is one
SET fold.sqlstate = '22000';
\set VERBOSITY terse
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL expunge(7, 60, apart => false);
ROLLBACK;
\set VERBOSITY default
ALTER TABLE mail_vanished DROP CONSTRAINT single;

-- What was lost with another incarnation is told for ever
INSERT INTO mail (mailbox_id) SELECT 8 FROM generate_series(1, 300);
CALL expunge(8, 40, apart => false);
UPDATE mail_vanished SET lost = modseq - 1, lost_uids = '' WHERE id = 8 AND modseq = 12;
CALL expunge(8, 100);
SELECT modseq, cardinality(uids), lost FROM mail_vanished WHERE id = 8 AND (lost IS NOT NULL OR cardinality(uids) > 1);
-- ... and however often that has been, the others fold
INSERT INTO mail (mailbox_id) SELECT 12 FROM generate_series(1, 600);
CALL expunge(12, 150, apart => false);
UPDATE mail_vanished SET lost = modseq - 1, lost_uids = '' WHERE id = 12;
CALL expunge(12, 300);
SELECT count(*) FILTER (WHERE lost IS NOT NULL) AS lost, count(*) FILTER (WHERE lost IS NULL) <= 150 AS few FROM mail_vanished WHERE id = 12;

-- As the owner: whoever may delete messages has no right to the table, and no policy is in the way
CREATE ROLE regress_modseq_fold;
GRANT USAGE ON SCHEMA fold, modseq TO regress_modseq_fold;
GRANT SELECT ON mailbox TO regress_modseq_fold;
GRANT SELECT, DELETE ON mail TO regress_modseq_fold;
GRANT ALL ON told TO regress_modseq_fold;
INSERT INTO mail (mailbox_id) SELECT 9 FROM generate_series(1, 300);
CALL expunge(9, 40, apart => false);
ALTER TABLE mail_vanished ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE regress_modseq_fold;
CALL expunge(9, 100, apart => false);
RESET ROLE;
ALTER TABLE mail_vanished DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM mail_vanished WHERE id = 9;

-- Where a trigger of others could change what is written, only compact() folds, which says so
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE UPDATE ON mail_vanished FOR EACH ROW EXECUTE FUNCTION nothing();
CALL expunge(9, 100, apart => false);
SELECT count(*) FROM mail_vanished WHERE id = 9;
DROP TRIGGER t ON mail_vanished;

-- A mailbox has its rows under whatever key
INSERT INTO mail (mailbox_id) SELECT 10 FROM generate_series(1, 300);
CALL expunge(10, 40, apart => false);
BEGIN;
UPDATE mailbox SET id = 110 WHERE id = 10;
UPDATE told SET mailbox_id = 110 WHERE mailbox_id = 10;
CALL expunge(110, 100, apart => false);
COMMIT;
SELECT id, count(*) FROM mail_vanished WHERE id IN (10, 110) GROUP BY id;
SELECT * FROM wrong(110);
SELECT * FROM modseq.check('mail', 110);

-- Rows that say what changed, too, stay for that
SELECT modseq.attach('mail', changes => 'log');
INSERT INTO mail (mailbox_id) SELECT 11 FROM generate_series(1, 400);
CALL expunge(11, 100);
DO $$
BEGIN
	FOR i IN 1 .. 40 LOOP
		UPDATE mail SET id = DEFAULT WHERE id = (SELECT max(id) FROM mail WHERE mailbox_id = 11);
		CALL expunge(11, 5);
	END LOOP;
END
$$;
SELECT count(*) <= 200 AS few FROM mail_vanished WHERE id = 11 AND uids <> '';
SELECT * FROM wrong(11);
SELECT * FROM modseq.check('mail', 11);
-- However many say nothing but that, the others fold
INSERT INTO mailbox VALUES (13);
INSERT INTO mail (mailbox_id) SELECT 13 FROM generate_series(1, 600);
CALL expunge(13, 150, apart => false);
UPDATE mail_vanished SET uids = '', changed = '1' WHERE id = 13;
CALL expunge(13, 300);
SELECT count(*) FILTER (WHERE uids = '') AS changes, count(*) FILTER (WHERE uids <> '') <= 150 AS few FROM mail_vanished WHERE id = 13;

-- One statement in 64 folds, and no more than 128 rows
SELECT modseq.attach('mail', changes => 'index');
CREATE TABLE counted (n int, rows bigint);
CREATE PROCEDURE expunge_and_count(mailbox int, n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		DELETE FROM mail WHERE id = (SELECT min(id) FROM mail WHERE mailbox_id = mailbox);
		INSERT INTO counted SELECT i, count(*) FROM mail_vanished WHERE id = mailbox;
	END LOOP;
END
$$;
INSERT INTO mailbox SELECT generate_series(14, 16);
INSERT INTO mail (mailbox_id) SELECT 14 FROM generate_series(1, 3000);
CALL expunge(14, 2300, apart => false);
CALL expunge_and_count(14, 640);
SELECT count(*) FILTER (WHERE rows < before) BETWEEN 8 AND 12 AS one_in_64, max(before - rows) AS fewer
FROM (SELECT rows, lag(rows) OVER (ORDER BY n) AS before FROM counted) AS c;

-- While what was folded is still in the way, as it is until the transaction is over, it ends after some looks
INSERT INTO mail (mailbox_id) SELECT 15 FROM generate_series(1, 3000);
CALL expunge(15, 2300, apart => false);
BEGIN;
CALL expunge_and_count(15, 640);
COMMIT;
-- The 2300, and 640 of its own
SELECT count(*) - 640 BETWEEN 1250 AND 1500 AS rest FROM mail_vanished WHERE id = 15;

-- A look ends with the first rows that are to be kept
SELECT modseq.attach('mail', reset => '{vanished_keep}');
INSERT INTO mail (mailbox_id) SELECT 16 FROM generate_series(1, 1000);
CALL expunge(16, 300, apart => false);
BEGIN;
CREATE TEMP TABLE fetched AS SELECT idx_tup_fetch AS n FROM pg_stat_xact_user_tables WHERE relid = 'mail_vanished'::regclass;
CALL expunge(16, 640, apart => false);
SELECT idx_tup_fetch - n BETWEEN 8 * 16 AND 12 * 17 AS sixteen FROM pg_stat_xact_user_tables, fetched WHERE relid = 'mail_vanished'::regclass;
COMMIT;

-- An option that attach() has not written is an error of that store
SELECT modseq.attach('mail', vanished_keep => '-1 day');
SELECT vanished_keep, modseq_internal.interval_as_seconds(vanished_keep)
FROM unnest('{0,0.25,1 hour,30 days,1 mon,1 year,1000 years,2000 years}'::interval[]) AS k (given),
	LATERAL (SELECT modseq_internal.seconds_as_interval(modseq_internal.interval_as_seconds(given))) AS s (vanished_keep);

DROP SCHEMA fold CASCADE;
DROP OWNED BY regress_modseq_fold;
DROP ROLE regress_modseq_fold;
