/*
 * detach(): the triggers go, and, if that is asked for, all else that attach()
 * has added.
 */

-- What a forged store names could be anybody's
CREATE FUNCTION modseq_internal.drop_ours(store modseq_internal.store, ours regclass) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := qualified_name(ours);
BEGIN
	IF EXISTS (
			SELECT FROM pg_class v JOIN pg_class m ON m.relowner = v.relowner
			WHERE v.oid = ours AND m.oid = store.message)
		AND NOT EXISTS (
			SELECT FROM stores_of(ours) AS s WHERE s.message <> store.message)
	THEN
		EXECUTE format('DROP TABLE %s', name);
		RETURN format('dropped table %s', name);
	END IF;
	RETURN 'table ' || name || ' stays: it is another owner''s, or another store''s';
END
$$;
COMMENT ON FUNCTION modseq_internal.drop_ours IS
	'Drops a table of a store that is ours, and returns what is to be said of it.';

CREATE FUNCTION modseq_internal.remove(store modseq_internal.store, tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	done text[];
	dependents text;
BEGIN
	BEGIN
		done := array_remove(
			remove_added(tables) || drop_ours(store, store.vanished) || drop_ours(store, store.counters)
				|| drop_ours(store, store.account_table) || drop_ours(store, store.departed)
				|| drop_ours(store, store.uidvalidities), NULL);
	EXCEPTION WHEN dependent_objects_still_exist THEN
		GET STACKED DIAGNOSTICS dependents = PG_EXCEPTION_DETAIL;
		RAISE 'cannot remove what modseq.attach() has added, as other objects need it' USING
			ERRCODE = 'dependent_objects_still_exist',
			DETAIL = dependents,
			HINT = 'Drop them, and create them again afterwards, without what is removed. A view that was created as '
				'SELECT * since modseq.attach() has its columns, too.';
	END;
	FOR i IN 1 .. cardinality(done) LOOP
		RAISE NOTICE '%', done[i];
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.remove IS
	'Drops all that attach() has added to a store, and says so. Error 2BP01 if something else needs it.';

CREATE FUNCTION modseq_internal.knows_all_parts(store modseq_internal.store) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT store.message IS NOT NULL AND NOT EXISTS (
		SELECT FROM store_options(store.message)
		WHERE option IN ('mailbox', 'mailbox_source', 'flag', 'counters', 'account_table')
			AND NOT has_trigger_for(table_named(value), store.message))
$$;
COMMENT ON FUNCTION modseq_internal.knows_all_parts IS
	'Is each table that a store names there, with a trigger that names the store? Else one may have another name now.';

CREATE FUNCTION modseq.detach(message regclass, remove boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
	renamed regclass[];
	tables regclass[];
	own regclass[];
	c record;
BEGIN
	PERFORM allow_distributed(message);
	PERFORM hold_message(message);
	-- Partitions may come, and it may be another table's store, while we wait for the locks: so once more when we have them
	FOR pass IN 1 .. 2 LOOP
		SELECT * INTO store FROM store_of(message);

		-- The mailbox and flag tables by their names in the store, or, where these were renamed, by the name of the
		-- message table in their triggers; but others may name this store in triggers by hand
		IF NOT knows_all_parts(store) THEN
			renamed := ARRAY(
				SELECT oid FROM pg_class WHERE oid = ANY (tables_naming(message)) AND pg_has_role(relowner, 'USAGE'));
		END IF;
		SELECT array_agg(DISTINCT t.tgrelid::regclass) INTO tables
		FROM our_triggers(renamed || ARRAY(
			SELECT with_partitions(detach.message, store.mailbox, store.mailbox_source, store.flag, store.counters,
				store.account_table))) AS t;
		-- Another part of a store goes with it; but if the message table was dropped, there is nothing else to name.
		-- A partition goes with the whole, unless it has row triggers that somebody made by hand.
		IF tables IS NULL
			OR EXISTS (
				SELECT FROM stores_of(detach.message) AS s
				WHERE s.message <> detach.message AND detach.message IS DISTINCT FROM s.vanished
					AND detach.message IS DISTINCT FROM s.departed AND detach.message IS DISTINCT FROM s.uidvalidities)
			OR is_partition_of_store(detach.message)
		THEN
			RAISE 'table % is not attached to modseq', coalesce(qualified_name(message), message::text, 'null') USING
				ERRCODE = 'object_not_in_prerequisite_state',
				HINT = coalesce(store_hint(message),
					'A store is named by its message table; modseq.stores lists them.');
		END IF;
		PERFORM refuse_stranger(tables, 'modseq.detach()');
		IF pass = 1 THEN
			PERFORM run(ARRAY(
				SELECT format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', string_agg(qualified_name(r.oid), ', ' ORDER BY
					array_position(ARRAY[detach.message, store.mailbox_source, store.mailbox, store.flag, store.counters,
						store.account_table], r.oid),
					r.oid))
				FROM pg_class r
				WHERE r.oid = ANY (tables) AND (NOT r.relispartition OR r.oid = detach.message)
				HAVING count(*) > 0));
		END IF;
	END LOOP;

	-- What a forged store names may be anybody's: only what has triggers that name this store, or is of one owner
	SELECT array_agg(o.oid) INTO own
	FROM pg_class o
	WHERE o.oid = ANY (tables) AND NOT o.relispartition
		AND (o.relowner = (SELECT relowner FROM pg_class m WHERE m.oid = detach.message)
			OR has_trigger_for(o.oid, detach.message));

	PERFORM drop_triggers(tables);
	FOR c IN SELECT * FROM not_null_while_attached(store) WHERE relation = ANY (own) AND is_not_null LOOP
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', qualified_name(c.relation), c.attribute);
	END LOOP;
	IF remove THEN
		PERFORM remove(store, own);
	END IF;
	PERFORM notice_left(store, coalesce(remove, false));
END
$$;
COMMENT ON FUNCTION modseq.detach(regclass, boolean) IS
	'Ends a store: removes the triggers that attach() created, keeps the columns, the indexes and the table of '
	'vanished UIDs. UIDs may be null then; what is deleted or arrives while a store is detached is noticed by the '
	'next attach(); flags that change meanwhile are not: call reset_uidvalidity() for mailboxes where they did. '
	'remove: drops all that attach() has added, and nothing else: the columns and indexes whose comment says so, '
	'its default of UIDVALIDITY and the table of vanished UIDs. Takes ACCESS EXCLUSIVE locks on the tables until '
	'the transaction ends. Errors: 55000 if the table is not attached, 42501 for others than the owner of the '
	'tables, 2BP01 if a view or a constraint needs what is to be removed.';

-- What is wrong with somebody's store must not keep the extension from being dropped
CREATE FUNCTION modseq_internal.detach_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	message regclass;
BEGIN
	FOR message IN SELECT s.message FROM modseq.stores s ORDER BY 1 LOOP
		BEGIN
			PERFORM modseq.detach(message);
		EXCEPTION WHEN others THEN
			RAISE WARNING 'store % could not be detached', qualified_name(message) USING
				DETAIL = SQLERRM,
				HINT = 'Where columns are NOT NULL that modseq.attach() has added, use ALTER TABLE ... ALTER COLUMN '
					'... DROP NOT NULL.';
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.detach_all IS
	'Detaches all stores, before DROP EXTENSION takes their triggers: an application must be able to write then.';
