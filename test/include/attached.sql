\set ECHO none
\ir failure.sql
\set ECHO none
-- What attach() says to arguments that it refuses
CREATE FUNCTION refusal(arguments text) RETURNS text
LANGUAGE sql AS $$ SELECT failure(format('SELECT modseq.attach(%s)', arguments)) $$;

-- What attach() makes of a pair of tables, or three, by the options that it writes down; without lasting effect
CREATE FUNCTION attached(arguments text) RETURNS SETOF text
LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
	options text[];
BEGIN
	BEGIN
		EXECUTE format('SELECT modseq.attach(%s)', arguments);
		SELECT modseq_internal.trigger_options(t.oid) INTO options
		FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
		WHERE tgname = 'zz_modseq_assign' AND relnamespace = current_schema()::regnamespace;
		RAISE 'undo' USING ERRCODE = 'MS001';
	EXCEPTION WHEN SQLSTATE 'MS001' THEN
		RETURN QUERY SELECT o FROM unnest(options) AS o;
	END;
END $$;
\set ECHO all
