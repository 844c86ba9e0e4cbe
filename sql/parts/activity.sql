/*
 * To watch: what goes on in each store, and who holds its locks.
 *
 * The views modseq.activity and modseq.locks show it. Behind each is a function,
 * so that what PostgreSQL shows to some roles only, they see only as these; and
 * nothing in them waits for a lock, nor runs code of a store's owner. What is
 * broken, or locked, shows as NULL, and keeps nobody from seeing the rest.
 */

-- Not in a dump: it is of this server
CREATE TABLE modseq_internal.compaction (
	vanished oid PRIMARY KEY,
	compacted timestamp with time zone NOT NULL
);
COMMENT ON TABLE modseq_internal.compaction IS
	'When compact() ran last, by the OID of the vanished table. Anybody may read it; to write a row is for the owner of that '
	'table.';
GRANT SELECT, INSERT, UPDATE, DELETE ON modseq_internal.compaction TO PUBLIC;
ALTER TABLE modseq_internal.compaction ENABLE ROW LEVEL SECURITY;
CREATE POLICY anybody ON modseq_internal.compaction FOR SELECT USING (true);
CREATE POLICY owner ON modseq_internal.compaction USING (
	(SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class AS c
		WHERE c.oid OPERATOR(pg_catalog.=) vanished));

CREATE FUNCTION modseq_internal.note_compaction(vanished regclass) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, modseq_internal, pg_temp SET row_security = on AS $$
	INSERT INTO compaction SELECT $1, clock_timestamp() WHERE $1 IS NOT NULL
	ON CONFLICT (vanished) DO UPDATE SET compacted = excluded.compacted
$$;
COMMENT ON FUNCTION modseq_internal.note_compaction IS
	'Notes that the store with that vanished table is being compacted.';

CREATE FUNCTION modseq_internal.table_bytes(relation oid) RETURNS bigint
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_table_bytes';
COMMENT ON FUNCTION modseq_internal.table_bytes IS
	'How large a table or an index is by itself; NULL if it is gone, or somebody has it locked exclusively. Never waits.';

-- pg_partition_tree() would wait for who has locked a partition
CREATE FUNCTION modseq_internal.leaves(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH RECURSIVE tree (relation) AS (
		SELECT $1::oid
		UNION
		SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.relation)
	SELECT c.oid::regclass FROM tree JOIN pg_class c ON c.oid = tree.relation WHERE c.relkind = 'r'
$$;
COMMENT ON FUNCTION modseq_internal.leaves IS
	'The tables that have the rows: that table, or its partitions. Takes no lock.';

CREATE FUNCTION modseq_internal.total_bytes(relation regclass) RETURNS bigint
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH heap AS (
		SELECT unnest(ARRAY[c.oid, c.reltoastrelid]) AS oid FROM pg_class c WHERE c.oid = relation)
	SELECT CASE WHEN bool_and(b.bytes IS NOT NULL) THEN sum(b.bytes)::bigint END
	FROM (
		SELECT table_bytes(oid) FROM heap WHERE oid <> 0
		UNION ALL
		SELECT table_bytes(i.indexrelid) FROM heap JOIN pg_index i ON i.indrelid = heap.oid) AS b (bytes)
$$;
COMMENT ON FUNCTION modseq_internal.total_bytes IS
	'The same of a table with its indexes and what is stored beside it, all of them.';

CREATE FUNCTION modseq_internal.table_counts(
	relation regclass, OUT rows bigint, OUT inserted bigint, OUT updated bigint, OUT deleted bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT sum(coalesce(nullif(pg_stat_get_live_tuples(c.oid), 0), greatest(c.reltuples, 0)))::bigint,
		sum(pg_stat_get_tuples_inserted(c.oid))::bigint,
		sum(pg_stat_get_tuples_updated(c.oid))::bigint,
		sum(pg_stat_get_tuples_deleted(c.oid))::bigint
	FROM leaves(relation) AS l (oid) JOIN pg_class c ON c.oid = l.oid
$$;
COMMENT ON FUNCTION modseq_internal.table_counts IS
	'About how many rows a table has, and how many were written, as PostgreSQL''s cumulative statistics count; NULL without a '
	'table.';

CREATE FUNCTION modseq_internal.index_scans(relation regclass, columns name[]) RETURNS bigint
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT sum(pg_stat_get_numscans(i.indexrelid))::bigint
	FROM leaves(relation) AS l (oid) JOIN pg_index i ON i.indrelid = l.oid, cardinality(columns) AS n
	CROSS JOIN LATERAL (
		SELECT array_agg(a.attname ORDER BY k.place) AS names
		FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE k.place <= n) AS k
	WHERE k.names @> columns AND k.names <@ columns AND k.names[n] = columns[n]
$$;
COMMENT ON FUNCTION modseq_internal.index_scans IS
	'How often the index was read that begins with these columns, the first of them in any order; NULL if there is none.';

-- As of the last ANALYZE: to find the oldest row, all would have to be read. pg_stats shows it to who may SELECT it. The type
-- is asked for first: what is converted here is the owner's, who may have altered it.
CREATE FUNCTION modseq_internal.oldest(relation regclass, attribute name) RETURNS timestamp with time zone
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN a.atttypid = 'timestamptz'::regtype THEN least(
		(s.histogram_bounds::text::timestamptz[])[1],
		(SELECT min(v) FROM unnest(s.most_common_vals::text::timestamptz[]) AS v)) END
	FROM pg_class c
	JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = attribute
	JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
	WHERE c.oid = relation
$$;
COMMENT ON FUNCTION modseq_internal.oldest IS
	'The lowest time in a column of a table, as of its last ANALYZE; NULL if there is none, or it is not the caller''s to see.';

-- Citus hides its shards from queries on pg_class, unless it is told not to
CREATE FUNCTION modseq_internal.activity_of(
	message regclass,
	OUT mailboxes bigint, OUT messages bigint,
	OUT vanished_rows bigint, OUT vanished_bytes bigint, OUT vanished_oldest timestamp with time zone,
	OUT departed_rows bigint, OUT departed_bytes bigint, OUT compacted timestamp with time zone,
	OUT message_inserts bigint, OUT message_updates bigint, OUT message_deletes bigint,
	OUT flag_inserts bigint, OUT flag_updates bigint, OUT flag_deletes bigint,
	OUT counter_updates bigint, OUT vanished_inserts bigint,
	OUT modseq_scans bigint, OUT uid_scans bigint, OUT vanished_scans bigint,
	OUT counted_since timestamp with time zone)
RETURNS SETOF record
LANGUAGE sql STABLE STRICT ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp
SET citus.override_table_visibility = off AS $$
	SELECT counters.rows, messages.rows,
		vanished.rows, total_bytes(s.vanished), oldest(s.vanished, 'vanished_at'),
		departed.rows, total_bytes(s.departed), c.compacted,
		messages.inserted, messages.updated, messages.deleted,
		flags.inserted, flags.updated, flags.deleted,
		counters.updated, vanished.inserted,
		index_scans(s.message, s.message_mailbox || s.message_modseq),
		index_scans(s.message, s.message_mailbox || s.message_uid),
		index_scans(s.vanished, s.mailbox_key || 'modseq'::name),
		pg_stat_get_db_stat_reset_time((SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
	FROM store_of(activity_of.message) AS s
	LEFT JOIN compaction c ON c.vanished = s.vanished
	CROSS JOIN LATERAL table_counts(s.message) AS messages
	CROSS JOIN LATERAL table_counts(counter_table(s)) AS counters
	CROSS JOIN LATERAL table_counts(s.flag) AS flags
	CROSS JOIN LATERAL table_counts(s.vanished) AS vanished
	CROSS JOIN LATERAL table_counts(s.departed) AS departed
$$;
COMMENT ON FUNCTION modseq_internal.activity_of IS
	'What modseq.activity shows of one store.';

CREATE VIEW modseq.activity AS
	SELECT s.message, a.*
	FROM modseq_internal.every_store AS s CROSS JOIN LATERAL modseq_internal.activity_of(s.message) AS a;
GRANT SELECT ON modseq.activity TO PUBLIC;
COMMENT ON VIEW modseq.activity IS
	'What each store has, about: mailboxes, messages, rows and bytes of what vanished and departed, when compact() ran last; and how '
	'often its tables and indexes were written and read, as PostgreSQL''s cumulative statistics count. Reads catalogs and '
	'statistics only, and waits for no lock. NULL: the store has none such, or it is not the role''s to see.';

CREATE FUNCTION modseq_internal.locked_rows(
	relation oid, key name[], OUT page integer, OUT tuple smallint, OUT key_values text[], OUT transaction xid)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT ROWS 10 AS 'MODULE_PATHNAME', 'modseq_locked_rows';
COMMENT ON FUNCTION modseq_internal.locked_rows IS
	'The locked rows of a table: where they are, as in pg_locks; the key in these columns, NULL if it is not the caller''s to read; '
	'and the transaction. None for who may neither read the key nor has the rights of pg_stat_scan_tables. Reads all of the table, '
	'and never waits.';

CREATE FUNCTION modseq_internal.key_as_text(key text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN cardinality(key) = 1 THEN key[1] ELSE key::text END
$$;
COMMENT ON FUNCTION modseq_internal.key_as_text IS
	'A key as one text: an array, if it has several columns, or none.';

-- Who locks a row keeps a lock on the table, too. So tables that nobody writes to are not looked at.
CREATE FUNCTION modseq_internal.locks() RETURNS TABLE (
	message regclass, mailbox text, account text, relation regclass, lock text, granted boolean, pid integer, transaction xid,
	since timestamp with time zone, waiting integer[], waiting_since timestamp with time zone)
LANGUAGE sql VOLATILE ROWS 10 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH every AS MATERIALIZED (
		SELECT l.*
		FROM pg_locks l
		WHERE l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
			OR l.locktype = 'transactionid'),
	touched AS (
		SELECT t.relation, s AS store, counter_table(s) AS counters
		FROM (SELECT DISTINCT e.relation FROM every e WHERE e.locktype = 'relation' AND e.mode <> 'AccessShareLock') AS t
		CROSS JOIN LATERAL stores_of(coalesce(pg_partition_root(t.relation), t.relation)) AS s),
	locked AS (
		SELECT (t.store).message, key_as_text(r.key_values[:n]) AS mailbox,
			CASE WHEN has_account THEN key_as_text(r.key_values[n + 1:]) WHEN (t.store).account = '{}' THEN '{}' END AS account,
			t.relation, 'mailbox' AS lock, true AS granted, r.transaction, NULL::integer AS pid, r.page, r.tuple
		FROM touched t
		CROSS JOIN LATERAL (SELECT cardinality((t.store).mailbox_key) AS n, cardinality((t.store).account) > 0 AS has_account) AS k
		CROSS JOIN LATERAL locked_rows(t.relation, (t.store).mailbox_key || coalesce((t.store).account, '{}')) AS r
		WHERE coalesce(pg_partition_root(t.relation), t.relation) = t.counters
		UNION ALL
		SELECT (t.store).message, NULL, key_as_text(r.key_values), t.relation, 'account', true, r.transaction, NULL, r.page, r.tuple
		FROM touched t
		CROSS JOIN LATERAL locked_rows(t.relation, (t.store).account) AS r
		WHERE t.relation = (t.store).account_table
		UNION ALL
		SELECT (t.store).message, NULL, NULL, t.relation, e.mode, e.granted, NULL, e.pid, NULL, NULL
		FROM touched t
		JOIN every e ON e.locktype = 'relation' AND e.relation = t.relation
		WHERE e.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')),
	holding AS (
		SELECT l.message, l.mailbox, l.account, l.relation, l.lock, l.granted, coalesce(l.pid, x.pid) AS pid, l.transaction, p.prepared,
			ARRAY(
				SELECT DISTINCT w.pid
				FROM every w
				WHERE w.relation = l.relation AND w.pid <> coalesce(l.pid, x.pid, 0)
					AND CASE WHEN l.page IS NULL THEN w.locktype = 'relation' AND NOT w.granted
						ELSE w.locktype = 'tuple' AND w.page = l.page AND w.tuple = l.tuple END
				ORDER BY w.pid) AS waiting
		FROM locked l
		LEFT JOIN every x ON x.locktype = 'transactionid' AND x.transactionid = l.transaction AND x.granted
		LEFT JOIN pg_prepared_xacts p ON p.transaction = l.transaction
		-- It may have ended meanwhile
		WHERE l.transaction IS NULL OR x.transactionid IS NOT NULL)
	SELECT h.message, h.mailbox, h.account, h.relation, h.lock, h.granted, h.pid, h.transaction,
		coalesce(a.xact_start, h.prepared), h.waiting,
		(SELECT min(w.waitstart) FROM every w WHERE w.pid = ANY (h.waiting) AND NOT w.granted)
	FROM holding h LEFT JOIN pg_stat_activity a ON a.pid = h.pid
$$;
COMMENT ON FUNCTION modseq_internal.locks IS
	'What modseq.locks shows.';

CREATE VIEW modseq.locks AS SELECT * FROM modseq_internal.locks();
GRANT SELECT ON modseq.locks TO PUBLIC;
COMMENT ON VIEW modseq.locks IS
	'Who holds the locks of mailboxes and accounts, or a lock on a table of a store that keeps writers waiting, or waits for such a one; '
	'since when its transaction has been open; and who waits for it. Keys are shown to who may SELECT them in that table. Reads the '
	'counters of stores that somebody is writing to, and waits for no lock.';
