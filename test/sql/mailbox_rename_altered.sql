-- The table of counters gets the new key of a mailbox without SQL, where nobody else has a say in it. What its owner
-- has added must still do its work: triggers, checks, rules, other indexes, and types.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_mailbox_rename_altered;
SET search_path = t_mailbox_rename_altered;
\set VERBOSITY terse
CREATE TABLE box (name text PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box text NOT NULL REFERENCES box ON UPDATE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box');
INSERT INTO box SELECT 'old ' || i FROM generate_series(1, 3) AS i;
INSERT INTO mail SELECT i, 'old ' || 1 + i % 3 FROM generate_series(1, 9) AS i;
DELETE FROM mail WHERE id IN (1, 2);

-- Renames all; each goes on under its new key
CREATE FUNCTION rename(old text, new text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE box SET name = replace(name, old, new);
	INSERT INTO mail SELECT max(m.id) OVER () + row_number() OVER (ORDER BY name), name
		FROM box, (SELECT max(id) AS id FROM mail) AS m;
	RETURN QUERY SELECT concat_ws(' ', c.name || ':', 'uidnext', c.uidnext, 'highestmodseq', c.highestmodseq,
			'vanished', (SELECT string_agg(v.uids::text, ' ' ORDER BY v.modseq) FROM mail_vanished AS v WHERE v.name = c.name))
		FROM mail_mailbox AS c ORDER BY c.name;
	RETURN QUERY SELECT c::text FROM modseq.check('mail') AS c;
END $$;

SELECT rename('old', 'plain');

-- Other indexes: each finds the new key
CREATE INDEX lower_name ON mail_mailbox (lower(name));
CREATE INDEX name_since ON mail_mailbox (name) INCLUDE (uidvalidity);
SELECT rename('plain', 'Indexed');
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT lower(name) FROM mail_mailbox WHERE lower(name) = 'indexed 1';
SELECT lower(name) FROM mail_mailbox WHERE lower(name) = 'indexed 1';
DROP INDEX lower_name;
SELECT rename('Indexed', 'indexed');
SELECT count(name) FROM mail_mailbox WHERE name BETWEEN 'indexed' AND 'indexed 9';
ALTER TABLE mail_mailbox DROP CONSTRAINT mail_mailbox_pkey;
SELECT rename('indexed', 'no key');
ALTER TABLE mail_mailbox ADD PRIMARY KEY (name);
DROP INDEX name_since;
RESET enable_seqscan;
SELECT rename('no key', 'indexed');

-- A check
ALTER TABLE mail_mailbox ADD CONSTRAINT no_slash CHECK (name NOT LIKE '%/%');
SELECT rename('indexed', 'a/b');
SELECT rename('indexed', 'checked');
ALTER TABLE mail_mailbox DROP CONSTRAINT no_slash;

-- Triggers
CREATE TABLE log (line text);
CREATE FUNCTION log_rename() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (concat_ws(' ', TG_WHEN, OLD.name, '->', NEW.name));
	RETURN NEW;
END $$;
CREATE TRIGGER log_before BEFORE UPDATE OF name ON mail_mailbox FOR EACH ROW EXECUTE FUNCTION log_rename();
SELECT rename('checked', 'before');
DROP TRIGGER log_before ON mail_mailbox;
CREATE TRIGGER log_after AFTER UPDATE OF name ON mail_mailbox FOR EACH ROW EXECUTE FUNCTION log_rename();
SELECT rename('before', 'after');
DROP TRIGGER log_after ON mail_mailbox;
SELECT * FROM log ORDER BY line;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE TRIGGER keep BEFORE UPDATE OF name ON mail_mailbox FOR EACH ROW EXECUTE FUNCTION keep();
SELECT rename('after', 'kept');
DROP TRIGGER keep ON mail_mailbox;

-- A rule
CREATE RULE nothing AS ON UPDATE TO mail_mailbox DO INSTEAD NOTHING;
SELECT rename('after', 'ruled');
DROP RULE nothing ON mail_mailbox;

-- A foreign key: keys that repeat are refused there, too
CREATE TABLE note (name text REFERENCES mail_mailbox ON UPDATE CASCADE, line text);
INSERT INTO note VALUES ('after 1', 'of 1');
SELECT rename('after', 'noted');
SELECT * FROM note;
DROP TABLE note;

-- A domain
CREATE DOMAIN short AS text CHECK (length(VALUE) < 10);
ALTER TABLE mail_mailbox ALTER name TYPE short;
SELECT rename('noted', 'much too long');
SELECT rename('noted', 'short');
ALTER TABLE mail_mailbox ALTER name TYPE text;

-- Vanished rows that somebody keeps
CREATE TRIGGER keep BEFORE UPDATE ON mail_vanished FOR EACH ROW EXECUTE FUNCTION keep();
SELECT rename('short', 'vanished');
DROP TRIGGER keep ON mail_vanished;

-- Swaps, in one statement and another, and a key that was free, was taken, and is free again
BEGIN;
SELECT rename('short', 'free');
SELECT rename('free', 'short');
SELECT rename('short', 'free');
SAVEPOINT s;
SELECT rename('free', 'short');
ROLLBACK TO s;
SELECT rename('free', 'taken');
COMMIT;
SELECT rename('taken', 'free');
