/*-------------------------------------------------------------------------
 *
 * modseq.h
 *	  The vocabulary that the files of modseq share.
 *
 * A "store" is a message table that modseq.attach() was called on, together
 * with its mailbox table, its table of vanished UIDs and perhaps a table of
 * flags.  A "mailbox key" is the value, or values, that identify a mailbox;
 * it is always held in the types of the mailbox table's key columns.
 *
 * What the files do, from the ground up:
 *
 *	store.c		the cache of Stores
 *	store_build.c	trigger arguments -> Store
 *	shape.c		where rows have what we read and write
 *	row.c		reading rows: mailbox keys, numbers, whether a flag changed
 *	plan_text.c	the SQL we run; plan_part.c what it is put together from
 *	plan.c		cached plans of it, and as whom it runs
 *	planner.c	plans that stay on the indexes that attach() made
 *	executor.c	stamping messages without our own row triggers
 *	known.c		what the transaction knows of mailboxes, level by level
 *	counter.c	the mailbox lock; handing out UIDs and mod-sequences
 *	rename.c	mailboxes whose key changes
 *	notify.c	wake-ups for clients that wait
 *	vanished.c	the table of vanished UIDs
 *	flagged.c	from rows of a flag table to messages
 *	statement.c	what one SQL statement changed, and its completion
 *	crossing.c	rows that an UPDATE takes to another partition
 *	trigger.c	triggers of message tables; trigger_flag.c those of flag tables
 *	mailbox.c	triggers of mailbox tables
 *	bulk.c		whole tables that come or go: TRUNCATE, and partitions
 *	partition.c	event triggers: partitions that come or go
 *	argument.c	what those who call our functions pass, and may
 *	query.c		the functions that a front end calls
 *	uidvalidity.c	handing out UIDVALIDITY values
 *	uidset*.c	the UID set, alone and as an SQL type; modseq_type.c the domain
 *	modseq.c	module magic, transaction callbacks
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_H
#define MODSEQ_H

#include "postgres.h"

#include "compat.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "uidset.h"
#include "utils/rel.h"

/* Key columns that a mailbox may have */
#define MODSEQ_MAX_KEYS		8

/* Parameters that one of our plans may have: a key, and what is set */
#define MODSEQ_MAX_PARAMS	(2 * MODSEQ_MAX_KEYS + 2)

/* HIGHESTMODSEQ of a never-used mailbox; a stored 0 or NULL counts as it */
#define MODSEQ_UNUSED		INT64CONST(1)

/*
 * What arrived while triggers were off may have no UID, or an impossible one;
 * no client can know of it.
 */
static inline bool
is_uid(int64 uid)
{
	return uid >= UIDSET_MIN_UID && uid <= UIDSET_MAX_UID;
}

/* RFC 7162 section 7: mod-sequences are 63 bits wide */
#define MODSEQ_MAX			PG_INT64_MAX

/* --- store.c --------------------------------------------------------- */

/* One column of a mailbox key, as the mailbox table has it */
typedef struct KeyColumn
{
	const char *name;			/* quoted, in the mailbox table */
	const char *source;			/* quoted, in the source, or NULL */
	const char *message;		/* quoted, in the message table */
	const char *flag;			/* quoted, in the flag table, or NULL */
	Oid			type;			/* in the mailbox table; not a domain */
	Oid			source_type;	/* in the source; not a domain */
	Oid			message_type;	/* in the message table; not a domain */
	Oid			input_type;		/* in the mailbox table, perhaps a domain */
	int32		typmod;
	Oid			collation;
	int16		typlen;
	bool		typbyval;
	FmgrInfo	cmp;			/* btree order: the order of locking */
	FmgrInfo	hash;
} KeyColumn;

/* The queries of ours; their texts are in plan_text.c */
typedef enum PlanId
{
	PLAN_LOCK_MAILBOX,
	PLAN_READ_MAILBOX,
	PLAN_READ_MAILBOXES,
	PLAN_WRITE_MAILBOX,
	PLAN_RAISE_MAILBOX,
	PLAN_ADD_MAILBOX,
	PLAN_RENAME_MAILBOX,
	PLAN_REMOVE_MAILBOX,
	PLAN_CLEAR_MAILBOXES,
	PLAN_FIND_SOURCE,
	PLAN_STAMP_MESSAGES,
	PLAN_STAMP_MESSAGE,
	PLAN_RENUMBER_MESSAGES,
	PLAN_FIND_MESSAGES,
	PLAN_FIND_MESSAGE,
	PLAN_LOCK_MESSAGES,
	PLAN_LOCK_MESSAGE,
	PLAN_CHANGED_MESSAGES,
	PLAN_LIVE_MESSAGES,
	PLAN_LOCK_LIVE_MESSAGES,
	PLAN_ANY_MESSAGE,
	PLAN_UNSTAMPED_MESSAGES,
	PLAN_MESSAGE_NUMBERS,
	PLAN_APPEND_VANISHED,
	PLAN_READ_VANISHED,
	PLAN_RENAME_VANISHED,
	PLAN_DROP_VANISHED,
	PLAN_CLEAR_VANISHED,
	PLAN_COUNT,

	/* For plan_scan(), which keeps none */
	PLAN_ALL_MESSAGES,
	PLAN_ALL_FLAGGED,
	PLAN_ALL_MAILBOXES,
	PLAN_ALL_SOURCES,
	PLAN_LAST_UIDS,
	PLAN_TOUCH_MESSAGES,
	PLAN_RESET_MAILBOXES
} PlanId;

/*
 * What attach() set up, read from the arguments of the store's triggers.
 * Table and column names are quoted, ready for SQL.  A Store never changes:
 * when one of its tables does, a new one is built, and the old one remains
 * readable until the end of the transaction.
 */
typedef struct Store
{
	Oid			message_relid;
	Oid			trigger_oid;	/* of the trigger that has the options */
	Oid			collect_oid;	/* of the one after each row */
	Oid			mailbox_relid;
	Oid			source_relid;	/* InvalidOid unless that is a side table */
	bool		mailbox_has_rules;
	Oid			vanished_relid;
	Oid			flag_relid;		/* InvalidOid without a flag table */
	const char *message;		/* qualified table names */
	const char *mailbox;
	const char *source;
	const char *vanished;
	const char *flag;
	int			nkeys;
	KeyColumn	key[MODSEQ_MAX_KEYS];
	const char *uidvalidity;	/* columns of the mailbox table */
	const char *uidnext;
	const char *highestmodseq;
	bool		has_last_uid;	/* uidnext holds the last UID, not the next */
	bool		uidnext_is_int4;
	bool		uid_is_unique;	/* there is a unique index on mailbox and UID */
	const char *uid;			/* columns of the message table */
	const char *modseq;
	const char *created_modseq; /* or NULL */
	List	   *flags;			/* flag columns, unquoted */
	const char *expunged;		/* the soft-delete column, or NULL */
	Oid			expunged_type;	/* not a domain */
	const char *message_key;	/* what flag_message refers to, or NULL */
	Oid			message_key_type;	/* not a domain */
	const char *flag_message;	/* columns of the flag table, or NULL */
	Oid			flag_message_type;	/* not a domain */
	Oid			flag_key_type;	/* the same, for a query's parameter */
	const char *flag_uid;		/* with KeyColumn.flag, or NULL */
	List	   *flag_columns;	/* unquoted; NIL: every column counts */
	bool		notify;			/* send a notification at commit? */
	List	   *options;		/* "name=value", as the trigger has them */
	SPIPlanPtr	plans[PLAN_COUNT];
} Store;

/* Where a key column stands in some table, and how its value is converted */
typedef struct KeyAttribute
{
	AttrNumber	attnum;
	bool		convert;		/* to the mailbox's type, through cast */
	FmgrInfo	cast;
} KeyAttribute;

/* A column whose change is a flag change */
typedef struct FlagAttribute
{
	AttrNumber	attnum;
	int16		typlen;
	bool		typbyval;
	Oid			type;
	Oid			element;		/* of an array that is compared as a set */
	bool		generated;		/* after the BEFORE triggers */
	FmgrInfo	cmp;			/* of its elements */
	Oid			collation;
	FmgrInfo	eq;				/* of a scalar */
} FlagAttribute;

/*
 * How the rows of one table look: the message table or a partition of it,
 * the mailbox table, or the flag table.  Fields that do not apply are 0.
 */
typedef struct RowShape
{
	Store	   *store;
	KeyAttribute key[MODSEQ_MAX_KEYS];
	AttrNumber	uid;
	Oid			uid_type;
	AttrNumber	modseq;
	AttrNumber	created_modseq;
	AttrNumber	expunged;
	Oid			expunged_type;
	bool		expunged_generated; /* after the BEFORE triggers */
	AttrNumber	uidvalidity;
	Oid			uidvalidity_type;
	AttrNumber	uidnext;
	Oid			uidnext_type;
	AttrNumber	highestmodseq;
	AttrNumber	flag_message;
	int			nflags;
	FlagAttribute *flags;
} RowShape;

extern Store *store_get(Oid message_relid);
extern Store *store_build(Relation rel, Trigger *trigger);
extern const char *store_option(const Store *store, const char *name);
extern List *store_list_option(const Store *store, const char *name);
extern Trigger *store_find_trigger(Relation rel, const char *function);
extern Oid	store_find_table(const char *name);
extern void store_out_of_date(Oid message_relid, const char *detail,
							  const char *name);
extern void store_watch(Oid relid);
extern void store_retire_context(MemoryContext context);
extern void store_at_transaction_end(void);
extern void store_init(void);

extern uint64 store_generation;

/* --- shape.c ------------------------------------------------------------ */

extern RowShape *shape_of_messages(Relation rel);
extern RowShape *shape_of_mailboxes(Relation rel, Trigger *trigger);
extern RowShape *shape_of_sources(Relation rel, Trigger *trigger);
extern RowShape *shape_of_flags(Relation rel, Trigger *trigger);
extern void shape_init(void);

/* --- row.c ------------------------------------------------------------ */

extern bool row_get_key(const RowShape *shape, HeapTuple tuple,
						TupleDesc desc, Datum *key);
extern bool row_get_int64(HeapTuple tuple, TupleDesc desc, AttrNumber attnum,
						  Oid type, int64 *value);
extern Datum row_make_int64(int64 value, Oid type);
extern bool row_is_expunged(const RowShape *shape, HeapTuple tuple,
							TupleDesc desc);
extern bool row_flags_differ(const RowShape *shape, HeapTuple old,
							 HeapTuple new, TupleDesc desc, bool before);
extern bool key_equal(const Store *store, const Datum *a, const Datum *b);
extern int	key_compare(const Store *store, const Datum *a, const Datum *b);
extern uint32 key_hash(const Store *store, const Datum *key);
extern Datum *key_copy(const Store *store, const Datum *key);
extern char *key_text(const Store *store, const Datum *key);

/* --- plan_part.c ----------------------------------------------------------- */

extern Oid	plan_equality(Oid column, Oid param, Oid *param_type);

/* --- plan_text.c --------------------------------------------------------- */

/* As the owner of which table a query runs */
typedef enum PlanTable
{
	TABLE_MESSAGE,
	TABLE_MAILBOX,
	TABLE_SOURCE,
	TABLE_VANISHED,
	TABLE_GIVEN					/* the one that plan_scan() is told */
} PlanTable;

/* How its plan must find the rows, whatever the statistics say */
typedef enum PlanAccess
{
	ACCESS_ANY,
	ACCESS_INDEX,				/* by an index that attach() made */
	ACCESS_RANGES				/* by such an index, for each range of UIDs, or
								 * each key, that it is given */
} PlanAccess;

extern PlanTable plan_table(PlanId id);
extern int	plan_text(Store *store, PlanId id, const char *table, char **text,
					  Oid params[MODSEQ_MAX_PARAMS]);

/* --- plan.c ------------------------------------------------------------ */

/*
 * Bookkeeping runs as the owner of the table that it touches, the way that
 * foreign keys do; answers are read as the caller, in the caller's snapshot.
 */
typedef enum PlanMode
{
	PLAN_AS_OWNER,				/* new snapshot */
	PLAN_AS_CALLER,				/* new snapshot */
	PLAN_READ_AS_CALLER,		/* the caller's snapshot */
	PLAN_READ_AS_OWNER,			/* the caller's snapshot */
	PLAN_READ_COMMITTED			/* as owner: all but what we have done */
} PlanMode;

extern Oid	relation_owner(Oid relid);
extern uint64 plan_execute(Store *store, PlanId id, Datum *params,
						   PlanMode mode);
extern uint64 plan_scan(Store *store, PlanId id, Oid relid);
extern bool plan_get_message(const Store *store, uint64 row, Datum *key,
							 int64 *uid, bool *live);

/* --- planner.c ------------------------------------------------------------ */

extern void planner_init(void);
extern const char *planner_mark(PlanAccess access);

/* --- executor.c ----------------------------------------------------------- */

extern void executor_init(void);
extern int	executor_stamp(const Store *store, SPIPlanPtr plan, Datum *params);

/* --- known.c ----------------------------------------------------------------- */

/*
 * What one (sub)transaction level knows of a mailbox.  The state of an inner
 * level starts as a copy of the outer's, and is dropped if the level aborts:
 * the row in the table is rolled back at that moment, and so is this.
 */
typedef struct MailboxState
{
	int			level;			/* GetCurrentTransactionNestLevel() */
	struct MailboxState *outer;
	bool		locked;			/* the row lock is ours */

	/* Valid while locked */
	int64		uidnext;		/* as the row has it */
	int64		highestmodseq;	/* as the row has it */
	int64		next_uid;		/* the next UID to hand out */
	int64		reserved;		/* UIDNEXT before this transaction, or as it
								 * made the row; 0: unknown */
	int64		arrived;		/* 1 + highest UID that arrived in it, or 0 */

	/* The statement in progress */
	bool		listed;			/* in Statement.mailboxes? */
	bool		orphaned;		/* what is below could not be written, for
								 * there was no such mailbox */
	int64		value;			/* its mod-sequence, 0: none taken yet */
	bool		used;			/* a row really carries value */
	int64		landed;			/* 1 + highest UID that really went in, or 0 */
	int64		issued;			/* the last value taken, by any statement */
	int64		appended;		/* the last value in the vanished table */
	UidBuilder	stamped;		/* messages that still need value */
	bool		lock_stamped;	/* they may not be locked, nor be there */
	int64		guess;			/* what value may become, 0: not guessed yet;
								 * without meaning once locked */
	bool		restamp;		/* some of stamped do not carry guess */
	UidBuilder	vanished;		/* UIDs that left the mailbox */
	UidBuilder	undeleted;		/* messages that need another UID */
	const UidSet *renumbering;	/* those of them that get it right now */
	UidBuilder	followed;		/* that came along when it was renamed */
} MailboxState;

typedef struct Mailbox
{
	Oid			message_relid;	/* the store */
	Datum	   *key;
	MailboxState *state;		/* of the innermost level that has one */
	bool		inner;			/* is that a subtransaction's? */
	bool		notifies;		/* has notify.c noted it? */
} Mailbox;

extern Mailbox *known_find(Store *store, const Datum *key);
extern Mailbox *known_mailbox(Store *store, const Datum *key);
extern MailboxState *known_state(Mailbox *mailbox);
extern List *known_locked(Store *store, bool any);
extern void known_forget_store(Oid message_relid);
extern void known_subtransaction_end(int level, bool commit);
extern void known_transaction_end(void);

/* --- counter.c --------------------------------------------------------------- */

extern int64 counter_effective_uidnext(const Store *store, bool isnull,
									   int64 value);
extern int64 counter_effective_highestmodseq(bool isnull, int64 value);
extern void counter_read_row(const Store *store, HeapTuple tuple,
							 TupleDesc desc, int64 *uidnext,
							 int64 *highestmodseq);
extern bool counter_lock(Store *store, Mailbox *mailbox);
extern bool counter_raise(Store *store, Mailbox *mailbox);
extern bool counter_is_locked(Mailbox *mailbox);
extern void counter_row_changed(Mailbox *mailbox,
								int64 uidnext, int64 highestmodseq);
extern void counter_row_added(Mailbox *mailbox, int64 uidnext);
extern void counter_row_gone(Mailbox *mailbox);
extern void counter_renamed(Mailbox *from, Mailbox *to);
extern void counter_rows_gone(Store *store);
extern int64 counter_modseq(Store *store, Mailbox *mailbox);
extern int64 counter_guess(Store *store, Mailbox *mailbox);
extern int64 counter_assign_uid(Store *store, Mailbox *mailbox);
extern void counter_skip_uids(Mailbox *mailbox, int64 uid);
extern bool counter_accept_uid(Store *store, Mailbox *mailbox, int64 uid,
							   bool inserting);
extern void counter_used(Mailbox *mailbox, int64 modseq);
extern void counter_landed(Mailbox *mailbox, int64 uid, int64 modseq);
extern void counter_settle(Store *store, Mailbox *mailbox);
pg_noreturn extern void counter_no_mailbox(Store *store, const Datum *key);
extern void counter_key_taken(Mailbox *mailbox);
extern void counter_follow(Mailbox *mailbox, int64 uid);
extern bool counter_has_followed(Mailbox *mailbox, int64 uid);

/* --- rename.c ------------------------------------------------------------ */

extern void rename_note(Store *store, const Datum *from, const Datum *to);
extern bool rename_is(Store *store, const Datum *from, const Datum *to);
extern Mailbox *rename_target(Store *store, Mailbox *mailbox);
extern bool rename_reached(Store *store, const Datum *key);
extern void rename_key_taken(Store *store, const Datum *key);
extern void rename_subtransaction_end(int level, bool commit);
extern void rename_transaction_end(void);

/* --- notify.c ------------------------------------------------------------ */

extern void notify_note(const Store *store, Mailbox *mailbox);
extern void notify_at_commit(void);
extern void notify_transaction_end(void);

/* --- vanished.c -------------------------------------------------------- */

extern void vanished_append(Store *store, Mailbox *mailbox);
extern void vanished_read(Store *store, const Datum *key, int64 since,
						  const UidSet *uids, UidBuilder *result,
						  int64 *first);
extern void vanished_rename(Store *store, const Datum *from, const Datum *to);
extern void vanished_drop(Store *store, const Datum *key);
extern void vanished_clear(Store *store);

/* --- crossing.c --------------------------------------------------------- */

/* Where a version of a row is */
typedef struct RowPlace
{
	Oid			relid;			/* InvalidOid: nowhere */
	ItemPointerData tid;
} RowPlace;

/* Part of a statement: the rows that it takes from partition to partition */
typedef struct Crossings
{
	MemoryContext context;		/* the statement's */

	/* The message that BEFORE UPDATE saw last, and the numbers it gets */
	RowPlace	source;
	Mailbox    *to;
	int64		uid;
	bool		arrived;		/* they are new */

	struct HTAB *stays;			/* messages that keep their UID */

	/* The flag row that departed, if it may yet go on, and its message */
	RowPlace	flag;
	Oid			flag_store;
	Mailbox    *flag_mailbox;	/* with flag_uid, or NULL */
	int64		flag_uid;
	Datum		flag_message;
} Crossings;

extern void crossing_note(Relation rel, HeapTuple old, Mailbox *to, int64 uid,
						  bool arrived);
extern HeapTuple crossing_continues(const RowShape *shape, Relation rel,
									Mailbox *to, int64 uid, bool *arrived);
extern bool crossing_departs(Relation rel, HeapTuple old, Mailbox *from,
							 int64 uid);
extern HeapTuple crossing_lands(Relation rel, Mailbox *to, int64 uid);
extern bool crossing_flag_departs(Store *store, Relation rel, HeapTuple old,
								  Mailbox *mailbox, int64 uid, Datum message);
extern HeapTuple crossing_flag_lands(Store *store, Relation rel);
extern bool crossing_is_departure(HeapTuple old);
extern void crossing_settle(Crossings *crossings);

/* --- flagged.c ------------------------------------------------------------ */

extern List *flagged_add(List *list, Store *store, Datum message_key);
extern void flagged_find(List *list);
extern void flagged_stamp(Store *store, uint64 rows);
extern void flagged_lock(List *mailboxes);

/* --- statement.c ------------------------------------------------------- */

extern void statement_open(void);
extern void statement_close(void);
extern bool statement_is_completing(void);
extern Crossings *statement_crossings(void);
extern void statement_list(Mailbox *mailbox);
extern void statement_vanish(Store *store, const Datum *key, int64 uid);
extern void statement_renumber(Store *store, const Datum *key, int64 uid);
extern void statement_stamp(Store *store, const Datum *key, int64 uid);
extern void statement_stamped(Store *store, const Datum *key, int64 uid);
extern void statement_stamp_flagged(Store *store, const Datum *key,
									int64 uid);
extern void statement_stamp_by_key(Store *store, Datum message_key);
extern void statement_follow(Store *store, Mailbox *from, const Datum *to,
							 int64 uid);
extern void statement_renamed(Mailbox *from, Mailbox *to);
extern void statement_forget(Mailbox *mailbox);
extern void statement_check_complete(int level);
extern void statement_subtransaction_end(int level);
extern void statement_transaction_end(void);

/* --- trigger.c -------------------------------------------------------------- */

struct TriggerData;

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

extern struct TriggerData *trigger_data(FunctionCallInfo fcinfo);
extern struct TriggerData *trigger_row_data(FunctionCallInfo fcinfo,
											RowChange *change);
extern int64 trigger_uid(const RowChange *change, HeapTuple tuple);

/* --- mailbox.c ------------------------------------------------------------ */

extern void mailbox_add(Store *store, Datum *key);
extern void mailbox_remove(Store *store, Datum *key);

/* --- bulk.c -------------------------------------------------------------- */

extern void bulk_messages_leave(Store *store, Oid relid);
extern void bulk_flags_change(Store *store, Oid relid);
extern void bulk_mailboxes_leave(Store *store, Oid relid);
extern void bulk_sources_leave(Store *store, Oid relid);
extern bool bulk_is_arriving(Relation rel);
extern void bulk_messages_arrive(Store *store, Oid relid);
extern void bulk_mailboxes_arrive(Store *store, Oid relid);
extern void bulk_sources_arrive(Store *store, Oid relid);

/* --- partition.c ---------------------------------------------------------- */

extern bool partition_has_trigger(Oid relid, const char *function);


/* --- argument.c --------------------------------------------------------- */

/* The mailboxes that a call names: one, or those of an array */
typedef struct Mailboxes
{
	bool		many;			/* was it one of the array overloads? */
	int			n;
	Datum	  (*keys)[MODSEQ_MAX_KEYS];
	Datum	   *labels;			/* for the answer: in the argument's type */
} Mailboxes;

extern void argument_not_null(FunctionCallInfo fcinfo, int argno,
							  const char *name);
extern Store *argument_store(FunctionCallInfo fcinfo);
extern int64 argument_since(FunctionCallInfo fcinfo, int argno);
extern UidSet *argument_uids(FunctionCallInfo fcinfo, int argno);
extern Mailboxes argument_mailboxes(FunctionCallInfo fcinfo,
									const Store *store);
extern Datum *argument_one_mailbox(FunctionCallInfo fcinfo,
								   const Store *store);
extern void argument_check_may_write(const Store *store);
extern void argument_check_may_read(const Store *store);

#endif							/* MODSEQ_H */
