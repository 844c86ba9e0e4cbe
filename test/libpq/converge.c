/*-------------------------------------------------------------------------
 *
 * converge.c
 *	  Do clients that only ever ask "what changed since n" end up with exactly
 *	  the server's mailboxes?  Options, threads, quiet points, and the report.
 *
 * Usage: see usage().  The connection is libpq's usual environment; the user
 * must be able to create the extension.  Exit status: 0 all is well, 1 not,
 * 2 the test could not run.
 *
 *-------------------------------------------------------------------------
 */
#include "replica.h"

#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

Options		options = {
	.writers = 8,.replicas = 8,.mailboxes = 20,.seconds = 0,.round = 3,
	.mode = MODE_MIXED,.flag_table = true,.flag_columns = true,
	.foreign_keys = true,.steps = 4,.messages = 120,.schema = "modseq"
};
Totals		totals;
atomic_bool stopping;
atomic_bool round_over;
atomic_bool finished;
atomic_long *acknowledged;

static pthread_barrier_t the_barrier;
static int	cas_increments = 200;

static void
usage(void)
{
	puts("converge [OPTION]...\n"
		 "  --writers N --replicas N --mailboxes N      8, 8 and 20\n"
		 "  --operations N, --seconds S                 when to stop: 20 seconds\n"
		 "  --round S                                   seconds between quiet points: 3\n"
		 "  --seed N                                    of all random choices\n"
		 "  --mode locked|raw|mixed                     every writer locks first; or issues single\n"
		 "                                              statements on one mailbox; or anything\n"
		 "  --shape flagtable|flagcolumns|both          where flags are: both\n"
		 "  --shared                                    flags are of messages in several mailboxes; with\n"
		 "                                              shape flagtable or flagcolumns, not in mode raw\n"
		 "  --tenants                                   ids of messages restart for each tenant;\n"
		 "                                              flags in a table or shared, not with triggers or partitions\n"
		 "  --no-foreign-keys\n"
		 "  --counters beside|mailbox                   where they are: beside the mailbox table\n"
		 "  --log                                       changes are logged, and have no index\n"
		 "  --fold                                      vanished rows are kept for milliseconds, and fold all the time\n"
		 "  --counts                                    of messages are kept, and compared with them\n"
		 "  --accounts N                                that the mailboxes are of, with replicas of JMAP;\n"
		 "                                              not with tenants\n"
		 "  --steps N                                   in a transaction, at most: 4\n"
		 "  --messages N                                that a mailbox should have: 120\n"
		 "  --triggers                                  the application has triggers of its own\n"
		 "  --truncate                                  also TRUNCATE, now and then\n"
		 "  --soft-delete none|column|generated         an expunge sets a column: none\n"
		 "  --partitioned                               messages, which go to other partitions now and then\n"
		 "  --returned                                  some messages are taken out and put back\n"
		 "  --crash COMMAND                             run COMMAND, which restarts the server, now and then\n"
		 "  --servers DIRECTORY                         of the script servers: read on its standby, too\n"
		 "  --failover                                  lose its primary now and then, and go on on a standby\n"
		 "  --cas N                                     increments of the compare-and-swap test: 200\n"
		 "  --answers FILE                              write there what replicas of IMAP are told\n"
		 "  --broken sequence|early-commit|forgotten-expunge|none\n"
		 "                                              a store with that mistake; exits 0 if it is found\n"
		 "  --verbose");
}

void
barrier(void)
{
	pthread_barrier_wait(&the_barrier);
}

/* --- options ------------------------------------------------------------------- */

static int
one_of(const char *value, const char *const *names, const char *option)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(value, names[i]) == 0)
			return i;
	fprintf(stderr, "converge: --%s cannot be %s\n", option, value);
	exit(2);
}

static void
set_shape(const char *value)
{
	static const char *const shapes[] = {"flagtable", "flagcolumns", "both", NULL};
	int			shape = one_of(value, shapes, "shape");

	options.flag_table = shape != 1;
	options.flag_columns = shape != 0;
}

static void
set_mode(const char *value)
{
	static const char *const modes[] = {"locked", "raw", "mixed", NULL};

	options.mode = one_of(value, modes, "mode");
}

static void
set_soft_delete(const char *value)
{
	static const char *const kinds[] = {"none", "column", "generated", NULL};

	options.soft_delete = one_of(value, kinds, "soft-delete");
}

static void
set_counters(const char *value)
{
	static const char *const places[] = {"beside", "mailbox", NULL};

	options.in_mailbox = one_of(value, places, "counters") == 1;
}

static void
set_broken(const char *value)
{
	static const char *const mistakes[] = {
		"sequence", "early-commit", "forgotten-expunge", "none", NULL
	};

	options.broken = mistakes[one_of(value, mistakes, "broken")];
	options.schema = "broken";
}

static void
parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"writers", 1, NULL, 'w'}, {"replicas", 1, NULL, 'r'},
		{"mailboxes", 1, NULL, 'm'}, {"operations", 1, NULL, 'o'},
		{"seconds", 1, NULL, 's'}, {"round", 1, NULL, 'R'},
		{"seed", 1, NULL, 'S'}, {"mode", 1, NULL, 'M'},
		{"shape", 1, NULL, 'f'}, {"no-foreign-keys", 0, NULL, 'k'},
		{"messages", 1, NULL, 'n'}, {"truncate", 0, NULL, 't'},
		{"crash", 1, NULL, 'c'}, {"cas", 1, NULL, 'C'}, {"answers", 1, NULL, 'A'}, {"triggers", 0, NULL, 'T'},
		{"soft-delete", 1, NULL, 'd'}, {"partitioned", 0, NULL, 'p'}, {"returned", 0, NULL, 'u'},
		{"shared", 0, NULL, 'x'}, {"counters", 1, NULL, 'X'}, {"log", 0, NULL, 'L'}, {"fold", 0, NULL, 'V'}, {"counts", 0, NULL, 'N'},
		{"tenants", 0, NULL, 'i'},
		{"steps", 1, NULL, 'l'}, {"accounts", 1, NULL, 'a'},
		{"broken", 1, NULL, 'b'}, {"verbose", 0, NULL, 'v'},
		{"servers", 1, NULL, 'D'}, {"failover", 0, NULL, 'F'},
		{"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}
	};
	int			c;

	options.seed = time(NULL);
	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1)
		switch (c)
		{
			case 'w':
				options.writers = atoi(optarg);
				break;
			case 'r':
				options.replicas = atoi(optarg);
				break;
			case 'm':
				options.mailboxes = atoi(optarg);
				break;
			case 'o':
				options.operations = atol(optarg);
				break;
			case 's':
				options.seconds = atof(optarg);
				break;
			case 'R':
				options.round = atof(optarg);
				break;
			case 'S':
				options.seed = strtoull(optarg, NULL, 10);
				break;
			case 'M':
				set_mode(optarg);
				break;
			case 'f':
				set_shape(optarg);
				break;
			case 'k':
				options.foreign_keys = false;
				break;
			case 'a':
				options.accounts = atoi(optarg);
				break;
			case 'l':
				options.steps = atoi(optarg);
				break;
			case 'x':
				options.shared = true;
				break;
			case 'i':
				options.tenants = true;
				break;
			case 'n':
				options.messages = atoi(optarg);
				break;
			case 't':
				options.truncate = true;
				break;
			case 'c':
				options.crash = optarg;
				break;
			case 'D':
				options.servers = optarg;
				break;
			case 'F':
				options.failover = true;
				break;
			case 'A':
				answers_open(optarg);
				break;
			case 'T':
				options.triggers = true;
				break;
			case 'C':
				cas_increments = atoi(optarg);
				break;
			case 'd':
				set_soft_delete(optarg);
				break;
			case 'p':
				options.partitioned = true;
				break;
			case 'u':
				options.returned = true;
				break;
			case 'X':
				set_counters(optarg);
				break;
			case 'L':
				options.log = true;
				break;
			case 'V':
				options.fold = true;
				break;
			case 'N':
				options.counts = true;
				break;
			case 'b':
				set_broken(optarg);
				break;
			case 'v':
				options.verbose = true;
				break;
			case 'h':
				usage();
				exit(0);
			default:
				usage();
				exit(2);
		}
	if (optind < argc || options.writers < 1 || options.replicas < 1 ||
		options.mailboxes < 1 || (options.shared &&
								  (options.mode == MODE_RAW || options.flag_table == options.flag_columns)) ||
		options.accounts < 0 || (options.accounts > 0 && (options.tenants || options.broken)) ||
		(options.failover && (!options.servers || options.crash || options.broken || options.returned)) ||
		(options.servers && options.truncate) ||
		(options.tenants && (options.triggers || options.partitioned ||
							 !(options.flag_table || options.shared))))
	{
		usage();
		exit(2);
	}
	if (options.operations == 0 && options.seconds == 0)
		options.seconds = 20;
	if (options.shared && options.flag_columns)
	{
		options.shared_columns = true;
		options.flag_columns = false;
	}
}

/* --- crashes ---------------------------------------------------------------------- */

static void *
crash_main(void *arg)
{
	Client		client;

	client_init(&client, "crash", 0);
	client_close(&client);
	while (!finished)
	{
		double		until = now() + 1 + random_number(&client, 5000) / 1000.0;

		while (now() < until && !finished)
			usleep(20000);
		/* In the middle of the load only: what is quiet should stay so */
		if (finished || round_over || stopping)
			continue;
		totals.crashes++;
		if (system(options.crash) != 0)
		{
			fprintf(stderr, "# UNEXPECTED ERROR: the crash command failed: %s\n",
					options.crash);
			totals.errors++;
			stopping = round_over = true;
		}
	}
	return NULL;
}

/* --- rounds ------------------------------------------------------------------------- */

/* Raw writers do not expunge where there is a flag table: see statement.c */
static void
make_room(Client *client)
{
	if (options.mode == MODE_RAW && options.flag_table)
		run(client, "DELETE FROM mw_mail WHERE uid %% 5 <> %d",
			(int) random_number(client, 5));
}

/* modseq.check, while nobody writes */
static void
check_store(Client *client)
{
	PGresult   *result = NULL;

	if (options.broken)
		return;
	while (result == NULL && totals.errors == 0)
	{
		if (client->lost)
			client_connect(client);
		result = query(client, "SELECT * FROM modseq.check('mw_mail')");
	}
	for (int i = 0; result && i < PQntuples(result); i++)
		diverged(client, PQgetisnull(result, i, 0) ? 1 : atoi(PQgetvalue(result, i, 0)),
				 atoll(PQgetvalue(result, i, 1)), "modseq.check: %s",
				 PQgetvalue(result, i, 2));
	PQclear(result);
}

/*
 * Has the run shown what it is for?  A busy machine needs longer than it should
 * to lose a server in each way.
 */
static bool
has_shown(double overtime)
{
	if (options.servers && totals.behind == 0)
		return overtime >= 10 * options.seconds;
	return !options.failover || totals.generations >= 3 ||
		(totals.generations >= 1 && overtime >= options.seconds);
}

static void
run_rounds(Client *client)
{
	double		end = options.seconds > 0 ? now() + options.seconds : 1e18;
	double		report = now() + 30;

	do
	{
		double		until = now() + options.round;

		while (now() < until && !round_over)
			usleep(10000);
		round_over = true;
		barrier();				/* writers have stopped, replicas look */
		barrier();
		totals.quiet_points++;
		check_store(client);
		make_room(client);
		if (stopping || (now() >= end && has_shown(now() - end)))
			finished = true;
		else
			round_over = false;
		if (options.verbose && now() > report)
		{
			printf("# %ld operations, %ld syncs, %ld quiet points, %ld crashes\n",
				   (long) totals.operations, (long) totals.syncs,
				   (long) totals.quiet_points, (long) totals.crashes);
			fflush(stdout);
			report = now() + 30;
		}
		barrier();
	} while (!finished);
}

/* Replicas of IMAP, and half as many of JMAP */
static void *
start_replica(void *arg)
{
	int			number = (int) (intptr_t) arg;

	return number < options.replicas ? replica_main(arg) :
		jmap_main((void *) (intptr_t) (number - options.replicas));
}

static void
run_threads(Client *client)
{
	int			count = options.writers + options.replicas +
		(options.accounts ? (options.replicas + 1) / 2 : 0);
	pthread_t  *threads = calloc(count + 2, sizeof(pthread_t));

	pthread_barrier_init(&the_barrier, NULL, count + 1);
	for (int i = 0; i < count; i++)
	{
		bool		writer = i < options.writers;

		pthread_create(&threads[i], NULL, writer ? writer_main : start_replica,
					   (void *) (intptr_t) (writer ? i : i - options.writers));
	}
	if (options.crash)
		pthread_create(&threads[count++], NULL, crash_main, NULL);
	if (options.servers)
		pthread_create(&threads[count++], NULL, failover_main, NULL);
	run_rounds(client);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

/* --- report ------------------------------------------------------------------------- */

static const char *
scenario(char *buffer, size_t size)
{
	static const char *const modes[] = {"locked", "raw", "mixed"};
	static const char *const kinds[] = {"", ", soft delete", ", soft delete by a generated column"};

	snprintf(buffer, size, "converge%s%s, %s writers, %s%sflags in %s, %s foreign keys%s%s%s%s%s%s%s%s%s%s%s%s%s",
			 options.broken ? ", store with mistake: " : "",
			 options.broken ? options.broken : "", modes[options.mode],
			 options.shared ? "shared " : "", options.tenants ? "tenants' " : "",
			 options.flag_table && options.flag_columns ? "table and columns" :
			 options.flag_table ? "a table" : "columns",
			 options.foreign_keys ? "with" : "without",
			 options.accounts ? ", accounts" : "",
			 options.in_mailbox ? ", counters in the mailbox" : "",
			 options.log ? ", changes logged" : "",
			 options.fold ? ", vanished rows fold" : "",
			 options.counts ? ", counts" : "",
			 kinds[options.soft_delete],
			 options.partitioned ? ", partitions" : "",
			 options.returned ? ", messages that return" : "",
			 options.steps > 20 ? ", long transactions" : "",
			 options.triggers ? ", triggers" : "",
			 options.truncate ? ", TRUNCATE" : "",
			 options.crash ? ", crashes" : "",
			 options.failover ? ", failovers" : options.servers ? ", a standby" : "");
	return buffer;
}

static void
print_totals(double seconds)
{
	printf("# seed %llu, %d writers, %d replicas, %d mailboxes, %.0f s\n",
		   (unsigned long long) options.seed, options.writers, options.replicas,
		   options.mailboxes, seconds);
	printf("# %ld operations in %ld transactions (%ld prepared) and %ld rollbacks; %ld conflicts,"
		   " %ld retries, %ld deadlocks, %ld refused\n", (long) totals.operations,
		   (long) totals.transactions, (long) totals.prepared,
		   (long) totals.rollbacks, (long) totals.conflicts, (long) totals.retries,
		   (long) totals.deadlocks, (long) totals.refused);
	printf("# %ld syncs, %ld from an older checkpoint; %ld models compared; %ld quiet points;"
		   " %ld compactions\n", (long) totals.syncs, (long) totals.rewinds,
		   (long) totals.audits, (long) totals.quiet_points, (long) totals.compactions);
	if (options.crash || options.failover)
		printf("# %ld crashes, %ld reconnections, %ld commits in doubt of which %ld had committed\n",
			   (long) totals.crashes, (long) totals.reconnects,
			   (long) totals.in_doubt, (long) totals.in_doubt_committed);
	if (options.servers)
		printf("# %ld failovers in %ld generations, %ld states lost, %ld meanings kept; %ld syncs that a standby was behind\n",
			   (long) totals.failovers, (long) totals.generations, (long) totals.lost, told_count(), (long) totals.behind);
	if (options.broken && strcmp(options.broken, "none") != 0)
		printf("# the mistake was %s\n", totals.divergences > 0 ? "found, as it must be" : "not found");
	else
		printf("# %ld divergences, %ld unexpected errors\n", (long) totals.divergences,
			   (long) totals.errors);
}

static bool
report(bool ok, const char *name)
{
	printf("%s: %s\n", name, ok ? "ok" : "FAILED");
	fflush(stdout);
	return ok;
}

int
main(int argc, char **argv)
{
	Client		client;
	char		name[300];
	char		label[360];
	double		start;
	bool		ok;

	parse_options(argc, argv);
	history_init(options.mailboxes + 1);
	acknowledged = calloc(options.mailboxes + 2, sizeof(*acknowledged));
	client_init(&client, "main", 0);
	options.directory = dirname(strdup(argv[0]));
	schema_create(&client, options.directory);
	if (options.servers && !options.failover)
		standby_catch_up();
	scenario(name, sizeof(name));

	start = now();
	run_threads(&client);
	print_totals(now() - start);
	answers_close();
	if (options.broken && strcmp(options.broken, "none") != 0)
		return report(totals.divergences > 0, name) ? 0 : 1;
	/* A run in which nothing is lost, or nobody reads behind, shows nothing */
	ok = report(totals.divergences == 0 && totals.errors == 0 && (!options.failover || totals.lost > 0) &&
				(!options.servers || totals.behind > 0), name);
	if (options.mode != MODE_MIXED && !options.shared && !options.broken)
	{
		snprintf(label, sizeof(label), "no deadlock: %s", name);
		ok = report(totals.deadlocks == 0, label) && ok;
	}
	/* Triggers that cancel rows might cancel the counter's */
	if (ok && cas_increments > 0 && !options.broken && !options.triggers && !options.failover)
	{
		stopping = false;
		options.crash = NULL;
		snprintf(label, sizeof(label), "compare and swap: %s", name);
		ok = report(cas_test(8, cas_increments), label) && ok;
	}
	client_close(&client);
	return ok ? 0 : 1;
}
