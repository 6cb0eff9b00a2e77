/* postroad queue list|show|retry|hold|release|delete */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "ctl/ask.h"
#include "ctl/commands.h"

/* What an action may be limited to; a list can be paged through besides. */
static const char *const filters[] = { "sender", "recipient", "domain", "state", "id", NULL };
static const char *const list_options[] = { "sender", "recipient", "domain", "state", "id", "after", "limit", NULL };

static int usage(void)
{
	fputs("usage: postroad queue list [--json] [--sender A] [--recipient A] [--domain D] [--state S]\n"
	      "           S: held, quarantined or waiting\n"
	      "       postroad queue show ID [--json]\n"
	      "       postroad queue retry|hold|release|delete ID | all | filters as above [--json]\n",
	    stderr);
	return EX_USAGE;
}

static void print_message(const json_t *message)
{
	const json_t *recipients = json_object_get(message, "recipients"), *recipient;
	size_t i;

	printf("%s  %s  %8lld  from %s\n", ctl_string(message, "id", "?"), ctl_string(message, "arrived", "?"),
	    (long long)json_integer_value(json_object_get(message, "size")), ctl_string(message, "sender", "?"));
	json_array_foreach (recipients, i, recipient) {
		const char *next = ctl_string(recipient, "next", NULL);

		printf("    to %s: %s%s%s, %lld attempt%s\n", ctl_string(recipient, "address", "?"),
		    ctl_string(recipient, "state", "?"), next ? ", next try " : "", next ? next : "",
		    (long long)json_integer_value(json_object_get(recipient, "attempts")),
		    json_integer_value(json_object_get(recipient, "attempts")) == 1 ? "" : "s");
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
		return usage();
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
		return usage();
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

static int change(const struct ctl_place *place, const char *action, struct ctl_words *words)
{
	long long messages = 0, recipients = 0;
	bool more = true;
	int code = EX_OK;

	/* To act on the whole queue one has to say so. */
	if (words->first == NULL && !has_filter(words->request))
		return usage();
	if (words->first != NULL && strcmp(words->first, "all") != 0)
		json_object_set_new(words->request, "id", json_string(words->first));
	while (more) {
		json_t *answer = ctl_ask(place, words->request, false, &code);

		if (answer == NULL)
			return code;
		messages += json_integer_value(json_object_get(answer, "messages"));
		recipients += json_integer_value(json_object_get(answer, "recipients"));
		more = turn_page(words->request, answer);
		json_decref(answer);
	}
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

int ctl_queue(const struct ctl_place *place, int count, char **rest)
{
	static const char *const actions[] = { "retry", "hold", "release", "delete" };
	const char *action = count > 0 && rest[0][0] != '-' ? rest[0] : "list";
	const int skip = count > 0 && rest[0][0] != '-' ? 1 : 0;
	struct ctl_words words;
	char verb[64];
	int code = EX_USAGE;

	snprintf(verb, sizeof verb, "queue %s", action);
	const bool lists = strcmp(action, "list") == 0;

	if (!ctl_words_read(verb, lists ? list_options : filters, count - skip, rest + skip, &words)) {
		ctl_words_done(&words);
		return EX_USAGE;
	}
	if (lists) {
		code = list(place, &words);
	} else if (strcmp(action, "show") == 0) {
		code = show(place, &words);
	} else {
		size_t i = 0;

		while (i < sizeof actions / sizeof actions[0] && strcmp(action, actions[i]) != 0)
			i++;
		code = i < sizeof actions / sizeof actions[0] ? change(place, action, &words) : usage();
	}
	ctl_words_done(&words);
	return code;
}
