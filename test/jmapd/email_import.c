/*-------------------------------------------------------------------------
 *
 * email_import.c
 *	  Email/import and Email/copy (RFC 8621 sections 4.7 and 4.8).
 *
 *	  Blobs are read before the account is locked.
 *
 *-------------------------------------------------------------------------
 */
#include "methods.h"

static const Arg args[] = {
	{"ifInState", ARG_STRING, ARG_NULL},
	{"emails", ARG_OBJECT, ARG_REQUIRED},
};

static const Arg copy_args[] = {
	{"fromAccountId", ARG_ID, ARG_REQUIRED},
	{"ifFromInState", ARG_STRING, ARG_NULL},
	{"ifInState", ARG_STRING, ARG_NULL},
	{"create", ARG_OBJECT, ARG_REQUIRED},
	{"onSuccessDestroyOriginal", ARG_BOOL, 0},
	{"destroyFromIfInState", ARG_STRING, ARG_NULL},
};

typedef struct Import
{
	GPtrArray  *emails;			/* NewEmail */
	json_t	   *refused;		/* those that are wrong, whatever the account has */
	json_t	   *created;
	json_t	   *not_created;
} Import;

/* Lines end in CRLF, for IMAP. */
static GByteArray *
with_crlf(GByteArray *octets)
{
	GByteArray *text = g_byte_array_sized_new(octets->len + octets->len / 32);

	for (guint i = 0; i < octets->len; i++)
	{
		if (octets->data[i] == '\n' && (i == 0 || octets->data[i - 1] != '\r'))
			g_byte_array_append(text, (const guint8 *) "\r", 1);
		g_byte_array_append(text, octets->data + i, 1);
	}
	g_byte_array_unref(octets);
	return text;
}

/* When the last server got it; NULL if it does not say.  The caller g_free()s it. */
static char *
received_date(const GByteArray *raw)
{
	Message		message = {NULL};
	json_auto_t *fields = NULL;
	const char *last;
	GDateTime  *time;
	char	   *text = NULL;

	message_open(&message, g_memdup2(raw->data, raw->len), raw->len);
	fields = header_property(GMIME_OBJECT(message.gmime), "header:Received:all");
	message_close(&message);
	last = json_string_value(json_array_get(fields, 0));
	last = last ? strrchr(last, ';') : NULL;
	time = last ? g_mime_utils_header_decode_date(last + 1) : NULL;
	if (time)
	{
		text = time_json(g_date_time_to_unix(time) * 1000000);
		g_date_time_unref(time);
	}
	return text;
}

static bool
check_names(const json_t *record, json_t **error)
{
	static const char *const known[] = {"blobId", "mailboxIds", "keywords", "receivedAt"};
	const char *name;
	json_t	   *value;

	json_object_foreach((json_t *) record, name, value)
	{
		size_t		i = 0;

		while (i < G_N_ELEMENTS(known) && strcmp(known[i], name) != 0)
			i++;
		if (i == G_N_ELEMENTS(known))
			*error = set_error_property(*error, name);
	}
	return *error == NULL;
}

/* Reads one.  False if the database has failed. */
static bool
prepare(Call *call, Import *import, const char *creation_id, json_t *record)
{
	NewEmail   *new = new_email(creation_id);
	const char *blob = json_string_value(json_object_get(record, "blobId"));
	json_t	   *error = NULL;

	g_ptr_array_add(import->emails, new);
	if (!json_is_object(record))
		error = set_error("invalidProperties", NULL);
	else if (check_names(record, &error))
	{
		if (blob && !blob_read(call->db, call->user, blob, &new->raw))
			return false;
		if (new->raw == NULL)
			error = set_error_property(error, "blobId");
		error = email_take_mailboxes(call, json_object_get(record, "mailboxIds"), new->mailboxes, error);
		error = email_take_keywords(json_object_get(record, "keywords"), new->keywords, error);
		error = email_take_received(json_object_get(record, "receivedAt"), &new->received, error);
	}
	if (!error && !message_is_plausible((const char *) new->raw->data, new->raw->len))
		error = set_error("invalidEmail", NULL);
	if (error)
	{
		json_object_set_new(import->refused, creation_id, error);
		g_ptr_array_remove(import->emails, new);
		return true;
	}
	new->raw = with_crlf(new->raw);
	if (new->received == NULL)
		new->received = received_date(new->raw);
	return true;
}

static bool
run(Call *call, void *arg)
{
	Import	   *import = arg;

	json_decref(import->created);
	json_decref(import->not_created);
	import->created = json_object();
	import->not_created = json_copy(import->refused);
	db_queue(call->db, SQL_MAILBOXES, "i", call->user->id);
	if (!db_run(call->db))
		return false;
	else
	{
		g_autoptr(GPtrArray) mailboxes = mailboxes_read(call->db->results[0]);

		return emails_insert(call, import->emails, mailboxes, import->created, import->not_created);
	}
}

json_t *
email_import(Call *call)
{
	Import		import = {g_ptr_array_new_with_free_func(new_email_free), json_object()};
	json_t	   *response = NULL;
	const char *id;
	json_t	   *record;

	if (call_args(call, args, G_N_ELEMENTS(args)) && json_object_size(arg_get(call, "emails")) > MAX_OBJECTS_IN_SET)
		call_fail(call, "requestTooLarge", "At most %d Emails", MAX_OBJECTS_IN_SET);
	if (!call->error)
		json_object_foreach(arg_get(call, "emails"), id, record)
		{
			if (!call->error && !prepare(call, &import, id, record))
				call_fail_database(call);
		}
	if (!call->error && call_write(call, TYPE_EMAIL, run, &import))
		response = json_pack("{ss, ss, ss, so, so}", "accountId", call->user->account,
							 "oldState", call->old.of[TYPE_EMAIL], "newState", call->new.of[TYPE_EMAIL],
							 "created", or_null(import.created), "notCreated", or_null(import.not_created));
	g_ptr_array_unref(import.emails);
	json_decref(import.refused);
	json_decref(import.created);
	json_decref(import.not_created);
	return response;
}

/* A user has one account here, and within one account there is no copying (RFC 8620 section 5.4). */
json_t *
email_copy(Call *call)
{
	if (!call_args(call, copy_args, G_N_ELEMENTS(copy_args)))
		return NULL;
	if (strcmp(arg_string(call, "fromAccountId"), call->user->account) == 0)
		return call_fail(call, "invalidArguments", "fromAccountId and accountId are the same");
	return call_fail(call, "fromAccountNotFound", NULL);
}
