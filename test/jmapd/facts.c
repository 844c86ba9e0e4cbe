/*-------------------------------------------------------------------------
 *
 * facts.c
 *	  What Email/query looks for in messages, and sorts by.
 *
 *	  It is taken out of a message once, when a query first needs it, and kept
 *	  in mw_facts by the hash of the message.
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

static char *
addresses_text(GMimeObject *header, const char *property, char **sort)
{
	json_auto_t *list = header_convenience(header, property);
	GString    *text = g_string_new(NULL);
	size_t		i;
	json_t	   *address;

	*sort = NULL;
	json_array_foreach(list, i, address)
	{
		const char *name = json_string_value(json_object_get(address, "name"));
		const char *email = json_string_value(json_object_get(address, "email"));

		g_string_append_printf(text, "%s%s <%s>", i > 0 ? ", " : "", name ? name : "", email);
		/* By the name, or where there is none by the address (RFC 8621 section 4.4.2) */
		if (i == 0)
			*sort = g_strdup(name ? name : email);
	}
	if (*sort == NULL)
		*sort = g_strdup("");
	return g_string_free(text, false);
}

/* name:value of all fields, the values decoded */
static char *
headers_array(GMimeObject *header)
{
	json_auto_t *fields = header_all(header);
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
	size_t		i;
	json_t	   *field;

	json_array_foreach(fields, i, field)
	{
		const char *value = json_string_value(json_object_get(field, "value"));
		g_autofree char *unfolded = g_mime_utils_header_unfold(value);
		g_autofree char *decoded = g_mime_utils_header_decode_text(NULL, unfolded);
		g_autofree char *valid = g_utf8_make_valid(decoded, -1);

		g_ptr_array_add(texts, g_strdup_printf("%s:%s", json_string_value(json_object_get(field, "name")),
											   g_strstrip(valid)));
	}
	return text_array(texts);
}

static char *
seconds_of(GMimeObject *header)
{
	json_auto_t *date = header_convenience(header, "sentAt");
	int64_t		time;

	return time_parse(json_string_value(date), false, &time) ?
		g_strdup_printf("%" G_GINT64_FORMAT, time / 1000000) : NULL;
}

static void
queue_facts(Db *db, const char *hex, const Message *message)
{
	GMimeObject *header = GMIME_OBJECT(message->gmime);
	g_autofree char *sort_from = NULL;
	g_autofree char *sort_to = NULL;
	g_autofree char *ignored = NULL;
	g_autofree char *ignored_too = NULL;
	g_autofree char *from = addresses_text(header, "from", &sort_from);
	g_autofree char *to = addresses_text(header, "to", &sort_to);
	g_autofree char *cc = addresses_text(header, "cc", &ignored);
	g_autofree char *bcc = addresses_text(header, "bcc", &ignored_too);
	json_auto_t *subject = header_convenience(header, "subject");
	const char *subject_text = json_is_string(subject) ? json_string_value(subject) : "";
	g_autofree char *base = base_subject(subject_text);
	g_autofree char *headers = headers_array(header);
	g_autofree char *sent = seconds_of(header);
	bool		attachment;
	g_autofree char *body = body_text(message, &attachment);

	db_queue(db, SQL_FACTS_ADD, "sssssssssssss", hex, sent, from, to, cc, bcc, subject_text, body, headers,
			 sort_from, sort_to, base, attachment ? "true" : "false");
}

/* Until all of the account's messages are known.  False after call_fail() */
bool
facts_fill(Call *call)
{
	Db		   *db = call->db;
	PGresult   *missing;
	int			n;

	do
	{
		db_queue(db, SQL_FACTS_MISSING, "i", call->user->id);
		if (!db_run(db))
		{
			call_fail_database(call);
			return false;
		}
		missing = db_take(db, 0);
		n = PQntuples(missing);
		for (int row = 0; row < n && !call->error; row++)
		{
			g_autofree char *blob = blob_of_hex(db_text(missing, row, 0));
			Message		message;
			bool		done = message_load(call, blob, &message);

			if (done && message.gmime)
			{
				queue_facts(db, db_text(missing, row, 0), &message);
				done = db_run(db);
			}
			if (!done)
				call_fail_database(call);
			message_close(&message);
		}
		PQclear(missing);
	} while (n > 0 && !call->error);
	return call->error == NULL;
}
