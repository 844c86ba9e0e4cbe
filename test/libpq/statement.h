/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  How random statements are made: between flag.c, which makes those that
 *	  change flags, and statement.c, which makes the others, and chooses.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STATEMENT_H
#define STATEMENT_H

#include "converge.h"

typedef void (*Builder) (Client *client, const Target *target, char *sql, Law *law);

/*
 * The target's messages, m, by their UIDs, u; or all of the mailbox.
 *
 * Statements that lock the same rows in different orders deadlock in any
 * database, and plans decide the order.  So this is written as a join with a
 * sorted list, which is a nested loop that goes by UID where it matters: see
 * session_settings().
 */
typedef struct Wanted
{
	char		list[SQL_SIZE / 2];
	char		where[60];
} Wanted;

/* --- statement.c ------------------------------------------------------------ */

extern void want(const Target *target, bool all, Wanted *wanted);
extern const char *mail(Client *client);
extern const char *crossing(Client *client, int percent);

/* --- flag.c ------------------------------------------------------------------ */

extern const char *random_keywords(Client *client);
extern void flags(Client *client, const Target *target, char *sql, Law *law);
extern void bulk(Client *client, const Target *target, char *sql, Law *law);
extern void sweep(Client *client, const Target *target, char *sql, Law *law);

#endif							/* STATEMENT_H */
