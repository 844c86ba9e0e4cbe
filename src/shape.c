/*-------------------------------------------------------------------------
 *
 * shape.c
 *	  Where a table's rows have what we read and write: cached RowShapes.
 *
 * Rows of a store are seen as the message table has them, as each partition
 * of it has them (where columns can stand in another order), and as the
 * mailbox table, its source and the flag table have them.
 *
 * Locks: AccessShareLock on ancestors of a partition, while they are looked
 * at; the table itself is locked by the statement that fires a trigger.
 *
 * Memory: as in store.c.
 *
 *-------------------------------------------------------------------------
 */
#include "modseq.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "parser/parse_coerce.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

typedef enum ShapeRole
{
	SHAPE_MESSAGE,
	SHAPE_MAILBOX,
	SHAPE_SOURCE,
	SHAPE_FLAG
} ShapeRole;

typedef struct ShapeKey
{
	Oid			relid;
	ShapeRole	role;
} ShapeKey;

typedef struct ShapeEntry
{
	ShapeKey	key;			/* hash key */
	uint64		generation;
	RowShape   *shape;			/* NULL: not built */
	MemoryContext context;
} ShapeEntry;

static HTAB *shapes = NULL;

void
shape_init(void)
{
	HASHCTL		ctl = {0};

	ctl.hcxt = CacheMemoryContext;
	ctl.keysize = sizeof(ShapeKey);
	ctl.entrysize = sizeof(ShapeEntry);
	shapes = hash_create("modseq row shapes", 16, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* The attgenerated of a column */
static char
generated_kind(Relation rel, AttrNumber attnum)
{
	return TupleDescAttr(RelationGetDescr(rel), attnum - 1)->attgenerated;
}

/*
 * Where a column stands in rel, from its unquoted name.  It cannot be virtual:
 * the rows that triggers are given do not have its values.
 */
static AttrNumber
attribute_of(Relation rel, Store *store, const char *name, Oid *type)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), name);

	if (attnum == InvalidAttrNumber)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" does not exist."), name);
	if (generated_kind(rel, attnum) == ATTRIBUTE_GENERATED_VIRTUAL)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" is a virtual generated column now."), name);
	*type = getBaseType(get_atttype(RelationGetRelid(rel), attnum));
	return attnum;
}

/*
 * Where a column that holds numbers of ours stands; none if there is no such
 * option.  modseqs are bigint, other numbers, whose type is told, integer or
 * bigint.
 */
static AttrNumber
number_attribute(Relation rel, Store *store, const char *option, Oid *type)
{
	const char *name = store_option(store, option);
	AttrNumber	attnum;
	Oid			found;

	if (name == NULL)
		return InvalidAttrNumber;
	attnum = attribute_of(rel, store, name, &found);
	if (found != INT8OID && (found != INT4OID || type == NULL))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."), name);
	if (type != NULL)
		*type = found;
	return attnum;
}

/* Where the mailbox key stands in rel, and how to make it the mailbox's type */
static void
shape_key(Relation rel, RowShape *shape, const char *option)
{
	Store	   *store = shape->store;
	List	   *names = store_list_option(store, option);

	for (int i = 0; i < store->nkeys; i++)
	{
		KeyAttribute *key = &shape->key[i];
		Oid			type;
		Oid			cast;

		key->attnum = attribute_of(rel, store, list_nth(names, i), &type);
		if (type == store->key[i].type)
			continue;
		switch (find_coercion_pathway(store->key[i].type, type,
									  COERCION_ASSIGNMENT, &cast))
		{
			case COERCION_PATH_RELABELTYPE:
				continue;
			case COERCION_PATH_FUNC:
				if (get_func_nargs(cast) != 1)
					break;
				key->convert = true;
				fmgr_info_cxt(cast, &key->cast, CurrentMemoryContext);
				continue;
			default:
				break;
		}
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" cannot be converted to the mailbox key's type."),
						  list_nth(names, i));
	}
}

/* The soft-delete column, if there is one */
static void
shape_expunged(Relation rel, RowShape *shape)
{
	const char *name = store_option(shape->store, "message_expunged");

	if (name == NULL)
		return;
	shape->expunged = attribute_of(rel, shape->store, name,
								   &shape->expunged_type);
	shape->expunged_generated = generated_kind(rel, shape->expunged) != '\0';
}

/* The columns whose change is a flag change */
static void
shape_flags(Relation rel, RowShape *shape, List *names)
{
	ListCell   *lc;

	shape->flags = palloc0(sizeof(FlagAttribute) * Max(list_length(names), 1));
	foreach(lc, names)
	{
		FlagAttribute *flag = &shape->flags[shape->nflags++];
		TypeCacheEntry *typcache;
		TypeCacheEntry *element;

		flag->attnum = attribute_of(rel, shape->store, lfirst(lc), &flag->type);
		flag->generated = generated_kind(rel, flag->attnum) != '\0';
		flag->element = get_element_type(flag->type);
		if (OidIsValid(flag->element))
		{
			/* Without an order they cannot be compared as sets */
			element = lookup_type_cache(flag->element, TYPECACHE_CMP_PROC);
			if (OidIsValid(element->cmp_proc))
				fmgr_info_cxt(element->cmp_proc, &flag->cmp,
							  CurrentMemoryContext);
			else
				flag->element = InvalidOid;
		}
		flag->collation = TupleDescAttr(RelationGetDescr(rel),
										flag->attnum - 1)->attcollation;
		get_typlenbyval(flag->type, &flag->typlen, &flag->typbyval);
		typcache = lookup_type_cache(flag->type, TYPECACHE_EQ_OPR_FINFO);
		if (!OidIsValid(typcache->eq_opr))
			store_out_of_date(shape->store->message_relid,
						_("Column \"%s\" has a type without equality."),
						lfirst(lc));
		fmgr_info_cxt(typcache->eq_opr_finfo.fn_oid, &flag->eq,
					  CurrentMemoryContext);
	}
}

/*
 * The columns of a flag table that count: all of them if flag_columns does not
 * say, but not virtual ones, which only follow others.  Nor those that name the
 * message, for which see trigger.c.
 */
static List *
flag_columns(Relation rel, Store *store)
{
	TupleDesc	desc = RelationGetDescr(rel);
	const char *flag_message = store_option(store, "flag_message");
	const char *flag_uid = store_option(store, "flag_uid");
	List	   *flag_mailbox = store_list_option(store, "flag_mailbox");
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, store->flag_columns)
		names = lappend(names, lfirst(lc));
	for (int i = 0; store->flag_columns == NIL && i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			generated_kind(rel, i + 1) != ATTRIBUTE_GENERATED_VIRTUAL)
			names = lappend(names,
							pstrdup(NameStr(TupleDescAttr(desc, i)->attname)));
	foreach(lc, names)
	{
		const char *name = lfirst(lc);
		ListCell   *key;
		bool		names_message =
			(flag_message != NULL && strcmp(name, flag_message) == 0) ||
			(flag_uid != NULL && strcmp(name, flag_uid) == 0);

		foreach(key, flag_mailbox)
			if (strcmp(name, lfirst(key)) == 0)
				names_message = true;
		if (names_message)
			names = foreach_delete_current(names, lc);
	}
	return names;
}

/* The column of a flag table that names the message by its key, if any */
static AttrNumber
flag_message_attribute(Relation rel, Store *store)
{
	const char *name = store_option(store, "flag_message");
	AttrNumber	attnum;
	Oid			type;

	if (name == NULL)
		return InvalidAttrNumber;
	attnum = attribute_of(rel, store, name, &type);
	if (type != store->flag_message_type)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."), name);
	return attnum;
}

static RowShape *
build_shape(Relation rel, ShapeRole role, Store *store)
{
	RowShape   *shape = palloc0(sizeof(RowShape));

	shape->store = store;
	switch (role)
	{
		case SHAPE_MESSAGE:
			shape_key(rel, shape, "message_mailbox");
			shape->uid = number_attribute(rel, store, "message_uid",
										  &shape->uid_type);
			shape->modseq = number_attribute(rel, store, "message_modseq", NULL);
			shape->created_modseq =
				number_attribute(rel, store, "message_created_modseq", NULL);
			shape_flags(rel, shape, store->flags);
			shape_expunged(rel, shape);
			break;
		case SHAPE_MAILBOX:
			shape_key(rel, shape, "mailbox_key");
			shape->uidvalidity = number_attribute(rel, store,
												  "mailbox_uidvalidity",
												  &shape->uidvalidity_type);
			shape->uidnext = number_attribute(rel, store,
											  store->has_last_uid ?
											  "mailbox_last_uid" :
											  "mailbox_uidnext",
											  &shape->uidnext_type);
			shape->highestmodseq = number_attribute(rel, store,
													"mailbox_highestmodseq",
													NULL);
			break;
		case SHAPE_SOURCE:
			shape_key(rel, shape, "mailbox_source_key");
			break;
		case SHAPE_FLAG:
			if (store->flag_uid != NULL)
				shape_key(rel, shape, "flag_mailbox");
			shape->uid = number_attribute(rel, store, "flag_uid",
										  &shape->uid_type);
			shape->flag_message = flag_message_attribute(rel, store);
			shape_flags(rel, shape, flag_columns(rel, store));
			break;
	}
	return shape;
}

/*
 * Anybody can put our triggers on a table of theirs and name any store; what
 * they do is done with its owner's rights, so the store must know the table.
 */
static void
check_role(Relation rel, ShapeRole role, Store *store)
{
	Oid			table = RelationGetRelid(rel);
	Oid			wanted = store->message_relid;

	if (role == SHAPE_MAILBOX)
		wanted = store->mailbox_relid;
	else if (role == SHAPE_SOURCE)
		wanted = store->source_relid;
	else if (role == SHAPE_FLAG)
		wanted = store->flag_relid;
	if (table != wanted &&
		!(rel->rd_rel->relispartition &&
		  list_member_oid(get_partition_ancestors(table), wanted)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" does not belong to the store that its trigger names",
						RelationGetRelationName(rel)),
				 errhint("Drop the trigger, or call modseq.attach() for %s again.",
						 store->message)));
}

/* The shape of rel in that role, from the cache if it is up to date */
static RowShape *
get_shape(Relation rel, ShapeRole role, Oid (*find_store) (Relation, Trigger *),
		  Trigger *trigger)
{
	ShapeKey	key = {0};
	ShapeEntry *entry;
	bool		found;
	uint64		started;
	MemoryContext context;
	MemoryContext old;
	RowShape   *shape;
	Store	   *store;

	key.relid = RelationGetRelid(rel);
	key.role = role;
	entry = hash_search(shapes, &key, HASH_FIND, NULL);
	if (entry != NULL && entry->shape != NULL &&
		entry->generation == store_generation)
		return entry->shape;

	store_watch(key.relid);
	started = store_generation;
	store = store_get(find_store(rel, trigger));
	check_role(rel, role, store);
	context = AllocSetContextCreate(CurrentMemoryContext, "modseq row shape",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	shape = build_shape(rel, role, store);
	MemoryContextSwitchTo(old);

	entry = hash_search(shapes, &key, HASH_ENTER, &found);
	if (found && entry->shape != NULL)
		store_retire_context(entry->context);
	MemoryContextSetParent(context, CacheMemoryContext);
	entry->context = context;
	entry->shape = shape;
	entry->generation = started;
	return shape;
}

/*
 * The message table that a table of messages belongs to: itself, or for a
 * partition the ancestor that attach() was called on, which is the first
 * whose trigger is not a clone of its parent's.
 */
static Oid
message_table_of(Relation rel, Trigger *unused)
{
	Trigger    *trigger = store_find_trigger(rel, "trigger_assign");
	List	   *ancestors;
	ListCell   *lc;

	if (trigger == NULL || !trigger->tgisclone)
		return RelationGetRelid(rel);
	ancestors = get_partition_ancestors(RelationGetRelid(rel));
	foreach(lc, ancestors)
	{
		Relation	ancestor = table_open(lfirst_oid(lc), AccessShareLock);

		bool		is_store;

		trigger = store_find_trigger(ancestor, "trigger_assign");
		is_store = trigger != NULL && !trigger->tgisclone;
		table_close(ancestor, AccessShareLock);
		if (is_store)
			return lfirst_oid(lc);
	}
	return RelationGetRelid(rel);
}

/* The message table that a trigger's only argument names */
static Oid
named_message_table(Relation rel, Trigger *trigger)
{
	Oid			relid = InvalidOid;

	if (trigger->tgnargs == 1)
		relid = store_find_table(trigger->tgargs[0]);
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of table \"%s\" belongs to no message table",
						trigger->tgname, RelationGetRelationName(rel)),
				 trigger->tgnargs == 1 ?
				 errdetail("Table %s does not exist.", trigger->tgargs[0]) : 0,
				 errhint("Call modseq.attach() again for the message table that table \"%s\" goes with. If that was dropped, call modseq.detach() for this one.",
						 RelationGetRelationName(rel))));
	return relid;
}

/* The shape of a message table, or of a partition of one */
RowShape *
shape_of_messages(Relation rel)
{
	return get_shape(rel, SHAPE_MESSAGE, message_table_of, NULL);
}

RowShape *
shape_of_mailboxes(Relation rel, Trigger *trigger)
{
	return get_shape(rel, SHAPE_MAILBOX, named_message_table, trigger);
}

RowShape *
shape_of_sources(Relation rel, Trigger *trigger)
{
	return get_shape(rel, SHAPE_SOURCE, named_message_table, trigger);
}

RowShape *
shape_of_flags(Relation rel, Trigger *trigger)
{
	return get_shape(rel, SHAPE_FLAG, named_message_table, trigger);
}
