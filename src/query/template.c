/*-------------------------------------------------------------------------
 *
 * template.c
 *	  Queries in the language of text.c that attach(), check() and others run.
 *
 * Locks: AccessShareLock on a message table while it is read.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(modseq_query_text);

/*
 * modseq_query_text(message regclass, options text[], text text) -> text
 *
 * The same for attach(), check() and others, without parameters of ours.  The
 * store need not be one yet: it is described by the options that its trigger
 * has or will have, and no cache is looked into.  Error 55000 if the options
 * do not fit the tables.
 */
Datum
modseq_query_text(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Relation	rel = try_relation_open(relid, AccessShareLock);
	Oid			unused[MODSEQ_MAX_PARAMS];
	Store	   *store;
	Datum	   *options;
	char	  **strings;
	char	   *sql;
	int			n;

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false,
					  TYPALIGN_INT, &options, NULL, &n);
	strings = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
		strings[i] = TextDatumGetCString(options[i]);
	store = store_describe(rel, strings, n);
	relation_close(rel, AccessShareLock);
	expand_query(store, NULL, "", text_to_cstring(PG_GETARG_TEXT_PP(2)), &sql,
				 unused);
	PG_RETURN_TEXT_P(cstring_to_text(sql));
}
