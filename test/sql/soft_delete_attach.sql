--
-- attach() and check() with a column for soft delete: a flag becomes the column, another column does,
-- it goes, or its type changes
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_soft;
SET search_path = t_soft;
\set SHOW_CONTEXT never
CREATE TABLE box (id int PRIMARY KEY, name text);
CREATE TABLE msg (id int PRIMARY KEY, box_id int, deleted boolean, status text, hidden smallint, created_modseq bigint);
CREATE TABLE msg_flag (msg_id int, flag text, deleted boolean);
INSERT INTO box VALUES (1);
INSERT INTO msg SELECT i, 1, i % 2 = 0, 'x', i / 5 FROM generate_series(1, 6) AS i;
SELECT modseq.attach('msg', 'box', message_expunged => 'status');
SELECT modseq.attach('msg', 'box', message_expunged => 'nothing');
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted', message_flags => '{deleted}');
SELECT modseq.attach('msg', 'box', message_expunged => 'hidden', message_uid => 'hidden');
\set VERBOSITY terse
-- Messages without a UID get one, also if they are expunged; mod-sequences are new, so nothing has vanished
SELECT modseq.attach('msg', 'box');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
CREATE VIEW seen AS SELECT uidnext, highestmodseq, modseq.vanished_since('msg', 1, 0) AS vanished,
	(SELECT string_agg(format('%s %s:%s', uid, modseq, created_modseq), ', ' ORDER BY uid) FROM msg) AS messages,
	(SELECT modseq.uidset_agg(uid) FROM modseq.changed_since('msg', 1, 0)) AS live,
	(SELECT count(*) FROM modseq.check('msg')) AS broken
	FROM msg_mailbox;
TABLE seen;
-- A flag becomes the soft-delete column: what it says is expunged has gone
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
TABLE seen;
-- The same again, and after a repair: nothing happens
SELECT modseq.attach('msg', 'box');
TABLE seen;
-- Another column: what was expunged and is live now needs a UID of its own
SELECT modseq.attach('msg', 'box', message_expunged => 'hidden');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
TABLE seen;
-- A flag again, and no soft delete: the same. What came and went meanwhile is noticed
SELECT modseq.attach('msg', 'box', message_flags => '{hidden}');
SELECT message_flags, message_expunged FROM modseq.stores WHERE message = 'msg'::regclass;
TABLE seen;
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted');
TABLE seen;
SELECT modseq.detach('msg');
UPDATE msg SET deleted = NOT deleted WHERE uid < 8;
INSERT INTO msg (id, box_id, deleted, uid, modseq) VALUES (7, 1, true, 50, 1), (8, 1, false, 51, 1);
SELECT modseq.attach('msg', 'box', message_expunged => 'deleted');
TABLE seen;
DROP VIEW seen;

-- A store that others kept, with mod-sequences that clients know
CREATE TABLE box2 (id int PRIMARY KEY, uidvalidity int, last_uid int, modseq bigint);
CREATE TABLE msg2 (id int PRIMARY KEY, box2_id int, uid int, modseq bigint, seen boolean, is_deleted smallint);
INSERT INTO box2 VALUES (1, 7, 6, 30);
INSERT INTO msg2 VALUES (1, 1, 1, 10, true, 0), (2, 1, 3, 11, true, 1), (3, 1, 4, 30, false, NULL), (4, 1, NULL, NULL, false, 1);
SELECT modseq.attach('msg2', 'box2', message_expunged => 'is_deleted');
SELECT id, uid, modseq FROM msg2 ORDER BY id;
SELECT last_uid, b.modseq, v.modseq, uids FROM box2 b JOIN msg2_vanished v USING (id);
SELECT * FROM modseq.check('msg2') ORDER BY uid;
UPDATE msg2 SET is_deleted = 0 RETURNING id, uid, modseq;
SELECT * FROM modseq.check('msg2') ORDER BY uid;
-- check() looks at the live only
SET session_replication_role = replica;
UPDATE msg2 SET uid = 3 WHERE id = 2;
SELECT * FROM modseq.check('msg2') ORDER BY uid;
UPDATE msg2 SET is_deleted = 1 WHERE id = 2;
SELECT * FROM modseq.check('msg2') ORDER BY uid;
RESET session_replication_role;
-- A column of another type, and one that is gone
ALTER TABLE msg2 ALTER is_deleted TYPE text;
UPDATE msg2 SET seen = NOT seen;
ALTER TABLE msg2 DROP is_deleted;
UPDATE msg2 SET seen = NOT seen;
SELECT * FROM modseq.check('msg2') ORDER BY uid;
-- Without the column there is no soft delete, and that must be said
SELECT modseq.attach('msg2', 'box2');
SELECT modseq.attach('msg2', reset => '{message_expunged}');
SELECT id, uid, modseq FROM msg2 ORDER BY id;
SELECT * FROM modseq.check('msg2') ORDER BY uid;

DROP SCHEMA t_soft CASCADE;
