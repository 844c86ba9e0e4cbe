/*-------------------------------------------------------------------------
 *
 * search.c
 *	  SEARCH and UID SEARCH, with ESEARCH's results (RFC 4731).
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "message.h"
#include "search.h"

/* Rows that are in memory at a time */
#define WINDOW	5000

/* What was found */
typedef struct Found
{
	const SearchCommand *search;
	Uids		uids;
	int64_t		first_modseq;	/* of the lowest UID, */
	int64_t		last_modseq;	/* of the highest, */
	int64_t		modseq;			/* and the highest of all */
	uint32_t	first;
	uint32_t	last;
} Found;

static void
add_found(Found *found, PGresult *rows, int row)
{
	uint32_t	uid = db_int(rows, row, 0);
	int64_t		modseq = db_int(rows, row, 1);

	if (found->first == 0 || uid < found->first)
	{
		found->first = uid;
		found->first_modseq = modseq;
	}
	if (uid > found->last)
	{
		found->last = uid;
		found->last_modseq = modseq;
	}
	found->modseq = MAX(found->modseq, modseq);
	uidset_builder_add(&found->uids, uid, uid);
}

/* A ContentFunction */
static void
match_content(Session *session, PGresult *rows, int row, const char *raw, size_t length, void *arg)
{
	Found	   *found = arg;

	if (raw && search_match(found->search->key, rows, row, raw, length) == ANSWER_YES)
		add_found(found, rows, row);
}

/* Finds in a part of the set what the keys match that the database did not decide. */
static bool
search_window(Session *session, const Uids *set, Found *found)
{
	Db		   *db = &session->db;
	char	   *text = uids_print(set);
	GArray	   *header = g_array_new(false, false, sizeof(int));
	GArray	   *whole = g_array_new(false, false, sizeof(int));
	PGresult   *rows;
	bool		done;

	db_queue(db, SQL_SEARCH, "is", session->box.id, text);
	g_free(text);
	done = db_run(db);
	if (done)
	{
		rows = db_take(db, 0);
		for (int row = 0; row < PQntuples(rows); row++)
		{
			Answer		answer = search_match(found->search->key, rows, row, NULL, 0);

			if (answer == ANSWER_YES)
				add_found(found, rows, row);
			else if (answer != ANSWER_NO)
				g_array_append_val(answer == ANSWER_HEADER ? header : whole, row);
		}
		done = content_each(session, rows, header, true, match_content, found) &&
			content_each(session, rows, whole, false, match_content, found);
		PQclear(rows);
	}
	g_array_unref(header);
	g_array_unref(whole);
	return done;
}

/* What all keys ask for that the database can tell */
typedef struct Narrowed
{
	Uids		set;
	int64_t		since;			/* the lowest mod-sequence */
	GPtrArray  *with;			/* flags that a message must have, */
	GPtrArray  *without;		/* and must not have */
	bool		decided;		/* are these all keys? */
} Narrowed;

/* The system flag that a key asks for, NULL: something else.  Of a keyword the case is not known. */
static char *
system_flag(const Key *key)
{
	return key->kind == KEY_FLAG && *key->name == '\\' ? (char *) key->name : NULL;
}

static void
narrow(Session *session, const SearchCommand *search, Narrowed *narrowed)
{
	const Uids *all = &session->box.numbers.uids;

	*narrowed = (Narrowed) {.set = UIDS_INIT, .decided = true};
	narrowed->with = parse_array(&session->parser);
	narrowed->without = parse_array(&session->parser);
	uidset_builder_add_ranges(&narrowed->set, all->ranges, all->n);
	uidset_builder_finish(&narrowed->set);
	for (guint i = 0; i < search->key->keys->len; i++)
	{
		const Key  *key = search->key->keys->pdata[i];

		if (key->kind == KEY_UIDS)
			uids_intersect(&narrowed->set, &key->set);
		else if (key->kind == KEY_MODSEQ)
			narrowed->since = MAX(narrowed->since, (int64_t) key->number);
		else if (system_flag(key))
			g_ptr_array_add(narrowed->with, system_flag(key));
		else if (key->kind == KEY_NOT && system_flag(key->keys->pdata[0]))
			g_ptr_array_add(narrowed->without, system_flag(key->keys->pdata[0]));
		else if (key->kind != KEY_ALL)
			narrowed->decided = false;
	}
}

static bool
has(const GPtrArray *flags, const char *flag)
{
	for (guint i = 0; i < flags->len; i++)
		if (g_ascii_strcasecmp(flags->pdata[i], flag) == 0)
			return true;
	return false;
}

/* Does nothing but these two flags matter?  Then no message need be read. */
static bool
is_indexed(const GPtrArray *flags)
{
	for (guint i = 0; i < flags->len; i++)
		if (g_ascii_strcasecmp(flags->pdata[i], "\\Seen") != 0 &&
			g_ascii_strcasecmp(flags->pdata[i], "\\Deleted") != 0)
			return false;
	return true;
}

/* Leaves in the set what is in the other, which the database has said, or what is not */
static void
keep(Uids *set, const PGresult *result, int column, bool in, bool out)
{
	const char *text = db_text(result, 0, column);
	Uids		other;

	if (!in && !out)
		return;
	if (!uids_parse(&other, text ? text : "", UIDSET_NO_STAR))
		abort();
	if (in)
		uids_intersect(set, &other);
	if (out)
		uids_subtract(set, &other);
	uidset_builder_free(&other);
}

/*
 * Finds by what is live, unseen and deleted, which the database knows without
 * a read of the others.  False if it has failed.
 */
static bool
find_indexed(Session *session, const Narrowed *narrowed, Found *found)
{
	bool		seen = has(narrowed->with, "\\Seen");
	bool		unseen = has(narrowed->without, "\\Seen");
	bool		deleted = has(narrowed->with, "\\Deleted");
	bool		undeleted = has(narrowed->without, "\\Deleted");
	Db		   *db = &session->db;

	db_queue(db, SQL_LIVE, "ii", session->box.id,
			 (int64_t) (seen || unseen ? 1 : 0) | (deleted || undeleted ? 2 : 0));
	if (!db_run(db))
		return false;
	uidset_builder_add_ranges(&found->uids, narrowed->set.ranges, narrowed->set.n);
	uidset_builder_finish(&found->uids);
	keep(&found->uids, db->results[0], 0, true, false);
	keep(&found->uids, db->results[0], 1, unseen, seen);
	keep(&found->uids, db->results[0], 2, deleted, undeleted);
	return true;
}

/* Asks the database, for all of the set at once.  False if it has failed. */
static bool
find(Session *session, const Narrowed *narrowed, Found *found)
{
	Db		   *db = &session->db;
	char	   *text;
	char	   *with;
	char	   *without;
	const char *uids;
	bool		done;

	if (!found->search->modseq && is_indexed(narrowed->with) && is_indexed(narrowed->without))
		return find_indexed(session, narrowed, found);
	text = uids_print(&narrowed->set);
	with = text_array(narrowed->with);
	without = text_array(narrowed->without);
	if (found->search->modseq)
		db_queue(db, SQL_FIND_CHANGED, "isssi", session->box.id, text, with, without, narrowed->since);
	else
		db_queue(db, SQL_FIND, "isss", session->box.id, text, with, without);
	g_free(text);
	g_free(with);
	g_free(without);
	done = db_run(db);
	if (!done)
		return false;
	uids = db_text(db->results[0], 0, 0);
	if (uids == NULL)
		return true;
	if (!uids_parse(&found->uids, uids, UIDSET_NO_STAR))
		abort();
	if (found->search->modseq)
	{
		found->first_modseq = db_int(db->results[0], 0, 1);
		found->last_modseq = db_int(db->results[0], 0, 2);
		found->modseq = db_int(db->results[0], 0, 3);
	}
	return true;
}

/* Of what was found, what matches.  False if the database has failed. */
static bool
search_found(Session *session, Found *found)
{
	Found		matching = {.search = found->search, .uids = UIDS_INIT};
	int64_t		count = uids_count(&found->uids);
	bool		done = true;

	for (int64_t at = 0; done && at < count; at += WINDOW)
	{
		Uids		window = uids_first(&found->uids, at, WINDOW);

		done = search_window(session, &window, &matching);
		uidset_builder_free(&window);
	}
	uidset_builder_finish(&matching.uids);
	uidset_builder_free(&found->uids);
	*found = matching;
	return done;
}

/* The highest mod-sequence of what is told (RFC 7162 section 3.1.10) */
static int64_t
result_modseq(const SearchCommand *search, const Found *found)
{
	if (!search->extended || (search->wanted & (RETURN_ALL | RETURN_COUNT)))
		return found->modseq;
	return MAX(search->wanted & RETURN_MIN ? found->first_modseq : 0,
			   search->wanted & RETURN_MAX ? found->last_modseq : 0);
}

static void
put_extended(Session *session, bool uid, const SearchCommand *search, const Found *found,
			 const Uids *result)
{
	GString    *tag = g_string_new(NULL);

	string_append_quoted(tag, session->tag);
	put(session, "* ESEARCH (TAG %s)%s", tag->str, uid ? " UID" : "");
	g_string_free(tag, true);
	if (result->n > 0 && (search->wanted & RETURN_MIN))
		put(session, " MIN %u", result->ranges[0].lo);
	if (result->n > 0 && (search->wanted & RETURN_MAX))
		put(session, " MAX %u", uids_last(result));
	if (result->n > 0 && (search->wanted & RETURN_ALL))
	{
		char	   *text = uids_print(result);

		put(session, " ALL %s", text);
		g_free(text);
	}
	if (search->wanted & RETURN_COUNT)
		put(session, " COUNT %" PRId64, uids_count(result));
	if (result->n > 0 && search->modseq)
		put(session, " MODSEQ %" PRId64, result_modseq(search, found));
	put(session, "\r\n");
}

static void
put_plain(Session *session, const SearchCommand *search, const Found *found, const Uids *result)
{
	put(session, "* SEARCH");
	for (int i = 0; i < result->n; i++)
		for (int64_t n = result->ranges[i].lo; n <= result->ranges[i].hi; n++)
			put_number(session, n);
	if (result->n > 0 && search->modseq)
		put(session, " (MODSEQ %" PRId64 ")", result_modseq(search, found));
	put(session, "\r\n");
}

static void
run_search(Session *session, bool uid, const SearchCommand *search)
{
	Found		found = {.search = search, .uids = UIDS_INIT};
	Narrowed	narrowed;
	Uids		result;
	bool		done;

	if (search->modseq)
		session_condstore(session);
	narrow(session, search, &narrowed);
	if (!sync_reached(session, narrowed.since))
	{
		uidset_builder_free(&narrowed.set);
		return;
	}
	done = find(session, &narrowed, &found) && (narrowed.decided || search_found(session, &found));
	uidset_builder_free(&narrowed.set);
	if (!done)
	{
		uidset_builder_free(&found.uids);
		box_failure(session);
		return;
	}
	if (uid)
		result = found.uids;
	else
	{
		result = numbers_from_uids(&session->box.numbers, &found.uids);
		uidset_builder_free(&found.uids);
	}
	if (search->extended)
		put_extended(session, uid, search, &found, &result);
	else
		put_plain(session, search, &found, &result);
	uidset_builder_free(&result);
	sync_finish(session, uid && !search->numbers ? EXPUNGES_TOLD : EXPUNGES_WITHHELD,
				"OK", NULL, "SEARCH completed");
}

/*
 * The messages that a set names.  A message number that there is not finds
 * nothing, as a UID does: a question about it can be answered.
 */
static bool
resolve_set(Session *session, Key *key)
{
	const Numbers *numbers = &session->box.numbers;
	int64_t		count = numbers_count(numbers);
	Uids		there = UIDS_INIT;
	Uids		set;

	if (key->set_uid)
		return command_set(session, key->set_text, true, &key->set);
	if (!uids_parse(&set, key->set_text, count))
		return parse_fail(&session->parser, "A malformed set of messages");
	if (count > 0)
		uidset_builder_add(&there, 1, count);
	uidset_builder_finish(&there);
	uids_intersect(&set, &there);
	uidset_builder_free(&there);
	key->set = numbers_to_uids(numbers, &set);
	uidset_builder_free(&set);
	return true;
}

void
cmd_search(Session *session, bool uid)
{
	SearchCommand search;
	bool		valid = search_parse(session, &search);

	if (valid && search.bad_charset)
	{
		reply(session, "NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset");
		return;
	}
	for (guint i = 0; valid && i < search.sets->len; i++)
		valid = resolve_set(session, search.sets->pdata[i]);
	if (valid)
		run_search(session, uid, &search);
	for (guint i = 0; i < search.sets->len; i++)
		uidset_builder_free(&((Key *) search.sets->pdata[i])->set);
}
