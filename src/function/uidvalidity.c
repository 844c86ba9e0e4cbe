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
PG_FUNCTION_INFO_V1(modseq_next_uidvalidity_above);

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
 * A value that is above all that were given here, and that one
 *
 * Not by nextval(), after which lastval() would no longer be the application's
 * own: the key of the mailbox, say, that was inserted by this statement.
 *
 * The sequence follows a value that was given by a server whose clock is ahead,
 * so that it rises here too; but not one that would leave others too few.
 */
static int64
take_value(int64 above)
{
	Oid			schema = get_namespace_oid("modseq", false);
	Oid			sequence = get_relname_relid("uidvalidity_seq", schema);
	int64		value;
	int64		next;
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
	next = value;
	if (above >= value)
		next = next_value(above);
	if (next < (int64) time(NULL) + MAX_AHEAD / 2)
		value = next;
	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence),
						Int64GetDatum(value));
	SetUserIdAndSecContext(user, security);
	UnlockRelationOid(sequence, ShareUpdateExclusiveLock);
	return next;
}

/* modseq.next_uidvalidity() -> bigint; errors 2200H at the top, 25006, 54000 */
Datum
modseq_next_uidvalidity(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(take_value(0));
}

/*
 * modseq_internal.next_uidvalidity(above bigint) -> bigint
 *
 * The same, but above that value, which may be NULL: the highest that another
 * server has given, perhaps.
 */
Datum
modseq_next_uidvalidity_above(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(take_value(PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0)));
}
