/*-------------------------------------------------------------------------
 *
 * email_get.c
 *	  Email/get and Email/parse (RFC 8621 sections 4.2 and 4.9).
 *
 *-------------------------------------------------------------------------
 */
#include "methods.h"

#define PART_PROPERTIES \
	"partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location"

static const char *const part_properties[] = {PART_PROPERTIES, "headers", "subParts"};

/* Those that are in the message */
static const char *const parsed[] = {
	"messageId", "inReplyTo", "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt",
	"hasAttachment", "preview", "bodyValues", "textBody", "htmlBody", "attachments", "headers", "bodyStructure",
};

/* How many of them come if none are named */
#define DEFAULT_PARSED	17

static const char *const metadata[] = {
	"id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt",
};

#define BODY_ARGS \
	{"properties", ARG_STRINGS, ARG_NULL}, \
	{"bodyProperties", ARG_STRINGS, 0}, \
	{"fetchTextBodyValues", ARG_BOOL, 0}, \
	{"fetchHTMLBodyValues", ARG_BOOL, 0}, \
	{"fetchAllBodyValues", ARG_BOOL, 0}, \
	{"maxBodyValueBytes", ARG_UINT, 0}

static const Arg get_args[] = {
	{"ids", ARG_IDS, ARG_NULL},
	BODY_ARGS
};

static const Arg parse_args[] = {
	{"blobIds", ARG_IDS, ARG_REQUIRED},
	BODY_ARGS
};

static bool
is_in(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static bool
check_properties(Call *call)
{
	size_t		i;
	json_t	   *value;

	json_array_foreach(arg_get(call, "properties"), i, value)
	{
		const char *name = json_string_value(value);

		if (!is_in(name, metadata, G_N_ELEMENTS(metadata)) && !is_in(name, parsed, G_N_ELEMENTS(parsed)) &&
			!header_property_valid(name))
			call_fail(call, "invalidArguments", "There is no property %s", name);
	}
	json_array_foreach(arg_get(call, "bodyProperties"), i, value)
	{
		const char *name = json_string_value(value);

		if (!is_in(name, part_properties, G_N_ELEMENTS(part_properties)) && !header_property_valid(name))
			call_fail(call, "invalidArguments", "There is no property %s of a part", name);
	}
	return call->error == NULL;
}

/* --- what is in the message ------------------------------------------------------------------ */

static json_t *
part_list(const Message *message, const char *blob, const GPtrArray *parts, const json_t *properties)
{
	json_t	   *list = json_array();

	for (guint i = 0; i < parts->len; i++)
		json_array_append_new(list, body_part(message, blob, parts->pdata[i], properties));
	return list;
}

static void
add_values(const Call *call, const Message *message, const GPtrArray *parts, json_t *values)
{
	for (guint i = 0; i < parts->len; i++)
	{
		g_autofree char *id = body_part_id(message, parts->pdata[i]);
		json_t	   *value = body_value(parts->pdata[i], arg_int(call, "maxBodyValueBytes", 0));

		if (value)
			json_object_set_new(values, id, value);
	}
}

static json_t *
body_values(const Call *call, const Message *message, const GPtrArray *text, const GPtrArray *html,
			const GPtrArray *attachments)
{
	bool		all = arg_bool(call, "fetchAllBodyValues", false);
	json_t	   *values = json_object();

	if (all || arg_bool(call, "fetchTextBodyValues", false))
		add_values(call, message, text, values);
	if (all || arg_bool(call, "fetchHTMLBodyValues", false))
		add_values(call, message, html, values);
	if (all)
		add_values(call, message, attachments, values);
	return values;
}

/* A property of the message; NULL if it is none */
static json_t *
parsed_property(Call *call, const Message *message, const char *blob, const char *name, const json_t *properties)
{
	g_autoptr(GPtrArray) text = g_ptr_array_new();
	g_autoptr(GPtrArray) html = g_ptr_array_new();
	g_autoptr(GPtrArray) attachments = g_ptr_array_new();
	GMimeObject *header = GMIME_OBJECT(message->gmime);
	Form		form;

	if (g_str_has_prefix(name, "header:"))
		return header_property(header, name);
	if (header_of_convenience(name, &form))
		return header_convenience(header, name);
	if (strcmp(name, "headers") == 0)
		return header_all(header);
	if (strcmp(name, "bodyStructure") == 0)
		return body_structure(message, blob, properties);
	if (strcmp(name, "hasAttachment") == 0)
		return json_boolean(body_has_attachment(message));
	if (strcmp(name, "preview") == 0)
	{
		g_autofree char *preview = body_preview(message);

		return json_string(preview);
	}
	body_lists(message, text, html, attachments);
	if (strcmp(name, "bodyValues") == 0)
		return body_values(call, message, text, html, attachments);
	if (strcmp(name, "textBody") == 0)
		return part_list(message, blob, text, properties);
	if (strcmp(name, "htmlBody") == 0)
		return part_list(message, blob, html, properties);
	if (strcmp(name, "attachments") == 0)
		return part_list(message, blob, attachments, properties);
	return NULL;
}

/* Adds the properties that are in the message. */
static void
add_parsed(Call *call, const Message *message, const char *blob, json_t *json)
{
	json_t	   *properties = arg_get(call, "properties");
	json_auto_t *of_parts = arg_get(call, "bodyProperties") ? json_incref(arg_get(call, "bodyProperties")) :
		json_pack("[ssssssssss]", PART_PROPERTIES);
	size_t		i;
	json_t	   *name;

	json_array_foreach(properties, i, name)
	{
		json_t	   *value = parsed_property(call, message, blob, json_string_value(name), of_parts);

		if (value)
			json_object_set_new(json, json_string_value(name), value);
	}
	for (i = 0; properties == NULL && i < DEFAULT_PARSED; i++)
		json_object_set_new(json, parsed[i], parsed_property(call, message, blob, parsed[i], of_parts));
}

static bool
needs_message(const Call *call)
{
	json_t	   *properties = arg_get(call, "properties");
	size_t		i;
	json_t	   *name;

	json_array_foreach(properties, i, name)
	{
		if (!is_in(json_string_value(name), metadata, G_N_ELEMENTS(metadata)))
			return true;
	}
	return properties == NULL;
}

/* --- Email/get ------------------------------------------------------------------------------------ */

/* NULL if the database has failed; json null if the Email's text is gone meanwhile */
static json_t *
email_json(Call *call, const Email *email)
{
	json_t	   *json = json_pack("{so}", "id", id_json('E', email->id));
	g_autofree char *blob = blob_of_hex(email->blob);
	g_autofree char *received = time_json(email->received);
	Message		message;

	if (wants(call, "blobId"))
		json_object_set_new(json, "blobId", json_string(blob));
	if (wants(call, "threadId"))
		json_object_set_new(json, "threadId", id_json('T', email->thread));
	if (wants(call, "mailboxIds"))
		json_object_set_new(json, "mailboxIds", email_mailboxes(email));
	if (wants(call, "keywords"))
		json_object_set_new(json, "keywords", email_keywords(email));
	if (wants(call, "size"))
		json_object_set_new(json, "size", json_integer(email->size));
	if (wants(call, "receivedAt"))
		json_object_set_new(json, "receivedAt", json_string(received));
	if (!needs_message(call))
		return json;
	if (!message_load(call, blob, &message))
	{
		json_decref(json);
		return NULL;
	}
	if (message.gmime)
		add_parsed(call, &message, blob, json);
	else
	{
		json_decref(json);
		json = json_null();
	}
	message_close(&message);
	return json;
}

/* The list in the order in which the ids were asked for.  False if the database has failed */
static bool
add_emails(Call *call, GetIds *get, const GPtrArray *emails, json_t *list)
{
	g_autoptr(GHashTable) known = g_hash_table_new(g_int64_hash, g_int64_equal);

	for (guint i = 0; i < emails->len; i++)
		g_hash_table_insert(known, &((Email *) emails->pdata[i])->id, emails->pdata[i]);
	for (guint i = 0; i < get->ids->len; i++)
	{
		int64_t		id = g_array_index(get->ids, int64_t, i);
		const Email *email = g_hash_table_lookup(known, &id);
		json_t	   *json = email ? email_json(call, email) : json_null();

		if (json == NULL)
			return false;
		if (json_is_null(json))
			json_array_append_new(get->not_found, id_json('E', id));
		else
			json_array_append_new(list, json);
	}
	return true;
}

json_t *
email_get(Call *call)
{
	Db		   *db = call->db;
	GetIds		get;
	States		states = {{NULL}};
	json_t	   *response = NULL;
	char	   *ids;

	if (!call_args(call, get_args, G_N_ELEMENTS(get_args)) || !check_properties(call) || !get_ids(call, 'E', &get))
		return NULL;
	if (get.all)
	{
		get_ids_free(&get);
		return call_fail(call, "requestTooLarge", "Name the ids");
	}
	ids = ids_array(get.ids);
	db_queue(db, SQL_BEGIN_READING, "");
	db_queue(db, SQL_ACCOUNT_STATE, "i", call->user->id);
	db_queue(db, SQL_EMAILS, "is", call->user->id, ids);
	db_queue(db, SQL_COMMIT, "");
	if (!db_run(db))
		call_fail_database(call);
	else if (!states_take(&states, db->results[1]))
		call_fail(call, "accountNotFound", NULL);
	else
	{
		g_autoptr(GPtrArray) emails = emails_read(db->results[2], false);
		json_t	   *list = json_array();

		if (add_emails(call, &get, emails, list))
			response = json_pack("{ss, ss, sO, sO}", "accountId", call->user->account,
								 "state", states.of[TYPE_EMAIL], "list", list, "notFound", get.not_found);
		else
			call_fail_database(call);
		json_decref(list);
	}
	states_free(&states);
	g_free(ids);
	get_ids_free(&get);
	return response;
}

/* --- Email/parse --------------------------------------------------------------------------------------- */

/* What is not known of a message that is in no mailbox is null. */
static json_t *
parsed_json(Call *call, const Message *message, const char *blob)
{
	json_t	   *json = json_object();
	size_t		i;
	json_t	   *name;

	json_array_foreach(arg_get(call, "properties"), i, name)
	{
		if (is_in(json_string_value(name), metadata, G_N_ELEMENTS(metadata)))
			json_object_set_new(json, json_string_value(name), json_null());
	}
	if (json_object_get(json, "blobId"))
		json_object_set_new(json, "blobId", json_string(blob));
	if (json_object_get(json, "size"))
		json_object_set_new(json, "size", json_integer(message->length));
	add_parsed(call, message, blob, json);
	return json;
}

json_t *
email_parse(Call *call)
{
	json_auto_t *found = json_object();
	json_auto_t *not_parsable = json_array();
	json_auto_t *not_found = json_array();
	size_t		i;
	json_t	   *value;

	if (!call_args(call, parse_args, G_N_ELEMENTS(parse_args)) || !check_properties(call))
		return NULL;
	if (json_array_size(arg_get(call, "blobIds")) > MAX_OBJECTS_IN_GET)
		return call_fail(call, "requestTooLarge", NULL);
	json_array_foreach(arg_get(call, "blobIds"), i, value)
	{
		const char *id = json_string_value(value);
		Message		message;

		if (!message_load(call, id, &message))
			return call_fail_database(call);
		if (message.gmime == NULL)
			json_array_append(not_found, value);
		else if (!message_is_plausible(message.raw, message.length))
			json_array_append(not_parsable, value);
		else
			json_object_set_new(found, id, parsed_json(call, &message, id));
		message_close(&message);
	}
	return json_pack("{ss, so, so, so}", "accountId", call->user->account, "parsed", or_null(found),
					 "notParsable", or_null(not_parsable), "notFound", or_null(not_found));
}
