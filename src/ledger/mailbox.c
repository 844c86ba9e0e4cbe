/*-------------------------------------------------------------------------
 *
 * mailbox.c
 * 	  What the transaction knows of mailboxes, level by level; and mailboxes
 * 	  whose key changes in it.
 *
 * A message that goes along with its mailbox, by ON UPDATE CASCADE or by hand,
 * does not move (rule "moves"), so its triggers must know of renames.
 *
 * Locks: none are taken here; states say which mailbox locks are held.
 *
 * Memory: everything is in a context below TopTransactionContext and gone at
 * the transaction's end.  What a subtransaction knows is in MailboxStates of
 * its own, which are dropped when it aborts: its lock is then released and
 * the row rolled back.  When it commits they are merged into the outer ones.
 * A rename ends when the subtransaction that made it aborts, or when another
 * mailbox takes the old key; if the one that took it aborts, it goes on.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* Mailboxes whose key has the same hash are in a chain */
typedef struct MailboxHashKey
{
	uint64		epoch;			/* of the store */
	uint32		hash;
} MailboxHashKey;

typedef struct MailboxChain
{
	MailboxHashKey hashkey;
	List	   *mailboxes;
} MailboxChain;

static MemoryContext known_context = NULL;	/* NULL: all below is unset */

static HTAB *chains = NULL;

static Mailbox *last_mailbox = NULL;	/* the one that was looked up last */

static List *inner_mailboxes = NIL; /* those with a state of level > 1 */

static int	innermost_level = 0;	/* the highest level of such a state */

static void
init_transaction(void)
{
	HASHCTL		ctl = {0};

	known_context = AllocSetContextCreate(TopTransactionContext,
										  "modseq mailboxes",
										  ALLOCSET_SMALL_SIZES);
	ctl.hcxt = known_context;
	ctl.keysize = sizeof(MailboxHashKey);
	ctl.entrysize = sizeof(MailboxChain);
	chains = hash_create("modseq mailboxes", 32, &ctl,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* --- states, level by level -------------------------------------------------- */

/* A new innermost state, which starts from what the outer one knows */
static void
push_state(Mailbox *mailbox, int level)
{
	MemoryContext old = MemoryContextSwitchTo(known_context);
	MailboxState *state = palloc0(sizeof(MailboxState));
	MailboxState *outer = mailbox->state;

	state->level = level;
	state->outer = outer;
	if (outer != NULL)
	{
		state->locked = outer->locked;
		state->uidnext = outer->uidnext;
		state->highestmodseq = outer->highestmodseq;
		state->next_uid = outer->next_uid;
		state->reserved = outer->reserved;
		state->arrived = outer->arrived;
	}
	uidset_builder_init(&state->stamped);
	uidset_builder_init(&state->vanished);
	uidset_builder_init(&state->undeleted);
	uidset_builder_init(&state->followed);
	mailbox->state = state;
	innermost_level = Max(innermost_level, level);
	if (level > 1 && !mailbox->inner)
	{
		mailbox->inner = true;
		inner_mailboxes = lappend(inner_mailboxes, mailbox);
	}
	MemoryContextSwitchTo(old);
}

static void
pop_state(Mailbox *mailbox)
{
	MailboxState *state = mailbox->state;

	mailbox->state = state->outer;
	uidset_builder_free(&state->stamped);
	uidset_builder_free(&state->vanished);
	uidset_builder_free(&state->undeleted);
	uidset_builder_free(&state->followed);
	pfree(state);
}

/* known_state: the one that the current (sub)transaction may change */
MailboxState *
known_state(Mailbox *mailbox)
{
	int			level = GetCurrentTransactionNestLevel();

	if (mailbox->state == NULL || mailbox->state->level < level)
		push_state(mailbox, level);
	return mailbox->state;
}

/* The chain that a mailbox is in, or would be; NULL if there is none to find */
static MailboxChain *
find_chain(Store *store, const Datum *key, HASHACTION action)
{
	MailboxHashKey hashkey = {0};
	MailboxChain *chain;
	bool		found;

	hashkey.epoch = store->epoch;
	hashkey.hash = key_hash(store, key);
	chain = hash_search(chains, &hashkey, action, &found);
	if (chain != NULL && !found)
		chain->mailboxes = NIL;
	return chain;
}

/* known_find: what this transaction knows of a mailbox; NULL if nothing */
Mailbox *
known_find(Store *store, const Datum *key)
{
	MailboxChain *chain;
	ListCell   *lc;

	if (last_mailbox != NULL &&
		last_mailbox->epoch == store->epoch &&
		key_equal(store, last_mailbox->key, key))
	{
		known_state(last_mailbox);
		return last_mailbox;
	}
	if (known_context == NULL)
		return NULL;
	chain = find_chain(store, key, HASH_FIND);
	if (chain == NULL)
		return NULL;
	foreach(lc, chain->mailboxes)
	{
		Mailbox    *mailbox = lfirst(lc);

		if (!key_equal(store, mailbox->key, key))
			continue;
		known_state(mailbox);
		return last_mailbox = mailbox;
	}
	return NULL;
}

/*
 * known_mailbox: the same; if nothing is known yet, there is now an entry
 *
 * Nothing is locked, nor is it known that the mailbox exists.
 */
Mailbox *
known_mailbox(Store *store, const Datum *key)
{
	Mailbox    *mailbox = known_find(store, key);
	MailboxChain *chain;
	MemoryContext old;

	if (mailbox != NULL)
		return mailbox;
	if (known_context == NULL)
		init_transaction();
	chain = find_chain(store, key, HASH_ENTER);
	old = MemoryContextSwitchTo(known_context);
	mailbox = palloc0(sizeof(Mailbox));
	mailbox->message_relid = store->message_relid;
	mailbox->epoch = store->epoch;
	mailbox->key = key_copy(store, key);
	chain->mailboxes = lappend(chain->mailboxes, mailbox);
	MemoryContextSwitchTo(old);
	known_state(mailbox);
	return last_mailbox = mailbox;
}

/*
 * known_locked: the store's mailboxes whose lock this transaction holds; just
 * one of them, if the question is whether there is any
 */
List *
known_locked(Store *store, bool any)
{
	HASH_SEQ_STATUS scan;
	MailboxChain *chain;
	List	   *locked = NIL;

	if (known_context == NULL)
		return NIL;
	hash_seq_init(&scan, chains);
	while ((chain = hash_seq_search(&scan)) != NULL)
	{
		ListCell   *lc;

		if (chain->hashkey.epoch != store->epoch)
			continue;
		foreach(lc, chain->mailboxes)
		{
			Mailbox    *mailbox = lfirst(lc);

			if (mailbox->state == NULL || !mailbox->state->locked)
				continue;
			locked = lappend(locked, mailbox);
			if (any)
			{
				hash_seq_term(&scan);
				return locked;
			}
		}
	}
	return locked;
}

/* --- ends of transactions --------------------------------------------------- */

/* What the inner level learnt is now the outer level's */
static void
merge_state(Mailbox *mailbox)
{
	MailboxState *state = mailbox->state;
	MailboxState *outer = state->outer;

	if (outer == NULL || outer->level < state->level - 1)
	{
		state->level--;
		return;
	}
	outer->locked = state->locked;
	outer->uidnext = state->uidnext;
	outer->highestmodseq = state->highestmodseq;
	outer->next_uid = state->locked ? Max(outer->next_uid, state->next_uid) : 0;
	outer->reserved = state->reserved;
	outer->arrived = state->arrived;
	pop_state(mailbox);
}

/* Ends the states of that nest level */
static void
end_inner_states(int level, bool commit)
{
	ListCell   *lc;

	foreach(lc, inner_mailboxes)
	{
		Mailbox    *mailbox = lfirst(lc);

		while (mailbox->state != NULL && mailbox->state->level >= level)
		{
			if (commit)
				merge_state(mailbox);
			else
				pop_state(mailbox);
		}
		if (mailbox->state == NULL || mailbox->state->level == 1)
		{
			mailbox->inner = false;
			inner_mailboxes = foreach_delete_current(inner_mailboxes, lc);
		}
	}
	innermost_level = level - 1;
}

/* A subtransaction of that nest level ends */
void
known_subtransaction_end(int level, bool commit)
{
	/* Most subtransactions know nothing of mailboxes, while outer ones may */
	if (level <= innermost_level)
		end_inner_states(level, commit);
}

/* Everything was in known_context, which is gone with the transaction */
void
known_transaction_end(void)
{
	known_context = NULL;
	chains = NULL;
	last_mailbox = NULL;
	inner_mailboxes = NIL;
	innermost_level = 0;
}

/* A mailbox whose key changed in this transaction */
typedef struct Rename
{
	int			level;
	int			ended;			/* the level at which it ended, or 0 */
	uint64		epoch;			/* of the store */
	Datum	   *from;
	Datum	   *to;
} Rename;

static List *renames = NIL;

/*
 * Mailbox keys that changed.  A message whose key changes the same way, by
 * ON UPDATE CASCADE or by hand, follows its mailbox and does not move.
 */
void
rename_note(Store *store, const Datum *from, const Datum *to)
{
	MemoryContext old;
	Rename	   *rename;

	old = MemoryContextSwitchTo(TopTransactionContext);
	rename = palloc(sizeof(Rename));
	rename->level = GetCurrentTransactionNestLevel();
	rename->ended = 0;
	rename->epoch = store->epoch;
	rename->from = key_copy(store, from);
	rename->to = key_copy(store, to);
	renames = lappend(renames, rename);
	MemoryContextSwitchTo(old);
}

bool
rename_is(Store *store, const Datum *from, const Datum *to)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->epoch == store->epoch &&
			rename->ended == 0 &&
			key_equal(store, rename->from, from) &&
			key_equal(store, rename->to, to))
			return true;
	}
	return false;
}

/* The mailbox under its new key, if it has one; else NULL */
Mailbox *
rename_target(Store *store, Mailbox *mailbox)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->epoch == store->epoch &&
			rename->ended == 0 &&
			key_equal(store, rename->from, mailbox->key))
			return known_mailbox(store, rename->to);
	}
	return NULL;
}

/* Did a mailbox get that key from another one, whatever became of it? */
bool
rename_reached(Store *store, const Datum *key)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->epoch == store->epoch &&
			key_equal(store, rename->to, key))
			return true;
	}
	return false;
}

/* Another mailbox has the key now; messages that leave it move from now on */
void
rename_key_taken(Store *store, const Datum *key)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->epoch == store->epoch &&
			rename->ended == 0 && key_equal(store, rename->from, key))
			rename->ended = GetCurrentTransactionNestLevel();
	}
}

/* A subtransaction of that nest level ends */
void
rename_subtransaction_end(int level, bool commit)
{
	ListCell   *lc;

	foreach(lc, renames)
	{
		Rename	   *rename = lfirst(lc);

		if (rename->ended >= level)
			rename->ended = commit ? level - 1 : 0;
		if (rename->level < level)
			continue;
		if (commit)
			rename->level = level - 1;
		else
			renames = foreach_delete_current(renames, lc);
	}
}

/* They were in TopTransactionContext, which is gone with the transaction */
void
rename_transaction_end(void)
{
	renames = NIL;
}
