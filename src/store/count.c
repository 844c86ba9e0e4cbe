/*-------------------------------------------------------------------------
 *
 * count.c
 * 	  What a message adds to the counts of its mailbox.
 *
 * A count is a column beside the counters: how many live messages there are,
 * their octets, and how many of them are not seen, or are deleted.  What a row
 * of messages says of that is said here, and in SQL by expand_count.c.
 *
 * Locks: none.  Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/jsonb.h"

/* --- what there is to know of the columns -------------------------------- */

/* A bit, or several, of a number.  Without a name any will do. */
static bool
parse_bits(const char *flag, int64 *bits)
{
	char	   *end;

	*bits = -1;
	if (flag == NULL)
		return true;
	errno = 0;
	*bits = strtoll(flag, &end, 10);
	return errno == 0 && end != flag && *end == '\0' && *bits != 0;
}

/* Does the column say of a message whether it has that flag? */
static bool
build_flag(Store *store, CountedFlag *flag)
{
	store_column(store, TABLE_MESSAGE, &flag->column);
	switch (flag->column.type)
	{
		case BOOLOID:
			flag->inverse = flag->flag != NULL &&
				strcmp(flag->flag, "false") == 0;
			return flag->flag == NULL || flag->inverse ||
				strcmp(flag->flag, "true") == 0;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return parse_bits(flag->flag, &flag->bits);
		case TEXTARRAYOID:
		case VARCHARARRAYOID:
		case JSONBOID:
			return flag->flag != NULL;
		default:
			return false;
	}
}

/* Does the store say where messages have it, if it is to be counted? */
static void
check_counted(const Store *store, CountKind kind, const char *option,
			  const Column *column)
{
	if (store->count[kind].name != NULL && column->name == NULL)
		store_out_of_date(store->message_relid,
						  _("An option is missing beside \"%s\"."), option);
}

/* count_build: what is counted, and where messages say it */
void
count_build(Store *store)
{
	for (int i = 0; i < COUNTS; i++)
	{
		store_number(store, TABLE_MAILBOX, &store->count[i], false);
		if (store->count[i].name != NULL)
			store->has_counts = true;
	}
	check_counted(store, COUNT_SIZE, "mailbox_size", &store->size);
	check_counted(store, COUNT_UNSEEN, "mailbox_unseen", &store->seen.column);
	check_counted(store, COUNT_DELETED, "mailbox_deleted",
				  &store->deleted.column);
	store_column(store, TABLE_MESSAGE, &store->size);
	if (store->size.name != NULL && store->size.type != INT2OID &&
		store->size.type != INT4OID && store->size.type != INT8OID)
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."),
						  store->size.name);
	if (store->seen.column.name != NULL && !build_flag(store, &store->seen))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."),
						  store->seen.column.name);
	if (store->deleted.column.name != NULL &&
		!build_flag(store, &store->deleted))
		store_out_of_date(store->message_relid,
						  _("Column \"%s\" has another type now."),
						  store->deleted.column.name);
}

/* --- rows of messages ---------------------------------------------------- */

/* Is the text among the elements of an array of texts? */
static bool
array_has(Datum value, const char *text)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	size_t		offset = ARR_HASNULL(array) ? (size_t) array->dataoffset :
		ARR_OVERHEAD_NONULLS(ARR_NDIM(array));
	const char *element = (const char *) array + offset;
	const uint8 *nulls = ARR_NULLBITMAP(array);
	size_t		len = strlen(text);

	for (int i = 0; i < n; i++)
	{
		if (nulls != NULL && (nulls[i / 8] & (1 << (i % 8))) == 0)
			continue;
		if (VARSIZE_ANY_EXHDR(element) == len &&
			memcmp(VARDATA_ANY(element), text, len) == 0)
			return true;
		element = att_addlength_pointer(element, -1, element);
		element = (const char *) att_align_nominal(element, TYPALIGN_INT);
	}
	return false;
}

/* Is it an element of a JSON array, or a key in an object, and not false? */
static bool
jsonb_has(Datum value, const char *text)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	JsonbValue	key;
	JsonbValue *found;

	key.type = jbvString;
	key.val.string.val = unconstify(char *, text);
	key.val.string.len = strlen(text);
	found = findJsonbValueFromContainer(&jsonb->root, JB_FOBJECT | JB_FARRAY,
										&key);
	return found != NULL && found->type != jbvNull &&
		(found->type != jbvBool || found->val.boolean);
}

/* Has the message that flag?  NULL says as little as false, 0 or nothing. */
static bool
has_flag(const CountedFlag *flag, AttrNumber attnum, HeapTuple row,
		 TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(row, attnum, desc, &isnull);

	if (flag->column.type == BOOLOID)
		return (!isnull && DatumGetBool(value)) != flag->inverse;
	if (isnull)
		return false;
	switch (flag->column.type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return (row_int64(value, flag->column.type) & flag->bits) != 0;
		case JSONBOID:
			return jsonb_has(value, flag->flag);
		default:
			return array_has(value, flag->flag);
	}
}

/* count_message: what a row of messages adds; one that is expunged, nothing */
void
count_message(const RowShape *shape, HeapTuple row, TupleDesc desc,
			  Counts *counts)
{
	const Store *store = shape->store;

	memset(counts, 0, sizeof(Counts));
	if (row_is_expunged(shape, row, desc))
		return;
	if (store->count[COUNT_MESSAGES].name != NULL)
		counts->n[COUNT_MESSAGES] = 1;
	if (store->count[COUNT_SIZE].name != NULL)
		row_get_int64(row, desc, shape->size, shape->size_type,
					  &counts->n[COUNT_SIZE]);
	if (store->count[COUNT_UNSEEN].name != NULL)
		counts->n[COUNT_UNSEEN] = !has_flag(&store->seen, shape->seen, row,
											desc);
	if (store->count[COUNT_DELETED].name != NULL)
		counts->n[COUNT_DELETED] = has_flag(&store->deleted, shape->deleted,
											row, desc);
}

/* count_may_differ: has one of the columns that this depends on changed? */
bool
count_may_differ(const RowShape *shape, HeapTuple old, HeapTuple new,
				 TupleDesc desc)
{
	const AttrNumber columns[] = {
		shape->expunged, shape->size, shape->seen, shape->deleted
	};

	for (size_t i = 0; i < lengthof(columns); i++)
		if (columns[i] != InvalidAttrNumber &&
			(i == 0 || columns[i] != columns[i - 1]) &&
			row_column_differs(old, new, desc, columns[i]))
			return true;
	return false;
}

/* --- rows of mailboxes --------------------------------------------------- */

/* count_row: the counts in a row of the mailbox table; NULL is 0 */
void
count_row(const RowShape *shape, HeapTuple row, TupleDesc desc, Counts *counts)
{
	memset(counts, 0, sizeof(Counts));
	for (int i = 0; i < COUNTS; i++)
		if (shape->count[i] != InvalidAttrNumber)
			row_get_int64(row, desc, shape->count[i], shape->count_type[i],
						  &counts->n[i]);
}
