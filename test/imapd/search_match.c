/*-------------------------------------------------------------------------
 *
 * search_match.c
 *	  Does a message match?
 *
 * First by its row alone.  Where that does not decide, the answer says what
 * does, and the question comes again with the octets.  Text is found whatever
 * its transfer encoding, charset and case.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "message.h"
#include "search.h"

/* Columns of SQL_SEARCH behind those of SQL_MESSAGES */
#define EPOCH	5
#define NOW		6

/* As it is compared: in one case.  The caller g_free()s it. */
char *
search_fold(const char *text)
{
	char	   *valid = g_utf8_make_valid(text, -1);
	char	   *folded = g_utf8_casefold(valid, -1);

	g_free(valid);
	return folded;
}

static bool
has_text(const char *text, const char *folded)
{
	char	   *in = search_fold(text);
	bool		found = strstr(in, folded) != NULL;

	g_free(in);
	return found;
}

static bool
raw_has_text(const char *raw, const char *folded)
{
	char	   *unfolded = g_mime_utils_header_unfold(raw);
	char	   *decoded = g_mime_utils_header_decode_text(NULL, unfolded);
	bool		found = has_text(decoded, folded);

	g_free(decoded);
	g_free(unfolded);
	return found;
}

/* Is it in an address, or in its name, or among the members of a group? */
static bool
addresses_have(InternetAddressList *list, const char *folded)
{
	bool		found = false;

	for (int i = 0; !found && i < internet_address_list_length(list); i++)
	{
		InternetAddress *address = internet_address_list_get_address(list, i);
		const char *name = internet_address_get_name(address);

		if (INTERNET_ADDRESS_IS_GROUP(address))
			found = (name && has_text(name, folded)) ||
				addresses_have(internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)), folded);
		else
		{
			const char *mailbox = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address));
			char	   *text = g_strdup_printf("%s <%s>", name ? name : "", mailbox ? mailbox : "");

			found = has_text(text, folded);
			g_free(text);
		}
	}
	return found;
}

/*
 * The addresses of a header, as its ENVELOPE has them (RFC 3501 section
 * 6.4.4): without comments, folds and blanks that stand inside of one.
 */
static bool
header_has_address(const char *name, const char *raw, const char *folded)
{
	static const char *const fields[] = {
		"From", "Sender", "Reply-To", "To", "Cc", "Bcc",
		"Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Bcc"
	};

	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		if (g_ascii_strcasecmp(name, fields[i]) == 0)
		{
			InternetAddressList *list = internet_address_list_parse(NULL, raw);
			bool		found = list && addresses_have(list, folded);

			if (list)
				g_object_unref(list);
			return found;
		}
	return false;
}

/* Is it in a header of that name, or of any name if that is NULL? */
static bool
headers_have(GMimeObject *object, const char *name, const char *folded)
{
	GMimeHeaderList *headers = object ? g_mime_object_get_header_list(object) : NULL;

	for (int i = 0; headers && i < g_mime_header_list_get_count(headers); i++)
	{
		GMimeHeader *header = g_mime_header_list_get_header_at(headers, i);
		const char *raw = g_mime_header_get_raw_value(header);

		if (name && g_ascii_strcasecmp(g_mime_header_get_name(header), name) != 0)
			continue;
		if (*folded == '\0' || (raw && raw_has_text(raw, folded)) ||
			(raw && header_has_address(g_mime_header_get_name(header), raw, folded)) ||
			(name == NULL && has_text(g_mime_header_get_name(header), folded)))
			return true;
	}
	return false;
}

/* In the text of a part and what is in it; headers too, but for those of the whole message */
static bool
part_has(const Part *part, const char *folded, bool top)
{
	bool		found = false;

	if (!top && (headers_have(part->object, NULL, folded) ||
				 (part->message && headers_have(GMIME_OBJECT(part->message), NULL, folded))))
		return true;
	if (part->parts)
		for (guint i = 0; !found && i < part->parts->len; i++)
			found = part_has(part->parts->pdata[i], folded, false);
	else if (part->inner)
		found = part_has(part->inner, folded, false);
	else if (part->object && GMIME_IS_TEXT_PART(part->object))
	{
		char	   *text = g_mime_text_part_get_text(GMIME_TEXT_PART(part->object));

		found = text && has_text(text, folded);
		g_free(text);
	}
	return found;
}

/* Days since 1970, in the zone of whoever sent it; false if there is no such date */
static bool
sent_day(GMimeMessage *message, int64_t *day)
{
	const char *value = g_mime_object_get_header(GMIME_OBJECT(message), "Date");
	GDateTime  *date = value ? g_mime_utils_header_decode_date(value) : NULL;
	GDate		julian;

	if (date == NULL)
		return false;
	g_date_clear(&julian, 1);
	g_date_set_dmy(&julian, g_date_time_get_day_of_month(date), g_date_time_get_month(date),
				   g_date_time_get_year(date));
	*day = (int64_t) g_date_get_julian(&julian) - 719163;
	g_date_time_unref(date);
	return true;
}

static Answer
yes_or_no(bool yes)
{
	return yes ? ANSWER_YES : ANSWER_NO;
}

/* A key that needs content, which is there */
static bool
match_content(const Key *key, const Message *message)
{
	GMimeObject *body = message->root->object;
	int64_t		day;

	switch (key->kind)
	{
		case KEY_SENT_BEFORE:
			return sent_day(message->gmime, &day) && day < (int64_t) key->number;
		case KEY_SENT_ON:
			return sent_day(message->gmime, &day) && day == (int64_t) key->number;
		case KEY_SENT_SINCE:
			return sent_day(message->gmime, &day) && day >= (int64_t) key->number;
		case KEY_HEADER:
			return headers_have(GMIME_OBJECT(message->gmime), key->name, key->text) ||
				headers_have(body, key->name, key->text);
		case KEY_BODY:
			return part_has(message->root, key->text, true);
		case KEY_TEXT:
			return headers_have(GMIME_OBJECT(message->gmime), NULL, key->text) ||
				headers_have(body, NULL, key->text) || part_has(message->root, key->text, true);
		default:
			abort();
	}
}

static int64_t
day_of(int64_t epoch)
{
	return epoch >= 0 ? epoch / 86400 : -((-epoch + 86399) / 86400);
}

static Answer
match_key(const Key *key, PGresult *rows, int row, const Message *message)
{
	Answer		answer;

	switch (key->kind)
	{
		case KEY_ALL:
			return ANSWER_YES;
		case KEY_NONE:
			return ANSWER_NO;
		case KEY_AND:
		case KEY_OR:
			{
				/* What one key decides needs no more; else the most that any needs */
				Answer		decisive = key->kind == KEY_AND ? ANSWER_NO : ANSWER_YES;
				Answer		all = key->kind == KEY_AND ? ANSWER_YES : ANSWER_NO;

				for (guint i = 0; i < key->keys->len; i++)
				{
					answer = match_key(key->keys->pdata[i], rows, row, message);
					if (answer == decisive)
						return decisive;
					if (answer == ANSWER_RAW || (answer == ANSWER_HEADER && all != ANSWER_RAW))
						all = answer;
				}
				return all;
			}
		case KEY_NOT:
			answer = match_key(key->keys->pdata[0], rows, row, message);
			return answer == ANSWER_NO ? ANSWER_YES : answer == ANSWER_YES ? ANSWER_NO : answer;
		case KEY_FLAG:
			return yes_or_no(flags_have(db_text(rows, row, 2), key->name));
		case KEY_UIDS:
			return yes_or_no(uids_contain(&key->set, db_int(rows, row, 0)));
		case KEY_MODSEQ:
			return yes_or_no(db_int(rows, row, 1) >= (int64_t) key->number);
		case KEY_LARGER:
			return yes_or_no(db_int(rows, row, 3) > (int64_t) key->number);
		case KEY_SMALLER:
			return yes_or_no(db_int(rows, row, 3) < (int64_t) key->number);
		case KEY_BEFORE:
			return yes_or_no(day_of(db_int(rows, row, EPOCH)) < (int64_t) key->number);
		case KEY_ON:
			return yes_or_no(day_of(db_int(rows, row, EPOCH)) == (int64_t) key->number);
		case KEY_SINCE:
			return yes_or_no(day_of(db_int(rows, row, EPOCH)) >= (int64_t) key->number);
		case KEY_OLDER:
			return yes_or_no(db_int(rows, row, NOW) - db_int(rows, row, EPOCH) >= (int64_t) key->number);
		case KEY_YOUNGER:
			return yes_or_no(db_int(rows, row, NOW) - db_int(rows, row, EPOCH) < (int64_t) key->number);
		case KEY_SENT_BEFORE:
		case KEY_SENT_ON:
		case KEY_SENT_SINCE:
		case KEY_HEADER:
			return message ? yes_or_no(match_content(key, message)) : ANSWER_HEADER;
		case KEY_BODY:
		case KEY_TEXT:
			return message ? yes_or_no(match_content(key, message)) : ANSWER_RAW;
	}
	abort();
}

/* raw is NULL as long as it was not asked for. */
Answer
search_match(const Key *key, PGresult *rows, int row, const char *raw, size_t length)
{
	Message    *message = raw ? message_parse(raw, length) : NULL;
	Answer		answer = match_key(key, rows, row, message);

	if (message)
		message_free(message);
	return answer;
}
