/*-------------------------------------------------------------------------
 *
 * objects.c
 *	  What a JMAP client keeps of one type of an account: its objects, by id,
 *	  and the state that they are of.
 *
 *-------------------------------------------------------------------------
 */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

/* Where the id is, or would be */
static int
position(const Objects *all, const char *id)
{
	int			lo = 0;
	int			hi = all->count;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (strcmp(all->objects[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

Object *
objects_find(const Objects *all, const char *id)
{
	int			i = position(all, id);

	return i < all->count && strcmp(all->objects[i].id, id) == 0 ?
		&all->objects[i] : NULL;
}

void
objects_put(Objects *all, const char *id, const char *print)
{
	Object	   *object = objects_find(all, id);
	int			i;

	if (object != NULL)
	{
		free(object->print);
		object->print = print ? strdup(print) : NULL;
		return;
	}
	if (all->count == all->allocated)
	{
		all->allocated = all->allocated * 2 + 16;
		all->objects = realloc(all->objects, all->allocated * sizeof(Object));
	}
	i = position(all, id);
	memmove(&all->objects[i + 1], &all->objects[i],
			(all->count++ - i) * sizeof(Object));
	all->objects[i].id = strdup(id);
	all->objects[i].print = print ? strdup(print) : NULL;
}

void
objects_forget(Objects *all, const char *id)
{
	int			i = position(all, id);

	free(all->objects[i].id);
	free(all->objects[i].print);
	memmove(&all->objects[i], &all->objects[i + 1],
			(--all->count - i) * sizeof(Object));
}

void
objects_clear(Objects *all)
{
	for (int i = 0; i < all->count; i++)
	{
		free(all->objects[i].id);
		free(all->objects[i].print);
	}
	all->count = 0;
	all->state[0] = '\0';
	if (all->told)
		objects_clear(all->told);
}

void
objects_copy(Objects *to, const Objects *from)
{
	objects_clear(to);
	strcpy(to->state, from->state);
	to->server = from->server;
	for (int i = 0; i < from->count; i++)
		objects_put(to, from->objects[i].id, from->objects[i].print);
	if (from->told)
	{
		if (to->told == NULL)
			to->told = calloc(1, sizeof(Objects));
		objects_copy(to->told, from->told);
	}
}

void
objects_release(Objects *all)
{
	objects_clear(all);
	free(all->objects);
	if (all->told)
		objects_release(all->told);
	free(all->told);
	memset(all, 0, sizeof(Objects));
}
