/*-------------------------------------------------------------------------
 *
 * ledger.h
 *	  What a transaction knows of mailboxes, and what it owes them.
 *
 * From the ground up:
 *
 *	incarnation.c	which life of the server this is
 *	place.c		where the versions of a mailbox's row are
 *	departures.c	what leaves an account, as a statement collects it
 *	level.c		what is known and owed, level by level
 *	mailbox.c	mailboxes and their names
 *	source.c	the rows of a side table, beside those of its source
 *	notify.c	wake-ups for clients that wait
 *	keys.c		keys of messages, as a statement collects them
 *	statement.c	what one SQL statement changed
 *	counts.c	how many messages a mailbox has: what is owed to its counts
 *	direct.c		writing the counters, and their key, without SQL
 *	seek.c		rows that are found, and locked, without SQL
 *	departed.c	the table of what has left an account
 *	account.c	the account lock; one value an account and statement
 *	counter.c	the mailbox lock; handing out mod-sequences
 *	settle.c	writing them, when the statement is over
 *	uid.c		handing out UIDs, and judging those that were chosen
 *	fold.c		old rows of the table of vanished UIDs become one
 *	vanished.c	that table
 *	changes.c	the log of changes, which is in it
 *	unused.c	UIDs below UIDNEXT that no message has had
 *	deserted.c	messages that a renamed mailbox has left behind
 *	row.c		what became of rows of the mailbox table
 *	crossing.c	rows that go from one partition to another, or come with one
 *	shared.c	a message arrives while its flags change: who waits for whom
 *	returned.c	messages that are taken out and put back
 *	flagged.c	from rows of a flag table to messages
 *	complete.c	a statement's completion: all that it owes is written
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_LEDGER_H
#define MODSEQ_LEDGER_H

#include "query/query.h"

/* Where a version of a row is */
typedef struct RowPlace
{
	Oid			relid;			/* InvalidOid: nowhere */
	Oid			file;			/* another when the table is written anew */
	ItemPointerData tid;
} RowPlace;

/* What there is a state of, in an account */
typedef enum AccountState
{
	STATE_EMAIL,
	STATE_THREAD,
	STATE_MAILBOX,
	ACCOUNT_STATES
} AccountState;

#define STATE_CHANGED(state)	(1 << (state))

/*
 * Counters and Work: what a nest level knows of a mailbox, and what the
 * statement in progress there owes it.
 *
 * A level begins with a copy of the outer level's Counters, and with no Work.
 * If it aborts, both are dropped: the row is rolled back at that moment, and
 * so is what we know of it.  If it commits, its Counters are the outer
 * level's.  Its Work is done by then (see statement_check_complete()), but for
 * what waits for messages to follow their mailbox; or a statement of an outer
 * level is in progress, and the Work is that one's.
 *
 *	Counters		set by									cleared by
 *	--------------	--------------------------------------	-----------------
 *	name			the first look-up, a rename				-
 *	account			the lock, the row's triggers			-
 *	leaving			a message that arrives under the old	hearing of it
 *					key of a mailbox
 *	gone			DELETE, TRUNCATE						the lock, a rename
 *	locked,			the lock, any UPDATE of the row			gone, key taken
 *	remembered
 *	first, place	the same, and INSERT					gone
 *	uidnext,		the same, and settling					-
 *	highestmodseq
 *	unseen			the first lock, also of an account		gone
 *	next_uid		the same, and each UID handed out		settling, gone
 *	given			each UID handed out						gone
 *	reserved		the first UID below UIDNEXT, INSERT,	gone
 *					a rename
 *	left_from,		the first value of an incarnation		gone
 *	left_out
 *	arrived			each UID that arrives					gone
 *	met				the lock, if the row was not known yet	gone
 *	committed_		the first UID that may return, INSERT	gone
 *	modseq
 *	state			the lock of an account, settling		-
 *
 *	Work			set by									cleared by
 *	--------------	--------------------------------------	-----------------
 *	listed			whatever there is to write				before settling
 *	value, used,	the first change, rows that went in		settling
 *	landed
 *	arrivals		rows that went in						unused_settle(),
 *															settling
 *	accounted		unused_settle()						settling
 *	settling		settling								the same
 *	is_adding,		the same, and the lock if it raises		the same
 *	adding, told
 *	logged			rows that went in with a new value,		changes_log()
 *					stamping
 *	unused			an UPDATE that raises UIDNEXT, INSERT	unused_settle()
 *	returning		a used UID that the application chose	returned_settle()
 *	issued			with value								-
 *	entered			the first value of an incarnation		settling
 *	appended		the vanished row						-
 *	owed			row triggers; lost: the first value of	its writing
 *					an incarnation; recount: the mailbox
 *					row's triggers
 *	lock_stamped,	with owed.stamped						with it
 *	restamp
 *	waiting			completion, if there is no such row		vanished, lost: a
 *					under the key; row triggers, for		rename
 *					messages that may be still to follow
 *	guess			the first change without the lock		-
 *	renumbering		renumber_messages()						the same
 *	followed		each message that follows				-
 *	missing			unused_settle(), of a renamed mailbox	-
 *	changed			row triggers, stamping, the mailbox's	settling
 *					for its account's
 *	departed		row triggers							being handed to the
 *															account; its writing
 *	late			completion, as waiting					a rename
 *	begun			row triggers, an undeleted mailbox		stamping
 *	appeared		rows that went in						settling
 *	left			a rename								deserted_settle()
 *	went			the mailbox row's triggers				being handed
 *	made, altered,	the same								settling
 *	revived
 *	least			a HIGHESTMODSEQ that is not of ours		settling
 */
typedef struct Counters
{
	struct MailboxName *name;	/* its key, as far as we know */
	struct Mailbox *account;	/* whose it is; NULL: not known yet, or none */
	struct MailboxName *leaving;	/* its key until the query in progress has
									 * renamed it; or NULL */
	bool		gone;			/* deleted */
	bool		locked;			/* the row lock is ours */
	bool		remembered;		/* only the counters are there: see source.c */
	bool		deserted;		/* what is left under keys that it had has
								 * departed */
	RowPlace	first;			/* the oldest version of the row, and the */
	RowPlace	place;			/* newest, that we know of */

	/* Valid while locked */
	int64		uidnext;		/* as the row has it */
	int64		highestmodseq;	/* as the row has it */
	int64		unseen;			/* mod-sequences from there on are this
								 * transaction's, nobody else has seen them */
	int64		next_uid;		/* the next UID to hand out */
	int64		given;			/* 1 + highest UID that was handed out, or 0 */
	int64		reserved;		/* UIDNEXT before this transaction, or as it
								 * made the row; 0: unknown */
	int64		left_from;		/* UIDs from there on, below left_out, were */
	int64		left_out;		/* left out as it began an incarnation; or 0 */
	int64		arrived;		/* 1 + highest UID that arrived in it, or 0 */
	int64		met;			/* UIDNEXT when we locked the row and had not
								 * heard of it, or 0 */
	bool		has_committed;
	int64		committed_modseq;	/* HIGHESTMODSEQ before this transaction */
	int64		state[ACCOUNT_STATES];	/* of an account: as the row has them */
} Counters;

/* UIDs of messages that something is to be done to, or is to be told of */
typedef struct Changes
{
	UidBuilder	stamped;		/* they still need value */
	UidBuilder	vanished;		/* they left the mailbox */
	UidBuilder	undeleted;		/* they need another UID */
	int64		lost;			/* HIGHESTMODSEQ before a value of another
								 * incarnation was taken, or 0; */
	int64		lost_from;		/* UIDs from there on, below lost_to, were */
	int64		lost_to;		/* left out then */
	Counts		counts;			/* to be added to those in the row; */
	bool		recount;		/* or in place of that all is counted anew */
} Changes;

typedef struct Work
{
	bool		listed;			/* in Statement.mailboxes? */
	int64		value;			/* its mod-sequence, 0: none taken yet */
	bool		used;			/* a row really carries value */
	int64		landed;			/* 1 + highest UID that really went in, or 0 */
	UidBuilder	arrivals;		/* the UIDs that really went in; of those
								 * below accounted, the vanished rows know
								 * already */
	int64		accounted;
	UidBuilder	logged;			/* those that got a value, to be logged; or
								 * more, up to all */
	int64		settling;		/* UIDNEXT, while settling writes it, or 0 */
	bool		is_adding;		/* SQL of ours adds to its counts; */
	Counts		adding;			/* what row triggers have not told of yet; */
	int			told;			/* of how many changes they have */
	UidBuilder	unused;			/* the application has raised UIDNEXT past
								 * them */
	UidBuilder	returning;		/* used ones of messages that may be back */
	int64		issued;			/* the last value taken, by any statement */
	int64		entered;		/* UIDNEXT as it began an incarnation, past
								 * the gap, or 0 */
	int64		appended;		/* the last value in the vanished table */
	Changes		owed;
	bool		lock_stamped;	/* owed.stamped may not be locked, nor be
								 * there */
	bool		restamp;		/* some of owed.stamped do not carry guess */
	Changes		waiting;		/* for us to hear of the mailbox's new key;
								 * messages also to get that key themselves */
	int64		guess;			/* what value may become, 0: not guessed yet;
								 * rows may carry it though we hold the lock
								 * by now */
	const UidSet *renumbering;	/* those of owed.undeleted that get another
								 * UID right now */
	UidBuilder	followed;		/* messages that came along when it was
								 * renamed */
	UidBuilder	missing;		/* vanished, unless messages that are still to
								 * follow have them */
	List	   *left;			/* keys that it had, where messages may be */

	/* Where there are accounts; an account has value, used and listed, too */
	int			changed;		/* bits: of what states something changed */
	struct Departures *departed;	/* NULL: none */
	struct Departures *late;	/* the same, of a mailbox whose new key we are
								 * still to hear of */
	UidBuilder	begun;			/* of owed.stamped: they need created_modseq,
								 * too */
	UidBuilder	appeared;		/* messages of Emails that may be new to the
								 * account */
	bool		went;			/* the mailbox is gone since */
	bool		made;			/* the mailbox was created, (in an account: an
								 * Email may have appeared,) */
	bool		revived;		/* made, and was not there: what was in it has
								 * departed before */
	bool		altered;		/* or properties of it changed */
	int64		least;			/* of an account: HIGHESTMODSEQ is no less */
} Work;

typedef struct MailboxLevel
{
	int			level;			/* GetCurrentTransactionNestLevel() */
	struct MailboxLevel *outer;
	struct MailboxLevel *older; /* of any mailbox; see inner_levels */
	struct Mailbox *mailbox;
	Counters	counters;
	Work		work;
} MailboxLevel;

/*
 * A mailbox is an object; it has no key of its own, but names refer to it.
 *
 * An account is a row of counters like a mailbox's, which is locked, known and
 * written in the same way; so it is such an object, too.  It has a key, which
 * never changes, and no names.
 */
typedef struct Mailbox
{
	Oid			message_relid;	/* the store */
	uint64		epoch;			/* of the store, when it was first heard of */
	const Datum *account_key;	/* of an account; else NULL */
	MailboxLevel *level;		/* the innermost that knows it */
	struct MailboxName *notified;	/* the name under which notify.c noted it */
	struct Mailbox *next;		/* of all that there are */
} Mailbox;

/* A key of a store, and the mailbox that has it, or has had it last */
typedef struct MailboxName
{
	struct MailboxName *next;	/* its key has the same hash */
	Datum	   *key;
	Mailbox    *mailbox;		/* NULL: none that we know of */
} MailboxName;

/* --- incarnation.c ------------------------------------------------------- */

/* A life of the server: see there */
typedef struct Incarnation
{
	int64		modseq;			/* what it hands out is above; 0: no limit */
	int64		uid_gap;		/* so many UIDs a mailbox leaves out */
} Incarnation;

/* No number of an incarnation is below, nor does anybody count so far */
#define LEAST_JUMP	(INT64CONST(1) << 40)

extern const Incarnation *incarnation_current(void);
extern bool incarnation_is_not_first(void);
extern bool incarnation_may_follow(int64 highestmodseq);
extern int64 incarnation_next(int64 highest);
extern int64 incarnation_begin(int64 above);
extern void incarnation_first(void);
extern void incarnation_changed(Oid relid);
extern void incarnation_subtransaction_end(bool commit);
extern void incarnation_transaction_end(bool commit);
extern void incarnation_init(void);

/* --- place.c ----------------------------------------------------------- */

extern RowPlace row_place(Relation rel, HeapTuple row);
extern bool row_place_equal(const RowPlace *a, const RowPlace *b);
extern bool row_place_is_known(const RowPlace *place, const RowPlace *now);
extern bool row_is_ours(HeapTuple row);
extern bool row_was_replaced(HeapTuple row);
extern RowPlace row_place_newest(const RowPlace *place,
								 const RowPlace *until);
extern HeapTuple row_newest(Relation rel, const RowPlace *place);
extern bool row_place_is_ours(const RowPlace *place, bool updated);
extern void row_takes_key(TableRole role, HeapTuple row, bool renamed);
extern bool row_leaves_key(Store *store, TableRole role, const Datum *key,
						   HeapTuple old, bool renamed);
pg_noreturn extern void row_key_taken(Store *store, const Datum *key);
extern void place_transaction_end(void);

/* --- departures.c ------------------------------------------------------ */

/* A message as its account knows it */
typedef struct Membership
{
	Datum		email;
	Datum		thread;
	bool		has_thread;
	int64		created;		/* its created_modseq */
	bool		stays;			/* the Email stays in the account, and in its
								 * Thread, by the same row */
} Membership;

/* What left an account */
typedef struct Departures
{
	MemoryContext context;		/* that they live in */
	struct ArrayBuildState *emails; /* of messages, */
	struct ArrayBuildState *threads;	/* beside each; NULL: none has any */
	struct ArrayBuildState *created;	/* beside each */
	bool	   *stays;			/* beside each */
	int			size;			/* of that array */
	int			nlost;			/* of which the Email may not stay */
	struct ArrayBuildState *mailboxes;	/* names of mailboxes that went, */
	struct ArrayBuildState *mailboxes_created;	/* beside each */
} Departures;

extern bool departures_read(const RowShape *shape, HeapTuple row,
							TupleDesc desc, Membership *membership);
extern void departures_add(const Store *store, MemoryContext parent,
						   Departures **list, const Membership *membership);
extern void departures_add_mailbox(const Store *store, MemoryContext parent,
								   Departures **list, Datum name,
								   int64 created);
extern void departures_move(Departures **from, Departures **to);
extern void departures_drop_messages(Departures **list);
extern void departures_drop(Departures **list);
extern int	departures_count(const Departures *list);
extern Datum departures_array(struct ArrayBuildState *state, Oid type,
							  int first, int n);
extern Datum departures_lost(const Departures *list,
							 struct ArrayBuildState *state, Oid type,
							 int64 modseq);

/* --- level.c ----------------------------------------------------------- */

extern MemoryContext level_memory(void);
extern Counters *mailbox_counters(Mailbox *mailbox);
extern Work *mailbox_work(Mailbox *mailbox);
extern int64 mailbox_guess(const Mailbox *mailbox);
extern void mailbox_move_uids(UidBuilder *from, UidBuilder *to);
extern void mailbox_move_lost(Changes *from, Changes *to);
extern void mailbox_move_counts(Changes *from, Changes *to);
extern void mailbox_drop_counts(Changes *changes);
extern void mailbox_move_changes(Changes *from, Changes *to);
extern void mailbox_merge_work(Work *from, Work *to);
extern void level_subtransaction_end(int level, bool commit);
extern void level_transaction_end(void);

/* --- mailbox.c --------------------------------------------------------- */

extern Mailbox *mailbox_find(Store *store, const Datum *key);
extern Mailbox *mailbox_get(Store *store, const Datum *key);
extern Mailbox *mailbox_with_key(Store *store, const Datum *key);
extern void mailbox_leaves(Store *store, Mailbox *mailbox, const Datum *key);
extern const Datum *mailbox_key(Mailbox *mailbox);
extern bool mailbox_has_key(Store *store, Mailbox *mailbox, const Datum *key);
extern bool mailbox_has_name(Mailbox *mailbox);
extern void mailbox_claim_name(Mailbox *mailbox);
extern bool mailbox_follows(Store *store, const Datum *from, const Datum *to);
extern List *mailbox_locked(Store *store, bool any);
extern Mailbox *mailbox_of_row(Store *store, const Datum *key,
							   const RowPlace *place);
extern Mailbox *mailbox_of_replaced(Store *store, const Datum *key,
									const RowPlace *place);
extern Mailbox *mailbox_take(Store *store, const Datum *key, Mailbox *mailbox);
extern void mailbox_subtransaction_end(int level, bool commit);
extern void mailbox_transaction_end(void);

/* --- source.c ---------------------------------------------------------- */

extern bool source_has_messages(Store *store, const Datum *key,
								int64 uidnext);
extern bool source_supply(Store *store, Mailbox *mailbox);
extern void source_add(Store *store, const Datum *key);
extern void source_remove(Store *store, Datum *key);
extern void source_look(Store *store, Datum *key);
extern bool source_is_remembered(Store *store, const Datum *key);
extern bool source_meets_messages(Store *store, const Datum *keys);
extern bool source_rename(Store *store, Datum *keys, bool counted);
extern void source_check_gone(Store *store, const Datum *key);
extern void source_clear(Store *store);

/* --- notify.c ---------------------------------------------------------- */

extern void notify_note(const Store *store, Mailbox *mailbox);
extern void notify_note_account(const Store *store, Mailbox *account);
extern void notify_gone(const Store *store, const Datum *key);
extern void notify_subtransaction_end(int level, bool commit);
extern void notify_at_commit(void);
extern void notify_transaction_end(void);

/* --- statement.c ------------------------------------------------------- */

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
} Crossings;

/* By what triggers, or functions of ours, a statement is opened and closed */
typedef enum StatementKind
{
	STATEMENT_INSERT,
	STATEMENT_UPDATE,
	STATEMENT_DELETE,
	STATEMENT_OTHER,
	STATEMENT_KINDS
} StatementKind;

/* What the SQL statement in progress has changed and owes */
typedef struct Statement
{
	int			level;			/* the nest level that it belongs to */
	int			open[STATEMENT_KINDS];	/* how many are open */
	bool		completing;
	MemoryContext context;
	List	   *mailboxes;		/* Mailboxes with something to write */
	List	   *flagged;		/* MessageKeys: messages whose flag rows
								 * changed */
	List	   *arrived;		/* MessageKeys: messages that arrived, whose
								 * flags are shared */
	Crossings	crossings;
	struct Statement *outer;	/* of an outer nest level */
} Statement;

/* Keys of messages, of one store: see keys.c */
typedef struct MessageKeys
{
	Oid			message_relid;
	MemoryContext context;		/* that they live in */
	int			ncolumns;		/* of a key */
	struct ArrayBuildState *column[MODSEQ_MAX_KEYS];
	bool		came;			/* some of their flag rows are new to them */
} MessageKeys;

extern Statement *statement_current(void);
extern void statement_drop(void);
extern void statement_open(StatementKind kind);
extern bool statement_is_open(const Statement *statement);
extern bool statement_is_completing(void);
extern Crossings *statement_crossings(void);
pg_noreturn extern void statement_store_changed(const Store *store);
extern void statement_list(Mailbox *mailbox);
extern void statement_vanish(Mailbox *mailbox, int64 uid);
extern void statement_depart(const Store *store, Mailbox *mailbox,
							 const Membership *membership);
extern void statement_vanish_set(Mailbox *mailbox, const UidSet *set);
extern void statement_renumber(Store *store, const Datum *key, int64 uid);
extern bool statement_will_renumber(const Mailbox *mailbox, int64 uid);
extern void statement_stamp(Store *store, const Datum *key, int64 uid);
extern void statement_stamp_set(Store *store, const Datum *key,
								const UidSet *set);
extern void statement_stamp_below(Store *store, const Datum *key,
								  int64 uidnext);
extern void statement_begin_below(Store *store, const Datum *key,
								  int64 uidnext);
extern void statement_stamped(Store *store, const Datum *key, int64 uid);
extern void statement_stamp_flagged(Store *store, const Datum *key,
									int64 uid);
extern void statement_stamp_by_key(Store *store, const Datum *message_key,
								   bool came);
extern MessageKeys *statement_arrived(Store *store, const Datum *message_key);
extern void statement_follow(Store *store, const Datum *to, int64 uid);
extern bool statement_has_followed(Mailbox *mailbox, int64 uid);
extern void statement_changed(const Store *store, Mailbox *mailbox,
							  const UidRange *ranges, int n);
extern void statement_all_changed(const Store *store, Mailbox *mailbox);
extern void statement_forget_stamped(Work *work);
extern void statement_wait(Mailbox *mailbox);
extern bool statement_is_nested(const Statement *statement);
extern bool statement_is_contained(void);
extern bool statement_updates(void);
extern void statement_check_complete(int level);
extern void statement_subtransaction_end(int level, bool commit);
extern void statement_transaction_end(void);

/* --- counts.c ---------------------------------------------------------- */

extern bool counts_are_owed(const Changes *changes);
extern void counts_add(Store *store, const Datum *key, const Counts *counts);
extern void counts_subtract(Store *store, const Datum *key,
							const Counts *counts);
extern void counts_renew(Store *store, Mailbox *mailbox);
extern void counts_count(Store *store, Mailbox *mailbox);
extern Counts counts_take(Mailbox *mailbox);
extern void counts_begin(const Store *store, Mailbox *mailbox,
						 const Counts *counts, Datum *params);
pg_noreturn extern void counts_not_written(Store *store, Mailbox *mailbox);
extern void counts_end(Store *store, Mailbox *mailbox);
extern void counts_row_changed(Mailbox *mailbox, const RowShape *shape,
							   HeapTuple old, HeapTuple new, TupleDesc desc);

/* --- direct.c ---------------------------------------------------------- */

/* What the row of a mailbox, or of an account, is to have */
typedef struct CounterValues
{
	int64		uidnext;		/* as it is stored; not of an account */
	int64		highestmodseq;
	int64		created_modseq; /* 0: as it is */
	int64		properties_modseq;	/* 0: as it is */
	int64		state[ACCOUNT_STATES];	/* of an account */
	Counts		counts;			/* to be added; not of an account */
} CounterValues;

extern bool direct_write(Store *store, Mailbox *mailbox,
						 const CounterValues *values);
extern bool direct_rename(Store *store, const Datum *from, const Datum *to,
						  HeapTuple *old, HeapTuple *new);
extern bool direct_read(Probe *probe, const Datum *key);

/* --- seek.c ------------------------------------------------------------ */

/* The row of an account: HIGHESTMODSEQ, and its states */
typedef struct AccountRow
{
	RowPlace	place;
	int64		number[1 + ACCOUNT_STATES];
} AccountRow;

/* The row of a mailbox's counters */
typedef struct CounterRow
{
	RowPlace	place;
	int64		uidnext;
	int64		highestmodseq;
	bool		gone;			/* only remembered: see source.c */
} CounterRow;

extern void counter_read_row(const Store *store, HeapTuple tuple,
							 TupleDesc desc, int64 *uidnext,
							 int64 *highestmodseq);
extern void counter_read_locked(const Store *store, CounterRow *row);
extern bool seek_account_of(Store *store, const Datum *key, Datum *account,
							RowPlace *place);
extern bool seek_lock(Store *store, const Datum *key, const RowPlace *place,
					  CounterRow *result);
extern bool seek_account(Store *store, const Datum *account, bool lock,
						 AccountRow *result);

/* --- departed.c -------------------------------------------------------- */

extern void departed_add_mailbox(Store *store, Mailbox *mailbox,
								 const Datum *key, int64 created);
extern void departed_add_left(Store *store, Mailbox *mailbox,
							  const Datum *key);
extern bool departed_already(Store *store, Mailbox *mailbox, const Datum *key);
extern bool departed_was_guessed(Store *store, Mailbox *mailbox,
								 const Datum *key, int64 uid,
								 int64 created);
extern void departed_spare_followed(Mailbox *mailbox);
extern void departed_add_arrays(Store *store, Mailbox *mailbox,
								const Datum *arrays);
extern void departed_write(Store *store, Mailbox *account, int64 value);
extern bool departed_changes_threads(Store *store, Mailbox *account);
extern bool departed_has_new_email(Store *store, Mailbox *mailbox,
								   Mailbox *account, int64 value);

/* --- account.c --------------------------------------------------------- */

extern Mailbox *account_get(Store *store, const Datum *key);
extern Mailbox *account_of(Store *store, Mailbox *mailbox);
extern int	account_compare_mailboxes(Store *store, Mailbox *a, Mailbox *b);
extern bool account_lock_mailbox(Store *store, Mailbox *mailbox,
								 CounterRow *row);
extern void account_lock(Store *store, Mailbox *account);
extern int64 account_guess(Store *store, Mailbox *mailbox);
extern int64 account_modseq(Store *store, Mailbox *account, int64 least);
extern void account_used(Mailbox *account, int64 value, int changed);
extern void account_cover(Store *store, Mailbox *mailbox, int64 highest);
extern void account_tell(Store *store, Mailbox *mailbox, CounterValues *values);
extern bool account_hand(Store *store, Mailbox *mailbox);
extern void account_settle(Store *store, Mailbox *account);
extern void account_transaction_end(void);

/* --- counter.c --------------------------------------------------------- */

/* What becomes of a UID that the application chose */
typedef enum UidVerdict
{
	UID_ACCEPTED,
	UID_TAKEN,					/* by the message in whose way the row is */
	UID_RETURNS					/* with its message, which was taken out */
} UidVerdict;

extern void counter_know(Counters *counters, const RowPlace *place,
						 int64 uidnext, int64 highestmodseq);
extern void counter_check_vacant(Store *store, const Datum *key, bool renamed,
								 int64 uidnext);
extern bool counter_lock(Store *store, Mailbox *mailbox);
extern bool counter_lock_existing(Store *store, Mailbox *mailbox);
extern bool counter_is_altered(const Store *store, Mailbox *mailbox);
extern bool counter_raise(Store *store, Mailbox *mailbox);
extern bool counter_is_locked(Mailbox *mailbox);
extern void counter_check_snapshot(Store *store, Mailbox *mailbox);
extern int64 counter_modseq(Store *store, Mailbox *mailbox);
extern void counter_enter(Store *store, Mailbox *mailbox);
extern void counter_enter_raised(Store *store, Mailbox *mailbox, int64 before);
extern bool counter_read_committed(Store *store, Mailbox *mailbox,
								   int64 *uidnext, int64 *highestmodseq);
extern int64 counter_guess(Store *store, Mailbox *mailbox);
extern int64 counter_committed_modseq(Store *store, Mailbox *mailbox);
extern bool counter_has_issued(Mailbox *mailbox, int64 modseq);
extern void counter_used(Mailbox *mailbox, int64 modseq);
extern void counter_landed(const Store *store, Mailbox *mailbox, int64 uid,
						   int64 modseq);
pg_noreturn extern void counter_no_mailbox(Store *store, const Datum *key);

/* --- settle.c ---------------------------------------------------------- */

extern void counter_settle(Store *store, Mailbox *mailbox);

/* --- uid.c ------------------------------------------------------------- */

extern int64 uid_assign(Store *store, Mailbox *mailbox);
extern void uid_skip(Mailbox *mailbox, int64 uid);
pg_noreturn extern void uid_is_used(Store *store, Mailbox *mailbox, int64 uid);
extern UidVerdict uid_accept(Store *store, Mailbox *mailbox, int64 uid,
							 bool inserting, bool expunged);
extern bool uid_was_given(Mailbox *mailbox, int64 uid);
extern int64 uid_find_live(Store *store, const Datum *key, UidBuilder *set,
						   UidBuilder *live);

/* --- unused.c ---------------------------------------------------------- */

extern void unused_add(Mailbox *mailbox, int64 from, int64 to);
extern bool unused_is_due(Mailbox *mailbox);
extern void unused_settle(Store *store, Mailbox *mailbox);

/* --- deserted.c -------------------------------------------------------- */

extern void deserted_leave_key(Store *store, Mailbox *mailbox,
							   const Datum *key);
extern void deserted_settle(Store *store, Mailbox *mailbox);

/* --- returned.c -------------------------------------------------------- */

extern void returned_settle(Store *store, Mailbox *mailbox);
extern void returned_settle_arrivals(Store *store, Mailbox *mailbox);

/* --- row.c ------------------------------------------------------------- */

extern Mailbox *mailbox_row_updated(Store *store, const Datum *from,
									const Datum *to, const RowPlace *old,
									const RowPlace *new, bool replaced,
									int64 uidnext, int64 highestmodseq);
extern Mailbox *mailbox_row_added(Store *store, const Datum *key,
								  const RowPlace *place, int64 uidnext);
extern void mailbox_row_resumed(Store *store, Mailbox *mailbox,
								const Datum *key, int64 uidnext,
								int64 highestmodseq);
extern bool mailbox_row_deleted(Store *store, const Datum *key,
								const RowPlace *place);
extern void mailbox_row_gone(Mailbox *mailbox);
extern Mailbox *mailbox_lock(Store *store, const Datum *key);
extern void mailbox_rows_gone(Store *store);

/* --- crossing.c -------------------------------------------------------- */

extern void crossing_note(Relation rel, HeapTuple old, Mailbox *to, int64 uid,
						  bool arrived);
extern HeapTuple crossing_continues(Relation rel, Mailbox *to, int64 uid,
									bool *arrived);
extern bool crossing_departs(Relation rel, HeapTuple old);
extern HeapTuple crossing_lands(Relation rel, Mailbox *to, int64 uid);
extern bool crossing_is_departure(HeapTuple old);
extern void crossing_settle(Crossings *crossings);
extern void crossing_set_arriving(Oid relid);
extern bool crossing_is_arriving(Relation rel, HeapTuple old);
extern bool crossing_all_arrived(Oid relid);

/* --- shared.c ---------------------------------------------------------- */

extern void shared_arrive(Store *store, const Datum *message_key);
extern void shared_settle(Statement *statement);
extern void shared_wait_for_arrivals(Store *store, const MessageKeys *flagged);

/* --- keys.c ------------------------------------------------------------ */

extern MessageKeys *message_keys_in(MemoryContext list_context, List **list,
									Oid message_relid, int ncolumns,
									const Oid *types);
extern bool message_keys_have_types(const MessageKeys *keys, int ncolumns,
									const Oid *types);
extern int	message_keys_count(const MessageKeys *keys);
extern void message_keys_get(const MessageKeys *keys, int i, Datum *key);
extern void message_keys_add(MessageKeys *keys, const Datum *key);
extern void message_keys_hand(List *from, MemoryContext list_context,
							  List **to);
extern void message_keys_arrays(const MessageKeys *keys, Datum *params);

/* --- flagged.c --------------------------------------------------------- */

extern void flagged_find(List *list);
extern void flagged_lock(List *mailboxes);

/*
 * Where changes are logged, mod-sequences come in blocks: statements of one
 * that change few messages have one row, that of its last mod-sequence, be it
 * one to come.  See changes.c.
 */
#define BLOCK_BITS	4
#define BLOCK_SIZE	(INT64CONST(1) << BLOCK_BITS)
#define BLOCK_END(modseq)	((modseq) | (BLOCK_SIZE - 1))

/* --- fold.c ------------------------------------------------------------ */

extern void fold_if_due(Store *store, Mailbox *mailbox, int64 value);

/* --- vanished.c -------------------------------------------------------- */

pg_noreturn extern void vanished_not_stored(Store *store, const Datum *key);
extern void vanished_leave_out(Mailbox *mailbox);
extern void vanished_append(Store *store, Mailbox *mailbox);
extern void vanished_read(Store *store, const Datum *key, int64 since,
						  const UidSet *uids, UidBuilder *result,
						  int64 *first);
extern int64 vanished_find_written(Store *store, Mailbox *mailbox,
								   UidBuilder *set, UidBuilder *written);
extern void vanished_recall(Store *store, Mailbox *mailbox, UidBuilder *set);
extern void vanished_rename(Store *store, const Datum *from,
							const Datum *to, bool untaken);
extern void vanished_drop(Store *store, const Datum *key);
extern void vanished_remember(Store *store, const Datum *key, int64 uidnext,
							  int64 highestmodseq);
extern void vanished_remember_table(Store *store, Oid relid);
extern bool vanished_recollect(Store *store, const Datum *key, int64 *uidnext,
							   int64 *highestmodseq);
extern void vanished_drop_remembered(Store *store, const Datum *key);
extern void vanished_clear(Store *store);
extern bool vanished_is_lost(Store *store, const Datum *key, int64 since,
							 PlanMode mode);

/* --- changes.c --------------------------------------------------------- */

extern void changes_log(Store *store, Mailbox *mailbox);
extern void changes_read(Store *store, const Datum *key, int64 since,
						 const UidSet *uids, UidBuilder *result);

/* --- complete.c -------------------------------------------------------- */

extern void statement_close(StatementKind kind);
extern void statement_renamed(Mailbox *mailbox);

#endif							/* MODSEQ_LEDGER_H */
