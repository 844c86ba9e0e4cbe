/*
 * attach(): accounts. The table of their states and that of what has left them,
 * which are created, or found and kept; and where both begin.
 */

CREATE FUNCTION modseq_internal.account_key(store modseq_internal.store) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN store.account = '{}' THEN '{one}' ELSE store.account END
$$;
COMMENT ON FUNCTION modseq_internal.account_key IS
	'The key of the tables of accounts: the account''s columns; or one column, if there is one account for the store.';

CREATE FUNCTION modseq_internal.account_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(column_definitions(store.mailbox, store.account), 'one boolean')
		|| ', epoch bigint, highestmodseq bigint, email_modseq bigint, thread_modseq bigint, mailbox_modseq bigint, floor bigint'
$$;
COMMENT ON FUNCTION modseq_internal.account_definitions IS
	'The columns of the table of accounts: the account as the mailbox table has it, what makes its states another '
	'account''s, the last mod-sequence that it has handed out, its states, and since when changes are known.';

CREATE FUNCTION modseq_internal.list_definition(name name, relation regclass, attribute name) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('%I %s', name, format_type(t.typarray, -1))
		|| coalesce((SELECT ' COLLATE ' || c.name FROM column_collation(relation, attribute) AS c), '')
	FROM pg_type t
	WHERE t.oid = column_type(relation, attribute)
$$;
COMMENT ON FUNCTION modseq_internal.list_definition IS
	'A column of that name that holds lists of what another column holds.';

CREATE FUNCTION modseq_internal.departed_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT concat_ws(', ', coalesce(column_definitions(store.mailbox, store.account), 'one boolean'),
		'modseq bigint',
		list_definition('emails', store.message, store.email),
		list_definition('threads', store.message, store.thread),
		'created bigint[], mailboxes text[] COLLATE pg_catalog."default", mailboxes_created bigint[], '
		'departed_at timestamp with time zone')
$$;
COMMENT ON FUNCTION modseq_internal.departed_definitions IS
	'The columns of the table of what has left its account.';

CREATE FUNCTION modseq_internal.has_definitions(relation regclass, definitions text, key name[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT primary_key(relation) IS NOT DISTINCT FROM key
		AND definitions = column_definitions(relation, ARRAY(
			SELECT attname FROM pg_attribute
			WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum))
$$;
COMMENT ON FUNCTION modseq_internal.has_definitions IS
	'Has a table exactly these columns, in that order, and that primary key?';

-- Those that a store had, and that do not fit any more, are made anew: with another epoch, in which no client has a state
CREATE FUNCTION modseq_internal.find_account_table(
	store modseq_internal.store, relation regclass, before regclass, definitions text, key name[])
RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	PERFORM follow_owner(store, relation);
	IF relation = before AND NOT has_definitions(relation, definitions, key) THEN
		RAISE NOTICE '%', drop_ours(store, relation);
		relation := (SELECT oid FROM pg_class WHERE oid = relation);
	END IF;
	PERFORM refuse_as_ours(store, relation, definitions, key,
		'If it is the store''s, drop it; else rename it, and modseq.attach() creates its own.');
	RETURN relation;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_account_table IS
	'A table of accounts that there is already, since an earlier attach() or out of a dump. Error 42P07 if it is not '
	'what is needed.';

CREATE FUNCTION modseq_internal.create_account(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := account_name(store.message);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s, PRIMARY KEY (%s)) WITH (fillfactor = 50)',
		name, account_definitions(store), quoted_list(account_key(store)));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN epoch SET NOT NULL,
			ALTER COLUMN epoch SET DEFAULT modseq.next_uidvalidity(),
			ALTER COLUMN highestmodseq SET NOT NULL,
			ALTER COLUMN highestmodseq SET DEFAULT 1,
			ALTER COLUMN email_modseq SET NOT NULL,
			ALTER COLUMN email_modseq SET DEFAULT 1,
			ALTER COLUMN thread_modseq SET NOT NULL,
			ALTER COLUMN thread_modseq SET DEFAULT 1,
			ALTER COLUMN mailbox_modseq SET NOT NULL,
			ALTER COLUMN mailbox_modseq SET DEFAULT 1,
			ALTER COLUMN floor SET NOT NULL,
			ALTER COLUMN floor SET DEFAULT 1,
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	IF store.account = '{}' THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN one SET DEFAULT true, ADD CHECK (one)', name);
	END IF;
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('States of the accounts of %s. Kept by modseq.', qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_account IS
	'Creates the table of accounts.';

CREATE FUNCTION modseq_internal.create_departed(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := departed_name(store.message);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s)', name, departed_definitions(store));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN modseq SET NOT NULL,
			ALTER COLUMN departed_at SET NOT NULL,
			ALTER COLUMN departed_at SET DEFAULT clock_timestamp(),
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	EXECUTE (
		SELECT format('ALTER TABLE %s %s', name, string_agg(format('ALTER COLUMN %I SET NOT NULL', k), ', '))
		FROM unnest(account_key(store)) AS k);
	-- To compress the keys of a thousand messages is dearer than to move these
	PERFORM run(ARRAY(
		SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTERNAL', name, attname)
		FROM pg_attribute WHERE attrelid = table_named(name) AND attname IN ('emails', 'threads', 'created')));
	IF store.account = '{}' THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN one SET DEFAULT true, ADD CHECK (one)', name);
	END IF;
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('What has left the accounts of %s, and the mod-sequences at which it did. Kept by modseq.',
			qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_departed IS
	'Creates the table of what has left its account.';

CREATE FUNCTION modseq_internal.follow_account(before modseq_internal.store, store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	account modseq_internal.store := store;		-- to whose tables it is the key
BEGIN
	IF before.account IS NULL OR store.account IS NULL THEN
		RETURN;
	END IF;
	account.mailbox_key := store.account;
	PERFORM follow_mailbox_key(before.account_table, before.account, account);
	PERFORM follow_mailbox_key(before.departed, before.account, account);
	IF NOT store.account && store.mailbox_key THEN
		PERFORM follow_mailbox_key(before.counters, before.account, account);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_account IS
	'Lets the tables of ours follow the account, of which a column was renamed or got another type of the same kind.';

CREATE FUNCTION modseq_internal.remove_accounts(store modseq_internal.store, before modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	ours regclass;
	r record;
BEGIN
	FOREACH ours IN ARRAY array_remove(ARRAY[before.account_table, before.departed], NULL) LOOP
		RAISE NOTICE '%', drop_ours(before, ours);
	END LOOP;
	FOR r IN
		SELECT i.indexrelid::regclass AS index
		FROM pg_index i
		CROSS JOIN LATERAL (
			SELECT array_agg(a.attname ORDER BY k.place)
			FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS c (columns)
		WHERE i.indrelid IN (store.message, store.mailbox, store.counters)
			AND obj_description(i.indexrelid, 'pg_class') = added_mark()
			AND (i.indrelid, c.columns) IN (SELECT relation, columns FROM wanted_indexes(before))
			AND (i.indrelid, c.columns) NOT IN (SELECT relation, columns FROM wanted_indexes(store))
	LOOP
		EXECUTE format('DROP INDEX %s', qualified_name(r.index));
	END LOOP;
	FOR r IN
		SELECT a.*
		FROM added_columns(ARRAY[store.mailbox]) a
		WHERE a.attribute IN (accounts_column(before, 'created_modseq'), accounts_column(before, 'properties_modseq'))
	LOOP
		EXECUTE format('ALTER TABLE %s DROP COLUMN %I', qualified_name(r.relation), r.attribute);
		RAISE NOTICE 'dropped column "%" of table %', r.attribute, qualified_name(r.relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.remove_accounts IS
	'Drops what a store had because of accounts, which it has no more.';

CREATE FUNCTION modseq_internal.make_accounts(store modseq_internal.store, before modseq_internal.store)
RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.account IS NULL THEN
		IF before.account IS NOT NULL THEN
			PERFORM remove_accounts(store, before);
		END IF;
		RETURN store;
	END IF;
	store.account_table := find_account_table(store, coalesce(table_named(account_name(store.message)), store.account_table),
		before.account_table, account_definitions(store), account_key(store));
	store.account_table := coalesce(store.account_table, create_account(store));
	PERFORM drop_triggers(ARRAY[store.account_table]);
	store.departed := find_account_table(store, coalesce(table_named(departed_name(store.message)), store.departed),
		before.departed, departed_definitions(store), NULL);
	store.departed := coalesce(store.departed, create_departed(store));
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.make_accounts IS
	'The store with its tables of accounts, which are created, found, or removed.';

-- What differs decides on what an account has, or whether we have seen all of it
CREATE FUNCTION modseq_internal.keeps_accounts(store modseq_internal.store, before modseq_internal.store) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT NOT EXISTS (
			SELECT FROM jsonb_each(to_jsonb(store)) AS o
			WHERE value IS DISTINCT FROM to_jsonb(before) -> key
				AND key <> ALL ('{flag,vanished,uidvalidities,mailbox_properties,message_flags,message_key,flag_message,flag_mailbox,'
					'flag_uid,flag_columns,notify,vanished_keep}'))
		-- Who had not been told of a property may know an old value
		AND (before.mailbox_properties IS NULL OR coalesce(store.mailbox_properties <@ before.mailbox_properties, false))
		AND NOT EXISTS (SELECT FROM unsound_triggers(before) WHERE NOT is_misnamed)
$$;
COMMENT ON FUNCTION modseq_internal.keeps_accounts IS
	'Are the accounts of the store those that it had, with all triggers sound, so that nothing went unseen? To be asked '
	'before attach() changes anything.';

CREATE FUNCTION modseq_internal.refuse_accounts(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	wrong name;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {b.name} FROM ' || replace(qualified_name(store.mailbox), '{', '{{}') || ' b
		WHERE num_nulls({b.account}) > 0 LIMIT 1')
		INTO mailbox;
	IF mailbox IS NOT NULL THEN
		RAISE 'mailbox "%" of table % has no account', mailbox, qualified_name(store.mailbox) USING
			ERRCODE = 'not_null_violation',
			HINT = format('Set %s of all mailboxes.', array_to_string(store.account, ' and '));
	END IF;
	FOREACH wrong IN ARRAY array_remove(ARRAY[store.email, store.thread], NULL) LOOP
		CONTINUE WHEN (SELECT attnotnull FROM pg_attribute WHERE attrelid = store.message AND attname = wrong);
		EXECUTE format('SELECT %L FROM %s WHERE %I IS NULL LIMIT 1', wrong, qualified_name(store.message), wrong)
			INTO mailbox;
		IF mailbox IS NOT NULL THEN
			RAISE 'column "%" of table % has a null', wrong, qualified_name(store.message) USING
				ERRCODE = 'not_null_violation',
				DETAIL = 'Each message is of an Email, and has a Thread if there are such.',
				HINT = 'Set it for all messages.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_accounts IS
	'Refuses mailboxes without an account, and messages without an Email or Thread.';

CREATE FUNCTION modseq_internal.follow_accounts(store modseq_internal.store) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	IF store.counters IS NULL OR store.account <@ store.mailbox_key THEN
		RETURN false;
	END IF;
	EXECUTE expand_template(store, format('
		UPDATE {mailbox} b SET %s
		FROM {source} s
		WHERE {b=s} AND (%s)', (
			SELECT string_agg(format('%1$s = s.%1$s', q), ', ') FROM unnest(store.account) AS c, replace(quote_ident(c), '{', '{{}') AS q), (
			SELECT string_agg(format('b.%1$s IS DISTINCT FROM s.%1$s', q), ' OR ')
			FROM unnest(store.account) AS c, replace(quote_ident(c), '{', '{{}') AS q)));
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n > 0;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_accounts IS
	'Brings the accounts to the table of counters beside the mailbox table. Returns whether any was missing, or another.';

-- An account that has not changed unseen goes on. Of any other all states are forgotten, and what had left it. All that
-- is there is taken for created by then.
CREATE FUNCTION modseq_internal.adopt_accounts(store modseq_internal.store, renew boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	least_modseq CONSTANT bigint := (incarnation()).modseq;
BEGIN
	EXECUTE expand_template(store, '
		WITH box AS (
			SELECT {b.account}, max({b.highestmodseq}) AS {_modseq} FROM {mailbox} b GROUP BY {b.account})
		UPDATE {account} a
		SET highestmodseq = m.{_n}, email_modseq = m.{_n}, thread_modseq = m.{_n}, mailbox_modseq = m.{_n}, floor = m.{_n}
		FROM {account} o
		LEFT JOIN box ON {o@box}
		CROSS JOIN LATERAL (
			SELECT greatest(box.{_modseq}, o.highestmodseq + 1, $2 + 1)) AS m ({_n})
		WHERE {a@o} AND ($1 OR box.{_modseq} > o.highestmodseq)') USING renew, least_modseq;
	EXECUTE expand_template(store, '
		INSERT INTO {account} ({account_key}, highestmodseq, email_modseq, thread_modseq, mailbox_modseq, floor)
		SELECT {box.account}, box.{_n}, box.{_n}, box.{_n}, box.{_n}, box.{_n}
		FROM (SELECT {b.account}, greatest(max({b.highestmodseq}), $1 + 1) AS {_n} FROM {mailbox} b GROUP BY {b.account}) AS box
		WHERE NOT EXISTS (SELECT FROM {account} a WHERE {a@box})
		ORDER BY {box.account}') USING least_modseq;
	EXECUTE expand_template(store, '
		UPDATE {mailbox} b SET created_modseq = NULL, properties_modseq = NULL
		FROM {account} a
		WHERE {a@b} AND (b.created_modseq > a.highestmodseq OR b.properties_modseq > a.highestmodseq)');
	EXECUTE expand_template(store, '
		DELETE FROM {departed} d
		WHERE NOT EXISTS (SELECT FROM {account} a WHERE {a@d} AND d.modseq > a.floor AND d.modseq <= a.highestmodseq)');
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_accounts IS
	'Adds the accounts that are missing, and has those begin anew whose mailboxes have changed, or all of them.';
