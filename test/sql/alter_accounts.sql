--
-- DDL that changes what accounts are told of their mailboxes, without any UPDATE
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA alter_accounts;
SET search_path = alter_accounts;
CREATE TYPE role AS ENUM ('Inbox', 'sent');
CREATE TABLE box (id int PRIMARY KEY, owner text NOT NULL, name text, role role, parent int);
CREATE TABLE mail (id int PRIMARY KEY, box_id int NOT NULL REFERENCES box ON DELETE CASCADE, seen boolean);
INSERT INTO box VALUES (1, 'ann', 'a', 'Inbox'), (2, 'ann', 'b', 'sent'), (3, 'bob', 'c', 'Inbox');
INSERT INTO mail SELECT i, 1 + i % 3 FROM generate_series(1, 6) AS i;
-- How many mailboxes have changed by a command, and how many values that took; Emails have not
CREATE FUNCTION told(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	emails bigint;
	mailboxes bigint;
BEGIN
	SELECT sum(highestmodseq), sum(email_modseq) INTO n, emails FROM mail_account;
	EXECUTE command;
	EXECUTE format('SELECT count(*) FROM %s b JOIN mail_account a USING (owner)
		WHERE b.properties_modseq = a.highestmodseq AND b.highestmodseq = a.highestmodseq AND a.mailbox_modseq = a.highestmodseq
			AND $1 < (SELECT sum(highestmodseq) FROM mail_account)', coalesce(
		(SELECT counters FROM modseq.stores WHERE message = 'mail'::regclass), 'box'))
		INTO mailboxes USING n;
	RETURN concat_ws(' ', mailboxes, 'mailboxes',
		(SELECT sum(highestmodseq) - n FROM mail_account), 'values',
		(SELECT sum(email_modseq) - emails FROM mail_account), 'for Emails',
		(SELECT string_agg(problem, ', ') FROM modseq.check('mail')));
END $$;
SELECT modseq.attach('mail', 'box', account => '{owner}');
SELECT command, told(command) FROM unnest(ARRAY[
	$$ALTER TABLE box ALTER name TYPE text USING upper(name)$$,
	$$ALTER TABLE box ALTER name TYPE varchar$$,
	$$ALTER TABLE box ALTER name SET DEFAULT 'x'$$,
	$$ALTER TABLE box ADD sort int DEFAULT 7$$,
	$$ALTER TABLE box ADD note text$$,
	$$ALTER TABLE box DROP sort$$,
	$$ALTER TYPE role RENAME VALUE 'Inbox' TO 'inbox'$$]) AS command;
-- Only those that are told
SELECT modseq.attach('mail', mailbox_properties => '{name,role}', counters => 'mailbox');
SELECT command, told(command) FROM unnest(ARRAY[
	$$ALTER TABLE box ALTER name TYPE text USING lower(name)$$,
	$$ALTER TABLE box ALTER note TYPE text USING 'a note'$$,
	$$ALTER TABLE box ADD sort int DEFAULT 7$$,
	$$ALTER TYPE role RENAME VALUE 'sent' TO 'Sent'$$]) AS command;
-- A message in its notice
RESET client_min_messages;
ALTER TABLE box ALTER name TYPE text USING upper(name);
SET client_min_messages = warning;
-- Nobody is told of anything where there are no accounts
SELECT modseq.attach('mail', reset => '{account}');
RESET client_min_messages;
ALTER TABLE box ALTER name TYPE text USING lower(name);
ALTER TYPE role RENAME VALUE 'Sent' TO 'sent';
SET client_min_messages = warning;
DROP SCHEMA alter_accounts CASCADE;
