/*-------------------------------------------------------------------------
 *
 * notify_parse.c
 *	  The arguments of NOTIFY (RFC 5465 section 8).
 *
 * What is parsed outlives the command, and so has memory of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "fetch.h"
#include "notify.h"

/* So many groups, and names in one, a command may have. */
#define MAX_GROUPS	100
#define MAX_NAMES	1000

static const struct
{
	const char *word;
	Event		event;
}			event_words[] = {
	{"MessageNew", MESSAGE_NEW},
	{"MessageExpunge", MESSAGE_EXPUNGE},
	{"FlagChange", FLAG_CHANGE},
	{"MailboxName", MAILBOX_NAME},
	{"SubscriptionChange", SUBSCRIPTION_CHANGE},
	{"MailboxMetadataChange", MAILBOX_METADATA_CHANGE},
	{"ServerMetadataChange", SERVER_METADATA_CHANGE},
};

static const struct
{
	const char *word;
	Filter		filter;
	bool		names;			/* do names follow? */
}			filter_words[] = {
	{"selected", FILTER_SELECTED, false},
	{"selected-delayed", FILTER_SELECTED_DELAYED, false},
	{"personal", FILTER_PERSONAL, false},
	{"inboxes", FILTER_PERSONAL, false},	/* mail may be delivered to any (section 6.3) */
	{"subscribed", FILTER_SUBSCRIBED, false},
	{"subtree", FILTER_SUBTREE, true},
	{"mailboxes", FILTER_MAILBOXES, true},
};

static void
free_group(void *memory)
{
	EventGroup *group = memory;

	g_ptr_array_unref(group->names);
	g_free(group);
}

static void
free_own(void *memory)
{
	Own		   *own = memory;

	g_free(own->from);
	g_free(own->to);
	g_free(own);
}

static Notify *
notify_new(void)
{
	Notify	   *notify = g_new0(Notify, 1);

	notify->groups = g_ptr_array_new_with_free_func(free_group);
	notify->own = g_ptr_array_new_with_free_func(free_own);
	notify->woken = g_hash_table_new(NULL, NULL);
	uidset_builder_init(&notify->arrived);
	uidset_builder_init(&notify->appended);
	return notify;
}

void
notify_free(Notify *notify)
{
	if (notify == NULL)
		return;
	g_ptr_array_unref(notify->groups);
	g_ptr_array_unref(notify->own);
	g_clear_pointer(&notify->known, g_ptr_array_unref);
	g_hash_table_unref(notify->woken);
	uidset_builder_free(&notify->arrived);
	uidset_builder_free(&notify->appended);
	g_free(notify->items);
	g_free(notify);
}

/* All events that there are */
void
notify_put_bad_event(Session *session)
{
	GString    *names = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(event_words); i++)
		g_string_append_printf(names, i == 0 ? "%s" : " %s", event_words[i].word);
	reply(session, "NO [BADEVENT (%s)] There is no such event here", names->str);
	g_string_free(names, true);
}

/* (fetch-att ...) behind MessageNew: checked now, and kept as text */
static bool
parse_items(Session *session, Notify *notify)
{
	Parser	   *parser = &session->parser;
	const char *begin = parser->at;
	FetchCommand fetch;
	bool		parsed = fetch_parse_items(session, &fetch);

	fetch_free(&fetch);
	g_free(notify->items);
	notify->items = g_strndup(begin, parser->at - begin);
	return parsed;
}

static bool
parse_event(Session *session, Notify *notify, EventGroup *group, bool *bad_event)
{
	Parser	   *parser = &session->parser;
	bool		selected = group->filter == FILTER_SELECTED || group->filter == FILTER_SELECTED_DELAYED;

	for (size_t i = 0; i < G_N_ELEMENTS(event_words); i++)
	{
		Event		event = event_words[i].event;

		if (!parse_skip_word(parser, event_words[i].word))
			continue;
		if (selected && !(event & MESSAGE_EVENTS))
			return parse_fail(parser, "Of the selected mailbox there are events of messages only");
		group->events |= event;
		if (event == MESSAGE_NEW && parser->end - parser->at > 1 && parser->at[0] == ' ' && parser->at[1] == '(')
			return selected ? parse_space(parser) && parse_items(session, notify) :
				parse_fail(parser, "Items are for the selected mailbox");
		return true;
	}
	/* Here no message has annotations, nor is anything known of events to come. */
	*bad_event = true;
	return parse_atom(parser) != NULL;
}

static bool
parse_events(Session *session, Notify *notify, EventGroup *group, bool *bad_event)
{
	Parser	   *parser = &session->parser;

	if (parse_skip_word(parser, "NONE"))
		return true;
	if (!parse_char(parser, '('))
		return parse_fail(parser, "A list of events is missing");
	do
		if (!parse_event(session, notify, group, bad_event))
			return false;
	while (parse_char(parser, ' '));
	if (!parse_char(parser, ')'))
		return parse_fail(parser, "A list of events does not end");
	if (!(group->events & MESSAGE_NEW) != !(group->events & MESSAGE_EXPUNGE) ||
		((group->events & FLAG_CHANGE) && !(group->events & MESSAGE_NEW)))
		return *bad_event || parse_fail(parser, "MessageNew and MessageExpunge go together, and with FlagChange");
	return true;
}

static bool
parse_names(Parser *parser, EventGroup *group)
{
	bool		list;

	if (!parse_space(parser))
		return false;
	list = parse_char(parser, '(');
	do
	{
		char	   *name = parse_mailbox(parser);

		if (name == NULL)
			return false;
		g_ptr_array_add(group->names, g_strdup(name));
		if (group->names->len > MAX_NAMES)
			return parse_fail(parser, "Too many mailboxes");
	} while (list && parse_char(parser, ' '));
	return !list || parse_char(parser, ')') || parse_fail(parser, "A list of mailboxes does not end");
}

/* (filter-mailboxes events) */
static bool
parse_group(Session *session, Notify *notify, bool *bad_event)
{
	Parser	   *parser = &session->parser;
	EventGroup *group = g_new0(EventGroup, 1);
	size_t		i = 0;

	group->names = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(notify->groups, group);
	if (notify->groups->len > MAX_GROUPS)
		return parse_fail(parser, "Too many groups");
	if (!parse_char(parser, '('))
		return parse_fail(parser, "A group of events is missing");
	while (i < G_N_ELEMENTS(filter_words) && !parse_skip_word(parser, filter_words[i].word))
		i++;
	if (i == G_N_ELEMENTS(filter_words))
		return parse_fail(parser, "Which mailboxes?");
	group->filter = filter_words[i].filter;
	if (filter_words[i].names && !parse_names(parser, group))
		return false;
	return parse_space(parser) && parse_events(session, notify, group, bad_event) &&
		(parse_char(parser, ')') || parse_fail(parser, "A group of events does not end"));
}

static bool
parse_groups(Session *session, Notify *notify, bool *status, bool *bad_event)
{
	Parser	   *parser = &session->parser;
	int			selected = 0;

	if (!parse_space(parser))
		return false;
	*status = parse_skip_word(parser, "STATUS");
	if (*status && !parse_space(parser))
		return false;
	do
	{
		if (!parse_group(session, notify, bad_event))
			return false;
		if (((EventGroup *) notify->groups->pdata[notify->groups->len - 1])->filter <= FILTER_SELECTED_DELAYED)
			selected++;
	} while (parse_char(parser, ' '));
	return selected <= 1 || parse_fail(parser, "The selected mailbox has one group");
}

/* SET [STATUS] group ..., or NONE.  NULL if it is wrong; else the caller frees it. */
Notify *
notify_parse(Session *session, bool *status, bool *bad_event)
{
	Parser	   *parser = &session->parser;
	Notify	   *notify = notify_new();
	bool		parsed;

	*status = *bad_event = false;
	parsed = parse_space(parser);
	if (parsed && parse_skip_word(parser, "SET"))
		parsed = parse_groups(session, notify, status, bad_event);
	else if (parsed && !parse_skip_word(parser, "NONE"))
		parsed = parse_fail(parser, "SET or NONE is missing");
	if (parsed && parse_end(parser))
		return notify;
	notify_free(notify);
	return NULL;
}
