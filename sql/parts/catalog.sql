/*
 * What the catalog says of a table: columns, indexes, foreign keys, partitions,
 * triggers.
 */

CREATE FUNCTION modseq_internal.column_type(relation regclass, attribute name) RETURNS regtype
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH RECURSIVE type AS (
		SELECT t.oid, t.typtype, t.typbasetype
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = relation AND a.attname = attribute AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT t.oid, t.typtype, t.typbasetype
		FROM type JOIN pg_type t ON t.oid = type.typbasetype
		WHERE type.typtype = 'd')
	SELECT oid::regtype FROM type WHERE typtype <> 'd'
$$;
COMMENT ON FUNCTION modseq_internal.column_type IS
	'The type of a column, below any domain; NULL if there is no such column.';

CREATE FUNCTION modseq_internal.may_hold_same_key(a regtype, b regtype) RETURNS boolean
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT a = b
		OR ARRAY[a, b] <@ '{smallint,integer,bigint}'::regtype[]
		OR ARRAY[a, b] <@ '{text,varchar}'::regtype[]
$$;
COMMENT ON FUNCTION modseq_internal.may_hold_same_key IS
	'May columns of these types hold the same key?';

-- So looks the type cache, which our triggers use
CREATE FUNCTION modseq_internal.is_sortable(type regtype, and_hashable boolean) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	EXECUTE format('SELECT ARRAY[NULL::%1$s] < ARRAY[NULL::%1$s]', type);
	IF and_hashable THEN
		EXECUTE format('SELECT hash_array(ARRAY[NULL::%s])', type);
	END IF;
	RETURN true;
EXCEPTION WHEN undefined_function THEN
	RETURN false;
END
$$;
COMMENT ON FUNCTION modseq_internal.is_sortable IS
	'Do values of the type have an order, and a hash if that is asked for?';

CREATE FUNCTION modseq_internal.column_collation(relation regclass, attribute name)
RETURNS TABLE (name text, is_deterministic boolean)
LANGUAGE sql STABLE STRICT ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('%I.%I', n.nspname, c.collname), c.collisdeterministic
	FROM pg_attribute a
	JOIN pg_collation c ON c.oid = a.attcollation
	JOIN pg_namespace n ON n.oid = c.collnamespace
	WHERE a.attrelid = relation AND a.attname = attribute
$$;
COMMENT ON FUNCTION modseq_internal.column_collation IS
	'The collation of a column: its name, and whether it is deterministic. No row if the type has none.';

CREATE FUNCTION modseq_internal.has_default(relation regclass, attribute name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT FROM pg_attribute
		WHERE attrelid = relation AND attname = attribute AND (atthasdef OR attidentity <> ''))
$$;
COMMENT ON FUNCTION modseq_internal.has_default IS
	'Has a column a default, or is it an identity column?';

CREATE FUNCTION modseq_internal.column_definitions(relation regclass, columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(
		format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
			|| CASE WHEN c.oid IS NULL THEN '' ELSE format(' COLLATE %I.%I', n.nspname, c.collname) END,
		', ' ORDER BY array_position(columns, a.attname))
	FROM pg_attribute a
	LEFT JOIN (pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace) ON c.oid = a.attcollation
	WHERE a.attrelid = relation AND a.attname = ANY (columns)
$$;
COMMENT ON FUNCTION modseq_internal.column_definitions IS
	'Columns of a table as CREATE TABLE would define them, collations included.';

CREATE FUNCTION modseq_internal.usable_indexes(relation regclass)
RETURNS TABLE (columns name[], is_unique boolean, is_primary boolean)
LANGUAGE sql STABLE STRICT ROWS 4 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_agg(a.attname ORDER BY k.place), i.indisunique AND i.indimmediate, i.indisprimary
	FROM pg_index i
	JOIN pg_class c ON c.oid = i.indexrelid
	JOIN pg_am am ON am.oid = c.relam AND am.amname = 'btree'
	CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
	JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
	WHERE i.indrelid = relation AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
		AND k.place <= i.indnkeyatts
	GROUP BY i.indexrelid, i.indisunique, i.indimmediate, i.indisprimary
$$;
COMMENT ON FUNCTION modseq_internal.usable_indexes IS
	'The btree indexes of a table that serve any query on their columns, and what they guarantee.';

-- What is compared for equality may be in any order
CREATE FUNCTION modseq_internal.has_index(relation regclass, wanted name[], is_unique boolean, is_sorted boolean)
RETURNS boolean
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT
		FROM usable_indexes(relation) i, cardinality(wanted) AS n
		WHERE i.columns[:n] @> wanted AND i.columns[:n] <@ wanted
			AND (NOT has_index.is_sorted OR i.columns[n] = wanted[n])
			AND (NOT has_index.is_unique OR i.is_unique AND cardinality(i.columns) = n))
$$;
COMMENT ON FUNCTION modseq_internal.has_index IS
	'Is there an index on the wanted columns? Sorted: one that reads the last of them in its order.';

CREATE FUNCTION modseq_internal.primary_key(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT columns FROM usable_indexes(relation) WHERE is_primary
$$;
COMMENT ON FUNCTION modseq_internal.primary_key IS
	'The columns of the primary key of a table, in order.';

CREATE FUNCTION modseq_internal.existing_columns(relation regclass, names name[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT names WHERE NOT EXISTS (
		SELECT FROM unnest(names) AS n (name) WHERE name IS NULL OR column_type(relation, name) IS NULL)
$$;
COMMENT ON FUNCTION modseq_internal.existing_columns IS
	'The names, if all of them are columns of the table; else NULL.';

CREATE FUNCTION modseq_internal.existing_column(relation regclass, name name) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name WHERE column_type(relation, name) IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.existing_column IS
	'The name, if it is a column of the table; else NULL.';

CREATE FUNCTION modseq_internal.references_of(child regclass)
RETURNS TABLE (relation regclass, columns name[], referenced name[])
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.confrelid::regclass, array_agg(a.attname ORDER BY k.place), array_agg(r.attname ORDER BY k.place)
	FROM pg_constraint c
	CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (attnum, referenced, place)
	JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
	JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = k.referenced
	WHERE c.contype = 'f' AND c.conrelid = child
	GROUP BY c.oid
$$;
COMMENT ON FUNCTION modseq_internal.references_of IS
	'The foreign keys of a table: where each leads, its columns, and those that they refer to.';

CREATE FUNCTION modseq_internal.foreign_keys(child regclass, parent regclass)
RETURNS TABLE (columns name[], referenced name[])
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT columns, referenced FROM references_of(child) WHERE relation = parent
$$;
COMMENT ON FUNCTION modseq_internal.foreign_keys IS
	'The foreign keys from one table to another: their columns, and those that they refer to.';

CREATE FUNCTION modseq_internal.single_references(child regclass)
RETURNS TABLE ("column" name, relation regclass, key name)
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT columns[1], relation, referenced[1] FROM references_of(child) WHERE cardinality(columns) = 1
$$;
COMMENT ON FUNCTION modseq_internal.single_references IS
	'The foreign keys of one column, from a table to any other.';

CREATE FUNCTION modseq_internal.referencing_columns(child regclass, parent regclass, key name[]) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN count(*) = 1 THEN min(columns) END
	FROM (
		SELECT DISTINCT (
			SELECT array_agg(f.columns[array_position(f.referenced, k.name)] ORDER BY k.place)
			FROM unnest(key) WITH ORDINALITY AS k (name, place)) AS columns
		FROM foreign_keys(child, parent) f
		WHERE f.referenced @> key) AS candidates
$$;
COMMENT ON FUNCTION modseq_internal.referencing_columns IS
	'The columns that refer to the key of another table, going by the only foreign key that includes it.';

CREATE FUNCTION modseq_internal.referenced_columns(child regclass, parent regclass, columns name[]) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN count(*) = 1 THEN min(referenced) END
	FROM (
		SELECT DISTINCT (
			SELECT array_agg(f.referenced[array_position(f.columns, c.name)] ORDER BY c.place)
			FROM unnest(referenced_columns.columns) WITH ORDINALITY AS c (name, place)) AS referenced
		FROM foreign_keys(child, parent) f
		WHERE f.columns @> referenced_columns.columns) AS candidates
$$;
COMMENT ON FUNCTION modseq_internal.referenced_columns IS
	'What columns of a table refer to in another, going by the only foreign key that includes them.';

CREATE FUNCTION modseq_internal.referenced_mailbox_key(store modseq_internal.store) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN count(DISTINCT referenced) = 1 AND store.message_mailbox IS NULL THEN min(referenced) END
	FROM foreign_keys(store.message, store.mailbox)
	HAVING NOT coalesce(bool_or(referenced @> primary_key(store.mailbox)), false)
$$;
COMMENT ON FUNCTION modseq_internal.referenced_mailbox_key IS
	'The key of the mailboxes that messages refer to, where all their foreign keys agree on one that is not '
	'primary.';

CREATE FUNCTION modseq_internal.with_partitions(VARIADIC tables regclass[]) RETURNS SETOF regclass
LANGUAGE sql STABLE ROWS 4 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT t FROM unnest(tables) AS t WHERE t IS NOT NULL
	UNION
	SELECT p.relid FROM unnest(tables) AS t, pg_partition_tree(t) AS p
$$;
COMMENT ON FUNCTION modseq_internal.with_partitions IS
	'Tables with their partitions, at all levels.';

CREATE FUNCTION modseq_internal.is_inherited(relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT
		FROM pg_inherits i JOIN pg_class c ON c.oid = relation
		WHERE i.inhrelid = relation OR i.inhparent = relation AND c.relkind = 'r')
$$;
COMMENT ON FUNCTION modseq_internal.is_inherited IS
	'Does a table inherit, or is it inherited from? Partitions do, too; partitioned tables do not.';

CREATE FUNCTION modseq_internal.partition_key(relation regclass) RETURNS SETOF name
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT a.attname
	FROM with_partitions(relation) AS p (relation)
	JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.relation AND d.objsubid > 0
		AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.relation AND d.refobjsubid = 0 AND d.deptype = 'i'
	JOIN pg_attribute a ON a.attrelid = p.relation AND a.attnum = d.objsubid
$$;
COMMENT ON FUNCTION modseq_internal.partition_key IS
	'The columns of the partition keys of a table, at all levels, also those in expressions.';

-- What stands in the way: a column of a partition key, at whatever level, that is not among the index's, or an
-- expression
CREATE FUNCTION modseq_internal.may_be_unique(relation regclass, columns name[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT NOT EXISTS (
		SELECT
		FROM pg_partitioned_table p
		CROSS JOIN LATERAL unnest(p.partattrs::int2[]) AS k (attnum)
		LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum
		WHERE p.partrelid IN (SELECT with_partitions(relation)) AND (a.attname = ANY (columns)) IS NOT TRUE)
$$;
COMMENT ON FUNCTION modseq_internal.may_be_unique IS
	'Can a unique index on these columns exist, going by how the table is partitioned?';

CREATE FUNCTION modseq_internal.our_triggers(tables regclass[]) RETURNS SETOF pg_catalog.pg_trigger
LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT t.*
	FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE t.tgrelid = ANY (tables) AND p.pronamespace = 'modseq'::regnamespace AND t.tgparentid = 0
$$;
COMMENT ON FUNCTION modseq_internal.our_triggers IS
	'The triggers of modseq on tables, whatever they are called, without their clones on partitions.';

CREATE FUNCTION modseq_internal.is_partition_of_store(relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT count(*) > 0 AND bool_and(t.tgparentid <> 0)
	FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE t.tgrelid = relation AND p.pronamespace = 'modseq'::regnamespace AND t.tgtype & 1 = 1
$$;
COMMENT ON FUNCTION modseq_internal.is_partition_of_store IS
	'Has a table row triggers of modseq, all of them from the table that it is a partition of?';

CREATE FUNCTION modseq_internal.has_trigger_for(relation regclass, message regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT FROM our_triggers(ARRAY[relation]) t WHERE trigger_options(t.oid) = ARRAY[qualified_name(message)])
$$;
COMMENT ON FUNCTION modseq_internal.has_trigger_for IS
	'Has a table a trigger of its own that says that it is a part of the store with that message table?';
