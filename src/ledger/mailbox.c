/*-------------------------------------------------------------------------
 *
 * mailbox.c
 *	  Mailboxes and their names: what the transaction knows, level by level.
 *
 * A mailbox is an object; keys are its names.  A name refers to the mailbox
 * that has the key now, or that has had it last.  A rename lets the new name
 * refer to the same mailbox, and leaves the old one as it is: so a message
 * that goes along, by ON UPDATE CASCADE or by hand, is in the same mailbox
 * before and after, and does not move (rule "moves").  When another mailbox
 * takes a key, then the name refers to that.
 *
 * We hear of a rename when its AFTER trigger fires.  By then the mailbox may
 * have been used under its new key.  Whose row it is, is told by the places of
 * its versions (place.c).
 *
 * Locks: none are taken here; Counters say which mailbox locks are held.
 *
 * Memory: everything is where its levels are (level.c), and gone at the
 * transaction's end.  For each name that a subtransaction changed there is an
 * Undo, which an abort applies.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

typedef struct NameHashKey
{
	uint64		epoch;			/* of the store */
	uint32		hash;			/* of the key */
} NameHashKey;

typedef struct NameEntry
{
	NameHashKey hashkey;
	MailboxName *first;			/* those with that hash */
} NameEntry;

/* A name before a subtransaction changed it */
typedef struct Undo
{
	int			level;
	MailboxName *name;
	Mailbox    *before;
	struct Undo *older;
} Undo;

static HTAB *names = NULL;		/* NULL: all below is unset */

static MailboxName *last_name = NULL;	/* the one that was looked up last, */

static MailboxName *name_before = NULL; /* and another one before it: a rename
										 * has two; */

static uint64 last_epoch = 0;	/* in the store of that epoch */

static Mailbox *mailboxes = NULL;

static Undo *undos = NULL;		/* the innermost levels first */

static void
init_transaction(void)
{
	HASHCTL		ctl = {0};

	ctl.hcxt = level_memory();
	ctl.keysize = sizeof(NameHashKey);
	ctl.entrysize = sizeof(NameEntry);
	names = hash_create("modseq mailbox names", 32, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* --- names ------------------------------------------------------------- */

/* It was looked up last */
static MailboxName *
remember_name(const Store *store, MailboxName *name)
{
	name_before = last_epoch == store->epoch ? last_name : NULL;
	last_epoch = store->epoch;
	return last_name = name;
}

/* The name for that key; with HASH_FIND NULL, if it was not heard of yet */
static MailboxName *
name_get(Store *store, const Datum *key, HASHACTION action)
{
	NameHashKey hashkey = {0};
	NameEntry  *entry;
	bool		found;
	MailboxName *name;
	MemoryContext old;

	if (last_name != NULL && last_epoch == store->epoch)
	{
		if (key_equal(store, last_name->key, key))
			return last_name;
		if (name_before != NULL && key_equal(store, name_before->key, key))
			return remember_name(store, name_before);
	}
	if (names == NULL)
	{
		if (action == HASH_FIND)
			return NULL;
		init_transaction();
	}
	hashkey.epoch = store->epoch;
	hashkey.hash = key_hash(store, key);
	entry = hash_search(names, &hashkey, action, &found);
	if (entry == NULL)
		return NULL;
	if (!found)
		entry->first = NULL;
	for (name = entry->first; name != NULL; name = name->next)
		if (key_equal(store, name->key, key))
			break;
	if (name == NULL)
	{
		if (action == HASH_FIND)
			return NULL;
		old = MemoryContextSwitchTo(level_memory());
		name = palloc0(sizeof(MailboxName));
		name->key = key_copy(store, key);
		name->next = entry->first;
		entry->first = name;
		MemoryContextSwitchTo(old);
	}
	return remember_name(store, name);
}

/* The name is about to change; if the subtransaction aborts, it has not */
static void
name_save(MailboxName *name)
{
	int			level = GetCurrentTransactionNestLevel();
	Undo	   *undo;

	if (level == 1)
		return;
	undo = MemoryContextAlloc(level_memory(), sizeof(Undo));
	undo->level = level;
	undo->name = name;
	undo->before = name->mailbox;
	undo->older = undos;
	undos = undo;
}

/* Ends what that nest level has changed in names */
static void
end_names(int level, bool commit)
{
	Undo	   *undo;

	/* The outer level can abort, too, and has the same names to restore */
	if (commit && level > 2)
		for (undo = undos; undo != NULL && undo->level >= level;
			 undo = undo->older)
			undo->level = level - 1;
	while (undos != NULL && undos->level >= level)
	{
		undo = undos;
		undos = undo->older;
		if (!commit)
			undo->name->mailbox = undo->before;
		pfree(undo);
	}
}

/* --- mailboxes --------------------------------------------------------- */

static Mailbox *
new_mailbox(Store *store, MailboxName *name)
{
	Mailbox    *mailbox = MemoryContextAllocZero(level_memory(),
												 sizeof(Mailbox));

	mailbox->message_relid = store->message_relid;
	mailbox->epoch = store->epoch;
	mailbox->next = mailboxes;
	mailboxes = mailbox;
	mailbox_counters(mailbox)->name = name;
	return mailbox;
}

/* Is that the mailbox's key now, as far as we know? */
static bool
is_named(Mailbox *mailbox, const MailboxName *name)
{
	return mailbox->level->counters.name == name;
}

/*
 * mailbox_find: the mailbox that has that key, or has had it last
 *
 * This is where messages with that key are.  NULL if it was not heard of.
 */
Mailbox *
mailbox_find(Store *store, const Datum *key)
{
	MailboxName *name = name_get(store, key, HASH_FIND);

	return name == NULL ? NULL : name->mailbox;
}

/*
 * mailbox_get: the same; if it was not heard of, there is now an object
 *
 * Nothing is locked, nor is it known that the mailbox exists.
 */
Mailbox *
mailbox_get(Store *store, const Datum *key)
{
	MailboxName *name = name_get(store, key, HASH_ENTER);

	if (name->mailbox == NULL)
	{
		name_save(name);
		name->mailbox = new_mailbox(store, name);
	}
	return name->mailbox;
}

/*
 * mailbox_with_key: the mailbox that has that key now, if there is one, or is
 * leaving it
 *
 * If we only know of one that has had it, then this is another.  It gets the
 * name when it is found to exist, see mailbox_claim_name().
 */
Mailbox *
mailbox_with_key(Store *store, const Datum *key)
{
	Mailbox    *mailbox = mailbox_get(store, key);

	return is_named(mailbox, last_name) ||
		mailbox->level->counters.leaving == last_name ? mailbox :
		new_mailbox(store, last_name);
}

/* mailbox_leaves: it has another key, but is still to leave that one */
void
mailbox_leaves(Store *store, Mailbox *mailbox, const Datum *key)
{
	MailboxName *name = name_get(store, key, HASH_ENTER);

	name_save(name);
	name->mailbox = mailbox;
	mailbox_counters(mailbox)->leaving = name;
}

const Datum *
mailbox_key(Mailbox *mailbox)
{
	return mailbox->level->counters.name->key;
}

/* mailbox_has_key: is that the mailbox's key now, as far as we know? */
bool
mailbox_has_key(Store *store, Mailbox *mailbox, const Datum *key)
{
	return key_equal(store, mailbox_key(mailbox), key);
}

/*
 * mailbox_has_name: does a row with its key belong to it?
 *
 * Not if another mailbox has the key by now, as far as we know.
 */
bool
mailbox_has_name(Mailbox *mailbox)
{
	MailboxName *name = mailbox->level->counters.name;

	return name->mailbox == mailbox || name->mailbox == NULL ||
		!is_named(name->mailbox, name);
}

/* mailbox_claim_name: its row was found under its key */
void
mailbox_claim_name(Mailbox *mailbox)
{
	MailboxName *name = mailbox->level->counters.name;

	if (name->mailbox == mailbox)
		return;
	name_save(name);
	name->mailbox = mailbox;
}

/*
 * mailbox_follows: does a message whose key changes so go along with its
 * mailbox, which was renamed?
 */
bool
mailbox_follows(Store *store, const Datum *from, const Datum *to)
{
	MailboxName *old = name_get(store, from, HASH_FIND);
	MailboxName *new = name_get(store, to, HASH_FIND);

	return old != NULL && new != NULL && new->mailbox != NULL &&
		old->mailbox == new->mailbox && is_named(new->mailbox, new);
}

/*
 * mailbox_locked: the store's mailboxes whose lock this transaction holds; just
 * one of them, if the question is whether there is any
 */
List *
mailbox_locked(Store *store, bool any)
{
	List	   *locked = NIL;

	for (Mailbox *mailbox = mailboxes; mailbox; mailbox = mailbox->next)
	{
		if (mailbox->epoch != store->epoch || mailbox->level == NULL ||
			!mailbox->level->counters.locked)
			continue;
		locked = lappend(locked, mailbox);
		if (any)
			break;
	}
	return locked;
}

/* --- rows -------------------------------------------------------------- */

/*
 * mailbox_of_row: the mailbox whose row a trigger has seen
 *
 * The trigger says that the version at that place had the key.  That is the
 * newest we know of, or a newer one, if we hear of a nested statement first.
 */
Mailbox *
mailbox_of_row(Store *store, const Datum *key, const RowPlace *place)
{
	MailboxName *name = name_get(store, key, HASH_FIND);
	const RowPlace *known;
	RowPlace	newest;

	if (name == NULL || name->mailbox == NULL ||
		!is_named(name->mailbox, name))
		return NULL;
	known = &name->mailbox->level->counters.place;
	if (!row_place_is_known(known, place) || row_place_equal(known, place))
		return name->mailbox;
	if (known->relid != place->relid)
		return NULL;
	newest = row_place_newest(known, place);
	return row_place_equal(&newest, place) ? name->mailbox : NULL;
}

/*
 * mailbox_of_replaced: the same for a version that this transaction has
 * replaced since, by a statement that we have heard of already
 *
 * NULL: the row is gone, or nothing is known of it.
 */
Mailbox *
mailbox_of_replaced(Store *store, const Datum *key, const RowPlace *place)
{
	RowPlace	newest = row_place_newest(place, NULL);
	MailboxName *name = name_get(store, key, HASH_FIND);

	if (name != NULL && name->mailbox != NULL &&
		row_place_equal(&name->mailbox->level->counters.place, &newest))
		return name->mailbox;

	/* It has another key by now */
	for (Mailbox *mailbox = mailboxes; mailbox; mailbox = mailbox->next)
		if (mailbox->epoch == store->epoch && mailbox->level != NULL &&
			row_place_equal(&mailbox->level->counters.place, &newest))
			return mailbox;
	return NULL;
}

/*
 * mailbox_take: a mailbox has that key now; if it is NULL, then a new one
 *
 * If another one had the key, and is not known to have left it, then its lock
 * is ours, but under this key we would find another's row.  That it has left is
 * an error when we hear of it: see row_leaves_key().
 */
Mailbox *
mailbox_take(Store *store, const Datum *key, Mailbox *mailbox)
{
	MailboxName *name = name_get(store, key, HASH_ENTER);
	Mailbox    *other = name->mailbox;

	if (mailbox == NULL)
		mailbox = new_mailbox(store, name);
	name_save(name);
	if (other != NULL && other != mailbox && is_named(other, name) &&
		!mailbox_counters(other)->gone)
		mailbox_counters(other)->locked = false;
	name->mailbox = mailbox;
	mailbox_counters(mailbox)->name = name;
	return mailbox;
}

/* --- ends of transactions ---------------------------------------------- */

/* A subtransaction of that nest level ends */
void
mailbox_subtransaction_end(int level, bool commit)
{
	level_subtransaction_end(level, commit);
	end_names(level, commit);
}

/* Everything was in memory that is gone with the transaction */
void
mailbox_transaction_end(void)
{
	level_transaction_end();
	names = NULL;
	last_name = NULL;
	name_before = NULL;
	mailboxes = NULL;
	undos = NULL;
}
