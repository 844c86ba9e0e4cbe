/*-------------------------------------------------------------------------
 *
 * model.c
 *	  What a replica believes a mailbox to be, and sets of UIDs.
 *
 *-------------------------------------------------------------------------
 */
#include "converge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the UID is, or would be */
static int
position(const Model *model, int64_t uid)
{
	int			lo = 0;
	int			hi = model->count;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (model->messages[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

Message *
model_find(const Model *model, int64_t uid)
{
	int			i = position(model, uid);

	return i < model->count && model->messages[i].uid == uid ?
		&model->messages[i] : NULL;
}

static void
reserve(Model *model, int count)
{
	if (count <= model->allocated)
		return;
	model->allocated = count + count / 2 + 16;
	model->messages = realloc(model->messages,
							  model->allocated * sizeof(Message));
	if (model->messages == NULL)
		abort();
}

void
model_set(Model *model, const Message *message)
{
	int			i = position(model, message->uid);

	if (i == model->count || model->messages[i].uid != message->uid)
	{
		reserve(model, model->count + 1);
		memmove(&model->messages[i + 1], &model->messages[i],
				(model->count - i) * sizeof(Message));
		model->count++;
	}
	model->messages[i] = *message;
}

void
model_remove(Model *model, int64_t uid)
{
	int			i = position(model, uid);

	if (i == model->count || model->messages[i].uid != uid)
		return;
	model->count--;
	memmove(&model->messages[i], &model->messages[i + 1],
			(model->count - i) * sizeof(Message));
}

/* Returns how many there were */
int
model_remove_ranges(Model *model, const Ranges *ranges)
{
	int			kept = 0;
	int			removed;

	for (int i = 0; i < model->count; i++)
		if (!ranges_contain(ranges, model->messages[i].uid))
			model->messages[kept++] = model->messages[i];
	removed = model->count - kept;
	model->count = kept;
	return removed;
}

void
model_clear(Model *model)
{
	model->uidvalidity = model->cursor = model->uidnext = 0;
	model->count = 0;
}

void
model_copy(Model *to, const Model *from)
{
	reserve(to, from->count);
	if (from->count > 0)
		memcpy(to->messages, from->messages, from->count * sizeof(Message));
	to->count = from->count;
	to->uidvalidity = from->uidvalidity;
	to->server = from->server;
	to->cursor = from->cursor;
	to->uidnext = from->uidnext;
}

/* The first difference in messages, if any */
bool
model_differs(const Model *a, const Model *b, int64_t *uid, char *text,
			  size_t size)
{
	int			i = 0;
	int			j = 0;

	while (i < a->count || j < b->count)
	{
		const Message *x = i < a->count ? &a->messages[i] : NULL;
		const Message *y = j < b->count ? &b->messages[j] : NULL;

		if (y == NULL || (x && x->uid < y->uid))
		{
			*uid = x->uid;
			snprintf(text, size, "it has modseq %lld flags '%s', server has no such message",
					 (long long) x->modseq, x->flags);
			return true;
		}
		if (x == NULL || y->uid < x->uid)
		{
			*uid = y->uid;
			snprintf(text, size, "it has no such message, server has modseq %lld flags '%s'",
					 (long long) y->modseq, y->flags);
			return true;
		}
		if (x->modseq != y->modseq || strcmp(x->flags, y->flags) != 0)
		{
			*uid = x->uid;
			snprintf(text, size, "it has modseq %lld flags '%s', server has modseq %lld flags '%s'",
					 (long long) x->modseq, x->flags, (long long) y->modseq,
					 y->flags);
			return true;
		}
		i++;
		j++;
	}
	return false;
}

/* Messages from (uid, modseq, flags), by UID, NULLs skipped */
void
model_read(Model *model, const PGresult *result, int first_column)
{
	model->count = 0;
	for (int i = 0; i < PQntuples(result); i++)
	{
		Message		message = {0};

		if (PQgetisnull(result, i, first_column))
			continue;
		message.uid = atoll(PQgetvalue(result, i, first_column));
		message.modseq = atoll(PQgetvalue(result, i, first_column + 1));
		snprintf(message.flags, FLAGS_SIZE, "%s",
				 PQgetvalue(result, i, first_column + 2));
		model_set(model, &message);
	}
}

/* --- sets of UIDs ------------------------------------------------------------- */

void
ranges_add(Ranges *ranges, int64_t lo, int64_t hi)
{
	if (ranges->count > 0 && ranges->range[ranges->count - 1][1] + 1 == lo)
	{
		ranges->range[ranges->count - 1][1] = hi;
		return;
	}
	if (ranges->count == ranges->allocated)
	{
		ranges->allocated = ranges->allocated * 2 + 16;
		ranges->range = realloc(ranges->range,
								ranges->allocated * sizeof(*ranges->range));
		if (ranges->range == NULL)
			abort();
	}
	ranges->range[ranges->count][0] = lo;
	ranges->range[ranges->count++][1] = hi;
}

/* The text form of a uidset: 1,4:6 */
void
ranges_parse(Ranges *ranges, const char *text)
{
	ranges->count = 0;
	while (*text)
	{
		char	   *end;
		int64_t		lo = strtoll(text, &end, 10);
		int64_t		hi = lo;

		if (*end == ':')
			hi = strtoll(end + 1, &end, 10);
		ranges_add(ranges, lo, hi);
		text = *end == ',' ? end + 1 : end;
		if (*end && *end != ',')
			abort();
	}
}

bool
ranges_contain(const Ranges *ranges, int64_t uid)
{
	int			lo = 0;
	int			hi = ranges->count;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (ranges->range[mid][1] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < ranges->count && ranges->range[lo][0] <= uid;
}

char *
ranges_text(const Ranges *ranges)
{
	char	   *text = malloc(ranges->count * 42 + 1);
	char	   *end = text;

	*end = '\0';
	for (int i = 0; i < ranges->count; i++)
	{
		const char *comma = i > 0 ? "," : "";

		if (ranges->range[i][0] == ranges->range[i][1])
			end += sprintf(end, "%s%lld", comma, (long long) ranges->range[i][0]);
		else
			end += sprintf(end, "%s%lld:%lld", comma,
						   (long long) ranges->range[i][0],
						   (long long) ranges->range[i][1]);
	}
	return text;
}

void
ranges_free(Ranges *ranges)
{
	free(ranges->range);
	memset(ranges, 0, sizeof(Ranges));
}
