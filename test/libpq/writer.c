/*-------------------------------------------------------------------------
 *
 * writer.c
 *	  Writers: transactions of random statements.
 *
 * A writer that locks first must never see a deadlock, whatever it does in the
 * mailboxes that it has locked; nor may one that issues single statements, each
 * for one mailbox.  What a statement did to HIGHESTMODSEQ and UIDNEXT is known
 * under the lock, and checked now and then.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINTS			300		/* UIDs that a writer remembers of a mailbox */
#define MAX_LOCKED		3
#define PICKED			40		/* UIDs in a statement */

typedef struct Hints
{
	int			count;
	int			age;			/* statements since they were read */
	int64_t		uids[HINTS];
} Hints;

typedef struct Writer
{
	Client		client;
	Hints	   *hints;			/* by mailbox */
	bool		in_transaction;
	bool		crowded;		/* the last mailbox looked at has too many */
	int			nlocked;
	int			locked[MAX_LOCKED];
	bool	   *touched;		/* by mailbox, for the history */
	char		picked[PICKED * 12];
} Writer;

typedef struct Counters
{
	int64_t		uidnext;
	int64_t		highestmodseq;
} Counters;

/* --- what to write to ------------------------------------------------------- */

static bool
read_hints(Writer *w, int mailbox)
{
	Hints	   *hints = &w->hints[mailbox];
	PGresult   *result;

	result = query(&w->client, "SELECT uid FROM mw_mail WHERE mailbox_id = %d"
				   " ORDER BY uid DESC LIMIT %d", mailbox, HINTS);
	if (result == NULL)
		return false;
	hints->count = PQntuples(result);
	for (int i = 0; i < hints->count; i++)
		hints->uids[i] = atoll(PQgetvalue(result, i, 0));
	hints->age = 0;
	PQclear(result);
	return true;
}

static int
compare_uids(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

/* Some UIDs that were in the mailbox lately */
static bool
pick_uids(Writer *w, int mailbox)
{
	Hints	   *hints = &w->hints[mailbox];
	int64_t		uids[PICKED];
	int			count = chance(&w->client, 60) ? 1 + random_number(&w->client, 3) :
		1 + random_number(&w->client, PICKED);
	char	   *end = w->picked;

	if (++hints->age > 10 || hints->count == 0)
		if (!read_hints(w, mailbox))
			return false;
	w->crowded = hints->count > options.messages;
	w->picked[0] = '\0';
	if (hints->count == 0)
		return true;
	for (int i = 0; i < count; i++)
		uids[i] = hints->uids[random_number(&w->client, hints->count)];
	qsort(uids, count, sizeof(uids[0]), compare_uids);
	for (int i = 0; i < count; i++)
		if (i == 0 || uids[i] != uids[i - 1])
			end += sprintf(end, "%s%lld", i > 0 ? "," : "", (long long) uids[i]);
	return true;
}

/* As status() tells them, and as the row has them: one snapshot sees both */
static bool
read_counters(Writer *w, int mailbox, Counters *counters)
{
	PGresult   *result = query(&w->client, "SELECT s.uidnext, s.highestmodseq, b.uidnext = s.uidnext"
				   " AND b.highestmodseq = s.highestmodseq FROM %s.status('mw_mail', %d::bigint) AS s, %s AS b"
				   " WHERE b.id = %d", options.schema, mailbox,
				   options.in_mailbox || options.broken ? "mw_mailbox" : "mw_mail_mailbox", mailbox);
	if (result == NULL)
		return false;
	if (*PQgetvalue(result, 0, 2) != 't')
		diverged(&w->client, mailbox, 0, "the counters' row says something else than status()");
	counters->uidnext = atoll(PQgetvalue(result, 0, 0));
	counters->highestmodseq = atoll(PQgetvalue(result, 0, 1));
	PQclear(result);
	return true;
}

/* --- one statement ---------------------------------------------------------- */

static void
check_law(Writer *w, int mailbox, const Law *law, const char *sql, long rows,
		  const Counters *before)
{
	Counters	after;
	int64_t		modseq = before->highestmodseq;
	int64_t		uidnext = before->uidnext;

	if (!read_counters(w, mailbox, &after))
		return;
	if (law->if_rows && rows > 0)
		modseq++;
	if (law->uid_per_row)
		uidnext += rows;
	/* The next one of the account */
	if (options.accounts && modseq > before->highestmodseq && after.highestmodseq > modseq)
		modseq = after.highestmodseq;
	if (after.highestmodseq != modseq || after.uidnext != uidnext)
		diverged(&w->client, mailbox, 0,
				 "HIGHESTMODSEQ went from %lld to %lld and UIDNEXT from %lld to %lld"
				 " by a statement that changed %ld rows: %.300s",
				 (long long) before->highestmodseq, (long long) after.highestmodseq,
				 (long long) before->uidnext, (long long) after.uidnext, rows, sql);
}

/* A mailbox: one that the transaction has locked, if there is any */
static int
pick_mailbox(Writer *w)
{
	if (w->nlocked > 0)
		return w->locked[random_number(&w->client, w->nlocked)];
	return 1 + random_number(&w->client, options.mailboxes);
}

static void
log_statement(Writer *w, const Target *target, const char *sql, long rows)
{
	history_add(target->mailbox, &w->client, "%s%s -> %ld",
				w->in_transaction ? "| " : "", sql, rows);
	w->touched[target->mailbox] = true;
	if (target->other == target->mailbox)
		return;
	history_add(target->other, &w->client, "%s(in %d) %.200s -> %ld",
				w->in_transaction ? "| " : "", target->mailbox, sql, rows);
	w->touched[target->other] = true;
}

/* A random statement; as_block: more than once, in a DO block that fails */
static bool
one_statement(Writer *w, int mailbox, bool single, bool as_block)
{
	char		sql[SQL_SIZE];
	Law			law;
	Target		target;
	Counters	before;
	PGresult   *result;
	long		rows;
	bool		check;

	if (!pick_uids(w, mailbox))
		return false;
	target = (Target)
	{
		mailbox, single ? mailbox : pick_mailbox(w), w->picked, single
	};
	do
		statement_random(&w->client, &target, sql, &law);
	while (law.uid_per_row && w->crowded && options.mode == MODE_RAW);
	if (w->crowded && chance(&w->client, 50) &&
		!(options.mode == MODE_RAW && options.flag_table))
	{
		snprintf(sql, SQL_SIZE, "DELETE FROM mw_mail AS m USING pg_catalog.unnest('{%s}'::bigint[]) AS u"
				 " WHERE m.mailbox_id = %d AND m.uid = u.u", w->picked, mailbox);
		memset(&law, 0, sizeof(law));
	}
	/* The first change on another server leaves numbers out */
	check = law.known && w->nlocked > 0 && !options.broken && !options.triggers &&
		!options.failover && chance(&w->client, 25);
	if (check && !read_counters(w, mailbox, &before))
		return false;
	if (as_block)
	{
		const char *perform = strncmp(sql, "SELECT", 6) == 0 ? "PERFORM" : "";
		const char *body = perform[0] ? sql + 6 : sql;

		result = query(&w->client, "DO $do$ BEGIN %s %s; BEGIN %s %s; %s %s;"
					   " RAISE EXCEPTION 'undone'; EXCEPTION WHEN raise_exception"
					   " OR unique_violation OR foreign_key_violation THEN NULL; END; END $do$",
					   perform, body, perform, body, perform, body);
	}
	else
		result = query(&w->client, "%s", sql);
	if (result == NULL)
		return false;
	rows = atol(PQcmdTuples(result));
	PQclear(result);
	totals.operations++;
	log_statement(w, &target, sql, as_block ? -1 : rows);
	if (check && !as_block)
		check_law(w, mailbox, &law, sql, rows, &before);
	return true;
}

/* --- conditional store -------------------------------------------------------- */

/* Stores to those that passed; under the lock every one of them must be there */
static bool
store_passed(Writer *w, int mailbox, const char *passed, long expected)
{
	PGresult   *result;
	long		rows;

	if (options.shared_columns)
		result = query(&w->client, "UPDATE mw_msg SET bits = coalesce(bits, 0) # 1 WHERE (id%s) IN"
					   " (SELECT msg%s FROM mw_mail WHERE mailbox_id = %d AND uid = ANY ('{%s}'))",
					   TENANT(", owner"), TENANT(", tenant"), mailbox, passed);
	else if (options.flag_columns)
		result = query(&w->client, "UPDATE mw_mail SET bits = coalesce(bits, 0) # 1"
					   " WHERE mailbox_id = %d AND uid = ANY ('{%s}')", mailbox, passed);
	else
		result = query(&w->client, "INSERT INTO mw_mail_flag SELECT DISTINCT %s, 'c'%s FROM mw_mail"
					   " WHERE mailbox_id = %d AND uid = ANY ('{%s}')"
					   " ON CONFLICT (mail_id, flag%s) DO UPDATE SET flag = 'c'",
					   FLAG_KEY, TENANT(", tenant"), mailbox, passed, TENANT(", tenant"));
	if (result == NULL)
		return false;
	rows = atol(PQcmdTuples(result));
	PQclear(result);
	totals.operations++;
	history_add(mailbox, &w->client, "| conditional store {%s} -> %ld", passed, rows);
	w->touched[mailbox] = true;
	/* A mailbox may have the same message twice */
	if (rows != expected && !options.shared && !options.broken && !options.triggers)
		diverged(&w->client, mailbox, 0, "unchanged_since passed %ld messages {%s}, the store found %ld",
				 expected, passed, rows);
	return true;
}

static bool
conditional_store(Writer *w, int mailbox)
{
	char		passed[PICKED * 12] = "";
	char	   *end = passed;
	long		count = 0;
	Counters	counters;
	int64_t		since;
	PGresult   *result;

	if (!pick_uids(w, mailbox) || !read_counters(w, mailbox, &counters))
		return false;
	since = counters.highestmodseq - (int64_t) random_number(&w->client, 40);
	if (since < 0)
		since = 0;
	result = query(&w->client, "SELECT uid, modseq, verdict"
				   " FROM %s.unchanged_since('mw_mail', %d::bigint, '%s'::modseq.uidset, %lld)",
				   options.schema, mailbox, w->picked, (long long) since);
	if (result == NULL)
		return false;
	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *verdict = PQgetvalue(result, i, 2);
		bool		unchanged = strcmp(verdict, "unchanged") == 0;

		if (strcmp(verdict, "modified") == 0)
			totals.conflicts++;
		if (strcmp(verdict, "expunged") != 0 &&
			unchanged != (atoll(PQgetvalue(result, i, 1)) <= since) &&
			(unchanged || !options.failover))	/* since may be lost */
			diverged(&w->client, mailbox, atoll(PQgetvalue(result, i, 0)),
					 "unchanged_since %lld says %s of modseq %s", (long long) since,
					 verdict, PQgetvalue(result, i, 1));
		if (unchanged)
			end += sprintf(end, "%s%s", count++ ? "," : "", PQgetvalue(result, i, 0));
	}
	PQclear(result);
	return count == 0 || store_passed(w, mailbox, passed, count);
}

/* --- transactions --------------------------------------------------------------- */

static bool
copy_messages_in(Writer *w, int mailbox)
{
	int			rows = 1 + random_number(&w->client, 30);
	char		line[40];

	sprintf(line, "%d\tcopied\n", mailbox);
	if (!copy_in(&w->client, "COPY mw_mail (mailbox_id, subject) FROM STDIN", line, rows))
		return false;
	totals.operations++;
	history_add(mailbox, &w->client, "| COPY -> %d", rows);
	w->touched[mailbox] = true;
	return true;
}

static bool
nap(Writer *w)
{
	return run(&w->client, "SELECT pg_catalog.pg_sleep(%f)",
			   random_number(&w->client, 30) / 1000.0);
}

/* Statements in a savepoint, which is then released or rolled back */
static bool
savepoint(Writer *w, int mailbox, int depth)
{
	Counters	before;
	Counters	after;
	bool		ok = true;
	int			count = 1 + random_number(&w->client, 3);

	if (!read_counters(w, mailbox, &before) || !run(&w->client, "SAVEPOINT s%d", depth))
		return false;
	for (int i = 0; i < count && ok; i++)
		ok = depth < 3 && chance(&w->client, 25) ?
			savepoint(w, mailbox, depth + 1) :
			one_statement(w, mailbox, false, chance(&w->client, 15));
	if (!ok && (!is_expected_error(&w->client) || w->client.lost ||
				strncmp(w->client.sqlstate, "40", 2) == 0))
		return false;
	if (ok && chance(&w->client, 45))
		return run(&w->client, "RELEASE s%d", depth);
	history_add(mailbox, &w->client, "| ROLLBACK TO SAVEPOINT");
	if (!run(&w->client, "ROLLBACK TO s%d", depth))
		return false;
	if (w->nlocked == 0 || options.broken)
		return true;
	if (!read_counters(w, mailbox, &after))
		return false;
	if (after.highestmodseq != before.highestmodseq || after.uidnext != before.uidnext)
		diverged(&w->client, mailbox, 0,
				 "HIGHESTMODSEQ %lld, UIDNEXT %lld after ROLLBACK TO, %lld and %lld before",
				 (long long) after.highestmodseq, (long long) after.uidnext,
				 (long long) before.highestmodseq, (long long) before.uidnext);
	return true;
}

/* For returned_step(): anything, in the same mailbox or in another */
static bool
meanwhile(void *arg)
{
	return one_statement(arg, pick_mailbox(arg), false, false);
}

/* One step in a transaction */
static bool
step(Writer *w)
{
	int			mailbox = pick_mailbox(w);
	int			pick = random_number(&w->client, 100);

	if (options.returned && chance(&w->client, 20))
	{
		w->touched[mailbox] = true;
		return pick_uids(w, mailbox) &&
			returned_step(&w->client, mailbox, w->picked, meanwhile, w);
	}
	if (pick < 60)
		return one_statement(w, mailbox, false, false);
	if (pick < 62)
		return copy_messages_in(w, mailbox);
	if (pick < 74)
		return conditional_store(w, mailbox);
	if (pick < 84)
		return savepoint(w, mailbox, 1);
	if (pick < 92 || options.steps > 20)
		return one_statement(w, mailbox, false, true);
	return nap(w);
}

/*
 * In two phases.  What is prepared stays so when the server goes away, and is
 * ended after that, as its name says; or it turns out that it never was prepared.
 */
static bool
commit_prepared(Writer *w)
{
	bool		ok = !chance(&w->client, 20);
	char		name[128];

	/* All databases of a cluster share these names */
	snprintf(name, sizeof(name), "%s-%s-%s", PQdb(w->client.conn), w->client.name, ok ? "commit" : "rollback");
	totals.prepared++;
	if (!run(&w->client, "PREPARE TRANSACTION '%s'", name) && !w->client.lost)
		return false;
	pause_briefly(&w->client, 20);
	w->client.silent = true;
	while (w->client.lost ||
		   (!run(&w->client, "%s PREPARED '%s'", ok ? "COMMIT" : "ROLLBACK", name) &&
			strcmp(w->client.sqlstate, "42704") != 0))
		if (w->client.lost)
		{
			client_connect(&w->client);
			totals.reconnects++;
		}
	w->client.silent = false;
	return ok;
}

static bool
commit(Writer *w)
{
	Counters	counters[MAX_LOCKED];
	char		xid[32] = "";
	bool		ok;

	for (int i = 0; i < w->nlocked; i++)
		if (!read_counters(w, w->locked[i], &counters[i]))
			return false;
	if (options.crash || options.failover)
	{
		PGresult   *result = query(&w->client, "SELECT pg_current_xact_id_if_assigned()");

		if (result == NULL)
			return false;
		snprintf(xid, sizeof(xid), "%s", PQgetvalue(result, 0, 0));
		PQclear(result);
	}
	ok = run(&w->client, "COMMIT");
	if (!ok && w->client.lost && xid[0] != '\0')
		ok = commit_in_doubt(&w->client, xid);
	for (int i = 0; ok && i < w->nlocked && !options.broken; i++)
		acknowledge(&w->client, w->locked[i], counters[i].highestmodseq);
	return ok;
}

static void
end_transaction(Writer *w, bool ok)
{
	if (ok)
		totals.transactions++;
	else
	{
		totals.rollbacks++;
		if (!w->client.lost)
			run(&w->client, "ROLLBACK");
	}
	for (int i = 1; i <= options.mailboxes; i++)
		if (w->touched[i])
		{
			history_add(i, &w->client, ok ? "COMMIT" : "ROLLBACK %s", w->client.sqlstate);
			w->touched[i] = false;
		}
	w->in_transaction = false;
	w->nlocked = 0;
}

/* SQL text of the mailboxes to lock, which need not be in order */
static const char *
choose_mailboxes(Writer *w, char *text)
{
	int			count = chance(&w->client, 60) ? 1 : 1 + random_number(&w->client, MAX_LOCKED);
	char	   *end = text;

	for (int i = 0; i < count; i++)
	{
		int			mailbox = 1 + random_number(&w->client, options.mailboxes);
		bool		found = false;

		for (int j = 0; j < w->nlocked; j++)
			found = found || w->locked[j] == mailbox;
		if (found)
			continue;
		end += sprintf(end, "%s%d", w->nlocked > 0 ? "," : "", mailbox);
		w->locked[w->nlocked++] = mailbox;
	}
	return text;
}

/* The mistake: the counter goes ahead in a transaction of its own */
static bool
commit_early(Writer *w)
{
	return !options.broken || strcmp(options.broken, "early-commit") != 0 ||
		run(&w->client, "UPDATE mw_mailbox SET highestmodseq = highestmodseq + 1");
}

static void
transaction(Writer *w, bool lock)
{
	char		mailboxes[MAX_LOCKED * 12];
	int			steps = 1 + random_number(&w->client, options.steps);
	const char *isolation = "READ COMMITTED";
	bool		ok;

	if (chance(&w->client, 12))
		isolation = chance(&w->client, 60) ? "REPEATABLE READ" : "SERIALIZABLE";
	ok = commit_early(w) && run(&w->client, "BEGIN ISOLATION LEVEL %s", isolation);
	w->in_transaction = true;
	if (ok && lock)
	{
		choose_mailboxes(w, mailboxes);
		ok = run(&w->client, "SELECT FROM %s.lock('mw_mail', ARRAY[%s]::bigint[])",
				 options.schema, mailboxes);
	}
	for (int i = 0; i < steps && ok; i++)
		ok = step(w);
	if (ok && options.prepared && chance(&w->client, 3))
		ok = commit_prepared(w);
	else if (ok && !chance(&w->client, 10))
		ok = commit(w);
	else
		ok = false;
	end_transaction(w, ok);
}

static void
single_statement(Writer *w)
{
	bool		ok = commit_early(w) &&
		one_statement(w, 1 + random_number(&w->client, options.mailboxes), true, false);

	end_transaction(w, ok);
}

static void
one_transaction(Writer *w)
{
	bool		locked = options.mode == MODE_LOCKED;

	if (w->client.lost)
	{
		client_connect(&w->client);
		totals.reconnects++;
	}
	if (options.mode == MODE_MIXED)
		locked = chance(&w->client, 50);
	if (options.partitioned && options.mode == MODE_MIXED &&
		random_number(&w->client, 80) == 0)
		run(&w->client, "%s", partition_random(&w->client));
	else if (locked)
		transaction(w, true);
	else if (options.mode == MODE_RAW || chance(&w->client, 50))
		single_statement(w);
	else if (options.truncate && random_number(&w->client, 300) == 0)
		run(&w->client, "TRUNCATE mw_mail%s", options.flag_table ? ", mw_mail_flag" : "");
	else
		transaction(w, false);
}

void *
writer_main(void *arg)
{
	Writer		writer = {0};

	client_init(&writer.client, "w", (int) (intptr_t) arg);
	writer.hints = calloc(options.mailboxes + 1, sizeof(Hints));
	writer.touched = calloc(options.mailboxes + 1, sizeof(bool));
	do
	{
		while (!round_over)
		{
			one_transaction(&writer);
			if (options.operations && totals.operations >= options.operations)
				round_over = stopping = true;
			if (chance(&writer.client, 5))
				pause_briefly(&writer.client, 20);
		}
		barrier();				/* all is quiet */
		barrier();				/* replicas have looked */
		barrier();				/* so has the main thread */
	} while (!finished);
	client_close(&writer.client);
	free(writer.hints);
	free(writer.touched);
	return NULL;
}
