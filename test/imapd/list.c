/*-------------------------------------------------------------------------
 *
 * list.c
 *	  LIST with the options of RFC 5258, 5819 and 6154, and LSUB.
 *
 * The user's mailboxes and subscriptions are read whole, and chosen from
 * here.  What lies above a mailbox without being one is listed too, as
 * \NonExistent; so is a name that is subscribed to without being one.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"

typedef struct ListCommand
{
	bool		subscribed;		/* selection options */
	bool		special_use;
	bool		recursive;
	bool		return_subscribed;	/* return options */
	bool		return_children;
	bool		return_special_use;
	unsigned	status;
	bool		extended;		/* were there any options? */
	bool		lsub;
	GPtrArray  *patterns;
} ListCommand;

/* A name that might be listed */
typedef struct Entry
{
	const char *name;
	const char *special_use;	/* or NULL */
	bool		exists;
	bool		subscribed;
	bool		has_children;
	bool		child_subscribed;	/* somewhere below */
	bool		child_special;
	bool		listed;			/* does it match a pattern? */
} Entry;

/*
 * '*' is anything, '%' anything but the separator (RFC 3501 section 6.3.8).
 * Up to fold, where INBOX ends, the name matches in any case.
 */
static bool
matches(const char *pattern, const char *name, const char *fold, int *budget)
{
	if (--*budget < 0)
		return false;
	for (; *pattern; pattern++, name++)
	{
		if (*pattern == '*' || *pattern == '%')
		{
			while (pattern[1] == *pattern)
				pattern++;
			for (;; name++)
			{
				if (matches(pattern + 1, name, fold, budget))
					return true;
				if (*name == '\0' || (*pattern == '%' && *name == '/'))
					return false;
			}
		}
		if (*pattern != *name && !(name < fold && g_ascii_toupper(*pattern) == *name))
			return false;
	}
	return *name == '\0';
}

static bool
is_listed(const ListCommand *list, const char *name)
{
	bool		inbox = strncmp(name, "INBOX", 5) == 0 && (name[5] == '\0' || name[5] == '/');

	for (guint i = 0; i < list->patterns->len; i++)
	{
		/* What would take longer is an attack. */
		int			budget = 100000;

		if (matches(list->patterns->pdata[i], name, inbox ? name + 5 : name, &budget))
			return true;
	}
	return false;
}

static Entry *
find_entry(GHashTable *by_name, GPtrArray *entries, const char *name)
{
	Entry	   *entry = g_hash_table_lookup(by_name, name);

	if (entry == NULL)
	{
		entry = g_new0(Entry, 1);
		entry->name = name;
		g_ptr_array_add(entries, entry);
		g_hash_table_insert(by_name, (char *) name, entry);
	}
	return entry;
}

static int
compare_entries(const void *a, const void *b)
{
	return strcmp((*(Entry *const *) a)->name, (*(Entry *const *) b)->name);
}

/* All names, and all above them, by name.  The caller unrefs the array. */
static GPtrArray *
make_entries(Session *session, PGresult *result)
{
	GPtrArray  *entries = g_ptr_array_new_with_free_func(g_free);
	GHashTable *by_name = g_hash_table_new(g_str_hash, g_str_equal);

	for (int row = 0; row < PQntuples(result); row++)
	{
		const char *name = db_text(result, row, 0);
		Entry	   *entry = find_entry(by_name, entries, name);

		entry->exists = *db_text(result, row, 1) == 't';
		entry->special_use = db_text(result, row, 2);
		entry->subscribed = *db_text(result, row, 3) == 't';
		for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
		{
			char	   *above = parse_keep(&session->parser, g_strndup(name, slash - name));
			Entry	   *parent = find_entry(by_name, entries, above);

			parent->has_children |= entry->exists;
			parent->child_subscribed |= entry->subscribed;
			parent->child_special |= entry->special_use != NULL;
		}
	}
	g_hash_table_unref(by_name);
	g_ptr_array_sort(entries, compare_entries);
	return entries;
}

/* Is the entry itself, without regard to patterns, what is asked for? */
static bool
is_selected(const ListCommand *list, const Entry *entry)
{
	if (list->subscribed && !entry->subscribed)
		return false;
	if (list->special_use && entry->special_use == NULL)
		return false;
	return entry->exists || list->subscribed || (entry->has_children && !list->special_use);
}

/* Is something below worth telling that does not tell itself? (RFC 5258 section 3.5) */
static bool
has_hidden_child(const ListCommand *list, const GPtrArray *entries, const Entry *entry)
{
	size_t		length = strlen(entry->name);

	for (guint i = 0; i < entries->len; i++)
	{
		const Entry *child = entries->pdata[i];

		if (strncmp(child->name, entry->name, length) == 0 && child->name[length] == '/' &&
			!child->listed && is_selected(list, child))
			return true;
	}
	return false;
}

/* old_name: before it was renamed, or "" */
static void
put_entry(Session *session, const ListCommand *list, const Entry *entry, bool childinfo, const char *old_name)
{
	put(session, "* %s (", list->lsub ? "LSUB" : "LIST");
	if (list->lsub && (!entry->subscribed || !entry->exists))
		put(session, "\\Noselect");
	else if (!list->lsub)
	{
		if (!entry->exists)
			put(session, "%s ", list->extended ? "\\NonExistent" : "\\Noselect");
		put(session, entry->has_children ? "\\HasChildren" : "\\HasNoChildren");
		if (entry->subscribed && (list->subscribed || list->return_subscribed))
			put(session, " \\Subscribed");
		if (entry->special_use)
			put(session, " %s", entry->special_use);
	}
	put(session, ") \"/\" ");
	put_mailbox(session, entry->name);
	if (childinfo)
		put(session, " (\"CHILDINFO\" (\"%s\"))", list->subscribed ? "SUBSCRIBED" : "SPECIAL-USE");
	if (*old_name)
	{
		put(session, " (\"OLDNAME\" (");
		put_mailbox(session, old_name);
		put(session, "))");
	}
	put(session, "\r\n");
}

/* LIST responses of NOTIFY: of these names, as keys; the value is the name before a RENAME, or "" (RFC 5465 section 5.4) */
void
list_put_names(Session *session, PGresult *rows, GHashTable *names)
{
	ListCommand list = {.extended = true, .return_subscribed = true};
	GPtrArray  *entries = make_entries(session, rows);
	GList	   *sorted = g_list_sort(g_hash_table_get_keys(names), (GCompareFunc) strcmp);

	for (GList *name = sorted; name; name = name->next)
	{
		Entry		gone = {.name = name->data};
		const Entry *entry = &gone;

		for (guint i = 0; i < entries->len; i++)
			if (strcmp(((Entry *) entries->pdata[i])->name, name->data) == 0)
				entry = entries->pdata[i];
		put_entry(session, &list, entry, false, g_hash_table_lookup(names, name->data));
	}
	g_list_free(sorted);
	g_ptr_array_unref(entries);
}

static bool
run_list(Session *session, const ListCommand *list)
{
	Db		   *db = &session->db;
	GPtrArray  *chosen = parse_array(&session->parser);
	GPtrArray  *entries;
	PGresult   *result;
	bool		done;

	db_queue(db, SQL_LIST, "i", session->user_id);
	if (!db_run(db))
		return false;
	result = db_take(db, 0);
	entries = make_entries(session, result);
	for (guint i = 0; i < entries->len; i++)
	{
		Entry	   *entry = entries->pdata[i];

		entry->listed = is_listed(list, entry->name);
	}
	for (guint i = 0; i < entries->len; i++)
	{
		const Entry *entry = entries->pdata[i];
		bool		selected = is_selected(list, entry);
		bool		child = list->subscribed ? entry->child_subscribed : entry->child_special;

		/*
		 * A parent is worth telling for what is below it: in LSUB if the
		 * pattern stops at it, as % does; otherwise if RECURSIVEMATCH says so.
		 */
		if (!entry->listed ||
			!(selected || (child && (list->lsub || (list->recursive && has_hidden_child(list, entries, entry))))))
			continue;
		put_entry(session, list, entry, list->recursive && child, "");
		if (entry->exists && selected)
			g_ptr_array_add(chosen, (char *) entry->name);
	}
	/* The list stands also where STATUS is not to be had (RFC 5819 section 2). */
	done = list->status == 0 || chosen->len == 0 ||
		status_put(session, chosen, list->status) >= 0 || !db_is_lost(db);
	g_ptr_array_unref(entries);
	PQclear(result);
	return done;
}

static bool
parse_selection(Parser *parser, ListCommand *list)
{
	list->extended = true;
	while (!parse_char(parser, ')'))
	{
		if (parse_skip_word(parser, "SUBSCRIBED"))
			list->subscribed = true;
		else if (parse_skip_word(parser, "RECURSIVEMATCH"))
			list->recursive = true;
		else if (parse_skip_word(parser, "SPECIAL-USE"))
			list->special_use = true;
		else if (!parse_skip_word(parser, "REMOTE"))
			return parse_fail(parser, "Unknown selection option");
		if (!parse_char(parser, ' ') && !parse_at(parser, ')'))
			return parse_fail(parser, "Malformed selection options");
	}
	if (list->recursive && !list->subscribed && !list->special_use)
		return parse_fail(parser, "RECURSIVEMATCH needs another option");
	return parse_space(parser);
}

static bool
parse_return(Session *session, ListCommand *list)
{
	Parser	   *parser = &session->parser;

	if (!parse_skip_word(parser, "RETURN") || !parse_space(parser) || !parse_char(parser, '('))
		return parse_fail(parser, "RETURN and a list of options is missing");
	list->extended = true;
	while (!parse_char(parser, ')'))
	{
		if (parse_skip_word(parser, "SUBSCRIBED"))
			list->return_subscribed = true;
		else if (parse_skip_word(parser, "CHILDREN"))
			list->return_children = true;
		else if (parse_skip_word(parser, "SPECIAL-USE"))
			list->return_special_use = true;
		else if (parse_skip_word(parser, "STATUS"))
		{
			if (!parse_space(parser) || !status_parse(session, &list->status))
				return false;
		}
		else
			return parse_fail(parser, "Unknown return option");
		if (!parse_char(parser, ' ') && !parse_at(parser, ')'))
			return parse_fail(parser, "Malformed return options");
	}
	return true;
}

/* One pattern, below the reference */
static bool
parse_pattern(Parser *parser, ListCommand *list, const char *reference)
{
	char	   *pattern = parse_list_mailbox(parser);
	char	   *full;

	if (pattern == NULL)
		return false;
	if (strlen(pattern) > MAX_NAME || strlen(reference) > MAX_NAME || list->patterns->len == 100)
		return parse_fail(parser, "A pattern too long, or too many");
	if (*pattern == '\0' && list->extended)
		return true;
	/* An empty one asks for the separator, whatever the reference. */
	full = parse_keep(parser, g_strconcat(*pattern == '/' || *pattern == '\0' ? "" : reference, pattern, NULL));
	g_ptr_array_add(list->patterns, full);
	return true;
}

static void
list_or_lsub(Session *session, bool lsub)
{
	Parser	   *parser = &session->parser;
	ListCommand list = {.lsub = lsub, .subscribed = lsub};
	char	   *reference;

	list.patterns = parse_array(parser);
	if (!parse_space(parser) ||
		(!lsub && parse_char(parser, '(') && !parse_selection(parser, &list)) ||
		(reference = parse_astring(parser)) == NULL || !parse_space(parser))
		return;
	if (!lsub && parse_char(parser, '('))
	{
		list.extended = true;
		do
			if (!parse_pattern(parser, &list, reference))
				return;
		while (parse_char(parser, ' '));
		if (!parse_char(parser, ')'))
		{
			parse_fail(parser, "A list of patterns does not end");
			return;
		}
	}
	else if (!parse_pattern(parser, &list, reference))
		return;
	if (!lsub && parse_char(parser, ' ') && !parse_return(session, &list))
		return;
	if (!parse_end(parser))
		return;
	if (!list.extended && list.patterns->len == 1 && *(char *) list.patterns->pdata[0] == '\0')
		put(session, "* %s (\\Noselect) \"/\" \"\"\r\n", lsub ? "LSUB" : "LIST");
	else if (!run_list(session, &list))
	{
		reply_failure(session);
		return;
	}
	reply(session, "OK %s completed", lsub ? "LSUB" : "LIST");
}

void
cmd_list(Session *session, bool uid)
{
	list_or_lsub(session, false);
}

void
cmd_lsub(Session *session, bool uid)
{
	list_or_lsub(session, true);
}
