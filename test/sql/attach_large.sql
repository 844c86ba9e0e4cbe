--
-- attach() onto a large table, prepared so that it has little left to do
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE TABLE box (id bigint PRIMARY KEY, uidnext bigint);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box, uid bigint NOT NULL, seen boolean DEFAULT false);
INSERT INTO box SELECT i, 1001 FROM generate_series(1, 10) AS i;
INSERT INTO mail SELECT i, i % 10 + 1, i / 10 + 1 FROM generate_series(0, 9999) AS i;

-- What docs/attach.md tells to do beforehand
ALTER TABLE mail ADD COLUMN modseq bigint NOT NULL DEFAULT 1;
ALTER TABLE box ADD COLUMN uidvalidity bigint NOT NULL DEFAULT modseq.next_uidvalidity(), ADD COLUMN highestmodseq bigint NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX CONCURRENTLY mail_box_uid ON mail (box_id, uid);
CREATE INDEX CONCURRENTLY mail_box_modseq ON mail (box_id, modseq);

-- The tables' files, rows and indexes, as they are
CREATE VIEW files AS
	SELECT relname, pg_relation_filenode(oid) AS filenode
	FROM pg_class WHERE relname ~ '^(box|mail)' AND relname !~ 'vanished' AND relkind IN ('r', 'i');
CREATE VIEW rows AS
	SELECT 'mail' AS relation, id, xmin::text AS version, ctid AS place FROM mail
	UNION ALL SELECT 'box', id, xmin::text, ctid FROM box;
CREATE TABLE files_before AS TABLE files;
CREATE TABLE rows_before AS TABLE rows;

-- Writers wait, readers do not, and no row, index or file is written anew
BEGIN;
SELECT modseq.attach('mail', 'box');
SELECT relation::regclass, array_agg(mode ORDER BY mode) FILTER (WHERE mode ~ 'Exclusive') AS modes
	FROM pg_locks WHERE locktype = 'relation' AND pid = pg_backend_pid() AND relation IN ('mail'::regclass, 'box'::regclass)
	GROUP BY relation ORDER BY relation;
COMMIT;
SELECT count(*) AS files_changed FROM (TABLE files EXCEPT TABLE files_before) AS changed;
SELECT count(*) AS rows_written FROM (TABLE rows EXCEPT TABLE rows_before) AS changed;
SELECT count(*) AS problems FROM modseq.check('mail');

-- It works, and so it does when it is attached again
UPDATE mail SET seen = true WHERE id = 5;
TRUNCATE rows_before;
INSERT INTO rows_before TABLE rows;
SELECT modseq.attach('mail', 'box');
SELECT * FROM modseq.changed_since('mail', 6, 1);
SELECT count(*) AS files_changed FROM (TABLE files EXCEPT TABLE files_before) AS changed;
SELECT count(*) AS rows_written FROM (TABLE rows EXCEPT TABLE rows_before) AS changed;

-- A store that was torn to pieces is repaired: only what is missing is made
DROP INDEX mail_box_modseq;
DROP TRIGGER modseq_collect ON mail;
DROP TRIGGER "AA_modseq_mailbox" ON box;
DELETE FROM mail WHERE id = 15;
SELECT problem FROM modseq.check('mail') ORDER BY problem COLLATE "C";
SELECT modseq.attach('mail', 'box');
SELECT * FROM modseq.check('mail');
SELECT modseq.vanished_since('mail', 6, 2);
SELECT relname FROM (TABLE files EXCEPT TABLE files_before) AS changed;

DROP VIEW files, rows;
DROP TABLE files_before, rows_before, mail, mail_vanished, box;
