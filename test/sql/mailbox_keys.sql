--
-- Mailbox keys: the overloads of every function that takes one, and keys of other types
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_keys;
SET search_path = t_keys;
\set VERBOSITY terse
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

-- Every function, for one mailbox or for many
SELECT p.proname, array_agg(DISTINCT format_type(p.proargtypes[1], NULL) COLLATE "C") AS mailbox
FROM pg_proc p
WHERE p.pronamespace = 'modseq'::regnamespace
	AND p.proname IN ('status', 'status_many', 'lock', 'lock_many', 'account_lock_many', 'touch', 'changed_since', 'vanished_since', 'unchanged_since', 'resync',
					  'reset_uidvalidity')
GROUP BY 1 ORDER BY 1;

--
-- bigint
--
CREATE TABLE mailbox (id bigint PRIMARY KEY, uidvalidity bigint);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL REFERENCES mailbox, seen boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox (id, uidvalidity) VALUES (1, 71), (2, 72);
INSERT INTO mail (id, mailbox_id) VALUES (1, 1), (2, 1), (3, 2);
DELETE FROM mail WHERE id = 2;
-- Literals with and without quotes, and all types of integers
SELECT highestmodseq FROM modseq.status('mail', 1);
SELECT highestmodseq FROM modseq.status('mail', '1');
SELECT highestmodseq FROM modseq.status('mail', 1::smallint);
SELECT highestmodseq FROM modseq.status('mail', text '1');
SELECT highestmodseq FROM modseq.status('mail', '1'::varchar);
SELECT uid FROM modseq.changed_since('mail', '1', '0');
SELECT modseq.vanished_since('mail', '1', '0', '1:9');
SELECT * FROM modseq.resync('mail', '1', '71', '0', '1:9', '1', '1');
SELECT * FROM modseq.unchanged_since('mail', '1', '1:2', '2');
SELECT uidnext FROM modseq.lock('mail', '1');
SELECT modseq.touch('mail', '1');
-- A text[] of one element is a mailbox, where only one can be given
SELECT modseq.touch('mail', ARRAY['1']);
SELECT modseq.vanished_since('mail', '{1}'::text[], 0);
-- Where many can, it lists them; the column mailbox is of the argument's type
SELECT mailbox, pg_typeof(mailbox), uidnext FROM modseq.status('mail', ARRAY[2, 1]);
SELECT mailbox, pg_typeof(mailbox), uidnext FROM modseq.status('mail', ARRAY['2', '1']);
SELECT mailbox, pg_typeof(mailbox), uidnext FROM modseq.lock('mail', '{2,1}'::text[]);
-- By the name that takes lists alone, also without a type
SELECT mailbox, pg_typeof(mailbox), uidnext FROM modseq.status_many('mail', ARRAY[2, 1]);
SELECT mailbox, pg_typeof(mailbox), uidnext FROM modseq.status_many('mail', '{2,1}');
SELECT mailbox, pg_typeof(mailbox), uidnext FROM modseq.lock_many('mail', '{2,1}');
SELECT * FROM modseq.lock_many('mail', '{}');
PREPARE many AS SELECT mailbox, uidnext FROM modseq.lock_many('mail', $1);
EXECUTE many ('{1,2}');
DEALLOCATE many;
SELECT * FROM modseq.status_many('mail', '1');
SELECT * FROM modseq.lock_many('mail', '{1,2,9}');
SELECT * FROM modseq.lock_many('mail', NULL);
-- Parameters that a driver sends without a type
PREPARE p1 AS SELECT * FROM modseq.status('mail', $1);
PREPARE p2 AS SELECT * FROM modseq.changed_since('mail', $1, $2);
PREPARE p3 AS SELECT modseq.vanished_since('mail', $1, $2, $3);
PREPARE p4 AS SELECT * FROM modseq.resync('mail', $1, $2, $3, $4, $5, $6);
PREPARE p5 AS SELECT * FROM modseq.unchanged_since('mail', $1, $2, $3);
PREPARE p6 AS SELECT * FROM modseq.lock('mail', $1);
PREPARE p7 AS SELECT modseq.touch('mail', $1);
PREPARE p8 AS SELECT highestmodseq FROM modseq.status($1, $2);
SELECT name, parameter_types FROM pg_prepared_statements WHERE name ^@ 'p' ORDER BY name;
EXECUTE p1 ('1');
EXECUTE p2 ('1', '0');
EXECUTE p3 ('1', '0', '1:2');
EXECUTE p4 ('1', '71', '0', NULL, '1', '1');
EXECUTE p5 ('1', '1:2', '2');
EXECUTE p6 ('1');
EXECUTE p7 ('1');
EXECUTE p8 ('mail', '1');
DEALLOCATE ALL;
-- What is no key
SELECT * FROM modseq.status('mail', 'INBOX');
SELECT * FROM modseq.status('mail', '{1,2}');
SELECT * FROM modseq.status('mail', '00000000-0000-0000-0000-000000000001'::uuid);
SELECT * FROM modseq.status('mail', '9223372036854775808');
SELECT * FROM modseq.touch('mail', ARRAY['1', '2']);
SELECT * FROM modseq.status('mail', ARRAY[1, NULL]);
SELECT * FROM modseq.status('mail', ARRAY[['1', '2']]);
DROP TABLE mail, mailbox, mail_vanished;

--
-- uuid
--
CREATE TABLE mailbox (id uuid PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id uuid NOT NULL REFERENCES mailbox, seen boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox (id) VALUES ('00000000-0000-0000-0000-00000000000a'), ('00000000-0000-0000-0000-00000000000b');
INSERT INTO mail (id, mailbox_id) SELECT i, id FROM mailbox, generate_series(1, 2) AS i WHERE id::text ~ 'b$';
SELECT highestmodseq FROM modseq.status('mail', '00000000-0000-0000-0000-00000000000B');
SELECT highestmodseq FROM modseq.status('mail', '{00000000-0000-0000-0000-00000000000b}'::text);
SELECT mailbox, highestmodseq FROM modseq.status('mail', (SELECT array_agg(id ORDER BY id DESC) FROM mailbox));
UPDATE mail SET mailbox_id = '00000000-0000-0000-0000-00000000000a' WHERE id = 1;
SELECT modseq.vanished_since('mail', id, 0) AS vanished, c.* FROM mailbox, modseq.changed_since('mail', id, 0) AS c ORDER BY id;
SELECT * FROM modseq.status('mail', 1);
-- Lists without a type
SELECT failure($$SELECT modseq.status('mail', '{}')$$);
SELECT failure($$SELECT modseq.lock('mail', '{"00000000-0000-0000-0000-00000000000a"}')$$);
SELECT failure($$SELECT modseq.lock('mail',
	'{00000000-0000-0000-0000-00000000000a,00000000-0000-0000-0000-00000000000b}')$$);
SELECT mailbox FROM modseq.status('mail', '{}'::uuid[]);
INSERT INTO mail (id, mailbox_id) VALUES (3, '00000000-0000-0000-0000-00000000000c');
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mailbox, mail_vanished, mail_mailbox;

--
-- Types that differ: the key column of the messages is narrower, or wider, or a domain
--
CREATE DOMAIN folder AS text CHECK (VALUE <> '');
CREATE TABLE mailbox (name folder PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox varchar(20) NOT NULL REFERENCES mailbox, seen boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox (name) VALUES ('INBOX'), ('Sent mail'), ('{1,2}');
INSERT INTO mail (id, mailbox) VALUES (1, 'INBOX'), (2, 'Sent mail'), (3, '{1,2}');
UPDATE mail SET seen = true;
UPDATE mail SET mailbox = 'INBOX' WHERE id = 2;
DELETE FROM mail WHERE id = 3;
SELECT mailbox, uidnext, highestmodseq FROM modseq.status('mail', ARRAY['INBOX', 'Sent mail', '{1,2}']);
SELECT modseq.vanished_since('mail', 'Sent mail', 0), modseq.vanished_since('mail', '{1,2}', 0);
SELECT uidnext FROM modseq.status('mail', '');
SELECT uidnext FROM modseq.status('mail', 'inbox');
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mailbox, mail_vanished, mail_mailbox;
CREATE TABLE mailbox (id smallint PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, mailbox_id bigint NOT NULL, seen boolean);
SELECT modseq.attach('mail', 'mailbox');
INSERT INTO mailbox (id) VALUES (1), (2);
INSERT INTO mail (id, mailbox_id) VALUES (1, 1), (2, 2);
UPDATE mail SET mailbox_id = 2, seen = true WHERE id = 1;
SELECT id, uidnext, highestmodseq, modseq.vanished_since('mail', id, 0) AS vanished FROM mail_mailbox ORDER BY id;
INSERT INTO mail (id, mailbox_id) VALUES (3, 100000);
SELECT * FROM modseq.status('mail', 100000);
SELECT * FROM modseq.check('mail');
DROP TABLE mail, mailbox, mail_vanished, mail_mailbox;

--
-- Several columns
--
CREATE TABLE mailbox (account text, name text, uidvalidity bigint, PRIMARY KEY (account, name));
CREATE TABLE mail (
	id int PRIMARY KEY,
	account text,
	mailbox text,
	seen boolean,
	FOREIGN KEY (account, mailbox) REFERENCES mailbox ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE mail_flag (id int REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag');
SELECT mailbox_key, message_mailbox FROM modseq.stores WHERE message = 'mail'::regclass;
INSERT INTO mailbox VALUES ('alice', 'INBOX', 1), ('alice', 'Trash', 2), ('bob', 'INBOX', 3);
INSERT INTO mail (id, account, mailbox) VALUES (1, 'alice', 'INBOX'), (2, 'alice', 'INBOX'), (3, 'bob', 'INBOX'), (4, 'alice', 'Trash');
UPDATE mail SET seen = true WHERE id = 1;
INSERT INTO mail_flag VALUES (1, '\Flagged'), (3, '\Flagged');
UPDATE mail SET mailbox = 'Trash' WHERE id = 2;
DELETE FROM mail WHERE id = 4;
UPDATE mailbox SET name = 'Deleted' WHERE name = 'Trash';
UPDATE mailbox SET account = 'robert' WHERE account = 'bob';
-- One mailbox; and many, in two dimensions
SELECT * FROM modseq.status('mail', ARRAY['alice', 'INBOX']);
SELECT * FROM modseq.status('mail', ARRAY[['robert', 'INBOX'], ['alice', 'Deleted'], ['carol', 'INBOX'], ['alice', 'INBOX']]);
SELECT * FROM modseq.lock('mail', ARRAY[['robert', 'INBOX'], ['alice', 'Deleted']]);
SELECT * FROM modseq.resync('mail', ARRAY['alice', 'INBOX'], 1, 1);
SELECT * FROM modseq.resync('mail', '{alice,Deleted}'::text[], 2, 1);
SELECT * FROM modseq.unchanged_since('mail', ARRAY['alice', 'Deleted'], '1:2', 3);
SELECT modseq.touch('mail', ARRAY['alice', 'Deleted']);
SELECT modseq.reset_uidvalidity('mail', ARRAY['alice', 'Deleted']) > 2 AS reset;
-- As a literal or parameter without a type
SELECT uidnext FROM modseq.status('mail', '{alice,INBOX}');
SELECT modseq.vanished_since('mail', '{"alice","INBOX"}', 0);
PREPARE composite AS SELECT highestmodseq FROM modseq.status('mail', $1), modseq.touch('mail', $1);
EXECUTE composite ('{alice,INBOX}');
DEALLOCATE composite;
SELECT uidnext FROM modseq.status('mail', '{alice}');
SELECT uidnext FROM modseq.status('mail', '{{alice,INBOX},{alice,Deleted}}');
SELECT uidnext FROM modseq.status('mail', '{alice,NULL}');
SELECT uidnext FROM modseq.status('mail', '{alice');
-- Too few values, or too many
SELECT * FROM modseq.status('mail', 'alice');
SELECT * FROM modseq.status('mail', ARRAY['alice']);
SELECT * FROM modseq.status('mail', ARRAY['alice', 'INBOX', 'x']);
\set VERBOSITY default
SELECT * FROM modseq.status('mail', ARRAY[1, 2]);
\set VERBOSITY terse
SELECT modseq.touch('mail', ARRAY[['alice', 'INBOX'], ['alice', 'Deleted']]);
SELECT * FROM modseq.status('mail', '{}'::text[]);
-- Where a part of the key is null there is no mailbox
INSERT INTO mail (id, account, mailbox) VALUES (5, NULL, 'INBOX');
SELECT failure($$INSERT INTO mail (id, account, mailbox) VALUES (5, 'alice', NULL)$$);
SELECT failure($$UPDATE mail SET mailbox = NULL$$);
INSERT INTO mail (id, account, mailbox) VALUES (5, 'carol', 'INBOX');
SELECT id, account, mailbox, uid, modseq FROM mail ORDER BY id;
SELECT * FROM modseq.check('mail');

-- Rows are in the order of the array, also where no index can find all of the mailboxes
CREATE TABLE parent_box (id int PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE parent_box_0 PARTITION OF parent_box FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parent_box_1 PARTITION OF parent_box FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parent_mail (id int PRIMARY KEY, box int NOT NULL);
SELECT modseq.attach('parent_mail', 'parent_box', counters => 'mailbox', message_mailbox => '{box}');
INSERT INTO parent_box SELECT generate_series(1, 13);
SELECT mailbox FROM modseq.status('parent_mail', ARRAY[9, 3, 12, 5, 1, 2, 5]);

DROP SCHEMA t_keys CASCADE;
