/*
 * The values of UIDVALIDITY that were given, of a store that Citus distributes.
 * They go with their shard to another server, whose clock may be behind, though
 * the mailboxes are gone that had them. Any other store has none of this.
 */

CREATE FUNCTION modseq_internal.uidvalidities_key(store modseq_internal.store) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_remove(ARRAY[distribution_column(store.mailbox), 'uidvalidity'], NULL)
$$;
COMMENT ON FUNCTION modseq_internal.uidvalidities_key IS
	'The columns of the table of given values: what the tables are distributed by, if by a column, and the value.';

CREATE FUNCTION modseq_internal.uidvalidities_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT concat_ws(', ', column_definitions(store.mailbox, ARRAY[distribution_column(store.mailbox)]), 'uidvalidity bigint')
$$;
COMMENT ON FUNCTION modseq_internal.uidvalidities_definitions IS
	'The same, as they are defined.';

CREATE FUNCTION modseq_internal.make_uidvalidities(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := uidvalidities_name(store.message);
	relation CONSTANT regclass := coalesce(table_named(name), store.uidvalidities);
BEGIN
	IF NOT is_distributed(store.message) THEN
		IF store.uidvalidities IS NOT NULL THEN
			RAISE NOTICE '%', drop_ours(store, store.uidvalidities);
		END IF;
		RETURN NULL;
	END IF;
	IF relation IS NOT NULL THEN
		PERFORM follow_owner(store, relation);
		PERFORM refuse_as_ours(store, relation, uidvalidities_definitions(store), uidvalidities_key(store),
			'If it is the store''s, drop it; else rename it, and modseq.attach() creates its own.');
		RETURN relation;
	END IF;
	EXECUTE format('CREATE TABLE %s (%s, PRIMARY KEY (%s))',
		name, uidvalidities_definitions(store), quoted_list(uidvalidities_key(store)));
	EXECUTE format('ALTER TABLE %s OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('Values of UIDVALIDITY that mailboxes of %s have had. Kept by modseq.', qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.make_uidvalidities IS
	'The table of given values, which is found or created; NULL, and dropped, if the store is not distributed (any more). '
	'Error 42P07 if another table has its name.';

-- By the table's own key: a shard is distributed by nothing
CREATE FUNCTION modseq_internal.adopt_uidvalidities(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	columns CONSTANT text := quoted_list(primary_key(store.uidvalidities));
BEGIN
	EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM %s WHERE %I BETWEEN 1 AND 4294967295 ON CONFLICT DO NOTHING',
		qualified_name(store.uidvalidities), columns,
		quoted_list(array_replace(primary_key(store.uidvalidities), 'uidvalidity', store.mailbox_uidvalidity)),
		qualified_name(counter_table(store)), store.mailbox_uidvalidity);
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_uidvalidities IS
	'What attach() notes of the values that mailboxes have.';

CREATE FUNCTION modseq_internal.compact_uidvalidities(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	account CONSTANT name := (array_remove(primary_key(store.uidvalidities), 'uidvalidity'))[1];
BEGIN
	EXECUTE format('
		DELETE FROM %1$s g
		USING (SELECT %2$s AS account, max(uidvalidity) AS highest FROM %1$s GROUP BY 1) AS h
		WHERE %3$s AND g.uidvalidity < h.highest',
		qualified_name(store.uidvalidities), coalesce(quote_ident(account), 'true'),
		CASE WHEN account IS NULL THEN 'true' ELSE format('g.%I = h.account', account) END);
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_uidvalidities IS
	'Of the given values of each account the highest is enough: removes the others.';
