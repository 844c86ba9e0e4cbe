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
#include "objects.h"

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
/* --- all that was told (told.c) --- */

#define HASH_BEGIN		UINT64_C(14695981039346656037)

extern uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);
extern void told_mailbox(Client *client, int mailbox, const Model *model,
						 const Answer *answer, bool whole);
extern void told_account(Client *client, const char *kind, int account,
						 const Objects *known);
extern long told_count(void);

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
