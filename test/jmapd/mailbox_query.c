/*-------------------------------------------------------------------------
 *
 * mailbox_query.c
 *	  Mailbox/query and Mailbox/queryChanges (RFC 8621 sections 2.3 and 2.4).
 *
 *-------------------------------------------------------------------------
 */
#include "methods.h"

static const Arg args[] = {
	{"filter", ARG_OBJECT, ARG_NULL},
	{"sort", ARG_ARRAY, ARG_NULL},
	{"sortAsTree", ARG_BOOL, 0},
	{"filterAsTree", ARG_BOOL, 0},
	QUERY_ARGS
};

static const Arg changes_args[] = {
	{"filter", ARG_OBJECT, ARG_NULL},
	{"sort", ARG_ARRAY, ARG_NULL},
	QUERY_CHANGES_ARGS
};

/* How deep operators may be nested */
#define MAX_DEPTH	50

/* --- the filter -------------------------------------------------------------------------- */

static bool
check_condition(Call *call, json_t *condition)
{
	const char *name;
	json_t	   *value;

	json_object_foreach(condition, name, value)
	{
		bool		right;

		if (strcmp(name, "parentId") == 0)
			right = json_is_null(value) || value_is(value, ARG_ID);
		else if (strcmp(name, "name") == 0)
			right = json_is_string(value);
		else if (strcmp(name, "role") == 0)
			right = json_is_null(value) || json_is_string(value);
		else if (strcmp(name, "hasAnyRole") == 0 || strcmp(name, "isSubscribed") == 0)
			right = json_is_boolean(value);
		else
		{
			call_fail(call, "unsupportedFilter", "There is no condition %s", name);
			return false;
		}
		if (!right)
		{
			call_fail(call, "invalidArguments", "The condition %s is of the wrong type", name);
			return false;
		}
	}
	return true;
}

static bool
check_filter(Call *call, json_t *filter, int depth)
{
	const json_t *operator = json_object_get(filter, "operator");
	const json_t *conditions = json_object_get(filter, "conditions");
	const char *text = json_string_value(operator);
	size_t		i;
	json_t	   *condition;

	if (operator == NULL)
		return check_condition(call, filter);
	if (!json_is_array(conditions) || json_object_size(filter) != 2 || depth > MAX_DEPTH ||
		!text || (strcmp(text, "AND") != 0 && strcmp(text, "OR") != 0 && strcmp(text, "NOT") != 0))
	{
		call_fail(call, "invalidArguments", "A filter operator is malformed");
		return false;
	}
	json_array_foreach((json_t *) conditions, i, condition)
	{
		if (!json_is_object(condition))
			call_fail(call, "invalidArguments", "A filter is an object");
		if (call->error || !check_filter(call, condition, depth + 1))
			return false;
	}
	return true;
}

static bool
meets(const Call *call, const json_t *condition, const Mailbox *mailbox)
{
	const char *name;
	json_t	   *value;
	char	   *folded = g_utf8_casefold(mailbox->name, -1);
	bool		met = true;

	json_object_foreach((json_t *) condition, name, value)
	{
		const char *text = json_string_value(value);

		if (strcmp(name, "parentId") == 0)
			met &= json_is_null(value) ? mailbox->parent == 0 :
				mailbox->parent != 0 && mailbox->parent == id_resolve(call, 'M', text);
		else if (strcmp(name, "name") == 0)
		{
			char	   *wanted = g_utf8_casefold(text, -1);

			met &= strstr(folded, wanted) != NULL;
			g_free(wanted);
		}
		else if (strcmp(name, "role") == 0)
			met &= g_strcmp0(mailbox->role, text) == 0;
		else if (strcmp(name, "hasAnyRole") == 0)
			met &= (mailbox->role != NULL) == json_is_true(value);
		else
			met &= mailbox->subscribed == json_is_true(value);
	}
	g_free(folded);
	return met;
}

static bool
matches(const Call *call, const json_t *filter, const Mailbox *mailbox)
{
	const char *operator = json_string_value(json_object_get(filter, "operator"));
	bool		and = operator && strcmp(operator, "AND") == 0;
	bool		not = operator && strcmp(operator, "NOT") == 0;
	size_t		i;
	json_t	   *condition;

	if (filter == NULL)
		return true;
	if (operator == NULL)
		return meets(call, filter, mailbox);
	/* NOT: none of them (RFC 8620 section 5.5) */
	json_array_foreach(json_object_get(filter, "conditions"), i, condition)
	{
		if (matches(call, condition, mailbox) != and)
			return !and && !not;
	}
	return and || not;
}

/* --- the order ------------------------------------------------------------------------------- */

static bool
check_sort(Call *call, json_t *sort)
{
	size_t		i;
	json_t	   *comparator;

	json_array_foreach(sort, i, comparator)
	{
		const char *property = json_string_value(json_object_get(comparator, "property"));
		const json_t *ascending = json_object_get(comparator, "isAscending");
		const char *collation = json_string_value(json_object_get(comparator, "collation"));

		if (property == NULL || (ascending && !json_is_boolean(ascending)))
			call_fail(call, "invalidArguments", "A comparator is malformed");
		else if (strcmp(property, "sortOrder") != 0 && strcmp(property, "name") != 0)
			call_fail(call, "unsupportedSort", "No sorting by %s", property);
		else if (collation && strcmp(collation, "i;ascii-casemap") != 0 && strcmp(collation, "i;octet") != 0 &&
				 strcmp(collation, "i;unicode-casemap") != 0)
			call_fail(call, "unsupportedSort", "No collation %s", collation);
		if (call->error)
			return false;
	}
	return true;
}

static int
compare_names(const char *a, const char *b)
{
	g_autofree char *left = g_utf8_casefold(a, -1);
	g_autofree char *right = g_utf8_casefold(b, -1);

	return strcmp(left, right);
}

static gint
compare(gconstpointer a, gconstpointer b, gpointer sort)
{
	const Mailbox *left = *(Mailbox *const *) a;
	const Mailbox *right = *(Mailbox *const *) b;
	size_t		i;
	json_t	   *comparator;

	json_array_foreach((json_t *) sort, i, comparator)
	{
		int			order = strcmp(json_string_value(json_object_get(comparator, "property")), "name") == 0 ?
			compare_names(left->name, right->name) :
			(left->sort_order > right->sort_order) - (left->sort_order < right->sort_order);

		if (order != 0)
			return json_is_false(json_object_get(comparator, "isAscending")) ? -order : order;
	}
	return (left->id > right->id) - (left->id < right->id);
}

/* Adds the children of a parent, each with its own behind it. */
static void
add_tree(GPtrArray *ordered, const GPtrArray *mailboxes, int64_t parent)
{
	for (guint i = 0; i < mailboxes->len; i++)
	{
		Mailbox    *mailbox = mailboxes->pdata[i];

		if (mailbox->parent != parent)
			continue;
		g_ptr_array_add(ordered, mailbox);
		add_tree(ordered, mailboxes, mailbox->id);
	}
}

/* Does it match, and with filterAsTree all above it? */
static bool
is_found(const Call *call, const json_t *filter, const GPtrArray *mailboxes, const Mailbox *mailbox, bool tree)
{
	while (mailbox && matches(call, filter, mailbox))
	{
		if (!tree || mailbox->parent == 0)
			return true;
		mailbox = mailbox_find(mailboxes, mailbox->parent);
	}
	return false;
}

/* The ids that the query finds.  The caller unrefs them. */
static GArray *
find(Call *call, const PGresult *rows)
{
	g_autoptr(GPtrArray) mailboxes = mailboxes_read(rows);
	g_autoptr(GPtrArray) ordered = g_ptr_array_new();
	GArray	   *ids = g_array_new(false, false, sizeof(int64_t));

	g_ptr_array_sort_with_data(mailboxes, compare, arg_get(call, "sort"));
	if (arg_bool(call, "sortAsTree", false))
		add_tree(ordered, mailboxes, 0);
	else
		for (guint i = 0; i < mailboxes->len; i++)
			g_ptr_array_add(ordered, mailboxes->pdata[i]);
	for (guint i = 0; i < ordered->len; i++)
	{
		const Mailbox *mailbox = ordered->pdata[i];

		if (is_found(call, arg_get(call, "filter"), mailboxes, mailbox, arg_bool(call, "filterAsTree", false)))
			g_array_append_val(ids, mailbox->id);
	}
	return ids;
}

static bool
check(Call *call, const Arg *known, size_t n)
{
	json_t	   *filter;

	if (!call_args(call, known, n))
		return false;
	filter = arg_get(call, "filter");
	return (!filter || check_filter(call, filter, 0)) && check_sort(call, arg_get(call, "sort"));
}

json_t *
mailbox_query(Call *call)
{
	Db		   *db = call->db;
	States		states = {{NULL}};
	json_t	   *response = NULL;

	if (!check(call, args, G_N_ELEMENTS(args)))
		return NULL;
	db_queue(db, SQL_BEGIN_READING, "");
	db_queue(db, SQL_ACCOUNT_STATE, "i", call->user->id);
	db_queue(db, SQL_MAILBOXES, "i", call->user->id);
	db_queue(db, SQL_COMMIT, "");
	if (!db_run(db))
		call_fail_database(call);
	else if (!states_take(&states, db->results[1]))
		call_fail(call, "accountNotFound", NULL);
	else
	{
		g_autoptr(GArray) ids = find(call, db->results[2]);

		response = query_response(call, states.of[TYPE_MAILBOX], ids, 'M',
								  !arg_bool(call, "sortAsTree", false) && !arg_bool(call, "filterAsTree", false));
	}
	states_free(&states);
	return response;
}

json_t *
mailbox_query_changes(Call *call)
{
	Db		   *db = call->db;
	const char *since;
	Verdict		verdict;
	json_t	   *response = NULL;

	if (!check(call, changes_args, G_N_ELEMENTS(changes_args)))
		return NULL;
	since = arg_string(call, "sinceQueryState");
	do
	{
		db_queue(db, SQL_BEGIN_READING, "");
		db_queue(db, SQL_MAILBOX_CHANGES, "iss", call->user->id, since, NULL);
		db_queue(db, SQL_MAILBOXES, "i", call->user->id);
		db_queue(db, SQL_COMMIT, "");
		if (!db_run(db))
			return call_fail_database(call);
		verdict = changes_verdict(call, since, db->results[1]);
	} while (verdict == CHANGES_AGAIN);
	if (verdict == CHANGES_TOLD)
	{
		g_autoptr(GArray) ids = find(call, db->results[2]);

		response = query_changes(call, db_text(db->results[1], 0, 2), ids, 'M', db->results[1]);
	}
	return response;
}
