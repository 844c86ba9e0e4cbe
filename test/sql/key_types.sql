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
CREATE DOMAIN account AS pair;
CREATE EXTENSION citext;
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
	-- Whoever lists mailboxes gets them in that order, under the names that they gave
	IF (SELECT array_agg(s.mailbox[1] || '/' || s.uidnext) FROM modseq.status('mail', ARRAY[b, a]) s) <> ARRAY[b || '/3', a || '/3'] THEN
		result := result || ' status() of a list differs';
	END IF;
	PERFORM modseq.reset_uidvalidity('mail', a);
	IF (SELECT uidvalidity FROM modseq.status('mail', a)) = 7 OR (SELECT uidvalidity FROM modseq.status('mail', b)) <> 7 THEN
		result := result || ' reset_uidvalidity() differs';
	END IF;
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
	PERFORM modseq.attach('mail', 'box', 'flag', flag_message => '{message}');
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
	('bit(4)', '0101', '1010'), ('money', '1', '2'), ('tsvector', 'a', 'b'),
	('oid', '1', '4294967295'), ('xid8', '1', '18446744073709551615'), ('citext', 'INBOX', 'Sent'),
	('account', '(7,1)', '(7,2)'), ('float8', '1.5', 'NaN'), ('boolean', 't', 'f'), ('date', '2001-02-03', 'infinity'),
	('interval', '1 day', '2 days'), ('cidr', '10.0.0.0/8', '11.0.0.0/8'), ('macaddr', '08:00:2b:01:02:03', '08:00:2b:01:02:04'),
	('pg_lsn', '0/1', '0/2'), ('modseq.uidset', '1', '2');
SELECT type, failure(format('SELECT by_mailbox(%L, %L, %L, %L)', a, b, type, type)) FROM types ORDER BY no;
SELECT type, failure(format('SELECT by_message(%L, %L, %L, %L)', a, b, type, type)) FROM types WHERE type !~ '^(small|name|"char|bytea|time|inet|varchar|text C.*"C|oid|xid|float|bool|date|cidr|mac|pg_lsn|modseq)' ORDER BY no;

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
SELECT modseq.attach('mail', 'box', 'mail_flag', flag_message => '{id}');
INSERT INTO box (path) VALUES ('INBOX');
INSERT INTO mail VALUES ('a', 'inbox'), ('b', 'InBox');
UPDATE mail SET path = 'INBOX', seen = true WHERE id = 'A';
INSERT INTO mail_flag VALUES ('B', '\Seen');
UPDATE box SET path = 'inbox';
SELECT uidnext, highestmodseq, vanished, changed FROM modseq.resync('mail', 'Inbox', 7, 2);
DELETE FROM mail WHERE id = 'a';
SELECT uidnext, highestmodseq, vanished, changed FROM modseq.resync('mail', 'Inbox', 7, 2);
SELECT * FROM modseq.check('mail');

-- The same by types with an equality of their own: the mailbox is found by each spelling, in lists too
CREATE FUNCTION spelled(key_type text, VARIADIC spellings text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('CREATE TABLE s_box (key %1$s PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
		CREATE TABLE s_mail (id serial PRIMARY KEY, box %1$s REFERENCES s_box, seen boolean)', key_type);
	PERFORM modseq.attach('s_mail', 's_box');
	EXECUTE format('INSERT INTO s_box VALUES (%L)', spellings[1]);
	EXECUTE format('INSERT INTO s_mail (box) VALUES %s', (SELECT string_agg(format('(%L)', s), ', ') FROM unnest(spellings) AS s));
	UPDATE s_mail SET seen = true;
	EXECUTE format('UPDATE s_mail SET box = %L WHERE id = 2', spellings[1]);		-- no move
	DELETE FROM s_mail WHERE id = 1;
	SELECT string_agg(concat_ws('/', s.uidnext, s.highestmodseq, modseq.vanished_since('s_mail', u.spelling, 1)), ' ') INTO result
	FROM unnest(spellings) AS u (spelling), modseq.status('s_mail', u.spelling) s;
	result := concat_ws(' ', result, (SELECT string_agg(concat_ws('/', s.mailbox, s.uidnext), ' ') FROM modseq.status('s_mail', spellings) s),
		(SELECT string_agg(problem, '; ') FROM modseq.check('s_mail')));
	DROP TABLE s_mail, s_box, s_mail_vanished;
	RETURN result;
END $$;
SET TimeZone = 'UTC';
SET IntervalStyle = 'postgres';
SELECT spelled('citext', 'INBOX', 'inbox', 'InBox');
SELECT spelled('numeric', '1', '1.0', '1.00');
SELECT spelled('interval', '1 day', '24 hours', '1440 minutes');
SELECT spelled('float8', '0', '-0', '0.0');
SELECT spelled('char(8)', 'Sent', 'Sent  ', 'Sent');
SELECT spelled('text COLLATE folded', 'INBOX', 'inbox', 'InBox');
SELECT spelled('timestamptz', '2001-02-03 00:00:00+00', '2001-02-03 01:00:00+01', '2001-02-02 23:00:00-01');

DROP SCHEMA t_keys_types CASCADE;
