/*
 * The log of changes: a column of the vanished table, instead of an index on
 * mod-sequences.
 */

-- Who reads it is waited for
CREATE FUNCTION modseq_internal.place_changes(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.changes = 'log' AND NOT has_log(store.vanished) THEN
		EXECUTE format('ALTER TABLE %s ADD COLUMN changed modseq.uidset', qualified_name(store.vanished));
	ELSIF store.changes <> 'log' AND has_log(store.vanished) THEN
		EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', qualified_name(store.vanished));
		EXECUTE format('DELETE FROM %s WHERE uids OPERATOR(modseq.=) '''' AND lost IS NULL', qualified_name(store.vanished));
		EXECUTE format('ALTER TABLE %s DROP COLUMN changed', qualified_name(store.vanished));
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.place_changes IS
	'Adds the column for the log of changes to the vanished table, or drops it.';

CREATE FUNCTION modseq_internal.log_block(distance bigint) RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT 4 * (length(to_hex(distance)) - 1)
$$;
COMMENT ON FUNCTION modseq_internal.log_block IS
	'So far below the last mod-sequence, those that differ in so many bits at most are folded, as by triggers (BLOCK_BITS).';

-- The tables are locked, and triggers off; what is there already may be of a time before detach()
CREATE FUNCTION modseq_internal.fill_changes(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.changes <> 'log' THEN
		RETURN;
	END IF;
	EXECUTE expand_template(store, 'DELETE FROM {vanished} v WHERE NOT {v.any} AND v.lost IS NULL');
	EXECUTE expand_template(store, 'UPDATE {vanished} v SET changed = NULL WHERE v.changed IS NOT NULL');
	EXECUTE expand_template(store, '
		INSERT INTO {vanished} AS v ({key}, modseq, uids, changed)
		SELECT {b.key}, max(m.{modseq}), '''', modseq.uidset_agg({m.uid})
		FROM {message} m JOIN {mailbox} b ON {m=b}
		CROSS JOIN LATERAL log_block({b.highestmodseq} - m.{modseq}) AS age (_bits)
		WHERE {m.live} AND m.{modseq} > 1
		GROUP BY {b.key}, age._bits, m.{modseq} >> age._bits
		ON CONFLICT ({key}, modseq) DO UPDATE SET changed = excluded.changed');
END
$$;
COMMENT ON FUNCTION modseq_internal.fill_changes IS
	'Begins the log of changes anew, with the messages that exist.';

CREATE FUNCTION modseq_internal.notice_index(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	index record;
BEGIN
	IF store.changes <> 'log' THEN
		RETURN;
	END IF;
	FOR index IN
		SELECT format('%I.%I', n.nspname, c.relname) AS name
		FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE i.indrelid = store.message AND NOT i.indisprimary AND EXISTS (
			SELECT
			FROM pg_attribute a
			WHERE a.attrelid = store.message AND a.attname = store.message_modseq AND a.attnum = ANY (i.indkey))
		ORDER BY 1
	LOOP
		RAISE NOTICE 'index % is not needed where changes are logged, and makes each change dearer', index.name USING
			HINT = format('Use DROP INDEX %s, unless queries of your own need it.', index.name);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_index IS
	'Says which indexes have mod-sequences in them though a store logs its changes.';

-- A message that changes meanwhile is in a row that is newer than those that are locked. The last block is left alone,
-- to which a writer may add, and what a writer folds: so nobody waits.
CREATE FUNCTION modseq_internal.compact_changes(store modseq_internal.store) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	folded bigint;
	sound boolean;
BEGIN
	EXECUTE expand_template(store, '
		WITH old AS MATERIALIZED (
			SELECT v.*
			FROM {vanished} v JOIN {mailbox} b ON {v=b}
			WHERE v.changed IS NOT NULL AND v.modseq < {b.highestmodseq} >> 4 << 4
			FOR UPDATE OF v SKIP LOCKED),
		last AS MATERIALIZED (
			SELECT {old.key}, max(old.modseq) AS modseq FROM old GROUP BY {old.key}),
		block AS MATERIALIZED (
			SELECT {old.key}, max(old.modseq) AS modseq
			FROM old JOIN last ON {old=last}
			CROSS JOIN LATERAL log_block(last.modseq - old.modseq) AS age (_bits)
			GROUP BY {old.key}, age._bits, old.modseq >> age._bits),
		box AS MATERIALIZED (
			SELECT {block.key}, array_agg(block.modseq ORDER BY block.modseq) AS {_ends}
			FROM block
			GROUP BY {block.key}),
		fold AS MATERIALIZED (
			SELECT {box.key}, box.{_ends}[e._place + 1] AS modseq,
				modseq.uidset_agg({m.uid}) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295) AS changed
			FROM {message} m JOIN box ON {m=box}
			CROSS JOIN LATERAL width_bucket(m.{modseq} - 1, box.{_ends}) AS e (_place)
			WHERE {m.live} AND e._place < cardinality(box.{_ends})
			GROUP BY {box.key}, box.{_ends}[e._place + 1]),
		result AS MATERIALIZED (
			SELECT {old.key}, old.modseq, fold.changed, old.uids OPERATOR(modseq.=) '''' AND old.lost IS NULL AND fold.changed IS NULL AS {_goes}
			FROM old LEFT JOIN fold ON {old=fold} AND old.modseq = fold.modseq
			WHERE old.changed OPERATOR(modseq.=) fold.changed IS NOT TRUE),
		kept AS (
			UPDATE {vanished} v SET changed = result.changed
			FROM result
			WHERE {v=result} AND v.modseq = result.modseq AND NOT result.{_goes}
			RETURNING v.changed OPERATOR(modseq.=) result.changed IS NOT FALSE AS same),
		gone AS (
			DELETE FROM {vanished} v
			USING result
			WHERE {v=result} AND v.modseq = result.modseq AND result.{_goes}
			RETURNING v.modseq)
		SELECT (SELECT count(*) FROM gone),
			(SELECT count(*) FROM kept WHERE same) + (SELECT count(*) FROM gone) = (SELECT count(*) FROM result)')
		INTO folded, sound;
	IF NOT sound THEN
		PERFORM refuse_fold(store);
	END IF;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_changes IS
	'Folds the log of changes by age, and leaves out of it what is not live any more, or has changed again. Returns how '
	'many rows it removed.';
