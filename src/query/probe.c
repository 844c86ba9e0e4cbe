/*-------------------------------------------------------------------------
 *
 * probe.c
 *	  Rows by the key of a mailbox, or of an account, straight from an index.
 *
 * A query that finds one row, or none, takes 25,000 instructions, of which its
 * index takes a fifth.  That matters where it is asked for each of many
 * mailboxes.
 *
 * Is there nothing under a key?  Most mailboxes that are renamed have no
 * vanished rows, and nobody has rows under the new key.  An index has an entry
 * for each version of a row that anybody can still see.  So if there is no
 * entry, then no query would find a row.  If there is one, then it may be of a
 * row that is gone: only a query can tell.
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
#include "access/transam.h"
#include "access/visibilitymap.h"
#include "catalog/pg_namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/*
 * Has the index entries for all rows that a snapshot of
 * this transaction may see?
 *
 * One that was made while rows changed lacks some that are older than it: see
 * README.HOT of PostgreSQL.  The planner asks the same.
 */
static bool
serves(Relation index)
{
	HeapTupleHeader entry = index->rd_indextuple->t_data;

	return index->rd_index->indisvalid &&
		(!index->rd_index->indcheckxmin ||
		 TransactionIdPrecedes(HeapTupleHeaderGetXmin(entry), TransactionXmin));
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
		serves(index))
		return index;
	if (index != NULL)
		relation_close(index, NoLock);
	return NULL;
}

/*
 * Does a caller's query see all rows of that table?  Where policies choose
 * them, columns are granted, the schema is not, or somebody hooks in to decide
 * or to audit, only a query will do.
 */
static bool
caller_sees_all(Oid relid)
{
	return ExecutorCheckPerms_hook == NULL &&
		object_aclcheck(NamespaceRelationId, get_rel_namespace(relid),
						GetUserId(), ACL_USAGE) == ACLCHECK_OK &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, InvalidOid, true) == RLS_NONE;
}

/*
 * probe_begin: look for rows of a table by their key, in the active snapshot
 *
 * As the caller would see them, or the owner.  False if only a query can tell,
 * for want of an index, say: one that was dropped since the Store was built is
 * none.
 */
bool
probe_begin(Probe *probe, Store *store, TableRole role, bool as_caller)
{
	const StoreTable *table = &store->table[role];

	probe->store = store;
	probe->columns = role == TABLE_ACCOUNT ? store->account_key : store->key;
	probe->nkeys = role == TABLE_ACCOUNT ? store->naccounts : store->nkeys;
	probe->rel = try_relation_open(table->relid, AccessShareLock);
	if (probe->rel == NULL)
		return false;

	/* What waited for the lock may have made the Store stale */
	probe->index = store->watch == NULL ||
		store->changes != store->watch->changes ||
		(as_caller && !caller_sees_all(table->relid)) ? NULL :
		open_index(table);
	if (probe->index == NULL)
	{
		relation_close(probe->rel, NoLock);
		return false;
	}
	probe->scan = index_beginscan_compat(probe->rel, probe->index,
										 GetActiveSnapshot(), probe->nkeys);
	probe->slot = NULL;
	probe->visibility = InvalidBuffer;
	return true;
}

/* probe_slot: where a row of the table goes */
TupleTableSlot *
probe_slot(Probe *probe)
{
	if (probe->slot == NULL)
		probe->slot = table_slot_create(probe->rel, NULL);
	return probe->slot;
}

/* What probe_first() is to look for */
typedef enum ProbeFor
{
	FOR_ENTRY,					/* is there an entry in the index? */
	FOR_SIGHT,					/* is there a row that the snapshot sees? */
	FOR_ROW						/* which one, in probe->slot? */
} ProbeFor;

/*
 * Is there a row that the snapshot sees?  Where a whole page of the table can
 * be seen by everybody, the index tells, as in an index-only scan.  As there,
 * the index's page must stay pinned till then: else VACUUM could take a dead
 * entry and its row away, and say only then that all of the page can be seen.
 */
static bool
sees_row(Probe *probe)
{
	ItemPointer tid;

	while ((tid = index_getnext_tid(probe->scan, ForwardScanDirection)) != NULL)
	{
		BlockNumber block = ItemPointerGetBlockNumber(tid);

		if (VM_ALL_VISIBLE(probe->rel, block, &probe->visibility))
		{
			PredicateLockPage(probe->rel, block, GetActiveSnapshot());
			return true;
		}
		if (index_fetch_heap(probe->scan, probe_slot(probe)))
			return true;
	}
	return false;
}

/* As the table's owner, whose code an operator class may be */
static void
become_owner(const Probe *probe, Oid *user, int *security)
{
	GetUserIdAndSecContext(user, security);
	SetUserIdAndSecContext(probe->rel->rd_rel->relowner,
						   *security | SECURITY_LOCAL_USERID_CHANGE);
}

/* The scan begins anew, with the entries of that key */
static void
go_to_key(Probe *probe, const Datum *key)
{
	const KeyColumn *columns = probe->columns;
	ScanKeyData keys[MODSEQ_MAX_KEYS];

	for (int i = 0; i < probe->nkeys; i++)
	{
		FmgrInfo   *eq = unconstify(FmgrInfo *, &columns[i].eq);

		ScanKeyEntryInitializeWithInfo(&keys[i], 0, i + 1,
									   BTEqualStrategyNumber,
									   columns[i].opcintype,
									   columns[i].collation, eq, key[i]);
	}
	index_rescan(probe->scan, keys, probe->nkeys, NULL, 0);
}

/* Goes to the key, for the first that there is */
static bool
probe_first(Probe *probe, const Datum *key, ProbeFor what)
{
	bool		found;
	Oid			user;
	int			security;

	become_owner(probe, &user, &security);
	probe->scan->xs_want_itup = what == FOR_SIGHT;	/* keeps the pin */
	go_to_key(probe, key);
	if (what == FOR_ENTRY)
		found = index_getnext_tid(probe->scan, ForwardScanDirection) != NULL;
	else if (what == FOR_SIGHT)
		found = sees_row(probe);
	else
		found = index_getnext_slot(probe->scan, ForwardScanDirection,
								   probe_slot(probe));
	SetUserIdAndSecContext(user, security);
	return found;
}

/* probe_find: the row with that key, in probe->slot; false: there is none */
bool
probe_find(Probe *probe, const Datum *key)
{
	return probe_first(probe, key, FOR_ROW);
}

/* probe_sees: is there a row with that key? */
bool
probe_sees(Probe *probe, const Datum *key)
{
	return probe_first(probe, key, FOR_SIGHT);
}

/* probe_meets: may there be a row with that key, for anybody?  No is sure. */
bool
probe_meets(Probe *probe, const Datum *key)
{
	return probe_first(probe, key, FOR_ENTRY);
}

/* probe_rows: all rows with that key follow, in the order of the index */
void
probe_rows(Probe *probe, const Datum *key)
{
	Oid			user;
	int			security;

	become_owner(probe, &user, &security);
	probe->scan->xs_want_itup = false;
	go_to_key(probe, key);
	SetUserIdAndSecContext(user, security);
}

/*
 * probe_next_row: the next of them that the snapshot sees, in probe->slot
 *
 * Looks at no more than *entries of the index, which it counts down: those of
 * rows that are gone stay there as long as somebody can see them.  False if
 * there is no other row, or none was met so far.
 */
bool
probe_next_row(Probe *probe, int *entries)
{
	bool		found = false;
	Oid			user;
	int			security;

	become_owner(probe, &user, &security);
	while (!found && *entries > 0 &&
		   index_getnext_tid(probe->scan, ForwardScanDirection) != NULL)
	{
		(*entries)--;
		found = index_fetch_heap(probe->scan, probe_slot(probe));
	}
	SetUserIdAndSecContext(user, security);
	return found;
}

/* probe_end: keeps the locks */
void
probe_end(Probe *probe)
{
	index_endscan(probe->scan);
	if (probe->slot != NULL)
		ExecDropSingleTupleTableSlot(probe->slot);
	if (BufferIsValid(probe->visibility))
		ReleaseBuffer(probe->visibility);
	relation_close(probe->index, NoLock);
	relation_close(probe->rel, NoLock);
}

/* probe_key: the same of a table, for one key */
bool
probe_key(Store *store, TableRole role, const Datum *key)
{
	Probe		probe;
	bool		result;

	if (!probe_begin(&probe, store, role, false))
		return true;
	result = probe_meets(&probe, key);
	probe_end(&probe);
	return result;
}
