/*-------------------------------------------------------------------------
 *
 * function.h
 *	  What SQL calls: the functions of a front end.
 *
 * From the ground up:
 *
 *	argument.c	what a caller passes, and may
 *	status.c	UIDVALIDITY, UIDNEXT and HIGHESTMODSEQ
 *	messages.c	reading messages of a mailbox
 *	read.c		what has changed, and what has vanished
 *	write.c		the mailbox lock, and what is judged under it
 *	uidvalidity.c	handing out UIDVALIDITY values
 *	owner.c		functions that run as the owner of a store
 *
 *-------------------------------------------------------------------------
 */
#ifndef MODSEQ_FUNCTION_H
#define MODSEQ_FUNCTION_H

#include "ledger/ledger.h"

/* --- argument.c -------------------------------------------------------- */

/* The mailboxes that a call names: one, or those of an array */
typedef struct Mailboxes
{
	bool		many;			/* was it one of the array overloads? */
	int			n;
	Datum		(*keys)[MODSEQ_MAX_KEYS];
	Datum	   *labels;			/* for the answer: in the argument's type */
} Mailboxes;

extern void argument_not_null(FunctionCallInfo fcinfo, int argno,
							  const char *name);
extern Store *argument_store(FunctionCallInfo fcinfo);
extern int64 argument_since(FunctionCallInfo fcinfo, int argno);
extern UidSet *argument_uids(FunctionCallInfo fcinfo, int argno);
extern Mailboxes argument_mailboxes(FunctionCallInfo fcinfo,
									const Store *store);
extern Datum *argument_one_mailbox(FunctionCallInfo fcinfo,
								   const Store *store);
extern void argument_check_may_write(const Store *store);
extern void argument_check_may_read(const Store *store);

/* --- status.c ---------------------------------------------------------- */

/* What a mailbox row says */
typedef struct Status
{
	bool		found;			/* is there any? */
	bool		has_uidvalidity;
	int64		uidvalidity;
	int64		uidnext;
	int64		highestmodseq;
} Status;

pg_noreturn extern void status_no_mailbox(const Store *store,
										  const Datum *key);
extern void status_read(Store *store, const Mailboxes *mailboxes,
						PlanMode mode, Status *statuses);
extern Status status_read_one(Store *store, Datum *key, PlanMode mode);
extern void status_put(ReturnSetInfo *rsinfo, const Mailboxes *mailboxes,
					   int i, const Status *status);

/* --- messages.c -------------------------------------------------------- */

/* A message in an answer */
typedef struct MessageRow
{
	int64		uid;
	int64		modseq;
} MessageRow;

extern MessageRow *messages_read(Store *store, PlanId id, const Datum *key,
								 Datum param, const UidSet *set,
								 PlanMode mode, int64 *n);
extern MessageRow *messages_changed(Store *store, const Datum *key,
									int64 since, const UidSet *uids, int64 *n);

#endif							/* MODSEQ_FUNCTION_H */
