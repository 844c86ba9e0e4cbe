/*-------------------------------------------------------------------------
 *
 * paging.c
 *	  What all /query and /queryChanges methods do with the ids that they found
 *	  (RFC 8620 sections 5.5 and 5.6).
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

static int64_t
find(const GArray *ids, int64_t id)
{
	for (guint i = 0; i < ids->len; i++)
		if (g_array_index(ids, int64_t, i) == id)
			return i;
	return -1;
}

/* Which of them are asked for: position, anchor, limit */
json_t *
query_response(Call *call, const char *state, const GArray *ids, char kind, bool changes)
{
	const char *anchor = arg_string(call, "anchor");
	json_int_t	limit = arg_int(call, "limit", -1);
	json_int_t	position = arg_int(call, "position", 0);
	json_t	   *list;
	json_t	   *response;

	if (anchor)
	{
		position = find(ids, id_resolve(call, kind, anchor));
		if (position < 0)
			return call_fail(call, "anchorNotFound", NULL);
		position = MAX(position + arg_int(call, "anchorOffset", 0), 0);
	}
	else if (position < 0)
		position = MAX(position + (json_int_t) ids->len, 0);
	list = json_array();
	for (json_int_t i = position; i < ids->len && (limit < 0 || i - position < limit); i++)
		json_array_append_new(list, id_json(kind, g_array_index(ids, int64_t, i)));
	response = json_pack("{ss, ss, sb, sI, so}", "accountId", call->user->account, "queryState", state,
						 "canCalculateChanges", changes, "position", position, "ids", list);
	if (arg_bool(call, "calculateTotal", false))
		json_object_set_new(response, "total", json_integer(ids->len));
	return response;
}

/*
 * What has changed since: of the changes, those that are gone or were touched
 * are removed, and of those that are new or were touched the ones that the
 * query finds now are added.  That removes too much, which is allowed.
 */
json_t *
query_changes(Call *call, const char *state, const GArray *ids, char kind, const PGresult *changes)
{
	g_autoptr(GHashTable) touched = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	json_int_t	max = arg_int(call, "maxChanges", -1);
	json_t	   *removed = json_array();
	json_t	   *added = json_array();
	json_t	   *response;

	for (int column = 4; column <= 6; column++)
	{
		g_autoptr(GArray) list = ids_read(db_text(changes, 0, column));

		for (guint i = 0; i < list->len; i++)
		{
			int64_t		id = g_array_index(list, int64_t, i);

			/* One that was created was in no result. */
			if (column > 4)
				json_array_append_new(removed, id_json(kind, id));
			g_hash_table_add(touched, g_memdup2(&id, sizeof(id)));
		}
	}
	for (guint i = 0; i < ids->len; i++)
	{
		int64_t		id = g_array_index(ids, int64_t, i);

		if (g_hash_table_contains(touched, &id))
			json_array_append_new(added, json_pack("{so, si}", "id", id_json(kind, id), "index", (int) i));
	}
	if (max >= 0 && (json_int_t) (json_array_size(removed) + json_array_size(added)) > max)
	{
		json_decref(removed);
		json_decref(added);
		return call_fail(call, "tooManyChanges", NULL);
	}
	response = json_pack("{ss, ss, ss, so, so}", "accountId", call->user->account,
						 "oldQueryState", arg_string(call, "sinceQueryState"), "newQueryState", state,
						 "removed", removed, "added", added);
	if (arg_bool(call, "calculateTotal", false))
		json_object_set_new(response, "total", json_integer(ids->len));
	return response;
}
