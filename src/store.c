/*-------------------------------------------------------------------------
 *
 * store.c
 *	  The cache of Stores.
 *
 * Locks: AccessShareLock on the store's tables, while a Store is built.
 *
 * Memory: a Store lives in a context below CacheMemoryContext, as do the
 * RowShapes that shape.c makes for it.
 * A relcache invalidation of any table that we looked at makes all of them
 * stale; they are rebuilt when next asked for.  Callers further up the stack
 * may still hold the old ones, so these are freed when the transaction ends.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "access/relation.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

typedef struct StoreEntry
{
	Oid			message_relid;	/* hash key */
	uint64		generation;
	Store	   *store;			/* NULL: not built */
	MemoryContext context;
} StoreEntry;

static HTAB *stores = NULL;
static HTAB *watched = NULL;	/* relids that stores and shapes depend on */
uint64		store_generation = 1;	/* what is of an older one is stale */

/* Stale entries, with plans that hang on them; freed at transaction end */
static List *retired_contexts = NIL;
static List *retired_stores = NIL;

static void relation_changed(Datum arg, Oid relid);
static void namespace_changed(Datum arg, int cacheid, uint32 hashvalue);

void
store_init(void)
{
	HASHCTL		ctl = {0};

	ctl.hcxt = CacheMemoryContext;
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(StoreEntry);
	stores = hash_create("modseq stores", 8, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(Oid);
	watched = hash_create("modseq watched tables", 16, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, namespace_changed, (Datum) 0);
}

static void
relation_changed(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) ||
		hash_search(watched, &relid, HASH_FIND, NULL) != NULL)
		store_generation++;
}

/* A schema may have another name now, which no table's invalidation tells */
static void
namespace_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	store_generation++;
}

/* store_watch: an invalidation of that table makes everything stale */
void
store_watch(Oid relid)
{
	hash_search(watched, &relid, HASH_ENTER, NULL);
}

/* Frees what is stale; by now nobody can hold a pointer into it */
void
store_at_transaction_end(void)
{
	ListCell   *lc;

	foreach(lc, retired_stores)
	{
		Store	   *store = lfirst(lc);

		for (int i = 0; i < PLAN_COUNT; i++)
			if (store->plans[i] != NULL)
				SPI_freeplan(store->plans[i]);
	}
	list_free(retired_stores);
	retired_stores = NIL;
	foreach(lc, retired_contexts)
		MemoryContextDelete((MemoryContext) lfirst(lc));
	list_free(retired_contexts);
	retired_contexts = NIL;
}

/* Adds to one of the lists above */
static List *
retire(List *list, void *pointer)
{
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);

	list = lappend(list, pointer);
	MemoryContextSwitchTo(old);
	return list;
}

/* store_retire_context: what it holds is stale; free it when that is safe */
void
store_retire_context(MemoryContext context)
{
	retired_contexts = retire(retired_contexts, context);
}

static bool
same_key_types(const Store *a, const Store *b)
{
	if (a->nkeys != b->nkeys)
		return false;
	for (int i = 0; i < a->nkeys; i++)
		if (a->key[i].type != b->key[i].type)
			return false;
	return true;
}

/*
 * store_get: the store of a message table
 *
 * Error 42P01 if there is no such table, 55000 if it is not attached or its
 * configuration is out of date.
 */
Store *
store_get(Oid message_relid)
{
	bool		found;
	StoreEntry *entry;
	uint64		started;
	Relation	rel;
	Trigger    *trigger;
	MemoryContext context;
	MemoryContext old;
	Store	   *store;

	entry = hash_search(stores, &message_relid, HASH_FIND, NULL);
	if (entry != NULL && entry->store != NULL &&
		entry->generation == store_generation)
		return entry->store;

	rel = try_relation_open(message_relid, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", message_relid)));
	store_watch(message_relid);
	started = store_generation;
	trigger = store_find_trigger(rel, "trigger_assign");
	if (trigger == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not attached to modseq",
						RelationGetRelationName(rel)),
				 errhint("A store is named by its message table; call modseq.attach() for it first.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "modseq store",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	store = store_build(rel, trigger);
	MemoryContextSwitchTo(old);
	relation_close(rel, AccessShareLock);

	entry = hash_search(stores, &message_relid, HASH_ENTER, &found);
	if (found && entry->store != NULL)
	{

		/*
		 * Between detach() and attach() others than the triggers wrote the
		 * counters; and key types may be others now.
		 */
		if (entry->store->trigger_oid != store->trigger_oid ||
			!same_key_types(entry->store, store))
			known_forget_store(message_relid);
		retired_stores = retire(retired_stores, entry->store);
		store_retire_context(entry->context);
	}
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->context = context;
	entry->store = store;
	entry->generation = started;
	return store;
}
