/*
 * What a front end calls.
 *
 * Every function that takes a mailbox, or an account, has the overloads bigint,
 * uuid, text and text[]; those that take many have bigint[], uuid[] and text[].
 * The functions differ in nothing else, so they are made here from one list.
 */

CREATE FUNCTION modseq_internal.digest_row(internal, bigint, bigint, text[], record) RETURNS internal
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_digest_row';
COMMENT ON FUNCTION modseq_internal.digest_row IS
	'Transition function of digest_agg.';

CREATE FUNCTION modseq_internal.digest_final(internal) RETURNS uuid
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_digest_final';
COMMENT ON FUNCTION modseq_internal.digest_final IS
	'Final function of digest_agg.';

CREATE AGGREGATE modseq_internal.digest_agg(bigint, bigint, text[], record) (
	SFUNC = modseq_internal.digest_row,
	STYPE = internal,
	FINALFUNC = modseq_internal.digest_final
);
COMMENT ON AGGREGATE modseq_internal.digest_agg(bigint, bigint, text[], record) IS
	'The sum of a hash for each message: its UID, its mod-sequence (-1: it is a row of the flag table), names of columns, and a row of their values.';

DO $overloads$
DECLARE
	status_columns CONSTANT text := 'uidvalidity bigint, uidnext bigint, highestmodseq modseq.modseq';
	count_columns CONSTANT text := 'messages bigint, size bigint, unseen bigint, deleted bigint';
	state_columns CONSTANT text := 'email text, mailbox text, thread text';
	change_columns CONSTANT text := ', since text, max_changes integer DEFAULT NULL, OUT verdict text, OUT old_state text, '
		'OUT new_state text, OUT has_more boolean, OUT created text[], OUT updated text[], OUT destroyed text[]';
	change_errors CONSTANT text := ' verdict: ''ok''; ''too_old'': some of what departed since then was forgotten by '
		'modseq.compact(); ''unknown'': no such state was handed out for this account, or it is of changes that were lost; '
		'''behind'': the server is in recovery and has not got to that state yet: modseq.account_wait_for() waits for it; '
		'then the lists are null and new_state is the present state. From the caller''s snapshot, with the caller''s rights; takes no lock. Errors: 42501, 42704 for an unknown account, '
		'22004 for a null, 22023 if max_changes is not positive, 55000 if the store is not attached, or not with accounts.';
	one CONSTANT text := ' The mailbox is given by its key.';
	one_account CONSTANT text := ' The account is given by its key: a text[] has an element for each column; where there is '
		'one account for the store, NULL or an empty array.';
	many_accounts CONSTANT text := ' An array lists accounts (a text[] of a key of several columns in two dimensions), and '
		'the column account says which one a row is for, in the order given.';
	many CONSTANT text := ' A text[] is the key of one mailbox, an element for each key column; where many '
		'mailboxes can be given, an array lists them (a text[] of a key of several columns in two dimensions), '
		'and the column mailbox says which one a row is for, in the order given; status() leaves out those that '
		'do not exist or may not be seen, lock() takes the locks in ascending order of key.';
	untyped CONSTANT text := ' The list is the text of an array, such as {1,2}, as drivers send one without its type; a key of '
		'several columns is a row of it. The answer says which one a row is for by a text[] with the values of its key.';
	f record;
	p record;
	t text;
	subject text;
	plural text;
	columns text;
	many_attributes text;
	takes_many boolean;
BEGIN
	FOR f IN SELECT * FROM (VALUES
		('status', '', 'TABLE (' || status_columns || ')', 'STABLE ROWS 1',
			'UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of a mailbox (RFC 7162 sections 3.1.2.1 and 3.1.7), from the '
			'caller''s snapshot and with the caller''s rights. A mailbox that was never used says UIDNEXT 1 and '
			'HIGHESTMODSEQ 1. Takes no lock. Errors: 42704 for an unknown mailbox, 42501 without SELECT on the '
			'mailbox table, 55000 if the store is not attached.'),
		('counts', '', 'TABLE (' || count_columns || ')', 'STABLE ROWS 1',
			'How many messages a mailbox has, their octets, and how many of them are not seen, or are deleted: MESSAGES, '
			'SIZE, UNSEEN and DELETED of STATUS (RFC 9051 section 6.3.11), totalEmails and unreadEmails of JMAP; expunged '
			'ones do not count. Null where attach() was not given the option. As the counters, it is read and no message '
			'is. From the caller''s snapshot, for callers who may SELECT the mailbox; takes no lock. Errors: 42704 for an '
			'unknown mailbox, 42501 without SELECT on the mailbox table, 55000 if the store is not attached, or counts '
			'nothing.'),
		('lock', '', 'TABLE (' || status_columns || ')', 'VOLATILE ROWS 1',
			'Takes the row lock of the mailbox (FOR NO KEY UPDATE), keeps it until the transaction ends, and returns '
			'status() as of then. A front end''s write transaction begins with it. Errors: 42501 without a right '
			'to write messages or flags, 42704 for an unknown mailbox, 40001 in REPEATABLE READ or SERIALIZABLE '
			'if the mailbox has changed since the snapshot, 55P03 when lock_timeout is over, 55000 if the store '
			'is not attached.'),
		('touch', '', 'modseq.modseq', 'VOLATILE',
			'Raises HIGHESTMODSEQ of the mailbox and returns it, for a change that no message carries, such as '
			'SETMETADATA (RFC 7162 section 3.2). Takes the mailbox lock. Errors as modseq.lock(), and 22003 when '
			'mod-sequences are used up.'),
		('changed_since', ', since modseq.modseq, uids modseq.uidset DEFAULT NULL',
			'TABLE (uid bigint, modseq modseq.modseq)', 'STABLE ROWS 100',
			'FETCH (CHANGEDSINCE since): UID and mod-sequence of the messages whose mod-sequence is above since '
			'(exclusive; 0 gives all), of those in uids if it is given, by ascending UID (RFC 7162 section '
			'3.1.4.1). If a server that is lost may have given since, all. From the caller''s snapshot and with the '
			'caller''s rights; takes no lock. Errors: 42501, 42704 for an unknown mailbox, 22004 for a null, 55000 if the store is not attached.'),
		('vanished_since', ', since modseq.modseq, uids modseq.uidset DEFAULT NULL',
			'modseq.uidset', 'STABLE',
			'VANISHED (EARLIER): the UIDs that were expunged or moved away under a mod-sequence above since '
			'(exclusive), of those in uids if it is given (RFC 7162 section 3.2.6); empty if there are none. May '
			'include UIDs that had vanished before since where history was compacted, and UIDs that no message ever '
			'had, since they were reserved, passed over or handed out in vain; never a live UID. If a server that is lost '
			'may have given since, all that have vanished. From the caller''s snapshot, for callers '
			'who may SELECT the messages; takes no lock. Errors: 42501, 42704 for an unknown mailbox, 22004 for a '
			'null, 55000 if the store is not attached.'),
		('live_uids', '', 'modseq.uidset', 'STABLE',
			'The UIDs of the messages of a mailbox, expunged ones left out: all below UIDNEXT that have not vanished. '
			'Reads the vanished UIDs and no message, and costs as much as vanished_since() from 0. From the caller''s '
			'snapshot, for callers who may SELECT the messages; row-level security of the message table does not '
			'count, that of the mailbox table does. Takes no lock. Errors: 42501, 42704 for an unknown mailbox, 55000 '
			'if the store is not attached.'),
		('unchanged_since', ', uids modseq.uidset, since modseq.modseq',
			'TABLE (uid bigint, modseq modseq.modseq, verdict text)', 'VOLATILE ROWS 100',
			'STORE (UNCHANGEDSINCE since): one row for each UID of the set, by ascending UID, with the verdict '
			'''unchanged'' (mod-sequence at most since: store to it), ''modified'' (above since: it belongs into '
			'the MODIFIED response code) or ''expunged'' (there is no such message; modseq is null) (RFC 7162 '
			'section 3.1.3). If a server that is lost may have given since, all that are there are ''modified''. '
			'Takes the mailbox lock first and judges by a newer snapshot, so the verdicts hold '
			'until the transaction ends. Errors as modseq.lock(), 22004 for a null, 54000 if more than a million '
			'of the UIDs were never assigned.'),
		('resync',
			', uidvalidity bigint, since modseq.modseq, known_uids modseq.uidset DEFAULT NULL, '
			'match_seqs modseq.uidset DEFAULT NULL, match_uids modseq.uidset DEFAULT NULL, '
			'OUT verdict text, OUT uidvalidity bigint, OUT uidnext bigint, OUT highestmodseq modseq.modseq, '
			'OUT vanished modseq.uidset, OUT first_vanished modseq.modseq, OUT changed modseq.uidset',
			'record', 'STABLE',
			'SELECT (QRESYNC (uidvalidity since known_uids (match_seqs match_uids))), NOOP and IDLE, in one row and '
			'from one snapshot (RFC 7162 section 3.2.5): UIDs that vanished and UIDs of messages that changed '
			'under a mod-sequence above since (exclusive), both of those in known_uids if it is given. match_seqs '
			'are message numbers and match_uids the UIDs that the client holds for them; UIDs up to the highest '
			'pair that is right are not reported as vanished. verdict: ''ok''; ''uidvalidity_changed'': the '
			'client''s UIDVALIDITY is not the mailbox''s, the sets are null; ''behind'': the server is in recovery and has '
			'not got to since, or to that UIDVALIDITY, yet, so the sets are null and the client keeps what it has: '
			'modseq.wait_for() waits for it; ''unknown_modseq'': since is above '
			'HIGHESTMODSEQ, so changes were lost, and the sets are as for since 0. first_vanished: the lowest '
			'mod-sequence above since under which one of those UIDs vanished, null if vanished is empty. With the '
			'caller''s rights; takes no lock. Errors: 42501, 42704 for an unknown mailbox, 22004 for a null, '
			'22023 if match_seqs and match_uids differ in number, 55000 if the store is not attached.'),
		('wait_for', ', modseq modseq.modseq, timeout interval', 'boolean', 'VOLATILE',
			'Waits until HIGHESTMODSEQ of the mailbox is at least modseq, as what a client has read or written on the '
			'primary is on a standby (read your writes); false if it is not by the end of the timeout, of which 0 is one '
			'look. Reads what is committed, whatever the snapshot of the statement, with the caller''s rights, and keeps no lock; called '
			'by SELECT with nothing else in it, it holds no snapshot while it waits, and so does not hold up a standby''s replay. A server '
			'in recovery also waits for a mailbox that it does not have. Errors: 42501, 42704 for an unknown mailbox '
			'on any other server, 22004 for a null, 22023 if timeout is negative, 25000 in REPEATABLE READ or SERIALIZABLE, '
			'55000 if the store is not attached.'),
		('digest', ', OUT messages uuid, OUT vanished uuid', 'record', 'STABLE',
			'What two copies of a mailbox are compared by. messages: the sum of a hash for each message, of its UID, its '
			'mod-sequence and its flags; expunged ones do not count. vanished: a hash of the set of vanished UIDs, whatever '
			'their mod-sequences, which modseq.compact() changes. The same on all servers with the same store. From one '
			'snapshot, the caller''s, and with the caller''s rights: what policies hide does not count. Takes no lock. Needs '
			'SELECT on the UIDs, mod-sequences and flags. Errors: 42501, 42704 for an unknown mailbox, 55000 if the store '
			'is not attached.'),
		('lost', '', 'TABLE (first_modseq modseq.modseq, last_modseq modseq.modseq, uids modseq.uidset, incarnation bigint, '
			'system_identifier bigint, timeline bigint, started timestamptz)', 'STABLE ROWS 1',
			'What servers that are lost may have given in a mailbox, a row for each incarnation of the server that went on '
			'without it: the first and the last of the mod-sequences, for which resync() answers unknown_modseq; the UIDs, which the '
			'mailbox left out; and the incarnation by its number, identity and start, as in modseq.incarnation, null if that has no such '
			'row now. No row: nothing is lost. In the last row all but first_modseq is null if the mailbox has not changed in the present '
			'incarnation: its next change will tell. Not so in recovery, where the primary may have given what is above. A mailbox '
			'whose status() has a HIGHESTMODSEQ below 2^40 has lost nothing that it could tell of. From the caller''s snapshot, '
			'for callers who may SELECT the messages; writes nothing, takes no lock. Errors: 42501, 42704 for an unknown '
			'mailbox, 55000 if the store is not attached.'),
		('account_state', '', 'TABLE (' || state_columns || ')', 'STABLE ROWS 1',
			'The states of an account''s Emails, Mailboxes and Threads (RFC 8620 section 5.1): opaque texts, each the same '
			'as before if nothing of that kind has changed; thread is null if the store has no threads. From the caller''s '
			'snapshot, for callers who may SELECT mailboxes; takes no lock. Errors: 42704 for an unknown account, or if '
			'policies hide all its mailboxes, 42501, 55000 if the store is not attached, or not with accounts.'),
		('account_lock', '', 'TABLE (' || state_columns || ')', 'VOLATILE ROWS 1',
			'Takes the row lock of the account (FOR NO KEY UPDATE), keeps it until the transaction ends, and returns '
			'account_state() as of then, with which ifInState is compared (RFC 8620 section 5.3). Errors: 42501 without a '
			'right to write messages or flags, 42704 for an unknown account, 40001 in REPEATABLE READ or SERIALIZABLE '
			'if the account has changed since the snapshot, 55P03 when lock_timeout is over, 55000 if the store is not '
			'attached, or not with accounts.'),
		('account_wait_for', ', state text, timeout interval', 'boolean', 'VOLATILE',
			'As modseq.wait_for(), until the account has that state of its Emails, mailboxes or Threads; of a state in a walk, '
			'until it has the one that the walk goes to. False also at the end of the timeout for a state that is not this account''s. Errors: 42501, '
			'42704 for an unknown account on a server that is not in recovery, 22004 for a null, 22023 if timeout is negative or state '
			'is none, 25000 in REPEATABLE READ or SERIALIZABLE, 55000 if the store is not attached, or not with accounts.'),
		('email_changes', change_columns, 'record', 'STABLE',
			'Email/changes (RFC 8620 section 5.2): the ids of Emails that were created, updated and destroyed since a state, '
			'each in one list at most, and no more than max_changes of them (null: all); if has_more, the walk goes on from '
			'new_state.' || change_errors),
		('thread_changes', change_columns, 'record', 'STABLE',
			'Thread/changes, as modseq.email_changes(): a Thread is created with its first Email, updated when an Email joins '
			'or leaves it, and destroyed with its last.' || change_errors || ' 55000 also if the store has no threads.'),
		('mailbox_changes', change_columns || ', OUT counts_only boolean', 'record', 'STABLE',
			'Mailbox/changes, as modseq.email_changes(): a mailbox is updated if its properties change, or its HIGHESTMODSEQ '
			'rises. counts_only: something was updated, and none of it but in its counts, as updatedProperties says (RFC '
			'8621 section 2.2).' || change_errors)
		) AS v (name, arguments, result, attributes, description)
	LOOP
		subject := CASE WHEN f.name ~ 'account|changes' THEN 'account' ELSE 'mailbox' END;
		columns := CASE WHEN f.name = 'counts' THEN count_columns WHEN subject = 'mailbox' THEN status_columns
			ELSE state_columns END;
		many_attributes := replace(f.attributes, 'ROWS 1', 'ROWS 10');
		takes_many := f.name IN ('status', 'counts', 'lock', 'account_lock');
		FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
			-- text[] may list several, so there the answer says which
			CONTINUE WHEN takes_many AND t = 'text[]';
			EXECUTE format('CREATE FUNCTION modseq.%I(store regclass, %s %s%s) RETURNS %s '
				'LANGUAGE C %s AS ''MODULE_PATHNAME'', %L',
				f.name, subject, t, f.arguments, f.result, f.attributes, 'modseq_' || f.name);
		END LOOP;
		-- Those that are called _many take lists alone, also one without a type
		plural := subject || CASE subject WHEN 'mailbox' THEN 'es' ELSE 's' END;
		FOR p IN
			SELECT name, type, CASE type WHEN 'text' THEN 'text[]' ELSE type END AS label
			FROM unnest(ARRAY[f.name, f.name || '_many']) AS name, unnest(ARRAY['bigint', 'uuid', 'text']) AS type
			WHERE takes_many
		LOOP
			EXECUTE format('CREATE FUNCTION modseq.%I(store regclass, %s %s[]) RETURNS TABLE (%s %s, %s) '
				'LANGUAGE C %s AS ''MODULE_PATHNAME'', %L',
				p.name, plural, p.type, subject, p.label, columns, many_attributes, 'modseq_' || f.name);
		END LOOP;
		IF takes_many THEN
			EXECUTE format('CREATE FUNCTION modseq.%I(store regclass, %s text) RETURNS TABLE (%s text[], %s) '
				'LANGUAGE sql %s BEGIN ATOMIC SELECT * FROM modseq.%I(store, %2$s::pg_catalog.text[]); END',
				f.name || '_many', plural, subject, columns, many_attributes, f.name);
		END IF;
		FOR p IN
			SELECT oid::regprocedure AS signature
			FROM pg_proc
			WHERE pronamespace = 'modseq'::regnamespace AND proname IN (f.name, f.name || '_many')
		LOOP
			EXECUTE format('COMMENT ON FUNCTION %s IS %L', p.signature,
				f.description || CASE
					WHEN p.signature::text ~ '_many.*,text\)' THEN untyped
					WHEN subject = 'account' AND p.signature::text ~ ',[a-z]+\[\]\)' AND takes_many THEN many_accounts
					WHEN subject = 'account' THEN one_account
					WHEN p.signature::text ~ '\[\]' THEN many
					ELSE one END);
		END LOOP;
	END LOOP;
END
$overloads$;
