/*-------------------------------------------------------------------------
 *
 * email_write.c
 *	  What Email/set and Email/import have in common: mailboxes, keywords, and
 *	  new Emails.
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

NewEmail *
new_email(const char *creation_id)
{
	NewEmail   *new = g_new0(NewEmail, 1);

	new->creation_id = g_strdup(creation_id);
	new->mailboxes = g_array_new(false, false, sizeof(int64_t));
	new->keywords = json_array();
	return new;
}

void
new_email_free(void *pointer)
{
	NewEmail   *new = pointer;

	g_free(new->creation_id);
	g_array_unref(new->mailboxes);
	json_decref(new->keywords);
	g_free(new->received);
	if (new->raw)
		g_byte_array_unref(new->raw);
	g_free(new);
}

/* --- properties: each adds to the error, which may be NULL ---------------------------------- */

/* A mailbox that cannot be is 0 among the ids. */
json_t *
email_take_mailboxes(const Call *call, const json_t *value, GArray *ids, json_t *error)
{
	const char *text;
	json_t	   *is_true;

	if (!json_is_object(value) || json_object_size(value) == 0)
		return set_error_property(error, "mailboxIds");
	json_object_foreach((json_t *) value, text, is_true)
	{
		int64_t		id = id_resolve(call, 'M', text);

		if (!json_is_true(is_true))
			return set_error_property(error, "mailboxIds");
		g_array_append_val(ids, id);
	}
	return error;
}

json_t *
email_take_keywords(const json_t *value, json_t *keywords, json_t *error)
{
	const char *text;
	json_t	   *is_true;

	if (value && !json_is_object(value))
		return set_error_property(error, "keywords");
	json_object_foreach((json_t *) value, text, is_true)
	{
		g_autofree char *lower = g_ascii_strdown(text, -1);

		if (!json_is_true(is_true) || !keyword_is_valid(text))
			return set_error_property(error, "keywords");
		json_array_append_new(keywords, json_string(lower));
	}
	return error;
}

json_t *
email_take_received(const json_t *value, char **received, json_t *error)
{
	int64_t		time;

	if (value == NULL)
		return error;
	if (!time_parse(json_string_value(value), true, &time))
		return set_error_property(error, "receivedAt");
	*received = g_strdup(json_string_value(value));
	return error;
}

/* Are they there, and not too many? */
json_t *
email_check_mailboxes(const GArray *ids, const GPtrArray *mailboxes)
{
	for (guint i = 0; i < ids->len; i++)
		if (!mailbox_find(mailboxes, g_array_index(ids, int64_t, i)))
			return set_error_property(NULL, "mailboxIds");
	return ids->len > MAX_MAILBOXES_PER_EMAIL ? set_error("tooManyMailboxes", NULL) : NULL;
}

/* --- new Emails --------------------------------------------------------------------------------- */

static char *
flags_of(const json_t *keywords, const json_t *spellings)
{
	g_autoptr(GPtrArray) flags = g_ptr_array_new_with_free_func(g_free);
	size_t		i;
	json_t	   *keyword;

	json_array_foreach((json_t *) keywords, i, keyword)
	{
		g_ptr_array_add(flags, flag_of_keyword(json_string_value(keyword), spellings));
	}
	return text_array(flags);
}

static bool
insert(Call *call, const NewEmail *new, json_t *created)
{
	Db		   *db = call->db;
	json_auto_t *spellings = NULL;
	g_autofree char *mailboxes = ids_array(new->mailboxes);
	g_autofree char *flags = NULL;
	g_autofree char *blob = NULL;
	ThreadKey	key;
	const PGresult *row;

	if (!keywords_spell(call, new->keywords, &spellings))
		return false;
	flags = flags_of(new->keywords, spellings);
	key = thread_key((const char *) new->raw->data, new->raw->len);
	db_queue(db, SQL_EMAIL_CREATE, "isssbss", call->user->id, mailboxes, flags, new->received,
			 (const char *) new->raw->data, (size_t) new->raw->len, key.ids, key.subject);
	thread_key_free(&key);
	if (!db_run(db))
		return false;
	row = db->results[0];
	blob = blob_of_hex(db_text(row, 0, 2));
	json_object_set_new(created, new->creation_id,
						json_pack("{so, ss, so, sI}", "id", id_json('E', db_int(row, 0, 0)), "blobId", blob,
								  "threadId", id_json('T', db_int(row, 0, 1)), "size", (json_int_t) db_int(row, 0, 3)));
	json_object_set_new(call->created_ids, new->creation_id, id_json('E', db_int(row, 0, 0)));
	return true;
}

/* Under the account's lock.  False if the database has failed. */
bool
emails_insert(Call *call, const GPtrArray *new, const GPtrArray *mailboxes, json_t *created, json_t *not_created)
{
	for (guint i = 0; i < new->len; i++)
	{
		const NewEmail *email = new->pdata[i];
		json_t	   *error = email_check_mailboxes(email->mailboxes, mailboxes);

		if (!error && json_array_size(email->keywords) > MAX_KEYWORDS)
			error = set_error("tooManyKeywords", NULL);
		if (error)
			json_object_set_new(not_created, email->creation_id, error);
		else if (!insert(call, email, created))
			return false;
	}
	return true;
}
