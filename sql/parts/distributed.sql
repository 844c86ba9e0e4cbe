/*
 * What is done shard by shard, or at one, of stores that Citus distributes:
 * check(), compact() and reset_uidvalidity(). What takes a mailbox and is
 * written in C goes to its shard by itself (src/function/distributed.c).
 *
 * Citus hides shards from queries on pg_class, also from ours, unless it is told
 * not to.
 */

CREATE FUNCTION modseq_internal.shard_of_key(store modseq_internal.store, key text[], OUT shard bigint, OUT sample text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	dist CONSTANT name := distribution_column(store.mailbox);
BEGIN
	IF dist IS NULL THEN
		SELECT s.shard INTO shard FROM shards_of(store) AS s;
	ELSE
		sample := key[array_position(store.mailbox_key, dist)];
		EXECUTE format('SELECT get_shard_id_for_distribution_column($1, %L::%s)', sample, column_type(store.mailbox, dist))
			INTO shard USING store.message;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.shard_of_key IS
	'The shard of the message table that a mailbox is in, and the value that leads to it.';

-- Of the triggers as Citus calls them only that they are there and fire: their names and arguments are the whole table's
CREATE FUNCTION modseq_internal.triggers_of_shard(store modseq_internal.store, shard bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT jsonb_agg(jsonb_build_array(shard_name(shard, relation), name, function))
	FROM wanted_triggers(store)
	WHERE events <> 'TRUNCATE' AND NOT cloned
$$;
COMMENT ON FUNCTION modseq_internal.triggers_of_shard IS
	'The triggers that a shard must have: the name of its table, what the trigger is called there, and its function.';

CREATE FUNCTION modseq_internal.check_shard(message regclass, key text[], triggers jsonb)
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off SET citus.override_table_visibility = off AS $$
DECLARE
	s modseq_internal.store;
BEGIN
	FOR problem IN
		SELECT format('trigger "%s" on table %s is missing or disabled', w.value ->> 1, w.value ->> 0)
		FROM jsonb_array_elements(triggers) AS w
		WHERE NOT EXISTS (
			SELECT FROM pg_trigger t
			WHERE t.tgrelid = table_named(w.value ->> 0) AND t.tgenabled NOT IN ('D', 'R')
				AND t.tgfoid = to_regproc('modseq.' || (w.value ->> 2)))
	LOOP
		RETURN NEXT;
	END LOOP;
	SELECT * INTO s FROM store_of(message);
	IF FOUND THEN
		RETURN QUERY SELECT * FROM check_mailbox(s, key);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_shard IS
	'What modseq.check() says of one shard.';

CREATE FUNCTION modseq_internal.check_shards(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
BEGIN
	FOR s IN
		SELECT * FROM shards_of(store) WHERE key IS NULL
		UNION ALL
		SELECT * FROM shard_of_key(store, key) WHERE key IS NOT NULL
	LOOP
		RETURN QUERY EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.check_shard(%s, %L, %L)',
			shard_argument(store.message, s.shard), key, triggers_of_shard(store, s.shard)));
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_shards IS
	'What modseq.check() says of all shards, or of that of one mailbox.';

CREATE FUNCTION modseq_internal.compact_shard(message regclass, older_than interval, changes_older_than interval)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp SET citus.override_table_visibility = off AS $$
BEGIN
	RETURN modseq.compact(message, older_than, changes_older_than);
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_shard IS
	'modseq.compact() for one shard.';

-- A move copies one table after the other: between two of them nothing may go from what departed, of which an account's floor
-- tells. So each shard is kept where it is first, by the lock that each write takes with Citus.
CREATE FUNCTION modseq_internal.compact_shards(
	store modseq_internal.store, older_than interval, changes_older_than interval)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
	folded bigint;
	total bigint := 0;
BEGIN
	FOR s IN SELECT * FROM shards_of(store) LOOP
		EXECUTE 'SELECT lock_shard_metadata(5, ARRAY[$1])' USING s.shard;	-- ShareLock
		EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.compact_shard(%s, %L, %L)',
			shard_argument(store.message, s.shard), older_than, changes_older_than)) INTO folded;
		total := total + folded;
	END LOOP;
	RETURN total;
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_shards IS
	'modseq.compact() for all shards.';

CREATE FUNCTION modseq_internal.reset_shard(message regclass, mailbox text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp SET citus.override_table_visibility = off AS $$
BEGIN
	RETURN modseq.reset_uidvalidity(message, mailbox);
END
$$;
COMMENT ON FUNCTION modseq_internal.reset_shard IS
	'modseq.reset_uidvalidity() at one shard.';

-- The lock keeps the shard where it is
CREATE FUNCTION modseq_internal.reset_at_shard(store modseq_internal.store, mailbox text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
	uidvalidity bigint;
BEGIN
	PERFORM FROM modseq.lock(store.message, mailbox);
	SELECT * INTO s FROM shard_of_key(store, mailbox);
	EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.reset_shard(%s, %L)',
		shard_argument(store.message, s.shard), mailbox)) INTO uidvalidity;
	RETURN uidvalidity;
END
$$;
COMMENT ON FUNCTION modseq_internal.reset_at_shard IS
	'modseq.reset_uidvalidity() where the mailbox is.';
