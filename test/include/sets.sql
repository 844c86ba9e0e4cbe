\set ECHO none
-- Sets that are stored plain, compressed and out of line; and messages to find by them
CREATE TABLE sets (id integer PRIMARY KEY, uids uidset);
INSERT INTO sets VALUES
	(1, ''), (2, '1'), (3, '1:3'), (4, '1,5'), (5, '2'), (6, '1:3,5'),
	(7, '4294967295'), (8, NULL), (9, '4:6,10,20:30'), (10, '1:2,9');
INSERT INTO sets SELECT 11, uidset_agg(3 * i) FROM generate_series(1, 40) i;
INSERT INTO sets SELECT 12, uidset_agg(3 * i) FROM generate_series(1, 1000) i;
INSERT INTO sets SELECT 13, uidset_agg(i::bigint * i) FROM generate_series(1, 20000) i;
INSERT INTO sets SELECT 14, uidset_agg(i::bigint * i + 1) FROM generate_series(1, 20000) i;

CREATE TABLE message (mailbox bigint NOT NULL, uid bigint NOT NULL, small integer NOT NULL, size integer);
INSERT INTO message SELECT m, u, u, m * u FROM generate_series(1, 5) m, generate_series(1, 2000) u;
ALTER TABLE message ADD PRIMARY KEY (mailbox, uid);
CREATE INDEX message_small ON message (small);
ANALYZE message;
ANALYZE sets;
\set ECHO all
