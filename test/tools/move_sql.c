/*-------------------------------------------------------------------------
 *
 * move_sql.c
 *	  The SQL that modseq-move runs.
 *
 * Conditions are written in the language of src/query/text.c, so that they
 * compare as the triggers do, whatever the types.  @chosen@ is one row, chosen:
 * the key that was given, under the names that the mailbox table has for it.
 * Without a type modifier, NULL, "character" would mean one character.
 *
 *-------------------------------------------------------------------------
 */
#include "move_sql.h"

/* $1: store, $2: account or mailbox */
#define FROM_STORE \
" FROM modseq_internal.find_store($1::regclass) AS s"
#define IS_CHOSEN \
" CROSS JOIN LATERAL (SELECT CASE WHEN $2 = 'account'" \
"  THEN '{b@chosen}' ELSE '{b=chosen}' END) AS c (b)"

/* Not those that are computed */
#define COLUMNS_OF(relation) \
"(SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)" \
" FROM pg_attribute WHERE attrelid = " relation " AND attnum > 0" \
" AND NOT attisdropped AND attgenerated = '')"

/* $3: key -> the store's name, what is wrong with the key, the key as a row */
const char	key_text[] =
"SELECT modseq_internal.qualified_name(s.message),"
" CASE WHEN $2 = 'account' AND s.account IS NULL"
"  THEN 'the store has no accounts: move mailboxes'"
" WHEN $2 = 'mailbox' AND s.account IS NOT NULL"
"  THEN 'mailboxes of the store belong to accounts: move an account'"
" WHEN cardinality(n.names) <> cardinality(v.vals)"
"  THEN format('the key has %s column(s): %s', cardinality(n.names), n.names)"
" END,"
" (SELECT '(SELECT ' || coalesce(string_agg(format('%L::%s AS %I',"
"   v.vals[place], format_type(a.atttypid, -1), name), ', ' ORDER BY place),"
"   '') || ') AS chosen'"
"  FROM unnest(n.names) WITH ORDINALITY AS u (name, place)"
"  JOIN pg_attribute a ON a.attname = name"
"   AND a.attrelid = modseq_internal.counter_table(s))"
FROM_STORE
" CROSS JOIN LATERAL (SELECT CASE WHEN $2 = 'account' THEN s.account"
"  ELSE s.mailbox_key END) AS n (names)"
" CROSS JOIN LATERAL (SELECT CASE WHEN cardinality(n.names) = 1"
"  THEN ARRAY[$3] ELSE $3::text[] END) AS v (vals)";

/*
 * Literals of store and kind, and the key as a row -> how the names of prepared
 * transactions begin.  '01' is the mailbox 1, too.
 */
const char	gid_text[] =
"SELECT format('modseq-move %%s ',"
" md5(concat_ws(' ', %s, %s, to_jsonb(chosen)))) FROM %s";

const char	prepared_text[] =
"SELECT gid FROM pg_prepared_xacts"
" WHERE database = current_database() AND starts_with(gid, %s)";

/* Promotion makes a timeline, in which transactions get their numbers again */
const char	identity_text[] =
"SELECT concat_ws(' ', system_identifier,"
" (SELECT oid FROM pg_database WHERE datname = current_database()),"
" substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))"
" FROM pg_control_system()";

/* The transaction's, which has one from now on */
const char	number_text[] = "SELECT pg_current_xact_id()";

const char	options_text[] =
"SELECT '  ' || o.option, o.value"
FROM_STORE
" CROSS JOIN LATERAL modseq_internal.store_options(s.message) AS o"
" WHERE o.option <> 'notify' ORDER BY o.option";

/* What modseq.check() says of the tables; of rows it is asked later */
const char	schema_text[] =
"SELECT problem"
FROM_STORE
" CROSS JOIN LATERAL (SELECT modseq_internal.check_options(s)"
"  UNION ALL SELECT modseq_internal.check_schema(s)) AS c (problem)";

/*
 * $3: the key as a row -> queries: the mailboxes with their counters and
 * digests; what is wrong with them; whether messages, or what they share, are
 * in mailboxes that do not move; what makes mailboxes take a mod-sequence of
 * this incarnation; the same, under replica, for their account, which may have
 * no mailbox, and for mailboxes that are gone and remembered, which go on where
 * they left off when their key comes back; whether any of these is behind.
 */
const char	queries_text[] =
"SELECT replace(replace(modseq_internal.expand_template(s, q.text), '@store@',"
"  quote_literal(modseq_internal.qualified_name(s.message)) || '::regclass'),"
"  '@chosen@', $3)"
FROM_STORE IS_CHOSEN
" CROSS JOIN LATERAL (VALUES"
" (1, $q$SELECT {b.name}, {b.counters}, d.*"
"   FROM {mailbox} b CROSS JOIN @chosen@"
"   CROSS JOIN LATERAL modseq.digest(@store@, {b.name}) AS d"
"   WHERE NOT {b.gone} AND $q$ || c.b || ' ORDER BY 1'),"
" (2, $q$SELECT w.* FROM modseq_internal.find_store(@store@) AS st"
"   CROSS JOIN {mailbox} b CROSS JOIN @chosen@"
"   CROSS JOIN LATERAL modseq_internal.check_rows(st, $q$"
"   || CASE WHEN cardinality(s.mailbox_key) = 1 THEN 'ARRAY[{b.name}]'"
"    ELSE '{b.name}::text[]' END"
"   || ') AS w WHERE NOT {b.gone} AND ' || c.b),"
" (3, CASE WHEN s.flag_message IS NULL OR EXISTS ("
"    SELECT FROM pg_index i"
"    WHERE i.indrelid = s.message AND i.indisunique AND i.indpred IS NULL"
"    AND (SELECT array_agg(attname) FROM pg_attribute"
"     WHERE attrelid = i.indrelid AND attnum = ANY (i.indkey::int2[]))"
"     <@ s.message_key)"
"   THEN 'SELECT false'"
"   ELSE 'SELECT EXISTS (SELECT FROM @chosen@, {mailbox} b, {message} m,'"
"    || ' {message} o WHERE {m=b} AND ' || c.b"
"    || (SELECT string_agg(format(' AND m.%1$I = o.%1$I', k), '')"
"     FROM unnest(s.message_key) AS k)"
"    || ' AND NOT EXISTS (SELECT FROM {mailbox} b, {message} m'"
"    || ' WHERE {m=b} AND m.ctid = o.ctid AND m.tableoid = o.tableoid AND '"
"    || c.b || '))' END),"
" (4, 'SELECT FROM modseq.lock(@store@, ARRAY[]::text[]);'"
"   || ' SELECT l.highestmodseq FROM unnest(ARRAY(SELECT {b.name}'"
"   || ' FROM {mailbox} b CROSS JOIN @chosen@ WHERE NOT {b.gone} AND ' || c.b"
"   || ' ORDER BY 1)) AS n CROSS JOIN LATERAL modseq.lock(@store@, n) AS l'),"
" (5, CASE WHEN $2 = 'mailbox' THEN 'SELECT;'"
"   ELSE 'UPDATE {account} a SET (highestmodseq, email_modseq,'"
"    || ' thread_modseq, mailbox_modseq, floor) ='"
"    || ' ROW (i.n, i.n, i.n, i.n, i.n) FROM @chosen@,'"
"    || ' (SELECT modseq + 1 AS n FROM modseq_internal.incarnation()'"
"    || ' WHERE modseq > 0) AS i'"
"    || ' WHERE {a@chosen} AND a.highestmodseq < i.n;' END"
"  || CASE WHEN s.counters IS NULL THEN '' ELSE"
"    'WITH old AS MATERIALIZED (SELECT {b.key}, {b.uidnext} AS {_uid},'"
"    || ' {b.highestmodseq} AS {_lost}, i.modseq + 1 AS {_modseq},'"
"    || ' greatest(least(i.uid_gap, (4294967295 - {b.uidnext}) / 64,'"
"    || CASE WHEN modseq_internal.small_uids(s) IS NULL THEN ''"
"     ELSE ' (2147483647 - {b.uidnext}) / 64,' END"
"    || ' 4194304), 0) AS {_gap}'"
"    || ' FROM {mailbox} b CROSS JOIN @chosen@'"
"    || ' CROSS JOIN modseq_internal.incarnation() AS i'"
"    || ' WHERE i.modseq > 0 AND {b.highestmodseq} <= i.modseq'"
"    || ' AND {b.gone} AND ' || c.b || ' FOR UPDATE OF b),'"
"    || ' raised AS (UPDATE {mailbox} b SET {highestmodseq} = old.{_modseq},'"
"    || ' {uidnext} = old.{_uid} + old.{_gap} - {next_minus_stored}'"
"    || ' FROM old WHERE {b=old})'"
"    || ' INSERT INTO {vanished} ({key}, modseq, uids, lost)'"
"    || ' SELECT {old.key}, old.{_modseq}, modseq.uidset(int8multirange('"
"    || 'int8range(old.{_uid}, old.{_uid} + old.{_gap}))), old.{_lost}'"
"    || ' FROM old' END),"
" (6, 'SELECT EXISTS (SELECT FROM {mailbox} b CROSS JOIN @chosen@'"
"   || ' CROSS JOIN modseq_internal.incarnation() AS i WHERE i.modseq > 0'"
"   || ' AND {b.highestmodseq} <= i.modseq AND ' || c.b || ')'"
"   || CASE WHEN $2 = 'mailbox' THEN ''"
"    ELSE ' OR EXISTS (SELECT FROM {account} a CROSS JOIN @chosen@'"
"     || ' CROSS JOIN modseq_internal.incarnation() AS i WHERE i.modseq > 0'"
"     || ' AND a.highestmodseq <= i.modseq AND {a@chosen})' END))"
" AS q (place, text)"
" ORDER BY q.place";

/* A table -> its name and columns */
const char	with_text[] =
"SELECT modseq_internal.qualified_name($1::regclass), "
COLUMNS_OF("$1::regclass");

/*
 * $3: the key as a row -> tables, aliases, conditions, columns, and in which
 * order their rows are locked before all others, in the order in which rows
 * leave: the tables by which others find theirs come last
 */
const char	parts_text[] =
"SELECT modseq_internal.qualified_name(p.relation), p.alias,"
" replace(modseq_internal.expand_template(s,"
"  'EXISTS (SELECT FROM @chosen@' || p.cond || ')'), '@chosen@', $3), "
COLUMNS_OF("p.relation") ","
" CASE p.alias WHEN 'a' THEN ''"
"  WHEN 'b' THEN modseq_internal.expand_template(s, ' ORDER BY {b.key}') END"
FROM_STORE IS_CHOSEN
" CROSS JOIN LATERAL (VALUES"
" (1, s.flag, 'f', CASE WHEN s.flag_message IS NULL"
"  THEN ', {mailbox} b WHERE {f=b} AND ' || c.b"
"  ELSE ', {mailbox} b, {message} m WHERE {m=b} AND {m.id=f.id} AND ' || c.b"
"  END),"
" (2, s.message, 'm', ', {mailbox} b WHERE {m=b} AND ' || c.b),"
" (3, s.vanished, 'v', ', {mailbox} b WHERE {v=b} AND ' || c.b),"
" (4, modseq_internal.source_table(s), 's',"
"  ', {mailbox} b WHERE {s=b} AND ' || c.b),"
" (5, s.departed, 'd', ' WHERE {d@chosen}'),"
" (6, s.account_table, 'a', ' WHERE {a@chosen}'),"
" (7, modseq_internal.counter_table(s), 'b', ' WHERE ' || c.b))"
" AS p (place, relation, alias, cond)"
" WHERE p.relation <> 0"
" ORDER BY p.place";

/* Who waits for us looks for a deadlock in twice that time */
const char	patience_text[] =
"SELECT set_config('lock_timeout', greatest(reset_val::int / 2, 1)::text, true)"
" FROM pg_settings WHERE name = 'deadlock_timeout'";

/* For what the user has us run */
const char	ordinary_text[] =
"SET LOCAL lock_timeout = 0;"
" SET LOCAL session_replication_role = origin";

/*
 * $1: what moves, as JSON -> problems with foreign keys, and the query that
 * says whether there is that problem.  Row r refers to row p.
 */
#define MOVED \
" moved AS (SELECT * FROM jsonb_to_recordset($1::jsonb)" \
"  AS m (place int, relation regclass, alias text, cond text, own boolean))"
#define FOREIGN_KEYS \
"WITH " MOVED "," \
" fk AS (SELECT c.conname," \
"  coalesce(pg_partition_root(c.conrelid), c.conrelid)::regclass AS child," \
"  coalesce(pg_partition_root(c.confrelid), c.confrelid)::regclass AS parent," \
"  (SELECT string_agg(format('p.%I OPERATOR(%I.%s) r.%I', pa.attname," \
"    n.nspname, o.oprname, ra.attname), ' AND ')" \
"   FROM unnest(c.conkey, c.confkey, c.conpfeqop) AS k (r, p, operator)" \
"   JOIN pg_attribute ra ON ra.attrelid = c.conrelid AND ra.attnum = k.r" \
"   JOIN pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = k.p" \
"   JOIN pg_operator o ON o.oid = k.operator" \
"   JOIN pg_namespace n ON n.oid = o.oprnamespace) AS matches," \
"  (SELECT string_agg(format('r.%I IS NOT NULL', ra.attname), ' AND ')" \
"   FROM unnest(c.conkey) AS k (r)" \
"   JOIN pg_attribute ra ON ra.attrelid = c.conrelid AND ra.attnum = k.r)" \
"   AS refers" \
"  FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0)"

/*
 * Those of a store among its own tables are moved with what they refer to.  And
 * the part whose rows are referred to.
 */
const char	referring_text[] =
FOREIGN_KEYS
" SELECT format('rows of table %s that stay refer to what moves"
" (foreign key \"%s\"); --with moves them, too', fk.child, fk.conname),"
" format('SELECT EXISTS (SELECT FROM ("
"SELECT %2$s.* FROM %1$s AS %2$s WHERE %3$s) AS p"
" JOIN (SELECT * FROM %4$s) AS r ON %5$s)', p.relation, p.alias, p.cond,"
"  CASE WHEN r.relation IS NULL THEN fk.child::text"
"   ELSE format('%1$s AS %2$s WHERE (%3$s) IS NOT TRUE', r.relation, r.alias,"
"    r.cond) END,"
"  fk.matches), p.place"
" FROM fk JOIN moved p ON p.relation = fk.parent"
" LEFT JOIN moved r ON r.relation = fk.child"
" WHERE (p.own AND r.own AND r.relation <> p.relation) IS NOT TRUE";

/* At the target, where they may be about to be deleted */
const char	referred_text[] =
FOREIGN_KEYS
" SELECT format('rows of table %s refer to rows of table %s that are not there"
" (foreign key \"%s\"); insert them, or move them --with', fk.child, fk.parent,"
"  fk.conname),"
" format('SELECT EXISTS (SELECT FROM ("
"SELECT %2$s.* FROM %1$s AS %2$s WHERE %3$s) AS r"
" WHERE %4$s AND NOT EXISTS (SELECT FROM %5$s AS p WHERE %6$s %7$s))',"
"  r.relation, r.alias, r.cond, fk.refers, fk.parent, fk.matches,"
"  CASE WHEN p.own AND r.own AND r.relation <> p.relation THEN ''"
"   ELSE 'FOR KEY SHARE OF p' END)"
" FROM fk JOIN moved r ON r.relation = fk.child"
" LEFT JOIN moved p ON p.relation = fk.parent";

/* -> queries that say which sequences may give out keys that have arrived */
const char	sequences_text[] =
"WITH " MOVED
" SELECT format('SELECT concat(%1$L, q.last_value, %8$L, max(x.%2$I),"
" '' now: if both servers draw from one range, raise it'')"
" FROM (SELECT %4$s.* FROM %3$s AS %4$s WHERE %5$s) AS x, %6$s AS q"
" GROUP BY q.last_value, q.is_called"
" HAVING max(x.%2$I) >= q.last_value + q.is_called::int"
" AND max(x.%2$I) <= %7$s',"
"  format('sequence %s is at ', s.oid::regclass), a.attname, m.relation,"
"  m.alias, m.cond, s.oid::regclass, q.seqmax,"
"  format(', and column \"%s\" of table %s has ', a.attname, m.relation))"
" FROM moved m"
" JOIN pg_depend d ON d.refobjid = m.relation AND d.deptype IN ('a', 'i')"
"  AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass"
" JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'"
" JOIN pg_sequence q ON q.seqrelid = s.oid"
" JOIN pg_attribute a ON a.attrelid = m.relation AND a.attnum = d.refobjsubid";

/*
 * What no UIDVALIDITY of the source is above.  Who may not read the sequence
 * takes a value of it.
 */
const char	uidvalidity_text[] =
"SELECT CASE WHEN has_sequence_privilege(s.oid, 'SELECT')"
"  THEN coalesce(pg_sequence_last_value(s.oid), 0)"
"  ELSE modseq.next_uidvalidity() END"
" FROM (SELECT 'modseq.uidvalidity_seq'::regclass AS oid) AS s";

/* Without that, only a superuser raises the sequence of the target */
const char	owns_uidvalidity_text[] =
"SELECT pg_has_role(relowner, 'USAGE') FROM pg_class"
" WHERE oid = 'modseq.uidvalidity_seq'::regclass";

/*
 * What the source has come to -> the highest of some values.  One does, where
 * the clock is past that; else mailboxes have been made faster than one a
 * second, and we are not to run away from the clock much further.
 */
const char	taken_text[] =
"WITH first AS MATERIALIZED (SELECT modseq.next_uidvalidity() AS value)"
" SELECT max(CASE WHEN i = 0 THEN value ELSE modseq.next_uidvalidity() END)"
" FROM first, generate_series(0, least(%s - value, 100000)) AS i";
