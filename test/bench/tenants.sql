-- A store of many tenants, whose messages each count from 1: a message's key is (tenant, id). Each has a mailbox.

DROP SCHEMA IF EXISTS store CASCADE;
CREATE SCHEMA store;
SET search_path = store;

CREATE TABLE mailbox (id bigint PRIMARY KEY, highestmodseq bigint NOT NULL DEFAULT 1);
CREATE TABLE mail (
	tenant integer NOT NULL,
	id bigint NOT NULL,
	mailbox_id bigint NOT NULL REFERENCES mailbox,
	uid bigint,
	modseq bigint,
	PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX ON mail (mailbox_id, uid);
CREATE INDEX ON mail (mailbox_id, modseq);
CREATE INDEX ON mail (id);	-- misleads a planner that takes ids for unique
CREATE TABLE mail_flag (
	tenant integer,
	mail_id bigint,
	flag text,
	PRIMARY KEY (tenant, mail_id, flag),
	FOREIGN KEY (tenant, mail_id) REFERENCES mail ON DELETE CASCADE
);
INSERT INTO mailbox SELECT generate_series(1, :tenants);
INSERT INTO mail SELECT t, i, t, i, 1 FROM generate_series(1, :tenants) AS t, generate_series(1, 100) AS i;
