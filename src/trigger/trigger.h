/*-------------------------------------------------------------------------
 *
 * trigger.h
 *	  What SQL fires: the triggers of a store's tables, and of DDL.
 *
 * From the ground up:
 *
 *	change.c	how a trigger was fired, and a row trigger for what
 *	bulk.c		whole tables that come or go
 *	gate.c		who goes with his rows, and who has locked mailboxes
 *	refuse.c	what a table of a store cannot become
 *	clone.c		statement triggers of partitions
 *	limit.c		statements that a row limit ends
 *	alter.c		DDL that no row trigger sees
 *	open.c		what opens a statement, and closes it
 *	email.c		messages as their accounts know them
 *	count.c		what rows tell of counts
 *	message.c	triggers of message tables, before the row is written
 *	collect.c	the same, after it was
 *	flag.c		the trigger of flag tables
 *	mailbox.c	triggers of mailbox tables and their sources
 *	account.c	triggers of the table of accounts
 *	truncate.c	TRUNCATE of any of them
 *	partition.c	partitions that go, or come
 *	event.c		event triggers: DDL on the tables of stores
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_TRIGGER_H
#define MODSEQ_TRIGGER_H

#include "ledger/ledger.h"

#include "commands/trigger.h"
#include "nodes/parsenodes.h"

/* --- change.c ---------------------------------------------------------- */

/* An UPDATE's two versions of a row, or one of them */
typedef struct RowChange
{
	RowShape   *shape;
	Store	   *store;
	Relation	rel;
	TupleDesc	desc;
	HeapTuple	old;			/* NULL for INSERT */
	HeapTuple	new;			/* NULL for DELETE */
	bool		may_cross;		/* an UPDATE in a partition */
} RowChange;

/* Our trigger functions, by how they must be fired */
typedef enum TriggerFunction
{
	TRIGGER_OPEN,
	TRIGGER_FLUSH,
	TRIGGER_ASSIGN,
	TRIGGER_CHANGED,			/* collect, collect_flag, mailbox, source,
								 * account */
	TRIGGER_TRUNCATES,			/* truncate, truncate_flag, truncate_account */
	TRIGGER_TRUNCATED			/* truncate_mailbox, truncate_source */
} TriggerFunction;

extern TriggerData *trigger_data(FunctionCallInfo fcinfo,
								 TriggerFunction function);
extern TriggerData *trigger_row_data(FunctionCallInfo fcinfo,
									 TriggerFunction function,
									 RowChange *change);
extern int64 trigger_uid(const RowChange *change, HeapTuple tuple);
extern int64 trigger_modseq(const RowChange *change, HeapTuple tuple);
extern int64 trigger_created(const RowChange *change, HeapTuple tuple);
extern bool trigger_was_expunged(const RowChange *change);
extern bool trigger_is_expunged(const RowChange *change);
pg_noreturn extern void trigger_no_mailbox(const RowChange *change);

/* --- gate.c ------------------------------------------------------------ */

extern void gate_close(const Store *store, const List *relids);
extern void gate_close_truncate(const Store *store);

/* --- bulk.c ------------------------------------------------------------ */

extern void bulk_open_truncate(Relation rel);
extern void bulk_leave(Store *store, TableRole role, Oid relid);
extern void bulk_arrive(Store *store, TableRole role, Oid relid);
extern void bulk_flags_change(Store *store, TableRole role, Oid relid);

/* --- refuse.c ---------------------------------------------------------- */

extern void refuse_unserved(Oid relid);
extern void refuse_store_as_partition(Oid relid);
extern void refuse_inheritance(Oid relid, List *parents);
extern void refuse_unlogged(Oid relid);

/* --- clone.c ----------------------------------------------------------- */

extern void clone_give_triggers(Oid relid);
extern void clone_take_triggers(Oid relid);
extern void clone_complete_partition(Oid relid);

/* --- alter.c ----------------------------------------------------------- */

extern bool alter_is_of_columns(const AlterTableStmt *alter);
extern void alter_before(AlterTableStmt *alter);
extern bool alter_changes_flags(AlterTableStmt *alter, Oid relid,
								TableRole role);
extern bool alter_has_flag_of(Relation rel, TableRole role, Oid type,
							  bool strangers);

/* --- email.c ----------------------------------------------------------- */

extern bool email_begins(const RowChange *change, const Datum *key,
						 bool follows);
extern bool email_stays(const RowChange *change, Mailbox *from, Mailbox *to);
extern void email_arrives(const RowChange *change, Mailbox *mailbox,
						  int64 uid, bool stays);
extern void email_departs(const RowChange *change, Mailbox *mailbox,
						  bool stays);
extern void email_becomes(const RowChange *change, Mailbox *mailbox,
						  int64 uid, bool is_numbered);

/* --- count.c ----------------------------------------------------------- */

extern void count_collect(const RowChange *change, const Datum *from,
						  const Datum *to);
extern void count_mailbox_added(const RowChange *change, const Datum *key,
								bool heard);
extern void count_mailbox_updated(const RowChange *change, Mailbox *mailbox);

/* --- partition.c ------------------------------------------------------- */

extern void partition_before_detach(AlterTableStmt *alter,
									PartitionCmd *detach);
extern void partition_before_attach(PartitionCmd *attach);
extern void partition_before_drop(DropStmt *drop);
extern void partition_after_create(CreateStmt *create);
extern void partition_after_attach(PartitionCmd *attach, Oid parent);
extern void partition_after_detach(PartitionCmd *detach, Oid parent);

/* --- limit.c ----------------------------------------------------------- */

extern void limit_init(void);

#endif							/* MODSEQ_TRIGGER_H */
