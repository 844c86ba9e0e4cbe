/*-------------------------------------------------------------------------
 *
 * mailbox.c
 *	  Mailboxes: their names, which are IMAP's in the database, their roles;
 *	  and Mailbox/get (RFC 8621 section 2).
 *
 *	  IMAP's name of a mailbox is its path, levels parted by "/", in modified
 *	  UTF-7.  In JMAP a level is a mailbox, and has a parent.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <stdlib.h>

#include "methods.h"

/* RFC 6154's uses, of which the name is JMAP's role.  INBOX has none: it is known by its name. */
static const char *const roles[] = {"all", "archive", "drafts", "flagged", "important", "junk", "sent", "trash"};

static const char *const properties[] = {
	"id", "name", "parentId", "role", "sortOrder", "totalEmails", "unreadEmails", "totalThreads",
	"unreadThreads", "myRights", "isSubscribed",
};

static const char *const counts[] = {"totalEmails", "unreadEmails", "totalThreads", "unreadThreads"};

static const Arg args[] = {
	{"ids", ARG_IDS, ARG_NULL},
	{"properties", ARG_STRINGS, ARG_NULL},
};

/* The role, of a use like \Sent; NULL if it is none */
const char *
role_of_use(const char *use)
{
	for (size_t i = 0; use && *use == '\\' && i < G_N_ELEMENTS(roles); i++)
		if (g_ascii_strcasecmp(use + 1, roles[i]) == 0)
			return roles[i];
	return NULL;
}

/* The use; NULL if there is no such role.  The caller g_free()s it. */
char *
use_of_role(const char *role)
{
	for (size_t i = 0; i < G_N_ELEMENTS(roles); i++)
		if (strcmp(role, roles[i]) == 0)
			return g_strdup_printf("\\%c%s", toupper((unsigned char) *role), role + 1);
	return NULL;
}

/* In modified UTF-7 (RFC 3501 section 5.1.3); NULL if it cannot be a level.  The caller g_free()s it. */
char *
mailbox_encode(const char *name)
{
	if (*name == '\0' || strlen(name) > MAX_MAILBOX_NAME || strchr(name, '/'))
		return NULL;
	for (const char *c = name; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			return NULL;
	return g_convert(name, -1, "UTF-7-IMAP", "UTF-8", NULL, NULL, NULL);
}

static char *
decode(const char *level)
{
	char	   *name = g_convert(level, -1, "UTF-8", "UTF-7-IMAP", NULL, NULL, NULL);

	/* IMAP clients may have made names that are no UTF-7. */
	return name ? name : g_strdup(level);
}

void
mailbox_free(void *pointer)
{
	Mailbox    *mailbox = pointer;

	g_free(mailbox->path);
	g_free(mailbox->name);
	g_free(mailbox->role);
	g_free(mailbox);
}

Mailbox *
mailbox_find(const GPtrArray *mailboxes, int64_t id)
{
	for (guint i = 0; i < mailboxes->len; i++)
		if (((Mailbox *) mailboxes->pdata[i])->id == id)
			return mailboxes->pdata[i];
	return NULL;
}

Mailbox *
mailbox_at(const GPtrArray *mailboxes, const char *path)
{
	for (guint i = 0; i < mailboxes->len; i++)
		if (strcmp(((Mailbox *) mailboxes->pdata[i])->path, path) == 0)
			return mailboxes->pdata[i];
	return NULL;
}

/*
 * The parent is the mailbox one level up.  Where there is none, as other
 * programs than ours may have it, it is at the top and its name is the path.
 */
void
mailboxes_set_parents(GPtrArray *mailboxes)
{
	g_autoptr(GHashTable) paths = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < mailboxes->len; i++)
		g_hash_table_insert(paths, ((Mailbox *) mailboxes->pdata[i])->path, mailboxes->pdata[i]);
	for (guint i = 0; i < mailboxes->len; i++)
	{
		Mailbox    *mailbox = mailboxes->pdata[i];
		const char *slash = strrchr(mailbox->path, '/');
		char	   *up = slash ? g_strndup(mailbox->path, slash - mailbox->path) : NULL;
		const Mailbox *parent = up ? g_hash_table_lookup(paths, up) : NULL;

		mailbox->parent = parent ? parent->id : 0;
		g_free(mailbox->name);
		mailbox->name = decode(parent ? slash + 1 : mailbox->path);
		g_free(up);
	}
}

/* The rows of SQL_MAILBOXES.  The caller unrefs the array. */
GPtrArray *
mailboxes_read(const PGresult *rows)
{
	GPtrArray  *mailboxes = g_ptr_array_new_with_free_func(mailbox_free);

	for (int row = 0; row < PQntuples(rows); row++)
	{
		Mailbox    *mailbox = g_new0(Mailbox, 1);
		const char *path = db_text(rows, row, 1);

		mailbox->id = db_int(rows, row, 0);
		mailbox->path = g_strdup(path);
		mailbox->role = g_strdup(strcmp(path, "INBOX") == 0 ? "inbox" : role_of_use(db_text(rows, row, 2)));
		mailbox->sort_order = db_int(rows, row, 3);
		mailbox->subscribed = *db_text(rows, row, 4) == 't';
		g_ptr_array_add(mailboxes, mailbox);
	}
	mailboxes_set_parents(mailboxes);
	return mailboxes;
}

/* Everything; but INBOX must be there, under this name (RFC 3501 section 5.1). */
json_t *
mailbox_rights(const Mailbox *mailbox)
{
	bool		inbox = strcmp(mailbox->path, "INBOX") == 0;

	return json_pack("{sb, sb, sb, sb, sb, sb, sb, sb, sb}", "mayReadItems", 1, "mayAddItems", 1,
					 "mayRemoveItems", 1, "maySetSeen", 1, "maySetKeywords", 1, "mayCreateChild", 1,
					 "mayRename", !inbox, "mayDelete", !inbox, "maySubmit", 1);
}

static json_t *
mailbox_json(const Call *call, const Mailbox *mailbox, const PGresult *numbers, int row)
{
	json_t	   *json = json_pack("{so}", "id", id_json('M', mailbox->id));

	if (wants(call, "name"))
		json_object_set_new(json, "name", json_string(mailbox->name));
	if (wants(call, "parentId"))
		json_object_set_new(json, "parentId", mailbox->parent ? id_json('M', mailbox->parent) : json_null());
	if (wants(call, "role"))
		json_object_set_new(json, "role", mailbox->role ? json_string(mailbox->role) : json_null());
	if (wants(call, "sortOrder"))
		json_object_set_new(json, "sortOrder", json_integer(mailbox->sort_order));
	if (wants(call, "myRights"))
		json_object_set_new(json, "myRights", mailbox_rights(mailbox));
	if (wants(call, "isSubscribed"))
		json_object_set_new(json, "isSubscribed", json_boolean(mailbox->subscribed));
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		if (wants(call, counts[i]))
			json_object_set_new(json, counts[i], json_integer(row < 0 ? 0 : db_int(numbers, row, i + 1)));
	return json;
}

static json_t *
make_response(Call *call, GetIds *get, const GPtrArray *mailboxes, const PGresult *numbers, const char *state)
{
	json_t	   *list = json_array();
	g_autoptr(GHashTable) rows = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

	for (int row = 0; numbers && row < PQntuples(numbers); row++)
	{
		int64_t		id = db_int(numbers, row, 0);

		g_hash_table_insert(rows, g_memdup2(&id, sizeof(id)), GINT_TO_POINTER(row + 1));
	}
	if (get->all)
		for (guint i = 0; i < mailboxes->len; i++)
			g_array_append_val(get->ids, ((Mailbox *) mailboxes->pdata[i])->id);
	for (guint i = 0; i < get->ids->len; i++)
	{
		int64_t		id = g_array_index(get->ids, int64_t, i);
		const Mailbox *mailbox = mailbox_find(mailboxes, id);

		if (mailbox)
			json_array_append_new(list, mailbox_json(call, mailbox, numbers,
													 GPOINTER_TO_INT(g_hash_table_lookup(rows, &id)) - 1));
		else
			json_array_append_new(get->not_found, id_json('M', id));
	}
	return json_pack("{ss, ss, so, sO}", "accountId", call->user->account, "state", state,
					 "list", list, "notFound", get->not_found);
}

json_t *
mailbox_get(Call *call)
{
	Db		   *db = call->db;
	GetIds		get;
	States		states = {{NULL}};
	bool		count = false;
	char	   *ids;
	json_t	   *response = NULL;

	if (!call_args(call, args, G_N_ELEMENTS(args)) ||
		!call_properties(call, "properties", properties, G_N_ELEMENTS(properties)) ||
		!get_ids(call, 'M', &get))
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		count |= wants(call, counts[i]);
	ids = get.all ? NULL : ids_array(get.ids);
	db_queue(db, SQL_BEGIN_READING, "");
	db_queue(db, SQL_ACCOUNT_STATE, "i", call->user->id);
	db_queue(db, SQL_MAILBOXES, "i", call->user->id);
	if (count)
		db_queue(db, SQL_MAILBOX_COUNTS, "is", call->user->id, ids);
	db_queue(db, SQL_COMMIT, "");
	if (!db_run(db))
		call_fail_database(call);
	else if (!states_take(&states, db->results[1]))
		call_fail(call, "accountNotFound", NULL);
	else
	{
		g_autoptr(GPtrArray) mailboxes = mailboxes_read(db->results[2]);

		response = make_response(call, &get, mailboxes, count ? db->results[3] : NULL, states.of[TYPE_MAILBOX]);
	}
	states_free(&states);
	g_free(ids);
	get_ids_free(&get);
	return response;
}
