/*-------------------------------------------------------------------------
 *
 * call.c
 *	  What most methods do: arguments and their types, ids, dates, errors, the
 *	  transaction of a /set.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "jmapd.h"

/* --- errors ------------------------------------------------------------------------- */

/* The first error of a call stays. */
json_t *
call_fail(Call *call, const char *type, const char *description,...)
{
	va_list		args;
	char	   *text;

	if (call->error)
		return NULL;
	call->error = json_pack("{ss}", "type", type);
	if (description)
	{
		va_start(args, description);
		text = g_strdup_vprintf(description, args);
		va_end(args);
		json_object_set_new(call->error, "description", json_string(text));
		g_free(text);
	}
	return NULL;
}

/*
 * The database has no such account: its last mailbox has gone, and all that
 * was known of it.  Or it was just made, and a standby does not have it yet.
 */
static json_t *
call_fail_account(Call *call)
{
	db_queue(call->db, SQL_IN_RECOVERY, "");
	if (!db_run(call->db) || *db_text(call->db->results[0], 0, 0) == 't')
		return call_fail(call, "serverUnavailable", "This server does not have the account, or not yet");
	return call_fail(call, "accountNotFound", NULL);
}

/* The database has failed; what it was doing has been rolled back. */
json_t *
call_fail_database(Call *call)
{
	const char *state = call->db->sqlstate;

	/* Not the statement is to blame: busy, gone, shutting down, a standby */
	if (db_is_lost(call->db) || strncmp(state, "55P03", 5) == 0 || strncmp(state, "57", 2) == 0 ||
		strncmp(state, "40", 2) == 0 || strncmp(state, "08", 2) == 0 || strcmp(state, "25006") == 0)
		return call_fail(call, "serverUnavailable", "The database is busy or gone (%s)", state);
	if (strcmp(state, "42704") == 0)
		return call_fail_account(call);
	return call_fail(call, "serverFail", "The database has failed (%s)", state);
}

json_t *
set_error(const char *type, const char *description)
{
	json_t	   *error = json_pack("{ss}", "type", type);

	if (description)
		json_object_set_new(error, "description", json_string(description));
	return error;
}

/* invalidProperties, of one more property; error may be NULL */
json_t *
set_error_property(json_t *error, const char *property)
{
	if (error == NULL)
		error = json_pack("{ss, s[]}", "type", "invalidProperties", "properties");
	json_array_append_new(json_object_get(error, "properties"), json_string(property));
	return error;
}

/* --- arguments ------------------------------------------------------------------------ */

/* RFC 8620 section 1.2 */
bool
is_id(const char *text)
{
	size_t		length = strlen(text);

	return length > 0 && length <= 255 &&
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

static bool
is_id_or_reference(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && is_id(*text == '#' ? text + 1 : text);
}

bool
value_is(const json_t *value, ArgType type)
{
	size_t		i;
	json_t	   *element;
	json_int_t	limit = INT64_C(1) << 53;

	switch (type)
	{
		case ARG_ID:
			return is_id_or_reference(value);
		case ARG_STRING:
			return json_is_string(value);
		case ARG_BOOL:
			return json_is_boolean(value);
		case ARG_UINT:
			return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) < limit;
		case ARG_INT:
			return json_is_integer(value) && llabs(json_integer_value(value)) < limit;
		case ARG_OBJECT:
			return json_is_object(value);
		case ARG_IDS:
		case ARG_STRINGS:
			if (!json_is_array(value))
				return false;
			json_array_foreach((json_t *) value, i, element)
			{
				if (!json_is_string(element) || (type == ARG_IDS && !is_id_or_reference(element)))
					return false;
			}
			return true;
		case ARG_ARRAY:
			return json_is_array(value);
		case ARG_ANY:
			return value != NULL;
	}
	return false;
}

/* Are the arguments those, and of the right types?  accountId has been looked at. */
bool
call_args(Call *call, const Arg *args, size_t n)
{
	const char *name;
	json_t	   *value;

	json_object_foreach(call->args, name, value)
	{
		size_t		i = 0;

		if (strcmp(name, "accountId") == 0)
			continue;
		while (i < n && strcmp(args[i].name, name) != 0)
			i++;
		if (i == n)
			call_fail(call, "invalidArguments", "There is no argument %s", name);
		else if (json_is_null(value) ? !(args[i].flags & ARG_NULL) : !value_is(value, args[i].type))
			call_fail(call, "invalidArguments", "%s is of the wrong type", name);
	}
	for (size_t i = 0; i < n; i++)
		if (args[i].flags & ARG_REQUIRED && json_object_get(call->args, args[i].name) == NULL)
			call_fail(call, "invalidArguments", "%s is missing", args[i].name);
	return call->error == NULL;
}

/* An argument; NULL if it is not there, or null */
json_t *
arg_get(const Call *call, const char *name)
{
	json_t	   *value = json_object_get(call->args, name);

	return json_is_null(value) ? NULL : value;
}

const char *
arg_string(const Call *call, const char *name)
{
	return json_string_value(arg_get(call, name));
}

bool
arg_bool(const Call *call, const char *name, bool otherwise)
{
	const json_t *value = arg_get(call, name);

	return value ? json_is_true(value) : otherwise;
}

json_int_t
arg_int(const Call *call, const char *name, json_int_t otherwise)
{
	const json_t *value = arg_get(call, name);

	return value ? json_integer_value(value) : otherwise;
}

/* --- ids: a letter for the type, and a number ------------------------------------------- */

const char *
id_print(char kind, int64_t id, char text[ID_MAX])
{
	snprintf(text, ID_MAX, "%c%" PRId64, kind, id);
	return text;
}

json_t *
id_json(char kind, int64_t id)
{
	char		text[ID_MAX];

	return json_string(id_print(kind, id, text));
}

/* The number; 0 if there can be no such id */
int64_t
id_parse(char kind, const char *text)
{
	int64_t		id;
	char		again[ID_MAX];

	if (text == NULL || *text != kind)
		return 0;
	id = g_ascii_strtoll(text + 1, NULL, 10);
	return id > 0 && strcmp(id_print(kind, id, again), text) == 0 ? id : 0;
}

/* The same, where the id may be "#" and a creation id of this request */
int64_t
id_resolve(const Call *call, char kind, const char *text)
{
	if (text && *text == '#')
		text = json_string_value(json_object_get(call->created_ids, text + 1));
	return id_parse(kind, text);
}

/* A list like 1,2 of the database's; NULL is an empty one.  What JMAP does not see is negative there. */
GArray *
ids_read(const char *list)
{
	GArray	   *ids = g_array_new(false, false, sizeof(int64_t));

	while (list && *list)
	{
		char	   *end;
		int64_t		id = strtoll(list, &end, 10);

		if (id > 0)
			g_array_append_val(ids, id);
		list = *end == ',' ? end + 1 : end;
	}
	return ids;
}

json_t *
ids_json(char kind, const char *list)
{
	g_autoptr(GArray) ids = ids_read(list);
	json_t	   *json = json_array();

	for (guint i = 0; i < ids->len; i++)
		json_array_append_new(json, id_json(kind, g_array_index(ids, int64_t, i)));
	return json;
}

/* As an array literal of PostgreSQL.  The caller g_free()s it. */
char *
ids_array(const GArray *ids)
{
	GString    *text = g_string_new("{");

	for (guint i = 0; i < ids->len; i++)
		g_string_append_printf(text, "%s%" PRId64, i > 0 ? "," : "", g_array_index(ids, int64_t, i));
	g_string_append_c(text, '}');
	return g_string_free(text, false);
}

/* --- dates (RFC 8620 section 1.4) ---------------------------------------------------------- */

/* A UTCDate, or with utc false the same as a Date.  The caller g_free()s it. */
char *
time_json(int64_t microseconds)
{
	int64_t		seconds = microseconds / 1000000 - (microseconds % 1000000 < 0);
	GDateTime  *time = g_date_time_new_from_unix_utc(seconds);
	char	   *text = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("1970-01-01T00:00:00Z");

	if (time)
		g_date_time_unref(time);
	return text;
}

static bool
digits(const char *text, int n)
{
	for (int i = 0; i < n; i++)
		if (!g_ascii_isdigit(text[i]))
			return false;
	return true;
}

/* A Date, which must be a UTCDate if utc: RFC 3339, letters upper case, "Z" for no offset in UTCDate */
bool
time_parse(const char *text, bool utc, int64_t *microseconds)
{
	const char *zone;
	GDateTime  *time;

	if (text == NULL || strlen(text) < 20 || !digits(text, 4) || text[4] != '-' || !digits(text + 5, 2) ||
		text[7] != '-' || !digits(text + 8, 2) || text[10] != 'T' || !digits(text + 11, 2) || text[13] != ':' ||
		!digits(text + 14, 2) || text[16] != ':' || !digits(text + 17, 2))
		return false;
	zone = text + 19;
	if (*zone == '.')
	{
		size_t		n = strspn(zone + 1, "0123456789");

		if (n == 0)
			return false;
		zone += n + 1;
	}
	if (strcmp(zone, "Z") != 0 &&
		(utc || strlen(zone) != 6 || !strchr("+-", *zone) || !digits(zone + 1, 2) || zone[3] != ':' ||
		 !digits(zone + 4, 2)))
		return false;
	time = g_date_time_new_from_iso8601(text, NULL);
	if (time == NULL)
		return false;
	*microseconds = g_date_time_to_unix(time) * 1000000 + g_date_time_get_microsecond(time);
	g_date_time_unref(time);
	return true;
}

/* --- get ------------------------------------------------------------------------------------- */

/* The argument ids.  False after call_fail() */
bool
get_ids(Call *call, char kind, GetIds *get)
{
	json_t	   *ids = arg_get(call, "ids");

	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	size_t		i;
	json_t	   *value;

	get->all = ids == NULL;
	get->ids = g_array_new(false, false, sizeof(int64_t));
	get->not_found = json_array();
	if (json_array_size(ids) > MAX_OBJECTS_IN_GET)
	{
		call_fail(call, "requestTooLarge", "At most %d ids", MAX_OBJECTS_IN_GET);
		get_ids_free(get);
		return false;
	}
	json_array_foreach(ids, i, value)
	{
		const char *text = json_string_value(value);
		int64_t		id = id_resolve(call, kind, text);

		/* An id that is there twice is answered once (RFC 8620 section 5.1). */
		if (!g_hash_table_add(seen, (char *) text))
			continue;
		if (id == 0)
			json_array_append(get->not_found, value);
		else
			g_array_append_val(get->ids, id);
	}
	return true;
}

void
get_ids_free(GetIds *get)
{
	g_array_unref(get->ids);
	json_decref(get->not_found);
}

/* Are all that the argument names known properties? */
bool
call_properties(Call *call, const char *arg, const char *const *known, size_t n)
{
	size_t		i;
	json_t	   *value;

	json_array_foreach(arg_get(call, arg), i, value)
	{
		const char *name = json_string_value(value);
		size_t		k = 0;

		while (k < n && strcmp(known[k], name) != 0)
			k++;
		if (k == n)
			call_fail(call, "invalidArguments", "There is no property %s", name);
	}
	return call->error == NULL;
}

/* Is the property asked for? */
bool
wants(const Call *call, const char *property)
{
	const json_t *properties = arg_get(call, "properties");
	size_t		i;
	json_t	   *value;

	if (properties == NULL || strcmp(property, "id") == 0)
		return true;
	json_array_foreach((json_t *) properties, i, value)
	{
		if (strcmp(json_string_value(value), property) == 0)
			return true;
	}
	return false;
}

/* --- set --------------------------------------------------------------------------------------- */

/* The states that account_state() or account_lock() has returned.  False if there is no such account. */
bool
states_take(States *states, const PGresult *row)
{
	if (PQntuples(row) != 1)
		return false;
	states_free(states);
	for (int i = 0; i < TYPE_COUNT; i++)
		states->of[i] = g_strdup(db_text(row, 0, i));
	return true;
}

void
states_free(States *states)
{
	for (int i = 0; i < TYPE_COUNT; i++)
		g_clear_pointer(&states->of[i], g_free);
}

/* Are the records of a /set no more than the session has said? */
bool
set_size(Call *call)
{
	size_t		n = json_object_size(arg_get(call, "create")) + json_object_size(arg_get(call, "update")) +
		json_array_size(arg_get(call, "destroy"));

	if (n > MAX_OBJECTS_IN_SET)
		call_fail(call, "requestTooLarge", "At most %d records", MAX_OBJECTS_IN_SET);
	return call->error == NULL;
}

static void
roll_back(Db *db)
{
	if (PQtransactionStatus(db->conn) == PQTRANS_IDLE)
		return;
	db_queue(db, SQL_ROLLBACK, "");
	db_run(db);
}

/*
 * Runs the function in a transaction that has locked the account: so nothing
 * changes between what it reads and what it writes, and the states before and
 * after are this transaction's (RFC 8620 section 5.3).  It is run again after
 * a deadlock.  False if nothing was done; then call->error says why.
 *
 * The function returns false if a statement has failed, or after call_fail().
 */
bool
call_write(Call *call, Type type, WriteFunction function, void *arg)
{
	Db		   *db = call->db;
	const char *expected = arg_string(call, "ifInState");
	json_t	   *created_ids = json_copy(call->created_ids);
	int			attempt = 0;

	for (;;)
	{
		db_queue(db, SQL_BEGIN, "");
		db_queue(db, SQL_ACCOUNT_LOCK, "i", call->user->id);
		if (db_run(db))
		{
			if (!states_take(&call->old, db->results[1]))
				call_fail(call, "accountNotFound", NULL);
			else if (expected && strcmp(expected, call->old.of[type]) != 0)
				call_fail(call, "stateMismatch", NULL);
			else if (function(call, arg))
			{
				db_queue(db, SQL_ACCOUNT_STATE, "i", call->user->id);
				db_queue(db, SQL_COMMIT, "");
				if (db_run(db))
				{
					json_decref(created_ids);
					states_take(&call->new, db->results[0]);
					return true;
				}
			}
		}
		if (call->error)
			roll_back(db);
		/* What was created is not. */
		json_object_clear(call->created_ids);
		json_object_update(call->created_ids, created_ids);
		if (call->error || db_is_lost(db) || !db_retry(db, &attempt))
			break;
	}
	json_decref(created_ids);
	if (!call->error)
		call_fail_database(call);
	return false;
}

/* An object or array, or null for an empty one */
json_t *
or_null(json_t *value)
{
	return json_object_size(value) + json_array_size(value) > 0 ? json_incref(value) : json_null();
}

/* Nothing is done yet. */
void
set_done_init(SetDone *done)
{
	done->created = json_object();
	done->updated = json_object();
	done->destroyed = json_array();
	done->not_created = json_object();
	done->not_updated = json_object();
	done->not_destroyed = json_object();
}

void
set_done_clear(SetDone *done)
{
	json_decref(done->created);
	json_decref(done->updated);
	json_decref(done->destroyed);
	json_decref(done->not_created);
	json_decref(done->not_updated);
	json_decref(done->not_destroyed);
	*done = (SetDone) {NULL};
}

json_t *
set_response(const Call *call, Type type, const SetDone *done)
{
	return json_pack("{ss, ss, ss, so, so, so, so, so, so}", "accountId", call->user->account,
					 "oldState", call->old.of[type], "newState", call->new.of[type],
					 "created", or_null(done->created), "updated", or_null(done->updated),
					 "destroyed", or_null(done->destroyed), "notCreated", or_null(done->not_created),
					 "notUpdated", or_null(done->not_updated), "notDestroyed", or_null(done->not_destroyed));
}
