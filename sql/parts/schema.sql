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
