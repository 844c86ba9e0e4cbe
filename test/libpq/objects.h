/*-------------------------------------------------------------------------
 *
 * objects.h
 *	  What a JMAP client keeps of one type of an account: its objects, by id,
 *	  and the state that they are of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OBJECTS_H
#define OBJECTS_H

#define STATE_SIZE		256

/* What is known of an object: all that a client can see of it, as a text */
typedef struct Object
{
	char	   *id;
	char	   *print;			/* NULL: it was gone when it was fetched */
} Object;

typedef struct Objects
{
	char		state[STATE_SIZE];	/* empty: nothing is known yet */
	int			server;			/* that told it */
	int			count;
	int			allocated;
	Object	   *objects;		/* by id */
	struct Objects *told;		/* in the walk that is under way: ids alone */
} Objects;

extern Object *objects_find(const Objects *all, const char *id);
extern void objects_put(Objects *all, const char *id, const char *print);
extern void objects_forget(Objects *all, const char *id);
extern void objects_clear(Objects *all);
extern void objects_copy(Objects *to, const Objects *from);
extern void objects_release(Objects *all);

#endif							/* OBJECTS_H */
