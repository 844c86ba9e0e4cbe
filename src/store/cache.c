/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  The caches of Stores and of RowShapes.
 *
 * Locks: AccessShareLock on the store's tables, while a Store is built.
 *
 * Memory: a Store lives in a context below CacheMemoryContext, with its
 * RowShapes and plans.  It is stale when something that it depends on has
 * changed, and another one is built when it is next asked for.  Callers further
 * up the stack may still hold the old one, so it is freed when the transaction
 * ends, as are stale ones that nobody has asked for.
 *
 * There is no bound to how many are cached, as there is none to PostgreSQL's
 * own cache of relations, which each table of a store is in anyway, at more
 * bytes than we take: who uses a thousand stores in a session has asked for
 * both.  A store that is dropped goes from here.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/catcache.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

typedef struct StoreEntry
{
	Oid			message_relid;	/* hash key */
	Store	   *store;			/* NULL: not built */
} StoreEntry;

typedef struct ShapeKey
{
	Oid			relid;
	TableRole	role;
} ShapeKey;

typedef struct ShapeEntry
{
	ShapeKey	key;			/* hash key */
	RowShape   *shape;
} ShapeEntry;

static HTAB *stores = NULL;

static HTAB *shapes = NULL;

static uint64 last_epoch = 0;

/* Stale Stores that another one has taken the place of */
static List *retired_stores = NIL;

void
store_init(void)
{
	HASHCTL		ctl = {0};

	/* The postmaster, which may preload us, has none yet */
	if (CacheMemoryContext == NULL)
		CreateCacheMemoryContext();
	ctl.hcxt = CacheMemoryContext;
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(StoreEntry);
	stores = hash_create("modseq stores", 8, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.keysize = sizeof(ShapeKey);
	ctl.entrysize = sizeof(ShapeEntry);
	shapes = hash_create("modseq row shapes", 16, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	watch_init();
}

/* --- what becomes stale ------------------------------------------------ */

/* Do the names of the store lead where they led when it was built? */
static bool
names_hold(const Store *store)
{
	for (TableRole role = 0; role < TABLE_ROLES; role++)
	{
		const StoreTable *table = &store->table[role];

		if (table->name != NULL && table_named(table->name) != table->relid)
			return false;
	}
	return our_function(role_triggers[TABLE_MESSAGE]) == store->assign_function;
}

/*
 * Schemas come and go, and most are nobody's.  So when one has, it is asked
 * where the names lead; tables tell by themselves what else has changed.
 */
static bool
is_current(Store *store)
{
	uint64		names = watch_names;

	if (store->names != names)
	{
		if (!names_hold(store))
			return false;
		store->names = names;
	}
	return store->changes == store->watch->changes;
}

/* No shape of that store is found any more */
static void
forget_shapes(const Store *store)
{
	ListCell   *lc;

	foreach(lc, store->shapes)
	{
		ShapeEntry *entry = hash_search(shapes, lfirst(lc), HASH_FIND, NULL);

		if (entry != NULL && entry->shape->store == store)
			hash_search(shapes, lfirst(lc), HASH_REMOVE, NULL);
	}
}

/* Another one takes its place; free it when that is safe */
static void
retire(Store *store)
{
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);

	retired_stores = lappend(retired_stores, store);
	MemoryContextSwitchTo(old);
	forget_shapes(store);
}

static void
free_store(Store *store)
{
	for (StorePlan *plan = store->plans; plan != NULL; plan = plan->next)
		if (plan->spi != NULL)
			SPI_freeplan(plan->spi);
	MemoryContextDelete(store->context);
}

/*
 * store_at_transaction_end: frees what is stale; by now nobody can hold a
 * pointer into it
 */
void
store_at_transaction_end(void)
{
	HASH_SEQ_STATUS status;
	StoreEntry *entry;
	ListCell   *lc;

	foreach(lc, retired_stores)
		free_store(lfirst(lc));
	list_free(retired_stores);
	retired_stores = NIL;
	if (!watch_news)
		return;
	watch_news = false;
	hash_seq_init(&status, stores);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->store == NULL ||
			entry->store->changes == entry->store->watch->changes)
			continue;
		forget_shapes(entry->store);
		free_store(entry->store);
		hash_search(stores, &entry->message_relid, HASH_REMOVE, NULL);
	}
}

/*
 * Does what a transaction knows of the one hold for the other?  Between
 * detach() and attach() others than the triggers wrote the counters; and key
 * types may be others now.
 */
static bool
same_epoch(const Store *a, const Store *b)
{
	if (a->trigger_oid != b->trigger_oid || a->nkeys != b->nkeys ||
		a->has_accounts != b->has_accounts || a->naccounts != b->naccounts)
		return false;
	for (int i = 0; i < a->naccounts; i++)
		if (a->account_key[i].type != b->account_key[i].type)
			return false;
	for (int i = 0; i < a->nkeys; i++)
		if (a->key[i].type != b->key[i].type)
			return false;
	return true;
}

/*
 * The epoch of a store that is what it was before, in this transaction: also
 * where it was another in between, for a subtransaction that made it so has
 * been rolled back.
 */
static void
take_epoch(Store *store)
{
	ListCell   *lc;

	foreach(lc, retired_stores)
	{
		Store	   *before = lfirst(lc);

		if (before->message_relid == store->message_relid &&
			same_epoch(before, store))
			store->epoch = before->epoch;
	}
}

/*
 * The message table that a table of messages belongs to: itself, or for a
 * partition the ancestor that attach() was called on, which is the first
 * whose trigger is not a clone of its parent's.
 */
static Oid
message_table_of(Relation rel)
{
	const char *function = role_triggers[TABLE_MESSAGE];
	Trigger    *trigger = relation_find_trigger(rel, function);
	List	   *ancestors;
	ListCell   *lc;

	if (trigger == NULL || !trigger->tgisclone)
		return RelationGetRelid(rel);
	ancestors = get_partition_ancestors(RelationGetRelid(rel));
	foreach(lc, ancestors)
	{
		Relation	ancestor = table_open(lfirst_oid(lc), AccessShareLock);

		bool		is_store;

		trigger = relation_find_trigger(ancestor, function);
		is_store = trigger != NULL && !trigger->tgisclone;
		table_close(ancestor, AccessShareLock);
		if (is_store)
			return lfirst_oid(lc);
	}
	return RelationGetRelid(rel);
}

/* A partition, or another table of a store, may be meant for the whole */
static void
not_attached(Relation rel)
{
	Oid			whole = message_table_of(rel);
	char	   *message = whole == RelationGetRelid(rel) ?
		relation_message_table(rel) : relation_name(whole);

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table %s is not attached to modseq",
					relation_name(RelationGetRelid(rel))),
			 message != NULL ?
			 errhint("A store is named by its message table, which is %s here.",
					 message) :
			 errhint("A store is named by its message table; modseq.stores lists them. To make a table one, call modseq.attach() for it.")));
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
	Watch	   *watch;
	uint64		changes;
	uint64		names = watch_names;
	Relation	rel;
	Trigger    *trigger;
	MemoryContext context;
	MemoryContext build;
	MemoryContext old;
	Store	   *store;

	entry = hash_search(stores, &message_relid, HASH_FIND, NULL);
	if (entry != NULL && entry->store != NULL && is_current(entry->store))
		return entry->store;

	rel = try_relation_open(message_relid, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", message_relid)));
	watch = watch_of(message_relid);
	watch_table(watch, message_relid);
	watch_no_object(watch);
	changes = watch->changes;
	trigger = relation_find_trigger(rel, role_triggers[TABLE_MESSAGE]);
	if (trigger == NULL || trigger->tgisclone)
		not_attached(rel);
	build = AllocSetContextCreate(CurrentMemoryContext, "modseq build",
								  ALLOCSET_DEFAULT_SIZES);
	context = GenerationContextCreate(CurrentMemoryContext, "modseq store",
									  ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(build);
	store = store_build(rel, trigger, watch, context);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(build);
	relation_close(rel, AccessShareLock);

	/* What has changed meanwhile makes it stale already */
	store->changes = changes;
	store->names = names;
	store->epoch = ++last_epoch;
	entry = hash_search(stores, &message_relid, HASH_ENTER, &found);
	if (found && entry->store != NULL)
	{
		retire(entry->store);
		take_epoch(store);
	}
	MemoryContextSetIdentifier(context, store->table[TABLE_MESSAGE].name);
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->store = store;
	return store;
}

/*
 * Anybody can put our triggers on a table of theirs and name any store; what
 * they do is done with its owner's rights, so the store must know the table.
 */
static void
check_role(Relation rel, TableRole role, Store *store)
{
	Oid			table = RelationGetRelid(rel);
	Oid			wanted = store->table[role].relid;

	if (table != wanted &&
		!(rel->rd_rel->relispartition &&
		  list_member_oid(get_partition_ancestors(table), wanted)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s does not belong to the store that its trigger names",
						relation_name(table)),
				 errhint("Drop the trigger, or call modseq.attach() for %s again.",
						 store->table[TABLE_MESSAGE].name)));
}

/* The message table that a trigger's only argument names */
static Oid
named_message_table(Relation rel, Trigger *trigger)
{
	Oid			relid = InvalidOid;
	char	   *name = pstrdup(trigger->tgname);
	char	   *table = NULL;

	/* A look-up in a catalog may free the trigger, if it is the relcache's */
	if (trigger->tgnargs == 1)
	{
		table = pstrdup(trigger->tgargs[0]);
		relid = table_beside(RelationGetRelid(rel), table);
	}
	if (!OidIsValid(relid))
	{
		/* detach() takes what was attached, and no partition of it */
		List	   *ancestors = get_partition_ancestors(RelationGetRelid(rel));
		char	   *whole = relation_name(ancestors == NIL ?
										  RelationGetRelid(rel) :
										  llast_oid(ancestors));

		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of table %s belongs to no message table",
						name, relation_name(RelationGetRelid(rel))),
				 table == NULL ? 0 :
				 errdetail("Table %s does not exist.", table),
				 errhint("Call modseq.attach() again for the message table that table %s goes with. If that was dropped, call modseq.detach('%s').",
						 whole, whole)));
	}
	return relid;
}

/* The entry of that key, if it is up to date */
static ShapeEntry *
find_shape(Relation rel, TableRole role, ShapeKey *key)
{
	ShapeEntry *entry;

	key->relid = RelationGetRelid(rel);
	key->role = role;
	entry = hash_search(shapes, key, HASH_FIND, NULL);
	return entry != NULL && is_current(entry->shape->store) ? entry : NULL;
}

/*
 * shape_get: the shape of a store's table, or of a partition of one, in the
 * role that it has in the store that its trigger belongs to
 *
 * The trigger is that of the role; NULL if it is still to be found.
 */
RowShape *
shape_get(Relation rel, TableRole role, Trigger *trigger)
{
	ShapeKey	key = {0};
	ShapeEntry *entry;
	bool		found;
	RowShape   *shape;
	Store	   *store;
	MemoryContext build;
	MemoryContext old;

	entry = find_shape(rel, role, &key);
	if (entry != NULL)
		return entry->shape;

	if (trigger == NULL)
		trigger = relation_find_trigger(rel, role_triggers[role]);
	if (trigger == NULL)
		not_attached(rel);
	store = store_get(role == TABLE_MESSAGE ? message_table_of(rel) :
					  named_message_table(rel, trigger));
	watch_table(store->watch, key.relid);
	check_role(rel, role, store);
	if (rel->rd_rel->relispartition &&
		rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("partition %s of a store is unlogged now",
						relation_name(key.relid)),
				 errdetail("Its rows would be lost in a crash without a client ever being told."),
				 errhint("Use ALTER TABLE %s SET LOGGED.",
						 relation_name(key.relid))));
	build = AllocSetContextCreate(CurrentMemoryContext, "modseq build",
								  ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(build);
	shape = shape_build(rel, role, store);

	/* It goes with its Store */
	MemoryContextSwitchTo(store->context);
	store->shapes = lappend(store->shapes, memcpy(palloc(sizeof(ShapeKey)),
												  &key, sizeof(ShapeKey)));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(build);
	entry = hash_search(shapes, &key, HASH_ENTER, &found);
	entry->shape = shape;
	return shape;
}

/* shape_find: the same, or NULL if the table has no trigger of that role */
RowShape *
shape_find(Relation rel, TableRole role)
{
	ShapeKey	key = {0};
	ShapeEntry *entry = find_shape(rel, role, &key);
	Trigger    *trigger;

	if (entry != NULL)
		return entry->shape;
	trigger = relation_find_trigger(rel, role_triggers[role]);
	return trigger == NULL ? NULL : shape_get(rel, role, trigger);
}

/* store_of_table: that of a table, which is locked and has that role */
Store *
store_of_table(Oid relid, TableRole role)
{
	Relation	rel = table_open(relid, NoLock);
	Store	   *store = shape_get(rel, role, NULL)->store;

	table_close(rel, NoLock);
	return store;
}

/*
 * store_is_strangers: has it, or that table of it, an owner other than the
 * caller?
 */
bool
store_is_strangers(const Store *store, Oid relid)
{
	if (relation_owner(relid) != GetUserId())
		return true;
	for (TableRole role = 0; role < TABLE_ROLES; role++)
		if (OidIsValid(store->table[role].relid) &&
			relation_owner(store->table[role].relid) != GetUserId())
			return true;
	return false;
}
