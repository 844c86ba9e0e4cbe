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
 * Locks, at the source: the rows of the account and of counters, in that
 * order and FOR UPDATE; then all rows that move.  Who has locked messages
 * first waits for us then, as we for him.  No writer shall die of it: we let
 * go before anybody looks for a deadlock, and start over.
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>

#include "move.h"
#include "move_sql.h"

static const char usage_text[] =
"usage: modseq-move --mailbox KEY [OPTION...] SOURCE TARGET STORE\n"
"       modseq-move --account KEY [OPTION...] SOURCE TARGET STORE\n"
"\n"
"Moves a mailbox, or an account, from one database to another, with its UIDs\n"
"and mod-sequences. SOURCE and TARGET are connection strings of libpq's, and\n"
"STORE is the message table, attached in both. A KEY of several columns is\n"
"'{a,b}'; '{}' is the account of a store that has one.\n"
"\n"
"  --with TABLE:WHERE  rows of another table move, too\n"
"  --source-sql SQL    run in the transaction that deletes at the source\n"
"  --target-sql SQL    run in the transaction that inserts at the target\n"
"\n"
"It can be killed at any time. Started again, it finishes or starts over.\n";

#define MAX_PARTS	64
#define MAX_TRIES	100

/* A table, and which of its rows move */
typedef struct Part
{
	char	   *table;			/* qualified, quoted */
	char	   *alias;			/* under which cond knows it */
	char	   *cond;
	char	   *columns;
	char	   *order;			/* in which its rows are locked, or NULL */
	bool		is_with;		/* not the store's, but told */
	long		found;			/* how many rows are to move */
	long		rows;			/* how many have moved */
} Part;

static Part parts[MAX_PARTS];
static int	n_parts;

/* What we are told */
static const char *kind;		/* account or mailbox */
static const char *key;
static const char *store;
static char *with[MAX_PARTS];
static int	n_with;
static const char *source_sql;
static const char *target_sql;

/* What the source says of it */
static char *chosen;			/* the key, as a row in FROM */
static char *state_sql;			/* mailboxes, their counters and digests */
static char *check_sql;			/* what is wrong with them */
static char *shared_sql;		/* are messages in others, too? */
static char *enter_sql;			/* mailboxes enter the incarnation */
static char *enter_account_sql; /* and so does the account */
static char *gid_start;			/* how prepared transactions of it are called */

/*
 * What there is to move.  The tables by which others find their rows are last
 * in the order in which rows leave.
 */
static void
make_plan(void)
{
	PGresult   *result = run_with(&source, key_text, store, kind, key);
	char	   *problem = field(result, 0, 1);

	store = field(result, 0, 0);
	if (problem != NULL)
		die("%s", problem);
	chosen = field(result, 0, 2);
	PQclear(result);
	gid_start = ask(&source, text(gid_text, literal(store), literal(kind),
								  chosen));

	result = run_with(&source, queries_text, store, kind, chosen);
	state_sql = field(result, 0, 0);
	check_sql = field(result, 1, 0);
	shared_sql = field(result, 2, 0);
	enter_sql = field(result, 3, 0);
	enter_account_sql = field(result, 4, 0);
	PQclear(result);

	n_parts = 0;
	for (int i = 0; i < n_with; i++)
	{
		char	   *colon = strchr(with[i], ':');
		Part	   *part = &parts[n_parts++];

		if (colon == NULL)
			die("--with wants TABLE:WHERE, not \"%s\"", with[i]);
		result = run_with(&source, with_text,
						  strndup(with[i], colon - with[i]), NULL, NULL);
		part->table = field(result, 0, 0);
		part->alias = "t";
		part->cond = text("(%s)", colon + 1);
		part->columns = field(result, 0, 1);
		part->is_with = true;
		PQclear(result);
	}
	result = run_with(&source, parts_text, store, kind, chosen);
	for (int i = 0; i < PQntuples(result); i++)
	{
		Part	   *part = &parts[n_parts++];

		part->table = field(result, i, 0);
		part->alias = field(result, i, 1);
		part->cond = field(result, i, 2);
		part->columns = field(result, i, 3);
		part->order = field(result, i, 4);
	}
	PQclear(result);
}

static char *
rows_of(const Part *part)
{
	return text("FROM %s AS %s WHERE %s", part->table, part->alias, part->cond);
}

static bool
has_rows(Side *side, const Part *part)
{
	return is_so(side, text("SELECT EXISTS (SELECT %s)", rows_of(part)));
}

/* Is the mailbox there, or the account, which may have no mailbox? */
static bool
knows(Side *side)
{
	for (int i = 0; i < n_parts; i++)
	{
		if (parts[i].order != NULL && has_rows(side, &parts[i]))
			return true;
	}
	return false;
}

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
	char	   *gid = ask(&source, text(prepared_text, literal(gid_start)));
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
		status = ask(&target, text("SELECT pg_xact_status(%s)",
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
		command(&source, text("COMMIT PREPARED %s", literal(gid)));
		undecided = false;
		return true;
	}
	step("undo");
	command(&source, text("ROLLBACK PREPARED %s", literal(gid)));
	undecided = false;
	return false;
}

/* False if it is at the target already, and nowhere else */
static bool
judge(void)
{
	char	   *here = lines_of(run_with(&source, options_text, store, NULL,
										 NULL));
	char	   *there = lines_of(run_with(&target, options_text, store, NULL,
										  NULL));
	char	   *problems = lines_of(run_with(&target, schema_text, store, NULL,
											 NULL));

	if (is_so(&target, "SELECT pg_is_in_recovery()"))
		die("target: the server is in recovery");
	if (strcmp(here, there) != 0)
		die("the stores are not attached alike\nsource:\n%starget:\n%s", here,
			there);
	if (*problems != '\0')
		die("modseq.check() at the target says\n%s", problems);
	if (!knows(&source))
	{
		if (knows(&target))
			return false;
		die("%s %s is neither at the source nor at the target", kind, key);
	}
	for (int i = 0; i < n_parts; i++)
	{
		if (!parts[i].is_with && has_rows(&target, &parts[i]))
			die("table %s of the target has rows of %s %s already",
				parts[i].table, kind, key);
	}
	if (strcmp(ask(&source, "SHOW max_prepared_transactions"), "0") == 0)
		die("the source's max_prepared_transactions is 0\n"
			"Set it to 1 at least, and restart the server.");
	return true;
}

/* What moves, as JSON */
static char *
moved(void)
{
	char	   *rows = "";

	for (int i = 0; i < n_parts; i++)
		rows = text("%s%s(%s, %s, %s, %s)", rows, i > 0 ? ", " : "",
					literal(parts[i].table), literal(parts[i].alias),
					literal(parts[i].cond),
					parts[i].is_with ? "false" : "true");
	return ask(&source, text("SELECT jsonb_agg(m) FROM (VALUES %s)"
							 " AS m (relation, alias, cond, own)", rows));
}

/* Foreign keys: the triggers that would look at them are off */
static void
check_references(Side *side, const char *sql)
{
	PGresult   *result = run_with(side, sql, moved(), NULL, NULL);

	for (int i = 0; i < PQntuples(result); i++)
	{
		if (is_so(side, PQgetvalue(result, i, 1)))
			die("%s: %s", side->name, PQgetvalue(result, i, 0));
	}
	PQclear(result);
}

/*
 * The source may have begun another incarnation, of which the target does not
 * know, and the mailbox has taken no number of it yet.  So it takes one now: as
 * by any other write, in a transaction of its own, which may notify.
 */
static void
enter_incarnation(void)
{
	command(&source, "BEGIN; SET LOCAL session_replication_role = origin");
	command(&source, enter_sql);
	command(&source, "SET LOCAL session_replication_role = replica");
	command(&source, enter_account_sql);
	command(&source, "COMMIT");
}

/* How many there are at the source.  No row can come to refer to them now. */
static long
lock_rows(const Part *part)
{
	return atol(ask(&source, text("SELECT count(*) FROM"
								  " (SELECT %s FOR UPDATE OF %s) AS l",
								  rows_of(part), part->alias)));
}

/*
 * Keep writers away.  They take the locks of accounts first, then those of
 * mailboxes in ascending order, as we do.
 */
static void
lock(void)
{
	step("lock");
	enter_incarnation();
	command(&source, "BEGIN");
	for (int i = 0; i < n_parts; i++)
	{
		if (parts[i].order != NULL)
			command(&source, text("SELECT %s%s FOR UPDATE OF %s",
								  rows_of(&parts[i]), parts[i].order,
								  parts[i].alias));
	}
	command(&source, patience_text);
	for (int i = 0; i < n_parts; i++)
		parts[i].found = lock_rows(&parts[i]);
	check_references(&source, referring_text);
	if (is_so(&source, shared_sql))
		die("messages are in other mailboxes, too, that do not move");
}

static void
move_rows(Part *part)
{
	char	   *row;
	int			size;

	step(text("move %s", part->table));
	PQclear(run(&source, text("COPY (DELETE %s RETURNING %s) TO STDOUT",
							  rows_of(part), part->columns)));
	PQclear(run(&target, text("COPY %s (%s) FROM STDIN", part->table,
							  part->columns)));
	part->rows = 0;
	while ((size = PQgetCopyData(source.conn, &row, 0)) > 0)
	{
		if (PQputCopyData(target.conn, row, size) != 1)
			die("target: %s", PQerrorMessage(target.conn));
		PQfreemem(row);
		if (++part->rows % 100000 == 0)
			fprintf(stderr, "  %ld rows\n", part->rows);
	}
	check_result(&source, PQgetResult(source.conn));
	while (PQgetResult(source.conn) != NULL)
		;
	if (part->rows < part->found)
		die("table %s had %ld rows to move, and %ld when others were gone\n"
			"Give its --with before those that its condition reads.",
			part->table, part->found, part->rows);
	if (PQputCopyEnd(target.conn, NULL) != 1)
		die("target: %s", PQerrorMessage(target.conn));
	check_result(&target, PQgetResult(target.conn));
	while (PQgetResult(target.conn) != NULL)
		;
	fprintf(stderr, "  %ld rows in all\n", part->rows);
}

/* What has arrived is what left, no more and no less, and it is sound there */
static void
verify(const char *state)
{
	char	   *there;
	char	   *problems;
	PGresult   *result;

	step("verify");
	for (int i = 0; i < n_parts; i++)
	{
		there = ask(&target, text("SELECT count(*) %s", rows_of(&parts[i])));
		if (atol(there) != parts[i].rows)
			die("table %s of the target has %s rows of %s %s, and not %ld",
				parts[i].table, there, kind, key, parts[i].rows);
	}
	there = lines_of(run(&target, state_sql));
	if (strcmp(state, there) != 0)
		die("mailboxes are others at the target (key, counters, digests)\nsource:\n%starget:\n%s",
			state, there);
	problems = lines_of(run(&target, check_sql));
	if (*problems != '\0')
		die("modseq.check() at the target says\n%s", problems);
	command(&target, "SET LOCAL lock_timeout = '10s'");
	check_references(&target, referred_text);
	command(&target, "SET LOCAL lock_timeout = 0");

	result = run_with(&target, sequences_text, moved(), NULL, NULL);
	for (int i = 0; i < PQntuples(result); i++)
	{
		char	   *notice = ask(&target, PQgetvalue(result, i, 0));

		if (notice != NULL)
			fprintf(stderr, "  %s\n", notice);
	}
	PQclear(result);
}

/*
 * No name gets a UIDVALIDITY again that it had at the source: the target's
 * sequence is raised.  Who takes a value has a lock that ALTER SEQUENCE, which
 * changes nothing here, conflicts with.
 *
 * It is a transaction of its own, lest others wait for ours to create
 * mailboxes; and before what the user has us run in ours, which may do so, too.
 * And its commit flushes the WAL that ours has written so far: else, after a
 * crash of the target, another transaction could get the number of ours, and be
 * taken for it by resolve().
 */
static void
raise_uidvalidity(void)
{
	static Side other = {.name = "target"};
	char	   *highest = ask(&source, "SELECT last_value"
							  " FROM modseq.uidvalidity_seq");

	step("raise uidvalidity");
	other.conninfo = target.conninfo;
	open_side(&other);
	command(&other, "BEGIN; SET LOCAL lock_timeout = '10s'");
	command(&other, "ALTER SEQUENCE modseq.uidvalidity_seq OWNED BY NONE");
	command(&other, text("SELECT setval('modseq.uidvalidity_seq', %s)"
						 " FROM modseq.uidvalidity_seq WHERE last_value < %s",
						 highest, highest));
	command(&other, "COMMIT");
	PQfinish(other.conn);
	other.conn = NULL;
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
	command(side, text("DO %s", literal(text("BEGIN EXECUTE %s; END",
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
	result = PQexec(source.conn, text("PREPARE TRANSACTION %s", literal(gid)));
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
	char	   *number;
	char	   *state;
	char	   *gid;

	open_side(&source);
	open_side(&target);
	step("begin");
	make_plan();
	number = text("hashtextextended(%s, 0)", literal(gid_start));
	if (!is_so(&source, text("SELECT pg_try_advisory_lock(%s)", number)))
	{
		fprintf(stderr, "  another modseq-move has it; waiting\n");
		command(&source, text("SELECT pg_advisory_lock(%s)", number));
	}
	if (resolve())
		return true;
	if (!judge())
		return false;

	lock();
	state = lines_of(run(&source, state_sql));
	command(&target, "BEGIN");
	for (int i = 0; i < n_parts; i++)
		move_rows(&parts[i]);
	verify(state);
	gid = text("%s%s %s", gid_start, ask(&target, identity_text),
			   ask(&target, number_text));
	raise_uidvalidity();
	if (source_sql != NULL)
		run_for_user(&source, source_sql);
	if (target_sql != NULL)
		run_for_user(&target, target_sql);
	commit_both(gid);
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
		{"with", required_argument, NULL, 'w'},
		{"source-sql", required_argument, NULL, 's'},
		{"target-sql", required_argument, NULL, 't'},
		{"help", no_argument, NULL, '?'},
		{NULL, 0, NULL, 0}
	};
	volatile int tries = 0;
	int			c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		if (c == 's')
			source_sql = optarg;
		else if (c == 't')
			target_sql = optarg;
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

	if (setjmp(start_over) != 0)
	{
		if (++tries == MAX_TRIES)
			die("source: %s", PQerrorMessage(source.conn));
		fprintf(stderr, "  a writer has some of it; starting over\n");
	}
	fprintf(stderr, "%s\n", move() ? "moved" : "it has been moved before");
	return 0;
}
