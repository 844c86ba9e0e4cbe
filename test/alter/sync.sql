-- A client of the store soak.mail, which only knows what it was told: the tables of a replica, and a function that asks
-- what is new and compares. What the store is called and which columns it has is read from modseq.stores each time.

CREATE TABLE client.mailbox (key text PRIMARY KEY, uidvalidity bigint, highest bigint);
CREATE TABLE client.message (key text, uid bigint, content jsonb, PRIMARY KEY (key, uid));

-- The live messages of a store: mailbox, UID, and what its flags are
CREATE FUNCTION client.messages(s modseq.stores) RETURNS TABLE (key text, uid bigint, content jsonb) LANGUAGE plpgsql AS $$
DECLARE
	-- What says that no flag is set is the same as none
	columns text := (SELECT string_agg(format('nullif(nullif(nullif(m.%I::text, ''false''), ''0''), '''')', f), ', ') FROM unnest(s.message_flags) AS f);
	rows text;
BEGIN
	IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = s.flag AND attname = 'flag' AND NOT attisdropped) THEN
		rows := format('(SELECT jsonb_agg(DISTINCT f.flag::text ORDER BY f.flag::text) FROM %s f WHERE f.%I = m.%I)',
			s.flag, s.flag_message[1], s.message_key[1]);
	END IF;
	RETURN QUERY EXECUTE format('SELECT m.%I::text, m.%I::bigint, jsonb_build_array(%s) FROM %s m WHERE %s',
		s.message_mailbox[1], s.message_uid, concat_ws(', ', columns, rows), s.message,
		coalesce((SELECT format('(m.%I%s) IS NOT TRUE', a.attname, CASE
				WHEN a.atttypid = 'boolean'::regtype THEN ''
				WHEN a.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN ' <> 0'
				ELSE ' IS NOT NULL' END)
			FROM pg_attribute a WHERE a.attrelid = s.message AND a.attname = s.message_expunged), 'true'));
END $$;

-- Asks what is new, and says what is wrong with the answer. afresh: the client knows nothing any more.
CREATE FUNCTION client.sync(afresh boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	s modseq.stores;
	box record;
	known client.mailbox;
	told record;
	wrong text;
BEGIN
	SELECT * INTO STRICT s FROM modseq.stores WHERE message = client.store();
	IF afresh THEN
		DELETE FROM client.mailbox;
		DELETE FROM client.message;
	END IF;
	CREATE TEMPORARY TABLE now AS SELECT * FROM client.messages(s);
	FOR box IN EXECUTE format('SELECT b.%1$I::text AS key, c.%2$I::bigint AS uidvalidity FROM %3$s b JOIN %4$s c ON c.%1$I = b.%1$I',
		s.mailbox_key[1], s.mailbox_uidvalidity, s.mailbox, coalesce(s.counters, s.mailbox))
	LOOP
		SELECT * INTO known FROM client.mailbox m WHERE m.key = box.key;
		SELECT * INTO told FROM modseq.resync(s.message, box.key, coalesce(known.uidvalidity, box.uidvalidity), coalesce(known.highest, 0));
		IF told.verdict = 'uidvalidity_changed' OR known IS NULL THEN
			DELETE FROM client.message m WHERE m.key = box.key;
			SELECT * INTO told FROM modseq.resync(s.message, box.key, box.uidvalidity, 0);
		END IF;
		IF told.verdict <> 'ok' THEN
			RAISE WARNING 'DIVERGED: mailbox %: verdict %', box.key, told.verdict;
		END IF;
		DELETE FROM client.message m WHERE m.key = box.key
			AND (m.uid OPERATOR(modseq.<@) told.vanished OR m.uid OPERATOR(modseq.<@) told.changed);
		INSERT INTO client.message SELECT * FROM now WHERE now.key = box.key AND now.uid OPERATOR(modseq.<@) told.changed;
		DELETE FROM client.mailbox m WHERE m.key = box.key;
		INSERT INTO client.mailbox VALUES (box.key, box.uidvalidity, told.highestmodseq);
		IF modseq.live_uids(s.message, box.key) OPERATOR(modseq.<>) coalesce((SELECT modseq.uidset_agg(uid) FROM now WHERE now.key = box.key), '') THEN
			RAISE WARNING 'DIVERGED: mailbox %: live_uids() is %', box.key, modseq.live_uids(s.message, box.key);
		END IF;
	END LOOP;
	EXECUTE format('DELETE FROM client.mailbox m WHERE m.key NOT IN (SELECT %I::text FROM %s)', s.mailbox_key[1], s.mailbox);
	DELETE FROM client.message m WHERE m.key NOT IN (SELECT b.key FROM client.mailbox b);
	SELECT string_agg(concat_ws(' ', key, uid, c.content, 'instead of', n.content), '; ') INTO wrong
		FROM client.message c FULL JOIN now n USING (key, uid) WHERE c.content IS DISTINCT FROM n.content;
	IF wrong IS NOT NULL THEN
		RAISE WARNING 'DIVERGED: %', wrong;
	END IF;
	DROP TABLE now;
END $$;

-- The same where the store is sound, and else what is wrong with it: it can say so, or refuse, but not lie. And whether
-- others are as they were. True if it is sound.
CREATE FUNCTION client.look(afresh boolean) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	problems text;
BEGIN
	SELECT string_agg(concat_ws(' ', name, setting), ', ') INTO problems
		FROM pg_settings WHERE name IN ('work_mem', 'row_security', 'jit', 'session_replication_role') AND setting <> reset_val
			OR name LIKE 'enable%' AND setting <> reset_val;
	IF problems IS NOT NULL THEN
		RAISE WARNING 'LEFT BEHIND: %', problems;
	END IF;
	IF (SELECT hash FROM client.victim) IS DISTINCT FROM client.state_of_victim() THEN
		RAISE WARNING 'VICTIM: %', client.state_of_victim();
	END IF;
	IF NOT EXISTS (SELECT FROM modseq.stores WHERE message = client.store()) THEN
		RAISE WARNING 'UNSOUND: no store';
		RETURN false;
	END IF;
	SELECT string_agg(problem, '; ') INTO problems FROM (
		SELECT DISTINCT problem FROM modseq.check(client.store()) WHERE problem !~ '^index') AS p;
	IF problems IS NOT NULL THEN
		RAISE WARNING 'UNSOUND: %', problems;
		RETURN false;
	END IF;
	PERFORM client.sync(afresh);
	RAISE WARNING 'SOUND';
	RETURN true;
END $$;

CREATE FUNCTION client.store() RETURNS regclass LANGUAGE sql AS $$ SELECT to_regclass('soak.mail') $$;

-- Makes room for another store
CREATE FUNCTION client.clear() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET client_min_messages = error AS $$
BEGIN
	DROP SCHEMA IF EXISTS soak, elsewhere CASCADE;
	CREATE SCHEMA soak AUTHORIZATION alter_owner;
	CREATE SCHEMA elsewhere AUTHORIZATION alter_owner;
	GRANT ALL ON SCHEMA soak, elsewhere TO alter_other, alter_member;
	CREATE DOMAIN soak.number AS bigint;
	CREATE DOMAIN soak.word AS text;
	CREATE TYPE soak.kind AS ENUM ('1', '2', '3', '4');
	CREATE TYPE soak.pair AS (a bigint, b bigint);
	ALTER DOMAIN soak.number OWNER TO alter_owner;
	ALTER DOMAIN soak.word OWNER TO alter_owner;
	ALTER TYPE soak.kind OWNER TO alter_owner;
	ALTER TYPE soak.pair OWNER TO alter_owner;
END $$;

-- A store of another role's, which may not change
SET client_min_messages = error;
CREATE SCHEMA victim AUTHORIZATION alter_victim;
GRANT USAGE ON SCHEMA victim TO alter_owner;
SET ROLE alter_victim;
CREATE TABLE victim.box (id bigint PRIMARY KEY);
CREATE TABLE victim.mail (id bigint GENERATED BY DEFAULT AS IDENTITY, box_id bigint NOT NULL, seen boolean) PARTITION BY LIST (box_id);
CREATE TABLE victim.mail_1 PARTITION OF victim.mail DEFAULT;
SELECT modseq.attach('victim.mail', 'victim.box');
INSERT INTO victim.box VALUES (1);
INSERT INTO victim.mail (box_id) VALUES (1), (1), (1);
DELETE FROM victim.mail WHERE id = 2;
RESET ROLE;
CREATE FUNCTION client.state_of_victim() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', (SELECT array_agg(m ORDER BY id) FROM victim.mail m), (SELECT array_agg(b) FROM victim.box b),
		(SELECT array_agg((modseq, uids)) FROM victim.mail_vanished), (SELECT array_agg(problem) FROM modseq.check('victim.mail')),
		(SELECT array_agg(format('%s %s %s', tgname, tgrelid::regclass, tgenabled) ORDER BY tgrelid, tgname) FROM pg_trigger
			WHERE tgrelid::regclass::text ~ '^victim'))
$$;
CREATE TABLE client.victim AS SELECT client.state_of_victim() AS hash;
