/*-------------------------------------------------------------------------
 *
 * text_table.c
 *	  The queries of whole tables, in the language of text.c.
 *
 * For tables that come or go: bulk.c in trigger/ runs them.
 *
 * Locks: those of the statements.
 *
 * Memory: none.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

const QueryText table_queries[PLAN_IDS] = {
	/* --- tables that come or go: they are locked, see bulk.c ------------- */

	/* A row a mailbox, ascending; what is no UID no client can know of */
	[PLAN_ALL_MESSAGES] = {TABLE_MESSAGE, ACCESS_ANY, "ku", "",
		"SELECT {m.mailbox}, modseq.uidset_agg({m.uid}) FROM {table} AS m"
		" WHERE {m.live} AND {m.uid} {>=} 1 AND {m.uid} {<=} 4294967295"
		" GROUP BY {m.key} ORDER BY {m.key}"
	},
	/* What they have added to the counts */
	[PLAN_ALL_COUNTS] = {TABLE_MESSAGE, ACCESS_ANY, "kiiii", "",
		"SELECT {m.mailbox}, {m.counted} FROM {table} AS m WHERE {m.live}"
		" GROUP BY {m.key} ORDER BY {m.key}"
	},
	/* The same of their Emails */
	[PLAN_ALL_MEMBERSHIPS] = {TABLE_MESSAGE, ACCESS_ANY, "kEI", "",
		"SELECT {m.mailbox}, pg_catalog.array_agg(m.{email}),"
		" pg_catalog.array_agg(COALESCE(m.{created_modseq}, 0))"
		" FROM {table} AS m WHERE {m.live} AND m.{email} IS NOT NULL"
		" GROUP BY {m.key} ORDER BY {m.key}"
	},
	[PLAN_ALL_MEMBERSHIPS_THREADS] = {TABLE_MESSAGE, ACCESS_ANY, "kEIT", "",
		"SELECT {m.mailbox}, pg_catalog.array_agg(m.{email}),"
		" pg_catalog.array_agg(COALESCE(m.{created_modseq}, 0)),"
		" pg_catalog.array_agg(m.{thread})"
		" FROM {table} AS m WHERE {m.live} AND m.{email} IS NOT NULL"
		" GROUP BY {m.key} ORDER BY {m.key}"
	},
	/* Mailboxes that are there, and when they were created */
	[PLAN_ALL_COUNTED] = {TABLE_MAILBOX, ACCESS_ANY, "ki", "",
		"SELECT {b.mailbox}, COALESCE(b.created_modseq, 0) FROM {table} AS b"
		" WHERE NOT {b.gone}"
	},
	[PLAN_ALL_FLAGGED] = {TABLE_FLAG, ACCESS_ANY, "ku", "",
		"SELECT {m.mailbox}, modseq.uidset_agg({m.uid}) FROM {message} AS m"
		" WHERE {m.live} AND {m.uid} {>=} 1 AND {m.uid} {<=} 4294967295"
		" AND EXISTS (SELECT FROM {table} AS f WHERE {m.id=f.id})"
		" GROUP BY {m.key} ORDER BY {m.key}"
	},
	[PLAN_ALL_FLAGGED_UIDS] = {TABLE_FLAG, ACCESS_ANY, "ku", "",
		"SELECT {f.mailbox}, modseq.uidset_agg({f.uid}) FROM {table} AS f"
		" WHERE {f.uid} {>=} 1 AND {f.uid} {<=} 4294967295"
		" GROUP BY {f.key} ORDER BY {f.key}"
	},
	[PLAN_ALL_MAILBOXES] = {TABLE_MAILBOX, ACCESS_ANY, "k", "",
		"SELECT {b.mailbox} FROM {table} AS b"
	},
	[PLAN_ALL_SOURCES] = {TABLE_SOURCE, ACCESS_ANY, "k", "",
		"SELECT {s.mailbox} FROM {table} AS s"
	},
	/* Those that can get no new UIDVALIDITY */
	[PLAN_LAST_MAILBOXES] = {TABLE_MAILBOX, ACCESS_ANY, "ki", "",
		"SELECT {b.mailbox}, b.{uidvalidity}::pg_catalog.int8"
		" FROM {table} AS b WHERE b.{uidvalidity} {>=} {last_uidvalidity}"
		" LIMIT 1"
	},
	/* Returns whether it really is a new one */
	[PLAN_RESET_MAILBOXES] = {TABLE_MAILBOX, ACCESS_ANY, "b", "",
		"UPDATE {table} AS b SET {uidvalidity} = GREATEST("
		"{next_uidvalidity=b}, b.{uidvalidity}::pg_catalog.int8 {+} 1)"
		" FROM {table} AS o"
		" WHERE o.tableoid {=} b.tableoid AND o.ctid {=} b.ctid"
		" RETURNING b.{uidvalidity}::pg_catalog.int8"
		" {>} COALESCE(o.{uidvalidity}::pg_catalog.int8, 0)"
	},
	[PLAN_COUNT_ROWS] = {TABLE_MESSAGE, ACCESS_ANY, "i", "",
		"SELECT pg_catalog.count(*) FROM {table}"
	},
	[PLAN_LAST_UIDS] = {TABLE_MESSAGE, ACCESS_ANY, "kii", "",
		"SELECT {m.mailbox}, COALESCE(pg_catalog.max({m.uid}), 0),"
		" pg_catalog.count(*)"
		" FROM {table} AS m"
		" GROUP BY {m.key} ORDER BY {m.key}"
	},
	/* By UID: a nested loop, as planner.c has it, keeps the order */
	[PLAN_TOUCH_MESSAGES] = {TABLE_MESSAGE, ACCESS_INDEX, "", "",
		"UPDATE {table} AS m SET {uid} = m.{uid}"
		" FROM (SELECT m.tableoid AS part, m.ctid AS place FROM {table} AS m"
		" ORDER BY {m.key}, m.{uid}, m.tableoid, m.ctid) AS o"
		" WHERE m.tableoid {=} o.part AND m.ctid {=} o.place"
	}
};
