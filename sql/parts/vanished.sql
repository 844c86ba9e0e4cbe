/*
 * attach(): the table of vanished UIDs, which it creates, or finds and keeps.
 */

CREATE FUNCTION modseq_internal.vanished_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT column_definitions(store.mailbox, store.mailbox_key)
		|| ', modseq bigint, uids modseq.uidset, vanished_at timestamp with time zone'
$$;
COMMENT ON FUNCTION modseq_internal.vanished_definitions IS
	'The columns of the vanished table: the mailbox key as the mailbox table has it, and ours, but for those of later_columns().';

-- In the order in which they came to be there
CREATE FUNCTION modseq_internal.later_columns(vanished regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(string_agg(', ' || c.definition, '' ORDER BY a.attnum), '')
	FROM pg_attribute a
	JOIN (VALUES ('lost', 'lost bigint'), ('lost_uids', 'lost_uids modseq.uidset'), ('changed', 'changed modseq.uidset'))
		AS c (name, definition) ON c.name = a.attname
	WHERE a.attrelid = vanished AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION modseq_internal.later_columns IS
	'Of columns of a vanished table that attach() adds by and by, those that are there, as they should be.';

CREATE FUNCTION modseq_internal.has_log(vanished regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT column_type(vanished, 'changed') = 'modseq.uidset'::regtype IS TRUE
$$;
COMMENT ON FUNCTION modseq_internal.has_log IS
	'Has a vanished table the column of a store that logs changes?';

CREATE FUNCTION modseq_internal.follow_mailbox_key(ours regclass, kept name[], store modseq_internal.store)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	old name;
	new name;
BEGIN
	IF cardinality(kept) IS DISTINCT FROM cardinality(store.mailbox_key) THEN
		RETURN;
	END IF;
	-- One at a time: of two, their order could be another one now
	FOR old, new IN SELECT * FROM unnest(kept, store.mailbox_key) AS k (old, new) WHERE k.old <> k.new LOOP
		IF column_type(store.mailbox, old) IS NULL AND kept = array_replace(store.mailbox_key, new, old) THEN
			EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', qualified_name(ours), old, new);
		END IF;
	END LOOP;
	FOREACH new IN ARRAY store.mailbox_key LOOP
		IF column_definitions(ours, ARRAY[new]) <> column_definitions(store.mailbox, ARRAY[new])
			AND may_hold_same_key(column_type(ours, new), column_type(store.mailbox, new))
		THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', qualified_name(ours), new,
				substr(column_definitions(store.mailbox, ARRAY[new]), length(quote_ident(new)) + 2));
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_mailbox_key IS
	'Lets a table of ours, whose key begins with the columns that it kept, follow the mailbox key, of which a column was '
	'renamed or got another type of the same kind.';

-- After ALTER TABLE ... OWNER TO of the message table. Only of a table of ours that has the message table's name: what a
-- forged store names could be anybody's, which a superuser would give away here.
CREATE FUNCTION modseq_internal.follow_owner(store modseq_internal.store, ours regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	owners record;
BEGIN
	SELECT v.relowner::regrole AS old, m.relowner::regrole AS new INTO owners
	FROM pg_class v JOIN pg_class m ON m.relowner <> v.relowner
	WHERE v.oid = ours AND m.oid = store.message AND v.relkind = 'r'
		AND (v.oid = store.vanished AND v.oid = table_named(vanished_name(store.message))
			OR v.oid = store.counters AND v.oid = table_named(counters_name(store))
			OR v.oid = store.account_table AND v.oid = table_named(account_name(store.message))
			OR v.oid = store.departed AND v.oid = table_named(departed_name(store.message))
			OR v.oid = store.uidvalidities AND v.oid = table_named(uidvalidities_name(store.message)))
		AND NOT EXISTS (
			SELECT FROM stores_of(ours) AS s WHERE s.message <> store.message);
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF NOT pg_has_role(owners.old, 'USAGE') OR NOT pg_has_role(owners.new, 'USAGE') THEN
		RAISE 'table % has another owner than table %', qualified_name(ours), qualified_name(store.message) USING
			ERRCODE = 'insufficient_privilege',
			DETAIL = format('It belongs to %s, and role %s may not change that.', owners.old, quote_ident(current_user)),
			HINT = format('Use ALTER TABLE %s OWNER TO %s as a superuser, and then call modseq.attach().',
				qualified_name(ours), owners.new);
	END IF;
	EXECUTE format('ALTER TABLE %s OWNER TO %s', qualified_name(ours), owners.new);
	RAISE NOTICE 'table % belongs to % now, as table % does', qualified_name(ours), owners.new,
		qualified_name(store.message);
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_owner(modseq_internal.store, regclass) IS
	'Gives a table of ours, which is called after the message table, to the owner of that.';

CREATE FUNCTION modseq_internal.follow_owner(message regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
BEGIN
	SELECT * INTO store FROM store_of(message);
	IF FOUND THEN
		PERFORM follow_owner(store, relation) FROM unnest(our_tables(store)) AS relation;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_owner(regclass) IS
	'The same for a message table, which may have no store yet.';

-- The triggers write to it with its owner's rights, so it must not be just anybody's
CREATE FUNCTION modseq_internal.refuse_as_ours(
	store modseq_internal.store, relation regclass, definitions text, key name[], hint text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF is_inherited(relation) THEN
		RAISE 'table % is a partition, inherits or is inherited from', qualified_name(relation) USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'It has what modseq keeps of one store, and nothing else.',
			HINT = 'Use ALTER TABLE ... DETACH PARTITION, or NO INHERIT.';
	END IF;
	IF relation IS NOT NULL AND NOT EXISTS (
		SELECT FROM pg_class c
		WHERE c.oid = relation AND c.relkind = 'r' AND c.relpersistence = 'p'
			AND c.relowner = (SELECT m.relowner FROM pg_class m WHERE m.oid = store.message)
			AND primary_key(relation) IS NOT DISTINCT FROM key
			AND definitions = column_definitions(relation, ARRAY(
				SELECT attname FROM pg_attribute
				WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum))
			AND NOT EXISTS (
				SELECT FROM stores_of(relation) AS s WHERE s.message <> store.message))
	THEN
		RAISE 'table % exists and is not what modseq needs', qualified_name(relation) USING
			ERRCODE = 'duplicate_table',
			DETAIL = format(
				'It must have columns (%s) with %s, the owner of table %s, and no other store.',
				definitions, coalesce(format('primary key (%s)', array_to_string(key, ', ')), 'no primary key'),
				qualified_name(store.message)),
			HINT = hint;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_as_ours IS
	'Refuses a table that is in the place of one of ours and is not what is needed, with error 42P07.';

CREATE FUNCTION modseq_internal.find_vanished(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	-- Of a table that was renamed it is still under the old name; but a schema that was renamed took it along
	relation CONSTANT regclass := coalesce(table_named(vanished_name(store.message)), store.vanished);
BEGIN
	PERFORM follow_owner(store, relation);
	PERFORM refuse_as_ours(store, relation,
		vanished_definitions(store) || later_columns(relation),
		store.mailbox_key || 'modseq'::name,
		'If it is the store''s, ALTER it so; else rename or drop it, and modseq.attach() creates its own.');
	IF relation IS NOT NULL AND column_type(relation, 'lost') IS NULL THEN
		EXECUTE format('ALTER TABLE %s ADD COLUMN lost bigint', qualified_name(relation));
	END IF;
	IF relation IS NOT NULL AND column_type(relation, 'lost_uids') IS NULL THEN
		EXECUTE format('ALTER TABLE %s ADD COLUMN lost_uids modseq.uidset', qualified_name(relation));
	END IF;
	RETURN relation;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_vanished IS
	'The vanished table that there is already, since an earlier attach() or out of a dump. Error 42P07 if it is '
	'not what is needed.';

-- It has no foreign key to the mailboxes, whose TRUNCATE that would prevent; our triggers keep it
CREATE FUNCTION modseq_internal.create_vanished(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := vanished_name(store.message);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s, lost bigint, lost_uids modseq.uidset, PRIMARY KEY (%s, modseq))',
		name, vanished_definitions(store), quoted_list(store.mailbox_key));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN uids SET NOT NULL,
			ALTER COLUMN vanished_at SET NOT NULL,
			ALTER COLUMN vanished_at SET DEFAULT clock_timestamp(),
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('UIDs that vanished from the mailboxes of %s, and the mod-sequences at which they did. Kept by modseq.',
			qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_vanished IS
	'Creates the vanished table.';
