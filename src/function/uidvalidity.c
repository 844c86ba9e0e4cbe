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
 * conflicts with itself only, and not with what setval() holds until the
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

/*
 * How many seconds the values may be ahead of the clock: half a year.  Anybody
 * may call this in a loop, which must not use them up for all.
 */
#define MAX_AHEAD	(INT64CONST(1) << 24)

PG_FUNCTION_INFO_V1(modseq_next_uidvalidity);

/* The last value that the sequence gave out, or 0 */
static int64
last_value(Oid sequence)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		value;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(sequence);
	fcinfo->args[0].isnull = false;
	value = pg_sequence_last_value(fcinfo);
	return fcinfo->isnull ? 0 : DatumGetInt64(value);
}

/*
 * What follows the last value, which is not to run away from the clock.  One
 * that is ahead by more than calls can bring about, also where the clock was
 * put back, was set by who may, for clients have seen such; it is followed.
 */
static int64
next_value(int64 last)
{
	int64		now = (int64) time(NULL);

	if (last >= now + MAX_AHEAD && last < now + 2 * MAX_AHEAD)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many values of UIDVALIDITY have been taken"),
				 errdetail("The last one is ahead of the clock by "
						   INT64_FORMAT " seconds.", last - now),
				 errhint("Wait a second for each. To begin again, set modseq.uidvalidity_seq to the highest that a mailbox has.")));
	if (last >= PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
				 errmsg("there is no UIDVALIDITY left"),
				 errdetail("The highest is %u.", PG_UINT32_MAX),
				 errhint("If modseq.uidvalidity_seq was set by mistake, set it to the highest that a mailbox has.")));
	return Max(last + 1, now);
}

/*
 * modseq.next_uidvalidity() -> bigint; errors 2200H at the top, 25006, 54000
 *
 * Not by nextval(), after which lastval() would no longer be the application's
 * own: the key of the mailbox, say, that was inserted by this statement.
 */
Datum
modseq_next_uidvalidity(PG_FUNCTION_ARGS)
{
	Oid			schema = get_namespace_oid("modseq", false);
	Oid			sequence = get_relname_relid("uidvalidity_seq", schema);
	int64		value;
	Oid			user;
	int			security;

	/* setval() asks too, but the lock would fail first, and less clearly */
	PreventCommandIfReadOnly("modseq.next_uidvalidity()");
	PreventCommandDuringRecovery("modseq.next_uidvalidity()");
	LockRelationOid(sequence, ShareUpdateExclusiveLock);

	/* Any role may create mailboxes; setval() asks for a grant */
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(relation_owner(sequence),
						   security | SECURITY_LOCAL_USERID_CHANGE);
	value = next_value(last_value(sequence));
	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence),
						Int64GetDatum(value));
	SetUserIdAndSecContext(user, security);
	UnlockRelationOid(sequence, ShareUpdateExclusiveLock);
	PG_RETURN_INT64(value);
}
