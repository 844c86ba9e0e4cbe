-- By hand: what an engineer would write who knows PostgreSQL and RFC 7162. Each command is one transaction:
-- lock the mailbox and take the command's number in one UPDATE, write sets, keep what vanished as one row.
-- In READ COMMITTED the number must be taken by a statement of its own, so that the next one sees what was
-- committed while it waited; where that does not matter, one statement does it all ("one statement" below).
--
-- Each statement was chosen among several by counting instructions; what was slower is said with it.

-- == setup
-- The vanished UIDs of a command as IMAP writes them. int8multirange says the same, but range_agg() of 50,000
-- UIDs that do not touch takes three times as long as string_agg().
CREATE TABLE mail_vanished (
	mailbox_id bigint NOT NULL,
	modseq bigint NOT NULL,
	uids text NOT NULL,
	PRIMARY KEY (mailbox_id, modseq)
);
CREATE VIEW vanished AS
	SELECT mailbox_id, modseq,
		range_agg(int8range(split_part(part, ':', 1)::bigint, split_part(part, ':', -1)::bigint, '[]')) AS uids
	FROM mail_vanished, regexp_split_to_table(uids, ',') AS part
	GROUP BY mailbox_id, modseq;

CREATE FUNCTION append_one_by_one_by_hand(box bigint, n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	next_uid bigint;
	value bigint;
BEGIN
	FOR i IN 1 .. n LOOP
		UPDATE mailbox SET uidnext = uidnext + 1, highestmodseq = highestmodseq + 1 WHERE id = box
			RETURNING uidnext - 1, highestmodseq INTO next_uid, value;
		INSERT INTO mail (mailbox_id, uid, modseq) VALUES (box, next_uid, value);
	END LOOP;
END $$;

-- == append one
BEGIN;
UPDATE mailbox SET uidnext = uidnext + 1, highestmodseq = highestmodseq + 1 WHERE id = :box
	RETURNING uidnext - 1 AS uid, highestmodseq AS value \gset
INSERT INTO mail (mailbox_id, uid, modseq) VALUES (:box, :uid, :value);
COMMIT;

-- == append one, one statement
-- Right in READ COMMITTED too: nothing is read but the mailbox's row, and that as it is when it is locked.
WITH box AS (
	UPDATE mailbox SET uidnext = uidnext + 1, highestmodseq = highestmodseq + 1 WHERE id = :box
		RETURNING id, uidnext - 1 AS uid, highestmodseq AS value)
INSERT INTO mail (mailbox_id, uid, modseq) SELECT id, uid, value FROM box RETURNING uid;

-- == append
BEGIN;
UPDATE mailbox SET uidnext = uidnext + :n, highestmodseq = highestmodseq + 1 WHERE id = :box
	RETURNING uidnext - :n AS uid, highestmodseq AS value \gset
INSERT INTO mail (mailbox_id, uid, modseq) SELECT :box, :uid + i, :value FROM generate_series(0, :n - 1) AS i;
COMMIT;

-- == append, a statement each
SELECT append_one_by_one_by_hand(:box, :n);

-- == store one, flag table
-- A message that has the flag already keeps its number; the mailbox's then rises for nothing, which clients
-- bear and modseq avoids. Not to know that beforehand saves a statement.
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
WITH stored AS (
	INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE mailbox_id = :box AND uid = :first
		ON CONFLICT DO NOTHING RETURNING mail_id)
UPDATE mail SET modseq = :value FROM stored
	WHERE id = mail_id AND mailbox_id = :box AND uid = :first;
COMMIT;

-- == store, flag table
-- The second mention of mailbox and UIDs keeps the join from reading the whole table. The other way round,
-- UPDATE ... WHERE NOT EXISTS (flag) and then INSERT, was a nested loop without end where the statistics had
-- not heard of the flag yet.
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
WITH stored AS (
	INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE mailbox_id = :box AND uid BETWEEN :first AND :last
		ON CONFLICT DO NOTHING RETURNING mail_id)
UPDATE mail SET modseq = :value FROM stored
	WHERE id = mail_id AND mailbox_id = :box AND uid BETWEEN :first AND :last;
COMMIT;

-- == store one, flag column
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
UPDATE mail SET seen = true, modseq = :value WHERE mailbox_id = :box AND uid = :first AND NOT seen;
COMMIT;

-- == store one, flag column, one statement
-- Right in READ COMMITTED too: a message that has changed meanwhile is looked at again when it is locked.
WITH box AS (
	UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value)
UPDATE mail SET seen = true, modseq = box.value FROM box WHERE mailbox_id = :box AND uid = :first AND NOT seen;

-- == store, flag column
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
UPDATE mail SET seen = true, modseq = :value
	WHERE mailbox_id = :box AND uid BETWEEN :first AND :last AND NOT seen;
COMMIT;

-- == expunge one
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
WITH gone AS (DELETE FROM mail WHERE mailbox_id = :box AND uid = :first AND deleted RETURNING uid)
INSERT INTO mail_vanished SELECT :box, :value, uid FROM gone;
COMMIT;

-- == expunge
-- Under the lock the set may be made first. That is a little quicker than out of DELETE ... RETURNING, whose
-- rows are stored before they are sorted. Ranges need not be sorted.
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
INSERT INTO mail_vanished
	SELECT :box, :value, string_agg(CASE WHEN lo = hi THEN lo::text ELSE lo || ':' || hi END, ',')
	FROM (SELECT min(uid) AS lo, max(uid) AS hi
		FROM (SELECT uid, uid - row_number() OVER (ORDER BY uid) AS island
			FROM mail WHERE mailbox_id = :box AND deleted) AS numbered
		GROUP BY island) AS range
	HAVING count(*) > 0;
DELETE FROM mail WHERE mailbox_id = :box AND deleted;
COMMIT;

-- == expunge, set made by the front end
-- The quickest for the server, if the client's work is free: it gets the UIDs and sends the ranges back.
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
DELETE FROM mail WHERE mailbox_id = :box AND deleted RETURNING uid \g (format=unaligned tuples_only=on) bench.uids
\set uids `./ranges bench.uids`
INSERT INTO mail_vanished VALUES (:box, :value, :'uids');
COMMIT;

-- == move
-- Both locks in the order of the key, then all else in one statement.
BEGIN;
SELECT FROM mailbox WHERE id IN (:box, :target) ORDER BY id FOR NO KEY UPDATE;
WITH box AS (
	SELECT s.highestmodseq + 1 AS source_value, t.highestmodseq + 1 AS target_value, t.uidnext
	FROM mailbox AS s, mailbox AS t WHERE s.id = :box AND t.id = :target),
chosen AS (
	SELECT id, uid, row_number() OVER (ORDER BY uid) AS n
	FROM mail WHERE mailbox_id = :box AND uid BETWEEN :first AND :last),
moved AS (
	UPDATE mail SET mailbox_id = :target, uid = box.uidnext - 1 + n, modseq = target_value
	FROM chosen, box WHERE mail.id = chosen.id
	RETURNING chosen.uid),
gone AS (
	INSERT INTO mail_vanished
	SELECT :box, min(source_value), string_agg(CASE WHEN lo = hi THEN lo::text ELSE lo || ':' || hi END, ',')
	FROM box, (SELECT min(uid) AS lo, max(uid) AS hi
		FROM (SELECT uid, uid - row_number() OVER (ORDER BY uid) AS island FROM moved) AS numbered
		GROUP BY island) AS range
	HAVING count(*) > 0)
UPDATE mailbox SET highestmodseq = highestmodseq + 1,
		uidnext = uidnext + CASE WHEN id = :target THEN (SELECT count(*) FROM chosen) ELSE 0 END
	WHERE id IN (:box, :target);
COMMIT;

-- == conditional store
-- What is modified is told by the same statement, from its snapshot.
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
WITH stored AS (
	UPDATE mail SET seen = NOT seen, modseq = :value
	WHERE mailbox_id = :box AND uid BETWEEN :first AND :last AND modseq <= 2)
SELECT string_agg(uid::text, ',') AS modified
	FROM mail WHERE mailbox_id = :box AND uid BETWEEN :first AND :last AND modseq > 2;
COMMIT;

-- == toggle
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :box RETURNING highestmodseq AS value \gset
UPDATE mail SET seen = NOT seen, modseq = :value WHERE mailbox_id = :box AND uid = :first;
COMMIT;

-- == status of many
SELECT id, uidvalidity, uidnext, highestmodseq FROM mailbox WHERE id = ANY (ARRAY(SELECT generate_series(1001, 2000))::bigint[]);

-- == changed since
SELECT uid, modseq FROM mail WHERE mailbox_id = :box AND modseq > :since ORDER BY uid;

-- == resync
-- One statement, so one snapshot. The front end makes ranges of the UIDs.
SELECT uidvalidity, uidnext, highestmodseq,
		(SELECT string_agg(uids, ',') FROM mail_vanished AS v WHERE v.mailbox_id = :box AND v.modseq > :since) AS vanished,
		(SELECT min(modseq) FROM mail_vanished AS v WHERE v.mailbox_id = :box AND v.modseq > :since) AS first_vanished,
		(SELECT string_agg(uid::text, ',') FROM mail AS m WHERE m.mailbox_id = :box AND m.modseq > :since) AS changed
	FROM mailbox AS b WHERE id = :box;

-- == select qresync
SELECT uidvalidity, uidnext, highestmodseq,
		(SELECT string_agg(uids, ',') FROM mail_vanished AS v WHERE v.mailbox_id = :box AND v.modseq > :since) AS vanished,
		NULL AS uid, NULL AS modseq, NULL AS subject
	FROM mailbox WHERE id = :box
UNION ALL
SELECT NULL, NULL, NULL, NULL, uid, modseq, subject FROM mail WHERE mailbox_id = :box AND modseq > :since
ORDER BY uid NULLS FIRST;

-- == fetch scattered
SELECT uid, modseq, subject FROM mail WHERE mailbox_id = :box AND uid = ANY (('{' || :set || '}')::bigint[]);

-- == vanished since
-- VANISHED may say a UID twice, and in any order; so nothing has to be sorted.
SELECT string_agg(uids, ',') FROM mail_vanished WHERE mailbox_id = :box AND modseq > :since;

-- == compact
-- Single UIDs, as they are in this row
WITH gone AS (DELETE FROM mail_vanished WHERE mailbox_id = :box RETURNING modseq, uids::bigint AS uid)
INSERT INTO mail_vanished
	SELECT :box, (SELECT max(modseq) FROM gone), string_agg(CASE WHEN lo = hi THEN lo::text ELSE lo || ':' || hi END, ',')
	FROM (SELECT min(uid) AS lo, max(uid) AS hi
		FROM (SELECT uid, uid - row_number() OVER (ORDER BY uid) AS island FROM gone) AS numbered
		GROUP BY island) AS range;

-- == store one, tenants
\set t random(1, :tenants)
\set i random(1, 100)
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :t RETURNING highestmodseq AS value \gset
INSERT INTO mail_flag VALUES (:t, :i, '\Seen') ON CONFLICT DO NOTHING;
UPDATE mail SET modseq = :value WHERE (tenant, id) = (:t, :i);
COMMIT;
BEGIN;
UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = :t RETURNING highestmodseq AS value \gset
DELETE FROM mail_flag WHERE (tenant, mail_id, flag) = (:t, :i, '\Seen');
UPDATE mail SET modseq = :value WHERE (tenant, id) = (:t, :i);
COMMIT;
