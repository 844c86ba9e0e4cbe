/*-------------------------------------------------------------------------
 *
 * level.c
 *	  What is known of a mailbox, and owed to it, level by level.
 *
 * What a subtransaction knows of a mailbox, or of an account, is in a
 * MailboxLevel of its own, which is dropped when it aborts: its lock is then
 * released and the row rolled back.  When it commits, the Counters are merged
 * into the outer level's.
 *
 * Locks: none are taken here; Counters say which locks are held.
 *
 * Memory: everything is in a context below TopTransactionContext and gone at
 * the transaction's end.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
#include "utils/memutils.h"

static MemoryContext level_context = NULL;

/* All of level > 1, the innermost first */
static MailboxLevel *inner_levels = NULL;

/* level_memory: where mailboxes, accounts and their names live */
MemoryContext
level_memory(void)
{
	if (level_context == NULL)
		level_context = AllocSetContextCreate(TopTransactionContext,
											  "modseq mailboxes",
											  ALLOCSET_SMALL_SIZES);
	return level_context;
}

/* A new innermost level, which starts from the Counters of the outer one */
static void
push_level(Mailbox *mailbox, int level)
{
	MemoryContext old = MemoryContextSwitchTo(level_memory());
	MailboxLevel *inner = palloc0(sizeof(MailboxLevel));
	Work	   *work = &inner->work;

	inner->level = level;
	inner->mailbox = mailbox;
	inner->outer = mailbox->level;
	if (inner->outer != NULL)
		inner->counters = inner->outer->counters;
	uidset_builder_init(&work->owed.stamped);
	uidset_builder_init(&work->owed.vanished);
	uidset_builder_init(&work->owed.undeleted);
	uidset_builder_init(&work->waiting.stamped);
	uidset_builder_init(&work->waiting.vanished);
	uidset_builder_init(&work->waiting.undeleted);
	uidset_builder_init(&work->followed);
	uidset_builder_init(&work->missing);
	uidset_builder_init(&work->arrivals);
	uidset_builder_init(&work->logged);
	uidset_builder_init(&work->unused);
	uidset_builder_init(&work->returning);
	uidset_builder_init(&work->begun);
	uidset_builder_init(&work->appeared);
	mailbox->level = inner;
	if (level > 1)
	{
		inner->older = inner_levels;
		inner_levels = inner;
	}
	MemoryContextSwitchTo(old);
}

static void
free_changes(Changes *changes)
{
	uidset_builder_free(&changes->stamped);
	uidset_builder_free(&changes->vanished);
	uidset_builder_free(&changes->undeleted);
}

static void
pop_level(MailboxLevel *inner)
{
	Assert(inner->mailbox->level == inner);
	inner->mailbox->level = inner->outer;
	free_changes(&inner->work.owed);
	free_changes(&inner->work.waiting);
	uidset_builder_free(&inner->work.followed);
	uidset_builder_free(&inner->work.missing);
	uidset_builder_free(&inner->work.arrivals);
	uidset_builder_free(&inner->work.logged);
	uidset_builder_free(&inner->work.unused);
	uidset_builder_free(&inner->work.returning);
	uidset_builder_free(&inner->work.begun);
	uidset_builder_free(&inner->work.appeared);
	departures_drop(&inner->work.departed);
	departures_drop(&inner->work.late);
	pfree(inner);
}

/* The level that the current (sub)transaction may change */
static MailboxLevel *
current_level(Mailbox *mailbox)
{
	int			level = GetCurrentTransactionNestLevel();

	if (mailbox->level == NULL || mailbox->level->level < level)
		push_level(mailbox, level);
	return mailbox->level;
}

Counters *
mailbox_counters(Mailbox *mailbox)
{
	return &current_level(mailbox)->counters;
}

Work *
mailbox_work(Mailbox *mailbox)
{
	return &current_level(mailbox)->work;
}

/* mailbox_guess: what its value was guessed to be, in any level; 0 if not */
int64
mailbox_guess(const Mailbox *mailbox)
{
	int64		guess = 0;

	for (const MailboxLevel *level = mailbox->level; level != NULL;
		 level = level->outer)
		guess = Max(guess, level->work.guess);
	return guess;
}

void
mailbox_move_uids(UidBuilder *from, UidBuilder *to)
{
	uidset_builder_add_ranges(to, from->ranges, from->n);
	uidset_builder_free(from);
}

/* mailbox_move_lost: what was lost as it began an incarnation, the last one */
void
mailbox_move_lost(Changes *from, Changes *to)
{
	if (from->lost > to->lost)
	{
		to->lost = from->lost;
		to->lost_from = from->lost_from;
		to->lost_to = from->lost_to;
	}
	from->lost = 0;
}

/* mailbox_move_counts: what was counted, or that all is to be counted */
void
mailbox_move_counts(Changes *from, Changes *to)
{
	for (int i = 0; i < COUNTS; i++)
		to->counts.n[i] += from->counts.n[i];
	to->recount = to->recount || from->recount;
	mailbox_drop_counts(from);
}

void
mailbox_drop_counts(Changes *changes)
{
	memset(&changes->counts, 0, sizeof(Counts));
	changes->recount = false;
}

void
mailbox_move_changes(Changes *from, Changes *to)
{
	mailbox_move_counts(from, to);
	mailbox_move_uids(&from->stamped, &to->stamped);
	mailbox_move_uids(&from->vanished, &to->vanished);
	mailbox_move_uids(&from->undeleted, &to->undeleted);
	mailbox_move_lost(from, to);
}

/*
 * mailbox_merge_work: what is owed by one is now owed by the other, as when an
 * inner level ends, or two prove to be the same mailbox
 *
 * If it is an inner level's, then a statement in progress in the outer one
 * contains those of the inner level, and completes them (statement.c).  They
 * share its value, so only one of the two may have taken any.
 */
void
mailbox_merge_work(Work *from, Work *to)
{
	to->value = Max(to->value, from->value);
	to->used = to->used || from->used;
	to->landed = Max(to->landed, from->landed);
	to->issued = Max(to->issued, from->issued);
	to->appended = Max(to->appended, from->appended);
	to->entered = Max(to->entered, from->entered);
	to->accounted = Max(to->accounted, from->accounted);
	mailbox_move_uids(&from->arrivals, &to->arrivals);
	mailbox_move_uids(&from->logged, &to->logged);
	mailbox_move_uids(&from->unused, &to->unused);
	mailbox_move_uids(&from->returning, &to->returning);
	to->lock_stamped = to->lock_stamped || from->lock_stamped;
	to->restamp = to->restamp || from->restamp ||
		(from->guess != 0 && to->guess != 0 && from->guess != to->guess);
	if (to->guess == 0)
		to->guess = from->guess;
	mailbox_move_changes(&from->owed, &to->owed);
	mailbox_move_changes(&from->waiting, &to->waiting);
	to->changed |= from->changed;
	to->went = to->went || from->went;
	to->made = to->made || from->made;
	to->revived = to->revived || from->revived;
	to->altered = to->altered || from->altered;
	to->least = Max(to->least, from->least);
	if (from->left != NIL)
	{
		MemoryContext old = MemoryContextSwitchTo(level_memory());

		to->left = list_concat(to->left, from->left);
		from->left = NIL;
		MemoryContextSwitchTo(old);
	}
	departures_move(&from->departed, &to->departed);
	departures_move(&from->late, &to->late);
	mailbox_move_uids(&from->begun, &to->begun);
	mailbox_move_uids(&from->appeared, &to->appeared);
	mailbox_move_uids(&from->followed, &to->followed);
	mailbox_move_uids(&from->missing, &to->missing);
	from->value = 0;
	from->used = false;
	from->landed = 0;
	from->entered = 0;
}

/* What the inner level learnt is now the outer level's */
static void
merge_level(MailboxLevel *inner)
{
	Counters   *outer = &inner->outer->counters;
	int64		next_uid = inner->counters.gone ? 0 :
		Max(outer->next_uid, inner->counters.next_uid);

	*outer = inner->counters;
	outer->next_uid = next_uid;
	inner->outer->work.listed |= inner->work.listed;
	mailbox_merge_work(&inner->work, &inner->outer->work);
}

/* level_subtransaction_end: ends what mailboxes have of that nest level */
void
level_subtransaction_end(int level, bool commit)
{
	MailboxLevel *kept = NULL;

	while (inner_levels != NULL && inner_levels->level >= level)
	{
		MailboxLevel *inner = inner_levels;

		inner_levels = inner->older;
		if (!commit)
			pop_level(inner);
		else if (inner->outer != NULL && inner->outer->level == level - 1)
		{
			merge_level(inner);
			pop_level(inner);
		}
		else
		{
			inner->level = level - 1;
			inner->older = kept;
			kept = inner;
		}
	}
	while (kept != NULL && level - 1 > 1)
	{
		MailboxLevel *next = kept->older;

		kept->older = inner_levels;
		inner_levels = kept;
		kept = next;
	}
}

/* Everything was in level_context, which is gone with the transaction */
void
level_transaction_end(void)
{
	level_context = NULL;
	inner_levels = NULL;
}
