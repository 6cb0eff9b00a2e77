/* postroad reports: what is counted for the reports of a day, and sending them now. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/usage.h"

/* -- What is counted --------------------------------------------------------------------------- */

static void print_row(const json_t *row)
{
	static const struct {
		const char *key, *before;
	} words[] = { { "policy", "policy " }, { "result", "" }, { "mx", "" }, { "mx_ip", "" }, { "client", "" },
		{ "author", "from " }, { "spf", "spf=" }, { "dkim", "dkim=" }, { "disposition", "" }, { "reason", "" } };

	printf("  %8lld", ctl_number(row, "count"));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *value = ctl_string(row, words[i].key, "");

		if (value[0] != '\0')
			printf(" %s%s", words[i].before, value);
	}
	putchar('\n');
}

static void print_set(const json_t *set)
{
	const json_t *rows = json_object_get(set, "rows"), *row;
	const char *domain = ctl_string(set, "domain", "");
	size_t i;

	printf("%s  %-5s  %s", ctl_string(set, "day", "?"), ctl_string(set, "kind", "?"), domain[0] ? domain : "(no room for others)");
	if (json_is_integer(rows))
		printf(": %lld counted, %lld different%s", ctl_number(set, "count"), ctl_number(set, "rows"),
		    ctl_number(set, "overflow") > 0 && domain[0] ? ", and some without room" : "");
	putchar('\n');
	json_array_foreach (rows, i, row)
		print_row(row);
}

/* All pages of it. */
static int list(const struct ctl_place *place, struct ctl_words *words)
{
	json_t *all = json_array(), *answer, *set;
	const char *next;
	size_t i;
	int code;

	do {
		answer = ctl_ask(place, words->request, true, &code);
		if (answer == NULL)
			break;
		json_array_extend(all, json_object_get(answer, "sets"));
		next = ctl_string(answer, "next", NULL);
		if (next != NULL)
			json_object_set_new(words->request, "after", json_string(next));
		json_decref(answer);
	} while (next != NULL);
	if (code == EX_OK && words->json) {
		ctl_print_json(all);
	} else if (code == EX_OK) {
		ctl_make_printable(all);
		json_array_foreach (all, i, set)
			print_set(set);
		if (json_array_size(all) == 0)
			puts("nothing is counted for a report");
	}
	json_decref(all);
	return code;
}

/* -- Sending -------------------------------------------------------------------------------------- */

static int send(const struct ctl_place *place, const struct ctl_words *words)
{
	int code;
	json_t *answer = ctl_ask(place, words->request, false, &code);

	if (answer == NULL)
		return code;
	json_object_del(answer, "ok");
	if (words->json)
		ctl_print_json(answer);
	else
		printf("%lld sent, %lld that nobody asks for, %lld to be tried again, %lld given up\n", ctl_number(answer, "sent"),
		    ctl_number(answer, "unwanted"), ctl_number(answer, "later"), ctl_number(answer, "given_up"));
	json_decref(answer);
	return EX_OK;
}

int ctl_reports(const struct ctl_place *place, int count, char **rest)
{
	static const char *const filters[] = { "domain", NULL }, *const days[] = { "day", NULL };
	const bool sends = count > 0 && strcmp(rest[0], "send") == 0, lists = count > 0 && strcmp(rest[0], "list") == 0;
	struct ctl_words words;
	int code = EX_USAGE;

	if (sends || lists) {
		count--;
		rest++;
	}
	if (!ctl_words_read(sends ? "reports send" : "reports", sends ? days : filters, count, rest, &words) || words.first != NULL)
		ctl_usage("reports");
	else
		code = sends ? send(place, &words) : list(place, &words);
	ctl_words_done(&words);
	return code;
}
