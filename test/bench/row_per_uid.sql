-- Row per UID: statement triggers in PL/pgSQL that find the rows in transition tables, a sequence for
-- mod-sequences and a row for each UID that vanished, as some servers have it. It is linear; but a sequence
-- gives numbers in another order than commits, so a client can miss changes.

-- == setup
CREATE SEQUENCE modseqs START 4;
CREATE TABLE mail_vanished (
	mailbox_id bigint NOT NULL,
	uid bigint NOT NULL,
	modseq bigint NOT NULL,
	PRIMARY KEY (mailbox_id, uid)
);
CREATE INDEX ON mail_vanished (mailbox_id, modseq);
CREATE VIEW vanished AS
	SELECT mailbox_id, modseq, range_agg(int8range(uid, uid, '[]')) AS uids FROM mail_vanished GROUP BY mailbox_id, modseq;

-- A statement's rows get the next UIDs in the order of the primary key, which is that of their arrival
CREATE FUNCTION arrived() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	value bigint := nextval('modseqs');
BEGIN
	WITH box AS (
		UPDATE mailbox SET uidnext = uidnext + count, highestmodseq = greatest(highestmodseq, value)
		FROM (SELECT mailbox_id, count(*) FROM new_rows GROUP BY mailbox_id) AS arrived
		WHERE id = mailbox_id
		RETURNING id, uidnext - count AS uid)
	UPDATE mail SET modseq = value, uid = box.uid - 1 + n
	FROM (SELECT id, mailbox_id, row_number() OVER (PARTITION BY mailbox_id ORDER BY id) AS n FROM new_rows) AS arrived
		JOIN box ON box.id = mailbox_id
	WHERE mail.id = arrived.id;
	RETURN NULL;
END $$;
CREATE TRIGGER arrived AFTER INSERT ON mail REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION arrived();

CREATE FUNCTION flag_columns_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	value bigint := nextval('modseqs');
BEGIN
	WITH changed AS (
		UPDATE mail SET modseq = value
		FROM old_rows AS o JOIN new_rows AS n USING (id)
		WHERE mail.id = n.id AND (o.seen, o.deleted) IS DISTINCT FROM (n.seen, n.deleted)
		RETURNING n.mailbox_id)
	UPDATE mailbox SET highestmodseq = greatest(highestmodseq, value)
		WHERE id IN (SELECT mailbox_id FROM changed);
	RETURN NULL;
END $$;
CREATE TRIGGER flag_columns_changed AFTER UPDATE ON mail REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION flag_columns_changed();

CREATE FUNCTION expunged() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	value bigint := nextval('modseqs');
BEGIN
	UPDATE mailbox SET highestmodseq = greatest(highestmodseq, value)
		WHERE id IN (SELECT mailbox_id FROM old_rows);
	INSERT INTO mail_vanished SELECT mailbox_id, uid, value FROM old_rows;
	RETURN NULL;
END $$;
CREATE TRIGGER expunged AFTER DELETE ON mail REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION expunged();

CREATE FUNCTION flags_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	value bigint := nextval('modseqs');
BEGIN
	WITH changed AS (
		UPDATE mail SET modseq = value WHERE id IN (SELECT mail_id FROM flag_rows) RETURNING mailbox_id)
	UPDATE mailbox SET highestmodseq = greatest(highestmodseq, value)
		WHERE id IN (SELECT mailbox_id FROM changed);
	RETURN NULL;
END $$;
\if :flagtable
CREATE TRIGGER flags_changed AFTER INSERT ON mail_flag REFERENCING NEW TABLE AS flag_rows
	FOR EACH STATEMENT EXECUTE FUNCTION flags_changed();
\endif

-- == move
-- A copy and an expunge: in an UPDATE the message would keep its UID until the statement ends, and another in
-- the target may have it.
BEGIN;
INSERT INTO mail (mailbox_id, seen, deleted)
	SELECT :target, seen, deleted FROM mail WHERE mailbox_id = :box AND uid BETWEEN :first AND :last ORDER BY uid;
DELETE FROM mail WHERE mailbox_id = :box AND uid BETWEEN :first AND :last;
COMMIT;

-- == vanished since
SELECT uid FROM mail_vanished WHERE mailbox_id = :box AND modseq > :since;
