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

static PGconn *conn;

/* Ends the program where there is no server */
PGconn *
connect_server(void)
{
	PGconn	   *server = PQconnectdb("");

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
			 " message_flags => '{n}', counters => '%s', changes => '%s'%s)",
			 settings.in_mailbox ? "mailbox" : "beside", settings.log ? "log" : "index",
			 settings.accounts ? ", account => '{acct}', email => 'id'" : "");
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

void
create_store(const char *directory)
{
	char		sql[1000];

	conn = connect_server();
	must("DROP TABLE IF EXISTS mw_mail, mw_mailbox, mw_mail_vanished, mw_mail_mailbox, mw_mail_account, mw_mail_departed;"
		 " DROP SEQUENCE IF EXISTS mw_mail_id; DROP SCHEMA IF EXISTS broken CASCADE;"
		 " DROP FUNCTION IF EXISTS mw_store; CREATE EXTENSION IF NOT EXISTS modseq");
	must("CREATE SEQUENCE mw_mail_id START 1000000000;"
		 " CREATE TABLE mw_mailbox (id bigint PRIMARY KEY, acct bigint) WITH (fillfactor = 50);"
		 " CREATE TABLE mw_mail (id bigint PRIMARY KEY DEFAULT nextval('mw_mail_id'),"
		 " mailbox_id bigint NOT NULL REFERENCES mw_mailbox ON DELETE CASCADE, n integer NOT NULL DEFAULT 0)");
	if (settings.broken)
		make_broken(directory);
	else
		attach();
	/* Two statements, as the second must not have the snapshot of the first */
	snprintf(sql, sizeof(sql), "CREATE FUNCTION mw_store(box bigint, u bigint, since bigint) RETURNS boolean LANGUAGE plpgsql AS $$"
			 " BEGIN IF (SELECT verdict FROM %s.unchanged_since('mw_mail', box, modseq.uidset(u), since)) <> 'unchanged'"
			 " THEN RETURN false; END IF;"
			 " UPDATE mw_mail SET n = n + 1 WHERE mailbox_id = box AND uid = u;"
			 " IF NOT FOUND THEN RAISE EXCEPTION 'unchanged, but gone'; END IF; RETURN true; END $$",
			 settings.schema);
	must(sql);
	must("ANALYZE");
	PQfinish(conn);
}
