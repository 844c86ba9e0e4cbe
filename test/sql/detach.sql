--
-- detach(): it takes the triggers and leaves the rest
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, name text);
CREATE TABLE mw_mail (id bigint PRIMARY KEY, mailbox_id bigint NOT NULL, subject text);
CREATE TABLE mw_mail_flag (mail_id bigint, flag text, PRIMARY KEY (mail_id, flag));

SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');

SELECT modseq.detach('mw_mail');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid IN ('mw_mail'::regclass, 'mw_mailbox'::regclass, 'mw_mail_flag'::regclass);
SELECT count(*) AS stores FROM modseq.stores WHERE message = 'mw_mail'::regclass;
SELECT failure($$SELECT modseq.detach('mw_mail')$$);
SELECT failure($$SELECT modseq.detach(NULL)$$);
SELECT attname FROM pg_attribute WHERE attrelid = 'mw_mail'::regclass AND attnum > 0 ORDER BY attnum;

-- It finds the triggers of a mailbox table that was renamed, and of one that is gone
SELECT modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
ALTER TABLE mw_mailbox RENAME TO other_box;
SELECT modseq.detach('mw_mail');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid IN ('mw_mail'::regclass, 'other_box'::regclass, 'mw_mail_flag'::regclass);
SELECT modseq.attach('mw_mail', 'other_box', 'mw_mail_flag');
DROP TABLE other_box;
SELECT modseq.detach('mw_mail');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid IN ('mw_mail'::regclass, 'mw_mail_flag'::regclass);

-- The message table is gone: the mailbox table and the flag table are detached by their own names, and the vanished table
-- is left
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL);
CREATE TABLE mail_flag (mail_id bigint, flag text);
SELECT modseq.attach('mail', 'box', 'mail_flag') \g /dev/null
SELECT failure($$SELECT modseq.detach('box')$$);
DROP TABLE mail;
SELECT failure('INSERT INTO box VALUES (1)');
SELECT modseq.detach('box', remove => true);
INSERT INTO box VALUES (1);
SELECT failure($$INSERT INTO mail_flag VALUES (1, '\Seen')$$);
SELECT modseq.detach('mail_flag', remove => true);
INSERT INTO mail_flag VALUES (1, '\Seen');
DROP TABLE mail_vanished;
-- A partition's hint names the whole table
CREATE TABLE "Box" (id bigint PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE box_1 PARTITION OF "Box" FOR VALUES IN (1) PARTITION BY LIST (id);
CREATE TABLE box_1_1 PARTITION OF box_1 FOR VALUES IN (1);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL);
SELECT modseq.attach('mail', '"Box"') \g /dev/null
DROP TABLE mail;
SELECT failure('INSERT INTO "Box" VALUES (1)');
SELECT modseq.detach('attach."Box"');
INSERT INTO "Box" VALUES (1);
DROP TABLE mail_vanished;

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
