/*-------------------------------------------------------------------------
 *
 * compose.c
 *	  A message out of the properties of an Email, for Email/set create (RFC 8621
 *	  section 4.6).  GMime writes it.
 *
 *-------------------------------------------------------------------------
 */
#include <time.h>

#include "jmapd.h"

static GMimeObject *make_part(Composer *composer, json_t *record, const char *path, const char *type,
							  GHashTable *used);

/* Notes that a property of the record is wrong. */
static void
wrong(Composer *composer, const char *path, const char *property)
{
	g_autofree char *whole = g_strconcat(path, property, NULL);

	composer->error = set_error_property(composer->error, whole);
}

static bool
has(const json_t *record, const char *property)
{
	const json_t *value = json_object_get(record, property);

	return value && !json_is_null(value);
}

static const char *
text_of(const json_t *record, const char *property)
{
	return json_string_value(json_object_get(record, property));
}

/* --- parts ------------------------------------------------------------------------------------ */

static GMimeObject *
new_leaf(const char *type, const guint8 *data, size_t length)
{
	g_autofree char *lower = g_ascii_strdown(type, -1);
	char	   *slash = strchr(lower, '/');
	GMimeStream *stream;
	GMimeDataWrapper *content;
	GMimePart  *part;

	*slash = '\0';
	stream = g_mime_stream_mem_new_with_buffer((const char *) data, length);
	if (strcmp(lower, "message") == 0 && strcmp(slash + 1, "rfc822") == 0)
	{
		GMimeParser *parser = g_mime_parser_new_with_stream(stream);
		GMimeMessage *inner = g_mime_parser_construct_message(parser, NULL);
		GMimeMessagePart *embedded = inner ? g_mime_message_part_new_with_message("rfc822", inner) : NULL;

		g_object_unref(parser);
		g_object_unref(stream);
		if (inner)
			g_object_unref(inner);
		if (embedded)
			return GMIME_OBJECT(embedded);
		stream = g_mime_stream_mem_new_with_buffer((const char *) data, length);
	}
	part = g_mime_part_new_with_type(lower, slash + 1);
	content = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
	g_mime_part_set_content(part, content);
	if (strcmp(lower, "text") != 0)
		g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
	g_object_unref(content);
	g_object_unref(stream);
	return GMIME_OBJECT(part);
}

/* A part whose text is in bodyValues */
static GMimeObject *
text_part(Composer *composer, const json_t *record, const char *path, const char *type)
{
	const json_t *value = json_object_get(json_object_get(composer->record, "bodyValues"), text_of(record, "partId"));
	const json_t *text = json_object_get(value, "value");
	g_autoptr(GString) lines = g_string_new(NULL);
	GMimeObject *part;

	if (!json_is_string(text))
		wrong(composer, path, "partId");
	if (!g_str_has_prefix(type, "text/"))
		wrong(composer, path, "type");
	if (has(record, "charset"))
		wrong(composer, path, "charset");
	if (has(record, "size"))
		wrong(composer, path, "size");
	if (composer->error)
		return NULL;
	for (const char *c = json_string_value(text); *c; c++)
		if (!(*c == '\r' && c[1] == '\n'))
			g_string_append_c(lines, *c);
	part = new_leaf(type, (const guint8 *) lines->str, lines->len);
	g_mime_object_set_content_type_parameter(part, "charset", "utf-8");
	return part;
}

static GMimeObject *
blob_part(Composer *composer, const json_t *record, const char *path, const char *type)
{
	const char *id = text_of(record, "blobId");
	const json_t *size = json_object_get(record, "size");
	g_autoptr(GByteArray) octets = NULL;
	GMimeObject *part;

	if (!blob_read(composer->call->db, composer->call->user, id, &octets))
	{
		composer->failed = true;
		return NULL;
	}
	if (octets == NULL)
	{
		json_array_append_new(composer->missing, json_string(id));
		return NULL;
	}
	if (size && !json_is_null(size) && json_integer_value(size) != octets->len)
	{
		wrong(composer, path, "size");
		return NULL;
	}
	part = new_leaf(type, octets->data, octets->len);
	if (text_of(record, "charset"))
		g_mime_object_set_content_type_parameter(part, "charset", text_of(record, "charset"));
	return part;
}

static GMimeObject *
multipart(Composer *composer, json_t *record, const char *path, const char *type)
{
	json_t	   *parts = json_object_get(record, "subParts");
	GMimeMultipart *multipart = g_mime_multipart_new_with_subtype(strchr(type, '/') + 1);
	size_t		i;
	json_t	   *value;

	if (has(record, "partId"))
		wrong(composer, path, "partId");
	if (has(record, "blobId"))
		wrong(composer, path, "blobId");
	if (!json_is_array(parts) || json_array_size(parts) == 0)
		wrong(composer, path, "subParts");
	json_array_foreach(parts, i, value)
	{
		g_autofree char *below = g_strdup_printf("%ssubParts/%zu/", path, i);
		/* A part may have any fields, whatever others have. */
		g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		GMimeObject *part = make_part(composer, value, below, NULL, used);

		if (part)
		{
			g_mime_multipart_add(multipart, part);
			g_object_unref(part);
		}
	}
	return GMIME_OBJECT(multipart);
}

static void
set_language(Composer *composer, GMimeObject *part, const json_t *value, const char *path)
{
	g_autoptr(GString) text = g_string_new(NULL);
	size_t		i;
	json_t	   *element;

	if (!value_is(value, ARG_STRINGS))
	{
		wrong(composer, path, "language");
		return;
	}
	json_array_foreach((json_t *) value, i, element)
	{
		g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", json_string_value(element));
	}
	if (strpbrk(text->str, "\r\n"))
		wrong(composer, path, "language");
	else
		g_mime_object_set_header(part, "Content-Language", text->str, NULL);
}

/* Disposition, name, cid, language, location */
static void
describe(Composer *composer, GMimeObject *part, const json_t *record, const char *path)
{
	static const char *const strings[] = {"type", "disposition", "name", "cid", "location", "charset"};
	const char *disposition = text_of(record, "disposition");
	const char *name = text_of(record, "name");

	for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
		if (has(record, strings[i]) && (!text_of(record, strings[i]) || strpbrk(text_of(record, strings[i]), "\r\n")))
			wrong(composer, path, strings[i]);
	if (composer->error)
		return;
	if (disposition || name)
		g_mime_object_set_disposition(part, disposition ? disposition : "attachment");
	if (name)
	{
		g_mime_object_set_content_disposition_parameter(part, "filename", name);
		g_mime_object_set_content_type_parameter(part, "name", name);
	}
	if (text_of(record, "cid"))
		g_mime_object_set_content_id(part, text_of(record, "cid"));
	if (text_of(record, "location"))
		g_mime_object_set_header(part, "Content-Location", text_of(record, "location"), NULL);
	if (has(record, "language"))
		set_language(composer, part, json_object_get(record, "language"), path);
}

static bool
is_known(const char *property)
{
	static const char *const known[] = {
		"partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location", "subParts",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (strcmp(known[i], property) == 0)
			return true;
	return g_str_has_prefix(property, "header:");
}

static bool
is_media_type(const char *type)
{
	const char *slash = strchr(type, '/');

	return slash && slash > type && slash[1] != '\0' && !strpbrk(type, " \t\r\n;\"()<>@,:\\[]?=") && !strchr(slash + 1, '/');
}

/* An EmailBodyPart.  type is what it is if it does not say.  NULL if it is wrong: that is noted. */
static GMimeObject *
make_part(Composer *composer, json_t *record, const char *path, const char *type, GHashTable *used)
{
	const char *property;
	json_t	   *value;
	GMimeObject *part;

	if (!json_is_object(record))
	{
		g_autofree char *whole = g_strndup(path, strlen(path) - 1);

		wrong(composer, whole, "");
		return NULL;
	}
	json_object_foreach(record, property, value)
	{
		if (!is_known(property))
			wrong(composer, path, property);
	}
	if (has(record, "type") && text_of(record, "type"))
		type = text_of(record, "type");
	if (type == NULL)
		type = "text/plain";
	if (!is_media_type(type))
	{
		wrong(composer, path, "type");
		return NULL;
	}
	if (g_ascii_strncasecmp(type, "multipart/", 10) == 0)
		part = multipart(composer, record, path, type);
	else if (has(record, "subParts") || !!text_of(record, "partId") == !!text_of(record, "blobId"))
	{
		/* Exactly one of the two */
		wrong(composer, path, has(record, "subParts") ? "subParts" : "partId");
		if (!has(record, "subParts"))
			wrong(composer, path, "blobId");
		return NULL;
	}
	else if (text_of(record, "partId"))
		part = text_part(composer, record, path, type);
	else
		part = blob_part(composer, record, path, type);
	if (part)
	{
		describe(composer, part, record, path);
		compose_fields(composer, part, record, path, used);
	}
	return part;
}

/* --- the body ------------------------------------------------------------------------------------- */

/* textBody or htmlBody, which has one part of that type; NULL if it is not there, or wrong */
static GMimeObject *
make_alternative(Composer *composer, const char *property, const char *type)
{
	json_t	   *list = json_object_get(composer->record, property);
	json_t	   *record = json_array_get(list, 0);
	g_autofree char *path = g_strdup_printf("%s/0/", property);
	g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	if (!has(composer->record, property))
		return NULL;
	if (json_array_size(list) != 1 || !json_is_object(record) ||
		(has(record, "type") && g_strcmp0(text_of(record, "type"), type) != 0))
	{
		wrong(composer, "", property);
		return NULL;
	}
	return make_part(composer, record, path, type, used);
}

/* Both in one, or the one that there is */
static GMimeObject *
combine(const char *subtype, GMimeObject *first, GMimeObject *second)
{
	GMimeMultipart *multipart;

	if (!first || !second)
		return first ? first : second;
	multipart = g_mime_multipart_new_with_subtype(subtype);
	g_mime_multipart_add(multipart, first);
	g_mime_multipart_add(multipart, second);
	g_object_unref(first);
	g_object_unref(second);
	return GMIME_OBJECT(multipart);
}

static GMimeObject *
make_lists(Composer *composer)
{
	json_t	   *attachments = json_object_get(composer->record, "attachments");
	GMimeObject *text = make_alternative(composer, "textBody", "text/plain");
	GMimeObject *html = make_alternative(composer, "htmlBody", "text/html");
	GMimeObject *body = combine("alternative", text, html);
	GMimeMultipart *mixed;
	size_t		i;
	json_t	   *record;

	if (has(composer->record, "attachments") && !json_is_array(attachments))
		wrong(composer, "", "attachments");
	if (json_array_size(attachments) == 0)
		return body ? body : new_leaf("text/plain", (const guint8 *) "", 0);
	mixed = g_mime_multipart_new_with_subtype("mixed");
	if (body)
	{
		g_mime_multipart_add(mixed, body);
		g_object_unref(body);
	}
	json_array_foreach(attachments, i, record)
	{
		g_autofree char *path = g_strdup_printf("attachments/%zu/", i);
		g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		GMimeObject *part = make_part(composer, record, path, "application/octet-stream", used);

		if (part == NULL)
			continue;
		if (!has(record, "disposition"))
			g_mime_object_set_disposition(part, "attachment");
		if (text_of(record, "name"))
			g_mime_object_set_content_disposition_parameter(part, "filename", text_of(record, "name"));
		g_mime_multipart_add(mixed, part);
		g_object_unref(part);
	}
	return GMIME_OBJECT(mixed);
}

static void
check_values(Composer *composer)
{
	json_t	   *values = json_object_get(composer->record, "bodyValues");
	const char *id;
	json_t	   *value;

	if (values && !json_is_null(values) && !json_is_object(values))
		wrong(composer, "", "bodyValues");
	json_object_foreach(values, id, value)
	{
		g_autofree char *path = g_strdup_printf("bodyValues/%s/", id);

		if (!json_is_string(json_object_get(value, "value")))
			wrong(composer, path, "value");
		if (has(value, "isEncodingProblem") && !json_is_false(json_object_get(value, "isEncodingProblem")))
			wrong(composer, path, "isEncodingProblem");
		if (has(value, "isTruncated") && !json_is_false(json_object_get(value, "isTruncated")))
			wrong(composer, path, "isTruncated");
	}
}

static GMimeObject *
make_body(Composer *composer, GHashTable *used)
{
	static const char *const lists[] = {"textBody", "htmlBody", "attachments"};
	json_t	   *structure = json_object_get(composer->record, "bodyStructure");

	check_values(composer);
	if (!has(composer->record, "bodyStructure"))
		return make_lists(composer);
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		if (has(composer->record, lists[i]))
			wrong(composer, "", lists[i]);
	return make_part(composer, structure, "bodyStructure/", NULL, used);
}

/* --- the whole --------------------------------------------------------------------------------------- */

/* Date and Message-ID, where the client has given none */
static void
complete(GMimeMessage *message, GHashTable *used)
{
	if (!g_hash_table_contains(used, "date"))
	{
		GDateTime  *now = g_date_time_new_now_utc();

		g_mime_message_set_date(message, now);
		g_date_time_unref(now);
	}
	if (!g_hash_table_contains(used, "message-id"))
	{
		g_autofree char *id = g_mime_utils_generate_message_id("jmapd.invalid");

		g_mime_message_set_message_id(message, id);
	}
}

/* Its octets, lines ending in CRLF: it is all 7-bit. */
static GByteArray *
write_message(GMimeMessage *message)
{
	g_autofree char *text = NULL;
	GByteArray *octets = g_byte_array_new();

	g_mime_object_encode(GMIME_OBJECT(message), GMIME_ENCODING_CONSTRAINT_7BIT);
	text = g_mime_object_to_string(GMIME_OBJECT(message), NULL);
	for (const char *c = text; *c; c++)
	{
		if (*c == '\n' && (c == text || c[-1] != '\r'))
			g_byte_array_append(octets, (const guint8 *) "\r", 1);
		g_byte_array_append(octets, (const guint8 *) c, 1);
	}
	return octets;
}

/* NULL if the record is wrong, and then an error; or if the database has failed. */
GByteArray *
compose_message(Composer *composer)
{
	g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GMimeMessage *message = g_mime_message_new(false);
	GMimeObject *body;
	GByteArray *octets = NULL;

	composer->missing = json_array();
	compose_fields(composer, GMIME_OBJECT(message), composer->record, "", used);
	complete(message, used);
	body = make_body(composer, used);
	if (composer->error == NULL && json_array_size(composer->missing) > 0)
	{
		composer->error = set_error("blobNotFound", NULL);
		json_object_set(composer->error, "notFound", composer->missing);
	}
	if (body)
	{
		g_mime_message_set_mime_part(message, body);
		g_object_unref(body);
	}
	if (composer->error == NULL && !composer->failed)
		octets = write_message(message);
	json_decref(composer->missing);
	g_object_unref(message);
	return octets;
}
