/* postroad sign: a message with DKIM-Signature fields before it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "auth/dkim_sign.h"
#include "auth/domain.h"
#include "auth/signature.h"
#include "ctl/message_file.h"
#include "ctl/offline.h"
#include "ctl/usage.h"
#include "mail/address.h"

enum { ARENA_BYTES = 64 << 20, BODY_BYTES_MAX = 1 << 30 };

struct sign_request {
	const char *file;
	const char *key_files[DKIM_KEYS_MAX];
	struct private_key *keys[DKIM_KEYS_MAX];
	struct text selectors[DKIM_KEYS_MAX];
	size_t key_count, selector_count;
	struct text domain;
	int64_t now_s;
};

static bool set_name(const char *what, const char *value, struct arena *arena, struct text *out_name)
{
	if (address_domain_to_ascii(text_of(value), arena, out_name) == OK && domain_is_name(*out_name))
		return true;
	fprintf(stderr, "postroad: %s %s is no name that DNS could hold\n", what, value);
	return false;
}

static bool set_option(struct sign_request *request, struct text name, const char *value, struct arena *arena)
{
	uint64_t seconds;

	if (text_equal(name, TEXT("key")) && request->key_count < DKIM_KEYS_MAX) {
		request->key_files[request->key_count++] = value;
		return true;
	}
	if (text_equal(name, TEXT("selector")) && request->selector_count < DKIM_KEYS_MAX)
		return set_name("--selector", value, arena, &request->selectors[request->selector_count++]);
	if (text_equal(name, TEXT("domain")))
		return set_name("--domain", value, arena, &request->domain);
	if (text_equal(name, TEXT("time")) && text_to_u64(text_of(value), &seconds) &&
	    seconds <= INT64_MAX / 1000) {
		request->now_s = (int64_t)seconds;
		return true;
	}
	fprintf(stderr, "postroad: --%.*s %s makes no sense\n", TEXT_FORMAT(name), value);
	return false;
}

static bool read_words(struct sign_request *request, int count, char **words, struct arena *arena)
{
	for (int i = 0; i < count; i++) {
		const struct text whole = text_of(words[i] + (strncmp(words[i], "--", 2) == 0 ? 2 : 0));
		const size_t equals = text_find_byte(whole, '=');

		if (whole.bytes == words[i]) {
			if (request->file != NULL)
				return false;
			request->file = words[i];
		} else if (equals == whole.length && i + 1 == count) {
			return false;
		} else {
			const char *value = equals < whole.length ? whole.bytes + equals + 1 : words[++i];

			if (!set_option(request, text_part(whole, 0, equals), value, arena))
				return false;
		}
	}
	return request->file != NULL && request->domain.length > 0 && request->key_count > 0 &&
	    request->key_count == request->selector_count;
}

static int read_key(const char *path, struct private_key **out_key)
{
	char *room = malloc(KEY_FILE_BYTES_MAX);
	FILE *file = fopen(path, "re");
	const size_t length = room && file ? fread(room, 1, KEY_FILE_BYTES_MAX, file) : 0;
	const int trouble = errno;
	enum error error = ERR_IO;

	if (file != NULL) {
		error = private_key_read((struct text){ room, length }, out_key);
		fclose(file);
	}
	free(room);
	if (error == OK && private_key_kind(*out_key) == KEY_RSA &&
	    private_key_bits(*out_key) < SIGNATURE_RSA_BITS_MIN) {
		fprintf(stderr, "postroad: %s: an RSA key of under 1024 bits, which nobody accepts\n", path);
		return EX_DATAERR;
	}
	if (error != OK)
		fprintf(stderr, "postroad: %s: %s\n", path,
		    file == NULL                   ? strerror(trouble)
			: error == ERR_UNSUPPORTED ? "neither RSA nor Ed25519, or with a passphrase"
						   : "is no private key");
	return error == OK ? EX_OK : file == NULL ? EX_NOINPUT : EX_DATAERR;
}

static int read_keys(struct sign_request *request)
{
	int code = EX_OK;

	for (size_t i = 0; code == EX_OK && i < request->key_count; i++)
		code = read_key(request->key_files[i], &request->keys[i]);
	return code;
}

/* Write with the line ends that the message had. */
static void put(struct text text, bool as_crlf)
{
	for (size_t i = 0; i < text.length; i++)
		if (as_crlf || text.bytes[i] != '\r' || i + 1 == text.length || text.bytes[i + 1] != '\n')
			putchar(text.bytes[i]);
}

/* The body is kept, because the signature that comes out before it is known after it. */
static int keep_body(struct message_file *message, struct body_hashes *hashes, struct buffer *body)
{
	struct text piece;

	do {
		if (!message_file_body(message, &piece))
			return EX_NOINPUT;
		if (!buffer_append(body, piece)) {
			fprintf(stderr, "postroad: %s: the message is too large\n", message->name);
			return EX_DATAERR;
		}
		body_hashes_add(hashes, piece);
	} while (piece.length > 0);
	body_hashes_end(hashes);
	return EX_OK;
}

static int make_fields(
    const struct sign_request *request, const struct dkim_signer *signer, struct buffer *fields)
{
	for (size_t i = 0; i < request->key_count; i++) {
		const struct dkim_signing signing = { request->keys[i], request->domain,
			request->selectors[i] };
		const enum error error = dkim_signer_sign(signer, &signing, fields);

		if (error != OK) {
			fprintf(stderr, "postroad: %s: %s\n", request->key_files[i], error_text(error));
			return EX_SOFTWARE;
		}
	}
	return EX_OK;
}

static int sign(const struct sign_request *request, struct message_file *message, struct arena *arena)
{
	struct body_hashes *hashes = body_hashes_new();
	const struct dkim_manner manner = { .now_s = request->now_s };
	struct header_index index;
	struct dkim_signer *signer;
	struct buffer body, fields;
	int code = EX_OSERR;

	buffer_init(&body, BODY_BYTES_MAX);
	buffer_init(&fields, DKIM_KEYS_MAX * DKIM_FIELD_BYTES_MAX);
	if (hashes != NULL) {
		enum error error = header_index_make(buffer_text(&message->header), arena, &index);

		if (error == OK)
			error = dkim_signer_new(&index, hashes, &manner, arena, &signer);
		code = error == OK           ? keep_body(message, hashes, &body)
		    : error == ERR_NO_MEMORY ? EX_OSERR
					     : EX_DATAERR;
		if (error != OK)
			fprintf(stderr, "postroad: %s: %s\n", message->name,
			    error == ERR_SYNTAX ? "a message without exactly one From field is not signed"
						: error_text(error));
	}
	if (code == EX_OK)
		code = make_fields(request, signer, &fields);
	if (code == EX_OK) {
		put(buffer_text(&fields), message->was_crlf);
		put(buffer_text(&message->header), message->was_crlf);
		put(buffer_text(&body), message->was_crlf);
		code = fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	body_hashes_free(hashes);
	buffer_done(&body);
	buffer_done(&fields);
	return code;
}

int ctl_sign(int count, char **words)
{
	struct arena *arena = arena_new(ARENA_BYTES);
	struct message_file *message = malloc(sizeof *message);
	struct sign_request request = { .now_s = time(NULL) };
	int code = EX_OSERR;

	if (arena != NULL && message != NULL) {
		code = read_words(&request, count, words, arena) ? read_keys(&request) : ctl_usage("sign");
		if (code == EX_OK) {
			code = message_file_open(message, request.file);
			code = code == EX_OK ? sign(&request, message, arena) : code;
			message_file_close(message);
		}
	}
	for (size_t i = 0; i < request.key_count; i++)
		private_key_free(request.keys[i]);
	free(message);
	arena_free(arena);
	return code;
}
