/*
 * The schemas: modseq is for users, modseq_internal for what stands behind it.
 *
 * CREATE EXTENSION creates modseq. In it are the functions, operators, types
 * and views that users name, and the trigger functions, whose names are in
 * users' tables. In modseq_internal are the functions behind types and
 * operators, and the helpers of attach(), check() and the like. These are of
 * no use by themselves. They run with their caller's rights, and anybody may
 * execute them, since anybody may own tables and attach them.
 *
 * make puts the parts together, in the order of SQL_PARTS in Makefile: what a
 * part refers to is in the parts before it, but for what functions in PL/pgSQL
 * look up when they run.
 */

-- complain if the script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION modseq" to load this file. \quit

GRANT USAGE ON SCHEMA modseq TO PUBLIC;

CREATE SCHEMA modseq_internal;
COMMENT ON SCHEMA modseq_internal IS
	'What stands behind schema modseq. Nothing in it is for users; all of it may change.';
GRANT USAGE ON SCHEMA modseq_internal TO PUBLIC;
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
/*
 * Operators of type uidset: comparison, with the operator classes for indexes,
 * algebra, and containment, with the planner support for it.
 */

-- Comparison

CREATE FUNCTION modseq_internal.uidset_eq(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_eq';
COMMENT ON FUNCTION modseq_internal.uidset_eq(modseq.uidset, modseq.uidset) IS
	'True if the first uidset is the same set as the second; behind operator =.';

CREATE FUNCTION modseq_internal.uidset_ne(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_ne';
COMMENT ON FUNCTION modseq_internal.uidset_ne(modseq.uidset, modseq.uidset) IS
	'True if the first uidset is another set than the second; behind operator <>.';

CREATE FUNCTION modseq_internal.uidset_lt(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_lt';
COMMENT ON FUNCTION modseq_internal.uidset_lt(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts before the second; behind operator <. Sets compare as the ascending lists of '
	'their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq_internal.uidset_le(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_le';
COMMENT ON FUNCTION modseq_internal.uidset_le(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts before or with the second; behind operator <=. Sets compare as the ascending '
	'lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq_internal.uidset_gt(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_gt';
COMMENT ON FUNCTION modseq_internal.uidset_gt(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts after the second; behind operator >. Sets compare as the ascending lists of '
	'their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq_internal.uidset_ge(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_ge';
COMMENT ON FUNCTION modseq_internal.uidset_ge(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts after or with the second; behind operator >=. Sets compare as the ascending '
	'lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq_internal.uidset_cmp(modseq.uidset, modseq.uidset) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_cmp';
COMMENT ON FUNCTION modseq_internal.uidset_cmp(modseq.uidset, modseq.uidset) IS
	'Less than, equal to or greater than 0 as the first uidset sorts before, with or after the second. Sets '
	'compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq_internal.uidset_hash(modseq.uidset) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_hash';
COMMENT ON FUNCTION modseq_internal.uidset_hash(modseq.uidset) IS
	'Hash of a uidset, 32 bits.';

CREATE FUNCTION modseq_internal.uidset_hash_extended(modseq.uidset, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_hash_extended';
COMMENT ON FUNCTION modseq_internal.uidset_hash_extended(modseq.uidset, bigint) IS
	'Hash of a uidset, 64 bits, with a seed.';

CREATE OPERATOR modseq.= (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_eq,
	COMMUTATOR = OPERATOR(modseq.=), NEGATOR = OPERATOR(modseq.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR modseq.= (modseq.uidset, modseq.uidset) IS
	'True if the left uidset is the same set as the right one.';

CREATE OPERATOR modseq.<> (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_ne,
	COMMUTATOR = OPERATOR(modseq.<>), NEGATOR = OPERATOR(modseq.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR modseq.<> (modseq.uidset, modseq.uidset) IS
	'True if the left uidset is another set than the right one.';

CREATE OPERATOR modseq.< (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_lt,
	COMMUTATOR = OPERATOR(modseq.>), NEGATOR = OPERATOR(modseq.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR modseq.< (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts before the right one. Sets compare as the ascending lists of their UIDs would, '
	'word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR modseq.<= (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_le,
	COMMUTATOR = OPERATOR(modseq.>=), NEGATOR = OPERATOR(modseq.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR modseq.<= (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts before or with the right one. Sets compare as the ascending lists of their '
	'UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR modseq.> (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_gt,
	COMMUTATOR = OPERATOR(modseq.<), NEGATOR = OPERATOR(modseq.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR modseq.> (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts after the right one. Sets compare as the ascending lists of their UIDs would, '
	'word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR modseq.>= (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_ge,
	COMMUTATOR = OPERATOR(modseq.<=), NEGATOR = OPERATOR(modseq.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR modseq.>= (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts after or with the right one. Sets compare as the ascending lists of their UIDs '
	'would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR CLASS modseq.uidset_ops
	DEFAULT FOR TYPE modseq.uidset USING btree AS
	OPERATOR 1 modseq.<,
	OPERATOR 2 modseq.<=,
	OPERATOR 3 modseq.=,
	OPERATOR 4 modseq.>=,
	OPERATOR 5 modseq.>,
	FUNCTION 1 modseq_internal.uidset_cmp(modseq.uidset, modseq.uidset),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS modseq.uidset_ops USING btree IS
	'The order of uidsets. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 '
	'< 1,5 < 2.';
COMMENT ON OPERATOR FAMILY modseq.uidset_ops USING btree IS
	'The order of uidsets. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 '
	'< 1,5 < 2.';

CREATE OPERATOR CLASS modseq.uidset_ops
	DEFAULT FOR TYPE modseq.uidset USING hash AS
	OPERATOR 1 modseq.=,
	FUNCTION 1 modseq_internal.uidset_hash(modseq.uidset),
	FUNCTION 2 modseq_internal.uidset_hash_extended(modseq.uidset, bigint);
COMMENT ON OPERATOR CLASS modseq.uidset_ops USING hash IS
	'Equality of uidsets.';
COMMENT ON OPERATOR FAMILY modseq.uidset_ops USING hash IS
	'Equality of uidsets.';

-- Algebra

CREATE FUNCTION modseq_internal.uidset_union(modseq.uidset, modseq.uidset) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_union';
COMMENT ON FUNCTION modseq_internal.uidset_union(modseq.uidset, modseq.uidset) IS
	'The UIDs that are in either set. Error 54000 if the result is too large. Behind operator +.';

CREATE OPERATOR modseq.+ (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_union,
	COMMUTATOR = OPERATOR(modseq.+)
);
COMMENT ON OPERATOR modseq.+ (modseq.uidset, modseq.uidset) IS
	'The UIDs that are in either set. Error 54000 if the result is too large.';

CREATE FUNCTION modseq_internal.uidset_difference(modseq.uidset, modseq.uidset) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_difference';
COMMENT ON FUNCTION modseq_internal.uidset_difference(modseq.uidset, modseq.uidset) IS
	'The UIDs of the left set that are not in the right one. Error 54000 if the result is too large. Behind '
	'operator -.';

CREATE OPERATOR modseq.- (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_difference
);
COMMENT ON OPERATOR modseq.- (modseq.uidset, modseq.uidset) IS
	'The UIDs of the left set that are not in the right one. Error 54000 if the result is too large.';

CREATE FUNCTION modseq_internal.uidset_intersection(modseq.uidset, modseq.uidset) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_intersection';
COMMENT ON FUNCTION modseq_internal.uidset_intersection(modseq.uidset, modseq.uidset) IS
	'The UIDs that are in both sets. Error 54000 if the result is too large. Behind operator *.';

CREATE OPERATOR modseq.* (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_intersection,
	COMMUTATOR = OPERATOR(modseq.*)
);
COMMENT ON OPERATOR modseq.* (modseq.uidset, modseq.uidset) IS
	'The UIDs that are in both sets. Error 54000 if the result is too large.';

CREATE FUNCTION modseq_internal.uidset_add(modseq.uidset, bigint) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_add_uid';
COMMENT ON FUNCTION modseq_internal.uidset_add(modseq.uidset, bigint) IS
	'The left set with the UID on the right. Error 22003 if the right operand is not a UID, 1 to 4294967295. '
	'Behind operator +.';

CREATE OPERATOR modseq.+ (
	LEFTARG = modseq.uidset, RIGHTARG = bigint,
	FUNCTION = modseq_internal.uidset_add
);
COMMENT ON OPERATOR modseq.+ (modseq.uidset, bigint) IS
	'The left set with the UID on the right. Error 22003 if the right operand is not a UID, 1 to 4294967295.';

CREATE FUNCTION modseq_internal.uidset_remove(modseq.uidset, bigint) RETURNS modseq.uidset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_remove_uid';
COMMENT ON FUNCTION modseq_internal.uidset_remove(modseq.uidset, bigint) IS
	'The left set without the UID on the right, be it in the set or not. Error 22003 if the right operand is not '
	'a UID, 1 to 4294967295. Behind operator -.';

CREATE OPERATOR modseq.- (
	LEFTARG = modseq.uidset, RIGHTARG = bigint,
	FUNCTION = modseq_internal.uidset_remove
);
COMMENT ON OPERATOR modseq.- (modseq.uidset, bigint) IS
	'The left set without the UID on the right, be it in the set or not. Error 22003 if the right operand is not '
	'a UID, 1 to 4294967295.';

-- Containment

CREATE FUNCTION modseq_internal.uidset_contains_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_contains_support';
COMMENT ON FUNCTION modseq_internal.uidset_contains_support(internal) IS
	'Planner support: lets uid <@ set and set @> uid use a B-tree index on uid, as uid >= min(set) AND uid <= '
	'max(set), rechecked.';

CREATE FUNCTION modseq_internal.uidset_contains_sel(internal, oid, internal, integer) RETURNS double precision
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'modseq_uidset_contains_sel';
COMMENT ON FUNCTION modseq_internal.uidset_contains_sel(internal, oid, internal, integer) IS
	'Restriction selectivity estimator of uid <@ set and set @> uid: 0 to 1.';

CREATE FUNCTION modseq_internal.uidset_contained(bigint, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
SUPPORT modseq_internal.uidset_contains_support AS 'MODULE_PATHNAME', 'modseq_uidset_int8_contained';
COMMENT ON FUNCTION modseq_internal.uidset_contained(bigint, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that '
	'is not an error. Behind operator <@.';

CREATE FUNCTION modseq_internal.uidset_contains(modseq.uidset, bigint) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
SUPPORT modseq_internal.uidset_contains_support AS 'MODULE_PATHNAME', 'modseq_uidset_contains_int8';
COMMENT ON FUNCTION modseq_internal.uidset_contains(modseq.uidset, bigint) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that '
	'is not an error. Behind operator @>.';

CREATE OPERATOR modseq.<@ (
	LEFTARG = bigint, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_contained,
	COMMUTATOR = OPERATOR(modseq.@>),
	RESTRICT = modseq_internal.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.<@ (bigint, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that '
	'is not an error.';

CREATE OPERATOR modseq.@> (
	LEFTARG = modseq.uidset, RIGHTARG = bigint,
	FUNCTION = modseq_internal.uidset_contains,
	COMMUTATOR = OPERATOR(modseq.<@),
	RESTRICT = modseq_internal.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.@> (modseq.uidset, bigint) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that '
	'is not an error.';

CREATE FUNCTION modseq_internal.uidset_contained(integer, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
SUPPORT modseq_internal.uidset_contains_support AS 'MODULE_PATHNAME', 'modseq_uidset_int4_contained';
COMMENT ON FUNCTION modseq_internal.uidset_contained(integer, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that '
	'is not an error. Behind operator <@.';

CREATE FUNCTION modseq_internal.uidset_contains(modseq.uidset, integer) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
SUPPORT modseq_internal.uidset_contains_support AS 'MODULE_PATHNAME', 'modseq_uidset_contains_int4';
COMMENT ON FUNCTION modseq_internal.uidset_contains(modseq.uidset, integer) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that '
	'is not an error. Behind operator @>.';

CREATE OPERATOR modseq.<@ (
	LEFTARG = integer, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_contained,
	COMMUTATOR = OPERATOR(modseq.@>),
	RESTRICT = modseq_internal.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.<@ (integer, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that '
	'is not an error.';

CREATE OPERATOR modseq.@> (
	LEFTARG = modseq.uidset, RIGHTARG = integer,
	FUNCTION = modseq_internal.uidset_contains,
	COMMUTATOR = OPERATOR(modseq.<@),
	RESTRICT = modseq_internal.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.@> (modseq.uidset, integer) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that '
	'is not an error.';

CREATE FUNCTION modseq_internal.uidset_contained(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_contained';
COMMENT ON FUNCTION modseq_internal.uidset_contained(modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the left set are in the right one; so for the empty set on the left. Behind operator <@.';

CREATE OPERATOR modseq.<@ (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_contained,
	COMMUTATOR = OPERATOR(modseq.@>),
	RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.<@ (modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the left set are in the right one; so for the empty set on the left.';

CREATE FUNCTION modseq_internal.uidset_contains(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_contains';
COMMENT ON FUNCTION modseq_internal.uidset_contains(modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the right set are in the left one; so for the empty set on the right. Behind operator '
	'@>.';

CREATE OPERATOR modseq.@> (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_contains,
	COMMUTATOR = OPERATOR(modseq.<@),
	RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.@> (modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the right set are in the left one; so for the empty set on the right.';

CREATE FUNCTION modseq_internal.uidset_overlaps(modseq.uidset, modseq.uidset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'modseq_uidset_overlaps';
COMMENT ON FUNCTION modseq_internal.uidset_overlaps(modseq.uidset, modseq.uidset) IS
	'True if the sets have a UID in common. Behind operator &&.';

CREATE OPERATOR modseq.&& (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq_internal.uidset_overlaps,
	COMMUTATOR = OPERATOR(modseq.&&),
	RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.&& (modseq.uidset, modseq.uidset) IS
	'True if the sets have a UID in common.';
/*
 * Incarnations: lives of the server, each of which counts from a number on that
 * none before it can have reached. So after a failover or a restore nothing is
 * handed out a second time.
 */

CREATE TABLE modseq.incarnation (
	system_identifier bigint NOT NULL,
	timeline bigint NOT NULL,
	database oid NOT NULL,
	extension oid NOT NULL,
	started timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
	modseq bigint NOT NULL,
	uid_gap bigint NOT NULL
) USING heap;
COMMENT ON TABLE modseq.incarnation IS
	'Lives of the server, by its system identifier, its timeline, and the OIDs of the database and of this table. All mod-sequences that it '
	'hands out are above modseq, and the first UID of each mailbox is past a gap.';
SELECT pg_catalog.pg_extension_config_dump('modseq.incarnation', '');
GRANT SELECT ON modseq.incarnation TO PUBLIC;

CREATE FUNCTION modseq_internal.first_incarnation() RETURNS void
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_first_incarnation';
SELECT modseq_internal.first_incarnation();
DROP FUNCTION modseq_internal.first_incarnation();

CREATE FUNCTION modseq_internal.incarnation_changed() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_incarnation_changed';
COMMENT ON FUNCTION modseq_internal.incarnation_changed IS
	'Trigger of modseq.incarnation: all sessions read it again.';
-- Rows that logical replication brings fire no trigger FOR EACH STATEMENT
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON modseq.incarnation
	FOR EACH ROW EXECUTE FUNCTION modseq_internal.incarnation_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON modseq.incarnation
	FOR EACH STATEMENT EXECUTE FUNCTION modseq_internal.incarnation_changed();
ALTER TABLE modseq.incarnation ENABLE ALWAYS TRIGGER changed, ENABLE ALWAYS TRIGGER truncated;

CREATE FUNCTION modseq_internal.incarnation(OUT modseq bigint, OUT uid_gap bigint)
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_incarnation';
COMMENT ON FUNCTION modseq_internal.incarnation IS
	'The incarnation that hands out numbers now: what they are above, and what UIDs are left out. Begins it, if nobody has.';

CREATE FUNCTION modseq_internal.next_incarnation(highest bigint) RETURNS bigint
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'modseq_next_incarnation';
COMMENT ON FUNCTION modseq_internal.next_incarnation IS
	'The lowest number that an incarnation can have that would begin now, after one with that number. Mailboxes that have counted '
	'further would not know of it.';

CREATE FUNCTION modseq.recovered(above bigint DEFAULT 0) RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_recovered';
REVOKE EXECUTE ON FUNCTION modseq.recovered(bigint) FROM PUBLIC;
COMMENT ON FUNCTION modseq.recovered(bigint) IS
	'To be called after a loss that the server cannot see: a crash with synchronous_commit = off, a snapshot of its disks '
	'that was put back, rows restored by hand, a failover to a logical subscriber without the rows of modseq.incarnation. From its commit on, what '
	'is handed out is above all that was handed out before, as after a failover; and above the given number, for mailboxes whose '
	'HIGHESTMODSEQ is ahead of the clock, as check() tells. resync() answers unknown_modseq '
	'to who has seen what was lost. Returns the number that all mod-sequences will be above. For the owner of the extension, and '
	'whom he grants it to. Errors: 42501, 22004 for a null, 25006 on a standby.';
/*
 * The functions that triggers call. attach() creates the triggers, as
 * wanted.sql lists them; the event triggers are in event.sql.
 */

CREATE FUNCTION modseq.trigger_open() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_open';
COMMENT ON FUNCTION modseq.trigger_open() IS
	'BEFORE STATEMENT trigger of a message or flag table: begins to collect what the statement changes. Takes no '
	'lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_assign() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_assign';
COMMENT ON FUNCTION modseq.trigger_assign() IS
	'BEFORE INSERT OR UPDATE ROW trigger of a message table: assigns UID and mod-sequence to what arrives, and '
	'keeps the application from writing mod-sequences. Its arguments are the configuration of the store, as '
	'name=value. Takes the row lock of the mailbox that a message arrives in. Errors: 23502 and 23503 for no or '
	'an unknown mailbox, 22023 for a UID below UIDNEXT, 22003 for what is no UID, or when UIDs or mod-sequences are '
	'used up, 55000 if the configuration is out of date. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_collect() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_collect';
COMMENT ON FUNCTION modseq.trigger_collect() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a message table: collects what really became of the row. '
	'Takes no lock. Error 27000 if a later BEFORE trigger changed what trigger_assign() had set. Created by '
	'modseq.attach().';

CREATE FUNCTION modseq.trigger_flush() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_flush';
COMMENT ON FUNCTION modseq.trigger_flush() IS
	'AFTER STATEMENT trigger of a message or flag table: locks the mailboxes that changed, ascending by key, '
	'stamps messages, remembers vanished UIDs and writes the counters. Errors: 40001 in REPEATABLE READ or '
	'SERIALIZABLE if a mailbox has changed since the snapshot, 22003 when mod-sequences are used up. Created by '
	'modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate';
COMMENT ON FUNCTION modseq.trigger_truncate() IS
	'BEFORE TRUNCATE trigger of a message table or partition: notes that the UIDs of all its messages vanish, '
	'which trigger_flush() completes AFTER TRUNCATE. Error 40001 in REPEATABLE READ or SERIALIZABLE if a mailbox '
	'is newer than the snapshot. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_collect_flag() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_collect_flag';
COMMENT ON FUNCTION modseq.trigger_collect_flag() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a flag table: collects the message whose flags changed. Its '
	'argument is the qualified name of the message table. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_flag() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_flag';
COMMENT ON FUNCTION modseq.trigger_truncate_flag() IS
	'BEFORE TRUNCATE trigger of a flag table or partition: all messages that have a flag in it change, which '
	'trigger_flush() completes AFTER TRUNCATE. Its argument is the qualified name of the message table. Created '
	'by modseq.attach().';

CREATE FUNCTION modseq.trigger_mailbox() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_mailbox';
COMMENT ON FUNCTION modseq.trigger_mailbox() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a mailbox table: keeps the vanished UIDs with their mailbox, '
	'and drops them when the mailbox goes or gets a new UIDVALIDITY. Its argument is the qualified name of the '
	'message table. Errors: 22023 if UIDNEXT, HIGHESTMODSEQ or UIDVALIDITY would be lowered, 0A000 if a new key '
	'takes the mailbox to another partition. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_mailbox() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_mailbox';
COMMENT ON FUNCTION modseq.trigger_truncate_mailbox() IS
	'AFTER TRUNCATE trigger of a mailbox table or partition: drops the vanished UIDs of mailboxes that are gone, '
	'and closes what trigger_open() opened BEFORE TRUNCATE. Its argument is the qualified name of the message '
	'table. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_source() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_source';
COMMENT ON FUNCTION modseq.trigger_source() IS
	'AFTER INSERT OR UPDATE OR DELETE ROW trigger of the table that a mailbox table has its rows from '
	'(mailbox_source): adds, renames and removes these with its own. Its argument is the qualified name of the '
	'message table. Takes the row lock of the mailbox that is renamed or removed. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_source() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_source';
COMMENT ON FUNCTION modseq.trigger_truncate_source() IS
	'AFTER TRUNCATE trigger of the table that a mailbox table has its rows from (mailbox_source): removes all of '
	'these. Its argument is the qualified name of the message table. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_account() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_account';
COMMENT ON FUNCTION modseq.trigger_account() IS
	'AFTER UPDATE OR DELETE ROW trigger of the table of accounts: forgets what has left an account that goes. Its argument '
	'is the qualified name of the message table. Errors: 22023 if a number is lowered, or a state is above highestmodseq, '
	'55000 if an account goes that has mailboxes. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_account() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_account';
COMMENT ON FUNCTION modseq.trigger_truncate_account() IS
	'BEFORE TRUNCATE trigger of the table of accounts: forgets what has left them. Its argument is the qualified name of the '
	'message table. Error 55000 if there are mailboxes. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.event_before() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_event_before';
COMMENT ON FUNCTION modseq.event_before() IS
	'ddl_command_start event trigger. Before DETACH PARTITION and DROP TABLE of a partition of a store: its '
	'messages vanish, or the messages whose flags it holds change, or the vanished UIDs of its mailboxes are '
	'dropped. Locks what the command locks, then mailboxes. Errors: 0A000 for DETACH PARTITION CONCURRENTLY, and '
	'for ATTACH PARTITION of a table that is in a store; 55000 if the store is out of date, 40001 as for '
	'trigger_truncate(). All other DDL passes.';

CREATE FUNCTION modseq.event_after() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_event_after';
COMMENT ON FUNCTION modseq.event_after() IS
	'ddl_command_end event trigger. A new partition of a store gets the statement triggers of its parent, and one '
	'that was detached loses them. Of one that was attached, messages get a new UID and mod-sequence each, flags '
	'change their messages, and mailboxes get a new UIDVALIDITY. Triggers are created as the owner of the '
	'partition; locks mailboxes. Errors: 0A000 for foreign, unlogged and temporary tables, for tables of a store '
	'that become a partition or inherit; and those of trigger_assign(). All other DDL passes.';
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
	f record;
	p record;
	t text;
	subject text;
	takes_many boolean;
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
		takes_many := f.name IN ('status', 'lock', 'account_lock');
		FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
			-- text[] may list several, so there the answer says which
			CONTINUE WHEN takes_many AND t = 'text[]';
			EXECUTE format('CREATE FUNCTION modseq.%I(store regclass, %s %s%s) RETURNS %s '
				'LANGUAGE C %s AS ''MODULE_PATHNAME'', %L',
				f.name, subject, t, f.arguments, f.result, f.attributes, 'modseq_' || f.name);
		END LOOP;
		FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
			CONTINUE WHEN NOT takes_many;
			EXECUTE format('CREATE FUNCTION modseq.%I(store regclass, %s %s[]) RETURNS TABLE (%s %s, %s) '
				'LANGUAGE C %s AS ''MODULE_PATHNAME'', %L',
				f.name, subject || CASE subject WHEN 'mailbox' THEN 'es' ELSE 's' END, t,
				subject, CASE t WHEN 'text' THEN 'text[]' ELSE t END,
				CASE subject WHEN 'mailbox' THEN status_columns ELSE state_columns END,
				replace(f.attributes, 'ROWS 1', 'ROWS 10'), 'modseq_' || f.name);
		END LOOP;
		FOR p IN
			SELECT oid::regprocedure AS signature
			FROM pg_proc
			WHERE pronamespace = 'modseq'::regnamespace AND proname = f.name
		LOOP
			EXECUTE format('COMMENT ON FUNCTION %s IS %L', p.signature,
				f.description || CASE
					WHEN subject = 'account' AND p.signature::text ~ ',[a-z]+\[\]\)' AND takes_many THEN many_accounts
					WHEN subject = 'account' THEN one_account
					WHEN p.signature::text ~ '\[\]' THEN many
					ELSE one END);
		END LOOP;
	END LOOP;
END
$overloads$;
/*
 * What a store is. Its whole configuration is the arguments of one of its
 * triggers, the one that calls modseq.trigger_assign(). The view modseq.stores
 * shows them as a row.
 */

CREATE TYPE modseq_internal.store AS (
	message regclass,
	mailbox regclass,
	flag regclass,
	vanished regclass,
	counters regclass,		-- null: they are in the mailbox table; 0: the table is to be created
	mailbox_key name[],
	mailbox_uidvalidity name,
	mailbox_uidnext name,
	mailbox_last_uid name,
	mailbox_highestmodseq name,
	mailbox_source regclass,
	mailbox_source_key name[],
	message_mailbox name[],
	message_uid name,
	message_modseq name,
	message_created_modseq name,
	message_flags name[],
	message_expunged name,
	message_key name[],
	flag_message name[],
	flag_mailbox name[],
	flag_uid name,
	flag_columns name[],
	changes text,			-- index, or log: also the vanished table says what changed
	notify boolean,
	account name[],			-- empty: one account for the store; null: none
	account_table regclass,
	departed regclass,
	email name,
	thread name,
	mailbox_properties name[]);
COMMENT ON TYPE modseq_internal.store IS
	'A store, as the functions behind attach() and check() pass it to each other: the columns of view '
	'modseq.stores.';

CREATE FUNCTION modseq_internal.table_named(name text) RETURNS regclass
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_table_named';
COMMENT ON FUNCTION modseq_internal.table_named IS
	'The table that a qualified, quoted name leads to; NULL if there is none, or the text is no such name.';

-- A regclass as text leaves out the schema where search_path has it; this does not
CREATE FUNCTION modseq_internal.qualified_name(relation regclass) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('%I.%I', n.nspname, c.relname)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = relation
$$;
COMMENT ON FUNCTION modseq_internal.qualified_name IS
	'The qualified, quoted name of a table.';

CREATE FUNCTION modseq_internal.quoted_list(names name[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(quote_ident(name), ', ' ORDER BY place) FROM unnest(names) WITH ORDINALITY AS n (name, place)
$$;
COMMENT ON FUNCTION modseq_internal.quoted_list IS
	'Names as they are listed in SQL: quoted, with commas between them.';

CREATE FUNCTION modseq_internal.trigger_options(trigger oid) RETURNS text[]
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_trigger_options';
COMMENT ON FUNCTION modseq_internal.trigger_options(oid) IS
	'The arguments of a trigger (an OID of pg_trigger), in order; NULL if there is no such trigger. Takes no '
	'lock.';

CREATE FUNCTION modseq_internal.option_names(option text) RETURNS name[]
LANGUAGE C IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'modseq_option_names';
COMMENT ON FUNCTION modseq_internal.option_names IS
	'The names in an option of a store that is an array of them; NULL if the text is no such array.';

CREATE FUNCTION modseq_internal.name_with_suffix(message regclass, suffix text) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_name_with_suffix';
COMMENT ON FUNCTION modseq_internal.name_with_suffix IS
	'A name for a table of ours, in the schema of the message table and after it.';

CREATE FUNCTION modseq_internal.vanished_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name_with_suffix(message, '_vanished')
$$;
COMMENT ON FUNCTION modseq_internal.vanished_name IS
	'The name of the vanished table: <message table>_vanished, in its schema.';

CREATE FUNCTION modseq_internal.counters_name(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN table_named(name) IN (store.mailbox, store.flag) THEN name_with_suffix(store.message, '_counters')
			ELSE name END
	FROM name_with_suffix(store.message, '_mailbox') AS name
$$;
COMMENT ON FUNCTION modseq_internal.counters_name IS
	'The name of the table of counters beside the mailbox table: <message table>_mailbox, in its schema; or _counters, if '
	'the application calls its own table so.';

CREATE FUNCTION modseq_internal.account_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN table_named(name) IS NOT NULL AND column_type(table_named(name), 'email_modseq') IS NULL
			THEN name_with_suffix(message, '_account_state')
			ELSE name END
	FROM name_with_suffix(message, '_account') AS name
$$;
COMMENT ON FUNCTION modseq_internal.account_name IS
	'The name of the table of accounts: <message table>_account, in its schema; or _account_state, if the application '
	'calls a table of its own so.';

CREATE FUNCTION modseq_internal.departed_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name_with_suffix(message, '_departed')
$$;
COMMENT ON FUNCTION modseq_internal.departed_name IS
	'The name of the table of what has left its account: <message table>_departed, in its schema.';

CREATE FUNCTION modseq_internal.counter_table(store modseq_internal.store) RETURNS regclass
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(store.counters, store.mailbox)
$$;
COMMENT ON FUNCTION modseq_internal.counter_table IS
	'The table that has the counters: the one beside the mailbox table, or that itself.';

CREATE FUNCTION modseq_internal.source_table(store modseq_internal.store) RETURNS regclass
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN store.counters IS NULL THEN store.mailbox_source ELSE store.mailbox END
$$;
COMMENT ON FUNCTION modseq_internal.source_table IS
	'The table whose rows, added, renamed or removed, are rows of the counter table too; NULL if there is none.';

-- The arguments of a trigger are text that the owner of any table can write by hand, and name anybody's tables in. They
-- are believed where the table named is the same owner's, or has a trigger that names the store itself. The owner of the
-- message table may be another one now: then the vanished table is known by its name.
CREATE FUNCTION modseq_internal.table_of_store(message oid, name text) RETURNS regclass
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_table_of_store';
COMMENT ON FUNCTION modseq_internal.table_of_store IS
	'The table of that name, if it can be a part of the store with that message table; else NULL.';

CREATE FUNCTION modseq_internal.is_shard(relation oid) RETURNS boolean
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_is_shard';
COMMENT ON FUNCTION modseq_internal.is_shard IS
	'Is a table a shard of one that Citus distributes?';

CREATE FUNCTION modseq_internal.store_options(message oid) RETURNS TABLE (option text, value text)
LANGUAGE sql STABLE STRICT ROWS 12 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)
	FROM (
		SELECT t.oid
		FROM pg_trigger t
		WHERE t.tgrelid = message AND t.tgfoid = 'modseq.trigger_assign'::regproc AND t.tgparentid = 0
		ORDER BY t.tgname LIMIT 1) AS t, unnest(trigger_options(t.oid)) AS o
	WHERE o LIKE '%=%'
$$;
COMMENT ON FUNCTION modseq_internal.store_options IS
	'The options of a store as they stand in the arguments of its trigger. Of several triggers on one table it is the '
	'first, as for the functions in C.';

CREATE VIEW modseq_internal.every_store AS
	SELECT t.tgrelid::regclass AS message,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'mailbox') AS mailbox,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'flag') AS flag,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'vanished') AS vanished,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'counters') AS counters,
		modseq_internal.option_names(o ->> 'mailbox_key') AS mailbox_key,
		(o ->> 'mailbox_uidvalidity')::name AS mailbox_uidvalidity,
		(o ->> 'mailbox_uidnext')::name AS mailbox_uidnext,
		(o ->> 'mailbox_last_uid')::name AS mailbox_last_uid,
		(o ->> 'mailbox_highestmodseq')::name AS mailbox_highestmodseq,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'mailbox_source') AS mailbox_source,
		modseq_internal.option_names(o ->> 'mailbox_source_key') AS mailbox_source_key,
		modseq_internal.option_names(o ->> 'message_mailbox') AS message_mailbox,
		(o ->> 'message_uid')::name AS message_uid,
		(o ->> 'message_modseq')::name AS message_modseq,
		(o ->> 'message_created_modseq')::name AS message_created_modseq,
		modseq_internal.option_names(o ->> 'message_flags') AS message_flags,
		(o ->> 'message_expunged')::name AS message_expunged,
		modseq_internal.option_names(o ->> 'message_key') AS message_key,
		modseq_internal.option_names(o ->> 'flag_message') AS flag_message,
		modseq_internal.option_names(o ->> 'flag_mailbox') AS flag_mailbox,
		(o ->> 'flag_uid')::name AS flag_uid,
		modseq_internal.option_names(o ->> 'flag_columns') AS flag_columns,
		CASE WHEN o ? 'changes' THEN 'log' ELSE 'index' END AS changes,
		(o ? 'notify') IS TRUE AS notify,
		modseq_internal.option_names(o ->> 'account') AS account,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'account_table') AS account_table,
		modseq_internal.table_of_store(t.tgrelid, o ->> 'departed') AS departed,
		(o ->> 'email')::name AS email,
		(o ->> 'thread')::name AS thread,
		modseq_internal.option_names(o ->> 'mailbox_properties') AS mailbox_properties
	FROM (
		-- Of several triggers on one table the first, as for the functions in C
		SELECT DISTINCT ON (tgrelid) tgrelid, oid
		FROM pg_catalog.pg_trigger
		WHERE tgfoid = 'modseq.trigger_assign'::regproc AND tgparentid = 0
		ORDER BY tgrelid, tgname) AS t
	CROSS JOIN LATERAL (
		SELECT jsonb_object_agg(split_part(a, '=', 1), substr(a, strpos(a, '=') + 1)) AS o
		FROM unnest(modseq_internal.trigger_options(t.oid)) AS a
		WHERE strpos(a, '=') > 0) AS options;
GRANT SELECT ON modseq_internal.every_store TO PUBLIC;
COMMENT ON VIEW modseq_internal.every_store IS
	'What modseq.stores shows, and the same for shards of Citus, each with the shards beside it.';

CREATE VIEW modseq.stores AS
	SELECT * FROM modseq_internal.every_store s WHERE NOT modseq_internal.is_shard(s.message);
GRANT SELECT ON modseq.stores TO PUBLIC;
COMMENT ON VIEW modseq.stores IS
	'The attached message tables, each with its other tables and with the columns that attach() was given or '
	'found, read from the arguments of the triggers. A table that was renamed since shows as null: attach() the '
	'store again. So does one of another owner that has no trigger of the store, and what is no valid argument.';

CREATE FUNCTION modseq_internal.store_of(message regclass) RETURNS SETOF modseq_internal.store
LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT * FROM every_store s WHERE s.message = store_of.message
$$;
COMMENT ON FUNCTION modseq_internal.store_of IS
	'The store with that message table; no row if there is none.';

CREATE FUNCTION modseq_internal.stores_naming(part regclass) RETURNS regclass[]
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_stores_naming';
COMMENT ON FUNCTION modseq_internal.stores_naming IS
	'The message tables of the stores that name a table as another part of theirs: found by its triggers, its foreign '
	'keys and its name. Takes no lock.';

-- What a view of all stores would say, at a cost that does not grow with them
CREATE FUNCTION modseq_internal.stores_of(part regclass) RETURNS SETOF modseq_internal.store
LANGUAGE sql STABLE ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT s.*
	FROM unnest(stores_naming(part) || part) AS named (message), store_of(named.message) AS s
	WHERE part IN (s.message, s.mailbox, s.mailbox_source, s.flag, s.vanished, s.counters, s.account_table, s.departed)
$$;
COMMENT ON FUNCTION modseq_internal.stores_of IS
	'The stores that a table is a part of.';

CREATE FUNCTION modseq_internal.tables_naming(message regclass) RETURNS regclass[]
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_tables_naming';
COMMENT ON FUNCTION modseq_internal.tables_naming IS
	'The tables that have a trigger of modseq whose only argument is the name of that message table, whether or not the '
	'store knows them. Takes no lock, and reads all triggers of the database.';

CREATE FUNCTION modseq_internal.store_hint(part regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('A store is named by its message table, which is %s here.', qualified_name(s.message))
	FROM coalesce(pg_partition_root(part), part) AS whole, stores_of(whole) AS s
	WHERE whole <> part OR s.message <> whole
	ORDER BY s.message LIMIT 1
$$;
COMMENT ON FUNCTION modseq_internal.store_hint IS
	'What to say to somebody who named a store by another table of it than the message table; NULL if there is none.';

CREATE FUNCTION modseq_internal.wait_for_attach(message regclass) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'modseq_wait_for_attach';
COMMENT ON FUNCTION modseq_internal.wait_for_attach IS
	'Waits for an attach() or detach() of that store; none begins until the transaction ends, if the caller may read the '
	'table (ACCESS SHARE). What the store is must be asked in the next query.';

CREATE FUNCTION modseq_internal.find_store(message regclass) RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
BEGIN
	IF message IS NULL THEN
		RAISE 'argument "store" must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'A store is named by its message table.';
	END IF;
	SELECT * INTO store FROM store_of(message);
	IF NOT FOUND THEN
		RAISE 'table % is not attached to modseq', coalesce(qualified_name(message), message::text) USING
			ERRCODE = 'object_not_in_prerequisite_state',
			HINT = coalesce(store_hint(message), 'A store is named by its message table; modseq.stores lists them. To '
				'make a table one, call modseq.attach() for it.');
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_store IS
	'The store of a message table. Error 55000 if the table is not attached.';
/*
 * What the catalog says of a table: columns, indexes, foreign keys, partitions,
 * triggers.
 */

CREATE FUNCTION modseq_internal.column_type(relation regclass, attribute name) RETURNS regtype
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH RECURSIVE type AS (
		SELECT t.oid, t.typtype, t.typbasetype
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = relation AND a.attname = attribute AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT t.oid, t.typtype, t.typbasetype
		FROM type JOIN pg_type t ON t.oid = type.typbasetype
		WHERE type.typtype = 'd')
	SELECT oid::regtype FROM type WHERE typtype <> 'd'
$$;
COMMENT ON FUNCTION modseq_internal.column_type IS
	'The type of a column, below any domain; NULL if there is no such column.';

CREATE FUNCTION modseq_internal.may_hold_same_key(a regtype, b regtype) RETURNS boolean
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT a = b
		OR ARRAY[a, b] <@ '{smallint,integer,bigint}'::regtype[]
		OR ARRAY[a, b] <@ '{text,varchar}'::regtype[]
$$;
COMMENT ON FUNCTION modseq_internal.may_hold_same_key IS
	'May columns of these types hold the same key?';

-- So looks the type cache, which our triggers use
CREATE FUNCTION modseq_internal.is_sortable(type regtype, and_hashable boolean) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	EXECUTE format('SELECT ARRAY[NULL::%1$s] < ARRAY[NULL::%1$s]', type);
	IF and_hashable THEN
		EXECUTE format('SELECT hash_array(ARRAY[NULL::%s])', type);
	END IF;
	RETURN true;
EXCEPTION WHEN undefined_function THEN
	RETURN false;
END
$$;
COMMENT ON FUNCTION modseq_internal.is_sortable IS
	'Do values of the type have an order, and a hash if that is asked for?';

CREATE FUNCTION modseq_internal.column_collation(relation regclass, attribute name)
RETURNS TABLE (name text, is_deterministic boolean)
LANGUAGE sql STABLE STRICT ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('%I.%I', n.nspname, c.collname), c.collisdeterministic
	FROM pg_attribute a
	JOIN pg_collation c ON c.oid = a.attcollation
	JOIN pg_namespace n ON n.oid = c.collnamespace
	WHERE a.attrelid = relation AND a.attname = attribute
$$;
COMMENT ON FUNCTION modseq_internal.column_collation IS
	'The collation of a column: its name, and whether it is deterministic. No row if the type has none.';

CREATE FUNCTION modseq_internal.has_default(relation regclass, attribute name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT FROM pg_attribute
		WHERE attrelid = relation AND attname = attribute AND (atthasdef OR attidentity <> ''))
$$;
COMMENT ON FUNCTION modseq_internal.has_default IS
	'Has a column a default, or is it an identity column?';

CREATE FUNCTION modseq_internal.column_definitions(relation regclass, columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(
		format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
			|| CASE WHEN c.oid IS NULL THEN '' ELSE format(' COLLATE %I.%I', n.nspname, c.collname) END,
		', ' ORDER BY array_position(columns, a.attname))
	FROM pg_attribute a
	LEFT JOIN (pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace) ON c.oid = a.attcollation
	WHERE a.attrelid = relation AND a.attname = ANY (columns)
$$;
COMMENT ON FUNCTION modseq_internal.column_definitions IS
	'Columns of a table as CREATE TABLE would define them, collations included.';

CREATE FUNCTION modseq_internal.usable_indexes(relation regclass)
RETURNS TABLE (columns name[], is_unique boolean, is_primary boolean)
LANGUAGE sql STABLE STRICT ROWS 4 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_agg(a.attname ORDER BY k.place), i.indisunique AND i.indimmediate, i.indisprimary
	FROM pg_index i
	JOIN pg_class c ON c.oid = i.indexrelid
	JOIN pg_am am ON am.oid = c.relam AND am.amname = 'btree'
	CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
	JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
	WHERE i.indrelid = relation AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
		AND k.place <= i.indnkeyatts
	GROUP BY i.indexrelid, i.indisunique, i.indimmediate, i.indisprimary
$$;
COMMENT ON FUNCTION modseq_internal.usable_indexes IS
	'The btree indexes of a table that serve any query on their columns, and what they guarantee.';

-- What is compared for equality may be in any order
CREATE FUNCTION modseq_internal.has_index(relation regclass, wanted name[], is_unique boolean, is_sorted boolean)
RETURNS boolean
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT
		FROM usable_indexes(relation) i, cardinality(wanted) AS n
		WHERE i.columns[:n] @> wanted AND i.columns[:n] <@ wanted
			AND (NOT has_index.is_sorted OR i.columns[n] = wanted[n])
			AND (NOT has_index.is_unique OR i.is_unique AND cardinality(i.columns) = n))
$$;
COMMENT ON FUNCTION modseq_internal.has_index IS
	'Is there an index on the wanted columns? Sorted: one that reads the last of them in its order.';

CREATE FUNCTION modseq_internal.primary_key(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT columns FROM usable_indexes(relation) WHERE is_primary
$$;
COMMENT ON FUNCTION modseq_internal.primary_key IS
	'The columns of the primary key of a table, in order.';

CREATE FUNCTION modseq_internal.existing_columns(relation regclass, names name[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT names WHERE NOT EXISTS (
		SELECT FROM unnest(names) AS n (name) WHERE name IS NULL OR column_type(relation, name) IS NULL)
$$;
COMMENT ON FUNCTION modseq_internal.existing_columns IS
	'The names, if all of them are columns of the table; else NULL.';

CREATE FUNCTION modseq_internal.existing_column(relation regclass, name name) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name WHERE column_type(relation, name) IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.existing_column IS
	'The name, if it is a column of the table; else NULL.';

CREATE FUNCTION modseq_internal.references_of(child regclass)
RETURNS TABLE (relation regclass, columns name[], referenced name[])
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.confrelid::regclass, array_agg(a.attname ORDER BY k.place), array_agg(r.attname ORDER BY k.place)
	FROM pg_constraint c
	CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (attnum, referenced, place)
	JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
	JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = k.referenced
	WHERE c.contype = 'f' AND c.conrelid = child
	GROUP BY c.oid
$$;
COMMENT ON FUNCTION modseq_internal.references_of IS
	'The foreign keys of a table: where each leads, its columns, and those that they refer to.';

CREATE FUNCTION modseq_internal.foreign_keys(child regclass, parent regclass)
RETURNS TABLE (columns name[], referenced name[])
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT columns, referenced FROM references_of(child) WHERE relation = parent
$$;
COMMENT ON FUNCTION modseq_internal.foreign_keys IS
	'The foreign keys from one table to another: their columns, and those that they refer to.';

CREATE FUNCTION modseq_internal.single_references(child regclass)
RETURNS TABLE ("column" name, relation regclass, key name)
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT columns[1], relation, referenced[1] FROM references_of(child) WHERE cardinality(columns) = 1
$$;
COMMENT ON FUNCTION modseq_internal.single_references IS
	'The foreign keys of one column, from a table to any other.';

CREATE FUNCTION modseq_internal.referencing_columns(child regclass, parent regclass, key name[]) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN count(*) = 1 THEN min(columns) END
	FROM (
		SELECT DISTINCT (
			SELECT array_agg(f.columns[array_position(f.referenced, k.name)] ORDER BY k.place)
			FROM unnest(key) WITH ORDINALITY AS k (name, place)) AS columns
		FROM foreign_keys(child, parent) f
		WHERE f.referenced @> key) AS candidates
$$;
COMMENT ON FUNCTION modseq_internal.referencing_columns IS
	'The columns that refer to the key of another table, going by the only foreign key that includes it.';

CREATE FUNCTION modseq_internal.referenced_columns(child regclass, parent regclass, columns name[]) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN count(*) = 1 THEN min(referenced) END
	FROM (
		SELECT DISTINCT (
			SELECT array_agg(f.referenced[array_position(f.columns, c.name)] ORDER BY c.place)
			FROM unnest(referenced_columns.columns) WITH ORDINALITY AS c (name, place)) AS referenced
		FROM foreign_keys(child, parent) f
		WHERE f.columns @> referenced_columns.columns) AS candidates
$$;
COMMENT ON FUNCTION modseq_internal.referenced_columns IS
	'What columns of a table refer to in another, going by the only foreign key that includes them.';

CREATE FUNCTION modseq_internal.referenced_mailbox_key(store modseq_internal.store) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN count(DISTINCT referenced) = 1 AND store.message_mailbox IS NULL THEN min(referenced) END
	FROM foreign_keys(store.message, store.mailbox)
	HAVING NOT coalesce(bool_or(referenced @> primary_key(store.mailbox)), false)
$$;
COMMENT ON FUNCTION modseq_internal.referenced_mailbox_key IS
	'The key of the mailboxes that messages refer to, where all their foreign keys agree on one that is not '
	'primary.';

CREATE FUNCTION modseq_internal.with_partitions(VARIADIC tables regclass[]) RETURNS SETOF regclass
LANGUAGE sql STABLE ROWS 4 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT t FROM unnest(tables) AS t WHERE t IS NOT NULL
	UNION
	SELECT p.relid FROM unnest(tables) AS t, pg_partition_tree(t) AS p
$$;
COMMENT ON FUNCTION modseq_internal.with_partitions IS
	'Tables with their partitions, at all levels.';

CREATE FUNCTION modseq_internal.is_inherited(relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT
		FROM pg_inherits i JOIN pg_class c ON c.oid = relation
		WHERE i.inhrelid = relation OR i.inhparent = relation AND c.relkind = 'r')
$$;
COMMENT ON FUNCTION modseq_internal.is_inherited IS
	'Does a table inherit, or is it inherited from? Partitions do, too; partitioned tables do not.';

CREATE FUNCTION modseq_internal.partition_key(relation regclass) RETURNS SETOF name
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT a.attname
	FROM with_partitions(relation) AS p (relation)
	JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.relation AND d.objsubid > 0
		AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.relation AND d.refobjsubid = 0 AND d.deptype = 'i'
	JOIN pg_attribute a ON a.attrelid = p.relation AND a.attnum = d.objsubid
$$;
COMMENT ON FUNCTION modseq_internal.partition_key IS
	'The columns of the partition keys of a table, at all levels, also those in expressions.';

-- What stands in the way: a column of a partition key, at whatever level, that is not among the index's, or an
-- expression
CREATE FUNCTION modseq_internal.may_be_unique(relation regclass, columns name[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT NOT EXISTS (
		SELECT
		FROM pg_partitioned_table p
		CROSS JOIN LATERAL unnest(p.partattrs::int2[]) AS k (attnum)
		LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum
		WHERE p.partrelid IN (SELECT with_partitions(relation)) AND (a.attname = ANY (columns)) IS NOT TRUE)
$$;
COMMENT ON FUNCTION modseq_internal.may_be_unique IS
	'Can a unique index on these columns exist, going by how the table is partitioned?';

CREATE FUNCTION modseq_internal.our_triggers(tables regclass[]) RETURNS SETOF pg_catalog.pg_trigger
LANGUAGE sql STABLE ROWS 10 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT t.*
	FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE t.tgrelid = ANY (tables) AND p.pronamespace = 'modseq'::regnamespace AND t.tgparentid = 0
$$;
COMMENT ON FUNCTION modseq_internal.our_triggers IS
	'The triggers of modseq on tables, whatever they are called, without their clones on partitions.';

CREATE FUNCTION modseq_internal.is_partition_of_store(relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT count(*) > 0 AND bool_and(t.tgparentid <> 0)
	FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE t.tgrelid = relation AND p.pronamespace = 'modseq'::regnamespace AND t.tgtype & 1 = 1
$$;
COMMENT ON FUNCTION modseq_internal.is_partition_of_store IS
	'Has a table row triggers of modseq, all of them from the table that it is a partition of?';

CREATE FUNCTION modseq_internal.has_trigger_for(relation regclass, message regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (
		SELECT FROM our_triggers(ARRAY[relation]) t WHERE trigger_options(t.oid) = ARRAY[qualified_name(message)])
$$;
COMMENT ON FUNCTION modseq_internal.has_trigger_for IS
	'Has a table a trigger of its own that says that it is a part of the store with that message table?';
/*
 * Citus: the shards of a distributed table, and how a query comes to each of
 * them. Nothing here is of use where Citus is not installed.
 */

CREATE FUNCTION modseq_internal.shard_name(name text, shard bigint) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_shard_name';
COMMENT ON FUNCTION modseq_internal.shard_name(text, bigint) IS
	'How Citus calls a shard of a table of that name.';

CREATE FUNCTION modseq_internal.shard_name(shard bigint, of regclass) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_shard_name_beside';
COMMENT ON FUNCTION modseq_internal.shard_name(bigint, regclass) IS
	'The qualified name of the shard of a table that belongs to that shard, of another table, or the same; NULL if there '
	'is none.';

CREATE FUNCTION modseq_internal.distribution_column(relation regclass) RETURNS name
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_distribution_column';
COMMENT ON FUNCTION modseq_internal.distribution_column IS
	'The column by which Citus distributes a table; NULL if there is none.';

CREATE FUNCTION modseq_internal.distribution(relation regclass)
RETURNS TABLE (method "char", replicas "char", colocation integer)
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
		RETURN QUERY EXECUTE
			'SELECT partmethod, repmodel, colocationid::integer FROM pg_dist_partition WHERE logicalrelid = $1'
			USING relation;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.distribution IS
	'How Citus distributes a table; no row if it does not.';

CREATE FUNCTION modseq_internal.is_distributed(relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT EXISTS (SELECT FROM distribution(relation))
$$;
COMMENT ON FUNCTION modseq_internal.is_distributed IS
	'Has Citus the rows of a table elsewhere, in shards?';

-- Many more values than there are shards, so that each has one; but an account that was given a shard of its own has the
-- only value that leads there: so those that are still missing are looked for by their rows
CREATE FUNCTION modseq_internal.shards_of(store modseq_internal.store) RETURNS TABLE (shard bigint, sample text)
LANGUAGE plpgsql STABLE ROWS 32 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	dist CONSTANT name := distribution_column(store.message);
	type CONSTANT regtype := column_type(store.message, dist);
	all_shards bigint[];
	known bigint[] := '{}'::bigint[];
	source text;
BEGIN
	EXECUTE 'SELECT array_agg(shardid) FROM pg_dist_shard WHERE logicalrelid = $1' INTO all_shards USING store.message;
	IF dist IS NULL THEN
		RETURN QUERY SELECT s, NULL::text FROM unnest(all_shards) AS s;
		RETURN;
	END IF;
	FOREACH source IN ARRAY ARRAY[
		format('SELECT %s FROM generate_series(0, %s) AS i',
			CASE WHEN type = 'uuid'::regtype THEN 'md5(i::text)' ELSE 'i::text' END, 64 * cardinality(all_shards)),
		format('SELECT DISTINCT %I FROM %s', dist, qualified_name(store.message)),
		format('SELECT DISTINCT %I FROM %s', distribution_column(store.mailbox), qualified_name(store.mailbox))]
	LOOP
		FOR shard, sample IN EXECUTE format('
			SELECT s.shard, min(v.value::text)
			FROM (%s) AS v (value), get_shard_id_for_distribution_column($1, v.value::%s) AS s (shard)
			WHERE s.shard <> ALL ($2)
			GROUP BY s.shard', source, type) USING store.message, known
		LOOP
			known := known || shard;
			RETURN NEXT;
		END LOOP;
		EXIT WHEN cardinality(known) = cardinality(all_shards);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.shards_of IS
	'The shards of a distributed store, but for some that are empty, by those of the message table; and for each a value of '
	'the distribution column that leads to it, NULL if there is no such column.';

-- A query that names a shard's rows is planned for the server that has them, and all of it goes there. It has one row
-- before it calls anything, whatever the shard holds.
CREATE FUNCTION modseq_internal.at_shard(relation regclass, sample text, call text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('SELECT r.* FROM (SELECT count(*) FROM (SELECT FROM %s%s LIMIT 1) AS any_row) AS at_shard, LATERAL %s AS r',
		qualified_name(relation),
		CASE WHEN sample IS NULL THEN '' ELSE format(' WHERE %I = %L::%s', distribution_column(relation), sample,
			column_type(relation, distribution_column(relation))) END, call)
$$;
COMMENT ON FUNCTION modseq_internal.at_shard IS
	'A query that makes a call where the shard is that the value leads to.';

CREATE FUNCTION modseq_internal.shard_argument(message regclass, shard bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('modseq_internal.table_named(%L)', shard_name(shard, message))
$$;
COMMENT ON FUNCTION modseq_internal.shard_argument IS
	'The message table of a shard, as an expression that only the server understands which has it.';
/*
 * What names usually mean: columns that attach() finds although nobody named
 * them and no key leads to them.
 */

CREATE FUNCTION modseq_internal.plain_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT lower(replace(name, '_', ''))
$$;
COMMENT ON FUNCTION modseq_internal.plain_name IS
	'A name as it is compared with usual names: MailBox_ID, mailboxId and mailbox_id are one.';

CREATE FUNCTION modseq_internal.usual_column(relation regclass, VARIADIC names text[]) RETURNS name
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT a.attname
	FROM unnest(names) WITH ORDINALITY AS usual (name, place)
	JOIN pg_attribute a ON plain_name(a.attname) = plain_name(usual.name)
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY usual.place, a.attnum
	LIMIT 1
$$;
COMMENT ON FUNCTION modseq_internal.usual_column IS
	'The column of a table that has the first of some usual names.';

-- One too many costs a client a needless FETCH, one too few is a change that it misses; \Recent is no flag here.
-- A time can say that a flag is set, but deleted_at says more.
CREATE FUNCTION modseq_internal.usual_flags(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_agg(a.attname ORDER BY a.attnum)
	FROM pg_attribute a
	CROSS JOIN LATERAL (SELECT plain_name(a.attname) AS name, column_type(relation, a.attname) AS type) AS plain
	JOIN pg_type t ON t.oid = plain.type
	LEFT JOIN pg_type element ON element.oid = t.typelem AND element.typarray = t.oid
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		AND (
			t.typname IN ('bool', 'int2', 'int4', 'int8', 'numeric', 'bit', 'bpchar', 'char')
				AND name ~ '^(e?mail|message|msg|imap)?(is|has|flags?)?(un)?'
					'(seen|read|answered|replied|flagged|starred|deleted|draft|forwarded'
					'|(not|non)?junk|(not|non)?spam|phishing|important|mdnsent)(flag)?$'
			OR t.typname IN ('timestamptz', 'timestamp')
				AND name ~ '^(e?mail|message|msg)?(seen|read|answered|replied|flagged|starred|forwarded)(at|on|date)$'
			OR (coalesce(element.typname, t.typname) IN (
					'text', 'varchar', 'bpchar', 'int2', 'int4', 'int8', 'numeric', 'uuid', 'jsonb', 'bytea', 'bit',
					'varbit', 'hstore')
				OR element.typtype IN ('e', 'd'))
				AND name ~ '^(e?mail|message|msg|imap|user|custom|system|extra|x?gm(ail)?|g)?'
					'(flags?|flagbits|flagmask|bitflags|keywords?|labels?|tags)$')
$$;
COMMENT ON FUNCTION modseq_internal.usual_flags IS
	'The columns of a table that look like flags, by name and by type.';

-- Never taken, only asked about: deleted can be IMAP's flag, which expunges nothing
CREATE FUNCTION modseq_internal.usual_soft_deletes(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(array_agg(attname ORDER BY attnum), '{}')
	FROM pg_attribute
	WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
		AND column_type(relation, attname)
			IN ('boolean', 'smallint', 'integer', 'bigint', 'date', 'timestamp', 'timestamptz')
		AND plain_name(attname) ~ '^(e?mail|message|msg|imap)?(is|was)?(soft)?'
			'(deleted|removed|expunged|trashed|purged)(at|on|date|time)?$'
$$;
COMMENT ON FUNCTION modseq_internal.usual_soft_deletes IS
	'The columns of a table that look like soft delete, by name and by type.';

-- The parent goes by its table's name, with and without a prefix like mw_, and by some nouns; a column may say once
-- more that it is a message's. A column that is just called id is everybody's own, and one with a foreign key elsewhere
-- is that, unless the parent's key goes there too.
CREATE FUNCTION modseq_internal.usual_reference(child regclass, parent regclass, key name[], VARIADIC nouns text[])
RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH noun AS (
		SELECT n.name, n.place
		FROM pg_class c,
			unnest(ARRAY[c.relname, regexp_replace(c.relname, '^[^_]*_', '')] || nouns)
				WITH ORDINALITY AS n (name, place)
		WHERE c.oid = parent),
	usual AS (
		SELECT k.name AS key, k.place AS key_place, u.name, u.place, noun.place AS noun_place
		FROM noun,
			unnest(key) WITH ORDINALITY AS k (name, place),
			unnest(CASE WHEN cardinality(key) = 1
					THEN ARRAY[noun.name || '_' || k.name, k.name, noun.name || '_id', noun.name]
					ELSE ARRAY[noun.name || '_' || k.name, k.name] END)
				WITH ORDINALITY AS u (name, place)
		WHERE u.name <> 'id'),
	found AS (
		SELECT DISTINCT ON (usual.key_place) usual.key_place, a.attname
		FROM usual
		JOIN pg_attribute a ON plain_name(usual.name) IN
			(plain_name(a.attname), regexp_replace(plain_name(a.attname), '^(message|msg|email|mail)', ''))
		WHERE a.attrelid = child AND a.attnum > 0
			AND may_hold_same_key(column_type(child, a.attname), column_type(parent, usual.key))
			AND NOT EXISTS (
				SELECT FROM single_references(child) r
				WHERE r.column = a.attname AND r.relation <> parent
					AND (r.relation, r.key, usual.key) NOT IN (
						SELECT p.relation, p.key, p.column FROM single_references(parent) p))
		ORDER BY usual.key_place, plain_name(a.attname) <> plain_name(usual.name), usual.place, usual.noun_place)
	SELECT array_agg(attname ORDER BY key_place) FROM found HAVING count(*) = cardinality(key)
$$;
COMMENT ON FUNCTION modseq_internal.usual_reference IS
	'The columns that refer to the key of another table, going by usual names and by type.';
/*
 * Queries on the tables of a store, written as templates that name these tables
 * and their columns in braces, as the queries of the C code are: the language is
 * explained in src/query/text.c. What is outside of braces, and how it is
 * qualified, is up to whoever runs the query.
 */

CREATE FUNCTION modseq_internal.query_text(message regclass, options text[], template text) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_query_text';
COMMENT ON FUNCTION modseq_internal.query_text IS
	'The query that a template stands for in a store with these options, attached or not. Error 55000 if the options '
	'do not fit the tables.';

CREATE FUNCTION modseq_internal.expand_template(store modseq_internal.store, template text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT query_text(store.message, options_of_store(store), template)
$$;
COMMENT ON FUNCTION modseq_internal.expand_template IS
	'The query that a template stands for in a store.';
/*
 * What a store consists of: attach() makes it so, check() verifies it.
 */

CREATE FUNCTION modseq_internal.accounts_column(store modseq_internal.store, name name) RETURNS name
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT name WHERE store.account IS NOT NULL AND store.counters IS NULL
$$;
COMMENT ON FUNCTION modseq_internal.accounts_column IS
	'The name of a column that the mailbox table has of us if it has the counters, and the store accounts; else NULL.';

CREATE FUNCTION modseq_internal.wanted_columns(store modseq_internal.store)
RETURNS TABLE (option text, relation regclass, attribute name, types regtype[], definition text)
LANGUAGE sql STABLE ROWS 20 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.option, c.relation, attribute, c.types::regtype[], c.definition
	FROM (VALUES
		('mailbox_key', store.mailbox, store.mailbox_key, NULL, NULL),
		('mailbox_uidvalidity', counter_table(store), ARRAY[store.mailbox_uidvalidity], '{integer,bigint}',
			'bigint NOT NULL DEFAULT modseq.next_uidvalidity()'),
		('mailbox_uidnext', counter_table(store), ARRAY[store.mailbox_uidnext], '{integer,bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('mailbox_last_uid', counter_table(store), ARRAY[store.mailbox_last_uid], '{integer,bigint}',
			'bigint NOT NULL DEFAULT 0'),
		('mailbox_highestmodseq', counter_table(store), ARRAY[store.mailbox_highestmodseq], '{bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('mailbox_source_key', store.mailbox_source, store.mailbox_source_key, NULL, NULL),
		('message_mailbox', store.message, store.message_mailbox, NULL, NULL),
		-- NOT NULL once the messages that exist are numbered
		('message_uid', store.message, ARRAY[store.message_uid], '{integer,bigint}',
			'bigint'),
		('message_modseq', store.message, ARRAY[store.message_modseq], '{bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('message_created_modseq', store.message, ARRAY[store.message_created_modseq], '{bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('message_flags', store.message, store.message_flags, NULL, NULL),
		('message_expunged', store.message, ARRAY[store.message_expunged],
			'{boolean,smallint,integer,bigint,date,timestamp,timestamptz}', NULL),
		('message_key', store.message, store.message_key, NULL, NULL),
		('flag_message', store.flag, store.flag_message, NULL, NULL),
		('flag_mailbox', store.flag, store.flag_mailbox, NULL, NULL),
		('flag_uid', store.flag, ARRAY[store.flag_uid], '{integer,bigint}', NULL),
		('flag_columns', store.flag, store.flag_columns, NULL, NULL),
		('account', store.mailbox, store.account, NULL, NULL),
		('created_modseq', store.mailbox, ARRAY[accounts_column(store, 'created_modseq')], '{bigint}', 'bigint'),
		('properties_modseq', store.mailbox, ARRAY[accounts_column(store, 'properties_modseq')], '{bigint}', 'bigint'),
		('email', store.message, ARRAY[store.email], NULL, NULL),
		('thread', store.message, ARRAY[store.thread], NULL, NULL),
		('mailbox_properties', store.mailbox, store.mailbox_properties, NULL, NULL))
		AS c (option, relation, attributes, types, definition),
		unnest(c.attributes) AS attribute
	WHERE attribute IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.wanted_columns IS
	'The columns of a store, the types that each may have, and how those that may be added are defined.';

CREATE FUNCTION modseq_internal.missing_columns(store modseq_internal.store)
RETURNS TABLE (option text, relation regclass, attribute name, definition text)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT option, relation, attribute, definition
	FROM wanted_columns(store)
	WHERE definition IS NOT NULL AND column_type(relation, attribute) IS NULL AND relation <> 0
$$;
COMMENT ON FUNCTION modseq_internal.missing_columns IS
	'The columns that attach() is to add to the tables of a store.';

-- Mailbox and UID must be unique; where the partitioning allows no index to say so, they are because UIDs are given
-- out under the mailbox's lock.
CREATE FUNCTION modseq_internal.wanted_indexes(store modseq_internal.store)
RETURNS TABLE (relation regclass, columns name[], is_unique boolean, is_sorted boolean)
LANGUAGE sql STABLE ROWS 5 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT *
	FROM (VALUES
		(store.mailbox, store.mailbox_key, true, false),
		(store.message, store.message_mailbox || store.message_uid,
			may_be_unique(store.message, store.message_mailbox || store.message_uid), true),
		(CASE WHEN store.changes <> 'log' THEN store.message END, store.message_mailbox || store.message_modseq, false, true),
		(store.message, store.message_key, false, false),
		(store.flag, store.flag_message, false, false),
		(store.flag, store.flag_mailbox || store.flag_uid, false, true),
		(store.message, ARRAY[store.email], false, false),
		(store.message, ARRAY[store.thread], false, false),
		(counter_table(store), CASE WHEN store.account IS NOT NULL THEN store.account || store.mailbox_highestmodseq END, false, true),
		(store.departed, CASE WHEN store.account IS NOT NULL THEN store.account || 'modseq'::name END, false, true)) AS i (relation, columns, is_unique, is_sorted)
	WHERE columns[1] IS NOT NULL AND relation IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.wanted_indexes IS
	'The indexes of a store: by what our queries look for, and whether they read it in the order of the last column.';

CREATE FUNCTION modseq_internal.makes_mailboxes(store modseq_internal.store, is_source boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE
		WHEN store.account IS NOT NULL AND is_source = (source_table(store) IS NOT NULL) THEN 'INSERT OR '
		WHEN NOT is_source THEN '' END
$$;
COMMENT ON FUNCTION modseq_internal.makes_mailboxes IS
	'The event that a statement trigger has besides UPDATE and DELETE, so that a statement that makes mailboxes takes one '
	'value of their account: on the table of the counters, or on its source, where NULL means that there is no trigger.';

-- A name decides when its trigger fires among others of its kind: zz_ after all that may still change the row; AA_
-- before the foreign keys' RI_ConstraintTrigger, so that the change of a mailbox's key is known before ON UPDATE
-- CASCADE brings it to the messages.
--
-- Citus leaves out those at shards that TRUNCATE fires, too.
--
-- Partitions have them all: PostgreSQL clones those FOR EACH ROW, and the others must be created there, too.
CREATE FUNCTION modseq_internal.wanted_triggers(store modseq_internal.store)
RETURNS TABLE (
	relation regclass, name name, timing text, events text, level text, function name, arguments text[], cloned boolean)
LANGUAGE sql STABLE ROWS 20 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT p.relation, t.name, timing, events, level, function,
		CASE WHEN function = 'trigger_assign' THEN options_of_store(store)
				WHEN t.relation <> store.message THEN ARRAY[qualified_name(store.message)]
				ELSE '{}' END,
		p.relation <> t.relation AND level = 'ROW'
	FROM (VALUES
		(store.message, 'modseq_open', 'BEFORE', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_open'),
		(store.message, 'zz_modseq_assign', 'BEFORE', 'INSERT OR UPDATE', 'ROW', 'trigger_assign'),
		(store.message, 'modseq_collect', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_collect'),
		(store.message, 'modseq_flush', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_flush'),
		(store.message, 'modseq_truncate', 'BEFORE', 'TRUNCATE', 'STATEMENT', 'trigger_truncate'),
		(store.message, 'modseq_truncated', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_flush'),
		(store.flag, 'modseq_open', 'BEFORE', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_open'),
		(store.flag, 'modseq_collect', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_collect_flag'),
		(store.flag, 'modseq_flush', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', 'trigger_flush'),
		(store.flag, 'modseq_truncate', 'BEFORE', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_flag'),
		(store.flag, 'modseq_truncated', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_flush'),
		(counter_table(store), 'AA_modseq_mailbox', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_mailbox'),
		(counter_table(store), 'modseq_open', 'BEFORE', makes_mailboxes(store, false) || 'UPDATE OR DELETE'
			|| CASE WHEN is_distributed(store.message) THEN '' ELSE ' OR TRUNCATE' END,
			'STATEMENT', 'trigger_open'),
		(counter_table(store), 'modseq_flush', 'AFTER', makes_mailboxes(store, false) || 'UPDATE OR DELETE',
			'STATEMENT', 'trigger_flush'),
		(counter_table(store), 'AA_modseq_truncate', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_mailbox'),
		(store.account_table, 'modseq_account', 'AFTER', 'UPDATE OR DELETE', 'ROW', 'trigger_account'),
		(store.account_table, 'modseq_truncate', 'BEFORE', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_account'),
		(source_table(store), 'AA_modseq_source', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_source'),
		(source_table(store), 'modseq_open', 'BEFORE', makes_mailboxes(store, true) || 'UPDATE OR DELETE',
			'STATEMENT', 'trigger_open'),
		(source_table(store), 'modseq_flush', 'AFTER', makes_mailboxes(store, true) || 'UPDATE OR DELETE',
			'STATEMENT', 'trigger_flush'),
		(source_table(store), 'AA_modseq_truncate', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_source'))
		AS t (relation, name, timing, events, level, function)
	CROSS JOIN LATERAL with_partitions(t.relation) AS p (relation)
	WHERE events IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.wanted_triggers IS
	'The triggers of a store, and the arguments that each has.';

CREATE FUNCTION modseq_internal.unsound_triggers(store modseq_internal.store)
RETURNS TABLE (relation regclass, name name, problem text, is_misnamed boolean)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT w.relation, w.name,
		CASE WHEN t.oid IS NULL THEN 'is missing'
				WHEN t.tgenabled IN ('D', 'R') THEN 'is disabled'
				ELSE 'is not as modseq.attach() creates it' END,
		NOT coalesce(is_another, true)
	FROM wanted_triggers(store) WITH ORDINALITY
		AS w (relation, name, timing, events, level, function, arguments, cloned, place)
	LEFT JOIN pg_trigger t ON t.tgrelid = w.relation AND t.tgname = w.name
	CROSS JOIN LATERAL (
		SELECT t.tgenabled IN ('D', 'R')
			OR t.tgfoid IS DISTINCT FROM to_regproc('modseq.' || w.function)
			OR t.tgqual IS NOT NULL OR cardinality(t.tgattr::int2[]) > 0
			OR t.tgtype <>
				CASE w.level WHEN 'ROW' THEN 1 ELSE 0 END + CASE w.timing WHEN 'BEFORE' THEN 2 ELSE 0 END
				+ CASE WHEN w.events ~ 'INSERT' THEN 4 ELSE 0 END + CASE WHEN w.events ~ 'DELETE' THEN 8 ELSE 0 END
				+ CASE WHEN w.events ~ 'UPDATE' THEN 16 ELSE 0 END + CASE WHEN w.events ~ 'TRUNCATE' THEN 32 ELSE 0 END)
		AS o (is_another)
	WHERE t.oid IS NULL OR is_another
		-- The store is what the arguments of trigger_assign() say
		OR trigger_options(t.oid) <> w.arguments AND w.function <> 'trigger_assign'
	ORDER BY place
$$;
COMMENT ON FUNCTION modseq_internal.unsound_triggers IS
	'The triggers of a store that are missing, disabled or changed; or that are as they should be, but for the name of the '
	'message table. They fail then, so that nothing goes unseen.';

-- Where the counters are beside it, attach() has nothing to change in the mailbox table but our triggers; and these only
-- if they are not as they should be, since a reader would wait for DROP TRIGGER
CREATE FUNCTION modseq_internal.stays_as_it_is(store modseq_internal.store, relation regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH part AS (
		SELECT p.oid FROM with_partitions(store.mailbox) AS p (oid))
	SELECT store.counters IS NOT NULL AND relation IN (SELECT oid FROM part)
		AND (SELECT count(*) FROM our_triggers(ARRAY(SELECT oid FROM part)))
			= (SELECT count(*) FROM wanted_triggers(store) w JOIN part ON part.oid = w.relation WHERE NOT w.cloned)
		AND NOT EXISTS (SELECT FROM unsound_triggers(store) u JOIN part ON part.oid = u.relation)
$$;
COMMENT ON FUNCTION modseq_internal.stays_as_it_is IS
	'Is that the mailbox table of a store whose counters are beside it, or a partition, and are its triggers all there and '
	'sound?';

CREATE FUNCTION modseq_internal.options_of_store(store modseq_internal.store) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT array_remove(ARRAY[
		'mailbox=' || qualified_name(store.mailbox),
		'vanished=' || qualified_name(store.vanished),
		'counters=' || qualified_name(store.counters),
		'flag=' || qualified_name(store.flag),
		'mailbox_key=' || store.mailbox_key::text,
		'mailbox_uidvalidity=' || store.mailbox_uidvalidity,
		'mailbox_uidnext=' || store.mailbox_uidnext,
		'mailbox_last_uid=' || store.mailbox_last_uid,
		'mailbox_highestmodseq=' || store.mailbox_highestmodseq,
		'mailbox_source=' || qualified_name(store.mailbox_source),
		'mailbox_source_key=' || store.mailbox_source_key::text,
		'message_mailbox=' || store.message_mailbox::text,
		'message_uid=' || store.message_uid,
		'message_modseq=' || store.message_modseq,
		'message_created_modseq=' || store.message_created_modseq,
		'message_flags=' || store.message_flags::text,
		'message_expunged=' || store.message_expunged,
		'message_key=' || store.message_key::text,
		'flag_message=' || store.flag_message::text,
		'flag_mailbox=' || store.flag_mailbox::text,
		'flag_uid=' || store.flag_uid,
		'flag_columns=' || store.flag_columns::text,
		CASE WHEN store.changes = 'log' THEN 'changes=log' END,
		CASE WHEN store.notify THEN 'notify=true' END,
		'account=' || store.account::text,
		'account_table=' || qualified_name(store.account_table),
		'departed=' || qualified_name(store.departed),
		'email=' || store.email,
		'thread=' || store.thread,
		'mailbox_properties=' || store.mailbox_properties::text], NULL)
$$;
COMMENT ON FUNCTION modseq_internal.options_of_store IS
	'The arguments of zz_modseq_assign: names, never OIDs, so that a dump or a shard carries them along.';
/*
 * What attach() has added to tables that are the application's: columns,
 * indexes, a default. Each is marked by its COMMENT, which goes with it wherever
 * it is renamed, moved or dumped to. What has no mark, detach() leaves alone.
 */

CREATE FUNCTION modseq_internal.added_mark() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT 'Added by modseq.attach().'
$$;
COMMENT ON FUNCTION modseq_internal.added_mark IS
	'The comment of columns and indexes that attach() has added.';

CREATE FUNCTION modseq_internal.added_default_mark() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT 'Default set by modseq.attach().'
$$;
COMMENT ON FUNCTION modseq_internal.added_default_mark IS
	'The end of the comment of a column that attach() has given a default.';

CREATE FUNCTION modseq_internal.column_comment(relation regclass, attribute name) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT col_description(attrelid, attnum)
	FROM pg_attribute
	WHERE attrelid = relation AND attname = attribute AND attnum > 0 AND NOT attisdropped
$$;
COMMENT ON FUNCTION modseq_internal.column_comment IS
	'The comment of a column.';

CREATE FUNCTION modseq_internal.comment_on_column(relation regclass, attribute name, comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', qualified_name(relation), attribute, comment);
END
$$;
COMMENT ON FUNCTION modseq_internal.comment_on_column IS
	'Sets the comment of a column.';

-- The default of UIDVALIDITY, in a column of the application's. Its own comment stays in front.
CREATE FUNCTION modseq_internal.mark_default(relation regclass, attribute name) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT comment_on_column(relation, attribute, concat_ws(' ', comment, added_default_mark()))
	FROM column_comment(relation, attribute) AS comment
	WHERE comment IS NULL OR comment <> added_mark() AND NOT comment LIKE '%' || added_default_mark()
$$;
COMMENT ON FUNCTION modseq_internal.mark_default IS
	'Marks a column that attach() gives a default.';

CREATE FUNCTION modseq_internal.added_columns(tables regclass[])
RETURNS TABLE (relation regclass, attribute name, is_not_null boolean, has_default boolean)
LANGUAGE sql STABLE ROWS 4 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT attrelid::regclass, attname, attnotnull, atthasdef
	FROM pg_attribute
	WHERE attrelid = ANY (tables) AND attnum > 0 AND NOT attisdropped
		AND col_description(attrelid, attnum) = added_mark()
	ORDER BY attrelid, attnum
$$;
COMMENT ON FUNCTION modseq_internal.added_columns IS
	'The columns of these tables that attach() has added.';

-- Between attach() and detach(), and no longer: an application knows nothing of them. Those with a constant as their
-- default can stay NOT NULL.
CREATE FUNCTION modseq_internal.not_null_while_attached(store modseq_internal.store)
RETURNS TABLE (relation regclass, attribute name, is_not_null boolean)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.relation, c.attribute, c.is_not_null
	FROM added_columns(ARRAY[store.message, store.mailbox]) c
	WHERE (c.relation, c.attribute) IN (
		(store.message, store.message_uid), (store.mailbox, store.mailbox_uidvalidity))
$$;
COMMENT ON FUNCTION modseq_internal.not_null_while_attached IS
	'The columns that attach() has added and that nobody but a trigger or a function of modseq gives a value.';

CREATE FUNCTION modseq_internal.create_index(relation regclass, columns name[], is_unique boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	before CONSTANT oid[] := ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = relation);
	created regclass;
BEGIN
	EXECUTE format('CREATE %s INDEX ON %s (%s)',
		CASE WHEN is_unique THEN 'UNIQUE' END, qualified_name(relation), quoted_list(columns));
	SELECT indexrelid INTO created FROM pg_index WHERE indrelid = relation AND indexrelid <> ALL (before);
	EXECUTE format('COMMENT ON INDEX %s IS %L', qualified_name(created), added_mark());
END
$$;
COMMENT ON FUNCTION modseq_internal.create_index IS
	'Creates an index for attach().';

CREATE FUNCTION modseq_internal.remove_added(tables regclass[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	r record;
	done text[] := '{}'::text[];
BEGIN
	FOR r IN
		SELECT i.indexrelid::regclass AS index
		FROM pg_index i
		WHERE i.indrelid = ANY (tables) AND obj_description(i.indexrelid, 'pg_class') = added_mark()
		ORDER BY i.indexrelid
	LOOP
		EXECUTE format('DROP INDEX %s', qualified_name(r.index));
	END LOOP;

	FOR r IN SELECT * FROM added_columns(tables) LOOP
		EXECUTE format('ALTER TABLE %s DROP COLUMN %I', qualified_name(r.relation), r.attribute);
		done := done || format('dropped column "%s" of table %s', r.attribute, qualified_name(r.relation));
	END LOOP;

	FOR r IN
		SELECT a.attrelid::regclass AS relation, a.attname AS attribute, c.comment,
			pg_get_expr(d.adbin, d.adrelid) = 'modseq.next_uidvalidity()' AS is_ours
		FROM pg_attribute a
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		CROSS JOIN LATERAL col_description(a.attrelid, a.attnum) AS c (comment)
		WHERE a.attrelid = ANY (tables) AND a.attnum > 0 AND NOT a.attisdropped
			AND c.comment LIKE '%' || added_default_mark()
	LOOP
		IF r.is_ours THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', qualified_name(r.relation), r.attribute);
			done := done
				|| format('dropped the default of column "%s" of table %s', r.attribute, qualified_name(r.relation));
		END IF;
		PERFORM comment_on_column(r.relation, r.attribute,
			nullif(rtrim(left(r.comment, -length(added_default_mark()))), ''));
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION modseq_internal.remove_added IS
	'Drops the columns, indexes and defaults of these tables that attach() has added, and returns what is to be said '
	'of it.';

CREATE FUNCTION modseq_internal.notice_left(store modseq_internal.store, removed boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT qualified_name(w.relation) AS name, string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns,
			string_agg(a.attname, ', ' ORDER BY a.attnum)
				FILTER (WHERE a.attnotnull AND NOT a.atthasdef AND a.attidentity = '') AS must_be_given
		FROM wanted_columns(store) w
		JOIN pg_attribute a ON a.attrelid = w.relation AND a.attname = w.attribute
		WHERE w.definition IS NOT NULL
		GROUP BY w.relation
		ORDER BY w.relation
	LOOP
		IF removed THEN
			RAISE NOTICE 'in table % stays what modseq.attach() is not known to have added: %', c.name, c.columns;
		END IF;
		IF c.must_be_given IS NOT NULL THEN
			RAISE NOTICE 'an INSERT into table % must give what is not null and has no default: %',
				c.name, c.must_be_given USING
				HINT = 'If the application does not, use ALTER TABLE ... ALTER COLUMN ... SET DEFAULT, or DROP NOT '
					'NULL.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_left IS
	'Says which columns of a store detach() has left, and which of them need a value.';
/*
 * Rights, asked for before they are needed: one error that names the table and
 * what is missing, in place of PostgreSQL's from deep within a query.
 */

CREATE FUNCTION modseq_internal.refuse_stranger(tables regclass[], function text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name text;
BEGIN
	SELECT qualified_name(c.oid) INTO name
	FROM unnest(tables) WITH ORDINALITY AS u (relation, place)
	CROSS JOIN LATERAL with_partitions(relation) AS p (relation)
	JOIN pg_class c ON c.oid = p.relation
	WHERE NOT pg_has_role(c.relowner, 'USAGE')
	ORDER BY place, c.oid LIMIT 1;
	IF FOUND THEN
		RAISE 'must be owner of table %', name USING
			ERRCODE = 'insufficient_privilege',
			HINT = format('Call %s as a role that owns all tables of the store.', function);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_stranger IS
	'Refuses a caller who does not own these tables and their partitions.';

CREATE FUNCTION modseq_internal.refuse_reader(store modseq_internal.store, tables regclass[], function text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN
		SELECT qualified_name(c.oid) AS name, n.nspname AS schema, has_schema_privilege(n.oid, 'USAGE') AS may_use,
			row_security_active(c.oid) AS is_hidden,
			NOT EXISTS (
				SELECT
				FROM pg_attribute a
				WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
					AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')
					AND (c.oid IN (store.vanished, store.counters, store.account_table, store.departed) OR (c.oid, a.attname) IN (
						SELECT relation, attribute
						FROM wanted_columns(store)
						WHERE option NOT IN ('message_flags', 'message_key')))) AS may_select
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place)
		JOIN pg_class c ON c.oid = relation
		JOIN pg_namespace n ON n.oid = c.relnamespace
		ORDER BY place
	LOOP
		IF NOT t.may_use THEN
			RAISE 'permission denied for schema %', quote_ident(t.schema) USING
				ERRCODE = 'insufficient_privilege',
				DETAIL = format('%s needs the right USAGE.', function),
				HINT = 'Call it as the owner of the tables, or GRANT it.';
		END IF;
		IF NOT t.may_select THEN
			RAISE 'permission denied for table %', t.name USING
				ERRCODE = 'insufficient_privilege',
				DETAIL = format('%s needs the right SELECT on all tables of the store.', function),
				HINT = 'Call it as the owner of the tables, or GRANT it.';
		END IF;
		IF t.is_hidden THEN
			RAISE 'row-level security would hide rows of table % from %', t.name, function USING
				ERRCODE = 'insufficient_privilege',
				HINT = 'Call it as a role that the policies do not apply to: the owner, unless they are forced on it, '
					'or one with BYPASSRLS.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_reader IS
	'Refuses a caller who may not read all rows of these tables of a store, with all columns that we read.';
/*
 * attach(): options, tables, columns and keys that cannot be served.
 */

CREATE FUNCTION modseq_internal.refuse_options(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	list record;
BEGIN
	IF store.message IS NULL OR store.mailbox IS NULL THEN
		RAISE 'the message table and the mailbox table must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Call modseq.attach(message, mailbox), or modseq.attach(message, mailbox, flag) with a table of '
				'flags. Only a store that is attached keeps the tables that are not given.';
	END IF;
	IF store.message = store.mailbox OR store.flag IN (store.message, store.mailbox)
		OR store.mailbox_source IN (store.message, store.mailbox, store.flag)
	THEN
		RAISE 'the tables of a store must differ from each other' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Flags that are columns of the message table need no table: name them with message_flags. A '
				'mailbox table that is nobody''s side table needs no mailbox_source.';
	END IF;

	FOR list IN
		SELECT *
		FROM (VALUES
			('mailbox_key', store.mailbox_key),
			('mailbox_source_key', store.mailbox_source_key),
			('message_mailbox', store.message_mailbox),
			('flag_mailbox', store.flag_mailbox),
			('flag_columns', store.flag_columns),
			('message_flags', nullif(store.message_flags, '{}')),
			('message_key', store.message_key),
			('flag_message', store.flag_message),
			('account', nullif(store.account, '{}')),
			('mailbox_properties', store.mailbox_properties)) AS l (option, columns)
		WHERE cardinality(columns) = 0 OR array_position(columns, NULL) IS NOT NULL
	LOOP
		RAISE 'option % is empty or has a null in it', list.option USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Give the names of columns, or leave the option out to have them found.';
	END LOOP;

	IF store.changes NOT IN ('index', 'log') THEN
		RAISE 'option changes is neither "index" nor "log"' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'They are found by an index on mod-sequences, or logged in the vanished table.';
	END IF;
	IF store.mailbox_uidnext IS NOT NULL AND store.mailbox_last_uid IS NOT NULL THEN
		RAISE 'options mailbox_uidnext and mailbox_last_uid exclude each other' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Name the column that holds the next UID, or the one that holds the last.';
	END IF;
	IF store.mailbox_source IS NULL AND store.mailbox_source_key IS NOT NULL THEN
		RAISE 'option mailbox_source_key needs mailbox_source' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Name the table that the mailbox table has its rows from with mailbox_source.';
	END IF;
	IF store.flag IS NULL AND
		num_nonnulls(store.message_key, store.flag_message, store.flag_mailbox, store.flag_uid, store.flag_columns) > 0
	THEN
		RAISE 'options on a flag table need a flag table' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Give the flag table as the third argument of modseq.attach().';
	END IF;
	IF num_nonnulls(store.message_key, store.flag_message) > 0
		AND num_nonnulls(store.flag_mailbox, store.flag_uid) > 0
	THEN
		RAISE 'options flag_message and message_key exclude flag_mailbox and flag_uid' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'A row of the flag table names its message either by the message''s key or by mailbox and UID.';
	END IF;
	IF num_nonnulls(store.flag_mailbox, store.flag_uid) = 1 THEN
		RAISE 'options flag_mailbox and flag_uid need each other' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Name the columns of the flag table that hold the mailbox key, and the one that holds the UID.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_options IS
	'Refuses options of attach() that contradict each other.';

CREATE FUNCTION modseq_internal.refuse_tables(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := ARRAY[store.message, store.mailbox, store.mailbox_source, store.flag];
	t record;
	other regclass;
	taken regclass;
BEGIN
	FOR t IN
		SELECT relation, qualified_name(relation) AS name, c.*
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place) LEFT JOIN pg_class c ON c.oid = relation
		WHERE relation IS NOT NULL
		ORDER BY place
	LOOP
		IF t.oid IS NULL THEN
			RAISE 'relation with OID % does not exist', t.relation::oid USING
				ERRCODE = 'undefined_table';
		END IF;
		PERFORM refuse_stranger(ARRAY[t.relation], 'modseq.attach()');
		IF t.relkind NOT IN ('r', 'p')
			OR t.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
		THEN
			RAISE '% is not a table that modseq can serve', t.name USING
				ERRCODE = 'wrong_object_type',
				HINT = 'Stores are made of ordinary or partitioned tables: not of views, foreign tables or system '
					'catalogs.';
		END IF;
		IF t.relpersistence <> 'p' THEN
			RAISE 'table % is unlogged or temporary', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'Its rows would be lost in a crash without a client ever being told.',
				HINT = format('Use ALTER TABLE %s SET LOGGED for an unlogged table.', t.name);
		END IF;
		IF t.relispartition THEN
			RAISE 'table % is a partition', t.name USING
				ERRCODE = 'wrong_object_type',
				HINT = 'Attach the partitioned table that it belongs to.';
		END IF;
		IF is_inherited(t.oid) THEN
			RAISE 'table % inherits or is inherited from', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'Triggers and unique indexes of a table do not reach tables that inherit from it.',
				HINT = 'Use declarative partitioning, or end the inheritance.';
		END IF;
	END LOOP;

	FOR t IN
		SELECT qualified_name(c.oid) AS name, c.relkind
		FROM with_partitions(VARIADIC tables) AS u (relation) JOIN pg_class c ON c.oid = relation
		WHERE c.relkind = 'f' OR c.relpersistence <> 'p'
	LOOP
		IF t.relkind = 'f' THEN
			RAISE 'partition % is a foreign table', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'What others change there would go unseen.',
				HINT = 'Use ALTER TABLE ... DETACH PARTITION.';
		END IF;
		RAISE 'partition % is unlogged or temporary', t.name USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'Its rows would be lost in a crash without a client ever being told.',
			HINT = format('Use ALTER TABLE %s SET LOGGED for an unlogged table.', t.name);
	END LOOP;

	SELECT s.message, relation INTO other, taken
	FROM with_partitions(VARIADIC tables) AS t (relation), stores_of(relation) AS s
	WHERE s.message <> store.message
	ORDER BY array_position(tables, relation), relation LIMIT 1;
	IF FOUND THEN
		RAISE 'table % serves another store already', qualified_name(taken) USING
			ERRCODE = 'object_in_use',
			DETAIL = format('It belongs to the store with message table %s.', qualified_name(other)),
			HINT = 'Call modseq.detach() for that store first; modseq.stores shows what it consists of.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_tables IS
	'Refuses tables that cannot be served, are not the caller''s or belong to another store.';

CREATE FUNCTION modseq_internal.refuse_columns(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT col.*, qualified_name(col.relation) AS name, column_type(col.relation, attribute) AS type,
			a.attgenerated, a.attidentity,
			-- message_key may be any column, and flag_columns may list what else is named
			array_agg(option) FILTER (WHERE option NOT IN (
				'message_key', 'flag_columns', 'account', 'email', 'thread', 'mailbox_properties'))
				OVER (PARTITION BY col.relation, attribute) AS uses,
			option = 'message_key' AND cardinality(array_positions(store.message_key, attribute)) > 1 AS is_repeated
		FROM wanted_columns(store) col
		LEFT JOIN pg_attribute a ON a.attrelid = col.relation AND a.attname = attribute AND NOT a.attisdropped
	LOOP
		IF cardinality(c.uses) > 1 OR c.is_repeated THEN
			RAISE 'column "%" of table % is named twice', c.attribute, c.name USING
				ERRCODE = 'duplicate_column',
				DETAIL = format('It is used for %s.',
					array_to_string(CASE WHEN c.is_repeated THEN ARRAY[c.option, c.option] ELSE c.uses END, ' and ')),
				HINT = 'Each of them needs a column of its own.';
		END IF;
		IF c.type IS NULL THEN
			CONTINUE WHEN c.definition IS NOT NULL;
			RAISE 'column "%" of table % does not exist', c.attribute, c.name USING
				ERRCODE = 'undefined_column',
				HINT = format('Option %s must name existing columns.', c.option);
		END IF;
		IF c.type <> ALL (c.types) THEN
			RAISE 'column "%" of table % has type %', c.attribute, c.name, c.type USING
				ERRCODE = 'datatype_mismatch',
				DETAIL = format('For %s, modseq needs type %s.', c.option, array_to_string(c.types, ' or ')),
				HINT = CASE WHEN c.option IN ('created_modseq', 'properties_modseq')
					THEN 'Rename it, and modseq.attach() adds its own.'
					WHEN c.option = 'message_expunged'
					THEN format('Add a column that says so, as in ALTER TABLE %s ADD expunged boolean GENERATED ALWAYS '
						'AS (...) STORED.', c.name)
					ELSE format('Use ALTER TABLE %s ALTER COLUMN %I TYPE bigint, or name another column with %s%s.',
								c.name, c.attribute, c.option,
								CASE WHEN c.definition IS NOT NULL THEN '; it is added if it does not exist' END) END;
		END IF;
		IF c.definition IS NOT NULL AND c.attribute IN (SELECT partition_key(c.relation)) THEN
			RAISE 'column "%" of table % is part of a partition key', c.attribute, c.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('Named by %s, it is set by triggers, which fire when the partition has been chosen.',
					c.option),
				HINT = 'Partition by another column, the mailbox or the date say.';
		END IF;
		-- UIDVALIDITY is the one number that others may hand out too. What is only read may be generated, if it is
		-- stored; but where a message goes must be known before its row is written.
		IF c.attgenerated = 'v'
			OR c.attgenerated <> '' AND (c.definition IS NOT NULL OR c.option IN ('message_mailbox', 'email', 'thread'))
			OR (c.attgenerated <> '' OR c.attidentity = 'a') AND c.option = 'mailbox_key'
				AND store.mailbox_source IS NOT NULL
			OR c.attidentity = 'a' AND c.definition IS NOT NULL
			OR c.attidentity = 'd' AND c.definition IS NOT NULL AND c.option <> 'mailbox_uidvalidity'
		THEN
			RAISE 'column "%" of table % is a generated or identity column', c.attribute, c.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('Named by %s, it must be one that triggers can set and see.', c.option),
				HINT = 'Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY, or DROP EXPRESSION, or name another '
					'column.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_columns IS
	'Refuses columns that do not exist, do not differ, or are of a wrong kind.';

CREATE FUNCTION modseq_internal.key_mismatches(a regclass, a_columns name[], b regclass, b_columns name[])
RETURNS TABLE (mismatch text)
LANGUAGE sql STABLE STRICT ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('%s against %s.',
		CASE WHEN x IS NULL THEN 'Nothing'
				ELSE format('Column "%s" of table %s, type %s,', x, qualified_name(a), column_type(a, x)) END,
		CASE WHEN y IS NULL THEN 'nothing'
				ELSE format('column "%s" of table %s, type %s', y, qualified_name(b), column_type(b, y)) END)
	FROM unnest(a_columns, b_columns) AS pair (x, y)
	WHERE num_nonnulls(x, y) > 0 AND may_hold_same_key(column_type(a, x), column_type(b, y)) IS NOT TRUE
$$;
COMMENT ON FUNCTION modseq_internal.key_mismatches IS
	'Where two lists of columns differ in number, or in kind: a sentence for each.';

CREATE FUNCTION modseq_internal.refuse_account_key(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	max_keys CONSTANT int := 8;			-- as MODSEQ_MAX_KEYS says in C
	wrong name;
BEGIN
	IF cardinality(store.account) > max_keys THEN
		RAISE 'an account can have at most % columns', max_keys USING
			ERRCODE = 'too_many_columns';
	END IF;
	SELECT name INTO wrong
	FROM unnest(store.account) AS name
	WHERE name IN ('uidvalidity', 'uidnext', 'highestmodseq', 'gone_at', 'created_modseq', 'properties_modseq', 'one',
		'epoch', 'email_modseq', 'thread_modseq', 'mailbox_modseq', 'floor', 'modseq', 'emails', 'threads', 'created',
		'mailboxes', 'mailboxes_created', 'departed_at')
		OR cardinality(array_positions(store.account, name)) > 1
	LIMIT 1;
	IF FOUND THEN
		RAISE 'column "%" of table % cannot be one of the account', wrong, qualified_name(store.mailbox) USING
			ERRCODE = 'duplicate_column',
			DETAIL = 'The account''s columns are also in tables of modseq''s, beside others, one of which may have that name.',
			HINT = 'Rename it, and name each column of the account once.';
	END IF;
	IF store.mailbox_source IS NOT NULL AND NOT store.account <@ store.mailbox_key THEN
		RAISE 'the account of table % must be a part of the mailbox key', qualified_name(store.mailbox) USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'Its rows come from mailbox_source with their key, and nothing else.',
			HINT = 'Name columns of mailbox_key with account; or leave out mailbox_source, and have the counters in a '
				'table of modseq''s.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_account_key IS
	'Refuses what cannot be the columns of an account.';

CREATE FUNCTION modseq_internal.refuse_keys(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	max_keys CONSTANT int := 8;			-- as MODSEQ_MAX_KEYS says in C
	pair record;
	key record;
	flag record;
	wrong name[];
BEGIN
	FOR key IN
		SELECT *
		FROM (VALUES
			('mailbox_key', store.mailbox, store.mailbox_key),
			('mailbox_source_key', store.mailbox_source, store.mailbox_source_key)) AS k (option, relation, columns)
		WHERE relation IS NOT NULL
			AND NOT EXISTS (
				SELECT FROM usable_indexes(k.relation) i
				WHERE i.is_unique AND i.columns @> k.columns AND i.columns <@ k.columns)
	LOOP
		RAISE 'mailbox key (%) of table % is not unique',
			array_to_string(key.columns, ', '), qualified_name(key.relation) USING
			ERRCODE = 'invalid_foreign_key',
			HINT = format('Create a unique index on exactly these columns, or name others with %s.', key.option);
	END LOOP;
	IF greatest(cardinality(store.mailbox_key), cardinality(store.message_key)) > max_keys THEN
		RAISE 'a % key can have at most % columns',
			CASE WHEN cardinality(store.mailbox_key) > max_keys THEN 'mailbox' ELSE 'message' END, max_keys USING
			ERRCODE = 'too_many_columns';
	END IF;

	FOR pair IN
		SELECT 'mailbox_key' AS option, 'message_mailbox' AS other_option, mismatch
		FROM key_mismatches(store.mailbox, store.mailbox_key, store.message, store.message_mailbox)
		UNION ALL
		SELECT 'mailbox_key', 'mailbox_source_key', mismatch
		FROM key_mismatches(store.mailbox, store.mailbox_key, store.mailbox_source, store.mailbox_source_key)
		UNION ALL
		SELECT 'mailbox_key', 'flag_mailbox', mismatch
		FROM key_mismatches(store.mailbox, store.mailbox_key, store.flag, store.flag_mailbox)
		UNION ALL
		SELECT 'message_key', 'flag_message', mismatch
		FROM key_mismatches(store.message, store.message_key, store.flag, store.flag_message)
	LOOP
		RAISE 'options % and % do not match', pair.option, pair.other_option USING
			ERRCODE = 'datatype_mismatch',
			DETAIL = pair.mismatch,
			HINT = 'Name as many columns in both, of the same types and in the same order.';
	END LOOP;

	PERFORM refuse_account_key(store);
	FOR key IN
		SELECT store.mailbox AS relation, k AS attribute, t.oid::regtype AS type, true AS hashed, true AS listed,
			t.typtype IN ('b', 'e') AND t.typcategory <> 'A' AS is_scalar
		FROM unnest(store.mailbox_key || store.account) AS k JOIN pg_type t ON t.oid = column_type(store.mailbox, k)
		UNION ALL
		SELECT store.flag, k, t.oid::regtype, false, t.typarray <> 0, true
		FROM unnest(store.flag_message) AS k JOIN pg_type t ON t.oid = column_type(store.flag, k)
		UNION ALL
		SELECT store.message, k, t.oid::regtype, true, t.typarray <> 0, t.typtype IN ('b', 'e') AND t.typcategory <> 'A'
		FROM unnest(ARRAY[store.email, store.thread]) AS k JOIN pg_type t ON t.oid = column_type(store.message, k)
	LOOP
		-- Functions that take a mailbox could not be given a key of several values
		IF NOT (is_sortable(key.type, key.hashed) AND key.listed AND key.is_scalar) THEN
			RAISE 'column "%" of table % cannot be a key for modseq', key.attribute, qualified_name(key.relation) USING
				ERRCODE = 'undefined_function',
				DETAIL = format(CASE WHEN key.is_scalar THEN 'Type %s lacks an order, a hash function or an array type.'
					ELSE 'Type %s is an array, a range or a composite type.' END, key.type),
				HINT = 'Name another column' || CASE WHEN key.attribute = ANY (store.account || store.email || store.thread)
					THEN '.' ELSE ' that is unique.' END;
		END IF;
	END LOOP;
	-- What is one mailbox by its own collation could be two by the messages' or the source's
	SELECT b.name AS mailbox, o.name AS other, k.relation, k.attribute INTO key
	FROM (
		SELECT store.message AS relation, u.*
		FROM unnest(store.mailbox_key, store.message_mailbox) AS u (mailbox, attribute)
		UNION ALL
		SELECT store.mailbox_source, u.*
		FROM unnest(store.mailbox_key, store.mailbox_source_key) AS u (mailbox, attribute)
		WHERE store.mailbox_source IS NOT NULL) AS k
	CROSS JOIN LATERAL column_collation(store.mailbox, k.mailbox) b
	CROSS JOIN LATERAL column_collation(k.relation, k.attribute) o
	WHERE b.name <> o.name AND NOT (b.is_deterministic AND o.is_deterministic);
	IF FOUND THEN
		RAISE 'column "%" of table % has another collation than the mailbox key',
			key.attribute, qualified_name(key.relation) USING
			ERRCODE = 'collation_mismatch',
			DETAIL = format('Collations %s and %s do not agree on which keys are equal.', key.other, key.mailbox),
			HINT = format('Use ALTER TABLE %s ALTER COLUMN %I TYPE ... COLLATE %s.',
				qualified_name(key.relation), key.attribute, key.mailbox);
	END IF;

	SELECT columns INTO wrong
	FROM usable_indexes(store.message)
	WHERE is_unique AND (columns = ARRAY[store.message_uid]
		OR store.message_modseq = ANY (columns) AND columns <@ (store.message_mailbox || store.message_modseq));
	IF FOUND THEN
		RAISE 'table % has a unique index on (%)', qualified_name(store.message), array_to_string(wrong, ', ') USING
			ERRCODE = 'invalid_table_definition',
			DETAIL = 'UIDs are unique only within a mailbox, and the messages that one statement changes share a '
				'mod-sequence.',
			HINT = 'Drop that index or constraint, or name another column with message_uid or message_modseq; it is '
				'added if it does not exist.';
	END IF;

	FOR flag IN
		SELECT store.message AS relation, unnest(store.message_flags) AS attribute
		UNION ALL
		SELECT attrelid, attname
		FROM pg_attribute
		WHERE attrelid = store.flag AND attnum > 0 AND NOT attisdropped
			AND attgenerated <> 'v'			-- these only follow other columns
			AND coalesce(attname = ANY (store.flag_columns), true)
	LOOP
		-- DISTINCT looks for the equality operator where the triggers do: in the type's default operator class
		BEGIN
			EXECUTE format('SELECT DISTINCT %I FROM %s LIMIT 0', flag.attribute, qualified_name(flag.relation));
		EXCEPTION WHEN undefined_function THEN
			RAISE 'changes of column "%" of table % cannot be told', flag.attribute, qualified_name(flag.relation) USING
				ERRCODE = 'undefined_function',
				DETAIL = format('Type %s has no equality operator.', column_type(flag.relation, flag.attribute)),
				HINT = 'Name the columns that count with message_flags or flag_columns, and leave it out; or change '
					'its type, as json to jsonb.';
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_keys IS
	'Refuses keys that do not fit, indexes that stand in the way, and flags that cannot be compared.';
/*
 * attach(): where the counters are. In the mailbox table, if that has columns for
 * them; else beside it, in a table of ours that is created, or found and kept.
 */

-- Column names that mean a counter. One of them is enough: an application that reads its UIDVALIDITY there goes on to
CREATE FUNCTION modseq_internal.usual_counter(relation regclass, option text) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT usual_column(relation, VARIADIC CASE option
		WHEN 'mailbox_uidvalidity' THEN
			'{uidvalidity,mailbox_uidvalidity,folder_uidvalidity,imap_uidvalidity}'::text[]
		WHEN 'mailbox_uidnext' THEN
			'{uidnext,next_uid,mailbox_uidnext,mailbox_next_uid,folder_uidnext,folder_next_uid,imap_uidnext}'
		WHEN 'mailbox_last_uid' THEN
			'{last_uid,uid_last,mailbox_last_uid,folder_last_uid,imap_last_uid,current_uid,folder_current_uid}'
		WHEN 'mailbox_highestmodseq' THEN
			'{highestmodseq,modseq,mailbox_highestmodseq,folder_highestmodseq,imap_highestmodseq,mailbox_modseq,'
			'folder_modseq,modify_index}' END)
$$;
COMMENT ON FUNCTION modseq_internal.usual_counter IS
	'The column of a mailbox table that has a usual name for that counter; NULL if there is none.';

CREATE FUNCTION modseq_internal.place_counters(
	store modseq_internal.store, before modseq_internal.store, place text)
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	named CONSTANT text[] := ARRAY(
		SELECT option
		FROM (VALUES
			('mailbox_uidvalidity', store.mailbox_uidvalidity::text),
			('mailbox_uidnext', store.mailbox_uidnext),
			('mailbox_last_uid', store.mailbox_last_uid),
			('mailbox_highestmodseq', store.mailbox_highestmodseq),
			('mailbox_source', store.mailbox_source::text)) AS o (option, value)
		WHERE value IS NOT NULL);
	was_beside CONSTANT boolean := before.counters IS NOT NULL;
	is_store CONSTANT boolean := before.mailbox IS NOT NULL;
BEGIN
	IF place NOT IN ('beside', 'mailbox') THEN
		RAISE 'option counters is neither "beside" nor "mailbox"' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'The counters are in a table beside the mailbox table, or in columns of the mailbox table.';
	END IF;
	IF coalesce(place = 'beside', was_beside) AND cardinality(named) > 0 THEN
		RAISE 'option % is for counters in the mailbox table', named[1] USING
			ERRCODE = 'invalid_parameter_value',
			DETAIL = 'The counters are, or shall be, in a table beside the mailbox table.',
			HINT = 'Leave the option out.';
	END IF;

	IF coalesce(place = 'beside', CASE WHEN is_store THEN was_beside ELSE
			cardinality(named) = 0
			AND num_nonnulls(usual_counter(store.mailbox, 'mailbox_uidvalidity'),
				usual_counter(store.mailbox, 'mailbox_uidnext'),
				usual_counter(store.mailbox, 'mailbox_last_uid'),
				usual_counter(store.mailbox, 'mailbox_highestmodseq')) = 0 END)
	THEN
		store.counters := coalesce(before.counters, 0);
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.place_counters IS
	'The store with its counter table, 0 if that is still to be found or created. A store that is attached keeps its '
	'counters where they are, unless it is told where they shall be.';

CREATE FUNCTION modseq_internal.counters_of_accounts(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT concat_ws(', ', 'created_modseq bigint, properties_modseq bigint',
		column_definitions(store.mailbox, ARRAY(
			SELECT name
			FROM unnest(store.account) WITH ORDINALITY AS u (name, place)
			WHERE name <> ALL (store.mailbox_key)
			ORDER BY place)))
	WHERE store.account IS NOT NULL
$$;
COMMENT ON FUNCTION modseq_internal.counters_of_accounts IS
	'The last columns of the counter table, if there are accounts: when the mailbox was created, when a property of it '
	'changed, and what the account has that is not in the mailbox key. Else NULL.';

CREATE FUNCTION modseq_internal.counters_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT concat_ws(', ', column_definitions(store.mailbox, store.mailbox_key),
		'uidvalidity bigint, uidnext bigint, highestmodseq bigint, gone_at timestamp with time zone',
		counters_of_accounts(store))
$$;
COMMENT ON FUNCTION modseq_internal.counters_definitions IS
	'The columns of the counter table: the mailbox key as the mailbox table has it, the counters, and since when there '
	'is no such mailbox.';

-- Only of one that is ours but for that: what a forged store names could be anybody's
CREATE FUNCTION modseq_internal.fit_counters(store modseq_internal.store, relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	old modseq_internal.store := store;
	columns CONSTANT name[] := ARRAY(
		SELECT attname FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum);
	extra CONSTANT name[] := columns[cardinality(store.mailbox_key) + 5:];
BEGIN
	old.account := NULL;
	IF relation IS NULL OR column_definitions(relation, columns) = counters_definitions(store)
		OR column_definitions(relation, trim_array(columns, cardinality(extra))) <> counters_definitions(old)
		OR (SELECT relowner FROM pg_class WHERE oid = relation) <> (SELECT relowner FROM pg_class WHERE oid = store.message)
	THEN
		RETURN;
	END IF;
	PERFORM run(ARRAY(
		SELECT format('ALTER TABLE %s DROP COLUMN %I', qualified_name(relation), name) FROM unnest(extra) AS name));
	IF store.account IS NOT NULL THEN
		EXECUTE format('ALTER TABLE %s ADD created_modseq bigint, ADD properties_modseq bigint', qualified_name(relation));
		PERFORM run(ARRAY(
			SELECT format('ALTER TABLE %s ADD %s', qualified_name(relation), column_definitions(store.mailbox, ARRAY[name]))
			FROM unnest(store.account) WITH ORDINALITY AS u (name, place)
			WHERE name <> ALL (store.mailbox_key)
			ORDER BY place));
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.fit_counters IS
	'Gives a counter table the columns that it has because of accounts, or takes them from it.';

CREATE FUNCTION modseq_internal.find_counters(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	relation CONSTANT regclass := coalesce(table_named(counters_name(store)), nullif(store.counters, 0));
BEGIN
	PERFORM follow_owner(store, relation);
	PERFORM fit_counters(store, relation);
	PERFORM refuse_as_ours(store, relation, counters_definitions(store), store.mailbox_key,
		'If it is the store''s, ALTER it so; else rename or drop it, and modseq.attach() creates its own. Or have the '
		'counters in the mailbox table, with counters => ''mailbox''.');
	RETURN relation;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_counters IS
	'The counter table that there is already, since an earlier attach() or out of a dump. Error 42P07 if it is not '
	'what is needed.';

-- No foreign key either way. None to the mailboxes, lest theirs wait for us. Half of a page is for versions to come:
-- each statement writes one.
CREATE FUNCTION modseq_internal.create_counters(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := counters_name(store);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s, PRIMARY KEY (%s)) WITH (fillfactor = 50)',
		name, counters_definitions(store), quoted_list(store.mailbox_key));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN uidvalidity SET NOT NULL,
			ALTER COLUMN uidvalidity SET DEFAULT modseq.next_uidvalidity(),
			ALTER COLUMN uidnext SET NOT NULL,
			ALTER COLUMN uidnext SET DEFAULT 1,
			ALTER COLUMN highestmodseq SET NOT NULL,
			ALTER COLUMN highestmodseq SET DEFAULT 1,
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of the mailboxes of %s. Kept by modseq.',
			qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_counters IS
	'Creates the counter table.';

-- The triggers of the table that is written are off. A counter table that is there already is none of this store's.
CREATE FUNCTION modseq_internal.move_counters(store modseq_internal.store, before modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	old modseq_internal.store := store;		-- with its counters where they were
	notice text;
BEGIN
	IF before.mailbox IS DISTINCT FROM store.mailbox OR before.counters = 0
		OR (before.counters IS NULL) = (store.counters IS NULL)
	THEN
		RETURN;
	END IF;
	old.counters := before.counters;
	old.account := NULL;
	old.account_table := NULL;
	old.departed := NULL;
	old.email := NULL;
	old.thread := NULL;
	old.mailbox_properties := NULL;
	old.mailbox_uidvalidity := before.mailbox_uidvalidity;
	old.mailbox_uidnext := before.mailbox_uidnext;
	old.mailbox_last_uid := before.mailbox_last_uid;
	old.mailbox_highestmodseq := before.mailbox_highestmodseq;
	IF store.counters IS NOT NULL THEN
		EXECUTE format('TRUNCATE %s', qualified_name(store.counters));
		EXECUTE format('INSERT INTO %s %s', qualified_name(store.counters), expand_template(old, '
			({key}, uidvalidity, uidnext, highestmodseq)
			SELECT {b.key}, coalesce(nullif(b.{uidvalidity}, 0), modseq.next_uidvalidity()), {b.uidnext}, {b.highestmodseq}
			FROM {mailbox} b
			WHERE num_nulls({b.key}) = 0'));
		FOREACH notice IN ARRAY remove_added(ARRAY[store.mailbox]) LOOP
			RAISE NOTICE '%', notice;
		END LOOP;
	ELSE
		EXECUTE expand_template(old, format('
			UPDATE {source} s SET %I = b.{uidvalidity}, %I = b.{uidnext} {-} %s, %I = b.{highestmodseq}
			FROM {mailbox} b WHERE {s=b}',
			store.mailbox_uidvalidity, coalesce(store.mailbox_uidnext, store.mailbox_last_uid),
			CASE WHEN store.mailbox_uidnext IS NULL THEN 1 ELSE 0 END, store.mailbox_highestmodseq));
		RAISE NOTICE '%', drop_ours(store, before.counters);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.move_counters IS
	'Takes the counters along where they go to another place than they were in.';
/*
 * attach(): what was not named, from the store as it was, from foreign keys, and
 * from usual names.
 */

-- The store names it by the schema that both were in, and its triggers name the message table so; whose that name is now
-- does not matter
CREATE FUNCTION modseq_internal.part_that_came_along(message regclass, option text) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT c.oid
	FROM store_options(message) o CROSS JOIN parse_ident(o.value) AS former (name)
	JOIN pg_class m ON m.oid = part_that_came_along.message
	JOIN pg_namespace n ON n.oid = m.relnamespace
	JOIN pg_class c ON c.relnamespace = m.relnamespace AND c.relowner = m.relowner AND c.relname = former.name[2]
	WHERE o.option = part_that_came_along.option AND former.name[1] <> n.nspname
		AND EXISTS (
			SELECT FROM our_triggers(ARRAY[c.oid::regclass]) t
			WHERE trigger_options(t.oid) = ARRAY[format('%I.%I', former.name[1], m.relname)])
$$;
COMMENT ON FUNCTION modseq_internal.part_that_came_along IS
	'A table of a store that went to another schema with its message table, as where the schema was renamed.';

-- Where a store's table has the triggers, whatever it is called now; but what names itself a part of a stranger's store
-- could be anybody's
CREATE FUNCTION modseq_internal.find_part(message regclass, named regclass, option text, function text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	found regclass;
BEGIN
	-- It is looked for among all tables only where it is not what the store names
	IF has_trigger_for(named, message) OR NOT EXISTS (SELECT FROM store_options(message) o WHERE o.option = find_part.option)
	THEN
		RETURN named;
	END IF;
	found := part_that_came_along(message, option);
	IF found IS NOT NULL THEN
		RETURN found;
	END IF;
	SELECT CASE WHEN count(DISTINCT c.oid) = 1 THEN min(c.oid) END INTO found
	FROM our_triggers(tables_naming(message)) t
	JOIN pg_class c ON c.oid = t.tgrelid
	JOIN pg_class m ON m.oid = find_part.message AND m.relowner = c.relowner
	WHERE t.tgfoid = to_regproc('modseq.' || function)
		AND trigger_options(t.oid) = ARRAY[qualified_name(find_part.message)];
	RETURN coalesce(found, named);
END
$$;
COMMENT ON FUNCTION modseq_internal.find_part IS
	'A table of a store: the one whose trigger calls that function for it, else the one that the store names.';

CREATE FUNCTION modseq_internal.find_before(message regclass) RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
	beside boolean;
	counters regclass;
BEGIN
	SELECT * INTO store FROM store_of(message);
	IF FOUND THEN
		SELECT count(*) > 0, table_named(min(value)) INTO beside, counters FROM store_options(message) WHERE option = 'counters';
		IF beside THEN
			store.mailbox := find_part(message, store.mailbox, 'mailbox', 'trigger_source');
			store.counters := coalesce(
				find_part(message, coalesce(store.counters, counters), 'counters', 'trigger_mailbox'), 0);
		ELSE
			store.mailbox := find_part(message, store.mailbox, 'mailbox', 'trigger_mailbox');
			store.mailbox_source := find_part(message, store.mailbox_source, 'mailbox_source', 'trigger_source');
		END IF;
		store.flag := find_part(message, store.flag, 'flag', 'trigger_collect_flag');
		store.account_table := find_part(message, store.account_table, 'account_table', 'trigger_account');
		-- Also one that is not believed: attach() refuses it, and does not begin another one in silence
		store.vanished := coalesce(store.vanished,
			(SELECT table_named(value) FROM store_options(message) WHERE option = 'vanished'));
		store.account_table := coalesce(store.account_table,
			(SELECT table_named(value) FROM store_options(message) WHERE option = 'account_table'));
		store.departed := coalesce(store.departed,
			(SELECT table_named(value) FROM store_options(message) WHERE option = 'departed'));
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_before IS
	'The store as an earlier attach() left it, with tables that were renamed since; counters is 0 if there is no such '
	'table any more. Nulls if there is no store.';

CREATE FUNCTION modseq_internal.reset_options(before modseq_internal.store, given modseq_internal.store, reset name[])
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	options CONSTANT text[] := ARRAY(
		SELECT attname
		FROM pg_attribute
		WHERE attrelid = 'modseq_internal.store'::regclass AND attname NOT IN ('message', 'mailbox', 'vanished', 'counters', 'account_table', 'departed')
		ORDER BY attnum);
	option text;
BEGIN
	FOREACH option IN ARRAY coalesce(reset, '{}') LOOP
		IF option = ANY (options) IS NOT TRUE THEN
			RAISE 'there is no option "%" to reset', option USING
				ERRCODE = 'invalid_parameter_value',
				HINT = format('These can be reset: %s.', array_to_string(options, ', '));
		END IF;
		IF to_jsonb(given) ->> option IS NOT NULL THEN
			RAISE 'option % is both given and reset', option USING
				ERRCODE = 'invalid_parameter_value',
				HINT = 'Give its new value alone.';
		END IF;
		before := jsonb_populate_record(before, jsonb_build_object(option, NULL));
	END LOOP;
	RETURN before;
END
$$;
COMMENT ON FUNCTION modseq_internal.reset_options IS
	'The store as it was, but for the options that shall not keep their values.';

CREATE FUNCTION modseq_internal.keep_tables(store modseq_internal.store, before modseq_internal.store, reset name[])
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	gone record;
BEGIN
	-- The mailbox table of a store whose counters are beside it is the application's, whichever of the two is given
	IF store.mailbox = before.counters THEN
		store.mailbox := before.mailbox;
	END IF;
	IF store.mailbox IS NULL OR store.mailbox = before.mailbox THEN
		store.mailbox_source := coalesce(store.mailbox_source, before.mailbox_source);
	END IF;
	store.mailbox := coalesce(store.mailbox, before.mailbox);
	store.flag := coalesce(store.flag, before.flag);

	SELECT o.option, o.value AS name INTO gone
	FROM store_options(store.message) AS o
	WHERE to_jsonb(store) -> o.option = 'null'
		AND (o.option IN ('mailbox', 'flag') OR o.option = 'mailbox_source' AND store.mailbox = before.mailbox)
		AND o.option <> ALL (coalesce(reset, '{}'))
	ORDER BY o.option DESC LIMIT 1;
	IF FOUND THEN
		RAISE 'table % of the store does not exist any more', gone.name USING
			ERRCODE = 'undefined_table',
			HINT = CASE gone.option
				WHEN 'mailbox' THEN 'Give the mailbox table as the second argument of modseq.attach().'
				ELSE format('Give the table that it is now with %s, or end its use with '
					'reset => ''{%1$s}''.', gone.option) END;
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.keep_tables IS
	'Fills tables that were not given with those of the store as it was. Error 42P01 if such a table is gone.';

CREATE FUNCTION modseq_internal.kept_column(relation regclass, option text, given name, before name) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF given IS NULL AND column_type(relation, before) IS NULL AND before IS NOT NULL THEN
		RAISE 'column "%" of table % does not exist', before, qualified_name(relation) USING
			ERRCODE = 'undefined_column',
			HINT = format('Name the column that it is now with %s, or end its use with reset => ''{%1$s}''.', option);
	END IF;
	RETURN coalesce(given, before);
END
$$;
COMMENT ON FUNCTION modseq_internal.kept_column IS
	'A column that nothing takes the place of: error 42703 if it is gone.';

CREATE FUNCTION modseq_internal.keep_accounts(store modseq_internal.store, before modseq_internal.store)
RETURNS modseq_internal.store
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	kept name;
BEGIN
	IF store.account IS NULL THEN
		FOREACH kept IN ARRAY coalesce(before.account, '{}') LOOP
			PERFORM kept_column(store.mailbox, 'account', NULL, kept);
		END LOOP;
		store.account := before.account;
	END IF;
	IF store.account IS NULL THEN
		store.account_table := NULL;
		store.departed := NULL;
	ELSE
		store.email := kept_column(store.message, 'email', store.email, before.email);
		store.thread := kept_column(store.message, 'thread', store.thread, before.thread);
		FOREACH kept IN ARRAY coalesce(before.mailbox_properties, '{}') LOOP
			CONTINUE WHEN store.mailbox_properties IS NOT NULL;
			PERFORM kept_column(store.mailbox, 'mailbox_properties', NULL, kept);
		END LOOP;
		store.mailbox_properties := coalesce(store.mailbox_properties, before.mailbox_properties);
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.keep_accounts IS
	'The same as keep_options() for options of accounts.';

-- For a table that was renamed, or a store that is to be repaired
CREATE FUNCTION modseq_internal.keep_options(store modseq_internal.store, before modseq_internal.store)
RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF before.mailbox = store.mailbox THEN
		store.mailbox_key := coalesce(store.mailbox_key, existing_columns(store.mailbox, before.mailbox_key));
		IF before.counters IS NULL AND store.counters IS NULL THEN
			store.mailbox_uidvalidity := coalesce(store.mailbox_uidvalidity,
				existing_column(store.mailbox, before.mailbox_uidvalidity));
			IF num_nonnulls(store.mailbox_uidnext, store.mailbox_last_uid) = 0 THEN
				store.mailbox_uidnext := existing_column(store.mailbox, before.mailbox_uidnext);
				store.mailbox_last_uid := existing_column(store.mailbox, before.mailbox_last_uid);
			END IF;
			store.mailbox_highestmodseq := coalesce(store.mailbox_highestmodseq,
				existing_column(store.mailbox, before.mailbox_highestmodseq));
		END IF;
		IF cardinality(store.mailbox_key) = cardinality(before.message_mailbox) THEN
			store.message_mailbox := coalesce(store.message_mailbox,
				existing_columns(store.message, before.message_mailbox));
		END IF;

		IF before.mailbox_source = store.mailbox_source THEN
			store.mailbox_source_key := coalesce(store.mailbox_source_key,
				existing_columns(store.mailbox_source, before.mailbox_source_key));
		END IF;
	END IF;
	store.message_uid := coalesce(store.message_uid, existing_column(store.message, before.message_uid));
	store.message_modseq := coalesce(store.message_modseq, existing_column(store.message, before.message_modseq));
	store.message_created_modseq := kept_column(
		store.message, 'message_created_modseq', store.message_created_modseq, before.message_created_modseq);
	-- A column may become the soft-delete column that was a flag, or the other way round
	IF before.message_expunged <> ALL (coalesce(store.message_flags, '{}')) THEN
		store.message_expunged := kept_column(
			store.message, 'message_expunged', store.message_expunged, before.message_expunged);
	END IF;
	store.message_flags := coalesce(store.message_flags,
		array_remove(existing_columns(store.message, before.message_flags), store.message_expunged));
	-- Where one of them was dropped or renamed: the others, and the usual names
	IF store.message_flags IS NULL AND cardinality(before.message_flags) > 0 THEN
		store.message_flags := array_remove((
			SELECT array_agg(attname ORDER BY attnum)
			FROM pg_attribute
			WHERE attrelid = store.message AND attnum > 0 AND NOT attisdropped
				AND attname = ANY (before.message_flags || usual_flags(store.message))), store.message_expunged);
		RAISE WARNING 'flag column "%" of table % does not exist any more', (
				SELECT string_agg(f, '", "' ORDER BY place)
				FROM unnest(before.message_flags) WITH ORDINALITY AS u (f, place)
				WHERE column_type(store.message, f) IS NULL),
			qualified_name(store.message) USING
			HINT = 'If it was renamed, name all flag columns with message_flags.';
	END IF;
	IF before.flag = store.flag THEN
		IF num_nonnulls(store.message_key, store.flag_message, store.flag_mailbox, store.flag_uid) = 0 THEN
			store.message_key := existing_columns(store.message, before.message_key);
			store.flag_message := existing_columns(store.flag, before.flag_message);
			store.flag_mailbox := existing_columns(store.flag, before.flag_mailbox || before.flag_uid);
			store.flag_uid := store.flag_mailbox[cardinality(store.flag_mailbox)];
			store.flag_mailbox := trim_array(store.flag_mailbox, 1);
		END IF;
		store.flag_columns := coalesce(store.flag_columns, existing_columns(store.flag, before.flag_columns));
	END IF;
	store.changes := coalesce(store.changes, before.changes);
	store.notify := coalesce(store.notify, before.notify);
	RETURN keep_accounts(store, before);
END
$$;
COMMENT ON FUNCTION modseq_internal.keep_options IS
	'Fills options that were not given with what an earlier attach() was told or found, unless a column is gone.';

CREATE FUNCTION modseq_internal.infer_mailbox(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	store.mailbox_key := coalesce(store.mailbox_key, referenced_mailbox_key(store), primary_key(store.mailbox));
	IF store.mailbox_key IS NULL THEN
		RAISE 'table % has no primary key', qualified_name(store.mailbox) USING
			ERRCODE = 'invalid_foreign_key',
			HINT = 'Add one, or name the columns of a unique index with mailbox_key.';
	END IF;
	IF store.mailbox_source IS NOT NULL THEN
		store.mailbox_source_key := coalesce(store.mailbox_source_key,
			referenced_columns(store.mailbox, store.mailbox_source, store.mailbox_key),
			primary_key(store.mailbox_source));
		IF store.mailbox_source_key IS NULL THEN
			RAISE 'table % has no primary key', qualified_name(store.mailbox_source) USING
				ERRCODE = 'invalid_foreign_key',
				HINT = 'Add one, or name the columns of a unique index with mailbox_source_key.';
		END IF;
	END IF;
	IF store.counters IS NOT NULL THEN
		store.mailbox_uidvalidity := 'uidvalidity';
		store.mailbox_uidnext := 'uidnext';
		store.mailbox_highestmodseq := 'highestmodseq';
		RETURN store;
	END IF;
	store.mailbox_uidvalidity := coalesce(store.mailbox_uidvalidity,
		usual_counter(store.mailbox, 'mailbox_uidvalidity'), 'uidvalidity');
	IF store.mailbox_last_uid IS NULL THEN
		store.mailbox_uidnext := coalesce(store.mailbox_uidnext, usual_counter(store.mailbox, 'mailbox_uidnext'));
	END IF;
	IF store.mailbox_uidnext IS NULL THEN
		store.mailbox_last_uid := coalesce(store.mailbox_last_uid, usual_counter(store.mailbox, 'mailbox_last_uid'));
	END IF;
	IF num_nonnulls(store.mailbox_uidnext, store.mailbox_last_uid) = 0 THEN
		store.mailbox_uidnext := 'uidnext';
	END IF;
	store.mailbox_highestmodseq := coalesce(store.mailbox_highestmodseq,
		usual_counter(store.mailbox, 'mailbox_highestmodseq'), 'highestmodseq');
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_mailbox IS
	'Finds the columns of the mailbox table that were not named.';

CREATE FUNCTION modseq_internal.infer_message(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	store.message_mailbox := coalesce(store.message_mailbox,
		referencing_columns(store.message, store.mailbox, store.mailbox_key),
		referencing_columns(store.message, store.mailbox_source, store.mailbox_source_key),
		usual_reference(store.message, store.mailbox_source, store.mailbox_source_key, 'mailbox', 'folder', 'box'),
		usual_reference(store.message, store.mailbox, store.mailbox_key, 'mailbox', 'folder', 'box'));
	IF store.message_mailbox IS NULL THEN
		RAISE 'cannot find the mailbox key in table %', qualified_name(store.message) USING
			ERRCODE = 'undefined_column',
			DETAIL = format('There is no single foreign key to columns (%s) of table %s, and no column with a usual '
				'name and the same type.', array_to_string(store.mailbox_key, ', '), qualified_name(store.mailbox)),
			HINT = 'Name the columns with message_mailbox.';
	END IF;
	store.message_uid := coalesce(store.message_uid,
		usual_column(store.message, 'uid', 'imap_uid', 'message_uid', 'mail_uid', 'msg_uid', 'email_uid'), 'uid');
	store.message_modseq := coalesce(store.message_modseq,
		usual_column(store.message, 'modseq', 'imap_modseq', 'message_modseq', 'mail_modseq', 'msg_modseq',
			'email_modseq'), 'modseq');
	store.message_created_modseq := coalesce(store.message_created_modseq,
		usual_column(store.message, 'created_modseq', 'create_modseq', 'create_seq'),
		CASE WHEN store.account IS NOT NULL THEN 'created_modseq' END);
	store.message_flags := coalesce(store.message_flags, (
		SELECT array_agg(f ORDER BY place)
		FROM unnest(usual_flags(store.message)) WITH ORDINALITY AS u (f, place)
		WHERE f <> ALL (store.message_mailbox || store.message_uid || store.message_modseq)
			AND f IS DISTINCT FROM store.message_expunged));
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_message IS
	'Finds the columns of the message table that were not named.';

-- To the message table; from it, where the flags are those of a message that is in several mailboxes; or, with both of
-- these tables, to a third one, that of the messages
CREATE FUNCTION modseq_internal.flag_references(store modseq_internal.store)
RETURNS TABLE (rank int, columns name[], key name[])
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	WITH reference AS (
		SELECT 1 AS rank, f.columns, f.referenced AS key
		FROM foreign_keys(store.flag, store.message) f
		WHERE NOT f.referenced @> (store.message_mailbox || store.message_uid)		-- for these are its UID
		UNION ALL
		SELECT 2, m.referenced, m.columns
		FROM foreign_keys(store.message, store.flag) m
		UNION ALL
		SELECT 3, f.columns, ARRAY(
			SELECT m.columns[array_position(m.referenced, r.name)]
			FROM unnest(f.referenced) WITH ORDINALITY AS r (name, place)
			ORDER BY r.place)
		FROM references_of(store.flag) f
		JOIN references_of(store.message) m
			ON m.relation = f.relation AND m.referenced @> f.referenced AND m.referenced <@ f.referenced
		WHERE f.relation NOT IN (store.mailbox, store.message, store.flag)
			AND EXISTS (SELECT FROM unnest(f.columns) AS c WHERE plain_name(c) ~ '^(e?mail|message|msg)')
			AND EXISTS (SELECT FROM unnest(m.columns) AS c WHERE plain_name(c) ~ '^(e?mail|message|msg)')),
	fitting AS (
		SELECT *
		FROM reference r
		WHERE r.rank = (SELECT min(rank) FROM reference)
			AND coalesce(r.columns @> store.flag_message AND r.columns <@ store.flag_message, true)
			AND coalesce(r.key @> store.message_key AND r.key <@ store.message_key, true))
	-- The fewest columns, in the order in which they are given
	SELECT f.rank, ordered.columns, ordered.key
	FROM fitting f
	CROSS JOIN LATERAL (
		SELECT array_agg(c.name ORDER BY o.place), array_agg(c.key ORDER BY o.place)
		FROM unnest(f.columns, f.key) WITH ORDINALITY AS c (name, key, place)
		CROSS JOIN LATERAL coalesce(
			array_position(store.flag_message, c.name), array_position(store.message_key, c.key), c.place) AS o (place))
		AS ordered (columns, key)
	WHERE cardinality(f.columns) = (SELECT min(cardinality(columns)) FROM fitting)
$$;
COMMENT ON FUNCTION modseq_internal.flag_references IS
	'How flags name messages, going by foreign keys.';

CREATE FUNCTION modseq_internal.infer_flag(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	numbers CONSTANT name[] := store.message_mailbox || store.message_uid;
	by_key CONSTANT boolean := num_nonnulls(store.flag_message, store.message_key) > 0;		-- as the caller says
	by_numbers name[];
	fk record;
BEGIN
	IF store.flag IS NULL OR store.flag_mailbox IS NOT NULL THEN
		RETURN store;
	END IF;

	SELECT min(f.rank) AS rank, min(f.columns) AS columns, min(f.key) AS key INTO fk
	FROM flag_references(store) AS f
	HAVING count(DISTINCT (f.columns, f.key)) = 1;
	IF fk.rank IS DISTINCT FROM 1 AND NOT by_key THEN
		by_numbers := referencing_columns(store.flag, store.message, numbers);
	END IF;

	IF by_numbers IS NULL THEN
		store.message_key := coalesce(store.message_key, fk.key, (
			SELECT key
			FROM primary_key(store.message) AS key
			WHERE store.message_uid <> ALL (key) AND coalesce(cardinality(key) = cardinality(store.flag_message), true)));
		store.flag_message := coalesce(store.flag_message, fk.columns,
			usual_reference(store.flag, store.message, store.message_key, 'mail', 'message', 'msg'));
		IF num_nonnulls(store.flag_message, store.message_key) = 2 THEN
			RETURN store;
		END IF;
		by_numbers := usual_reference(store.flag, store.message, numbers, 'mail', 'message', 'msg');
	END IF;
	IF by_numbers IS NULL AND NOT by_key THEN
		-- The messages themselves, in several mailboxes each: their key has one name in both tables
		SELECT array_agg(a.attname ORDER BY k.place), key INTO store.message_key, store.flag_message
		FROM primary_key(store.flag) AS key
		CROSS JOIN LATERAL unnest(key) WITH ORDINALITY AS k (name, place)
		JOIN pg_attribute a ON plain_name(a.attname) = plain_name(k.name) AND plain_name(k.name) <> 'id'
		WHERE a.attrelid = store.message AND a.attnum > 0
			AND may_hold_same_key(column_type(store.flag, k.name), column_type(store.message, a.attname))
		GROUP BY key
		HAVING count(*) = cardinality(key)
			AND (cardinality(key) = 1 OR bool_or(plain_name(k.name) ~ '^(e?mail|message|msg)'));
		IF FOUND THEN
			RETURN store;
		END IF;
	END IF;
	IF by_numbers IS NULL OR by_key THEN
		RAISE 'cannot find out how table % names its messages', qualified_name(store.flag) USING
			ERRCODE = 'undefined_column',
			HINT = 'Name the columns with flag_message and message_key, or with flag_mailbox and flag_uid.';
	END IF;
	store.message_key := NULL;
	store.flag_mailbox := by_numbers[:cardinality(by_numbers) - 1];
	store.flag_uid := by_numbers[cardinality(by_numbers)];
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_flag IS
	'Finds the columns of the flag table that were not named: a row names its message by the message''s key, or '
	'by mailbox and UID.';

-- An Email may be in several mailboxes: what names it there is the rest of the key
CREATE FUNCTION modseq_internal.usual_email(store modseq_internal.store) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT rest.columns[1]
	FROM (VALUES (1, store.message_key), (2, primary_key(store.message))) AS k (rank, key)
	CROSS JOIN LATERAL (
		SELECT array_agg(name)
		FROM unnest(key) AS name
		WHERE cardinality(key) = 1 OR name <> ALL (store.message_mailbox || store.message_uid || ARRAY(SELECT partition_key(store.message))))
		AS rest (columns)
	WHERE cardinality(rest.columns) = 1
	ORDER BY rank LIMIT 1
$$;
COMMENT ON FUNCTION modseq_internal.usual_email IS
	'The column that tells Emails apart, going by the message''s key; NULL if that does not say.';

CREATE FUNCTION modseq_internal.infer_account(store modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.account IS NULL THEN
		IF num_nonnulls(store.email, store.thread, store.mailbox_properties) > 0 THEN
			RAISE 'options email, thread and mailbox_properties need account' USING
				ERRCODE = 'invalid_parameter_value',
				HINT = 'Name the columns of the mailbox table that say whose it is with account; or give ''{}'', if all '
					'mailboxes are of one account.';
		END IF;
		RETURN store;
	END IF;
	store.email := coalesce(store.email, usual_email(store));
	IF store.email IS NULL THEN
		RAISE 'cannot find the column of table % that tells Emails apart', qualified_name(store.message) USING
			ERRCODE = 'undefined_column',
			HINT = 'Name it with email.';
	END IF;
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer_account IS
	'Finds the column that tells Emails apart, if it was not named.';

CREATE FUNCTION modseq_internal.infer(given modseq_internal.store) RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
BEGIN
	PERFORM refuse_columns(given);		-- or nothing may be found that goes with them
	store := infer_mailbox(given);
	store := infer_message(store);
	store := infer_flag(store);
	store := infer_account(store);
	store.changes := coalesce(store.changes, 'index');
	IF store.changes = 'log' AND store.account IS NOT NULL THEN
		RAISE 'accounts need an index on mod-sequences' USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'Changes of an account are found by it, and not in the log of its mailboxes.',
			HINT = 'Give changes => ''index'', or end the accounts with reset => ''{account}''.';
	END IF;
	PERFORM refuse_columns(store);
	PERFORM refuse_keys(store);
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.infer IS
	'Finds all columns that were not named, and refuses what cannot be served.';
/*
 * attach(): the table of vanished UIDs, which it creates, or finds and keeps.
 */

CREATE FUNCTION modseq_internal.vanished_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT column_definitions(store.mailbox, store.mailbox_key)
		|| ', modseq bigint, uids modseq.uidset, vanished_at timestamp with time zone'
$$;
COMMENT ON FUNCTION modseq_internal.vanished_definitions IS
	'The columns of the vanished table: the mailbox key as the mailbox table has it, and ours, but for those of later_columns().';

-- In the order in which they came to be there
CREATE FUNCTION modseq_internal.later_columns(vanished regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(string_agg(', ' || c.definition, '' ORDER BY a.attnum), '')
	FROM pg_attribute a
	JOIN (VALUES ('lost', 'lost bigint'), ('lost_uids', 'lost_uids modseq.uidset'), ('changed', 'changed modseq.uidset'))
		AS c (name, definition) ON c.name = a.attname
	WHERE a.attrelid = vanished AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION modseq_internal.later_columns IS
	'Of columns of a vanished table that attach() adds by and by, those that are there, as they should be.';

CREATE FUNCTION modseq_internal.has_log(vanished regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT column_type(vanished, 'changed') = 'modseq.uidset'::regtype IS TRUE
$$;
COMMENT ON FUNCTION modseq_internal.has_log IS
	'Has a vanished table the column of a store that logs changes?';

CREATE FUNCTION modseq_internal.follow_mailbox_key(ours regclass, kept name[], store modseq_internal.store)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	old name;
	new name;
BEGIN
	IF cardinality(kept) IS DISTINCT FROM cardinality(store.mailbox_key) THEN
		RETURN;
	END IF;
	-- One at a time: of two, their order could be another one now
	FOR old, new IN SELECT * FROM unnest(kept, store.mailbox_key) AS k (old, new) WHERE k.old <> k.new LOOP
		IF column_type(store.mailbox, old) IS NULL AND kept = array_replace(store.mailbox_key, new, old) THEN
			EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', qualified_name(ours), old, new);
		END IF;
	END LOOP;
	FOREACH new IN ARRAY store.mailbox_key LOOP
		IF column_definitions(ours, ARRAY[new]) <> column_definitions(store.mailbox, ARRAY[new])
			AND may_hold_same_key(column_type(ours, new), column_type(store.mailbox, new))
		THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', qualified_name(ours), new,
				substr(column_definitions(store.mailbox, ARRAY[new]), length(quote_ident(new)) + 2));
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_mailbox_key IS
	'Lets a table of ours, whose key begins with the columns that it kept, follow the mailbox key, of which a column was '
	'renamed or got another type of the same kind.';

-- After ALTER TABLE ... OWNER TO of the message table. Only of a table of ours that has the message table's name: what a
-- forged store names could be anybody's, which a superuser would give away here.
CREATE FUNCTION modseq_internal.follow_owner(store modseq_internal.store, ours regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	owners record;
BEGIN
	SELECT v.relowner::regrole AS old, m.relowner::regrole AS new INTO owners
	FROM pg_class v JOIN pg_class m ON m.relowner <> v.relowner
	WHERE v.oid = ours AND m.oid = store.message AND v.relkind = 'r'
		AND (v.oid = store.vanished AND v.oid = table_named(vanished_name(store.message))
			OR v.oid = store.counters AND v.oid = table_named(counters_name(store))
			OR v.oid = store.account_table AND v.oid = table_named(account_name(store.message))
			OR v.oid = store.departed AND v.oid = table_named(departed_name(store.message)))
		AND NOT EXISTS (
			SELECT FROM stores_of(ours) AS s WHERE s.message <> store.message);
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF NOT pg_has_role(owners.old, 'USAGE') OR NOT pg_has_role(owners.new, 'USAGE') THEN
		RAISE 'table % has another owner than table %', qualified_name(ours), qualified_name(store.message) USING
			ERRCODE = 'insufficient_privilege',
			DETAIL = format('It belongs to %s, and role %s may not change that.', owners.old, quote_ident(current_user)),
			HINT = format('Use ALTER TABLE %s OWNER TO %s as a superuser, and then call modseq.attach().',
				qualified_name(ours), owners.new);
	END IF;
	EXECUTE format('ALTER TABLE %s OWNER TO %s', qualified_name(ours), owners.new);
	RAISE NOTICE 'table % belongs to % now, as table % does', qualified_name(ours), owners.new,
		qualified_name(store.message);
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_owner(modseq_internal.store, regclass) IS
	'Gives a table of ours, which is called after the message table, to the owner of that.';

CREATE FUNCTION modseq_internal.follow_owner(message regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
BEGIN
	SELECT * INTO store FROM store_of(message);
	IF FOUND THEN
		PERFORM follow_owner(store, store.vanished);
		PERFORM follow_owner(store, store.counters);
		PERFORM follow_owner(store, store.account_table);
		PERFORM follow_owner(store, store.departed);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_owner(regclass) IS
	'The same for a message table, which may have no store yet.';

-- The triggers write to it with its owner's rights, so it must not be just anybody's
CREATE FUNCTION modseq_internal.refuse_as_ours(
	store modseq_internal.store, relation regclass, definitions text, key name[], hint text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF is_inherited(relation) THEN
		RAISE 'table % is a partition, inherits or is inherited from', qualified_name(relation) USING
			ERRCODE = 'feature_not_supported',
			DETAIL = 'It has what modseq keeps of one store, and nothing else.',
			HINT = 'Use ALTER TABLE ... DETACH PARTITION, or NO INHERIT.';
	END IF;
	IF relation IS NOT NULL AND NOT EXISTS (
		SELECT FROM pg_class c
		WHERE c.oid = relation AND c.relkind = 'r' AND c.relpersistence = 'p'
			AND c.relowner = (SELECT m.relowner FROM pg_class m WHERE m.oid = store.message)
			AND primary_key(relation) IS NOT DISTINCT FROM key
			AND definitions = column_definitions(relation, ARRAY(
				SELECT attname FROM pg_attribute
				WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum))
			AND NOT EXISTS (
				SELECT FROM stores_of(relation) AS s WHERE s.message <> store.message))
	THEN
		RAISE 'table % exists and is not what modseq needs', qualified_name(relation) USING
			ERRCODE = 'duplicate_table',
			DETAIL = format(
				'It must have columns (%s) with %s, the owner of table %s, and no other store.',
				definitions, coalesce(format('primary key (%s)', array_to_string(key, ', ')), 'no primary key'),
				qualified_name(store.message)),
			HINT = hint;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_as_ours IS
	'Refuses a table that is in the place of one of ours and is not what is needed, with error 42P07.';

CREATE FUNCTION modseq_internal.find_vanished(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	-- Of a table that was renamed it is still under the old name; but a schema that was renamed took it along
	relation CONSTANT regclass := coalesce(table_named(vanished_name(store.message)), store.vanished);
BEGIN
	PERFORM follow_owner(store, relation);
	PERFORM refuse_as_ours(store, relation,
		vanished_definitions(store) || later_columns(relation),
		store.mailbox_key || 'modseq'::name,
		'If it is the store''s, ALTER it so; else rename or drop it, and modseq.attach() creates its own.');
	IF relation IS NOT NULL AND column_type(relation, 'lost') IS NULL THEN
		EXECUTE format('ALTER TABLE %s ADD COLUMN lost bigint', qualified_name(relation));
	END IF;
	IF relation IS NOT NULL AND column_type(relation, 'lost_uids') IS NULL THEN
		EXECUTE format('ALTER TABLE %s ADD COLUMN lost_uids modseq.uidset', qualified_name(relation));
	END IF;
	RETURN relation;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_vanished IS
	'The vanished table that there is already, since an earlier attach() or out of a dump. Error 42P07 if it is '
	'not what is needed.';

-- It has no foreign key to the mailboxes, whose TRUNCATE that would prevent; our triggers keep it
CREATE FUNCTION modseq_internal.create_vanished(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := vanished_name(store.message);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s, lost bigint, lost_uids modseq.uidset, PRIMARY KEY (%s, modseq))',
		name, vanished_definitions(store), quoted_list(store.mailbox_key));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN uids SET NOT NULL,
			ALTER COLUMN vanished_at SET NOT NULL,
			ALTER COLUMN vanished_at SET DEFAULT clock_timestamp(),
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('UIDs that vanished from the mailboxes of %s, and the mod-sequences at which they did. Kept by modseq.',
			qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_vanished IS
	'Creates the vanished table.';
/*
 * The log of changes: a column of the vanished table, instead of an index on
 * mod-sequences.
 */

-- Who reads it is waited for
CREATE FUNCTION modseq_internal.place_changes(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.changes = 'log' AND NOT has_log(store.vanished) THEN
		EXECUTE format('ALTER TABLE %s ADD COLUMN changed modseq.uidset', qualified_name(store.vanished));
	ELSIF store.changes <> 'log' AND has_log(store.vanished) THEN
		EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', qualified_name(store.vanished));
		EXECUTE format('DELETE FROM %s WHERE uids OPERATOR(modseq.=) '''' AND lost IS NULL', qualified_name(store.vanished));
		EXECUTE format('ALTER TABLE %s DROP COLUMN changed', qualified_name(store.vanished));
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.place_changes IS
	'Adds the column for the log of changes to the vanished table, or drops it.';

CREATE FUNCTION modseq_internal.log_block(distance bigint) RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT 4 * (length(to_hex(distance)) - 1)
$$;
COMMENT ON FUNCTION modseq_internal.log_block IS
	'So far below the last mod-sequence, those that differ in so many bits at most are folded, as by triggers (BLOCK_BITS).';

-- The tables are locked, and triggers off; what is there already may be of a time before detach()
CREATE FUNCTION modseq_internal.fill_changes(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.changes <> 'log' THEN
		RETURN;
	END IF;
	EXECUTE expand_template(store, 'DELETE FROM {vanished} v WHERE NOT {v.any} AND v.lost IS NULL');
	EXECUTE expand_template(store, 'UPDATE {vanished} v SET changed = NULL WHERE v.changed IS NOT NULL');
	EXECUTE expand_template(store, '
		INSERT INTO {vanished} AS v ({key}, modseq, uids, changed)
		SELECT {b.key}, max(m.{modseq}), '''', modseq.uidset_agg({m.uid})
		FROM {message} m JOIN {mailbox} b ON {m=b}
		CROSS JOIN LATERAL log_block({b.highestmodseq} - m.{modseq}) AS age (_bits)
		WHERE {m.live} AND m.{modseq} > 1
		GROUP BY {b.key}, age._bits, m.{modseq} >> age._bits
		ON CONFLICT ({key}, modseq) DO UPDATE SET changed = excluded.changed');
END
$$;
COMMENT ON FUNCTION modseq_internal.fill_changes IS
	'Begins the log of changes anew, with the messages that exist.';

CREATE FUNCTION modseq_internal.notice_index(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	index record;
BEGIN
	IF store.changes <> 'log' THEN
		RETURN;
	END IF;
	FOR index IN
		SELECT format('%I.%I', n.nspname, c.relname) AS name
		FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE i.indrelid = store.message AND NOT i.indisprimary AND EXISTS (
			SELECT
			FROM pg_attribute a
			WHERE a.attrelid = store.message AND a.attname = store.message_modseq AND a.attnum = ANY (i.indkey))
		ORDER BY 1
	LOOP
		RAISE NOTICE 'index % is not needed where changes are logged, and makes each change dearer', index.name USING
			HINT = format('Use DROP INDEX %s, unless queries of your own need it.', index.name);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_index IS
	'Says which indexes have mod-sequences in them though a store logs its changes.';

-- A message that changes meanwhile is in a row that is newer than those that are locked. The last block is left alone,
-- to which a writer may add, and what a writer folds: so nobody waits.
CREATE FUNCTION modseq_internal.compact_changes(store modseq_internal.store) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	folded bigint;
	sound boolean;
BEGIN
	EXECUTE expand_template(store, '
		WITH old AS MATERIALIZED (
			SELECT v.*
			FROM {vanished} v JOIN {mailbox} b ON {v=b}
			WHERE v.changed IS NOT NULL AND v.modseq < {b.highestmodseq} >> 4 << 4
			FOR UPDATE OF v SKIP LOCKED),
		last AS MATERIALIZED (
			SELECT {old.key}, max(old.modseq) AS modseq FROM old GROUP BY {old.key}),
		block AS MATERIALIZED (
			SELECT {old.key}, max(old.modseq) AS modseq
			FROM old JOIN last ON {old=last}
			CROSS JOIN LATERAL log_block(last.modseq - old.modseq) AS age (_bits)
			GROUP BY {old.key}, age._bits, old.modseq >> age._bits),
		box AS MATERIALIZED (
			SELECT {block.key}, array_agg(block.modseq ORDER BY block.modseq) AS {_ends}
			FROM block
			GROUP BY {block.key}),
		fold AS MATERIALIZED (
			SELECT {box.key}, box.{_ends}[e._place + 1] AS modseq,
				modseq.uidset_agg({m.uid}) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295) AS changed
			FROM {message} m JOIN box ON {m=box}
			CROSS JOIN LATERAL width_bucket(m.{modseq} - 1, box.{_ends}) AS e (_place)
			WHERE {m.live} AND e._place < cardinality(box.{_ends})
			GROUP BY {box.key}, box.{_ends}[e._place + 1]),
		result AS MATERIALIZED (
			SELECT {old.key}, old.modseq, fold.changed, old.uids OPERATOR(modseq.=) '''' AND old.lost IS NULL AND fold.changed IS NULL AS {_goes}
			FROM old LEFT JOIN fold ON {old=fold} AND old.modseq = fold.modseq
			WHERE old.changed OPERATOR(modseq.=) fold.changed IS NOT TRUE),
		kept AS (
			UPDATE {vanished} v SET changed = result.changed
			FROM result
			WHERE {v=result} AND v.modseq = result.modseq AND NOT result.{_goes}
			RETURNING v.changed OPERATOR(modseq.=) result.changed IS NOT FALSE AS same),
		gone AS (
			DELETE FROM {vanished} v
			USING result
			WHERE {v=result} AND v.modseq = result.modseq AND result.{_goes}
			RETURNING v.modseq)
		SELECT (SELECT count(*) FROM gone),
			(SELECT count(*) FROM kept WHERE same) + (SELECT count(*) FROM gone) = (SELECT count(*) FROM result)')
		INTO folded, sound;
	IF NOT sound THEN
		PERFORM refuse_fold(store);
	END IF;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_changes IS
	'Folds the log of changes by age, and leaves out of it what is not live any more, or has changed again. Returns how '
	'many rows it removed.';
/*
 * attach(): accounts. The table of their states and that of what has left them,
 * which are created, or found and kept; and where both begin.
 */

CREATE FUNCTION modseq_internal.account_key(store modseq_internal.store) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN store.account = '{}' THEN '{one}' ELSE store.account END
$$;
COMMENT ON FUNCTION modseq_internal.account_key IS
	'The key of the tables of accounts: the account''s columns; or one column, if there is one account for the store.';

CREATE FUNCTION modseq_internal.account_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT coalesce(column_definitions(store.mailbox, store.account), 'one boolean')
		|| ', epoch bigint, highestmodseq bigint, email_modseq bigint, thread_modseq bigint, mailbox_modseq bigint, floor bigint'
$$;
COMMENT ON FUNCTION modseq_internal.account_definitions IS
	'The columns of the table of accounts: the account as the mailbox table has it, what makes its states another '
	'account''s, the last mod-sequence that it has handed out, its states, and since when changes are known.';

CREATE FUNCTION modseq_internal.list_definition(name name, relation regclass, attribute name) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('%I %s', name, format_type(t.typarray, -1))
		|| coalesce((SELECT ' COLLATE ' || c.name FROM column_collation(relation, attribute) AS c), '')
	FROM pg_type t
	WHERE t.oid = column_type(relation, attribute)
$$;
COMMENT ON FUNCTION modseq_internal.list_definition IS
	'A column of that name that holds lists of what another column holds.';

CREATE FUNCTION modseq_internal.departed_definitions(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT concat_ws(', ', coalesce(column_definitions(store.mailbox, store.account), 'one boolean'),
		'modseq bigint',
		list_definition('emails', store.message, store.email),
		list_definition('threads', store.message, store.thread),
		'created bigint[], mailboxes text[] COLLATE pg_catalog."default", mailboxes_created bigint[], '
		'departed_at timestamp with time zone')
$$;
COMMENT ON FUNCTION modseq_internal.departed_definitions IS
	'The columns of the table of what has left its account.';

CREATE FUNCTION modseq_internal.has_definitions(relation regclass, definitions text, key name[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT primary_key(relation) IS NOT DISTINCT FROM key
		AND definitions = column_definitions(relation, ARRAY(
			SELECT attname FROM pg_attribute
			WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum))
$$;
COMMENT ON FUNCTION modseq_internal.has_definitions IS
	'Has a table exactly these columns, in that order, and that primary key?';

-- Those that a store had, and that do not fit any more, are made anew: with another epoch, in which no client has a state
CREATE FUNCTION modseq_internal.find_account_table(
	store modseq_internal.store, relation regclass, before regclass, definitions text, key name[])
RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	PERFORM follow_owner(store, relation);
	IF relation = before AND NOT has_definitions(relation, definitions, key) THEN
		RAISE NOTICE '%', drop_ours(store, relation);
		relation := (SELECT oid FROM pg_class WHERE oid = relation);
	END IF;
	PERFORM refuse_as_ours(store, relation, definitions, key,
		'If it is the store''s, drop it; else rename it, and modseq.attach() creates its own.');
	RETURN relation;
END
$$;
COMMENT ON FUNCTION modseq_internal.find_account_table IS
	'A table of accounts that there is already, since an earlier attach() or out of a dump. Error 42P07 if it is not '
	'what is needed.';

CREATE FUNCTION modseq_internal.create_account(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := account_name(store.message);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s, PRIMARY KEY (%s)) WITH (fillfactor = 50)',
		name, account_definitions(store), quoted_list(account_key(store)));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN epoch SET NOT NULL,
			ALTER COLUMN epoch SET DEFAULT modseq.next_uidvalidity(),
			ALTER COLUMN highestmodseq SET NOT NULL,
			ALTER COLUMN highestmodseq SET DEFAULT 1,
			ALTER COLUMN email_modseq SET NOT NULL,
			ALTER COLUMN email_modseq SET DEFAULT 1,
			ALTER COLUMN thread_modseq SET NOT NULL,
			ALTER COLUMN thread_modseq SET DEFAULT 1,
			ALTER COLUMN mailbox_modseq SET NOT NULL,
			ALTER COLUMN mailbox_modseq SET DEFAULT 1,
			ALTER COLUMN floor SET NOT NULL,
			ALTER COLUMN floor SET DEFAULT 1,
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	IF store.account = '{}' THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN one SET DEFAULT true, ADD CHECK (one)', name);
	END IF;
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('States of the accounts of %s. Kept by modseq.', qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_account IS
	'Creates the table of accounts.';

CREATE FUNCTION modseq_internal.create_departed(store modseq_internal.store) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := departed_name(store.message);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s)', name, departed_definitions(store));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN modseq SET NOT NULL,
			ALTER COLUMN departed_at SET NOT NULL,
			ALTER COLUMN departed_at SET DEFAULT clock_timestamp(),
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	EXECUTE (
		SELECT format('ALTER TABLE %s %s', name, string_agg(format('ALTER COLUMN %I SET NOT NULL', k), ', '))
		FROM unnest(account_key(store)) AS k);
	-- To compress the keys of a thousand messages is dearer than to move these
	PERFORM run(ARRAY(
		SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTERNAL', name, attname)
		FROM pg_attribute WHERE attrelid = table_named(name) AND attname IN ('emails', 'threads', 'created')));
	IF store.account = '{}' THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN one SET DEFAULT true, ADD CHECK (one)', name);
	END IF;
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('What has left the accounts of %s, and the mod-sequences at which it did. Kept by modseq.',
			qualified_name(store.message)));
	RETURN table_named(name);
END
$$;
COMMENT ON FUNCTION modseq_internal.create_departed IS
	'Creates the table of what has left its account.';

CREATE FUNCTION modseq_internal.follow_account(before modseq_internal.store, store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	account modseq_internal.store := store;		-- to whose tables it is the key
BEGIN
	IF before.account IS NULL OR store.account IS NULL THEN
		RETURN;
	END IF;
	account.mailbox_key := store.account;
	PERFORM follow_mailbox_key(before.account_table, before.account, account);
	PERFORM follow_mailbox_key(before.departed, before.account, account);
	IF NOT store.account && store.mailbox_key THEN
		PERFORM follow_mailbox_key(before.counters, before.account, account);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_account IS
	'Lets the tables of ours follow the account, of which a column was renamed or got another type of the same kind.';

CREATE FUNCTION modseq_internal.remove_accounts(store modseq_internal.store, before modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	ours regclass;
	r record;
BEGIN
	FOREACH ours IN ARRAY array_remove(ARRAY[before.account_table, before.departed], NULL) LOOP
		RAISE NOTICE '%', drop_ours(before, ours);
	END LOOP;
	FOR r IN
		SELECT i.indexrelid::regclass AS index
		FROM pg_index i
		CROSS JOIN LATERAL (
			SELECT array_agg(a.attname ORDER BY k.place)
			FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS c (columns)
		WHERE i.indrelid IN (store.message, store.mailbox, store.counters)
			AND obj_description(i.indexrelid, 'pg_class') = added_mark()
			AND (i.indrelid, c.columns) IN (SELECT relation, columns FROM wanted_indexes(before))
			AND (i.indrelid, c.columns) NOT IN (SELECT relation, columns FROM wanted_indexes(store))
	LOOP
		EXECUTE format('DROP INDEX %s', qualified_name(r.index));
	END LOOP;
	FOR r IN
		SELECT a.*
		FROM added_columns(ARRAY[store.mailbox]) a
		WHERE a.attribute IN (accounts_column(before, 'created_modseq'), accounts_column(before, 'properties_modseq'))
	LOOP
		EXECUTE format('ALTER TABLE %s DROP COLUMN %I', qualified_name(r.relation), r.attribute);
		RAISE NOTICE 'dropped column "%" of table %', r.attribute, qualified_name(r.relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.remove_accounts IS
	'Drops what a store had because of accounts, which it has no more.';

CREATE FUNCTION modseq_internal.make_accounts(store modseq_internal.store, before modseq_internal.store)
RETURNS modseq_internal.store
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.account IS NULL THEN
		IF before.account IS NOT NULL THEN
			PERFORM remove_accounts(store, before);
		END IF;
		RETURN store;
	END IF;
	store.account_table := find_account_table(store, coalesce(table_named(account_name(store.message)), store.account_table),
		before.account_table, account_definitions(store), account_key(store));
	store.account_table := coalesce(store.account_table, create_account(store));
	PERFORM drop_triggers(ARRAY[store.account_table]);
	store.departed := find_account_table(store, coalesce(table_named(departed_name(store.message)), store.departed),
		before.departed, departed_definitions(store), NULL);
	store.departed := coalesce(store.departed, create_departed(store));
	RETURN store;
END
$$;
COMMENT ON FUNCTION modseq_internal.make_accounts IS
	'The store with its tables of accounts, which are created, found, or removed.';

-- What differs decides on what an account has, or whether we have seen all of it
CREATE FUNCTION modseq_internal.keeps_accounts(store modseq_internal.store, before modseq_internal.store) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT NOT EXISTS (
			SELECT FROM jsonb_each(to_jsonb(store)) AS o
			WHERE value IS DISTINCT FROM to_jsonb(before) -> key
				AND key <> ALL ('{flag,vanished,mailbox_properties,message_flags,message_key,flag_message,flag_mailbox,'
					'flag_uid,flag_columns,notify}'))
		-- Who had not been told of a property may know an old value
		AND (before.mailbox_properties IS NULL OR coalesce(store.mailbox_properties <@ before.mailbox_properties, false))
		AND NOT EXISTS (SELECT FROM unsound_triggers(before) WHERE NOT is_misnamed)
$$;
COMMENT ON FUNCTION modseq_internal.keeps_accounts IS
	'Are the accounts of the store those that it had, with all triggers sound, so that nothing went unseen? To be asked '
	'before attach() changes anything.';

CREATE FUNCTION modseq_internal.refuse_accounts(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	wrong name;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {b.name} FROM ' || replace(qualified_name(store.mailbox), '{', '{{}') || ' b
		WHERE num_nulls({b.account}) > 0 LIMIT 1')
		INTO mailbox;
	IF mailbox IS NOT NULL THEN
		RAISE 'mailbox "%" of table % has no account', mailbox, qualified_name(store.mailbox) USING
			ERRCODE = 'not_null_violation',
			HINT = format('Set %s of all mailboxes.', array_to_string(store.account, ' and '));
	END IF;
	FOREACH wrong IN ARRAY array_remove(ARRAY[store.email, store.thread], NULL) LOOP
		CONTINUE WHEN (SELECT attnotnull FROM pg_attribute WHERE attrelid = store.message AND attname = wrong);
		EXECUTE format('SELECT %L FROM %s WHERE %I IS NULL LIMIT 1', wrong, qualified_name(store.message), wrong)
			INTO mailbox;
		IF mailbox IS NOT NULL THEN
			RAISE 'column "%" of table % has a null', wrong, qualified_name(store.message) USING
				ERRCODE = 'not_null_violation',
				DETAIL = 'Each message is of an Email, and has a Thread if there are such.',
				HINT = 'Set it for all messages.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_accounts IS
	'Refuses mailboxes without an account, and messages without an Email or Thread.';

CREATE FUNCTION modseq_internal.follow_accounts(store modseq_internal.store) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	IF store.counters IS NULL OR store.account <@ store.mailbox_key THEN
		RETURN false;
	END IF;
	EXECUTE expand_template(store, format('
		UPDATE {mailbox} b SET %s
		FROM {source} s
		WHERE {b=s} AND (%s)', (
			SELECT string_agg(format('%1$s = s.%1$s', q), ', ') FROM unnest(store.account) AS c, replace(quote_ident(c), '{', '{{}') AS q), (
			SELECT string_agg(format('b.%1$s IS DISTINCT FROM s.%1$s', q), ' OR ')
			FROM unnest(store.account) AS c, replace(quote_ident(c), '{', '{{}') AS q)));
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n > 0;
END
$$;
COMMENT ON FUNCTION modseq_internal.follow_accounts IS
	'Brings the accounts to the table of counters beside the mailbox table. Returns whether any was missing, or another.';

-- An account that has not changed unseen goes on. Of any other all states are forgotten, and what had left it. All that
-- is there is taken for created by then.
CREATE FUNCTION modseq_internal.adopt_accounts(store modseq_internal.store, renew boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	least_modseq CONSTANT bigint := (incarnation()).modseq;
BEGIN
	EXECUTE expand_template(store, '
		WITH box AS (
			SELECT {b.account}, max({b.highestmodseq}) AS {_modseq} FROM {mailbox} b GROUP BY {b.account})
		UPDATE {account} a
		SET highestmodseq = m.{_n}, email_modseq = m.{_n}, thread_modseq = m.{_n}, mailbox_modseq = m.{_n}, floor = m.{_n}
		FROM {account} o
		LEFT JOIN box ON {o@box}
		CROSS JOIN LATERAL (
			SELECT greatest(box.{_modseq}, o.highestmodseq + 1, $2 + 1)) AS m ({_n})
		WHERE {a@o} AND ($1 OR box.{_modseq} > o.highestmodseq)') USING renew, least_modseq;
	EXECUTE expand_template(store, '
		INSERT INTO {account} ({account_key}, highestmodseq, email_modseq, thread_modseq, mailbox_modseq, floor)
		SELECT {box.account}, box.{_n}, box.{_n}, box.{_n}, box.{_n}, box.{_n}
		FROM (SELECT {b.account}, greatest(max({b.highestmodseq}), $1 + 1) AS {_n} FROM {mailbox} b GROUP BY {b.account}) AS box
		WHERE NOT EXISTS (SELECT FROM {account} a WHERE {a@box})
		ORDER BY {box.account}') USING least_modseq;
	EXECUTE expand_template(store, '
		UPDATE {mailbox} b SET created_modseq = NULL, properties_modseq = NULL
		FROM {account} a
		WHERE {a@b} AND (b.created_modseq > a.highestmodseq OR b.properties_modseq > a.highestmodseq)');
	EXECUTE expand_template(store, '
		DELETE FROM {departed} d
		WHERE NOT EXISTS (SELECT FROM {account} a WHERE {a@d} AND d.modseq > a.floor AND d.modseq <= a.highestmodseq)');
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_accounts IS
	'Adds the accounts that are missing, and has those begin anew whose mailboxes have changed, or all of them.';
/*
 * attach(): what it writes into tables is none of the application's business.
 * Its triggers and rules are off meanwhile: an audit of 40,000 messages that got
 * a number would help nobody.
 */

CREATE FUNCTION modseq_internal.rules_to_disable(tables regclass[])
RETURNS TABLE (relation regclass, name name, enabled "char")
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT ev_class::regclass, rulename, ev_enabled
	FROM pg_rewrite
	WHERE ev_class = ANY (tables) AND ev_enabled <> 'D' AND ev_type <> '1'		-- SELECT
	ORDER BY ev_class, rulename
$$;
COMMENT ON FUNCTION modseq_internal.rules_to_disable IS
	'The rules of tables that rewrite what is written to them, unless they are off.';

-- Constraints stay, but are checked at once: what waits for the end of the transaction forbids ALTER TABLE
CREATE FUNCTION modseq_internal.disable_triggers(tables regclass[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
	undo text[] := '{}'::text[];
BEGIN
	FOR t IN
		SELECT n.nspname, c.conname
		FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
		WHERE c.conrelid = ANY (tables) AND c.condeferrable AND c.contype <> 't'
	LOOP
		EXECUTE format('SET CONSTRAINTS %I.%I IMMEDIATE', t.nspname, t.conname);
	END LOOP;

	-- Each partition by itself, as it may differ from the others
	FOR t IN
		SELECT qualified_name(tgrelid) AS relation, 'TRIGGER' AS kind, tgname AS name, tgenabled AS enabled
		FROM pg_trigger
		WHERE tgrelid IN (SELECT with_partitions(VARIADIC tables)) AND NOT tgisinternal AND tgenabled <> 'D'
		UNION ALL
		SELECT qualified_name(relation), 'RULE', name, enabled FROM rules_to_disable(tables)
	LOOP
		EXECUTE format('ALTER TABLE ONLY %s DISABLE %s %I', t.relation, t.kind, t.name);
		undo := undo || format('ALTER TABLE ONLY %s ENABLE %s %s %I',
			t.relation, CASE t.enabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END, t.kind, t.name);
	END LOOP;
	RETURN undo;
END
$$;
COMMENT ON FUNCTION modseq_internal.disable_triggers IS
	'Disables the triggers and rules of tables and their partitions. Returns the commands that put each back as '
	'it was.';

CREATE FUNCTION modseq_internal.run(commands text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	command text;
BEGIN
	FOREACH command IN ARRAY commands LOOP
		EXECUTE command;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.run IS
	'Runs commands, one after the other.';
/*
 * attach(): the messages and mailboxes that exist, brought to where the triggers
 * take over.
 */

-- One too many, whose source has gone, stays in a table of the application's, lest somebody's foreign key takes more along;
-- check() reports it
CREATE FUNCTION modseq_internal.add_mailboxes(store modseq_internal.store) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
	changed boolean := false;
BEGIN
	IF source_table(store) IS NOT NULL THEN
		EXECUTE expand_template(store, '
			INSERT INTO {mailbox} ({key})
			SELECT {s.key}
			FROM {source} s
			WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {s=b}) AND num_nulls({s.key}) = 0');
		GET DIAGNOSTICS n = ROW_COUNT;
		changed := n > 0;
	END IF;
	IF store.counters IS NOT NULL THEN
		EXECUTE expand_template(store, '
			WITH gone AS (
				DELETE FROM {mailbox} b WHERE NOT EXISTS (SELECT FROM {source} s WHERE {s=b}) RETURNING b.gone_at)
			SELECT count(*) FROM gone WHERE gone_at IS NULL') INTO n;
		changed := changed OR n > 0;
		EXECUTE expand_template(store, 'UPDATE {mailbox} b SET gone_at = NULL WHERE b.gone_at IS NOT NULL');
		GET DIAGNOSTICS n = ROW_COUNT;
		changed := changed OR n > 0;
	END IF;
	RETURN changed;
END
$$;
COMMENT ON FUNCTION modseq_internal.add_mailboxes IS
	'Adds the rows that a table of counters lacks which is beside the table that mailboxes come from; of ours, removes '
	'those whose mailboxes have gone. Returns whether there were any that the triggers have not seen.';

CREATE FUNCTION modseq_internal.refuse_messages(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	nulls integer;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {m.name}, num_nulls({m.key})
		FROM {message} m
		WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {m=b})
		LIMIT 1') INTO mailbox, nulls;
	IF nulls > 0 THEN
		RAISE 'table % has a message without a mailbox', qualified_name(store.message) USING
			ERRCODE = 'not_null_violation',
			HINT = 'Give it a mailbox, or delete it.';
	ELSIF nulls = 0 THEN
		RAISE 'table % has a message in mailbox "%", which does not exist',
			qualified_name(store.message), mailbox USING
			ERRCODE = 'foreign_key_violation',
			HINT = format('Create the mailbox in table %s, or delete its messages.', qualified_name(store.mailbox));
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_messages IS
	'Refuses messages that belong to no mailbox.';

CREATE FUNCTION modseq_internal.refuse_counters(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	uidvalidity bigint;
	uidnext bigint;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {b.name}, b.{uidvalidity}, {b.uidnext}
		FROM {mailbox} b
		WHERE b.{uidvalidity} NOT BETWEEN 0 AND 4294967295 OR {b.uidnext} > 4294967296
		LIMIT 1') INTO mailbox, uidvalidity, uidnext;
	IF uidnext > 4294967296 THEN
		RAISE 'UIDNEXT % of mailbox "%" is out of range', uidnext, mailbox USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'It is at most 4294967296, when no UID is left.',
			HINT = 'Set it to null, and modseq.attach() takes the one after the highest UID.';
	ELSIF uidvalidity IS NOT NULL THEN
		RAISE 'UIDVALIDITY % of mailbox "%" is out of range', uidvalidity, mailbox USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'It is 1 to 4294967295 (RFC 9051).',
			HINT = 'Set it to null or 0, and modseq.attach() assigns one.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_counters IS
	'Refuses counters that no mailbox can have.';

CREATE FUNCTION modseq_internal.refuse_uids(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	uid bigint;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {uid} FROM {message} WHERE {uid} NOT BETWEEN 0 AND 4294967295 LIMIT 1') INTO uid;
	IF uid IS NOT NULL THEN
		RAISE 'UID % in table % is out of range', uid, qualified_name(store.message) USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'UIDs are 1 to 4294967295.',
			HINT = 'Where it is null, modseq.attach() assigns the next one. If a mailbox has none left, move messages to '
				'another one.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_uids IS
	'Refuses UIDs that no message can have; null and 0 are none.';

CREATE FUNCTION modseq_internal.small_uids(store modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(format('column %s of table %s', quote_ident(c.name), qualified_name(c.relation)), ', ')
	FROM (VALUES
		(store.message, store.message_uid),
		(counter_table(store), coalesce(store.mailbox_uidnext, store.mailbox_last_uid))) AS c (relation, name)
	WHERE column_type(c.relation, c.name) = 'integer'::regtype
$$;
COMMENT ON FUNCTION modseq_internal.small_uids IS
	'Which columns of UIDs have not room for all of them; NULL if they have.';

CREATE FUNCTION modseq_internal.explain_overflow(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	max_modseq CONSTANT bigint := 9223372036854775807;
	small CONSTANT text := small_uids(store);
	mailbox text;
BEGIN
	PERFORM refuse_uids(store);
	EXECUTE expand_template(store, '
		SELECT {b.name}
		FROM {mailbox} b
		WHERE greatest({b.highestmodseq},
			(SELECT max(m.{modseq}) FROM {message} m WHERE {m=b}),
			(SELECT max(v.modseq) FROM {vanished} v WHERE {v=b})) = $1
		LIMIT 1') INTO mailbox USING max_modseq;
	IF mailbox IS NOT NULL THEN
		RAISE 'mailbox "%" has no mod-sequence left', mailbox USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = format('Its highest mod-sequence is %s, the highest that RFC 7162 allows.', max_modseq),
			HINT = 'Move its messages to a new mailbox.';
	END IF;
	IF small IS NOT NULL THEN
		RAISE 'numbers of store % do not fit into their columns', qualified_name(store.message) USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = 'A UID is at most 4294967295, and an integer 2147483647.',
			HINT = format('Change the type of %s to bigint.', small);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.explain_overflow IS
	'A clear error for a number of adopt() that is out of range, if there is one.';

-- Brings the messages and mailboxes that exist to where the triggers take over: every message has a UID and
-- a mod-sequence, and the counters are past all that was ever used. Only rows that need it are written. A message
-- that is live under a UID that has vanished, since it was undeleted, or is so by another message_expunged than
-- before, needs another UID.
--
-- UIDs below UIDNEXT that are neither live nor known to have vanished went unseen; we remember them now, as
-- it is harmless to tell a client that a UID vanished which it never had. If that was before the first attach,
-- clients may have learnt of them from whatever kept the mod-sequences then: they vanished no later than
-- HIGHESTMODSEQ. If the store was attached before, nobody knows of them, and they vanish under a new value; so
-- do messages from UIDNEXT on arrive, whatever mod-sequence they have.
--
-- Where mod-sequences are new altogether, no client has one to ask with: then nothing gets a new value, and
-- messages keep the mod-sequence that came with the column.
--
-- A new value is above all that the account has handed out, so that adopt_accounts() sees which have changed. It is of
-- the present incarnation: a mailbox that takes its first one begins it as by a change (rule "incarnations"). What is
-- older than the first attach no server of ours can have told.
CREATE FUNCTION modseq_internal.adopt(store modseq_internal.store, new_modseq boolean, new_store boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	-- Where they have no UID; {{} is a brace
	by_age CONSTANT text := coalesce(
		(SELECT replace(string_agg(format('m.%I', k), ', '), '{', '{{}') FROM unnest(primary_key(store.message)) AS k),
		'm.tableoid, m.ctid');
	of_account CONSTANT text := CASE WHEN store.account IS NULL THEN ''
		ELSE ', (SELECT a.highestmodseq FROM {account} a WHERE {a@b})' END;
	life CONSTANT record := incarnation();
	last_uid CONSTANT bigint := CASE WHEN small_uids(store) IS NOT NULL THEN 2147483647 ELSE 4294967295 END;
BEGIN
	EXECUTE expand_template(store, 'DELETE FROM {vanished} v WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {v=b})');

	-- In box, _uidnext is where new UIDs start, _back which ones are live again, _new how many messages need one,
	-- _lost what went unseen or is left out (of which _gap), _touched whether messages must be written, _value the mod-sequence of all
	-- that is, and _before what a server that is lost has counted on from, if the mailbox begins an incarnation
	EXECUTE expand_template(store, $query$
		WITH live AS (
			SELECT {m.key}, max(m.{uid}) AS {_uid}, max(m.{modseq}) AS {_modseq},
				count(*) FILTER (WHERE coalesce(m.{uid}, 0) = 0) AS {_new},
				count(*) FILTER (WHERE coalesce(m.{modseq}, 0) < 1) AS {_unstamped},
				modseq.uidset_agg({m.uid}) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295 AND {m.live}) AS {_uids}
			FROM {message} m
			GROUP BY {m.key}),
		gone AS (
			SELECT {v.key}, max(v.modseq) AS {_modseq}, modseq.uidset_agg(v.uids) AS {_uids}
			FROM {vanished} v
			WHERE {v.any}
			GROUP BY {v.key}),
		box AS MATERIALIZED (
			SELECT {b.key}, next.uid AS {_uidnext}, back.uids AS {_back}, lost.uids AS {_lost}, gap.uids AS {_gap},
				coalesce(live.{_new}, 0) + modseq.cardinality(back.uids) AS {_new},
				{b.uidnext} AS {_seen},
				live.{_new} > 0 OR live.{_unstamped} > 0 OR modseq.cardinality(back.uids) > 0
					OR NOT $2 AND live.{_uid} >= {b.uidnext} AS {_touched},
				CASE WHEN takes.one THEN greatest(high.modseq, $3$query$ || of_account || $query$) + 1 ELSE high.modseq END AS {_value},
				CASE WHEN begins.one THEN high.modseq END AS {_before}
			FROM {mailbox} b
			LEFT JOIN live ON {live=b}
			LEFT JOIN gone ON {gone=b}
			CROSS JOIN LATERAL greatest({b.uidnext}, live.{_uid} + 1, modseq.max(gone.{_uids}) + 1) AS last (uid)
			CROSS JOIN LATERAL coalesce(live.{_uids} OPERATOR(modseq.*) gone.{_uids}, '') AS back (uids)
			CROSS JOIN LATERAL (
				SELECT modseq.uidset(int8multirange(int8range(1, least(last.uid, 4294967296))))
					OPERATOR(modseq.-) coalesce(live.{_uids}, '')
					OPERATOR(modseq.-) coalesce(gone.{_uids}, '')) AS unseen (uids)
			CROSS JOIN LATERAL (
				SELECT NOT $1 AND (live.{_new} > 0 OR live.{_unstamped} > 0 OR modseq.cardinality(back.uids) > 0
					OR NOT $2 AND (modseq.cardinality(unseen.uids) > 0 OR live.{_uid} >= {b.uidnext})) IS TRUE) AS takes (one)
			CROSS JOIN LATERAL greatest({b.highestmodseq}, live.{_modseq}, gone.{_modseq}) AS high (modseq)
			CROSS JOIN LATERAL (SELECT takes.one AND NOT $2 AND high.modseq <= $3) AS begins (one)
			CROSS JOIN LATERAL (
				SELECT last.uid + CASE WHEN begins.one THEN greatest(least($4, ($5 - last.uid) / 64), 0) ELSE 0 END) AS next (uid)
			CROSS JOIN LATERAL
				modseq.uidset(int8multirange(int8range(least(last.uid, 4294967296), least(next.uid, 4294967296)))) AS gap (uids)
			CROSS JOIN LATERAL (SELECT unseen.uids OPERATOR(modseq.+) gap.uids) AS lost (uids)),
		fresh AS (
			SELECT {m.key}, m.tableoid, m.ctid, box.{_value}, needs.uid AND NOT {m.live} AS {_expunged},
				CASE WHEN needs.uid
						THEN box.{_uidnext} - 1 + row_number() OVER (PARTITION BY {m.key}, needs.uid ORDER BY $query$ || by_age || $query$)
						ELSE m.{uid} END AS {_uid}
			FROM {message} m JOIN box ON {m=box}
			CROSS JOIN LATERAL coalesce(
				m.{uid} = 0 OR {m.uid} OPERATOR(modseq.<@) box.{_back} AND {m.live}, true) AS needs (uid)
			WHERE needs.uid OR coalesce(m.{modseq}, 0) < 1 OR NOT $2 AND m.{uid} >= box.{_seen}),
		numbered AS (
			UPDATE {message} m SET {uid} = fresh.{_uid}, {modseq} = CASE WHEN $1 THEN m.{modseq} ELSE fresh.{_value} END
				$query$ || CASE WHEN store.message_created_modseq IS NULL THEN '' ELSE $query$,
				{created_modseq} = CASE WHEN m.{uid} = fresh.{_uid} THEN m.{created_modseq} ELSE 0 END
				$query$ END || $query$
			FROM fresh
			-- Mostly there is nothing to do, and then the messages are not read once more
			WHERE (SELECT bool_or(box.{_touched}) FROM box) AND m.tableoid = fresh.tableoid AND m.ctid = fresh.ctid),
		expunged AS (
			SELECT {m.key}, modseq.uidset_agg(m.{_uid}) AS {_uids} FROM fresh m WHERE m.{_expunged} GROUP BY {m.key}),
		remembered AS (
			INSERT INTO {vanished} ({key}, modseq, uids, lost, lost_uids)
			SELECT {box.key}, box.{_value}, box.{_lost} OPERATOR(modseq.+) coalesce(m.{_uids}, ''), box.{_before},
				CASE WHEN box.{_before} IS NOT NULL THEN box.{_gap} END
			FROM box LEFT JOIN expunged m ON {m=box}
			WHERE modseq.cardinality(box.{_lost} OPERATOR(modseq.+) coalesce(m.{_uids}, '')) > 0 OR box.{_before} IS NOT NULL)
		UPDATE {mailbox} b SET
			{uidnext} = box.{_uidnext} + box.{_new} - {next_minus_stored},
			{highestmodseq} = box.{_value},
			{uidvalidity} = coalesce(nullif(b.{uidvalidity}, 0), modseq.next_uidvalidity())
		FROM box
		WHERE {b=box}
			AND (b.{uidnext} IS DISTINCT FROM box.{_uidnext} + box.{_new} - {next_minus_stored}
				OR b.{highestmodseq} IS DISTINCT FROM box.{_value}
				OR coalesce(b.{uidvalidity}, 0) = 0)
		$query$) USING new_modseq, new_store, life.modseq, life.uid_gap, last_uid;

	IF store.message_created_modseq IS NOT NULL THEN
		EXECUTE expand_template(store, '
			UPDATE {message} SET {created_modseq} = {modseq}
			WHERE {created_modseq} IS NULL OR {created_modseq} NOT BETWEEN 1 AND {modseq}');
	END IF;

	PERFORM refuse_uids(store);
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt IS
	'Numbers the messages that exist, remembers the UIDs that are gone, and raises the counters past all that was '
	'ever used.';

-- An absent value is the same as an empty one, as to the triggers
CREATE FUNCTION modseq_internal.changed_flags(store modseq_internal.store, before modseq_internal.store) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT string_agg(condition, ' OR ')
	FROM (
		SELECT format('to_jsonb(m.%s) NOT IN (''null'', ''false'', ''0'', ''""'', ''[]'', ''{{}}'')',
			replace(quote_ident(f), '{', '{{}'))
		FROM unnest(store.message_flags || before.message_flags) AS f
		WHERE (f = ANY (store.message_flags) AND f = ANY (before.message_flags)) IS NOT TRUE
			AND column_type(store.message, f) IS NOT NULL
			AND f IS DISTINCT FROM store.message_expunged AND f IS DISTINCT FROM before.message_expunged
		UNION ALL
		SELECT CASE WHEN store.flag IS NULL THEN 'true'
			WHEN store.flag_message IS NOT NULL THEN 'EXISTS (SELECT FROM {flag} f WHERE {m.id=f.id})'
			ELSE 'EXISTS (SELECT FROM {flag} f WHERE {f=m} AND {f.uid} = {m.uid})' END
		WHERE store.flag IS DISTINCT FROM before.flag OR store.flag_columns IS DISTINCT FROM before.flag_columns) AS c (condition)
$$;
COMMENT ON FUNCTION modseq_internal.changed_flags IS
	'A condition for a template: has message m a flag by the one store and not by the other? NULL if none has.';

-- adopt() gives those a mod-sequence that have none
CREATE FUNCTION modseq_internal.unstamp(store modseq_internal.store, condition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE expand_template(store, 'UPDATE {message} m SET {modseq} = 0 WHERE {m.live} AND (' || condition || ')');
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN
		RAISE NOTICE '% message(s) of table % have got new mod-sequences, for other flags are tracked now',
			n, qualified_name(store.message);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.unstamp IS
	'Takes their mod-sequence from the live messages that a condition holds for.';

CREATE FUNCTION modseq_internal.refuse_duplicates(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	mailbox text;
	uid bigint;
BEGIN
	EXECUTE expand_template(store, '
		SELECT {m.name}, m.{uid}
		FROM {message} m
		GROUP BY {m.key}, m.{uid}
		HAVING count(*) > 1
		LIMIT 1') INTO mailbox, uid;
	IF uid IS NOT NULL THEN
		RAISE unique_violation USING
			DETAIL = format('Mailbox "%s" has UID %s twice.', mailbox, uid);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_duplicates IS
	'Refuses two messages with one UID, where no index finds them.';

-- added are the options that name columns that attach() has just added
CREATE FUNCTION modseq_internal.adopt_rows(
	store modseq_internal.store, replaced modseq_internal.store, added text[], new_store boolean, same_accounts boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF store.account IS NOT NULL THEN
		PERFORM refuse_accounts(store);
		same_accounts := NOT follow_accounts(store) AND same_accounts;
	END IF;
	PERFORM refuse_counters(store);
	-- Clients have mod-sequences of a column that was dropped or renamed: to them, all messages have changed
	IF 'message_modseq' = ANY (added) AND NOT new_store THEN
		EXECUTE expand_template(store, 'UPDATE {message} SET {modseq} = 0');
	ELSIF replaced.message IS NOT NULL AND changed_flags(store, replaced) IS NOT NULL THEN
		PERFORM unstamp(store, changed_flags(store, replaced));
	END IF;
	BEGIN
		PERFORM adopt(store, new_modseq => 'message_modseq' = ANY (added) AND new_store, new_store => new_store);
	EXCEPTION WHEN numeric_value_out_of_range THEN
		PERFORM explain_overflow(store);
		RAISE;
	END;
	IF store.account IS NOT NULL THEN
		PERFORM adopt_accounts(store, renew => NOT same_accounts);
	END IF;
	PERFORM fill_changes(store);
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_rows IS
	'Brings all rows of a store to where the triggers take over, of what it was before.';
/*
 * attach() on tables that Citus distributes. Commands on such a table are run on
 * its shards too, by Citus; so columns, indexes and triggers are as ever. What
 * reads and writes rows is done shard by shard, where the shard is.
 */

CREATE FUNCTION modseq_internal.key_columns(store modseq_internal.store)
RETURNS TABLE (relation regclass, mailbox_column name, attribute name)
LANGUAGE sql STABLE ROWS 8 SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT store.mailbox, k, k FROM unnest(store.mailbox_key) AS k
	UNION ALL
	SELECT store.message, u.* FROM unnest(store.mailbox_key, store.message_mailbox) AS u
	UNION ALL
	SELECT store.mailbox_source, u.* FROM unnest(store.mailbox_key, store.mailbox_source_key) AS u
	UNION ALL
	SELECT store.flag, u.* FROM unnest(store.mailbox_key, store.flag_mailbox) AS u
	UNION ALL
	SELECT store.flag, m.mailbox_column, f.attribute
	FROM unnest(store.message_key, store.flag_message) AS f (key, attribute)
	JOIN unnest(store.mailbox_key, store.message_mailbox) AS m (mailbox_column, name) ON m.name = f.key
$$;
COMMENT ON FUNCTION modseq_internal.key_columns IS
	'What each table of the application has of the mailbox key, by the names in the mailbox table.';

CREATE FUNCTION modseq_internal.refuse_distribution(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := array_remove(ARRAY[store.message, store.mailbox, store.mailbox_source, store.flag], NULL);
	dist CONSTANT name := distribution_column(store.mailbox);
	t record;
BEGIN
	IF NOT EXISTS (SELECT FROM unnest(tables) AS u (relation) WHERE is_distributed(relation)) THEN
		RETURN;
	END IF;
	FOR t IN
		SELECT qualified_name(u.relation) AS name, d.*
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place) LEFT JOIN LATERAL distribution(u.relation) AS d ON true
		ORDER BY place
	LOOP
		IF t.method IS NULL THEN
			RAISE 'table % is not distributed as the other tables of the store are', t.name USING
				ERRCODE = 'feature_not_supported',
				HINT = format('Call create_distributed_table() for it, with colocate_with => %L.', qualified_name(store.message));
		END IF;
		IF t.method NOT IN ('h', 'n') OR t.replicas <> 's' THEN
			RAISE 'table % is distributed in a way that modseq cannot serve', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'Each row must be in one place, found by the hash of a column, or in the only shard of the table.',
				HINT = 'Distribute it with create_distributed_table() and citus.shard_replication_factor = 1.';
		END IF;
		IF (t.method, t.colocation) IS DISTINCT FROM (SELECT (d.method, d.colocation) FROM distribution(store.message) AS d) THEN
			RAISE 'tables % and % are not colocated', qualified_name(store.message), t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'What belongs to a mailbox must be on one server.',
				HINT = format('Distribute it with colocate_with => %L.', qualified_name(store.message));
		END IF;
	END LOOP;
	FOR t IN
		SELECT u.relation, qualified_name(u.relation) AS name, distribution_column(u.relation) AS dist
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place)
		ORDER BY place
	LOOP
		IF t.dist IS NOT NULL AND NOT EXISTS (
			SELECT FROM key_columns(store) k
			WHERE k.relation = t.relation AND k.mailbox_column = dist AND k.attribute = t.dist)
		THEN
			RAISE 'table % is not distributed by a column of the mailbox key', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('It is distributed by column "%s", and the mailbox table by column "%s" of the key (%s).',
					t.dist, dist, array_to_string(store.mailbox_key, ', ')),
				HINT = 'The account should be a part of all keys, and the column that the tables are distributed by.';
		END IF;
	END LOOP;
	IF store.account IS NOT NULL AND dist IS NOT NULL AND dist <> ALL (store.account) THEN
		RAISE 'accounts are not in one shard each' USING
			ERRCODE = 'feature_not_supported',
			DETAIL = format('Mailboxes are distributed by column "%s", and accounts are told apart by (%s).',
				dist, array_to_string(store.account, ', ')),
			HINT = 'Name the column that the tables are distributed by with account.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_distribution IS
	'Refuses tables that Citus does not distribute together, by the mailbox or what it belongs to.';

-- Commands that follow are run one after the other on the shards of a server, so that they see each other
CREATE FUNCTION modseq_internal.allow_distributed(message regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF is_distributed(message) THEN
		PERFORM set_config('citus.enable_unsafe_triggers', 'on', true),
			set_config('citus.multi_shard_modify_mode', 'sequential', true);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.allow_distributed IS
	'If a table is distributed, sets for the transaction what Citus needs to change its triggers.';

CREATE FUNCTION modseq_internal.distribute_tables(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	dist CONSTANT name := distribution_column(store.mailbox);
	relation regclass;
	colocation integer;
BEGIN
	SELECT d.colocation INTO colocation FROM distribution(store.message) AS d;
	FOREACH relation IN ARRAY array_remove(ARRAY[store.vanished, store.counters, store.account_table, store.departed], NULL) LOOP
		IF NOT is_distributed(relation) AND colocation = 0 THEN
			EXECUTE 'SELECT citus_add_local_table_to_metadata($1)' USING relation;
		ELSIF NOT is_distributed(relation) THEN
			EXECUTE 'SELECT create_distributed_table($1, $2, colocate_with => $3)'
				USING relation, dist::text, qualified_name(store.message);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.distribute_tables IS
	'Distributes the tables of a store that are ours as the message table is.';

CREATE FUNCTION modseq_internal.at_shard_of(store modseq_internal.store, shard bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT to_jsonb(store) || coalesce(jsonb_object_agg(part, shard_name(shard, relation)), '{}')
	FROM (VALUES
		('message', store.message), ('mailbox', store.mailbox), ('flag', store.flag), ('vanished', store.vanished),
		('counters', store.counters), ('mailbox_source', store.mailbox_source), ('account_table', store.account_table),
		('departed', store.departed)) AS p (part, relation)
	WHERE relation <> 0
$$;
COMMENT ON FUNCTION modseq_internal.at_shard_of IS
	'A store with the tables that it has at a shard, by their names, for the server that has them.';

-- The triggers of the application are off, by the command on the whole tables
CREATE FUNCTION modseq_internal.adopt_shard(
	store jsonb, replaced jsonb, added text[], new_store boolean, same_accounts boolean)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off SET citus.override_table_visibility = off AS $$
DECLARE
	here CONSTANT modseq_internal.store := jsonb_populate_record(NULL::modseq_internal.store, store);
	before CONSTANT modseq_internal.store := jsonb_populate_record(NULL::modseq_internal.store, replaced);
BEGIN
	same_accounts := NOT add_mailboxes(here) AND same_accounts;
	PERFORM refuse_messages(here);
	PERFORM adopt_rows(here, before, added, new_store, same_accounts);
	RETURN true;
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_shard IS
	'What attach() does with the rows of a store, at one shard.';

CREATE FUNCTION modseq_internal.adopt_shards(
	store modseq_internal.store, replaced modseq_internal.store, added text[], new_store boolean, same_accounts boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
BEGIN
	IF replaced.mailbox = store.mailbox AND (replaced.counters IS NULL) <> (store.counters IS NULL) THEN
		RAISE 'counters of a distributed store stay where they are' USING
			ERRCODE = 'feature_not_supported',
			HINT = 'Leave out option counters; or undistribute the tables for the change.';
	END IF;
	FOR s IN SELECT * FROM shards_of(store) LOOP
		EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.adopt_shard(%L, %L, %L, %L, %L)',
			at_shard_of(store, s.shard), at_shard_of(replaced, s.shard), added, new_store, same_accounts));
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.adopt_shards IS
	'What attach() does with the rows of a distributed store, shard by shard.';
/*
 * What is done shard by shard, or at one, of stores that Citus distributes:
 * check(), compact() and reset_uidvalidity(). What takes a mailbox and is
 * written in C goes to its shard by itself (src/function/distributed.c).
 *
 * Citus hides shards from queries on pg_class, also from ours, unless it is told
 * not to.
 */

CREATE FUNCTION modseq_internal.shard_of_key(store modseq_internal.store, key text[], OUT shard bigint, OUT sample text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	dist CONSTANT name := distribution_column(store.mailbox);
BEGIN
	IF dist IS NULL THEN
		SELECT s.shard INTO shard FROM shards_of(store) AS s;
	ELSE
		sample := key[array_position(store.mailbox_key, dist)];
		EXECUTE format('SELECT get_shard_id_for_distribution_column($1, %L::%s)', sample, column_type(store.mailbox, dist))
			INTO shard USING store.message;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.shard_of_key IS
	'The shard of the message table that a mailbox is in, and the value that leads to it.';

-- Of the triggers as Citus calls them only that they are there and fire: their names and arguments are the whole table's
CREATE FUNCTION modseq_internal.triggers_of_shard(store modseq_internal.store, shard bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT jsonb_agg(jsonb_build_array(shard_name(shard, relation), name, function))
	FROM wanted_triggers(store)
	WHERE events <> 'TRUNCATE' AND NOT cloned
$$;
COMMENT ON FUNCTION modseq_internal.triggers_of_shard IS
	'The triggers that a shard must have: the name of its table, what the trigger is called there, and its function.';

CREATE FUNCTION modseq_internal.check_shard(message regclass, key text[], triggers jsonb)
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off SET citus.override_table_visibility = off AS $$
DECLARE
	s modseq_internal.store;
BEGIN
	FOR problem IN
		SELECT format('trigger "%s" on table %s is missing or disabled', w.value ->> 1, w.value ->> 0)
		FROM jsonb_array_elements(triggers) AS w
		WHERE NOT EXISTS (
			SELECT FROM pg_trigger t
			WHERE t.tgrelid = table_named(w.value ->> 0) AND t.tgenabled NOT IN ('D', 'R')
				AND t.tgfoid = to_regproc('modseq.' || (w.value ->> 2)))
	LOOP
		RETURN NEXT;
	END LOOP;
	SELECT * INTO s FROM store_of(message);
	IF FOUND THEN
		RETURN QUERY SELECT * FROM check_mailbox(s, key);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_shard IS
	'What modseq.check() says of one shard.';

CREATE FUNCTION modseq_internal.check_shards(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
BEGIN
	FOR s IN
		SELECT * FROM shards_of(store) WHERE key IS NULL
		UNION ALL
		SELECT * FROM shard_of_key(store, key) WHERE key IS NOT NULL
	LOOP
		RETURN QUERY EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.check_shard(%s, %L, %L)',
			shard_argument(store.message, s.shard), key, triggers_of_shard(store, s.shard)));
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_shards IS
	'What modseq.check() says of all shards, or of that of one mailbox.';

CREATE FUNCTION modseq_internal.compact_shard(message regclass, older_than interval, changes_older_than interval)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp SET citus.override_table_visibility = off AS $$
BEGIN
	RETURN modseq.compact(message, older_than, changes_older_than);
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_shard IS
	'modseq.compact() for one shard.';

CREATE FUNCTION modseq_internal.compact_shards(
	store modseq_internal.store, older_than interval, changes_older_than interval)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
	folded bigint;
	total bigint := 0;
BEGIN
	FOR s IN SELECT * FROM shards_of(store) LOOP
		EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.compact_shard(%s, %L, %L)',
			shard_argument(store.message, s.shard), older_than, changes_older_than)) INTO folded;
		total := total + folded;
	END LOOP;
	RETURN total;
END
$$;
COMMENT ON FUNCTION modseq_internal.compact_shards IS
	'modseq.compact() for all shards.';

CREATE FUNCTION modseq_internal.reset_shard(message regclass, mailbox text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp SET citus.override_table_visibility = off AS $$
BEGIN
	RETURN modseq.reset_uidvalidity(message, mailbox);
END
$$;
COMMENT ON FUNCTION modseq_internal.reset_shard IS
	'modseq.reset_uidvalidity() at one shard.';

-- The lock keeps the shard where it is
CREATE FUNCTION modseq_internal.reset_at_shard(store modseq_internal.store, mailbox text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	s record;
	uidvalidity bigint;
BEGIN
	PERFORM FROM modseq.lock(store.message, mailbox);
	SELECT * INTO s FROM shard_of_key(store, mailbox);
	EXECUTE at_shard(store.mailbox, s.sample, format('modseq_internal.reset_shard(%s, %L)',
		shard_argument(store.message, s.shard), mailbox)) INTO uidvalidity;
	RETURN uidvalidity;
END
$$;
COMMENT ON FUNCTION modseq_internal.reset_at_shard IS
	'modseq.reset_uidvalidity() where the mailbox is.';
/*
 * attach(), and what changes the definition of tables for it.
 */

CREATE FUNCTION modseq_internal.drop_triggers(tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN
		SELECT tgname, qualified_name(tgrelid) AS relation, tgtype & 32 <> 0 AND is_distributed(tgrelid) AS left_at_shards
		FROM our_triggers(ARRAY(SELECT with_partitions(VARIADIC tables)))
	LOOP
		-- Citus gives a shard that moves, or is split, the triggers that TRUNCATE fires, too; but it does not drop them.
		-- Those that INSERT fires it does.
		IF t.left_at_shards THEN
			EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE INSERT ON %s EXECUTE FUNCTION modseq.trigger_open()',
				t.tgname, t.relation);
		END IF;
		EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.drop_triggers IS
	'Drops the triggers of modseq on these tables and their partitions.';

-- Before it is known what it is; of those who may not do it nobody waits for a lock
CREATE FUNCTION modseq_internal.hold_message(message regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	PERFORM run(ARRAY(
		SELECT format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', qualified_name(oid))
		FROM pg_class
		WHERE oid = message AND relkind IN ('r', 'p') AND pg_has_role(relowner, 'USAGE')));
END
$$;
COMMENT ON FUNCTION modseq_internal.hold_message IS
	'Of attach() and detach() of one store, has the second wait for the first, until the transaction ends.';

-- Who alters them is waited for before we look, not in the middle of it; and so is another attach(), lest both have a
-- lock and wait for a stronger one
CREATE FUNCTION modseq_internal.hold_tables(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', (
		SELECT string_agg(qualified_name(t), ', ' ORDER BY place)
		FROM unnest(ARRAY[store.message, store.mailbox_source, store.mailbox, store.flag]) WITH ORDINALITY AS u (t, place)
		WHERE t IS NOT NULL));
END
$$;
COMMENT ON FUNCTION modseq_internal.hold_tables IS
	'Locks the tables of a store against ALTER TABLE and attach() until the transaction ends.';

-- Readers go on, unless a table must change: adding a column, changing a default and dropping a trigger need ACCESS
-- EXCLUSIVE.
CREATE FUNCTION modseq_internal.lock_tables(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := array_remove(array_remove(
		ARRAY[store.message, store.mailbox_source, store.mailbox, store.flag, store.counters, store.account_table],
		NULL), 0);
	must_change CONSTANT boolean :=
		EXISTS (SELECT FROM missing_columns(store))
		OR has_default(store.message, store.message_uid)
		OR counter_table(store) <> 0 AND NOT has_default(counter_table(store), store.mailbox_uidvalidity)
		OR EXISTS (SELECT FROM not_null_while_attached(store) WHERE NOT is_not_null)
		OR EXISTS (SELECT FROM rules_to_disable(ARRAY[store.message, counter_table(store)]))
		OR EXISTS (SELECT FROM our_triggers(ARRAY(SELECT with_partitions(VARIADIC tables))));
	relation regclass;
BEGIN
	FOREACH relation IN ARRAY tables LOOP
		EXECUTE format('LOCK TABLE %s IN %s MODE', qualified_name(relation),
			CASE WHEN must_change AND NOT stays_as_it_is(store, relation)
				AND NOT (store.counters IS NOT NULL AND relation = store.mailbox AND NOT EXISTS (
					SELECT FROM our_triggers(ARRAY(SELECT with_partitions(relation)))))
				THEN 'ACCESS EXCLUSIVE' ELSE 'SHARE ROW EXCLUSIVE' END);
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.lock_tables IS
	'Locks the tables of a store against writers until the transaction ends.';

CREATE FUNCTION modseq_internal.add_columns(store modseq_internal.store) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	c record;
	before text;
	added text[] := '{}'::text[];
BEGIN
	FOR c IN SELECT * FROM missing_columns(store) LOOP
		EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', qualified_name(c.relation), c.attribute, c.definition);
		PERFORM comment_on_column(c.relation, c.attribute, added_mark());
		RAISE NOTICE 'added column "%" to table %', c.attribute, qualified_name(c.relation);
		added := added || c.option;
	END LOOP;

	-- A default would come before the trigger, which assigns UIDs where there is none
	SELECT pg_get_expr(d.adbin, d.adrelid) INTO before
	FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
	WHERE d.adrelid = store.message AND a.attname = store.message_uid;
	IF FOUND THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', qualified_name(store.message), store.message_uid);
		RAISE NOTICE 'dropped the default % of column "%" of table %: UIDs are assigned where none is given',
			before, store.message_uid, qualified_name(store.message);
	END IF;

	-- Mailboxes that the application makes without one need a UIDVALIDITY
	IF NOT has_default(counter_table(store), store.mailbox_uidvalidity) THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT modseq.next_uidvalidity()',
			qualified_name(counter_table(store)), store.mailbox_uidvalidity);
		PERFORM mark_default(counter_table(store), store.mailbox_uidvalidity);
		RAISE NOTICE 'column "%" of table % has modseq.next_uidvalidity() as its default now',
			store.mailbox_uidvalidity, qualified_name(counter_table(store));
	END IF;
	IF column_type(counter_table(store), store.mailbox_uidvalidity) = 'integer'::regtype THEN
		RAISE WARNING 'column "%" of table % is an integer, too small for a UIDVALIDITY from 2038 on',
			store.mailbox_uidvalidity, qualified_name(store.mailbox) USING
			DETAIL = 'modseq.next_uidvalidity() is not below the clock, in seconds since 1970.',
			HINT = format('Use ALTER TABLE %s ALTER COLUMN %I TYPE bigint.',
				qualified_name(store.mailbox), store.mailbox_uidvalidity);
	END IF;
	RETURN added;
END
$$;
COMMENT ON FUNCTION modseq_internal.add_columns IS
	'Adds the columns that are missing and returns the options that name them.';

CREATE FUNCTION modseq_internal.create_indexes(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	i record;
	duplicate text;
BEGIN
	FOR i IN SELECT * FROM wanted_indexes(store) LOOP
		CONTINUE WHEN has_index(i.relation, i.columns, i.is_unique, i.is_sorted);
		PERFORM create_index(i.relation, i.columns, i.is_unique);
	END LOOP;
	IF NOT may_be_unique(store.message, store.message_mailbox || store.message_uid) THEN
		PERFORM refuse_duplicates(store);
	END IF;
EXCEPTION WHEN unique_violation THEN
	GET STACKED DIAGNOSTICS duplicate = PG_EXCEPTION_DETAIL;
	RAISE 'table % has two messages with one UID', qualified_name(store.message) USING
		ERRCODE = 'unique_violation',
		DETAIL = duplicate,
		HINT = 'Set one of them to null, and modseq.attach() assigns another one.';
END
$$;
COMMENT ON FUNCTION modseq_internal.create_indexes IS
	'Creates the indexes that are missing. Error 23505 if two messages have one UID.';

CREATE FUNCTION modseq_internal.create_triggers(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM wanted_triggers(store) w WHERE NOT cloned AND NOT stays_as_it_is(store, w.relation) LOOP
		EXECUTE format('CREATE TRIGGER %I %s %s ON %s FOR EACH %s EXECUTE FUNCTION modseq.%I(%s)',
			t.name, t.timing, t.events, qualified_name(t.relation), t.level, t.function,
			(SELECT string_agg(quote_literal(a), ', ' ORDER BY place)
				FROM unnest(t.arguments) WITH ORDINALITY AS u (a, place)));
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.create_triggers IS
	'Creates the triggers of a store.';

CREATE FUNCTION modseq_internal.notice_flags(store modseq_internal.store, named boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	unused text;
	expunged name;
BEGIN
	IF cardinality(store.message_flags) > 0 THEN
		RAISE NOTICE 'flag columns: %', array_to_string(store.message_flags, ', ');
	ELSIF store.message_flags IS NULL AND store.flag IS NULL THEN
		RAISE WARNING 'no flags are tracked' USING
			HINT = 'Name the flag columns of the message table with message_flags, or give a flag table.';
	END IF;
	-- A store keeps its flag columns, and nothing else would tell of one that has come since
	IF NOT named THEN
		SELECT string_agg(f, ', ' ORDER BY place) INTO unused
		FROM unnest(usual_flags(store.message)) WITH ORDINALITY AS u (f, place)
		WHERE f <> ALL (store.message_flags || store.message_mailbox || store.message_uid || store.message_modseq)
			AND f IS DISTINCT FROM store.message_expunged;
		IF unused IS NOT NULL THEN
			RAISE NOTICE 'no flag columns, though they look like it: %', unused USING
				HINT = 'Name all flag columns with message_flags, or have them found anew by reset => ''{message_flags}''.';
		END IF;
	END IF;
	IF store.message_expunged IS NULL THEN
		FOREACH expunged IN ARRAY usual_soft_deletes(store.message) LOOP
			IF expunged = ANY (store.message_flags) IS NOT TRUE THEN
				RAISE WARNING 'column "%" of table % looks like a soft delete, and is not used as one',
					expunged, qualified_name(store.message) USING
					HINT = format('If it is one, give message_expunged => %L.', expunged);
			ELSIF plain_name(expunged) <> 'deleted' THEN
				RAISE NOTICE 'column "%" of table % is taken for a flag, not for a soft delete',
					expunged, qualified_name(store.message) USING
					HINT = format('If it is a soft delete, give message_expunged => %L.', expunged);
			END IF;
		END LOOP;
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_flags IS
	'Says which flag columns are tracked, and which columns may be flags, or a soft delete, that nobody has named.';

-- Options may be given that the application's own keys speak against; only it can know which are right
CREATE FUNCTION modseq_internal.warn_keys(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	named record;
	part record;
BEGIN
	SELECT array_to_string(f.columns, ', ') AS columns, array_to_string(f.referenced, ', ') AS key INTO named
	FROM foreign_keys(store.flag, store.message) f
	WHERE f.columns && store.flag_message AND store.message_uid <> ALL (f.referenced)
		AND NOT EXISTS (
			SELECT FROM foreign_keys(store.flag, store.message) g
			WHERE NOT EXISTS (
				SELECT FROM unnest(g.columns, g.referenced) AS u (name, key)
				WHERE (name, key) NOT IN (SELECT * FROM unnest(store.flag_message, store.message_key))))
	LIMIT 1;
	IF FOUND THEN
		RAISE WARNING 'rows of table % do not name messages as their foreign key does', qualified_name(store.flag) USING
			DETAIL = format('Columns (%s) go with columns (%s) of table %s, in the foreign key (%s) with (%s).',
				array_to_string(store.flag_message, ', '), array_to_string(store.message_key, ', '),
				qualified_name(store.message), named.columns, named.key),
			HINT = format('To go by the foreign key, use modseq.attach(%L, reset => ''{flag_message,message_key}'').',
				qualified_name(store.message));
	END IF;

	-- Not where these columns tell mailboxes apart
	SELECT array_to_string(i.columns, ', ') AS columns,
		array_to_string(array_remove(i.columns, store.message_uid), ', ') AS mailbox INTO part
	FROM usable_indexes(store.message) i
	CROSS JOIN LATERAL (
		SELECT array_agg(key)
		FROM unnest(store.mailbox_key, store.message_mailbox) AS u (key, name)
		WHERE name = ANY (i.columns)) AS k (key)
	WHERE i.is_unique AND store.message_uid = ANY (i.columns)
		AND i.columns <@ (store.message_mailbox || store.message_uid) AND NOT i.columns @> store.message_mailbox
		AND NOT EXISTS (
			SELECT FROM usable_indexes(store.mailbox) b
			WHERE b.is_unique AND b.columns <@ k.key)
	LIMIT 1;
	IF FOUND THEN
		RAISE WARNING 'table % has a unique index on (%)', qualified_name(store.message), part.columns USING
			DETAIL = format('UIDs are unique only within a mailbox. Where several mailboxes have the same (%s), messages '
				'will be refused.', part.mailbox),
			HINT = 'Name another column with message_uid, which is added if it does not exist; or drop that index.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.warn_keys IS
	'Warns of flags that do not name their messages as a foreign key does, and of a unique index on the UID and a part '
	'of the mailbox key.';

CREATE FUNCTION modseq_internal.attach(
	message regclass,
	mailbox regclass,
	flag regclass,
	mailbox_key name[],
	mailbox_uidvalidity name,
	mailbox_uidnext name,
	mailbox_last_uid name,
	mailbox_highestmodseq name,
	mailbox_source regclass,
	mailbox_source_key name[],
	counters text,
	message_mailbox name[],
	message_uid name,
	message_modseq name,
	message_created_modseq name,
	message_flags name[],
	message_expunged name,
	message_key name[],
	flag_message name[],
	flag_mailbox name[],
	flag_uid name,
	flag_columns name[],
	account name[],
	email name,
	thread name,
	mailbox_properties name[],
	changes text,
	notify boolean,
	reset name[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	before modseq_internal.store;
	replaced modseq_internal.store;
	store modseq_internal.store;
	added text[];
	undo text[];
	new_store boolean;
	same_accounts boolean;
	c record;
BEGIN
	-- A snapshot that is older than our locks would miss messages
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE 'modseq.attach() needs transaction isolation level READ COMMITTED' USING
			ERRCODE = 'invalid_transaction_state',
			HINT = 'Call it in a transaction of its own.';
	END IF;
	PERFORM allow_distributed(message);
	PERFORM hold_message(message);
	before := find_before(message);
	store := (message, mailbox, flag, before.vanished, NULL,
		mailbox_key, mailbox_uidvalidity, mailbox_uidnext, mailbox_last_uid, mailbox_highestmodseq,
		mailbox_source, mailbox_source_key,
		message_mailbox, message_uid, message_modseq, message_created_modseq,
		message_flags, message_expunged, message_key,
		flag_message, flag_mailbox, flag_uid, flag_columns, changes, notify,
		account, before.account_table, before.departed, email, thread, mailbox_properties);
	replaced := before;
	before := reset_options(before, store, reset);
	store := keep_tables(store, before, reset);
	PERFORM refuse_options(store);
	PERFORM refuse_tables(store);
	PERFORM refuse_reader(store, ARRAY[store.message, store.mailbox, store.mailbox_source], 'modseq.attach()');
	PERFORM hold_tables(store);
	store := place_counters(store, before, counters);
	PERFORM follow_owner(store, store.vanished);
	PERFORM follow_owner(store, store.counters);
	PERFORM follow_owner(store, store.account_table);
	PERFORM follow_owner(store, store.departed);
	store := keep_options(store, before);

	-- What must be locked depends on what is there, and that may change while we wait for it: once more then
	PERFORM lock_tables(infer(store));
	PERFORM refuse_tables(store);
	store := infer(store);
	PERFORM refuse_distribution(store);

	same_accounts := store.account IS NOT NULL AND keeps_accounts(store, replaced);
	-- Our triggers must not see what follows
	PERFORM drop_triggers(ARRAY(
		SELECT relation
		FROM unnest(ARRAY[message, store.mailbox, store.mailbox_source, store.flag, store.counters,
			replaced.mailbox, replaced.mailbox_source, replaced.flag, replaced.counters, replaced.account_table])
			AS u (relation)
		WHERE relation IS NOT NULL AND NOT stays_as_it_is(store, relation)));
	IF before.mailbox = store.mailbox THEN
		PERFORM follow_mailbox_key(before.vanished, trim_array(primary_key(before.vanished), 1), store);
		PERFORM follow_mailbox_key(before.counters, primary_key(before.counters), store);
		PERFORM follow_account(before, store);
	END IF;
	IF store.counters IS NOT NULL THEN
		store.counters := coalesce(find_counters(store), create_counters(store));
		PERFORM drop_triggers(ARRAY[store.counters]);
	END IF;
	added := add_columns(store);
	store.vanished := find_vanished(store);
	new_store := store.vanished IS NULL;
	IF new_store THEN
		store.vanished := create_vanished(store);
	END IF;
	PERFORM place_changes(store);
	store := make_accounts(store, replaced);
	same_accounts := same_accounts AND store.account_table IS NOT DISTINCT FROM replaced.account_table
		AND store.departed IS NOT DISTINCT FROM replaced.departed;
	IF is_distributed(message) THEN
		PERFORM distribute_tables(store);
	ELSE
		IF add_mailboxes(store) THEN
			same_accounts := false;
		END IF;
		PERFORM refuse_messages(store);
	END IF;
	undo := disable_triggers(array_remove(
		ARRAY[store.message, counter_table(store), store.vanished, store.account_table, store.departed], NULL));
	IF is_distributed(message) THEN
		PERFORM adopt_shards(store, replaced, added, new_store, same_accounts);
	ELSE
		PERFORM move_counters(store, before);
		PERFORM adopt_rows(store, replaced, added, new_store, same_accounts);
	END IF;
	PERFORM run(undo);
	PERFORM create_indexes(store);
	FOR c IN SELECT * FROM not_null_while_attached(store) WHERE NOT is_not_null LOOP
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', qualified_name(c.relation), c.attribute);
	END LOOP;
	PERFORM create_triggers(store);
	PERFORM notice_flags(store, named => message_flags IS NOT NULL);
	PERFORM notice_index(store);
	PERFORM warn_keys(store);
END
$$;
COMMENT ON FUNCTION modseq_internal.attach IS
	'What modseq.attach() does, as the owner of the message table.';

CREATE FUNCTION modseq.attach(
	message regclass,
	mailbox regclass DEFAULT NULL,
	flag regclass DEFAULT NULL,
	mailbox_key name[] DEFAULT NULL,
	mailbox_uidvalidity name DEFAULT NULL,
	mailbox_uidnext name DEFAULT NULL,
	mailbox_last_uid name DEFAULT NULL,
	mailbox_highestmodseq name DEFAULT NULL,
	mailbox_source regclass DEFAULT NULL,
	mailbox_source_key name[] DEFAULT NULL,
	counters text DEFAULT NULL,
	message_mailbox name[] DEFAULT NULL,
	message_uid name DEFAULT NULL,
	message_modseq name DEFAULT NULL,
	message_created_modseq name DEFAULT NULL,
	message_flags name[] DEFAULT NULL,
	message_expunged name DEFAULT NULL,
	message_key name[] DEFAULT NULL,
	flag_message name[] DEFAULT NULL,
	flag_mailbox name[] DEFAULT NULL,
	flag_uid name DEFAULT NULL,
	flag_columns name[] DEFAULT NULL,
	account name[] DEFAULT NULL,
	email name DEFAULT NULL,
	thread name DEFAULT NULL,
	mailbox_properties name[] DEFAULT NULL,
	changes text DEFAULT NULL,
	notify boolean DEFAULT NULL,
	reset name[] DEFAULT NULL)
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_attach';
COMMENT ON FUNCTION modseq.attach IS
	'Makes a store of a message table, a mailbox table and, if given, a flag table: adds the columns, indexes, '
	'triggers, the table of counters and that of vanished UIDs that are missing, assigns UIDs (1 to 4294967295) '
	'to messages that have null or 0, and raises UIDNEXT and HIGHESTMODSEQ (from 1) over all that is there; '
	'triggers and rules of these tables are disabled meanwhile. Columns and indexes that it adds have a comment '
	'that says so. The options name columns; those left out are found by primary key, foreign key and usual name. '
	'message_expunged: a message is expunged where this column is not null, not false and not 0. counters: '
	'beside, for a table <message>_mailbox that is added, or mailbox, for columns of the mailbox table; without '
	'it they stay where they are, and for a new store they are in the mailbox table if that has a column for one '
	'of them. mailbox_source: the table whose rows, added, renamed or removed, are rows of the mailbox table too, '
	'which has the counters beside it; its key is mailbox_source_key. account: columns of the mailbox table; the mailboxes '
	'of an account, or of the store if it is {}, share one counter, and tables <message>_account and <message>_departed '
	'are added; email and thread tell Emails and Threads apart in the message table, and mailbox_properties are the '
	'columns of the mailbox table that are more than counts. '
	'changes: index, the default, for an index on the '
	'mailbox and the mod-sequence; or log, for a column of the vanished table that says which messages changed, so '
	'that no index needs to be written when flags change. notify: send a notification on channel '
	'modseq at commit, one for each mailbox whose HIGHESTMODSEQ was raised, and for each key that a mailbox lost (not '
	'from prepared transactions). Of a '
	'store that is attached already it repairs what is missing, and follows a new owner of the message table; '
	'tables and options that are not given keep their values, but for those that reset names. Locks the tables '
	'against writers until the transaction ends (SHARE ROW EXCLUSIVE; ACCESS EXCLUSIVE where a column, default, '
	'trigger or rule must change), waiting for transactions that have written to them: set lock_timeout, and '
	'repeat it after 40P01. For the owner of the tables. Errors, and nothing is changed: 22004 and 22023 for '
	'options that contradict each other, 42809 and 0A000 for tables and columns that cannot be served, 42701, '
	'42703, 42804, 42883 and 42P21 for columns that do not exist or do not fit, 42830 and 54011 for a mailbox key '
	'that is none, 42P16 for a unique index in the way, 42P07 for another table that is called as one of ours, 42P01 for a table of the store that is gone, 55006 for a table of another store, 22003, '
	'23502, 23503 and 23505 for messages that have no valid mailbox or UID, 42501 without ownership or where '
	'row-level security hides rows, 25000 in another isolation level than READ COMMITTED.';
/*
 * detach(): the triggers go, and, if that is asked for, all else that attach()
 * has added.
 */

-- What a forged store names could be anybody's
CREATE FUNCTION modseq_internal.drop_ours(store modseq_internal.store, ours regclass) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	name CONSTANT text := qualified_name(ours);
BEGIN
	IF EXISTS (
			SELECT FROM pg_class v JOIN pg_class m ON m.relowner = v.relowner
			WHERE v.oid = ours AND m.oid = store.message)
		AND NOT EXISTS (
			SELECT FROM stores_of(ours) AS s WHERE s.message <> store.message)
	THEN
		EXECUTE format('DROP TABLE %s', name);
		RETURN format('dropped table %s', name);
	END IF;
	RETURN 'table ' || name || ' stays: it is another owner''s, or another store''s';
END
$$;
COMMENT ON FUNCTION modseq_internal.drop_ours IS
	'Drops a table of a store that is ours, and returns what is to be said of it.';

CREATE FUNCTION modseq_internal.remove(store modseq_internal.store, tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	done text[];
	dependents text;
BEGIN
	BEGIN
		done := array_remove(
			remove_added(tables) || drop_ours(store, store.vanished) || drop_ours(store, store.counters)
				|| drop_ours(store, store.account_table) || drop_ours(store, store.departed), NULL);
	EXCEPTION WHEN dependent_objects_still_exist THEN
		GET STACKED DIAGNOSTICS dependents = PG_EXCEPTION_DETAIL;
		RAISE 'cannot remove what modseq.attach() has added, as other objects need it' USING
			ERRCODE = 'dependent_objects_still_exist',
			DETAIL = dependents,
			HINT = 'Drop them, and create them again afterwards, without what is removed. A view that was created as '
				'SELECT * since modseq.attach() has its columns, too.';
	END;
	FOR i IN 1 .. cardinality(done) LOOP
		RAISE NOTICE '%', done[i];
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.remove IS
	'Drops all that attach() has added to a store, and says so. Error 2BP01 if something else needs it.';

CREATE FUNCTION modseq_internal.knows_all_parts(store modseq_internal.store) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT store.message IS NOT NULL AND NOT EXISTS (
		SELECT FROM store_options(store.message)
		WHERE option IN ('mailbox', 'mailbox_source', 'flag', 'counters', 'account_table')
			AND NOT has_trigger_for(table_named(value), store.message))
$$;
COMMENT ON FUNCTION modseq_internal.knows_all_parts IS
	'Is each table that a store names there, with a trigger that names the store? Else one may have another name now.';

CREATE FUNCTION modseq.detach(message regclass, remove boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	store modseq_internal.store;
	renamed regclass[];
	tables regclass[];
	own regclass[];
	c record;
BEGIN
	PERFORM allow_distributed(message);
	PERFORM hold_message(message);
	-- Partitions may come, and it may be another table's store, while we wait for the locks: so once more when we have them
	FOR pass IN 1 .. 2 LOOP
		SELECT * INTO store FROM store_of(message);

		-- The mailbox and flag tables by their names in the store, or, where these were renamed, by the name of the
		-- message table in their triggers; but others may name this store in triggers by hand
		IF NOT knows_all_parts(store) THEN
			renamed := ARRAY(
				SELECT oid FROM pg_class WHERE oid = ANY (tables_naming(message)) AND pg_has_role(relowner, 'USAGE'));
		END IF;
		SELECT array_agg(DISTINCT t.tgrelid::regclass) INTO tables
		FROM our_triggers(renamed || ARRAY(
			SELECT with_partitions(detach.message, store.mailbox, store.mailbox_source, store.flag, store.counters,
				store.account_table))) AS t;
		-- Another part of a store goes with it; but if the message table was dropped, there is nothing else to name.
		-- A partition goes with the whole, unless it has row triggers that somebody made by hand.
		IF tables IS NULL
			OR EXISTS (
				SELECT FROM stores_of(detach.message) AS s
				WHERE s.message <> detach.message AND detach.message IS DISTINCT FROM s.vanished
					AND detach.message IS DISTINCT FROM s.departed)
			OR is_partition_of_store(detach.message)
		THEN
			RAISE 'table % is not attached to modseq', coalesce(qualified_name(message), message::text, 'null') USING
				ERRCODE = 'object_not_in_prerequisite_state',
				HINT = coalesce(store_hint(message),
					'A store is named by its message table; modseq.stores lists them.');
		END IF;
		PERFORM refuse_stranger(tables, 'modseq.detach()');
		IF pass = 1 THEN
			PERFORM run(ARRAY(
				SELECT format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', string_agg(qualified_name(r.oid), ', ' ORDER BY
					array_position(ARRAY[detach.message, store.mailbox_source, store.mailbox, store.flag, store.counters,
						store.account_table], r.oid),
					r.oid))
				FROM pg_class r
				WHERE r.oid = ANY (tables) AND (NOT r.relispartition OR r.oid = detach.message)
				HAVING count(*) > 0));
		END IF;
	END LOOP;

	-- What a forged store names may be anybody's: only what has triggers that name this store, or is of one owner
	SELECT array_agg(o.oid) INTO own
	FROM pg_class o
	WHERE o.oid = ANY (tables) AND NOT o.relispartition
		AND (o.relowner = (SELECT relowner FROM pg_class m WHERE m.oid = detach.message)
			OR has_trigger_for(o.oid, detach.message));

	PERFORM drop_triggers(tables);
	FOR c IN SELECT * FROM not_null_while_attached(store) WHERE relation = ANY (own) AND is_not_null LOOP
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', qualified_name(c.relation), c.attribute);
	END LOOP;
	IF remove THEN
		PERFORM remove(store, own);
	END IF;
	PERFORM notice_left(store, coalesce(remove, false));
END
$$;
COMMENT ON FUNCTION modseq.detach(regclass, boolean) IS
	'Ends a store: removes the triggers that attach() created, keeps the columns, the indexes and the table of '
	'vanished UIDs. UIDs may be null then; what is deleted or arrives while a store is detached is noticed by the '
	'next attach(); flags that change meanwhile are not: call reset_uidvalidity() for mailboxes where they did. '
	'remove: drops all that attach() has added, and nothing else: the columns and indexes whose comment says so, '
	'its default of UIDVALIDITY and the table of vanished UIDs. Takes ACCESS EXCLUSIVE locks on the tables until '
	'the transaction ends. Errors: 55000 if the table is not attached, 42501 for others than the owner of the '
	'tables, 2BP01 if a view or a constraint needs what is to be removed.';

-- What is wrong with somebody's store must not keep the extension from being dropped
CREATE FUNCTION modseq_internal.detach_all() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	message regclass;
BEGIN
	FOR message IN SELECT s.message FROM modseq.stores s ORDER BY 1 LOOP
		BEGIN
			PERFORM modseq.detach(message);
		EXCEPTION WHEN others THEN
			RAISE WARNING 'store % could not be detached', qualified_name(message) USING
				DETAIL = SQLERRM,
				HINT = 'Where columns are NOT NULL that modseq.attach() has added, use ALTER TABLE ... ALTER COLUMN '
					'... DROP NOT NULL.';
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION modseq_internal.detach_all IS
	'Detaches all stores, before DROP EXTENSION takes their triggers: an application must be able to write then.';
/*
 * check(): what is wrong with a store, its tables first and then their rows.
 */

CREATE FUNCTION modseq_internal.check_options(store modseq_internal.store) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('table %s is missing', value)
	FROM store_options(store.message)
	WHERE option IN ('mailbox', 'mailbox_source', 'flag', 'vanished', 'counters', 'account_table', 'departed') AND table_named(value) IS NULL
	UNION ALL
	SELECT format('table %s is another owner''s, and has no trigger of the store', qualified_name(table_named(value)))
	FROM store_options(store.message)
	WHERE option IN ('mailbox', 'mailbox_source', 'flag', 'vanished', 'counters', 'account_table', 'departed') AND to_jsonb(store) -> option = 'null'
		AND table_named(value) IS NOT NULL
	UNION ALL
	SELECT DISTINCT format('option "%s" of table %s is missing or not valid', name, qualified_name(store.message))
	FROM (
		SELECT unnest('{mailbox_key,mailbox_uidvalidity,mailbox_uidnext,mailbox_highestmodseq,'
			'message_mailbox,message_uid,message_modseq}'::text[])
		UNION ALL
		SELECT name
		FROM unnest('{mailbox,vanished}'::text[]) AS name
		WHERE NOT EXISTS (SELECT FROM store_options(store.message) WHERE option = name)
		UNION ALL
		SELECT name
		FROM unnest('{account_table,departed,email,message_created_modseq}'::text[]) AS name
		WHERE store.account IS NOT NULL AND NOT EXISTS (SELECT FROM store_options(store.message) WHERE option = name)
		UNION ALL
		SELECT option
		FROM store_options(store.message)
		WHERE option NOT IN ('mailbox', 'mailbox_source', 'flag', 'vanished', 'counters', 'account_table', 'departed')) AS o (name)
	WHERE to_jsonb(store) -> name = 'null'
		AND NOT (name = 'mailbox_uidnext' AND store.mailbox_last_uid IS NOT NULL)
$$;
COMMENT ON FUNCTION modseq_internal.check_options IS
	'What a store''s options name that is not there, or cannot be part of the store.';

-- A table that is not there is NULL, and nothing is said of it
CREATE FUNCTION modseq_internal.check_schema(store modseq_internal.store) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT format('column "%s" of table %s is missing', attribute, qualified_name(relation))
	FROM wanted_columns(store)
	WHERE relation IS NOT NULL AND column_type(relation, attribute) IS NULL
	UNION ALL
	SELECT format('table %s is no table now', qualified_name(oid))
	FROM pg_class
	WHERE oid IN (store.message, store.mailbox, store.mailbox_source, store.flag, store.vanished, store.counters,
		store.account_table, store.departed)
		AND relkind NOT IN ('r', 'p')
	UNION ALL
	SELECT format('table %s is unlogged', qualified_name(t))
	FROM with_partitions(
		store.message, store.mailbox, store.mailbox_source, store.flag, store.vanished, store.counters,
		store.account_table, store.departed) AS u (t)
	JOIN pg_class ON oid = t
	WHERE relpersistence <> 'p'
	UNION ALL
	SELECT format('table %s %s', qualified_name(oid),
		CASE WHEN relispartition THEN 'is a partition' ELSE 'inherits or is inherited from' END)
	FROM pg_class
	WHERE oid IN (store.message, store.mailbox, store.mailbox_source, store.flag, store.vanished, store.counters,
		store.account_table, store.departed)
		AND is_inherited(oid)
	UNION ALL
	SELECT format('column "%s" of table %s has type %s', attribute, qualified_name(relation),
		column_type(relation, attribute))
	FROM wanted_columns(store)
	WHERE column_type(relation, attribute) <> ALL (types)
	UNION ALL
	SELECT format('column "%s" of table %s is a generated column', w.attribute, qualified_name(w.relation))
	FROM wanted_columns(store) w
	JOIN pg_attribute a ON a.attrelid = w.relation AND a.attname = w.attribute AND a.attgenerated <> ''
	WHERE w.definition IS NOT NULL OR w.option IN ('message_mailbox', 'email', 'thread')
	UNION ALL
	SELECT format('column "%s" of table %s has not the type of the key that it refers to', attribute,
		qualified_name(relation))
	FROM (
		SELECT store.message, u.*, store.mailbox FROM unnest(store.message_mailbox, store.mailbox_key) AS u
		UNION ALL
		SELECT store.mailbox_source, u.*, store.mailbox FROM unnest(store.mailbox_source_key, store.mailbox_key) AS u
		UNION ALL
		SELECT store.flag, u.*, store.mailbox FROM unnest(store.flag_mailbox, store.mailbox_key) AS u
		UNION ALL
		SELECT store.flag, u.*, store.message FROM unnest(store.flag_message, store.message_key) AS u)
		AS k (relation, attribute, referenced, parent)
	WHERE NOT may_hold_same_key(column_type(relation, attribute), column_type(parent, referenced))
	UNION ALL
	SELECT format('column "%s" of table %s has not the type of the mailbox key', k, qualified_name(ours))
	FROM unnest(ARRAY[store.vanished, store.counters]) AS ours, unnest(store.mailbox_key) AS k
	WHERE ours IS NOT NULL AND column_type(store.mailbox, k) IS NOT NULL
		AND column_definitions(ours, ARRAY[k]) IS DISTINCT FROM column_definitions(store.mailbox, ARRAY[k])
	UNION ALL
	SELECT format('column "%s" of table %s is missing, or has not type %s', c.name, qualified_name(c.ours), c.type)
	FROM (VALUES
		(store.vanished, 'modseq', 'bigint'::regtype),
		(store.vanished, 'uids', 'modseq.uidset'::regtype),
		(store.vanished, 'lost', 'bigint'::regtype),
		(store.vanished, 'lost_uids', 'modseq.uidset'::regtype),
		(CASE WHEN store.changes = 'log' THEN store.vanished END, 'changed', 'modseq.uidset'::regtype),
		(store.counters, 'gone_at', 'timestamptz'::regtype)) AS c (ours, name, type)
	WHERE c.ours IS NOT NULL AND column_type(c.ours, c.name) IS DISTINCT FROM c.type
	UNION ALL
	SELECT format('table %s has not the columns (%s)', qualified_name(c.ours), c.definitions)
	FROM (VALUES
		(store.account_table, account_definitions(store), account_key(store)),
		(store.departed, departed_definitions(store), NULL),
		(CASE WHEN store.account IS NOT NULL THEN store.counters END, counters_definitions(store), store.mailbox_key))
		AS c (ours, definitions, key)
	WHERE c.ours IS NOT NULL AND NOT has_definitions(c.ours, c.definitions, c.key)
	UNION ALL
	SELECT format('table %s has another owner than table %s', qualified_name(v.oid), qualified_name(m.oid))
	FROM pg_class v, pg_class m
	WHERE v.oid IN (store.vanished, store.counters, store.account_table, store.departed) AND m.oid = store.message AND v.relowner <> m.relowner
	UNION ALL
	SELECT format('index on %s (%s) is missing', qualified_name(relation), array_to_string(columns, ', '))
	FROM wanted_indexes(store)
	WHERE NOT has_index(relation, columns, is_unique, is_sorted)
	UNION ALL
	SELECT format('trigger "%s" on table %s %s', name, qualified_name(relation), problem)
	FROM unsound_triggers(store)
$$;
COMMENT ON FUNCTION modseq_internal.check_schema IS
	'What is missing or wrong of the tables, columns, indexes and triggers of a store.';

CREATE FUNCTION modseq_internal.has_mailbox(store modseq_internal.store, key text[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	found boolean;
BEGIN
	EXECUTE expand_template(store, $query$
		WITH chosen AS (SELECT {$1})
		SELECT EXISTS (SELECT FROM chosen, {mailbox} b WHERE {b=chosen} AND NOT {b.gone})
		$query$ || CASE WHEN source_table(store) IS NULL THEN '' ELSE $query$
		OR EXISTS (SELECT FROM chosen, {source} s WHERE {s=chosen})
		$query$ END) INTO found USING key;
	RETURN found;
END
$$;
COMMENT ON FUNCTION modseq_internal.has_mailbox IS
	'Is there a mailbox with that key?';

CREATE FUNCTION modseq_internal.one_mailbox(key text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
	SELECT CASE WHEN key IS NULL THEN '' ELSE '{one}' END
$$;
COMMENT ON FUNCTION modseq_internal.one_mailbox IS
	'What a template begins with that reads no rows but those of the mailbox with that key, and of its account. '
	'Nothing if the key is null: then it reads all.';

-- A state is told to clients as the account's, and says that nothing of that type came later
CREATE FUNCTION modseq_internal.check_accounts(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE expand_template(store, one_mailbox(key) || $query$
		WITH chosen AS (SELECT {$1})
		SELECT {b.name}, NULL::bigint, p.problem
		FROM {mailbox b} LEFT JOIN {account a} ON {a@b}, LATERAL (VALUES
			(num_nulls({b.account}) = 0, 'account is null'),
			(num_nulls({b.account}) > 0 OR a.epoch IS NOT NULL, 'account does not exist'),
			({b.highestmodseq} <= a.highestmodseq IS NOT FALSE, 'account has a lower highestmodseq than the mailbox'),
			({b.created_modseq} <= a.highestmodseq IS NOT FALSE, 'account has a lower highestmodseq than created_modseq'),
			({b.properties_modseq} <= a.highestmodseq IS NOT FALSE, 'account has a lower highestmodseq than properties_modseq'),
			({b.gone} OR {b.highestmodseq} <= a.mailbox_modseq IS NOT FALSE,
				'account has a lower mailbox_modseq than the mailbox has changed'))
			AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT NULL, NULL::bigint, concat_ws(' ', 'account', nullif({a.account_name}, ''), p.problem)
		FROM {account a}, LATERAL (VALUES
			(a.epoch BETWEEN 1 AND 4294967295, 'epoch is not in 1 to 4294967295'),
			(a.highestmodseq >= 1, 'highestmodseq is below 1'),
			(a.email_modseq BETWEEN 1 AND a.highestmodseq, 'email_modseq is not in 1 to highestmodseq'),
			(a.thread_modseq BETWEEN 1 AND a.highestmodseq, 'thread_modseq is not in 1 to highestmodseq'),
			(a.mailbox_modseq BETWEEN 1 AND a.highestmodseq, 'mailbox_modseq is not in 1 to highestmodseq'),
			(a.floor BETWEEN 1 AND a.highestmodseq, 'floor is not in 1 to highestmodseq')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, p.problem
		FROM {message m} LEFT JOIN ({mailbox b} JOIN {account a} ON {a@b}) ON {b=m}, LATERAL (VALUES
			(m.{email} IS NOT NULL, 'email is null'),
			(({b.gone} OR m.{modseq} <= a.email_modseq) IS NOT FALSE,
				'account has a lower email_modseq than the message has changed')
			$query$ || CASE WHEN store.thread IS NULL THEN '' ELSE $query$,
			(m.{thread} IS NOT NULL, 'thread is null')
			$query$ END || $query$) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE AND {m.live}
		UNION ALL
		SELECT NULL, NULL::bigint, 'departed row ' || d.modseq || p.problem
		FROM {departed d} LEFT JOIN {account a} ON {a@d}, LATERAL (VALUES
			(a.epoch IS NOT NULL, ' is of an account that does not exist'),
			(d.modseq >= 1, ' is below 1'),
			(d.modseq <= a.highestmodseq IS NOT FALSE, ' is above highestmodseq of its account'),
			(coalesce(cardinality(d.emails), 0) = coalesce(cardinality(d.created), 0)
				AND coalesce(cardinality(d.mailboxes), 0) = coalesce(cardinality(d.mailboxes_created), 0)
				$query$ || CASE WHEN store.thread IS NULL THEN '' ELSE $query$
				AND coalesce(cardinality(d.threads), 0) = coalesce(cardinality(d.emails), 0)
				$query$ END || $query$, ' has lists of different lengths'),
			(NOT EXISTS (SELECT FROM unnest(d.emails) AS e WHERE e IS NULL), ' has a null among emails'),
			(NOT EXISTS (
				SELECT FROM unnest(d.created || d.mailboxes_created) AS c
				WHERE c <= d.modseq IS FALSE), ' has what was created later')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		$query$ || CASE WHEN store.counters IS NULL OR store.account = '{}' THEN '' ELSE $query$
		UNION ALL
		SELECT {b.name}, NULL::bigint, 'account is another one in table ' || $2
		FROM {mailbox b} JOIN {source s} ON {s=b}
		WHERE NOT {b.gone} AND ({s@b}) IS NOT TRUE
		$query$ END) USING key, qualified_name(store.mailbox);
END
$$;
COMMENT ON FUNCTION modseq_internal.check_accounts IS
	'What is wrong with the accounts of a store, and with what has left them; or with one mailbox and its account.';

-- All of it is one snapshot
CREATE FUNCTION modseq_internal.check_rows(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE expand_template(store, one_mailbox(key) || $query$
		WITH chosen AS (SELECT {$1}),
		box AS (
			SELECT {b.key}, {b.uidnext} AS {_uidnext}, {b.highestmodseq} AS {_modseq}, b.{uidvalidity} AS {_uidvalidity},
				{b.gone} AS {_gone}
			FROM {mailbox b}),
		live AS (
			SELECT {m.key}, modseq.uidset_agg({m.uid}) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295) AS {_uids}
			FROM {message m}
			WHERE {m.live}
			GROUP BY {m.key}),
		gone AS (
			SELECT {v.key}, modseq.uidset_agg(v.uids) AS {_uids}
			FROM {vanished v}
			GROUP BY {v.key})
		$query$ || CASE WHEN store.changes <> 'log' THEN '' ELSE $query$,
		log AS MATERIALIZED (
			SELECT {v.key}, v.modseq AS {_modseq},
				modseq.uidset_agg(v.changed) OVER (PARTITION BY {v.key} ORDER BY v.modseq DESC) AS {_uids}
			FROM {vanished v}
			WHERE v.changed IS NOT NULL),
		-- The last mod-sequence of each row, and, of the messages up to it, those that it or a later one must name
		row AS (
			SELECT {log.key}, array_agg(log.{_modseq} ORDER BY log.{_modseq}) AS {_ends}
			FROM log
			GROUP BY {log.key}),
		due AS (
			SELECT {box.key}, e.{_modseq}, modseq.uidset_agg({m.uid}) AS {_uids}
			FROM {message m} JOIN box ON {m=box} AND NOT box.{_gone} LEFT JOIN row ON {box=row}
			CROSS JOIN LATERAL (SELECT row.{_ends}[width_bucket(m.{modseq} - 1, row.{_ends}) + 1]) AS e ({_modseq})
			WHERE {m.live} AND m.{modseq} > 1 AND m.{uid} BETWEEN 1 AND 4294967295
			GROUP BY {box.key}, e.{_modseq})
		$query$ END || $query$
		SELECT {box.name}, NULL::bigint, p.problem
		FROM box, LATERAL (VALUES
			(box.{_uidvalidity} BETWEEN 1 AND 4294967295, 'uidvalidity is not in 1 to 4294967295'),
			(box.{_uidnext} <= 4294967296, 'uidnext is above 4294967296')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, p.problem
		FROM {message m} LEFT JOIN box ON {m=box}, LATERAL (VALUES
			(NOT box.{_gone}, 'mailbox does not exist'),
			(m.{uid} BETWEEN 1 AND 4294967295, 'uid is not in 1 to 4294967295'),
			(m.{uid} < box.{_uidnext} IS NOT FALSE, 'uid is not below UIDNEXT'),
			(m.{modseq} >= 1, 'modseq is below 1'),
			(m.{modseq} <= box.{_modseq} IS NOT FALSE, 'modseq is above HIGHESTMODSEQ')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, 'duplicate uid'
		FROM {message m}
		GROUP BY {m.key}, m.{uid}
		HAVING count(*) > 1
		UNION ALL
		SELECT {v.name}, modseq.max(v.uids), p.problem
		FROM {vanished v} LEFT JOIN box ON {v=box}, LATERAL (VALUES
			-- Of one that can come back it is remembered
			(box.{_uidnext} IS NOT NULL OR v.vanished_at = 'infinity', 'vanished messages of a mailbox that does not exist'),
			(modseq.cardinality(v.uids) > 0 OR v.vanished_at = 'infinity' OR NOT {v.unlogged} OR v.lost IS NOT NULL,
				'vanished row without a uid'),
			(v.lost < v.modseq IS NOT FALSE, 'vanished row has lost no mod-sequence below its own'),
			(v.lost IS NOT NULL OR v.lost_uids IS NULL, 'vanished row has lost UIDs, and no mod-sequence'),
			(modseq.max(v.uids) < box.{_uidnext} IS NOT FALSE, 'vanished uid is not below UIDNEXT'),
			(v.modseq >= 1, 'vanished modseq is below 1'),
			(v.modseq <= box.{_modseq} IS NOT FALSE OR NOT {v.any}, 'vanished modseq is above HIGHESTMODSEQ')) AS p (sound, problem)
		WHERE p.sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, {m.uid}, 'modseq may have been given by a server that is lost'
		FROM {vanished} v JOIN {message} m ON {m=v} AND m.{modseq} > v.lost AND m.{modseq} < v.modseq
		WHERE v.lost IS NOT NULL
		UNION ALL
		SELECT {live.name}, u.uid, 'vanished uid is live'
		FROM box JOIN live ON {live=box} JOIN gone ON {gone=box},
			modseq.unnest(live.{_uids} OPERATOR(modseq.*) gone.{_uids}) AS u (uid)
		UNION ALL
		SELECT {box.name}, modseq.min(lost.uids), 'uid below UIDNEXT is neither live nor vanished'
		FROM box LEFT JOIN live ON {live=box} LEFT JOIN gone ON {gone=box}
		CROSS JOIN LATERAL (
			SELECT modseq.uidset(int8multirange(int8range(1, least(greatest(box.{_uidnext}, 1), 4294967296))))
				OPERATOR(modseq.-) coalesce(live.{_uids}, '')
				OPERATOR(modseq.-) coalesce(gone.{_uids}, '')) AS lost (uids)
		WHERE modseq.cardinality(lost.uids) > 0
		$query$ || CASE WHEN store.changes <> 'log' THEN '' ELSE $query$
		UNION ALL
		SELECT {due.name}, u.uid, 'modseq is not logged'
		FROM due LEFT JOIN log ON {due=log} AND due.{_modseq} = log.{_modseq},
			modseq.unnest(due.{_uids} OPERATOR(modseq.-) coalesce(log.{_uids}, '')) AS u (uid)
		$query$ END || CASE WHEN store.message_created_modseq IS NULL THEN '' ELSE $query$
		UNION ALL
		SELECT {m.name}, {m.uid}, 'created_modseq is not in 1 to modseq'
		FROM {message m}
		WHERE m.{created_modseq} BETWEEN 1 AND m.{modseq} IS NOT TRUE
		$query$ END || CASE WHEN source_table(store) IS NULL THEN '' ELSE $query$
		UNION ALL
		SELECT {s.name}, NULL::bigint, 'mailbox has no counters'
		FROM {source s}
		WHERE NOT EXISTS (SELECT FROM {mailbox b} WHERE {s=b} AND NOT {b.gone}) AND num_nulls({s.key}) = 0
		UNION ALL
		SELECT {b.name}, NULL::bigint, 'mailbox has counters only'
		FROM {mailbox b}
		WHERE NOT {b.gone} AND NOT EXISTS (SELECT FROM {source s} WHERE {s=b})
		$query$ END) USING key;
	IF store.account IS NOT NULL THEN
		RETURN QUERY SELECT * FROM check_accounts(store, key);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_rows IS
	'What is wrong with the rows of the tables of a store, or with those of one mailbox.';

-- Nothing is broken, so it is no row
CREATE FUNCTION modseq_internal.notice_incarnations(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
DECLARE
	n bigint;
	highest bigint;
BEGIN
	EXECUTE expand_template(store,
		'SELECT count(*) FROM (SELECT FROM {vanished} v WHERE v.lost IS NOT NULL GROUP BY {v.key}) AS box') INTO n;
	IF n > 0 THEN
		RAISE NOTICE 'mailboxes of table % of which a server that is lost may have told more: %', qualified_name(store.message), n
			USING HINT = 'modseq.lost(store, mailbox) says of what. Clients are told by themselves.';
	END IF;
	EXECUTE expand_template(store,
		'SELECT count(*), max({b.highestmodseq}) FROM {mailbox} b WHERE {b.highestmodseq} > $1')
		INTO n, highest USING next_incarnation((SELECT coalesce(max(i.modseq), 0) FROM modseq.incarnation i));
	IF n > 0 THEN
		RAISE NOTICE 'mailboxes of table % whose HIGHESTMODSEQ is ahead of the clock: %', qualified_name(store.message), n USING
			DETAIL = 'A server that goes on without the last commits would not know that it must count from a higher number on.',
			HINT = format('modseq.recovered(%s) begins an incarnation that is above them.', highest);
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.notice_incarnations IS
	'Tells of mailboxes that have lost mod-sequences, and UIDs, as modseq.lost() says; and of those that a failover would find '
	'unprotected.';

CREATE FUNCTION modseq_internal.check_mailbox(store modseq_internal.store, key text[])
RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT * FROM check_rows(store, key);
	IF key IS NOT NULL AND NOT FOUND AND NOT has_mailbox(store, key) THEN
		RAISE 'mailbox % does not exist', '(' || array_to_string(key, ', ') || ')' USING
			ERRCODE = 'undefined_object',
			DETAIL = format('Table %s has no such row, and nothing is left of it.',
				qualified_name(coalesce(store.mailbox_source, store.mailbox))),
			HINT = 'A mailbox is given by the value of its key.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_mailbox IS
	'The same, and error 42704 if there is no such mailbox.';

-- Not STABLE: each query has a snapshot of its own, which is newer than the attach() that was waited for
CREATE FUNCTION modseq_internal.check_store(store regclass, key text[]) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	s modseq_internal.store;
	missing text[];
	unreadable boolean := false;
	reason text;
BEGIN
	PERFORM wait_for_attach(store);
	-- Without the trigger that makes it a store, others of ours on the table tell that it was one
	IF NOT EXISTS (SELECT FROM store_of(store))
		AND EXISTS (SELECT FROM our_triggers(ARRAY[store])) AND NOT is_partition_of_store(store)
	THEN
		problem := format('trigger "zz_modseq_assign" on table %s is missing', qualified_name(store));
		RETURN NEXT;
		RETURN;
	END IF;

	s := find_store(store);
	missing := ARRAY(SELECT check_options(s));
	-- Without its counter table a store looks like one that has the counters in the mailbox table. So that one must not
	-- be asked for them either.
	IF s.counters IS NULL AND EXISTS (SELECT FROM store_options(s.message) WHERE option = 'counters') THEN
		s.mailbox := NULL;
	END IF;
	FOR problem IN SELECT unnest(missing) UNION ALL SELECT check_schema(s) LOOP
		unreadable := unreadable OR problem ~ '^(table|option|column)';
		RETURN NEXT;
	END LOOP;
	IF NOT unreadable THEN
		PERFORM refuse_reader(s, ARRAY[s.message, s.mailbox, s.mailbox_source, s.vanished, s.counters,
			s.account_table, s.departed], 'modseq.check()');
		IF key IS NOT NULL THEN
			-- A literal without a type, meant for a text[]
			IF cardinality(s.mailbox_key) > 1 AND cardinality(key) = 1 AND key[1] LIKE '{%' THEN
				key := key[1]::text[];
			END IF;
			IF cardinality(key) <> cardinality(s.mailbox_key) THEN
				RAISE 'mailbox key has % value(s), but that of table % has % column(s)', cardinality(key),
					qualified_name(coalesce(s.mailbox_source, s.mailbox)), cardinality(s.mailbox_key) USING
					ERRCODE = 'invalid_parameter_value',
					HINT = 'Pass a text[] with one element for each key column.';
			END IF;
			key := ARRAY(SELECT unnest(key));
		END IF;
		IF is_distributed(store) THEN
			RETURN QUERY SELECT * FROM check_shards(s, key);
		ELSE
			RETURN QUERY SELECT * FROM check_mailbox(s, key);
		END IF;
		IF key IS NULL THEN
			PERFORM notice_incarnations(s);
		END IF;
	END IF;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
	IF s.message IS NULL OR reason = '' THEN
		RAISE;
	END IF;
	problem := format('option of table %s does not fit: %s', qualified_name(store), reason);
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION modseq_internal.check_store IS
	'What modseq.check() does: for a store if the key is null, else for one mailbox.';

CREATE FUNCTION modseq_internal.check(store regclass) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT * FROM check_store(store, NULL);
END
$$;
COMMENT ON FUNCTION modseq_internal.check(regclass) IS
	'What modseq.check() does, as the owner of the message table, or as who may read the store.';

CREATE FUNCTION modseq.check(store regclass) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'modseq_as_owner';
COMMENT ON FUNCTION modseq.check(regclass) IS
	'One row for each broken invariant of a store, none when it is sound: the mailbox key as text (an array for a '
	'key of several columns), the UID, and the problem, which begins with what it is about: table, option, column, '
	'index, trigger, mailbox, uidvalidity, uidnext, uid, duplicate, modseq, created_modseq, vanished, '
	'account, email, thread or departed. Reads the whole '
	'store, all rows in one snapshot. A NOTICE says how many mailboxes have lost mod-sequences to a failover, see modseq.lost(), or are ahead of the clock, see modseq.recovered(). Waits for an attach() or detach() of it that is not over. Needs SELECT on its tables. Errors: 55000 if the table is '
	'not attached, 42501 without the right to read all rows, or where row-level security hides some.';

DO $overloads$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
		EXECUTE format($definition$
			CREATE FUNCTION modseq_internal.check(store regclass, mailbox_key %1$s)
			RETURNS TABLE (mailbox text, uid bigint, problem text)
			LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $body$
			BEGIN
				IF mailbox_key IS NULL OR array_position(%2$s, NULL) > 0 THEN
					RAISE 'argument "mailbox" must not be null' USING
						ERRCODE = 'null_value_not_allowed',
						HINT = 'For the whole store call modseq.check() with the store alone.';
				END IF;
				RETURN QUERY SELECT * FROM check_store(store, %2$s);
			END
			$body$;
			COMMENT ON FUNCTION modseq_internal.check(regclass, %1$s) IS
				'The same for one mailbox.';
			CREATE FUNCTION modseq.check(store regclass, mailbox_key %1$s)
			RETURNS TABLE (mailbox text, uid bigint, problem text)
			LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'modseq_as_owner';
			COMMENT ON FUNCTION modseq.check(regclass, %1$s) IS
				'What modseq.check(store) says of one mailbox, given by its key (a text[] has an element for each '
				'column), and of its account. Reads no other mailbox; of the store, tables, columns, indexes and triggers '
				'as ever. Of a mailbox that is gone it tells what is left. Rights, locks and errors as there, and 42704 '
				'if there is neither such a mailbox nor anything left of it, 22004 for a null, 22023 if the key has '
				'another number of columns.';
			$definition$, t, CASE t WHEN 'text[]' THEN 'mailbox_key' ELSE 'ARRAY[mailbox_key::text]' END);
	END LOOP;
END
$overloads$;
/*
 * compact(): old vanished rows, folded into one a mailbox; and of accounts, what
 * departed long ago is forgotten.
 */

CREATE FUNCTION modseq_internal.refuse_fold(store modseq_internal.store) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	RAISE 'vanished rows of store % could not be folded', qualified_name(store.message) USING
		ERRCODE = 'triggered_data_change_violation',
		DETAIL = format('A trigger or rule of table %s changed or suppressed what modseq wrote.',
			qualified_name(store.vanished)),
		HINT = 'Drop it; the table belongs to modseq.';
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_fold IS
	'Error 27000: something of others has kept us from folding rows.';

CREATE FUNCTION modseq_internal.refuse_interval(name text, value interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp AS $$
BEGIN
	IF value IS NULL THEN
		RAISE '% must not be null', name USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Pass ''0'' for all that there is.';
	ELSIF value < '0' THEN
		RAISE '% must not be negative', name USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Pass ''0'' for all that there is.';
	END IF;
END
$$;
COMMENT ON FUNCTION modseq_internal.refuse_interval IS
	'Refuses an interval that is null or negative.';

-- Nothing is forgotten behind a client's back: in the snapshot that does not see a row any more, the floor is above it
CREATE FUNCTION modseq_internal.forget_departed(s modseq_internal.store, older_than interval) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	forgotten bigint;
	sound boolean;
BEGIN
	-- Not what this transaction has written: a message may yet come back. And not of an account that somebody writes to:
	-- he may wait for what we have locked, and it can be forgotten another time.
	EXECUTE expand_template(s, '
		WITH horizon AS MATERIALIZED (
			SELECT {d.account}, max(d.modseq) AS modseq
			FROM {departed} d
			WHERE d.departed_at <= clock_timestamp() - $1 AND d.departed_at < transaction_timestamp()
			GROUP BY {d.account}),
		free AS MATERIALIZED (
			SELECT {a.account}, horizon.modseq
			FROM {account} a JOIN horizon ON {a@horizon}
			ORDER BY {a.account}
			FOR NO KEY UPDATE OF a SKIP LOCKED),
		raised AS (
			UPDATE {account} a SET floor = GREATEST(a.floor, free.modseq)
			FROM free
			WHERE {a@free}
			RETURNING a.floor >= free.modseq AS same),
		old AS MATERIALIZED (
			SELECT d.ctid
			FROM {departed} d JOIN free ON {d@free} AND d.modseq <= free.modseq),
		gone AS (
			DELETE FROM {departed} d
			USING old
			WHERE d.ctid = old.ctid
			RETURNING d.modseq)
		SELECT (SELECT count(*) FROM gone),
			(SELECT count(*) FROM raised WHERE same) = (SELECT count(*) FROM free)
				AND (SELECT count(*) FROM gone) = (SELECT count(*) FROM old)')
		INTO forgotten, sound USING older_than;
	IF NOT sound THEN
		RAISE 'what departed from store % could not be forgotten', qualified_name(s.message) USING
			ERRCODE = 'triggered_data_change_violation',
			DETAIL = format('A trigger or rule of table %s or %s changed or suppressed what modseq wrote.',
				qualified_name(s.account_table), qualified_name(s.departed)),
			HINT = 'Drop it; the table belongs to modseq.';
	END IF;
	RETURN forgotten;
END
$$;
COMMENT ON FUNCTION modseq_internal.forget_departed IS
	'Removes the rows of what departed from accounts before that, and all below them; and raises the floors. Takes the '
	'locks of these accounts, and leaves out those that are locked. Returns how many rows it removed.';

CREATE FUNCTION modseq_internal.compact(store regclass, older_than interval, changes_older_than interval) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, modseq_internal, pg_temp
SET row_security = off SET jit = off AS $$
DECLARE
	s modseq_internal.store;
	folded bigint;
	sound boolean;
BEGIN
	PERFORM refuse_interval('older_than', older_than);
	PERFORM refuse_interval('changes_older_than', changes_older_than);
	PERFORM wait_for_attach(store);
	s := find_store(store);
	PERFORM refuse_stranger(array_remove(ARRAY[s.vanished, s.departed], NULL), 'modseq.compact()');
	IF is_distributed(store) THEN
		RETURN compact_shards(s, older_than, changes_older_than);
	END IF;
	EXECUTE expand_template(s, 'LOCK TABLE {vanished} IN SHARE UPDATE EXCLUSIVE MODE');
	-- Not what this transaction has written: a message may yet come back
	EXECUTE expand_template(s, '
		WITH horizon AS (
			SELECT {v.key}, max(v.modseq) AS modseq
			FROM {vanished} v
			WHERE v.vanished_at <= clock_timestamp() - $1 AND v.vanished_at < transaction_timestamp() AND {v.any}
			GROUP BY {v.key}),
		old AS MATERIALIZED (
			SELECT v.*
			FROM {vanished} v JOIN horizon ON {v=horizon} AND v.modseq <= horizon.modseq
			-- What was lost with another incarnation must be told for ever, and a row can tell of one
			WHERE {v.any} AND v.lost IS NULL
			ORDER BY {v.key}, v.modseq
			FOR UPDATE OF v),
		fold AS MATERIALIZED (
			SELECT {old.key}, max(old.modseq) AS modseq, modseq.uidset_agg(old.uids) AS uids
			FROM old
			GROUP BY {old.key}
			HAVING count(*) > 1),
		kept AS (
			UPDATE {vanished} v SET uids = fold.uids
			FROM fold
			WHERE {v=fold} AND v.modseq = fold.modseq
			RETURNING v.uids OPERATOR(modseq.=) fold.uids AS same),
		gone AS (
			DELETE FROM {vanished} v
			USING fold
			WHERE {v=fold} AND v.modseq < fold.modseq AND {v.unlogged} AND v.lost IS NULL
			RETURNING v.modseq),
		emptied AS (
			UPDATE {vanished} v SET uids = ''''
			FROM fold
			WHERE {v=fold} AND v.modseq < fold.modseq AND NOT {v.unlogged} AND {v.any} AND v.lost IS NULL)
		SELECT (SELECT count(*) FROM gone),
			(SELECT count(*) FROM kept WHERE same) = (SELECT count(*) FROM fold)')
		INTO folded, sound USING older_than;
	IF NOT sound THEN
		PERFORM refuse_fold(s);
	END IF;
	-- Policies that hide messages, or counters, from their owner would have some taken for gone
	IF s.changes = 'log' AND NOT row_security_active(s.message) THEN
		folded := folded + compact_changes(s);
	END IF;
	IF s.counters IS NOT NULL AND NOT row_security_active(s.message) AND NOT row_security_active(s.counters) THEN
		EXECUTE expand_template(s, '
			DELETE FROM {mailbox} b
			WHERE b.gone_at <= clock_timestamp() - $1 AND NOT EXISTS (SELECT FROM {message} m WHERE {m=b})')
			USING older_than;
	END IF;
	IF s.account IS NOT NULL THEN
		folded := folded + forget_departed(s, changes_older_than);
	END IF;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION modseq_internal.compact(regclass, interval, interval) IS
	'What modseq.compact() does, as the owner of the message table.';

CREATE FUNCTION modseq.compact(store regclass, older_than interval, changes_older_than interval DEFAULT '60 days')
RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_as_owner';
COMMENT ON FUNCTION modseq.compact(regclass, interval, interval) IS
	'Folds the vanished rows of each mailbox that are older than the interval (by the clock, when they vanished) '
	'into one, and returns how many rows it removed. No UID is forgotten: a client that has seen the mod-sequence '
	'of that row, or a later one, still gets an exact answer; one that has not gets every UID that vanished up to '
	'it, as RFC 7162 section 3.2.6 asks. What is left is at most a range for each live message and one more. '
	'Writers and readers go on; two calls for one store wait for each other (SHARE UPDATE EXCLUSIVE on the '
	'vanished table). Counters that are remembered beside the mailbox table go where no message is left, under the '
	'mailbox lock, unless policies hide rows from the owner. In a store with accounts, what departed before '
	'changes_older_than is forgotten, but of accounts that somebody is writing to: to states from before then, email_changes() '
	'and its like answer too_old. For the owner of the store. Errors: 22004, 22023 for a '
	'negative interval, 55000 if the table is not attached, 42501, 27000 if a trigger changes what is folded, 40001 in '
	'REPEATABLE READ or SERIALIZABLE.';
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
		SELECT greatest(modseq.next_uidvalidity(), b.{uidvalidity}::bigint + 1)
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
/*
 * The event triggers: partitions that come or go, and DDL that changes flags.
 */

CREATE EVENT TRIGGER modseq_before ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'DROP TABLE', 'DROP EXTENSION')
	EXECUTE FUNCTION modseq.event_before();
COMMENT ON EVENT TRIGGER modseq_before IS
	'Before a partition of a store is detached or dropped, for its messages vanish; and it refuses DDL that clients '
	'could not be told of. Without it, check() reports nothing until modseq.attach() is called again, which notices '
	'the messages that are gone.';

CREATE EVENT TRIGGER modseq_after ON ddl_command_end
	WHEN TAG IN ('CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA', 'ALTER TABLE',
		'ALTER FOREIGN TABLE', 'ALTER TYPE')
	EXECUTE FUNCTION modseq.event_after();
COMMENT ON EVENT TRIGGER modseq_after IS
	'After a partition of a store was created, attached or detached; it refuses tables that inherit from those of a '
	'store, and gives new mod-sequences where DDL changes flags. Without it, a partition lacks triggers, which '
	'check() reports and modseq.attach() creates, and clients miss such changes.';
