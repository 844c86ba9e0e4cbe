/*-------------------------------------------------------------------------
 *
 * move_session.c
 *	  The sessions of modseq-move, and what it says to its user.
 *
 * Nothing is freed but results: it ends soon.
 *
 *-------------------------------------------------------------------------
 */
#include <signal.h>
#include <stdarg.h>

#include "move.h"

static const char settings[] =
"SET application_name = 'modseq-move';"
" SET client_encoding = 'UTF8';"
" SET datestyle = 'ISO';"
" SET intervalstyle = 'postgres';"
" SET extra_float_digits = 3;"
" SET row_security = off;"
" SET jit = off;"
" SET statement_timeout = 0;"
" SET lock_timeout = 0;"
" SET idle_in_transaction_session_timeout = 0;"
" SET default_transaction_isolation = 'read committed';"
" SET default_transaction_read_only = off;"
" SELECT set_config('deadlock_timeout', '50ms', false)"
" WHERE has_parameter_privilege('deadlock_timeout', 'SET');"
" SELECT set_config('synchronous_commit', 'on', false)"
" WHERE current_setting('synchronous_commit') IN ('off', 'local')";

#define MAX_TRIES	100

Side		source = {.name = "source"};
Side		target = {.name = "target"};
Side		reader = {.name = "source"};

bool		undecided;
jmp_buf		start_over;

void
die(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fprintf(stderr, "modseq-move: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	if (undecided)
		fprintf(stderr, "It is not over: writers at the source wait. Start it again.\n");
	else
		fprintf(stderr, "Nothing has moved.\n");
	exit(1);
}

/* Others go first */
void
start_again(Side *side, const char *why)
{
	static int	tries = 0;

	if (++tries == MAX_TRIES)
		die("%s: %s, %d times\n%s", side->name, why, tries,
			PQerrorMessage(side->conn));
	fprintf(stderr, "  %s; starting over\n", why);
	longjmp(side->retry != NULL ? *side->retry : start_over, 1);
}

/* What printf() would print, allocated */
char *
fmt(const char *format,...)
{
	va_list		args;
	char	   *result;

	va_start(args, format);
	if (vasprintf(&result, format, args) < 0)
		abort();
	va_end(args);
	return result;
}

void *
allocate(void *old, size_t size)
{
	void	   *result = realloc(old, size);

	if (result == NULL)
		die("out of memory");
	return result;
}

void
append(Buffer *buffer, const char *data, size_t n)
{
	if (buffer->n + n + 1 > buffer->size)
	{
		buffer->size = 2 * (buffer->n + n) + 1024;
		buffer->data = allocate(buffer->data, buffer->size);
	}
	memcpy(buffer->data + buffer->n, data, n);
	buffer->n += n;
	buffer->data[buffer->n] = '\0';
}

/* What is done next.  A test has it killed there. */
void
step(const char *name)
{
	const char *victim = getenv("MODSEQ_MOVE_KILL");

	fprintf(stderr, "%s\n", name);
	if (victim != NULL && strcmp(victim, name) == 0)
		kill(getpid(), SIGKILL);
}

/* Others go first where we would wait for each other */
void
check_result(Side *side, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	switch (PQresultStatus(result))
	{
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
		case PGRES_COPY_IN:
		case PGRES_COPY_OUT:
			return;
		default:
			if (!undecided && state != NULL &&
				(strncmp(state, "40", 2) == 0 || strcmp(state, "55P03") == 0))
				start_again(side, "a writer has some of it");
			die("%s: %s", side->name, PQerrorMessage(side->conn));
	}
}

PGresult *
run(Side *side, const char *sql)
{
	PGresult   *result = PQexec(side->conn, sql);

	check_result(side, result);
	return result;
}

/* With up to three parameters */
PGresult *
run_with(Side *side, const char *sql, const char *a, const char *b,
		 const char *c)
{
	const char *values[] = {a, b, c};
	int			n = c != NULL ? 3 : b != NULL ? 2 : 1;
	PGresult   *result = PQexecParams(side->conn, sql, n, NULL, values, NULL,
									  NULL, 0);

	check_result(side, result);
	return result;
}

void
command(Side *side, const char *sql)
{
	PQclear(run(side, sql));
}

char *
field(const PGresult *result, int row, int column)
{
	if (row >= PQntuples(result) || PQgetisnull(result, row, column))
		return NULL;
	return strdup(PQgetvalue(result, row, column));
}

/* The first column of the first row, or NULL */
char *
ask(Side *side, const char *sql)
{
	PGresult   *result = run(side, sql);
	char	   *value = field(result, 0, 0);

	PQclear(result);
	return value;
}

bool
is_so(Side *side, const char *sql)
{
	char	   *value = ask(side, sql);

	return value != NULL && strcmp(value, "t") == 0;
}

/* All rows, a line each */
char *
lines_of(PGresult *result)
{
	char	   *lines = "";

	for (int i = 0; i < PQntuples(result); i++)
	{
		for (int j = 0; j < PQnfields(result); j++)
			lines = fmt("%s%s%s", lines, PQgetvalue(result, i, j),
						j + 1 < PQnfields(result) ? " " : "\n");
	}
	PQclear(result);
	return lines;
}

char *
literal(const char *value)
{
	return PQescapeLiteral(source.conn, value, strlen(value));
}

/* Hands on each line that COPY ... TO STDOUT brings; it ends with a newline */
void
copy_out(Side *side, const char *sql,
		 void (*take) (void *arg, const char *line, int size), void *arg)
{
	char	   *line;
	int			size;

	PQclear(run(side, sql));
	while ((size = PQgetCopyData(side->conn, &line, 0)) > 0)
	{
		take(arg, line, size);
		PQfreemem(line);
	}
	check_result(side, PQgetResult(side->conn));
	while (PQgetResult(side->conn) != NULL)
		;
}

/* Lines for COPY ... FROM STDIN, which has begun */
void
put_rows(Side *side, const char *rows, size_t size)
{
	while (size > 0)
	{
		int			part = size < 1 << 20 ? size : 1 << 20;

		if (PQputCopyData(side->conn, rows, part) != 1)
			die("%s: %s", side->name, PQerrorMessage(side->conn));
		rows += part;
		size -= part;
	}
}

void
end_copy_in(Side *side)
{
	if (PQputCopyEnd(side->conn, NULL) != 1)
		die("%s: %s", side->name, PQerrorMessage(side->conn));
	check_result(side, PQgetResult(side->conn));
	while (PQgetResult(side->conn) != NULL)
		;
}

/* The whole of it */
void
copy_in(Side *side, const char *sql, const Buffer *rows)
{
	PQclear(run(side, sql));
	put_rows(side, rows->data, rows->n);
	end_copy_in(side);
}

/* NOTICEs are about what we do on purpose */
static void
ignore(void *arg, const char *message)
{
}

void
open_side(Side *side)
{
	PQfinish(side->conn);
	side->conn = PQconnectdb(side->conninfo);
	if (PQstatus(side->conn) != CONNECTION_OK)
		die("%s: %s", side->name, PQerrorMessage(side->conn));
	PQsetNoticeProcessor(side->conn, ignore, NULL);
	command(side, settings);
	if (!is_so(side, "SELECT has_parameter_privilege("
			   "'session_replication_role', 'SET')"))
		die("%s: permission denied to set session_replication_role\n"
			"Let a superuser run: "
			"GRANT SET ON PARAMETER session_replication_role TO %s",
			side->name, ask(side, "SELECT quote_ident(session_user)"));
	command(side, "SET session_replication_role = replica");

	/* Bytes that the source knows no encoding of go as they are */
	if (strcmp(PQparameterStatus(source.conn, "server_encoding"),
			   "SQL_ASCII") == 0 &&
		PQsetClientEncoding(side->conn, "SQL_ASCII") != 0)
		die("%s: %s", side->name, PQerrorMessage(side->conn));
}
