/*-------------------------------------------------------------------------
 *
 * push.h
 *	  EventSource (RFC 8620 section 7.3), for http.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PUSH_H
#define PUSH_H

#include <microhttpd.h>

#include "jmapd.h"

extern enum MHD_Result push_serve(struct MHD_Connection *connection, const User *user);

#endif							/* PUSH_H */
