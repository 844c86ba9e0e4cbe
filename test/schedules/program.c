/*-------------------------------------------------------------------------
 *
 * program.c
 *	  Programs: which there are, what their steps are in SQL, and which of them
 *	  may deadlock with each other.
 *
 * Each schedule has two mailboxes, A and B, with a message in each.  A program
 * is one transaction; a letter is a step, and one in lower case is the same in
 * B, with B's message:
 *
 *	=	first only: REPEATABLE READ, and no step of its own
 *	L	lock() of all mailboxes that the program uses; first only
 *	I i	INSERT of a message
 *	F f	change of the message's flags
 *	S s	change of the flags of all messages of the mailbox
 *	C c	conditional store: unchanged_since() the start, then a change of flags
 *	M m	MOVE of the message to the other mailbox
 *	D d	DELETE of the message
 *	P	SAVEPOINT
 *	Q	ROLLBACK TO that savepoint
 *	R	a client syncs, in this transaction
 *	K A	COMMIT, or ROLLBACK; last only
 *
 *-------------------------------------------------------------------------
 */
#include "schedules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define EFFECTS			"IiFfSsCcMmDd"

bool
program_repeatable(const char *program)
{
	return program[0] == '=';
}

/* The mailboxes that it uses, as bits */
int
program_boxes(const char *program)
{
	int			boxes = 0;

	for (const char *step = program; *step; step++)
		if (strchr("Mm", *step))
			boxes = 3;
		else if (strchr(EFFECTS, *step))
			boxes |= islower((unsigned char) *step) ? 2 : 1;
	return boxes;
}

/*
 * Is it worth to be run?  A transaction that only reads does so in REPEATABLE
 * READ and at least twice, for all others read the same as the observer, who
 * reads after each commit.  An effect is between SAVEPOINT and ROLLBACK TO.
 */
bool
program_valid(const char *program)
{
	const char *start = program + (program[0] == '=');
	int			effects = strcspn(start, EFFECTS) < strlen(start);
	bool		savepoint = false;
	bool		since = false;	/* has the savepoint anything to undo? */

	for (const char *step = start; *step; step++)
	{
		if (strchr("KA", *step))
			return step[1] == '\0' && !savepoint &&
				(effects ? step[-1] != 'P' : strcmp(program, "=RRK") == 0);
		if ((*step == 'L' && (step != start || !effects)) ||
			(*step == 'P' && (savepoint || step[1] == 'P')) ||
			(*step == 'Q' && (!savepoint || !since)) ||
			(*step == 'R' && (step == start || step[-1] == 'P') && effects))
			return false;
		if (*step == 'P')
			savepoint = true, since = false;
		else if (*step == 'Q')
			savepoint = false;
		else if (strchr(EFFECTS, *step))
			since = true;
	}
	return false;
}

/* --- which of them may deadlock ---------------------------------------------- */

typedef enum Kind
{
	KIND_READER,
	KIND_LOCKED,				/* locks first: rule "lock order" */
	KIND_SINGLE,				/* one statement, on one mailbox */
	KIND_OTHER
} Kind;

static Kind
program_kind(const char *program)
{
	const char *start = program + (program[0] == '=');
	int			effects = 0;

	for (const char *step = start; *step; step++)
		effects += strchr(EFFECTS, *step) != NULL;
	if (effects == 0)
		return KIND_READER;
	/* unchanged_since() locks its mailbox, too */
	if (*start == 'L' || (strchr("Cc", *start) && program_boxes(program) != 3))
		return KIND_LOCKED;
	if (effects == 1 && program[strcspn(program, "IiFfDd")])
		return KIND_SINGLE;
	return KIND_OTHER;
}

/* docs/concepts.md says so where kinds are mixed; never among one of the two */
bool
may_deadlock(const Schedule *schedule)
{
	Kind		kind = KIND_READER;

	if (settings.broken)
		return true;
	for (int i = 0; i < schedule->sessions; i++)
	{
		Kind		own = program_kind(schedule->program[i]);

		if (own == KIND_READER)
			continue;
		if (own == KIND_OTHER || (kind != KIND_READER && own != kind))
			return true;
		kind = own;
	}
	return false;
}

/* --- SQL ------------------------------------------------------------------------ */

static void
effect_sql(const Schedule *schedule, char effect, char *sql)
{
	int			box = islower((unsigned char) effect) ? 1 : 0;
	long long	mailbox = box_id(schedule, box);
	long long	message = message_id(schedule, box);

	switch (toupper((unsigned char) effect))
	{
		case 'I':
			sprintf(sql, "INSERT INTO mw_mail (mailbox_id) VALUES (%lld)", mailbox);
			break;
		case 'F':
			sprintf(sql, "UPDATE mw_mail SET n = n + 1 WHERE mailbox_id = %lld AND id = %lld",
					mailbox, message);
			break;
		case 'S':
			sprintf(sql, "UPDATE mw_mail SET n = n + 1 WHERE mailbox_id = %lld", mailbox);
			break;
		case 'C':
			sprintf(sql, "SELECT mw_store(%lld, 1, %lld) AS stored", mailbox,
					(long long) schedule->state[0].box[box].cursor);
			break;
		case 'M':
			sprintf(sql, "UPDATE mw_mail SET mailbox_id = %lld WHERE mailbox_id = %lld AND id = %lld",
					(long long) box_id(schedule, 1 - box), mailbox, message);
			break;
		case 'D':
			sprintf(sql, "DELETE FROM mw_mail WHERE mailbox_id = %lld AND id = %lld",
					mailbox, message);
			break;
	}
}

void
step_sql(const Schedule *schedule, int session, int step, char *sql)
{
	const char *program = schedule->program[session];
	int			boxes = program_boxes(program);
	bool		repeatable = program_repeatable(program);

	*sql = '\0';
	if (step == repeatable)
		sql += sprintf(sql, "BEGIN ISOLATION LEVEL %s; ",
					   repeatable ? "REPEATABLE READ" : "READ COMMITTED");
	switch (program[step])
	{
		case 'L':
			if (boxes == 3)
				sprintf(sql, "SELECT %s.lock('mw_mail', '{%lld, %lld}'::bigint[])", settings.schema,
						(long long) box_id(schedule, 1), (long long) box_id(schedule, 0));
			else
				sprintf(sql, "SELECT %s.lock('mw_mail', '{%lld}'::bigint[])", settings.schema,
						(long long) box_id(schedule, boxes == 2));
			break;
		case 'P':
			strcpy(sql, "SAVEPOINT s");
			break;
		case 'Q':
			strcpy(sql, "ROLLBACK TO s; RELEASE s");
			break;
		case 'R':
			look_sql(schedule, schedule->states, sql);
			break;
		case 'K':
			strcpy(sql, "COMMIT");
			break;
		case 'A':
			strcpy(sql, "ROLLBACK");
			break;
		default:
			effect_sql(schedule, program[step], sql);
	}
}

/* --- random ones ---------------------------------------------------------------- */

void
program_random(char *program, int boxes, int steps)
{
	const char *letters = boxes == 1 ? "IFSCDDFRPPQQ" : "IiFfSsCcMmMmDdRPPQQ";

	if (pick(12) == 0)
	{
		strcpy(program, "=RRK");
		return;
	}
	do
	{
		char	   *step = program;

		if (pick(8) == 0)
			*step++ = '=';
		if (pick(2) == 0)
			*step++ = 'L';
		for (int i = 1; i < steps; i++)
			*step++ = letters[pick(strlen(letters))];
		*step++ = pick(4) == 0 ? 'A' : 'K';
		*step = '\0';
	} while (!program_valid(program));
}
