/*-------------------------------------------------------------------------
 *
 * expand.c
 *	  From a query with braces, for any store, to SQL for one.
 *
 * The language is explained in text.c.  Every name that comes out is qualified
 * and quoted, and every operator is written OPERATOR(schema.name), so that no
 * search_path matters.  (We do not set search_path: an application's own
 * triggers fire on these statements and must find their tables, as they do on
 * a foreign key's.)
 *
 * Locks: none.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* What stands for a longer text, which may have braces again */
static const struct Abbreviation
{
	const char *name;
	const char *text;
}			abbreviations[] = {
	{"m.uid", "m.{uid}::pg_catalog.int8"},
	{"m.modseq", "m.{modseq}::pg_catalog.int8"},
	{"m.created", "COALESCE(m.{created_modseq}::pg_catalog.int8, 0)"},
	{"m.email", "m.{email}::pg_catalog.text"},
	{"m in r", "m.{uid} {>=} r.lo AND m.{uid} {<=} r.hi"},
	{"f.uid", "f.{flag_uid}::pg_catalog.int8"},
	{"b.counters", "b.{uidvalidity}::pg_catalog.int8,"
	" b.{uidnext}::pg_catalog.int8, b.{highestmodseq}::pg_catalog.int8"},
	{"b.uidnext",
	"GREATEST(b.{uidnext}::pg_catalog.int8 {+} {next_minus_stored}, 1)"},
	{"b.highestmodseq", "GREATEST(b.{highestmodseq}::pg_catalog.int8, 1)"},
	{"b.created_modseq", "b.created_modseq"},
	{"b.properties_modseq", "b.properties_modseq"}
};

/* A text while its braces are replaced */
typedef struct Expansion
{
	const Store *store;
	const char *table;			/* {table}, or NULL */
	bool		one;			/* of one mailbox, whose key is in "chosen" */
	StringInfoData text;
	int			nparams;
	Oid			type[MODSEQ_MAX_PARAMS];
	const char *param[MODSEQ_MAX_PARAMS];	/* names, without $ */
} Expansion;

static void expand(Expansion *query, const char *text);

static void
unknown(const char *token)
{
	elog(ERROR, "unknown {%s} in a query of modseq's", token);
}

/* The same type whatever the search_path, and without a type modifier */
static const char *
type_name(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_FORCE_QUALIFY |
								FORMAT_TYPE_TYPEMOD_GIVEN);
}

/* --- parameters -------------------------------------------------------- */

static void
add_param(Expansion *query, const char *name, Oid type)
{
	if (query->nparams == MODSEQ_MAX_PARAMS)
		elog(ERROR, "too many parameters");
	query->param[query->nparams] = name;
	query->type[query->nparams++] = type;
}

/* A parameter of that name: what it stands for decides on the types */
static void
declare_param(Expansion *query, const char *name)
{
	const Store *store = query->store;
	bool		keys = strcmp(name, "keys") == 0;
	bool		ids = strcmp(name, "ids") == 0;

	if (keys || strcmp(name, "key") == 0 || strcmp(name, "new_key") == 0)
		for (int i = 0; i < store->nkeys; i++)
			add_param(query, name, keys ? get_array_type(store->key[i].type) :
					  store->key[i].type);
	else if (ids || strcmp(name, "id") == 0)
		for (int i = 0; i < store->message_key.n; i++)
		{
			Oid			type = store->flag_key_type[i];

			add_param(query, name, ids ? get_array_type(type) : type);
		}
	else if (strcmp(name, "account") == 0 || strcmp(name, "accounts") == 0)
		for (int i = 0; i < store->naccounts; i++)
		{
			Oid			type = store->account_key[i].type;

			add_param(query, name, name[7] == 's' ? get_array_type(type) :
					  type);
		}
	else if (strcmp(name, "uids") == 0 || strcmp(name, "changed") == 0)
		add_param(query, name, uidset_oid());
	else if (strcmp(name, "email") == 0)
		add_param(query, name, store->email.type);
	else if (strcmp(name, "emails") == 0)
		add_param(query, name, get_array_type(store->email.type));
	else if (strcmp(name, "thread") == 0)
		add_param(query, name, store->thread.type);
	else if (strcmp(name, "threads") == 0)
		add_param(query, name, get_array_type(store->thread.type));
	else if (strcmp(name, "created") == 0 ||
			 strcmp(name, "mailboxes_created") == 0)
		add_param(query, name, INT8ARRAYOID);
	else if (strcmp(name, "mailboxes") == 0)
		add_param(query, name, TEXTARRAYOID);
	else if (strcmp(name, "names") == 0)
		add_param(query, name, TEXTARRAYOID);
	else
		add_param(query, name, INT8OID);
}

/* The number of a parameter; of a key, that of its first column */
static int
find_param(const Expansion *query, const char *name)
{
	for (int i = 0; i < query->nparams; i++)
		if (strcmp(query->param[i], name) == 0)
			return i + 1;
	unknown(psprintf("$%s", name));
	return 0;
}

/* {$name}: all that have the name, with commas between them */
static void
expand_param(Expansion *query, const char *name)
{
	bool		is_account = strcmp(name, "account") == 0;
	bool		is_array = strcmp(name, "keys") == 0 ||
		strcmp(name, "accounts") == 0;
	const char *format = is_array ? "%spg_catalog.unnest($%d)" : "%s$%d";
	int			first;

	if (is_account && query->store->naccounts == 0)
	{
		appendStringInfoString(&query->text, "true");
		return;
	}
	first = find_param(query, name);
	for (int i = first; i <= query->nparams; i++)
		if (strcmp(query->param[i - 1], name) == 0)
			appendStringInfo(&query->text, format, i == first ? "" : ", ", i);
}

/* --- mailbox keys ------------------------------------------------------ */

/* The table whose names a row has */
static const StoreTable *
table_of_row(const Expansion *query, const char *row)
{
	TableRole	role = TABLE_MAILBOX;

	if (strcmp(row, "m") == 0 || strcmp(row, "live") == 0)
		role = TABLE_MESSAGE;
	else if (strcmp(row, "f") == 0)
		role = TABLE_FLAG;
	else if (strcmp(row, "s") == 0)
		role = TABLE_SOURCE;
	else if (strcmp(row, "a") == 0)
		role = TABLE_ACCOUNT;
	else if (strcmp(row, "d") == 0)
		role = TABLE_DEPARTED;
	return &query->store->table[role];
}

/* {x.key}, {x.mailbox}, {x.name}; and if row is NULL {key} and {$1} */
static void
expand_key(Expansion *query, const char *row, const char *what)
{
	const Store *store = query->store;
	const StoreTable *mailbox = &store->table[TABLE_MAILBOX];
	const StoreTable *table = row ? table_of_row(query, row) : mailbox;
	bool		as_mailbox = strcmp(what, "mailbox") == 0 && table != mailbox;
	bool		as_text = strcmp(what, "name") == 0;
	bool		as_array = as_text && store->nkeys > 1;

	appendStringInfoString(&query->text, as_array ? "ARRAY[" : "");
	for (int i = 0; i < store->nkeys; i++)
	{
		const char *column = table->key[i].quoted;

		appendStringInfoString(&query->text, i == 0 ? "" : ", ");
		if (strcmp(what, "$1") == 0)
			/* Without a type modifier "character" means one character */
			appendStringInfo(&query->text, "($1[%d])::%s AS ", i + 1,
							 type_name(store->key[i].type));
		else if (row != NULL)
			appendStringInfo(&query->text, "%s.", row);
		appendStringInfoString(&query->text, column);
		if (as_mailbox || as_text)
			appendStringInfo(&query->text, "::%s",
							 type_name(as_text ? TEXTOID : store->key[i].type));
	}
	appendStringInfoString(&query->text,
						   as_array ? "]::pg_catalog.text" : "");
}

/* " COLLATE c": two columns may have different ones */
static void
expand_collation(Expansion *query, Oid collation)
{
	HeapTuple	tuple;
	Form_pg_collation form;
	const char *schema;

	if (!OidIsValid(collation))
		return;
	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for collation %u", collation);
	form = (Form_pg_collation) GETSTRUCT(tuple);
	schema = get_namespace_name(form->collnamespace);
	appendStringInfo(&query->text, " COLLATE %s",
					 quote_qualified_identifier(schema,
												NameStr(form->collname)));
	ReleaseSysCache(tuple);
}

/* {x=y}, {x=$key} */
static void
expand_same_mailbox(Expansion *query, const char *row, const char *other)
{
	const Store *store = query->store;
	const StoreTable *left = table_of_row(query, row);
	const StoreTable *right = table_of_row(query, other);
	bool		is_param = other[0] == '$';
	int			first = is_param ? find_param(query, other + 1) : 0;

	for (int i = 0; i < store->nkeys; i++)
	{
		Oid			type = is_param ? store->key[i].type : right->key[i].type;
		Oid			unused;
		Oid			operator = equality_operator(left->key[i].type, type,
												 &unused);

		appendStringInfoString(&query->text, i == 0 ? "" : " AND ");
		generate_operator_clause(&query->text,
								 psprintf("%s.%s", row, left->key[i].quoted),
								 left->key[i].type, operator,
								 is_param ? psprintf("$%d", first + i) :
								 psprintf("%s.%s", other, right->key[i].quoted),
								 type);
		if (!is_param)
			expand_collation(query, store->key[i].collation);
	}
}

/* --- accounts ---------------------------------------------------------- */

/*
 * {x.account}, {x.account_name}; and if row is NULL {account_key}
 *
 * Where there is one account for the store, its tables have a column for it all
 * the same.  Others are given a value that may stand in GROUP BY, where a
 * constant may not.
 */
static void
expand_account(Expansion *query, const char *row, bool as_text)
{
	const Store *store = query->store;
	const StoreTable *table = table_of_row(query, row ? row : "a");
	bool		as_array = as_text && store->naccounts > 1;

	if (store->naccounts == 0 && row == NULL)
		appendStringInfoString(&query->text, "one");
	else if (store->naccounts == 0)
		appendStringInfoString(&query->text, as_text ? "''::pg_catalog.text" :
							   "'t'::pg_catalog.bool");
	appendStringInfoString(&query->text, as_array ? "ARRAY[" : "");
	for (int i = 0; i < store->naccounts; i++)
		appendStringInfo(&query->text, "%s%s%s%s%s", i == 0 ? "" : ", ",
						 row ? row : "", row ? "." : "",
						 table->account[i].quoted,
						 as_text ? "::pg_catalog.text" : "");
	appendStringInfoString(&query->text,
						   as_array ? "]::pg_catalog.text" : "");
}

/*
 * {account_rest}, {$account_rest}, {excluded.account_rest}: columns of the
 * account that are not in the mailbox key, each after a comma
 */
static void
expand_account_rest(Expansion *query, const char *prefix)
{
	const Store *store = query->store;
	const StoreTable *table = &store->table[TABLE_MAILBOX];

	for (int i = 0; i < store->naccounts; i++)
	{
		if (key_has_column(table->key, table->nkeys, table->account[i].name))
			continue;
		if (prefix[0] == '$')
			appendStringInfo(&query->text, ", $%d",
							 find_param(query, "account") + i);
		else
			appendStringInfo(&query->text, ", %s%s", prefix,
							 table->account[i].quoted);
	}
}

/* {x@y}, {x@$account} */
static void
expand_same_account(Expansion *query, const char *row, const char *other)
{
	const Store *store = query->store;
	const StoreTable *left = table_of_row(query, row);
	const StoreTable *right = table_of_row(query, other);
	const StoreTable *account = &store->table[TABLE_ACCOUNT];
	bool		is_param = other[0] == '$';
	int			first = is_param && store->naccounts > 0 ?
		find_param(query, other + 1) : 0;

	for (int i = 0; i < store->naccounts; i++)
	{
		Oid			type = is_param ? store->account_key[i].type :
			right->account[i].type;
		Oid			unused;
		Oid			operator = equality_operator(left->account[i].type, type,
												 &unused);

		appendStringInfoString(&query->text, i == 0 ? "" : " AND ");
		generate_operator_clause(&query->text,
								 psprintf("%s.%s", row,
										  left->account[i].quoted),
								 left->account[i].type, operator,
								 is_param ? psprintf("$%d", first + i) :
								 psprintf("%s.%s", other,
										  right->account[i].quoted),
								 type);
		if (!is_param)
			expand_collation(query, store->account_key[i].collation);
	}
	/* The one row is found by the index: it may have many dead versions */
	if (store->naccounts == 0)
		appendStringInfoString(&query->text,
							   left == account || right == account ?
							   "a.one" : "true");
}

/* --- messages ---------------------------------------------------------- */

/*
 * {ids}: before the message table in FROM, a row for each of $ids; an array of
 * single values needs none
 */
static void
expand_ids(Expansion *query)
{
	int			n = query->store->message_key.n;
	int			first = find_param(query, "ids");

	for (int i = 0; i < n && n > 1; i++)
		appendStringInfo(&query->text, "%spg_catalog.unnest($%d)",
						 i == 0 ? "ROWS FROM (" : ", ", first + i);
	for (int i = 0; i < n && n > 1; i++)
		appendStringInfo(&query->text, "%s_%d%s", i == 0 ? ") AS i (" : ", ",
						 i + 1, i == n - 1 ? "), " : "");
}

/* One column of {m.id=f.id}, {m.id=$id}, {m.id=$ids} */
static void
expand_same_column(Expansion *query, const char *other, int i)
{
	const Store *store = query->store;
	const Column *key = &store->message_key.column[i];
	const Column *flag = &store->flag_message.column[i];
	Oid			type = flag->type;
	Oid			param_type;
	Oid			operator = equality_operator(key->type, type, &param_type);
	char	   *right;

	if (strcmp(other, "$id") == 0)
	{
		type = store->flag_key_type[i];
		right = psprintf("$%d", find_param(query, "id") + i);
	}
	else if (strcmp(other, "$ids") == 0)
	{
		bool		is_array = store->message_key.n == 1;

		type = is_array ? param_type : store->flag_key_type[i];
		right = is_array ? psprintf("ANY ($%d)", find_param(query, "ids")) :
			psprintf("i._%d", i + 1);
	}
	else
		right = psprintf("f.%s", flag->quoted);
	generate_operator_clause(&query->text, psprintf("m.%s", key->quoted),
							 key->type, operator, right, type);
	if (other[0] != '$')
		expand_collation(query, key->collation);
}

/* {m.id=f.id}, {m.id=$id}, {m.id=$ids} */
static void
expand_same_message(Expansion *query, const char *other)
{
	for (int i = 0; i < query->store->message_key.n; i++)
	{
		appendStringInfoString(&query->text, i == 0 ? "" : " AND ");
		expand_same_column(query, other, i);
	}
}

/*
 * {m.live}: null, false and 0 in the soft-delete column say so, as in key.c.
 *
 * It is written so that it hides from the planner: with an index of the
 * application's on that column, or with statistics that say how few are live,
 * other plans look cheaper than those on our indexes, which find the messages
 * by UID or by mod-sequence.
 */
static void
expand_live(Expansion *query)
{
	switch (query->store->expunged.type)
	{
		case InvalidOid:
			expand(query, "true");
			break;
		case BOOLOID:
			expand(query, "CASE WHEN m.{expunged} THEN 1 ELSE 0 END {<>} 1");
			break;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			expand(query,
				   "CASE WHEN m.{expunged} {<>} 0 THEN 1 ELSE 0 END {<>} 1");
			break;
		default:
			expand(query, "CASE WHEN m.{expunged} IS NOT NULL"
				   " THEN 1 ELSE 0 END {<>} 1");
			break;
	}
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * {m.flags}, {f.flags}: by name, as the order of columns does not count
 *
 * Two arguments only, for a function has no more than a hundred.
 */
static void
expand_flags(Expansion *query, char row)
{
	const Store *store = query->store;
	List	   *names;
	ListCell   *lc;

	if (row == 'm')
		names = list_copy(store->flags);
	else
	{
		Relation	rel = table_open(store->table[TABLE_FLAG].relid,
									 AccessShareLock);

		names = shape_flag_columns(rel, store);
		table_close(rel, NoLock);
	}
	list_sort(names, compare_names);
	appendStringInfoString(&query->text, "ARRAY[");
	foreach(lc, names)
		appendStringInfo(&query->text, "%s%s",
						 lc == list_head(names) ? "" : ", ",
						 quote_literal_cstr(lfirst(lc)));
	appendStringInfoString(&query->text, "]::pg_catalog.text[], ROW(");
	foreach(lc, names)
		appendStringInfo(&query->text, "%s%c.%s",
						 lc == list_head(names) ? "" : ", ", row,
						 quote_identifier(lfirst(lc)));
	appendStringInfoString(&query->text, ")");
}

/* {m.thread}, {d.threads} */
static void
expand_thread(Expansion *query, bool departed)
{
	if (query->store->thread.name == NULL)
		appendStringInfo(&query->text, "NULL::pg_catalog.text%s",
						 departed ? "[]" : "");
	else if (departed)
		appendStringInfoString(&query->text, "d.threads::pg_catalog.text[]");
	else
		appendStringInfo(&query->text, "m.%s::pg_catalog.text",
						 query->store->thread.quoted);
}

/* {m.email=i}, {m.thread=i} */
static void
expand_same_id(Expansion *query, const Column *column)
{
	Oid			unused;

	generate_operator_clause(&query->text, psprintf("m.%s", column->quoted),
							 column->type,
							 equality_operator(column->type, column->type,
											   &unused),
							 psprintf("i.id::%s", type_name(column->type)),
							 column->type);
	expand_collation(query, column->collation);
}

/*
 * {b.gone}, {b.outlived}: of a mailbox whose counters are in a table of ours,
 * is it gone, and are messages of it there?
 */
static void
expand_gone(Expansion *query, bool outlived)
{
	const Store *store = query->store;

	if (store->counters == NULL || (outlived && !store->remembers))
		expand(query, "false");
	else
		expand(query, outlived ?
			   "EXISTS (SELECT FROM {message} AS m WHERE {m=b})" :
			   "b.gone_at IS NOT NULL");
}

/*
 * {v.changed}, {v.unlogged}, {v.any}: of a vanished row, which may say what
 * changed, too, or nothing else
 */
static void
expand_logged(Expansion *query, const char *what)
{
	bool		logs = query->store->logs;

	if (strcmp(what, "changed") == 0)
		expand(query, logs ? "COALESCE(v.changed, '')" : "''::modseq.uidset");
	else if (!logs)
		expand(query, "true");
	else
		expand(query, strcmp(what, "unlogged") == 0 ?
			   "v.changed IS NULL" : "v.uids OPERATOR(modseq.<>) ''");
}

/*
 * {_name}: a column of ours in a row that has columns of a key, too: these may
 * have any name, so it gets one that none of them has
 */
static void
expand_own_column(Expansion *query, const char *name)
{
	const StoreTable *table = query->store->table;
	int			i = 0;

	while (i < TABLE_ROLES)
	{
		if (key_has_column(table[i].key, table[i].nkeys, name) ||
			key_has_column(table[i].account, query->store->naccounts, name))
		{
			name = psprintf("%s_", name);
			i = 0;
		}
		else
			i++;
	}
	appendStringInfoString(&query->text, name);
}

/* --- all of it --------------------------------------------------------- */

/* The name of a table or column */
static const char *
find_name(const Expansion *query, const char *name)
{
	const Store *store = query->store;
	const char *const names[][2] = {
		{"message", store->table[TABLE_MESSAGE].name},
		{"mailbox", store->table[TABLE_MAILBOX].name},
		{"source", store->table[TABLE_SOURCE].name},
		{"flag", store->table[TABLE_FLAG].name},
		{"vanished", store->table[TABLE_VANISHED].name},
		{"account", store->table[TABLE_ACCOUNT].name},
		{"departed", store->table[TABLE_DEPARTED].name},
		{"table", query->table},
		{"uid", store->uid.quoted},
		{"modseq", store->modseq.quoted},
		{"created_modseq", store->created_modseq.quoted},
		{"expunged", store->expunged.quoted},
		{"email", store->email.quoted},
		{"thread", store->thread.quoted},
		{"flag_uid", store->flag_uid.quoted},
		{"uidvalidity", store->uidvalidity.quoted},
		{"last_uidvalidity", store->uidvalidity.type == INT4OID ?
		"2147483647" : "4294967295"},
		{"uidnext", store->uidnext.quoted},
		{"highestmodseq", store->highestmodseq.quoted},
		{"next_minus_stored", store->has_last_uid ? "1" : "0"},
		{"{", "{"}
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(name, names[i][0]) == 0 && names[i][1] != NULL)
			return names[i][1];
	unknown(name);
	return NULL;
}

/* {message m}: rows of a table, all or those of one mailbox */
static void
expand_rows(Expansion *query, const char *table, const char *row)
{
	const char *chosen = psprintf("FROM chosen, {%s} AS %s WHERE {%s=chosen}",
								  table, row, row);

	if (!query->one)
	{
		expand(query, psprintf("{%s} AS %s", table, row));
		return;
	}
	if (strcmp(table, "account") == 0)
		chosen = "FROM chosen, {mailbox} AS b, {account} AS a"
			" WHERE {b=chosen} AND {a@b}";
	else if (strcmp(table, "departed") == 0)
		chosen = "FROM {departed} AS d WHERE false";
	expand(query, psprintf("(SELECT %s.* %s) AS %s", row, chosen, row));
}

/* What stands in one pair of braces */
static void
expand_braces(Expansion *query, char *token)
{
	char	   *equals = strchr(token, '=');
	char	   *at = strchr(token, '@');
	char	   *dot = strchr(token, '.');
	char	   *space = strchr(token, ' ');

	for (size_t i = 0; i < lengthof(abbreviations); i++)
		if (strcmp(token, abbreviations[i].name) == 0)
		{
			expand(query, abbreviations[i].text);
			return;
		}
	if (strcmp(token, "one") == 0)
		query->one = true;
	else if (space != NULL)
	{
		*space = '\0';
		expand_rows(query, token, space + 1);
	}
	else if (strcmp(token, "m.live") == 0)
		expand_live(query);
	else if (strcmp(token, "m.flags") == 0 || strcmp(token, "f.flags") == 0)
		expand_flags(query, token[0]);
	else if (strcmp(token, "m.thread") == 0 ||
			 strcmp(token, "d.threads") == 0)
		expand_thread(query, token[0] == 'd');
	else if (strcmp(token, "m.email=i") == 0)
		expand_same_id(query, &query->store->email);
	else if (strcmp(token, "m.thread=i") == 0)
		expand_same_id(query, &query->store->thread);
	else if (strcmp(token, "b.gone") == 0 ||
			 strcmp(token, "b.outlived") == 0)
		expand_gone(query, token[2] == 'o');
	else if (strcmp(token, "v.changed") == 0 ||
			 strcmp(token, "v.unlogged") == 0 || strcmp(token, "v.any") == 0)
		expand_logged(query, token + 2);
	else if (strspn(token, "=<>+-") == strlen(token))
		appendStringInfo(&query->text, "OPERATOR(pg_catalog.%s)", token);
	else if (strcmp(token, "key") == 0 || strcmp(token, "$1") == 0)
		expand_key(query, NULL, token);
	else if (strcmp(token, "account_key") == 0)
		expand_account(query, NULL, false);
	else if (strcmp(token, "account_rest") == 0 ||
			 strcmp(token, "$account_rest") == 0)
		expand_account_rest(query, token[0] == '$' ? "$" : "");
	else if (strcmp(token, "excluded.account_rest") == 0)
		expand_account_rest(query, "excluded.");
	else if (at != NULL)
	{
		*at = '\0';
		expand_same_account(query, token, at + 1);
	}
	else if (dot != NULL && (strcmp(dot, ".account") == 0 ||
							 strcmp(dot, ".account_name") == 0))
	{
		*dot = '\0';
		expand_account(query, token, dot[8] == '_');
	}
	else if (token[0] == '$')
		expand_param(query, token + 1);
	else if (token[0] == '_')
		expand_own_column(query, token);
	else if (strcmp(token, "ids") == 0)
		expand_ids(query);
	else if (strncmp(token, "m.id=", 5) == 0)
		expand_same_message(query, token + 5);
	else if (equals != NULL)
	{
		*equals = '\0';
		expand_same_mailbox(query, token, equals + 1);
	}
	else if (dot != NULL)
	{
		*dot = '\0';
		if (strcmp(dot + 1, "key") != 0 && strcmp(dot + 1, "mailbox") != 0 &&
			strcmp(dot + 1, "name") != 0)
			unknown(dot + 1);
		expand_key(query, token, dot + 1);
	}
	else
		appendStringInfoString(&query->text, find_name(query, token));
}

static void
expand(Expansion *query, const char *text)
{
	const char *brace;

	while ((brace = strchr(text, '{')) != NULL)
	{
		const char *end = strchr(brace, '}');

		if (end == NULL)
			elog(ERROR, "missing } in a query of modseq's");
		appendBinaryStringInfo(&query->text, text, brace - text);
		expand_braces(query, pnstrdup(brace + 1, end - brace - 1));
		text = end + 1;
	}
	appendStringInfoString(&query->text, text);
}

/*
 * expand_query: the SQL for a store, and the types of its parameters
 *
 * params are their names; table is what {table} stands for, or NULL.  Returns
 * how many parameters there are.
 */
int
expand_query(const Store *store, const char *table, const char *params,
			 const char *text, char **sql, Oid types[MODSEQ_MAX_PARAMS])
{
	Expansion	query = {0};
	char	   *names = pstrdup(params);
	char	   *name;

	query.store = store;
	query.table = table;
	initStringInfo(&query.text);
	while ((name = strsep(&names, " ")) != NULL)
		if (name[0] != '\0')
			declare_param(&query, name);
	expand(&query, text);
	*sql = query.text.data;
	memcpy(types, query.type, sizeof(query.type));
	return query.nparams;
}
