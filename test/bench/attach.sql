-- Messages that have been there for long, in 1,000 mailboxes, for modseq.attach(): of a server that has no UIDs
-- yet, or if :prepared, of one that has them, after what docs/attach.md says to do beforehand.
CREATE EXTENSION modseq;
CREATE SCHEMA store;
CREATE TABLE mailbox (id bigint PRIMARY KEY, name text NOT NULL, uidnext bigint);
CREATE TABLE mail (
	id bigint PRIMARY KEY,
	mailbox_id bigint NOT NULL REFERENCES mailbox ON DELETE CASCADE,
	received timestamptz NOT NULL DEFAULT now(),
	size integer NOT NULL DEFAULT 4711,
	seen boolean NOT NULL DEFAULT false,
	subject text NOT NULL DEFAULT 'Re: Minutes of the last meeting',
	uid bigint
);
INSERT INTO mailbox SELECT id, 'box ' || id FROM generate_series(1, 1000) AS id;
INSERT INTO mail (id, mailbox_id, uid)
	SELECT i, 1 + i % 1000, CASE WHEN :prepared THEN 1 + (i - 1) / 1000 END FROM generate_series(1, :messages) AS i;

\if :prepared
UPDATE mailbox SET uidnext = 1 + :messages / 1000;
ALTER TABLE mailbox ADD COLUMN uidvalidity bigint NOT NULL DEFAULT modseq.next_uidvalidity();
ALTER TABLE mailbox ADD COLUMN highestmodseq bigint NOT NULL DEFAULT 1;
ALTER TABLE mail ADD COLUMN modseq bigint NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX CONCURRENTLY mail_mailbox_id_uid ON mail (mailbox_id, uid);
CREATE INDEX CONCURRENTLY mail_mailbox_id_modseq ON mail (mailbox_id, modseq);
\else
ALTER TABLE mailbox DROP COLUMN uidnext;
ALTER TABLE mail DROP COLUMN uid;
\endif
VACUUM ANALYZE;
