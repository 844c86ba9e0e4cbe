/*-------------------------------------------------------------------------
 *
 * token.c
 *	  The states of an account, as texts that clients keep.
 *
 * A state says what kind of objects it is of, which account, and up to which
 * mod-sequence its changes are known:
 *
 *		e6929a1.2f			kind, epoch . mod-sequence
 *
 * One that is handed out in the middle of a walk says what the walk goes from
 * and to, and which change it has told last:
 *
 *		e6929a1.2f.a1.u.7c.3432
 *							. from . to . created, updated or destroyed .
 *							mod-sequence . id, each byte in hexadecimal
 *
 * Numbers are hexadecimal.  To clients it is one opaque string, and two states
 * with nothing between them are the same string.
 *
 * Locks: none.  Memory: the caller's context.
 *
 *-------------------------------------------------------------------------
 */
#include "function/function.h"

#include <inttypes.h>

#include "lib/stringinfo.h"

static const char kinds[] = "emt";	/* by ObjectKind */
static const char changes[] = "cud";	/* by Change */

/* token_text: the other way round than token_parse() */
char *
token_text(ObjectKind kind, const Token *token)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%c%" PRIx64 ".%" PRIx64,
					 kinds[kind], (uint64) token->epoch, (uint64) token->from);
	if (token->id == NULL)
		return text.data;

	appendStringInfo(&text, ".%" PRIx64 ".%c.%" PRIx64 ".",
					 (uint64) token->to, changes[token->change],
					 (uint64) token->modseq);
	for (const char *c = token->id; *c != '\0'; c++)
		appendStringInfo(&text, "%02x", (unsigned char) *c);
	return text.data;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number, and the character after it */
static bool
parse_number(const char **rest, char end, int64 *number)
{
	uint64		value = 0;

	for (; hex_digit(**rest) >= 0; (*rest)++)
	{
		if (value >> 59 != 0)
			return false;
		value = value << 4 | (uint64) hex_digit(**rest);
	}
	*number = (int64) value;
	if (**rest != end)
		return false;
	if (end != '\0')
		(*rest)++;
	return true;
}

/* The place in a walk: what comes after from */
static bool
parse_place(const char *rest, Token *token)
{
	const char *change;
	char	   *id;

	if (!parse_number(&rest, '.', &token->to))
		return false;
	change = *rest == '\0' ? NULL : strchr(changes, *rest);
	if (change == NULL || rest[1] != '.')
		return false;
	token->change = change - changes;
	rest += 2;
	if (!parse_number(&rest, '.', &token->modseq))
		return false;
	token->id = id = palloc(strlen(rest) / 2 + 1);
	while (hex_digit(rest[0]) >= 0 && hex_digit(rest[1]) >= 0)
	{
		*id++ = (char) (hex_digit(rest[0]) << 4 | hex_digit(rest[1]));
		rest += 2;
	}
	*id = '\0';
	return *rest == '\0' && token->from < token->to &&
		token->modseq > token->from && token->modseq <= token->to;
}

/*
 * token_parse: what a state says
 *
 * False for what token_text() never says of that kind.
 */
bool
token_parse(ObjectKind kind, const char *text, Token *token)
{
	const char *rest = text;
	bool		is_walk;

	memset(token, 0, sizeof(*token));
	if (*rest++ != kinds[kind] || !parse_number(&rest, '.', &token->epoch))
		return false;
	is_walk = strchr(rest, '.') != NULL;
	if (!parse_number(&rest, is_walk ? '.' : '\0', &token->from) ||
		(is_walk && !parse_place(rest, token)))
		return false;
	return strcmp(token_text(kind, token), text) == 0;
}
