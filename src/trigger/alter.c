/*-------------------------------------------------------------------------
 *
 * alter.c
 *	  DDL on a store's tables that no row trigger sees.
 *
 * ALTER TABLE can write all rows anew.  If a flag column says something else
 * then, or may, all messages concerned have changed.  Numbers of ours, and
 * keys, may become another type, but must not be computed anew.
 *
 * A column's use is asked of the configuration's names alone: by the command
 * itself the store may just become out of date.
 *
 * Locks: the command's are held, but before the command none: then we look only
 * for somebody who may run it, so that nobody locks a stranger's table.
 * Mailbox locks are taken when the statement is completed.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* --- columns ----------------------------------------------------------- */

/* What a column is to the store */
typedef enum ColumnUse
{
	USE_NONE,
	USE_KEPT,					/* a number of ours, or a key */
	USE_EXPUNGED,				/* the soft-delete column */
	USE_SIZE,					/* that of a message's octets */
	USE_FLAG,					/* a flag column that the store names, or a
								 * property of mailboxes */
	USE_ANY_FLAG				/* a column of a table where all count so */
} ColumnUse;

static bool
is_among(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

static bool
is_mailbox_table(TableRole role)
{
	return role == TABLE_MAILBOX || role == TABLE_SOURCE;
}

/* Properties of mailboxes are to their accounts what flags are to messages */
static ColumnUse
property_use(const Store *store, TableRole role, const char *name)
{
	if (!store->has_accounts ||
		role != (store->counters != NULL ? TABLE_SOURCE : TABLE_MAILBOX))
		return USE_NONE;
	if (store->properties == NIL)
		return USE_ANY_FLAG;
	return is_among(store->properties, name) ? USE_FLAG : USE_NONE;
}

static ColumnUse
column_use(const Store *store, TableRole role, const char *name)
{
	const StoreTable *table = &store->table[role];

	if (key_has_column(table->key, table->nkeys, name) ||
		key_has_column(table->account, store->naccounts, name))
		return USE_KEPT;
	switch (role)
	{
		case TABLE_MESSAGE:
			if (column_is_named(&store->uid, name) ||
				column_is_named(&store->modseq, name) ||
				column_is_named(&store->created_modseq, name) ||
				column_is_named(&store->email, name) ||
				column_is_named(&store->thread, name) ||
				key_has_column(store->message_key.column, store->message_key.n,
							   name))
				return USE_KEPT;
			if (column_is_named(&store->expunged, name))
				return USE_EXPUNGED;
			if (column_is_named(&store->size, name))
				return USE_SIZE;
			return is_among(store->flags, name) ? USE_FLAG : USE_NONE;
		case TABLE_MAILBOX:
			return store_has_number(store, name) ?
				USE_KEPT : property_use(store, role, name);
		case TABLE_SOURCE:
			return property_use(store, role, name);
		case TABLE_FLAG:
			if (key_has_column(store->flag_message.column,
							   store->flag_message.n, name) ||
				column_is_named(&store->flag_uid, name))
				return USE_KEPT;
			if (store->flag_columns == NIL)
				return USE_ANY_FLAG;
			return is_among(store->flag_columns, name) ? USE_FLAG : USE_NONE;
		default:
			return USE_NONE;
	}
}

/* May a part of ALTER TABLE change columns of all rows? */
static bool
is_of_columns(const AlterTableCmd *part)
{
	switch (part->subtype)
	{
		case AT_AddColumn:
		case AT_DropColumn:
		case AT_AlterColumnType:
#if PG_VERSION_NUM >= 170000
		case AT_SetExpression:
#endif
			return true;
		default:
			return false;
	}
}

/* alter_is_of_columns: the same of any part; only then look at the table */
bool
alter_is_of_columns(const AlterTableStmt *alter)
{
	ListCell   *lc;

	foreach(lc, alter->cmds)
	{
		if (is_of_columns(lfirst_node(AlterTableCmd, lc)))
			return true;
	}
	return false;
}

/* --- before the command ------------------------------------------------ */

/* Is that the column itself, perhaps cast to another type? */
static bool
is_plain_conversion(Node *expression, const char *column)
{
	if (expression == NULL)
		return true;
	if (IsA(expression, TypeCast))
		return is_plain_conversion(((TypeCast *) expression)->arg, column);
	if (IsA(expression, CollateClause))
		return is_plain_conversion(((CollateClause *) expression)->arg,
								   column);
	return IsA(expression, ColumnRef) &&
		IsA(llast(((ColumnRef *) expression)->fields), String) &&
		strcmp(strVal(llast(((ColumnRef *) expression)->fields)), column) == 0;
}

static void
refuse_conversion(Oid relid, const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("column \"%s\" of table %s of a store cannot be converted by an expression",
					column, relation_name(relid)),
			 errdetail("Clients have been told of what the store has under these numbers and keys."),
			 errhint("Leave out USING, or cast the column and nothing more; or call modseq.detach() for the store first.")));
}

/* Does it say what is counted? */
static bool
is_counted(const Store *store, TableRole role, const char *name)
{
	return role == TABLE_MESSAGE &&
		(column_is_named(&store->seen.column, name) ||
		 column_is_named(&store->deleted.column, name));
}

static void
refuse_drop(Oid relid, TableRole role, const char *column, bool counted)
{
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("column \"%s\" of table %s is a flag column of a store",
					column, relation_name(relid)),
			 errhint("Call modseq.attach() before, with the other flag columns as %s%s.",
					 role == TABLE_FLAG ? "flag_columns" : "message_flags",
					 !counted ? "" :
					 _(" and reset => '{message_seen}' or '{message_deleted}'"))));
}

/* alter_before: may ALTER TABLE do that to a table of a store? */
void
alter_before(AlterTableStmt *alter)
{
	Oid			relid = RangeVarGetRelid(alter->relation, NoLock, true);
	TableRole	role;
	Store	   *store = NULL;
	ListCell   *lc;

	if (!OidIsValid(relid) || !alter_is_of_columns(alter) ||
		(role = relation_role(relid)) == TABLE_NONE ||
		!has_privs_of_role(GetUserId(), relation_owner(relid)))
		return;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *part = lfirst_node(AlterTableCmd, lc);
		ColumnUse	use;

		if (part->subtype != AT_AlterColumnType &&
			part->subtype != AT_DropColumn)
			continue;
		if (store == NULL && (store = store_outline(relid, role)) == NULL)
			return;
		use = column_use(store, role, part->name);
		if (part->subtype == AT_DropColumn)
		{
			if (use == USE_FLAG && !is_mailbox_table(role))
				refuse_drop(relid, role, part->name,
							is_counted(store, role, part->name));
		}
		else if (use == USE_KEPT &&
				 !is_plain_conversion(castNode(ColumnDef,
											   part->def)->raw_default,
									  part->name))
			refuse_conversion(relid, part->name);
	}
}

/* --- after the command ------------------------------------------------- */

/* Were the rows of that table, or of a partition, written anew? */
static bool
was_rewritten(Oid relid)
{
	bool		result = false;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		if (rel->rd_firstRelfilelocatorSubid != InvalidSubTransactionId)
			result = true;
		table_close(rel, NoLock);
	}
	return result;
}

/*
 * Does a column that was added come with values?  They may be a sequence's, or
 * those of a domain, which the command does not name so.
 */
static bool
comes_with_values(Oid relid, const char *name)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, name);
	Form_pg_attribute column;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	column = (Form_pg_attribute) GETSTRUCT(tuple);
	result = column->atthasdef || column->attidentity != '\0' ||
		get_typdefault(column->atttypid) != NULL;
	ReleaseSysCache(tuple);
	return result;
}

/* May a part of the command have changed what the rows say to clients? */
static bool
changes_flags(Oid relid, const AlterTableCmd *part, ColumnUse use,
			  bool rewritten)
{
	switch (part->subtype)
	{
		case AT_AlterColumnType:
#if PG_VERSION_NUM >= 170000
		case AT_SetExpression:
#endif
			return rewritten && (use == USE_FLAG || use == USE_ANY_FLAG ||
								 use == USE_SIZE);
		case AT_DropColumn:
			return use == USE_ANY_FLAG;
		case AT_AddColumn:
			return use == USE_ANY_FLAG &&
				comes_with_values(relid,
								  castNode(ColumnDef, part->def)->colname);
		default:
			return false;
	}
}

/*
 * alter_changes_flags: has ALTER TABLE, which is over, changed flags of all
 * messages that the table is about, or properties of all its mailboxes?
 *
 * Warns if it may have changed which messages are expunged: nobody can tell
 * any more which.
 */
bool
alter_changes_flags(AlterTableStmt *alter, Oid relid, TableRole role)
{
	Store	   *store = NULL;
	bool		rewritten = false;
	bool		result = false;
	ListCell   *lc;

	if (role != TABLE_MESSAGE && role != TABLE_FLAG && !is_mailbox_table(role))
		return false;
	foreach(lc, alter->cmds)
	{
		AlterTableCmd *part = lfirst_node(AlterTableCmd, lc);
		const char *name = part->subtype == AT_AddColumn ?
			castNode(ColumnDef, part->def)->colname : part->name;
		ColumnUse	use;

		if (!is_of_columns(part))
			continue;
		if (store == NULL)
		{
			store = store_outline(relid, role);
			if (store == NULL)
				return false;
			rewritten = was_rewritten(relid);
		}
		use = column_use(store, role, name);
		if (changes_flags(relid, part, use, rewritten))
			result = true;
		if (use == USE_EXPUNGED && rewritten && part->subtype != AT_DropColumn)
			ereport(WARNING,
					(errcode(ERRCODE_WARNING),
					 errmsg("soft-delete column \"%s\" of table %s has been written anew",
							name, relation_name(relid)),
					 errhint("If messages have been deleted or undeleted by that, call modseq.attach() for the table.")));
	}
	return result;
}

/* --- names of values --------------------------------------------------- */

/* Is a type that one, a domain over it, or an array of it? */
static bool
is_made_of(Oid type, Oid part)
{
	while (OidIsValid(type) && type != part)
	{
		type = getBaseType(type);
		if (type != part)
			type = get_element_type(type);
	}
	return type == part;
}

/*
 * alter_has_flag_of: is a flag in that table, which is locked, of that type?
 *
 * Or a property of mailboxes.  The table may be anybody's.  Only that of the
 * type's owner is looked at more closely; others', if they have flags, are told
 * of.
 */
bool
alter_has_flag_of(Relation rel, TableRole role, Oid type, bool strangers)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Store	   *store = NULL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		ColumnUse	use;

		if (column->attisdropped || !is_made_of(column->atttypid, type))
			continue;
		if (strangers)
			return !is_mailbox_table(role);
		if (store == NULL)
			store = store_outline(RelationGetRelid(rel), role);
		if (store == NULL)
			return false;
		use = column_use(store, role, NameStr(column->attname));
		if (use == USE_FLAG || use == USE_ANY_FLAG)
			return true;
	}
	return false;
}
