#include "ctl/ask.h"

#include <stdio.h>
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
			json_object_set_new(out->request, option, json_string(equals ? equals + 1 : words[++i]));
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

		fprintf(stderr, "postroad: %s\n", ctl_string(answer, "error", "refused"));
		*out_exit = json_is_integer(code) ? (int)json_integer_value(code) : EX_SOFTWARE;
		json_decref(answer);
		return NULL;
	}
	*out_exit = EX_OK;
	return answer;
}

void ctl_print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

const char *ctl_string(const json_t *object, const char *key, const char *otherwise)
{
	const char *string = json_string_value(json_object_get(object, key));

	return string ? string : otherwise;
}
