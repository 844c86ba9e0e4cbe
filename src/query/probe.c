/*-------------------------------------------------------------------------
 *
 * probe.c
 *	  Is there nothing under a key?  An index tells, without a query.
 *
 * Most mailboxes that are renamed have no vanished rows, and nobody has rows
 * under the new key.  A query that finds nothing still takes 25,000
 * instructions, of which its index takes a fifth.
 *
 * An index has an entry for each version of a row that anybody can still see.
 * So if there is no entry, then no query would find a row.  If there is one,
 * then it may be of a row that is gone: only a query can tell.
 *
 * Locks: AccessShareLock on the table and the index, to the end of the
 * transaction, as a query would have; in SERIALIZABLE what PostgreSQL takes to
 * see that a row comes later.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

/*
 * The first entry with that key, and if there is a slot, the first row that the
 * active snapshot sees.  As the table's owner, whose code an operator class may
 * be.
 */
static bool
find_entry(const Store *store, Relation rel, Relation index, const Datum *key,
		   TupleTableSlot *slot)
{
	ScanKeyData keys[MODSEQ_MAX_KEYS];
	IndexScanDesc scan;
	bool		found;
	Oid			user;
	int			security;

	for (int i = 0; i < store->nkeys; i++)
	{
		FmgrInfo   *eq = unconstify(FmgrInfo *, &store->key[i].eq);

		ScanKeyEntryInitializeWithInfo(&keys[i], 0, i + 1,
									   BTEqualStrategyNumber,
									   store->key[i].opcintype,
									   store->key[i].collation, eq, key[i]);
	}
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   security | SECURITY_LOCAL_USERID_CHANGE);
	scan = index_beginscan_compat(rel, index, GetActiveSnapshot(),
								  store->nkeys);
	index_rescan(scan, keys, store->nkeys, NULL, 0);
	if (slot != NULL)
		found = index_getnext_slot(scan, ForwardScanDirection, slot);
	else
		found = index_getnext_tid(scan, ForwardScanDirection) != NULL;
	index_endscan(scan);
	SetUserIdAndSecContext(user, security);
	return found;
}

/* Opens the key's index if it is still there; its table is locked */
static Relation
open_index(const StoreTable *table)
{
	Relation	index = NULL;

	if (OidIsValid(table->key_index))
		index = try_relation_open(table->key_index, AccessShareLock);
	if (index != NULL && index->rd_index != NULL &&
		index->rd_index->indrelid == table->relid &&
		index->rd_index->indisvalid)
		return index;
	if (index != NULL)
		relation_close(index, NoLock);
	return NULL;
}

/*
 * probe_key: may there be a row with that key?  False is sure.
 *
 * An index that was dropped since the Store was built tells nothing.
 */
bool
probe_key(const Store *store, TableRole role, const Datum *key)
{
	const StoreTable *table = &store->table[role];
	Relation	rel = try_relation_open(table->relid, AccessShareLock);
	Relation	index;
	bool		result = true;

	if (rel == NULL)
		return true;
	index = open_index(table);
	if (index != NULL)
	{
		result = find_entry(store, rel, index, key, NULL);
		relation_close(index, NoLock);
	}
	relation_close(rel, NoLock);
	return result;
}

/*
 * probe_row: the row with that key which the active snapshot sees, in the slot
 *
 * False also if there is no index to find it by.  rel is the table of that
 * role, open and locked.
 */
bool
probe_row(const Store *store, TableRole role, Relation rel, const Datum *key,
		  TupleTableSlot *slot)
{
	Relation	index = open_index(&store->table[role]);
	bool		result;

	if (index == NULL)
		return false;
	result = find_entry(store, rel, index, key, slot);
	relation_close(index, NoLock);
	return result;
}
