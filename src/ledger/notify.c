/*-------------------------------------------------------------------------
 *
 * notify.c
 *	  Wake-ups for clients that wait in IDLE.
 *
 * A store that was attached with notify => true sends, at commit, one
 * notification on channel "modseq" for each mailbox whose HIGHESTMODSEQ the
 * transaction has raised, and for each key that no mailbox has any more.  It is
 * a hint: whoever gets one asks for what has changed, and does so again after
 * every reconnect.
 *
 * A transaction that is prepared sends none, since PostgreSQL cannot keep
 * notifications over PREPARE TRANSACTION.
 *
 * Locks: none here.  PostgreSQL's own commit with notifications takes a lock
 * of its queue until the transaction has ended, so such commits come one
 * after the other.
 *
 * Memory: TopTransactionContext.  Keys that are gone are noted up to a number,
 * and dropped with their subtransaction.  A mailbox is noted under each name
 * that it has, and reported under the last.  One that only an aborted
 * subtransaction has changed stays noted, and is left out at commit if its lock
 * went with that; else it costs a wake-up for nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "ledger/ledger.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define NOTIFY_CHANNEL		"modseq"

/* Longer payloads are an error of NOTIFY; see NOTIFY_PAYLOAD_MAX_LENGTH */
#define NOTIFY_MAX_LENGTH	(BLCKSZ - NAMEDATALEN - 128)

typedef struct Wakeup
{
	Mailbox    *mailbox;
	MailboxName *name;			/* under which it was noted */
	char	   *store;			/* as JSON */
	char	   *key;			/* as JSON */
} Wakeup;

static List *wakeups = NIL;

/* A key that a mailbox has had */
typedef struct Gone
{
	int			level;			/* the nest level that it went in */
	char	   *store;			/* as JSON */
	char	   *key;			/* as JSON; "null" for any */
} Gone;

static List *gone = NIL;

/* Of more, all sessions of the store are woken */
#define MAX_GONE	1000

static char *
json_string(const char *text)
{
	StringInfoData buf;

	initStringInfo(&buf);
	escape_json(&buf, text);
	return buf.data;
}

/* A value of a key: a number for integers, else a string */
static char *
json_value(const KeyColumn *key, Datum value)
{
	Oid			output;
	bool		isvarlena;
	char	   *text;

	getTypeOutputInfo(key->type, &output, &isvarlena);
	text = OidOutputFunctionCall(output, value);

	switch (key->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return text;

		default:
			return json_string(text);
	}
}

/* A key: its value, or an array of the values of several columns, or of none */
static char *
json_columns(const KeyColumn *columns, int n, const Datum *key)
{
	StringInfoData buf;

	if (n == 1)
		return json_value(&columns[0], key[0]);
	initStringInfo(&buf);
	appendStringInfoChar(&buf, '[');
	for (int i = 0; i < n; i++)
		appendStringInfo(&buf, "%s%s", i == 0 ? "" : ", ",
						 json_value(&columns[i], key[i]));
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

static char *
json_key(const Store *store, const Datum *key)
{
	return json_columns(store->key, store->nkeys, key);
}

/* notify_note: HIGHESTMODSEQ of the mailbox was raised */
void
notify_note(const Store *store, Mailbox *mailbox)
{
	MailboxName *name = mailbox_counters(mailbox)->name;
	MemoryContext old;
	Wakeup	   *wakeup;

	if (!store->notify || mailbox->notified == name)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	wakeup = palloc(sizeof(Wakeup));
	wakeup->mailbox = mailbox;
	wakeup->name = name;
	wakeup->store = json_string(store->known_as);
	wakeup->key = json_key(store, name->key);
	wakeups = lappend(wakeups, wakeup);
	MemoryContextSwitchTo(old);
	mailbox->notified = name;
}

/* notify_note_account: a value was taken in the account */
void
notify_note_account(const Store *store, Mailbox *account)
{
	MemoryContext old;
	Wakeup	   *wakeup;

	if (!store->notify || account->notified != NULL)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	wakeup = palloc0(sizeof(Wakeup));
	wakeup->mailbox = account;
	wakeup->store = json_string(store->known_as);
	wakeup->key = json_columns(store->account_key, store->naccounts,
							   account->account_key);
	account->notified = palloc0(sizeof(MailboxName));
	wakeup->name = account->notified;
	wakeups = lappend(wakeups, wakeup);
	MemoryContextSwitchTo(old);
}

/* notify_gone: no mailbox has that key any more; NULL for more than one */
void
notify_gone(const Store *store, const Datum *key)
{
	MemoryContext old;
	Gone	   *item;

	if (!store->notify || list_length(gone) > MAX_GONE)
		return;
	old = MemoryContextSwitchTo(TopTransactionContext);
	item = palloc(sizeof(Gone));
	item->level = GetCurrentTransactionNestLevel();
	item->store = json_string(store->known_as);
	item->key = key == NULL || list_length(gone) == MAX_GONE ?
		pstrdup("null") : json_key(store, key);
	gone = lappend(gone, item);
	MemoryContextSwitchTo(old);
}

/* Without a HIGHESTMODSEQ.  A hint must not keep anybody from committing. */
static void
send_gone(const Gone *item)
{
	const char *format = "{\"store\": %s, \"mailbox\": %s, "
		"\"highestmodseq\": null}";
	char	   *payload = psprintf(format, item->store, item->key);

	if (strlen(payload) >= NOTIFY_MAX_LENGTH)
		payload = psprintf(format, item->store, "null");
	Async_Notify(NOTIFY_CHANNEL, payload);
}

/* notify_subtransaction_end: what an aborted one has deleted is there */
void
notify_subtransaction_end(int level, bool commit)
{
	ListCell   *lc;

	foreach(lc, gone)
	{
		Gone	   *item = lfirst(lc);

		if (item->level < level)
			continue;
		if (commit)
			item->level = level - 1;
		else
			gone = foreach_delete_current(gone, lc);
	}
}

/* notify_at_commit: all is written, and the transaction is about to commit */
void
notify_at_commit(void)
{
	ListCell   *lc;

	foreach(lc, wakeups)
	{
		Wakeup	   *wakeup = lfirst(lc);
		const MailboxLevel *level = wakeup->mailbox->level;
		bool		is_account = wakeup->mailbox->account_key != NULL;
		const char *format = "{\"store\": %s, \"%s\": %s, "
			"\"highestmodseq\": " INT64_FORMAT "}";
		const char *whose = is_account ? "account" : "mailbox";
		char	   *payload;

		if (level == NULL || !level->counters.locked ||
			(!is_account && level->counters.name != wakeup->name))
			continue;
		payload = psprintf(format, wakeup->store, whose, wakeup->key,
						   level->counters.highestmodseq);

		/* A hint must not keep anybody from committing */
		if (strlen(payload) >= NOTIFY_MAX_LENGTH)
			payload = psprintf(format, wakeup->store, whose, "null",
							   level->counters.highestmodseq);
		Async_Notify(NOTIFY_CHANNEL, payload);
	}
	foreach(lc, gone)
		send_gone(lfirst(lc));
}

/* They were in TopTransactionContext, which is gone with the transaction */
void
notify_transaction_end(void)
{
	wakeups = NIL;
	gone = NIL;
}
