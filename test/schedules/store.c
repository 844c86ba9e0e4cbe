/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Talking to the server; and the tables that schedules work on.  They have
 *	  the names that the convergence test's have, so that its stores with
 *	  mistakes serve here, too.
 *
 *-------------------------------------------------------------------------
 */
#include "schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static PGconn *conn;
static char database[200];		/* empty: as libpq has it */

/* Each process has a database to itself, so that it can lock whole tables */
void
choose_database(int job)
{
	char		sql[300];

	if (job == 0)
		return;
	conn = connect_server();
	snprintf(database, sizeof(database), "%s_%d", PQdb(conn), job);
	snprintf(sql, sizeof(sql), "SELECT FROM pg_database WHERE datname = '%s'", database);
	if (PQntuples(run_sql(conn, sql)) == 0)
	{
		snprintf(sql, sizeof(sql), "CREATE DATABASE \"%s\" TEMPLATE template0", database);
		PQclear(run_sql(conn, sql));
	}
	PQfinish(conn);
}

/* Ends the program where there is no server */
PGconn *
connect_server(void)
{
	PGconn	   *server = PQconnectdbParams((const char *[]) {"dbname", NULL},
										   (const char *[]) {database, NULL}, false);

	if (PQstatus(server) != CONNECTION_OK)
	{
		fprintf(stderr, "schedules: %s", PQerrorMessage(server));
		exit(2);
	}
	PQclear(run_sql(server, "SET client_min_messages = warning"));
	return server;
}

/* Ends the program where it fails */
PGresult *
run_sql(PGconn *server, const char *sql)
{
	PGresult   *result = PQexec(server, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
	{
		fprintf(stderr, "schedules: %s# in: %s\n", PQerrorMessage(server), sql);
		exit(2);
	}
	return result;
}

static void
must(const char *sql)
{
	PQclear(run_sql(conn, sql));
}

static void
attach(void)
{
	char		sql[1000];

	snprintf(sql, sizeof(sql), "SELECT modseq.attach('mw_mail', 'mw_mailbox', message_mailbox => '{mailbox_id}',"
			 " counters => '%s', changes => '%s'%s%s%s%s)",
			 settings.in_mailbox ? "mailbox" : "beside", settings.log ? "log" : "index",
			 settings.shared ? ", flag => 'mw_msg', flag_message => '{id}', message_key => '{msg}', flag_columns => '{n}'" :
			 settings.flag_table ? ", flag => 'mw_mail_flag', flag_message => '{mail_id}', message_key => '{id}'" :
			 ", message_flags => '{n}'", settings.soft ? ", message_expunged => 'gone'" : "",
			 settings.accounts ? ", account => '{acct}', email => " : "",
			 !settings.accounts ? "" : settings.shared ? "'msg'" : "'id'");
	must(sql);
}

/* broken.sql asks a function which mistake it is to make */
static void
make_broken(const char *directory)
{
	char		path[1024];
	char		sql[65536];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/../libpq/broken.sql", directory);
	file = fopen(path, "r");
	if (file == NULL)
	{
		perror(path);
		exit(2);
	}
	snprintf(sql, sizeof(sql), "CREATE SCHEMA broken;"
			 " CREATE FUNCTION broken.mistake() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '%s' $$",
			 settings.broken);
	must(sql);
	sql[fread(sql, 1, sizeof(sql) - 1, file)] = '\0';
	fclose(file);
	must(sql);
}

static void
create_tables(void)
{
	char		sql[1500];

	must("DROP TABLE IF EXISTS mw_mail_flag, mw_mail, mw_msg, mw_mailbox, mw_mail_vanished, mw_mail_mailbox, mw_mail_account,"
		 " mw_mail_departed; DROP SEQUENCE IF EXISTS mw_mail_id; DROP SCHEMA IF EXISTS broken CASCADE;"
		 " DROP FUNCTION IF EXISTS mw_store, mw_in_state, mw_bring; CREATE EXTENSION IF NOT EXISTS modseq");
	must("CREATE SEQUENCE mw_mail_id START 1000000000;"
		 " CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, acct bigint) WITH (fillfactor = 50)");
	snprintf(sql, sizeof(sql), "CREATE TABLE mw_mail (id bigint DEFAULT nextval('mw_mail_id'), n integer NOT NULL DEFAULT 0,"
			 " mailbox_id bigint NOT NULL REFERENCES mw_mailbox ON DELETE CASCADE ON UPDATE CASCADE%s%s%s)",
			 settings.soft ? ", gone boolean" : "",
			 settings.shared ? ", msg bigint NOT NULL DEFAULT nextval('mw_mail_id')" : "",
			 settings.partitioned ? ", part integer NOT NULL DEFAULT 0, PRIMARY KEY (id, part)) PARTITION BY LIST (part" :
			 ", PRIMARY KEY (id)");
	must(sql);
	if (settings.partitioned)
		must("CREATE TABLE mw_mail_0 PARTITION OF mw_mail FOR VALUES IN (0);"
			 " CREATE TABLE mw_mail_1 PARTITION OF mw_mail FOR VALUES IN (1)");
	if (settings.flag_table)
		must("CREATE TABLE mw_mail_flag (mail_id bigint NOT NULL REFERENCES mw_mail ON DELETE CASCADE,"
			 " flag bigint NOT NULL DEFAULT nextval('mw_mail_id'), PRIMARY KEY (mail_id, flag))");
	if (settings.shared)
		must("CREATE TABLE mw_msg (id bigint PRIMARY KEY, n integer NOT NULL DEFAULT 0);"
			 " CREATE FUNCTION mw_bring() RETURNS trigger LANGUAGE plpgsql AS $$"
			 " BEGIN INSERT INTO mw_msg VALUES (NEW.msg) ON CONFLICT DO NOTHING; RETURN NEW; END $$;"
			 " CREATE TRIGGER a_bring BEFORE INSERT ON mw_mail FOR EACH ROW EXECUTE FUNCTION mw_bring()");
}

/*
 * What is done under a lock if nothing has changed since.  Two statements, as
 * the second must not have the snapshot of the first.
 */
static void
create_conditional(void)
{
	const char *key = settings.shared ? "msg" : "id";
	const char *change = settings.shared ? "UPDATE mw_msg SET n = n + 1 WHERE id IN (SELECT msg FROM mw_mail WHERE %s)" :
		settings.flag_table ? "INSERT INTO mw_mail_flag (mail_id) SELECT id FROM mw_mail WHERE %s" :
		"UPDATE mw_mail SET n = n + 1 WHERE %s";
	char		condition[100];
	char		own[300];
	char		sql[1500];

	snprintf(own, sizeof(own), change, "mailbox_id = box AND uid = u");
	snprintf(sql, sizeof(sql), "CREATE FUNCTION mw_store(box bigint, validity bigint, u bigint, since bigint) RETURNS boolean"
			 " LANGUAGE plpgsql AS $$"
			 " BEGIN IF (SELECT verdict FROM %s.unchanged_since('mw_mail', box, modseq.uidset(u), since)) <> 'unchanged'"
			 " THEN RETURN false; END IF;"
			 " IF (SELECT uidvalidity FROM %s.status('mw_mail', box)) <> validity THEN RETURN false; END IF;"
			 " %s; IF NOT FOUND THEN RAISE EXCEPTION 'unchanged, but gone'; END IF; RETURN true; END $$",
			 settings.schema, settings.schema, own);
	must(sql);
	if (!settings.accounts)
		return;
	snprintf(condition, sizeof(condition), "mailbox_id = box AND %s = message", key);
	snprintf(own, sizeof(own), change, condition);
	snprintf(sql, sizeof(sql), "CREATE FUNCTION mw_in_state(account bigint, since text, box bigint, message bigint)"
			 " RETURNS boolean LANGUAGE plpgsql AS $$"
			 " BEGIN IF (SELECT email FROM modseq.account_lock('mw_mail', account)) <> since THEN RETURN false; END IF;"
			 " %s; RETURN true; END $$", own);
	must(sql);
}

void
create_store(const char *directory)
{
	conn = connect_server();
	create_tables();
	if (settings.broken)
		make_broken(directory);
	else
		attach();
	create_conditional();
	must("ANALYZE");
	PQfinish(conn);
}
