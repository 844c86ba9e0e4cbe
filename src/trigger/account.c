/*-------------------------------------------------------------------------
 *
 * account.c
 *	  The triggers of the table of accounts.
 *
 * That table is ours alone: we write its rows at the end of a statement, and
 * without SQL where we can.  What its owner writes there by hand must not have
 * one state stand for two things.
 *
 * Locks: none of ours; the row's is the command's.  Memory: the caller's
 * context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "query/query.h"

PG_FUNCTION_INFO_V1(modseq_trigger_account);
PG_FUNCTION_INFO_V1(modseq_trigger_truncate_account);

/* A number of an account, which is never NULL but by hand */
static int64
number(const RowChange *change, HeapTuple row, AttrNumber attnum)
{
	int64		value = 0;

	row_get_int64(row, change->desc, attnum, INT8OID, &value);
	return value;
}

/* Are the numbers of the new version such as can come after the old one's? */
static bool
numbers_rise(const RowChange *change)
{
	const RowShape *shape = change->shape;
	int64		highest = number(change, change->new, shape->highestmodseq);
	const AttrNumber states[] = {shape->email_modseq, shape->thread_modseq,
	shape->mailbox_modseq, shape->floor};

	if (number(change, change->new, shape->epoch) !=
		number(change, change->old, shape->epoch) ||
		highest < number(change, change->old, shape->highestmodseq))
		return false;
	for (size_t i = 0; i < lengthof(states); i++)
	{
		int64		state = number(change, change->new, states[i]);

		if (state < number(change, change->old, states[i]) || state > highest)
			return false;
	}
	return true;
}

/* Whose mailboxes are there counts on above all that it has handed out */
static void
refuse_loss(const RowChange *change, const Datum *account)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("account %s of store %s has mailboxes",
					account_text(change->store, account),
					change->store->table[TABLE_MESSAGE].name),
			 errdetail("Clients know its states, and it would begin anew."),
			 errhint("Delete its mailboxes first.")));
}

/*
 * modseq.trigger_account(message): AFTER UPDATE OR DELETE ROW
 *
 * Error 22023 if a number is lowered, or a state is above the highest; 55000 if
 * an account goes, or gets another key, that has mailboxes.  What has left an
 * account that goes is forgotten.
 */
Datum
modseq_trigger_account(PG_FUNCTION_ARGS)
{
	RowChange	change = {0};
	TriggerData *data = trigger_row_data(fcinfo, TRIGGER_CHANGED, &change);
	Datum		old[MODSEQ_MAX_PARAMS];
	Datum		new[MODSEQ_MAX_PARAMS];

	change.shape = shape_get(data->tg_relation, TABLE_ACCOUNT,
							 data->tg_trigger);
	change.store = change.shape->store;
	if (change.old == NULL ||
		!row_get_account(change.shape, change.old, change.desc, old))
		return PointerGetDatum(NULL);
	if (change.new != NULL &&
		row_get_account(change.shape, change.new, change.desc, new) &&
		account_compare(change.store, old, new) == 0)
	{
		if (!numbers_rise(&change))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("numbers of account %s of store %s can only rise, to its highestmodseq at most",
							account_text(change.store, old),
							change.store->table[TABLE_MESSAGE].name),
					 errhint("Leave them to modseq. To have all clients start over, set highestmodseq, the states and floor to highestmodseq + 1.")));
		return PointerGetDatum(NULL);
	}
	if (plan_run(change.store, PLAN_ANY_OF_ACCOUNT, old) > 0)
		refuse_loss(&change, old);
	plan_run(change.store, PLAN_DROP_DEPARTED, old);
	return PointerGetDatum(NULL);
}

/*
 * modseq.trigger_truncate_account(message): BEFORE TRUNCATE
 *
 * Error 55000 if there are mailboxes: what is truncated with them is told of in
 * their accounts.  Forgets what has left these.
 */
Datum
modseq_trigger_truncate_account(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, TRIGGER_TRUNCATES);
	Store	   *store = shape_get(data->tg_relation, TABLE_ACCOUNT,
								  data->tg_trigger)->store;

	if (plan_run(store, PLAN_ANY_MAILBOX, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("accounts of store %s have mailboxes",
						store->table[TABLE_MESSAGE].name),
				 errdetail("Clients know their states, and they would begin anew."),
				 errhint("Leave the table out, or TRUNCATE it in another command, after the mailbox table.")));
	plan_run(store, PLAN_CLEAR_DEPARTED, NULL);
	return PointerGetDatum(NULL);
}
