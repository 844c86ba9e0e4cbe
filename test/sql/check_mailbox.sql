--
-- check(store, mailbox): what check(store) says of one mailbox, and nothing of another
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA check_mailbox;
SET search_path = check_mailbox;
\set SHOW_CONTEXT never
\pset null '(null)'
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure

CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (id int PRIMARY KEY, box_id int REFERENCES box, created_modseq bigint);
SELECT modseq.attach('mail', 'box', changes => 'log') IS NOT NULL AS attached;
INSERT INTO box VALUES (1), (2), (3);
INSERT INTO mail (id, box_id) SELECT n, 1 + n % 2 FROM generate_series(1, 8) AS n;
DELETE FROM mail WHERE id <= 2;
SELECT * FROM modseq.check('mail', 1);

-- The same of each mailbox as check() of all, whatever is broken; and nothing of the others
CREATE FUNCTION compared(VARIADIC commands text[]) RETURNS TABLE (mailbox text, uid bigint, problem text, alone boolean)
LANGUAGE plpgsql AS $$
DECLARE
	command text;
	problems jsonb;
BEGIN
	PERFORM set_config('session_replication_role', 'replica', true);
	FOREACH command IN ARRAY commands LOOP
		EXECUTE command;
	END LOOP;
	SELECT jsonb_agg(p) INTO problems
	FROM (
		SELECT coalesce(a.mailbox, o.mailbox) AS mailbox, coalesce(a.uid, o.uid) AS uid,
			coalesce(a.problem, o.problem) AS problem, a.problem IS NOT NULL AND o.problem IS NOT NULL AS alone
		FROM modseq.check('mail') a FULL JOIN (
			SELECT b AS box, c.* FROM generate_series(1, 4) AS b, modseq.check('mail', b) c WHERE b < 4 OR EXISTS (
				SELECT FROM mail WHERE box_id = 4)) o
		ON a.mailbox = o.box::text AND a.mailbox = o.mailbox AND a.uid IS NOT DISTINCT FROM o.uid AND a.problem = o.problem) p;
	RAISE 'undo' USING ERRCODE = 'MS001';
EXCEPTION WHEN SQLSTATE 'MS001' THEN
	RETURN QUERY SELECT p.mailbox, p.uid, p.problem, p.alone
		FROM jsonb_to_recordset(problems) AS p (mailbox text, uid bigint, problem text, alone boolean)
		ORDER BY p.mailbox COLLATE "C", p.uid, p.problem COLLATE "C";
END $$;

SELECT * FROM compared('UPDATE mail_mailbox SET uidvalidity = 0 WHERE id = 1', 'UPDATE mail_mailbox SET uidnext = 4294967297 WHERE id = 2');
SELECT * FROM compared('UPDATE mail SET uid = 0 WHERE id = 3', 'UPDATE mail SET uid = 99 WHERE id = 4');
SELECT * FROM compared('UPDATE mail SET modseq = 0 WHERE id = 3', 'UPDATE mail SET modseq = 99 WHERE id = 4');
SELECT * FROM compared('DROP INDEX mail_box_id_uid_idx', 'UPDATE mail SET uid = 3 WHERE id IN (3, 5)');
SELECT * FROM compared('INSERT INTO mail_vanished (id, modseq, uids) VALUES (1, 99, ''3'')');
SELECT * FROM compared('DELETE FROM mail_vanished');
SELECT * FROM compared('DELETE FROM mail WHERE id IN (3, 4)');
SELECT * FROM compared('DELETE FROM mail_mailbox WHERE id = 1');
SELECT * FROM compared('DELETE FROM box WHERE id = 2');
SELECT * FROM compared('INSERT INTO mail (id, box_id, uid, modseq) VALUES (99, 4, 1, 1)');

-- One that is not there, and keys of all kinds
SELECT failure($$SELECT modseq.check('mail', 9)$$);
SELECT failure($$SELECT modseq.check('mail', NULL::bigint)$$);
SELECT failure($$SELECT modseq.check('mail', ARRAY[NULL])$$);
SELECT failure($$SELECT modseq.check('mail', '{1,2}'::text[])$$);
SELECT failure($$SELECT modseq.check('mail', 'x')$$);
SELECT modseq.check('mail', 1), modseq.check('mail', '2'), modseq.check('mail', ARRAY['3']);

CREATE TABLE folder (owner uuid, name text, PRIMARY KEY (owner, name));
CREATE TABLE item (id int PRIMARY KEY, owner uuid, name text, email int NOT NULL, created_modseq bigint, FOREIGN KEY (owner, name) REFERENCES folder);
SELECT modseq.attach('item', 'folder', account => '{owner}', email => 'email') IS NOT NULL AS attached;
INSERT INTO folder VALUES ('11111111-1111-1111-1111-111111111111', 'a'), ('22222222-2222-2222-2222-222222222222', 'a');
INSERT INTO item SELECT n, owner, name, n FROM folder, generate_series(1, 2) AS n WHERE (n = 1) = (owner::text LIKE '1%');
SELECT * FROM modseq.check('item', '{11111111-1111-1111-1111-111111111111,a}');
SELECT failure($$SELECT modseq.check('item', 'a')$$);
-- Its account, not another's
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE item_account SET email_modseq = 0;
SELECT * FROM modseq.check('item') ORDER BY 1, 2, 3;
SELECT * FROM modseq.check('item', '{22222222-2222-2222-2222-222222222222,a}') ORDER BY 1, 2, 3;
ROLLBACK;

DROP SCHEMA check_mailbox CASCADE;
