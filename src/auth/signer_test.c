#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/dkim.h"
#include "auth/key_record.h"
#include "auth/message_signing.h"
#include "auth/signer.h"
#include "auth/test_facts.h"

static const char seed[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
static const char body[] = "A line.\r\n";

static struct signing_key make(const char *domain, const char *selector, int64_t from_s, int64_t until_s)
{
	struct signing_key key = {
		.domain = text_of(domain), .selector = text_of(selector), .from_s = from_s, .until_s = until_s
	};

	assert_int_equal(private_key_read(text_of(seed), &key.key), OK);
	return key;
}

static struct signing_keys *world(void)
{
	const struct signing_key keys[] = { make("example.org", "old", 100, 200), make("example.net", "n", 0, INT64_MAX),
		make("example.org", "new", 200, INT64_MAX), make("deep.example.org", "d", 150, 180),
		make("example.org", "other", 150, INT64_MAX) };

	const struct dkim_manner manner = { .lifetime_s = 0 };

	return signing_keys_new(keys, sizeof keys / sizeof keys[0], &manner);
}

static void who_signs_follows_domain_and_time(void **state)
{
	static const struct {
		const char *domain;
		int64_t now_s;
		const char *selectors; /* With a blank behind each. */
	} rows[] = {
		{ "example.org", 99, "" },
		{ "example.org", 100, "old " },
		{ "example.org", 199, "old other " },
		{ "example.org", 200, "new other " },
		{ "news.example.org", 200, "new other " },
		{ "deep.example.org", 149, "old " },
		{ "deep.example.org", 150, "d " },
		{ "a.deep.example.org", 160, "d " },
		{ "deep.example.org", 180, "old other " },
		{ "example.net", 1, "n " },
		{ "anexample.net", 1, "" },
		{ "org", 150, "" },
		{ "", 150, "" },
	};
	struct signing_keys *keys = world();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dkim_signing found[DKIM_KEYS_MAX];
		const size_t count = signing_keys_find(keys, text_of(rows[i].domain), rows[i].now_s, found);
		struct text rest = text_of(rows[i].selectors);

		print_message("%s at %lld\n", rows[i].domain, (long long)rows[i].now_s);
		for (size_t k = 0; k < count; k++) {
			/* Their order says nothing. */
			assert_true(text_find(rest, found[k].selector) < rest.length);
		}
		size_t wanted = 0;

		for (size_t k = 0; k < rest.length; k++)
			wanted += rest.bytes[k] == ' ';
		assert_int_equal(count, wanted);
	}
	signing_keys_unref(keys);
}

/* The signed header, or an empty text; *out_error as signer_new has it. */
static struct text sign(struct arena *arena, const char *header, const char *sender, const struct dkim_manner *manner,
    enum error *out_error)
{
	struct signing_keys *keys = world();
	struct body_hashes *hashes = body_hashes_new();
	struct header_index index;
	struct signer *signer = NULL;
	struct text done = TEXT_EMPTY;
	struct buffer out;

	buffer_init(&out, 1 << 16);
	assert_int_equal(header_index_make(text_of(header), arena, &index), OK);
	*out_error = signer_new(keys, &index, text_of(sender), manner, hashes, arena, &signer);
	signing_keys_unref(keys); /* The signer has its own share. */
	if (*out_error == OK) {
		body_hashes_add(hashes, text_of(body));
		body_hashes_end(hashes);
		assert_int_equal(signer_sign(signer, &out), OK);
		assert_true(buffer_append(&out, text_of(header)));
		assert_true(arena_copy(arena, buffer_text(&out), &done));
	}
	signer_done(signer);
	body_hashes_free(hashes);
	buffer_done(&out);
	return done;
}

static void the_author_comes_before_the_sender(void **state)
{
	static const struct {
		const char *header, *sender;
		enum error error;
		const char *domain;
		size_t count;
	} rows[] = {
		{ "From: a@example.org\r\n\r\n", "example.net", OK, "d=example.org; s=new", 2 },
		{ "From: a@News.Example.ORG\r\n\r\n", "", OK, "d=example.org; s=new", 2 },
		{ "From: a@elsewhere.test\r\n\r\n", "EXAMPLE.net", OK, "d=example.net; s=n", 1 },
		{ "From: a@elsewhere.test, b@example.org\r\n\r\n", "example.net", OK, "d=example.net; s=n", 1 },
		{ "From: a@elsewhere.test\r\n\r\n", "elsewhere.test", ERR_NOT_FOUND, "", 0 },
		{ "From: a@elsewhere.test\r\n\r\n", "", ERR_NOT_FOUND, "", 0 },
		{ "From: a@elsewhere.test\r\n\r\n", "[127.0.0.1]", ERR_NOT_FOUND, "", 0 },
		{ "Subject: x\r\n\r\n", "example.org", ERR_SYNTAX, "", 0 },
		{ "From: a@example.org\r\nFrom: b@example.org\r\n\r\n", "example.org", ERR_SYNTAX, "", 0 },
	};
	const struct dkim_manner manner = { .now_s = 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 20);
		enum error error;
		struct text done = sign(arena, rows[i].header, rows[i].sender, &manner, &error);
		size_t count = 0;

		print_message("row %zu\n", i);
		assert_int_equal(error, rows[i].error);
		assert_true(text_find(done, text_of(rows[i].domain)) < done.length || done.length == 0);
		for (size_t at; (at = text_find(done, TEXT("DKIM-Signature:"))) < done.length; count++)
			done = text_from(done, at + 1);
		assert_int_equal(count, rows[i].count);
		arena_free(arena);
	}
}

static const char *verify(struct arena *arena, struct text header, int64_t now_s)
{
	static const struct fact facts_[] = { { QUESTION_TXT, "n._domainkey.example.net",
	    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" } };
	struct facts facts = FACTS(facts_);
	struct body_hashes *hashes = body_hashes_new();
	struct header_index index;
	size_t count;

	assert_int_equal(header_index_make(header, arena, &index), OK);
	struct dkim *dkim = dkim_new(&index, hashes, now_s, arena);

	facts_satisfy(&facts, dkim, dkim);
	body_hashes_add(hashes, text_of(body));
	body_hashes_end(hashes);
	const struct dkim_finding *findings = dkim_judge(dkim, NULL, &count);

	assert_int_equal(count, 1);
	body_hashes_free(hashes);
	return auth_result_word(findings[0].result);
}

static struct text put_before(struct arena *arena, const char *field, struct text header)
{
	struct text out;

	assert_true(arena_print(arena, &out, "%s\r\n%.*s", field, TEXT_FORMAT(header)));
	return out;
}

static void what_is_oversigned_cannot_be_added(void **state)
{
	static const struct text names[] = { { "subject", 7 }, { "X-Own", 5 }, { "x-own", 5 }, { "From", 4 } };
	const struct dkim_manner manner = {
		.now_s = 1000, .lifetime_s = 500, .oversigned = names, .oversigned_count = 4
	};
	struct arena *arena = arena_new(1 << 20);
	enum error error;
	const struct text done = sign(arena, "From: a@example.net\r\nTo: b@example.com\r\n\r\n", "", &manner, &error);

	(void)state;
	assert_int_equal(error, OK);
	assert_true(text_find(done, TEXT("h=From:From:Subject:To:X-Own;")) < done.length);
	assert_string_equal(verify(arena, done, 1499), "pass");
	assert_string_equal(verify(arena, done, 1501), "permerror");
	assert_string_equal(verify(arena, put_before(arena, "Subject: evil", done), 1001), "fail");
	assert_string_equal(verify(arena, put_before(arena, "X-Own: evil", done), 1001), "fail");
	assert_string_equal(verify(arena, put_before(arena, "From: evil@example.com", done), 1001), "fail");
	assert_string_equal(verify(arena, put_before(arena, "Cc: c@example.com", done), 1001), "pass");
	arena_free(arena);
}

/* What a message that comes in pieces of that size is signed with. */
static enum error sign_in_pieces(struct arena *arena, const char *message, size_t size, struct text *out_signed)
{
	struct signing_keys *keys = world();
	struct message_signing *signing = message_signing_new(keys, TEXT("example.net"), 1000);
	const struct text whole = text_of(message);
	struct text domain = TEXT_EMPTY;
	struct buffer out;

	buffer_init(&out, 1 << 16);
	signing_keys_unref(keys);
	for (size_t at = 0; at < whole.length; at += size)
		message_signing_add(signing, text_part(whole, at, size));
	const enum error error = message_signing_end(signing, &out, &domain);

	assert_int_equal(error == OK, out.length > 0);
	assert_true(error != OK || text_equal(domain, TEXT("example.net")));
	assert_true(buffer_append(&out, whole) && arena_copy(arena, buffer_text(&out), out_signed));
	buffer_done(&out);
	message_signing_free(signing);
	return error;
}

static void pieces_do_not_matter(void **state)
{
	static const struct {
		const char *message;
		enum error error;
	} rows[] = {
		{ "From: a@elsewhere.test\r\nSubject: x\r\n\r\nA line.\r\n", OK },
		{ "From: a@elsewhere.test\r\nSubject: x\r\n", OK },
		{ "From: a@elsewhere.test\r\n\r\n\r\n\r\n", OK },
		{ "\r\nFrom: a@example.net\r\n\r\n", ERR_SYNTAX },
		{ "", ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 20);
		struct text whole, pieces;

		assert_int_equal(sign_in_pieces(arena, rows[i].message, 1000, &whole), rows[i].error);
		for (size_t size = 1; size < 8; size++) {
			assert_int_equal(sign_in_pieces(arena, rows[i].message, size, &pieces), rows[i].error);
			assert_true(text_equal(whole, pieces));
		}
		if (i == 0)
			assert_string_equal(verify(arena, whole, 1001), "pass");
		arena_free(arena);
	}
}

static void a_record_is_looked_for_by_its_key(void **state)
{
	static const struct {
		const char *data;
		enum key_published published;
	} rows[] = {
		{ "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", KEY_PUBLISHED },
		{ "k=ed25519; t=s; p=11qYAYKxCrfVS/7TyWQ HOg7hcvPapiMlrwIaaPcHURo=", KEY_PUBLISHED },
		{ "v=DKIM1; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", KEY_DIFFERS },
		{ "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", KEY_DIFFERS },
		{ "v=DKIM1; k=ed25519; p=", KEY_DIFFERS },
		{ "nonsense", KEY_DIFFERS },
		{ NULL, KEY_UNKNOWN },
	};
	struct arena *arena = arena_new(1 << 20);
	struct private_key *key;
	struct text record;

	(void)state;
	assert_int_equal(private_key_read(text_of(seed), &key), OK);
	assert_true(key_record_print(key, arena, &record));
	assert_true(text_equal(record, text_of(rows[0].data)));
	for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
		const bool absent = i == sizeof rows / sizeof rows[0];
		const struct fact fact[] = { { QUESTION_TXT, absent ? "elsewhere.test" : "s._domainkey.example.org",
		    absent ? "x" : rows[i].data } };
		struct facts facts = FACTS(fact);
		struct key_check check = { .name = TEXT("s._domainkey.example.org"), .record = record };

		facts_satisfy(&facts, key_check, &check);
		assert_int_equal(check.published, absent ? KEY_ABSENT : rows[i].published);
	}
	private_key_free(key);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_signs_follows_domain_and_time),
		cmocka_unit_test(the_author_comes_before_the_sender), cmocka_unit_test(what_is_oversigned_cannot_be_added), cmocka_unit_test(pieces_do_not_matter),
		cmocka_unit_test(a_record_is_looked_for_by_its_key) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
