/*
 * Types
 */

-- modseq: a domain, so that every driver sees a bigint

CREATE FUNCTION modseq.is_modseq(value bigint) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_is_modseq';
COMMENT ON FUNCTION modseq.is_modseq(bigint) IS
	'Checks that value is a mod-sequence, 0 to 9223372036854775807 (RFC 7162 section 7). Returns true, or NULL for NULL. Error 22003 if it is negative.';

CREATE DOMAIN modseq.modseq AS bigint
	CONSTRAINT is_modseq CHECK (modseq.is_modseq(VALUE));
COMMENT ON DOMAIN modseq.modseq IS
	'A mod-sequence: 0 to 9223372036854775807 (RFC 7162 section 7). Stored values begin at 1; 0 occurs only as an argument, for the time before all changes. NULL passes. Error 22003 for a negative value.';

COMMENT ON CONSTRAINT is_modseq ON DOMAIN modseq.modseq IS
	'A mod-sequence is not negative. Error 22003 if it is.';

-- uidset: input and output

CREATE TYPE modseq.uidset;

CREATE FUNCTION modseq.uidset_in(cstring) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_in';
COMMENT ON FUNCTION modseq.uidset_in(cstring) IS
	'Text input of a uidset: an IMAP sequence-set of UIDs without "*" (1,4:6,10; both ends of a range included, in any order), or the empty text. Error 22P02 for what is not one, 22003 for a number above 4294967295, 54000 for a set too large.';

CREATE FUNCTION modseq.uidset_out(modseq.uidset) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_out';
COMMENT ON FUNCTION modseq.uidset_out(modseq.uidset) IS
	'Text output of a uidset: an IMAP sequence-set of UIDs, sorted and coalesced; empty for the empty set. Error 54000 if the text would exceed 1 GB.';

CREATE FUNCTION modseq.uidset_recv(internal) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_recv';
COMMENT ON FUNCTION modseq.uidset_recv(internal) IS
	'Binary input of a uidset: int32 count, then count pairs of uint32 first and last UID, both included, in network order; the pairs in any order. Error 22P03 for a wrong length, a UID of 0, or a last UID before the first.';

CREATE FUNCTION modseq.uidset_send(modseq.uidset) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_send';
COMMENT ON FUNCTION modseq.uidset_send(modseq.uidset) IS
	'Binary output of a uidset: int32 count, then count pairs of uint32 first and last UID, both included, in network order, sorted and coalesced.';

CREATE TYPE modseq.uidset (
	INPUT = modseq.uidset_in,
	OUTPUT = modseq.uidset_out,
	RECEIVE = modseq.uidset_recv,
	SEND = modseq.uidset_send,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE modseq.uidset IS
	'A set of IMAP UIDs, 1 to 4294967295, kept as sorted, coalesced ranges of 8 bytes. Its text is an IMAP sequence-set without white space, as in 1,4:6,10 (both ends of a range included); input takes any order, overlaps and reversed ranges. The empty set is the empty text. At most 134217727 ranges.';

-- uidset: making one

CREATE FUNCTION modseq.uidset(sequence_set text, last_uid bigint) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_from_text';
COMMENT ON FUNCTION modseq.uidset(text, bigint) IS
	'The UIDs that an IMAP sequence-set names in a mailbox. last_uid: the UID that "*" stands for, UIDNEXT - 1; 0 for an empty mailbox, where items with "*" name nothing. Ranges include both ends, in either order: 5:* with last_uid 3 is 3:5 (RFC 9051). Errors as for text input; 22003 if last_uid is not 0 to 4294967295.';

CREATE FUNCTION modseq.uidset(uid bigint) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_from_uid';
COMMENT ON FUNCTION modseq.uidset(bigint) IS
	'The set of one UID. Error 22003 if uid is not 1 to 4294967295.';

CREATE FUNCTION modseq.uidset(uids int8multirange) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_from_multirange';
COMMENT ON FUNCTION modseq.uidset(int8multirange) IS
	'The set of all integers in uids. Error 22003 if any is not a UID, 1 to 4294967295, or a range is unbounded.';

CREATE FUNCTION modseq.int8multirange(uids modseq.uidset) RETURNS int8multirange
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_to_multirange';
COMMENT ON FUNCTION modseq.int8multirange(modseq.uidset) IS
	'The UIDs of a set as a multirange of bigint, whose ranges exclude their upper end: [4,7) is 4:6.';

CREATE CAST (bigint AS modseq.uidset)
	WITH FUNCTION modseq.uidset(bigint);
COMMENT ON CAST (bigint AS modseq.uidset) IS
	'The set of one UID. Error 22003 if it is not 1 to 4294967295.';

CREATE CAST (int8multirange AS modseq.uidset)
	WITH FUNCTION modseq.uidset(int8multirange) AS ASSIGNMENT;
COMMENT ON CAST (int8multirange AS modseq.uidset) IS
	'The set of all integers in a multirange. Error 22003 if any is not a UID, 1 to 4294967295, or a range is unbounded.';

CREATE CAST (modseq.uidset AS int8multirange)
	WITH FUNCTION modseq.int8multirange(modseq.uidset) AS ASSIGNMENT;
COMMENT ON CAST (modseq.uidset AS int8multirange) IS
	'The UIDs of a set as a multirange, whose ranges exclude their upper end.';

-- uidset: comparison

CREATE FUNCTION modseq.uidset_eq(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_eq';
COMMENT ON FUNCTION modseq.uidset_eq(modseq.uidset, modseq.uidset) IS
	'True if the first uidset is the same set as the second; behind operator =.';

CREATE FUNCTION modseq.uidset_ne(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_ne';
COMMENT ON FUNCTION modseq.uidset_ne(modseq.uidset, modseq.uidset) IS
	'True if the first uidset is another set than the second; behind operator <>.';

CREATE FUNCTION modseq.uidset_lt(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_lt';
COMMENT ON FUNCTION modseq.uidset_lt(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts before the second; behind operator <. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq.uidset_le(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_le';
COMMENT ON FUNCTION modseq.uidset_le(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts before or with the second; behind operator <=. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq.uidset_gt(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_gt';
COMMENT ON FUNCTION modseq.uidset_gt(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts after the second; behind operator >. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq.uidset_ge(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_ge';
COMMENT ON FUNCTION modseq.uidset_ge(modseq.uidset, modseq.uidset) IS
	'True if the first uidset sorts after or with the second; behind operator >=. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq.uidset_cmp(modseq.uidset, modseq.uidset) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_cmp';
COMMENT ON FUNCTION modseq.uidset_cmp(modseq.uidset, modseq.uidset) IS
	'Less than, equal to or greater than 0 as the first uidset sorts before, with or after the second. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE FUNCTION modseq.uidset_hash(modseq.uidset) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_hash';
COMMENT ON FUNCTION modseq.uidset_hash(modseq.uidset) IS
	'Hash of a uidset, 32 bits.';

CREATE FUNCTION modseq.uidset_hash_extended(modseq.uidset, bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_hash_extended';
COMMENT ON FUNCTION modseq.uidset_hash_extended(modseq.uidset, bigint) IS
	'Hash of a uidset, 64 bits, with a seed.';

CREATE OPERATOR modseq.= (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_eq,
	COMMUTATOR = OPERATOR(modseq.=), NEGATOR = OPERATOR(modseq.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR modseq.= (modseq.uidset, modseq.uidset) IS
	'True if the left uidset is the same set as the right one.';

CREATE OPERATOR modseq.<> (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_ne,
	COMMUTATOR = OPERATOR(modseq.<>), NEGATOR = OPERATOR(modseq.=),
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR modseq.<> (modseq.uidset, modseq.uidset) IS
	'True if the left uidset is another set than the right one.';

CREATE OPERATOR modseq.< (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_lt,
	COMMUTATOR = OPERATOR(modseq.>), NEGATOR = OPERATOR(modseq.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR modseq.< (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts before the right one. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR modseq.<= (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_le,
	COMMUTATOR = OPERATOR(modseq.>=), NEGATOR = OPERATOR(modseq.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR modseq.<= (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts before or with the right one. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR modseq.> (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_gt,
	COMMUTATOR = OPERATOR(modseq.<), NEGATOR = OPERATOR(modseq.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR modseq.> (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts after the right one. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR modseq.>= (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_ge,
	COMMUTATOR = OPERATOR(modseq.<=), NEGATOR = OPERATOR(modseq.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR modseq.>= (modseq.uidset, modseq.uidset) IS
	'True if the left uidset sorts after or with the right one. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR CLASS modseq.uidset_ops
	DEFAULT FOR TYPE modseq.uidset USING btree AS
	OPERATOR 1 modseq.<,
	OPERATOR 2 modseq.<=,
	OPERATOR 3 modseq.=,
	OPERATOR 4 modseq.>=,
	OPERATOR 5 modseq.>,
	FUNCTION 1 modseq.uidset_cmp(modseq.uidset, modseq.uidset),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS modseq.uidset_ops USING btree IS
	'The order of uidsets. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

COMMENT ON OPERATOR FAMILY modseq.uidset_ops USING btree IS
	'The order of uidsets. Sets compare as the ascending lists of their UIDs would, word by word: '''' < 1 < 1:3 < 1,5 < 2.';

CREATE OPERATOR CLASS modseq.uidset_ops
	DEFAULT FOR TYPE modseq.uidset USING hash AS
	OPERATOR 1 modseq.=,
	FUNCTION 1 modseq.uidset_hash(modseq.uidset),
	FUNCTION 2 modseq.uidset_hash_extended(modseq.uidset, bigint);
COMMENT ON OPERATOR CLASS modseq.uidset_ops USING hash IS
	'Equality of uidsets.';

COMMENT ON OPERATOR FAMILY modseq.uidset_ops USING hash IS
	'Equality of uidsets.';

-- uidset: algebra

CREATE FUNCTION modseq.uidset_union(modseq.uidset, modseq.uidset) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_union';
COMMENT ON FUNCTION modseq.uidset_union(modseq.uidset, modseq.uidset) IS
	'The UIDs that are in either set. Error 54000 if the result is too large. Behind operator +.';

CREATE OPERATOR modseq.+ (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_union,
	COMMUTATOR = OPERATOR(modseq.+)
);
COMMENT ON OPERATOR modseq.+ (modseq.uidset, modseq.uidset) IS
	'The UIDs that are in either set. Error 54000 if the result is too large.';

CREATE FUNCTION modseq.uidset_difference(modseq.uidset, modseq.uidset) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_difference';
COMMENT ON FUNCTION modseq.uidset_difference(modseq.uidset, modseq.uidset) IS
	'The UIDs of the left set that are not in the right one. Error 54000 if the result is too large. Behind operator -.';

CREATE OPERATOR modseq.- (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_difference
);
COMMENT ON OPERATOR modseq.- (modseq.uidset, modseq.uidset) IS
	'The UIDs of the left set that are not in the right one. Error 54000 if the result is too large.';

CREATE FUNCTION modseq.uidset_intersection(modseq.uidset, modseq.uidset) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_intersection';
COMMENT ON FUNCTION modseq.uidset_intersection(modseq.uidset, modseq.uidset) IS
	'The UIDs that are in both sets. Error 54000 if the result is too large. Behind operator *.';

CREATE OPERATOR modseq.* (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_intersection,
	COMMUTATOR = OPERATOR(modseq.*)
);
COMMENT ON OPERATOR modseq.* (modseq.uidset, modseq.uidset) IS
	'The UIDs that are in both sets. Error 54000 if the result is too large.';

CREATE FUNCTION modseq.uidset_add(modseq.uidset, bigint) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_add_uid';
COMMENT ON FUNCTION modseq.uidset_add(modseq.uidset, bigint) IS
	'The left set with the UID on the right. Error 22003 if the right operand is not a UID, 1 to 4294967295. Behind operator +.';

CREATE OPERATOR modseq.+ (
	LEFTARG = modseq.uidset, RIGHTARG = bigint,
	FUNCTION = modseq.uidset_add
);
COMMENT ON OPERATOR modseq.+ (modseq.uidset, bigint) IS
	'The left set with the UID on the right. Error 22003 if the right operand is not a UID, 1 to 4294967295.';

CREATE FUNCTION modseq.uidset_remove(modseq.uidset, bigint) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_remove_uid';
COMMENT ON FUNCTION modseq.uidset_remove(modseq.uidset, bigint) IS
	'The left set without the UID on the right, be it in the set or not. Error 22003 if the right operand is not a UID, 1 to 4294967295. Behind operator -.';

CREATE OPERATOR modseq.- (
	LEFTARG = modseq.uidset, RIGHTARG = bigint,
	FUNCTION = modseq.uidset_remove
);
COMMENT ON OPERATOR modseq.- (modseq.uidset, bigint) IS
	'The left set without the UID on the right, be it in the set or not. Error 22003 if the right operand is not a UID, 1 to 4294967295.';

-- uidset: containment

CREATE FUNCTION modseq.uidset_contains_support(internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_contains_support';
COMMENT ON FUNCTION modseq.uidset_contains_support(internal) IS
	'Planner support: lets uid <@ set and set @> uid use a B-tree index on uid, as uid >= min(set) AND uid <= max(set), rechecked.';

CREATE FUNCTION modseq.uidset_contains_sel(internal, oid, internal, integer) RETURNS double precision
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_contains_sel';
COMMENT ON FUNCTION modseq.uidset_contains_sel(internal, oid, internal, integer) IS
	'Restriction selectivity estimator of uid <@ set and set @> uid: 0 to 1.';

CREATE FUNCTION modseq.uidset_contained(bigint, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE SUPPORT modseq.uidset_contains_support
	AS 'MODULE_PATHNAME', 'modseq_uidset_int8_contained';
COMMENT ON FUNCTION modseq.uidset_contained(bigint, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that is not an error. Behind operator <@.';

CREATE FUNCTION modseq.uidset_contains(modseq.uidset, bigint) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE SUPPORT modseq.uidset_contains_support
	AS 'MODULE_PATHNAME', 'modseq_uidset_contains_int8';
COMMENT ON FUNCTION modseq.uidset_contains(modseq.uidset, bigint) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that is not an error. Behind operator @>.';

CREATE OPERATOR modseq.<@ (
	LEFTARG = bigint, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_contained,
	COMMUTATOR = OPERATOR(modseq.@>),
	RESTRICT = modseq.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.<@ (bigint, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that is not an error.';

CREATE OPERATOR modseq.@> (
	LEFTARG = modseq.uidset, RIGHTARG = bigint,
	FUNCTION = modseq.uidset_contains,
	COMMUTATOR = OPERATOR(modseq.<@),
	RESTRICT = modseq.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.@> (modseq.uidset, bigint) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that is not an error.';

CREATE FUNCTION modseq.uidset_contained(integer, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE SUPPORT modseq.uidset_contains_support
	AS 'MODULE_PATHNAME', 'modseq_uidset_int4_contained';
COMMENT ON FUNCTION modseq.uidset_contained(integer, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that is not an error. Behind operator <@.';

CREATE FUNCTION modseq.uidset_contains(modseq.uidset, integer) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE SUPPORT modseq.uidset_contains_support
	AS 'MODULE_PATHNAME', 'modseq_uidset_contains_int4';
COMMENT ON FUNCTION modseq.uidset_contains(modseq.uidset, integer) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that is not an error. Behind operator @>.';

CREATE OPERATOR modseq.<@ (
	LEFTARG = integer, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_contained,
	COMMUTATOR = OPERATOR(modseq.@>),
	RESTRICT = modseq.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.<@ (integer, modseq.uidset) IS
	'True if the left operand, a UID, is in the set on the right. A number that is not a UID is in no set; that is not an error.';

CREATE OPERATOR modseq.@> (
	LEFTARG = modseq.uidset, RIGHTARG = integer,
	FUNCTION = modseq.uidset_contains,
	COMMUTATOR = OPERATOR(modseq.<@),
	RESTRICT = modseq.uidset_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.@> (modseq.uidset, integer) IS
	'True if the right operand, a UID, is in the set on the left. A number that is not a UID is in no set; that is not an error.';

CREATE FUNCTION modseq.uidset_contained(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_contained';
COMMENT ON FUNCTION modseq.uidset_contained(modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the left set are in the right one; so for the empty set on the left. Behind operator <@.';

CREATE OPERATOR modseq.<@ (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_contained,
	COMMUTATOR = OPERATOR(modseq.@>),
	RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.<@ (modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the left set are in the right one; so for the empty set on the left.';

CREATE FUNCTION modseq.uidset_contains(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_contains';
COMMENT ON FUNCTION modseq.uidset_contains(modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the right set are in the left one; so for the empty set on the right. Behind operator @>.';

CREATE OPERATOR modseq.@> (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_contains,
	COMMUTATOR = OPERATOR(modseq.<@),
	RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.@> (modseq.uidset, modseq.uidset) IS
	'True if all UIDs of the right set are in the left one; so for the empty set on the right.';

CREATE FUNCTION modseq.uidset_overlaps(modseq.uidset, modseq.uidset) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'modseq_uidset_overlaps';
COMMENT ON FUNCTION modseq.uidset_overlaps(modseq.uidset, modseq.uidset) IS
	'True if the sets have a UID in common. Behind operator &&.';

CREATE OPERATOR modseq.&& (
	LEFTARG = modseq.uidset, RIGHTARG = modseq.uidset,
	FUNCTION = modseq.uidset_overlaps,
	COMMUTATOR = OPERATOR(modseq.&&),
	RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR modseq.&& (modseq.uidset, modseq.uidset) IS
	'True if the sets have a UID in common.';

-- uidset: what is in it

CREATE FUNCTION modseq.cardinality(uids modseq.uidset) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_cardinality';
COMMENT ON FUNCTION modseq.cardinality(modseq.uidset) IS
	'The number of UIDs in the set, 0 to 4294967295.';

CREATE FUNCTION modseq.min(uids modseq.uidset) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_min';
COMMENT ON FUNCTION modseq.min(modseq.uidset) IS
	'The lowest UID in the set; NULL if it is empty.';

CREATE FUNCTION modseq.max(uids modseq.uidset) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_max';
COMMENT ON FUNCTION modseq.max(modseq.uidset) IS
	'The highest UID in the set; NULL if it is empty.';

CREATE FUNCTION modseq.uidset_unnest_support(internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_unnest_support';
COMMENT ON FUNCTION modseq.uidset_unnest_support(internal) IS
	'Planner support for unnest(uidset): the number of UIDs in a set that is known when planning.';

CREATE FUNCTION modseq.uidset_ranges_support(internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_ranges_support';
COMMENT ON FUNCTION modseq.uidset_ranges_support(internal) IS
	'Planner support for ranges(uidset): the number of ranges in a set that is known when planning.';

CREATE FUNCTION modseq.unnest(uids modseq.uidset) RETURNS SETOF bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 SUPPORT modseq.uidset_unnest_support
	AS 'MODULE_PATHNAME', 'modseq_uidset_unnest';
COMMENT ON FUNCTION modseq.unnest(modseq.uidset) IS
	'The UIDs in the set, one a row, ascending; no row for the empty set.';

CREATE FUNCTION modseq.ranges(uids modseq.uidset, OUT lo bigint, OUT hi bigint) RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 100 SUPPORT modseq.uidset_ranges_support
	AS 'MODULE_PATHNAME', 'modseq_uidset_ranges';
COMMENT ON FUNCTION modseq.ranges(modseq.uidset) IS
	'The ranges in the set, one a row, ascending: first and last UID, both included; between two rows at least one UID is not in the set. No row for the empty set.';

-- uidset: aggregates

CREATE FUNCTION modseq.uidset_agg_uid(internal, bigint) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_agg_uid';
COMMENT ON FUNCTION modseq.uidset_agg_uid(internal, bigint) IS
	'Transition function of uidset_agg(bigint). Error 22003 if the value is not a UID, 1 to 4294967295.';

CREATE FUNCTION modseq.uidset_agg_set(internal, modseq.uidset) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_agg_set';
COMMENT ON FUNCTION modseq.uidset_agg_set(internal, modseq.uidset) IS
	'Transition function of uidset_agg(uidset).';

CREATE FUNCTION modseq.uidset_agg_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_agg_combine';
COMMENT ON FUNCTION modseq.uidset_agg_combine(internal, internal) IS
	'Combine function of uidset_agg.';

CREATE FUNCTION modseq.uidset_agg_serialize(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'modseq_uidset_agg_serialize';
COMMENT ON FUNCTION modseq.uidset_agg_serialize(internal) IS
	'Serialize function of uidset_agg. Error 54000 if the set is too large.';

CREATE FUNCTION modseq.uidset_agg_deserialize(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'modseq_uidset_agg_deserialize';
COMMENT ON FUNCTION modseq.uidset_agg_deserialize(bytea, internal) IS
	'Deserialize function of uidset_agg.';

CREATE FUNCTION modseq.uidset_agg_final(internal) RETURNS modseq.uidset
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'modseq_uidset_agg_final';
COMMENT ON FUNCTION modseq.uidset_agg_final(internal) IS
	'Final function of uidset_agg. Error 54000 if the set is too large.';

CREATE AGGREGATE modseq.uidset_agg(bigint) (
	SFUNC = modseq.uidset_agg_uid,
	STYPE = internal,
	FINALFUNC = modseq.uidset_agg_final,
	COMBINEFUNC = modseq.uidset_agg_combine,
	SERIALFUNC = modseq.uidset_agg_serialize,
	DESERIALFUNC = modseq.uidset_agg_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE modseq.uidset_agg(bigint) IS
	'The set of all UIDs, in any order. NULLs are skipped; NULL if there is nothing else. Error 22003 if a value is not a UID, 1 to 4294967295; 54000 if the set is too large.';

CREATE AGGREGATE modseq.uidset_agg(modseq.uidset) (
	SFUNC = modseq.uidset_agg_set,
	STYPE = internal,
	FINALFUNC = modseq.uidset_agg_final,
	COMBINEFUNC = modseq.uidset_agg_combine,
	SERIALFUNC = modseq.uidset_agg_serialize,
	DESERIALFUNC = modseq.uidset_agg_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE modseq.uidset_agg(modseq.uidset) IS
	'The union of all sets. NULLs are skipped; NULL if there is nothing else. Error 54000 if the set is too large.';

/* --- triggers ------------------------------------------------------------ */

CREATE FUNCTION modseq.trigger_open() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_open';
COMMENT ON FUNCTION modseq.trigger_open() IS
'BEFORE STATEMENT trigger of a message or flag table: begins to collect what the statement changes. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_assign() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_assign';
COMMENT ON FUNCTION modseq.trigger_assign() IS
'BEFORE INSERT OR UPDATE ROW trigger of a message table: assigns UID and mod-sequence to what arrives, and keeps the application from writing mod-sequences. Its arguments are the configuration of the store, as name=value. Takes the row lock of the mailbox that a message arrives in. Errors: 23502 and 23503 for no or an unknown mailbox, 22023 for a UID below UIDNEXT, 22003 when UIDs or mod-sequences are used up, 55000 if the configuration is out of date. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_collect() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_collect';
COMMENT ON FUNCTION modseq.trigger_collect() IS
'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a message table: collects what really became of the row. Takes no lock. Error 27000 if a later BEFORE trigger changed what trigger_assign() had set. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_flush() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_flush';
COMMENT ON FUNCTION modseq.trigger_flush() IS
'AFTER STATEMENT trigger of a message or flag table: locks the mailboxes that changed, ascending by key, stamps messages, remembers vanished UIDs and writes the counters. Errors: 40001 in REPEATABLE READ or SERIALIZABLE if a mailbox has changed since the snapshot, 22003 when mod-sequences are used up. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate';
COMMENT ON FUNCTION modseq.trigger_truncate() IS
'BEFORE TRUNCATE trigger of a message table or partition: notes that the UIDs of all its messages vanish, which trigger_flush() completes AFTER TRUNCATE. Error 40001 in REPEATABLE READ or SERIALIZABLE if a mailbox is newer than the snapshot. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_collect_flag() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_collect_flag';
COMMENT ON FUNCTION modseq.trigger_collect_flag() IS
'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a flag table: collects the message whose flags changed. Its argument is the qualified name of the message table. Takes no lock. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_flag() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_flag';
COMMENT ON FUNCTION modseq.trigger_truncate_flag() IS
'BEFORE TRUNCATE trigger of a flag table or partition: all messages that have a flag in it change, which trigger_flush() completes AFTER TRUNCATE. Its argument is the qualified name of the message table. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_mailbox() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_mailbox';
COMMENT ON FUNCTION modseq.trigger_mailbox() IS
'AFTER INSERT OR UPDATE OR DELETE ROW trigger of a mailbox table: keeps the vanished UIDs with their mailbox, and drops them when the mailbox goes or gets a new UIDVALIDITY. Its argument is the qualified name of the message table. Errors: 22023 if UIDNEXT, HIGHESTMODSEQ or UIDVALIDITY would be lowered, 0A000 if a new key takes the mailbox to another partition. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_mailbox() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_mailbox';
COMMENT ON FUNCTION modseq.trigger_truncate_mailbox() IS
'AFTER TRUNCATE trigger of a mailbox table or partition: drops the vanished UIDs of mailboxes that are gone, and closes what trigger_open() opened BEFORE TRUNCATE. Its argument is the qualified name of the message table. Created by modseq.attach().';

CREATE FUNCTION modseq.event_before() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_event_before';
COMMENT ON FUNCTION modseq.event_before() IS
'ddl_command_start event trigger. Before DETACH PARTITION and DROP TABLE of a partition of a store: its messages vanish, or the messages whose flags it holds change, or the vanished UIDs of its mailboxes are dropped. Locks what the command locks, then mailboxes. Errors: 0A000 for DETACH PARTITION CONCURRENTLY, 55000 if the store is out of date, 40001 as for trigger_truncate(). All other DDL passes.';

CREATE FUNCTION modseq.event_after() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_event_after';
COMMENT ON FUNCTION modseq.event_after() IS
'ddl_command_end event trigger. A new partition of a store gets the statement triggers of its parent, and one that was detached loses them. Of one that was attached, messages get a new UID and mod-sequence each, flags change their messages, and mailboxes get a new UIDVALIDITY. Triggers are created as the owner of the partition; locks mailboxes. Errors: 0A000 for foreign, unlogged and temporary tables, and those of trigger_assign(). All other DDL passes.';

CREATE FUNCTION modseq.trigger_source() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_source';
COMMENT ON FUNCTION modseq.trigger_source() IS
'AFTER INSERT OR UPDATE OR DELETE ROW trigger of the table that a mailbox table has its rows from (mailbox_source): adds, renames and removes these with its own. Its argument is the qualified name of the message table. Takes the row lock of the mailbox that is renamed or removed. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_truncate_source() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'modseq_trigger_truncate_source';
COMMENT ON FUNCTION modseq.trigger_truncate_source() IS
'AFTER TRUNCATE trigger of the table that a mailbox table has its rows from (mailbox_source): removes all of these. Its argument is the qualified name of the message table. Created by modseq.attach().';

CREATE FUNCTION modseq.trigger_options(trigger oid) RETURNS text[]
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'modseq_trigger_options';
COMMENT ON FUNCTION modseq.trigger_options(oid) IS
'The arguments of a trigger (an OID of pg_trigger), in order; NULL if there is no such trigger. Takes no lock.';

/* --- UIDVALIDITY ----------------------------------------------------------- */

CREATE SEQUENCE modseq.uidvalidity_seq MAXVALUE 4294967295;
COMMENT ON SEQUENCE modseq.uidvalidity_seq IS
'The last UIDVALIDITY that modseq.next_uidvalidity() gave out.';
SELECT pg_catalog.pg_extension_config_dump('modseq.uidvalidity_seq', '');

CREATE FUNCTION modseq.next_uidvalidity() RETURNS bigint
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'modseq_next_uidvalidity';
COMMENT ON FUNCTION modseq.next_uidvalidity() IS
'A new UIDVALIDITY, 1 to 4294967295: higher than any that this function has returned in this database, and not below the clock (seconds since 1970), so that one which was lost in a crash or with a backup is not given out again (RFC 9051 section 2.3.1.1). Holds a lock on modseq.uidvalidity_seq while it runs. Errors: 2200H when there is none left, 25006 on a standby.';

/* --- what a front end calls ------------------------------------------------- */

/*
 * Every function that takes a mailbox has the overloads bigint, uuid, text and
 * text[]; those that take many have bigint[], uuid[] and text[].  The
 * functions differ in nothing else, so they are made here from one list.
 */
DO $overloads$
DECLARE
    status_columns constant text := 'uidvalidity bigint, uidnext bigint, highestmodseq modseq.modseq';
    one constant text := ' The mailbox is given by its key.';
    many constant text := ' A text[] is the key of one mailbox, an element for each key column; where many mailboxes can be given, an array lists them (a text[] of a key of several columns in two dimensions), and the column mailbox says which one a row is for, in the order given; status() leaves out those that do not exist or may not be seen, lock() takes the locks in ascending order of key.';
    f record;
    p record;
    t text;
BEGIN
    FOR f IN SELECT * FROM (VALUES
        ('status', '', 'TABLE (' || status_columns || ')', 'STABLE ROWS 1',
         'UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ of a mailbox (RFC 7162 sections 3.1.2.1 and 3.1.7), from the caller''s snapshot and with the caller''s rights. A mailbox that was never used says UIDNEXT 1 and HIGHESTMODSEQ 1. Takes no lock. Errors: 42704 for an unknown mailbox, 42501 without SELECT on the mailbox table, 55000 if the store is not attached.'),
        ('lock', '', 'TABLE (' || status_columns || ')', 'VOLATILE ROWS 1',
         'Takes the row lock of the mailbox (FOR NO KEY UPDATE), keeps it until the transaction ends, and returns status() as of then. A front end''s write transaction begins with it. Errors: 42501 without a right to write messages or flags, 42704 for an unknown mailbox, 40001 in REPEATABLE READ or SERIALIZABLE if the mailbox has changed since the snapshot, 55P03 when lock_timeout is over, 55000 if the store is not attached.'),
        ('touch', '', 'modseq.modseq', 'VOLATILE',
         'Raises HIGHESTMODSEQ of the mailbox and returns it, for a change that no message carries, such as SETMETADATA (RFC 7162 section 3.2). Takes the mailbox lock. Errors as modseq.lock(), and 22003 when mod-sequences are used up.'),
        ('changed_since', ', since modseq.modseq, uids modseq.uidset DEFAULT NULL',
         'TABLE (uid bigint, modseq modseq.modseq)', 'STABLE ROWS 100',
         'FETCH (CHANGEDSINCE since): UID and mod-sequence of the messages whose mod-sequence is above since (exclusive; 0 gives all), of those in uids if it is given, by ascending UID (RFC 7162 section 3.1.4.1). From the caller''s snapshot and with the caller''s rights; takes no lock. Errors: 42501, 42704 for an unknown mailbox, 22004 for a null, 55000 if the store is not attached.'),
        ('vanished_since', ', since modseq.modseq, uids modseq.uidset DEFAULT NULL',
         'modseq.uidset', 'STABLE',
         'VANISHED (EARLIER): the UIDs that were expunged or moved away under a mod-sequence above since (exclusive), of those in uids if it is given (RFC 7162 section 3.2.6); empty if there are none. May include UIDs that had vanished before since where history was compacted; never a live UID, nor one that was never assigned, unless attach() took it for lost. From the caller''s snapshot, for callers who may SELECT the messages; takes no lock. Errors: 42501, 42704 for an unknown mailbox, 22004 for a null, 55000 if the store is not attached.'),
        ('unchanged_since', ', uids modseq.uidset, since modseq.modseq',
         'TABLE (uid bigint, modseq modseq.modseq, verdict text)', 'VOLATILE ROWS 100',
         'STORE (UNCHANGEDSINCE since): one row for each UID of the set, by ascending UID, with the verdict ''unchanged'' (mod-sequence at most since: store to it), ''modified'' (above since: it belongs into the MODIFIED response code) or ''expunged'' (there is no such message; modseq is null) (RFC 7162 section 3.1.3). Takes the mailbox lock first and judges by a newer snapshot, so the verdicts hold until the transaction ends. Errors as modseq.lock(), 22004 for a null, 54000 if more than a million of the UIDs were never assigned.'),
        ('resync', ', uidvalidity bigint, since modseq.modseq, known_uids modseq.uidset DEFAULT NULL, match_seqs modseq.uidset DEFAULT NULL, match_uids modseq.uidset DEFAULT NULL, OUT verdict text, OUT uidvalidity bigint, OUT uidnext bigint, OUT highestmodseq modseq.modseq, OUT vanished modseq.uidset, OUT first_vanished modseq.modseq, OUT changed modseq.uidset',
         'record', 'STABLE',
         'SELECT (QRESYNC (uidvalidity since known_uids (match_seqs match_uids))), NOOP and IDLE, in one row and from one snapshot (RFC 7162 section 3.2.5): UIDs that vanished and UIDs of messages that changed under a mod-sequence above since (exclusive), both of those in known_uids if it is given. match_seqs are message numbers and match_uids the UIDs that the client holds for them; UIDs up to the highest pair that is right are not reported as vanished. verdict: ''ok''; ''uidvalidity_changed'': the client''s UIDVALIDITY is not the mailbox''s, the sets are null; ''unknown_modseq'': since is above HIGHESTMODSEQ, so changes were lost, and the sets are as for since 0. first_vanished: the lowest mod-sequence above since under which one of those UIDs vanished, null if vanished is empty. With the caller''s rights; takes no lock. Errors: 42501, 42704 for an unknown mailbox, 22004 for a null, 22023 if match_seqs and match_uids differ in number, 55000 if the store is not attached.')
        ) AS v (name, arguments, result, attributes, description)
    LOOP
        FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
            -- text[] may list mailboxes, so there the answer says which
            IF f.name IN ('status', 'lock') AND t = 'text[]' THEN
                CONTINUE;
            END IF;
            EXECUTE format($$CREATE FUNCTION modseq.%I(store regclass, mailbox %s%s) RETURNS %s
                LANGUAGE C %s AS 'MODULE_PATHNAME', %L$$,
                f.name, t, f.arguments, f.result, f.attributes, 'modseq_' || f.name);
        END LOOP;
        FOREACH t IN ARRAY ARRAY['bigint', 'uuid', 'text'] LOOP
            CONTINUE WHEN f.name NOT IN ('status', 'lock');
            EXECUTE format($$CREATE FUNCTION modseq.%I(store regclass, mailboxes %s[]) RETURNS
                TABLE (mailbox %s, %s) LANGUAGE C %s AS 'MODULE_PATHNAME', %L$$,
                f.name, t, CASE t WHEN 'text' THEN 'text[]' ELSE t END,
                status_columns, replace(f.attributes, 'ROWS 1', 'ROWS 10'),
                'modseq_' || f.name);
        END LOOP;
        FOR p IN SELECT oid::regprocedure, prorettype FROM pg_proc
                 WHERE pronamespace = 'modseq'::regnamespace AND proname = f.name LOOP
            EXECUTE format('COMMENT ON FUNCTION %s IS %L', p.oid,
                f.description || CASE WHEN p.oid::text ~ '\[\]' THEN many ELSE one END);
        END LOOP;
    END LOOP;
END
$overloads$;
/*
 * Set-up: attach, detach, stores, check, reset_uidvalidity
 *
 * A store's whole configuration is the arguments of one of its triggers, the one that calls
 * modseq.trigger_assign(). The view modseq.stores shows them as a row, and that row is also what the
 * functions below pass to each other.
 *
 * A name with a leading underscore marks a part of these functions, of no use by itself. Parts run with
 * their caller's rights; anybody may execute them, since anybody may own tables and attach them.
 */

GRANT USAGE ON SCHEMA modseq TO PUBLIC;

-- The table that a qualified, quoted name leads to, if any. to_regclass() will not do: it fails where the
-- caller may not use the schema.
CREATE FUNCTION modseq._table_named(name text) RETURNS regclass
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.oid::regclass
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = (parse_ident(name))[1]::name AND c.relname = (parse_ident(name))[2]::name
$$;

CREATE VIEW modseq.stores AS
	SELECT t.tgrelid::regclass AS message,
		modseq._table_named(o ->> 'mailbox') AS mailbox,
		modseq._table_named(o ->> 'flag') AS flag,
		modseq._table_named(o ->> 'vanished') AS vanished,
		(o ->> 'mailbox_key')::name[] AS mailbox_key,
		(o ->> 'mailbox_uidvalidity')::name AS mailbox_uidvalidity,
		(o ->> 'mailbox_uidnext')::name AS mailbox_uidnext,
		(o ->> 'mailbox_last_uid')::name AS mailbox_last_uid,
		(o ->> 'mailbox_highestmodseq')::name AS mailbox_highestmodseq,
		modseq._table_named(o ->> 'mailbox_source') AS mailbox_source,
		(o ->> 'mailbox_source_key')::name[] AS mailbox_source_key,
		(o ->> 'message_mailbox')::name[] AS message_mailbox,
		(o ->> 'message_uid')::name AS message_uid,
		(o ->> 'message_modseq')::name AS message_modseq,
		(o ->> 'message_created_modseq')::name AS message_created_modseq,
		(o ->> 'message_flags')::name[] AS message_flags,
		(o ->> 'message_expunged')::name AS message_expunged,
		(o ->> 'message_key')::name AS message_key,
		(o ->> 'flag_message')::name AS flag_message,
		(o ->> 'flag_mailbox')::name[] AS flag_mailbox,
		(o ->> 'flag_uid')::name AS flag_uid,
		(o ->> 'flag_columns')::name[] AS flag_columns,
		(o ->> 'notify')::boolean IS TRUE AS notify
	FROM pg_catalog.pg_trigger t
	CROSS JOIN LATERAL (
		SELECT jsonb_object_agg(split_part(option, '=', 1), substr(option, strpos(option, '=') + 1)) AS o
		FROM unnest(modseq.trigger_options(t.oid)) AS option) AS options
	WHERE t.tgfoid = 'modseq.trigger_assign'::regproc
		AND t.tgparentid = 0;			-- not the clones on partitions

GRANT SELECT ON modseq.stores TO PUBLIC;

COMMENT ON VIEW modseq.stores IS
	'The attached message tables, each with its other tables and with the columns that attach() was given or '
	'found, read from the arguments of the triggers. A table that was renamed since shows as null: attach() the store again.';

/* --- what the catalog says of a table ------------------------------------ */

-- regclass output leaves out the schema where search_path has it; this does not
CREATE FUNCTION modseq._table(relation regclass) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%I.%I', n.nspname, c.relname)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = relation
$$;

CREATE FUNCTION modseq._store(message regclass) RETURNS modseq.stores
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	store modseq.stores;
BEGIN
	IF message IS NULL THEN
		RAISE 'argument "store" must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'A store is named by its message table.';
	END IF;
	SELECT * INTO store FROM modseq.stores s WHERE s.message = _store.message;
	IF NOT FOUND THEN
		RAISE 'table % is not attached to modseq', coalesce(modseq._table(message), message::text) USING
			ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'A store is named by its message table; call modseq.attach() for it first.';
	END IF;
	RETURN store;
END
$$;

-- The type of a column, below any domain; null if there is no such column
CREATE FUNCTION modseq._type(relation regclass, attribute name) RETURNS regtype
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
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

-- May columns of these types hold the same key?
CREATE FUNCTION modseq._same_kind(a regtype, b regtype) RETURNS boolean
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT a = b
		OR ARRAY[a, b] <@ '{smallint,integer,bigint}'::regtype[]
		OR ARRAY[a, b] <@ '{text,varchar}'::regtype[]
$$;

-- Do values of that type have an order, and a hash if wanted? So looks the type cache, which our triggers use.
CREATE FUNCTION modseq._is_sortable(type regtype, and_hashable boolean) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
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

-- The collation of a column, if its type has any
CREATE FUNCTION modseq._collation(relation regclass, attribute name)
RETURNS TABLE (name text, is_deterministic boolean)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%I.%I', n.nspname, c.collname), c.collisdeterministic
	FROM pg_attribute a
	JOIN pg_collation c ON c.oid = a.attcollation
	JOIN pg_namespace n ON n.oid = c.collnamespace
	WHERE a.attrelid = relation AND a.attname = attribute
$$;

-- How names are compared with usual names: MailBox_ID, mailboxId and mailbox_id are one
CREATE FUNCTION modseq._plain(name text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT lower(replace(name, '_', ''))
$$;

-- The column that has the first of some usual names
CREATE FUNCTION modseq._usual(relation regclass, VARIADIC names text[]) RETURNS name
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.attname
	FROM unnest(names) WITH ORDINALITY AS usual (name, place)
	JOIN pg_attribute a ON modseq._plain(a.attname) = modseq._plain(usual.name)
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY usual.place, a.attnum
	LIMIT 1
$$;

-- Columns that look like flags, by name and by type. One too many costs a client a needless FETCH, one too few is
-- a change that it misses; \Recent is no flag here. A time can say that a flag is set, but deleted_at says more.
CREATE FUNCTION modseq._usual_flags(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(a.attname ORDER BY a.attnum)
	FROM pg_attribute a
	CROSS JOIN LATERAL (SELECT modseq._plain(a.attname) AS name, modseq._type(relation, a.attname) AS type) AS plain
	JOIN pg_type t ON t.oid = plain.type
	LEFT JOIN pg_type element ON element.typarray = t.oid
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		AND (name ~ '^(e?mail|message|msg|imap)?(is|has|flags?)?(un)?(seen|read|answered|replied|flagged|starred|deleted|draft|forwarded|(not|non)?junk|(not|non)?spam|phishing|important|mdnsent)(flag)?$'
			 AND t.typname IN ('bool', 'int2', 'int4', 'int8', 'numeric', 'bit', 'bpchar', 'char')
			OR name ~ '^(e?mail|message|msg)?(seen|read|answered|replied|flagged|starred|forwarded)(at|on|date)$'
			 AND t.typname IN ('timestamptz', 'timestamp')
			OR name ~ '^(e?mail|message|msg|imap|user|custom|system|extra|x?gm(ail)?|g)?(flags?|flagbits|flagmask|bitflags|keywords?|labels?|tags)$'
			 AND (coalesce(element.typname, t.typname) IN ('text', 'varchar', 'bpchar', 'int2', 'int4', 'int8', 'numeric', 'uuid', 'jsonb', 'bytea', 'bit', 'varbit', 'hstore')
				  OR element.typtype IN ('e', 'd')))
$$;

-- The btree indexes that serve any query on their columns, and what they guarantee
CREATE FUNCTION modseq._indexes(relation regclass)
RETURNS TABLE (columns name[], is_unique boolean, is_primary boolean)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
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

-- Is there an index on the given columns, the last of which is read in its order? The others are compared
-- for equality, so that theirs does not matter.
CREATE FUNCTION modseq._has_index(relation regclass, wanted name[], is_unique boolean) RETURNS boolean
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (
		SELECT
		FROM modseq._indexes(relation) i, cardinality(wanted) AS n
		WHERE i.columns[n] = wanted[n]
			AND i.columns[:n - 1] <@ wanted[:n - 1]
			AND (NOT _has_index.is_unique OR i.is_unique AND cardinality(i.columns) = n))
$$;

CREATE FUNCTION modseq._primary_key(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT columns FROM modseq._indexes(relation) WHERE is_primary
$$;

-- The names, if all of them are columns of the table
CREATE FUNCTION modseq._existing(relation regclass, names name[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT names WHERE NOT EXISTS (
		SELECT FROM unnest(names) AS n (name) WHERE name IS NULL OR modseq._type(relation, name) IS NULL)
$$;

-- Foreign keys from one table to another
CREATE FUNCTION modseq._foreign_keys(child regclass, parent regclass)
RETURNS TABLE (columns name[], referenced name[])
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(a.attname ORDER BY k.place), array_agg(r.attname ORDER BY k.place)
	FROM pg_constraint c
	CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k (attnum, referenced, place)
	JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
	JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = k.referenced
	WHERE c.contype = 'f' AND c.conrelid = child AND c.confrelid = parent
	GROUP BY c.oid
$$;

-- Foreign keys of one column, from any table to any other
CREATE FUNCTION modseq._references(child regclass)
RETURNS TABLE ("column" name, relation regclass, key name)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.attname, c.confrelid::regclass, r.attname
	FROM pg_constraint c
	JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
	JOIN pg_attribute r ON r.attrelid = c.confrelid AND r.attnum = c.confkey[1]
	WHERE c.contype = 'f' AND c.conrelid = child AND cardinality(c.conkey) = 1
$$;

-- The columns that refer to the key of another table, going by the only foreign key that includes it
CREATE FUNCTION modseq._referencing(child regclass, parent regclass, key name[]) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN count(*) = 1 THEN min(columns) END
	FROM (
		SELECT DISTINCT (
			SELECT array_agg(f.columns[array_position(f.referenced, k.name)] ORDER BY k.place)
			FROM unnest(key) WITH ORDINALITY AS k (name, place)) AS columns
		FROM modseq._foreign_keys(child, parent) f
		WHERE f.referenced @> key) AS candidates
$$;

-- The other way round: what columns of the child refer to, going by the only foreign key that includes them
CREATE FUNCTION modseq._referenced(child regclass, parent regclass, columns name[]) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN count(*) = 1 THEN min(referenced) END
	FROM (
		SELECT DISTINCT (
			SELECT array_agg(f.referenced[array_position(f.columns, c.name)] ORDER BY c.place)
			FROM unnest(_referenced.columns) WITH ORDINALITY AS c (name, place)) AS referenced
		FROM modseq._foreign_keys(child, parent) f
		WHERE f.columns @> _referenced.columns) AS candidates
$$;

-- The key of the mailboxes that messages refer to, where all their foreign keys agree on one that is not primary
CREATE FUNCTION modseq._referenced_key(store modseq.stores) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN count(DISTINCT referenced) = 1 AND store.message_mailbox IS NULL THEN min(referenced) END
	FROM modseq._foreign_keys(store.message, store.mailbox)
	HAVING NOT coalesce(bool_or(referenced @> modseq._primary_key(store.mailbox)), false)
$$;

-- The same as _referencing(), going by usual names and by type. The parent goes by its table's name, with and without a
-- prefix like mw_, and by some nouns; a column may say once more that it is a message's. A column that is just
-- called id is everybody's own, and one with a foreign key elsewhere is that, unless the parent's key goes there too.
CREATE FUNCTION modseq._usual_reference(child regclass, parent regclass, key name[], VARIADIC nouns text[])
RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
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
		JOIN pg_attribute a ON modseq._plain(usual.name) IN
			(modseq._plain(a.attname), regexp_replace(modseq._plain(a.attname), '^(message|msg|email|mail)', ''))
		WHERE a.attrelid = child AND a.attnum > 0
			AND modseq._same_kind(modseq._type(child, a.attname), modseq._type(parent, usual.key))
			AND NOT EXISTS (
				SELECT FROM modseq._references(child) r
				WHERE r.column = a.attname AND r.relation <> parent
					AND (r.relation, r.key, usual.key) NOT IN (
						SELECT p.relation, p.key, p.column FROM modseq._references(parent) p))
		ORDER BY usual.key_place, modseq._plain(a.attname) <> modseq._plain(usual.name), usual.place, usual.noun_place)
	SELECT array_agg(attname ORDER BY key_place) FROM found HAVING count(*) = cardinality(key)
$$;

-- Tables with their partitions, at all levels
CREATE FUNCTION modseq._with_partitions(VARIADIC tables regclass[]) RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT t FROM unnest(tables) AS t WHERE t IS NOT NULL
	UNION
	SELECT p.relid FROM unnest(tables) AS t, pg_partition_tree(t) AS p
$$;

-- The columns of partition keys, at all levels, also those in expressions
CREATE FUNCTION modseq._partition_key(relation regclass) RETURNS SETOF name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.attname
	FROM modseq._with_partitions(relation) AS p (relation)
	JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = p.relation AND d.objsubid > 0
		AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.relation AND d.refobjsubid = 0 AND d.deptype = 'i'
	JOIN pg_attribute a ON a.attrelid = p.relation AND a.attnum = d.objsubid
$$;

-- What stands in the way of a unique index: a column of a partition key, at whatever level, that is not among
-- the index's, or an expression
CREATE FUNCTION modseq._may_be_unique(relation regclass, columns name[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT NOT EXISTS (
		SELECT
		FROM pg_partitioned_table p
		CROSS JOIN LATERAL unnest(p.partattrs::int2[]) AS k (attnum)
		LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum
		WHERE p.partrelid IN (SELECT modseq._with_partitions(relation)) AND (a.attname = ANY (columns)) IS NOT TRUE)
$$;

-- Triggers of ours, whatever they are called, without their clones on partitions
CREATE FUNCTION modseq._our_triggers() RETURNS SETOF pg_catalog.pg_trigger
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT t.*
	FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE p.pronamespace = 'modseq'::regnamespace AND t.tgparentid = 0
$$;

/* --- pieces of SQL text -------------------------------------------------- */

-- Templates of queries name a store's tables and columns in braces; see _query(). Their row aliases m and live
-- have the mailbox key under the message table's names, s under the source's, all others under the mailbox table's.
CREATE FUNCTION modseq._key(store modseq.stores, alias text) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN alias IN ('m', 'live') THEN store.message_mailbox
				WHEN alias = 's' THEN store.mailbox_source_key
				ELSE store.mailbox_key END
$$;

-- The columns of the key
CREATE FUNCTION modseq._key_columns(store modseq.stores, alias text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('%s.%I', alias, name), ', ' ORDER BY place)
	FROM unnest(modseq._key(store, alias)) WITH ORDINALITY AS k (name, place)
$$;

-- The key as one text: the value, or the array of the values of a composite key
CREATE FUNCTION modseq._key_text(store modseq.stores, alias text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE count(*) WHEN 1 THEN min(value) ELSE format('ARRAY[%s]::text', string_agg(value, ', ' ORDER BY place)) END
	FROM unnest(modseq._key(store, alias)) WITH ORDINALITY AS k (name, place), format('%s.%I::text', alias, name) AS value
$$;

-- The condition that two rows belong to one mailbox. The operators are those of the unique index on the
-- mailbox key: the = that a search_path finds may be another one, for example for citext. Collations may differ.
CREATE FUNCTION modseq._key_equality(store modseq.stores, a text, b text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(
		format('%s.%I OPERATOR(%I.%s) %s.%I', a, a_name, n.nspname, o.oprname, b, b_name)
			|| coalesce((SELECT ' COLLATE ' || c.name FROM modseq._collation(store.mailbox, k.name) c), ''),
		' AND ' ORDER BY place)
	FROM unnest(store.mailbox_key, modseq._key(store, a), modseq._key(store, b)) WITH ORDINALITY
		AS k (name, a_name, b_name, place)
	CROSS JOIN LATERAL (
		SELECT amop.amopopr
		FROM pg_index i
		CROSS JOIN LATERAL unnest(i.indkey, i.indclass) AS c (attnum, opclass)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = c.attnum AND a.attname = k.name
		JOIN pg_opclass ON pg_opclass.oid = c.opclass
		JOIN pg_amop amop ON amop.amopfamily = pg_opclass.opcfamily
			AND amop.amoplefttype = pg_opclass.opcintype AND amop.amoprighttype = pg_opclass.opcintype
		WHERE i.indrelid = store.mailbox AND i.indisunique
			AND amop.amopstrategy = 3			-- equality, in a btree
		LIMIT 1) AS equality
	JOIN pg_operator o ON o.oid = equality.amopopr
	JOIN pg_namespace n ON n.oid = o.oprnamespace
$$;

-- Whether message m is live, and not soft-deleted: plan_text.c says the same
CREATE FUNCTION modseq._live(store modseq.stores) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE
		WHEN type IS NULL THEN 'true'
		WHEN type = 'boolean'::regtype THEN format('m.%I IS NOT TRUE', store.message_expunged)
		WHEN type = ANY ('{smallint,integer,bigint}'::regtype[]) THEN format('coalesce(m.%I, 0) = 0', store.message_expunged)
		ELSE format('m.%I IS NULL', store.message_expunged) END
	FROM modseq._type(store.message, store.message_expunged) AS type
$$;

-- A query from its template, where {x.key} is the columns of the mailbox key in row x, {x.name} is the key as
-- one text, {x=y} says that rows x and y are of one mailbox, and the other names are those of the list below
CREATE FUNCTION modseq._query(store modseq.stores, template text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	-- Counters that nobody stored count as never used
	names CONSTANT jsonb := jsonb_build_object(
		'mailbox', modseq._table(store.mailbox),
		'source', modseq._table(store.mailbox_source),
		'mailbox_key', (SELECT string_agg(quote_ident(k), ', ' ORDER BY place) FROM unnest(store.mailbox_key) WITH ORDINALITY AS u (k, place)),
		'message', modseq._table(store.message),
		'vanished', modseq._table(store.vanished),
		'uidvalidity', quote_ident(store.mailbox_uidvalidity),
		'stored_uid', quote_ident(coalesce(store.mailbox_uidnext, store.mailbox_last_uid)),
		'next_minus_stored', CASE WHEN store.mailbox_last_uid IS NULL THEN 0 ELSE 1 END,
		'b.uidnext', CASE WHEN store.mailbox_last_uid IS NULL
			THEN format('greatest(b.%I::bigint, 1)', store.mailbox_uidnext)
			ELSE format('greatest(b.%I::bigint + 1, 1)', store.mailbox_last_uid) END,
		'highestmodseq', quote_ident(store.mailbox_highestmodseq),
		'b.highestmodseq', format('greatest(b.%I, 1)', store.mailbox_highestmodseq),
		'uid', quote_ident(store.message_uid),
		'modseq', quote_ident(store.message_modseq),
		'created_modseq', quote_ident(store.message_created_modseq),
		-- The array $1 as columns of a mailbox key; type modifier -1, for without one "character" means one character
		'$1', (SELECT string_agg(format('($1[%s])::%s AS %I', place, format_type(atttypid, -1), name), ', ')
			FROM unnest(store.mailbox_key) WITH ORDINALITY AS k (name, place)
			JOIN pg_attribute ON attrelid = store.mailbox AND attname = name),
		'm.live', modseq._live(store),
		'm.order', coalesce(
			(SELECT string_agg(format('m.%I', k), ', ') FROM unnest(modseq._primary_key(store.message)) AS k),
			'm.tableoid, m.ctid'));
	piece text[];
	x text;
	result text := '';
BEGIN
	FOR piece IN SELECT regexp_matches(template, '([^{]+)|\{([^}]+)\}', 'g') LOOP
		x := substring(piece[2] FROM '^\w+');
		result := result || CASE
			WHEN piece[2] IS NULL THEN piece[1]
			WHEN piece[2] LIKE '%=%' THEN modseq._key_equality(store, x, split_part(piece[2], '=', 2))
			WHEN piece[2] LIKE '%.key' THEN modseq._key_columns(store, x)
			WHEN piece[2] LIKE '%.name' THEN modseq._key_text(store, x)
			ELSE names ->> piece[2] END;
	END LOOP;
	RETURN result;
END
$$;

/* --- what a store consists of: attach() makes it so, check() verifies it --- */

-- Columns: the types that they may have, and how those that may be added are defined
CREATE FUNCTION modseq._columns(store modseq.stores)
RETURNS TABLE (option text, relation regclass, attribute name, types regtype[], definition text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT c.option, c.relation, attribute, c.types::regtype[], c.definition
	FROM (VALUES
		('mailbox_key', store.mailbox, store.mailbox_key, NULL, NULL),
		('mailbox_uidvalidity', store.mailbox, ARRAY[store.mailbox_uidvalidity], '{integer,bigint}',
			'bigint NOT NULL DEFAULT modseq.next_uidvalidity()'),
		('mailbox_uidnext', store.mailbox, ARRAY[store.mailbox_uidnext], '{integer,bigint}',
			'bigint NOT NULL DEFAULT 1'),
		('mailbox_last_uid', store.mailbox, ARRAY[store.mailbox_last_uid], '{integer,bigint}',
			'bigint NOT NULL DEFAULT 0'),
		('mailbox_highestmodseq', store.mailbox, ARRAY[store.mailbox_highestmodseq], '{bigint}',
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
		('message_key', store.message, ARRAY[store.message_key], NULL, NULL),
		('flag_message', store.flag, ARRAY[store.flag_message], NULL, NULL),
		('flag_mailbox', store.flag, store.flag_mailbox, NULL, NULL),
		('flag_uid', store.flag, ARRAY[store.flag_uid], '{integer,bigint}', NULL),
		('flag_columns', store.flag, store.flag_columns, NULL, NULL))
		AS c (option, relation, attributes, types, definition),
		unnest(c.attributes) AS attribute
	WHERE attribute IS NOT NULL
$$;

-- Indexes: by what our queries look for. Mailbox and UID must be unique; where the partitioning allows no index to
-- say so, they are because UIDs are given out under the mailbox's lock.
CREATE FUNCTION modseq._wanted_indexes(store modseq.stores)
RETURNS TABLE (relation regclass, columns name[], is_unique boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT *
	FROM (VALUES
		(store.message, store.message_mailbox || store.message_uid,
			modseq._may_be_unique(store.message, store.message_mailbox || store.message_uid)),
		(store.message, store.message_mailbox || store.message_modseq, false),
		(store.message, ARRAY[store.message_key], false),
		(store.flag, ARRAY[store.flag_message], false),
		(store.flag, store.flag_mailbox || store.flag_uid, false)) AS i (relation, columns, is_unique)
	WHERE columns[1] IS NOT NULL
$$;

-- Triggers, and the arguments that each has. A name decides when its trigger fires among others of its kind:
-- zz_ after all that may still change the row; AA_ before the foreign keys' RI_ConstraintTrigger, so that
-- the change of a mailbox's key is known before ON UPDATE CASCADE brings it to the messages.
--
-- Partitions have them all: PostgreSQL clones those FOR EACH ROW, and the others must be created there, too.
CREATE FUNCTION modseq._triggers(store modseq.stores)
RETURNS TABLE (relation regclass, name name, timing text, events text, level text, function name, arguments text[], cloned boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT p.relation, t.name, timing, events, level, function,
		CASE WHEN function = 'trigger_assign' THEN modseq._options(store)
			 WHEN t.relation <> store.message THEN ARRAY[modseq._table(store.message)]
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
		(store.mailbox, 'AA_modseq_mailbox', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_mailbox'),
		(store.mailbox, 'modseq_open', 'BEFORE', 'TRUNCATE', 'STATEMENT', 'trigger_open'),
		(store.mailbox, 'AA_modseq_truncate', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_mailbox'),
		(store.mailbox_source, 'AA_modseq_source', 'AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', 'trigger_source'),
		(store.mailbox_source, 'AA_modseq_truncate', 'AFTER', 'TRUNCATE', 'STATEMENT', 'trigger_truncate_source'))
		AS t (relation, name, timing, events, level, function)
	CROSS JOIN LATERAL modseq._with_partitions(t.relation) AS p (relation)
$$;

-- The arguments of zz_modseq_assign: names, never OIDs, so that a dump or a shard carries them along
CREATE FUNCTION modseq._options(store modseq.stores) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_remove(ARRAY[
		'mailbox=' || modseq._table(store.mailbox),
		'vanished=' || modseq._table(store.vanished),
		'flag=' || modseq._table(store.flag),
		'mailbox_key=' || store.mailbox_key::text,
		'mailbox_uidvalidity=' || store.mailbox_uidvalidity,
		'mailbox_uidnext=' || store.mailbox_uidnext,
		'mailbox_last_uid=' || store.mailbox_last_uid,
		'mailbox_highestmodseq=' || store.mailbox_highestmodseq,
		'mailbox_source=' || modseq._table(store.mailbox_source),
		'mailbox_source_key=' || store.mailbox_source_key::text,
		'message_mailbox=' || store.message_mailbox::text,
		'message_uid=' || store.message_uid,
		'message_modseq=' || store.message_modseq,
		'message_created_modseq=' || store.message_created_modseq,
		'message_flags=' || store.message_flags::text,
		'message_expunged=' || store.message_expunged,
		'message_key=' || store.message_key,
		'flag_message=' || store.flag_message,
		'flag_mailbox=' || store.flag_mailbox::text,
		'flag_uid=' || store.flag_uid,
		'flag_columns=' || store.flag_columns::text,
		CASE WHEN store.notify THEN 'notify=true' END], NULL)
$$;

/* --- attach: what cannot be served --------------------------------------- */

CREATE FUNCTION modseq._refuse_options(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	list record;
BEGIN
	IF store.message IS NULL OR store.mailbox IS NULL THEN
		RAISE 'the message table and the mailbox table must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Call modseq.attach(message, mailbox), or modseq.attach(message, mailbox, flag) with a table of flags.';
	END IF;
	IF store.message = store.mailbox OR store.flag IN (store.message, store.mailbox)
		OR store.mailbox_source IN (store.message, store.mailbox, store.flag)
	THEN
		RAISE 'the tables of a store must differ from each other' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Flags that are columns of the message table need no table: name them with message_flags. A mailbox table that is nobody''s side table needs no mailbox_source.';
	END IF;

	FOR list IN
		SELECT *
		FROM (VALUES
			('mailbox_key', store.mailbox_key),
			('mailbox_source_key', store.mailbox_source_key),
			('message_mailbox', store.message_mailbox),
			('flag_mailbox', store.flag_mailbox),
			('flag_columns', store.flag_columns),
			('message_flags', nullif(store.message_flags, '{}'))) AS l (option, columns)
		WHERE cardinality(columns) = 0 OR array_position(columns, NULL) IS NOT NULL
	LOOP
		RAISE 'option % is empty or has a null in it', list.option USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Give the names of columns, or leave the option out to have them found.';
	END LOOP;

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
	IF num_nonnulls(store.message_key, store.flag_message) > 0 AND num_nonnulls(store.flag_mailbox, store.flag_uid) > 0 THEN
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

CREATE FUNCTION modseq._refuse_tables(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := ARRAY[store.message, store.mailbox, store.mailbox_source, store.flag];
	t record;
	other regclass;
	taken regclass;
BEGIN
	FOR t IN
		SELECT relation, modseq._table(relation) AS name, c.*
		FROM unnest(tables) WITH ORDINALITY AS u (relation, place) LEFT JOIN pg_class c ON c.oid = relation
		WHERE relation IS NOT NULL
		ORDER BY place
	LOOP
		IF t.oid IS NULL THEN
			RAISE 'relation with OID % does not exist', t.relation::oid USING
				ERRCODE = 'undefined_table';
		END IF;
		IF NOT pg_has_role(t.relowner, 'USAGE') THEN
			RAISE 'must be owner of table %', t.name USING
				ERRCODE = 'insufficient_privilege',
				HINT = 'Call modseq.attach() as a role that owns the message, mailbox and flag tables.';
		END IF;
		IF t.relkind NOT IN ('r', 'p') OR t.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) THEN
			RAISE '% is not a table that modseq can serve', t.name USING
				ERRCODE = 'wrong_object_type',
				HINT = 'Stores are made of ordinary or partitioned tables: not of views, foreign tables or system catalogs.';
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
		IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = t.oid OR inhparent = t.oid AND t.relkind = 'r') THEN
			RAISE 'table % inherits or is inherited from', t.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = 'Triggers and unique indexes of a table do not reach tables that inherit from it.',
				HINT = 'Use declarative partitioning, or end the inheritance.';
		END IF;
	END LOOP;

	FOR t IN
		SELECT modseq._table(c.oid) AS name, c.relkind
		FROM modseq._with_partitions(VARIADIC tables) AS u (relation) JOIN pg_class c ON c.oid = relation
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
	FROM modseq.stores s, unnest(tables) WITH ORDINALITY AS t (relation, place)
	WHERE s.message <> store.message AND relation IN (s.message, s.mailbox, s.mailbox_source, s.flag, s.vanished)
	ORDER BY place LIMIT 1;
	IF FOUND THEN
		RAISE 'table % serves another store already', modseq._table(taken) USING
			ERRCODE = 'object_in_use',
			DETAIL = format('It belongs to the store with message table %s.', modseq._table(other)),
			HINT = 'Call modseq.detach() for that store first; modseq.stores shows what it consists of.';
	END IF;
END
$$;

-- Columns that do not exist, do not differ, or are of a wrong kind
CREATE FUNCTION modseq._refuse_columns(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT col.*, modseq._table(col.relation) AS name, modseq._type(col.relation, attribute) AS type,
			a.attgenerated, a.attidentity,
			-- message_key may be any column, and flag_columns may list what else is named
			array_agg(option) FILTER (WHERE option NOT IN ('message_key', 'flag_columns'))
				OVER (PARTITION BY col.relation, attribute) AS uses
		FROM modseq._columns(store) col
		LEFT JOIN pg_attribute a ON a.attrelid = col.relation AND a.attname = attribute AND NOT a.attisdropped
	LOOP
		IF cardinality(c.uses) > 1 THEN
			RAISE 'column "%" of table % is named twice', c.attribute, c.name USING
				ERRCODE = 'duplicate_column',
				DETAIL = format('It is used for %s.', array_to_string(c.uses, ' and ')),
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
				HINT = CASE WHEN c.option = 'message_expunged'
					THEN format('Add a column that says so, as in ALTER TABLE %s ADD expunged boolean GENERATED ALWAYS AS (...) STORED.', c.name)
					ELSE format('Use ALTER TABLE %s ALTER COLUMN %I TYPE bigint, or name another column with %s%s.',
								c.name, c.attribute, c.option,
								CASE WHEN c.definition IS NOT NULL THEN '; it is added if it does not exist' END) END;
		END IF;
		IF c.definition IS NOT NULL AND c.attribute IN (SELECT modseq._partition_key(c.relation)) THEN
			RAISE 'column "%" of table % is part of a partition key', c.attribute, c.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('Named by %s, it is set by triggers, which fire when the partition has been chosen.', c.option),
				HINT = 'Partition by another column, the mailbox or the date say.';
		END IF;
		-- UIDVALIDITY is the one number that others may hand out too. What is only read may be generated, if it is
		-- stored; but where a message goes must be known before its row is written.
		IF c.attgenerated = 'v'
			OR c.attgenerated <> '' AND (c.definition IS NOT NULL OR c.option = 'message_mailbox')
			OR (c.attgenerated <> '' OR c.attidentity = 'a') AND c.option = 'mailbox_key' AND store.mailbox_source IS NOT NULL
			OR c.attidentity = 'a' AND c.definition IS NOT NULL
			OR c.attidentity = 'd' AND c.definition IS NOT NULL AND c.option <> 'mailbox_uidvalidity'
		THEN
			RAISE 'column "%" of table % is a generated or identity column', c.attribute, c.name USING
				ERRCODE = 'feature_not_supported',
				DETAIL = format('Named by %s, it must be one that triggers can set and see.', c.option),
				HINT = 'Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY, or DROP EXPRESSION, or name another column.';
		END IF;
	END LOOP;
END
$$;

-- Where two lists of columns differ in number, or in kind
CREATE FUNCTION modseq._mismatches(a regclass, a_columns name[], b regclass, b_columns name[])
RETURNS TABLE (mismatch text)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%s against %s.',
		CASE WHEN x IS NULL THEN 'Nothing'
			 ELSE format('Column "%s" of table %s, type %s,', x, modseq._table(a), modseq._type(a, x)) END,
		CASE WHEN y IS NULL THEN 'nothing'
			 ELSE format('column "%s" of table %s, type %s', y, modseq._table(b), modseq._type(b, y)) END)
	FROM unnest(a_columns, b_columns) AS pair (x, y)
	WHERE num_nonnulls(x, y) > 0 AND modseq._same_kind(modseq._type(a, x), modseq._type(b, y)) IS NOT TRUE
$$;

-- Keys that do not fit, indexes that stand in the way, and flags that cannot be compared
CREATE FUNCTION modseq._refuse_keys(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	max_keys CONSTANT int := 8;			-- MODSEQ_MAX_KEYS in modseq.h
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
				SELECT FROM modseq._indexes(k.relation) i
				WHERE i.is_unique AND i.columns @> k.columns AND i.columns <@ k.columns)
	LOOP
		RAISE 'mailbox key (%) of table % is not unique', array_to_string(key.columns, ', '), modseq._table(key.relation) USING
			ERRCODE = 'invalid_foreign_key',
			HINT = format('Create a unique index on exactly these columns, or name others with %s.', key.option);
	END LOOP;
	IF cardinality(store.mailbox_key) > max_keys THEN
		RAISE 'a mailbox key can have at most % columns', max_keys USING
			ERRCODE = 'too_many_columns';
	END IF;

	FOR pair IN
		SELECT 'mailbox_key' AS option, 'message_mailbox' AS other_option, mismatch
		FROM modseq._mismatches(store.mailbox, store.mailbox_key, store.message, store.message_mailbox)
		UNION ALL
		SELECT 'mailbox_key', 'mailbox_source_key', mismatch
		FROM modseq._mismatches(store.mailbox, store.mailbox_key, store.mailbox_source, store.mailbox_source_key)
		UNION ALL
		SELECT 'mailbox_key', 'flag_mailbox', mismatch
		FROM modseq._mismatches(store.mailbox, store.mailbox_key, store.flag, store.flag_mailbox)
		UNION ALL
		SELECT 'message_key', 'flag_message', mismatch
		FROM modseq._mismatches(store.message, ARRAY[store.message_key], store.flag, ARRAY[store.flag_message])
	LOOP
		RAISE 'options % and % do not match', pair.option, pair.other_option USING
			ERRCODE = 'datatype_mismatch',
			DETAIL = pair.mismatch,
			HINT = 'Name as many columns in both, of the same types and in the same order.';
	END LOOP;

	FOR key IN
		SELECT store.mailbox AS relation, k AS attribute, modseq._type(store.mailbox, k) AS type, true AS hashed, true AS listed
		FROM unnest(store.mailbox_key) AS k
		UNION ALL
		SELECT store.flag, store.flag_message, t.oid::regtype, false, t.typarray <> 0
		FROM pg_type t
		WHERE t.oid = modseq._type(store.flag, store.flag_message)
	LOOP
		IF NOT (modseq._is_sortable(key.type, key.hashed) AND key.listed) THEN
			RAISE 'column "%" of table % cannot be a key for modseq', key.attribute, modseq._table(key.relation) USING
				ERRCODE = 'undefined_function',
				DETAIL = format('Type %s lacks an order, a hash function or an array type.', key.type),
				HINT = 'Name another column that is unique.';
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
	CROSS JOIN LATERAL modseq._collation(store.mailbox, k.mailbox) b
	CROSS JOIN LATERAL modseq._collation(k.relation, k.attribute) o
	WHERE b.name <> o.name AND NOT (b.is_deterministic AND o.is_deterministic);
	IF FOUND THEN
		RAISE 'column "%" of table % has another collation than the mailbox key', key.attribute, modseq._table(key.relation) USING
			ERRCODE = 'collation_mismatch',
			DETAIL = format('Collations %s and %s do not agree on which keys are equal.', key.other, key.mailbox),
			HINT = format('Use ALTER TABLE %s ALTER COLUMN %I TYPE ... COLLATE %s.', modseq._table(key.relation), key.attribute, key.mailbox);
	END IF;

	SELECT columns INTO wrong
	FROM modseq._indexes(store.message)
	WHERE is_unique AND (columns = ARRAY[store.message_uid]
		OR store.message_modseq = ANY (columns) AND columns <@ (store.message_mailbox || store.message_modseq));
	IF FOUND THEN
		RAISE 'table % has a unique index on (%)', modseq._table(store.message), array_to_string(wrong, ', ') USING
			ERRCODE = 'invalid_table_definition',
			DETAIL = 'UIDs are unique only within a mailbox, and the messages that one statement changes share a mod-sequence.',
			HINT = 'Drop that index or constraint, or name another column with message_uid or message_modseq; it is added if it does not exist.';
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
			EXECUTE format('SELECT DISTINCT %I FROM %s LIMIT 0', flag.attribute, modseq._table(flag.relation));
		EXCEPTION WHEN undefined_function THEN
			RAISE 'changes of column "%" of table % cannot be told', flag.attribute, modseq._table(flag.relation) USING
				ERRCODE = 'undefined_function',
				DETAIL = format('Type %s has no equality operator.', modseq._type(flag.relation, flag.attribute)),
				HINT = 'Name the columns that count with message_flags or flag_columns, and leave it out; or change its type, as json to jsonb.';
		END;
	END LOOP;
END
$$;

/* --- attach: what was not named ------------------------------------------ */

-- What an earlier attach() was told or found, for a table that was renamed or a store that is to be repaired:
-- options that are not given again keep their values, unless a column is gone.
CREATE FUNCTION modseq._keep_options(store modseq.stores, before modseq.stores) RETURNS modseq.stores
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF before.mailbox = store.mailbox THEN
		store.mailbox_key := coalesce(store.mailbox_key, modseq._existing(store.mailbox, before.mailbox_key));
		store.mailbox_uidvalidity := coalesce(store.mailbox_uidvalidity,
			(modseq._existing(store.mailbox, ARRAY[before.mailbox_uidvalidity]))[1]);
		IF num_nonnulls(store.mailbox_uidnext, store.mailbox_last_uid) = 0 THEN
			store.mailbox_uidnext := (modseq._existing(store.mailbox, ARRAY[before.mailbox_uidnext]))[1];
			store.mailbox_last_uid := (modseq._existing(store.mailbox, ARRAY[before.mailbox_last_uid]))[1];
		END IF;
		store.mailbox_highestmodseq := coalesce(store.mailbox_highestmodseq,
			(modseq._existing(store.mailbox, ARRAY[before.mailbox_highestmodseq]))[1]);
		IF cardinality(store.mailbox_key) = cardinality(before.message_mailbox) THEN
			store.message_mailbox := coalesce(store.message_mailbox, modseq._existing(store.message, before.message_mailbox));
		END IF;

		-- A source that was renamed still has the trigger
		store.mailbox_source := coalesce(store.mailbox_source, before.mailbox_source, (
			SELECT t.tgrelid
			FROM modseq._our_triggers() t
			WHERE t.tgfoid = 'modseq.trigger_source'::regproc AND modseq.trigger_options(t.oid) = ARRAY[modseq._table(store.message)]));
		store.mailbox_source_key := coalesce(store.mailbox_source_key,
			modseq._existing(store.mailbox_source, before.mailbox_source_key));
	END IF;
	store.message_uid := coalesce(store.message_uid, (modseq._existing(store.message, ARRAY[before.message_uid]))[1]);
	store.message_modseq := coalesce(store.message_modseq,
		(modseq._existing(store.message, ARRAY[before.message_modseq]))[1]);
	store.message_created_modseq := coalesce(store.message_created_modseq,
		(modseq._existing(store.message, ARRAY[before.message_created_modseq]))[1]);
	-- A column may become the soft-delete column that was a flag, or the other way round
	IF before.message_expunged <> ALL (coalesce(store.message_flags, '{}')) THEN
		store.message_expunged := coalesce(store.message_expunged,
			(modseq._existing(store.message, ARRAY[before.message_expunged]))[1]);
	END IF;
	store.message_flags := coalesce(store.message_flags,
		array_remove(modseq._existing(store.message, before.message_flags), store.message_expunged));
	-- Where one of them was dropped or renamed: the others, and the usual names
	IF store.message_flags IS NULL AND cardinality(before.message_flags) > 0 THEN
		store.message_flags := array_remove((
			SELECT array_agg(attname ORDER BY attnum)
			FROM pg_attribute
			WHERE attrelid = store.message AND attnum > 0 AND NOT attisdropped
				AND attname = ANY (before.message_flags || modseq._usual_flags(store.message))), store.message_expunged);
	END IF;
	IF before.flag = store.flag THEN
		IF num_nonnulls(store.message_key, store.flag_message, store.flag_mailbox, store.flag_uid) = 0 THEN
			store.message_key := (modseq._existing(store.message, ARRAY[before.message_key]))[1];
			store.flag_message := (modseq._existing(store.flag, ARRAY[before.flag_message]))[1];
			store.flag_mailbox := modseq._existing(store.flag, before.flag_mailbox || before.flag_uid);
			store.flag_uid := store.flag_mailbox[cardinality(store.flag_mailbox)];
			store.flag_mailbox := trim_array(store.flag_mailbox, 1);
		END IF;
		store.flag_columns := coalesce(store.flag_columns, modseq._existing(store.flag, before.flag_columns));
	END IF;
	store.notify := coalesce(store.notify, before.notify);
	RETURN store;
END
$$;

CREATE FUNCTION modseq._infer_mailbox(store modseq.stores) RETURNS modseq.stores
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	store.mailbox_key := coalesce(store.mailbox_key, modseq._referenced_key(store), modseq._primary_key(store.mailbox));
	IF store.mailbox_key IS NULL THEN
		RAISE 'table % has no primary key', modseq._table(store.mailbox) USING
			ERRCODE = 'invalid_foreign_key',
			HINT = 'Add one, or name the columns of a unique index with mailbox_key.';
	END IF;
	IF store.mailbox_source IS NOT NULL THEN
		store.mailbox_source_key := coalesce(store.mailbox_source_key,
			modseq._referenced(store.mailbox, store.mailbox_source, store.mailbox_key),
			modseq._primary_key(store.mailbox_source));
		IF store.mailbox_source_key IS NULL THEN
			RAISE 'table % has no primary key', modseq._table(store.mailbox_source) USING
				ERRCODE = 'invalid_foreign_key',
				HINT = 'Add one, or name the columns of a unique index with mailbox_source_key.';
		END IF;
	END IF;
	store.mailbox_uidvalidity := coalesce(store.mailbox_uidvalidity,
		modseq._usual(store.mailbox, 'uidvalidity', 'mailbox_uidvalidity', 'folder_uidvalidity', 'imap_uidvalidity'),
		'uidvalidity');
	IF store.mailbox_last_uid IS NULL THEN
		store.mailbox_uidnext := coalesce(store.mailbox_uidnext,
			modseq._usual(store.mailbox, 'uidnext', 'next_uid', 'mailbox_uidnext', 'mailbox_next_uid', 'folder_uidnext',
						  'folder_next_uid', 'imap_uidnext'));
	END IF;
	IF store.mailbox_uidnext IS NULL THEN
		store.mailbox_last_uid := coalesce(store.mailbox_last_uid,
			modseq._usual(store.mailbox, 'last_uid', 'uid_last', 'mailbox_last_uid', 'folder_last_uid', 'imap_last_uid',
						  'current_uid', 'folder_current_uid'));
	END IF;
	IF num_nonnulls(store.mailbox_uidnext, store.mailbox_last_uid) = 0 THEN
		store.mailbox_uidnext := 'uidnext';
	END IF;
	store.mailbox_highestmodseq := coalesce(store.mailbox_highestmodseq,
		modseq._usual(store.mailbox, 'highestmodseq', 'modseq', 'mailbox_highestmodseq', 'folder_highestmodseq',
					  'imap_highestmodseq', 'mailbox_modseq', 'folder_modseq', 'modify_index'), 'highestmodseq');
	RETURN store;
END
$$;

CREATE FUNCTION modseq._infer_message(store modseq.stores) RETURNS modseq.stores
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	store.message_mailbox := coalesce(store.message_mailbox,
		modseq._referencing(store.message, store.mailbox, store.mailbox_key),
		modseq._referencing(store.message, store.mailbox_source, store.mailbox_source_key),
		modseq._usual_reference(store.message, store.mailbox_source, store.mailbox_source_key, 'mailbox', 'folder', 'box'),
		modseq._usual_reference(store.message, store.mailbox, store.mailbox_key, 'mailbox', 'folder', 'box'));
	IF store.message_mailbox IS NULL THEN
		RAISE 'cannot find the mailbox key in table %', modseq._table(store.message) USING
			ERRCODE = 'undefined_column',
			DETAIL = format('There is no single foreign key to columns (%s) of table %s, and no column with a usual name and the same type.',
							array_to_string(store.mailbox_key, ', '), modseq._table(store.mailbox)),
			HINT = 'Name the columns with message_mailbox.';
	END IF;
	store.message_uid := coalesce(store.message_uid,
		modseq._usual(store.message, 'uid', 'imap_uid', 'message_uid', 'mail_uid', 'msg_uid', 'email_uid'), 'uid');
	store.message_modseq := coalesce(store.message_modseq,
		modseq._usual(store.message, 'modseq', 'imap_modseq', 'message_modseq', 'mail_modseq', 'msg_modseq', 'email_modseq'),
		'modseq');
	store.message_created_modseq := coalesce(store.message_created_modseq,
		modseq._usual(store.message, 'created_modseq', 'create_modseq', 'create_seq'));
	store.message_flags := coalesce(store.message_flags, (
		SELECT array_agg(f ORDER BY place)
		FROM unnest(modseq._usual_flags(store.message)) WITH ORDINALITY AS u (f, place)
		WHERE f <> ALL (store.message_mailbox || store.message_uid || store.message_modseq)
			AND f IS DISTINCT FROM store.message_expunged));
	RETURN store;
END
$$;

-- How flags name messages, going by foreign keys: to the message table; from it, where the flags are those of a
-- message that is in several mailboxes; or, with both of these tables, to a third one, that of the messages
CREATE FUNCTION modseq._flag_references(store modseq.stores) RETURNS TABLE (rank int, "column" name, key name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	WITH reference AS (
		SELECT 1 AS rank, f.column, f.key
		FROM modseq._references(store.flag) f
		WHERE f.relation = store.message
		UNION ALL
		SELECT 2, m.key, m.column
		FROM modseq._references(store.message) m
		WHERE m.relation = store.flag
		UNION ALL
		SELECT 3, f.column, m.column
		FROM modseq._references(store.flag) f JOIN modseq._references(store.message) m USING (relation, key)
		WHERE relation NOT IN (store.mailbox, store.message, store.flag)
			AND modseq._plain(f.column) ~ '^(e?mail|message|msg)' AND modseq._plain(m.column) ~ '^(e?mail|message|msg)')
	SELECT * FROM reference r
	WHERE r.rank = (SELECT min(rank) FROM reference)
		AND coalesce(r.column = store.flag_message, true)
		AND coalesce(r.key = store.message_key, true)
$$;

-- A flag row names its message by the message's key, or by mailbox and UID
CREATE FUNCTION modseq._infer_flag(store modseq.stores) RETURNS modseq.stores
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	numbers CONSTANT name[] := store.message_mailbox || store.message_uid;
	by_key CONSTANT boolean := num_nonnulls(store.flag_message, store.message_key) > 0;		-- as the caller says
	by_numbers name[];
	fk record;
BEGIN
	IF store.flag IS NULL OR store.flag_mailbox IS NOT NULL THEN
		RETURN store;
	END IF;

	SELECT min(f.rank) AS rank, min(f.column) AS column, min(f.key) AS key INTO fk
	FROM modseq._flag_references(store) AS f
	HAVING count(DISTINCT (f.column, f.key)) = 1;
	IF fk.rank IS DISTINCT FROM 1 AND NOT by_key THEN
		by_numbers := modseq._referencing(store.flag, store.message, numbers);
	END IF;

	IF by_numbers IS NULL THEN
		store.message_key := coalesce(store.message_key, fk.key, (
			SELECT key[1] FROM modseq._primary_key(store.message) AS key WHERE cardinality(key) = 1));
		store.flag_message := coalesce(store.flag_message, fk.column,
			(modseq._usual_reference(store.flag, store.message, ARRAY[store.message_key], 'mail', 'message', 'msg'))[1]);
		IF num_nonnulls(store.flag_message, store.message_key) = 2 THEN
			RETURN store;
		END IF;
		by_numbers := modseq._usual_reference(store.flag, store.message, numbers, 'mail', 'message', 'msg');
	END IF;
	IF by_numbers IS NULL AND NOT by_key THEN
		-- The messages themselves, in several mailboxes each: their key has one name in both tables
		SELECT a.attname, key[1] INTO store.message_key, store.flag_message
		FROM modseq._primary_key(store.flag) AS key
		JOIN pg_attribute a ON modseq._plain(a.attname) = modseq._plain(key[1]) AND modseq._plain(key[1]) <> 'id'
		WHERE cardinality(key) = 1 AND a.attrelid = store.message AND a.attnum > 0
			AND modseq._same_kind(modseq._type(store.flag, key[1]), modseq._type(store.message, a.attname));
		IF FOUND THEN
			RETURN store;
		END IF;
	END IF;
	IF by_numbers IS NULL OR by_key THEN
		RAISE 'cannot find out how table % names its messages', modseq._table(store.flag) USING
			ERRCODE = 'undefined_column',
			HINT = 'Name the columns with flag_message and message_key, or with flag_mailbox and flag_uid.';
	END IF;
	store.message_key := NULL;
	store.flag_mailbox := by_numbers[:cardinality(by_numbers) - 1];
	store.flag_uid := by_numbers[cardinality(by_numbers)];
	RETURN store;
END
$$;

-- All of it, with the refusals that depend on it
CREATE FUNCTION modseq._infer(given modseq.stores) RETURNS modseq.stores
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	store modseq.stores;
BEGIN
	PERFORM modseq._refuse_columns(given);		-- or nothing may be found that goes with them
	store := modseq._infer_mailbox(given);
	store := modseq._infer_message(store);
	store := modseq._infer_flag(store);
	PERFORM modseq._refuse_columns(store);
	PERFORM modseq._refuse_keys(store);
	RETURN store;
END
$$;

/* --- attach: the work ---------------------------------------------------- */

CREATE FUNCTION modseq._drop_triggers(tables regclass[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN
		SELECT tgname, modseq._table(tgrelid) AS relation
		FROM modseq._our_triggers()
		WHERE tgrelid IN (SELECT modseq._with_partitions(VARIADIC tables))
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.relation);
	END LOOP;
END
$$;

-- Locks the store's tables against writers until the transaction ends. Readers go on, unless a table must
-- change: adding a column, changing a default and dropping a trigger need ACCESS EXCLUSIVE.
CREATE FUNCTION modseq._lock_tables(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	tables CONSTANT regclass[] := array_remove(ARRAY[store.message, store.mailbox_source, store.mailbox, store.flag], NULL);
	must_change CONSTANT boolean :=
		EXISTS (
			SELECT FROM modseq._columns(store)
			WHERE definition IS NOT NULL AND modseq._type(relation, attribute) IS NULL)
		OR modseq._has_default(store.message, store.message_uid)
		OR NOT modseq._has_default(store.mailbox, store.mailbox_uidvalidity)
		OR EXISTS (SELECT FROM modseq._our_triggers() WHERE tgrelid IN (SELECT modseq._with_partitions(VARIADIC tables)));
BEGIN
	EXECUTE format('LOCK TABLE %s IN %s MODE',
		(SELECT string_agg(modseq._table(t), ', ' ORDER BY place) FROM unnest(tables) WITH ORDINALITY AS u (t, place)),
		CASE WHEN must_change THEN 'ACCESS EXCLUSIVE' ELSE 'SHARE ROW EXCLUSIVE' END);
END
$$;

CREATE FUNCTION modseq._has_default(relation regclass, attribute name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (
		SELECT FROM pg_attribute
		WHERE attrelid = relation AND attname = attribute AND (atthasdef OR attidentity <> ''))
$$;

-- Adds the columns that are missing and returns the options that name them
CREATE FUNCTION modseq._add_columns(store modseq.stores) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	c record;
	added text[] := '{}';
BEGIN
	FOR c IN
		SELECT * FROM modseq._columns(store)
		WHERE definition IS NOT NULL AND modseq._type(relation, attribute) IS NULL
	LOOP
		EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', modseq._table(c.relation), c.attribute, c.definition);
		RAISE NOTICE 'added column "%" to table %', c.attribute, modseq._table(c.relation);
		added := added || c.option;
	END LOOP;

	-- A default would come before the trigger, which assigns UIDs where there is none
	IF modseq._has_default(store.message, store.message_uid) THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', modseq._table(store.message), store.message_uid);
		RAISE NOTICE 'dropped the default of column "%" of table %: UIDs are assigned where none is given',
			store.message_uid, modseq._table(store.message);
	END IF;

	-- Mailboxes that the application makes without one need a UIDVALIDITY
	IF NOT modseq._has_default(store.mailbox, store.mailbox_uidvalidity) THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT modseq.next_uidvalidity()',
			modseq._table(store.mailbox), store.mailbox_uidvalidity);
		RAISE NOTICE 'column "%" of table % has modseq.next_uidvalidity() as its default now',
			store.mailbox_uidvalidity, modseq._table(store.mailbox);
	END IF;
	RETURN added;
END
$$;

-- The vanished table has the mailbox key's columns as the mailbox table has them, collations included
CREATE FUNCTION modseq._definitions(relation regclass, columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(
		format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
			|| CASE WHEN c.oid IS NULL THEN '' ELSE format(' COLLATE %I.%I', n.nspname, c.collname) END,
		', ' ORDER BY array_position(columns, a.attname))
	FROM pg_attribute a
	LEFT JOIN (pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace) ON c.oid = a.attcollation
	WHERE a.attrelid = relation AND a.attname = ANY (columns)
$$;

CREATE FUNCTION modseq._vanished_definitions(store modseq.stores) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT modseq._definitions(store.mailbox, store.mailbox_key) || ', modseq bigint, uids modseq.uidset, vanished_at timestamp with time zone'
$$;

-- <message table>_vanished, in its schema. With the suffix in front, the cast to name leaves of the table's
-- name what fits.
CREATE FUNCTION modseq._vanished_name(message regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('%I.%I', n.nspname, substr((suffix || c.relname)::name::text, length(suffix) + 1) || suffix)
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, (VALUES ('_vanished')) AS v (suffix)
	WHERE c.oid = message
$$;

-- The vanished table follows the mailbox key, of which a column was renamed or got another type of the same kind
CREATE FUNCTION modseq._follow_key(store modseq.stores, before modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	kept CONSTANT name[] := modseq._primary_key(before.vanished);
	old name;
	new name;
BEGIN
	IF before.mailbox IS DISTINCT FROM store.mailbox OR cardinality(kept) IS DISTINCT FROM cardinality(store.mailbox_key) + 1 THEN
		RETURN;
	END IF;
	-- One at a time: of two, their order could be another one now
	FOR old, new IN SELECT * FROM unnest(trim_array(kept, 1), store.mailbox_key) AS k (old, new) WHERE k.old <> k.new LOOP
		IF modseq._type(store.mailbox, old) IS NULL AND trim_array(kept, 1) = array_replace(store.mailbox_key, new, old) THEN
			EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', modseq._table(before.vanished), old, new);
		END IF;
	END LOOP;
	FOREACH new IN ARRAY store.mailbox_key LOOP
		IF modseq._definitions(before.vanished, ARRAY[new]) <> modseq._definitions(store.mailbox, ARRAY[new])
			AND modseq._same_kind(modseq._type(before.vanished, new), modseq._type(store.mailbox, new))
		THEN
			EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', modseq._table(before.vanished), new,
						   substr(modseq._definitions(store.mailbox, ARRAY[new]), length(quote_ident(new)) + 2));
		END IF;
	END LOOP;
END
$$;

-- The vanished table that there is already, since an earlier attach or out of a dump
CREATE FUNCTION modseq._find_vanished(store modseq.stores) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	-- Of a table that was renamed it is still under the old name; but a schema that was renamed took it along
	relation CONSTANT regclass := coalesce(modseq._table_named(modseq._vanished_name(store.message)), store.vanished);
	definitions CONSTANT text := modseq._vanished_definitions(store);
	key CONSTANT name[] := store.mailbox_key || 'modseq'::name;
BEGIN
	-- The triggers write to it with its owner's rights, so it must not be just anybody's
	IF relation IS NOT NULL AND NOT EXISTS (
		SELECT FROM pg_class c
		WHERE c.oid = relation AND c.relkind = 'r' AND c.relpersistence = 'p'
			AND c.relowner = (SELECT m.relowner FROM pg_class m WHERE m.oid = store.message)
			AND modseq._primary_key(relation) = key
			AND definitions = modseq._definitions(relation, ARRAY(
				SELECT attname FROM pg_attribute
				WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum))
			AND NOT EXISTS (SELECT FROM modseq.stores s WHERE s.vanished = relation AND s.message <> store.message))
	THEN
		RAISE 'table % exists and is not what modseq needs', modseq._table(relation) USING
			ERRCODE = 'duplicate_table',
			DETAIL = format('It must have columns (%s) with primary key (%s), the owner of table %s, and no other store.',
							definitions, array_to_string(key, ', '), modseq._table(store.message)),
			HINT = 'If it is the store''s, ALTER it so; else rename or drop it, and modseq.attach() creates its own.';
	END IF;
	RETURN relation;
END
$$;

-- It has no foreign key to the mailboxes, whose TRUNCATE that would prevent; our triggers keep it
CREATE FUNCTION modseq._create_vanished(store modseq.stores) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	name CONSTANT text := modseq._vanished_name(store.message);
BEGIN
	EXECUTE format('CREATE TABLE %s (%s, PRIMARY KEY (%s, modseq))',
		name, modseq._vanished_definitions(store),
		(SELECT string_agg(quote_ident(k), ', ' ORDER BY place) FROM unnest(store.mailbox_key) WITH ORDINALITY AS u (k, place)));
	EXECUTE format('
		ALTER TABLE %s
			ALTER COLUMN uids SET NOT NULL,
			ALTER COLUMN vanished_at SET NOT NULL,
			ALTER COLUMN vanished_at SET DEFAULT clock_timestamp(),
			OWNER TO %I',
		name, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = store.message));
	EXECUTE format('COMMENT ON TABLE %s IS %L', name,
		format('UIDs that vanished from the mailboxes of %s, and the mod-sequences at which they did. Kept by modseq.',
			   modseq._table(store.message)));
	RETURN modseq._table_named(name);
END
$$;

-- The rows that a side table lacks. One too many, whose source has gone, stays, lest somebody's foreign key
-- takes more along; check() reports it.
CREATE FUNCTION modseq._add_mailboxes(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF store.mailbox_source IS NOT NULL THEN
		EXECUTE modseq._query(store, '
			INSERT INTO {mailbox} ({mailbox_key})
			SELECT {s.key} FROM {source} s WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {s=b})');
	END IF;
END
$$;

-- Messages that belong to no mailbox
CREATE FUNCTION modseq._refuse_messages(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	message record;
BEGIN
	EXECUTE modseq._query(store, '
		SELECT {m.name} AS mailbox, num_nulls({m.key}) AS nulls
		FROM {message} m
		WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {m=b})
		LIMIT 1') INTO message;
	IF message.nulls > 0 THEN
		RAISE 'table % has a message without a mailbox', modseq._table(store.message) USING
			ERRCODE = 'not_null_violation',
			HINT = 'Give it a mailbox, or delete it.';
	ELSIF message.nulls = 0 THEN
		RAISE 'table % has a message in mailbox "%", which does not exist', modseq._table(store.message), message.mailbox USING
			ERRCODE = 'foreign_key_violation',
			HINT = format('Create the mailbox in table %s, or delete its messages.', modseq._table(store.mailbox));
	END IF;
END
$$;

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
-- Where mod-sequences are new altogether, no client has one to ask with: then nothing is remembered, and
-- messages keep the mod-sequence that came with the column.
CREATE FUNCTION modseq._adopt(store modseq.stores, new_modseq boolean, new_store boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	uid bigint;
BEGIN
	EXECUTE modseq._query(store, 'DELETE FROM {vanished} v WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {v=b})');

	-- In box, _uidnext is where new UIDs start, _back which ones are live again, _new how many messages need one,
	-- _lost what went unseen, _touched whether messages must be written, and _value the mod-sequence of all that is
	EXECUTE modseq._query(store, $query$
		WITH live AS (
			SELECT {m.key}, max(m.{uid}) AS _uid, max(m.{modseq}) AS _modseq,
				count(*) FILTER (WHERE coalesce(m.{uid}, 0) = 0) AS _new,
				count(*) FILTER (WHERE coalesce(m.{modseq}, 0) < 1) AS _unstamped,
				modseq.uidset_agg(m.{uid}::bigint) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295 AND {m.live}) AS _uids
			FROM {message} m
			GROUP BY {m.key}),
		gone AS (
			SELECT {v.key}, max(v.modseq) AS _modseq, modseq.uidset_agg(v.uids) AS _uids
			FROM {vanished} v
			GROUP BY {v.key}),
		box AS MATERIALIZED (
			SELECT {b.key}, _uidnext, _back, coalesce(live._new, 0) + modseq.cardinality(_back) AS _new, _lost,
				{b.uidnext} AS _seen,
				live._new > 0 OR live._unstamped > 0 OR modseq.cardinality(_back) > 0
					OR NOT $2 AND live._uid >= {b.uidnext} AS _touched,
				greatest({b.highestmodseq}, live._modseq, gone._modseq)
					+ CASE WHEN NOT $1 AND (live._new > 0 OR live._unstamped > 0 OR modseq.cardinality(_back) > 0
							OR NOT $2 AND (modseq.cardinality(_lost) > 0 OR live._uid >= {b.uidnext}))
						   THEN 1 ELSE 0 END AS _value
			FROM {mailbox} b
			LEFT JOIN live ON {live=b}
			LEFT JOIN gone ON {gone=b}
			CROSS JOIN LATERAL greatest({b.uidnext}, live._uid + 1, modseq.max(gone._uids) + 1) AS _uidnext
			CROSS JOIN LATERAL coalesce(live._uids OPERATOR(modseq.*) gone._uids, '') AS _back
			CROSS JOIN LATERAL (
				SELECT modseq.uidset(int8multirange(int8range(1, least(_uidnext, 4294967296))))
					OPERATOR(modseq.-) coalesce(live._uids, '')
					OPERATOR(modseq.-) coalesce(gone._uids, '')) AS l (_lost)),
		fresh AS (
			SELECT m.tableoid, m.ctid, box._value,
				CASE WHEN _needs_uid
					 THEN box._uidnext - 1 + row_number() OVER (PARTITION BY {m.key}, _needs_uid ORDER BY {m.order})
					 ELSE m.{uid} END AS _uid
			FROM {message} m JOIN box ON {m=box}
			CROSS JOIN LATERAL coalesce(m.{uid} = 0 OR m.{uid}::bigint OPERATOR(modseq.<@) box._back AND {m.live}, true) AS _needs_uid
			WHERE _needs_uid OR coalesce(m.{modseq}, 0) < 1 OR NOT $2 AND m.{uid} >= box._seen),
		numbered AS (
			UPDATE {message} m SET {uid} = fresh._uid, {modseq} = CASE WHEN $1 THEN m.{modseq} ELSE fresh._value END
				$query$ || CASE WHEN store.message_created_modseq IS NULL THEN ''
					ELSE ', {created_modseq} = CASE WHEN m.{uid} = fresh._uid THEN m.{created_modseq} ELSE 0 END' END || $query$
			FROM fresh
			-- Mostly there is nothing to do, and then the messages are not read once more
			WHERE (SELECT bool_or(_touched) FROM box) AND m.tableoid = fresh.tableoid AND m.ctid = fresh.ctid),
		remembered AS (
			INSERT INTO {vanished}
			SELECT {box.key}, box._value, box._lost
			FROM box
			WHERE NOT $1 AND modseq.cardinality(box._lost) > 0)
		UPDATE {mailbox} b SET
			{stored_uid} = box._uidnext + box._new - {next_minus_stored},
			{highestmodseq} = box._value,
			{uidvalidity} = coalesce(nullif(b.{uidvalidity}, 0), modseq.next_uidvalidity())
		FROM box
		WHERE {b=box}
			AND (b.{stored_uid} IS DISTINCT FROM box._uidnext + box._new - {next_minus_stored}
				OR b.{highestmodseq} IS DISTINCT FROM box._value
				OR coalesce(b.{uidvalidity}, 0) = 0)
		$query$) USING new_modseq, new_store;

	IF store.message_created_modseq IS NOT NULL THEN
		EXECUTE modseq._query(store, '
			UPDATE {message} SET {created_modseq} = {modseq}
			WHERE {created_modseq} IS NULL OR {created_modseq} NOT BETWEEN 1 AND {modseq}');
	END IF;

	EXECUTE modseq._query(store, 'SELECT {uid} FROM {message} WHERE {uid} NOT BETWEEN 1 AND 4294967295 LIMIT 1') INTO uid;
	IF uid IS NOT NULL THEN
		RAISE 'UID % in table % is out of range', uid, modseq._table(store.message) USING
			ERRCODE = 'numeric_value_out_of_range',
			HINT = 'UIDs are 1 to 4294967295. Where it is null, modseq.attach() assigns one.';
	END IF;
END
$$;

-- Where no index finds them
CREATE FUNCTION modseq._refuse_duplicates(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	duplicate record;
BEGIN
	EXECUTE modseq._query(store, '
		SELECT {m.name} AS mailbox, m.{uid} AS uid
		FROM {message} m
		GROUP BY {m.key}, m.{uid}
		HAVING count(*) > 1
		LIMIT 1') INTO duplicate;
	IF duplicate.uid IS NOT NULL THEN
		RAISE unique_violation USING DETAIL = format('Mailbox "%s" has UID %s twice.', duplicate.mailbox, duplicate.uid);
	END IF;
END
$$;

CREATE FUNCTION modseq._create_indexes(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	i record;
	duplicate text;
BEGIN
	FOR i IN SELECT * FROM modseq._wanted_indexes(store) LOOP
		CONTINUE WHEN modseq._has_index(i.relation, i.columns, i.is_unique);
		EXECUTE format('CREATE %s INDEX ON %s (%s)', CASE WHEN i.is_unique THEN 'UNIQUE' END, modseq._table(i.relation),
			(SELECT string_agg(quote_ident(c), ', ' ORDER BY place) FROM unnest(i.columns) WITH ORDINALITY AS u (c, place)));
	END LOOP;
	IF NOT modseq._may_be_unique(store.message, store.message_mailbox || store.message_uid) THEN
		PERFORM modseq._refuse_duplicates(store);
	END IF;
EXCEPTION WHEN unique_violation THEN
	GET STACKED DIAGNOSTICS duplicate = PG_EXCEPTION_DETAIL;
	RAISE 'table % has two messages with one UID', modseq._table(store.message) USING
		ERRCODE = 'unique_violation',
		DETAIL = duplicate,
		HINT = 'Set one of them to null, and modseq.attach() assigns another one.';
END
$$;

CREATE FUNCTION modseq._create_triggers(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM modseq._triggers(store) WHERE NOT cloned LOOP
		EXECUTE format('CREATE TRIGGER %I %s %s ON %s FOR EACH %s EXECUTE FUNCTION modseq.%I(%s)',
			t.name, t.timing, t.events, modseq._table(t.relation), t.level, t.function,
			(SELECT string_agg(quote_literal(a), ', ' ORDER BY place) FROM unnest(t.arguments) WITH ORDINALITY AS u (a, place)));
	END LOOP;
END
$$;

CREATE FUNCTION modseq._notice_flags(store modseq.stores) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF cardinality(store.message_flags) > 0 THEN
		RAISE NOTICE 'flag columns: %', array_to_string(store.message_flags, ', ');
	ELSIF store.message_flags IS NULL AND store.flag IS NULL THEN
		RAISE NOTICE 'no flags are tracked' USING
			HINT = 'Name the flag columns of the message table with message_flags, or give a flag table.';
	END IF;
END
$$;

-- row_security is off in what reads whole tables: a policy that would hide rows from it is then an error
CREATE FUNCTION modseq.attach(
	message regclass,
	mailbox regclass,
	flag regclass DEFAULT NULL,
	mailbox_key name[] DEFAULT NULL,
	mailbox_uidvalidity name DEFAULT NULL,
	mailbox_uidnext name DEFAULT NULL,
	mailbox_last_uid name DEFAULT NULL,
	mailbox_highestmodseq name DEFAULT NULL,
	mailbox_source regclass DEFAULT NULL,
	mailbox_source_key name[] DEFAULT NULL,
	message_mailbox name[] DEFAULT NULL,
	message_uid name DEFAULT NULL,
	message_modseq name DEFAULT NULL,
	message_created_modseq name DEFAULT NULL,
	message_flags name[] DEFAULT NULL,
	message_expunged name DEFAULT NULL,
	message_key name DEFAULT NULL,
	flag_message name DEFAULT NULL,
	flag_mailbox name[] DEFAULT NULL,
	flag_uid name DEFAULT NULL,
	flag_columns name[] DEFAULT NULL,
	notify boolean DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off SET jit = off AS $$
DECLARE
	before modseq.stores;
	store modseq.stores;
	added text[];
	new_store boolean;
BEGIN
	-- A snapshot that is older than our locks would miss messages
	IF current_setting('transaction_isolation') <> 'read committed' THEN
		RAISE 'modseq.attach() needs transaction isolation level READ COMMITTED' USING
			ERRCODE = 'invalid_transaction_state',
			HINT = 'Call it in a transaction of its own.';
	END IF;
	SELECT * INTO before FROM modseq.stores s WHERE s.message = attach.message;
	store := (message, mailbox, flag, before.vanished, mailbox_key, mailbox_uidvalidity, mailbox_uidnext, mailbox_last_uid,
			  mailbox_highestmodseq, mailbox_source, mailbox_source_key, message_mailbox, message_uid, message_modseq,
			  message_created_modseq, message_flags,
			  message_expunged, message_key, flag_message, flag_mailbox, flag_uid, flag_columns, notify);
	PERFORM modseq._refuse_options(store);
	PERFORM modseq._refuse_tables(store);
	store := modseq._keep_options(store, before);

	-- What must be locked depends on what is there, and that may change while we wait for it: once more then
	PERFORM modseq._lock_tables(modseq._infer(store));
	PERFORM modseq._refuse_tables(store);
	store := modseq._infer(store);

	-- Our triggers must not see what follows
	PERFORM modseq._drop_triggers(ARRAY[message, mailbox, store.mailbox_source, flag, before.mailbox, before.mailbox_source, before.flag]);
	added := modseq._add_columns(store);
	PERFORM modseq._follow_key(store, before);
	store.vanished := modseq._find_vanished(store);
	new_store := store.vanished IS NULL;
	IF new_store THEN
		store.vanished := modseq._create_vanished(store);
	END IF;
	PERFORM modseq._add_mailboxes(store);
	PERFORM modseq._refuse_messages(store);
	-- Clients have mod-sequences of a column that was dropped or renamed: to them, all messages have changed
	IF 'message_modseq' = ANY (added) AND NOT new_store THEN
		EXECUTE modseq._query(store, 'UPDATE {message} SET {modseq} = 0');
	END IF;
	PERFORM modseq._adopt(store, new_modseq => 'message_modseq' = ANY (added) AND new_store, new_store => new_store);
	PERFORM modseq._create_indexes(store);
	IF 'message_uid' = ANY (added) THEN
		EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', modseq._table(message), store.message_uid);
	END IF;
	PERFORM modseq._create_triggers(store);
	PERFORM modseq._notice_flags(store);
END
$$;

CREATE FUNCTION modseq.detach(message regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	store modseq.stores;
	tables regclass[];
BEGIN
	SELECT * INTO store FROM modseq.stores s WHERE s.message = detach.message;

	-- The mailbox and flag tables by their names in the store, or, where these were renamed, by the name of the
	-- message table in their triggers
	SELECT array_agg(DISTINCT t.tgrelid::regclass) INTO tables
	FROM modseq._our_triggers() t
	WHERE t.tgrelid IN (
			SELECT modseq._with_partitions(detach.message, store.mailbox, store.mailbox_source, store.flag))
		OR modseq.trigger_options(t.oid) = ARRAY[modseq._table(detach.message)];
	-- Another part of a store goes with it; but if the message table was dropped, there is nothing else to name
	IF tables IS NULL OR EXISTS (
		SELECT FROM modseq.stores s
		WHERE s.message <> detach.message AND detach.message IN (s.mailbox, s.mailbox_source, s.flag))
	THEN
		RAISE 'table % is not attached to modseq', coalesce(modseq._table(message), message::text, 'null') USING
			ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'A store is named by its message table; modseq.stores lists them.';
	END IF;
	PERFORM modseq._drop_triggers(tables);
END
$$;

/* --- check --------------------------------------------------------------- */

-- What is missing of a store's tables, columns, indexes and triggers
CREATE FUNCTION modseq._check_schema(store modseq.stores) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('table %s is missing', substr(option, strpos(option, '=') + 1))
	FROM pg_trigger t, unnest(modseq.trigger_options(t.oid)) AS option
	WHERE t.tgrelid = store.message AND t.tgfoid = 'modseq.trigger_assign'::regproc
		AND split_part(option, '=', 1) IN ('mailbox', 'mailbox_source', 'flag', 'vanished')
		AND modseq._table_named(substr(option, strpos(option, '=') + 1)) IS NULL
	UNION ALL
	SELECT format('column "%s" of table %s is missing', attribute, modseq._table(relation))
	FROM modseq._columns(store)
	WHERE relation IS NOT NULL AND modseq._type(relation, attribute) IS NULL
	UNION ALL
	SELECT format('column "%s" of table %s has not the type of the mailbox key', k, modseq._table(store.vanished))
	FROM unnest(store.mailbox_key) AS k
	WHERE modseq._definitions(store.vanished, ARRAY[k]) <> modseq._definitions(store.mailbox, ARRAY[k])
	UNION ALL
	SELECT format('index on %s (%s) is missing', modseq._table(relation), array_to_string(columns, ', '))
	FROM modseq._wanted_indexes(store)
	WHERE NOT modseq._has_index(relation, columns, is_unique)
	UNION ALL
	SELECT format('trigger "%s" on table %s %s', w.name, modseq._table(w.relation),
		CASE WHEN t.oid IS NULL THEN 'is missing'
			 WHEN t.tgenabled IN ('D', 'R') THEN 'is disabled'
			 ELSE 'is not as modseq.attach() creates it' END)
	FROM modseq._triggers(store) w
	LEFT JOIN pg_trigger t ON t.tgrelid = w.relation AND t.tgname = w.name
	WHERE t.oid IS NULL OR t.tgenabled IN ('D', 'R')
		OR t.tgfoid IS DISTINCT FROM to_regproc('modseq.' || w.function)
		OR t.tgqual IS NOT NULL OR cardinality(t.tgattr::int2[]) > 0
		-- The store is what the arguments of trigger_assign() say
		OR modseq.trigger_options(t.oid) <> w.arguments AND w.function <> 'trigger_assign'
		OR t.tgtype <>
			CASE w.level WHEN 'ROW' THEN 1 ELSE 0 END + CASE w.timing WHEN 'BEFORE' THEN 2 ELSE 0 END
			+ CASE WHEN w.events ~ 'INSERT' THEN 4 ELSE 0 END + CASE WHEN w.events ~ 'DELETE' THEN 8 ELSE 0 END
			+ CASE WHEN w.events ~ 'UPDATE' THEN 16 ELSE 0 END + CASE WHEN w.events ~ 'TRUNCATE' THEN 32 ELSE 0 END
$$;

-- What is wrong with the rows of a store's tables: one query, so that all of it is one snapshot
CREATE FUNCTION modseq._check_rows(store modseq.stores) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY EXECUTE modseq._query(store, $query$
		WITH box AS (
			SELECT {b.key}, {b.uidnext} AS _uidnext, {b.highestmodseq} AS _modseq, b.{uidvalidity} AS _uidvalidity
			FROM {mailbox} b),
		live AS (
			SELECT {m.key}, modseq.uidset_agg(m.{uid}::bigint) FILTER (WHERE m.{uid} BETWEEN 1 AND 4294967295) AS _uids
			FROM {message} m
			WHERE {m.live}
			GROUP BY {m.key}),
		gone AS (
			SELECT {v.key}, modseq.uidset_agg(v.uids) AS _uids
			FROM {vanished} v
			GROUP BY {v.key})
		SELECT {box.name}, NULL::bigint, p.problem
		FROM box, LATERAL (VALUES
			(box._uidvalidity BETWEEN 1 AND 4294967295, 'uidvalidity is not in 1 to 4294967295'),
			(box._uidnext <= 4294967296, 'uidnext is above 4294967296')) AS p (sound, problem)
		WHERE sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, m.{uid}::bigint, p.problem
		FROM {message} m LEFT JOIN box ON {m=box}, LATERAL (VALUES
			(box._uidnext IS NOT NULL, 'mailbox does not exist'),
			(m.{uid} BETWEEN 1 AND 4294967295, 'uid is not in 1 to 4294967295'),
			(m.{uid} < box._uidnext IS NOT FALSE, 'uid is not below UIDNEXT'),
			(m.{modseq} >= 1, 'modseq is below 1'),
			(m.{modseq} <= box._modseq IS NOT FALSE, 'modseq is above HIGHESTMODSEQ')) AS p (sound, problem)
		WHERE sound IS NOT TRUE
		UNION ALL
		SELECT {m.name}, m.{uid}::bigint, 'duplicate uid'
		FROM {message} m
		GROUP BY {m.key}, m.{uid}
		HAVING count(*) > 1
		UNION ALL
		SELECT {v.name}, modseq.max(v.uids), p.problem
		FROM {vanished} v LEFT JOIN box ON {v=box}, LATERAL (VALUES
			(box._uidnext IS NOT NULL, 'vanished messages of a mailbox that does not exist'),
			(modseq.cardinality(v.uids) > 0, 'vanished row without a uid'),
			(modseq.max(v.uids) < box._uidnext IS NOT FALSE, 'vanished uid is not below UIDNEXT'),
			(v.modseq >= 1, 'vanished modseq is below 1'),
			(v.modseq <= box._modseq IS NOT FALSE, 'vanished modseq is above HIGHESTMODSEQ')) AS p (sound, problem)
		WHERE sound IS NOT TRUE
		UNION ALL
		SELECT {live.name}, u, 'vanished uid is live'
		FROM box JOIN live ON {live=box} JOIN gone ON {gone=box},
			modseq.unnest(live._uids OPERATOR(modseq.*) gone._uids) AS u
		$query$ || CASE WHEN store.message_created_modseq IS NULL THEN '' ELSE $query$
		UNION ALL
		SELECT {m.name}, m.{uid}::bigint, 'created_modseq is not in 1 to modseq'
		FROM {message} m
		WHERE m.{created_modseq} BETWEEN 1 AND m.{modseq} IS NOT TRUE
		$query$ END || CASE WHEN store.mailbox_source IS NULL THEN '' ELSE $query$
		UNION ALL
		SELECT {s.name}, NULL::bigint, 'mailbox has no counters'
		FROM {source} s
		WHERE NOT EXISTS (SELECT FROM {mailbox} b WHERE {s=b})
		UNION ALL
		SELECT {b.name}, NULL::bigint, 'mailbox has counters only'
		FROM {mailbox} b
		WHERE NOT EXISTS (SELECT FROM {source} s WHERE {s=b})
		$query$ END);
END
$$;

CREATE FUNCTION modseq.check(store regclass) RETURNS TABLE (mailbox text, uid bigint, problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off SET jit = off AS $$
DECLARE
	s modseq.stores;
	unreadable boolean := false;
BEGIN
	-- Without the trigger that makes it a store, others of ours on the table tell that it was one
	IF NOT EXISTS (SELECT FROM modseq.stores WHERE message = store)
		AND EXISTS (SELECT FROM modseq._our_triggers() WHERE tgrelid = store)
	THEN
		problem := format('trigger "zz_modseq_assign" on table %s is missing', modseq._table(store));
		RETURN NEXT;
		RETURN;
	END IF;

	s := modseq._store(store);
	FOR problem IN SELECT modseq._check_schema(s) LOOP
		unreadable := unreadable OR problem ~ '^(table|column)';
		RETURN NEXT;
	END LOOP;
	IF NOT unreadable THEN
		RETURN QUERY SELECT * FROM modseq._check_rows(s);
	END IF;
END
$$;

/* --- upkeep -------------------------------------------------------------- */

-- One row may stand for all of a mailbox up to its mod-sequence H: whoever has seen H still gets what went
-- after it, and whoever has not gets all UIDs that ever went up to H, which RFC 7162 section 3.2.6 asks for.
--
-- Locks: SHARE UPDATE EXCLUSIVE on the vanished table, so that there is one compact() at a time, then the rows
-- that go, by mailbox and mod-sequence, so that a mailbox whose key changes meanwhile keeps all or none of them.
-- Writers add rows above H and readers have their snapshots; neither waits.
CREATE FUNCTION modseq.compact(store regclass, older_than interval) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET row_security = off SET jit = off AS $$
DECLARE
	s CONSTANT modseq.stores := modseq._store(store);
	folded bigint;
BEGIN
	IF older_than IS NULL THEN
		RAISE 'older_than must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Pass ''0'' to fold all that has vanished.';
	ELSIF older_than < '0' THEN
		RAISE 'older_than must not be negative' USING
			ERRCODE = 'invalid_parameter_value',
			HINT = 'Pass ''0'' to fold all that has vanished.';
	END IF;
	EXECUTE modseq._query(s, 'LOCK TABLE {vanished} IN SHARE UPDATE EXCLUSIVE MODE');
	EXECUTE modseq._query(s, '
		WITH horizon AS (
			SELECT {v.key}, max(v.modseq) AS modseq
			FROM {vanished} v
			WHERE v.vanished_at <= clock_timestamp() - $1
			GROUP BY {v.key}),
		old AS MATERIALIZED (
			SELECT v.*
			FROM {vanished} v JOIN horizon ON {v=horizon} AND v.modseq <= horizon.modseq
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
			WHERE {v=fold} AND v.modseq = fold.modseq),
		gone AS (
			DELETE FROM {vanished} v
			USING fold
			WHERE {v=fold} AND v.modseq < fold.modseq
			RETURNING v.modseq)
		SELECT count(*) FROM gone') INTO folded USING older_than;
	RETURN folded;
END
$$;


CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	max_uidvalidity CONSTANT bigint := 4294967295;
	s CONSTANT modseq.stores := modseq._store(store);
	new_uidvalidity bigint;
BEGIN
	IF mailbox IS NULL OR array_position(mailbox, NULL) IS NOT NULL THEN
		RAISE 'mailbox must not be null' USING
			ERRCODE = 'null_value_not_allowed',
			HINT = 'Give the value of the mailbox key, or an array of them for a key of several columns.';
	END IF;
	IF cardinality(mailbox) <> cardinality(s.mailbox_key) THEN
		RAISE 'a mailbox of store % has % key values, not %',
			modseq._table(store), cardinality(s.mailbox_key), cardinality(mailbox) USING
			ERRCODE = 'invalid_parameter_value',
			HINT = format('Give a value for each of: %s.', array_to_string(s.mailbox_key, ', '));
	END IF;

	EXECUTE modseq._query(s, '
		UPDATE {mailbox} b SET {uidvalidity} = greatest(modseq.next_uidvalidity(), b.{uidvalidity}::bigint + 1)
		FROM (SELECT {$1}) AS given
		WHERE {b=given}
		RETURNING b.{uidvalidity}') INTO new_uidvalidity USING mailbox;
	IF new_uidvalidity IS NULL THEN
		RAISE 'mailbox "%" of store % does not exist', array_to_string(mailbox, ', '), modseq._table(store) USING
			ERRCODE = 'undefined_object',
			HINT = format('Mailboxes are the rows of table %s.', modseq._table(s.mailbox));
	END IF;
	IF new_uidvalidity > max_uidvalidity THEN
		RAISE 'UIDVALIDITY of mailbox "%" cannot rise any more', array_to_string(mailbox, ', ') USING
			ERRCODE = 'numeric_value_out_of_range',
			DETAIL = format('The highest UIDVALIDITY is %s.', max_uidvalidity),
			HINT = 'Move the messages to a new mailbox.';
	END IF;
	RETURN new_uidvalidity;
END
$$;

-- Of a key of several columns, a literal or a parameter without a type, meant for a text[]
CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox text) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT modseq.reset_uidvalidity(store,
		CASE WHEN mailbox ~ '^{' AND cardinality((modseq._store(store)).mailbox_key) > 1 THEN mailbox::text[]
			 ELSE ARRAY[mailbox] END)
$$;

CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox bigint) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT modseq.reset_uidvalidity(store, ARRAY[mailbox::text])
$$;

CREATE FUNCTION modseq.reset_uidvalidity(store regclass, mailbox uuid) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	SELECT modseq.reset_uidvalidity(store, ARRAY[mailbox::text])
$$;

/* --- comments ------------------------------------------------------------ */

COMMENT ON FUNCTION modseq.attach IS
'Makes a store of a message table, a mailbox table and, if given, a flag table: adds the columns, indexes, triggers and the table of vanished UIDs that are missing, assigns UIDs (1 to 4294967295) to messages that have null or 0, and raises UIDNEXT and HIGHESTMODSEQ (from 1) over all that is there. The options name columns; those left out are found by primary key, foreign key and usual name. message_expunged: a message is expunged where this column is not null, not false and not 0. mailbox_source: the table whose rows, added, renamed or removed, are rows of the mailbox table too, which has the counters beside it; its key is mailbox_source_key. notify: send a notification on channel modseq at commit, one for each mailbox whose HIGHESTMODSEQ was raised (not from prepared transactions). Of a store that is attached already it repairs what is missing; options that are not given keep their values. Locks the tables against writers until the transaction ends (SHARE ROW EXCLUSIVE; ACCESS EXCLUSIVE where a column, default or trigger must change), waiting for transactions that have written to them: set lock_timeout, and repeat it after 40P01. For the owner of the tables. Errors, and nothing is changed: 22004 and 22023 for options that contradict each other, 42809 and 0A000 for tables and columns that cannot be served, 42701, 42703, 42804, 42883 and 42P21 for columns that do not exist or do not fit, 42830 and 54011 for a mailbox key that is none, 42P16 for a unique index in the way, 42P07 for a foreign table <message>_vanished, 55006 for a table of another store, 22003, 23502, 23503 and 23505 for messages that have no valid mailbox or UID, 42501 without ownership, 25000 in another isolation level than READ COMMITTED.';

COMMENT ON FUNCTION modseq.detach(regclass) IS
'Ends a store: removes the triggers that attach() created, keeps the columns, the indexes and the table of vanished UIDs. What is deleted while a store is detached is reported as vanished after the next attach(); flags that change meanwhile are not noticed: call reset_uidvalidity() for mailboxes where they did. Takes ACCESS EXCLUSIVE locks on the tables until the transaction ends. Errors: 55000 if the table is not attached, 42501 for others than the owner of the tables.';

COMMENT ON FUNCTION modseq.compact(regclass, interval) IS
'Folds the vanished rows of each mailbox that are older than the interval (by the clock, when they vanished) into one, and returns how many rows it removed. No UID is forgotten: a client that has seen the mod-sequence of that row, or a later one, still gets an exact answer; one that has not gets every UID that vanished up to it, as RFC 7162 section 3.2.6 asks. What is left is at most a range for each live message and one more. Writers and readers go on; two calls for one store wait for each other (SHARE UPDATE EXCLUSIVE on the vanished table). For the owner of the store. Errors: 22004, 22023 for a negative interval, 55000 if the table is not attached, 42501, 40001 in REPEATABLE READ or SERIALIZABLE.';

COMMENT ON FUNCTION modseq.check(regclass) IS
'One row for each broken invariant of a store, none when it is sound: the mailbox key as text (an array for a key of several columns), the UID, and the problem, which begins with what it is about: table, column, index, trigger, mailbox, uidvalidity, uidnext, uid, duplicate, modseq, created_modseq or vanished. Reads the whole store, all rows in one snapshot; takes no lock. Needs SELECT on its tables. Errors: 55000 if the table is not attached, 42501 without the right to read all rows.';

DO $comments$
DECLARE
	mailbox text;
BEGIN
	FOREACH mailbox IN ARRAY ARRAY['bigint', 'uuid', 'text', 'text[]'] LOOP
		EXECUTE format('COMMENT ON FUNCTION modseq.reset_uidvalidity(regclass, %s) IS %L', mailbox,
			'Gives a mailbox a new UIDVALIDITY and returns it: higher than the old one and than any that next_uidvalidity() returned, at most 4294967295 (RFC 9051 section 2.3.1.1). Clients then forget all that they know of the mailbox, and so are its vanished UIDs forgotten; UIDNEXT and HIGHESTMODSEQ do not fall. The mailbox is given by its key; a text[] has an element for each key column. With the caller''s rights on the mailbox table. Takes the row lock of the mailbox until the transaction ends. Errors: 42704 for an unknown mailbox, 22004 for a null, 22023 for a wrong number of key columns, 22P02 for what is no value of the key''s type, 22003 when there is no higher UIDVALIDITY, 55000 if the store is not attached.');
	END LOOP;
END
$comments$;

/* --- partitions that come or go ------------------------------------------ */

CREATE EVENT TRIGGER modseq_before ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'DROP TABLE')
	EXECUTE FUNCTION modseq.event_before();
COMMENT ON EVENT TRIGGER modseq_before IS
'Before a partition of a store is detached or dropped. Without it, check() reports nothing until modseq.attach() is called again, which notices the messages that are gone.';

CREATE EVENT TRIGGER modseq_after ON ddl_command_end
	WHEN TAG IN ('CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA', 'ALTER TABLE')
	EXECUTE FUNCTION modseq.event_after();
COMMENT ON EVENT TRIGGER modseq_after IS
'After a partition of a store was created, attached or detached. Without it, a partition lacks triggers, which check() reports and modseq.attach() creates.';
