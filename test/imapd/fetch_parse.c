/*-------------------------------------------------------------------------
 *
 * fetch_parse.c
 *	  The arguments of FETCH behind its set.
 *
 *-------------------------------------------------------------------------
 */
#include "fetch.h"

/* So many items, numbers of a part, or header fields may be asked for. */
#define MAX_ITEMS	200

static bool
add_item(Parser *parser, FetchCommand *fetch, Item item)
{
	g_array_append_val(fetch->items, item);
	return fetch->items->len <= MAX_ITEMS || parse_fail(parser, "Too many items");
}

static bool
add_plain(Parser *parser, FetchCommand *fetch, ItemKind kind)
{
	Item		item = {.kind = kind};

	if (kind == ITEM_ENVELOPE)
		fetch->header = true;
	if (kind == ITEM_BODY || kind == ITEM_BODYSTRUCTURE)
		fetch->raw = true;
	return add_item(parser, fetch, item);
}

/* A section without part numbers or fields; its GArrays are freed by fetch_free() */
static bool
add_section(Parser *parser, FetchCommand *fetch, SectionKind kind, const char *label, bool seen)
{
	Item		item = {.kind = ITEM_SECTION, .label = (char *) label};

	item.section.kind = kind;
	item.section.path = g_array_new(false, false, sizeof(guint32));
	if (kind == SECTION_HEADER)
		fetch->header = true;
	else
		fetch->raw = true;
	fetch->seen |= seen;
	return add_item(parser, fetch, item);
}

/* (name ...), also into the label */
static bool
parse_fields(Parser *parser, Section *section, GString *label)
{
	section->fields = parse_array(parser);
	if (!parse_space(parser) || !parse_char(parser, '('))
		return parse_fail(parser, "A list of header fields is missing");
	g_string_append(label, " (");
	do
	{
		char	   *name = parse_astring(parser);

		if (name == NULL)
			return false;
		if (section->fields->len == MAX_ITEMS)
			return parse_fail(parser, "Too many header fields");
		if (section->fields->len > 0)
			g_string_append_c(label, ' ');
		if (*name != '\0' && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(name))
			g_string_append(label, name);
		else
			string_append_quoted(label, name);
		g_ptr_array_add(section->fields, name);
	} while (parse_char(parser, ' '));
	g_string_append_c(label, ')');
	return parse_char(parser, ')') || parse_fail(parser, "A list of header fields does not end");
}

/* 1.2.HEADER and the like, up to the bracket */
static bool
parse_section(Parser *parser, Section *section, GString *label)
{
	uint64_t	number;

	section->path = g_array_new(false, false, sizeof(guint32));
	section->kind = SECTION_ALL;
	if (parse_char(parser, ']'))
		return true;
	while (parser->at < parser->end && g_ascii_isdigit(*parser->at))
	{
		guint32		k;

		if (!parse_number(parser, UIDS_MAX, &number))
			return false;
		if (number == 0 || section->path->len == MAX_ITEMS)
			return parse_fail(parser, "No such part");
		k = number;
		g_array_append_val(section->path, k);
		g_string_append_printf(label, section->path->len == 1 ? "%u" : ".%u", k);
		if (parse_char(parser, ']'))
			return true;
		if (!parse_char(parser, '.'))
			return parse_fail(parser, "Malformed section");
	}
	if (section->path->len > 0)
		g_string_append_c(label, '.');
	if (parse_skip_word(parser, "HEADER.FIELDS.NOT"))
	{
		section->kind = SECTION_FIELDS_NOT;
		g_string_append(label, "HEADER.FIELDS.NOT");
	}
	else if (parse_skip_word(parser, "HEADER.FIELDS"))
	{
		section->kind = SECTION_FIELDS;
		g_string_append(label, "HEADER.FIELDS");
	}
	else if (parse_skip_word(parser, "HEADER"))
	{
		section->kind = SECTION_HEADER;
		g_string_append(label, "HEADER");
	}
	else if (parse_skip_word(parser, "TEXT"))
	{
		section->kind = SECTION_TEXT;
		g_string_append(label, "TEXT");
	}
	else if (section->path->len > 0 && parse_skip_word(parser, "MIME"))
	{
		section->kind = SECTION_MIME;
		g_string_append(label, "MIME");
	}
	else
		return parse_fail(parser, "Unknown section");
	if ((section->kind == SECTION_FIELDS || section->kind == SECTION_FIELDS_NOT) &&
		!parse_fields(parser, section, label))
		return false;
	return parse_char(parser, ']') || parse_fail(parser, "A section does not end");
}

/* BODY[section]<from.count>, behind the bracket */
static bool
parse_body_section(Parser *parser, FetchCommand *fetch, bool peek)
{
	Item		item = {.kind = ITEM_SECTION};
	GString    *label = g_string_new("BODY[");
	bool		valid = parse_section(parser, &item.section, label);

	g_string_append_c(label, ']');
	if (valid && parse_char(parser, '<'))
	{
		item.partial = true;
		valid = parse_number(parser, UIDS_MAX, &item.from) &&
			(parse_char(parser, '.') || parse_fail(parser, "Malformed partial")) &&
			parse_number(parser, UIDS_MAX, &item.count) &&
			((item.count > 0 && parse_char(parser, '>')) || parse_fail(parser, "Malformed partial"));
		g_string_append_printf(label, "<%" G_GUINT64_FORMAT ">", item.from);
	}
	item.label = parse_keep(parser, g_string_free(label, false));
	/* A header can be had without the message, if it is the message's own. */
	if (item.section.path->len == 0 && item.section.kind != SECTION_ALL &&
		item.section.kind != SECTION_TEXT)
		fetch->header = true;
	else
		fetch->raw = true;
	fetch->seen |= !peek;
	return add_item(parser, fetch, item) && valid;
}

static bool
parse_item(Parser *parser, FetchCommand *fetch)
{
	if (parse_skip_word(parser, "UID"))
		return fetch->uid = true;
	if (parse_skip_word(parser, "MODSEQ"))
		return fetch->modseq = true;
	if (parse_skip_word(parser, "FLAGS"))
		return add_plain(parser, fetch, ITEM_FLAGS);
	if (parse_skip_word(parser, "INTERNALDATE"))
		return add_plain(parser, fetch, ITEM_INTERNALDATE);
	if (parse_skip_word(parser, "RFC822.SIZE"))
		return add_plain(parser, fetch, ITEM_SIZE);
	if (parse_skip_word(parser, "ENVELOPE"))
		return add_plain(parser, fetch, ITEM_ENVELOPE);
	if (parse_skip_word(parser, "BODYSTRUCTURE"))
		return add_plain(parser, fetch, ITEM_BODYSTRUCTURE);
	if (parse_skip_word(parser, "RFC822.HEADER"))
		return add_section(parser, fetch, SECTION_HEADER, "RFC822.HEADER", false);
	if (parse_skip_word(parser, "RFC822.TEXT"))
		return add_section(parser, fetch, SECTION_TEXT, "RFC822.TEXT", true);
	if (parse_skip_word(parser, "RFC822"))
		return add_section(parser, fetch, SECTION_ALL, "RFC822", true);
	if (parse_skip_word(parser, "BODY.PEEK"))
		return parse_char(parser, '[') ? parse_body_section(parser, fetch, true) :
			parse_fail(parser, "A section is missing");
	if (parse_skip_word(parser, "BODY"))
		return parse_char(parser, '[') ? parse_body_section(parser, fetch, false) :
			add_plain(parser, fetch, ITEM_BODY);
	return parse_fail(parser, "Unknown item");
}

/* ALL, FAST and FULL stand alone. */
static bool
parse_macro(Parser *parser, FetchCommand *fetch, bool *found)
{
	bool		full = parse_skip_word(parser, "FULL");
	bool		all = full || parse_skip_word(parser, "ALL");

	*found = all || parse_skip_word(parser, "FAST");
	return !*found ||
		(add_plain(parser, fetch, ITEM_FLAGS) && add_plain(parser, fetch, ITEM_INTERNALDATE) &&
		 add_plain(parser, fetch, ITEM_SIZE) &&
		 (!all || add_plain(parser, fetch, ITEM_ENVELOPE)) &&
		 (!full || add_plain(parser, fetch, ITEM_BODY)));
}

/* (CHANGEDSINCE n [VANISHED]), in any order (RFC 7162 section 3.2.6) */
static bool
parse_modifiers(Session *session, bool uid, FetchCommand *fetch)
{
	Parser	   *parser = &session->parser;

	if (!parse_char(parser, '('))
		return parse_fail(parser, "A list of modifiers is missing");
	do
	{
		/* The grammar has no 0 here; but clients are about that send it. */
		if (!fetch->changed_only && parse_skip_word(parser, "CHANGEDSINCE"))
		{
			if (!parse_space(parser) || !parse_number(parser, INT64_MAX, &fetch->since))
				return false;
			fetch->changed_only = fetch->modseq = true;
		}
		else if (!fetch->vanished && parse_skip_word(parser, "VANISHED"))
			fetch->vanished = true;
		else
			return parse_fail(parser, "Unknown modifier");
	} while (parse_char(parser, ' '));
	if (!parse_char(parser, ')'))
		return parse_fail(parser, "A list of modifiers does not end");
	if (fetch->vanished && (!session->qresync || !uid || !fetch->changed_only))
		return parse_fail(parser, "VANISHED needs ENABLE QRESYNC, UID FETCH and CHANGEDSINCE");
	return true;
}

/* (item ...), as NOTIFY has them.  To be freed, whatever it returns */
bool
fetch_parse_items(Session *session, FetchCommand *fetch)
{
	Parser	   *parser = &session->parser;

	memset(fetch, 0, sizeof(*fetch));
	fetch->items = g_array_new(false, true, sizeof(Item));
	if (!parse_char(parser, '('))
		return parse_fail(parser, "A list of items is missing");
	do
		if (!parse_item(parser, fetch))
			return false;
	while (parse_char(parser, ' '));
	return parse_char(parser, ')') || parse_fail(parser, "A list of items does not end");
}

/* To be freed, whatever it returns */
bool
fetch_parse(Session *session, bool uid, FetchCommand *fetch)
{
	Parser	   *parser = &session->parser;
	bool		macro;

	memset(fetch, 0, sizeof(*fetch));
	fetch->uid = uid;
	fetch->items = g_array_new(false, true, sizeof(Item));
	if (!parse_macro(parser, fetch, &macro))
		return false;
	if (!macro)
	{
		bool		list = parse_char(parser, '(');

		do
			if (!parse_item(parser, fetch))
				return false;
		while (list && parse_char(parser, ' '));
		if (list && !parse_char(parser, ')'))
			return parse_fail(parser, "A list of items does not end");
	}
	return (!parse_char(parser, ' ') || parse_modifiers(session, uid, fetch)) && parse_end(parser);
}

void
fetch_free(FetchCommand *fetch)
{
	for (guint i = 0; i < fetch->items->len; i++)
	{
		Item	   *item = &g_array_index(fetch->items, Item, i);

		if (item->section.path)
			g_array_unref(item->section.path);
	}
	g_array_unref(fetch->items);
}
