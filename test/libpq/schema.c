/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  The tables of the test: mailboxes, messages, flags; attached to modseq,
 *	  or made into a store with a mistake.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program if the statement fails */
static void
must(Client *client, const char *sql)
{
	if (run(client, "%s", sql))
		return;
	fprintf(stderr, "converge: %s# in: %s\n", client->message, sql);
	exit(2);
}

/* The flags of message m as one text, by sets: order and duplicates are gone */
static const char *
flags_alone(void)
{
#define COLUMNS "concat('S' || CASE WHEN m.seen THEN 1 ELSE 0 END, ' b', coalesce(m.bits, 0), ' '," \
	" (SELECT string_agg(DISTINCT k, '' ORDER BY k) FROM pg_catalog.unnest(m.kw) AS k))"
#define TABLE "concat('f', (SELECT string_agg(f.flag, '' ORDER BY f.flag)" \
	" FROM mw_mail_flag AS f WHERE f.mail_id = m.id))"
#define OF_TENANT "concat('f', (SELECT string_agg(f.flag, '' ORDER BY f.flag)" \
	" FROM mw_mail_flag AS f WHERE (f.mail_id, f.tenant) = (m.id, m.tenant)))"
	if (options.shared_columns)
		return options.tenants ?
			"(SELECT " COLUMNS " FROM mw_msg AS m WHERE (m.id, m.owner) = (msg, tenant))" :
			"(SELECT " COLUMNS " FROM mw_msg AS m WHERE m.id = msg)";
	if (options.shared)
		return options.tenants ?
			"concat('f', (SELECT string_agg(f.flag, '' ORDER BY f.flag)"
			" FROM mw_mail_flag AS f WHERE (f.mail_id, f.tenant) = (m.msg, m.tenant)))" :
			"concat('f', (SELECT string_agg(f.flag, '' ORDER BY f.flag)"
			" FROM mw_mail_flag AS f WHERE f.mail_id = m.msg))";
	if (options.flag_table && options.flag_columns)
		return options.tenants ? "concat(" COLUMNS ", ' ', " OF_TENANT ")" :
			"concat(" COLUMNS ", ' ', " TABLE ")";
	if (options.flag_table)
		return options.tenants ? OF_TENANT : TABLE;
	return COLUMNS;
}

/* And with it what tells it apart from all others, where servers are lost */
const char *
flags_expression(void)
{
	static char text[600];

	if (!options.failover)
		return flags_alone();
	if (text[0] == '\0')
		snprintf(text, sizeof(text), "concat(%s, '#', m.identity)", flags_alone());
	return text;
}

/* Which messages clients know of */
const char *
live_condition(void)
{
	return options.soft_delete == SOFT_NONE ? "true" : "m.gone IS NOT TRUE";
}

/* Do flags go with their message?  Partitions allow no key of id alone to refer to. */
bool
flags_cascade(void)
{
	return options.foreign_keys && !options.partitioned && !options.shared;
}

/* Is there a table of the messages that are in several mailboxes? */
bool
has_mw_msg(void)
{
	return options.shared_columns || (options.shared && options.foreign_keys);
}

/*
 * One for each value of part, which is its default there; the second has its
 * columns at other places, and the last is partitioned itself.
 */
static void
create_partitions(Client *client)
{
	must(client, "CREATE TABLE mw_mail_0 PARTITION OF mw_mail (part DEFAULT 0)"
		 " FOR VALUES FROM (MINVALUE) TO (1)");
	must(client, "CREATE TABLE mw_mail_1 (dropped text, LIKE mw_mail INCLUDING DEFAULTS INCLUDING GENERATED)");
	must(client, "ALTER TABLE mw_mail_1 DROP dropped, ALTER part SET DEFAULT 1");
	must(client, "ALTER TABLE mw_mail ATTACH PARTITION mw_mail_1 FOR VALUES FROM (1) TO (2)");
	must(client, "CREATE TABLE mw_mail_2 PARTITION OF mw_mail (part DEFAULT 2)"
		 " FOR VALUES FROM (2) TO (3)");
	must(client, "CREATE TABLE mw_mail_3 PARTITION OF mw_mail (part DEFAULT 3)"
		 " FOR VALUES FROM (3) TO (4) PARTITION BY HASH (id)");
	must(client, "CREATE TABLE mw_mail_3_0 PARTITION OF mw_mail_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0)");
	must(client, "CREATE TABLE mw_mail_3_1 PARTITION OF mw_mail_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1)");
}

/*
 * The messages themselves, which the memberships refer to.  A membership that
 * names none brings a new one.
 */
static void
create_shared(Client *client)
{
	must(client, "CREATE SEQUENCE mw_msg_id");
	if (!has_mw_msg())
		return;
	must(client, options.tenants ?
		 "CREATE TABLE mw_msg (owner integer, id bigint, PRIMARY KEY (owner, id))" :
		 "CREATE TABLE mw_msg (id bigint PRIMARY KEY)");
	if (options.shared_columns)
		must(client, "ALTER TABLE mw_msg ADD seen boolean, ADD bits integer, ADD kw text[]");
	if (!run(client, "CREATE OR REPLACE FUNCTION converge_message() RETURNS trigger LANGUAGE plpgsql AS $$"
			 " BEGIN INSERT INTO mw_msg (id%s) VALUES (NEW.msg%s) ON CONFLICT DO NOTHING; RETURN NEW; END $$",
			 TENANT(", owner"), TENANT(", NEW.tenant")))
		exit(2);
}

/* Foreign keys from flags to messages, and from both to what is shared */
static void
refer_with_tenant(Client *client)
{
	if (flags_cascade())
		must(client, "ALTER TABLE mw_mail_flag ADD FOREIGN KEY (tenant, mail_id)"
			 " REFERENCES mw_mail (tenant, id) ON DELETE CASCADE");
	if (options.shared && options.foreign_keys)
		must(client, "ALTER TABLE mw_mail ADD FOREIGN KEY (tenant, msg) REFERENCES mw_msg ON DELETE CASCADE;"
			 " ALTER TABLE mw_mail_flag ADD FOREIGN KEY (mail_id, tenant)"
			 " REFERENCES mw_msg (id, owner) ON DELETE CASCADE");
}

static void
create_tables(Client *client)
{
	static const char *const gone[] = {
		"", ", gone boolean",
		", status integer, gone boolean GENERATED ALWAYS AS (status = 2) STORED"
	};
	const char *to_mailbox = "";
	const char *to_mail = "";
	const char *to_message = "";
	char		message[120] = "";
	const char *tenant = "";
	char		sql[SQL_SIZE];

	if (options.foreign_keys)
		to_mailbox = " REFERENCES mw_mailbox ON DELETE CASCADE";
	if (flags_cascade())
		to_mail = " REFERENCES mw_mail ON DELETE CASCADE";
	if (options.shared && options.foreign_keys)
		to_mail = to_message = " REFERENCES mw_msg ON DELETE CASCADE";
	if (options.tenants)
		to_mail = to_message = "";	/* see refer_with_tenant() */
	if (options.tenants)
		tenant = options.shared ?
			", tenant integer NOT NULL DEFAULT pg_catalog.currval('mw_msg_id') % 4" :
			", tenant integer NOT NULL DEFAULT pg_catalog.currval('mw_mail_id') % 4";
	must(client, "DROP TABLE IF EXISTS mw_mail_flag, mw_mail, mw_msg, mw_mailbox, mw_mail_vanished, mw_mail_mailbox, mw_mail_account, mw_mail_departed, mw_aside");
	must(client, "DROP SEQUENCE IF EXISTS mw_mail_id, mw_msg_id");
	must(client, "DROP SCHEMA IF EXISTS broken CASCADE");
	must(client, "CREATE EXTENSION IF NOT EXISTS modseq");
	must(client, "CREATE SEQUENCE mw_mail_id");
	if (options.shared)
	{
		create_shared(client);
		snprintf(message, sizeof(message), ", msg bigint NOT NULL"
				 " DEFAULT pg_catalog.nextval('mw_msg_id')%s%s", TENANT(" / 4"), to_message);
	}
	must(client, "CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, name text, acct integer) WITH (fillfactor = 50)");
	snprintf(sql, SQL_SIZE, "CREATE TABLE mw_mail ("
			 "id bigint DEFAULT pg_catalog.nextval('mw_mail_id')%s,"
			 " mailbox_id bigint NOT NULL%s, subject text%s%s%s%s%s%s%s%s)",
			 options.tenants && !options.shared ? " / 4" : "", to_mailbox,
			 message, tenant,
			 options.accounts ? ", thread bigint NOT NULL DEFAULT pg_catalog.random() * 30" : "",
			 options.failover ? ", identity text DEFAULT left(pg_catalog.gen_random_uuid()::text, 13)" : "",
			 options.flag_columns ? ", seen boolean, bits integer, kw text[]" : "",
			 counts_columns(), gone[options.soft_delete], options.partitioned ?
			 ", part integer NOT NULL DEFAULT pg_catalog.random() * 3,"
			 " PRIMARY KEY (id, part)) PARTITION BY RANGE (part" :
			 options.tenants && !options.shared ? ", PRIMARY KEY (id, tenant)" :
			 ", PRIMARY KEY (id)");
	must(client, sql);
	if (options.partitioned)
		create_partitions(client);
	if (options.accounts && options.shared)
		must(client, "CREATE OR REPLACE FUNCTION converge_thread() RETURNS trigger LANGUAGE plpgsql AS $$"
			 " BEGIN NEW.thread := NEW.msg % 30; RETURN NEW; END $$;"
			 " CREATE TRIGGER a_thread BEFORE INSERT OR UPDATE ON mw_mail"
			 " FOR EACH ROW EXECUTE FUNCTION converge_thread()");
	if (has_mw_msg())
		must(client, "CREATE TRIGGER a_message BEFORE INSERT ON mw_mail"
			 " FOR EACH ROW EXECUTE FUNCTION converge_message()");
	if (!options.flag_table)
		return;
	snprintf(sql, SQL_SIZE, "CREATE TABLE mw_mail_flag ("
			 "mail_id bigint NOT NULL%s, flag text%s, PRIMARY KEY (mail_id, flag%s))",
			 to_mail, TENANT(", tenant integer"), TENANT(", tenant"));
	must(client, sql);
	if (options.tenants)
		refer_with_tenant(client);
}

/*
 * Triggers as an application may have them: they cancel rows before and after
 * modseq has numbered them, and change others in a subtransaction that may be
 * rolled back.
 */
static void
create_triggers(Client *client)
{
	must(client, "CREATE OR REPLACE FUNCTION converge_before() RETURNS trigger LANGUAGE plpgsql AS $$"
		 " DECLARE id bigint := CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END;"
		 " BEGIN IF id % TG_ARGV[0]::int = 0 AND pg_trigger_depth() = 1 THEN RETURN NULL; END IF;"
		 " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$");
	must(client, "CREATE TRIGGER a_before BEFORE INSERT OR UPDATE OR DELETE ON mw_mail"
		 " FOR EACH ROW EXECUTE FUNCTION converge_before(13)");
	must(client, "CREATE TRIGGER zzz_before BEFORE INSERT OR UPDATE OR DELETE ON mw_mail"
		 " FOR EACH ROW EXECUTE FUNCTION converge_before(11)");
	if (!run(client, "CREATE OR REPLACE FUNCTION converge_after() RETURNS trigger LANGUAGE plpgsql AS $$"
			 " BEGIN IF pg_trigger_depth() > 1 OR NEW.id %% TG_ARGV[0]::int <> 0 THEN RETURN NULL; END IF;"
			 " %s; BEGIN %s; %s IF NEW.id %% 2 = 0 THEN RAISE EXCEPTION 'undone'; END IF;"
			 " EXCEPTION WHEN raise_exception THEN NULL; END; RETURN NULL; END $$",
			 options.flag_columns ? "UPDATE mw_mail SET seen = NOT seen WHERE id = NEW.id" :
			 "UPDATE mw_mail SET subject = 'after' WHERE id = NEW.id",
			 options.flag_table ? "INSERT INTO mw_mail_flag VALUES (NEW.id, 'z') ON CONFLICT DO NOTHING" :
			 "UPDATE mw_mail SET bits = coalesce(bits, 0) # 16 WHERE id = NEW.id",
			 options.flag_columns ? "UPDATE mw_mail SET kw = '{t}' WHERE id = NEW.id;" : ""))
		exit(2);
	must(client, "CREATE TRIGGER b_after AFTER INSERT OR UPDATE ON mw_mail"
		 " FOR EACH ROW EXECUTE FUNCTION converge_after(5)");
	must(client, "CREATE TRIGGER z_after AFTER INSERT OR UPDATE ON mw_mail"
		 " FOR EACH ROW EXECUTE FUNCTION converge_after(7)");
}

/* So that a crash is likely to meet a COMMIT */
static void
linger_at_commit(Client *client)
{
	must(client, "CREATE OR REPLACE FUNCTION converge_linger() RETURNS trigger LANGUAGE plpgsql AS $$"
		 " BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END $$");
	must(client, "CREATE CONSTRAINT TRIGGER converge_linger AFTER INSERT ON mw_mail"
		 " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id % 10 = 0)"
		 " EXECUTE FUNCTION converge_linger()");
}

static void
attach(Client *client)
{
	char		sql[SQL_SIZE];
	char		flag[200] = "";

	if (options.shared_columns)
		snprintf(flag, sizeof(flag), ", flag => 'mw_msg', flag_message => '{id%s}',"
				 " message_key => '{msg%s}', flag_columns => '{seen,bits,kw}'",
				 TENANT(",owner"), TENANT(",tenant"));
	else if (options.flag_table)
		snprintf(flag, sizeof(flag), ", flag => 'mw_mail_flag', flag_message => '{mail_id%s}',"
				 " message_key => '{%s%s}'", TENANT(",tenant"), FLAG_KEY, TENANT(",tenant"));
	snprintf(sql, SQL_SIZE, "SELECT modseq.attach('mw_mail', 'mw_mailbox',"
			 " message_mailbox => '{mailbox_id}', counters => '%s', changes => '%s'%s%s%s%s%s%s%s)",
			 options.in_mailbox ? "mailbox" : "beside", options.log ? "log" : "index", flag,
			 options.accounts ? ", account => '{acct}', thread => 'thread', email => " : "",
			 !options.accounts ? "" : options.shared ? "'msg'" : "'id'",
			 options.flag_columns ? ", message_flags => '{seen,bits,kw}'" : "",
			 options.soft_delete ? ", message_expunged => 'gone'" : "",
			 options.fold ? ", vanished_keep => '5 ms'" : "", counts_options());
	must(client, sql);
}

/* A store made by broken.sql, which is beside the program */
static void
make_broken(Client *client, const char *directory)
{
	char		path[1024];
	char		sql[65536];
	FILE	   *file;
	size_t		length;

	snprintf(path, sizeof(path), "%s/broken.sql", directory);
	file = fopen(path, "r");
	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	length = fread(sql, 1, sizeof(sql) - 1, file);
	sql[length] = '\0';
	fclose(file);
	must(client, "CREATE SCHEMA broken");
	if (!run(client, "CREATE FUNCTION broken.mistake() RETURNS text"
			 " LANGUAGE sql IMMUTABLE AS $$ SELECT '%s' $$", options.broken))
		exit(2);
	must(client, sql);
	if (options.flag_table)
		must(client, "CREATE TRIGGER after_flag AFTER INSERT OR UPDATE OR DELETE ON mw_mail_flag"
			 " FOR EACH ROW EXECUTE FUNCTION broken.after_flag()");
}

void
schema_create(Client *client, const char *directory)
{
	PGresult   *result;

	must(client, "SET client_min_messages = warning");
	create_tables(client);
	if (options.broken)
		make_broken(client, directory);
	else
		attach(client);
	if (options.returned)
		must(client, returned_schema());
	if (options.triggers)
		create_triggers(client);
	if (options.crash || options.failover)
		linger_at_commit(client);
	if (!run(client, "INSERT INTO mw_mailbox (id, name, acct)"
			 " SELECT i, 'box ' || i, i %% %d FROM generate_series(1, %d) AS i",
			 options.accounts ? options.accounts : 1, options.mailboxes + 1))
		exit(2);
	/* Half full, and known to the planner: see session_settings() */
	if (!run(client, "INSERT INTO mw_mail (mailbox_id, subject) SELECT i, 'old'"
			 " FROM generate_series(1, %d) AS g, generate_series(1, %d) AS i",
			 options.messages / 2, options.mailboxes) ||
		!run(client, "ANALYZE mw_mailbox, mw_mail"))
		exit(2);
	result = query(client, "SELECT FROM pg_catalog.pg_proc"
				   " WHERE pronamespace = 'modseq'::regnamespace AND proname = 'compact'");
	options.has_compact = !options.broken && result && PQntuples(result) > 0;
	PQclear(result);
	result = query(client, "SHOW max_prepared_transactions");
	options.prepared = result && atoi(PQgetvalue(result, 0, 0)) > 0;
	PQclear(result);
}
