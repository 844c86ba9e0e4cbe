/*-------------------------------------------------------------------------
 *
 * judge.c
 *	  The rules.  They know nothing of what the programs do: only which states
 *	  were committed, in which order, and what clients were told.
 *
 *-------------------------------------------------------------------------
 */
#include "schedules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first of a schedule is printed */
void
failure(Schedule *schedule, const char *format,...)
{
	va_list		args;

	if (schedule->failed)
		return;
	schedule->failed = true;
	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n#   --schedule '");
	for (int i = 0; i < schedule->sessions; i++)
		printf("%s%s", i > 0 ? "|" : "", schedule->program[i]);
	printf(":%s'\n", schedule->order);
	for (int i = 0; i < schedule->states; i++)
		for (int box = 0; box < BOXES; box++)
		{
			const Model *model = &schedule->state[i].box[box];

			printf("#   after %d commits, %c: UIDNEXT %lld HIGHESTMODSEQ %lld,", i, 'A' + box,
				   (long long) model->uidnext, (long long) model->cursor);
			for (int j = 0; j < model->count; j++)
				printf(" %lld:%lld(%s)", (long long) model->messages[j].uid,
					   (long long) model->messages[j].modseq, model->messages[j].flags);
			printf("\n");
		}
	fflush(stdout);
}

/* --- no change is missed ------------------------------------------------------ */

/* A client that had the state, and applies what it is told, has what is there */
static void
judge_resync(Schedule *schedule, const Look *look, int state, int box)
{
	const Model *had = &schedule->state[state].box[box];
	const Model *now = &look->now.box[box];
	const Told *told = &look->told[state][box];
	Model		model = {0};
	char		text[200];
	int64_t		uid;

	if (!schedule->state[state].uidvalidity[box] || !look->now.uidvalidity[box])
		return;
	if (schedule->state[state].uidvalidity[box] != look->now.uidvalidity[box])
	{
		if (strcmp(told->verdict, "uidvalidity_changed") != 0)
			failure(schedule, "%c: is another since %d commits, and the verdict is '%s'", 'A' + box, state, told->verdict);
		return;
	}
	if (strcmp(told->verdict, "ok") != 0)
		failure(schedule, "%c: after %d commits, %lld is '%s'", 'A' + box, state,
				(long long) had->cursor, told->verdict);
	model_copy(&model, had);
	model_remove_ranges(&model, &told->vanished);
	for (int i = 0; i < now->count; i++)
	{
		const Message *message = &now->messages[i];

		if (!ranges_contain(&told->changed, message->uid))
			continue;
		if (message->modseq <= had->cursor)
			failure(schedule, "%c: UID %lld changed since %lld, at %lld", 'A' + box,
					(long long) message->uid, (long long) had->cursor, (long long) message->modseq);
		model_set(&model, message);
	}
	if (model_differs(&model, now, &uid, text, sizeof(text)))
		failure(schedule, "%c: a client that knew %lld is wrong on UID %lld: %s", 'A' + box,
				(long long) had->cursor, (long long) uid, text);
	for (int i = 0; i < told->vanished.count; i++)
		if (told->vanished.range[i][1] >= now->uidnext)
			failure(schedule, "%c: UID %lld vanished, and UIDNEXT is %lld", 'A' + box,
					(long long) told->vanished.range[i][1], (long long) now->uidnext);
	for (int i = 0; i < now->count; i++)
		if (ranges_contain(&told->vanished, now->messages[i].uid))
			failure(schedule, "%c: UID %lld vanished, and is live", 'A' + box, (long long) now->messages[i].uid);
	free(model.messages);
}

/* What clients are told that had one of the first so many states */
void
judge_told(Schedule *schedule, const Look *look, int states)
{
	for (int i = 0; i < states; i++)
	{
		for (int box = 0; box < BOXES; box++)
			judge_resync(schedule, look, i, box);
		judge_accounts(schedule, look, i);
	}
}

/* --- what is read is what some first commits have made -------------------------- */

void
judge_same(Schedule *schedule, const Look *look, int state, const char *who)
{
	for (int box = 0; box < BOXES; box++)
	{
		const Model *had = &schedule->state[state].box[box];
		const Model *now = &look->now.box[box];
		const Told *told = &look->told[state][box];
		char		text[200];
		int64_t		uid = 0;

		text[0] = '\0';
		if (look->now.uidvalidity[box] != schedule->state[state].uidvalidity[box] ||
			look->now.renamed[box] != schedule->state[state].renamed[box])
			failure(schedule, "%c: %s sees another mailbox than %d commits have left", 'A' + box, who, state);
		if (model_differs(now, had, &uid, text, sizeof(text)) ||
			now->cursor != had->cursor || now->uidnext != had->uidnext ||
			told->vanished.count > 0 || told->changed.count > 0)
			failure(schedule, "%c: %s sees UIDNEXT %lld HIGHESTMODSEQ %lld, %d changed, %d vanished"
					" where %d commits were; UID %lld: %s", 'A' + box, who,
					(long long) now->uidnext, (long long) now->cursor, told->changed.count,
					told->vanished.count, state, (long long) uid, text);
	}
	for (int i = 0; i < settings.accounts; i++)
		if (look->now.account[i] != schedule->state[state].account[i] ||
			strcmp(look->now.emails[i], schedule->state[state].emails[i]) != 0 ||
			strcmp(look->now.mailboxes[i], schedule->state[state].mailboxes[i]) != 0)
			failure(schedule, "account %d: %s sees the states %s and %s where %d commits were", i, who,
					look->now.emails[i], look->now.mailboxes[i], state);
}

/* --- commit order is mod-sequence order ------------------------------------------ */

static int
account_of(int box)
{
	return settings.accounts ? box % settings.accounts : 0;
}

/* A message that is not as it was before the last commit */
static void
judge_message(Schedule *schedule, const Look *look, int box, const Message *message)
{
	const State *last = &schedule->state[schedule->states - 1];
	const Model *had = &last->box[box];
	const Model *now = &look->now.box[box];
	const Message *old = model_find(had, message->uid);
	int			account = account_of(box);

	if (old && old->modseq == message->modseq && strcmp(old->flags, message->flags) == 0)
		return;
	if (message->modseq <= had->cursor || message->modseq > now->cursor)
		failure(schedule, "%c: UID %lld has %lld, but HIGHESTMODSEQ went from %lld to %lld",
				'A' + box, (long long) message->uid, (long long) message->modseq,
				(long long) had->cursor, (long long) now->cursor);
	if (settings.accounts &&
		(message->modseq <= last->account[account] || message->modseq > look->now.account[account]))
		failure(schedule, "%c: UID %lld has %lld, but the account's went from %lld to %lld",
				'A' + box, (long long) message->uid, (long long) message->modseq,
				(long long) last->account[account], (long long) look->now.account[account]);
	if (old == NULL && (message->uid < had->uidnext || message->uid >= now->uidnext))
		failure(schedule, "%c: UID %lld arrived, but UIDNEXT went from %lld to %lld", 'A' + box,
				(long long) message->uid, (long long) had->uidnext, (long long) now->uidnext);
}

/* No UID is of two messages, ever; each below UIDNEXT is live or has vanished */
static void
judge_uids(Schedule *schedule, const Look *look, int box)
{
	const Model *now = &look->now.box[box];

	for (int i = 0; i < now->count; i++)
	{
		int64_t		id = atoll(now->messages[i].flags);
		int64_t    *owner = &schedule->owner[box][now->messages[i].uid];

		if (*owner != 0 && *owner != id)
			failure(schedule, "%c: UID %lld is of two messages", 'A' + box,
					(long long) now->messages[i].uid);
		*owner = id;
	}
}

static void
judge_counters(Schedule *schedule, const Look *look, int box)
{
	const State *last = &schedule->state[schedule->states - 1];
	const Model *had = &last->box[box];
	const Model *now = &look->now.box[box];
	const Told *told = &look->told[schedule->states - 1][box];
	int			account = account_of(box);

	if (now->cursor < had->cursor || now->uidnext < had->uidnext)
		failure(schedule, "%c: a number went down", 'A' + box);
	for (int64_t uid = had->uidnext; uid < now->uidnext; uid++)
		if (model_find(now, uid) == NULL && !ranges_contain(&told->vanished, uid))
			failure(schedule, "%c: UID %lld is neither live nor vanished", 'A' + box, (long long) uid);
	/* To an account, another name is a change of the mailbox */
	if ((now->cursor > had->cursor) != (told->changed.count + told->vanished.count > 0) &&
		!(now->cursor > had->cursor && settings.accounts && schedule_has(schedule, "NnZz")))
		failure(schedule, "%c: HIGHESTMODSEQ went from %lld to %lld, %d changed, %d vanished", 'A' + box,
				(long long) had->cursor, (long long) now->cursor, told->changed.count, told->vanished.count);
	if (settings.accounts && now->cursor > had->cursor &&
		(now->cursor <= last->account[account] || now->cursor > look->now.account[account]))
		failure(schedule, "%c: HIGHESTMODSEQ is %lld, but the account's went from %lld to %lld", 'A' + box,
				(long long) now->cursor, (long long) last->account[account], (long long) look->now.account[account]);
}

/* It is there, and was not, or was another: then UIDs begin anew */
static void
judge_anew(Schedule *schedule, const Look *look, int box)
{
	for (int i = 0; i < schedule->states; i++)
		if (look->now.uidvalidity[box] <= schedule->state[i].uidvalidity[box])
			failure(schedule, "%c: UIDVALIDITY went from %lld to %lld", 'A' + box,
					(long long) schedule->state[i].uidvalidity[box], (long long) look->now.uidvalidity[box]);
	if (schedule->states > 0 && !schedule_has(schedule, "Yy"))
		failure(schedule, "%c: is another, and nobody has made one", 'A' + box);
	memset(schedule->owner[box], 0, sizeof(schedule->owner[box]));
}

/* The look is at what one more commit has made.  Keeps the state. */
void
judge_commit(Schedule *schedule, const Look *look)
{
	const State *last = schedule->states > 0 ? &schedule->state[schedule->states - 1] : NULL;

	for (int i = 0; last && i < settings.accounts; i++)
		if (look->now.account[i] < last->account[i])
			failure(schedule, "a number of account %d went down", i);
	for (int box = 0; box < BOXES; box++)
	{
		bool		same = last && last->uidvalidity[box] == look->now.uidvalidity[box];

		if (!look->now.uidvalidity[box])
		{
			if (last && last->uidvalidity[box] && !schedule_has(schedule, "Xx"))
				failure(schedule, "%c: is gone, and nobody has deleted it", 'A' + box);
			continue;
		}
		if (!same)
			judge_anew(schedule, look, box);
		judge_uids(schedule, look, box);
		if (!same)
			continue;
		judge_counters(schedule, look, box);
		for (int i = 0; i < look->now.box[box].count; i++)
			judge_message(schedule, look, box, &look->now.box[box].messages[i]);
	}
	judge_told(schedule, look, schedule->states);
	schedule->state[schedule->states++] = look->now;
	schedule->unseen = false;
}

/*
 * A conditional store of the mailbox's first message, which is to be as it was
 * at the start: is it?
 */
bool
store_right(const Schedule *schedule, int box)
{
	const State *start = &schedule->state[0];
	const State *last = &schedule->state[schedule->states - 1];
	const Message *message = model_find(&last->box[box], 1);

	return last->uidvalidity[box] == start->uidvalidity[box] &&
		message != NULL && message->modseq <= start->box[box].cursor;
}

/* And a change of what an account has, if its Emails are as they were */
bool
in_state_right(const Schedule *schedule, int account)
{
	return strcmp(schedule->state[schedule->states - 1].emails[account], schedule->state[0].emails[account]) == 0;
}
