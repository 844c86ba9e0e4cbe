/*-------------------------------------------------------------------------
 *
 * change.c
 * 	  How a trigger was fired, and a row trigger for what.
 *
 * Locks: none.  Memory: the trigger's per-tuple context.
 *
 *-------------------------------------------------------------------------
 */
#include "trigger/trigger.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"

#define FOR_INSERT	(1 << TRIGGER_EVENT_INSERT)
#define FOR_DELETE	(1 << TRIGGER_EVENT_DELETE)
#define FOR_UPDATE	(1 << TRIGGER_EVENT_UPDATE)
#define FOR_TRUNCATE (1 << TRIGGER_EVENT_TRUNCATE)
#define FOR_ROWS	(FOR_INSERT | FOR_UPDATE | FOR_DELETE)

/* How a trigger function must be fired */
typedef struct TriggerKind
{
	TriggerEvent firing;		/* TriggerEvent without the operation */
	int			operations;		/* bits of those that it can see */
	const char *clause;			/* the same, as CREATE TRIGGER says it */
} TriggerKind;

static const TriggerKind kinds[] = {
	[TRIGGER_OPEN] = {TRIGGER_EVENT_BEFORE, FOR_ROWS | FOR_TRUNCATE,
	"BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE, FOR EACH STATEMENT"},
	[TRIGGER_FLUSH] = {TRIGGER_EVENT_AFTER, FOR_ROWS | FOR_TRUNCATE,
	"AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE, FOR EACH STATEMENT"},
	[TRIGGER_ASSIGN] = {TRIGGER_EVENT_BEFORE | TRIGGER_EVENT_ROW,
		FOR_INSERT | FOR_UPDATE,
	"BEFORE INSERT OR UPDATE, FOR EACH ROW"},
	[TRIGGER_CHANGED] = {TRIGGER_EVENT_AFTER | TRIGGER_EVENT_ROW, FOR_ROWS,
	"AFTER INSERT OR UPDATE OR DELETE, FOR EACH ROW"},
	[TRIGGER_TRUNCATES] = {TRIGGER_EVENT_BEFORE, FOR_TRUNCATE,
	"BEFORE TRUNCATE, FOR EACH STATEMENT"},
	[TRIGGER_TRUNCATED] = {TRIGGER_EVENT_AFTER, FOR_TRUNCATE,
	"AFTER TRUNCATE, FOR EACH STATEMENT"}
};

/*
 * The rows of a table that Citus distributes are in its shards, which it
 * truncates one by one, and whose triggers it has left out for that
 */
static void
refuse_truncate(Relation rel)
{
	Distribution distribution;

	if (table_distribution(RelationGetRelid(rel), &distribution))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table %s of a distributed store cannot be truncated",
						relation_name(RelationGetRelid(rel))),
				 errdetail("What goes could not be told to clients."),
				 errhint("Use DELETE.")));
}

/*
 * trigger_data: the trigger's data, or an error if it is not fired as attach()
 * sets it up
 *
 * Anybody can create a trigger by hand that calls a function of ours, and what
 * that function takes from the data must be there.  Nor may it be deferred: it
 * would look at rows of a statement that was completed long ago.  Whether the
 * table is one of the store's is asked by shape_get().
 */
TriggerData *
trigger_data(FunctionCallInfo fcinfo, TriggerFunction function)
{
	const TriggerKind *kind = &kinds[function];
	TriggerData *data;
	TriggerEvent firing;
	int			operation;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("modseq's trigger functions can only be called as triggers"),
				 errhint("modseq.attach() creates the triggers.")));
	data = (TriggerData *) fcinfo->context;
	operation = 1 << (data->tg_event & TRIGGER_EVENT_OPMASK);
	firing = data->tg_event & (TRIGGER_EVENT_ROW | TRIGGER_EVENT_TIMINGMASK);
	if (firing != kind->firing || (kind->operations & operation) == 0 ||
		data->tg_trigger->tgdeferrable)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" of table %s must be fired %s",
						data->tg_trigger->tgname,
						relation_name(RelationGetRelid(data->tg_relation)),
						kind->clause),
				 data->tg_trigger->tgdeferrable ?
				 errdetail("It must not be deferrable.") : 0,
				 errhint("Drop the trigger; modseq.attach() creates those that a store needs.")));
	if (operation == FOR_TRUNCATE)
		refuse_truncate(data->tg_relation);
	return data;
}

/* trigger_row_data: the same for a row trigger; fills in what changed */
TriggerData *
trigger_row_data(FunctionCallInfo fcinfo, TriggerFunction function,
				 RowChange *change)
{
	TriggerData *data = trigger_data(fcinfo, function);

	change->rel = data->tg_relation;
	change->desc = RelationGetDescr(data->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		change->new = data->tg_trigtuple;
	else
	{
		change->old = data->tg_trigtuple;
		if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		{
			change->new = data->tg_newtuple;
			change->may_cross = change->rel->rd_rel->relispartition;
		}
	}
	return data;
}

/* trigger_uid: the UID in a row; 0 stands for NULL, which is no UID */
int64
trigger_uid(const RowChange *change, HeapTuple tuple)
{
	int64		uid = 0;

	row_get_int64(tuple, change->desc, change->shape->uid,
				  change->shape->uid_type, &uid);
	return uid;
}

/* A mod-sequence of a message; 0 stands for NULL, and for no such column */
static int64
get_modseq(HeapTuple tuple, TupleDesc desc, AttrNumber attnum)
{
	int64		value = 0;

	if (attnum != InvalidAttrNumber)
		row_get_int64(tuple, desc, attnum, INT8OID, &value);
	return value;
}

/* trigger_modseq: the mod-sequence in a row of messages */
int64
trigger_modseq(const RowChange *change, HeapTuple tuple)
{
	return get_modseq(tuple, change->desc, change->shape->modseq);
}

/* trigger_created: its created_modseq, if the store has that */
int64
trigger_created(const RowChange *change, HeapTuple tuple)
{
	return get_modseq(tuple, change->desc, change->shape->created_modseq);
}

/* trigger_was_expunged, trigger_is_expunged: as the soft-delete column says */
bool
trigger_was_expunged(const RowChange *change)
{
	return row_is_expunged(change->shape, change->old, change->desc);
}

bool
trigger_is_expunged(const RowChange *change)
{
	return row_is_expunged(change->shape, change->new, change->desc);
}

/* trigger_no_mailbox: an error, as the key in the new row has a NULL */
void
trigger_no_mailbox(const RowChange *change)
{
	int			i = 0;

	while (i < change->store->nkeys - 1 &&
		   !heap_attisnull(change->new, change->shape->key[i].attnum,
						   change->desc))
		i++;
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("message in table %s has no mailbox",
					change->store->table[TABLE_MESSAGE].name),
			 errdetail("Column %s is null.",
					   change->store->table[TABLE_MESSAGE].key[i].quoted),
			 errhint("Every message of a store is in a mailbox.")));
}
