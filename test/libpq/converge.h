/*-------------------------------------------------------------------------
 *
 * converge.h
 *	  The convergence test: what its files share.
 *
 * Threads of one process, each with a connection of its own: writers change
 * mailboxes, replicas keep models of them by asking what changed.  All of it
 * is seeded: a thread's choices depend on the seed and its number alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONVERGE_H
#define CONVERGE_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

#define FLAGS_SIZE		64		/* text of a message's flags */
#define SQL_SIZE		8192	/* longest statement */

/* --- options and totals (converge.c) ---------------------------------------- */

typedef enum Mode
{
	MODE_LOCKED,				/* every writer locks first */
	MODE_RAW,					/* single statements on one mailbox, no lock */
	MODE_MIXED					/* both, and multi-statement without lock */
} Mode;

typedef enum SoftDelete
{
	SOFT_NONE,					/* an expunge is a DELETE */
	SOFT_COLUMN,				/* gone = true; undeleted now and then */
	SOFT_GENERATED				/* gone is generated, from status */
} SoftDelete;

typedef struct Options
{
	int			writers;
	int			replicas;
	int			mailboxes;
	long		operations;		/* 0: no limit */
	double		seconds;
	double		round;			/* seconds between quiet points */
	uint64_t	seed;
	Mode		mode;
	bool		flag_table;
	bool		flag_columns;
	bool		shared;			/* flags are of messages that may be in several
								 * mailboxes: mw_mail has memberships */
	bool		shared_columns; /* they are columns of mw_msg */
	bool		tenants;		/* ids of messages, or of those that are shared,
								 * restart for each: a column tenant, 0 to 3 */
	bool		foreign_keys;
	bool		in_mailbox;		/* the counters, rather than beside it */
	bool		log;			/* changes, instead of an index */
	bool		fold;			/* vanished rows, as soon as may be */
	bool		counts;			/* of messages are kept */
	bool		truncate;
	bool		triggers;		/* the application has some of its own */
	SoftDelete	soft_delete;
	bool		partitioned;	/* messages, by a column part: 0 to 3 */
	bool		returned;		/* some are taken out and put back */
	bool		prepared;		/* the server allows PREPARE TRANSACTION */
	bool		verbose;
	int			accounts;		/* how many; 0: the store has none */
	int			steps;			/* statements in a transaction, at most */
	int			messages;		/* about how many a mailbox should have */
	const char *crash;			/* shell command that restarts the server */
	const char *servers;		/* directory of the script of that name: replicas
								 * read on a standby, too */
	bool		failover;		/* the primary is lost, and a standby goes on */
	const char *directory;		/* of the program */
	const char *broken;			/* the mistake of the store, or NULL */
	const char *schema;			/* of the functions: modseq, or broken */
	bool		has_compact;
} Options;

typedef struct Totals
{
	atomic_long operations;		/* statements that changed something */
	atomic_long transactions;
	atomic_long rollbacks;
	atomic_long conflicts;		/* messages that unchanged_since refused */
	atomic_long retries;		/* 40001 */
	atomic_long deadlocks;		/* 40P01 */
	atomic_long refused;		/* expected errors of other kinds */
	atomic_long in_doubt;		/* commits whose answer was lost */
	atomic_long in_doubt_committed;
	atomic_long reconnects;
	atomic_long syncs;
	atomic_long audits;			/* models compared with the whole mailbox */
	atomic_long prepared;		/* PREPARE TRANSACTION */
	atomic_long rewinds;		/* syncs from an older checkpoint */
	atomic_long compactions;
	atomic_long forgotten;		/* compactions that forget what departed */
	atomic_long crashes;
	atomic_long failovers;
	atomic_long generations;	/* of a primary and its standbys */
	atomic_long lost;			/* states that another server cannot know */
	atomic_long behind;			/* syncs that a standby lagged behind */
	atomic_long quiet_points;
	atomic_long divergences;
	atomic_long errors;			/* unexpected ones */
} Totals;

extern Options options;
extern Totals totals;
extern atomic_bool stopping;	/* a wish: no more rounds */
extern atomic_bool round_over;	/* writers and replicas: to the barrier */
extern atomic_bool finished;	/* read after the last barrier of a round */
extern atomic_long *acknowledged;	/* HIGHESTMODSEQ that a commit confirmed */

/* --- the clock and random numbers (basic.c) --------------------------------- */

extern uint64_t next_random(uint64_t *state);
extern double now(void);

/* --- connections, random choices, history (client.c) ------------------------ */

typedef struct Client
{
	PGconn	   *conn;
	char		name[12];
	uint64_t	random;
	bool		lost;			/* the connection broke */
	bool		roams;			/* it may connect to the standby, too */
	int			server;			/* that it is connected to */
	int			connections;	/* that it has had */
	bool		silent;			/* errors are the caller's business */
	char		sqlstate[6];	/* of the last error, or empty */
	char		message[512];
} Client;

extern void client_init(Client *client, const char *kind, int number);
extern void client_connect(Client *client);
extern void client_close(Client *client);
extern PGresult *query(Client *client, const char *format,...)
			__attribute__((format(printf, 2, 3)));
extern bool run(Client *client, const char *format,...)
			__attribute__((format(printf, 2, 3)));
extern bool copy_in(Client *client, const char *copy, const char *line, int rows);
extern bool is_expected_error(const Client *client);
extern int	commit_in_doubt(Client *client, const char *xid);

extern uint64_t random_number(Client *client, uint64_t below);
extern bool chance(Client *client, int percent);
extern void pause_briefly(Client *client, int max_ms);

extern void history_init(int mailboxes);
extern void history_add(int mailbox, const Client *client, const char *format,...)
			__attribute__((format(printf, 3, 4)));
extern void diverged(Client *client, int mailbox, int64_t uid,
					 const char *format,...)
			__attribute__((format(printf, 4, 5)));
extern void unexpected(Client *client, const char *statement);

/* --- models of mailboxes (model.c) ------------------------------------------ */

typedef struct Message
{
	int64_t		uid;
	int64_t		modseq;
	char		flags[FLAGS_SIZE];
} Message;

typedef struct Model
{
	int64_t		uidvalidity;	/* 0: nothing is known yet */
	int			server;			/* that told it */
	int64_t		cursor;			/* HIGHESTMODSEQ up to which it is complete */
	int64_t		uidnext;
	int			count;
	int			allocated;
	Message    *messages;		/* by UID */
} Model;

typedef struct Ranges
{
	int			count;
	int			allocated;
	int64_t   (*range)[2];
} Ranges;

extern Message *model_find(const Model *model, int64_t uid);
extern void model_set(Model *model, const Message *message);
extern void model_remove(Model *model, int64_t uid);
extern int	model_remove_ranges(Model *model, const Ranges *ranges);
extern void model_clear(Model *model);
extern void model_copy(Model *to, const Model *from);
extern bool model_differs(const Model *a, const Model *b, int64_t *uid,
						  char *text, size_t size);
extern void model_read(Model *model, const PGresult *result, int first_column);

extern void ranges_parse(Ranges *ranges, const char *text);
extern void ranges_add(Ranges *ranges, int64_t lo, int64_t hi);
extern bool ranges_contain(const Ranges *ranges, int64_t uid);
extern char *ranges_text(const Ranges *ranges);
extern void ranges_free(Ranges *ranges);

/* --- what clients are told (answers.c) -------------------------------------- */

extern void answers_open(const char *path);
extern void answers_close(void);
extern void answers_add_changes(const Client *client, const char *kind, int account,
								const char *since, const char *state, char *const lists[3]);

/* --- servers that are lost (failover.c) -------------------------------------- */

extern bool on_standby(const Client *client);
extern bool mailbox_survived(const Client *client, int from, int mailbox,
							 int64_t modseq);
extern bool state_survived(const Client *client, int from, int account,
						   int kind, const char *state);
extern void acknowledge(const Client *client, int mailbox, int64_t modseq);
extern void standby_catch_up(void);
extern void *failover_main(void *arg);

/* --- the parts (schema.c, statement.c, flag.c, returned.c, counts.c, account.c, writer.c, replica.c, jmap.c, cas.c) */

extern void schema_create(Client *client, const char *directory);
extern const char *flags_expression(void);
extern const char *live_condition(void);
extern bool flags_cascade(void);
extern bool has_mw_msg(void);

/* What flags know messages by: a column of mw_mail */
#define FLAG_KEY			(options.shared ? "msg" : "id")
#define TENANT(sql)			(options.tenants ? sql : "")

/* What a statement should do to HIGHESTMODSEQ and UIDNEXT of its mailbox */
typedef struct Law
{
	bool		known;
	bool		if_rows;		/* HIGHESTMODSEQ + 1 if it had rows; else same */
	bool		uid_per_row;	/* UIDNEXT + rows; else same */
} Law;

typedef struct Target
{
	int			mailbox;
	int			other;			/* where messages are moved to */
	const char *uids;			/* of some messages, "1,2,3" */
	bool		single;			/* must concern one mailbox only */
} Target;

extern void statement_random(Client *client, const Target *target, char *sql,
							 Law *law);
extern const char *partition_random(Client *client);
extern const char *returned_schema(void);
extern bool returned_statement(Client *client, const Target *target, char *sql,
							   Law *law);
extern bool returned_step(Client *client, int mailbox, const char *uids,
						  bool (*meanwhile) (void *arg), void *arg);
extern const char *counts_columns(void);
extern const char *counts_options(void);
extern bool counts_statement(Client *client, const Target *target, char *sql);
extern bool counts_audit(Client *client, int mailbox);
extern bool account_statement(Client *client, const Target *target, char *sql,
							  Law *law);
extern void *writer_main(void *arg);
extern void *replica_main(void *arg);
extern void *jmap_main(void *arg);
extern bool cas_test(int connections, int increments);

extern void barrier(void);

#endif							/* CONVERGE_H */
