/*-------------------------------------------------------------------------
 *
 * modseq-move.c
 *	  Moves a mailbox, or an account, to another database, with its UIDs and
 *	  mod-sequences, so that its clients go on there as if nothing had been.
 *
 * One transaction at the source deletes what moves, and hands each row that it
 * deletes to one transaction at the target (COPY of DELETE ... RETURNING): so
 * what goes is what arrives.  Both have session_replication_role = replica:
 * rows arrive with their numbers, and leave no ghosts behind.  Then the two
 * must commit, both or neither:
 *
 *	state		source						target			whose it is
 *	begun		deleted, not committed		not committed	the source's
 *	prepared	PREPARE TRANSACTION			not committed	the source's
 *	decided		prepared					committed		the target's
 *	finished	COMMIT PREPARED				committed		the target's
 *
 * Writers at the source wait from the lock to the end, also while nobody runs
 * this: a prepared transaction keeps its locks over any crash.  Then they fail,
 * or find nothing, as after any DELETE.
 *
 * Killed when it has begun, both transactions are rolled back.  Killed later,
 * the prepared transaction is still there, and its name tells the target's
 * transaction.  Started again, this asks the target what has become of that,
 * and commits or rolls back at the source accordingly.  Where one is started
 * while another runs, it waits for an advisory lock at the source, which goes
 * with the session.
 *
 * Online, rows are copied in the target's transaction before that, while others
 * write at the source: see move_copy.c.  What has changed since goes under the
 * lock.
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>

#include "move.h"
#include "move_sql.h"

static const char usage_text[] =
"Usage: modseq-move --mailbox KEY [OPTION...] SOURCE TARGET STORE\n"
"   or: modseq-move --account KEY [OPTION...] SOURCE TARGET STORE\n"
"\n"
"Moves a mailbox, or an account, from one database to another, with its UIDs\n"
"and mod-sequences. SOURCE and TARGET are connection strings of libpq's, and\n"
"STORE is the message table, attached in both. A KEY of several columns is\n"
"'{a,b}'; '{}' is the account of a store that has one.\n"
"\n"
"  --online            writers wait only while the last changes move\n"
"  --with TABLE:WHERE  rows of another table move, too\n"
"  --source-sql SQL    run in the transaction that deletes at the source\n"
"  --target-sql SQL    run in the transaction that inserts at the target\n"
"\n"
"It can be killed at any time. Started again, it finishes or starts over.\n";

/* What we are told besides */
static bool online;
static const char *source_sql;
static const char *target_sql;

/* What only a human can know */
static void
ask_user(const char *why, const char *gid)
{
	die("%s\n"
		"If the target has what moved, then at the source: COMMIT PREPARED %s\n"
		"If it has not: ROLLBACK PREPARED",
		why, literal(gid));
}

/*
 * Go by what the target says of its transaction, whose number is in the name
 * of the source's.  True if there was one, and so it has moved.
 */
static bool
resolve(void)
{
	char	   *gid = ask(&source, fmt(prepared_text, literal(gid_start)));
	char	   *space = gid != NULL ? strrchr(gid, ' ') : NULL;
	char	   *identity;
	char	   *status = NULL;

	undecided = space != NULL;
	if (!undecided)
		return false;
	identity = ask(&target, identity_text);
	if (strncmp(identity, gid + strlen(gid_start),
				space - gid - strlen(gid_start)) != 0)
		ask_user("it is on its way to another server than this, or to this one before it was promoted",
				 gid);

	for (int tries = 0;; tries++)
	{
		if (tries == 10)
			fprintf(stderr, "  waiting for the target's transaction %s\n",
					space + 1);
		status = ask(&target, fmt("SELECT pg_xact_status(%s)",
								  literal(space + 1)));
		if (status == NULL || strcmp(status, "in progress") != 0)
			break;
		usleep(100000);
	}
	if (status == NULL)
		ask_user("the target has forgotten what became of its transaction",
				 gid);
	if (strcmp(status, "committed") == 0)
	{
		step("finish");
		command(&source, fmt("COMMIT PREPARED %s", literal(gid)));
		undecided = false;
		return true;
	}
	step("undo");
	command(&source, fmt("ROLLBACK PREPARED %s", literal(gid)));
	undecided = false;
	return false;
}

/*
 * What the user has us run, in our transaction.  He cannot end that: EXECUTE
 * refuses to, and so do procedures that DO calls in a transaction.
 */
static void
run_for_user(Side *side, const char *sql)
{
	char	   *number = ask(side, number_text);

	command(side, ordinary_text);
	command(side, fmt("DO %s", literal(fmt("BEGIN EXECUTE %s; END",
										   literal(sql)))));
	if (strcmp(ask(side, number_text), number) != 0)
		die("%s: the transaction is another one now", side->name);
}

/* From the states that the head of this file lists to the next */
static void
commit_both(const char *gid)
{
	PGresult   *result;

	step("prepare");
	undecided = true;
	result = PQexec(source.conn, fmt("PREPARE TRANSACTION %s", literal(gid)));
	undecided = PQstatus(source.conn) != CONNECTION_OK;
	check_result(&source, result);
	if (strcmp(PQcmdStatus(result), "PREPARE TRANSACTION") != 0)
		die("source: the transaction was rolled back");
	undecided = true;

	step("decide");
	result = PQexec(target.conn, "COMMIT");
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fprintf(stderr, "target: %s", PQerrorMessage(target.conn));
	if (PQstatus(target.conn) != CONNECTION_OK)
		open_side(&target);
	if (!resolve())
		die("target: the transaction was rolled back");
}

/* True if it has moved now, false if it had before */
static bool
move(void)
{
	static jmp_buf fence;
	char	   *number;
	static char *state;
	char	   *gid;

	source.retry = NULL;
	open_side(&source);
	open_side(&target);
	step("begin");
	make_plan();
	number = fmt("hashtextextended(%s, 0)", literal(gid_start));
	if (!is_so(&source, fmt("SELECT pg_try_advisory_lock(%s)", number)))
	{
		fprintf(stderr, "  another modseq-move has it; waiting\n");
		command(&source, fmt("SELECT pg_advisory_lock(%s)", number));
	}
	if (resolve())
		return true;
	if (!judge())
		return false;

	if (online)
		copy_online();
	else
		command(&target, "BEGIN");
	if (online && setjmp(fence) != 0)
	{
		command(&source, "ROLLBACK");
		fence_took();
	}
	source.retry = online ? &fence : NULL;
	lock();
	if (online)
		begin_state();
	else
		state = lines_of(run(&source, state_sql));
	for (int i = 0; i < n_parts; i++)
	{
		step(fmt("move %s", parts[i].table));
		if (online)
			move_changes(i);
		else
			move_rows(i);
	}
	verify(online ? end_state() : state);
	gid = fmt("%s%s %s", gid_start, ask(&target, identity_text),
			  ask(&target, number_text));
	raise_uidvalidity();
	if (source_sql != NULL)
		run_for_user(&source, source_sql);
	if (target_sql != NULL)
		run_for_user(&target, target_sql);
	commit_both(gid);
	fprintf(stderr, "  writers have waited for %ld ms\n", fence_took());
	return true;
}

static void
usage(FILE *out)
{
	fprintf(out, "%s", usage_text);
	exit(out == stdout ? 0 : 2);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"account", required_argument, NULL, 'a'},
		{"mailbox", required_argument, NULL, 'm'},
		{"online", no_argument, NULL, 'o'},
		{"with", required_argument, NULL, 'w'},
		{"source-sql", required_argument, NULL, 's'},
		{"target-sql", required_argument, NULL, 't'},
		{"help", no_argument, NULL, '?'},
		{NULL, 0, NULL, 0}
	};
	int			c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		if (c == 's')
			source_sql = optarg;
		else if (c == 't')
			target_sql = optarg;
		else if (c == 'o')
			online = true;
		else if (c == 'w' && n_with < MAX_PARTS / 2)
			with[n_with++] = optarg;
		else if ((c == 'a' || c == 'm') && kind == NULL)
		{
			kind = c == 'a' ? "account" : "mailbox";
			key = optarg;
		}
		else
			usage(c == '?' && optopt == 0 ? stdout : stderr);
	}
	if (kind == NULL || argc - optind != 3)
		usage(stderr);
	source.conninfo = argv[optind];
	target.conninfo = argv[optind + 1];
	store = argv[optind + 2];

	/* A deadlock leads here, unless we have copied online */
	(void) setjmp(start_over);
	fprintf(stderr, "%s\n", move() ? "moved" : "it has been moved before");
	return 0;
}
