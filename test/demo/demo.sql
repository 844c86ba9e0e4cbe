--
-- The dialogues of an IMAP server on a mail schema with modseq attached
--
-- C: is what a client says, SQL: what the front end does about it, S: what the front end answers.
-- Every number that is printed comes out of the database: the front end has its numbers from the
-- statement before, the clients theirs from earlier answers.
--
\set ON_ERROR_STOP on

\echo '# 1. The schema is the application''s own: mailboxes, messages, flags. One call attaches modseq.'
\echo
CREATE TABLE mw_mailbox (
	id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name            text NOT NULL UNIQUE,
	highest_modseq  bigint NOT NULL DEFAULT 0
);
CREATE TABLE mw_mail (
	id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	mailbox_id      bigint NOT NULL REFERENCES mw_mailbox ON DELETE CASCADE,
	subject         text NOT NULL,
	modseq          bigint NOT NULL DEFAULT 0
);
CREATE INDEX idx_mail_mailbox_id_modseq ON mw_mail (mailbox_id, modseq);
CREATE TABLE mw_mail_flag (
	mail_id         bigint NOT NULL REFERENCES mw_mail ON DELETE CASCADE,
	flag            text NOT NULL,
	PRIMARY KEY (mail_id, flag)
);

CREATE EXTENSION modseq;
SELECT FROM modseq.attach('mw_mail', 'mw_mailbox', 'mw_mail_flag');
-- for the operators of uidset
SET search_path = public, modseq;

INSERT INTO mw_mailbox (name) VALUES ('INBOX'), ('Archive');

\set ECHO none
\ir imap.sql
SELECT id AS inbox FROM mw_mailbox WHERE name = 'INBOX' \gset
SELECT id AS archive FROM mw_mailbox WHERE name = 'Archive' \gset
\set ECHO queries

\echo
\echo '# 2. Delivery. Any program inserts messages; they have a UID and a mod-sequence at once.'
\echo
INSERT INTO mw_mail (mailbox_id, subject)
	SELECT :inbox, subject
	FROM unnest(ARRAY['Minutes', 'Lottery win', 'Holiday', 'Invoice']) subject;

\echo
\echo '# Whoever writes to a mailbox in more than one statement takes its lock first.'
\echo C: p1 APPEND INBOX '(\\Draft)' {...}
BEGIN;
SELECT uidvalidity FROM modseq.lock('mw_mail', :inbox) \gset
INSERT INTO mw_mail (mailbox_id, subject) VALUES (:inbox, 'Re: Minutes') RETURNING id, uid \gset
INSERT INTO mw_mail_flag VALUES (:id, '\Draft');
COMMIT;
\echo S: p1 OK [APPENDUID :uidvalidity :uid] APPEND completed

\echo
\echo '# 3. SELECT. A laptop opens the mailbox for the first time, caches what it sees, and goes offline.'
\echo
\echo C: l1 SELECT INBOX (CONDSTORE)
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; -- one snapshot for all of the answer
SELECT *, (SELECT count(*) FROM mw_mail WHERE mailbox_id = :inbox) AS messages
	FROM modseq.status('mw_mail', :inbox) \gset
\echo S: * :messages EXISTS
\echo S: * OK [UIDVALIDITY :uidvalidity]
\echo S: * OK [UIDNEXT :uidnext]
\echo S: * OK [HIGHESTMODSEQ :highestmodseq]
\echo S: l1 OK [READ-WRITE] SELECT completed
\echo C: l2 UID FETCH 1:* (FLAGS)
SELECT imap.fetch(:inbox, uid) FROM mw_mail WHERE mailbox_id = :inbox ORDER BY uid;
COMMIT;
\echo S: l2 OK FETCH completed

\set ECHO none
\set laptop_uidvalidity :uidvalidity
\set laptop_uidnext :uidnext
\set laptop_modseq :highestmodseq
-- What the clients will do things to, in the order in which they have just seen the messages
SELECT uidset_agg(uid) AS all, uidset_agg(uid) FILTER (WHERE seq <= 2) AS first_two,
	   uidset_agg(uid) FILTER (WHERE seq IN (3, 5)) AS third_and_fifth,
	   uidset_agg(uid) FILTER (WHERE seq = 2) AS second,
	   uidset_agg(uid) FILTER (WHERE seq = 4) AS fourth
	FROM (SELECT uid, row_number() OVER (ORDER BY uid) AS seq FROM mw_mail WHERE mailbox_id = :inbox) m \gset
SELECT FROM imap.laptop_reads(:inbox, '', :'all');
\set ECHO queries

\echo
\echo '# 4. STORE. A phone has the mailbox open. What changed since its lock was taken is its own doing.'
\echo
\echo C: p2 ENABLE QRESYNC
\echo S: * ENABLED QRESYNC
\echo S: p2 OK ENABLE completed
\echo C: p3 UID STORE :first_two +FLAGS '(\\Seen)'
BEGIN;
SELECT highestmodseq AS before FROM modseq.lock('mw_mail', :inbox) \gset
INSERT INTO mw_mail_flag
	SELECT id, '\Seen' FROM mw_mail WHERE mailbox_id = :inbox AND uid <@ uidset :'first_two'
	ON CONFLICT DO NOTHING;
SELECT imap.fetch(:inbox, uid) FROM modseq.changed_since('mw_mail', :inbox, :before);
COMMIT;
\echo S: p3 OK STORE completed

\echo
\echo '# The same again changes nothing, and so costs no mod-sequence.'
\echo C: p4 UID STORE :first_two +FLAGS '(\\Seen)'
BEGIN;
SELECT highestmodseq AS before FROM modseq.lock('mw_mail', :inbox) \gset
INSERT INTO mw_mail_flag
	SELECT id, '\Seen' FROM mw_mail WHERE mailbox_id = :inbox AND uid <@ uidset :'first_two'
	ON CONFLICT DO NOTHING;
SELECT imap.fetch(:inbox, uid) FROM modseq.changed_since('mw_mail', :inbox, :before);
COMMIT;
\echo S: p4 OK STORE completed
\set ECHO none
SELECT highestmodseq AS phone_modseq FROM modseq.status('mw_mail', :inbox) \gset
SELECT imap.check(:phone_modseq = :before, 'HIGHESTMODSEQ is as before');
\set ECHO queries

\echo
\echo '# 5. FETCH CHANGEDSINCE. The phone is told of new mail, and asks for what is new to it.'
\echo
\echo C: p5 IDLE
\echo S: + idling
INSERT INTO mw_mail (mailbox_id, subject) VALUES (:inbox, 'Lunch?');
SELECT count(*) AS messages FROM mw_mail WHERE mailbox_id = :inbox \gset
\echo S: * :messages EXISTS
\echo C: DONE
\echo S: p5 OK IDLE completed
\echo C: p6 UID FETCH 1:* (FLAGS) (CHANGEDSINCE :phone_modseq)
SELECT imap.fetch(:inbox, uid) FROM modseq.changed_since('mw_mail', :inbox, :phone_modseq);
\echo S: p6 OK FETCH completed

\echo
\echo '# 6. A conditional STORE. A filter changes two messages that the phone has not looked at since.'
\echo
\set ECHO none
SELECT highestmodseq AS phone_modseq FROM modseq.status('mw_mail', :inbox) \gset
\set ECHO queries
INSERT INTO mw_mail_flag
	SELECT id, '$Work' FROM mw_mail WHERE mailbox_id = :inbox AND uid <@ uidset :'third_and_fifth';
\echo C: p7 UID STORE :all (UNCHANGEDSINCE :phone_modseq) +FLAGS '(\\Flagged)'
BEGIN;
SELECT coalesce(uidset_agg(uid) FILTER (WHERE verdict = 'unchanged'), '') AS unchanged,
	   coalesce(uidset_agg(uid) FILTER (WHERE verdict = 'modified'), '') AS modified
	FROM modseq.unchanged_since('mw_mail', :inbox, :'all', :phone_modseq) \gset
INSERT INTO mw_mail_flag
	SELECT id, '\Flagged' FROM mw_mail WHERE mailbox_id = :inbox AND uid <@ uidset :'unchanged'
	ON CONFLICT DO NOTHING;
SELECT imap.fetch(:inbox, uid) FROM mw_mail
	WHERE mailbox_id = :inbox AND uid <@ uidset :'all' ORDER BY uid;
COMMIT;
\echo S: p7 OK [MODIFIED :modified] Conditional STORE failed
\set ECHO none
SELECT imap.check(:'modified' = :'third_and_fifth',
				  'MODIFIED names what the filter changed, and nothing else');
\set ECHO queries

\echo
\echo '# 7. MOVE. One UPDATE: a new UID in the target, a vanished UID in the source.'
\echo
\set ECHO none
SELECT highestmodseq AS archive_before FROM modseq.status('mw_mail', :archive) \gset
\set ECHO queries
\echo C: p8 UID MOVE :fourth Archive
BEGIN;
SELECT FROM modseq.lock('mw_mail', ARRAY[:inbox, :archive]);
SELECT highestmodseq AS before FROM modseq.status('mw_mail', :inbox) \gset
WITH moved AS (
	UPDATE mw_mail m SET mailbox_id = :archive FROM mw_mail source
	WHERE m.id = source.id AND m.mailbox_id = :inbox AND m.uid <@ uidset :'fourth'
	RETURNING source.uid AS from_uid, m.uid AS to_uid)
SELECT string_agg(from_uid::text, ',' ORDER BY from_uid) AS from_uids,
	   string_agg(to_uid::text, ',' ORDER BY from_uid) AS to_uids
	FROM moved \gset
SELECT uidvalidity FROM modseq.status('mw_mail', :archive) \gset
\echo S: * OK [COPYUID :uidvalidity :from_uids :to_uids] Moved
SELECT 'S: * VANISHED ' || vanished FROM modseq.vanished_since('mw_mail', :inbox, :before) vanished;
SELECT highestmodseq FROM modseq.status('mw_mail', :inbox) \gset
COMMIT;
\echo S: p8 OK [HIGHESTMODSEQ :highestmodseq] MOVE completed
\echo C: p9 STATUS Archive (UIDNEXT HIGHESTMODSEQ)
SELECT format('S: * STATUS Archive (UIDNEXT %s HIGHESTMODSEQ %s)', uidnext, highestmodseq)
	FROM modseq.status('mw_mail', :archive);
\echo S: p9 OK STATUS completed
\set ECHO none
SELECT imap.check(:highestmodseq > :before AND highestmodseq > :archive_before,
				  'HIGHESTMODSEQ is higher in both mailboxes')
	FROM modseq.status('mw_mail', :archive);
\set ECHO queries

\echo
\echo '# 8. EXPUNGE. What is deleted is remembered.'
\echo
\echo C: p10 UID STORE :second +FLAGS '(\\Deleted)'
INSERT INTO mw_mail_flag
	SELECT id, '\Deleted' FROM mw_mail WHERE mailbox_id = :inbox AND uid <@ uidset :'second';
SELECT imap.fetch(:inbox, uid) FROM mw_mail
	WHERE mailbox_id = :inbox AND uid <@ uidset :'second' ORDER BY uid;
\echo S: p10 OK STORE completed
\echo C: p11 EXPUNGE
BEGIN;
SELECT highestmodseq AS before FROM modseq.lock('mw_mail', :inbox) \gset
DELETE FROM mw_mail m USING mw_mail_flag f
	WHERE m.mailbox_id = :inbox AND f.mail_id = m.id AND f.flag = '\Deleted';
SELECT 'S: * VANISHED ' || vanished FROM modseq.vanished_since('mw_mail', :inbox, :before) vanished;
SELECT highestmodseq FROM modseq.status('mw_mail', :inbox) \gset
COMMIT;
\echo S: p11 OK [HIGHESTMODSEQ :highestmodseq] EXPUNGE completed

\echo
\echo '# 9. SELECT (QRESYNC ...). The laptop is back: what did it miss of the messages that it knows?'
\echo
\set ECHO none
SELECT uidset_agg(uid) AS known FROM imap.laptop \gset
\set ECHO queries
\echo C: l3 ENABLE QRESYNC
\echo S: * ENABLED QRESYNC
\echo S: l3 OK ENABLE completed
\echo C: l4 SELECT INBOX (QRESYNC (:laptop_uidvalidity :laptop_modseq :known))
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT *, (SELECT count(*) FROM mw_mail WHERE mailbox_id = :inbox) AS messages
	FROM modseq.resync('mw_mail', :inbox, :laptop_uidvalidity, :laptop_modseq, :'known') \gset
\echo S: * :messages EXISTS
\echo S: * OK [UIDVALIDITY :uidvalidity]
\echo S: * OK [UIDNEXT :uidnext]
\echo S: * OK [HIGHESTMODSEQ :highestmodseq]
\echo S: * VANISHED (EARLIER) :vanished
SELECT imap.fetch(:inbox, uid) FROM mw_mail
	WHERE mailbox_id = :inbox AND uid <@ uidset :'changed' ORDER BY uid;
COMMIT;
\echo S: l4 OK [READ-WRITE] SELECT completed
\echo
\echo '# UIDNEXT says that there are messages it does not know yet.'
\echo C: l5 UID FETCH :laptop_uidnext:* (FLAGS)
SELECT imap.fetch(:inbox, uid) FROM mw_mail
	WHERE mailbox_id = :inbox AND uid >= :laptop_uidnext ORDER BY uid;
\echo S: l5 OK FETCH completed
\set ECHO none
SELECT imap.check(:'verdict' = 'ok', 'the laptop could be told the difference');
SELECT FROM imap.laptop_reads(:inbox, :'vanished', :'changed');
SELECT FROM imap.laptop_reads(:inbox, '', (
	SELECT uidset_agg(uid) FROM mw_mail WHERE mailbox_id = :inbox AND uid >= :laptop_uidnext));
SELECT imap.check(NOT EXISTS (SELECT FROM imap.laptop_differs(:inbox)),
				  'the laptop has what the mailbox has');
\set laptop_modseq :highestmodseq
\set ECHO queries

\echo
\echo '# 10. Offline again, while retention jobs and people with psql are at work. Nothing escapes modseq.'
\echo
DELETE FROM mw_mail WHERE subject = 'Lunch?';
UPDATE mw_mail SET mailbox_id = :inbox WHERE mailbox_id = :archive;
INSERT INTO mw_mail (mailbox_id, subject) VALUES (:inbox, 'Spam'), (:inbox, 'Agenda');
DELETE FROM mw_mail WHERE subject = 'Spam';
DELETE FROM mw_mail_flag WHERE flag = '$Work';

\echo C: l6 SELECT INBOX (QRESYNC (:laptop_uidvalidity :laptop_modseq))
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT *, (SELECT count(*) FROM mw_mail WHERE mailbox_id = :inbox) AS messages
	FROM modseq.resync('mw_mail', :inbox, :laptop_uidvalidity, :laptop_modseq) \gset
\echo S: * :messages EXISTS
\echo S: * OK [UIDVALIDITY :uidvalidity]
\echo S: * OK [UIDNEXT :uidnext]
\echo S: * OK [HIGHESTMODSEQ :highestmodseq]
\echo S: * VANISHED (EARLIER) :vanished
SELECT imap.fetch(:inbox, uid) FROM mw_mail
	WHERE mailbox_id = :inbox AND uid <@ uidset :'changed' ORDER BY uid;
COMMIT;
\echo S: l6 OK [READ-WRITE] SELECT completed
\set ECHO none
SELECT FROM imap.laptop_reads(:inbox, :'vanished', :'changed');
SELECT imap.check(NOT EXISTS (SELECT FROM imap.laptop_differs(:inbox)),
				  'the laptop has what the mailbox has');
\set laptop_modseq :highestmodseq
\set ECHO queries

\echo
\echo '# 11. A new UIDVALIDITY, after a restored backup say. No cache is good for anything now.'
\echo
SELECT FROM modseq.reset_uidvalidity('mw_mail', :inbox);

\echo C: l7 SELECT INBOX (QRESYNC (:laptop_uidvalidity :laptop_modseq))
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT *, (SELECT count(*) FROM mw_mail WHERE mailbox_id = :inbox) AS messages
	FROM modseq.resync('mw_mail', :inbox, :laptop_uidvalidity, :laptop_modseq) \gset
COMMIT;
\echo '# The verdict is' :verdict: a plain SELECT, that is.
\echo S: * :messages EXISTS
\echo S: * OK [UIDVALIDITY :uidvalidity]
\echo S: * OK [UIDNEXT :uidnext]
\echo S: * OK [HIGHESTMODSEQ :highestmodseq]
\echo S: l7 OK [READ-WRITE] SELECT completed
\echo C: l8 UID FETCH 1:* (FLAGS)
SELECT imap.fetch(:inbox, uid) FROM mw_mail WHERE mailbox_id = :inbox ORDER BY uid;
\echo S: l8 OK FETCH completed
\set ECHO none
SELECT imap.check(:'verdict' = 'uidvalidity_changed' AND :uidvalidity > :laptop_uidvalidity,
				  'UIDVALIDITY has risen');
TRUNCATE imap.laptop;
SELECT FROM imap.laptop_reads(:inbox, '', (
	SELECT uidset_agg(uid) FROM mw_mail WHERE mailbox_id = :inbox));
SELECT imap.check(NOT EXISTS (SELECT FROM imap.laptop_differs(:inbox)),
				  'the laptop has what the mailbox has');
SELECT imap.check(NOT EXISTS (SELECT FROM modseq.check('mw_mail')),
				  'modseq.check() finds nothing broken');
