/*
 * attach(): what was not named, from the store as it was, from foreign keys, and
 * from usual names.
 */

-- The store names it by the schema that both were in, and its triggers name the message table so; whose that name is now
-- does not matter
CREATE FUNCTION modseq_internal.part_that_came_along(message regclass, option text) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.oid
	FROM store_options(message) o CROSS JOIN parse_ident(o.value) AS former (name)
	JOIN pg_class m ON m.oid = part_that_came_along.message
	JOIN pg_namespace n ON n.oid = m.relnamespace
	JOIN pg_class c ON c.relnamespace = m.relnamespace AND c.relowner = m.relowner AND c.relname = former.name[2]
	WHERE o.option = part_that_came_along.option AND former.name[1] <> n.nspname
		AND EXISTS (
			SELECT FROM our_triggers(ARRAY[c.oid::regclass]) t
			WHERE trigger_options(t.oid) = ARRAY[format('%I.%I', former.name[1], m.relname)])
$$;
COMMENT ON FUNCTION modseq_internal.part_that_came_along IS
	'A table of a store that went to another schema with its message table, as where the schema was renamed.';

-- Where a store's table has the triggers, whatever it is called now; but what names itself a part of a stranger's store
-- could be anybody's
CREATE FUNCTION modseq_internal.find_part(message regclass, named regclass, option text, function text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	found regclass;
BEGIN
	-- It is looked for among all tables only where it is not what the store names
	IF has_trigger_for(named, message) OR NOT EXISTS (SELECT FROM store_options(message) o WHERE o.option = find_part.option)
	THEN
		RETURN named;
	END IF;
	found := part_that_came_along(message, option);
	IF found IS NOT NULL THEN
		RETURN found;
	END IF;
	SELECT CASE WHEN count(DISTINCT c.oid) = 1 THEN min(c.oid) END INTO found
	FROM our_triggers(tables_naming(message)) t
	JOIN pg_class c ON c.oid = t.tgrelid
	JOIN pg_class m ON m.oid = find_part.message AND m.relowner = c.relowner
	WHERE t.tgfoid = to_regproc('modseq.' || function)
		AND trigger_options(t.oid) = ARRAY[qualified_name(find_part.message)];
	RETURN coalesce(found, named);
END
$$;
COMMENT ON FUNCTION modseq_internal.find_part IS
	'A table of a store: the one whose trigger calls that function for it, else the one that the store names.';

CREATE FUNCTION modseq_internal.find_before(message regclass) RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
	beside boolean;
	counters regclass;
BEGIN
	SELECT * INTO store FROM store_of(message);
	IF FOUND THEN
		SELECT count(*) > 0, table_named(min(value)) INTO beside, counters FROM store_options(message) WHERE option = 'counters';
		IF beside THEN
			store.mailbox := find_part(message, store.mailbox, 'mailbox', 'trigger_source');
			store.counters := coalesce(
				find_part(message, coalesce(store.counters, counters), 'counters', 'trigger_mailbox'), 0);
		ELSE
			store.mailbox := find_part(message, store.mailbox, 'mailbox', 'trigger_mailbox');
			store.mailbox_source := find_part(message, store.mailbox_source, 'mailbox_source', 'trigger_source');
		END IF;
		store.flag := find_part(message, store.flag, 'flag', 'trigger_collect_flag');
		store.account_table := find_part(message, store.account_table, 'account_table', 'trigger_account');
		-- Also one that is not believed: attach() refuses it, and does not begin another one in silence
		store.vanished := coalesce(store.vanished,
			(SELECT table_named(value) FROM store_options(message) WHERE option = 'vanished'));
		store.account_table := coalesce(store.account_table,
			(SELECT table_named(value) FROM store_options(message) WHERE option = 'account_table'));
		store.departed := coalesce(store.departed,
			(SELECT table_named(value) FROM store_options(message) WHERE option = 'departed'));
		store.uidvalidities := coalesce(store.uidvalidities,
			(SELECT table_named(value) FROM store_options(message) WHERE option = 'uidvalidities'));
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_before IS
	'The store as an earlier attach() left it, with tables that were renamed since; counters is 0 if there is no such '
	'table any more. Nulls if there is no store.';

CREATE FUNCTION modseq_internal.reset_options(before modseq_internal.store, given modseq_internal.store, reset name[])
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	options CONSTANT text[] := ARRAY(
		SELECT attname
		FROM pg_attribute
		WHERE attrelid = 'modseq_internal.store'::regclass AND attname NOT IN (
			'message', 'mailbox', 'vanished', 'counters', 'account_table', 'departed', 'uidvalidities')
		ORDER BY attnum);
	option text;
BEGIN
	FOREACH option IN ARRAY coalesce(reset, '{}') LOOP
		IF option = ANY (options) IS NOT TRUE THEN
			RAISE 'there is no option "%" to reset', option USING
				ERRCODE = 'invalid_parameter_value',
				HINT = format('These can be reset: %s.', array_to_string(options, ', '));
		END IF;
		IF to_jsonb(given) ->> option IS NOT NULL THEN
			RAISE 'option % is both given and reset', option USING
				ERRCODE = 'invalid_parameter_value',
				HINT = 'Give its new value alone.';
		END IF;
		before := jsonb_populate_record(before, jsonb_build_object(option, NULL));
	END LOOP;
	RETURN before;
END
$$;
COMMENT ON FUNCTION modseq_internal.reset_options IS
	'The store as it was, but for the options that shall not keep their values.';

CREATE FUNCTION modseq_internal.keep_tables(store modseq_internal.store, before modseq_internal.store, reset name[])
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	gone record;
BEGIN
	-- The mailbox table of a store whose counters are beside it is the application's, whichever of the two is given
	IF store.mailbox = before.counters THEN
		store.mailbox := before.mailbox;
	END IF;
	IF store.mailbox IS NULL OR store.mailbox = before.mailbox THEN
		store.mailbox_source := coalesce(store.mailbox_source, before.mailbox_source);
	END IF;
	store.mailbox := coalesce(store.mailbox, before.mailbox);
	store.flag := coalesce(store.flag, before.flag);

	SELECT o.option, o.value AS name INTO gone
	FROM store_options(store.message) AS o
	WHERE to_jsonb(store) -> o.option = 'null'
		AND (o.option IN ('mailbox', 'flag') OR o.option = 'mailbox_source' AND store.mailbox = before.mailbox)
		AND o.option <> ALL (coalesce(reset, '{}'))
	ORDER BY o.option DESC LIMIT 1;
	IF FOUND THEN
		RAISE 'table % of the store does not exist any more', gone.name USING
			ERRCODE = 'undefined_table',
			HINT = CASE gone.option
				WHEN 'mailbox' THEN 'Give the mailbox table as the second argument of modseq.attach().'
				ELSE format('Give the table that it is now with %s, or end its use with '
					'reset => ''{%1$s}''.', gone.option) END;
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.keep_tables IS
	'Fills tables that were not given with those of the store as it was. Error 42P01 if such a table is gone.';

CREATE FUNCTION modseq_internal.kept_column(relation regclass, option text, given name, before name) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF given IS NULL AND column_type(relation, before) IS NULL AND before IS NOT NULL THEN
		RAISE 'column "%" of table % does not exist', before, qualified_name(relation) USING
			ERRCODE = 'undefined_column',
			HINT = format('Name the column that it is now with %s, or end its use with reset => ''{%1$s}''.', option);
	END IF;
	RETURN coalesce(given, before);
END
$$;
COMMENT ON FUNCTION modseq_internal.kept_column IS
	'A column that nothing takes the place of: error 42703 if it is gone.';

CREATE FUNCTION modseq_internal.usual_uid(message regclass) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT usual_column(message, 'uid', 'imap_uid', 'message_uid', 'mail_uid', 'msg_uid', 'email_uid')
$$;
COMMENT ON FUNCTION modseq_internal.usual_uid IS
	'The column with a usual name for the UID; NULL if there is none.';

CREATE FUNCTION modseq_internal.keep_accounts(store modseq_internal.store, before modseq_internal.store)
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	kept name;
BEGIN
	IF store.account IS NULL THEN
		FOREACH kept IN ARRAY coalesce(before.account, '{}') LOOP
			PERFORM kept_column(store.mailbox, 'account', NULL, kept);
		END LOOP;
		store.account := before.account;
	END IF;
	IF store.account IS NULL THEN
		store.account_table := NULL;
		store.departed := NULL;
	ELSE
		store.email := kept_column(store.message, 'email', store.email, before.email);
		store.thread := kept_column(store.message, 'thread', store.thread, before.thread);
		FOREACH kept IN ARRAY coalesce(before.mailbox_properties, '{}') LOOP
			CONTINUE WHEN store.mailbox_properties IS NOT NULL;
			PERFORM kept_column(store.mailbox, 'mailbox_properties', NULL, kept);
		END LOOP;
		store.mailbox_properties := coalesce(store.mailbox_properties, before.mailbox_properties);
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.keep_accounts IS
	'The same as keep_options() for options of accounts.';

-- For a table that was renamed, or a store that is to be repaired
CREATE FUNCTION modseq_internal.keep_options(store modseq_internal.store, before modseq_internal.store)
RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF before.mailbox = store.mailbox THEN
		store.mailbox_key := coalesce(store.mailbox_key, existing_columns(store.mailbox, before.mailbox_key));
		IF before.counters IS NULL AND store.counters IS NULL THEN
			store.mailbox_uidvalidity := coalesce(store.mailbox_uidvalidity,
				existing_column(store.mailbox, before.mailbox_uidvalidity));
			IF num_nonnulls(store.mailbox_uidnext, store.mailbox_last_uid) = 0 THEN
				store.mailbox_uidnext := existing_column(store.mailbox, before.mailbox_uidnext);
				store.mailbox_last_uid := existing_column(store.mailbox, before.mailbox_last_uid);
			END IF;
			store.mailbox_highestmodseq := coalesce(store.mailbox_highestmodseq,
				existing_column(store.mailbox, before.mailbox_highestmodseq));
		END IF;
		IF cardinality(store.mailbox_key) = cardinality(before.message_mailbox) THEN
			store.message_mailbox := coalesce(store.message_mailbox,
				existing_columns(store.message, before.message_mailbox));
		END IF;

		IF before.mailbox_source = store.mailbox_source THEN
			store.mailbox_source_key := coalesce(store.mailbox_source_key,
				existing_columns(store.mailbox_source, before.mailbox_source_key));
		END IF;
	END IF;
	store.message_uid := coalesce(store.message_uid, existing_column(store.message, before.message_uid),
		usual_uid(store.message));
	-- Mostly it was renamed. One that is added has other UIDs, and the column that clients know is of no use afterwards.
	IF store.message_uid IS NULL AND before.message_uid IS NOT NULL THEN
		RAISE 'column "%" of table % does not exist', before.message_uid, qualified_name(store.message) USING
			ERRCODE = 'undefined_column',
			HINT = 'If it was renamed, name it with message_uid. With reset => ''{message_uid}'' a column is added, all '
				'messages get new UIDs, and clients fetch them anew.';
	END IF;
	store.message_modseq := coalesce(store.message_modseq, existing_column(store.message, before.message_modseq));
	store.message_created_modseq := kept_column(
		store.message, 'message_created_modseq', store.message_created_modseq, before.message_created_modseq);
	-- A column may become the soft-delete column that was a flag, or the other way round
	IF before.message_expunged <> ALL (coalesce(store.message_flags, '{}')) THEN
		store.message_expunged := kept_column(
			store.message, 'message_expunged', store.message_expunged, before.message_expunged);
	END IF;
	store.message_flags := coalesce(store.message_flags,
		array_remove(existing_columns(store.message, before.message_flags), store.message_expunged));
	-- Where one of them was dropped or renamed: the others, and the usual names
	IF store.message_flags IS NULL AND cardinality(before.message_flags) > 0 THEN
		store.message_flags := array_remove((
			SELECT array_agg(attname ORDER BY attnum)
			FROM pg_attribute
			WHERE attrelid = store.message AND attnum > 0 AND NOT attisdropped
				AND attname = ANY (before.message_flags || usual_flags(store.message))), store.message_expunged);
		RAISE WARNING 'flag column "%" of table % does not exist any more', (
				SELECT string_agg(f, '", "' ORDER BY place)
				FROM unnest(before.message_flags) WITH ORDINALITY AS u (f, place)
				WHERE column_type(store.message, f) IS NULL),
			qualified_name(store.message) USING
			HINT = 'If it was renamed, name all flag columns with message_flags.';
	END IF;
	IF before.flag = store.flag THEN
		IF num_nonnulls(store.message_key, store.flag_message, store.flag_mailbox, store.flag_uid) = 0 THEN
			store.message_key := existing_columns(store.message, before.message_key);
			store.flag_message := existing_columns(store.flag, before.flag_message);
			store.flag_mailbox := existing_columns(store.flag, before.flag_mailbox || before.flag_uid);
			store.flag_uid := store.flag_mailbox[cardinality(store.flag_mailbox)];
			store.flag_mailbox := trim_array(store.flag_mailbox, 1);
		END IF;
		store.flag_columns := coalesce(store.flag_columns, existing_columns(store.flag, before.flag_columns));
	END IF;
	store.changes := coalesce(store.changes, before.changes);
	store.notify := coalesce(store.notify, before.notify);
	store.vanished_keep := coalesce(store.vanished_keep, before.vanished_keep);
	RETURN keep_counts(keep_accounts(store, before), before);
END
$$;
COMMENT ON FUNCTION modseq_internal.keep_options IS
	'Fills options that were not given with what an earlier attach() was told or found, unless a column is gone.';

CREATE FUNCTION modseq_internal.infer_mailbox(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	store.mailbox_key := coalesce(store.mailbox_key, referenced_mailbox_key(store), primary_key(store.mailbox));
	IF store.mailbox_key IS NULL THEN
		RAISE 'table % has no primary key', qualified_name(store.mailbox) USING
			ERRCODE = 'invalid_foreign_key',
			HINT = 'Add one, or name the columns of a unique index with mailbox_key.';
	END IF;
	IF store.mailbox_source IS NOT NULL THEN
		store.mailbox_source_key := coalesce(store.mailbox_source_key,
			referenced_columns(store.mailbox, store.mailbox_source, store.mailbox_key),
			primary_key(store.mailbox_source));
		IF store.mailbox_source_key IS NULL THEN
			RAISE 'table % has no primary key', qualified_name(store.mailbox_source) USING
				ERRCODE = 'invalid_foreign_key',
				HINT = 'Add one, or name the columns of a unique index with mailbox_source_key.';
		END IF;
	END IF;
	IF store.counters IS NOT NULL THEN
		store.mailbox_uidvalidity := 'uidvalidity';
		store.mailbox_uidnext := 'uidnext';
		store.mailbox_highestmodseq := 'highestmodseq';
		RETURN store;
	END IF;
	store.mailbox_uidvalidity := coalesce(store.mailbox_uidvalidity,
		usual_counter(store.mailbox, 'mailbox_uidvalidity'), 'uidvalidity');
	IF store.mailbox_last_uid IS NULL THEN
		store.mailbox_uidnext := coalesce(store.mailbox_uidnext, usual_counter(store.mailbox, 'mailbox_uidnext'));
	END IF;
	IF store.mailbox_uidnext IS NULL THEN
		store.mailbox_last_uid := coalesce(store.mailbox_last_uid, usual_counter(store.mailbox, 'mailbox_last_uid'));
	END IF;
	IF num_nonnulls(store.mailbox_uidnext, store.mailbox_last_uid) = 0 THEN
		store.mailbox_uidnext := 'uidnext';
	END IF;
	store.mailbox_highestmodseq := coalesce(store.mailbox_highestmodseq,
		usual_counter(store.mailbox, 'mailbox_highestmodseq'), 'highestmodseq');
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_mailbox IS
	'Finds the columns of the mailbox table that were not named.';

CREATE FUNCTION modseq_internal.infer_message(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	store.message_mailbox := coalesce(store.message_mailbox,
		referencing_columns(store.message, store.mailbox, store.mailbox_key),
		referencing_columns(store.message, store.mailbox_source, store.mailbox_source_key),
		usual_reference(store.message, store.mailbox_source, store.mailbox_source_key, 'mailbox', 'folder', 'box'),
		usual_reference(store.message, store.mailbox, store.mailbox_key, 'mailbox', 'folder', 'box'));
	IF store.message_mailbox IS NULL THEN
		RAISE 'cannot find the mailbox key in table %', qualified_name(store.message) USING
			ERRCODE = 'undefined_column',
			DETAIL = format('There is no single foreign key to columns (%s) of table %s, and no column with a usual '
				'name and the same type.', array_to_string(store.mailbox_key, ', '), qualified_name(store.mailbox)),
			HINT = 'Name the columns with message_mailbox.';
	END IF;
	store.message_uid := coalesce(store.message_uid, usual_uid(store.message), 'uid');
	store.message_modseq := coalesce(store.message_modseq,
		usual_column(store.message, 'modseq', 'imap_modseq', 'message_modseq', 'mail_modseq', 'msg_modseq',
			'email_modseq'), 'modseq');
	store.message_created_modseq := coalesce(store.message_created_modseq,
		usual_column(store.message, 'created_modseq', 'create_modseq', 'create_seq'),
		CASE WHEN store.account IS NOT NULL THEN 'created_modseq' END);
	store.message_flags := coalesce(store.message_flags, (
		SELECT array_agg(f ORDER BY place)
		FROM unnest(usual_flags(store.message)) WITH ORDINALITY AS u (f, place)
		WHERE f <> ALL (store.message_mailbox || store.message_uid || store.message_modseq)
			AND f IS DISTINCT FROM store.message_expunged));
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_message IS
	'Finds the columns of the message table that were not named.';

-- To the message table; from it, where the flags are those of a message that is in several mailboxes; or, with both of
-- these tables, to a third one, that of the messages
CREATE FUNCTION modseq_internal.flag_references(store modseq_internal.store)
RETURNS TABLE (rank int, columns name[], key name[])
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH reference AS (
		SELECT 1 AS rank, f.columns, f.referenced AS key
		FROM foreign_keys(store.flag, store.message) f
		WHERE NOT f.referenced @> (store.message_mailbox || store.message_uid)		-- for these are its UID
		UNION ALL
		SELECT 2, m.referenced, m.columns
		FROM foreign_keys(store.message, store.flag) m
		UNION ALL
		SELECT 3, f.columns, ARRAY(
			SELECT m.columns[array_position(m.referenced, r.name)]
			FROM unnest(f.referenced) WITH ORDINALITY AS r (name, place)
			ORDER BY r.place)
		FROM references_of(store.flag) f
		JOIN references_of(store.message) m
			ON m.relation = f.relation AND m.referenced @> f.referenced AND m.referenced <@ f.referenced
		WHERE f.relation NOT IN (store.mailbox, store.message, store.flag)
			AND EXISTS (SELECT FROM unnest(f.columns) AS c WHERE plain_name(c) ~ '^(e?mail|message|msg)')
			AND EXISTS (SELECT FROM unnest(m.columns) AS c WHERE plain_name(c) ~ '^(e?mail|message|msg)')),
	fitting AS (
		SELECT *
		FROM reference r
		WHERE r.rank = (SELECT min(rank) FROM reference)
			AND coalesce(r.columns @> store.flag_message AND r.columns <@ store.flag_message, true)
			AND coalesce(r.key @> store.message_key AND r.key <@ store.message_key, true))
	-- The fewest columns, in the order in which they are given
	SELECT f.rank, ordered.columns, ordered.key
	FROM fitting f
	CROSS JOIN LATERAL (
		SELECT array_agg(c.name ORDER BY o.place), array_agg(c.key ORDER BY o.place)
		FROM unnest(f.columns, f.key) WITH ORDINALITY AS c (name, key, place)
		CROSS JOIN LATERAL coalesce(
			array_position(store.flag_message, c.name), array_position(store.message_key, c.key), c.place) AS o (place))
		AS ordered (columns, key)
	WHERE cardinality(f.columns) = (SELECT min(cardinality(columns)) FROM fitting)
$$;
COMMENT ON FUNCTION modseq_internal.flag_references IS
	'How flags name messages, going by foreign keys.';

CREATE FUNCTION modseq_internal.infer_flag(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	numbers CONSTANT name[] := store.message_mailbox || store.message_uid;
	by_key CONSTANT boolean := num_nonnulls(store.flag_message, store.message_key) > 0;		-- as the caller says
	by_numbers name[];
	fk record;
BEGIN
	IF store.flag IS NULL OR store.flag_mailbox IS NOT NULL THEN
		RETURN store;
	END IF;

	SELECT min(f.rank) AS rank, min(f.columns) AS columns, min(f.key) AS key INTO fk
	FROM flag_references(store) AS f
	HAVING count(DISTINCT (f.columns, f.key)) = 1;
	IF fk.rank IS DISTINCT FROM 1 AND NOT by_key THEN
		by_numbers := referencing_columns(store.flag, store.message, numbers);
	END IF;

	IF by_numbers IS NULL THEN
		store.message_key := coalesce(store.message_key, fk.key, (
			SELECT key
			FROM primary_key(store.message) AS key
			WHERE store.message_uid <> ALL (key) AND coalesce(cardinality(key) = cardinality(store.flag_message), true)));
		store.flag_message := coalesce(store.flag_message, fk.columns,
			usual_reference(store.flag, store.message, store.message_key, 'mail', 'message', 'msg'));
		IF num_nonnulls(store.flag_message, store.message_key) = 2 THEN
			RETURN store;
		END IF;
		by_numbers := usual_reference(store.flag, store.message, numbers, 'mail', 'message', 'msg');
	END IF;
	IF by_numbers IS NULL AND NOT by_key THEN
		-- The messages themselves, in several mailboxes each: their key has one name in both tables
		SELECT array_agg(a.attname ORDER BY k.place), key INTO store.message_key, store.flag_message
		FROM primary_key(store.flag) AS key
		CROSS JOIN LATERAL unnest(key) WITH ORDINALITY AS k (name, place)
		JOIN pg_attribute a ON plain_name(a.attname) = plain_name(k.name) AND plain_name(k.name) <> 'id'
		WHERE a.attrelid = store.message AND a.attnum > 0
			AND may_hold_same_key(column_type(store.flag, k.name), column_type(store.message, a.attname))
		GROUP BY key
		HAVING count(*) = cardinality(key)
			AND (cardinality(key) = 1 OR bool_or(plain_name(k.name) ~ '^(e?mail|message|msg)'));
		IF FOUND THEN
			RETURN store;
		END IF;
	END IF;
	IF by_numbers IS NULL OR by_key THEN
		RAISE 'cannot find out how table % names its messages', qualified_name(store.flag) USING
			ERRCODE = 'undefined_column',
			HINT = 'Name the columns with flag_message and message_key, or with flag_mailbox and flag_uid.';
	END IF;
	store.message_key := NULL;
	store.flag_mailbox := by_numbers[:cardinality(by_numbers) - 1];
	store.flag_uid := by_numbers[cardinality(by_numbers)];
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_flag IS
	'Finds the columns of the flag table that were not named: a row names its message by the message''s key, or '
	'by mailbox and UID.';

-- An Email may be in several mailboxes: what names it there is the rest of the key
CREATE FUNCTION modseq_internal.usual_email(store modseq_internal.store) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT rest.columns[1]
	FROM (VALUES (1, store.message_key), (2, primary_key(store.message))) AS k (rank, key)
	CROSS JOIN LATERAL (
		SELECT array_agg(name)
		FROM unnest(key) AS name
		WHERE cardinality(key) = 1 OR name <> ALL (store.message_mailbox || store.message_uid || ARRAY(SELECT partition_key(store.message))))
		AS rest (columns)
	WHERE cardinality(rest.columns) = 1
	ORDER BY rank LIMIT 1
$$;
COMMENT ON FUNCTION modseq_internal.usual_email IS
	'The column that tells Emails apart, going by the message''s key; NULL if that does not say.';

CREATE FUNCTION modseq_internal.infer_account(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.account IS NULL THEN
		IF num_nonnulls(store.email, store.thread, store.mailbox_properties) > 0 THEN
			RAISE 'options email, thread and mailbox_properties need account' USING
				ERRCODE = 'invalid_parameter_value',
				HINT = 'Name the columns of the mailbox table that say whose it is with account; or give ''{}'', if all '
					'mailboxes are of one account.';
		END IF;
		RETURN store;
	END IF;
	store.email := coalesce(store.email, usual_email(store));
	IF store.email IS NULL THEN
		RAISE 'cannot find the column of table % that tells Emails apart', qualified_name(store.message) USING
			ERRCODE = 'undefined_column',
			HINT = 'Name it with email.';
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_account IS
	'Finds the column that tells Emails apart, if it was not named.';

CREATE FUNCTION modseq_internal.infer(given modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
BEGIN
	PERFORM refuse_counts(given);
	PERFORM refuse_columns(given);		-- or nothing may be found that goes with them
	store := infer_mailbox(given);
	store := infer_message(store);
	store := infer_flag(store);
	store := infer_account(store);
	store := infer_counts(store);
	store.changes := coalesce(store.changes, 'index');
	IF store.changes = 'log' AND store.account IS NOT NULL THEN
		RAISE 'accounts need an index on mod-sequences' USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'Changes of an account are found by it, and not in the log of its mailboxes.',
			HINT = 'Give changes => ''index'', or end the accounts with reset => ''{account}''.';
	END IF;
	PERFORM refuse_columns(store);
	PERFORM refuse_keys(store);
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer IS
	'Finds all columns that were not named, and refuses what cannot be served.';
