#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/dkim.h"
#include "auth/dkim_sign.h"
#include "auth/test_facts.h"

/* RFC 8032 §7.1, test 1. */
static const char seed[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
#define PUBLIC_KEY "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static const struct fact world[] = {
	{ QUESTION_TXT, "s._domainkey.example.org", "v=DKIM1; k=ed25519; p=" PUBLIC_KEY },
	{ QUESTION_TXT, "split._domainkey.example.org",
	    "k=ed25519; h=sha1:sha256; s=tlsrpt:email; t=y; p=11qYAYKxCrfVS/7TyWQ HOg7hcvPapiMlrwIaaPcHURo" },
	{ QUESTION_TXT, "revoked._domainkey.example.org", "v=DKIM1; k=ed25519; p=" },
	{ QUESTION_TXT, "other._domainkey.example.org",
	    "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
	{ QUESTION_TXT, "rsa._domainkey.example.org", "v=DKIM1; p=" PUBLIC_KEY },
	{ QUESTION_TXT, "sha1._domainkey.example.org", "v=DKIM1; k=ed25519; h=sha1; p=" PUBLIC_KEY },
	{ QUESTION_TXT, "tls._domainkey.example.org", "v=DKIM1; k=ed25519; s=tlsrpt; p=" PUBLIC_KEY },
	{ QUESTION_TXT, "v._domainkey.example.org", "k=ed25519; v=DKIM1; p=" PUBLIC_KEY },
	{ QUESTION_TXT, "junk._domainkey.example.org", "just a text" },
	{ QUESTION_TXT, "late._domainkey.example.org", NULL },
	{ QUESTION_TXT, "two._domainkey.example.org", "v=DKIM1; p=AAAA" },
	{ QUESTION_TXT, "two._domainkey.example.org", "v=DKIM1; k=ed25519; p=" PUBLIC_KEY },
};

static const char letter[] = "From: A <a@example.org>\r\n"
			     "Subject: one\r\n two\r\n"
			     "Received: from elsewhere\r\n"
			     "To : b@example.net\r\n"
			     "\r\n";
static const char body[] = "A line.  \r\n\r\nAnother.\r\n\r\n";

/* The letter's header with a signature before it, in the arena. */
static struct text sign(struct arena *arena, const char *selector)
{
	const struct dkim_manner manner = { .now_s = 1000 };
	struct header_index index;
	struct dkim_signer *signer;
	struct body_hashes *hashes = body_hashes_new();
	struct private_key *key;
	struct buffer out;
	struct text signed_header;

	buffer_init(&out, 1 << 16);
	assert_int_equal(private_key_read(text_of(seed), &key), OK);
	assert_int_equal(header_index_make(text_of(letter), arena, &index), OK);
	assert_int_equal(dkim_signer_new(&index, hashes, &manner, arena, &signer), OK);
	body_hashes_add(hashes, text_of(body));
	body_hashes_end(hashes);
	const struct dkim_signing signing = { key, TEXT("example.org"), text_of(selector) };

	assert_int_equal(dkim_signer_sign(signer, &signing, &out), OK);
	assert_true(buffer_append(&out, text_of(letter)));
	assert_true(arena_copy(arena, buffer_text(&out), &signed_header));
	buffer_done(&out);
	body_hashes_free(hashes);
	private_key_free(key);
	return signed_header;
}

/* The word for the one signature of a message. */
static const char *verify(struct arena *arena, struct text header, const char *text, int64_t now_s)
{
	struct header_index index;
	struct body_hashes *hashes = body_hashes_new();
	struct facts facts = FACTS(world);
	size_t count;

	assert_int_equal(header_index_make(header, arena, &index), OK);
	struct dkim *dkim = dkim_new(&index, hashes, now_s, arena);

	/* Keys may come before the body does. */
	facts_satisfy(&facts, dkim, dkim);
	body_hashes_add(hashes, text_of(text));
	body_hashes_end(hashes);
	const struct dkim_finding *findings = dkim_judge(dkim, NULL, &count);

	assert_int_equal(count, 1);
	body_hashes_free(hashes);
	return auth_result_word(findings[0].result);
}

/* `text` with the first `from` replaced. */
static struct text replaced(struct arena *arena, struct text text, const char *from, const char *to)
{
	const size_t at = text_find(text, text_of(from));
	struct text out;

	assert_true(at < text.length);
	assert_true(arena_print(arena, &out, "%.*s%s%.*s", TEXT_FORMAT(text_part(text, 0, at)), to,
	    TEXT_FORMAT(text_from(text, at + strlen(from)))));
	return out;
}

static void keys(void **state)
{
	static const char *const rows[][2] = { { "s", "pass" }, { "split", "pass" }, { "two", "pass" },
		{ "revoked", "permerror" }, { "other", "fail" }, { "rsa", "permerror" },
		{ "sha1", "permerror" }, { "tls", "permerror" }, { "v", "permerror" },
		{ "junk", "permerror" }, { "late", "temperror" }, { "absent", "permerror" } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 20);

		print_message("%s\n", rows[i][0]);
		assert_string_equal(verify(arena, sign(arena, rows[i][0]), body, 2000), rows[i][1]);
		arena_free(arena);
	}
}

static void changes(void **state)
{
	static const char *const rows[][3] = {
		/* What may change on the way. */
		{ "Subject: one\r\n two", "SUBJECT:\tone \r\n\ttwo", "pass" },
		{ "Received: from elsewhere", "Received: from here", "pass" },
		{ "Received:", "Reply-Too: x\r\nReceived:", "pass" },
		/* What may not. */
		{ "Subject: one", "Subject: won", "fail" },
		{ "From: A", "From: B", "fail" },
		{ "From: A", "From: Evil <e@example.com>\r\nFrom: A", "fail" },
		{ "d=example.org", "d=example.com", "permerror" },
		{ "t=1000", "t=1001", "fail" },
		{ "bh=", "bh=A", "permerror" },
		/* What makes a signature none. */
		{ "v=1", "v=2", "permerror" },
		{ "v=1; ", "", "permerror" },
		{ "a=ed25519-sha256", "a=rsa-sha1", "permerror" },
		{ "a=ed25519-sha256", "a=dsa", "permerror" },
		{ "c=relaxed/relaxed", "c=relaxed/loose", "permerror" },
		{ "h=From:", "h=", "fail" },
		{ "h=From:From:", "h=", "permerror" },
		{ "t=1000;", "t=1000; x=1500;", "permerror" },
		{ "t=1000;", "t=1000; x=900;", "permerror" },
		{ "t=1000;", "t=1000; x=99999999999999999999999;", "fail" },
		{ "t=1000;", "t=-1;", "permerror" },
		{ "t=1000;", "t=1000; l=x;", "permerror" },
		{ "t=1000;", "t=1000; l=99999;", "permerror" },
		{ "t=1000;", "t=1000; i=@example.com;", "permerror" },
		{ "t=1000;", "t=1000; i=a=40b@sub.example.org;", "fail" },
		{ "t=1000;", "t=1000; q=dns/special;", "permerror" },
		{ "t=1000;", "t=1000; t=1000;", "permerror" },
		{ "t=1000;", "t=1000; unknown=yes;", "fail" },
		{ "s=s", "s=", "permerror" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena *arena = arena_new(1 << 20);

		print_message("%s -> %s\n", rows[i][0], rows[i][1]);
		assert_string_equal(
		    verify(arena, replaced(arena, sign(arena, "s"), rows[i][0], rows[i][1]), body, 2000),
		    rows[i][2]);
		arena_free(arena);
	}
}

static void the_body_counts(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	const struct text header = sign(arena, "s");

	(void)state;
	assert_string_equal(verify(arena, header, "A line.\r\n\r\nAnother.", 2000), "pass");
	assert_string_equal(verify(arena, header, "A line.\r\nAnother.", 2000), "fail");
	assert_string_equal(verify(arena, header, "", 2000), "fail");
	arena_free(arena);
}

static void a_message_without_one_author_is_not_signed(void **state)
{
	static const char *const headers[] = { "Subject: x\r\n\r\n",
		"From: a@b.test\r\nfrom : c@d.test\r\n\r\n", "" };
	const struct dkim_manner manner = { .now_s = 1 };
	struct dkim_signer *signer;

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		struct arena *arena = arena_new(1 << 20);
		struct body_hashes *hashes = body_hashes_new();
		struct header_index index;

		assert_int_equal(header_index_make(text_of(headers[i]), arena, &index), OK);
		assert_int_equal(dkim_signer_new(&index, hashes, &manner, arena, &signer), ERR_SYNTAX);
		body_hashes_free(hashes);
		arena_free(arena);
	}
}

static void only_so_many_signatures_are_looked_at(void **state)
{
	enum { SIGNATURES = 3000 };
	struct arena *arena = arena_new(16 << 20);
	struct body_hashes *hashes = body_hashes_new();
	struct facts facts = FACTS(world);
	struct header_index index;
	struct buffer header;
	size_t count;

	(void)state;
	buffer_init(&header, 1 << 20);
	for (int i = 0; i < SIGNATURES; i++)
		assert_true(buffer_print(&header,
		    "DKIM-Signature: v=1; a=rsa-sha256; d=d%d.test; s=s; h=from; l=%d; bh=%s; b=AAAA\r\n", i,
		    i, seed));
	assert_true(buffer_append(&header, text_of(letter)));
	assert_int_equal(header_index_make(buffer_text(&header), arena, &index), OK);
	struct dkim *dkim = dkim_new(&index, hashes, 1, arena);

	facts_satisfy(&facts, dkim, dkim);
	assert_int_equal(facts.asked, DKIM_SIGNATURES_MAX);
	body_hashes_end(hashes);
	(void)dkim_judge(dkim, NULL, &count);
	assert_int_equal(count, DKIM_SIGNATURES_MAX);
	assert_int_equal(dkim_ignored(dkim), SIGNATURES - DKIM_SIGNATURES_MAX);
	buffer_done(&header);
	body_hashes_free(hashes);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keys), cmocka_unit_test(changes),
		cmocka_unit_test(the_body_counts),
		cmocka_unit_test(a_message_without_one_author_is_not_signed),
		cmocka_unit_test(only_so_many_signatures_are_looked_at) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
