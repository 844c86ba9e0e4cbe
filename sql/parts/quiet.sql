/*
 * attach(): what it writes into tables is none of the application's business.
 * Its triggers and rules are off meanwhile: an audit of 40,000 messages that got
 * a number would help nobody.
 */

CREATE FUNCTION modseq_internal.rules_to_disable(tables regclass[])
RETURNS TABLE (relation regclass, name name, enabled "char")
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT ev_class::regclass, rulename, ev_enabled
	FROM pg_rewrite
	WHERE ev_class = ANY (tables) AND ev_enabled <> 'D' AND ev_type <> '1'		-- SELECT
	ORDER BY ev_class, rulename
$$;
COMMENT ON FUNCTION modseq_internal.rules_to_disable IS
	'The rules of tables that rewrite what is written to them, unless they are off.';

-- Constraints stay, but are checked at once: what waits for the end of the transaction forbids ALTER TABLE
CREATE FUNCTION modseq_internal.disable_triggers(tables regclass[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
	undo text[] := '{}'::text[];
BEGIN
	FOR t IN
		SELECT n.nspname, c.conname
		FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
		WHERE c.conrelid = ANY (tables) AND c.condeferrable AND c.contype <> 't'
	LOOP
		EXECUTE format('SET CONSTRAINTS %I.%I IMMEDIATE', t.nspname, t.conname);
	END LOOP;

	-- Each partition by itself, as it may differ from the others
	FOR t IN
		SELECT qualified_name(tgrelid) AS relation, 'TRIGGER' AS kind, tgname AS name, tgenabled AS enabled
		FROM pg_trigger
		WHERE tgrelid IN (SELECT with_partitions(VARIADIC tables)) AND NOT tgisinternal AND tgenabled <> 'D'
		UNION ALL
		SELECT qualified_name(relation), 'RULE', name, enabled FROM rules_to_disable(tables)
	LOOP
		EXECUTE format('ALTER TABLE ONLY %s DISABLE %s %I', t.relation, t.kind, t.name);
		undo := undo || format('ALTER TABLE ONLY %s ENABLE %s %s %I',
			t.relation, CASE t.enabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, t.kind, t.name);
	END LOOP;
	RETURN undo;
END
$$;
COMMENT ON FUNCTION modseq_internal.disable_triggers IS
	'Disables the triggers and rules of tables and their partitions. Returns the commands that put each back as '
	'it was.';

CREATE FUNCTION modseq_internal.run(commands text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	command text;
BEGIN
	FOREACH command IN ARRAY commands LOOP
		EXECUTE command;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.run IS
	'Runs commands, one after the other.';
