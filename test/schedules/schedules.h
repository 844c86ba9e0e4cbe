/*-------------------------------------------------------------------------
 *
 * schedules.h
 *	  Schedules of concurrent transactions, and the rules that judge them:
 *	  what the files of this folder share.
 *
 * A program is what one session does: a text with a letter for each step (see
 * program.c).  A schedule is a program for each session, and the order of the
 * steps of all.  The driver sends one step at a time, so that it knows in
 * which order transactions commit: that order is all that the rules need.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHEDULES_H
#define SCHEDULES_H

#include "converge.h"

#define MAX_SESSIONS	3
#define BOXES			2		/* mailboxes that each schedule has */
#define MAX_STEPS		12		/* of a program */
#define MAX_TOTAL		(MAX_SESSIONS * MAX_STEPS)
#define MAX_STATES		(MAX_SESSIONS + 1)
#define MAX_UIDS		64		/* of a mailbox */

typedef struct Settings
{
	bool		in_mailbox;		/* the counters, rather than beside it */
	bool		log;			/* changes, instead of an index */
	bool		soft;			/* messages are deleted by a column */
	bool		flag_table;		/* flags are rows of a table */
	bool		shared;			/* messages may be in several mailboxes */
	bool		partitioned;	/* a partition for what arrives in a mailbox */
	int			accounts;		/* of a schedule's mailboxes: 0 to 2 */
	const char *letters;		/* of programs, if they are given */
	const char *broken;			/* a mistake of broken.sql, or NULL */
	const char *schema;			/* of the functions: modseq, or broken */
	int			jobs;
	double		seconds;
	bool		verbose;
} Settings;

extern Settings settings;

/* --- what can be seen in one snapshot (look.c) ------------------------------- */

typedef struct State
{
	int64_t		uidvalidity[BOXES]; /* 0: there is no such mailbox */
	bool		renamed[BOXES];
	Model		box[BOXES];		/* flags: id of the message, and its flags */
	int64_t		account[BOXES]; /* mod-sequence, by account */
	char		emails[BOXES][80];	/* the account's state of Emails */
	char		mailboxes[BOXES][80];	/* and of Mailboxes */
} State;

/* What an account is told that had an earlier state */
typedef struct Changes
{
	char		verdict[24];
	char		created[400];	/* ids: "{1,2}" */
	char		updated[400];
	char		destroyed[400];
} Changes;

/* What a client that had an earlier state is told */
typedef struct Told
{
	char		verdict[24];
	Ranges		vanished;
	Ranges		changed;
} Told;

typedef struct Look
{
	State		now;
	Told		told[MAX_STATES][BOXES];	/* by the state that it had */
	Changes		emails[MAX_STATES][BOXES];	/* and by account */
	Changes		mailboxes[MAX_STATES][BOXES];
} Look;

typedef struct Schedule
{
	int64_t		number;			/* names its mailboxes and messages */
	int			sessions;
	char		program[MAX_SESSIONS][MAX_STEPS + 1];
	int			steps;			/* done so far */
	char		order[MAX_TOTAL + 1];	/* of sessions: '0' is the first */
	int			states;
	State		state[MAX_STATES];	/* after each commit; the first is the
									 * start */
	bool		unseen;			/* there was a commit since the last of them,
								 * but a table was locked against readers */
	int64_t		owner[BOXES][MAX_UIDS]; /* which message had the UID */
	bool		failed;
} Schedule;

extern int64_t box_id(const Schedule *schedule, int box);
extern int64_t renamed_id(const Schedule *schedule, int box);
extern int64_t account_id(const Schedule *schedule, int account);
extern int64_t message_id(const Schedule *schedule, int box);
extern void look_sql(const Schedule *schedule, int states, char *sql);
extern void look_read(const Schedule *schedule, const PGresult *result,
					  Look *look);
extern void look_free(Look *look);
extern void state_free(State *state);

/* --- the rules (judge.c, account.c) --------------------------------------------- */

extern void failure(Schedule *schedule, const char *format,...)
			__attribute__((format(printf, 2, 3)));
extern void judge_told(Schedule *schedule, const Look *look, int states);
extern void judge_same(Schedule *schedule, const Look *look, int state,
					   const char *who);
extern void judge_commit(Schedule *schedule, const Look *look);
extern bool store_right(const Schedule *schedule, int box);
extern bool in_state_right(const Schedule *schedule, int account);
extern void judge_accounts(Schedule *schedule, const Look *look, int state);

/* --- programs (program.c) ------------------------------------------------------ */

extern bool program_valid(const char *program);
extern bool program_repeatable(const char *program);
extern int	program_boxes(const char *program);
extern bool schedule_has(const Schedule *schedule, const char *letters);
extern bool schedule_valid(const Schedule *schedule);
extern const char *program_letters(int boxes);
extern bool may_deadlock(const Schedule *schedule);
extern bool may_fail(const Schedule *schedule, int session, const char *sqlstate);
extern void step_sql(const Schedule *schedule, int session, int step,
					 char *sql);
extern void program_random(char *program, int boxes, int steps);

/* --- the server and the tables (store.c) ------------------------------------------------------ */

extern void choose_database(int job);
extern PGconn *connect_server(void);
extern PGresult *run_sql(PGconn *server, const char *sql);
extern void create_store(const char *directory);

/* --- the sessions (driver.c) ------------------------------------------------- */

/* Which of the sessions that can go on does; the order so far is known */
typedef int (*Chooser) (Schedule *schedule, const bool *can);

extern void driver_start(void);
extern void driver_check(void);
extern void schedule_run(Schedule *schedule, Chooser choose);
extern long deadlocks;

extern uint32_t pick(uint32_t below);

#endif							/* SCHEDULES_H */
