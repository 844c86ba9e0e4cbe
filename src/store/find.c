/*-------------------------------------------------------------------------
 *
 * find.c
 *	  From a table to the stores that it is a part of, and back.
 *
 * The trigger of a message table names the other tables of its store.  Who has
 * such a table looks for the store where it should be: at the message table
 * that the table's own triggers name, at those that it has a foreign key with,
 * and at the one that a vanished table is called after.  The store must name
 * the table back.  So this costs the same in a database of a thousand stores.
 *
 * Only what was renamed, or written by hand, is in none of these places.  Then
 * all of pg_trigger is read, once.
 *
 * Locks: none but on pg_trigger, AccessShareLock while it is read.  What is
 * found may be gone or be another's when the caller has locked it.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_table_of_store);
PG_FUNCTION_INFO_V1(modseq_stores_naming);
PG_FUNCTION_INFO_V1(modseq_tables_naming);
PG_FUNCTION_INFO_V1(modseq_name_with_suffix);

/*
 * Tables of ours that have no trigger, and so do not name their store: how they
 * are called after the message table, and a column that each of them has
 */
static const struct Untold
{
	const char *suffix;
	const char *column;
	bool		has_uids;		/* is it a set of UIDs? */
}			untold[] = {
	{"_vanished", "uids", true},
	{"_departed", "mailboxes_created", false}
};

/* --- reading pg_trigger ------------------------------------------------ */

typedef struct TriggerScan
{
	Relation	catalog;
	SysScanDesc scan;
	Form_pg_trigger trigger;	/* of what was read last */
	HeapTuple	tuple;
} TriggerScan;

/* Begins to read the triggers with that value in a column, if there is any */
static void
begin_scan(TriggerScan *scan, Oid index, AttrNumber column, Oid value)
{
	ScanKeyData key;

	scan->catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(value));
	scan->scan = systable_beginscan(scan->catalog, index, OidIsValid(index),
									NULL, OidIsValid(value) ? 1 : 0, &key);
}

/* Begins to read the triggers of a table, by name, or with 0 all that are */
static void
scan_begin(TriggerScan *scan, Oid relid)
{
	begin_scan(scan, OidIsValid(relid) ? TriggerRelidNameIndexId : InvalidOid,
			   Anum_pg_trigger_tgrelid, relid);
}

static bool
scan_next(TriggerScan *scan)
{
	scan->tuple = systable_getnext(scan->scan);
	if (scan->tuple == NULL)
		return false;
	scan->trigger = (Form_pg_trigger) GETSTRUCT(scan->tuple);
	return true;
}

static void
scan_end(TriggerScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->catalog, AccessShareLock);
}

/* The first argument of the trigger that was read last; others follow */
static const char *
first_argument(TriggerScan *scan)
{
	bool		isnull;
	TupleDesc	desc = RelationGetDescr(scan->catalog);
	bytea	   *args = DatumGetByteaPP(heap_getattr(scan->tuple,
													Anum_pg_trigger_tgargs,
													desc, &isnull));

	return VARDATA_ANY(args);
}

/* Does an argument hold that text? */
static bool
scan_mentions(TriggerScan *scan, const char *text)
{
	const char *arg = first_argument(scan);

	for (int i = 0; i < scan->trigger->tgnargs; i++, arg += strlen(arg) + 1)
		if (strstr(arg, text) != NULL)
			return true;
	return false;
}

/* All arguments */
static List *
scan_arguments(TriggerScan *scan)
{
	List	   *result = NIL;
	const char *arg = first_argument(scan);

	for (int i = 0; i < scan->trigger->tgnargs; i++, arg += strlen(arg) + 1)
		result = lappend(result, pstrdup(arg));
	return result;
}

/* Is it one of ours whose only argument is the name of that message table? */
static bool
scan_found(TriggerScan *scan, Oid schema, const char *message)
{
	return scan->trigger->tgnargs == 1 &&
		get_func_namespace(scan->trigger->tgfoid) == schema &&
		strcmp(linitial(scan_arguments(scan)), message) == 0;
}

/* --- from a table to its stores ---------------------------------------- */

/* Is that a row trigger of another part of a store than the message table? */
static bool
calls_for_part(const Oid *functions, Oid function)
{
	for (TableRole role = 0; role < TABLE_ROLES; role++)
		if (role != TABLE_MESSAGE && OidIsValid(functions[role]) &&
			function == functions[role])
			return true;
	return false;
}

static bool
names_table(Oid message, List *options, Oid relid)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		const char *name = option_table(lfirst(lc));

		if (name != NULL && table_beside(message, name) == relid)
			return true;
	}
	return false;
}

/*
 * Is there a store with that message table, and does it name that table as
 * another part?  Of several triggers on one table the first counts, as for
 * modseq.stores.
 */
static bool
store_names(Oid message, Oid assign, Oid relid)
{
	List	   *options = NIL;
	TriggerScan scan;

	scan_begin(&scan, message);
	while (options == NIL && scan_next(&scan))
		if (scan.trigger->tgfoid == assign &&
			!OidIsValid(scan.trigger->tgparentid))
			options = scan_arguments(&scan);
	scan_end(&scan);
	return names_table(message, options, relid);
}

/* The table that one of ours is called after, or InvalidOid */
static Oid
named_after(Oid relid, const char *suffix)
{
	char	   *name = get_rel_name(relid);
	size_t		len = name != NULL ? strlen(name) : 0;
	size_t		suffix_len = strlen(suffix);

	if (len <= suffix_len || strcmp(name + len - suffix_len, suffix) != 0)
		return InvalidOid;
	name[len - suffix_len] = '\0';
	return get_relname_relid(name, get_rel_namespace(relid));
}

/* Which of them does a table look like, whatever it is called?  -1 for none */
static int
looks_untold(Oid relid)
{
	for (size_t i = 0; i < lengthof(untold); i++)
	{
		AttrNumber	attnum = get_attnum(relid, untold[i].column);

		if (attnum != InvalidAttrNumber &&
			getBaseType(get_atttype(relid, attnum)) ==
			(untold[i].has_uids ? uidset_oid() : INT8ARRAYOID))
			return i;
	}
	return -1;
}

/*
 * All stores that name that table, by reading all triggers: there may be
 * thousands, so that only what can name it is looked at in detail
 */
static List *
search_stores(Oid assign, Oid relid)
{
	List	   *result = NIL;
	char	   *name = relation_name(relid);
	TriggerScan scan;

	begin_scan(&scan, InvalidOid, Anum_pg_trigger_tgfoid, assign);
	while (scan_next(&scan))
	{
		ListCell   *lc;

		if (OidIsValid(scan.trigger->tgparentid) ||
			!scan_mentions(&scan, name))
			continue;
		foreach(lc, scan_arguments(&scan))
		{
			const char *table = option_table(lfirst(lc));

			if (table != NULL && strcmp(table, name) == 0)
				result = list_append_unique_oid(result, scan.trigger->tgrelid);
		}
	}
	scan_end(&scan);
	return result;
}

static List *
whole_stores_naming(Oid relid)
{
	List	   *candidates = NIL;
	List	   *result = NIL;
	bool		lost = false;	/* has it been a part of something? */
	int			kind;
	Oid			functions[TABLE_ROLES] = {0};
	ListCell   *lc;
	TriggerScan scan;

	for (TableRole role = 0; role < TABLE_ROLES; role++)
		if (role_triggers[role] != NULL)
			functions[role] = our_function(role_triggers[role]);
	if (get_rel_name(relid) == NULL || !OidIsValid(functions[TABLE_MESSAGE]))
		return NIL;

	scan_begin(&scan, relid);
	while (scan_next(&scan))
	{
		Oid			message = scan.trigger->tgconstrrelid;

		if (!OidIsValid(scan.trigger->tgparentid) &&
			calls_for_part(functions, scan.trigger->tgfoid))
		{
			lost = true;
			if (scan.trigger->tgnargs == 1)
				message = table_named(linitial(scan_arguments(&scan)));
		}
		if (OidIsValid(message) && message != relid)
			candidates = list_append_unique_oid(candidates, message);
	}
	scan_end(&scan);
	kind = looks_untold(relid);
	if (kind >= 0)
	{
		Oid			message = named_after(relid, untold[kind].suffix);

		lost = true;
		candidates = list_append_unique_oid(candidates, message);
	}
	foreach(lc, candidates)
	{
		if (store_names(lfirst_oid(lc), functions[TABLE_MESSAGE], relid))
			result = lappend_oid(result, lfirst_oid(lc));
	}
	if (result == NIL && lost)
		result = search_stores(functions[TABLE_MESSAGE], relid);
	return result;
}

/*
 * stores_naming: the message tables of the stores that name a table as another
 * part of theirs
 *
 * Anybody can write such a name, so that one may be somebody else's.  Those of
 * a shard are the shards beside it of what the whole belongs to.
 */
List *
stores_naming(Oid relid)
{
	Oid			whole = shard_whole(relid);
	List	   *stores = whole_stores_naming(whole);
	List	   *result = NIL;
	ListCell   *lc;

	if (whole == relid)
		return stores;
	foreach(lc, stores)
	{
		Oid			beside = table_beside(relid, relation_name(lfirst_oid(lc)));

		if (OidIsValid(beside))
			result = lappend_oid(result, beside);
	}
	return result;
}

/*
 * relation_is_untold: is that a table of a store's which has no trigger?
 *
 * It has no trigger, so that is only known by the message table of its owner
 * that names it.
 */
bool
relation_is_untold(Oid relid)
{
	ListCell   *lc;

	if (looks_untold(relid) < 0)
		return false;
	foreach(lc, stores_naming(relid))
	{
		if (relation_owner(lfirst_oid(lc)) == relation_owner(relid))
			return true;
	}
	return false;
}

/*
 * relations_of_type: the tables that have a column of that type, of a domain
 * over it, or of an array of either
 *
 * They are not locked, and in the order in which they were created.
 */
List *
relations_of_type(Oid type)
{
	List	   *types = list_make1_oid(type);
	List	   *relids = NIL;
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	ListCell   *lc;

	/* Types that are made of one are appended while the list is gone through */
	foreach(lc, types)
	{
		ScanKeyData keys[2];
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
					F_OIDEQ, ObjectIdGetDatum(TypeRelationId));
		ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
					F_OIDEQ, ObjectIdGetDatum(lfirst_oid(lc)));
		scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL,
								  2, keys);
		while ((tuple = systable_getnext(scan)) != NULL)
		{
			Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);

			if (depend->classid == TypeRelationId)
				types = list_append_unique_oid(types, depend->objid);
			else if (depend->classid == RelationRelationId &&
					 depend->objsubid != 0)
				relids = list_append_unique_oid(relids, depend->objid);
		}
		systable_endscan(scan);
	}
	table_close(catalog, AccessShareLock);
	list_sort(relids, list_oid_cmp);
	return relids;
}

/* An array of tables */
static Datum
regclass_array(List *relids)
{
	ArrayBuildState *result = initArrayResult(REGCLASSOID, CurrentMemoryContext,
											  false);
	ListCell   *lc;

	foreach(lc, relids)
		accumArrayResult(result, ObjectIdGetDatum(lfirst_oid(lc)), false,
						 REGCLASSOID, CurrentMemoryContext);
	return makeArrayResult(result, CurrentMemoryContext);
}

/* modseq_internal.stores_naming(regclass) -> regclass[]: as above */
Datum
modseq_stores_naming(PG_FUNCTION_ARGS)
{
	return regclass_array(stores_naming(PG_GETARG_OID(0)));
}

/* --- from a store to its tables ---------------------------------------- */

/*
 * modseq_internal.tables_naming(regclass) -> regclass[]
 *
 * The tables with a trigger of ours whose only argument is the name of that
 * message table.  Reads all triggers.
 */
Datum
modseq_tables_naming(PG_FUNCTION_ARGS)
{
	Oid			message = PG_GETARG_OID(0);
	Oid			schema = get_namespace_oid("modseq", true);
	List	   *result = NIL;
	char	   *name;
	TriggerScan scan;

	if (get_rel_name(message) == NULL)
		return regclass_array(NIL);
	name = relation_name(message);
	scan_begin(&scan, InvalidOid);
	while (scan_next(&scan))
		if (!OidIsValid(scan.trigger->tgparentid) &&
			scan_found(&scan, schema, name))
			result = list_append_unique_oid(result, scan.trigger->tgrelid);
	scan_end(&scan);
	return regclass_array(result);
}

/*
 * A name for a table of ours, as text that is ready for SQL: in the schema of
 * the message table and after it, of whose name it has what fits.
 */
static char *
name_with_suffix(Oid message, const char *suffix)
{
	char	   *name = get_rel_name(message);
	char	   *schema;
	int			len;

	if (name == NULL)
		return NULL;
	len = pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1 - strlen(suffix));
	name[len] = '\0';
	schema = get_namespace_name(get_rel_namespace(message));
	return quote_qualified_identifier(schema, psprintf("%s%s", name, suffix));
}

/* modseq_internal.name_with_suffix(regclass, text) -> text: as above */
Datum
modseq_name_with_suffix(PG_FUNCTION_ARGS)
{
	char	   *name = name_with_suffix(PG_GETARG_OID(0),
										text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/* Is a table known as a part of that store by its triggers, or else by name? */
static bool
knows_store(Oid relid, Oid message)
{
	Oid			schema = get_namespace_oid("modseq", true);
	char	   *name = relation_known_as(message);
	bool		any = false;
	bool		result = false;
	TriggerScan scan;

	scan_begin(&scan, relid);
	while (!result && scan_next(&scan))
	{
		if (get_func_namespace(scan.trigger->tgfoid) != schema)
			continue;
		any = true;
		result = scan_found(&scan, schema, name);
	}
	scan_end(&scan);
	for (size_t i = 0; !any && !result && i < lengthof(untold); i++)
		result = table_beside(message,
							  name_with_suffix(shard_whole(message),
											   untold[i].suffix)) == relid;
	return result;
}

/*
 * modseq_internal.table_of_store(message oid, name text) -> regclass
 *
 * The table of that name, if it can be a part of the store with that message
 * table: the same owner's, or one that knows the store.  Else NULL.
 */
Datum
modseq_table_of_store(PG_FUNCTION_ARGS)
{
	Oid			message = PG_GETARG_OID(0);
	Oid			relid = table_beside(message,
									 text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (!OidIsValid(relid) || get_rel_name(message) == NULL ||
		(relation_owner(relid) != relation_owner(message) &&
		 !knows_store(relid, message)))
		PG_RETURN_NULL();
	PG_RETURN_OID(relid);
}
