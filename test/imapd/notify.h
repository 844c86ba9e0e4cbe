/*-------------------------------------------------------------------------
 *
 * notify.h
 *	  What a client wants to hear of without asking (RFC 5465).
 *
 *-------------------------------------------------------------------------
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "imapd.h"

typedef enum Event
{
	MESSAGE_NEW = 1, MESSAGE_EXPUNGE = 2, FLAG_CHANGE = 4,
	MAILBOX_NAME = 8, SUBSCRIPTION_CHANGE = 16, MAILBOX_METADATA_CHANGE = 32,
	SERVER_METADATA_CHANGE = 64
} Event;

#define MESSAGE_EVENTS	(MESSAGE_NEW | MESSAGE_EXPUNGE | FLAG_CHANGE)

/* Which mailboxes a group of events is about (section 6) */
typedef enum Filter
{
	FILTER_SELECTED, FILTER_SELECTED_DELAYED, FILTER_PERSONAL, FILTER_SUBSCRIBED,
	FILTER_SUBTREE, FILTER_MAILBOXES
} Filter;

typedef struct EventGroup
{
	Filter		filter;
	GPtrArray  *names;			/* of SUBTREE and MAILBOXES */
	unsigned	events;
} EventGroup;

/* A mailbox of the user, or a name that he has subscribed to, as the client knows it */
typedef struct Known
{
	char	   *name;
	int64_t		id;				/* 0 if there is no such mailbox */
	bool		subscribed;
	int64_t		uidvalidity;
	int64_t		uidnext;
	int64_t		highestmodseq;
} Known;

/* A change of names or subscriptions that the client has made itself */
typedef struct Own
{
	char	   *from;			/* NULL: made */
	char	   *to;				/* NULL: taken away; the same: subscribed to, or not any more */
} Own;

typedef struct Notify
{
	GPtrArray  *groups;			/* of EventGroup; none after NOTIFY NONE */
	char	   *items;			/* of the FETCH for a new message, in parentheses; or NULL */
	GPtrArray  *known;			/* of Known, in the order of names; or NULL */
	GPtrArray  *own;			/* of Own, since the list was read */
	Uids		arrived;		/* told by EXISTS, and a FETCH is due; */
	Uids		appended;		/* those that this session has brought itself */

	/* What notifications have come of */
	GHashTable *woken;			/* ids of mailboxes, */
	bool		all_woken;		/* or any may have changed */
	bool		list_woken;
} Notify;

/* notify_parse.c */
extern Notify *notify_parse(Session *session, bool *status, bool *bad_event);
extern void notify_free(Notify *notify);
extern void notify_put_bad_event(Session *session);

/* notify_tell.c */
extern bool notify_read(Session *session, Notify *notify);
extern bool notify_put_all_status(Session *session, Notify *notify);
extern bool notify_tell_list(Session *session);
extern bool notify_tell_woken(Session *session);

#endif							/* NOTIFY_H */
