/*-------------------------------------------------------------------------
 *
 * request.c
 *	  A request: its method calls one after the other, and what they take from
 *	  each other (RFC 8620 sections 3.3 to 3.7).
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"
#include "methods.h"

#define ERROR	"urn:ietf:params:jmap:error:"

/* A method, and the capability that brings it */
typedef struct MethodEntry
{
	const char *name;
	Method		method;
	bool		mail;			/* that of mail, else of the core */
	bool		account;		/* has it an accountId? */
} MethodEntry;

static json_t *
core_echo(Call *call)
{
	return json_incref(call->args);
}

static const MethodEntry methods[] = {
	{"Core/echo", core_echo, false, false},
	{"Blob/copy", blob_copy, false, true},
	{"Mailbox/get", mailbox_get, true, true},
	{"Mailbox/changes", mailbox_changes, true, true},
	{"Mailbox/query", mailbox_query, true, true},
	{"Mailbox/queryChanges", mailbox_query_changes, true, true},
	{"Mailbox/set", mailbox_set, true, true},
	{"Thread/get", thread_get, true, true},
	{"Thread/changes", thread_changes, true, true},
	{"Email/get", email_get, true, true},
	{"Email/changes", email_changes, true, true},
	{"Email/query", email_query, true, true},
	{"Email/queryChanges", email_query_changes, true, true},
	{"Email/set", email_set, true, true},
	{"Email/copy", email_copy, true, true},
	{"Email/import", email_import, true, true},
	{"Email/parse", email_parse, true, true},
};

/* A request that is run */
typedef struct Running
{
	Db		   *db;
	const User *user;
	bool		core;			/* does it use the capability? */
	bool		mail;
	json_t	   *responses;
	json_t	   *created_ids;
} Running;

/* --- result references (RFC 8620 section 3.7) ---------------------------------------- */

/* A JSON pointer (RFC 6901), where * stands for each of an array's; NULL if it leads nowhere */
static json_t *
follow(json_t *value, const char *path)
{
	const char *end;
	char	   *token;
	char	  **parts;
	json_t	   *next = NULL;

	if (*path == '\0')
		return json_incref(value);
	if (*path != '/')
		return NULL;
	path++;
	end = path + strcspn(path, "/");
	if (json_is_array(value) && end - path == 1 && *path == '*')
	{
		json_t	   *list = json_array();

		for (size_t i = 0; i < json_array_size(value); i++)
		{
			json_t	   *found = follow(json_array_get(value, i), end);

			if (found == NULL)
			{
				json_decref(list);
				return NULL;
			}
			/* What is a list itself is one with the others. */
			if (json_is_array(found))
				json_array_extend(list, found);
			else
				json_array_append(list, found);
			json_decref(found);
		}
		return list;
	}
	token = g_strndup(path, end - path);
	parts = g_strsplit(token, "~1", -1);
	g_free(token);
	token = g_strjoinv("/", parts);
	g_strfreev(parts);
	parts = g_strsplit(token, "~0", -1);
	g_free(token);
	token = g_strjoinv("~", parts);
	g_strfreev(parts);
	if (json_is_object(value))
		next = json_object_get(value, token);
	else if (json_is_array(value) && *token != '\0' && strspn(token, "0123456789") == strlen(token) &&
			 (*token != '0' || token[1] == '\0'))
		next = json_array_get(value, g_ascii_strtoull(token, NULL, 10));
	g_free(token);
	return next ? follow(next, end) : NULL;
}

/* The value that a reference means; NULL if there is none */
static json_t *
dereference(const Running *running, const json_t *reference)
{
	const char *of = json_string_value(json_object_get(reference, "resultOf"));
	const char *name = json_string_value(json_object_get(reference, "name"));
	const char *path = json_string_value(json_object_get(reference, "path"));
	size_t		i;
	json_t	   *response;

	if (!of || !name || !path)
		return NULL;
	json_array_foreach(running->responses, i, response)
	{
		if (strcmp(json_string_value(json_array_get(response, 2)), of) != 0)
			continue;
		/* The first response of that call must be the one that is meant. */
		return strcmp(json_string_value(json_array_get(response, 0)), name) == 0 ?
			follow(json_array_get(response, 1), path) : NULL;
	}
	return NULL;
}

/* The arguments, with "#name" replaced; NULL after call_fail() */
static json_t *
resolve(const Running *running, Call *call, json_t *args)
{
	json_t	   *resolved = json_object();
	const char *name;
	json_t	   *value;

	json_object_foreach(args, name, value)
	{
		json_t	   *found;

		if (*name != '#')
		{
			json_object_set(resolved, name, value);
			continue;
		}
		if (json_object_get(args, name + 1))
			call_fail(call, "invalidArguments", "%s is there twice", name + 1);
		else if ((found = dereference(running, value)) == NULL)
			call_fail(call, "invalidResultReference", "%s refers to nothing", name);
		else
			json_object_set_new(resolved, name + 1, found);
		if (call->error)
		{
			json_decref(resolved);
			return NULL;
		}
	}
	return resolved;
}

/* --- calls ------------------------------------------------------------------------------ */

static const MethodEntry *
find_method(const Running *running, const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return (methods[i].mail ? running->mail : running->core) ? &methods[i] : NULL;
	return NULL;
}

static void
check_account(Call *call)
{
	const json_t *account = json_object_get(call->args, "accountId");

	if (!json_is_string(account))
		call_fail(call, "invalidArguments", "accountId is missing");
	else if (strcmp(json_string_value(account), call->user->account) != 0)
		call_fail(call, "accountNotFound", NULL);
}

static void
run_call(Running *running, json_t *invocation)
{
	const char *name = json_string_value(json_array_get(invocation, 0));
	const char *id = json_string_value(json_array_get(invocation, 2));
	const MethodEntry *entry = find_method(running, name);
	Call		call = {.db = running->db, .user = running->user, .created_ids = running->created_ids};
	json_t	   *response = NULL;

	call.args = resolve(running, &call, json_array_get(invocation, 1));
	if (entry == NULL)
	{
		json_decref(call.error);
		call.error = NULL;
		call_fail(&call, "unknownMethod", NULL);
	}
	if (!call.error && entry->account)
		check_account(&call);
	if (!call.error)
		response = entry->method(&call);
	if (response)
		json_array_append_new(running->responses, json_pack("[sos]", name, response, id));
	else
		json_array_append_new(running->responses, json_pack("[sos]", "error", json_incref(call.error), id));
	json_decref(call.error);
	json_decref(call.args);
	states_free(&call.old);
	states_free(&call.new);
}

/* Is it a Request object?  If not, why */
static const char *
wrong_request(const json_t *request)
{
	const json_t *using = json_object_get(request, "using");
	const json_t *calls = json_object_get(request, "methodCalls");
	const json_t *created = json_object_get(request, "createdIds");
	const char *key;
	json_t	   *value;
	size_t		i;

	if (!json_is_object(request) || !value_is(using, ARG_STRINGS))
		return "using must be an array of strings";
	if (!json_is_array(calls))
		return "methodCalls must be an array";
	json_array_foreach((json_t *) calls, i, value)
	{
		if (json_array_size(value) != 3 || !json_is_string(json_array_get(value, 0)) ||
			!json_is_object(json_array_get(value, 1)) || !json_is_string(json_array_get(value, 2)))
			return "A method call is [name, arguments, call id]";
	}
	if (created && !json_is_object(created))
		return "createdIds must be an object";
	json_object_foreach((json_t *) created, key, value)
	{
		if (!json_is_string(value))
			return "createdIds maps ids to ids";
	}
	return NULL;
}

static bool
check_using(Running *running, const json_t *using, Answer *answer)
{
	size_t		i;
	json_t	   *value;

	json_array_foreach((json_t *) using, i, value)
	{
		const char *name = json_string_value(value);

		if (strcmp(name, CAPABILITY_CORE) == 0)
			running->core = true;
		else if (strcmp(name, CAPABILITY_MAIL) == 0)
			running->mail = true;
		else
		{
			answer_problem(answer, 400, ERROR "unknownCapability", NULL, name);
			return false;
		}
	}
	return true;
}

/* Does a name come twice in an object?  RFC 8620 section 1.5 wants I-JSON. */
static json_t *
parse_json(const char *body, size_t length)
{
	json_error_t error;

	return body && g_utf8_validate(body, length, NULL) ?
		json_loadb(body, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error) : NULL;
}

void
request_run(Db *db, const User *user, const char *body, size_t length, Answer *answer)
{
	json_auto_t *request = parse_json(body, length);
	json_auto_t *response = NULL;
	const char *wrong = request ? wrong_request(request) : NULL;
	json_t	   *calls = json_object_get(request, "methodCalls");
	json_t	   *given = json_object_get(request, "createdIds");
	Running		running = {db, user};
	char	   *state;
	size_t		i;
	json_t	   *call;

	if (request == NULL)
	{
		answer_problem(answer, 400, ERROR "notJSON", NULL, "The request is not I-JSON");
		return;
	}
	if (wrong)
	{
		answer_problem(answer, 400, ERROR "notRequest", NULL, wrong);
		return;
	}
	if (!check_using(&running, json_object_get(request, "using"), answer))
		return;
	if (json_array_size(calls) > MAX_CALLS_IN_REQUEST)
	{
		answer_problem(answer, 400, ERROR "limit", "maxCallsInRequest", "Too many method calls");
		return;
	}
	running.responses = json_array();
	running.created_ids = given ? json_copy(given) : json_object();
	json_array_foreach(calls, i, call)
	{
		run_call(&running, call);
	}
	state = session_state(user);
	response = json_pack("{soss}", "methodResponses", running.responses, "sessionState", state);
	if (given)
		json_object_set(response, "createdIds", running.created_ids);
	json_decref(running.created_ids);
	g_free(state);
	answer_json(answer, 200, "application/json", response);
}
