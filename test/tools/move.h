/*-------------------------------------------------------------------------
 *
 * move.h
 *	  The two sessions of modseq-move, which move_session.c has.
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

/* One of the two databases */
typedef struct Side
{
	const char *name;
	const char *conninfo;
	PGconn	   *conn;
} Side;

extern Side source;
extern Side target;

/* The source may have a prepared transaction of ours */
extern bool undecided;

/* Where to go after a deadlock */
extern jmp_buf start_over;

extern void die(const char *format,...)
			__attribute__((format(printf, 1, 2), noreturn));
extern char *text(const char *format,...)
			__attribute__((format(printf, 1, 2)));
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
