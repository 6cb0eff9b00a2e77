/* postroad webhooks: how those fare who are told of deliveries. */
#include <stdio.h>
#include <sysexits.h>

#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/usage.h"

static void print_state(const json_t *webhook)
{
	const char *since = ctl_string(webhook, "failing_since", NULL), *next = ctl_string(webhook, "next", NULL);

	printf("%s: %s%s%s", ctl_string(webhook, "name", "?"), ctl_string(webhook, "state", "?"), since ? " since " : "",
	    since ? since : "");
	if (ctl_number(webhook, "waiting") > 0)
		printf(", waiting: %lld, the oldest since %s", ctl_number(webhook, "waiting"), ctl_string(webhook, "oldest", "?"));
	else
		printf(", nothing waits");
	if (json_is_true(json_object_get(webhook, "under_way")))
		puts(", under way");
	else
		printf("%s%s\n", next ? ", next try " : "", next ? next : "");
}

static void print_last(const json_t *last)
{
	const char *error = ctl_string(last, "error", NULL);

	if (!json_is_object(last))
		puts("  last:    nothing was told since the start");
	else if (error != NULL)
		printf("  last:    %s: %s\n", ctl_string(last, "time", "?"), error);
	else
		printf("  last:    %s: it answers %lld\n", ctl_string(last, "time", "?"), ctl_number(last, "status"));
}

static void print_webhook(const json_t *webhook)
{
	const char *problem = ctl_string(webhook, "problem", NULL);
	const json_t *word;
	size_t i;

	print_state(webhook);
	printf("  url:     %s\n  events:  ", ctl_string(webhook, "url", "?"));
	json_array_foreach (json_object_get(webhook, "events"), i, word)
		printf("%s%s", i > 0 ? ", " : "", json_string_value(word));
	puts("");
	if (problem != NULL)
		printf("  problem: its secret-file cannot be used: %s\n", problem);
	print_last(json_object_get(webhook, "last"));
	printf("  taken:   %lld since the start", ctl_number(webhook, "taken"));
	if (ctl_string(webhook, "worked", NULL) != NULL)
		printf(", the last at %s", ctl_string(webhook, "worked", "?"));
	puts("");
	if (ctl_number(webhook, "dropped") > 0)
		printf("  dropped: %lld since the start: they gave way to newer ones\n", ctl_number(webhook, "dropped"));
}

int ctl_webhooks(const struct ctl_place *place, int count, char **rest)
{
	static const char *const none[] = { NULL };
	struct ctl_words words;
	json_t *answer = NULL, *webhook;
	size_t i;
	int code = EX_USAGE;

	if (!ctl_words_read("webhooks", none, count, rest, &words) || words.first != NULL)
		ctl_usage("webhooks");
	else
		answer = ctl_ask(place, words.request, false, &code);
	if (answer != NULL && words.json) {
		ctl_print_json(json_object_get(answer, "webhooks"));
	} else if (answer != NULL) {
		ctl_make_printable(answer);
		json_array_foreach (json_object_get(answer, "webhooks"), i, webhook)
			print_webhook(webhook);
		if (i == 0)
			puts("No webhook is configured.");
	}
	json_decref(answer);
	ctl_words_done(&words);
	return code;
}
