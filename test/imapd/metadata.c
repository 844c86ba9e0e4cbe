/*-------------------------------------------------------------------------
 *
 * metadata.c
 *	  GETMETADATA and SETMETADATA (RFC 5464).
 *
 * An annotation of a mailbox is written under the mailbox's lock, with the
 * mod-sequence that modseq.touch() gives out: so what has changed since a
 * mod-sequence is known of annotations as it is of messages.  Names are kept
 * in lower case, as they ignore case.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>

#include "imapd.h"

/* How many annotations there may be, also of those that were taken out, and how large; section 4.1 asks for 10 of 1024 */
#define MAX_ANNOTATIONS	200
#define MAX_VALUE		65536
#define MAX_ENTRY		255

#define TO_ANY_DEPTH	UINT64_MAX

/* What GETMETADATA asks for */
typedef struct GetCommand
{
	uint64_t	max_size;
	uint64_t	depth;			/* levels below an entry */
	GPtrArray  *entries;
} GetCommand;

/* What SETMETADATA sets; value NULL takes the entry out */
typedef struct Annotation
{
	const char *entry;
	const char *value;
	size_t		length;
} Annotation;

/* Is it well formed?  (section 3.2)  One that is only looked for may be a level above all entries. */
static bool
is_entry(const char *entry, bool set)
{
	int			levels = 0;
	bool		vendor = g_str_has_prefix(entry, "/private/vendor") || g_str_has_prefix(entry, "/shared/vendor");

	if (strlen(entry) > MAX_ENTRY)
		return false;
	for (const char *c = entry; *c; c++)
	{
		if (*c <= 0x19 || *c > '~' || *c == '*' || *c == '%' || (*c == '/' && (c[1] == '/' || c[1] == '\0')))
			return false;
		levels += *c == '/';
	}
	for (const char *const *scope = (const char *const[]) {"/private", "/shared", NULL}; *scope; scope++)
	{
		size_t		length = strlen(*scope);

		if (strncmp(entry, *scope, length) == 0 && (entry[length] == '/' || entry[length] == '\0'))
			return !set || levels >= (vendor ? 4 : 2);
	}
	return false;
}

/* In lower case; NULL if it is none */
static char *
parse_entry(Parser *parser, bool set)
{
	char	   *entry = parse_astring(parser);

	if (entry == NULL)
		return NULL;
	for (char *c = entry; *c; c++)
		*c = g_ascii_tolower(*c);
	if (!is_entry(entry, set))
	{
		parse_fail(parser, "No such name of an annotation can be");
		return NULL;
	}
	return entry;
}

/* (MAXSIZE n DEPTH 0), after the parenthesis */
static bool
parse_options(Parser *parser, GetCommand *get)
{
	do
	{
		if (parse_skip_word(parser, "MAXSIZE"))
		{
			if (!parse_space(parser) || !parse_number(parser, UINT32_MAX, &get->max_size))
				return false;
		}
		else if (parse_skip_word(parser, "DEPTH"))
		{
			if (!parse_space(parser))
				return false;
			if (parse_skip_word(parser, "infinity"))
				get->depth = TO_ANY_DEPTH;
			else if (!parse_number(parser, 1, &get->depth))
				return parse_fail(parser, "DEPTH is 0, 1 or infinity");
		}
		else
			return parse_fail(parser, "Unknown option");
	} while (parse_char(parser, ' '));
	return parse_char(parser, ')') || parse_fail(parser, "A list of options does not end");
}

static bool
parse_entries(Parser *parser, GetCommand *get, bool list)
{
	get->entries = parse_array(parser);
	do
	{
		char	   *entry = parse_entry(parser, false);

		if (entry == NULL)
			return false;
		g_ptr_array_add(get->entries, entry);
		if (get->entries->len > MAX_ANNOTATIONS)
			return parse_fail(parser, "Too many entries");
	} while (list && parse_char(parser, ' '));
	return !list || parse_char(parser, ')') || parse_fail(parser, "A list of entries does not end");
}

/* Options stand before the mailbox in the grammar of section 5, and behind it in the examples. */
static bool
parse_get(Parser *parser, GetCommand *get, char **name)
{
	bool		list;

	*get = (GetCommand) {.max_size = UINT64_MAX};
	if (!parse_space(parser) ||
		(parse_char(parser, '(') && (!parse_options(parser, get) || !parse_space(parser))) ||
		(*name = parse_mailbox(parser)) == NULL || !parse_space(parser))
		return false;
	list = parse_char(parser, '(');
	if (list && (parser->end - parser->at) > 0 && g_ascii_isalpha(*parser->at))
	{
		if (!parse_options(parser, get) || !parse_space(parser))
			return false;
		list = parse_char(parser, '(');
	}
	return parse_entries(parser, get, list) && parse_end(parser);
}

/* Is the entry the one that is asked for, or below it and no deeper than asked? */
static bool
is_wanted(const GetCommand *get, const char *asked, const char *entry)
{
	size_t		length = strlen(asked);
	uint64_t	levels = 0;

	if (strncmp(entry, asked, length) != 0 || (entry[length] != '/' && entry[length] != '\0'))
		return false;
	for (const char *c = entry + length; *c; c++)
		levels += *c == '/';
	return levels <= get->depth;
}

/* A string, or what has a NUL as a literal8 (RFC 3516) */
static void
put_value(Session *session, const char *value, size_t length)
{
	if (memchr(value, '\0', length) == NULL)
	{
		char	   *text = g_strndup(value, length);

		put_string(session, text);
		g_free(text);
	}
	else
	{
		put(session, "~");
		put_literal(session, value, length);
	}
}

/* The next entry of a METADATA response, which begins with the first */
static void
put_entry(Session *session, const char *name, const char *entry, bool *begun)
{
	if (!*begun)
	{
		put(session, "* METADATA ");
		put_mailbox(session, name);
	}
	put(session, *begun ? " " : " (");
	put_mailbox(session, entry);
	*begun = true;
}

/*
 * The METADATA response, unless there is nothing to be told.  Returns how
 * large the largest value is that was too large, or 0.
 */
static uint64_t
put_metadata(Session *session, const char *name, const GetCommand *get, PGresult *rows)
{
	uint64_t	longest = 0;
	bool		begun = false;

	for (guint i = 0; i < get->entries->len; i++)
	{
		const char *asked = get->entries->pdata[i];
		bool		exists = false;

		for (int row = 0; row < PQntuples(rows); row++)
		{
			const char *entry = db_text(rows, row, 0);
			uint64_t	length = PQgetlength(rows, row, 1);

			if (!is_wanted(get, asked, entry))
				continue;
			exists = true;
			if (length > get->max_size)
			{
				longest = MAX(longest, length);
				continue;
			}
			put_entry(session, name, entry, &begun);
			put(session, " ");
			put_value(session, PQgetvalue(rows, row, 1), length);
		}
		if (!exists)
		{
			put_entry(session, name, asked, &begun);
			put(session, " NIL");
		}
	}
	if (begun)
		put(session, ")\r\n");
	return longest;
}

/* The mailbox of the command; 0 for the server, whose name is empty.  False after replying why there is none. */
static bool
find_target(Session *session, const char *name, int64_t *box)
{
	*box = 0;
	if (*name == '\0')
		return true;
	if (!mailbox_find(session, name, box))
		return false;
	if (*box == 0)
		reply(session, "NO [NONEXISTENT] No such mailbox");
	return *box != 0;
}

void
cmd_getmetadata(Session *session, bool uid)
{
	Db		   *db = &session->db;
	GetCommand	get;
	char	   *name;
	int64_t		box;
	uint64_t	longest;
	char		code[64];

	if (!parse_get(&session->parser, &get, &name) || !find_target(session, name, &box))
		return;
	if (box == 0)
		db_queue(db, SQL_SERVER_ANNOTATIONS, "i", session->user_id);
	else
		db_queue(db, SQL_ANNOTATIONS, "i", box);
	if (!db_run(db))
	{
		reply_failure(session);
		return;
	}
	longest = put_metadata(session, name, &get, db->results[0]);
	snprintf(code, sizeof(code), "METADATA LONGENTRIES %" PRIu64, longest);
	sync_done(session, longest > 0 ? code : NULL, "GETMETADATA completed");
}

/* NIL, a string, or a literal8 */
static bool
parse_value(Parser *parser, Annotation *annotation)
{
	annotation->value = NULL;
	annotation->length = 0;
	if (parse_skip_word(parser, "NIL"))
		return true;
	if (parse_char(parser, '~'))
		return parse_literal(parser, &annotation->value, &annotation->length);
	annotation->value = parse_string(parser);
	annotation->length = annotation->value ? strlen(annotation->value) : 0;
	return annotation->value != NULL;
}

/* (entry value ...); of an entry that is named twice the last value counts. */
static bool
parse_annotations(Parser *parser, GArray *annotations)
{
	if (!parse_char(parser, '('))
		return parse_fail(parser, "A list of entries and values is missing");
	do
	{
		Annotation	annotation;
		guint		i = 0;

		if ((annotation.entry = parse_entry(parser, true)) == NULL || !parse_space(parser) ||
			!parse_value(parser, &annotation))
			return false;
		while (i < annotations->len &&
			   strcmp(g_array_index(annotations, Annotation, i).entry, annotation.entry) != 0)
			i++;
		if (i < annotations->len)
			g_array_index(annotations, Annotation, i) = annotation;
		else
			g_array_append_val(annotations, annotation);
		if (annotations->len > MAX_ANNOTATIONS)
			return parse_fail(parser, "Too many entries");
	} while (parse_char(parser, ' '));
	return parse_char(parser, ')') || parse_fail(parser, "A list of entries does not end");
}

/* May these be set?  If not, that has been replied. */
static bool
check_annotations(Session *session, int64_t box, const GArray *annotations)
{
	for (guint i = 0; i < annotations->len; i++)
	{
		const Annotation *annotation = &g_array_index(annotations, Annotation, i);

		if (annotation->length > MAX_VALUE)
		{
			reply(session, "NO [METADATA MAXSIZE %d] That value is too large", MAX_VALUE);
			return false;
		}
		if (box == 0 && g_str_has_prefix(annotation->entry, "/shared/"))
		{
			reply(session, "NO [NOPERM] Only the administrator annotates the server for all");
			return false;
		}
	}
	return true;
}

/* All of them or none.  Sets whether there were too many; false if the database has failed. */
static bool
annotate(Session *session, int64_t box, const GArray *annotations, bool *too_many)
{
	Db		   *db = &session->db;
	GPtrArray  *entries = parse_array(&session->parser);
	GByteArray *values = octets_array_new();
	int64_t		whose = box == 0 ? session->user_id : box;
	int			attempt = 0;
	char	   *array;
	bool		done;

	for (guint i = 0; i < annotations->len; i++)
	{
		const Annotation *annotation = &g_array_index(annotations, Annotation, i);

		g_ptr_array_add(entries, (char *) annotation->entry);
		octets_array_add(values, i + 1, annotation->value, annotation->length);
	}
	array = text_array(entries);
	do
	{
		/* The lock comes first, in a statement of its own: the next one sees what is there under it. */
		db_queue(db, SQL_BEGIN, "");
		if (box != 0)
			db_queue(db, SQL_LOCK, "i", box);
		db_queue(db, box == 0 ? SQL_ANNOTATE_SERVER : SQL_ANNOTATE, "isb", whose, array,
				 (const char *) values->data, (size_t) values->len);
		db_queue(db, box == 0 ? SQL_COUNT_SERVER_ANNOTATIONS : SQL_COUNT_ANNOTATIONS, "i", whose);
		done = db_run(db);
		if (done)
		{
			*too_many = db_int(db->results[db->nqueued - 1], 0, 0) > MAX_ANNOTATIONS;
			db_queue(db, *too_many ? SQL_ROLLBACK : SQL_COMMIT, "");
			done = db_run(db);
		}
	} while (!done && db_retry(db, &attempt));
	g_free(array);
	g_byte_array_unref(values);
	return done;
}

void
cmd_setmetadata(Session *session, bool uid)
{
	Parser	   *parser = &session->parser;
	GArray	   *annotations = g_array_new(false, false, sizeof(Annotation));
	char	   *name;
	int64_t		box;
	bool		too_many = false;

	if (parse_space(parser) && (name = parse_mailbox(parser)) != NULL && parse_space(parser) &&
		parse_annotations(parser, annotations) && parse_end(parser) &&
		find_target(session, name, &box) && check_annotations(session, box, annotations))
	{
		if (!annotate(session, box, annotations, &too_many))
			reply_failure(session);
		else if (too_many)
			reply(session, "NO [METADATA TOOMANY] That were too many annotations");
		else
			sync_done(session, NULL, "SETMETADATA completed");
	}
	g_array_unref(annotations);
}
