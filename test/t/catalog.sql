-- What the catalogs have of the extension: a row for each object and aspect, in a form that does not depend on OIDs, so
-- that two databases can be compared
WITH member AS MATERIALIZED (
	SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object
	FROM pg_depend d
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'modseq')
),
relation AS MATERIALIZED (
	SELECT m.object, c.*
	FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
	UNION ALL
	SELECT m.object, c.*
	FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
		JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
),
aspect (object, aspect, value) AS (
	SELECT object, 'is there', pg_identify_object(classid, objid, 0)::text FROM member
	UNION ALL
	SELECT object, 'comment', obj_description(objid, classid::regclass::name) FROM member
	UNION ALL
	-- Of what kinds there are: what is of another has to be looked at below, too
	SELECT object, 'of a kind that nobody looks at', classid::regclass::text
	FROM member
	WHERE classid::regclass::text NOT IN ('pg_class', 'pg_type', 'pg_proc', 'pg_operator', 'pg_opclass', 'pg_opfamily',
		'pg_cast', 'pg_event_trigger', 'pg_namespace')
	UNION ALL
	SELECT pg_describe_object(d.classid, d.objid, d.objsubid), 'depends on',
		d.deptype::text || ' ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
	FROM pg_depend d
	WHERE EXISTS (SELECT FROM member m WHERE m.classid = d.classid AND m.objid = d.objid)
		OR EXISTS (SELECT FROM member m WHERE m.classid = d.refclassid AND m.objid = d.refobjid)
	UNION ALL
	SELECT object, 'privileges at first', p.privtype::text || ' ' || p.objsubid || ' ' || p.initprivs::text
	FROM member m JOIN pg_init_privs p ON p.classoid = m.classid AND p.objoid = m.objid
	UNION ALL
	SELECT 'the extension', 'dumped', c.t::regclass || ' ' || e.extcondition[c.n]
	FROM pg_extension e, unnest(e.extconfig) WITH ORDINALITY AS c (t, n)
	WHERE e.extname = 'modseq'
	UNION ALL
	SELECT 'the extension', 'itself', format('%s %s %s %s', extversion, extnamespace::regnamespace, extowner::regrole, extrelocatable)
	FROM pg_extension
	WHERE extname = 'modseq'

	-- Schemas
	UNION ALL
	SELECT object, 'schema', format('%s %s', n.nspowner::regrole, n.nspacl)
	FROM member JOIN pg_namespace n ON classid = 'pg_namespace'::regclass AND n.oid = objid

	-- Functions
	UNION ALL
	SELECT object, 'function', CASE WHEN p.prokind = 'f' THEN pg_get_functiondef(p.oid) END || format(' %s %s',
		p.proowner::regrole, p.proacl)
	FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
	UNION ALL
	SELECT object, 'aggregate', (to_jsonb(a) - 'aggsortop' - 'aggtranstype' - 'aggmtranstype' || to_jsonb(p)
			- ARRAY['oid', 'pronamespace', 'proowner', 'prorettype', 'proargtypes'])::text
		|| format(' %s %s %s %s', a.aggsortop::regoperator, a.aggtranstype::regtype, a.aggmtranstype::regtype,
			pg_get_function_result(p.oid))
	FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
		JOIN pg_aggregate a ON a.aggfnoid = p.oid

	-- Types
	UNION ALL
	SELECT object, 'type', (to_jsonb(t) - ARRAY['oid', 'typnamespace', 'typowner', 'typrelid', 'typelem', 'typarray',
			'typbasetype', 'typdefaultbin'])::text
		|| format(' %s %s %s %s', t.typowner::regrole, t.typelem::regtype, t.typarray::regtype, t.typbasetype::regtype)
	FROM member JOIN pg_type t ON classid = 'pg_type'::regclass AND t.oid = objid
	UNION ALL
	SELECT object, 'constraint of the type', format('%s %s %s %s', c.conname, c.convalidated, pg_get_constraintdef(c.oid),
		obj_description(c.oid, 'pg_constraint'))
	FROM member JOIN pg_constraint c ON classid = 'pg_type'::regclass AND c.contypid = objid

	-- Operators, their classes and families, and casts
	UNION ALL
	SELECT object, 'operator', format('%s %s %s %s %s %s %s %s %s %s', o.oprowner::regrole, o.oprkind, o.oprcanmerge,
		o.oprcanhash, o.oprresult::regtype, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprcode, o.oprrest, o.oprjoin)
	FROM member JOIN pg_operator o ON classid = 'pg_operator'::regclass AND o.oid = objid
	UNION ALL
	SELECT object, 'operator class', format('%s %s %s %s', o.opcowner::regrole, o.opcdefault, o.opcintype::regtype,
		o.opckeytype::regtype)
	FROM member JOIN pg_opclass o ON classid = 'pg_opclass'::regclass AND o.oid = objid
	UNION ALL
	SELECT object, 'in the operator family', pg_describe_object('pg_amop'::regclass, a.oid, 0) || a.amoppurpose::text
	FROM member JOIN pg_amop a ON classid = 'pg_opfamily'::regclass AND a.amopfamily = objid
	UNION ALL
	SELECT object, 'in the operator family', pg_describe_object('pg_amproc'::regclass, a.oid, 0)
	FROM member JOIN pg_amproc a ON classid = 'pg_opfamily'::regclass AND a.amprocfamily = objid
	UNION ALL
	SELECT object, 'cast', format('%s %s %s', c.castfunc::regprocedure, c.castcontext, c.castmethod)
	FROM member JOIN pg_cast c ON classid = 'pg_cast'::regclass AND c.oid = objid

	-- Tables, views, sequences, and types of rows
	UNION ALL
	SELECT object, 'relation', format('%s %s %s %s %s %s %s %s %s', c.relkind, c.relpersistence, c.relowner::regrole,
		c.relacl, c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
		(SELECT amname FROM pg_am WHERE oid = c.relam))
	FROM relation c
	UNION ALL
	SELECT object, 'column', (to_jsonb(a) - ARRAY['attrelid', 'atttypid', 'attoptions', 'attmissingval', 'atthasmissing', 'attcacheoff'])::text
		|| format(' %s %s %s', a.atttypid::regtype, pg_get_expr(d.adbin, d.adrelid),
			-- Late minor versions count versions of columns there
			ARRAY(SELECT o FROM unnest(a.attoptions) AS o WHERE o !~ '^pg_attver='))
	FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	UNION ALL
	SELECT object, 'comment on a column', format('%s %s', d.objsubid, d.description)
	FROM relation c JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid > 0
	UNION ALL
	SELECT object, 'constraint', format('%s %s %s', o.conname, o.convalidated, pg_get_constraintdef(o.oid))
	FROM relation c JOIN pg_constraint o ON o.conrelid = c.oid
	UNION ALL
	SELECT object, 'index', pg_get_indexdef(i.indexrelid)
	FROM relation c JOIN pg_index i ON i.indrelid = c.oid
	UNION ALL
	SELECT object, 'trigger', t.tgenabled::text || pg_get_triggerdef(t.oid)
	FROM relation c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
	UNION ALL
	SELECT object, 'rule', pg_get_ruledef(r.oid)
	FROM relation c JOIN pg_rewrite r ON r.ev_class = c.oid
	UNION ALL
	SELECT object, 'policy', format('%s %s %s %s', p.polname, p.polcmd, pg_get_expr(p.polqual, c.oid),
		pg_get_expr(p.polwithcheck, c.oid))
	FROM relation c JOIN pg_policy p ON p.polrelid = c.oid
	UNION ALL
	SELECT object, 'sequence', (to_jsonb(s) - 'seqrelid')::text
	FROM relation c JOIN pg_sequence s ON s.seqrelid = c.oid

	UNION ALL
	SELECT object, 'event trigger', format('%s %s %s %s %s', e.evtevent, e.evtenabled, e.evttags, e.evtfoid::regprocedure,
		e.evtowner::regrole)
	FROM member JOIN pg_event_trigger e ON classid = 'pg_event_trigger'::regclass AND e.oid = objid
)
SELECT object || ', ' || aspect || ': ' || replace(value, E'\n', ' ')
FROM aspect
ORDER BY (object || aspect || value) COLLATE "C"
