-- The store that is only read is one for all contenders: modseq is attached to it, and beside its table of what
-- vanished stand those that the others would have now.

CREATE SCHEMA by_hand;
CREATE TABLE by_hand.mailbox AS
	SELECT id, name, uidvalidity, uidnext, highestmodseq
	FROM store.mailbox JOIN store.mail_mailbox USING (id) ORDER BY id;
ALTER TABLE by_hand.mailbox ADD PRIMARY KEY (id);
CREATE TABLE by_hand.mail_vanished AS
	SELECT id AS mailbox_id, modseq, uids::text AS uids FROM store.mail_vanished ORDER BY id, modseq;
ALTER TABLE by_hand.mail_vanished ADD PRIMARY KEY (mailbox_id, modseq);

CREATE SCHEMA row_per_uid;
CREATE TABLE row_per_uid.mail_vanished AS
	SELECT id AS mailbox_id, modseq, modseq.unnest(uids) AS uid FROM store.mail_vanished ORDER BY id, modseq;
ALTER TABLE row_per_uid.mail_vanished ADD PRIMARY KEY (mailbox_id, uid);
CREATE INDEX ON row_per_uid.mail_vanished (mailbox_id, modseq);
