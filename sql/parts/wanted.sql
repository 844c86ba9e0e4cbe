/*
 * What a store consists of: attach() makes it so, check() verifies it.
 */

CREATE FUNCTION modseq_internal.accounts_column(store modseq_internal.store, name name) RETURNS name
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name WHERE store.account IS NOT NULL AND store.counters IS NULL
$$;
COMMENT ON FUNCTION modseq_internal.accounts_column IS
	'The name of a column that the mailbox table has of us if it has the counters, and the store accounts; else NULL.';

CREATE FUNCTION modseq_internal.wanted_columns(store modseq_internal.store)
RETURNS TABLE (option text, relation regclass, attribute name, types regtype[], definition text)
LANGUAGE sql STABLE ROWS 20 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.option, c.relation, attribute, c.types::regtype[], c.definition
	FROM (VALUES
		('mailbox_key', store.mailbox, store.mailbox_key, NULL, NULL),
		('mailbox_uidvalidity', counter_table(store), ARRAY[store.mailbox_uidvalidity], '{integer,bigint}',
			'bigint NOT NULL DEFAULT modseq.next_uidvalidity()'),
		('mailbox_uidnext', counter_table(store), ARRAY[store.mailbox_uidnext], '{integer,bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('mailbox_last_uid', counter_table(store), ARRAY[store.mailbox_last_uid], '{integer,bigint}',
			'bigint NOT NULL DEFAULT 0'),
		('mailbox_highestmodseq', counter_table(store), ARRAY[store.mailbox_highestmodseq], '{bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('mailbox_source_key', store.mailbox_source, store.mailbox_source_key, NULL, NULL),
		('message_mailbox', store.message, store.message_mailbox, NULL, NULL),
		-- NOT NULL once the messages that exist are numbered
		('message_uid', store.message, ARRAY[store.message_uid], '{integer,bigint}',
			'bigint'),
		('message_modseq', store.message, ARRAY[store.message_modseq], '{bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('message_created_modseq', store.message, ARRAY[store.message_created_modseq], '{bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('message_flags', store.message, store.message_flags, NULL, NULL),
		('message_expunged', store.message, ARRAY[store.message_expunged],
			'{boolean,smallint,integer,bigint,date,timestamp,timestamptz}', NULL),
		('message_key', store.message, store.message_key, NULL, NULL),
		('flag_message', store.flag, store.flag_message, NULL, NULL),
		('flag_mailbox', store.flag, store.flag_mailbox, NULL, NULL),
		('flag_uid', store.flag, ARRAY[store.flag_uid], '{integer,bigint}', NULL),
		('flag_columns', store.flag, store.flag_columns, NULL, NULL),
		('account', store.mailbox, store.account, NULL, NULL),
		('created_modseq', store.mailbox, ARRAY[accounts_column(store, 'created_modseq')], '{bigint}', 'bigint'),
		('properties_modseq', store.mailbox, ARRAY[accounts_column(store, 'properties_modseq')], '{bigint}', 'bigint'),
		('email', store.message, ARRAY[store.email], NULL, NULL),
		('thread', store.message, ARRAY[store.thread], NULL, NULL),
		('mailbox_properties', store.mailbox, store.mailbox_properties, NULL, NULL),
		('mailbox_messages', counter_table(store), ARRAY[store.mailbox_messages], '{integer,bigint}', 'bigint NOT NULL DEFAULT 0'),
		('mailbox_size', counter_table(store), ARRAY[store.mailbox_size], '{integer,bigint}', 'bigint NOT NULL DEFAULT 0'),
		('mailbox_unseen', counter_table(store), ARRAY[store.mailbox_unseen], '{integer,bigint}', 'bigint NOT NULL DEFAULT 0'),
		('mailbox_deleted', counter_table(store), ARRAY[store.mailbox_deleted], '{integer,bigint}', 'bigint NOT NULL DEFAULT 0'),
		('message_size', store.message, ARRAY[store.message_size], '{smallint,integer,bigint}', NULL),
		('message_seen', store.message, ARRAY[store.message_seen], '{boolean,smallint,integer,bigint,text[],varchar[],jsonb}', NULL),
		('message_deleted', store.message, ARRAY[store.message_deleted], '{boolean,smallint,integer,bigint,text[],varchar[],jsonb}', NULL))
		AS c (option, relation, attributes, types, definition),
		unnest(c.attributes) AS attribute
	WHERE attribute IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.wanted_columns IS
	'The columns of a store, the types that each may have, and how those that may be added are defined.';

CREATE FUNCTION modseq_internal.missing_columns(store modseq_internal.store)
RETURNS TABLE (option text, relation regclass, attribute name, definition text)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT option, relation, attribute, definition
	FROM wanted_columns(store)
	WHERE definition IS NOT NULL AND column_type(relation, attribute) IS NULL AND relation <> 0
$$;
COMMENT ON FUNCTION modseq_internal.missing_columns IS
	'The columns that attach() is to add to the tables of a store.';

-- Mailbox and UID must be unique; where the partitioning allows no index to say so, they are because UIDs are given
-- out under the mailbox's lock.
CREATE FUNCTION modseq_internal.wanted_indexes(store modseq_internal.store)
RETURNS TABLE (relation regclass, columns name[], is_unique boolean, is_sorted boolean)
LANGUAGE sql STABLE ROWS 5 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT *
	FROM (VALUES
		(store.mailbox, store.mailbox_key, true, false),
		(store.message, store.message_mailbox || store.message_uid,
			may_be_unique(store.message, store.message_mailbox || store.message_uid), true),
		(CASE WHEN store.changes <> 'log' THEN store.message END, store.message_mailbox || store.message_modseq, false, true),
		(store.message, store.message_key, false, false),
		(store.flag, store.flag_message, false, false),
		(store.flag, store.flag_mailbox || store.flag_uid, false, true),
		(store.message, ARRAY[store.email], false, false),
		(store.message, ARRAY[store.thread], false, false),
		(counter_table(store), CASE WHEN store.account IS NOT NULL THEN store.account || store.mailbox_highestmodseq END, false, true),
		(store.departed, CASE WHEN store.account IS NOT NULL THEN store.account || 'modseq'::name END, false, true)) AS i (relation, columns, is_unique, is_sorted)
	WHERE columns[1] IS NOT NULL AND relation IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.wanted_indexes IS
	'The indexes of a store: by what our queries look for, and whether they read it in the order of the last column.';

CREATE FUNCTION modseq_internal.makes_mailboxes(store modseq_internal.store, is_source boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE
		WHEN store.account IS NOT NULL AND is_source = (source_table(store) IS NOT NULL) THEN 'INSERT OR '
		WHEN NOT is_source THEN '' END
$$;
COMMENT ON FUNCTION modseq_internal.makes_mailboxes IS
	'The event that a statement trigger has besides UPDATE and DELETE, so that a statement that makes mailboxes takes one '
	'value of their account: on the table of the counters, or on its source, where NULL means that there is no trigger.';

-- A name decides when its trigger fires among others of its kind: zz_ after all that may still change the row; AA_
-- before the foreign keys' RI_ConstraintTrigger, so that the change of a mailbox's key is known before ON UPDATE
-- CASCADE brings it to the messages.
--
-- Citus leaves out those at shards that TRUNCATE fires, too.
--
-- Partitions have them all: PostgreSQL clones those FOR EACH ROW, and the others must be created there, too.
CREATE FUNCTION modseq_internal.wanted_triggers(store modseq_internal.store)
RETURNS TABLE (
	relation regclass, name name, timing text, events text, level text, function name, arguments text[], cloned boolean)
LANGUAGE sql STABLE ROWS 20 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT p.relation, t.name, timing, events, level, function,
		CASE WHEN function = 'trigger_assign' THEN options_of_store(store)
				WHEN t.relation <> store.message THEN ARRAY[qualified_name(store.message)]
				ELSE '{}' END,
		p.relation <> t.relation AND level = 'ROW'
	FROM (VALUES
		(store.message, 'modseq_open', 'BEFORE', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_open'),
		(store.message, 'zz_modseq_assign', 'BEFORE', 'INSERT OR UPDATE', 'ROW', 'trigger_assign'),
		(store.message, 'modseq_collect', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_collect'),
		(store.message, 'modseq_flush', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_flush'),
		(store.message, 'modseq_truncate', 'BEFORE', 'TRUNCATE', 'STATEMENT', 'trigger_truncate'),
		(store.message, 'modseq_truncated', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_flush'),
		(store.flag, 'modseq_open', 'BEFORE', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_open'),
		(store.flag, 'modseq_collect', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_collect_flag'),
		(store.flag, 'modseq_flush', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_flush'),
		(store.flag, 'modseq_truncate', 'BEFORE', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_flag'),
		(store.flag, 'modseq_truncated', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_flush'),
		(counter_table(store), 'AA_modseq_mailbox', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_mailbox'),
		(counter_table(store), 'modseq_open', 'BEFORE', makes_mailboxes(store, false) || 'UPDATE OR DELETE'
			|| CASE WHEN is_distributed(store.message) THEN '' ELSE ' OR TRUNCATE' END,
			'STATEMENT', 'trigger_open'),
		(counter_table(store), 'modseq_flush', 'AFTER', makes_mailboxes(store, false) || 'UPDATE OR DELETE',
			'STATEMENT', 'trigger_flush'),
		(counter_table(store), 'AA_modseq_truncate', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_mailbox'),
		(store.account_table, 'modseq_account', 'AFTER', 'UPDATE OR DELETE', 'ROW', 'trigger_account'),
		(store.account_table, 'modseq_truncate', 'BEFORE', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_account'),
		(source_table(store), 'AA_modseq_source', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_source'),
		(source_table(store), 'modseq_open', 'BEFORE', makes_mailboxes(store, true) || 'UPDATE OR DELETE',
			'STATEMENT', 'trigger_open'),
		(source_table(store), 'modseq_flush', 'AFTER', makes_mailboxes(store, true) || 'UPDATE OR DELETE',
			'STATEMENT', 'trigger_flush'),
		(source_table(store), 'AA_modseq_truncate', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_source'))
		AS t (relation, name, timing, events, level, function)
	CROSS JOIN LATERAL with_partitions(t.relation) AS p (relation)
	WHERE events IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.wanted_triggers IS
	'The triggers of a store, and the arguments that each has.';

CREATE FUNCTION modseq_internal.unsound_triggers(store modseq_internal.store)
RETURNS TABLE (relation regclass, name name, problem text, is_misnamed boolean)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT w.relation, w.name,
		CASE WHEN t.oid IS NULL THEN 'is missing'
				WHEN t.tgenabled IN ('D', 'R') THEN 'is disabled'
				ELSE 'is not as modseq.attach() creates it' END,
		NOT coalesce(is_another, true)
	FROM wanted_triggers(store) WITH ORDINALITY
		AS w (relation, name, timing, events, level, function, arguments, cloned, place)
	LEFT JOIN pg_trigger t ON t.tgrelid = w.relation AND t.tgname = w.name
	CROSS JOIN LATERAL (
		SELECT t.tgenabled IN ('D', 'R')
			OR t.tgfoid IS DISTINCT FROM to_regproc('modseq.' || w.function)
			OR t.tgqual IS NOT NULL OR cardinality(t.tgattr::int2[]) > 0
			OR t.tgtype <>
				CASE w.level WHEN 'ROW' THEN 1 ELSE 0 END + CASE w.timing WHEN 'BEFORE' THEN 2 ELSE 0 END
				+ CASE WHEN w.events ~ 'INSERT' THEN 4 ELSE 0 END + CASE WHEN w.events ~ 'DELETE' THEN 8 ELSE 0 END
				+ CASE WHEN w.events ~ 'UPDATE' THEN 16 ELSE 0 END + CASE WHEN w.events ~ 'TRUNCATE' THEN 32 ELSE 0 END)
		AS o (is_another)
	WHERE t.oid IS NULL OR is_another
		-- The store is what the arguments of trigger_assign() say
		OR trigger_options(t.oid) <> w.arguments AND w.function <> 'trigger_assign'
	ORDER BY place
$$;
COMMENT ON FUNCTION modseq_internal.unsound_triggers IS
	'The triggers of a store that are missing, disabled or changed; or that are as they should be, but for the name of the '
	'message table. They fail then, so that nothing goes unseen.';

-- Where the counters are beside it, attach() has nothing to change in the mailbox table but our triggers; and these only
-- if they are not as they should be, since a reader would wait for DROP TRIGGER
CREATE FUNCTION modseq_internal.stays_as_it_is(store modseq_internal.store, relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH part AS (
		SELECT p.oid FROM with_partitions(store.mailbox) AS p (oid))
	SELECT store.counters IS NOT NULL AND relation IN (SELECT oid FROM part)
		AND (SELECT count(*) FROM our_triggers(ARRAY(SELECT oid FROM part)))
			= (SELECT count(*) FROM wanted_triggers(store) w JOIN part ON part.oid = w.relation WHERE NOT w.cloned)
		AND NOT EXISTS (SELECT FROM unsound_triggers(store) u JOIN part ON part.oid = u.relation)
$$;
COMMENT ON FUNCTION modseq_internal.stays_as_it_is IS
	'Is that the mailbox table of a store whose counters are beside it, or a partition, and are its triggers all there and '
	'sound?';

CREATE FUNCTION modseq_internal.options_of_store(store modseq_internal.store) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_remove(ARRAY[
		'mailbox=' || qualified_name(store.mailbox),
		'vanished=' || qualified_name(store.vanished),
		'counters=' || qualified_name(store.counters),
		'flag=' || qualified_name(store.flag),
		'mailbox_key=' || store.mailbox_key::text,
		'mailbox_uidvalidity=' || store.mailbox_uidvalidity,
		'mailbox_uidnext=' || store.mailbox_uidnext,
		'mailbox_last_uid=' || store.mailbox_last_uid,
		'mailbox_highestmodseq=' || store.mailbox_highestmodseq,
		'mailbox_source=' || qualified_name(store.mailbox_source),
		'mailbox_source_key=' || store.mailbox_source_key::text,
		'message_mailbox=' || store.message_mailbox::text,
		'message_uid=' || store.message_uid,
		'message_modseq=' || store.message_modseq,
		'message_created_modseq=' || store.message_created_modseq,
		'message_flags=' || store.message_flags::text,
		'message_expunged=' || store.message_expunged,
		'message_key=' || store.message_key::text,
		'flag_message=' || store.flag_message::text,
		'flag_mailbox=' || store.flag_mailbox::text,
		'flag_uid=' || store.flag_uid,
		'flag_columns=' || store.flag_columns::text,
		CASE WHEN store.changes = 'log' THEN 'changes=log' END,
		CASE WHEN store.notify THEN 'notify=true' END,
		'account=' || store.account::text,
		'account_table=' || qualified_name(store.account_table),
		'departed=' || qualified_name(store.departed),
		'email=' || store.email,
		'thread=' || store.thread,
		'mailbox_properties=' || store.mailbox_properties::text,
		'vanished_keep=' || interval_as_seconds(store.vanished_keep),
		'uidvalidities=' || qualified_name(store.uidvalidities),
		'mailbox_messages=' || store.mailbox_messages,
		'mailbox_size=' || store.mailbox_size,
		'mailbox_unseen=' || store.mailbox_unseen,
		'mailbox_deleted=' || store.mailbox_deleted,
		'message_size=' || store.message_size,
		'message_seen=' || store.message_seen,
		'message_seen_flag=' || store.message_seen_flag,
		'message_deleted=' || store.message_deleted,
		'message_deleted_flag=' || store.message_deleted_flag], NULL)
$$;
COMMENT ON FUNCTION modseq_internal.options_of_store IS
	'The arguments of zz_modseq_assign: names, never OIDs, so that a dump or a shard carries them along.';
