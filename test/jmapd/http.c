/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP: who asks, and for what.
 *
 *	  A request's body is collected whole before it is looked at, up to the
 *	  limit that the session tells.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "jmapd.h"
#include "push.h"

#define API		"/jmap/api"
#define UPLOAD	"/jmap/upload/"
#define DOWNLOAD "/jmap/download/"
#define EVENTS	"/jmap/events"
#define SESSION	"/.well-known/jmap"

/* What is known of a request while its body comes in */
typedef struct Request
{
	GByteArray *body;
	bool		too_large;
} Request;

void
answer_json(Answer *answer, unsigned status, const char *type, const json_t *json)
{
	answer->status = status;
	answer->type = type;
	answer->body = json_dumps(json, JSON_COMPACT);
	answer->length = strlen(answer->body);
}

/* A request-level error (RFC 8620 section 3.6.1); limit is NULL but for "limit" */
void
answer_problem(Answer *answer, unsigned status, const char *type, const char *limit, const char *detail)
{
	json_auto_t *json = json_pack("{ss, si, ss}", "type", type, "status", (int) status, "detail", detail);

	if (limit)
		json_object_set_new(json, "limit", json_string(limit));
	answer_json(answer, status, "application/problem+json", json);
}

static enum MHD_Result
respond(struct MHD_Connection *connection, Answer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(answer->length, answer->body,
																	MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (answer->type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
							answer->status == MHD_HTTP_OK && answer->type &&
							strcmp(answer->type, "application/json") != 0 ?
							"private, immutable, max-age=31536000" : "no-cache, no-store, must-revalidate");
	if (answer->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"jmapd\"");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static bool
is_loopback(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info->client_addr;

	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) address)->sin6_addr);
}

/* Basic authentication.  False if there is no such user, or *down if nobody can tell. */
static bool
log_in(struct MHD_Connection *connection, Db *db, User *user, bool *down)
{
	char	   *password = NULL;
	char	   *name = MHD_basic_auth_get_username_password(connection, &password);
	bool		known = false;

	*down = false;
	if (name && password && g_utf8_validate(name, -1, NULL) && g_utf8_validate(password, -1, NULL))
	{
		db_queue(db, SQL_LOGIN, "ss", name, password);
		*down = !db_run(db);
		known = !*down && PQntuples(db->results[0]) == 1;
	}
	if (known)
	{
		user->id = db_int(db->results[0], 0, 0);
		user->name = g_strdup(name);
		id_print('A', user->id, user->account);
	}
	MHD_free(name);
	MHD_free(password);
	return known;
}

static bool
is_type(struct MHD_Connection *connection, const char *type)
{
	const char *given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);

	return given && g_ascii_strncasecmp(given, type, strlen(type)) == 0 &&
		(given[strlen(type)] == '\0' || strchr("; \t", given[strlen(type)]));
}

/* What follows in the path, up to the next slash; NULL if it is not the user's account */
static const char *
behind_account(const User *user, const char *path)
{
	size_t		length = strlen(user->account);

	return strncmp(path, user->account, length) == 0 && (path[length] == '/' || path[length] == '\0') ?
		path + length + (path[length] == '/') : NULL;
}

static void
download(struct MHD_Connection *connection, Db *db, const User *user, const char *path, Answer *answer, char **type)
{
	const char *rest = behind_account(user, path);
	const char *slash = rest ? strchr(rest, '/') : NULL;
	const char *asked = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "type");
	char	   *id = slash ? g_strndup(rest, slash - rest) : NULL;
	GByteArray *octets = NULL;

	if (id == NULL)
		answer_problem(answer, MHD_HTTP_NOT_FOUND, "about:blank", NULL, "There is no such account");
	else if (!blob_read(db, user, id, &octets))
		answer_problem(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "about:blank", NULL, "The database has failed");
	else if (octets == NULL)
		answer_problem(answer, MHD_HTTP_NOT_FOUND, "about:blank", NULL, "There is no such blob");
	else
	{
		answer->status = MHD_HTTP_OK;
		answer->length = octets->len;
		answer->body = malloc(octets->len + 1);
		if (answer->body == NULL)
			abort();
		if (octets->len > 0)
			memcpy(answer->body, octets->data, octets->len);
		/* It may not say more than one header. */
		*type = g_strdup(asked && !strpbrk(asked, "\r\n") ? asked : "application/octet-stream");
		answer->type = *type;
		g_byte_array_unref(octets);
	}
	g_free(id);
}

static void
api(struct MHD_Connection *connection, Db *db, const User *user, const Request *request, Answer *answer)
{
	if (!is_type(connection, "application/json"))
		answer_problem(answer, MHD_HTTP_BAD_REQUEST, "urn:ietf:params:jmap:error:notJSON", NULL,
					   "Content-Type must be application/json");
	else if (request->too_large)
		answer_problem(answer, MHD_HTTP_BAD_REQUEST, "urn:ietf:params:jmap:error:limit", "maxSizeRequest",
					   "The request is too large");
	else
		request_run(db, user, (const char *) request->body->data, request->body->len, answer);
	if (options.verbose)
		fprintf(stderr, "C: %.*s\nS: %u %s\n", (int) request->body->len, (char *) request->body->data,
				answer->status, answer->body);
}

static void
upload(struct MHD_Connection *connection, Db *db, const User *user, const char *path,
	   const Request *request, Answer *answer)
{
	const char *type = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
	const char *rest = behind_account(user, path);

	if (rest == NULL || *rest != '\0')
		answer_problem(answer, MHD_HTTP_NOT_FOUND, "about:blank", NULL, "There is no such account");
	else if (request->too_large)
		answer_problem(answer, MHD_HTTP_CONTENT_TOO_LARGE, "urn:ietf:params:jmap:error:limit", "maxSizeUpload",
					   "The file is too large");
	else
		blob_upload(db, user, type ? type : "application/octet-stream",
					(const char *) request->body->data, request->body->len, answer);
}

/* Everything but events, which go on */
static void
answer_request(struct MHD_Connection *connection, Db *db, const User *user, const char *url, bool post,
			   const Request *request, Answer *answer, char **type)
{
	if (!post && (strcmp(url, SESSION) == 0 || strcmp(url, "/jmap/session") == 0))
	{
		const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
		json_auto_t *session = session_object(user, host ? host : "127.0.0.1");

		answer_json(answer, MHD_HTTP_OK, "application/json", session);
	}
	else if (post && strcmp(url, API) == 0)
		api(connection, db, user, request, answer);
	else if (post && g_str_has_prefix(url, UPLOAD))
		upload(connection, db, user, url + strlen(UPLOAD), request, answer);
	else if (!post && g_str_has_prefix(url, DOWNLOAD))
		download(connection, db, user, url + strlen(DOWNLOAD), answer, type);
	else
		answer_problem(answer, MHD_HTTP_NOT_FOUND, "about:blank", NULL, "There is nothing here");
}

static enum MHD_Result
serve(struct MHD_Connection *connection, const char *url, bool post, const Request *request)
{
	Db		   *db = is_loopback(connection) ? pool_take() : NULL;
	User		user = {0};
	Answer		answer = {0};
	char	   *type = NULL;
	bool		down = false;
	enum MHD_Result result;

	if (db == NULL && is_loopback(connection))
		answer_problem(&answer, MHD_HTTP_SERVICE_UNAVAILABLE, "about:blank", NULL, "The database cannot be reached");
	else if (db == NULL)
		answer_problem(&answer, MHD_HTTP_FORBIDDEN, "about:blank", NULL, "No passwords but over loopback");
	else if (!log_in(connection, db, &user, &down))
	{
		if (down)
			answer_problem(&answer, MHD_HTTP_SERVICE_UNAVAILABLE, "about:blank", NULL, "The database has failed");
		else
			answer_problem(&answer, MHD_HTTP_UNAUTHORIZED, "about:blank", NULL, "Wrong name or password");
	}
	else if (!post && strcmp(url, EVENTS) == 0)
	{
		pool_give(db);
		result = push_serve(connection, &user);
		g_free(user.name);
		return result;
	}
	else
		answer_request(connection, db, &user, url, post, request, &answer, &type);
	if (db)
		pool_give(db);
	result = respond(connection, &answer);
	g_free(user.name);
	g_free(type);
	return result;
}

/* libmicrohttpd calls it for the header, for each piece of the body, and at its end. */
static enum MHD_Result
handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
	   const char *version, const char *data, size_t *size, void **state)
{
	Request    *request = *state;
	size_t		limit = g_str_has_prefix(url, UPLOAD) ? MAX_SIZE_UPLOAD : MAX_SIZE_REQUEST;
	bool		post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

	if (request == NULL)
	{
		*state = request = g_new0(Request, 1);
		request->body = g_byte_array_new();
		return MHD_YES;
	}
	if (*size > 0)
	{
		/* What is too large is read to its end all the same, so that the client hears why. */
		if (request->body->len + *size > limit)
			request->too_large = true;
		else if (!request->too_large)
			g_byte_array_append(request->body, (const guint8 *) data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (!post && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
	{
		Answer		answer = {0};

		answer_problem(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, "about:blank", NULL, "Only GET and POST");
		return respond(connection, &answer);
	}
	return serve(connection, url, post, request);
}

static void
completed(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
	Request    *request = *state;

	if (request == NULL)
		return;
	g_byte_array_unref(request->body);
	g_free(request);
	*state = NULL;
}

/* Begins to serve, and returns the port. */
unsigned
http_start(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
	struct MHD_Daemon *daemon;

	if (inet_pton(AF_INET, options.listen, &address.sin_addr) != 1)
	{
		fprintf(stderr, "jmapd: --listen needs a numeric address\n");
		exit(2);
	}
	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL,
							  options.port, NULL, NULL, handle, NULL,
							  MHD_OPTION_SOCK_ADDR, &address,
							  MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
							  MHD_OPTION_CONNECTION_TIMEOUT, 300u,
							  MHD_OPTION_CONNECTION_LIMIT, 500u,
							  MHD_OPTION_END);
	if (daemon == NULL)
	{
		fprintf(stderr, "jmapd: cannot listen: %s\n", strerror(errno));
		exit(1);
	}
	return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}
