/*-------------------------------------------------------------------------
 *
 * query.h
 *	  The SQL that modseq runs.
 *
 * From the ground up:
 *
 *	expand_row.c	what words in braces stand for that speak of a row
 *	expand_count.c	what words stand for that speak of counts
 *	expand.c	from a query with braces to SQL for a store
 *	template.c	the same for SQL
 *	text_account.c	the queries of accounts
 *	text_table.c	those of whole tables
 *	text_vanished.c	those of the table of vanished UIDs
 *	text.c		the others, and the language that all are written in
 *	blocked.c	what an error about a lock says
 *	probe.c		rows by their key, straight from an index
 *	planner.c	plans that stay on the indexes that attach() made
 *	omit.c		queries that go without triggers of ours
 *	touch.c		an UPDATE of flags changes mod-sequences, too
 *	keep.c		plans that a session keeps, and how they run
 *	run.c		our queries, and as whom they run
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_QUERY_H
#define MODSEQ_QUERY_H

#include "store/store.h"

#include "executor/execdesc.h"
#include "storage/buf.h"

/* The queries of ours; their texts are in text.c and beside it */
typedef enum PlanId
{
	PLAN_LOCK_MAILBOX,
	PLAN_FIND_MAILBOX,
	PLAN_READ_MAILBOX,
	PLAN_READ_MAILBOXES,
	PLAN_WRITE_MAILBOX,
	PLAN_RAISE_MAILBOX,
	PLAN_READ_COUNTS,
	PLAN_READ_MANY_COUNTS,
	PLAN_COUNT_MESSAGES,
	PLAN_ADD_MAILBOX,
	PLAN_RENAME_MAILBOX,
	PLAN_REMOVE_MAILBOX,
	PLAN_CLEAR_MAILBOXES,
	PLAN_SEE_SOURCE,
	PLAN_SEE_ANY_SOURCE,
	PLAN_FIND_SOURCE,
	PLAN_SEE_SOURCES,
	PLAN_BRING_MAILBOX,
	PLAN_REMEMBER_MAILBOX,
	PLAN_REMEMBER_MAILBOXES,
	PLAN_FORGET_MAILBOXES,
	PLAN_STRAY_MAILBOX,
	PLAN_REPLACE_MAILBOX,
	PLAN_RENEW_MAILBOX,
	PLAN_NOTE_UIDVALIDITY,
	PLAN_STAMP_MESSAGES,
	PLAN_STAMP_MESSAGE,
	PLAN_RENUMBER_MESSAGES,
	PLAN_FIND_MESSAGES,
	PLAN_FIND_MESSAGE,
	PLAN_LOCK_MESSAGES,
	PLAN_LOCK_MESSAGE,
	PLAN_CHANGED_MESSAGES,
	PLAN_CHANGED_AMONG,
	PLAN_LIVE_MESSAGES,
	PLAN_LOCK_LIVE_MESSAGES,
	PLAN_ANY_MESSAGE,
	PLAN_SEE_MESSAGE,
	PLAN_UNSTAMPED_MESSAGES,
	PLAN_MESSAGE_NUMBERS,
	PLAN_DIGEST_MESSAGES,
	PLAN_DIGEST_FLAGS,
	PLAN_DIGEST_FLAGS_BY_UID,
	PLAN_APPEND_VANISHED,
	PLAN_JOIN_VANISHED,
	PLAN_APPEND_LOST,
	PLAN_FIND_LOST,
	PLAN_SEE_LOST,
	PLAN_READ_LOST,
	PLAN_FIND_VANISHED,
	PLAN_READ_VANISHED,
	PLAN_NEWEST_VANISHED,
	PLAN_UNITE_VANISHED,
	PLAN_UNITE_VANISHED_IN,
	PLAN_FIND_LOGGED,
	PLAN_ADD_CHANGED,
	PLAN_APPEND_CHANGED,
	PLAN_FIND_CHANGED,
	PLAN_UNITE_CHANGED,
	PLAN_FOLD_CHANGED,
	PLAN_FOLD_VANISHED,
	PLAN_RECALL_ALL_VANISHED,
	PLAN_RECALL_VANISHED,
	PLAN_RENAME_VANISHED,
	PLAN_DROP_VANISHED,
	PLAN_CLEAR_VANISHED,
	PLAN_KEEP_VANISHED,
	PLAN_DROP_TABLE,
	PLAN_REMEMBER_TABLE,
	PLAN_STRAY_VANISHED,
	PLAN_NOT_REMEMBERED,
	PLAN_DROP_REMEMBERED,
	PLAN_REMEMBER_VANISHED,
	PLAN_LAST_MESSAGE,
	PLAN_LAST_VANISHED,
	PLAN_ANY_OF_ACCOUNT,
	PLAN_ANY_MAILBOX,
	PLAN_DROP_DEPARTED,
	PLAN_CLEAR_DEPARTED,
	PLAN_ADD_COUNTED,
	PLAN_BRING_COUNTED,
	PLAN_SOURCE_ACCOUNT,
	PLAN_LOCK_COUNTED,
	PLAN_LOCK_OF_ACCOUNT,
	PLAN_READ_COUNTED,
	PLAN_WRITE_COUNTED,
	PLAN_ADD_ACCOUNT,
	PLAN_FIND_ACCOUNT,
	PLAN_LOCK_ACCOUNT,
	PLAN_WRITE_ACCOUNT,
	PLAN_BEGIN_MESSAGES,
	PLAN_SEE_CREATED,
	PLAN_APPEND_DEPARTED,
	PLAN_APPEND_DEPARTED_THREADS,
	PLAN_LEFT_MESSAGES,
	PLAN_LEFT_THREADS,
	PLAN_NAME_MAILBOX,
	PLAN_SEE_LOST_EMAIL,
	PLAN_SEE_NEW_EMAIL,
	PLAN_READ_ACCOUNT,
	PLAN_CHANGED_MAILBOXES,
	PLAN_ACCOUNT_MAILBOXES,
	PLAN_CHANGED_EMAILS,
	PLAN_DEPARTED_EMAILS,
	PLAN_DEPARTED_MAILBOXES,
	PLAN_PAST_EMAILS,
	PLAN_PAST_THREADS,
	PLAN_COUNT,

	/* For plan_scan(), which keeps none */
	PLAN_ALL_MESSAGES,
	PLAN_ALL_MEMBERSHIPS,
	PLAN_ALL_MEMBERSHIPS_THREADS,
	PLAN_ALL_COUNTED,
	PLAN_ALL_COUNTS,
	PLAN_ALL_FLAGGED,
	PLAN_ALL_FLAGGED_UIDS,
	PLAN_ALL_MAILBOXES,
	PLAN_ALL_SOURCES,
	PLAN_COUNT_ROWS,
	PLAN_LAST_UIDS,
	PLAN_TOUCH_MESSAGES,
	PLAN_LAST_MAILBOXES,
	PLAN_RESET_MAILBOXES,
	PLAN_IDS
} PlanId;

/* How its plan must find the rows, whatever the statistics say */
typedef enum PlanAccess
{
	ACCESS_ANY,
	ACCESS_INDEX,				/* by an index that attach() made */
	ACCESS_KEY,					/* messages, by one on the message key */
	ACCESS_RANGES				/* by such an index, for each range of UIDs,
								 * or each key, that it is given */
} PlanAccess;

/* --- expand_row.c ------------------------------------------------------ */

/* A text while its braces are replaced */
typedef struct Expansion
{
	const Store *store;
	const char *table;			/* {table}, or NULL */
	bool		one;			/* of one mailbox, whose key is in "chosen" */
	StringInfoData text;
	int			nparams;
	Oid			type[MODSEQ_MAX_PARAMS];
	const char *param[MODSEQ_MAX_PARAMS];	/* names, without $ */
} Expansion;

pg_noreturn extern void expand_unknown(const char *token);
extern void declare_param(Expansion *query, const char *name);
extern int	find_param(const Expansion *query, const char *name);
extern void expand_param(Expansion *query, const char *name);
extern void expand_key(Expansion *query, const char *row, const char *what);
extern void expand_same_column(Expansion *query, const char *row,
							   const Column *column, const char *other, int i);
extern void expand_same_mailbox(Expansion *query, const char *row,
								const char *other);
extern void expand_account(Expansion *query, const char *row, bool as_text);
extern void expand_account_rest(Expansion *query, const char *prefix);
extern void expand_same_account(Expansion *query, const char *row,
								const char *other);
extern void expand_ids(Expansion *query);
extern void expand_same_message(Expansion *query, const char *other);
extern void expand_flags(Expansion *query, char row);
extern void expand_thread(Expansion *query, bool departed);
extern void expand_same_id(Expansion *query, const Column *column);
extern void expand_own_column(Expansion *query, const char *name);

/* --- expand_count.c ---------------------------------------------------- */

extern void expand_counted(Expansion *query);
extern void expand_counts(Expansion *query);
extern void expand_add_counts(Expansion *query);

/* --- expand.c ---------------------------------------------------------- */

extern int	expand_query(const Store *store, const char *table,
						 const char *params, const char *text, char **sql,
						 Oid types[MODSEQ_MAX_PARAMS]);

/* --- text_account.c, text_table.c, text_vanished.c ----------------------- */

/* By PlanId; one that is another file's has no text */
typedef struct QueryText
{
	TableRole	table;			/* as whose owner it runs */
	PlanAccess	access;			/* how it finds its rows */
	const char *result;			/* what we read of its rows: see text.c */
	const char *params;
	const char *text;
} QueryText;

extern const QueryText account_queries[PLAN_IDS];
extern const QueryText table_queries[PLAN_IDS];
extern const QueryText vanished_queries[PLAN_IDS];

/* --- text.c ------------------------------------------------------------ */

extern TableRole plan_table(PlanId id);
extern PlanAccess plan_access(PlanId id);
extern const char *plan_result(PlanId id);
extern int	plan_text(Store *store, PlanId id, const char *table, char **text,
					  Oid params[MODSEQ_MAX_PARAMS]);

/* --- blocked.c --------------------------------------------------------- */

/* What a query may have to wait for */
typedef enum BlockedBy
{
	BLOCKED_NOTHING,
	BLOCKED_MAILBOX,
	BLOCKED_ACCOUNT,
	BLOCKED_MESSAGES,			/* rows of messages of a mailbox */
	BLOCKED_VANISHED			/* rows of what vanished from it */
} BlockedBy;

/* While it may wait: what an error about a lock says then */
typedef struct Blocked
{
	BlockedBy	what;
	const Store *store;
	const Datum *key;			/* of the mailbox, or account */
	const char *name;			/* that as text; NULL: can be made of it then */
	ErrorContextCallback callback;
} Blocked;

extern void blocked_begin(Blocked *blocked, const Store *store,
						  BlockedBy what, const Datum *key);
extern void blocked_end(const Blocked *blocked);
extern BlockedBy blocked_by(PlanId id);

/* --- probe.c ----------------------------------------------------------- */

/* A search for rows of a table by their mailbox key */
typedef struct Probe
{
	Store	   *store;
	const KeyColumn *columns;	/* of the key: a mailbox's, or an account's */
	int			nkeys;
	Relation	rel;
	Relation	index;
	struct IndexScanDescData *scan;
	TupleTableSlot *slot;		/* the row that was found last; NULL: none */
	Buffer		visibility;		/* of the visibility map */
} Probe;

extern bool probe_begin(Probe *probe, Store *store, TableRole role,
						bool as_caller);
extern TupleTableSlot *probe_slot(Probe *probe);
extern bool probe_find(Probe *probe, const Datum *key);
extern bool probe_sees(Probe *probe, const Datum *key);
extern bool probe_meets(Probe *probe, const Datum *key);
extern void probe_rows(Probe *probe, const Datum *key);
extern bool probe_next_row(Probe *probe, int *entries);
extern void probe_end(Probe *probe);
extern bool probe_key(Store *store, TableRole role, const Datum *key);

/* --- planner.c --------------------------------------------------------- */

/*
 * A query of ours while it runs.  PostgreSQL may plan it again then, and plans
 * and starts others meanwhile; ours is the one whose text is at that address.
 */
typedef struct PlanRun
{
	const Store *store;
	PlanId		id;
	const char *text;
	bool		altered;		/* may triggers or rules of others have
								 * changed what it writes? */
} PlanRun;

extern PlanRun *plan_running;

extern bool plan_is_running(const char *text);
extern void planner_init(void);

/* --- omit.c ------------------------------------------------------------ */

extern void omit_row_triggers(const Store *store, TriggerDesc *desc);
extern void omit_statement_triggers(const Store *store, TriggerDesc *desc);
extern void omit_start_cascade(QueryDesc *query);

/* --- touch.c ----------------------------------------------------------- */

extern void touch_start(QueryDesc *query);

/* --- keep.c ------------------------------------------------------------ */

extern bool keep_plan(Store *store, StorePlan *plan, SPIPlanPtr spi,
					  int nparams, const Oid *types, uint64 events);
extern bool kept_plan_holds(const Store *store, const StorePlan *plan);
extern void kept_plan_run(const StorePlan *plan, const Datum *params,
						  Snapshot snapshot, bool read_only,
						  bool fire_triggers);

/* --- run.c ------------------------------------------------------------- */

/*
 * Bookkeeping runs as the owner of the table that it touches, the way that
 * foreign keys do; answers are read as the caller, in the caller's snapshot.
 */
typedef enum PlanMode
{
	PLAN_AS_OWNER,				/* new snapshot */
	PLAN_LATEST,				/* as owner; new also in REPEATABLE READ */
	PLAN_AS_CALLER,				/* new snapshot */
	PLAN_READ_AS_CALLER,		/* the caller's snapshot */
	PLAN_READ_AS_OWNER,			/* the caller's snapshot */
	PLAN_READ_COMMITTED			/* as owner: all but what we have done */
} PlanMode;

/* What restrict_end() needs to restore */
typedef struct Restriction
{
	Oid			user;
	int			security;
	int			nestlevel;		/* of settings; 0: nothing is restricted */
} Restriction;

/* May others have changed what the stamp that ran last has written? */
extern bool plan_altered;

extern void restrict_begin(Restriction *before, Oid user, bool restricted);
extern void restrict_end(const Restriction *before);
extern uint64 plan_run(Store *store, PlanId id, const Datum *params);
extern uint64 plan_execute(Store *store, PlanId id, Datum *params,
						   PlanMode mode);
extern uint64 plan_scan(Store *store, PlanId id, Oid relid);
extern int64 plan_get_number(uint64 row, int column);
extern bool plan_get_key(const Store *store, uint64 row, Datum *key);
extern bool plan_get_account(const Store *store, uint64 row, int column,
							 Datum *account);
extern bool plan_get_message(const Store *store, uint64 row, Datum *key,
							 int64 *uid, bool *live);
extern void run_init(void);

#endif							/* MODSEQ_QUERY_H */
