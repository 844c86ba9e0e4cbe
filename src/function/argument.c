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

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* --- arguments --------------------------------------------------------- */

/* What to do about a NULL; "since" is a mod-sequence or a state */
static const char *
hint_for_null(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (strcmp(name, "uids") == 0)
		return "An empty set is ''; for all UIDs give 1:UIDNEXT-1.";
	if (strcmp(name, "timeout") == 0)
		return "With 0 it looks once, and does not wait.";
	if (strcmp(name, "account") == 0)
		return "It is null only where all mailboxes are of one account.";
	if (strcmp(name, "state") == 0 ||
		(strcmp(name, "since") == 0 &&
		 get_fn_expr_argtype(fcinfo->flinfo, argno) == TEXTOID))
		return "Who has no state yet reads all, beside account_state().";
	return "Only sets of UIDs may be null, and stand for all UIDs then.";
}

void
argument_not_null(FunctionCallInfo fcinfo, int argno, const char *name)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name),
				 errhint("%s", hint_for_null(fcinfo, argno, name))));
}

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
 * argument_check_may_write: triggers take the mailbox lock for whoever may
 * write messages or flags; the functions that take it ask for the same right
 */
void
argument_check_may_write(const Store *store)
{
	if (!may_write(store->message_relid) &&
		!may_write(store->table[TABLE_FLAG].relid))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   get_rel_name(store->message_relid));
}

/*
 * The store, the tables that can have counters locked, so that it is still that
 * when they are read: an attach() may move counters to another table, and drop
 * the columns that they were in.  Who has locked another of its tables is not
 * waited for, unless that is read.
 *
 * It may be built anew though nothing has changed, each time if caches are
 * discarded all the time.  So it is asked for its tables.
 */
static Store *
lock_store(Oid relid, LOCKMODE mode)
{
	Store	   *store = store_get(relid);
	Oid			locked[TABLE_SOURCE + 1] = {InvalidOid};
	bool		again;

	LockRelationOid(relid, mode);
	do
	{
		again = false;
		for (TableRole role = 0; role <= TABLE_SOURCE; role++)
		{
			Oid			table = store->table[role].relid;

			if (table == locked[role])
				continue;
			if (OidIsValid(table))
				LockRelationOid(table, AccessShareLock);
			locked[role] = table;
			again = true;
		}
		if (again)
			store = store_get(relid);
	} while (again);
	return store;
}

/* argument_store: the first argument, for functions that read */
Store *
argument_store(FunctionCallInfo fcinfo)
{
	argument_not_null(fcinfo, 0, "store");
	return lock_store(PG_GETARG_OID(0), AccessShareLock);
}

/*
 * argument_store_to_write: the same for functions that take the mailbox lock,
 * of which attach() and others must not change their minds meanwhile
 *
 * Where nothing may be written, the query that would tells so.
 */
Store *
argument_store_to_write(FunctionCallInfo fcinfo)
{
	argument_check_may_write(argument_store(fcinfo));
	return lock_store(PG_GETARG_OID(0), XactReadOnly ? AccessShareLock :
					  RowExclusiveLock);
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

/* What an argument names: mailboxes or accounts */
typedef struct Named
{
	const char *name;			/* of the argument */
	const char *table;
	int			n;				/* columns of the key */
	const KeyColumn *key;
} Named;

static void
wrong_key_width(const Named *named, int given)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s key has %d value(s), but that of table %s has %d column(s)",
					named->name, given, named->table, named->n),
			 named->n == 0 ?
			 errhint("The store has one account: NULL, or an empty array.") :
			 named->n == 1 ? 0 :
			 errhint("Pass a text[] with one element for each key column, or a two-dimensional one for several of them, with its type, as in $1::text[]; arrays of other types are lists of keys of one column.")));
}

/*
 * A list that a driver has sent without its type is taken for text, and so for
 * one key.  No number begins with a brace; a uuid may be in braces, but alone.
 */
static void
refuse_untyped_list(const Named *named, const char *literal)
{
	Oid			type = named->key[0].type;
	bool		is_list;

	if (type == UUIDOID)
		is_list = strcmp(literal, "{}") == 0 || strpbrk(literal, ",\"");
	else
		is_list = type == INT8OID || type == INT4OID || type == INT2OID;
	if (!is_list || literal[0] != '{')
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("%s key \"%s\" is an array without a type",
					named->name, literal),
			 errhint("Where the function takes a list, give that its type, as in $1::%s[], or call it by its name with _many.",
					 type == UUIDOID ? "uuid" : "bigint")));
}

/*
 * The elements of an array argument, with the number of values in a key.  A
 * text[] has one composite key, or is a list of such.
 */
static int
array_argument(const Named *named, Datum argument, Oid type, Datum **elems,
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
					 errmsg("argument \"%s\" must not contain nulls",
							named->name),
					 errhint("Leave out what is no key.")));
	if (type == TEXTARRAYOID && named->n > 1 && n > 0)
		width = ARR_DIMS(array)[ARR_NDIM(array) - 1];
	if (n > 0 && width != named->n)
		wrong_key_width(named, width);
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
static Mailboxes
read_keys(FunctionCallInfo fcinfo, const Named *named)
{
	Oid			type = argument_type(fcinfo, 1);
	Mailboxes	result = {0};
	Datum	   *elems;
	Datum		single;
	Oid			element = type;
	int			n = 1;

	argument_not_null(fcinfo, 1, named->name);
	single = PG_GETARG_DATUM(1);
	elems = &single;
	result.many = OidIsValid(get_element_type(type));
	if (type == TEXTOID && named->n > 1)
	{
		/* A literal or a parameter without a type, meant for a text[] */
		char	   *literal = text_to_cstring(DatumGetTextPP(single));

		if (literal[0] != '{')
			wrong_key_width(named, 1);
		single = OidInputFunctionCall(F_ARRAY_IN, literal, TEXTOID, -1);
		n = array_argument(named, single, TEXTARRAYOID, &elems, &element);
		if (n != named->n)
			wrong_key_width(named, n);
	}
	else if (result.many)
		n = array_argument(named, single, type, &elems, &element);
	else if (named->n != 1)
		wrong_key_width(named, 1);
	else if (type == TEXTOID)
		refuse_untyped_list(named, text_to_cstring(DatumGetTextPP(single)));

	result.n = n / named->n;
	result.keys = palloc(sizeof(*result.keys) * Max(result.n, 1));
	result.labels = palloc(sizeof(Datum) * Max(result.n, 1));
	for (int i = 0; i < result.n; i++)
	{
		Datum	   *values = &elems[i * named->n];

		for (int k = 0; k < named->n; k++)
			result.keys[i][k] = key_value(&named->key[k], values[k], element);
		if (type == TEXTARRAYOID)
			result.labels[i] =
				PointerGetDatum(construct_array(values, named->n, TEXTOID, -1,
												false, TYPALIGN_INT));
		else
			result.labels[i] = values[0];
	}
	return result;
}

static Named
named_mailboxes(const Store *store)
{
	Named		named = {"mailbox", store_mailbox_table(store)->name,
	store->nkeys, store->key};

	return named;
}

Mailboxes
argument_mailboxes(FunctionCallInfo fcinfo, const Store *store)
{
	Named		named = named_mailboxes(store);

	return read_keys(fcinfo, &named);
}

/* The only key that an argument has */
static Datum *
one_key(const Mailboxes *keys, const char *name)
{
	if (keys->n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" names %d keys", name, keys->n),
				 errhint("This function takes one.")));
	return keys->keys[0];
}

/* The same for functions that work on one mailbox */
Datum *
argument_one_mailbox(FunctionCallInfo fcinfo, const Store *store)
{
	Mailboxes	mailboxes = argument_mailboxes(fcinfo, store);

	return one_key(&mailboxes, "mailbox");
}

/* The one account of a store that has no more, given as NULL or as nothing */
static Mailboxes
whole_store(FunctionCallInfo fcinfo, const Named *named)
{
	Oid			type = argument_type(fcinfo, 1);
	Mailboxes	result = {0};

	result.many = OidIsValid(get_element_type(type));
	if (!PG_ARGISNULL(1) &&
		(result.many ?
		 ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(1)),
						ARR_DIMS(PG_GETARG_ARRAYTYPE_P(1))) != 0 :
		 type != TEXTOID ||
		 strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "{}") != 0))
		wrong_key_width(named, 1);
	result.n = 1;
	result.keys = palloc0(sizeof(*result.keys));
	return result;
}

/* Accounts, in the place of mailboxes */
Mailboxes
argument_accounts(FunctionCallInfo fcinfo, const Store *store)
{
	Named		named = {"account", store_mailbox_table(store)->name,
	store->naccounts, store->account_key};

	if (!store->has_accounts)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("store %s has no accounts",
						store->table[TABLE_MESSAGE].name),
				 errhint("Call modseq.attach() with the option account.")));
	if (store->naccounts == 0)
		return whole_store(fcinfo, &named);
	return read_keys(fcinfo, &named);
}

Datum *
argument_one_account(FunctionCallInfo fcinfo, const Store *store)
{
	Mailboxes	accounts = argument_accounts(fcinfo, store);

	return one_key(&accounts, "account");
}

/* --- rights ------------------------------------------------------------ */

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

static bool
may_select(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT,
								  ACLMASK_ANY) == ACLCHECK_OK;
}

/* Accounts are for those who may see mailboxes */
void
argument_check_may_see(const Store *store)
{
	Oid			relid = store_mailbox_table(store)->relid;

	if (!may_select(relid))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relid));
}
