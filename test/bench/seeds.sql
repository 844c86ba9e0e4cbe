-- Seeds: row triggers in PL/pgSQL, as they are often proposed: BEFORE ROW on messages, AFTER ROW on flags. Each row
-- takes a number, so the mailbox's row gets a new version each time, and finding it leads through all those before.

-- == setup
CREATE TABLE mail_vanished (
	mailbox_id bigint NOT NULL,
	modseq bigint NOT NULL,
	uid bigint NOT NULL,
	PRIMARY KEY (mailbox_id, modseq)
);
CREATE VIEW vanished AS
	SELECT mailbox_id, modseq, int8multirange(int8range(uid, uid, '[]')) AS uids FROM mail_vanished;

CREATE FUNCTION next_modseq(box bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	value bigint;
BEGIN
	UPDATE mailbox SET highestmodseq = highestmodseq + 1 WHERE id = box RETURNING highestmodseq INTO value;
	RETURN value;
END $$;

CREATE FUNCTION assign_modseq() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mailbox SET highestmodseq = highestmodseq + 1, uidnext = uidnext + 1 WHERE id = NEW.mailbox_id
		RETURNING highestmodseq, uidnext - 1 INTO NEW.modseq, NEW.uid;
	IF TG_OP = 'UPDATE' THEN
		INSERT INTO mail_vanished VALUES (OLD.mailbox_id, next_modseq(OLD.mailbox_id), OLD.uid);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER assign BEFORE INSERT OR UPDATE OF mailbox_id ON mail
	FOR EACH ROW EXECUTE FUNCTION assign_modseq();

CREATE FUNCTION flag_column_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.modseq := next_modseq(NEW.mailbox_id);
	RETURN NEW;
END $$;
CREATE TRIGGER flag_column_changed BEFORE UPDATE OF seen, deleted ON mail
	FOR EACH ROW WHEN ((OLD.seen, OLD.deleted) IS DISTINCT FROM (NEW.seen, NEW.deleted))
	EXECUTE FUNCTION flag_column_changed();

CREATE FUNCTION expunged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO mail_vanished VALUES (OLD.mailbox_id, next_modseq(OLD.mailbox_id), OLD.uid);
	RETURN NULL;
END $$;
CREATE TRIGGER expunged AFTER DELETE ON mail FOR EACH ROW EXECUTE FUNCTION expunged();

CREATE FUNCTION flag_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	message bigint := CASE WHEN TG_OP = 'INSERT' THEN NEW.mail_id ELSE OLD.mail_id END;
BEGIN
	UPDATE mail SET modseq = next_modseq(mailbox_id) WHERE id = message;
	RETURN NULL;
END $$;
\if :flagtable
CREATE TRIGGER flag_changed AFTER INSERT OR DELETE ON mail_flag FOR EACH ROW EXECUTE FUNCTION flag_changed();
\endif
