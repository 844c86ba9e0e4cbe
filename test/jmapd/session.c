/*-------------------------------------------------------------------------
 *
 * session.c
 *	  The session object (RFC 8620 section 2): what this server can, and for whom.
 *
 *-------------------------------------------------------------------------
 */
#include "jmapd.h"

static json_t *
core_capability(void)
{
	return json_pack("{sI, si, sI, si, si, si, si, s[sss]}",
					 "maxSizeUpload", (json_int_t) MAX_SIZE_UPLOAD,
					 "maxConcurrentUpload", MAX_CONCURRENT_UPLOAD,
					 "maxSizeRequest", (json_int_t) MAX_SIZE_REQUEST,
					 "maxConcurrentRequests", MAX_CONCURRENT_REQUESTS,
					 "maxCallsInRequest", MAX_CALLS_IN_REQUEST,
					 "maxObjectsInGet", MAX_OBJECTS_IN_GET,
					 "maxObjectsInSet", MAX_OBJECTS_IN_SET,
					 "collationAlgorithms", "i;ascii-casemap", "i;octet", "i;unicode-casemap");
}

static json_t *
mail_capability(void)
{
	return json_pack("{si, si, si, sI, s[sssssssss], sb}",
					 "maxMailboxesPerEmail", MAX_MAILBOXES_PER_EMAIL,
					 "maxMailboxDepth", MAX_MAILBOX_DEPTH,
					 "maxSizeMailboxName", MAX_MAILBOX_NAME,
					 "maxSizeAttachmentsPerEmail", (json_int_t) MAX_ATTACHMENTS,
					 "emailQuerySortOptions", "receivedAt", "size", "from", "to", "subject", "sentAt",
					 "hasKeyword", "allInThreadHaveKeyword", "someInThreadHaveKeyword",
					 "mayCreateTopLevelMailbox", 1);
}

/* Changes only if what it is made of does. */
char *
session_state(const User *user)
{
	return g_strdup_printf("1-%s", user->account);
}

json_t *
session_object(const User *user, const char *host)
{
	char	   *state = session_state(user);
	char	   *api = g_strdup_printf("http://%s/jmap/api", host);
	char	   *download = g_strdup_printf("http://%s/jmap/download/{accountId}/{blobId}/{name}?type={type}", host);
	char	   *upload = g_strdup_printf("http://%s/jmap/upload/{accountId}/", host);
	char	   *events = g_strdup_printf("http://%s/jmap/events?types={types}&closeafter={closeafter}&ping={ping}", host);
	json_t	   *session = json_pack(
		"{s{so, s{}}, s{s{ss, sb, sb, s{s{}, so}}}, s{ss, ss}, ss, ss, ss, ss, ss, ss}",
		"capabilities", CAPABILITY_CORE, core_capability(), CAPABILITY_MAIL,
		"accounts", user->account, "name", user->name, "isPersonal", 1, "isReadOnly", 0,
		"accountCapabilities", CAPABILITY_CORE, CAPABILITY_MAIL, mail_capability(),
		"primaryAccounts", CAPABILITY_CORE, user->account, CAPABILITY_MAIL, user->account,
		"username", user->name, "apiUrl", api, "downloadUrl", download,
		"uploadUrl", upload, "eventSourceUrl", events, "state", state);

	g_free(state);
	g_free(api);
	g_free(download);
	g_free(upload);
	g_free(events);
	return session;
}
