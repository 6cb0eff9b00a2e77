#include "ctl/usage.h"

#include <string.h>
#include <sysexits.h>

#include "base/must.h"

enum { WORD_MAX = 16 };

static const struct {
	const char *command, *text;
} usages[] = {
	{ "check", "usage: postroad check [-c FILE] [--json]\n"
		   "       postroad check --replay [-c NEW] [--against FILE] [--limit N] [--json]\n"
		   "The exit code is 0 when it is right (or nothing would change), 1 when it is not (or something would).\n" },
	{ "dkim", "usage: postroad dkim generate DOMAIN [--selector S] [--algorithm rsa|ed25519|both] [--key PEM]\n"
		  "       postroad dkim list [DOMAIN] [--json]\n"
		  "       postroad dkim record DOMAIN [--selector S]\n"
		  "       postroad dkim check [DOMAIN] [--zone Z] [--trust] [--json]\n"
		  "       postroad dkim rotate DOMAIN|--due\n"
		  "       postroad dkim remove DOMAIN --selector S\n" },
	{ "doctor", "usage: postroad doctor [--json] [--reach HOST[:PORT]] [-c FILE]\n"
		    "The exit code is 0 when all is well, 1 with warnings, 2 with errors.\n" },
	{ "explain", "usage: postroad explain ADDRESS [--from SENDER] [--json]\n" },
	{ "help", "usage: postroad help [COMMAND]\n" },
	{ "queue", "usage: postroad queue list [FILTER ...] [--limit N] [--json]\n"
		   "       postroad queue show ID [--json]\n"
		   "       postroad queue destinations [--json]\n"
		   "       postroad queue retry|hold|release|delete|expire|bounce ID | all | FILTER ... [--json]\n"
		   "       postroad queue reroute ID | all | FILTER ... --via HOST[:PORT] | --via routes [--json]\n"
		   "       postroad queue pause|resume --domain D | --sender A | --user U [--json]\n"
		   "       postroad queue pauses [--json]\n"
		   "FILTER: --sender A, --recipient A (A: an address, or @domain), --domain D, --user U,\n"
		   "        --state waiting|held|paused|quarantined, --host H and --error TEXT (part of the last answer), --older 2h\n" },
	{ "quickstart", "usage: postroad quickstart DOMAIN [--hostname NAME] [--user NAME] [--ip ADDRESS ...]\n"
			"                           [--certificate PEM --key PEM] [--web ADDRESS[:PORT]] [-c FILE]\n"
			"Writes a configuration where there is none, prints the records to publish, and says what to do next.\n"
			"--web: where the MTA-STS policy is served; on loopback a web server of yours passes requests on.\n"
			"What is not given is asked for on a terminal. The password of the user is read as by postroad user add.\n" },
	{ "reload", "usage: postroad reload [--json]\n" },
	{ "reports", "usage: postroad reports [list] [--domain D] [--json]\n"
		     "       postroad reports send [--day D] [--json]\n"
		     "       postroad reports FILE|MAILDIR ... [--domain D] [--since YYYY-MM-DD] [--json]\n" },
	{ "send", "usage: sendmail [-t] [-i] [-v] [-f SENDER] [-N never|success,failure,delay] [-R full|hdrs] [-V ENVID]\n"
		  "                RECIPIENT ... < message\n"
		  "       sendmail -bs | -bp\n" },
	{ "serve", "usage: postroad serve [-c FILE]\n" },
	{ "sign", "usage: postroad sign FILE|- --key PEM --domain D --selector S [--key PEM --selector S ...] [--time T]\n" },
	{ "stats", "usage: postroad stats [--json]\n" },
	{ "stop", "usage: postroad stop [--json]\n" },
	{ "tail", "usage: postroad tail [ID | ADDRESS] [FILTER ...] [--json]\n"
		  "FILTER: --event WORD[,WORD ...] (those of the log: received, deferred, bounced ...), --sender A, --recipient A\n"
		  "        (A: an address, or @domain), --domain D (of recipients), --id ID, --since 10m (what the server remembers of it)\n" },
	{ "top", "usage: postroad top [--interval 2s] [--once | --json]\n"
		 "       q ends it, the space bar asks at once; --once prints one picture, --json the same for programs\n" },
	{ "trace", "usage: postroad trace ID|ADDRESS|FACT [--json]\n" },
	{ "upgrade", "usage: postroad upgrade [--json]\n" },
	{ "user", "usage: postroad user add|remove|password NAME\n"
		  "       postroad user list [--json]\n"
		  "A password is asked for, or read from the first line of standard input.\n" },
	{ "verify", "usage: postroad verify [spf|dkim|dmarc|arc] [FILE|-] [--ip A] [--helo H] [--mail-from F] [--zone Z] [--time T] [--json]\n"
		    "       postroad verify spf --ip A [--helo H] [--mail-from F]       needs no message\n"
		    "       postroad verify dmarc --from-domain D [--spf-pass-domain D] [--dkim-pass-domain D ...]   nor does this\n" },
	{ "version", "usage: postroad version\n" },
	{ "webhooks", "usage: postroad webhooks [--json]\n" },
};

enum { USAGE_COUNT = sizeof usages / sizeof usages[0] };

/* NULL: there is no such command. */
static const char *text_of_command(const char *command)
{
	for (size_t i = 0; i < USAGE_COUNT; i++)
		if (strcmp(command, usages[i].command) == 0)
			return usages[i].text;
	return NULL;
}

bool ctl_usage_known(const char *command)
{
	return text_of_command(command) != NULL;
}

bool ctl_usage_print(const char *command, FILE *out)
{
	const char *text = text_of_command(command);

	if (text != NULL)
		fputs(text, out);
	return text != NULL;
}

int ctl_usage(const char *command)
{
	must(ctl_usage_print(command, stderr));
	return EX_USAGE;
}

/* How many letters have to be put in, taken out or replaced. */
static unsigned distance(const char *a, const char *b)
{
	const size_t length = strlen(b);
	unsigned row[WORD_MAX + 1];

	for (unsigned i = 0; i <= length; i++)
		row[i] = i;
	for (unsigned k = 0; a[k] != '\0'; k++) {
		unsigned corner = row[0];

		row[0] = k + 1;
		for (size_t i = 0; i < length; i++) {
			const unsigned replaced = corner + (a[k] != b[i]), least = row[i] < row[i + 1] ? row[i] : row[i + 1];

			corner = row[i + 1];
			row[i + 1] = replaced < least + 1 ? replaced : least + 1;
		}
	}
	return row[length];
}

const char *ctl_usage_guess(const char *word)
{
	const char *guess = NULL;
	unsigned nearest = 3; /* Farther away it is another word. */

	for (size_t i = 0; i < USAGE_COUNT && strlen(word) < WORD_MAX; i++) {
		const unsigned away = distance(word, usages[i].command);

		if (away < nearest && away < strlen(usages[i].command) - 1) {
			nearest = away;
			guess = usages[i].command;
		}
	}
	return guess;
}
