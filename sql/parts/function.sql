/*
 * What a front end calls.
 *
 * Every function that takes a mailbox has the overloads bigint, uuid, text and
 * text[]; those that take many have bigint[], uuid[] and text[]. The functions
 * differ in nothing else, so they are made here from one list.
 */

DO $overloads$
DECLARE
	status_columns CONSTANT text := 'uidvalidity bigint, uidnext bigint, highestmodseq modseq.modseq';
	one CONSTANT text := ' The mailbox is given by its key.';
	many CONSTANT text := ' A text[] is the key of one mailbox, an element for each key column; where many '
		'mailboxes can be given, an array lists them (a text[] of a key of several columns in two dimensions), '
		'and the column mailbox says which one a row is for, in the order given; status() leaves out those that '
		'do not exist or may not be seen, lock() takes the locks in ascending order of key.';
	f record;
	p record;
	t text;
BEGIN
	FOR f IN SELECT * FROM (VALUES
		('status', '', 'TABLE (' || status_columns || ')', 'STABLE ROWS 1',
			'UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of a mailbox (RFC 7162 sections 3.1.2.1 and 3.1.7), from the '
			'caller''s snapshot and with the caller''s rights. A mailbox that was never used says UIDNEXT 1 and '
			'HIGHESTMODSEQ 1. Takes no lock. Errors: 42704 for an unknown mailbox, 42501 without SELECT on the '
			'mailbox table, 55000 if the store is not attached.'),
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
			'3.1.4.1). From the caller''s snapshot and with the caller''s rights; takes no lock. Errors: 42501, '
			'42704 for an unknown mailbox, 22004 for a null, 55000 if the store is not attached.'),
		('vanished_since', ', since modseq.modseq, uids modseq.uidset DEFAULT NULL',
			'modseq.uidset', 'STABLE',
			'VANISHED (EARLIER): the UIDs that were expunged or moved away under a mod-sequence above since '
			'(exclusive), of those in uids if it is given (RFC 7162 section 3.2.6); empty if there are none. May '
			'include UIDs that had vanished before since where history was compacted, and UIDs that no message ever '
			'had, since they were reserved, passed over or handed out in vain; never a live UID. From the caller''s snapshot, for callers '
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
			'section 3.1.3). Takes the mailbox lock first and judges by a newer snapshot, so the verdicts hold '
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
			'client''s UIDVALIDITY is not the mailbox''s, the sets are null; ''unknown_modseq'': since is above '
			'HIGHESTMODSEQ, so changes were lost, and the sets are as for since 0. first_vanished: the lowest '
			'mod-sequence above since under which one of those UIDs vanished, null if vanished is empty. With the '
			'caller''s rights; takes no lock. Errors: 42501, 42704 for an unknown mailbox, 22004 for a null, '
			'22023 if match_seqs and match_uids differ in number, 55000 if the store is not attached.')
		) AS v (name, arguments, result, attributes, description)
	LOOP
		FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
			-- text[] may list mailboxes, so there the answer says which
			CONTINUE WHEN f.name IN ('status', 'lock') AND t = 'text[]';
			EXECUTE format('CREATE FUNCTION modseq.%I(store regclass, mailbox %s%s) RETURNS %s '
				'LANGUAGE C %s AS ''MODULE_PATHNAME'', %L',
				f.name, t, f.arguments, f.result, f.attributes, 'modseq_' || f.name);
		END LOOP;
		FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
			CONTINUE WHEN f.name NOT IN ('status', 'lock');
			EXECUTE format('CREATE FUNCTION modseq.%I(store regclass, mailboxes %s[]) RETURNS TABLE (mailbox %s, %s) '
				'LANGUAGE C %s AS ''MODULE_PATHNAME'', %L',
				f.name, t, CASE t WHEN 'text' THEN 'text[]' ELSE t END, status_columns,
				replace(f.attributes, 'ROWS 1', 'ROWS 10'), 'modseq_' || f.name);
		END LOOP;
		FOR p IN
			SELECT oid::regprocedure AS signature
			FROM pg_proc
			WHERE pronamespace = 'modseq'::regnamespace AND proname = f.name
		LOOP
			EXECUTE format('COMMENT ON FUNCTION %s IS %L', p.signature,
				f.description || CASE WHEN p.signature::text ~ '\[\]' THEN many ELSE one END);
		END LOOP;
	END LOOP;
END
$overloads$;
