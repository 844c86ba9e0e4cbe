/*-------------------------------------------------------------------------
 *
 * store.h
 *	  What a store is.
 *
 * A "store" is a message table that modseq.attach() was called on, together
 * with its mailbox table, its table of vanished UIDs and perhaps a table of
 * flags.  A "mailbox key" is the value, or values, that identify a mailbox;
 * it is always held in the types of the mailbox table's key columns.
 *
 * From the ground up:
 *
 *	watch.c		which tables a cached Store depends on
 *	flags.c		whether a flag, or another column, changed; what is set
 *	key.c		reading rows: mailbox keys, numbers, the soft-delete column
 *	catalog.c	what the system catalogs say of a table
 *	shard.c		Citus: the tables that belong to a shard
 *	options.c	the configuration that attach() wrote
 *	find.c		from a table to the stores that name it
 *	shape.c		where rows have what we read and write
 *	column.c	from the name of a column to what the table has under it
 *	count.c		what a message adds to the counts of its mailbox
 *	build.c		configuration -> Store
 *	cache.c		the caches of Stores and of RowShapes
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_STORE_H
#define MODSEQ_STORE_H

#include "postgres.h"
#include "compat.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "nodes/plannodes.h"
#include "type/uidset.h"
#include "utils/rel.h"

/* Key columns that a mailbox or a message may have */
#define MODSEQ_MAX_KEYS		8

/* Parameters that one of our plans may have: a key, and what is set */
#define MODSEQ_MAX_PARAMS	(2 * MODSEQ_MAX_KEYS + 8)

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

/* Vanished rows do not fold by themselves */
#define VANISHED_KEEP_EVER	PG_INT64_MAX

/* The tables of a store */
typedef enum TableRole
{
	TABLE_NONE = -1,
	TABLE_MESSAGE,
	TABLE_MAILBOX,				/* it has the counters */
	TABLE_SOURCE,				/* whose side table that is, if it is one: the
								 * application's mailbox table */
	TABLE_FLAG,
	TABLE_VANISHED,
	TABLE_ACCOUNT,				/* the states of accounts */
	TABLE_DEPARTED,				/* what has left them */
	TABLE_UIDVALIDITY,			/* the values that were given, where Citus
								 * distributes the store */
	TABLE_ROLES					/* how many there are */
} TableRole;

/* A column of one of these tables */
typedef struct Column
{
	const char *name;			/* NULL: the store has none such */
	const char *quoted;			/* the same, ready for SQL */
	Oid			type;			/* not a domain */
	Oid			collation;
} Column;

/* The columns of a key, in the same order wherever it stands */
typedef struct Columns
{
	int			n;				/* 0: the store has none such */
	Column		column[MODSEQ_MAX_KEYS];
} Columns;

/*
 * Can the flags of a message change, in a table that names it by its key, by
 * one who does not see the message in a mailbox where it has just arrived?  See
 * ledger/shared.c.
 */
typedef enum FlagSharing
{
	FLAGS_OWN,					/* no: they refer to the message, which must
								 * be there first; or are not named by key */
	FLAGS_REFERRED,				/* yes, but messages refer to a row of theirs,
								 * which must be there first */
	FLAGS_SHARED				/* yes, and either may be there first */
} FlagSharing;

typedef struct StoreTable
{
	Oid			relid;			/* InvalidOid: the store has none such */
	const char *name;			/* qualified, ready for SQL */
	int			nkeys;			/* as many as the store has, or 0 */
	Column		key[MODSEQ_MAX_KEYS];	/* what mailbox a row is of */
	Column		account[MODSEQ_MAX_KEYS];	/* what account: as many as the
											 * store has, in the tables of
											 * mailboxes and accounts */
	bool		altered;		/* may others' triggers or rules change what
								 * we write there? */
	Oid			key_index;		/* one that finds the rows of a mailbox by its
								 * key as it is, or InvalidOid; of the tables
								 * that query/probe.c looks into */
} StoreTable;

/* What there is to know of values in a column of a mailbox key */
typedef struct KeyColumn
{
	Oid			type;			/* in the mailbox table; not a domain */
	int32		typmod;
	Oid			collation;
	int16		typlen;
	bool		typbyval;
	Oid			opfamily;		/* the btree family that orders it, */
	Oid			opcintype;		/* as that type */
	FmgrInfo	eq;				/* what is equal in it */
	FmgrInfo	cmp;			/* its order: the order of locking */
	FmgrInfo	hash;
	FmgrInfo	output;
} KeyColumn;

/* What is counted in a mailbox: its live messages */
typedef enum CountKind
{
	COUNT_MESSAGES,
	COUNT_SIZE,					/* their octets */
	COUNT_UNSEEN,
	COUNT_DELETED,
	COUNTS						/* how many there are */
} CountKind;

typedef struct Counts
{
	int64		n[COUNTS];		/* 0 where the store does not count that */
} Counts;

/* Which messages are seen, or deleted */
typedef struct CountedFlag
{
	Column		column;			/* of the message table; perhaps none */
	const char *flag;			/* its name there, or a bit; or NULL */
	int64		bits;			/* in a number: one of them is set */
	bool		inverse;		/* of a boolean: the flag is that it is false */
} CountedFlag;

/* Counts the changes of what a store depends on; it stays when that goes */
typedef struct Watch
{
	Oid			message_relid;	/* hash key */
	uint64		changes;
	List	   *objects;		/* hash values of functions and types */
} Watch;

/* One of our queries on a store, ready to run: see query/keep.c */
typedef struct StorePlan
{
	struct StorePlan *next;		/* of the same store */
	int			id;				/* as query/run.c counts them */
	SPIPlanPtr	spi;			/* NULL: not needed */
	PlannedStmt *statement;		/* NULL: SPI must keep it */
	const char *text;			/* of the statement */
	int			nparams;
	Oid		   *types;			/* of its parameters */
	struct SearchPathMatcher *path; /* that it holds for, or NULL for any */
} StorePlan;

/*
 * What attach() set up, read from the arguments of the store's triggers.  A
 * Store never changes, but for the first three fields: when one of its tables
 * does, a new one is built, and the old one remains readable until the end of
 * the transaction.
 */
typedef struct Store
{
	uint64		epoch;			/* another one when its keys mean something
								 * else: see store_get() */
	uint64		names;			/* watch_names, when its names were asked for */
	List	   *shapes;			/* the keys of its RowShapes, in cache.c */
	MemoryContext context;		/* that it lives in, with its RowShapes */
	Watch	   *watch;			/* what it depends on ... */
	uint64		changes;		/* ... and how often that had changed */
	Oid			message_relid;	/* what the store is known by */
	const char *known_as;		/* the name of that table; of a shard, of the
								 * whole */
	bool		distributed;	/* the rows are in shards, not here */
	int			distributed_by; /* which column of the mailbox key that is by,
								 * where TABLE_UIDVALIDITY has one */
	Oid			trigger_oid;	/* of the trigger that has the options */
	Oid			assign_function;	/* that it calls */
	Oid			open_function;	/* those for each statement call */
	Oid			flush_function;
	Oid			flag_function;	/* that of flag rows, if there are any */
	Oid			collect_oid;	/* of the one after each row */
	StoreTable	table[TABLE_ROLES];
	const char *counters;		/* the mailbox table, if it is one of ours
								 * beside the source; else NULL */
	bool		remembers;		/* then: messages can outlive their mailbox,
								 * whose counters stay */
	int			nkeys;
	KeyColumn	key[MODSEQ_MAX_KEYS];
	Column		uidvalidity;	/* of the mailbox table */
	Column		uidnext;
	Column		highestmodseq;
	bool		outlives;		/* may messages be there without their
								 * mailbox? */
	bool		has_last_uid;	/* uidnext holds the last UID, not the next */
	bool		uid_is_unique;	/* there is a unique index on mailbox and UID */
	Column		uid;			/* of the message table */
	Column		modseq;
	Column		created_modseq; /* perhaps none */
	Column		expunged;		/* the soft-delete column; perhaps none */
	List	   *flags;			/* names of its flag columns */
	Columns		message_key;	/* what flag_message refers to, or none */
	Columns		flag_message;	/* of the flag table, as many, or none */
	Oid			flag_key_type[MODSEQ_MAX_KEYS]; /* their types, for a query's
												 * parameters */
	bool		message_key_indexed;	/* has message_key an index? */
	FlagSharing sharing;
	bool		flags_cascade;	/* a cascade that deletes flags deletes their
								 * message */
	Column		flag_uid;		/* goes with a mailbox key, or none */
	List	   *flag_columns;	/* names; NIL: every column counts */
	bool		logs;			/* do vanished rows say what changed, too? */
	bool		notify;			/* send a notification at commit? */
	int64		vanished_keep;	/* vanished rows fold after so many
								 * microseconds, or VANISHED_KEEP_EVER */
	bool		has_accounts;	/* if not, nothing of what follows is there */
	int			naccounts;		/* columns of the account's key; 0: there is
								 * one account for the store */
	KeyColumn	account_key[MODSEQ_MAX_KEYS];	/* in the mailbox table */
	Column		email;			/* of the message table: what Email it is */
	Column		thread;			/* and of what Thread; perhaps none */
	bool		email_is_unique;	/* each has one row of messages */
	List	   *properties;		/* columns of the application's mailbox table;
								 * NIL: all that are not named otherwise */
	Column		mailbox_created_modseq; /* of the table with the counters */
	Column		properties_modseq;
	bool		has_counts;		/* if not, nothing of what follows is there */
	Column		count[COUNTS];	/* of the table with the counters; perhaps
								 * none */
	Column		size;			/* of the message table: its octets */
	CountedFlag seen;
	CountedFlag deleted;
	StorePlan  *plans;			/* of the queries that have run */
} Store;

/* Can messages be there without their mailbox, by whatever of the two? */
static inline bool
store_keeps_messages(const Store *store)
{
	return store->outlives || store->remembers;
}

/* What the application knows as its mailbox table */
static inline const StoreTable *
store_mailbox_table(const Store *store)
{
	return &store->table[store->counters != NULL ? TABLE_SOURCE :
						 TABLE_MAILBOX];
}

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
	FmgrInfo	out;			/* of flag_describe(): of a scalar, or of an */
	bool		sends;			/* element; in bytes, not as text */
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
	int			nmessage_keys;	/* if flags name messages by their key; in the
								 * message table, only if they are shared */
	AttrNumber	message_key[MODSEQ_MAX_KEYS];
	AttrNumber	uidvalidity;
	Oid			uidvalidity_type;
	AttrNumber	uidnext;
	Oid			uidnext_type;
	AttrNumber	highestmodseq;
	AttrNumber	gone_at;
	KeyAttribute account[MODSEQ_MAX_KEYS];	/* in rows of mailboxes and of
											 * accounts */
	AttrNumber	email;			/* in messages */
	Oid			email_type;
	AttrNumber	thread;
	Oid			thread_type;
	AttrNumber	properties_modseq;	/* beside created_modseq, in counters */
	AttrNumber	epoch;			/* in rows of accounts, and the next four */
	AttrNumber	email_modseq;
	AttrNumber	thread_modseq;
	AttrNumber	mailbox_modseq;
	AttrNumber	floor;
	AttrNumber	count[COUNTS];	/* in rows of the mailbox table */
	Oid			count_type[COUNTS];
	AttrNumber	size;			/* in messages, and the next two */
	Oid			size_type;
	AttrNumber	seen;
	AttrNumber	deleted;
	bool		plain;			/* the counters can be written without SQL */
	int			nflags;
	FlagAttribute *flags;
	int			nproperties;	/* in rows of the application's mailbox table */
	AttrNumber *properties;
} RowShape;

/* --- cache.c ----------------------------------------------------------- */

extern Store *store_get(Oid message_relid);
extern RowShape *shape_get(Relation rel, TableRole role, Trigger *trigger);
extern RowShape *shape_find(Relation rel, TableRole role);
extern Store *store_of_table(Oid relid, TableRole role);
extern bool store_is_strangers(const Store *store, Oid relid);
extern void store_at_transaction_end(void);
extern void store_init(void);

/* --- column.c ---------------------------------------------------------- */

extern void store_column(Store *store, TableRole role, Column *column);
extern void store_number(Store *store, TableRole role, Column *column,
						 bool is_modseq);
extern void store_key_index(Store *store, TableRole role);
extern void store_key_column(Store *store, const Column *column,
							 KeyColumn *key);
extern void store_check_same_key(const Store *store, const Column *a,
								 const Column *b);

/* --- count.c ----------------------------------------------------------- */

extern void count_build(Store *store);
extern void count_message(const RowShape *shape, HeapTuple row,
						  TupleDesc desc, Counts *counts);
extern void count_row(const RowShape *shape, HeapTuple row, TupleDesc desc,
					  Counts *counts);
extern bool count_may_differ(const RowShape *shape, HeapTuple old,
							 HeapTuple new, TupleDesc desc);

/* --- build.c ----------------------------------------------------------- */

extern Store *store_build(Relation rel, Trigger *trigger, Watch *watch,
						  MemoryContext context);
extern Store *store_describe(Relation rel, char **options, int n);
extern Store *store_outline(Oid relid, TableRole role);

/* --- shape.c ----------------------------------------------------------- */

extern List *shape_flag_columns(Relation rel, const Store *store);
extern RowShape *shape_build(Relation rel, TableRole role, Store *store);

/* --- catalog.c --------------------------------------------------------- */

/* The functions of the row triggers by which a table's role is known */
extern const char *const role_triggers[TABLE_ROLES];

extern Oid	uidset_oid(void);
extern Oid	relation_owner(Oid relid);
extern Oid	relation_file(Oid relid);
extern char *relation_name(Oid relid);
extern bool relation_inherits(Oid relid);
extern bool relation_alters_rows(Oid relid, bool by_any_trigger);
extern bool relation_has_trigger(Oid relid, const char *function);
extern TableRole relation_role(Oid relid);
extern TableRole relation_own_role(Oid relid);
extern TableRole partition_role(Oid relid);
extern Oid	our_function(const char *function);
extern Trigger *relation_find_trigger(Relation rel, const char *function);
extern char *relation_message_table(Relation rel);
extern Oid	table_named(const char *name);
extern bool foreign_key_exists(Oid child, List *columns, Oid parent,
							   List *referenced);
extern bool cascade_is_only_from(Oid child, List *columns, Oid parent,
								 List *referenced);
extern bool unique_index_exists(Relation rel, List *columns);
extern bool index_finds(Oid relid, Oid indexid, List *columns);
extern bool key_index_exists(Relation rel, List *columns);
extern bool relation_refers(Oid child, List *columns, Oid parent,
							List *referenced);
extern Oid	equality_operator(Oid column, Oid param, Oid *param_type);

/* --- shard.c ----------------------------------------------------------- */

/* How Citus distributes a table */
typedef struct Distribution
{
	char		method;			/* DISTRIBUTION_HASH, or others */
	int32		colocation;		/* the group; 0: it is in none */
	AttrNumber	column;			/* by which it does; 0: it has one shard */
} Distribution;

#define DISTRIBUTION_HASH	'h'
#define DISTRIBUTION_NONE	'n'

extern bool table_distribution(Oid relid, Distribution *distribution);
extern char *name_of_shard(const char *name, int64 shard);
extern char *shard_qualified_name(Oid relid, int64 shard);
extern Oid	shard_whole(Oid relid);
extern const char *name_beside(Oid relid, const char *name);
extern Oid	table_beside(Oid relid, const char *name);
extern char *relation_known_as(Oid relid);
extern int64 shard_for_hash(Oid relid, int32 hash);
extern Oid	shard_here(Oid relid, int64 shard);
extern bool session_of_citus(void);
extern bool citus_arranges(Oid relid);

/* --- find.c ------------------------------------------------------------ */

extern List *stores_naming(Oid relid);
extern bool relation_is_untold(Oid relid);
extern List *relations_of_type(Oid type);

/* --- options.c --------------------------------------------------------- */

extern const char *option_table(const char *option);
extern void options_parse(Store *store, char **options, int n);
extern void store_out_of_date(Oid message_relid, const char *detail,
							  const char *name);
extern int	errdetail_not_kept(const Store *store, TableRole role);

/* --- key.c ------------------------------------------------------------- */

extern List *column_names(const Columns *columns);
extern void column_types(const Columns *columns, Oid *types);
extern bool column_is_named(const Column *column, const char *name);
extern bool store_has_number(const Store *store, const char *name);
extern bool key_has_column(const Column *key, int n, const char *name);
extern bool row_get_key(const RowShape *shape, HeapTuple tuple,
						TupleDesc desc, Datum *key);
extern bool row_get_account(const RowShape *shape, HeapTuple tuple,
							TupleDesc desc, Datum *account);
extern int	account_compare(const Store *store, const Datum *a,
							const Datum *b);
extern uint32 account_hash(const Store *store, const Datum *account);
extern Datum *account_copy(const Store *store, const Datum *account);
extern char *account_text(const Store *store, const Datum *account);
extern bool account_text_is_plain(const Store *store, const Datum *account);
extern int64 row_int64(Datum datum, Oid type);
extern bool row_get_int64(HeapTuple tuple, TupleDesc desc, AttrNumber attnum,
						  Oid type, int64 *value);
extern int64 effective_uidnext(const Store *store, bool isnull, int64 value);
extern int64 effective_highestmodseq(bool isnull, int64 value);
extern void row_get_counters(const RowShape *shape, HeapTuple tuple,
							 TupleDesc desc, int64 *uidnext,
							 int64 *highestmodseq);
extern Datum row_make_int64(int64 value, Oid type);
extern bool row_is_expunged(const RowShape *shape, HeapTuple tuple,
							TupleDesc desc);
extern HeapTuple row_replace(HeapTuple row, TupleDesc desc, int n,
							 const int *columns, const Datum *values,
							 const bool *nulls);
extern bool key_equal(const Store *store, const Datum *a, const Datum *b);
extern int	key_compare(const Store *store, const Datum *a, const Datum *b);
extern uint32 key_hash(const Store *store, const Datum *key);
extern Datum *key_copy(const Store *store, const Datum *key);
extern char *key_text(const Store *store, const Datum *key);
extern bool key_text_is_plain(const Store *store, const Datum *key);
extern bool row_get_message_key(const RowShape *shape, HeapTuple tuple,
								TupleDesc desc, Datum *key);
extern bool row_same_message_key(const RowShape *shape, HeapTuple old,
								 HeapTuple new, TupleDesc desc);

/* --- flags.c ----------------------------------------------------------- */

extern bool row_flags_differ(const RowShape *shape, HeapTuple old,
							 HeapTuple new, TupleDesc desc, bool before);
extern Oid	flag_element(Oid type, Oid *compare);
extern void flag_describe(FlagAttribute *flag, Oid type);
extern void flag_append(StringInfo buf, const FlagAttribute *flag,
						const char *name, Datum value, bool isnull);
extern bool row_column_differs(HeapTuple old, HeapTuple new, TupleDesc desc,
							   AttrNumber attnum);
extern bool row_properties_differ(const RowShape *shape, HeapTuple old,
								  HeapTuple new, TupleDesc desc);

/* --- watch.c ----------------------------------------------------------- */

/* Counts the schemas that were renamed, or created or dropped */
extern uint64 watch_names;

/* Counts all changes that we are told of, whether or not they are watched */
extern uint64 watch_events;

/* Has a store changed, since somebody set this to false? */
extern bool watch_news;

extern Watch *watch_of(Oid message_relid);
extern void watch_table(Watch *watch, Oid relid);
extern void watch_object(Watch *watch, int cacheid, uint32 hashvalue);
extern void watch_no_object(Watch *watch);
extern void watch_init(void);

#endif							/* MODSEQ_STORE_H */
