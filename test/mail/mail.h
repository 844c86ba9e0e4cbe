/*-------------------------------------------------------------------------
 *
 * mail.h
 *	  What both front ends do with what they read and write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MAIL_H
#define MAIL_H

#include <glib.h>

/* Which thread a message belongs to: parameters of mw_thread(), to be freed */
typedef struct ThreadKey
{
	char	   *ids;			/* the message ids that it names, as an array literal */
	char	   *subject;		/* without "Re:" and the like */
} ThreadKey;

extern char *text_array(const GPtrArray *texts);
extern ThreadKey thread_key(const char *raw, size_t length);
extern void thread_key_free(ThreadKey *key);
extern char *base_subject(const char *subject);

#endif							/* MAIL_H */
