-- Long transactions of small statements, at random: inserts, flags, expunges, moves, UPDATEs of the counters by their
-- owner, tables that are written anew, renames, in blocks that succeed or fail, one within the other. After each of
-- them the counters, read raw and by functions, are those that a model expects; and at the end another session finds the
-- store sound.
\set ECHO none
\getenv test PG_ABS_SRCDIR
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA long_transactions;
SET search_path = long_transactions;
\pset format unaligned
\pset tuples_only on
\set told :test /include/told.sql
\i :told
\set ECHO none

CREATE TABLE box (id int PRIMARY KEY);
CREATE TABLE mail (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	box_id int NOT NULL REFERENCES box ON DELETE CASCADE ON UPDATE CASCADE,
	uid bigint,
	modseq bigint,
	seen boolean NOT NULL DEFAULT false
);
SELECT modseq.attach('mail', 'box', message_flags => '{seen}');
INSERT INTO box SELECT generate_series(1, 3);

-- What a mailbox should say, by its number here, which a rename does not change; plain variables are not rolled back,
-- so who makes a block keeps the model, and puts it back if the block fails
CREATE TYPE model AS (keys int[], uidnext bigint[], highest bigint[], used int);

CREATE FUNCTION compare(m model, step int, what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	wanted text;
	raw text;
	told text;
	asked text;
BEGIN
	FOR i IN 1 .. 3 LOOP
		wanted := concat(wanted, format('%s:%s,%s ', m.keys[i], m.uidnext[i], m.highest[i]));
		raw := concat(raw, (SELECT format('%s:%s,%s ', id, uidnext, highestmodseq) FROM mail_mailbox WHERE id = m.keys[i]));
		told := concat(told, (SELECT format('%s:%s,%s ', m.keys[i], uidnext, highestmodseq)
			FROM modseq.status('mail', m.keys[i])));
		asked := concat(asked, (SELECT format('%s:%s,%s ', m.keys[i], uidnext, highestmodseq)
			FROM modseq.resync('mail', m.keys[i], 1, 1)));
	END LOOP;
	IF raw <> wanted OR told <> wanted OR asked <> wanted OR (SELECT count(*) FROM mail_mailbox) <> 3 THEN
		RAISE 'step %, %: wanted %, raw %, status() %, resync() %', step, what, wanted, raw, told, asked;
	END IF;
END
$$;

CREATE FUNCTION one_step(INOUT m model, step int) LANGUAGE plpgsql AS $$
DECLARE
	i int := 1 + floor(random() * 3);
	j int := 1 + (i + floor(random() * 2)::int) % 3;
	what int := floor(random() * 100);
	chosen int := (SELECT id FROM mail WHERE box_id = m.keys[i] ORDER BY hashint4(id # step) LIMIT 1);
BEGIN
	IF chosen IS NULL OR what < 40 THEN
		INSERT INTO mail (box_id) VALUES (m.keys[i]);
		m.uidnext[i] := m.uidnext[i] + 1;
		m.highest[i] := m.highest[i] + 1;
	ELSIF what < 60 THEN
		UPDATE mail SET seen = NOT seen WHERE id = chosen;
		m.highest[i] := m.highest[i] + 1;
	ELSIF what < 70 THEN
		UPDATE mail SET seen = seen WHERE id = chosen;
	ELSIF what < 78 THEN
		DELETE FROM mail WHERE id = chosen;
		m.highest[i] := m.highest[i] + 1;
	ELSIF what < 86 THEN
		UPDATE mail SET box_id = m.keys[j] WHERE id = chosen;
		m.highest[i] := m.highest[i] + 1;
		m.uidnext[j] := m.uidnext[j] + 1;
		m.highest[j] := m.highest[j] + 1;
	ELSIF what < 90 THEN
		PERFORM modseq.touch('mail', m.keys[i]);
		m.highest[i] := m.highest[i] + 1;
	ELSIF what < 93 THEN
		-- The owner's own hand; UIDs that are passed over vanish
		UPDATE mail_mailbox SET uidnext = uidnext + 5 WHERE id = m.keys[i];
		m.uidnext[i] := m.uidnext[i] + 5;
		m.highest[i] := m.highest[i] + 1;
	ELSIF what < 95 THEN
		UPDATE mail_mailbox SET highestmodseq = highestmodseq + 7 WHERE id = m.keys[i];
		m.highest[i] := m.highest[i] + 7;
	ELSIF what < 97 THEN
		UPDATE mail_mailbox SET id = id;		-- no news, but all rows are elsewhere
	ELSIF what < 98 THEN
		CLUSTER mail_mailbox USING mail_mailbox_pkey;
	ELSIF what < 99 THEN
		PERFORM modseq.lock('mail', m.keys);
	ELSE
		m.used := m.used + 1;
		UPDATE box SET id = m.used WHERE id = m.keys[i];
		m.keys[i] := m.used;
	END IF;
	PERFORM compare(m, step, format('statement %s on %s', what, m.keys[i]));
END
$$;

-- Steps, and blocks of steps: a third of them fails at their end
CREATE FUNCTION some_steps(INOUT m model, n int, depth int) LANGUAGE plpgsql AS $$
DECLARE
	before model;
BEGIN
	FOR step IN 1 .. n LOOP
		IF depth < 4 AND random() < 0.2 THEN
			before := m;
			BEGIN
				m := some_steps(m, 1 + floor(random() * 6)::int, depth + 1);
				IF random() < 0.35 THEN
					RAISE division_by_zero;
				END IF;
			EXCEPTION WHEN division_by_zero THEN
				before.used := m.used;
				m := before;
				PERFORM compare(m, step, 'rolled back');
			END;
		ELSE
			m := one_step(m, step);
		END IF;
	END LOOP;
END
$$;

-- Transactions of such steps, of which a fourth is rolled back
CREATE PROCEDURE transactions(n int) LANGUAGE plpgsql AS $$
DECLARE
	m model;
BEGIN
	FOR i IN 1 .. n LOOP
		SELECT array_agg(id ORDER BY id), array_agg(uidnext ORDER BY id), array_agg(highestmodseq ORDER BY id), max(id)
			INTO m.keys, m.uidnext, m.highest, m.used FROM mail_mailbox;
		m.used := m.used + 1000 * i;
		m := some_steps(m, 150, 0);
		IF i % 4 = 0 THEN
			ROLLBACK;
		ELSE
			COMMIT;
			PERFORM compare(m, 0, 'committed');
		END IF;
		COMMIT;
	END LOOP;
END
$$;

SELECT setseed(0.4711);
CALL transactions(8);
SET default_transaction_isolation = 'repeatable read';
CALL transactions(4);
\c -
SET client_min_messages = warning;
SET search_path = long_transactions;
\pset format unaligned
\pset tuples_only on
SELECT count(*) FROM modseq.check('mail');
SELECT DISTINCT 'UIDs: ' || problem FROM told('mail') WHERE problem IS NOT NULL;
-- Each UID below UIDNEXT is live or has vanished, never both; and no number is twice or above the counters
SELECT 'not exactly the UIDs below UIDNEXT: ' || b.id
	FROM mail_mailbox AS b
	WHERE uidnext - 1 <> (SELECT count(*) FROM mail WHERE box_id = b.id)
		+ (SELECT coalesce(sum(modseq.cardinality(uids)), 0) FROM mail_vanished AS v WHERE v.id = b.id);
SELECT 'above the counters: ' || b.id
	FROM mail_mailbox AS b JOIN mail AS m ON m.box_id = b.id
	WHERE m.uid >= b.uidnext OR m.modseq > b.highestmodseq;
\set ECHO all
DROP SCHEMA long_transactions CASCADE;
