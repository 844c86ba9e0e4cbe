\set ECHO none
-- What a command fails with: SQLSTATE, message, detail and hint. A command that is to be tried and undone raises MS001
-- at its end, and its message is the result.
CREATE FUNCTION failure(command text) RETURNS text
LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION
	WHEN SQLSTATE 'MS001' THEN
		RETURN SQLERRM;
	WHEN others THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		RETURN concat_ws(E'\n', SQLSTATE || ' ' || message, '    ' || nullif(detail, ''), '    ' || nullif(hint, ''));
END $$;
\set ECHO all
