/*-------------------------------------------------------------------------
 *
 * function.h
 *	  What SQL calls: the functions of a front end.
 *
 * From the ground up:
 *
 *	argument.c	what a caller passes, and may
 *	distributed.c	calls that name a store which Citus distributes
 *	status.c	UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ
 *	count.c		counts()
 *	messages.c	reading messages of a mailbox
 *	read.c		what has changed, and what has vanished
 *	digest.c	what two copies of a mailbox are compared by
 *	write.c		the mailbox lock, and what is judged under it
 *	incarnation.c	recovered(), and what was lost
 *	uidvalidity.c	handing out UIDVALIDITY values
 *	locks.c		who holds the locks of rows, and how large a table is
 *	owner.c		functions that run as the owner of a store
 *	token.c		states, as texts that clients keep
 *	state.c		accounts: their states, and who may see them
 *	walk.c		what is created, updated and destroyed between two states
 *	changes.c	the same, of a store
 *	wait.c		waiting until a server has it
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_FUNCTION_H
#define MODSEQ_FUNCTION_H

#include "ledger/ledger.h"

/* --- argument.c -------------------------------------------------------- */

/* The mailboxes that a call names: one, or those of an array */
typedef struct Mailboxes
{
	bool		many;			/* was it one of the array overloads? */
	int			n;
	Datum		(*keys)[MODSEQ_MAX_KEYS];
	Datum	   *labels;			/* for the answer: in the argument's type;
								 * NULL: it has none */
} Mailboxes;

extern void argument_not_null(FunctionCallInfo fcinfo, int argno,
							  const char *name);
extern Store *argument_store(FunctionCallInfo fcinfo);
extern Store *argument_store_to_write(FunctionCallInfo fcinfo);
extern int64 argument_since(FunctionCallInfo fcinfo, int argno);
extern UidSet *argument_uids(FunctionCallInfo fcinfo, int argno);
extern Mailboxes argument_mailboxes(FunctionCallInfo fcinfo,
									const Store *store);
extern Datum *argument_one_mailbox(FunctionCallInfo fcinfo,
								   const Store *store);
extern Mailboxes argument_accounts(FunctionCallInfo fcinfo,
								   const Store *store);
extern Datum *argument_one_account(FunctionCallInfo fcinfo,
								   const Store *store);
extern void argument_check_may_write(const Store *store);
extern void argument_check_may_read(const Store *store);
extern void argument_check_may_see(const Store *store);

/* --- distributed.c ----------------------------------------------------- */

/* What the second argument of a call names, and what it does */
typedef enum CallKind
{
	CALL_OF_MAILBOX = 0,
	CALL_OF_ACCOUNT = 1,
	CALL_LOCKS = 2
} CallKind;

extern bool distributed_call(FunctionCallInfo fcinfo, CallKind kind,
							 Datum *result);

/*
 * Declares modseq_name() for SQL, whose first arguments are a store and
 * mailboxes or accounts.  name_here() does what is to be done where these are;
 * that is elsewhere if Citus distributes the store.
 */
#define CALLED_AT_SHARD(name, kind) \
	static Datum name##_here(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(modseq_##name); \
	Datum \
	modseq_##name(PG_FUNCTION_ARGS) \
	{ \
		NullableDatum store = fcinfo->args[0]; \
		Datum		result; \
		\
		if (!distributed_call(fcinfo, kind, &result)) \
			result = name##_here(fcinfo); \
		fcinfo->args[0] = store; \
		return result; \
	} \
	extern Datum modseq_##name(PG_FUNCTION_ARGS)

/* --- status.c ---------------------------------------------------------- */

/* What a mailbox row says */
typedef struct Status
{
	bool		seen;			/* not by its counters, but its other row */
	bool		found;			/* is there any? */
	bool		has_uidvalidity;
	int64		uidvalidity;
	int64		uidnext;
	int64		highestmodseq;
} Status;

extern bool status_may_lag(void);
pg_noreturn extern void status_no_mailbox(const Store *store,
										  const Datum *key);
extern void status_read(Store *store, const Mailboxes *mailboxes,
						PlanMode mode, Status *statuses);
extern Status status_read_one(Store *store, Datum *key, PlanMode mode);
extern int64 status_since(Store *store, const Datum *key,
						  const Status *status, int64 since, PlanMode mode);
extern void status_put(ReturnSetInfo *rsinfo, const Mailboxes *mailboxes,
					   int i, const Status *status);

extern PlanMode status_mode(const Store *store, PlanMode mode);
extern void status_key_arrays(const Store *store, const Mailboxes *mailboxes,
							  Datum *arrays);
extern void status_hide(Store *store, const Mailboxes *mailboxes, bool *seen);

/* --- messages.c -------------------------------------------------------- */

/* A message in an answer */
typedef struct MessageRow
{
	int64		uid;
	int64		modseq;
} MessageRow;

extern MessageRow *messages_read(Store *store, PlanId id, const Datum *key,
								 Datum param, const UidSet *set,
								 PlanMode mode, int64 *n);
extern MessageRow *messages_changed(Store *store, const Datum *key,
									int64 since, const UidSet *uids, int64 *n);

/* --- token.c ----------------------------------------------------------- */

/* What an account has, with a state for each kind */
typedef enum ObjectKind
{
	KIND_EMAIL,
	KIND_MAILBOX,
	KIND_THREAD,
	KINDS						/* how many there are */
} ObjectKind;

/* What becomes of an object; a walk tells all of one before the next */
typedef enum Change
{
	CHANGE_CREATED,
	CHANGE_UPDATED,
	CHANGE_DESTROYED,
	CHANGES						/* how many there are; also: nothing */
} Change;

/* A state; or a place in a walk from a state to one */
typedef struct Token
{
	int64		epoch;			/* of the account */
	int64		from;
	int64		to;				/* of a walk, as what follows */
	Change		change;			/* the last one that was told, */
	int64		modseq;			/* by this */
	const char *id;				/* and this; NULL: it is a state */
} Token;

extern char *token_text(ObjectKind kind, const Token *token);
extern bool token_parse(ObjectKind kind, const char *text, Token *token);

/* --- state.c ----------------------------------------------------------- */

/* What an account's row says */
typedef struct Account
{
	int64		epoch;
	int64		state[KINDS];
	int64		floor;
} Account;

/* Mailboxes of an account */
typedef struct MailboxRow
{
	const char *name;
	int64		created;
	int64		properties;		/* when other things than counts changed */
	int64		changed;
} MailboxRow;

pg_noreturn extern void state_no_account(const Store *store, const Datum *key);
extern bool state_find(Store *store, const Datum *key, Account *account);
extern void state_read(Store *store, const Datum *key, Account *account);
extern Mailboxes state_mailboxes(Store *store, const Datum *key, int64 since,
								 MailboxRow **rows);
extern bool *state_has(Store *store, const Datum *key,
					   const Mailboxes *mailboxes);

/* --- walk.c ------------------------------------------------------------ */

/* For how long an object was there; an Email once for each membership */
typedef struct Span
{
	struct Span *next;
	const char *member;			/* of a Thread: which Email */
	int64		created;
	int64		departed;		/* WALK_LIVE: it is there */
	int64		changed;		/* of what is there, last */
} Span;

#define WALK_LIVE		PG_INT64_MAX

/* Whatever has an id, and may have changed */
typedef struct Thing
{
	const char *id;
	Span	   *spans;
	bool		renewed;		/* a mailbox: more than its counts changed */
	char		status;			/* of the hash table */
} Thing;

/* A change that may have to be told, and is by this in its order */
typedef struct Candidate
{
	int64		modseq;
	Thing	   *thing;
} Candidate;

typedef struct Walk
{
	MemoryContext context;
	Token		token;			/* from, to and the place */
	bool		members;		/* do Emails join and leave? */
	int64		max;			/* of this page */
	struct things_hash *things;
	Change		change;			/* of the candidates */
	struct binaryheap *heap;	/* of the candidates that are still to come */
	Candidate  *candidates;
	Candidate **batch;			/* those whose past is to be looked up */
	int			nbatch;
	int			batch_size;
	Thing	  **told[CHANGES];	/* the page */
	int64		ntold[CHANGES];
	int64		n;				/* in all */
	bool		has_more;
} Walk;

extern Walk *walk_begin(const Token *token, bool members, int64 max);
extern Thing *walk_add(Walk *walk, const char *id, const char *member,
					   int64 created, int64 departed, int64 changed);
extern void walk_add_past(Walk *walk, const char *id, const char *member);
extern bool walk_next(Walk *walk);
extern void walk_judge(Walk *walk);

#endif							/* MODSEQ_FUNCTION_H */
