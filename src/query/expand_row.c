/*-------------------------------------------------------------------------
 *
 * expand_row.c
 *	  What words in braces stand for that speak of a row: its key, its account,
 *	  its flags; and parameters.
 *
 * The language is explained in text.c.  None of them has braces again.
 *
 * Locks: AccessShareLock on the flag table while its columns are read.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* expand_unknown: an error of ours in a query */
void
expand_unknown(const char *token)
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
void
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
	else if (strcmp(name, "counts") == 0)
	{
		for (int i = 0; i < COUNTS; i++)
			if (store->count[i].name != NULL)
				add_param(query, name, INT8OID);
	}
	else if (strcmp(name, "uids") == 0 || strcmp(name, "changed") == 0 ||
			 strcmp(name, "lost_uids") == 0)
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
int
find_param(const Expansion *query, const char *name)
{
	for (int i = 0; i < query->nparams; i++)
		if (strcmp(query->param[i], name) == 0)
			return i + 1;
	expand_unknown(psprintf("$%s", name));
	return 0;
}

/* {$name}: all that have the name, with commas between them */
void
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
void
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

/*
 * expand_same_column: that column of a row is what another row, or the
 * parameters of that name, have in that column of the mailbox key
 */
void
expand_same_column(Expansion *query, const char *row, const Column *column,
				   const char *other, int i)
{
	const Store *store = query->store;
	const Column *right = &table_of_row(query, other)->key[i];
	bool		is_param = other[0] == '$';
	Oid			type = is_param ? store->key[i].type : right->type;
	Oid			unused;
	Oid			operator = equality_operator(column->type, type, &unused);

	generate_operator_clause(&query->text,
							 psprintf("%s.%s", row, column->quoted),
							 column->type, operator,
							 is_param ?
							 psprintf("$%d", find_param(query, other + 1) + i) :
							 psprintf("%s.%s", other, right->quoted),
							 type);
	if (!is_param)
		expand_collation(query, store->key[i].collation);
}

/* {x=y}, {x=$key} */
void
expand_same_mailbox(Expansion *query, const char *row, const char *other)
{
	for (int i = 0; i < query->store->nkeys; i++)
	{
		appendStringInfoString(&query->text, i == 0 ? "" : " AND ");
		expand_same_column(query, row, &table_of_row(query, row)->key[i],
						   other, i);
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
void
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
void
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
void
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

/* --- messages ----------------------------------------------------------- */

/*
 * {ids}: before the message table in FROM, a row for each of $ids; an array of
 * single values needs none
 */
void
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
expand_same_of_id(Expansion *query, const char *other, int i)
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
void
expand_same_message(Expansion *query, const char *other)
{
	for (int i = 0; i < query->store->message_key.n; i++)
	{
		appendStringInfoString(&query->text, i == 0 ? "" : " AND ");
		expand_same_of_id(query, other, i);
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
void
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
void
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
void
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

/* --- names of ours ------------------------------------------------------- */

/*
 * {_name}: a column of ours in a row that has columns of a key, too: these may
 * have any name, so it gets one that none of them has
 */
void
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
