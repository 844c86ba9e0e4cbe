/*-------------------------------------------------------------------------
 *
 * sql.c
 *	  Every statement of the front end.
 *
 *	  Those that ask modseq are those of docs/jmap.md.  $1 is the account, but
 *	  for logging in; ids come and go as lists like {1,2} and 1,2.  Flags are
 *	  parted by line feeds, as no flag has one.
 *
 *-------------------------------------------------------------------------
 */
#include "db.h"

#define UNREAD	"NOT v.flags && '{\"\\\\Seen\",\"\\\\Draft\"}'"

/* An Email, of the rows of mw_visible that are its mailboxes */
#define EMAIL_COLUMNS \
	"v.email_id, min(v.thread_id), encode((array_agg(v.sha))[1], 'hex')," \
	" string_agg(DISTINCT v.mailbox_id::text, ',')," \
	" min(array_to_string(v.flags, E'\\n'))," \
	" (extract(epoch FROM min(v.internaldate)) * 1000000)::bigint, min(v.size)"

#define CHANGES(function, columns) \
	"SELECT c.verdict, c.old_state, c.new_state, c.has_more, array_to_string(c.created, ',')," \
	" array_to_string(c.updated, ','), array_to_string(c.destroyed, ',')" columns \
	" FROM " function "('mw_mail', $1::bigint, $2, $3::int) c"

const SqlText sql_texts[SQL_COUNT] = {
	[SQL_BEGIN] = {"BEGIN", false},
	[SQL_BEGIN_READING] = {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", false},
	[SQL_COMMIT] = {"COMMIT", false},
	[SQL_ROLLBACK] = {"ROLLBACK", false},
	[SQL_SETTINGS] = {
		"SELECT set_config('search_path', 'public, modseq', false), set_config('jit', 'off', false)", false},
	[SQL_LISTEN] = {"LISTEN modseq", false},

	/* A wrong user costs as much time as a wrong password. */
	[SQL_LOGIN] = {
		"SELECT u.id FROM (SELECT $1::text AS name) l LEFT JOIN mw_user u USING (name)"
		" WHERE crypt($2, coalesce(u.password, gen_salt('bf'))) = u.password", false},

	[SQL_ACCOUNT_STATE] = {"SELECT email, mailbox, thread FROM account_state('mw_mail', $1::bigint)", false},
	[SQL_ACCOUNT_LOCK] = {"SELECT email, mailbox, thread FROM account_lock('mw_mail', $1::bigint)", false},
	/* A statement by itself, or it holds a snapshot while it waits. */
	[SQL_ACCOUNT_WAIT_FOR] = {"SELECT account_wait_for('mw_mail', $1::bigint, $2, $3::interval)", false},
	[SQL_IN_RECOVERY] = {"SELECT pg_is_in_recovery()", false},
	[SQL_EMAIL_CHANGES] = {CHANGES("email_changes", ""), false},
	[SQL_THREAD_CHANGES] = {CHANGES("thread_changes", ""), false},
	[SQL_MAILBOX_CHANGES] = {CHANGES("mailbox_changes", ", c.counts_only"), false},

	[SQL_MAILBOXES] = {
		"SELECT id, name, special_use, sort_order, subscribed FROM mw_mailbox WHERE user_id = $1::bigint"
		" ORDER BY name COLLATE \"C\"", false},
	[SQL_MAILBOX_COUNTS] = {
		"SELECT v.mailbox_id, count(DISTINCT v.email_id), count(DISTINCT v.email_id) FILTER (WHERE " UNREAD "),"
		" count(DISTINCT v.thread_id), count(DISTINCT v.thread_id) FILTER (WHERE " UNREAD ")"
		" FROM mw_visible v WHERE v.user_id = $1::bigint"
		" AND ($2::bigint[] IS NULL OR v.mailbox_id = ANY ($2::bigint[])) GROUP BY v.mailbox_id", false},
	[SQL_MAILBOX_CREATE] = {
		"INSERT INTO mw_mailbox (user_id, name, special_use, sort_order) VALUES ($1, $2, $3, $4) RETURNING id", false},
	[SQL_MAILBOX_RENAME] = {
		"UPDATE mw_mailbox SET name = $3 || substr(name, length($2) + 1)"
		" WHERE user_id = $1 AND (name = $2 OR starts_with(name, $2 || '/'))", false},
	[SQL_MAILBOX_RENAME_SUBSCRIPTIONS] = {
		"WITH gone AS (DELETE FROM mw_subscription WHERE user_id = $1"
		" AND (name = $2 OR starts_with(name, $2 || '/')) RETURNING name)"
		" INSERT INTO mw_subscription (user_id, name) SELECT $1, $3 || substr(name, length($2) + 1) FROM gone"
		" ON CONFLICT DO NOTHING", false},
	[SQL_MAILBOX_ROLE] = {"UPDATE mw_mailbox SET special_use = $3 WHERE user_id = $1 AND id = $2", false},
	[SQL_MAILBOX_ORDER] = {"UPDATE mw_mailbox SET sort_order = $3 WHERE user_id = $1 AND id = $2", false},
	[SQL_MAILBOX_HAS_EMAIL] = {
		"SELECT FROM mw_visible WHERE user_id = $1 AND mailbox_id = $2 LIMIT 1", false},
	[SQL_MAILBOX_DESTROY] = {"DELETE FROM mw_mailbox WHERE user_id = $1 AND id = $2", false},
	[SQL_SUBSCRIBE] = {
		"INSERT INTO mw_subscription (user_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", false},
	[SQL_UNSUBSCRIBE] = {"DELETE FROM mw_subscription WHERE user_id = $1 AND name = $2", false},

	[SQL_THREADS] = {
		"SELECT thread_id, string_agg(email_id::text, ',' ORDER BY received, email_id)"
		" FROM (SELECT thread_id, email_id, min(internaldate) AS received FROM mw_visible"
		" WHERE user_id = $1::bigint AND thread_id = ANY ($2::bigint[]) GROUP BY 1, 2) e GROUP BY 1", false},
	[SQL_EMAILS] = {
		"SELECT " EMAIL_COLUMNS " FROM mw_visible v"
		" WHERE v.user_id = $1::bigint AND v.email_id = ANY ($2::bigint[]) GROUP BY v.email_id", false},
	/* Those of a mailbox, or all; and what sorting needs */
	[SQL_EMAILS_IN] = {
		"SELECT e.*, (extract(epoch FROM f.sent) * 1000000)::bigint, f.sort_from, f.sort_to, f.sort_subject,"
		" f.attachment FROM (SELECT " EMAIL_COLUMNS ", (array_agg(v.sha))[1] AS sha FROM mw_visible v"
		" WHERE v.user_id = $1::bigint AND ($2::bigint IS NULL OR v.email_id IN"
		" (SELECT email_id FROM mw_visible WHERE user_id = $1::bigint AND mailbox_id = $2::bigint))"
		" GROUP BY v.email_id) e LEFT JOIN mw_facts f USING (sha)", false},
	/* $2 is a field or "text"; each of the words $3 must be in it. */
	[SQL_CONTAIN] = {
		"SELECT DISTINCT v.email_id FROM mw_visible v JOIN mw_facts f USING (sha) WHERE v.user_id = $1::bigint"
		" AND CASE $2 WHEN 'from' THEN from_ WHEN 'to' THEN to_ WHEN 'cc' THEN cc WHEN 'bcc' THEN bcc"
		" WHEN 'subject' THEN subject WHEN 'body' THEN body"
		" ELSE concat_ws(E'\\n', from_, to_, cc, bcc, subject, body) END ILIKE ALL ($3::text[])", false},
	/* The header $2 is there, and $3 in it */
	[SQL_HAVE_HEADER] = {
		"SELECT DISTINCT v.email_id FROM mw_visible v JOIN mw_facts f USING (sha) WHERE v.user_id = $1::bigint"
		" AND EXISTS (SELECT FROM unnest(f.headers) h WHERE starts_with(lower(h), lower($2) || ':')"
		" AND ($3::text IS NULL OR substr(h, length($2) + 2) ILIKE $3))", false},
	[SQL_FACTS_MISSING] = {
		"SELECT DISTINCT encode(v.sha, 'hex') FROM mw_visible v LEFT JOIN mw_facts f USING (sha)"
		" WHERE v.user_id = $1::bigint AND f.sha IS NULL LIMIT 100", false},
	[SQL_FACTS_ADD] = {
		"INSERT INTO mw_facts VALUES (decode($1, 'hex'), to_timestamp($2::bigint), $3, $4, $5, $6, $7, $8,"
		" $9::text[], $10, $11, $12, $13::boolean) ON CONFLICT DO NOTHING", false},

	[SQL_ADD_KEYWORDS] = {
		"INSERT INTO mw_keyword (user_id, keyword) SELECT $1, unnest($2::text[])"
		" ON CONFLICT DO NOTHING", false},
	[SQL_KEYWORDS] = {"SELECT keyword FROM mw_keyword WHERE user_id = $1", false},

	/* Into the mailboxes $2, of which the first says whose thread it is */
	[SQL_EMAIL_CREATE] = {
		"WITH e AS MATERIALIZED (SELECT nextval('mw_email_id') AS id,"
		" mw_thread(($2::bigint[])[1], $6::text[], $7) AS thread)"
		" INSERT INTO mw_mail (mailbox_id, flags, internaldate, raw, email_id, thread_id)"
		" SELECT b.id, $3::text[], coalesce($4::timestamptz, now()), $5::bytea, e.id, e.thread"
		" FROM e, mw_mailbox b WHERE b.user_id = $1 AND b.id = ANY ($2::bigint[])"
		" RETURNING email_id, thread_id, encode(sha, 'hex'), size", false},
	/* The flags $3[n], parted by line feeds, for the Email $2[n] */
	[SQL_EMAIL_FLAGS] = {
		"UPDATE mw_mail m SET flags = c.flags"
		" FROM (SELECT email, string_to_array(flags, E'\\n') AS flags"
		" FROM unnest($2::bigint[], $3::text[]) AS c (email, flags)) c"
		" WHERE m.email_id = c.email AND m.mailbox_id IN (SELECT id FROM mw_mailbox WHERE user_id = $1)"
		" AND NOT (m.flags @> c.flags AND m.flags <@ c.flags)", false},
	/* The Email $2[n] leaves the mailbox $3[n] for $4[n]: with a new UID. */
	[SQL_EMAIL_MOVE] = {
		"UPDATE mw_mail m SET mailbox_id = c.target"
		" FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS c (email, source, target)"
		" WHERE m.email_id = c.email AND m.mailbox_id = c.source"
		" AND m.mailbox_id IN (SELECT id FROM mw_mailbox WHERE user_id = $1)", false},
	/* The Email $2[n] comes into the mailbox $3[n] as well. */
	[SQL_EMAIL_ADD] = {
		"INSERT INTO mw_mail (mailbox_id, flags, internaldate, raw, sha, email_id, thread_id)"
		" SELECT c.target, m.flags, m.internaldate, m.raw, m.sha, m.email_id, m.thread_id"
		" FROM unnest($2::bigint[], $3::bigint[]) AS c (email, target), LATERAL (SELECT m.* FROM mw_mail m"
		" JOIN mw_mailbox b ON b.id = m.mailbox_id WHERE m.email_id = c.email AND b.user_id = $1 LIMIT 1) m", false},
	[SQL_EMAIL_REMOVE] = {
		"DELETE FROM mw_mail m USING unnest($2::bigint[], $3::bigint[]) AS c (email, source)"
		" WHERE m.email_id = c.email AND m.mailbox_id = c.source"
		" AND m.mailbox_id IN (SELECT id FROM mw_mailbox WHERE user_id = $1)", false},
	[SQL_EMAIL_DESTROY] = {
		"DELETE FROM mw_mail WHERE email_id = ANY ($2::bigint[])"
		" AND mailbox_id IN (SELECT id FROM mw_mailbox WHERE user_id = $1)", false},

	[SQL_BLOB] = {
		"SELECT raw FROM mw_mail m JOIN mw_mailbox b ON b.id = m.mailbox_id"
		" WHERE b.user_id = $1::bigint AND m.sha = decode($2, 'hex')"
		" UNION ALL SELECT raw FROM mw_upload WHERE user_id = $1::bigint AND sha = decode($2, 'hex') LIMIT 1", true},
	[SQL_UPLOAD] = {
		"INSERT INTO mw_upload (user_id, sha, raw) VALUES ($1, sha256($2::bytea), $2::bytea)"
		" ON CONFLICT (user_id, sha) DO UPDATE SET uploaded = now() RETURNING encode(sha, 'hex')", false},
	/* Uploads that nobody can rely on any more, and what was known of messages that are gone */
	[SQL_EXPIRE] = {
		"WITH uploads AS (DELETE FROM mw_upload WHERE uploaded < now() - interval '1 day'),"
		" facts AS (DELETE FROM mw_facts f WHERE NOT EXISTS (SELECT FROM mw_mail m WHERE m.sha = f.sha))"
		" DELETE FROM mw_thread t WHERE NOT EXISTS (SELECT FROM mw_mail m WHERE m.thread_id = t.thread_id)", false},
};
