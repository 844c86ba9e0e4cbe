/*-------------------------------------------------------------------------
 *
 * flags.c
 * 	  Whether a flag, or another column, changed; and what flags are set.
 *
 * Locks: none.  Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* For qsort_arg(): elements by their type's btree comparison */
typedef struct ElementOrder
{
	FmgrInfo   *cmp;
	Oid			collation;
} ElementOrder;

static int
compare_elements(const void *a, const void *b, void *arg)
{
	ElementOrder *order = arg;

	return DatumGetInt32(FunctionCall2Coll(order->cmp, order->collation,
										   *(const Datum *) a,
										   *(const Datum *) b));
}

static int
compare_jsonb(const void *a, const void *b, void *arg)
{
	return compareJsonbContainers(&DatumGetJsonbP(*(const Datum *) a)->root,
								  &DatumGetJsonbP(*(const Datum *) b)->root);
}

/* Sorts elements and drops duplicates; returns how many there are then */
static int
sort_unique(Datum *elems, int n, qsort_arg_comparator compare, void *arg)
{
	int			unique = 0;

	if (n == 0)
		return 0;
	qsort_arg(elems, n, sizeof(Datum), compare, arg);
	for (int i = 1; i < n; i++)
		if (compare(&elems[unique], &elems[i], arg) != 0)
			elems[++unique] = elems[i];
	return unique + 1;
}

/* The elements of an array that are not NULL */
static int
array_present(const FlagAttribute *flag, Datum value, Datum **elems)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;
	bool	   *nulls;
	int			n;
	int			present = 0;

	get_typlenbyvalalign(flag->element, &typlen, &typbyval, &typalign);
	deconstruct_array(DatumGetArrayTypeP(value), flag->element, typlen,
					  typbyval, typalign, elems, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			(*elems)[present++] = (*elems)[i];
	return present;
}

/* The elements of an array as a set; a NULL array is the empty set */
static int
array_elements(const FlagAttribute *flag, Datum value, bool isnull,
			   ElementOrder *order, Datum **elems)
{
	int			n;

	if (isnull)
		return 0;
	n = array_present(flag, value, elems);
	return sort_unique(*elems, n, compare_elements, order);
}

/* The same for a JSON array.  *is_array is false for any other JSON value. */
static int
jsonb_elements(Datum value, Datum **elems, bool *is_array)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	element;
	int			n = 0;

	*is_array = JB_ROOT_IS_ARRAY(jsonb) && !JB_ROOT_IS_SCALAR(jsonb);
	if (!*is_array)
		return 0;
	*elems = palloc(sizeof(Datum) * Max(JB_ROOT_COUNT(jsonb), 1));
	iterator = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			(*elems)[n++] = JsonbPGetDatum(JsonbValueToJsonb(&element));
	return sort_unique(*elems, n, compare_jsonb, NULL);
}

static bool
same_elements(Datum *a, int na, Datum *b, int nb,
			  qsort_arg_comparator compare, void *arg)
{
	if (na != nb)
		return false;
	for (int i = 0; i < na; i++)
		if (compare(&a[i], &b[i], arg) != 0)
			return false;
	return true;
}

/*
 * Does the value say "no flag is set"?  An absent value says so too, so that
 * NULL -> false or NULL -> '{}' is no change (RFC 7162 section 3.1: clearing
 * a flag that is not set should not change the mod-sequence).
 */
static bool
says_nothing(const FlagAttribute *flag, Datum value, bool isnull)
{
	if (isnull)
		return true;
	switch (flag->type)
	{
		case BOOLOID:
			return !DatumGetBool(value);
		case INT2OID:
			return DatumGetInt16(value) == 0;
		case INT4OID:
			return DatumGetInt32(value) == 0;
		case INT8OID:
			return DatumGetInt64(value) == 0;
		case TEXTOID:
		case VARCHAROID:
			return VARSIZE_ANY_EXHDR(DatumGetTextPP(value)) == 0;
		case JSONBOID:
			{
				Jsonb	   *jsonb = DatumGetJsonbP(value);
				JsonbValue	scalar;

				if (JB_ROOT_IS_SCALAR(jsonb))
					return JsonbExtractScalar(&jsonb->root, &scalar) &&
						scalar.type == jbvNull;
				return JB_ROOT_COUNT(jsonb) == 0;
			}
		default:
			return OidIsValid(flag->element) &&
				ARR_NDIM(DatumGetArrayTypeP(value)) == 0;
	}
}

static bool
flag_differs(const FlagAttribute *flag, Datum old, bool oldnull,
			 Datum new, bool newnull)
{
	Datum	   *olds = NULL;
	Datum	   *news = NULL;
	int			nolds;
	int			nnews;

	if (oldnull && newnull)
		return false;
	if (!oldnull && !newnull &&
		datumIsEqual(old, new, flag->typbyval, flag->typlen))
		return false;
	if (says_nothing(flag, old, oldnull) && says_nothing(flag, new, newnull))
		return false;
	if (OidIsValid(flag->element))
	{
		ElementOrder order = {unconstify(FmgrInfo *, &flag->cmp),
		flag->collation};

		nolds = array_elements(flag, old, oldnull, &order, &olds);
		nnews = array_elements(flag, new, newnull, &order, &news);
		return !same_elements(olds, nolds, news, nnews,
							  compare_elements, &order);
	}
	if (oldnull || newnull)
		return true;
	if (flag->type == JSONBOID)
	{
		bool		old_array;
		bool		new_array;

		nolds = jsonb_elements(old, &olds, &old_array);
		nnews = jsonb_elements(new, &news, &new_array);
		if (old_array && new_array)
			return !same_elements(olds, nolds, news, nnews,
								  compare_jsonb, NULL);
	}
	return !DatumGetBool(FunctionCall2Coll(unconstify(FmgrInfo *, &flag->eq),
										   flag->collation, old, new));
}

/*
 * Did one of the shape's flag columns change?  Arrays and JSON arrays are
 * sets: order and duplicates do not count (RFC 7162 section 3.1 asks for a
 * new mod-sequence when the state of a flag changes, and only then).  Before
 * the row is written, generated columns have no new value yet.
 */
bool
row_flags_differ(const RowShape *shape, HeapTuple old, HeapTuple new,
				 TupleDesc desc, bool before)
{
	for (int i = 0; i < shape->nflags; i++)
	{
		const FlagAttribute *flag = &shape->flags[i];
		bool		oldnull;
		bool		newnull;
		Datum		oldvalue;
		Datum		newvalue;

		if (before && flag->generated)
			continue;
		oldvalue = heap_getattr(old, flag->attnum, desc, &oldnull);
		newvalue = heap_getattr(new, flag->attnum, desc, &newnull);
		if (flag_differs(flag, oldvalue, oldnull, newvalue, newnull))
			return true;
	}
	return false;
}

/* --- flags as bytes ------------------------------------------------------ */

static int
compare_bytes(const void *a, const void *b, void *arg)
{
	StringInfo	left = (StringInfo) DatumGetPointer(*(const Datum *) a);
	StringInfo	right = (StringInfo) DatumGetPointer(*(const Datum *) b);
	int			order = memcmp(left->data, right->data,
							   Min(left->len, right->len));

	return order != 0 ? order : (left->len > right->len) -
		(left->len < right->len);
}

/* Bytes, or a text of the server's encoding in UTF-8, with the length */
static void
append_bytes(StringInfo buf, const char *data, int len)
{
	pq_sendint32(buf, len);
	appendBinaryStringInfo(buf, data, len);
}

static void
append_text(StringInfo buf, const char *text)
{
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);

	append_bytes(buf, utf8, strlen(utf8));
}

/*
 * A value, or an element, by its text.  Where that follows settings of the
 * session, by what the type sends.
 */
static void
append_value(StringInfo buf, const FlagAttribute *flag, Datum value)
{
	if (flag->type == JSONBOID)
	{
		Jsonb	   *jsonb = DatumGetJsonbP(value);

		append_text(buf, JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb)));
	}
	else if (flag->sends)
	{
		bytea	   *sent = SendFunctionCall(unconstify(FmgrInfo *,
													   &flag->out), value);

		append_bytes(buf, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
	}
	else
	{
		char	   *shown = OutputFunctionCall(unconstify(FmgrInfo *,
														  &flag->out), value);

		/* What only fills up does not count for equality either */
		if (flag->type == BPCHAROID || flag->element == BPCHAROID)
			for (int n = strlen(shown); n > 0 && shown[n - 1] == ' '; n--)
				shown[n - 1] = '\0';

		append_text(buf, shown);
	}
}

/*
 * flag_element: the type of the elements, if those of a type are a set of them,
 * and what compares these; without an order they cannot be compared as sets
 */
Oid
flag_element(Oid type, Oid *compare)
{
	Oid			element = get_element_type(type);

	*compare = InvalidOid;
	if (OidIsValid(element))
		*compare = lookup_type_cache(element, TYPECACHE_CMP_PROC)->cmp_proc;
	return OidIsValid(*compare) ? element : InvalidOid;
}

/*
 * flag_describe: what flag_append() needs to know of a column of that type
 */
void
flag_describe(FlagAttribute *flag, Oid type)
{
	Oid			function;
	Oid			base;
	bool		isvarlena;
	char		category;
	bool		preferred;

	memset(flag, 0, sizeof(*flag));
	flag->type = getBaseType(type);
	flag->element = flag_element(flag->type, &function);
	base = getBaseType(OidIsValid(flag->element) ? flag->element : flag->type);
	get_type_category_preferred(base, &category, &preferred);
	flag->sends = category == TYPCATEGORY_DATETIME ||
		category == TYPCATEGORY_TIMESPAN || base == FLOAT4OID ||
		base == FLOAT8OID || base == CASHOID || base == BYTEAOID;
	if (flag->sends)
		getTypeBinaryOutputInfo(base, &function, &isvarlena);
	else
		getTypeOutputInfo(base, &function, &isvarlena);
	fmgr_info(function, &flag->out);
}

/*
 * flag_append: what a column says of flags, as bytes that are the same on all
 * servers; nothing if no flag is set
 *
 * Arrays and JSON arrays are sets, as above: by their elements' bytes.
 */
void
flag_append(StringInfo buf, const FlagAttribute *flag, const char *name,
			Datum value, bool isnull)
{
	Datum	   *elems = &value;
	int			n = 1;
	bool		is_set = OidIsValid(flag->element);

	if (says_nothing(flag, value, isnull))
		return;
	if (is_set)
		n = array_present(flag, value, &elems);
	else if (flag->type == JSONBOID)
	{
		n = jsonb_elements(value, &elems, &is_set);
		if (!is_set)
		{
			elems = &value;
			n = 1;
		}
	}
	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
	{
		StringInfo	element = makeStringInfo();

		append_value(element, flag, elems[i]);
		elems[i] = PointerGetDatum(element);
	}
	n = sort_unique(elems, n, compare_bytes, NULL);
	append_text(buf, name);
	pq_sendbyte(buf, is_set ? '{' : '=');
	pq_sendint32(buf, n);
	for (int i = 0; i < n; i++)
	{
		StringInfo	element = (StringInfo) DatumGetPointer(elems[i]);

		appendBinaryStringInfo(buf, element->data, element->len);
	}
}

/* --- other columns ------------------------------------------------------- */

/*
 * row_column_differs: do two versions of a row have another value in that
 * column, byte by byte?
 */
bool
row_column_differs(HeapTuple old, HeapTuple new, TupleDesc desc,
				   AttrNumber attnum)
{
	Form_pg_attribute column = TupleDescAttr(desc, attnum - 1);
	bool		oldnull;
	bool		newnull;
	Datum		from = heap_getattr(old, attnum, desc, &oldnull);
	Datum		to = heap_getattr(new, attnum, desc, &newnull);

	return oldnull != newnull ||
		(!oldnull &&
		 !datum_image_eq(from, to, column->attbyval, column->attlen));
}

/*
 * Did a property of a mailbox change?  Any other value counts: a client that is
 * told once too often asks once too often.
 */
bool
row_properties_differ(const RowShape *shape, HeapTuple old, HeapTuple new,
					  TupleDesc desc)
{
	for (int i = 0; i < shape->nproperties; i++)
		if (row_column_differs(old, new, desc, shape->properties[i]))
			return true;
	return false;
}
