/*-------------------------------------------------------------------------
 *
 * modseq_type.c
 *	  The check behind the domain modseq.modseq.
 *
 * A function rather than "VALUE >= 0", for an error that says what a
 * mod-sequence is.  Locks and memory: none.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

PG_FUNCTION_INFO_V1(modseq_is_modseq);
Datum
modseq_is_modseq(PG_FUNCTION_ARGS)
{
	int64		value = PG_GETARG_INT64(0);

	/* RFC 7162 section 7: mod-sequence-valzer; 63 bits, so a bigint holds it */
	if (value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("mod-sequence %lld is out of range",
						(long long) value),
				 errdetail("A mod-sequence is 0 .. 9223372036854775807 (RFC 7162 section 7)."),
				 errhint("Pass a value that the mailbox has had, or 0 for \"since the beginning\".")));

	PG_RETURN_BOOL(true);
}
