/*-------------------------------------------------------------------------
 *
 * refuse.c
 *	  Tables that cannot be partitions.
 *
 * modseq.attach() refuses tables that it cannot serve, and partitions.  What
 * comes later is refused here; where event triggers do not see it, by build.c.
 *
 * Locks: AccessShareLock on a table of a store that is refused.
 *
 * Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/relation.h"
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
			(get_attnum(table, "uids") != InvalidAttrNumber &&
			 relation_is_vanished(table)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("table %s of a store cannot be a partition",
							relation_name(table)),
					 errdetail("What is written by way of the partitioned table fires no statement triggers of a partition."),
					 errhint("Call modseq.detach(%s) first, and afterwards modseq.attach() for the partitioned table.",
							 quote_literal_cstr(message_table(table)))));
	}
}
