/*-------------------------------------------------------------------------
 *
 * body.c
 *	  The parts of a message, and which of them are its text and its attachments
 *	  (RFC 8621 section 4.1.4).
 *
 *	  A part's id is its place among the parts that are no multiparts.  An
 *	  embedded message is one part, and is not looked into.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "jmapd.h"

static GMimeObject *
root(const Message *message)
{
	return g_mime_message_get_mime_part(message->gmime);
}

/* --- what a part is --------------------------------------------------------------------------- */

/* Like text/plain, in lower case.  The caller g_free()s it. */
static char *
media_type(GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	g_autofree char *text = type ? g_mime_content_type_get_mime_type(type) : g_strdup("text/plain");

	return g_ascii_strdown(text, -1);
}

static char *
disposition(GMimeObject *object)
{
	const char *text = g_mime_object_get_disposition(object);

	return text && *text ? g_ascii_strdown(text, -1) : NULL;
}

static const char *
file_name(GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	const char *name = g_mime_object_get_content_disposition_parameter(object, "filename");

	return name ? name : type ? g_mime_content_type_get_parameter(type, "name") : NULL;
}

static void
add_leaves(GPtrArray *leaves, GMimeObject *object)
{
	if (object == NULL)
		return;
	if (!GMIME_IS_MULTIPART(object))
	{
		g_ptr_array_add(leaves, object);
		return;
	}
	for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(object)); i++)
		add_leaves(leaves, g_mime_multipart_get_part(GMIME_MULTIPART(object), i));
}

/* NULL for a multipart.  The caller g_free()s it. */
char *
body_part_id(const Message *message, GMimeObject *object)
{
	g_autoptr(GPtrArray) leaves = g_ptr_array_new();
	guint		at;

	add_leaves(leaves, root(message));
	return g_ptr_array_find(leaves, object, &at) ? g_strdup_printf("%u", at + 1) : NULL;
}

/* NULL if there is no such part */
GMimeObject *
body_find_part(const Message *message, const char *part_id)
{
	g_autoptr(GPtrArray) leaves = g_ptr_array_new();
	guint64		n = g_ascii_strtoull(part_id, NULL, 10);

	add_leaves(leaves, root(message));
	return n >= 1 && n <= leaves->len ? leaves->pdata[n - 1] : NULL;
}

/* A part's octets, without its transfer encoding.  The caller unrefs them. */
GByteArray *
body_content(GMimeObject *object)
{
	GMimeStream *stream = g_mime_stream_mem_new();
	GByteArray *octets = g_byte_array_new();
	GMimeStreamMem *memory = GMIME_STREAM_MEM(stream);

	g_mime_stream_mem_set_byte_array(memory, octets);
	g_mime_stream_mem_set_owner(memory, false);
	if (GMIME_IS_PART(object) && g_mime_part_get_content(GMIME_PART(object)))
		g_mime_data_wrapper_write_to_stream(g_mime_part_get_content(GMIME_PART(object)), stream);
	else if (GMIME_IS_MESSAGE_PART(object) && g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)))
		g_mime_object_write_to_stream(GMIME_OBJECT(g_mime_message_part_get_message(GMIME_MESSAGE_PART(object))),
									  NULL, stream);
	g_object_unref(stream);
	return octets;
}

/* --- EmailBodyPart ------------------------------------------------------------------------------ */

static json_t *
string_or_null(const char *text)
{
	g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

	return valid ? json_string(valid) : json_null();
}

static json_t *
charset(GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	const char *name = type ? g_mime_content_type_get_parameter(type, "charset") : NULL;

	if (name)
		return string_or_null(name);
	return type == NULL || g_mime_content_type_is_type(type, "text", "*") ? json_string("us-ascii") : json_null();
}

static json_t *
language(GMimeObject *object)
{
	const char *value = g_mime_object_get_header(object, "Content-Language");
	g_auto(GStrv) words = value ? g_strsplit(value, ",", -1) : NULL;
	json_t	   *json;

	if (value == NULL)
		return json_null();
	json = json_array();
	for (char **word = words; *word; word++)
		if (*g_strstrip(*word))
			json_array_append_new(json, string_or_null(*word));
	return json;
}

/* Sub-parts are added by body_structure(). */
static json_t *
part_property(const Message *message, const char *blob, GMimeObject *object, const char *name)
{
	bool		multipart = GMIME_IS_MULTIPART(object);
	g_autofree char *id = body_part_id(message, object);
	g_autofree char *text = NULL;

	if (strcmp(name, "partId") == 0)
		return multipart ? json_null() : json_string(id);
	if (strcmp(name, "blobId") == 0)
		return multipart ? json_null() : json_sprintf("%s-%s", blob, id);
	if (strcmp(name, "size") == 0)
	{
		g_autoptr(GByteArray) octets = multipart ? g_byte_array_new() : body_content(object);

		return json_integer(octets->len);
	}
	if (strcmp(name, "name") == 0)
		return string_or_null(file_name(object));
	if (strcmp(name, "type") == 0)
		return string_or_null(text = media_type(object));
	if (strcmp(name, "charset") == 0)
		return charset(object);
	if (strcmp(name, "disposition") == 0)
		return string_or_null(text = disposition(object));
	if (strcmp(name, "cid") == 0)
		return string_or_null(g_mime_object_get_content_id(object));
	if (strcmp(name, "language") == 0)
		return language(object);
	if (strcmp(name, "location") == 0)
		return string_or_null(g_mime_object_get_header(object, "Content-Location"));
	/* The outermost part's header is the message's. */
	if (object == root(message))
		object = GMIME_OBJECT(message->gmime);
	if (strcmp(name, "headers") == 0)
		return header_all(object);
	return g_str_has_prefix(name, "header:") ? header_property(object, name) : NULL;
}

json_t *
body_part(const Message *message, const char *blob, GMimeObject *object, const json_t *properties)
{
	json_t	   *json = json_object();
	size_t		i;
	json_t	   *name;

	json_array_foreach((json_t *) properties, i, name)
	{
		json_t	   *value = part_property(message, blob, object, json_string_value(name));

		if (value)
			json_object_set_new(json, json_string_value(name), value);
	}
	return json;
}

static json_t *
structure(const Message *message, const char *blob, GMimeObject *object, const json_t *properties)
{
	json_t	   *json = body_part(message, blob, object, properties);
	json_t	   *parts;

	if (!GMIME_IS_MULTIPART(object))
		return json;
	parts = json_array();
	for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(object)); i++)
		json_array_append_new(parts, structure(message, blob, g_mime_multipart_get_part(GMIME_MULTIPART(object), i),
											   properties));
	json_object_set_new(json, "subParts", parts);
	return json;
}

json_t *
body_structure(const Message *message, const char *blob, const json_t *properties)
{
	return root(message) ? structure(message, blob, root(message), properties) : json_null();
}

/* --- textBody, htmlBody, attachments ---------------------------------------------------------------- */

static bool
is_inline_media(const char *type)
{
	return g_str_has_prefix(type, "image/") || g_str_has_prefix(type, "audio/") || g_str_has_prefix(type, "video/");
}

static bool
is_inline(GMimeObject *part, const char *type, int place, const char *multipart)
{
	g_autofree char *how = disposition(part);

	return g_strcmp0(how, "attachment") != 0 &&
		(strcmp(type, "text/plain") == 0 || strcmp(type, "text/html") == 0 || is_inline_media(type)) &&
		(place == 0 || (strcmp(multipart, "related") != 0 && (is_inline_media(type) || file_name(part) == NULL)));
}

static void sort_multipart(GMimeObject *object, bool alternative, GPtrArray *text, GPtrArray *html,
						   GPtrArray *attachments);

/* The algorithm of the RFC.  text and html are NULL where a part cannot be of that any more. */
static void
sort_part(GMimeObject *part, int place, const char *multipart, bool alternative,
		  GPtrArray **text, GPtrArray **html, GPtrArray *attachments)
{
	g_autofree char *type = media_type(part);

	if (GMIME_IS_MULTIPART(part))
		sort_multipart(part, alternative, *text, *html, attachments);
	else if (!is_inline(part, type, place, multipart))
		g_ptr_array_add(attachments, part);
	else if (strcmp(multipart, "alternative") == 0)
	{
		if (strcmp(type, "text/plain") == 0 && *text)
			g_ptr_array_add(*text, part);
		else if (strcmp(type, "text/html") == 0 && *html)
			g_ptr_array_add(*html, part);
		else
			g_ptr_array_add(attachments, part);
	}
	else
	{
		if (alternative && strcmp(type, "text/plain") == 0)
			*html = NULL;
		if (alternative && strcmp(type, "text/html") == 0)
			*text = NULL;
		if (*text)
			g_ptr_array_add(*text, part);
		if (*html)
			g_ptr_array_add(*html, part);
		if ((!*text || !*html) && is_inline_media(type))
			g_ptr_array_add(attachments, part);
	}
}

static void
sort_multipart(GMimeObject *object, bool alternative, GPtrArray *text, GPtrArray *html, GPtrArray *attachments)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	g_autofree char *kind = g_ascii_strdown(g_mime_content_type_get_media_subtype(type), -1);
	guint		texts = text ? text->len : 0;
	guint		htmls = html ? html->len : 0;
	GPtrArray  *all_text = text;
	GPtrArray  *all_html = html;
	bool		choice = strcmp(kind, "alternative") == 0;

	for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(object)); i++)
		sort_part(g_mime_multipart_get_part(GMIME_MULTIPART(object), i), i, kind, alternative || choice,
				  &text, &html, attachments);
	if (!choice || !all_text || !all_html)
		return;
	/* There was only one of the two: it stands for both. */
	if (all_text->len == texts)
		for (guint i = htmls; i < all_html->len; i++)
			g_ptr_array_add(all_text, all_html->pdata[i]);
	else if (all_html->len == htmls)
		for (guint i = texts; i < all_text->len; i++)
			g_ptr_array_add(all_html, all_text->pdata[i]);
}

void
body_lists(const Message *message, GPtrArray *text, GPtrArray *html, GPtrArray *attachments)
{
	GPtrArray  *to_text = text;
	GPtrArray  *to_html = html;

	if (root(message))
		sort_part(root(message), 0, "mixed", false, &to_text, &to_html, attachments);
}

bool
body_has_attachment(const Message *message)
{
	g_autoptr(GPtrArray) text = g_ptr_array_new();
	g_autoptr(GPtrArray) html = g_ptr_array_new();
	g_autoptr(GPtrArray) attachments = g_ptr_array_new();

	body_lists(message, text, html, attachments);
	for (guint i = 0; i < attachments->len; i++)
	{
		g_autofree char *how = disposition(attachments->pdata[i]);

		if (g_strcmp0(how, "inline") != 0)
			return true;
	}
	return false;
}
