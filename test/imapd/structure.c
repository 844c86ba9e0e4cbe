/*-------------------------------------------------------------------------
 *
 * structure.c
 *	  ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2).
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "imapd.h"
#include "message.h"

static void
append_nstring(GString *out, const char *string)
{
	if (string == NULL)
		g_string_append(out, "NIL");
	else
		string_append_quoted(out, string);
}

/* A header's value as it came, on one line; NULL if there is none.  The caller g_free()s it. */
static char *
header_value(GMimeObject *object, const char *name)
{
	GMimeHeader *header = g_mime_header_list_get_header(g_mime_object_get_header_list(object), name);
	const char *raw = header ? g_mime_header_get_raw_value(header) : NULL;
	GString    *value;

	if (raw == NULL)
		return NULL;
	value = g_string_new(NULL);
	for (; *raw; raw++)
		if (*raw != '\r' && *raw != '\n')
			g_string_append_c(value, *raw);
	return g_strstrip(g_string_free(value, false));
}

static void
append_header(GString *out, GMimeObject *object, const char *name)
{
	char	   *value = header_value(object, name);

	append_nstring(out, value);
	g_free(value);
}

/* A name of a person, in ASCII, as in a header */
static void
append_phrase(GString *out, const char *name)
{
	if (name == NULL || *name == '\0')
		g_string_append(out, "NIL");
	else if (g_str_is_ascii(name))
		string_append_quoted(out, name);
	else
	{
		char	   *encoded = g_mime_utils_header_encode_phrase(NULL, name, "utf-8");

		append_nstring(out, encoded);
		g_free(encoded);
	}
}

static void
append_addresses(GString *out, InternetAddressList *list)
{
	for (int i = 0; i < internet_address_list_length(list); i++)
	{
		InternetAddress *address = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_GROUP(address))
		{
			InternetAddressList *members = internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address));

			g_string_append(out, "(NIL NIL ");
			append_phrase(out, internet_address_get_name(address));
			g_string_append(out, " NIL)");
			if (members)
				append_addresses(out, members);
			g_string_append(out, "(NIL NIL NIL NIL)");
		}
		else
		{
			const char *mailbox = internet_address_mailbox_get_idn_addr(INTERNET_ADDRESS_MAILBOX(address));
			const char *at = mailbox ? strrchr(mailbox, '@') : NULL;
			char	   *local = mailbox ? g_strndup(mailbox, at ? (size_t) (at - mailbox) : strlen(mailbox)) : NULL;

			g_string_append_c(out, '(');
			append_phrase(out, internet_address_get_name(address));
			g_string_append(out, " NIL ");
			append_nstring(out, local);
			g_string_append_c(out, ' ');
			append_nstring(out, at ? at + 1 : "");
			g_string_append_c(out, ')');
			g_free(local);
		}
	}
}

/* The addresses of a header, or of the other if there are none */
static void
append_address_header(GString *out, GMimeObject *object, const char *name, const char *otherwise)
{
	char	   *value = header_value(object, name);
	InternetAddressList *list = value ? internet_address_list_parse(NULL, value) : NULL;

	if (list && internet_address_list_length(list) > 0)
	{
		g_string_append_c(out, '(');
		append_addresses(out, list);
		g_string_append_c(out, ')');
	}
	else if (otherwise)
		append_address_header(out, object, otherwise, NULL);
	else
		g_string_append(out, "NIL");
	if (list)
		g_object_unref(list);
	g_free(value);
}

void
structure_envelope(GMimeMessage *message, GString *out)
{
	static const char *const fields[][2] = {
		{"From", NULL}, {"Sender", "From"}, {"Reply-To", "From"},
		{"To", NULL}, {"Cc", NULL}, {"Bcc", NULL},
	};
	GMimeObject *object = GMIME_OBJECT(message);

	g_string_append_c(out, '(');
	append_header(out, object, "Date");
	g_string_append_c(out, ' ');
	append_header(out, object, "Subject");
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
	{
		g_string_append_c(out, ' ');
		append_address_header(out, object, fields[i][0], fields[i][1]);
	}
	g_string_append_c(out, ' ');
	append_header(out, object, "In-Reply-To");
	g_string_append_c(out, ' ');
	append_header(out, object, "Message-Id");
	g_string_append_c(out, ')');
}

/* name "value" ..., or NIL; what is not ASCII as RFC 2231 has it */
static void
append_parameters(GString *out, GMimeParamList *params)
{
	int			n = params ? g_mime_param_list_length(params) : 0;

	if (n == 0)
	{
		g_string_append(out, "NIL");
		return;
	}
	for (int i = 0; i < n; i++)
	{
		GMimeParam *param = g_mime_param_list_get_parameter_at(params, i);
		const char *value = g_mime_param_get_value(param);
		char	   *name = g_strdup(g_mime_param_get_name(param));

		g_string_append_c(out, i == 0 ? '(' : ' ');
		if (value && !g_str_is_ascii(value))
		{
			char	   *escaped = g_uri_escape_string(value, NULL, false);
			char	   *extended = g_strconcat(name, "*", NULL);
			char	   *encoded = g_strconcat("utf-8''", escaped, NULL);

			append_nstring(out, extended);
			g_string_append_c(out, ' ');
			append_nstring(out, encoded);
			g_free(encoded);
			g_free(extended);
			g_free(escaped);
		}
		else
		{
			append_nstring(out, name);
			g_string_append_c(out, ' ');
			append_nstring(out, value ? value : "");
		}
		g_free(name);
	}
	g_string_append_c(out, ')');
}

/* Disposition, language and location, which all kinds of parts have */
static void
append_extension(GString *out, GMimeObject *object)
{
	GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(object);
	char	   *language = header_value(object, "Content-Language");

	g_string_append_c(out, ' ');
	if (disposition)
	{
		g_string_append_c(out, '(');
		append_nstring(out, g_mime_content_disposition_get_disposition(disposition));
		g_string_append_c(out, ' ');
		append_parameters(out, g_mime_content_disposition_get_parameters(disposition));
		g_string_append_c(out, ')');
	}
	else
		g_string_append(out, "NIL");
	g_string_append_c(out, ' ');
	if (language && *language)
	{
		char	  **tags = g_strsplit(language, ",", 20);

		for (char **tag = tags; *tag; tag++)
		{
			g_string_append_c(out, tag == tags ? '(' : ' ');
			append_nstring(out, g_strstrip(*tag));
		}
		g_string_append_c(out, ')');
		g_strfreev(tags);
	}
	else
		g_string_append(out, "NIL");
	g_string_append_c(out, ' ');
	append_header(out, object, "Content-Location");
	g_free(language);
}

static size_t
count_lines(const char *from, const char *to)
{
	size_t		lines = 0;

	while (from < to && (from = memchr(from, '\n', to - from)) != NULL)
	{
		lines++;
		from++;
	}
	return lines;
}

static void
append_multipart(const Message *message, const Part *part, bool extended, GString *out)
{
	GMimeContentType *type = g_mime_object_get_content_type(part->object);

	g_string_append_c(out, '(');
	for (guint i = 0; i < part->parts->len; i++)
		structure_body(message, part->parts->pdata[i], extended, out);
	if (part->parts->len == 0)	/* there has to be one */
		g_string_append(out, "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
	g_string_append_c(out, ' ');
	append_nstring(out, g_mime_content_type_get_media_subtype(type));
	if (extended)
	{
		g_string_append_c(out, ' ');
		append_parameters(out, g_mime_content_type_get_parameters(type));
		append_extension(out, part->object);
	}
	g_string_append_c(out, ')');
}

/* What is no multipart; part->object may be NULL */
void
structure_body(const Message *message, const Part *part, bool extended, GString *out)
{
	GMimeObject *object = part->object;
	GMimeContentType *type = object ? g_mime_object_get_content_type(object) : NULL;
	const char *media;
	const char *subtype;
	char	   *encoding;

	if (object == NULL)
	{
		g_string_append(out, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)");
		return;
	}
	if (part->parts)
	{
		append_multipart(message, part, extended, out);
		return;
	}
	media = type ? g_mime_content_type_get_media_type(type) : "text";
	subtype = type ? g_mime_content_type_get_media_subtype(type) : "plain";
	/* A multipart without boundary, or a message that is encoded, is not taken apart. */
	if (g_ascii_strcasecmp(media, "multipart") == 0 ||
		(g_ascii_strcasecmp(media, "message") == 0 && g_ascii_strcasecmp(subtype, "rfc822") == 0 && !part->inner))
	{
		media = "application";
		subtype = "octet-stream";
	}
	if (part->inner)
	{
		media = "message";
		subtype = "rfc822";
	}
	g_string_append_c(out, '(');
	append_nstring(out, media);
	g_string_append_c(out, ' ');
	append_nstring(out, subtype);
	g_string_append_c(out, ' ');
	if (g_mime_object_get_header(object, "Content-Type") == NULL && g_ascii_strcasecmp(media, "text") == 0)
		g_string_append(out, "(\"charset\" \"us-ascii\")");
	else
		append_parameters(out, type ? g_mime_content_type_get_parameters(type) : NULL);
	g_string_append_c(out, ' ');
	append_header(out, object, "Content-Id");
	g_string_append_c(out, ' ');
	append_header(out, object, "Content-Description");
	g_string_append_c(out, ' ');
	encoding = header_value(object, "Content-Transfer-Encoding");
	append_nstring(out, encoding && *encoding ? encoding : "7bit");
	g_free(encoding);
	g_string_append_printf(out, " %zu", part->end - part->body);
	if (part->inner)
	{
		g_string_append_c(out, ' ');
		structure_envelope(part->inner->message, out);
		g_string_append_c(out, ' ');
		structure_body(message, part->inner, extended, out);
	}
	if (part->inner || g_ascii_strcasecmp(media, "text") == 0)
		g_string_append_printf(out, " %zu", count_lines(message->raw + part->body, message->raw + part->end));
	if (extended)
	{
		g_string_append_c(out, ' ');
		append_header(out, object, "Content-MD5");
		append_extension(out, object);
	}
	g_string_append_c(out, ')');
}
