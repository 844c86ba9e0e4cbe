/*-------------------------------------------------------------------------
 *
 * move_copy.c
 *	  Copies what moves while others write to it, so that only the last changes
 *	  are left to move under the lock.
 *
 * All rows are copied first.  Then, again and again, what has changed since:
 * the versions of rows that are there are listed, and compared with those that
 * were copied (move_versions.c).  What is new is copied, and what is gone is
 * deleted at the target.  Under the lock the list is what DELETE at the source
 * returns, and another session, which sees these rows still, reads those that
 * are new.
 *
 * Nothing of it is committed before the end, on either side.  So what is left
 * when this is killed is nothing: there is no slot, and no publication.  And
 * nothing is asked of the tables: a row of flags that comes into a mailbox
 * with its message, and was not written, is seen as well, as no decoder would.
 *
 * Locks: at the source none but of readers, up to the fence.
 *
 * Memory: 40 to 60 bytes for each row, and a chunk of rows.
 *
 *-------------------------------------------------------------------------
 */
#include "move.h"

/* So many rows, or bytes, are inserted at a time */
#define CHUNK_ROWS		10000
#define CHUNK_BYTES		(16 << 20)

/* We go on as long as that brings something, and then ask for the lock */
#define FEW_CHANGES		1000
#define MAX_PASSES		10

/* The copies of each part */
static Versions copies[MAX_PARTS];

/* What the source has, and whether the reader is about to tell it */
static char *state;
static bool asked;

/* What a callback knows */
typedef struct Reading
{
	int			place;			/* of the part */
	Versions   *now;			/* what is at the source now */
	bool		all;			/* each row is new */
	long		n;
	Buffer		rows;			/* a chunk, */
	long		chunk[CHUNK_ROWS];	/* and which versions these are */
	int			n_chunk;
} Reading;

/*
 * Insert a chunk.  INSERT inserts, and returns, the rows in the order of the
 * query: so we learn where each one is.
 */
static void
put_chunk(Reading *reading)
{
	Part	   *part = &parts[reading->place];
	char	   *stage = fmt("pg_temp.modseq_move_%d", reading->place);
	PGresult   *result;

	if (reading->n_chunk == 0)
		return;
	copy_in(&target, fmt("COPY %s FROM STDIN", stage), &reading->rows);
	result = run(&target, fmt("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE"
							  " SELECT %s FROM %s ORDER BY modseq_move_row"
							  " RETURNING tableoid, ctid", part->table,
							  part->columns, part->columns, stage));
	if (PQntuples(result) != reading->n_chunk)
		die("target: %d rows of table %s were to be inserted, and %d were",
			reading->n_chunk, part->table, PQntuples(result));
	for (int i = 0; i < reading->n_chunk; i++)
	{
		Version    *version = &reading->now->list[reading->chunk[i]];

		version->at_table = strtoul(PQgetvalue(result, i, 0), NULL, 10);
		sscanf(PQgetvalue(result, i, 1), "(%u,%u)", &version->at_block,
			   &version->at_item);
	}
	PQclear(result);
	command(&target, fmt("TRUNCATE %s", stage));
	reading->n_chunk = 0;
	reading->rows.n = 0;
}

/* A row with its columns */
static void
take_row(void *arg, const char *line, int size)
{
	Reading    *reading = arg;
	Version		version;
	const char *rest = read_version(line, &version);
	long		found = reading->all ? add_version(reading->now, &version) :
		find_version(reading->now, &version);
	char		number[32];

	if (found < 0 || reading->now->list[found].at_table != 0)
		return;
	append(&reading->rows, number,
		   sprintf(number, *rest == '\n' ? "%d" : "%d\t", reading->n_chunk));
	append(&reading->rows, rest, size - (rest - line));
	reading->chunk[reading->n_chunk++] = found;
	if (reading->all && ++reading->n % 100000 == 0)
		fprintf(stderr, "  %ld rows\n", reading->n);
	if (reading->n_chunk == CHUNK_ROWS || reading->rows.n >= CHUNK_BYTES)
		put_chunk(reading);
}

/* Only what it is */
static void
take_version(void *arg, const char *line, int size)
{
	Reading    *reading = arg;
	Versions   *before = &copies[reading->place];
	Version		version;
	long		found;

	read_version(line, &version);
	found = find_version(before, &version);
	if (found >= 0)
	{
		version = before->list[found];
		before->list[found].stays = true;
	}
	version.stays = false;
	add_version(reading->now, &version);
}

/*
 * Hands on versions, of one table at a time, as an array of ctid: those that
 * are gone, by where their copies are, or those that have no copy yet.
 */
static long
for_each_table(Side *side, const Versions *versions, bool gone,
			   void (*act) (Reading *reading, const char *table,
							const char *ctids, long n), Reading *reading)
{
	Buffer		ctids = {NULL, 0, 0};
	unsigned	table = 0;
	long		n = 0;
	long		all = 0;

	for (long i = 0; i <= versions->n; i++)
	{
		Version    *version = i < versions->n ? &versions->list[i] : NULL;
		unsigned	its = version == NULL ? 0 :
			gone ? version->at_table : version->table;
		char		ctid[64];

		if (version != NULL &&
			(gone ? version->stays || version->at_table == 0 :
			 version->at_table != 0))
			continue;
		if (n > 0 && (version == NULL || its != table || n == CHUNK_ROWS))
		{
			act(reading, ask(side, fmt("SELECT %u::regclass", table)),
				ctids.data, n);
			all += n;
			n = 0;
			ctids.n = 0;
		}
		if (version == NULL)
			break;
		table = its;
		append(&ctids, ctid, sprintf(ctid, "%s\"(%u,%u)\"", n > 0 ? "," : "",
									 gone ? version->at_block : version->block,
									 gone ? version->at_item : version->item));
		n++;
	}
	free(ctids.data);
	return all;
}

static void
delete_copies(Reading *reading, const char *table, const char *ctids, long n)
{
	PGresult   *result = run(&target, fmt("DELETE FROM %s WHERE ctid ="
										  " ANY ('{%s}'::tid[])", table,
										  ctids));

	if (atol(PQcmdTuples(result)) != n)
		die("target: %ld rows of table %s were to be deleted, and %s were", n,
			table, PQcmdTuples(result));
	PQclear(result);
}

/* The source's state, which the reader asks for while others go on */
void
begin_state(void)
{
	end_state();
	if (PQsendQuery(reader.conn, state_sql) != 1)
		die("source: %s", PQerrorMessage(reader.conn));
	asked = true;
}

char *
end_state(void)
{
	PGresult   *result = asked ? PQgetResult(reader.conn) : NULL;

	asked = false;
	if (result != NULL)
	{
		check_result(&reader, result);
		state = lines_of(result);
		while (PQgetResult(reader.conn) != NULL)
			;
	}
	return state;
}

static void
read_rows(Reading *reading, const char *table, const char *ctids, long n)
{
	end_state();
	copy_out(&reader, fmt("COPY (SELECT %s, %s FROM %s AS t WHERE t.ctid ="
						  " ANY ('{%s}'::tid[])) TO STDOUT", version_of("t"),
						  parts[reading->place].columns, table, ctids),
			 take_row, reading);
}

/*
 * The target gets what has changed, by what a query at the source lists; how
 * many rows that is.  Whatever fails at the source, copies are known.
 */
static long
catch_up(int place, Side *side, const char *sql)
{
	static Reading reading;
	Versions   *before = &copies[place];
	Versions	now = {NULL, 0, 0, NULL, 0};
	long		n;

	reading.place = place;
	reading.now = &now;
	reading.all = false;
	reading.n_chunk = 0;
	reading.rows.n = 0;
	for (long i = 0; i < before->n; i++)
		before->list[i].stays = false;
	copy_out(side, sql, take_version, &reading);
	n = for_each_table(&target, before, true, delete_copies, &reading);
	forget_versions(before);
	n += for_each_table(&source, &now, false, read_rows, &reading);
	put_chunk(&reading);
	*before = now;
	return n;
}

static void
copy_all(int place)
{
	static Reading reading;
	Part	   *part = &parts[place];

	step(fmt("copy %s", part->table));
	forget_versions(&copies[place]);
	reading.place = place;
	reading.now = &copies[place];
	reading.all = true;
	reading.n = 0;
	reading.n_chunk = 0;
	reading.rows.n = 0;
	command(&target, fmt("CREATE TEMP TABLE modseq_move_%d AS"
						 " SELECT 0::bigint AS modseq_move_row, %s FROM %s"
						 " WITH NO DATA", place, part->columns, part->table));
	copy_out(&reader, fmt("COPY (SELECT %s, %s %s) TO STDOUT",
						  version_of(part->alias), part->columns,
						  rows_of(part)), take_row, &reading);
	put_chunk(&reading);
	fprintf(stderr, "  %ld rows in all\n", reading.n);
}

/* All that is there, and then what has changed, until that is little */
void
copy_online(void)
{
	long		before = 0;
	long		n;

	asked = false;
	reader.conninfo = source.conninfo;
	open_side(&reader);
	command(&target, "BEGIN");
	command(&reader, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
	for (int i = 0; i < n_parts; i++)
	{
		copy_all(i);
		before += copies[i].n;
	}
	command(&reader, "COMMIT");
	for (int i = 0; i < MAX_PASSES; i++)
	{
		step("catch up");
		n = 0;
		command(&reader, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
		for (int j = 0; j < n_parts; j++)
			n += catch_up(j, &reader, fmt("COPY (SELECT %s %s) TO STDOUT",
										  version_of(parts[j].alias),
										  rows_of(&parts[j])));
		command(&reader, "COMMIT");
		fprintf(stderr, "  %ld rows\n", n);
		if (n <= FEW_CHANGES || n > before / 2)
			break;
		before = n;
	}
}

/* Under the lock: what goes is what has arrived, or arrives now */
void
move_changes(int place)
{
	Part	   *part = &parts[place];
	long		n = catch_up(place, &source,
							 fmt("COPY (DELETE %s RETURNING %s) TO STDOUT",
								 rows_of(part), version_of(part->alias)));

	part->rows = copies[place].n;
	for (long i = 0; i < part->rows; i++)
	{
		if (copies[place].list[i].at_table == 0)
			start_again(&source, "a row has gone that was not read");
	}
	fprintf(stderr, "  %ld rows in all, %ld of them changes\n", part->rows, n);
}
