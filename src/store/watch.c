/*-------------------------------------------------------------------------
 *
 * watch.c
 * 	  What a cached Store depends on.
 *
 * A Store is stale when one of its tables, or a table or function that its
 * plans use, has changed.  Other stores are not concerned: a session may use
 * a thousand.
 *
 * Locks: none.  Invalidations are told at any time that a lock is taken or a
 * transaction begins or ends, so here nothing may fail or look at catalogs.
 *
 * Memory: CacheMemoryContext.  A table is forgotten when it has changed, for
 * the next Store will ask for it again.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

typedef struct WatchedTable
{
	Oid			relid;			/* hash key */
	List	   *watches;		/* of the stores that depend on it */
} WatchedTable;

static HTAB *tables = NULL;

static HTAB *watches = NULL;

uint64		watch_events = 0;
uint64		watch_names = 1;

bool		watch_news = false;

static void
changed(Watch *watch)
{
	watch->changes++;
	watch_news = true;
}

static void
all_changed(void)
{
	HASH_SEQ_STATUS status;
	Watch	   *watch;

	hash_seq_init(&status, watches);
	while ((watch = hash_seq_search(&status)) != NULL)
		changed(watch);
}

static void
relation_changed(Datum arg, Oid relid)
{
	WatchedTable *table;
	ListCell   *lc;

	watch_events++;
	if (!OidIsValid(relid))
	{
		all_changed();
		return;
	}
	table = hash_search(tables, &relid, HASH_FIND, NULL);
	if (table == NULL)
		return;
	foreach(lc, table->watches)
		changed(lfirst(lc));
	list_free(table->watches);
	hash_search(tables, &relid, HASH_REMOVE, NULL);
}

/* A function or a type */
static void
object_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	HASH_SEQ_STATUS status;
	Watch	   *watch;

	watch_events++;
	hash_seq_init(&status, watches);
	while ((watch = hash_seq_search(&status)) != NULL)
		if (hashvalue == 0 || list_member_oid(watch->objects, hashvalue))
			changed(watch);
}

/* What could be part of any plan */
static void
operator_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	watch_events++;
	all_changed();
}

/*
 * A schema may have another name now, which no table's invalidation tells.
 * Whose it is does not show here; cache.c asks again what the names lead to.
 */
static void
namespace_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	watch_names++;
}

/* watch_of: where the changes of the store with that message table are noted */
Watch *
watch_of(Oid message_relid)
{
	bool		found;
	Watch	   *watch;

	watch = hash_search(watches, &message_relid, HASH_ENTER, &found);
	if (!found)
	{
		watch->changes = 0;
		watch->objects = NIL;
	}
	return watch;
}

/* watch_table: a change of that table is one of the store, from now on */
void
watch_table(Watch *watch, Oid relid)
{
	bool		found;
	WatchedTable *table;
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);

	table = hash_search(tables, &relid, HASH_ENTER, &found);
	if (!found)
		table->watches = NIL;
	table->watches = list_append_unique_ptr(table->watches, watch);
	MemoryContextSwitchTo(old);
}

/* watch_object: the same of a function or type, by the cache that has it */
void
watch_object(Watch *watch, int cacheid, uint32 hashvalue)
{
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);

	Assert(cacheid == PROCOID || cacheid == TYPEOID);
	watch->objects = list_append_unique_oid(watch->objects, hashvalue);
	MemoryContextSwitchTo(old);
}

/* watch_no_object: a Store that is built anew has no plans yet */
void
watch_no_object(Watch *watch)
{
	list_free(watch->objects);
	watch->objects = NIL;
}

void
watch_init(void)
{
	HASHCTL		ctl = {0};

	ctl.hcxt = CacheMemoryContext;
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(WatchedTable);
	tables = hash_create("modseq watched tables", 16, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.entrysize = sizeof(Watch);
	watches = hash_create("modseq watches", 8, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, namespace_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, object_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, object_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(OPEROID, operator_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AMOPOPID, operator_changed, (Datum) 0);
}
