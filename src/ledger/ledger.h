/*-------------------------------------------------------------------------
 *
 * ledger.h
 *	  What a transaction knows of mailboxes, and what it owes them.
 *
 * From the ground up:
 *
 *	mailbox.c	what is known of mailboxes, level by level; renames
 *	source.c	the rows of a side table, beside those of its source
 *	notify.c	wake-ups for clients that wait
 *	statement.c	what one SQL statement changed
 *	counter.c	the mailbox lock; handing out UIDs and mod-sequences
 *	crossing.c	rows that go from one partition to another, or come with one
 *	vanished.c	the table of vanished UIDs
 *	flagged.c	from rows of a flag table to messages
 *	complete.c	a statement's completion: all that it owes is written
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_LEDGER_H
#define MODSEQ_LEDGER_H

#include "query/query.h"

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
	uint64		epoch;			/* of the store, when it was first heard of */
	Datum	   *key;
	MailboxState *state;		/* of the innermost level that has one */
	bool		inner;			/* is that a subtransaction's? */
	bool		notifies;		/* has notify.c noted it? */
} Mailbox;

/* --- mailbox.c --------------------------------------------------------------- */

extern Mailbox *known_find(Store *store, const Datum *key);
extern Mailbox *known_mailbox(Store *store, const Datum *key);
extern MailboxState *known_state(Mailbox *mailbox);
extern List *known_locked(Store *store, bool any);
extern void known_subtransaction_end(int level, bool commit);
extern void known_transaction_end(void);
extern void rename_note(Store *store, const Datum *from, const Datum *to);
extern bool rename_is(Store *store, const Datum *from, const Datum *to);
extern Mailbox *rename_target(Store *store, Mailbox *mailbox);
extern bool rename_reached(Store *store, const Datum *key);
extern void rename_key_taken(Store *store, const Datum *key);
extern void rename_subtransaction_end(int level, bool commit);
extern void rename_transaction_end(void);

/* --- source.c ---------------------------------------------------------------- */

extern bool source_supply(Store *store, Mailbox *mailbox);
extern void source_add(Store *store, Datum *key);
extern void source_remove(Store *store, Datum *key);
extern void source_rename(Store *store, Datum *keys);
extern void source_clear(Store *store);

/* --- notify.c ---------------------------------------------------------------- */

extern void notify_note(const Store *store, Mailbox *mailbox);
extern void notify_at_commit(void);
extern void notify_transaction_end(void);

/* --- statement.c ------------------------------------------------------------- */

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
} Crossings;

/* What the SQL statement in progress has changed and owes */
typedef struct Statement
{
	int			level;			/* the nest level that it belongs to */
	int			open;			/* how many are open */
	bool		completing;
	MemoryContext context;
	List	   *mailboxes;		/* Mailboxes with something to write */
	List	   *flagged;		/* FlaggedKeys: messages whose flag rows
								 * changed */
	Crossings	crossings;
	struct Statement *outer;	/* of an outer nest level */
} Statement;

/* Keys of messages, of one store, whose rows in the flag table changed */
typedef struct FlaggedKeys
{
	Oid			message_relid;
	struct ArrayBuildState *keys;
} FlaggedKeys;

extern Statement *statement_current(void);
extern void statement_drop(void);
extern void statement_open(void);
extern bool statement_is_completing(void);
extern Crossings *statement_crossings(void);
extern void statement_list(Mailbox *mailbox);
extern void statement_vanish(Store *store, const Datum *key, int64 uid);
extern void statement_vanish_set(Store *store, const Datum *key,
								 const UidSet *set);
extern void statement_renumber(Store *store, const Datum *key, int64 uid);
extern void statement_stamp(Store *store, const Datum *key, int64 uid);
extern void statement_stamp_set(Store *store, const Datum *key,
								const UidSet *set);
extern void statement_stamped(Store *store, const Datum *key, int64 uid);
extern void statement_stamp_flagged(Store *store, const Datum *key,
									int64 uid);
extern void statement_stamp_by_key(Store *store, Datum message_key);
extern void statement_follow(Store *store, Mailbox *from, const Datum *to,
							 int64 uid);
extern void statement_forget_stamped(MailboxState *state);
extern void statement_forget(Mailbox *mailbox);
extern void statement_check_complete(int level);
extern void statement_subtransaction_end(int level);
extern void statement_transaction_end(void);

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

/* --- crossing.c -------------------------------------------------------------- */

extern void crossing_note(Relation rel, HeapTuple old, Mailbox *to, int64 uid,
						  bool arrived);
extern HeapTuple crossing_continues(const RowShape *shape, Relation rel,
									Mailbox *to, int64 uid, bool *arrived);
extern bool crossing_departs(Relation rel, HeapTuple old, Mailbox *from,
							 int64 uid);
extern HeapTuple crossing_lands(Relation rel, Mailbox *to, int64 uid);
extern bool crossing_is_departure(HeapTuple old);
extern void crossing_settle(Crossings *crossings);
extern void crossing_set_arriving(Oid relid);
extern bool crossing_is_arriving(Relation rel);

/* --- flagged.c --------------------------------------------------------------- */

extern void flagged_find(List *list);
extern void flagged_lock(List *mailboxes);

/* --- vanished.c -------------------------------------------------------------- */

extern void vanished_append(Store *store, Mailbox *mailbox);
extern void vanished_read(Store *store, const Datum *key, int64 since,
						  const UidSet *uids, UidBuilder *result,
						  int64 *first);
extern void vanished_rename(Store *store, const Datum *from, const Datum *to);
extern void vanished_drop(Store *store, const Datum *key);
extern void vanished_clear(Store *store);

/* --- complete.c -------------------------------------------------------------- */

extern void statement_close(void);
extern void statement_renamed(Mailbox *from, Mailbox *to);

#endif							/* MODSEQ_LEDGER_H */
