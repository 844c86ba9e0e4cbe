--
-- UIDs, mod-sequences and UIDVALIDITY at their end: the last one is given, and after it an error says so, and nothing is
-- done; also by attach(). Rule "whole errors"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_limits;
SET search_path = t_limits;
\getenv test PG_ABS_SRCDIR
\set told :test /include/told.sql
\i :told
\set failure :test /include/failure.sql
\i :failure
\pset format unaligned
\pset tuples_only on

\set shown 'SELECT * FROM checked_state(\'mail\', \'id\', \'uid\', \'modseq\');'

--
-- In a store, whose counters are the application's, and then beside; messages can be there without their mailbox
--
CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, box_id int, seen boolean, gone boolean, created_modseq bigint);
SELECT modseq.attach('mail', 'box', message_expunged => 'gone');
INSERT INTO box VALUES (1, 4294967295, 4294967294, 9223372036854775803), (2, 1, 1, 1);
\set first 'INSERT INTO mail VALUES (1, 1), (2, 1);'
\set second 'SELECT failure($$INSERT INTO mail VALUES (3, 1)$$); SELECT failure($$INSERT INTO mail (id, box_id, uid) VALUES (3, 1, 4294967296)$$); SELECT failure($$INSERT INTO mail VALUES (4, 2), (3, 1)$$); INSERT INTO mail VALUES (5, 2);'
\set third 'UPDATE mail SET seen = true WHERE id = 1; SELECT failure($$UPDATE mail SET gone = false WHERE id = 2$$); UPDATE mail SET gone = true WHERE id = 2;'
\set fourth 'SELECT failure($$UPDATE mail SET seen = false$$); SELECT failure($$DELETE FROM mail WHERE id = 1$$); SELECT failure($$UPDATE mail SET box_id = 2 WHERE id = 1$$); SELECT failure($$SELECT modseq.touch(\'mail\', 1)$$); SELECT failure($$TRUNCATE mail$$); SELECT failure($$UPDATE mail SET gone = true WHERE id = 1$$);'
:first
:shown
:second
:third
:shown
:fourth
-- A statement that changes nothing needs none, and reading goes on
UPDATE mail SET seen = seen;
SELECT * FROM modseq.resync('mail', 1, 4294967295, 9223372036854775803);
SELECT modseq.compact('mail', '0');
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 1)$$);
UPDATE box SET uidvalidity = 4294967294 WHERE id = 2;
SELECT modseq.reset_uidvalidity('mail', 2);
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 2)$$);
-- A mailbox that goes and comes back: all of it must be told under a new mod-sequence
SELECT failure($$DELETE FROM box WHERE id = 1; INSERT INTO box (id) VALUES (1)$$);
SELECT failure($$WITH d AS (DELETE FROM box WHERE id = 1 RETURNING *) INSERT INTO box SELECT * FROM d$$);
SELECT failure($$TRUNCATE box; INSERT INTO box (id) VALUES (2); INSERT INTO box (id) VALUES (1)$$);
-- Numbers that are none
SELECT failure($$UPDATE box SET uidvalidity = 4294967296 WHERE id = 1$$);
SELECT failure($$UPDATE box SET uidnext = 4294967297 WHERE id = 1$$);
SELECT failure($$INSERT INTO box VALUES (3, 4294967296)$$);
SELECT failure($$INSERT INTO box VALUES (3, -1)$$);
SELECT failure($$INSERT INTO box VALUES (3, 1, 4294967297)$$);
:shown

DROP TABLE mail, mail_vanished, box;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int, seen boolean, gone boolean, created_modseq bigint);
SELECT modseq.attach('mail', 'box', message_expunged => 'gone');
INSERT INTO box VALUES (1), (2), (3);
UPDATE mail_mailbox SET uidvalidity = 4294967295, uidnext = 4294967294, highestmodseq = 9223372036854775803 WHERE id = 1;
:first
:second
:third
:fourth
:shown
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 1)$$);
-- A mailbox that goes and comes back has changed nothing that clients do not know
DELETE FROM box WHERE id = 1;
INSERT INTO box VALUES (1);
:shown
-- One that is renamed, and leaves messages, needs a mod-sequence
SELECT failure($$UPDATE box SET id = 4 WHERE id = 1$$);
-- One that takes the key of one that has gone, and has left messages, needs a new UIDVALIDITY
DELETE FROM box WHERE id = 2;
UPDATE mail_mailbox SET uidvalidity = 4294967295 WHERE id = 3;
SELECT failure($$UPDATE box SET id = 2 WHERE id = 3$$);
DELETE FROM box WHERE id = 3;
INSERT INTO box VALUES (3);
UPDATE mail_mailbox SET uidvalidity = 4294967294 WHERE id = 3;
UPDATE box SET id = 2 WHERE id = 3;
SELECT id, uidvalidity, uidnext, highestmodseq, gone_at FROM mail_mailbox ORDER BY id;
:shown

--
-- attach()
--
DROP TABLE mail, mail_vanished, mail_mailbox, box;
CREATE TABLE box (id int PRIMARY KEY, uidvalidity bigint, uidnext bigint, highestmodseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, box_id int, uid bigint, modseq bigint, seen boolean);
INSERT INTO box VALUES (1, 7, 1, 1), (2, 4294967295, 4294967296, 9223372036854775807);
INSERT INTO mail VALUES (1, 2, 4294967295, 9223372036854775807);
-- What becomes of it, which is undone, when something was changed
CREATE FUNCTION attached(change text) RETURNS text
LANGUAGE sql AS $$
	SELECT failure(format('DO %L', format(
		'BEGIN %s; PERFORM modseq.attach(''mail'', ''box''); RAISE ''%%'', (SELECT string_agg(s::text, E''\n'')
			FROM checked_state(''mail'', ''id'', ''uid'', ''modseq'') AS s) USING ERRCODE = ''MS001''; END', change)))
$$;
SELECT attached('NULL');
SELECT attached('UPDATE box SET uidvalidity = 4294967296 WHERE id = 2');
SELECT attached('UPDATE box SET uidvalidity = -1 WHERE id = 2');
SELECT attached('UPDATE box SET uidvalidity = 0 WHERE id = 2');
SELECT attached('UPDATE box SET uidnext = 4294967297 WHERE id = 2');
SELECT attached('UPDATE mail SET uid = 4294967296');
SELECT attached('UPDATE mail SET uid = 9223372036854775807');
SELECT attached('UPDATE mail SET uid = NULL');
SELECT attached('INSERT INTO mail VALUES (2, 2, NULL, 7)');
SELECT attached('UPDATE box SET highestmodseq = 5; INSERT INTO mail VALUES (2, 2, NULL, 7)');
SELECT attached('INSERT INTO mail VALUES (2, 2, 5, NULL)');
SELECT attached('UPDATE box SET highestmodseq = 9223372036854775806; UPDATE mail SET modseq = 5; INSERT INTO mail VALUES (2, 2, 5, NULL)');
SELECT attached('ALTER TABLE mail DROP modseq');
SELECT attached('UPDATE mail SET uid = 2147483647, modseq = 5; UPDATE box SET uidnext = 1, highestmodseq = 1; ALTER TABLE mail ALTER uid TYPE int; INSERT INTO mail VALUES (2, 2)');
SELECT attached('UPDATE mail SET uid = 2147483647, modseq = 5; UPDATE box SET uidnext = 1, highestmodseq = 1; ALTER TABLE box ALTER uidnext TYPE int');
-- And again, with messages that came meanwhile
SELECT modseq.attach('mail', 'box');
SELECT attached('NULL');
SELECT attached('SET LOCAL session_replication_role = replica; INSERT INTO mail VALUES (2, 2, 5, 5); SET LOCAL session_replication_role = origin');
SELECT attached('PERFORM modseq.detach(''mail''); DELETE FROM mail');
:shown
-- UIDVALIDITY in an integer
DROP TABLE mail, mail_vanished, box;
CREATE TABLE box (id int PRIMARY KEY, uidvalidity int DEFAULT 2147483647);
CREATE TABLE mail (id int PRIMARY KEY, box_id int);
SET client_min_messages = error;
SELECT modseq.attach('mail', 'box', message_flags => '{}');
INSERT INTO box VALUES (1);
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 1)$$);
-- A UIDNEXT that cannot be, but came in replica mode: no UID above the last one vanishes
CREATE TABLE beyond_box (id int PRIMARY KEY);
CREATE TABLE beyond (id int, beyond_box_id int NOT NULL, seen boolean);
SELECT modseq.attach('beyond', 'beyond_box') \g /dev/null
INSERT INTO beyond_box VALUES (1);
SET session_replication_role = replica;
UPDATE beyond_mailbox SET uidnext = 4294967300 WHERE id = 1;
RESET session_replication_role;
SELECT modseq.reset_uidvalidity('beyond', 1) > 0 AS reset;
SELECT modseq.vanished_since('beyond', 1, 0);

DROP SCHEMA t_limits CASCADE;
