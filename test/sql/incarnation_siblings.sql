--
-- Incarnations that do not know of each other: two standbys of a primary that is lost, promoted one after the other.
-- A client of the first one comes to the second.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA incarnation_siblings;
SET search_path = incarnation_siblings;

CREATE TABLE mailbox (name text PRIMARY KEY);
CREATE TABLE mail (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mailbox text NOT NULL REFERENCES mailbox,
	seen boolean NOT NULL DEFAULT false);
SELECT modseq.attach('mail', 'mailbox', message_flags => '{seen}');
INSERT INTO mailbox VALUES ('a');
INSERT INTO mail (mailbox) VALUES ('a'), ('a'), ('a');

-- Each of these begins from the same, and is later than the one before: its number is higher, by more than what that
-- has given since, though all are of one second
CREATE FUNCTION ascend(times int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint := 0;
	number bigint;
BEGIN
	FOR i IN 1 .. times LOOP
		BEGIN
			number := modseq.recovered();
			RAISE EXCEPTION 'it is lost';
		EXCEPTION WHEN raise_exception THEN
			IF number <= before THEN
				RETURN format('%s after %s', number, before);
			END IF;
			before := number;
		END;
	END LOOP;
	RETURN 'they ascend';
END
$$;
SELECT ascend(100);

-- Also where the clock is behind
BEGIN;
INSERT INTO modseq.incarnation
	SELECT system_identifier, timeline, database, extension, now(), 1::bigint << 51, 10000 FROM modseq.incarnation ORDER BY modseq DESC LIMIT 1;
SELECT ascend(100);
ROLLBACK;

-- The clock of the first may have been ahead all the same. So what is above HIGHESTMODSEQ is its, and means nothing,
-- before this one's first change and after it
CREATE FUNCTION known(numbers bigint[]) RETURNS TABLE (i int, verdict text, changed modseq.uidset, vanished boolean, verdicts text)
LANGUAGE sql AS $$
	SELECT i, (modseq.resync('mail', 'a', (modseq.status('mail', 'a')).uidvalidity, n)).verdict,
		(SELECT modseq.uidset_agg(uid) FROM modseq.changed_since('mail', 'a', n)), modseq.vanished_since('mail', 'a', n)::text <> '',
		(SELECT string_agg(verdict, ' ') FROM modseq.unchanged_since('mail', 'a', '1:3', n))
	FROM unnest(numbers) WITH ORDINALITY AS u (n, i)
$$;
SELECT modseq.recovered() AS j \gset
SELECT * FROM known(ARRAY[1, :j + 5]);
UPDATE mail SET seen = true WHERE uid = 3;
SELECT * FROM known(ARRAY[1, :j, :j + 1, :j + 2, :j + 1000000, 9223372036854775807]);

-- As at first, for the tests that follow
DELETE FROM modseq.incarnation WHERE modseq > 0;
DROP SCHEMA incarnation_siblings CASCADE;
