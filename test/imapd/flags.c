/*-------------------------------------------------------------------------
 *
 * flags.c
 *	  Flags as the database has them, and as the client writes them.
 *
 * IMAP's keywords ignore case, and modseq compares flags by their type's
 * equality.  So a user's keywords are spelled as they were first, which the
 * table mw_keyword remembers and the session knows.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"

/* So many keywords a user can have. */
#define MAX_KEYWORDS	1000

/* Of so many messages a session remembers the flags. */
#define MAX_TOLD	20000

/* The flags of a message, as the client knows them since it was told last */
typedef struct FlagsTold
{
	int64_t		modseq;
	char		flags[];		/* as the database has them, with newlines */
} FlagsTold;

/* Takes the user's keywords out of what a query says, NULL if there are none. */
void
flags_read(Session *session, const char *keywords)
{
	char	   *safe = flags_safe(keywords ? keywords : "");
	char	  **words = g_strsplit(safe, " ", -1);

	g_ptr_array_set_size(session->keywords, 0);
	g_clear_pointer(&session->box.announced, g_free);
	for (char **word = words; *word; word++)
		if (**word != '\0')
			g_ptr_array_add(session->keywords, g_strdup(*word));
	g_strfreev(words);
	g_free(safe);
}

static const char *
find_spelling(Session *session, const char *keyword)
{
	for (guint i = 0; i < session->keywords->len; i++)
		if (g_ascii_strcasecmp(session->keywords->pdata[i], keyword) == 0)
			return session->keywords->pdata[i];
	return NULL;
}

/*
 * Spells the keywords among the flags as they were first.  New ones are
 * remembered if add, and the client is told of them.  False if the database
 * has failed; that has been replied then.
 */
bool
flags_spell(Session *session, GPtrArray *flags, bool add)
{
	Db		   *db = &session->db;
	GPtrArray  *unknown = parse_array(&session->parser);

	for (guint i = 0; i < flags->len; i++)
		if (*(char *) flags->pdata[i] != '\\' && !find_spelling(session, flags->pdata[i]))
			g_ptr_array_add(unknown, flags->pdata[i]);
	if (unknown->len > 0)
	{
		char	   *array = text_array(unknown);

		if (add && session->keywords->len + unknown->len > MAX_KEYWORDS)
		{
			g_free(array);
			reply(session, "NO [LIMIT] You have too many keywords");
			return false;
		}
		if (add)
			db_queue(db, SQL_ADD_KEYWORDS, "is", session->user_id, array);
		db_queue(db, SQL_KEYWORDS, "i", session->user_id);
		g_free(array);
		if (!db_run(db))
		{
			reply_failure(session);
			return false;
		}
		flags_read(session, db_text(db->results[add ? 1 : 0], 0, 0));
		if (add && session->state == STATE_SELECTED)
			flags_put(session);
	}
	for (guint i = 0; i < flags->len; i++)
	{
		const char *spelling = find_spelling(session, flags->pdata[i]);

		if (spelling)
			flags->pdata[i] = parse_keep(&session->parser, g_strdup(spelling));
	}
	return true;
}

/* FLAGS and PERMANENTFLAGS of the open mailbox */
void
flags_put(Session *session)
{
	static const char system[] = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

	put(session, "* FLAGS (%s", system);
	for (guint i = 0; i < session->keywords->len; i++)
		put(session, " %s", (char *) session->keywords->pdata[i]);
	put(session, ")\r\n");
	if (session->box.read_only)
	{
		put(session, "* OK [PERMANENTFLAGS ()] Nothing can be changed\r\n");
		return;
	}
	put(session, "* OK [PERMANENTFLAGS (%s", system);
	for (guint i = 0; i < session->keywords->len; i++)
		put(session, " %s", (char *) session->keywords->pdata[i]);
	put(session, " \\*)] Flags and keywords\r\n");
}

/*
 * A client hears of a keyword by FLAGS before a FETCH has it (RFC 3501 section
 * 7.2.6): here of those that others have made since the mailbox was opened.
 */
void
flags_announce(Session *session, const char *flags)
{
	char	   *safe;
	char	  **words;
	bool		some_new = false;

	/* Most messages have the flags of the one before. */
	if (session->box.announced && strcmp(session->box.announced, flags) == 0)
		return;
	g_free(session->box.announced);
	session->box.announced = g_strdup(flags);
	safe = flags_safe(flags);
	words = g_strsplit(safe, " ", -1);
	for (char **word = words; *word; word++)
		if (**word != '\0' && **word != '\\' && !find_spelling(session, *word))
		{
			g_ptr_array_add(session->keywords, g_strdup(*word));
			some_new = true;
		}
	if (some_new)
		flags_put(session);
	g_strfreev(words);
	g_free(safe);
}

static bool
is_safe(const char *flag, size_t length)
{
	for (size_t i = *flag == '\\' ? 1 : 0; i < length; i++)
		if (flag[i] <= ' ' || flag[i] >= 127 || strchr("(){%*\"\\]", flag[i]) != NULL)
			return false;
	return length > (*flag == '\\' ? 1 : 0);
}

/*
 * Flags as queries have them, parted by line feeds; but parted by blanks, and
 * without those that IMAP cannot say, for other programs may have written
 * anything.  The caller g_free()s it.
 */
char *
flags_safe(const char *flags)
{
	GString    *safe = g_string_new(NULL);

	while (*flags)
	{
		size_t		length = strcspn(flags, "\n");

		if (length > 0 && is_safe(flags, length))
		{
			if (safe->len > 0)
				g_string_append_c(safe, ' ');
			g_string_append_len(safe, flags, length);
		}
		flags += length;
		while (*flags == '\n')
			flags++;
	}
	return g_string_free(safe, false);
}

/* Is the flag one of the flags, as queries have them?  Without regard to case */
bool
flags_have(const char *flags, const char *flag)
{
	size_t		wanted = strlen(flag);

	while (*flags)
	{
		size_t		length = strcspn(flags, "\n");

		if (length == wanted && g_ascii_strncasecmp(flags, flag, length) == 0)
			return true;
		flags += length;
		while (*flags == '\n')
			flags++;
	}
	return false;
}

static const FlagsTold *
find_told(const Session *session, int64_t uid)
{
	GHashTable *told = session->box.flags;

	return told ? g_hash_table_lookup(told, GUINT_TO_POINTER((guint) uid)) : NULL;
}

/* The client knows that the message has these flags, at that mod-sequence. */
void
flags_told(Session *session, int64_t uid, int64_t modseq, const char *flags)
{
	const FlagsTold *old = find_told(session, uid);
	size_t		size = strlen(flags) + 1;
	FlagsTold  *new;

	if (old && old->modseq > modseq)
		return;
	if (session->box.flags == NULL)
		session->box.flags = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	if (g_hash_table_size(session->box.flags) >= MAX_TOLD)
		g_hash_table_remove_all(session->box.flags);
	new = g_malloc(sizeof(FlagsTold) + size);
	new->modseq = modseq;
	memcpy(new->flags, flags, size);
	g_hash_table_replace(session->box.flags, GUINT_TO_POINTER((guint) uid), new);
}

/* Does the client know, and did it at that mod-sequence, unless they have changed? */
bool
flags_are_known(const Session *session, int64_t uid, int64_t modseq)
{
	const FlagsTold *told = find_told(session, uid);

	return told && told->modseq <= modseq;
}

/* Has the message each of these flags now, or has not, as the client knows? */
bool
flags_are_as_told(const Session *session, int64_t uid, const char *now, const GPtrArray *flags)
{
	const FlagsTold *told = find_told(session, uid);

	for (guint i = 0; i < flags->len; i++)
		if (flags_have(told->flags, flags->pdata[i]) != flags_have(now, flags->pdata[i]))
			return false;
	return true;
}

static gboolean
is_among(gpointer uid, gpointer told, gpointer uids)
{
	return uids_contain(uids, GPOINTER_TO_UINT(uid));
}

/* Nobody knows any more what the client has been told of these. */
void
flags_forget_some(Session *session, const Uids *uids)
{
	if (session->box.flags)
		g_hash_table_foreach_remove(session->box.flags, is_among, (gpointer) uids);
}

/* The mailbox is closed. */
void
flags_forget(Session *session)
{
	g_clear_pointer(&session->box.announced, g_free);
	g_clear_pointer(&session->box.flags, g_hash_table_unref);
}
