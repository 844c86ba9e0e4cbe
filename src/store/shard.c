/*-------------------------------------------------------------------------
 *
 * shard.c
 *	  Shards of Citus: which of the tables here belong together.
 *
 * Citus makes tables of a distributed one, on several servers, and copies its
 * triggers with their arguments.  So these name the tables that the
 * application knows, which hold nothing where shards are.  A shard's sisters
 * are meant: the shards of the tables named that have the same range of the
 * distribution column, in one colocation group.  They are always on one
 * server, and move together.  What a statement has to do is so done among
 * them, by plain SQL, as in a database without Citus.
 *
 * A shard is known by its name, which ends in its id, and by the catalogs of
 * Citus, which are the same on all its servers.  They are read by the names of
 * their columns, so that it need not be there when we are built.  Where it is
 * not installed, that is a look at a name and at a cache.
 *
 * Locks: AccessShareLock on those catalogs while they are read.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(modseq_shard_name);
PG_FUNCTION_INFO_V1(modseq_shard_name_beside);
PG_FUNCTION_INFO_V1(modseq_is_shard);
PG_FUNCTION_INFO_V1(modseq_distribution_column);

/* Between the name of a table and the id of its shard */
#define SHARD_SEPARATOR		'_'

/* A catalog of Citus; the first column is the one that is looked for */
#define DIST_COLUMNS		4	/* that we read at most */

typedef struct DistCatalog
{
	const char *name;
	const char *index;			/* on the first column; need not be there */
	struct
	{
		const char *name;
		Oid			type;
	}			column[DIST_COLUMNS];
} DistCatalog;

static const DistCatalog shard_by_id = {
	"pg_dist_shard", "pg_dist_shard_shardid_index",
	{{"shardid", INT8OID}, {"logicalrelid", REGCLASSOID},
	{"shardminvalue", TEXTOID}, {"shardmaxvalue", TEXTOID}}
};

static const DistCatalog shards_by_table = {
	"pg_dist_shard", "pg_dist_shard_logical_relid_index",
	{{"logicalrelid", REGCLASSOID}, {"shardid", INT8OID},
	{"shardminvalue", TEXTOID}, {"shardmaxvalue", TEXTOID}}
};

static const DistCatalog partition_by_table = {
	"pg_dist_partition", "pg_dist_partition_logical_relid_index",
	{{"logicalrelid", REGCLASSOID}, {"partmethod", CHAROID},
	{"colocationid", INT4OID}, {"partkey", TEXTOID}}
};

static const DistCatalog placements_by_shard = {
	"pg_dist_placement", "pg_dist_placement_shardid_index",
	{{"shardid", INT8OID}, {"groupid", INT4OID}}
};

static const DistCatalog local_group = {
	"pg_dist_local_group", "pg_dist_local_groupid",
	{{"groupid", INT4OID}}
};

typedef struct DistRow
{
	Datum		value[DIST_COLUMNS];	/* a text is a string here */
	bool		isnull[DIST_COLUMNS];
} DistRow;

/* --- the catalogs of Citus --------------------------------------------- */

static DistRow *
copy_row(const DistCatalog *catalog, const AttrNumber *attnums,
		 HeapTuple tuple, TupleDesc desc)
{
	DistRow    *row = palloc0(sizeof(DistRow));

	for (int i = 0; i < DIST_COLUMNS && catalog->column[i].name != NULL; i++)
	{
		row->value[i] = heap_getattr(tuple, attnums[i], desc, &row->isnull[i]);
		if (!row->isnull[i] && catalog->column[i].type == TEXTOID)
			row->value[i] = CStringGetDatum(TextDatumGetCString(row->value[i]));
	}
	return row;
}

/*
 * The rows with that value; none if there is no such catalog, or it is not as
 * we know it
 */
static List *
read_rows(const DistCatalog *catalog, Datum value)
{
	Oid			relid = get_relname_relid(catalog->name, PG_CATALOG_NAMESPACE);
	Oid			index;
	AttrNumber	attnums[DIST_COLUMNS];
	List	   *rows = NIL;
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(relid))
		return NIL;
	for (int i = 0; i < DIST_COLUMNS && catalog->column[i].name != NULL; i++)
	{
		attnums[i] = get_attnum(relid, catalog->column[i].name);
		if (attnums[i] == InvalidAttrNumber ||
			get_atttype(relid, attnums[i]) != catalog->column[i].type)
			return NIL;
	}
	index = get_relname_relid(catalog->index, PG_CATALOG_NAMESPACE);
	rel = table_open(relid, AccessShareLock);
	ScanKeyInit(&key, attnums[0], BTEqualStrategyNumber,
				catalog->column[0].type == INT8OID ? F_INT8EQ :
				catalog->column[0].type == INT4OID ? F_INT4EQ : F_OIDEQ, value);
	scan = systable_beginscan(rel, index, OidIsValid(index), NULL, 1, &key);
	while ((tuple = systable_getnext(scan)) != NULL)
		rows = lappend(rows, copy_row(catalog, attnums, tuple,
									  RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return rows;
}

/* table_distribution: has Citus the rows of a table elsewhere, and how? */
bool
table_distribution(Oid relid, Distribution *distribution)
{
	List	   *rows = read_rows(&partition_by_table, ObjectIdGetDatum(relid));
	DistRow    *row;
	Var		   *column;

	memset(distribution, 0, sizeof(Distribution));
	if (rows == NIL)
		return false;
	row = linitial(rows);
	distribution->method = DatumGetChar(row->value[1]);
	if (!row->isnull[2])
		distribution->colocation = DatumGetInt32(row->value[2]);
	if (!row->isnull[3])
	{
		column = stringToNode(DatumGetCString(row->value[3]));
		if (IsA(column, Var))
			distribution->column = column->varattno;
	}
	return true;
}

/* --- names ------------------------------------------------------------- */

/*
 * name_of_shard: how Citus calls a shard of a table of that name
 *
 * Of a name that has no room for the id it has the beginning, and a hash of the
 * whole.
 */
char *
name_of_shard(const char *name, int64 shard)
{
	char	   *id = psprintf("%c" INT64_FORMAT, SHARD_SEPARATOR, shard);
	int			len = strlen(name);
	int			room = NAMEDATALEN - strlen(id);

	if (len < room)
		return psprintf("%s%s", name, id);
	return psprintf("%.*s%c%.8x%s",
					pg_mbcliplen(name, len, room - 10), name, SHARD_SEPARATOR,
					hash_bytes((const unsigned char *) name, len), id);
}

/* shard_qualified_name: that of a shard of a table, qualified, ready for SQL */
char *
shard_qualified_name(Oid relid, int64 shard)
{
	const char *schema = get_namespace_name(get_rel_namespace(relid));
	const char *name = name_of_shard(get_rel_name(relid), shard);

	return quote_qualified_identifier(schema, name);
}

/* modseq_internal.shard_name(name text, shard bigint) -> text: as above */
Datum
modseq_shard_name(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(name_of_shard(name, PG_GETARG_INT64(1))));
}

/* The id that a name ends in, if it is one of a shard; else 0 */
static int64
id_in_name(const char *name)
{
	const char *digit = strrchr(name, SHARD_SEPARATOR);
	int64		id = 0;

	if (digit == NULL || digit[1] == '\0')
		return 0;
	while (*++digit != '\0')
	{
		if (*digit < '0' || *digit > '9' || id > (PG_INT64_MAX - 9) / 10)
			return 0;
		id = id * 10 + (*digit - '0');
	}
	return id;
}

/* --- shards ------------------------------------------------------------ */

/*
 * What pg_dist_shard says of a table, if it is a shard; else NULL.  One that
 * only has such a name is none: the whole must be in the same schema, and be
 * called so.
 */
static const DistRow *
shard_row(Oid relid)
{
	char	   *name = get_rel_name(relid);
	int64		id = name != NULL ? id_in_name(name) : 0;
	List	   *rows;
	const DistRow *row;
	Oid			whole;
	char	   *whole_name;

	if (id == 0)
		return NULL;
	rows = read_rows(&shard_by_id, Int64GetDatum(id));
	if (rows == NIL)
		return NULL;
	row = linitial(rows);
	whole = DatumGetObjectId(row->value[1]);
	whole_name = get_rel_name(whole);
	if (whole_name == NULL ||
		strcmp(name_of_shard(whole_name, id), name) != 0 ||
		get_rel_namespace(whole) != get_rel_namespace(relid))
		return NULL;
	return row;
}

/* shard_whole: the table that a shard is one of; of what is none, itself */
Oid
shard_whole(Oid relid)
{
	const DistRow *row = shard_row(relid);

	return row != NULL ? DatumGetObjectId(row->value[1]) : relid;
}

static bool
same_text(const DistRow *a, const DistRow *b, int column)
{
	if (a->isnull[column] || b->isnull[column])
		return a->isnull[column] && b->isnull[column];
	return strcmp(DatumGetCString(a->value[column]),
				  DatumGetCString(b->value[column])) == 0;
}

/*
 * The name of the sister, among the shards of a table, of the one that a row is
 * about; NULL if there is none
 */
static char *
sister_name(const DistRow *shard, Oid table)
{
	Distribution own;
	Distribution others;
	ListCell   *lc;

	if (!table_distribution(DatumGetObjectId(shard->value[1]), &own) ||
		!table_distribution(table, &others) ||
		own.method != others.method || own.colocation != others.colocation)
		return NULL;
	foreach(lc, read_rows(&shards_by_table, ObjectIdGetDatum(table)))
	{
		const DistRow *row = lfirst(lc);

		if (same_text(row, shard, 2) && same_text(row, shard, 3))
			return shard_qualified_name(table, DatumGetInt64(row->value[1]));
	}
	return NULL;
}

/*
 * name_beside: the name of the table that a name means which a trigger of that
 * one gives
 *
 * It is the same, but for a shard: then its sister's.  NULL if it has none.
 * attach() gives a shard the names of its sisters.
 */
const char *
name_beside(Oid relid, const char *name)
{
	const DistRow *row = shard_row(relid);
	Oid			table;

	if (row == NULL)
		return name;
	table = table_named(name);
	if (OidIsValid(table) && shard_row(table) != NULL)
		return name;
	return OidIsValid(table) ? sister_name(row, table) : NULL;
}

/* table_beside: that table, or InvalidOid */
Oid
table_beside(Oid relid, const char *name)
{
	name = name_beside(relid, name);
	return name != NULL ? table_named(name) : InvalidOid;
}

/*
 * relation_known_as: the qualified name that an application knows a table by,
 * and that triggers give it: for a shard that of the whole
 */
char *
relation_known_as(Oid relid)
{
	return relation_name(shard_whole(relid));
}

/*
 * shard_for_hash: the id of the shard of a table that has what hashes so, or 0
 *
 * Of a table that has one shard, and no distribution column, that.
 */
int64
shard_for_hash(Oid relid, int32 hash)
{
	ListCell   *lc;

	foreach(lc, read_rows(&shards_by_table, ObjectIdGetDatum(relid)))
	{
		const DistRow *row = lfirst(lc);

		if (row->isnull[2] || row->isnull[3] ||
			(pg_strtoint32(DatumGetCString(row->value[2])) <= hash &&
			 hash <= pg_strtoint32(DatumGetCString(row->value[3]))))
			return DatumGetInt64(row->value[1]);
	}
	return 0;
}

/*
 * shard_here: a shard of a table, if it is at this server; else InvalidOid
 *
 * What a shard has left behind when it moved is none.
 */
Oid
shard_here(Oid relid, int64 shard)
{
	ListCell   *lc;

	foreach(lc, read_rows(&placements_by_shard, Int64GetDatum(shard)))
	{
		const DistRow *row = lfirst(lc);

		if (read_rows(&local_group, row->value[1]) != NIL)
			return get_relname_relid(name_of_shard(get_rel_name(relid), shard),
									 get_rel_namespace(relid));
	}
	return InvalidOid;
}

/*
 * session_of_citus: is this session one by which Citus runs something at this
 * server, for one of another server or of this one?
 */
bool
session_of_citus(void)
{
	return application_name != NULL &&
		strncmp(application_name, "citus_internal", 14) == 0 &&
		OidIsValid(get_relname_relid(partition_by_table.name,
									 PG_CATALOG_NAMESPACE));
}

/*
 * citus_arranges: does Citus, in this session, make or take away that table at
 * this server, as where a shard moves?
 *
 * It is no shard that is here then, but a copy of one, or the whole, which has
 * no rows.  So none come or leave with it.
 */
bool
citus_arranges(Oid relid)
{
	const DistRow *row;

	if (!session_of_citus())
		return false;
	row = shard_row(relid);
	return row == NULL || shard_here(DatumGetObjectId(row->value[1]),
									 DatumGetInt64(row->value[0])) != relid;
}

/* --- for SQL ----------------------------------------------------------- */

/*
 * modseq_internal.shard_name(shard bigint, beside regclass) -> text
 *
 * The qualified name of the shard of a table that is the sister of that shard,
 * on whatever server it is; NULL if there is none.
 */
Datum
modseq_shard_name_beside(PG_FUNCTION_ARGS)
{
	List	   *rows = read_rows(&shard_by_id, PG_GETARG_DATUM(0));
	char	   *name = rows != NIL && get_rel_name(PG_GETARG_OID(1)) != NULL ?
		sister_name(linitial(rows), PG_GETARG_OID(1)) : NULL;

	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * Was it a shard?  One that was split stays until Citus drops it, and no
 * catalog here knows it.  Its name says whose it was, unless that is cut short.
 */
static bool
was_shard(Oid relid)
{
	char	   *name = get_rel_name(relid);
	Distribution distribution;
	Oid			whole;

	if (name == NULL || id_in_name(name) == 0 ||
		table_distribution(relid, &distribution))
		return false;
	*strrchr(name, SHARD_SEPARATOR) = '\0';
	whole = get_relname_relid(name, get_rel_namespace(relid));
	return OidIsValid(whole) && table_distribution(whole, &distribution);
}

/*
 * modseq_internal.is_shard(oid) -> boolean: is that table one, or was it until
 * Citus split it?
 */
Datum
modseq_is_shard(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);

	PG_RETURN_BOOL(shard_row(relid) != NULL || was_shard(relid));
}

/*
 * modseq_internal.distribution_column(regclass) -> name
 *
 * The column by which Citus distributes a table; NULL if there is none.
 */
Datum
modseq_distribution_column(PG_FUNCTION_ARGS)
{
	Distribution distribution;
	char	   *name;

	if (!table_distribution(PG_GETARG_OID(0), &distribution) ||
		distribution.column == InvalidAttrNumber)
		PG_RETURN_NULL();
	name = get_attname(PG_GETARG_OID(0), distribution.column, true);
	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(DirectFunctionCall1(namein, CStringGetDatum(name)));
}
