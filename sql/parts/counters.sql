/*
 * attach(): where the counters are. In the mailbox table, if that has columns for
 * them; else beside it, in a table of ours that is created, or found and kept.
 */

-- Column names that mean a counter. One of them is enough: an application that reads its UIDVALIDITY there goes on to
CREATE FUNCTION modseq_internal.usual_counter(relation regclass, option text) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT usual_column(relation, VARIADIC CASE option
		WHEN 'mailbox_uidvalidity' THEN
			'{uidvalidity,mailbox_uidvalidity,folder_uidvalidity,imap_uidvalidity}'::text[]
		WHEN 'mailbox_uidnext' THEN
			'{uidnext,next_uid,mailbox_uidnext,mailbox_next_uid,folder_uidnext,folder_next_uid,imap_uidnext}'
		WHEN 'mailbox_last_uid' THEN
			'{last_uid,uid_last,mailbox_last_uid,folder_last_uid,imap_last_uid,current_uid,folder_current_uid}'
		WHEN 'mailbox_highestmodseq' THEN
			'{highestmodseq,modseq,mailbox_highestmodseq,folder_highestmodseq,imap_highestmodseq,mailbox_modseq,'
			'folder_modseq,modify_index}' END)
$$;
COMMENT ON FUNCTION modseq_internal.usual_counter IS
	'The column of a mailbox table that has a usual name for that counter; NULL if there is none.';

CREATE FUNCTION modseq_internal.place_counters(
	store modseq_internal.store, before modseq_internal.store, place text)
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	named CONSTANT text[] := ARRAY(
		SELECT option
		FROM (VALUES
			('mailbox_uidvalidity', store.mailbox_uidvalidity::text),
			('mailbox_uidnext', store.mailbox_uidnext),
			('mailbox_last_uid', store.mailbox_last_uid),
			('mailbox_highestmodseq', store.mailbox_highestmodseq),
			('mailbox_source', store.mailbox_source::text)) AS o (option, value)
		WHERE value IS NOT NULL);
	was_beside CONSTANT boolean := before.counters IS NOT NULL;
	is_store CONSTANT boolean := before.mailbox IS NOT NULL;
BEGIN
	IF place NOT IN ('beside', 'mailbox') THEN
		RAISE 'option counters is neither "beside" nor "mailbox"' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'The counters are in a table beside the mailbox table, or in columns of the mailbox table.';
	END IF;
	IF coalesce(place = 'beside', was_beside) AND cardinality(named) > 0 THEN
		RAISE 'option % is for counters in the mailbox table', named[1] USING
			ERRCODE = 'invalid_parameter_value',
			DETAIL = 'The counters are, or shall be, in a table beside the mailbox table.',
			HINT = 'Leave the option out.';
	END IF;

	IF coalesce(place = 'beside', CASE WHEN is_store THEN was_beside ELSE
			cardinality(named) = 0
			AND num_nonnulls(usual_counter(store.mailbox, 'mailbox_uidvalidity'),
				usual_counter(store.mailbox, 'mailbox_uidnext'),
				usual_counter(store.mailbox, 'mailbox_last_uid'),
				usual_counter(store.mailbox, 'mailbox_highestmodseq')) = 0 END)
	THEN
		store.counters := coalesce(before.counters, 0);
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.place_counters IS
	'The store with its counter table, 0 if that is still to be found or created. A store that is attached keeps its '
	'counters where they are, unless it is told where they shall be.';

CREATE FUNCTION modseq_internal.counters_of_accounts(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT concat_ws(', ', 'created_modseq bigint, properties_modseq bigint',
		column_definitions(store.mailbox, ARRAY(
			SELECT name
			FROM unnest(store.account) WITH ORDINALITY AS u (name, place)
			WHERE name <> ALL (store.mailbox_key)
			ORDER BY place)))
	WHERE store.account IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.counters_of_accounts IS
	'The last columns of the counter table, if there are accounts: when the mailbox was created, when a property of it '
	'changed, and what the account has that is not in the mailbox key. Else NULL.';

CREATE FUNCTION modseq_internal.counters_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT concat_ws(', ', column_definitions(store.mailbox, store.mailbox_key),
		'uidvalidity bigint, uidnext bigint, highestmodseq bigint, gone_at timestamp with time zone',
		counters_of_accounts(store), counted_definitions(store))
$$;
COMMENT ON FUNCTION modseq_internal.counters_definitions IS
	'The columns of the counter table: the mailbox key as the mailbox table has it, the counters, since when there '
	'is no such mailbox, and counts.';

-- Only of one that is ours but for that: what a forged store names could be anybody's
CREATE FUNCTION modseq_internal.fit_counters(store modseq_internal.store, relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	old modseq_internal.store := store;
	columns CONSTANT name[] := ARRAY(
		SELECT attname FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum);
	extra name[] := columns[cardinality(store.mailbox_key) + 5:];
	-- How many there are without counts
	n CONSTANT int := cardinality(store.mailbox_key) + 4 + CASE WHEN store.account IS NULL THEN 0 ELSE 2 + (
		SELECT count(*) FROM unnest(store.account) AS name WHERE name <> ALL (store.mailbox_key)) END;
BEGIN
	old.account := NULL;
	old := without_counts(old);
	IF relation IS NULL OR column_definitions(relation, columns) = counters_definitions(store)
		OR column_definitions(relation, trim_array(columns, cardinality(extra))) <> counters_definitions(old)
		OR (SELECT relowner FROM pg_class WHERE oid = relation) <> (SELECT relowner FROM pg_class WHERE oid = store.message)
	THEN
		RETURN;
	END IF;
	-- Counts are made anew anyway; what accounts have there is not
	old := without_counts(store);
	IF column_definitions(relation, columns[:n]) = counters_definitions(old) THEN
		extra := columns[n + 1:];
	END IF;
	PERFORM run(ARRAY(
		SELECT format('ALTER TABLE %s DROP COLUMN %I', qualified_name(relation), name) FROM unnest(extra) AS name));
	IF store.account IS NOT NULL AND cardinality(extra) > cardinality(columns) - n THEN
		EXECUTE format('ALTER TABLE %s ADD created_modseq bigint, ADD properties_modseq bigint', qualified_name(relation));
		PERFORM run(ARRAY(
			SELECT format('ALTER TABLE %s ADD %s', qualified_name(relation), column_definitions(store.mailbox, ARRAY[name]))
			FROM unnest(store.account) WITH ORDINALITY AS u (name, place)
			WHERE name <> ALL (store.mailbox_key)
			ORDER BY place));
	END IF;
	PERFORM run(ARRAY(
		SELECT format('ALTER TABLE %s ADD COLUMN %I bigint NOT NULL DEFAULT 0', qualified_name(relation), name)
		FROM counted_columns(store) WITH ORDINALITY AS c (name, place)
		ORDER BY place));
END
$$;
COMMENT ON FUNCTION modseq_internal.fit_counters IS
	'Gives a counter table the columns that it has because of accounts and counts, or takes them from it.';

CREATE FUNCTION modseq_internal.find_counters(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	relation CONSTANT regclass := coalesce(table_named(counters_name(store)), nullif(store.counters, 0));
BEGIN
	PERFORM follow_owner(store, relation);
	PERFORM fit_counters(store, relation);
	PERFORM refuse_as_ours(store, relation, counters_definitions(store), store.mailbox_key,
		'If it is the store''s, ALTER it so; else rename or drop it, and modseq.attach() creates its own. Or have the '
		'counters in the mailbox table, with counters => ''mailbox''.');
	RETURN relation;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_counters IS
	'The counter table that there is already, since an earlier attach() or out of a dump. Error 42P07 if it is not '
	'what is needed.';

-- No foreign key either way. None to the mailboxes, lest theirs wait for us. Half of a page is for versions to come:
-- each statement writes one.
CREATE FUNCTION modseq_internal.create_counters(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := counters_name(store);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s, PRIMARY KEY (%s)) WITH (fillfactor = 50)',
		name, counters_definitions(store), quoted_list(store.mailbox_key));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN uidvalidity SET NOT NULL,
			ALTER COLUMN uidvalidity SET DEFAULT modseq.next_uidvalidity(),
			ALTER COLUMN uidnext SET NOT NULL,
			ALTER COLUMN uidnext SET DEFAULT 1,
			ALTER COLUMN highestmodseq SET NOT NULL,
			ALTER COLUMN highestmodseq SET DEFAULT 1,
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	PERFORM run(ARRAY(
		SELECT format('ALTER TABLE %s ALTER COLUMN %2$I SET NOT NULL, ALTER COLUMN %2$I SET DEFAULT 0', name, c)
		FROM counted_columns(store) AS c));
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of the mailboxes of %s. Kept by modseq.',
			qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_counters IS
	'Creates the counter table.';

-- The triggers of the table that is written are off. A counter table that is there already is none of this store's.
CREATE FUNCTION modseq_internal.move_counters(store modseq_internal.store, before modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	old modseq_internal.store := store;		-- with its counters where they were
	notice text;
BEGIN
	IF before.mailbox IS DISTINCT FROM store.mailbox OR before.counters = 0
		OR (before.counters IS NULL) = (store.counters IS NULL)
	THEN
		RETURN;
	END IF;
	old.counters := before.counters;
	old.account := NULL;
	old.account_table := NULL;
	old.departed := NULL;
	old.email := NULL;
	old.thread := NULL;
	old.mailbox_properties := NULL;
	old := without_counts(old);
	old.mailbox_uidvalidity := before.mailbox_uidvalidity;
	old.mailbox_uidnext := before.mailbox_uidnext;
	old.mailbox_last_uid := before.mailbox_last_uid;
	old.mailbox_highestmodseq := before.mailbox_highestmodseq;
	IF store.counters IS NOT NULL THEN
		EXECUTE format('TRUNCATE %s', qualified_name(store.counters));
		EXECUTE format('INSERT INTO %s %s', qualified_name(store.counters), expand_template(old, '
			({key}, uidvalidity, uidnext, highestmodseq)
			SELECT {b.key}, coalesce(nullif(b.{uidvalidity}, 0), modseq.next_uidvalidity()), {b.uidnext}, {b.highestmodseq}
			FROM {mailbox} b
			WHERE num_nulls({b.key}) = 0'));
		FOREACH notice IN ARRAY remove_added(ARRAY[store.mailbox]) LOOP
			RAISE NOTICE '%', notice;
		END LOOP;
	ELSE
		EXECUTE expand_template(old, format('
			UPDATE {source} s SET %I = b.{uidvalidity}, %I = b.{uidnext} {-} %s, %I = b.{highestmodseq}
			FROM {mailbox} b WHERE {s=b}',
			store.mailbox_uidvalidity, coalesce(store.mailbox_uidnext, store.mailbox_last_uid),
			CASE WHEN store.mailbox_uidnext IS NULL THEN 1 ELSE 0 END, store.mailbox_highestmodseq));
		RAISE NOTICE '%', drop_ours(store, before.counters);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.move_counters IS
	'Takes the counters along where they go to another place than they were in.';
