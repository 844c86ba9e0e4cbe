/*-------------------------------------------------------------------------
 *
 * alter.c
 *	  DDL that takes rows of a store out of the triggers' reach.
 *
 * What attach() refuses must not come about later either: a table that inherits
 * from one of the store's, whose rows are seen there, but which has no trigger
 * of it; or one of the store's that inherits, since the statement triggers that
 * complete a change are those of the table that a statement names.  And tables
 * that a crash empties.  (Of partitions see clone.c.)
 *
 * Locks: none; the command's are held.  Memory: the command's.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "utils/lsyscache.h"

static bool
is_of_store(Oid relid)
{
	return relation_role(relid) != TABLE_NONE || relation_is_vanished(relid);
}

static void
refuse_inheritance(Oid relid)
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
 * alter_check_inheritance: that table may have been made to inherit from
 * these; is one of them all a store's?
 */
void
alter_check_inheritance(Oid relid, List *parents)
{
	ListCell   *lc;

	foreach(lc, parents)
	{
		Oid			parent = RangeVarGetRelid(lfirst(lc), NoLock, true);

		/* CREATE TABLE IF NOT EXISTS may have done nothing */
		if (!OidIsValid(parent) || get_rel_relispartition(relid) ||
			!list_member_oid(find_inheritance_children(parent, NoLock), relid))
			continue;
		refuse_inheritance(parent);
		refuse_inheritance(relid);
	}
}

/* alter_check_logged: that table is unlogged now; is it a store's? */
void
alter_check_logged(Oid relid)
{
	if (is_of_store(relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table %s of a store cannot be unlogged",
						relation_name(relid)),
				 errdetail("Its rows would be lost in a crash without a client ever being told."),
				 errhint("Call modseq.detach() for the store first.")));
}
