/*-------------------------------------------------------------------------
 *
 * move_fence.c
 *	  Keeps writers away from what moves, moves it, and compares.
 *
 * Locks, at the source: the rows of the account and of counters, in that
 * order and FOR UPDATE; then messages and flags, and what others may come to
 * refer to by a foreign key; then, by DELETE, all that move.  Who has locked
 * messages first waits for us then, as we for him.  No writer shall die of it:
 * we let go before anybody looks for a deadlock, and start over.  So messages
 * are locked before all that takes long.
 *
 *-------------------------------------------------------------------------
 */
#include <time.h>

#include "move.h"
#include "move_sql.h"

/* When writers began to wait; and for how long they did in vain */
static struct timespec begun;
static long longest;

/* No row can come to refer to them from now on */
static void
lock_rows(Part *part)
{
	part->is_locked = true;
	command(&source, fmt("SELECT count(*) FROM"
						 " (SELECT %s FOR UPDATE OF %s) AS l",
						 rows_of(part), part->alias));
}

/*
 * Foreign keys: the triggers that would look at them are off.  At the source,
 * the query says which part is referred to.
 */
static void
check_references(Side *side, const char *sql)
{
	PGresult   *result = run_with(side, sql, moved(), NULL, NULL);

	for (int i = 0; i < PQntuples(result); i++)
	{
		char	   *place = field(result, i, 2);

		if (place != NULL && !parts[atoi(place)].is_locked)
			lock_rows(&parts[atoi(place)]);
	}
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
	command(&source, enter_rest_sql);
	command(&source, "COMMIT");
}

/*
 * Keep writers away.  They take the locks of accounts first, then those of
 * mailboxes in ascending order, as we do.
 */
void
lock(void)
{
	step("lock");
	enter_incarnation();
	clock_gettime(CLOCK_MONOTONIC, &begun);
	command(&source, "BEGIN");
	for (int i = 0; i < n_parts; i++)
	{
		if (parts[i].order != NULL)
			command(&source, fmt("SELECT %s%s FOR UPDATE OF %s",
								 rows_of(&parts[i]), parts[i].order,
								 parts[i].alias));
	}
	if (is_so(&source, behind_sql))
		start_again(&source, "another incarnation has begun");
	command(&source, patience_text);
	for (int i = 0; i < n_parts; i++)
	{
		parts[i].is_locked = false;
		if (!parts[i].is_with && strchr("fm", *parts[i].alias) != NULL)
			lock_rows(&parts[i]);
	}
	check_references(&source, referring_text);
	for (int i = 0; i < n_parts; i++)
	{
		if (parts[i].is_with)
			parts[i].found = atol(ask(&source, fmt("SELECT count(*) %s",
												   rows_of(&parts[i]))));
	}
	if (is_so(&source, shared_sql))
		die("messages are in other mailboxes, too, that do not move");
}

/* For how long writers have waited, at most, in milliseconds */
long
fence_took(void)
{
	struct timespec now;
	long		took;

	clock_gettime(CLOCK_MONOTONIC, &now);
	took = (now.tv_sec - begun.tv_sec) * 1000 +
		(now.tv_nsec - begun.tv_nsec) / 1000000;
	longest = took > longest ? took : longest;
	return longest;
}

static void
pass_on(void *arg, const char *line, int size)
{
	Part	   *part = arg;

	put_rows(&target, line, size);
	if (++part->rows % 100000 == 0)
		fprintf(stderr, "  %ld rows\n", part->rows);
}

/* All rows of a part: what goes is what arrives */
void
move_rows(int place)
{
	Part	   *part = &parts[place];

	PQclear(run(&target, fmt("COPY %s (%s) FROM STDIN", part->table,
							 part->columns)));
	part->rows = 0;
	copy_out(&source, fmt("COPY (DELETE %s RETURNING %s) TO STDOUT",
						  rows_of(part), part->columns), pass_on, part);
	end_copy_in(&target);
	fprintf(stderr, "  %ld rows in all\n", part->rows);
}

/* What has arrived is what left, no more and no less, and it is sound there */
void
verify(const char *state)
{
	char	   *there;
	char	   *problems;
	PGresult   *result;

	step("verify");
	for (int i = 0; i < n_parts; i++)
	{
		if (parts[i].rows < parts[i].found)
			die("table %s had %ld rows to move, and %ld when others were gone\n"
				"Give its --with before those that its condition reads.",
				parts[i].table, parts[i].found, parts[i].rows);
		there = ask(&target, fmt("SELECT count(*) %s", rows_of(&parts[i])));
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
 * changes nothing here, conflicts with.  Who may not do that takes values.
 *
 * It is a transaction of its own, lest others wait for ours to create
 * mailboxes; and before what the user has us run in ours, which may do so, too.
 * And its commit flushes the WAL that ours has written so far: else, after a
 * crash of the target, another transaction could get the number of ours, and be
 * taken for it by resolve().
 */
void
raise_uidvalidity(void)
{
	static Side other = {.name = "target"};
	char	   *highest = ask(&source, uidvalidity_text);

	step("raise uidvalidity");
	other.conninfo = target.conninfo;
	open_side(&other);
	command(&other, "BEGIN; SET LOCAL lock_timeout = '10s'");
	if (is_so(&other, owns_uidvalidity_text))
	{
		command(&other,
				"ALTER SEQUENCE modseq.uidvalidity_seq OWNED BY NONE");
		command(&other, fmt("SELECT setval('modseq.uidvalidity_seq', %s)"
							" FROM modseq.uidvalidity_seq"
							" WHERE last_value < %s", highest, highest));
	}
	else if (atoll(ask(&other, fmt(taken_text, highest))) < atoll(highest))
		die("the source's UIDVALIDITY is ahead of the target's clock\n"
			"Let a superuser run at the target:"
			" SELECT setval('modseq.uidvalidity_seq', %s)", highest);
	command(&other, "COMMIT");
	PQfinish(other.conn);
	other.conn = NULL;
}
