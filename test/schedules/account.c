/*-------------------------------------------------------------------------
 *
 * account.c
 *	  The rules of accounts: what JMAP's clients are told of Emails and
 *	  Mailboxes is what has become of them.
 *
 *-------------------------------------------------------------------------
 */
#include "schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
				text += sprintf(text, "%d/%d/%lld/%s ", box, state->renamed[box], (long long) message->uid, message->flags);
		}
}

/* A mailbox that has the id, as text: what is in it; or empty */
static void
mailbox_text(const State *state, int box, bool renamed, char *text)
{
	*text = '\0';
	if (!state->uidvalidity[box] || state->renamed[box] != renamed)
		return;
	text += sprintf(text, "%lld:", (long long) state->uidvalidity[box]);
	for (int i = 0; i < state->box[box].count; i++)
		text += sprintf(text, " %lld/%s", (long long) state->box[box].messages[i].uid, state->box[box].messages[i].flags);
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
judge_object(Schedule *schedule, int account, int state, const char *what, int64_t id,
			 const Changes *told, const char *before, const char *after)
{
	const char *expected = !*before && *after ? "created" : *before && !*after ? "destroyed" :
		strcmp(before, after) ? "updated" : "nothing";
	const char *found = names(told->created, id) ? "created" : names(told->destroyed, id) ? "destroyed" :
		names(told->updated, id) ? "updated" : "nothing";

	/* What came and went in between may be told as destroyed */
	if (!*before && !*after && strcmp(found, "destroyed") == 0)
		return;
	/* What was changed and changed back is there as before, and updated */
	if (strcmp(expected, "nothing") == 0 && strcmp(found, "updated") == 0 && *before)
		return;
	if (strcmp(expected, found) != 0)
		failure(schedule, "account %d: since the state after %d commits, %s %lld is told as %s, not %s",
				account, state, what, (long long) id, found, expected);
}

static void
judge_email(Schedule *schedule, const Look *look, int state, int account, int64_t id)
{
	char		before[600];
	char		after[600];

	email_text(&schedule->state[state], account, id, before);
	email_text(&look->now, account, id, after);
	judge_object(schedule, account, state, "Email", id, &look->emails[state][account], before, after);
}

static void
judge_mailboxes(Schedule *schedule, const Look *look, int state, int account)
{
	for (int box = account; box < BOXES; box += settings.accounts)
		for (int renamed = 0; renamed < 2; renamed++)
		{
			char		before[2000];
			char		after[2000];

			mailbox_text(&schedule->state[state], box, renamed, before);
			mailbox_text(&look->now, box, renamed, after);
			judge_object(schedule, account, state, "Mailbox",
						 renamed ? renamed_id(schedule, box) : box_id(schedule, box),
						 &look->mailboxes[state][account], before, after);
		}
}

void
judge_accounts(Schedule *schedule, const Look *look, int state)
{
	for (int account = 0; account < settings.accounts; account++)
	{
		const State *both[] = {&schedule->state[state], &look->now};

		if (strcmp(look->emails[state][account].verdict, "ok") != 0 ||
			strcmp(look->mailboxes[state][account].verdict, "ok") != 0)
			failure(schedule, "account %d: the states after %d commits are '%s' and '%s'", account, state,
					look->emails[state][account].verdict, look->mailboxes[state][account].verdict);
		for (int i = 0; i < 2; i++)
			for (int box = 0; box < BOXES; box++)
				for (int j = 0; j < both[i]->box[box].count; j++)
					judge_email(schedule, look, state, account,
								atoll(both[i]->box[box].messages[j].flags));
		judge_mailboxes(schedule, look, state, account);
	}
}
