--
-- attach(): names with quotes, capitals, commas and other alphabets; names that are cut
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach;
RESET client_min_messages;
SET search_path = attach;
SET client_encoding = 'UTF8';
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached

-- All of it named, with quotes, capitals, commas and other alphabets; what is missing is added by its name
CREATE SCHEMA "Größe, ""x""";
SET search_path = "Größe, ""x""", attach;
CREATE TABLE "Mail'Box" ("Id, {1}" text NOT NULL UNIQUE);
CREATE TABLE "письмо" ("Ящик" text, "b{uid}" boolean);
CREATE TABLE "метка" ("Ящик" text, "№" bigint, "b" boolean);
INSERT INTO "Mail'Box" VALUES ('INBOX');
INSERT INTO "письмо" VALUES ('INBOX', true);
SELECT modseq.attach('"письмо"', '"Mail''Box"', '"метка"',
	mailbox_key => '{"Id, {1}"}', mailbox_uidvalidity => 'Validity''s', mailbox_uidnext => 'Next "UID"',
	mailbox_highestmodseq => 'Höchste',
	message_mailbox => '{Ящик}', message_uid => '№', message_modseq => 'mod seq', message_created_modseq => 'born',
	message_flags => '{"b{uid}"}', flag_mailbox => '{Ящик}', flag_uid => '№', flag_columns => '{b}');
\x on
SELECT * FROM modseq.stores WHERE message = '"письмо"'::regclass;
\x off
INSERT INTO "письмо" VALUES ('INBOX', false);
UPDATE "письмо" SET "b{uid}" = true WHERE "№" = 2;
DELETE FROM "письмо" WHERE "№" = 1;
SELECT * FROM "письмо";
SELECT "Id, {1}", modseq, uids FROM "письмо_vanished";
SELECT "Id, {1}", "Next ""UID""", "Höchste" FROM "Mail'Box";
SELECT * FROM modseq.check('"письмо"');
SELECT modseq.reset_uidvalidity('"письмо"', 'INBOX') > 0 AS reset;
SELECT modseq.detach('"письмо"');
SET client_min_messages = warning;
DROP SCHEMA "Größe, ""x""" CASCADE;
RESET client_min_messages;
SET search_path = attach;

-- Two long names that are cut at the same byte cannot share a vanished table
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE box2 (id int PRIMARY KEY);
CREATE TABLE "aписьма_письма_письма_письма_папк1" (mailbox_id int, seen boolean);
CREATE TABLE "aписьма_письма_письма_письма_папк2" (mailbox_id int, seen boolean);
SELECT modseq.attach('aписьма_письма_письма_письма_папк1', 'box');
SELECT refusal($$'aписьма_письма_письма_письма_папк2', 'box2'$$);
SELECT vanished, octet_length((parse_ident(vanished::text))[1])
	FROM modseq.stores WHERE mailbox = 'box'::regclass;

SET client_min_messages = warning;
DROP SCHEMA attach CASCADE;
