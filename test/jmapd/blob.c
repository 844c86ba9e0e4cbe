/*-------------------------------------------------------------------------
 *
 * blob.c
 *	  Blobs: what was uploaded, messages, and parts of messages.
 *
 *	  A blob's id is "G" and the SHA-256 of its octets, in hex; a part's is that
 *	  of its message, "-" and the part's id.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "methods.h"

#define HEX_DIGITS	64

bool
blob_is_valid(const char *id)
{
	size_t		n = *id == 'G' ? strspn(id + 1, "0123456789abcdef") : 0;
	const char *rest = id + 1 + n;

	if (n != HEX_DIGITS)
		return false;
	return *rest == '\0' || (*rest == '-' && rest[1] >= '1' && rest[1] <= '9' &&
							 strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

/* The id.  The caller g_free()s it. */
char *
blob_of_hex(const char *hex)
{
	return g_strconcat("G", hex, NULL);
}

static GByteArray *
part_of(GByteArray *octets, const char *part)
{
	Message		message = {NULL};
	gsize		length = octets->len;
	GMimeObject *object;
	GByteArray *content;

	message_open(&message, (char *) g_byte_array_free(octets, false), length);
	object = body_find_part(&message, part);
	content = object ? body_content(object) : NULL;
	message_close(&message);
	return content;
}

/* The octets, which the caller unrefs; NULL if there is no such blob.  False if the database has failed. */
bool
blob_read(Db *db, const User *user, const char *id, GByteArray **octets)
{
	char		hex[HEX_DIGITS + 1];
	const PGresult *rows;

	*octets = NULL;
	if (!blob_is_valid(id))
		return true;
	g_strlcpy(hex, id + 1, sizeof(hex));
	db_queue(db, SQL_BLOB, "is", user->id, hex);
	if (!db_run(db))
		return false;
	rows = db->results[0];
	if (PQntuples(rows) == 0)
		return true;
	*octets = g_byte_array_sized_new(PQgetlength(rows, 0, 0) + 1);
	g_byte_array_append(*octets, (const guint8 *) PQgetvalue(rows, 0, 0), PQgetlength(rows, 0, 0));
	if (id[HEX_DIGITS + 1] == '-')
		*octets = part_of(*octets, id + HEX_DIGITS + 2);
	return true;
}

/* RFC 8620 section 6.1 */
void
blob_upload(Db *db, const User *user, const char *type, const char *data, size_t length, Answer *answer)
{
	json_auto_t *json = NULL;
	g_autofree char *id = NULL;

	db_queue(db, SQL_UPLOAD, "ib", user->id, length > 0 ? data : "", length);
	if (!db_run(db))
	{
		answer_problem(answer, 503, "about:blank", NULL, "The database has failed");
		return;
	}
	id = blob_of_hex(db_text(db->results[0], 0, 0));
	json = json_pack("{ss, ss, ss, sI}", "accountId", user->account, "blobId", id, "type", type,
					 "size", (json_int_t) length);
	if (json == NULL)
		answer_problem(answer, 400, "about:blank", NULL, "Content-Type is not UTF-8");
	else
		answer_json(answer, 201, "application/json", json);
}

static const Arg copy_args[] = {
	{"fromAccountId", ARG_ID, ARG_REQUIRED},
	{"blobIds", ARG_IDS, ARG_REQUIRED},
};

/* A user has one account here, and within one account there is no copying (RFC 8620 section 6.3). */
json_t *
blob_copy(Call *call)
{
	if (!call_args(call, copy_args, G_N_ELEMENTS(copy_args)))
		return NULL;
	if (strcmp(arg_string(call, "fromAccountId"), call->user->account) == 0)
		return call_fail(call, "invalidArguments", "fromAccountId and accountId are the same");
	return call_fail(call, "fromAccountNotFound", NULL);
}
