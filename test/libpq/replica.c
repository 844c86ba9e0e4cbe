/*-------------------------------------------------------------------------
 *
 * replica.c
 *	  Replicas: clients that keep a model of each mailbox by asking what
 *	  changed since, in all the ways that there are to ask.
 *
 * Half of them are live, as in IDLE: one connection, one cursor.  The others
 * resynchronize as with QRESYNC: they go offline and go back to any older
 * checkpoint of theirs.  A sync in one snapshot must give exactly the mailbox
 * of that snapshot; whatever is learnt must keep the promise of order:
 * nothing at or below a HIGHESTMODSEQ that was told, no UID below a UIDNEXT.
 *
 * Where there are several servers, what a client is told under a mod-sequence
 * above the HIGHESTMODSEQ that it goes by may be lost without a word, or be of
 * the future on a standby.  So all that is learnt is of one snapshot then, and
 * of an exchange that has not failed.
 *
 *-------------------------------------------------------------------------
 */
#include "replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINTS		5		/* that a replica keeps of a mailbox */

typedef struct Box
{
	Model		model;
	Model		checkpoints[CHECKPOINTS];
	int			told_server;
	int64_t		told_uidvalidity;
	int64_t		told_highestmodseq;
	int64_t		told_uidnext;
} Box;

typedef struct Replica
{
	Client		client;
	bool		live;
	bool		standby;		/* it was at one when it began this sync, */
	bool		behind;			/* and that lagged behind */
	Box		   *boxes;			/* by mailbox */
	Model		draft;
	Model		scratch;
} Replica;

/* --- checking --------------------------------------------------------------------- */

/* Numbers never go down, but from one server to another */
static void
check_status(Replica *r, int mailbox, const Answer *answer)
{
	Box		   *box = &r->boxes[mailbox];

	if (answer->uidvalidity == box->told_uidvalidity && r->client.server == box->told_server)
	{
		if (answer->highestmodseq < box->told_highestmodseq)
			diverged(&r->client, mailbox, 0, "HIGHESTMODSEQ went from %lld to %lld",
					 (long long) box->told_highestmodseq, (long long) answer->highestmodseq);
		if (answer->uidnext < box->told_uidnext)
			diverged(&r->client, mailbox, 0, "UIDNEXT went from %lld to %lld",
					 (long long) box->told_uidnext, (long long) answer->uidnext);
	}
	box->told_server = r->client.server;
	box->told_uidvalidity = answer->uidvalidity;
	box->told_highestmodseq = answer->highestmodseq;
	box->told_uidnext = answer->uidnext;
}

static void
check_rows(Replica *r, const Model *model, const Request *request,
		   const Answer *answer, bool exact)
{
	for (int i = 0; i < answer->rows.count; i++)
	{
		const Message *row = &answer->rows.messages[i];

		if (row->uid < model->uidnext && model_find(model, row->uid) == NULL)
			diverged(&r->client, request->mailbox, row->uid,
					 "%s: a UID appeared below UIDNEXT %lld, at modseq %lld",
					 request->kind, (long long) model->uidnext, (long long) row->modseq);
		if (row->modseq <= request->since)
			diverged(&r->client, request->mailbox, row->uid,
					 "%s: changed since %lld, but has modseq %lld", request->kind,
					 (long long) request->since, (long long) row->modseq);
		if (exact && (row->modseq > answer->highestmodseq || row->uid >= answer->uidnext))
			diverged(&r->client, request->mailbox, row->uid,
					 "%s: modseq %lld, HIGHESTMODSEQ %lld, UIDNEXT %lld in one snapshot",
					 request->kind, (long long) row->modseq,
					 (long long) answer->highestmodseq, (long long) answer->uidnext);
		if (exact && ranges_contain(&answer->vanished, row->uid))
			diverged(&r->client, request->mailbox, row->uid,
					 "%s: vanished and live", request->kind);
	}
}

static void
check_answer(Replica *r, const Model *model, const Request *request,
			 const Answer *answer, bool exact)
{
	const Ranges *vanished = &answer->vanished;
	int64_t		found = 0;
	int64_t		named = 0;

	check_rows(r, model, request, answer, exact);
	if (exact && vanished->count > 0 && vanished->range[vanished->count - 1][1] >= answer->uidnext)
		diverged(&r->client, request->mailbox, vanished->range[vanished->count - 1][1],
				 "%s: vanished, but UIDNEXT is %lld", request->kind,
				 (long long) answer->uidnext);
	if (answer->first_vanished != 0 &&
		(answer->first_vanished <= request->since ||
		 answer->first_vanished > answer->highestmodseq))
		diverged(&r->client, request->mailbox, 0, "%s: first_vanished %lld, since %lld, HIGHESTMODSEQ %lld",
				 request->kind, (long long) answer->first_vanished,
				 (long long) request->since, (long long) answer->highestmodseq);
	if (!exact)
		return;
	for (int i = 0; i < answer->changed.count; i++)
		named += answer->changed.range[i][1] - answer->changed.range[i][0] + 1;
	for (int i = 0; i < answer->rows.count; i++)
		found += ranges_contain(&answer->changed, answer->rows.messages[i].uid);
	if (found != named)
		diverged(&r->client, request->mailbox, 0, "%s: %lld messages changed since %lld, of which %lld are there",
				 request->kind, (long long) named, (long long) request->since,
				 (long long) found);
}

/* --- learning ------------------------------------------------------------------------ */

static void
learn(Replica *r, Model *model, const Request *request, const Answer *answer,
	  bool advance)
{
	for (int i = 0; i < answer->rows.count; i++)
		model_set(model, &answer->rows.messages[i]);
	/* After the rows: a vanished UID is never live again, but may have been */
	model_remove_ranges(model, &answer->vanished);
	if (advance)
	{
		model->server = r->client.server;
		model->cursor = answer->highestmodseq;
		model->uidnext = answer->uidnext;
	}
	history_add(request->mailbox, &r->client,
				"%s since %lld: %d changed, %d vanished ranges, HIGHESTMODSEQ %lld UIDNEXT %lld%s",
				request->kind, (long long) request->since, answer->rows.count,
				answer->vanished.count, (long long) answer->highestmodseq,
				(long long) answer->uidnext, advance ? "" : " (not advanced)");
}

/* A mailbox that is not known yet, or has a new UIDVALIDITY */
static bool
begin_model(Replica *r, int mailbox, Model *model)
{
	PGresult   *result;

	result = query(&r->client, "SELECT uidvalidity FROM %s.status('mw_mail', %d::bigint)",
				   options.schema, mailbox);
	if (result == NULL)
		return false;
	model_clear(model);
	model->uidvalidity = atoll(PQgetvalue(result, 0, 0));
	model->server = r->client.server;
	PQclear(result);
	return true;
}

static bool exchange(Replica *r, Model *model, Request *request, bool together,
					 bool exact, bool advance);

/* Rather than by parts, which have no verdict */
static bool
is_resync(const Request *request)
{
	return strncmp(request->kind, "parts", 5) != 0;
}

/* The model is void */
static bool
from_nothing(Replica *r, Model *model, int mailbox, bool exact)
{
	Request		request = {.mailbox = mailbox,.kind = "resync from nothing"};

	model_clear(model);
	return exchange(r, model, &request, exact, exact, true);
}

/* So it is if UIDVALIDITY has changed */
static bool
start_over(Replica *r, Model *model, const Request *request,
		   const Answer *answer, bool exact)
{
	if (is_resync(request) &&
		strcmp(answer->verdict, "uidvalidity_changed") != 0)
		diverged(&r->client, request->mailbox, 0, "%s: verdict %s, UIDVALIDITY %lld is now %lld",
				 request->kind, answer->verdict, (long long) model->uidvalidity,
				 (long long) answer->uidvalidity);
	return from_nothing(r, model, request->mailbox, exact);
}

/*
 * The standby has not got to what the model is of.  Who asks by parts sees
 * that by himself.
 */
static bool
is_behind(Replica *r, const Model *model, const Request *request,
		  const Answer *answer)
{
	bool		less = r->standby && (answer->uidvalidity < model->uidvalidity ||
									  (answer->uidvalidity == model->uidvalidity && answer->highestmodseq < request->since));
	bool		told = strcmp(answer->verdict, "behind") == 0;

	/* It may have been promoted meanwhile */
	if ((told && !less) || (less && !told && is_resync(request) && on_standby(&r->client)))
		diverged(&r->client, request->mailbox, 0, "%s: verdict %s, UIDVALIDITY %lld and HIGHESTMODSEQ %lld, known are %lld and %lld",
				 request->kind, answer->verdict, (long long) answer->uidvalidity, (long long) answer->highestmodseq,
				 (long long) model->uidvalidity, (long long) request->since);
	r->behind = told || (less && !is_resync(request));
	totals.behind += r->behind;
	return r->behind;
}

/*
 * Is what the model is of lost with the server that told it?  The client must
 * be told so, and not otherwise.  By parts it gets all messages then.
 */
static bool
is_lost(Replica *r, Model *model, Request *request, const Answer *answer)
{
	bool		survived = mailbox_survived(&r->client, model->server, request->mailbox, request->since);

	if (!is_resync(request) && !survived)
	{
		model->count = 0;
		model->uidnext = 0;
		request->since = 0;
		return false;
	}
	if (strcmp(answer->verdict, survived ? "ok" : "unknown_modseq") != 0)
		diverged(&r->client, request->mailbox, 0, "%s: verdict %s, since %lld of server %d, HIGHESTMODSEQ %lld of server %d",
				 request->kind, answer->verdict, (long long) request->since, model->server, (long long) answer->highestmodseq,
				 r->client.server);
	return !survived;
}

/*
 * One exchange: asks, checks, learns.  exact: everything is from one snapshot.
 */
static bool
exchange(Replica *r, Model *model, Request *request, bool together, bool exact,
		 bool advance)
{
	Answer		answer = {0};
	bool		ok;

	if (model->uidvalidity == 0 && !begin_model(r, request->mailbox, model))
		return false;
	request->since = model->cursor;
	/* TRUNCATE does not respect snapshots that are older */
	exact = exact && (!options.truncate || round_over);
	ok = is_resync(request) ? ask_resync(&r->client, model, request, together, &answer) :
		ask_parts(&r->client, request, &answer);
	if (ok && request->new_too)
	{
		char		condition[60];
		Model		new = {0};

		snprintf(condition, sizeof(condition), "m.uid >= %lld", (long long) model->uidnext);
		ok = read_rows(&r->client, request->mailbox, condition, &new);
		for (int i = 0; i < new.count; i++)
			model_set(&answer.rows, &new.messages[i]);
		free(new.messages);
	}
	if (ok && is_behind(r, model, request, &answer))
		history_add(request->mailbox, &r->client, "%s since %lld: behind, HIGHESTMODSEQ %lld",
					request->kind, (long long) request->since, (long long) answer.highestmodseq);
	else if (ok && answer.uidvalidity != model->uidvalidity)
		ok = start_over(r, model, request, &answer, exact);
	else if (ok && is_lost(r, model, request, &answer))
		ok = from_nothing(r, model, request->mailbox, exact);
	else if (ok)
	{
		answers_add(&r->client, model, request, &answer, exact);
		check_status(r, request->mailbox, &answer);
		check_answer(r, model, request, &answer, exact);
		learn(r, model, request, &answer, advance);
		if (options.failover)
			told_mailbox(&r->client, request->mailbox, model, &answer, exact && advance);
	}
	free_answer(&answer);
	return ok;
}

/* Compares a model with the whole mailbox, of the snapshot that it is of */
static bool
audit(Replica *r, int mailbox, const Model *model, const char *kind)
{
	char		text[256];
	int64_t		uid;

	if (!read_rows(&r->client, mailbox, "true", &r->scratch))
		return false;
	totals.audits++;
	if (options.truncate && !round_over)
		return true;
	if (model_differs(model, &r->scratch, &uid, text, sizeof(text)))
		diverged(&r->client, mailbox, uid, "%s up to %lld: %s", kind,
				 (long long) model->cursor, text);
	return true;
}

/* --- syncs --------------------------------------------------------------------------- */

static bool
begin_snapshot(Replica *r)
{
	return run(&r->client, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

/* In one snapshot, with random arguments */
static bool
sync_in_snapshot(Replica *r, int mailbox, Model *model, bool always_audit)
{
	Request		request = {.mailbox = mailbox,.kind = "resync"};
	bool		partial = false;
	bool		ok;

	if (model->uidvalidity != 0)
		switch (random_number(&r->client, 6))
		{
			case 0:
				request.kind = "resync of known UIDs";
				know_own(model, &request);
				break;
			case 1:
				request.kind = "resync with seq-match";
				match_own(&r->client, model, &request);
				break;
			case 2:
				request.kind = "resync of known UIDs with seq-match";
				know_own(model, &request);
				match_own(&r->client, model, &request);
				break;
			case 3:
				request.kind = "parts in a snapshot";
				break;
			case 4:
				request.kind = "resync of a random set";
				know_random(&r->client, model, &request);
				partial = true;
				break;
		}
	ok = exchange(r, model, &request, false, true, !partial);
	free_request(&request);
	if (ok && partial && !r->behind)
	{
		/* The rest, which must fit */
		Request		rest = {.mailbox = mailbox,.kind = "resync of the rest"};

		ok = exchange(r, model, &rest, false, true, true);
	}
	if (ok && !r->behind && model->uidvalidity != 0 && (always_audit || chance(&r->client, 25)))
		ok = audit(r, mailbox, model, request.kind) &&
			counts_audit(&r->client, mailbox);
	return ok;
}

/* Statement by statement, while others commit in between */
static bool
sync_live(Replica *r, int mailbox, Model *model)
{
	Request		request = {.mailbox = mailbox};
	bool		ok;

	switch (options.servers ? 0 : random_number(&r->client, 3))
	{
		case 0:
			request.kind = "resync and rows in one statement";
			return exchange(r, model, &request, true, true, true);
		case 1:
			request.kind = "resync, then rows";
			if (model->uidvalidity != 0 && chance(&r->client, 30))
				match_own(&r->client, model, &request);
			break;
		default:
			request.kind = "parts, one by one";
			break;
	}
	ok = exchange(r, model, &request, false, false, true);
	free_request(&request);
	return ok;
}

/*
 * Back to an older checkpoint.  It is synced, and so is the newest model, in
 * one snapshot: what the older one learns at or below the newer one's cursor
 * must be what that has.
 */
static bool
sync_from_checkpoint(Replica *r, int mailbox, Model *newest)
{
	Box		   *box = &r->boxes[mailbox];
	Model	   *old = &box->checkpoints[random_number(&r->client, CHECKPOINTS)];
	Model		model = {0};
	char		text[256];
	int64_t		uid;
	bool		ok;

	if (old->uidvalidity == 0)
		return true;
	model_copy(&model, old);
	totals.rewinds++;
	ok = begin_snapshot(r) && sync_in_snapshot(r, mailbox, &model, false) &&
		(r->behind || sync_in_snapshot(r, mailbox, newest, false)) && run(&r->client, "COMMIT");
	if (ok && !options.truncate && !r->behind &&
		model_differs(&model, newest, &uid, text, sizeof(text)))
		diverged(&r->client, mailbox, uid, "from checkpoint %lld: %s ('server' is the same replica's newest model)",
				 (long long) old->cursor, text);
	if (ok && !r->behind)
		model_copy(newest, &model);
	free(model.messages);
	return ok;
}

/* Who has waited until the standby is there is not told that it is behind */
static bool
wait_for_more(Replica *r, int mailbox, Model *model)
{
	PGresult   *result = query(&r->client, "SELECT modseq.wait_for('mw_mail', %d::bigint, %lld, '%d ms')",
							   mailbox, (long long) model->cursor, (int) random_number(&r->client, 100));
	bool		there = result && *PQgetvalue(result, 0, 0) == 't';

	if (result == NULL)
		return false;
	PQclear(result);
	if (!there)
		return true;
	if (!sync_live(r, mailbox, model))
		return false;
	if (r->behind)
		diverged(&r->client, mailbox, 0, "wait_for() says that %lld is there, and resync() is behind",
				 (long long) model->cursor);
	return true;
}

static bool
sync_one(Replica *r, int mailbox)
{
	Box		   *box = &r->boxes[mailbox];
	Model	   *model = options.servers ? &r->draft : &box->model;
	bool		ok;

	totals.syncs++;
	r->behind = false;
	r->standby = on_standby(&r->client);
	if (options.servers)
		model_copy(&r->draft, &box->model);
	if (!r->live && chance(&r->client, 25))
		ok = sync_from_checkpoint(r, mailbox, model);
	else if (r->live ? chance(&r->client, 80) : chance(&r->client, 20))
		ok = sync_live(r, mailbox, model);
	else
		ok = begin_snapshot(r) &&
			sync_in_snapshot(r, mailbox, model, false) &&
			run(&r->client, "COMMIT");
	if (ok && options.servers)
		model_copy(&box->model, &r->draft);
	if (ok && r->behind && chance(&r->client, 50))
		ok = wait_for_more(r, mailbox, &box->model);
	if (ok && !r->live && box->model.uidvalidity != 0)
	{
		Model	   *checkpoint = &box->checkpoints[random_number(&r->client, CHECKPOINTS)];

		if (checkpoint->uidvalidity != box->model.uidvalidity || chance(&r->client, 8))
			model_copy(checkpoint, &box->model);
	}
	return ok;
}

/* After an error: a new transaction, or a new connection */
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

/* --- the thread ------------------------------------------------------------------------ */

static void
compact(Replica *r)
{
	if (run(&r->client, "SELECT modseq.compact('mw_mail', interval '%d ms')",
			(int) random_number(&r->client, 2000)))
		totals.compactions++;
	else
		recover(r);
}

/* Syncs until the writers pause */
static void
follow(Replica *r)
{
	while (!round_over)
	{
		int			mailbox = 1 + random_number(&r->client, options.mailboxes);

		if (r->client.lost || !sync_one(r, mailbox))
			recover(r);
		if (options.has_compact && random_number(&r->client, 300) == 0 && !on_standby(&r->client))
			compact(r);
		if (options.servers && chance(&r->client, 3))
			client_connect(&r->client);
		else if (!r->live && chance(&r->client, 2))
		{
			/* Offline, for up to the rest of the round */
			double		until = now() + random_number(&r->client, 1000 * options.round) / 1000.0;

			client_close(&r->client);
			while (!round_over && now() < until)
				pause_briefly(&r->client, 20);
			client_connect(&r->client);
		}
		else
			pause_briefly(&r->client, 10);
	}
}

/* All is quiet: every mailbox must come out as it is on the primary */
static void
verify(Replica *r)
{
	if (options.servers)
	{
		r->standby = r->client.roams = false;
		client_connect(&r->client);
	}
	for (int mailbox = 1; mailbox <= options.mailboxes; mailbox++)
	{
		Model	   *model = &r->draft;
		bool		ok;

		do
		{
			if (r->client.lost)
				recover(r);
			model_copy(model, &r->boxes[mailbox].model);
			ok = (chance(&r->client, 50) || sync_live(r, mailbox, model)) &&
				begin_snapshot(r) && sync_in_snapshot(r, mailbox, model, true) &&
				run(&r->client, "COMMIT");
			if (!ok)
				recover(r);
		} while (!ok && totals.errors == 0);
		model_copy(&r->boxes[mailbox].model, model);
		totals.syncs++;
		if (!options.broken && model->cursor < acknowledged[mailbox])
			diverged(&r->client, mailbox, 0, "HIGHESTMODSEQ %lld, but a commit under %ld was confirmed",
					 (long long) model->cursor, (long) acknowledged[mailbox]);
	}
	r->client.roams = options.servers != NULL;
}

void *
replica_main(void *arg)
{
	Replica		replica = {0};
	int			number = (int) (intptr_t) arg;

	client_init(&replica.client, "r", number);
	replica.client.roams = options.servers != NULL;
	replica.live = number % 2 == 0;
	replica.boxes = calloc(options.mailboxes + 1, sizeof(Box));
	do
	{
		follow(&replica);
		barrier();				/* all is quiet */
		if (totals.divergences == 0 && totals.errors == 0)
			verify(&replica);
		barrier();				/* replicas have looked */
		barrier();				/* so has the main thread */
	} while (!finished);
	client_close(&replica.client);
	for (int i = 1; i <= options.mailboxes; i++)
	{
		free(replica.boxes[i].model.messages);
		for (int j = 0; j < CHECKPOINTS; j++)
			free(replica.boxes[i].checkpoints[j].messages);
	}
	free(replica.boxes);
	free(replica.scratch.messages);
	free(replica.draft.messages);
	return NULL;
}
