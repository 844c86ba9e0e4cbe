--
-- The schema of the reference front ends, imapd and jmapd: psql -f schema.sql, in a database of its own, as a superuser.
--
-- An account of JMAP is a user. A row of mw_mail is a message in IMAP; in JMAP, one of the mailboxes that an Email is in.
--
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE EXTENSION IF NOT EXISTS pgcrypto;

CREATE TABLE mw_user (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		text NOT NULL UNIQUE,
	password	text NOT NULL			-- crypt()
);

CREATE TABLE mw_mailbox (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id		bigint NOT NULL REFERENCES mw_user ON DELETE CASCADE,
	name		text NOT NULL,			-- in modified UTF-7, levels parted by "/"
	special_use	text,					-- RFC 6154: \Sent and the like
	sort_order	bigint NOT NULL DEFAULT 0,	-- JMAP's; and so that a change of it is one of the mailbox,
	subscribed	boolean NOT NULL DEFAULT false,	-- what mw_subscription says
	UNIQUE (user_id, name)
);

CREATE TABLE mw_subscription (
	user_id		bigint NOT NULL REFERENCES mw_user ON DELETE CASCADE,
	name		text NOT NULL,			-- there need not be such a mailbox
	PRIMARY KEY (user_id, name)
);

-- The keywords of a user, each spelled as it was first: IMAP's ignore case, modseq's comparison does not.
CREATE TABLE mw_keyword (
	user_id		bigint NOT NULL REFERENCES mw_user ON DELETE CASCADE,
	keyword		text NOT NULL
);
CREATE UNIQUE INDEX mw_keyword_key ON mw_keyword (user_id, lower(keyword));

-- Which thread a message goes to: those that name a message id in common and have the same subject (RFC 8621 section 3)
CREATE SEQUENCE mw_email_id;				-- of Emails and of threads
CREATE TABLE mw_thread (
	user_id		bigint NOT NULL REFERENCES mw_user ON DELETE CASCADE,
	message_id	text NOT NULL,
	subject		text NOT NULL,			-- without "Re:" and the like
	thread_id	bigint NOT NULL,
	PRIMARY KEY (user_id, message_id, subject)
);

CREATE TABLE mw_mail (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	mailbox_id	bigint NOT NULL REFERENCES mw_mailbox ON DELETE CASCADE,
	uid			bigint NOT NULL,
	modseq		bigint NOT NULL,
	flags		text[] NOT NULL DEFAULT '{}',
	internaldate timestamptz NOT NULL DEFAULT now(),
	size		bigint NOT NULL GENERATED ALWAYS AS (octet_length(raw)) STORED,
	raw			bytea NOT NULL,			-- the message, lines ending in CRLF
	sha			bytea NOT NULL,			-- its SHA-256: JMAP's blobId
	-- The same in each mailbox that an Email is in, as are flags. Negative while the message is marked \Deleted.
	email_id	bigint NOT NULL DEFAULT nextval('mw_email_id'),
	thread_id	bigint NOT NULL DEFAULT nextval('mw_email_id'),
	-- What is counted and searched most. A change of another flag leaves them as they are, and so the indexes on them.
	unseen		boolean NOT NULL GENERATED ALWAYS AS (NOT flags @> '{"\\Seen"}') STORED,
	marked_deleted boolean NOT NULL GENERATED ALWAYS AS (flags @> '{"\\Deleted"}') STORED
);
-- A change of flags shall not copy the message; and a part of it shall be cheap to read.
ALTER TABLE mw_mail ALTER COLUMN raw SET STORAGE EXTERNAL, SET (toast_tuple_target = 256, fillfactor = 80);

-- psql -v accounts=off: a store of mailboxes alone, for those who want no JMAP, whose numbers are each mailbox's own
\if :{?accounts}
\else
\set accounts on
\endif
\if :accounts
SELECT modseq.attach('mw_mail', 'mw_mailbox', message_flags => '{flags}', notify => true,
	account => '{user_id}', email => 'email_id', thread => 'thread_id',
	mailbox_properties => '{name,special_use,sort_order,subscribed}');
\else
-- Flags are what changes most. With room in its page, and no index on what has changed, a new version of the row is all
-- that a change of them writes.
ALTER TABLE mw_mail SET (fillfactor = 50);
SELECT modseq.attach('mw_mail', 'mw_mailbox', message_flags => '{flags}', notify => true, changes => 'log');
\endif
-- For STATUS, which reads no message then. Other options stay as they are.
SELECT modseq.attach('mw_mail', mailbox_messages => 'messages', mailbox_size => 'size', message_size => 'size',
	mailbox_unseen => 'unseen', message_seen => 'flags', message_seen_flag => '\Seen',
	mailbox_deleted => 'deleted', message_deleted => 'flags', message_deleted_flag => '\Deleted');

-- Annotations (RFC 5464), entries in lower case. A mailbox has one user, so /private and /shared are both his. What was
-- taken out stays as NULL: with its mod-sequence it tells who has not heard of that.
CREATE TABLE mw_annotation (
	mailbox_id	bigint NOT NULL REFERENCES mw_mailbox ON DELETE CASCADE,
	entry		text NOT NULL CHECK (length(entry) <= 255),
	value		bytea,
	modseq		bigint NOT NULL,		-- of the mailbox, when it was written
	PRIMARY KEY (mailbox_id, entry)
);
-- Those of the server. /shared entries are everybody's, without a user; only SQL writes them.
CREATE TABLE mw_server_annotation (
	user_id		bigint REFERENCES mw_user ON DELETE CASCADE,
	entry		text NOT NULL CHECK (length(entry) <= 255),
	value		bytea NOT NULL,
	CHECK (starts_with(entry, CASE WHEN user_id IS NULL THEN '/shared/' ELSE '/private/' END))
);
CREATE UNIQUE INDEX mw_server_annotation_key ON mw_server_annotation (coalesce(user_id, 0), entry);

-- For UNSEEN in SELECT, STATUS and SEARCH, and for EXPUNGE
CREATE INDEX mw_mail_unseen ON mw_mail (mailbox_id, uid) WHERE unseen;
CREATE INDEX mw_mail_deleted ON mw_mail (mailbox_id, uid) WHERE marked_deleted;

\if :accounts
-- For JMAP. attach() has made those on email_id and thread_id.
CREATE INDEX mw_mail_sha ON mw_mail (sha);
\endif

CREATE TABLE mw_upload (
	user_id		bigint NOT NULL REFERENCES mw_user ON DELETE CASCADE,
	sha			bytea NOT NULL,
	uploaded	timestamptz NOT NULL DEFAULT now(),
	raw			bytea NOT NULL,
	PRIMARY KEY (user_id, sha)
);
ALTER TABLE mw_upload ALTER COLUMN raw SET STORAGE EXTERNAL;

-- What Email/query looks for in messages. jmapd writes it when it is asked for the first time.
CREATE TABLE mw_facts (
	sha			bytea PRIMARY KEY,		-- of the message
	sent		timestamptz,
	from_		text NOT NULL,
	to_			text NOT NULL,
	cc			text NOT NULL,
	bcc			text NOT NULL,
	subject		text NOT NULL,
	body		text NOT NULL,
	headers		text[] NOT NULL,		-- name:value
	sort_from	text NOT NULL,
	sort_to		text NOT NULL,
	sort_subject text NOT NULL,
	attachment	boolean NOT NULL
);

-- What JMAP sees
CREATE VIEW mw_visible AS
	SELECT b.user_id, m.mailbox_id, m.email_id, m.thread_id, m.flags, m.internaldate, m.size, m.sha
	FROM mw_mail m JOIN mw_mailbox b ON b.id = m.mailbox_id
	WHERE m.email_id > 0;

-- A message that is marked \Deleted is not there for JMAP (RFC 8621 section 4.1.1). So its Email and its place in the
-- thread are others then, which JMAP does not see: what it sees is destroyed, and comes back when the mark is taken off.
CREATE FUNCTION mw_identify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.sha := coalesce(NEW.sha, sha256(NEW.raw));
	END IF;
	IF NEW.flags @> '{"\\Deleted"}' THEN
		NEW.email_id := -abs(NEW.email_id);
		NEW.thread_id := -abs(NEW.thread_id);
	ELSE
		NEW.email_id := abs(NEW.email_id);
		NEW.thread_id := abs(NEW.thread_id);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER mw_arrive BEFORE INSERT ON mw_mail
	FOR EACH ROW WHEN (NEW.sha IS NULL OR NEW.flags @> '{"\\Deleted"}' OR NEW.email_id < 0)
	EXECUTE FUNCTION mw_identify();
\if :accounts
CREATE TRIGGER mw_delete BEFORE UPDATE OF flags ON mw_mail
	FOR EACH ROW WHEN (NEW.flags @> '{"\\Deleted"}' <> (NEW.email_id < 0)) EXECUTE FUNCTION mw_identify();

-- What an IMAP client does to an Email's flags in one mailbox is done in all. The account is locked, so it cannot deadlock.
CREATE FUNCTION mw_same_flags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mw_mail m
		SET flags = array_remove(n.flags, '\Deleted') || ARRAY(SELECT f FROM unnest(m.flags) f WHERE f = '\Deleted')
		FROM new n
		WHERE m.email_id IN (n.email_id, -n.email_id) AND m.id <> n.id
			AND NOT (array_remove(m.flags, '\Deleted') @> array_remove(n.flags, '\Deleted')
				AND array_remove(m.flags, '\Deleted') <@ array_remove(n.flags, '\Deleted'));
	RETURN NULL;
END $$;
CREATE TRIGGER mw_same_flags AFTER UPDATE ON mw_mail REFERENCING NEW TABLE AS new
	FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION mw_same_flags();
\endif

CREATE FUNCTION mw_subscribed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE mw_mailbox SET subscribed = TG_OP = 'INSERT'
		WHERE user_id = coalesce(NEW.user_id, OLD.user_id) AND name = coalesce(NEW.name, OLD.name);
	RETURN NULL;
END $$;
CREATE TRIGGER mw_subscribed AFTER INSERT OR DELETE ON mw_subscription
	FOR EACH ROW EXECUTE FUNCTION mw_subscribed();

CREATE FUNCTION mw_subscription_of() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.subscribed := EXISTS (SELECT FROM mw_subscription WHERE user_id = NEW.user_id AND name = NEW.name);
	RETURN NEW;
END $$;
CREATE TRIGGER mw_subscription_of BEFORE INSERT OR UPDATE OF name ON mw_mailbox
	FOR EACH ROW EXECUTE FUNCTION mw_subscription_of();

-- Who watches a user's mailboxes is woken by modseq if messages change. By these it is if the list does, with the user's
-- id; and if annotations of the server do, with the id, a blank, and the entry.
CREATE FUNCTION mw_tell_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('mw_list', coalesce(NEW.user_id, OLD.user_id)::text);
	RETURN NULL;
END $$;
CREATE TRIGGER mw_tell_list AFTER INSERT OR DELETE OR UPDATE OF name ON mw_mailbox
	FOR EACH ROW EXECUTE FUNCTION mw_tell_list();
CREATE TRIGGER mw_tell_list AFTER INSERT OR DELETE ON mw_subscription
	FOR EACH ROW EXECUTE FUNCTION mw_tell_list();

CREATE FUNCTION mw_tell_annotation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('mw_annotation',
		concat(coalesce(NEW.user_id, OLD.user_id), ' ', coalesce(NEW.entry, OLD.entry)));
	RETURN NULL;
END $$;
CREATE TRIGGER mw_tell_annotation AFTER INSERT OR UPDATE OR DELETE ON mw_server_annotation
	FOR EACH ROW EXECUTE FUNCTION mw_tell_annotation();

-- The thread of a message that arrives in the mailbox, which is locked. It is called for each message of an import: a
-- generic plan, for each array of ids looks worth a plan of its own, which takes longer than to run it. LIMIT 1, of what
-- is unique, has each id looked up by the whole key: else the plan that is made while the table is empty reads all that
-- the user has.
CREATE FUNCTION mw_thread(box bigint, ids text[], about text) RETURNS bigint
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
	owner		bigint := (SELECT user_id FROM mw_mailbox WHERE id = box);
	thread		bigint := coalesce(
		(SELECT min(found.thread_id)
			FROM unnest(ids) AS id,
				LATERAL (SELECT t.thread_id FROM mw_thread t
					WHERE t.user_id = owner AND t.message_id = id AND t.subject = about LIMIT 1) AS found),
		nextval('mw_email_id'));
BEGIN
	INSERT INTO mw_thread (user_id, message_id, subject, thread_id)
		SELECT owner, id, about, thread FROM unnest(ids) id
		WHERE owner IS NOT NULL
		ON CONFLICT DO NOTHING;
	RETURN thread;
END $$;
