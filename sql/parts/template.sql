/*
 * Queries on the tables of a store, written as templates that name these tables
 * and their columns in braces.
 *
 * {x.key} is the columns of the mailbox key in row x, {x.name} is the key as one
 * text, {x=y} says that rows x and y are of one mailbox; the other names are
 * those of the list in expand_template(). Aliases m and live have the mailbox key
 * under the message table's names, s under the source's, all others under the
 * mailbox table's.
 */

CREATE FUNCTION modseq_internal.template_key(store modseq_internal.store, alias text) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN alias IN ('m', 'live') THEN store.message_mailbox
				WHEN alias = 's' THEN store.mailbox_source_key
				ELSE store.mailbox_key END
$$;
COMMENT ON FUNCTION modseq_internal.template_key IS
	'The columns of the mailbox key in the row that a template calls by that alias.';

CREATE FUNCTION modseq_internal.template_key_columns(store modseq_internal.store, alias text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(format('%s.%I', alias, name), ', ' ORDER BY place)
	FROM unnest(template_key(store, alias)) WITH ORDINALITY AS k (name, place)
$$;
COMMENT ON FUNCTION modseq_internal.template_key_columns IS
	'The text of {x.key}: the columns of the mailbox key in row x.';

CREATE FUNCTION modseq_internal.template_key_text(store modseq_internal.store, alias text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE count(*) WHEN 1 THEN min(value)
				ELSE format('ARRAY[%s]::text', string_agg(value, ', ' ORDER BY place)) END
	FROM unnest(template_key(store, alias)) WITH ORDINALITY AS k (name, place),
		format('%s.%I::text', alias, name) AS value
$$;
COMMENT ON FUNCTION modseq_internal.template_key_text IS
	'The text of {x.name}: the key as one text, its value or the array of the values of a composite key.';

-- The operators are those of the unique index on the mailbox key: the = that a search_path finds may be another one,
-- for example for citext. Collations may differ.
CREATE FUNCTION modseq_internal.template_key_equality(store modseq_internal.store, a text, b text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(
		format('%s.%I OPERATOR(%I.%s) %s.%I', a, a_name, n.nspname, o.oprname, b, b_name)
			|| coalesce((SELECT ' COLLATE ' || c.name FROM column_collation(store.mailbox, k.name) c), ''),
		' AND ' ORDER BY place)
	FROM unnest(store.mailbox_key, template_key(store, a), template_key(store, b)) WITH ORDINALITY
		AS k (name, a_name, b_name, place)
	CROSS JOIN LATERAL (
		SELECT amop.amopopr
		FROM pg_index i
		CROSS JOIN LATERAL unnest(i.indkey, i.indclass) AS c (attnum, opclass)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = c.attnum AND a.attname = k.name
		JOIN pg_opclass ON pg_opclass.oid = c.opclass
		JOIN pg_amop amop ON amop.amopfamily = pg_opclass.opcfamily
			AND amop.amoplefttype = pg_opclass.opcintype AND amop.amoprighttype = pg_opclass.opcintype
		WHERE i.indrelid = store.mailbox AND i.indisunique
			AND amop.amopstrategy = 3			-- equality, in a btree
		LIMIT 1) AS equality
	JOIN pg_operator o ON o.oid = equality.amopopr
	JOIN pg_namespace n ON n.oid = o.oprnamespace
$$;
COMMENT ON FUNCTION modseq_internal.template_key_equality IS
	'The text of {x=y}: the condition that rows x and y belong to one mailbox.';

-- The C code says the same
CREATE FUNCTION modseq_internal.template_live(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE
		WHEN type IS NULL THEN 'true'
		WHEN type = 'boolean'::regtype THEN format('m.%I IS NOT TRUE', store.message_expunged)
		WHEN type = ANY ('{smallint,integer,bigint}'::regtype[])
			THEN format('coalesce(m.%I, 0) = 0', store.message_expunged)
		ELSE format('m.%I IS NULL', store.message_expunged) END
	FROM column_type(store.message, store.message_expunged) AS type
$$;
COMMENT ON FUNCTION modseq_internal.template_live IS
	'The text of {m.live}: whether message m is live, and not soft-deleted.';

CREATE FUNCTION modseq_internal.expand_template(store modseq_internal.store, template text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	-- Counters that nobody stored count as never used
	names CONSTANT jsonb := jsonb_build_object(
		'mailbox', qualified_name(store.mailbox),
		'source', qualified_name(store.mailbox_source),
		'mailbox_key', quoted_list(store.mailbox_key),
		'message', qualified_name(store.message),
		'vanished', qualified_name(store.vanished),
		'uidvalidity', quote_ident(store.mailbox_uidvalidity),
		'stored_uid', quote_ident(coalesce(store.mailbox_uidnext, store.mailbox_last_uid)),
		'next_minus_stored', CASE WHEN store.mailbox_last_uid IS NULL THEN 0 ELSE 1 END,
		'b.uidnext', CASE WHEN store.mailbox_last_uid IS NULL
			THEN format('greatest(b.%I::bigint, 1)', store.mailbox_uidnext)
			ELSE format('greatest(b.%I::bigint + 1, 1)', store.mailbox_last_uid) END,
		'highestmodseq', quote_ident(store.mailbox_highestmodseq),
		'b.highestmodseq', format('greatest(b.%I, 1)', store.mailbox_highestmodseq),
		'uid', quote_ident(store.message_uid),
		'modseq', quote_ident(store.message_modseq),
		'created_modseq', quote_ident(store.message_created_modseq),
		-- The array $1 as columns of a mailbox key; type modifier -1, for without one "character" means one character
		'$1', (SELECT string_agg(format('($1[%s])::%s AS %I', place, format_type(atttypid, -1), name), ', ')
			FROM unnest(store.mailbox_key) WITH ORDINALITY AS k (name, place)
			JOIN pg_attribute ON attrelid = store.mailbox AND attname = name),
		'm.live', template_live(store),
		'm.order', coalesce(
			(SELECT string_agg(format('m.%I', k), ', ') FROM unnest(primary_key(store.message)) AS k),
			'm.tableoid, m.ctid'));
	piece text[];
	x text;
	result text := '';
BEGIN
	FOR piece IN SELECT regexp_matches(template, '([^{]+)|\{([^}]+)\}', 'g') LOOP
		x := substring(piece[2] FROM '^\w+');
		result := result || CASE
			WHEN piece[2] IS NULL THEN piece[1]
			WHEN piece[2] LIKE '%=%' THEN template_key_equality(store, x, split_part(piece[2], '=', 2))
			WHEN piece[2] LIKE '%.key' THEN template_key_columns(store, x)
			WHEN piece[2] LIKE '%.name' THEN template_key_text(store, x)
			ELSE names ->> piece[2] END;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION modseq_internal.expand_template IS
	'The query that a template stands for in a store.';
