/*
 * What names usually mean: columns that attach() finds although nobody named
 * them and no key leads to them.
 */

CREATE FUNCTION modseq_internal.plain_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT lower(replace(name, '_', ''))
$$;
COMMENT ON FUNCTION modseq_internal.plain_name IS
	'A name as it is compared with usual names: MailBox_ID, mailboxId and mailbox_id are one.';

CREATE FUNCTION modseq_internal.usual_column(relation regclass, VARIADIC names text[]) RETURNS name
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT a.attname
	FROM unnest(names) WITH ORDINALITY AS usual (name, place)
	JOIN pg_attribute a ON plain_name(a.attname) = plain_name(usual.name)
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY usual.place, a.attnum
	LIMIT 1
$$;
COMMENT ON FUNCTION modseq_internal.usual_column IS
	'The column of a table that has the first of some usual names.';

-- One too many costs a client a needless FETCH, one too few is a change that it misses; \Recent is no flag here.
-- A time can say that a flag is set, but deleted_at says more.
CREATE FUNCTION modseq_internal.usual_flags(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_agg(a.attname ORDER BY a.attnum)
	FROM pg_attribute a
	CROSS JOIN LATERAL (SELECT plain_name(a.attname) AS name, column_type(relation, a.attname) AS type) AS plain
	JOIN pg_type t ON t.oid = plain.type
	LEFT JOIN pg_type element ON element.oid = t.typelem AND element.typarray = t.oid
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		AND (
			t.typname IN ('bool', 'int2', 'int4', 'int8', 'numeric', 'bit', 'bpchar', 'char')
				AND name ~ '^(e?mail|message|msg|imap)?(is|has|flags?)?(un)?'
					'(seen|read|answered|replied|flagged|starred|deleted|draft|forwarded'
					'|(not|non)?junk|(not|non)?spam|phishing|important|mdnsent)(flag)?$'
			OR t.typname IN ('timestamptz', 'timestamp')
				AND name ~ '^(e?mail|message|msg)?(seen|read|answered|replied|flagged|starred|forwarded)(at|on|date)$'
			OR (coalesce(element.typname, t.typname) IN (
					'text', 'varchar', 'bpchar', 'int2', 'int4', 'int8', 'numeric', 'uuid', 'jsonb', 'bytea', 'bit',
					'varbit', 'hstore')
				OR element.typtype IN ('e', 'd'))
				AND name ~ '^(e?mail|message|msg|imap|user|custom|system|extra|x?gm(ail)?|g)?'
					'(flags?|flagbits|flagmask|bitflags|keywords?|labels?|tags)$')
$$;
COMMENT ON FUNCTION modseq_internal.usual_flags IS
	'The columns of a table that look like flags, by name and by type.';

-- Never taken, only asked about: deleted can be IMAP's flag, which expunges nothing
CREATE FUNCTION modseq_internal.usual_soft_deletes(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(array_agg(attname ORDER BY attnum), '{}')
	FROM pg_attribute
	WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
		AND column_type(relation, attname)
			IN ('boolean', 'smallint', 'integer', 'bigint', 'date', 'timestamp', 'timestamptz')
		AND plain_name(attname) ~ '^(e?mail|message|msg|imap)?(is|was)?(soft)?'
			'(deleted|removed|expunged|trashed|purged)(at|on|date|time)?$'
$$;
COMMENT ON FUNCTION modseq_internal.usual_soft_deletes IS
	'The columns of a table that look like soft delete, by name and by type.';

-- Never taken, only asked about: what a label is may be nothing to clients of IMAP
CREATE FUNCTION modseq_internal.usual_flag_tables(relation regclass) RETURNS regclass[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(array_agg(DISTINCT c.oid::regclass), '{}')
	FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
	WHERE f.contype = 'f' AND f.confrelid = relation AND f.conparentid = 0 AND c.oid <> relation
		AND plain_name(c.relname) ~ '(flag|keyword|label|tag)s?$'
$$;
COMMENT ON FUNCTION modseq_internal.usual_flag_tables IS
	'The tables with a foreign key to a table of messages that look like a table of flags, by name.';

-- The parent goes by its table's name, with and without a prefix like mw_, and by some nouns; a column may say once
-- more that it is a message's. A column that is just called id is everybody's own, and one with a foreign key elsewhere
-- is that, unless the parent's key goes there too.
CREATE FUNCTION modseq_internal.usual_reference(child regclass, parent regclass, key name[], VARIADIC nouns text[])
RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH noun AS (
		SELECT n.name, n.place
		FROM pg_class c,
			unnest(ARRAY[c.relname, regexp_replace(c.relname, '^[^_]*_', '')] || nouns)
				WITH ORDINALITY AS n (name, place)
		WHERE c.oid = parent),
	usual AS (
		SELECT k.name AS key, k.place AS key_place, u.name, u.place, noun.place AS noun_place
		FROM noun,
			unnest(key) WITH ORDINALITY AS k (name, place),
			unnest(CASE WHEN cardinality(key) = 1
					THEN ARRAY[noun.name || '_' || k.name, k.name, noun.name || '_id', noun.name]
					ELSE ARRAY[noun.name || '_' || k.name, k.name] END)
				WITH ORDINALITY AS u (name, place)
		WHERE u.name <> 'id'),
	found AS (
		SELECT DISTINCT ON (usual.key_place) usual.key_place, a.attname
		FROM usual
		JOIN pg_attribute a ON plain_name(usual.name) IN
			(plain_name(a.attname), regexp_replace(plain_name(a.attname), '^(message|msg|email|mail)', ''))
		WHERE a.attrelid = child AND a.attnum > 0
			AND may_hold_same_key(column_type(child, a.attname), column_type(parent, usual.key))
			AND NOT EXISTS (
				SELECT FROM single_references(child) r
				WHERE r.column = a.attname AND r.relation <> parent
					AND (r.relation, r.key, usual.key) NOT IN (
						SELECT p.relation, p.key, p.column FROM single_references(parent) p))
		ORDER BY usual.key_place, plain_name(a.attname) <> plain_name(usual.name), usual.place, usual.noun_place)
	SELECT array_agg(attname ORDER BY key_place) FROM found HAVING count(*) = cardinality(key)
$$;
COMMENT ON FUNCTION modseq_internal.usual_reference IS
	'The columns that refer to the key of another table, going by usual names and by type.';
