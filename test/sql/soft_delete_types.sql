--
-- The column of a soft delete, by its type: null, false and 0 are live
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
CREATE SCHEMA t_soft;
SET search_path = t_soft;
\set VERBOSITY terse

CREATE DOMAIN gone AS smallint;
CREATE DOMAIN dead AS boolean;
CREATE FUNCTION type(type text, live text[], expunged text[]) RETURNS TABLE (what text, vanished text, changed text, broken bigint)
LANGUAGE plpgsql AS $$
DECLARE
	value text;
BEGIN
	EXECUTE format('CREATE TABLE box (id int PRIMARY KEY);
		CREATE TABLE msg (id int PRIMARY KEY, box_id int, expunged %s, seen boolean)', type);
	PERFORM modseq.attach('msg', 'box', message_expunged => 'expunged');
	INSERT INTO box VALUES (1);
	what := 'live';
	EXECUTE format('INSERT INTO msg SELECT i, 1, v::%s FROM unnest($1) WITH ORDINALITY AS v (v, i)', type) USING live;
	UPDATE msg SET seen = true;
	SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
		FROM modseq.changed_since('msg', 1, 2) c;
	SELECT count(*) INTO broken FROM modseq.check('msg');
	RETURN NEXT;
	FOREACH value IN ARRAY expunged LOOP
		what := 'expunged by ' || value;
		EXECUTE format('UPDATE msg SET expunged = $1::%s', type) USING value;
		UPDATE msg SET seen = NOT seen;
		SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
			FROM modseq.changed_since('msg', 1, 2) c;
		SELECT count(*) INTO broken FROM modseq.check('msg');
		RETURN NEXT;
	END LOOP;
	what := 'live again';
	EXECUTE format('UPDATE msg SET expunged = $1::%s', type) USING live[1];
	SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
		FROM modseq.changed_since('msg', 1, 2) c;
	SELECT count(*) INTO broken FROM modseq.check('msg');
	RETURN NEXT;
	-- Attached over what there is: what is expunged is not live
	what := 'attached';
	PERFORM modseq.detach('msg');
	DROP TABLE msg_vanished, msg_mailbox;
	EXECUTE format('UPDATE msg SET expunged = $1::%s WHERE id = 1', type) USING expunged[1];
	PERFORM modseq.attach('msg', 'box', message_expunged => 'expunged');
	SELECT modseq.vanished_since('msg', 1, 0)::text, modseq.uidset_agg(c.uid)::text INTO vanished, changed
		FROM modseq.changed_since('msg', 1, 0) c;
	SELECT count(*) INTO broken FROM modseq.check('msg');
	RETURN NEXT;
	DROP TABLE msg, msg_vanished, msg_mailbox, box;
END $$;
SELECT * FROM type('boolean', '{NULL,f}', '{t}');
SELECT * FROM type('smallint', '{NULL,0}', '{1,-1}');
SELECT * FROM type('integer', '{0,NULL}', '{4}');
SELECT * FROM type('bigint', '{0,NULL}', '{1798761600000}');
SELECT * FROM type('date', '{NULL}', '{2026-01-01}');
SELECT * FROM type('timestamp', '{NULL}', '{2026-01-01,-infinity}');
SELECT * FROM type('timestamptz', '{NULL}', '{infinity,2026-01-01}');
SELECT * FROM type('gone', '{0,NULL}', '{2}');
SELECT * FROM type('dead', '{f,NULL}', '{t}');

DROP SCHEMA t_soft CASCADE;
