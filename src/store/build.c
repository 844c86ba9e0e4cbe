/*-------------------------------------------------------------------------
 *
 * build.c
 *	  What a store is: trigger arguments -> Store.
 *
 * modseq.attach() writes a store's configuration into the arguments of one
 * trigger of the message table, the one that calls modseq.trigger_assign();
 * the triggers of the mailbox and the flag table only name the message table.
 * There is no catalog of ours.  The arguments are names, never OIDs, so that
 * pg_dump carries them; when a name no longer leads anywhere, or leads to a
 * table whose trigger does not point back, the store is out of date and all
 * that we do with it is an error that says to attach again.
 *
 * Locks: AccessShareLock on the store's tables, while it is built.
 *
 * Memory: a Store has a context; what is needed only to build it is in the
 * caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* A table that has a row trigger of ours must point back to the store */
static void
check_back(const Store *store, TableRole role)
{
	const StoreTable *table = &store->table[role];
	Relation	rel = relation_open(table->relid, AccessShareLock);
	Trigger    *back = relation_find_trigger(rel, role_triggers[role]);

	if (back == NULL || back->tgnargs != 1 ||
		table_beside(table->relid, back->tgargs[0]) != store->message_relid)
		store_out_of_date(store->message_relid,
						  _("Table %s has no trigger that belongs to it."),
						  table->name);
	relation_close(rel, AccessShareLock);
}

/* The table that the store names; of a shard the one beside it */
static void
find_table(const Store *store, StoreTable *table)
{
	const char *name = name_beside(store->message_relid, table->name);

	if (name == NULL)
		store_out_of_date(store->message_relid,
						  _("Table %s is not distributed with it."),
						  table->name);
	if (name != table->name)
		table->name = MemoryContextStrdup(store->context, name);
	table->relid = table_named(table->name);
}

/*
 * The tables, which must exist.  If the store is attached, then their triggers
 * must say so, or it is another table that has taken the name.
 */
static void
build_tables(Store *store, bool attached)
{
	for (TableRole role = 0; role < TABLE_ROLES; role++)
	{
		StoreTable *table = &store->table[role];
		Distribution distribution;
		char		relkind;

		if (table->name == NULL)
			continue;
		if (role != TABLE_MESSAGE)
			find_table(store, table);
		if (!OidIsValid(table->relid))
			store_out_of_date(store->message_relid,
							  _("Table %s does not exist."), table->name);
		relkind = get_rel_relkind(table->relid);
		if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
			store_out_of_date(store->message_relid,
							  _("Relation %s is no table now."), table->name);
		if (get_rel_relispartition(table->relid))
			store_out_of_date(store->message_relid,
							  _("Table %s is a partition now."), table->name);
		if (relation_inherits(table->relid))
			store_out_of_date(store->message_relid,
							  _("Table %s inherits now, or is inherited from."),
							  table->name);
		if (get_rel_persistence(table->relid) != RELPERSISTENCE_PERMANENT)
			store_out_of_date(store->message_relid,
							  _("Table %s is unlogged or temporary now."),
							  table->name);
		if (store->watch != NULL)
			watch_table(store->watch, table->relid);
		if (role == TABLE_MAILBOX || role == TABLE_VANISHED ||
			role == TABLE_ACCOUNT || role == TABLE_DEPARTED)
			table->altered = relation_alters_rows(table->relid,
												  role == TABLE_VANISHED ||
												  role == TABLE_DEPARTED);
		if (attached && table_distribution(table->relid, &distribution) !=
			store->distributed)
			store_out_of_date(store->message_relid,
							  _("Citus distributes one of it and table %s, and not the other."),
							  table->name);
		if (attached && role != TABLE_MESSAGE && role_triggers[role] != NULL)
			check_back(store, role);
	}
}

/* Columns of a table of ours that we write, and read, as of that type */
typedef struct OurColumn
{
	const char *name;
	Oid			type;
} OurColumn;

static const OurColumn account_columns[] = {
	{"epoch", INT8OID},
	{"highestmodseq", INT8OID},
	{"email_modseq", INT8OID},
	{"thread_modseq", INT8OID},
	{"mailbox_modseq", INT8OID},
	{"floor", INT8OID}
};

static const OurColumn departed_columns[] = {
	{"modseq", INT8OID},
	{"created", INT8ARRAYOID},
	{"mailboxes", TEXTARRAYOID},
	{"mailboxes_created", INT8ARRAYOID},
	{"departed_at", TIMESTAMPTZOID}
};

static void
check_columns(const Store *store, TableRole role, const OurColumn *columns,
			  int n)
{
	Oid			relid = store->table[role].relid;

	for (int i = 0; i < n; i++)
	{
		AttrNumber	attnum = get_attnum(relid, columns[i].name);

		if (attnum == InvalidAttrNumber ||
			get_atttype(relid, attnum) != columns[i].type)
			store_out_of_date(store->message_relid,
							  _("Column \"%s\" is missing, or has another type."),
							  columns[i].name);
	}
}

/*
 * Where given values of UIDVALIDITY are noted: with the column of the mailbox
 * key by which the store is distributed, if there is one
 */
static void
build_uidvalidities(Store *store)
{
	static const OurColumn ours = {"uidvalidity", INT8OID};
	const StoreTable *mailbox = &store->table[TABLE_MAILBOX];
	StoreTable *given = &store->table[TABLE_UIDVALIDITY];

	check_columns(store, TABLE_UIDVALIDITY, &ours, 1);
	for (int i = 0; i < store->nkeys; i++)
	{
		if (get_attnum(given->relid, mailbox->key[i].name) ==
			InvalidAttrNumber)
			continue;
		given->key[0].name = mailbox->key[i].name;
		store_column(store, TABLE_UIDVALIDITY, &given->key[0]);
		store_check_same_key(store, &given->key[0], &mailbox->key[i]);
		store->distributed_by = i;
		return;
	}
}

/* What tells Emails or Threads apart, and is kept of those that departed */
static void
build_email(Store *store, Column *column, const char *departed)
{
	Oid			relid = store->table[TABLE_DEPARTED].relid;
	AttrNumber	attnum;

	if (column->name == NULL)
		return;
	store_column(store, TABLE_MESSAGE, column);
	attnum = get_attnum(relid, departed);
	if (!OidIsValid(get_array_type(column->type)) ||
		attnum == InvalidAttrNumber ||
		get_atttype(relid, attnum) != get_array_type(column->type))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" is missing, or has another type."),
						  departed);
}

/*
 * The account's columns, in all tables that have them, and what is only there
 * with accounts
 */
static void
build_accounts(Store *store)
{
	const StoreTable *mailbox = &store->table[TABLE_MAILBOX];

	for (TableRole role = 0; role < TABLE_ROLES; role++)
		for (int i = 0; i < store->naccounts; i++)
			store_column(store, role, &store->table[role].account[i]);
	for (int i = 0; i < store->naccounts; i++)
		store_key_column(store, &mailbox->account[i], &store->account_key[i]);
	for (TableRole role = 0; role < TABLE_ROLES; role++)
		for (int i = 0; i < store->naccounts; i++)
			if (store->table[role].account[i].name != NULL)
				store_check_same_key(store, &store->table[role].account[i],
									 &mailbox->account[i]);
	store_number(store, TABLE_MAILBOX, &store->mailbox_created_modseq, true);
	store_number(store, TABLE_MAILBOX, &store->properties_modseq, true);
	build_email(store, &store->email, "emails");
	build_email(store, &store->thread, "threads");
	check_columns(store, TABLE_ACCOUNT, account_columns,
				  lengthof(account_columns));
	check_columns(store, TABLE_DEPARTED, departed_columns,
				  lengthof(departed_columns));
}

/* The vanished table calls its key's columns as the mailbox table does */
static void
build_key(Store *store)
{
	StoreTable *mailbox = &store->table[TABLE_MAILBOX];
	StoreTable *vanished = &store->table[TABLE_VANISHED];

	for (TableRole role = 0; role < TABLE_ROLES; role++)
		for (int i = 0; i < store->table[role].nkeys; i++)
			store_column(store, role, &store->table[role].key[i]);
	for (int i = 0; i < store->nkeys; i++)
		store_key_column(store, &mailbox->key[i], &store->key[i]);
	for (TableRole role = 0; role < TABLE_ROLES; role++)
		for (int i = 0; i < store->table[role].nkeys; i++)
			store_check_same_key(store, &store->table[role].key[i],
								 &mailbox->key[i]);
	vanished->nkeys = mailbox->nkeys;
	memcpy(vanished->key, mailbox->key, sizeof(vanished->key));
}

/*
 * What we write to the vanished table, and read from it.  Its key may be of
 * another type of the same kind, until attach() lets it follow the mailbox's.
 */
static void
check_vanished(const Store *store)
{
	static const char *const ours[] = {
		"modseq", "lost", "uids", "lost_uids", "changed"
	};
	Oid			relid = store->table[TABLE_VANISHED].relid;
	int			n = store->nkeys + lengthof(ours) - !store->logs;
	Oid			unused;

	for (int i = 0; i < n; i++)
	{
		const char *name = i < store->nkeys ?
			store->table[TABLE_VANISHED].key[i].name : ours[i - store->nkeys];
		AttrNumber	attnum = get_attnum(relid, name);
		Oid			type = InvalidOid;
		bool		fits;

		if (attnum != InvalidAttrNumber)
			type = getBaseType(get_atttype(relid, attnum));
		if (i < store->nkeys)
			fits = OidIsValid(type) &&
				OidIsValid(equality_operator(type, store->key[i].type,
											 &unused));
		else
			fits = type == (i < store->nkeys + 2 ? INT8OID : uidset_oid());
		if (!fits)
			store_out_of_date(store->message_relid,
							  _("Column \"%s\" of the vanished table does not exist, or has another type now."),
							  name);
	}
}

/* The soft-delete column; expand.c and key.c know what each type says */
static void
build_expunged(Store *store)
{
	store_column(store, TABLE_MESSAGE, &store->expunged);
	switch (store->expunged.type)
	{
		case InvalidOid:
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			break;
		default:
			store_out_of_date(store->message_relid,
							  _("Column \"%s\" has another type now."),
							  store->expunged.name);
	}
}

/* How rows of the flag table name their message, if not by mailbox and UID */
static void
build_flag_key(Store *store)
{
	store_number(store, TABLE_FLAG, &store->flag_uid, false);
	if (!OidIsValid(store->table[TABLE_FLAG].relid))
		store->message_key.n = store->flag_message.n = 0;
	for (int i = 0; i < store->message_key.n; i++)
	{
		Column	   *key = &store->message_key.column[i];
		Column	   *flag = &store->flag_message.column[i];
		Oid		   *type = &store->flag_key_type[i];

		store_column(store, TABLE_MESSAGE, key);
		store_column(store, TABLE_FLAG, flag);
		if (!OidIsValid(equality_operator(key->type, flag->type, type)))
			store_out_of_date(store->message_relid,
							  _("Column \"%s\" has another type than the key that it refers to."),
							  flag->name);
		if (IsPolymorphicType(*type))
			*type = flag->type;
		if (!OidIsValid(get_array_type(*type)))
			store_out_of_date(store->message_relid,
							  _("Column \"%s\" has a type without arrays."),
							  flag->name);
	}
}

/* Which of the two, message and flag row, must be there first? */
static void
build_sharing(Store *store)
{
	Oid			message = store->message_relid;
	Oid			flag = store->table[TABLE_FLAG].relid;
	List	   *key = column_names(&store->message_key);
	List	   *flag_key = column_names(&store->flag_message);

	if (key == NIL || relation_refers(flag, flag_key, message, key))
		store->sharing = FLAGS_OWN;
	else if (relation_refers(message, key, flag, flag_key))
		store->sharing = FLAGS_REFERRED;
	else
		store->sharing = FLAGS_SHARED;
}

static List *
key_names(const StoreTable *table)
{
	List	   *names = NIL;

	for (int i = 0; i < table->nkeys; i++)
		names = lappend(names, unconstify(char *, table->key[i].name));
	return names;
}

/*
 * Do foreign keys delete flags with their message, and only then?  It is gone
 * then, whatever else has its key later: nothing is owed for these flags.
 */
static void
build_cascade(Store *store)
{
	Oid			flag = store->table[TABLE_FLAG].relid;
	List	   *columns;
	List	   *referenced;

	if (!OidIsValid(flag))
		return;
	if (store->flag_message.n > 0)
	{
		columns = column_names(&store->flag_message);
		referenced = column_names(&store->message_key);
	}
	else
	{
		columns = lappend(key_names(&store->table[TABLE_FLAG]),
						  unconstify(char *, store->flag_uid.name));
		referenced = lappend(key_names(&store->table[TABLE_MESSAGE]),
							 unconstify(char *, store->uid.name));
	}
	store->flags_cascade = cascade_is_only_from(flag, columns,
												store->message_relid,
												referenced);
}

/* Rows of ours are written as their owner: it must not be a stranger's table */
static void
check_owner(const Store *store, Relation message, TableRole role)
{
	if (relation_owner(store->table[role].relid) != message->rd_rel->relowner)
		store_out_of_date(store->message_relid,
						  _("Table %s has another owner."),
						  store->table[role].name);
}

/* Is there a unique index on the mailbox key, and perhaps another column? */
static bool
key_is_unique(Relation rel, const StoreTable *table, const Column *column)
{
	List	   *names = key_names(table);

	if (column != NULL)
		names = lappend(names, unconstify(char *, column->name));
	return unique_index_exists(rel, names);
}

/* We write the counters of one row, and read those of one */
static void
check_mailbox_key(const Store *store)
{
	const StoreTable *mailbox = &store->table[TABLE_MAILBOX];
	Relation	rel = relation_open(mailbox->relid, AccessShareLock);

	if (!key_is_unique(rel, mailbox, NULL))
		store_out_of_date(store->message_relid,
						  _("The mailbox key of table %s has no unique index any more."),
						  mailbox->name);
	relation_close(rel, AccessShareLock);
}

/*
 * What else a table of counters that is ours has.  A foreign key that is always
 * checked lets no message outlive its mailbox.
 */
static void
build_counters(Store *store)
{
	const StoreTable *message = &store->table[TABLE_MESSAGE];
	const StoreTable *source = &store->table[TABLE_SOURCE];
	Oid			relid = store->table[TABLE_MAILBOX].relid;
	AttrNumber	attnum = get_attnum(relid, "gone_at");

	if (attnum == InvalidAttrNumber ||
		getBaseType(get_atttype(relid, attnum)) != TIMESTAMPTZOID)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" is missing, or has another type."),
						  "gone_at");
	store->remembers = !foreign_key_exists(message->relid, key_names(message),
										   source->relid, key_names(source));
}

/* An empty Store; what it points to is in the same context */
static Store *
new_store(Oid message_relid, MemoryContext context)
{
	Store	   *store = MemoryContextAllocZero(context, sizeof(Store));

	store->context = context;
	store->message_relid = message_relid;
	return store;
}

/* watch is NULL for a Store that is not kept */
static Store *
build_store(Relation rel, char **options, int noptions, bool attached,
			Watch *watch, MemoryContext context)
{
	Store	   *store = new_store(RelationGetRelid(rel), context);
	StoreTable *message = &store->table[TABLE_MESSAGE];
	const StoreTable *mailbox = &store->table[TABLE_MAILBOX];
	Distribution distribution;

	store->watch = watch;
	message->relid = store->message_relid;
	message->name = MemoryContextStrdup(context, relation_name(message->relid));
	store->known_as = MemoryContextStrdup(context,
										  relation_known_as(message->relid));
	store->distributed = table_distribution(message->relid, &distribution);
	options_parse(store, options, noptions);
	build_tables(store, attached);

	check_owner(store, rel, TABLE_VANISHED);
	if (store->has_accounts)
	{
		check_owner(store, rel, TABLE_ACCOUNT);
		check_owner(store, rel, TABLE_DEPARTED);
	}
	if (store->counters != NULL)
		check_owner(store, rel, TABLE_MAILBOX);
	build_key(store);
	if (attached)
		check_mailbox_key(store);
	check_vanished(store);
	store_key_index(store, TABLE_MAILBOX);
	store_key_index(store, TABLE_SOURCE);
	store_key_index(store, TABLE_VANISHED);
	store_number(store, TABLE_MAILBOX, &store->uidvalidity, false);
	store_number(store, TABLE_MAILBOX, &store->uidnext, false);
	store_number(store, TABLE_MAILBOX, &store->highestmodseq, true);
	store_number(store, TABLE_MESSAGE, &store->uid, false);
	store_number(store, TABLE_MESSAGE, &store->modseq, true);
	store_number(store, TABLE_MESSAGE, &store->created_modseq, true);
	build_expunged(store);
	count_build(store);
	if (store->has_accounts)
	{
		build_accounts(store);
		store_key_index(store, TABLE_ACCOUNT);
	}
	if (store->table[TABLE_UIDVALIDITY].name != NULL)
	{
		check_owner(store, rel, TABLE_UIDVALIDITY);
		build_uidvalidities(store);
	}
	build_flag_key(store);
	build_sharing(store);
	build_cascade(store);
	if (store->counters != NULL)
		build_counters(store);

	/* Counters that are not in the mailbox's row do not go with it */
	store->outlives = !OidIsValid(store->table[TABLE_SOURCE].relid) &&
		!foreign_key_exists(message->relid, key_names(message),
							mailbox->relid, key_names(mailbox));
	store->uid_is_unique = key_is_unique(rel, message, &store->uid);
	store->email_is_unique = store->has_accounts &&
		unique_index_exists(rel,
							list_make1(unconstify(char *,
												  store->email.name)));
	store->message_key_indexed = store->message_key.n > 0 &&
		key_index_exists(rel, column_names(&store->message_key));
	return store;
}

/* The function that the row trigger of the store's flag table calls */
static Oid
flag_function(const Store *store)
{
	Oid			relid = store->table[TABLE_FLAG].relid;
	Oid			result = InvalidOid;

	if (OidIsValid(relid))
	{
		Relation	rel = relation_open(relid, AccessShareLock);
		Trigger    *trigger = relation_find_trigger(rel,
													role_triggers[TABLE_FLAG]);

		if (trigger != NULL)
			result = trigger->tgfoid;
		relation_close(rel, AccessShareLock);
	}
	return result;
}

/*
 * store_build: a store from its trigger, as a Store in that context
 *
 * What is needed only meanwhile is in CurrentMemoryContext.
 */
Store *
store_build(Relation rel, Trigger *trigger, Watch *watch,
			MemoryContext context)
{
	Oid			trigger_oid = trigger->tgoid;
	Oid			trigger_function = trigger->tgfoid;
	int			n = trigger->tgnargs;
	char	  **options = palloc(sizeof(char *) * n);
	Store	   *store;

	/* A look-up in a catalog may free the trigger, which is the relcache's */
	for (int i = 0; i < n; i++)
		options[i] = pstrdup(trigger->tgargs[i]);
	store = build_store(rel, options, n, true, watch, context);
	store->trigger_oid = trigger_oid;
	store->assign_function = trigger_function;
	trigger = relation_find_trigger(rel, "trigger_collect");
	store->collect_oid = trigger ? trigger->tgoid : InvalidOid;
	trigger = relation_find_trigger(rel, "trigger_open");
	store->open_function = trigger ? trigger->tgfoid : InvalidOid;
	trigger = relation_find_trigger(rel, "trigger_flush");
	store->flush_function = trigger ? trigger->tgfoid : InvalidOid;
	store->flag_function = flag_function(store);
	return store;
}

/*
 * store_describe: the same from options alone, whatever triggers there are yet
 */
Store *
store_describe(Relation rel, char **options, int n)
{
	return build_store(rel, options, n, false, NULL, CurrentMemoryContext);
}

/*
 * store_outline: the names of the store that a table with a trigger of ours
 * belongs to, whether or not they still lead anywhere
 *
 * NULL if the store does not name the table: anybody can write triggers.
 */
Store *
store_outline(Oid relid, TableRole role)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	Trigger    *trigger = relation_find_trigger(rel, role_triggers[role]);
	Store	   *store = NULL;

	if (trigger != NULL && role == TABLE_MESSAGE)
	{
		int			n = trigger->tgnargs;
		char	  **options = palloc(sizeof(char *) * Max(n, 1));

		for (int i = 0; i < n; i++)
			options[i] = pstrdup(trigger->tgargs[i]);
		store = new_store(relid, CurrentMemoryContext);
		options_parse(store, options, n);
	}
	else if (trigger != NULL && trigger->tgnargs == 1)
	{
		Oid			message = table_beside(relid, pstrdup(trigger->tgargs[0]));

		if (OidIsValid(message) && message != relid)
			store = store_outline(message, TABLE_MESSAGE);
		if (store != NULL && (store->table[role].name == NULL ||
							  table_beside(message,
										   store->table[role].name) != relid))
			store = NULL;
	}
	relation_close(rel, AccessShareLock);
	return store;
}
