/* Prints postroad.log(5) as mdoc, from the tables of events, fields and counters, for the build of docs/. */
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "events/counters.h"

static const char head[] =
    ".Dd November 24, 2026\n"
    ".Dt POSTROAD.LOG 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm postroad.log\n"
    ".Nd events, their fields, and the counters of the postroad mail server\n"
    ".Sh DESCRIPTION\n"
    "Each line of the log tells one fact, after it became one.\n"
    "The same events are the history that\n"
    ".Ic postroad trace\n"
    "shows.\n"
    "As text a line is\n"
    ".Bd -literal -offset indent\n"
    "2026-11-24T04:28:01.123Z 6aedp49k6g000 received from=<a@b.test> size=12\n"
    ".Ed\n"
    ".Pp\n"
    "with the time, the queue ID\n"
    ".Pq or a dash when there is no message ,\n"
    "the event, and its fields.\n"
    "A value with blanks, quotes or control characters stands in quotes and is\n"
    "escaped as in JSON.\n"
    "As JSON a line is an object with the keys\n"
    ".Ql time ,\n"
    ".Ql event ,\n"
    ".Ql id\n"
    "and those of the fields.\n"
    ".Sh EVENTS\n"
    ".Bl -tag -width connections-refused\n";

static const char fields_head[] = ".El\n.Sh FIELDS OF EVENTS\n.Bl -tag -width connections-refused\n";

static const char counters_head[] =
    ".El\n"
    ".Sh COUNTERS\n"
    "What\n"
    ".Ic postroad stats\n"
    "shows, counted since the server started:\n"
    ".Bl -tag -width connections-refused\n";

static const char tail[] = ".El\n.Sh SEE ALSO\n.Xr postroad.conf 5 ,\n.Xr postroad 8\n";

/* No word of the tables is so long that a line from here on would come to 80 bytes. */
enum { LINE_FULL = 60 };

/* The sentences of the tables have no full stop, and nothing that mdoc would act upon. */
static void item(const char *word, const char *prose)
{
	unsigned column = 0;

	printf(".It Ic %s\n", word);
	for (const char *c = prose; *c != '\0'; c++) {
		const bool ends = *c == ' ' && c > prose && (column >= LINE_FULL || c[-1] == ':' || c[-1] == ';');

		putchar(ends ? '\n' : *c);
		column = ends ? 0 : column + 1;
	}
	fputs(".\n", stdout);
}

int main(void)
{
	fputs(head, stdout);
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++)
		item(event_kind_word((enum event_kind)i), event_kind_prose((enum event_kind)i));
	fputs(fields_head, stdout);
	for (unsigned i = 0; i < EVENT_FIELD_COUNT; i++)
		item(event_field_word((enum event_field)i), event_field_prose((enum event_field)i));
	fputs(counters_head, stdout);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		item(counter_word((enum counter)i), counter_prose((enum counter)i));
	fputs(tail, stdout);
	return fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : EX_IOERR;
}
