/*
 * attach() on tables that Citus distributes. Commands on such a table are run on
 * its shards too, by Citus; so columns, indexes and triggers are as ever. What
 * reads and writes rows is done shard by shard, where the shard is.
 */

CREATE FUNCTION modseq_internal.key_columns(store modseq_internal.store)
RETURNS TABLE (relation regclass, mailbox_column name, attribute name)
LANGUAGE sql STABLE ROWS 8 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT store.mailbox, k, k FROM unnest(store.mailbox_key) AS k
	UNION ALL
	SELECT store.message, u.* FROM unnest(store.mailbox_key, store.message_mailbox) AS u
	UNION ALL
	SELECT store.mailbox_source, u.* FROM unnest(store.mailbox_key, store.mailbox_source_key) AS u
	UNION ALL
	SELECT store.flag, u.* FROM unnest(store.mailbox_key, store.flag_mailbox) AS u
	UNION ALL
	SELECT store.flag, m.mailbox_column, f.attribute
	FROM unnest(store.message_key, store.flag_message) AS f (key, attribute)
	JOIN unnest(store.mailbox_key, store.message_mailbox) AS m (mailbox_column, name) ON m.name = f.key
$$;
COMMENT ON FUNCTION modseq_internal.key_columns IS
	'What each table of the application has of the mailbox key, by the names in the mailbox table.';

CREATE FUNCTION modseq_internal.refuse_distribution(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := array_remove(ARRAY[store.message, store.mailbox, store.mailbox_source, store.flag], NULL);
	dist CONSTANT name := distribution_column(store.mailbox);
	t record;
BEGIN
	IF NOT EXISTS (SELECT FROM unnest(tables) AS u (relation) WHERE is_distributed(relation)) THEN
		RETURN;
	END IF;
	FOR t IN
		SELECT qualified_name(u.relation) AS name, d.*
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place) LEFT JOIN LATERAL distribution(u.relation) AS d ON true
		ORDER BY place
	LOOP
		IF t.method IS NULL THEN
			RAISE 'table % is not distributed as the other tables of the store are', t.name USING
				ERRCODE = 'feature_not_supported',
				HINT = format('Call create_distributed_table() for it, with colocate_with => %L.', qualified_name(store.message));
		END IF;
		IF t.method NOT IN ('h', 'n') OR t.replicas <> 's' THEN
			RAISE 'table % is distributed in a way that modseq cannot serve', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'Each row must be in one place, found by the hash of a column, or in the only shard of the table.',
				HINT = 'Distribute it with create_distributed_table() and citus.shard_replication_factor = 1.';
		END IF;
		IF (t.method, t.colocation) IS DISTINCT FROM (SELECT (d.method, d.colocation) FROM distribution(store.message) AS d) THEN
			RAISE 'tables % and % are not colocated', qualified_name(store.message), t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'What belongs to a mailbox must be on one server.',
				HINT = format('Distribute it with colocate_with => %L.', qualified_name(store.message));
		END IF;
	END LOOP;
	FOR t IN
		SELECT u.relation, qualified_name(u.relation) AS name, distribution_column(u.relation) AS dist
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place)
		ORDER BY place
	LOOP
		IF t.dist IS NOT NULL AND NOT EXISTS (
			SELECT FROM key_columns(store) k
			WHERE k.relation = t.relation AND k.mailbox_column = dist AND k.attribute = t.dist)
		THEN
			RAISE 'table % is not distributed by a column of the mailbox key', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('It is distributed by column "%s", and the mailbox table by column "%s" of the key (%s).',
					t.dist, dist, array_to_string(store.mailbox_key, ', ')),
				HINT = 'The account should be a part of all keys, and the column that the tables are distributed by.';
		END IF;
	END LOOP;
	IF store.account IS NOT NULL AND dist IS NOT NULL AND dist <> ALL (store.account) THEN
		RAISE 'accounts are not in one shard each' USING
			ERRCODE = 'feature_not_supported',
			DETAIL = format('Mailboxes are distributed by column "%s", and accounts are told apart by (%s).',
				dist, array_to_string(store.account, ', ')),
			HINT = 'Name the column that the tables are distributed by with account.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_distribution IS
	'Refuses tables that Citus does not distribute together, by the mailbox or what it belongs to.';

-- Commands that follow are run one after the other on the shards of a server, so that they see each other. Tables that
-- Citus brings back are new ones, under the old names.
CREATE FUNCTION modseq_internal.allow_distributed(message regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	distributed CONSTANT regclass[] := ARRAY(
		SELECT relation
		FROM store_of(message) AS s, unnest(our_tables(s)) AS relation
		WHERE is_distributed(relation));
	relation regclass;
BEGIN
	IF is_distributed(message) OR cardinality(distributed) > 0 THEN
		PERFORM set_config('citus.enable_unsafe_triggers', 'on', true),
			set_config('citus.multi_shard_modify_mode', 'sequential', true);
	END IF;
	IF NOT is_distributed(message) THEN
		FOREACH relation IN ARRAY distributed LOOP
			EXECUTE 'SELECT undistribute_table($1)' USING relation;
		END LOOP;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.allow_distributed IS
	'If tables of a store are distributed, sets for the transaction what Citus needs to change their triggers; and if the '
	'message table is not any more, brings ours back, too.';

-- A local table that Citus is told of becomes its own shard, and another table has its name
CREATE FUNCTION modseq_internal.distribute_tables(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	dist CONSTANT name := distribution_column(store.mailbox);
	part text;
	relation regclass;
	name text;
	colocation integer;
BEGIN
	SELECT d.colocation INTO colocation FROM distribution(store.message) AS d;
	FOREACH part IN ARRAY '{vanished,counters,account_table,departed,uidvalidities}'::text[] LOOP
		relation := to_jsonb(store) ->> part;
		name := qualified_name(relation);
		IF NOT is_distributed(relation) AND colocation = 0 THEN
			EXECUTE 'SELECT citus_add_local_table_to_metadata($1)' USING relation;
			store := jsonb_populate_record(store, jsonb_build_object(part, name));
		ELSIF NOT is_distributed(relation) THEN
			EXECUTE 'SELECT create_distributed_table($1, $2, colocate_with => $3)'
				USING relation, dist::text, qualified_name(store.message);
		END IF;
	END LOOP;
	-- It has no key, and its rows go by and by. Without this Citus would not move it while there are writers.
	IF store.departed IS NOT NULL
		AND (SELECT relreplident FROM pg_class WHERE oid = store.departed) <> 'f'
	THEN
		EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', qualified_name(store.departed));
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.distribute_tables IS
	'Distributes the tables of a store that are ours as the message table is. Returns the store with them.';

CREATE FUNCTION modseq_internal.at_shard_of(store modseq_internal.store, shard bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT to_jsonb(store) || coalesce(jsonb_object_agg(part, shard_name(shard, relation)), '{}')
	FROM (VALUES
		('message', store.message), ('mailbox', store.mailbox), ('flag', store.flag), ('vanished', store.vanished),
		('counters', store.counters), ('mailbox_source', store.mailbox_source), ('account_table', store.account_table),
		('departed', store.departed), ('uidvalidities', store.uidvalidities)) AS p (part, relation)
	WHERE relation <> 0
$$;
COMMENT ON FUNCTION modseq_internal.at_shard_of IS
	'A store with the tables that it has at a shard, by their names, for the server that has them.';

-- The triggers of the application are off, by the command on the whole tables
CREATE FUNCTION modseq_internal.adopt_shard(
	store jsonb, replaced jsonb, added text[], new_store boolean, same_accounts boolean)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off SET citus.override_table_visibility = off AS $$
DECLARE
	here CONSTANT modseq_internal.store := jsonb_populate_record(NULL::modseq_internal.store, store);
	before CONSTANT modseq_internal.store := jsonb_populate_record(NULL::modseq_internal.store, replaced);
BEGIN
	same_accounts := NOT add_mailboxes(here) AND same_accounts;
	PERFORM refuse_messages(here);
	PERFORM adopt_rows(here, before, added, new_store, same_accounts);
	PERFORM adopt_uidvalidities(here);
	RETURN true;
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_shard IS
	'What attach() does with the rows of a store, at one shard.';

CREATE FUNCTION modseq_internal.adopt_shards(
	store modseq_internal.store, replaced modseq_internal.store, added text[], new_store boolean, same_accounts boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
BEGIN
	IF replaced.mailbox = store.mailbox AND (replaced.counters IS NULL) <> (store.counters IS NULL) THEN
		RAISE 'counters of a distributed store stay where they are' USING
			ERRCODE = 'feature_not_supported',
			HINT = 'Leave out option counters; or undistribute the tables for the change.';
	END IF;
	FOR s IN SELECT * FROM shards_of(store) LOOP
		EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.adopt_shard(%L, %L, %L, %L, %L)',
			at_shard_of(store, s.shard), at_shard_of(replaced, s.shard), added, new_store, same_accounts));
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_shards IS
	'What attach() does with the rows of a distributed store, shard by shard.';
