/*-------------------------------------------------------------------------
 *
 * imapd.h
 *	  Shared by all files of the reference IMAP front end.
 *
 * One process serves one connection, and has one thread.  Memory: what a
 * command's parsing allocates comes from the session's arena and goes when
 * the command has been answered; everything else has an owner that is named
 * where it is declared.  A process that loses its client or its database
 * just exits: nothing outlives it but what was committed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IMAPD_H
#define IMAPD_H

#include <glib.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "type/uidset.h"

#include "db.h"
#include "mail.h"

/* Names of mailboxes are no longer than this, and users no longer either */
#define MAX_NAME	1000

/* Why we hang up */
#define BOX_DELETED		"The mailbox has been deleted"
#define BOX_RENEWED		"UIDVALIDITY of the mailbox has changed"
#define DATABASE_LOST	"[UNAVAILABLE] The database is gone"

/* On a standby that is behind what the client knows */
#define NOT_YET			"NO [UNAVAILABLE] This server does not have that yet, try again"

/* How deep search keys and lists may be nested */
#define MAX_DEPTH	50

/* What main.c's options say */
typedef struct Options
{
	const char *listen;			/* address, loopback unless told otherwise */
	int			port;
	const char *conninfo;
	int			max_connections;
	int			login_timeout;	/* seconds a client has to log in */
	int			idle_timeout;	/* seconds between two commands (RFC 9051: 30 minutes) */
	int			write_timeout;	/* seconds a client may leave its answer unread */
	int			wait;			/* seconds for a standby that lags */
	size_t		max_message;	/* octets of a message in APPEND */
	bool		verbose;		/* print the dialogue to stderr */
} Options;

extern Options options;

/* --- uids.c: sets of numbers, and the list of announced messages ------------ */

/* A set that owns its memory: uidset_builder_free() it */
typedef UidBuilder Uids;

#define UIDS_INIT {NULL, 0, 0, true, false, NULL}
#define UIDS_MAX G_MAXUINT32

extern bool uids_parse(Uids *set, const char *text, int64_t last);
extern char *uids_print(const Uids *set);
extern int64_t uids_count(const Uids *set);
extern bool uids_contain(const Uids *set, uint32_t uid);
extern uint32_t uids_last(const Uids *set);
extern void uids_add(Uids *set, uint32_t uid);
extern void uids_intersect(Uids *set, const Uids *other);
extern void uids_subtract(Uids *set, const Uids *other);
extern Uids uids_first(const Uids *set, int64_t skip, int64_t count);

/*
 * The messages that the client has been told of.  A message number is a place
 * in it.  As ranges, so that a mailbox of a million messages costs little.
 */
typedef struct Numbers
{
	Uids		uids;
	int64_t    *before;			/* how many messages precede range i */
} Numbers;

extern void numbers_set(Numbers *numbers, Uids *uids);
extern void numbers_free(Numbers *numbers);
extern int64_t numbers_count(const Numbers *numbers);
extern uint32_t numbers_uid(const Numbers *numbers, int64_t number);
extern int64_t numbers_number(const Numbers *numbers, uint32_t uid);
extern void numbers_add(Numbers *numbers, uint32_t uid);
extern void numbers_remove(Numbers *numbers, const Uids *uids);
extern Uids numbers_to_uids(const Numbers *numbers, const Uids *set);
extern Uids numbers_from_uids(const Numbers *numbers, const Uids *uids);

/* --- session.c ----------------------------------------------------------------- */

typedef enum State
{
	STATE_NOT_AUTHENTICATED = 1,
	STATE_AUTHENTICATED = 2,
	STATE_SELECTED = 4
} State;

/* The mailbox that is open, as the client has been told of it */
typedef struct Selected
{
	int64_t		id;
	bool		read_only;
	bool		standby;		/* is the database one that may lag? */
	int64_t		uidvalidity;
	int64_t		uidnext;
	int64_t		told;			/* flags and arrivals are told up to here */
	int64_t		cursor;			/* expunges too: below told while some are withheld */
	bool		withheld;		/* are flags that NOTIFY does not want? */
	Numbers		numbers;
	GHashTable *flags;			/* as they were told last: flags.c; or NULL */
	char	   *announced;		/* flags whose keywords are, of the message before; or NULL */
} Selected;

/* Reads what the client sends: input.c */
typedef struct Input
{
	char		buffer[16384];
	size_t		next,
				end;			/* buffer[next .. end) is not used yet */
	GByteArray *command;		/* lines and literals of one command */
} Input;

/* Where parse.c stands in a command */
typedef struct Parser
{
	const char *at;
	const char *end;
	const char *error;			/* what is wrong, NULL while nothing is */
	GPtrArray  *arena;			/* owns all that parsing makes, */
	GPtrArray  *arrays;			/* and the GPtrArrays among it */
} Parser;

struct Notify;
struct Session;
typedef struct Session
{
	int			fd;
	bool		plaintext;		/* may passwords be sent as they are? */
	State		state;
	Input		input;
	GString    *output;
	Parser		parser;
	const char *tag;
	bool		logged_in;		/* by the last command */
	bool		logged_out;

	Db			db;
	int64_t		user_id;
	GPtrArray  *keywords;		/* the user's, as spelled first */

	bool		condstore;
	bool		qresync;
	Selected	box;			/* in STATE_SELECTED */
	struct Notify *notify;		/* what is told without being asked; NULL before NOTIFY */
	GHashTable *answered;		/* UID to mod-sequence, of changes of this command
								 * that its own answer has told */
} Session;

typedef void (*Handler) (Session *session, bool uid);

extern void session_run(int fd);
extern void session_capabilities(Session *session, GString *out);
extern void session_condstore(Session *session);
extern void session_unselect(Session *session);
extern bool failed_as_gone(const Session *session);
extern void reply_failure(Session *session);
extern void box_failure(Session *session);

/* sync.c: what has changed, from the database to the client */
typedef enum Expunges
{
	EXPUNGES_TOLD,
	EXPUNGES_WITHHELD			/* in FETCH, STORE and SEARCH by number (RFC 7162 section 3.2.10.2) */
} Expunges;

/* What became of the question */
typedef enum Sync
{
	SYNC_TOLD,
	SYNC_UNWANTED,				/* by NOTIFY: nothing was asked */
	SYNC_LATER,					/* the database is busy or behind: the next one tells it */
	SYNC_DELETED,				/* the mailbox is gone, */
	SYNC_RENEWED,				/* or its UIDs name other messages now, */
	SYNC_LOST					/* or the database is gone */
} Sync;

/* Columns of SQL_RESYNC and the like: of the first row, and of the others */
enum
{
	SYNC_VERDICT, SYNC_UIDNEXT, SYNC_HIGHESTMODSEQ, SYNC_FIRST_VANISHED, SYNC_VANISHED,
	SYNC_UID, SYNC_MODSEQ, SYNC_FLAGS
};

extern void sync_queue(Session *session);
extern bool sync_wait(Session *session, int64_t box, int64_t since);
extern bool sync_reached(Session *session, uint64_t since);
extern void sync_same(Session *session, const PGresult *resync);
extern void sync_tell(Session *session, PGresult *resync, const Uids *except,
					  Expunges expunges);
extern void sync_answered(Session *session, int64_t uid, int64_t modseq);
extern Sync sync_now(Session *session, Expunges expunges);
extern void sync_put_fetch(Session *session, int64_t number, const char *uid,
						   const char *flags, const char *modseq);
extern void sync_finish(Session *session, Expunges expunges, const char *status,
						const char *code, const char *text);
extern void sync_hang_up(Session *session, Sync sync);
extern void sync_done(Session *session, const char *code, const char *text);

/* --- input.c ------------------------------------------------------------------- */

typedef enum InputResult
{
	INPUT_COMMAND,				/* one is complete, in input.command */
	INPUT_REFUSED,				/* it was too much; the reason has been said */
} InputResult;

extern InputResult input_command(Session *session);
extern char *input_line(Session *session, size_t limit);
extern bool input_pending(Session *session);
extern void input_fill(Session *session);

/* --- output.c ------------------------------------------------------------------ */

extern void put(Session *session, const char *format,...) G_GNUC_PRINTF(2, 3);
extern void put_string(Session *session, const char *string);
extern void put_bytes(Session *session, const char *data, size_t length);
extern void put_number(Session *session, uint32_t number);
extern void put_literal(Session *session, const char *data, size_t length);
extern void put_mailbox(Session *session, const char *name);
extern void reply(Session *session, const char *format,...) G_GNUC_PRINTF(2, 3);
extern void output_flush(Session *session);
extern void hang_up(Session *session, const char *bye) G_GNUC_NORETURN;
extern void string_append_quoted(GString *out, const char *string);

/* --- parse.c ------------------------------------------------------------------- */

extern void *parse_keep(Parser *parser, void *memory);
extern GPtrArray *parse_array(Parser *parser);
extern bool parse_fail(Parser *parser, const char *error);
extern bool parse_at(const Parser *parser, char c);
extern bool parse_char(Parser *parser, char c);
extern bool parse_space(Parser *parser);
extern bool parse_end(Parser *parser);
extern bool parse_skip_word(Parser *parser, const char *word);
extern char *parse_atom(Parser *parser);
extern char *parse_astring(Parser *parser);
extern char *parse_string(Parser *parser);
extern char *parse_list_mailbox(Parser *parser);
extern char *parse_mailbox(Parser *parser);
extern bool parse_literal(Parser *parser, const char **data, size_t *length);
extern bool parse_number(Parser *parser, uint64_t max, uint64_t *number);
extern char *parse_set(Parser *parser, bool star);
extern GPtrArray *parse_flags(Parser *parser, bool parentheses);
extern bool parse_date(Parser *parser, int64_t *day);
extern char *parse_date_time(Parser *parser);

extern Parser parse_inside(Session *session, const char *text);
extern void parse_outside(Session *session, Parser outer);

/* --- flags.c ------------------------------------------------------------------- */

extern bool flags_spell(Session *session, GPtrArray *flags, bool add);
extern void flags_put(Session *session);
extern void flags_announce(Session *session, const char *flags);
extern void flags_read(Session *session, const char *keywords);
extern char *flags_safe(const char *flags);
extern bool flags_have(const char *flags, const char *flag);
extern void flags_told(Session *session, int64_t uid, int64_t modseq, const char *flags);
extern bool flags_are_known(const Session *session, int64_t uid, int64_t modseq);
extern bool flags_are_as_told(const Session *session, int64_t uid, const char *now, const GPtrArray *flags);
extern void flags_forget_some(Session *session, const Uids *uids);
extern void flags_forget(Session *session);

/* --- idle.c and notify.c: telling without being asked --------------------------- */

typedef void (*WaitFunction) (Session *session, bool all);

extern void wait_for_client(Session *session, WaitFunction tell, bool alive);
extern void notify_wait(Session *session, bool idle);
extern void notify_overflow(Session *session);
extern bool notify_wants_messages(const Session *session);
extern bool notify_wants_flags(const Session *session);
extern void notify_arrived(Session *session, uint32_t uid);
extern void notify_appended(Session *session, int64_t box, uint32_t uid);
extern void notify_own(Session *session, const char *from, const char *to);
extern void notify_unselected(Session *session);
extern bool notify_fetch(Session *session);
extern void notify_free(struct Notify *notify);

/* --- the commands ---------------------------------------------------------------- */

extern void cmd_login(Session *session, bool uid);
extern void cmd_authenticate(Session *session, bool uid);
extern void cmd_select(Session *session, bool uid);
extern void cmd_examine(Session *session, bool uid);
extern void cmd_close(Session *session, bool uid);
extern void cmd_unselect(Session *session, bool uid);
extern void cmd_create(Session *session, bool uid);
extern void cmd_delete(Session *session, bool uid);
extern void cmd_rename(Session *session, bool uid);
extern void cmd_subscribe(Session *session, bool uid);
extern void cmd_unsubscribe(Session *session, bool uid);
extern void cmd_status(Session *session, bool uid);
extern void cmd_list(Session *session, bool uid);
extern void cmd_lsub(Session *session, bool uid);
extern void cmd_append(Session *session, bool uid);
extern void cmd_idle(Session *session, bool uid);
extern void cmd_notify(Session *session, bool uid);
extern void cmd_expunge(Session *session, bool uid);
extern void cmd_fetch(Session *session, bool uid);
extern void cmd_store(Session *session, bool uid);
extern void cmd_copy(Session *session, bool uid);
extern void cmd_move(Session *session, bool uid);
extern void cmd_search(Session *session, bool uid);
extern void cmd_getmetadata(Session *session, bool uid);
extern void cmd_setmetadata(Session *session, bool uid);

/* STATUS items, shared by STATUS and LIST RETURN (STATUS ...): status.c */
extern bool status_parse(Session *session, unsigned *items);
extern int	status_put(Session *session, GPtrArray *names, unsigned items);

/* list.c: LIST responses of NOTIFY, for names of SQL_LIST's rows */
extern void list_put_names(Session *session, PGresult *rows, GHashTable *names);

/* warm.c */
extern void warm_up(Session *session);

/* mailbox.c */
extern bool mailbox_can_be(const char *name);
extern bool mailbox_find(Session *session, const char *name, int64_t *id);
extern bool command_set(Session *session, const char *text, bool uid, Uids *uids);

/* batch.c: messages that go into a mailbox by one INSERT */
typedef struct Batch
{
	int			count;
	GPtrArray  *flags;			/* of each an array literal, */
	GPtrArray  *dates;			/* internal date, "" for now, */
	GPtrArray  *ids;			/* and what makes its thread */
	GPtrArray  *subjects;
	GByteArray *octets;			/* a bytea[] in binary */
} Batch;

extern GByteArray *octets_array_new(void);
extern void octets_array_add(GByteArray *array, int n, const char *data, size_t length);
extern void batch_init(Batch *batch);
extern void batch_free(Batch *batch);
extern void batch_add(Batch *batch, const char *data, size_t length,
					  const char *flags, const char *date);
extern void batch_queue(Batch *batch, Db *db, int64_t box);

/* import.c: what the command line asks for instead of serving */
extern int	import_messages(const char *user, const char *mailbox,
							const char *format, const char *path);
extern int	create_user(const char *name);

#endif							/* IMAPD_H */
