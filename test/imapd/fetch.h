/*-------------------------------------------------------------------------
 *
 * fetch.h
 *	  What a FETCH asks for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FETCH_H
#define FETCH_H

#include "imapd.h"
#include "message.h"

typedef enum ItemKind
{
	ITEM_FLAGS, ITEM_INTERNALDATE, ITEM_SIZE, ITEM_ENVELOPE, ITEM_BODY, ITEM_BODYSTRUCTURE,
	ITEM_SECTION
} ItemKind;

typedef struct Item
{
	ItemKind	kind;
	char	   *label;			/* what a section is called in the answer */
	Section		section;
	bool		partial;
	uint64_t	from;			/* of a partial section */
	uint64_t	count;
} Item;

typedef struct FetchCommand
{
	GArray	   *items;			/* of Item; UID and MODSEQ are not among them */
	bool		uid;			/* is UID asked for? */
	bool		modseq;			/* MODSEQ, or CHANGEDSINCE, which implies it */
	bool		seen;			/* does it set \Seen? */
	bool		header;			/* are headers needed ... */
	bool		raw;			/* ... or whole messages? */
	bool		changed_only;	/* CHANGEDSINCE */
	uint64_t	since;
	bool		vanished;
} FetchCommand;

extern bool fetch_parse(Session *session, bool uid, FetchCommand *fetch);
extern bool fetch_parse_items(Session *session, FetchCommand *fetch);
extern bool fetch_arrived(Session *session, FetchCommand *fetch, const Uids *uids);
extern void fetch_free(FetchCommand *fetch);

#endif							/* FETCH_H */
