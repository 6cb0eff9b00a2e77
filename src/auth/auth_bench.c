/* What signing and verifying a message with DKIM costs, beside the signature alone.
 *
 *     auth_bench [BYTES [SECONDS [KIND]]]
 *
 * For each kind of key (rsa, ed25519): CPU µs of a message of BYTES (4096), made, hashed and signed, or read, hashed and verified, as the
 * server does it; and of the signature alone. `openssl speed rsa2048 ed25519` says the same of that. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/dkim.h"
#include "auth/message_signing.h"
#include "base/base64.h"
#include "base/must.h"

enum { RSA_BITS = 2048, ARENA_BYTES = 1 << 20, ROOM = 1 << 20, NOW_S = 1000000000, TURNS = 32 };

static const char header[] =
    "Received: from c.test (c.test [192.0.2.1]) by mail.example.org (postroad) with ESMTPS id 4f2a91c0b7d3 for <b@example.net>;\r\n"
    "\tThu, 26 Nov 2026 12:00:00 +0000\r\nFrom: Alice Example <alice@example.org>\r\nTo: Bob <bob@example.net>,\r\n"
    "\tCarol <carol@example.net>\r\nSubject: What a message of some size costs\r\nDate: Thu, 26 Nov 2026 12:00:00 +0000\r\n"
    "Message-ID: <20261126120000.4f2a91c0b7d3@mail.example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "User-Agent: bench\r\nReply-To: alice@example.org\r\n\r\n";

struct bench {
	struct text message, signed_message, record;
	struct signing_keys *keys;
	struct key_ring *ring; /* NULL: each message's key is seen for the first time. */
	struct private_key *private_key;
	struct public_key *public_key;
	uint8_t hash[DIGEST_BYTES];
	struct text signature;
	char signature_room[KEY_SIGNATURE_MAX];
	double seconds;
};

static struct text make_message(size_t size, struct arena *arena)
{
	char *bytes = arena_alloc(arena, size + sizeof header + 2);
	size_t length = sizeof header - 1;

	must(bytes != NULL);
	memcpy(bytes, header, length);
	for (; length + 2 < size; length++)
		bytes[length] = length % 66 == 0 ? '\n' : length % 66 == 65 ? '\r' : length % 7 == 0 ? ' ' : (char)('a' + length % 26);
	memcpy(bytes + length, "\r\n", 2);
	return (struct text){ bytes, length + 2 };
}

/* -- What is measured ------------------------------------------------------------------------- */

static void sign_message(struct bench *bench)
{
	struct message_signing *signing = message_signing_new(bench->keys, TEXT("example.org"), NOW_S);
	struct buffer fields;
	struct text domain;

	must(signing != NULL);
	buffer_init(&fields, ROOM);
	message_signing_add(signing, bench->message);
	must(message_signing_end(signing, &fields, &domain) == OK);
	buffer_done(&fields);
	message_signing_free(signing);
}

static void verify_message(struct bench *bench)
{
	const struct answer_record record = { .text = bench->record };
	struct arena *arena = arena_new(ARENA_BYTES);
	struct body_hashes *hashes = body_hashes_new();
	struct header_index index;
	struct question question;
	size_t count;

	must(arena != NULL && hashes != NULL && header_index_make(bench->signed_message, arena, &index) == OK);

	struct dkim *dkim = dkim_new(&index, hashes, NOW_S, arena);

	while (dkim_question(dkim, &question))
		dkim_answer(dkim, &(struct answer){ ANSWER_FOUND, &record, 1 });
	body_hashes_add(hashes, text_from(bench->signed_message, header_length(bench->signed_message)));
	body_hashes_end(hashes);
	must(dkim_judge(dkim, bench->ring, &count)->result == AUTH_PASS && count == 1);
	body_hashes_free(hashes);
	arena_free(arena);
}

static void sign_hash(struct bench *bench)
{
	must(private_key_sign(bench->private_key, bench->hash, bench->signature_room, &bench->signature) == OK);
}

static void verify_hash(struct bench *bench)
{
	must(public_key_verify(bench->public_key, bench->hash, bench->signature));
}

static double cpu_s(void)
{
	struct timespec time;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* CPU µs of one: of the best turns, because a neighbour on the machine makes the others slow. */
static double measure(struct bench *bench, void (*what)(struct bench *bench))
{
	const double start = cpu_s();
	double best = 1e9, now = start;

	while (now - start < bench->seconds) {
		const double before = now;

		for (unsigned i = 0; i < TURNS; i++)
			what(bench);
		now = cpu_s();
		if (now - before < best)
			best = now - before;
	}
	return best / TURNS * 1e6;
}

/* -- The keys ------------------------------------------------------------------------------------ */

static void make_keys(struct bench *bench, enum key_kind kind, struct arena *arena)
{
	struct signing_key key = { .domain = TEXT("example.org"), .selector = TEXT("s"), .until_s = INT64_MAX };
	struct text public, encoded, pem;

	must(private_key_make(kind, RSA_BITS, &key.key) == OK && private_key_public(key.key, arena, &public));
	must(private_key_print(key.key, arena, &pem) && private_key_read(pem, &bench->private_key) == OK);
	must(public_key_read(kind, public, &bench->public_key) == OK && base64_encode(public, arena, &encoded));
	must(arena_print(arena, &bench->record, "v=DKIM1; k=%s; p=%.*s", kind == KEY_RSA ? "rsa" : "ed25519", TEXT_FORMAT(encoded)));
	bench->keys = signing_keys_new(&key, 1, &(struct dkim_manner){ 0 });
	must(bench->keys != NULL);
}

/* The message with its signature before it. */
static void make_signed(struct bench *bench, struct arena *arena)
{
	struct message_signing *signing = message_signing_new(bench->keys, TEXT("example.org"), NOW_S);
	struct buffer fields;
	struct text domain;

	buffer_init(&fields, ROOM);
	must(signing != NULL);
	message_signing_add(signing, bench->message);
	must(message_signing_end(signing, &fields, &domain) == OK && buffer_append(&fields, bench->message));
	must(arena_copy(arena, buffer_text(&fields), &bench->signed_message));
	buffer_done(&fields);
	message_signing_free(signing);
}

static void run(const char *name, enum key_kind kind, size_t bytes, double seconds)
{
	struct arena *arena = arena_new(64 << 20);
	struct bench bench = { .seconds = seconds };

	must(arena != NULL);
	bench.message = make_message(bytes, arena);
	make_keys(&bench, kind, arena);
	make_signed(&bench, arena);

	const double sign = measure(&bench, sign_message), alone = measure(&bench, sign_hash);
	const double first = measure(&bench, verify_message), verify_alone = measure(&bench, verify_hash);

	bench.ring = key_ring_new();
	must(bench.ring != NULL);
	const double verify = measure(&bench, verify_message);

	printf("%s sign %.1f %.1f\n%s verify %.1f %.1f\n%s verify, new key %.1f %.1f\n", name, sign, alone, name, verify, verify_alone,
	    name, first, verify_alone);
	key_ring_free(bench.ring);
	signing_keys_unref(bench.keys);
	private_key_free(bench.private_key);
	public_key_free(bench.public_key);
	arena_free(arena);
}

int main(int argument_count, char **arguments)
{
	const size_t bytes = argument_count > 1 ? strtoul(arguments[1], NULL, 10) : 4096;
	const double seconds = argument_count > 2 ? strtod(arguments[2], NULL) : 2;

	const char *kind = argument_count > 3 ? arguments[3] : NULL;

	if (bytes < sizeof header || bytes > ROOM || seconds <= 0) {
		fprintf(stderr, "usage: auth_bench [BYTES [SECONDS [KIND]]], %zu to %d bytes\n", sizeof header, ROOM);
		return 64;
	}
	if (kind == NULL || strcmp(kind, "rsa") == 0)
		run("rsa", KEY_RSA, bytes, seconds);
	if (kind == NULL || strcmp(kind, "ed25519") == 0)
		run("ed25519", KEY_ED25519, bytes, seconds);
	return 0;
}
