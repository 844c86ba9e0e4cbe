/*-------------------------------------------------------------------------
 *
 * omit.c
 *	  Queries that go without triggers of ours.
 *
 * They are taken out of the executor's own copy of a table's triggers, when the
 * query has started.  What else the executor has for each trigger, by its
 * position, is still empty then.  The application's fire as ever.
 *
 * Flags that a foreign key's cascade deletes are such: their message goes, so
 * nothing is owed for them.  Each message is a query of its own, whose rows
 * would be fetched twice more for our triggers, and looked up in vain when the
 * statement is completed.  It must be known that the cascade comes from the
 * message: see build_cascade().
 *
 * Locks: none.  Memory: the query's.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"

/* As SetTriggerFlags() of PostgreSQL, for what a query of ours can be */
static void
set_flags(TriggerDesc *desc, int type)
{
	bool		update = TRIGGER_FOR_UPDATE(type);
	bool		delete = TRIGGER_FOR_DELETE(type);

	if (TRIGGER_FOR_BEFORE(type) && TRIGGER_FOR_ROW(type))
	{
		desc->trig_update_before_row |= update;
		desc->trig_delete_before_row |= delete;
	}
	else if (TRIGGER_FOR_BEFORE(type))
	{
		desc->trig_update_before_statement |= update;
		desc->trig_delete_before_statement |= delete;
	}
	else if (TRIGGER_FOR_AFTER(type) && TRIGGER_FOR_ROW(type))
	{
		desc->trig_update_after_row |= update;
		desc->trig_delete_after_row |= delete;
	}
	else if (TRIGGER_FOR_AFTER(type))
	{
		desc->trig_update_after_statement |= update;
		desc->trig_delete_after_statement |= delete;
	}
}

/* Takes those out of an UPDATE's or DELETE's that are told */
static void
omit_triggers(const Store *store, TriggerDesc *desc,
			  bool (*is_omitted) (const Store *store, const Trigger *trigger))
{
	int			n = 0;

	desc->trig_update_before_row = desc->trig_delete_before_row = false;
	desc->trig_update_after_row = desc->trig_delete_after_row = false;
	desc->trig_update_before_statement = false;
	desc->trig_delete_before_statement = false;
	desc->trig_update_after_statement = false;
	desc->trig_delete_after_statement = false;
	for (int i = 0; i < desc->numtriggers; i++)
	{
		if (is_omitted(store, &desc->triggers[i]))
			continue;
		if (n < i)
			desc->triggers[n] = desc->triggers[i];
		set_flags(desc, desc->triggers[n++].tgtype);
	}
	desc->numtriggers = n;
}

static bool
is_own_trigger(const Store *store, const Trigger *trigger)
{
	return trigger->tgoid == store->trigger_oid ||
		trigger->tgoid == store->collect_oid;
}

/* omit_row_triggers: an UPDATE of messages goes without ours for each row */
void
omit_row_triggers(const Store *store, TriggerDesc *desc)
{
	omit_triggers(store, desc, is_own_trigger);
}

static bool
is_statement_trigger(const Store *store, const Trigger *trigger)
{
	return !TRIGGER_FOR_ROW(trigger->tgtype) &&
		(trigger->tgfoid == store->open_function ||
		 trigger->tgfoid == store->flush_function);
}

/* omit_statement_triggers: it goes without ours for each statement */
void
omit_statement_triggers(const Store *store, TriggerDesc *desc)
{
	omit_triggers(store, desc, is_statement_trigger);
}

static bool
is_flag_row_trigger(const Store *store, const Trigger *trigger)
{
	return trigger->tgfoid == store->flag_function;
}

static bool
is_flag_trigger(const Store *store, const Trigger *trigger)
{
	return trigger->tgfoid == store->flag_function ||
		trigger->tgfoid == store->open_function ||
		trigger->tgfoid == store->flush_function;
}

/* Does more than our triggers fire for flags that are deleted? */
static bool
others_fire(const Store *store, const TriggerDesc *desc)
{
	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
		if (TRIGGER_FOR_DELETE(desc->triggers[i].tgtype) &&
			!is_flag_trigger(store, &desc->triggers[i]))
			return true;
	return false;
}

/* Spares tables of no store the look-ups */
static bool
may_have_flags(const TriggerDesc *desc)
{
	for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
		if (strcmp(desc->triggers[i].tgname, "modseq_collect") == 0)
			return true;
	return false;
}

/*
 * Takes our triggers out of a cascade that deletes flags.  What other triggers
 * do is part of the statement, which therefore must not be completed before
 * they have fired: then those for each statement remain.
 *
 * Of a partitioned table each partition has the triggers for rows, and the
 * whole those for statements.
 */
static void
omit_flag_triggers(const Store *store, ModifyTableState *node)
{
	ResultRelInfo *whole = node->rootResultRelInfo;
	bool		others = others_fire(store, whole->ri_TrigDesc);

	for (int i = 0; i < node->mt_nrels && !others; i++)
		others = others_fire(store, node->resultRelInfo[i].ri_TrigDesc);
	if (!others)
		omit_triggers(store, whole->ri_TrigDesc, is_flag_trigger);
	for (int i = 0; i < node->mt_nrels; i++)
	{
		TriggerDesc *desc = node->resultRelInfo[i].ri_TrigDesc;

		if (desc != NULL && (others || desc != whole->ri_TrigDesc))
			omit_triggers(store, desc, is_flag_row_trigger);
	}
}

/*
 * omit_start_cascade: a foreign key's query has started
 *
 * A key that one partition of the flag table has alone is not known here.
 */
void
omit_start_cascade(QueryDesc *query)
{
	ModifyTableState *node = (ModifyTableState *) query->planstate;
	ResultRelInfo *target;
	const RowShape *shape;

	if (node == NULL || !IsA(node, ModifyTableState) ||
		node->operation != CMD_DELETE)
		return;
	target = node->rootResultRelInfo;
	if (!may_have_flags(target->ri_TrigDesc))
		return;
	shape = shape_find(target->ri_RelationDesc, TABLE_FLAG);
	if (shape != NULL && shape->store->flags_cascade &&
		shape->store->table[TABLE_FLAG].relid ==
		RelationGetRelid(target->ri_RelationDesc))
		omit_flag_triggers(shape->store, node);
}
