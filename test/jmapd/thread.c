/*-------------------------------------------------------------------------
 *
 * thread.c
 *	  Thread/get (RFC 8621 section 3.1).
 *
 *-------------------------------------------------------------------------
 */
#include "methods.h"

static const char *const properties[] = {"id", "emailIds"};

static const Arg args[] = {
	{"ids", ARG_IDS, ARG_NULL},
	{"properties", ARG_STRINGS, ARG_NULL},
};

/* Takes what was found out of the ids that were asked for, and says the rest in notFound. */
static json_t *
make_response(Call *call, GetIds *get, const PGresult *rows, const char *state)
{
	json_t	   *list = json_array();
	g_autoptr(GHashTable) found = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

	for (int row = 0; row < PQntuples(rows); row++)
	{
		int64_t		id = db_int(rows, row, 0);
		json_t	   *thread = json_pack("{so}", "id", id_json('T', id));

		if (wants(call, "emailIds"))
			json_object_set_new(thread, "emailIds", ids_json('E', db_text(rows, row, 1)));
		json_array_append_new(list, thread);
		g_hash_table_add(found, g_memdup2(&id, sizeof(id)));
	}
	for (guint i = 0; i < get->ids->len; i++)
		if (!g_hash_table_contains(found, &g_array_index(get->ids, int64_t, i)))
			json_array_append_new(get->not_found, id_json('T', g_array_index(get->ids, int64_t, i)));
	return json_pack("{ss, ss, so, sO}", "accountId", call->user->account, "state", state,
					 "list", list, "notFound", get->not_found);
}

json_t *
thread_get(Call *call)
{
	Db		   *db = call->db;
	GetIds		get;
	char	   *ids;
	States		states = {{NULL}};
	json_t	   *response = NULL;

	if (!call_args(call, args, G_N_ELEMENTS(args)) ||
		!call_properties(call, "properties", properties, G_N_ELEMENTS(properties)) ||
		!get_ids(call, 'T', &get))
		return NULL;
	if (get.all)
	{
		get_ids_free(&get);
		return call_fail(call, "requestTooLarge", "Name the ids");
	}
	ids = ids_array(get.ids);
	db_queue(db, SQL_BEGIN_READING, "");
	db_queue(db, SQL_ACCOUNT_STATE, "i", call->user->id);
	db_queue(db, SQL_THREADS, "is", call->user->id, ids);
	db_queue(db, SQL_COMMIT, "");
	if (!db_run(db))
		call_fail_database(call);
	else if (!states_take(&states, db->results[1]))
		call_fail(call, "accountNotFound", NULL);
	else
		response = make_response(call, &get, db->results[2], states.of[TYPE_THREAD]);
	states_free(&states);
	g_free(ids);
	get_ids_free(&get);
	return response;
}
