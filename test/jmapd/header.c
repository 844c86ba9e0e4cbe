/*-------------------------------------------------------------------------
 *
 * header.c
 *	  Header fields, in the forms of RFC 8621 section 4.1.2.
 *
 *	  GMime parses them.  It keeps the fields that describe content apart from
 *	  the message's others: here they are in the order of the message again.
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

static const struct
{
	const char *name;
	Form		form;
}			forms[] = {
	{"asRaw", FORM_RAW}, {"asText", FORM_TEXT}, {"asAddresses", FORM_ADDRESSES},
	{"asGroupedAddresses", FORM_GROUPED}, {"asMessageIds", FORM_MESSAGE_IDS},
	{"asDate", FORM_DATE}, {"asURLs", FORM_URLS},
};

#define FORM_LIST	(FORM_ADDRESSES | FORM_GROUPED)

/* Those of RFC 5322 and RFC 2369, and in which forms they may be had; others in all forms */
static const struct
{
	const char *name;
	int			forms;
}			defined[] = {
	{"From", FORM_LIST}, {"Sender", FORM_LIST}, {"Reply-To", FORM_LIST}, {"To", FORM_LIST}, {"Cc", FORM_LIST},
	{"Bcc", FORM_LIST}, {"Resent-From", FORM_LIST}, {"Resent-Sender", FORM_LIST}, {"Resent-Reply-To", FORM_LIST},
	{"Resent-To", FORM_LIST}, {"Resent-Cc", FORM_LIST}, {"Resent-Bcc", FORM_LIST},
	{"Message-ID", FORM_MESSAGE_IDS}, {"In-Reply-To", FORM_MESSAGE_IDS}, {"References", FORM_MESSAGE_IDS},
	{"Resent-Message-ID", FORM_MESSAGE_IDS}, {"Date", FORM_DATE}, {"Resent-Date", FORM_DATE},
	{"Subject", FORM_TEXT}, {"Comments", FORM_TEXT}, {"Keywords", FORM_TEXT}, {"List-Id", FORM_TEXT},
	{"List-Help", FORM_URLS}, {"List-Unsubscribe", FORM_URLS}, {"List-Subscribe", FORM_URLS},
	{"List-Post", FORM_URLS}, {"List-Owner", FORM_URLS}, {"List-Archive", FORM_URLS},
	{"Return-Path", 0}, {"Received", 0},
};

/* The properties that stand for a field in a form */
static const struct
{
	const char *property;
	const char *header;
	Form		form;
}			conveniences[] = {
	{"messageId", "Message-ID", FORM_MESSAGE_IDS}, {"inReplyTo", "In-Reply-To", FORM_MESSAGE_IDS},
	{"references", "References", FORM_MESSAGE_IDS}, {"sender", "Sender", FORM_ADDRESSES},
	{"from", "From", FORM_ADDRESSES}, {"to", "To", FORM_ADDRESSES}, {"cc", "Cc", FORM_ADDRESSES},
	{"bcc", "Bcc", FORM_ADDRESSES}, {"replyTo", "Reply-To", FORM_ADDRESSES},
	{"subject", "Subject", FORM_TEXT}, {"sentAt", "Date", FORM_DATE},
};

/* --- values ------------------------------------------------------------------------------- */

/* As it came, in UTF-8.  The caller g_free()s it. */
static char *
raw_value(GMimeHeader *header)
{
	const char *raw = g_mime_header_get_raw_value(header);
	size_t		length = raw ? strlen(raw) : 0;

	while (length > 0 && (raw[length - 1] == '\n' || raw[length - 1] == '\r'))
		length--;
	return g_utf8_make_valid(raw ? raw : "", length);
}

static json_t *
text_json(const char *raw)
{
	g_autofree char *unfolded = g_mime_utils_header_unfold(raw);
	g_autofree char *decoded = g_mime_utils_header_decode_text(NULL, unfolded);
	g_autofree char *valid = g_utf8_make_valid(decoded, -1);
	g_autofree char *text = g_utf8_normalize(valid, -1, G_NORMALIZE_NFC);

	return json_string(g_strstrip(text));
}

static json_t *
mailbox_json(InternetAddress *address)
{
	const char *name = internet_address_get_name(address);
	const char *email = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address));
	g_autofree char *valid_name = name ? g_utf8_make_valid(name, -1) : NULL;
	g_autofree char *valid_email = g_utf8_make_valid(email ? email : "", -1);

	return json_pack("{so, ss}", "name", valid_name && *g_strstrip(valid_name) ? json_string(valid_name) : json_null(),
					 "email", valid_email);
}

/* Members of groups too, groups left out */
static void
add_mailboxes(json_t *json, InternetAddressList *list)
{
	for (int i = 0; list && i < internet_address_list_length(list); i++)
	{
		InternetAddress *address = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_GROUP(address))
			add_mailboxes(json, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)));
		else
			json_array_append_new(json, mailbox_json(address));
	}
}

static json_t *
header_addresses(const char *value)
{
	InternetAddressList *list = internet_address_list_parse(NULL, value);
	json_t	   *json = json_array();

	add_mailboxes(json, list);
	if (list)
		g_object_unref(list);
	return json;
}

/* Mailboxes outside of a group that follow each other are one without a name. */
static json_t *
grouped_addresses(const char *value)
{
	InternetAddressList *list = internet_address_list_parse(NULL, value);
	json_t	   *json = json_array();
	json_t	   *loose = NULL;

	for (int i = 0; list && i < internet_address_list_length(list); i++)
	{
		InternetAddress *address = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_GROUP(address))
		{
			const char *name = internet_address_get_name(address);
			g_autofree char *valid = g_utf8_make_valid(name ? name : "", -1);
			json_t	   *members = json_array();

			add_mailboxes(members, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)));
			json_array_append_new(json, json_pack("{ss, so}", "name", valid, "addresses", members));
			loose = NULL;
			continue;
		}
		if (loose == NULL)
		{
			loose = json_array();
			json_array_append_new(json, json_pack("{sn, so}", "name", "addresses", loose));
		}
		json_array_append_new(loose, mailbox_json(address));
	}
	if (list)
		g_object_unref(list);
	return json;
}

/* What is in angle brackets; null if there is nothing */
static json_t *
bracketed(const char *value)
{
	json_t	   *json = json_array();

	for (const char *open = strchr(value, '<'); open; open = strchr(open + 1, '<'))
	{
		const char *close = strchr(open, '>');
		g_autoptr(GString) text = g_string_new(NULL);

		if (close == NULL)
			break;
		for (const char *c = open + 1; c < close; c++)
			if (!g_ascii_isspace(*c))
				g_string_append_c(text, *c);
		json_array_append_new(json, json_string(text->str));
		open = close;
	}
	if (json_array_size(json) > 0)
		return json;
	json_decref(json);
	return json_null();
}

static json_t *
message_ids(const char *value)
{
	GMimeReferences *references = g_mime_references_parse(NULL, value);
	json_t	   *json = json_array();

	for (int i = 0; references && i < g_mime_references_length(references); i++)
		json_array_append_new(json, json_string(g_mime_references_get_message_id(references, i)));
	if (references)
		g_mime_references_free(references);
	if (json_array_size(json) > 0)
		return json;
	json_decref(json);
	return json_null();
}

static json_t *
date_json(const char *value)
{
	GDateTime  *time = g_mime_utils_header_decode_date(value);
	char	   *text = NULL;
	json_t	   *json;

	if (time)
		text = g_date_time_format(time, g_date_time_get_utc_offset(time) == 0 ?
								  "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%dT%H:%M:%S%:z");
	json = text ? json_string(text) : json_null();
	g_free(text);
	if (time)
		g_date_time_unref(time);
	return json;
}

static json_t *
value_json(GMimeHeader *header, Form form)
{
	g_autofree char *raw = raw_value(header);
	g_autofree char *unfolded = g_mime_utils_header_unfold(raw);

	switch (form)
	{
		case FORM_RAW:
			return json_string(raw);
		case FORM_TEXT:
			return text_json(raw);
		case FORM_ADDRESSES:
			return header_addresses(unfolded);
		case FORM_GROUPED:
			return grouped_addresses(unfolded);
		case FORM_MESSAGE_IDS:
			return message_ids(unfolded);
		case FORM_DATE:
			return date_json(unfolded);
		case FORM_URLS:
			return bracketed(unfolded);
	}
	return json_null();
}

/* --- fields -------------------------------------------------------------------------------- */

static gint
compare_offsets(gconstpointer a, gconstpointer b)
{
	gint64		left = g_mime_header_get_offset(*(GMimeHeader *const *) a);
	gint64		right = g_mime_header_get_offset(*(GMimeHeader *const *) b);

	return (left > right) - (left < right);
}

static void
add_fields(GPtrArray *fields, GMimeObject *object)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);

	for (int i = 0; i < g_mime_header_list_get_count(list); i++)
	{
		GMimeHeader *header = g_mime_header_list_get_header_at(list, i);

		/* GMime makes up some that are not in the message. */
		if (g_mime_header_get_offset(header) >= 0)
			g_ptr_array_add(fields, header);
	}
}

/* A part's; or a message's with those of its body, which are in the same header */
static GPtrArray *
all_fields(GMimeObject *object)
{
	GPtrArray  *fields = g_ptr_array_new();

	add_fields(fields, object);
	if (GMIME_IS_MESSAGE(object) && g_mime_message_get_mime_part(GMIME_MESSAGE(object)))
	{
		add_fields(fields, g_mime_message_get_mime_part(GMIME_MESSAGE(object)));
		g_ptr_array_sort(fields, compare_offsets);
	}
	return fields;
}

/* The last of that name, or all */
static json_t *
fields_json(GMimeObject *object, const char *name, Form form, bool all)
{
	g_autoptr(GPtrArray) fields = all_fields(object);
	json_t	   *list = json_array();
	json_t	   *last;

	for (guint i = 0; i < fields->len; i++)
		if (g_ascii_strcasecmp(g_mime_header_get_name(fields->pdata[i]), name) == 0)
			json_array_append_new(list, value_json(fields->pdata[i], form));
	if (all)
		return list;
	last = json_array_size(list) > 0 ? json_incref(json_array_get(list, json_array_size(list) - 1)) : json_null();
	json_decref(list);
	return last;
}

/* --- properties ------------------------------------------------------------------------------- */

/* Takes "header:name:form:all" apart.  False if it is none such, or not allowed. */
bool
header_parse(const char *property, char **name, Form *form, bool *all)
{
	g_auto(GStrv) words = g_strsplit(property, ":", -1);
	guint		n = g_strv_length(words);
	guint		i = 2;
	int			allowed = ~0;

	*form = FORM_RAW;
	*all = false;
	if (n < 2 || strcmp(words[0], "header") != 0 || *words[1] == '\0')
		return false;
	for (const char *c = words[1]; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	if (i < n && g_str_has_prefix(words[i], "as"))
	{
		size_t		k = 0;

		while (k < G_N_ELEMENTS(forms) && strcmp(forms[k].name, words[i]) != 0)
			k++;
		if (k == G_N_ELEMENTS(forms))
			return false;
		*form = forms[k].form;
		i++;
	}
	if (i < n && strcmp(words[i], "all") == 0)
	{
		*all = true;
		i++;
	}
	for (size_t k = 0; k < G_N_ELEMENTS(defined); k++)
		if (g_ascii_strcasecmp(defined[k].name, words[1]) == 0)
			allowed = defined[k].forms | FORM_RAW;
	if (i < n || !(allowed & *form))
		return false;
	*name = g_strdup(words[1]);
	return true;
}

bool
header_property_valid(const char *property)
{
	g_autofree char *name = NULL;
	Form		form;
	bool		all;

	return header_parse(property, &name, &form, &all);
}

/* The value of a property that is valid */
json_t *
header_property(GMimeObject *object, const char *property)
{
	g_autofree char *name = NULL;
	Form		form;
	bool		all;

	if (!header_parse(property, &name, &form, &all))
		return json_null();
	return fields_json(object, name, form, all);
}

/* The field that a property like sentAt is; NULL if it is none */
const char *
header_of_convenience(const char *property, Form *form)
{
	for (size_t i = 0; i < G_N_ELEMENTS(conveniences); i++)
		if (strcmp(conveniences[i].property, property) == 0)
		{
			*form = conveniences[i].form;
			return conveniences[i].header;
		}
	return NULL;
}

json_t *
header_convenience(GMimeObject *object, const char *property)
{
	for (size_t i = 0; i < G_N_ELEMENTS(conveniences); i++)
		if (strcmp(conveniences[i].property, property) == 0)
			return fields_json(object, conveniences[i].header, conveniences[i].form, false);
	return NULL;
}

/* The property headers */
json_t *
header_all(GMimeObject *object)
{
	g_autoptr(GPtrArray) fields = all_fields(object);
	json_t	   *json = json_array();

	for (guint i = 0; i < fields->len; i++)
	{
		g_autofree char *raw = raw_value(fields->pdata[i]);

		json_array_append_new(json, json_pack("{ss, ss}", "name", g_mime_header_get_name(fields->pdata[i]),
											  "value", raw));
	}
	return json;
}
