/*-------------------------------------------------------------------------
 *
 * methods.h
 *	  Every method, for request.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef METHODS_H
#define METHODS_H

#include "jmapd.h"

extern json_t *blob_copy(Call *call);
extern json_t *mailbox_get(Call *call);
extern json_t *mailbox_changes(Call *call);
extern json_t *mailbox_query(Call *call);
extern json_t *mailbox_query_changes(Call *call);
extern json_t *mailbox_set(Call *call);
extern json_t *thread_get(Call *call);
extern json_t *thread_changes(Call *call);
extern json_t *email_get(Call *call);
extern json_t *email_changes(Call *call);
extern json_t *email_query(Call *call);
extern json_t *email_query_changes(Call *call);
extern json_t *email_set(Call *call);
extern json_t *email_copy(Call *call);
extern json_t *email_import(Call *call);
extern json_t *email_parse(Call *call);

#endif							/* METHODS_H */
