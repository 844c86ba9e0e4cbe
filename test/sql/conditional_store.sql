--
-- Conditional STORE: lock, unchanged_since, touch (RFC 7162 sections 3.1.3 and 3.2)
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_conditional;
SET search_path = t_conditional;
\set VERBOSITY terse
\pset null '(null)'

CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint);
CREATE TABLE mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox, seen boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox (id, uidvalidity) VALUES (1, 71), (2, 72), (3, 73);
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 6) AS i;
UPDATE mail SET seen = true WHERE id IN (2, 5);
DELETE FROM mail WHERE id = 4;

-- lock: status as of after the lock, in the order asked for; duplicates do no harm
SELECT * FROM modseq.lock('mail', 1);
SELECT * FROM modseq.lock('mail', ARRAY[3, 1, 2, 1]);
SELECT * FROM modseq.lock('mail', '{}'::bigint[]);
-- One that does not exist: none is locked
SELECT * FROM modseq.lock('mail', 99);
SELECT * FROM modseq.lock('mail', ARRAY[1, 99]);
-- It is the row lock of the mailbox, so that a foreign key check can pass, and is kept to the end
BEGIN;
SELECT uidnext FROM modseq.lock('mail', ARRAY[2, 1]);
CREATE TEMP TABLE locks AS SELECT id, xmax = pg_current_xact_id()::xid AS locked FROM mailbox;
SELECT * FROM locks ORDER BY id;
ROLLBACK;

-- unchanged_since: a row for every UID of the set, once, by UID. At most since is unchanged.
SELECT * FROM modseq.unchanged_since('mail', 1, '5,1:2,4,2,7:8', 2);
SELECT * FROM modseq.unchanged_since('mail', 1, '1:6', 3);
SELECT * FROM modseq.unchanged_since('mail', 1, '1:6', 9223372036854775807);
-- 0 always fails (section 3.1.3, example 8)
SELECT * FROM modseq.unchanged_since('mail', 1, '1:6', 0);
SELECT * FROM modseq.unchanged_since('mail', 1, '', 2);
SELECT * FROM modseq.unchanged_since('mail', 3, '1', 2);
-- It takes no value
SELECT uidnext, highestmodseq FROM modseq.status('mail', 1);

-- The STORE of one that passes; judged again in the transaction, what it stored to has changed
BEGIN;
CREATE TEMP TABLE verdicts AS SELECT * FROM modseq.unchanged_since('mail', 1, '1:3', 2);
UPDATE mail SET seen = true FROM verdicts v WHERE v.verdict = 'unchanged' AND mail.mailbox_id = 1 AND mail.uid = v.uid
	RETURNING mail.uid, mail.modseq;
SELECT modseq.uidset_agg(uid) AS "MODIFIED" FROM verdicts WHERE verdict = 'modified';
SELECT * FROM modseq.unchanged_since('mail', 1, '1:3', 2);
COMMIT;
-- In one statement: it judges by a snapshot of its own, taken under the lock
UPDATE mail SET seen = false FROM modseq.unchanged_since('mail', 1, '1:6', 4) AS v
	WHERE v.verdict = 'unchanged' AND mail.mailbox_id = 1 AND mail.uid = v.uid;
SELECT uid, modseq, seen FROM mail ORDER BY uid;

-- UIDs that were never assigned: some are answered for, billions are not
SELECT verdict, count(*) FROM modseq.unchanged_since('mail', 1, '1:100000', 2) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM modseq.unchanged_since('mail', 1, '1:4294967295', 2);

-- touch: a change that no message carries (section 3.2, SETMETADATA)
SELECT modseq.touch('mail', 1), modseq.touch('mail', 2);
SELECT * FROM modseq.resync('mail', 2, 72, 1);
BEGIN;
SELECT modseq.touch('mail', 2);
SELECT modseq.touch('mail', 2);
ROLLBACK;
SELECT modseq.touch('mail', 2);
SELECT modseq.touch('mail', 99);
UPDATE mailbox SET highestmodseq = 9223372036854775807 WHERE id = 3;
SELECT modseq.touch('mail', 3);
-- The counters themselves can be raised, by hand, but not lowered
UPDATE mailbox SET highestmodseq = 1 WHERE id = 3;
UPDATE mailbox SET highestmodseq = NULL WHERE id = 3;
UPDATE mailbox SET uidnext = 1 WHERE id = 1;
UPDATE mailbox SET uidvalidity = 1 WHERE id = 1;
UPDATE mailbox SET uidnext = 1000, highestmodseq = 1000 WHERE id = 1;
INSERT INTO mail (id, mailbox_id) VALUES (7, 1) RETURNING uid, modseq;
BEGIN;
UPDATE mail SET seen = NOT coalesce(seen, false) WHERE id = 7;
UPDATE mailbox SET highestmodseq = 2000, uidnext = 2000 WHERE id = 1;
INSERT INTO mail (id, mailbox_id) VALUES (8, 1) RETURNING uid, modseq;
COMMIT;
SELECT * FROM modseq.status('mail', 1);

SELECT * FROM modseq.check('mail');
DROP SCHEMA t_conditional CASCADE;
