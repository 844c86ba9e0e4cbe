/*-------------------------------------------------------------------------
 *
 * watch.c
 * 	  Which tables a cached Store depends on.
 *
 * Locks: none.
 *
 * Memory: CacheMemoryContext.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

static HTAB *watched = NULL;	/* relids that stores and shapes depend on */

uint64		store_generation = 1;	/* what is of an older one is stale */

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

/* watch_table: an invalidation of that table makes everything stale */
void
watch_table(Oid relid)
{
	hash_search(watched, &relid, HASH_ENTER, NULL);
}

void
watch_init(void)
{
	HASHCTL		ctl = {0};

	ctl.hcxt = CacheMemoryContext;
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(Oid);
	watched = hash_create("modseq watched tables", 16, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, namespace_changed, (Datum) 0);
}
