--
-- States of accounts: what is a state, what is none, what is too old; who may see which account; how accounts are given
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_states;
SET search_path = t_states;
\set VERBOSITY terse
\pset null '(null)'
CREATE TABLE box (id bigint PRIMARY KEY, owner text NOT NULL, name text);
CREATE TABLE mail (
	box_id bigint NOT NULL REFERENCES box ON DELETE CASCADE,
	email text NOT NULL,
	thread text NOT NULL,
	seen boolean);
SELECT modseq.attach('mail', 'box', account => '{owner}', email => 'email', thread => 'thread');
INSERT INTO box VALUES (1, 'alice', 'Inbox'), (2, 'alice', 'Archive'), (3, 'bob', 'Inbox');
INSERT INTO mail VALUES (1, 'M1', 'T1'), (1, 'M2', 'T1'), (3, 'M1', 'T1');
-- Epochs are by the clock; and only a replica may change them
SET session_replication_role = replica;
UPDATE mail_account SET epoch = CASE owner WHEN 'alice' THEN 160 ELSE 161 END;
RESET session_replication_role;
SELECT * FROM modseq.account_state('mail', 'alice');
SELECT * FROM modseq.account_lock('mail', 'alice');
SELECT * FROM modseq.account_lock('mail', ARRAY['bob', 'alice']);

-- A flag is no change of Threads; what changes nothing changes no state; what is rolled back never was
UPDATE mail SET seen = true WHERE email = 'M1' AND box_id = 1;
UPDATE mail SET seen = true WHERE email = 'M1' AND box_id = 1;
SELECT * FROM modseq.account_state('mail', 'alice');
BEGIN;
UPDATE mail SET seen = false;
SELECT * FROM modseq.account_state('mail', 'alice');
ROLLBACK;
SELECT * FROM modseq.account_state('mail', 'alice');
UPDATE box SET name = 'Old' WHERE id = 2;
SELECT * FROM modseq.account_state('mail', 'alice');

-- One more membership, one less, the last one
INSERT INTO mail VALUES (2, 'M2', 'T1');
SELECT * FROM modseq.account_state('mail', 'alice');
DELETE FROM mail WHERE email = 'M2' AND box_id = 1;
SELECT * FROM modseq.account_state('mail', 'alice');
DELETE FROM mail WHERE email = 'M2';
DELETE FROM mail WHERE email = 'M1' AND box_id = 1;
SELECT * FROM modseq.account_state('mail', 'alice');
SELECT * FROM modseq.email_changes('mail', 'alice', 'ea0.1');
SELECT * FROM modseq.email_changes('mail', 'alice', 'ea0.3');
SELECT * FROM modseq.thread_changes('mail', 'alice', 'ta0.3');
SELECT * FROM modseq.mailbox_changes('mail', 'alice', 'ma0.3');
SELECT * FROM modseq.email_changes('mail', 'alice', 'ea0.3', 1);
SELECT * FROM modseq.email_changes('mail', 'alice', (SELECT new_state FROM modseq.email_changes('mail', 'alice', 'ea0.3', 1)), 1);

-- No states: of another kind, account or time; cut, or with more in them; walks that nobody has begun
SELECT given, verdict, new_state, has_more, created
FROM unnest('{"",e,ea0,ea0.,ea0.3.,Ea0.3,ea0.03,ea0.-1,ea0.3 ,ta0.3,ma0.3,ea1.3,ea0.ffff,ea0.7fffffffffffffff,ea0.8000000000000000,'
	'ea0.fffffffffffffffff,ea0.3.8.u.4.,ea0.3.8.u.4.4d3,ea0.3.8.u.4.4D31,ea0.3.8.u.9.4d31,ea0.3.8.u.3.4d31,ea0.8.3.u.4.4d31,'
	'ea0.3.ffff.u.4.4d31,ea0.3.8.x.4.4d31,ea0.3.8.u.4.4d31,ea0.3.8.u.4.4d31.}'::text[]) WITH ORDINALITY AS g (given, n),
	modseq.email_changes('mail', 'alice', given) ORDER BY n;

-- Forgotten: the floor is what was forgotten last; a walk counts by where it began
SELECT modseq.compact('mail', '0', '60 days');
SELECT verdict, created, updated, destroyed FROM modseq.email_changes('mail', 'alice', 'ea0.3');
SELECT highestmodseq, floor FROM mail_account WHERE owner = 'alice';
UPDATE mail_departed SET departed_at = now() - interval '61 days' WHERE modseq = (SELECT min(modseq) FROM mail_departed);
SELECT modseq.compact('mail', '0');
SELECT floor, to_hex(floor) FROM mail_account WHERE owner = 'alice';
SELECT s.state, c.verdict, c.new_state, c.created, c.updated, c.destroyed
FROM unnest('{ea0.3,ea0.6,ea0.7,ea0.3.9.u.4.4d31,ea0.7.9.u.8.4d31}'::text[]) AS s (state), modseq.email_changes('mail', 'alice', s.state) AS c;
SELECT modseq.compact('mail', '0', '0');
SELECT verdict FROM modseq.email_changes('mail', 'alice', 'ea0.7');
SELECT count(*) FROM mail_departed;
SELECT modseq.compact('mail', '0', NULL);
SELECT modseq.compact('mail', '0', '-1 day');
-- A trigger that keeps it from being forgotten
DELETE FROM mail WHERE box_id = 3;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE DELETE ON mail_departed FOR EACH ROW EXECUTE FUNCTION keep();
SELECT modseq.compact('mail', '0', '0');
DROP TRIGGER keep ON mail_departed;
SELECT modseq.compact('mail', '0', '0');
-- What departed of one kind is no reason to forget the present state of another; nor the present state of its own
INSERT INTO box VALUES (9, 'alice', 'Once');
SELECT email, mailbox, thread FROM modseq.account_state('mail', 'alice') \gset before_
DELETE FROM box WHERE id = 9;
SELECT mailbox FROM modseq.account_state('mail', 'alice') \gset after_
SELECT modseq.compact('mail', '0', '0');
SELECT verdict, new_state = :'before_email' AS same, created, updated, destroyed
FROM modseq.email_changes('mail', 'alice', :'before_email', 1);
SELECT verdict, new_state = :'before_thread' AS same, destroyed FROM modseq.thread_changes('mail', 'alice', :'before_thread');
SELECT verdict FROM modseq.mailbox_changes('mail', 'alice', :'before_mailbox');
SELECT verdict, new_state = :'after_mailbox' AS same FROM modseq.mailbox_changes('mail', 'alice', :'after_mailbox');

-- An account outlives its mailboxes; one that never had any is none
DELETE FROM box WHERE owner = 'alice';
SELECT destroyed FROM modseq.mailbox_changes('mail', 'alice', :'after_mailbox');
SELECT modseq.account_state('mail', 'carol');
SELECT modseq.account_lock('mail', ARRAY['bob', 'carol']);
SELECT modseq.email_changes('mail', 'carol', 'ea0.3');

-- Arguments
SELECT modseq.account_state('mail', NULL::text);
SELECT modseq.account_state('mail', ARRAY['alice', 'bob']);
SELECT modseq.account_state('mail', 1);
\set VERBOSITY default
SELECT modseq.account_state('mail', NULL::bigint);
SELECT modseq.email_changes('mail', 'bob', NULL);
\set VERBOSITY terse
SELECT modseq.email_changes('mail', 'bob', 'ea1.1', 0);
SELECT modseq.email_changes('mail', 'bob', 'ea1.1', -1);

-- Rights: those of the caller; of the tables of accounts none are needed
CREATE ROLE t_states_reader;
GRANT USAGE ON SCHEMA t_states TO t_states_reader;
INSERT INTO box VALUES (4, 'bob', 'Drafts');
INSERT INTO mail VALUES (3, 'M5', 'T5'), (4, 'M6', 'T6');
SET ROLE t_states_reader;
SELECT modseq.account_state('mail', 'bob');
RESET ROLE;
GRANT SELECT (id) ON box TO t_states_reader;
SET ROLE t_states_reader;
SELECT * FROM modseq.account_state('mail', 'bob');
SELECT updated FROM modseq.mailbox_changes('mail', 'bob', 'ma1.4');
SELECT modseq.email_changes('mail', 'bob', 'ea1.4');
SELECT modseq.account_lock('mail', 'bob');
RESET ROLE;
GRANT SELECT, UPDATE ON mail TO t_states_reader;
SET ROLE t_states_reader;
SELECT verdict, created, destroyed FROM modseq.email_changes('mail', 'bob', 'ea1.4');
SELECT email FROM modseq.account_lock('mail', 'bob');
RESET ROLE;
-- Policies: of the mailboxes that they hide nothing is told; an account of which they hide all is none
ALTER TABLE box ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON box USING (id <> 4);
SET ROLE t_states_reader;
SELECT created FROM modseq.email_changes('mail', 'bob', 'ea1.4');
SELECT created, updated FROM modseq.mailbox_changes('mail', 'bob', 'ma1.4');
RESET ROLE;
ALTER POLICY few ON box USING (false);
SET ROLE t_states_reader;
SELECT modseq.account_state('mail', 'bob');
SELECT modseq.email_changes('mail', 'bob', 'ea1.4');
SELECT modseq.account_lock('mail', 'bob');
RESET ROLE;
ALTER TABLE box DISABLE ROW LEVEL SECURITY;
ALTER TABLE mail ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON mail USING (email <> 'M6');
SET ROLE t_states_reader;
SELECT created FROM modseq.email_changes('mail', 'bob', 'ea1.4');
RESET ROLE;

-- A store without accounts, one without threads, and one account for a store
CREATE TABLE other_box (id bigint PRIMARY KEY);
CREATE TABLE other (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES other_box);
SELECT modseq.attach('other', 'other_box');
SELECT modseq.account_state('other', 'bob');
CREATE TABLE one_box (id bigint PRIMARY KEY);
CREATE TABLE one (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES one_box, seen boolean);
SELECT modseq.attach('one', 'one_box', account => '{}');
INSERT INTO one_box VALUES (1);
SET session_replication_role = replica;
UPDATE one_account SET epoch = 162;
RESET session_replication_role;
INSERT INTO one SELECT i, 1 FROM generate_series(1, 3) AS i;
SELECT * FROM modseq.account_state('one', NULL::text[]);
SELECT * FROM modseq.account_state('one', '{}');
SELECT * FROM modseq.account_lock('one', '{}'::bigint[]);
SELECT modseq.account_state('one', 1);
SELECT modseq.account_state('one', ARRAY['a']);
SELECT modseq.thread_changes('one', NULL::text[], 'ta2.1');
UPDATE one SET seen = true WHERE id = 2;
SELECT verdict, created, updated FROM modseq.email_changes('one', '{}', 'ea2.3');
DROP OWNED BY t_states_reader;
DROP ROLE t_states_reader;
