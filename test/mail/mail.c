/*-------------------------------------------------------------------------
 *
 * mail.c
 *	  What both front ends do with what they read and write: arrays of
 *	  PostgreSQL, and what makes a thread (RFC 8621 section 3).
 *
 *-------------------------------------------------------------------------
 */
#include <gmime/gmime.h>
#include <stdbool.h>
#include <string.h>

#include "mail.h"

/* What is longer is cut: a row of an index has its limit. */
#define MAX_KEY		400

/* Texts as an array literal of PostgreSQL.  The caller g_free()s it. */
char *
text_array(const GPtrArray *texts)
{
	GString    *text = g_string_new("{");

	for (guint i = 0; i < texts->len; i++)
	{
		if (i > 0)
			g_string_append_c(text, ',');
		g_string_append_c(text, '"');
		for (const char *c = texts->pdata[i]; *c; c++)
		{
			if (*c == '"' || *c == '\\')
				g_string_append_c(text, '\\');
			g_string_append_c(text, *c);
		}
		g_string_append_c(text, '"');
	}
	g_string_append_c(text, '}');
	return g_string_free(text, false);
}

static void
add_id(GPtrArray *ids, const char *id)
{
	char	   *valid;

	if (*id == '\0')
		return;
	valid = g_utf8_make_valid(id, MIN(strlen(id), MAX_KEY));
	g_ptr_array_add(ids, valid);
}

static void
add_ids(GPtrArray *ids, GMimeMessage *message, const char *header)
{
	const char *value = g_mime_object_get_header(GMIME_OBJECT(message), header);
	GMimeReferences *references = value ? g_mime_references_parse(NULL, value) : NULL;

	for (int i = 0; references && i < g_mime_references_length(references); i++)
		add_id(ids, g_mime_references_get_message_id(references, i));
	if (references)
		g_mime_references_free(references);
}

/* Skips one "Re:", "Fwd[2]:" or "[list]" at the beginning; what it is given if there is none */
static const char *
skip_prefix(const char *subject)
{
	static const char *const words[] = {"re", "fwd", "fw"};

	if (*subject == '[')
	{
		const char *end = strchr(subject, ']');

		return end && strspn(end + 1, " \t\r\n") < strlen(end + 1) ? end + 1 : subject;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
	{
		const char *at = subject + strlen(words[i]);

		if (g_ascii_strncasecmp(subject, words[i], strlen(words[i])) != 0)
			continue;
		at += strspn(at, " \t");
		if (*at == '[' && strchr(at, ']'))
			at = strchr(at, ']') + 1;
		if (*at == ':')
			return at + 1;
	}
	return subject;
}

/*
 * The base subject of RFC 5256 section 2.1, or nearly: without what answering,
 * forwarding and lists put before or behind it.  The caller g_free()s it.
 */
char *
base_subject(const char *subject)
{
	char	   *valid = g_utf8_make_valid(subject ? subject : "", -1);
	GString    *base = g_string_new(NULL);
	const char *at = valid;
	const char *next;

	for (;;)
	{
		at += strspn(at, " \t\r\n");
		next = skip_prefix(at);
		if (next == at)
			break;
		at = next;
	}
	for (; *at; at++)
		if (!strchr(" \t\r\n", *at))
			g_string_append_c(base, *at);
		else if (base->len > 0 && base->str[base->len - 1] != ' ')
			g_string_append_c(base, ' ');
	for (;;)
	{
		if (base->len > 0 && base->str[base->len - 1] == ' ')
			g_string_truncate(base, base->len - 1);
		else if (base->len >= 5 && g_ascii_strcasecmp(base->str + base->len - 5, "(fwd)") == 0)
			g_string_truncate(base, base->len - 5);
		else
			break;
	}
	g_free(valid);
	return g_string_free(base, false);
}

ThreadKey
thread_key(const char *raw, size_t length)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(raw, length);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	GPtrArray  *ids = g_ptr_array_new_with_free_func(g_free);
	char	   *base = base_subject(message ? g_mime_message_get_subject(message) : NULL);
	char	   *folded = g_utf8_casefold(base, -1);
	ThreadKey	key;

	if (message)
	{
		add_ids(ids, message, "Message-ID");
		add_ids(ids, message, "In-Reply-To");
		add_ids(ids, message, "References");
		g_object_unref(message);
	}
	key.ids = text_array(ids);
	key.subject = g_utf8_make_valid(folded, MIN(strlen(folded), MAX_KEY));
	g_free(folded);
	g_free(base);
	g_ptr_array_unref(ids);
	g_object_unref(parser);
	g_object_unref(stream);
	return key;
}

void
thread_key_free(ThreadKey *key)
{
	g_free(key->ids);
	g_free(key->subject);
}
