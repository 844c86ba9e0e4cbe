--
-- What stands around modseq in the demo: a front end's rendering of rows, and a client at the far end
--
CREATE SCHEMA imap;

-- A message of a mailbox, as the answer to FETCH (FLAGS) in a CONDSTORE session
CREATE FUNCTION imap.fetch(in_mailbox bigint, in_uid bigint) RETURNS text STABLE
LANGUAGE sql AS $$
	SELECT format('S: * %s FETCH (UID %s MODSEQ (%s) FLAGS (%s))',
				  (SELECT count(*) FROM mw_mail WHERE mailbox_id = in_mailbox AND uid <= in_uid),
				  m.uid, m.modseq,
				  (SELECT string_agg(flag, ' ' ORDER BY flag) FROM mw_mail_flag WHERE mail_id = m.id))
	FROM mw_mail m WHERE m.mailbox_id = in_mailbox AND m.uid = in_uid
$$;

-- What the laptop keeps of INBOX while it is offline; it learns of changes from answers only
CREATE TABLE imap.laptop (
	uid		bigint PRIMARY KEY,
	flags	text[] NOT NULL
);

-- The laptop reads a VANISHED and a number of FETCH answers.
CREATE FUNCTION imap.laptop_reads(in_mailbox bigint, vanished modseq.uidset, fetched modseq.uidset)
RETURNS void
LANGUAGE sql SET search_path = public, modseq AS $$
	DELETE FROM imap.laptop WHERE uid <@ vanished;
	INSERT INTO imap.laptop
		SELECT uid, ARRAY(SELECT flag FROM mw_mail_flag WHERE mail_id = m.id ORDER BY flag)
		FROM mw_mail m WHERE mailbox_id = in_mailbox AND uid <@ fetched
	ON CONFLICT (uid) DO UPDATE SET flags = excluded.flags;
$$;

-- How the laptop's copy differs from the mailbox
CREATE FUNCTION imap.laptop_differs(in_mailbox bigint) RETURNS SETOF imap.laptop STABLE
LANGUAGE sql AS $$
	WITH mailbox AS (
		SELECT uid, ARRAY(SELECT flag FROM mw_mail_flag WHERE mail_id = m.id ORDER BY flag)
		FROM mw_mail m WHERE mailbox_id = in_mailbox
	)
	(TABLE mailbox EXCEPT TABLE imap.laptop) UNION ALL (TABLE imap.laptop EXCEPT TABLE mailbox)
$$;

-- The demo's own checks: what must hold ends the demo if it does not.
CREATE FUNCTION imap.check(holds boolean, what text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	IF holds IS NOT TRUE THEN
		RAISE EXCEPTION 'the demo failed: not true that %', what;
	END IF;
	RETURN '# Checked: ' || what;
END $$;
