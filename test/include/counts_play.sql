--
-- Each kind of statement that changes how many messages a mailbox has: tables "box" and "mail" are there
--
INSERT INTO box (id) VALUES (1), (2), (3);
INSERT INTO mail (id, box_id, octets, seen, flags) VALUES (1, 1, 10, true, NULL), (2, 1, 20, false, '{\\Deleted,a}'), (3, 2, 30, NULL, '{}');
COPY mail (id, box_id, octets, seen, flags, gone) FROM stdin;
4	1	40	t	{b,"\\\\Deleted"}	\N
5	2	\N	f	\N	\N
6	3	60	f	{"\\\\Deleted"}	t
\.
:counted

-- Flags and sizes, one by one and in all mailboxes; and what changes nothing
UPDATE mail SET seen = false WHERE id = 1;
UPDATE mail SET flags = flags || '{"\\Deleted"}' WHERE id IN (1, 2);
UPDATE mail SET octets = coalesce(octets, 0) + 100, seen = seen IS NOT TRUE;
UPDATE mail SET flags = '{\\deleted,a,NULL,\\Deleted2}' WHERE id = 4;
UPDATE mail SET seen = seen, octets = octets;
:counted
-- A size alone is no change to clients
SELECT highestmodseq AS h FROM modseq.status('mail', 2) \gset
UPDATE mail SET octets = 31 WHERE id = 3;
SELECT highestmodseq = :h AS same FROM modseq.status('mail', 2);
:counted

-- Moves, new UIDs, and both with flags; to where they are
UPDATE mail SET box_id = 3 WHERE id IN (1, 3);
UPDATE mail SET box_id = 3 - box_id, seen = seen IS NOT TRUE, octets = 1 WHERE box_id < 3;
UPDATE mail SET uid = NULL, flags = '{\\Deleted}' WHERE id = 1;
UPDATE mail SET box_id = box_id;
:counted

-- Soft delete, of what is moved at once; undelete; what is gone counts nowhere
UPDATE mail SET gone = true, seen = true WHERE id = 1;
UPDATE mail SET gone = true, box_id = 1 WHERE id = 3;
UPDATE mail SET gone = false WHERE id = 6;
UPDATE mail SET seen = false, octets = 7, box_id = 2 WHERE gone;
UPDATE mail SET gone = NULL, box_id = 1 WHERE id = 3;
DELETE FROM mail WHERE id IN (1, 5);
:counted

-- ON CONFLICT, MERGE, and several kinds in one query
INSERT INTO mail (id, box_id, octets) VALUES (2, 1, 2), (7, 1, 7) ON CONFLICT (id) DO NOTHING;
INSERT INTO mail (id, box_id, octets) VALUES (2, 1, 2), (8, 1, 8) ON CONFLICT (id) DO UPDATE SET octets = excluded.octets, seen = true;
MERGE INTO mail AS m USING (VALUES (2, 3), (3, 3), (7, 2), (9, 2)) AS s (id, box) ON m.id = s.id
WHEN MATCHED AND m.id = 3 THEN DELETE
WHEN MATCHED THEN UPDATE SET box_id = s.box, flags = '{\\Deleted}'
WHEN NOT MATCHED THEN INSERT (id, box_id, octets, seen) VALUES (s.id, s.box, 9, true);
:counted
WITH d AS (DELETE FROM mail WHERE id = 9 RETURNING *), u AS (UPDATE mail SET box_id = 1, seen = true WHERE id = 2)
INSERT INTO mail (id, box_id, octets, seen) SELECT 10, 3, d.octets, false FROM d;
-- Messages that are taken out and put back
BEGIN;
CREATE TEMP TABLE aside ON COMMIT DROP AS SELECT id, box_id, octets, seen, flags, uid FROM mail WHERE id IN (2, 4);
DELETE FROM mail WHERE id IN (2, 4);
:counted
INSERT INTO mail (id, box_id, octets, seen, flags, uid) SELECT * FROM aside;
COMMIT;
:counted

-- Savepoints
BEGIN;
UPDATE mail SET seen = NOT seen WHERE box_id = 1;
SAVEPOINT a;
INSERT INTO mail (id, box_id, octets) VALUES (11, 1, 11);
UPDATE mail SET box_id = 2 WHERE id = 4;
SAVEPOINT b;
DELETE FROM mail;
ROLLBACK TO b;
RELEASE a;
SAVEPOINT c;
UPDATE mail SET octets = 0;
:counted
ROLLBACK TO c;
UPDATE mail SET octets = octets + 1 WHERE id = 11;
COMMIT;
:counted
BEGIN;
DELETE FROM mail WHERE box_id = 1;
ROLLBACK;

-- Triggers of the application that cancel a row, change it, or change others, in a subtransaction that is rolled back or not
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_WHEN = 'BEFORE' THEN
		IF NEW.octets = 13 THEN RETURN NULL; END IF;
		NEW.octets := NEW.octets + 1000;
		RETURN NEW;
	END IF;
	BEGIN
		UPDATE mail SET seen = true, octets = 5 WHERE box_id = 2;
		INSERT INTO mail (id, box_id, octets) VALUES (NEW.id + 100, 3, 3) ON CONFLICT (id) DO UPDATE SET octets = mail.octets + 1;
		IF NEW.octets % 2 = 0 THEN RAISE 'undone'; END IF;
	EXCEPTION WHEN raise_exception THEN
		UPDATE mail SET flags = flags || '{"\\Deleted"}' WHERE box_id = 1;
	END;
	RETURN NULL;
END
$$;
CREATE TRIGGER a_meddle BEFORE INSERT OR UPDATE ON mail FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION meddle();
CREATE TRIGGER z_meddle AFTER INSERT OR UPDATE ON mail FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION meddle();
INSERT INTO mail (id, box_id, octets) VALUES (20, 1, 13), (21, 2, 21), (22, 2, 22);
UPDATE mail SET octets = octets + 1 WHERE id IN (21, 22);
DROP TRIGGER a_meddle ON mail;
DROP TRIGGER z_meddle ON mail;
DROP FUNCTION meddle;
:counted

-- All at once
INSERT INTO mail (id, box_id, octets, seen) SELECT 1000 + g, 1 + g % 3, g, g % 2 = 0 FROM generate_series(1, 1000) g;
UPDATE mail SET seen = seen IS NOT TRUE, octets = octets + 1 WHERE id > 1000;
UPDATE mail SET box_id = 1 + (box_id + id) % 3 WHERE id > 1500;
DELETE FROM mail WHERE id > 1000 AND id % 5 = 0;
:counted

-- In replica mode nothing is counted, check() says so, and attach() counts anew
SET session_replication_role = replica;
DELETE FROM mail WHERE id BETWEEN 1000 AND 1100;
UPDATE mail SET seen = true WHERE id BETWEEN 1000 AND 1200;
RESET session_replication_role;
SELECT problem FROM modseq.check('mail') WHERE problem LIKE 'count%' ORDER BY 1;
SELECT problem FROM modseq.check('mail', 3) WHERE problem LIKE 'count%' ORDER BY 1;
SELECT modseq.attach('mail');
:counted

TRUNCATE mail;
:counted
