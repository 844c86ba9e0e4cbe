/*-------------------------------------------------------------------------
 *
 * mailbox_set.c
 *	  Mailbox/set (RFC 8621 section 2.5).
 *
 *	  The account is locked, and its mailboxes are read.  Each record is judged
 *	  by them, then written, then changed among them: so a record sees what
 *	  those before it have done.  As a record may need one that comes later in
 *	  the request, what cannot be done yet is tried again.
 *
 *-------------------------------------------------------------------------
 */
#include "methods.h"

static const Arg args[] = {
	{"ifInState", ARG_STRING, ARG_NULL},
	{"create", ARG_OBJECT, ARG_NULL},
	{"update", ARG_OBJECT, ARG_NULL},
	{"destroy", ARG_IDS, ARG_NULL},
	{"onDestroyRemoveEmails", ARG_BOOL, 0},
};

/* A set that is run */
typedef struct Set
{
	GPtrArray  *mailboxes;
	SetDone		done;
} Set;

/* What a mailbox shall be */
typedef struct Wanted
{
	char	   *name;
	int64_t		parent;
	char	   *role;			/* or NULL */
	int64_t		sort_order;
	bool		subscribed;
} Wanted;

/* What became of a record */
typedef enum Outcome
{
	DONE,						/* or refused: that is written down */
	LATER,						/* it needs a record that has not been created yet */
	FAILED						/* the database has failed */
} Outcome;

static void
set_clear(Set *set)
{
	if (set->mailboxes)
		g_ptr_array_unref(set->mailboxes);
	set_done_clear(&set->done);
	*set = (Set) {NULL};
}

static void
wanted_clear(Wanted *wanted)
{
	g_free(wanted->name);
	g_free(wanted->role);
}

/* --- what the record says ---------------------------------------------------------------- */

/* A property that the server sets may be there, if it has the value that it has. */
static json_t *
check_server_set(const char *name, const json_t *value, const Mailbox *mailbox, const json_t *current, json_t *error)
{
	json_auto_t *rights = mailbox_rights(mailbox);
	const char *right;
	json_t	   *granted;

	if (strcmp(name, "myRights") == 0)
	{
		if (!json_is_object(value))
			return set_error_property(error, name);
		json_object_foreach((json_t *) value, right, granted)
		{
			char	   *path = g_strdup_printf("myRights/%s", right);

			if (!json_equal(granted, json_object_get(rights, right)))
				error = set_error_property(error, path);
			g_free(path);
		}
		return error;
	}
	if (g_str_has_prefix(name, "myRights/"))
		return json_equal(value, json_object_get(rights, name + 9)) ? error : set_error_property(error, name);
	return json_equal(value, json_object_get(current, name)) ? error : set_error_property(error, name);
}

/*
 * Takes a record's properties, into what the mailbox is so far.  Returns an
 * error, or NULL; *later if its parent is yet to be created.
 */
static json_t *
take_properties(const Call *call, json_t *record, const Mailbox *mailbox, const json_t *current,
				Wanted *wanted, bool *later)
{
	json_t	   *error = NULL;
	const char *name;
	json_t	   *value;

	json_object_foreach(record, name, value)
	{
		if (strcmp(name, "name") == 0)
		{
			char	   *encoded = json_is_string(value) ? mailbox_encode(json_string_value(value)) : NULL;

			if (encoded)
			{
				g_free(wanted->name);
				wanted->name = g_strdup(json_string_value(value));
			}
			else
				error = set_error_property(error, name);
			g_free(encoded);
		}
		else if (strcmp(name, "parentId") == 0)
		{
			const char *id = json_string_value(value);

			wanted->parent = id_resolve(call, 'M', id);
			if (id && *id == '#' && wanted->parent == 0)
				*later = true;
			if (!json_is_null(value) && wanted->parent == 0)
				error = set_error_property(error, name);
		}
		else if (strcmp(name, "role") == 0)
		{
			char	   *use = json_is_string(value) ? use_of_role(json_string_value(value)) : NULL;

			if (use || json_is_null(value) ||
				(mailbox->role && strcmp(mailbox->role, "inbox") == 0 && json_equal(value, json_object_get(current, name))))
			{
				g_free(wanted->role);
				wanted->role = g_strdup(json_string_value(value));
			}
			else
				error = set_error_property(error, name);
			g_free(use);
		}
		else if (strcmp(name, "sortOrder") == 0)
		{
			if (value_is(value, ARG_UINT) && json_integer_value(value) < INT64_C(1) << 31)
				wanted->sort_order = json_integer_value(value);
			else
				error = set_error_property(error, name);
		}
		else if (strcmp(name, "isSubscribed") == 0)
		{
			wanted->subscribed = json_is_true(value);
			if (!json_is_boolean(value))
				error = set_error_property(error, name);
		}
		else
			error = check_server_set(name, value, mailbox, current, error);
	}
	return error;
}

/* Where it would be; NULL if that is too deep or too long.  The caller g_free()s it. */
static char *
path_of(const Set *set, const Wanted *wanted)
{
	const Mailbox *parent = wanted->parent ? mailbox_find(set->mailboxes, wanted->parent) : NULL;
	char	   *level = mailbox_encode(wanted->name);
	char	   *path;
	int			depth = 1;

	/* A name that was no UTF-7 stays as it is. */
	if (level == NULL)
		level = g_strdup(wanted->name);
	path = parent ? g_strdup_printf("%s/%s", parent->path, level) : g_strdup(level);
	if (parent == NULL && g_ascii_strcasecmp(path, "INBOX") == 0)
		strcpy(path, "INBOX");
	g_free(level);
	for (const char *c = path; *c; c++)
		depth += *c == '/';
	if (depth > MAX_MAILBOX_DEPTH || strlen(path) > MAX_MAILBOX_PATH)
		g_clear_pointer(&path, g_free);
	return path;
}

/* Is there anything against a mailbox that is so?  self is 0 for a new one. */
static json_t *
check_wanted(const Set *set, const Wanted *wanted, const char *path, int64_t self)
{
	json_t	   *error = NULL;
	const Mailbox *other;

	if (wanted->parent)
	{
		const Mailbox *up = mailbox_find(set->mailboxes, wanted->parent);

		if (up == NULL)
			return set_error_property(NULL, "parentId");
		/* Not below itself */
		for (; up; up = mailbox_find(set->mailboxes, up->parent))
			if (up->id == self)
				return set_error_property(NULL, "parentId");
	}
	if (path == NULL)
		return set_error_property(NULL, wanted->parent ? "parentId" : "name");
	other = mailbox_at(set->mailboxes, path);
	if (other && other->id != self)
	{
		error = set_error("alreadyExists", NULL);
		json_object_set_new(error, "existingId", id_json('M', other->id));
		return error;
	}
	for (guint i = 0; wanted->role && i < set->mailboxes->len; i++)
	{
		other = set->mailboxes->pdata[i];
		if (other->id != self && g_strcmp0(other->role, wanted->role) == 0)
			return set_error_property(NULL, "role");
	}
	return NULL;
}

/* --- create ------------------------------------------------------------------------------------- */

/* What the client does not know yet of what it has created */
static json_t *
created_json(const Mailbox *mailbox, const json_t *record)
{
	json_t	   *json = json_pack("{so, si, si, si, si, so}", "id", id_json('M', mailbox->id),
								 "totalEmails", 0, "unreadEmails", 0, "totalThreads", 0, "unreadThreads", 0,
								 "myRights", mailbox_rights(mailbox));

	if (!json_object_get(record, "parentId"))
		json_object_set_new(json, "parentId", json_null());
	if (!json_object_get(record, "role"))
		json_object_set_new(json, "role", json_null());
	if (!json_object_get(record, "sortOrder"))
		json_object_set_new(json, "sortOrder", json_integer(mailbox->sort_order));
	if (!json_object_get(record, "isSubscribed"))
		json_object_set_new(json, "isSubscribed", json_boolean(mailbox->subscribed));
	return json;
}

static bool
insert(Call *call, Set *set, const Wanted *wanted, const char *path)
{
	Db		   *db = call->db;
	Mailbox    *mailbox = g_new0(Mailbox, 1);
	g_autofree char *use = wanted->role ? use_of_role(wanted->role) : NULL;

	db_queue(db, wanted->subscribed ? SQL_SUBSCRIBE : SQL_UNSUBSCRIBE, "is", call->user->id, path);
	db_queue(db, SQL_MAILBOX_CREATE, "issi", call->user->id, path, use, wanted->sort_order);
	if (!db_run(db))
	{
		g_free(mailbox);
		return false;
	}
	mailbox->id = db_int(db->results[1], 0, 0);
	mailbox->path = g_strdup(path);
	mailbox->role = g_strdup(wanted->role);
	mailbox->sort_order = wanted->sort_order;
	mailbox->subscribed = wanted->subscribed;
	g_ptr_array_add(set->mailboxes, mailbox);
	mailboxes_set_parents(set->mailboxes);
	return true;
}

static Outcome
create(Call *call, Set *set, const char *creation_id, json_t *record)
{
	Mailbox		none = {.path = ""};
	Wanted		wanted = {0};
	bool		later = false;
	char	   *path = NULL;
	json_auto_t *current = json_pack("{si, si, si, si}", "totalEmails", 0, "unreadEmails", 0,
									 "totalThreads", 0, "unreadThreads", 0);
	json_t	   *error;
	Outcome		outcome = DONE;

	if (!json_is_object(record))
		error = set_error("invalidProperties", "Not an object");
	else
		error = take_properties(call, record, &none, current, &wanted, &later);
	if (json_is_object(record) && !json_object_get(record, "name"))
		error = set_error_property(error, "name");
	if (!error)
	{
		path = path_of(set, &wanted);
		error = check_wanted(set, &wanted, path, 0);
	}
	if (error && later)
	{
		json_decref(error);
		outcome = LATER;
	}
	else if (error)
		json_object_set_new(set->done.not_created, creation_id, error);
	else if (!insert(call, set, &wanted, path))
		outcome = FAILED;
	else
	{
		const Mailbox *mailbox = set->mailboxes->pdata[set->mailboxes->len - 1];

		json_object_set_new(set->done.created, creation_id, created_json(mailbox, record));
		json_object_set_new(call->created_ids, creation_id, id_json('M', mailbox->id));
	}
	wanted_clear(&wanted);
	g_free(path);
	return outcome;
}

/* --- update --------------------------------------------------------------------------------------- */

/* The mailbox as it is, of which counts are asked for only if the record names any */
static bool
current_values(Call *call, const Mailbox *mailbox, json_t *record, json_t **current)
{
	static const char *const counts[] = {"totalEmails", "unreadEmails", "totalThreads", "unreadThreads"};
	Db		   *db = call->db;
	bool		named = false;

	*current = json_pack("{so, so}", "id", id_json('M', mailbox->id),
						 "role", mailbox->role ? json_string(mailbox->role) : json_null());
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		named |= json_object_get(record, counts[i]) != NULL;
	if (named)
	{
		g_autofree char *id = g_strdup_printf("{%ld}", (long) mailbox->id);

		db_queue(db, SQL_MAILBOX_COUNTS, "is", call->user->id, id);
		if (!db_run(db))
			return false;
		for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
			json_object_set_new(*current, counts[i],
								json_integer(PQntuples(db->results[0]) ? db_int(db->results[0], 0, i + 1) : 0));
	}
	return true;
}

/* Writes what differs. */
static bool
write_update(Call *call, Set *set, Mailbox *mailbox, const Wanted *wanted, const char *path)
{
	Db		   *db = call->db;
	int64_t		user = call->user->id;
	size_t		length = strlen(mailbox->path);
	g_autofree char *old = g_strdup(mailbox->path);
	g_autofree char *use = wanted->role ? use_of_role(wanted->role) : NULL;
	bool		renamed = strcmp(path, old) != 0;
	bool		any = renamed;

	if (renamed)
	{
		db_queue(db, SQL_MAILBOX_RENAME_SUBSCRIPTIONS, "iss", user, old, path);
		db_queue(db, SQL_MAILBOX_RENAME, "iss", user, old, path);
	}
	if (g_strcmp0(wanted->role, mailbox->role) != 0)
	{
		db_queue(db, SQL_MAILBOX_ROLE, "iis", user, mailbox->id, use);
		any = true;
	}
	if (wanted->sort_order != mailbox->sort_order)
	{
		db_queue(db, SQL_MAILBOX_ORDER, "iii", user, mailbox->id, wanted->sort_order);
		any = true;
	}
	if (wanted->subscribed != mailbox->subscribed)
	{
		db_queue(db, wanted->subscribed ? SQL_SUBSCRIBE : SQL_UNSUBSCRIBE, "is", user, path);
		any = true;
	}
	if (any && !db_run(db))
		return false;
	for (guint i = 0; renamed && i < set->mailboxes->len; i++)
	{
		Mailbox    *other = set->mailboxes->pdata[i];

		if (strncmp(other->path, old, length) == 0 && (other->path[length] == '/' || other->path[length] == '\0'))
		{
			char	   *moved = g_strconcat(path, other->path + length, NULL);

			g_free(other->path);
			other->path = moved;
		}
	}
	g_free(mailbox->role);
	mailbox->role = g_strdup(wanted->role);
	mailbox->sort_order = wanted->sort_order;
	mailbox->subscribed = wanted->subscribed;
	mailboxes_set_parents(set->mailboxes);
	return true;
}

static Outcome
update(Call *call, Set *set, const char *given, json_t *record)
{
	Mailbox    *mailbox = mailbox_find(set->mailboxes, id_resolve(call, 'M', given));
	Wanted		wanted;
	json_auto_t *current = NULL;
	g_autofree char *path = NULL;
	bool		later = false;
	json_t	   *error;

	if (mailbox == NULL || !json_is_object(record))
	{
		json_object_set_new(set->done.not_updated, given, set_error(mailbox ? "invalidPatch" : "notFound", NULL));
		return DONE;
	}
	if (!current_values(call, mailbox, record, &current))
		return FAILED;
	wanted = (Wanted) {g_strdup(mailbox->name), mailbox->parent, g_strdup(mailbox->role),
	mailbox->sort_order, mailbox->subscribed};
	error = take_properties(call, record, mailbox, current, &wanted, &later);
	if (!error)
	{
		path = wanted.parent == mailbox->parent && strcmp(wanted.name, mailbox->name) == 0 ?
			g_strdup(mailbox->path) : path_of(set, &wanted);
		error = check_wanted(set, &wanted, path, mailbox->id);
	}
	if (!error && strcmp(mailbox->path, "INBOX") == 0 && strcmp(path, "INBOX") != 0)
		error = set_error("forbidden", "INBOX stays what it is");
	if (!error && strcmp(mailbox->path, "INBOX") == 0 && g_strcmp0(wanted.role, "inbox") != 0)
		error = set_error_property(NULL, "role");
	if (error)
		json_object_set_new(set->done.not_updated, given, error);
	else if (!write_update(call, set, mailbox, &wanted, path))
	{
		wanted_clear(&wanted);
		return FAILED;
	}
	else
		json_object_set_new(set->done.updated, given, json_null());
	wanted_clear(&wanted);
	return DONE;
}

/* --- destroy ----------------------------------------------------------------------------------------- */

static bool
has_child(const Set *set, const Mailbox *mailbox)
{
	for (guint i = 0; i < set->mailboxes->len; i++)
		if (((Mailbox *) set->mailboxes->pdata[i])->parent == mailbox->id)
			return true;
	return false;
}

/* One that has children is left for later: they may be destroyed too. */
static Outcome
destroy(Call *call, Set *set, const char *given, bool last)
{
	Db		   *db = call->db;
	Mailbox    *mailbox = mailbox_find(set->mailboxes, id_resolve(call, 'M', given));
	const char *why = NULL;

	if (mailbox == NULL)
		why = "notFound";
	else if (strcmp(mailbox->path, "INBOX") == 0)
		why = "forbidden";
	else if (has_child(set, mailbox))
	{
		if (!last)
			return LATER;
		why = "mailboxHasChild";
	}
	else if (!arg_bool(call, "onDestroyRemoveEmails", false))
	{
		db_queue(db, SQL_MAILBOX_HAS_EMAIL, "ii", call->user->id, mailbox->id);
		if (!db_run(db))
			return FAILED;
		if (PQntuples(db->results[0]) > 0)
			why = "mailboxHasEmail";
	}
	if (why)
	{
		json_object_set_new(set->done.not_destroyed, given, set_error(why, NULL));
		return DONE;
	}
	db_queue(db, SQL_MAILBOX_DESTROY, "ii", call->user->id, mailbox->id);
	db_queue(db, SQL_UNSUBSCRIBE, "is", call->user->id, mailbox->path);
	if (!db_run(db))
		return FAILED;
	json_array_append_new(set->done.destroyed, id_json('M', mailbox->id));
	g_ptr_array_remove(set->mailboxes, mailbox);
	return DONE;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

/* Creates in the order in which parents are there. */
static bool
create_all(Call *call, Set *set)
{
	json_auto_t *left = json_copy(arg_get(call, "create"));
	size_t		before = 0;

	while (json_object_size(left) > 0 && json_object_size(left) != before)
	{
		const char *id;
		json_t	   *record;
		void	   *next;

		before = json_object_size(left);
		json_object_foreach_safe(left, next, id, record)
		{
			Outcome		outcome = create(call, set, id, record);

			if (outcome == FAILED)
				return false;
			if (outcome == DONE)
				json_object_del(left, id);
		}
	}
	/* Their parents are not to come. */
	for (void *at = json_object_iter(left); at; at = json_object_iter_next(left, at))
		json_object_set_new(set->done.not_created, json_object_iter_key(at), set_error_property(NULL, "parentId"));
	return true;
}

static bool
destroy_all(Call *call, Set *set)
{
	json_auto_t *left = json_copy(arg_get(call, "destroy"));
	bool		last = false;

	while (json_array_size(left) > 0)
	{
		size_t		before = json_array_size(left);

		for (size_t i = 0; i < json_array_size(left);)
		{
			Outcome		outcome = destroy(call, set, json_string_value(json_array_get(left, i)), last);

			if (outcome == FAILED)
				return false;
			if (outcome == DONE)
				json_array_remove(left, i);
			else
				i++;
		}
		last = json_array_size(left) == before;
	}
	return true;
}

static bool
run(Call *call, void *arg)
{
	Set		   *set = arg;
	const char *id;
	json_t	   *record;

	set_clear(set);
	set_done_init(&set->done);
	db_queue(call->db, SQL_MAILBOXES, "i", call->user->id);
	if (!db_run(call->db))
		return false;
	set->mailboxes = mailboxes_read(call->db->results[0]);
	if (!create_all(call, set))
		return false;
	json_object_foreach(arg_get(call, "update"), id, record)
	{
		if (update(call, set, id, record) == FAILED)
			return false;
	}
	return destroy_all(call, set);
}

json_t *
mailbox_set(Call *call)
{
	Set			set = {NULL};
	json_t	   *response = NULL;

	if (call_args(call, args, G_N_ELEMENTS(args)) && set_size(call) && call_write(call, TYPE_MAILBOX, run, &set))
		response = set_response(call, TYPE_MAILBOX, &set.done);
	set_clear(&set);
	return response;
}
