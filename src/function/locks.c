/*-------------------------------------------------------------------------
 *
 * locks.c
 *	  What modseq.activity and modseq.locks ask, and SQL cannot: whose the locks
 *	  of rows are, and how large a table is, without waiting for anybody.
 *
 * Row locks are in the rows, not in pg_locks; there only who waits for one is
 * seen.  So the rows are read.  SQL shows their xmax, but not how the row is
 * locked, and not the transaction that a subtransaction is part of.
 *
 * Who looks at what keeps a mailbox waiting must not wait for the same.  So a
 * table that is locked exclusively is left out, and nothing of its owner's
 * code is run but the output functions of types, which only a superuser makes.
 *
 * Locks: AccessShareLock on the table, if it can be had at once, while it is
 * read.  Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/relation.h"
#include "access/subtrans.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "common/relpath.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(modseq_locked_rows);
PG_FUNCTION_INFO_V1(modseq_table_bytes);

/* A table that is read for the locks of its rows */
typedef struct LockedRows
{
	Relation	rel;
	int			n;				/* columns of the key */
	AttrNumber	column[MODSEQ_MAX_KEYS * 2];
	Oid			output[MODSEQ_MAX_KEYS * 2];
	bool		may_read;		/* may the caller SELECT them? */
	ReturnSetInfo *result;
} LockedRows;

/*
 * May the caller read these columns of all rows?
 *
 * A policy of row-level security is the owner's code, which is not run here:
 * so who is subject to one may not.
 */
static bool
may_read(Oid relid, const AttrNumber *columns, int n)
{
	Oid			user = GetUserId();

	if (object_aclcheck(NamespaceRelationId, get_rel_namespace(relid), user,
						ACL_USAGE) != ACLCHECK_OK ||
		check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return false;
	if (pg_class_aclcheck(relid, user, ACL_SELECT) == ACLCHECK_OK)
		return true;
	for (int i = 0; i < n; i++)
		if (pg_attribute_aclcheck(relid, columns[i], user,
								  ACL_SELECT) != ACLCHECK_OK)
			return false;
	return true;
}

/* Finds the columns of the key; false if one is not there */
static bool
find_columns(LockedRows *rows, ArrayType *names)
{
	TupleDesc	desc = RelationGetDescr(rows->rel);
	Datum	   *name;

	deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &name,
					  NULL, &rows->n);
	if (rows->n > (int) lengthof(rows->column))
		return false;
	for (int i = 0; i < rows->n; i++)
	{
		bool		isvarlena;

		rows->column[i] = get_attnum(RelationGetRelid(rows->rel),
									 NameStr(*DatumGetName(name[i])));
		if (rows->column[i] <= 0)
			return false;
		getTypeOutputInfo(TupleDescAttr(desc, rows->column[i] - 1)->atttypid,
						  &rows->output[i], &isvarlena);
	}
	return true;
}

static Datum
key_of_row(const LockedRows *rows, HeapTuple row)
{
	Datum		part[MODSEQ_MAX_KEYS * 2];
	bool		isnull[MODSEQ_MAX_KEYS * 2];
	int			lower = 1;

	for (int i = 0; i < rows->n; i++)
	{
		Datum		value = heap_getattr(row, rows->column[i],
										 RelationGetDescr(rows->rel),
										 &isnull[i]);

		if (!isnull[i])
			part[i] = CStringGetTextDatum(OidOutputFunctionCall(rows->output[i],
																value));
	}
	if (rows->n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	return PointerGetDatum(construct_md_array(part, isnull, 1,
											  (int *) &rows->n, &lower,
											  TEXTOID, -1, false,
											  TYPALIGN_INT));
}

/* The transaction holds the row, if it is in progress */
static void
put_holder(const LockedRows *rows, HeapTuple row, TransactionId xid)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	if (!TransactionIdIsInProgress(xid))
		return;
	values[0] = UInt32GetDatum(ItemPointerGetBlockNumber(&row->t_self));
	values[1] = UInt16GetDatum(ItemPointerGetOffsetNumber(&row->t_self));
	nulls[2] = !rows->may_read;
	values[2] = rows->may_read ? key_of_row(rows, row) : (Datum) 0;
	values[3] = TransactionIdGetDatum(SubTransGetTopmostTransaction(xid));
	tuplestore_putvalues(rows->result->setResult, rows->result->setDesc,
						 values, nulls);
}

/*
 * Who has locked that row so that nobody else gets the mailbox lock?  A foreign
 * key's FOR KEY SHARE does not.
 */
static void
see_row(const LockedRows *rows, HeapTuple row, Buffer buffer)
{
	TransactionId xmax;
	uint16		infomask;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	xmax = HeapTupleHeaderGetRawXmax(row->t_data);
	infomask = row->t_data->t_infomask;
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);

	if ((infomask & HEAP_XMAX_INVALID) != 0 || HEAP_LOCKED_UPGRADED(infomask))
		return;
	if ((infomask & HEAP_XMAX_IS_MULTI) != 0)
	{
		bool		no_update = HEAP_XMAX_IS_LOCKED_ONLY(infomask);
		MultiXactMember *members;
		int			n = GetMultiXactIdMembers(xmax, &members, false,
											  no_update);

		for (int i = 0; i < n; i++)
			if (members[i].status != MultiXactStatusForKeyShare)
				put_holder(rows, row, members[i].xid);
	}
	else if (!HEAP_XMAX_IS_KEYSHR_LOCKED(infomask))
		put_holder(rows, row, xmax);
}

static void
see_all_rows(const LockedRows *rows)
{
	/* In that snapshot we have done nothing: rows are as others see them */
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan;
	HeapTuple	row;

	snapshot->curcid = FirstCommandId;
	scan = table_beginscan_compat(rows->rel, snapshot, 0, NULL);
	while ((row = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if ((row->t_data->t_infomask & HEAP_XMAX_INVALID) == 0)
			see_row(rows, row, ((HeapScanDesc) scan)->rs_cbuf);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
}

/*
 * modseq_internal.locked_rows(relation oid, key name[])
 *		-> (page integer, tuple smallint, key text[], transaction xid)
 *
 * The locked rows of a table, as pg_locks and pgrowlocks say where they are:
 * the key in these columns, NULL if the caller may not SELECT them; and the
 * topmost transaction, which is in progress.  No rows for who may neither read
 * the key nor has the rights of pg_stat_scan_tables; of a table that is locked
 * exclusively, is none, or lacks a column; or on a standby.  Reads the whole
 * table.
 */
Datum
modseq_locked_rows(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	LockedRows	rows = {NULL};

	InitMaterializedSRF(fcinfo, 0);
	rows.result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (RecoveryInProgress() ||
		!ConditionalLockRelationOid(relid, AccessShareLock))
		return (Datum) 0;
	rows.rel = try_relation_open(relid, NoLock);
	if (rows.rel == NULL)
	{
		UnlockRelationOid(relid, AccessShareLock);
		return (Datum) 0;
	}
	if (rows.rel->rd_rel->relkind == RELKIND_RELATION &&
		rows.rel->rd_tableam == GetHeapamTableAmRoutine() &&
		!RELATION_IS_OTHER_TEMP(rows.rel) &&
		find_columns(&rows, PG_GETARG_ARRAYTYPE_P(1)))
	{
		rows.may_read = may_read(relid, rows.column, rows.n);
		if (rows.may_read ||
			has_privs_of_role(GetUserId(), ROLE_PG_STAT_SCAN_TABLES))
			see_all_rows(&rows);
	}
	relation_close(rows.rel, AccessShareLock);
	return (Datum) 0;
}

/*
 * modseq_internal.table_bytes(relation oid) -> bigint
 *
 * As pg_relation_size(), of a table or an index alone; NULL if somebody else
 * has it locked exclusively, or it is gone.
 */
Datum
modseq_table_bytes(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	int64		bytes = -1;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		PG_RETURN_NULL();
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		bytes = DatumGetInt64(DirectFunctionCall2(pg_relation_size,
												  ObjectIdGetDatum(relid),
												  CStringGetTextDatum("main")));
	UnlockRelationOid(relid, AccessShareLock);
	if (bytes < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(bytes);
}
