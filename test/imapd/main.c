/*-------------------------------------------------------------------------
 *
 * main.c
 *	  Options, and a process for each connection.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <getopt.h>
#include <gmime/gmime.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imapd.h"

Options		options = {
	.listen = "127.0.0.1",
	.port = 1143,
	.conninfo = "",
	.max_connections = 2000,
	.login_timeout = 60,
	.idle_timeout = 1800,
	.write_timeout = 60,
	.wait = 2,
	.max_message = 64 * 1024 * 1024,
};

static const char usage[] =
"The reference IMAP front end of modseq: shows what an IMAP server calls, and lets clients test it.\n"
"\n"
"  imapd [OPTION...]                       serve\n"
"  imapd --create-user NAME                with the password in IMAPD_PASSWORD, or on the first line of input\n"
"  imapd --import maildir|mbox PATH --user NAME [--mailbox NAME]\n"
"\n"
"  -d, --database CONNINFO     libpq's connection string; else PGHOST and the like\n"
"  -p, --port PORT             1143; 0 takes a free one, and prints it\n"
"  -l, --listen ADDRESS        127.0.0.1; from elsewhere nobody can log in, as there is no TLS\n"
"  -c, --max-connections N     2000\n"
"      --login-timeout SECONDS 60: how long a client may take to log in\n"
"      --write-timeout SECONDS 60: how long a client may leave an answer unread\n"
"      --wait SECONDS          2: how long to wait for a standby that does not have what the client knows\n"
"  -v, --verbose               print the dialogue to standard error\n";

static int	children;

static void
reap(int signal)
{
	int			saved = errno;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		children--;
	errno = saved;
}

static void
fail(const char *what)
{
	fprintf(stderr, "imapd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
open_listener(void)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
	struct addrinfo *address;
	struct sockaddr_storage bound;
	socklen_t	length = sizeof(bound);
	char		port[16];
	int			on = 1;
	int			fd;

	snprintf(port, sizeof(port), "%d", options.port);
	if (getaddrinfo(options.listen, port, &hints, &address) != 0)
	{
		fprintf(stderr, "imapd: --listen needs a numeric address\n");
		exit(2);
	}
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 1024) != 0 ||
		getsockname(fd, (struct sockaddr *) &bound, &length) != 0)
		fail("cannot listen");
	freeaddrinfo(address);
	printf("imapd: listening on port %d\n",
		   ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *) &bound)->sin6_port :
				 ((struct sockaddr_in *) &bound)->sin_port));
	fflush(stdout);
	return fd;
}

static void
refuse(int fd, const char *bye)
{
	if (send(fd, bye, strlen(bye), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;				/* then it does not hear why */
	close(fd);
}

static void
serve(void)
{
	struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
	sigset_t	child;
	int			listener = open_listener();

	sigaction(SIGCHLD, &action, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;)
	{
		int			fd = accept(listener, NULL, NULL);
		int			on = 1;
		pid_t		pid;

		if (fd < 0)
		{
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
				usleep(100000);
			continue;
		}
		if (children >= options.max_connections)
		{
			refuse(fd, "* BYE [UNAVAILABLE] Too many connections\r\n");
			continue;
		}
		sigprocmask(SIG_BLOCK, &child, NULL);
		pid = fork();
		if (pid > 0)
			children++;
		sigprocmask(SIG_UNBLOCK, &child, NULL);
		if (pid == 0)
		{
			signal(SIGCHLD, SIG_DFL);
			close(listener);
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			session_run(fd);
			exit(0);
		}
		if (pid < 0)
			refuse(fd, "* BYE [UNAVAILABLE] No more processes\r\n");
		else
			close(fd);
	}
}

static int
number(const char *text, int max)
{
	char	   *end;
	long		value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 0 || value > max)
	{
		fprintf(stderr, "imapd: not a number from 0 to %d: %s\n", max, text);
		exit(2);
	}
	return value;
}

int
main(int argc, char **argv)
{
	static const struct option names[] = {
		{"database", required_argument, NULL, 'd'},
		{"port", required_argument, NULL, 'p'},
		{"listen", required_argument, NULL, 'l'},
		{"max-connections", required_argument, NULL, 'c'},
		{"login-timeout", required_argument, NULL, 'L'},
		{"write-timeout", required_argument, NULL, 'W'},
		{"wait", required_argument, NULL, 'w'},
		{"verbose", no_argument, NULL, 'v'},
		{"create-user", required_argument, NULL, 'U'},
		{"import", required_argument, NULL, 'I'},
		{"user", required_argument, NULL, 'u'},
		{"mailbox", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},
		{NULL}
	};
	const char *create = NULL;
	const char *import = NULL;
	const char *user = NULL;
	const char *mailbox = "INBOX";
	int			option;

	while ((option = getopt_long(argc, argv, "d:p:l:c:vh", names, NULL)) != -1)
		switch (option)
		{
			case 'd':
				options.conninfo = optarg;
				break;
			case 'p':
				options.port = number(optarg, 65535);
				break;
			case 'l':
				options.listen = optarg;
				break;
			case 'c':
				options.max_connections = number(optarg, 1000000);
				break;
			case 'L':
				options.login_timeout = number(optarg, 1000000);
				break;
			case 'W':
				options.write_timeout = number(optarg, 1000000);
				break;
			case 'w':
				options.wait = number(optarg, 1000000);
				break;
			case 'v':
				options.verbose = true;
				break;
			case 'U':
				create = optarg;
				break;
			case 'I':
				import = optarg;
				break;
			case 'u':
				user = optarg;
				break;
			case 'm':
				mailbox = optarg;
				break;
			case 'h':
				fputs(usage, stdout);
				return 0;
			default:
				fputs(usage, stderr);
				return 2;
		}
	g_mime_init();
	if (create != NULL && optind == argc)
		return create_user(create);
	if (import != NULL && user != NULL && optind == argc - 1)
		return import_messages(user, mailbox, import, argv[optind]);
	if (import != NULL || optind < argc)
	{
		fputs(usage, stderr);
		return 2;
	}
	serve();
}
