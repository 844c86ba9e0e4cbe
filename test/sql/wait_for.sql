--
-- Waiting for what a client knows, as far as one session can see it: what is there, what is not, and errors. (Others
-- that commit, and standbys: test/t/011_lag.pl.)
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_wait;
SET search_path = t_wait;
\getenv test PG_ABS_SRCDIR
\set failure :test /include/failure.sql
\i :failure
\pset format unaligned
\pset tuples_only on
CREATE TABLE box (id bigint PRIMARY KEY, owner text NOT NULL);
CREATE TABLE mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES box ON DELETE CASCADE, seen boolean);
SELECT modseq.attach('mail', 'box', account => '{owner}');
INSERT INTO box VALUES (1, 'alice'), (2, 'bob');
INSERT INTO mail SELECT i, 1 FROM generate_series(1, 4) AS i;
UPDATE mail SET seen = true WHERE id = 1;
SELECT uidnext, highestmodseq FROM modseq.status('mail', 1);

-- There, or not yet
SELECT n, modseq.wait_for('mail', 1, n, '0') FROM generate_series(0, 5) AS n;
SELECT modseq.wait_for('mail', 1, 9223372036854775807, '20 ms');
SELECT modseq.wait_for('mail', 2, 1, '-0'), modseq.wait_for('mail', '1', 4, '1 month'), modseq.wait_for('mail', '{1}'::text[], 4, '100 years');
-- What a transaction has written is there for itself, and is not once it is rolled back
BEGIN;
UPDATE mail SET seen = true WHERE id = 2;
SAVEPOINT a;
UPDATE mail SET seen = true WHERE id = 3;
SELECT highestmodseq, modseq.wait_for('mail', 1, highestmodseq, '0') FROM modseq.status('mail', 1);
ROLLBACK TO a;
SELECT highestmodseq, modseq.wait_for('mail', 1, highestmodseq, '0'), modseq.wait_for('mail', 1, highestmodseq + 1, '1 ms')
FROM modseq.status('mail', 1);
COMMIT;
-- It keeps no lock, and hands on what it does not read
BEGIN;
SELECT modseq.wait_for('mail', 1, 1000, '5 ms');
SELECT relation::regclass FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text ~ '^(mail|box)';
SELECT modseq.wait_for('mail', 1, 1000, '5 ms'), (modseq.status('mail', 1)).uidnext;
SELECT modseq.wait_for('mail', 1, 1000, '5 ms'), count(*) FROM mail;
DECLARE c CURSOR FOR SELECT modseq.wait_for('mail', 1, 1000, '5 ms'), 'x';
FETCH c;
FETCH c;
COMMIT;
PREPARE p AS SELECT modseq.wait_for('mail', $1::bigint, $2, '5 ms');
EXECUTE p(1, 4);
EXECUTE p(1, 1000);
CREATE FUNCTION waits(n bigint) RETURNS boolean STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN modseq.wait_for('mail', 1, n, '5 ms');
EXCEPTION WHEN undefined_object THEN
	RETURN (SELECT count(*) FROM mail) = 4;
END $$;
SELECT waits(4), waits(1000);
SELECT waits(1000);
-- After an error the session goes on, in a savepoint too
BEGIN;
SAVEPOINT a;
SET LOCAL statement_timeout = '20 ms';
SELECT modseq.wait_for('mail', 1, 1000, '1 h');
ROLLBACK TO a;
SELECT modseq.wait_for('mail', 1, 1000, '5 ms');
ROLLBACK;

-- Accounts: a state of any kind, one that lies in a walk, none
SELECT * FROM modseq.account_state('mail', 'alice') \gset
SELECT modseq.account_wait_for('mail', 'alice', :'email', '0'), modseq.account_wait_for('mail', 'alice', :'mailbox', '0'),
	modseq.account_wait_for('mail', 'alice', :'email' || 'f', '5 ms'), modseq.account_wait_for('mail', 'bob', :'email', '5 ms');
SELECT modseq.account_wait_for('mail', 'alice', regexp_replace(:'email', '[.].*$', '.1'), '0') AS long_ago;
SELECT new_state AS walk FROM modseq.email_changes('mail', 'alice', regexp_replace(:'email', '[.].*$', '.1'), 1) \gset
SELECT modseq.account_wait_for('mail', 'alice', :'walk', '0') AS walk;
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', 'x', '0')$$);
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', '', '0')$$);
SELECT failure($$SELECT modseq.account_wait_for('mail', 'carol', 'e1.1', '1 h')$$);
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', NULL, '0')$$);
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', 'e1.1', NULL)$$);
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', 'e1.1', '-1 s')$$);

-- Errors
SELECT failure($$SELECT modseq.wait_for('mail', 99, 1, '1 h')$$);
SELECT failure($$SELECT modseq.wait_for('box', 1, 1, '0')$$);
SELECT failure($$SELECT modseq.wait_for(NULL, 1, 1, '0')$$);
SELECT failure($$SELECT modseq.wait_for('mail', NULL::bigint, 1, '0')$$);
SELECT failure($$SELECT modseq.wait_for('mail', 1, NULL, '0')$$);
SELECT failure($$SELECT modseq.wait_for('mail', 1, 1, NULL)$$);
SELECT failure($$SELECT modseq.wait_for('mail', 1, -1, '0')$$);
SELECT failure($$SELECT modseq.wait_for('mail', 1, 1, '-1 ms')$$);
SELECT failure($$SELECT modseq.wait_for('mail', ARRAY[1, 2]::text[], 1, '0')$$);
SELECT failure($$SELECT modseq.wait_for('mail', 1, 1, '1000000 years')$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT failure($$SELECT modseq.wait_for('mail', 1, 1, '0')$$);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', 'e1.1', '0')$$);
COMMIT;
BEGIN READ ONLY;
SELECT modseq.wait_for('mail', 1, 1000, '5 ms');
COMMIT;
CREATE TABLE plain (id bigint PRIMARY KEY, box_id bigint NOT NULL);
CREATE TABLE plain_box (id bigint PRIMARY KEY);
SELECT modseq.attach('plain', 'plain_box');
SELECT failure($$SELECT modseq.account_wait_for('plain', 'alice', 'e1.1', '0')$$);

-- Rights: those of status(), and what a policy hides does not exist
CREATE ROLE t_wait_reader;
GRANT USAGE ON SCHEMA t_wait TO t_wait_reader;
SET ROLE t_wait_reader;
SELECT failure($$SELECT modseq.wait_for('mail', 1, 1, '0')$$);
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', 'e1.1', '0')$$);
RESET ROLE;
GRANT SELECT ON box TO t_wait_reader;
SET ROLE t_wait_reader;
SELECT modseq.wait_for('mail', 1, 1, '0'), modseq.account_wait_for('mail', 'alice', :'email', '0');
RESET ROLE;
ALTER TABLE box ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON box USING (owner = 'bob');
SET ROLE t_wait_reader;
SELECT modseq.wait_for('mail', 2, 1, '0');
SELECT failure($$SELECT modseq.wait_for('mail', 1, 1, '1 h')$$);
SELECT failure($$SELECT modseq.account_wait_for('mail', 'alice', 'e1.1', '1 h')$$);
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA t_wait CASCADE;
DROP ROLE t_wait_reader;
