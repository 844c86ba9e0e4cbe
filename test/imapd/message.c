/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Parses a message with GMime, and finds its parts in the octets.
 *
 * GMime does the MIME; but what IMAP sends of a message must be the very
 * octets that came, which GMime's writing of an object may not be.  So its
 * offsets, of headers and of contents, say where the parts are.
 *
 *-------------------------------------------------------------------------
 */
#include "imapd.h"
#include "message.h"

static Part *make_body(const char *raw, GMimeMessage *message, size_t start, size_t end);

static void
part_free(void *pointer)
{
	Part	   *part = pointer;

	if (part == NULL)
		return;
	if (part->parts)
		g_ptr_array_unref(part->parts);
	part_free(part->inner);
	g_free(part);
}

/* Where the empty line behind a header ends; end if there is none, and *found false */
static size_t
header_end(const char *raw, size_t start, size_t end, bool *found)
{
	*found = true;
	for (size_t at = start; at < end;)
	{
		const char *newline = memchr(raw + at, '\n', end - at);

		if (newline == NULL)
			break;
		if (raw[at] == '\n' || (raw[at] == '\r' && raw[at + 1] == '\n'))
			return newline - raw + 1;
		at = newline - raw + 1;
	}
	*found = false;
	return end;
}

/* Is the whole header in it, of a message that may be cut off? */
bool
message_has_header(const char *raw, size_t length)
{
	bool		found;

	header_end(raw, 0, length, &found);
	return found;
}

/* Where the lowest of the headers begins; -1 if there is none */
static gint64
lowest_offset(GMimeObject *object)
{
	GMimeHeaderList *headers = g_mime_object_get_header_list(object);
	gint64		lowest = -1;

	for (int i = 0; i < g_mime_header_list_get_count(headers); i++)
	{
		gint64		offset = g_mime_header_get_offset(g_mime_header_list_get_header_at(headers, i));

		if (offset >= 0 && (lowest < 0 || offset < lowest))
			lowest = offset;
	}
	return lowest;
}

static GMimeStream *
content_stream(GMimeObject *object)
{
	GMimeDataWrapper *content = GMIME_IS_PART(object) ?
		g_mime_part_get_content(GMIME_PART(object)) : NULL;

	return content ? g_mime_data_wrapper_get_stream(content) : NULL;
}

/* Where an entity begins, its header included; -1 if GMime does not tell */
static gint64
object_start(const char *raw, GMimeObject *object)
{
	gint64		offset = lowest_offset(object);
	gint64		inner = -1;

	if (GMIME_IS_MESSAGE(object))
	{
		GMimeObject *body = g_mime_message_get_mime_part(GMIME_MESSAGE(object));

		inner = body ? object_start(raw, body) : -1;
		return inner < 0 || (offset >= 0 && offset < inner) ? offset : inner;
	}
	if (offset >= 0)
		return offset;
	/* No header: its empty line precedes what it contains. */
	if (GMIME_IS_MESSAGE_PART(object) && g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)))
		inner = object_start(raw, GMIME_OBJECT(g_mime_message_part_get_message(GMIME_MESSAGE_PART(object))));
	else if (content_stream(object))
		inner = content_stream(object)->bound_start;
	if (inner >= 1 && raw[inner - 1] == '\n')
		inner -= inner >= 2 && raw[inner - 2] == '\r' ? 2 : 1;
	return inner;
}

/* No octet before this one belongs to what follows the entity. */
static gint64
object_tail(GMimeObject *object, gint64 start)
{
	if (GMIME_IS_MULTIPART(object))
	{
		int			n = g_mime_multipart_get_count(GMIME_MULTIPART(object));

		return n == 0 ? start :
			object_tail(g_mime_multipart_get_part(GMIME_MULTIPART(object), n - 1), start);
	}
	if (GMIME_IS_MESSAGE_PART(object))
	{
		GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
		GMimeObject *body = message ? g_mime_message_get_mime_part(message) : NULL;

		return body ? object_tail(body, start) : start;
	}
	return content_stream(object) ? content_stream(object)->bound_end : start;
}

/* The line break before a boundary belongs to it (RFC 2046 section 5.1.1). */
static size_t
before_boundary(const char *raw, size_t line, size_t lowest)
{
	if (line > lowest && raw[line - 1] == '\n')
		line--;
	if (line > lowest && raw[line - 1] == '\r')
		line--;
	return line;
}

/* Where the last part of a multipart ends: before the next line with its boundary */
static size_t
last_end(const char *raw, const char *boundary, size_t tail, size_t end)
{
	size_t		length = boundary ? strlen(boundary) : 0;

	for (size_t at = tail; boundary && at + length + 2 <= end;)
	{
		const char *newline;

		if ((at == 0 || raw[at - 1] == '\n') && raw[at] == '-' && raw[at + 1] == '-' &&
			memcmp(raw + at + 2, boundary, length) == 0)
			return before_boundary(raw, at, tail);
		newline = memchr(raw + at, '\n', end - at);
		if (newline == NULL)
			break;
		at = newline - raw + 1;
	}
	return end;
}

/* An entity in raw[start .. end) */
static Part *
make_part(const char *raw, GMimeObject *object, size_t start, size_t end)
{
	Part	   *part = g_new0(Part, 1);
	bool		found;

	part->object = object;
	part->start = start;
	part->end = end;
	part->body = header_end(raw, start, end, &found);
	if (GMIME_IS_MULTIPART(object))
	{
		GMimeMultipart *multipart = GMIME_MULTIPART(object);
		int			n = g_mime_multipart_get_count(multipart);
		size_t		next = part->body;

		part->parts = g_ptr_array_new_with_free_func(part_free);
		for (int i = 0; i < n; i++)
		{
			GMimeObject *child = g_mime_multipart_get_part(multipart, i);
			gint64		from = object_start(raw, child);
			size_t		to;

			if (from < (gint64) next || from > (gint64) end)
				from = next;
			next = end;
			if (i + 1 < n)
			{
				gint64		following = object_start(raw, g_mime_multipart_get_part(multipart, i + 1));

				if (following > from && following <= (gint64) end)
					next = following;
				/* The line before it is the boundary. */
				to = next;
				if (to > (size_t) from)
					to--;
				while (to > (size_t) from && raw[to - 1] != '\n')
					to--;
				to = before_boundary(raw, to, from);
			}
			else
				to = last_end(raw, g_mime_multipart_get_boundary(multipart),
							  CLAMP(object_tail(child, from), from, (gint64) end), end);
			g_ptr_array_add(part->parts, make_part(raw, child, from, to));
		}
	}
	else if (GMIME_IS_MESSAGE_PART(object) &&
			 g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)))
		part->inner = make_body(raw, g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)),
								part->body, end);
	return part;
}

/* A message's body, with the message's header, in raw[start .. end) */
static Part *
make_body(const char *raw, GMimeMessage *message, size_t start, size_t end)
{
	Part	   *part = make_part(raw, g_mime_message_get_mime_part(message), start, end);

	part->message = message;
	return part;
}

/* Parses what stays the caller's, and must stay. */
Message *
message_parse(const char *raw, size_t length)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(raw, length);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	Message    *message = g_new0(Message, 1);

	g_mime_parser_set_persist_stream(parser, true);
	message->raw = raw;
	message->length = length;
	message->gmime = g_mime_parser_construct_message(parser, NULL);
	if (message->gmime == NULL)
		message->gmime = g_mime_message_new(false);
	message->root = make_body(raw, message->gmime, 0, length);
	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

void
message_free(Message *message)
{
	part_free(message->root);
	g_object_unref(message->gmime);
	g_free(message);
}

/* --- sections --------------------------------------------------------------------- */

/* Part k of a message whose body this is */
static const Part *
part_of_body(const Part *body, guint32 k)
{
	if (body->parts)
		return k >= 1 && k <= body->parts->len ? body->parts->pdata[k - 1] : NULL;
	return k == 1 ? body : NULL;
}

static const Part *
find_part(const Message *message, const GArray *path)
{
	const Part *part = NULL;

	for (guint i = 0; i < path->len; i++)
	{
		guint32		k = g_array_index(path, guint32, i);

		if (i == 0)
			part = part_of_body(message->root, k);
		else if (part->parts)
			part = part_of_body(part, k);
		else
			part = part->inner ? part_of_body(part->inner, k) : NULL;
		if (part == NULL)
			return NULL;
	}
	return part;
}

/* The octets that a section is, or for FIELDS is taken from.  False if there is none such. */
bool
message_range(Message *message, const Section *section, const char **data, size_t *length)
{
	const Part *part = section->path->len > 0 ? find_part(message, section->path) : message->root;
	size_t		from;
	size_t		to;

	if (part == NULL)
		return false;
	if (section->path->len > 0 && section->kind != SECTION_ALL && section->kind != SECTION_MIME)
	{
		/* HEADER and TEXT are those of an embedded message. */
		part = part->inner;
		if (part == NULL)
			return false;
	}
	from = section->kind == SECTION_TEXT ||
		(section->kind == SECTION_ALL && section->path->len > 0) ? part->body : part->start;
	to = section->kind == SECTION_ALL || section->kind == SECTION_TEXT ? part->end : part->body;
	*data = message->raw + from;
	*length = to - from;
	return true;
}

static bool
is_named(const Section *section, const char *line, size_t length)
{
	for (guint i = 0; i < section->fields->len; i++)
	{
		const char *name = section->fields->pdata[i];
		size_t		n = strlen(name);

		if (n < length && g_ascii_strncasecmp(line, name, n) == 0)
		{
			while (n < length && (line[n] == ' ' || line[n] == '\t'))
				n++;
			if (line[n] == ':')
				return true;
		}
	}
	return false;
}

/* HEADER.FIELDS and HEADER.FIELDS.NOT: some lines of a header, and the empty line */
bool
message_section(Message *message, const Section *section, GString *out)
{
	const char *at;
	size_t		left;
	bool		wanted = false;

	if (!message_range(message, section, &at, &left))
		return false;
	while (left > 0)
	{
		const char *newline = memchr(at, '\n', left);
		size_t		length = newline ? (size_t) (newline - at) + 1 : left;

		if (*at == '\n' || (*at == '\r' && length == 2))
			break;
		if (*at != ' ' && *at != '\t')
			wanted = is_named(section, at, length) == (section->kind == SECTION_FIELDS);
		if (wanted)
			g_string_append_len(out, at, length);
		at += length;
		left -= length;
	}
	g_string_append(out, "\r\n");
	return true;
}
