/*-------------------------------------------------------------------------
 *
 * main.c
 *	  Options; and what is done every hour.
 *
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "jmapd.h"

Options		options = {
	.listen = "127.0.0.1",
	.port = 1180,
	.conninfo = "",
	.wait = 2,
};

static const char usage[] =
"The reference JMAP front end of modseq: shows what a JMAP server calls, and lets clients test it.\n"
"\n"
"  jmapd [OPTION...]           serve the users that imapd --create-user has made\n"
"\n"
"  -d, --database CONNINFO     libpq's connection string; else PGHOST and the like\n"
"  -p, --port PORT             1180; 0 takes a free one, and prints it\n"
"  -l, --listen ADDRESS        127.0.0.1; from elsewhere nobody can log in, as there is no TLS\n"
"  -w, --wait SECONDS          2: how long to wait for a standby that does not have what the client knows\n"
"  -v, --verbose               print requests and responses to standard error\n";

/* Uploads that were not used, and what was known of messages that are gone */
static void
expire(void)
{
	Db		   *db = pool_take();

	if (db == NULL)
		return;
	db_queue(db, SQL_EXPIRE, "");
	db_run(db);
	pool_give(db);
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{"database", required_argument, NULL, 'd'},
		{"port", required_argument, NULL, 'p'},
		{"listen", required_argument, NULL, 'l'},
		{"wait", required_argument, NULL, 'w'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL}
	};
	sigset_t	stop;
	int			option;
	int			signal;

	while ((option = getopt_long(argc, argv, "d:p:l:w:vh", names, NULL)) != -1)
		switch (option)
		{
			case 'd':
				options.conninfo = optarg;
				break;
			case 'p':
				options.port = atoi(optarg);
				break;
			case 'l':
				options.listen = optarg;
				break;
			case 'w':
				options.wait = atoi(optarg);
				break;
			case 'v':
				options.verbose = true;
				break;
			case 'h':
				fputs(usage, stdout);
				return 0;
			default:
				fputs(usage, stderr);
				return 2;
		}
	if (optind < argc || options.port < 0 || options.port > 65535 || options.wait < 0)
	{
		fputs(usage, stderr);
		return 2;
	}
	g_mime_init();
	/* All threads inherit this: only this one takes them. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	sigdelset(&stop, SIGPIPE);
	push_start();
	printf("jmapd: listening on port %u\n", http_start());
	fflush(stdout);
	for (;;)
	{
		struct timespec hour = {3600, 0};

		expire();
		signal = sigtimedwait(&stop, NULL, &hour);
		if (signal > 0)
			_exit(0);
	}
}
