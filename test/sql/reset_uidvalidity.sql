--
-- reset_uidvalidity()
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA "check";
SET search_path = "check";
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

CREATE TABLE mailbox (id int PRIMARY KEY, uidvalidity bigint DEFAULT 7, uidnext bigint, modseq bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id int, uid bigint, modseq bigint, created_modseq bigint);
CREATE TABLE mail_flag (mail_id int, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag');
INSERT INTO mailbox (id) VALUES (1), (2), (3);
INSERT INTO mail (id, mailbox_id) SELECT n, 1 + n % 2 FROM generate_series(1, 6) AS n;
DELETE FROM mail WHERE id <= 2;
INSERT INTO mail_flag VALUES (3, '\Seen');

CREATE TABLE box (owner text, name text, PRIMARY KEY (owner, name));
CREATE TABLE msg (owner text, name text, uid bigint);
SELECT modseq.attach('msg', 'box', message_flags => '{}');
INSERT INTO box VALUES ('a', 'b,c');
INSERT INTO msg VALUES ('a', 'b,c');
CREATE ROLE regress_modseq_check;
GRANT USAGE ON SCHEMA "check" TO regress_modseq_check;
GRANT SELECT ON mail, mailbox, mail_vanished TO regress_modseq_check;

SELECT uidnext, modseq FROM mailbox WHERE id = 2;
SELECT modseq.reset_uidvalidity('mail', 2) AS new \gset
SELECT uidnext, modseq, uidvalidity = :new AS returned, uidvalidity > 7 AS risen FROM mailbox WHERE id = 2;
SELECT id, modseq, uids FROM mail_vanished ORDER BY id, modseq;
SELECT * FROM modseq.check('mail');
-- above the old one, whatever that is; once only, however often
UPDATE mailbox SET uidvalidity = 4294967294 WHERE id = 2;
SELECT modseq.reset_uidvalidity('mail', '2');
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', '2')$$);
SELECT modseq.reset_uidvalidity('mail', 1) < modseq.reset_uidvalidity('mail', '{1}'::text[]) AS rises;
-- keys of several columns
SELECT modseq.reset_uidvalidity('msg', '{a,"b,c"}'::text[]) AS new \gset
SELECT uidvalidity = :new AS returned FROM msg_mailbox;
SELECT modseq.reset_uidvalidity('msg', '{a,"b,c"}') > :new AS untyped;
SELECT failure($$SELECT modseq.reset_uidvalidity('msg', 'a')$$);
SELECT failure($$SELECT modseq.reset_uidvalidity('msg', '{a,c}'::text[])$$);
-- keys of other types, of which a type modifier cuts nothing off
CREATE TABLE vbox (name varchar(5) PRIMARY KEY);
CREATE TABLE vmsg (name varchar(5), uid bigint);
CREATE TABLE ubox (id uuid PRIMARY KEY);
CREATE TABLE umsg (ubox_id uuid, uid bigint);
SELECT modseq.attach('vmsg', 'vbox', message_flags => '{}'), modseq.attach('umsg', 'ubox', message_flags => '{}');
INSERT INTO vbox VALUES ('INBOX');
INSERT INTO ubox VALUES ('00000000-0000-0000-0000-000000000001');
SELECT modseq.reset_uidvalidity('vmsg', 'INBOX') > 0 AS reset;
SELECT failure($$SELECT modseq.reset_uidvalidity('vmsg', 'INBOX2')$$);
SELECT failure($$SELECT modseq.reset_uidvalidity('vmsg', '{a}')$$);
SELECT modseq.reset_uidvalidity('umsg', '00000000-0000-0000-0000-000000000001'::uuid) > 0 AS reset;
-- bad input
SELECT failure(format('SELECT modseq.reset_uidvalidity(%s)', a)) FROM unnest(ARRAY[
	$$'mail', 99$$,
	$$'mail', NULL::bigint$$,
	$$'mail', NULL::text[]$$,
	$$'mail', '{NULL}'::text[]$$,
	$$'mail', '{}'::text[]$$,
	$$'mail', 'INBOX'$$,
	$$'mailbox', 1$$,
	$$NULL, 1$$]) AS a;
SET ROLE regress_modseq_check;
SELECT failure($$SELECT modseq.reset_uidvalidity('mail', 1)$$);
RESET ROLE;

DROP SCHEMA "check" CASCADE;
DROP ROLE regress_modseq_check;
