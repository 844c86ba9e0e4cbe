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

#include "catalog/pg_type.h"

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

static void expand(Expansion *query, const char *text);

/* --- messages ---------------------------------------------------------- */

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

/* --- given values of UIDVALIDITY --------------------------------------- */

/* {next_uidvalidity=b}, {next_uidvalidity=$key} */
static void
expand_next_uidvalidity(Expansion *query, const char *of)
{
	const StoreTable *given = &query->store->table[TABLE_UIDVALIDITY];

	if (given->name == NULL)
	{
		expand(query, "modseq.next_uidvalidity()");
		return;
	}
	expand(query, "modseq_internal.next_uidvalidity("
		   "(SELECT pg_catalog.max(g.uidvalidity)"
		   " FROM {uidvalidities} AS g WHERE ");
	if (given->key[0].name != NULL)
		expand_same_column(query, "g", &given->key[0], of,
						   query->store->distributed_by);
	else
		expand(query, "true");
	expand(query, "))");
}

/* {given}, {$given} */
static void
expand_given(Expansion *query, bool value)
{
	if (query->store->table[TABLE_UIDVALIDITY].name != NULL)
		expand(query, value ? ", {next_uidvalidity=$key}" : ", {uidvalidity}");
}

/* {g.key}, {g.$key} */
static void
expand_given_key(Expansion *query, bool value)
{
	const Column *key = query->store->table[TABLE_UIDVALIDITY].key;

	if (key->name != NULL && value)
		appendStringInfo(&query->text, "$%d, ",
						 query->store->distributed_by + 1);
	else if (key->name != NULL)
		appendStringInfo(&query->text, "%s, ", key->quoted);
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
		{"uidvalidities", store->table[TABLE_UIDVALIDITY].name},
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
	expand_unknown(name);
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
	else if (strcmp(token, "m.counted") == 0)
		expand_counted(query);
	else if (strcmp(token, "b.counts") == 0)
		expand_counts(query);
	else if (strcmp(token, "add_counts") == 0)
		expand_add_counts(query);
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
	else if (strcmp(token, "given") == 0 || strcmp(token, "$given") == 0)
		expand_given(query, token[0] == '$');
	else if (strcmp(token, "g.key") == 0 || strcmp(token, "g.$key") == 0)
		expand_given_key(query, token[2] == '$');
	else if (strncmp(token, "next_uidvalidity=", 17) == 0)
		expand_next_uidvalidity(query, token + 17);
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
			expand_unknown(dot + 1);
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
