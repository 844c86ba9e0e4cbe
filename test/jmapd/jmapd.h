/*-------------------------------------------------------------------------
 *
 * jmapd.h
 *	  Shared by all files of the reference JMAP front end.
 *
 *	  libmicrohttpd gives each connection a thread.  A request takes a
 *	  connection to the database out of the pool, and gives it back when it has
 *	  been answered.  What a method allocates it frees before it returns;
 *	  json_t's are counted by jansson, and json_auto_t lets go at the end of its
 *	  block.
 *
 *-------------------------------------------------------------------------
 */
#ifndef JMAPD_H
#define JMAPD_H

#include <glib.h>
#include <gmime/gmime.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "db.h"
#include "mail.h"

/* What main.c's options say */
typedef struct Options
{
	const char *listen;			/* address: passwords are taken over loopback only */
	int			port;
	const char *conninfo;
	int			wait;			/* seconds, for a standby that lags */
	bool		verbose;		/* print requests and responses to stderr */
} Options;

extern Options options;

/* The limits that the session tells (RFC 8620 section 2, RFC 8621 section 1.3.1) */
#define MAX_SIZE_UPLOAD			50000000
#define MAX_CONCURRENT_UPLOAD	8
#define MAX_SIZE_REQUEST		10000000
#define MAX_CONCURRENT_REQUESTS	8
#define MAX_CALLS_IN_REQUEST	32
#define MAX_OBJECTS_IN_GET		500
#define MAX_OBJECTS_IN_SET		500
#define MAX_MAILBOXES_PER_EMAIL	50
#define MAX_MAILBOX_DEPTH		20
#define MAX_MAILBOX_NAME		255
#define MAX_MAILBOX_PATH		1000	/* as imapd's MAX_NAME */
#define MAX_KEYWORDS			100
#define MAX_ATTACHMENTS			50000000

#define CAPABILITY_CORE	"urn:ietf:params:jmap:core"
#define CAPABILITY_MAIL	"urn:ietf:params:jmap:mail"

/* Who asks */
typedef struct User
{
	int64_t		id;
	char	   *name;
	char		account[24];	/* the account's id in JMAP */
} User;

/* The states of an account's types, as account_state() has them */
typedef enum Type
{
	TYPE_EMAIL, TYPE_MAILBOX, TYPE_THREAD, TYPE_COUNT
} Type;

typedef struct States
{
	char	   *of[TYPE_COUNT];
} States;

/* A method call */
typedef struct Call
{
	Db		   *db;
	const User *user;
	json_t	   *args;
	json_t	   *created_ids;	/* the request's: creation id to id */
	json_t	   *error;			/* why there is no response */
	bool		waited;			/* for a standby that lags */
	States		old;			/* in call_write(): before and after */
	States		new;
} Call;

/* Returns the response's arguments, or NULL after call_fail() */
typedef json_t *(*Method) (Call *call);

/* --- main.c, http.c, pool.c ------------------------------------------------------- */

extern unsigned http_start(void);
extern Db  *pool_take(void);
extern void pool_give(Db *db);

/* What http.c answers with */
typedef struct Answer
{
	unsigned	status;
	const char *type;
	char	   *body;			/* malloc'ed */
	size_t		length;
} Answer;

extern void answer_json(Answer *answer, unsigned status, const char *type, const json_t *json);
extern void answer_problem(Answer *answer, unsigned status, const char *type,
						   const char *limit, const char *detail);

/* --- session.c, request.c ----------------------------------------------------------- */

extern json_t *session_object(const User *user, const char *host);
extern char *session_state(const User *user);
extern void request_run(Db *db, const User *user, const char *body, size_t length, Answer *answer);

/* --- call.c: what most methods do ----------------------------------------------------- */

typedef enum ArgType
{
	ARG_ID, ARG_IDS, ARG_STRING, ARG_STRINGS, ARG_BOOL, ARG_UINT, ARG_INT, ARG_OBJECT, ARG_ARRAY, ARG_ANY
} ArgType;

#define ARG_REQUIRED	1
#define ARG_NULL		2		/* may be null */

typedef struct Arg
{
	const char *name;
	ArgType		type;
	int			flags;
} Arg;

extern json_t *call_fail(Call *call, const char *type, const char *description,...) G_GNUC_PRINTF(3, 4);
extern json_t *call_fail_database(Call *call);
extern bool call_args(Call *call, const Arg *args, size_t n);
extern const char *arg_string(const Call *call, const char *name);
extern bool arg_bool(const Call *call, const char *name, bool otherwise);
extern json_int_t arg_int(const Call *call, const char *name, json_int_t otherwise);
extern json_t *arg_get(const Call *call, const char *name);
extern bool value_is(const json_t *value, ArgType type);
extern bool states_take(States *states, const PGresult *row);
extern void states_free(States *states);

#define ID_MAX	24
extern const char *id_print(char kind, int64_t id, char text[ID_MAX]);
extern json_t *id_json(char kind, int64_t id);
extern int64_t id_parse(char kind, const char *text);
extern int64_t id_resolve(const Call *call, char kind, const char *text);
extern bool is_id(const char *text);
extern GArray *ids_read(const char *list);
extern json_t *ids_json(char kind, const char *list);
extern char *ids_array(const GArray *ids);
extern char *time_json(int64_t microseconds);
extern bool time_parse(const char *text, bool utc, int64_t *microseconds);

/* A record's error in /set, and what is wrong with which of its properties */
extern json_t *set_error(const char *type, const char *description);
extern json_t *set_error_property(json_t *error, const char *property);

/* get: ids and properties */
typedef struct GetIds
{
	bool		all;
	GArray	   *ids;			/* int64_t, each once */
	json_t	   *not_found;
} GetIds;

extern bool get_ids(Call *call, char kind, GetIds *ids);
extern void get_ids_free(GetIds *ids);
extern bool call_properties(Call *call, const char *arg, const char *const *known, size_t n);
extern bool wants(const Call *call, const char *property);

/* set, in one transaction under the account's lock */
typedef bool (*WriteFunction) (Call *call, void *arg);
extern bool call_write(Call *call, Type type, WriteFunction function, void *arg);
extern bool set_size(Call *call);
extern json_t *or_null(json_t *value);

/* What a /set has done, and not done */
typedef struct SetDone
{
	json_t	   *created;
	json_t	   *updated;
	json_t	   *destroyed;
	json_t	   *not_created;
	json_t	   *not_updated;
	json_t	   *not_destroyed;
} SetDone;

extern void set_done_init(SetDone *done);
extern void set_done_clear(SetDone *done);
extern json_t *set_response(const Call *call, Type type, const SetDone *done);

/* --- changes.c: what all that asks for changes does with the verdict --------------------- */

typedef enum Verdict
{
	CHANGES_TOLD,
	CHANGES_AGAIN,				/* the server has it now: ask again */
	CHANGES_FAILED				/* call_fail() says why */
} Verdict;

extern Verdict changes_verdict(Call *call, const char *since, const PGresult *changes);

/* --- paging.c: what all /query methods do with what they found ------------------------- */

extern json_t *query_response(Call *call, const char *state, const GArray *ids, char kind, bool changes);
extern json_t *query_changes(Call *call, const char *state, const GArray *ids, char kind, const PGresult *changes);

#define QUERY_ARGS \
	{"position", ARG_INT, 0}, \
	{"anchor", ARG_ID, ARG_NULL}, \
	{"anchorOffset", ARG_INT, 0}, \
	{"limit", ARG_UINT, ARG_NULL}, \
	{"calculateTotal", ARG_BOOL, 0}

#define QUERY_CHANGES_ARGS \
	{"sinceQueryState", ARG_STRING, ARG_REQUIRED}, \
	{"maxChanges", ARG_UINT, ARG_NULL}, \
	{"upToId", ARG_ID, ARG_NULL}, \
	{"calculateTotal", ARG_BOOL, 0}

/* --- mailboxes: mailbox.c, mailbox_query.c, mailbox_set.c ---------------------------------- */

typedef struct Mailbox
{
	int64_t		id;
	int64_t		parent;			/* 0 at the top */
	char	   *path;			/* IMAP's name */
	char	   *name;			/* the last level, in UTF-8 */
	char	   *role;			/* or NULL */
	int64_t		sort_order;
	bool		subscribed;
} Mailbox;

extern GPtrArray *mailboxes_read(const PGresult *rows);
extern Mailbox *mailbox_find(const GPtrArray *mailboxes, int64_t id);
extern Mailbox *mailbox_at(const GPtrArray *mailboxes, const char *path);
extern void mailboxes_set_parents(GPtrArray *mailboxes);
extern void mailbox_free(void *mailbox);
extern char *mailbox_encode(const char *name);
extern const char *role_of_use(const char *use);
extern char *use_of_role(const char *role);
extern json_t *mailbox_rights(const Mailbox *mailbox);

/* --- emails ------------------------------------------------------------------------------- */

/* email.c: an Email as the database has it */
typedef struct Email
{
	int64_t		id;
	int64_t		thread;
	char		blob[65];
	GArray	   *mailboxes;		/* int64_t */
	GPtrArray  *flags;			/* as IMAP has them */
	int64_t		received;		/* microseconds */
	int64_t		size;
	/* for Email/query only: */
	bool		has_sent;
	int64_t		sent;
	char	   *from;
	char	   *to;
	char	   *subject;
	bool		attachment;
} Email;

extern GPtrArray *emails_read(const PGresult *rows, bool facts);
extern Email *email_find(const GPtrArray *emails, int64_t id);
extern json_t *email_mailboxes(const Email *email);
extern json_t *email_keywords(const Email *email);
extern bool email_has(const Email *email, const char *keyword);
extern char *keyword_of_flag(const char *flag);
extern bool keyword_is_valid(const char *keyword);
extern char *flag_of_keyword(const char *keyword, const json_t *spellings);
extern bool keywords_spell(Call *call, const json_t *keywords, json_t **spellings);

/* message.c: a message, parsed */
typedef struct Message
{
	char	   *raw;
	size_t		length;
	GMimeMessage *gmime;		/* NULL if there is none */
} Message;

extern bool message_is_plausible(const char *raw, size_t length);
extern bool message_load(Call *call, const char *blob, Message *message);
extern void message_open(Message *message, char *raw, size_t length);
extern void message_close(Message *message);

/* header.c: header fields, in the forms of RFC 8621 section 4.1.2 */
typedef enum Form
{
	FORM_RAW = 1,
	FORM_TEXT = 2,
	FORM_ADDRESSES = 4,
	FORM_GROUPED = 8,
	FORM_MESSAGE_IDS = 16,
	FORM_DATE = 32,
	FORM_URLS = 64
} Form;

extern bool header_parse(const char *property, char **name, Form *form, bool *all);
extern bool header_property_valid(const char *property);
extern json_t *header_property(GMimeObject *object, const char *property);
extern json_t *header_convenience(GMimeObject *object, const char *property);
extern const char *header_of_convenience(const char *property, Form *form);
extern json_t *header_all(GMimeObject *object);

/* body.c: parts and their values, RFC 8621 section 4.1.4 */
extern json_t *body_structure(const Message *message, const char *blob, const json_t *properties);
extern json_t *body_part(const Message *message, const char *blob, GMimeObject *object, const json_t *properties);
extern void body_lists(const Message *message, GPtrArray *text, GPtrArray *html, GPtrArray *attachments);
/* body_value.c */
extern json_t *body_value(GMimeObject *object, json_int_t max);
extern char *body_part_id(const Message *message, GMimeObject *object);
extern GMimeObject *body_find_part(const Message *message, const char *part_id);
extern GByteArray *body_content(GMimeObject *object);
extern char *body_text(const Message *message, bool *attachment);
extern char *body_preview(const Message *message);
extern bool body_has_attachment(const Message *message);

/* facts.c */
extern bool facts_fill(Call *call);

/* email_filter.c: Email/query */
typedef struct Query
{
	GPtrArray  *emails;			/* all that may be found */
	GHashTable *sets;			/* condition to the ids that contain the text */
	GHashTable *threads;		/* thread to a GPtrArray of its Emails; or NULL */
	bool		needs_facts;
	bool		needs_threads;
	int64_t		mailbox;		/* that all must be in; or 0 */
} Query;

extern bool filter_check(Call *call, Query *query, json_t *filter, bool all);
extern bool filter_texts(Call *call, Query *query, const json_t *filter);
extern bool filter_matches(const Query *query, const json_t *filter, const Email *email);
extern bool thread_has(const Query *query, const Email *email, const char *keyword, bool all);

/* compose.c, compose_header.c: a message out of properties */
typedef struct Composer
{
	Call	   *call;
	json_t	   *record;			/* what /set create has been given */
	json_t	   *error;			/* a SetError, or NULL */
	json_t	   *missing;		/* blobs that there are not */
	bool		failed;			/* the database has failed */
} Composer;

extern bool compose_fields(Composer *composer, GMimeObject *object, json_t *record, const char *path,
						   GHashTable *used);
extern bool compose_is_field(const char *property);
extern bool compose_add_field(GMimeObject *object, const char *name, Form form, const json_t *value);
extern GByteArray *compose_message(Composer *composer);

/* email_write.c: what Email/set and Email/import have in common */
typedef struct NewEmail
{
	char	   *creation_id;
	GArray	   *mailboxes;		/* int64_t; whether there are such is not known yet */
	json_t	   *keywords;		/* an array, lower case */
	char	   *received;		/* or NULL: now */
	GByteArray *raw;
} NewEmail;

extern NewEmail *new_email(const char *creation_id);
extern void new_email_free(void *new_email);
extern json_t *email_take_mailboxes(const Call *call, const json_t *value, GArray *ids, json_t *error);
extern json_t *email_take_keywords(const json_t *value, json_t *keywords, json_t *error);
extern json_t *email_take_received(const json_t *value, char **received, json_t *error);
extern json_t *email_check_mailboxes(const GArray *ids, const GPtrArray *mailboxes);
extern bool emails_insert(Call *call, const GPtrArray *new, const GPtrArray *mailboxes,
						  json_t *created, json_t *not_created);

/* --- blob.c, push.c -------------------------------------------------------------------------- */

extern bool blob_is_valid(const char *id);
extern bool blob_read(Db *db, const User *user, const char *id, GByteArray **octets);
extern void blob_upload(Db *db, const User *user, const char *type, const char *data, size_t length, Answer *answer);
extern char *blob_of_hex(const char *hex);

extern void push_start(void);

#endif							/* JMAPD_H */
