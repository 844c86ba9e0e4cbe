/*-------------------------------------------------------------------------
 *
 * replica.h
 *	  What a replica asks and what it is told: between ask.c, which asks, and
 *	  replica.c, which checks and learns.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICA_H
#define REPLICA_H

#include "converge.h"

/* What the server said, with the rows of what changed */
typedef struct Answer
{
	char		verdict[24];
	int64_t		uidvalidity;
	int64_t		uidnext;
	int64_t		highestmodseq;
	int64_t		first_vanished;
	Ranges		vanished;
	Ranges		changed;
	Model		rows;
} Answer;

/* How to ask */
typedef struct Request
{
	int			mailbox;
	int64_t		since;
	char	   *known;			/* SQL: a set of UIDs, or NULL */
	char	   *seqs;			/* seq-match pairs, or NULL */
	char	   *uids;
	bool		new_too;		/* messages from the model's UIDNEXT on, too */
	const char *kind;
} Request;

extern void answers_add(const Client *client, const Model *model,
						const Request *request, const Answer *answer,
						bool one_snapshot);
extern void free_answer(Answer *answer);
extern void free_request(Request *request);
extern bool read_rows(Client *client, int mailbox, const char *condition,
					  Model *rows);
extern bool ask_resync(Client *client, const Model *model,
					   const Request *request, bool together, Answer *answer);
extern bool ask_parts(Client *client, const Request *request, Answer *answer);
extern void know_own(const Model *model, Request *request);
extern void know_random(Client *client, const Model *model, Request *request);
extern void match_own(Client *client, const Model *model, Request *request);

#endif							/* REPLICA_H */
