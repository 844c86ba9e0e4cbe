/*-------------------------------------------------------------------------
 *
 * plan_text.c
 *	  The texts of the SQL that modseq runs.
 *
 * Every name in the texts is qualified and quoted, and every operator is
 * written OPERATOR(schema.name), so that no search_path matters.  (We do not
 * set search_path: an application's own triggers fire on these statements and
 * must find their tables, as they do on a foreign key's.)
 *
 * Locks: those of the statements.  Which one locks what is said with each.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "access/stratnum.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* A query's text while it is put together, with its parameters' types */
typedef struct PlanText
{
	Store	   *store;
	const char *table;			/* for plan_scan(), else NULL */
	StringInfoData text;
	int			nparams;
	Oid			params[MODSEQ_MAX_PARAMS];
} PlanText;

static void add(PlanText *query, const char *fmt,...) pg_attribute_printf(2, 3);

static void
add(PlanText *query, const char *fmt,...)
{
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&query->text, fmt, args);
		va_end(args);
		if (needed == 0)
			return;
		enlargeStringInfo(&query->text, needed);
	}
}

/* Adds a parameter to the query and returns its number */
static int
add_param(PlanText *query, Oid type)
{
	Assert(query->nparams < MODSEQ_MAX_PARAMS);
	query->params[query->nparams++] = type;
	return query->nparams;
}

static Oid
uidset_oid(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum("uidset"),
						   ObjectIdGetDatum(get_namespace_oid("modseq", false)));
}

/* Which table's names a key column has */
typedef enum KeySide
{
	KEY_OF_MAILBOX,				/* and of the vanished table */
	KEY_OF_SOURCE,
	KEY_OF_MESSAGE,
	KEY_OF_FLAG
} KeySide;

static const char *
key_name(const KeyColumn *key, KeySide side)
{
	switch (side)
	{
		case KEY_OF_SOURCE:
			return key->source;
		case KEY_OF_MESSAGE:
			return key->message;
		case KEY_OF_FLAG:
			return key->flag;
		default:
			return key->name;
	}
}

/*
 * plan_equality: the operator that compares a column with a parameter
 *
 * It is equality of the column's default btree family, so that its indexes can
 * be used.  *param_type becomes the type that it takes the parameter as.
 */
Oid
plan_equality(Oid column, Oid param, Oid *param_type)
{
	TypeCacheEntry *left = lookup_type_cache(column, TYPECACHE_EQ_OPR |
											 TYPECACHE_BTREE_OPFAMILY);
	TypeCacheEntry *right = lookup_type_cache(param, TYPECACHE_BTREE_OPFAMILY);
	Oid			result = InvalidOid;
	Oid			left_type;

	if (column != param)
		result = get_opfamily_member(left->btree_opf, left->btree_opintype,
									 right->btree_opintype,
									 BTEqualStrategyNumber);
	if (!OidIsValid(result))
		result = left->eq_opr;
	op_input_types(result, &left_type, param_type);
	return result;
}

/* " COLLATE c" for a column that has a collation, named without quotes */
static const char *
collate_clause(Oid relid, const char *name)
{
	Oid			type;
	int32		typmod;
	Oid			collation;
	HeapTuple	tuple;
	Form_pg_collation form;
	const char *result;

	get_atttypetypmodcoll(relid, get_attnum(relid, name), &type, &typmod,
						  &collation);
	if (!OidIsValid(collation))
		return "";
	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	form = (Form_pg_collation) GETSTRUCT(tuple);
	result = psprintf(" COLLATE %s",
					  quote_qualified_identifier(get_namespace_name(form->collnamespace),
												 NameStr(form->collname)));
	ReleaseSysCache(tuple);
	return result;
}

/* "t.a, t.b" in the types of the mailbox's key */
static void
add_key_columns(PlanText *query, const char *alias, KeySide side)
{
	for (int i = 0; i < query->store->nkeys; i++)
	{
		KeyColumn  *key = &query->store->key[i];

		add(query, "%s%s.%s", i == 0 ? "" : ", ", alias, key_name(key, side));
		if (side != KEY_OF_MAILBOX)
			add(query, "::%s",
				format_type_extended(key->type, -1,
									 FORMAT_TYPE_FORCE_QUALIFY |
									 FORMAT_TYPE_TYPEMOD_GIVEN));
	}
}

/* "t.a = $1 AND t.b = $2"; the key is always the first parameters */
static void
add_key_condition(PlanText *query, const char *alias, KeySide side)
{
	for (int i = 0; i < query->store->nkeys; i++)
	{
		KeyColumn  *key = &query->store->key[i];
		Oid			type = side == KEY_OF_MESSAGE ? key->message_type :
			side == KEY_OF_SOURCE ? key->source_type : key->type;
		Oid			param_type;
		Oid			operator = plan_equality(type, key->type, &param_type);

		if (i > 0)
			add(query, " AND ");
		generate_operator_clause(&query->text,
								 psprintf("%s.%s", alias, key_name(key, side)),
								 type, operator,
								 psprintf("$%d", i + 1), key->type);
	}
}

static void
add_key_params(PlanText *query)
{
	for (int i = 0; i < query->store->nkeys; i++)
		add_param(query, query->store->key[i].type);
}

/*
 * Whether message m is live: null, false and 0 say so in the soft-delete
 * column, as in row.c.  It is written so that it hides from the planner: with
 * an index of the application's on that column, or with statistics that say
 * how few are live, other plans look cheaper than those on our indexes, which
 * find the messages by UID or by mod-sequence.
 */
static const char *
live_condition(const Store *store)
{
	const char *expunged;

	if (store->expunged == NULL)
		return "true";
	switch (store->expunged_type)
	{
		case BOOLOID:
			expunged = "";
			break;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			expunged = " OPERATOR(pg_catalog.<>) 0";
			break;
		default:
			expunged = " IS NOT NULL";
			break;
	}
	return psprintf("CASE WHEN m.%s%s THEN 1 ELSE 0 END OPERATOR(pg_catalog.<>) 1",
					store->expunged, expunged);
}

/* --- the texts, by table ------------------------------------------------- */

/*
 * The counters of a mailbox.  LOCK_MAILBOX takes the row lock, see counter.c;
 * RAISE_MAILBOX takes it and the next mod-sequence, unless none is left.
 */
static void
mailbox_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;
	int			uidnext;
	int			highestmodseq;

	add_key_params(query);
	if (id == PLAN_RAISE_MAILBOX)
	{
		add(query,
			"UPDATE %s AS b SET %s = GREATEST(b.%s, 1) OPERATOR(pg_catalog.+) 1 WHERE ",
			store->mailbox, store->highestmodseq, store->highestmodseq);
		add_key_condition(query, "b", KEY_OF_MAILBOX);
		add(query,
			" AND (b.%s OPERATOR(pg_catalog.=) " INT64_FORMAT ") IS NOT TRUE"
			" RETURNING b.%s::pg_catalog.int8, b.%s::pg_catalog.int8, b.%s::pg_catalog.int8",
			store->highestmodseq, MODSEQ_MAX, store->uidvalidity,
			store->uidnext, store->highestmodseq);
		return;
	}
	if (id == PLAN_WRITE_MAILBOX)
	{
		uidnext = add_param(query, INT8OID);
		highestmodseq = add_param(query, INT8OID);
		add(query, "UPDATE %s AS b SET %s = $%d, %s = $%d WHERE ",
			store->mailbox, store->uidnext, uidnext,
			store->highestmodseq, highestmodseq);
		add_key_condition(query, "b", KEY_OF_MAILBOX);
		return;
	}
	add(query,
		"SELECT b.%s::pg_catalog.int8, b.%s::pg_catalog.int8, b.%s::pg_catalog.int8 FROM %s AS b WHERE ",
		store->uidvalidity, store->uidnext, store->highestmodseq,
		store->mailbox);
	add_key_condition(query, "b", KEY_OF_MAILBOX);
	if (id == PLAN_LOCK_MAILBOX)
		add(query, " FOR NO KEY UPDATE");
}

/* "a, b", and "$1, $2", for each column of the key */
static void
add_key_list(PlanText *query, bool params)
{
	for (int i = 0; i < query->store->nkeys; i++)
		if (params)
			add(query, "%s$%d", i == 0 ? "" : ", ", i + 1);
		else
			add(query, "%s%s", i == 0 ? "" : ", ", query->store->key[i].name);
}

/* "SET a = $3, b = $4": another key, whose values are the next parameters */
static void
add_new_key(PlanText *query)
{
	add(query, " SET ");
	for (int i = 0; i < query->store->nkeys; i++)
		add(query, "%s%s = $%d", i == 0 ? "" : ", ", query->store->key[i].name,
			add_param(query, query->store->key[i].type));
}

/* Rows of a table, by the mailbox table's key, that have none in another */
static void
delete_orphans(PlanText *query, const char *table, const char *other,
			   KeySide side)
{
	Store	   *store = query->store;

	add(query, "DELETE FROM %s AS o WHERE NOT EXISTS (SELECT FROM %s AS b WHERE ",
		table, other);
	for (int i = 0; i < store->nkeys; i++)
	{
		KeyColumn  *key = &store->key[i];
		Oid			type = side == KEY_OF_SOURCE ? key->source_type : key->type;
		Oid			param_type;
		Oid			operator = plan_equality(type, key->type, &param_type);

		if (i > 0)
			add(query, " AND ");
		generate_operator_clause(&query->text,
								 psprintf("b.%s", key_name(key, side)), type,
								 operator, psprintf("o.%s", key->name),
								 key->type);
		add(query, "%s", collate_clause(store->mailbox_relid,
										list_nth(store_list_option(store, "mailbox_key"), i)));
	}
	add(query, ")");
}

/*
 * Rows of a mailbox table that is a side table, and the row of its source.
 * What other columns it has get their defaults.
 */
static void
side_table_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;

	if (id == PLAN_CLEAR_MAILBOXES)
	{
		delete_orphans(query, store->mailbox, store->source, KEY_OF_SOURCE);
		return;
	}
	add_key_params(query);
	switch (id)
	{
		case PLAN_ADD_MAILBOX:
			add(query, "INSERT INTO %s (", store->mailbox);
			add_key_list(query, false);
			add(query, ") VALUES (");
			add_key_list(query, true);
			add(query, ") ON CONFLICT (");
			add_key_list(query, false);
			add(query, ") DO NOTHING");
			return;
		case PLAN_RENAME_MAILBOX:
			add(query, "UPDATE %s AS b", store->mailbox);
			add_new_key(query);
			break;
		case PLAN_REMOVE_MAILBOX:
			add(query, "DELETE FROM %s AS b", store->mailbox);
			break;
		default:
			Assert(id == PLAN_FIND_SOURCE);
			add(query, "SELECT FROM %s AS b WHERE ", store->source);
			add_key_condition(query, "b", KEY_OF_SOURCE);
			return;
	}
	add(query, " WHERE ");
	add_key_condition(query, "b", KEY_OF_MAILBOX);
}

/* "key and live": which messages of a mailbox clients know of */
static void
add_message_condition(PlanText *query)
{
	add_key_condition(query, "m", KEY_OF_MESSAGE);
	if (query->store->expunged != NULL)
		add(query, " AND %s", live_condition(query->store));
}

/* What the SELECTs of live messages of one mailbox have in common */
static void
message_select(PlanText *query, const char *from)
{
	add(query, "SELECT m.%s::pg_catalog.int8, m.%s::pg_catalog.int8 FROM %s%s AS m WHERE ",
		query->store->uid, query->store->modseq, from, query->store->message);
	add_message_condition(query);
}

/*
 * Messages of one mailbox, live ones but for ANY_MESSAGE.  STAMP_MESSAGES,
 * STAMP_MESSAGE, which is for a single UID, and RENUMBER_MESSAGES lock what they
 * update, and LOCK_LIVE_MESSAGES what it finds, by UID.
 */
static void
message_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;
	Oid			uidset = uidset_oid();
	const char *in_range =
	psprintf(" AND m.%s OPERATOR(pg_catalog.>=) r.lo AND m.%s OPERATOR(pg_catalog.<=) r.hi",
			 store->uid, store->uid);
	int			value;

	add_key_params(query);
	switch (id)
	{
		case PLAN_STAMP_MESSAGES:
			value = add_param(query, INT8OID);
			add(query, "UPDATE %s AS m SET %s = $%d FROM modseq.ranges($%d) AS r WHERE ",
				store->message, store->modseq, value, add_param(query, uidset));
			add_message_condition(query);
			add(query, "%s AND (m.%s OPERATOR(pg_catalog.=) $%d) IS NOT TRUE",
				in_range, store->modseq, value);
			break;
		case PLAN_STAMP_MESSAGE:
			value = add_param(query, INT8OID);
			add(query, "UPDATE %s AS m SET %s = $%d WHERE ",
				store->message, store->modseq, value);
			add_message_condition(query);
			add(query, " AND m.%s OPERATOR(pg_catalog.=) $%d", store->uid,
				add_param(query, INT8OID));
			add(query, " AND (m.%s OPERATOR(pg_catalog.=) $%d) IS NOT TRUE",
				store->modseq, value);
			break;
		case PLAN_RENUMBER_MESSAGES:
			/* By UID, so that the new ones are in the same order */
			add(query, "UPDATE %s AS m SET %s = NULL FROM modseq.ranges($%d) AS r WHERE ",
				store->message, store->uid, add_param(query, uidset));
			add_message_condition(query);
			add(query, "%s", in_range);
			break;
		case PLAN_LIVE_MESSAGES:
		case PLAN_LOCK_LIVE_MESSAGES:
			/* Ranges are ascending, and so is what is found for each */
			message_select(query, psprintf("modseq.ranges($%d) AS r, ",
										   add_param(query, uidset)));
			add(query, "%s", in_range);
			if (id == PLAN_LOCK_LIVE_MESSAGES)
				add(query, " FOR NO KEY UPDATE OF m");
			break;
		case PLAN_ANY_MESSAGE:
			/* Also one that is expunged: the unique index has its UID */
			add(query, "SELECT 1 FROM %s AS m WHERE ", store->message);
			add_key_condition(query, "m", KEY_OF_MESSAGE);
			add(query, " AND m.%s OPERATOR(pg_catalog.=) $%d", store->uid,
				add_param(query, INT8OID));
			break;
		case PLAN_UNSTAMPED_MESSAGES:
			value = add_param(query, INT8OID);
			message_select(query, psprintf("modseq.ranges($%d) AS r, ",
										   add_param(query, uidset)));
			add(query, "%s AND (m.%s OPERATOR(pg_catalog.>=) $%d) IS NOT TRUE LIMIT 1",
				in_range, store->modseq, value);
			break;
		case PLAN_CHANGED_MESSAGES:
			/* The order makes the index on (mailbox, modseq) the only choice */
			message_select(query, "");
			add(query, " AND m.%s OPERATOR(pg_catalog.>) $%d ORDER BY m.%s",
				store->modseq, add_param(query, INT8OID), store->modseq);
			break;
		default:
			Assert(id == PLAN_MESSAGE_NUMBERS);
			message_select(query, "");
			add(query, " AND m.%s OPERATOR(pg_catalog.<=) $%d ORDER BY m.%s",
				store->uid, add_param(query, INT8OID), store->uid);
			break;
	}
}

/*
 * Messages of any mailbox, as (mailbox key, uid, live): by their own keys, of
 * which FIND_MESSAGE and LOCK_MESSAGE take one.  LOCK_MESSAGES takes their row
 * locks, in the order of mailbox and UID; also of messages that are expunged,
 * for somebody may be about to undelete them.
 */
static void
any_message_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;
	Oid			operator = InvalidOid;
	Oid			param_type;
	bool		one;
	int			value;

	if (store->flag_message != NULL)
		operator = plan_equality(store->message_key_type,
								 store->flag_message_type, &param_type);
	add(query, "SELECT ");
	if (id == PLAN_ALL_FLAGGED && store->flag_message == NULL)
	{
		add_key_columns(query, "f", KEY_OF_FLAG);
		add(query, ", f.%s::pg_catalog.int8, true FROM %s AS f",
			store->flag_uid, query->table);
		return;
	}
	add_key_columns(query, "m", KEY_OF_MESSAGE);
	add(query, ", m.%s::pg_catalog.int8, %s FROM %s AS m WHERE ",
		store->uid, live_condition(store),
		id == PLAN_ALL_MESSAGES ? query->table : store->message);
	if (id == PLAN_ALL_MESSAGES)
	{
		add(query, "m.%s IS NOT NULL", store->uid);
		return;
	}
	if (id == PLAN_ALL_FLAGGED)
	{
		add(query, "EXISTS (SELECT FROM %s AS f WHERE ", query->table);
		generate_operator_clause(&query->text,
								 psprintf("m.%s", store->message_key),
								 store->message_key_type, operator,
								 psprintf("f.%s", store->flag_message),
								 store->flag_message_type);
		add(query, "%s)", collate_clause(store->message_relid,
										 store_option(store, "message_key")));
		return;
	}
	one = id == PLAN_FIND_MESSAGE || id == PLAN_LOCK_MESSAGE;
	value = add_param(query, one ? store->flag_key_type :
					  get_array_type(store->flag_key_type));
	generate_operator_clause(&query->text, psprintf("m.%s", store->message_key),
							 store->message_key_type, operator,
							 psprintf(one ? "$%d" : "ANY ($%d)", value),
							 one ? store->flag_key_type : param_type);
	if (id == PLAN_LOCK_MESSAGE)
		add(query, " FOR NO KEY UPDATE");
	if (id == PLAN_LOCK_MESSAGES)
	{
		add(query, " ORDER BY ");
		for (int i = 0; i < store->nkeys; i++)
			add(query, "m.%s, ", store->key[i].message);
		add(query, "m.%s FOR NO KEY UPDATE", store->uid);
	}
}

/*
 * What else is done with a whole table, query->table, that comes or goes: see
 * bulk.c.  Its rows are nobody else's, for it is locked.
 */
static void
bulk_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;

	switch (id)
	{
		case PLAN_ALL_MAILBOXES:
			add(query, "SELECT ");
			add_key_columns(query, "b", KEY_OF_MAILBOX);
			add(query, ", 1::pg_catalog.int8, true FROM %s AS b", query->table);
			break;
		case PLAN_ALL_SOURCES:
			add(query, "SELECT ");
			add_key_columns(query, "b", KEY_OF_SOURCE);
			add(query, ", 1::pg_catalog.int8, true FROM %s AS b", query->table);
			break;
		case PLAN_RESET_MAILBOXES:
			add(query,
				"UPDATE %s AS b SET %s = GREATEST(modseq.next_uidvalidity(), b.%s::pg_catalog.int8 OPERATOR(pg_catalog.+) 1)",
				query->table, store->uidvalidity, store->uidvalidity);
			break;
		case PLAN_LAST_UIDS:
			/* Positions, for a type's own order needs no operator's name */
			add(query, "SELECT ");
			add_key_columns(query, "m", KEY_OF_MESSAGE);
			add(query, ", COALESCE(pg_catalog.max(m.%s)::pg_catalog.int8, 0), true FROM %s AS m GROUP BY ",
				store->uid, query->table);
			for (int i = 1; i <= store->nkeys; i++)
				add(query, "%s%d", i == 1 ? "" : ", ", i);
			add(query, " ORDER BY ");
			for (int i = 1; i <= store->nkeys; i++)
				add(query, "%s%d", i == 1 ? "" : ", ", i);
			break;
		default:
			Assert(id == PLAN_TOUCH_MESSAGES);
			/* A nested loop, as planner.c has it, keeps the order */
			add(query, "UPDATE %s AS m SET %s = m.%s FROM (SELECT o.tableoid AS part, o.ctid AS place FROM %s AS o ORDER BY ",
				query->table, store->uid, store->uid, query->table);
			for (int i = 0; i < store->nkeys; i++)
				add(query, "o.%s, ", store->key[i].message);
			add(query, "o.%s, o.tableoid, o.ctid) AS o WHERE m.tableoid OPERATOR(pg_catalog.=) o.part AND m.ctid OPERATOR(pg_catalog.=) o.place",
				store->uid);
			break;
	}
}

/* The vanished table; its key columns are called as in the mailbox table */
static void
vanished_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;

	if (id == PLAN_CLEAR_VANISHED)
	{
		delete_orphans(query, store->vanished, store->mailbox, KEY_OF_MAILBOX);
		return;
	}
	add_key_params(query);
	switch (id)
	{
		case PLAN_APPEND_VANISHED:
			add(query, "INSERT INTO %s (", store->vanished);
			add_key_list(query, false);
			add(query, ", modseq, uids) VALUES (");
			add_key_list(query, true);
			add(query, ", $%d", add_param(query, INT8OID));
			add(query, ", $%d)", add_param(query, uidset_oid()));
			return;
		case PLAN_READ_VANISHED:
			add(query, "SELECT v.modseq, v.uids FROM %s AS v WHERE v.modseq OPERATOR(pg_catalog.>) $%d AND ",
				store->vanished, add_param(query, INT8OID));
			add_key_condition(query, "v", KEY_OF_MAILBOX);
			add(query, " ORDER BY v.modseq");
			return;
		case PLAN_RENAME_VANISHED:
			add(query, "UPDATE %s AS v", store->vanished);
			add_new_key(query);
			break;
		default:
			Assert(id == PLAN_DROP_VANISHED);
			add(query, "DELETE FROM %s AS v", store->vanished);
			break;
	}
	add(query, " WHERE ");
	add_key_condition(query, "v", KEY_OF_MAILBOX);
}

/* --- all of them ----------------------------------------------------------- */

/* How a query is made, as whose owner it runs, and how it finds its rows */
typedef struct PlanKind
{
	void		(*text) (PlanText *query, PlanId id);
	PlanTable	table;
	PlanAccess	access;
} PlanKind;

static const PlanKind kinds[] = {
	[PLAN_LOCK_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_READ_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_WRITE_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_RAISE_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_ADD_MAILBOX] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_RENAME_MAILBOX] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_REMOVE_MAILBOX] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_CLEAR_MAILBOXES] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_FIND_SOURCE] = {side_table_query, TABLE_SOURCE, ACCESS_ANY},
	[PLAN_STAMP_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_STAMP_MESSAGE] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_RENUMBER_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_FIND_MESSAGES] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_FIND_MESSAGE] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_LOCK_MESSAGES] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_LOCK_MESSAGE] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_CHANGED_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_LIVE_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_LOCK_LIVE_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_ANY_MESSAGE] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_UNSTAMPED_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_MESSAGE_NUMBERS] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_APPEND_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_ANY},
	[PLAN_READ_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_INDEX},
	/* These lock rows by mod-sequence, as compact() does */
	[PLAN_RENAME_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_INDEX},
	[PLAN_DROP_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_INDEX},
	[PLAN_CLEAR_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_ANY},
	[PLAN_ALL_MESSAGES] = {any_message_query, TABLE_GIVEN, ACCESS_ANY},
	[PLAN_ALL_FLAGGED] = {any_message_query, TABLE_GIVEN, ACCESS_ANY},
	[PLAN_ALL_MAILBOXES] = {bulk_query, TABLE_GIVEN, ACCESS_ANY},
	[PLAN_ALL_SOURCES] = {bulk_query, TABLE_GIVEN, ACCESS_ANY},
	[PLAN_LAST_UIDS] = {bulk_query, TABLE_GIVEN, ACCESS_ANY},
	/* In the order of their UIDs, by their place in the table */
	[PLAN_TOUCH_MESSAGES] = {bulk_query, TABLE_GIVEN, ACCESS_INDEX},
	[PLAN_RESET_MAILBOXES] = {bulk_query, TABLE_GIVEN, ACCESS_ANY}
};

PlanAccess
plan_access(PlanId id)
{
	return kinds[id].access;
}

PlanTable
plan_table(PlanId id)
{
	return kinds[id].table;
}

/*
 * plan_text: the text of a query, and the types of its parameters
 *
 * table is that of plan_scan(), or NULL.  Returns how many parameters it has.
 */
int
plan_text(Store *store, PlanId id, const char *table, char **text,
		  Oid params[MODSEQ_MAX_PARAMS])
{
	PlanText	query = {0};

	query.store = store;
	query.table = table;
	initStringInfo(&query.text);
	kinds[id].text(&query, id);
	*text = query.text.data;
	memcpy(params, query.params, sizeof(query.params));
	return query.nparams;
}
