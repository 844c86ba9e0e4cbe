/*-------------------------------------------------------------------------
 *
 * select.c
 *	  SELECT, EXAMINE with CONDSTORE and QRESYNC; CLOSE and UNSELECT.
 *
 * A mailbox is opened from one snapshot, in one round trip.  The list of UIDs
 * that gives messages their numbers is live_uids(), which knows it by what has
 * vanished.  So no query reads the mailbox.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "imapd.h"

/* Columns of SQL_SELECT */
enum
{
	ID, UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, LIVE, FIRST_UNSEEN, KEYWORDS, STANDBY
};

/* What is in the parentheses of SELECT */
typedef struct SelectParameters
{
	bool		condstore;
	bool		qresync;
	uint64_t	uidvalidity;
	uint64_t	since;
	char	   *known;			/* sets; NULL where not given */
	char	   *match_seqs;
	char	   *match_uids;
} SelectParameters;

static bool
same_size(const char *a, const char *b)
{
	Uids		seqs;
	Uids		uids;
	bool		same;

	if (!uids_parse(&seqs, a, UIDSET_NO_STAR))
		return false;
	if (!uids_parse(&uids, b, UIDSET_NO_STAR))
	{
		uidset_builder_free(&seqs);
		return false;
	}
	same = uids_count(&seqs) == uids_count(&uids);
	uidset_builder_free(&seqs);
	uidset_builder_free(&uids);
	return same;
}

/* (uidvalidity modseq [known-uids] [(seqs uids)]) */
static bool
parse_qresync(Session *session, SelectParameters *p)
{
	Parser	   *parser = &session->parser;

	if (!session->qresync)
		return parse_fail(parser, "ENABLE QRESYNC first");
	if (!parse_space(parser) || !parse_char(parser, '('))
		return parse_fail(parser, "QRESYNC has parameters in parentheses");
	if (!parse_number(parser, UIDS_MAX, &p->uidvalidity) || !parse_space(parser) ||
		!parse_number(parser, INT64_MAX, &p->since))
		return false;
	if (p->uidvalidity == 0 || p->since == 0)
		return parse_fail(parser, "UIDVALIDITY and mod-sequence begin at 1");
	if (parse_char(parser, ' '))
	{
		bool		match = parse_at(parser, '(');

		if (!match)
		{
			if ((p->known = parse_set(parser, false)) == NULL)
				return false;
			match = parse_char(parser, ' ');
		}
		if (match)
		{
			if (!parse_char(parser, '(') ||
				(p->match_seqs = parse_set(parser, false)) == NULL || !parse_space(parser) ||
				(p->match_uids = parse_set(parser, false)) == NULL || !parse_char(parser, ')'))
				return parse_fail(parser, "Malformed sequence match data");
			if (!same_size(p->match_seqs, p->match_uids))
				return parse_fail(parser, "As many message numbers as UIDs");
		}
	}
	return parse_char(parser, ')') || parse_fail(parser, "Malformed QRESYNC parameters");
}

static bool
parse_parameters(Session *session, SelectParameters *p)
{
	Parser	   *parser = &session->parser;

	memset(p, 0, sizeof(*p));
	if (!parse_char(parser, ' '))
		return parse_end(parser);
	if (!parse_char(parser, '('))
		return parse_fail(parser, "A list of parameters is missing");
	do
	{
		if (parse_skip_word(parser, "CONDSTORE"))
			p->condstore = true;
		else if (!p->qresync && parse_skip_word(parser, "QRESYNC"))
		{
			if (!parse_qresync(session, p))
				return false;
			p->qresync = true;
		}
		else
			return parse_fail(parser, "Unknown parameter");
	} while (parse_char(parser, ' '));
	return parse_char(parser, ')') ? parse_end(parser) :
		parse_fail(parser, "A list of parameters does not end");
}

/*
 * Sequence match data (RFC 7162 section 3.2.5.2): the highest UID of a pair
 * that is right, 0 if none is.  By runs of pairs that are consecutive in both
 * sets and in the mailbox, for there may be as many pairs as UIDs.  resync()
 * could do it too, but would read the mailbox, of which we know the UIDs.
 */
static uint32_t
highest_match(const Numbers *numbers, const Uids *seqs, const Uids *uids)
{
	uint32_t	match = 0;
	int64_t		seq = seqs->ranges[0].lo;
	int64_t		uid = uids->ranges[0].lo;
	int			live = 0;

	for (int i = 0, j = 0; i < seqs->n && j < uids->n;)
	{
		int64_t		run = MIN(seqs->ranges[i].hi - seq, uids->ranges[j].hi - uid) + 1;

		for (; live < numbers->uids.n && numbers->uids.ranges[live].lo < uid + run; live++)
		{
			const UidRange *range = &numbers->uids.ranges[live];
			int64_t		lo = MAX(range->lo, uid);
			int64_t		hi = MIN(range->hi, uid + run - 1);

			if (lo <= hi && numbers->before[live] + lo - range->lo + 1 == seq + lo - uid)
				match = hi;
			if (range->hi >= uid + run)
				break;			/* it goes on into the next run */
		}
		seq += run;
		uid += run;
		if (seq > seqs->ranges[i].hi && ++i < seqs->n)
			seq = seqs->ranges[i].lo;
		if (uid > uids->ranges[j].hi && ++j < uids->n)
			uid = uids->ranges[j].lo;
	}
	return match;
}

/* VANISHED (EARLIER), without what the client must know by its sequence match data */
static void
put_earlier(Session *session, const char *text, const SelectParameters *p)
{
	Uids		vanished;
	Uids		seqs;
	Uids		uids;
	char	   *rest;

	if (!uids_parse(&vanished, text, UIDSET_NO_STAR))
		abort();
	if (p->match_seqs && uids_parse(&seqs, p->match_seqs, UIDSET_NO_STAR))
	{
		if (uids_parse(&uids, p->match_uids, UIDSET_NO_STAR))
		{
			Uids		known = UIDS_INIT;
			uint32_t	match = highest_match(&session->box.numbers, &seqs, &uids);

			if (match > 0)
				uidset_builder_add(&known, 1, match);
			uids_subtract(&vanished, &known);
			uidset_builder_free(&known);
			uidset_builder_free(&uids);
		}
		uidset_builder_free(&seqs);
	}
	if (vanished.n > 0)
	{
		rest = uids_print(&vanished);
		put(session, "* VANISHED (EARLIER) %s\r\n", rest);
		g_free(rest);
	}
	uidset_builder_free(&vanished);
}

static void
put_qresync(Session *session, PGresult *resync, const SelectParameters *p)
{
	int			rows = PQntuples(resync);
	const char *vanished = db_text(resync, 0, SYNC_VANISHED);

	/* uidvalidity_changed: the client starts over */
	if (vanished == NULL)
		return;
	put_earlier(session, vanished, p);
	for (int row = 1; row < rows; row++)
		sync_put_fetch(session, numbers_number(&session->box.numbers, db_int(resync, row, SYNC_UID)),
					   db_text(resync, row, SYNC_UID), db_text(resync, row, SYNC_FLAGS),
					   db_text(resync, row, SYNC_MODSEQ));
}

/* What the database says of a mailbox.  The caller PQclear()s both. */
typedef struct Read
{
	PGresult   *mailbox;		/* SQL_SELECT, empty if there is none */
	PGresult   *resync;			/* SQL_QRESYNC, NULL if it was not asked for */
} Read;

static void
free_read(Read *read)
{
	PQclear(read->mailbox);
	PQclear(read->resync);
	*read = (Read) {0};
}

/* Is the server a standby that does not have what the client knows? */
static bool
is_behind(const Read *read)
{
	return read->resync && PQntuples(read->resync) > 0 && strcmp(db_text(read->resync, 0, SYNC_VERDICT), "behind") == 0;
}

/*
 * Reads the mailbox, and for QRESYNC what has changed, in one snapshot.  One
 * statement by itself has that without a transaction.  False if the database
 * has failed.
 */
static bool
read_mailbox(Session *session, const char *name, const SelectParameters *p, Read *read)
{
	Db		   *db = &session->db;

	if (!p->qresync)
	{
		db_queue(db, SQL_SELECT, "is", session->user_id, name);
		if (!db_run(db))
			return false;
		read->mailbox = db_take(db, 0);
		return true;
	}
	db_queue(db, SQL_BEGIN_READING, "");
	db_queue(db, SQL_SELECT, "is", session->user_id, name);
	db_queue(db, SQL_QRESYNC, "isiis", session->user_id, name, (int64_t) p->uidvalidity,
			 (int64_t) p->since, p->known);
	db_queue(db, SQL_COMMIT, "");
	if (!db_run(db))
		return false;
	read->mailbox = db_take(db, 1);
	read->resync = db_take(db, 2);
	return true;
}

/* Reads the mailbox into session->box, and tells the client.  False if the database has failed. */
static bool
open_mailbox(Session *session, const char *name, bool read_only, const SelectParameters *p)
{
	Db		   *db = &session->db;
	Selected   *box = &session->box;
	Read		read = {0};
	PGresult   *row;
	Uids		live;

	if (!read_mailbox(session, name, p, &read))
		return false;
	if (is_behind(&read))
	{
		bool		reached = sync_wait(session, db_int(read.mailbox, 0, ID), p->since);

		free_read(&read);
		if (reached ? !read_mailbox(session, name, p, &read) : db->sqlstate[0] != '\0')
			return false;
		if (!reached || is_behind(&read))
		{
			free_read(&read);
			reply(session, NOT_YET);
			return true;
		}
	}
	row = read.mailbox;
	if (PQntuples(row) == 0)
	{
		free_read(&read);
		reply(session, "NO [NONEXISTENT] No such mailbox");
		return true;
	}
	if (!uids_parse(&live, db_text(row, 0, LIVE), UIDSET_NO_STAR))
		abort();
	memset(box, 0, sizeof(*box));
	box->id = db_int(row, 0, ID);
	/* Of a standby nothing can be written, not even \Seen. */
	box->standby = *db_text(row, 0, STANDBY) == 't';
	box->read_only = read_only || box->standby;
	box->uidvalidity = db_int(row, 0, UIDVALIDITY);
	box->uidnext = db_int(row, 0, UIDNEXT);
	box->told = box->cursor = db_int(row, 0, HIGHESTMODSEQ);
	numbers_set(&box->numbers, &live);
	session->state = STATE_SELECTED;

	flags_read(session, db_text(row, 0, KEYWORDS));
	flags_put(session);
	put(session, "* %" PRId64 " EXISTS\r\n* 0 RECENT\r\n", numbers_count(&box->numbers));
	if (db_text(row, 0, FIRST_UNSEEN))
		put(session, "* OK [UNSEEN %" PRId64 "] First unseen\r\n",
			numbers_number(&box->numbers, db_int(row, 0, FIRST_UNSEEN)));
	put(session, "* OK [UIDVALIDITY %" PRId64 "] UIDs are valid\r\n", box->uidvalidity);
	put(session, "* OK [UIDNEXT %" PRId64 "] Predicted next UID\r\n", box->uidnext);
	put(session, "* OK [HIGHESTMODSEQ %" PRId64 "] Highest\r\n", box->told);
	if (p->qresync)
		put_qresync(session, read.resync, p);
	free_read(&read);
	reply(session, "OK [%s] %s completed", box->read_only ? "READ-ONLY" : "READ-WRITE",
		  read_only ? "EXAMINE" : "SELECT");
	return true;
}

static void
select_or_examine(Session *session, bool read_only)
{
	Parser	   *parser = &session->parser;
	SelectParameters parameters;
	char	   *name;
	bool		valid;

	if (!parse_space(parser) || (name = parse_mailbox(parser)) == NULL)
		return;
	valid = parse_parameters(session, &parameters);
	/* Also if it fails: no mailbox is selected then (RFC 3501 section 6.3.1). */
	if (session->state == STATE_SELECTED)
	{
		put(session, "* OK [CLOSED] The mailbox before is closed\r\n");
		session_unselect(session);
	}
	if (!valid)
		return;
	if (parameters.condstore || parameters.qresync)
		session_condstore(session);
	if (!mailbox_can_be(name))
		reply(session, "NO [NONEXISTENT] No such mailbox");
	else if (!open_mailbox(session, name, read_only, &parameters))
		reply_failure(session);
}

void
cmd_select(Session *session, bool uid)
{
	select_or_examine(session, false);
}

void
cmd_examine(Session *session, bool uid)
{
	select_or_examine(session, true);
}

/*
 * Expunges, and says nothing of it: above all no HIGHESTMODSEQ (RFC 7162
 * section 3.2.8).  CLOSE knows no NO (RFC 3501 section 6.4.2): if the mailbox
 * is gone, there is nothing to expunge; if it is busy for too long, messages
 * stay, marked as they were.
 */
void
cmd_close(Session *session, bool uid)
{
	Db		   *db = &session->db;

	if (!parse_end(&session->parser))
		return;
	if (!session->box.read_only)
	{
		db_queue(db, SQL_BEGIN, "");
		db_queue(db, SQL_LOCK, "i", session->box.id);
		db_queue(db, SQL_EXPUNGE, "ii", session->box.id, session->box.uidvalidity);
		db_queue(db, SQL_COMMIT, "");
		if (!db_run(db) && db_is_lost(db))
			reply_failure(session);
	}
	session_unselect(session);
	reply(session, "OK CLOSE completed");
}

void
cmd_unselect(Session *session, bool uid)
{
	if (!parse_end(&session->parser))
		return;
	session_unselect(session);
	reply(session, "OK UNSELECT completed");
}
