--
-- Messages that are told apart by several columns, of which others have the same values. Rule "flags"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_message_keys;
SET search_path = t_message_keys;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

-- Which messages, by tenant and id, have another mod-sequence after a command, or are new or gone
CREATE FUNCTION modseqs() RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT jsonb_object_agg(concat_ws('/', tenant, id, 'in ' || box_id), modseq) FROM mail);
END $$;
CREATE FUNCTION changes(command text) RETURNS text LANGUAGE plpgsql SET search_path = t_message_keys AS $$
DECLARE
	before jsonb := modseqs();
	after jsonb;
BEGIN
	EXECUTE command;
	after := modseqs();
	RETURN (
		SELECT string_agg(CASE WHEN before -> key IS NULL THEN '+' WHEN after -> key IS NULL THEN '-' ELSE '' END || key, ', ' ORDER BY key)
		FROM (SELECT jsonb_object_keys(before || after)) AS k (key)
		WHERE before -> key IS DISTINCT FROM after -> key);
END $$;

-- The tables, which may be made in other ways; and what happens to them. Two tenants have a mailbox each and share a
-- third one; their messages have the same ids.
CREATE FUNCTION tables(mail text, flag text, key_type text DEFAULT 'bigint', flag_type text DEFAULT 'bigint') RETURNS void
LANGUAGE plpgsql SET search_path = t_message_keys AS $$
BEGIN
	CREATE TABLE box (id bigint PRIMARY KEY);
	EXECUTE format('CREATE TABLE mail (tenant %1$s NOT NULL, id %1$s NOT NULL, box_id bigint NOT NULL REFERENCES box, gone boolean, %2$s', key_type, mail);
	EXECUTE format('CREATE TABLE flag (flag text, mail_id %1$s, tenant %1$s, %2$s', flag_type, flag);
END $$;
CREATE FUNCTION play() RETURNS TABLE (step text, messages text) LANGUAGE plpgsql SET search_path = t_message_keys AS $$
BEGIN
	INSERT INTO box (id) VALUES (1), (2), (3);
	INSERT INTO mail (tenant, id, box_id) VALUES (1, 1, 1), (1, 2, 1), (2, 1, 2), (2, 2, 2), (1, 3, 3), (2, 3, 3), (1, 4, 3), (2, 4, 3), (2, 0, 2);
	FOR step IN
		SELECT s FROM unnest(ARRAY[
			$s$INSERT INTO flag (tenant, mail_id, flag) VALUES (1, 1, 'a')$s$,
			$s$INSERT INTO flag (tenant, mail_id, flag) VALUES (1, 3, 'a'), (2, 3, 'a'), (2, 3, 'b'), (2, 4, 'a'), (2, 2, 'a')$s$,
			$s$INSERT INTO flag (tenant, mail_id, flag) VALUES (2, 4, 'a') ON CONFLICT DO NOTHING$s$,
			$s$INSERT INTO flag (tenant, mail_id, flag) VALUES (2, 4, 'b') ON CONFLICT DO NOTHING$s$,
			$s$UPDATE flag SET flag = 'c' WHERE (tenant, mail_id, flag) = (2, 3, 'b')$s$,
			$s$UPDATE flag SET flag = flag, tenant = tenant, mail_id = mail_id$s$,
			$s$UPDATE flag SET tenant = 2 WHERE (tenant, mail_id) = (1, 1)$s$,
			$s$UPDATE flag SET mail_id = 2, flag = 'd' WHERE (tenant, mail_id) = (2, 1)$s$,
			$s$INSERT INTO flag (tenant, mail_id, flag) VALUES (NULL, 1, 'n'), (2, NULL, 'n'), (NULL, NULL, 'n')$s$,
			$s$UPDATE flag SET tenant = NULL WHERE (tenant, mail_id) = (1, 3)$s$,
			$s$UPDATE flag SET tenant = 1 WHERE tenant IS NULL AND mail_id = 1$s$,
			$s$DELETE FROM flag WHERE tenant IS NULL OR mail_id IS NULL$s$,
			$s$MERGE INTO flag f USING (VALUES (2, 1, 'm'), (2, 2, 'a')) AS n (tenant, id, flag) ON (f.tenant, f.mail_id, f.flag) = (n.tenant, n.id, n.flag)
				WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (tenant, mail_id, flag) VALUES (n.tenant, n.id, n.flag)$s$,
			$s$WITH moved AS (UPDATE mail SET box_id = 1 WHERE (tenant, id) = (2, 4) RETURNING tenant, id)
				INSERT INTO flag (tenant, mail_id, flag) SELECT tenant, id, 'e' FROM moved$s$,
			$s$UPDATE mail SET gone = true WHERE (tenant, id) = (1, 1)$s$,
			$s$DELETE FROM flag WHERE flag IN ('n', 'm')$s$,
			$s$TRUNCATE flag$s$]) AS s
	LOOP
		messages := changes(step);
		RETURN NEXT;
	END LOOP;
	step := 'sound';
	messages := (SELECT string_agg(problem, ', ') FROM modseq.check('mail'));
	RETURN NEXT;
END $$;

-- By foreign key
SELECT tables('PRIMARY KEY (tenant, id))', 'UNIQUE (tenant, mail_id, flag), FOREIGN KEY (tenant, mail_id) REFERENCES mail ON DELETE CASCADE ON UPDATE CASCADE)');
SELECT modseq.attach('mail', 'box', 'flag', message_expunged => 'gone');
SELECT message_key, flag_message FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT pg_get_triggerdef(oid) ~ 'message_key={tenant,id}'',.*''flag_message={tenant,mail_id}''' AS as_arguments FROM pg_trigger WHERE tgrelid = 'mail'::regclass AND tgname = 'zz_modseq_assign';
-- Which indexes there are
SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN ('mail'::regclass, 'flag'::regclass) ORDER BY indexrelid::regclass::text COLLATE "C";
CREATE TABLE by_foreign_key AS SELECT * FROM play();
SELECT * FROM by_foreign_key;
-- One flag row: one message is written
BEGIN;
SELECT pg_stat_get_xact_tuples_updated('mail'::regclass) AS before \gset
INSERT INTO flag (tenant, mail_id, flag) VALUES (1, 2, 'one');
SELECT pg_stat_get_xact_tuples_updated('mail'::regclass) - :before AS written;
ROLLBACK;
-- A message gets another key, and its flags follow; other tenants' do not
INSERT INTO flag (tenant, mail_id, flag) VALUES (1, 2, 'a'), (2, 2, 'a');
SELECT changes('UPDATE mail SET id = 20 WHERE (tenant, id) = (1, 2)');
SELECT changes('UPDATE mail SET tenant = 3 WHERE (tenant, id) = (1, 20)');
SELECT changes('DELETE FROM flag WHERE (tenant, mail_id) = (3, 20)');
SELECT changes('DELETE FROM mail WHERE (tenant, id) = (2, 2)');
SELECT * FROM modseq.check('mail');

-- In what other ways, with the same outcome
CREATE FUNCTION differences(attach text) RETURNS TABLE (step text, messages text, wanted text) LANGUAGE plpgsql SET search_path = t_message_keys AS $$
BEGIN
	EXECUTE 'SELECT modseq.attach(''mail'', ''box'', ''flag'', message_expunged => ''gone''' || attach || ')';
	RETURN QUERY SELECT p.step, p.messages, b.messages FROM play() AS p FULL JOIN by_foreign_key AS b USING (step) WHERE p.messages IS DISTINCT FROM b.messages;
	DROP TABLE IF EXISTS box, mail, flag, mail_vanished, mail_mailbox;
END $$;
DROP TABLE box, mail, flag, mail_vanished, mail_mailbox;
-- By the primary key and usual names; counters in the mailbox
SELECT tables('PRIMARY KEY (tenant, id))', 'UNIQUE (tenant, mail_id, flag))');
SELECT * FROM differences(', counters => ''mailbox''');
-- By options, in another order than that of any index, and without any key
SELECT tables('PRIMARY KEY (id, tenant))', 'UNIQUE (flag, tenant, mail_id))');
SELECT * FROM differences(', message_key => ''{tenant,id}'', flag_message => ''{tenant,mail_id}''');
SELECT tables('UNIQUE (tenant, id))', 'UNIQUE (flag, tenant, mail_id))');
SELECT * FROM differences(', message_key => ''{id,tenant}'', flag_message => ''{mail_id,tenant}''');
-- Types that differ, and domains over them
CREATE DOMAIN number AS integer;
SELECT tables('PRIMARY KEY (tenant, id))', 'UNIQUE (tenant, mail_id, flag))', 'integer', 'bigint');
SELECT * FROM differences('');
SELECT tables('PRIMARY KEY (tenant, id))', 'UNIQUE (tenant, mail_id, flag))', 'bigint', 'number');
SELECT * FROM differences('');
SELECT tables('PRIMARY KEY (tenant, id))', 'UNIQUE (tenant, mail_id, flag), FOREIGN KEY (tenant, mail_id) REFERENCES mail)', 'number', 'smallint');
SELECT * FROM differences('');
-- Partitions of messages and of flags, by a column of the key and by another
SELECT tables('PRIMARY KEY (tenant, id)) PARTITION BY LIST (tenant)', 'UNIQUE (tenant, mail_id, flag), FOREIGN KEY (tenant, mail_id) REFERENCES mail) PARTITION BY HASH (mail_id, tenant)');
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1);
CREATE TABLE mail_2 (id bigint NOT NULL, dropped text, tenant bigint NOT NULL, gone boolean, box_id bigint NOT NULL);
ALTER TABLE mail_2 DROP dropped;
ALTER TABLE mail ATTACH PARTITION mail_2 FOR VALUES IN (2);
CREATE TABLE flag_0 PARTITION OF flag FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE flag_1 (tenant bigint, mail_id bigint, flag text);
ALTER TABLE flag ATTACH PARTITION flag_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT * FROM differences('');
SELECT tables('PRIMARY KEY (tenant, id, box_id)) PARTITION BY LIST (box_id)', 'UNIQUE (flag, tenant, mail_id)) PARTITION BY LIST (flag)');
CREATE TABLE mail_1 PARTITION OF mail FOR VALUES IN (1, 2);
CREATE TABLE mail_2 PARTITION OF mail DEFAULT;
CREATE TABLE flag_1 PARTITION OF flag FOR VALUES IN ('a', 'b');
CREATE TABLE flag_2 PARTITION OF flag DEFAULT;
SELECT * FROM differences(', message_key => ''{tenant,id}'', flag_message => ''{tenant,mail_id}''');

--
-- Texts, with collations of their own; a key that a mailbox's is part of
--
CREATE COLLATION IF NOT EXISTS nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE box (tenant text, name varchar(20), PRIMARY KEY (tenant, name));
CREATE TABLE mail (tenant text, box varchar(20), id uuid, FOREIGN KEY (tenant, box) REFERENCES box ON UPDATE CASCADE, PRIMARY KEY (tenant, box, id));
CREATE TABLE flag (mail_id uuid, mail_box text, tenant varchar(9), flag text);
SELECT modseq.attach('mail', 'box', 'flag');
SELECT message_mailbox, message_key, flag_message FROM modseq.stores WHERE message = 'mail'::regclass;
INSERT INTO box VALUES ('a', 'INBOX'), ('b', 'INBOX'), ('b', 'Sent');
INSERT INTO mail SELECT tenant, name, '00000000-0000-0000-0000-000000000001' FROM box;
INSERT INTO flag SELECT id, box, tenant, 'seen' FROM mail WHERE box = 'INBOX' AND tenant = 'b';
SELECT tenant, box, uid, modseq FROM mail ORDER BY 1, 2;
-- Without a foreign key, flags stay where the message was
UPDATE box SET name = 'In' WHERE name = 'INBOX';
UPDATE flag SET mail_box = 'In';
INSERT INTO flag SELECT id, box, tenant, 'read' FROM mail WHERE tenant = 'b';
SELECT tenant, box, uid, modseq FROM mail ORDER BY 1, 2;
SELECT * FROM modseq.check('mail');
DROP TABLE box, mail, flag, mail_vanished, mail_mailbox;
CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (tenant text COLLATE nocase, id int, box_id int REFERENCES box, PRIMARY KEY (tenant, id));
CREATE TABLE flag (tenant text COLLATE "C", mail_id int, flag text);
SELECT modseq.attach('mail', 'box', 'flag');
INSERT INTO box VALUES (1);
INSERT INTO mail VALUES ('One', 1, 1), ('Two', 1, 1), ('One', 2, 1);
SELECT changes($$INSERT INTO flag VALUES ('one', 1, 'x')$$);
SELECT changes($$INSERT INTO flag VALUES ('ONE', 1, 'y'), ('TWO', 1, 'y'), ('three', 2, 'y')$$);
SELECT changes($$TRUNCATE flag$$);
DROP TABLE box, mail, flag, mail_vanished, mail_mailbox;

--
-- Messages that are in several mailboxes, whose key is theirs with their tenant
--
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE message (tenant int, id int, seen boolean, PRIMARY KEY (tenant, id));
CREATE TABLE mail (tenant int, id int, box_id bigint NOT NULL REFERENCES box, FOREIGN KEY (id, tenant) REFERENCES message (id, tenant) ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE label (label text, message_tenant int, message_id int, FOREIGN KEY (message_tenant, message_id) REFERENCES message ON UPDATE CASCADE ON DELETE CASCADE);
ALTER TABLE mail ADD message_id int GENERATED ALWAYS AS (id) STORED;
-- Flags in the table of messages
SELECT modseq.attach('mail', 'box', 'message', flag_columns => '{seen}');
SELECT message_key, flag_message FROM modseq.stores WHERE message = 'mail'::regclass;
INSERT INTO box VALUES (1), (2), (3);
INSERT INTO message VALUES (1, 1), (1, 2), (2, 1), (2, 2);
INSERT INTO mail SELECT tenant, message.id, box.id FROM message, box WHERE box.id <> 3 OR tenant = 2;
SELECT changes('UPDATE message SET seen = true WHERE (tenant, id) = (1, 1)');
SELECT changes('UPDATE message SET seen = true WHERE tenant = 2');
-- Another message, of another tenant; and none
SELECT changes('UPDATE mail SET tenant = 2 WHERE (tenant, id) = (1, 1) AND box_id = 2');
SELECT changes('UPDATE mail SET tenant = NULL WHERE id = 1 AND box_id = 2');
SELECT changes('UPDATE message SET seen = false WHERE id = 1');
SELECT changes('UPDATE mail SET tenant = 1 WHERE tenant IS NULL');
-- A message gets another key
SELECT changes('UPDATE message SET tenant = 3 WHERE (tenant, id) = (1, 1)');
SELECT * FROM modseq.check('mail');
-- Flags in a table of their own, both of which refer to the messages; the name of a message's column says so
SELECT modseq.detach('mail', true);
ALTER TABLE mail DROP message_id, ADD message_id int;
UPDATE mail SET message_id = id;
ALTER TABLE mail DROP CONSTRAINT mail_id_tenant_fkey, ADD FOREIGN KEY (tenant, message_id) REFERENCES message;
SELECT modseq.attach('mail', 'box', 'label');
SELECT message_key, flag_message FROM modseq.stores WHERE message = 'mail'::regclass;
SELECT changes($$INSERT INTO label VALUES ('x', 2, 1), ('y', 2, 2)$$);
SELECT changes($$DELETE FROM label WHERE label = 'y'$$);
SELECT * FROM modseq.check('mail');
DROP TABLE box, mail, message, label, mail_vanished, mail_mailbox;
-- In the table of messages, whose key has the same names
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (tenant int, message_id int, box_id bigint NOT NULL REFERENCES box, PRIMARY KEY (box_id, tenant, message_id));
CREATE TABLE message (message_id int, tenant int, seen boolean, PRIMARY KEY (tenant, message_id));
SELECT modseq.attach('mail', 'box', 'message');
SELECT message_key, flag_message FROM modseq.stores WHERE message = 'mail'::regclass;
DROP TABLE box, mail, message, mail_vanished, mail_mailbox;

--
-- How keys are found and kept, and what is refused
--
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (tenant int, id int, box_id bigint NOT NULL REFERENCES box, global int UNIQUE, uid bigint, PRIMARY KEY (tenant, id), UNIQUE (box_id, uid));
CREATE TABLE flag (tenant int, mail_id int, global int, box_id bigint, uid bigint, flag text, FOREIGN KEY (mail_id, tenant) REFERENCES mail (id, tenant));
CREATE FUNCTION attached(options text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT modseq.attach(''mail'', ''box'', ''flag''' || options || ')';
	RETURN (SELECT concat(message_key, ' ', flag_message, ' ', flag_mailbox, ' ', flag_uid) FROM modseq.stores WHERE message = 'mail'::regclass);
END $$;
SELECT attached();
SELECT modseq.detach('mail');
-- In the order of what is given
SELECT attached($$, message_key => '{tenant,id}'$$);
SELECT attached($$, message_key => '{id,tenant}'$$);
SELECT modseq.detach('mail');
SELECT attached($$, flag_message => '{tenant,mail_id}'$$);
SELECT modseq.detach('mail');
-- The fewest columns that tell messages apart
ALTER TABLE flag ADD FOREIGN KEY (global) REFERENCES mail (global);
SELECT attached();
SELECT modseq.detach('mail');
SELECT attached($$, flag_message => '{tenant,mail_id}'$$);
SELECT modseq.detach('mail');
-- A part of the key, or its columns in another order, may be a mistake where a foreign key says otherwise: a warning, and
-- what its hint says
ALTER TABLE flag DROP CONSTRAINT flag_global_fkey;
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT attached($$, message_key => '{id}'$$);
\set VERBOSITY terse
SELECT attached($$, reset => '{flag_message,message_key}'$$);
SELECT attached($$, message_key => '{id,tenant}', flag_message => '{tenant,mail_id}'$$);
SELECT attached($$, message_key => '{tenant,id}', flag_message => '{tenant,mail_id}'$$);
-- No mistake: more than the foreign key has, and columns that it does not name
SELECT attached($$, message_key => '{tenant,id,global}', flag_message => '{tenant,mail_id,global}'$$);
SELECT attached($$, message_key => '{global}', flag_message => '{global}'$$);
SELECT modseq.detach('mail');
ALTER TABLE flag ADD FOREIGN KEY (global) REFERENCES mail (global);
-- Mailbox and UID are no such key
ALTER TABLE flag DROP CONSTRAINT flag_global_fkey, DROP CONSTRAINT flag_mail_id_tenant_fkey, ADD FOREIGN KEY (box_id, uid) REFERENCES mail (box_id, uid);
SELECT attached();
SELECT modseq.detach('mail');
ALTER TABLE flag DROP CONSTRAINT flag_box_id_uid_fkey;
-- One column of several, if one says so
SELECT attached($$, message_key => '{global}', flag_message => '{global}'$$);
-- An option that is not given stays; another order of the same columns is another option
SELECT attached();
SELECT attached($$, reset => '{message_key,flag_message}'$$);
ALTER TABLE mail RENAME tenant TO tenant_no;
SELECT problem FROM modseq.check('mail') WHERE problem ~ '^column';
SELECT failure($$INSERT INTO flag VALUES (1, 1)$$);
SELECT failure('SELECT attached()');
ALTER TABLE flag RENAME tenant TO tenant_no;
SELECT attached();
SELECT problem FROM modseq.check('mail');
ALTER TABLE mail ADD a int, ADD b int, ADD c int;
ALTER TABLE flag ADD a int, ADD b int, ADD c int;
SELECT o AS options, failure('SELECT attached($o$, ' || o || '$o$)')
FROM unnest(ARRAY[
	$$message_key => 'id', flag_message => 'mail_id'$$,
	$$message_key => '{}', flag_message => '{mail_id}'$$,
	$$message_key => '{id,NULL}', flag_message => '{mail_id,tenant_no}'$$,
	$$message_key => '{id,id}', flag_message => '{mail_id,tenant_no}'$$,
	$$message_key => '{id,tenant_no}', flag_message => '{mail_id,mail_id}'$$,
	$$message_key => '{id,tenant_no}', flag_message => '{mail_id}'$$,
	$$message_key => '{id}', flag_message => '{mail_id,tenant_no}'$$,
	$$message_key => '{id,tenant_no}', flag_message => '{mail_id,flag}'$$,
	$$message_key => '{id,nothing}', flag_message => '{mail_id,tenant_no}'$$,
	$$message_key => '{id,tenant_no}', flag_message => '{mail_id,tenant_no}', flag_mailbox => '{box_id}', flag_uid => 'uid'$$,
	$$message_key => '{id,tenant_no,global,box_id,uid,modseq,a,b,c}', flag_message => '{mail_id,tenant_no,global,box_id,uid,flag,a,b,c}'$$]) WITH ORDINALITY AS u (o, no)
ORDER BY no;
-- A type of the same kind is taken up
ALTER TABLE mail ALTER tenant_no TYPE bigint, ALTER id TYPE smallint;
INSERT INTO box VALUES (1);
INSERT INTO mail (tenant_no, id, box_id) VALUES (1, 1, 1), (2, 1, 1);
INSERT INTO flag (tenant_no, mail_id, flag) VALUES (2, 1, 'x');
SELECT tenant_no, id, modseq FROM mail ORDER BY 1;
SELECT failure('ALTER TABLE flag ALTER tenant_no TYPE int USING tenant_no + 1');
SELECT failure('ALTER TABLE mail ALTER tenant_no TYPE text; INSERT INTO flag (tenant_no, mail_id) VALUES (1, 1)');
DROP TABLE box, mail, flag, mail_vanished, mail_mailbox;

--
-- By which index they are found: not by one of the application's on a part of the key, though the planner believes that
-- ids are unique and that the table is small
--
CREATE TABLE box (id bigint PRIMARY KEY);
CREATE TABLE mail (tenant int, id int, box_id bigint NOT NULL, PRIMARY KEY (id, tenant)) WITH (autovacuum_enabled = off);
CREATE INDEX mail_by_id ON mail (id);
CREATE INDEX mail_by_tenant ON mail (tenant);
CREATE TABLE flag (tenant int, mail_id int, flag text);
SELECT modseq.attach('mail', 'box', 'flag', message_key => '{tenant,id}');
INSERT INTO box SELECT generate_series(1, 2000);
INSERT INTO mail SELECT 0, i, 1 FROM generate_series(1, 3) AS i;
ALTER TABLE mail ALTER id SET (n_distinct = -1), ALTER tenant SET (n_distinct = 1);
ANALYZE mail;
-- The plans are made now
INSERT INTO flag VALUES (0, 1, 'x');
INSERT INTO flag VALUES (0, 2, 'x'), (0, 3, 'x');
INSERT INTO mail SELECT tenant, id, tenant FROM generate_series(1, 2000) AS tenant, generate_series(1, 3) AS id;
CREATE VIEW reads AS
	SELECT pg_stat_get_xact_tuples_returned('mail_pkey'::regclass) AS by_key,
		pg_stat_get_xact_tuples_returned('mail_by_id'::regclass) + pg_stat_get_xact_tuples_returned('mail_by_tenant'::regclass) AS by_part,
		pg_stat_get_xact_tuples_returned('mail'::regclass) AS scanned;
CREATE FUNCTION read_by(command text, OUT few_by_key boolean, OUT by_part bigint, OUT scanned bigint) LANGUAGE plpgsql AS $$
DECLARE
	before reads;
	after reads;
BEGIN
	SELECT * INTO before FROM reads;
	EXECUTE command;
	SELECT * INTO after FROM reads;
	few_by_key := after.by_key - before.by_key BETWEEN 1 AND 5000;
	by_part := after.by_part - before.by_part;
	scanned := after.scanned - before.scanned;
END $$;
SELECT command, r.*
FROM unnest(ARRAY[
	$$INSERT INTO flag VALUES (1000, 1, 'x')$$,
	$$INSERT INTO flag SELECT i, 2, 'x' FROM generate_series(1, 1000) AS i$$]) AS command, read_by(command) AS r;
-- And under the lock
BEGIN;
SELECT count(*) FROM modseq.lock('mail', ARRAY(SELECT id FROM box));
SELECT command, r.*
FROM unnest(ARRAY[
	$$INSERT INTO flag VALUES (1000, 3, 'x')$$,
	$$INSERT INTO flag SELECT i, 3, 'x' FROM generate_series(1, 1000) AS i$$]) AS command, read_by(command) AS r;
ROLLBACK;
SELECT count(*) FILTER (WHERE modseq > 2) AS stamped, count(*) FROM mail WHERE tenant BETWEEN 1 AND 1000;
-- A session that has not planned them yet
\c
SET search_path = t_message_keys;
SET client_min_messages = warning;
SELECT command, r.*
FROM unnest(ARRAY[
	$$INSERT INTO flag VALUES (1000, 3, 'x')$$,
	$$INSERT INTO flag SELECT i, 1, 'x' FROM generate_series(1001, 2000) AS i$$]) AS command, read_by(command) AS r;
-- Without an index on the whole key they are found in some other way
DROP VIEW reads CASCADE;
ALTER TABLE mail DROP CONSTRAINT mail_pkey;
SELECT problem FROM modseq.check('mail');
BEGIN;
SELECT pg_stat_get_xact_tuples_updated('mail'::regclass) AS before \gset
INSERT INTO flag VALUES (7, 2, 'y'), (8, 2, 'y');
SELECT pg_stat_get_xact_tuples_updated('mail'::regclass) - :before AS written;
COMMIT;
DROP TABLE box, mail, flag, mail_vanished, mail_mailbox;
