/*-------------------------------------------------------------------------
 *
 * shape.c
 *	  Where a table's rows have what we read and write: RowShapes.
 *
 * Rows of a store are seen as the message table has them, as each partition
 * of it has them (where columns can stand in another order), and as the
 * mailbox table, its source and the flag table have them.
 *
 * Locks: AccessShareLock on ancestors of a partition, while they are looked
 * at; the table itself is locked by the statement that fires a trigger.
 *
 * Memory: a RowShape lives in its Store's context; what is needed only to build
 * it, in the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

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
						  _("Column \"%s\" is a virtual generated column now."),
						  name);
	*type = getBaseType(get_atttype(RelationGetRelid(rel), attnum));
	return attnum;
}

/* What we write, or must know before a row is written, is not generated */
static void
refuse_generated(Relation rel, Store *store, AttrNumber attnum,
				 const char *name)
{
	if (generated_kind(rel, attnum) != '\0')
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" is a generated column now."), name);
}

/*
 * Where a column that holds numbers of ours stands; none if there is no such
 * column.  modseqs are bigint, other numbers, whose type is told, integer or
 * bigint.
 */
static AttrNumber
number_attribute(Relation rel, Store *store, const Column *column, Oid *type)
{
	const char *name = column->name;
	AttrNumber	attnum;
	Oid			found;

	if (name == NULL)
		return InvalidAttrNumber;
	attnum = attribute_of(rel, store, name, &found);
	if (found != INT8OID && (found != INT4OID || type == NULL))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."), name);
	if (column != &store->flag_uid)
		refuse_generated(rel, store, attnum, name);
	if (type != NULL)
		*type = found;
	return attnum;
}

/* Where a column of a key stands, and how to make it the mailbox's type */
static void
shape_key_column(Relation rel, Store *store, const char *name,
				 const KeyColumn *column, KeyAttribute *key)
{
	Oid			type;
	Oid			cast;

	key->attnum = attribute_of(rel, store, name, &type);
	if (type == column->type)
		return;
	switch (find_coercion_pathway(column->type, type, COERCION_ASSIGNMENT,
								  &cast))
	{
		case COERCION_PATH_RELABELTYPE:
			return;
		case COERCION_PATH_FUNC:
			if (get_func_nargs(cast) != 1)
				break;
			key->convert = true;
			fmgr_info_cxt(cast, &key->cast, store->context);
			return;
		default:
			break;
	}
	store_out_of_date(store->message_relid,
					  _("Column \"%s\" cannot be converted to the mailbox key's type."),
					  name);
}

/* Where the mailbox key stands in rel */
static void
shape_key(Relation rel, RowShape *shape, TableRole role)
{
	Store	   *store = shape->store;

	for (int i = 0; i < store->nkeys; i++)
	{
		const char *name = store->table[role].key[i].name;

		shape_key_column(rel, store, name, &store->key[i], &shape->key[i]);
		if (role == TABLE_MESSAGE)
			refuse_generated(rel, store, shape->key[i].attnum, name);
	}
}

/* Where the account stands in rel, a table of mailboxes or of accounts */
static void
shape_account(Relation rel, RowShape *shape, TableRole role)
{
	Store	   *store = shape->store;

	for (int i = 0; i < store->naccounts; i++)
		shape_key_column(rel, store, store->table[role].account[i].name,
						 &store->account_key[i], &shape->account[i]);
}

/* The soft-delete column, if there is one */
static void
shape_expunged(Relation rel, RowShape *shape)
{
	const char *name = shape->store->expunged.name;

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
	MemoryContext context = shape->store->context;
	ListCell   *lc;

	shape->flags = MemoryContextAllocZero(context, sizeof(FlagAttribute) *
										  Max(list_length(names), 1));
	foreach(lc, names)
	{
		FlagAttribute *flag = &shape->flags[shape->nflags++];
		TypeCacheEntry *typcache;
		Oid			compare;

		flag->attnum = attribute_of(rel, shape->store, lfirst(lc), &flag->type);
		flag->generated = generated_kind(rel, flag->attnum) != '\0';
		flag->element = flag_element(flag->type, &compare);
		if (OidIsValid(flag->element))
			fmgr_info_cxt(compare, &flag->cmp, context);
		flag->collation = TupleDescAttr(RelationGetDescr(rel),
										flag->attnum - 1)->attcollation;
		get_typlenbyval(flag->type, &flag->typlen, &flag->typbyval);
		typcache = lookup_type_cache(flag->type, TYPECACHE_EQ_OPR_FINFO);
		if (!OidIsValid(typcache->eq_opr))
			store_out_of_date(shape->store->message_relid,
							  _("Column \"%s\" has a type without equality."),
							  lfirst(lc));
		fmgr_info_cxt(typcache->eq_opr_finfo.fn_oid, &flag->eq, context);
	}
}

/*
 * shape_flag_columns: those of a flag table that count: all of them if
 * flag_columns does not say, but not virtual ones, which only follow others.
 * Nor those that name the message, for which see flag.c.
 */
List *
shape_flag_columns(Relation rel, const Store *store)
{
	TupleDesc	desc = RelationGetDescr(rel);
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

		if (column_is_named(&store->flag_uid, name) ||
			key_has_column(store->flag_message.column, store->flag_message.n,
						   name) ||
			key_has_column(store->table[TABLE_FLAG].key,
						   store->table[TABLE_FLAG].nkeys, name))
			names = foreach_delete_current(names, lc);
	}
	return names;
}

/*
 * The columns of a message table whose change is a flag change.  Where flags
 * are shared, a row that names another message now has that one's flags.
 */
static List *
message_flags(const Store *store)
{
	List	   *names = list_copy(store->flags);

	if (store->sharing != FLAGS_OWN)
		names = list_concat(names, column_names(&store->message_key));
	return names;
}

/* Where the key of a message stands, in its table or the flag table, if any */
static void
shape_message_key(Relation rel, RowShape *shape, const Columns *columns)
{
	shape->nmessage_keys = columns->n;
	for (int i = 0; i < columns->n; i++)
	{
		const Column *column = &columns->column[i];
		Oid			type;

		shape->message_key[i] = attribute_of(rel, shape->store, column->name,
											 &type);
		if (type != column->type)
			store_out_of_date(shape->store->message_relid,
							  _("Column \"%s\" has another type now."),
							  column->name);
	}
}

/* What tells Emails and Threads apart, in messages */
static AttrNumber
shape_email(Relation rel, Store *store, const Column *column, Oid *type)
{
	AttrNumber	attnum;

	if (column->name == NULL)
		return InvalidAttrNumber;
	attnum = attribute_of(rel, store, column->name, type);
	refuse_generated(rel, store, attnum, column->name);
	if (*type != column->type)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."),
						  column->name);
	return attnum;
}

/* What a message adds to the counts; count.c knows the types */
static void
shape_counted(Relation rel, RowShape *shape)
{
	Store	   *store = shape->store;
	Oid			unused;

	if (store->size.name != NULL)
		shape->size = attribute_of(rel, store, store->size.name,
								   &shape->size_type);
	if (store->seen.column.name != NULL)
		shape->seen = attribute_of(rel, store, store->seen.column.name,
								   &unused);
	if (store->deleted.column.name != NULL)
		shape->deleted = attribute_of(rel, store, store->deleted.column.name,
									  &unused);
}

/*
 * The columns of the application's mailbox table that are properties: all of
 * them, if mailbox_properties does not say, but for keys, numbers of ours, and
 * virtual columns, which only follow others.
 */
static void
shape_properties(Relation rel, RowShape *shape, TableRole role)
{
	Store	   *store = shape->store;
	const StoreTable *table = &store->table[role];
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *names = store->properties;
	ListCell   *lc;
	Oid			unused;

	for (int i = 0; store->properties == NIL && i < desc->natts; i++)
	{
		char	   *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (!TupleDescAttr(desc, i)->attisdropped &&
			generated_kind(rel, i + 1) != ATTRIBUTE_GENERATED_VIRTUAL &&
			!key_has_column(table->key, table->nkeys, name) &&
			!key_has_column(table->account, store->naccounts, name) &&
			(role != TABLE_MAILBOX || !store_has_number(store, name)))
			names = lappend(names, pstrdup(name));
	}
	shape->properties = MemoryContextAllocZero(store->context,
											   sizeof(AttrNumber) *
											   Max(list_length(names), 1));
	foreach(lc, names)
		shape->properties[shape->nproperties++] =
		attribute_of(rel, store, lfirst(lc), &unused);
}

/* Does an UPDATE fire our triggers, and no other? */
static bool
fires_only_ours(Relation rel, const Store *store, TableRole role)
{
	const Trigger *ours = relation_find_trigger(rel, role_triggers[role]);
	Oid			mailbox;

	if (ours == NULL || (ours->tgenabled != TRIGGER_FIRES_ON_ORIGIN &&
						 ours->tgenabled != TRIGGER_FIRES_ALWAYS))
		return false;
	mailbox = ours->tgfoid;
	for (int i = 0; i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_FOR_UPDATE(trigger->tgtype) &&
			trigger->tgfoid != mailbox &&
			trigger->tgfoid != store->open_function &&
			trigger->tgfoid != store->flush_function)
			return false;
	}
	return true;
}

/* Is that where a count stands? */
static bool
is_count(const RowShape *shape, AttrNumber attnum)
{
	for (int i = 0; i < COUNTS; i++)
		if (shape->count[i] != InvalidAttrNumber && shape->count[i] == attnum)
			return true;
	return false;
}

/* Are all indexes plain B-trees, and those on counters not unique? */
static bool
has_plain_indexes(Relation rel, const RowShape *shape)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		result = true;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		const Form_pg_index form = index->rd_index;

		result = result && index->rd_rel->relam == BTREE_AM_OID &&
			RelationGetIndexPredicate(index) == NIL &&
			RelationGetIndexExpressions(index) == NIL;
		for (int i = 0; i < form->indnatts; i++)
			if (form->indisunique &&
				(form->indkey.values[i] == shape->uidnext ||
				 form->indkey.values[i] == shape->highestmodseq ||
				 is_count(shape, form->indkey.values[i])))
				result = false;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return result;
}

/* Is it a column of that very type, no domain, which an UPDATE may set? */
static bool
is_plain_number(Relation rel, AttrNumber attnum, Oid type)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	return column->atttypid == type && column->attidentity == '\0';
}

static bool
has_plain_counts(Relation rel, const RowShape *shape)
{
	for (int i = 0; i < COUNTS; i++)
		if (shape->count[i] != InvalidAttrNumber &&
			!is_plain_number(rel, shape->count[i], shape->count_type[i]))
			return false;
	return true;
}

/*
 * Can UIDNEXT and HIGHESTMODSEQ be written without SQL?  Nobody else has a say
 * in it then, by a trigger, a rule, a check, or a column or index that is made
 * of them.
 */
static bool
is_plain(Relation rel, const RowShape *shape, TableRole role)
{
	const TupleConstr *constraints = rel->rd_att->constr;

	/* attach() has made one, so that there is one account for the store */
	int			checks = role == TABLE_ACCOUNT && shape->store->naccounts == 0;

	return rel->rd_rel->relkind == RELKIND_RELATION &&
		rel->rd_rules == NULL &&
		(constraints == NULL ||
		 (constraints->num_check == checks &&
		  !constraints->has_generated_stored)) &&
		(role != TABLE_MAILBOX ||
		 is_plain_number(rel, shape->uidnext, shape->uidnext_type)) &&
		is_plain_number(rel, shape->highestmodseq, INT8OID) &&
		has_plain_counts(rel, shape) &&
		fires_only_ours(rel, shape->store, role) &&
		has_plain_indexes(rel, shape);
}

/* What rows of mailboxes have because of accounts */
static void
shape_mailbox_account(Relation rel, RowShape *shape, TableRole role)
{
	Store	   *store = shape->store;

	shape_account(rel, shape, role);
	if (store->table[role].relid == store_mailbox_table(store)->relid)
		shape_properties(rel, shape, role);
	if (role != TABLE_MAILBOX)
		return;
	shape->created_modseq = number_attribute(rel, store,
											 &store->mailbox_created_modseq,
											 NULL);
	shape->properties_modseq = number_attribute(rel, store,
												&store->properties_modseq,
												NULL);
}

/* Where a row of an account has its numbers; build.c knows their types */
static void
shape_account_row(Relation rel, RowShape *shape)
{
	Oid			relid = RelationGetRelid(rel);

	shape_account(rel, shape, TABLE_ACCOUNT);
	shape->epoch = get_attnum(relid, "epoch");
	shape->highestmodseq = get_attnum(relid, "highestmodseq");
	shape->email_modseq = get_attnum(relid, "email_modseq");
	shape->thread_modseq = get_attnum(relid, "thread_modseq");
	shape->mailbox_modseq = get_attnum(relid, "mailbox_modseq");
	shape->floor = get_attnum(relid, "floor");
	shape->plain = is_plain(rel, shape, TABLE_ACCOUNT);
}

/* shape_build: the RowShape of a table, in its Store's context */
RowShape *
shape_build(Relation rel, TableRole role, Store *store)
{
	RowShape   *shape = MemoryContextAllocZero(store->context,
											   sizeof(RowShape));

	shape->store = store;
	if (store->table[role].nkeys > 0)
		shape_key(rel, shape, role);
	switch (role)
	{
		case TABLE_MESSAGE:
			shape->uid = number_attribute(rel, store, &store->uid,
										  &shape->uid_type);
			shape->modseq = number_attribute(rel, store, &store->modseq, NULL);
			shape->created_modseq =
				number_attribute(rel, store, &store->created_modseq, NULL);
			if (store->sharing != FLAGS_OWN)
				shape_message_key(rel, shape, &store->message_key);
			shape_flags(rel, shape, message_flags(store));
			shape_expunged(rel, shape);
			shape_counted(rel, shape);
			shape->email = shape_email(rel, store, &store->email,
									   &shape->email_type);
			shape->thread = shape_email(rel, store, &store->thread,
										&shape->thread_type);
			break;
		case TABLE_MAILBOX:
			shape->uidvalidity = number_attribute(rel, store,
												  &store->uidvalidity,
												  &shape->uidvalidity_type);
			shape->uidnext = number_attribute(rel, store, &store->uidnext,
											  &shape->uidnext_type);
			shape->highestmodseq = number_attribute(rel, store,
													&store->highestmodseq,
													NULL);
			for (int i = 0; i < COUNTS; i++)
				shape->count[i] = number_attribute(rel, store,
												   &store->count[i],
												   &shape->count_type[i]);
			if (store->counters != NULL)
				shape->gone_at = get_attnum(RelationGetRelid(rel), "gone_at");
			if (store->has_accounts)
				shape_mailbox_account(rel, shape, role);
			shape->plain = is_plain(rel, shape, role);
			break;
		case TABLE_FLAG:
			shape->uid = number_attribute(rel, store, &store->flag_uid,
										  &shape->uid_type);
			shape_message_key(rel, shape, &store->flag_message);
			shape_flags(rel, shape, shape_flag_columns(rel, store));
			break;
		case TABLE_ACCOUNT:
			shape_account_row(rel, shape);
			break;
		default:
			Assert(role == TABLE_SOURCE);
			if (store->has_accounts)
				shape_mailbox_account(rel, shape, role);
			break;
	}
	return shape;
}
