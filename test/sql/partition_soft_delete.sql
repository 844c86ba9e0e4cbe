--
-- Messages that are expunged by a column, and go to another partition for that. Rule "departures"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_partition_expunged;
SET search_path = t_partition_expunged;
\set VERBOSITY terse

-- The column, and one that is generated from another; with plain tables beside them, which get the same statements
CREATE TABLE plain_box (id bigint PRIMARY KEY);
CREATE TABLE plain_mail (id int, box_id bigint NOT NULL, flag int, gone boolean NOT NULL DEFAULT false);
CREATE TABLE box (LIKE plain_box INCLUDING ALL);
CREATE TABLE mail (LIKE plain_mail INCLUDING ALL) PARTITION BY LIST (gone);
CREATE TABLE mail_live PARTITION OF mail FOR VALUES IN (false);
CREATE TABLE mail_gone (gone boolean NOT NULL DEFAULT false, box_id bigint NOT NULL, flag int, id int);
ALTER TABLE mail ATTACH PARTITION mail_gone FOR VALUES IN (true);
CREATE TABLE gplain_box (LIKE plain_box INCLUDING ALL);
CREATE TABLE gplain_mail (id int, box_id bigint NOT NULL, flag int, gone boolean NOT NULL DEFAULT false, expunged boolean GENERATED ALWAYS AS (gone) STORED);
CREATE TABLE gbox (LIKE plain_box INCLUDING ALL);
CREATE TABLE gmail (LIKE gplain_mail INCLUDING ALL) PARTITION BY LIST (gone);
CREATE TABLE gmail_live PARTITION OF gmail FOR VALUES IN (false);
CREATE TABLE gmail_gone PARTITION OF gmail FOR VALUES IN (true);
SELECT modseq.attach('plain_mail', 'plain_box', counters => 'mailbox', message_flags => '{flag}', message_expunged => 'gone');
SELECT modseq.attach('mail', 'box', message_flags => '{flag}', message_expunged => 'gone');
SELECT modseq.attach('gplain_mail', 'gplain_box', counters => 'mailbox', message_flags => '{flag}', message_expunged => 'expunged');
SELECT modseq.attach('gmail', 'gbox', message_flags => '{flag}', message_expunged => 'expunged');

CREATE FUNCTION state(mail_table regclass, box_table regclass) RETURNS TABLE (box bigint, uidnext bigint, highest bigint, mails text, vanished text)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('
		SELECT id, uidnext, highestmodseq,
			(SELECT string_agg(concat_ws('':'', m.id, uid, modseq, CASE WHEN gone THEN ''gone'' END), '' '' ORDER BY uid, m.id) FROM %1$s m WHERE box_id = b.id),
			(SELECT string_agg(modseq || '': '' || uids::text, '' | '' ORDER BY modseq) FROM %1$s_vanished v WHERE v.id = b.id)
		FROM %2$s b
		UNION ALL
		SELECT NULL, NULL, NULL, concat_ws('' '', mailbox, uid), problem FROM modseq.check(%1$L)
		ORDER BY 1, 5', mail_table, box_table);
END
$$;
-- Runs a statement on all; shows the plain table, and where the partitioned one differs from it, or a generated
-- column from its plain table
CREATE FUNCTION run(sql text) RETURNS TABLE (store text, box bigint, uidnext bigint, highest bigint, "id:uid:modseq" text, vanished text)
LANGUAGE plpgsql AS $$
DECLARE
	prefix text;
BEGIN
	FOREACH prefix IN ARRAY '{plain_,"",gplain_,g}'::text[] LOOP
		EXECUTE replace(replace(sql, '$mail', prefix || 'mail'), '$box', prefix || 'box');
	END LOOP;
	RETURN QUERY SELECT 'plain', * FROM state('plain_mail', 'plain_box');
	RETURN QUERY SELECT 'other', * FROM (SELECT * FROM state('mail', 'mail_mailbox') EXCEPT SELECT * FROM state('plain_mail', 'plain_box')) AS other;
	RETURN QUERY SELECT 'generated', * FROM (SELECT * FROM state('gmail', 'gmail_mailbox') EXCEPT SELECT * FROM state('gplain_mail', 'gplain_box')) AS other;
END
$$;
CREATE FUNCTION lock_all() RETURNS void LANGUAGE sql AS $$
	SELECT FROM unnest('{plain_mail,mail,gplain_mail,gmail}'::regclass[]) AS store, modseq.lock(store, '{1,2}'::bigint[])
$$;
SELECT store FROM run('INSERT INTO $box VALUES (1), (2)');
SELECT * FROM run('INSERT INTO $mail (id, box_id, gone) SELECT i, 1 + i / 6, i % 5 = 0 FROM generate_series(1, 9) AS i');
-- Expunged, with and without another change; once
SELECT * FROM run('UPDATE $mail SET gone = true WHERE id IN (1, 6)');
SELECT * FROM run('UPDATE $mail SET gone = true, flag = 1 WHERE id IN (2, 6)');
-- Brought back, under new UIDs
SELECT * FROM run('UPDATE $mail SET gone = false WHERE id IN (1, 2, 3)');
SELECT * FROM run('UPDATE $mail SET gone = NOT gone, flag = 3');
-- Moved, and expunged or brought back at that
SELECT * FROM run('UPDATE $mail SET box_id = 3 - box_id, gone = NOT gone WHERE id IN (3, 7)');
SELECT * FROM run('UPDATE $mail SET box_id = 3 - box_id, gone = NOT gone WHERE id IN (4, 6)');
SELECT * FROM run('DELETE FROM $mail WHERE id IN (3, 9)');
BEGIN;
SELECT lock_all();
SELECT * FROM run('UPDATE $mail SET gone = NOT gone, flag = 4 WHERE id < 8');
SELECT * FROM run('UPDATE $mail SET gone = NOT gone WHERE id < 8');
SELECT * FROM run('UPDATE $mail SET gone = gone, flag = 5');
COMMIT;
-- Of what is expunged nobody hears when the partition goes, or comes
SELECT * FROM state('mail', 'mail_mailbox');
ALTER TABLE mail DETACH PARTITION mail_gone;
SELECT * FROM state('mail', 'mail_mailbox');
ALTER TABLE mail ATTACH PARTITION mail_gone FOR VALUES IN (true);
SELECT * FROM state('mail', 'mail_mailbox');
TRUNCATE mail_gone;
SELECT * FROM state('mail', 'mail_mailbox');
TRUNCATE gmail;
SELECT * FROM state('gmail', 'gmail_mailbox');

SET client_min_messages = warning;
DROP SCHEMA t_partition_expunged CASCADE;
