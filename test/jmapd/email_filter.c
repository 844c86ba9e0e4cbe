/*-------------------------------------------------------------------------
 *
 * email_filter.c
 *	  The filter of Email/query (RFC 8621 section 4.4.1).
 *
 *	  It is judged here, Email by Email.  Only what is looked for in the text of
 *	  messages is asked of the database: once for each such condition, before.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "jmapd.h"

/* How deep operators may be nested */
#define MAX_DEPTH	50

typedef enum Kind
{
	KIND_MAILBOX, KIND_MAILBOXES, KIND_TIME, KIND_SIZE, KIND_KEYWORD, KIND_THREAD_KEYWORD, KIND_BOOL,
	KIND_TEXT, KIND_HEADER
} Kind;

static const struct
{
	const char *name;
	Kind		kind;
}			conditions[] = {
	{"inMailbox", KIND_MAILBOX}, {"inMailboxOtherThan", KIND_MAILBOXES}, {"before", KIND_TIME},
	{"after", KIND_TIME}, {"minSize", KIND_SIZE}, {"maxSize", KIND_SIZE},
	{"allInThreadHaveKeyword", KIND_THREAD_KEYWORD}, {"someInThreadHaveKeyword", KIND_THREAD_KEYWORD},
	{"noneInThreadHaveKeyword", KIND_THREAD_KEYWORD}, {"hasKeyword", KIND_KEYWORD},
	{"notKeyword", KIND_KEYWORD}, {"hasAttachment", KIND_BOOL}, {"text", KIND_TEXT}, {"from", KIND_TEXT},
	{"to", KIND_TEXT}, {"cc", KIND_TEXT}, {"bcc", KIND_TEXT}, {"subject", KIND_TEXT}, {"body", KIND_TEXT},
	{"header", KIND_HEADER},
};

static int
find_condition(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(conditions); i++)
		if (strcmp(conditions[i].name, name) == 0)
			return i;
	return -1;
}

/* --- is it one? ------------------------------------------------------------------------------- */

static bool
right_value(Kind kind, const json_t *value)
{
	int64_t		time;

	switch (kind)
	{
		case KIND_MAILBOX:
			return value_is(value, ARG_ID);
		case KIND_MAILBOXES:
			return value_is(value, ARG_IDS);
		case KIND_TIME:
			return time_parse(json_string_value(value), true, &time);
		case KIND_SIZE:
			return value_is(value, ARG_UINT);
		case KIND_KEYWORD:
		case KIND_THREAD_KEYWORD:
			return json_is_string(value) && keyword_is_valid(json_string_value(value));
		case KIND_BOOL:
			return json_is_boolean(value);
		case KIND_TEXT:
			return json_is_string(value);
		case KIND_HEADER:
			return value_is(value, ARG_STRINGS) && (json_array_size(value) == 1 || json_array_size(value) == 2) &&
				*json_string_value(json_array_get(value, 0)) != '\0';
	}
	return false;
}

static bool
check_condition(Call *call, Query *query, json_t *condition, bool all)
{
	const char *name;
	json_t	   *value;

	json_object_foreach(condition, name, value)
	{
		int			i = find_condition(name);

		if (i < 0)
			call_fail(call, "unsupportedFilter", "There is no condition %s", name);
		else if (!right_value(conditions[i].kind, value))
			call_fail(call, "invalidArguments", "The value of the condition %s is none for it", name);
		if (call->error)
			return false;
		query->needs_facts |= conditions[i].kind == KIND_TEXT || conditions[i].kind == KIND_HEADER ||
			conditions[i].kind == KIND_BOOL;
		query->needs_threads |= conditions[i].kind == KIND_THREAD_KEYWORD;
		if (all && conditions[i].kind == KIND_MAILBOX)
		{
			query->mailbox = id_resolve(call, 'M', json_string_value(value));
			/* One that there is not: nothing is in it. */
			if (query->mailbox == 0)
				query->mailbox = -1;
		}
	}
	return true;
}

static bool
check_filter(Call *call, Query *query, json_t *filter, bool all, int depth)
{
	const json_t *operator = json_object_get(filter, "operator");
	const char *text = json_string_value(operator);
	size_t		i;
	json_t	   *condition;

	if (operator == NULL)
		return check_condition(call, query, filter, all);
	if (!json_is_array(json_object_get(filter, "conditions")) || json_object_size(filter) != 2 ||
		depth > MAX_DEPTH || !text ||
		(strcmp(text, "AND") != 0 && strcmp(text, "OR") != 0 && strcmp(text, "NOT") != 0))
	{
		call_fail(call, "invalidArguments", "A filter operator is malformed");
		return false;
	}
	json_array_foreach(json_object_get(filter, "conditions"), i, condition)
	{
		if (!json_is_object(condition))
			call_fail(call, "invalidArguments", "A filter is an object");
		if (call->error || !check_filter(call, query, condition, all && strcmp(text, "AND") == 0, depth + 1))
			return false;
	}
	return true;
}

/* Notes what the filter needs; if all of it must hold, also a mailbox that all must be in.  False after call_fail() */
bool
filter_check(Call *call, Query *query, json_t *filter, bool all)
{
	return filter == NULL || check_filter(call, query, filter, all, 0);
}

/* --- what is in texts --------------------------------------------------------------------------- */

/* As a pattern of LIKE that finds it anywhere */
static char *
pattern(const char *text, size_t length)
{
	GString    *like = g_string_new("%");

	for (size_t i = 0; i < length; i++)
	{
		if (strchr("%_\\", text[i]))
			g_string_append_c(like, '\\');
		g_string_append_c(like, text[i]);
	}
	g_string_append_c(like, '%');
	return g_string_free(like, false);
}

/* Words, and phrases in quotes, each as a pattern, in an array literal */
static char *
patterns(const char *text)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	while (*text)
	{
		char		quote = *text == '"' || *text == '\'' ? *text : '\0';
		const char *end = quote ? strchr(text + 1, quote) : NULL;
		size_t		length;

		if (end)
			text++;
		length = end ? (size_t) (end - text) : strcspn(text, " \t\r\n");
		if (length > 0)
			g_ptr_array_add(words, pattern(text, length));
		text += length + (end ? 1 : 0);
		text += strspn(text, " \t\r\n");
	}
	return text_array(words);
}

static GHashTable *
id_set(const PGresult *rows)
{
	GHashTable *set = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

	for (int row = 0; row < PQntuples(rows); row++)
	{
		int64_t		id = db_int(rows, row, 0);

		g_hash_table_add(set, g_memdup2(&id, sizeof(id)));
	}
	return set;
}

/* Asks for the texts of a condition, whose value is the key of the set. */
static bool
ask(Call *call, Query *query, const char *name, const json_t *value, Kind kind)
{
	Db		   *db = call->db;

	if (kind == KIND_TEXT)
	{
		g_autofree char *words = patterns(json_string_value(value));

		db_queue(db, SQL_CONTAIN, "iss", call->user->id, name, words);
	}
	else
	{
		const char *text = json_string_value(json_array_get(value, 1));
		g_autofree char *like = text ? pattern(text, strlen(text)) : NULL;

		db_queue(db, SQL_HAVE_HEADER, "iss", call->user->id, json_string_value(json_array_get(value, 0)), like);
	}
	if (!db_run(db))
		return false;
	g_hash_table_insert(query->sets, (void *) value, id_set(db->results[0]));
	return true;
}

/* Asks for all texts of the filter.  False if the database has failed. */
bool
filter_texts(Call *call, Query *query, const json_t *filter)
{
	size_t		i;
	const char *name;
	json_t	   *value;

	if (json_object_get(filter, "operator"))
	{
		json_array_foreach(json_object_get(filter, "conditions"), i, value)
		{
			if (!filter_texts(call, query, value))
				return false;
		}
		return true;
	}
	json_object_foreach((json_t *) filter, name, value)
	{
		Kind		kind = conditions[find_condition(name)].kind;

		if ((kind == KIND_TEXT || kind == KIND_HEADER) && !ask(call, query, name, value, kind))
			return false;
	}
	return true;
}

/* --- does it match? -------------------------------------------------------------------------------- */

static bool
is_in_mailbox(const Email *email, int64_t mailbox)
{
	for (guint i = 0; i < email->mailboxes->len; i++)
		if (g_array_index(email->mailboxes, int64_t, i) == mailbox)
			return true;
	return false;
}

static bool
is_in_other(const Email *email, const json_t *mailboxes)
{
	for (guint i = 0; i < email->mailboxes->len; i++)
	{
		bool		named = false;
		size_t		k;
		json_t	   *id;

		json_array_foreach((json_t *) mailboxes, k, id)
		{
			named |= id_parse('M', json_string_value(id)) == g_array_index(email->mailboxes, int64_t, i);
		}
		if (!named)
			return true;
	}
	return false;
}

/* Have all of the Email's thread the keyword, or has some? */
bool
thread_has(const Query *query, const Email *email, const char *keyword, bool all)
{
	const GPtrArray *thread = g_hash_table_lookup(query->threads, &email->thread);

	for (guint i = 0; thread && i < thread->len; i++)
		if (email_has(thread->pdata[i], keyword) != all)
			return !all;
	return all;
}

static bool
meets(const Query *query, const char *name, const json_t *value, const Email *email)
{
	Kind		kind = conditions[find_condition(name)].kind;
	const char *text = json_string_value(value);
	int64_t		time = 0;

	switch (kind)
	{
		case KIND_MAILBOX:
			return is_in_mailbox(email, id_parse('M', text));
		case KIND_MAILBOXES:
			return is_in_other(email, value);
		case KIND_TIME:
			time_parse(text, true, &time);
			return strcmp(name, "before") == 0 ? email->received < time : email->received >= time;
		case KIND_SIZE:
			return strcmp(name, "minSize") == 0 ? email->size >= json_integer_value(value) :
				email->size < json_integer_value(value);
		case KIND_KEYWORD:
			return email_has(email, text) == (strcmp(name, "hasKeyword") == 0);
		case KIND_THREAD_KEYWORD:
			if (strcmp(name, "noneInThreadHaveKeyword") == 0)
				return !thread_has(query, email, text, false);
			return thread_has(query, email, text, strcmp(name, "allInThreadHaveKeyword") == 0);
		case KIND_BOOL:
			return email->attachment == json_is_true(value);
		case KIND_TEXT:
		case KIND_HEADER:
			return g_hash_table_contains(g_hash_table_lookup(query->sets, value), &email->id);
	}
	return false;
}

bool
filter_matches(const Query *query, const json_t *filter, const Email *email)
{
	const char *operator = json_string_value(json_object_get(filter, "operator"));
	bool		and = operator && strcmp(operator, "AND") == 0;
	bool		not = operator && strcmp(operator, "NOT") == 0;
	size_t		i;
	const char *name;
	json_t	   *value;

	if (operator == NULL)
	{
		json_object_foreach((json_t *) filter, name, value)
		{
			if (!meets(query, name, value, email))
				return false;
		}
		return true;
	}
	/* NOT: none of them (RFC 8620 section 5.5) */
	json_array_foreach(json_object_get(filter, "conditions"), i, value)
	{
		if (filter_matches(query, value, email) != and)
			return !and && !not;
	}
	return and || not;
}
