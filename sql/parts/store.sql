/*
 * What a store is. Its whole configuration is the arguments of one of its
 * triggers, the one that calls modseq.trigger_assign(). The view modseq.stores
 * shows them as a row.
 */

CREATE TYPE modseq_internal.store AS (
	message regclass,
	mailbox regclass,
	flag regclass,
	vanished regclass,
	counters regclass,		-- null: they are in the mailbox table; 0: the table is to be created
	mailbox_key name[],
	mailbox_uidvalidity name,
	mailbox_uidnext name,
	mailbox_last_uid name,
	mailbox_highestmodseq name,
	mailbox_source regclass,
	mailbox_source_key name[],
	message_mailbox name[],
	message_uid name,
	message_modseq name,
	message_created_modseq name,
	message_flags name[],
	message_expunged name,
	message_key name[],
	flag_message name[],
	flag_mailbox name[],
	flag_uid name,
	flag_columns name[],
	changes text,			-- index, or log: also the vanished table says what changed
	notify boolean,
	account name[],			-- empty: one account for the store; null: none
	account_table regclass,
	departed regclass,
	email name,
	thread name,
	mailbox_properties name[],
	vanished_keep interval,
	uidvalidities regclass,	-- only of a store that Citus distributes
	mailbox_messages name,	-- counts: columns beside the counters
	mailbox_size name,
	mailbox_unseen name,
	mailbox_deleted name,
	message_size name,
	message_seen name,
	message_seen_flag text,
	message_deleted name,
	message_deleted_flag text);
COMMENT ON TYPE modseq_internal.store IS
	'A store, as the functions behind attach() and check() pass it to each other: the columns of view '
	'modseq.stores.';

CREATE FUNCTION modseq_internal.table_named(name text) RETURNS regclass
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_table_named';
COMMENT ON FUNCTION modseq_internal.table_named IS
	'The table that a qualified, quoted name leads to; NULL if there is none, or the text is no such name.';

CREATE FUNCTION modseq_internal.qualified_name(relation regclass) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_qualified_name';
COMMENT ON FUNCTION modseq_internal.qualified_name IS
	'The qualified, quoted name of a table, also where search_path has its schema, which its regclass as text leaves '
	'out; NULL if there is no such table. Takes no lock.';

CREATE FUNCTION modseq_internal.quoted_list(names name[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(quote_ident(name), ', ' ORDER BY place) FROM unnest(names) WITH ORDINALITY AS n (name, place)
$$;
COMMENT ON FUNCTION modseq_internal.quoted_list IS
	'Names as they are listed in SQL: quoted, with commas between them.';

CREATE FUNCTION modseq_internal.trigger_options(trigger oid) RETURNS text[]
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_trigger_options';
COMMENT ON FUNCTION modseq_internal.trigger_options(oid) IS
	'The arguments of a trigger (an OID of pg_trigger), in order; NULL if there is no such trigger. Takes no '
	'lock.';

CREATE FUNCTION modseq_internal.option_names(option text) RETURNS name[]
LANGUAGE C IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'modseq_option_names';
COMMENT ON FUNCTION modseq_internal.option_names IS
	'The names in an option of a store that is an array of them; NULL if the text is no such array.';

CREATE FUNCTION modseq_internal.name_with_suffix(message regclass, suffix text) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_name_with_suffix';
COMMENT ON FUNCTION modseq_internal.name_with_suffix IS
	'A name for a table of ours, in the schema of the message table and after it.';

CREATE FUNCTION modseq_internal.vanished_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name_with_suffix(message, '_vanished')
$$;
COMMENT ON FUNCTION modseq_internal.vanished_name IS
	'The name of the vanished table: <message table>_vanished, in its schema.';

CREATE FUNCTION modseq_internal.counters_name(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN table_named(name) IN (store.mailbox, store.flag) THEN name_with_suffix(store.message, '_counters')
			ELSE name END
	FROM name_with_suffix(store.message, '_mailbox') AS name
$$;
COMMENT ON FUNCTION modseq_internal.counters_name IS
	'The name of the table of counters beside the mailbox table: <message table>_mailbox, in its schema; or _counters, if '
	'the application calls its own table so.';

CREATE FUNCTION modseq_internal.account_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN table_named(name) IS NOT NULL AND column_type(table_named(name), 'email_modseq') IS NULL
			THEN name_with_suffix(message, '_account_state')
			ELSE name END
	FROM name_with_suffix(message, '_account') AS name
$$;
COMMENT ON FUNCTION modseq_internal.account_name IS
	'The name of the table of accounts: <message table>_account, in its schema; or _account_state, if the application '
	'calls a table of its own so.';

CREATE FUNCTION modseq_internal.departed_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name_with_suffix(message, '_departed')
$$;
COMMENT ON FUNCTION modseq_internal.departed_name IS
	'The name of the table of what has left its account: <message table>_departed, in its schema.';

CREATE FUNCTION modseq_internal.uidvalidities_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name_with_suffix(message, '_uidvalidity')
$$;
COMMENT ON FUNCTION modseq_internal.uidvalidities_name IS
	'The name of the table of the values of UIDVALIDITY that were given: <message table>_uidvalidity, in its schema.';

CREATE FUNCTION modseq_internal.counter_table(store modseq_internal.store) RETURNS regclass
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(store.counters, store.mailbox)
$$;
COMMENT ON FUNCTION modseq_internal.counter_table IS
	'The table that has the counters: the one beside the mailbox table, or that itself.';

CREATE FUNCTION modseq_internal.source_table(store modseq_internal.store) RETURNS regclass
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN store.counters IS NULL THEN store.mailbox_source ELSE store.mailbox END
$$;
COMMENT ON FUNCTION modseq_internal.source_table IS
	'The table whose rows, added, renamed or removed, are rows of the counter table too; NULL if there is none.';

CREATE FUNCTION modseq_internal.our_tables(store modseq_internal.store) RETURNS regclass[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_remove(
		ARRAY[store.vanished, store.counters, store.account_table, store.departed, store.uidvalidities], NULL)
$$;
COMMENT ON FUNCTION modseq_internal.our_tables IS
	'The tables of a store that are modseq''s, of those that there are.';

CREATE FUNCTION modseq_internal.all_tables(store modseq_internal.store) RETURNS regclass[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_remove(ARRAY[store.message, store.mailbox, store.mailbox_source, store.flag], NULL) || our_tables(store)
$$;
COMMENT ON FUNCTION modseq_internal.all_tables IS
	'All tables of a store, of those that there are: the application''s, and then modseq''s.';

-- The arguments of a trigger are text that the owner of any table can write by hand, and name anybody's tables in. They
-- are believed where the table named is the same owner's, or has a trigger that names the store itself. The owner of the
-- message table may be another one now: then the vanished table is known by its name.
CREATE FUNCTION modseq_internal.table_of_store(message oid, name text) RETURNS regclass
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_table_of_store';
COMMENT ON FUNCTION modseq_internal.table_of_store IS
	'The table of that name, if it can be a part of the store with that message table; else NULL.';

CREATE FUNCTION modseq_internal.is_shard(relation oid) RETURNS boolean
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_is_shard';
COMMENT ON FUNCTION modseq_internal.is_shard IS
	'Is that table a shard of Citus, or what is left of one that was split?';

CREATE FUNCTION modseq_internal.store_options(message oid) RETURNS TABLE (option text, value text)
LANGUAGE sql STABLE STRICT ROWS 12 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)
	FROM (
		SELECT t.oid
		FROM pg_trigger t
		WHERE t.tgrelid = message AND t.tgfoid = 'modseq.trigger_assign'::regproc AND t.tgparentid = 0
		ORDER BY t.tgname LIMIT 1) AS t, unnest(trigger_options(t.oid)) AS o
	WHERE o LIKE '%=%'
$$;
COMMENT ON FUNCTION modseq_internal.store_options IS
	'The options of a store as they stand in the arguments of its trigger. Of several triggers on one table it is the '
	'first, as for the functions in C.';

-- As src/store/options.c reads it, too
CREATE FUNCTION modseq_internal.seconds_as_interval(seconds text) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE
		WHEN seconds IS NULL THEN interval '30 days'
		WHEN seconds !~ '^[0-9]{1,11}(\.[0-9]+)?$' THEN NULL
		WHEN seconds::numeric >= 31557600000 THEN interval '1000 years'
		ELSE justify_hours(make_interval(secs => seconds::float8)) END
$$;
COMMENT ON FUNCTION modseq_internal.seconds_as_interval IS
	'The interval in option vanished_keep; the default where a store has none, NULL if it is not valid.';

CREATE FUNCTION modseq_internal.interval_as_seconds(value interval) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT trim_scale(least(extract(epoch FROM value), 31557600000))::text WHERE value <> interval '30 days'
$$;
COMMENT ON FUNCTION modseq_internal.interval_as_seconds IS
	'What option vanished_keep has for it, a thousand years at most; NULL for the default.';

CREATE VIEW modseq_internal.every_store AS
	SELECT t.tgrelid::regclass AS message,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'mailbox') AS mailbox,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'flag') AS flag,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'vanished') AS vanished,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'counters') AS counters,
		modseq_internal.option_names(o ->> 'mailbox_key') AS mailbox_key,
		(o ->> 'mailbox_uidvalidity')::name AS mailbox_uidvalidity,
		(o ->> 'mailbox_uidnext')::name AS mailbox_uidnext,
		(o ->> 'mailbox_last_uid')::name AS mailbox_last_uid,
		(o ->> 'mailbox_highestmodseq')::name AS mailbox_highestmodseq,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'mailbox_source') AS mailbox_source,
		modseq_internal.option_names(o ->> 'mailbox_source_key') AS mailbox_source_key,
		modseq_internal.option_names(o ->> 'message_mailbox') AS message_mailbox,
		(o ->> 'message_uid')::name AS message_uid,
		(o ->> 'message_modseq')::name AS message_modseq,
		(o ->> 'message_created_modseq')::name AS message_created_modseq,
		modseq_internal.option_names(o ->> 'message_flags') AS message_flags,
		(o ->> 'message_expunged')::name AS message_expunged,
		modseq_internal.option_names(o ->> 'message_key') AS message_key,
		modseq_internal.option_names(o ->> 'flag_message') AS flag_message,
		modseq_internal.option_names(o ->> 'flag_mailbox') AS flag_mailbox,
		(o ->> 'flag_uid')::name AS flag_uid,
		modseq_internal.option_names(o ->> 'flag_columns') AS flag_columns,
		CASE WHEN o ? 'changes' THEN 'log' ELSE 'index' END AS changes,
		(o ? 'notify') IS TRUE AS notify,
		modseq_internal.option_names(o ->> 'account') AS account,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'account_table') AS account_table,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'departed') AS departed,
		(o ->> 'email')::name AS email,
		(o ->> 'thread')::name AS thread,
		modseq_internal.option_names(o ->> 'mailbox_properties') AS mailbox_properties,
		modseq_internal.seconds_as_interval(o ->> 'vanished_keep') AS vanished_keep,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'uidvalidities') AS uidvalidities,
		(o ->> 'mailbox_messages')::name AS mailbox_messages,
		(o ->> 'mailbox_size')::name AS mailbox_size,
		(o ->> 'mailbox_unseen')::name AS mailbox_unseen,
		(o ->> 'mailbox_deleted')::name AS mailbox_deleted,
		(o ->> 'message_size')::name AS message_size,
		(o ->> 'message_seen')::name AS message_seen,
		o ->> 'message_seen_flag' AS message_seen_flag,
		(o ->> 'message_deleted')::name AS message_deleted,
		o ->> 'message_deleted_flag' AS message_deleted_flag
	FROM (
		-- Of several triggers on one table the first, as for the functions in C
		SELECT DISTINCT ON (tgrelid) tgrelid, oid
		FROM pg_catalog.pg_trigger
		WHERE tgfoid = 'modseq.trigger_assign'::regproc AND tgparentid = 0
		ORDER BY tgrelid, tgname) AS t
	CROSS JOIN LATERAL (
		SELECT jsonb_object_agg(split_part(a, '=', 1), substr(a, strpos(a, '=') + 1)) AS o
		FROM unnest(modseq_internal.trigger_options(t.oid)) AS a
		WHERE strpos(a, '=') > 0) AS options;
GRANT SELECT ON modseq_internal.every_store TO PUBLIC;
COMMENT ON VIEW modseq_internal.every_store IS
	'What modseq.stores shows, and the same for shards of Citus, each with the shards beside it.';

CREATE VIEW modseq.stores AS
	SELECT * FROM modseq_internal.every_store s WHERE NOT modseq_internal.is_shard(s.message);
GRANT SELECT ON modseq.stores TO PUBLIC;
COMMENT ON VIEW modseq.stores IS
	'The attached message tables, each with its other tables and with the columns that attach() was given or '
	'found, read from the arguments of the triggers. A table that was renamed since shows as null: attach() the '
	'store again. So does one of another owner that has no trigger of the store, and what is no valid argument.';

CREATE FUNCTION modseq_internal.store_of(message regclass) RETURNS SETOF modseq_internal.store
LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT * FROM every_store s WHERE s.message = store_of.message
$$;
COMMENT ON FUNCTION modseq_internal.store_of IS
	'The store with that message table; no row if there is none.';

CREATE FUNCTION modseq_internal.stores_naming(part regclass) RETURNS regclass[]
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_stores_naming';
COMMENT ON FUNCTION modseq_internal.stores_naming IS
	'The message tables of the stores that name a table as another part of theirs: found by its triggers, its foreign '
	'keys and its name. Takes no lock.';

-- What a view of all stores would say, at a cost that does not grow with them
CREATE FUNCTION modseq_internal.stores_of(part regclass) RETURNS SETOF modseq_internal.store
LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT s.*
	FROM unnest(stores_naming(part) || part) AS named (message), store_of(named.message) AS s
	WHERE part = ANY (all_tables(s))
$$;
COMMENT ON FUNCTION modseq_internal.stores_of IS
	'The stores that a table is a part of.';

CREATE FUNCTION modseq_internal.tables_naming(message regclass) RETURNS regclass[]
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_tables_naming';
COMMENT ON FUNCTION modseq_internal.tables_naming IS
	'The tables that have a trigger of modseq whose only argument is the name of that message table, whether or not the '
	'store knows them. Takes no lock, and reads all triggers of the database.';

CREATE FUNCTION modseq_internal.store_hint(part regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('A store is named by its message table, which is %s here.', qualified_name(s.message))
	FROM coalesce(pg_partition_root(part), part) AS whole, stores_of(whole) AS s
	WHERE whole <> part OR s.message <> whole
	ORDER BY s.message LIMIT 1
$$;
COMMENT ON FUNCTION modseq_internal.store_hint IS
	'What to say to somebody who named a store by another table of it than the message table; NULL if there is none.';

CREATE FUNCTION modseq_internal.wait_for_attach(message regclass) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'modseq_wait_for_attach';
COMMENT ON FUNCTION modseq_internal.wait_for_attach IS
	'Waits for an attach() or detach() of that store; none begins until the transaction ends, if the caller may read the '
	'table (ACCESS SHARE). What the store is must be asked in the next query.';

CREATE FUNCTION modseq_internal.find_store(message regclass) RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
BEGIN
	IF message IS NULL THEN
		RAISE 'argument "store" must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'A store is named by its message table.';
	END IF;
	SELECT * INTO store FROM store_of(message);
	IF NOT FOUND THEN
		RAISE 'table % is not attached to modseq', coalesce(qualified_name(message), message::text) USING
			ERRCODE = 'object_not_in_prerequisite_state',
			HINT = coalesce(store_hint(message), 'A store is named by its message table; modseq.stores lists them. To '
				'make a table one, call modseq.attach() for it.');
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_store IS
	'The store of a message table. Error 55000 if the table is not attached.';
