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
