/*-------------------------------------------------------------------------
 *
 * key.c
 * 	  Reading rows: keys, numbers, and the soft-delete column.
 *
 * Locks: none.  Memory: results are in the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "utils/datum.h"

/* --- mailbox keys ------------------------------------------------------ */

/*
 * Reads n columns of a row into key[], in the types of the mailbox table.
 * False if one of them is NULL.
 */
static bool
read_key(const KeyAttribute *attributes, int n, HeapTuple tuple,
		 TupleDesc desc, Datum *key)
{
	for (int i = 0; i < n; i++)
	{
		KeyAttribute *attribute = unconstify(KeyAttribute *, &attributes[i]);
		bool		isnull;

		key[i] = heap_getattr(tuple, attribute->attnum, desc, &isnull);
		if (isnull)
			return false;
		if (attribute->convert)
			key[i] = FunctionCall1(&attribute->cast, key[i]);
	}
	return true;
}

static int
compare_keys(const KeyColumn *columns, int n, const Datum *a, const Datum *b)
{
	for (int i = 0; i < n; i++)
	{
		KeyColumn  *key = unconstify(KeyColumn *, &columns[i]);
		int			result;

		/* Equal by image is equal; it saves the call in the usual case */
		if (key->typbyval && a[i] == b[i])
			continue;
		result = DatumGetInt32(FunctionCall2Coll(&key->cmp, key->collation,
												 a[i], b[i]));
		if (result != 0)
			return result;
	}
	return 0;
}

static uint32
hash_key(const KeyColumn *columns, int n, const Datum *values)
{
	uint32		hash = 0;

	for (int i = 0; i < n; i++)
	{
		KeyColumn  *key = unconstify(KeyColumn *, &columns[i]);

		hash = hash_combine(hash,
							DatumGetUInt32(FunctionCall1Coll(&key->hash,
															 key->collation,
															 values[i])));
	}
	return hash;
}

static Datum *
copy_key(const KeyColumn *columns, int n, const Datum *values)
{
	Datum	   *copy = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
	{
		/* What a toast pointer points to may be gone when we need it */
		if (columns[i].typlen == -1)
			copy[i] = PointerGetDatum(PG_DETOAST_DATUM_COPY(values[i]));
		else
			copy[i] = datumCopy(values[i], columns[i].typbyval,
								columns[i].typlen);
	}
	return copy;
}

static char *
key_as_text(const KeyColumn *columns, int n, const Datum *values)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
	{
		FmgrInfo   *output = unconstify(FmgrInfo *, &columns[i].output);

		appendStringInfo(&buf, "%s%s", i == 0 ? "(" : ", ",
						 OutputFunctionCall(output, values[i]));
	}
	appendStringInfoString(&buf, n == 0 ? "()" : ")");
	return buf.data;
}

/*
 * Can the text of a key be had without a look into a catalog, and from what is
 * in memory?
 */
static bool
text_is_plain(const KeyColumn *columns, int n, const Datum *values)
{
	for (int i = 0; i < n; i++)
		switch (columns[i].type)
		{
			case INT2OID:
			case INT4OID:
			case INT8OID:
			case UUIDOID:
				break;
			case TEXTOID:
			case VARCHAROID:
			case BPCHAROID:
				if (VARATT_IS_EXTENDED(DatumGetPointer(values[i])) &&
					!VARATT_IS_SHORT(DatumGetPointer(values[i])))
					return false;
				break;
			default:
				return false;
		}
	return true;
}

/*
 * Reads the mailbox key of a row into key[], in the types of the mailbox
 * table.  False if a part of it is NULL: the row is in no mailbox.
 */
bool
row_get_key(const RowShape *shape, HeapTuple tuple, TupleDesc desc, Datum *key)
{
	return read_key(shape->key, shape->store->nkeys, tuple, desc, key);
}

bool
key_equal(const Store *store, const Datum *a, const Datum *b)
{
	for (int i = 0; i < store->nkeys; i++)
	{
		KeyColumn  *key = unconstify(KeyColumn *, &store->key[i]);

		/* Equal by image is equal; it saves the call in the usual case */
		if (a[i] != b[i] &&
			!DatumGetBool(FunctionCall2Coll(&key->eq, key->collation,
											a[i], b[i])))
			return false;
	}
	return true;
}

/* The order in which mailboxes are locked: btree order, column by column */
int
key_compare(const Store *store, const Datum *a, const Datum *b)
{
	return compare_keys(store->key, store->nkeys, a, b);
}

uint32
key_hash(const Store *store, const Datum *values)
{
	return hash_key(store->key, store->nkeys, values);
}

Datum *
key_copy(const Store *store, const Datum *values)
{
	return copy_key(store->key, store->nkeys, values);
}

/* For messages: "(4)", or "(alice, INBOX)" as foreign keys print theirs */
char *
key_text(const Store *store, const Datum *values)
{
	return key_as_text(store->key, store->nkeys, values);
}

bool
key_text_is_plain(const Store *store, const Datum *values)
{
	return text_is_plain(store->key, store->nkeys, values);
}

/* --- accounts ---------------------------------------------------------- */

/*
 * The account of a row of mailboxes or of accounts; its key has no column if
 * there is one for the store.  False if a part of it is NULL.
 */
bool
row_get_account(const RowShape *shape, HeapTuple tuple, TupleDesc desc,
				Datum *account)
{
	return read_key(shape->account, shape->store->naccounts, tuple, desc,
					account);
}

/* The order in which accounts are locked, before all mailboxes */
int
account_compare(const Store *store, const Datum *a, const Datum *b)
{
	return compare_keys(store->account_key, store->naccounts, a, b);
}

uint32
account_hash(const Store *store, const Datum *account)
{
	return hash_key(store->account_key, store->naccounts, account);
}

Datum *
account_copy(const Store *store, const Datum *account)
{
	return copy_key(store->account_key, store->naccounts, account);
}

char *
account_text(const Store *store, const Datum *account)
{
	return key_as_text(store->account_key, store->naccounts, account);
}

bool
account_text_is_plain(const Store *store, const Datum *account)
{
	return text_is_plain(store->account_key, store->naccounts, account);
}

/* --- keys of messages -------------------------------------------------- */

/*
 * Reads the key of the message that a row is, or that a row of the flag table
 * names, into key[].  False if a part of it is NULL, for then it names none; or
 * if there is no such key.
 */
bool
row_get_message_key(const RowShape *shape, HeapTuple tuple, TupleDesc desc,
					Datum *key)
{
	for (int i = 0; i < shape->nmessage_keys; i++)
	{
		bool		isnull;

		key[i] = heap_getattr(tuple, shape->message_key[i], desc, &isnull);
		if (isnull)
			return false;
	}
	return shape->nmessage_keys > 0;
}

/* Do both versions of a row have the same values in that key? */
bool
row_same_message_key(const RowShape *shape, HeapTuple old, HeapTuple new,
					 TupleDesc desc)
{
	for (int i = 0; i < shape->nmessage_keys; i++)
		if (row_column_differs(old, new, desc, shape->message_key[i]))
			return false;
	return true;
}

/* --- integers ---------------------------------------------------------- */

/* The value of an int2, int4 or int8 */
int64
row_int64(Datum datum, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(datum);
		case INT4OID:
			return DatumGetInt32(datum);
		default:
			return DatumGetInt64(datum);
	}
}

/* A column of such a type.  False if it is NULL. */
bool
row_get_int64(HeapTuple tuple, TupleDesc desc, AttrNumber attnum, Oid type,
			  int64 *value)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, attnum, desc, &isnull);

	if (isnull)
		return false;
	*value = row_int64(datum, type);
	return true;
}

/* The Datum of a column of that type, which is known to be wide enough */
Datum
row_make_int64(int64 value, Oid type)
{
	return type == INT4OID ? Int32GetDatum((int32) value) :
		Int64GetDatum(value);
}

/* --- counters ---------------------------------------------------------- */

/* What a counter is, as it is stored; NULL and 0 count as never used */
int64
effective_uidnext(const Store *store, bool isnull, int64 value)
{
	if (isnull)
		value = 0;
	else if (store->has_last_uid)
		value++;
	return Max(value, 1);
}

int64
effective_highestmodseq(bool isnull, int64 value)
{
	return isnull ? MODSEQ_UNUSED : Max(value, MODSEQ_UNUSED);
}

/* The counters in a row of the mailbox table */
void
row_get_counters(const RowShape *shape, HeapTuple tuple, TupleDesc desc,
				 int64 *uidnext, int64 *highestmodseq)
{
	int64		value = 0;
	bool		isnull;

	isnull = !row_get_int64(tuple, desc, shape->uidnext, shape->uidnext_type,
							&value);
	*uidnext = effective_uidnext(shape->store, isnull, value);
	isnull = !row_get_int64(tuple, desc, shape->highestmodseq, INT8OID, &value);
	*highestmodseq = effective_highestmodseq(isnull, value);
}

/* --- soft delete ------------------------------------------------------- */

/*
 * Does the soft-delete column say that the message is expunged?  It does if it
 * is not null, not false and not 0; expand.c says the same in SQL.
 */
bool
row_is_expunged(const RowShape *shape, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value;
	int64		number;

	if (shape->expunged == InvalidAttrNumber)
		return false;
	switch (shape->expunged_type)
	{
		case BOOLOID:
			value = heap_getattr(tuple, shape->expunged, desc, &isnull);
			return !isnull && DatumGetBool(value);
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return row_get_int64(tuple, desc, shape->expunged,
								 shape->expunged_type, &number) && number != 0;
		default:
			return !heap_attisnull(tuple, shape->expunged, desc);
	}
}

/*
 * Where the value of a column stands in a row; NULL if it is null, or not of a
 * type that a Datum holds
 */
static char *
find_value(HeapTuple row, TupleDesc desc, AttrNumber attnum)
{
	HeapTupleHeader header = row->t_data;
	char	   *start = (char *) header + header->t_hoff;
	bool		has_nulls = HeapTupleHasNulls(row);
	uint32		offset = 0;

	if (attnum > HeapTupleHeaderGetNatts(header) ||
		!TupleDescAttr(desc, attnum - 1)->attbyval)
		return NULL;
	for (int i = 0;; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (has_nulls && att_isnull(i, header->t_bits))
		{
			if (i == attnum - 1)
				return NULL;
			continue;
		}
		offset = att_align_pointer(offset, attribute->attalign,
								   attribute->attlen, start + offset);
		if (i == attnum - 1)
			return start + offset;
		offset = att_addlength_pointer(offset, attribute->attlen,
									   start + offset);
	}
}

/*
 * row_replace: a copy of a row, with other values in some columns
 *
 * A number is written over the one that is there.  To take the row apart and
 * put it together again, as PostgreSQL does, is five times as dear.
 */
HeapTuple
row_replace(HeapTuple row, TupleDesc desc, int n, const int *columns,
			const Datum *values, const bool *nulls)
{
	HeapTuple	copy = heap_copytuple(row);

	for (int i = 0; i < n; i++)
	{
		char	   *place = nulls[i] ? NULL :
			find_value(copy, desc, columns[i]);

		if (place == NULL)
		{
			heap_freetuple(copy);
			return heap_modify_tuple_by_cols(row, desc, n,
											 unconstify(int *, columns),
											 unconstify(Datum *, values),
											 unconstify(bool *, nulls));
		}
		store_att_byval(place, values[i],
						TupleDescAttr(desc, columns[i] - 1)->attlen);
	}
	return copy;
}

/* column_names: as a list of strings */
List *
column_names(const Columns *columns)
{
	List	   *names = NIL;

	for (int i = 0; i < columns->n; i++)
		names = lappend(names, unconstify(char *, columns->column[i].name));
	return names;
}

void
column_types(const Columns *columns, Oid *types)
{
	for (int i = 0; i < columns->n; i++)
		types[i] = columns->column[i].type;
}

/* column_is_named: false if the store has no such column */
bool
column_is_named(const Column *column, const char *name)
{
	return column->name != NULL && strcmp(column->name, name) == 0;
}

/* store_has_number: is that a number of ours in a row of the mailbox table? */
bool
store_has_number(const Store *store, const char *name)
{
	for (int i = 0; i < COUNTS; i++)
		if (column_is_named(&store->count[i], name))
			return true;
	return column_is_named(&store->uidvalidity, name) ||
		column_is_named(&store->uidnext, name) ||
		column_is_named(&store->highestmodseq, name) ||
		column_is_named(&store->mailbox_created_modseq, name) ||
		column_is_named(&store->properties_modseq, name);
}

/* key_has_column: is one of the columns of a key called so? */
bool
key_has_column(const Column *key, int n, const char *name)
{
	for (int i = 0; i < Min(n, MODSEQ_MAX_KEYS); i++)
		if (column_is_named(&key[i], name))
			return true;
	return false;
}
