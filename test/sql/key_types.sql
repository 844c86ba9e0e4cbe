--
-- Keys of mailboxes and of messages, by type: what works does so through literals, parameters and arrays; what has no
-- order, no hash function or no array type is refused by attach(), not by the first message
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_keys_types;
SET search_path = t_keys_types;
\pset format unaligned
\pset tuples_only on
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

CREATE TYPE role AS ENUM ('inbox', 'sent');
CREATE TYPE pair AS (account int, no int);
CREATE DOMAIN number AS int CHECK (VALUE > 0);
CREATE DOMAIN folder AS varchar(20) COLLATE "C";
-- Equal by this collation: INBOX, inbox
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION other (provider = libc, locale = 'C');

-- Mailboxes a and b: three messages arrive, flags change, one moves and one goes. What a client of each is told:
-- UIDNEXT/HIGHESTMODSEQ/vanished/changed
CREATE FUNCTION by_mailbox(a text, b text, mailbox_type text, message_type text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('CREATE TABLE box (key %s PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
		CREATE TABLE mail (id int PRIMARY KEY, box %s, seen boolean)', mailbox_type, message_type);
	PERFORM modseq.attach('mail', 'box', message_mailbox => '{box}');
	EXECUTE format('INSERT INTO box VALUES (%1$L), (%2$L);
		INSERT INTO mail VALUES (1, %1$L), (2, %2$L), (3, %1$L)', a, b);
	UPDATE mail SET seen = true WHERE id IN (1, 2);
	EXECUTE format('UPDATE mail SET box = %L WHERE id = 1', b);
	DELETE FROM mail WHERE id = 3;
	PERFORM modseq.lock('mail', ARRAY[b, a]);
	PERFORM modseq.touch('mail', b);
	SELECT string_agg(concat_ws('/', r.uidnext, r.highestmodseq, r.vanished, r.changed), ' ' ORDER BY place) INTO result
	FROM unnest(ARRAY[a, b]) WITH ORDINALITY AS k (key, place), modseq.resync('mail', ARRAY[key], 7, 1) r, modseq.status('mail', key) s
	WHERE s.uidnext = r.uidnext;
	result := result || coalesce((SELECT ' ' || string_agg(problem, '; ') FROM modseq.check('mail')), '');
	RAISE USING MESSAGE = result, ERRCODE = 'MS001';
END $$;

-- Messages a and b of one mailbox: the first gets a flag, which then goes to the other, and then TRUNCATE takes it. The
-- mod-sequences after each
CREATE FUNCTION by_message(a text, b text, message_type text, flag_type text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('CREATE TABLE box (id int PRIMARY KEY);
		CREATE TABLE mail (key %s PRIMARY KEY, box_id int);
		CREATE TABLE flag (message %s, flag text);
		INSERT INTO box VALUES (1)', message_type, flag_type);
	PERFORM modseq.attach('mail', 'box', 'flag', flag_message => 'message');
	EXECUTE format('INSERT INTO mail VALUES (%1$L, 1), (%2$L, 1);
		INSERT INTO flag VALUES (%1$L, ''\Seen'')', a, b);
	SELECT string_agg(modseq::text, ',' ORDER BY uid) INTO result FROM mail;
	EXECUTE format('UPDATE flag SET message = %L', b);
	SELECT concat_ws(' ', result, string_agg(modseq::text, ',' ORDER BY uid)) INTO result FROM mail;
	TRUNCATE flag;
	SELECT concat_ws(' ', result, string_agg(modseq::text, ',' ORDER BY uid)) INTO result FROM mail;
	RAISE USING MESSAGE = result, ERRCODE = 'MS001';
END $$;

CREATE TABLE types (no serial, type text, a text, b text);
INSERT INTO types (type, a, b) VALUES
	('smallint', '1', '2'), ('integer', '1', '2'), ('bigint', '1', '9223372036854775807'),
	('numeric', '1', '2.50'),
	('uuid', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b'),
	('text', 'INBOX', 'inbox'), ('varchar(20)', 'INBOX', '{a,b}'), ('char(20)', 'INBOX', 'Sent  '), ('name', 'INBOX', 'Sent'), ('"char"', 'I', 'S'),
	('bytea', '\x00', '\xff'), ('timestamptz', '2001-02-03 04:05:06.789', 'infinity'),
	('inet', '10.0.0.1', '::1'),
	('role', 'inbox', 'sent'), ('number', '1', '2'), ('folder', 'INBOX', 'Sent'), ('pair', '(7,1)', '(7,2)'),
	('jsonb', '{"a": 7, "n": 1}', '2'), ('text COLLATE "C"', 'INBOX', 'inbox'), ('text COLLATE folded', 'INBOX', 'Sent'),
	('integer[]', '{7,1}', '{7,2}'), ('int4range', '[1,2)', '[2,3)'), ('int4multirange', '{[1,2)}', '{[2,3)}'),
	('bit(4)', '0101', '1010'), ('money', '1', '2'), ('tsvector', 'a', 'b');
SELECT type, failure(format('SELECT by_mailbox(%L, %L, %L, %L)', a, b, type, type)) FROM types ORDER BY no;
SELECT type, failure(format('SELECT by_message(%L, %L, %L, %L)', a, b, type, type)) FROM types WHERE type !~ '^(small|name|"char|bytea|time|inet|varchar|text C.*"C)' ORDER BY no;

-- Pairs of types: integers are one kind, text and varchar another; a domain is its base type
CREATE TABLE pairs (no serial, here text, there text, a text, b text);
INSERT INTO pairs (here, there, a, b) VALUES
	('integer', 'bigint', '1', '2'), ('bigint', 'smallint', '1', '2'), ('number', 'bigint', '1', '2'), ('bigint', 'number', '1', '2'),
	('text', 'varchar(20)', 'INBOX', 'Sent'), ('folder', 'text', 'INBOX', 'Sent'), ('text', 'char(20)', 'INBOX', 'Sent'), ('text', 'name', 'INBOX', 'Sent'),
	('numeric', 'bigint', '1', '2'), ('inet', 'cidr', '10.0.0.0/8', '11.0.0.0/8'),
	-- Collations that agree on what is equal may differ; those that do not may not, in a mailbox key
	('text COLLATE "C"', 'text COLLATE other', 'INBOX', 'inbox'), ('text', 'text COLLATE "C"', 'INBOX', 'inbox'),
	('text COLLATE folded', 'text', 'INBOX', 'Sent'), ('text', 'text COLLATE folded', 'INBOX', 'Sent');
SELECT here, there, failure(format('SELECT by_mailbox(%L, %L, %L, %L)', a, b, here, there)) FROM pairs ORDER BY no;
SELECT here, there, failure(format('SELECT by_message(%L, %L, %L, %L)', a, b, here, there)) FROM pairs ORDER BY no;

-- A key that is equal in another spelling is the same mailbox, and the same message
\set VERBOSITY terse
CREATE TABLE box (path text COLLATE folded PRIMARY KEY, uidvalidity bigint DEFAULT 7);
CREATE TABLE mail (id text COLLATE folded PRIMARY KEY, path text COLLATE folded REFERENCES box ON UPDATE CASCADE, seen boolean);
CREATE TABLE mail_flag (id text, flag text);		-- since 18 a foreign key would need the same collation
SELECT modseq.attach('mail', 'box', 'mail_flag', flag_message => 'id');
INSERT INTO box (path) VALUES ('INBOX');
INSERT INTO mail VALUES ('a', 'inbox'), ('b', 'InBox');
UPDATE mail SET path = 'INBOX', seen = true WHERE id = 'A';
INSERT INTO mail_flag VALUES ('B', '\Seen');
UPDATE box SET path = 'inbox';
SELECT uidnext, highestmodseq, vanished, changed FROM modseq.resync('mail', 'Inbox', 7, 2);
DELETE FROM mail WHERE id = 'a';
SELECT uidnext, highestmodseq, vanished, changed FROM modseq.resync('mail', 'Inbox', 7, 2);
SELECT * FROM modseq.check('mail');

DROP SCHEMA t_keys_types CASCADE;
