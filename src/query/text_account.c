/*-------------------------------------------------------------------------
 *
 * text_account.c
 *	  The queries of accounts, in the language of text.c.
 *
 * A store without accounts runs none of them.
 *
 * Locks: those of the statements.
 *
 * Memory: none.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

const QueryText account_queries[PLAN_IDS] = {
	/* --- accounts: see ledger/account.c --------------------------------- */

	/* Has it mailboxes? */
	[PLAN_ANY_OF_ACCOUNT] = {TABLE_MAILBOX, ACCESS_ANY, "", "account",
		"SELECT FROM {mailbox} AS b WHERE {b@$account} LIMIT 1"
	},
	[PLAN_ANY_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "", "",
		"SELECT FROM {mailbox} AS b LIMIT 1"
	},
	[PLAN_DROP_DEPARTED] = {TABLE_DEPARTED, ACCESS_ANY, "", "account",
		"DELETE FROM {departed} AS d WHERE {d@$account}"
	},
	[PLAN_CLEAR_DEPARTED] = {TABLE_DEPARTED, ACCESS_ANY, "", "",
		"DELETE FROM {departed} AS d"
	},
	/* As PLAN_ADD_MAILBOX and PLAN_BRING_MAILBOX */
	[PLAN_ADD_COUNTED] = {TABLE_MAILBOX, ACCESS_ANY, "", "key account",
		"INSERT INTO {mailbox} ({key}{account_rest}{given})"
		" VALUES ({$key}{$account_rest}{$given})"
		" ON CONFLICT ({key}) DO NOTHING"
	},
	[PLAN_BRING_COUNTED] = {TABLE_MAILBOX, ACCESS_ANY, "", "key account",
		"INSERT INTO {mailbox} AS b ({key}{account_rest}{given})"
		" VALUES ({$key}{$account_rest}{$given})"
		" ON CONFLICT ({key}) DO UPDATE SET"
		" (gone_at{account_rest}) = ROW (NULL{excluded.account_rest})"
		" WHERE b.gone_at IS NOT NULL"
	},
	[PLAN_SOURCE_ACCOUNT] = {TABLE_SOURCE, ACCESS_ANY, "", "key",
		"SELECT {s.account} FROM {source} AS s WHERE {s=$key}"
	},
	/* The account's lock, and then the mailbox's: rows are locked as OF says */
	[PLAN_LOCK_COUNTED] = {TABLE_MAILBOX, ACCESS_INDEX, "iiiotbotiiiia", "key",
		"SELECT {b.counters}, b.tableoid, b.ctid, {b.gone},"
		" a.tableoid, a.ctid, a.highestmodseq,"
		" a.email_modseq, a.thread_modseq, a.mailbox_modseq, {b.account}"
		" FROM {account} AS a, {mailbox} AS b WHERE {b=$key} AND {b@a}"
		" FOR NO KEY UPDATE OF a, b"
	},
	/* The mailbox's alone, and what account it is of */
	[PLAN_LOCK_OF_ACCOUNT] = {TABLE_MAILBOX, ACCESS_INDEX, "iiiotba", "key",
		"SELECT {b.counters}, b.tableoid, b.ctid, {b.gone}, {b.account}"
		" FROM {mailbox} AS b WHERE {b=$key}"
		" FOR NO KEY UPDATE"
	},
	[PLAN_READ_COUNTED] = {TABLE_MAILBOX, ACCESS_INDEX, "ia", "key",
		"SELECT a.highestmodseq, {b.account}"
		" FROM {account} AS a, {mailbox} AS b WHERE {b=$key} AND {b@a}"
	},
	/* 0: that number stays */
	[PLAN_WRITE_COUNTED] = {TABLE_MAILBOX, ACCESS_INDEX, "",
		"key uidnext highestmodseq made altered counts",
		"UPDATE {mailbox} AS b"
		" SET {uidnext} = {$uidnext}, {highestmodseq} = {$highestmodseq},"
		" created_modseq = COALESCE(NULLIF({$made}, 0), b.created_modseq),"
		" properties_modseq ="
		" COALESCE(NULLIF({$altered}, 0), b.properties_modseq)"
		"{add_counts} WHERE {b=$key}"
	},
	/* That of a mailbox, unless it is there.  It begins above all it has. */
	[PLAN_ADD_ACCOUNT] = {TABLE_ACCOUNT, ACCESS_ANY, "", "key",
		"INSERT INTO {account} ({account_key}, highestmodseq, email_modseq,"
		" thread_modseq, mailbox_modseq, floor)"
		" SELECT {b.account}, o._n, o._n, o._n, o._n, o._n"
		" FROM {mailbox} AS b, LATERAL (SELECT"
		" GREATEST(pg_catalog.max(o.{highestmodseq}), 1) AS _n"
		" FROM {mailbox} AS o WHERE {b@o}) AS o"
		" WHERE {b=$key}"
		" ON CONFLICT ({account_key}) DO NOTHING"
	},
	[PLAN_FIND_ACCOUNT] = {TABLE_MAILBOX, ACCESS_INDEX, "a", "key",
		"SELECT {b.account} FROM {mailbox} AS b WHERE {b=$key}"
	},
	[PLAN_LOCK_ACCOUNT] = {TABLE_ACCOUNT, ACCESS_INDEX, "otiiii", "account",
		"SELECT a.tableoid, a.ctid, a.highestmodseq, a.email_modseq,"
		" a.thread_modseq, a.mailbox_modseq"
		" FROM {account} AS a WHERE {a@$account} FOR NO KEY UPDATE"
	},
	[PLAN_WRITE_ACCOUNT] = {TABLE_ACCOUNT, ACCESS_INDEX, "",
		"account highestmodseq email_modseq thread_modseq mailbox_modseq floor",
		"UPDATE {account} AS a SET highestmodseq = {$highestmodseq},"
		" email_modseq = {$email_modseq}, thread_modseq = {$thread_modseq},"
		" mailbox_modseq = {$mailbox_modseq},"
		" floor = GREATEST(a.floor, {$floor})"
		" WHERE {a@$account}"
	},
	/* As stamping does, of messages that begin to be in the account as well */
	[PLAN_BEGIN_MESSAGES] = {TABLE_MESSAGE, ACCESS_RANGES, "",
		"key modseq uids",
		"UPDATE {message} AS m"
		" SET {modseq} = {$modseq}, {created_modseq} = {$modseq}"
		" FROM modseq.ranges({$uids}) AS r"
		" WHERE {m=$key} AND {m.live} AND {m in r}"
		" AND (m.{modseq} {=} {$modseq}"
		" AND m.{created_modseq} {=} {$modseq}) IS NOT TRUE"
	},
	[PLAN_SEE_CREATED] = {TABLE_MESSAGE, ACCESS_INDEX, "", "key uid modseq",
		"SELECT FROM {message} AS m WHERE {m=$key} AND m.{uid} {=} {$uid}"
		" AND m.{created_modseq} {=} {$modseq}"
	},
	[PLAN_APPEND_DEPARTED] = {TABLE_DEPARTED, ACCESS_ANY, "",
		"account modseq emails created mailboxes mailboxes_created",
		"INSERT INTO {departed} ({account_key}, modseq, emails, created,"
		" mailboxes, mailboxes_created)"
		" VALUES ({$account}, {$modseq}, {$emails}, {$created}, {$mailboxes},"
		" {$mailboxes_created})"
	},
	[PLAN_APPEND_DEPARTED_THREADS] = {TABLE_DEPARTED, ACCESS_ANY, "",
		"account modseq emails threads created mailboxes mailboxes_created",
		"INSERT INTO {departed} ({account_key}, modseq, emails, threads,"
		" created, mailboxes, mailboxes_created)"
		" VALUES ({$account}, {$modseq}, {$emails}, {$threads}, {$created},"
		" {$mailboxes}, {$mailboxes_created})"
	},
	[PLAN_NAME_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "s", "key",
		"SELECT {b.name} FROM (SELECT {$key}) AS b ({key})"
	},
	/* Of a mailbox that goes while its messages stay, but for some */
	[PLAN_LEFT_MESSAGES] = {TABLE_MESSAGE, ACCESS_INDEX, "EI",
		"key uids modseq",
		"SELECT pg_catalog.array_agg(m.{email}),"
		" pg_catalog.array_agg(COALESCE(m.{created_modseq}, 0))"
		" FROM {message} AS m WHERE {m=$key} AND {m.live}"
		" AND m.{email} IS NOT NULL"
		" AND ({m.uid} OPERATOR(modseq.<@) {$uids}"
		" AND m.{created_modseq} {=} {$modseq}) IS NOT TRUE"
	},
	[PLAN_LEFT_THREADS] = {TABLE_MESSAGE, ACCESS_INDEX, "EIT",
		"key uids modseq",
		"SELECT pg_catalog.array_agg(m.{email}),"
		" pg_catalog.array_agg(COALESCE(m.{created_modseq}, 0)),"
		" pg_catalog.array_agg(m.{thread})"
		" FROM {message} AS m WHERE {m=$key} AND {m.live}"
		" AND m.{email} IS NOT NULL"
		" AND ({m.uid} OPERATOR(modseq.<@) {$uids}"
		" AND m.{created_modseq} {=} {$modseq}) IS NOT TRUE"
	},

	/*
	 * Is any of these Emails, in its Thread, in no mailbox of the account
	 * now?
	 */
	[PLAN_SEE_LOST_EMAIL] = {TABLE_MESSAGE, ACCESS_RANGES, "",
		"account emails threads",
		"SELECT FROM ROWS FROM (pg_catalog.unnest({$emails}),"
		" pg_catalog.unnest({$threads})) AS e (id, thread)"
		" WHERE e.thread IS NOT NULL"
		" AND NOT EXISTS (SELECT FROM {message} AS m, {mailbox} AS b"
		" WHERE m.{email} {=} e.id AND m.{thread} {=} e.thread AND {m.live}"
		" AND {b=m} AND {b@$account} AND NOT {b.gone})"
		" LIMIT 1"
	},

	/*
	 * Was any Email, of messages that have arrived under that mod-sequence,
	 * in no mailbox of the account before, in its Thread?
	 */
	[PLAN_SEE_NEW_EMAIL] = {TABLE_MESSAGE, ACCESS_RANGES, "",
		"key modseq uids account emails threads",
		"SELECT FROM (SELECT m.{email} AS id, m.{thread} AS thread"
		" FROM modseq.ranges({$uids}) AS r, {message} AS m"
		" WHERE {m=$key} AND {m.live} AND {m in r}"
		" AND m.{email} IS NOT NULL AND m.{thread} IS NOT NULL) AS e"
		" WHERE NOT EXISTS (SELECT FROM {message} AS m, {mailbox} AS b"
		" WHERE m.{email} {=} e.id AND m.{thread} {=} e.thread AND {m.live}"
		" AND {b=m} AND {b@$account} AND NOT {b.gone}"
		" AND COALESCE(m.{created_modseq}, 0) {<} {$modseq})"
		" AND ((e.id, e.thread) IN (SELECT pg_catalog.unnest({$emails}),"
		" pg_catalog.unnest({$threads}))) IS NOT TRUE"
		" LIMIT 1"
	},

	/* --- accounts: what has changed, see changes.c ------------------------ */

	[PLAN_READ_ACCOUNT] = {TABLE_ACCOUNT, ACCESS_INDEX, "iiiii", "account",
		"SELECT a.epoch, a.email_modseq, a.mailbox_modseq, a.thread_modseq,"
		" a.floor FROM {account} AS a WHERE {a@$account}"
	},
	[PLAN_CHANGED_MAILBOXES] = {TABLE_MAILBOX, ACCESS_INDEX, "ksiii",
		"account since",
		"SELECT {b.mailbox}, {b.name}, {b.created_modseq},"
		" {b.properties_modseq}, {b.highestmodseq}"
		" FROM {mailbox} AS b"
		" WHERE {b@$account} AND b.{highestmodseq} {>} {$since}"
		" AND NOT {b.gone}"
		" ORDER BY b.{highestmodseq}"
	},
	/* Which of them are the account's, from 1 */
	[PLAN_ACCOUNT_MAILBOXES] = {TABLE_MAILBOX, ACCESS_RANGES, "i",
		"keys account",
		"SELECT k.{_n}"
		" FROM ROWS FROM ({$keys}) WITH ORDINALITY AS k ({key}, {_n}),"
		" {mailbox} AS b WHERE {b=k} AND {b@$account} AND NOT {b.gone}"
	},
	/* The order makes the index on (mailbox, modseq) the only choice */
	[PLAN_CHANGED_EMAILS] = {TABLE_MESSAGE, ACCESS_INDEX, "ssii", "keys since",
		"SELECT c.email, c.thread, c.created, c.modseq"
		" FROM ROWS FROM ({$keys}) AS k ({key}),"
		" LATERAL (SELECT {m.email} AS email, {m.thread} AS thread,"
		" {m.created} AS created, {m.modseq} AS modseq"
		" FROM {message} AS m"
		" WHERE {m=k} AND {m.live} AND m.{modseq} {>} {$since}"
		" ORDER BY m.{modseq}) AS c"
	},
	[PLAN_DEPARTED_EMAILS] = {TABLE_DEPARTED, ACCESS_INDEX, "iSSI",
		"account since",
		"SELECT d.modseq, d.emails::pg_catalog.text[], {d.threads}, d.created"
		" FROM {departed} AS d"
		" WHERE {d@$account} AND d.modseq {>} {$since}"
		" AND d.emails IS NOT NULL"
		" ORDER BY d.modseq"
	},
	[PLAN_DEPARTED_MAILBOXES] = {TABLE_DEPARTED, ACCESS_INDEX, "iSSI",
		"account since",
		"SELECT d.modseq, d.mailboxes, NULL::pg_catalog.text[],"
		" d.mailboxes_created"
		" FROM {departed} AS d"
		" WHERE {d@$account} AND d.modseq {>} {$since}"
		" AND d.mailboxes IS NOT NULL"
		" ORDER BY d.modseq"
	},
	/* Those that were there already, by the index on Emails or on Threads */
	[PLAN_PAST_EMAILS] = {TABLE_MESSAGE, ACCESS_RANGES, "ssk", "names since",
		"SELECT i.id, {m.email}, {m.mailbox}"
		" FROM pg_catalog.unnest({$names}) AS i (id), {message} AS m"
		" WHERE {m.email=i} AND {m.live} AND {m.created} {<=} {$since}"
	},
	[PLAN_PAST_THREADS] = {TABLE_MESSAGE, ACCESS_RANGES, "ssk", "names since",
		"SELECT i.id, {m.email}, {m.mailbox}"
		" FROM pg_catalog.unnest({$names}) AS i (id), {message} AS m"
		" WHERE {m.thread=i} AND {m.live} AND {m.created} {<=} {$since}"
	}
};
