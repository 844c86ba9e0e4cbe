/*-------------------------------------------------------------------------
 *
 * email_set.c
 *	  Email/set (RFC 8621 section 4.6).
 *
 *	  New messages are composed before the account is locked.  Under the lock
 *	  the Emails are read and each record is judged; then all that shall change
 *	  is written, by one statement for each kind of change: so a thousand Emails
 *	  cost what one does, and modseq gives the account few values.
 *
 *-------------------------------------------------------------------------
 */
#include "methods.h"

static const Arg args[] = {
	{"ifInState", ARG_STRING, ARG_NULL},
	{"create", ARG_OBJECT, ARG_NULL},
	{"update", ARG_OBJECT, ARG_NULL},
	{"destroy", ARG_IDS, ARG_NULL},
};

/* Parameters of one statement: arrays of the same length */
typedef struct Columns
{
	GArray	   *emails;
	GArray	   *sources;
	GArray	   *targets;
	GPtrArray  *flags;
} Columns;

typedef struct Set
{
	GPtrArray  *new;			/* NewEmail */
	json_t	   *refused;		/* creates that are wrong, whatever the account has */
	SetDone		done;
	json_t	   *spellings;
	GPtrArray  *mailboxes;
	GPtrArray  *emails;			/* those of update and destroy */
	Columns		change;
	Columns		move;
	Columns		add;
	Columns		remove;
	Columns		destroy;
} Set;

/* --- create ---------------------------------------------------------------------------------- */

/* What the server sets, and what composing does not know */
static json_t *
check_names(const json_t *record)
{
	static const char *const known[] = {
		"mailboxIds", "keywords", "receivedAt", "bodyStructure", "bodyValues", "textBody", "htmlBody", "attachments",
	};
	json_t	   *error = NULL;
	const char *name;
	json_t	   *value;

	json_object_foreach((json_t *) record, name, value)
	{
		size_t		i = 0;

		while (i < G_N_ELEMENTS(known) && strcmp(known[i], name) != 0)
			i++;
		if (i == G_N_ELEMENTS(known) && !compose_is_field(name))
			error = set_error_property(error, name);
	}
	return error;
}

/* Makes one.  False if the database has failed. */
static bool
prepare(Call *call, Set *set, const char *creation_id, json_t *record)
{
	Composer	composer = {call, record};
	NewEmail   *new;

	if (!json_is_object(record))
	{
		json_object_set_new(set->refused, creation_id, set_error("invalidProperties", NULL));
		return true;
	}
	new = new_email(creation_id);
	composer.error = check_names(record);
	composer.error = email_take_mailboxes(call, json_object_get(record, "mailboxIds"), new->mailboxes, composer.error);
	composer.error = email_take_keywords(json_object_get(record, "keywords"), new->keywords, composer.error);
	composer.error = email_take_received(json_object_get(record, "receivedAt"), &new->received, composer.error);
	new->raw = compose_message(&composer);
	if (composer.error)
		json_object_set_new(set->refused, creation_id, composer.error);
	if (new->raw)
		g_ptr_array_add(set->new, new);
	else
		new_email_free(new);
	return !composer.failed;
}

/* --- update: patches (RFC 8620 section 5.3) ----------------------------------------------------- */

/* What an Email shall be */
typedef struct Wanted
{
	json_t	   *keywords;		/* objects, as JMAP has them */
	json_t	   *mailboxes;
	bool		whole_keywords; /* were they replaced?  Then no patch may name one of them. */
	bool		whole_mailboxes;
	bool		part_keywords;
	bool		part_mailboxes;
} Wanted;

/* A token of a JSON pointer (RFC 6901), which may not go deeper.  NULL if it does. */
static char *
unescape(const char *token)
{
	GString    *text = g_string_new(NULL);

	for (const char *c = token; *c; c++)
	{
		if (*c == '/' || (*c == '~' && c[1] != '0' && c[1] != '1'))
			return g_string_free(text, true);
		if (*c == '~')
			g_string_append_c(text, *++c == '0' ? '~' : '/');
		else
			g_string_append_c(text, *c);
	}
	return g_string_free(text, false);
}

/* Sets or removes a member.  False if the value is neither true nor null. */
static bool
patch_member(json_t *object, const char *key, const json_t *value)
{
	if (json_is_true(value))
		json_object_set_new(object, key, json_true());
	else if (json_is_null(value))
		json_object_del(object, key);
	else
		return false;
	return true;
}

/* A patch of one keyword or mailbox; NULL or an error */
static json_t *
patch_one(const Call *call, Wanted *wanted, const char *path, const json_t *value, json_t *error)
{
	bool		keyword = g_str_has_prefix(path, "keywords/");
	g_autofree char *key = unescape(strchr(path, '/') + 1);
	g_autofree char *lower = key ? g_ascii_strdown(key, -1) : NULL;
	char		id[ID_MAX];

	if (key == NULL)
		return error ? error : set_error("invalidPatch", NULL);
	if (keyword)
	{
		wanted->part_keywords = true;
		return keyword_is_valid(key) && patch_member(wanted->keywords, lower, value) ?
			error : set_error_property(error, path);
	}
	wanted->part_mailboxes = true;
	return id_resolve(call, 'M', key) != 0 &&
		patch_member(wanted->mailboxes, id_print('M', id_resolve(call, 'M', key), id), value) ?
		error : set_error_property(error, path);
}

/* All of the keywords, or of the mailboxes */
static json_t *
replace_all(const Call *call, Wanted *wanted, const char *name, const json_t *value, json_t *error)
{
	size_t		i;
	json_t	   *keyword;
	char		id[ID_MAX];

	if (strcmp(name, "keywords") == 0)
	{
		json_auto_t *list = json_array();
		json_t	   *wrong = email_take_keywords(json_is_null(value) ? NULL : value, list, NULL);

		wanted->whole_keywords = true;
		json_object_clear(wanted->keywords);
		json_array_foreach(list, i, keyword)
		{
			json_object_set_new(wanted->keywords, json_string_value(keyword), json_true());
		}
		json_decref(wrong);
		return wrong ? set_error_property(error, name) : error;
	}
	else
	{
		g_autoptr(GArray) ids = g_array_new(false, false, sizeof(int64_t));
		json_t	   *wrong = email_take_mailboxes(call, value, ids, NULL);

		wanted->whole_mailboxes = true;
		json_object_clear(wanted->mailboxes);
		for (i = 0; i < ids->len; i++)
			json_object_set_new(wanted->mailboxes, id_print('M', g_array_index(ids, int64_t, i), id), json_true());
		json_decref(wrong);
		return wrong ? set_error_property(error, name) : error;
	}
}

/* Another property may be there only with the value that it has. */
static json_t *
check_same(const Email *email, const char *name, const json_t *value, json_t *error)
{
	g_autofree char *blob = blob_of_hex(email->blob);
	g_autofree char *received = time_json(email->received);
	json_auto_t *current = json_pack("{so, ss, so, sI, ss}", "id", id_json('E', email->id), "blobId", blob,
									 "threadId", id_json('T', email->thread), "size", (json_int_t) email->size,
									 "receivedAt", received);

	return json_equal(value, json_object_get(current, name)) ? error : set_error_property(error, name);
}

static json_t *
apply_patch(const Call *call, const Email *email, json_t *patch, Wanted *wanted)
{
	json_t	   *error = NULL;
	const char *name;
	json_t	   *value;

	json_object_foreach(patch, name, value)
	{
		if (strcmp(name, "keywords") == 0 || strcmp(name, "mailboxIds") == 0)
			error = replace_all(call, wanted, name, value, error);
	}
	json_object_foreach(patch, name, value)
	{
		if (g_str_has_prefix(name, "keywords/") || g_str_has_prefix(name, "mailboxIds/"))
			error = patch_one(call, wanted, name, value, error);
		else if (strcmp(name, "keywords") != 0 && strcmp(name, "mailboxIds") != 0)
			error = check_same(email, name, value, error);
	}
	/* One path may not be the beginning of another one. */
	if ((wanted->whole_keywords && wanted->part_keywords) || (wanted->whole_mailboxes && wanted->part_mailboxes))
	{
		json_decref(error);
		error = set_error("invalidPatch", NULL);
	}
	return error;
}

/* --- update: what it changes -------------------------------------------------------------------- */

static void
note_flags(Set *set, const Email *email, const json_t *keywords)
{
	g_autoptr(GString) flags = g_string_new(NULL);
	json_auto_t *before = email_keywords(email);
	const char *keyword;
	json_t	   *value;

	if (json_equal(before, (json_t *) keywords))
		return;
	json_object_foreach((json_t *) keywords, keyword, value)
	{
		g_autofree char *flag = flag_of_keyword(keyword, set->spellings);

		g_string_append_printf(flags, "%s%s", flags->len > 0 ? "\n" : "", flag);
	}
	/* What IMAP has and JMAP has no keyword for stays. */
	for (guint i = 0; i < email->flags->len; i++)
	{
		g_autofree char *known = keyword_of_flag(email->flags->pdata[i]);

		if (known == NULL)
			g_string_append_printf(flags, "%s%s", flags->len > 0 ? "\n" : "", (char *) email->flags->pdata[i]);
	}
	g_array_append_val(set->change.emails, email->id);
	g_ptr_array_add(set->change.flags, g_strdup(flags->str));
}

/* A mailbox left and one entered are a move: the row stays, and gets a new UID. */
static void
note_mailboxes(Set *set, const Email *email, const GArray *wanted)
{
	g_autoptr(GArray) added = g_array_new(false, false, sizeof(int64_t));
	g_autoptr(GArray) removed = g_array_new(false, false, sizeof(int64_t));

	for (guint i = 0; i < wanted->len; i++)
	{
		guint		k = 0;

		while (k < email->mailboxes->len &&
			   g_array_index(email->mailboxes, int64_t, k) != g_array_index(wanted, int64_t, i))
			k++;
		if (k == email->mailboxes->len)
			g_array_append_val(added, g_array_index(wanted, int64_t, i));
	}
	for (guint i = 0; i < email->mailboxes->len; i++)
	{
		guint		k = 0;

		while (k < wanted->len && g_array_index(wanted, int64_t, k) != g_array_index(email->mailboxes, int64_t, i))
			k++;
		if (k == wanted->len)
			g_array_append_val(removed, g_array_index(email->mailboxes, int64_t, i));
	}
	for (guint i = 0; i < MAX(added->len, removed->len); i++)
	{
		Columns    *columns = i >= removed->len ? &set->add : i >= added->len ? &set->remove : &set->move;

		g_array_append_val(columns->emails, email->id);
		if (i < removed->len)
			g_array_append_val(columns->sources, g_array_index(removed, int64_t, i));
		if (i < added->len)
			g_array_append_val(columns->targets, g_array_index(added, int64_t, i));
	}
}

static json_t *
update(Call *call, Set *set, const Email *email, json_t *patch)
{
	Wanted		wanted = {email_keywords(email), email_mailboxes(email)};
	g_autoptr(GArray) ids = g_array_new(false, false, sizeof(int64_t));
	json_t	   *error = json_is_object(patch) ? apply_patch(call, email, patch, &wanted) : set_error("invalidPatch", NULL);
	const char *text;
	json_t	   *value;

	json_object_foreach(wanted.mailboxes, text, value)
	{
		int64_t		id = id_parse('M', text);

		g_array_append_val(ids, id);
	}
	if (!error && ids->len == 0)
		error = set_error_property(NULL, "mailboxIds");
	if (!error)
		error = email_check_mailboxes(ids, set->mailboxes);
	if (!error && json_object_size(wanted.keywords) > MAX_KEYWORDS)
		error = set_error("tooManyKeywords", NULL);
	if (!error)
	{
		note_flags(set, email, wanted.keywords);
		note_mailboxes(set, email, ids);
	}
	json_decref(wanted.keywords);
	json_decref(wanted.mailboxes);
	return error;
}

/* --- the transaction ------------------------------------------------------------------------------- */

static Columns
columns_new(void)
{
	return (Columns) {g_array_new(false, false, sizeof(int64_t)), g_array_new(false, false, sizeof(int64_t)),
		g_array_new(false, false, sizeof(int64_t)), g_ptr_array_new_with_free_func(g_free)};
}

static void
columns_free(Columns *columns)
{
	if (columns->emails == NULL)
		return;
	g_array_unref(columns->emails);
	g_array_unref(columns->sources);
	g_array_unref(columns->targets);
	g_ptr_array_unref(columns->flags);
	*columns = (Columns) {NULL};
}

/* Forgets what an attempt has found. */
static void
set_clear(Set *set)
{
	set_done_clear(&set->done);
	json_decref(set->spellings);
	g_clear_pointer(&set->mailboxes, g_ptr_array_unref);
	g_clear_pointer(&set->emails, g_ptr_array_unref);
	columns_free(&set->change);
	columns_free(&set->move);
	columns_free(&set->add);
	columns_free(&set->remove);
	columns_free(&set->destroy);
	*set = (Set) {.new = set->new, .refused = set->refused};
}

static void
set_begin(Set *set)
{
	set_clear(set);
	set_done_init(&set->done);
	json_object_update(set->done.not_created, set->refused);
	set->change = columns_new();
	set->move = columns_new();
	set->add = columns_new();
	set->remove = columns_new();
	set->destroy = columns_new();
}

/* The Emails of update and destroy, the mailboxes, and how the keywords of the patches are spelled */
static bool
read_all(Call *call, Set *set)
{
	Db		   *db = call->db;
	g_autoptr(GArray) ids = g_array_new(false, false, sizeof(int64_t));
	json_auto_t *keywords = json_array();
	g_autofree char *array = NULL;
	const char *text;
	json_t	   *value;
	size_t		i;

	json_object_foreach(arg_get(call, "update"), text, value)
	{
		int64_t		id = id_resolve(call, 'E', text);
		const char *name;
		json_t	   *member;

		g_array_append_val(ids, id);
		/* What is wrong is found when the patch is applied. */
		json_decref(email_take_keywords(json_object_get(value, "keywords"), keywords, NULL));
		json_object_foreach(value, name, member)
		{
			g_autofree char *key = g_str_has_prefix(name, "keywords/") ? unescape(name + 9) : NULL;
			g_autofree char *lower = key ? g_ascii_strdown(key, -1) : NULL;

			if (lower && json_is_true(member) && keyword_is_valid(lower))
				json_array_append_new(keywords, json_string(lower));
		}
	}
	json_array_foreach(arg_get(call, "destroy"), i, value)
	{
		int64_t		id = id_resolve(call, 'E', json_string_value(value));

		g_array_append_val(ids, id);
	}
	if (!keywords_spell(call, keywords, &set->spellings))
		return false;
	array = ids_array(ids);
	db_queue(db, SQL_MAILBOXES, "i", call->user->id);
	db_queue(db, SQL_EMAILS, "is", call->user->id, array);
	if (!db_run(db))
		return false;
	set->mailboxes = mailboxes_read(db->results[0]);
	set->emails = emails_read(db->results[1], false);
	return true;
}

static bool
will_destroy(Call *call, int64_t id)
{
	size_t		i;
	json_t	   *value;

	json_array_foreach(arg_get(call, "destroy"), i, value)
	{
		if (id_resolve(call, 'E', json_string_value(value)) == id)
			return true;
	}
	return false;
}

static void
judge(Call *call, Set *set)
{
	const char *text;
	json_t	   *value;
	size_t		i;

	json_object_foreach(arg_get(call, "update"), text, value)
	{
		const Email *email = email_find(set->emails, id_resolve(call, 'E', text));
		json_t	   *error = email == NULL ? set_error("notFound", NULL) :
			will_destroy(call, email->id) ? set_error("willDestroy", NULL) : update(call, set, email, value);

		if (error)
			json_object_set_new(set->done.not_updated, text, error);
		else
			json_object_set_new(set->done.updated, text, json_null());
	}
	json_array_foreach(arg_get(call, "destroy"), i, value)
	{
		Email	   *email = email_find(set->emails, id_resolve(call, 'E', json_string_value(value)));

		if (email == NULL)
			json_object_set_new(set->done.not_destroyed, json_string_value(value), set_error("notFound", NULL));
		else
		{
			json_array_append_new(set->done.destroyed, id_json('E', email->id));
			g_array_append_val(set->destroy.emails, email->id);
			/* Named twice it is gone the second time. */
			g_ptr_array_remove(set->emails, email);
		}
	}
}

/* One statement of each kind, where there is anything for it */
static bool
write_all(Call *call, const Set *set)
{
	const struct
	{
		Sql			sql;
		const Columns *columns;
	}			kinds[] = {
		{SQL_EMAIL_FLAGS, &set->change}, {SQL_EMAIL_MOVE, &set->move}, {SQL_EMAIL_ADD, &set->add},
		{SQL_EMAIL_REMOVE, &set->remove}, {SQL_EMAIL_DESTROY, &set->destroy},
	};
	Db		   *db = call->db;
	int64_t		user = call->user->id;
	bool		any = false;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
	{
		const Columns *columns = kinds[i].columns;
		g_autofree char *emails = ids_array(columns->emails);
		g_autofree char *sources = ids_array(columns->sources);
		g_autofree char *targets = ids_array(columns->targets);
		g_autofree char *flags = text_array(columns->flags);

		if (columns->emails->len == 0)
			continue;
		any = true;
		if (kinds[i].sql == SQL_EMAIL_FLAGS)
			db_queue(db, kinds[i].sql, "iss", user, emails, flags);
		else if (kinds[i].sql == SQL_EMAIL_MOVE)
			db_queue(db, kinds[i].sql, "isss", user, emails, sources, targets);
		else if (kinds[i].sql == SQL_EMAIL_ADD)
			db_queue(db, kinds[i].sql, "iss", user, emails, targets);
		else if (kinds[i].sql == SQL_EMAIL_REMOVE)
			db_queue(db, kinds[i].sql, "iss", user, emails, sources);
		else
			db_queue(db, kinds[i].sql, "is", user, emails);
	}
	return !any || db_run(db);
}

static bool
run(Call *call, void *arg)
{
	Set		   *set = arg;

	set_begin(set);
	/* An update may name what the same call creates. */
	db_queue(call->db, SQL_MAILBOXES, "i", call->user->id);
	if (!db_run(call->db))
		return false;
	set->mailboxes = mailboxes_read(call->db->results[0]);
	if (!emails_insert(call, set->new, set->mailboxes, set->done.created, set->done.not_created))
		return false;
	g_clear_pointer(&set->mailboxes, g_ptr_array_unref);
	if (!read_all(call, set))
		return false;
	judge(call, set);
	return write_all(call, set);
}

json_t *
email_set(Call *call)
{
	Set			set = {.new = g_ptr_array_new_with_free_func(new_email_free), .refused = json_object()};
	json_t	   *response = NULL;
	const char *id;
	json_t	   *record;

	if (call_args(call, args, G_N_ELEMENTS(args)) && set_size(call))
		json_object_foreach(arg_get(call, "create"), id, record)
		{
			if (!call->error && !prepare(call, &set, id, record))
				call_fail_database(call);
		}
	if (!call->error && call_write(call, TYPE_EMAIL, run, &set))
		response = set_response(call, TYPE_EMAIL, &set.done);
	set_clear(&set);
	g_ptr_array_unref(set.new);
	json_decref(set.refused);
	return response;
}
