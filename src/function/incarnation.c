/*-------------------------------------------------------------------------
 *
 * incarnation.c
 *	  Incarnations of the server, as SQL sees and begins them.
 *
 * Locks: see ledger/incarnation.c; none by who reads.  Memory: the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

/* What lost() returns, as sql/parts/function.sql has it */
#define LOST_COLUMNS	7

CALLED_AT_SHARD(lost, CALL_OF_MAILBOX);
PG_FUNCTION_INFO_V1(modseq_recovered);
PG_FUNCTION_INFO_V1(modseq_first_incarnation);
PG_FUNCTION_INFO_V1(modseq_incarnation);
PG_FUNCTION_INFO_V1(modseq_next_incarnation);
PG_FUNCTION_INFO_V1(modseq_incarnation_changed);

/*
 * modseq.lost(store, mailbox) -> (first_modseq, last_modseq, uids, incarnation,
 *		system_identifier, timeline, started), ascending
 *
 * Which mod-sequences of the mailbox, and which of its UIDs, servers that are
 * lost may have given, and the incarnation that went on without them: its row
 * of modseq.incarnation, NULL if that is gone.  last_modseq and what follows is
 * NULL in the last row if the mailbox has not changed in the present
 * incarnation: whatever is above its HIGHESTMODSEQ may be lost, and its next
 * change will tell what is.  Not on a standby, where the primary may have given
 * that.  Reads the caller's snapshot, for callers who may SELECT the messages'
 * UIDs; writes nothing, takes no lock.  Errors: 42501, 42704 for an unknown
 * mailbox.
 */
static Datum
lost_here(PG_FUNCTION_ARGS)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *key = argument_one_mailbox(fcinfo, store);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;
	Status		status;

	argument_check_may_read(store);
	status = status_read_one(store, key, PLAN_READ_AS_CALLER);
	InitMaterializedSRF(fcinfo, 0);
	memcpy(params, key, sizeof(Datum) * store->nkeys);
	SPI_connect();
	rows = plan_execute(store, PLAN_READ_LOST, params, PLAN_READ_AS_OWNER);
	for (uint64 i = 0; i < rows; i++)
		tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
	if (!status_may_lag() && status.highestmodseq < MODSEQ_MAX &&
		incarnation_may_follow(status.highestmodseq))
	{
		Datum		values[LOST_COLUMNS] = {0};
		bool		nulls[LOST_COLUMNS];

		memset(nulls, true, sizeof(nulls));
		nulls[0] = false;
		values[0] = Int64GetDatum(status.highestmodseq + 1);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * modseq.recovered(above) -> the number that all mod-sequences are above from
 * now on, which is above the one given
 *
 * Begins another incarnation, where nothing else shows that numbers were lost.
 * For the owner of the extension, and whom he lets.  Waits for nobody but who
 * does the same.  Errors: 42501, 22004, 25006 in a read-only transaction
 * and on a standby.
 */
Datum
modseq_recovered(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("modseq.recovered()");
	PreventCommandDuringRecovery("modseq.recovered()");
	argument_not_null(fcinfo, 0, "above");
	PG_RETURN_INT64(incarnation_begin(PG_GETARG_INT64(0)));
}

/*
 * modseq_internal.next_incarnation(highest bigint) -> bigint
 *
 * The lowest number that an incarnation can have which would begin now, where
 * the highest one so far is that.  Begins none.
 */
Datum
modseq_next_incarnation(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(incarnation_next(PG_GETARG_INT64(0)));
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
