/*-------------------------------------------------------------------------
 *
 * schedules.c
 *	  Every schedule up to a size, or random ones: see --help.
 *
 *-------------------------------------------------------------------------
 */
#include "schedules.h"

#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_PROGRAMS	20000

Settings	settings = {.schema = "modseq",.jobs = 2};

static uint64_t random_state;
static double deadline;
static int	job;				/* which of the processes this is */

static Schedule schedule;
static long schedules;

uint32_t
pick(uint32_t below)
{
	return next_random(&random_state) % below;
}

/* Runs it as one that was never run before */
static void
run_next(Chooser choose)
{
	schedule.number = 1000 + schedules * settings.jobs + job;
	schedules++;
	schedule_run(&schedule, choose);
	if (schedule.failed)
		exit(1);
}

/* --- every one up to a size ----------------------------------------------------- */

/*
 * All orders of the steps, depth first: of each step, the sessions that can
 * make it and have not yet.  Nobody is asked to go on who waits, so each run
 * is another order.
 */
static struct
{
	int			depth;			/* steps that are given */
	int			given[MAX_TOTAL];
	int			rest[MAX_TOTAL];	/* as bits, what is to be tried still */
}			tree;

static int
choose_next(Schedule *schedule, const bool *can)
{
	int			at = schedule->steps;
	int			first = -1;

	if (at < tree.depth)
	{
		if (can[tree.given[at]])
			return tree.given[at];
		/* Another one was the victim of a deadlock this time */
		tree.depth = at;
	}
	tree.rest[at] = 0;
	for (int i = schedule->sessions - 1; i >= 0; i--)
		if (can[i])
		{
			if (first >= 0)
				tree.rest[at] |= 1 << first;
			first = i;
		}
	tree.given[at] = first;
	tree.depth = at + 1;
	return first;
}

static void
run_orders(void)
{
	tree.depth = 0;
	for (;;)
	{
		int			next = 0;

		run_next(choose_next);
		while (tree.depth > 0 && tree.rest[tree.depth - 1] == 0)
			tree.depth--;
		if (tree.depth == 0)
			return;
		while (!(tree.rest[tree.depth - 1] & 1 << next))
			next++;
		tree.rest[tree.depth - 1] &= ~(1 << next);
		tree.given[tree.depth - 1] = next;
	}
}

static char (*programs)[MAX_STEPS + 1];
static int	program_count;

static int
length(const char *program)
{
	return strlen(program) - program_repeatable(program);
}

/* All valid programs of so many steps, in the order of their letters */
static void
add_programs(char *program, int at, int steps, const char *letters)
{
	if (at == steps)
	{
		program[at] = '\0';
		if (program_valid(program) && program_count < MAX_PROGRAMS)
			strcpy(programs[program_count++], program);
		return;
	}
	for (const char *letter = at == steps - 1 ? "KA" : letters; *letter; letter++)
	{
		program[at] = *letter;
		add_programs(program, at + 1, steps, letters);
	}
}

static long combinations;

/* All ways to give sessions programs, none before that of the session before */
static void
run_programs(int session, int sessions, int from, int size, int boxes)
{
	if (session == sessions)
	{
		int			used = 0;

		for (int i = 0; i < sessions; i++)
			used |= program_boxes(schedule.program[i]);
		/* What is in one mailbox only is run as such */
		if (size != 0 || (boxes == 2 && used != 3) || !schedule_valid(&schedule))
			return;
		if (combinations++ % settings.jobs == job)
			run_orders();
		return;
	}
	for (int i = from; i < program_count; i++)
	{
		if (length(programs[i]) > size)
			continue;
		strcpy(schedule.program[session], programs[i]);
		run_programs(session + 1, sessions, i, size - length(programs[i]), boxes);
	}
}

static void
run_all(int sessions, int boxes, int size)
{
	char		program[MAX_STEPS + 1];
	const char *letters = settings.letters ? settings.letters : boxes == 1 ? "LIFCDPQR" : "LIiFfCcDdMmPQR";

	programs = malloc(MAX_PROGRAMS * sizeof(*programs));
	schedule.sessions = sessions;
	for (int steps = 2; steps <= size - 2 * (sessions - 1); steps++)
		add_programs(program, 0, steps, letters);
	strcpy(programs[program_count++], "=RRK");
	for (int total = 2 * sessions; total <= size; total++)
		run_programs(0, sessions, 0, total, boxes);
}

/*
 * What a transaction has done since a savepoint is undone, and it goes on;
 * beside each single statement in the same mailbox.
 */
static void
run_savepoints(void)
{
	static const char effects[] = "IFCD";

	schedule.sessions = 2;
	for (int i = 0; i < 256; i++)
	{
		sprintf(schedule.program[0], "%sP%cQ%cK", i & 1 ? "L" : "", effects[i >> 1 & 3], effects[i >> 3 & 3]);
		sprintf(schedule.program[1], "%c%c", effects[i >> 5 & 3], i >> 7 ? 'A' : 'K');
		if (i % settings.jobs == job)
			run_orders();
	}
}

/* --- random ones, and a given one ---------------------------------------------------- */

static int
choose_random(Schedule *schedule, const bool *can)
{
	int			number;

	do
		number = pick(schedule->sessions);
	while (!can[number]);
	return number;
}

static void
run_random(void)
{
	while (now() < deadline)
	{
		int			boxes = 1 + pick(2);

		schedule.sessions = 2 + pick(2);
		do
			for (int i = 0; i < schedule.sessions; i++)
				program_random(schedule.program[i], boxes, 2 + pick(6));
		while (!schedule_valid(&schedule));
		run_next(choose_random);
	}
}

static const char *given_order;

static int
choose_given(Schedule *schedule, const bool *can)
{
	int			number = *given_order ? *given_order++ - '0' : -1;

	if (number >= 0 && number < schedule->sessions && can[number])
		return number;
	return choose_random(schedule, can);
}

/* PROGRAM|PROGRAM:ORDER, as a failure prints it; or PROGRAM|PROGRAM in all orders */
static void
run_given(char *text)
{
	given_order = strchr(text, ':') ? strchr(text, ':') + 1 : NULL;
	for (char *program = strtok(strtok(text, ":"), "|"); program && schedule.sessions < MAX_SESSIONS;
		 program = strtok(NULL, "|"))
		snprintf(schedule.program[schedule.sessions++], MAX_STEPS + 1, "%s", program);
	if (given_order)
		run_next(choose_given);
	else
		run_orders();
}

/* --- the program ------------------------------------------------------------------------ */

static void
usage(void)
{
	printf("schedules: concurrent transactions in each order of their steps, judged by rules\n"
		   "  --all SESSIONS,MAILBOXES,STEPS  every schedule of up to so many steps in all\n"
		   "  --savepoints         what is undone and what follows, beside each single statement\n"
		   "  --random SECONDS     random ones, of up to 7 steps a session\n"
		   "  --seed N             of these\n"
		   "  --schedule TEXT      one, as a failure prints it; without an order, in all orders\n"
		   "  --counters mailbox   the counters are in the mailbox's row\n"
		   "  --accounts N         mailboxes have accounts: 1 for both, or 2\n"
		   "  --log                changes are logged\n"
		   "  --soft               messages are deleted by a column\n"
		   "  --flags table        flags are rows of a table\n"
		   "  --flags shared       messages may be in several mailboxes\n"
		   "  --partitioned        messages are in two partitions\n"
		   "  --letters LETTERS    the steps that programs have\n"
		   "  --broken MISTAKE     a store with a mistake (test/libpq/broken.sql): one must fail\n"
		   "  --jobs N             processes; 2 if it is not given\n"
		   "  --verbose            print each step\n"
		   "Programs are explained in program.c.\n");
	exit(2);
}

static char *all;
static bool savepoints;
static char *given;
static uint64_t seed = 1;

static void
parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"all", required_argument, NULL, 'a'}, {"random", required_argument, NULL, 'r'},
		{"seed", required_argument, NULL, 's'}, {"schedule", required_argument, NULL, 'g'},
		{"counters", required_argument, NULL, 'c'}, {"accounts", required_argument, NULL, 'n'},
		{"savepoints", no_argument, NULL, 'p'},
		{"log", no_argument, NULL, 'l'}, {"broken", required_argument, NULL, 'b'},
		{"soft", no_argument, NULL, 'S'}, {"flags", required_argument, NULL, 'F'},
		{"partitioned", no_argument, NULL, 'P'}, {"letters", required_argument, NULL, 'L'},
		{"jobs", required_argument, NULL, 'j'}, {"verbose", no_argument, NULL, 'v'}, {0}
	};
	int			option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (option)
		{
			case 'a':
				all = optarg;
				break;
			case 'p':
				savepoints = true;
				break;
			case 'r':
				settings.seconds = atof(optarg);
				break;
			case 's':
				seed = strtoull(optarg, NULL, 10);
				break;
			case 'g':
				given = optarg;
				settings.jobs = 1;
				settings.verbose = strchr(given, ':') != NULL;
				break;
			case 'c':
				settings.in_mailbox = strcmp(optarg, "mailbox") == 0;
				break;
			case 'n':
				settings.accounts = atoi(optarg);
				break;
			case 'l':
				settings.log = true;
				break;
			case 'S':
				settings.soft = true;
				break;
			case 'F':
				settings.flag_table = strcmp(optarg, "table") == 0;
				settings.shared = strcmp(optarg, "shared") == 0;
				break;
			case 'P':
				settings.partitioned = true;
				break;
			case 'L':
				settings.letters = optarg;
				break;
			case 'b':
				settings.broken = optarg;
				settings.schema = "broken";
				break;
			case 'j':
				settings.jobs = atoi(optarg);
				break;
			case 'v':
				settings.verbose = true;
				break;
			default:
				usage();
		}
	if (!all && !given && !savepoints && settings.seconds == 0)
		usage();
}

/* One of the processes */
static void
work(const char *directory)
{
	int			sessions,
				boxes,
				steps;

	random_state = seed * 1000 + job;
	deadline = now() + settings.seconds;
	choose_database(job);
	create_store(directory);
	driver_start();
	if (given)
		run_given(given);
	else if (savepoints)
		run_savepoints();
	else if (!all)
		run_random();
	else if (sscanf(all, "%d,%d,%d", &sessions, &boxes, &steps) == 3)
		run_all(sessions, boxes, steps);
	else
		usage();
	if (!settings.broken)
		driver_check();
	printf("# %ld schedules, %ld deadlocks\n", schedules, deadlocks);
	fflush(stdout);
	exit(0);
}

int
main(int argc, char **argv)
{
	double		began = now();
	bool		crashed = false;
	int			failed = 0;
	int			status;
	bool		must_fail;

	parse_options(argc, argv);
	must_fail = settings.broken && strcmp(settings.broken, "none") != 0;
	fflush(stdout);
	for (job = 0; job < settings.jobs; job++)
		if (fork() == 0)
			work(dirname(strdup(argv[0])));
	while (wait(&status) > 0)
		if (WIFEXITED(status) && WEXITSTATUS(status) < 2)
			failed |= WEXITSTATUS(status);
		else
			crashed = true;
	printf("schedules");
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	if (settings.seconds)
		printf(" (seed %llu)", (unsigned long long) seed);
	failed = crashed || failed != must_fail;
	printf(", %.0f s: %s\n", now() - began, failed ? "FAILED" : "ok");
	return failed;
}
