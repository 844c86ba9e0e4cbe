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
