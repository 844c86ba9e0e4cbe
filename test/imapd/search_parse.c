/*-------------------------------------------------------------------------
 *
 * search_parse.c
 *	  The keys of SEARCH (RFC 3501 section 6.4.4, RFC 5032, RFC 7162).
 *
 *-------------------------------------------------------------------------
 */
#include "search.h"

/* So many keys a command may have. */
#define MAX_KEYS	1000

/* Keys by what follows their name */
typedef enum Follows
{
	NOTHING, TEXT, DATE, NUMBER, KEYWORD, FIELD
} Follows;

static const struct
{
	const char *word;
	KeyKind		kind;
	Follows		follows;
	const char *name;			/* flag or header */
	bool		negated;
}			words[] = {
	{"ALL", KEY_ALL, NOTHING},
	{"ANSWERED", KEY_FLAG, NOTHING, "\\Answered"},
	{"BCC", KEY_HEADER, TEXT, "Bcc"},
	{"BEFORE", KEY_BEFORE, DATE},
	{"BODY", KEY_BODY, TEXT},
	{"CC", KEY_HEADER, TEXT, "Cc"},
	{"DELETED", KEY_FLAG, NOTHING, "\\Deleted"},
	{"DRAFT", KEY_FLAG, NOTHING, "\\Draft"},
	{"FLAGGED", KEY_FLAG, NOTHING, "\\Flagged"},
	{"FROM", KEY_HEADER, TEXT, "From"},
	{"HEADER", KEY_HEADER, FIELD},
	{"KEYWORD", KEY_FLAG, KEYWORD},
	{"LARGER", KEY_LARGER, NUMBER},
	{"NEW", KEY_NONE, NOTHING},	/* recent ones; here no message is */
	{"OLD", KEY_ALL, NOTHING},
	{"OLDER", KEY_OLDER, NUMBER},
	{"ON", KEY_ON, DATE},
	{"RECENT", KEY_NONE, NOTHING},
	{"SEEN", KEY_FLAG, NOTHING, "\\Seen"},
	{"SENTBEFORE", KEY_SENT_BEFORE, DATE},
	{"SENTON", KEY_SENT_ON, DATE},
	{"SENTSINCE", KEY_SENT_SINCE, DATE},
	{"SINCE", KEY_SINCE, DATE},
	{"SMALLER", KEY_SMALLER, NUMBER},
	{"SUBJECT", KEY_HEADER, TEXT, "Subject"},
	{"TEXT", KEY_TEXT, TEXT},
	{"TO", KEY_HEADER, TEXT, "To"},
	{"UNANSWERED", KEY_FLAG, NOTHING, "\\Answered", true},
	{"UNDELETED", KEY_FLAG, NOTHING, "\\Deleted", true},
	{"UNDRAFT", KEY_FLAG, NOTHING, "\\Draft", true},
	{"UNFLAGGED", KEY_FLAG, NOTHING, "\\Flagged", true},
	{"UNKEYWORD", KEY_FLAG, KEYWORD, NULL, true},
	{"UNSEEN", KEY_FLAG, NOTHING, "\\Seen", true},
	{"YOUNGER", KEY_YOUNGER, NUMBER},
};

static Key *
make_key(Session *session, SearchCommand *search, KeyKind kind)
{
	Key		   *key = parse_keep(&session->parser, g_new0(Key, 1));

	key->kind = kind;
	if (session->parser.arena->len > 4 * MAX_KEYS)
		parse_fail(&session->parser, "Too many search keys");
	return key;
}

static Key *parse_key(Session *session, SearchCommand *search, int depth);

static Key *
add_key(Session *session, Key *key, Key *child)
{
	if (key->keys == NULL)
		key->keys = parse_array(&session->parser);
	if (child)
		g_ptr_array_add(key->keys, child);
	return child;
}

/* A string to be found */
static const char *
parse_text(Session *session)
{
	Parser	   *parser = &session->parser;
	char	   *text = parse_space(parser) ? parse_astring(parser) : NULL;

	if (text && !g_utf8_validate(text, -1, NULL))
	{
		parse_fail(parser, "A string that is not UTF-8");
		return NULL;
	}
	return text ? parse_keep(parser, search_fold(text)) : NULL;
}

/* MODSEQ ["/flags/\\Seen" all] n: the entry is parsed and ignored, as a message has one mod-sequence. */
static bool
parse_modseq(Parser *parser, Key *key)
{
	if (!parse_space(parser))
		return false;
	if (parse_at(parser, '"'))
	{
		const char *entry = parse_string(parser);

		if (entry == NULL || g_ascii_strncasecmp(entry, "/flags/", 7) != 0)
			return parse_fail(parser, "Unknown metadata item");
		if (!parse_space(parser))
			return false;
		if (!parse_skip_word(parser, "priv") && !parse_skip_word(parser, "shared") &&
			!parse_skip_word(parser, "all"))
			return parse_fail(parser, "priv, shared or all is missing");
		if (!parse_space(parser))
			return false;
	}
	return parse_number(parser, INT64_MAX, &key->number);
}

static bool
parse_argument(Session *session, Key *key, Follows follows)
{
	Parser	   *parser = &session->parser;
	int64_t		day;

	switch (follows)
	{
		case NOTHING:
			return true;
		case TEXT:
			return (key->text = parse_text(session)) != NULL;
		case DATE:
			if (!parse_space(parser) || !parse_date(parser, &day))
				return false;
			key->number = (uint64_t) day;
			return true;
		case NUMBER:
			if (!parse_space(parser) || !parse_number(parser, INT64_MAX, &key->number))
				return false;
			return key->number > 0 || key->kind == KEY_LARGER || key->kind == KEY_SMALLER ||
				parse_fail(parser, "An interval is at least a second");
		case KEYWORD:
			return parse_space(parser) && (key->name = parse_atom(parser)) != NULL;
		case FIELD:
			return parse_space(parser) && (key->name = parse_astring(parser)) != NULL &&
				(key->text = parse_text(session)) != NULL;
	}
	return false;
}

static Key *
parse_word(Session *session, SearchCommand *search)
{
	Parser	   *parser = &session->parser;

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (parse_skip_word(parser, words[i].word))
		{
			Key		   *key = make_key(session, search, words[i].kind);
			Key		   *not;

			key->name = words[i].name;
			if (!parse_argument(session, key, words[i].follows))
				return NULL;
			if (!words[i].negated)
				return key;
			not = make_key(session, search, KEY_NOT);
			add_key(session, not, key);
			return not;
		}
	parse_fail(parser, "Unknown search key");
	return NULL;
}

static Key *
parse_set_key(Session *session, SearchCommand *search, bool uid)
{
	Key		   *key = make_key(session, search, KEY_UIDS);

	key->set_uid = uid;
	key->set_text = parse_set(&session->parser, true);
	if (key->set_text == NULL)
		return NULL;
	if (!uid)
		search->numbers = true;
	g_ptr_array_add(search->sets, key);
	return key;
}

static Key *
parse_list(Session *session, SearchCommand *search, int depth)
{
	Parser	   *parser = &session->parser;
	Key		   *and = make_key(session, search, KEY_AND);

	do
		if (add_key(session, and, parse_key(session, search, depth + 1)) == NULL)
			return NULL;
	while (parse_char(parser, ' '));
	return and;
}

static Key *
parse_key(Session *session, SearchCommand *search, int depth)
{
	Parser	   *parser = &session->parser;
	Key		   *key = NULL;

	if (depth > MAX_DEPTH)
	{
		parse_fail(parser, "Search keys are nested too deep");
		return NULL;
	}
	if (parse_char(parser, '('))
	{
		key = parse_list(session, search, depth);
		if (key && !parse_char(parser, ')'))
		{
			parse_fail(parser, "A list of search keys does not end");
			return NULL;
		}
		return key;
	}
	if (parser->at < parser->end && (g_ascii_isdigit(*parser->at) || *parser->at == '*'))
		return parse_set_key(session, search, false);
	if (parse_skip_word(parser, "UID"))
		return parse_space(parser) ? parse_set_key(session, search, true) : NULL;
	if (parse_skip_word(parser, "MODSEQ"))
	{
		search->modseq = true;
		key = make_key(session, search, KEY_MODSEQ);
		return parse_modseq(parser, key) ? key : NULL;
	}
	if (parse_skip_word(parser, "NOT"))
	{
		key = make_key(session, search, KEY_NOT);
		return parse_space(parser) &&
			add_key(session, key, parse_key(session, search, depth + 1)) ? key : NULL;
	}
	if (parse_skip_word(parser, "OR"))
	{
		key = make_key(session, search, KEY_OR);
		return parse_space(parser) &&
			add_key(session, key, parse_key(session, search, depth + 1)) && parse_space(parser) &&
			add_key(session, key, parse_key(session, search, depth + 1)) ? key : NULL;
	}
	return parse_word(session, search);
}

/* RETURN (MIN MAX ALL COUNT), RFC 4731 */
static bool
parse_return(Parser *parser, SearchCommand *search)
{
	search->extended = true;
	if (!parse_space(parser) || !parse_char(parser, '('))
		return parse_fail(parser, "A list of return options is missing");
	while (!parse_char(parser, ')'))
	{
		if (parse_skip_word(parser, "MIN"))
			search->wanted |= RETURN_MIN;
		else if (parse_skip_word(parser, "MAX"))
			search->wanted |= RETURN_MAX;
		else if (parse_skip_word(parser, "ALL"))
			search->wanted |= RETURN_ALL;
		else if (parse_skip_word(parser, "COUNT"))
			search->wanted |= RETURN_COUNT;
		else
			return parse_fail(parser, "Unknown return option");
		if (!parse_char(parser, ' ') && !parse_at(parser, ')'))
			return parse_fail(parser, "Malformed return options");
	}
	if (search->wanted == 0)
		search->wanted = RETURN_ALL;
	return parse_space(parser);
}

/* The sets of its keys need freeing, whatever it returns. */
bool
search_parse(Session *session, SearchCommand *search)
{
	Parser	   *parser = &session->parser;
	char	   *charset;

	memset(search, 0, sizeof(*search));
	search->sets = parse_array(parser);
	if (!parse_space(parser))
		return false;
	if (parse_skip_word(parser, "RETURN") && !parse_return(parser, search))
		return false;
	if (parse_skip_word(parser, "CHARSET"))
	{
		if (!parse_space(parser) || (charset = parse_astring(parser)) == NULL || !parse_space(parser))
			return false;
		if (g_ascii_strcasecmp(charset, "UTF-8") != 0 && g_ascii_strcasecmp(charset, "US-ASCII") != 0)
		{
			search->bad_charset = true;
			return true;
		}
	}
	search->key = parse_list(session, search, 0);
	return search->key != NULL && parse_end(parser);
}
