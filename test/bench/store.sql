-- A store, the same for all contenders, in the schema `store`: the mailboxes and their sizes are those that the
-- query `sizes` gives. Tables are filled before they are indexed.
--
-- The tables are those of the README's quick start, with what a mail server wants besides, flags as columns
-- and flags as rows. What CONDSTORE needs is there already: columns, and the indexes that modseq asks for.

DROP SCHEMA IF EXISTS store CASCADE;
CREATE SCHEMA store;
SET search_path = store;

CREATE TABLE mailbox (
	id bigint PRIMARY KEY,
	name text NOT NULL UNIQUE,
	uidvalidity bigint NOT NULL DEFAULT 1,
	uidnext bigint NOT NULL DEFAULT 1,
	highestmodseq bigint NOT NULL DEFAULT 1
);
CREATE TABLE mail (
	id bigint GENERATED ALWAYS AS IDENTITY,
	mailbox_id bigint NOT NULL,
	uid bigint,
	modseq bigint,
	received timestamptz NOT NULL DEFAULT now(),
	size integer NOT NULL DEFAULT 4711,
	seen boolean NOT NULL DEFAULT false,
	deleted boolean NOT NULL DEFAULT false,
	subject text NOT NULL DEFAULT 'Re: Minutes of the last meeting'
) WITH (fillfactor = :fillfactor);

INSERT INTO mailbox (id, name, uidnext, highestmodseq)
	SELECT id, 'box ' || id, size + 1, 3 FROM (:sizes) AS box (id, size);

-- In the order of arrival. Every tenth message has changed since then. What is to be expunged is marked: the
-- first half of a mailbox, or every other message of it.
INSERT INTO mail (mailbox_id, uid, modseq, deleted)
	SELECT id, uid, CASE WHEN uid % 10 = 0 THEN 3 ELSE 2 END,
		CASE WHEN :scattered THEN uid % 2 = 0 ELSE uid < uidnext / 2.0 END
	FROM mailbox, generate_series(1, uidnext - 1) AS uid
	ORDER BY id, uid;

ALTER TABLE mail ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON mail (mailbox_id, uid);
CREATE INDEX ON mail (mailbox_id, modseq);
ALTER TABLE mail ADD FOREIGN KEY (mailbox_id) REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE;

-- Where a contender has the counters
CREATE VIEW counters AS SELECT id AS mailbox_id, uidnext, highestmodseq FROM mailbox;

-- Only where flags are rows: as long as it is there, each message that is deleted looks for its flags
\if :flagtable
CREATE TABLE mail_flag (
	mail_id bigint NOT NULL REFERENCES mail ON DELETE CASCADE,
	flag text NOT NULL,
	PRIMARY KEY (mail_id, flag)
);
INSERT INTO mail_flag SELECT id, flag FROM mail, unnest(ARRAY['\Answered', '\Deleted']) AS flag WHERE :flagged;
\endif

-- Messages one by one in one transaction, as an import or an ORM does it; with a savepoint around each, too
CREATE FUNCTION append_one_by_one(box bigint, n integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		INSERT INTO mail (mailbox_id) VALUES (box);
	END LOOP;
END $$;
CREATE FUNCTION append_with_savepoints(box bigint, n integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		BEGIN
			INSERT INTO mail (mailbox_id) VALUES (box);
		EXCEPTION WHEN unique_violation THEN
			NULL;
		END;
	END LOOP;
END $$;
