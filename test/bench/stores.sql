-- A schema for each tenant, with a store in it; and what is called for one of them

-- == setup
CREATE SCHEMA store;
CREATE EXTENSION modseq;
CREATE PROCEDURE make(n integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		EXECUTE format('CREATE SCHEMA t%1$s; CREATE TABLE t%1$s.box (id bigint PRIMARY KEY);'
			'CREATE TABLE t%1$s.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES t%1$s.box, seen boolean)', i);
		EXECUTE format('SELECT modseq.attach(''t%1$s.mail'', ''t%1$s.box'', message_flags => ''{seen}'')', i);
		COMMIT;
	END LOOP;
END $$;
CREATE PROCEDURE use_stores(first integer, last integer) LANGUAGE plpgsql AS $$
DECLARE
	tenant text;
BEGIN
	FOR i IN first .. last LOOP
		tenant := 't' || i;
		EXECUTE format('INSERT INTO %I.box VALUES (10), (20)', tenant);
		EXECUTE format('INSERT INTO %I.mail SELECT 1000 + i, 10, false FROM generate_series(1, 4) AS i', tenant);
		EXECUTE format('UPDATE %I.mail SET seen = true WHERE id < 1003', tenant);
		EXECUTE format('UPDATE %I.mail SET box_id = 20 WHERE id = 1003', tenant);
		EXECUTE format('DELETE FROM %I.mail WHERE id = 1001', tenant);
		EXECUTE format('SELECT modseq.lock(%L, 10::bigint)', tenant || '.mail');
		EXECUTE format('SELECT modseq.changed_since(%L, 10::bigint, 1)', tenant || '.mail');
		EXECUTE format('SELECT modseq.vanished_since(%L, 10::bigint, 1)', tenant || '.mail');
		EXECUTE format('SELECT modseq.status(%L, 10::bigint)', tenant || '.mail');
		COMMIT;
	END LOOP;
END $$;
CREATE PROCEDURE look_at_stores(n integer) LANGUAGE plpgsql AS $$
DECLARE
	tenant text;
BEGIN
	FOR i IN 1 .. n LOOP
		tenant := 't' || i;
		EXECUTE format('UPDATE %I.mail SET seen = NOT seen WHERE id = 1002', tenant);
		EXECUTE format('SELECT modseq.changed_since(%L, 10::bigint, 1)', tenant || '.mail');
		EXECUTE format('SELECT modseq.status(%L, 10::bigint)', tenant || '.mail');
		COMMIT;
	END LOOP;
END $$;
CREATE TABLE sessions (bytes bigint);
CALL make(:n);
VACUUM ANALYZE;

-- == attach one more, and detach it
CREATE TABLE public.box (id bigint PRIMARY KEY);
CREATE TABLE public.mail (id bigint PRIMARY KEY, box_id bigint NOT NULL REFERENCES public.box, seen boolean);
SELECT modseq.attach('public.mail', 'public.box', message_flags => '{seen}');
SELECT modseq.detach('public.mail', remove => true);
DROP TABLE public.mail, public.box;

-- == attach one again
SELECT modseq.attach('t2.mail');

-- == check one
SELECT * FROM modseq.check('t2.mail');

-- == compact one
SELECT modseq.compact('t2.mail', '1 day');

-- == look at one in the view
SELECT * FROM modseq.stores WHERE message = 't2.mail'::regclass;

-- == DDL that concerns none
CREATE TABLE public.other (i integer);
ALTER TABLE public.other ADD x integer;
DROP TABLE public.other;

-- == use
\o /dev/null
CALL use_stores(1, 10);
CREATE VIEW ours AS
	SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts
	WHERE name ~ '^modseq' OR name ~ '^CachedPlan' OR name = 'SPI Plan';
SELECT bytes AS before FROM ours \gset
CALL use_stores(11, :n);
\o
SELECT (bytes - :before) / (:n - 10) / 1024 FROM ours;

-- == use, many sessions
-- Each session uses all stores, and tells at the end what of its memory is ours
CALL look_at_stores(:n);
INSERT INTO sessions SELECT sum(total_bytes) FROM pg_backend_memory_contexts
	WHERE name ~ '^modseq' OR name ~ '^CachedPlan' OR name = 'SPI Plan';
