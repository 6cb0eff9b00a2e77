/* Both ends in one process, with pipes of memory between them that cut as the test wishes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "tls/test_certificate.h"
#include "tls/tls.h"

enum { BIG = 1 << 22 };

struct side {
	struct stream_filter *filter;
	struct buffer plain, wire; /* What came out. */
	enum error error;
};

struct world {
	char folder[64];
	struct text certificates[4], keys[4];
	char paths[8][128];
	char authority[128];
	struct arena *arena;
	struct tls_server *server;
	struct tls_client *client;
	struct side ours, theirs;  /* The server's, the client's. */
	size_t piece;              /* Of the wire, 0: all at once. */
};

static void add(struct world *world, unsigned at, const char *name, const struct test_certificate *certificate)
{
	test_certificate_write(world->folder, name, "ca", certificate, world->paths[2 * at], world->paths[2 * at + 1]);
	world->certificates[at] = text_of(world->paths[2 * at]);
	world->keys[at] = text_of(world->paths[2 * at + 1]);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const struct tls_server_settings settings = { world->certificates, world->keys, 3, world->authority };
	struct text complaint = TEXT_EMPTY;
	char key[128];

	world->arena = arena_new(1 << 16);
	test_folder_make(world->folder);
	test_certificate_write(world->folder, "ca", NULL,
	    &(struct test_certificate){ .common = "Authority", .rsa = true }, world->authority, key);
	add(world, 0, "rsa", &(struct test_certificate){ "DNS:mx.test,DNS:*.wild.test,IP:127.0.0.1", "mx", true });
	add(world, 1, "ec", &(struct test_certificate){ "DNS:*.wild.test,DNS:MX.test,IP:127.0.0.1", "mx", false });
	add(world, 2, "other", &(struct test_certificate){ "DNS:other.test", "other", false });
	assert_int_equal(tls_server_new(&settings, world->arena, &world->server, &complaint), OK);
	assert_int_equal(tls_client_new(world->authority, world->arena, &world->client, &complaint), OK);
	*state = world;
	return 0;
}

static void side_done(struct side *side)
{
	if (side->filter != NULL)
		side->filter->calls->free(side->filter);
	buffer_done(&side->plain);
	buffer_done(&side->wire);
	*side = (struct side){ 0 };
}

static int teardown(void **state)
{
	struct world *world = *state;

	side_done(&world->ours);
	side_done(&world->theirs);
	tls_server_unref(world->server);
	tls_client_unref(world->client);
	test_folder_remove(world->folder);
	arena_free(world->arena);
	free(world);
	return 0;
}

static void side_init(struct side *side, struct stream_filter *filter)
{
	side_done(side);
	side->filter = filter;
	assert_non_null(filter);
	buffer_init(&side->plain, BIG);
	buffer_init(&side->wire, BIG);
	side->error = filter->calls->received(filter, TEXT_EMPTY, &side->plain, &side->wire);
}

static void give(struct side *to, struct text bytes)
{
	if (to->error == OK)
		to->error = to->filter->calls->received(to->filter, bytes, &to->plain, &to->wire);
}

/* Carry what is on the wire; true if there was anything. */
static bool carry(struct world *world, struct side *from, struct side *to)
{
	const struct text bytes = buffer_text(&from->wire);
	const size_t piece = world->piece > 0 ? world->piece : bytes.length;
	const bool any = bytes.length > 0;

	for (size_t at = 0; at < bytes.length; at += piece)
		give(to, text_part(bytes, at, piece));
	buffer_clear(&from->wire);
	return any;
}

static void pump(struct world *world)
{
	bool any = true;

	while (any) {
		any = carry(world, &world->theirs, &world->ours);
		any = carry(world, &world->ours, &world->theirs) || any;
	}
}

static void meet(struct world *world, const char *host, bool verified)
{
	const struct tls_expectation expectation = { .host = text_of(host), .verified = verified };

	side_init(&world->ours, tls_server_filter(world->server));
	side_init(&world->theirs, tls_client_filter(world->client, &expectation));
	pump(world);
}

static void say(struct side *side, struct text plain)
{
	assert_int_equal(side->filter->calls->send(side->filter, plain, &side->wire), OK);
}

static struct tls_facts facts_of(const struct side *side)
{
	struct tls_facts facts;

	assert_true(side->filter->ready);
	tls_filter_facts(side->filter, &facts);
	return facts;
}

/* -- Talking -------------------------------------------------------------------------- */

static void talk(struct world *world)
{
	static char much[100000];

	memset(much, 'x', sizeof much);
	say(&world->ours, TEXT("220 hello\r\n"));
	say(&world->theirs, TEXT("EHLO "));
	say(&world->theirs, TEXT("me\r\n"));
	pump(world);
	assert_true(text_equal(buffer_text(&world->theirs.plain), TEXT("220 hello\r\n")));
	assert_true(text_equal(buffer_text(&world->ours.plain), TEXT("EHLO me\r\n")));
	buffer_clear(&world->ours.plain);
	say(&world->theirs, (struct text){ much, sizeof much });
	pump(world);
	assert_int_equal(world->ours.plain.length, sizeof much);
	assert_memory_equal(buffer_text(&world->ours.plain).bytes, much, sizeof much);
}

static void any_cut_of_the_wire_makes_the_same(void **state)
{
	static const size_t pieces[] = { 0, 1, 2, 7, 1000 };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		world->piece = pieces[i];
		meet(world, "mx.test", true);
		assert_string_equal(facts_of(&world->ours).version, "TLSv1.3");
		assert_string_equal(facts_of(&world->theirs).cipher, facts_of(&world->ours).cipher);
		assert_true(facts_of(&world->theirs).verified);
		assert_false(facts_of(&world->ours).verified);
		talk(world);
	}
}

static void nothing_passes_before_it_is_ready(void **state)
{
	struct world *world = *state;
	const struct tls_expectation expectation = { .host = TEXT("mx.test"), .verified = true };

	side_init(&world->ours, tls_server_filter(world->server));
	side_init(&world->theirs, tls_client_filter(world->client, &expectation));
	assert_true(world->theirs.wire.length > 0 && world->ours.wire.length == 0);
	carry(world, &world->theirs, &world->ours);
	assert_false(world->ours.filter->ready);
	assert_int_equal(world->ours.plain.length, 0);
}

static void a_goodbye_is_heard(void **state)
{
	struct world *world = *state;

	meet(world, "mx.test", false);
	say(&world->theirs, TEXT("QUIT\r\n"));
	world->theirs.filter->calls->finish(world->theirs.filter, &world->theirs.wire);
	carry(world, &world->theirs, &world->ours);
	assert_int_equal(world->ours.error, ERR_CLOSED);
	assert_true(text_equal(buffer_text(&world->ours.plain), TEXT("QUIT\r\n")));
	say(&world->ours, TEXT("221\r\n")); /* The other direction is open still. */
	carry(world, &world->ours, &world->theirs);
	assert_true(text_equal(buffer_text(&world->theirs.plain), TEXT("221\r\n")));
}

/* -- Breaking ------------------------------------------------------------------------- */

static void clear_text_is_no_handshake(void **state)
{
	struct world *world = *state;

	side_init(&world->ours, tls_server_filter(world->server));
	give(&world->ours, TEXT("EHLO client.test\r\nMAIL FROM:<a@b.test>\r\n"));
	assert_int_equal(world->ours.error, ERR_TLS);
	assert_string_not_equal(tls_filter_trouble(world->ours.filter), "");
}

static void a_changed_bit_is_the_end(void **state)
{
	struct world *world = *state;

	meet(world, "mx.test", false);
	say(&world->theirs, TEXT("MAIL FROM:<a@b.test>\r\n"));
	world->theirs.wire.bytes[world->theirs.wire.start + 12] ^= 1;
	carry(world, &world->theirs, &world->ours);
	assert_int_equal(world->ours.error, ERR_TLS);
	assert_int_equal(world->ours.plain.length, 0);
}

static void half_a_record_says_nothing(void **state)
{
	struct world *world = *state;

	meet(world, "mx.test", false);
	say(&world->theirs, TEXT("NOOP\r\n"));
	give(&world->ours, text_part(buffer_text(&world->theirs.wire), 0, world->theirs.wire.length - 1));
	assert_int_equal(world->ours.error, OK);
	assert_int_equal(world->ours.plain.length, 0);
}

/* -- Old clients, made of OpenSSL itself ------------------------------------------------ */

struct bare {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
};

static void bare_open(struct bare *bare, int version_max)
{
	bare->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(bare->context, 0);
	SSL_CTX_set_min_proto_version(bare->context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(bare->context, version_max);
	bare->ssl = SSL_new(bare->context);
	bare->in = BIO_new(BIO_s_mem());
	bare->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(bare->in, -1);
	SSL_set_bio(bare->ssl, bare->in, bare->out);
	SSL_set_connect_state(bare->ssl);
}

static void bare_close(struct bare *bare)
{
	SSL_free(bare->ssl);
	SSL_CTX_free(bare->context);
}

/* Some turns of bare client and server; the client reads at each. */
static void bare_pump(struct bare *bare, struct side *server)
{
	static char room[65536];

	for (int turn = 0; turn < 6; turn++) {
		(void)!SSL_read(bare->ssl, room, sizeof room);
		const int length = BIO_read(bare->out, room, sizeof room);

		if (length > 0)
			give(server, (struct text){ room, (size_t)length });
		if (server->wire.length > 0)
			BIO_write(bare->in, buffer_text(&server->wire).bytes, (int)server->wire.length);
		buffer_clear(&server->wire);
	}
}

static void old_versions_are_refused(void **state)
{
	static const struct {
		int version;
		enum error expected;
	} cases[] = { { TLS1_VERSION, ERR_TLS }, { TLS1_1_VERSION, ERR_TLS }, { TLS1_2_VERSION, OK }, { TLS1_3_VERSION, OK } };
	struct world *world = *state;
	struct bare bare;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bare_open(&bare, cases[i].version);
		side_init(&world->ours, tls_server_filter(world->server));
		bare_pump(&bare, &world->ours);
		assert_int_equal(world->ours.error, cases[i].expected);
		assert_int_equal(world->ours.filter->ready, cases[i].expected == OK);
		bare_close(&bare);
	}
}

static void renegotiation_is_refused(void **state)
{
	struct world *world = *state;
	struct bare bare;

	bare_open(&bare, TLS1_2_VERSION);
	side_init(&world->ours, tls_server_filter(world->server));
	bare_pump(&bare, &world->ours);
	assert_true(world->ours.filter->ready);
	assert_int_equal(SSL_renegotiate(bare.ssl), 1);
	bare_pump(&bare, &world->ours);
	assert_int_equal(SSL_renegotiate_pending(bare.ssl), 1); /* It never came to its end. */
	bare_close(&bare);
}

static void sessions_are_taken_up_again(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct world *world = *state;
	struct bare first, second;

	for (size_t i = 0; i < 2; i++) {
		bare_open(&first, versions[i]);
		side_init(&world->ours, tls_server_filter(world->server));
		bare_pump(&first, &world->ours);
		bare_open(&second, versions[i]);
		assert_int_equal(SSL_set_session(second.ssl, SSL_get0_session(first.ssl)), 1);
		side_init(&world->ours, tls_server_filter(world->server));
		bare_pump(&second, &world->ours);
		assert_true(facts_of(&world->ours).resumed);
		bare_close(&first);
		bare_close(&second);
	}
}

/* -- Certificates ------------------------------------------------------------------------ */

static void a_client_believes_only_what_it_expects(void **state)
{
	static const struct {
		const char *host;
		bool verified, good;
	} cases[] = { { "mx.test", true, true }, { "MX.TEST.", true, true }, { "a.wild.test", true, true },
		{ "127.0.0.1", true, true }, { "127.0.0.2", true, false }, { "a.b.wild.test", true, false },
		{ "else.test", true, false }, { "else.test", false, true }, { "", false, true }, { "other.test", true, true } };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		meet(world, cases[i].host, cases[i].verified);
		assert_int_equal(world->theirs.error, cases[i].good ? OK : ERR_TLS);
		assert_int_equal(world->ours.error, cases[i].good ? OK : ERR_TLS);
		if (!cases[i].good)
			assert_non_null(strstr(tls_filter_trouble(world->theirs.filter), "mismatch"));
	}
	side_init(&world->ours, tls_server_filter(world->server));
	assert_null(tls_client_filter(world->client, &(struct tls_expectation){ .host = TEXT(""), .verified = true }));
	assert_null(tls_client_filter(world->client, &(struct tls_expectation){ .host = TEXT("a\0b"), .verified = true }));
}

static void a_stranger_is_not_believed(void **state)
{
	struct world *world = *state;
	struct tls_client *system = NULL;
	struct text complaint;

	assert_int_equal(tls_client_new("", world->arena, &system, &complaint), OK);
	tls_client_unref(world->client);
	world->client = system;
	meet(world, "mx.test", true);
	assert_int_equal(world->theirs.error, ERR_TLS);
	assert_non_null(strstr(tls_filter_trouble(world->theirs.filter), "certificate"));
	meet(world, "mx.test", false);
	assert_int_equal(world->theirs.error, OK);
	assert_false(facts_of(&world->theirs).verified);
}

/* What is judged decides nothing, but what is wrong with it is known; also of one that was refused. */
static void a_fault_has_a_name(void **state)
{
	static const struct {
		const char *host;
		bool stranger;
		enum tls_fault fault;
	} cases[] = { { "mx.test", false, TLS_SOUND }, { "else.test", false, TLS_OTHER_HOST }, { "127.0.0.2", false, TLS_OTHER_HOST },
		{ "mx.test", true, TLS_UNTRUSTED } };
	struct world *world = *state;
	struct tls_client *trusting = tls_client_ref(world->client), *system = NULL;
	struct text complaint;
	const char *words;

	assert_int_equal(tls_client_new("", world->arena, &system, &complaint), OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (unsigned verified = 0; verified < 2; verified++) {
			const struct tls_expectation expectation = { .host = text_of(cases[i].host), .verified = verified, .judged = true };

			tls_client_unref(world->client);
			world->client = tls_client_ref(cases[i].stranger ? system : trusting);
			side_init(&world->ours, tls_server_filter(world->server));
			side_init(&world->theirs, tls_client_filter(world->client, &expectation));
			pump(world);
			assert_int_equal(world->theirs.error, verified && cases[i].fault != TLS_SOUND ? ERR_TLS : OK);
			assert_int_equal(tls_filter_fault(world->theirs.filter, &words), cases[i].fault);
			assert_int_equal(words[0] == '\0', cases[i].fault == TLS_SOUND);
		}
	}
	tls_client_unref(trusting);
	tls_client_unref(system);
}

static void each_kind_of_key_has_its_certificate(void **state)
{
	static const struct {
		const char *signatures, *host;
		int kind;
	} cases[] = { { "RSA-PSS+SHA256", "mx.test", EVP_PKEY_RSA }, { "ECDSA+SHA256", "mx.test", EVP_PKEY_EC },
		{ "ECDSA+SHA256", "other.test", EVP_PKEY_EC }, { "RSA-PSS+SHA256", "nobody.test", EVP_PKEY_RSA } };
	struct world *world = *state;
	struct bare bare;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bare_open(&bare, TLS1_3_VERSION);
		SSL_set1_sigalgs_list(bare.ssl, cases[i].signatures);
		SSL_set_tlsext_host_name(bare.ssl, cases[i].host);
		side_init(&world->ours, tls_server_filter(world->server));
		bare_pump(&bare, &world->ours);
		assert_true(world->ours.filter->ready);
		X509 *certificate = SSL_get0_peer_certificate(bare.ssl);

		assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)), cases[i].kind);
		bare_close(&bare);
	}
}

static void clients_may_say_who_they_are(void **state)
{
	static const struct {
		const char *name, *issuer, *expected;
		struct test_certificate certificate;
	} cases[] = {
		{ "client", "ca", "alice@here.test", { "email:alice@here.test", "Alice", false } },
		{ "client", "ca", "machine.test", { "DNS:machine.test", "machine.test", false } },
		{ "stranger", NULL, "", { NULL, "Mallory", false } },
	};
	struct world *world = *state;
	char certificate[128], key[128];
	struct bare bare;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		test_certificate_write(world->folder, cases[i].name, cases[i].issuer, &cases[i].certificate, certificate, key);
		bare_open(&bare, TLS1_3_VERSION);
		assert_int_equal(SSL_use_certificate_file(bare.ssl, certificate, SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_use_PrivateKey_file(bare.ssl, key, SSL_FILETYPE_PEM), 1);
		side_init(&world->ours, tls_server_filter(world->server));
		bare_pump(&bare, &world->ours);
		assert_string_equal(facts_of(&world->ours).name, cases[i].expected);
		bare_close(&bare);
	}
}

static void bad_files_are_named(void **state)
{
	struct world *world = *state;
	struct text complaint = TEXT_EMPTY;
	struct tls_server *server = NULL;
	struct tls_server_settings settings = { world->certificates, world->certificates, 1, "" };

	assert_int_equal(tls_server_new(&settings, world->arena, &server, &complaint), ERR_SYNTAX);
	assert_non_null(strstr(complaint.bytes, "rsa.pem"));
	settings.keys = &world->keys[1];
	assert_int_equal(tls_server_new(&settings, world->arena, &server, &complaint), ERR_SYNTAX);
	assert_non_null(strstr(complaint.bytes, "ec.key"));
	settings.certificates = &(struct text){ "/nowhere", 8 };
	assert_int_equal(tls_server_new(&settings, world->arena, &server, &complaint), ERR_SYNTAX);
	assert_non_null(strstr(complaint.bytes, "/nowhere: "));
	settings = (struct tls_server_settings){ world->certificates, world->keys, 1, world->paths[1] };
	assert_int_equal(tls_server_new(&settings, world->arena, &server, &complaint), ERR_SYNTAX);
	assert_non_null(strstr(complaint.bytes, "rsa.key"));
	struct tls_client *client = NULL;

	assert_int_equal(tls_client_new(world->paths[1], world->arena, &client, &complaint), ERR_SYNTAX);
	assert_null(server);
	assert_null(client);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(any_cut_of_the_wire_makes_the_same),
		WITH_WORLD(nothing_passes_before_it_is_ready),
		WITH_WORLD(a_goodbye_is_heard),
		WITH_WORLD(clear_text_is_no_handshake),
		WITH_WORLD(a_changed_bit_is_the_end),
		WITH_WORLD(half_a_record_says_nothing),
		WITH_WORLD(old_versions_are_refused),
		WITH_WORLD(renegotiation_is_refused),
		WITH_WORLD(sessions_are_taken_up_again),
		WITH_WORLD(a_client_believes_only_what_it_expects),
		WITH_WORLD(a_stranger_is_not_believed),
		WITH_WORLD(a_fault_has_a_name),
		WITH_WORLD(each_kind_of_key_has_its_certificate),
		WITH_WORLD(clients_may_say_who_they_are),
		WITH_WORLD(bad_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
