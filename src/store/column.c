/*-------------------------------------------------------------------------
 *
 * column.c
 *	  The columns of a store: from a name to what the table has under it.
 *
 * Anybody who owns a table can alter it after attach() has looked.  So it is
 * asked here whether a column exists, and has a type that we can serve.
 *
 * Locks: none; build.c has the tables locked.
 *
 * Memory: the Store's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* store_column: a column, if the store has such; it must exist */
void
store_column(Store *store, TableRole role, Column *column)
{
	Oid			relid = store->table[role].relid;
	AttrNumber	attnum;
	Oid			type;
	int32		typmod;

	if (column->name == NULL || !OidIsValid(relid))
		return;
	attnum = get_attnum(relid, column->name);
	if (attnum == InvalidAttrNumber)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" does not exist."), column->name);
	get_atttypetypmodcoll(relid, attnum, &type, &typmod, &column->collation);
	column->type = getBaseType(type);
	column->quoted = MemoryContextStrdup(store->context,
										 quote_identifier(column->name));
}

/*
 * store_number: the same for numbers of ours: a modseq is a bigint, others may
 * be integers
 */
void
store_number(Store *store, TableRole role, Column *column, bool is_modseq)
{
	store_column(store, role, column);
	if (OidIsValid(column->type) && column->type != INT8OID &&
		(is_modseq || column->type != INT4OID))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."),
						  column->name);
}

/* The function of the operator that goes with a type's order */
static Oid
btree_equality(const TypeCacheEntry *typcache)
{
	Oid			type = typcache->btree_opintype;

	return get_opcode(get_opfamily_member(typcache->btree_opf, type, type,
										  BTEqualStrategyNumber));
}

/*
 * store_key_column: how values of a column of a key are compared
 *
 * They are always held in the mailbox table's type.
 */
void
store_key_column(Store *store, const Column *column, KeyColumn *key)
{
	Oid			relid = store->table[TABLE_MAILBOX].relid;
	TypeCacheEntry *typcache;
	Oid			type;			/* perhaps a domain */
	Oid			output;
	bool		isvarlena;
	char		kind;

	get_atttypetypmodcoll(relid, get_attnum(relid, column->name),
						  &type, &key->typmod, &key->collation);
	key->type = getBaseTypeAndTypmod(type, &key->typmod);
	kind = get_typtype(key->type);
	typcache = lookup_type_cache(key->type, TYPECACHE_BTREE_OPFAMILY |
								 TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
	if (!OidIsValid(typcache->cmp_proc) || !OidIsValid(typcache->hash_proc) ||
		!OidIsValid(get_array_type(key->type)) ||
		(kind != TYPTYPE_BASE && kind != TYPTYPE_ENUM))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" cannot be compared and hashed."),
						  column->name);
	key->typlen = typcache->typlen;
	key->typbyval = typcache->typbyval;
	key->opfamily = typcache->btree_opf;
	key->opcintype = typcache->btree_opintype;
	fmgr_info_cxt(btree_equality(typcache), &key->eq, store->context);
	fmgr_info_cxt(typcache->cmp_proc, &key->cmp, store->context);
	fmgr_info_cxt(typcache->hash_proc, &key->hash, store->context);
	getTypeOutputInfo(key->type, &output, &isvarlena);
	fmgr_info_cxt(output, &key->output, store->context);
}

/*
 * store_check_same_key: what names a mailbox, or an account, elsewhere must
 * compare with the key just as it is
 */
void
store_check_same_key(const Store *store, const Column *a, const Column *b)
{
	Oid			unused;

	if (!OidIsValid(equality_operator(a->type, b->type, &unused)) ||
		!OidIsValid(equality_operator(b->type, a->type, &unused)))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type than the key that it refers to."),
						  a->name);
}

/* Does an index find all rows that can be seen by those columns, a key's? */
static bool
finds_key(const StoreTable *table, Relation index, const Column *columns,
		  const KeyColumn *key, int n)
{
	const Form_pg_index form = index->rd_index;

	if (index->rd_rel->relam != BTREE_AM_OID || !form->indisvalid ||
		form->indcheckxmin || form->indnkeyatts < n ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < n; i++)
		if (form->indkey.values[i] != get_attnum(table->relid,
												 columns[i].name) ||
			index->rd_opfamily[i] != key[i].opfamily ||
			index->rd_opcintype[i] != key[i].opcintype ||
			index->rd_indcollation[i] != key[i].collation)
			return false;
	return true;
}

/*
 * store_key_index: where rows of a mailbox, or an account, can be looked for
 * without a query, the primary key if it serves; see query/probe.c
 */
void
store_key_index(Store *store, TableRole role)
{
	StoreTable *table = &store->table[role];
	bool		is_account = role == TABLE_ACCOUNT;
	Relation	rel;
	List	   *indexes;
	ListCell   *lc;

	if (!OidIsValid(table->relid))
		return;
	rel = relation_open(table->relid, AccessShareLock);
	indexes = RelationGetIndexList(rel);
	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (rel->rd_rel->relkind == RELKIND_RELATION &&
			(!OidIsValid(table->key_index) || index->rd_index->indisprimary) &&
			finds_key(table, index, is_account ? table->account : table->key,
					  is_account ? store->account_key : store->key,
					  is_account ? store->naccounts : store->nkeys))
			table->key_index = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	relation_close(rel, AccessShareLock);
}
