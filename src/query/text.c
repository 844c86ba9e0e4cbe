/*-------------------------------------------------------------------------
 *
 * text.c
 *	  The texts of the SQL that modseq runs.
 *
 * They are SQL with the names of a store's tables and columns in braces, which
 * expand.c replaces.  What attach(), check() and others run is written in the
 * same language, in sql/.
 *
 * Locks: those of the statements.  Which one locks what is said with each.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

/*
 * What stands in braces:
 *
 * {message} {mailbox} {source} {flag} {vanished} {account} {departed}
 *				a table of the store
 * {message m} {mailbox b} and so on
 *				the same under that name, in FROM.  In a query that begins with
 *				{one}, only the rows of the mailbox whose key is in the row
 *				"chosen", and of its account; what has departed is of none
 * {table}		the table that comes or goes as a whole
 * {uid} {modseq} {created_modseq} {expunged}
 *				a column of the message table
 * {email} {thread}
 *				a column of the message table, if there are accounts
 * {flag_uid}	a column of the flag table
 * {uidvalidity} {uidnext} {highestmodseq}
 *				a column of the mailbox table.  {uidnext} may be one that holds
 *				the last UID; then {next_minus_stored} is 1, else 0.
 * {next_uidvalidity=b} {next_uidvalidity=$key}
 *				a new UIDVALIDITY for mailbox b, or that with the key.  Where
 *				given values are noted it is above all that its account has had.
 * {given} {$given}
 *				there a column for that in a new row of the mailbox table, and
 *				the value, each after a comma; else it is left to the default
 * {g.key} {g.$key}
 *				what the table of given values has of the mailbox key, and what
 *				the key has there, with a comma behind it; or nothing
 * {b.created_modseq} {b.properties_modseq}
 *				what it has besides, if there are accounts
 * {key}		the columns of the mailbox key: a, b
 * {account_key}	those of the account's key.  Where there is one account
 *				for the store, {account} and {departed} have a column for it.
 *
 * A row x has the mailbox key under the names, and in the types, of
 *				the message table if x is m or live; the flag table if it is f;
 *				the source if it is s; and else of the mailbox table.
 * {x.key}		the key's columns: x.a, x.b
 * {x.mailbox}	the same, in the mailbox table's types
 * {x.name}		the key as one text
 * {x=y}		rows x and y are of one mailbox
 * {x.account} {x.account_name} {x@y}
 *				the same for the account, which a row of {account}, a, and one
 *				of {departed}, d, have as rows of mailboxes do
 * {m.id=f.id}	flag row f is message m's, going by the message's key
 * {m.email=i} {m.thread=i}
 *				message m is of that Email or Thread, whose id is i.id
 * {m.email} {m.thread} {d.threads}
 *				the ids as texts; where there are no Threads, NULL
 * {m.live}		message m is not soft-deleted
 * {m.flags} {f.flags}
 *				what the row says of flags: the names of columns, and a row of
 *				their values
 * {m in r}		message m has a UID of range r
 * {m.uid} {f.uid} {m.modseq} {m.created}
 *				the number as a bigint
 * {b.uidnext} {b.highestmodseq}
 *				the counter as a bigint; what nobody stored counts as unused
 * {b.counters} UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ as they are stored, as
 *				bigints
 * {b.gone}		mailbox b is gone, and its counters are remembered
 * {b.outlived}	messages of b are there, which a foreign key does not prevent
 * {b.counts}	the counts of mailbox b, as bigints; NULL for what is not kept
 * {m.counted}	the same of all messages m of a group; 0 for what is not kept
 * {add_counts}	in SET, adds the parameters counts to the counts of mailbox b
 * {v.any}		UIDs have vanished under the mod-sequence of vanished row v,
 *				which may be there only for those that changed
 * {v.changed}	those that changed, if these rows say so; else the empty set
 * {v.unlogged}	it says nothing of that
 *
 * {=} {<} {+} and so on
 *				PostgreSQL's own operator
 * {{}			a brace
 * {_name}		a name for a column of ours that stands beside the key's, which
 *				may have any: none that one of them has
 * {$1}			the elements of the array $1, as the columns of the key
 *
 * Our queries have parameters.  They are listed before the text, in the order
 * in which the caller gives them:
 * key			{x=$key}: the mailbox has that key, a parameter for each column;
 *				{$key}: these parameters
 * new_key		{$new_key}: another one
 * keys			{$keys}: many; an array for each column, as a function in FROM
 * account accounts
 *				{account_rest}, {$account_rest}, {excluded.account_rest}: what
 *				the mailbox key does not have of it, with a comma before each
 *				{x@$account}, {$account}, {$accounts}: the same for accounts
 * email thread	{$email}, {$thread}: of the type of that column
 * emails threads created mailboxes mailboxes_created
 *				arrays, as {departed} has them
 * id			{m.id=$id}: it has that key, a parameter for each column
 * ids			{m.id=$ids}: it has one of those, an array for each column;
 *				{ids}, before {message} in FROM, goes with that
 * uids, changed, lost_uids
 *				{$uids}, {$changed}, {$lost_uids}: a set of UIDs
 * names		{$names}: an array of texts
 * counts		{add_counts}: a bigint for each count that is kept
 * any other	{$name}: a bigint
 *
 * The columns of a result that we read have a letter each, for run.c:
 * k			the columns of the mailbox key, in the mailbox table's types
 * a			the columns of the account's key, in the mailbox table's types;
 *				a boolean if there is one for the store
 * i b o t u s	a bigint, a boolean, an OID, a row's place, a set of UIDs, text
 * h w			a sum of hashes, as a uuid; a time
 * E T I S		arrays of Emails, Threads, bigints, texts
 */
static const QueryText queries[PLAN_IDS] = {
	/* --- mailboxes ------------------------------------------------------- */

	/* The mailbox lock, and where the row is: see counter.c */
	[PLAN_LOCK_MAILBOX] = {TABLE_MAILBOX, ACCESS_INDEX, "iiiotb", "key",
		"SELECT {b.counters}, b.tableoid, b.ctid, {b.gone}"
		" FROM {mailbox} AS b WHERE {b=$key}"
		" FOR NO KEY UPDATE"
	},
	/* Where the row is */
	[PLAN_FIND_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "ot", "key",
		"SELECT b.tableoid, b.ctid FROM {mailbox} AS b WHERE {b=$key}"
	},
	[PLAN_READ_MAILBOX] = {TABLE_MAILBOX, ACCESS_INDEX, "iii", "key",
		"SELECT {b.counters} FROM {mailbox} AS b WHERE {b=$key}"
	},
	/* And which of them it is, from 1; each is looked up by the index */
	[PLAN_READ_MAILBOXES] = {TABLE_MAILBOX, ACCESS_RANGES, "iiii", "keys",
		"SELECT {b.counters}, k.{_n}"
		" FROM ROWS FROM ({$keys}) WITH ORDINALITY AS k ({key}, {_n}),"
		" {mailbox} AS b WHERE {b=k}"
		" ORDER BY k.{_n}"
	},
	[PLAN_WRITE_MAILBOX] = {TABLE_MAILBOX, ACCESS_INDEX, "",
		"key uidnext highestmodseq counts",
		"UPDATE {mailbox} AS b"
		" SET {uidnext} = {$uidnext}, {highestmodseq} = {$highestmodseq}"
		"{add_counts} WHERE {b=$key}"
	},

	/*
	 * The lock, and the next mod-sequence with it, unless none is left, or
	 * the next one is of another incarnation
	 */
	[PLAN_RAISE_MAILBOX] = {TABLE_MAILBOX, ACCESS_INDEX, "iiiotb",
		"key above counts",
		"UPDATE {mailbox} AS b SET {highestmodseq} = {b.highestmodseq} {+} 1"
		"{add_counts} WHERE {b=$key}"
		" AND (b.{highestmodseq} {=} 9223372036854775807) IS NOT TRUE"
		" AND {b.highestmodseq} {>} {$above}"
		" RETURNING {b.counters}, b.tableoid, b.ctid, {b.gone}"
	},

	[PLAN_READ_COUNTS] = {TABLE_MAILBOX, ACCESS_INDEX, "iiii", "key",
		"SELECT {b.counts} FROM {mailbox} AS b WHERE {b=$key}"
	},
	/* As PLAN_READ_MAILBOXES */
	[PLAN_READ_MANY_COUNTS] = {TABLE_MAILBOX, ACCESS_RANGES, "iiiii", "keys",
		"SELECT {b.counts}, k.{_n}"
		" FROM ROWS FROM ({$keys}) WITH ORDINALITY AS k ({key}, {_n}),"
		" {mailbox} AS b WHERE {b=k}"
		" ORDER BY k.{_n}"
	},
	/* All of a mailbox is read */
	[PLAN_COUNT_MESSAGES] = {TABLE_MESSAGE, ACCESS_INDEX, "iiii", "key",
		"SELECT {m.counted} FROM {message} AS m WHERE {m=$key} AND {m.live}"
	},

	/* --- mailboxes in a side table --------------------------------------- */

	/* Its other columns get their defaults */
	[PLAN_ADD_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "", "key",
		"INSERT INTO {mailbox} ({key}{given}) VALUES ({$key}{$given})"
		" ON CONFLICT ({key}) DO NOTHING"
	},
	[PLAN_RENAME_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "", "key new_key",
		"UPDATE {mailbox} AS b SET ({key}) = ROW ({$new_key}) WHERE {b=$key}"
	},
	[PLAN_REMOVE_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "", "key",
		"DELETE FROM {mailbox} AS b WHERE {b=$key}"
	},
	[PLAN_CLEAR_MAILBOXES] = {TABLE_MAILBOX, ACCESS_ANY, "", "",
		"DELETE FROM {mailbox} AS b"
		" WHERE NOT EXISTS (SELECT FROM {source} AS s WHERE {s=b})"
	},
	[PLAN_SEE_SOURCE] = {TABLE_SOURCE, ACCESS_ANY, "", "key",
		"SELECT FROM {source} AS s WHERE {s=$key}"
	},
	[PLAN_SEE_ANY_SOURCE] = {TABLE_SOURCE, ACCESS_ANY, "", "",
		"SELECT FROM {source} AS s LIMIT 1"
	},
	[PLAN_FIND_SOURCE] = {TABLE_SOURCE, ACCESS_ANY, "ot", "key",
		"SELECT s.tableoid, s.ctid FROM {source} AS s WHERE {s=$key}"
	},
	/* Which of them are there, from 1 */
	[PLAN_SEE_SOURCES] = {TABLE_SOURCE, ACCESS_RANGES, "i", "keys",
		"SELECT k.{_n}"
		" FROM ROWS FROM ({$keys}) WITH ORDINALITY AS k ({key}, {_n}),"
		" {source} AS s WHERE {s=k}"
	},

	/* --- mailboxes in a side table of ours, which remembers some --------- */

	[PLAN_BRING_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "", "key",
		"INSERT INTO {mailbox} AS b ({key}{given}) VALUES ({$key}{$given})"
		" ON CONFLICT ({key}) DO UPDATE SET gone_at = NULL"
		" WHERE b.gone_at IS NOT NULL"
	},
	[PLAN_REMEMBER_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "", "key",
		"UPDATE {mailbox} AS b SET gone_at = pg_catalog.clock_timestamp()"
		" WHERE {b=$key} AND {b.outlived}"
	},
	[PLAN_REMEMBER_MAILBOXES] = {TABLE_MAILBOX, ACCESS_ANY, "", "",
		"UPDATE {mailbox} AS b SET gone_at = pg_catalog.clock_timestamp()"
		" WHERE b.gone_at IS NULL AND {b.outlived}"
		" AND NOT EXISTS (SELECT FROM {source} AS s WHERE {s=b})"
	},
	[PLAN_FORGET_MAILBOXES] = {TABLE_MAILBOX, ACCESS_ANY, "", "",
		"DELETE FROM {mailbox} AS b WHERE NOT {b.outlived}"
		" AND NOT EXISTS (SELECT FROM {source} AS s WHERE {s=b})"
	},
	/* Mailboxes that are there, and should not be: see source_clear() */
	[PLAN_STRAY_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "k", "",
		"SELECT {b.mailbox} FROM {mailbox} AS b WHERE NOT {b.gone}"
		" AND NOT EXISTS (SELECT FROM {source} AS s WHERE {s=b})"
		" LIMIT 1"
	},
	/* What is remembered under a key that a mailbox is about to get */
	[PLAN_REPLACE_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "ii", "key",
		"DELETE FROM {mailbox} AS b WHERE {b=$key} AND {b.gone}"
		" RETURNING {b.uidnext}, {b.highestmodseq}"
	},
	/* Unless there is no higher UIDVALIDITY */
	[PLAN_RENEW_MAILBOX] = {TABLE_MAILBOX, ACCESS_ANY, "",
		"key uidnext highestmodseq",
		"UPDATE {mailbox} AS b SET"
		" {uidnext} = GREATEST(b.{uidnext}, {$uidnext}),"
		" {highestmodseq} = GREATEST(b.{highestmodseq}, {$highestmodseq}),"
		" {uidvalidity} = GREATEST("
		"{next_uidvalidity=b}, b.{uidvalidity} {+} 1)"
		" WHERE {b=$key} AND b.{uidvalidity} {<} {last_uidvalidity}"
	},
	/* See sql/parts/uidvalidity_given.sql */
	[PLAN_NOTE_UIDVALIDITY] = {TABLE_UIDVALIDITY, ACCESS_ANY, "",
		"key uidvalidity",
		"INSERT INTO {uidvalidities} ({g.key}uidvalidity)"
		" VALUES ({g.$key}{$uidvalidity}) ON CONFLICT DO NOTHING"
	},

	/* --- messages of one mailbox ----------------------------------------- */

	/* These lock what they update, by UID; of ranges, in their order */
	[PLAN_STAMP_MESSAGES] = {TABLE_MESSAGE, ACCESS_RANGES, "",
		"key modseq uids",
		"UPDATE {message} AS m SET {modseq} = {$modseq}"
		" FROM modseq.ranges({$uids}) AS r"
		" WHERE {m=$key} AND {m.live} AND {m in r}"
		" AND (m.{modseq} {=} {$modseq}) IS NOT TRUE"
	},
	[PLAN_STAMP_MESSAGE] = {TABLE_MESSAGE, ACCESS_INDEX, "", "key modseq uid",
		"UPDATE {message} AS m SET {modseq} = {$modseq}"
		" WHERE {m=$key} AND {m.live} AND m.{uid} {=} {$uid}"
		" AND (m.{modseq} {=} {$modseq}) IS NOT TRUE"
	},
	/* By UID, so that the new ones are in the same order */
	[PLAN_RENUMBER_MESSAGES] = {TABLE_MESSAGE, ACCESS_RANGES, "", "key uids",
		"UPDATE {message} AS m SET {uid} = NULL"
		" FROM modseq.ranges({$uids}) AS r"
		" WHERE {m=$key} AND {m.live} AND {m in r}"
	},
	/* Ranges are ascending, and so is what is found for each */
	[PLAN_LIVE_MESSAGES] = {TABLE_MESSAGE, ACCESS_RANGES, "ii", "key uids",
		"SELECT {m.uid}, {m.modseq}"
		" FROM modseq.ranges({$uids}) AS r, {message} AS m"
		" WHERE {m=$key} AND {m.live} AND {m in r}"
	},
	/* Their row locks, by UID */
	[PLAN_LOCK_LIVE_MESSAGES] = {TABLE_MESSAGE, ACCESS_RANGES, "ii", "key uids",
		"SELECT {m.uid}, {m.modseq}"
		" FROM modseq.ranges({$uids}) AS r, {message} AS m"
		" WHERE {m=$key} AND {m.live} AND {m in r}"
		" FOR NO KEY UPDATE OF m"
	},
	[PLAN_UNSTAMPED_MESSAGES] = {TABLE_MESSAGE, ACCESS_RANGES, "",
		"key modseq uids",
		"SELECT FROM modseq.ranges({$uids}) AS r, {message} AS m"
		" WHERE {m=$key} AND {m.live} AND {m in r}"
		" AND (m.{modseq} {>=} {$modseq}) IS NOT TRUE"
		" LIMIT 1"
	},
	/* Also one that is expunged: the unique index has its UID */
	[PLAN_ANY_MESSAGE] = {TABLE_MESSAGE, ACCESS_INDEX, "", "key uid",
		"SELECT FROM {message} AS m WHERE {m=$key} AND m.{uid} {=} {$uid}"
	},
	[PLAN_SEE_MESSAGE] = {TABLE_MESSAGE, ACCESS_INDEX, "", "key uidnext",
		"SELECT FROM {message} AS m"
		" WHERE {m=$key} AND {m.live} AND m.{uid} {<} {$uidnext}"
		" LIMIT 1"
	},
	/* The order makes the index on (mailbox, modseq) the only choice */
	[PLAN_CHANGED_MESSAGES] = {TABLE_MESSAGE, ACCESS_INDEX, "ii", "key since",
		"SELECT {m.uid}, {m.modseq} FROM {message} AS m"
		" WHERE {m=$key} AND {m.live} AND m.{modseq} {>} {$since}"
		" ORDER BY m.{modseq}"
	},
	/* The same of those UIDs, where no index is needed for mod-sequences */
	[PLAN_CHANGED_AMONG] = {TABLE_MESSAGE, ACCESS_RANGES, "ii",
		"key since uids",
		"SELECT {m.uid}, {m.modseq}"
		" FROM modseq.ranges({$uids}) AS r, {message} AS m"
		" WHERE {m=$key} AND {m.live} AND {m in r} AND m.{modseq} {>} {$since}"
	},
	[PLAN_MESSAGE_NUMBERS] = {TABLE_MESSAGE, ACCESS_INDEX, "ii", "key last",
		"SELECT {m.uid}, {m.modseq} FROM {message} AS m"
		" WHERE {m=$key} AND {m.live} AND m.{uid} {<=} {$last}"
		" ORDER BY m.{uid}"
	},

	/*
	 * Sums of hashes: see digest.c.  All of a mailbox is read, and perhaps of
	 * a flag table that has no index for that.
	 */
	[PLAN_DIGEST_MESSAGES] = {TABLE_MESSAGE, ACCESS_INDEX, "h", "key",
		"SELECT modseq_internal.digest_agg({m.uid}, {m.modseq}, {m.flags})"
		" FROM {message} AS m WHERE {m=$key} AND {m.live}"
	},
	[PLAN_DIGEST_FLAGS] = {TABLE_FLAG, ACCESS_ANY, "h", "key",
		"SELECT modseq_internal.digest_agg({m.uid}, -1, {f.flags})"
		" FROM {message} AS m, {flag} AS f"
		" WHERE {m=$key} AND {m.live} AND {m.id=f.id}"
	},
	[PLAN_DIGEST_FLAGS_BY_UID] = {TABLE_FLAG, ACCESS_ANY, "h", "key",
		"SELECT modseq_internal.digest_agg({m.uid}, -1, {f.flags})"
		" FROM {message} AS m, {flag} AS f"
		" WHERE {m=$key} AND {m.live} AND {f=$key}"
		" AND f.{flag_uid} {=} m.{uid}"
	},

	/* --- messages of any mailbox, as a flag table names them ------------- */

	[PLAN_FIND_MESSAGE] = {TABLE_MESSAGE, ACCESS_KEY, "kib", "id",
		"SELECT {m.mailbox}, {m.uid}, {m.live} FROM {message} AS m"
		" WHERE {m.id=$id}"
	},
	[PLAN_FIND_MESSAGES] = {TABLE_MESSAGE, ACCESS_KEY, "kib", "ids",
		"SELECT {m.mailbox}, {m.uid}, {m.live} FROM {ids}{message} AS m"
		" WHERE {m.id=$ids}"
	},
	/* Expunged ones too, for somebody may be about to undelete them */
	[PLAN_LOCK_MESSAGE] = {TABLE_MESSAGE, ACCESS_KEY, "kib", "id",
		"SELECT {m.mailbox}, {m.uid}, {m.live} FROM {message} AS m"
		" WHERE {m.id=$id}"
		" FOR NO KEY UPDATE"
	},
	[PLAN_LOCK_MESSAGES] = {TABLE_MESSAGE, ACCESS_KEY, "kib", "ids",
		"SELECT {m.mailbox}, {m.uid}, {m.live} FROM {ids}{message} AS m"
		" WHERE {m.id=$ids}"
		" ORDER BY {m.key}, m.{uid} FOR NO KEY UPDATE OF m"
	}
};

static const QueryText *
query_of(PlanId id)
{
	if (table_queries[id].text !=NULL)
		return &table_queries[id];
	if (account_queries[id].text !=NULL)
		return &account_queries[id];
	if (vanished_queries[id].text !=NULL)
		return &vanished_queries[id];
	return &queries[id];
}

TableRole
plan_table(PlanId id)
{
	return query_of(id)->table;
}

PlanAccess
plan_access(PlanId id)
{
	return query_of(id)->access;
}

const char *
plan_result(PlanId id)
{
	return query_of(id)->result;
}

/*
 * plan_text: the SQL of a query, and the types of its parameters
 *
 * table is that of plan_scan(), or NULL.  Returns how many parameters it has.
 */
int
plan_text(Store *store, PlanId id, const char *table, char **text,
		  Oid params[MODSEQ_MAX_PARAMS])
{
	const QueryText *query = query_of(id);

	return expand_query(store, table, query->params, query->text, text,
						params);
}
