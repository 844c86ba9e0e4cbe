/*-------------------------------------------------------------------------
 *
 * jmap.c
 *	  JMAP replicas: clients that keep all Emails, Mailboxes and Threads of an
 *	  account by asking what changed since a state, by pages of any size.
 *
 * They stop in the middle of a walk, and go back to any state that they ever
 * had, also to one in the middle of a walk.  Each page must obey RFC 8620
 * section 5.2, and tell what the model does not contradict; and what is walked
 * to its end in one snapshot must give exactly what the account has in it.
 *
 *-------------------------------------------------------------------------
 */
#include "replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINTS		4
#define MANY_PAGES		60		/* then the rest is one */

enum
{
	EMAIL,
	MAILBOX,
	THREAD,
	KINDS
};

static const char *const kinds[KINDS] = {"email", "mailbox", "thread"};

typedef struct Page
{
	char		verdict[24];
	char		state[STATE_SIZE];
	bool		has_more;
	bool		counts_only;
	int			count;
	char	  **ids;
	char	   *changes;		/* beside each: c, u or d */
} Page;

typedef struct Replica
{
	Client		client;
	bool		standby;		/* it was at one when it began this sync, */
	bool		behind;			/* and that lagged behind */
	Objects		draft;
	Objects	  (*known)[KINDS];	/* by account */
	Objects	  (*checkpoints)[KINDS][CHECKPOINTS];
} Replica;

/* --- asking ----------------------------------------------------------------- */

/* (id, print) of all objects of an account, or of some */
static PGresult *
fetch(Replica *r, int kind, int account, const char *ids)
{
	static const char *const from =
		"FROM mw_mail AS m JOIN mw_mailbox AS b ON b.id = m.mailbox_id";
	const char *email = options.shared ? "m.msg" : "m.id";

	switch (kind)
	{
		case EMAIL:
			return query(&r->client, "SELECT %s, string_agg(concat_ws(' ', m.mailbox_id, m.uid, m.thread, %s), '; '"
						 " ORDER BY m.mailbox_id, m.uid) %s WHERE b.acct = %d AND %s"
						 " AND (%s = ANY ('{%s}') OR %s) GROUP BY 1", email, flags_expression(),
						 from, account, live_condition(), email, ids ? ids : "", ids ? "false" : "true");
		case MAILBOX:
			return query(&r->client, "SELECT b.id, concat(b.name, '|', (SELECT count(*) FROM mw_mail AS m"
						 " WHERE m.mailbox_id = b.id AND %s)) FROM mw_mailbox AS b"
						 " WHERE b.acct = %d AND (b.id = ANY ('{%s}') OR %s)", live_condition(),
						 account, ids ? ids : "", ids ? "false" : "true");
		default:
			return query(&r->client, "SELECT m.thread, string_agg(DISTINCT %s::text, ' ' ORDER BY %s::text)"
						 " %s WHERE b.acct = %d AND %s AND (m.thread = ANY ('{%s}') OR %s) GROUP BY 1",
						 email, email, from, account, live_condition(), ids ? ids : "",
						 ids ? "false" : "true");
	}
}

static void
free_page(Page *page)
{
	for (int i = 0; i < page->count; i++)
		free(page->ids[i]);
	free(page->ids);
	free(page->changes);
}

/* Adds the elements of {1,2,3} */
static void
add_ids(Page *page, char change, char *list)
{
	char	   *save;

	for (char *id = strtok_r(list, "{,}", &save); id; id = strtok_r(NULL, "{,}", &save))
	{
		page->ids = realloc(page->ids, (page->count + 1) * sizeof(char *));
		page->changes = realloc(page->changes, page->count + 1);
		page->ids[page->count] = strdup(id);
		page->changes[page->count++] = change;
	}
}

/* Is it a state, and not one in the middle of a walk? */
static bool
is_whole(const char *state)
{
	return strchr(strchr(state, '.') + 1, '.') == NULL;
}

static bool
ask(Replica *r, int kind, int account, const char *state, int max, Page *page)
{
	char		most[16] = "NULL";
	PGresult   *result;

	if (max > 0)
		sprintf(most, "%d", max);
	result = query(&r->client, "SELECT verdict, new_state, has_more, created, updated, destroyed, %s"
				   " FROM modseq.%s_changes('mw_mail', %d::bigint, '%s', %s)",
				   kind == MAILBOX ? "counts_only" : "false", kinds[kind], account, state, most);
	if (result == NULL)
		return false;
	memset(page, 0, sizeof(*page));
	snprintf(page->verdict, sizeof(page->verdict), "%s", PQgetvalue(result, 0, 0));
	snprintf(page->state, STATE_SIZE, "%s", PQgetvalue(result, 0, 1));
	page->has_more = *PQgetvalue(result, 0, 2) == 't';
	if (strcmp(page->verdict, "ok") == 0 && !page->has_more && is_whole(state) && is_whole(page->state))
		answers_add_changes(&r->client, kinds[kind], account, state, page->state,
							(char *[]) {PQgetvalue(result, 0, 3), PQgetvalue(result, 0, 4), PQgetvalue(result, 0, 5)});
	for (int i = 0; i < 3; i++)
		add_ids(page, "cud"[i], PQgetvalue(result, 0, 3 + i));
	page->counts_only = *PQgetvalue(result, 0, 6) == 't';
	PQclear(result);
	return true;
}

/* --- checking --------------------------------------------------------------- */

static void
check_page(Replica *r, int kind, int account, const Objects *known, int max,
		   const Page *page)
{
	Objects		seen = {0};

	if (max > 0 && (page->count > max || (page->has_more && page->count < max)))
		diverged(&r->client, 1, 0, "%s of account %d since %s: %d changes, %d at most, and %s",
				 kinds[kind], account, known->state, page->count, max,
				 page->has_more ? "more" : "no more");
	for (int i = 0; i < page->count; i++)
	{
		const char *id = page->ids[i];

		if (objects_find(&seen, id) || (known->told && objects_find(known->told, id)))
			diverged(&r->client, 1, 0, "%s of account %d since %s: %s is told twice",
					 kinds[kind], account, known->state, id);
		if ((page->changes[i] == 'c') != (objects_find(known, id) == NULL))
			diverged(&r->client, 1, 0, "%s of account %d since %s: %s is told as %c, and was %s",
					 kinds[kind], account, known->state, id, page->changes[i],
					 objects_find(known, id) ? "there" : "not there");
		objects_put(&seen, id, NULL);
	}
	objects_release(&seen);
}

/* Is the name, before the counts, another one? */
static bool
other_name(const char *a, const char *b)
{
	size_t		length = a ? strcspn(a, "|") : 0;

	return a && b && (length != strcspn(b, "|") || strncmp(a, b, length) != 0);
}

/* What the server has of the first object that differs, and of its account */
static void
print_server(Replica *r, int kind, int account, const char *id)
{
	static const char *const columns[KINDS] = {"id", "mailbox_id", "thread"};
	const char *column = kind == EMAIL && options.shared ? "msg" : columns[kind];
	PGresult   *result = query(&r->client, "SELECT concat('account ', a) FROM mw_mail_account AS a WHERE acct = %d"
							   " UNION ALL SELECT concat('mailbox ', b) FROM mw_mail%s AS b WHERE acct = %d"
							   " UNION ALL SELECT concat('message ', m) FROM mw_mail AS m WHERE %s = %s"
							   " UNION ALL SELECT concat('departed ', d.modseq, ' ', u) FROM mw_mail_departed AS d,"
							   " ROWS FROM (unnest(d.emails), unnest(d.threads), unnest(d.created)) AS u (email, thread, created)"
							   " WHERE acct = %d AND %s = %s", account,
							   options.in_mailbox ? "box" : "_mailbox", account, column, id, account,
							   kind == THREAD ? "u.thread" : "u.email", id);

	for (int i = 0; result && i < PQntuples(result); i++)
		fprintf(stderr, "#   server now: %s\n", PQgetvalue(result, i, 0));
	PQclear(result);
}

/* What was walked to the end must be what the account has in this snapshot */
static bool
compare(Replica *r, int kind, int account, const Objects *known)
{
	PGresult   *result = fetch(r, kind, account, NULL);
	Objects		there = {0};

	if (result == NULL)
		return false;
	totals.audits++;
	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *id = PQgetvalue(result, i, 0);
		const Object *object = objects_find(known, id);

		if (object == NULL || object->print == NULL ||
			strcmp(object->print, PQgetvalue(result, i, 1)) != 0)
		{
			const char *print = PQgetvalue(result, i, 1);
			int			mailbox = kind == EMAIL ? atoi(print) : 1;

			if (totals.divergences == 0)
				print_server(r, kind, account, id);
			diverged(&r->client, mailbox > options.mailboxes ? 1 : mailbox,
					 kind == EMAIL ? atoll(strchr(print, ' ')) : 0,
					 "%s of account %d at %s: %s is '%s', known as '%s'", kinds[kind],
					 account, known->state, id, print, object == NULL ? "nothing" :
					 object->print ? object->print : "gone");
		}
		objects_put(&there, id, NULL);
	}
	for (int i = 0; i < known->count; i++)
		if (objects_find(&there, known->objects[i].id) == NULL)
		{
			if (totals.divergences == 0)
				print_server(r, kind, account, known->objects[i].id);
			diverged(&r->client, 1, 0, "%s of account %d at %s: %s is known as '%s', and is not there",
					 kinds[kind], account, known->state, known->objects[i].id,
					 known->objects[i].print ? known->objects[i].print : "gone");
		}
	objects_release(&there);
	PQclear(result);
	result = query(&r->client, "SELECT %s FROM modseq.account_state('mw_mail', %d::bigint)",
				   kinds[kind], account);
	if (result == NULL)
		return false;
	if (strcmp(PQgetvalue(result, 0, 0), known->state) != 0)
		diverged(&r->client, 1, 0, "%s of account %d: the walk ends at %s, the state is %s",
				 kinds[kind], account, known->state, PQgetvalue(result, 0, 0));
	PQclear(result);
	if (options.failover)
		told_account(&r->client, kinds[kind], account, known);
	return true;
}

/* --- learning --------------------------------------------------------------- */

/* All of it, as a client that knows nothing: in one snapshot, in any case */
static bool
learn_all(Replica *r, int kind, int account, Objects *known)
{
	PGresult   *state = query(&r->client, "BEGIN ISOLATION LEVEL REPEATABLE READ;"
							  " SELECT %s FROM modseq.account_state('mw_mail', %d::bigint)",
							  kinds[kind], account);
	PGresult   *result = state ? fetch(r, kind, account, NULL) : NULL;
	bool		ok = result && run(&r->client, "COMMIT");

	objects_clear(known);
	for (int i = 0; ok && i < PQntuples(result); i++)
		objects_put(known, PQgetvalue(result, i, 0), PQgetvalue(result, i, 1));
	if (ok)
	{
		snprintf(known->state, STATE_SIZE, "%s", PQgetvalue(state, 0, 0));
		known->server = r->client.server;
		if (options.failover)
			told_account(&r->client, kinds[kind], account, known);
	}
	PQclear(state);
	PQclear(result);
	return ok;
}

/* The objects that were created or updated, as they are now */
static bool
fetch_page(Replica *r, int kind, int account, const Objects *known,
		   const Page *page, bool exact, Objects *fetched)
{
	char	   *ids = calloc(page->count + 1, 24);
	char	   *end = ids;
	PGresult   *result;

	for (int i = 0; i < page->count; i++)
		if (page->changes[i] != 'd')
			end += sprintf(end, "%s%s", end > ids ? "," : "", page->ids[i]);
	result = fetch(r, kind, account, ids);
	free(ids);
	if (result == NULL)
		return false;
	for (int i = 0; i < PQntuples(result); i++)
	{
		const char *id = PQgetvalue(result, i, 0);
		const Object *before = objects_find(known, id);

		objects_put(fetched, id, PQgetvalue(result, i, 1));
		if (exact && page->counts_only && before &&
			other_name(before->print, PQgetvalue(result, i, 1)))
			diverged(&r->client, 1, 0, "mailbox %s is '%s' and was '%s', where counts alone changed",
					 id, PQgetvalue(result, i, 1), before->print);
	}
	PQclear(result);
	return true;
}

static void
learn_page(Replica *r, Objects *known, const Page *page, const Objects *fetched)
{
	known->server = r->client.server;
	if (known->told == NULL)
		known->told = calloc(1, sizeof(Objects));
	for (int i = 0; i < page->count; i++)
	{
		const Object *object = objects_find(fetched, page->ids[i]);

		if (page->changes[i] != 'd')
			objects_put(known, page->ids[i], object ? object->print : NULL);
		else if (objects_find(known, page->ids[i]))
			objects_forget(known, page->ids[i]);
		objects_put(known->told, page->ids[i], NULL);
	}
	strcpy(known->state, page->state);
	if (!page->has_more)
		objects_clear(known->told);
}

/*
 * Is the verdict one by which nothing is learnt?  A state of a server that is
 * lost must be known to be that; one that is not may be too old all the same,
 * once the account has changed.  A standby may be behind.
 */
static bool
is_refused(Replica *r, int kind, int account, Objects *known, const Page *page)
{
	bool		survived = state_survived(&r->client, known->server, account, kind,
										  known->state);
	bool		right = false;

	if (strcmp(page->verdict, "ok") == 0)
		right = survived;
	else if (strcmp(page->verdict, "too_old") == 0)
		right = (totals.forgotten > 0 || totals.failovers > 0) &&
			strcmp(page->state, known->state) != 0;
	else if (strcmp(page->verdict, "unknown") == 0)
		right = !survived;
	else if (strcmp(page->verdict, "behind") == 0)
	{
		right = r->behind = r->standby;
		totals.behind++;
	}
	if (!right)
		diverged(&r->client, 1, 0, "%s of account %d since %s of server %d: verdict %s on server %d, at %s",
				 kinds[kind], account, known->state, known->server, page->verdict,
				 r->client.server, page->state);
	if (right && strcmp(page->verdict, "ok") == 0)
		return false;
	if (!r->behind)
		objects_clear(known);
	return true;
}

/*
 * One page.  False after an error; more is whether there are others.  A state
 * may be too old, if somebody had changes forgotten: then nothing is known.
 * exact: the walk ends in the snapshot that is read.
 */
static bool
walk_page(Replica *r, int kind, int account, Objects *known, int max,
		  bool exact, bool *more)
{
	Objects		fetched = {0};
	Page		page;
	bool		ok = true;

	if (!ask(r, kind, account, known->state, max, &page))
		return false;
	totals.syncs++;
	*more = page.has_more;
	if (is_refused(r, kind, account, known, &page))
		*more = false;
	else
	{
		check_page(r, kind, account, known, max, &page);
		ok = fetch_page(r, kind, account, known, &page, exact, &fetched);
		if (ok)
			learn_page(r, known, &page, &fetched);
	}
	objects_release(&fetched);
	free_page(&page);
	return ok;
}

/* To the end, in one snapshot; or page by page, while others write */
static bool
walk(Replica *r, int kind, int account, Objects *known, bool exact)
{
	int			max = chance(&r->client, 25) ? 0 : 1 + random_number(&r->client, 8);
	bool		more = true;
	bool		whole = exact && is_whole(known->state);

	if (exact && !run(&r->client, "BEGIN ISOLATION LEVEL REPEATABLE READ"))
		return false;
	for (int pages = 0; more; pages++)
	{
		char		before[STATE_SIZE];
		bool		begun_here = whole;

		strcpy(before, known->state);
		if (!walk_page(r, kind, account, known, pages > MANY_PAGES ? 0 : max,
					   whole, &more))
			return false;
		/* One that was left in the middle ends where it was to end then */
		whole = exact && (whole || !more);
		more = more || (exact && strcmp(before, known->state) != 0);
		if (known->state[0] == '\0' || r->behind || totals.divergences > 0 ||
			(options.servers && begun_here && more && !round_over && chance(&r->client, 10)))
			return !exact || run(&r->client, "COMMIT");
		if (!exact && more && chance(&r->client, 20))
			pause_briefly(&r->client, 10);
		if (!exact && chance(&r->client, 5))
			return true;
	}
	return !exact || (compare(r, kind, account, known) && run(&r->client, "COMMIT"));
}

/* In one snapshot; nothing is learnt if it fails in the middle: see replica.c */
static bool
walk_draft(Replica *r, int kind, int account, Objects *known)
{
	objects_copy(&r->draft, known);
	if (!walk(r, kind, account, &r->draft, true))
		return false;
	objects_copy(known, &r->draft);
	return true;
}

/* --- the thread ------------------------------------------------------------- */

static void
recover(Replica *r)
{
	if (r->client.lost)
	{
		client_connect(&r->client);
		totals.reconnects++;
	}
	else
		run(&r->client, "ROLLBACK");
}

static bool
sync_one(Replica *r, int kind, int account)
{
	Objects    *known = &r->known[account][kind];
	Objects    *checkpoint =
		&r->checkpoints[account][kind][random_number(&r->client, CHECKPOINTS)];
	bool		ok;

	r->behind = false;
	r->standby = on_standby(&r->client);
	if (known->state[0] != '\0' && checkpoint->state[0] != '\0' &&
		chance(&r->client, 25))
	{
		objects_copy(known, checkpoint);
		totals.rewinds++;
	}
	if (known->state[0] == '\0')
		return learn_all(r, kind, account, known);
	ok = options.servers ? walk_draft(r, kind, account, known) :
		walk(r, kind, account, known, chance(&r->client, 50));
	if (ok && known->state[0] != '\0' &&
		(checkpoint->state[0] == '\0' || chance(&r->client, 15)))
		objects_copy(checkpoint, known);
	return ok;
}

/* So that some states are too old */
static void
forget_departed(Replica *r)
{
	totals.forgotten++;
	if (!run(&r->client, "SELECT modseq.compact('mw_mail', '1 hour', interval '%d ms')",
			 (int) random_number(&r->client, 2000)))
		recover(r);
}

/* All is quiet: it must come out as it is on the primary */
static void
verify(Replica *r)
{
	r->behind = false;
	if (options.servers)
	{
		r->standby = r->client.roams = false;
		client_connect(&r->client);
	}
	for (int account = 0; account < options.accounts; account++)
		for (int kind = 0; kind < KINDS; kind++)
		{
			Objects    *known = &r->known[account][kind];
			bool		ok;

			do
			{
				if (r->client.lost)
					recover(r);
				ok = known->state[0] != '\0' ? walk_draft(r, kind, account, known) :
					learn_all(r, kind, account, known);
				if (!ok)
					recover(r);
			} while (!ok && totals.errors == 0);
		}
	r->client.roams = options.servers != NULL;
}

void *
jmap_main(void *arg)
{
	Replica		replica = {0};

	client_init(&replica.client, "j", (int) (intptr_t) arg);
	replica.client.roams = options.servers != NULL;
	replica.known = calloc(options.accounts, sizeof(*replica.known));
	replica.checkpoints = calloc(options.accounts, sizeof(*replica.checkpoints));
	do
	{
		while (!round_over)
		{
			if (replica.client.lost ||
				!sync_one(&replica, random_number(&replica.client, KINDS),
						  random_number(&replica.client, options.accounts)))
				recover(&replica);
			if (random_number(&replica.client, 300) == 0 && !on_standby(&replica.client))
				forget_departed(&replica);
			if (options.servers && chance(&replica.client, 2))
				client_connect(&replica.client);
			pause_briefly(&replica.client, 10);
		}
		barrier();				/* all is quiet */
		if (totals.divergences == 0 && totals.errors == 0)
			verify(&replica);
		barrier();				/* replicas have looked */
		barrier();				/* so has the main thread */
	} while (!finished);
	client_close(&replica.client);
	objects_release(&replica.draft);
	for (int account = 0; account < options.accounts; account++)
		for (int kind = 0; kind < KINDS; kind++)
		{
			objects_release(&replica.known[account][kind]);
			for (int i = 0; i < CHECKPOINTS; i++)
				objects_release(&replica.checkpoints[account][kind][i]);
		}
	free(replica.known);
	free(replica.checkpoints);
	return NULL;
}
