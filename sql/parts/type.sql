/*
 * Types: modseq, a mod-sequence, and uidset, a set of UIDs; how sets are made,
 * read and aggregated. Their operators are in operator.sql.
 */

-- modseq: a domain, so that every driver sees a bigint

CREATE FUNCTION modseq_internal.is_modseq(value bigint) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_is_modseq';
COMMENT ON FUNCTION modseq_internal.is_modseq(bigint) IS
	'Checks that value is a mod-sequence, 0 to 9223372036854775807 (RFC 7162 section 7). Returns true, or NULL '
	'for NULL. Error 22003 if it is negative.';

CREATE DOMAIN modseq.modseq AS bigint
	CONSTRAINT is_modseq CHECK (modseq_internal.is_modseq(VALUE));
COMMENT ON DOMAIN modseq.modseq IS
	'A mod-sequence: 0 to 9223372036854775807 (RFC 7162 section 7). Stored values begin at 1; 0 occurs only as an '
	'argument, for the time before all changes. NULL passes. Error 22003 for a negative value.';
COMMENT ON CONSTRAINT is_modseq ON DOMAIN modseq.modseq IS
	'A mod-sequence is not negative. Error 22003 if it is.';

-- uidset: input and output

CREATE TYPE modseq.uidset;

CREATE FUNCTION modseq_internal.uidset_in(cstring) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_in';
COMMENT ON FUNCTION modseq_internal.uidset_in(cstring) IS
	'Text input of a uidset: an IMAP sequence-set of UIDs without "*" (1,4:6,10; both ends of a range included, '
	'in any order), or the empty text. Error 22P02 for what is not one, 22003 for a number above 4294967295, '
	'54000 for a set too large.';

CREATE FUNCTION modseq_internal.uidset_out(modseq.uidset) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_out';
COMMENT ON FUNCTION modseq_internal.uidset_out(modseq.uidset) IS
	'Text output of a uidset: an IMAP sequence-set of UIDs, sorted and coalesced; empty for the empty set. Error '
	'54000 if the text would exceed 1 GB.';

CREATE FUNCTION modseq_internal.uidset_recv(internal) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_recv';
COMMENT ON FUNCTION modseq_internal.uidset_recv(internal) IS
	'Binary input of a uidset: int32 count, then count pairs of uint32 first and last UID, both included, in '
	'network order; the pairs in any order. Error 22P03 for a wrong length, a UID of 0, or a last UID before the '
	'first.';

CREATE FUNCTION modseq_internal.uidset_send(modseq.uidset) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_send';
COMMENT ON FUNCTION modseq_internal.uidset_send(modseq.uidset) IS
	'Binary output of a uidset: int32 count, then count pairs of uint32 first and last UID, both included, in '
	'network order, sorted and coalesced.';

CREATE TYPE modseq.uidset (
	INPUT = modseq_internal.uidset_in,
	OUTPUT = modseq_internal.uidset_out,
	RECEIVE = modseq_internal.uidset_recv,
	SEND = modseq_internal.uidset_send,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE modseq.uidset IS
	'A set of IMAP UIDs, 1 to 4294967295, kept as sorted, coalesced ranges of 8 bytes. Its text is an IMAP '
	'sequence-set without white space, as in 1,4:6,10 (both ends of a range included); input takes any order, '
	'overlaps and reversed ranges. The empty set is the empty text. At most 134217727 ranges.';

-- uidset: making one

CREATE FUNCTION modseq.uidset(sequence_set text, last_uid bigint) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_from_text';
COMMENT ON FUNCTION modseq.uidset(text, bigint) IS
	'The UIDs that an IMAP sequence-set names in a mailbox. last_uid: the UID that "*" stands for, UIDNEXT - 1; 0 '
	'for an empty mailbox, where items with "*" name nothing. Ranges include both ends, in either order: 5:* with '
	'last_uid 3 is 3:5 (RFC 9051). Errors as for text input; 22003 if last_uid is not 0 to 4294967295.';

CREATE FUNCTION modseq.uidset(uid bigint) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_from_uid';
COMMENT ON FUNCTION modseq.uidset(bigint) IS
	'The set of one UID. Error 22003 if uid is not 1 to 4294967295.';

CREATE FUNCTION modseq.uidset(uids int8multirange) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_from_multirange';
COMMENT ON FUNCTION modseq.uidset(int8multirange) IS
	'The set of all integers in uids. Error 22003 if any is not a UID, 1 to 4294967295, or a range is unbounded.';

CREATE FUNCTION modseq.int8multirange(uids modseq.uidset) RETURNS int8multirange
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_to_multirange';
COMMENT ON FUNCTION modseq.int8multirange(modseq.uidset) IS
	'The UIDs of a set as a multirange of bigint, whose ranges exclude their upper end: [4,7) is 4:6.';

-- For drivers that have no multiranges
CREATE FUNCTION modseq.uidset(uids bigint[]) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_from_array';
COMMENT ON FUNCTION modseq.uidset(bigint[]) IS
	'The set of the elements of an array, in any order, also repeated ones. Error 22003 if one is not a UID, 1 to '
	'4294967295, 22004 if one is null.';

CREATE FUNCTION modseq.to_array(uids modseq.uidset) RETURNS bigint[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'modseq_uidset_to_array';
COMMENT ON FUNCTION modseq.to_array(modseq.uidset) IS
	'The UIDs of a set, ascending, an element each. Error 54000 if they are more than some 134 millions.';

CREATE CAST (bigint AS modseq.uidset)
	WITH FUNCTION modseq.uidset(bigint);
COMMENT ON CAST (bigint AS modseq.uidset) IS
	'The set of one UID. Error 22003 if it is not 1 to 4294967295.';

CREATE CAST (int8multirange AS modseq.uidset)
	WITH FUNCTION modseq.uidset(int8multirange) AS ASSIGNMENT;
COMMENT ON CAST (int8multirange AS modseq.uidset) IS
	'The set of all integers in a multirange. Error 22003 if any is not a UID, 1 to 4294967295, or a range is '
	'unbounded.';

CREATE CAST (modseq.uidset AS int8multirange)
	WITH FUNCTION modseq.int8multirange(modseq.uidset) AS ASSIGNMENT;
COMMENT ON CAST (modseq.uidset AS int8multirange) IS
	'The UIDs of a set as a multirange, whose ranges exclude their upper end.';

CREATE CAST (bigint[] AS modseq.uidset)
	WITH FUNCTION modseq.uidset(bigint[]) AS ASSIGNMENT;
COMMENT ON CAST (bigint[] AS modseq.uidset) IS
	'The set of the elements of an array. Error 22003 if one is not a UID, 1 to 4294967295, 22004 if one is null.';

CREATE CAST (modseq.uidset AS bigint[])
	WITH FUNCTION modseq.to_array(modseq.uidset) AS ASSIGNMENT;
COMMENT ON CAST (modseq.uidset AS bigint[]) IS
	'The UIDs of a set, ascending, an element each. Error 54000 if they are more than some 134 millions.';

-- uidset: what is in it

CREATE FUNCTION modseq.cardinality(uids modseq.uidset) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_cardinality';
COMMENT ON FUNCTION modseq.cardinality(modseq.uidset) IS
	'The number of UIDs in the set, 0 to 4294967295.';

CREATE FUNCTION modseq.min(uids modseq.uidset) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_min';
COMMENT ON FUNCTION modseq.min(modseq.uidset) IS
	'The lowest UID in the set; NULL if it is empty.';

CREATE FUNCTION modseq.max(uids modseq.uidset) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_max';
COMMENT ON FUNCTION modseq.max(modseq.uidset) IS
	'The highest UID in the set; NULL if it is empty.';

CREATE FUNCTION modseq_internal.uidset_unnest_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_unnest_support';
COMMENT ON FUNCTION modseq_internal.uidset_unnest_support(internal) IS
	'Planner support for unnest(uidset): the number of UIDs in a set that is known when planning.';

CREATE FUNCTION modseq_internal.uidset_ranges_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_ranges_support';
COMMENT ON FUNCTION modseq_internal.uidset_ranges_support(internal) IS
	'Planner support for ranges(uidset): the number of ranges in a set that is known when planning.';

CREATE FUNCTION modseq.unnest(uids modseq.uidset) RETURNS SETOF bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000
SUPPORT modseq_internal.uidset_unnest_support AS 'MODULE_PATHNAME', 'modseq_uidset_unnest';
COMMENT ON FUNCTION modseq.unnest(modseq.uidset) IS
	'The UIDs in the set, one a row, ascending; no row for the empty set.';

CREATE FUNCTION modseq.ranges(uids modseq.uidset, OUT lo bigint, OUT hi bigint) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100
SUPPORT modseq_internal.uidset_ranges_support AS 'MODULE_PATHNAME', 'modseq_uidset_ranges';
COMMENT ON FUNCTION modseq.ranges(modseq.uidset) IS
	'The ranges in the set, one a row, ascending: first and last UID, both included; between two rows at least '
	'one UID is not in the set. No row for the empty set.';

-- uidset: aggregates

CREATE FUNCTION modseq_internal.uidset_agg_uid(internal, bigint) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_agg_uid';
COMMENT ON FUNCTION modseq_internal.uidset_agg_uid(internal, bigint) IS
	'Transition function of uidset_agg(bigint). Error 22003 if the value is not a UID, 1 to 4294967295.';

CREATE FUNCTION modseq_internal.uidset_agg_set(internal, modseq.uidset) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_agg_set';
COMMENT ON FUNCTION modseq_internal.uidset_agg_set(internal, modseq.uidset) IS
	'Transition function of uidset_agg(uidset).';

CREATE FUNCTION modseq_internal.uidset_agg_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_agg_combine';
COMMENT ON FUNCTION modseq_internal.uidset_agg_combine(internal, internal) IS
	'Combine function of uidset_agg.';

CREATE FUNCTION modseq_internal.uidset_agg_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_agg_serialize';
COMMENT ON FUNCTION modseq_internal.uidset_agg_serialize(internal) IS
	'Serialize function of uidset_agg. Error 54000 if the set is too large.';

CREATE FUNCTION modseq_internal.uidset_agg_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_agg_deserialize';
COMMENT ON FUNCTION modseq_internal.uidset_agg_deserialize(bytea, internal) IS
	'Deserialize function of uidset_agg.';

CREATE FUNCTION modseq_internal.uidset_agg_final(internal) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_agg_final';
COMMENT ON FUNCTION modseq_internal.uidset_agg_final(internal) IS
	'Final function of uidset_agg. Error 54000 if the set is too large.';

CREATE AGGREGATE modseq.uidset_agg(bigint) (
	SFUNC = modseq_internal.uidset_agg_uid,
	STYPE = internal,
	FINALFUNC = modseq_internal.uidset_agg_final,
	COMBINEFUNC = modseq_internal.uidset_agg_combine,
	SERIALFUNC = modseq_internal.uidset_agg_serialize,
	DESERIALFUNC = modseq_internal.uidset_agg_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE modseq.uidset_agg(bigint) IS
	'The set of all UIDs, in any order. NULLs are skipped; NULL if there is nothing else. Error 22003 if a value '
	'is not a UID, 1 to 4294967295; 54000 if the set is too large.';

CREATE AGGREGATE modseq.uidset_agg(modseq.uidset) (
	SFUNC = modseq_internal.uidset_agg_set,
	STYPE = internal,
	FINALFUNC = modseq_internal.uidset_agg_final,
	COMBINEFUNC = modseq_internal.uidset_agg_combine,
	SERIALFUNC = modseq_internal.uidset_agg_serialize,
	DESERIALFUNC = modseq_internal.uidset_agg_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE modseq.uidset_agg(modseq.uidset) IS
	'The union of all sets. NULLs are skipped; NULL if there is nothing else. Error 54000 if the set is too '
	'large.';
