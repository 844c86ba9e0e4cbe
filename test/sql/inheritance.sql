--
-- Tables that inherit, and unlogged tables: attach() refuses them, DDL that would make a store's tables such is refused,
-- and where nobody could refuse it check() tells
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_inheritance;
SET search_path = t_inheritance;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
\pset format unaligned
\pset tuples_only on

-- Before attach(): each table of the store, as parent and as child
CREATE TABLE folder (id int PRIMARY KEY);
CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint NOT NULL DEFAULT 7);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL, seen boolean);
CREATE TABLE mail_flag (mail_id int, flag text);
CREATE TABLE parent ();
CREATE FUNCTION refused(ddl text) RETURNS text LANGUAGE sql AS $$
	SELECT failure(ddl || $q$; SELECT modseq.attach('mail', 'box', 'mail_flag', mailbox_source => 'folder', message_mailbox => '{box_id}', flag_message => '{mail_id}')$q$)
$$;
SELECT t, refused(format('CREATE TABLE child () INHERITS (%s)', t)), refused(format('ALTER TABLE %s INHERIT parent', t))
FROM unnest('{folder,box,mail,mail_flag}'::text[]) AS t;

-- After attach()
SELECT modseq.attach('mail', 'box', 'mail_flag', mailbox_source => 'folder', message_mailbox => '{box_id}', flag_message => '{mail_id}');
INSERT INTO folder VALUES (1);
INSERT INTO mail VALUES (1, 1), (2, 1);
INSERT INTO mail_flag VALUES (1, 'x');
CREATE TABLE twin (LIKE mail);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id int NOT NULL, box_id int NOT NULL, seen boolean, uid bigint NOT NULL, modseq bigint NOT NULL DEFAULT 1) SERVER nowhere;
SELECT t, failure(format('CREATE TABLE child () INHERITS (%s)', t)), failure(format('ALTER TABLE %s INHERIT parent', t))
FROM unnest('{folder,box,mail,mail_flag,mail_vanished}'::text[]) AS t;
SELECT ddl, failure(ddl)
FROM unnest(ARRAY['CREATE TABLE child (more int) INHERITS (parent, mail)', 'CREATE TEMP TABLE child () INHERITS (mail)',
	'CREATE UNLOGGED TABLE child () INHERITS (mail)', 'CREATE TABLE IF NOT EXISTS child () INHERITS (mail)',
	'CREATE FOREIGN TABLE child () INHERITS (mail) SERVER nowhere',
	'ALTER TABLE twin INHERIT mail', 'ALTER TABLE IF EXISTS twin ADD more int, INHERIT mail', 'ALTER FOREIGN TABLE far INHERIT mail',
	'CREATE SCHEMA t_inheritance_2 CREATE TABLE child () INHERITS (t_inheritance.mail)',
	'ALTER TABLE mail SET UNLOGGED', 'ALTER TABLE mail_flag SET UNLOGGED', 'ALTER TABLE box SET UNLOGGED', 'ALTER TABLE folder SET UNLOGGED', 'ALTER TABLE mail_vanished SET UNLOGGED']) WITH ORDINALITY AS d (ddl, no)
ORDER BY no;
-- What has nothing to do with it goes on
CREATE TABLE IF NOT EXISTS twin () INHERITS (mail);
BEGIN;
CREATE TABLE fresh (LIKE mail);
CREATE TABLE IF NOT EXISTS fresh () INHERITS (mail);
ROLLBACK;
CREATE TABLE child (a int) INHERITS (parent);
ALTER TABLE child NO INHERIT parent;
ALTER TABLE child INHERIT parent;
-- Its name alone makes no vanished table
CREATE TABLE other_vanished (LIKE mail_vanished);
ALTER TABLE other_vanished SET UNLOGGED;
CREATE TABLE mail_archive (LIKE mail INCLUDING ALL);
ALTER TABLE mail_archive SET UNLOGGED;
CREATE TABLE parted (LIKE mail) PARTITION BY LIST (box_id);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
CREATE TABLE other_box (id int PRIMARY KEY);
SELECT modseq.attach('parted', 'other_box', message_mailbox => '{box_id}');
BEGIN;
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
CREATE TABLE IF NOT EXISTS parted_2 () INHERITS (parted);
ROLLBACK;
SELECT failure('ALTER TABLE parted_1 SET UNLOGGED'), left(failure('ALTER TABLE parted INHERIT parent'), 5), failure('CREATE TABLE part () INHERITS (parted_1)');
SELECT * FROM modseq.check('mail');

-- Event triggers do not fire in replica mode, nor where a superuser has disabled them: then check() tells
SET session_replication_role = replica;
CREATE TABLE mail_child () INHERITS (mail);
ALTER TABLE box INHERIT parent;
ALTER TABLE mail_vanished SET UNLOGGED;
ALTER TABLE mail_flag SET UNLOGGED;
RESET session_replication_role;
SELECT problem FROM modseq.check('mail') ORDER BY 1;
SELECT failure('SELECT modseq.attach(''mail'')');
ALTER TABLE mail_flag SET LOGGED;
SELECT failure('SELECT modseq.attach(''mail'')');
DROP TABLE mail_child;
ALTER TABLE box NO INHERIT parent;
ALTER TABLE mail_vanished SET LOGGED;
SELECT * FROM modseq.check('mail');
UPDATE mail SET seen = true;
SELECT uid, modseq FROM mail ORDER BY uid;

-- A store that is detached may inherit
SELECT modseq.detach('mail');
CREATE TABLE mail_child () INHERITS (mail);
ALTER TABLE box SET UNLOGGED;

DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP SCHEMA t_inheritance CASCADE;
