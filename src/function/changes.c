/*-------------------------------------------------------------------------
 *
 * changes.c
 *	  Email/changes, Mailbox/changes and Thread/changes of JMAP.
 *
 * What changed since a state is in three places: messages that are there, by
 * the index on mailbox and mod-sequence, of those mailboxes that changed; the
 * departed; and the mailboxes themselves.  walk.c makes created, updated and
 * destroyed of it, and says of which ids it must know whether they were there
 * before: these are looked up by their index.  So what a page costs follows
 * the changes since the state that the walk goes from, and not the account.  A
 * small page of many changes reads them all: no index has them in an order in
 * which a walk could go on.  (By created there could be one, but it would be
 * written with each change.)
 *
 * Locks: none.  All that one call answers is from the snapshot of the statement
 * that calls it, so that the state goes with the changes.
 *
 * Rights: answers are read with the caller's, row-level security included;
 * what has departed is told to whoever may read the messages, or mailboxes.
 *
 * Memory: the caller's context; it grows with the changes.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

CALLED_AT_SHARD(email_changes, CALL_OF_ACCOUNT);
CALLED_AT_SHARD(thread_changes, CALL_OF_ACCOUNT);
CALLED_AT_SHARD(mailbox_changes, CALL_OF_ACCOUNT);

/* The columns of what they return, as sql/parts/function.sql has them */
enum
{
	CHANGES_VERDICT,
	CHANGES_OLD_STATE,
	CHANGES_NEW_STATE,
	CHANGES_HAS_MORE,
	CHANGES_LISTS,				/* three of them, in the order of Change */
	CHANGES_COUNTS_ONLY = CHANGES_LISTS + CHANGES,
	CHANGES_COLUMNS
};

/* A question, while it is answered */
typedef struct Question
{
	Store	   *store;
	const Datum *account;
	ObjectKind	kind;
	Walk	   *walk;
} Question;

/* --- what happened since ----------------------------------------------- */

/* A text in a row of SPI_tuptable, in the memory of the walk; NULL is NULL */
static const char *
get_name(const Question *question, uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);
	MemoryContext old;
	char	   *result;

	if (isnull)
		return NULL;
	old = MemoryContextSwitchTo(question->walk->context);
	result = TextDatumGetCString(value);
	MemoryContextSwitchTo(old);
	return result;
}

/* The id, and of a Thread also the member; false if there is none */
static bool
choose_names(const Question *question, const char *email, const char *thread,
			 const char **id, const char **member)
{
	*id = question->kind == KIND_THREAD ? thread : email;
	*member = question->kind == KIND_THREAD ? email : NULL;
	return email != NULL && *id != NULL;
}

/* Messages that are there, and have changed */
static void
add_messages(const Question *question)
{
	Store	   *store = question->store;
	int64		since = question->walk->token.from;
	Datum		params[MODSEQ_MAX_PARAMS];
	MailboxRow *unused;
	Mailboxes	mailboxes = state_mailboxes(store, question->account, since,
											&unused);
	uint64		rows;

	if (mailboxes.n == 0)
		return;
	status_key_arrays(store, &mailboxes, params);
	params[store->nkeys] = Int64GetDatum(since);
	SPI_connect();
	rows = plan_execute(store, PLAN_CHANGED_EMAILS, params,
						PLAN_READ_AS_CALLER);
	for (uint64 i = 0; i < rows; i++)
	{
		const char *id;
		const char *member;

		if (choose_names(question, get_name(question, i, 1),
						 get_name(question, i, 2), &id, &member))
			walk_add(question->walk, id, member, plan_get_number(i, 3),
					 WALK_LIVE, plan_get_number(i, 4));
	}
	SPI_finish();
}

/* The elements of an array in a row of SPI_tuptable; NULL if it is NULL */
static Datum *
get_elements(uint64 row, int column, Oid type, int *n, bool **nulls)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);
	Datum	   *elements;

	*n = 0;
	if (isnull)
		return NULL;
	if (type == TEXTOID)
		deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
						  TYPALIGN_INT, &elements, nulls, n);
	else
		deconstruct_array(DatumGetArrayTypeP(value), INT8OID, 8,
						  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, nulls,
						  n);
	return elements;
}

static const char *
element_name(const Datum *names, const bool *nulls, int n, int i)
{
	return i < n && !nulls[i] ? TextDatumGetCString(names[i]) : NULL;
}

/* A row of departed Emails, or mailboxes */
static void
add_departed_row(const Question *question, uint64 row)
{
	int64		modseq = plan_get_number(row, 1);
	bool	   *no_email;
	bool	   *no_thread;
	bool	   *no_created;
	int			n;
	int			nthreads;
	int			ncreated;
	Datum	   *emails = get_elements(row, 2, TEXTOID, &n, &no_email);
	Datum	   *threads = get_elements(row, 3, TEXTOID, &nthreads, &no_thread);
	Datum	   *created = get_elements(row, 4, INT8OID, &ncreated, &no_created);
	MemoryContext old = MemoryContextSwitchTo(question->walk->context);

	for (int i = 0; i < n; i++)
	{
		const char *id;
		const char *member;

		if (choose_names(question, element_name(emails, no_email, n, i),
						 question->kind == KIND_THREAD ?
						 element_name(threads, no_thread, nthreads, i) : NULL,
						 &id, &member))
			walk_add(question->walk, id, member,
					 i < ncreated && !no_created[i] ?
					 DatumGetInt64(created[i]) : 0, modseq, modseq);
	}
	MemoryContextSwitchTo(old);
}

/* What has departed */
static void
add_departed(const Question *question)
{
	Store	   *store = question->store;
	Datum		params[MODSEQ_MAX_PARAMS];
	uint64		rows;

	memcpy(params, question->account, sizeof(Datum) * store->naccounts);
	params[store->naccounts] = Int64GetDatum(question->walk->token.from);
	SPI_connect();
	rows = plan_execute(store, question->kind == KIND_MAILBOX ?
						PLAN_DEPARTED_MAILBOXES : PLAN_DEPARTED_EMAILS,
						params, PLAN_READ_AS_OWNER);
	for (uint64 i = 0; i < rows; i++)
		add_departed_row(question, i);
	SPI_finish();
}

/*
 * Mailboxes that are there, and have changed
 *
 * One that has gone in between and is there again is more than its counts.
 *
 * Of one that has other properties, that is what places it in the walk, and not
 * when its counts changed last.  Else, if they change again, it would be left
 * to the next walk, which would say that only its counts have.
 */
static void
add_mailboxes(const Question *question)
{
	Walk	   *walk = question->walk;
	int64		from = walk->token.from;
	MailboxRow *rows;
	int			n = state_mailboxes(question->store, question->account,
									from, &rows).n;

	for (int i = 0; i < n; i++)
	{
		int64		renewed = Max(rows[i].properties, rows[i].created);
		bool		is_between = renewed > from && renewed <= walk->token.to;
		Thing	   *thing = walk_add(walk, rows[i].name, NULL, rows[i].created,
									 WALK_LIVE,
									 is_between ? renewed : rows[i].changed);

		thing->renewed = thing->spans->next != NULL || renewed > from;
	}
}

/* --- what was there before --------------------------------------------- */

/* The ids of the batch */
static Datum
batch_names(const Walk *walk)
{
	Datum	   *names = palloc(sizeof(Datum) * walk->nbatch);

	for (int i = 0; i < walk->nbatch; i++)
		names[i] = CStringGetTextDatum(walk->batch[i]->thing->id);
	return PointerGetDatum(construct_array(names, walk->nbatch, TEXTOID, -1,
										   false, TYPALIGN_INT));
}

/* In what mailboxes the rows of SPI_tuptable are, whose keys end them */
static Mailboxes
get_mailboxes(const Store *store, int n, int first)
{
	Mailboxes	mailboxes = {0};
	bool		isnull;

	mailboxes.n = n;
	mailboxes.keys = palloc(sizeof(*mailboxes.keys) * Max(n, 1));
	for (int i = 0; i < n; i++)
		for (int k = 0; k < store->nkeys; k++)
			mailboxes.keys[i][k] = SPI_getbinval(SPI_tuptable->vals[i],
												 SPI_tuptable->tupdesc,
												 first + k, &isnull);
	return mailboxes;
}

/* Looks up which of the batch were there at the first state, and still are */
static void
add_past(const Question *question)
{
	Store	   *store = question->store;
	Walk	   *walk = question->walk;
	Datum		params[2];
	Mailboxes	mailboxes;
	bool	   *is_member;
	int			rows;

	SPI_connect();
	params[0] = batch_names(walk);
	params[1] = Int64GetDatum(walk->token.from);
	rows = (int) plan_execute(store, question->kind == KIND_THREAD ?
							  PLAN_PAST_THREADS : PLAN_PAST_EMAILS, params,
							  PLAN_READ_AS_CALLER);
	mailboxes = get_mailboxes(store, rows, 3);
	is_member = state_has(store, question->account, &mailboxes);
	for (int i = 0; i < rows; i++)
	{
		const char *email = get_name(question, i, 2);

		if (is_member[i] && email != NULL)
			walk_add_past(walk, get_name(question, i, 1), email);
	}
	SPI_finish();
}

/* --- the answer -------------------------------------------------------- */

static void
fill_page(const Question *question)
{
	Walk	   *walk = question->walk;

	if (question->kind != KIND_MAILBOX)
		add_messages(question);
	add_departed(question);
	if (question->kind == KIND_MAILBOX)
		add_mailboxes(question);
	while (walk_next(walk))
	{
		if (question->kind != KIND_MAILBOX)
			add_past(question);
		walk_judge(walk);
	}
}

static Datum
list_of(const Walk *walk, Change change)
{
	int64		n = walk->ntold[change];
	Datum	   *ids = MemoryContextAllocHuge(CurrentMemoryContext,
											 sizeof(Datum) * Max(n, 1));

	for (int64 i = 0; i < n; i++)
		ids[i] = CStringGetTextDatum(walk->told[change][i]->id);
	return PointerGetDatum(construct_array(ids, (int) n, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* Is all that was updated, and something was, updated in its counts alone? */
static bool
counts_only(const Walk *walk)
{
	for (int64 i = 0; i < walk->ntold[CHANGE_UPDATED]; i++)
		if (walk->told[CHANGE_UPDATED][i]->renewed)
			return false;
	return walk->ntold[CHANGE_UPDATED] > 0;
}

/* How many changes a page may have: NULL stands for all */
static int64
argument_max(FunctionCallInfo fcinfo, int argno)
{
	if (PG_ARGISNULL(argno))
		return PG_INT64_MAX;
	if (PG_GETARG_INT32(argno) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"max_changes\" must be positive"),
				 errhint("Leave it out for all changes.")));
	return PG_GETARG_INT32(argno);
}

/*
 * Can it be told what changed since that state?  Below the floor too, if it is
 * the present one: of an account where nothing changes, the states stay, while
 * compact() raises the floor by what has departed of another kind.
 */
static const char *
verdict_of(ObjectKind kind, const char *since, const Account *account,
		   Token *token)
{
	int64		state = account->state[kind];

	if (!token_parse(kind, since, token) || token->epoch != account->epoch)
		return "unknown";
	if (Max(token->from, token->to) > state)
		return status_may_lag() ? "behind" : "unknown";
	return token->from < Min(account->floor, state) ? "too_old" : "ok";
}

static Datum
answer(FunctionCallInfo fcinfo, ObjectKind kind)
{
	Store	   *store = argument_store(fcinfo);
	Datum	   *account_key = argument_one_account(fcinfo, store);
	Question	question = {store, account_key, kind, NULL};
	int64		max = argument_max(fcinfo, 3);
	TupleDesc	desc;
	Datum		values[CHANGES_COLUMNS] = {0};
	bool		nulls[CHANGES_COLUMNS] = {false};
	Account		account;
	Token		token;
	const char *verdict;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	argument_not_null(fcinfo, 2, "since");
	if (kind == KIND_THREAD && store->thread.name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("store %s has no threads",
						store->table[TABLE_MESSAGE].name),
				 errhint("Call modseq.attach() with the option thread.")));
	if (kind != KIND_MAILBOX)
		argument_check_may_read(store);
	state_read(store, question.account, &account);
	verdict = verdict_of(kind, text_to_cstring(PG_GETARG_TEXT_PP(2)), &account,
						 &token);
	if (strcmp(verdict, "ok") == 0)
	{
		Walk	   *walk;

		if (token.id == NULL)
			token.to = account.state[kind];
		walk = question.walk = walk_begin(&token, kind == KIND_THREAD, max);
		if (token.from < token.to)
			fill_page(&question);
		for (Change change = 0; change < CHANGES; change++)
			values[CHANGES_LISTS + change] = list_of(walk, change);
		values[CHANGES_COUNTS_ONLY] = BoolGetDatum(counts_only(walk));
		values[CHANGES_HAS_MORE] = BoolGetDatum(walk->has_more);
		token = walk->token;
		if (!walk->has_more)
		{
			token.from = token.to;
			token.id = NULL;
		}
	}
	else
	{
		for (int i = CHANGES_HAS_MORE; i < CHANGES_COLUMNS; i++)
			nulls[i] = true;
		token.epoch = account.epoch;
		token.from = account.state[kind];
		token.id = NULL;
	}
	values[CHANGES_VERDICT] = CStringGetTextDatum(verdict);
	values[CHANGES_OLD_STATE] = PG_GETARG_DATUM(2);
	values[CHANGES_NEW_STATE] = CStringGetTextDatum(token_text(kind, &token));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * modseq.email_changes(store, account, since, max_changes)
 *		-> (verdict, old_state, new_state, has_more,
 *			created, updated, destroyed)
 *
 * Email/changes (RFC 8620 section 5.2, RFC 8621 section 4.3): ids of the Emails
 * that were created, updated and destroyed since a state, at most max_changes
 * of them; if has_more, new_state is where to go on.  verdict 'too_old': some
 * of what departed since then was forgotten; 'unknown': no such state was
 * handed out, or it is of changes that were lost; 'behind': the server is in
 * recovery, and has not got to that state yet.  Then there are no lists, and
 * new_state is the present one.  Snapshot, rights and errors as of
 * account_state(); and 42501 without SELECT on messages, 22023 if max_changes
 * is not positive.
 */
static Datum
email_changes_here(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, KIND_EMAIL);
}

/*
 * modseq.thread_changes(...) -> the same of Threads
 *
 * A Thread is created with its first Email, updated when another joins or
 * leaves it, destroyed with its last (RFC 8621 section 3.2).  Errors: also
 * 55000 if the store has no threads.
 */
static Datum
thread_changes_here(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, KIND_THREAD);
}

/*
 * modseq.mailbox_changes(...) -> the same of mailboxes, and counts_only
 *
 * counts_only: of all that was updated only counts changed, so the front end
 * says so in updatedProperties (RFC 8621 section 2.2).
 */
static Datum
mailbox_changes_here(PG_FUNCTION_ARGS)
{
	return answer(fcinfo, KIND_MAILBOX);
}
