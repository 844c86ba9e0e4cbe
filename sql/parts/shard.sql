/*
 * Citus: the shards of a distributed table, and how a query comes to each of
 * them. Nothing here is of use where Citus is not installed.
 */

CREATE FUNCTION modseq_internal.shard_name(name text, shard bigint) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_shard_name';
COMMENT ON FUNCTION modseq_internal.shard_name(text, bigint) IS
	'How Citus calls a shard of a table of that name.';

CREATE FUNCTION modseq_internal.shard_name(shard bigint, of regclass) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_shard_name_beside';
COMMENT ON FUNCTION modseq_internal.shard_name(bigint, regclass) IS
	'The qualified name of the shard of a table that belongs to that shard, of another table, or the same; NULL if there '
	'is none.';

CREATE FUNCTION modseq_internal.distribution_column(relation regclass) RETURNS name
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_distribution_column';
COMMENT ON FUNCTION modseq_internal.distribution_column IS
	'The column by which Citus distributes a table; NULL if there is none.';

CREATE FUNCTION modseq_internal.distribution(relation regclass)
RETURNS TABLE (method "char", replicas "char", colocation integer)
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
		RETURN QUERY EXECUTE
			'SELECT partmethod, repmodel, colocationid::integer FROM pg_dist_partition WHERE logicalrelid = $1'
			USING relation;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.distribution IS
	'How Citus distributes a table; no row if it does not.';

CREATE FUNCTION modseq_internal.is_distributed(relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (SELECT FROM distribution(relation))
$$;
COMMENT ON FUNCTION modseq_internal.is_distributed IS
	'Has Citus the rows of a table elsewhere, in shards?';

-- Many more values than there are shards, so that each has one; but an account that was given a shard of its own has the
-- only value that leads there: so those that are still missing are looked for by their rows
CREATE FUNCTION modseq_internal.shards_of(store modseq_internal.store) RETURNS TABLE (shard bigint, sample text)
LANGUAGE plpgsql STABLE ROWS 32 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	dist CONSTANT name := distribution_column(store.message);
	type CONSTANT regtype := column_type(store.message, dist);
	all_shards bigint[];
	known bigint[] := '{}'::bigint[];
	source text;
BEGIN
	EXECUTE 'SELECT array_agg(shardid) FROM pg_dist_shard WHERE logicalrelid = $1' INTO all_shards USING store.message;
	IF dist IS NULL THEN
		RETURN QUERY SELECT s, NULL::text FROM unnest(all_shards) AS s;
		RETURN;
	END IF;
	FOREACH source IN ARRAY ARRAY[
		format('SELECT %s FROM generate_series(0, %s) AS i',
			CASE WHEN type = 'uuid'::regtype THEN 'md5(i::text)' ELSE 'i::text' END, 64 * cardinality(all_shards)),
		format('SELECT DISTINCT %I FROM %s', dist, qualified_name(store.message)),
		format('SELECT DISTINCT %I FROM %s', distribution_column(store.mailbox), qualified_name(store.mailbox))]
	LOOP
		FOR shard, sample IN EXECUTE format('
			SELECT s.shard, min(v.value::text)
			FROM (%s) AS v (value), get_shard_id_for_distribution_column($1, v.value::%s) AS s (shard)
			WHERE s.shard <> ALL ($2)
			GROUP BY s.shard', source, type) USING store.message, known
		LOOP
			known := known || shard;
			RETURN NEXT;
		END LOOP;
		EXIT WHEN cardinality(known) = cardinality(all_shards);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.shards_of IS
	'The shards of a distributed store, but for some that are empty, by those of the message table; and for each a value of '
	'the distribution column that leads to it, NULL if there is no such column.';

-- A query that names a shard's rows is planned for the server that has them, and all of it goes there. It has one row
-- before it calls anything, whatever the shard holds.
CREATE FUNCTION modseq_internal.at_shard(relation regclass, sample text, call text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('SELECT r.* FROM (SELECT count(*) FROM (SELECT FROM %s%s LIMIT 1) AS any_row) AS at_shard, LATERAL %s AS r',
		qualified_name(relation),
		CASE WHEN sample IS NULL THEN '' ELSE format(' WHERE %I = %L::%s', distribution_column(relation), sample,
			column_type(relation, distribution_column(relation))) END, call)
$$;
COMMENT ON FUNCTION modseq_internal.at_shard IS
	'A query that makes a call where the shard is that the value leads to.';

CREATE FUNCTION modseq_internal.shard_argument(message regclass, shard bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('modseq_internal.table_named(%L)', shard_name(shard, message))
$$;
COMMENT ON FUNCTION modseq_internal.shard_argument IS
	'The message table of a shard, as an expression that only the server understands which has it.';
