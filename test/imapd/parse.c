/*-------------------------------------------------------------------------
 *
 * parse.c
 *	  The words of a command (RFC 3501 section 9).
 *
 * Functions return false or NULL where the grammar is not met, and the first
 * of them says why.  What they make belongs to the parser's arena.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"

void *
parse_keep(Parser *parser, void *memory)
{
	g_ptr_array_add(parser->arena, memory);
	return memory;
}

/* An array of things that are kept elsewhere */
GPtrArray *
parse_array(Parser *parser)
{
	GPtrArray  *array = g_ptr_array_new();

	g_ptr_array_add(parser->arrays, array);
	return array;
}

/* Another text is parsed meanwhile, with an arena of its own: parse_outside() goes back to what is returned. */
Parser
parse_inside(Session *session, const char *text)
{
	Parser		outer = session->parser;
	Parser	   *parser = &session->parser;

	parser->at = text;
	parser->end = text + strlen(text);
	parser->error = NULL;
	parser->arena = g_ptr_array_new_with_free_func(g_free);
	parser->arrays = g_ptr_array_new_with_free_func((GDestroyNotify) g_ptr_array_unref);
	return outer;
}

void
parse_outside(Session *session, Parser outer)
{
	g_ptr_array_unref(session->parser.arrays);
	g_ptr_array_unref(session->parser.arena);
	session->parser = outer;
}

bool
parse_fail(Parser *parser, const char *error)
{
	if (parser->error == NULL)
		parser->error = error;
	return false;
}

bool
parse_at(const Parser *parser, char c)
{
	return parser->at < parser->end && *parser->at == c;
}

/* Steps over the character if it is there. */
bool
parse_char(Parser *parser, char c)
{
	if (!parse_at(parser, c))
		return false;
	parser->at++;
	return true;
}

bool
parse_space(Parser *parser)
{
	return parse_char(parser, ' ') || parse_fail(parser, "Missing argument");
}

bool
parse_end(Parser *parser)
{
	return parser->error == NULL &&
		(parser->at == parser->end || parse_fail(parser, "Unexpected text at the end"));
}

/* Steps over a word, in any case, if it is there and ends there. */
bool
parse_skip_word(Parser *parser, const char *word)
{
	size_t		length = strlen(word);

	if ((size_t) (parser->end - parser->at) < length ||
		g_ascii_strncasecmp(parser->at, word, length) != 0)
		return false;
	if (parser->at + length < parser->end &&
		(g_ascii_isalnum(parser->at[length]) || strchr("-_.", parser->at[length]) != NULL))
		return false;
	parser->at += length;
	return true;
}

static bool
is_atom_char(char c)
{
	return c > ' ' && c < 127 && strchr("(){%*\"\\]", c) == NULL;
}

static char *
parse_run(Parser *parser, bool (*belongs) (char), const char *error)
{
	const char *begin = parser->at;

	while (parser->at < parser->end && belongs(*parser->at))
		parser->at++;
	if (parser->at == begin)
	{
		parse_fail(parser, error);
		return NULL;
	}
	return parse_keep(parser, g_strndup(begin, parser->at - begin));
}

char *
parse_atom(Parser *parser)
{
	return parse_run(parser, is_atom_char, "An atom is missing");
}

static char *
parse_quoted(Parser *parser)
{
	GString    *text = g_string_new(NULL);

	parser->at++;
	while (parser->at < parser->end && *parser->at != '"')
	{
		if (*parser->at == '\r' || *parser->at == '\n')
			break;
		if (*parser->at == '\\')
		{
			parser->at++;
			if (!parse_at(parser, '"') && !parse_at(parser, '\\'))
				break;
		}
		g_string_append_c(text, *parser->at++);
	}
	if (!parse_char(parser, '"'))
	{
		g_string_free(text, true);
		parse_fail(parser, "A quoted string does not end");
		return NULL;
	}
	return parse_keep(parser, g_string_free(text, false));
}

/* {size} CRLF octets, where input_command() has put them */
bool
parse_literal(Parser *parser, const char **data, size_t *length)
{
	uint64_t	size = 0;

	if (!parse_char(parser, '{'))
		return parse_fail(parser, "A literal is missing");
	while (parser->at < parser->end && g_ascii_isdigit(*parser->at) && size < G_MAXUINT32)
		size = size * 10 + (*parser->at++ - '0');
	parse_char(parser, '+');
	if (!parse_char(parser, '}') || !parse_char(parser, '\r') || !parse_char(parser, '\n') ||
		(uint64_t) (parser->end - parser->at) < size)
		return parse_fail(parser, "A malformed literal");
	*data = parser->at;
	*length = size;
	parser->at += size;
	return true;
}

char *
parse_string(Parser *parser)
{
	const char *data;
	size_t		length;

	if (parse_at(parser, '"'))
		return parse_quoted(parser);
	if (!parse_literal(parser, &data, &length))
		return NULL;
	if (memchr(data, '\0', length) != NULL)
	{
		parse_fail(parser, "A NUL in a literal");
		return NULL;
	}
	return parse_keep(parser, g_strndup(data, length));
}

static bool
is_astring_char(char c)
{
	return is_atom_char(c) || c == ']';
}

char *
parse_astring(Parser *parser)
{
	if (parse_at(parser, '"') || parse_at(parser, '{'))
		return parse_string(parser);
	return parse_run(parser, is_astring_char, "A string is missing");
}

static bool
is_list_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

char *
parse_list_mailbox(Parser *parser)
{
	if (parse_at(parser, '"') || parse_at(parser, '{'))
		return parse_string(parser);
	return parse_run(parser, is_list_char, "A pattern is missing");
}

/* A mailbox name.  INBOX is INBOX in any case. */
char *
parse_mailbox(Parser *parser)
{
	char	   *name = parse_astring(parser);

	if (name == NULL)
		return NULL;
	if (g_ascii_strcasecmp(name, "INBOX") == 0 || g_ascii_strncasecmp(name, "INBOX/", 6) == 0)
		memcpy(name, "INBOX", 5);
	return name;
}

bool
parse_number(Parser *parser, uint64_t max, uint64_t *number)
{
	const char *begin = parser->at;

	*number = 0;
	while (parser->at < parser->end && g_ascii_isdigit(*parser->at))
	{
		uint64_t	digit = *parser->at++ - '0';

		if (digit > max || *number > (max - digit) / 10)
			return parse_fail(parser, "A number is too large");
		*number = *number * 10 + digit;
	}
	return parser->at > begin || parse_fail(parser, "A number is missing");
}

static bool
is_set_char(char c)
{
	return g_ascii_isdigit(c) || c == ',' || c == ':' || c == '*';
}

/* A sequence-set, checked but left as text: what '*' is, is only known later. */
char *
parse_set(Parser *parser, bool star)
{
	char	   *text = parse_run(parser, is_set_char, "A set of messages is missing");
	Uids		set;

	if (text == NULL)
		return NULL;
	if (!uids_parse(&set, text, star ? 1 : UIDSET_NO_STAR))
	{
		parse_fail(parser, "A malformed set of messages");
		return NULL;
	}
	uidset_builder_free(&set);
	return text;
}

/* System flags in one spelling; NULL if there is no such flag that a client may set */
static const char *
system_flag(const char *flag)
{
	static const char *const flags[] = {"\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"};

	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
		if (g_ascii_strcasecmp(flag, flags[i]) == 0)
			return flags[i];
	return NULL;
}

static bool
parse_flag(Parser *parser, GPtrArray *flags)
{
	bool		system = parse_char(parser, '\\');
	char	   *flag = parse_atom(parser);

	if (flag == NULL)
		return false;
	if (system)
	{
		const char *name = system_flag(parse_keep(parser, g_strconcat("\\", flag, NULL)));

		if (name == NULL)
			return parse_fail(parser, "No such system flag can be set");
		flag = (char *) name;
	}
	else if (strlen(flag) > 100)
		return parse_fail(parser, "A keyword is too long");
	for (guint i = 0; i < flags->len; i++)
		if (g_ascii_strcasecmp(flags->pdata[i], flag) == 0)
			return true;
	g_ptr_array_add(flags, flag);
	return flags->len <= 100 || parse_fail(parser, "Too many flags");
}

/* Flags, none twice.  Without parentheses there is at least one (RFC 3501, store-att-flags). */
GPtrArray *
parse_flags(Parser *parser, bool parentheses)
{
	GPtrArray  *flags = parse_array(parser);
	bool		open;

	open = parse_char(parser, '(');
	if (parentheses && !open)
	{
		parse_fail(parser, "A list of flags is missing");
		return NULL;
	}
	if (open && parse_char(parser, ')'))
		return flags;
	do
		if (!parse_flag(parser, flags))
			return NULL;
	while (parse_char(parser, ' '));
	if (open && !parse_char(parser, ')'))
	{
		parse_fail(parser, "A list of flags does not end");
		return NULL;
	}
	return flags;
}

static int
month_of(const char *name)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (g_ascii_strncasecmp(name, months + 3 * i, 3) == 0)
			return i + 1;
	return 0;
}

/* 1-Jul-2026, in quotes or not; day is how many days after 1-Jan-1970 */
bool
parse_date(Parser *parser, int64_t *day)
{
	bool		quoted = parse_char(parser, '"');
	uint64_t	mday;
	uint64_t	year;
	int			month;
	GDate		date;

	if (!parse_number(parser, 31, &mday))
		return false;
	if (!parse_char(parser, '-') || parser->end - parser->at < 4 ||
		(month = month_of(parser->at)) == 0)
		return parse_fail(parser, "A malformed date");
	parser->at += 3;
	if (!parse_char(parser, '-') || !parse_number(parser, 9999, &year) ||
		(quoted && !parse_char(parser, '"')) || !g_date_valid_dmy(mday, month, year))
		return parse_fail(parser, "A malformed date");
	g_date_clear(&date, 1);
	g_date_set_dmy(&date, mday, month, year);
	*day = (int64_t) g_date_get_julian(&date) - 719163;
	return true;
}

/* "17-Jul-1996 02:44:25 -0700", as PostgreSQL reads it */
char *
parse_date_time(Parser *parser)
{
	char	   *text = parse_quoted(parser);
	int			day,
				month,
				year,
				hour,
				minute,
				second,
				zone;
	char		name[4] = "";
	char		sign;
	int			used = 0;

	if (text == NULL)
		return NULL;
	if (sscanf(text, "%2d-%3[A-Za-z]-%4d %2d:%2d:%2d %c%4d%n", &day, name, &year,
			   &hour, &minute, &second, &sign, &zone, &used) != 8 ||
		(used != 26 && used != 25) || text[used] != '\0' || (sign != '+' && sign != '-') ||
		(month = strlen(name) == 3 ? month_of(name) : 0) == 0 || day < 1 || year < 1 ||
		!g_date_valid_dmy(day, month, year) || hour > 23 || minute > 59 || second > 60 ||
		hour < 0 || minute < 0 || second < 0 || zone < 0 || zone > 1459 || zone % 100 > 59)
	{
		parse_fail(parser, "A malformed date and time");
		return NULL;
	}
	return parse_keep(parser, g_strdup_printf("%04d-%02d-%02d %02d:%02d:%02d%c%02d:%02d", year, month, day,
											  hour, minute, second, sign, zone / 100, zone % 100));
}
