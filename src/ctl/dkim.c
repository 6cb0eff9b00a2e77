/* postroad dkim: the keys that sign our mail, from their making to their end. */
#include "ctl/dkim.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "auth/domain.h"
#include "auth/key_record.h"
#include "ctl/ask.h"
#include "ctl/offline.h"
#include "ctl/usage.h"
#include "mail/address.h"

enum { ARENA_BYTES = 256 << 20, COMPLAINTS_BYTES_MAX = 64 << 10 };

static const struct {
	const char *name;
	int (*run)(const struct dkim_request *request);
} commands[] = {
	{ "generate", dkim_generate }, { "rotate", dkim_rotate }, { "remove", dkim_remove },
	{ "list", dkim_list }, { "record", dkim_record }, { "check", dkim_check },
};

/* -- words ------------------------------------------------------------------- */

static bool read_name(const char *value, struct arena *arena, struct text *out_name)
{
	if (address_domain_to_ascii(domain_without_dot(text_of(value)), arena, out_name) == OK &&
	    domain_is_name(*out_name) && address_domain_valid(*out_name, false) && !text_starts(*out_name, TEXT("[")))
		return true;
	fprintf(stderr, "postroad: %s is no name that DNS could hold\n", value);
	return false;
}

static bool read_algorithm(const char *value, struct dkim_request *request)
{
	request->kinds[KEY_RSA] = strcmp(value, "rsa") == 0 || strcmp(value, "both") == 0;
	request->kinds[KEY_ED25519] = strcmp(value, "ed25519") == 0 || strcmp(value, "both") == 0;
	return request->kinds[KEY_RSA] || request->kinds[KEY_ED25519];
}

/* An option with a value; false: there is no such option, or its value makes no sense. */
static bool set_option(struct dkim_request *request, struct text name, const char *value)
{
	uint64_t seconds;

	if (text_equal(name, TEXT("selector")))
		return read_name(value, request->arena, &request->selector);
	if (text_equal(name, TEXT("algorithm")) && read_algorithm(value, request))
		return true;
	if (text_equal(name, TEXT("key"))) {
		request->key_file = value;
		return true;
	}
	if (text_equal(name, TEXT("zone"))) {
		request->zone = value;
		return true;
	}
	if (text_equal(name, TEXT("time")) && text_to_u64(text_of(value), &seconds) && seconds > 0 &&
	    seconds <= INT64_MAX / 1000000) {
		request->now_s = (int64_t)seconds;
		return true;
	}
	fprintf(stderr, "postroad: --%.*s %s makes no sense\n", TEXT_FORMAT(name), value);
	return false;
}

static bool set_flag(struct dkim_request *request, struct text name)
{
	bool *const flag = text_equal(name, TEXT("json")) ? &request->json
	    : text_equal(name, TEXT("due"))           ? &request->due
	    : text_equal(name, TEXT("trust"))         ? &request->trust
						      : NULL;

	if (flag != NULL)
		*flag = true;
	return flag != NULL;
}

static bool read_words(struct dkim_request *request, int count, char **words)
{
	for (int i = 0; i < count; i++) {
		if (strncmp(words[i], "--", 2) != 0) {
			if (request->domain.length > 0 || !read_name(words[i], request->arena, &request->domain))
				return false;
			continue;
		}
		const struct text whole = text_of(words[i] + 2);
		const size_t equals = text_find_byte(whole, '=');

		if (equals == whole.length && set_flag(request, whole))
			continue;
		if (equals == whole.length && i + 1 == count)
			return false;
		const char *value = equals < whole.length ? whole.bytes + equals + 1 : words[++i];

		if (!set_option(request, text_part(whole, 0, equals), value))
			return false;
	}
	return true;
}

int ctl_dkim(const struct conf *conf, int count, char **words)
{
	struct dkim_request request = { .conf = conf,
		.arena = arena_new(ARENA_BYTES),
		.zone = "",
		.now_s = time(NULL),
		.settings = { .wait_s = conf->dkim.publish_wait_ms / 1000,
		    .retire_s = conf->dkim.retire_after_ms / 1000,
		    .rotate_s = conf->dkim.rotate_after_ms / 1000 } };
	int code = EX_OSERR;

	if (request.arena != NULL)
		code = count > 0 && read_words(&request, count - 1, words + 1) ? -1 : ctl_usage("dkim");
	for (size_t i = 0; code == -1 && i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(words[0], commands[i].name) == 0)
			code = commands[i].run(&request);
	if (code == -1)
		code = ctl_usage("dkim");
	arena_free(request.arena);
	return code;
}

/* -- for all parts ------------------------------------------------------------- */

int dkim_open(const struct dkim_request *request, bool change, struct keys_folder *out_folder)
{
	struct buffer complaints;
	int code = EX_OK;

	if (request->conf->dkim.keys[0] == '\0') {
		fprintf(stderr, "%s: there is no folder for DKIM keys (hint: dkim { keys = \"/etc/postroad/dkim\" })\n",
		    request->conf->path);
		return EX_CONFIG;
	}
	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	if (!keys_folder_open(request->conf->dkim.keys, change, request->arena, out_folder, &complaints)) {
		fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
		code = EX_NOINPUT;
	}
	buffer_done(&complaints);
	return code;
}

int dkim_save(const struct dkim_request *request, struct keys_folder *folder)
{
	const struct ctl_place place = { .control = request->conf->control };
	const enum error error = keys_folder_write_plan(folder);

	if (error != OK) {
		fprintf(stderr, "postroad: %s: %s\n", folder->path, error_text(error));
		return EX_CANTCREAT;
	}
	ctl_tell_reload(&place);
	return EX_OK;
}

bool dkim_means(const struct dkim_request *request, const struct planned_key *key)
{
	return (request->domain.length == 0 || text_equal(request->domain, key->domain)) &&
	    (request->selector.length == 0 || text_equal(request->selector, key->selector));
}

bool dkim_record_of(const struct keys_folder *folder, const struct planned_key *planned, struct text *out_name,
    struct text *out_record)
{
	struct private_key *key = NULL;
	struct buffer complaints;

	buffer_init(&complaints, COMPLAINTS_BYTES_MAX);
	const bool made = keys_folder_read_key(folder, planned, &key, &complaints) &&
	    key_record_print(key, folder->arena, out_record) &&
	    arena_print(folder->arena, out_name, "%.*s._domainkey.%.*s", TEXT_FORMAT(planned->selector),
		TEXT_FORMAT(planned->domain));

	fprintf(stderr, "%.*s", TEXT_FORMAT(buffer_text(&complaints)));
	buffer_done(&complaints);
	private_key_free(key);
	return made;
}
