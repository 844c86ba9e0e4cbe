/*-------------------------------------------------------------------------
 *
 * catalog.c
 * 	  What the system catalogs say of a table.
 *
 * Locks: AccessShareLock on a table, while its rules, triggers or foreign keys
 * are looked at; else none.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(modseq_table_named);
PG_FUNCTION_INFO_V1(modseq_qualified_name);

const char *const role_triggers[TABLE_ROLES] = {
	[TABLE_MESSAGE] = "trigger_assign",
	[TABLE_MAILBOX] = "trigger_mailbox",
	[TABLE_SOURCE] = "trigger_source",
	[TABLE_FLAG] = "trigger_collect_flag",
	[TABLE_ACCOUNT] = "trigger_account"
};

/* Whose trigger it is: the table's own, or a partition's that its parent has */
typedef enum TriggerOrigin
{
	TRIGGER_ANY,
	TRIGGER_OWN,
	TRIGGER_CLONED
} TriggerOrigin;

/* uidset_oid: our type, which a column or a parameter may have */
Oid
uidset_oid(void)
{
	Oid			schema = get_namespace_oid("modseq", false);

	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum("uidset"),
						   ObjectIdGetDatum(schema));
}

/* relation_owner: the role that owns a table or sequence */
Oid
relation_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* relation_file: the number of the file that has its rows */
Oid
relation_file(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			file;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	file = ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
	ReleaseSysCache(tuple);
	return file;
}

char *
relation_name(Oid relid)
{
	const char *schema = get_namespace_name_or_temp(get_rel_namespace(relid));

	return quote_qualified_identifier(schema, get_rel_name(relid));
}

/*
 * relation_alters_rows: may something of others change what is written there?
 *
 * A rule, or a trigger before the row is written; of a table that is ours alone
 * any trigger, and partitions, which may have triggers by themselves.
 */
bool
relation_alters_rows(Oid relid, bool by_any_trigger)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	const TriggerDesc *triggers = rel->trigdesc;
	bool		result = rel->rd_rules != NULL ||
		(by_any_trigger && rel->rd_rel->relkind != RELKIND_RELATION);

	if (triggers != NULL)
		result = result || by_any_trigger ||
			triggers->trig_insert_before_row ||
			triggers->trig_update_before_row ||
			triggers->trig_delete_before_row;
	relation_close(rel, AccessShareLock);
	return result;
}

/* relation_inherits: has it parents or children, without being partitioned? */
bool
relation_inherits(Oid relid)
{
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ||
		get_rel_relispartition(relid))
		return false;
	return has_superclass(relid) ||
		find_inheritance_children(relid, NoLock) != NIL;
}

/* unique_index_exists: is there a unique index on exactly these columns? */
bool
unique_index_exists(Relation rel, List *names)
{
	Bitmapset  *wanted = NULL;
	bool		result = false;
	List	   *indexes;
	ListCell   *lc;

	foreach(lc, names)
		wanted = bms_add_member(wanted, get_attnum(RelationGetRelid(rel),
												   lfirst(lc)));
	indexes = RelationGetIndexList(rel);
	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID,
											ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;
		Bitmapset  *columns = NULL;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		for (int i = 0; i < index->indnkeyatts; i++)
			columns = bms_add_member(columns, Max(index->indkey.values[i], 0));
		if (index->indisunique && index->indimmediate && index->indisvalid &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
			bms_equal(columns, wanted))
			result = true;
		bms_free(columns);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return result;
}

/* Which of the names that attribute of a table has; -1 if it has none */
static int
position_of(Oid relid, AttrNumber attnum, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (get_attnum(relid, lfirst(lc)) == attnum)
			return foreach_current_index(lc);
	}
	return -1;
}

/*
 * index_finds: does a btree index find all rows by these columns of its table,
 * for it begins with them, in whatever order?
 */
bool
index_finds(Oid relid, Oid indexid, List *names)
{
	HeapTuple	class = SearchSysCache1(RELOID, ObjectIdGetDatum(indexid));
	HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	Bitmapset  *found = NULL;

	if (HeapTupleIsValid(class) && HeapTupleIsValid(tuple) &&
		((Form_pg_class) GETSTRUCT(class))->relam == BTREE_AM_OID &&
		((Form_pg_index) GETSTRUCT(tuple))->indisvalid &&
		heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
	{
		Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);

		for (int i = 0; i < Min(index->indnkeyatts, list_length(names)); i++)
		{
			int			n = position_of(relid, index->indkey.values[i], names);

			if (n >= 0)
				found = bms_add_member(found, n);
		}
	}
	if (HeapTupleIsValid(class))
		ReleaseSysCache(class);
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return bms_num_members(found) == list_length(names);
}

/* key_index_exists: has a table an index that finds rows by these columns? */
bool
key_index_exists(Relation rel, List *names)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		result = false;
	ListCell   *lc;

	foreach(lc, indexes)
		result = result ||
		index_finds(RelationGetRelid(rel), lfirst_oid(lc), names);
	list_free(indexes);
	return result;
}

/* What pg_constraint says of a foreign key; false if it is gone */
static bool
get_constraint(Oid constraint, FormData_pg_constraint *form)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID,
										ObjectIdGetDatum(constraint));

	if (!HeapTupleIsValid(tuple))
		return false;
	*form = *(Form_pg_constraint) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	return true;
}

/* Is that foreign key checked at the end of each statement, for new rows? */
static bool
is_checked(const ForeignKeyCacheInfo *key)
{
	FormData_pg_constraint form;

	return foreign_key_is_enforced(key) &&
		get_constraint(key->conoid, &form) && !form.condeferrable;
}

/*
 * Does that foreign key hold for all rows, and at the end of each statement?
 * Of those that are deferred, what they do on DELETE is not.
 */
static bool
is_immediate(const ForeignKeyCacheInfo *key)
{
	FormData_pg_constraint form;

	return get_constraint(key->conoid, &form) && form.convalidated &&
		(!form.condeferrable || form.confdeltype != FKCONSTR_ACTION_NOACTION);
}

/* Does that foreign key lead from exactly these columns to those, in order? */
static bool
foreign_key_matches(const ForeignKeyCacheInfo *key, List *columns, Oid parent,
					List *referenced)
{
	if (key->confrelid != parent || key->nkeys != list_length(columns))
		return false;
	for (int i = 0; i < key->nkeys; i++)
	{
		int			n = position_of(key->conrelid, key->conkey[i], columns);

		if (n < 0 || n != position_of(parent, key->confkey[i], referenced))
			return false;
	}
	return true;
}

/* The foreign keys of a table; look-ups may have the relcache's list freed */
static List *
foreign_keys_of(Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	List	   *keys = copyObject(RelationGetFKeyList(rel));

	relation_close(rel, AccessShareLock);
	return keys;
}

/* Is there such a foreign key that is as wanted? */
static bool
has_foreign_key(Oid child, List *columns, Oid parent, List *referenced,
				bool (*is_wanted) (const ForeignKeyCacheInfo *key))
{
	List	   *keys = foreign_keys_of(child);
	ListCell   *lc;

	foreach(lc, keys)
	{
		if (foreign_key_matches(lfirst(lc), columns, parent, referenced) &&
			is_wanted(lfirst(lc)))
			return true;
	}
	return false;
}

/*
 * relation_refers: does a foreign key lead from exactly these columns to those,
 * in the same order, which is checked at the end of each statement?
 */
bool
relation_refers(Oid child, List *columns, Oid parent, List *referenced)
{
	return has_foreign_key(child, columns, parent, referenced, is_checked);
}

/*
 * foreign_key_exists: is there a foreign key from exactly these columns to
 * those, in the same order, that holds for all rows and is checked at once?
 */
bool
foreign_key_exists(Oid child, List *columns, Oid parent, List *referenced)
{
	return has_foreign_key(child, columns, parent, referenced, is_immediate);
}

/*
 * cascade_is_only_from: if a foreign key has rows of that table deleted, is it
 * one from these columns to those?
 *
 * What stands for such a key at partitions does not count.
 */
bool
cascade_is_only_from(Oid child, List *columns, Oid parent, List *referenced)
{
	List	   *keys = foreign_keys_of(child);
	ListCell   *lc;

	foreach(lc, keys)
	{
		const ForeignKeyCacheInfo *key = lfirst(lc);
		FormData_pg_constraint form;

		if (!get_constraint(key->conoid, &form))
			return false;
		if (form.confdeltype == FKCONSTR_ACTION_CASCADE &&
			!OidIsValid(form.conparentid) &&
			!foreign_key_matches(key, columns, parent, referenced))
			return false;
	}
	return true;
}

/*
 * table_named: the table that a qualified name leads to, or InvalidOid
 *
 * Whoever fires a trigger needs no right to use the schema.  Names are in
 * trigger arguments, which anybody can write: what is none leads nowhere.
 */
Oid
table_named(const char *name)
{
	List	   *names;
	Oid			schema;

	if (!SplitIdentifierString(pstrdup(name), '.', &names) ||
		list_length(names) != 2)
		return InvalidOid;
	schema = get_namespace_oid(linitial(names), true);
	return OidIsValid(schema) ?
		get_relname_relid(lsecond(names), schema) : InvalidOid;
}

/*
 * modseq_internal.table_named(text) -> regclass
 *
 * The same for SQL, where to_regclass() would not do: it fails where the caller
 * may not use the schema, and raises errors.
 */
Datum
modseq_table_named(PG_FUNCTION_ARGS)
{
	Oid			relid = table_named(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (!OidIsValid(relid))
		PG_RETURN_NULL();
	PG_RETURN_OID(relid);
}

/*
 * modseq_internal.qualified_name(regclass) -> text
 *
 * A table's name, qualified and quoted; NULL if there is no such table.  In C,
 * as attach() asks for it a hundred times: a query would take a quarter of its
 * time.
 */
Datum
modseq_qualified_name(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *name = get_rel_name(relid);
	char	   *schema = get_namespace_name(get_rel_namespace(relid));

	if (!name || !schema)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(quote_qualified_identifier(schema, name)));
}

/*
 * equality_operator: the operator that compares a column with a parameter
 *
 * It is equality of the column's default btree family, so that its indexes can
 * be used.  *param_type becomes the type that it takes the parameter as.
 * InvalidOid if there is none that takes both just as they are.
 */
Oid
equality_operator(Oid column, Oid param, Oid *param_type)
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
	if (!OidIsValid(result))
		return InvalidOid;
	op_input_types(result, &left_type, param_type);
	if (!IsBinaryCoercible(column, left_type) ||
		!IsBinaryCoercible(param, *param_type) ||
		(IsPolymorphicType(*param_type) && column != param))
		return InvalidOid;
	return result;
}

/*
 * our_function: modseq.<function>(), if the extension is there
 *
 * Whoever fires a trigger, or runs DDL, needs no right to use our schema.
 */
Oid
our_function(const char *function)
{
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(function),
						   PointerGetDatum(buildoidvector(NULL, 0)),
						   ObjectIdGetDatum(get_namespace_oid("modseq", true)));
}

/*
 * Does a trigger of that table call modseq.<function>(), and is it enabled?  If
 * it is the table's own, that does not matter.  Read from the catalog; takes no
 * lock on the table.
 */
static bool
has_trigger(Oid relid, const char *function, TriggerOrigin origin)
{
	Oid			funcid = our_function(function);
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	if (!OidIsValid(funcid))
		return false;
	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, 1,
							  &key);
	while (!found && (tuple = systable_getnext(scan)) != NULL)
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		found = trigger->tgfoid == funcid &&
			(origin == TRIGGER_OWN ? !OidIsValid(trigger->tgparentid) :
			 trigger->tgenabled != TRIGGER_DISABLED &&
			 (origin == TRIGGER_ANY || OidIsValid(trigger->tgparentid)));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* relation_has_trigger: does it have such a trigger, and one that fires? */
bool
relation_has_trigger(Oid relid, const char *function)
{
	return has_trigger(relid, function, TRIGGER_ANY);
}

static TableRole
role_by_triggers(Oid relid, TriggerOrigin origin)
{
	for (TableRole role = 0; role < TABLE_ROLES; role++)
		if (role_triggers[role] != NULL &&
			has_trigger(relid, role_triggers[role], origin))
			return role;
	return TABLE_NONE;
}

/* relation_role: what a table is to a store, by its row triggers */
TableRole
relation_role(Oid relid)
{
	return role_by_triggers(relid, TRIGGER_ANY);
}

/*
 * relation_own_role: the same by triggers of its own, enabled or not, which
 * make it a part of a store for itself
 */
TableRole
relation_own_role(Oid relid)
{
	return role_by_triggers(relid, TRIGGER_OWN);
}

/* partition_role: the same by those that it has as a partition */
TableRole
partition_role(Oid relid)
{
	return role_by_triggers(relid, TRIGGER_CLONED);
}

/* relation_find_trigger: the trigger that calls modseq.<function>(), or NULL */
Trigger *
relation_find_trigger(Relation rel, const char *function)
{
	TriggerDesc *trigdesc;
	Oid			funcid;

	/* The lookup may rebuild the relation's cache entry, and its triggers */
	funcid = our_function(function);
	trigdesc = rel->trigdesc;
	if (trigdesc == NULL)
		return NULL;
	for (int i = 0; OidIsValid(funcid) && i < trigdesc->numtriggers; i++)
		if (trigdesc->triggers[i].tgfoid == funcid)
			return &trigdesc->triggers[i];
	return NULL;
}

/*
 * relation_message_table: the message table that a trigger of another table of
 * a store names, or NULL
 */
char *
relation_message_table(Relation rel)
{
	for (TableRole role = 0; role < TABLE_ROLES; role++)
	{
		Trigger    *trigger = NULL;

		if (role != TABLE_MESSAGE && role_triggers[role] != NULL)
			trigger = relation_find_trigger(rel, role_triggers[role]);
		if (trigger != NULL && trigger->tgnargs == 1)
			return pstrdup(trigger->tgargs[0]);
	}
	return NULL;
}
