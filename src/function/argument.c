/*-------------------------------------------------------------------------
 *
 * argument.c
 *	  What a front end passes to our functions, and whether it may.
 *
 * Locks: none.  Memory: results are in the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* --- arguments --------------------------------------------------------- */

void
argument_not_null(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name),
				 strcmp(name, "uids") == 0 ?
				 errhint("An empty set is ''; for all UIDs give 1:UIDNEXT-1.") :
				 errhint("Only sets of UIDs may be null, and stand for all UIDs then.")));
}

Store *
argument_store(FunctionCallInfo fcinfo)
{
	argument_not_null(fcinfo, 0, "store");
	return store_get(PG_GETARG_OID(0));
}

int64
argument_since(FunctionCallInfo fcinfo, int argno)
{
	argument_not_null(fcinfo, argno, "since");
	return PG_GETARG_INT64(argno);
}

/* An optional set of UIDs: NULL means all */
UidSet *
argument_uids(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? NULL : PG_GETARG_UIDSET_P(argno);
}

/*
 * A value of one of the argument types, as a key column's type
 *
 * If that is a domain, as the type below it: the checks of a domain are its
 * owner's code, and must not run as our caller.  What does not pass them is no
 * mailbox.
 */
static Datum
key_value(const KeyColumn *key, Datum value, Oid type)
{
	Oid			output;
	Oid			input;
	Oid			ioparam;
	bool		isvarlena;

	if (type == key->type && key->typmod < 0)
		return value;
	getTypeOutputInfo(type, &output, &isvarlena);
	getTypeInputInfo(key->type, &input, &ioparam);
	return OidInputFunctionCall(input, OidOutputFunctionCall(output, value),
								ioparam, key->typmod);
}

static void
wrong_key_width(const Store *store, int given)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("mailbox key has %d value(s), but that of table %s has %d column(s)",
					given, store_mailbox_table(store)->name, store->nkeys),
			 store->nkeys <= 1 ? 0 :
			 errhint("Pass a text[] with one element for each key column, or a two-dimensional one for several mailboxes; arrays of other types are lists of mailboxes with one key column.")));
}

/*
 * The elements of an array argument, with the number of values in a key.  A
 * text[] names one mailbox of a composite key, or is a list of such.
 */
static int
array_argument(const Store *store, Datum argument, Oid type, Datum **elems,
			   Oid *element)
{
	ArrayType  *array = DatumGetArrayTypeP(argument);
	int			width = 1;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	bool	   *nulls;
	int			n;

	*element = ARR_ELEMTYPE(array);
	get_typlenbyvalalign(*element, &typlen, &typbyval, &typalign);
	deconstruct_array(array, *element, typlen, typbyval, typalign, elems,
					  &nulls, &n);
	for (int i = 0; i < n; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"mailbox\" must not contain nulls"),
					 errhint("Leave out what is no mailbox.")));
	if (type == TEXTARRAYOID && store->nkeys > 1 && n > 0)
		width = ARR_DIMS(array)[ARR_NDIM(array) - 1];
	if (n > 0 && width != store->nkeys)
		wrong_key_width(store, width);
	return n;
}

/*
 * The type of an argument, by which the overloads differ.  A call that is no
 * expression, by the protocol's function call, only has what was declared.
 */
static Oid
argument_type(FunctionCallInfo fcinfo, int argno)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, argno);
	Oid		   *declared;
	int			nargs;

	if (OidIsValid(type))
		return type;
	get_func_signature(fcinfo->flinfo->fn_oid, &declared, &nargs);
	return declared[argno];
}

/* Reads the second argument of any of the overloads */
Mailboxes
argument_mailboxes(FunctionCallInfo fcinfo, const Store *store)
{
	Oid			type = argument_type(fcinfo, 1);
	Mailboxes	result = {0};
	Datum	   *elems;
	Datum		single;
	Oid			element = type;
	int			n = 1;

	argument_not_null(fcinfo, 1, "mailbox");
	single = PG_GETARG_DATUM(1);
	elems = &single;
	result.many = OidIsValid(get_element_type(type));
	if (type == TEXTOID && store->nkeys > 1)
	{
		/* A literal or a parameter without a type, meant for a text[] */
		char	   *literal = text_to_cstring(DatumGetTextPP(single));

		if (literal[0] != '{')
			wrong_key_width(store, 1);
		single = OidInputFunctionCall(F_ARRAY_IN, literal, TEXTOID, -1);
		n = array_argument(store, single, TEXTARRAYOID, &elems, &element);
		if (n != store->nkeys)
			wrong_key_width(store, n);
	}
	else if (result.many)
		n = array_argument(store, single, type, &elems, &element);
	else if (store->nkeys != 1)
		wrong_key_width(store, 1);

	result.n = n / store->nkeys;
	result.keys = palloc(sizeof(*result.keys) * Max(result.n, 1));
	result.labels = palloc(sizeof(Datum) * Max(result.n, 1));
	for (int i = 0; i < result.n; i++)
	{
		Datum	   *values = &elems[i * store->nkeys];

		for (int k = 0; k < store->nkeys; k++)
			result.keys[i][k] = key_value(&store->key[k], values[k], element);
		if (type == TEXTARRAYOID)
			result.labels[i] =
				PointerGetDatum(construct_array(values, store->nkeys, TEXTOID,
												-1, false, TYPALIGN_INT));
		else
			result.labels[i] = values[0];
	}
	return result;
}

/* The same for functions that work on one mailbox */
Datum *
argument_one_mailbox(FunctionCallInfo fcinfo, const Store *store)
{
	Mailboxes	mailboxes = argument_mailboxes(fcinfo, store);

	if (mailboxes.n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"mailbox\" names %d mailboxes", mailboxes.n),
				 errhint("This function works on one mailbox.")));
	return mailboxes.keys[0];
}

/* --- rights ------------------------------------------------------------ */

static bool
may_write(Oid relid)
{
	return OidIsValid(relid) &&
		(pg_class_aclmask(relid, GetUserId(),
						  ACL_INSERT | ACL_UPDATE | ACL_DELETE,
						  ACLMASK_ANY) != 0 ||
		 pg_attribute_aclcheck_all(relid, GetUserId(), ACL_UPDATE,
								   ACLMASK_ANY) == ACLCHECK_OK);
}

/*
 * Triggers take the mailbox lock for whoever may write messages or flags; the
 * functions that take it ask for the same right.
 */
void
argument_check_may_write(const Store *store)
{
	if (!may_write(store->message_relid) &&
		!may_write(store->table[TABLE_FLAG].relid))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   get_rel_name(store->message_relid));
}

/* The vanished UIDs are for those who may read the messages' */
void
argument_check_may_read(const Store *store)
{
	if (pg_class_aclcheck(store->message_relid, GetUserId(),
						  ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck(store->message_relid,
							  get_attnum(store->message_relid,
										 store->uid.name),
							  GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   get_rel_name(store->message_relid));
}
