/*
 * attach(): the messages and mailboxes that exist, brought to where the triggers
 * take over.
 */

-- One too many, whose source has gone, stays in a table of the application's, lest somebody's foreign key takes more along;
-- check() reports it
CREATE FUNCTION modseq_internal.add_mailboxes(store modseq_internal.store) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
	changed boolean := false;
BEGIN
	IF source_table(store) IS NOT NULL THEN
		EXECUTE expand_template(store, '
			INSERT INTO {mailbox} ({key})
			SELECT {s.key}
			FROM {source} s
			WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {s=b}) AND num_nulls({s.key}) = 0');
		GET DIAGNOSTICS n = ROW_COUNT;
		changed := n > 0;
	END IF;
	IF store.counters IS NOT NULL THEN
		EXECUTE expand_template(store, '
			WITH gone AS (
				DELETE FROM {mailbox} b WHERE NOT EXISTS (SELECT FROM {source} s WHERE {s=b}) RETURNING b.gone_at)
			SELECT count(*) FROM gone WHERE gone_at IS NULL') INTO n;
		changed := changed OR n > 0;
		EXECUTE expand_template(store, 'UPDATE {mailbox} b SET gone_at = NULL WHERE b.gone_at IS NOT NULL');
		GET DIAGNOSTICS n = ROW_COUNT;
		changed := changed OR n > 0;
	END IF;
	RETURN changed;
END
$$;
COMMENT ON FUNCTION modseq_internal.add_mailboxes IS
	'Adds the rows that a table of counters lacks which is beside the table that mailboxes come from; of ours, removes '
	'those whose mailboxes have gone. Returns whether there were any that the triggers have not seen.';

CREATE FUNCTION modseq_internal.refuse_messages(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	nulls integer;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {m.name}, num_nulls({m.key})
		FROM {message} m
		WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {m=b})
		LIMIT 1') INTO mailbox, nulls;
	IF nulls > 0 THEN
		RAISE 'table % has a message without a mailbox', qualified_name(store.message) USING
			ERRCODE = 'not_null_violation',
			HINT = 'Give it a mailbox, or delete it.';
	ELSIF nulls = 0 THEN
		RAISE 'table % has a message in mailbox "%", which does not exist',
			qualified_name(store.message), mailbox USING
			ERRCODE = 'foreign_key_violation',
			HINT = format('Create the mailbox in table %s, or delete its messages.', qualified_name(store.mailbox));
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_messages IS
	'Refuses messages that belong to no mailbox.';

CREATE FUNCTION modseq_internal.refuse_counters(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	uidvalidity bigint;
	uidnext bigint;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {b.name}, b.{uidvalidity}, {b.uidnext}
		FROM {mailbox} b
		WHERE b.{uidvalidity} NOT BETWEEN 0 AND 4294967295 OR {b.uidnext} > 4294967296
		LIMIT 1') INTO mailbox, uidvalidity, uidnext;
	IF uidnext > 4294967296 THEN
		RAISE 'UIDNEXT % of mailbox "%" is out of range', uidnext, mailbox USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'It is at most 4294967296, when no UID is left.',
			HINT = 'Set it to null, and modseq.attach() takes the one after the highest UID.';
	ELSIF uidvalidity IS NOT NULL THEN
		RAISE 'UIDVALIDITY % of mailbox "%" is out of range', uidvalidity, mailbox USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'It is 1 to 4294967295 (RFC 9051).',
			HINT = 'Set it to null or 0, and modseq.attach() assigns one.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_counters IS
	'Refuses counters that no mailbox can have.';

CREATE FUNCTION modseq_internal.refuse_uids(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	uid bigint;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {uid} FROM {message} WHERE {uid} NOT BETWEEN 0 AND 4294967295 LIMIT 1') INTO uid;
	IF uid IS NOT NULL THEN
		RAISE 'UID % in table % is out of range', uid, qualified_name(store.message) USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'UIDs are 1 to 4294967295.',
			HINT = 'Where it is null, modseq.attach() assigns the next one. If a mailbox has none left, move messages to '
				'another one.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_uids IS
	'Refuses UIDs that no message can have; null and 0 are none.';

CREATE FUNCTION modseq_internal.small_uids(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(format('column %s of table %s', quote_ident(c.name), qualified_name(c.relation)), ', ')
	FROM (VALUES
		(store.message, store.message_uid),
		(counter_table(store), coalesce(store.mailbox_uidnext, store.mailbox_last_uid))) AS c (relation, name)
	WHERE column_type(c.relation, c.name) = 'integer'::regtype
$$;
COMMENT ON FUNCTION modseq_internal.small_uids IS
	'Which columns of UIDs have not room for all of them; NULL if they have.';

CREATE FUNCTION modseq_internal.explain_overflow(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	max_modseq CONSTANT bigint := 9223372036854775807;
	small CONSTANT text := small_uids(store);
	mailbox text;
BEGIN
	PERFORM refuse_uids(store);
	EXECUTE expand_template(store, '
		SELECT {b.name}
		FROM {mailbox} b
		WHERE greatest({b.highestmodseq},
			(SELECT max(m.{modseq}) FROM {message} m WHERE {m=b}),
			(SELECT max(v.modseq) FROM {vanished} v WHERE {v=b})) = $1
		LIMIT 1') INTO mailbox USING max_modseq;
	IF mailbox IS NOT NULL THEN
		RAISE 'mailbox "%" has no mod-sequence left', mailbox USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = format('Its highest mod-sequence is %s, the highest that RFC 7162 allows.', max_modseq),
			HINT = 'Move its messages to a new mailbox.';
	END IF;
	IF small IS NOT NULL THEN
		RAISE 'numbers of store % do not fit into their columns', qualified_name(store.message) USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'A UID is at most 4294967295, and an integer 2147483647.',
			HINT = format('Change the type of %s to bigint.', small);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.explain_overflow IS
	'A clear error for a number of adopt() that is out of range, if there is one.';

-- Brings the messages and mailboxes that exist to where the triggers take over: every message has a UID and
-- a mod-sequence, and the counters are past all that was ever used. Only rows that need it are written. A message
-- that is live under a UID that has vanished, since it was undeleted, or is so by another message_expunged than
-- before, needs another UID.
--
-- UIDs below UIDNEXT that are neither live nor known to have vanished went unseen; we remember them now, as
-- it is harmless to tell a client that a UID vanished which it never had. If that was before the first attach,
-- clients may have learnt of them from whatever kept the mod-sequences then: they vanished no later than
-- HIGHESTMODSEQ. If the store was attached before, nobody knows of them, and they vanish under a new value; so
-- do messages from UIDNEXT on arrive, whatever mod-sequence they have.
--
-- Where mod-sequences are new altogether, no client has one to ask with: then nothing gets a new value, and
-- messages keep the mod-sequence that came with the column.
--
-- A new value is above all that the account has handed out, so that adopt_accounts() sees which have changed. It is of
-- the present incarnation: a mailbox that takes its first one begins it as by a change (rule "incarnations"). What is
-- older than the first attach no server of ours can have told.
CREATE FUNCTION modseq_internal.adopt(store modseq_internal.store, new_modseq boolean, new_store boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	-- Where they have no UID; {{} is a brace
	by_age CONSTANT text := coalesce(
		(SELECT replace(string_agg(format('m.%I', k), ', '), '{', '{{}') FROM unnest(primary_key(store.message)) AS k),
		'm.tableoid, m.ctid');
	of_account CONSTANT text := CASE WHEN store.account IS NULL THEN ''
		ELSE ', (SELECT a.highestmodseq FROM {account} a WHERE {a@b})' END;
	life CONSTANT record := incarnation();
	last_uid CONSTANT bigint := CASE WHEN small_uids(store) IS NOT NULL THEN 2147483647 ELSE 4294967295 END;
BEGIN
	EXECUTE expand_template(store, 'DELETE FROM {vanished} v WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {v=b})');

	-- In box, _uidnext is where new UIDs start, _back which ones are live again, _new how many messages need one,
	-- _lost what went unseen or is left out (of which _gap), _touched whether messages must be written, _value the mod-sequence of all
	-- that is, and _before what a server that is lost has counted on from, if the mailbox begins an incarnation
	EXECUTE expand_template(store, $query$
		WITH live AS (
			SELECT {m.key}, max(m.{uid}) AS {_uid}, max(m.{modseq}) AS {_modseq},
				count(*) FILTER (WHERE coalesce(m.{uid}, 0) = 0) AS {_new},
				count(*) FILTER (WHERE coalesce(m.{modseq}, 0) < 1) AS {_unstamped},
				modseq.uidset_agg({m.uid}) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295 AND {m.live}) AS {_uids}
			FROM {message} m
			GROUP BY {m.key}),
		gone AS (
			SELECT {v.key}, max(v.modseq) AS {_modseq}, modseq.uidset_agg(v.uids) AS {_uids}
			FROM {vanished} v
			WHERE {v.any}
			GROUP BY {v.key}),
		box AS MATERIALIZED (
			SELECT {b.key}, next.uid AS {_uidnext}, back.uids AS {_back}, lost.uids AS {_lost}, gap.uids AS {_gap},
				coalesce(live.{_new}, 0) + modseq.cardinality(back.uids) AS {_new},
				{b.uidnext} AS {_seen},
				live.{_new} > 0 OR live.{_unstamped} > 0 OR modseq.cardinality(back.uids) > 0
					OR NOT $2 AND live.{_uid} >= {b.uidnext} AS {_touched},
				CASE WHEN takes.one THEN greatest(high.modseq, $3$query$ || of_account || $query$) + 1 ELSE high.modseq END AS {_value},
				CASE WHEN begins.one THEN high.modseq END AS {_before}
			FROM {mailbox} b
			LEFT JOIN live ON {live=b}
			LEFT JOIN gone ON {gone=b}
			CROSS JOIN LATERAL greatest({b.uidnext}, live.{_uid} + 1, modseq.max(gone.{_uids}) + 1) AS last (uid)
			CROSS JOIN LATERAL coalesce(live.{_uids} OPERATOR(modseq.*) gone.{_uids}, '') AS back (uids)
			CROSS JOIN LATERAL (
				SELECT modseq.uidset(int8multirange(int8range(1, least(last.uid, 4294967296))))
					OPERATOR(modseq.-) coalesce(live.{_uids}, '')
					OPERATOR(modseq.-) coalesce(gone.{_uids}, '')) AS unseen (uids)
			CROSS JOIN LATERAL (
				SELECT NOT $1 AND (live.{_new} > 0 OR live.{_unstamped} > 0 OR modseq.cardinality(back.uids) > 0
					OR NOT $2 AND (modseq.cardinality(unseen.uids) > 0 OR live.{_uid} >= {b.uidnext})) IS TRUE) AS takes (one)
			CROSS JOIN LATERAL greatest({b.highestmodseq}, live.{_modseq}, gone.{_modseq}) AS high (modseq)
			CROSS JOIN LATERAL (SELECT takes.one AND NOT $2 AND high.modseq <= $3) AS begins (one)
			CROSS JOIN LATERAL (
				SELECT last.uid + CASE WHEN begins.one THEN greatest(least($4, ($5 - last.uid) / 64), 0) ELSE 0 END) AS next (uid)
			CROSS JOIN LATERAL
				modseq.uidset(int8multirange(int8range(least(last.uid, 4294967296), least(next.uid, 4294967296)))) AS gap (uids)
			CROSS JOIN LATERAL (SELECT unseen.uids OPERATOR(modseq.+) gap.uids) AS lost (uids)),
		fresh AS (
			SELECT {m.key}, m.tableoid, m.ctid, box.{_value}, needs.uid AND NOT {m.live} AS {_expunged},
				CASE WHEN needs.uid
						THEN box.{_uidnext} - 1 + row_number() OVER (PARTITION BY {m.key}, needs.uid ORDER BY $query$ || by_age || $query$)
						ELSE m.{uid} END AS {_uid}
			FROM {message} m JOIN box ON {m=box}
			CROSS JOIN LATERAL coalesce(
				m.{uid} = 0 OR {m.uid} OPERATOR(modseq.<@) box.{_back} AND {m.live}, true) AS needs (uid)
			WHERE needs.uid OR coalesce(m.{modseq}, 0) < 1 OR NOT $2 AND m.{uid} >= box.{_seen}),
		numbered AS (
			UPDATE {message} m SET {uid} = fresh.{_uid}, {modseq} = CASE WHEN $1 THEN m.{modseq} ELSE fresh.{_value} END
				$query$ || CASE WHEN store.message_created_modseq IS NULL THEN '' ELSE $query$,
				{created_modseq} = CASE WHEN m.{uid} = fresh.{_uid} THEN m.{created_modseq} ELSE 0 END
				$query$ END || $query$
			FROM fresh
			-- Mostly there is nothing to do, and then the messages are not read once more
			WHERE (SELECT bool_or(box.{_touched}) FROM box) AND m.tableoid = fresh.tableoid AND m.ctid = fresh.ctid),
		expunged AS (
			SELECT {m.key}, modseq.uidset_agg(m.{_uid}) AS {_uids} FROM fresh m WHERE m.{_expunged} GROUP BY {m.key}),
		remembered AS (
			INSERT INTO {vanished} AS v ({key}, modseq, uids, lost, lost_uids)
			SELECT {box.key}, box.{_value}, box.{_lost} OPERATOR(modseq.+) coalesce(m.{_uids}, ''), box.{_before},
				CASE WHEN box.{_before} IS NOT NULL THEN box.{_gap} END
			FROM box LEFT JOIN expunged m ON {m=box}
			WHERE modseq.cardinality(box.{_lost} OPERATOR(modseq.+) coalesce(m.{_uids}, '')) > 0 OR box.{_before} IS NOT NULL
			-- A row of the log is at the end of its block, which can be the next mod-sequence
			ON CONFLICT ({key}, modseq) DO UPDATE SET uids = v.uids OPERATOR(modseq.+) excluded.uids,
				lost = excluded.lost, lost_uids = excluded.lost_uids)
		UPDATE {mailbox} b SET
			{uidnext} = box.{_uidnext} + box.{_new} - {next_minus_stored},
			{highestmodseq} = box.{_value},
			{uidvalidity} = coalesce(nullif(b.{uidvalidity}, 0), modseq.next_uidvalidity())
		FROM box
		WHERE {b=box}
			AND (b.{uidnext} IS DISTINCT FROM box.{_uidnext} + box.{_new} - {next_minus_stored}
				OR b.{highestmodseq} IS DISTINCT FROM box.{_value}
				OR coalesce(b.{uidvalidity}, 0) = 0)
		$query$) USING new_modseq, new_store, life.modseq, life.uid_gap, last_uid;

	IF store.message_created_modseq IS NOT NULL THEN
		EXECUTE expand_template(store, '
			UPDATE {message} SET {created_modseq} = {modseq}
			WHERE {created_modseq} IS NULL OR {created_modseq} NOT BETWEEN 1 AND {modseq}');
	END IF;

	PERFORM refuse_uids(store);
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt IS
	'Numbers the messages that exist, remembers the UIDs that are gone, and raises the counters past all that was '
	'ever used.';

-- An absent value is the same as an empty one, as to the triggers
CREATE FUNCTION modseq_internal.changed_flags(store modseq_internal.store, before modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(condition, ' OR ')
	FROM (
		SELECT format('to_jsonb(m.%s) NOT IN (''null'', ''false'', ''0'', ''""'', ''[]'', ''{{}}'')',
			replace(quote_ident(f), '{', '{{}'))
		FROM unnest(store.message_flags || before.message_flags) AS f
		WHERE (f = ANY (store.message_flags) AND f = ANY (before.message_flags)) IS NOT TRUE
			AND column_type(store.message, f) IS NOT NULL
			AND f IS DISTINCT FROM store.message_expunged AND f IS DISTINCT FROM before.message_expunged
		UNION ALL
		SELECT CASE WHEN store.flag IS NULL THEN 'true'
			WHEN store.flag_message IS NOT NULL THEN 'EXISTS (SELECT FROM {flag} f WHERE {m.id=f.id})'
			ELSE 'EXISTS (SELECT FROM {flag} f WHERE {f=m} AND {f.uid} = {m.uid})' END
		WHERE store.flag IS DISTINCT FROM before.flag OR store.flag_columns IS DISTINCT FROM before.flag_columns) AS c (condition)
$$;
COMMENT ON FUNCTION modseq_internal.changed_flags IS
	'A condition for a template: has message m a flag by the one store and not by the other? NULL if none has.';

-- adopt() gives those a mod-sequence that have none
CREATE FUNCTION modseq_internal.unstamp(store modseq_internal.store, condition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE expand_template(store, 'UPDATE {message} m SET {modseq} = 0 WHERE {m.live} AND (' || condition || ')');
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN
		RAISE NOTICE '% message(s) of table % have got new mod-sequences, for other flags are tracked now',
			n, qualified_name(store.message);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.unstamp IS
	'Takes their mod-sequence from the live messages that a condition holds for.';

CREATE FUNCTION modseq_internal.refuse_duplicates(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	uid bigint;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {m.name}, m.{uid}
		FROM {message} m
		GROUP BY {m.key}, m.{uid}
		HAVING count(*) > 1
		LIMIT 1') INTO mailbox, uid;
	IF uid IS NOT NULL THEN
		RAISE unique_violation USING
			DETAIL = format('Mailbox "%s" has UID %s twice.', mailbox, uid);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_duplicates IS
	'Refuses two messages with one UID, where no index finds them.';

-- added are the options that name columns that attach() has just added
CREATE FUNCTION modseq_internal.adopt_rows(
	store modseq_internal.store, replaced modseq_internal.store, added text[], new_store boolean, same_accounts boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.account IS NOT NULL THEN
		PERFORM refuse_accounts(store);
		same_accounts := NOT follow_accounts(store) AND same_accounts;
	END IF;
	PERFORM refuse_counters(store);
	-- Clients have mod-sequences of a column that was dropped or renamed: to them, all messages have changed
	IF 'message_modseq' = ANY (added) AND NOT new_store THEN
		EXECUTE expand_template(store, 'UPDATE {message} SET {modseq} = 0');
	ELSIF replaced.message IS NOT NULL AND changed_flags(store, replaced) IS NOT NULL THEN
		PERFORM unstamp(store, changed_flags(store, replaced));
	END IF;
	BEGIN
		PERFORM adopt(store, new_modseq => 'message_modseq' = ANY (added) AND new_store, new_store => new_store);
	EXCEPTION WHEN numeric_value_out_of_range THEN
		PERFORM explain_overflow(store);
		RAISE;
	END;
	IF store.account IS NOT NULL THEN
		PERFORM adopt_accounts(store, renew => NOT same_accounts);
	END IF;
	PERFORM fill_changes(store);
	PERFORM fill_counts(store);
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_rows IS
	'Brings all rows of a store to where the triggers take over, of what it was before.';
