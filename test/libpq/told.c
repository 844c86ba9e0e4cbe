/*-------------------------------------------------------------------------
 *
 * told.c
 *	  All that clients were ever told, by any server: nothing may mean two
 *	  things.
 *
 * What is told has a name, as "mailbox 3, UIDVALIDITY 17, UID 5", and a meaning,
 * as the message's identity.  Of a mailbox at a HIGHESTMODSEQ, and of an account
 * at a state, the meaning is all that is in it.  Both are kept for the whole
 * run; of a name only a hash.
 *
 *-------------------------------------------------------------------------
 */
#include "replica.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEANING_SIZE	56

typedef struct Told
{
	uint64_t	name;			/* 0: nothing is here */
	double		time;
	int			server;
	char		meaning[MEANING_SIZE];
} Told;

static Told *all;
static uint64_t allocated;
static uint64_t count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

uint64_t
hash_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const unsigned char *c = bytes;

	/* FNV-1a */
	while (size-- > 0)
		hash = (hash ^ *c++) * UINT64_C(1099511628211);
	return hash;
}

/* Where the name is, or would be */
static Told *
find(uint64_t name)
{
	uint64_t	i = name % allocated;

	while (all[i].name != 0 && all[i].name != name)
		i = (i + 1) % allocated;
	return &all[i];
}

static void
grow(void)
{
	Told	   *before = all;
	uint64_t	size = allocated;

	allocated = size == 0 ? 1 << 16 : size * 2;
	all = calloc(allocated, sizeof(Told));
	if (all == NULL)
		abort();
	for (uint64_t i = 0; i < size; i++)
		if (before[i].name != 0)
			*find(before[i].name) = before[i];
	free(before);
}

/* A client is told; with the mailbox and the UID that it concerns, for the report */
static void
told(Client *client, int mailbox, int64_t uid, const char *meaning, const char *format,...)
			__attribute__((format(printf, 5, 6)));
static void
told(Client *client, int mailbox, int64_t uid, const char *meaning, const char *format,...)
{
	char		name[STATE_SIZE + 40];
	uint64_t	hash;
	Told		before;
	va_list		args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	hash = hash_bytes(HASH_BEGIN, name, strlen(name)) | 1;
	pthread_mutex_lock(&mutex);
	if (count * 2 >= allocated)
		grow();
	before = *find(hash);
	if (before.name == 0)
	{
		Told	   *new = find(hash);

		new->name = hash;
		new->time = now();
		new->server = client->server;
		snprintf(new->meaning, MEANING_SIZE, "%s", meaning);
		count++;
	}
	pthread_mutex_unlock(&mutex);
	if (before.name != 0 && strncmp(before.meaning, meaning, MEANING_SIZE - 1) != 0)
		diverged(client, mailbox, uid, "%s is '%s' on server %d, and was '%s' on server %d at %.4f",
				 name, meaning, client->server, before.meaning, before.server, before.time);
}

/*
 * Rows of a mailbox; and the whole mailbox, if the model is what it is at its
 * HIGHESTMODSEQ.  What tells messages apart is at the end of their flags: see
 * flags_expression().
 */
void
told_mailbox(Client *client, int mailbox, const Model *model, const Answer *answer, bool whole)
{
	long long	uidvalidity = model->uidvalidity;
	uint64_t	hash = HASH_BEGIN;
	char		meaning[MEANING_SIZE];

	for (int i = 0; i < answer->rows.count; i++)
	{
		const Message *row = &answer->rows.messages[i];
		const char *identity = strchr(row->flags, '#');

		told(client, mailbox, row->uid, identity, "mailbox %d, UIDVALIDITY %lld, UID %lld", mailbox,
			 uidvalidity, (long long) row->uid);
		told(client, mailbox, row->uid, row->flags, "mailbox %d, UIDVALIDITY %lld, UID %lld at %lld",
			 mailbox, uidvalidity, (long long) row->uid, (long long) row->modseq);
	}
	if (!whole)
		return;
	for (int i = 0; i < model->count; i++)
	{
		const Message *message = &model->messages[i];

		hash = hash_bytes(hash, &message->uid, sizeof(message->uid));
		hash = hash_bytes(hash, &message->modseq, sizeof(message->modseq));
		hash = hash_bytes(hash, message->flags, strlen(message->flags));
	}
	snprintf(meaning, MEANING_SIZE, "%d messages, UIDNEXT %lld, hash %llx", model->count,
			 (long long) model->uidnext, (unsigned long long) hash);
	told(client, mailbox, 0, meaning, "mailbox %d, UIDVALIDITY %lld at %lld", mailbox, uidvalidity,
		 (long long) model->cursor);
}

/* All objects of a kind of an account, which are what it has at their state */
void
told_account(Client *client, const char *kind, int account, const Objects *known)
{
	uint64_t	hash = HASH_BEGIN;
	char		meaning[MEANING_SIZE];

	for (int i = 0; i < known->count; i++)
	{
		const Object *object = &known->objects[i];

		hash = hash_bytes(hash, object->id, strlen(object->id) + 1);
		if (object->print)
			hash = hash_bytes(hash, object->print, strlen(object->print) + 1);
	}
	snprintf(meaning, MEANING_SIZE, "%d objects, hash %llx", known->count, (unsigned long long) hash);
	told(client, 1, 0, meaning, "%s of account %d at %s", kind, account, known->state);
}

long
told_count(void)
{
	return (long) count;
}
