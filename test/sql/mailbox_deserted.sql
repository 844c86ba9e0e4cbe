--
-- Mailboxes that are renamed where no foreign key takes their messages along: what does not follow in the same transaction
-- has vanished from them. A client of each mailbox is told, and is to have what is there.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
\set VERBOSITY terse
\getenv test PG_ABS_SRCDIR
\set play :test /include/deserted_play.sql
CREATE SCHEMA deserted;
SET search_path = deserted;
\set failure :test /include/failure.sql
\i :failure
CREATE TABLE client (name text, uid bigint, id int, modseq bigint, seen boolean, PRIMARY KEY (name, uid));
CREATE TABLE knows (name text PRIMARY KEY, uidvalidity bigint, highest bigint);

-- A mailbox is known by its name, which never changes. What is told of each that changed; what the client has then, as
-- id:uid:modseq; and what is wrong.
CREATE FUNCTION sync() RETURNS TABLE (name text, id int, highest bigint, verdict text, vanished modseq.uidset, changed text,
	messages text, fault text) LANGUAGE plpgsql AS $$
DECLARE
	b record;
	k knows;
	r record;
BEGIN
	FOR b IN EXECUTE format('SELECT b.name, b.id, c.uidvalidity::bigint FROM box b JOIN %s c USING (owner, id) ORDER BY 1',
		(SELECT coalesce(s.counters, s.mailbox) FROM modseq.stores s WHERE s.message = 'mail'::regclass))
	LOOP
		SELECT * INTO k FROM knows x WHERE x.name = b.name;
		SELECT * INTO r FROM modseq.resync('mail', ARRAY['o', b.id::text], coalesce(k.uidvalidity, b.uidvalidity),
			coalesce(k.highest, 0));
		IF k.uidvalidity <> b.uidvalidity THEN
			DELETE FROM client c WHERE c.name = b.name;
			k := NULL;
		END IF;
		DELETE FROM client c WHERE c.name = b.name AND c.uid OPERATOR(modseq.<@) r.vanished;
		changed := NULL;
		SELECT string_agg(c.uid || ':' || c.modseq, ' ' ORDER BY c.uid) INTO changed
			FROM modseq.changed_since('mail', ARRAY['o', b.id::text], coalesce(k.highest, 0)) c;
		INSERT INTO client SELECT b.name, c.uid, m.id, c.modseq, m.seen
			FROM modseq.changed_since('mail', ARRAY['o', b.id::text], coalesce(k.highest, 0)) c
			JOIN mail m ON m.box = b.id AND m.uid = c.uid AND NOT m.gone
			ON CONFLICT ON CONSTRAINT client_pkey DO UPDATE SET modseq = excluded.modseq, seen = excluded.seen,
				id = CASE WHEN client.id = excluded.id THEN client.id END;
		name := b.name;
		id := b.id;
		highest := r.highestmodseq;
		verdict := r.verdict;
		vanished := r.vanished;
		SELECT string_agg(concat_ws(':', c.id, c.uid, c.modseq), ' ' ORDER BY c.uid) INTO messages FROM client c WHERE c.name = b.name;
		SELECT string_agg(concat_ws(':', coalesce(c.id, -1), c.uid, m.id, m.uid), ' ') INTO fault
			FROM (SELECT * FROM client c WHERE c.name = b.name) AS c
			FULL JOIN (SELECT * FROM mail m WHERE m.box = b.id AND NOT m.gone) AS m USING (id, uid, modseq, seen)
			WHERE c.name IS NULL OR m.box IS NULL;
		IF k.highest IS DISTINCT FROM r.highestmodseq::bigint OR fault IS NOT NULL THEN
			RETURN NEXT;
		END IF;
		INSERT INTO knows VALUES (b.name, b.uidvalidity, r.highestmodseq)
			ON CONFLICT ON CONSTRAINT knows_pkey DO UPDATE SET uidvalidity = excluded.uidvalidity, highest = excluded.highest;
	END LOOP;
	RETURN QUERY SELECT concat_ws(' ', c.mailbox, c.uid), NULL::int, NULL::bigint, NULL, NULL::modseq.uidset, NULL, NULL, c.problem
		FROM modseq.check('mail') c WHERE c.problem <> 'mailbox does not exist';
END $$;
\set tables 'TRUNCATE client, knows; DROP TABLE IF EXISTS mail, box, flag, mail_vanished, mail_box, mail_account CASCADE; DROP FUNCTION IF EXISTS follow; CREATE TABLE box (owner text, id int, name text, PRIMARY KEY (owner, id)); CREATE TABLE mail (id int PRIMARY KEY, owner text NOT NULL, box int NOT NULL, seen boolean NOT NULL DEFAULT false, gone boolean NOT NULL DEFAULT false, thread int NOT NULL DEFAULT 1); CREATE TABLE flag (thread int, name text);'

-- 1. The counters are beside the mailbox table
:tables
SELECT modseq.attach('mail', 'box', message_mailbox => '{owner,box}', message_flags => '{seen}', message_expunged => 'gone');
\set sync 'SELECT * FROM sync();'
\i :play

-- 2. They are in its row
:tables
SELECT modseq.attach('mail', 'box', message_mailbox => '{owner,box}', message_flags => '{seen}', message_expunged => 'gone',
	counters => 'mailbox');
\i :play

-- The others: only what is wrong
\set sync 'SELECT * FROM sync() WHERE fault IS NOT NULL;'
\pset tuples_only on

-- 3. Changes are logged
:tables
SELECT modseq.attach('mail', 'box', message_mailbox => '{owner,box}', message_flags => '{seen}', message_expunged => 'gone',
	changes => 'log');
\i :play

-- 4. Accounts
:tables
SELECT modseq.attach('mail', 'box', message_mailbox => '{owner,box}', message_flags => '{seen}', message_expunged => 'gone',
	account => '{owner}', thread => 'thread');
\i :play
:tables
SELECT modseq.attach('mail', 'box', message_mailbox => '{owner,box}', message_flags => '{seen}', message_expunged => 'gone',
	account => '{owner}', thread => 'thread', counters => 'mailbox');
\i :play

-- 5. Flags that messages share, also with those that are left behind
:tables
SELECT modseq.attach('mail', 'box', 'flag', message_mailbox => '{owner,box}', message_flags => '{seen}',
	message_expunged => 'gone', message_key => '{thread}', flag_message => '{thread}');
\i :play

DROP SCHEMA deserted CASCADE;
