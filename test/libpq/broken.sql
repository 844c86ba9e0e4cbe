-- A store by hand, after the usual recipe, with the mistake that broken.mistake() names:
--
--   sequence           the mod-sequence is a sequence's next value, without the mailbox's lock
--   early-commit       the counter is raised, and committed, before the rows that carry its value
--   forgotten-expunge  an expunge raises the counter, but what was expunged is not written down
--   none               none: the control
--
-- It is slow and simple. The functions are called as those of modseq, so that writers and replicas are the
-- same ones.

ALTER TABLE mw_mailbox ADD uidvalidity bigint NOT NULL DEFAULT 1, ADD uidnext bigint NOT NULL DEFAULT 1,
	ADD highestmodseq bigint NOT NULL DEFAULT 1;
ALTER TABLE mw_mail ADD uid bigint NOT NULL, ADD modseq bigint NOT NULL;
CREATE INDEX ON mw_mail (mailbox_id, uid);
CREATE INDEX ON mw_mail (mailbox_id, modseq);
CREATE TABLE mw_mail_vanished (id bigint NOT NULL, modseq bigint NOT NULL, uids modseq.uidset NOT NULL);
CREATE INDEX ON mw_mail_vanished (id, modseq);
CREATE SEQUENCE broken.modseq START 2;

CREATE FUNCTION broken.locks() RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT broken.mistake() NOT IN ('sequence', 'early-commit')
$$;

CREATE FUNCTION broken.take(box bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	value bigint;
BEGIN
	IF broken.mistake() = 'sequence' THEN
		RETURN nextval('broken.modseq');
	ELSIF broken.mistake() = 'early-commit' THEN
		-- the writer has raised it in a transaction of its own
		SELECT highestmodseq INTO value FROM mw_mailbox WHERE id = box;
	ELSE
		UPDATE mw_mailbox SET highestmodseq = highestmodseq + 1 WHERE id = box RETURNING highestmodseq INTO value;
	END IF;
	RETURN value;
END
$$;

CREATE FUNCTION broken.vanish(box bigint, uid bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	value bigint := broken.take(box);
BEGIN
	IF broken.mistake() <> 'forgotten-expunge' THEN
		INSERT INTO mw_mail_vanished VALUES (box, value, modseq.uidset(uid));
	END IF;
END
$$;

CREATE FUNCTION broken.before_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' OR NEW.mailbox_id <> OLD.mailbox_id OR NEW.uid IS DISTINCT FROM OLD.uid THEN
		UPDATE mw_mailbox SET uidnext = uidnext + 1 WHERE id = NEW.mailbox_id RETURNING uidnext - 1 INTO NEW.uid;
	END IF;
	NEW.modseq := broken.take(NEW.mailbox_id);
	RETURN NEW;
END
$$;
CREATE TRIGGER before_message BEFORE INSERT OR UPDATE ON mw_mail
	FOR EACH ROW EXECUTE FUNCTION broken.before_message();

CREATE FUNCTION broken.after_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' OR OLD.uid <> NEW.uid OR OLD.mailbox_id <> NEW.mailbox_id THEN
		PERFORM broken.vanish(OLD.mailbox_id, OLD.uid);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER after_message AFTER UPDATE OR DELETE ON mw_mail
	FOR EACH ROW EXECUTE FUNCTION broken.after_message();

CREATE FUNCTION broken.after_flag() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mw_mail SET subject = subject WHERE id = CASE TG_OP WHEN 'DELETE' THEN OLD.mail_id ELSE NEW.mail_id END;
	RETURN NULL;
END
$$;

CREATE FUNCTION broken.status(store regclass, mailboxes bigint[],
	OUT mailbox bigint, OUT uidvalidity bigint, OUT uidnext bigint, OUT highestmodseq bigint)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
	SELECT b.id, b.uidvalidity, b.uidnext, CASE broken.mistake() WHEN 'sequence' THEN greatest(1,
		(SELECT max(m.modseq) FROM mw_mail m WHERE m.mailbox_id = b.id),
		(SELECT max(v.modseq) FROM mw_mail_vanished v WHERE v.id = b.id)) ELSE b.highestmodseq END
	FROM mw_mailbox b WHERE b.id = ANY (mailboxes)
$$;

CREATE FUNCTION broken.status(store regclass, mailbox bigint,
	OUT uidvalidity bigint, OUT uidnext bigint, OUT highestmodseq bigint)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
	SELECT uidvalidity, uidnext, highestmodseq FROM broken.status(store, ARRAY[mailbox])
$$;

CREATE FUNCTION broken.lock(store regclass, mailboxes bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF broken.locks() THEN
		PERFORM FROM mw_mailbox WHERE id = ANY (mailboxes) ORDER BY id FOR NO KEY UPDATE;
	END IF;
END
$$;

CREATE FUNCTION broken.touch(store regclass, mailbox bigint) RETURNS bigint LANGUAGE sql AS $$
	SELECT broken.take(mailbox)
$$;

CREATE FUNCTION broken.changed_since(store regclass, mailbox bigint, since bigint, uids modseq.uidset DEFAULT NULL)
RETURNS TABLE (uid bigint, modseq bigint) LANGUAGE sql STABLE AS $$
	SELECT m.uid, m.modseq FROM mw_mail m
	WHERE m.mailbox_id = mailbox AND m.modseq > since AND (uids IS NULL OR m.uid OPERATOR(modseq.<@) uids)
	ORDER BY m.uid
$$;

CREATE FUNCTION broken.vanished_since(store regclass, mailbox bigint, since bigint, uids modseq.uidset DEFAULT NULL)
RETURNS modseq.uidset LANGUAGE sql STABLE AS $$
	SELECT coalesce(modseq.uidset_agg(CASE WHEN vanished_since.uids IS NULL THEN v.uids
		ELSE v.uids OPERATOR(modseq.*) vanished_since.uids END), '')
	FROM mw_mail_vanished v WHERE v.id = mailbox AND v.modseq > since
$$;

CREATE FUNCTION broken.unchanged_since(store regclass, mailbox bigint, uids modseq.uidset, since bigint)
RETURNS TABLE (uid bigint, modseq bigint, verdict text) LANGUAGE sql AS $$
	SELECT broken.lock(store, ARRAY[mailbox]);
	SELECT u, m.modseq, CASE WHEN m.uid IS NULL THEN 'expunged' WHEN m.modseq <= since THEN 'unchanged' ELSE 'modified' END
	FROM modseq.unnest(uids) AS u LEFT JOIN mw_mail m ON m.mailbox_id = mailbox AND m.uid = u
$$;

CREATE FUNCTION broken.resync(store regclass, mailbox bigint, client_uidvalidity bigint, since bigint,
	known modseq.uidset, match_seqs modseq.uidset, match_uids modseq.uidset,
	OUT verdict text, OUT uidvalidity bigint, OUT uidnext bigint, OUT highestmodseq bigint,
	OUT vanished modseq.uidset, OUT first_vanished bigint, OUT changed modseq.uidset)
LANGUAGE sql STABLE AS $$
	SELECT 'ok', s.uidvalidity, s.uidnext, s.highestmodseq,
		broken.vanished_since(store, mailbox, since, known),
		(SELECT min(v.modseq) FROM mw_mail_vanished v WHERE v.id = mailbox AND v.modseq > since),
		(SELECT coalesce(modseq.uidset_agg(c.uid), '') FROM broken.changed_since(store, mailbox, since, known) c)
	FROM broken.status(store, mailbox) s
$$;

CREATE FUNCTION broken.check(store regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT '' WHERE false
$$;
