/*-------------------------------------------------------------------------
 *
 * incarnation.c
 *	  Incarnations of the server, as SQL sees and begins them.
 *
 * Locks: see ledger/incarnation.c.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(modseq_recovered);
PG_FUNCTION_INFO_V1(modseq_first_incarnation);
PG_FUNCTION_INFO_V1(modseq_incarnation);
PG_FUNCTION_INFO_V1(modseq_incarnation_changed);

/*
 * modseq.recovered() -> the number that all mod-sequences are above from now on
 *
 * Begins another incarnation, where nothing else shows that numbers were lost.
 * For the owner of the extension, and whom he lets.  Waits for nobody but who
 * does the same.  Errors: 42501, 25006 in a read-only transaction and on a
 * standby.
 */
Datum
modseq_recovered(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("modseq.recovered()");
	PreventCommandDuringRecovery("modseq.recovered()");
	PG_RETURN_INT64(incarnation_begin());
}

/* modseq_internal.first_incarnation(): for CREATE EXTENSION, which drops it */
Datum
modseq_first_incarnation(PG_FUNCTION_ARGS)
{
	incarnation_first();
	PG_RETURN_VOID();
}

/* modseq_internal.incarnation() -> (modseq, uid_gap): as attach() needs them */
Datum
modseq_incarnation(PG_FUNCTION_ARGS)
{
	const Incarnation *incarnation;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PreventCommandIfReadOnly("modseq_internal.incarnation()");
	PreventCommandDuringRecovery("modseq_internal.incarnation()");
	incarnation = incarnation_current();
	values[0] = Int64GetDatum(incarnation->modseq);
	values[1] = Int64GetDatum(incarnation->uid_gap);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * modseq_internal.incarnation_changed(): AFTER STATEMENT, of the table itself
 *
 * A dump that is restored, or who may write to it, has added rows: all backends
 * read it again.
 */
Datum
modseq_incarnation_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("modseq's trigger functions can only be called as triggers"),
				 errhint("CREATE EXTENSION modseq creates the trigger.")));
	incarnation_changed(RelationGetRelid(((TriggerData *)
										  fcinfo->context)->tg_relation));
	return PointerGetDatum(NULL);
}
