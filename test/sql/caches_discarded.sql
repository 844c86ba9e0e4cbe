--
-- Each kind of statement while PostgreSQL forgets all that it has cached wherever it may, if it is one that can, and
-- modseq_test.discard_caches asks for it: test/instrumented does. It takes minutes then
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_discarded;
SET search_path = t_discarded;

CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (
	id int PRIMARY KEY,
	box_id int NOT NULL REFERENCES box ON UPDATE CASCADE ON DELETE CASCADE,
	seen boolean NOT NULL DEFAULT false,
	gone boolean NOT NULL DEFAULT false);
CREATE TABLE flag (mail_id int REFERENCES mail ON DELETE CASCADE, name text, PRIMARY KEY (mail_id, name));
SELECT modseq.attach('mail', 'box', 'flag', message_flags => '{seen}', message_expunged => 'gone');
INSERT INTO box (id) VALUES (1), (2);
INSERT INTO mail SELECT i, 1 + i % 2 FROM generate_series(1, 6) AS i;

SELECT count(set_config('debug_discard_caches', '1', false)) <= 1 AS discard FROM pg_settings
WHERE name = 'debug_discard_caches' AND max_val::int > 0 AND current_setting('modseq_test.discard_caches', true) = 'on';
INSERT INTO mail VALUES (11, 1), (12, 2);
UPDATE mail SET seen = true WHERE id IN (1, 2);
INSERT INTO flag VALUES (3, 'x'), (4, 'x');
DELETE FROM mail WHERE id = 1;
UPDATE mail SET box_id = 2 WHERE id = 2;
UPDATE mail SET gone = true WHERE id = 3;
UPDATE mail SET gone = false WHERE id = 3;
WITH gone AS (DELETE FROM mail WHERE id = 4 RETURNING *) INSERT INTO mail SELECT * FROM gone;
UPDATE box SET id = 3 WHERE id = 2;
DO $$
BEGIN
	INSERT INTO mail VALUES (21, 1);
	RAISE 'undo this';
EXCEPTION WHEN raise_exception THEN
	UPDATE mail SET seen = NOT seen WHERE id = 5;
END $$;
SELECT verdict, uidnext, highestmodseq, vanished, changed
FROM modseq.resync('mail', 1, (SELECT uidvalidity FROM modseq.status('mail', 1)), 1);
SELECT modseq.live_uids('mail', 3), modseq.vanished_since('mail', 3, 1);
SELECT * FROM modseq.unchanged_since('mail', 1, '1:9', 3);
DELETE FROM box WHERE id = 1;
SET debug_discard_caches = 0;

SELECT box_id, uid, modseq, seen, gone FROM mail ORDER BY 1, 2;
SELECT id, modseq, uids FROM mail_vanished ORDER BY 1, 2;
SELECT * FROM modseq.check('mail');
SET client_min_messages = warning;
DROP SCHEMA t_discarded CASCADE;
