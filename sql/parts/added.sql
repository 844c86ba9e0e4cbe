/*
 * What attach() has added to tables that are the application's: columns,
 * indexes, a default. Each is marked by its COMMENT, which goes with it wherever
 * it is renamed, moved or dumped to. What has no mark, detach() leaves alone.
 */

CREATE FUNCTION modseq_internal.added_mark() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT 'Added by modseq.attach().'
$$;
COMMENT ON FUNCTION modseq_internal.added_mark IS
	'The comment of columns and indexes that attach() has added.';

CREATE FUNCTION modseq_internal.added_default_mark() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT 'Default set by modseq.attach().'
$$;
COMMENT ON FUNCTION modseq_internal.added_default_mark IS
	'The end of the comment of a column that attach() has given a default.';

CREATE FUNCTION modseq_internal.column_comment(relation regclass, attribute name) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT col_description(attrelid, attnum)
	FROM pg_attribute
	WHERE attrelid = relation AND attname = attribute AND attnum > 0 AND NOT attisdropped
$$;
COMMENT ON FUNCTION modseq_internal.column_comment IS
	'The comment of a column.';

CREATE FUNCTION modseq_internal.comment_on_column(relation regclass, attribute name, comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', qualified_name(relation), attribute, comment);
END
$$;
COMMENT ON FUNCTION modseq_internal.comment_on_column IS
	'Sets the comment of a column.';

-- The default of UIDVALIDITY, in a column of the application's. Its own comment stays in front.
CREATE FUNCTION modseq_internal.mark_default(relation regclass, attribute name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT comment_on_column(relation, attribute, concat_ws(' ', comment, added_default_mark()))
	FROM column_comment(relation, attribute) AS comment
	WHERE comment IS NULL OR comment <> added_mark() AND NOT comment LIKE '%' || added_default_mark()
$$;
COMMENT ON FUNCTION modseq_internal.mark_default IS
	'Marks a column that attach() gives a default.';

CREATE FUNCTION modseq_internal.added_columns(tables regclass[])
RETURNS TABLE (relation regclass, attribute name, is_not_null boolean, has_default boolean)
LANGUAGE sql STABLE ROWS 4 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT attrelid::regclass, attname, attnotnull, atthasdef
	FROM pg_attribute
	WHERE attrelid = ANY (tables) AND attnum > 0 AND NOT attisdropped
		AND col_description(attrelid, attnum) = added_mark()
	ORDER BY attrelid, attnum
$$;
COMMENT ON FUNCTION modseq_internal.added_columns IS
	'The columns of these tables that attach() has added.';

-- Between attach() and detach(), and no longer: an application knows nothing of them. Those with a constant as their
-- default can stay NOT NULL.
CREATE FUNCTION modseq_internal.not_null_while_attached(store modseq_internal.store)
RETURNS TABLE (relation regclass, attribute name, is_not_null boolean)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.relation, c.attribute, c.is_not_null
	FROM added_columns(ARRAY[store.message, store.mailbox]) c
	WHERE (c.relation, c.attribute) IN (
		(store.message, store.message_uid), (store.mailbox, store.mailbox_uidvalidity))
$$;
COMMENT ON FUNCTION modseq_internal.not_null_while_attached IS
	'The columns that attach() has added and that nobody but a trigger or a function of modseq gives a value.';

CREATE FUNCTION modseq_internal.create_index(relation regclass, columns name[], is_unique boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	before CONSTANT oid[] := ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = relation);
	created regclass;
BEGIN
	EXECUTE format('CREATE %s INDEX ON %s (%s)',
		CASE WHEN is_unique THEN 'UNIQUE' END, qualified_name(relation), quoted_list(columns));
	SELECT indexrelid INTO created FROM pg_index WHERE indrelid = relation AND indexrelid <> ALL (before);
	EXECUTE format('COMMENT ON INDEX %s IS %L', qualified_name(created), added_mark());
END
$$;
COMMENT ON FUNCTION modseq_internal.create_index IS
	'Creates an index for attach().';

CREATE FUNCTION modseq_internal.remove_added(tables regclass[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	r record;
	done text[] := '{}'::text[];
BEGIN
	FOR r IN
		SELECT i.indexrelid::regclass AS index
		FROM pg_index i
		WHERE i.indrelid = ANY (tables) AND obj_description(i.indexrelid, 'pg_class') = added_mark()
		ORDER BY i.indexrelid
	LOOP
		EXECUTE format('DROP INDEX %s', qualified_name(r.index));
	END LOOP;

	FOR r IN SELECT * FROM added_columns(tables) LOOP
		EXECUTE format('ALTER TABLE %s DROP COLUMN %I', qualified_name(r.relation), r.attribute);
		done := done || format('dropped column "%s" of table %s', r.attribute, qualified_name(r.relation));
	END LOOP;

	FOR r IN
		SELECT a.attrelid::regclass AS relation, a.attname AS attribute, c.comment,
			pg_get_expr(d.adbin, d.adrelid) = 'modseq.next_uidvalidity()' AS is_ours
		FROM pg_attribute a
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		CROSS JOIN LATERAL col_description(a.attrelid, a.attnum) AS c (comment)
		WHERE a.attrelid = ANY (tables) AND a.attnum > 0 AND NOT a.attisdropped
			AND c.comment LIKE '%' || added_default_mark()
	LOOP
		IF r.is_ours THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', qualified_name(r.relation), r.attribute);
			done := done
				|| format('dropped the default of column "%s" of table %s', r.attribute, qualified_name(r.relation));
		END IF;
		PERFORM comment_on_column(r.relation, r.attribute,
			nullif(rtrim(left(r.comment, -length(added_default_mark()))), ''));
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION modseq_internal.remove_added IS
	'Drops the columns, indexes and defaults of these tables that attach() has added, and returns what is to be said '
	'of it.';

CREATE FUNCTION modseq_internal.notice_left(store modseq_internal.store, removed boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT qualified_name(w.relation) AS name, string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns,
			string_agg(a.attname, ', ' ORDER BY a.attnum)
				FILTER (WHERE a.attnotnull AND NOT a.atthasdef AND a.attidentity = '') AS must_be_given
		FROM wanted_columns(store) w
		JOIN pg_attribute a ON a.attrelid = w.relation AND a.attname = w.attribute
		WHERE w.definition IS NOT NULL
		GROUP BY w.relation
		ORDER BY w.relation
	LOOP
		IF removed THEN
			RAISE NOTICE 'in table % stays what modseq.attach() is not known to have added: %', c.name, c.columns;
		END IF;
		IF c.must_be_given IS NOT NULL THEN
			RAISE NOTICE 'an INSERT into table % must give what is not null and has no default: %',
				c.name, c.must_be_given USING
				HINT = 'If the application does not, use ALTER TABLE ... ALTER COLUMN ... SET DEFAULT, or DROP NOT '
					'NULL.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_left IS
	'Says which columns of a store detach() has left, and which of them need a value.';
