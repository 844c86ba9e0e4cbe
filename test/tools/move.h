/*-------------------------------------------------------------------------
 *
 * move.h
 *	  What the files of modseq-move share.
 *
 * From the bottom: move_session.c has the sessions; move_plan.c what there is
 * to move; move_versions.c versions of rows; move_copy.c copies while others
 * write; move_fence.c keeps writers away, moves and compares; modseq-move.c
 * commits on both sides.
 *
 *-------------------------------------------------------------------------
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libpq-fe.h"

/* --- sessions: move_session.c ------------------------------------------- */

typedef struct Side
{
	const char *name;
	const char *conninfo;
	PGconn	   *conn;
	jmp_buf    *retry;			/* where to go after a deadlock, or NULL */
} Side;

extern Side source;
extern Side target;

/* Another session at the source, which only reads */
extern Side reader;

/* The source may have a prepared transaction of ours */
extern bool undecided;

/* Where to go after a deadlock, unless the side says something else */
extern jmp_buf start_over;

/* A text that grows */
typedef struct Buffer
{
	char	   *data;
	size_t		n;
	size_t		size;
} Buffer;

extern void die(const char *format,...)
			__attribute__((format(printf, 1, 2), noreturn));
extern void start_again(Side *side, const char *why) __attribute__((noreturn));
extern char *fmt(const char *format,...)
			__attribute__((format(printf, 1, 2)));
extern void append(Buffer *buffer, const char *data, size_t n);
extern void *allocate(void *old, size_t size);
extern void step(const char *name);

extern void open_side(Side *side);
extern PGresult *run(Side *side, const char *sql);
extern PGresult *run_with(Side *side, const char *sql, const char *a,
						  const char *b, const char *c);
extern void check_result(Side *side, const PGresult *result);
extern void command(Side *side, const char *sql);
extern char *ask(Side *side, const char *sql);
extern bool is_so(Side *side, const char *sql);
extern char *field(const PGresult *result, int row, int column);
extern char *lines_of(PGresult *result);
extern char *literal(const char *value);
extern void copy_out(Side *side, const char *sql,
					 void (*take) (void *arg, const char *line, int size),
					 void *arg);
extern void copy_in(Side *side, const char *sql, const Buffer *rows);
extern void put_rows(Side *side, const char *rows, size_t size);
extern void end_copy_in(Side *side);

/* --- what there is to move: move_plan.c --------------------------------- */

#define MAX_PARTS	64

/* A table, and which of its rows move */
typedef struct Part
{
	char	   *table;			/* qualified, quoted */
	char	   *alias;			/* under which cond knows it */
	char	   *cond;
	char	   *columns;
	char	   *order;			/* in which its rows are locked, or NULL */
	bool		is_with;		/* not the store's, but told */
	bool		is_locked;		/* all of its rows are */
	long		found;			/* how many rows are to move, of those told */
	long		rows;			/* how many have moved */
} Part;

extern Part parts[MAX_PARTS];
extern int	n_parts;

/* What we are told */
extern const char *kind;		/* account or mailbox */
extern const char *key;
extern const char *store;
extern char *with[MAX_PARTS];
extern int	n_with;

/* What the source says of it */
extern char *state_sql;			/* mailboxes, their counters and digests */
extern char *check_sql;			/* what is wrong with them */
extern char *shared_sql;		/* are messages in others, too? */
extern char *enter_sql;			/* mailboxes enter the incarnation */
extern char *enter_rest_sql;	/* and so do the account, and what is gone */
extern char *behind_sql;		/* is any of that in one before? */
extern char *gid_start;			/* how prepared transactions of it are called */

extern void make_plan(void);
extern bool judge(void);
extern char *rows_of(const Part *part);
extern char *moved(void);

/* --- versions of rows: move_versions.c ---------------------------------- */

/* At the source; and where its copy is at the target, if at_table is not 0 */
typedef struct Version
{
	unsigned	table;
	unsigned	file;
	unsigned	block;
	unsigned	item;
	unsigned	xmin;
	unsigned	at_table;
	unsigned	at_block;
	unsigned	at_item;
	bool		stays;			/* it is there still */
} Version;

typedef struct Versions
{
	Version    *list;
	long		n;
	long		size;
	long	   *slots;			/* places in list, from 1 */
	long		n_slots;
} Versions;

extern char *version_of(const char *alias);
extern const char *read_version(const char *line, Version *version);
extern long find_version(const Versions *versions, const Version *version);
extern long add_version(Versions *versions, const Version *version);
extern void forget_versions(Versions *versions);

/* --- while others write: move_copy.c ------------------------------------ */

extern void copy_online(void);
extern void begin_state(void);
extern char *end_state(void);
extern void move_changes(int place);

/* --- the fence: move_fence.c -------------------------------------------- */

extern void lock(void);
extern void move_rows(int place);
extern void verify(const char *state);
extern void raise_uidvalidity(void);
extern long fence_took(void);
