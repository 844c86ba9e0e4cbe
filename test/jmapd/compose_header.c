/*-------------------------------------------------------------------------
 *
 * compose_header.c
 *	  Header fields out of properties, for Email/set create (RFC 8621 section 4.6).
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

/* A text in one line? */
static bool
is_line(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) && !strpbrk(text, "\r\n");
}

/* Lines may be broken only where a blank follows.  The caller g_free()s it. */
static char *
raw_text(const json_t *value)
{
	const char *text = json_string_value(value);
	GString    *raw = g_string_new(NULL);

	if (text == NULL || strlen(text) != json_string_length(value))
		return g_string_free(raw, true);
	if (*text != ' ' && *text != '\t')
		g_string_append_c(raw, ' ');
	for (const char *c = text; *c; c++)
	{
		if (*c == '\r' && c[1] == '\n')
			continue;
		if (*c == '\r' || (*c == '\n' && c[1] != ' ' && c[1] != '\t'))
			return g_string_free(raw, true);
		g_string_append_c(raw, *c);
	}
	return g_string_free(raw, false);
}

static InternetAddress *
mailbox(const json_t *value)
{
	const json_t *name = json_object_get(value, "name");
	const json_t *email = json_object_get(value, "email");

	if (!is_line(email) || (name && !json_is_null(name) && !is_line(name)) || strpbrk(json_string_value(email), "<>"))
		return NULL;
	return internet_address_mailbox_new(json_string_value(name), json_string_value(email));
}

/* Adds mailboxes.  False if they are none. */
static bool
add_mailboxes(InternetAddressList *list, InternetAddressGroup *group, const json_t *values)
{
	size_t		i;
	json_t	   *value;

	if (!json_is_array(values))
		return false;
	json_array_foreach((json_t *) values, i, value)
	{
		InternetAddress *address = mailbox(value);

		if (address == NULL)
			return false;
		if (group)
			internet_address_group_add_member(group, address);
		else
			internet_address_list_add(list, address);
		g_object_unref(address);
	}
	return true;
}

static bool
add_groups(InternetAddressList *list, const json_t *values)
{
	size_t		i;
	json_t	   *value;

	if (!json_is_array(values))
		return false;
	json_array_foreach((json_t *) values, i, value)
	{
		const json_t *name = json_object_get(value, "name");
		const json_t *addresses = json_object_get(value, "addresses");

		if (is_line(name))
		{
			InternetAddress *group = internet_address_group_new(json_string_value(name));
			bool		done = add_mailboxes(NULL, INTERNET_ADDRESS_GROUP(group), addresses);

			internet_address_list_add(list, group);
			g_object_unref(group);
			if (!done)
				return false;
		}
		else if ((name && !json_is_null(name)) || !add_mailboxes(list, NULL, addresses))
			return false;
	}
	return true;
}

static char *
address_text(const json_t *value, bool grouped)
{
	InternetAddressList *list = internet_address_list_new();
	bool		done = grouped ? add_groups(list, value) : add_mailboxes(list, NULL, value);
	char	   *text = done ? internet_address_list_to_string(list, NULL, true) : NULL;

	g_object_unref(list);
	return done && text == NULL ? g_strdup("") : text;
}

/* Each in angle brackets, in a line of its own */
static char *
bracketed_text(const json_t *value, const char *separator)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
	size_t		i;
	json_t	   *element;

	if (!json_is_array(value) || json_array_size(value) == 0)
		return NULL;
	json_array_foreach((json_t *) value, i, element)
	{
		if (!is_line(element) || strpbrk(json_string_value(element), "<> \t"))
			return NULL;
		g_ptr_array_add(texts, g_strdup_printf("<%s>", json_string_value(element)));
	}
	g_ptr_array_add(texts, NULL);
	return g_strjoinv(separator, (char **) texts->pdata);
}

static char *
date_text(const json_t *value)
{
	int64_t		time;
	GDateTime  *date;
	char	   *text;

	if (!time_parse(json_string_value(value), false, &time))
		return NULL;
	date = g_date_time_new_from_iso8601(json_string_value(value), NULL);
	text = g_mime_utils_header_format_date(date);
	g_date_time_unref(date);
	return text;
}

/* Without the line end, folded.  NULL if the value is none of that form.  The caller g_free()s it. */
static char *
field_value(const char *name, Form form, const json_t *value)
{
	g_autofree char *text = NULL;
	g_autofree char *line = NULL;
	char	   *folded;

	switch (form)
	{
		case FORM_RAW:
			return raw_text(value);
		case FORM_TEXT:
			if (!is_line(value))
				return NULL;
			text = g_mime_utils_header_encode_text(NULL, json_string_value(value), "utf-8");
			line = g_strdup_printf("%s: %s", name, text);
			folded = g_mime_utils_unstructured_header_fold(NULL, NULL, line);
			break;
		case FORM_ADDRESSES:
		case FORM_GROUPED:
			text = address_text(value, form == FORM_GROUPED);
			if (text == NULL)
				return NULL;
			line = g_strdup_printf("%s: %s", name, text);
			folded = g_mime_utils_structured_header_fold(NULL, NULL, line);
			break;
		case FORM_MESSAGE_IDS:
		case FORM_URLS:
			text = bracketed_text(value, form == FORM_URLS ? ",\n " : "\n ");
			return text ? g_strconcat(" ", text, NULL) : NULL;
		default:
			text = date_text(value);
			return text ? g_strconcat(" ", text, NULL) : NULL;
	}
	/* Folded as a whole field, so that the name counts */
	text = g_strdup(folded + strlen(name) + 1);
	g_free(folded);
	return g_strdup(g_strchomp(text));
}

/* False if the value is none of that form. */
bool
compose_add_field(GMimeObject *object, const char *name, Form form, const json_t *value)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	g_autofree char *raw = field_value(name, form, value);
	g_autofree char *line = raw ? g_strconcat(raw, "\n", NULL) : NULL;

	if (raw == NULL)
		return false;
	g_mime_header_list_append(list, name, "", NULL);
	g_mime_header_set_raw_value(g_mime_header_list_get_header_at(list, g_mime_header_list_get_count(list) - 1), line);
	return true;
}

bool
compose_is_field(const char *property)
{
	Form		form;

	return g_str_has_prefix(property, "header:") || header_of_convenience(property, &form) != NULL;
}

/* Adds one, or with all each of a list. */
static bool
add_fields(GMimeObject *object, const char *name, Form form, bool all, const json_t *value)
{
	size_t		i;
	json_t	   *element;

	if (!all)
		return compose_add_field(object, name, form, value);
	if (!json_is_array(value))
		return false;
	json_array_foreach((json_t *) value, i, element)
	{
		if (!compose_add_field(object, name, form, element))
			return false;
	}
	return true;
}

/*
 * Adds the fields that are among a record's properties.  Those of a part may
 * not be of those already used, which are the message's; names are taken as
 * used.  Wrong ones are noted, with the path before them.
 */
bool
compose_fields(Composer *composer, GMimeObject *object, json_t *record, const char *path, GHashTable *used)
{
	const char *property;
	json_t	   *value;

	json_object_foreach(record, property, value)
	{
		Form		form = FORM_RAW;
		bool		all = false;
		bool		part = *path != '\0';
		const char *field = part ? NULL : header_of_convenience(property, &form);
		g_autofree char *name = g_strdup(field);
		g_autofree char *lower = NULL;
		bool		right;

		if (!field && !g_str_has_prefix(property, "header:"))
			continue;
		right = field || header_parse(property, &name, &form, &all);
		lower = name ? g_ascii_strdown(name, -1) : NULL;
		/* What describes the content has properties of its own. */
		if (right && (part ? strcmp(lower, "content-transfer-encoding") == 0 || strcmp(lower, "content-type") == 0 :
					  g_str_has_prefix(lower, "content-")))
			right = false;
		if (right && g_hash_table_contains(used, lower))
			right = false;
		/* Null is as good as nothing. */
		if (right && !json_is_null(value))
		{
			right = add_fields(object, name, form, all, value);
			g_hash_table_add(used, g_steal_pointer(&lower));
		}
		if (!right)
		{
			g_autofree char *whole = g_strconcat(path, property, NULL);

			composer->error = set_error_property(composer->error, whole);
		}
	}
	return composer->error == NULL;
}
