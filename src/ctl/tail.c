/* postroad tail: events as they happen. */
#include <poll.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/usage.h"

enum { AGAIN_MS = 500, EVENTS_AT_ONCE = 500 };

/* JSON lines for programs; for people as in `trace`. */
static void print_event(json_t *event, bool json)
{
	if (json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		ctl_make_printable(event);
		printf("%s  %-15s %-10s", ctl_string(event, "time", "?"), ctl_string(event, "id", "-"), ctl_string(event, "event", "?"));
		ctl_print_facts(event);
	}
}

/* What is missing stands where it is missing: as an object of its own among the JSON lines, else on stderr. */
static void print_gap(const json_t *answer, bool json)
{
	const long long lost = ctl_number(answer, "lost");
	const char *remembered = ctl_string(answer, "remembered_since", NULL);

	if (json && lost > 0)
		printf("{\"event\":\"tail-lost\",\"events\":%lld}\n", lost);
	else if (lost > 0)
		fprintf(stderr, "-- %lld event%s missing here: this reader was too slow\n", lost, lost == 1 ? " is" : "s are");
	if (remembered != NULL)
		fprintf(stderr, "-- the server remembers nothing older than %s; see the log, or postroad trace\n", remembered);
}

static void print_answer(json_t *answer, bool json)
{
	json_t *event;
	size_t i;

	print_gap(answer, json);
	json_array_foreach (json_object_get(answer, "events"), i, event)
		print_event(event, json);
	fflush(stdout);
}

static void rest(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = AGAIN_MS * 1'000'000L }, NULL);
}

/* A connection to a server that was there a moment ago: it may have been started again, or upgraded. */
static struct ctl_client *find(const struct ctl_place *place)
{
	struct ctl_client *client;
	bool told = false;

	while (ctl_client_open(place->control, &client) != OK) {
		if (!told)
			fputs("-- the server is gone; waiting for it\n", stderr);
		told = true;
		rest();
	}
	if (told)
		fputs("-- the server is back\n", stderr);
	return client;
}

/* `postroad tail | head` ends when head does, not when something happens next. */
static bool has_reader(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return !ferror(stdout) && (poll(&out, 1, 0) <= 0 || (out.revents & (POLLERR | POLLHUP)) == 0);
}

/* True: go on. The server is stopping, or too many others wait. */
static bool is_told_to_wait(const json_t *answer)
{
	return ctl_number(answer, "exit") == EX_TEMPFAIL;
}

/* Question after question on one connection. */
static int follow(const struct ctl_place *place, json_t *request, bool json)
{
	struct ctl_client *client = NULL;

	while (has_reader()) {
		json_t *answer = client ? ctl_client_ask(client, request) : NULL;

		if (answer == NULL) {
			ctl_client_close(client);
			client = find(place);
		} else if (json_is_true(json_object_get(answer, "ok"))) {
			print_answer(answer, json);
			json_object_set(request, "after", json_object_get(answer, "next"));
		} else if (is_told_to_wait(answer)) {
			rest();
		} else {
			fprintf(stderr, "postroad: %s\n", ctl_string(answer, "error", "refused"));
			json_decref(answer);
			break;
		}
		json_decref(answer);
	}
	ctl_client_close(client);
	return has_reader() ? EX_SOFTWARE : EX_OK;
}

int ctl_tail(const struct ctl_place *place, int count, char **words_given)
{
	static const char *const options[] = { "event", "sender", "recipient", "domain", "id", "since", NULL };
	struct ctl_words words;
	json_t *answer = NULL;
	int code = EX_USAGE;

	if (!ctl_words_read("tail", options, count, words_given, &words)) {
		ctl_usage("tail");
		goto done;
	}
	if (words.first != NULL)
		json_object_set_new(words.request, "about", json_string(words.first));
	json_object_set_new(words.request, "limit", json_integer(EVENTS_AT_ONCE));
	/* The first question says whether there is a server, and whether the filter is right. */
	answer = ctl_ask(place, words.request, false, &code);
	if (answer == NULL)
		goto done;
	print_answer(answer, words.json);
	json_object_del(words.request, "since");
	json_object_set_new(words.request, "wait", json_true());
	json_object_set(words.request, "after", json_object_get(answer, "next"));
	code = follow(place, words.request, words.json);
done:
	json_decref(answer);
	ctl_words_done(&words);
	return code;
}
