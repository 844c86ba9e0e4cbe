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
 *	L	lock() of all mailboxes that the program uses; first only.  Where a table
 *		goes with its rows, LOCK TABLE of the message table
 *	I i	INSERT of a message
 *	F f	change of the message's flags
 *	S s	change of the flags of all messages of the mailbox
 *	C c	conditional store: unchanged_since() the start, then a change of flags
 *	J j	the same by the account: account_lock(), and a change of flags if its
 *		Emails are as at the start
 *	M m	MOVE of the message to the other mailbox
 *	D d	DELETE of the message; or soft delete
 *	U u	the message is put back; or undeleted
 *	E e	DELETE of the message's rows of the flag table
 *	B b	the message becomes one of the other mailbox's, too
 *	G g	the message goes to the other partition
 *	N n	the mailbox gets another key
 *	Z z	it gets back the one that it had
 *	X x	DELETE of the mailbox
 *	Y y	INSERT of the mailbox, unless it is there
 *	W w	TRUNCATE of a partition; or of the flag table; or of all messages
 *	H h	DETACH of a partition, and ATTACH
 *	O	compact()
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

#define EFFECTS			"IiFfSsCcJjMmDdUuEeBbGgNnZzXxYyWwHhO"
#define WITH_TABLE		"WwHh"	/* a table goes with its rows */

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
		if (strchr("MmBb", *step) || (settings.shared && strchr("FfSsCcJj", *step)))
			boxes = 3;
		else if (*step != 'O' && strchr(EFFECTS, *step))
			boxes |= islower((unsigned char) *step) ? 2 : 1;
	return boxes;
}

static bool
has(const char *program, const char *letters)
{
	return program[strcspn(program, letters)] != '\0';
}

bool
schedule_has(const Schedule *schedule, const char *letters)
{
	for (int i = 0; i < schedule->sessions; i++)
		if (has(schedule->program[i], letters))
			return true;
	return false;
}

/* Nobody makes a mailbox that is there under its other key */
bool
schedule_valid(const Schedule *schedule)
{
	return !(schedule_has(schedule, "NnZz") && schedule_has(schedule, "Yy"));
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
		if ((*step == 'L' && (step != start || !(program_boxes(program) || has(program, WITH_TABLE)))) ||
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
	KIND_GOES,					/* one statement, and a table goes with its
								 * rows */
	KIND_OTHER
} Kind;

static Kind
program_kind(const char *program)
{
	const char *start = program + (program[0] == '=');
	int			boxes = program_boxes(program);
	int			effects = 0;

	for (const char *step = start; *step; step++)
		effects += strchr(EFFECTS, *step) != NULL;
	if (effects == 0)
		return KIND_READER;
	if (has(program, WITH_TABLE))
		return *start == 'L' ? KIND_LOCKED : effects == 1 ? KIND_GOES : KIND_OTHER;
	/* unchanged_since() locks its mailbox, too, and account_lock() its account */
	if (*start == 'L' || (boxes != 3 && strchr("CcJj", *start)))
		return has(program, "O") ? KIND_OTHER : KIND_LOCKED;
	if (effects == 1 && has(program, "IiFfDd") && !settings.shared)
		return KIND_SINGLE;
	return KIND_OTHER;
}

/* docs/concepts.md says so where kinds are mixed; never among one of the two */
bool
may_deadlock(const Schedule *schedule)
{
	int			kinds = 0;
	int			with_table = 0;

	for (int i = 0; i < schedule->sessions; i++)
	{
		kinds |= 1 << program_kind(schedule->program[i]);
		with_table += has(schedule->program[i], WITH_TABLE);
	}
	/* Who names the same table is PostgreSQL's business, and DETACH beside readers */
	if (settings.broken || with_table > 1 || (schedule_has(schedule, "Hh") && schedule_has(schedule, "R")))
		return true;
	kinds &= ~(1 << KIND_READER);
	return kinds != 1 << KIND_LOCKED && kinds != 1 << KIND_SINGLE &&
		kinds != 1 << KIND_GOES && kinds != (1 << KIND_LOCKED | 1 << KIND_GOES);
}

/* May a step of that session end so, where it is no deadlock? */
bool
may_fail(const Schedule *schedule, int session, const char *sqlstate)
{
	/* A row that others wait for may go to another partition, by an UPDATE */
	if (strcmp(sqlstate, "40001") == 0)
		return program_repeatable(schedule->program[session]) || schedule_has(schedule, "Gg");
	/* There is no such mailbox, or no message to have a flag */
	if (strcmp(sqlstate, "23503") == 0)
		return schedule_has(schedule, "NnZzXxYy") || settings.flag_table;
	if (strcmp(sqlstate, "42704") == 0)
		return schedule_has(schedule, "NnZzXxYy");
	return false;
}

/* --- SQL ------------------------------------------------------------------------ */

static void
flags_sql(long long mailbox, const char *and, char *sql)
{
	if (settings.shared)
		sprintf(sql, "UPDATE mw_msg SET n = n + 1 WHERE id IN (SELECT msg FROM mw_mail WHERE mailbox_id = %lld%s)", mailbox, and);
	else if (settings.flag_table)
		sprintf(sql, "INSERT INTO mw_mail_flag (mail_id) SELECT id FROM mw_mail WHERE mailbox_id = %lld%s", mailbox, and);
	else
		sprintf(sql, "UPDATE mw_mail SET n = n + 1 WHERE mailbox_id = %lld%s", mailbox, and);
}

static void
table_goes_sql(char effect, int box, char *sql)
{
	if (toupper((unsigned char) effect) == 'H')
		sprintf(sql, "ALTER TABLE mw_mail DETACH PARTITION mw_mail_%d;"
				" ALTER TABLE mw_mail ATTACH PARTITION mw_mail_%d FOR VALUES IN (%d)", box, box, box);
	else if (settings.partitioned)
		sprintf(sql, "TRUNCATE mw_mail_%d", box);
	else
		strcpy(sql, settings.flag_table ? "TRUNCATE mw_mail_flag" : "TRUNCATE mw_mail");
}

static void
effect_sql(const Schedule *schedule, char effect, char *sql)
{
	int			box = islower((unsigned char) effect) ? 1 : 0;
	long long	mailbox = box_id(schedule, box);
	long long	message = message_id(schedule, box);
	int			account = settings.accounts ? box % settings.accounts : 0;
	const char *id = settings.shared ? "msg" : "id";
	char		and_message[100];

	sprintf(and_message, " AND %s = %lld", id, message);
	switch (toupper((unsigned char) effect))
	{
		case 'I':
			sprintf(sql, "INSERT INTO mw_mail (mailbox_id%s) VALUES (%lld%s)", settings.partitioned ? ", part" : "",
					mailbox, !settings.partitioned ? "" : box ? ", 1" : ", 0");
			break;
		case 'F':
			flags_sql(mailbox, and_message, sql);
			break;
		case 'S':
			flags_sql(mailbox, "", sql);
			break;
		case 'C':
			sprintf(sql, "SELECT mw_store(%lld, %lld, 1, %lld) AS stored", mailbox, (long long) schedule->state[0].uidvalidity[box],
					(long long) schedule->state[0].box[box].cursor);
			break;
		case 'J':
			sprintf(sql, "SELECT mw_in_state(%lld, '%s', %lld, %lld) AS stored", (long long) account_id(schedule, account),
					schedule->state[0].emails[account], mailbox, message);
			break;
		case 'M':
			sprintf(sql, "UPDATE mw_mail SET mailbox_id = %lld WHERE mailbox_id = %lld%s",
					(long long) box_id(schedule, 1 - box), mailbox, and_message);
			break;
		case 'D':
			sprintf(sql, "%s WHERE mailbox_id = %lld%s", settings.soft ? "UPDATE mw_mail SET gone = true" :
					"DELETE FROM mw_mail", mailbox, and_message);
			break;
		case 'U':
			if (settings.soft)
				sprintf(sql, "UPDATE mw_mail SET gone = false WHERE mailbox_id = %lld%s", mailbox, and_message);
			else
				sprintf(sql, "INSERT INTO mw_mail (%s, mailbox_id) VALUES (%lld, %lld) ON CONFLICT DO NOTHING",
						id, message, mailbox);
			break;
		case 'E':
			sprintf(sql, "DELETE FROM mw_mail_flag WHERE mail_id = %lld", message);
			break;
		case 'B':
			sprintf(sql, "INSERT INTO mw_mail (mailbox_id, msg) VALUES (%lld, %lld)",
					(long long) box_id(schedule, 1 - box), message);
			break;
		case 'G':
			sprintf(sql, "UPDATE mw_mail SET part = 1 - part WHERE mailbox_id = %lld%s", mailbox, and_message);
			break;
		case 'N':
			sprintf(sql, "UPDATE mw_mailbox SET id = %lld WHERE id = %lld", (long long) renamed_id(schedule, box), mailbox);
			break;
		case 'Z':
			sprintf(sql, "UPDATE mw_mailbox SET id = %lld WHERE id = %lld", mailbox, (long long) renamed_id(schedule, box));
			break;
		case 'X':
			sprintf(sql, "DELETE FROM mw_mailbox WHERE id = %lld", mailbox);
			break;
		case 'Y':
			sprintf(sql, "INSERT INTO mw_mailbox (id, acct) VALUES (%lld, %lld) ON CONFLICT DO NOTHING", mailbox,
					(long long) account_id(schedule, account));
			break;
		case 'O':
			strcpy(sql, "SELECT modseq.compact('mw_mail', '0')");
			break;
		default:
			table_goes_sql(effect, box, sql);
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
			if (has(program, WITH_TABLE))
				sprintf(sql, "LOCK TABLE mw_mail IN %s MODE", has(program, "Hh") ||
						!(settings.partitioned || settings.flag_table) ? "ACCESS EXCLUSIVE" : "SHARE ROW EXCLUSIVE");
			/* Rule "lock order": in whatever order each session names them */
			else if (boxes == 3)
				sprintf(sql, "SELECT %s.lock('mw_mail', '{%lld, %lld}'::bigint[])", settings.schema,
						(long long) box_id(schedule, session & 1), (long long) box_id(schedule, ~session & 1));
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

/* The steps that stores of this kind know, the more often the likelier */
const char *
program_letters(int boxes)
{
	static char letters[200];
	char		add[100];

	if (settings.letters)
		return settings.letters;
	snprintf(add, sizeof(add), "IFSCDDFNZXYO%s%s%s%s%s", settings.accounts ? "JJ" : "",
			 settings.flag_table ? "EW" : "", settings.partitioned ? "WGGH" : "", settings.shared ? "DW" : settings.partitioned ? "" : "UU",
			 settings.soft ? "UU" : "");
	strcpy(letters, "RPPQQ");
	for (const char *letter = add; *letter; letter++)
	{
		sprintf(letters + strlen(letters), "%c", *letter);
		if (boxes == 2 && *letter != 'O')
			sprintf(letters + strlen(letters), "%c", tolower((unsigned char) *letter));
	}
	if (boxes == 2)
		strcat(letters, settings.shared ? "MmMmBbBb" : "MmMm");
	return letters;
}

void
program_random(char *program, int boxes, int steps)
{
	const char *letters = program_letters(boxes);

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
