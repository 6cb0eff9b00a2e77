/* postroad trace ID|ADDRESS|FACT: the life of a message, from the first byte to the last reply. */
#include <stdio.h>
#include <sysexits.h>

#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/usage.h"

static void print_step(const json_t *step)
{
	printf("  %s  %-10s", ctl_string(step, "time", "?"), ctl_string(step, "event", "?"));
	ctl_print_facts(step);
}

int ctl_trace(const struct ctl_place *place, int count, char **rest)
{
	static const char *const none[] = { NULL };
	struct ctl_words words;
	json_t *answer = NULL, *message, *step;
	size_t i, k;
	int code = EX_USAGE;

	if (!ctl_words_read("trace", none, count, rest, &words) || words.first == NULL) {
		ctl_usage("trace");
		goto done;
	}
	json_object_set_new(words.request, "about", json_string(words.first));
	answer = ctl_ask(place, words.request, true, &code);
	if (answer == NULL)
		goto done;
	if (words.json) {
		ctl_print_json(json_object_get(answer, "messages"));
		goto done;
	}
	ctl_make_printable(answer);
	json_array_foreach (json_object_get(answer, "messages"), i, message) {
		printf("%s%s: %s\n", i > 0 ? "\n" : "", ctl_string(message, "id", "?"), ctl_string(message, "state", "?"));
		json_array_foreach (json_object_get(message, "steps"), k, step)
			print_step(step);
	}
done:
	json_decref(answer);
	ctl_words_done(&words);
	return code;
}
