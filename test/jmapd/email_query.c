/*-------------------------------------------------------------------------
 *
 * email_query.c
 *	  Email/query and Email/queryChanges (RFC 8621 sections 4.4 and 4.5).
 *
 *-------------------------------------------------------------------------
 */
#include "methods.h"

static const Arg args[] = {
	{"filter", ARG_OBJECT, ARG_NULL},
	{"sort", ARG_ARRAY, ARG_NULL},
	{"collapseThreads", ARG_BOOL, 0},
	QUERY_ARGS
};

static const Arg changes_args[] = {
	{"filter", ARG_OBJECT, ARG_NULL},
	{"sort", ARG_ARRAY, ARG_NULL},
	{"collapseThreads", ARG_BOOL, 0},
	QUERY_CHANGES_ARGS
};

static const struct
{
	const char *name;
	bool		facts;
	bool		keyword;
	bool		thread;
}			sorts[] = {
	{"receivedAt", false, false, false}, {"size", false, false, false}, {"from", true, false, false},
	{"to", true, false, false}, {"subject", true, false, false}, {"sentAt", true, false, false},
	{"hasKeyword", false, true, false}, {"allInThreadHaveKeyword", false, true, true},
	{"someInThreadHaveKeyword", false, true, true},
};

/* --- the order ---------------------------------------------------------------------------------- */

static bool
check_comparator(Call *call, Query *query, json_t *comparator)
{
	const char *property = json_string_value(json_object_get(comparator, "property"));
	const json_t *ascending = json_object_get(comparator, "isAscending");
	const json_t *keyword = json_object_get(comparator, "keyword");
	const char *collation = json_string_value(json_object_get(comparator, "collation"));
	size_t		i = 0;

	if (property == NULL || (ascending && !json_is_boolean(ascending)))
		return call_fail(call, "invalidArguments", "A comparator is malformed"), false;
	while (i < G_N_ELEMENTS(sorts) && strcmp(sorts[i].name, property) != 0)
		i++;
	if (i == G_N_ELEMENTS(sorts))
		return call_fail(call, "unsupportedSort", "No sorting by %s", property), false;
	if (collation && strcmp(collation, "i;ascii-casemap") != 0 && strcmp(collation, "i;octet") != 0 &&
		strcmp(collation, "i;unicode-casemap") != 0)
		return call_fail(call, "unsupportedSort", "No collation %s", collation), false;
	if (sorts[i].keyword && !(json_is_string(keyword) && keyword_is_valid(json_string_value(keyword))))
		return call_fail(call, "invalidArguments", "%s needs a keyword", property), false;
	query->needs_facts |= sorts[i].facts;
	query->needs_threads |= sorts[i].thread;
	return true;
}

static bool
check_sort(Call *call, Query *query, json_t *sort)
{
	size_t		i;
	json_t	   *comparator;

	json_array_foreach(sort, i, comparator)
	{
		if (!check_comparator(call, query, comparator))
			return false;
	}
	return true;
}

static int
compare_numbers(int64_t left, int64_t right)
{
	return (left > right) - (left < right);
}

static int
compare_texts(const char *left, const char *right, const char *collation)
{
	g_autofree char *a = NULL;
	g_autofree char *b = NULL;

	if (collation && strcmp(collation, "i;octet") == 0)
		return g_strcmp0(left, right);
	if (collation && strcmp(collation, "i;ascii-casemap") == 0)
		return g_ascii_strcasecmp(left ? left : "", right ? right : "");
	a = g_utf8_casefold(left ? left : "", -1);
	b = g_utf8_casefold(right ? right : "", -1);
	return strcmp(a, b);
}

static int
compare_by(const Query *query, const json_t *comparator, const Email *a, const Email *b)
{
	const char *property = json_string_value(json_object_get(comparator, "property"));
	const char *keyword = json_string_value(json_object_get(comparator, "keyword"));
	const char *collation = json_string_value(json_object_get(comparator, "collation"));

	if (strcmp(property, "receivedAt") == 0)
		return compare_numbers(a->received, b->received);
	if (strcmp(property, "size") == 0)
		return compare_numbers(a->size, b->size);
	if (strcmp(property, "from") == 0)
		return compare_texts(a->from, b->from, collation);
	if (strcmp(property, "to") == 0)
		return compare_texts(a->to, b->to, collation);
	if (strcmp(property, "subject") == 0)
		return compare_texts(a->subject, b->subject, collation);
	if (strcmp(property, "sentAt") == 0)
		return compare_numbers(a->has_sent ? a->sent : a->received, b->has_sent ? b->sent : b->received);
	if (strcmp(property, "hasKeyword") == 0)
		return email_has(a, keyword) - email_has(b, keyword);
	return thread_has(query, a, keyword, *property == 'a') - thread_has(query, b, keyword, *property == 'a');
}

typedef struct Order
{
	const Query *query;
	const json_t *sort;
} Order;

/* The newest first where nothing is asked for, and among equals */
static gint
compare(gconstpointer left, gconstpointer right, gpointer pointer)
{
	const Email *a = *(Email *const *) left;
	const Email *b = *(Email *const *) right;
	const Order *order = pointer;
	size_t		i;
	json_t	   *comparator;

	json_array_foreach((json_t *) order->sort, i, comparator)
	{
		int			difference = compare_by(order->query, comparator, a, b);

		if (difference != 0)
			return json_is_false(json_object_get(comparator, "isAscending")) ? -difference : difference;
	}
	return a->received != b->received ? compare_numbers(b->received, a->received) : compare_numbers(b->id, a->id);
}

/* --- the query --------------------------------------------------------------------------------------- */

static void
collect_threads(Query *query)
{
	query->threads = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, (GDestroyNotify) g_ptr_array_unref);
	for (guint i = 0; i < query->emails->len; i++)
	{
		Email	   *email = query->emails->pdata[i];
		GPtrArray  *thread = g_hash_table_lookup(query->threads, &email->thread);

		if (thread == NULL)
		{
			thread = g_ptr_array_new();
			g_hash_table_insert(query->threads, &email->thread, thread);
		}
		g_ptr_array_add(thread, email);
	}
}

/* The ids that the query finds, in order.  The caller unrefs them. */
static GArray *
find(Call *call, Query *query)
{
	const json_t *filter = arg_get(call, "filter");
	g_autoptr(GPtrArray) found = g_ptr_array_new();
	g_autoptr(GHashTable) seen = g_hash_table_new(g_int64_hash, g_int64_equal);
	GArray	   *ids = g_array_new(false, false, sizeof(int64_t));
	Order		order = {query, arg_get(call, "sort")};

	if (query->needs_threads)
		collect_threads(query);
	for (guint i = 0; i < query->emails->len; i++)
		if (filter == NULL || filter_matches(query, filter, query->emails->pdata[i]))
			g_ptr_array_add(found, query->emails->pdata[i]);
	g_ptr_array_sort_with_data(found, compare, &order);
	for (guint i = 0; i < found->len; i++)
	{
		Email	   *email = found->pdata[i];

		/* Of a thread the first only (RFC 8621 section 4.4.3) */
		if (!arg_bool(call, "collapseThreads", false) || g_hash_table_add(seen, &email->thread))
			g_array_append_val(ids, email->id);
	}
	return ids;
}

static void
query_clear(Query *query)
{
	if (query->threads)
		g_hash_table_unref(query->threads);
	if (query->sets)
		g_hash_table_unref(query->sets);
	if (query->emails)
		g_ptr_array_unref(query->emails);
}

static bool
check(Call *call, Query *query, const Arg *known, size_t n)
{
	return call_args(call, known, n) && filter_check(call, query, arg_get(call, "filter"), true) &&
		check_sort(call, query, arg_get(call, "sort"));
}

/*
 * Reads in one snapshot: what first asks for, the Emails, and what is in their
 * texts.  *known is false if a message has arrived of which the facts are not
 * there yet.  False if the database has failed.
 */
static bool
read_snapshot(Call *call, Query *query, Sql first, PGresult **result, bool *known)
{
	Db		   *db = call->db;
	const json_t *filter = arg_get(call, "filter");
	char		number[ID_MAX];
	bool		some = query->mailbox != 0 && !query->needs_threads;

	g_snprintf(number, sizeof(number), "%" G_GINT64_FORMAT, query->mailbox);
	db_queue(db, SQL_BEGIN_READING, "");
	if (first == SQL_ACCOUNT_STATE)
		db_queue(db, first, "i", call->user->id);
	else
		db_queue(db, first, "iss", call->user->id, arg_string(call, "sinceQueryState"), NULL);
	db_queue(db, SQL_EMAILS_IN, "is", call->user->id, some ? number : NULL);
	if (query->needs_facts)
		db_queue(db, SQL_FACTS_MISSING, "i", call->user->id);
	if (!db_run(db))
		return false;
	*known = !query->needs_facts || PQntuples(db->results[3]) == 0;
	*result = db_take(db, 1);
	query->emails = emails_read(db->results[2], true);
	if (filter && !filter_texts(call, query, filter))
		return false;
	db_queue(db, SQL_COMMIT, "");
	return db_run(db);
}

/* False after call_fail() */
static bool
read_all(Call *call, Query *query, Sql first, PGresult **result)
{
	bool		known;

	if (query->sets == NULL)
		query->sets = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify) g_hash_table_unref);
	do
	{
		PQclear(*result);
		*result = NULL;
		g_clear_pointer(&query->emails, g_ptr_array_unref);
		g_hash_table_remove_all(query->sets);
		if (query->needs_facts && !facts_fill(call))
			return false;
		if (!read_snapshot(call, query, first, result, &known))
		{
			call_fail_database(call);
			return false;
		}
	} while (!known);
	return true;
}

/* Of a query that looks at whole threads a change of one Email can move others. */
static bool
can_calculate(const Call *call, const Query *query)
{
	return !query->needs_threads && !arg_bool(call, "collapseThreads", false);
}

json_t *
email_query(Call *call)
{
	Query		query = {NULL};
	PGresult   *state = NULL;
	States		states = {{NULL}};
	json_t	   *response = NULL;

	if (check(call, &query, args, G_N_ELEMENTS(args)) && read_all(call, &query, SQL_ACCOUNT_STATE, &state))
	{
		g_autoptr(GArray) ids = find(call, &query);

		if (!states_take(&states, state))
			call_fail(call, "accountNotFound", NULL);
		else
			response = query_response(call, states.of[TYPE_EMAIL], ids, 'E', can_calculate(call, &query));
		if (response)
			json_object_set_new(response, "collapseThreads", json_boolean(arg_bool(call, "collapseThreads", false)));
	}
	states_free(&states);
	PQclear(state);
	query_clear(&query);
	return response;
}

json_t *
email_query_changes(Call *call)
{
	Query		query = {NULL};
	PGresult   *changes = NULL;
	Verdict		verdict = CHANGES_AGAIN;
	json_t	   *response = NULL;

	if (check(call, &query, changes_args, G_N_ELEMENTS(changes_args)) && !can_calculate(call, &query))
		call_fail(call, "cannotCalculateChanges", NULL);
	while (!call->error && verdict == CHANGES_AGAIN)
		if (read_all(call, &query, SQL_EMAIL_CHANGES, &changes))
			verdict = changes_verdict(call, arg_string(call, "sinceQueryState"), changes);
	if (verdict == CHANGES_TOLD)
	{
		g_autoptr(GArray) ids = find(call, &query);

		response = query_changes(call, db_text(changes, 0, 2), ids, 'E', changes);
	}
	if (response)
		json_object_set_new(response, "collapseThreads", json_false());
	PQclear(changes);
	query_clear(&query);
	return response;
}
