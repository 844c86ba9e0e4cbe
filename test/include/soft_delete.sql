\set ECHO none
-- A store whose messages are expunged by a column: three mailboxes, and nine messages in the first
CREATE TABLE mailbox (id bigint PRIMARY KEY);
CREATE TABLE mail (
	id bigint PRIMARY KEY,
	mailbox_id bigint NOT NULL REFERENCES mailbox ON DELETE CASCADE ON UPDATE CASCADE,
	seen boolean,
	deleted boolean,
	deleted_at timestamptz,
	created_modseq bigint);
CREATE TABLE mail_flag (mail_id bigint REFERENCES mail ON DELETE CASCADE, flag text, PRIMARY KEY (mail_id, flag));
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', message_expunged => 'deleted_at') \g /dev/null
INSERT INTO mailbox (id) VALUES (1), (2), (3);
INSERT INTO mail (id, mailbox_id) SELECT i, 1 FROM generate_series(1, 9) AS i;

-- For each mailbox: its counters, the live messages as id:uid:modseq, the expunged ones, and what vanished
CREATE VIEW mailboxes AS
	SELECT b.id AS box, uidnext, highestmodseq AS highest,
		(SELECT string_agg(concat_ws(':', id, uid, modseq), ' ' ORDER BY uid) FROM mail
			WHERE mailbox_id = b.id AND deleted_at IS NULL) AS live,
		(SELECT string_agg(concat_ws(':', id, uid, modseq), ' ' ORDER BY uid) FROM mail
			WHERE mailbox_id = b.id AND deleted_at IS NOT NULL) AS expunged,
		(SELECT string_agg(modseq || ': ' || uids::text, ' | ' ORDER BY modseq) FROM mail_vanished v
			WHERE v.id = b.id) AS vanished
	FROM mail_mailbox b;
\set ECHO all
