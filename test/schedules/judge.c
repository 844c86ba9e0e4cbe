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
	free(model.messages);
}

/* An Email of the account, as text: its mailboxes, UIDs and flags; or empty */
static void
email_text(const State *state, int account, int64_t id, char *text)
{
	*text = '\0';
	for (int box = 0; box < BOXES; box++)
		for (int i = 0; i < state->box[box].count; i++)
		{
			const Message *message = &state->box[box].messages[i];

			if (box % settings.accounts == account && atoll(message->flags) == id)
				text += sprintf(text, "%d/%lld/%s ", box, (long long) message->uid, message->flags);
		}
}

static bool
names(const char *array, int64_t id)
{
	char		element[24];
	size_t		length = sprintf(element, "%lld", (long long) id);

	for (const char *at = array; (at = strstr(at, element)) != NULL; at += length)
		if (strchr("{,", at[-1]) && strchr(",}", at[length]))
			return true;
	return false;
}

static void
judge_email(Schedule *schedule, const Look *look, int state, int box, int64_t id)
{
	const Told *told = &look->told[state][box];
	char		before[400];
	char		after[400];
	const char *expected;
	const char *found;

	email_text(&schedule->state[state], box, id, before);
	email_text(&look->now, box, id, after);
	expected = !*before && *after ? "created" : *before && !*after ? "destroyed" :
		strcmp(before, after) ? "updated" : "nothing";
	found = names(told->created, id) ? "created" : names(told->destroyed, id) ? "destroyed" :
		names(told->updated, id) ? "updated" : "nothing";
	/* What came and went in between may be told as destroyed */
	if (!*before && !*after && strcmp(found, "destroyed") == 0)
		return;
	/* What was changed and changed back is there as before, and updated */
	if (strcmp(expected, "nothing") == 0 && strcmp(found, "updated") == 0 && *before)
		return;
	if (strcmp(expected, found) != 0)
		failure(schedule, "account %d: since the state after %d commits, Email %lld is told as %s, not %s",
				box, state, (long long) id, found, expected);
}

static void
judge_emails(Schedule *schedule, const Look *look, int state)
{
	for (int account = 0; account < settings.accounts; account++)
	{
		const Told *told = &look->told[state][account];
		const State *both[] = {&schedule->state[state], &look->now};

		if (strcmp(told->emails, "ok") != 0)
			failure(schedule, "account %d: the state after %d commits is '%s'", account, state, told->emails);
		for (int i = 0; i < 2; i++)
			for (int box = 0; box < BOXES; box++)
				for (int j = 0; j < both[i]->box[box].count; j++)
					judge_email(schedule, look, state, account,
								atoll(both[i]->box[box].messages[j].flags));
	}
}

/* What clients are told that had one of the first so many states */
void
judge_told(Schedule *schedule, const Look *look, int states)
{
	for (int i = 0; i < states; i++)
	{
		for (int box = 0; box < BOXES; box++)
			judge_resync(schedule, look, i, box);
		judge_emails(schedule, look, i);
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
		if (model_differs(now, had, &uid, text, sizeof(text)) ||
			now->cursor != had->cursor || now->uidnext != had->uidnext ||
			told->vanished.count > 0 || told->changed.count > 0)
			failure(schedule, "%c: %s sees UIDNEXT %lld HIGHESTMODSEQ %lld, %d changed, %d vanished"
					" where %d commits were; UID %lld: %s", 'A' + box, who,
					(long long) now->uidnext, (long long) now->cursor, told->changed.count,
					told->vanished.count, state, (long long) uid, text);
	}
}

/* --- commit order is mod-sequence order ------------------------------------------ */

/* A message that is not as it was before the last commit */
static void
judge_message(Schedule *schedule, const Look *look, int box, const Message *message)
{
	const State *last = &schedule->state[schedule->states - 1];
	const Model *had = &last->box[box];
	const Model *now = &look->now.box[box];
	const Message *old = model_find(had, message->uid);

	if (old && old->modseq == message->modseq && strcmp(old->flags, message->flags) == 0)
		return;
	if (message->modseq <= had->cursor || message->modseq > now->cursor)
		failure(schedule, "%c: UID %lld has %lld, but HIGHESTMODSEQ went from %lld to %lld",
				'A' + box, (long long) message->uid, (long long) message->modseq,
				(long long) had->cursor, (long long) now->cursor);
	if (settings.accounts &&
		(message->modseq <= last->account[box] || message->modseq > look->now.account[box]))
		failure(schedule, "%c: UID %lld has %lld, but the account's went from %lld to %lld",
				'A' + box, (long long) message->uid, (long long) message->modseq,
				(long long) last->account[box], (long long) look->now.account[box]);
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
	if (schedule->states == 0)
		return;
	for (int64_t uid = schedule->state[schedule->states - 1].box[box].uidnext; uid < now->uidnext; uid++)
		if (model_find(now, uid) == NULL &&
			!ranges_contain(&look->told[schedule->states - 1][box].vanished, uid))
			failure(schedule, "%c: UID %lld is neither live nor vanished", 'A' + box, (long long) uid);
}

static void
judge_counters(Schedule *schedule, const Look *look, int box)
{
	const State *last = &schedule->state[schedule->states - 1];
	const Model *had = &last->box[box];
	const Model *now = &look->now.box[box];
	const Told *told = &look->told[schedule->states - 1][box];

	if (now->cursor < had->cursor || now->uidnext < had->uidnext ||
		look->now.account[box] < last->account[box])
		failure(schedule, "%c: a number went down", 'A' + box);
	if ((now->cursor > had->cursor) != (told->changed.count + told->vanished.count > 0))
		failure(schedule, "%c: HIGHESTMODSEQ went from %lld to %lld, %d changed, %d vanished", 'A' + box,
				(long long) had->cursor, (long long) now->cursor, told->changed.count, told->vanished.count);
	if (settings.accounts && now->cursor > had->cursor &&
		(now->cursor <= last->account[box] || now->cursor > look->now.account[box]))
		failure(schedule, "%c: HIGHESTMODSEQ is %lld, but the account's went from %lld to %lld", 'A' + box,
				(long long) now->cursor, (long long) last->account[box], (long long) look->now.account[box]);
}

/* The look is at what one more commit has made.  Keeps the state. */
void
judge_commit(Schedule *schedule, const Look *look)
{
	for (int box = 0; box < BOXES; box++)
	{
		judge_uids(schedule, look, box);
		if (schedule->states == 0)
			continue;
		judge_counters(schedule, look, box);
		for (int i = 0; i < look->now.box[box].count; i++)
			judge_message(schedule, look, box, &look->now.box[box].messages[i]);
	}
	judge_told(schedule, look, schedule->states);
	schedule->state[schedule->states++] = look->now;
}

/*
 * A conditional store of the mailbox's first message is about to be committed:
 * it must be as it was at the start.
 */
void
judge_store(Schedule *schedule, int box)
{
	const Model *start = &schedule->state[0].box[box];
	const Message *message = model_find(&schedule->state[schedule->states - 1].box[box], 1);

	if (message == NULL || message->modseq > start->cursor)
		failure(schedule, "%c: stored unchanged since %lld what was changed, or gone", 'A' + box,
				(long long) start->cursor);
}
