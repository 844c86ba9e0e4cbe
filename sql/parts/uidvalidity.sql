/*
 * UIDVALIDITY: where new values come from, and how a mailbox gets another one.
 */

CREATE SEQUENCE modseq.uidvalidity_seq MAXVALUE 4294967295;
COMMENT ON SEQUENCE modseq.uidvalidity_seq IS
	'The last UIDVALIDITY that modseq.next_uidvalidity() gave out.';
SELECT pg_catalog.pg_extension_config_dump('modseq.uidvalidity_seq', '');

CREATE FUNCTION modseq.next_uidvalidity() RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_next_uidvalidity';
COMMENT ON FUNCTION modseq.next_uidvalidity() IS
	'A new UIDVALIDITY, 1 to 4294967295: higher than any that this function has returned in this database, and '
	'not below the clock (seconds since 1970), so that one which was lost in a crash or with a backup is not '
	'given out again (RFC 9051 section 2.3.1.1). Calls get at most half a year (16777216 seconds) ahead of the '
	'clock. Holds a lock on modseq.uidvalidity_seq while it runs. Errors: 2200H when there is none left, 54000 '
	'that far ahead of the clock, 25006 on a standby.';

CREATE FUNCTION modseq_internal.next_uidvalidity(above bigint) RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_next_uidvalidity_above';
COMMENT ON FUNCTION modseq_internal.next_uidvalidity IS
	'The same, but higher than that value, too, which is one that was given, perhaps by another server.';

CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s modseq_internal.store;
	is_small boolean;
	max_uidvalidity bigint;
	wanted bigint;
	new_uidvalidity bigint;
BEGIN
	PERFORM wait_for_attach(store);
	s := find_store(store);
	is_small := column_type(counter_table(s), s.mailbox_uidvalidity) = 'integer'::regtype;
	max_uidvalidity := CASE WHEN is_small THEN 2147483647 ELSE 4294967295 END;
	IF mailbox IS NULL OR array_position(mailbox, NULL) IS NOT NULL THEN
		RAISE 'mailbox must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Give the value of the mailbox key, or an array of them for a key of several columns.';
	END IF;
	IF cardinality(mailbox) <> cardinality(s.mailbox_key) THEN
		RAISE 'a mailbox of store % has % key values, not %',
			qualified_name(store), cardinality(s.mailbox_key), cardinality(mailbox) USING
			ERRCODE = 'invalid_parameter_value',
			HINT = format('Give a value for each of: %s.', array_to_string(s.mailbox_key, ', '));
	END IF;

	IF is_distributed(store) THEN
		RETURN reset_at_shard(s, mailbox);
	END IF;

	-- The locks come first, that of the account before: what is to be written must be known, to see that it was
	EXECUTE expand_template(s, '
		SELECT greatest({next_uidvalidity=b}, b.{uidvalidity}::bigint + 1)
		FROM {mailbox} b, (SELECT {$1}) AS given'
		|| CASE WHEN s.account IS NULL THEN ' WHERE' ELSE ', {account} a WHERE {b@a} AND' END
		|| ' {b=given} AND NOT {b.gone} FOR NO KEY UPDATE OF '
		|| CASE WHEN s.account IS NULL THEN 'b' ELSE 'a, b' END) INTO wanted USING mailbox;
	IF wanted <= max_uidvalidity THEN
		EXECUTE expand_template(s, '
			UPDATE {mailbox} b SET {uidvalidity} = $2
			FROM (SELECT {$1}) AS given
			WHERE {b=given}
			RETURNING b.{uidvalidity}') INTO new_uidvalidity USING mailbox, wanted;
	END IF;
	IF wanted IS NULL THEN
		RAISE 'mailbox "%" of store % does not exist', array_to_string(mailbox, ', '), qualified_name(store) USING
			ERRCODE = 'undefined_object',
			HINT = format('Mailboxes are the rows of table %s.', qualified_name(s.mailbox));
	END IF;
	IF wanted > max_uidvalidity THEN
		RAISE 'UIDVALIDITY of mailbox "%" cannot rise any more', array_to_string(mailbox, ', ') USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = format('The highest that column "%s" can have is %s.', s.mailbox_uidvalidity, max_uidvalidity),
			HINT = CASE WHEN is_small THEN 'Change the type of the column to bigint.'
				ELSE 'Move the messages to a new mailbox.' END;
	END IF;
	IF new_uidvalidity IS DISTINCT FROM wanted THEN
		RAISE 'UIDVALIDITY of mailbox "%" could not be written', array_to_string(mailbox, ', ') USING
			ERRCODE = 'triggered_data_change_violation',
			DETAIL = format('A trigger or rule of table %s changed or suppressed what modseq wrote.',
				qualified_name(counter_table(s))),
			HINT = 'Let it leave the columns of modseq as they are.';
	END IF;
	RETURN new_uidvalidity;
END
$$;

CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox text) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT modseq.reset_uidvalidity(store,
		CASE WHEN mailbox ~ '^{' AND cardinality((find_store(store)).mailbox_key) > 1 THEN mailbox::text[]
				ELSE ARRAY[mailbox] END)
$$;

CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox bigint) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT modseq.reset_uidvalidity(store, ARRAY[mailbox::text])
$$;

CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox uuid) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT modseq.reset_uidvalidity(store, ARRAY[mailbox::text])
$$;

DO $comments$
DECLARE
	mailbox text;
BEGIN
	FOREACH mailbox IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
		EXECUTE format('COMMENT ON FUNCTION modseq.reset_uidvalidity(regclass, %s) IS %L', mailbox,
			'Gives a mailbox a new UIDVALIDITY and returns it: higher than the old one and than any that '
			'next_uidvalidity() returned, at most 4294967295 (RFC 9051 section 2.3.1.1). Clients then forget all '
			'that they know of the mailbox, and so are its vanished UIDs forgotten; UIDNEXT and HIGHESTMODSEQ do '
			'not fall. The mailbox is given by its key; a text[] has an element for each key column. With the '
			'caller''s rights on the mailbox table. Takes the row lock of the mailbox until the transaction ends. '
			'Errors: 42704 for an unknown mailbox, 22004 for a null, 22023 for a wrong number of key columns, '
			'22P02 for what is no value of the key''s type, 22003 when there is no higher UIDVALIDITY, 27000 if a '
			'trigger puts the old one back, 55000 if the store is not attached.');
	END LOOP;
END
$comments$;
