/*
 * Rights, asked for before they are needed: one error that names the table and
 * what is missing, in place of PostgreSQL's from deep within a query.
 */

CREATE FUNCTION modseq_internal.refuse_stranger(tables regclass[], function text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name text;
BEGIN
	SELECT qualified_name(c.oid) INTO name
	FROM unnest(tables) WITH ORDINALITY AS u (relation, place)
	CROSS JOIN LATERAL with_partitions(relation) AS p (relation)
	JOIN pg_class c ON c.oid = p.relation
	WHERE NOT pg_has_role(c.relowner, 'USAGE')
	ORDER BY place, c.oid LIMIT 1;
	IF FOUND THEN
		RAISE 'must be owner of table %', name USING
			ERRCODE = 'insufficient_privilege',
			-- attach() runs as the owner of the message table: a superuser who is told to be another role is no wiser
			HINT = format(CASE function
				WHEN 'modseq.attach()' THEN 'Give all tables of the store to one owner, and call %s as that role or as a superuser.'
				ELSE 'Call %s as a role that owns all tables of the store.' END, function);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_stranger IS
	'Refuses a caller who does not own these tables and their partitions.';

CREATE FUNCTION modseq_internal.refuse_reader(store modseq_internal.store, tables regclass[], function text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN
		SELECT qualified_name(c.oid) AS name, n.nspname AS schema, has_schema_privilege(n.oid, 'USAGE') AS may_use,
			row_security_active(c.oid) AS is_hidden,
			NOT EXISTS (
				SELECT
				FROM pg_attribute a
				WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
					AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')
					AND (c.oid = ANY (our_tables(store)) OR (c.oid, a.attname) IN (
						SELECT relation, attribute
						FROM wanted_columns(store)
						WHERE option NOT IN ('message_flags', 'message_key')))) AS may_select
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place)
		JOIN pg_class c ON c.oid = relation
		JOIN pg_namespace n ON n.oid = c.relnamespace
		ORDER BY place
	LOOP
		IF NOT t.may_use THEN
			RAISE 'permission denied for schema %', quote_ident(t.schema) USING
				ERRCODE = 'insufficient_privilege',
				DETAIL = format('%s needs the right USAGE.', function),
				HINT = 'Call it as the owner of the tables, or GRANT it.';
		END IF;
		IF NOT t.may_select THEN
			RAISE 'permission denied for table %', t.name USING
				ERRCODE = 'insufficient_privilege',
				DETAIL = format('%s needs the right SELECT on all tables of the store.', function),
				HINT = 'Call it as the owner of the tables, or GRANT it.';
		END IF;
		IF t.is_hidden THEN
			RAISE 'row-level security would hide rows of table % from %', t.name, function USING
				ERRCODE = 'insufficient_privilege',
				HINT = 'Call it as a role that the policies do not apply to: the owner, unless they are forced on it, '
					'or one with BYPASSRLS.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_reader IS
	'Refuses a caller who may not read all rows of these tables of a store, with all columns that we read.';
