\set ECHO none
-- What an account knows, against a model: all of it is noted after each statement.
--
-- A test that includes it makes schemas with stores, has see() make views of them, loads statements, and includes :play,
-- which runs them. What note() and verify() return is wrong, but for the last row. The model is in the schema
-- accounts_model, which the test drops.
\set play :test /include/accounts_play.sql
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
\set VERBOSITY terse
CREATE SCHEMA accounts_model;
SET search_path = accounts_model;
CREATE TABLE step (n int GENERATED ALWAYS AS IDENTITY, what text, account text, highest bigint, state bigint[], emails jsonb,
	threads jsonb, boxes jsonb);
CREATE TABLE change (account text, n int, key text);
-- In each schema there are views: live, boxes, accounts, gone
CREATE FUNCTION note(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	new step;
	old step;
BEGIN
	FOR new IN
		SELECT NULL, what, a.account, a.highest, ARRAY[a.email, a.thread, a.mailbox],
			(SELECT coalesce(jsonb_object_agg(email, content), '{}') FROM (
				SELECT email, jsonb_agg(concat_ws(' ', box, flags, thread) ORDER BY box, flags, thread) AS content
				FROM live l WHERE l.account = a.account GROUP BY email) AS e),
			(SELECT coalesce(jsonb_object_agg(thread, emails), '{}') FROM (
				SELECT thread, jsonb_agg(DISTINCT email) AS emails
				FROM live l WHERE l.account = a.account AND thread IS NOT NULL GROUP BY thread) AS t),
			(SELECT coalesce(jsonb_object_agg(box, content), '{}') FROM (
				SELECT box, jsonb_build_array(props, (SELECT count(*) FROM live l WHERE l.box = b.box)) AS content
				FROM boxes b WHERE b.account = a.account) AS b)
		FROM accounts a ORDER BY a.account
	LOOP
		SELECT * INTO old FROM step s WHERE s.account = new.account ORDER BY n DESC LIMIT 1;
		IF FOUND THEN
			IF new.highest < old.highest OR new.highest < ANY (new.state) THEN
				RETURN NEXT what || ': ' || new.account || ' has ' || new.state::text || ' of ' || new.highest;
			END IF;
			IF (new.emails <> old.emails) <> (new.state[1] <> old.state[1]) THEN
				RETURN NEXT what || ': Emails of ' || new.account || ': ' || old.state[1] || ' -> ' || new.state[1];
			END IF;
			IF (new.threads <> old.threads) <> (new.state[2] <> old.state[2]) THEN
				RETURN NEXT what || ': Threads of ' || new.account || ': ' || old.state[2] || ' -> ' || new.state[2];
			END IF;
			IF new.boxes <> old.boxes AND new.state[3] = old.state[3] THEN
				RETURN NEXT what || ': mailboxes of ' || new.account || ': ' || old.state[3] || ' -> ' || new.state[3];
			END IF;
		END IF;
		INSERT INTO step (what, account, highest, state, emails, threads, boxes) VALUES (new.what, new.account, new.highest,
			new.state, new.emails, new.threads, new.boxes);
	END LOOP;
END
$$;

-- Emails and mailboxes that were there at a value
CREATE FUNCTION emails_at(acc text, n bigint) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN RETURN ARRAY(
	SELECT email FROM live WHERE account = acc AND created <= n
	UNION
	SELECT e FROM gone, unnest(emails, gone.created) AS u (e, c) WHERE account = acc AND c <= n AND n < modseq
	ORDER BY 1); END $$;
CREATE FUNCTION boxes_at(acc text, n bigint) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN RETURN ARRAY(
	SELECT box FROM boxes WHERE account = acc AND coalesce(created, 0) <= n
	UNION
	SELECT e FROM gone, unnest(mailboxes, mailboxes_created) AS u (e, c) WHERE account = acc AND c <= n AND n < modseq
	ORDER BY 1); END $$;
CREATE FUNCTION threads_at(acc text, n bigint) RETURNS text[] LANGUAGE plpgsql AS $$ BEGIN RETURN ARRAY(
	SELECT thread FROM live WHERE account = acc AND created <= n AND thread IS NOT NULL
	UNION
	SELECT t FROM gone, unnest(threads, gone.created) AS u (t, c)
	WHERE account = acc AND c <= n AND n < modseq AND t IS NOT NULL
	ORDER BY 1); END $$;

CREATE FUNCTION verify(what text, so_far boolean DEFAULT false) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	s step;
	last step;
	got text[];
	wanted text[];
	then_there text[];
	now_there text[];
	boxes_then text[];
	-- Is more told than what differs in the end, where a statement changes something and puts it back?
	more boolean := coalesce(current_setting('accounts_model.more', true), '') = 'on';
BEGIN
	DELETE FROM change;
	INSERT INTO change
		SELECT y.account, y.n, key FROM (
			SELECT account, n, emails, lag(emails) OVER (PARTITION BY account ORDER BY n) AS before FROM step) AS y,
			jsonb_object_keys(before || emails) AS key
		WHERE (before -> key) IS DISTINCT FROM (emails -> key);
	FOR s IN SELECT DISTINCT ON (account, highest) * FROM step ORDER BY account, highest, n DESC LOOP
		SELECT * INTO last FROM step l WHERE l.account = s.account ORDER BY n DESC LIMIT 1;
		then_there := emails_at(s.account, s.highest);
		now_there := ARRAY(SELECT DISTINCT email FROM live WHERE account = s.account);
		got := then_there;
		wanted := ARRAY(SELECT jsonb_object_keys(s.emails) ORDER BY 1);
		IF got <> wanted THEN
			RETURN NEXT format('%s: after "%s", at %s, %s had Emails %s, not %s', what, s.what, s.highest, s.account, wanted, got);
		END IF;
		got := threads_at(s.account, s.highest);
		wanted := ARRAY(SELECT jsonb_object_keys(s.threads) ORDER BY 1);
		IF got <> wanted THEN
			RETURN NEXT format('%s: after "%s", at %s, %s had Threads %s, not %s', what, s.what, s.highest, s.account, wanted, got);
		END IF;
		boxes_then := boxes_at(s.account, s.highest);
		got := boxes_then;
		wanted := ARRAY(SELECT jsonb_object_keys(s.boxes) ORDER BY 1);
		IF got <> wanted THEN
			RETURN NEXT format('%s: after "%s", at %s, %s had mailboxes %s, not %s', what, s.what, s.highest, s.account, wanted, got);
		END IF;
		-- There before and now, and changed in between
		got := ARRAY(
			SELECT e FROM (
				SELECT email FROM live WHERE account = s.account AND modseq > s.highest
				UNION
				SELECT unnest(emails) FROM gone WHERE account = s.account AND modseq > s.highest) AS u (e)
			WHERE e = ANY (then_there) AND e = ANY (now_there) ORDER BY 1);
		wanted := ARRAY(
			SELECT DISTINCT c.key FROM change c
			WHERE c.account = s.account AND c.n > s.n AND s.emails ? c.key AND last.emails ? c.key ORDER BY 1);
		IF NOT got @> wanted OR (got <> wanted AND NOT more) THEN
			RETURN NEXT format('%s: since "%s", %s, Emails %s of %s changed, not %s', what, s.what, s.highest, wanted, s.account, got);
		END IF;
		got := ARRAY(
			SELECT box FROM boxes b WHERE account = s.account AND highest > s.highest
				AND box = ANY (boxes_then));
		wanted := ARRAY(
			SELECT key FROM jsonb_each(s.boxes) WHERE last.boxes ? key AND (last.boxes -> key) <> value);
		IF NOT got @> wanted THEN
			RETURN NEXT format('%s: since "%s", %s, mailboxes %s of %s changed, not %s', what, s.what, s.highest, wanted, s.account, got);
		END IF;
	END LOOP;
	-- No mailbox is ahead of its account, or behind what is said of it
	RETURN QUERY SELECT format('%s: mailbox %s has %s, %s, %s', what, box, highest, created, properties) FROM boxes b
		WHERE highest > (SELECT a.highest FROM accounts a WHERE a.account = b.account)
			OR highest < greatest(created, properties);
	IF so_far THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT format('%s: %s statements, %s states', what, (SELECT count(*) FROM script),
		(SELECT count(DISTINCT (account, highest)) FROM step));
	DELETE FROM step;
END
$$;

-- What has changed since can be told only from what is there: so it is verified now and then
CREATE FUNCTION note_and_verify(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT note(what);
	IF (SELECT count(DISTINCT s.what) % 8 = 0 FROM step s) THEN
		RETURN QUERY SELECT verify(what, true);
	END IF;
END
$$;

CREATE PROCEDURE noted(what text) LANGUAGE plpgsql AS $$
DECLARE
	problem text;
BEGIN
	FOR problem IN SELECT note_and_verify(what) LOOP
		RAISE WARNING '%', problem;
	END LOOP;
END
$$;

-- Statements, which end with a semicolon at the end of a line, and what each is followed by
CREATE TABLE script (n int GENERATED ALWAYS AS IDENTITY, statement text);
CREATE FUNCTION load(statements text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM script;
	INSERT INTO script (statement)
		SELECT s FROM regexp_split_to_table(statements, ';\s*\n(?!\t)') AS s WHERE s ~ '\S';
END
$$;
-- All in one transaction, each in a subtransaction
CREATE FUNCTION play() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	s script;
BEGIN
	FOR s IN SELECT * FROM script ORDER BY n LOOP
		BEGIN
			EXECUTE s.statement;
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT format('%s: %s', s.statement, sqlerrm);
		END;
		RETURN QUERY SELECT note_and_verify(s.statement);
	END LOOP;
END
$$;
-- The same, each by itself, by \gexec
CREATE VIEW play AS
	SELECT x FROM script, LATERAL (VALUES (1, statement), (2, format('CALL noted(%L)', statement))) AS x (place, x)
	ORDER BY n, place;

-- The views of a store, by its accounts' and mailboxes' columns
CREATE FUNCTION see(account text, email text, thread text, box text, live text, flags text, counters text, source text,
	props text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE VIEW live AS SELECT %s AS account, (%s)::text AS box, %s::text AS email, %s::text AS thread,
		%s::text AS flags, m.created_modseq AS created, m.modseq FROM message m JOIN %s b ON (%s) = (%s) AND %s WHERE %s',
		account, replace(box, 'b.', 'm.'), email, thread, flags, counters, box, replace(box, 'b.', 'm.'),
		CASE WHEN counters ~ '_mailbox' THEN 'b.gone_at IS NULL' ELSE 'true' END, live);
	EXECUTE format('CREATE VIEW boxes AS SELECT %s AS account, (%s)::text AS box, %s::text AS props, b.highestmodseq AS highest,
		b.created_modseq AS created, b.properties_modseq AS properties FROM %s b JOIN %s s ON (%s) = (%s)',
		account, box, props, counters, source, replace(box, 'b.', 's.'), box);
	EXECUTE format('CREATE VIEW accounts AS SELECT %s AS account, highestmodseq AS highest, email_modseq AS email,
		thread_modseq AS thread, mailbox_modseq AS mailbox FROM message_account b', account);
	EXECUTE format('CREATE VIEW gone AS SELECT %s AS account, modseq, emails::text[] AS emails, %s AS threads, created,
		mailboxes, mailboxes_created FROM message_departed b', account,
		CASE WHEN thread = 'NULL' THEN 'array_fill(NULL::text, ARRAY[cardinality(emails)])' ELSE 'threads::text[]' END);
END
$$;
\set ECHO all
