-- Bare: the application's own statements, and nothing that counts. The contenders that count in triggers
-- (modseq, seeds, row per UID) run the same statements.
--
-- A file of a contender has sections. "setup" runs once in each store; the others are transactions that are
-- measured, by psql or pgbench. :box is the mailbox, :first and :last the messages, :n how many they are.

-- == setup

-- == append one
INSERT INTO mail (mailbox_id) VALUES (:box) RETURNING uid;

-- == append
INSERT INTO mail (mailbox_id) SELECT :box FROM generate_series(1, :n);

-- == append, a statement each
SELECT append_one_by_one(:box, :n);

-- == append, a savepoint each
SELECT append_with_savepoints(:box, :n);

-- == rename
UPDATE mailbox SET id = -id WHERE id BETWEEN :first AND :last;

-- == store one, flag table
INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE mailbox_id = :box AND uid = :first ON CONFLICT DO NOTHING;

-- == store, flag table
INSERT INTO mail_flag SELECT id, '\Seen' FROM mail WHERE mailbox_id = :box AND uid BETWEEN :first AND :last
	ON CONFLICT DO NOTHING;

-- == store one, flag column
UPDATE mail SET seen = true WHERE mailbox_id = :box AND uid = :first AND NOT seen;

-- == store, flag column
UPDATE mail SET seen = true WHERE mailbox_id = :box AND uid BETWEEN :first AND :last AND NOT seen;

-- == expunge one
DELETE FROM mail WHERE mailbox_id = :box AND uid = :first AND deleted;

-- == expunge
DELETE FROM mail WHERE mailbox_id = :box AND deleted;

-- == expunge everything
DELETE FROM mail;

-- == move
UPDATE mail SET mailbox_id = :target WHERE mailbox_id = :box AND uid BETWEEN :first AND :last;

-- == toggle
UPDATE mail SET seen = NOT seen WHERE mailbox_id = :box AND uid = :first;
