/*-------------------------------------------------------------------------
 *
 * push.c
 *	  EventSource (RFC 8620 section 7.3).
 *
 *	  One thread listens for all: modseq tells of an account once a transaction.
 *	  A notification is a hint.  It wakes the streams of that account, and each
 *	  asks for the states itself; they also ask now and then without any.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "push.h"

/* A stream asks so often, even if nobody has told it anything. */
#define ASK_SECONDS	120

/* The shortest ping that a client may ask for */
#define MIN_PING	5

static const char *const type_names[TYPE_COUNT] = {"Email", "Mailbox", "Thread"};

static GMutex lock;
static GCond told;
static GPtrArray *streams;		/* all that there are; they and their woken
								 * are under the lock */

/* A client's stream */
typedef struct Stream
{
	int64_t		user;
	char		account[24];
	bool		wanted[TYPE_COUNT];
	bool		close_after;	/* the first event */
	bool		closed;
	bool		begun;
	int			ping;			/* seconds, or 0 */
	bool		woken;			/* something may have changed since it asked */
	States		states;
	GString    *pending;		/* octets that were not sent yet */
	size_t		sent;
} Stream;

/* --- the listener ------------------------------------------------------------------------- */

/* Those of the account that a notification names; it may name none. */
static void
wake(const char *payload)
{
	const char *account = strstr(payload, "\"account\": ");

	/* Each mailbox has a notification too, which is for IMAP. */
	if (account == NULL)
		return;
	account += strlen("\"account\": ");
	g_mutex_lock(&lock);
	for (guint i = 0; i < streams->len; i++)
	{
		Stream	   *stream = streams->pdata[i];

		stream->woken |= strncmp(account, "null", 4) == 0 || g_ascii_strtoll(account, NULL, 10) == stream->user;
	}
	g_cond_broadcast(&told);
	g_mutex_unlock(&lock);
}

static void
listen_until_lost(Db *db)
{
	db_queue(db, SQL_LISTEN, "");
	if (!db_run(db))
		return;
	/* What was missed before */
	wake("\"account\": null");
	for (;;)
	{
		struct pollfd ready = {PQsocket(db->conn), POLLIN};
		PGnotify   *notify;

		poll(&ready, 1, ASK_SECONDS * 1000);
		if (!PQconsumeInput(db->conn))
			return;
		while ((notify = PQnotifies(db->conn)) != NULL)
		{
			wake(notify->extra);
			PQfreemem(notify);
		}
	}
}

static gpointer
listener(gpointer arg)
{
	for (;;)
	{
		Db			db;

		if (db_connect(&db, options.conninfo))
		{
			listen_until_lost(&db);
			db_disconnect(&db);
		}
		g_usleep(G_USEC_PER_SEC);
	}
	return NULL;
}

void
push_start(void)
{
	streams = g_ptr_array_new();
	g_thread_unref(g_thread_new("listener", listener, NULL));
}

/* --- a stream -------------------------------------------------------------------------------- */

/* Asks for the states, and puts an event if one has changed that is wanted. */
static void
ask(Stream *stream)
{
	Db		   *db = pool_take();
	States		states = {{NULL}};
	json_t	   *changed = json_object();

	if (db == NULL)
	{
		json_decref(changed);
		return;
	}
	db_queue(db, SQL_ACCOUNT_STATE, "i", stream->user);
	if (!db_run(db) || !states_take(&states, db->results[0]))
	{
		pool_give(db);
		json_decref(changed);
		return;
	}
	pool_give(db);
	for (int i = 0; i < TYPE_COUNT; i++)
		if (stream->begun && stream->wanted[i] && strcmp(states.of[i], stream->states.of[i]) != 0)
			json_object_set_new(changed, type_names[i], json_string(states.of[i]));
	states_free(&stream->states);
	stream->states = states;
	stream->begun = true;
	if (json_object_size(changed) > 0)
	{
		json_auto_t *event = json_pack("{ss, s{sO}}", "@type", "StateChange", "changed", stream->account, changed);
		char	   *text = json_dumps(event, JSON_COMPACT);

		g_string_append_printf(stream->pending, "event: state\ndata: %s\n\n", text);
		free(text);
		stream->closed = stream->close_after;
	}
	json_decref(changed);
}

/* Waits until there is something to say: a notification, or time for a ping. */
static void
wait_for_more(Stream *stream)
{
	int64_t		until = g_get_monotonic_time() +
		(stream->ping > 0 ? stream->ping : ASK_SECONDS) * G_USEC_PER_SEC;
	bool		in_time = true;

	g_mutex_lock(&lock);
	while (!stream->woken && in_time)
		in_time = g_cond_wait_until(&told, &lock, until);
	stream->woken = false;
	g_mutex_unlock(&lock);
	ask(stream);
	if (!in_time && stream->pending->len == 0)
	{
		/* A comment is a sign of life that no client sees. */
		if (stream->ping > 0)
			g_string_append_printf(stream->pending, "event: ping\ndata: {\"interval\":%d}\n\n", stream->ping);
		else
			g_string_append(stream->pending, ": still here\n\n");
	}
}

/* Called by libmicrohttpd in the connection's own thread, so that it may wait */
static ssize_t
read_stream(void *arg, uint64_t position, char *buffer, size_t size)
{
	Stream	   *stream = arg;
	size_t		n;

	while (stream->sent == stream->pending->len)
	{
		if (stream->closed)
			return MHD_CONTENT_READER_END_OF_STREAM;
		g_string_truncate(stream->pending, 0);
		stream->sent = 0;
		wait_for_more(stream);
	}
	n = MIN(size, stream->pending->len - stream->sent);
	memcpy(buffer, stream->pending->str + stream->sent, n);
	stream->sent += n;
	return n;
}

static void
free_stream(void *arg)
{
	Stream	   *stream = arg;

	g_mutex_lock(&lock);
	g_ptr_array_remove_fast(streams, stream);
	g_mutex_unlock(&lock);
	states_free(&stream->states);
	g_string_free(stream->pending, true);
	g_free(stream);
}

/* --- the request ---------------------------------------------------------------------------------- */

static bool
parse_types(Stream *stream, const char *types)
{
	g_auto(GStrv) names = types ? g_strsplit(types, ",", -1) : NULL;

	for (char **name = names; name && *name; name++)
		for (int i = 0; i < TYPE_COUNT; i++)
			if (strcmp(*name, "*") == 0 || strcmp(*name, type_names[i]) == 0)
				stream->wanted[i] = true;
	return types != NULL;
}

static bool
parse_request(struct MHD_Connection *connection, Stream *stream)
{
	const char *types = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "types");
	const char *close = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "closeafter");
	const char *ping = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "ping");

	if (!parse_types(stream, types) || !close || (strcmp(close, "state") != 0 && strcmp(close, "no") != 0) ||
		!ping || *ping == '\0' || strspn(ping, "0123456789") != strlen(ping) || strlen(ping) > 6)
		return false;
	stream->close_after = strcmp(close, "state") == 0;
	stream->ping = atoi(ping);
	if (stream->ping > 0)
		stream->ping = MAX(stream->ping, MIN_PING);
	return true;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection)
{
	static char why[] = "types, closeafter (state or no) and ping (seconds) are needed\n";
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(why), why, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_BAD_REQUEST, response);

	MHD_destroy_response(response);
	return result;
}

enum MHD_Result
push_serve(struct MHD_Connection *connection, const User *user)
{
	Stream	   *stream = g_new0(Stream, 1);
	struct MHD_Response *response;
	enum MHD_Result result;

	stream->user = user->id;
	g_strlcpy(stream->account, user->account, sizeof(stream->account));
	/* So that the client sees at once that it is connected */
	stream->pending = g_string_new(": jmapd\n\n");
	if (!parse_request(connection, stream))
	{
		free_stream(stream);
		return refuse(connection);
	}

	/*
	 * First it is there to be woken, then it asks: so nothing falls in
	 * between.
	 */
	g_mutex_lock(&lock);
	g_ptr_array_add(streams, stream);
	g_mutex_unlock(&lock);
	ask(stream);
	MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, read_stream, stream, free_stream);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}
