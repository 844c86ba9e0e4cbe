/*
 * check(): what is wrong with a store, its tables first and then their rows.
 */

CREATE FUNCTION modseq_internal.check_options(store modseq_internal.store) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('table %s is missing', value)
	FROM store_options(store.message)
	WHERE option IN ('mailbox', 'mailbox_source', 'flag', 'vanished', 'counters', 'account_table', 'departed',
			'uidvalidities') AND table_named(value) IS NULL
	UNION ALL
	SELECT format('table %s is another owner''s, and has no trigger of the store', qualified_name(table_named(value)))
	FROM store_options(store.message)
	WHERE option IN ('mailbox', 'mailbox_source', 'flag', 'vanished', 'counters', 'account_table', 'departed',
			'uidvalidities') AND to_jsonb(store) -> option = 'null'
		AND table_named(value) IS NOT NULL
	UNION ALL (
	SELECT DISTINCT format('option "%s" of table %s is missing or not valid', name, qualified_name(store.message)) AS problem
	FROM (
		SELECT unnest('{mailbox_key,mailbox_uidvalidity,mailbox_uidnext,mailbox_highestmodseq,'
			'message_mailbox,message_uid,message_modseq}'::text[])
		UNION ALL
		SELECT name
		FROM unnest('{mailbox,vanished}'::text[]) AS name
		WHERE NOT EXISTS (SELECT FROM store_options(store.message) WHERE option = name)
		UNION ALL
		SELECT name
		FROM unnest('{account_table,departed,email,message_created_modseq}'::text[]) AS name
		WHERE store.account IS NOT NULL AND NOT EXISTS (SELECT FROM store_options(store.message) WHERE option = name)
		UNION ALL
		SELECT option
		FROM store_options(store.message)
		WHERE option NOT IN ('mailbox', 'mailbox_source', 'flag', 'vanished', 'counters', 'account_table', 'departed',
			'uidvalidities')) AS o (name)
	WHERE to_jsonb(store) -> name = 'null'
		AND NOT (name = 'mailbox_uidnext' AND store.mailbox_last_uid IS NOT NULL)
	ORDER BY problem)
$$;
COMMENT ON FUNCTION modseq_internal.check_options IS
	'What a store''s options name that is not there, or cannot be part of the store.';

-- A table that is not there is NULL, and nothing is said of it
CREATE FUNCTION modseq_internal.check_schema(store modseq_internal.store) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('column "%s" of table %s is missing', attribute, qualified_name(relation))
	FROM wanted_columns(store)
	WHERE relation IS NOT NULL AND column_type(relation, attribute) IS NULL
	UNION ALL
	SELECT format('table %s is no table now', qualified_name(oid))
	FROM pg_class
	WHERE oid = ANY (all_tables(store)) AND relkind NOT IN ('r', 'p')
	UNION ALL
	SELECT format('table %s is unlogged', qualified_name(t))
	FROM with_partitions(VARIADIC all_tables(store)) AS u (t)
	JOIN pg_class ON oid = t
	WHERE relpersistence <> 'p'
	UNION ALL
	SELECT format('table %s %s', qualified_name(oid),
		CASE WHEN relispartition THEN 'is a partition' ELSE 'inherits or is inherited from' END)
	FROM pg_class
	WHERE oid = ANY (all_tables(store)) AND is_inherited(oid)
	UNION ALL
	SELECT format('column "%s" of table %s has type %s', attribute, qualified_name(relation),
		column_type(relation, attribute))
	FROM wanted_columns(store)
	WHERE column_type(relation, attribute) <> ALL (types)
	UNION ALL
	SELECT format('column "%s" of table %s is a generated column', w.attribute, qualified_name(w.relation))
	FROM wanted_columns(store) w
	JOIN pg_attribute a ON a.attrelid = w.relation AND a.attname = w.attribute AND a.attgenerated <> ''
	WHERE w.definition IS NOT NULL OR w.option IN ('message_mailbox', 'email', 'thread')
	UNION ALL
	SELECT format('column "%s" of table %s has not the type of the key that it refers to', attribute,
		qualified_name(relation))
	FROM (
		SELECT store.message, u.*, store.mailbox FROM unnest(store.message_mailbox, store.mailbox_key) AS u
		UNION ALL
		SELECT store.mailbox_source, u.*, store.mailbox FROM unnest(store.mailbox_source_key, store.mailbox_key) AS u
		UNION ALL
		SELECT store.flag, u.*, store.mailbox FROM unnest(store.flag_mailbox, store.mailbox_key) AS u
		UNION ALL
		SELECT store.flag, u.*, store.message FROM unnest(store.flag_message, store.message_key) AS u)
		AS k (relation, attribute, referenced, parent)
	WHERE NOT may_hold_same_key(column_type(relation, attribute), column_type(parent, referenced))
	UNION ALL
	SELECT format('column "%s" of table %s has not the type of the mailbox key', k, qualified_name(ours))
	FROM unnest(ARRAY[store.vanished, store.counters]) AS ours, unnest(store.mailbox_key) AS k
	WHERE ours IS NOT NULL AND column_type(store.mailbox, k) IS NOT NULL
		AND column_definitions(ours, ARRAY[k]) IS DISTINCT FROM column_definitions(store.mailbox, ARRAY[k])
	UNION ALL
	SELECT format('column "%s" of table %s is missing, or has not type %s', c.name, qualified_name(c.ours), c.type)
	FROM (VALUES
		(store.vanished, 'modseq', 'bigint'::regtype),
		(store.vanished, 'uids', 'modseq.uidset'::regtype),
		(store.vanished, 'lost', 'bigint'::regtype),
		(store.vanished, 'lost_uids', 'modseq.uidset'::regtype),
		(CASE WHEN store.changes = 'log' THEN store.vanished END, 'changed', 'modseq.uidset'::regtype),
		(store.counters, 'gone_at', 'timestamptz'::regtype)) AS c (ours, name, type)
	WHERE c.ours IS NOT NULL AND column_type(c.ours, c.name) IS DISTINCT FROM c.type
	UNION ALL
	SELECT format('table %s has not the columns (%s)', qualified_name(c.ours), c.definitions)
	FROM (VALUES
		(store.account_table, account_definitions(store), account_key(store)),
		(store.departed, departed_definitions(store), NULL),
		(CASE WHEN is_distributed(store.message) THEN store.uidvalidities END, uidvalidities_definitions(store),
			uidvalidities_key(store)),
		(CASE WHEN num_nonnulls(store.account, counted_definitions(store)) > 0 THEN store.counters END,
			counters_definitions(store), store.mailbox_key))
		AS c (ours, definitions, key)
	WHERE c.ours IS NOT NULL AND NOT has_definitions(c.ours, c.definitions, c.key)
	UNION ALL
	SELECT format('table %s is distributed by Citus, and table %s is not', qualified_name(u.distributed), qualified_name(u.other))
	FROM unnest(all_tables(store)) AS part (relation),
		LATERAL (SELECT is_distributed(store.message), is_distributed(part.relation)) AS d (message, part),
		LATERAL (SELECT CASE WHEN d.part THEN part.relation ELSE store.message END,
			CASE WHEN d.part THEN store.message ELSE part.relation END) AS u (distributed, other)
	WHERE d.message <> d.part
	UNION ALL
	SELECT format('table %s has another owner than table %s', qualified_name(v.oid), qualified_name(m.oid))
	FROM pg_class v, pg_class m
	WHERE v.oid = ANY (our_tables(store)) AND m.oid = store.message AND v.relowner <> m.relowner
	UNION ALL
	SELECT format('index on %s (%s) is missing', qualified_name(relation), array_to_string(columns, ', '))
	FROM wanted_indexes(store)
	WHERE NOT has_index(relation, columns, is_unique, is_sorted)
	UNION ALL
	SELECT format('trigger "%s" on table %s %s', name, qualified_name(relation), problem)
	FROM unsound_triggers(store)
$$;
COMMENT ON FUNCTION modseq_internal.check_schema IS
	'What is missing or wrong of the tables, columns, indexes and triggers of a store.';

CREATE FUNCTION modseq_internal.has_mailbox(store modseq_internal.store, key text[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	found boolean;
BEGIN
	EXECUTE expand_template(store, $query$
		WITH chosen AS (SELECT {$1})
		SELECT EXISTS (SELECT FROM chosen, {mailbox} b WHERE {b=chosen} AND NOT {b.gone})
		$query$ || CASE WHEN source_table(store) IS NULL THEN '' ELSE $query$
		OR EXISTS (SELECT FROM chosen, {source} s WHERE {s=chosen})
		$query$ END) INTO found USING key;
	RETURN found;
END
$$;
COMMENT ON FUNCTION modseq_internal.has_mailbox IS
	'Is there a mailbox with that key?';

CREATE FUNCTION modseq_internal.one_mailbox(key text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN key IS NULL THEN '' ELSE '{one}' END
$$;
COMMENT ON FUNCTION modseq_internal.one_mailbox IS
	'What a template begins with that reads no rows but those of the mailbox with that key, and of its account. '
	'Nothing if the key is null: then it reads all.';

-- A state is told to clients as the account's, and says that nothing of that type came later
CREATE FUNCTION modseq_internal.check_accounts(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE expand_template(store, one_mailbox(key) || $query$
		WITH chosen AS (SELECT {$1})
		SELECT {b.name}, NULL::bigint, p.problem
		FROM {mailbox b} LEFT JOIN {account a} ON {a@b}, LATERAL (VALUES
			(num_nulls({b.account}) = 0, 'account is null'),
			(num_nulls({b.account}) > 0 OR a.epoch IS NOT NULL, 'account does not exist'),
			({b.highestmodseq} <= a.highestmodseq IS NOT FALSE, 'account has a lower highestmodseq than the mailbox'),
			({b.created_modseq} <= a.highestmodseq IS NOT FALSE, 'account has a lower highestmodseq than created_modseq'),
			({b.properties_modseq} <= a.highestmodseq IS NOT FALSE, 'account has a lower highestmodseq than properties_modseq'),
			({b.gone} OR {b.highestmodseq} <= a.mailbox_modseq IS NOT FALSE,
				'account has a lower mailbox_modseq than the mailbox has changed'))
			AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT NULL, NULL::bigint, concat_ws(' ', 'account', nullif({a.account_name}, ''), p.problem)
		FROM {account a}, LATERAL (VALUES
			(a.epoch BETWEEN 1 AND 4294967295, 'epoch is not in 1 to 4294967295'),
			(a.highestmodseq >= 1, 'highestmodseq is below 1'),
			(a.email_modseq BETWEEN 1 AND a.highestmodseq, 'email_modseq is not in 1 to highestmodseq'),
			(a.thread_modseq BETWEEN 1 AND a.highestmodseq, 'thread_modseq is not in 1 to highestmodseq'),
			(a.mailbox_modseq BETWEEN 1 AND a.highestmodseq, 'mailbox_modseq is not in 1 to highestmodseq'),
			(a.floor BETWEEN 1 AND a.highestmodseq, 'floor is not in 1 to highestmodseq')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, p.problem
		FROM {message m} LEFT JOIN ({mailbox b} JOIN {account a} ON {a@b}) ON {b=m}, LATERAL (VALUES
			(m.{email} IS NOT NULL, 'email is null'),
			(({b.gone} OR m.{modseq} <= a.email_modseq) IS NOT FALSE,
				'account has a lower email_modseq than the message has changed')
			$query$ || CASE WHEN store.thread IS NULL THEN '' ELSE $query$,
			(m.{thread} IS NOT NULL, 'thread is null')
			$query$ END || $query$) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE AND {m.live}
		UNION ALL
		SELECT NULL, NULL::bigint, 'departed row ' || d.modseq || p.problem
		FROM {departed d} LEFT JOIN {account a} ON {a@d}, LATERAL (VALUES
			(a.epoch IS NOT NULL, ' is of an account that does not exist'),
			(d.modseq >= 1, ' is below 1'),
			(d.modseq <= a.highestmodseq IS NOT FALSE, ' is above highestmodseq of its account'),
			(coalesce(cardinality(d.emails), 0) = coalesce(cardinality(d.created), 0)
				AND coalesce(cardinality(d.mailboxes), 0) = coalesce(cardinality(d.mailboxes_created), 0)
				$query$ || CASE WHEN store.thread IS NULL THEN '' ELSE $query$
				AND coalesce(cardinality(d.threads), 0) = coalesce(cardinality(d.emails), 0)
				$query$ END || $query$, ' has lists of different lengths'),
			(NOT EXISTS (SELECT FROM unnest(d.emails) AS e WHERE e IS NULL), ' has a null among emails'),
			(NOT EXISTS (
				SELECT FROM unnest(d.created || d.mailboxes_created) AS c
				WHERE c <= d.modseq IS FALSE), ' has what was created later')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		$query$ || CASE WHEN store.counters IS NULL OR store.account = '{}' THEN '' ELSE $query$
		UNION ALL
		SELECT {b.name}, NULL::bigint, 'account is another one in table ' || $2
		FROM {mailbox b} JOIN {source s} ON {s=b}
		WHERE NOT {b.gone} AND ({s@b}) IS NOT TRUE
		$query$ END) USING key, qualified_name(store.mailbox);
END
$$;
COMMENT ON FUNCTION modseq_internal.check_accounts IS
	'What is wrong with the accounts of a store, and with what has left them; or with one mailbox and its account.';

-- All of it is one snapshot
CREATE FUNCTION modseq_internal.check_rows(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE expand_template(store, one_mailbox(key) || $query$
		WITH chosen AS (SELECT {$1}),
		box AS (
			SELECT {b.key}, {b.uidnext} AS {_uidnext}, {b.highestmodseq} AS {_modseq}, b.{uidvalidity} AS {_uidvalidity},
				{b.gone} AS {_gone}
			FROM {mailbox b}),
		live AS (
			SELECT {m.key}, modseq.uidset_agg({m.uid}) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295) AS {_uids}
			FROM {message m}
			WHERE {m.live}
			GROUP BY {m.key}),
		gone AS (
			SELECT {v.key}, modseq.uidset_agg(v.uids) AS {_uids}
			FROM {vanished v}
			GROUP BY {v.key})
		$query$ || CASE WHEN store.changes <> 'log' THEN '' ELSE $query$,
		log AS MATERIALIZED (
			SELECT {v.key}, v.modseq AS {_modseq},
				modseq.uidset_agg(v.changed) OVER (PARTITION BY {v.key} ORDER BY v.modseq DESC) AS {_uids}
			FROM {vanished v}
			WHERE v.changed IS NOT NULL),
		-- The last mod-sequence of each row, and, of the messages up to it, those that it or a later one must name
		row AS (
			SELECT {log.key}, array_agg(log.{_modseq} ORDER BY log.{_modseq}) AS {_ends}
			FROM log
			GROUP BY {log.key}),
		due AS (
			SELECT {box.key}, e.{_modseq}, modseq.uidset_agg({m.uid}) AS {_uids}
			FROM {message m} JOIN box ON {m=box} AND NOT box.{_gone} LEFT JOIN row ON {box=row}
			CROSS JOIN LATERAL (SELECT row.{_ends}[width_bucket(m.{modseq} - 1, row.{_ends}) + 1]) AS e ({_modseq})
			WHERE {m.live} AND m.{modseq} > 1 AND m.{uid} BETWEEN 1 AND 4294967295
			GROUP BY {box.key}, e.{_modseq})
		$query$ END || $query$
		SELECT {box.name}, NULL::bigint, p.problem
		FROM box, LATERAL (VALUES
			(box.{_uidvalidity} BETWEEN 1 AND 4294967295, 'uidvalidity is not in 1 to 4294967295'),
			(box.{_uidnext} <= 4294967296, 'uidnext is above 4294967296')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, p.problem
		FROM {message m} LEFT JOIN box ON {m=box}, LATERAL (VALUES
			(NOT box.{_gone}, 'mailbox does not exist'),
			(m.{uid} BETWEEN 1 AND 4294967295, 'uid is not in 1 to 4294967295'),
			(m.{uid} < box.{_uidnext} IS NOT FALSE, 'uid is not below UIDNEXT'),
			(m.{modseq} >= 1, 'modseq is below 1'),
			(m.{modseq} <= box.{_modseq} IS NOT FALSE, 'modseq is above HIGHESTMODSEQ')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, 'duplicate uid'
		FROM {message m}
		GROUP BY {m.key}, m.{uid}
		HAVING count(*) > 1
		UNION ALL
		SELECT {v.name}, modseq.max(v.uids), p.problem
		FROM {vanished v} LEFT JOIN box ON {v=box}, LATERAL (VALUES
			-- Of one that can come back it is remembered
			(box.{_uidnext} IS NOT NULL OR v.vanished_at = 'infinity', 'vanished messages of a mailbox that does not exist'),
			(modseq.cardinality(v.uids) > 0 OR v.vanished_at = 'infinity' OR NOT {v.unlogged} OR v.lost IS NOT NULL,
				'vanished row without a uid'),
			(v.lost < v.modseq IS NOT FALSE, 'vanished row has lost no mod-sequence below its own'),
			(v.lost IS NOT NULL OR v.lost_uids IS NULL, 'vanished row has lost UIDs, and no mod-sequence'),
			(modseq.max(v.uids) < box.{_uidnext} IS NOT FALSE, 'vanished uid is not below UIDNEXT'),
			(v.modseq >= 1, 'vanished modseq is below 1'),
			(v.modseq <= box.{_modseq} IS NOT FALSE OR NOT {v.any}, 'vanished modseq is above HIGHESTMODSEQ')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, 'modseq may have been given by a server that is lost'
		FROM {vanished} v JOIN {message} m ON {m=v} AND m.{modseq} > v.lost AND m.{modseq} < v.modseq
		WHERE v.lost IS NOT NULL
		UNION ALL
		SELECT {live.name}, u.uid, 'vanished uid is live'
		FROM box JOIN live ON {live=box} JOIN gone ON {gone=box},
			modseq.unnest(live.{_uids} OPERATOR(modseq.*) gone.{_uids}) AS u (uid)
		UNION ALL
		SELECT {box.name}, modseq.min(lost.uids), 'uid below UIDNEXT is neither live nor vanished'
		FROM box LEFT JOIN live ON {live=box} LEFT JOIN gone ON {gone=box}
		CROSS JOIN LATERAL (
			SELECT modseq.uidset(int8multirange(int8range(1, least(greatest(box.{_uidnext}, 1), 4294967296))))
				OPERATOR(modseq.-) coalesce(live.{_uids}, '')
				OPERATOR(modseq.-) coalesce(gone.{_uids}, '')) AS lost (uids)
		WHERE modseq.cardinality(lost.uids) > 0
		$query$ || CASE WHEN store.changes <> 'log' THEN '' ELSE $query$
		UNION ALL
		SELECT {due.name}, u.uid, 'modseq is not logged'
		FROM due LEFT JOIN log ON {due=log} AND due.{_modseq} = log.{_modseq},
			modseq.unnest(due.{_uids} OPERATOR(modseq.-) coalesce(log.{_uids}, '')) AS u (uid)
		$query$ END || CASE WHEN store.message_created_modseq IS NULL THEN '' ELSE $query$
		UNION ALL
		SELECT {m.name}, {m.uid}, 'created_modseq is not in 1 to modseq'
		FROM {message m}
		WHERE m.{created_modseq} BETWEEN 1 AND m.{modseq} IS NOT TRUE
		$query$ END || CASE WHEN source_table(store) IS NULL THEN '' ELSE $query$
		UNION ALL
		SELECT {s.name}, NULL::bigint, 'mailbox has no counters'
		FROM {source s}
		WHERE NOT EXISTS (SELECT FROM {mailbox b} WHERE {s=b} AND NOT {b.gone}) AND num_nulls({s.key}) = 0
		UNION ALL
		SELECT {b.name}, NULL::bigint, 'mailbox has counters only'
		FROM {mailbox b}
		WHERE NOT {b.gone} AND NOT EXISTS (SELECT FROM {source s} WHERE {s=b})
		$query$ END) USING key;
	IF store.account IS NOT NULL THEN
		RETURN QUERY SELECT * FROM check_accounts(store, key);
	END IF;
	IF counted_definitions(store) IS NOT NULL THEN
		RETURN QUERY SELECT * FROM check_counts(store, key);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_rows IS
	'What is wrong with the rows of the tables of a store, or with those of one mailbox.';

-- Nothing is broken, so it is no row
CREATE FUNCTION modseq_internal.notice_incarnations(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
	highest bigint;
BEGIN
	EXECUTE expand_template(store,
		'SELECT count(*) FROM (SELECT FROM {vanished} v WHERE v.lost IS NOT NULL GROUP BY {v.key}) AS box') INTO n;
	IF n > 0 THEN
		RAISE NOTICE 'mailboxes of table % of which a server that is lost may have told more: %', qualified_name(store.message), n
			USING HINT = 'modseq.lost(store, mailbox) says of what. Clients are told by themselves.';
	END IF;
	EXECUTE expand_template(store,
		'SELECT count(*), max({b.highestmodseq}) FROM {mailbox} b WHERE {b.highestmodseq} > $1')
		INTO n, highest USING next_incarnation((SELECT coalesce(max(i.modseq), 0) FROM modseq.incarnation i));
	IF n > 0 THEN
		RAISE NOTICE 'mailboxes of table % whose HIGHESTMODSEQ is ahead of the clock: %', qualified_name(store.message), n USING
			DETAIL = 'A server that goes on without the last commits would not know that it must count from a higher number on.',
			HINT = format('modseq.recovered(%s) begins an incarnation that is above them.', highest);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_incarnations IS
	'Tells of mailboxes that have lost mod-sequences, and UIDs, as modseq.lost() says; and of those that a failover would find '
	'unprotected.';

CREATE FUNCTION modseq_internal.check_mailbox(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT * FROM check_rows(store, key);
	IF key IS NOT NULL AND NOT FOUND AND NOT has_mailbox(store, key) THEN
		RAISE 'mailbox % does not exist', '(' || array_to_string(key, ', ') || ')' USING
			ERRCODE = 'undefined_object',
			DETAIL = format('Table %s has no such row, and nothing is left of it.',
				qualified_name(coalesce(store.mailbox_source, store.mailbox))),
			HINT = 'A mailbox is given by the value of its key.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_mailbox IS
	'The same, and error 42704 if there is no such mailbox.';

-- Not STABLE: each query has a snapshot of its own, which is newer than the attach() that was waited for
CREATE FUNCTION modseq_internal.check_store(store regclass, key text[]) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	s modseq_internal.store;
	missing text[];
	unreadable boolean := false;
	reason text;
BEGIN
	PERFORM wait_for_attach(store);
	-- Without the trigger that makes it a store, others of ours on the table tell that it was one
	IF NOT EXISTS (SELECT FROM store_of(store))
		AND EXISTS (SELECT FROM our_triggers(ARRAY[store])) AND NOT is_partition_of_store(store)
	THEN
		problem := format('trigger "zz_modseq_assign" on table %s is missing', qualified_name(store));
		RETURN NEXT;
		RETURN;
	END IF;

	s := find_store(store);
	missing := ARRAY(SELECT check_options(s));
	-- Without its counter table a store looks like one that has the counters in the mailbox table. So that one must not
	-- be asked for them either.
	IF s.counters IS NULL AND EXISTS (SELECT FROM store_options(s.message) WHERE option = 'counters') THEN
		s.mailbox := NULL;
	END IF;
	FOR problem IN SELECT unnest(missing) UNION ALL SELECT check_schema(s) LOOP
		unreadable := unreadable OR problem ~ '^(table|option|column)';
		RETURN NEXT;
	END LOOP;
	IF NOT unreadable THEN
		PERFORM refuse_reader(s, ARRAY[s.message, s.mailbox, s.mailbox_source] || our_tables(s), 'modseq.check()');
		IF key IS NOT NULL THEN
			-- A literal without a type, meant for a text[]
			IF cardinality(s.mailbox_key) > 1 AND cardinality(key) = 1 AND key[1] LIKE '{%' THEN
				key := key[1]::text[];
			END IF;
			IF cardinality(key) <> cardinality(s.mailbox_key) THEN
				RAISE 'mailbox key has % value(s), but that of table % has % column(s)', cardinality(key),
					qualified_name(coalesce(s.mailbox_source, s.mailbox)), cardinality(s.mailbox_key) USING
					ERRCODE = 'invalid_parameter_value',
					HINT = 'Pass a text[] with one element for each key column.';
			END IF;
			key := ARRAY(SELECT unnest(key));
		END IF;
		IF is_distributed(store) THEN
			RETURN QUERY SELECT * FROM check_shards(s, key);
		ELSE
			RETURN QUERY SELECT * FROM check_mailbox(s, key);
		END IF;
		IF key IS NULL THEN
			PERFORM notice_incarnations(s);
		END IF;
	END IF;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
	IF s.message IS NULL OR reason = '' THEN
		RAISE;
	END IF;
	problem := format('option of table %s does not fit: %s', qualified_name(store), reason);
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_store IS
	'What modseq.check() does: for a store if the key is null, else for one mailbox.';

CREATE FUNCTION modseq_internal.check(store regclass) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT * FROM check_store(store, NULL);
END
$$;
COMMENT ON FUNCTION modseq_internal.check(regclass) IS
	'What modseq.check() does, as the owner of the message table, or as who may read the store.';

CREATE FUNCTION modseq.check(store regclass) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'modseq_as_owner';
COMMENT ON FUNCTION modseq.check(regclass) IS
	'One row for each broken invariant of a store, none when it is sound: the mailbox key as text (an array for a '
	'key of several columns), the UID, and the problem, which begins with what it is about: table, option, column, '
	'index, trigger, mailbox, uidvalidity, uidnext, uid, duplicate, modseq, created_modseq, vanished, '
	'account, email, thread or departed. Reads the whole '
	'store, all rows in one snapshot. A NOTICE says how many mailboxes have lost mod-sequences to a failover, see modseq.lost(), or are ahead of the clock, see modseq.recovered(). Waits for an attach() or detach() of it that is not over. Needs SELECT on its tables. Errors: 55000 if the table is '
	'not attached, 42501 without the right to read all rows, or where row-level security hides some.';

DO $overloads$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
		EXECUTE format($definition$
			CREATE FUNCTION modseq_internal.check(store regclass, mailbox_key %1$s)
			RETURNS TABLE (mailbox text, uid bigint, problem text)
			LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $body$
			BEGIN
				IF mailbox_key IS NULL OR array_position(%2$s, NULL) > 0 THEN
					RAISE 'argument "mailbox" must not be null' USING
						ERRCODE = 'null_value_not_allowed',
						HINT = 'For the whole store call modseq.check() with the store alone.';
				END IF;
				RETURN QUERY SELECT * FROM check_store(store, %2$s);
			END
			$body$;
			COMMENT ON FUNCTION modseq_internal.check(regclass, %1$s) IS
				'The same for one mailbox.';
			CREATE FUNCTION modseq.check(store regclass, mailbox_key %1$s)
			RETURNS TABLE (mailbox text, uid bigint, problem text)
			LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'modseq_as_owner';
			COMMENT ON FUNCTION modseq.check(regclass, %1$s) IS
				'What modseq.check(store) says of one mailbox, given by its key (a text[] has an element for each '
				'column), and of its account. Reads no other mailbox; of the store, tables, columns, indexes and triggers '
				'as ever. Of a mailbox that is gone it tells what is left. Rights, locks and errors as there, and 42704 '
				'if there is neither such a mailbox nor anything left of it, 22004 for a null, 22023 if the key has '
				'another number of columns.';
			$definition$, t, CASE t WHEN 'text[]' THEN 'mailbox_key' ELSE 'ARRAY[mailbox_key::text]' END);
	END LOOP;
END
$overloads$;
