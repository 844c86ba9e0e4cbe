/*-------------------------------------------------------------------------
 *
 * message.h
 *	  A message, parsed by GMime, with the place of each part in its octets.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <gmime/gmime.h>
#include <libpq-fe.h>
#include <stdbool.h>

/*
 * A part: octets start to body are its header, body to end what it contains.
 * The body of a message counts as a part, whose header is the message's.
 */
typedef struct Part
{
	GMimeObject *object;		/* NULL if GMime has found none */
	GMimeMessage *message;		/* of which it is the body; or NULL */
	size_t		start;
	size_t		body;
	size_t		end;
	GPtrArray  *parts;			/* a multipart's; or NULL */
	struct Part *inner;			/* a message/rfc822's message; or NULL */
} Part;

typedef struct Message
{
	const char *raw;			/* the caller's */
	size_t		length;
	GMimeMessage *gmime;
	Part	   *root;
} Message;

/* What BODY[...] may name */
typedef enum SectionKind
{
	SECTION_ALL, SECTION_HEADER, SECTION_FIELDS, SECTION_FIELDS_NOT, SECTION_TEXT, SECTION_MIME
} SectionKind;

typedef struct Section
{
	SectionKind kind;
	GArray	   *path;			/* part numbers, guint32; may be empty */
	GPtrArray  *fields;			/* names, for FIELDS and FIELDS_NOT */
} Section;

/* message.c */
extern Message *message_parse(const char *raw, size_t length);
extern void message_free(Message *message);
extern bool message_has_header(const char *raw, size_t length);
extern bool message_section(Message *message, const Section *section, GString *out);
extern bool message_range(Message *message, const Section *section,
						  const char **data, size_t *length);

/* structure.c */
extern void structure_envelope(GMimeMessage *message, GString *out);
extern void structure_body(const Message *message, const Part *part, bool extended, GString *out);

/* content.c: the octets of messages, in batches */
struct Session;
typedef void (*ContentFunction) (struct Session *session, PGresult *rows, int row,
								 const char *raw, size_t length, void *arg);
extern bool content_each(struct Session *session, PGresult *rows, const GArray *which,
						 bool header, ContentFunction function, void *arg);

#endif							/* MESSAGE_H */
