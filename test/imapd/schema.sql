--
-- The reference front end's schema: psql -f schema.sql, in a database of its own, as a superuser.
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

CREATE TABLE mw_mail (
	id			bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	mailbox_id	bigint NOT NULL REFERENCES mw_mailbox ON DELETE CASCADE,
	uid			bigint NOT NULL,
	modseq		bigint NOT NULL,
	flags		text[] NOT NULL DEFAULT '{}',
	internaldate timestamptz NOT NULL DEFAULT now(),
	size		bigint NOT NULL GENERATED ALWAYS AS (octet_length(raw)) STORED,
	raw			bytea NOT NULL			-- the message, lines ending in CRLF
);
-- A change of flags shall not copy the message; and a part of it shall be cheap to read.
ALTER TABLE mw_mail ALTER COLUMN raw SET STORAGE EXTERNAL, SET (toast_tuple_target = 256, fillfactor = 80);

SELECT modseq.attach('mw_mail', 'mw_mailbox', message_flags => '{flags}', notify => true);

-- For UNSEEN in SELECT and STATUS, and for EXPUNGE
CREATE INDEX mw_mail_unseen ON mw_mail (mailbox_id, uid) WHERE NOT flags @> '{"\\Seen"}';
CREATE INDEX mw_mail_deleted ON mw_mail (mailbox_id, uid) WHERE flags @> '{"\\Deleted"}';
