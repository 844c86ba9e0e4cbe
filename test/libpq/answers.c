/*-------------------------------------------------------------------------
 *
 * answers.c
 *	  What clients are told, a line for each answer, for the oracle.
 *
 * Only what is of one snapshot: the answer itself, if it is one statement, and
 * the rows if they are of the same snapshot.
 *
 *-------------------------------------------------------------------------
 */
#include "replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *answers;

void
answers_open(const char *path)
{
	answers = fopen(path, "w");
	if (answers == NULL)
	{
		perror(path);
		exit(2);
	}
}

/* Those of an account, with its lists of ids as the server gave them */
void
answers_add_changes(const Client *client, const char *kind, int account,
					const char *since, const char *state, char *const lists[3])
{
	char		line[8192];

	if (answers == NULL)
		return;
	if ((size_t) snprintf(line, sizeof(line), "%s\t\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", client->name, kind, account,
						  since, state, lists[0], lists[1], lists[2]) < sizeof(line))
		fputs(line, answers);
}

/* Fields between tabs, as the oracle has them; a session is of the standby */
void
answers_add(const Client *client, const Model *model, const Request *request,
			const Answer *answer, bool one_snapshot)
{
	char	   *line;
	size_t		size;
	FILE	   *out;
	char	   *changed;
	char	   *vanished;
	Request		own = {0};
	char		session[32] = "";

	if (answers == NULL || (!one_snapshot && strncmp(request->kind, "parts", 5) == 0))
		return;
	if (request->seqs)
		know_own(model, &own);
	changed = ranges_text(&answer->changed);
	vanished = ranges_text(&answer->vanished);
	out = open_memstream(&line, &size);
	if (on_standby(client))
		snprintf(session, sizeof(session), "%s.%d", client->name, client->connections);
	fprintf(out, "%s, %s\t%s\t%d\t%lld\t%lld\t%lld\t%lld\t%s\t%s\t%s\t%s\t", client->name,
			request->kind, session, request->mailbox, (long long) model->uidvalidity,
			(long long) request->since, (long long) answer->uidnext,
			(long long) answer->highestmodseq, request->known ? request->known : "all",
			own.known ? own.known : "", changed, vanished);
	for (int i = 0; one_snapshot && i < answer->rows.count; i++)
	{
		const Message *row = &answer->rows.messages[i];

		fprintf(out, "%s%lld %lld %s", i > 0 ? ";" : "", (long long) row->uid,
				(long long) row->modseq, row->flags);
	}
	fputc('\n', out);
	fclose(out);
	fputs(line, answers);		/* other threads write whole lines, too */
	free(line);
	free(changed);
	free(vanished);
	free_request(&own);
}

void
answers_close(void)
{
	if (answers && fclose(answers) != 0)
	{
		perror("converge: answers");
		exit(2);
	}
}
