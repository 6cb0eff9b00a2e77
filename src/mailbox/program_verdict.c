#include <stdio.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "mailbox/program.h"

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 }; /* As shells say it: somebody's mistake here, and no sender's. */

static const struct {
	int status;
	uint16_t code;
	struct enhanced_code enhanced;
} meanings[] = {
	{ EX_OK, 250, { 2, 0, 0 } },
	{ EX_USAGE, 554, { 5, 5, 4 } },
	{ EX_DATAERR, 554, { 5, 6, 0 } },
	{ EX_NOINPUT, 554, { 5, 3, 0 } },
	{ EX_NOUSER, 550, { 5, 1, 1 } },
	{ EX_NOHOST, 550, { 5, 1, 2 } },
	{ EX_UNAVAILABLE, 554, { 5, 3, 0 } },
	{ EX_SOFTWARE, 554, { 5, 3, 0 } },
	{ EX_OSERR, 451, { 4, 3, 0 } },
	{ EX_OSFILE, 451, { 4, 3, 5 } },
	{ EX_CANTCREAT, 550, { 5, 2, 0 } },
	{ EX_IOERR, 451, { 4, 3, 0 } },
	{ EX_TEMPFAIL, 451, { 4, 3, 0 } },
	{ EX_PROTOCOL, 554, { 5, 5, 0 } },
	{ EX_NOPERM, 550, { 5, 7, 0 } },
	{ EX_CONFIG, 451, { 4, 3, 5 } },
	{ NOT_EXECUTABLE, 451, { 4, 3, 5 } },
	{ NOT_FOUND, 451, { 4, 3, 5 } },
};

/* One that nobody has a meaning for is a failure of the command, and trying again would not mend it. */
static struct verdict meaning_of(int status)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].status == status)
			return (struct verdict){ .code = meanings[i].code, .enhanced = meanings[i].enhanced };
	return (struct verdict){ .code = 554, .enhanced = { 5, 3, 0 } };
}

struct verdict program_verdict(int status, bool timed_out, struct text line, char room[PROGRAM_WORDS_MAX])
{
	struct verdict verdict = { .code = 451, .enhanced = { 4, 3, 0 } };
	const int length = (int)(line.length < PROGRAM_LINE_MAX ? line.length : PROGRAM_LINE_MAX);
	const char *joint = length > 0 ? ": " : "";

	if (timed_out) {
		snprintf(room, PROGRAM_WORDS_MAX, "the command took too long%s%.*s", joint, length, line.bytes);
	} else if (WIFSIGNALED(status)) {
		snprintf(room, PROGRAM_WORDS_MAX, "the command was ended by signal %d%s%.*s", WTERMSIG(status), joint, length, line.bytes);
	} else {
		verdict = meaning_of(WEXITSTATUS(status));
		if (WEXITSTATUS(status) == 0)
			snprintf(room, PROGRAM_WORDS_MAX, "taken by the command%s%.*s", joint, length, line.bytes);
		else
			snprintf(room, PROGRAM_WORDS_MAX, "the command ended with code %d%s%.*s", WEXITSTATUS(status), joint, length,
			    line.bytes);
	}
	verdict.text = text_of(room);
	return verdict;
}
