/*-------------------------------------------------------------------------
 *
 * move_plan.c
 *	  What modseq-move moves: of which tables, which rows, and whether it can.
 *
 * Locks: none.
 *
 *-------------------------------------------------------------------------
 */
#include "move.h"
#include "move_sql.h"

Part		parts[MAX_PARTS];
int			n_parts;

const char *kind;
const char *key;
const char *store;
char	   *with[MAX_PARTS];
int			n_with;

char	   *state_sql;
char	   *check_sql;
char	   *shared_sql;
char	   *enter_sql;
char	   *enter_rest_sql;
char	   *behind_sql;
char	   *gid_start;

/* The key, as a row in FROM */
static char *chosen;

/*
 * What there is to move.  The tables by which others find their rows are last
 * in the order in which rows leave.
 */
void
make_plan(void)
{
	PGresult   *result = run_with(&source, key_text, store, kind, key);
	char	   *problem = field(result, 0, 1);

	store = field(result, 0, 0);
	if (problem != NULL)
		die("%s", problem);
	chosen = field(result, 0, 2);
	PQclear(result);
	gid_start = ask(&source, fmt(gid_text, literal(store), literal(kind),
								 chosen));

	result = run_with(&source, queries_text, store, kind, chosen);
	state_sql = field(result, 0, 0);
	check_sql = field(result, 1, 0);
	shared_sql = field(result, 2, 0);
	enter_sql = field(result, 3, 0);
	enter_rest_sql = field(result, 4, 0);
	behind_sql = field(result, 5, 0);
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
		part->cond = fmt("(%s)", colon + 1);
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

char *
rows_of(const Part *part)
{
	return fmt("FROM %s AS %s WHERE %s", part->table, part->alias, part->cond);
}

static bool
has_rows(Side *side, const Part *part)
{
	return is_so(side, fmt("SELECT EXISTS (SELECT %s)", rows_of(part)));
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

/* False if it is at the target already, and nowhere else */
bool
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
char *
moved(void)
{
	char	   *rows = "";

	for (int i = 0; i < n_parts; i++)
		rows = fmt("%s%s(%d, %s, %s, %s, %s)", rows, i > 0 ? ", " : "",
				   i, literal(parts[i].table), literal(parts[i].alias),
				   literal(parts[i].cond),
				   parts[i].is_with ? "false" : "true");
	return ask(&source, fmt("SELECT jsonb_agg(m) FROM (VALUES %s) AS m"
							" (place, relation, alias, cond, own)", rows));
}
