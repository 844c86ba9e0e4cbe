/*-------------------------------------------------------------------------
 *
 * notify.c
 *	  NOTIFY (RFC 5465): what happens is told also between commands.
 *
 * One LISTEN wakes the session for all mailboxes.  A notification is a hint,
 * and no more: what is told comes from a question, of the selected mailbox to
 * resync(), of the others to status() and vanished_since(), of the list of
 * mailboxes by comparing it with the one before.  LISTEN comes first, then
 * the first look: so nothing falls in between.
 *
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdlib.h>

#include "fetch.h"
#include "notify.h"

/* The group of the selected mailbox; NULL if there is none */
static const EventGroup *
selected_group(const Notify *notify)
{
	for (guint i = 0; i < notify->groups->len; i++)
	{
		const EventGroup *group = notify->groups->pdata[i];

		if (group->filter == FILTER_SELECTED || group->filter == FILTER_SELECTED_DELAYED)
			return group;
	}
	return NULL;
}

/* Does the client want to hear of messages of the selected mailbox?  Without NOTIFY it does (section 3.1). */
bool
notify_wants_messages(const Session *session)
{
	const EventGroup *group = session->notify ? selected_group(session->notify) : NULL;

	return session->notify == NULL || (group && (group->events & MESSAGE_NEW));
}

bool
notify_wants_flags(const Session *session)
{
	const EventGroup *group = session->notify ? selected_group(session->notify) : NULL;

	return session->notify == NULL || (group && (group->events & FLAG_CHANGE));
}

/* A new message of the selected mailbox has been told by EXISTS. */
void
notify_arrived(Session *session, uint32_t uid)
{
	if (session->notify && session->notify->items)
		uids_add(&session->notify->arrived, uid);
}

/* The session itself has brought these into a mailbox: no FETCH is due then (section 5.2). */
void
notify_appended(Session *session, int64_t box, uint32_t uid)
{
	if (session->notify && session->state == STATE_SELECTED && box == session->box.id)
		uids_add(&session->notify->appended, uid);
}

/* The session itself has made, renamed or taken away a mailbox, or a subscription (section 5). */
void
notify_own(Session *session, const char *from, const char *to)
{
	Own		   *own;

	if (session->notify == NULL)
		return;
	own = g_new0(Own, 1);
	own->from = g_strdup(from);
	own->to = g_strdup(to);
	g_ptr_array_add(session->notify->own, own);
}

/* The mailbox is closed. */
void
notify_unselected(Session *session)
{
	if (session->notify == NULL)
		return;
	uidset_builder_free(&session->notify->arrived);
	uidset_builder_init(&session->notify->arrived);
	uidset_builder_free(&session->notify->appended);
	uidset_builder_init(&session->notify->appended);
}

/*
 * The FETCH of new messages that the client has asked for.  If the database
 * fails now, it is due later.  True if it was sent: it may have told a
 * mod-sequence above changes that have not been told yet.
 */
bool
notify_fetch(Session *session)
{
	Notify	   *notify = session->notify;
	Parser		outer;
	FetchCommand fetch;
	bool		done;

	if (notify == NULL || notify->arrived.n == 0)
		return false;
	uids_subtract(&notify->arrived, &notify->appended);
	uids_intersect(&notify->arrived, &session->box.numbers.uids);
	outer = parse_inside(session, notify->items);
	if (!fetch_parse_items(session, &fetch))
		abort();				/* it was checked */
	done = fetch_arrived(session, &fetch, &notify->arrived);
	if (done)
		notify_unselected(session);
	fetch_free(&fetch);
	parse_outside(session, outer);
	return done;
}

/* --- notifications ----------------------------------------------------------------- */

/* {"store": "public.mw_mail", "mailbox": 1, "highestmodseq": 6} */
static void
take_modseq(Notify *notify, const PGnotify *notification, bool own)
{
	const char *mailbox = strstr(notification->extra, "\"mailbox\": ");

	if (mailbox == NULL)
		return;					/* of an account, which is for JMAP */
	mailbox += strlen("\"mailbox\": ");
	if (strncmp(mailbox, "null", 4) == 0)
		notify->all_woken = true;
	else if (!own)
		g_hash_table_add(notify->woken, GSIZE_TO_POINTER(strtoll(mailbox, NULL, 10)));
}

/* "user entry", without a user if it is everybody's: of the schema's trigger */
static void
take_annotation(Session *session, const PGnotify *notification)
{
	const char *entry = strchr(notification->extra, ' ');

	if (entry == NULL ||
		(entry > notification->extra && strtoll(notification->extra, NULL, 10) != session->user_id))
		return;
	for (guint i = 0; i < session->notify->groups->len; i++)
		if (((EventGroup *) session->notify->groups->pdata[i])->events & SERVER_METADATA_CHANGE)
		{
			put(session, "* METADATA \"\" ");
			put_mailbox(session, entry + 1);
			put(session, "\r\n");
			return;
		}
}

/*
 * Takes all notifications that are there.  Of what the session has done
 * itself, its commands have told; but the list is compared all the same.
 */
static void
take_notifications(Session *session)
{
	Notify	   *notify = session->notify;
	PGconn	   *conn = session->db.conn;
	PGnotify   *notification;

	if (!PQconsumeInput(conn))
		hang_up(session, DATABASE_LOST);
	while ((notification = PQnotifies(conn)) != NULL)
	{
		bool		own = notification->be_pid == PQbackendPID(conn);

		if (strcmp(notification->relname, "modseq") == 0)
			take_modseq(notify, notification, own);
		else if (strcmp(notification->relname, "mw_list") == 0)
			notify->list_woken |= strtoll(notification->extra, NULL, 10) == session->user_id;
		else if (!own)
			take_annotation(session, notification);
		PQfreemem(notification);
	}
}

/* --- telling ---------------------------------------------------------------------- */

/*
 * Of the selected mailbox.  Expunges that a command has withheld are told now,
 * unless they are to wait for one that allows it.  False: later.
 */
static bool
tell_selected(Session *session, bool expunges)
{
	Notify	   *notify = session->notify;
	Selected   *box = &session->box;
	const EventGroup *group = selected_group(notify);
	Sync		sync = SYNC_TOLD;

	if (session->state != STATE_SELECTED || group == NULL || !(group->events & MESSAGE_NEW))
		return true;
	expunges |= group->filter == FILTER_SELECTED;
	if (notify->all_woken || g_hash_table_contains(notify->woken, GSIZE_TO_POINTER(box->id)) ||
		notify->arrived.n > 0 || (expunges && box->cursor < box->told))
	{
		sync = sync_now(session, expunges ? EXPUNGES_TOLD : EXPUNGES_WITHHELD);
		sync_hang_up(session, sync);
	}
	return sync != SYNC_LATER;
}

/* Tells what notifications have come of.  What the database cannot tell now is told later. */
static void
tell(Session *session, bool expunges)
{
	Notify	   *notify = session->notify;
	Parser		outer = parse_inside(session, "");

	if (tell_selected(session, expunges) && notify_tell_list(session) && notify_tell_woken(session))
	{
		g_hash_table_remove_all(notify->woken);
		notify->all_woken = false;
	}
	else if (db_is_lost(&session->db))
		hang_up(session, DATABASE_LOST);
	parse_outside(session, outer);
}

/* A WaitFunction.  Every now and then all is asked for: a prepared transaction sends no notification. */
static void
tell_in_idle(Session *session, bool all)
{
	session->notify->all_woken |= all;
	session->notify->list_woken |= all;
	take_notifications(session);
	tell(session, true);
}

static void
tell_between(Session *session, bool all)
{
	session->notify->all_woken |= all;
	session->notify->list_woken |= all;
	take_notifications(session);
	tell(session, false);
}

/* Until the client sends something: in IDLE, or between commands */
void
notify_wait(Session *session, bool idle)
{
	Notify	   *notify = session->notify;

	if (notify == NULL || notify->groups->len == 0)
	{
		if (idle)
			wait_for_client(session, NULL, true);
		return;
	}
	if (idle && session->state == STATE_SELECTED)
		g_hash_table_add(notify->woken, GSIZE_TO_POINTER(session->box.id));
	(idle ? tell_in_idle : tell_between) (session, false);
	wait_for_client(session, idle ? tell_in_idle : tell_between, idle);
}

/* --- the command ------------------------------------------------------------------- */

static bool
listen(Session *session, const Notify *notify)
{
	Db		   *db = &session->db;
	bool		wanted = notify->groups->len > 0;

	db_queue(db, wanted ? SQL_LISTEN : SQL_UNLISTEN, "");
	db_queue(db, wanted ? SQL_LISTEN_LIST : SQL_UNLISTEN_LIST, "");
	db_queue(db, wanted ? SQL_LISTEN_ANNOTATION : SQL_UNLISTEN_ANNOTATION, "");
	return db_run(db);
}

/* Notifications are given up: as after NOTIFY NONE (section 5.8) */
void
notify_overflow(Session *session)
{
	Notify	   *notify = session->notify;

	put(session, "* OK [NOTIFICATIONOVERFLOW] You have too many mailboxes\r\n");
	g_ptr_array_set_size(notify->groups, 0);
	if (!listen(session, notify) && db_is_lost(&session->db))
		hang_up(session, DATABASE_LOST);
}

void
cmd_notify(Session *session, bool uid)
{
	bool		status;
	bool		bad_event;
	Notify	   *notify = notify_parse(session, &status, &bad_event);

	if (notify == NULL)
		return;
	if (bad_event)
	{
		notify_put_bad_event(session);
		notify_free(notify);
		return;
	}
	if (!listen(session, notify) || !notify_read(session, notify))
		reply_failure(session);
	else if (notify->groups->len > 0 && notify->known == NULL)
		reply(session, "NO [NOTIFICATIONOVERFLOW] You have too many mailboxes");
	else if (status && !notify_put_all_status(session, notify))
		reply_failure(session);
	else
	{
		notify_free(session->notify);
		session->notify = notify;
		/* NOTIFY SET is a NOOP, too (section 3.1). */
		sync_finish(session, EXPUNGES_TOLD, "OK", NULL, "NOTIFY completed");
		return;
	}
	if (session->notify == NULL)
	{
		/* Nobody would take the notifications. */
		g_ptr_array_set_size(notify->groups, 0);
		if (!listen(session, notify) && db_is_lost(&session->db))
			hang_up(session, DATABASE_LOST);
	}
	notify_free(notify);
}
