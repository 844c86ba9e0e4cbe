/*-------------------------------------------------------------------------
 *
 * notify_tell.c
 *	  What has become of mailboxes that are not selected (RFC 5465 section 5).
 *
 * The session keeps what the client knows of each: its name, and UIDVALIDITY,
 * UIDNEXT and HIGHESTMODSEQ.  What differs now says which events there were.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "notify.h"

/* More mailboxes are not watched. */
#define MAX_WATCHED		10000

/* Columns of SQL_WATCH behind those of SQL_LIST */
enum
{
	NAME, EXISTS, SPECIAL_USE, SUBSCRIBED, ID, UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ
};

/* Columns of SQL_WOKEN */
enum
{
	WOKEN_ID, WOKEN_UIDVALIDITY, WOKEN_UIDNEXT, WOKEN_HIGHESTMODSEQ, WOKEN_EXPUNGED, WOKEN_MESSAGES,
	WOKEN_UNSEEN, WOKEN_ENTRIES
};

static void
free_known(void *memory)
{
	Known	   *known = memory;

	g_free(known->name);
	g_free(known);
}

static bool
is_of_group(const EventGroup *group, const char *name, bool subscribed)
{
	switch (group->filter)
	{
		case FILTER_PERSONAL:
			return true;
		case FILTER_SUBSCRIBED:
			return subscribed;
		case FILTER_SUBTREE:
		case FILTER_MAILBOXES:
			for (guint i = 0; i < group->names->len; i++)
			{
				const char *of = group->names->pdata[i];
				size_t		length = strlen(of);

				if (strcmp(name, of) == 0 ||
					(group->filter == FILTER_SUBTREE && strncmp(name, of, length) == 0 && name[length] == '/'))
					return true;
			}
			return false;
		default:
			return false;		/* of the selected mailbox */
	}
}

/* Which events of a mailbox that is not selected the client wants */
static unsigned
events_of(const Notify *notify, const char *name, bool subscribed)
{
	unsigned	events = 0;

	for (guint i = 0; i < notify->groups->len; i++)
	{
		const EventGroup *group = notify->groups->pdata[i];

		if (is_of_group(group, name, subscribed))
			events |= group->events;
	}
	return events;
}

static Known *
find_name(const GPtrArray *known, const char *name)
{
	guint		low = 0;
	guint		high = known->len;

	while (low < high)
	{
		guint		middle = (low + high) / 2;
		Known	   *at = known->pdata[middle];
		int			order = strcmp(name, at->name);

		if (order == 0)
			return at;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* By id.  The caller unrefs the table. */
static GHashTable *
by_id(const GPtrArray *known)
{
	GHashTable *table = g_hash_table_new(NULL, NULL);

	for (guint i = 0; known && i < known->len; i++)
	{
		Known	   *at = known->pdata[i];

		if (at->id != 0)
			g_hash_table_insert(table, GSIZE_TO_POINTER(at->id), at);
	}
	return table;
}

static GPtrArray *
make_known(const PGresult *rows)
{
	GPtrArray  *known = g_ptr_array_new_with_free_func(free_known);

	for (int row = 0; row < PQntuples(rows); row++)
	{
		Known	   *at = g_new0(Known, 1);

		at->name = g_strdup(db_text(rows, row, NAME));
		at->id = db_int(rows, row, ID);
		at->subscribed = *db_text(rows, row, SUBSCRIBED) == 't';
		at->uidvalidity = db_int(rows, row, UIDVALIDITY);
		at->uidnext = db_int(rows, row, UIDNEXT);
		at->highestmodseq = db_int(rows, row, HIGHESTMODSEQ);
		g_ptr_array_add(known, at);
	}
	return known;
}

/* The first look.  notify->known stays NULL if it is not wanted, or too much; false if the database has failed. */
bool
notify_read(Session *session, Notify *notify)
{
	Db		   *db = &session->db;

	if (notify->groups->len == 0)
		return true;
	db_queue(db, SQL_WATCH, "i", session->user_id);
	if (!db_run(db))
		return false;
	if (PQntuples(db->results[0]) <= MAX_WATCHED)
		notify->known = make_known(db->results[0]);
	return true;
}

/* --- the list of mailboxes ----------------------------------------------------------- */

/* Has the session done that itself?  A CREATE or RENAME makes the levels above, too. */
static bool
is_own(const Notify *notify, const char *from, const char *to)
{
	for (guint i = 0; i < notify->own->len; i++)
	{
		const Own  *own = notify->own->pdata[i];
		size_t		length = to ? strlen(to) : 0;

		if (from == NULL && to && own->to && strncmp(own->to, to, length) == 0 &&
			(own->to[length] == '\0' || own->to[length] == '/'))
			return true;
		if (from && own->from && strcmp(own->from, from) == 0 && g_strcmp0(own->to, to) == 0)
			return true;
	}
	return false;
}

/* Was a mailbox above renamed, and this one only with it? */
static bool
is_renamed_with_parent(const Known *was, const Known *is, const GPtrArray *before, GHashTable *new)
{
	for (const char *slash = strchr(was->name, '/'); slash; slash = strchr(slash + 1, '/'))
	{
		char	   *above = g_strndup(was->name, slash - was->name);
		const Known *old_parent = find_name(before, above);
		const Known *parent = old_parent ? g_hash_table_lookup(new, GSIZE_TO_POINTER(old_parent->id)) : NULL;
		size_t		length = parent ? strlen(parent->name) : 0;

		g_free(above);
		if (parent && strncmp(is->name, parent->name, length) == 0 && strcmp(is->name + length, slash) == 0)
			return true;
	}
	return false;
}

/* Names that a LIST response is due for, each with the one before, or "" */
typedef struct Due
{
	const Notify *notify;
	const GPtrArray *now;
	GHashTable *names;
} Due;

static void
add_due(Due *due, const char *name, const char *old_name, bool subscribed, Event event)
{
	const Known *now = find_name(due->now, name);

	subscribed |= now && now->subscribed;
	if ((events_of(due->notify, name, subscribed) & event) ||
		(*old_name && (events_of(due->notify, old_name, subscribed) & event)))
		g_hash_table_insert(due->names, g_strdup(name), g_strdup(old_name));
}

/* A mailbox was made or taken away: that concerns the name above, too (section 5.4). */
static void
add_due_with_parent(Due *due, const char *name, bool subscribed)
{
	const char *slash = strrchr(name, '/');

	add_due(due, name, "", subscribed, MAILBOX_NAME);
	if (slash)
	{
		char	   *parent = g_strndup(name, slash - name);

		if (!g_hash_table_contains(due->names, parent))
			add_due(due, parent, "", false, MAILBOX_NAME);
		g_free(parent);
	}
}

static void
find_differences(Due *due, const GPtrArray *before)
{
	GHashTable *old = by_id(before);
	GHashTable *new = by_id(due->now);

	for (guint i = 0; i < before->len; i++)
	{
		const Known *was = before->pdata[i];
		const Known *is = find_name(due->now, was->name);

		/* One that was made anew under the name is told by that. */
		if (was->id != 0 && !g_hash_table_contains(new, GSIZE_TO_POINTER(was->id)) &&
			(is == NULL || is->id == 0) && !is_own(due->notify, was->name, NULL))
			add_due_with_parent(due, was->name, was->subscribed);
		if (was->subscribed && (is == NULL || !is->subscribed) && !is_own(due->notify, was->name, was->name))
			add_due(due, was->name, "", true, SUBSCRIPTION_CHANGE);
	}
	for (guint i = 0; i < due->now->len; i++)
	{
		Known	   *is = due->now->pdata[i];
		const Known *same = find_name(before, is->name);
		const Known *was = is->id ? g_hash_table_lookup(old, GSIZE_TO_POINTER(is->id)) : NULL;

		if (is->id && was == NULL)
		{
			/* What is in it already is new, too. */
			is->uidnext = is->highestmodseq = 1;
			if (!is_own(due->notify, NULL, is->name))
				add_due_with_parent(due, is->name, is->subscribed);
		}
		else if (is->id)
		{
			is->uidvalidity = was->uidvalidity;
			is->uidnext = was->uidnext;
			is->highestmodseq = was->highestmodseq;
			if (strcmp(was->name, is->name) != 0 && !is_renamed_with_parent(was, is, before, new) &&
				!is_own(due->notify, was->name, is->name))
				add_due(due, is->name, was->name, is->subscribed, MAILBOX_NAME);
		}
		if (is->subscribed && (same == NULL || !same->subscribed) && !is_own(due->notify, is->name, is->name) &&
			!g_hash_table_contains(due->names, is->name))
			add_due(due, is->name, "", true, SUBSCRIPTION_CHANGE);
	}
	g_hash_table_unref(old);
	g_hash_table_unref(new);
}

/* Reads the list of mailboxes anew, if it may have changed, and tells how.  False if the database has failed. */
bool
notify_tell_list(Session *session)
{
	Db		   *db = &session->db;
	Notify	   *notify = session->notify;
	PGresult   *rows;
	Due			due;

	if (!notify->list_woken)
		return true;
	db_queue(db, SQL_WATCH, "i", session->user_id);
	if (!db_run(db))
		return false;
	rows = db_take(db, 0);
	if (PQntuples(rows) > MAX_WATCHED)
	{
		PQclear(rows);
		notify_overflow(session);
		return true;
	}
	due = (Due) {notify, make_known(rows), g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
	find_differences(&due, notify->known);
	list_put_names(session, rows, due.names);
	g_hash_table_unref(due.names);
	g_ptr_array_unref(notify->known);
	notify->known = (GPtrArray *) due.now;
	g_ptr_array_set_size(notify->own, 0);
	notify->list_woken = false;
	PQclear(rows);
	return true;
}

/* --- messages and annotations -------------------------------------------------------- */

/* Asks for these mailboxes.  False if the database has failed. */
static bool
ask(Session *session, const GPtrArray *which)
{
	GString    *ids = g_string_new("{");
	GString    *since = g_string_new("{");

	for (guint i = 0; i < which->len; i++)
	{
		const Known *known = which->pdata[i];

		g_string_append_printf(ids, i == 0 ? "%" PRId64 : ",%" PRId64, known->id);
		g_string_append_printf(since, i == 0 ? "%" PRId64 : ",%" PRId64, known->highestmodseq);
	}
	g_string_append_c(ids, '}');
	g_string_append_c(since, '}');
	db_queue(&session->db, SQL_WOKEN, "ss", ids->str, since->str);
	g_string_free(ids, true);
	g_string_free(since, true);
	return db_run(&session->db);
}

/* STATUS: of messages that came or went, or of flags alone */
static void
put_status(Session *session, const PGresult *rows, int row, const char *name, bool messages, bool modseq)
{
	put(session, "* STATUS ");
	put_mailbox(session, name);
	put(session, " (");
	if (messages)
		put(session, "MESSAGES %s UIDNEXT %s ", db_text(rows, row, WOKEN_MESSAGES), db_text(rows, row, WOKEN_UIDNEXT));
	put(session, "UIDVALIDITY %s", db_text(rows, row, WOKEN_UIDVALIDITY));
	if (modseq)
		put(session, " HIGHESTMODSEQ %s", db_text(rows, row, WOKEN_HIGHESTMODSEQ));
	else if (!messages)
		put(session, " UNSEEN %s", db_text(rows, row, WOKEN_UNSEEN));
	put(session, ")\r\n");
}

/* Names only, in the order of the list: the client asks for values if it wants them (RFC 5464 section 4.4.2). */
static void
put_entries(Session *session, const char *name, const char *entries)
{
	char	  **words = g_strsplit(entries, "\n", -1);

	put(session, "* METADATA ");
	put_mailbox(session, name);
	for (char **word = words; *word; word++)
	{
		put(session, " ");
		put_mailbox(session, *word);
	}
	put(session, "\r\n");
	g_strfreev(words);
}

static void
tell_mailbox(Session *session, const PGresult *rows, int row, Known *known)
{
	unsigned	events = events_of(session->notify, known->name, known->subscribed);
	int64_t		uidvalidity = db_int(rows, row, WOKEN_UIDVALIDITY);
	int64_t		uidnext = db_int(rows, row, WOKEN_UIDNEXT);
	int64_t		highest = db_int(rows, row, WOKEN_HIGHESTMODSEQ);
	bool		renewed = uidvalidity != known->uidvalidity;
	bool		moved = renewed || uidnext != known->uidnext || *db_text(rows, row, WOKEN_EXPUNGED) == 't';
	const char *entries = db_text(rows, row, WOKEN_ENTRIES);

	/* What becomes of its messages the selected mailbox tells by itself (section 6.1). */
	if (session->state != STATE_SELECTED || session->box.id != known->id)
	{
		if (moved && (events & (MESSAGE_NEW | MESSAGE_EXPUNGE)))
			put_status(session, rows, row, known->name, true, session->condstore);
		else if (highest != known->highestmodseq && (events & FLAG_CHANGE))
			put_status(session, rows, row, known->name, false, session->condstore);
	}
	if (entries && (events & MAILBOX_METADATA_CHANGE))
		put_entries(session, known->name, entries);
	known->uidvalidity = uidvalidity;
	known->uidnext = uidnext;
	known->highestmodseq = highest;
}

/* Tells what has become of the mailboxes of which notifications came.  False if the database has failed. */
bool
notify_tell_woken(Session *session)
{
	Notify	   *notify = session->notify;
	GPtrArray  *which = parse_array(&session->parser);
	GHashTable *ids;
	PGresult   *rows;

	for (guint i = 0; notify->groups->len > 0 && i < notify->known->len; i++)
	{
		const Known *known = notify->known->pdata[i];

		if (known->id != 0 &&
			(notify->all_woken || g_hash_table_contains(notify->woken, GSIZE_TO_POINTER(known->id))) &&
			(events_of(notify, known->name, known->subscribed) & (MESSAGE_EVENTS | MAILBOX_METADATA_CHANGE)))
			g_ptr_array_add(which, (void *) known);
	}
	if (which->len == 0)
		return true;
	if (!ask(session, which))
		return false;
	ids = by_id(which);
	rows = session->db.results[0];
	for (int row = 0; row < PQntuples(rows); row++)
		tell_mailbox(session, rows, row, g_hash_table_lookup(ids, GSIZE_TO_POINTER(db_int(rows, row, WOKEN_ID))));
	g_hash_table_unref(ids);
	return true;
}

/*
 * NOTIFY SET STATUS: a STATUS for each mailbox whose messages are watched, but
 * the selected one.  With HIGHESTMODSEQ where flags are, also for a client that
 * has not enabled CONDSTORE (section 3.1).  False if the database has failed.
 */
bool
notify_put_all_status(Session *session, Notify *notify)
{
	GPtrArray  *which = parse_array(&session->parser);
	GHashTable *ids;
	PGresult   *rows;

	for (guint i = 0; notify->known && i < notify->known->len; i++)
	{
		const Known *known = notify->known->pdata[i];

		if (known->id != 0 && (session->state != STATE_SELECTED || session->box.id != known->id) &&
			(events_of(notify, known->name, known->subscribed) & MESSAGE_EVENTS))
			g_ptr_array_add(which, (void *) known);
	}
	if (which->len == 0)
		return true;
	if (!ask(session, which))
		return false;
	ids = by_id(which);
	rows = session->db.results[0];
	for (int row = 0; row < PQntuples(rows); row++)
	{
		const Known *known = g_hash_table_lookup(ids, GSIZE_TO_POINTER(db_int(rows, row, WOKEN_ID)));

		put_status(session, rows, row, known->name, true,
				   session->condstore || (events_of(notify, known->name, known->subscribed) & FLAG_CHANGE));
	}
	g_hash_table_unref(ids);
	return true;
}
