/*-------------------------------------------------------------------------
 *
 * text.c
 *	  The texts of the SQL that modseq runs.
 *
 * Every name in the texts is qualified and quoted, and every operator is
 * written OPERATOR(schema.name), so that no search_path matters.  (We do not
 * set search_path: an application's own triggers fire on these statements and
 * must find their tables, as they do on a foreign key's.)
 *
 * Locks: those of the statements.  Which one locks what is said with each.
 *
 * Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "query/part.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* What counter_read_row() and query.c want of a row of the mailbox table */
static void
add_counters(PlanText *query)
{
	Store	   *store = query->store;

	plan_add(query,
			 "b.%s::pg_catalog.int8, b.%s::pg_catalog.int8, b.%s::pg_catalog.int8",
			 store->uidvalidity.quoted, store->uidnext.quoted, store->highestmodseq.quoted);
}

/*
 * The counters of a mailbox.  LOCK_MAILBOX takes the row lock, see counter.c;
 * RAISE_MAILBOX takes it and the next mod-sequence, unless none is left.
 */
static void
mailbox_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;
	int			uidnext;
	int			highestmodseq;

	plan_add_key_params(query);
	if (id == PLAN_RAISE_MAILBOX)
	{
		plan_add(query,
			"UPDATE %s AS b SET %s = GREATEST(b.%s, 1) OPERATOR(pg_catalog.+) 1 WHERE ",
			store->table[TABLE_MAILBOX].name, store->highestmodseq.quoted, store->highestmodseq.quoted);
		plan_add_key_condition(query, "b", TABLE_MAILBOX);
		plan_add(query,
				 " AND (b.%s OPERATOR(pg_catalog.=) " INT64_FORMAT ") IS NOT TRUE RETURNING ",
				 store->highestmodseq.quoted, MODSEQ_MAX);
		add_counters(query);
		return;
	}
	if (id == PLAN_WRITE_MAILBOX)
	{
		uidnext = plan_add_param(query, INT8OID);
		highestmodseq = plan_add_param(query, INT8OID);
		plan_add(query, "UPDATE %s AS b SET %s = $%d, %s = $%d WHERE ",
			store->table[TABLE_MAILBOX].name, store->uidnext.quoted, uidnext,
			store->highestmodseq.quoted, highestmodseq);
		plan_add_key_condition(query, "b", TABLE_MAILBOX);
		return;
	}
	plan_add(query, "SELECT ");
	add_counters(query);
	plan_add(query, " FROM %s AS b WHERE ", store->table[TABLE_MAILBOX].name);
	plan_add_key_condition(query, "b", TABLE_MAILBOX);
	if (id == PLAN_LOCK_MAILBOX)
		plan_add(query, " FOR NO KEY UPDATE");
}

/*
 * The counters of many mailboxes, and which of them it is, from 1.  For each
 * column of the key an array has the mailboxes' values.
 */
static void
mailboxes_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;

	plan_add(query, "SELECT ");
	add_counters(query);
	plan_add(query, ", k.n FROM ROWS FROM (");
	for (int i = 0; i < store->nkeys; i++)
		plan_add(query, "%spg_catalog.unnest($%d)", i == 0 ? "" : ", ",
				 plan_add_param(query, get_array_type(store->key[i].type)));
	plan_add(query, ") WITH ORDINALITY AS k (");
	for (int i = 0; i < store->nkeys; i++)
		plan_add(query, "k%d, ", i + 1);
	plan_add(query, "n), %s AS b WHERE ", store->table[TABLE_MAILBOX].name);
	plan_add_key_equality(query, "b", TABLE_MAILBOX, "k.k%d");

	/* No sort, where each mailbox is looked up by the index */
	plan_add(query, " ORDER BY k.n");
}

/* "a, b", and "$1, $2", for each column of the key */
static void
add_key_list(PlanText *query, bool params)
{
	for (int i = 0; i < query->store->nkeys; i++)
		if (params)
			plan_add(query, "%s$%d", i == 0 ? "" : ", ", i + 1);
		else
			plan_add(query, "%s%s", i == 0 ? "" : ", ", query->store->table[TABLE_MAILBOX].key[i].quoted);
}

/* "SET a = $3, b = $4": another key, whose values are the next parameters */
static void
add_new_key(PlanText *query)
{
	plan_add(query, " SET ");
	for (int i = 0; i < query->store->nkeys; i++)
		plan_add(query, "%s%s = $%d", i == 0 ? "" : ", ", query->store->table[TABLE_MAILBOX].key[i].quoted,
			plan_add_param(query, query->store->key[i].type));
}

/* Rows of a table, by the mailbox table's key, that have none in another */
static void
delete_orphans(PlanText *query, const char *table, const char *other,
			   TableRole side)
{
	Store	   *store = query->store;

	plan_add(query, "DELETE FROM %s AS o WHERE NOT EXISTS (SELECT FROM %s AS b WHERE ",
		table, other);
	for (int i = 0; i < store->nkeys; i++)
	{
		KeyColumn  *key = &store->key[i];
		Oid			type = store->table[side].key[i].type;
		Oid			param_type;
		Oid			operator = equality_operator(type, key->type, &param_type);

		if (i > 0)
			plan_add(query, " AND ");
		generate_operator_clause(&query->text,
								 psprintf("b.%s", store->table[side].key[i].quoted), type,
								 operator, psprintf("o.%s", store->table[TABLE_MAILBOX].key[i].quoted),
								 key->type);
		plan_add(query, "%s", plan_collate_clause(key->collation));
	}
	plan_add(query, ")");
}

/*
 * Rows of a mailbox table that is a side table, and the row of its source.
 * What other columns it has get their defaults.
 */
static void
side_table_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;

	if (id == PLAN_CLEAR_MAILBOXES)
	{
		delete_orphans(query, store->table[TABLE_MAILBOX].name, store->table[TABLE_SOURCE].name, TABLE_SOURCE);
		return;
	}
	plan_add_key_params(query);
	switch (id)
	{
		case PLAN_ADD_MAILBOX:
			plan_add(query, "INSERT INTO %s (", store->table[TABLE_MAILBOX].name);
			add_key_list(query, false);
			plan_add(query, ") VALUES (");
			add_key_list(query, true);
			plan_add(query, ") ON CONFLICT (");
			add_key_list(query, false);
			plan_add(query, ") DO NOTHING");
			return;
		case PLAN_RENAME_MAILBOX:
			plan_add(query, "UPDATE %s AS b", store->table[TABLE_MAILBOX].name);
			add_new_key(query);
			break;
		case PLAN_REMOVE_MAILBOX:
			plan_add(query, "DELETE FROM %s AS b", store->table[TABLE_MAILBOX].name);
			break;
		default:
			Assert(id == PLAN_FIND_SOURCE);
			plan_add(query, "SELECT FROM %s AS b WHERE ", store->table[TABLE_SOURCE].name);
			plan_add_key_condition(query, "b", TABLE_SOURCE);
			return;
	}
	plan_add(query, " WHERE ");
	plan_add_key_condition(query, "b", TABLE_MAILBOX);
}

/* "key and live": which messages of a mailbox clients know of */
static void
add_message_condition(PlanText *query)
{
	plan_add_key_condition(query, "m", TABLE_MESSAGE);
	if (query->store->expunged.quoted != NULL)
		plan_add(query, " AND %s", plan_live_condition(query->store));
}

/* What the SELECTs of live messages of one mailbox have in common */
static void
message_select(PlanText *query, const char *from)
{
	plan_add(query, "SELECT m.%s::pg_catalog.int8, m.%s::pg_catalog.int8 FROM %s%s AS m WHERE ",
		query->store->uid.quoted, query->store->modseq.quoted, from, query->store->table[TABLE_MESSAGE].name);
	add_message_condition(query);
}

/*
 * Messages of one mailbox, live ones but for ANY_MESSAGE.  STAMP_MESSAGES,
 * STAMP_MESSAGE, which is for a single UID, and RENUMBER_MESSAGES lock what they
 * update, and LOCK_LIVE_MESSAGES what it finds, by UID.
 */
static void
message_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;
	Oid			uidset = plan_uidset_oid();
	const char *in_range =
	psprintf(" AND m.%s OPERATOR(pg_catalog.>=) r.lo AND m.%s OPERATOR(pg_catalog.<=) r.hi",
			 store->uid.quoted, store->uid.quoted);
	int			value;

	plan_add_key_params(query);
	switch (id)
	{
		case PLAN_STAMP_MESSAGES:
			value = plan_add_param(query, INT8OID);
			plan_add(query, "UPDATE %s AS m SET %s = $%d FROM modseq.ranges($%d) AS r WHERE ",
				store->table[TABLE_MESSAGE].name, store->modseq.quoted, value, plan_add_param(query, uidset));
			add_message_condition(query);
			plan_add(query, "%s AND (m.%s OPERATOR(pg_catalog.=) $%d) IS NOT TRUE",
				in_range, store->modseq.quoted, value);
			break;
		case PLAN_STAMP_MESSAGE:
			value = plan_add_param(query, INT8OID);
			plan_add(query, "UPDATE %s AS m SET %s = $%d WHERE ",
				store->table[TABLE_MESSAGE].name, store->modseq.quoted, value);
			add_message_condition(query);
			plan_add(query, " AND m.%s OPERATOR(pg_catalog.=) $%d", store->uid.quoted,
				plan_add_param(query, INT8OID));
			plan_add(query, " AND (m.%s OPERATOR(pg_catalog.=) $%d) IS NOT TRUE",
				store->modseq.quoted, value);
			break;
		case PLAN_RENUMBER_MESSAGES:
			/* By UID, so that the new ones are in the same order */
			plan_add(query, "UPDATE %s AS m SET %s = NULL FROM modseq.ranges($%d) AS r WHERE ",
				store->table[TABLE_MESSAGE].name, store->uid.quoted, plan_add_param(query, uidset));
			add_message_condition(query);
			plan_add(query, "%s", in_range);
			break;
		case PLAN_LIVE_MESSAGES:
		case PLAN_LOCK_LIVE_MESSAGES:
			/* Ranges are ascending, and so is what is found for each */
			message_select(query, psprintf("modseq.ranges($%d) AS r, ",
										   plan_add_param(query, uidset)));
			plan_add(query, "%s", in_range);
			if (id == PLAN_LOCK_LIVE_MESSAGES)
				plan_add(query, " FOR NO KEY UPDATE OF m");
			break;
		case PLAN_ANY_MESSAGE:
			/* Also one that is expunged: the unique index has its UID */
			plan_add(query, "SELECT 1 FROM %s AS m WHERE ", store->table[TABLE_MESSAGE].name);
			plan_add_key_condition(query, "m", TABLE_MESSAGE);
			plan_add(query, " AND m.%s OPERATOR(pg_catalog.=) $%d", store->uid.quoted,
				plan_add_param(query, INT8OID));
			break;
		case PLAN_UNSTAMPED_MESSAGES:
			value = plan_add_param(query, INT8OID);
			message_select(query, psprintf("modseq.ranges($%d) AS r, ",
										   plan_add_param(query, uidset)));
			plan_add(query, "%s AND (m.%s OPERATOR(pg_catalog.>=) $%d) IS NOT TRUE LIMIT 1",
				in_range, store->modseq.quoted, value);
			break;
		case PLAN_CHANGED_MESSAGES:
			/* The order makes the index on (mailbox, modseq) the only choice */
			message_select(query, "");
			plan_add(query, " AND m.%s OPERATOR(pg_catalog.>) $%d ORDER BY m.%s",
				store->modseq.quoted, plan_add_param(query, INT8OID), store->modseq.quoted);
			break;
		default:
			Assert(id == PLAN_MESSAGE_NUMBERS);
			message_select(query, "");
			plan_add(query, " AND m.%s OPERATOR(pg_catalog.<=) $%d ORDER BY m.%s",
				store->uid.quoted, plan_add_param(query, INT8OID), store->uid.quoted);
			break;
	}
}

/*
 * Messages of any mailbox, as (mailbox key, uid, live): by their own keys, of
 * which FIND_MESSAGE and LOCK_MESSAGE take one.  LOCK_MESSAGES takes their row
 * locks, in the order of mailbox and UID; also of messages that are expunged,
 * for somebody may be about to undelete them.
 */
static void
any_message_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;
	Oid			operator = InvalidOid;
	Oid			param_type;
	bool		one;
	int			value;

	if (store->flag_message.quoted != NULL)
		operator = equality_operator(store->message_key.type,
								 store->flag_message.type, &param_type);
	plan_add(query, "SELECT ");
	if (id == PLAN_ALL_FLAGGED && store->flag_message.quoted == NULL)
	{
		plan_add_key_columns(query, "f", TABLE_FLAG);
		plan_add(query, ", f.%s::pg_catalog.int8, true FROM %s AS f",
			store->flag_uid.quoted, query->table);
		return;
	}
	plan_add_key_columns(query, "m", TABLE_MESSAGE);
	plan_add(query, ", m.%s::pg_catalog.int8, %s FROM %s AS m WHERE ",
		store->uid.quoted, plan_live_condition(store),
		id == PLAN_ALL_MESSAGES ? query->table : store->table[TABLE_MESSAGE].name);
	if (id == PLAN_ALL_MESSAGES)
	{
		plan_add(query, "m.%s IS NOT NULL", store->uid.quoted);
		return;
	}
	if (id == PLAN_ALL_FLAGGED)
	{
		plan_add(query, "EXISTS (SELECT FROM %s AS f WHERE ", query->table);
		generate_operator_clause(&query->text,
								 psprintf("m.%s", store->message_key.quoted),
								 store->message_key.type, operator,
								 psprintf("f.%s", store->flag_message.quoted),
								 store->flag_message.type);
		plan_add(query, "%s)", plan_collate_clause(store->message_key.collation));
		return;
	}
	one = id == PLAN_FIND_MESSAGE || id == PLAN_LOCK_MESSAGE;
	value = plan_add_param(query, one ? store->flag_key_type :
					  get_array_type(store->flag_key_type));
	generate_operator_clause(&query->text, psprintf("m.%s", store->message_key.quoted),
							 store->message_key.type, operator,
							 psprintf(one ? "$%d" : "ANY ($%d)", value),
							 one ? store->flag_key_type : param_type);
	if (id == PLAN_LOCK_MESSAGE)
		plan_add(query, " FOR NO KEY UPDATE");
	if (id == PLAN_LOCK_MESSAGES)
	{
		plan_add(query, " ORDER BY ");
		for (int i = 0; i < store->nkeys; i++)
			plan_add(query, "m.%s, ", store->table[TABLE_MESSAGE].key[i].quoted);
		plan_add(query, "m.%s FOR NO KEY UPDATE", store->uid.quoted);
	}
}

/*
 * What else is done with a whole table, query->table, that comes or goes: see
 * bulk.c.  Its rows are nobody else's, for it is locked.
 */
static void
bulk_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;

	switch (id)
	{
		case PLAN_ALL_MAILBOXES:
			plan_add(query, "SELECT ");
			plan_add_key_columns(query, "b", TABLE_MAILBOX);
			plan_add(query, ", 1::pg_catalog.int8, true FROM %s AS b", query->table);
			break;
		case PLAN_ALL_SOURCES:
			plan_add(query, "SELECT ");
			plan_add_key_columns(query, "b", TABLE_SOURCE);
			plan_add(query, ", 1::pg_catalog.int8, true FROM %s AS b", query->table);
			break;
		case PLAN_RESET_MAILBOXES:
			plan_add(query,
				"UPDATE %s AS b SET %s = GREATEST(modseq.next_uidvalidity(), b.%s::pg_catalog.int8 OPERATOR(pg_catalog.+) 1)",
				query->table, store->uidvalidity.quoted, store->uidvalidity.quoted);
			break;
		case PLAN_LAST_UIDS:
			/* Positions, for a type's own order needs no operator's name */
			plan_add(query, "SELECT ");
			plan_add_key_columns(query, "m", TABLE_MESSAGE);
			plan_add(query, ", COALESCE(pg_catalog.max(m.%s)::pg_catalog.int8, 0), true FROM %s AS m GROUP BY ",
				store->uid.quoted, query->table);
			for (int i = 1; i <= store->nkeys; i++)
				plan_add(query, "%s%d", i == 1 ? "" : ", ", i);
			plan_add(query, " ORDER BY ");
			for (int i = 1; i <= store->nkeys; i++)
				plan_add(query, "%s%d", i == 1 ? "" : ", ", i);
			break;
		default:
			Assert(id == PLAN_TOUCH_MESSAGES);
			/* A nested loop, as planner.c has it, keeps the order */
			plan_add(query, "UPDATE %s AS m SET %s = m.%s FROM (SELECT o.tableoid AS part, o.ctid AS place FROM %s AS o ORDER BY ",
				query->table, store->uid.quoted, store->uid.quoted, query->table);
			for (int i = 0; i < store->nkeys; i++)
				plan_add(query, "o.%s, ", store->table[TABLE_MESSAGE].key[i].quoted);
			plan_add(query, "o.%s, o.tableoid, o.ctid) AS o WHERE m.tableoid OPERATOR(pg_catalog.=) o.part AND m.ctid OPERATOR(pg_catalog.=) o.place",
				store->uid.quoted);
			break;
	}
}

/* The vanished table; its key columns are called as in the mailbox table */
static void
vanished_query(PlanText *query, PlanId id)
{
	Store	   *store = query->store;

	if (id == PLAN_CLEAR_VANISHED)
	{
		delete_orphans(query, store->table[TABLE_VANISHED].name, store->table[TABLE_MAILBOX].name, TABLE_MAILBOX);
		return;
	}
	plan_add_key_params(query);
	switch (id)
	{
		case PLAN_APPEND_VANISHED:
			plan_add(query, "INSERT INTO %s (", store->table[TABLE_VANISHED].name);
			add_key_list(query, false);
			plan_add(query, ", modseq, uids) VALUES (");
			add_key_list(query, true);
			plan_add(query, ", $%d", plan_add_param(query, INT8OID));
			plan_add(query, ", $%d)", plan_add_param(query, plan_uidset_oid()));
			return;
		case PLAN_READ_VANISHED:
			plan_add(query, "SELECT v.modseq, v.uids FROM %s AS v WHERE v.modseq OPERATOR(pg_catalog.>) $%d AND ",
				store->table[TABLE_VANISHED].name, plan_add_param(query, INT8OID));
			plan_add_key_condition(query, "v", TABLE_MAILBOX);
			plan_add(query, " ORDER BY v.modseq");
			return;
		case PLAN_RENAME_VANISHED:
			plan_add(query, "UPDATE %s AS v", store->table[TABLE_VANISHED].name);
			add_new_key(query);
			break;
		default:
			Assert(id == PLAN_DROP_VANISHED);
			plan_add(query, "DELETE FROM %s AS v", store->table[TABLE_VANISHED].name);
			break;
	}
	plan_add(query, " WHERE ");
	plan_add_key_condition(query, "v", TABLE_MAILBOX);
}

/* --- all of them ----------------------------------------------------------- */

/* How a query is made, as whose owner it runs, and how it finds its rows */
typedef struct PlanKind
{
	void		(*text) (PlanText *query, PlanId id);
	TableRole	table;
	PlanAccess	access;
} PlanKind;

static const PlanKind kinds[] = {
	[PLAN_LOCK_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_READ_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_READ_MAILBOXES] = {mailboxes_query, TABLE_MAILBOX, ACCESS_RANGES},
	[PLAN_WRITE_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_RAISE_MAILBOX] = {mailbox_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_ADD_MAILBOX] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_RENAME_MAILBOX] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_REMOVE_MAILBOX] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_CLEAR_MAILBOXES] = {side_table_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_FIND_SOURCE] = {side_table_query, TABLE_SOURCE, ACCESS_ANY},
	[PLAN_STAMP_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_STAMP_MESSAGE] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_RENUMBER_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_FIND_MESSAGES] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_FIND_MESSAGE] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_LOCK_MESSAGES] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_LOCK_MESSAGE] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_CHANGED_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_LIVE_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_LOCK_LIVE_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_ANY_MESSAGE] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_UNSTAMPED_MESSAGES] = {message_query, TABLE_MESSAGE, ACCESS_RANGES},
	[PLAN_MESSAGE_NUMBERS] = {message_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_APPEND_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_ANY},
	[PLAN_READ_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_INDEX},
	/* These lock rows by mod-sequence, as compact() does */
	[PLAN_RENAME_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_INDEX},
	[PLAN_DROP_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_INDEX},
	[PLAN_CLEAR_VANISHED] = {vanished_query, TABLE_VANISHED, ACCESS_ANY},
	[PLAN_ALL_MESSAGES] = {any_message_query, TABLE_MESSAGE, ACCESS_ANY},
	[PLAN_ALL_FLAGGED] = {any_message_query, TABLE_FLAG, ACCESS_ANY},
	[PLAN_ALL_MAILBOXES] = {bulk_query, TABLE_MAILBOX, ACCESS_ANY},
	[PLAN_ALL_SOURCES] = {bulk_query, TABLE_SOURCE, ACCESS_ANY},
	[PLAN_LAST_UIDS] = {bulk_query, TABLE_MESSAGE, ACCESS_ANY},
	/* In the order of their UIDs, by their place in the table */
	[PLAN_TOUCH_MESSAGES] = {bulk_query, TABLE_MESSAGE, ACCESS_INDEX},
	[PLAN_RESET_MAILBOXES] = {bulk_query, TABLE_MAILBOX, ACCESS_ANY}
};

TableRole
plan_table(PlanId id)
{
	return kinds[id].table;
}

PlanAccess
plan_access(PlanId id)
{
	return kinds[id].access;
}

/*
 * plan_text: the text of a query, and the types of its parameters
 *
 * table is that of plan_scan(), or NULL.  Returns how many parameters it has.
 */
int
plan_text(Store *store, PlanId id, const char *table, char **text,
		  Oid params[MODSEQ_MAX_PARAMS])
{
	PlanText	query = {0};

	query.store = store;
	query.table = table;
	initStringInfo(&query.text);
	kinds[id].text(&query, id);
	*text = query.text.data;
	memcpy(params, query.params, sizeof(query.params));
	return query.nparams;
}
