/*-------------------------------------------------------------------------
 *
 * text_vanished.c
 *	  The queries of the table of vanished UIDs, in the language of text.c.
 *
 * It has the log of changes, too, and remembers mailboxes that went.
 *
 * Locks: those of the statements.
 *
 * Memory: none.
 *
 *-------------------------------------------------------------------------
 */
#include "query/query.h"

const QueryText vanished_queries[PLAN_IDS] = {
	/* --- vanished UIDs --------------------------------------------------- */

	[PLAN_APPEND_VANISHED] = {TABLE_VANISHED, ACCESS_ANY, "", "key modseq uids",
		"INSERT INTO {vanished} ({key}, modseq, uids)"
		" VALUES ({$key}, {$modseq}, {$uids})"
	},
	/* The same where a row of that mod-sequence may say what changed */
	[PLAN_JOIN_VANISHED] = {TABLE_VANISHED, ACCESS_ANY, "", "key modseq uids",
		"INSERT INTO {vanished} AS v ({key}, modseq, uids)"
		" VALUES ({$key}, {$modseq}, {$uids})"
		" ON CONFLICT ({key}, modseq) DO UPDATE"
		" SET uids = v.uids OPERATOR(modseq.+) excluded.uids"
	},
	/* The same, and that numbers were lost; a row of it may be there, too */
	[PLAN_APPEND_LOST] = {TABLE_VANISHED, ACCESS_ANY, "",
		"key modseq uids lost lost_uids",
		"INSERT INTO {vanished} AS v ({key}, modseq, uids, lost, lost_uids)"
		" VALUES ({$key}, {$modseq}, {$uids}, {$lost}, {$lost_uids})"
		" ON CONFLICT ({key}, modseq) DO UPDATE"
		" SET uids = v.uids OPERATOR(modseq.+) excluded.uids,"
		" lost = excluded.lost, lost_uids = excluded.lost_uids"
	},
	[PLAN_FIND_LOST] = {TABLE_VANISHED, ACCESS_INDEX, "",
		"key modseq uids lost lost_uids",
		"SELECT FROM {vanished} AS v WHERE {v=$key} AND v.modseq {=} {$modseq}"
		" AND {$uids} OPERATOR(modseq.<@) v.uids AND v.lost {=} {$lost}"
		" AND v.lost_uids OPERATOR(modseq.=) {$lost_uids}"
	},
	[PLAN_SEE_LOST] = {TABLE_VANISHED, ACCESS_INDEX, "", "key since",
		"SELECT FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {>} {$since} AND v.lost {<} {$since}"
		" LIMIT 1"
	},
	/* What was lost, and the incarnation that began: between the two numbers */
	[PLAN_READ_LOST] = {TABLE_VANISHED, ACCESS_INDEX, "iiuiiiw", "key",
		"SELECT v.lost {+} 1, v.modseq {-} 1,"
		" v.lost_uids OPERATOR(modseq.*) v.uids,"
		" i.modseq, i.system_identifier, i.timeline, i.started"
		" FROM {vanished} AS v LEFT JOIN LATERAL"
		" (SELECT i.* FROM modseq.incarnation AS i"
		" WHERE i.modseq {>=} v.lost AND i.modseq {<} v.modseq"
		" ORDER BY i.modseq DESC, i.started LIMIT 1) AS i ON true"
		" WHERE {v=$key} AND v.lost IS NOT NULL"
		" ORDER BY v.modseq"
	},
	[PLAN_FIND_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "", "key modseq uids",
		"SELECT FROM {vanished} AS v WHERE {v=$key} AND v.modseq {=} {$modseq}"
		" AND v.uids OPERATOR(modseq.=) {$uids}"
	},
	/* The same, and what it says of changes, if it does */
	[PLAN_FIND_LOGGED] = {TABLE_VANISHED, ACCESS_INDEX, "",
		"key modseq uids changed",
		"SELECT FROM {vanished} AS v WHERE {v=$key} AND v.modseq {=} {$modseq}"
		" AND v.uids OPERATOR(modseq.=) {$uids}"
		" AND {v.changed} OPERATOR(modseq.=) {$changed}"
	},
	[PLAN_READ_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "iuu", "key since",
		"SELECT v.modseq, v.uids, {v.changed} FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {>} {$since}"
		" ORDER BY v.modseq"
	},
	/* The newest rows with any of these UIDs, between two mod-sequences */
	[PLAN_NEWEST_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "iu",
		"key since last uids limit",
		"SELECT v.modseq, v.uids FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {>} {$since} AND v.modseq {<=} {$last}"
		" AND v.uids OPERATOR(modseq.&&) {$uids}"
		" ORDER BY v.modseq DESC LIMIT {$limit}"
	},

	/*
	 * All of them, and the lowest mod-sequence; of many small rows it is
	 * three times as quick to unite them here as to fetch them.
	 */
	[PLAN_UNITE_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "iu", "key since",
		"SELECT pg_catalog.min(v.modseq), modseq.uidset_agg(v.uids)"
		" FROM {vanished} AS v WHERE {v=$key} AND v.modseq {>} {$since}"
		" AND {v.any}"
	},
	[PLAN_UNITE_VANISHED_IN] = {TABLE_VANISHED, ACCESS_INDEX, "iu",
		"key since uids",
		"SELECT pg_catalog.min(v.modseq), modseq.uidset_agg(v.uids)"
		" FROM {vanished} AS v WHERE {v=$key} AND v.modseq {>} {$since}"
		" AND v.uids OPERATOR(modseq.&&) {$uids}"
	},
	/* UIDs that have not vanished after all: a row of nothing else goes */
	[PLAN_RECALL_ALL_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "",
		"key since uids",
		"DELETE FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {>} {$since}"
		" AND v.uids OPERATOR(modseq.<@) {$uids} AND {v.unlogged}"
		" AND v.lost IS NULL"
	},
	[PLAN_RECALL_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "",
		"key since uids",
		"UPDATE {vanished} AS v SET uids = v.uids OPERATOR(modseq.-) {$uids}"
		" WHERE {v=$key} AND v.modseq {>} {$since}"
		" AND v.uids OPERATOR(modseq.&&) {$uids}"
	},

	/* --- UIDs that changed, beside those that vanished: see vanished.c ---- */

	[PLAN_ADD_CHANGED] = {TABLE_VANISHED, ACCESS_INDEX, "", "key modseq uids",
		"UPDATE {vanished} AS v"
		" SET changed = v.changed OPERATOR(modseq.+) {$uids}"
		" WHERE {v=$key} AND v.modseq {=} {$modseq} AND v.changed IS NOT NULL"
	},
	/* The row of that mod-sequence may be there, for what vanished */
	[PLAN_APPEND_CHANGED] = {TABLE_VANISHED, ACCESS_ANY, "", "key modseq uids",
		"INSERT INTO {vanished} AS v ({key}, modseq, uids, changed)"
		" VALUES ({$key}, {$modseq}, '', {$uids})"
		" ON CONFLICT ({key}, modseq) DO UPDATE"
		" SET changed = {v.changed} OPERATOR(modseq.+) excluded.changed"
	},
	[PLAN_FIND_CHANGED] = {TABLE_VANISHED, ACCESS_INDEX, "", "key modseq uids",
		"SELECT FROM {vanished} AS v WHERE {v=$key} AND v.modseq {=} {$modseq}"
		" AND {$uids} OPERATOR(modseq.<@) v.changed"
	},
	[PLAN_UNITE_CHANGED] = {TABLE_VANISHED, ACCESS_INDEX, "u", "key since",
		"SELECT modseq.uidset_agg(v.changed)"
		" FROM {vanished} AS v WHERE {v=$key} AND v.modseq {>} {$since}"
		" AND v.changed IS NOT NULL"
	},

	/*
	 * Rows with no more UIDs than that become one, the last of them.  What
	 * compact() has locked is left alone: nobody waits for it.
	 */
	[PLAN_FOLD_CHANGED] = {TABLE_VANISHED, ACCESS_INDEX, "",
		"key first last most",
		"WITH small AS MATERIALIZED ("
		" SELECT v.modseq, v.changed,"
		" v.uids OPERATOR(modseq.=) '' AND v.lost IS NULL AS bare"
		" FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {>=} {$first} AND v.modseq {<=} {$last}"
		" AND v.changed IS NOT NULL"
		" AND modseq.cardinality(v.changed) {<=} {$most}"
		" FOR UPDATE SKIP LOCKED),"
		" fold AS MATERIALIZED ("
		" SELECT pg_catalog.max(s.modseq) AS modseq,"
		" modseq.uidset_agg(s.changed) AS changed"
		" FROM small AS s HAVING pg_catalog.count(*) {>} 1),"
		" gone AS ("
		" DELETE FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {=} ANY (ARRAY("
		"SELECT s.modseq FROM small AS s, fold AS f"
		" WHERE s.bare AND s.modseq {<} f.modseq)))"
		" UPDATE {vanished} AS v SET changed ="
		" CASE WHEN v.modseq {=} f.modseq THEN f.changed END"
		" FROM fold AS f"
		" WHERE {v=$key} AND v.modseq {=} ANY (ARRAY("
		"SELECT s.modseq FROM small AS s, fold AS f"
		" WHERE NOT s.bare OR s.modseq {=} f.modseq))"
	},

	/*
	 * Rows with vanished UIDs become one, the last of them; one that says
	 * what changed, too, stays for that.  Those that somebody has locked are
	 * left alone, and so is what was lost: see fold.c.
	 */
	[PLAN_FOLD_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "",
		"key first last",
		"WITH old AS MATERIALIZED ("
		" SELECT v.modseq, v.uids, {v.unlogged} AS bare"
		" FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {>=} {$first} AND v.modseq {<=} {$last}"
		" AND {v.any} AND v.lost IS NULL"
		" FOR UPDATE SKIP LOCKED),"
		" fold AS MATERIALIZED ("
		" SELECT pg_catalog.max(o.modseq) AS modseq,"
		" modseq.uidset_agg(o.uids) AS uids"
		" FROM old AS o HAVING pg_catalog.count(*) {>} 1),"
		" gone AS ("
		" DELETE FROM {vanished} AS v"
		" WHERE {v=$key} AND v.modseq {=} ANY (ARRAY("
		"SELECT o.modseq FROM old AS o, fold AS f"
		" WHERE o.bare AND o.modseq {<} f.modseq)))"
		" UPDATE {vanished} AS v SET uids ="
		" CASE WHEN v.modseq {=} f.modseq THEN f.uids ELSE '' END"
		" FROM fold AS f"
		" WHERE {v=$key} AND v.modseq {=} ANY (ARRAY("
		"SELECT o.modseq FROM old AS o, fold AS f"
		" WHERE NOT o.bare OR o.modseq {=} f.modseq))"
	},

	/* These lock rows by mod-sequence, as compact() does */
	[PLAN_RENAME_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "", "key new_key",
		"UPDATE {vanished} AS v SET ({key}) = ROW ({$new_key}) WHERE {v=$key}"
	},
	[PLAN_DROP_VANISHED] = {TABLE_VANISHED, ACCESS_INDEX, "", "key",
		"DELETE FROM {vanished} AS v WHERE {v=$key}"
	},
	[PLAN_CLEAR_VANISHED] = {TABLE_VANISHED, ACCESS_ANY, "", "",
		"DELETE FROM {vanished} AS v"
		" WHERE NOT EXISTS (SELECT FROM {mailbox} AS b WHERE {b=v})"
	},

	/* --- mailboxes that went, where messages can stay: see row.c ---------- */

	[PLAN_KEEP_VANISHED] = {TABLE_VANISHED, ACCESS_ANY, "", "",
		"UPDATE {vanished} AS v SET vanished_at = 'infinity'"
		" WHERE NOT EXISTS (SELECT FROM {mailbox} AS b WHERE {b=v})"
	},
	/* All mailboxes of a table that is about to go: see vanished_remember() */
	[PLAN_DROP_TABLE] = {TABLE_VANISHED, ACCESS_ANY, "", "relid",
		"DELETE FROM {vanished} AS v WHERE EXISTS (SELECT FROM {mailbox} AS b"
		" WHERE {b=v} AND b.tableoid::pg_catalog.int8 {=} {$relid})"
	},
	[PLAN_REMEMBER_TABLE] = {TABLE_VANISHED, ACCESS_ANY, "", "relid",
		"INSERT INTO {vanished} ({key}, modseq, uids, vanished_at)"
		" SELECT {b.key}, LEAST({b.highestmodseq}, 9223372036854775806) {+} 1,"
		" modseq.uidset(pg_catalog.int8multirange(pg_catalog.int8range("
		"1, GREATEST({b.uidnext}, 1)))), 'infinity'"
		" FROM {mailbox} AS b"
		" WHERE b.tableoid::pg_catalog.int8 {=} {$relid}"
		" AND ({b.highestmodseq} {>} 1 OR {b.uidnext} {>} 1)"
	},
	/* What should have been forgotten, or remembered, and was not */
	[PLAN_STRAY_VANISHED] = {TABLE_VANISHED, ACCESS_ANY, "k", "",
		"SELECT {v.mailbox} FROM {vanished} AS v"
		" WHERE v.vanished_at {<} 'infinity'"
		" AND NOT EXISTS (SELECT FROM {mailbox} AS b WHERE {b=v})"
		" LIMIT 1"
	},
	[PLAN_NOT_REMEMBERED] = {TABLE_VANISHED, ACCESS_ANY, "k", "relid",
		"SELECT {b.mailbox} FROM {mailbox} AS b"
		" WHERE b.tableoid::pg_catalog.int8 {=} {$relid}"
		" AND ({b.highestmodseq} {>} 1 OR {b.uidnext} {>} 1)"
		" AND NOT EXISTS (SELECT FROM {vanished} AS v WHERE {v=b}"
		" AND v.modseq {=}"
		" (LEAST({b.highestmodseq}, 9223372036854775806) {+} 1)"
		" AND v.uids OPERATOR(modseq.=) modseq.uidset("
		"pg_catalog.int8multirange(pg_catalog.int8range("
		"1, GREATEST({b.uidnext}, 1)))))"
		" LIMIT 1"
	},
	[PLAN_DROP_REMEMBERED] = {TABLE_VANISHED, ACCESS_INDEX, "", "key",
		"DELETE FROM {vanished} AS v"
		" WHERE {v=$key} AND v.vanished_at {=} 'infinity'"
	},
	[PLAN_REMEMBER_VANISHED] = {TABLE_VANISHED, ACCESS_ANY, "",
		"key modseq uids",
		"INSERT INTO {vanished} ({key}, modseq, uids, vanished_at)"
		" VALUES ({$key}, {$modseq}, {$uids}, 'infinity')"
	},
	/* Also of expunged ones */
	[PLAN_LAST_MESSAGE] = {TABLE_MESSAGE, ACCESS_ANY, "ii", "key",
		"SELECT (SELECT pg_catalog.max({m.uid}) FROM {message} AS m"
		" WHERE {m=$key}),"
		" (SELECT pg_catalog.max({m.modseq}) FROM {message} AS m"
		" WHERE {m=$key})"
	},
	[PLAN_LAST_VANISHED] = {TABLE_VANISHED, ACCESS_ANY, "ii", "key",
		"SELECT pg_catalog.max(modseq.max(v.uids)), pg_catalog.max(v.modseq)"
		" FROM {vanished} AS v WHERE {v=$key} AND {v.any}"
	}
};
