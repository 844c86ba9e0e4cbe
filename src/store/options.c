/*-------------------------------------------------------------------------
 *
 * options.c
 * 	  The configuration that attach() wrote.
 *
 * It is in the arguments of one trigger of the message table, the one that
 * calls modseq.trigger_assign(), as name=value.  No other file knows the names
 * of the options: here they become fields of the Store.
 *
 * Locks: none.  Memory: the Store's context; else the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "store/store.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "parser/scansup.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(modseq_option_names);
PG_FUNCTION_INFO_V1(modseq_trigger_options);

/*
 * store_out_of_date: the configuration does not fit the tables any more
 *
 * detail has a place for name, which it is about.
 */
void
store_out_of_date(Oid message_relid, const char *detail, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("modseq's configuration of table %s is out of date",
					relation_name(message_relid)),
			 errdetail(detail, name),
			 errhint("Call modseq.attach() for this table again.")));
}

/*
 * errdetail_not_kept: for an error about rows of ours, or columns, that others
 * have changed as we wrote them, or kept from us
 */
int
errdetail_not_kept(const Store *store, TableRole role)
{
	return errdetail("A trigger or rule of table %s changed or suppressed"
					 " what modseq wrote.", store->table[role].name);
}

/* What the value of an option is, and what it becomes in the Store */
typedef enum OptionKind
{
	OPTION_TABLE,				/* a qualified name: StoreTable */
	OPTION_KEY,					/* an array of columns: StoreTable's key */
	OPTION_MESSAGE_KEY,			/* the same: Columns */
	OPTION_COLUMN,				/* its name: Column */
	OPTION_LAST_UID,			/* the same, for what holds the last UID */
	OPTION_COLUMNS,				/* an array of names: List of strings */
	OPTION_NAME,				/* a qualified name: string */
	OPTION_TEXT,				/* as it is: string */
	OPTION_ACCOUNT,				/* an array of columns: the account's key */
	OPTION_SWITCH,				/* true, if it is there: bool */
	OPTION_SECONDS				/* a number of them: microseconds */
} OptionKind;

typedef struct Option
{
	const char *name;
	OptionKind	kind;
	size_t		field;
} Option;

static const Option known_options[] = {
	{"mailbox", OPTION_TABLE, offsetof(Store, table[TABLE_MAILBOX])},
	{"mailbox_source", OPTION_TABLE, offsetof(Store, table[TABLE_SOURCE])},
	{"vanished", OPTION_TABLE, offsetof(Store, table[TABLE_VANISHED])},
	{"flag", OPTION_TABLE, offsetof(Store, table[TABLE_FLAG])},
	{"account_table", OPTION_TABLE, offsetof(Store, table[TABLE_ACCOUNT])},
	{"departed", OPTION_TABLE, offsetof(Store, table[TABLE_DEPARTED])},
	{"uidvalidities", OPTION_TABLE, offsetof(Store, table[TABLE_UIDVALIDITY])},
	{"counters", OPTION_NAME, offsetof(Store, counters)},
	{"mailbox_key", OPTION_KEY, offsetof(Store, table[TABLE_MAILBOX])},
	{"mailbox_source_key", OPTION_KEY, offsetof(Store, table[TABLE_SOURCE])},
	{"message_mailbox", OPTION_KEY, offsetof(Store, table[TABLE_MESSAGE])},
	{"flag_mailbox", OPTION_KEY, offsetof(Store, table[TABLE_FLAG])},
	{"mailbox_uidvalidity", OPTION_COLUMN, offsetof(Store, uidvalidity)},
	{"mailbox_uidnext", OPTION_COLUMN, offsetof(Store, uidnext)},
	{"mailbox_last_uid", OPTION_LAST_UID, offsetof(Store, uidnext)},
	{"mailbox_highestmodseq", OPTION_COLUMN, offsetof(Store, highestmodseq)},
	{"message_uid", OPTION_COLUMN, offsetof(Store, uid)},
	{"message_modseq", OPTION_COLUMN, offsetof(Store, modseq)},
	{"message_created_modseq", OPTION_COLUMN, offsetof(Store, created_modseq)},
	{"message_flags", OPTION_COLUMNS, offsetof(Store, flags)},
	{"message_expunged", OPTION_COLUMN, offsetof(Store, expunged)},
	{"message_key", OPTION_MESSAGE_KEY, offsetof(Store, message_key)},
	{"flag_message", OPTION_MESSAGE_KEY, offsetof(Store, flag_message)},
	{"flag_uid", OPTION_COLUMN, offsetof(Store, flag_uid)},
	{"flag_columns", OPTION_COLUMNS, offsetof(Store, flag_columns)},
	{"changes", OPTION_SWITCH, offsetof(Store, logs)},
	{"notify", OPTION_SWITCH, offsetof(Store, notify)},
	{"vanished_keep", OPTION_SECONDS, offsetof(Store, vanished_keep)},
	{"account", OPTION_ACCOUNT, offsetof(Store, table[TABLE_ACCOUNT])},
	{"email", OPTION_COLUMN, offsetof(Store, email)},
	{"thread", OPTION_COLUMN, offsetof(Store, thread)},
	{"mailbox_properties", OPTION_COLUMNS, offsetof(Store, properties)},
	{"mailbox_messages", OPTION_COLUMN, offsetof(Store, count[COUNT_MESSAGES])},
	{"mailbox_size", OPTION_COLUMN, offsetof(Store, count[COUNT_SIZE])},
	{"mailbox_unseen", OPTION_COLUMN, offsetof(Store, count[COUNT_UNSEEN])},
	{"mailbox_deleted", OPTION_COLUMN, offsetof(Store, count[COUNT_DELETED])},
	{"message_size", OPTION_COLUMN, offsetof(Store, size)},
	{"message_seen", OPTION_COLUMN, offsetof(Store, seen.column)},
	{"message_seen_flag", OPTION_TEXT, offsetof(Store, seen.flag)},
	{"message_deleted", OPTION_COLUMN, offsetof(Store, deleted.column)},
	{"message_deleted_flag", OPTION_TEXT, offsetof(Store, deleted.flag)}
};

/* Where attach() has not been told how long, as in stores of version 1.0 */
#define DEFAULT_VANISHED_KEEP	(30 * USECS_PER_DAY)

/* A thousand years, and a digit more than they have: nobody waits for that */
#define EVER_SECONDS	31557600000.0
#define SECONDS_DIGITS	11

/*
 * The next element of an array's text, which *text becomes what follows.  NULL
 * if it is none.
 */
static char *
parse_element(const char **text)
{
	const char *c = *text;
	bool		quoted = *c == '"';
	StringInfoData name;

	initStringInfo(&name);
	if (quoted)
		c++;
	while (*c != '\0' && (quoted ? *c != '"' : strchr(",{}\"", *c) == NULL))
	{
		if (*c == '\\' && *++c == '\0')
			return NULL;
		appendStringInfoChar(&name, *c++);
	}
	if (quoted && *c++ != '"')
		return NULL;
	*text = c;
	if (name.len == 0 || (!quoted && pg_strcasecmp(name.data, "NULL") == 0))
		return NULL;
	return name.data;
}

/*
 * The elements of an array of names, as strings; false if it is none.
 *
 * It should be what PostgreSQL makes of a name[], but anybody can write it, and
 * array_in() would raise errors, also to others who only look at it.
 */
static bool
parse_names(const char *value, List **names)
{
	*names = NIL;
	if (*value == '[')
		value += strcspn(value, "=") + 1;
	if (*value++ != '{')
		return false;
	if (strcmp(value, "}") == 0)
		return true;
	for (;;)
	{
		char	   *name = parse_element(&value);

		if (name == NULL)
			return false;
		*names = lappend(*names, name);
		if (*value == '}')
			return value[1] == '\0';
		if (*value++ != ',')
			return false;
	}
}

/* A text that lives as long as the Store */
static char *
keep(const Store *store, const char *text)
{
	return MemoryContextStrdup(store->context, text);
}

/* The names live as long as the Store */
static List *
parse_columns(const Store *store, const char *option, const char *value)
{
	List	   *names;
	List	   *result = NIL;
	ListCell   *lc;
	MemoryContext old;

	if (!parse_names(value, &names))
		store_out_of_date(store->message_relid, _("Its %s is not valid."),
						  option);
	old = MemoryContextSwitchTo(store->context);
	foreach(lc, names)
		result = lappend(result, pstrdup(lfirst(lc)));
	MemoryContextSwitchTo(old);
	return result;
}

/* Returns how many there are, perhaps more than there is room for */
static int
parse_key(Column *key, List *names)
{
	for (int i = 0; i < Min(list_length(names), MODSEQ_MAX_KEYS); i++)
		key[i].name = list_nth(names, i);
	return list_length(names);
}

/* As modseq_internal.seconds_as_interval() reads it, too */
static int64
parse_seconds(const Store *store, const char *option, const char *value)
{
	size_t		digits = strspn(value, "0123456789");
	const char *rest = value + digits;
	double		seconds;

	if (*rest == '.' && rest[1] != '\0')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (digits == 0 || digits > SECONDS_DIGITS || *rest != '\0')
		store_out_of_date(store->message_relid, _("Its %s is not valid."),
						  option);
	seconds = strtod(value, NULL);
	return seconds >= EVER_SECONDS ? VANISHED_KEEP_EVER :
		(int64) (seconds * USECS_PER_SEC);
}

static void
parse_option(Store *store, const Option *option, const char *value)
{
	void	   *field = (char *) store + option->field;
	StoreTable *table = field;
	Columns    *columns = field;
	List	   *names = NIL;

	if (option->kind == OPTION_KEY || option->kind == OPTION_MESSAGE_KEY ||
		option->kind == OPTION_COLUMNS || option->kind == OPTION_ACCOUNT)
		names = parse_columns(store, option->name, value);
	switch (option->kind)
	{
		case OPTION_TABLE:
			table->name = keep(store, value);
			break;
		case OPTION_KEY:
			table->nkeys = parse_key(table->key, names);
			break;
		case OPTION_MESSAGE_KEY:
			columns->n = parse_key(columns->column, names);
			break;
		case OPTION_ACCOUNT:
			store->has_accounts = true;
			store->naccounts = parse_key(table->account, names);
			break;
		case OPTION_LAST_UID:
		case OPTION_COLUMN:
			store->has_last_uid |= option->kind == OPTION_LAST_UID;
			((Column *) field)->name = keep(store, value);
			break;
		case OPTION_COLUMNS:
			*((List **) field) = names;
			break;
		case OPTION_NAME:
		case OPTION_TEXT:
			*((const char **) field) = keep(store, value);
			break;
		case OPTION_SWITCH:
			*((bool *) field) = true;
			break;
		case OPTION_SECONDS:
			*((int64 *) field) = parse_seconds(store, option->name, value);
			break;
	}
}

/* Has that table a key as wide as the mailbox's? */
static bool
has_key(const Store *store, TableRole role)
{
	return store->table[role].nkeys == store->nkeys;
}

/*
 * Where the counters are beside the mailbox table, in one of ours, that is the
 * mailbox table to us, and the application's is its source.  Its key's columns
 * have the same names.
 */
static void
put_counters_beside(Store *store)
{
	StoreTable *mailbox = &store->table[TABLE_MAILBOX];
	StoreTable *source = &store->table[TABLE_SOURCE];

	if (mailbox->name == NULL)
		return;					/* as check_options() says */
	if (source->name != NULL || source->nkeys > 0)
		store_out_of_date(store->message_relid,
						  _("Option \"%s\" does not go with another."),
						  "counters");
	*source = *mailbox;
	mailbox->name = store->counters;
}

/*
 * The source of a mailbox table that is the application's has of the account
 * what is part of the mailbox key.
 */
static void
put_source_account(Store *store, const Column *account, int i)
{
	StoreTable *source = &store->table[TABLE_SOURCE];
	const StoreTable *mailbox = &store->table[TABLE_MAILBOX];

	for (int k = 0; k < mailbox->nkeys && k < MODSEQ_MAX_KEYS; k++)
		if (strcmp(mailbox->key[k].name, account->name) == 0)
			source->account[i].name = source->key[k].name;
	if (source->account[i].name == NULL)
		store_out_of_date(store->message_relid, _("Its %s is not valid."),
						  "account");
}

/* The columns of an account have the same names wherever they stand */
static void
put_accounts(Store *store)
{
	StoreTable *table = store->table;

	if (table[TABLE_ACCOUNT].name == NULL ||
		table[TABLE_DEPARTED].name == NULL || store->email.name == NULL ||
		store->created_modseq.name == NULL)
		store_out_of_date(store->message_relid,
						  _("An option is missing beside \"%s\"."), "account");
	if (store->naccounts > MODSEQ_MAX_KEYS)
		store_out_of_date(store->message_relid, _("Its %s is not valid."),
						  "account");
	for (int i = 0; i < store->naccounts; i++)
	{
		const Column *account = &table[TABLE_ACCOUNT].account[i];

		table[TABLE_DEPARTED].account[i] = *account;
		table[TABLE_MAILBOX].account[i] = *account;
		if (store->counters != NULL)
			table[TABLE_SOURCE].account[i] = *account;
		else if (table[TABLE_SOURCE].name != NULL)
			put_source_account(store, account, i);
	}
	store->mailbox_created_modseq.name = "created_modseq";
	store->properties_modseq.name = "properties_modseq";
}

/* What every store has must be there, and go together */
static void
check_options(Store *store)
{
	const StoreTable *table = store->table;

	if (table[TABLE_MAILBOX].name == NULL || table[TABLE_VANISHED].name == NULL)
		store_out_of_date(store->message_relid,
						  _("Option \"%s\" is missing."),
						  table[TABLE_MAILBOX].name ? "vanished" : "mailbox");
	store->nkeys = table[TABLE_MAILBOX].nkeys;
	if (store->nkeys < 1 || store->nkeys > MODSEQ_MAX_KEYS ||
		!has_key(store, TABLE_MESSAGE) ||
		(table[TABLE_FLAG].nkeys > 0 && !has_key(store, TABLE_FLAG)) ||
		(table[TABLE_SOURCE].nkeys > 0 && !has_key(store, TABLE_SOURCE)) ||
		(table[TABLE_SOURCE].nkeys == 0 && table[TABLE_SOURCE].name != NULL))
		store_out_of_date(store->message_relid, _("Its %s is not valid."),
						  "mailbox_key");
	if (store->uidvalidity.name == NULL || store->uidnext.name == NULL ||
		store->highestmodseq.name == NULL || store->uid.name == NULL ||
		store->modseq.name == NULL)
		store_out_of_date(store->message_relid,
						  _("An option is missing beside \"%s\"."),
						  "mailbox_key");
	if (table[TABLE_FLAG].name != NULL &&
		(store->flag_message.n == 0 || store->message_key.n == 0) &&
		(store->flag_uid.name == NULL || table[TABLE_FLAG].nkeys == 0))
		store_out_of_date(store->message_relid,
						  _("It lacks the key of table %s."),
						  table[TABLE_FLAG].name);
	if (store->message_key.n != store->flag_message.n ||
		store->message_key.n > MODSEQ_MAX_KEYS)
		store_out_of_date(store->message_relid, _("Its %s is not valid."),
						  "message_key");
}

/* option_table: the name of a table in that option, or NULL if it has none */
const char *
option_table(const char *option)
{
	for (size_t k = 0; k < lengthof(known_options); k++)
	{
		size_t		len = strlen(known_options[k].name);

		if (strncmp(option, known_options[k].name, len) == 0 &&
			option[len] == '=')
			return known_options[k].kind == OPTION_TABLE ||
				known_options[k].kind == OPTION_NAME ? option + len + 1 : NULL;
	}
	return NULL;
}

/*
 * options_parse: the names of tables and columns, from the configuration
 *
 * Error 55000 if it cannot be that of a store, whatever the tables are.
 */
void
options_parse(Store *store, char **options, int n)
{
	store->vanished_keep = DEFAULT_VANISHED_KEEP;
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < lengthof(known_options); k++)
		{
			size_t		len = strlen(known_options[k].name);

			if (strncmp(options[i], known_options[k].name, len) == 0 &&
				options[i][len] == '=')
				parse_option(store, &known_options[k], options[i] + len + 1);
		}
	if (store->counters != NULL)
		put_counters_beside(store);
	check_options(store);
	if (store->has_accounts)
		put_accounts(store);
	else if (store->table[TABLE_ACCOUNT].name != NULL ||
			 store->table[TABLE_DEPARTED].name != NULL)
		store_out_of_date(store->message_relid,
						  _("Option \"%s\" is missing."), "account");
}

/*
 * modseq_internal.option_names(text) -> name[]
 *
 * The names in an option, for the view modseq.stores.  NULL if it is no array.
 */
Datum
modseq_option_names(PG_FUNCTION_ARGS)
{
	ArrayBuildState *result = initArrayResult(NAMEOID, CurrentMemoryContext,
											  false);
	List	   *names;
	ListCell   *lc;

	if (!parse_names(text_to_cstring(PG_GETARG_TEXT_PP(0)), &names))
		PG_RETURN_NULL();
	foreach(lc, names)
	{
		Name		name = palloc0(sizeof(NameData));

		truncate_identifier(lfirst(lc), strlen(lfirst(lc)), false);
		namestrcpy(name, lfirst(lc));
		accumArrayResult(result, NameGetDatum(name), false, NAMEOID,
						 CurrentMemoryContext);
	}
	PG_RETURN_DATUM(makeArrayResult(result, CurrentMemoryContext));
}

/*
 * modseq.trigger_options(trigger oid) -> text[]
 *
 * The arguments of a trigger, for the view modseq.stores: pg_trigger has them
 * as bytes with a NUL after each, which SQL cannot take apart.  NULL if there
 * is no such trigger.
 */
Datum
modseq_trigger_options(PG_FUNCTION_ARGS)
{
	Oid			trigger = PG_GETARG_OID(0);
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	ArrayBuildState *options = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	scan = systable_beginscan(rel, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		int			n = ((Form_pg_trigger) GETSTRUCT(tuple))->tgnargs;
		bool		isnull;
		bytea	   *args = DatumGetByteaPP(heap_getattr(tuple,
														Anum_pg_trigger_tgargs,
														RelationGetDescr(rel),
														&isnull));
		const char *arg = VARDATA_ANY(args);

		options = initArrayResult(TEXTOID, CurrentMemoryContext, false);
		for (int i = 0; i < n; i++)
		{
			accumArrayResult(options, CStringGetTextDatum(arg), false, TEXTOID,
							 CurrentMemoryContext);
			arg += strlen(arg) + 1;
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (options == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(makeArrayResult(options, CurrentMemoryContext));
}
