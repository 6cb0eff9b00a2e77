#include "conf/table.h"

#include <string.h>

#define NOW AVAILABLE_NOW
#define LATER AVAILABLE_LATER
#define WORD_FIRST AVAILABLE_WORD_FIRST

const struct option conf_options[] = {
#define OPTION(section_, name_, kind_, value_, words_, availability_, prose_) \
	{ .section = section_, .name = name_, .kind = KIND_##kind_, .value = value_, .words = words_, \
	  .availability = availability_, .prose = prose_ },
#include "conf/options.def"
#undef OPTION
};
const size_t conf_option_count = sizeof conf_options / sizeof conf_options[0];

const struct section conf_sections[] = {
	{ "listen", true, "ADDRESS:PORT", "A socket that takes mail. At least one is needed. The address may be an IPv4 address, an IPv6 address in brackets, \"*\" for every IPv4 address, or unix:PATH." },
	{ "tls", false, NULL, "Certificates." },
	{ "mailbox", false, NULL, "Where the mail of our users goes." },
	{ "route", true, "DOMAIN", "Where mail for a domain goes instead of to its MX hosts: a domain, \".domain\" for all below it, or \"*\" for every one that is not ours." },
	{ "dns", false, NULL, "How names are looked up." },
	{ "outbound", false, NULL, "Sending to other servers." },
	{ "spool", false, NULL, "Where messages live between their 250 and their end." },
	{ "queue", false, NULL, "When deliveries are tried again." },
	{ "limits", false, NULL, "What clients may take." },
	{ "history", false, NULL, "What postroad trace remembers." },
	{ "web", false, NULL, "The web interface." },
	{ "log", false, NULL, "One line per fact." },
};
const size_t conf_section_count = sizeof conf_sections / sizeof conf_sections[0];

enum { NAME_MAX_SEEN = 40, NEAR = 3 };

/* Levenshtein's distance with one row. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_SEEN + 1];
	const size_t width = strlen(b);

	if (width > NAME_MAX_SEEN || strlen(a) > NAME_MAX_SEEN)
		return NAME_MAX_SEEN;
	for (unsigned k = 0; k <= width; k++)
		row[k] = k;
	for (unsigned i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= width; k++) {
			const unsigned change = diagonal + (a[i - 1] != b[k - 1]);
			const unsigned step = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;

			diagonal = row[k];
			row[k] = change < step ? change : step;
		}
	}
	return row[width];
}

const char *conf_nearest(const char *section, const char *wrong)
{
	const char *nearest = NULL;
	unsigned least = NEAR;

	for (size_t i = 0; i < conf_option_count; i++) {
		const unsigned d = distance(wrong, conf_options[i].name);

		if (strcmp(conf_options[i].section, section) == 0 && d < least) {
			least = d;
			nearest = conf_options[i].name;
		}
	}
	for (size_t i = 0; section[0] == '\0' && i < conf_section_count; i++) {
		const unsigned d = distance(wrong, conf_sections[i].name);

		if (d < least) {
			least = d;
			nearest = conf_sections[i].name;
		}
	}
	return nearest;
}
