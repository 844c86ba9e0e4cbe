--
-- attach(): accounts. The tables of their states and of what has left them; columns and indexes beside the counters, wherever
-- these are; a store becomes one with accounts and back; what went unseen forgets all states, and nothing else does
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA attach_accounts;
SET search_path = attach_accounts;
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set attached :test /include/attached.sql
\i :attached
CREATE FUNCTION store(message regclass) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', s.account, s.account_table, s.departed, s.email, s.thread, s.mailbox_properties, s.message_created_modseq)
	FROM modseq.stores s WHERE s.message = store.message $$;
CREATE FUNCTION columns(relation text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END, ', '
		ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = to_regclass(relation) AND attnum > 0 AND NOT attisdropped $$;
CREATE FUNCTION indexes(relation text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(pg_get_indexdef(indexrelid), '.* USING ', '') FROM pg_index WHERE indrelid = to_regclass(relation) ORDER BY 1 $$;
-- What clients have a token of; a token of another epoch, or of before the floor, is good for nothing
CREATE TABLE known (account text, epoch bigint, floor bigint, highestmodseq bigint);
CREATE PROCEDURE remember() LANGUAGE plpgsql AS $$ BEGIN
	DELETE FROM known;
	INSERT INTO known SELECT to_jsonb(a) ->> 'owner', epoch, floor, highestmodseq FROM mail_account a;
END $$;
CREATE FUNCTION states() RETURNS TABLE (account text, states text) LANGUAGE plpgsql AS $$ BEGIN
	RETURN QUERY SELECT to_jsonb(a) ->> 'owner', CASE
		WHEN k.epoch IS NULL THEN 'new'
		WHEN k.epoch <> a.epoch THEN 'anew'
		WHEN a.floor > k.highestmodseq THEN 'forgotten'
		WHEN a.floor = k.floor AND a.highestmodseq = k.highestmodseq THEN 'kept' ELSE 'changed' END
	FROM mail_account a LEFT JOIN known k ON k.account IS NOT DISTINCT FROM to_jsonb(a) ->> 'owner' ORDER BY 1;
END $$;

-- What comes of the options: existing messages and mailboxes, each account from the highest of its mailboxes on
CREATE TABLE box (id bigint PRIMARY KEY, owner varchar(20) COLLATE "C" NOT NULL, name text, parent bigint);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box ON DELETE CASCADE, conversation uuid, seen boolean);
INSERT INTO box VALUES (1, 'ann', 'INBOX'), (2, 'ann', 'Sent'), (3, 'bob', 'INBOX');
INSERT INTO mail SELECT i, 1 + i % 3, gen_random_uuid() FROM generate_series(1, 10) AS i;
BEGIN;
SELECT modseq.attach('mail', 'box');
UPDATE mail SET seen = true WHERE box_id IN (1, 3);
UPDATE mail SET seen = false WHERE box_id = 1;
RESET client_min_messages;
SELECT modseq.attach('mail', account => '{owner}', thread => 'conversation');
SET client_min_messages = warning;
SELECT store('mail');
SELECT columns('mail_account');
SELECT columns('mail_departed');
SELECT columns('mail_mailbox');
SELECT columns('box'), columns('mail');
SELECT unnest(ARRAY['mail', 'mail_mailbox', 'mail_account', 'mail_departed']) AS relation,
	indexes(unnest(ARRAY['mail', 'mail_mailbox', 'mail_account', 'mail_departed']));
SELECT tgname, tgfoid::regproc, tgtype FROM pg_trigger WHERE tgrelid = 'mail_account'::regclass ORDER BY 1;
SELECT relname, reloptions, obj_description(oid) FROM pg_class
WHERE oid IN ('mail_account'::regclass, 'mail_departed'::regclass) ORDER BY 1;
SELECT owner, epoch > 0 AS epoch, highestmodseq, email_modseq, thread_modseq, mailbox_modseq, floor FROM mail_account ORDER BY 1;
SELECT id, owner, highestmodseq, created_modseq, properties_modseq FROM mail_mailbox ORDER BY 1;
SELECT count(*) FROM mail WHERE created_modseq BETWEEN 1 AND modseq;
SELECT * FROM modseq.check('mail');
-- Once more: nothing changes for anybody
CALL remember();
SELECT modseq.attach('mail', 'box');
SELECT modseq.attach('mail', notify => true);
SELECT modseq.attach('mail', thread => 'conversation', account => '{owner}', email => 'id');
SELECT * FROM states();
ROLLBACK;

-- A store of its own right
SELECT modseq.attach('mail', 'box', account => '{owner}', mailbox_properties => '{name,parent}');
SELECT store('mail');
SELECT columns('mail_departed');
-- As if mailboxes that are gone had got higher ones
UPDATE mail_account SET highestmodseq = 50;
CALL remember();
-- The others keep theirs when one has changed unseen: UIDs that were lost, messages that have no mod-sequence
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM mail WHERE box_id = 3;
RESET session_replication_role;
SELECT modseq.attach('mail');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
-- Other flags: all messages that have one are others now
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE mail SET seen = true WHERE box_id = 2;
RESET session_replication_role;
SELECT modseq.attach('mail', message_flags => '{}');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
-- While a trigger was off anything may have happened; so it may while the store was detached, or had another account
BEGIN;
ALTER TABLE mail DISABLE TRIGGER modseq_collect;
SELECT modseq.attach('mail');
SELECT * FROM states();
ROLLBACK;
BEGIN;
SELECT modseq.detach('mail');
SELECT columns('mail_account');
INSERT INTO mail VALUES (100, 1), (101, 3);
INSERT INTO box VALUES (4, 'cid');
DELETE FROM box WHERE id = 2;
UPDATE box SET owner = 'bob' WHERE id = 1;
SELECT modseq.attach('mail', 'box', account => '{owner}');
SELECT * FROM states();
SELECT id, owner FROM mail_mailbox ORDER BY 1;
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
SELECT modseq.attach('mail', account => '{owner,parent}');
SELECT columns('mail_account'), columns('mail_mailbox');
ROLLBACK;
BEGIN;
UPDATE box SET parent = 0;
RESET client_min_messages;
SELECT modseq.attach('mail', account => '{owner,parent}');
SET client_min_messages = warning;
SELECT columns('mail_account'), columns('mail_mailbox');
SELECT columns('mail_departed');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
SELECT modseq.attach('mail', email => 'seen', thread => 'conversation');
ROLLBACK;
BEGIN;
SELECT modseq.attach('mail', thread => 'conversation');
SELECT columns('mail_departed');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
-- What a property is now may have changed unseen; what is none any more needs nothing
BEGIN;
SELECT modseq.attach('mail', mailbox_properties => '{name}');
SELECT * FROM states();
SELECT modseq.attach('mail', mailbox_properties => '{name,parent}');
SELECT * FROM states();
CALL remember();
SELECT modseq.attach('mail', reset => '{mailbox_properties}');
SELECT * FROM states();
CALL remember();
SELECT modseq.attach('mail', mailbox_properties => '{name,parent}');
SELECT * FROM states();
ROLLBACK;
-- A mailbox that came, or went, in replica mode
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO box VALUES (4, 'cid');
UPDATE box SET owner = 'cid' WHERE id = 3;
RESET session_replication_role;
SELECT * FROM modseq.check('mail');
SELECT modseq.attach('mail');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;

BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE box SET owner = 'bob' WHERE id = 2;
RESET session_replication_role;
SELECT modseq.attach('mail');
SELECT * FROM states();
SELECT id, owner FROM mail_mailbox ORDER BY 1;
ROLLBACK;
BEGIN;
SELECT modseq.attach('mail', account => '{}');
CALL remember();
SELECT modseq.attach('mail');
SELECT * FROM states();
SET LOCAL session_replication_role = replica;
INSERT INTO box VALUES (4, 'cid');
RESET session_replication_role;
SELECT modseq.attach('mail');
SELECT * FROM states();
CALL remember();
SET LOCAL session_replication_role = replica;
DELETE FROM box WHERE id = 4;
RESET session_replication_role;
SELECT modseq.attach('mail');
SELECT * FROM states();
ROLLBACK;

-- The counters go to the mailbox table, and back
BEGIN;
CREATE INDEX of_the_application ON box (owner);
RESET client_min_messages;
SELECT modseq.attach('mail', counters => 'mailbox');
SET client_min_messages = warning;
SELECT columns('box'), indexes('box');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
RESET client_min_messages;
SELECT modseq.attach('mail', counters => 'beside');
SET client_min_messages = warning;
SELECT columns('box'), columns('mail_mailbox');
SELECT * FROM modseq.check('mail');
ROLLBACK;

-- No accounts any more, and accounts again; with the counters in either place
RESET client_min_messages;
SELECT modseq.attach('mail', reset => '{account}');
SELECT store('mail');
SELECT columns('mail_mailbox'), columns('mail_account'), columns('mail_departed'), columns('box'), columns('mail');
SELECT unnest(ARRAY['mail', 'mail_mailbox']) AS relation, indexes(unnest(ARRAY['mail', 'mail_mailbox']));
SELECT * FROM modseq.check('mail');
SELECT modseq.attach('mail', account => '{}', counters => 'mailbox');
SELECT store('mail');
SELECT columns('mail_account');
SELECT columns('mail_departed');
SELECT indexes('box');
SELECT one, highestmodseq, floor FROM mail_account;
SELECT failure('INSERT INTO mail_account VALUES (false, 1)');
SELECT * FROM modseq.check('mail');
CALL remember();
SELECT modseq.attach('mail');
SELECT * FROM states();
SELECT modseq.attach('mail', reset => '{account}');
SELECT columns('box'), indexes('box');
SELECT modseq.attach('mail', account => '{owner}');
SELECT modseq.detach('mail', remove => true);
SET client_min_messages = warning;
SELECT columns('box'), columns('mail'), columns('mail_account'), columns('mail_departed'), columns('mail_mailbox');

-- Renamed: what the account is called, the tables; another type of the same kind
SELECT modseq.attach('mail', 'box', account => '{owner}');
CALL remember();
BEGIN;
ALTER TABLE box ALTER owner TYPE text COLLATE "C";
SELECT modseq.attach('mail');
SELECT columns('mail_account'), columns('mail_mailbox'), columns('mail_departed');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
ALTER TABLE mail ALTER id TYPE int;
SELECT failure('INSERT INTO mail VALUES (200, 1)');
SELECT problem FROM modseq.check('mail');
SELECT modseq.attach('mail');
SELECT columns('mail_departed');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
ALTER TABLE box RENAME owner TO user_name;
SELECT failure('INSERT INTO mail VALUES (200, 1)');
SELECT refusal($$'mail'$$);
SELECT modseq.attach('mail', account => '{user_name}');
SELECT columns('mail_account'), columns('mail_mailbox'), columns('mail_departed');
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
ALTER TABLE mail RENAME TO letter;
SELECT failure('INSERT INTO letter VALUES (200, 1)');
SELECT failure($$INSERT INTO box VALUES (200, 'ann')$$);
SELECT modseq.attach('letter');
SELECT store('letter');
SELECT * FROM states();
SELECT * FROM modseq.check('letter');
ROLLBACK;
BEGIN;
ALTER TABLE mail_account RENAME TO tenant;
SELECT failure('INSERT INTO mail VALUES (200, 1)');
SELECT modseq.attach('mail');
SELECT store('mail');
SELECT EXISTS (SELECT FROM tenant a JOIN known k USING (epoch, floor) WHERE a.owner = k.account) AS kept;
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
ALTER SCHEMA attach_accounts RENAME TO elsewhere;
SET LOCAL search_path = elsewhere;
SELECT failure('INSERT INTO mail VALUES (200, 1)');
SELECT failure($$UPDATE box SET name = 'x'$$);
SELECT modseq.attach('mail', 'box');
SELECT store('mail');
SELECT * FROM states();
ROLLBACK;
-- Lost: made anew, and no state of before is good
BEGIN;
DROP TABLE mail_departed;
SELECT failure('INSERT INTO mail VALUES (200, 1)');
SELECT problem FROM modseq.check('mail');
SELECT modseq.attach('mail');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
DROP TABLE mail_account;
SELECT problem FROM modseq.check('mail');
SELECT modseq.attach('mail');
SELECT * FROM states();
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
ALTER TABLE mail_account DROP floor;
SELECT failure('INSERT INTO mail VALUES (200, 1)');
SELECT problem FROM modseq.check('mail');
SELECT modseq.attach('mail');
SELECT * FROM states();
ROLLBACK;
BEGIN;
ALTER TABLE mail_mailbox DROP created_modseq;
SELECT failure('INSERT INTO mail VALUES (200, 1)');
SELECT modseq.attach('mail');
SELECT * FROM modseq.check('mail');
ROLLBACK;
BEGIN;
ALTER TABLE mail_account DISABLE TRIGGER modseq_account;
DROP INDEX mail_mailbox_owner_highestmodseq_idx, mail_departed_owner_modseq_idx;
SELECT problem FROM modseq.check('mail');
SELECT modseq.attach('mail');
SELECT * FROM modseq.check('mail');
ROLLBACK;
-- After detach() they are left, as the vanished table is
SELECT modseq.detach('mail');
BEGIN;
ALTER TABLE mail_account ADD note text;
SELECT refusal($$'mail', 'box', account => '{owner}'$$);
ROLLBACK;
DROP TABLE mail, mail_mailbox, mail_vanished, mail_account, mail_departed, box;

-- What an Email is: the message's key, or what of it does not name the mailbox
CREATE TABLE tenant (id int PRIMARY KEY);
CREATE TABLE box (tenant int, id int, PRIMARY KEY (tenant, id));
CREATE TABLE letter (id uuid PRIMARY KEY, seen boolean);
CREATE TABLE alone (id int PRIMARY KEY, tenant int, box_id int, seen boolean);
CREATE TABLE member (tenant int, box_id int, letter_id uuid, seen boolean, PRIMARY KEY (tenant, box_id, letter_id));
CREATE TABLE shared (tenant int, box_id int, letter_id uuid REFERENCES letter, PRIMARY KEY (tenant, box_id, letter_id));
CREATE TABLE surrogate (id int PRIMARY KEY, tenant int, box_id int, letter_id uuid, seen boolean);
CREATE TABLE no_key (tenant int, box_id int, letter_id uuid, seen boolean);
CREATE FUNCTION email(arguments text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT string_agg(o, ' ') FROM attached(arguments || $a$, message_mailbox => '{tenant,box_id}'$a$) AS o WHERE o ~ '^(account=|email)');
END $$;
SELECT arguments, email(arguments) FROM unnest(ARRAY[
	$$'alone', 'box', account => '{tenant}'$$,
	$$'member', 'box', account => '{tenant}'$$,
	$$'shared', 'box', 'letter', account => '{tenant}'$$,
	$$'surrogate', 'box', account => '{tenant}'$$,
	$$'surrogate', 'box', account => '{tenant}', email => 'letter_id'$$,
	$$'no_key', 'box', account => '{tenant,id}', email => 'letter_id'$$,
	$$'no_key', 'box', account => '{}', email => 'letter_id'$$]) AS arguments;
SELECT modseq.attach('member', 'box', message_mailbox => '{tenant,box_id}', account => '{tenant}');
SELECT columns('member_mailbox'), columns('member_account');
SELECT columns('member_departed');
SELECT * FROM modseq.check('member');
SELECT modseq.detach('member', remove => true);
-- With a side table of the application's, the account must be in the key that its rows are made with
CREATE TABLE side (tenant int, id int, uidvalidity bigint, uidnext bigint, modseq bigint, PRIMARY KEY (tenant, id));
SELECT refusal($$'alone', 'side', mailbox_source => 'box', message_mailbox => '{tenant,box_id}', account => '{uidnext}'$$);
ALTER TABLE side ADD realm int;
SELECT refusal($$'alone', 'side', mailbox_source => 'box', message_mailbox => '{tenant,box_id}', account => '{realm}'$$);
INSERT INTO box VALUES (1, 1);
SELECT modseq.attach('alone', 'side', mailbox_source => 'box', message_mailbox => '{tenant,box_id}', account => '{tenant}');
SELECT columns('side'), columns('alone_account');
SELECT tenant, highestmodseq FROM alone_account;
SELECT * FROM modseq.check('alone');
SELECT modseq.detach('alone', remove => true);

-- An application that calls a table of its own so has another one of ours
CREATE TABLE alone_account (id int PRIMARY KEY);
SELECT modseq.attach('alone', 'box', message_mailbox => '{tenant,box_id}', account => '{tenant}');
SELECT store('alone');
SELECT modseq.attach('alone');
SELECT store('alone');
SELECT modseq.detach('alone', remove => true);
SELECT columns('alone_account');

-- Refused
ALTER TABLE alone ADD twice int GENERATED ALWAYS AS (id * 2) STORED, ADD place point, ADD list int[], ADD thread int;
ALTER TABLE box ADD epoch int, ADD created_modseq int, ADD place point, ADD document json;
INSERT INTO alone VALUES (1, 1, 1);
SELECT arguments, refusal(arguments || $$, message_mailbox => '{tenant,box_id}'$$) FROM unnest(ARRAY[
	$$'alone', 'box', email => 'id'$$,
	$$'alone', 'box', mailbox_properties => '{epoch}'$$,
	$$'alone', 'box', account => '{NULL}'$$,
	$$'alone', 'box', account => '{nobody}'$$,
	$$'alone', 'box', account => '{tenant,tenant}'$$,
	$$'alone', 'box', account => '{epoch}'$$,
	$$'alone', 'box', account => '{place}'$$,
	$$'alone', 'box', account => '{tenant}', mailbox_properties => '{}'$$,
	$$'alone', 'box', account => '{tenant}', mailbox_properties => '{nothing}'$$,
	$$'alone', 'box', account => '{tenant}', email => 'twice'$$,
	$$'alone', 'box', account => '{tenant}', email => 'place'$$,
	$$'alone', 'box', account => '{tenant}', email => 'list'$$,
	$$'alone', 'box', account => '{tenant}', thread => 'thread'$$,
	$$'alone', 'box', account => '{tenant}', counters => 'mailbox'$$,
	$$'alone', 'box', reset => '{account_table}'$$,
	$$'no_key', 'box', account => '{tenant}'$$]) AS arguments;
-- Properties may be of any type
SELECT modseq.attach('alone', 'box', message_mailbox => '{tenant,box_id}', account => '{tenant}', mailbox_properties => '{document,place}');
UPDATE box SET document = '1';
SELECT refusal($$'alone', account => '{epoch}'$$);
SELECT modseq.detach('alone', remove => true);
-- Nobody has no account, no Email, and no Thread
ALTER TABLE box RENAME epoch TO realm;
SELECT refusal($$'alone', 'box', message_mailbox => '{tenant,box_id}', account => '{tenant,realm}'$$);
UPDATE box SET realm = 1;
SELECT modseq.attach('alone', 'box', message_mailbox => '{tenant,box_id}', account => '{tenant,realm}');
SELECT tenant, realm FROM alone_account_state;
SELECT modseq.detach('alone', remove => true);
INSERT INTO no_key VALUES (1, 1);
SELECT refusal($$'no_key', 'box', message_mailbox => '{tenant,box_id}', account => '{tenant}', email => 'letter_id'$$);

-- Counters that are remembered have been seen to go
CREATE TABLE mail (id int PRIMARY KEY, tenant int, box_id int, seen boolean);
UPDATE alone SET box_id = NULL;
TRUNCATE box;
INSERT INTO box VALUES (1, 1), (1, 2);
SELECT modseq.attach('mail', 'box', message_mailbox => '{tenant,box_id}', account => '{tenant}');
INSERT INTO mail VALUES (1, 1, 2);
DELETE FROM box WHERE id = 2;
DELETE FROM mail;
SELECT id, gone_at IS NOT NULL AS gone FROM mail_mailbox ORDER BY 1;
CALL remember();
SELECT modseq.attach('mail');
SELECT * FROM states();
SELECT id, gone_at IS NOT NULL AS gone FROM mail_mailbox ORDER BY 1;
SELECT * FROM modseq.check('mail');

-- All of it partitioned; with and without counters in the mailbox table
CREATE TABLE part_box (tenant int, id int, name text, PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant);
CREATE TABLE part_box_1 PARTITION OF part_box FOR VALUES IN (1);
CREATE TABLE part_box_2 PARTITION OF part_box FOR VALUES IN (2);
CREATE TABLE part_mail (day int, id int, tenant int, box_id int, seen boolean, thread text NOT NULL DEFAULT 't', PRIMARY KEY (day, id),
	FOREIGN KEY (tenant, box_id) REFERENCES part_box ON DELETE CASCADE) PARTITION BY RANGE (day);
CREATE TABLE part_mail_old (thread text NOT NULL, seen boolean, tenant int, box_id int, id int NOT NULL, day int NOT NULL);
ALTER TABLE part_mail ATTACH PARTITION part_mail_old FOR VALUES FROM (0) TO (10);
CREATE TABLE part_mail_new PARTITION OF part_mail DEFAULT;
INSERT INTO part_box VALUES (1, 1), (1, 2), (2, 1);
INSERT INTO part_mail SELECT i, i, 1 + i % 2, 1 FROM generate_series(1, 20) AS i;
SELECT modseq.attach('part_mail', 'part_box', account => '{tenant}', thread => 'thread');
SELECT store('part_mail');
SELECT relation, indexes(relation) FROM unnest('{part_mail,part_mail_old,part_mail_new,part_mail_mailbox}'::text[]) AS relation;
SELECT * FROM modseq.check('part_mail');
SELECT modseq.attach('part_mail', counters => 'mailbox');
SELECT relation, indexes(relation) FROM unnest('{part_box,part_box_1,part_box_2}'::text[]) AS relation;
SELECT * FROM modseq.check('part_mail');
SELECT modseq.attach('part_mail', reset => '{account}');
SELECT relation, indexes(relation) FROM unnest('{part_mail_old,part_mail_new,part_box_1}'::text[]) AS relation;
SELECT * FROM modseq.check('part_mail');

DROP SCHEMA attach_accounts CASCADE;
