/* postroad dkim generate, rotate, remove. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/must.h"
#include "ctl/dkim.h"

static const char *const kind_words[DKIM_KINDS] = { [KEY_RSA] = "rsa", [KEY_ED25519] = "ed25519" };

/* -- one key ------------------------------------------------------------------- */

static bool read_key(const char *path, struct private_key **out_key)
{
	char *room = malloc(KEY_FILE_BYTES_MAX);
	FILE *file = fopen(path, "re");
	const char *trouble = file == NULL ? strerror(errno) : "neither an RSA nor an Ed25519 key without a passphrase";
	const size_t length = room && file ? fread(room, 1, KEY_FILE_BYTES_MAX, file) : 0;
	bool read = length > 0 && private_key_read((struct text){ room, length }, out_key) == OK;

	if (read && private_key_kind(*out_key) == KEY_RSA && private_key_bits(*out_key) < KEYS_RSA_BITS_MIN) {
		trouble = "an RSA key of under 1024 bits, which nobody accepts";
		private_key_free(*out_key);
		read = false;
	}
	if (!read)
		fprintf(stderr, "postroad: %s: %s\n", path, trouble);
	if (room != NULL)
		explicit_bzero(room, length);
	if (file != NULL)
		fclose(file);
	free(room);
	return read;
}

static int complain_of(enum error error, const struct keys_folder *folder, struct text domain, struct text selector)
{
	if (error == ERR_EXISTS)
		fprintf(stderr, "postroad: %.*s has a key %.*s, or one that is not used yet, already (hint: postroad dkim list %.*s)\n",
		    TEXT_FORMAT(domain), TEXT_FORMAT(selector), TEXT_FORMAT(domain));
	else
		fprintf(stderr, "postroad: %s: %s\n", folder->path, error_text(error));
	return error == ERR_EXISTS ? EX_DATAERR : EX_CANTCREAT;
}

/* Into the plan and the folder. Takes the key. The plan is yet to be written: a crash before leaves a file that no plan
 * names. */
static int add_key(const struct dkim_request *request, struct keys_folder *folder, struct text domain,
    struct text selector, struct private_key *key)
{
	const enum key_kind kind = private_key_kind(key);
	enum error error = OK;

	if (selector.length == 0 && !key_plan_name(&folder->plan, domain, kind, request->now_s, &selector))
		error = ERR_NO_MEMORY;
	if (error == OK)
		error = key_plan_add(&folder->plan, domain, selector, kind, request->now_s);
	if (error == OK) {
		keys_folder_remove_key(folder, domain, selector); /* Left over, perhaps: the plan did not name it. */
		error = keys_folder_write_key(folder, domain, selector, key);
	}
	private_key_free(key);
	return error == OK ? EX_OK : complain_of(error, folder, domain, selector);
}

static int make_key(const struct dkim_request *request, struct keys_folder *folder, struct text domain,
    struct text selector, enum key_kind kind)
{
	struct private_key *key;
	const enum error error = private_key_make(kind, DKIM_RSA_BITS, &key);

	if (error == OK)
		return add_key(request, folder, domain, selector, key);
	fprintf(stderr, "postroad: a key cannot be made: %s\n", error_text(error));
	return EX_OSERR;
}

/* The plan is durable before anybody is told of the records. Keys from `first` on are new. */
static int finish(const struct dkim_request *request, struct keys_folder *folder, size_t first, int code)
{
	if (code == EX_OK && folder->plan.count > first)
		code = dkim_save(request, folder);
	for (size_t i = first; code == EX_OK && i < folder->plan.count; i++)
		if (!dkim_print_record(folder, &folder->plan.keys[i]))
			code = EX_IOERR;
	if (code == EX_OK && folder->plan.count > first)
		fputs("Publish these records; then let postroad dkim check see them, so that the keys are used.\n", stderr);
	keys_folder_close(folder);
	return code;
}

/* -- generate ------------------------------------------------------------------- */

static bool has_key_in_use(const struct dkim_request *request, const struct keys_folder *folder, enum key_kind kind)
{
	for (size_t i = 0; i < folder->plan.count; i++) {
		const struct planned_key *key = &folder->plan.keys[i];

		if (text_equal(key->domain, request->domain) && key->kind == kind &&
		    key_state_at(key, request->now_s) < KEY_RETIRING) {
			fprintf(stderr, "postroad: %.*s has %s key %.*s already (hint: postroad dkim rotate %.*s)\n",
			    TEXT_FORMAT(key->domain), kind == KEY_RSA ? "an RSA" : "an Ed25519", TEXT_FORMAT(key->selector),
			    TEXT_FORMAT(key->domain));
			return true;
		}
	}
	return false;
}

/* The name that was given is for one key; of two the kind is added to tell them apart. */
static bool pick_selector(const struct dkim_request *request, enum key_kind kind, struct text *out_selector)
{
	*out_selector = request->selector;
	return request->selector.length == 0 || !request->kinds[KEY_RSA] || !request->kinds[KEY_ED25519] ||
	    arena_print(request->arena, out_selector, "%.*s-%s", TEXT_FORMAT(request->selector), kind_words[kind]);
}

static int generate(const struct dkim_request *request, struct keys_folder *folder)
{
	struct private_key *key;
	struct text selector;
	int code = EX_OK;

	if (request->key_file != NULL) {
		if (!read_key(request->key_file, &key))
			return EX_NOINPUT;
		if (!has_key_in_use(request, folder, private_key_kind(key)))
			return add_key(request, folder, request->domain, request->selector, key);
		private_key_free(key);
		return EX_DATAERR;
	}
	for (unsigned kind = 0; kind < DKIM_KINDS && code == EX_OK; kind++)
		if (request->kinds[kind] && has_key_in_use(request, folder, (enum key_kind)kind))
			code = EX_DATAERR;
	for (unsigned kind = 0; kind < DKIM_KINDS && code == EX_OK; kind++) {
		if (!request->kinds[kind])
			continue;
		code = pick_selector(request, (enum key_kind)kind, &selector)
		    ? make_key(request, folder, request->domain, selector, (enum key_kind)kind)
		    : EX_OSERR;
	}
	return code;
}

int dkim_generate(const struct dkim_request *request)
{
	struct dkim_request wanted = *request;
	struct keys_folder folder;

	if (request->domain.length == 0) {
		fputs("postroad: dkim generate needs a domain\n", stderr);
		return EX_USAGE;
	}
	/* RFC 8463 §3: who verifies may know one of them only. */
	if (!wanted.kinds[KEY_RSA] && !wanted.kinds[KEY_ED25519])
		wanted.kinds[KEY_RSA] = wanted.kinds[KEY_ED25519] = true;
	const int code = dkim_open(&wanted, true, &folder);

	if (code != EX_OK)
		return code;
	const size_t first = folder.plan.count;

	return finish(&wanted, &folder, first, generate(&wanted, &folder));
}

/* -- rotate ---------------------------------------------------------------------- */

static bool wants_successor(const struct dkim_request *request, const struct keys_folder *folder, const struct planned_key *key)
{
	if (request->due && !key_plan_is_due(&folder->plan, key, &request->settings, request->now_s))
		return false;
	return dkim_means(request, key) && key_state_at(key, request->now_s) == KEY_ACTIVE && key->until_s == 0 &&
	    key_plan_coming(&folder->plan, key->domain, key->kind, request->now_s) == NULL;
}

int dkim_rotate(const struct dkim_request *request)
{
	struct keys_folder folder;

	if (request->domain.length == 0 && !request->due) {
		fputs("postroad: dkim rotate needs a domain, or --due\n", stderr);
		return EX_USAGE;
	}
	int code = dkim_open(request, true, &folder);

	if (code != EX_OK)
		return code;
	const size_t first = folder.plan.count;

	for (size_t i = 0; i < first && code == EX_OK; i++) {
		const struct planned_key key = folder.plan.keys[i]; /* The list moves when it grows. */

		if (wants_successor(request, &folder, &key))
			code = make_key(request, &folder, key.domain, TEXT_EMPTY, key.kind);
	}
	if (code == EX_OK && folder.plan.count == first && !request->due) {
		fprintf(stderr, "postroad: %.*s has no key that signs and has no successor yet (hint: postroad dkim list %.*s)\n",
		    TEXT_FORMAT(request->domain), TEXT_FORMAT(request->domain));
		code = EX_DATAERR;
	}
	return finish(request, &folder, first, code);
}

/* -- remove ---------------------------------------------------------------------- */

int dkim_remove(const struct dkim_request *request)
{
	struct keys_folder folder;

	if (request->domain.length == 0 || request->selector.length == 0) {
		fputs("postroad: dkim remove needs a domain and --selector\n", stderr);
		return EX_USAGE;
	}
	int code = dkim_open(request, true, &folder);

	if (code != EX_OK)
		return code;
	struct planned_key *key = key_plan_find(&folder.plan, request->domain, request->selector);

	if (key == NULL) {
		fprintf(stderr, "postroad: %.*s has no key %.*s (hint: postroad dkim list)\n", TEXT_FORMAT(request->domain),
		    TEXT_FORMAT(request->selector));
		code = EX_DATAERR;
	} else {
		key_plan_remove(&folder.plan, key, request->now_s);
		code = dkim_save(request, &folder);
	}
	if (code == EX_OK) {
		keys_folder_remove_key(&folder, request->domain, request->selector);
		fprintf(stderr, "The record %.*s._domainkey.%.*s may go from DNS.\n", TEXT_FORMAT(request->selector),
		    TEXT_FORMAT(request->domain));
	}
	keys_folder_close(&folder);
	return code;
}
