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
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* An option that holds a column; quoted for SQL.  NULL if there is none. */
static const char *
column_option(Store *store, Oid relid, const char *option)
{
	const char *name = store_option(store, option);

	if (name == NULL)
		return NULL;
	if (get_attnum(relid, name) == InvalidAttrNumber)
		store_out_of_date(store->message_relid, _("Column \"%s\" does not exist."),
					name);
	return pstrdup(quote_identifier(name));
}

/*
 * An option that holds a table.  The table's own trigger must point back, or
 * it is another table that has taken the name.
 */
static const char *
table_option(Store *store, const char *option, const char *function,
			 Oid *relid)
{
	const char *name = store_option(store, option);

	if (name == NULL)
		return NULL;
	*relid = table_named(name);
	if (!OidIsValid(*relid))
		store_out_of_date(store->message_relid, _("Table %s does not exist."), name);
	watch_table(*relid);
	if (function != NULL)
	{
		Relation	rel = relation_open(*relid, AccessShareLock);
		Trigger    *back = relation_find_trigger(rel, function);

		if (back == NULL || back->tgnargs != 1 ||
			table_named(back->tgargs[0]) != store->message_relid)
			store_out_of_date(store->message_relid,
						_("Table %s has no trigger that belongs to it."),
						name);
		relation_close(rel, AccessShareLock);
	}
	return pstrdup(name);
}

/* The type of a column, below any domain */
static Oid
column_type(Store *store, Oid relid, const char *name)
{
	AttrNumber	attnum = get_attnum(relid, name);

	if (attnum == InvalidAttrNumber)
		store_out_of_date(store->message_relid, _("Column \"%s\" does not exist."),
					name);
	return getBaseType(get_atttype(relid, attnum));
}

static void
build_key(Store *store)
{
	List	   *mailbox = store_list_option(store, "mailbox_key");
	List	   *message = store_list_option(store, "message_mailbox");
	List	   *flag = store_list_option(store, "flag_mailbox");
	List	   *source = store_list_option(store, "mailbox_source_key");

	store->nkeys = list_length(mailbox);
	if (store->nkeys < 1 || store->nkeys > MODSEQ_MAX_KEYS ||
		list_length(message) != store->nkeys ||
		(flag != NIL && list_length(flag) != store->nkeys) ||
		(store->source != NULL && list_length(source) != store->nkeys))
		store_out_of_date(store->message_relid, _("Its %s is not valid."),
					"mailbox_key");
	for (int i = 0; i < store->nkeys; i++)
	{
		KeyColumn  *key = &store->key[i];
		char	   *name = list_nth(mailbox, i);
		AttrNumber	attnum = get_attnum(store->mailbox_relid, name);
		TypeCacheEntry *typcache;

		if (attnum == InvalidAttrNumber)
			store_out_of_date(store->message_relid,
						_("Column \"%s\" does not exist."), name);
		key->name = pstrdup(quote_identifier(name));
		key->message = pstrdup(quote_identifier(list_nth(message, i)));
		if (flag != NIL)
			key->flag = pstrdup(quote_identifier(list_nth(flag, i)));
		if (store->source != NULL)
		{
			key->source = pstrdup(quote_identifier(list_nth(source, i)));
			key->source_type = column_type(store, store->source_relid,
										   list_nth(source, i));
		}
		get_atttypetypmodcoll(store->mailbox_relid, attnum,
							  &key->input_type, &key->typmod, &key->collation);
		key->type = getBaseType(key->input_type);
		key->message_type = column_type(store, store->message_relid,
										list_nth(message, i));
		typcache = lookup_type_cache(key->type,
									 TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
		if (!OidIsValid(typcache->cmp_proc) || !OidIsValid(typcache->hash_proc))
			store_out_of_date(store->message_relid,
						_("Column \"%s\" cannot be compared and hashed."),
						name);
		key->typlen = typcache->typlen;
		key->typbyval = typcache->typbyval;
		fmgr_info_cxt(typcache->cmp_proc, &key->cmp, CurrentMemoryContext);
		fmgr_info_cxt(typcache->hash_proc, &key->hash, CurrentMemoryContext);
	}
}

/* The soft-delete column; text.c and row.c know what each type says */
static void
build_expunged(Store *store)
{
	store->expunged = column_option(store, store->message_relid,
									"message_expunged");
	if (store->expunged == NULL)
		return;
	store->expunged_type =
		column_type(store, store->message_relid,
					store_option(store, "message_expunged"));
	switch (store->expunged_type)
	{
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
							  store_option(store, "message_expunged"));
	}
}

/* store_build: the whole configuration as a Store in CurrentMemoryContext */
Store *
store_build(Relation rel, Trigger *trigger)
{
	Store	   *store = palloc0(sizeof(Store));
	List	   *unique;
	Oid			message = RelationGetRelid(rel);
	Oid			mailbox;

	store->context = CurrentMemoryContext;
	for (int i = 0; i < trigger->tgnargs; i++)
		store->options = lappend(store->options, pstrdup(trigger->tgargs[i]));
	store->trigger_oid = trigger->tgoid;
	trigger = relation_find_trigger(rel, "trigger_collect");
	store->collect_oid = trigger ? trigger->tgoid : InvalidOid;
	store->message_relid = message;
	store->message =
		quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
								   RelationGetRelationName(rel));
	store->mailbox = table_option(store, "mailbox",
								  "trigger_mailbox", &store->mailbox_relid);
	store->mailbox_has_rules = relation_has_rules(store->mailbox_relid);
	store->source = table_option(store, "mailbox_source",
								 "trigger_source", &store->source_relid);
	store->vanished = table_option(store, "vanished", NULL,
								   &store->vanished_relid);
	store->flag = table_option(store, "flag", "trigger_collect_flag",
							   &store->flag_relid);
	if (store->mailbox == NULL || store->vanished == NULL)
		store_out_of_date(message, _("Option \"%s\" is missing."),
					store->mailbox ? "vanished" : "mailbox");
	/* Rows are written there as its owner: it must not be a stranger's */
	if (relation_owner(store->vanished_relid) != rel->rd_rel->relowner)
		store_out_of_date(message, _("Table %s has another owner."),
						  store->vanished);
	mailbox = store->mailbox_relid;
	build_key(store);

	store->uidvalidity = column_option(store, mailbox,
									   "mailbox_uidvalidity");
	store->uidnext = column_option(store, mailbox, "mailbox_uidnext");
	if (store->uidnext == NULL)
	{
		store->has_last_uid = true;
		store->uidnext = column_option(store, mailbox,
									   "mailbox_last_uid");
	}
	store->highestmodseq = column_option(store, mailbox,
										 "mailbox_highestmodseq");
	store->uid = column_option(store, message, "message_uid");
	store->modseq = column_option(store, message, "message_modseq");
	if (store->uidvalidity == NULL || store->uidnext == NULL ||
		store->highestmodseq == NULL || store->uid == NULL ||
		store->modseq == NULL)
		store_out_of_date(message, _("An option is missing beside \"%s\"."),
					"mailbox_key");
	store->created_modseq = column_option(store, message,
										  "message_created_modseq");
	store->flags = store_list_option(store, "message_flags");
	build_expunged(store);
	store->flag_columns = store_list_option(store, "flag_columns");
	store->notify = store_option(store, "notify") != NULL;
	if (OidIsValid(store->flag_relid))
	{
		store->message_key = column_option(store, message,
										   "message_key");
		store->flag_message = column_option(store, store->flag_relid,
											"flag_message");
		store->flag_uid = column_option(store, store->flag_relid,
										"flag_uid");
		if ((store->flag_message == NULL || store->message_key == NULL) &&
			(store->flag_uid == NULL || store->key[0].flag == NULL))
			store_out_of_date(message, _("It lacks the key of table %s."),
						store->flag);
	}
	if (store->message_key != NULL)
		store->message_key_type =
			column_type(store, message, store_option(store, "message_key"));
	if (store->flag_message != NULL)
		store->flag_message_type =
			column_type(store, store->flag_relid,
						store_option(store, "flag_message"));
	if (store->flag_message != NULL)
	{
		equality_operator(store->message_key_type, store->flag_message_type,
					  &store->flag_key_type);
		if (IsPolymorphicType(store->flag_key_type))
			store->flag_key_type = store->flag_message_type;
	}
	store->uidnext_is_int4 =
		column_type(store, mailbox,
					store_option(store, store->has_last_uid ?
								"mailbox_last_uid" : "mailbox_uidnext")) == INT4OID;
	unique = store_list_option(store, "message_mailbox");
	unique = lappend(unique, pstrdup(store_option(store, "message_uid")));
	store->uid_is_unique = unique_index_exists(rel, unique);
	return store;
}
