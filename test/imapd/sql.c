/*-------------------------------------------------------------------------
 *
 * sql.c
 *	  Every statement of the front end.
 *
 * They are those of docs/imap.md, for a schema that keeps flags in a column,
 * and with the rows of messages joined to what modseq answers, so that one
 * snapshot and one round trip have both.
 *
 * "uid <@ set" reads what is in the set and nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "db.h"

/* Of a mailbox b: from an index that has those that are unseen */
#define FIRST_UNSEEN	"(SELECT min(uid) FROM mw_mail WHERE mailbox_id = b.id AND unseen)"

/*
 * What has changed, in the first row, and then the messages that have, but for
 * those that are not wanted.  The sets can be large: in each row of a join the
 * sort would carry them along.
 */
#define RESYNC(function, mailbox, wanted) \
	"WITH r AS MATERIALIZED (SELECT *, " wanted " AS wanted FROM " function ")" \
	" SELECT verdict, uidnext, highestmodseq, first_vanished, vanished, NULL AS uid, NULL, NULL FROM r" \
	" UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, m.uid, m.modseq, array_to_string(m.flags, E'\\n')" \
	" FROM r JOIN mw_mail m ON m.mailbox_id = " mailbox " AND m.uid <@ r.wanted" \
	" ORDER BY uid NULLS FIRST"

#define FLAG_COLUMNS	"m.uid, m.modseq, array_to_string(m.flags, E'\\n')"
#define MESSAGE_COLUMNS \
	FLAG_COLUMNS ", m.size, to_char(m.internaldate AT TIME ZONE 'UTC', 'DD-Mon-YYYY HH24:MI:SS')"

/* The flags that a message must have, and those that it must not have */
#define FLAGS	"flags @> $3::text[] AND NOT flags && $4::text[]"

/*
 * $1 is still the mailbox that was opened with UIDVALIDITY $2.  A write asks
 * that itself, so that it need not wait for the answer of lock(); if it is
 * not so, it writes nothing, and resync() says why.
 */
#define SAME_MAILBOX	"(SELECT uidvalidity FROM status('mw_mail', $1::bigint)) = $2"

#define UPDATE_FLAGS(value, condition) \
	"UPDATE mw_mail SET flags = " value \
	" WHERE mailbox_id = $1 AND " SAME_MAILBOX " AND uid <@ $3::uidset AND " condition

const SqlText sql_texts[SQL_COUNT] = {
	[SQL_BEGIN] = {"BEGIN", false},
	[SQL_BEGIN_READING] = {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", false},
	[SQL_COMMIT] = {"COMMIT", false},
	[SQL_ROLLBACK] = {"ROLLBACK", false},
	/*
	 * These queries touch few rows, whatever the planner fears: compiling them takes longer than running them.  And
	 * whatever the parameters are, their plans are the same: to make one for each of the first five takes longer, too.
	 */
	[SQL_SETTINGS] = {
		"SELECT set_config('search_path', 'public, modseq', false), set_config('jit', 'off', false),"
		" set_config('plan_cache_mode', 'force_generic_plan', false)", false},
	[SQL_LISTEN] = {"LISTEN modseq", false},
	[SQL_UNLISTEN] = {"UNLISTEN modseq", false},

	/* Of the schema's own triggers: modseq tells of messages, not of names and annotations of the server. */
	[SQL_LISTEN_LIST] = {"LISTEN mw_list", false},
	[SQL_UNLISTEN_LIST] = {"UNLISTEN mw_list", false},
	[SQL_LISTEN_ANNOTATION] = {"LISTEN mw_annotation", false},
	[SQL_UNLISTEN_ANNOTATION] = {"UNLISTEN mw_annotation", false},
	/* As SQL_LIST, and what is known of each mailbox */
	[SQL_WATCH] = {
		"SELECT name, b.id IS NOT NULL, b.special_use, s.name IS NOT NULL,"
		" b.id, t.uidvalidity, t.uidnext, t.highestmodseq"
		" FROM (SELECT * FROM mw_mailbox WHERE user_id = $1) b"
		" FULL JOIN (SELECT name FROM mw_subscription WHERE user_id = $1) s USING (name)"
		" LEFT JOIN status('mw_mail', ARRAY(SELECT id FROM mw_mailbox WHERE user_id = $1)) t ON t.mailbox = b.id"
		" ORDER BY name COLLATE \"C\"", false},
	/* Mailboxes that are not selected, since when they are known */
	[SQL_WOKEN] = {
		"SELECT w.id, s.uidvalidity, s.uidnext, s.highestmodseq, vanished_since('mw_mail', w.id, w.since) <> '',"
		" c.messages, c.unseen,"
		" (SELECT string_agg(entry, E'\\n' ORDER BY entry) FROM mw_annotation"
		" WHERE mailbox_id = w.id AND modseq > w.since)"
		" FROM status('mw_mail', $1::bigint[]) s JOIN counts('mw_mail', $1::bigint[]) c USING (mailbox)"
		" JOIN unnest($1::bigint[], $2::bigint[]) w (id, since) ON w.id = mailbox ORDER BY w.id", false},

	/* A wrong user costs as much time as a wrong password. */
	[SQL_LOGIN] = {
		"SELECT u.id FROM (SELECT $1::text AS name) l LEFT JOIN mw_user u USING (name)"
		" WHERE crypt($2, coalesce(u.password, gen_salt('bf'))) = u.password", false},
	[SQL_CREATE_USER] = {
		"INSERT INTO mw_user (name, password) VALUES ($1, crypt($2, gen_salt('bf')))"
		" ON CONFLICT (name) DO UPDATE SET password = excluded.password RETURNING id", false},
	[SQL_FIND_USER] = {"SELECT id FROM mw_user WHERE name = $1", false},
	[SQL_KEYWORDS] = {
		"SELECT string_agg(keyword, E'\\n' ORDER BY keyword) FROM mw_keyword WHERE user_id = $1", false},
	[SQL_ADD_KEYWORDS] = {
		"INSERT INTO mw_keyword (user_id, keyword) SELECT $1, unnest($2::text[])"
		" ON CONFLICT DO NOTHING", false},

	[SQL_FIND_MAILBOX] = {"SELECT id FROM mw_mailbox WHERE user_id = $1 AND name = $2", false},
	[SQL_LIST] = {
		"SELECT name, b.id IS NOT NULL, b.special_use, s.name IS NOT NULL"
		" FROM (SELECT * FROM mw_mailbox WHERE user_id = $1) b"
		" FULL JOIN (SELECT name FROM mw_subscription WHERE user_id = $1) s USING (name)"
		" ORDER BY name COLLATE \"C\"", false},
	/* Counts are kept with the numbers: no message is read. */
	[SQL_STATUS] = {
		"SELECT b.name, s.uidvalidity, s.uidnext, s.highestmodseq, c.messages, c.size, c.unseen, c.deleted"
		" FROM (SELECT ARRAY(SELECT id FROM mw_mailbox WHERE user_id = $1 AND name = ANY ($2::text[])) AS ids) a,"
		" LATERAL status('mw_mail', a.ids) s JOIN LATERAL counts('mw_mail', a.ids) c USING (mailbox)"
		" JOIN mw_mailbox b ON b.id = mailbox ORDER BY b.name COLLATE \"C\"", false},
	[SQL_CREATE] = {
		"INSERT INTO mw_mailbox (user_id, name, special_use) VALUES ($1, $2, $3)"
		" RETURNING id", false},
	[SQL_DELETE] = {"DELETE FROM mw_mailbox WHERE user_id = $1 AND name = $2 RETURNING id", false},
	[SQL_RENAME] = {
		"UPDATE mw_mailbox SET name = $3 || substr(name, length($2) + 1)"
		" WHERE user_id = $1 AND (name = $2 OR starts_with(name, $2 || '/'))", false},
	[SQL_MOVE_ALL] = {"UPDATE mw_mail SET mailbox_id = $2 WHERE mailbox_id = $1::bigint", false},
	[SQL_ANNOTATIONS] = {
		"SELECT entry, value FROM mw_annotation WHERE mailbox_id = $1 AND value IS NOT NULL ORDER BY entry", true},
	/* What really changes, under one mod-sequence, which touch() takes if there is any. */
	[SQL_ANNOTATE] = {
		"WITH changed AS MATERIALIZED (SELECT n.entry, n.value FROM unnest($2::text[], $3::bytea[]) n (entry, value)"
		" LEFT JOIN mw_annotation o ON o.mailbox_id = $1::bigint AND o.entry = n.entry"
		" WHERE n.value IS DISTINCT FROM o.value),"
		" touched AS MATERIALIZED (SELECT touch('mw_mail', $1::bigint) AS modseq FROM (SELECT FROM changed LIMIT 1) c)"
		" INSERT INTO mw_annotation (mailbox_id, entry, value, modseq)"
		" SELECT $1, c.entry, c.value, t.modseq FROM changed c, touched t"
		" ON CONFLICT (mailbox_id, entry) DO UPDATE SET value = excluded.value, modseq = excluded.modseq", false},
	[SQL_COUNT_ANNOTATIONS] = {"SELECT count(*) FROM mw_annotation WHERE mailbox_id = $1", false},
	[SQL_COPY_ANNOTATIONS] = {
		"INSERT INTO mw_annotation (mailbox_id, entry, value, modseq)"
		" SELECT $2, entry, value, (SELECT highestmodseq FROM status('mw_mail', $2::bigint))"
		" FROM mw_annotation WHERE mailbox_id = $1 AND value IS NOT NULL", false},
	[SQL_SERVER_ANNOTATIONS] = {
		"SELECT entry, value FROM mw_server_annotation WHERE user_id = $1 OR user_id IS NULL ORDER BY entry", true},
	[SQL_ANNOTATE_SERVER] = {
		"WITH new AS (SELECT * FROM unnest($2::text[], $3::bytea[]) n (entry, value)),"
		" gone AS (DELETE FROM mw_server_annotation o USING new n"
		" WHERE o.user_id = $1 AND o.entry = n.entry AND n.value IS NULL)"
		" INSERT INTO mw_server_annotation AS o (user_id, entry, value)"
		" SELECT $1, entry, value FROM new WHERE value IS NOT NULL"
		" ON CONFLICT (coalesce(user_id, 0), entry) DO UPDATE SET value = excluded.value"
		" WHERE o.value <> excluded.value", false},
	[SQL_COUNT_SERVER_ANNOTATIONS] = {"SELECT count(*) FROM mw_server_annotation WHERE user_id = $1", false},
	[SQL_SUBSCRIBE] = {
		"INSERT INTO mw_subscription (user_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", false},
	[SQL_UNSUBSCRIBE] = {"DELETE FROM mw_subscription WHERE user_id = $1 AND name = $2", false},

	[SQL_SELECT] = {
		"SELECT b.id, s.uidvalidity, s.uidnext, s.highestmodseq, live_uids('mw_mail', b.id), " FIRST_UNSEEN ","
		" (SELECT string_agg(keyword, E'\\n' ORDER BY keyword) FROM mw_keyword WHERE user_id = $1),"
		" pg_is_in_recovery()"
		" FROM mw_mailbox b, LATERAL status('mw_mail', b.id) s"
		" WHERE b.user_id = $1 AND b.name = $2", false},
	[SQL_RESYNC] = {RESYNC("resync('mw_mail', $1::bigint, $2, $3)", "$1::bigint", "changed"), false},
	/* After a STORE, which tells of its messages $4 itself */
	[SQL_RESYNC_OTHERS] = {
		RESYNC("resync('mw_mail', $1::bigint, $2, $3)", "$1::bigint", "changed - $4::uidset"), false},
	/* By name, so that it need not wait for what SQL_SELECT finds */
	[SQL_QRESYNC] = {
		RESYNC("mw_mailbox b, LATERAL resync('mw_mail', b.id, $3, $4, $5) WHERE b.user_id = $1 AND b.name = $2",
			   "r.id", "changed"), false},

	/* A statement by itself, or it holds a snapshot while it waits. */
	[SQL_WAIT_FOR] = {"SELECT wait_for('mw_mail', $1::bigint, $2, $3::interval)", false},

	[SQL_LOCK] = {"SELECT * FROM lock('mw_mail', $1::bigint)", false},
	[SQL_LOCK_TWO] = {"SELECT * FROM lock('mw_mail', ARRAY[$1::bigint, $2])", false},
	[SQL_WHICH] = {"SELECT mailbox FROM status('mw_mail', ARRAY[$1::bigint, $2])", false},
	[SQL_UNCHANGED_SINCE] = {
		"SELECT uidset_agg(uid) FILTER (WHERE verdict = 'unchanged'),"
		" uidset_agg(uid) FILTER (WHERE verdict = 'modified')"
		" FROM unchanged_since('mw_mail', $1::bigint, $2, $3)", false},
	[SQL_FOREIGN] = {
		"SELECT uidset_agg(uid) FROM changed_since('mw_mail', $1::bigint, $2, $3)", false},

	[SQL_MESSAGES] = {
		"SELECT " MESSAGE_COLUMNS " FROM mw_mail m"
		" WHERE m.mailbox_id = $1::bigint AND m.uid <@ $2::uidset ORDER BY m.uid", false},
	[SQL_FLAGS] = {
		"SELECT " FLAG_COLUMNS " FROM mw_mail m"
		" WHERE m.mailbox_id = $1::bigint AND m.uid <@ $2::uidset ORDER BY m.uid", false},
	[SQL_CHANGED] = {
		"SELECT " MESSAGE_COLUMNS " FROM mw_mail m WHERE m.mailbox_id = $1::bigint AND m.uid <@"
		" (SELECT uidset_agg(uid) FROM changed_since('mw_mail', $1::bigint, $3, $2)) ORDER BY m.uid", false},
	[SQL_VANISHED] = {"SELECT vanished_since('mw_mail', $1::bigint, $2, $3)", false},
	[SQL_RAW] = {
		"SELECT uid, raw FROM mw_mail WHERE mailbox_id = $1::bigint AND uid <@ $2::uidset ORDER BY uid", true},
	[SQL_HEADER] = {
		"SELECT uid, substring(raw FOR $3::int) FROM mw_mail"
		" WHERE mailbox_id = $1::bigint AND uid <@ $2::uidset ORDER BY uid", true},
	/* $2 has 1 if \Seen matters, 2 if \Deleted does. */
	[SQL_LIVE] = {
		"SELECT live_uids('mw_mail', $1::bigint),"
		" CASE WHEN $2 & 1 <> 0 THEN (SELECT uidset_agg(uid) FROM mw_mail WHERE mailbox_id = $1 AND unseen) END,"
		" CASE WHEN $2 & 2 <> 0 THEN (SELECT uidset_agg(uid) FROM mw_mail WHERE mailbox_id = $1 AND marked_deleted) END", false},
	[SQL_FIND] = {
		"SELECT uidset_agg(uid), NULL, NULL, NULL FROM mw_mail"
		" WHERE mailbox_id = $1::bigint AND uid <@ $2::uidset AND " FLAGS, false},
	/* Most of the set has not changed since. */
	[SQL_FIND_CHANGED] = {
		"WITH found AS MATERIALIZED (SELECT uid, modseq FROM mw_mail WHERE mailbox_id = $1::bigint AND uid <@"
		" (SELECT uidset_agg(uid) FROM changed_since('mw_mail', $1::bigint, greatest($5 - 1, 0), $2))"
		" AND modseq >= $5 AND " FLAGS ")"
		" SELECT uidset_agg(uid), (SELECT modseq FROM found ORDER BY uid LIMIT 1),"
		" (SELECT modseq FROM found ORDER BY uid DESC LIMIT 1), max(modseq) FROM found", false},
	[SQL_SEARCH] = {
		"SELECT " MESSAGE_COLUMNS ", extract(epoch FROM m.internaldate)::bigint,"
		" extract(epoch FROM now())::bigint FROM mw_mail m"
		" WHERE m.mailbox_id = $1::bigint AND m.uid <@ $2::uidset ORDER BY m.uid", false},

	[SQL_SEEN] = {
		"WITH m AS (" UPDATE_FLAGS("flags || '{\"\\\\Seen\"}'", "unseen")
		" RETURNING uid, modseq, flags)"
		" SELECT uid, modseq, array_to_string(flags, E'\\n') FROM m ORDER BY uid", false},
	[SQL_STORE_ADD] = {
		UPDATE_FLAGS("flags || ARRAY(SELECT f FROM unnest($4::text[]) f WHERE f <> ALL (flags))",
					 "NOT flags @> $4::text[]"), false},
	[SQL_STORE_REMOVE] = {
		UPDATE_FLAGS("ARRAY(SELECT f FROM unnest(flags) f WHERE f <> ALL ($4::text[]))",
					 "flags && $4::text[]"), false},
	[SQL_STORE_REPLACE] = {
		UPDATE_FLAGS("$4::text[]", "NOT (flags @> $4::text[] AND flags <@ $4::text[])"), false},

	/* What became of a mailbox that was at $2 and is locked, and of which messages of $3, if that is asked for by $4 */
	[SQL_STORED] = {
		"SELECT highestmodseq,"
		" CASE WHEN $4 <> 0 THEN (SELECT uidset_agg(uid) FROM changed_since('mw_mail', $1::bigint, $2, $3)) END"
		" FROM status('mw_mail', $1::bigint)", false},

	[SQL_EXPUNGE] = {"DELETE FROM mw_mail WHERE mailbox_id = $1 AND " SAME_MAILBOX " AND marked_deleted", false},
	[SQL_UID_EXPUNGE] = {
		"DELETE FROM mw_mail WHERE mailbox_id = $1 AND " SAME_MAILBOX
		" AND uid <@ $3::uidset AND marked_deleted", false},
	/* UIDs are given in the order of the rows. */
	[SQL_APPEND] = {
		"INSERT INTO mw_mail (mailbox_id, flags, internaldate, raw, sha, thread_id)"
		" SELECT $1::bigint, flags::text[], coalesce(nullif(date, '')::timestamptz, now()), raw, sha256(raw),"
		" mw_thread($1::bigint, ids::text[], subject)"
		" FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[])"
		" WITH ORDINALITY AS m (flags, date, raw, ids, subject, n) ORDER BY n RETURNING uid", false},
	[SQL_COPY] = {
		"INSERT INTO mw_mail (mailbox_id, flags, internaldate, raw, sha, thread_id)"
		" SELECT $4, flags, internaldate, raw, sha, thread_id FROM mw_mail"
		" WHERE mailbox_id = $1 AND " SAME_MAILBOX " AND uid <@ $3::uidset ORDER BY uid RETURNING uid", false},
	[SQL_MOVE] = {
		"UPDATE mw_mail m SET mailbox_id = $4 FROM mw_mail old"
		" WHERE m.id = old.id AND m.mailbox_id = $1 AND " SAME_MAILBOX " AND m.uid <@ $3::uidset"
		" RETURNING old.uid, m.uid", false},
	[SQL_MOVE_WITHIN] = {
		"UPDATE mw_mail m SET uid = NULL FROM mw_mail old"
		" WHERE m.id = old.id AND m.mailbox_id = $1 AND " SAME_MAILBOX " AND m.uid <@ $3::uidset"
		" RETURNING old.uid, m.uid", false},
};
