-- Shards: triggers of one find the tables that belong to it, by its name and by the catalogs of Citus
--
-- Citus is not needed: what it makes is made here by hand. In a database of its own, for its catalogs are in
-- pg_catalog.
SELECT current_database() AS database \gset
CREATE DATABASE regress_shards;
\c regress_shards
SET client_min_messages = warning;
CREATE EXTENSION modseq;
\set VERBOSITY terse

-- Names: with the id, where there is room for both; else with a hash of the whole, as hashtext() gives it
SELECT name, modseq_internal.shard_name(name, shard),
	modseq_internal.shard_name(name, shard) = left(name, 63 - 10 - length(shard::text)) || '_'
		|| lpad(to_hex(hashtext(name)), 8, '0') || '_' || shard AS is_hashed
FROM (VALUES ('mail', 102008), ('mail_1', 1), (repeat('m', 56), 102008), (repeat('m', 57), 102008), (repeat('m', 63), 102008),
	(repeat('m', 50) || '_vanished', 102008), (repeat('m', 50) || '_mailbox', 9223372036854775807)) AS v (name, shard);
-- It ends with a whole character
SELECT length(modseq_internal.shard_name(repeat('ä', 31), 102008)), octet_length(modseq_internal.shard_name(repeat('ä', 31), 102008));

-- Nothing is a shard here
CREATE TABLE mail_102008 ();
SELECT modseq_internal.is_shard('mail_102008'::regclass);
DROP TABLE mail_102008;

-- The catalogs, of two tables in two shards each
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (
	logicalrelid regclass NOT NULL, partmethod "char" NOT NULL, partkey text, colocationid integer NOT NULL DEFAULT 0,
	repmodel "char" NOT NULL DEFAULT 's', autoconverted boolean NOT NULL DEFAULT false);
CREATE UNIQUE INDEX pg_dist_partition_logical_relid_index ON pg_catalog.pg_dist_partition (logicalrelid);
CREATE TABLE pg_catalog.pg_dist_shard (
	logicalrelid regclass NOT NULL, shardid bigint NOT NULL, shardstorage "char" NOT NULL, gone int, shardminvalue text,
	shardmaxvalue text);
ALTER TABLE pg_catalog.pg_dist_shard DROP COLUMN gone;
CREATE UNIQUE INDEX pg_dist_shard_shardid_index ON pg_catalog.pg_dist_shard (shardid);
RESET allow_system_table_mods;
CREATE SCHEMA shop;
SET search_path = shop, public;

-- The store as the application knows it
CREATE TABLE box (account int, id int, name text, PRIMARY KEY (account, id));
CREATE TABLE mail (account int, id bigint, box_id int, seen boolean, PRIMARY KEY (account, id));
CREATE TABLE mail_flag (account int, mail_id bigint, flag text, PRIMARY KEY (account, mail_id, flag));
SELECT modseq.attach('mail', 'box', 'mail_flag', message_mailbox => '{account,box_id}', message_key => '{account,id}',
	flag_message => '{account,mail_id}', notify => true);
SELECT message, mailbox, flag, vanished, counters FROM modseq.stores;

-- What Citus makes of it. The ids of a group follow each other, so that those of sisters differ.
CREATE FUNCTION shard(whole regclass, shard bigint, lo int, hi int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name CONSTANT text := (SELECT format('shop.%I', modseq_internal.shard_name(relname, shard)) FROM pg_class WHERE oid = whole);
	definition text;
BEGIN
	EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', name, whole);
	FOR definition IN
		SELECT replace(pg_get_triggerdef(t.oid), ' ON shop.' || c.relname || ' ', ' ON ' || name || ' ')
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE t.tgrelid = whole AND NOT tgisinternal AND tgtype & 32 = 0 ORDER BY tgname
	LOOP
		EXECUTE definition;
	END LOOP;
	INSERT INTO pg_dist_partition VALUES (whole, 'h', NULL, 7) ON CONFLICT DO NOTHING;
	INSERT INTO pg_dist_shard VALUES (whole, shard, 't', lo, hi);
END
$$;
SELECT shard('mail', 102008, -2147483648, -1), shard('mail', 102009, 0, 2147483647);
SELECT shard('box', 102010, -2147483648, -1), shard('box', 102011, 0, 2147483647);
SELECT shard('mail_flag', 102012, -2147483648, -1), shard('mail_flag', 102013, 0, 2147483647);
SELECT shard('mail_vanished', 102014, -2147483648, -1), shard('mail_vanished', 102015, 0, 2147483647);
SELECT shard('mail_mailbox', 102016, -2147483648, -1), shard('mail_mailbox', 102017, 0, 2147483647);
SELECT relname, modseq_internal.is_shard(oid) FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r'
ORDER BY relname COLLATE "C";

-- Stores are what the application knows
SELECT message, mailbox, flag, vanished, counters FROM modseq.stores;
SELECT message, mailbox, flag, vanished, counters FROM modseq_internal.every_store ORDER BY message::text;
SELECT t, modseq_internal.stores_naming(t)
FROM unnest('{mail_102009,box_102011,mail_flag_102013,mail_vanished_102015,mail_mailbox_102017,box,mail_vanished}'::regclass[]) AS t;
SELECT modseq_internal.shard_name(102009, t) FROM unnest('{mail,box,mail_vanished,mail_flag}'::regclass[]) AS t;

-- All that a statement does, it does among the tables of its shard
INSERT INTO box_102011 VALUES (1, 1, 'INBOX'), (1, 2, 'Trash');
INSERT INTO mail_102009 SELECT 1, i, 1, false FROM generate_series(1, 4) AS i;
UPDATE mail_102009 SET seen = true WHERE id = 2;
INSERT INTO mail_flag_102013 VALUES (1, 3, '$Work');
UPDATE mail_102009 SET box_id = 2 WHERE id = 4;
DELETE FROM mail_102009 WHERE id = 1;
SELECT * FROM mail_102009 ORDER BY id;
SELECT account, id, uidnext, highestmodseq FROM mail_mailbox_102017 ORDER BY id;
SELECT account, id, modseq, uids FROM mail_vanished_102015 ORDER BY id, modseq;
SELECT uidnext, highestmodseq FROM modseq.status('mail_102009', '{1,1}'::text[]);
SELECT vanished, changed FROM modseq.resync('mail_102009', '{1,1}', (SELECT uidvalidity FROM mail_mailbox_102017 WHERE id = 1), 2);
SELECT * FROM modseq.unchanged_since('mail_102009', '{1,1}', '1:4', 2);
DELETE FROM box_102011 WHERE id = 2;
SELECT count(*) FROM mail_102009 WHERE box_id = 2;
-- The other shard, and the tables that the application knows, have nothing
INSERT INTO box_102010 VALUES (2, 1, 'INBOX');
INSERT INTO mail_102008 VALUES (2, 1, 1, false);
SELECT account, id, uidnext, highestmodseq FROM mail_mailbox_102016;
SELECT (SELECT count(*) FROM mail) + (SELECT count(*) FROM mail_mailbox) + (SELECT count(*) FROM mail_vanished) AS rows;

-- A table of that name that is no shard is another one
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.mail_102009 (LIKE mail_102009 INCLUDING ALL);
SELECT modseq_internal.is_shard('elsewhere.mail_102009'::regclass);

-- Not distributed with it
UPDATE pg_dist_partition SET colocationid = 8 WHERE logicalrelid = 'mail_vanished'::regclass;
\set VERBOSITY default
-- In a session that has no cache of it
\c -
SET search_path = shop, public;
\set VERBOSITY default
\set SHOW_CONTEXT never
INSERT INTO mail_102009 VALUES (1, 9, 1, false);
UPDATE pg_dist_partition SET colocationid = 7 WHERE logicalrelid = 'mail_vanished'::regclass;
INSERT INTO mail_102009 VALUES (1, 9, 1, false);
-- It has no rows to be truncated here
TRUNCATE mail;
TRUNCATE box;

\c :database
DROP DATABASE regress_shards;
