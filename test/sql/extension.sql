--
-- What the extension consists of: what is in its schemas, for whom, and that all of it has a comment
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS modseq;
RESET client_min_messages;
\pset format unaligned

-- What \df modseq.* shows
SELECT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments
FROM pg_proc p
WHERE p.pronamespace = 'modseq'::regnamespace
ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C";

-- What \do modseq.*, \dT modseq.*, \dv modseq.* and \ds modseq.* show
SELECT o.oid::regoperator AS operator
FROM pg_operator o
WHERE o.oprnamespace = 'modseq'::regnamespace
ORDER BY o.oprname COLLATE "C", o.oid::regoperator::text COLLATE "C";
SELECT t.typname AS type, t.typtype
FROM pg_type t
WHERE t.typnamespace = 'modseq'::regnamespace AND t.typrelid = 0 AND t.typcategory <> 'A'
ORDER BY t.typname COLLATE "C";
SELECT c.relname AS relation, c.relkind
FROM pg_class c
WHERE c.relnamespace = 'modseq'::regnamespace
ORDER BY c.relname COLLATE "C";

-- The members of the extension, by schema. Anybody may use the schemas, and only their owner may create in them.
CREATE VIEW member AS
	SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS name
	FROM pg_depend d
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'modseq');
SELECT coalesce(i.schema, '(none)') AS schema, string_agg(DISTINCT i.type, ', ' ORDER BY i.type) AS members
FROM member m CROSS JOIN LATERAL pg_identify_object(m.classid, m.objid, 0) AS i
GROUP BY i.schema
ORDER BY i.schema COLLATE "C" NULLS LAST;
SELECT n.nspname AS schema, a.privilege_type
FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
WHERE n.nspname IN ('modseq', 'modseq_internal') AND a.grantee <> n.nspowner
ORDER BY 1, 2;

-- Nothing is in the schemas that is not the extension's
SELECT p.oid::regprocedure::text AS stray
FROM pg_proc p
WHERE p.pronamespace::regnamespace::text IN ('modseq', 'modseq_internal')
	AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
UNION ALL
SELECT c.oid::regclass::text
FROM pg_class c
WHERE c.relnamespace::regnamespace::text IN ('modseq', 'modseq_internal') AND c.relkind NOT IN ('c', 'i')
	AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid);

-- None of it is without a comment. Types of arrays and of rows are made along with others.
SELECT m.name AS uncommented
FROM member m
WHERE obj_description(m.objid, m.classid::regclass::name) IS NULL
	AND NOT EXISTS (
		SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
		WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid AND (t.typcategory = 'A' OR c.relkind <> 'c'))
ORDER BY m.name COLLATE "C";

-- Every function that is not in C finds what it names, whatever its caller's search_path. A procedure that ends
-- transactions can have no settings: it names all in full.
SELECT p.oid::regprocedure AS unsafe
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace::regnamespace::text IN ('modseq', 'modseq_internal') AND l.lanname IN ('sql', 'plpgsql')
	AND p.prosqlbody IS NULL
	AND p.oid <> 'modseq.compact_all'::regproc
	AND NOT coalesce('search_path=pg_catalog, modseq_internal, pg_temp' = ANY (p.proconfig), false);
DROP VIEW member;

-- Its script is not for psql
\getenv builddir PG_ABS_BUILDDIR
SELECT extversion AS version FROM pg_extension WHERE extname = 'modseq' \gset
\set file :builddir '/sql/modseq--' :version '.sql'
\set ECHO none
\i :file
\set ECHO all

-- It goes as a whole, and comes back
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION modseq CASCADE;
SELECT to_regnamespace('modseq_internal') IS NULL AS gone;
CREATE EXTENSION modseq;
SELECT modseq.uidset_agg(u) FROM generate_series(1, 3) AS u;
ROLLBACK;
SELECT modseq.uidset_agg(u) FROM generate_series(1, 3) AS u;
