/*-------------------------------------------------------------------------
 *
 * email.c
 *	  Emails as the database has them; keywords, which are flags there.
 *
 *	  JMAP's keywords are lower case, IMAP's flags are spelled as a user has
 *	  spelled them first: the table mw_keyword knows.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "jmapd.h"

static const char *const system_flags[][2] = {
	{"$seen", "\\Seen"}, {"$flagged", "\\Flagged"}, {"$answered", "\\Answered"}, {"$draft", "\\Draft"},
};

/* --- keywords --------------------------------------------------------------------------- */

/* RFC 8621 section 4.1.1 */
bool
keyword_is_valid(const char *keyword)
{
	size_t		length = strlen(keyword);

	for (const char *c = keyword; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr("(){]%*\"\\", *c))
			return false;
	return length > 0 && length <= 255;
}

/* NULL if JMAP has none for it.  The caller g_free()s it. */
char *
keyword_of_flag(const char *flag)
{
	char	   *keyword;

	for (size_t i = 0; i < G_N_ELEMENTS(system_flags); i++)
		if (g_ascii_strcasecmp(flag, system_flags[i][1]) == 0)
			return g_strdup(system_flags[i][0]);
	if (!keyword_is_valid(flag))
		return NULL;
	keyword = g_ascii_strdown(flag, -1);
	return keyword;
}

/* The keyword is lower case, the spellings are those of keywords_spell().  The caller g_free()s it. */
char *
flag_of_keyword(const char *keyword, const json_t *spellings)
{
	const char *spelling = json_string_value(json_object_get(spellings, keyword));

	for (size_t i = 0; i < G_N_ELEMENTS(system_flags); i++)
		if (strcmp(keyword, system_flags[i][0]) == 0)
			return g_strdup(system_flags[i][1]);
	return g_strdup(spelling ? spelling : keyword);
}

static bool
is_system(const char *keyword)
{
	for (size_t i = 0; i < G_N_ELEMENTS(system_flags); i++)
		if (strcmp(keyword, system_flags[i][0]) == 0)
			return true;
	return false;
}

/*
 * How the user's keywords are spelled, after those in the array have become
 * some of them.  False if the database has failed.
 */
bool
keywords_spell(Call *call, const json_t *keywords, json_t **spellings)
{
	Db		   *db = call->db;
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	char	   *array;
	size_t		i;
	json_t	   *value;

	json_array_foreach((json_t *) keywords, i, value)
	{
		if (!is_system(json_string_value(value)))
			g_ptr_array_add(names, (char *) json_string_value(value));
	}
	*spellings = json_object();
	if (names->len == 0)
		return true;
	array = text_array(names);
	db_queue(db, SQL_ADD_KEYWORDS, "is", call->user->id, array);
	db_queue(db, SQL_KEYWORDS, "i", call->user->id);
	g_free(array);
	if (!db_run(db))
		return false;
	for (int row = 0; row < PQntuples(db->results[1]); row++)
	{
		char	   *lower = g_ascii_strdown(db_text(db->results[1], row, 0), -1);

		json_object_set_new(*spellings, lower, json_string(db_text(db->results[1], row, 0)));
		g_free(lower);
	}
	return true;
}

/* --- rows ----------------------------------------------------------------------------------- */

static void
email_free(void *pointer)
{
	Email	   *email = pointer;

	g_array_unref(email->mailboxes);
	g_ptr_array_unref(email->flags);
	g_free(email->from);
	g_free(email->to);
	g_free(email->subject);
	g_free(email);
}

static void
read_lists(Email *email, const char *mailboxes, const char *flags)
{
	char	  **words = g_strsplit(flags ? flags : "", "\n", -1);

	email->mailboxes = ids_read(mailboxes);
	email->flags = g_ptr_array_new_with_free_func(g_free);
	for (char **word = words; *word; word++)
		if (**word != '\0')
			g_ptr_array_add(email->flags, g_strdup(*word));
	g_strfreev(words);
}

/* The rows of SQL_EMAILS, or with facts of SQL_EMAILS_IN.  The caller unrefs the array. */
GPtrArray *
emails_read(const PGresult *rows, bool facts)
{
	GPtrArray  *emails = g_ptr_array_new_with_free_func(email_free);

	for (int row = 0; row < PQntuples(rows); row++)
	{
		Email	   *email = g_new0(Email, 1);

		email->id = db_int(rows, row, 0);
		email->thread = db_int(rows, row, 1);
		g_strlcpy(email->blob, db_text(rows, row, 2), sizeof(email->blob));
		read_lists(email, db_text(rows, row, 3), db_text(rows, row, 4));
		email->received = db_int(rows, row, 5);
		email->size = db_int(rows, row, 6);
		if (facts)
		{
			email->has_sent = db_text(rows, row, 8) != NULL;
			email->sent = db_int(rows, row, 8);
			email->from = g_strdup(db_text(rows, row, 9));
			email->to = g_strdup(db_text(rows, row, 10));
			email->subject = g_strdup(db_text(rows, row, 11));
			email->attachment = db_text(rows, row, 12) && *db_text(rows, row, 12) == 't';
		}
		g_ptr_array_add(emails, email);
	}
	return emails;
}

Email *
email_find(const GPtrArray *emails, int64_t id)
{
	for (guint i = 0; i < emails->len; i++)
		if (((Email *) emails->pdata[i])->id == id)
			return emails->pdata[i];
	return NULL;
}

json_t *
email_mailboxes(const Email *email)
{
	json_t	   *json = json_object();
	char		id[ID_MAX];

	for (guint i = 0; i < email->mailboxes->len; i++)
		json_object_set_new(json, id_print('M', g_array_index(email->mailboxes, int64_t, i), id), json_true());
	return json;
}

json_t *
email_keywords(const Email *email)
{
	json_t	   *json = json_object();

	for (guint i = 0; i < email->flags->len; i++)
	{
		char	   *keyword = keyword_of_flag(email->flags->pdata[i]);

		if (keyword)
			json_object_set_new(json, keyword, json_true());
		g_free(keyword);
	}
	return json;
}

/* Without regard to case */
bool
email_has(const Email *email, const char *keyword)
{
	const char *flag = keyword;

	for (size_t i = 0; i < G_N_ELEMENTS(system_flags); i++)
		if (g_ascii_strcasecmp(keyword, system_flags[i][0]) == 0)
			flag = system_flags[i][1];
	for (guint i = 0; i < email->flags->len; i++)
		if (g_ascii_strcasecmp(email->flags->pdata[i], flag) == 0)
			return true;
	return false;
}
