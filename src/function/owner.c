/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Functions that run as the owner of a store.
 *
 * attach(), check() and compact() run queries that call code of the store's
 * owner: casts, checks, index expressions, triggers.  Whoever has the rights of
 * the owner, and perhaps more, as a superuser has, becomes the owner for that.
 * So these functions are here, and go on to those of the same name and
 * arguments in schema modseq_internal.
 *
 * Locks: theirs; and AccessShareLock on the message table, which attach() and
 * detach() wait for, and which waits for them.  Memory: the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(modseq_attach);
PG_FUNCTION_INFO_V1(modseq_wait_for_attach);
PG_FUNCTION_INFO_V1(modseq_as_owner);

/* The function behind one of ours */
static Oid
function_behind(Oid funcid)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	Form_pg_proc proc;
	Oid			schema = get_namespace_oid("modseq_internal", false);
	Oid			result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", funcid);
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	result = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							 CStringGetDatum(NameStr(proc->proname)),
							 PointerGetDatum(&proc->proargtypes),
							 ObjectIdGetDatum(schema));
	if (!OidIsValid(result))
		elog(ERROR, "function modseq_internal.%s() does not exist",
			 NameStr(proc->proname));
	ReleaseSysCache(tuple);
	return result;
}

/* Calls that one with the arguments of this call */
static Datum
call_behind(FunctionCallInfo fcinfo)
{
	FunctionCallInfo call = palloc0(SizeForFunctionCallInfo(fcinfo->nargs));
	FmgrInfo	function;
	Datum		result;

	fmgr_info(function_behind(fcinfo->flinfo->fn_oid), &function);
	InitFunctionCallInfoData(*call, &function, fcinfo->nargs,
							 fcinfo->fncollation, fcinfo->context,
							 fcinfo->resultinfo);
	memcpy(call->args, fcinfo->args, sizeof(NullableDatum) * fcinfo->nargs);
	result = FunctionCallInvoke(call);
	fcinfo->isnull = call->isnull;
	return result;
}

/*
 * As whom a call is to run: as the owner of the table that is given, if the
 * caller has the owner's rights.  Any other remains who he is, and has the
 * rights that the function behind asks for, or not.
 */
static Oid
owner_for(FunctionCallInfo fcinfo)
{
	Oid			owner;

	if (PG_ARGISNULL(0) ||
		!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(PG_GETARG_OID(0))))
		return GetUserId();
	owner = relation_owner(PG_GETARG_OID(0));
	return has_privs_of_role(GetUserId(), owner) ? owner : GetUserId();
}

/*
 * modseq.check(), modseq.compact(): as the owner of the message table
 *
 * Whoever bypasses row-level security does so as the owner too.
 */
Datum
modseq_as_owner(PG_FUNCTION_ARGS)
{
	Oid			user = GetUserId();
	Oid			owner = owner_for(fcinfo);
	Restriction before;
	Datum		result;

	restrict_begin(&before, owner, owner != user);
	if (owner != user && has_bypassrls_privilege(user))
		SetUserIdAndSecContext(owner, before.security |
							   SECURITY_RESTRICTED_OPERATION |
							   SECURITY_NOFORCE_RLS);
	result = call_behind(fcinfo);
	restrict_end(&before);
	return result;
}

/*
 * modseq.attach(): likewise
 *
 * Before, the vanished table follows the message table to its new owner, who
 * may have no right to that.
 */
Datum
modseq_attach(PG_FUNCTION_ARGS)
{
	if (owner_for(fcinfo) != GetUserId())
	{
		Oid			type = REGCLASSOID;
		Datum		message = PG_GETARG_DATUM(0);

		SPI_connect();
		SPI_execute_with_args("SELECT modseq_internal.follow_owner($1)", 1,
							  &type, &message, NULL, false, 0);
		SPI_finish();
	}
	return modseq_as_owner(fcinfo);
}

/*
 * modseq_internal.wait_for_attach(message): takes AccessShareLock on it
 *
 * Before the options of a store are read by somebody who is to go by them.  The
 * lock is kept by whoever may read the table, and so can keep it anyway.
 */
Datum
modseq_wait_for_attach(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);

	LockRelationOid(relid, AccessShareLock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
	{
		UnlockRelationOid(relid, AccessShareLock);
		PG_RETURN_VOID();
	}
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT,
								  ACLMASK_ANY) != ACLCHECK_OK)
		UnlockRelationOid(relid, AccessShareLock);
	PG_RETURN_VOID();
}
