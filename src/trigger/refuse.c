/*-------------------------------------------------------------------------
 *
 * refuse.c
 *	  What a table of a store cannot become.
 *
 * modseq.attach() refuses tables that it cannot serve, and partitions.  What
 * comes later is refused here; where event triggers do not see it, by build.c.
 * A table that inherits from one of the store's has rows that are seen there,
 * but no trigger of it; and if one of the store's inherits, the statement
 * triggers that complete a change are those of the table that a statement
 * names.  A table that is not logged is emptied by a crash.
 *
 * Locks: AccessShareLock on a table of a store that is refused.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* refuse_unserved: what cannot be a partition of a store's table */
void
refuse_unserved(Oid relid)
{
	if (get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign table %s cannot be a partition of a store",
						relation_name(relid)),
				 errdetail("What others change there would go unseen."),
				 errhint("Call modseq.detach() for the store first.")));
	if (get_rel_persistence(relid) != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table %s is unlogged or temporary",
						relation_name(relid)),
				 errdetail("Its rows would be lost in a crash without a client ever being told."),
				 errhint("Use ALTER TABLE %s SET LOGGED for an unlogged table.",
						 relation_name(relid))));
}

/* The message table of the store that a table belongs to by its triggers */
static char *
message_table(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	char	   *name = NULL;

	if (rel != NULL)
	{
		if (relation_own_role(relid) != TABLE_MESSAGE)
			name = relation_message_table(rel);
		relation_close(rel, AccessShareLock);
	}
	return name != NULL ? name : relation_name(relid);
}

/*
 * refuse_store_as_partition: no table of a store becomes a partition of
 * another table, nor comes with one
 */
void
refuse_store_as_partition(Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Oid			table = lfirst_oid(lc);

		if (relation_own_role(table) != TABLE_NONE ||
			relation_is_untold(table))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table %s of a store cannot be a partition",
							relation_name(table)),
					 errdetail("What is written by way of the partitioned table fires no statement triggers of a partition."),
					 errhint("Call modseq.detach(%s) first, and afterwards modseq.attach() for the partitioned table.",
							 quote_literal_cstr(message_table(table)))));
	}
}

static bool
is_of_store(Oid relid)
{
	return relation_role(relid) != TABLE_NONE || relation_is_untold(relid);
}

static void
refuse_heir(Oid relid)
{
	if (!is_of_store(relid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("table %s of a store cannot inherit or be inherited from",
					relation_name(relid)),
			 errdetail("Triggers and unique indexes of a table do not reach tables that inherit from it."),
			 errhint("Use declarative partitioning, or call modseq.detach() for the store first.")));
}

/*
 * refuse_inheritance: that table may have been made to inherit from
 * these; is one of them all a store's?
 */
void
refuse_inheritance(Oid relid, List *parents)
{
	ListCell   *lc;

	foreach(lc, parents)
	{
		Oid			parent = RangeVarGetRelid(lfirst(lc), NoLock, true);

		/* CREATE TABLE IF NOT EXISTS may have done nothing */
		if (!OidIsValid(parent) || get_rel_relispartition(relid) ||
			!list_member_oid(find_inheritance_children(parent, NoLock), relid))
			continue;
		refuse_heir(parent);
		refuse_heir(relid);
	}
}

/* refuse_unlogged: that table is unlogged now; is it a store's? */
void
refuse_unlogged(Oid relid)
{
	if (is_of_store(relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table %s of a store cannot be unlogged",
						relation_name(relid)),
				 errdetail("Its rows would be lost in a crash without a client ever being told."),
				 errhint("Call modseq.detach() for the store first.")));
}
