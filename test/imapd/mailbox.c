/*-------------------------------------------------------------------------
 *
 * mailbox.c
 *	  CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE; sets of messages.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"

/* Can there be a mailbox of that name? */
bool
mailbox_can_be(const char *name)
{
	return g_utf8_validate(name, -1, NULL) && strlen(name) <= MAX_NAME;
}

/* The mailbox's id, 0 if there is none.  False if the database has failed; that has been replied. */
bool
mailbox_find(Session *session, const char *name, int64_t *id)
{
	Db		   *db = &session->db;

	*id = 0;
	if (!mailbox_can_be(name))
		return true;
	db_queue(db, SQL_FIND_MAILBOX, "is", session->user_id, name);
	if (!db_run(db))
	{
		reply_failure(session);
		return false;
	}
	if (PQntuples(db->results[0]) == 1)
		*id = db_int(db->results[0], 0, 0);
	return true;
}

/*
 * The announced messages that a command's set names, as UIDs.  A message
 * number that there is not is an error (RFC 3501 section 9, seq-number); a UID is
 * none.  The caller owns the set.
 */
bool
command_set(Session *session, const char *text, bool uid, Uids *uids)
{
	const Numbers *numbers = &session->box.numbers;
	int64_t		count = numbers_count(numbers);
	Uids		set;

	if (!uids_parse(&set, text, uid ? uids_last(&numbers->uids) : count))
		return parse_fail(&session->parser, "A malformed set of messages");
	if (uid)
	{
		uids_intersect(&set, &numbers->uids);
		*uids = set;
		return true;
	}
	if (count == 0 || uids_last(&set) > count)
	{
		uidset_builder_free(&set);
		return parse_fail(&session->parser, "No such message number");
	}
	*uids = numbers_to_uids(numbers, &set);
	uidset_builder_free(&set);
	return true;
}

/* May a mailbox be called so?  If not, that has been replied. */
static bool
check_name(Session *session, const char *name)
{
	const char *wrong = NULL;

	if (*name == '\0' || *name == '/' || strstr(name, "//") || name[strlen(name) - 1] == '/')
		wrong = "A level of the name is empty";
	else if (strlen(name) > MAX_NAME)
		wrong = "The name is too long";
	for (const char *c = name; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '%' || *c == '*')
			wrong = "The name has a character that is not allowed";
	if (wrong)
		reply(session, "NO [CANNOT] %s", wrong);
	return wrong == NULL;
}

/* Creates what is missing above the name. */
static bool
create_parents(Session *session, const char *name)
{
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
	{
		char	   *parent = parse_keep(&session->parser, g_strndup(name, slash - name));
		int64_t		id;

		if (!mailbox_find(session, parent, &id))
			return false;
		if (id != 0)
			continue;
		db_queue(&session->db, SQL_CREATE, "iss", session->user_id, parent, NULL);
		if (!db_run(&session->db) && strcmp(session->db.sqlstate, "23505") != 0)
		{
			reply_failure(session);
			return false;
		}
	}
	return true;
}

static char *
parse_name(Session *session)
{
	Parser	   *parser = &session->parser;
	char	   *name = parse_space(parser) ? parse_mailbox(parser) : NULL;

	return name && parse_end(parser) ? name : NULL;
}

void
cmd_create(Session *session, bool uid)
{
	char	   *name = parse_name(session);

	if (name == NULL)
		return;
	/* With the separator at its end: there will be mailboxes below (RFC 3501 section 6.3.3) */
	if (strlen(name) > 1 && name[strlen(name) - 1] == '/')
		name[strlen(name) - 1] = '\0';
	if (!check_name(session, name) || !create_parents(session, name))
		return;
	db_queue(&session->db, SQL_CREATE, "iss", session->user_id, name, NULL);
	if (!db_run(&session->db))
	{
		reply_failure(session);
		return;
	}
	notify_own(session, NULL, name);
	reply(session, "OK CREATE completed");
}

void
cmd_delete(Session *session, bool uid)
{
	char	   *name = parse_name(session);
	Db		   *db = &session->db;

	if (name == NULL)
		return;
	if (strcmp(name, "INBOX") == 0)
	{
		reply(session, "NO [CANNOT] INBOX cannot be deleted");
		return;
	}
	if (!check_name(session, name))
		return;
	db_queue(db, SQL_DELETE, "is", session->user_id, name);
	if (!db_run(db))
		reply_failure(session);
	else if (strcmp(PQcmdTuples(db->results[0]), "0") == 0)
		reply(session, "NO [NONEXISTENT] No such mailbox");
	else
	{
		notify_own(session, name, NULL);
		reply(session, "OK DELETE completed");
	}
}

/*
 * RENAME INBOX leaves INBOX there, and moves its messages (RFC 3501 section
 * 6.3.5).  Annotations are there and here then (RFC 5464 section 4.1).
 */
static bool
rename_inbox(Session *session, const char *name, int64_t inbox)
{
	Db		   *db = &session->db;
	int			attempt = 0;

	for (;;)
	{
		db_queue(db, SQL_BEGIN, "");
		db_queue(db, SQL_CREATE, "iss", session->user_id, name, NULL);
		if (db_run(db))
		{
			int64_t		target = db_int(db->results[1], 0, 0);

			db_queue(db, SQL_LOCK_TWO, "ii", inbox, target);
			db_queue(db, SQL_MOVE_ALL, "ii", inbox, target);
			db_queue(db, SQL_COPY_ANNOTATIONS, "ii", inbox, target);
			db_queue(db, SQL_COMMIT, "");
			if (db_run(db))
				return true;
		}
		if (!db_retry(db, &attempt))
			return false;
	}
}

void
cmd_rename(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	Db		   *db = &session->db;
	char	   *from;
	char	   *to;
	size_t		length;
	int64_t		id;
	bool		done;
	bool		gone = false;

	if (!parse_space(parser) || (from = parse_mailbox(parser)) == NULL ||
		!parse_space(parser) || (to = parse_mailbox(parser)) == NULL || !parse_end(parser))
		return;
	if (!mailbox_find(session, from, &id))
		return;
	if (id == 0)
	{
		reply(session, "NO [NONEXISTENT] No such mailbox");
		return;
	}
	length = strlen(from);
	if (!check_name(session, to))
		return;
	if (strcmp(from, to) == 0)
	{
		reply(session, "NO [ALREADYEXISTS] It is called so");
		return;
	}
	if (strcmp(from, "INBOX") != 0 && strncmp(from, to, length) == 0 && to[length] == '/')
	{
		reply(session, "NO [CANNOT] A mailbox cannot be put below itself");
		return;
	}
	if (!create_parents(session, to))
		return;
	if (strcmp(from, "INBOX") == 0)
		done = rename_inbox(session, to, id);
	else
	{
		db_queue(db, SQL_RENAME, "iss", session->user_id, from, to);
		done = db_run(db);
		gone = done && strcmp(PQcmdTuples(db->results[0]), "0") == 0;
	}
	if (!done)
		reply_failure(session);
	else if (gone)
		reply(session, "NO [NONEXISTENT] The mailbox has just been deleted");
	else
	{
		notify_own(session, NULL, to);	/* levels above, and what INBOX becomes */
		notify_own(session, from, to);
		reply(session, "OK RENAME completed");
	}
}

static void
subscribe(Session *session, Sql sql, const char *done)
{
	char	   *name = parse_name(session);

	if (name == NULL || !check_name(session, name))
		return;
	db_queue(&session->db, sql, "is", session->user_id, name);
	if (!db_run(&session->db))
	{
		reply_failure(session);
		return;
	}
	notify_own(session, name, name);
	reply(session, "OK %s completed", done);
}

void
cmd_subscribe(Session *session, bool uid)
{
	subscribe(session, SQL_SUBSCRIBE, "SUBSCRIBE");
}

void
cmd_unsubscribe(Session *session, bool uid)
{
	subscribe(session, SQL_UNSUBSCRIBE, "UNSUBSCRIBE");
}
