/* postroad queue list|show|destinations|retry|hold|release|delete|expire|bounce|reroute|pause|resume|pauses */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "ctl/ask.h"
#include "ctl/commands.h"
#include "ctl/progress.h"
#include "ctl/usage.h"

/* What an action may be limited to; a list can be paged through besides. */
#define FILTERS "sender", "recipient", "domain", "user", "state", "host", "error", "older", "id"
static const char *const filters[] = { FILTERS, NULL };
static const char *const list_options[] = { FILTERS, "after", "limit", NULL };
static const char *const reroute_options[] = { FILTERS, "via", NULL };
static const char *const pause_options[] = { "domain", "sender", "user", NULL };
static const char *const no_options[] = { NULL };

static void print_message(const json_t *message)
{
	const json_t *recipients = json_object_get(message, "recipients"), *recipient;
	size_t i;

	printf("%s  %s  %8lld  from %s\n", ctl_string(message, "id", "?"), ctl_string(message, "arrived", "?"),
	    ctl_number(message, "size"), ctl_string(message, "sender", "?"));
	if (json_object_get(message, "priority") != NULL)
		printf("    priority %lld\n", ctl_number(message, "priority"));
	json_array_foreach (recipients, i, recipient) {
		const char *next = ctl_string(recipient, "next", NULL);

		printf("    to %s: %s%s%s, %lld attempt%s\n", ctl_string(recipient, "address", "?"),
		    ctl_string(recipient, "state", "?"), next ? ", next try " : "", next ? next : "",
		    ctl_number(recipient, "attempts"), ctl_number(recipient, "attempts") == 1 ? "" : "s");
		if (ctl_string(recipient, "last", NULL) != NULL)
			printf("        %s\n", ctl_string(recipient, "last", ""));
	}
}

/* The server's "next" as this request's "after"; false at the end of the list. */
static bool turn_page(json_t *request, const json_t *answer)
{
	const char *next = ctl_string(answer, "next", NULL);

	if (next != NULL)
		json_object_set_new(request, "after", json_string(next));
	return next != NULL;
}

static int list(const struct ctl_place *place, struct ctl_words *words)
{
	const char *limit_text = ctl_string(words->request, "limit", NULL);
	uint64_t limit = UINT64_MAX, shown = 0;
	bool more = true;
	int code = EX_OK;

	if (words->first != NULL || (limit_text != NULL && !text_to_u64(text_of(limit_text), &limit)))
		return ctl_usage("queue");
	json_object_del(words->request, "limit");
	if (words->json)
		putchar('[');
	while (more && shown < limit) {
		json_t *answer = ctl_ask(place, words->request, true, &code), *message;
		size_t i;

		if (answer == NULL)
			break;
		if (!words->json)
			ctl_make_printable(answer);
		json_array_foreach (json_object_get(answer, "messages"), i, message) {
			if (shown == limit)
				break;
			if (words->json) {
				fputs(shown > 0 ? ",\n" : "\n", stdout);
				json_dumpf(message, stdout, JSON_INDENT(2));
			} else {
				print_message(message);
			}
			shown++;
		}
		more = turn_page(words->request, answer);
		json_decref(answer);
	}
	if (words->json)
		puts(shown > 0 ? "\n]" : "]");
	else if (code == EX_OK && shown == 0)
		puts("The queue is empty.");
	return code;
}

static int show(const struct ctl_place *place, struct ctl_words *words)
{
	int code = EX_USAGE;

	if (words->first == NULL)
		return ctl_usage("queue");
	json_object_set_new(words->request, "id", json_string(words->first));

	json_t *answer = ctl_ask(place, words->request, true, &code);

	if (answer != NULL && words->json) {
		json_object_del(answer, "ok");
		ctl_print_json(answer);
	} else if (answer != NULL) {
		ctl_make_printable(answer);
		print_message(json_object_get(answer, "message"));
		printf("\n%s", ctl_string(answer, "header", ""));
	}
	json_decref(answer);
	return code;
}

static bool has_filter(const json_t *request)
{
	for (const char *const *name = filters; *name != NULL; name++)
		if (json_object_get(request, *name) != NULL)
			return true;
	return false;
}

/* For the whole queue one can say how far it is. Gives an exit code. */
static int count_waiting(const struct ctl_place *place, uint64_t *out_count)
{
	json_t *request = json_pack("{s:s}", "do", "stats");
	int code;
	json_t *answer = ctl_ask(place, request, false, &code);

	if (answer != NULL)
		*out_count = (uint64_t)ctl_number(json_object_get(answer, "spool"), "messages");
	json_decref(answer);
	json_decref(request);
	return code;
}

static int change(const struct ctl_place *place, const char *action, struct ctl_words *words)
{
	struct progress progress = progress_begin("messages", 0);
	long long messages = 0, recipients = 0;
	bool more = true;
	int code = EX_OK;

	/* To act on the whole queue one has to say so. */
	if (words->first == NULL && !has_filter(words->request))
		return ctl_usage("queue");
	if (words->first != NULL && strcmp(words->first, "all") != 0)
		json_object_set_new(words->request, "id", json_string(words->first));
	if (progress.on_terminal && !has_filter(words->request) && json_object_get(words->request, "id") == NULL)
		code = count_waiting(place, &progress.total);
	if (code != EX_OK)
		return code;
	while (more) {
		json_t *answer = ctl_ask(place, words->request, false, &code);

		if (answer == NULL) {
			progress_end(&progress);
			return code;
		}
		messages += ctl_number(answer, "messages");
		recipients += ctl_number(answer, "recipients");
		more = turn_page(words->request, answer);
		json_decref(answer);
		progress_show(&progress, (uint64_t)messages);
	}
	progress_end(&progress);
	if (words->json)
		printf("{\"messages\": %lld, \"recipients\": %lld}\n", messages, recipients);
	else
		printf("%s: %lld message%s, %lld recipient%s\n", action, messages, messages == 1 ? "" : "s", recipients,
		    recipients == 1 ? "" : "s");
	if (messages == 0 && words->first != NULL && strcmp(words->first, "all") != 0) {
		fprintf(stderr, "postroad: nothing to do for %s (not in the queue, or in that state already)\n", words->first);
		return EX_NOINPUT;
	}
	return EX_OK;
}

static int pause_mail(const struct ctl_place *place, struct ctl_words *words)
{
	int code = EX_OK;

	if (words->first != NULL)
		return ctl_usage("queue");
	json_t *answer = ctl_ask(place, words->request, false, &code);

	if (answer != NULL && words->json)
		ctl_print_json(answer);
	else if (answer != NULL)
		puts("Paused: such mail is taken and kept. What is under way goes on; postroad queue resume ends it.");
	json_decref(answer);
	return code;
}

static int list_pauses(const struct ctl_place *place, struct ctl_words *words)
{
	int code;
	json_t *answer = ctl_ask(place, words->request, true, &code), *pause;
	const json_t *pauses = json_object_get(answer, "pauses");
	size_t i;

	if (answer != NULL && words->json) {
		ctl_print_json(pauses);
	} else if (answer != NULL) {
		ctl_make_printable(answer);
		json_array_foreach (pauses, i, pause)
			printf("%s %s, since %s\n", ctl_string(pause, "of", "?"), ctl_string(pause, "subject", "?"),
			    ctl_string(pause, "since", "?"));
		if (json_array_size(pauses) == 0)
			puts("Nothing is paused.");
	}
	json_decref(answer);
	return code;
}

static void print_waiting(const json_t *destination)
{
	const long long recipients = ctl_number(destination, "recipients"), held = ctl_number(destination, "held"),
			paused = ctl_number(destination, "paused");

	printf("%6lld  %s, the oldest since %s", recipients, ctl_string(destination, "domain", "?"),
	    ctl_string(destination, "oldest", "?"));
	if (held > 0)
		printf(", %lld held", held);
	if (paused > 0)
		printf(", %lld paused", paused);
	printf("%s%s\n", ctl_string(destination, "next", NULL) ? ", next try " : "", ctl_string(destination, "next", ""));
	if (ctl_string(destination, "last", NULL) != NULL && !json_is_true(json_object_get(json_object_get(destination, "state"), "trouble")))
		printf("        %s\n", ctl_string(destination, "last", ""));
	if (json_object_get(destination, "state") != NULL) {
		printf("        ");
		ctl_print_state(json_object_get(destination, "state"), "        ");
	}
}

static int list_destinations(const struct ctl_place *place, struct ctl_words *words)
{
	int code;
	json_t *answer = ctl_ask(place, words->request, true, &code), *destination;
	const json_t *destinations = json_object_get(answer, "destinations");
	size_t i;

	if (answer != NULL && words->json) {
		json_object_del(answer, "ok");
		ctl_print_json(answer);
	} else if (answer != NULL) {
		ctl_make_printable(answer);
		json_array_foreach (destinations, i, destination)
			print_waiting(destination);
		json_array_foreach (json_object_get(answer, "held_back"), i, destination) {
			printf("%s: ", ctl_string(destination, "destination", "?"));
			ctl_print_state(json_object_get(destination, "state"), "        ");
		}
		if (json_array_size(destinations) == 0)
			puts("The queue is empty.");
		if (!json_is_true(json_object_get(answer, "complete")))
			puts("And more: only the oldest messages were counted.");
	}
	json_decref(answer);
	return code;
}

static const struct {
	const char *word;
	const char *const *options;
	int (*run)(const struct ctl_place *place, struct ctl_words *words); /* NULL: change. */
} actions[] = {
	{ "list", list_options, list },
	{ "show", filters, show },
	{ "destinations", no_options, list_destinations },
	{ "retry", filters, NULL },
	{ "hold", filters, NULL },
	{ "release", filters, NULL },
	{ "delete", filters, NULL },
	{ "expire", filters, NULL },
	{ "bounce", filters, NULL },
	{ "reroute", reroute_options, NULL },
	{ "resume", pause_options, NULL },
	{ "pause", pause_options, pause_mail },
	{ "pauses", no_options, list_pauses },
};

int ctl_queue(const struct ctl_place *place, int count, char **rest)
{
	const int skip = count > 0 && rest[0][0] != '-' ? 1 : 0;
	const char *word = skip ? rest[0] : "list";
	struct ctl_words words;
	char verb[64];
	size_t i = 0;
	int code = EX_USAGE;

	while (i < sizeof actions / sizeof actions[0] && strcmp(word, actions[i].word) != 0)
		i++;
	if (i == sizeof actions / sizeof actions[0])
		return ctl_usage("queue");
	snprintf(verb, sizeof verb, "queue %s", word);
	if (!ctl_words_read(verb, actions[i].options, count - skip, rest + skip, &words))
		fputs("postroad help queue tells what it takes\n", stderr);
	else
		code = actions[i].run != NULL ? actions[i].run(place, &words) : change(place, word, &words);
	ctl_words_done(&words);
	return code;
}
