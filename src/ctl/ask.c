#include "ctl/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/admin.h"
#include "ctl/client.h"

static const char *option_of(const char *const *options, const char *word, size_t length)
{
	for (; *options != NULL; options++)
		if (strlen(*options) == length && strncmp(*options, word, length) == 0)
			return *options;
	return NULL;
}

bool ctl_words_read(const char *verb, const char *const *options, int count, char **words, struct ctl_words *out)
{
	*out = (struct ctl_words){ .request = json_pack("{s:s}", "do", verb) };
	if (out->request == NULL)
		return false;
	for (int i = 0; i < count; i++) {
		/* JSON could not carry it, and a filter that is lost would let an action hit too much. */
		if (!text_is_utf8(text_of(words[i]))) {
			fprintf(stderr, "postroad: word %d is not UTF-8\n", i + 1);
			return false;
		}
		if (strncmp(words[i], "--", 2) != 0) {
			if (out->first != NULL) {
				fprintf(stderr, "postroad: one word too many: %s\n", words[i]);
				return false;
			}
			out->first = words[i];
			continue;
		}
		const char *name = words[i] + 2;
		const char *equals = strchr(name, '=');
		const char *option = option_of(options, name, equals ? (size_t)(equals - name) : strlen(name));

		if (strcmp(name, "json") == 0) {
			out->json = true;
		} else if (option != NULL && (equals != NULL || i + 1 < count)) {
			const char *value = equals ? equals + 1 : words[++i];

			if (json_object_set_new(out->request, option, json_string(value)) != 0) {
				fprintf(stderr, "postroad: --%s: the value is not UTF-8\n", option);
				return false;
			}
		} else {
			fprintf(stderr, "postroad: %s %s\n", words[i], option ? "needs a value" : "is no option of this command");
			return false;
		}
	}
	return true;
}

void ctl_words_done(struct ctl_words *words)
{
	json_decref(words->request);
	*words = (struct ctl_words){ 0 };
}

static json_t *ask_spool(const struct ctl_place *place, const json_t *request)
{
	const struct spool_lmdb_settings settings = { .path = place->spool, .read_only = true };
	struct spool *spool;

	if (spool_lmdb_open(&settings, &spool) != OK)
		return NULL;

	json_t *answer = admin_ask(spool, request);

	spool_close(spool);
	return answer;
}

void ctl_tell_reload(const struct ctl_place *place)
{
	struct ctl_client *client;
	json_t *request = json_pack("{s:s}", "do", "reload");

	if (request != NULL && ctl_client_open(place->control, &client) == OK) {
		json_decref(ctl_client_ask(client, request));
		ctl_client_close(client);
	}
	json_decref(request);
}

json_t *ctl_ask(const struct ctl_place *place, const json_t *request, bool offline, int *out_exit)
{
	struct ctl_client *client = NULL;
	const enum error error = ctl_client_open(place->control, &client);
	json_t *answer = error == OK ? ctl_client_ask(client, request) : offline ? ask_spool(place, request) : NULL;

	ctl_client_close(client);
	if (answer == NULL && error == OK)
		fprintf(stderr, "postroad: the server closed the connection without an answer\n");
	else if (answer == NULL && error == ERR_DENIED)
		fprintf(stderr, "postroad: %s: permission denied (ask as root or as the server's user)\n", place->control);
	else if (answer == NULL)
		fprintf(stderr, "postroad: no server at %s: %s (is it running?)\n", place->control, error_text(error));
	if (answer == NULL) {
		*out_exit = error == ERR_DENIED ? EX_NOPERM : EX_UNAVAILABLE;
		return NULL;
	}
	if (!json_is_true(json_object_get(answer, "ok"))) {
		const json_t *code = json_object_get(answer, "exit");

		ctl_make_printable(answer);
		fprintf(stderr, "postroad: %s\n", ctl_string(answer, "error", "refused"));
		*out_exit = json_is_integer(code) ? (int)json_integer_value(code) : EX_SOFTWARE;
		json_decref(answer);
		return NULL;
	}
	*out_exit = EX_OK;
	return answer;
}

int ctl_complain(int code, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fputs("postroad: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	return code;
}

void ctl_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

/* Control bytes but for tab and line ends, of ASCII and (in UTF-8 a C2 and one more byte) of Latin-1. */
static bool is_control(const char *bytes, size_t left)
{
	const unsigned char c = (unsigned char)bytes[0];

	if (c == 0xc2 && left > 1)
		return (unsigned char)bytes[1] < 0xa0;
	return c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && !(c == '\r' && left > 1 && bytes[1] == '\n'));
}

static void clean_string(json_t *string)
{
	const struct text text = { json_string_value(string), json_string_length(string) };
	char *clean = malloc(text.length + 1);
	size_t length = 0;

	for (size_t i = 0; clean != NULL && i < text.length; i++) {
		const bool control = is_control(text.bytes + i, text.length - i);

		i += control && text.bytes[i] == '\xc2';
		clean[length++] = control ? '?' : text.bytes[i];
	}
	json_string_setn(string, clean ? clean : "?", clean ? length : 1);
	free(clean);
}

void ctl_make_printable(json_t *value)
{
	json_t *member;
	const char *key;
	size_t i;

	if (json_is_string(value)) {
		clean_string(value);
	} else if (json_is_array(value)) {
		json_array_foreach (value, i, member)
			ctl_make_printable(member);
	} else {
		json_object_foreach (value, key, member)
			ctl_make_printable(member);
	}
}

const char *ctl_string(const json_t *object, const char *key, const char *otherwise)
{
	const char *string = json_string_value(json_object_get(object, key));

	return string ? string : otherwise;
}

long long ctl_number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void print_limits(const json_t *limits, const char *indent)
{
	static const struct {
		const char *key, *words;
	} kinds[] = { { "concurrency", "deliveries at one time" }, { "connections", "connections" },
		{ "messages_per_connection", "messages of a connection" } };
	const char *rate = ctl_string(limits, "rate", NULL), *before = "";

	printf("%sfixed by destination \"%s\": ", indent, ctl_string(limits, "by", "?"));
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const json_t *number = json_object_get(limits, kinds[i].key);

		if (number == NULL)
			continue;
		printf("%s%lld %s", before, (long long)json_integer_value(number), kinds[i].words);
		before = ", ";
	}
	if (rate != NULL)
		printf("%s%s", before, rate);
	puts("");
}

void ctl_print_state(const json_t *state, const char *indent)
{
	const char *until = ctl_string(state, "paused_until", ctl_string(state, "paced_until", NULL));
	const char *site = ctl_string(state, "site", NULL);
	const json_t *limits = json_object_get(state, "limits");
	const long long domains = ctl_number(state, "waiting_domains");

	const bool paced = strcmp(ctl_string(state, "gate", "?"), "paced") == 0;

	printf("%s%s%s%s, %lld of at most %lld under way", ctl_string(state, "gate", "?"), paced ? " (its rate is used up)" : "",
	    until ? " until " : "", until ? until : "", ctl_number(state, "deliveries"), ctl_number(state, "concurrency"));
	if (domains > 0)
		printf(", waiting for a place (domains, each sender apart): %lld", domains);
	puts("");
	if (json_is_true(json_object_get(state, "trouble")))
		printf("%s%s\n", indent, ctl_string(state, "last_trouble", "?"));
	if (site != NULL)
		printf("%slimits shared by all mail to %s\n", indent, site);
	if (limits != NULL)
		print_limits(limits, indent);
}

/* A value of an event as a person would write it. */
static void print_value(const char *key, const json_t *value)
{
	if (json_is_string(value))
		printf(strchr(json_string_value(value), ' ') ? " %s=\"%s\"" : " %s=%s", key, json_string_value(value));
	else if (json_is_integer(value))
		printf(" %s=%lld", key, (long long)json_integer_value(value));
}

void ctl_print_facts(const json_t *event)
{
	static const char *const front[] = { "time", "event", "id", NULL };
	const json_t *value;
	const char *key;

	json_object_foreach ((json_t *)event, key, value) {
		bool printed = false;

		for (const char *const *name = front; *name != NULL; name++)
			printed = printed || strcmp(*name, key) == 0;
		if (!printed)
			print_value(key, value);
	}
	putchar('\n');
}
