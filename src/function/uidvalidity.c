/*-------------------------------------------------------------------------
 *
 * uidvalidity.c
 *	  Handing out UIDVALIDITY values.
 *
 * RFC 9051 section 2.3.1.1: a mailbox that loses its UIDs, or is made anew
 * under an old name, needs a UIDVALIDITY that is higher than before; the clock
 * is the customary source.  Here a sequence that is never behind the clock
 * makes the values strictly rising as well.
 *
 * Locks: ShareUpdateExclusiveLock on the sequence while a value is taken; it
 * conflicts with itself only, and not with what nextval() holds until the
 * transaction's end.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include <time.h>

#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_next_uidvalidity);

/* modseq.next_uidvalidity() -> bigint; errors 2200H at the top, 25006 */
Datum
modseq_next_uidvalidity(PG_FUNCTION_ARGS)
{
	Oid			sequence = get_relname_relid("uidvalidity_seq",
											 get_namespace_oid("modseq", false));
	int64		now = (int64) time(NULL);
	int64		value;
	Oid			user;
	int			security;

	/* nextval() asks too, but the lock would fail first, and less clearly */
	PreventCommandIfReadOnly("modseq.next_uidvalidity()");
	PreventCommandDuringRecovery("modseq.next_uidvalidity()");
	LockRelationOid(sequence, ShareUpdateExclusiveLock);
	value = nextval_internal(sequence, false);
	if (value < now)
	{
		value = now;
		/* Any role may create mailboxes; setval() asks for a grant */
		GetUserIdAndSecContext(&user, &security);
		SetUserIdAndSecContext(relation_owner(sequence),
							   security | SECURITY_LOCAL_USERID_CHANGE);
		DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence),
							Int64GetDatum(value));
		SetUserIdAndSecContext(user, security);
	}
	UnlockRelationOid(sequence, ShareUpdateExclusiveLock);
	PG_RETURN_INT64(value);
}
