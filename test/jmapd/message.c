/*-------------------------------------------------------------------------
 *
 * message.c
 *	  Messages, parsed by GMime.  They never change, so their octets are read
 *	  without a snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

/* Takes the octets, which it g_free()s in message_close(). */
void
message_open(Message *message, char *raw, size_t length)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(raw, length);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);

	g_mime_parser_set_persist_stream(parser, true);
	message->raw = raw;
	message->length = length;
	message->gmime = g_mime_parser_construct_message(parser, NULL);
	if (message->gmime == NULL)
		message->gmime = g_mime_message_new(false);
	g_object_unref(parser);
	g_object_unref(stream);
}

void
message_close(Message *message)
{
	if (message->gmime)
		g_object_unref(message->gmime);
	g_free(message->raw);
	*message = (Message) {NULL};
}

/* Does it begin with a header field, and has it no NUL?  GMime would take anything for a message. */
bool
message_is_plausible(const char *raw, size_t length)
{
	size_t		n = 0;

	while (n < length && raw[n] > ' ' && raw[n] < 127 && raw[n] != ':')
		n++;
	while (n > 0 && n < length && (raw[n] == ' ' || raw[n] == '\t'))
		n++;
	return n > 0 && n < length && raw[n] == ':' && memchr(raw, '\0', length) == NULL;
}

/* The message that the blob is; without gmime if there is none.  False if the database has failed. */
bool
message_load(Call *call, const char *blob, Message *message)
{
	GByteArray *octets = NULL;
	gsize		length;

	*message = (Message) {NULL};
	if (!blob_read(call->db, call->user, blob, &octets))
		return false;
	if (octets)
	{
		length = octets->len;
		message_open(message, (char *) g_byte_array_free(octets, false), length);
	}
	return true;
}
