/*-------------------------------------------------------------------------
 *
 * part.c
 *	  What the texts of our queries are put together from.
 *
 * Locks: none.  Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/part.h"

#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* plan_add: appends to the text */
void
plan_add(PlanText *query, const char *fmt,...)
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

/* plan_add_param: adds a parameter to the query and returns its number */
int
plan_add_param(PlanText *query, Oid type)
{
	Assert(query->nparams < MODSEQ_MAX_PARAMS);
	query->params[query->nparams++] = type;
	return query->nparams;
}

/* plan_uidset_oid: the type of a parameter that is a UID set */
Oid
plan_uidset_oid(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum("uidset"),
						   ObjectIdGetDatum(get_namespace_oid("modseq", false)));
}

/* plan_collate_clause: " COLLATE c" for a column that has a collation */
const char *
plan_collate_clause(Oid collation)
{
	HeapTuple	tuple;
	Form_pg_collation form;
	const char *result;

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

/* plan_add_key_columns: "t.a, t.b" in the types of the mailbox's key */
void
plan_add_key_columns(PlanText *query, const char *alias, TableRole side)
{
	for (int i = 0; i < query->store->nkeys; i++)
	{
		KeyColumn  *key = &query->store->key[i];

		plan_add(query, "%s%s.%s", i == 0 ? "" : ", ", alias, query->store->table[side].key[i].quoted);
		if (side != TABLE_MAILBOX)
			plan_add(query, "::%s",
				format_type_extended(key->type, -1,
									 FORMAT_TYPE_FORCE_QUALIFY |
									 FORMAT_TYPE_TYPEMOD_GIVEN));
	}
}

/*
 * plan_add_key_equality: "t.a = v1 AND t.b = v2", for a format of the values
 * that are to be had, in the types of the mailbox's key
 */
void
plan_add_key_equality(PlanText *query, const char *alias, TableRole side,
					  const char *format)
{
	for (int i = 0; i < query->store->nkeys; i++)
	{
		KeyColumn  *key = &query->store->key[i];
		Oid			type = query->store->table[side].key[i].type;
		Oid			param_type;
		Oid			operator = equality_operator(type, key->type, &param_type);

		if (i > 0)
			plan_add(query, " AND ");
		generate_operator_clause(&query->text,
								 psprintf("%s.%s", alias, query->store->table[side].key[i].quoted),
								 type, operator,
								 psprintf(format, i + 1), key->type);
	}
}

/* plan_add_key_condition: the key is that in the first parameters */
void
plan_add_key_condition(PlanText *query, const char *alias, TableRole side)
{
	plan_add_key_equality(query, alias, side, "$%d");
}

/* plan_add_key_params: those parameters */
void
plan_add_key_params(PlanText *query)
{
	for (int i = 0; i < query->store->nkeys; i++)
		plan_add_param(query, query->store->key[i].type);
}

/*
 * plan_live_condition: whether message m is live: null, false and 0 say so in the soft-delete
 * column, as in row.c.  It is written so that it hides from the planner: with
 * an index of the application's on that column, or with statistics that say
 * how few are live, other plans look cheaper than those on our indexes, which
 * find the messages by UID or by mod-sequence.
 */
const char *
plan_live_condition(const Store *store)
{
	const char *expunged;

	if (store->expunged.quoted == NULL)
		return "true";
	switch (store->expunged.type)
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
					store->expunged.quoted, expunged);
}
