/*-------------------------------------------------------------------------
 *
 * search.h
 *	  What a SEARCH asks for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEARCH_H
#define SEARCH_H

#include "imapd.h"

typedef enum KeyKind
{
	KEY_ALL, KEY_NONE, KEY_AND, KEY_OR, KEY_NOT, KEY_FLAG, KEY_UIDS, KEY_MODSEQ,
	KEY_LARGER, KEY_SMALLER, KEY_BEFORE, KEY_ON, KEY_SINCE, KEY_OLDER, KEY_YOUNGER,
	KEY_SENT_BEFORE, KEY_SENT_ON, KEY_SENT_SINCE, KEY_HEADER, KEY_BODY, KEY_TEXT
} KeyKind;

typedef struct Key
{
	KeyKind		kind;
	uint64_t	number;			/* octets, days, seconds, a mod-sequence */
	const char *name;			/* of a flag or header */
	const char *text;			/* to be found, folded */
	char	   *set_text;		/* of KEY_UIDS, and whether it is of UIDs; */
	bool		set_uid;
	Uids		set;			/* which it becomes */
	GPtrArray  *keys;			/* of AND, OR, NOT; in the arena */
} Key;

/* In what RETURN asks for */
enum
{
	RETURN_MIN = 1, RETURN_MAX = 2, RETURN_ALL = 4, RETURN_COUNT = 8
};

typedef struct SearchCommand
{
	Key		   *key;			/* KEY_AND of all */
	bool		extended;		/* RETURN (...) */
	unsigned	wanted;
	bool		modseq;			/* does a MODSEQ key occur? */
	bool		numbers;		/* does a set of message numbers occur? */
	bool		bad_charset;
	GPtrArray  *sets;			/* all KEY_UIDS, whose sets need freeing */
} SearchCommand;

/* What is known without the content, and what needs it */
typedef enum Answer
{
	ANSWER_NO, ANSWER_YES, ANSWER_HEADER, ANSWER_RAW
} Answer;

extern bool search_parse(Session *session, SearchCommand *search);
extern Answer search_match(const Key *key, PGresult *rows, int row,
						   const char *raw, size_t length);
extern char *search_fold(const char *text);

#endif							/* SEARCH_H */
