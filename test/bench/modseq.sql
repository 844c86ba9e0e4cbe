-- modseq: the bare statements under its triggers, and its functions.

-- == setup
-- The counters that store.sql has made go to the table that modseq has by default, if they are to be beside.
SELECT modseq.attach('mail', 'mailbox', to_regclass('mail_flag'), message_flags => '{seen,deleted}', changes => :'changes');
SELECT :'changes' = 'log' AS logged \gset
\if :logged
DROP INDEX mail_mailbox_id_modseq_idx;
\endif
SELECT :'counters' = 'beside' AS beside \gset
\if :beside
SELECT modseq.attach('mail', 'mailbox', counters => 'beside');
DROP VIEW counters;
ALTER TABLE mailbox DROP uidvalidity, DROP uidnext, DROP highestmodseq;
CREATE VIEW counters AS SELECT id AS mailbox_id, uidnext, highestmodseq FROM mail_mailbox;
\endif
-- Where changes are logged, other rows are only for those
CREATE VIEW vanished AS SELECT id AS mailbox_id, modseq, uids::int8multirange AS uids FROM mail_vanished WHERE uids OPERATOR(modseq.<>) '';

-- == setup, accounts
-- The account comes last: that columns of the mailbox table go is a change of each mailbox to JMAP.
SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen,deleted}');
SELECT modseq.attach('mail', 'mailbox', counters => 'beside');
DROP VIEW counters;
ALTER TABLE mailbox DROP uidvalidity, DROP uidnext, DROP highestmodseq;
ALTER TABLE mailbox ADD account bigint;
UPDATE mailbox SET account = (id - 1) % :accounts + 1;
ALTER TABLE mailbox ALTER account SET NOT NULL;
SELECT modseq.attach('mail', 'mailbox', account => '{account}');
CREATE VIEW counters AS SELECT id AS mailbox_id, uidnext, highestmodseq FROM mail_mailbox;
CREATE VIEW vanished AS SELECT id AS mailbox_id, modseq, uids::int8multirange AS uids FROM mail_vanished;

-- == email changes
-- A client has the state that it was told; here it is made from what the account began with
SELECT verdict, created, updated, destroyed
FROM mail_account, modseq.email_changes('mail', 1, 'e' || to_hex(epoch) || '.' || to_hex(floor));

-- == store one, flag table, lock()
BEGIN;
SELECT FROM modseq.lock('mail', :box);
INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE mailbox_id = :box AND uid = :first ON CONFLICT DO NOTHING;
COMMIT;

-- == store, flag table, lock()
BEGIN;
SELECT FROM modseq.lock('mail', :box);
INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE mailbox_id = :box AND uid BETWEEN :first AND :last
	ON CONFLICT DO NOTHING;
COMMIT;

-- == store one, flag column, lock()
BEGIN;
SELECT FROM modseq.lock('mail', :box);
UPDATE mail SET seen = true WHERE mailbox_id = :box AND uid = :first AND NOT seen;
COMMIT;

-- == store, flag column, lock()
BEGIN;
SELECT FROM modseq.lock('mail', :box);
UPDATE mail SET seen = true WHERE mailbox_id = :box AND uid BETWEEN :first AND :last AND NOT seen;
COMMIT;

-- == store, flag column, lock(), naming modseq
-- Where SET does not name a column of an index, PostgreSQL takes the new entry for a copy of the old one, and looks
-- for copies to remove whenever a page is full. modseq replaces what is written to its column.
BEGIN;
SELECT FROM modseq.lock('mail', :box);
UPDATE mail SET seen = true, modseq = modseq
	WHERE mailbox_id = :box AND uid BETWEEN :first AND :last AND NOT seen;
COMMIT;

-- == move
BEGIN;
SELECT FROM modseq.lock('mail', ARRAY[:box, :target]::bigint[]);
UPDATE mail SET mailbox_id = :target WHERE mailbox_id = :box AND uid BETWEEN :first AND :last;
COMMIT;

-- == conditional store
BEGIN;
SELECT modseq.uidset_agg(uid) FILTER (WHERE verdict = 'unchanged') AS unchanged,
		modseq.uidset_agg(uid) FILTER (WHERE verdict = 'modified') AS modified
	FROM modseq.unchanged_since('mail', :box, int8multirange(int8range(:first, :last, '[]'))::modseq.uidset, 2) \gset
UPDATE mail SET seen = NOT seen WHERE mailbox_id = :box AND uid OPERATOR(modseq.<@) :unchanged::modseq.uidset;
COMMIT;

-- == status of many
SELECT * FROM modseq.status('mail', ARRAY(SELECT generate_series(1001, 2000))::bigint[]);

-- == changed since
SELECT uid, modseq FROM modseq.changed_since('mail', :box, :since);

-- == resync
SELECT * FROM modseq.resync('mail', :box, 1, :since);

-- == select qresync
WITH r AS MATERIALIZED (SELECT * FROM modseq.resync('mail', :box, 1, :since))
SELECT verdict, uidnext, highestmodseq, first_vanished, vanished, NULL AS uid, NULL AS modseq, NULL AS subject FROM r
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, m.uid, m.modseq, m.subject
	FROM r JOIN mail AS m ON m.mailbox_id = :box AND m.uid OPERATOR(modseq.<@) r.changed
ORDER BY uid NULLS FIRST;

-- == fetch scattered
SELECT uid, modseq, subject FROM mail WHERE mailbox_id = :box AND uid OPERATOR(modseq.<@) :set::modseq.uidset;

-- == vanished since
SELECT modseq.vanished_since('mail', :box, :since);

-- == compact
SELECT modseq.compact('mail', '0');

-- == setup, tenants
SELECT modseq.attach('mail', 'mailbox', 'mail_flag', counters => 'beside');
ALTER TABLE mail ALTER id SET (n_distinct = -1), ALTER tenant SET (n_distinct = 1);

-- == store one, tenants
\set t random(1, :tenants)
\set i random(1, 100)
INSERT INTO mail_flag VALUES (:t, :i, '\Seen') ON CONFLICT DO NOTHING;
DELETE FROM mail_flag WHERE (tenant, mail_id, flag) = (:t, :i, '\Seen');
