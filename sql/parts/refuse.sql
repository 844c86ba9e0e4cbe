/*
 * attach(): options, tables, columns and keys that cannot be served.
 */

CREATE FUNCTION modseq_internal.refuse_options(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	list record;
BEGIN
	IF store.message IS NULL OR store.mailbox IS NULL THEN
		RAISE 'the message table and the mailbox table must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Call modseq.attach(message, mailbox), or modseq.attach(message, mailbox, flag) with a table of '
				'flags. Only a store that is attached keeps the tables that are not given.';
	END IF;
	IF store.message = store.mailbox OR store.flag IN (store.message, store.mailbox)
		OR store.mailbox_source IN (store.message, store.mailbox, store.flag)
	THEN
		RAISE 'the tables of a store must differ from each other' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Flags that are columns of the message table need no table: name them with message_flags. A '
				'mailbox table that is nobody''s side table needs no mailbox_source.';
	END IF;

	FOR list IN
		SELECT *
		FROM (VALUES
			('mailbox_key', store.mailbox_key),
			('mailbox_source_key', store.mailbox_source_key),
			('message_mailbox', store.message_mailbox),
			('flag_mailbox', store.flag_mailbox),
			('flag_columns', store.flag_columns),
			('message_flags', nullif(store.message_flags, '{}')),
			('message_key', store.message_key),
			('flag_message', store.flag_message),
			('account', nullif(store.account, '{}')),
			('mailbox_properties', store.mailbox_properties)) AS l (option, columns)
		WHERE cardinality(columns) = 0 OR array_position(columns, NULL) IS NOT NULL
	LOOP
		RAISE 'option % is empty or has a null in it', list.option USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Give the names of columns, or leave the option out to have them found.';
	END LOOP;

	IF store.changes NOT IN ('index', 'log') THEN
		RAISE 'option changes is neither "index" nor "log"' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'They are found by an index on mod-sequences, or logged in the vanished table.';
	END IF;
	IF store.vanished_keep < '0' THEN
		RAISE 'option vanished_keep must not be negative' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Give ''0'' to have rows fold at once, or ''1000 years'' to have none fold by itself.';
	END IF;
	IF store.mailbox_uidnext IS NOT NULL AND store.mailbox_last_uid IS NOT NULL THEN
		RAISE 'options mailbox_uidnext and mailbox_last_uid exclude each other' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Name the column that holds the next UID, or the one that holds the last.';
	END IF;
	IF store.mailbox_source IS NULL AND store.mailbox_source_key IS NOT NULL THEN
		RAISE 'option mailbox_source_key needs mailbox_source' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Name the table that the mailbox table has its rows from with mailbox_source.';
	END IF;
	IF store.flag IS NULL AND
		num_nonnulls(store.message_key, store.flag_message, store.flag_mailbox, store.flag_uid, store.flag_columns) > 0
	THEN
		RAISE 'options on a flag table need a flag table' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Give the flag table as the third argument of modseq.attach().';
	END IF;
	IF num_nonnulls(store.message_key, store.flag_message) > 0
		AND num_nonnulls(store.flag_mailbox, store.flag_uid) > 0
	THEN
		RAISE 'options flag_message and message_key exclude flag_mailbox and flag_uid' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'A row of the flag table names its message either by the message''s key or by mailbox and UID.';
	END IF;
	IF num_nonnulls(store.flag_mailbox, store.flag_uid) = 1 THEN
		RAISE 'options flag_mailbox and flag_uid need each other' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Name the columns of the flag table that hold the mailbox key, and the one that holds the UID.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_options IS
	'Refuses options of attach() that contradict each other.';

CREATE FUNCTION modseq_internal.refuse_tables(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := ARRAY[store.message, store.mailbox, store.mailbox_source, store.flag];
	t record;
	other regclass;
	taken regclass;
BEGIN
	FOR t IN
		SELECT relation, qualified_name(relation) AS name, c.*
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place) LEFT JOIN pg_class c ON c.oid = relation
		WHERE relation IS NOT NULL
		ORDER BY place
	LOOP
		IF t.oid IS NULL THEN
			RAISE 'relation with OID % does not exist', t.relation::oid USING
				ERRCODE = 'undefined_table';
		END IF;
		PERFORM refuse_stranger(ARRAY[t.relation], 'modseq.attach()');
		IF t.relkind NOT IN ('r', 'p')
			OR t.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
		THEN
			RAISE '% is not a table that modseq can serve', t.name USING
				ERRCODE = 'wrong_object_type',
				HINT = 'Stores are made of ordinary or partitioned tables: not of views, foreign tables or system '
					'catalogs.';
		END IF;
		IF t.relpersistence <> 'p' THEN
			RAISE 'table % is unlogged or temporary', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'Its rows would be lost in a crash without a client ever being told.',
				HINT = format('Use ALTER TABLE %s SET LOGGED for an unlogged table.', t.name);
		END IF;
		IF t.relispartition THEN
			RAISE 'table % is a partition', t.name USING
				ERRCODE = 'wrong_object_type',
				HINT = 'Attach the partitioned table that it belongs to.';
		END IF;
		IF is_inherited(t.oid) THEN
			RAISE 'table % inherits or is inherited from', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'Triggers and unique indexes of a table do not reach tables that inherit from it.',
				HINT = 'Use declarative partitioning, or end the inheritance.';
		END IF;
	END LOOP;

	FOR t IN
		SELECT qualified_name(c.oid) AS name, c.relkind
		FROM with_partitions(VARIADIC tables) AS u (relation) JOIN pg_class c ON c.oid = relation
		WHERE c.relkind = 'f' OR c.relpersistence <> 'p'
	LOOP
		IF t.relkind = 'f' THEN
			RAISE 'partition % is a foreign table', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'What others change there would go unseen.',
				HINT = 'Use ALTER TABLE ... DETACH PARTITION.';
		END IF;
		RAISE 'partition % is unlogged or temporary', t.name USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'Its rows would be lost in a crash without a client ever being told.',
			HINT = format('Use ALTER TABLE %s SET LOGGED for an unlogged table.', t.name);
	END LOOP;

	SELECT s.message, relation INTO other, taken
	FROM with_partitions(VARIADIC tables) AS t (relation), stores_of(relation) AS s
	WHERE s.message <> store.message
	ORDER BY array_position(tables, relation), relation LIMIT 1;
	IF FOUND THEN
		RAISE 'table % serves another store already', qualified_name(taken) USING
			ERRCODE = 'object_in_use',
			DETAIL = format('It belongs to the store with message table %s.', qualified_name(other)),
			HINT = 'Call modseq.detach() for that store first; modseq.stores shows what it consists of.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_tables IS
	'Refuses tables that cannot be served, are not the caller''s or belong to another store.';

CREATE FUNCTION modseq_internal.refuse_columns(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT col.*, qualified_name(col.relation) AS name, column_type(col.relation, attribute) AS type,
			a.attgenerated, a.attidentity,
			-- message_key may be any column, and flag_columns may list what else is named
			array_agg(option) FILTER (WHERE option NOT IN (
				'message_key', 'flag_columns', 'account', 'email', 'thread', 'mailbox_properties',
				'message_size', 'message_seen', 'message_deleted'))
				OVER (PARTITION BY col.relation, attribute) AS uses,
			option = 'message_key' AND cardinality(array_positions(store.message_key, attribute)) > 1 AS is_repeated
		FROM wanted_columns(store) col
		LEFT JOIN pg_attribute a ON a.attrelid = col.relation AND a.attname = attribute AND NOT a.attisdropped
	LOOP
		IF cardinality(c.uses) > 1 OR c.is_repeated THEN
			RAISE 'column "%" of table % is named twice', c.attribute, c.name USING
				ERRCODE = 'duplicate_column',
				DETAIL = format('It is used for %s.',
					array_to_string(CASE WHEN c.is_repeated THEN ARRAY[c.option, c.option] ELSE c.uses END, ' and ')),
				HINT = 'Each of them needs a column of its own.';
		END IF;
		IF c.type IS NULL THEN
			CONTINUE WHEN c.definition IS NOT NULL;
			RAISE 'column "%" of table % does not exist', c.attribute, c.name USING
				ERRCODE = 'undefined_column',
				HINT = format('Option %s must name existing columns.', c.option);
		END IF;
		IF c.type <> ALL (c.types) THEN
			RAISE 'column "%" of table % has type %', c.attribute, c.name, c.type USING
				ERRCODE = 'datatype_mismatch',
				DETAIL = format('For %s, modseq needs type %s.', c.option, array_to_string(c.types, ' or ')),
				HINT = CASE WHEN c.option IN ('created_modseq', 'properties_modseq')
					THEN 'Rename it, and modseq.attach() adds its own.'
					WHEN c.option IN ('message_expunged', 'message_seen', 'message_deleted')
					THEN format('Add a column that says so, as in ALTER TABLE %s ADD %s boolean GENERATED ALWAYS '
						'AS (...) STORED.', c.name, substr(c.option, 9))
					ELSE format('Use ALTER TABLE %s ALTER COLUMN %I TYPE bigint, or name another column with %s%s.',
								c.name, c.attribute, c.option,
								CASE WHEN c.definition IS NOT NULL THEN '; it is added if it does not exist' END) END;
		END IF;
		IF c.definition IS NOT NULL AND c.attribute IN (SELECT partition_key(c.relation)) THEN
			RAISE 'column "%" of table % is part of a partition key', c.attribute, c.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('Named by %s, it is set by triggers, which fire when the partition has been chosen.',
					c.option),
				HINT = 'Partition by another column, the mailbox or the date say.';
		END IF;
		-- UIDVALIDITY is the one number that others may hand out too. What is only read may be generated, if it is
		-- stored; but where a message goes must be known before its row is written.
		IF c.attgenerated = 'v'
			OR c.attgenerated <> '' AND (c.definition IS NOT NULL OR c.option IN ('message_mailbox', 'email', 'thread'))
			OR (c.attgenerated <> '' OR c.attidentity = 'a') AND c.option = 'mailbox_key'
				AND store.mailbox_source IS NOT NULL
			OR c.attidentity = 'a' AND c.definition IS NOT NULL
			OR c.attidentity = 'd' AND c.definition IS NOT NULL AND c.option <> 'mailbox_uidvalidity'
		THEN
			RAISE 'column "%" of table % is a generated or identity column', c.attribute, c.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('Named by %s, it must be one that triggers can set and see.', c.option),
				HINT = 'Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY, or DROP EXPRESSION, or name another '
					'column.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_columns IS
	'Refuses columns that do not exist, do not differ, or are of a wrong kind.';

CREATE FUNCTION modseq_internal.key_mismatches(a regclass, a_columns name[], b regclass, b_columns name[])
RETURNS TABLE (mismatch text)
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('%s against %s.',
		CASE WHEN x IS NULL THEN 'Nothing'
				ELSE format('Column "%s" of table %s, type %s,', x, qualified_name(a), column_type(a, x)) END,
		CASE WHEN y IS NULL THEN 'nothing'
				ELSE format('column "%s" of table %s, type %s', y, qualified_name(b), column_type(b, y)) END)
	FROM unnest(a_columns, b_columns) AS pair (x, y)
	WHERE num_nonnulls(x, y) > 0 AND may_hold_same_key(column_type(a, x), column_type(b, y)) IS NOT TRUE
$$;
COMMENT ON FUNCTION modseq_internal.key_mismatches IS
	'Where two lists of columns differ in number, or in kind: a sentence for each.';

CREATE FUNCTION modseq_internal.refuse_account_key(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	max_keys CONSTANT int := 8;			-- as MODSEQ_MAX_KEYS says in C
	wrong name;
BEGIN
	IF cardinality(store.account) > max_keys THEN
		RAISE 'an account can have at most % columns', max_keys USING
			ERRCODE = 'too_many_columns';
	END IF;
	SELECT name INTO wrong
	FROM unnest(store.account) AS name
	WHERE name IN ('uidvalidity', 'uidnext', 'highestmodseq', 'gone_at', 'created_modseq', 'properties_modseq', 'one',
		'epoch', 'email_modseq', 'thread_modseq', 'mailbox_modseq', 'floor', 'modseq', 'emails', 'threads', 'created',
		'mailboxes', 'mailboxes_created', 'departed_at')
		OR cardinality(array_positions(store.account, name)) > 1
	LIMIT 1;
	IF FOUND THEN
		RAISE 'column "%" of table % cannot be one of the account', wrong, qualified_name(store.mailbox) USING
			ERRCODE = 'duplicate_column',
			DETAIL = 'The account''s columns are also in tables of modseq''s, beside others, one of which may have that name.',
			HINT = 'Rename it, and name each column of the account once.';
	END IF;
	IF store.mailbox_source IS NOT NULL AND NOT store.account <@ store.mailbox_key THEN
		RAISE 'the account of table % must be a part of the mailbox key', qualified_name(store.mailbox) USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'Its rows come from mailbox_source with their key, and nothing else.',
			HINT = 'Name columns of mailbox_key with account; or leave out mailbox_source, and have the counters in a '
				'table of modseq''s.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_account_key IS
	'Refuses what cannot be the columns of an account.';

CREATE FUNCTION modseq_internal.refuse_keys(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	max_keys CONSTANT int := 8;			-- as MODSEQ_MAX_KEYS says in C
	pair record;
	key record;
	flag record;
	wrong name[];
BEGIN
	FOR key IN
		SELECT *
		FROM (VALUES
			('mailbox_key', store.mailbox, store.mailbox_key),
			('mailbox_source_key', store.mailbox_source, store.mailbox_source_key)) AS k (option, relation, columns)
		WHERE relation IS NOT NULL
			AND NOT EXISTS (
				SELECT FROM usable_indexes(k.relation) i
				WHERE i.is_unique AND i.columns @> k.columns AND i.columns <@ k.columns)
	LOOP
		RAISE 'mailbox key (%) of table % is not unique',
			array_to_string(key.columns, ', '), qualified_name(key.relation) USING
			ERRCODE = 'invalid_foreign_key',
			HINT = format('Create a unique index on exactly these columns, or name others with %s.', key.option);
	END LOOP;
	IF greatest(cardinality(store.mailbox_key), cardinality(store.message_key)) > max_keys THEN
		RAISE 'a % key can have at most % columns',
			CASE WHEN cardinality(store.mailbox_key) > max_keys THEN 'mailbox' ELSE 'message' END, max_keys USING
			ERRCODE = 'too_many_columns';
	END IF;

	FOR pair IN
		SELECT 'mailbox_key' AS option, 'message_mailbox' AS other_option, mismatch
		FROM key_mismatches(store.mailbox, store.mailbox_key, store.message, store.message_mailbox)
		UNION ALL
		SELECT 'mailbox_key', 'mailbox_source_key', mismatch
		FROM key_mismatches(store.mailbox, store.mailbox_key, store.mailbox_source, store.mailbox_source_key)
		UNION ALL
		SELECT 'mailbox_key', 'flag_mailbox', mismatch
		FROM key_mismatches(store.mailbox, store.mailbox_key, store.flag, store.flag_mailbox)
		UNION ALL
		SELECT 'message_key', 'flag_message', mismatch
		FROM key_mismatches(store.message, store.message_key, store.flag, store.flag_message)
	LOOP
		RAISE 'options % and % do not match', pair.option, pair.other_option USING
			ERRCODE = 'datatype_mismatch',
			DETAIL = pair.mismatch,
			HINT = 'Name as many columns in both, of the same types and in the same order.';
	END LOOP;

	PERFORM refuse_account_key(store);
	FOR key IN
		SELECT store.mailbox AS relation, k AS attribute, t.oid::regtype AS type, true AS hashed, true AS listed,
			t.typtype IN ('b', 'e') AND t.typcategory <> 'A' AS is_scalar
		FROM unnest(store.mailbox_key || store.account) AS k JOIN pg_type t ON t.oid = column_type(store.mailbox, k)
		UNION ALL
		SELECT store.flag, k, t.oid::regtype, false, t.typarray <> 0, true
		FROM unnest(store.flag_message) AS k JOIN pg_type t ON t.oid = column_type(store.flag, k)
		UNION ALL
		SELECT store.message, k, t.oid::regtype, true, t.typarray <> 0, t.typtype IN ('b', 'e') AND t.typcategory <> 'A'
		FROM unnest(ARRAY[store.email, store.thread]) AS k JOIN pg_type t ON t.oid = column_type(store.message, k)
	LOOP
		-- Functions that take a mailbox could not be given a key of several values
		IF NOT (is_sortable(key.type, key.hashed) AND key.listed AND key.is_scalar) THEN
			RAISE 'column "%" of table % cannot be a key for modseq', key.attribute, qualified_name(key.relation) USING
				ERRCODE = 'undefined_function',
				DETAIL = format(CASE WHEN key.is_scalar THEN 'Type %s lacks an order, a hash function or an array type.'
					ELSE 'Type %s is an array, a range or a composite type.' END, key.type),
				HINT = 'Name another column' || CASE WHEN key.attribute = ANY (store.account || store.email || store.thread)
					THEN '.' ELSE ' that is unique.' END;
		END IF;
	END LOOP;
	-- What is one mailbox by its own collation could be two by the messages' or the source's
	SELECT b.name AS mailbox, o.name AS other, k.relation, k.attribute INTO key
	FROM (
		SELECT store.message AS relation, u.*
		FROM unnest(store.mailbox_key, store.message_mailbox) AS u (mailbox, attribute)
		UNION ALL
		SELECT store.mailbox_source, u.*
		FROM unnest(store.mailbox_key, store.mailbox_source_key) AS u (mailbox, attribute)
		WHERE store.mailbox_source IS NOT NULL) AS k
	CROSS JOIN LATERAL column_collation(store.mailbox, k.mailbox) b
	CROSS JOIN LATERAL column_collation(k.relation, k.attribute) o
	WHERE b.name <> o.name AND NOT (b.is_deterministic AND o.is_deterministic);
	IF FOUND THEN
		RAISE 'column "%" of table % has another collation than the mailbox key',
			key.attribute, qualified_name(key.relation) USING
			ERRCODE = 'collation_mismatch',
			DETAIL = format('Collations %s and %s do not agree on which keys are equal.', key.other, key.mailbox),
			HINT = format('Use ALTER TABLE %s ALTER COLUMN %I TYPE ... COLLATE %s.',
				qualified_name(key.relation), key.attribute, key.mailbox);
	END IF;

	SELECT columns INTO wrong
	FROM usable_indexes(store.message)
	WHERE is_unique AND (columns = ARRAY[store.message_uid]
		OR store.message_modseq = ANY (columns) AND columns <@ (store.message_mailbox || store.message_modseq));
	IF FOUND THEN
		RAISE 'table % has a unique index on (%)', qualified_name(store.message), array_to_string(wrong, ', ') USING
			ERRCODE = 'invalid_table_definition',
			DETAIL = 'UIDs are unique only within a mailbox, and the messages that one statement changes share a '
				'mod-sequence.',
			HINT = 'Drop that index or constraint, or name another column with message_uid or message_modseq; it is '
				'added if it does not exist.';
	END IF;

	FOR flag IN
		SELECT store.message AS relation, unnest(store.message_flags) AS attribute
		UNION ALL
		SELECT attrelid, attname
		FROM pg_attribute
		WHERE attrelid = store.flag AND attnum > 0 AND NOT attisdropped
			AND attgenerated <> 'v'			-- these only follow other columns
			AND coalesce(attname = ANY (store.flag_columns), true)
	LOOP
		-- DISTINCT looks for the equality operator where the triggers do: in the type's default operator class
		BEGIN
			EXECUTE format('SELECT DISTINCT %I FROM %s LIMIT 0', flag.attribute, qualified_name(flag.relation));
		EXCEPTION WHEN undefined_function THEN
			RAISE 'changes of column "%" of table % cannot be told', flag.attribute, qualified_name(flag.relation) USING
				ERRCODE = 'undefined_function',
				DETAIL = format('Type %s has no equality operator.', column_type(flag.relation, flag.attribute)),
				HINT = 'Name the columns that count with message_flags or flag_columns, and leave it out; or change '
					'its type, as json to jsonb.';
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_keys IS
	'Refuses keys that do not fit, indexes that stand in the way, and flags that cannot be compared.';
