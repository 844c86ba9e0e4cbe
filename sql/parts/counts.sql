/*
 * Counts: columns beside the counters that say how many messages a mailbox has.
 * What they are to be is said here for attach() and check(); the triggers keep
 * them.
 */

CREATE FUNCTION modseq_internal.counted_columns(store modseq_internal.store) RETURNS SETOF name
LANGUAGE sql IMMUTABLE ROWS 4 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name
	FROM unnest(ARRAY[store.mailbox_messages, store.mailbox_size, store.mailbox_unseen, store.mailbox_deleted])
		WITH ORDINALITY AS c (name, place)
	WHERE name IS NOT NULL
	ORDER BY place
$$;
COMMENT ON FUNCTION modseq_internal.counted_columns IS
	'The columns that a store has its counts in; none if it does not count.';

CREATE FUNCTION modseq_internal.counted_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(format('%I bigint', name), ', ' ORDER BY place)
	FROM counted_columns(store) WITH ORDINALITY AS c (name, place)
$$;
COMMENT ON FUNCTION modseq_internal.counted_definitions IS
	'The last columns of a counter table of ours, if the store counts. Else NULL.';

CREATE FUNCTION modseq_internal.without_counts(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	store.mailbox_messages := NULL;
	store.mailbox_size := NULL;
	store.mailbox_unseen := NULL;
	store.mailbox_deleted := NULL;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.without_counts IS
	'The same store, if it did not count.';

CREATE FUNCTION modseq_internal.refuse_counts(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	c record;
	taken name;
BEGIN
	FOR c IN
		SELECT *
		FROM (VALUES
			('mailbox_size', store.mailbox_size, 'message_size', store.message_size, NULL, 'of its octets'),
			('mailbox_unseen', store.mailbox_unseen, 'message_seen', store.message_seen, store.message_seen_flag,
				'that says whether it is seen'),
			('mailbox_deleted', store.mailbox_deleted, 'message_deleted', store.message_deleted, store.message_deleted_flag,
				'that says whether it is deleted')) AS o (count, counted, option, attribute, flag, what)
	LOOP
		IF c.counted IS NOT NULL AND c.attribute IS NULL THEN
			RAISE 'option % needs %', c.count, c.option USING
				ERRCODE = 'invalid_parameter_value',
				DETAIL = CASE WHEN c.count <> 'mailbox_size' AND store.flag IS NOT NULL
					THEN 'Flags in a table of their own are not counted.'
					ELSE 'It is not known what to count.' END,
				HINT = format('Name the column of the message table %s with %s.', c.what, c.option);
		END IF;
		IF c.counted IS NULL AND num_nonnulls(c.attribute, c.flag) > 0 THEN
			RAISE 'option % needs %', CASE WHEN c.attribute IS NULL THEN c.option || '_flag' ELSE c.option END, c.count USING
				ERRCODE = 'invalid_parameter_value',
				HINT = format('Name the column that has the count with %s; it is added if it does not exist.', c.count);
		END IF;
		CONTINUE WHEN c.attribute IS NULL OR c.option = 'message_size';
		IF c.attribute = store.message_expunged THEN
			RAISE 'column "%" of table % is the soft-delete column', c.attribute, qualified_name(store.message) USING
				ERRCODE = 'invalid_parameter_value',
				DETAIL = 'Messages that are expunged are not counted.',
				HINT = format('Name another column with %s.', c.option);
		END IF;
		IF column_type(store.message, c.attribute) = 'boolean'::regtype AND c.flag NOT IN ('true', 'false')
			OR column_type(store.message, c.attribute) IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
				AND (c.flag !~ '^[1-9][0-9]{0,18}$' OR c.flag::numeric > 9223372036854775807)
			OR column_type(store.message, c.attribute) IN ('text[]'::regtype, 'varchar[]'::regtype, 'jsonb'::regtype)
				AND coalesce(c.flag, '') = ''
		THEN
			RAISE 'option %_flag is no flag of column "%"', c.option, c.attribute USING
				ERRCODE = 'invalid_parameter_value',
				DETAIL = format('The column has type %s.', column_type(store.message, c.attribute)),
				HINT = CASE column_type(store.message, c.attribute)
					WHEN 'boolean'::regtype THEN 'Leave it out; or give ''false'', if the flag is set where the column is false.'
					WHEN 'text[]'::regtype THEN 'Give the name of the flag, as it is spelt in the array.'
					WHEN 'varchar[]'::regtype THEN 'Give the name of the flag, as it is spelt in the array.'
					WHEN 'jsonb'::regtype THEN 'Give the name of the flag, as it is spelt in the array or object.'
					ELSE 'Leave it out, if any number but 0 sets the flag; or give the value of its bit, such as ''4''.' END;
		END IF;
	END LOOP;
	IF store.counters IS NULL THEN
		RETURN;
	END IF;
	SELECT name INTO taken
	FROM counted_columns(store) AS name
	WHERE name IN ('uidvalidity', 'uidnext', 'highestmodseq', 'gone_at', 'created_modseq', 'properties_modseq')
		OR name = ANY (store.mailbox_key || store.account)
		OR cardinality(array_positions(ARRAY(SELECT * FROM counted_columns(store)), name)) > 1
	LIMIT 1;
	IF FOUND THEN
		RAISE 'column "%" cannot be one of counts', taken USING
			ERRCODE = 'duplicate_column',
			DETAIL = 'The table of counters has, or shall have, another one with that name.',
			HINT = 'Choose another name.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_counts IS
	'Refuses options of counts that lack others, or do not fit their columns.';

CREATE FUNCTION modseq_internal.infer_counts(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	counted name;
BEGIN
	PERFORM refuse_counts(store);
	-- A count that changes is a change of flags, or clients would not hear of it
	FOREACH counted IN ARRAY ARRAY[store.message_seen, store.message_deleted] LOOP
		IF counted IS NOT NULL AND counted = ANY (store.message_flags) IS NOT TRUE THEN
			store.message_flags := store.message_flags || counted;
		END IF;
	END LOOP;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_counts IS
	'Refuses what cannot be counted. What says whether a message is seen, or deleted, is one of its flags.';

CREATE FUNCTION modseq_internal.keep_counts(store modseq_internal.store, before modseq_internal.store)
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	-- Without what a message says, which may have been reset, its count ends
	store.mailbox_messages := coalesce(store.mailbox_messages, before.mailbox_messages);
	IF num_nonnulls(before.message_size, store.message_size) > 0 THEN
		store.mailbox_size := coalesce(store.mailbox_size, before.mailbox_size);
	END IF;
	IF num_nonnulls(before.message_seen, store.message_seen) > 0 THEN
		store.mailbox_unseen := coalesce(store.mailbox_unseen, before.mailbox_unseen);
	END IF;
	IF num_nonnulls(before.message_deleted, store.message_deleted) > 0 THEN
		store.mailbox_deleted := coalesce(store.mailbox_deleted, before.mailbox_deleted);
	END IF;
	-- A flag goes with its column, and what a message says with its count
	IF store.mailbox_unseen IS NOT NULL THEN
		IF store.message_seen IS NULL THEN
			store.message_seen_flag := coalesce(store.message_seen_flag, before.message_seen_flag);
		END IF;
		store.message_seen := kept_column(store.message, 'message_seen', store.message_seen, before.message_seen);
	END IF;
	IF store.mailbox_deleted IS NOT NULL THEN
		IF store.message_deleted IS NULL THEN
			store.message_deleted_flag := coalesce(store.message_deleted_flag, before.message_deleted_flag);
		END IF;
		store.message_deleted := kept_column(
			store.message, 'message_deleted', store.message_deleted, before.message_deleted);
	END IF;
	IF store.mailbox_size IS NOT NULL THEN
		store.message_size := kept_column(store.message, 'message_size', store.message_size, before.message_size);
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.keep_counts IS
	'The same as keep_options() for options of counts.';

CREATE FUNCTION modseq_internal.fill_counts(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	kept CONSTANT text[] := ARRAY(SELECT replace(quote_ident(name), '{', '{{}') FROM counted_columns(store) AS name);
	counted CONSTANT text[] := ARRAY(
		SELECT 'coalesce(n.' || c.counted || ', 0)'
		FROM (VALUES
			(1, store.mailbox_messages, '{_messages}'), (2, store.mailbox_size, '{_size}'),
			(3, store.mailbox_unseen, '{_unseen}'), (4, store.mailbox_deleted, '{_deleted}')) AS c (place, name, counted)
		WHERE c.name IS NOT NULL
		ORDER BY c.place);
BEGIN
	IF cardinality(kept) = 0 THEN
		RETURN;
	END IF;
	EXECUTE expand_template(store, format($query$
		WITH counted ({_messages}, {_size}, {_unseen}, {_deleted}, {key}) AS MATERIALIZED (
			SELECT {m.counted}, {m.mailbox} FROM {message} m WHERE {m.live} GROUP BY {m.key})
		UPDATE {mailbox} b SET %s
		FROM {mailbox} o LEFT JOIN counted n ON {o=n}
		WHERE {b=o} AND (%s)
		$query$,
		(SELECT string_agg(format('%s = %s', k, c), ', ') FROM unnest(kept, counted) AS u (k, c)),
		(SELECT string_agg(format('b.%s IS DISTINCT FROM %s', k, c), ' OR ') FROM unnest(kept, counted) AS u (k, c))));
END
$$;
COMMENT ON FUNCTION modseq_internal.fill_counts IS
	'Counts the messages of all mailboxes.';

CREATE FUNCTION modseq_internal.check_counts(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE expand_template(store, one_mailbox(key) || $query$
		WITH chosen AS (SELECT {$1}),
		counted ({_messages}, {_size}, {_unseen}, {_deleted}, {key}) AS MATERIALIZED (
			SELECT {m.counted}, {m.mailbox} FROM {message m} WHERE {m.live} GROUP BY {m.key}),
		kept ({_messages}, {_size}, {_unseen}, {_deleted}, {_name}, {key}) AS MATERIALIZED (
			SELECT {b.counts}, {b.name}, {b.key} FROM {mailbox b})
		SELECT k.{_name}, NULL::bigint, format('count of %s is %s instead of %s', p.what, p.kept, coalesce(p.counted, 0))
		FROM kept k LEFT JOIN counted n ON {k=n}, LATERAL (VALUES
			('messages', k.{_messages}, n.{_messages}),
			('octets', k.{_size}, n.{_size}),
			('unseen messages', k.{_unseen}, n.{_unseen}),
			('deleted messages', k.{_deleted}, n.{_deleted})) AS p (what, kept, counted)
		WHERE p.kept <> coalesce(p.counted, 0)
		$query$) USING key;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_counts IS
	'Where counts are not those of the messages that are there.';
