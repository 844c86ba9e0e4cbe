/*-------------------------------------------------------------------------
 *
 * import.c
 *	  --create-user, and --import of a maildir or mbox.
 *
 * Some hundred messages go in by one INSERT and in one transaction, so that a
 * mailbox that is in use is not locked for long.  Between transactions the
 * backend is idle, if only for a moment: else it would never report what it
 * has written, and autovacuum never come.  Lines get the ends that IMAP wants.
 *
 *-------------------------------------------------------------------------
 */
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "imapd.h"

/* So many messages, or octets, are a transaction. */
#define BATCH_MESSAGES	500
#define BATCH_OCTETS	(4 * 1024 * 1024)

typedef struct Import
{
	Db			db;
	int64_t		user_id;
	int64_t		box;
	Batch		batch;			/* read, but not written yet */
	int64_t		messages;
	uint64_t	done;			/* octets, of */
	uint64_t	total;
	time_t		shown;
} Import;

static bool
run(Db *db)
{
	if (db_run(db))
		return true;
	fprintf(stderr, "imapd: the database has failed (%s)\n", db->sqlstate);
	return false;
}

/* How far it is, once a second, on a terminal only */
static void
show_progress(Import *import, bool last)
{
	time_t		now = time(NULL);
	int			part = import->total > 0 ? import->done * 40 / import->total : 40;

	if (!isatty(STDERR_FILENO) || (now == import->shown && !last))
		return;
	import->shown = now;
	fprintf(stderr, "\r[%.*s%*s] %3d%%  %" PRId64 " messages%s", MIN(part, 40),
			"########################################", 40 - MIN(part, 40), "",
			(int) (import->total > 0 ? MIN(import->done * 100 / import->total, 100) : 100),
			import->messages, last ? "\n" : "");
}

static GString *
with_crlf(const char *data, size_t length)
{
	GString    *text = g_string_sized_new(length + length / 32);

	for (size_t i = 0; i < length; i++)
	{
		if (data[i] == '\n' && (i == 0 || data[i - 1] != '\r'))
			g_string_append_c(text, '\r');
		g_string_append_c(text, data[i]);
	}
	return text;
}

/* Writes what has been read.  COMMIT ends the round trip. */
static bool
write_batch(Import *import)
{
	Db		   *db = &import->db;
	bool		done;

	if (import->batch.count == 0)
		return true;
	db_queue(db, SQL_BEGIN, "");
	db_queue(db, SQL_LOCK, "i", import->box);
	batch_queue(&import->batch, db, import->box);
	db_queue(db, SQL_COMMIT, "");
	done = run(db);
	if (done)
		import->messages += import->batch.count;
	batch_free(&import->batch);
	batch_init(&import->batch);
	show_progress(import, false);
	return done;
}

static bool
add_message(Import *import, const char *data, size_t length, const char *flags, const char *date)
{
	GString    *text = with_crlf(data, length);
	bool		done = true;

	if (import->batch.octets->len + text->len > BATCH_OCTETS)
		done = write_batch(import);
	batch_add(&import->batch, text->str, text->len, flags, date);
	g_string_free(text, true);
	if (import->batch.count == BATCH_MESSAGES)
		done = done && write_batch(import);
	return done;
}

/* The date of a line "From someone Thu Jul 16 09:00:00 2026", as PostgreSQL reads it; NULL if there is none */
static char *
mbox_date(const char *line, size_t length)
{
	char	   *text = g_strndup(line, length);
	const char *someone = text + strlen("From ");
	const char *space = strchr(someone, ' ');
	struct tm	tm = {0};
	char	   *date = NULL;

	if (space && strptime(space, " %a %b %e %H:%M:%S %Y", &tm) != NULL)
		date = g_strdup_printf("%04d-%02d-%02d %02d:%02d:%02d+00", tm.tm_year + 1900, tm.tm_mon + 1,
							   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	g_free(text);
	return date;
}

/* The message that was collected; the empty line at its end belongs to the mbox. */
static bool
end_of_message(Import *import, GString *message, char **date)
{
	bool		done = true;

	if (message->len > 1 && message->str[message->len - 1] == '\n' && message->str[message->len - 2] == '\n')
		g_string_truncate(message, message->len - 1);
	if (message->len > 0)
		done = add_message(import, message->str, message->len, "{}", *date);
	g_string_truncate(message, 0);
	g_clear_pointer(date, g_free);
	return done;
}

/* mbox: messages begin with a line "From "; ">From " was such a line of the text. */
static bool
import_mbox(Import *import, const char *path)
{
	GError	   *error = NULL;
	GMappedFile *file = g_mapped_file_new(path, false, &error);
	GString    *message = g_string_new(NULL);
	char	   *date = NULL;
	const char *at;
	const char *end;
	bool		begun = false;
	bool		done = true;

	if (file == NULL)
	{
		fprintf(stderr, "imapd: %s\n", error->message);
		g_error_free(error);
		g_string_free(message, true);
		return false;
	}
	at = g_mapped_file_get_contents(file);
	import->total = g_mapped_file_get_length(file);
	end = at + import->total;
	while (done && at < end)
	{
		const char *newline = memchr(at, '\n', end - at);
		const char *next = newline ? newline + 1 : end;
		const char *quoted = at;

		while (quoted < next && *quoted == '>')
			quoted++;
		if (next - at >= 5 && strncmp(at, "From ", 5) == 0)
		{
			done = end_of_message(import, message, &date);
			date = mbox_date(at, next - at);
			begun = true;
		}
		else if (begun)
		{
			const char *from = quoted > at && next - quoted >= 5 && strncmp(quoted, "From ", 5) == 0 ? at + 1 : at;

			g_string_append_len(message, from, next - from);
		}
		import->done += next - at;
		at = next;
	}
	done = done && end_of_message(import, message, &date);
	g_free(date);
	g_string_free(message, true);
	g_mapped_file_unref(file);
	return done;
}

/* What a maildir's file name says behind ":2," */
static char *
maildir_flags(const char *name)
{
	static const char letters[] = "DFRST";
	static const char *const flags[] = {"\\Draft", "\\Flagged", "\\Answered", "\\Seen", "\\Deleted"};
	GPtrArray  *set = g_ptr_array_new();
	const char *info = strstr(name, ":2,");
	char	   *array;

	for (int i = 0; info && letters[i]; i++)
		if (strchr(info + 3, letters[i]))
			g_ptr_array_add(set, (char *) flags[i]);
	array = text_array(set);
	g_ptr_array_unref(set);
	return array;
}

static bool
import_file(Import *import, const char *path, const char *name)
{
	char	   *data;
	gsize		length;
	GStatBuf	status;
	GDateTime  *time;
	char	   *date;
	char	   *flags;
	bool		done;

	if (!g_file_get_contents(path, &data, &length, NULL) || g_stat(path, &status) != 0)
	{
		fprintf(stderr, "imapd: cannot read %s\n", path);
		return false;
	}
	time = g_date_time_new_from_unix_utc(status.st_mtime);
	date = g_date_time_format(time, "%Y-%m-%d %H:%M:%S+00");
	flags = maildir_flags(name);
	done = length == 0 || add_message(import, data, length, flags, date);
	import->done++;
	g_free(flags);
	g_free(date);
	g_date_time_unref(time);
	g_free(data);
	return done;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool
import_maildir(Import *import, const char *path)
{
	static const char *const folders[] = {"cur", "new"};
	bool		done = true;

	for (size_t i = 0; done && i < G_N_ELEMENTS(folders); i++)
	{
		char	   *folder = g_build_filename(path, folders[i], NULL);
		GPtrArray  *names = g_ptr_array_new_with_free_func(g_free);
		GDir	   *dir = g_dir_open(folder, 0, NULL);
		const char *name;

		done = dir != NULL;
		if (!done)
			fprintf(stderr, "imapd: %s is no maildir\n", path);
		while (dir && (name = g_dir_read_name(dir)) != NULL)
			if (*name != '.')
				g_ptr_array_add(names, g_strdup(name));
		g_ptr_array_sort(names, compare_names);
		import->total += names->len;
		for (guint n = 0; done && n < names->len; n++)
		{
			char	   *file = g_build_filename(folder, names->pdata[n], NULL);

			done = import_file(import, file, names->pdata[n]);
			g_free(file);
		}
		if (dir)
			g_dir_close(dir);
		g_ptr_array_unref(names);
		g_free(folder);
	}
	return done;
}

/* Finds the user's mailbox, or makes it. */
static bool
open_target(Import *import, const char *user, const char *mailbox)
{
	Db		   *db = &import->db;

	db_queue(db, SQL_FIND_USER, "s", user);
	if (!run(db))
		return false;
	if (PQntuples(db->results[0]) == 0)
	{
		fprintf(stderr, "imapd: there is no user %s\n", user);
		return false;
	}
	import->user_id = db_int(db->results[0], 0, 0);
	db_queue(db, SQL_FIND_MAILBOX, "is", import->user_id, mailbox);
	if (!run(db))
		return false;
	if (PQntuples(db->results[0]) == 0)
	{
		db_queue(db, SQL_CREATE, "iss", import->user_id, mailbox, NULL);
		if (!run(db))
			return false;
	}
	import->box = db_int(db->results[0], 0, 0);
	return true;
}

/* Returns the exit status of the program, as create_user() does. */
int
import_messages(const char *user, const char *mailbox, const char *format, const char *path)
{
	Import		import = {0};
	bool		mbox = strcmp(format, "mbox") == 0;
	bool		done;

	if (!mbox && strcmp(format, "maildir") != 0)
	{
		fprintf(stderr, "imapd: --import reads maildir or mbox\n");
		return 2;
	}
	if (!db_connect(&import.db, options.conninfo))
		return 1;
	batch_init(&import.batch);
	done = open_target(&import, user, mailbox) &&
		(mbox ? import_mbox(&import, path) : import_maildir(&import, path)) &&
		write_batch(&import);
	if (done && import.messages > 0)
		show_progress(&import, true);
	batch_free(&import.batch);
	db_disconnect(&import.db);
	if (done)
		printf("imapd: imported %" PRId64 " messages\n", import.messages);
	return done ? 0 : 1;
}

int
create_user(const char *name)
{
	static const char *const mailboxes[][2] = {
		{"INBOX", NULL}, {"Archive", "\\Archive"}, {"Drafts", "\\Drafts"},
		{"Junk", "\\Junk"}, {"Sent", "\\Sent"}, {"Trash", "\\Trash"},
	};
	const char *given = getenv("IMAPD_PASSWORD");
	char		password[256];
	Db			db;
	int64_t		id;

	if (given)
		g_strlcpy(password, given, sizeof(password));
	else if (!fgets(password, sizeof(password), stdin))
		*password = '\0';
	password[strcspn(password, "\n")] = '\0';
	if (*password == '\0')
	{
		fprintf(stderr, "imapd: the password is missing\n");
		return 2;
	}
	if (!db_connect(&db, options.conninfo))
		return 1;
	db_queue(&db, SQL_CREATE_USER, "ss", name, password);
	if (!run(&db))
		return 1;
	id = db_int(db.results[0], 0, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(mailboxes); i++)
	{
		db_queue(&db, SQL_CREATE, "iss", id, mailboxes[i][0], mailboxes[i][1]);
		db_queue(&db, SQL_SUBSCRIBE, "is", id, mailboxes[i][0]);
		if (!db_run(&db) && strcmp(db.sqlstate, "23505") != 0)
			return 1;
	}
	db_disconnect(&db);
	printf("imapd: user %s is there\n", name);
	return 0;
}
