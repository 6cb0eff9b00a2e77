/* Whom a client believes by TLSA records (RFC 7672 §3.1, §3.2): both ends in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/must.h"
#include "tls/test_certificate.h"
#include "tls/tls.h"

enum { WIRE_MAX = 1 << 20, RECORD_MAX = 2048 };

/* What the server shows. LEAF is signed by CA and for mx.test; OTHER is signed by itself, too old and for nobody. */
enum served { LEAF_AND_CA, LEAF, OTHER, SERVED_COUNT };

struct world {
	char folder[64];
	X509 *ca, *leaf, *other;
	struct arena *arena;
	struct tls_server *servers[SERVED_COUNT];
	struct tls_client *stranger, *believer; /* Who believes the system's authorities, and who believes CA. */
};

static X509 *read_certificate(const char *path)
{
	FILE *file = fopen(path, "r");

	must(file != NULL);
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

	fclose(file);
	must(certificate != NULL);
	return certificate;
}

static void append(const char *path, X509 *certificate)
{
	FILE *file = fopen(path, "a");

	must(file != NULL && PEM_write_X509(file, certificate) == 1);
	fclose(file);
}

static void make_old(const char *path, const char *key_path, X509 *certificate)
{
	FILE *file = fopen(key_path, "r");

	must(file != NULL);
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

	fclose(file);
	X509_gmtime_adj(X509_getm_notAfter(certificate), -3600);
	must(key != NULL && X509_sign(certificate, key, EVP_sha256()) > 0);
	EVP_PKEY_free(key);
	must(remove(path) == 0);
	append(path, certificate);
}

static struct tls_server *server_of(struct world *world, const char *certificate, const char *key)
{
	const struct text certificates[1] = { text_of(certificate) }, keys[1] = { text_of(key) };
	const struct tls_server_settings settings = { certificates, keys, 1, "" };
	struct tls_server *server = NULL;
	struct text complaint;

	assert_int_equal(tls_server_new(&settings, world->arena, &server, &complaint), OK);
	return server;
}

static int set_up(void **state)
{
	static struct world world;
	char path[128], key[128], ca_path[128];
	struct text complaint;

	world.arena = arena_new(1 << 16);
	test_folder_make(world.folder);
	test_certificate_write(
	    world.folder, "ca", NULL, &(struct test_certificate){ .common = "Authority", .rsa = true }, ca_path, key);
	world.ca = read_certificate(ca_path);
	test_certificate_write(
	    world.folder, "other", NULL, &(struct test_certificate){ .names = "DNS:nobody.test", .common = "x" }, path, key);
	world.other = read_certificate(path);
	make_old(path, key, world.other);
	world.servers[OTHER] = server_of(&world, path, key);
	test_certificate_write(
	    world.folder, "ec", "ca", &(struct test_certificate){ .names = "DNS:mx.test", .common = "mx" }, path, key);
	world.leaf = read_certificate(path);
	world.servers[LEAF] = server_of(&world, path, key);
	append(path, world.ca);
	world.servers[LEAF_AND_CA] = server_of(&world, path, key);
	assert_int_equal(tls_client_new("", world.arena, &world.stranger, &complaint), OK);
	assert_int_equal(tls_client_new(ca_path, world.arena, &world.believer, &complaint), OK);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	for (unsigned i = 0; i < SERVED_COUNT; i++)
		tls_server_unref(world->servers[i]);
	tls_client_unref(world->stranger);
	tls_client_unref(world->believer);
	X509_free(world->ca);
	X509_free(world->leaf);
	X509_free(world->other);
	test_folder_remove(world->folder);
	arena_free(world->arena);
	return 0;
}

/* -- Records ------------------------------------------------------------------------ */

/* "311 leaf": usage, selector, matching type, and of which certificate. */
static struct text record_of(const struct world *world, const char *words, char room[RECORD_MAX])
{
	X509 *certificate = words[4] == 'c' ? world->ca : words[4] == 'l' ? world->leaf : world->other;
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	const int der_length =
	    words[1] == '0' ? i2d_X509(certificate, &der) : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	assert_true(der_length > 0 && der_length < RECORD_MAX - 3);
	for (unsigned i = 0; i < 3; i++)
		room[i] = (char)(words[i] - '0');
	if (words[2] == '0') {
		memcpy(room + 3, der, (size_t)der_length);
		length = (unsigned)der_length;
	} else {
		assert_int_equal(EVP_Digest(der, (size_t)der_length, digest, &length,
		                     words[2] == '1' ? EVP_sha256() : EVP_sha512(), NULL), 1);
		memcpy(room + 3, digest, length);
	}
	OPENSSL_free(der);
	return (struct text){ room, 3 + length };
}

/* -- Meeting -------------------------------------------------------------------------- */

struct side {
	struct stream_filter *filter;
	struct buffer plain, wire;
	enum error error;
};

static void side_init(struct side *side, struct stream_filter *filter)
{
	side->filter = filter;
	buffer_init(&side->plain, WIRE_MAX);
	buffer_init(&side->wire, WIRE_MAX);
	side->error = filter->calls->received(filter, TEXT_EMPTY, &side->plain, &side->wire);
}

static void side_done(struct side *side)
{
	side->filter->calls->free(side->filter);
	buffer_done(&side->plain);
	buffer_done(&side->wire);
}

static bool carry(struct side *from, struct side *to)
{
	const struct text bytes = buffer_text(&from->wire);

	if (bytes.length == 0)
		return false;
	if (to->error == OK)
		to->error = to->filter->calls->received(to->filter, bytes, &to->plain, &to->wire);
	buffer_clear(&from->wire);
	return true;
}

/* "" when the client believes; else why not. */
static void meet(struct tls_server *server, struct tls_client *client, const struct tls_expectation *expectation, char trouble[TLS_TROUBLE_MAX])
{
	struct side ours, theirs;
	struct tls_facts facts;

	side_init(&ours, tls_server_filter(server));
	side_init(&theirs, tls_client_filter(client, expectation));
	while (carry(&theirs, &ours) || carry(&ours, &theirs))
		;
	snprintf(trouble, TLS_TROUBLE_MAX, "%s", tls_filter_trouble(theirs.filter));
	assert_int_equal(theirs.error, trouble[0] == '\0' ? OK : ERR_TLS);
	if (theirs.error == OK) {
		tls_filter_facts(theirs.filter, &facts);
		assert_true(facts.verified && facts.dane);
	} else {
		assert_int_equal(ours.error, ERR_TLS);
	}
	side_done(&ours);
	side_done(&theirs);
}

static void whom_a_client_believes(void **state)
{
	static const struct {
		enum served served;
		const char *records, *host, *domain, *trouble; /* NULL: it is believed. */
	} rows[] = {
		/* DANE-EE: the certificate or its key, in any form, whatever its names, its age and who signed it. */
		{ LEAF_AND_CA, "311 leaf", "mx.test", "", NULL },
		{ LEAF, "301 leaf", "mx.test", "", NULL },
		{ LEAF, "312 leaf", "mx.test", "", NULL },
		{ LEAF, "302 leaf", "mx.test", "", NULL },
		{ LEAF, "310 leaf", "mx.test", "", NULL },
		{ LEAF, "300 leaf", "mx.test", "", NULL },
		{ LEAF, "311 leaf", "else.test", "else.test", NULL },
		{ OTHER, "311 other", "mx.test", "next.test", NULL },
		/* Another's. */
		{ OTHER, "311 leaf", "mx.test", "", "No matching DANE TLSA records" },
		{ LEAF_AND_CA, "311 ca", "mx.test", "", "No matching DANE TLSA records" },
		/* DANE-TA: of this authority and for one of the names. */
		{ LEAF_AND_CA, "201 ca", "mx.test", "", NULL },
		{ LEAF_AND_CA, "211 ca", "MX.test.", "", NULL },
		{ LEAF_AND_CA, "212 ca", "else.test", "mx.test", NULL },
		{ LEAF_AND_CA, "200 ca", "mx.test", "next.test", NULL },
		{ LEAF_AND_CA, "201 ca", "else.test", "next.test", "hostname mismatch" },
		{ LEAF_AND_CA, "201 ca", "else.test", "", "hostname mismatch" },
		{ OTHER, "201 other", "mx.test", "", "" },
		/* The authority is in the handshake or in the DNS, or it is not known. */
		{ LEAF, "200 ca", "mx.test", "", NULL },
		{ LEAF, "201 ca", "mx.test", "", "" },
		/* One of several will do. */
		{ LEAF, "311 other,311 leaf", "mx.test", "", NULL },
		{ LEAF, "201 other,301 leaf", "mx.test", "", NULL },
		/* Of two digests of one kind the stronger counts (RFC 7671 §9). */
		{ LEAF, "311 leaf,312 other", "mx.test", "", "No matching DANE TLSA records" },
	};
	const struct world *world = *state;
	static char room[4][RECORD_MAX];
	char trouble[TLS_TROUBLE_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct text records[4], rest = text_of(rows[i].records), word;
		size_t count = 0;

		for (; text_cut(&rest, ',', &word); count++)
			records[count] = record_of(world, word.bytes, room[count]);
		const struct tls_expectation expectation = { .host = text_of(rows[i].host), .verified = true, .tlsa = records,
			.tlsa_count = count, .domain = text_of(rows[i].domain) };

		for (unsigned who = 0; who < 2; who++) { /* Who believes CA believes nobody more. */
			meet(world->servers[rows[i].served], who == 0 ? world->stranger : world->believer, &expectation, trouble);
			if ((rows[i].trouble == NULL) != (trouble[0] == '\0') ||
			    (rows[i].trouble != NULL && strcasestr(trouble, rows[i].trouble) == NULL))
				fail_msg("row %zu, %s: \"%s\"", i, rows[i].records, trouble);
		}
	}
}

/* Records of which none can match make no connection, rather than one without DANE. */
static void nothing_to_believe(void **state)
{
	static const struct text broken[] = { TEXT("\3\0\0\x30\2xy"), TEXT("\2\1\0\x30\2xy") };
	const struct world *world = *state;
	char room[RECORD_MAX], trouble[TLS_TROUBLE_MAX];
	struct text records[2] = { broken[0], record_of(world, "311 leaf", room) };

	assert_null(tls_client_filter(world->believer,
	    &(struct tls_expectation){ .host = TEXT("mx.test"), .verified = true, .tlsa = broken, .tlsa_count = 2 }));
	assert_null(tls_client_filter(world->believer,
	    &(struct tls_expectation){ .verified = true, .tlsa = records, .tlsa_count = 2 }));
	meet(world->servers[LEAF], world->believer,
	    &(struct tls_expectation){ .host = TEXT("mx.test"), .verified = true, .tlsa = records, .tlsa_count = 2 }, trouble);
	assert_string_equal(trouble, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whom_a_client_believes),
		cmocka_unit_test(nothing_to_believe),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
