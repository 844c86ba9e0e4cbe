\set ECHO none
-- What became of an account, told by looking at all of it after each statement.
--
-- A test that includes it has tables mailbox (id, acct, name) and mail, of which a view membership (mailbox, uid, email,
-- thread, modseq) has the rows that are there; an account, 1, which the function account() writes as an argument; and a
-- function step() that runs a random statement.
CREATE FUNCTION account_state() RETURNS TABLE (email text, mailbox text, thread text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT * FROM modseq.account_state(%L, %s)', 'mail', account());
END $$;
CREATE TABLE history (n bigint, kind text, id text, print text, PRIMARY KEY (kind, n, id));
CREATE TABLE states (n bigint PRIMARY KEY, email text, mailbox text, thread text);

-- All that there is
CREATE FUNCTION present() RETURNS TABLE (kind text, id text, print text) LANGUAGE sql AS $$
	SELECT 'email', email, string_agg(concat_ws(':', b.id, uid, modseq), ' ' ORDER BY b.id, uid)
	FROM membership JOIN mailbox b ON b.id = mailbox
	WHERE b.acct = 1 GROUP BY email
	UNION ALL
	SELECT 'thread', thread, string_agg(DISTINCT email, ' ' ORDER BY email)
	FROM membership JOIN mailbox b ON b.id = mailbox
	WHERE b.acct = 1 GROUP BY thread
	UNION ALL
	SELECT 'mailbox', b.id::text, concat_ws(':', b.name, (SELECT highestmodseq FROM modseq.status('mail', b.id)))
	FROM mailbox b
	WHERE b.acct = 1
$$;

-- Remembers it, with the account's present mod-sequence. States change when something did, and only then.
CREATE FUNCTION look() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	now bigint := highest();
	last bigint := (SELECT max(n) FROM states);
	k text;
	same boolean;
BEGIN
	IF now <= last THEN
		RETURN last;
	ELSIF now > last + 1 THEN
		RAISE 'from mod-sequence % to %', last, now;
	END IF;
	INSERT INTO history SELECT now, h.* FROM present() AS h;
	INSERT INTO states SELECT now, s.* FROM account_state() AS s;
	FOREACH k IN ARRAY '{email,mailbox,thread}'::text[] LOOP
		SELECT to_jsonb(a) ->> k = to_jsonb(b) ->> k INTO same
		FROM states a, states b WHERE a.n = last AND b.n = now;
		IF same <> NOT EXISTS (
			SELECT FROM (SELECT * FROM history h WHERE h.kind = k AND h.n = last) a
			FULL JOIN (SELECT * FROM history h WHERE h.kind = k AND h.n = now) b USING (id)
			WHERE a.print IS DISTINCT FROM b.print)
		THEN
			RAISE 'state % at %: the same is %', k, now, same;
		END IF;
	END LOOP;
	RETURN now;
END $$;

-- What became of each object between two mod-sequences
CREATE FUNCTION became(k text, first bigint, last bigint) RETURNS TABLE (change text)
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN was AND NOT there THEN 'destroyed ' WHEN there AND NOT was THEN 'created ' ELSE 'updated ' END || id
	FROM (
		SELECT h.id, bool_or(h.n = first) AS was, bool_or(h.n = last) AS there,
			count(DISTINCT h.print) > 1 OR count(*) <= last - first AS changed
		FROM history h WHERE h.kind = k AND h.n BETWEEN first AND last GROUP BY h.id) AS o
	WHERE was <> there OR was AND changed
$$;

-- A page, checked by itself
CREATE FUNCTION page(k text, since text, most int, OUT told text[], OUT state text, OUT more boolean)
LANGUAGE plpgsql AS $$
DECLARE
	p record;
	n int;
BEGIN
	p := changes(k, since, most);
	told := ARRAY(
		SELECT 'created ' || unnest(p.created) UNION ALL
		SELECT 'updated ' || unnest(p.updated) UNION ALL
		SELECT 'destroyed ' || unnest(p.destroyed));
	state := p.new_state;
	more := p.has_more;
	n := cardinality(told);
	IF p.verdict <> 'ok' OR p.old_state <> since OR n > most OR more AND n < most
		OR n <> (SELECT count(DISTINCT split_part(t, ' ', 2)) FROM unnest(told) AS t)
	THEN
		RAISE '% since %, % at most: %', k, since, most, p;
	END IF;
END $$;

-- All pages, with a function of ours called between them
CREATE FUNCTION walk(k text, first bigint, most int, meanwhile boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	last bigint := (SELECT max(n) FROM states);
	now bigint := last;
	at text := (SELECT to_jsonb(s) ->> k FROM states s WHERE s.n = first);
	told text[] := '{}';
	extra text[];
	missing text[];
	p record;
BEGIN
	LOOP
		p := page(k, at, most);
		told := told || p.told;
		at := p.state;
		EXIT WHEN NOT p.more;
		IF meanwhile THEN
			PERFORM step();
			now := look();
		END IF;
	END LOOP;
	extra := ARRAY(SELECT unnest(told) EXCEPT SELECT became(k, first, last));
	-- What changes again is left to the next walk
	missing := ARRAY(
		SELECT became(k, first, last) EXCEPT SELECT unnest(told)
		EXCEPT SELECT replace(became(k, last, now), 'destroyed', 'updated'));
	IF extra <> '{}' OR missing <> '{}' OR at <> (SELECT to_jsonb(s) ->> k FROM states s WHERE s.n = last)
		OR cardinality(told) <> (SELECT count(DISTINCT split_part(t, ' ', 2)) FROM unnest(told) AS t)
	THEN
		RAISE '% from % to %, % at most: told %, where % is too much and % missing; ends at %',
			k, first, last, most, told, extra, missing, at;
	END IF;
END $$;

-- From each state that there was, by pages of each size
CREATE FUNCTION walk_all() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(walk(k, n, most, false))
	FROM states, unnest('{email,mailbox,thread}'::text[]) AS k, unnest('{1,2,3,5,NULL}'::int[]) AS most
$$;
CREATE FUNCTION walk_meanwhile(times int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. times LOOP
		PERFORM walk((ARRAY['email', 'mailbox', 'thread'])[1 + i % 3],
			(SELECT max(n) - 1 - roll(25) FROM states), 1 + i % 4, true);
	END LOOP;
	RETURN times;
END $$;

-- All of it
CREATE FUNCTION walks() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO states SELECT highest(), s.* FROM account_state() AS s;
	INSERT INTO history SELECT highest(), h.* FROM present() AS h;
	FOR i IN 1 .. 55 LOOP
		PERFORM step();
		PERFORM look();
	END LOOP;
	RETURN walk_all() > 300 AND walk_meanwhile(40) = 40
		-- Has it seen enough?
		AND (SELECT count(*) >= 8 FROM (
			SELECT DISTINCT k, split_part(b, ' ', 1)
			FROM unnest('{email,mailbox,thread}'::text[]) AS k,
				generate_series((SELECT min(n) FROM states), (SELECT min(n) + 15 FROM states)) AS n,
				became(k, n, n + 15) AS b) AS s);
END $$;
CREATE FUNCTION changes(k text, since text, most int, OUT verdict text, OUT old_state text, OUT new_state text,
	OUT has_more boolean, OUT created text[], OUT updated text[], OUT destroyed text[])
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT c.verdict, c.old_state, c.new_state, c.has_more, c.created, c.updated, c.destroyed '
		'FROM modseq.%s_changes(%L, %s, $1, $2) AS c', k, 'mail', account())
		INTO verdict, old_state, new_state, has_more, created, updated, destroyed USING since, most;
END $$;
-- A number below n, the same in each run and version
CREATE SEQUENCE dice;
CREATE FUNCTION roll(n int) RETURNS int LANGUAGE sql AS $$
	SELECT ('x' || substr(md5(nextval('dice')::text || current_schema()), 1, 7))::bit(28)::int % n
$$;
\set ECHO all
