/*
 * attach(), and what changes the definition of tables for it.
 */

CREATE FUNCTION modseq_internal.drop_triggers(tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN
		SELECT tgname, qualified_name(tgrelid) AS relation, tgtype & 32 <> 0 AND is_distributed(tgrelid) AS left_at_shards
		FROM our_triggers(ARRAY(SELECT with_partitions(VARIADIC tables)))
	LOOP
		-- Citus gives a shard that moves, or is split, the triggers that TRUNCATE fires, too; but it does not drop them.
		-- Those that INSERT fires it does.
		IF t.left_at_shards THEN
			EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT ON %s EXECUTE FUNCTION modseq.trigger_open()',
				t.tgname, t.relation);
		END IF;
		EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.drop_triggers IS
	'Drops the triggers of modseq on these tables and their partitions.';

-- Before it is known what it is; of those who may not do it nobody waits for a lock
CREATE FUNCTION modseq_internal.hold_message(message regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	PERFORM run(ARRAY(
		SELECT format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', qualified_name(oid))
		FROM pg_class
		WHERE oid = message AND relkind IN ('r', 'p') AND pg_has_role(relowner, 'USAGE')));
END
$$;
COMMENT ON FUNCTION modseq_internal.hold_message IS
	'Of attach() and detach() of one store, has the second wait for the first, until the transaction ends.';

-- Who alters them is waited for before we look, not in the middle of it; and so is another attach(), lest both have a
-- lock and wait for a stronger one
CREATE FUNCTION modseq_internal.hold_tables(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', (
		SELECT string_agg(qualified_name(t), ', ' ORDER BY place)
		FROM unnest(ARRAY[store.message, store.mailbox_source, store.mailbox, store.flag]) WITH ORDINALITY AS u (t, place)
		WHERE t IS NOT NULL));
END
$$;
COMMENT ON FUNCTION modseq_internal.hold_tables IS
	'Locks the tables of a store against ALTER TABLE and attach() until the transaction ends.';

-- Readers go on, unless a table must change: adding a column, changing a default and dropping a trigger need ACCESS
-- EXCLUSIVE.
CREATE FUNCTION modseq_internal.lock_tables(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := array_remove(array_remove(
		ARRAY[store.message, store.mailbox_source, store.mailbox, store.flag, store.counters, store.account_table],
		NULL), 0);
	must_change CONSTANT boolean :=
		EXISTS (SELECT FROM missing_columns(store))
		OR has_default(store.message, store.message_uid)
		OR counter_table(store) <> 0 AND NOT has_default(counter_table(store), store.mailbox_uidvalidity)
		OR EXISTS (SELECT FROM not_null_while_attached(store) WHERE NOT is_not_null)
		OR EXISTS (SELECT FROM rules_to_disable(ARRAY[store.message, counter_table(store)]))
		OR EXISTS (SELECT FROM our_triggers(ARRAY(SELECT with_partitions(VARIADIC tables))));
	relation regclass;
BEGIN
	FOREACH relation IN ARRAY tables LOOP
		EXECUTE format('LOCK TABLE %s IN %s MODE', qualified_name(relation),
			CASE WHEN must_change AND NOT stays_as_it_is(store, relation)
				AND NOT (store.counters IS NOT NULL AND relation = store.mailbox AND NOT EXISTS (
					SELECT FROM our_triggers(ARRAY(SELECT with_partitions(relation)))))
				THEN 'ACCESS EXCLUSIVE' ELSE 'SHARE ROW EXCLUSIVE' END);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.lock_tables IS
	'Locks the tables of a store against writers until the transaction ends.';

CREATE FUNCTION modseq_internal.add_columns(store modseq_internal.store) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	c record;
	before text;
	added text[] := '{}'::text[];
BEGIN
	FOR c IN SELECT * FROM missing_columns(store) LOOP
		EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', qualified_name(c.relation), c.attribute, c.definition);
		PERFORM comment_on_column(c.relation, c.attribute, added_mark());
		RAISE NOTICE 'added column "%" to table %', c.attribute, qualified_name(c.relation);
		added := added || c.option;
	END LOOP;

	-- A default would come before the trigger, which assigns UIDs where there is none
	SELECT pg_get_expr(d.adbin, d.adrelid) INTO before
	FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
	WHERE d.adrelid = store.message AND a.attname = store.message_uid;
	IF FOUND THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', qualified_name(store.message), store.message_uid);
		RAISE NOTICE 'dropped the default % of column "%" of table %: UIDs are assigned where none is given',
			before, store.message_uid, qualified_name(store.message);
	END IF;

	-- Mailboxes that the application makes without one need a UIDVALIDITY
	IF NOT has_default(counter_table(store), store.mailbox_uidvalidity) THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT modseq.next_uidvalidity()',
			qualified_name(counter_table(store)), store.mailbox_uidvalidity);
		PERFORM mark_default(counter_table(store), store.mailbox_uidvalidity);
		RAISE NOTICE 'column "%" of table % has modseq.next_uidvalidity() as its default now',
			store.mailbox_uidvalidity, qualified_name(counter_table(store));
	END IF;
	IF column_type(counter_table(store), store.mailbox_uidvalidity) = 'integer'::regtype THEN
		RAISE WARNING 'column "%" of table % is an integer, too small for a UIDVALIDITY from 2038 on',
			store.mailbox_uidvalidity, qualified_name(store.mailbox) USING
			DETAIL = 'modseq.next_uidvalidity() is not below the clock, in seconds since 1970.',
			HINT = format('Use ALTER TABLE %s ALTER COLUMN %I TYPE bigint.',
				qualified_name(store.mailbox), store.mailbox_uidvalidity);
	END IF;
	RETURN added;
END
$$;
COMMENT ON FUNCTION modseq_internal.add_columns IS
	'Adds the columns that are missing and returns the options that name them.';

CREATE FUNCTION modseq_internal.create_indexes(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	i record;
	duplicate text;
BEGIN
	FOR i IN SELECT * FROM wanted_indexes(store) LOOP
		CONTINUE WHEN has_index(i.relation, i.columns, i.is_unique, i.is_sorted);
		PERFORM create_index(i.relation, i.columns, i.is_unique);
	END LOOP;
	IF NOT may_be_unique(store.message, store.message_mailbox || store.message_uid) THEN
		PERFORM refuse_duplicates(store);
	END IF;
EXCEPTION WHEN unique_violation THEN
	GET STACKED DIAGNOSTICS duplicate = PG_EXCEPTION_DETAIL;
	RAISE 'table % has two messages with one UID', qualified_name(store.message) USING
		ERRCODE = 'unique_violation',
		DETAIL = duplicate,
		HINT = 'Set one of them to null, and modseq.attach() assigns another one.';
END
$$;
COMMENT ON FUNCTION modseq_internal.create_indexes IS
	'Creates the indexes that are missing. Error 23505 if two messages have one UID.';

CREATE FUNCTION modseq_internal.create_triggers(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM wanted_triggers(store) w WHERE NOT cloned AND NOT stays_as_it_is(store, w.relation) LOOP
		EXECUTE format('CREATE TRIGGER %I %s %s ON %s FOR EACH %s EXECUTE FUNCTION modseq.%I(%s)',
			t.name, t.timing, t.events, qualified_name(t.relation), t.level, t.function,
			(SELECT string_agg(quote_literal(a), ', ' ORDER BY place)
				FROM unnest(t.arguments) WITH ORDINALITY AS u (a, place)));
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.create_triggers IS
	'Creates the triggers of a store.';

CREATE FUNCTION modseq_internal.notice_flags(store modseq_internal.store, named boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	unused text;
	untold regclass;
	expunged name;
BEGIN
	IF cardinality(store.message_flags) > 0 THEN
		RAISE NOTICE 'flag columns: %', array_to_string(store.message_flags, ', ');
	ELSIF store.message_flags IS NULL AND store.flag IS NULL THEN
		RAISE WARNING 'no flags are tracked' USING
			HINT = 'Name the flag columns of the message table with message_flags, or give a flag table.';
	END IF;
	-- A store keeps its flag columns, and nothing else would tell of one that has come since
	IF NOT named THEN
		SELECT string_agg(f, ', ' ORDER BY place) INTO unused
		FROM unnest(usual_flags(store.message)) WITH ORDINALITY AS u (f, place)
		WHERE f <> ALL (store.message_flags || store.message_mailbox || store.message_uid || store.message_modseq)
			AND f IS DISTINCT FROM store.message_expunged;
		IF unused IS NOT NULL THEN
			RAISE NOTICE 'no flag columns, though they look like it: %', unused USING
				HINT = 'Name all flag columns with message_flags, or have them found anew by reset => ''{message_flags}''.';
		END IF;
	END IF;
	FOREACH untold IN ARRAY usual_flag_tables(store.message) LOOP
		CONTINUE WHEN untold = store.flag;
		RAISE WARNING 'table % looks like a flag table, and is not used as one', qualified_name(untold) USING
			DETAIL = 'Clients are not told of changes in it.',
			HINT = CASE WHEN store.flag IS NULL
				THEN format('If it is one, give flag => %L.', qualified_name(untold))
				ELSE 'If it is one, keep what it says in a column of the message table as well, and name that with'
					' message_flags: a store has one flag table.' END;
	END LOOP;
	IF store.message_expunged IS NULL THEN
		FOREACH expunged IN ARRAY usual_soft_deletes(store.message) LOOP
			IF expunged = ANY (store.message_flags) IS NOT TRUE THEN
				RAISE WARNING 'column "%" of table % looks like a soft delete, and is not used as one',
					expunged, qualified_name(store.message) USING
					HINT = format('If it is one, give message_expunged => %L.', expunged);
			ELSIF plain_name(expunged) <> 'deleted' THEN
				RAISE NOTICE 'column "%" of table % is taken for a flag, not for a soft delete',
					expunged, qualified_name(store.message) USING
					HINT = format('If it is a soft delete, give message_expunged => %L.', expunged);
			END IF;
		END LOOP;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_flags IS
	'Says which flag columns are tracked, and which columns and tables may be flags, or a soft delete, that nobody has named.';

-- Options may be given that the application's own keys speak against; only it can know which are right
CREATE FUNCTION modseq_internal.warn_keys(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	named record;
	part record;
BEGIN
	SELECT array_to_string(f.columns, ', ') AS columns, array_to_string(f.referenced, ', ') AS key INTO named
	FROM foreign_keys(store.flag, store.message) f
	WHERE f.columns && store.flag_message AND store.message_uid <> ALL (f.referenced)
		AND NOT EXISTS (
			SELECT FROM foreign_keys(store.flag, store.message) g
			WHERE NOT EXISTS (
				SELECT FROM unnest(g.columns, g.referenced) AS u (name, key)
				WHERE (name, key) NOT IN (SELECT * FROM unnest(store.flag_message, store.message_key))))
	LIMIT 1;
	IF FOUND THEN
		RAISE WARNING 'rows of table % do not name messages as their foreign key does', qualified_name(store.flag) USING
			DETAIL = format('Columns (%s) go with columns (%s) of table %s, in the foreign key (%s) with (%s).',
				array_to_string(store.flag_message, ', '), array_to_string(store.message_key, ', '),
				qualified_name(store.message), named.columns, named.key),
			HINT = format('To go by the foreign key, use modseq.attach(%L, reset => ''{flag_message,message_key}'').',
				qualified_name(store.message));
	END IF;

	-- Not where these columns tell mailboxes apart
	SELECT array_to_string(i.columns, ', ') AS columns,
		array_to_string(array_remove(i.columns, store.message_uid), ', ') AS mailbox INTO part
	FROM usable_indexes(store.message) i
	CROSS JOIN LATERAL (
		SELECT array_agg(key)
		FROM unnest(store.mailbox_key, store.message_mailbox) AS u (key, name)
		WHERE name = ANY (i.columns)) AS k (key)
	WHERE i.is_unique AND store.message_uid = ANY (i.columns)
		AND i.columns <@ (store.message_mailbox || store.message_uid) AND NOT i.columns @> store.message_mailbox
		AND NOT EXISTS (
			SELECT FROM usable_indexes(store.mailbox) b
			WHERE b.is_unique AND b.columns <@ k.key)
	LIMIT 1;
	IF FOUND THEN
		RAISE WARNING 'table % has a unique index on (%)', qualified_name(store.message), part.columns USING
			DETAIL = format('UIDs are unique only within a mailbox. Where several mailboxes have the same (%s), messages '
				'will be refused.', part.mailbox),
			HINT = 'Name another column with message_uid, which is added if it does not exist; or drop that index.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.warn_keys IS
	'Warns of flags that do not name their messages as a foreign key does, and of a unique index on the UID and a part '
	'of the mailbox key.';

CREATE FUNCTION modseq_internal.attach(
	message regclass,
	mailbox regclass,
	flag regclass,
	mailbox_key name[],
	mailbox_uidvalidity name,
	mailbox_uidnext name,
	mailbox_last_uid name,
	mailbox_highestmodseq name,
	mailbox_source regclass,
	mailbox_source_key name[],
	counters text,
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
	account name[],
	email name,
	thread name,
	mailbox_properties name[],
	changes text,
	notify boolean,
	vanished_keep interval,
	mailbox_messages name,
	mailbox_size name,
	mailbox_unseen name,
	mailbox_deleted name,
	message_size name,
	message_seen name,
	message_seen_flag text,
	message_deleted name,
	message_deleted_flag text,
	reset name[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	before modseq_internal.store;
	replaced modseq_internal.store;
	store modseq_internal.store;
	added text[];
	undo text[];
	new_store boolean;
	same_accounts boolean;
	c record;
BEGIN
	-- A snapshot that is older than our locks would miss messages
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE 'modseq.attach() needs transaction isolation level READ COMMITTED' USING
			ERRCODE = 'invalid_transaction_state',
			HINT = 'Call it in a transaction of its own.';
	END IF;
	PERFORM allow_distributed(message);
	PERFORM hold_message(message);
	before := find_before(message);
	store := (message, mailbox, flag, before.vanished, NULL,
		mailbox_key, mailbox_uidvalidity, mailbox_uidnext, mailbox_last_uid, mailbox_highestmodseq,
		mailbox_source, mailbox_source_key,
		message_mailbox, message_uid, message_modseq, message_created_modseq,
		message_flags, message_expunged, message_key,
		flag_message, flag_mailbox, flag_uid, flag_columns, changes, notify,
		account, before.account_table, before.departed, email, thread, mailbox_properties, vanished_keep, before.uidvalidities,
		mailbox_messages, mailbox_size, mailbox_unseen, mailbox_deleted,
		message_size, message_seen, message_seen_flag, message_deleted, message_deleted_flag);
	replaced := before;
	before := reset_options(before, store, reset);
	store := keep_tables(store, before, reset);
	PERFORM refuse_options(store);
	PERFORM refuse_tables(store);
	PERFORM refuse_reader(store, ARRAY[store.message, store.mailbox, store.mailbox_source], 'modseq.attach()');
	PERFORM hold_tables(store);
	store := place_counters(store, before, counters);
	PERFORM follow_owner(store, store.vanished);
	PERFORM follow_owner(store, store.counters);
	PERFORM follow_owner(store, store.account_table);
	PERFORM follow_owner(store, store.departed);
	PERFORM follow_owner(store, store.uidvalidities);
	store := keep_options(store, before);

	-- What must be locked depends on what is there, and that may change while we wait for it: once more then
	PERFORM lock_tables(infer(store));
	PERFORM refuse_tables(store);
	store := infer(store);
	PERFORM refuse_distribution(store);

	same_accounts := store.account IS NOT NULL AND keeps_accounts(store, replaced);
	-- Our triggers must not see what follows
	PERFORM drop_triggers(ARRAY(
		SELECT relation
		FROM unnest(ARRAY[message, store.mailbox, store.mailbox_source, store.flag, store.counters,
			replaced.mailbox, replaced.mailbox_source, replaced.flag, replaced.counters, replaced.account_table])
			AS u (relation)
		WHERE relation IS NOT NULL AND NOT stays_as_it_is(store, relation)));
	IF before.mailbox = store.mailbox THEN
		PERFORM follow_mailbox_key(before.vanished, trim_array(primary_key(before.vanished), 1), store);
		PERFORM follow_mailbox_key(before.counters, primary_key(before.counters), store);
		PERFORM follow_account(before, store);
	END IF;
	IF store.counters IS NOT NULL THEN
		store.counters := coalesce(find_counters(store), create_counters(store));
		PERFORM drop_triggers(ARRAY[store.counters]);
	END IF;
	added := add_columns(store);
	store.vanished := find_vanished(store);
	new_store := store.vanished IS NULL;
	IF new_store THEN
		store.vanished := create_vanished(store);
	END IF;
	PERFORM place_changes(store);
	store := make_accounts(store, replaced);
	same_accounts := same_accounts AND store.account_table IS NOT DISTINCT FROM replaced.account_table
		AND store.departed IS NOT DISTINCT FROM replaced.departed;
	store.uidvalidities := make_uidvalidities(store);
	IF is_distributed(message) THEN
		store := distribute_tables(store);
	ELSE
		IF add_mailboxes(store) THEN
			same_accounts := false;
		END IF;
		PERFORM refuse_messages(store);
	END IF;
	undo := disable_triggers(array_remove(
		ARRAY[store.message, counter_table(store), store.vanished, store.account_table, store.departed], NULL));
	IF is_distributed(message) THEN
		PERFORM adopt_shards(store, replaced, added, new_store, same_accounts);
	ELSE
		PERFORM move_counters(store, before);
		PERFORM adopt_rows(store, replaced, added, new_store, same_accounts);
	END IF;
	PERFORM run(undo);
	PERFORM create_indexes(store);
	FOR c IN SELECT * FROM not_null_while_attached(store) WHERE NOT is_not_null LOOP
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', qualified_name(c.relation), c.attribute);
	END LOOP;
	PERFORM create_triggers(store);
	PERFORM notice_flags(store, named => message_flags IS NOT NULL);
	PERFORM notice_index(store);
	PERFORM warn_keys(store);
END
$$;
COMMENT ON FUNCTION modseq_internal.attach IS
	'What modseq.attach() does, as the owner of the message table.';

CREATE FUNCTION modseq.attach(
	message regclass,
	mailbox regclass DEFAULT NULL,
	flag regclass DEFAULT NULL,
	mailbox_key name[] DEFAULT NULL,
	mailbox_uidvalidity name DEFAULT NULL,
	mailbox_uidnext name DEFAULT NULL,
	mailbox_last_uid name DEFAULT NULL,
	mailbox_highestmodseq name DEFAULT NULL,
	mailbox_source regclass DEFAULT NULL,
	mailbox_source_key name[] DEFAULT NULL,
	counters text DEFAULT NULL,
	message_mailbox name[] DEFAULT NULL,
	message_uid name DEFAULT NULL,
	message_modseq name DEFAULT NULL,
	message_created_modseq name DEFAULT NULL,
	message_flags name[] DEFAULT NULL,
	message_expunged name DEFAULT NULL,
	message_key name[] DEFAULT NULL,
	flag_message name[] DEFAULT NULL,
	flag_mailbox name[] DEFAULT NULL,
	flag_uid name DEFAULT NULL,
	flag_columns name[] DEFAULT NULL,
	account name[] DEFAULT NULL,
	email name DEFAULT NULL,
	thread name DEFAULT NULL,
	mailbox_properties name[] DEFAULT NULL,
	changes text DEFAULT NULL,
	notify boolean DEFAULT NULL,
	vanished_keep interval DEFAULT NULL,
	mailbox_messages name DEFAULT NULL,
	mailbox_size name DEFAULT NULL,
	mailbox_unseen name DEFAULT NULL,
	mailbox_deleted name DEFAULT NULL,
	message_size name DEFAULT NULL,
	message_seen name DEFAULT NULL,
	message_seen_flag text DEFAULT NULL,
	message_deleted name DEFAULT NULL,
	message_deleted_flag text DEFAULT NULL,
	reset name[] DEFAULT NULL)
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_attach';
COMMENT ON FUNCTION modseq.attach IS
	'Makes a store of a message table, a mailbox table and, if given, a flag table: adds the columns, indexes, '
	'triggers, the table of counters and that of vanished UIDs that are missing, assigns UIDs (1 to 4294967295) '
	'to messages that have null or 0, and raises UIDNEXT and HIGHESTMODSEQ (from 1) over all that is there; '
	'triggers and rules of these tables are disabled meanwhile. Columns and indexes that it adds have a comment '
	'that says so. The options name columns; those left out are found by primary key, foreign key and usual name. '
	'message_expunged: a message is expunged where this column is not null, not false and not 0. counters: '
	'beside, for a table <message>_mailbox that is added, or mailbox, for columns of the mailbox table; without '
	'it they stay where they are, and for a new store they are in the mailbox table if that has a column for one '
	'of them. mailbox_source: the table whose rows, added, renamed or removed, are rows of the mailbox table too, '
	'which has the counters beside it; its key is mailbox_source_key. account: columns of the mailbox table; the mailboxes '
	'of an account, or of the store if it is {}, share one counter, and tables <message>_account and <message>_departed '
	'are added; email and thread tell Emails and Threads apart in the message table, and mailbox_properties are the '
	'columns of the mailbox table that are more than counts. '
	'changes: index, the default, for an index on the '
	'mailbox and the mod-sequence; or log, for a column of the vanished table that says which messages changed, so '
	'that no index needs to be written when flags change. notify: send a notification on channel '
	'modseq at commit, one for each mailbox whose HIGHESTMODSEQ was raised, and for each key that a mailbox lost (not '
	'from prepared transactions). vanished_keep: vanished rows fold into one, as by modseq.compact(), when they are older '
	'than that, 30 days if it is not given, as others are written; never by themselves if it is 1000 years or more. '
	'mailbox_messages, mailbox_size, mailbox_unseen, mailbox_deleted: columns beside the '
	'counters, added if they are missing, for how many messages are live, their octets by message_size, and how many are '
	'not seen, or deleted, by message_seen and message_deleted; message_seen_flag and message_deleted_flag: the name of '
	'the flag in an array or jsonb, a bit of a number, or false for a boolean that says the reverse. Of a '
	'store that is attached already it repairs what is missing, and follows a new owner of the message table; '
	'tables and options that are not given keep their values, but for those that reset names. Locks the tables '
	'against writers until the transaction ends (SHARE ROW EXCLUSIVE; ACCESS EXCLUSIVE where a column, default, '
	'trigger or rule must change), waiting for transactions that have written to them: set lock_timeout, and '
	'repeat it after 40P01. For the owner of the tables. Errors, and nothing is changed: 22004 and 22023 for '
	'options that contradict each other, 42809 and 0A000 for tables and columns that cannot be served, 42701, '
	'42703, 42804, 42883 and 42P21 for columns that do not exist or do not fit, 42830 and 54011 for a mailbox key '
	'that is none, 42P16 for a unique index in the way, 42P07 for another table that is called as one of ours, 42P01 for a table of the store that is gone, 55006 for a table of another store, 22003, '
	'23502, 23503 and 23505 for messages that have no valid mailbox or UID, 42501 without ownership or where '
	'row-level security hides rows, 25000 in another isolation level than READ COMMITTED.';
