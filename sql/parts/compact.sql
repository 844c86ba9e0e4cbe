/*
 * compact(): old vanished rows, folded into one a mailbox; and of accounts, what
 * departed long ago is forgotten. compact_all(): the same for all stores.
 */

CREATE FUNCTION modseq_internal.refuse_fold(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RAISE 'vanished rows of store % could not be folded', qualified_name(store.message) USING
		ERRCODE = 'triggered_data_change_violation',
		DETAIL = format('A trigger or rule of table %s changed or suppressed what modseq wrote.',
			qualified_name(store.vanished)),
		HINT = 'Drop it; the table belongs to modseq.';
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_fold IS
	'Error 27000: something of others has kept us from folding rows.';

CREATE FUNCTION modseq_internal.refuse_interval(name text, value interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF value IS NULL THEN
		RAISE '% must not be null', name USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Pass ''0'' for all that there is.';
	ELSIF value < '0' THEN
		RAISE '% must not be negative', name USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Pass ''0'' for all that there is.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_interval IS
	'Refuses an interval that is null or negative.';

-- Nothing is forgotten behind a client's back: in the snapshot that does not see a row any more, the floor is above it
CREATE FUNCTION modseq_internal.forget_departed(s modseq_internal.store, older_than interval) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	forgotten bigint;
	sound boolean;
BEGIN
	-- Not what this transaction has written: a message may yet come back. And not of an account that somebody writes to:
	-- he may wait for what we have locked, and it can be forgotten another time.
	EXECUTE expand_template(s, '
		WITH horizon AS MATERIALIZED (
			SELECT {d.account}, max(d.modseq) AS modseq
			FROM {departed} d
			WHERE d.departed_at <= clock_timestamp() - $1 AND d.departed_at < transaction_timestamp()
			GROUP BY {d.account}),
		free AS MATERIALIZED (
			SELECT {a.account}, horizon.modseq
			FROM {account} a JOIN horizon ON {a@horizon}
			ORDER BY {a.account}
			FOR NO KEY UPDATE OF a SKIP LOCKED),
		raised AS (
			UPDATE {account} a SET floor = GREATEST(a.floor, free.modseq)
			FROM free
			WHERE {a@free}
			RETURNING a.floor >= free.modseq AS same),
		old AS MATERIALIZED (
			SELECT d.ctid
			FROM {departed} d JOIN free ON {d@free} AND d.modseq <= free.modseq),
		gone AS (
			DELETE FROM {departed} d
			USING old
			WHERE d.ctid = old.ctid
			RETURNING d.modseq)
		SELECT (SELECT count(*) FROM gone),
			(SELECT count(*) FROM raised WHERE same) = (SELECT count(*) FROM free)
				AND (SELECT count(*) FROM gone) = (SELECT count(*) FROM old)')
		INTO forgotten, sound USING older_than;
	IF NOT sound THEN
		RAISE 'what departed from store % could not be forgotten', qualified_name(s.message) USING
			ERRCODE = 'triggered_data_change_violation',
			DETAIL = format('A trigger or rule of table %s or %s changed or suppressed what modseq wrote.',
				qualified_name(s.account_table), qualified_name(s.departed)),
			HINT = 'Drop it; the table belongs to modseq.';
	END IF;
	RETURN forgotten;
END
$$;
COMMENT ON FUNCTION modseq_internal.forget_departed IS
	'Removes the rows of what departed from accounts before that, and all below them; and raises the floors. Takes the '
	'locks of these accounts, and leaves out those that are locked. Returns how many rows it removed.';

CREATE FUNCTION modseq_internal.compact(store regclass, older_than interval, changes_older_than interval) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	s modseq_internal.store;
	folded bigint;
	sound boolean;
BEGIN
	PERFORM refuse_interval('older_than', older_than);
	PERFORM refuse_interval('changes_older_than', changes_older_than);
	PERFORM wait_for_attach(store);
	s := find_store(store);
	PERFORM refuse_stranger(array_remove(ARRAY[s.vanished, s.departed, s.uidvalidities], NULL), 'modseq.compact()');
	PERFORM note_compaction(s.vanished);
	IF is_distributed(store) THEN
		RETURN compact_shards(s, older_than, changes_older_than);
	END IF;
	EXECUTE expand_template(s, 'LOCK TABLE {vanished} IN SHARE UPDATE EXCLUSIVE MODE');
	-- Not what this transaction has written: a message may yet come back. And not what somebody has locked, who may fold
	-- it himself (src/ledger/fold.c), and then wait for what we have locked.
	EXECUTE expand_template(s, '
		WITH horizon AS (
			SELECT {v.key}, max(v.modseq) AS modseq
			FROM {vanished} v
			WHERE v.vanished_at <= clock_timestamp() - $1 AND v.vanished_at < transaction_timestamp() AND {v.any}
			GROUP BY {v.key}),
		old AS MATERIALIZED (
			SELECT v.*
			FROM {vanished} v JOIN horizon ON {v=horizon} AND v.modseq <= horizon.modseq
			-- What was lost with another incarnation must be told for ever, and a row can tell of one
			WHERE {v.any} AND v.lost IS NULL
			ORDER BY {v.key}, v.modseq
			FOR UPDATE OF v SKIP LOCKED),
		merged AS MATERIALIZED (
			SELECT {old.key}, old.modseq
			FROM (
				SELECT old.*, max(old.modseq) OVER (PARTITION BY {old.key}) AS {_last} FROM old) AS old
			WHERE old.modseq < old.{_last}),
		fold AS MATERIALIZED (
			SELECT {old.key}, max(old.modseq) AS modseq, modseq.uidset_agg(old.uids) AS uids
			FROM old
			GROUP BY {old.key}
			HAVING count(*) > 1),
		kept AS (
			UPDATE {vanished} v SET uids = fold.uids
			FROM fold
			WHERE {v=fold} AND v.modseq = fold.modseq
			RETURNING v.uids OPERATOR(modseq.=) fold.uids AS same),
		gone AS (
			DELETE FROM {vanished} v
			USING merged
			WHERE {v=merged} AND v.modseq = merged.modseq AND {v.unlogged}
			RETURNING v.modseq),
		emptied AS (
			UPDATE {vanished} v SET uids = ''''
			FROM merged
			WHERE {v=merged} AND v.modseq = merged.modseq AND NOT {v.unlogged})
		SELECT (SELECT count(*) FROM gone),
			(SELECT count(*) FROM kept WHERE same) = (SELECT count(*) FROM fold)')
		INTO folded, sound USING older_than;
	IF NOT sound THEN
		PERFORM refuse_fold(s);
	END IF;
	-- Policies that hide messages, or counters, from their owner would have some taken for gone
	IF s.changes = 'log' AND NOT row_security_active(s.message) THEN
		folded := folded + compact_changes(s);
	END IF;
	IF s.counters IS NOT NULL AND NOT row_security_active(s.message) AND NOT row_security_active(s.counters) THEN
		EXECUTE expand_template(s, '
			DELETE FROM {mailbox} b
			WHERE b.gone_at <= clock_timestamp() - $1 AND NOT EXISTS (SELECT FROM {message} m WHERE {m=b})')
			USING older_than;
	END IF;
	IF s.account IS NOT NULL THEN
		folded := folded + forget_departed(s, changes_older_than);
	END IF;
	IF s.uidvalidities IS NOT NULL THEN
		PERFORM compact_uidvalidities(s);
	END IF;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION modseq_internal.compact(regclass, interval, interval) IS
	'What modseq.compact() does, as the owner of the message table.';

CREATE FUNCTION modseq.compact(store regclass, older_than interval, changes_older_than interval DEFAULT '60 days')
RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_as_owner';
COMMENT ON FUNCTION modseq.compact(regclass, interval, interval) IS
	'Folds the vanished rows of each mailbox that are older than the interval (by the clock, when they vanished) '
	'into one, and returns how many rows it removed. No UID is forgotten: a client that has seen the mod-sequence '
	'of that row, or a later one, still gets an exact answer; one that has not gets every UID that vanished up to '
	'it, as RFC 7162 section 3.2.6 asks. What is left is at most a range for each live message and one more. '
	'Writers and readers go on; rows that somebody has locked, as who folds them, are left for the next time; two calls '
	'for one store wait for each other (SHARE UPDATE EXCLUSIVE on the vanished table). Counters that are remembered beside the mailbox table go where no message is left, under the '
	'mailbox lock, unless policies hide rows from the owner. In a store with accounts, what departed before '
	'changes_older_than is forgotten, but of accounts that somebody is writing to: to states from before then, email_changes() '
	'and its like answer too_old. For the owner of the store. Errors: 22004, 22023 for a '
	'negative interval, 55000 if the table is not attached, 42501, 27000 if a trigger changes what is folded, 40001 in '
	'REPEATABLE READ or SERIALIZABLE.';

CREATE FUNCTION modseq_internal.own_stores() RETURNS regclass[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(array_agg(s.message ORDER BY s.message), '{}')
	FROM modseq.stores s JOIN pg_class c ON c.oid = s.message
	WHERE pg_has_role(c.relowner, 'USAGE')
$$;
COMMENT ON FUNCTION modseq_internal.own_stores IS
	'The message tables of the stores whose owner the caller is, or has the rights of.';

CREATE FUNCTION modseq_internal.compact_or_warn(message regclass, older_than interval, changes_older_than interval)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s modseq_internal.store;
	name text;
	problem text;
	reason text;
	help text;
BEGIN
	SELECT * INTO s FROM store_of(message);
	-- Dropped, or detached, since they were listed
	IF NOT FOUND THEN
		RETURN;
	END IF;
	name := qualified_name(message);
	PERFORM modseq.compact(message, coalesce(older_than, s.vanished_keep, seconds_as_interval(NULL)), changes_older_than);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, reason = PG_EXCEPTION_DETAIL, help = PG_EXCEPTION_HINT;
	RAISE WARNING 'store % could not be compacted', coalesce(name, message::text) USING
		DETAIL = concat_ws(' ', SQLSTATE || ': ' || problem || '.', nullif(reason, '')),
		HINT = coalesce(nullif(help, ''), 'The other stores are. Call modseq.compact() for this one when it is mended.');
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_or_warn IS
	'modseq.compact(), with a warning in place of an error.';

-- Its transactions end in between, so it can have no settings of its own: all names are qualified
CREATE PROCEDURE modseq.compact_all(older_than interval DEFAULT NULL, changes_older_than interval DEFAULT '60 days')
LANGUAGE plpgsql AS $$
DECLARE
	own CONSTANT pg_catalog.regclass[] := modseq_internal.own_stores();
	message pg_catalog.regclass;
BEGIN
	IF older_than IS NOT NULL THEN
		PERFORM modseq_internal.refuse_interval('older_than', older_than);
	END IF;
	PERFORM modseq_internal.refuse_interval('changes_older_than', changes_older_than);
	-- A job that runs as another role than was meant would do nothing each night, and nobody notice
	IF pg_catalog.cardinality(own) OPERATOR(pg_catalog.=) 0 AND EXISTS (SELECT FROM modseq.stores) THEN
		RAISE WARNING 'no store was compacted' USING
			DETAIL = pg_catalog.format('Role %s owns none, and has the rights of no owner.', pg_catalog.quote_ident(current_user)),
			HINT = 'Call modseq.compact_all() as a superuser, or as the owner of the stores.';
	END IF;
	FOREACH message IN ARRAY own LOOP
		PERFORM modseq_internal.compact_or_warn(message, older_than, changes_older_than);
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE modseq.compact_all IS
	'modseq.compact() for all stores whose owner the caller is, or has the rights of, as a superuser has; for each as its '
	'owner, and in a transaction of its own, so that no lock outlasts its store. older_than: null, the default, is what '
	'each store has as vanished_keep. A store that fails is a WARNING, with the error in its detail, and does not keep the '
	'others from it; so it is if there are stores, and none is the caller''s. Errors: 22004, 22023 for a negative interval, 2D000 in a transaction block or in a function.';
