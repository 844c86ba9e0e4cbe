/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  Messages that go into a mailbox by one INSERT: of APPEND and --import.
 *
 * One statement takes one mod-sequence and writes one version of the
 * mailbox's counters, however many messages it brings.  Its arrays have an
 * element a message; that of the octets is in binary.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>

#include "imapd.h"

/* Type of the elements of a bytea[], and where its header has their number */
#define BYTEAOID	17
#define AT_HAS_NULL	4
#define AT_COUNT	12

static void
append_int(GByteArray *array, uint32_t value)
{
	uint32_t	network = htonl(value);

	g_byte_array_append(array, (const guint8 *) &network, sizeof(network));
}

static void
set_int(GByteArray *array, int at, uint32_t value)
{
	uint32_t	network = htonl(value);

	memcpy(array->data + at, &network, sizeof(network));
}

/* An empty bytea[], as PostgreSQL has it in binary.  The caller unrefs it. */
GByteArray *
octets_array_new(void)
{
	GByteArray *array = g_byte_array_new();

	append_int(array, 1);		/* dimensions */
	append_int(array, 0);		/* is there a NULL? */
	append_int(array, BYTEAOID);
	append_int(array, 0);		/* elements */
	append_int(array, 1);		/* the first one's number */
	return array;
}

/* Adds the last element, which is the n-th; NULL for NULL. */
void
octets_array_add(GByteArray *array, int n, const char *data, size_t length)
{
	set_int(array, AT_COUNT, n);
	if (data == NULL)
		set_int(array, AT_HAS_NULL, 1);
	append_int(array, data ? length : UINT32_MAX);
	if (data)
		g_byte_array_append(array, (const guint8 *) data, length);
}

void
batch_init(Batch *batch)
{
	batch->count = 0;
	batch->flags = g_ptr_array_new_with_free_func(g_free);
	batch->dates = g_ptr_array_new_with_free_func(g_free);
	batch->ids = g_ptr_array_new_with_free_func(g_free);
	batch->subjects = g_ptr_array_new_with_free_func(g_free);
	batch->octets = octets_array_new();
}

void
batch_free(Batch *batch)
{
	g_ptr_array_unref(batch->flags);
	g_ptr_array_unref(batch->dates);
	g_ptr_array_unref(batch->ids);
	g_ptr_array_unref(batch->subjects);
	g_byte_array_unref(batch->octets);
}

/* Adds a copy of the message.  flags is an array literal; date may be NULL, for now. */
void
batch_add(Batch *batch, const char *data, size_t length, const char *flags, const char *date)
{
	ThreadKey	key = thread_key(data, length);

	g_ptr_array_add(batch->flags, g_strdup(flags));
	g_ptr_array_add(batch->dates, g_strdup(date ? date : ""));
	g_ptr_array_add(batch->ids, key.ids);
	g_ptr_array_add(batch->subjects, key.subject);
	octets_array_add(batch->octets, ++batch->count, data, length);
}

/* Queues the INSERT, whose result has the UIDs in the order of the messages.  The batch stays until it has run. */
void
batch_queue(Batch *batch, Db *db, int64_t box)
{
	char	   *flags = text_array(batch->flags);
	char	   *dates = text_array(batch->dates);
	char	   *ids = text_array(batch->ids);
	char	   *subjects = text_array(batch->subjects);

	db_queue(db, SQL_APPEND, "issbss", box, flags, dates,
			 (const char *) batch->octets->data, (size_t) batch->octets->len, ids, subjects);
	g_free(flags);
	g_free(dates);
	g_free(ids);
	g_free(subjects);
}
