/*-------------------------------------------------------------------------
 *
 * expand_count.c
 *	  What words in braces stand for that speak of counts.
 *
 * The language is explained in text.c.  None of them has braces again.
 *
 * Locks: none.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

/* The condition that message m has the flag, never NULL, as count.c has it */
static char *
has_flag(const CountedFlag *flag)
{
	const char *column = flag->column.quoted;
	char	   *name = flag->flag == NULL ? NULL :
		quote_literal_cstr(flag->flag);

	switch (flag->column.type)
	{
		case BOOLOID:
			return psprintf("%sCOALESCE(m.%s, false)",
							flag->inverse ? "NOT " : "", column);
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return psprintf("COALESCE((m.%s::pg_catalog.int8"
							" OPERATOR(pg_catalog.&) '" INT64_FORMAT
							"'::pg_catalog.int8)"
							" OPERATOR(pg_catalog.<>) 0, false)",
							column, flag->bits);
		case JSONBOID:
			return psprintf("COALESCE(m.%1$s OPERATOR(pg_catalog.?) %2$s AND"
							" COALESCE(m.%1$s OPERATOR(pg_catalog.->) %2$s,"
							" 'true') OPERATOR(pg_catalog.<>) ALL ("
							"'{\"false\",\"null\"}'::pg_catalog.jsonb[]),"
							" false)", column, name);
		default:
			/* As bytes, though the column's collation be another */
			return psprintf("COALESCE(%s COLLATE pg_catalog.\"C\""
							" OPERATOR(pg_catalog.=)"
							" ANY (m.%s::pg_catalog.text[]), false)",
							name, column);
	}
}

/*
 * {m.counted}: of the messages m of a group, each count as a bigint; 0 if the
 * store does not count that
 */
void
expand_counted(Expansion *query)
{
	const Store *store = query->store;

	appendStringInfoString(&query->text,
						   store->count[COUNT_MESSAGES].name == NULL ?
						   "0::pg_catalog.int8" : "pg_catalog.count(*)");
	if (store->count[COUNT_SIZE].name == NULL)
		appendStringInfoString(&query->text, ", 0::pg_catalog.int8");
	else
		appendStringInfo(&query->text,
						 ", COALESCE(pg_catalog.sum(m.%s), 0)::pg_catalog.int8",
						 store->size.quoted);
	if (store->count[COUNT_UNSEEN].name == NULL)
		appendStringInfoString(&query->text, ", 0::pg_catalog.int8");
	else
		appendStringInfo(&query->text,
						 ", pg_catalog.count(*) FILTER (WHERE NOT (%s))",
						 has_flag(&store->seen));
	if (store->count[COUNT_DELETED].name == NULL)
		appendStringInfoString(&query->text, ", 0::pg_catalog.int8");
	else
		appendStringInfo(&query->text,
						 ", pg_catalog.count(*) FILTER (WHERE %s)",
						 has_flag(&store->deleted));
}

/* {b.counts}: those of a mailbox, as bigints; NULL if it is not counted */
void
expand_counts(Expansion *query)
{
	for (int i = 0; i < COUNTS; i++)
	{
		const Column *count = &query->store->count[i];

		appendStringInfoString(&query->text, i == 0 ? "" : ", ");
		if (count->name == NULL)
			appendStringInfoString(&query->text, "NULL::pg_catalog.int8");
		else
			appendStringInfo(&query->text,
							 "COALESCE(b.%s, 0)::pg_catalog.int8",
							 count->quoted);
	}
}

/* {add_counts}: behind what else SET says, what the parameter counts adds */
void
expand_add_counts(Expansion *query)
{
	int			number = 0;

	for (int i = 0; i < COUNTS; i++)
	{
		const Column *count = &query->store->count[i];

		if (count->name == NULL)
			continue;
		if (number == 0)
			number = find_param(query, "counts");
		appendStringInfo(&query->text,
						 ", %s = COALESCE(b.%s, 0)"
						 " OPERATOR(pg_catalog.+) $%d",
						 count->quoted, count->quoted, number++);
	}
}
