/*-------------------------------------------------------------------------
 *
 * body_value.c
 *	  The text of parts: EmailBodyValue, the preview, and what is searched.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "jmapd.h"

#define PREVIEW_CHARACTERS	256

/* Of a message more than that is not searched. */
#define SEARCHED	1000000

static bool
is_known_encoding(GMimeObject *object)
{
	static const char *const known[] = {"7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode"};
	const char *value = g_mime_object_get_header(object, "Content-Transfer-Encoding");
	g_autofree char *name = value ? g_strstrip(g_strdup(value)) : NULL;

	for (size_t i = 0; name && i < G_N_ELEMENTS(known); i++)
		if (g_ascii_strcasecmp(name, known[i]) == 0)
			return true;
	return name == NULL;
}

static bool
is_utf8_name(const char *charset)
{
	return g_ascii_strcasecmp(charset, "utf-8") == 0 || g_ascii_strcasecmp(charset, "us-ascii") == 0 ||
		g_ascii_strcasecmp(charset, "utf8") == 0 || g_ascii_strcasecmp(charset, "ascii") == 0;
}

/* In UTF-8, lines ending in LF; what cannot be converted becomes U+FFFD.  The caller frees it. */
static GString *
decode(GMimeObject *object, bool *problem)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	const char *charset = type ? g_mime_content_type_get_parameter(type, "charset") : NULL;
	g_autoptr(GByteArray) octets = body_content(object);
	const char *data = octets->len > 0 ? (const char *) octets->data : "";
	g_autofree char *converted = NULL;
	gsize		length = octets->len;
	g_autofree char *valid = NULL;
	GString    *text;

	*problem = !is_known_encoding(object);
	if (charset && !is_utf8_name(charset))
	{
		converted = g_convert(data, octets->len, "UTF-8", g_mime_charset_iconv_name(charset), NULL, &length, NULL);
		*problem |= converted == NULL;
	}
	if (converted == NULL)
	{
		length = octets->len;
		*problem |= !g_utf8_validate(data, length, NULL);
	}
	valid = g_utf8_make_valid(converted ? converted : data, length);
	text = g_string_sized_new(strlen(valid));
	for (const char *c = valid; *c; c++)
		if (!(*c == '\r' && c[1] == '\n'))
			g_string_append_c(text, *c);
	return text;
}

/* Cuts at most max octets, not within a character nor within a tag. */
static bool
cut(GString *text, json_int_t max, bool html)
{
	gsize		end = max;
	const char *open;

	if (max <= 0 || (json_int_t) text->len <= max)
		return false;
	while (end > 0 && ((unsigned char) text->str[end] & 0xc0) == 0x80)
		end--;
	g_string_truncate(text, end);
	open = html ? strrchr(text->str, '<') : NULL;
	if (open && strchr(open, '>') == NULL)
		g_string_truncate(text, open - text->str);
	return true;
}

static bool
is_html(GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);

	return type && g_mime_content_type_is_type(type, "text", "html");
}

/* An EmailBodyValue; NULL if the part is no text */
json_t *
body_value(GMimeObject *object, json_int_t max)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	GString    *text;
	bool		problem;
	bool		truncated;
	json_t	   *json;

	if (GMIME_IS_MULTIPART(object) || (type && !g_mime_content_type_is_type(type, "text", "*")))
		return NULL;
	text = decode(object, &problem);
	truncated = cut(text, max, is_html(object));
	json = json_pack("{ss, sb, sb}", "value", text->str, "isEncodingProblem", problem, "isTruncated", truncated);
	g_string_free(text, true);
	return json;
}

/* --- text without markup --------------------------------------------------------------------- */

static const struct
{
	const char *name;
	const char *text;
}			entities[] = {
	{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&#39;", "'"}, {"&apos;", "'"}, {"&nbsp;", " "},
};

/* Behind a tag that begins here; of style and script behind their end */
static const char *
behind_tag(const char *tag)
{
	static const char *const hidden[][2] = {{"<style", "</style"}, {"<script", "</script"}, {"<!--", "-->"}};
	const char *end;

	for (size_t i = 0; i < G_N_ELEMENTS(hidden); i++)
		if (g_ascii_strncasecmp(tag, hidden[i][0], strlen(hidden[i][0])) == 0)
			for (const char *c = tag + 1; *c; c++)
				if (g_ascii_strncasecmp(c, hidden[i][1], strlen(hidden[i][1])) == 0)
				{
					tag = c;
					break;
				}
	end = strchr(tag, '>');
	return end ? end + 1 : tag + strlen(tag);
}

static void
append_html(GString *out, const char *html)
{
	while (*html)
	{
		size_t		i = 0;

		if (*html == '<')
		{
			html = behind_tag(html);
			g_string_append_c(out, ' ');
			continue;
		}
		while (*html == '&' && i < G_N_ELEMENTS(entities) && !g_str_has_prefix(html, entities[i].name))
			i++;
		if (*html == '&' && i < G_N_ELEMENTS(entities))
		{
			g_string_append(out, entities[i].text);
			html += strlen(entities[i].name);
		}
		else
			g_string_append_c(out, *html++);
	}
}

/* The text of the parts, without markup */
static GString *
text_of(const GPtrArray *parts)
{
	GString    *all = g_string_new(NULL);

	for (guint i = 0; i < parts->len && all->len < SEARCHED; i++)
	{
		GMimeContentType *type = g_mime_object_get_content_type(parts->pdata[i]);
		bool		problem;
		GString    *text;

		if (type && !g_mime_content_type_is_type(type, "text", "*"))
			continue;
		text = decode(parts->pdata[i], &problem);
		if (is_html(parts->pdata[i]))
			append_html(all, text->str);
		else
			g_string_append(all, text->str);
		g_string_append_c(all, '\n');
		g_string_free(text, true);
	}
	cut(all, SEARCHED, false);
	return all;
}

/* What is searched: plain text, HTML and attached text.  The caller g_free()s it. */
char *
body_text(const Message *message, bool *attachment)
{
	g_autoptr(GPtrArray) text = g_ptr_array_new();
	g_autoptr(GPtrArray) html = g_ptr_array_new();
	g_autoptr(GPtrArray) attachments = g_ptr_array_new();

	body_lists(message, text, html, attachments);
	for (guint i = 0; i < html->len; i++)
		if (!g_ptr_array_find(text, html->pdata[i], NULL))
			g_ptr_array_add(text, html->pdata[i]);
	*attachment = body_has_attachment(message);
	return g_string_free(text_of(text), false);
}

/* The beginning of the text, its white space collapsed.  The caller g_free()s it. */
char *
body_preview(const Message *message)
{
	g_autoptr(GPtrArray) text = g_ptr_array_new();
	g_autoptr(GPtrArray) html = g_ptr_array_new();
	g_autoptr(GPtrArray) attachments = g_ptr_array_new();
	GString    *all;
	GString    *preview = g_string_new(NULL);
	int			characters = 0;

	body_lists(message, text, html, attachments);
	all = text_of(text->len > 0 ? text : html);
	for (const char *c = all->str; *c && characters < PREVIEW_CHARACTERS; c = g_utf8_next_char(c))
	{
		gunichar	character = g_utf8_get_char(c);

		if (g_unichar_isspace(character) || g_unichar_iscntrl(character))
		{
			if (preview->len == 0 || preview->str[preview->len - 1] == ' ')
				continue;
			character = ' ';
		}
		g_string_append_unichar(preview, character);
		characters++;
	}
	if (preview->len > 0 && preview->str[preview->len - 1] == ' ')
		g_string_truncate(preview, preview->len - 1);
	g_string_free(all, true);
	return g_string_free(preview, false);
}
